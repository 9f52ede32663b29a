//! An object is believed to be where it was told, then in the hand, then where the hand let go of it.

use std::path::Path;

use motion::{Course, Nanos, RunId, State};

use super::*;
use crate::{action::Body, config::Settings};

/// Seven joints; the last is the gripper, which opens to 0.07.
const OPEN: f64 = 0.06;
const SHUT: f64 = 0.02;

fn piper() -> Body {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/daemon.toml");
    Body::load(&Settings::load(&file).expect("shipped").robot_settings).expect("shipped")
}

fn pose(shoulder: f64, gripper: f64) -> Joints {
    Joints::from_slice(&[0.3, shoulder, -0.9, 0.2, 0.6, -0.4, gripper]).expect("seven joints")
}

fn ask_at(tick: u64, measured: Joints, sent: &[Joints]) -> Ask {
    let state = State { position: measured, ..State::blank(7) };
    let last = sent.last().copied().unwrap_or(measured);
    let mut ask = Ask::standing(RunId(1), TickIndex(tick), Nanos(tick), state, last);
    if !sent.is_empty() {
        ask.course = Course::going(sent);
    }
    ask
}

fn rule(carried: Carried) -> ObjectRule {
    ObjectRule {
        arm: "arm".into(),
        fingers: vec!["gripper".into()],
        closed_below: 0.032,
        empty_below: Some(0.005),
        reach_m: 0.05,
        carried,
        z_min: None,
        mouth: None,
        eaten_within_m: None,
    }
}

fn belief(rule: &ObjectRule, stages: &[StageRule]) -> Belief {
    let body = piper();
    Belief::compile(Some(rule), stages, &body.joints, &body.arms).expect("it fits")
}

fn tool_at(joints: &Joints) -> [f64; 3] {
    piper().arms[0].x_base_tool(joints).translation.vector.into()
}

/// An object 2 cm above the tool of a pose.
fn target(joints: &Joints) -> Params {
    let [target_x, target_y, target_z] = tool_at(joints);
    Params { target_x, target_y, target_z: target_z + 0.02, ..Params::default() }
}

fn assert_at(found: [f64; 3], wanted: [f64; 3], what: &str) {
    assert!(apart(found, wanted) < 1e-9, "{what}: {found:?}, not {wanted:?}");
}

#[test]
fn an_object_goes_with_the_hand_that_closed_on_it_and_stays_where_it_is_let_go() {
    let (open, shut, up) = (pose(1.2, OPEN), pose(1.2, SHUT), pose(0.9, SHUT));
    let params = target(&open);
    let belief = belief(&rule(Carried::Offset), &[]);
    let mut memory = Memory::default();
    let mut look = |tick, joints: Joints| {
        let ask = ask_at(tick, joints, &[]);
        belief.observe(&ask, &params, &mut memory);
        (belief.object(&ask, &params, &memory), memory.grasped())
    };
    assert_eq!(look(1, pose(0.9, OPEN)), (params.target(), false), "as it was told");
    assert_eq!(look(2, pose(0.9, SHUT)), (params.target(), false), "closed, but far away");
    assert_eq!(look(3, open), (params.target(), false), "near, but open");
    let (at, held) = look(4, shut);
    assert!(held);
    assert_at(at, params.target(), "taken");
    let [x, y, z] = tool_at(&up);
    let (at, held) = look(5, up);
    assert!(held);
    assert_at(at, [x, y, z + 0.02], "carried");
    let (at, held) = look(6, pose(0.9, OPEN));
    assert!(!held);
    assert_at(at, [x, y, params.target_z], "it falls to the height where it lay");
    assert_at(look(7, shut).0, [x, y, params.target_z], "and stays there");
}

#[test]
fn it_may_jump_into_the_hand_turn_with_it_and_be_carried_no_lower_than_a_bound() {
    let (shut, up) = (pose(1.2, SHUT), pose(0.9, SHUT));
    let params = target(&shut);
    let carried = |rule: &ObjectRule| {
        let (belief, mut memory) = (belief(rule, &[]), Memory::default());
        belief.observe(&ask_at(1, shut, &[]), &params, &mut memory);
        let ask = ask_at(2, up, &[]);
        belief.observe(&ask, &params, &mut memory);
        belief.object(&ask, &params, &memory)
    };
    assert_at(carried(&rule(Carried::Hand)), tool_at(&up), "in the hand");
    let high = ObjectRule { z_min: Some(0.9), ..rule(Carried::Hand) };
    let [x, y, _] = tool_at(&up);
    assert_at(carried(&high), [x, y, 0.9], "no lower");
    let arm = &piper().arms[0];
    let (from, to) = (arm.x_base_tool(&shut), arm.x_base_tool(&up));
    let in_tool = from.inverse() * nalgebra::Point3::from(params.target());
    assert_at(carried(&rule(Carried::Rigid)), (to * in_tool).coords.into(), "with the tool");
    assert!(apart(carried(&rule(Carried::Rigid)), carried(&rule(Carried::Offset))) > 1e-4);
}

/// Between two asks of a head with chunks the hand closes and leaves: where it took the object stands in the commands.
#[test]
fn a_grasp_between_two_asks_is_found_in_the_commands() {
    let (open, shut, up) = (pose(1.2, OPEN), pose(1.2, SHUT), pose(0.8, SHUT));
    let params = target(&open);
    assert!(apart(tool_at(&up), params.target()) > 0.05, "the hand has left");
    let belief = belief(&rule(Carried::Offset), &[]);
    let sent = [open, shut, shut, pose(1.1, SHUT), pose(0.9, SHUT), up];
    let mut memory = Memory::default();
    belief.observe(&ask_at(1, open, &[]), &params, &mut memory);
    let ask = ask_at(7, up, &sent);
    belief.observe(&ask, &params, &mut memory);
    let [x, y, z] = tool_at(&up);
    assert!(memory.grasped());
    assert_at(belief.object(&ask, &params, &memory), [x, y, z + 0.02], "carried");
    // Commands from before the last ask were looked at then.
    let mut late = Memory::default();
    belief.observe(&ask_at(6, open, &[]), &params, &mut late);
    belief.observe(&ask, &params, &mut late);
    assert!(!late.grasped());
}

#[test]
fn a_hand_that_closes_on_nothing_has_nothing() {
    let (shut, empty) = (pose(1.2, SHUT), pose(1.2, 0.001));
    let params = target(&shut);
    let belief = belief(&rule(Carried::Offset), &[]);
    let mut memory = Memory::default();
    belief.observe(&ask_at(1, empty, &[]), &params, &mut memory);
    assert!(!memory.grasped());
    belief.observe(&ask_at(2, shut, &[]), &params, &mut memory);
    assert!(memory.grasped());
    belief.observe(&ask_at(3, empty, &[]), &params, &mut memory);
    assert!(!memory.grasped(), "it slipped out");
}

#[test]
fn what_was_at_the_mouth_is_eaten_for_the_rest_of_the_run() {
    let (shut, up) = (pose(1.2, SHUT), pose(0.9, SHUT));
    let params = target(&shut);
    let mouth = ObjectRule {
        mouth: Some("arm".into()),
        eaten_within_m: Some(0.021),
        ..rule(Carried::Offset)
    };
    let belief = belief(&mouth, &[]);
    let mut memory = Memory::default();
    belief.observe(&ask_at(1, up, &[]), &params, &mut memory);
    assert!(!memory.eaten());
    belief.observe(&ask_at(2, shut, &[]), &params, &mut memory);
    assert!(memory.eaten());
    belief.observe(&ask_at(3, pose(0.9, OPEN), &[]), &params, &mut memory);
    assert!(memory.eaten() && !memory.grasped());
}

#[test]
fn a_state_that_is_no_state_changes_nothing() {
    let shut = pose(1.2, SHUT);
    let params = target(&shut);
    let belief = belief(&rule(Carried::Offset), &[]);
    let mut memory = Memory::default();
    belief.observe(&ask_at(1, shut, &[]), &params, &mut memory);
    let before = memory;
    let mut bad = ask_at(2, pose(1.2, OPEN), &[]);
    bad.state.position[0] = f64::NAN;
    belief.observe(&bad, &params, &mut memory);
    assert_eq!(memory, before);
    let joints = vec!["gripper".to_owned()];
    let refused = Belief::compile(Some(&rule(Carried::Hand)), &[], &joints, &[]).err();
    let wanted = BeliefError::NoArm { key: "object.arm".into(), arm: "arm".into() };
    assert_eq!(refused, Some(wanted));
    let refused = Belief::compile(Some(&rule(Carried::Hand)), &[], &[], &[]).err();
    let wanted = BeliefError::NoJoint { key: "object.fingers".into(), joint: "gripper".into() };
    assert_eq!(refused, Some(wanted));
}

/// The published stopwatch: approach, from 38 on above it, from 80 on down, from 114 on close, then lift once it is held;
/// from 184 on, or from a height on, to the mouth.
const CLOCK: &str = r#"
[[stages]]
name = "approach"
[[stages]]
name = "reach_above"
when = [{ of = "ticks", at_least = 38 }]
[[stages]]
name = "descend"
when = [{ of = "ticks", at_least = 80 }]
[[stages]]
name = "close"
when = [{ of = "ticks", at_least = 114 }]
[[stages]]
name = "lift"
when = [{ of = "ticks", at_least = 114 }, { of = "grasped", at_least = 1 }]
[[stages]]
name = "mouth"
when = [{ of = "ticks", at_least = 184 }, { of = "grasped", at_least = 1 }]
[[stages]]
name = "mouth"
when = [{ of = "ticks", at_least = 114 }, { of = "grasped", at_least = 1 }, { of = "object_z", at_least = 0.48 }]
"#;

#[derive(Deserialize)]
struct Stages {
    stages: Vec<StageRule>,
}

fn stages(text: &str) -> Vec<StageRule> {
    toml::from_str::<Stages>(text).expect("stages").stages
}

fn name_of<'a>(stages: &'a [StageRule], memory: &Memory) -> Option<&'a str> {
    memory.stage().map(|at| stages[usize::from(at)].name.as_str())
}

#[test]
fn stages_may_go_by_a_stopwatch_or_by_what_is_so() {
    let stages = stages(CLOCK);
    let params = target(&pose(1.2, SHUT));
    let belief = belief(&ObjectRule { empty_below: None, ..rule(Carried::Hand) }, &stages);
    let mut memory = Memory::default();
    let mut at = |tick: u64, gripper| {
        belief.observe(&ask_at(1000 + tick, pose(1.2, gripper), &[]), &params, &mut memory);
        name_of(&stages, &memory)
    };
    for (tick, gripper, wanted) in [
        (0, OPEN, "approach"),
        (37, OPEN, "approach"),
        (38, OPEN, "reach_above"),
        (79, OPEN, "reach_above"),
        (80, OPEN, "descend"),
        (114, OPEN, "close"),
        (120, SHUT, "lift"),
        (183, SHUT, "lift"),
        (184, SHUT, "mouth"),
        (185, OPEN, "close"),
    ] {
        assert_eq!(at(tick, gripper), Some(wanted), "tick {tick}");
    }
}

#[test]
fn a_stage_may_be_held_on_to_and_entered_from_some_only() {
    let stages = stages(
        r#"
[[stages]]
name = "far"
[[stages]]
name = "near"
when = [{ of = "distance", arm = "arm", below = 0.05 }]
while = [{ of = "distance", arm = "arm", below = 0.2 }]
[[stages]]
name = "close"
after = ["near"]
when = [{ of = "joint", joint = "gripper", below = 0.03 }]
"#,
    );
    let params = target(&pose(1.2, SHUT));
    let belief = belief(&rule(Carried::Offset), &stages);
    let mut memory = Memory::default();
    let mut at = |tick, shoulder, gripper| {
        belief.observe(&ask_at(tick, pose(shoulder, gripper), &[]), &params, &mut memory);
        name_of(&stages, &memory)
    };
    let far = tool_at(&pose(1.0, OPEN));
    let apart_m = apart(far, params.target());
    assert!((0.05..0.2).contains(&apart_m), "{apart_m}");
    assert_eq!(at(1, 1.0, OPEN), Some("far"));
    assert_eq!(at(2, 1.0, SHUT), Some("far"), "not from here");
    assert_eq!(at(3, 1.2, OPEN), Some("near"));
    assert_eq!(at(4, 1.0, OPEN), Some("near"), "held on to");
    assert_eq!(at(5, 1.0, SHUT), Some("close"));
    assert_eq!(at(6, 0.3, OPEN), Some("far"));
}
