use super::{
    super::{
        fake::{ON, Says, heard},
        frames::{ArmStatus, DriverBits, Firmware, JointBits, Told},
    },
    *,
};

const MS: u64 = 1_000_000;
const POSE: [i32; 6] = [1_000, 40_000, -40_000, 500, 40_000, -700];

fn senses() -> Senses {
    let mut range = [(-3.0, 3.0); AXES];
    // Where it stands in these tests is beyond it: what the arm says of that counts.
    range[2] = (-0.5, 0.5);
    Senses::new(Units::of(Firmware::new(1, 8, 2)), true).within(range)
}

/// The arm says so every 5 ms, from `from` to `to` ms.
fn say(senses: &mut Senses, says: &Says, from: u64, to: u64, commanded: Option<&Axes>) {
    for ms in (from..to).step_by(5) {
        for feedback in says.feedback() {
            senses.hear(&heard(&feedback, Nanos(ms * MS)), commanded);
        }
    }
}

fn expected() -> Option<Expected> {
    Some(Expected { since: Nanos(0), mode: MoveMode::Joint })
}

fn ailment(senses: &Senses, ms: u64, commanded: Option<&Axes>) -> Option<Ailment> {
    senses.ailment(Nanos(ms * MS), expected(), commanded)
}

#[test]
fn an_arm_that_says_all_of_it_is_well_and_where_it_says() {
    let mut senses = senses();
    assert_eq!(senses.positions(), None);
    assert_eq!(ailment(&senses, 0, None), Some(Ailment::NothingHeard));
    say(&mut senses, &Says::powered(POSE), 0, 100, None);
    assert_eq!(ailment(&senses, 100, None), None);
    let at = senses.positions().expect("all were heard");
    assert!((at[1] - 40_f64.to_radians()).abs() < 1e-12);
    assert!((at[6] - 0.07).abs() < 1e-12);
    assert_eq!(senses.sampled_at(), Some(Nanos(95 * MS)));
    assert_eq!(senses.motors_on(Nanos(0)), Ok(()));
}

#[test]
fn each_joint_has_an_age_of_its_own() {
    let mut senses = senses();
    let says = Says::powered(POSE);
    say(&mut senses, &says, 0, 100, None);
    for ms in (100..300).step_by(5) {
        for feedback in says.feedback() {
            let of_four = matches!(&feedback, Feedback::Speed(speed) if speed.joint.number() == 4);
            if !of_four {
                senses.hear(&heard(&feedback, Nanos(ms * MS)), None);
            }
        }
    }
    assert_eq!(senses.sampled_at(), Some(Nanos(95 * MS)), "the oldest counts");
    assert_eq!(ailment(&senses, 300, None), Some(Ailment::Silent { joint: 3 }));
}

#[test]
fn what_does_not_change_by_a_bit_while_it_should_is_frozen() {
    let mut senses = senses();
    let says = Says::powered(POSE);
    let mut commanded = [0.0; AXES];
    say(&mut senses, &says, 0, 300, Some(&commanded));
    assert_eq!(ailment(&senses, 300, Some(&commanded)), None, "at rest nothing has to change");
    commanded[2] = 0.06;
    say(&mut senses, &says, 300, 400, Some(&commanded));
    assert_eq!(ailment(&senses, 400, Some(&commanded)), Some(Ailment::Frozen { joint: 2 }));
    let mut moving = says;
    moving.mdeg[2] += 1;
    say(&mut senses, &moving, 400, 410, Some(&commanded));
    assert_eq!(ailment(&senses, 410, Some(&commanded)), None);
}

#[test]
fn one_broken_frame_is_not_believed() {
    let mut senses = senses();
    let says = Says::powered(POSE);
    say(&mut senses, &says, 0, 100, None);
    let before = senses.positions();
    let mut broken = says;
    broken.mdeg[0] = 90_000;
    broken.status.arm = Told::Known(ArmStatus::Collision);
    broken.drivers[3] = DriverBits(0xFF);
    say(&mut senses, &broken, 100, 105, None);
    assert_eq!(senses.positions(), before);
    assert_eq!(ailment(&senses, 105, None), None);
    say(&mut senses, &says, 105, 200, None);
    assert_eq!(ailment(&senses, 200, None), None);
    assert_eq!(senses.counts.disbelieved, 1);
}

#[test]
fn a_joint_that_goes_on_to_say_something_else_is_there_after_all_and_told_of_meanwhile() {
    let mut senses = senses();
    say(&mut senses, &Says::powered(POSE), 0, 100, None);
    let elsewhere = Says::powered([90_000, 40_000, -40_000, 500, 40_000, -700]);
    say(&mut senses, &elsewhere, 100, 180, None);
    assert_eq!(ailment(&senses, 180, None), Some(Ailment::Implausible { joint: 0 }));
    say(&mut senses, &elsewhere, 180, 240, None);
    assert!((senses.positions().expect("heard")[0] - 90_f64.to_radians()).abs() < 1e-12);
    assert_eq!(ailment(&senses, 240, None), None);
}

#[test]
fn what_the_arm_says_of_itself_twice_counts() {
    type Change = fn(&mut Says);
    let cases: [(Change, Ailment); 8] = [
        (|says| says.drivers[2] = DriverBits(ON.0 | 2), Ailment::Hot { joint: 2 }),
        (|says| says.drivers[2] = DriverBits(ON.0 | 16), Ailment::Collided { joint: 2 }),
        (|says| says.drivers[0] = DriverBits(ON.0 | 32), Ailment::Broken { joint: 0 }),
        (|says| says.drivers[5] = DriverBits(ON.0 | 128), Ailment::Stalled { joint: 5 }),
        (|says| says.status.arm = Told::Known(ArmStatus::EmergencyStop), Ailment::OwnStop),
        (|says| says.status.arm = Told::Unknown(0x33), Ailment::OwnFault { code: 0x33 }),
        (|says| says.status.at_limit = JointBits(4), Ailment::BeyondOwnLimits { joint: 2 }),
        (|says| says.status.control = Told::Known(ControlMode::Standby), Ailment::OtherMode),
    ];
    for (change, expected) in cases {
        let mut senses = senses();
        let mut says = Says::powered(POSE);
        say(&mut senses, &says, 0, 1300, None);
        change(&mut says);
        say(&mut senses, &says, 1300, 1305, None);
        assert_eq!(ailment(&senses, 1305, None), None, "{expected:?} at once");
        say(&mut senses, &says, 1305, 1310, None);
        assert_eq!(ailment(&senses, 1310, None), Some(expected));
    }
}

#[test]
fn somebody_elses_command_and_garbage_are_told_of_and_questions_are_not() {
    let frame = |command: Command| Received {
        heard: Heard::Frame(command.encode().expect("a command")),
        at: Nanos(100 * MS),
    };
    let mut senses = senses();
    say(&mut senses, &Says::powered(POSE), 0, 101, None);
    senses.hear(&frame(Command::AskFirmware), None);
    assert_eq!(ailment(&senses, 101, None), None);
    senses.hear(&frame(Command::QUICK_STOP), None);
    assert_eq!(ailment(&senses, 101, None), Some(Ailment::SecondMaster));
    let mut senses = self::senses();
    say(&mut senses, &Says::powered(POSE), 0, 101, None);
    for k in 0..=GARBAGE_IN_WINDOW {
        let id = 0x700 + (k % 16) as u16;
        let heard = Heard::Frame(Frame { id, len: 8, data: [0xA5; 8] });
        senses.hear(&Received { heard, at: Nanos(100 * MS + u64::from(k)) }, None);
    }
    assert_eq!(ailment(&senses, 101, None), Some(Ailment::Garbage));
    assert_eq!(senses.counts.strange, u64::from(GARBAGE_IN_WINDOW) + 1);
}

#[test]
fn trouble_of_the_bus_comes_first_and_passes() {
    let mut senses = senses();
    say(&mut senses, &Says::powered(POSE), 0, 100, None);
    let trouble = |heard, at| Received { heard: Heard::Error(heard), at: Nanos(at * MS) };
    senses.hear(&trouble(BusTrouble::Off, 100), None);
    assert_eq!(ailment(&senses, 100, None), Some(Ailment::BusOff));
    say(&mut senses, &Says::powered(POSE), 200, 900, None);
    assert_eq!(ailment(&senses, 899, None), None);
    senses.hear(&trouble(BusTrouble::Passive, 900), None);
    assert_eq!(ailment(&senses, 900, None), Some(Ailment::BusErrors));
}
