//! What the law knows of a robot: its joints' limits, what must not touch, and the figures by which it judges trouble.

use crate::{
    failsafe::{Action, Policy},
    joints::MAX_JOINTS,
    words::{Reading, Sheet, Words},
    workspace::Workspace,
};

/// Limits of one joint, in rad or m and seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointLimits {
    /// Lowest commanded position.
    pub position_min: f64,
    /// Highest commanded position.
    pub position_max: f64,
    /// Largest commanded speed.
    pub velocity_max: f64,
    /// Largest commanded acceleration; braking uses it too.
    pub acceleration_max: f64,
    /// Largest commanded jerk.
    pub jerk_max: f64,
    /// A request further than this from the last command is a mistake, not a motion: refused, and a fault.
    pub step_max: f64,
    /// A measured position further than this from the command, for [`Rules::divergence_ticks`], is a fault.
    pub divergence_max: f64,
    /// A gripper snaps to the newest chunk; blending two opinions about it would half-open a hand.
    pub gripper: bool,
}

/// Whether somebody has to be there for the robot to be driven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attendance {
    /// An operator whose heartbeat is heard, always.
    #[default]
    Required,
    /// An operator while the robot is a physical one; while it is simulated, only if somebody holds the lease.
    Physical,
    /// Only if somebody holds the lease.
    Optional,
}

/// Figures of the law that belong to no joint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// A measured state older than this faults the robot.
    pub state_age_max_ns: u64,
    /// Ticks for which a dry schedule goes on at its last speed before it brakes.
    pub extrapolate_ticks: u32,
    /// Dry ticks after which the run is given up.
    pub give_up_ticks: u32,
    /// Consecutive ticks of divergence that make a fault.
    pub divergence_ticks: u32,
    /// How far outside its limits, or from the last command, a joint may stand when it is armed (rad or m).
    pub arm_tolerance: f64,
    /// Motors that do not follow so long after they were switched on are a fault.
    pub engage_max_ns: u64,
    /// Whether an operator has to be heard of.
    pub attendance: Attendance,
    /// One who was not heard of for so long is not there.
    pub heartbeat_ns: u64,
    /// And for so long more, is gone.
    pub park_after_ns: u64,
    /// What speed limits are multiplied by where the robot is to be slow, in (0, 1].
    pub slow_factor: f64,
    /// What the robot chose to do.
    pub policy: Policy,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            state_age_max_ns: 200_000_000,
            extrapolate_ticks: 2,
            give_up_ticks: 20,
            divergence_ticks: 5,
            arm_tolerance: 0.02,
            engage_max_ns: 3_000_000_000,
            // Whoever builds a law without a word about operators is its operator.
            attendance: Attendance::Optional,
            heartbeat_ns: 300_000_000,
            park_after_ns: 60_000_000_000,
            slow_factor: 0.25,
            policy: Policy { estop: Action::Stop },
        }
    }
}

/// Why limits make no robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitError {
    /// No joints, or more than [`MAX_JOINTS`].
    Count,
    /// The period is not a positive number of seconds.
    Period,
    /// The factor for a slow robot is not in (0, 1].
    SlowFactor,
    /// A limit of this joint is not finite.
    NotFinite {
        /// Which joint.
        joint: usize,
    },
    /// The lower position limit of this joint is not below the upper one.
    Order {
        /// Which joint.
        joint: usize,
    },
    /// A speed, acceleration, jerk, step or divergence limit of this joint is not positive.
    NotPositive {
        /// Which joint.
        joint: usize,
    },
}

/// A robot whose limits were checked.
#[derive(Clone, Copy, Debug)]
pub struct Robot {
    period_s: f64,
    rules: Rules,
    len: usize,
    limits: [JointLimits; MAX_JOINTS],
    workspace: Option<Workspace>,
}

impl Robot {
    /// Checks limits and makes a robot of them.
    ///
    /// # Errors
    /// The first limit that makes no sense, by joint.
    pub fn build(period_s: f64, limits: &[JointLimits], rules: Rules) -> Result<Self, LimitError> {
        if !(period_s.is_finite() && period_s > 0.0) {
            return Err(LimitError::Period);
        }
        if !(rules.slow_factor > 0.0 && rules.slow_factor <= 1.0) {
            return Err(LimitError::SlowFactor);
        }
        let first = *limits.first().ok_or(LimitError::Count)?;
        if limits.len() > MAX_JOINTS {
            return Err(LimitError::Count);
        }
        for (joint, limit) in limits.iter().enumerate() {
            let positive = [
                limit.velocity_max,
                limit.acceleration_max,
                limit.jerk_max,
                limit.step_max,
                limit.divergence_max,
            ];
            let finite = limit.position_min.is_finite() && limit.position_max.is_finite();
            if !finite || positive.iter().any(|value| !value.is_finite()) {
                return Err(LimitError::NotFinite { joint });
            }
            if limit.position_min >= limit.position_max {
                return Err(LimitError::Order { joint });
            }
            if positive.iter().any(|value| *value <= 0.0) {
                return Err(LimitError::NotPositive { joint });
            }
        }
        let mut all = [first; MAX_JOINTS];
        all[..limits.len()].copy_from_slice(limits);
        Ok(Self { period_s, rules, len: limits.len(), limits: all, workspace: None })
    }

    /// The same robot, kept from touching itself and what is around it.
    #[must_use]
    pub fn with_workspace(self, workspace: Workspace) -> Self {
        Self { workspace: Some(workspace), ..self }
    }

    /// The same robot, with other rules for who has to be there: see [`Rules`].
    #[must_use]
    pub const fn attended(
        mut self,
        attendance: Attendance,
        heartbeat_ns: u64,
        park_after_ns: u64,
    ) -> Self {
        self.rules.attendance = attendance;
        self.rules.heartbeat_ns = heartbeat_ns;
        self.rules.park_after_ns = park_after_ns;
        self
    }

    /// What must not touch, if anything is known of it.
    #[must_use]
    pub const fn workspace(&self) -> Option<&Workspace> {
        self.workspace.as_ref()
    }

    /// Seconds between two ticks.
    #[must_use]
    pub const fn period_s(&self) -> f64 {
        self.period_s
    }

    /// Figures that belong to no joint.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Limits of every joint, in joint order.
    #[must_use]
    pub fn limits(&self) -> &[JointLimits] {
        &self.limits[..self.len]
    }

    /// How many joints there are.
    #[must_use]
    pub const fn joints(&self) -> usize {
        self.len
    }
}

impl Words for Robot {
    fn put(&self, to: &mut Sheet<'_>) {
        let Self { period_s, rules, len, limits, workspace } = self;
        period_s.put(to);
        rules.put(to);
        len.put(to);
        limits[..*len].iter().for_each(|limits| limits.put(to));
        workspace.put(to);
    }

    /// Checked as if it were new.
    fn get(from: &mut Reading<'_>) -> Option<Self> {
        let (period_s, rules) = Words::get(from)?;
        let len = usize::get(from).filter(|len| (1..=MAX_JOINTS).contains(len))?;
        let first: JointLimits = Words::get(from)?;
        let mut limits = [first; MAX_JOINTS];
        for limit in &mut limits[1..len] {
            *limit = Words::get(from)?;
        }
        let robot = Self::build(period_s, &limits[..len], rules).ok()?;
        Some(Self { workspace: Words::get(from)?, ..robot })
    }
}
