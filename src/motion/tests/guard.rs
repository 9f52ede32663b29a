//! Promises of the workspace guard: whatever is asked for, nothing that is watched comes too near.

mod bench;

use bench::{Bench, DT, JOINTS, PERIOD_NS, joints};
use motion::{
    Body, BodyKind, Capsule, Drive, Ending, Event, Foresight, JointLimits, Joints, Limits, Mode,
    Obstacle, Pair, Plane, Robot, Rules, RunId, Seam, StopSource, Tick, What, Workspace,
    WorkspaceError,
};
use proptest::prelude::*;

const MARGIN_M: f64 = 0.01;
const UPRIGHT: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
/// z becomes -y: an arm that lies along x rises as its joint grows.
const LYING: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]];
const COLUMN: Pair = Pair { capsule: 2, obstacle: Obstacle::Capsule(0) };
const FLOOR: Pair = Pair { capsule: 2, obstacle: Obstacle::Plane(0) };
const UPPER: Pair = Pair { capsule: 1, obstacle: Obstacle::Plane(0) };

fn turns(before: Option<usize>, rotation: [[f64; 3]; 3], origin_m: [f64; 3], joint: usize) -> Body {
    let (kind, multiplier, offset, slide_max_m) = (BodyKind::Turns, 1.0, 0.0, 0.0);
    Body { before, rotation, origin_m, kind, joint, multiplier, offset, slide_max_m }
}

/// A turret on a column over a floor, with an upper arm and a forearm of 0.3 m.
fn workspace(pairs: &[Pair]) -> Workspace {
    let bodies = [
        turns(None, UPRIGHT, [0.0, 0.0, 0.2], 0),
        turns(Some(0), LYING, [0.0; 3], 1),
        turns(Some(1), UPRIGHT, [0.3, 0.0, 0.0], 2),
    ];
    let along = |body, to_m, radius_m| Capsule { body, from_m: [0.0; 3], to_m, radius_m };
    let capsules = [
        along(None, [0.0, 0.0, 0.2], 0.05),
        along(Some(1), [0.3, 0.0, 0.0], 0.04),
        along(Some(2), [0.3, 0.0, 0.0], 0.03),
    ];
    let floor = Plane { point_m: [0.0; 3], normal: [0.0, 0.0, 2.0] };
    Workspace::build(&bodies, &capsules, &[floor], pairs, MARGIN_M).expect("it makes sense")
}

fn robot() -> Robot {
    let limits = |velocity_max, acceleration_max, jerk_max| JointLimits {
        position_min: -2.9,
        position_max: 2.9,
        velocity_max,
        acceleration_max,
        jerk_max,
        step_max: 6.0,
        divergence_max: 0.5,
        gripper: false,
    };
    let joints = [limits(3.0, 8.0, 200.0), limits(1.5, 4.0, 60.0), limits(3.0, 5.0, 300.0)];
    let robot = Robot::build(DT, &joints, Rules::default()).expect("limits that make sense");
    robot.with_workspace(workspace(&[COLUMN, FLOOR, UPPER]))
}

/// What is between two that are watched, m.
fn clearance(pair: Pair, at: &Joints) -> f64 {
    workspace(&[pair]).nearest(at).expect("one pair").clearance_m
}

fn armed_at(pose: [f64; JOINTS]) -> Bench {
    let mut bench = Bench::of(robot());
    bench.state.position = joints(&pose);
    bench.arm()
}

/// A run that asks for the same set-point for ever.
fn push(bench: &mut Bench, goal: [f64; JOINTS], ticks: usize) -> Vec<Tick> {
    bench.begin(1, Seam::Cut);
    bench.tick();
    let mut told = Vec::new();
    for k in 0..ticks {
        if k % 20 == 0 {
            let now = bench.now.0 / PERIOD_NS;
            bench.chunk(1, now, &[goal; 30], false);
        }
        told.push(bench.tick().1);
    }
    told
}

#[test]
fn a_run_that_pushes_into_the_floor_stops_above_it_and_ends() {
    let mut bench = armed_at([0.0, 0.3, 0.0]);
    let told = push(&mut bench, [0.0, -1.5, 0.0], 60);
    let barred = told.iter().find(|tick| tick.barred.is_some()).expect("it is stopped");
    assert_eq!(barred.barred, Some(FLOOR));
    let by: Vec<bool> =
        barred.limited_by[..JOINTS].iter().map(|by| by.contains(Limits::WORKSPACE)).collect();
    assert_eq!(by, [true; JOINTS], "all three carry the forearm");
    let ended = Event::Ended { run: RunId(1), ending: Ending::Workspace };
    let last = told.iter().find(|tick| tick.events.as_slice().contains(&ended));
    let last = last.expect("the run is given up");
    assert_eq!((last.mode, last.barred), (Mode::Holding, Some(FLOOR)), "no fault, and it says why");
    assert_eq!(last.epoch, told[0].epoch, "and no stop");
    let rest = told.last().expect("many ticks");
    let left = clearance(FLOOR, &rest.applied);
    assert!((MARGIN_M..0.08).contains(&left), "it stands {left} m above the floor");
    let waited = told.iter().filter(|tick| tick.barred.is_some()).count();
    assert!(waited > Rules::default().give_up_ticks as usize, "given up after {waited} ticks");

    // It may go elsewhere at once.
    bench.begin(2, Seam::Cut);
    bench.tick();
    let now = bench.now.0 / PERIOD_NS;
    bench.chunk(2, now, &[[0.0, 0.3, 0.0]; 60], false);
    let gone = (0..40).map(|_| bench.tick().1.applied[1]).last().expect("forty ticks");
    assert!((gone - 0.3).abs() < 1e-3, "it went to {gone}");
}

#[test]
fn whom_the_guard_leaves_behind_ends_without_a_fault() {
    let mut bench = armed_at([0.0, 0.3, 0.0]);
    bench.begin(1, Seam::Cut);
    bench.tick();
    let now = bench.now.0 / PERIOD_NS;
    // The arm sinks and the elbow's wish runs away: more than step_max ahead soon after the floor has stopped them.
    let away: Vec<[f64; JOINTS]> =
        (1..=40).map(|k| [0.0, 0.3 - 0.02 * f64::from(k), 0.3 * f64::from(k)]).collect();
    bench.chunk(1, now, &away, false);
    let told: Vec<Tick> = (0..40).map(|_| bench.tick().1).collect();
    let ended = Event::Ended { run: RunId(1), ending: Ending::Workspace };
    let last = told.iter().find(|tick| tick.events.as_slice().contains(&ended));
    let last = last.expect("the run is given up");
    assert_eq!(last.mode, Mode::Holding);
    assert!(last.barred.is_some());
    assert!(last.requested[2] - last.applied[2] > 6.0, "it was left behind, not held at rest");
}

#[test]
fn a_last_step_that_was_barred_is_not_done() {
    let mut bench = armed_at([0.0, 0.3, 0.0]);
    bench.begin(1, Seam::Cut);
    bench.tick();
    let now = bench.now.0 / PERIOD_NS;
    bench.chunk(1, now, &[[0.0, -1.5, 0.0]; 24], true);
    let told: Vec<Tick> = (0..30).map(|_| bench.tick().1).collect();
    let ended = Event::Ended { run: RunId(1), ending: Ending::Workspace };
    assert!(told.iter().any(|tick| tick.events.as_slice().contains(&ended)));
}

/// What foresight passes the law does not stop, and what it refuses the law would not have followed.
#[test]
fn foresight_says_what_the_guard_will_say() {
    // A smooth way from rest to rest: p(s) of the least jerk.
    let way = |goal: [f64; JOINTS], ticks: u32| -> Vec<[f64; JOINTS]> {
        let start = [0.0, 0.3, 0.0];
        let along = (1..=ticks).map(|k| f64::from(k) / f64::from(ticks));
        let share = along.map(|s| s * s * s * (10.0 - 15.0 * s + 6.0 * s * s));
        share.map(|s| [0, 1, 2].map(|k| start[k] + (goal[k] - start[k]) * s)).collect()
    };
    for (goal, free) in [
        ([0.6, 0.1, 0.2], true),
        ([-0.6, -0.2, 0.4], true),
        ([0.0, -0.8, 0.0], false),
        ([0.3, 0.9, 2.85], false),
    ] {
        let path = way(goal, 90);
        let robot = robot();
        let mut foresight = Foresight::new(&robot);
        let foreseen = path.iter().find_map(|step| foresight.next(&joints(step)));
        assert_eq!(foreseen.is_none(), free, "{goal:?}: {foreseen:?}");
        let mut bench = armed_at([0.0, 0.3, 0.0]);
        bench.begin(1, Seam::Cut);
        bench.tick();
        let now = bench.now.0 / PERIOD_NS;
        bench.chunk(1, now, &path[..60], false);
        let mut told: Vec<Tick> = (0..60).map(|_| bench.tick().1).collect();
        bench.chunk(1, now + 60, &path[60..], true);
        told.extend((0..32).map(|_| bench.tick().1));
        let met = told.iter().find_map(|tick| tick.barred);
        assert_eq!(met, foreseen, "{goal:?}");
    }
}

#[test]
fn who_was_armed_too_near_may_leave_and_come_no_nearer() {
    let pose = [0.0, -0.37, 0.0];
    let before = clearance(FLOOR, &joints(&pose));
    assert!(before < MARGIN_M, "{before} m is too near");
    let mut bench = armed_at(pose);
    let told = push(&mut bench, [0.4, -0.6, 0.1], 30);
    for tick in &told {
        let now = clearance(FLOOR, &tick.applied);
        assert!(now >= before - 1e-9, "{before} m became {now} m");
    }
    let mut bench = armed_at(pose);
    let told = push(&mut bench, [0.0, 0.2, 0.0], 40);
    let last = told.last().expect("many ticks").applied[1];
    assert!((last - 0.2).abs() < 1e-3, "it leaves to {last}");
}

#[test]
fn a_joint_that_moves_no_pair_nearer_is_free() {
    let mut bench = armed_at([0.0, 0.3, 0.0]);
    push(&mut bench, [0.0, -1.5, 0.0], 60);
    bench.begin(2, Seam::Cut);
    bench.tick();
    let at = bench.state.position;
    let now = bench.now.0 / PERIOD_NS;
    bench.chunk(2, now, &[[1.0, at[1], at[2]]; 60], false);
    let ticks: Vec<Tick> = (0..40).map(|_| bench.tick().1).collect();
    assert!(ticks.iter().all(|tick| tick.barred.is_none()));
    assert!((ticks[39].applied[0] - 1.0).abs() < 1e-3, "the turret turns above the floor");
}

#[test]
fn what_makes_no_sense_is_no_workspace() {
    let body = turns(None, UPRIGHT, [0.0; 3], 0);
    let capsule = Capsule { body: Some(0), from_m: [0.0; 3], to_m: [1.0, 0.0, 0.0], radius_m: 0.1 };
    let floor = Plane { point_m: [0.0; 3], normal: [0.0, 0.0, 1.0] };
    let pair = Pair { capsule: 0, obstacle: Obstacle::Plane(0) };
    let build = |bodies: &[Body], capsule: Capsule, plane, pair, margin| {
        Workspace::build(bodies, &[capsule], &[plane], &[pair], margin).err()
    };
    assert_eq!(build(&[body], capsule, floor, pair, 0.01), None);
    assert_eq!(build(&[body], capsule, floor, pair, 0.0), Some(WorkspaceError::Margin));
    assert_eq!(build(&[body; 33], capsule, floor, pair, 0.01), Some(WorkspaceError::Count));
    let on_itself = Body { before: Some(0), ..body };
    assert_eq!(build(&[on_itself], capsule, floor, pair, 0.01), Some(WorkspaceError::Body(0)));
    let thin = Capsule { radius_m: 0.0, ..capsule };
    assert_eq!(build(&[body], thin, floor, pair, 0.01), Some(WorkspaceError::Capsule(0)));
    let flat = Plane { normal: [0.0; 3], ..floor };
    assert_eq!(build(&[body], capsule, flat, pair, 0.01), Some(WorkspaceError::Plane(0)));
    let nobody = Pair { obstacle: Obstacle::Capsule(7), ..pair };
    assert_eq!(build(&[body], capsule, floor, nobody, 0.01), Some(WorkspaceError::Pair(0)));
    let stands = Capsule { body: None, ..capsule };
    assert_eq!(build(&[body], stands, floor, pair, 0.01), Some(WorkspaceError::Pair(0)));
}

#[test]
fn a_body_that_slides_is_watched_too() {
    let body = Body { kind: BodyKind::Slides, slide_max_m: 2.9, ..turns(None, LYING, [0.0; 3], 1) };
    let capsule =
        |body, y| Capsule { body, from_m: [0.0, y, 0.0], to_m: [0.0, y, 0.5], radius_m: 0.1 };
    let standing = Capsule { from_m: [0.0, -1.5, 0.0], ..capsule(None, -1.5) };
    let pair = Pair { capsule: 0, obstacle: Obstacle::Capsule(1) };
    let capsules = [capsule(Some(0), 0.0), standing];
    let workspace = Workspace::build(&[body], &capsules, &[], &[pair], 0.01).expect("sense");
    let at =
        |value: f64| workspace.nearest(&joints(&[0.0, value, 0.0])).expect("a pair").clearance_m;
    // Lying along -y from 0 to 0.5, and 1.5 m further a pillar: 1 m less two radii.
    assert!((at(0.0) - 0.8).abs() < 1e-12 && (at(0.5) - 0.3).abs() < 1e-12, "{}", at(0.5));
    assert!(at(f64::NAN).is_nan() && workspace.check(&joints(&[0.0, f64::NAN, 0.0])).is_some());
}

/// The least clearance between two set-points, finely sampled.
fn clearance_between(workspace: &Workspace, from: &Joints, to: &Joints) -> f64 {
    let at = |share: f64| {
        let mut at = *from;
        for (at, to) in at.iter_mut().zip(to.iter()) {
            *at += (to - *at) * share;
        }
        workspace.nearest(&at).expect("pairs").clearance_m
    };
    (0..=40).map(|k| at(f64::from(k) / 40.0)).fold(f64::INFINITY, f64::min)
}

/// The turret of `workspace()` with a post as thin as a finger beside it.
fn with_post() -> Workspace {
    let bodies = [
        turns(None, UPRIGHT, [0.0, 0.0, 0.2], 0),
        turns(Some(0), LYING, [0.0; 3], 1),
        turns(Some(1), UPRIGHT, [0.3, 0.0, 0.0], 2),
    ];
    let (from_m, to_m) = ([0.0; 3], [0.3, 0.0, 0.0]);
    let hand = Capsule { body: Some(2), from_m, to_m, radius_m: 0.01 };
    let top = [0.35, 0.35, 0.5];
    let post = Capsule { body: None, from_m: [0.35, 0.35, 0.0], to_m: top, radius_m: 0.01 };
    let pair = Pair { capsule: 0, obstacle: Obstacle::Capsule(1) };
    Workspace::build(&bodies, &[hand, post], &[], &[pair], MARGIN_M).expect("it makes sense")
}

#[test]
fn nothing_is_grazed_between_two_set_points() {
    // At half a metre and 3 rad/s a hand goes 75 mm a tick, over the post, and into its tip by a little.
    let workspace = with_post();
    let mut passed = [0, 0];
    for start in 0..200 {
        let from =
            [-0.8 + 0.0037 * f64::from(start % 20), 0.56 + 0.01 * f64::from(start / 20), 0.0];
        let mut bench = Bench::of(robot().with_workspace(workspace));
        bench.state.position = joints(&from);
        let mut bench = bench.arm();
        let told = push(&mut bench, [2.5, from[1], 0.0], 50);
        let mut last = joints(&from);
        for tick in &told {
            let least = clearance_between(&workspace, &last, &tick.applied);
            assert!(least >= 0.5 * MARGIN_M, "start {start}: {least} m before {:?}", tick.applied);
            last = tick.applied;
        }
        passed[usize::from(last[0] > 2.0)] += 1;
    }
    assert!(passed[0] > 20 && passed[1] > 20, "some are stopped, some pass: {passed:?}");
}

/// What may befall the guard for a few ticks.
#[derive(Clone, Debug)]
enum Trouble {
    /// Steps are offsets from the last command, unless they are `absolute`.
    Chunk {
        steps: Vec<[f64; JOINTS]>,
        absolute: bool,
    },
    Hold,
    Stop,
    Recover,
    /// The motors take hold, or let go; the robot stays where it is without them.
    Engaged(bool),
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    let near = proptest::collection::vec([-0.3..0.3f64, -0.3..0.3f64, -0.3..0.3f64], 1..24);
    let wide = proptest::collection::vec([-2.8..2.8f64, -2.8..2.8f64, -2.8..2.8f64], 1..4);
    prop_oneof![
        6 => near.prop_map(|steps| Trouble::Chunk { steps, absolute: false }),
        12 => wide.prop_map(|wide| {
            let steps = wide.into_iter().flat_map(|step| [step; 8]).collect();
            Trouble::Chunk { steps, absolute: true }
        }),
        1 => Just(Trouble::Hold),
        1 => Just(Trouble::Stop),
        4 => Just(Trouble::Recover),
        1 => Just(Trouble::Engaged(false)),
        2 => Just(Trouble::Engaged(true)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is asked for and whenever it is stopped: nothing comes nearer than the margin, no limit is exceeded.
    #[test]
    fn nothing_that_is_watched_comes_too_near(
        story in proptest::collection::vec((any_trouble(), 1u8..24), 1..40),
    ) {
        let robot = robot();
        let all = workspace(&[COLUMN, FLOOR, UPPER]);
        let mut bench = armed_at([0.0, 0.3, 0.0]);
        let mut past = vec![bench.state.position; 3];
        let (mut run, mut before) = (1, Mode::Holding);
        bench.begin(run, Seam::Fade { ticks: 2 });
        for (trouble, ticks) in story {
            match trouble {
                Trouble::Engaged(engaged) => bench.state.engaged = engaged,
                Trouble::Chunk { mut steps, absolute } => {
                    for step in steps.iter_mut().filter(|_| !absolute) {
                        for (value, at) in step.iter_mut().zip(past[2].iter()) {
                            *value += at;
                        }
                    }
                    let now = bench.now.0 / PERIOD_NS;
                    bench.chunk(run, now, &steps, false);
                }
                Trouble::Hold => { bench.order(What::Hold); }
                Trouble::Stop => bench.stop = Some(StopSource(1)),
                Trouble::Recover => {
                    bench.stop = None;
                    bench.order(What::ClearFault);
                    bench.order(What::Arm);
                    run += 1;
                    bench.begin(run, Seam::Fade { ticks: 2 });
                }
            }
            for _ in 0..ticks {
                let (command, tick) = bench.tick();
                let taken_hold = !matches!(before, Mode::Arming { .. });
                before = tick.mode;
                if command.drive() == Drive::Off || !taken_hold {
                    past = vec![bench.state.position; 3];
                    continue;
                }
                let p = *command.position();
                let nearest = all.nearest(&p).expect("pairs");
                prop_assert!(nearest.clearance_m >= MARGIN_M - 1e-6, "{nearest:?} at {p:?}");
                let between = clearance_between(&all, &past[2], &p);
                prop_assert!(between >= 0.5 * MARGIN_M - 1e-6, "{between} m before {p:?}");
                for (joint, limits) in robot.limits().iter().enumerate() {
                    let [p3, p2, p1] = [past[0][joint], past[1][joint], past[2][joint]];
                    let p0 = p[joint];
                    let velocity = (p0 - p1) / DT;
                    let acceleration = (p0 - 2.0 * p1 + p2) / (DT * DT);
                    let jerk = (p0 - 3.0 * p1 + 3.0 * p2 - p3) / (DT * DT * DT);
                    let within = |value: f64, limit: f64| value.abs() <= limit * (1.0 + 1e-6);
                    prop_assert!(p0 >= limits.position_min && p0 <= limits.position_max);
                    prop_assert!(within(velocity, limits.velocity_max), "velocity {velocity}");
                    prop_assert!(within(acceleration, limits.acceleration_max), "{acceleration}");
                    prop_assert!(within(jerk, limits.jerk_max), "jerk {jerk} of joint {joint}");
                }
                past.remove(0);
                past.push(p);
            }
        }
    }
}
