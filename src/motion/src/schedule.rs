//! What is due now: chunks on the tick grid, joined without a jump, with one ladder for running dry.
//!
//! ```text
//!   Waiting ──chunk──► Chunk{step} ──used up──► Extrapolating ──n ticks──► Dry (brake, hold) ──► given up
//!                        ▲                            │                       │
//!                        └──────────── chunk ─────────┴───────────────────────┘
//! ```

use crate::{
    chunk::{Chunk, ChunkId, HeadDigest},
    joints::Joints,
    robot::Robot,
    seam::RunId,
    time::TickIndex,
};

/// How a new chunk joins the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seam {
    /// The new chunk counts from its first tick on.
    #[default]
    Cut,
    /// The difference between the two at the joint is faded out over so many ticks.
    Fade {
        /// Ticks until nothing of the old chunk is left.
        ticks: u32,
    },
}

/// How a run's chunks are asked for and used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Steps of each chunk that are executed before the next is wanted.
    pub execute: u32,
    /// Ticks ahead of that at which it is asked for; zero asks in the very tick (an inline head).
    pub lead: u32,
    /// How long the loop may wait for an inline chunk, in nanoseconds; a later one is adopted late.
    pub deadline_ns: u64,
    /// How chunks are joined.
    pub seam: Seam,
    /// The run ends after so many ticks.
    pub ticks_max: u64,
}

/// Where a set-point came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Nothing is followed: the robot stands or brakes.
    #[default]
    Rest,
    /// A run has begun, its first chunk has not come.
    Waiting,
    /// A chunk's step.
    Chunk {
        /// Which chunk.
        chunk: ChunkId,
        /// The head that made it.
        head: HeadDigest,
        /// Which step.
        step: u32,
    },
    /// The chunk is used up: its last speed goes on.
    Extrapolated,
    /// Used up for longer: braking to rest.
    Dry,
}

/// Why a chunk was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkRefusal {
    /// It belongs to a run that is not followed.
    OtherRun,
    /// It does not have the robot's joints, or has no steps.
    Shape,
    /// A value is NaN or infinite.
    NotFinite,
    /// It observed a tick that has not been.
    FromTheFuture,
    /// All its steps are in the past.
    TooLate,
    /// A newer one is already in use.
    Superseded,
}

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

/// An ask is repeated if nothing has answered it for so many ticks (a second at 20 Hz).
const ASK_AGAIN_TICKS: u64 = 20;

/// The chunks of the run being followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    run: Run,
    chunk: Option<Chunk>,
    /// What remains of the old chunk's opinion at the seam, and the tick at which it began to fade.
    offset: Joints,
    offset_since: TickIndex,
    asked: Option<TickIndex>,
    dry_ticks: u32,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    id: RunId,
    plan: Plan,
    began: TickIndex,
}

impl Schedule {
    /// Starts following a run; chunks of any other are forgotten.
    pub(crate) const fn begin(id: RunId, plan: Plan, now: TickIndex, joints: usize) -> Self {
        Self {
            run: Run { id, plan, began: now },
            chunk: None,
            offset: Joints::zeros(joints),
            offset_since: now,
            asked: None,
            dry_ticks: 0,
        }
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
        if self.asked.is_some_and(|asked| now.since(asked) < ASK_AGAIN_TICKS && now > asked) {
            return false;
        }
        match &self.chunk {
            None => true,
            Some(chunk) if chunk.ends => false,
            Some(chunk) => {
                let execute = u64::from(self.run.plan.execute).min(chunk.len() as u64);
                now.since(chunk.observed) + u64::from(self.run.plan.lead) >= execute
            }
        }
    }

    /// Remembers that a chunk was asked for.
    pub(crate) const fn asked(&mut self, now: TickIndex) {
        self.asked = Some(now);
    }

    /// Takes note that an ask was answered with nothing.
    pub(crate) fn declined(&mut self, observed: TickIndex) {
        if self.asked.is_some_and(|asked| asked <= observed) {
            self.asked = None;
        }
    }

    /// Takes a chunk, from tick `now` on.
    pub(crate) fn adopt(
        &mut self,
        chunk: &Chunk,
        now: TickIndex,
        robot: &Robot,
    ) -> Result<u32, ChunkRefusal> {
        self.check(chunk, now, robot)?;
        self.declined(chunk.observed);
        let old = self.peek(now);
        let step = chunk.step(now.since(chunk.observed) as usize);
        self.offset = Joints::zeros(robot.joints());
        self.offset_since = now;
        if let (Seam::Fade { .. }, Some(old), Some(new)) = (self.run.plan.seam, old, step) {
            for (joint, limits) in robot.limits().iter().enumerate() {
                if !limits.gripper {
                    self.offset[joint] = old[joint] - new[joint];
                }
            }
        }
        self.chunk = Some(*chunk);
        self.dry_ticks = 0;
        Ok(u32::try_from(now.since(chunk.observed)).unwrap_or(u32::MAX))
    }

    fn check(&self, chunk: &Chunk, now: TickIndex, robot: &Robot) -> Result<(), ChunkRefusal> {
        let newest = self.chunk.as_ref().map(|chunk| chunk.observed);
        if chunk.run != self.run.id {
            Err(ChunkRefusal::OtherRun)
        } else if chunk.joints() != robot.joints() || chunk.is_empty() {
            Err(ChunkRefusal::Shape)
        } else if !chunk.is_finite() {
            Err(ChunkRefusal::NotFinite)
        } else if chunk.observed > now {
            Err(ChunkRefusal::FromTheFuture)
        } else if now.since(chunk.observed) >= chunk.len() as u64 {
            Err(ChunkRefusal::TooLate)
        } else if newest.is_some_and(|newest| newest >= chunk.observed) {
            Err(ChunkRefusal::Superseded)
        } else {
            Ok(())
        }
    }

    /// What the chunk in use says of tick `now`, seam included; one step past its end it is extrapolated.
    fn peek(&self, now: TickIndex) -> Option<Joints> {
        let chunk = self.chunk.as_ref()?;
        let step = now.since(chunk.observed) as usize;
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
        if let Seam::Fade { ticks } = self.run.plan.seam {
            let age = now.since(self.offset_since);
            let ticks = u64::from(ticks);
            if age < ticks {
                let left = (ticks - age) as f64 / (ticks + 1) as f64;
                for (target, offset) in target.iter_mut().zip(self.offset.iter()) {
                    *target += offset * left;
                }
            }
        }
        Some(target)
    }

    /// What is due in tick `now`, given the last command and its velocity.
    pub(crate) fn due(
        &mut self,
        now: TickIndex,
        last: &Joints,
        velocity: &Joints,
        robot: &Robot,
    ) -> Due {
        let Some(chunk) = &self.chunk else {
            return self.without_chunk(robot);
        };
        let step = now.since(chunk.observed);
        if step < chunk.len() as u64 {
            let source = Source::Chunk {
                chunk: chunk.id,
                head: chunk.head,
                step: u32::try_from(step).unwrap_or(u32::MAX),
            };
            return match self.peek(now) {
                Some(target) => Due::Target(target, source),
                None => Due::Brake(Source::Dry),
            };
        }
        if chunk.ends {
            return Due::Done;
        }
        self.run_dry(last, velocity, robot)
    }

    fn without_chunk(&mut self, robot: &Robot) -> Due {
        self.dry_ticks = self.dry_ticks.saturating_add(1);
        if self.dry_ticks > robot.rules().give_up_ticks {
            Due::GivenUp
        } else {
            Due::Brake(Source::Waiting)
        }
    }

    fn run_dry(&mut self, last: &Joints, velocity: &Joints, robot: &Robot) -> Due {
        self.dry_ticks = self.dry_ticks.saturating_add(1);
        let rules = robot.rules();
        if self.dry_ticks > rules.give_up_ticks {
            Due::GivenUp
        } else if self.dry_ticks <= rules.extrapolate_ticks {
            let mut target = *last;
            for ((target, velocity), limits) in
                target.iter_mut().zip(velocity.iter()).zip(robot.limits())
            {
                let ahead = *target + velocity * robot.period_s();
                *target = ahead.clamp(limits.position_min, limits.position_max);
            }
            Due::Target(target, Source::Extrapolated)
        } else {
            Due::Brake(Source::Dry)
        }
    }

    /// Whether the schedule ran dry in the last `due`.
    pub(crate) const fn just_ran_dry(&self) -> bool {
        self.dry_ticks == 1 && self.chunk.is_some()
    }
}
