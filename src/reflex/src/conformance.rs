//! The promises of a backend, checked on every one through the whole loop: on virtual time where the robot is simulated, at
//! the real pace where it is not.
//!
//! Shipped with the crate, so that a backend of somebody else's can be held to them too. What a robot does at a stop and
//! when it is released is its own, and not checked here.

use motion::{
    Chunk, ChunkId, Controller, Drive, Epoch, HeadDigest, Health, Joints, Mode, Nanos, Order,
    OrderId, Plan, Reply, Robot, Run, RunId, State, What,
};

use crate::{Backend, Clock, Commander, Listener, Loop, Report, Thinker, clock::Bell, ports};

/// What is expected of a backend beyond the law.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Ticks until its first good state: none of a simulator.
    pub boot_ticks: u32,
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

/// Checks one backend at the pace of a clock; `goal` is a pose within one second of the pose that it starts at.
///
/// # Errors
/// The first promise that it breaks, in words.
pub fn check(
    backend: Box<dyn Backend>,
    robot: &Robot,
    clock: Clock,
    goal: &Joints,
    expected: &Expected,
) -> Result<(), String> {
    let mut rig = Rig::new(backend, robot, clock);
    comes_up(&mut rig, expected)?;
    let found = reads_are_whole_and_fresh(&mut rig, robot)?;
    stays_while_nothing_is_commanded(&mut rig, &found, expected)?;
    let held = is_taken_hold_of(&mut rig, robot, expected)?;
    follows(&mut rig, robot, &held, goal, expected)?;
    stays_when_let_go(&mut rig, expected)?;
    is_taken_hold_of(&mut rig, robot, expected)?;
    stays_when_let_go(&mut rig, expected)
}

/// Looks at a backend that commands nothing yet: whether so many reads, one a period, are whole, fresh, in order and well,
/// and the robot stands still meanwhile, to a rule's `arm_tolerance`. Returns its pose. Virtual time goes on by as much.
///
/// # Errors
/// The first thing that is not so, in words.
pub fn probe(
    backend: &mut dyn Backend,
    robot: &Robot,
    clock: &Clock,
    reads: u32,
) -> Result<Joints, String> {
    let (period_ns, bell) = ((robot.period_s() * 1e9) as u64, Bell::default());
    let mut state = State::blank(robot.joints());
    let (mut before, mut first) = (Nanos(0), None);
    let mut due = clock.now();
    for _ in 0..reads.max(1) {
        clock.sleep_until(due, &bell, bell.rung());
        due = due.after(period_ns);
        let now = clock.now();
        backend.read(now, &mut state);
        is_whole_and_fresh(&state, now, before, robot)?;
        before = state.sampled_at;
        let stood = *first.get_or_insert(state.position);
        near(&state.position, &stood, robot.rules().arm_tolerance, "does not stand still")?;
    }
    Ok(state.position)
}

fn comes_up(rig: &mut Rig, expected: &Expected) -> Result<(), String> {
    for _ in 0..=expected.boot_ticks {
        let tick = rig.turn()?.tick;
        if tick.mode == Mode::Disarmed {
            return Ok(());
        }
        if tick.mode != Mode::Booting {
            return Err(format!("comes up in mode {:?}", tick.mode));
        }
    }
    let tick = rig.turn()?.tick;
    Err(format!("is not well after {} ticks: {:?}", expected.boot_ticks, tick.trouble))
}

fn reads_are_whole_and_fresh(rig: &mut Rig, robot: &Robot) -> Result<Joints, String> {
    let mut before = Nanos(0);
    for _ in 0..5 {
        let tick = rig.turn()?.tick;
        is_whole_and_fresh(&tick.state, tick.at, before, robot)?;
        before = tick.state.sampled_at;
    }
    Ok(rig.turn()?.tick.state.position)
}

fn is_whole_and_fresh(
    state: &State,
    at: Nanos,
    before: Nanos,
    robot: &Robot,
) -> Result<(), String> {
    let period_ns = (robot.period_s() * 1e9) as u64;
    match state.health {
        Health::Good => {}
        Health::Unwell(ailment) => return Err(format!("it is not well: {ailment}")),
        Health::Lost => return Err("it says that it lost the robot".into()),
    }
    if state.position.len() != robot.joints() || state.velocity.len() != robot.joints() {
        return Err(format!("reads {} joints of {}", state.position.len(), robot.joints()));
    }
    if !state.position.is_finite() || !state.velocity.is_finite() {
        return Err(format!("a healthy robot reads {state:?}"));
    }
    if state.sampled_at > at || at.since(state.sampled_at) > period_ns {
        return Err(format!("at {at:?} it reads a state of {:?}", state.sampled_at));
    }
    if state.sampled_at < before {
        return Err("a state is older than the one before".into());
    }
    Ok(())
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

/// Motors may be without power while nothing is commanded. Once they are switched on they follow in time, come up where the
/// robot stands, and stay.
fn is_taken_hold_of(rig: &mut Rig, robot: &Robot, expected: &Expected) -> Result<Joints, String> {
    let stood = rig.turn()?.tick.state.position;
    let mut tick =
        rig.order(What::Arm, |mode| matches!(mode, Mode::Arming { .. } | Mode::Holding))?.tick;
    let period_ns = (robot.period_s() * 1e9) as u64;
    let ticks_max = robot.rules().engage_max_ns.div_ceil(period_ns) + 2;
    for _ in 0..ticks_max {
        if !matches!(tick.mode, Mode::Arming { .. }) {
            break;
        }
        tick = rig.turn()?.tick;
    }
    if tick.mode != Mode::Holding {
        return Err(format!("armed, it leads to {:?}: {:?}", tick.mode, tick.trouble));
    }
    let leap_max = expected.drift_max + expected.rest_error_max;
    near(&tick.state.position, &stood, leap_max, "leapt when it was taken hold of")?;
    let held = tick.applied;
    for _ in 0..expected.settle_ticks {
        tick = rig.turn()?.tick;
        if tick.mode != Mode::Holding {
            return Err(format!("held, it leads to {:?}: {:?}", tick.mode, tick.trouble));
        }
    }
    near(&tick.state.position, &held, expected.rest_error_max, "does not stay where it is held")?;
    Ok(held)
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
        return Err(format!("after a motion it is {:?}: {:?}", tick.mode, tick.trouble));
    }
    near(&tick.applied, goal, 1e-9, "was not commanded to the goal")?;
    near(&tick.state.position, goal, expected.rest_error_max, "does not follow")
}

fn stays_when_let_go(rig: &mut Rig, expected: &Expected) -> Result<(), String> {
    rig.order(What::Disarm, |mode| *mode == Mode::Disarmed)?;
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
    fn new(backend: Box<dyn Backend>, robot: &Robot, clock: Clock) -> Self {
        let (ports, commander, thinker, listener, _switch) = ports();
        let turns = Loop::new(clock, backend, Controller::new(*robot), ports);
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

    fn order(&mut self, what: What, leads: impl Fn(&Mode) -> bool) -> Result<Report, String> {
        self.send(what)?;
        let report = self.turn()?;
        if leads(&report.tick.mode) {
            return Ok(report);
        }
        let (mode, events) = (report.tick.mode, report.tick.events);
        Err(format!("{what:?} leads to {mode:?}: {:?}", events.as_slice()))
    }
}

#[cfg(test)]
#[path = "conformance_test.rs"]
mod tests;
