//! Both ways, for everything that fits; and nothing at all makes it panic.

use proptest::prelude::*;

use super::*;

fn one_of<T: Code + std::fmt::Debug>() -> impl Strategy<Value = T> {
    proptest::sample::select(T::ALL)
}

fn told<T: Code + std::fmt::Debug>() -> impl Strategy<Value = Told<T>> {
    any::<u8>().prop_map(Told::of_code)
}

fn joint() -> impl Strategy<Value = Joint> {
    proptest::sample::select(&Joint::ALL[..])
}

fn motor() -> impl Strategy<Value = Motor> {
    (1..=7_u8).prop_map(|number| Motor::new(number).expect("one of seven"))
}

fn pair() -> impl Strategy<Value = Pair> {
    proptest::sample::select(&Pair::ALL[..])
}

fn or_leave(max: u16) -> impl Strategy<Value = u16> {
    prop_oneof![0..=max, Just(LEAVE)]
}

fn pose() -> impl Strategy<Value = PosePart> {
    any::<(u8, i32, i32)>().prop_map(|(which, a, b)| match which % 3 {
        0 => PosePart::Xy { x_um: a, y_um: b },
        1 => PosePart::ZRx { z_um: a, rx_mdeg: b },
        _ => PosePart::RyRz { ry_mdeg: a, rz_mdeg: b },
    })
}

fn end() -> impl Strategy<Value = EndLimits> {
    any::<[u16; 4]>().prop_map(|[a, b, c, d]| EndLimits {
        speed_mm_s: a,
        turn_mrad_s: b,
        acceleration_mm_s2: c,
        turn_acceleration_mrad_s2: d,
    })
}

fn servo(verbs: &'static [ServoVerb]) -> impl Strategy<Value = Servo> {
    let value = proptest::sample::select(&ServoValue::ALL[..]);
    (motor(), proptest::sample::select(verbs), value, any::<i32>())
        .prop_map(|(motor, verb, value, raw)| Servo { motor, verb, value, raw })
}

fn motions() -> impl Strategy<Value = Command> {
    let commanded = one_of::<ControlMode>().prop_filter("commanded", |mode| {
        !matches!(mode, ControlMode::Teach | ControlMode::Remote | ControlMode::Linkage)
    });
    prop_oneof![
        (any::<bool>(), joint(), any::<u8>(), any::<[u8; 3]>(), any::<u8>()).prop_map(
            |(on, joint, led, rgb, count)| Command::Light(Light { on, joint, led, rgb, count })
        ),
        (one_of(), one_of(), one_of(), any::<(u8, u16, u16)>()).prop_map(
            |(stop, track, teach, (point, name, crc))| Command::Motion(Motion {
                stop,
                track,
                teach,
                point,
                name,
                crc
            })
        ),
        (commanded, one_of(), 0..=100_u8, one_of(), any::<u8>(), one_of()).prop_map(
            |(control, movement, speed_percent, follow, dwell_s, mount)| {
                Command::Mode(ModeCommand {
                    control,
                    movement,
                    speed_percent,
                    follow,
                    dwell_s,
                    mount,
                })
            }
        ),
        pose().prop_map(Command::Pose),
        (pair(), any::<[i32; 2]>()).prop_map(|(first, mdeg)| Command::JointPair { first, mdeg }),
        one_of().prop_map(Command::Arc),
        (any::<i32>(), 0..=5000_i16, any::<(bool, bool, bool)>()).prop_map(
            |(stroke_um, effort_mnm, (enable, clear_error, set_zero))| {
                Command::Gripper(GripperCommand {
                    stroke_um,
                    effort_mnm,
                    enable,
                    clear_error,
                    set_zero,
                })
            }
        ),
        (joint(), any::<[u8; 8]>()).prop_map(|(joint, wire)| Command::Mit(Mit { joint, wire })),
        servo(&[ServoVerb::Write, ServoVerb::Read]).prop_map(Command::Servo),
    ]
}

fn settings() -> impl Strategy<Value = Command> {
    let motors = prop_oneof![joint().prop_map(Motors::One), Just(Motors::Seven), Just(Motors::All)];
    let level = || prop_oneof![0..=8_u8, Just(u8::MAX)];
    prop_oneof![
        one_of().prop_map(Command::Homing),
        (one_of(), one_of(), one_of(), one_of()).prop_map(
            |(linkage, feedback, control, target)| Command::Role(Role {
                linkage,
                feedback,
                control,
                target
            })
        ),
        (motors, any::<bool>()).prop_map(|(motors, on)| Command::Power { motors, on }),
        (motor(), one_of()).prop_map(|(motor, kind)| Command::AskLimits { motor, kind }),
        (joint(), any::<(i16, i16)>(), or_leave(3000)).prop_map(
            |(joint, (max_ddeg, min_ddeg), speed_crad_s)| {
                Command::SetLimits(LimitSetup { joint, max_ddeg, min_ddeg, speed_crad_s })
            }
        ),
        (motor(), any::<(bool, bool, bool)>(), or_leave(500)).prop_map(
            |(motor, (set_zero, acceleration_counts, clear_error), acceleration_crad_s2)| {
                Command::SetJoint(JointSetup {
                    motor,
                    set_zero,
                    acceleration_counts,
                    acceleration_crad_s2,
                    clear_error,
                })
            }
        ),
        (one_of(), one_of(), one_of(), any::<bool>(), one_of()).prop_map(
            |(query, restore, stream, load_counts, load)| {
                Command::SetParameters(ParameterSetup { query, restore, stream, load_counts, load })
            }
        ),
        end().prop_map(Command::SetEnd),
        [level(), level(), level(), level(), level(), level()]
            .prop_map(|levels| Command::SetCollision { levels }),
        (100..=200_u8, proptest::sample::select(&[0_u8, 70, 100][..]), 1..=10_u8).prop_map(
            |(teach_percent, range_mm, teach_friction)| {
                Command::SetGripper(GripperSetup { teach_percent, range_mm, teach_friction })
            }
        ),
        any::<[u8; 6]>().prop_map(|ratings| Command::Assist { ratings }),
        Just(Command::AskFirmware),
    ]
}

fn measurements() -> impl Strategy<Value = Feedback> {
    prop_oneof![
        (joint(), any::<(i16, i16, i32)>()).prop_map(
            |(joint, (speed_mrad_s, current_ma, position_mrad))| {
                Feedback::Speed(Speed { joint, speed_mrad_s, current_ma, position_mrad })
            }
        ),
        (joint(), any::<(u16, i16, i8, u8, u16)>()).prop_map(
            |(joint, (volt_dv, driver_c, motor_c, status, bus_current_ma))| {
                Feedback::Driver(Driver {
                    joint,
                    volt_dv,
                    driver_c,
                    motor_c,
                    status: DriverBits(status),
                    bus_current_ma,
                })
            }
        ),
        (told(), told(), told(), told(), told(), any::<(u8, u8, u8)>()).prop_map(
            |(control, arm, movement, teach, reached, (track, at_limit, silent))| {
                Feedback::Status(Status {
                    control,
                    arm,
                    movement,
                    teach,
                    reached,
                    track,
                    at_limit: JointBits(at_limit),
                    silent: JointBits(silent),
                })
            }
        ),
        pose().prop_map(Feedback::Pose),
        (pair(), any::<[i32; 2]>()).prop_map(|(first, mdeg)| Feedback::JointPair { first, mdeg }),
        (pair(), any::<[i32; 2]>()).prop_map(|(first, mdeg)| Feedback::IkJointPair { first, mdeg }),
        any::<(i32, i16, u8)>().prop_map(|(stroke_um, effort_mnm, status)| {
            Feedback::Gripper(Gripper { stroke_um, effort_mnm, status: GripperBits(status) })
        }),
    ]
}

fn answers() -> impl Strategy<Value = Feedback> {
    let part = any::<[u8; 8]>().prop_filter("no question", |part| part[1..] != [0; 7]);
    prop_oneof![
        servo(&[ServoVerb::Answer]).prop_map(Feedback::Servo),
        (motor(), any::<(i16, i16, u16)>()).prop_map(
            |(motor, (max_ddeg, min_ddeg, speed_crad_s))| {
                Feedback::Limits(Limits { motor, max_ddeg, min_ddeg, speed_crad_s })
            }
        ),
        (any::<(u8, u8, u8)>(), told()).prop_map(|((id_low, zero_set, point), pack)| {
            Feedback::Ack(Ack { id_low, zero_set, point, pack })
        }),
        end().prop_map(Feedback::End),
        any::<[u8; 6]>().prop_map(|levels| Feedback::Collision { levels }),
        (motor(), any::<u16>()).prop_map(|(motor, acceleration_crad_s2)| {
            Feedback::Acceleration { motor, acceleration_crad_s2 }
        }),
        any::<(u8, u8, u8)>().prop_map(|(teach_percent, range_mm, teach_friction)| {
            Feedback::GripperSetup(GripperSetup { teach_percent, range_mm, teach_friction })
        }),
        any::<[u8; 6]>().prop_map(|ratings| Feedback::Assist { ratings }),
        part.prop_map(Feedback::FirmwarePart),
    ]
}

/// Any frame at all, ids of the protocol more often than others.
fn frames() -> impl Strategy<Value = Frame> {
    let id = prop_oneof![
        0..=0x7FF_u16,
        0x121..=0x191_u16,
        0x250..=0x2CF_u16,
        0x470..=0x488_u16,
        Just(0x4AF),
    ];
    let small = prop_oneof![any::<u8>(), 0..=8_u8, Just(0xAE), Just(0xAD)];
    (id, proptest::collection::vec(small, 0..=8))
        .prop_map(|(id, bytes)| Frame::new(id, &bytes).expect("eleven bits, eight bytes"))
}

/// A frame without what stands in reserved bytes: what an encoder would have made of its meaning.
fn is_same_but_for_reserved(heard: &Frame, encoded: &Frame) -> bool {
    let bytes = heard.data.iter().zip(&encoded.data);
    heard.id == encoded.id && bytes.into_iter().all(|(heard, sent)| *sent == 0 || heard == sent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn commands_come_back(command in prop_oneof![motions(), settings()]) {
        let frame = command.encode().expect("a command that fits");
        prop_assert_eq!(Command::decode(&frame), Ok(Some(command)));
    }

    #[test]
    fn feedback_comes_back(feedback in prop_oneof![measurements(), answers()]) {
        let frame = feedback.encode().expect("feedback that fits");
        prop_assert_eq!(Feedback::decode(&frame), Ok(Some(feedback)));
    }

    #[test]
    fn frames_come_back_and_none_makes_it_panic(frame in frames()) {
        let leads = |command: &Command| {
            matches!(command, Command::Gripper(gripper) if gripper.effort_mnm < 0)
        };
        if let Some(command) = Command::decode(&frame).ok().flatten().filter(|one| !leads(one)) {
            let again = command.encode().expect("what was decoded fits");
            prop_assert!(is_same_but_for_reserved(&frame, &again), "{:?} {:?}", frame, again);
            prop_assert_eq!(Command::decode(&again), Ok(Some(command)));
        }
        if let Ok(Some(feedback)) = Feedback::decode(&frame) {
            let again = feedback.encode().expect("what was decoded fits");
            prop_assert!(is_same_but_for_reserved(&frame, &again), "{:?} {:?}", frame, again);
            prop_assert_eq!(Feedback::decode(&again), Ok(Some(feedback)));
        }
        if let Some((offset, plain)) = Feedback::unshift(&frame) {
            prop_assert_eq!(plain.id + u16::from(offset.code()), frame.id);
        }
        for layout in LAYOUTS {
            if let Ok(fields) = MitFields::unpack(&frame.data, layout) {
                prop_assert_eq!(fields.pack(layout), Ok(frame.data));
            }
        }
    }

    #[test]
    fn angles_and_lengths_come_back(raw in any::<i32>()) {
        prop_assert_eq!(mdeg_of_rad(rad_of_mdeg(raw)), Ok(raw));
        prop_assert_eq!(um_of_m(m_of_um(raw)), Ok(raw));
    }

    #[test]
    fn quantities_of_mit_are_refused_or_a_step_off_at_most(
        values in proptest::array::uniform5(-600.0..600.0_f64),
        number in 0..6_usize,
        firmware in proptest::sample::select(&FIRMWARES[..]),
    ) {
        let [position, speed, kp, kd, torque] = values;
        let target = MitTarget {
            position_rad: position / 40.0,
            speed_rad_s: speed / 12.0,
            kp,
            kd: kd / 100.0,
            torque_nm: torque / 20.0,
        };
        let joint = Joint::ALL[number];
        let Ok(mit) = Mit::new(joint, &target, firmware) else { return Ok(()) };
        let told = mit.target(firmware).expect("our own checksum");
        let near = |a: f64, b: f64, step: f64| (a - b).abs() <= step;
        prop_assert!(near(told.position_rad, target.position_rad, 25.0 / 65535.0));
        prop_assert!(near(told.speed_rad_s, target.speed_rad_s, 90.0 / 4095.0));
        prop_assert!(near(told.kp, target.kp, 500.0 / 4095.0));
        prop_assert!(near(told.kd, target.kd, 10.0 / 4095.0));
        prop_assert!(near(told.torque_nm, target.torque_nm, 4.0 * 16.0 / 255.0));
    }
}

const LAYOUTS: [MitLayout; 3] = [
    MitLayout::EightBit { scaled_by_four: true },
    MitLayout::EightBit { scaled_by_four: false },
    MitLayout::TwelveBit,
];

const FIRMWARES: [Firmware; 5] = [
    Firmware::new(1, 5, 2),
    Firmware::new(1, 7, 3),
    Firmware::new(1, 8, 2),
    Firmware::new(1, 8, 3),
    Firmware::new(1, 8, 8),
];

#[test]
fn what_has_no_place_in_its_field_is_refused() {
    let target =
        MitTarget { position_rad: 0.0, speed_rad_s: 0.0, kp: 0.0, kd: 0.0, torque_nm: 0.0 };
    for layout in LAYOUTS {
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 600.0, -600.0] {
            for target in [
                MitTarget { position_rad: odd, ..target },
                MitTarget { speed_rad_s: odd, ..target },
                MitTarget { kp: odd, ..target },
                MitTarget { kd: odd, ..target },
                MitTarget { torque_nm: odd, ..target },
            ] {
                assert!(MitFields::new(&target, layout).is_err(), "{target:?}");
            }
        }
        let wide = MitFields { position: 0, speed: 0x1000, kp: 0, kd: 0, torque: 0 };
        assert!(wide.pack(layout).is_err());
    }
    let byte = MitFields { position: 0, speed: 0, kp: 0, kd: 0, torque: 0x100 };
    assert!(byte.pack(LAYOUTS[0]).is_err() && byte.pack(LAYOUTS[2]).is_ok());
    for odd in [f64::NAN, f64::INFINITY, 4e4, -4e4] {
        assert!(mdeg_of_rad(odd).is_err() && um_of_m(odd).is_err());
    }
    assert!(Frame::new(0x800, &[]).is_none() && Frame::new(0, &[0; 9]).is_none());
    let known = Feedback::Ack(Ack { id_low: 0, zero_set: 0, point: 0, pack: Told::Unknown(0xAE) });
    assert!(known.encode().is_err(), "a known byte is not unknown");
    let short = Frame::new(0x151, &[1, 1, 50]).expect("a frame");
    assert_eq!(Command::decode(&short), Err(FieldError::Short { id: 0x151, len: 3, needs: 6 }));
}

#[test]
fn a_firmware_is_read_from_its_name_and_from_eleven_frames() {
    let firmware: Firmware = "S-V1.6-3".parse().expect("a name");
    assert_eq!(firmware, Firmware::new(1, 6, 3));
    assert_eq!(firmware.to_string(), "S-V1.6-3");
    for odd in ["", "S-V", "S-V1.6", "S-V1.6-", "S-V1.6-3 ", "V1.6-3", "S-V1.-3", "S-V1.6-300"] {
        assert!(odd.parse::<Firmware>().is_err(), "{odd}");
    }
    let whole = Identity::of("H-V1.2-1", "PIPER1", Firmware::new(1, 8, 8), "250731");
    let mut heard = Identity::default();
    for index in 0..Identity::PARTS {
        assert!(!heard.is_whole());
        let frame = Feedback::FirmwarePart(whole.part(index).expect("eleven")).encode();
        match Feedback::decode(&frame.expect("a part")) {
            Ok(Some(Feedback::FirmwarePart(part))) => heard.push(part),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard, whole);
    assert_eq!(heard.firmware(), Some(Firmware::new(1, 8, 8)));
    assert_eq!((heard.hardware(), heard.node(), heard.date()), ("H-V1.2-1", "PIPER1", "250731"));
    assert_eq!(whole.part(11), None);
    // A part that was missed: the name is found all the same.
    let mut holed = Identity::default();
    (1..Identity::PARTS).filter_map(|index| whole.part(index)).for_each(|part| holed.push(part));
    assert!(!holed.is_whole());
    assert_eq!(holed.firmware(), Some(Firmware::new(1, 8, 8)));
}

#[test]
fn generations_differ_in_zero_layout_scale_and_sign() {
    let of = |text: &str| text.parse::<Firmware>().expect("a name");
    assert_eq!((of("S-V1.6-2").zero(), of("S-V1.6-3").zero()), (Zero::Old, Zero::New));
    let layouts =
        ["S-V1.8-2", "S-V1.8-3", "S-V1.8-7", "S-V1.8-8"].map(|name| of(name).mit_layout());
    assert_eq!(layouts, [LAYOUTS[0], LAYOUTS[1], LAYOUTS[1], LAYOUTS[2]]);
    assert!(of("S-V1.7-2").mit_is_negated() && !of("S-V1.7-3").mit_is_negated());
    let target =
        MitTarget { position_rad: 1.0, speed_rad_s: 2.0, kp: 10.0, kd: 0.8, torque_nm: 6.0 };
    let wire = |number: usize, name: &str| {
        let mit = Mit::new(Joint::ALL[number], &target, of(name)).expect("it fits");
        let layout = of(name).mit_layout();
        MitFields::unpack(&mit.wire, layout).expect("our own").target(layout)
    };
    let near = |a: f64, b: f64| (a - b).abs() < 0.1;
    let old = wire(0, "S-V1.5-2");
    assert!(near(old.position_rad, -1.0) && near(old.speed_rad_s, -2.0));
    assert!(near(old.torque_nm, -1.5), "a quarter, turned: {old:?}");
    let third = wire(2, "S-V1.5-2");
    assert!(near(third.position_rad, 1.0) && near(third.torque_nm, 1.5), "{third:?}");
    let wrist = wire(3, "S-V1.8-2");
    assert!(near(wrist.position_rad, 1.0) && near(wrist.torque_nm, 6.0), "{wrist:?}");
    assert!(near(wire(0, "S-V1.8-3").torque_nm, 6.0));
    assert!(near(wire(0, "S-V1.8-8").torque_nm, 6.0));
}
