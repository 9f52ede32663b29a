#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::{qp::BoxQp, *};
use crate::{Kind, math::Plain};

#[path = "../../tests/support/arms.rs"]
mod arms;
#[path = "../../tests/support/npz.rs"]
mod npz;

const GOAL: Goal = Goal { exact_m: 1e-6, exact_rad: 1e-6, lever_m: 0.2, posture: None };

fn every_arm() -> [(&'static str, Chain); 5] {
    [
        ("piper", arms::piper()),
        ("nero", arms::nero()),
        ("panda", arms::panda()),
        ("five", arms::five()),
        ("odd", arms::odd()),
    ]
}

/// Joints at these parts of their ranges.
fn within(chain: &Chain, parts: &[f64]) -> JointVector {
    let mut joints = JointVector::zeros(chain.len());
    for (k, joint) in joints.iter_mut().enumerate() {
        let (low, high) = (chain.position_min[k], chain.position_max[k]);
        *joint = (low + parts[k] * (high - low)).clamp(low, high);
    }
    joints
}

fn middle(chain: &Chain) -> JointVector {
    within(chain, &[0.5; MAX_JOINTS])
}

fn parts() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.0..=1.0, MAX_JOINTS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_pose_that_was_held_is_reached_from_the_middle(parts in parts()) {
        for (name, chain) in every_arm() {
            let target = chain.frame::<Plain>(&within(&chain, &parts));
            let mut work = 20_000;
            let reach = search::<Plain>(&chain, &target, &[middle(&chain)], &GOAL, &mut work);
            prop_assert!(reach.error.within(1e-4, 1e-4), "{name}: {reach:?}");
            prop_assert!(chain.holds(&reach.joints, 0.0), "{name}: {reach:?}");
        }
    }

    #[test]
    fn from_nearby_one_descent_is_enough(parts in parts(), off in prop::collection::vec(-0.02..0.02, MAX_JOINTS)) {
        for (name, chain) in every_arm() {
            let joints = within(&chain, &parts);
            let target = chain.frame::<Plain>(&joints);
            let mut start = joints;
            start.iter_mut().zip(&off).for_each(|(value, off)| *value += off);
            let mut work = 200;
            let reach = refine::<Plain>(&chain, &target, &start, &GOAL, &mut work);
            prop_assert!(reach.error.within(1e-4, 1e-4), "{name}: {reach:?}");
        }
    }

    #[test]
    fn any_bits_end_inside_the_limits(bits in prop::collection::vec(any::<u64>(), 12 + MAX_JOINTS), cap in 0_u32..300) {
        let value = |k: usize| f64::from_bits(bits[k]);
        let target = Frame {
            r: [0, 3, 6].map(|k| [value(k), value(k + 1), value(k + 2)]),
            p: [value(9), value(10), value(11)],
        };
        for (name, chain) in every_arm() {
            let mut start = JointVector::zeros(chain.len());
            start.iter_mut().enumerate().for_each(|(k, joint)| *joint = value(12 + k));
            let mut work = cap;
            let reach = search::<Plain>(&chain, &target, &[start], &GOAL, &mut work);
            prop_assert!(chain.holds(&reach.joints, 0.0), "{name}: {reach:?}");
            let mut work = cap;
            let reach = refine::<Plain>(&chain, &target, &start, &GOAL, &mut work);
            prop_assert!(chain.holds(&reach.joints, 0.0), "{name}: {reach:?}");
        }
    }

    #[test]
    fn a_free_joint_turns_to_the_posture_and_the_tool_stays(parts_a in parts(), parts_b in parts()) {
        for (name, chain) in [("nero", arms::nero()), ("panda", arms::panda())] {
            let (start, posture) = (within(&chain, &parts_a), within(&chain, &parts_b));
            let target = chain.frame::<Plain>(&start);
            let goal = Goal { posture: Some(posture), ..GOAL };
            let mut work = 2_000;
            let reach = refine::<Plain>(&chain, &target, &start, &goal, &mut work);
            let away = |joints: &JointVector| -> f64 {
                joints.iter().zip(posture.iter()).map(|(a, b)| (a - b).powi(2)).sum()
            };
            prop_assert!(GOAL.met(&reach.error), "{name}: {reach:?}");
            prop_assert!(chain.holds(&reach.joints, 0.0), "{name}: {reach:?}");
            prop_assert!(away(&reach.joints) <= away(&start) + 1e-9, "{name}: {reach:?}");
        }
    }

    #[test]
    fn the_bounded_minimum_is_the_best_of_every_choice_of_bounds(
        a in prop::collection::vec(-1.0..1.0, 16),
        g in prop::collection::vec(-2.0..2.0, 4),
        width in prop::collection::vec(0.0..1.0, 4),
        shift in prop::collection::vec(-1.0..1.0, 4),
    ) {
        let mut qp = BoxQp::<4>::EMPTY;
        for i in 0..4 {
            for j in 0..4 {
                let row = |i: usize, j: usize| (0..4).map(|k| a[4 * k + i] * a[4 * k + j]).sum::<f64>();
                qp.h[i][j] = row(i, j) + if i == j { 1e-3 } else { 0.0 };
            }
            (qp.g[i], qp.low[i], qp.high[i]) = (g[i], shift[i] - width[i], shift[i] + width[i]);
        }
        let d = qp.solve::<Plain>(4).unwrap();
        let gain = qp.gain::<Plain>(4, &d);
        for i in 0..4 {
            prop_assert!(d[i] >= qp.low[i] && d[i] <= qp.high[i]);
        }
        // Each variable free, low or high: the best of the 81 that are inside is the minimum.
        for choice in 0..81_u32 {
            let mut narrow = qp;
            for i in 0..4 {
                match choice / 3_u32.pow(i as u32) % 3 {
                    0 => (narrow.low[i], narrow.high[i]) = (-1e9, 1e9),
                    1 => narrow.high[i] = narrow.low[i],
                    _ => narrow.low[i] = narrow.high[i],
                }
            }
            let other = narrow.solve::<Plain>(4).unwrap();
            let inside = (0..4).all(|i| other[i] >= qp.low[i] && other[i] <= qp.high[i]);
            prop_assert!(!inside || qp.gain::<Plain>(4, &other) <= gain + 1e-9);
        }
    }
}

/// A joint that slides, turned so that no direction is special.
#[test]
fn a_gantry_and_a_turntable_are_reached() {
    let joints = [
        arms::joint(Kind::Prismatic, [0.0; 3], [0.0, 1.2, 0.3], [0.0, 0.8], 1.0),
        arms::joint(Kind::Prismatic, [0.0; 3], [1.4, 0.0, 0.0], [-0.5, 0.5], 1.0),
        arms::joint(Kind::Revolute, [0.1, 0.0, 0.0], [0.0, 0.7, 0.0], [-3.0, 3.0], 1.0),
    ];
    let chain = Chain::build(&joints, &arms::origin([0.1, 0.0, 0.2], [0.0; 3])).unwrap();
    let target = chain.frame::<Plain>(&[0.71, -0.44, 2.9]);
    let reach = search::<Plain>(&chain, &target, &[middle(&chain)], &GOAL, &mut 2_000);
    assert!(GOAL.met(&reach.error), "{reach:?}");
}

/// Two levers stretched at a point out of reach: the exact answer is known, and both the straight elbow and the bound are
/// where a clamped or an undamped method stops.
#[test]
fn out_of_reach_the_arm_points_at_the_target() {
    let r = Kind::Revolute;
    let z = [0.0; 3];
    let joints = [
        arms::joint(r, z, z, [-3.0, 3.0], 1.0),
        arms::joint(r, [0.4, 0.0, 0.0], z, [-2.0, 2.0], 1.0),
    ];
    let chain = Chain::build(&joints, &arms::origin([0.3, 0.0, 0.0], z)).unwrap();
    let aim: f64 = 0.9;
    let (sin, cos) = aim.sin_cos();
    let target = Frame {
        r: [[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]],
        p: [2.0 * cos, 2.0 * sin, 0.0],
    };
    let start = JointVector::from_slice(&[-1.0, 1.5]).unwrap();
    let mut work = 100;
    let reach = refine::<Plain>(&chain, &target, &start, &GOAL, &mut work);
    assert!((reach.joints[0] - aim).abs() < 1e-6 && reach.joints[1].abs() < 1e-6, "{reach:?}");
    assert!((reach.error.cost_m(GOAL.lever_m) - 1.3).abs() < 1e-9, "{reach:?}");
    assert!(work > 70, "{} evaluations", 100 - work);
}

/// Against the best that 200 starts of four other solvers found.
#[test]
fn unreachable_poses_are_approached_and_never_claimed() {
    let Some(cases) = npz::piper_cases() else { return };
    let chain = arms::piper();
    let neutral = JointVector::from_slice(&cases["neutral"]).unwrap();
    let (mut near, mut count) = (0, 0);
    let poses = cases["unr_R"].chunks(9).zip(cases["unr_p"].chunks(3));
    for ((r, p), best) in poses.zip(&cases["unr_ref_cost"]) {
        let row = |k: usize| [r[k], r[k + 1], r[k + 2]];
        let target = Frame { r: [row(0), row(3), row(6)], p: [p[0], p[1], p[2]] };
        let reach = search::<Plain>(&chain, &target, &[neutral], &GOAL, &mut 2_000);
        assert!(!reach.error.within(1e-4, 1e-4), "{reach:?}");
        near += usize::from(reach.error.cost_m(GOAL.lever_m) <= (best + 1e-3).max(1.05 * best));
        count += 1;
    }
    assert!(near * 1_000 >= count * 995, "{near} of {count}");
}
