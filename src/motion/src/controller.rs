//! The law itself: state and orders in, command and report out.

use crate::{
    chunk::Chunk,
    joints::Joints,
    mode::{Ending, Fault, Mode, StopSource},
    robot::Robot,
    safety::{Command, Filter, LimitedBy, Limits, Passed, Watchdog},
    schedule::{Due, Schedule, Source},
    seam::{Ask, Epoch, Event, Events, Order, Refusal, Reply, Run, RunId, Tick, What},
    state::State,
    time::{Nanos, TickIndex},
    workspace::Pair,
};

/// Everything that a tick depends on.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The loop's time.
    pub now: Nanos,
    /// What was measured.
    pub state: &'a State,
    /// The stop flag, if it is raised.
    pub stop: Option<StopSource>,
    /// The tick comes between two points of the grid, because an e-stop woke the loop: what was commanded stays. No
    /// period has passed, so a step along the braking path now would make the robot faster instead of slower.
    pub early: bool,
    /// Orders, oldest first.
    pub orders: &'a [Order],
    /// Answers to asks, oldest first.
    pub replies: &'a [Reply],
}

/// The law of one robot. [`Controller::tick`] is a pure function of its inputs and of the ticks before.
#[derive(Clone, Copy, Debug)]
pub struct Controller {
    robot: Robot,
    mode: Mode,
    /// Whether set-points are commanded: from arming until disarmed or cleared, through faults and stops. A robot that
    /// was not driven before trouble is not driven by it.
    driven: bool,
    epoch: Epoch,
    tick: TickIndex,
    filter: Filter,
    watchdog: Watchdog,
    schedule: Option<Schedule>,
    /// Ticks in a row in which the guard let a run go nowhere.
    barred_ticks: u32,
    /// The pair that last made this run brake, and when.
    barred: Option<(Pair, TickIndex)>,
}

impl Controller {
    /// A controller that has seen nothing yet.
    #[must_use]
    pub const fn new(robot: Robot) -> Self {
        Self {
            filter: Filter::new(robot.joints()),
            robot,
            mode: Mode::Booting,
            driven: false,
            epoch: Epoch(0),
            tick: TickIndex(0),
            watchdog: Watchdog::new(),
            schedule: None,
            barred_ticks: 0,
            barred: None,
        }
    }

    /// The robot under this law.
    #[must_use]
    pub const fn robot(&self) -> &Robot {
        &self.robot
    }

    /// Present mode.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The number of the coming tick.
    #[must_use]
    pub const fn now(&self) -> TickIndex {
        self.tick
    }

    /// How long the loop may wait for the chunk that the next tick asks for; zero if it need not wait.
    #[must_use]
    pub fn patience_ns(&self) -> u64 {
        match (&self.mode, &self.schedule) {
            (Mode::Moving { .. }, Some(schedule)) if schedule.plan().lead == 0 => {
                schedule.plan().deadline_ns
            }
            _ => 0,
        }
    }

    /// Whether the coming tick wants a chunk; asking is remembered.
    pub fn ask(&mut self, now: Nanos, state: &State) -> Option<Ask> {
        let run = self.mode.run()?;
        let schedule = self.schedule.as_mut().filter(|schedule| schedule.wants(self.tick))?;
        schedule.asked(self.tick);
        Some(Ask {
            run,
            tick: self.tick,
            at: now,
            state: *state,
            last_command: self.filter.position(),
            last_velocity: self.filter.velocity(),
            last_acceleration: self.filter.acceleration(),
        })
    }

    /// One tick: what is commanded now, and what happened.
    pub fn tick(&mut self, inputs: &Inputs) -> (Command, Tick) {
        let mut events = Events::default();
        let trouble = self.watch(inputs);
        self.boot(trouble.is_none(), inputs.state);
        self.judge(inputs.stop, trouble, &mut events);
        for order in inputs.orders {
            let outcome = self.obey(order, inputs, trouble, &mut events);
            events.push(match outcome {
                Ok(()) => Event::Accepted(order.id),
                Err(refusal) => Event::Refused(order.id, refusal),
            });
        }
        for reply in inputs.replies {
            self.receive(reply, &mut events);
        }
        let (command, step) = if inputs.early { self.stay() } else { self.act(&mut events) };
        let tick = Tick {
            tick: self.tick,
            at: inputs.now,
            mode: self.mode,
            epoch: self.epoch,
            drive: command.drive(),
            state: *inputs.state,
            requested: step.requested,
            applied: *command.position(),
            limited_by: step.limited_by,
            barred: step.barred,
            source: step.source,
            events,
        };
        self.tick.0 += 1;
        (command, tick)
    }

    fn watch(&mut self, inputs: &Inputs) -> Option<Fault> {
        if let Some(fault) = Watchdog::check_state(inputs.state, inputs.now, &self.robot) {
            return Some(fault);
        }
        if !self.driven {
            return None;
        }
        self.watchdog.check_divergence(inputs.state, &self.filter.position(), &self.robot)
    }

    /// At start the robot's own pose is adopted: the daemon never moves it on its own.
    fn boot(&mut self, good: bool, state: &State) {
        if self.mode == Mode::Booting && good {
            self.filter.anchor(&state.position);
            self.mode = Mode::Disarmed;
        }
    }

    /// The most severe condition wins: a pulled e-stop over a fault over whatever went on.
    fn judge(&mut self, stop: Option<StopSource>, trouble: Option<Fault>, events: &mut Events) {
        let at = self.tick;
        if let Some(by) = stop {
            if !matches!(self.mode, Mode::EStopped { .. }) {
                self.leave(Mode::EStopped { by, at }, events);
            }
        } else if let Some(why) = trouble
            && !matches!(self.mode, Mode::Booting | Mode::Faulted { .. } | Mode::EStopped { .. })
        {
            self.leave(Mode::Faulted { why, at }, events);
        }
    }

    /// Ends whatever moved, and starts a new epoch so that nothing queued before it runs after it.
    fn leave(&mut self, mode: Mode, events: &mut Events) {
        self.end_run(Ending::Stopped, events);
        self.epoch.0 += 1;
        self.mode = mode;
    }

    fn end_run(&mut self, ending: Ending, events: &mut Events) {
        if let Some(run) = self.mode.run() {
            events.push(Event::Ended { run, ending });
        }
        self.schedule = None;
        self.barred_ticks = 0;
        self.barred = None;
    }

    fn obey(
        &mut self,
        order: &Order,
        inputs: &Inputs,
        trouble: Option<Fault>,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        match order.what {
            What::Arm => self.arm(order.epoch, inputs.state),
            What::Begin(run) => self.begin(run, order.epoch, inputs.now, events),
            What::Hold => self.stop(false, events),
            What::Disarm => self.stop(true, events),
            What::End(run) => self.end(run, events),
            What::ClearFault => self.clear(inputs.stop.is_some() || trouble.is_some()),
        }
    }

    fn arm(&mut self, epoch: Epoch, state: &State) -> Result<(), Refusal> {
        match self.mode {
            Mode::Disarmed if epoch < self.epoch => Err(Refusal::Stale),
            Mode::Disarmed => {
                let pose = self.standing(state)?;
                self.filter.anchor(&pose);
                self.watchdog = Watchdog::new();
                self.mode = Mode::Holding;
                self.driven = true;
                Ok(())
            }
            Mode::Holding => Ok(()),
            _ => Err(Refusal::Mode(self.mode)),
        }
    }

    /// Where to take hold: each joint at its last command if it still stands there (so that arming again and again does
    /// not creep by the drives' sag), else where it stands, else nowhere.
    fn standing(&self, state: &State) -> Result<Joints, Refusal> {
        let tolerance = self.robot.rules().arm_tolerance;
        let mut pose = state.position;
        for (position, last) in pose.iter_mut().zip(self.filter.position().iter()) {
            if (*position - last).abs() <= tolerance {
                *position = *last;
            }
        }
        for (joint, limits) in self.robot.limits().iter().enumerate() {
            let inside = pose[joint].clamp(limits.position_min, limits.position_max);
            if (pose[joint] - inside).abs() > tolerance {
                return Err(Refusal::OutsideLimits { joint });
            }
            pose[joint] = inside;
        }
        Ok(pose)
    }

    fn begin(
        &mut self,
        run: Run,
        epoch: Epoch,
        now: Nanos,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        match self.mode {
            Mode::Holding | Mode::Moving { .. } if epoch < self.epoch => Err(Refusal::Stale),
            Mode::Holding | Mode::Moving { .. } if now > run.expires => Err(Refusal::Expired),
            Mode::Holding | Mode::Moving { .. } => {
                self.end_run(Ending::Superseded, events);
                // Its first ask is the next tick's: this one's observation has already gone by.
                let first = TickIndex(self.tick.0 + 1);
                self.schedule = Some(Schedule::begin(run.id, run.plan, first, self.robot.joints()));
                self.mode = Mode::Moving { run: run.id };
                Ok(())
            }
            _ => Err(Refusal::Mode(self.mode)),
        }
    }

    fn stop(&mut self, disarm: bool, events: &mut Events) -> Result<(), Refusal> {
        match self.mode {
            Mode::Moving { .. } | Mode::Holding => {
                self.leave(Mode::Stopping { disarm }, events);
                Ok(())
            }
            Mode::Stopping { disarm: before } => {
                self.mode = Mode::Stopping { disarm: disarm || before };
                Ok(())
            }
            Mode::Disarmed if disarm => Ok(()),
            _ => Err(Refusal::Mode(self.mode)),
        }
    }

    fn end(&mut self, run: RunId, events: &mut Events) -> Result<(), Refusal> {
        if self.mode.run() != Some(run) {
            return Err(Refusal::NoSuchRun);
        }
        self.leave(Mode::Stopping { disarm: false }, events);
        Ok(())
    }

    fn clear(&mut self, still_wrong: bool) -> Result<(), Refusal> {
        match self.mode {
            Mode::Faulted { .. } | Mode::EStopped { .. } if still_wrong => {
                Err(Refusal::StillFaulty)
            }
            // Letting go in full flight would be a second surprise: first the braking has to end.
            Mode::Faulted { .. } | Mode::EStopped { .. } if !self.filter.is_at_rest() => {
                Err(Refusal::Mode(self.mode))
            }
            Mode::Faulted { .. } | Mode::EStopped { .. } => {
                self.mode = Mode::Disarmed;
                self.driven = false;
                Ok(())
            }
            _ => Err(Refusal::Mode(self.mode)),
        }
    }

    fn receive(&mut self, reply: &Reply, events: &mut Events) {
        match reply {
            Reply::Chunk(chunk) => self.adopt(chunk, events),
            Reply::Nothing { run, observed } => {
                if self.mode.run() == Some(*run)
                    && let Some(schedule) = &mut self.schedule
                {
                    schedule.declined(*observed);
                    events.push(Event::NoChunk);
                }
            }
        }
    }

    fn adopt(&mut self, chunk: &Chunk, events: &mut Events) {
        let Some(schedule) = &mut self.schedule else {
            return;
        };
        events.push(match schedule.adopt(chunk, self.tick, &self.robot) {
            Ok(delay) => Event::Adopted { chunk: chunk.id, delay },
            Err(why) => Event::ChunkRefused { chunk: chunk.id, why },
        });
    }

    fn stay(&self) -> (Command, Step) {
        let command = if self.driven { self.filter.command() } else { self.filter.idle() };
        (command, Step::rest(&self.filter, Source::Rest))
    }

    fn act(&mut self, events: &mut Events) -> (Command, Step) {
        if matches!(self.mode, Mode::Moving { .. }) {
            self.follow(events)
        } else {
            self.brake(Source::Rest)
        }
    }

    fn follow(&mut self, events: &mut Events) -> (Command, Step) {
        let (last, velocity) = (self.filter.position(), self.filter.velocity());
        let Some(schedule) = &mut self.schedule else {
            return self.brake(Source::Rest);
        };
        let due = if schedule.is_over(self.tick) {
            return self.finish(Ending::TimeUp, events);
        } else {
            schedule.due(self.tick, &last, &velocity, &self.robot)
        };
        if schedule.just_ran_dry() {
            events.push(Event::RanDry);
        }
        match due {
            Due::Target(wish, source) => self.pass(&wish, source, events),
            Due::Brake(source) => self.brake(source),
            // A last step that was barred was not reached.
            Due::Done if self.barred_ticks > 0 => self.finish(Ending::Workspace, events),
            Due::Done => self.finish(Ending::Done, events),
            Due::GivenUp => self.finish(Ending::RanDry, events),
        }
    }

    fn finish(&mut self, ending: Ending, events: &mut Events) -> (Command, Step) {
        // Nobody stopped it: what was decided meanwhile may follow, and takes over from whatever speed is left.
        self.end_run(ending, events);
        self.mode = Mode::Holding;
        self.brake(Source::Rest)
    }

    fn pass(&mut self, wish: &Joints, source: Source, events: &mut Events) -> (Command, Step) {
        let passed = match self.filter.pass(wish, &self.robot) {
            Ok(passed) => passed,
            Err(why) => return self.refuse(why, wish, source, events),
        };
        let Passed { command, limited_by, barred } = passed;
        let stuck = barred.is_some() && self.filter.is_at_rest();
        self.barred_ticks = if stuck { self.barred_ticks + 1 } else { 0 };
        self.barred = barred.map(|pair| (pair, self.tick)).or(self.barred);
        if self.barred_ticks > self.robot.rules().give_up_ticks {
            self.end_run(Ending::Workspace, events);
            self.mode = Mode::Holding;
        }
        (command, Step { requested: *wish, limited_by, barred, source })
    }

    fn refuse(
        &mut self,
        why: Fault,
        wish: &Joints,
        source: Source,
        events: &mut Events,
    ) -> (Command, Step) {
        // Whom the guard made brake falls behind what goes on without it: that is no leap, and no fault.
        let patience = u64::from(self.robot.rules().give_up_ticks);
        let left_behind = matches!(why, Fault::GrossJump { .. });
        let barred = self.barred.filter(|(_, at)| left_behind && self.tick.since(*at) <= patience);
        if barred.is_some() {
            self.end_run(Ending::Workspace, events);
            self.mode = Mode::Holding;
        } else {
            self.leave(Mode::Faulted { why, at: self.tick }, events);
        }
        let (command, step) = self.brake(source);
        (command, Step { requested: *wish, barred: barred.map(|(pair, _)| pair), ..step })
    }

    fn brake(&mut self, source: Source) -> (Command, Step) {
        if !self.driven {
            return (self.filter.idle(), Step::rest(&self.filter, source));
        }
        let command = self.filter.brake(&self.robot);
        if let Mode::Stopping { disarm } = self.mode
            && self.filter.is_at_rest()
        {
            self.mode = if disarm { Mode::Disarmed } else { Mode::Holding };
            self.driven = !disarm;
        }
        (command, Step::rest(&self.filter, source))
    }
}

/// The part of a tick's report that depends on what was due.
struct Step {
    requested: Joints,
    limited_by: LimitedBy,
    barred: Option<Pair>,
    source: Source,
}

impl Step {
    fn rest(filter: &Filter, source: Source) -> Self {
        Self {
            requested: filter.position(),
            limited_by: [Limits::default(); crate::joints::MAX_JOINTS],
            barred: None,
            source,
        }
    }
}
