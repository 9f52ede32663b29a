//! The mode machine's states. The moves between them are in `controller.rs`.
//!
//! ```text
//!               first good state            arm          engaged
//!   Booting ───────────────────► Disarmed ─────► Arming ─────────► Holding ◄──────────┐
//!                                  ▲ ▲ ▲           │                │   ▲             │ at rest
//!                                  │ │ └───────────┘                │   │             │
//!                                  │ │ hold, disarm                 │   │ run ended   │
//!                                  │ │ disarm, at rest              │   │             │
//!                       clear_fault│ └────────────── Stopping ◄─────┤   │             │
//!                                  │                   ▲  │         │   │             │
//!                                  │             hold, │  └─────────┼───┼─────────────┘
//!                                  │           disarm, │      begin │   │
//!                                  │            give up│            ▼   │
//!                                  │                   └───────── Moving ◄─┐
//!                                  │                                └──────┘ begin (supersedes)
//!              from every mode:    │
//!                trouble ───► Faulted ──┐
//!                stop flag ─► EStopped ─┴─ both brake to rest within the limits, then hold
//! ```
//!
//! Motors that are engaged already pass `Arming` within the tick. Until they are, the set-point is where the robot stands:
//! they come up without a leap. Who leaves `Arming` for any other mode than `Holding` is no longer driven, so that motors
//! which come up late are not commanded to where the arm was; who loses its motors stays driven, since the others hold.
//! A backend engages on the edge from `Drive::Off` to `Drive::On` and on nothing else, and only arming makes that edge.
//!
//! Releasing takes the power off the motors, in `Booting`, `Disarmed`, `Faulted` and `EStopped` at rest, for one tick. It
//! changes no mode: whatever was wrong still is.
//!
//! `EStopped` outranks `Faulted`, which outranks the rest. Clearing leads to `Disarmed`, never further: clearing and
//! arming are two acts. Every stop starts a new epoch, so that nothing queued before it runs after it; a run that ends by itself is
//! no stop.

use crate::{
    ailment::Ailment,
    seam::RunId,
    time::{Nanos, TickIndex},
};

/// Who pulled the e-stop: an identity that the asynchronous side gave out; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopSource(pub u32);

/// What the robot is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No good state has been read yet.
    Booting,
    /// Nothing is commanded.
    Disarmed,
    /// Switched on, and not engaged yet: the set-point is where the robot stands.
    Arming {
        /// Since when.
        since: Nanos,
    },
    /// Powered, standing at the last command.
    Holding,
    /// Following a run's chunks.
    Moving {
        /// Which run.
        run: RunId,
    },
    /// Braking to rest.
    Stopping {
        /// Disarm once at rest; hold otherwise.
        disarm: bool,
    },
    /// Something was wrong: brought to rest, held until cleared.
    Faulted {
        /// What was wrong.
        why: Fault,
        /// When.
        at: TickIndex,
    },
    /// Someone pulled the e-stop: brought to rest, held until cleared.
    EStopped {
        /// Who.
        by: StopSource,
        /// When.
        at: TickIndex,
    },
}

impl Mode {
    /// The run being followed, if any.
    #[must_use]
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::Moving { run } => Some(*run),
            _ => None,
        }
    }
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A set-point was NaN or infinite.
    RequestNotFinite {
        /// Which joint.
        joint: usize,
    },
    /// A set-point was further from the last command than any motion could be.
    GrossJump {
        /// Which joint.
        joint: usize,
    },
    /// A measured value was NaN or infinite.
    StateNotFinite {
        /// Which joint.
        joint: usize,
    },
    /// The measured state does not have as many joints as the robot.
    StateShape,
    /// The measured state is too old.
    StateStale,
    /// The backend lost the robot.
    BackendLost,
    /// The backend found out what the robot suffers from.
    Unwell(Ailment),
    /// The robot does not follow its commands.
    Diverged {
        /// Which joint.
        joint: usize,
    },
    /// The motors were switched on and did not take hold in time.
    NotEngaged,
    /// The motors let go of a robot that was held.
    Disengaged,
    /// Before the motors took hold of it, this joint sank out of its limits.
    OutsideLimits {
        /// Which joint.
        joint: usize,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its last step was reached.
    Done,
    /// Its time was up.
    TimeUp,
    /// An operator or another run took over.
    Superseded,
    /// It was held, disarmed, e-stopped or faulted.
    Stopped,
    /// No chunk came in time, for too long.
    RanDry,
    /// The workspace guard kept it from going on, for too long.
    Workspace,
    /// The robot was to be slow, and it went on without.
    LeftBehind,
}
