//! The promises of a backend, checked on every one through the whole loop, on virtual time.
//!
//! Shipped with the crate, so that a backend of somebody else's can be held to them too.

use motion::{
    Chunk, ChunkId, Controller, Drive, Epoch, HeadDigest, Health, Joints, Mode, Nanos, Order,
    OrderId, Plan, Reply, Robot, Run, RunId, What,
};

use crate::{Backend, Clock, Commander, Listener, Loop, Report, Thinker, ports};

/// What is expected of a backend beyond the law.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// How far a joint may stand from a command at rest, rad or m.
    pub rest_error_max: f64,
    /// How far a joint may move while nothing is commanded.
    pub drift_max: f64,
    /// Ticks that it takes to come to rest.
    pub settle_ticks: u32,
}

struct Rig {
    turns: Loop,
    commander: Commander,
    thinker: Thinker,
    listener: Listener,
    orders: u64,
}

/// Checks one backend; `goal` is a pose within one second of the pose that it starts at.
///
/// # Errors
/// The first promise that it breaks, in words.
pub fn check(
    backend: Box<dyn Backend>,
    robot: &Robot,
    goal: &Joints,
    expected: &Expected,
) -> Result<(), String> {
    let mut rig = Rig::new(backend, robot);
    let found = reads_are_whole_and_fresh(&mut rig, robot)?;
    stays_while_nothing_is_commanded(&mut rig, &found, expected)?;
    rig.order(What::Arm, |report| report.tick.mode == Mode::Holding)?;
    follows(&mut rig, robot, &found, goal, expected)?;
    stays_when_let_go(&mut rig, expected)
}

fn reads_are_whole_and_fresh(rig: &mut Rig, robot: &Robot) -> Result<Joints, String> {
    let period_ns = (robot.period_s() * 1e9) as u64;
    let mut before = Nanos(0);
    for _ in 0..5 {
        let tick = rig.turn()?.tick;
        let state = &tick.state;
        if state.health != Health::Good
            || !state.position.is_finite()
            || !state.velocity.is_finite()
        {
            return Err(format!("a healthy robot reads {state:?}"));
        }
        if state.position.len() != robot.joints() || state.velocity.len() != robot.joints() {
            return Err(format!("reads {} joints of {}", state.position.len(), robot.joints()));
        }
        if state.sampled_at > tick.at || tick.at.since(state.sampled_at) > period_ns {
            return Err(format!("at {:?} it reads a state of {:?}", tick.at, state.sampled_at));
        }
        if state.sampled_at < before {
            return Err("a state is older than the one before".into());
        }
        before = state.sampled_at;
    }
    Ok(rig.turn()?.tick.state.position)
}

fn stays_while_nothing_is_commanded(
    rig: &mut Rig,
    found: &Joints,
    expected: &Expected,
) -> Result<(), String> {
    for _ in 0..20 {
        let tick = rig.turn()?.tick;
        if tick.drive == Drive::On {
            return Err(format!("commanded in mode {:?}", tick.mode));
        }
        near(&tick.state.position, found, expected.drift_max, "moved without a command")?;
    }
    Ok(())
}

fn follows(
    rig: &mut Rig,
    robot: &Robot,
    from: &Joints,
    goal: &Joints,
    expected: &Expected,
) -> Result<(), String> {
    let plan = Plan { deadline_ns: 1_000_000, ticks_max: 1_000, ..Plan::plain(HeadDigest(0), 40) };
    let run = Run { id: RunId(1), plan, expires: Nanos(u64::MAX) };
    rig.send(What::Begin(run))?;
    let observed = motion::TickIndex(rig.turn()?.tick.tick.0 + 1);
    let mut chunk = Chunk::empty(ChunkId(1), run.id, HeadDigest(0), observed, robot.joints());
    for k in 1..=40 {
        let share = 0.5 - 0.5 * (std::f64::consts::PI * f64::from(k) / 40.0).cos();
        let mut step = *from;
        for (value, goal) in step.iter_mut().zip(goal.iter()) {
            *value += (goal - *value) * share;
        }
        chunk.push(&step);
    }
    chunk.ends = true;
    if !rig.thinker.reply(Reply::Chunk(chunk)) {
        return Err("the loop takes no replies".into());
    }
    for _ in 0..40 + expected.settle_ticks {
        rig.turn()?;
    }
    let tick = rig.turn()?.tick;
    if tick.mode != Mode::Holding {
        return Err(format!("after a motion the mode is {:?}", tick.mode));
    }
    near(&tick.applied, goal, 1e-9, "was not commanded to the goal")?;
    near(&tick.state.position, goal, expected.rest_error_max, "does not follow")
}

fn stays_when_let_go(rig: &mut Rig, expected: &Expected) -> Result<(), String> {
    rig.order(What::Disarm, |report| report.tick.mode == Mode::Disarmed)?;
    let at = rig.turn()?.tick.state.position;
    for _ in 0..20 {
        let tick = rig.turn()?.tick;
        near(&tick.state.position, &at, expected.drift_max, "moved when it was let go")?;
    }
    Ok(())
}

fn near(is: &Joints, should: &Joints, tolerance: f64, what: &str) -> Result<(), String> {
    let mut pairs = is.iter().zip(should.iter()).enumerate();
    match pairs.find(|(_, (is, should))| (*is - *should).abs() > tolerance) {
        Some((joint, (is, should))) => {
            Err(format!("joint {joint} {what}: {is}, expected {should} within {tolerance}"))
        }
        None => Ok(()),
    }
}

impl Rig {
    fn new(backend: Box<dyn Backend>, robot: &Robot) -> Self {
        let (ports, commander, thinker, listener, _switch) = ports();
        let turns = Loop::new(Clock::lockstep(), backend, Controller::new(*robot), ports);
        Self { turns, commander, thinker, listener, orders: 0 }
    }

    fn turn(&mut self) -> Result<Report, String> {
        self.turns.turn();
        self.listener.next(std::time::Duration::ZERO).ok_or_else(|| "the loop tells nothing".into())
    }

    fn send(&mut self, what: What) -> Result<(), String> {
        self.orders += 1;
        let order = Order { id: OrderId(self.orders), epoch: Epoch(u64::MAX), what };
        self.commander.send(order).then_some(()).ok_or_else(|| "the loop takes no orders".into())
    }

    fn order(&mut self, what: What, done: impl Fn(&Report) -> bool) -> Result<(), String> {
        self.send(what)?;
        let report = self.turn()?;
        if done(&report) {
            Ok(())
        } else {
            Err(format!(
                "{what:?} leads to {:?}: {:?}",
                report.tick.mode,
                report.tick.events.as_slice()
            ))
        }
    }
}
