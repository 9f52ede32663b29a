//! A tool's position is what the robot's own kinematics say of the joints that were measured, or commanded.

use std::path::Path;

use motion::{Ask, Joints, Nanos, RunId, State, TickIndex};

use super::{prefix::Rows, tool::ToolOf, *};
use crate::{action::Body, config::Settings};

fn piper() -> Body {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/daemon.toml");
    Body::load(&Settings::load(&file).expect("shipped").robot_settings).expect("shipped")
}

fn ask() -> Ask {
    let joints = |values: &[f64]| Joints::from_slice(values).expect("seven joints");
    let mut state = State::blank(7);
    state.position = joints(&[0.3, 1.2, -0.9, 0.2, 0.6, -0.4, 0.05]);
    let commanded = joints(&[0.35, 1.25, -0.95, 0.25, 0.55, -0.35, 0.0]);
    Ask::standing(RunId(1), TickIndex(1), Nanos(1), state, commanded)
}

fn feature<'a>(items: &'a [String], arm: &'a str, joints: tool::Joints) -> Feature<'a> {
    Feature {
        rows: Rows::ONE,
        extra: Extra::None,
        name: FeatureName::ToolPosition,
        items,
        tool: Some(ToolOf { arm, joints }),
        mean: &[0.1, 0.1, 0.1],
        std: &[0.5, 0.5, 0.5],
        clip: 9.0,
    }
}

fn axes(names: [&str; 3]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

#[test]
fn a_tool_is_seen_where_the_kinematics_put_it() {
    let (body, ask) = (piper(), ask());
    let (xyz, zyx) = (axes(["x", "y", "z"]), axes(["z", "y", "x"]));
    let measured = feature(&xyz, "arm", tool::Joints::Measured);
    let commanded = feature(&zyx, "arm", tool::Joints::Commanded);
    let packer = Packer::compile([measured, commanded], &body.joints, &body.arms).expect("fits");
    let mut tensor = [f32::NAN; 6];
    packer.pack(&ask, &Params::default(), &mut tensor).expect("it packs");
    let place = |joints| body.arms[0].x_base_tool(joints).translation.vector;
    let (measured, commanded) = (place(&ask.state.position), place(&ask.last_command));
    let wanted = [measured.x, measured.y, measured.z, commanded.z, commanded.y, commanded.x];
    for (seen, wanted) in tensor.iter().zip(wanted) {
        assert_eq!(*seen, ((wanted - 0.1) / 0.5) as f32, "{tensor:?}");
    }
    assert!((measured - commanded).norm() > 0.01, "the two are told apart");
    assert!((0.1..0.7).contains(&measured.norm()), "metres: {measured:?}");
}

#[test]
fn many_tools_are_seen_as_well_as_few() {
    let (body, ask) = (piper(), ask());
    let xyz = axes(["x", "y", "z"]);
    let features = [feature(&xyz, "arm", tool::Joints::Measured); 10];
    let packer = Packer::compile(features, &body.joints, &body.arms).expect("fits");
    let mut tensor = [f32::NAN; 30];
    packer.pack(&ask, &Params::default(), &mut tensor).expect("it packs");
    assert!(tensor.chunks(3).all(|tool| tool == &tensor[..3]), "{tensor:?}");
}

#[test]
fn joints_that_are_no_numbers_are_refused() {
    let (body, mut ask) = (piper(), ask());
    let xyz = axes(["x", "y", "z"]);
    let measured = feature(&xyz, "arm", tool::Joints::Measured);
    let packer = Packer::compile([measured], &body.joints, &body.arms).expect("fits");
    ask.state.position[2] = f64::NAN;
    let refused = packer.pack(&ask, &Params::default(), &mut [0.0; 3]);
    assert!(matches!(refused, Err(PackError::NotFinite { index: 0, .. })), "{refused:?}");
    ask.state = State::blank(2);
    assert!(packer.pack(&ask, &Params::default(), &mut [0.0; 3]).is_err(), "another robot");
}

#[test]
fn arms_and_axes_that_do_not_exist_are_refused() {
    let body = piper();
    let refused = |feature| Packer::compile([feature], &body.joints, &body.arms).err();
    let xyz = axes(["x", "y", "z"]);
    let leg = refused(feature(&xyz, "leg", tool::Joints::Measured));
    assert_eq!(leg, Some(FeatureError::NoArm { feature: 0, arm: "leg".to_owned() }));
    let nameless = Feature { tool: None, ..feature(&xyz, "arm", tool::Joints::Measured) };
    assert_eq!(refused(nameless), Some(FeatureError::NoArm { feature: 0, arm: String::new() }));
    let xyw = axes(["x", "y", "w"]);
    let fourth = refused(feature(&xyw, "arm", tool::Joints::Measured));
    assert_eq!(fourth, Some(FeatureError::Unknown { feature: 0, item: "w".to_owned() }));
}
