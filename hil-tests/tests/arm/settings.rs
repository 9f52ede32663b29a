//! What is asked of it, and what is set.

use hil_tests::virtual_piper::Setup;
use reflex::backend::piper::frames::{
    Command, EndLimits, Feedback, Follow, Frame, GripperCommand, GripperSetup, IdOffset,
    JointSetup, LEAVE, LimitKind, LimitSetup, Linkage, Motor, MoveMode, Pair, ParameterSetup,
    Query, Restore, Role,
};

use crate::rig::{Rig, joint, setup};

pub(crate) fn close(stroke_um: i32) -> Command {
    Command::Gripper(GripperCommand {
        stroke_um,
        effort_mnm: 1_000,
        enable: true,
        clear_error: false,
        set_zero: false,
    })
}

fn limits(rig: &mut Rig, number: u8) -> (i16, i16, u16, u16) {
    let motor = Motor::new(number).expect("a motor");
    rig.say(Command::AskLimits { motor, kind: LimitKind::AngleAndSpeed });
    rig.say(Command::AskLimits { motor, kind: LimitKind::Acceleration });
    rig.run(20);
    let limits = rig.last(|feedback| match feedback {
        Feedback::Limits(limits) => Some(limits),
        _ => None,
    });
    let acceleration = rig.last(|feedback| match feedback {
        Feedback::Acceleration { acceleration_crad_s2, .. } => Some(acceleration_crad_s2),
        _ => None,
    });
    assert_eq!(limits.motor, motor);
    (limits.min_ddeg, limits.max_ddeg, limits.speed_crad_s, acceleration)
}

fn acknowledged(rig: &Rig) -> u8 {
    rig.last(|feedback| match feedback {
        Feedback::Ack(ack) => Some(ack.id_low),
        _ => None,
    })
}

#[test]
fn limits_are_the_makers_until_somebody_sets_others() {
    let mut rig = Rig::new();
    assert_eq!(limits(&mut rig, 3), (-1700, 0, 300, 500));
    rig.say(Command::SetLimits(LimitSetup {
        joint: joint(3),
        max_ddeg: LEAVE as i16,
        min_ddeg: -900,
        speed_crad_s: 100,
    }));
    rig.say(Command::SetJoint(JointSetup {
        motor: Motor::from(joint(3)),
        set_zero: false,
        acceleration_counts: true,
        acceleration_crad_s2: 200,
        clear_error: false,
    }));
    assert_eq!(limits(&mut rig, 3), (-900, 0, 100, 200));
    assert_eq!(acknowledged(&rig), 0x75);
    rig.enable();
    rig.mode(MoveMode::Joint, Follow::Planned, 100);
    let mut goal = rig.joints();
    goal[2] = -2.5;
    rig.aim(&goal);
    rig.run(3_000);
    assert!((rig.joints()[2] + 90_f64.to_radians()).abs() < 0.005, "{:?}", rig.joints());
    rig.ask(serde_json::json!({ "do": "reset" }));
    assert_eq!(limits(&mut rig, 3).0, -900, "flash outlives the power");
    rig.say(Command::SetParameters(ParameterSetup {
        restore: Restore::Joints,
        ..ParameterSetup::ask(Query::None)
    }));
    assert_eq!(limits(&mut rig, 3), (-1700, 0, 300, 500));
}

#[test]
fn parameters_are_told_and_kept() {
    let mut rig = Rig::new();
    let end = EndLimits {
        speed_mm_s: 123,
        turn_mrad_s: LEAVE,
        acceleration_mm_s2: LEAVE,
        turn_acceleration_mrad_s2: LEAVE,
    };
    rig.say(Command::SetEnd(end));
    rig.say(Command::SetCollision { levels: [1, 2, 3, 0xFF, 5, 6] });
    rig.say(Command::SetParameters(ParameterSetup::ask(Query::End)));
    rig.say(Command::SetParameters(ParameterSetup::ask(Query::Collision)));
    rig.say(Command::SetParameters(ParameterSetup::ask(Query::Gripper)));
    rig.run(20);
    let told = rig.last(|feedback| match feedback {
        Feedback::End(end) => Some(end),
        _ => None,
    });
    assert!(told.speed_mm_s == 123 && told.turn_mrad_s != LEAVE);
    let levels = rig.last(|feedback| match feedback {
        Feedback::Collision { levels } => Some(levels),
        _ => None,
    });
    assert_eq!(levels, [1, 2, 3, 0, 5, 6]);
    let gripper = rig.last(|feedback| match feedback {
        Feedback::GripperSetup(setup) => Some(setup),
        _ => None,
    });
    assert_eq!(gripper.range_mm, 70);
}

#[test]
fn a_gripper_that_was_never_ranged_is_dead() {
    let mut rig = Rig::ready_with(Setup { gripper_range_mm: 0, ..setup("S-V1.8-2") });
    rig.say(close(20_000));
    rig.run(1_000);
    let told = rig.gripper();
    assert!(told.stroke_um == 0 && told.status.0 == 0, "{told:?}");
    rig.say(Command::SetGripper(GripperSetup {
        teach_percent: 100,
        range_mm: 70,
        teach_friction: 1,
    }));
    rig.say(close(20_000));
    rig.run(1_000);
    let told = rig.gripper();
    assert!((told.stroke_um - 20_000).abs() < 1_000 && told.status.enabled(), "{told:?}");
}

#[test]
fn the_gripper_goes_where_it_is_sent_and_no_farther() {
    let mut rig = Rig::ready();
    for (goal, is) in [(60_000, 60_000), (5_000, 5_000), (200_000, 70_000)] {
        rig.say(close(goal));
        rig.run(1_000);
        assert!((rig.gripper().stroke_um - is).abs() < 1_000, "{goal}: {:?}", rig.gripper());
    }
}

#[test]
fn ids_move_by_the_offsets_of_a_role() {
    let mut rig = Rig::ready();
    rig.say(Command::Role(Role {
        linkage: Linkage::Follower,
        feedback: IdOffset::Ten,
        control: IdOffset::Twenty,
        target: IdOffset::None,
    }));
    rig.run(10);
    assert_eq!(acknowledged(&rig), 0x70);
    let held = rig.joints();
    rig.said.clear();
    rig.run(100);
    assert!(rig.count(0x2A5) == 0 && rig.count(0x2B5) == 20 && rig.count(0x251) == 20);
    let mut goal = held;
    goal[0] += 0.4;
    rig.aim(&goal);
    rig.run(500);
    let state = rig.ask(serde_json::json!({ "do": "state" }));
    let first = state["joints_rad"][0].as_f64().expect("a joint");
    assert!((first - held[0]).abs() < 0.01, "it no longer listens at 0x155");
    for first in Pair::ALL {
        let mdeg = [goal[first.index()], goal[first.index() + 1]].map(|rad| rad.to_degrees() * 1e3);
        let command = Command::JointPair { first, mdeg: mdeg.map(|mdeg| mdeg as i32) };
        let mut frame = command.encode().expect("a command");
        frame.id += 0x20;
        rig.arm.hear(&frame);
    }
    rig.run(1_500);
    let state = rig.ask(serde_json::json!({ "do": "state" }));
    assert!((state["joints_rad"][0].as_f64().expect("a joint") - goal[0]).abs() < 0.01);
}

#[test]
fn a_leader_sends_commands_and_follows_none() {
    let mut rig = Rig::ready();
    let held = rig.joints();
    rig.say(Command::Role(Role {
        linkage: Linkage::Leader,
        feedback: IdOffset::None,
        control: IdOffset::None,
        target: IdOffset::None,
    }));
    rig.said.clear();
    rig.aim(&[0.9, 1.0, -1.0, 0.0, 0.0, 0.0]);
    rig.run(500);
    assert!(rig.count(0x151) > 50 && rig.count(0x155) > 50);
    assert!(rig.away(&held) < 0.02);
}

#[test]
fn a_zero_that_is_set_is_kept() {
    let mut rig = Rig::new();
    rig.run(1);
    let before = rig.joints();
    rig.say(Command::SetJoint(JointSetup {
        motor: Motor::from(joint(1)),
        set_zero: true,
        acceleration_counts: false,
        acceleration_crad_s2: 0,
        clear_error: false,
    }));
    rig.run(10);
    assert!(before[0] > 0.1 && rig.joints()[0].abs() < 0.01, "{:?}", rig.joints());
    let zero_set = rig.last(|feedback| match feedback {
        Feedback::Ack(ack) => Some(ack.zero_set),
        _ => None,
    });
    assert_eq!(zero_set, 1);
}

#[test]
fn what_it_does_not_understand_it_counts_and_ignores() {
    let mut rig = Rig::ready();
    let frame = |id, bytes: &[u8]| Frame::new(id, bytes).expect("a frame");
    for frame in
        [frame(0x151, &[9; 8]), frame(0x155, &[1]), frame(0x471, &[8, 2, 0, 0, 0, 0, 0, 0])]
    {
        rig.arm.hear(&frame);
    }
    rig.arm.hear(&frame(0x7FF, &[1, 2, 3]));
    assert_eq!(rig.arm.tally().refused, 3);
}

#[test]
fn the_world_can_be_asked_and_changed() {
    let mut rig = Rig::ready();
    rig.ask(serde_json::json!({ "do": "place", "body": "berry", "position_m": [0.3, 0.1, 0.018], "yaw_rad": 0.3 }));
    rig.ask(serde_json::json!({ "do": "pose", "joints_rad": [0.1, 0.9, -0.8, 0.0, 0.5, 0.0], "gripper_m": 0.03 }));
    rig.run(300);
    let state = rig.ask(serde_json::json!({ "do": "state" }));
    let berry = &state["things"]["berry"]["position_m"];
    assert!((berry[0].as_f64().expect("x") - 0.3).abs() < 0.005, "{berry}");
    assert!(rig.away(&[0.1, 0.9, -0.8, 0.0, 0.5, 0.0]) < 0.02, "what holds, holds there");
    rig.ask(serde_json::json!({ "do": "reset", "seed": 3 }));
    rig.run(30);
    assert_eq!(rig.enabled(), [false; 6]);
    for wrong in [
        serde_json::json!({ "do": "fly" }),
        serde_json::json!({ "do": "place", "body": "nobody", "position_m": [0, 0, 0] }),
        serde_json::json!({ "do": "pose", "joints_rad": [0, 0] }),
        serde_json::json!({ "do": "fault", "fault": "silent", "joint": 7 }),
        serde_json::json!([]),
    ] {
        assert_eq!(rig.arm.ask(&wrong)["ok"], false, "{wrong}");
    }
}
