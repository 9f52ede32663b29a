//! On, off, stop, reset, and how often it says so.

use reflex::backend::piper::frames::{
    ArmStatus, Command, ControlMode, Feedback, Follow, Motors, MoveMode,
};

use crate::rig::{RAISED, Rig, joint, setup};

const ON: Command = Command::Power { motors: Motors::Seven, on: true };

#[test]
fn it_says_3040_frames_a_second_each_at_its_own_rate() {
    let mut rig = Rig::new();
    rig.run(1);
    rig.said.clear();
    rig.run(2_000);
    assert!((6_080 - 152..=6_080 + 152).contains(&rig.said.len()), "{}", rig.said.len());
    for id in (0x2A1..=0x2A8).chain(0x251..=0x256) {
        assert!((399..=401).contains(&rig.count(id)), "{id:#x}: {}", rig.count(id));
    }
    for id in 0x261..=0x266 {
        assert!((79..=81).contains(&rig.count(id)), "{id:#x}: {}", rig.count(id));
    }
    let mut slow =
        Rig::of(hil_tests::virtual_piper::Setup { rate_scale: 0.125, ..setup("S-V1.8-2") });
    slow.run(4_000);
    assert!((1_490..=1_550).contains(&slow.said.len()), "{}", slow.said.len());
}

#[test]
fn one_request_switches_nothing_on_and_repeated_ones_take_two_statuses() {
    let mut rig = Rig::new();
    rig.run(30);
    rig.say(ON);
    rig.run(500);
    assert_eq!(rig.enabled(), [false; 6]);

    let mut rig = Rig::new();
    rig.run(30);
    let begun = rig.now;
    while rig.enabled() != [true; 6] {
        rig.say(ON);
        rig.run(5);
        assert!(rig.now.since(begun) < 200_000_000);
    }
    let told = rig.said.iter().filter(|(at, frame)| *at > begun && frame.id == 0x261).count();
    assert!(rig.now.since(begun) >= 25_000_000 && told >= 2, "{} ns", rig.now.since(begun));
}

#[test]
fn motors_are_switched_one_by_one_too_and_0xff_takes_the_gripper_along() {
    let mut rig = Rig::ready();
    rig.say(Command::Power { motors: Motors::One(joint(3)), on: false });
    rig.run(30);
    assert_eq!(rig.enabled(), [true, true, false, true, true, true]);
    rig.ask(serde_json::json!({ "do": "state" }));
    rig.say(crate::settings::close(50_000));
    rig.run(30);
    assert!(rig.gripper().status.enabled());
    rig.say(Command::Power { motors: Motors::Seven, on: false });
    rig.run(30);
    assert!(rig.enabled() == [false; 6] && rig.gripper().status.enabled());
    rig.say(Command::Power { motors: Motors::All, on: false });
    rig.run(30);
    assert!(!rig.gripper().status.enabled());
}

#[test]
fn it_holds_where_it_was_switched_on_and_ignores_targets_from_before() {
    let mut rig = Rig::new();
    let mut elsewhere = [0.0; 6];
    elsewhere.copy_from_slice(&RAISED[..6]);
    elsewhere[0] += 0.5;
    rig.aim(&elsewhere);
    rig.enable();
    let held = rig.joints();
    rig.mode(MoveMode::Joint, Follow::Planned, 100);
    rig.run(1_000);
    assert!(rig.away(&held) < 0.02, "{held:?} {:?}", rig.joints());
    assert!(rig.status().control.is(ControlMode::Can) && rig.is(ArmStatus::Normal));
}

#[test]
fn a_quick_stop_sinks_and_only_a_reset_which_drops_leaves_it() {
    let mut rig = Rig::ready();
    rig.run(200);
    let height = rig.tool()[2];
    rig.say(Command::QUICK_STOP);
    rig.run(1_000);
    let sunk = height - rig.tool()[2];
    assert!((1_000..150_000).contains(&sunk), "{sunk} um in a second");
    assert!(rig.is(ArmStatus::EmergencyStop) && rig.enabled() == [true; 6]);

    let joints = rig.joints();
    rig.say(ON);
    rig.mode(MoveMode::Joint, Follow::Planned, 100);
    rig.aim(&[0.9, 1.0, -1.0, 0.0, 0.0, 0.0]);
    rig.run(200);
    assert!((rig.joints()[0] - joints[0]).abs() < 0.02, "a stopped arm obeys nobody");

    let height = rig.tool()[2];
    rig.say(Command::RESET);
    rig.run(500);
    let fell = height - rig.tool()[2];
    assert!(fell > 50_000 && rig.enabled() == [false; 6], "{fell} um in half a second");
    assert!(rig.is(ArmStatus::Normal) && rig.status().control.is(ControlMode::Standby));
    rig.enable();
}

#[test]
fn without_power_it_falls_and_comes_to_rest() {
    let mut rig = Rig::ready();
    let height = rig.tool()[2];
    rig.say(Command::Power { motors: Motors::Seven, on: false });
    rig.run(400);
    assert!(height - rig.tool()[2] > 50_000, "{} um", height - rig.tool()[2]);
    rig.run(4_000);
    let lies = rig.joints();
    rig.run(500);
    assert!(rig.away(&lies) < 0.02, "{lies:?} {:?}", rig.joints());
}

#[test]
fn after_a_reset_the_mode_has_to_be_set_again() {
    let mut rig = Rig::ready();
    rig.say(Command::RESET);
    rig.run(50);
    rig.enable();
    let held = rig.joints();
    rig.aim(&[0.9, 1.0, -1.0, 0.0, 0.0, 0.0]);
    rig.run(300);
    assert!(rig.away(&held) < 0.03, "in standby it obeys no target");
    rig.mode(MoveMode::Joint, Follow::Planned, 100);
    rig.run(1_500);
    assert!((rig.joints()[0] - 0.9).abs() < 0.01, "what was sent while it was on counts now");
}

#[test]
fn currents_tell_of_gravity() {
    let mut rig = Rig::ready();
    rig.run(1_000);
    let shoulder = rig.speed(joint(2));
    assert!(shoulder.current_ma.unsigned_abs() > 1_000, "{shoulder:?}");
    let told = rig.last(|feedback| match feedback {
        Feedback::Speed(speed) if speed.joint == joint(1) => Some(speed.position_mrad),
        _ => None,
    });
    assert!((f64::from(told) / 1e3 - rig.joints()[0]).abs() < 1e-3);
}
