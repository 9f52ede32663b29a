//! Promises of the schedule under delay: random delays, jitter, losses, duplicates, reordering and strangers, for every
//! seam method.

mod bench;

use std::collections::{HashMap, HashSet};

use bench::{Bench, DT, HEAD, JOINTS, joints, limits};
use motion::{
    Ask, Chunk, ChunkId, ChunkRefusal, Drive, Ending, Event, FirstStep, HeadDigest, JointLimits,
    Joints, Mode, Plan, Reply, Robot, Rules, RunId, Seam, Source, Tick, TickIndex, What,
};
use proptest::prelude::*;

const GRIPPER: usize = 2;

fn with_a_gripper() -> Robot {
    let mut all = [limits(3.0, 8.0, 200.0), limits(1.0, 4.0, 30.0), limits(3.0, 5.0, 500.0)];
    all[GRIPPER].gripper = true;
    Robot::build(DT, &all, Rules::default()).expect("the test robot's limits make sense")
}

/// What befalls the answer to one ask.
#[derive(Clone, Copy, Debug)]
struct Fate {
    delay: u64,
    lost: bool,
    /// It comes again so many ticks later.
    again: Option<u64>,
    stranger: Stranger,
    /// How far its opinion is off that of its neighbours.
    off: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stranger {
    No,
    Run,
    Head,
    NotFinite,
    Early,
}

fn any_fate() -> impl Strategy<Value = Fate> {
    let stranger = prop_oneof![
        12 => Just(Stranger::No),
        1 => Just(Stranger::Run),
        1 => Just(Stranger::Head),
        1 => Just(Stranger::NotFinite),
        1 => Just(Stranger::Early),
    ];
    let again = proptest::option::weighted(0.2, 0u64..6);
    (0u64..=12, proptest::bool::weighted(0.1), again, stranger, -0.15..0.15f64)
        .prop_map(|(delay, lost, again, stranger, off)| Fate { delay, lost, again, stranger, off })
}

fn any_seam() -> impl Strategy<Value = Seam> {
    prop_oneof![
        Just(Seam::Cut),
        (1u32..5).prop_map(|ticks| Seam::Fade { ticks }),
        (0.0..0.5f64).prop_map(|coefficient| Seam::Ensemble { coefficient }),
        (0u32..4).prop_map(|ticks| Seam::Prefix { ticks }),
    ]
}

#[derive(Clone, Debug)]
struct Story {
    plan: Plan,
    len: u64,
    fates: Vec<Fate>,
}

fn any_story() -> impl Strategy<Value = Story> {
    let first_step = prop_oneof![Just(FirstStep::Observation), Just(FirstStep::TakeOver)];
    let fates = proptest::collection::vec(any_fate(), 1..40);
    (any_seam(), first_step, 1u32..12, 0u32..9, 2u64..16, fates).prop_map(
        |(seam, first_step, execute, lead, len, fates)| {
            let plan = Plan { lead, seam, first_step, ..Plan::plain(HEAD, execute) };
            Story { plan, len, fates }
        },
    )
}

/// What the test knows of a chunk.
#[derive(Clone, Copy, Debug)]
struct Known {
    observed: u64,
    first: u64,
    takes_over: u64,
    end: u64,
    gripper: f64,
}

fn course(tick: u64, off: f64) -> [f64; JOINTS] {
    let s = (tick as f64 * 0.07).sin();
    [0.3 * s + off, 0.1 * s - off, if off > 0.0 { 0.2 } else { 0.1 }]
}

fn chunk_for(ask: &Ask, id: u64, len: u64, fate: Fate) -> Chunk {
    let mut chunk = Chunk::answering(ChunkId(id), HEAD, ask);
    for k in 0..len {
        assert!(chunk.push(&course(chunk.first.0 + k, fate.off)));
    }
    match fate.stranger {
        Stranger::No => {}
        Stranger::Run => chunk.run = RunId(chunk.run.0 + 100),
        Stranger::Head => chunk.head = HeadDigest(8),
        Stranger::Early => {
            chunk.observed.0 += 50;
            chunk.first.0 += 50;
        }
        Stranger::NotFinite => {
            let mut broken = Chunk::answering(ChunkId(id), HEAD, ask);
            for _ in 0..len {
                assert!(broken.push(&[0.0, f64::NAN, 0.0]));
            }
            chunk = broken;
        }
    }
    chunk
}

/// The schedule as its documentation tells it, without a single set-point.
#[derive(Default)]
struct Model {
    in_use: Option<(ChunkId, Known)>,
    waiting: Option<(ChunkId, Known)>,
    dry: u32,
}

impl Model {
    fn judge(&self, chunk: &Chunk, now: u64, run: u64, plan: &Plan) -> Result<Known, ChunkRefusal> {
        let (observed, first) = (chunk.observed.0, chunk.first.0);
        let told = observed + u64::from(plan.lead);
        let takes_over = match plan.seam {
            Seam::Prefix { .. } => first.max(told),
            _ => first,
        };
        let gripper = chunk.step(0).map_or(0.0, |step| step[GRIPPER]);
        let end = first + chunk.len() as u64;
        let known = Known { observed, first, takes_over, end, gripper };
        let mut others = self.in_use.iter().chain(&self.waiting);
        if chunk.run.0 != run {
            Err(ChunkRefusal::OtherRun)
        } else if chunk.head != plan.head {
            Err(ChunkRefusal::OtherHead)
        } else if !chunk.is_finite() {
            Err(ChunkRefusal::NotFinite)
        } else if observed > now {
            Err(ChunkRefusal::FromTheFuture)
        } else if others.any(|(id, _)| *id == chunk.id) {
            Err(ChunkRefusal::Duplicate)
        } else if self.in_use.iter().chain(&self.waiting).any(|(_, old)| old.observed >= observed) {
            Err(ChunkRefusal::Superseded)
        } else if end <= now.max(takes_over) {
            Err(ChunkRefusal::TooLate)
        } else {
            Ok(known)
        }
    }

    /// The source of tick `now`: the chunk's step, or a rung of the ladder.
    fn source(&mut self, now: u64) -> Option<Source> {
        let rules = Rules::default();
        match self.in_use {
            Some((chunk, known)) if now < known.end => {
                let step = u32::try_from(now - known.first).expect("a chunk is short");
                Some(Source::Chunk { chunk, head: HEAD, step })
            }
            None if self.waiting.is_some() => Some(Source::Waiting),
            _ => {
                self.dry += 1;
                if self.dry > rules.give_up_ticks && self.waiting.is_none() {
                    None
                } else if self.in_use.is_none() {
                    Some(Source::Waiting)
                } else if self.dry <= rules.extrapolate_ticks {
                    Some(Source::Extrapolated)
                } else {
                    Some(Source::Dry)
                }
            }
        }
    }
}

/// Set-points of a few ticks, judged by their own differences.
struct Judge {
    past: [Joints; 3],
}

impl Judge {
    fn check(&mut self, robot: &Robot, now: Joints) -> Result<(), TestCaseError> {
        for (joint, limits) in robot.limits().iter().enumerate() {
            let [p3, p2, p1] = [self.past[0][joint], self.past[1][joint], self.past[2][joint]];
            let velocity = (now[joint] - p1) / DT;
            let acceleration = (now[joint] - 2.0 * p1 + p2) / (DT * DT);
            let jerk = (now[joint] - 3.0 * p1 + 3.0 * p2 - p3) / (DT * DT * DT);
            let JointLimits { velocity_max, acceleration_max, jerk_max, .. } = *limits;
            prop_assert!(velocity.abs() <= velocity_max * (1.0 + 1e-6), "velocity {velocity}");
            prop_assert!(acceleration.abs() <= acceleration_max * (1.0 + 1e-6), "{acceleration}");
            prop_assert!(jerk.abs() <= jerk_max * (1.0 + 1e-6), "jerk {jerk} of joint {joint}");
        }
        self.past = [self.past[1], self.past[2], now];
        Ok(())
    }
}

fn plays_by_the_book(story: &Story) -> Result<(), TestCaseError> {
    let robot = with_a_gripper();
    let mut bench = Bench::of(robot).arm();
    let (mut run, plan) = (1, story.plan);
    bench.follow(run, plan);
    bench.tick();
    // The tick that begins a run is its first without a chunk.
    let fresh = || Model { dry: 1, ..Model::default() };
    let (mut model, mut judge) = (fresh(), Judge { past: [Joints::zeros(JOINTS); 3] });
    let mut mail: Vec<(u64, Chunk)> = Vec::new();
    let mut told: Vec<(u64, Ask)> = Vec::new();
    let mut applied: HashMap<u64, (Joints, bool)> = HashMap::new();
    let mut ran: HashSet<(u64, u32)> = HashSet::new();
    let mut fates = story.fates.iter().copied();
    let mut ids = 0;
    for _ in 0..160 {
        let now = bench.law.now().0;
        if let Some(ask) = bench.ask()
            && let Some(fate) = fates.next()
        {
            let tells =
                plan.first_step == FirstStep::TakeOver || matches!(plan.seam, Seam::Prefix { .. });
            prop_assert_eq!(ask.delay, if tells { plan.lead } else { 0 });
            ids += 1;
            let chunk = chunk_for(&ask, ids, story.len, fate);
            if !fate.lost {
                mail.push((now + fate.delay, chunk));
            }
            if let Some(again) = fate.again {
                mail.push((now + fate.delay + again, chunk));
            }
            told.push((now, ask));
        }
        // No more than the loop hands over in one tick.
        let mut expected: Vec<Event> = Vec::new();
        let mut adopted = false;
        let mut taken = 0;
        mail.retain(|(due, chunk)| {
            if *due > now || taken == 4 {
                return true;
            }
            taken += 1;
            bench.replies.push(Reply::Chunk(*chunk));
            match model.judge(chunk, now, run, &plan) {
                Err(why) => expected.push(Event::ChunkRefused { chunk: chunk.id, why }),
                Ok(known) if known.takes_over > now => {
                    let old = model.waiting.replace((chunk.id, known));
                    let why = ChunkRefusal::Superseded;
                    expected.extend(old.map(|(chunk, _)| Event::ChunkRefused { chunk, why }));
                }
                Ok(known) => {
                    adopted = true;
                    expected.push(adoption(chunk.id, known, now, &plan));
                    model.in_use = Some((chunk.id, known));
                    model.dry = 0;
                }
            }
            false
        });
        if let Some((id, known)) = model.waiting.filter(|(_, known)| known.takes_over <= now) {
            adopted = true;
            expected.push(adoption(id, known, now, &plan));
            (model.in_use, model.waiting, model.dry) = (Some((id, known)), None, 0);
        }
        let (command, tick) = bench.tick();
        prop_assert_eq!(tick.tick, TickIndex(now));
        prop_assert_eq!(command.drive(), Drive::On);
        judge.check(&robot, tick.applied)?;
        applied.insert(now, (tick.applied, adopted));
        let Some(source) = model.source(now) else {
            prop_assert!(gave_up(&tick, run), "{:?}", tick.events);
            run += 1;
            model = fresh();
            bench.follow(run, plan);
            bench.tick();
            mail.clear();
            told.clear();
            let filter = bench.state.position;
            judge.check(&robot, filter)?;
            continue;
        };
        prop_assert_eq!(tick.source, source, "tick {}", now);
        let events: Vec<Event> = tick.events.as_slice().to_vec();
        let chunks: Vec<Event> = events.into_iter().filter(|e| *e != Event::RanDry).collect();
        prop_assert_eq!(chunks, expected, "tick {}", now);
        if let Source::Chunk { chunk, step, .. } = source {
            prop_assert!(ran.insert((chunk.0, step)), "step {step} of {chunk:?} ran twice");
            let gripper = model.in_use.map(|(_, known)| known.gripper);
            prop_assert_eq!(Some(tick.requested[GRIPPER]), gripper, "a gripper snaps");
        }
    }
    for (tick, ask) in &told {
        told_the_truth(*tick, ask, &applied)?;
    }
    Ok(())
}

fn adoption(chunk: ChunkId, known: Known, now: u64, plan: &Plan) -> Event {
    let delay = u32::try_from(now - known.observed).expect("a chunk is short");
    Event::Adopted { chunk, delay, late: delay.saturating_sub(plan.lead) }
}

fn gave_up(tick: &Tick, run: u64) -> bool {
    let ended = Event::Ended { run: RunId(run), ending: Ending::RanDry };
    tick.mode == Mode::Holding && tick.events.as_slice().contains(&ended)
}

/// What a head was told that would be sent before it takes over is what was sent, to the bit, unless another chunk came
/// in between.
fn told_the_truth(
    tick: u64,
    ask: &Ask,
    applied: &HashMap<u64, (Joints, bool)>,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(ask.course.ahead(), ask.delay as usize);
    for ahead in 0..u64::from(ask.delay) {
        let Some((sent, adopted)) = applied.get(&(tick + ahead)) else { return Ok(()) };
        if *adopted {
            return Ok(());
        }
        for (joint, sent) in sent.iter().enumerate() {
            let told = ask.course.at(ahead as i64, joint);
            prop_assert_eq!(told, Some(*sent), "tick {} + {}, joint {}", tick, ahead, joint);
        }
    }
    Ok(())
}

proptest! {
    // A failure prints the shortest story that shows it, and the seed that repeats it.
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// No tick runs twice, none is skipped silently: each is the step of the chunk in use that is meant for it, or a rung of
    /// the ladder; every chunk is taken or refused by the book; no limit is exceeded; what heads are told comes true.
    #[test]
    fn every_tick_is_a_chunks_own_step_or_a_rung_of_the_ladder(story in any_story()) {
        plays_by_the_book(&story)?;
    }
}

#[test]
fn an_early_chunk_waits_for_the_tick_that_it_was_told() {
    let mut bench = Bench::armed();
    let seam = Seam::Prefix { ticks: 0 };
    let plan = Plan { lead: 3, seam, first_step: FirstStep::TakeOver, ..Plan::plain(HEAD, 4) };
    bench.follow(1, plan);
    bench.tick();
    let ask = bench.ask().expect("a run has begun");
    assert_eq!((ask.delay, ask.first.0), (3, ask.tick.0 + 3));
    let mut chunk = Chunk::answering(ChunkId(1), HEAD, &ask);
    for k in 0..8 {
        assert!(chunk.push(&[0.001 * f64::from(k), 0.0, 0.0]));
    }
    bench.replies.push(Reply::Chunk(chunk));
    let ticks: Vec<Tick> = (0..5).map(|_| bench.tick().1).collect();
    assert!(ticks[..3].iter().all(|tick| tick.source == Source::Waiting));
    let step = |step| Source::Chunk { chunk: ChunkId(1), head: HEAD, step };
    assert_eq!((ticks[3].source, ticks[4].source), (step(0), step(1)));
    let adopted = Event::Adopted { chunk: ChunkId(1), delay: 3, late: 0 };
    assert_eq!(ticks[3].events.as_slice(), &[adopted]);
    assert!(bench.ask().is_some(), "three ticks before the fourth step is done");
}

#[test]
fn an_ensemble_is_the_mean_of_all_that_cover_the_tick_and_a_gripper_snaps() {
    let mut bench = Bench::of(with_a_gripper()).arm();
    bench.follow(1, Plan { seam: Seam::Ensemble { coefficient: 0.0 }, ..Plan::plain(HEAD, 1) });
    bench.tick();
    for (k, value) in [0.01, 0.03, 0.05].into_iter().enumerate() {
        let now = bench.law.now().0;
        bench.chunk(1, now, &[[value, 0.0, value]; 3], false);
        let (_, tick) = bench.tick();
        let mean = [0.01, 0.02, 0.03][k];
        assert!((tick.requested[0] - mean).abs() < 1e-12, "{k}: {:?}", tick.requested);
        assert_eq!(tick.requested[GRIPPER], value);
    }
    // The oldest does not reach this tick, and has no say in it.
    let (_, tick) = bench.tick();
    assert!((tick.requested[0] - 0.04).abs() < 1e-12, "{:?}", tick.requested);
}

#[test]
fn a_state_rolled_forward_is_the_one_of_the_take_over() {
    let mut bench = Bench::armed();
    let plan = Plan { lead: 2, first_step: FirstStep::TakeOver, ..Plan::plain(HEAD, 4) };
    bench.follow(1, plan);
    bench.tick();
    let now = bench.law.now().0;
    let ramp: Vec<[f64; JOINTS]> = (1..=8).map(|k| [0.002 * f64::from(k * k), 0.0, 0.0]).collect();
    bench.chunk(1, now, &ramp, false);
    for _ in 0..2 {
        bench.tick();
    }
    // The drives lag by a hundredth of a radian; they go on lagging.
    bench.state.position[0] -= 0.01;
    bench.state.velocity = joints(&[0.1, 0.0, 0.0]);
    let ask = bench.ask().expect("two ticks ahead of the fourth step");
    let rolled = ask.rolled_forward(bench.law.robot().limits(), DT);
    let close =
        |value: f64, wanted: f64| assert!((value - wanted).abs() < 1e-12, "{value} {wanted}");
    close(ask.last_command[0], 0.008);
    close(rolled.last_command[0], 0.032);
    close(rolled.last_velocity[0], (0.032 - 0.018) / DT);
    close(rolled.state.position[0], ask.state.position[0] + 0.032 - 0.008);
    close(rolled.state.velocity[0], 0.1 + ((0.032 - 0.018) - (0.008 - 0.002)) / DT);
    assert_eq!((rolled.first.0, rolled.delay, ask.delay), (ask.tick.0 + 2, 0, 2));
    assert_eq!(
        rolled.rolled_forward(bench.law.robot().limits(), DT).last_command,
        rolled.last_command
    );
    // Never beyond where the joint can be.
    let mut far = ask;
    far.state.position[0] = 1.999;
    close(far.rolled_forward(bench.law.robot().limits(), DT).state.position[0], 2.0);
}

#[test]
fn a_run_that_is_stopped_takes_no_chunk_any_more() {
    let mut bench = Bench::armed();
    bench.begin(1, Seam::Cut);
    bench.tick();
    bench.order(What::Hold);
    let now = bench.law.now().0;
    bench.chunk(1, now, &[[0.1, 0.0, 0.0]; 8], false);
    let (_, tick) = bench.tick();
    assert_eq!(tick.source, Source::Rest);
    assert!(bench.ask().is_none());
}
