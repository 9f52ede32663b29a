//! Tools that yield: where a pose cannot be met the arm goes as far as it may, and never further.

use motion::Joints;

use super::{
    rotation_test::{ALL, encode, random_rotation},
    tool_test::{PERIOD_S, all_deltas, at, delta, gantry, lower, moving, piper, tool},
    *,
};

const BOTH: [Yields; 2] = [Yields::Orientation, Yields::Time];

fn yielding(body: &Body, rotation: Rotation, delta: Option<Delta>, yields: Yields) -> ToolPose {
    ToolPose { yields: Some(yields), ..tool(body, rotation, delta) }
}

/// No joint passes a limit of position, speed or acceleration on its way; the gripper is not the arm's.
#[track_caller]
fn assert_lawful(body: &Body, start: &Start, got: &[Joints], place: &str) {
    let (mut before, mut velocity) = (start.commanded, start.velocity);
    for (step, got) in got.iter().enumerate() {
        for joint in 0..6 {
            let limits = &body.limits[joint];
            let place = format!("{place}, step {step}, joint {joint}");
            let inside = limits.position_min - 1e-9..=limits.position_max + 1e-9;
            assert!(inside.contains(&got[joint]), "{place}: at {}", got[joint]);
            let now = (got[joint] - before[joint]) / PERIOD_S;
            assert!(now.abs() <= limits.velocity_max + 1e-9, "{place}: speed {now}");
            let change = (now - velocity[joint]).abs() / PERIOD_S;
            assert!(change <= limits.acceleration_max + 1e-6, "{place}: acceleration {change}");
            velocity[joint] = now;
        }
        before = *got;
    }
}

#[test]
fn a_wish_that_is_within_all_limits_is_followed_to_the_letter() {
    let body = gantry();
    let start = moving(&[0.0; 7], &[0.2, 0.0, 0.0, 0.0, 0.0, 0.6, 0.0]);
    let delta = delta(Frame::Base, RelativeTo::Commanded, Steps::Cumulative);
    let row = vec![0.01, 0.0, 0.0, 0.03, 0.0, 0.0, 0.0];
    for yields in BOTH {
        let pose = yielding(&body, Rotation::Vector, delta, yields);
        let got = lower(&body, pose, &vec![row.clone(); 5], &start).expect("it yields");
        for (step, got) in got.iter().enumerate() {
            let steps = (step + 1) as f64;
            assert!((got[0] - 0.01 * steps).abs() < 1e-6, "{yields:?}, step {step}: {got:?}");
            assert!((got[5] - 0.03 * steps).abs() < 1e-6, "{yields:?}, step {step}: {got:?}");
        }
        assert_lawful(&body, &start, &got, "slow");
    }
}

#[test]
fn a_pose_far_away_is_approached_as_fast_as_the_joints_may() {
    let body = gantry();
    let start = at(&[0.0; 7]);
    let row = vec![0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let exact = tool(&body, Rotation::Vector, None);
    lower(&body, exact, std::slice::from_ref(&row), &start).expect_err("too far for one step");
    for yields in BOTH {
        let pose = yielding(&body, Rotation::Vector, None, yields);
        let got = lower(&body, pose, &vec![row.clone(); 40], &start).expect("it yields");
        assert_lawful(&body, &start, &got, "far");
        // 1 m/s for two seconds is enough, and what is reached is kept.
        assert!((got[39][0] - 0.9).abs() < 1e-6, "{yields:?}: {}", got[39][0]);
        let fastest = got.windows(2).map(|pair| pair[1][0] - pair[0][0]).fold(0.0, f64::max);
        assert!(fastest > 0.04, "{yields:?}: {fastest} m in a step");
    }
}

#[test]
fn pushing_against_a_limit_winds_nothing_up() {
    // Ten steps outward at the end of the slide, then one back: it comes back at once.
    let body = gantry();
    let start = at(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let delta = delta(Frame::Base, RelativeTo::Commanded, Steps::Cumulative);
    let out = vec![0.01, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let back = vec![-0.01, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let mut rows = vec![out; 10];
    rows.push(back);
    for yields in BOTH {
        let pose = yielding(&body, Rotation::Vector, delta, yields);
        let got = lower(&body, pose, &rows, &start).expect("it yields");
        assert!((got[9][0] - 1.0).abs() < 1e-6, "{yields:?}: {}", got[9][0]);
        assert!((got[10][0] - 0.99).abs() < 1e-6, "{yields:?}: {}", got[10][0]);
    }
}

#[test]
fn a_straight_wrist_that_cannot_follow_lets_the_orientation_go() {
    // To turn the tool sideways with q5 = 0 the fourth joint would have to turn a quarter first.
    let body = piper();
    let start = at(&[0.0, 1.3, -1.2, 0.0, 0.0, 0.0, 0.03]);
    let delta = delta(Frame::Tool, RelativeTo::Commanded, Steps::Cumulative);
    let rows = vec![vec![0.0, 0.004, 0.0, 0.04, 0.0, 0.0, 0.03]; 8];
    let exact = lower(&body, tool(&body, Rotation::Vector, delta), &rows, &start);
    assert!(exact.is_err(), "{exact:?}");
    let pose = yielding(&body, Rotation::Vector, delta, Yields::Orientation);
    let got = lower(&body, pose, &rows, &start).expect("it yields");
    assert_lawful(&body, &start, &got, "singular");
    let arm = &body.arms[0];
    let moved = arm.x_base_tool(&got[7]).translation.vector
        - arm.x_base_tool(&start.commanded).translation.vector;
    assert!(moved.norm() > 0.02, "it went {moved}");
}

#[test]
fn random_wishes_keep_every_limit() {
    let body = piper();
    let mut random = fastrand::Rng::with_seed(19);
    let home = [0.0, 0.75, -0.70, 0.0, 0.75, 0.0, 0.05];
    for case in 0..400 {
        let rotation = ALL[random.usize(..ALL.len())];
        let deltas = all_deltas();
        let delta = deltas[random.usize(..deltas.len())];
        let reach = [0.01, 0.3, 1e3][random.usize(..3)];
        let mut start = home;
        start[4] = if random.bool() { 0.0 } else { start[4] };
        let velocity: Vec<f64> = (0..7).map(|_| 0.4 * random.f64() - 0.2).collect();
        let start = moving(&start, &velocity);
        let rows: Vec<Vec<f64>> = (0..16)
            .map(|_| {
                let mut row: Vec<f64> =
                    (0..3).map(|_| reach * (2.0 * random.f64() - 1.0)).collect();
                row.extend(encode(rotation, &random_rotation(&mut random).powf(reach.min(1.0))));
                row.push(0.03);
                row
            })
            .collect();
        let yields = BOTH[random.usize(..2)];
        let pose = yielding(&body, rotation, delta, yields);
        let place = format!("seed 19, case {case}, {rotation:?}, {delta:?}, {yields:?}");
        let got = lower(&body, pose, &rows, &start).unwrap_or_else(|e| panic!("{place}: {e}"));
        assert_lawful(&body, &start, &got, &place);
    }
}

#[test]
fn numbers_that_are_no_rotation_are_refused_all_the_same() {
    let body = gantry();
    let pose = yielding(&body, Rotation::Quaternion, None, Yields::Time);
    let refused = lower(&body, pose, &[vec![0.0; 8]], &at(&[0.0; 7]));
    let Err(LowerError::Pose { why: PoseRefusal::NoRotation, .. }) = refused else {
        panic!("{refused:?}")
    };
}
