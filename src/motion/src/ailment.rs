//! What a robot may suffer from, as its backend found out. Joints are counted from 0, in the robot's order.

use core::fmt;

/// What is wrong with a robot that can still be read, or why it cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ailment {
    /// Nothing was heard of this joint for too long, though of others it was.
    Silent {
        /// Which joint.
        joint: usize,
    },
    /// This joint was to move, and what is heard of it does not change by a bit.
    Frozen {
        /// Which joint.
        joint: usize,
    },
    /// What is heard of this joint is no motion that it could make.
    Implausible {
        /// Which joint.
        joint: usize,
    },
    /// The motor lost its power, or never got it.
    MotorOff {
        /// Which joint.
        joint: usize,
    },
    /// The motor or its driver is too hot.
    Hot {
        /// Which joint.
        joint: usize,
    },
    /// The arm itself noticed that this joint ran into something.
    Collided {
        /// Which joint.
        joint: usize,
    },
    /// The motor is stalled.
    Stalled {
        /// Which joint.
        joint: usize,
    },
    /// Its supply is too low.
    Undervoltage {
        /// Which joint.
        joint: usize,
    },
    /// It draws too much.
    Overcurrent {
        /// Which joint.
        joint: usize,
    },
    /// Its driver or its sensor has an error.
    Broken {
        /// Which joint.
        joint: usize,
    },
    /// The arm says that this joint is beyond the arm's own limits.
    BeyondOwnLimits {
        /// Which joint.
        joint: usize,
    },
    /// The arm's controller does not reach this joint.
    Unreached {
        /// Which joint.
        joint: usize,
    },
    /// The arm was stopped by itself: its own button, or somebody else's quick stop.
    OwnStop,
    /// The arm says that it cannot do what it was told; the code is its own.
    OwnFault {
        /// The arm's own code.
        code: u8,
    },
    /// The arm left the mode that it was commanded into: its teach button, or another master.
    OtherMode,
    /// Somebody else commands the arm.
    SecondMaster,
    /// The bus is full of what nobody should send.
    Garbage,
    /// The bus reports errors.
    BusErrors,
    /// The bus is off.
    BusOff,
    /// There is no bus: the interface is down or gone, the connection is closed.
    NoBus,
    /// What is commanded does not get out.
    Unsent,
    /// Nothing at all is heard of the robot.
    NothingHeard,
}

impl Ailment {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent { .. } => "joint_silent",
            Self::Frozen { .. } => "joint_frozen",
            Self::Implausible { .. } => "joint_implausible",
            Self::MotorOff { .. } => "motor_off",
            Self::Hot { .. } => "motor_hot",
            Self::Collided { .. } => "collided",
            Self::Stalled { .. } => "motor_stalled",
            Self::Undervoltage { .. } => "undervoltage",
            Self::Overcurrent { .. } => "overcurrent",
            Self::Broken { .. } => "joint_broken",
            Self::BeyondOwnLimits { .. } => "beyond_own_limits",
            Self::Unreached { .. } => "joint_unreached",
            Self::OwnStop => "own_stop",
            Self::OwnFault { .. } => "own_fault",
            Self::OtherMode => "other_mode",
            Self::SecondMaster => "second_master",
            Self::Garbage => "bus_garbage",
            Self::BusErrors => "bus_errors",
            Self::BusOff => "bus_off",
            Self::NoBus => "no_bus",
            Self::Unsent => "unsent",
            Self::NothingHeard => "nothing_heard",
        }
    }

    /// The joint that suffers, if it is one joint.
    #[must_use]
    pub const fn joint(self) -> Option<usize> {
        match self {
            Self::Silent { joint }
            | Self::Frozen { joint }
            | Self::Implausible { joint }
            | Self::MotorOff { joint }
            | Self::Hot { joint }
            | Self::Collided { joint }
            | Self::Stalled { joint }
            | Self::Undervoltage { joint }
            | Self::Overcurrent { joint }
            | Self::Broken { joint }
            | Self::BeyondOwnLimits { joint }
            | Self::Unreached { joint } => Some(joint),
            _ => None,
        }
    }

    /// What it is and what to do about it, without the joint's name.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Silent { .. } => "says nothing any more: look at the arm's cables",
            Self::Frozen { .. } => {
                "was to move, and its feedback does not change: look at its sensor and cables"
            }
            Self::Implausible { .. } => {
                "tells of motions that it cannot make: look for somebody else on the bus"
            }
            Self::MotorOff { .. } => {
                "has no motor power: arm again, and look at its cables if that does not last"
            }
            Self::Hot { .. } => "is too hot: let it cool down",
            Self::Collided { .. } => "ran into something, as the arm itself says: free it",
            Self::Stalled { .. } => "is stalled: free it",
            Self::Undervoltage { .. } => "has too low a supply: look at the power",
            Self::Overcurrent { .. } => "draws too much current: free it",
            Self::Broken { .. } => {
                "has an error in its driver or sensor: switch the arm off and on"
            }
            Self::BeyondOwnLimits { .. } => {
                "is beyond the arm's own limits: release it and move it back by hand"
            }
            Self::Unreached { .. } => {
                "is not reached by the arm's own controller: look at its cables"
            }
            Self::OwnStop => {
                "the arm was stopped by its own button or a quick stop: hold the arm, `reflexctl release`, clear the fault and arm again"
            }
            Self::OwnFault { .. } => {
                "the arm says that it cannot do what it was told: look at its status code"
            }
            Self::OtherMode => {
                "the arm left the mode that it was commanded into: look for its teach button, and for another master"
            }
            Self::SecondMaster => "somebody else commands the arm: stop the other program",
            Self::Garbage => {
                "the bus is full of frames that nobody should send: look who else is on it"
            }
            Self::BusErrors => "the bus reports errors: look at its wiring and termination",
            Self::BusOff => {
                "the bus is off: look at its wiring; `ip link set can0 type can restart-ms 100` lets it come back"
            }
            Self::NoBus => "there is no bus: look at the adapter, its cable and `ip link`",
            Self::Unsent => "commands do not get out on the bus: look at its wiring and load",
            Self::NothingHeard => "nothing is heard of the arm: look at its power and its cable",
        }
    }
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.joint() {
            Some(joint) => write!(f, "joint {joint} {}", self.words()),
            None => f.write_str(self.words()),
        }
    }
}
