//! Two arms on one robot, its joints in another order than its description's and in other units: what drives what.

use std::{fmt::Write as _, fs};

use motion::{ChunkId, HeadDigest, RunId, TickIndex};

use super::*;

/// Each side: three slides, then a wrist that turns about z, y and x in one point.
const SIDE: [(&str, &str, &str); 6] = [
    ("x", "prismatic", "1 0 0"),
    ("y", "prismatic", "0 1 0"),
    ("z", "prismatic", "0 0 1"),
    ("yaw", "revolute", "0 0 1"),
    ("pitch", "revolute", "0 1 0"),
    ("roll", "revolute", "1 0 0"),
];

fn urdf() -> String {
    let mut urdf = "<robot name=\"two\"><link name=\"base\"/>\n".to_owned();
    for side in ["left", "right"] {
        let mut parent = "base".to_owned();
        for (name, kind, axis) in SIDE {
            let child = format!("{side}_{name}_link");
            writeln!(
                urdf,
                "<link name=\"{child}\"/><joint name=\"{side}_{name}\" type=\"{kind}\"><parent link=\"{parent}\"/>\
                 <child link=\"{child}\"/><axis xyz=\"{axis}\"/>\
                 <limit lower=\"-3\" upper=\"3\" effort=\"1\" velocity=\"1\"/></joint>"
            )
            .expect("a text");
            parent = child;
        }
    }
    urdf + "</robot>\n"
}

/// The joints of both sides in turn, from the wrists to the slides. The robot counts the slides double, as the opening of two fingers.
fn joint_names() -> Vec<String> {
    let names = SIDE.iter().rev().map(|(name, ..)| name);
    names.flat_map(|name| [format!("left_{name}"), format!("right_{name}")]).collect()
}

fn settings() -> String {
    let mut toml = "name = \"two\"\nurdf = \"two.urdf\"\n[home]\n".to_owned();
    let names = joint_names();
    names.iter().for_each(|name| writeln!(toml, "{name} = 0.0").expect("a text"));
    for name in &names {
        let slides =
            SIDE.iter().any(|(side, kind, _)| *kind == "prismatic" && name.ends_with(side));
        let (kind, m, scale) =
            if slides { ("prismatic", "m", "urdf_scale = 2.0\n") } else { ("revolute", "rad", "") };
        writeln!(
            toml,
            "[[joints]]\nkind = \"{kind}\"\nname = \"{name}\"\nposition_min_{m} = -2.0\nposition_max_{m} = 2.0\n\
             velocity_max_{m}_s = 1.0\nacceleration_max_{m}_s2 = 8.0\njerk_max_{m}_s3 = 200.0\nstep_max_{m} = 0.5\n\
             divergence_max_{m} = 0.5\n{scale}"
        )
        .expect("a text");
    }
    for side in ["left", "right"] {
        writeln!(toml, "[[arms]]\nname = \"{side}\"\ntool_link = \"{side}_roll_link\"")
            .expect("a text");
    }
    toml
}

fn two_arms() -> Body {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    fs::write(file("two.urdf"), urdf()).expect("a file");
    fs::write(file("two.toml"), settings()).expect("a file");
    fs::write(file("daemon.toml"), "robot = \"two.toml\"\nbackend = \"loopback\"\n")
        .expect("a file");
    let settings = crate::config::Settings::load(&file("daemon.toml"));
    let settings = settings.unwrap_or_else(|error| panic!("{error}"));
    Body::load(&settings.robot_settings).unwrap_or_else(|error| panic!("{error}"))
}

fn lower(rows: &[[f32; 13]]) -> Result<Vec<Joints>, LowerError> {
    let pose = |arm: &str, rotation| {
        Columns::ToolPose(ToolPose {
            arm: arm.to_owned(),
            rotation,
            delta: None,
            min: None,
            max: None,
            normalised: None,
            yields: None,
            tolerance_m: None,
            tolerance_rad: None,
        })
    };
    let columns = [pose("right", Rotation::Vector), pose("left", Rotation::Quaternion)];
    let mut lowering = Lowering::compile(&columns, &two_arms(), 0.05).expect("it fits");
    let zero = Joints::zeros(12);
    let start = Start { measured: zero, commanded: zero, velocity: zero };
    let mut chunk = Chunk::empty(ChunkId(1), RunId(2), HeadDigest(3), TickIndex(4), 12);
    lowering.lower(Values::F32(rows.as_flattened()), &start, &mut chunk)?;
    Ok((0..chunk.len()).filter_map(|step| chunk.step(step)).collect())
}

#[test]
fn each_arm_finds_its_columns_its_joints_and_their_units() {
    let (half_sin, half_cos) = (0.1_f32.sin(), 0.1_f32.cos());
    let row = [0.1, 0.2, -0.1, 0.0, 0.0, 0.3, -0.05, 0.0, 0.15, 0.0, half_sin, 0.0, half_cos];
    let got = lower(&[row]).expect("both are near");
    let wanted = |name: &str| match name {
        "right_x" => 0.2,
        "right_y" => 0.4,
        "right_z" => -0.2,
        "right_yaw" => 0.3,
        "left_x" => -0.1,
        "left_z" => 0.3,
        "left_pitch" => 0.2,
        _ => 0.0,
    };
    for (name, got) in joint_names().iter().zip(got[0].iter()) {
        assert!((got - wanted(name)).abs() < 1e-5, "{name}: {got}");
    }
}

#[test]
fn a_jump_is_told_in_the_robots_units_and_of_the_right_arm() {
    let here = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    let mut there = here;
    // 3 cm are 0.06 to the robot, which makes 0.05 in a period.
    there[7] = 0.03;
    let refused = lower(&[here, there]).expect_err("too far");
    let LowerError::Pose { step: 1, arm, why: PoseRefusal::Jump { joint, by, most, .. } } = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!((arm.as_str(), joint.as_str()), ("left", "left_y"));
    assert!((by - 0.06).abs() < 1e-5 && (most - 0.05).abs() < 1e-12, "{by} {most}");
}
