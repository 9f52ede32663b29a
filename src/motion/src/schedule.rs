//! What is due now: chunks on the tick grid, joined without a jump, with one ladder for running dry.
//!
//! ```text
//!   Waiting ──chunk──► Chunk{step} ──used up──► Extrapolating ──n ticks──► Dry (brake, hold) ──► given up
//!                        ▲                            │                       │
//!                        └──────────── chunk ─────────┴───────────────────────┘
//! ```
//!
//! Every chunk says which tick its first step is for, and step `now - first` is what runs, or nothing of it: a late one
//! starts in the middle, an early one waits for its tick.

use crate::{
    chunk::{Chunk, ChunkId},
    course::{Course, MAX_AHEAD},
    joints::Joints,
    plan::{ChunkRefusal, Plan, Seam, Source},
    robot::Robot,
    safety::Filter,
    seam::RunId,
    time::TickIndex,
    words::words,
};

mod join;

use join::Joint;

/// What is due in a tick.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the large one on")]
pub(crate) enum Due {
    /// Go there.
    Target(Joints, Source),
    /// Brake.
    Brake(Source),
    /// The last step has been commanded.
    Done,
    /// Dry for too long.
    GivenUp,
}

/// A chunk that became the one in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Adopted {
    pub(crate) chunk: ChunkId,
    /// Ticks between its observation and its first use.
    pub(crate) delay: u32,
    /// Ticks by which that is more than it was asked ahead.
    pub(crate) late: u32,
}

/// What became of a chunk that is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is in use.
    InUse(Adopted),
    /// It waits for its tick, and this older one no longer does.
    Waits { instead_of: Option<ChunkId> },
}

/// An ask is repeated if nothing has answered it for so many ticks (a second at 20 Hz), or once an answer would be of no
/// use any more.
const ASK_AGAIN_TICKS: u64 = 20;

/// The chunks of the run being followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    run: Run,
    /// The plan before the last hand-over, and its last tick.
    before: Option<(Plan, TickIndex)>,
    chunk: Option<Chunk>,
    /// Came before its tick.
    next: Option<Chunk>,
    joint: Joint,
    asked: Option<TickIndex>,
    dry_ticks: u32,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    id: RunId,
    plan: Plan,
    began: TickIndex,
}

words!(Run { id, plan, began });
words!(Schedule { run, before, chunk, next, joint, asked, dry_ticks });

impl Schedule {
    /// Whether everything in it has the robot's joints.
    pub(crate) fn fits(&self, joints: usize) -> bool {
        let chunks = self.chunk.iter().chain(&self.next);
        chunks.map(Chunk::joints).all(|of| of == joints) && self.joint.joints() == joints
    }

    /// Starts following a run; chunks of any other are forgotten.
    pub(crate) const fn begin(id: RunId, plan: Plan, now: TickIndex, joints: usize) -> Self {
        Self {
            run: Run { id, plan, began: now },
            before: None,
            chunk: None,
            next: None,
            joint: Joint::none(joints, now),
            asked: None,
            dry_ticks: 0,
        }
    }

    /// Goes on by another plan from `now` on. What is in use is used up, and what was asked for before may still come: a
    /// hand-over loses no chunk.
    pub(crate) const fn hand_over(&mut self, plan: Plan, now: TickIndex) {
        self.before = Some((self.run.plan, now));
        self.run.plan = plan;
    }

    /// The plan that a chunk was asked for by, if it can have been.
    fn plan_of(&self, chunk: &Chunk) -> Option<&Plan> {
        let plan = &self.run.plan;
        let before = self
            .before
            .as_ref()
            .filter(|(plan, until)| chunk.head == plan.head && chunk.observed <= *until);
        if chunk.head == plan.head { Some(plan) } else { before.map(|(plan, _)| plan) }
    }

    /// The plan by which chunks are asked for.
    pub(crate) const fn plan(&self) -> &Plan {
        &self.run.plan
    }

    /// Whether the run has used up its time.
    pub(crate) const fn is_over(&self, now: TickIndex) -> bool {
        now.since(self.run.began) >= self.run.plan.ticks_max
    }

    /// Whether a chunk that observes tick `now` is wanted.
    pub(crate) fn wants(&self, now: TickIndex) -> bool {
        let lead = u64::from(self.run.plan.lead);
        let useful = self.chunk.as_ref().map_or(u64::MAX, |chunk| chunk.len() as u64 + lead);
        let again = ASK_AGAIN_TICKS.min(useful);
        if self.asked.is_some_and(|asked| now.since(asked) < again && now > asked) {
            return false;
        }
        match (&self.chunk, &self.next) {
            (_, Some(_)) => false,
            (None, None) => true,
            (Some(chunk), None) if chunk.ends => false,
            (Some(chunk), None) => {
                let execute = u64::from(self.run.plan.execute).min(chunk.len() as u64);
                now.0.saturating_add(lead) >= chunk.first.0.saturating_add(execute)
            }
        }
    }

    /// Remembers that a chunk was asked for.
    pub(crate) const fn asked(&mut self, now: TickIndex) {
        self.asked = Some(now);
    }

    /// Takes note that an ask was answered, with nothing if with no chunk.
    pub(crate) fn answered(&mut self, observed: TickIndex) {
        if self.asked.is_some_and(|asked| asked <= observed) {
            self.asked = None;
        }
    }

    /// Takes a chunk that arrives in tick `now`.
    pub(crate) fn take(
        &mut self,
        chunk: &Chunk,
        now: TickIndex,
        robot: &Robot,
    ) -> Result<Taken, ChunkRefusal> {
        if chunk.run == self.run.id {
            self.answered(chunk.observed);
        }
        self.check(chunk, now, robot)?;
        if self.takes_over(chunk) > now {
            let instead_of = self.next.replace(*chunk).map(|chunk| chunk.id);
            return Ok(Taken::Waits { instead_of });
        }
        Ok(Taken::InUse(self.adopt(chunk, now, robot)))
    }

    /// Whether a chunk's turn has come that arrived before it.
    pub(crate) fn turn(&mut self, now: TickIndex, robot: &Robot) -> Option<Adopted> {
        let chunk = self.next.filter(|chunk| self.takes_over(chunk) <= now)?;
        self.next = None;
        Some(self.adopt(&chunk, now, robot))
    }

    /// The tick before which a chunk must not be used: somebody was told so.
    fn takes_over(&self, chunk: &Chunk) -> TickIndex {
        match self.run.plan.seam {
            Seam::Prefix { .. } => {
                let told = chunk.observed.0.saturating_add(u64::from(self.run.plan.lead));
                chunk.first.max(TickIndex(told))
            }
            _ => chunk.first,
        }
    }

    fn adopt(&mut self, chunk: &Chunk, now: TickIndex, robot: &Robot) -> Adopted {
        let old = self.peek(now);
        self.chunk =
            Some(self.joint.join(self.chunk.as_ref(), old, chunk, now, self.run.plan.seam, robot));
        self.dry_ticks = 0;
        let delay = u32::try_from(now.since(chunk.observed)).unwrap_or(u32::MAX);
        Adopted { chunk: chunk.id, delay, late: delay.saturating_sub(self.run.plan.lead) }
    }

    fn check(&self, chunk: &Chunk, now: TickIndex, robot: &Robot) -> Result<(), ChunkRefusal> {
        let known = || self.chunk.iter().chain(&self.next);
        let ahead = chunk.first.0.checked_sub(chunk.observed.0);
        if chunk.run != self.run.id {
            return Err(ChunkRefusal::OtherRun);
        }
        let plan = self.plan_of(chunk).ok_or(ChunkRefusal::OtherHead)?;
        if chunk.joints() != robot.joints() || chunk.is_empty() || ahead.is_none() {
            Err(ChunkRefusal::Shape)
        } else if !chunk.is_finite() {
            Err(ChunkRefusal::NotFinite)
        } else if chunk.observed > now || ahead > Some(u64::from(plan.lead)) {
            Err(ChunkRefusal::FromTheFuture)
        } else if known().any(|known| known.id == chunk.id) {
            Err(ChunkRefusal::Duplicate)
        } else if known().any(|known| known.observed >= chunk.observed) {
            Err(ChunkRefusal::Superseded)
        } else if chunk.end() <= now.max(self.takes_over(chunk)) {
            Err(ChunkRefusal::TooLate)
        } else {
            Ok(())
        }
    }

    /// What the chunk in use says of tick `now`, seam included; one step past its end it is extrapolated.
    pub(crate) fn peek(&self, now: TickIndex) -> Option<Joints> {
        let chunk = self.chunk.as_ref()?;
        let step = chunk.step_at(now)?;
        let mut target = match chunk.step(step) {
            Some(target) => target,
            None if step == chunk.len() && step >= 2 => {
                let (before, mut last) = (chunk.step(step - 2)?, chunk.step(step - 1)?);
                for (last, before) in last.iter_mut().zip(before.iter()) {
                    *last += *last - before;
                }
                last
            }
            None => return None,
        };
        self.joint.fade(now, self.run.plan.seam, &mut target);
        Some(target)
    }

    /// What is due in tick `now`, given the last command and its velocity.
    pub(crate) fn due(&mut self, now: TickIndex, filter: &Filter, robot: &Robot) -> Due {
        let (due, dry_ticks) = self.look(now, self.dry_ticks, filter, robot);
        self.dry_ticks = dry_ticks;
        due
    }

    /// Writes down what will be sent until a chunk that is asked for in tick `now` takes over, if none comes before.
    /// The workspace guard is left out: where it steps in, the robot will be behind this, and the next ask says so.
    pub(crate) fn foresee(
        &self,
        now: TickIndex,
        filter: &Filter,
        robot: &Robot,
        course: &mut Course,
    ) {
        let (mut filter, mut dry_ticks) = (*filter, self.dry_ticks);
        for ahead in 0..u64::from(self.run.plan.lead).min(MAX_AHEAD as u64) {
            let (due, dry) = self.look(TickIndex(now.0 + ahead), dry_ticks, &filter, robot);
            dry_ticks = dry;
            filter.foresee(if let Due::Target(wish, _) = &due { Some(wish) } else { None }, robot);
            course.push(&filter.position());
        }
    }

    /// What is due in tick `now` after so many dry ones, and how many it then are.
    fn look(&self, now: TickIndex, dry: u32, filter: &Filter, robot: &Robot) -> (Due, u32) {
        let Some(chunk) = &self.chunk else {
            return self.without_chunk(dry, robot);
        };
        if let Some(step) = chunk.step_at(now)
            && step < chunk.len()
        {
            let step = u32::try_from(step).unwrap_or(u32::MAX);
            let source = Source::Chunk { chunk: chunk.id, head: chunk.head, step };
            let due =
                self.peek(now).map_or(Due::Brake(Source::Dry), |wish| Due::Target(wish, source));
            return (due, dry);
        }
        if chunk.ends {
            return (Due::Done, dry);
        }
        self.run_dry(dry, filter, robot)
    }

    fn without_chunk(&self, dry: u32, robot: &Robot) -> (Due, u32) {
        // The first chunk is there, its tick is not: that is no drought.
        if self.next.is_some() {
            return (Due::Brake(Source::Waiting), dry);
        }
        let dry = dry.saturating_add(1);
        let given_up = dry > robot.rules().give_up_ticks;
        (if given_up { Due::GivenUp } else { Due::Brake(Source::Waiting) }, dry)
    }

    fn run_dry(&self, dry: u32, filter: &Filter, robot: &Robot) -> (Due, u32) {
        let dry = dry.saturating_add(1);
        let rules = robot.rules();
        let due = if dry > rules.give_up_ticks && self.next.is_none() {
            Due::GivenUp
        } else if dry <= rules.extrapolate_ticks {
            let mut target = filter.position();
            for ((target, velocity), limits) in
                target.iter_mut().zip(filter.velocity().iter()).zip(robot.limits())
            {
                let ahead = *target + velocity * robot.period_s();
                *target = ahead.clamp(limits.position_min, limits.position_max);
            }
            Due::Target(target, Source::Extrapolated)
        } else {
            Due::Brake(Source::Dry)
        };
        (due, dry)
    }

    /// Whether the schedule ran dry in the last `due`.
    pub(crate) const fn just_ran_dry(&self) -> bool {
        self.dry_ticks == 1 && self.chunk.is_some()
    }
}
