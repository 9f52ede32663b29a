//! Each trouble does what it says, and ends when it is told to.

use hil_tests::virtual_piper::{Fault, Line};
use reflex::backend::piper::frames::{
    ArmStatus, Command, Feedback, Follow, LimitKind, Motor, Motors, MoveMode,
};

use crate::rig::{Rig, joint};

fn moved(rig: &mut Rig) -> [f64; 6] {
    let mut goal = rig.joints();
    goal[0] += 0.6;
    rig.aim(&goal);
    goal
}

#[test]
fn a_cable_that_is_out_carries_nothing_either_way_and_the_arm_goes_on() {
    let mut rig = Rig::ready();
    let goal = moved(&mut rig);
    rig.run(50);
    rig.fault(Fault::Cable);
    rig.say(Command::QUICK_STOP);
    rig.run(1_500);
    assert!(rig.said.is_empty() && rig.arm.line() == Line::Cut);
    rig.arm.set_fault(None);
    rig.run(100);
    assert!(rig.away(&goal) < 0.005, "the last target is reached: it has no watchdog");
    assert!(rig.is(ArmStatus::Normal));
}

#[test]
fn a_bus_that_is_off_is_silent() {
    let mut rig = Rig::ready();
    rig.fault(Fault::BusOff);
    rig.run(100);
    assert!(rig.said.is_empty() && rig.arm.line() == Line::Off);
    rig.arm.set_fault(None);
    rig.run(10);
    assert!(!rig.said.is_empty());
}

#[test]
fn a_silent_joint_says_nothing_and_its_angle_stays() {
    let mut rig = Rig::ready();
    rig.fault(Fault::Silent(joint(1), false));
    let before = rig.arm.ask(&serde_json::json!({ "do": "state" }))["joints_rad"][0].as_f64();
    rig.aim(&[0.8, 1.2, -1.1, 0.1, 0.4, 0.3]);
    rig.run(1_500);
    assert!(rig.count(0x251) == 0 && rig.count(0x261) == 0 && rig.count(0x252) == 300);
    assert!((rig.joints()[0] - before.expect("a joint")).abs() < 1e-4);
    assert!((rig.joints()[5] - 0.3).abs() < 0.01 && rig.is(ArmStatus::Normal));
    rig.fault(Fault::Silent(joint(1), true));
    rig.run(10);
    assert!(rig.is(ArmStatus::JointSilent) && rig.status().silent.has(joint(1)));
    rig.arm.set_fault(None);
    rig.run(20);
    assert!((rig.joints()[0] - 0.8).abs() < 0.01);
}

#[test]
fn frozen_feedback_keeps_coming_with_one_value() {
    let mut rig = Rig::ready();
    let before = rig.joints();
    let goal = moved(&mut rig);
    rig.fault(Fault::Frozen);
    rig.run(1_000);
    assert_eq!(rig.count(0x2A5), 200);
    let values = rig.said.iter().filter(|(_, frame)| (0x2A2..=0x2A7).contains(&frame.id));
    let values: std::collections::BTreeSet<_> = values.map(|(_, f)| (f.id, f.data)).collect();
    assert_eq!(values.len(), 6);
    assert!(rig.away(&before) < 0.001);
    rig.arm.set_fault(None);
    rig.run(10);
    assert!(rig.away(&goal) < 0.01);
}

#[test]
fn garbage_comes_as_often_as_was_asked_and_moves_nothing() {
    let mut rig = Rig::ready();
    rig.run(500);
    let before = rig.ask(serde_json::json!({ "do": "state" }));
    rig.fault(Fault::Garbage(8_000));
    rig.run(1_000);
    let extra = rig.said.len() as i64 - 3_040;
    assert!((7_900..8_050).contains(&extra), "{extra}");
    assert_eq!(rig.count(0x422), 0);
    let after = rig.ask(serde_json::json!({ "do": "state" }));
    assert_eq!(before["targets_rad"], after["targets_rad"]);
    let first: Vec<_> = rig.said.iter().take(500).map(|(_, frame)| *frame).collect();
    let mut again = Rig::ready();
    again.run(500);
    again.fault(Fault::Garbage(8_000));
    again.run(100);
    assert!(
        first.iter().zip(&again.said).all(|(a, (_, b))| a == b),
        "it is what the seed makes it"
    );
}

#[test]
fn a_second_master_is_heard_and_obeyed() {
    let mut rig = Rig::ready();
    let before = rig.joints();
    rig.fault(Fault::SecondMaster);
    rig.run(1_000);
    assert!((45..=51).contains(&rig.count(0x151)) && (45..=51).contains(&rig.count(0x155)));
    assert!(rig.away(&before) > 0.1, "{:?}", rig.joints());
}

#[test]
fn its_own_button_damps_and_a_reset_helps_only_when_it_is_released() {
    let mut rig = Rig::ready();
    moved(&mut rig);
    rig.run(200);
    rig.fault(Fault::OwnStop);
    rig.run(500);
    assert!(rig.is(ArmStatus::EmergencyStop));
    let speeds = (1..=6).map(|number| rig.speed(joint(number)).speed_mrad_s.abs()).max();
    assert!(speeds < Some(200), "{speeds:?} mrad/s");
    rig.say(Command::RESET);
    rig.run(10);
    assert!(rig.is(ArmStatus::EmergencyStop));
    rig.arm.set_fault(None);
    rig.run(10);
    assert!(rig.is(ArmStatus::EmergencyStop), "released, it waits for a reset");
    rig.say(Command::RESET);
    rig.run(10);
    assert!(rig.is(ArmStatus::Normal));
    rig.enable();
}

#[test]
fn heat_collisions_and_stalls_are_told_where_arms_tell_them() {
    let mut rig = Rig::ready();
    rig.fault(Fault::Hot(joint(4)));
    rig.run(30);
    let driver = rig.driver(joint(4));
    assert!(driver.status.motor_hot() && driver.motor_c > 80 && rig.is(ArmStatus::JointAbnormal));
    assert!(!rig.driver(joint(3)).status.motor_hot());

    moved(&mut rig);
    rig.run(200);
    rig.fault(Fault::Collision(joint(2)));
    rig.run(30);
    assert!(rig.driver(joint(2)).status.collision() && rig.is(ArmStatus::Collision));
    rig.run(1_000);
    let stopped = rig.joints();
    rig.aim(&[0.0, 1.0, -1.0, 0.0, 0.0, 0.0]);
    rig.run(500);
    assert!(rig.away(&stopped) < 0.005, "it stopped and obeys nobody");

    rig.arm.set_fault(None);
    rig.run(10);
    assert!(rig.is(ArmStatus::Normal));
    rig.fault(Fault::Stall(joint(1)));
    let before = rig.ask(serde_json::json!({ "do": "state" }))["joints_rad"][0].as_f64();
    rig.aim(&[-0.5, 1.0, -1.0, 0.0, 0.0, 0.0]);
    rig.run(1_000);
    assert!(rig.driver(joint(1)).status.stalled() && rig.is(ArmStatus::JointAbnormal));
    assert!((rig.joints()[0] - before.expect("a joint")).abs() < 0.02);
    assert!((rig.joints()[1] - 1.0).abs() < 0.01, "the others go on");
}

#[test]
fn limits_of_0x7fff_are_told() {
    let mut rig = Rig::ready();
    rig.fault(Fault::Limits7fff);
    let motor = Motor::from(joint(2));
    rig.say(Command::AskLimits { motor, kind: LimitKind::AngleAndSpeed });
    rig.run(20);
    let told = rig.last(|feedback| match feedback {
        Feedback::Limits(limits) => Some(limits),
        _ => None,
    });
    assert!(told.max_ddeg == 0x7FFF && told.min_ddeg == 0x7FFF && told.speed_crad_s == 0x7FFF);
}

#[test]
fn a_motor_that_is_lost_falls_and_cannot_be_switched_on() {
    let mut rig = Rig::ready();
    let before = rig.joints();
    moved(&mut rig);
    rig.run(100);
    rig.fault(Fault::MotorOff(joint(2)));
    rig.run(300);
    assert_eq!(rig.enabled(), [true, false, true, true, true, true]);
    assert!((rig.joints()[1] - before[1]).abs() > 0.05, "{:?}", rig.joints());
    for _ in 0..10 {
        rig.say(Command::Power { motors: Motors::Seven, on: true });
        rig.run(10);
    }
    assert!(!rig.enabled()[1]);
    rig.arm.set_fault(None);
    rig.enable();
}

#[test]
fn an_arm_that_fell_back_to_leading_speaks_elsewhere_and_obeys_nobody() {
    let mut rig = Rig::ready();
    let before = rig.ask(serde_json::json!({ "do": "state" }));
    rig.fault(Fault::Leader);
    rig.aim(&[0.9, 1.0, -1.0, 0.0, 0.0, 0.0]);
    rig.run(500);
    assert!(rig.count(0x2A5) == 0 && rig.count(0x3A5) == 100 && rig.count(0x251) == 100);
    let after = rig.ask(serde_json::json!({ "do": "state" }));
    assert_eq!(before["targets_rad"], after["targets_rad"]);
    rig.arm.set_fault(None);
    rig.run(10);
    assert!(rig.count(0x2A5) > 0);
}

#[test]
fn a_zero_pose_is_all_zeros() {
    let mut rig = Rig::ready();
    rig.fault(Fault::ZeroPose);
    rig.run(10);
    assert!(rig.joints() == [0.0; 6] && rig.tool() == [0; 6]);
    assert_eq!(rig.speed(joint(2)).position_mrad, 0);
}

#[test]
fn killed_and_started_again_it_lies_where_it_is_put_without_power() {
    let mut rig = Rig::ready();
    rig.arm.restart(1);
    rig.run(30);
    assert_eq!(rig.enabled(), [false; 6]);
    let lay = rig.joints();
    rig.mode(MoveMode::Joint, Follow::Planned, 100);
    rig.run(500);
    assert!(rig.away(&lay) > 0.1, "it falls: {:?}", rig.joints());
}
