//! What must hold in every tick, whatever the weather. Knows nothing of the filter and the controller: it sees what went in,
//! what was told and what reached the robot, and reckons by differences.

use motion::{
    Attendance, Drive, Ending, Epoch, Event, Health, JointLimits, Joints, Mode, Nanos, Robot,
    RunId, TickIndex, What, failsafe::Condition,
};

use super::diagram;
use crate::bottle::{Seen, Written};

/// A promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// Each tick is executed once, on the grid, later than the one before.
    Once,
    /// The robot is commanded once a tick, and what it is commanded is what is told.
    Written,
    /// Every number that is commanded is one.
    Finite,
    /// Commands keep their joints' position limits.
    Position,
    /// Speed, by the difference of commands.
    Velocity,
    /// Acceleration, by the difference of speeds.
    Acceleration,
    /// Jerk, by the difference of accelerations.
    Jerk,
    /// Nothing that is watched comes nearer than the margin, or than it stood when the robot was armed.
    Apart,
    /// What is to be slow is slow.
    Slow,
    /// The mode goes only where the diagram has an arrow.
    Mode,
    /// A pulled stop is an e-stop in the very tick, and commands say so until it is cleared.
    EStop,
    /// What is wrong with what is measured is a fault in the very tick.
    Fault,
    /// Nothing is commanded that was not armed.
    Armed,
    /// Nothing moves from rest but by a run that was begun.
    Begun,
    /// Fault and e-stop stay until they are cleared.
    Latched,
    /// Nothing from before a stop runs after it.
    Queued,
    /// Braking ends in time.
    StopTime,
    /// And near.
    StopDistance,
    /// The loop's thread does not touch the heap.
    Heap,
    /// Nothing panics.
    Panic,
    /// The law is a function of its inputs.
    Replay,
    /// Nothing moves while nobody is heard of who has to be.
    Attended,
}

/// A promise that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) promise: Promise,
    pub(crate) tick: TickIndex,
    pub(crate) words: String,
}

/// Rounding in differences: of positions of some rad, over the cube of a period.
const SLACK: f64 = 1e-6;

/// Commands that follow each other.
struct Trail {
    position: Joints,
    velocity: Joints,
    acceleration: Joints,
}

impl Trail {
    fn at_rest(position: Joints) -> Self {
        let rest = Joints::zeros(position.len());
        Self { position, velocity: rest, acceleration: rest }
    }

    fn rests(&self) -> bool {
        // Positions are summed up: a joint at rest repeats its command to the bit.
        self.velocity.iter().all(|value| *value == 0.0)
    }
}

/// A robot that has to come to rest.
struct Braking {
    since: TickIndex,
    from: Joints,
    ticks: u32,
    ticks_max: u32,
    way_max: Joints,
}

/// Looks at every tick of one robot.
pub(crate) struct Judge {
    robot: Robot,
    period_ns: u64,
    last: Option<(TickIndex, Nanos)>,
    /// The first deadline, and the last.
    grid: Option<(u64, u64)>,
    mode: Mode,
    epoch: Epoch,
    armed: bool,
    /// The run that was begun since the last stop, and when.
    run: Option<(RunId, TickIndex)>,
    chunks: Vec<(motion::ChunkId, RunId, TickIndex)>,
    trail: Option<Trail>,
    braking: Option<Braking>,
    /// How near two things may come, m, after the last command.
    floor_m: Option<f64>,
    /// Until when the operator counts as heard of.
    heard: Option<Nanos>,
    /// Ticks in a row in which the robot was to be slow.
    slow_ticks: u32,
    /// The longest that braking took, ticks.
    pub(crate) braked_ticks: u32,
    /// Ticks in which the robot moved.
    pub(crate) moved_ticks: u64,
}

impl Judge {
    pub(crate) fn new(robot: Robot) -> Self {
        Self {
            period_ns: (robot.period_s() * 1e9).round() as u64,
            robot,
            last: None,
            grid: None,
            mode: Mode::Booting,
            epoch: Epoch(0),
            armed: false,
            run: None,
            chunks: Vec::new(),
            trail: None,
            braking: None,
            floor_m: None,
            heard: None,
            slow_ticks: 0,
            braked_ticks: 0,
            moved_ticks: 0,
        }
    }

    /// Looks at the next tick.
    pub(crate) fn look(&mut self, seen: &Seen) -> Result<(), Broken> {
        let broken = |(promise, words)| Broken { promise, tick: seen.tick, words };
        self.once(seen).map_err(broken)?;
        let command = written(seen).map_err(broken)?;
        self.estop_and_fault(seen, &command).map_err(broken)?;
        self.latched(seen).map_err(broken)?;
        let walked = diagram::walk(&self.mode, self.epoch, seen).map_err(broken)?;
        self.queued(seen, &walked).map_err(broken)?;
        self.attended(seen).map_err(broken)?;
        self.authority(seen, &command).map_err(broken)?;
        self.motion(seen, &command, walked.arms()).map_err(broken)?;
        (self.mode, self.epoch) = (seen.mode, seen.epoch);
        Ok(())
    }

    fn once(&mut self, seen: &Seen) -> Verdict {
        let (tick, at) = (seen.tick, seen.at);
        if let Some((last, before)) = self.last.replace((tick, at)) {
            must(tick.0 == last.0 + 1, Promise::Once, || format!("after tick {}", last.0))?;
            must(at >= before, Promise::Once, || format!("at {} after {}", at.0, before.0))?;
        }
        if !seen.early {
            let deadline = at.0 - seen.lateness_ns;
            let (first, last) = *self.grid.get_or_insert((deadline, 0));
            let off = (deadline - first) % self.period_ns;
            must(off == 0, Promise::Once, || format!("{off} ns off the grid"))?;
            must(last == 0 || deadline > last, Promise::Once, || {
                format!("a deadline twice: {deadline}")
            })?;
            self.grid = Some((first, deadline.max(1)));
        }
        must(seen.allocations == 0, Promise::Heap, || format!("{} times", seen.allocations))
    }

    fn estop_and_fault(&self, seen: &Seen, command: &Written) -> Verdict {
        let stopped = matches!(seen.mode, Mode::EStopped { .. });
        must(seen.stop.is_none() || stopped, Promise::EStop, || {
            format!("the stop is pulled, the robot is {:?}", seen.mode)
        })?;
        must(command.is_stop == stopped, Promise::EStop, || {
            format!("{:?}, and the command says {}", seen.mode, command.is_stop)
        })?;
        let kept =
            matches!(seen.mode, Mode::Booting | Mode::Faulted { .. } | Mode::EStopped { .. });
        must(kept || !self.is_ill(seen), Promise::Fault, || {
            format!("{:?} although {:?}", seen.mode, seen.measured)
        })
    }

    /// What is wrong with what was measured, as far as one look tells.
    fn is_ill(&self, seen: &Seen) -> bool {
        let state = &seen.measured;
        let joints = self.robot.joints();
        let shape = state.position.len() != joints || state.velocity.len() != joints;
        let numbers = state.position.iter().chain(state.velocity.iter());
        let age_ns = seen.at.0.saturating_sub(state.sampled_at.0);
        state.health != Health::Good
            || shape
            || numbers.into_iter().any(|value| !value.is_finite())
            || age_ns > self.robot.rules().state_age_max_ns
    }

    /// What was ordered before a stop is not carried out after it; a chunk is of the run that is followed.
    fn queued(&mut self, seen: &Seen, walked: &diagram::Walked) -> Verdict {
        for (order, epoch) in &walked.begun {
            must(order.epoch >= *epoch, Promise::Queued, || {
                format!("{:?} of {:?} in {epoch:?}", order.what, order.epoch)
            })?;
            if let What::Begin(run) = order.what {
                self.run = Some((run.id, seen.tick));
            }
        }
        self.chunks.extend(&seen.chunks);
        let excess = self.chunks.len().saturating_sub(64);
        self.chunks.drain(..excess);
        for event in &seen.events {
            let Event::Adopted { chunk, .. } = event else { continue };
            let known = self.chunks.iter().rev().find(|(id, ..)| id == chunk);
            let of_run = known.is_some_and(|(_, run, observed)| {
                self.run.is_some_and(|(begun, at)| begun == *run && *observed >= at)
            });
            must(of_run, Promise::Queued, || {
                format!("{chunk:?} was adopted, of {known:?}, in {:?}", self.run)
            })?;
        }
        Ok(())
    }

    /// What was stopped for stays until somebody clears it.
    fn latched(&self, seen: &Seen) -> Verdict {
        let latched = |mode: &Mode| matches!(mode, Mode::Faulted { .. } | Mode::EStopped { .. });
        let mut orders = seen.orders.iter();
        let cleared = orders.any(|it| matches!(it.what, What::ClearFault) && seen.accepted(it));
        must(!latched(&self.mode) || latched(&seen.mode) || cleared, Promise::Latched, || {
            format!("{:?} to {:?}, and nobody cleared it", self.mode, seen.mode)
        })
    }

    /// Whether anything may be commanded, and anything move.
    fn authority(&mut self, seen: &Seen, command: &Written) -> Verdict {
        for order in seen.orders.iter().filter(|order| seen.accepted(order)) {
            match order.what {
                What::Arm => self.armed = true,
                What::ClearFault | What::Release => self.armed = false,
                _ => {}
            }
        }
        must(self.armed || command.drive == Drive::Off, Promise::Armed, || {
            format!("driven in {:?}", seen.mode)
        })?;
        must(!(command.releases && command.drive == Drive::On), Promise::Armed, || {
            "released and driven".to_owned()
        })?;
        if let Mode::Moving { run } = seen.mode {
            must(self.run.is_some_and(|(begun, _)| begun == run), Promise::Begun, || {
                format!("{run:?} was not begun: {:?}", self.run)
            })?;
        }
        let stopped = |event: &&Event| matches!(event, Event::Ended { ending, .. } if *ending != Ending::Superseded);
        if !matches!(seen.mode, Mode::Moving { .. }) && seen.events.iter().any(|e| stopped(&e)) {
            self.run = None;
        }
        if matches!(seen.mode, Mode::Booting | Mode::Disarmed) {
            self.armed = false;
        }
        Ok(())
    }

    /// Limits by differences, and whether what has to come to rest does.
    fn motion(&mut self, seen: &Seen, command: &Written, arms: bool) -> Verdict {
        let limits = self.robot.limits();
        let finite = command.position.len() == limits.len() && command.position.is_finite();
        must(finite, Promise::Finite, || format!("{:?}", command.position))?;
        if command.drive == Drive::Off {
            (self.trail, self.braking, self.floor_m) = (None, None, None);
            return Ok(());
        }
        for (joint, (at, limits)) in command.position.iter().zip(limits).enumerate() {
            let inside = (limits.position_min..=limits.position_max).contains(at);
            must(inside, Promise::Position, || format!("joint {joint} at {at}"))?;
        }
        // While motors take their time the set-point goes with the robot, to the tick in which they have taken hold.
        let engages = matches!(self.mode, Mode::Arming { .. });
        let arms = arms || engages;
        if engages || matches!(seen.mode, Mode::Arming { .. }) {
            self.floor_m = None;
        }
        apart(&self.robot, &mut self.floor_m, command)?;
        if arms {
            self.taken_hold(seen, command)?;
        }
        let trail = match self.trail.take() {
            // Whoever is armed anew is taken hold of where it stands; until motors have taken hold, too.
            _ if matches!(seen.mode, Mode::Arming { .. }) => Trail::at_rest(command.position),
            None => Trail::at_rest(command.position),
            Some(trail) if arms && trail.rests() => Trail::at_rest(command.position),
            Some(trail) => trail,
        };
        if seen.early {
            let stays = trail.position == command.position;
            self.trail = Some(trail);
            return must(stays, Promise::Velocity, || "a step between two ticks".to_owned());
        }
        let next = steps(&trail, &command.position, limits, self.robot.period_s())?;
        self.slow(seen, &next)?;
        let moves = !next.rests();
        self.moved_ticks += u64::from(moves);
        let is_moving = matches!(seen.mode, Mode::Moving { .. });
        must(is_moving || !trail.rests() || !moves, Promise::Begun, || {
            format!("moves from rest in {:?}", seen.mode)
        })?;
        if is_moving {
            self.braking = None;
        } else if !trail.rests() && self.braking.is_none() {
            self.braking = Some(Braking::of(seen.tick, &trail, &self.robot));
        }
        if let Some(braking) = &mut self.braking {
            braking.ticks += 1;
            self.braked_ticks = self.braked_ticks.max(braking.ticks);
            braking.judge(&next)?;
        }
        if !moves {
            self.braking = None;
        }
        self.trail = Some(next);
        Ok(())
    }
}

impl Judge {
    /// Who was heard of once, or has to be, is heard of again and again, or nothing moves.
    fn attended(&mut self, seen: &Seen) -> Verdict {
        let rules = self.robot.rules();
        let required = match rules.attendance {
            Attendance::Required => true,
            Attendance::Physical => seen.measured.physical,
            Attendance::Optional => false,
        };
        for order in &seen.orders {
            match order.what {
                What::Attend => self.heard = Some(seen.at.after(rules.heartbeat_ns)),
                What::Leave if required => self.heard = self.heard.map(|it| it.min(seen.at)),
                What::Leave => self.heard = None,
                _ => {}
            }
        }
        let absent = self.heard.map_or(required, |until| seen.at > until);
        let moves = matches!(seen.mode, Mode::Moving { .. } | Mode::Arming { .. });
        must(!(absent && moves), Promise::Attended, || {
            format!("{:?}, and last heard of until {:?}", seen.mode, self.heard)
        })
    }

    /// Who is to be slow has to be so by the time in which it could have come to rest.
    fn slow(&mut self, seen: &Seen, next: &Trail) -> Verdict {
        let slow = [Condition::Warm, Condition::Overrun, Condition::Overruns];
        let is_slow = slow.iter().any(|condition| seen.has(*condition));
        self.slow_ticks = if is_slow { self.slow_ticks + 1 } else { 0 };
        let (dt, factor) = (self.robot.period_s(), self.robot.rules().slow_factor);
        for (joint, limits) in self.robot.limits().iter().enumerate() {
            let (ticks, _) = bound(limits.velocity_max, limits.acceleration_max, limits, dt);
            let most = limits.velocity_max * factor * (1.0 + SLACK) + SLACK;
            let speed = next.velocity[joint].abs();
            must(self.slow_ticks < ticks || speed <= most, Promise::Slow, || {
                format!("joint {joint}: {speed} of at most {most}, for {} ticks", self.slow_ticks)
            })?;
        }
        Ok(())
    }

    /// A robot is taken hold of where it stands.
    fn taken_hold(&self, seen: &Seen, command: &Written) -> Verdict {
        let tolerance = self.robot.rules().arm_tolerance + SLACK;
        let pairs = command.position.iter().zip(seen.measured.position.iter());
        let off = pairs.enumerate().find(|(_, (at, is))| (*at - *is).abs() > tolerance);
        must(off.is_none() || seen.mode == Mode::Disarmed, Promise::Armed, || {
            format!("taken hold of elsewhere than where it stands: {off:?}")
        })
    }
}

type Verdict = Result<(), (Promise, String)>;

pub(crate) fn must(holds: bool, promise: Promise, words: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err((promise, words())) }
}

/// Where nothing was nearer than the margin nothing comes nearer; where something was, nothing comes nearer than it.
fn apart(robot: &Robot, floor_m: &mut Option<f64>, command: &Written) -> Verdict {
    let Some(workspace) = robot.workspace() else { return Ok(()) };
    let Some(nearest) = workspace.nearest(&command.position) else { return Ok(()) };
    let clear_m = nearest.clearance_m;
    let floor_m = floor_m.replace(clear_m.min(workspace.margin_m()));
    must(floor_m.is_none_or(|floor_m| clear_m >= floor_m - SLACK), Promise::Apart, || {
        format!("{clear_m} m, at least {floor_m:?}: {:?}", nearest.pair)
    })
}

/// What reached the robot, which is what is told.
fn written(seen: &Seen) -> Result<Written, (Promise, String)> {
    must(seen.writes == 1, Promise::Written, || format!("{} times", seen.writes))?;
    let Some(written) = seen.written else {
        return Err((Promise::Written, "nothing".to_owned()));
    };
    let bits = |joints: &Joints| joints.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let same = bits(&written.position) == bits(&seen.told.position)
        && (written.drive, written.is_stop, written.releases)
            == (seen.told.drive, seen.told.is_stop, seen.told.releases);
    must(same, Promise::Written, || format!("{written:?}, and told is {:?}", seen.told))?;
    Ok(written)
}

/// The next step of a trail, if it keeps every limit.
fn steps(
    trail: &Trail,
    to: &Joints,
    limits: &[JointLimits],
    dt: f64,
) -> Result<Trail, (Promise, String)> {
    let mut next = Trail::at_rest(*to);
    for (joint, limits) in limits.iter().enumerate() {
        let velocity = (to[joint] - trail.position[joint]) / dt;
        let acceleration = (velocity - trail.velocity[joint]) / dt;
        let jerk = (acceleration - trail.acceleration[joint]) / dt;
        for (promise, value, most) in [
            (Promise::Velocity, velocity, limits.velocity_max),
            (Promise::Acceleration, acceleration, limits.acceleration_max),
            (Promise::Jerk, jerk, limits.jerk_max),
        ] {
            must(value.abs() <= most * (1.0 + SLACK) + SLACK, promise, || {
                format!("joint {joint}: {value} of at most {most}")
            })?;
        }
        next.velocity[joint] = velocity;
        next.acceleration[joint] = acceleration;
    }
    Ok(next)
}

impl Braking {
    /// How long and how far at most, from the limits alone.
    fn of(since: TickIndex, trail: &Trail, robot: &Robot) -> Self {
        let dt = robot.period_s();
        let mut ticks_max = 0;
        let mut way_max = Joints::zeros(robot.joints());
        for (joint, limits) in robot.limits().iter().enumerate() {
            let (ticks, way) = bound(trail.velocity[joint], trail.acceleration[joint], limits, dt);
            ticks_max = ticks_max.max(ticks);
            way_max[joint] = way;
        }
        Self { since, from: trail.position, ticks: 0, ticks_max, way_max }
    }

    fn judge(&self, next: &Trail) -> Verdict {
        let since = self.since.0;
        must(next.rests() || self.ticks < self.ticks_max, Promise::StopTime, || {
            format!("{} ticks after {since}, at most {}", self.ticks, self.ticks_max)
        })?;
        for (joint, way_max) in self.way_max.iter().enumerate() {
            let way = (next.position[joint] - self.from[joint]).abs();
            must(way <= *way_max, Promise::StopDistance, || {
                format!("joint {joint} went {way} since {since}, at most {way_max}")
            })?;
        }
        Ok(())
    }
}

/// Ticks and way to rest of a joint at this speed and acceleration: what it gains until the acceleration is let go of, then
/// a trapezoid of deceleration whose ramps are as steep as the jerk allows, and some ticks for what does not fall on the
/// grid.
pub(crate) fn bound(velocity: f64, acceleration: f64, limits: &JointLimits, dt: f64) -> (u32, f64) {
    let (most, jerk) = (limits.acceleration_max, limits.jerk_max);
    let let_go_s = acceleration.abs() / jerk + dt;
    let speed = velocity.abs() + acceleration.abs() * let_go_s;
    let ramp_s = (most / jerk).min((speed / jerk).sqrt()) + dt;
    let reached = (jerk * ramp_s).min(most);
    // The last of it is let go of exponentially, a tick's jerk at a time.
    let time_s = let_go_s + 2.0 * ramp_s + speed / reached.max(jerk * dt) + 4.0 * dt;
    let way = speed * (let_go_s + 2.0 * ramp_s + 2.0 * dt) + speed * speed / (2.0 * most);
    ((time_s / dt).ceil() as u32, way)
}
