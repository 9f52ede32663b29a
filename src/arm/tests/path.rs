//! Ways of a tool, their time laws, and whole paths looked at before anything moves.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says what it saw"
)]

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use arm::{
    Arc, Arm, Chain, Heading, JointVector, Line, LineError, Options, PathError, PathLimits,
    TimeLaw, ToolPath,
    nalgebra::{Isometry3, Matrix3, Rotation3, Translation3, UnitQuaternion, Vector3},
    plan,
};
use proptest::prelude::*;

#[path = "support/arms.rs"]
mod arms;
#[path = "support/npz.rs"]
mod npz;

const LIMITS: PathLimits = PathLimits {
    speed_m_s: 0.25,
    speed_rad_s: 1.0,
    acceleration_m_s2: 1.0,
    acceleration_rad_s2: 4.0,
    jerk_m_s3: 10.0,
    jerk_rad_s3: 40.0,
};

fn pose(position: [f64; 3], turn: [f64; 3]) -> Isometry3<f64> {
    Isometry3::from_parts(
        Translation3::from(Vector3::from(position)),
        UnitQuaternion::from_scaled_axis(Vector3::from(turn)),
    )
}

fn apart(a: &Isometry3<f64>, b: &Isometry3<f64>) -> f64 {
    (a.translation.vector - b.translation.vector).norm() + a.rotation.angle_to(&b.rotation)
}

fn any_pose() -> impl Strategy<Value = Isometry3<f64>> {
    (prop::array::uniform3(-0.6..0.6), prop::array::uniform3(-0.8..0.8))
        .prop_map(|(p, r)| pose(p, r))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_line_goes_straight_and_evenly(from in any_pose(), to in any_pose(), s in 0.0..1.0) {
        let line = Line::new(&from, &to).unwrap();
        prop_assert!(apart(&line.pose_at(0.0), &from) < 1e-12);
        prop_assert!(apart(&line.pose_at(1.0), &to) < 1e-7);
        let at = line.pose_at(s);
        let way = to.translation.vector - from.translation.vector;
        prop_assert!((at.translation.vector - from.translation.vector - way * s).norm() < 1e-12);
        prop_assert!((at.rotation.angle_to(&from.rotation) - s * line.angle_rad()).abs() < 1e-7);
    }

    #[test]
    fn an_arc_passes_its_three_points_on_one_circle(
        from in any_pose(), to in any_pose(), via in prop::array::uniform3(-0.6..0.6), s in 0.0..1.0,
    ) {
        let via = Vector3::from(via);
        let (a, b) = (via - from.translation.vector, to.translation.vector - from.translation.vector);
        prop_assume!(a.cross(&b).norm() > 1e-3);
        let arc = Arc::through(&from, &via, &to).unwrap();
        prop_assert!(apart(&arc.pose_at(0.0), &from) < 1e-9);
        prop_assert!(apart(&arc.pose_at(1.0), &to) < 1e-7);
        let positions: Vec<_> = (0..=2000).map(|k| arc.pose_at(f64::from(k) / 2000.0).translation.vector).collect();
        let length: f64 = positions.windows(2).map(|p| (p[1] - p[0]).norm()).sum();
        prop_assert!((length - arc.length_m()).abs() < 1e-5 * arc.length_m());
        let nearest = positions.iter().map(|p| (p - via).norm()).fold(f64::INFINITY, f64::min);
        prop_assert!(nearest <= arc.length_m() / 3000.0, "{nearest}");
        // In the plane of the three points.
        let normal = a.cross(&b).normalize();
        let off = arc.pose_at(s).translation.vector - from.translation.vector;
        prop_assert!(normal.dot(&off).abs() < 1e-9 * (1.0 + arc.radius_m()));
    }

    /// By differences of its samples, which are means of the true values and so no greater.
    #[test]
    fn a_time_law_rests_at_both_ends_and_keeps_every_limit(
        length in 1e-4..3.0, angle in 0.0..3.0,
        speed in 0.01..2.0, acceleration in 0.01..10.0, jerk in 0.01..200.0,
    ) {
        let line = Line::new(&Isometry3::identity(), &pose([length, 0.0, 0.0], [0.0, 0.0, angle])).unwrap();
        let limits = PathLimits { speed_m_s: speed, acceleration_m_s2: acceleration, jerk_m_s3: jerk, ..LIMITS };
        let law = TimeLaw::new(&line, &limits, 0.01).unwrap();
        let peaks = law.peaks();
        prop_assert!(peaks.speed * length <= speed * (1.0 + 1e-12) && peaks.speed * angle <= 1.0 + 1e-12);
        prop_assert!(peaks.acceleration * length <= acceleration * (1.0 + 1e-12));
        prop_assert!(peaks.jerk * length <= jerk * (1.0 + 1e-12) && peaks.jerk * angle <= 40.0 + 1e-9);
        prop_assert_eq!(law.part_at(0.0), 0.0);
        prop_assert_eq!(law.part_at(law.duration_s()), 1.0);
        prop_assert_eq!(law.poses(&line).count(), law.ticks() as usize);
        let h = law.duration_s() / 4096.0;
        let s: Vec<_> = (-4..=4100).map(|k| law.part_at(f64::from(k) * h)).collect();
        let d = |values: &[f64]| values.windows(2).map(|w| (w[1] - w[0]) / h).collect::<Vec<_>>();
        let (v, noise) = (d(&s), 1e-15 / h);
        let (a, j) = (d(&v), d(&d(&v)));
        let most = |values: &[f64]| values.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
        prop_assert!(v.iter().all(|v| *v >= -noise));
        prop_assert!(most(&v) <= peaks.speed * (1.0 + 1e-6) + noise);
        prop_assert!(most(&a) <= peaks.acceleration * (1.0 + 1e-6) + 4.0 * noise / h);
        prop_assert!(most(&j) <= peaks.jerk * (1.0 + 1e-6) + 8.0 * noise / (h * h));
        // And no slower than it must be: a peak is at its limit, but for the stretch to the grid.
        let stretch = law.duration_s() / (law.duration_s() - 0.01).max(1e-9);
        prop_assert!(peaks.jerk * length * stretch.powi(3) >= jerk * (1.0 - 1e-9)
            || peaks.jerk * angle * stretch.powi(3) >= 40.0 * (1.0 - 1e-9), "{law:?}");
    }

    #[test]
    fn a_path_that_was_gone_is_planned_within_the_speeds(
        parts in prop::collection::vec(0.05..0.95, 7),
        towards in prop::collection::vec(0.05..0.95, 7),
    ) {
        let arms = [("piper", arms::piper(), 5.0), ("odd", arms::odd(), 3.0), ("five", arms::five(), 4.0)];
        for (name, chain, speed_max) in arms {
            let planned = gone(&chain, &parts, &towards, speed_max);
            prop_assert!(planned.is_ok(), "{name}: {planned:?}");
        }
    }
}

const STEPS: usize = 60;
const PERIOD_S: f64 = 0.2;

/// Plans the way of the tool when the joints go straight from one place to another, and checks the plan.
fn gone(chain: &Chain, from: &[f64], to: &[f64], speed_max: f64) -> Result<(), PathError> {
    let (from, to) = (within(chain, from), within(chain, to));
    let mix = |k: usize| {
        let mut joints = from;
        let part = k as f64 / STEPS as f64;
        joints.iter_mut().zip(to.iter()).for_each(|(a, b)| *a += (b - *a) * part);
        joints
    };
    let waypoints: Vec<_> = (1..=STEPS).map(|k| chain.x_base_tool(&mix(k))).collect();
    let path = plan(&Arm::compile(*chain), &waypoints, &from, PERIOD_S, &Options::default())?;
    assert_eq!(path.len(), STEPS);
    let mut last = from;
    for (joints, waypoint) in path.iter().zip(&waypoints) {
        assert!(chain.holds(joints, 0.0), "{joints:?}");
        assert!(chain.error(joints, waypoint).within(1e-4, 1e-4), "{joints:?}");
        for (a, b) in joints.iter().zip(last.iter()) {
            assert!(
                (a - b).abs() <= speed_max * PERIOD_S * (1.0 + 1e-6),
                "{joints:?} after {last:?}"
            );
        }
        last = *joints;
    }
    Ok(())
}

/// Which way around a redundant arm will need later is not known where it is chosen, and only so many are followed up.
#[test]
fn of_a_redundant_arm_nearly_every_path_is_planned() {
    let seed = 88_172_645_463_325_252_u64;
    println!("seed {seed}");
    let mut state = seed;
    let mut part = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        0.05 + 0.9 * (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    for (name, chain, speed_max) in [("nero", arms::nero(), 3.0), ("panda", arms::panda(), 2.61)] {
        let mut planned = 0;
        for _ in 0..60 {
            let from: Vec<f64> = (0..7).map(|_| part()).collect();
            let to: Vec<f64> = (0..7).map(|_| part()).collect();
            planned += usize::from(gone(&chain, &from, &to, speed_max).is_ok());
        }
        assert!(planned >= 58, "{name}: {planned} of 60");
    }
}

fn within(chain: &Chain, parts: &[f64]) -> JointVector {
    let (low, high) = chain.limits();
    let mut joints = low;
    for (k, joint) in joints.iter_mut().enumerate() {
        *joint = low[k] + parts[k] * (high[k] - low[k]);
    }
    joints
}

#[test]
fn ways_that_are_none_are_refused() {
    let (a, b) = (pose([0.3, 0.0, 0.2], [0.0; 3]), pose([0.4, 0.1, 0.2], [0.0, 0.3, 0.0]));
    let nan = pose([f64::NAN, 0.0, 0.0], [0.0; 3]);
    let via = Vector3::new(0.4, 0.0, 0.3);
    assert_eq!(Line::new(&a, &a), Err(LineError::Nowhere));
    assert_eq!(Line::new(&a, &nan), Err(LineError::NotFinite));
    assert_eq!(Line::new(&a, &pose([0.4, 0.0, 0.2], [PI, 0.0, 0.0])), Err(LineError::HalfTurn));
    let middle = 0.5 * (a.translation.vector + b.translation.vector);
    assert_eq!(Arc::through(&a, &middle, &b), Err(LineError::Collinear));
    assert_eq!(Arc::through(&a, &via, &a), Err(LineError::Collinear));
    assert_eq!(Arc::through(&a, &a.translation.vector, &b), Err(LineError::Collinear));
    assert_eq!(Arc::through(&a, &Vector3::repeat(f64::INFINITY), &b), Err(LineError::NotFinite));
    let about = |centre: Vector3<f64>, axis: Vector3<f64>, angle: f64| {
        Arc::about(&a, &centre, &axis, angle, Heading::Fixed)
    };
    assert_eq!(about(a.translation.vector, Vector3::z(), 1.0), Err(LineError::Centre));
    assert_eq!(about(via, Vector3::zeros(), 1.0), Err(LineError::Centre));
    assert_eq!(about(via, Vector3::z(), 0.0), Err(LineError::Nowhere));
    assert_eq!(about(via, Vector3::z(), f64::NAN), Err(LineError::NotFinite));
    let line = Line::new(&a, &b).unwrap();
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let limits = PathLimits { jerk_m_s3: bad, ..LIMITS };
        assert_eq!(TimeLaw::new(&line, &limits, 0.01), Err(LineError::Limits));
        assert_eq!(TimeLaw::new(&line, &LIMITS, bad), Err(LineError::Limits));
    }
    assert_eq!(TimeLaw::new(&line, &LIMITS, 1e-9), Err(LineError::TooLong));
}

#[test]
fn a_quarter_turn_about_a_centre_ends_where_geometry_says() {
    let from = pose([0.3, 0.0, 0.2], [0.0; 3]);
    let centre = Vector3::new(0.2, 0.0, -5.0);
    let arc = Arc::about(&from, &centre, &Vector3::new(0.0, 0.0, 2.0), FRAC_PI_2, Heading::Turning)
        .unwrap();
    let end = pose([0.2, 0.1, 0.2], [0.0, 0.0, FRAC_PI_2]);
    assert!(apart(&arc.pose_at(1.0), &end) < 1e-9, "{:?}", arc.pose_at(1.0));
    assert!((arc.length_m() - 0.1 * FRAC_PI_2).abs() < 1e-12);
    let round = Arc::about(&from, &centre, &-Vector3::z(), 2.0 * TAU, Heading::Fixed).unwrap();
    assert!(apart(&round.pose_at(1.0), &from) < 1e-9);
    assert!((round.length_m() - 0.2 * TAU).abs() < 1e-12);
    // Across the way no more than along it: v^2 / r.
    let law = TimeLaw::new(&round, &PathLimits { speed_m_s: 9.0, ..LIMITS }, 0.001).unwrap();
    let speed = law.peaks().speed * round.length_m();
    assert!(speed * speed / 0.1 <= LIMITS.acceleration_m_s2 + 1e-12, "{speed}");
}

fn piper() -> (Arm, JointVector) {
    let start = JointVector::from_slice(&[0.0, 1.57, -1.3485, 0.2, 0.5, 0.0]).unwrap();
    (Arm::compile(arms::piper()), start)
}

#[test]
fn a_refusal_names_the_waypoint_and_why() {
    let (arm, start) = piper();
    let here = arm.chain().x_base_tool(&start);
    let moved = |x: f64| {
        let mut pose = here;
        pose.translation.vector.x += x;
        pose
    };
    let options = Options::default();
    let go =
        |waypoints: &[Isometry3<f64>], period_s| plan(&arm, waypoints, &start, period_s, &options);

    assert_eq!(go(&[], 0.05), Ok(Vec::new()));
    let good = go(&[here, moved(0.005), moved(0.01)], 0.05).unwrap();
    assert!(good[0].iter().zip(start.iter()).all(|(a, b)| (a - b).abs() < 1e-5));

    let far = go(&[here, moved(0.005), moved(2.0)], 0.05);
    assert!(
        matches!(far, Err(PathError::Unreachable { waypoint: 2, error, .. }) if error.position_m > 1.0),
        "{far:?}"
    );

    let fast = go(&[here, moved(0.005), moved(0.01)], 1e-3);
    let Err(PathError::TooFast { from: Some(0), to: 1, joint, speed, speed_max }) = fast else {
        panic!("{fast:?}")
    };
    assert!(joint < 6 && speed > speed_max && speed_max == 5.0, "{fast:?}");

    let nan = go(&[here, moved(f64::NAN)], 0.05);
    assert!(matches!(nan, Err(PathError::Held { waypoint: Some(1), .. })), "{nan:?}");
    assert_eq!(go(&[here], f64::NAN), Err(PathError::Period));
    let outside = plan(&arm, &[here], &[0.0, -0.5, -1.0, 0.0, 0.0, 0.0], 0.05, &options);
    assert_eq!(outside, Err(PathError::Outside { joint: 1 }));

    // Only behind the first joint's limit.
    let beyond = arm.chain().x_base_tool(&[2.75, 1.57, -1.3485, 0.2, 0.5, 0.0]);
    let blocked = go(&[here, beyond], 10.0);
    assert!(
        matches!(
            blocked,
            Err(PathError::LimitBlocked { waypoint: 1, .. }
                | PathError::Unreachable { waypoint: 1, .. })
        ),
        "{blocked:?}"
    );
}

/// The fourth joint is at its limit, and only the wrist turned over reaches the next pose, a tenth of a radian away. With
/// time enough the joints could be there, but the tool would swing out of its way.
#[test]
fn a_branch_is_not_changed_behind_the_tools_back() {
    let (arm, mut start) = piper();
    let joints = |q4: f64| [0.0, 1.57, -1.3485, q4, 0.5, 1.6];
    start.copy_from_slice(&joints(1.7));
    let there = arm.chain().x_base_tool(&joints(1.8));
    let options = Options::default();
    assert!(arm.solve(&there, &start, &options).joints().is_some());
    let fast = plan(&arm, &[there], &start, 0.1, &options);
    assert!(matches!(fast, Err(PathError::TooFast { from: None, to: 0, .. })), "{fast:?}");
    let slow = plan(&arm, &[there], &start, 60.0, &options);
    let Err(PathError::Detour { from: None, to: 0, error }) = slow else { panic!("{slow:?}") };
    assert!(error.angle_rad > 0.2, "{error:?}");
}

fn lines(cases: &npz::Arrays, set: &str) -> Vec<(Vec<f64>, Vec<Isometry3<f64>>)> {
    let part = |name: &str, size: usize| {
        cases[&format!("{set}_{name}")].chunks(size).map(<[f64]>::to_vec).collect::<Vec<_>>()
    };
    let line = |((q, r), p): ((Vec<f64>, Vec<f64>), Vec<f64>)| {
        let pose = |(r, p): (&[f64], &[f64])| {
            let rotation = Rotation3::from_matrix_unchecked(Matrix3::from_row_slice(r));
            Isometry3::from_parts(
                Translation3::new(p[0], p[1], p[2]),
                UnitQuaternion::from_rotation_matrix(&rotation),
            )
        };
        (q[..6].to_vec(), r.chunks(9).zip(p.chunks(3)).map(pose).collect())
    };
    part("q", 600).into_iter().zip(part("R", 900)).zip(part("p", 300)).map(line).collect()
}

#[test]
fn smooth_paths_have_a_plan_and_singular_ones_a_plan_or_a_reason() {
    let Some(cases) = npz::piper_cases() else { return };
    let (arm, _) = piper();
    // Unless the joints that the line was made of are themselves too fast.
    for (index, (start, waypoints)) in lines(&cases, "path").iter().enumerate() {
        match plan(&arm, waypoints, start, 0.05, &Options::default()) {
            Ok(path) => assert_eq!(path.len(), 100),
            Err(PathError::TooFast { from: Some(from), to, joint, speed_max, .. }) => {
                let truth = |tick: usize| cases["path_q"][600 * index + 6 * tick + joint];
                let speed = (truth(to) - truth(from)).abs() / 0.05;
                assert!(speed > speed_max, "line {index}: {speed} of joint {joint} at {to}");
            }
            Err(other) => panic!("line {index}: {other:?}"),
        }
    }
    let (mut planned, mut fast) = (0, 0);
    for (start, waypoints) in lines(&cases, "spath") {
        match plan(&arm, &waypoints, &start, 0.05, &Options::default()) {
            Ok(_) => planned += 1,
            Err(PathError::TooFast { joint, speed, speed_max, .. })
                if speed > speed_max && joint < 6 =>
            {
                fast += 1
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    println!("singular lines: {planned} planned, {fast} too fast for a joint");
    assert_eq!(planned + fast, 42);
    assert!(planned > 0 && fast > 0);
}
