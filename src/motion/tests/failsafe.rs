//! What the law does about everything that can be wrong.

mod bench;

use bench::{Bench, HEAD, JOINTS, robot};
use motion::{
    Attendance, Controller, Drive, Ending, Epoch, Event, Fault, Health, Mode, Nanos, OrderId, Plan,
    Refusal, Run, RunId, Seam, StopSource, Tick, What,
    failsafe::{Action, Condition, Conditions},
};

const SOON: u64 = 300_000_000;
const LONG: u64 = 2_000_000_000;

fn under(attendance: Attendance) -> Bench {
    Bench::of(robot().attended(attendance, SOON, LONG))
}

/// Holding, with an operator whose heartbeat is heard.
fn attended(attendance: Attendance) -> Bench {
    let mut bench = under(attendance);
    bench.tick();
    bench.order(What::Attend);
    bench.arm()
}

/// Following a chunk at full speed, with an operator if one is needed.
fn moving(mut bench: Bench) -> Bench {
    bench.begin(1, Seam::Cut);
    bench.tick();
    bench.chunk(1, bench.law.now().0 - 1, &[[1.2, 0.6, -0.8]; 60], false);
    for _ in 0..4 {
        bench.order(What::Attend);
        bench.tick();
    }
    assert!(bench.law.mode().run().is_some());
    bench
}

fn refusal(tick: &Tick, of: OrderId) -> Option<Refusal> {
    tick.events.as_slice().iter().find_map(|event| match event {
        Event::Refused(id, why) if *id == of => Some(*why),
        _ => None,
    })
}

#[test]
fn an_operator_who_falls_silent_holds_the_robot_within_half_a_second_and_nothing_goes_on_by_itself()
{
    for attendance in [Attendance::Required, Attendance::Optional] {
        let mut bench = moving(attended(attendance));
        let silent_since = bench.now;
        let epoch = bench.tick().1.epoch;
        let held = loop {
            let (_, tick) = bench.tick();
            if tick.mode.run().is_none() {
                break tick;
            }
        };
        assert!(held.at.since(silent_since) <= 500_000_000, "{:?}", held.at.since(silent_since));
        assert_eq!(held.mode, Mode::Stopping { disarm: false });
        assert!(held.conditions.has(Condition::Unattended) && held.verdict.action == Action::Hold);
        assert!(held.epoch > epoch, "what is on its way now is out of date");
        while bench.tick().1.mode != Mode::Holding {}
        let begun =
            What::Begin(Run { id: RunId(2), plan: Plan::plain(HEAD, 4), expires: Nanos(u64::MAX) });
        let order = bench.order(begun);
        let refused = refusal(&bench.tick().1, order);
        assert_eq!(refused, Some(Refusal::Barred(Condition::Unattended)));
        bench.order(What::Attend);
        for _ in 0..3 {
            assert_eq!(bench.tick().1.mode, Mode::Holding, "nothing goes on by itself");
        }
        let old = bench.order_of(begun, epoch);
        assert_eq!(refusal(&bench.tick().1, old), Some(Refusal::Stale));
        bench.order(begun);
        assert_eq!(bench.tick().1.mode, Mode::Moving { run: RunId(2) });
    }
}

#[test]
fn a_heartbeat_that_waits_in_the_tick_counts_in_the_tick() {
    let mut bench = moving(attended(Attendance::Required));
    for _ in 0..40 {
        for _ in 0..6 {
            assert!(!bench.tick().1.conditions.has(Condition::Unattended));
        }
        bench.order(What::Attend);
    }
}

#[test]
fn nobody_arms_a_robot_that_needs_somebody_and_a_physical_one_does() {
    let mut bench = under(Attendance::Required);
    bench.tick();
    let order = bench.order(What::Arm);
    let (_, tick) = bench.tick();
    assert_eq!(refusal(&tick, order), Some(Refusal::Barred(Condition::Unattended)));
    assert_eq!(tick.conditions, Conditions::NONE, "who is not driven needs nobody yet");

    let mut bench = under(Attendance::Physical).arm();
    bench.state.physical = true;
    bench.begin(1, Seam::Cut);
    let modes: Vec<Mode> = (0..4).map(|_| bench.tick().1.mode).collect();
    assert_eq!(modes[3], Mode::Holding, "it became one while it was driven: {modes:?}");
    bench.order(What::Attend);
    bench.begin(2, Seam::Cut);
    assert_eq!(bench.tick().1.mode, Mode::Moving { run: RunId(2) });
}

#[test]
fn who_leaves_a_simulated_robot_leaves_it_to_everybody_and_a_required_one_to_nobody() {
    let mut bench = moving(attended(Attendance::Optional));
    bench.order(What::Leave);
    for _ in 0..20 {
        assert!(!bench.tick().1.conditions.has(Condition::Unattended));
    }
    let mut bench = moving(attended(Attendance::Required));
    bench.order(What::Leave);
    bench.tick();
    assert_eq!(bench.tick().1.mode, Mode::Stopping { disarm: false });
}

#[test]
fn a_robot_that_was_left_alone_for_long_is_no_longer_driven() {
    let mut bench = attended(Attendance::Required);
    let mut gone = None;
    loop {
        let (command, tick) = bench.tick();
        if tick.conditions.has(Condition::Deserted) {
            assert_eq!(tick.verdict.action, Action::Park);
            gone = Some(tick.at);
        }
        if command.drive() == Drive::Off {
            assert_eq!(tick.mode, Mode::Disarmed);
            break;
        }
    }
    assert!(gone.is_some_and(|gone| gone.since(Nanos(0)) >= LONG), "{gone:?}");
    bench.order(What::Attend);
    assert_eq!(bench.tick().1.mode, Mode::Disarmed, "it has to be armed");
}

#[test]
fn a_warm_robot_is_slow_and_brakes_to_that_within_its_limits() {
    let mut bench = Bench::armed();
    bench.begin(1, Seam::Cut);
    bench.tick();
    bench.chunk(1, bench.law.now().0 - 1, &[[1.4, 0.0, 0.0]; 60], false);
    let period = robot().period_s();
    let limits = robot().limits()[0];
    let (mut before, mut speed, mut acceleration) = (0.0, 0.0_f64, 0.0_f64);
    let mut slowed = 0;
    for k in 0..40 {
        bench.state.warm = k >= 8;
        let (command, tick) = bench.tick();
        let velocity = (command.position()[0] - before) / period;
        let change = (velocity - speed) / period;
        assert!(change.abs() <= limits.acceleration_max * (1.0 + 1e-9), "tick {k}: {change}");
        assert!(
            (change - acceleration).abs() / period <= limits.jerk_max * (1.0 + 1e-6),
            "tick {k}: {acceleration} to {change}"
        );
        (before, speed, acceleration) = (command.position()[0], velocity, change);
        if k == 8 {
            assert!(speed > 0.25 * limits.velocity_max, "it was not fast: {speed}");
        }
        if k >= 20 {
            assert!(velocity <= 0.25 * limits.velocity_max * (1.0 + 1e-9), "tick {k}: {velocity}");
        }
        slowed += u32::from(tick.verdict.action == Action::Slow);
        assert_eq!(tick.verdict.action == Action::Slow, k >= 8);
    }
    assert_eq!(slowed, 32);
}

#[test]
fn who_cannot_keep_up_while_it_is_slow_is_left_behind_without_a_fault() {
    let mut bench = Bench::new();
    bench.state.position[0] = -0.9;
    let mut bench = bench.arm();
    bench.state.warm = true;
    bench.begin(1, Seam::Cut);
    bench.tick();
    let path: Vec<[f64; JOINTS]> =
        (1..=60).map(|k| [(f64::from(k) * 0.15 - 0.9).min(1.9), 0.0, 0.0]).collect();
    bench.chunk(1, bench.law.now().0 - 1, &path, false);
    let ended = (0..60).find_map(|_| {
        let (_, tick) = bench.tick();
        assert!(!matches!(tick.mode, Mode::Faulted { .. }), "{:?}", tick.mode);
        tick.events.as_slice().iter().find_map(|event| match event {
            Event::Ended { ending, .. } => Some(*ending),
            _ => None,
        })
    });
    assert_eq!(ended, Some(Ending::LeftBehind));
}

#[test]
fn too_many_overruns_hold_and_keep_it_held_until_they_are_over() {
    let mut bench = moving(Bench::armed());
    bench.order(What::Leave);
    bench.outside = Conditions::NONE.with(Condition::Overrun);
    assert_eq!(bench.tick().1.verdict.action, Action::Slow);
    bench.outside = bench.outside.with(Condition::Overruns);
    assert_eq!(bench.tick().1.mode, Mode::Stopping { disarm: false });
    while bench.tick().1.mode != Mode::Holding {}
    let begun =
        What::Begin(Run { id: RunId(2), plan: Plan::plain(HEAD, 4), expires: Nanos(u64::MAX) });
    let order = bench.order(begun);
    assert_eq!(refusal(&bench.tick().1, order), Some(Refusal::Barred(Condition::Overruns)));
    bench.outside = Conditions::NONE;
    bench.order(begun);
    assert_eq!(bench.tick().1.mode, Mode::Moving { run: RunId(2) });
}

#[test]
fn nobody_outside_can_tell_the_law_what_it_finds_out_by_itself() {
    let mut bench = moving(Bench::armed());
    bench.outside = Conditions(!Conditions::OUTSIDE.0);
    let (_, tick) = bench.tick();
    assert!(tick.mode.run().is_some() && tick.conditions == Conditions::NONE, "{tick:?}");
}

/// What is done in one tick of the sequences below.
#[derive(Clone, Copy, Debug)]
enum Step {
    Nothing,
    Arm,
    Clear,
    Hold,
    Disarm,
    Release,
    Begin,
    /// Given before the stop.
    BeginOld,
    Attend,
    Trouble,
    NoTrouble,
    EStop,
    Lowered,
}

const STEPS: [Step; 13] = [
    Step::Nothing,
    Step::Arm,
    Step::Clear,
    Step::Hold,
    Step::Disarm,
    Step::Release,
    Step::Begin,
    Step::BeginOld,
    Step::Attend,
    Step::Trouble,
    Step::NoTrouble,
    Step::EStop,
    Step::Lowered,
];

/// What has to be seen, in this order, before a robot that was stopped may move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    cleared: bool,
    armed: bool,
}

fn step(bench: &mut Bench, step: Step, old: Epoch) -> (Tick, Option<OrderId>) {
    let run = |id| Run { id: RunId(id), plan: Plan::plain(HEAD, 4), expires: Nanos(u64::MAX) };
    let mut asked = None;
    match step {
        Step::Nothing => {}
        Step::Arm => asked = Some(bench.order(What::Arm)),
        Step::Clear => asked = Some(bench.order(What::ClearFault)),
        Step::Hold => asked = Some(bench.order(What::Hold)),
        Step::Disarm => asked = Some(bench.order(What::Disarm)),
        Step::Release => asked = Some(bench.order(What::Release)),
        Step::Begin => asked = Some(bench.order(What::Begin(run(9)))),
        Step::BeginOld => asked = Some(bench.order_of(What::Begin(run(8)), old)),
        Step::Attend => asked = Some(bench.order(What::Attend)),
        Step::Trouble => bench.state.health = Health::Lost,
        Step::NoTrouble => bench.state.health = Health::Good,
        Step::EStop => bench.stop = Some(StopSource(1)),
        Step::Lowered => bench.stop = None,
    }
    (bench.tick().1, asked)
}

/// Every sequence of five steps, from a fault and from an e-stop in full motion, with and without a need for an operator.
#[test]
fn no_way_leads_from_a_stop_to_motion_but_by_clear_and_arm_and_nothing_of_before_runs_after() {
    fn go(bench: &Bench, before: Seen, depth: u32, old: Epoch, count: &mut u64) {
        for what in STEPS {
            let mut bench = Bench {
                law: bench.law,
                state: bench.state,
                orders: Vec::new(),
                replies: Vec::new(),
                correction: None,
                ..*bench
            };
            let (tick, asked) = step(&mut bench, what, old);
            *count += 1;
            let taken =
                asked.is_some_and(|id| tick.events.as_slice().contains(&Event::Accepted(id)));
            let mut seen = before;
            match what {
                Step::Clear if taken => seen = Seen { cleared: true, armed: false },
                Step::Arm if taken => seen.armed = true,
                _ => {}
            }
            if matches!(tick.mode, Mode::Faulted { .. } | Mode::EStopped { .. }) {
                seen = Seen::default();
            }
            assert!(
                !(taken && matches!(what, Step::BeginOld)),
                "what was ordered before ran after"
            );
            let may_move = seen.cleared && seen.armed;
            if !may_move {
                assert!(
                    matches!(
                        tick.mode,
                        Mode::Faulted { .. } | Mode::EStopped { .. } | Mode::Disarmed
                    ),
                    "{what:?}: {:?} after {seen:?}",
                    tick.mode
                );
                assert_eq!(bench.law.mode(), tick.mode);
            }
            let stopped = matches!(tick.mode, Mode::Faulted { .. } | Mode::EStopped { .. });
            assert!(!stopped || tick.verdict.action >= Action::Stop, "{:?}", tick.verdict);
            if depth > 1 {
                go(&bench, seen, depth - 1, old, count);
            }
        }
    }
    let mut count = 0;
    for attendance in [Attendance::Optional, Attendance::Required] {
        for estop in [false, true] {
            let mut bench = moving(attended(attendance));
            let old = bench.tick().1.epoch;
            if estop {
                bench.stop = Some(StopSource(1));
            } else {
                bench.state.health = Health::Lost;
            }
            let stopped = bench.tick().1;
            assert!(stopped.epoch > old);
            let mut ticks = 0;
            // To rest, so that clearing is not refused for want of it.
            while ticks < 40 {
                bench.tick();
                ticks += 1;
            }
            go(&bench, Seen::default(), 5, old, &mut count);
        }
    }
    assert_eq!(count, 4 * (13 + 169 + 2197 + 28_561 + 371_293));
}

#[test]
fn every_fault_is_a_condition_that_stops() {
    for fault in [
        Fault::RequestNotFinite { joint: 0 },
        Fault::GrossJump { joint: 0 },
        Fault::StateNotFinite { joint: 0 },
        Fault::StateShape,
        Fault::StateStale,
        Fault::BackendLost,
        Fault::Diverged { joint: 0 },
        Fault::NotEngaged,
        Fault::Disengaged,
        Fault::OutsideLimits { joint: 0 },
    ] {
        assert_eq!(Condition::of(fault).rule().action, Action::Stop);
    }
}

#[test]
fn a_law_of_a_robot_that_needs_somebody_is_the_same_after_it_was_saved() {
    let bench = moving(attended(Attendance::Required));
    let mut room = vec![0; 20_000];
    let mut sheet = motion::Sheet::new(&mut room);
    bench.law.save(&mut sheet);
    let words = sheet.written().expect("room enough").to_vec();
    let restored =
        Controller::restore(*bench.law.robot(), &mut motion::Reading::new(&words)).expect("a law");
    let mut again = Bench { law: restored, ..moving(attended(Attendance::Required)) };
    again.now = bench.now;
    again.state = bench.state;
    let mut bench = bench;
    for _ in 0..30 {
        let ((before, told), (after, tells)) = (bench.tick(), again.tick());
        assert_eq!((before, told.mode, told.conditions), (after, tells.mode, tells.conditions));
    }
    assert_eq!(bench.law.mode(), Mode::Holding);
}
