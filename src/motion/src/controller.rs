//! The law itself: state and orders in, command and report out.

mod attendance;
mod failsafe;
mod grip;
mod memory;

use crate::{
    chunk::{Chunk, HeadDigest},
    correction::{Corrected, Correction},
    course::Course,
    failsafe::{Action, Conditions, Verdict, judge},
    joints::Joints,
    mode::{Ending, Fault, Mode, StopSource},
    plan::{ChunkRefusal, FirstStep, Source},
    robot::Robot,
    safety::{Command, Drive, Filter, LimitedBy, Limits, Passed, Watchdog},
    schedule::{Adopted, Due, Schedule, Taken},
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
    /// Conditions that somebody outside found: those of [`Conditions::OUTSIDE`], the others are the law's own.
    pub outside: Conditions,
    /// Orders, oldest first.
    pub orders: &'a [Order],
    /// Answers to asks, oldest first.
    pub replies: &'a [Reply],
    /// The correction of this tick, if one came.
    pub correction: Option<&'a Correction>,
}

/// The law of one robot. [`Controller::tick`] is a pure function of its inputs and of the ticks before.
#[derive(Clone, Copy, Debug)]
pub struct Controller {
    robot: Robot,
    mode: Mode,
    /// Whether set-points are commanded: from arming until disarmed or cleared, through faults and stops. A robot that
    /// was not driven before trouble is not driven by it.
    driven: bool,
    /// Whether this tick takes the power off the motors.
    releases: bool,
    /// Whether the last command was to be followed: motors engage on the edge, so there has to be one.
    drive: Drive,
    epoch: Epoch,
    tick: TickIndex,
    filter: Filter,
    watchdog: Watchdog,
    schedule: Option<Schedule>,
    /// What was commanded last, for heads that want to know.
    sent: Course,
    /// Ticks in a row in which the guard let a run go nowhere.
    barred_ticks: u32,
    /// The pair that last made this run brake, and when.
    barred: Option<(Pair, TickIndex)>,
    /// When this run was last slowed.
    slowed: Option<TickIndex>,
    /// Until when the operator who holds the lease counts as there; none if nobody holds it.
    attended: Option<Nanos>,
}

impl Controller {
    /// A controller that has seen nothing yet.
    #[must_use]
    pub fn new(robot: Robot) -> Self {
        Self {
            filter: Filter::new(robot.joints()),
            sent: Course::standing(&Joints::zeros(robot.joints())),
            robot,
            mode: Mode::Booting,
            driven: false,
            releases: false,
            drive: Drive::Off,
            epoch: Epoch(0),
            tick: TickIndex(0),
            watchdog: Watchdog::new(),
            schedule: None,
            barred_ticks: 0,
            barred: None,
            slowed: None,
            attended: None,
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
        let plan = *schedule.plan();
        let mut ask = observe(run, self.tick, now, state, &self.filter, &self.sent);
        ask.head = plan.head;
        if plan.tells() {
            ask.delay = plan.lead;
            schedule.foresee(self.tick, &self.filter, &self.robot, &mut ask.course);
        }
        if plan.first_step == FirstStep::TakeOver {
            ask.first.0 += u64::from(plan.lead);
        }
        Some(ask)
    }

    /// What the coming tick's correction is to be made from, and how long the loop may wait for it, in nanoseconds.
    /// `replies` are those that the tick will get: what they change of the set-point that is due is in the ask.
    #[must_use]
    pub fn ask_correction(
        &self,
        now: Nanos,
        state: &State,
        replies: &[Reply],
    ) -> Option<(Ask, u64)> {
        let run = self.mode.run()?;
        let rule = self.schedule.as_ref()?.plan().correction?;
        let mut schedule = self.schedule?;
        for reply in replies {
            if let Reply::Chunk(chunk) = reply {
                let _ = schedule.take(chunk, self.tick, &self.robot);
            }
        }
        schedule.turn(self.tick, &self.robot);
        match schedule.due(self.tick, &self.filter, &self.robot) {
            Due::Target(wish, Source::Chunk { step, .. }) => {
                let mut ask = observe(run, self.tick, now, state, &self.filter, &self.sent);
                ask.head = schedule.plan().head;
                ask.step = step;
                ask.course.push(&wish);
                Some((ask, rule.deadline_ns))
            }
            _ => None,
        }
    }

    /// One tick: what is commanded now, and what happened.
    pub fn tick(&mut self, inputs: &Inputs) -> (Command, Tick) {
        let mut events = Events::default();
        self.attend(inputs);
        let trouble = self.watch(inputs);
        let found = self.conditions(inputs, trouble);
        let verdict = judge(found, self.robot.rules().policy);
        self.releases = false;
        self.boot(trouble.is_none(), inputs.state);
        self.carry_out(verdict, inputs.stop, trouble, &mut events);
        self.take_hold(inputs, &mut events);
        for order in inputs.orders {
            let outcome = self.obey(order, inputs, (trouble, found), &mut events);
            events.push(match outcome {
                Ok(()) => Event::Accepted(order.id),
                Err(refusal) => Event::Refused(order.id, refusal),
            });
        }
        for reply in inputs.replies {
            self.receive(reply, &mut events);
        }
        let (command, step) =
            if inputs.early { self.stay() } else { self.act(inputs.correction, &mut events) };
        let command = command.marked(matches!(self.mode, Mode::EStopped { .. }), self.releases);
        let conditions = found.and(failsafe::came_up(&step, &events)).and(self.latched());
        self.drive = command.drive();
        let tick = Tick {
            tick: self.tick,
            at: inputs.now,
            mode: self.mode,
            epoch: self.epoch,
            drive: command.drive(),
            trouble,
            conditions,
            verdict: judge(conditions, self.robot.rules().policy),
            state: *inputs.state,
            requested: step.requested,
            applied: *command.position(),
            limited_by: step.limited_by,
            barred: step.barred,
            source: step.source,
            corrected: step.corrected,
            events,
        };
        self.tick.0 += 1;
        if !inputs.early {
            self.sent.send(command.position());
        }
        (command, tick)
    }

    /// At start the robot's own pose is adopted: the daemon never moves it on its own.
    fn boot(&mut self, good: bool, state: &State) {
        if self.mode == Mode::Booting && good {
            self.filter.anchor(&state.position);
            self.sent = Course::standing(&state.position);
            self.mode = Mode::Disarmed;
        }
    }

    /// Ends whatever moved, and starts a new epoch so that nothing queued before it runs after it.
    fn leave(&mut self, mode: Mode, events: &mut Events) {
        self.end_run(Ending::Stopped, events);
        self.epoch.0 += 1;
        // What never took hold has nothing to hold: motors that come up later would leap to where the arm was by then.
        self.driven &= !matches!(self.mode, Mode::Arming { .. });
        self.mode = mode;
    }

    fn end_run(&mut self, ending: Ending, events: &mut Events) {
        if let Some(run) = self.mode.run() {
            events.push(Event::Ended { run, ending });
        }
        self.schedule = None;
        self.barred_ticks = 0;
        self.barred = None;
        self.slowed = None;
    }

    fn obey(
        &mut self,
        order: &Order,
        inputs: &Inputs,
        (trouble, found): (Option<Fault>, Conditions),
        events: &mut Events,
    ) -> Result<(), Refusal> {
        match order.what {
            What::Arm => self.attended(inputs).and_then(|()| self.arm(order.epoch, inputs)),
            What::Begin(run) => self.begin(run, order.epoch, (inputs, found), events),
            What::HandOver(run) => self.hand_over(run, order.epoch, inputs.now),
            What::Hold => self.stop(false, events),
            What::Disarm => self.stop(true, events),
            What::End(run) => self.end(run, events),
            What::ClearFault => self.clear(inputs.stop.is_some() || trouble.is_some()),
            What::Release => self.release(order.epoch),
            // Taken in before anything else was.
            What::Attend | What::Leave => Ok(()),
        }
    }

    fn begin(
        &mut self,
        run: Run,
        epoch: Epoch,
        (inputs, found): (&Inputs, Conditions),
        events: &mut Events,
    ) -> Result<(), Refusal> {
        match self.mode {
            Mode::Holding | Mode::Moving { .. } if epoch < self.epoch => Err(Refusal::Stale),
            Mode::Holding | Mode::Moving { .. } if inputs.now > run.expires => {
                Err(Refusal::Expired)
            }
            Mode::Holding | Mode::Moving { .. } => {
                self.attended(inputs)?;
                // What holds a moving robot keeps one that stands from moving.
                if let Verdict { action, cause: Some(cause) } =
                    judge(found, self.robot.rules().policy)
                    && action >= Action::Hold
                {
                    return Err(Refusal::Barred(cause));
                }
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

    fn hand_over(&mut self, run: Run, epoch: Epoch, now: Nanos) -> Result<(), Refusal> {
        match &mut self.schedule {
            Some(schedule) if self.mode.run() == Some(run.id) => {
                if epoch < self.epoch {
                    return Err(Refusal::Stale);
                }
                if now > run.expires {
                    return Err(Refusal::Expired);
                }
                schedule.hand_over(run.plan, self.tick);
                Ok(())
            }
            _ => Err(Refusal::NoSuchRun),
        }
    }

    fn stop(&mut self, disarm: bool, events: &mut Events) -> Result<(), Refusal> {
        match self.mode {
            Mode::Moving { .. } | Mode::Holding => {
                self.leave(Mode::Stopping { disarm }, events);
                Ok(())
            }
            Mode::Arming { .. } => {
                self.leave(Mode::Disarmed, events);
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
                    schedule.answered(*observed);
                    events.push(Event::NoChunk);
                }
            }
        }
    }

    fn adopt(&mut self, chunk: &Chunk, events: &mut Events) {
        let Some(schedule) = &mut self.schedule else {
            return;
        };
        match schedule.take(chunk, self.tick, &self.robot) {
            Ok(Taken::InUse(adopted)) => tell(adopted, events),
            Ok(Taken::Waits { instead_of: None }) => {}
            Ok(Taken::Waits { instead_of: Some(chunk) }) => {
                events.push(Event::ChunkRefused { chunk, why: ChunkRefusal::Superseded });
            }
            Err(why) => events.push(Event::ChunkRefused { chunk: chunk.id, why }),
        }
    }

    fn stay(&self) -> (Command, Step) {
        let command = if self.driven { self.filter.command() } else { self.filter.idle() };
        (command, Step::rest(&self.filter, Source::Rest))
    }

    fn act(&mut self, correction: Option<&Correction>, events: &mut Events) -> (Command, Step) {
        match self.mode {
            Mode::Moving { run } => self.follow(run, correction, events),
            _ => self.brake(Source::Rest),
        }
    }

    fn follow(
        &mut self,
        run: RunId,
        correction: Option<&Correction>,
        events: &mut Events,
    ) -> (Command, Step) {
        let Some(schedule) = &mut self.schedule else {
            return self.brake(Source::Rest);
        };
        if schedule.is_over(self.tick) {
            return self.finish(Ending::TimeUp, events);
        }
        if let Some(adopted) = schedule.turn(self.tick, &self.robot) {
            tell(adopted, events);
        }
        let due = schedule.due(self.tick, &self.filter, &self.robot);
        if schedule.just_ran_dry() {
            events.push(Event::RanDry);
        }
        let rule = schedule.plan().correction;
        match due {
            Due::Target(mut wish, source) => {
                let corrected = match (rule, source) {
                    (Some(rule), Source::Chunk { .. }) => {
                        rule.add(correction, run, self.tick, &self.robot, &mut wish)
                    }
                    _ => Corrected::NotWanted,
                };
                let (command, step) = self.pass(&wish, source, events);
                (command, Step { corrected, ..step })
            }
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
        (
            command,
            Step { requested: *wish, limited_by, barred, source, corrected: Corrected::NotWanted },
        )
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
        let lately = |at: TickIndex| left_behind && self.tick.since(at) <= patience;
        let barred = self.barred.filter(|(_, at)| lately(*at));
        if barred.is_some() {
            self.end_run(Ending::Workspace, events);
            self.mode = Mode::Holding;
        } else if self.slowed.is_some_and(lately) {
            self.end_run(Ending::LeftBehind, events);
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
    corrected: Corrected,
}

impl Step {
    fn rest(filter: &Filter, source: Source) -> Self {
        Self {
            requested: filter.position(),
            limited_by: [Limits::default(); crate::joints::MAX_JOINTS],
            barred: None,
            source,
            corrected: Corrected::NotWanted,
        }
    }
}

fn tell(adopted: Adopted, events: &mut Events) {
    let Adopted { chunk, delay, late } = adopted;
    events.push(Event::Adopted { chunk, delay, late });
}

fn observe(
    run: RunId,
    tick: TickIndex,
    at: Nanos,
    state: &State,
    filter: &Filter,
    sent: &Course,
) -> Ask {
    Ask {
        run,
        head: HeadDigest::default(),
        tick,
        at,
        state: *state,
        last_command: filter.position(),
        last_velocity: filter.velocity(),
        last_acceleration: filter.acceleration(),
        delay: 0,
        first: tick,
        step: 0,
        course: *sent,
    }
}
