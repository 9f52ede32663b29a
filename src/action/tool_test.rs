//! Tool poses on two arms: a gantry, whose joints can be read off its pose, and the shipped Piper.

use std::{f64::consts::PI, path::Path};

use motion::{ChunkId, HeadDigest, RunId, TickIndex};
use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};

use super::{
    rotation_test::{ALL, encode, random_rotation},
    *,
};
use crate::{config::Settings, head::Manifest, kinematics::Description};

pub(super) const PERIOD_S: f64 = 0.05;
/// The gantry's joints: metres, then radians, then the opening of a hand.
const GANTRY: [&str; 7] = ["x", "y", "z", "yaw", "pitch", "roll", "gripper"];

fn here(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn limits(position: f64, velocity_max: f64, step_max: f64) -> JointLimits {
    JointLimits {
        position_min: -position,
        position_max: position,
        velocity_max,
        acceleration_max: 10.0,
        jerk_max: 200.0,
        step_max,
        divergence_max: 0.5,
        gripper: false,
    }
}

/// The robot of `tests/fixtures/gantry.urdf`, and a gripper.
pub(crate) fn gantry() -> Body {
    let description = Description::read(&here("tests/fixtures/gantry.urdf")).expect("a fixture");
    let arm = RobotArm::of_description(&description, None, "tool").expect("an arm");
    let (slide, turn) = (limits(1.0, 1.0, 0.2), limits(12.6, 4.0, 0.5));
    Body {
        name: "gantry".to_owned(),
        joints: GANTRY.iter().map(|name| (*name).to_owned()).collect(),
        limits: vec![slide, slide, slide, turn, turn, turn, slide],
        arms: vec![arm],
    }
}

pub(super) fn piper() -> Body {
    let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
    Body::load(&settings.robot_settings).expect("shipped")
}

pub(super) fn tool(body: &Body, rotation: Rotation, delta: Option<Delta>) -> ToolPose {
    let arm = body.arms[0].name.clone();
    ToolPose {
        arm,
        rotation,
        delta,
        min: None,
        max: None,
        normalised: None,
        yields: None,
        tolerance_m: None,
        tolerance_rad: None,
    }
}

pub(super) fn delta(frame: Frame, relative_to: RelativeTo, steps: Steps) -> Option<Delta> {
    Some(Delta { frame, relative_to, steps })
}

pub(super) fn all_deltas() -> Vec<Option<Delta>> {
    let mut all = vec![None];
    for frame in [Frame::Base, Frame::Tool] {
        for relative_to in [RelativeTo::Measured, RelativeTo::Commanded] {
            for steps in [Steps::Independent, Steps::Cumulative] {
                all.push(delta(frame, relative_to, steps));
            }
        }
    }
    all
}

/// The pose in the first columns, the gripper in the last.
pub(super) fn lower(
    body: &Body,
    pose: ToolPose,
    rows: &[Vec<f64>],
    start: &Start,
) -> Result<Vec<Joints>, LowerError> {
    let gripper = Columns::JointAbsolute(JointAbsolute {
        joints: vec!["gripper".to_owned()],
        ..Default::default()
    });
    let columns = [Columns::ToolPose(pose), gripper];
    let mut lowering = Lowering::compile(&columns, body, PERIOD_S).expect("it fits");
    let tensor: Vec<f32> = rows.iter().flatten().map(|value| *value as f32).collect();
    let joints = body.joints.len();
    let mut chunk = Chunk::empty(ChunkId(1), RunId(2), HeadDigest(3), TickIndex(4), joints);
    lowering.lower(Values::F32(&tensor), start, &mut chunk)?;
    Ok((0..chunk.len()).filter_map(|step| chunk.step(step)).collect())
}

pub(super) fn joints(values: &[f64]) -> Joints {
    Joints::from_slice(values).expect("few joints")
}

pub(super) fn at(values: &[f64]) -> Start {
    moving(values, &[0.0; 7])
}

pub(super) fn moving(values: &[f64], velocity: &[f64]) -> Start {
    let (at, velocity) = (joints(values), joints(velocity));
    Start { measured: at, commanded: at, velocity }
}

#[track_caller]
fn assert_near(got: &Joints, wanted: &[f64]) {
    for (joint, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        assert!((got - wanted).abs() < 2e-6, "joint {joint}: {got} instead of {wanted}");
    }
}

/// What a head would have to say, so that the tool goes through these poses from `from`.
fn tell(pose: &ToolPose, from: &Isometry3<f64>, poses: &[Isometry3<f64>]) -> Vec<Vec<f64>> {
    let mut from = *from;
    let rows = poses.iter().map(|to| {
        let told = match pose.delta.map(|delta| delta.frame) {
            None => *to,
            Some(Frame::Tool) => from.inverse() * to,
            Some(Frame::Base) => Isometry3::from_parts(
                Translation3::from(to.translation.vector - from.translation.vector),
                to.rotation * from.rotation.inverse(),
            ),
        };
        if pose.delta.is_some_and(|delta| delta.steps == Steps::Cumulative) {
            from = *to;
        }
        let mut row = told.translation.vector.as_slice().to_vec();
        row.extend(encode(pose.rotation, &told.rotation));
        row.push(0.03);
        row
    });
    rows.collect()
}

#[test]
fn a_path_told_as_poses_comes_back_as_its_joints() {
    let body = piper();
    let mut random = fastrand::Rng::with_seed(7);
    for case in 0..40 {
        // Clear of the singularities, where joints are not a function of the pose, and of the limits.
        let middle = [0.0, 1.4, -1.4, 0.0, 0.7, 0.0];
        let mut q: Vec<f64> = middle.iter().map(|q| q + 0.6 * random.f64() - 0.3).collect();
        q.push(0.05);
        let start = at(&q);
        let speed: Vec<f64> = (0..6).map(|_| 0.06 * random.f64() - 0.03).collect();
        let path: Vec<Joints> = (0..8)
            .map(|_| {
                q.iter_mut().zip(&speed).for_each(|(q, speed)| *q += speed);
                q[6] = 0.03;
                joints(&q)
            })
            .collect();
        let arm = &body.arms[0];
        let poses: Vec<_> = path.iter().map(|q| arm.x_base_tool(q)).collect();
        for rotation in ALL {
            for delta in all_deltas() {
                let pose = tool(&body, rotation, delta);
                let rows = tell(&pose, &arm.x_base_tool(&start.commanded), &poses);
                let got = lower(&body, pose, &rows, &start)
                    .unwrap_or_else(|error| panic!("seed 7, case {case}, {delta:?}: {error}"));
                assert_eq!(got.len(), path.len());
                for (step, (got, wanted)) in got.iter().zip(&path).enumerate() {
                    for (got, wanted) in got.iter().zip(wanted.iter()) {
                        let off = (got - wanted).abs();
                        let place = format!("seed 7, case {case}, step {step}");
                        assert!(off < 2e-5, "{place}, {rotation:?}, {delta:?}: {off} off");
                    }
                }
            }
        }
    }
}

#[test]
fn what_the_shipped_head_does_in_joints_it_would_do_as_poses() {
    let body = piper();
    let manifest = Manifest::load(&here("models/heads/piper_pick_up.toml")).expect("shipped");
    let arm = &body.arms[0];
    for (golden, vector) in manifest.golden.iter().enumerate() {
        // Its features are the seven measured joints, then the last command.
        let measured = joints(&vector.observation[..7]);
        let commanded = joints(&vector.observation[7..14]);
        let start = Start { measured, ..at(&commanded) };
        let path: Vec<Joints> = vector.action.iter().map(|row| joints(row)).collect();
        let poses: Vec<_> = path.iter().map(|q| arm.x_base_tool(q)).collect();
        for delta in all_deltas() {
            let pose = tool(&body, Rotation::SixDRows, delta);
            let from = match delta.map(|delta| delta.relative_to) {
                Some(RelativeTo::Measured) => &start.measured,
                _ => &start.commanded,
            };
            let rows = tell(&pose, &arm.x_base_tool(from), &poses);
            let got = lower(&body, pose, &rows, &start)
                .unwrap_or_else(|error| panic!("golden {golden}, {delta:?}: {error}"));
            for (step, (got, wanted)) in got.iter().zip(&path).enumerate() {
                for (joint, (got, wanted)) in got.iter().zip(wanted.iter()).take(6).enumerate() {
                    let off = (got - wanted).abs();
                    assert!(off < 1e-4, "golden {golden}, step {step}, joint {joint}: {off} off");
                }
            }
        }
    }
}

#[test]
fn a_displacement_is_told_in_the_axes_that_the_manifest_names() {
    // The tool looks along y: a quarter turn about z. Its own x is the base's y, its own y the base's -x.
    let body = gantry();
    let quarter = PI / 2.0;
    let start = at(&[0.1, 0.2, 0.3, quarter, 0.0, 0.0, 0.0]);
    // A centimetre along x, and a tenth of a radian about x.
    let row = vec![0.01, 0.0, 0.0, 0.1, 0.0, 0.0, 0.5];
    let lower = |frame| {
        let delta = delta(frame, RelativeTo::Commanded, Steps::Independent);
        lower(&body, tool(&body, Rotation::Vector, delta), std::slice::from_ref(&row), &start)
            .expect("it is near")
    };
    // About the base's x, which is across the tool: Rx(0.1) Rz(90) = Rz(90) Ry(-0.1). About its own x: it rolls.
    assert_near(&lower(Frame::Base)[0], &[0.11, 0.2, 0.3, quarter, -0.1, 0.0, 0.5]);
    assert_near(&lower(Frame::Tool)[0], &[0.1, 0.21, 0.3, quarter, 0.0, 0.1, 0.5]);
}

#[test]
fn a_turn_displaces_nothing_in_either_frame() {
    let body = gantry();
    let start = at(&[0.5, -0.4, 0.3, 0.2, -0.1, 0.4, 0.0]);
    for frame in [Frame::Base, Frame::Tool] {
        let delta = delta(frame, RelativeTo::Commanded, Steps::Independent);
        let pose = tool(&body, Rotation::RollPitchYaw, delta);
        let row = vec![0.0, 0.0, 0.0, 0.05, -0.04, 0.03, 0.0];
        let got = lower(&body, pose, &[row], &start).expect("it is near");
        assert_near(&joints(&got[0][..3]), &[0.5, -0.4, 0.3]);
        assert!((got[0][3] - 0.2).abs() > 0.01, "it did turn");
    }
}

#[test]
fn steps_are_displaced_from_one_start_or_each_from_the_one_before() {
    let body = gantry();
    let start = at(&[0.0; 7]);
    let row = vec![0.01, 0.0, 0.0, 0.0, 0.0, 0.1, 0.0];
    let lower = |frame, steps| {
        let delta = delta(frame, RelativeTo::Measured, steps);
        let rows = [row.clone(), row.clone(), row.clone()];
        lower(&body, tool(&body, Rotation::Vector, delta), &rows, &start).expect("it is near")
    };
    for frame in [Frame::Base, Frame::Tool] {
        for got in lower(frame, Steps::Independent) {
            assert_near(&got, &[0.01, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0]);
        }
    }
    let got = lower(Frame::Base, Steps::Cumulative);
    assert_near(&got[2], &[0.03, 0.0, 0.0, 0.3, 0.0, 0.0, 0.0]);
    // In its own frame each centimetre goes where the turns before it have left it looking.
    let got = lower(Frame::Tool, Steps::Cumulative);
    let (x, y) =
        (0.01 * (1.0 + 0.1_f64.cos() + 0.2_f64.cos()), 0.01 * (0.1_f64.sin() + 0.2_f64.sin()));
    assert_near(&got[2], &[x, y, 0.0, 0.3, 0.0, 0.0, 0.0]);
}

#[test]
fn displacements_start_where_the_manifest_says() {
    let body = gantry();
    let measured = joints(&[0.10, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let start = Start { measured, ..at(&[0.15, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]) };
    for (relative_to, x) in [(RelativeTo::Measured, 0.12), (RelativeTo::Commanded, 0.17)] {
        let delta = delta(Frame::Base, relative_to, Steps::Independent);
        let row = vec![0.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let got = lower(&body, tool(&body, Rotation::Vector, delta), &[row], &start);
        assert_near(&got.expect("it is near")[0], &[x, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}

#[test]
fn a_range_gives_each_number_its_unit() {
    let body = gantry();
    let delta = delta(Frame::Base, RelativeTo::Commanded, Steps::Cumulative);
    let max = vec![0.02, 0.02, 0.04, 0.1, 0.1, 0.1];
    let min = max.iter().map(|max| -max).collect();
    let pose = ToolPose { min: Some(min), max: Some(max), ..tool(&body, Rotation::Vector, delta) };
    let row = vec![1.0, -0.5, 0.25, 0.0, 0.0, -1.0, 0.3];
    let got = lower(&body, pose, &[row], &at(&[0.0; 7])).expect("it is near");
    assert_near(&got[0], &[0.02, -0.01, 0.01, -0.1, 0.0, 0.0, 0.3]);
}

#[test]
fn joints_go_on_turning_where_the_encoding_jumps() {
    // Twice round about z, told by numbers that know nothing of turns: the vector jumps at half a turn, the quaternion's
    // sign is drawn by lot.
    let body = gantry();
    let mut random = fastrand::Rng::with_seed(5);
    let step = 0.19;
    for rotation in ALL {
        let mut start = at(&[0.0, 0.0, 0.0, -6.2, 0.0, 0.0, 0.0]);
        let mut yaw = -6.2;
        for _ in 0..11 {
            let rows: Vec<Vec<f64>> = (0..6)
                .map(|_| {
                    yaw += step;
                    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw);
                    let sign = if random.bool() { 1.0 } else { -1.0 };
                    let sign = if rotation == Rotation::Quaternion { sign } else { 1.0 };
                    let told = encode(rotation, &turn).into_iter().map(|value| sign * value);
                    [0.0; 3].into_iter().chain(told).chain([0.0]).collect()
                })
                .collect();
            let got = lower(&body, tool(&body, rotation, None), &rows, &start)
                .unwrap_or_else(|error| panic!("seed 5, {rotation:?}, to {yaw}: {error}"));
            let last = got.last().expect("six steps");
            assert!((last[3] - yaw).abs() < 1e-5, "seed 5, {rotation:?}: {} not {yaw}", last[3]);
            start = at(last);
        }
        assert!(yaw > 6.2);
    }
}

#[test]
fn a_path_through_the_straight_wrist_stays_continuous() {
    // With q5 = 0 the fourth and the sixth axis fall together, and only their sum is a function of the pose.
    let body = piper();
    let arm = &body.arms[0];
    let mut random = fastrand::Rng::with_seed(11);
    for case in 0..50 {
        let (q4, q6) = (0.8 * random.f64() - 0.4, 0.8 * random.f64() - 0.4);
        let offset = 0.02 * random.f64();
        let q = |q5: f64| joints(&[0.2, 1.3, -1.2, q4, q5, q6, 0.03]);
        let start = q(0.11 + offset);
        let path: Vec<_> = (0..10).map(|k| q(0.09 + offset - 0.02 * f64::from(k))).collect();
        let poses: Vec<_> = path.iter().map(|q| arm.x_base_tool(q)).collect();
        let pose = tool(&body, Rotation::SixDColumns, None);
        let rows = tell(&pose, &poses[0], &poses);
        let start = at(&start);
        let got = lower(&body, pose, &rows, &start)
            .unwrap_or_else(|error| panic!("seed 11, case {case}: {error}"));
        let mut before = start.commanded;
        for (step, (got, pose)) in got.iter().zip(&poses).enumerate() {
            let error = arm.arm.chain().error(&arm.joints(got), pose);
            assert!(error.within(1e-4, 1e-4), "seed 11, case {case}, step {step}: {error:?}");
            for (joint, (got, before)) in got.iter().zip(before.iter()).enumerate() {
                let moved = (got - before).abs();
                assert!(moved < 0.16, "seed 11, case {case}, step {step}, joint {joint}: {moved}");
            }
            before = *got;
        }
    }
}

#[test]
fn random_numbers_make_a_chunk_within_limits_or_a_reason() {
    let body = piper();
    let mut random = fastrand::Rng::with_seed(3);
    let home = [0.0, 0.75, -0.70, 0.0, 0.75, 0.0, 0.05];
    for case in 0..300 {
        let rotation = ALL[random.usize(..ALL.len())];
        let deltas = all_deltas();
        let delta = deltas[random.usize(..deltas.len())];
        let reach = if random.bool() { 0.02 } else { 0.5 };
        let rows: Vec<Vec<f64>> = (0..4)
            .map(|_| {
                let mut row: Vec<f64> =
                    (0..3).map(|_| reach * (2.0 * random.f64() - 1.0)).collect();
                row.extend(encode(rotation, &random_rotation(&mut random).powf(reach)));
                row.push(0.03);
                row
            })
            .collect();
        let Ok(got) = lower(&body, tool(&body, rotation, delta), &rows, &at(&home)) else {
            continue;
        };
        for joint in 0..7 {
            let limits = &body.limits[joint];
            for (step, got) in got.iter().enumerate() {
                let inside = limits.position_min - 1e-9..=limits.position_max + 1e-9;
                assert!(inside.contains(&got[joint]), "seed 3, case {case}, step {step}: {got:?}");
            }
        }
    }
}

/// The refusal of a chunk of absolute poses by a row of which only the second is wrong.
fn refusal(body: &Body, rotation: Rotation, start: &[f64], second: &[f64]) -> PoseRefusal {
    let x_base_tool = body.arms[0].x_base_tool(&joints(start));
    let mut first = x_base_tool.translation.vector.as_slice().to_vec();
    first.extend(encode(rotation, &x_base_tool.rotation));
    first.push(0.0);
    let rows = [first, second.iter().copied().chain([0.0]).collect()];
    match lower(body, tool(body, rotation, None), &rows, &at(start)) {
        Err(LowerError::Pose { step: 1, arm, why }) if arm == body.arms[0].name => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rotation_that_is_none_refuses_the_chunk() {
    let refused = refusal(&gantry(), Rotation::Quaternion, &[0.0; 7], &[0.0; 7]);
    assert_eq!(refused, PoseRefusal::NoRotation);
}

#[test]
fn a_pose_out_of_reach_refuses_the_chunk_and_tells_how_far() {
    let body = piper();
    let refused = refusal(
        &body,
        Rotation::Vector,
        &[0.0, 0.75, -0.70, 0.0, 0.75, 0.0, 0.05],
        &[2.0, 0.0, 0.2, 0.0, 1.5, 0.0],
    );
    let PoseRefusal::Unreachable { error } = &refused else { panic!("{refused:?}") };
    assert!(error.position_m > 1.0 && error.position_m < 2.0, "{error:?}");
    assert!(refused.to_string().contains("m and"), "{refused}");
}

/// The refusal on the Piper of the pose in which joint `joint` stands `by` further than in `start`.
fn refusal_beyond(start: [f64; 7], joint: usize, by: f64) -> PoseRefusal {
    let body = piper();
    let mut beyond = start;
    beyond[joint] += by;
    let to = body.arms[0].x_base_tool(&joints(&beyond));
    let mut second = to.translation.vector.as_slice().to_vec();
    second.extend(to.rotation.coords.as_slice());
    refusal(&body, Rotation::Quaternion, &start, &second)
}

#[test]
fn a_pose_beyond_a_limit_refuses_the_chunk_and_tells_the_joint() {
    // With the other shoulder its other joints have no room.
    let refused = refusal_beyond([2.6, 1.3, -1.2, 0.2, 0.6, 0.1, 0.05], 0, 0.08);
    let PoseRefusal::LimitBlocked { joint, by } = &refused else { panic!("{refused:?}") };
    assert_eq!(joint, "joint1");
    assert!((by - (2.68 - 2.618)).abs() < 1e-4, "{by}");
    assert!(refused.to_string().contains("joint `joint1` 0.0620"), "{refused}");
}

#[test]
fn a_pose_that_only_another_branch_reaches_refuses_the_chunk() {
    // The fourth joint would pass its 1.745 rad; the wrist turned over, half a turn away, has room.
    let refused = refusal_beyond([0.1, 1.3, -1.2, 1.70, 0.6, 1.2, 0.05], 3, 0.08);
    let PoseRefusal::Jump { by, most, other_branch, .. } = &refused else { panic!("{refused:?}") };
    assert!(*other_branch && *by > 3.0 && (most - 0.15).abs() < 1e-12, "{refused:?}");
    assert!(refused.to_string().contains("only another branch"), "{refused}");
}

#[test]
fn a_step_that_no_joint_can_make_refuses_the_chunk() {
    let body = gantry();
    // 1 m/s for 50 ms are 5 cm.
    let refused = refusal(&body, Rotation::Vector, &[0.0; 7], &[0.0, 0.06, 0.0, 0.0, 0.0, 0.0]);
    let PoseRefusal::Jump { joint, by, most, other_branch } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!((joint.as_str(), *other_branch), ("y", false));
    assert!((by - 0.06).abs() < 1e-5 && (most - 0.05).abs() < 1e-12, "{by} {most}");
    assert!(refused.to_string().contains("joint `y` would have to move 0.0600"), "{refused}");
}

#[test]
fn a_chunk_that_begins_far_from_the_last_command_is_refused() {
    let body = gantry();
    let lower = |x: f64| {
        let row = vec![x, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        lower(&body, tool(&body, Rotation::Vector, None), &[row], &at(&[0.0; 7]))
    };
    // Between its speed limit and what the law takes for a mistake a seam may smooth it.
    assert_near(&lower(0.19).expect("below step_max")[0], &[0.19, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let refused = lower(0.21);
    let Err(LowerError::Pose { step: 0, why: PoseRefusal::Jump { most, .. }, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!((most - 0.2).abs() < 1e-12);
}

#[test]
fn a_pose_is_met_only_as_nearly_as_the_manifest_allows() {
    // The slide ends at 1 m; half a millimetre is missing.
    let body = gantry();
    let start = at(&[0.98, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let row = vec![1.0005, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let exact = tool(&body, Rotation::Vector, None);
    let near = ToolPose { tolerance_m: Some(1e-3), ..exact.clone() };
    let got = lower(&body, near, std::slice::from_ref(&row), &start).expect("within a millimetre");
    assert!((got[0][0] - 1.0).abs() < 1e-6, "{got:?}");
    let refused = lower(&body, exact, &[row], &start);
    assert!(matches!(refused, Err(LowerError::Pose { step: 0, .. })), "{refused:?}");
}

#[test]
fn joints_that_are_not_finite_are_no_start() {
    let body = gantry();
    let row = vec![0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let measured = delta(Frame::Base, RelativeTo::Measured, Steps::Independent);
    let bad = Start { measured: joints(&[f64::NAN; 7]), ..at(&[0.0; 7]) };
    let refused =
        lower(&body, tool(&body, Rotation::Vector, measured), std::slice::from_ref(&row), &bad);
    assert_eq!(refused, Err(LowerError::Start { arm: "tool".to_owned() }));
    // Who does not ask what was measured does not mind.
    lower(&body, tool(&body, Rotation::Vector, None), std::slice::from_ref(&row), &bad)
        .expect("it is near");
    let bad = Start { commanded: joints(&[f64::INFINITY; 7]), ..at(&[0.0; 7]) };
    let refused = lower(&body, tool(&body, Rotation::Vector, measured), &[row], &bad);
    assert_eq!(refused, Err(LowerError::Start { arm: "tool".to_owned() }));
}

#[test]
fn a_number_that_is_not_finite_refuses_before_anything_is_solved() {
    let body = gantry();
    let rows =
        [vec![9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], vec![0.0, f64::NAN, 0.0, 0.0, 0.0, 0.0, 0.0]];
    let refused = lower(&body, tool(&body, Rotation::Vector, None), &rows, &at(&[0.0; 7]));
    let wanted = LowerError::NotFinite { step: 1, column: "tool.y".to_owned() };
    assert_eq!(refused, Err(wanted), "although the first step is out of reach");
}

#[test]
fn an_arm_that_is_not_there_or_driven_already_is_refused() {
    let body = gantry();
    let pose = tool(&body, Rotation::Vector, None);
    let compile = |columns: &[Columns]| Lowering::compile(columns, &body, PERIOD_S).err();
    let other = ToolPose { arm: "left".to_owned(), ..pose.clone() };
    let refused = compile(&[Columns::ToolPose(other)]);
    assert_eq!(refused, Some(ColumnsError::NoArm { at: 0, arm: "left".to_owned() }));
    let slide = Columns::JointAbsolute(JointAbsolute {
        joints: vec!["y".to_owned()],
        ..Default::default()
    });
    let refused = compile(&[slide, Columns::ToolPose(pose.clone())]);
    assert_eq!(refused, Some(ColumnsError::Twice { at: 1, joint: "y".to_owned() }));
    let refused = compile(&[Columns::ToolPose(pose.clone())]);
    assert_eq!(refused, Some(ColumnsError::Undriven(vec!["gripper".to_owned()])));
    let short = ToolPose { min: Some(vec![0.0; 6]), max: Some(vec![1.0; 5]), ..pose };
    assert_eq!(compile(&[Columns::ToolPose(short)]), Some(ColumnsError::Normalisation { at: 0 }));
}
