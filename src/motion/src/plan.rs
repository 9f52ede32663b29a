//! How a run's chunks are asked for, joined and used up; and where a set-point came from.

use crate::{
    chunk::{ChunkId, HeadDigest},
    correction::CorrectionRule,
};

/// How a new chunk joins the one before it. A gripper snaps to the newest chunk whatever the method: the mean of open and
/// closed is a half-open hand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Seam {
    /// The new chunk counts from its first tick on.
    #[default]
    Cut,
    /// The difference between the two at the joint is faded out over so many ticks.
    Fade {
        /// Ticks until nothing of the old chunk is left.
        ticks: u32,
    },
    /// Every chunk that covers a tick has a say in it: the mean with weights `exp(-coefficient * i)`, `i = 0` for the
    /// oldest (temporal ensemble of ACT, Zhao et al. 2023).
    Ensemble {
        /// How fast younger chunks lose weight; zero is the plain mean.
        coefficient: f64,
    },
    /// The head is told which set-points come before its chunk, and in how many ticks it takes over: exactly then it
    /// does, not earlier (training-time real-time chunking, arXiv 2512.05964).
    Prefix {
        /// Ticks over which the difference that is left at the joint fades; zero for none.
        ticks: u32,
    },
}

impl Seam {
    /// Ticks over which the difference at the joint fades.
    pub(crate) const fn fade_ticks(&self) -> u32 {
        match self {
            Self::Fade { ticks } | Self::Prefix { ticks } => *ticks,
            Self::Cut | Self::Ensemble { .. } => 0,
        }
    }
}

/// Which tick the first step of a chunk is meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstStep {
    /// The tick whose state it saw: a chunk that takes over later skips its first steps.
    #[default]
    Observation,
    /// The tick at which it takes over, [`Plan::lead`] ticks later: the head was told, or its state rolled forward.
    TakeOver,
}

/// How a run's chunks are asked for and used up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The head whose chunks are taken; those of any other are refused.
    pub head: HeadDigest,
    /// Steps of each chunk that are executed before the next is wanted.
    pub execute: u32,
    /// Ticks ahead of that at which it is asked for; zero asks in the very tick (an inline head). This is the delay that
    /// a head is told, if it is told one: a count of ticks, never an estimate from wall time.
    pub lead: u32,
    /// How long the loop may wait for an inline chunk, in nanoseconds; a later one is adopted late.
    pub deadline_ns: u64,
    /// How chunks are joined.
    pub seam: Seam,
    /// Which tick the first step is for.
    pub first_step: FirstStep,
    /// The small head that corrects every tick, if there is one.
    pub correction: Option<CorrectionRule>,
    /// The run ends after so many ticks.
    pub ticks_max: u64,
}

impl Plan {
    /// Chunks of `head`, asked for in the very tick after `execute` steps and simply cut, for as long as it takes; the
    /// loop waits for none. Everything else is said field by field.
    #[must_use]
    pub const fn plain(head: HeadDigest, execute: u32) -> Self {
        Self {
            head,
            execute,
            lead: 0,
            deadline_ns: 0,
            seam: Seam::Cut,
            first_step: FirstStep::Observation,
            correction: None,
            ticks_max: u64::MAX,
        }
    }

    /// Whether a head is told when its chunk takes over and what is sent before. One whose chunk begins at the observed
    /// tick and takes over when it comes needs to know nothing, and is asked as if there were no delay.
    pub(crate) fn tells(&self) -> bool {
        self.first_step == FirstStep::TakeOver || matches!(self.seam, Seam::Prefix { .. })
    }
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
        /// Which step: ticks since the chunk's first.
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
    /// A head made it that this run does not follow.
    OtherHead,
    /// It does not have the robot's joints, or has no steps.
    Shape,
    /// A value is NaN or infinite.
    NotFinite,
    /// It observed a tick that has not been, or is meant for one further ahead than was asked for.
    FromTheFuture,
    /// It has come before.
    Duplicate,
    /// A newer one is already in use, or has come before this one's turn.
    Superseded,
    /// All its steps are in the past.
    TooLate,
}
