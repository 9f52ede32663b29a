//! Chunks and corrections through the whole loop, with threads that are slow, fail, or panic.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use motion::{
    Ask, Chunk, ChunkId, Controller, Corrected, CorrectionRule, Epoch, Event, HeadDigest, Inputs,
    JointLimits, Joints, Nanos, Order, OrderId, Plan, Reply, Robot, Rules, Run, RunId, Seam,
    Source, State, Tick, TickIndex, What,
};
use reflex::{Clock, Loop, Timing, backend::loopback::Loopback, ports};
use reflexd::skill::{Assignment, Skill, correction::Corrects, think};
use serde_json::Value;

use crate::rig::{here, joints, plain_robot};

const HEAD: HeadDigest = HeadDigest(7);
const SMALL: HeadDigest = HeadDigest(8);

/// What a run through threads has told.
struct Told {
    ticks: Vec<Tick>,
    timing: Timing,
    failures: Vec<String>,
}

impl Told {
    fn chunk_ticks(&self) -> impl Iterator<Item = &Tick> {
        self.ticks.iter().filter(|tick| matches!(tick.source, Source::Chunk { .. }))
    }

    fn adopted(&self) -> Vec<(u32, u32)> {
        let events = self.ticks.iter().flat_map(|tick| tick.events.as_slice());
        let adopted = events.filter_map(|event| match event {
            Event::Adopted { delay, late, .. } => Some((*delay, *late)),
            _ => None,
        });
        adopted.collect()
    }
}

/// Runs a skill for so many ticks; `now` counts the ticks that are over.
fn play(clock: Clock, skill: Box<dyn Skill>, ticks: u64, now: &AtomicU64) -> Told {
    let robot = plain_robot(2);
    let (ports, mut commander, thinker, mut listener, switch) = ports();
    let backend = Box::new(Loopback::new(joints(&[0.0; 2]), robot.period_s()));
    let mut turns = Loop::new(clock, backend, Controller::new(robot), ports);
    let run = Run { id: RunId(1), plan: skill.plan(), expires: Nanos(u64::MAX) };
    let (assign, assignments) = mpsc::channel();
    assign.send(Assignment { run: run.id, skill }).expect("a thinker");
    let mut told = Told { ticks: Vec::new(), timing: Timing::default(), failures: Vec::new() };
    std::thread::scope(|scope| {
        let (fail, failed) = mpsc::channel();
        scope
            .spawn(move || think(thinker, &assignments, |failure| drop(fail.send(failure.reason))));
        turns.turn();
        for (id, what) in [(1, What::Arm), (2, What::Begin(run))] {
            assert!(commander.send(Order { id: OrderId(id), epoch: Epoch(u64::MAX), what }));
            turns.turn();
        }
        for _ in 0..ticks {
            turns.turn();
            while let Some(report) = listener.next(Duration::ZERO) {
                now.store(report.tick.tick.0 + 1, Ordering::Release);
                told.timing = report.timing;
                told.ticks.push(report.tick);
            }
        }
        // Whoever still waits for a tick gets it.
        now.store(u64::MAX, Ordering::Release);
        switch.quit();
        told.failures.extend(failed);
    });
    told
}

/// Says for every tick where it should be then; answers only when so many more ticks are over.
struct Slow {
    plan: Plan,
    ticks: u64,
    now: Arc<AtomicU64>,
}

fn place(tick: u64) -> f64 {
    0.1 * (tick as f64 * 0.05).sin()
}

impl Skill for Slow {
    fn plan(&self) -> Plan {
        self.plan
    }

    fn digest(&self) -> HeadDigest {
        HEAD
    }

    fn next(&mut self, ask: &Ask, chunk: &mut Chunk) -> Result<(), String> {
        while self.now.load(Ordering::Acquire) < ask.tick.0 + self.ticks {
            std::thread::sleep(Duration::from_millis(1));
        }
        for k in 0..16 {
            chunk.push(&[place(ask.tick.0 + k), 0.0]);
        }
        Ok(())
    }
}

/// Each tick's set-point is the one that was meant for it, whenever its chunk came.
fn each_tick_has_its_own_set_point(told: &Told) {
    assert!(told.chunk_ticks().count() > 20, "{:?}", told.adopted());
    for tick in told.chunk_ticks() {
        let (at, wish) = (tick.tick.0, tick.requested[0]);
        assert!((wish - place(at)).abs() < 1e-12, "tick {at}: {wish}");
    }
}

#[test]
fn an_inline_chunk_that_misses_its_deadline_is_adopted_late_and_shifted() {
    let now = Arc::new(AtomicU64::new(0));
    let plan = Plan { deadline_ns: 2_000_000, ..Plan::plain(HEAD, 8) };
    let skill = Slow { plan, ticks: 2, now: Arc::clone(&now) };
    let told = play(Clock::Monotonic, Box::new(skill), 50, &now);
    each_tick_has_its_own_set_point(&told);
    let adopted = told.adopted();
    assert!(adopted.iter().all(|(delay, late)| *delay >= 2 && delay == late), "{adopted:?}");
    assert!(told.timing.late_chunks >= adopted.len() as u64, "{:?}", told.timing);
    assert!(told.failures.is_empty(), "{:?}", told.failures);
}

#[test]
fn a_prefetched_chunk_that_takes_as_long_as_told_is_never_waited_for_nor_missed() {
    let now = Arc::new(AtomicU64::new(0));
    let plan = Plan { lead: 6, ..Plan::plain(HEAD, 10) };
    let skill = Slow { plan, ticks: 2, now: Arc::clone(&now) };
    let told = play(Clock::Monotonic, Box::new(skill), 50, &now);
    each_tick_has_its_own_set_point(&told);
    assert_eq!(told.timing.late_chunks, 0, "nobody waited");
    let first = told.ticks.iter().position(|tick| matches!(tick.source, Source::Chunk { .. }));
    let after = &told.ticks[first.expect("a chunk")..];
    let dry = after.iter().filter(|tick| !matches!(tick.source, Source::Chunk { .. })).count();
    // A machine that stood still for long may have let a chunk run out: then it was behind, and that was told.
    let behind = told.adopted().iter().any(|(_, late)| *late > 0);
    assert!(dry == 0 || behind, "{dry} ticks without a chunk, {:?}", told.adopted());
}

/// Follows a course of zeros, corrected by something.
struct Small {
    plan: Plan,
    corrects: fn(&Ask) -> Result<Joints, String>,
}

impl Small {
    fn by(corrects: fn(&Ask) -> Result<Joints, String>) -> Box<Self> {
        let offset_max = joints(&[0.05; 2]);
        let rule = CorrectionRule { head: SMALL, deadline_ns: 2_000_000, offset_max };
        Box::new(Self { plan: Plan { correction: Some(rule), ..Plan::plain(HEAD, 8) }, corrects })
    }
}

impl Skill for Small {
    fn plan(&self) -> Plan {
        self.plan
    }

    fn digest(&self) -> HeadDigest {
        HEAD
    }

    fn corrector(&self) -> Option<Box<dyn Corrects>> {
        Some(Box::new(By(self.corrects)))
    }

    fn next(&mut self, _: &Ask, chunk: &mut Chunk) -> Result<(), String> {
        while chunk.len() < 12 {
            chunk.push(&[0.0; 2]);
        }
        Ok(())
    }
}

struct By(fn(&Ask) -> Result<Joints, String>);

impl Corrects for By {
    fn digest(&self) -> HeadDigest {
        SMALL
    }

    fn correct(&mut self, ask: &Ask) -> Result<Joints, String> {
        (self.0)(ask)
    }
}

#[test]
fn every_set_point_is_corrected_from_its_own_ticks_state() {
    // As far as the joint is from 0.02 now, but of the second joint the step that it is at.
    let skill = Small::by(|ask| {
        let at = ask.state.position[0];
        let told = ask.course.at(0, 0).ok_or("no base action")?;
        Ok(joints(&[(0.02 - at) * 0.5 + told, 1e-4 * f64::from(ask.step)]))
    });
    let told = play(Clock::lockstep(), skill, 60, &AtomicU64::new(0));
    assert!(told.failures.is_empty(), "{:?}", told.failures);
    assert!(told.chunk_ticks().count() > 50);
    for tick in told.chunk_ticks() {
        assert_eq!(tick.corrected, Corrected::Added, "tick {}", tick.tick.0);
        let Source::Chunk { step, .. } = tick.source else { unreachable!("a chunk's tick") };
        assert!((tick.requested[1] - 1e-4 * f64::from(step)).abs() < 1e-12);
        assert!((tick.requested[0] - (0.02 - tick.state.position[0]) * 0.5).abs() < 1e-12);
    }
}

#[test]
fn a_correction_that_fails_or_panics_costs_nothing_but_itself() {
    for corrects in [(|_| Err("no idea".to_owned())) as fn(&Ask) -> Result<Joints, String>, |_| {
        panic!("on purpose")
    }] {
        let told = play(Clock::lockstep(), Small::by(corrects), 40, &AtomicU64::new(0));
        assert!(told.chunk_ticks().count() > 30);
        for tick in told.chunk_ticks() {
            assert_eq!((tick.corrected, tick.requested[0]), (Corrected::Missed, 0.0));
        }
        assert_eq!(told.failures.len(), 1, "told once, not in every tick: {:?}", told.failures);
    }
}

#[test]
fn a_correction_that_is_late_is_dropped_counted_and_not_used_in_the_next_tick() {
    let skill = Small::by(|_| {
        std::thread::sleep(Duration::from_millis(20));
        Ok(joints(&[0.01; 2]))
    });
    let told = play(Clock::Monotonic, skill, 30, &AtomicU64::new(0));
    let ticks: Vec<&Tick> = told.chunk_ticks().collect();
    assert!(ticks.len() > 15);
    let missed = ticks.iter().filter(|tick| tick.corrected == Corrected::Missed).count();
    assert_eq!(missed, ticks.len(), "each takes ten times its deadline");
    assert!(ticks.iter().all(|tick| tick.requested[0] == 0.0));
    assert!(told.timing.late_corrections >= missed as u64, "{:?}", told.timing);
}

/// One set-point of each tick, as a law with nothing but an ensemble asks for it.
fn ensembled(coefficient: f64, chunks: &[Vec<Joints>]) -> Vec<Joints> {
    let count = chunks[0][0].len();
    let joint = JointLimits {
        position_min: -50.0,
        position_max: 50.0,
        velocity_max: 1e4,
        acceleration_max: 1e6,
        jerk_max: 1e8,
        step_max: 1e3,
        divergence_max: 1e3,
        gripper: false,
    };
    let robot = Robot::build(0.05, &vec![joint; count], Rules::default()).expect("wide limits");
    let mut law = Controller::new(robot);
    let plan = Plan { seam: Seam::Ensemble { coefficient }, ..Plan::plain(HEAD, 1) };
    let run = Run { id: RunId(1), plan, expires: Nanos(u64::MAX) };
    let mut state = State::blank(count);
    let mut tick = |law: &mut Controller, what: Option<What>, chunk: Option<Chunk>| {
        let now = Nanos(law.now().0 * 50_000_000);
        state.sampled_at = now;
        let order = what.map(|what| Order { id: OrderId(1), epoch: Epoch(u64::MAX), what });
        let reply = chunk.map(Reply::Chunk);
        let (command, tick) = law.tick(&Inputs {
            now,
            state: &state,
            stop: None,
            early: false,
            outside: motion::failsafe::Conditions::NONE,
            orders: order.as_slice(),
            replies: reply.as_slice(),
            correction: None,
        });
        state.position = *command.position();
        tick.requested
    };
    for what in [None, Some(What::Arm), Some(What::Begin(run))] {
        tick(&mut law, what, None);
    }
    let mut wishes = Vec::new();
    for (k, steps) in chunks.iter().enumerate() {
        let now = TickIndex(law.now().0);
        let mut chunk = Chunk::empty(ChunkId(k as u64), RunId(1), HEAD, now, count);
        assert!(steps.iter().all(|step| chunk.push(step)));
        wishes.push(tick(&mut law, None, Some(chunk)));
    }
    wishes
}

/// Vectors of LeRobot's `ACTTemporalEnsembler`, which lie outside of the checkout.
#[test]
fn an_ensemble_is_that_of_act() {
    let path = here("../shared/actions/vectors/act_temporal_ensemble.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return;
    };
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let row = |row: &Value| -> Joints {
        let values: Vec<f64> =
            row.as_array().into_iter().flatten().flat_map(Value::as_f64).collect();
        joints(&values)
    };
    let cases = file["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let rows = |of: &Value| of.as_array().into_iter().flatten().map(row).collect::<Vec<_>>();
        let chunks: Vec<Vec<Joints>> =
            case["chunks"].as_array().into_iter().flatten().map(rows).collect();
        let wanted = rows(&case["actions"]);
        let got = ensembled(case["coeff"].as_f64().expect("a number"), &chunks);
        assert_eq!(got.len(), wanted.len());
        for (k, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            for (got, wanted) in got.iter().zip(wanted.iter()) {
                assert!((got - wanted).abs() < 1e-6, "{} step {k}: {got} {wanted}", case["id"]);
            }
        }
    }
}
