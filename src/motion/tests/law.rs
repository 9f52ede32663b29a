//! Promises of the law, for arbitrary orders, chunks and states.

mod bench;

use bench::{Bench, DT, HEAD, JOINTS, PERIOD_NS, joints, robot};
use motion::{
    Drive, Ending, Epoch, Event, Fault, Health, Joints, Limits, Mode, Nanos, Plan, Refusal, Run,
    RunId, Seam, Source, State, StopSource, Tick, TickIndex, What,
};
use proptest::prelude::*;

#[test]
fn a_wish_inside_the_limits_is_commanded_to_the_bit() {
    let mut bench = Bench::armed();
    bench.begin(1, Seam::Cut);
    bench.tick();
    let path: Vec<[f64; JOINTS]> = (1..=30)
        .map(|k| (f64::from(k) * 0.1).sin())
        .map(|s| [0.05 * s, 0.03 * s, -0.02 * s])
        .collect();
    // Approached gently first: the sine starts with a velocity of its own.
    bench.chunk(1, 3, &path, false);
    for (k, wish) in path.iter().enumerate() {
        let (command, tick) = bench.tick();
        if k > 8 {
            assert_eq!(&command.position()[..], &wish[..], "step {k}: {:?}", tick.limited_by[0]);
        }
    }
}

#[test]
fn a_distant_goal_is_reached_within_limits_and_not_passed() {
    let mut bench = Bench::armed();
    bench.begin(1, Seam::Cut);
    bench.tick();
    bench.chunk(1, 3, &[[1.2, 1.2, -0.9]; 60], false);
    let mut last = Joints::zeros(JOINTS);
    let mut limited = false;
    for _ in 0..60 {
        let (command, tick) = bench.tick();
        limited |= tick.limited_by[0].contains(Limits::ACCELERATION);
        last = *command.position();
        assert!(last[0] <= 1.2 + 1e-6 && last[2] >= -0.9 - 1e-6, "{last:?}");
    }
    assert!(limited);
    for (reached, goal) in last.iter().zip([1.2, 1.2, -0.9]) {
        assert!((reached - goal).abs() < 1e-3, "{last:?}");
    }
}

#[test]
fn never_moves_before_it_is_armed_and_adopts_the_pose_it_finds() {
    let mut bench = Bench::new();
    bench.state.position = joints(&[0.3, -0.2, 1.0]);
    for _ in 0..5 {
        let (command, tick) = bench.tick();
        assert_eq!((command.drive(), tick.mode), (Drive::Off, Mode::Disarmed));
    }
    bench.order(What::Arm);
    let (command, _) = bench.tick();
    assert_eq!(command.drive(), Drive::On);
    assert_eq!(&command.position()[..], &[0.3, -0.2, 1.0]);
}

#[test]
fn arming_again_keeps_joints_that_stayed_and_takes_those_that_moved() {
    let mut bench = Bench::armed();
    bench.order(What::Disarm);
    assert_eq!(bench.tick().1.mode, Mode::Disarmed);
    bench.state.position = joints(&[0.004, -0.3, 0.0]);
    bench.order(What::Arm);
    let (command, _) = bench.tick();
    assert_eq!(
        &command.position()[..],
        &[0.0, -0.3, 0.0],
        "sag is not crept along, a hand is followed"
    );
}

#[test]
fn an_estop_before_the_first_state_drives_nothing() {
    let mut bench = Bench::new();
    bench.state.position = joints(&[0.5, 0.5, 0.5]);
    bench.state.health = Health::Lost;
    bench.stop = Some(StopSource(9));
    for _ in 0..3 {
        let (command, tick) = bench.tick();
        assert_eq!(command.drive(), Drive::Off);
        assert_eq!(tick.mode, Mode::EStopped { by: StopSource(9), at: TickIndex(0) });
    }
}

#[test]
fn arming_is_refused_outside_the_limits_by_name_of_the_joint() {
    let mut bench = Bench::new();
    bench.state.position = joints(&[0.0, 2.1, 0.0]);
    bench.tick();
    let id = bench.order(What::Arm);
    let (command, tick) = bench.tick();
    assert_eq!(command.drive(), Drive::Off);
    let refused = Event::Refused(id, Refusal::OutsideLimits { joint: 1 });
    assert_eq!(tick.events.as_slice(), &[refused]);
}

#[test]
fn a_chunk_that_is_not_finite_is_refused_and_moves_nothing() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut bench = Bench::armed();
        bench.begin(1, Seam::Cut);
        bench.tick();
        bench.chunk(1, 3, &[[0.0, bad, 0.0]; 4], false);
        let (command, tick) = bench.tick();
        let refused = matches!(tick.events.as_slice(), [Event::ChunkRefused { .. }]);
        assert!(refused && command.position().is_finite());
    }
}

#[test]
fn a_gross_jump_is_refused_and_faults() {
    let mut bench = Bench::armed();
    bench.begin(1, Seam::Cut);
    bench.tick();
    bench.chunk(1, 3, &[[0.0, 0.0, 1.6]; 4], false);
    let (command, tick) = bench.tick();
    assert!(matches!(tick.mode, Mode::Faulted { why: Fault::GrossJump { joint: 2 }, .. }));
    assert_eq!(&command.position()[..], &[0.0; 3]);
    assert_eq!(tick.requested[2], 1.6);
}

#[test]
fn running_dry_extrapolates_brakes_holds_and_gives_up() {
    let mut bench = Bench::armed();
    bench.begin(1, Seam::Cut);
    bench.tick();
    let ramp: Vec<[f64; JOINTS]> = (1..=10).map(|k| [0.002 * f64::from(k * k), 0.0, 0.0]).collect();
    bench.chunk(1, 3, &ramp, false);
    let sources: Vec<Source> = (0..16).map(|_| bench.tick().1.source).collect();
    assert!(matches!(sources[9], Source::Chunk { step: 9, .. }));
    assert_eq!(sources[10..13], [Source::Extrapolated, Source::Extrapolated, Source::Dry]);
    let ticks: Vec<Tick> = (0..20).map(|_| bench.tick().1).collect();
    let ended = Event::Ended { run: RunId(1), ending: Ending::RanDry };
    assert!(ticks.iter().any(|tick| tick.events.as_slice().contains(&ended)));
    let last = ticks.last().expect("twenty ticks");
    assert_eq!(last.mode, Mode::Holding);
    assert_eq!(last.applied, ticks[ticks.len() - 2].applied);
}

#[test]
fn a_late_chunk_starts_at_the_step_that_is_due() {
    let mut bench = Bench::armed();
    bench.begin(1, Seam::Cut);
    bench.tick();
    bench.tick();
    bench.tick();
    let steps: Vec<[f64; JOINTS]> = (0..8).map(|k| [0.001 * f64::from(k), 0.0, 0.0]).collect();
    bench.chunk(1, 3, &steps, false);
    let (_, tick) = bench.tick();
    assert!(matches!(tick.source, Source::Chunk { step: 2, .. }), "{:?}", tick.source);
    assert!(matches!(tick.events.as_slice(), [Event::Adopted { delay: 2, .. }]));
}

#[test]
fn a_run_ends_at_its_last_step() {
    let mut bench = Bench::armed();
    bench.begin(1, Seam::Cut);
    bench.tick();
    bench.chunk(1, 3, &[[0.001, 0.0, 0.0]; 3], true);
    let modes: Vec<Mode> = (0..5).map(|_| bench.tick().1.mode).collect();
    assert_eq!(modes[2], Mode::Moving { run: RunId(1) });
    assert_eq!(modes[4], Mode::Holding);
}

#[test]
fn nothing_queued_before_a_stop_runs_after_it() {
    let mut bench = Bench::armed();
    bench.begin(1, Seam::Cut);
    let (_, tick) = bench.tick();
    let before = tick.epoch;
    bench.order(What::Hold);
    for _ in 0..3 {
        bench.tick();
    }
    let late = Run { id: RunId(2), plan: Plan::plain(HEAD, 4), expires: Nanos(u64::MAX) };
    let id = bench.order_of(What::Begin(late), before);
    bench.chunk(1, 3, &[[0.01, 0.0, 0.0]; 4], false);
    let (_, tick) = bench.tick();
    assert_eq!(tick.mode, Mode::Holding);
    assert_eq!(tick.events.as_slice(), &[Event::Refused(id, Refusal::Stale)]);
}

#[test]
fn clearing_and_arming_are_two_acts() {
    let mut bench = Bench::armed();
    bench.stop = Some(StopSource(3));
    let (_, tick) = bench.tick();
    assert!(matches!(tick.mode, Mode::EStopped { by: StopSource(3), .. }));
    let id = bench.order(What::ClearFault);
    let (_, tick) = bench.tick();
    assert_eq!(tick.events.as_slice(), &[Event::Refused(id, Refusal::StillFaulty)]);
    bench.stop = None;
    bench.order(What::Arm);
    bench.order(What::ClearFault);
    let (_, tick) = bench.tick();
    assert_eq!(tick.mode, Mode::Disarmed);
    bench.order(What::Arm);
    assert_eq!(bench.tick().1.mode, Mode::Holding);
}

#[test]
fn an_estop_between_two_ticks_latches_and_never_hurries_the_robot() {
    let fast = || {
        let mut bench = Bench::armed();
        bench.begin(1, Seam::Cut);
        bench.tick();
        bench.chunk(1, 3, &[[1.2, 0.0, 0.0]; 40], false);
        for _ in 0..6 {
            bench.tick();
        }
        bench.stop = Some(StopSource(1));
        bench
    };
    let mut calm = fast();
    let on_the_grid: Vec<Joints> = (0..20).map(|_| *calm.tick().0.position()).collect();
    assert!(on_the_grid[19][0] - on_the_grid[0][0] > 0.05, "it was fast, and braked");

    // However often the stop is pulled in between: the set-point stays, and brakes on the grid as it would have.
    let mut mashed = fast();
    let before = mashed.state.position;
    mashed.early = true;
    for _ in 0..10 {
        let (command, tick) = mashed.tick();
        assert!(matches!(tick.mode, Mode::EStopped { .. }), "{:?}", tick.mode);
        assert_eq!(*command.position(), before);
    }
    mashed.early = false;
    let after: Vec<Joints> = (0..20).map(|_| *mashed.tick().0.position()).collect();
    assert_eq!(after, on_the_grid);
}

#[test]
fn a_stale_or_broken_state_faults_and_does_not_move() {
    type Break = fn(&mut State);
    let breaks: [Break; 3] = [
        |state| state.position[1] = f64::NAN,
        |state| state.health = Health::Lost,
        |state| state.velocity[0] = f64::INFINITY,
    ];
    for spoil in breaks {
        let mut bench = Bench::armed();
        spoil(&mut bench.state);
        let (command, tick) = bench.tick();
        assert!(matches!(tick.mode, Mode::Faulted { .. }), "{:?}", tick.mode);
        assert!(command.position().is_finite());
    }
    let mut bench = Bench::armed();
    let modes: Vec<Mode> = (0..8).map(|_| bench.tick_stale().1.mode).collect();
    assert!(matches!(modes[7], Mode::Faulted { why: Fault::StateStale, .. }), "{modes:?}");
}

#[test]
fn a_robot_that_does_not_follow_faults() {
    let mut bench = Bench::armed();
    let mut modes = Vec::new();
    for _ in 0..6 {
        bench.state.position[2] = 0.9;
        modes.push(bench.tick().1.mode);
    }
    assert!(
        matches!(modes[5], Mode::Faulted { why: Fault::Diverged { joint: 2 }, .. }),
        "{modes:?}"
    );
}

/// What may befall the law in one tick.
#[derive(Clone, Debug)]
enum Trouble {
    Order(u8),
    OldOrder,
    /// Steps are offsets from the last command, unless they are `absolute`.
    Chunk {
        steps: Vec<[f64; JOINTS]>,
        age: u64,
        ends: bool,
        absolute: bool,
    },
    /// Clears, arms and begins anew: stories that end in the first fault teach nothing.
    Recover,
    Stop,
    State([f64; JOINTS]),
    /// The motors take hold, or let go.
    Engaged(bool),
    Release,
    Nothing,
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1.3..2.3f64,
        6 => -0.2..0.2f64,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => -1e300..1e300f64,
    ]
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    let near = proptest::collection::vec([-0.2..0.2f64, -0.2..0.2f64, -0.2..0.2f64], 1..24);
    let wide = proptest::collection::vec([-1.4..1.4f64, -1.4..1.4f64, -1.4..1.4f64], 1..24);
    let wild = proptest::collection::vec([any_value(), any_value(), any_value()], 1..12);
    let chunk = |absolute| move |(steps, age, ends)| Trouble::Chunk { steps, age, ends, absolute };
    prop_oneof![
        2 => (0u8..5).prop_map(Trouble::Order),
        1 => Just(Trouble::OldOrder),
        12 => (near, 0u64..4, any::<bool>()).prop_map(chunk(false)),
        18 => (wide, 0u64..4, Just(false)).prop_map(chunk(false)),
        1 => (wild, 0u64..20, Just(false)).prop_map(chunk(true)),
        1 => Just(Trouble::Stop),
        1 => [any_value(), any_value(), any_value()].prop_map(Trouble::State),
        12 => Just(Trouble::Recover),
        1 => Just(Trouble::Engaged(false)),
        3 => Just(Trouble::Engaged(true)),
        1 => Just(Trouble::Release),
        4 => Just(Trouble::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Whatever is ordered and measured: the command is finite and inside every limit, judged by its own differences.
    #[test]
    fn every_command_is_finite_and_inside_every_limit(
        story in proptest::collection::vec((any_trouble(), 1u8..8), 1..60),
    ) {
        let robot = robot();
        let mut bench = Bench::armed();
        let mut past: Vec<Joints> = vec![Joints::zeros(JOINTS); 3];
        let (mut run, mut driven, mut before) = (0, true, Mode::Holding);
        bench.begin(run, Seam::Fade { ticks: 2 });
        for (trouble, ticks) in story {
            match trouble {
                Trouble::Order(0) => { bench.order(What::Arm); }
                Trouble::Order(1) => { bench.order(What::Hold); }
                Trouble::Order(2) => { bench.order(What::Disarm); }
                Trouble::Order(3) => { bench.order(What::ClearFault); }
                Trouble::Order(_) => { run += 1; bench.begin(run, Seam::Fade { ticks: 2 }); }
                Trouble::OldOrder => { bench.order_of(What::Arm, Epoch(0)); }
                Trouble::Chunk { mut steps, age, ends, absolute } => {
                    if !absolute {
                        for step in &mut steps {
                            for (value, at) in step.iter_mut().zip(past[2].iter()) {
                                *value += at;
                            }
                        }
                    }
                    let now = bench.now.0 / PERIOD_NS;
                    bench.chunk(run, now.saturating_sub(age), &steps, ends);
                }
                Trouble::Stop => bench.stop = Some(StopSource(1)),
                Trouble::Recover => {
                    bench.stop = None;
                    bench.order(What::ClearFault);
                    bench.order(What::Arm);
                    run += 1;
                    bench.begin(run, Seam::Fade { ticks: 2 });
                }
                Trouble::State(values) => {
                    bench.state.position = Joints::from_slice(&values).expect("three joints");
                }
                Trouble::Engaged(engaged) => bench.state.engaged = engaged,
                Trouble::Release => { bench.order(What::Release); }
                Trouble::Nothing => {}
            }
            for _ in 0..ticks {
                let (command, tick) = bench.tick();
                // Motors that come up late take over wherever the robot has sunk to by then.
                let taken_hold = !matches!(before, Mode::Arming { .. });
                before = tick.mode;
                if !bench.state.engaged {
                    bench.state.position[1] -= 0.004;
                }
                if command.drive() == Drive::Off {
                    bench.state.position = joints(&[0.1, 0.2, 0.3]);
                    past = vec![bench.state.position; 3];
                    driven = false;
                    continue;
                }
                let p = *command.position();
                prop_assert!(p.is_finite());
                if !driven || !taken_hold {
                    past = vec![p; 3];
                    driven = true;
                }
                for (joint, limits) in robot.limits().iter().enumerate() {
                    let [p3, p2, p1] = [past[0][joint], past[1][joint], past[2][joint]];
                    let p0 = p[joint];
                    let velocity = (p0 - p1) / DT;
                    let acceleration = (p0 - 2.0 * p1 + p2) / (DT * DT);
                    let jerk = (p0 - 3.0 * p1 + 3.0 * p2 - p3) / (DT * DT * DT);
                    prop_assert!(p0 >= limits.position_min && p0 <= limits.position_max, "position {p0}");
                    prop_assert!(velocity.abs() <= limits.velocity_max * (1.0 + 1e-6), "velocity {velocity}");
                    prop_assert!(acceleration.abs() <= limits.acceleration_max * (1.0 + 1e-6), "acceleration {acceleration} of joint {joint}");
                    prop_assert!(jerk.abs() <= limits.jerk_max * (1.0 + 1e-6), "jerk {jerk} of joint {joint}");
                }
                past.remove(0);
                past.push(p);
            }
        }
    }
}
