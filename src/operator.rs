//! Operators' commands and their answers. Knows no zenoh.

use std::sync::Arc;

use motion::Tick;

use crate::observation::Params;

mod goal;

pub use goal::{Frame, Goal, Jog, Question, Route, ToolGoal, ToolVelocity, Yield};

/// What an operator may ask for. An e-stop is none of these: it does not queue.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Take hold of the robot where it stands.
    Arm,
    /// Come to rest, let go.
    Disarm,
    /// Come to rest, stand.
    Hold,
    /// Go to the robot's home pose.
    Home {
        /// Fraction of the planned motion's speed limit, in (0, 1].
        speed: f64,
    },
    /// Forget a fault or an e-stop.
    ClearFault,
    /// Take the power off the motors: who asks has said that the arm may fall.
    Release,
    /// Go there.
    Goto {
        /// Where.
        goal: Goal,
        /// Fraction of the planned motion's speed limit, in (0, 1].
        speed: f64,
    },
    /// Move like this for a moment; to be sent again and again.
    Jog {
        /// How.
        jog: Jog,
        /// Brake to rest if nothing more has come after so long.
        ttl_ms: u32,
    },
    /// Run a skill, as a decision of the operator's own.
    Skill {
        /// Its name.
        name: String,
        /// What it acts on.
        params: Params,
    },
    /// Change which policies carry out the skills.
    Registry(RegistryAct),
    /// Change who carries out the commands.
    Backend(BackendAct),
    /// Change what is recorded.
    Record(RecordAct),
    /// Change who commands.
    Lease(LeaseAct),
}

impl Command {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Disarm => "disarm",
            Self::Hold => "hold",
            Self::Home { .. } => "home",
            Self::ClearFault => "clear_fault",
            Self::Release => "release",
            Self::Goto { .. } => "goto",
            Self::Jog { .. } => "jog",
            Self::Skill { .. } => "skill",
            Self::Registry(_) => "registry",
            Self::Backend(_) => "backend",
            Self::Record(_) => "record",
            Self::Lease(_) => "lease",
        }
    }
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it was carried out.
    pub accepted: bool,
    /// Why not.
    pub reason: Option<String>,
    /// What is new because of it, where that is not plain from the command.
    pub changed: Vec<String>,
    /// What was granted to whoever asked for the lease.
    pub lease: Option<Granted>,
    /// The tick whose state already shows its effect.
    pub state_seq: u64,
}

/// The answer to an instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Whether anything will come of it.
    pub accepted: bool,
    /// Why not.
    pub reason: Option<String>,
    /// What it is called from now on.
    pub instruction_id: Option<String>,
    /// What is waited for, or what was done at once.
    pub next: Option<&'static str>,
}

impl Heard {
    /// Nothing comes of it.
    #[must_use]
    pub fn refused(reason: impl Into<String>, instruction_id: Option<String>) -> Self {
        Self { accepted: false, reason: Some(reason.into()), instruction_id, next: None }
    }
}

/// The newest tick and what the asynchronous side knows about it.
#[derive(Clone, Debug)]
pub struct Present {
    /// The newest tick.
    pub tick: Tick,
    /// The run being followed.
    pub run: Option<Running>,
    /// How the last run ended: its skill and the ending in words.
    pub last_run: Option<(Running, String)>,
    /// A fault or e-stop in words, with who or what and a remedy.
    pub trouble: Option<String>,
    /// Who commands.
    pub lease: LeaseTold,
}

/// A run in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Its number.
    pub run: u64,
    /// The skill.
    pub skill: String,
    /// What it acts on.
    pub params: Params,
    /// The policy that carries it out, if it is one of the registry.
    pub policy: Option<String>,
    /// The decision that it came from, if it came from one.
    pub decision_id: Option<String>,
    /// Who asked for it.
    pub source: String,
    /// How often it has seen what its head has not learnt from.
    pub odd: Odd,
}

/// Asks of a run whose observations were out of distribution: numbers ended at their clips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Odd {
    /// How many asks.
    pub asks: u64,
    /// How many numbers of the last of them.
    pub numbers: u32,
    /// The first of these.
    pub input: Option<String>,
}

/// Names of a robot's joints, in joint order.
pub type JointNames = Arc<[String]>;

pub mod backend;
mod desk;
mod grip;
mod lease;
mod motions;
mod record;
mod registry;
mod told;
pub mod words;

pub use backend::{BackendAct, BackendErrand};
pub use desk::{Desk, DeskParts, Settled};
pub use lease::{Granted, LeaseAct, LeaseTold};
pub use record::{RecordAct, RecordErrand};
pub use registry::{Errand, Notice, RegistryAct, Tally};
