//! What a residual head adds to a chunk: a small offset in each tick, made from that tick's own state.
//!
//! A chunk is as old as its observation. A correction sees the state of the very tick and what the chunk is about to do
//! in it (A2C2, arXiv 2509.23224). It never replaces anything: a correction that is late, foreign or not finite is
//! dropped and told, and the chunk goes on alone. Between corrected and not, the wish moves by at most twice the bound, and the
//! safety filter makes of that what it makes of every wish.

use crate::{chunk::HeadDigest, joints::Joints, robot::Robot, seam::RunId, time::TickIndex};

/// How a run's set-points are corrected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CorrectionRule {
    /// The head whose corrections are taken.
    pub head: HeadDigest,
    /// How long a tick waits for its correction, in nanoseconds.
    pub deadline_ns: u64,
    /// Largest correction of each joint, rad or m; what is larger is cut to it.
    pub offset_max: Joints,
}

/// The answer to a correction's ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correction {
    /// The run that asked.
    pub run: RunId,
    /// The tick that asked: it is good for no other.
    pub tick: TickIndex,
    /// The head that made it.
    pub head: HeadDigest,
    /// What is added to each joint, rad or m; `None` if nothing could be made of that observation.
    pub offset: Option<Joints>,
}

/// What became of a tick's correction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corrected {
    /// The run has none, or nothing was due that could be corrected.
    #[default]
    NotWanted,
    /// It was added.
    Added,
    /// It was added, cut to its bound.
    Bounded,
    /// There was none in time.
    Missed,
    /// It was of another run, tick or head.
    Foreign,
    /// It does not have the robot's joints, or a value is NaN or infinite.
    Unusable,
}

impl CorrectionRule {
    /// Adds `correction` to `wish`, if it is what was asked for.
    pub(crate) fn add(
        &self,
        correction: Option<&Correction>,
        run: RunId,
        now: TickIndex,
        robot: &Robot,
        wish: &mut Joints,
    ) -> Corrected {
        let Some(correction) = correction else { return Corrected::Missed };
        if (correction.run, correction.tick, correction.head) != (run, now, self.head) {
            return Corrected::Foreign;
        }
        let Some(offset) = &correction.offset else { return Corrected::Missed };
        let shaped = offset.len() == robot.joints() && self.offset_max.len() == robot.joints();
        if !shaped || !offset.is_finite() {
            return Corrected::Unusable;
        }
        let mut corrected = Corrected::Added;
        for ((wish, offset), max) in wish.iter_mut().zip(offset.iter()).zip(self.offset_max.iter())
        {
            let bounded = offset.max(-max).min(*max);
            if bounded != *offset {
                corrected = Corrected::Bounded;
            }
            *wish += bounded;
        }
        corrected
    }
}
