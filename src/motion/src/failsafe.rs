//! What is done about everything that can be wrong: one pure function from conditions to the most severe action.
//!
//! The law finds some conditions out by itself, others are told to it from outside ([`crate::Inputs::outside`]); in every
//! tick [`judge`] says what they amount to, and the controller carries that out. The same function answers
//! `reflexctl failsafe`, and the table of `docs/failsafe.md` is made of [`TABLE`].

use crate::{
    ailment::Ailment,
    mode::Fault,
    words::{Reading, Sheet, Words},
};

/// What is done, the least severe first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Action {
    /// Nothing.
    #[default]
    None,
    /// It is told, and nothing else.
    Warn,
    /// Every joint's speed limit is lowered; a run that cannot keep up ends.
    Slow,
    /// The run ends, the joints brake and stand. Nothing is latched, and nothing goes on by itself.
    Hold,
    /// As hold, and latched: a fault, or an e-stop.
    Stop,
    /// As hold, and at rest the robot is no longer driven.
    Park,
    /// As stop, and a robot that has a damped stop of its own is told to use it.
    Damp,
    /// As stop, and a robot that can take the power off its motors is told to.
    Cut,
}

impl Action {
    /// All of them, the least severe first.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Warn,
        Self::Slow,
        Self::Hold,
        Self::Stop,
        Self::Park,
        Self::Damp,
        Self::Cut,
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Warn => "warn",
            Self::Slow => "slow",
            Self::Hold => "hold",
            Self::Stop => "stop",
            Self::Park => "park",
            Self::Damp => "damp",
            Self::Cut => "cut",
        }
    }

    /// What the robot does, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::None => "Nothing.",
            Self::Warn => "It is told; the robot goes on.",
            Self::Slow => {
                "Every joint's speed limit is multiplied by `slow_factor`. A run that cannot keep up ends as `left_behind`."
            }
            Self::Hold => {
                "The run ends, the joints brake within their limits and stand. Nothing is latched, and nothing goes on by itself."
            }
            Self::Stop => {
                "As hold, and latched: `faulted` or `estopped`. Nothing that was ordered before runs after it."
            }
            Self::Park => {
                "As hold, and at rest the robot is no longer driven: it has to be armed again."
            }
            Self::Damp => "As stop, and a robot with a damped stop of its own is told to use it.",
            Self::Cut => {
                "As stop, and a robot that can take the power off its motors is told to: an arm falls."
            }
        }
    }
}

/// How a condition ends, once its cause has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clear {
    /// With its cause.
    Itself,
    /// With its cause; what moved does not go on, a new decision or command begins something.
    Begin,
    /// The robot has to be armed.
    Arm,
    /// It has to be cleared, and then armed.
    ClearAndArm,
}

impl Clear {
    /// What has to be done, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Itself => "goes with its cause",
            Self::Begin => "its cause gone, a new run",
            Self::Arm => "its cause gone, `arm`",
            Self::ClearAndArm => "its cause gone, `clear_fault`, then `arm`",
        }
    }

    /// Who may do it.
    #[must_use]
    pub const fn who(self) -> &'static str {
        match self {
            Self::Itself => "nobody has to",
            Self::Begin => "whoever may begin a run: operator or router",
            Self::Arm | Self::ClearAndArm => "the operator; never a decision",
        }
    }
}

macro_rules! conditions {
    ($($(#[doc = $doc:literal])+ $variant:ident, $name:literal, $action:ident, $clear:ident, $when:literal;)*) => {
        /// Something that is not as it should be. The number of each is its bit in [`Conditions`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Condition {
            $($(#[doc = $doc])+ $variant,)*
        }

        /// Every condition with what is done about it, in the order of their bits.
        pub const TABLE: &[Rule] = &[$(Rule {
            condition: Condition::$variant,
            name: $name,
            action: Action::$action,
            clear: Clear::$clear,
            when: $when,
        },)*];
    };
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What is wrong.
    pub condition: Condition,
    /// Its name on the wire.
    pub name: &'static str,
    /// What is done about it; what an e-stop does is the robot's choice ([`Policy`]).
    pub action: Action,
    /// How it ends.
    pub clear: Clear,
    /// When it is so, in words.
    pub when: &'static str,
}

conditions! {
    /// The wall clock leapt.
    ClockStepped, "clock_stepped", Warn, Itself,
        "The wall clock leapt within the last minute. The loop's own clock does not care; recordings and the expiry of signatures do.";
    /// The recorder cannot write.
    DiskFull, "disk_full", Warn, Itself,
        "The recorder cannot write: no room, or no permission.";
    /// A head's answer was no use.
    InferenceFailed, "inference_failed", Warn, Itself,
        "A head failed, or its answer was not finite or no pose of the arm: there is no chunk of it.";
    /// No chunk came in time.
    ChunkLate, "chunk_late", Warn, Itself,
        "No chunk came by its deadline: the last speed goes on for `extrapolate_ticks`.";
    /// A joint is measured outside its limits.
    JointOutside, "joint_outside", Warn, Itself,
        "A joint is measured outside its position limits by more than `arm_tolerance_rad_or_m`. It is commanded inside, and further out of the way is the fault `diverged`.";
    /// The robot is getting hot.
    Warm, "warm", Slow, Itself,
        "A motor or driver is warmer than is well for it, and not yet too hot.";
    /// Some periods were skipped.
    Overrun, "overrun", Slow, Itself,
        "The loop skipped three periods within a second or so. One late tick is nothing; it ends after some seconds in time.";
    /// Many periods were skipped.
    Overruns, "overruns", Hold, Begin,
        "The loop skipped ten periods within a few seconds; ends after ten seconds in time.";
    /// What was decided is out of date.
    DecisionOver, "decision_over", Hold, Begin,
        "The run's time is up.";
    /// No chunk came for too long.
    ChunkOld, "chunk_old", Hold, Begin,
        "No chunk for longer than `extrapolate_ticks`: the joints brake. A chunk that comes within `give_up_ticks` is still taken, then the run ends as `ran_dry`.";
    /// Something must not be touched.
    Barred, "barred", Hold, Begin,
        "The workspace guard brakes the joints. After `give_up_ticks` at rest the run ends as `workspace`.";
    /// The operator is not heard of.
    Unattended, "unattended", Hold, Begin,
        "The operator who holds the lease was not heard of for `heartbeat_ms`; or nobody holds one, where one is needed.";
    /// What is measured is old.
    StateStale, "state_stale", Stop, ClearAndArm,
        "What is measured is older than `state_age_max_ms`.";
    /// What is measured makes no sense.
    StateBroken, "state_broken", Stop, ClearAndArm,
        "What is measured is not finite, or of another number of joints.";
    /// The backend lost the robot.
    BackendLost, "backend_lost", Stop, ClearAndArm,
        "The backend lost the robot.";
    /// The robot suffers from something that is known.
    Unwell, "unwell", Stop, ClearAndArm,
        "The backend found out what the robot suffers from: see its ailments.";
    /// A motor is too hot.
    Hot, "hot", Stop, ClearAndArm,
        "A motor or its driver is too hot.";
    /// The robot does not follow.
    Diverged, "diverged", Stop, ClearAndArm,
        "A joint was further than `divergence_max` from its commands for `divergence_ticks`.";
    /// A set-point made no sense.
    RequestBroken, "request_broken", Stop, ClearAndArm,
        "A set-point that was due was not finite, or further away than any motion.";
    /// Motors did not take hold, or let go.
    NotHeld, "not_held", Stop, ClearAndArm,
        "The motors did not take hold in time, let go of a robot that was held, or the robot sank out of its limits before they did.";
    /// The operator is gone.
    Deserted, "deserted", Park, Arm,
        "The operator was not heard of for `park_after_ms`.";
    /// Somebody pulled the e-stop.
    EStop, "estop", Stop, ClearAndArm,
        "Somebody pulled the e-stop. What it does is the robot's choice: stop, damp or cut.";
}

impl Condition {
    /// Its line of the table.
    #[must_use]
    pub const fn rule(self) -> &'static Rule {
        &TABLE[self as usize]
    }

    /// The condition that is called so on the wire.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|rule| rule.name == name).map(|rule| rule.condition)
    }

    /// What a fault comes of.
    #[must_use]
    pub const fn of(fault: Fault) -> Self {
        match fault {
            Fault::RequestNotFinite { .. } | Fault::GrossJump { .. } => Self::RequestBroken,
            Fault::StateNotFinite { .. } | Fault::StateShape => Self::StateBroken,
            Fault::StateStale => Self::StateStale,
            Fault::BackendLost => Self::BackendLost,
            Fault::Unwell(Ailment::Hot { .. }) => Self::Hot,
            Fault::Unwell(_) => Self::Unwell,
            Fault::Diverged { .. } => Self::Diverged,
            Fault::NotEngaged | Fault::Disengaged | Fault::OutsideLimits { .. } => Self::NotHeld,
        }
    }
}

/// Conditions, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions(pub u32);

impl Conditions {
    /// None.
    pub const NONE: Self = Self(0);
    /// All that are known.
    pub const ALL: Self = Self((1 << TABLE.len()) - 1);
    /// Those that the law cannot find out by itself, and takes somebody's word for.
    pub const OUTSIDE: Self = Self::NONE
        .with(Condition::ClockStepped)
        .with(Condition::DiskFull)
        .with(Condition::Overrun)
        .with(Condition::Overruns);

    /// These and one more.
    #[must_use]
    pub const fn with(self, condition: Condition) -> Self {
        Self(self.0 | 1 << condition as u32)
    }

    /// These, and one more if it is so.
    #[must_use]
    pub const fn with_if(self, is_so: bool, condition: Condition) -> Self {
        if is_so { self.with(condition) } else { self }
    }

    /// Those of either.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those of both.
    #[must_use]
    pub const fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, condition: Condition) -> bool {
        self.0 & (1 << condition as u32) != 0
    }

    /// Each of them, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Condition> {
        TABLE.iter().map(|rule| rule.condition).filter(move |condition| self.has(*condition))
    }
}

impl Words for Conditions {
    fn put(&self, to: &mut Sheet<'_>) {
        self.0.put(to);
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        Some(Self(Words::get(from)?))
    }
}

/// What is the robot's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What an e-stop does: stop, damp or cut; anything less counts as stop.
    pub estop: Action,
}

impl Default for Policy {
    fn default() -> Self {
        Self { estop: Action::Stop }
    }
}

/// What conditions amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is done.
    pub action: Action,
    /// The condition because of which it is that; of several, the last in the table.
    pub cause: Option<Condition>,
}

/// The most severe of what is to be done about each condition.
#[must_use]
pub fn judge(conditions: Conditions, policy: Policy) -> Verdict {
    let mut verdict = Verdict::default();
    for condition in conditions.iter() {
        let action = match condition {
            Condition::EStop => policy.estop.max(Action::Stop),
            other => other.rule().action,
        };
        if action >= verdict.action {
            verdict = Verdict { action, cause: Some(condition) };
        }
    }
    verdict
}

/// Tells a loop that is late now and then from one that cannot keep up: a bucket that skipped periods fill, and ticks in
/// time drain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overruns {
    bucket: u32,
    some: bool,
    many: bool,
}

impl Overruns {
    /// What a skipped period adds; a tick takes one away.
    const SKIPPED: u32 = 20;
    /// From here on, until it is empty, some were skipped: the third within a second.
    const SOME: u32 = 2 * Self::SKIPPED + 1;
    /// And many.
    const MANY: u32 = 9 * Self::SKIPPED + 1;
    /// More is not remembered: some ten seconds at 20 Hz.
    const MOST: u32 = 10 * Self::SKIPPED;

    /// Takes in a tick before which so many periods were skipped, and says what that makes it.
    pub fn tick(&mut self, skipped: u64) -> Conditions {
        let more = u32::try_from(skipped).unwrap_or(Self::MOST).min(10) * Self::SKIPPED;
        self.bucket = if more == 0 {
            self.bucket.saturating_sub(1)
        } else {
            self.bucket.saturating_add(more).min(Self::MOST)
        };
        self.some = self.bucket >= Self::SOME || (self.some && self.bucket > 0);
        self.many = self.bucket >= Self::MANY || (self.many && self.bucket > 0);
        self.now()
    }

    /// What it is by now.
    #[must_use]
    pub const fn now(&self) -> Conditions {
        Conditions::NONE
            .with_if(self.some, Condition::Overrun)
            .with_if(self.many, Condition::Overruns)
    }
}

#[cfg(test)]
#[path = "failsafe_test.rs"]
mod tests;
