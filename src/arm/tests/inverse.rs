//! What the inverse promises, on arms from their makers' figures.

#![allow(clippy::unwrap_used, reason = "a test that cannot begin fails")]
#![allow(clippy::print_stdout, reason = "what is skipped is said")]

#[path = "support/npz.rs"]
mod npz;
#[path = "support/six.rs"]
mod six;

use arm::{
    Answer, Arm, Chain, Class, Hold, JointVector, Options, PoseError, Solutions,
    nalgebra::{Isometry3, Matrix3, Quaternion, Translation3, UnitQuaternion},
};
use proptest::prelude::*;
use six::{
    ARX_X5, PIPER, PIPER_2024, PIPER_H, PIPER_L, PIPER_OLD, PIPER_X, Random, VIPERX, calibrated,
    chain, piper_sdk, ur5e,
};

fn arms() -> Vec<(&'static str, Class, Chain)> {
    use Class::{OrthoParallel, ThreeParallel};
    let flange = Isometry3::identity();
    vec![
        ("Piper", OrthoParallel, chain(&PIPER, &flange)),
        ("Piper, older", OrthoParallel, chain(&PIPER_OLD, &flange)),
        ("Piper, 2024", OrthoParallel, chain(&PIPER_2024, &flange)),
        ("Piper H", OrthoParallel, chain(&PIPER_H, &flange)),
        ("Piper L", OrthoParallel, chain(&PIPER_L, &flange)),
        ("Piper X", ThreeParallel, chain(&PIPER_X, &flange)),
        ("ViperX", OrthoParallel, chain(&VIPERX, &flange)),
        ("ARX X5", ThreeParallel, chain(&ARX_X5, &flange)),
        ("UR5e", ThreeParallel, ur5e()),
        ("Piper, firmware", OrthoParallel, piper_sdk()),
    ]
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// What nearest means: the most that a joint moves, and a little of what all do.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    apart(a, b) + 0.01 * a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>()
}

/// Whether an answer is one: on the pose by the chain's own measure, and inside the limits.
fn reached(chain: &Chain, answer: &Answer, target: &Isometry3<f64>, within: f64) -> bool {
    answer.joints().is_some_and(|joints| {
        chain.holds(joints, 1e-12) && chain.error(joints, target).within(within, within)
    })
}

#[test]
fn arms_are_classified_from_their_chain_alone() {
    for (name, class, chain) in arms() {
        let arm = Arm::compile(chain);
        let found = arm.explain();
        assert_eq!(found.class, class, "{name}: {found:?}");
        assert!(found.mismatch.within(3e-3, 1e-4), "{name}: {found:?}");
        // Where the base stands and which tool is mounted change nothing.
        let moved = chain.with_tool(&six::origin([0.1, -0.2, 0.3], [0.4, 0.5, -2.0]));
        assert_eq!(Arm::compile(moved).explain().class, class, "{name} with a tool");
    }
    let explained = Arm::compile(chain(&PIPER, &Isometry3::identity()));
    let figures = explained.explain().ideal.unwrap();
    assert!((figures.upper_arm_m - 0.28503).abs() < 1e-9, "{figures:?}");
    assert!((figures.forearm_m - 0.250_75_f64.hypot(0.021_984)).abs() < 1e-5, "{figures:?}");
}

#[test]
fn an_arm_that_fits_no_class_says_why() {
    let mut skewed = PIPER;
    skewed[3].1[0] += 0.3;
    let arm = Arm::compile(chain(&skewed, &Isometry3::identity()));
    assert_eq!(arm.explain().class, Class::Numeric);
    let arm::Reason::Angle { joint: 2, off_rad } = arm.explain().reason else {
        panic!("{:?}", arm.explain());
    };
    assert!((off_rad - 0.3).abs() < 1e-3, "{off_rad}");
    let mut offset = PIPER;
    offset[5].0[0] = 0.076;
    let arm = Arm::compile(chain(&offset, &Isometry3::identity()));
    assert!(matches!(arm.explain().reason, arm::Reason::Wrist { .. }), "{:?}", arm.explain());
    let slides = Arm::compile(chain(&PIPER[..5], &Isometry3::identity()));
    assert_eq!(slides.explain().reason, arm::Reason::Joints(5));
}

#[test]
fn a_pose_of_the_arm_is_reached_from_anywhere() {
    for (name, _, chain) in arms() {
        let arm = Arm::compile(chain);
        let mut random = Random(3);
        for _ in 0..500 {
            let (joints, far) = (random.joints(&chain), random.joints(&chain));
            let near = random.beside(&chain, &joints, 0.1);
            let target = chain.x_base_tool(&joints);
            for start in [far, near] {
                let answer = arm.solve(&target, &start, &Options::default());
                assert!(
                    reached(&chain, &answer, &target, 1e-6),
                    "{name}: {joints:?} from {start:?}: {answer:?}"
                );
            }
        }
    }
}

#[test]
fn a_calibrated_arm_is_solved_as_exactly() {
    let mut random = Random(11);
    for number in 0..20 {
        let chain = calibrated(&PIPER, 1e-3, 3e-3, &mut random);
        let arm = Arm::compile(chain);
        assert_eq!(arm.explain().class, Class::OrthoParallel, "{number}: {:?}", arm.explain());
        for _ in 0..200 {
            let joints = random.joints(&chain);
            let start = random.beside(&chain, &joints, 0.1);
            let target = chain.x_base_tool(&joints);
            let answer = arm.solve(&target, &start, &Options::default());
            assert!(
                reached(&chain, &answer, &target, 1e-6),
                "{number}: {joints:?} from {start:?}: {answer:?}"
            );
        }
    }
}

#[test]
fn the_nearest_solution_is_the_one_that_is_chosen() {
    for (name, _, chain) in arms() {
        let arm = Arm::compile(chain);
        let (mut random, mut solutions) = (Random(5), Solutions::none());
        for _ in 0..300 {
            let (joints, start) = (random.joints(&chain), random.joints(&chain));
            let target = chain.x_base_tool(&joints);
            let answer = arm.solve(&target, &start, &Options::default());
            arm.solve_all(&target, &start, &Options::default(), &mut solutions);
            let chosen = distance(answer.joints().unwrap(), &start);
            for other in solutions.as_slice().iter().filter(|other| other.outside.is_none()) {
                assert!(
                    chosen <= distance(&other.joints, &start) + 1e-3,
                    "{name}: {joints:?} from {start:?}: {chosen} but {other:?}"
                );
            }
        }
    }
}

#[test]
fn every_solution_is_one_and_the_arms_own_joints_are_among_them() {
    for (name, _, chain) in arms() {
        let arm = Arm::compile(chain);
        let (mut random, mut solutions) = (Random(7), Solutions::none());
        for _ in 0..300 {
            let joints = random.joints(&chain);
            let target = chain.x_base_tool(&joints);
            arm.solve_all(&target, &joints, &Options::default(), &mut solutions);
            for solution in solutions.as_slice() {
                let error = chain.error(&solution.joints, &target);
                assert!(error.within(1.01e-4, 1.01e-4), "{name}: {joints:?}: {solution:?}");
                assert_eq!(
                    solution.outside.is_none(),
                    chain.holds(&solution.joints, 0.0),
                    "{name}: {solution:?}"
                );
                assert_eq!(solution.branch, arm.branch(&solution.joints), "{name}: {solution:?}");
            }
            // Where two solutions merge, joints are only known to the root of the pose's error.
            let source = solutions.as_slice().iter().any(|s| apart(&s.joints, &joints) < 5e-3);
            assert!(source, "{name}: {joints:?} is not among {:?}", solutions.as_slice());
        }
    }
}

#[test]
fn turns_by_two_pi_are_counted() {
    let chain = ur5e();
    let arm = Arm::compile(chain);
    let target = chain.x_base_tool(&[0.5, -1.0, 1.2, 0.3, 0.7, 0.2]);
    let mut solutions = Solutions::none();
    arm.solve_all(&target, &[0.0; 6], &Options::default(), &mut solutions);
    // Of five joints with two turns each there are 32 of each way, more than are told.
    assert_eq!(solutions.as_slice().len(), arm::MAX_SOLUTIONS);
    assert_eq!(solutions.search, arm::Search::Capped);
    for start in [[6.5, -7.0, 1.0, -6.0, 7.0, 6.3], [-5.8, 5.3, 1.2, 6.6, -5.6, -6.1]] {
        let start = start.map(|v: f64| v.clamp(-6.2, 6.2));
        let answer = arm.solve(&target, &start, &Options::default());
        assert!(reached(&chain, &answer, &target, 1e-6), "{answer:?}");
        // No other turn of the same way is nearer.
        let joints = answer.joints().unwrap();
        for k in 0..6 {
            for turn in [-std::f64::consts::TAU, std::f64::consts::TAU] {
                let other = joints[k] + turn;
                let nearer = (other - start[k]).abs() + 1e-9 < (joints[k] - start[k]).abs();
                assert!(!nearer || other.abs() > chain.limits().1[k], "joint {k}: {joints:?}");
            }
        }
    }
}

#[test]
fn a_branch_is_kept_or_the_change_is_told() {
    let chain = chain(&VIPERX, &Isometry3::identity());
    let arm = Arm::compile(chain);
    let options = Options { keep_branch: true, ..Options::default() };
    let mut random = Random(13);
    let (mut kept, mut refused) = (0, 0);
    for _ in 0..500 {
        let (joints, start) = (random.joints(&chain), random.joints(&chain));
        let target = chain.x_base_tool(&joints);
        match arm.solve(&target, &start, &options) {
            Answer::Exact { joints, branch, .. } => {
                assert_eq!((branch, branch), (arm.branch(&start), arm.branch(&joints)));
                kept += 1;
            }
            Answer::Held(Hold::BranchChange { from, to }) => {
                assert_eq!(from, arm.branch(&start));
                assert_ne!(from, to);
                refused += 1;
            }
            other => panic!("{joints:?} from {start:?}: {other:?}"),
        }
    }
    assert!(kept > 100 && refused > 100, "kept {kept}, refused {refused}");
}

#[test]
fn a_pose_beyond_the_limits_names_the_joint() {
    let chain = chain(&PIPER, &Isometry3::identity());
    let arm = Arm::compile(chain);
    // Joint 5 bends no further than 1.22 rad.
    let beyond = [0.3, 1.2, -1.0, 0.2, 1.4, 0.1];
    let target = chain.x_base_tool(&beyond);
    let answer = arm.solve(&target, &[0.0, 1.0, -1.0, 0.0, 0.5, 0.0], &Options::default());
    let Answer::LimitBlocked { joint, by, beyond: told, nearest, error } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(joint, 4);
    assert!((by - 0.18).abs() < 1e-6, "{by}");
    assert!(apart(&told, &beyond) < 1e-6, "{told:?}");
    assert!(chain.holds(&nearest, 0.0));
    assert!(error.cost_m(0.2) < 0.05, "{error:?}");
}

#[test]
fn a_pose_out_of_reach_is_never_reached() {
    let chain = chain(&PIPER, &Isometry3::identity());
    let arm = Arm::compile(chain);
    let target = Isometry3::translation(0.9, 0.2, 0.3);
    let answer = arm.solve(&target, &[0.0, 1.0, -1.0, 0.0, 0.5, 0.0], &Options::default());
    let Answer::Unreachable { nearest, error, .. } = answer else { panic!("{answer:?}") };
    assert!(chain.holds(&nearest, 0.0));
    let own = chain.error(&nearest, &target);
    let same = PoseError::within(&own, error.position_m + 1e-9, error.angle_rad + 1e-9);
    assert!(same, "{own:?} but told {error:?}");
}

#[test]
fn shapes_that_do_not_fit_are_held() {
    let chain = chain(&PIPER, &Isometry3::identity());
    let arm = Arm::compile(chain);
    let target = chain.x_base_tool(&[0.1; 6]);
    let held = |start: &[f64]| arm.solve(&target, start, &Options::default());
    assert_eq!(held(&[0.0; 5]), Answer::Held(Hold::Shape));
    assert_eq!(held(&[0.0; 40]), Answer::Held(Hold::Shape));
    assert_eq!(held(&[f64::NAN; 6]), Answer::Held(Hold::NotFinite));
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), -4.0..4.0, Just(0.0), Just(1.0)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn forward_of_inverse_is_the_pose(which in 0_usize..10, parts in prop::array::uniform6(0.0..1.0_f64), from in prop::array::uniform6(0.0..1.0_f64)) {
        let (name, _, chain) = arms().swap_remove(which);
        let (low, high) = chain.limits();
        let at = |parts: [f64; 6]| -> Vec<f64> {
            (0..6).map(|k| low[k] + parts[k] * (high[k] - low[k])).collect()
        };
        let (joints, start) = (at(parts), at(from));
        let target = chain.x_base_tool(&joints);
        let answer = Arm::compile(chain).solve(&target, &start, &Options::default());
        prop_assert!(reached(&chain, &answer, &target, 1e-4), "{}: {:?}", name, answer);
    }

    #[test]
    fn no_bit_pattern_panics_or_passes(
        which in 0_usize..10,
        p in [(); 3].map(|()| any_number()),
        r in [(); 4].map(|()| any_number()),
        start in [(); 6].map(|()| any_number()),
    ) {
        let (_, _, chain) = arms().swap_remove(which);
        let rotation = UnitQuaternion::new_unchecked(Quaternion::new(r[0], r[1], r[2], r[3]));
        let target = Isometry3::from_parts(Translation3::new(p[0], p[1], p[2]), rotation);
        let arm = Arm::compile(chain);
        let options = Options { work_max: 60, ..Options::default() };
        let answer = arm.solve(&target, &start, &options);
        if let Some(joints) = answer.joints() {
            prop_assert!(chain.holds(joints, 0.0), "{:?}", answer);
            prop_assert!(chain.error(joints, &target).within(1.1e-4, 1.1e-4), "{:?}", answer);
        }
        let mut solutions = Solutions::none();
        arm.solve_all(&target, &start, &options, &mut solutions);
        for solution in solutions.as_slice() {
            prop_assert!(solution.joints.is_finite(), "{:?}", solution);
        }
        let _ = arm.branch(&start);
    }
}

#[test]
fn the_firmwares_solutions_are_all_found() {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/piper/vectors/ik_opw_dh1.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: ../shared/piper/vectors/ik_opw_dh1.json is not there");
        return;
    };
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let chain = piper_sdk();
    let arm = Arm::compile(chain);
    let mut solutions = Solutions::none();
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    for vector in vectors["vectors"].as_array().unwrap() {
        let (p, r) = (numbers(&vector["xyz"]), numbers(&vector["quat_xyzw"]));
        let rotation = UnitQuaternion::from_quaternion(Quaternion::new(r[3], r[0], r[1], r[2]));
        let target = Isometry3::from_parts(Translation3::new(p[0], p[1], p[2]), rotation);
        arm.solve_all(&target, &numbers(&vector["q"]), &Options::default(), &mut solutions);
        let singular = vector["wrist_singular"].as_bool().unwrap_or(false);
        for listed in vector["solutions"].as_array().unwrap() {
            if !listed["in_limits"].as_bool().unwrap() {
                continue;
            }
            let q = numbers(&listed["q"]);
            // In line, the wrist's joints 4 and 6 may share their turn in any way.
            let compared = if singular { 3 } else { 6 };
            let found = |s: &arm::Solution| {
                s.outside.is_none() && apart(&s.joints[..compared], &q[..compared]) < 1e-5
            };
            let all = solutions.as_slice();
            assert!(all.iter().any(found), "{q:?} is not among {all:#?}");
        }
    }
}

#[test]
fn the_shared_cases_are_solved() {
    let Some(cases) = npz::piper_cases() else { return };
    let chain = chain(&PIPER, &Isometry3::identity());
    let arm = Arm::compile(chain);
    let target = |set: &str, index: usize| {
        let (r, p) = (&cases[&format!("{set}_R")], &cases[&format!("{set}_p")]);
        let r = Matrix3::from_row_slice(&r[9 * index..9 * index + 9]);
        let p = Translation3::new(p[3 * index], p[3 * index + 1], p[3 * index + 2]);
        Isometry3::from_parts(p, UnitQuaternion::from_matrix(&r))
    };
    for set in ["rand", "sing"] {
        let seeds = &cases[&format!("{set}_seed")];
        let count = seeds.len() / 6;
        for seed in ["neutral", "home", "perturbed"] {
            let (mut acceptable, mut exact) = (0, 0);
            for index in 0..count {
                let target = target(set, index);
                let own = &seeds[6 * index..6 * index + 6];
                let start = if seed == "perturbed" { own } else { &cases[seed] };
                let answer = arm.solve(&target, start, &Options::default());
                acceptable += usize::from(reached(&chain, &answer, &target, 1e-4));
                exact += usize::from(reached(&chain, &answer, &target, 1e-6));
            }
            assert_eq!(acceptable, count, "{set} from {seed}");
            let wanted = if set == "rand" { 0.9999 } else { 0.9 };
            assert!(exact as f64 >= wanted * count as f64, "{set} from {seed}: {exact} of {count}");
        }
    }
    let costs = &cases["unr_ref_cost"];
    let mut near = 0;
    for (index, best) in costs.iter().enumerate() {
        let start = JointVector::from_slice(&cases["neutral"]).unwrap();
        match arm.solve(&target("unr", index), &start, &Options::default()) {
            Answer::Unreachable { error, .. } | Answer::LimitBlocked { error, .. } => {
                let cost = error.cost_m(0.2);
                near += usize::from(cost <= best + 1e-3 || cost <= 1.05 * best);
            }
            other => panic!("unreachable {index}: {other:?}"),
        }
    }
    assert!(near as f64 >= 0.995 * costs.len() as f64, "nearest of {near} of {}", costs.len());
}
