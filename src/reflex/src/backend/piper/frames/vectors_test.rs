//! The codec against what other programs made: `../shared/piper/vectors`, beside the checkout.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests tell what they compared, or skipped"
)]

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

/// The vectors of a file; nothing, said aloud, where the folder is not there.
fn vectors(name: &str) -> Option<Vec<Value>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/piper/vectors");
    let Ok(text) = std::fs::read_to_string(format!("{folder}/{name}.json")) else {
        eprintln!("skipped: ../shared/piper/vectors/{name}.json is not there");
        return None;
    };
    let mut file: Value = serde_json::from_str(&exact(&text)).expect("JSON");
    let Value::Array(vectors) = file["vectors"].take() else { panic!("{name}: no vectors") };
    assert!(!vectors.is_empty(), "{name} is empty");
    Some(vectors)
}

/// JSON with its fractions as text: serde_json reads them a last bit off, and a MIT field may hang on that bit.
fn exact(json: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => rest[1..].find('"').map_or(rest.len(), |at| at + 2),
            '-' | '0'..='9' => rest.find([',', '}', ']', ' ', '\n']).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        if matches!(first, '-' | '0'..='9') && token.contains(['.', 'e']) {
            out.extend(["\"", token, "\""]);
        } else {
            out.push_str(token);
        }
        rest = after;
    }
    out
}

/// A quantity: a fraction as text, or an integer.
fn quantity(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().expect("a number"),
        None => value.as_i64().expect("a number") as f64,
    }
}

fn frame(value: &Value) -> Frame {
    let hex = value["data"].as_str().expect("data");
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let id = value["id"].as_u64().expect("an id") as u16;
    if let Some(dlc) = value.get("dlc") {
        assert_eq!(dlc.as_u64(), Some(bytes.len() as u64));
    }
    Frame::new(id, &bytes).expect("a frame")
}

/// A number of a vector as its field has it; an error, if it has no place there at all.
fn int<T: TryFrom<i64>>(value: &Value) -> Result<T, FieldError> {
    let value = value.as_i64().expect("an integer");
    T::try_from(value).map_err(|_| FieldError::Range { field: "the test's", value })
}

fn code<T: Code>(value: &Value) -> Result<T, FieldError> {
    let code = int(value)?;
    T::of_code(code).ok_or_else(|| bytes::out_of("the test's", code))
}

fn joint(value: &Value) -> Result<Joint, FieldError> {
    let number = int(value)?;
    Joint::new(number).ok_or_else(|| bytes::out_of("the test's", number))
}

fn six(value: &Value) -> Result<[u8; 6], FieldError> {
    let mut levels = [0; 6];
    for (level, value) in levels.iter_mut().zip(value.as_array().expect("six")) {
        *level = int(value)?;
    }
    Ok(levels)
}

fn yes(value: &Value) -> Result<bool, FieldError> {
    bytes::flag("the test's", int(value)?, 0xAE)
}

fn mode(raw: &Value) -> Result<Command, FieldError> {
    // What is not said is what the SDK takes for it.
    let or = |key: &str, default: u8| raw.get(key).map_or(Value::from(default), Value::clone);
    Ok(Command::Mode(ModeCommand {
        control: code(&or("ctrl_mode", 1))?,
        movement: code(&or("move_mode", 1))?,
        speed_percent: int(&or("move_spd_rate_ctrl", 50))?,
        follow: code(&or("mit_mode", 0))?,
        dwell_s: int(&or("residence_time", 0))?,
        mount: code(&or("installation_pos", 0))?,
    }))
}

fn joints(raw: &Value) -> Result<Vec<Command>, FieldError> {
    let at = |index: usize| {
        let value = raw.get(format!("j{}", index + 1));
        value.map_or(Ok(0), int)
    };
    let pair = |first: Pair| {
        Ok(Command::JointPair { first, mdeg: [at(first.index())?, at(first.index() + 1)?] })
    };
    Pair::ALL.into_iter().map(pair).collect()
}

fn pose(raw: &Value) -> Result<Vec<Command>, FieldError> {
    let (x_um, y_um, z_um) = (int(&raw["x"])?, int(&raw["y"])?, int(&raw["z"])?);
    let (rx_mdeg, ry_mdeg, rz_mdeg) = (int(&raw["rx"])?, int(&raw["ry"])?, int(&raw["rz"])?);
    let parts = [
        PosePart::Xy { x_um, y_um },
        PosePart::ZRx { z_um, rx_mdeg },
        PosePart::RyRz { ry_mdeg, rz_mdeg },
    ];
    Ok(parts.map(Command::Pose).to_vec())
}

fn power(raw: &Value, on: bool) -> Result<Command, FieldError> {
    let motors = match int(&raw["motor"])? {
        7 => Motors::Seven,
        u8::MAX => Motors::All,
        _ => Motors::One(joint(&raw["motor"])?),
    };
    Ok(Command::Power { motors, on })
}

/// What the SDK was asked to send. `None`: a method that has no command of ours.
fn commands(kind: &str, raw: &Value) -> Result<Option<Vec<Command>>, FieldError> {
    let motion = |motion: Motion| Command::Motion(motion);
    let one = match kind {
        "motion_ctrl_1" => motion(Motion {
            stop: code(&raw["emergency_stop"])?,
            track: code(&raw["track_ctrl"])?,
            teach: code(&raw["grag_teach_ctrl"])?,
            ..Motion::NONE
        }),
        "emergency_stop" => motion(Motion { stop: code(&raw["emergency_stop"])?, ..Motion::NONE }),
        "reset" => Command::RESET,
        "motion_ctrl_2" | "mode_ctrl" => mode(raw)?,
        "joint_ctrl" => return joints(raw).map(Some),
        "end_pose_ctrl" => return pose(raw).map(Some),
        "move_c_point" => Command::Arc(code(&raw["instruction_num"])?),
        "gripper_ctrl" => {
            let code: u8 = int(&raw["code"])?;
            bytes::check(code <= 3, "the test's", code)?;
            Command::Gripper(GripperCommand {
                stroke_um: int(&raw["stroke"])?,
                effort_mnm: int(&raw["effort"])?,
                enable: code & 1 == 1,
                clear_error: code & 2 == 2,
                set_zero: yes(&raw["set_zero"])?,
            })
        }
        "master_slave_config" => Command::Role(Role {
            linkage: code(&raw["linkage"])?,
            feedback: code(&raw["feedback_offset"])?,
            control: code(&raw["ctrl_offset"])?,
            target: code(&raw["linkage_offset"])?,
        }),
        "enable" => power(raw, true)?,
        "disable" => power(raw, false)?,
        "query_motor_limit" => Command::AskLimits {
            motor: bytes::motor(int(&raw["motor"])?)?,
            kind: code(&raw["content"])?,
        },
        "motor_limit_set" => Command::SetLimits(LimitSetup {
            joint: joint(&raw["motor"])?,
            max_ddeg: int(&raw["max_angle"])?,
            min_ddeg: int(&raw["min_angle"])?,
            speed_crad_s: int(&raw["max_spd"])?,
        }),
        "joint_config" => Command::SetJoint(JointSetup {
            motor: bytes::motor(int(&raw["motor"])?)?,
            set_zero: yes(&raw["set_zero"])?,
            acceleration_counts: yes(&raw["acc_effective"])?,
            acceleration_crad_s2: int(&raw["max_acc"])?,
            clear_error: yes(&raw["clear_err"])?,
        }),
        "param_enquiry" => Command::SetParameters(ParameterSetup {
            query: code(&raw["enquiry"])?,
            restore: code(&raw["setting"])?,
            stream: code(&raw["fb48x"])?,
            load_counts: yes(&raw["load_effective"])?,
            load: code(&raw["load"])?,
        }),
        "end_vel_acc_set" => Command::SetEnd(EndLimits {
            speed_mm_s: int(&raw["lin_vel"])?,
            turn_mrad_s: int(&raw["ang_vel"])?,
            acceleration_mm_s2: int(&raw["lin_acc"])?,
            turn_acceleration_mrad_s2: int(&raw["ang_acc"])?,
        }),
        "crash_protection_set" => Command::SetCollision { levels: six(&raw["levels"])? },
        "firmware_query" => Command::AskFirmware,
        "gripper_teach_param_set" => Command::SetGripper(GripperSetup {
            teach_percent: int(&raw["range_per"])?,
            range_mm: int(&raw["max_range_mm"])?,
            teach_friction: int(&raw["friction"])?,
        }),
        "master_home" => Command::Homing(code(&raw["mode"])?),
        _ => return Ok(None),
    };
    Ok(Some(vec![one]))
}

fn mit_target(phys: &Value, torque: &str) -> MitTarget {
    let number = |key: &str| quantity(&phys[key]);
    MitTarget {
        position_rad: number("pos_rad"),
        speed_rad_s: number("vel_rad_s"),
        kp: number("kp"),
        kd: number("kd"),
        torque_nm: number(torque),
    }
}

fn mit_fields(fields: &Value) -> MitFields {
    let field = |key: &str| fields[key].as_u64().expect("a field") as u16;
    let (position, speed, torque) = (field("pos"), field("vel"), field("t"));
    MitFields { position, speed, kp: field("kp"), kd: field("kd"), torque }
}

/// A MIT command both ways: from quantities to integers to bytes, and back.
fn mit(motor: &Value, target: &MitTarget, fields: MitFields, layout: MitLayout, sent: Frame) {
    assert_eq!(MitFields::new(target, layout), Ok(fields), "{target:?}");
    let wire = fields.pack(layout).expect("fields that fit");
    let command = Command::Mit(Mit { joint: joint(motor).expect("a joint"), wire });
    assert_eq!(command.encode(), Ok(sent), "{target:?}");
    assert_eq!(Command::decode(&sent), Ok(Some(command)));
    assert_eq!(MitFields::unpack(&wire, layout), Ok(fields));
}

#[test]
fn commands_are_those_of_the_vendors_sdk() {
    let Some(vectors) = vectors("encode") else { return };
    let mut seen = BTreeMap::new();
    let mut sent = 0;
    for vector in &vectors {
        let kind = vector["kind"].as_str().expect("a kind");
        let raw = &vector["raw"];
        let frames: Vec<Frame> =
            vector["frames"].as_array().expect("frames").iter().map(frame).collect();
        *seen.entry(kind).or_insert(0) += 1;
        sent += frames.len();
        if kind == "mit_ctrl" {
            let target = mit_target(&vector["phys"], "t_ref");
            let layout = MitLayout::EightBit { scaled_by_four: false };
            mit(&raw["motor"], &target, mit_fields(&raw["fields"]), layout, frames[0]);
            continue;
        }
        let commands = commands(kind, raw).expect("fields that fit");
        let commands = commands.unwrap_or_else(|| panic!("nobody knows {kind}"));
        let encoded: Result<Vec<_>, _> = commands.iter().map(Command::encode).collect();
        assert_eq!(encoded.as_deref(), Ok(&frames[..]), "{vector}");
        for (command, frame) in commands.iter().zip(&frames) {
            assert_eq!(Command::decode(frame), Ok(Some(*command)), "{vector}");
        }
        if vector["group"] == "phys_first" {
            for (index, rad) in vector["phys"]["rad"].as_array().expect("six").iter().enumerate() {
                let raw = raw[format!("j{}", index + 1)].as_i64().expect("raw") as i32;
                assert_eq!(mdeg_of_rad(quantity(rad)), Ok(raw));
            }
        }
    }
    println!("{} commands, {sent} frames: {seen:?}", vectors.len());
}

#[test]
fn mit_of_new_firmware_has_twelve_bits_of_torque_and_no_checksum() {
    let Some(vectors) = vectors("mit_v188") else { return };
    for vector in &vectors {
        let target = mit_target(&vector["phys"], "t_ff_over_c");
        let sent = frame(&vector["frames"][0]);
        let fields = mit_fields(&vector["fields"]);
        mit(&vector["motor"], &target, fields, MitLayout::TwelveBit, sent);
        let firmware = Firmware::new(1, 8, 8);
        let made = Mit::new(joint(&vector["motor"]).expect("a joint"), &target, firmware);
        assert_eq!(made.map(|mit| mit.wire), Ok(sent.data));
    }
    println!("{} MIT commands of 1.8-8", vectors.len());
}

/// What we make of a frame, as the SDK writes it down.
fn as_the_sdk_says(heard: &Frame) -> Option<Value> {
    use serde_json::json;
    // The SDK has no name for MIT's new code, and one name for everything that it does not know.
    let folded = |code: u8, last: u8| if code > last { 255 } else { code };
    let names = |bits: JointBits| Joint::ALL.map(|joint| bits.has(joint));
    let pair = |first: Pair, [a, b]: [i32; 2]| {
        let number = first.index() + 1;
        json!({format!("j{number}_mdeg"): a, format!("j{}_mdeg", number + 1): b})
    };
    if let Some(feedback) = Feedback::decode(heard).expect("feedback") {
        assert_eq!(feedback.encode().map(|frame| frame.id), Ok(heard.id));
        return Some(match feedback {
            Feedback::Status(status) => json!({
                "ctrl_mode": folded(status.control.code(), 7),
                "arm_status": folded(status.arm.code(), 15),
                "mode_feed": folded(status.movement.code(), 5),
                "teach_status": folded(status.teach.code(), 7),
                "motion_status": folded(status.reached.code(), 1),
                "trajectory_num": status.track,
                "err_code": u16::from_be_bytes([status.at_limit.0, status.silent.0]),
                "angle_limit": names(status.at_limit),
                "comm_err": names(status.silent),
            }),
            Feedback::Pose(PosePart::Xy { x_um, y_um }) => json!({"x_um": x_um, "y_um": y_um}),
            Feedback::Pose(PosePart::ZRx { z_um, rx_mdeg }) => {
                json!({"z_um": z_um, "rx_mdeg": rx_mdeg})
            }
            Feedback::Pose(PosePart::RyRz { ry_mdeg, rz_mdeg }) => {
                json!({"ry_mdeg": ry_mdeg, "rz_mdeg": rz_mdeg})
            }
            Feedback::JointPair { first, mdeg } => pair(first, mdeg),
            Feedback::Gripper(Gripper { stroke_um, effort_mnm, status }) => json!({
                "stroke_um": stroke_um, "effort_mNm": effort_mnm, "status": status.0,
                "flags": {
                    "voltage_too_low": status.undervolt(), "motor_overheating": status.motor_hot(),
                    "driver_overcurrent": status.overcurrent(),
                    "driver_overheating": status.driver_hot(),
                    "sensor_status": status.sensor(), "driver_error_status": status.error(),
                    "driver_enable_status": status.enabled(), "homing_status": status.homed(),
                },
            }),
            Feedback::Speed(speed) => json!({
                "motor": speed.joint.number(), "speed_mrad_s": speed.speed_mrad_s,
                "current_mA": speed.current_ma, "pos_raw": speed.position_mrad,
                "sdk_effort_mNm": format!("{:?}", speed.torque_mnm()),
            }),
            Feedback::Driver(driver) => json!({
                "motor": driver.joint.number(), "vol_dV": driver.volt_dv,
                "foc_temp_C": driver.driver_c, "motor_temp_C": driver.motor_c,
                "foc_status": driver.status.0, "bus_current_mA": driver.bus_current_ma,
                "flags": {
                    "voltage_too_low": driver.status.undervolt(),
                    "motor_overheating": driver.status.motor_hot(),
                    "driver_overcurrent": driver.status.overcurrent(),
                    "driver_overheating": driver.status.driver_hot(),
                    "collision_status": driver.status.collision(),
                    "driver_error_status": driver.status.error(),
                    "driver_enable_status": driver.status.enabled(),
                    "stall_status": driver.status.stalled(),
                },
            }),
            Feedback::Ack(ack) => {
                json!({"instruction_index": ack.id_low, "zero_ok": ack.zero_set})
            }
            Feedback::Limits(limits) => json!({
                "motor": limits.motor.number(), "max_angle_ddeg": limits.max_ddeg,
                "min_angle_ddeg": limits.min_ddeg, "max_spd_raw": limits.speed_crad_s,
            }),
            Feedback::End(limits) => json!({
                "lin_vel": limits.speed_mm_s, "ang_vel": limits.turn_mrad_s,
                "lin_acc": limits.acceleration_mm_s2, "ang_acc": limits.turn_acceleration_mrad_s2,
            }),
            Feedback::Collision { levels } => json!({"levels": levels}),
            Feedback::Acceleration { motor, acceleration_crad_s2 } => {
                json!({"motor": motor.number(), "max_acc_raw": acceleration_crad_s2})
            }
            Feedback::GripperSetup(setup) => json!({
                "range_per": setup.teach_percent, "max_range_mm": setup.range_mm,
                "friction": setup.teach_friction,
            }),
            Feedback::FirmwarePart(part) => {
                let hex: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
                json!({"bytes": hex})
            }
            Feedback::IkJointPair { .. } | Feedback::Servo(_) | Feedback::Assist { .. } => {
                return None;
            }
        });
    }
    Some(match Command::decode(heard) {
        Ok(Some(Command::Mode(mode))) => json!({
            "ctrl_mode": mode.control.code(), "move_mode": mode.movement.code(),
            "spd": mode.speed_percent, "mit_mode": mode.follow.code(),
            "residence_time": mode.dwell_s,
        }),
        Ok(Some(Command::JointPair { first, mdeg })) => pair(first, mdeg),
        Ok(Some(Command::Gripper(gripper))) => json!({
            "stroke_um": gripper.stroke_um, "effort_mNm": gripper.effort_mnm,
            "code": u8::from(gripper.enable) | u8::from(gripper.clear_error) << 1,
            "set_zero": if gripper.set_zero { 0xAE } else { 0 },
        }),
        _ => return None,
    })
}

#[test]
fn feedback_says_what_the_vendors_sdk_reads_in_it() {
    let Some(vectors) = vectors("decode") else { return };
    let (mut known, mut unknown) = (0, 0);
    for vector in &vectors {
        let heard = frame(vector);
        if vector["known"] == true {
            assert_eq!(as_the_sdk_says(&heard).as_ref(), Some(&vector["fields"]), "{vector}");
            known += 1;
        } else {
            // The SDK ignores these; we know some of them, and stumble over none.
            assert!(Feedback::decode(&heard).is_ok(), "{vector}");
            unknown += 1;
        }
    }
    println!("{known} frames that the SDK knows, {unknown} that it does not");
}

#[test]
fn what_the_vendors_sdk_lets_wrap_or_pass_is_refused_or_exact() {
    let Some(vectors) = vectors("sdk_quirks") else { return };
    let mut refused = 0;
    for vector in &vectors {
        let (kind, raw) = (vector["kind"].as_str().expect("a kind"), &vector["raw"]);
        let group = vector["group"].as_str().expect("a group");
        if kind == "mit_ctrl" {
            let target = mit_target(&vector["phys"], "t_ref");
            for firmware in [Firmware::new(1, 8, 3), Firmware::new(1, 8, 7)] {
                let made = joint(&raw["motor"]).and_then(|j| Mit::new(j, &target, firmware));
                assert!(made.is_err(), "{vector}");
            }
            refused += 1;
            continue;
        }
        match (kind, group) {
            // The new code of MIT, which the SDK does not know yet.
            ("motion_ctrl_2", _) if raw["move_mode"] == 6 => {
                let commands = commands(kind, raw).expect("a mode").expect("known");
                assert_eq!(commands[0].encode().map(|frame| frame.data[1]), Ok(6));
            }
            // Joints know no limits here: who commands knows them.
            (_, "accepted_out_of_limits") => {
                let frames: Vec<Frame> =
                    vector["frames"].as_array().expect("frames").iter().map(frame).collect();
                let commands = commands(kind, raw).expect("fields that fit").expect("known");
                let encoded: Result<Vec<_>, _> = commands.iter().map(Command::encode).collect();
                assert_eq!(encoded, Ok(frames));
            }
            // A length that is no integer does not get as far as a field; no command at all.
            (_, "silently_dropped" | "deprecated_noop") => {}
            _ => {
                let made = commands(kind, raw).and_then(|commands| {
                    commands.expect("known").iter().try_for_each(|one| one.encode().map(drop))
                });
                assert!(made.is_err(), "{vector}");
                refused += 1;
            }
        }
    }
    println!("{refused} of {} refused, the others exact", vectors.len());
}

#[test]
fn what_is_plausible_is_what_the_vendors_filter_lets_through() {
    let Some(vectors) = vectors("sdk_filter") else { return };
    for vector in &vectors {
        let hex = vector["id_hex"].as_str().expect("an id").trim_start_matches("0x");
        let id = u16::from_str_radix(hex, 16).expect("an id");
        let values = vector["values"].as_array().expect("values");
        let number = |at: usize| values.get(at).map_or(0, |value| value.as_i64().expect("one"));
        let heard = bytes::two(id, [number(0) as i32, number(1) as i32]);
        let feedback = Feedback::decode(&heard).expect("feedback").expect("known");
        assert_eq!(Some(feedback.is_plausible()), vector["accepted"].as_bool(), "{vector}");
    }
}
