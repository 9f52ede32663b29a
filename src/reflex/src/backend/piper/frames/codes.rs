/// A closed set of values, each with its byte on the wire.
pub trait Code: Copy + PartialEq + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// Its byte.
    fn code(self) -> u8;

    /// The one with this byte.
    fn of_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.code() == code)
    }
}

/// What the arm said: one of the known values, or a byte that nobody has written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<T> {
    /// A known value.
    Known(T),
    /// A byte without a meaning. Never that of a known value.
    Unknown(u8),
}

impl<T: Code> Told<T> {
    /// What a byte says.
    #[must_use]
    pub fn of_code(code: u8) -> Self {
        T::of_code(code).map_or(Self::Unknown(code), Self::Known)
    }

    /// Its byte.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Known(known) => known.code(),
            Self::Unknown(code) => code,
        }
    }

    /// Whether it is this one.
    #[must_use]
    pub fn is(self, value: T) -> bool {
        self == Self::Known(value)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $one:ident = $code:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of])* $one = $code,)+
        }

        impl Code for $name {
            const ALL: &'static [Self] = &[$(Self::$one,)+];

            fn code(self) -> u8 {
                self as u8
            }
        }
    )+};
}

codes! {
    /// 0x150 byte 0.
    Stop {
        /// Nothing.
        None = 0,
        /// Quick stop: the joints are damped, and the arm sinks slowly.
        Quick = 1,
        /// The only way out of a quick stop, of teaching by button, and of MIT mode on old firmware. **It takes the power
        /// off at once: the arm drops.**
        Reset = 2,
    }
    /// 0x150 byte 1: trajectories that are stored in the controller.
    Track {
        /// Nothing.
        None = 0,
        /// Pauses the present one.
        Pause = 1,
        /// Goes on with it.
        Continue = 2,
        /// Forgets it.
        Clear = 3,
        /// Forgets all.
        ClearAll = 4,
        /// Asks for the present one.
        Get = 5,
        /// Ends it.
        Terminate = 6,
        /// A point is being sent.
        Transfer = 7,
        /// The last point was sent.
        TransferEnd = 8,
    }
    /// Teaching by hand: 0x150 byte 2 and 0x2A1 byte 3.
    Teach {
        /// Not at all.
        Off = 0,
        /// Records.
        Record = 1,
        /// Has ended recording.
        RecordEnd = 2,
        /// Plays what was recorded.
        Play = 3,
        /// Pauses.
        Pause = 4,
        /// Goes on.
        Continue = 5,
        /// Has been ended.
        Terminate = 6,
        /// Moves to where the recording begins.
        ToStart = 7,
    }
    /// Who commands the arm: 0x151 byte 0 and 0x2A1 byte 0. Only some may be commanded.
    ControlMode {
        /// Nobody.
        Standby = 0,
        /// The CAN bus.
        Can = 1,
        /// A hand. Reported only; the vendor's SDK refuses to command it, and so do we.
        Teach = 2,
        /// Ethernet.
        Ethernet = 3,
        /// Wi-Fi.
        Wifi = 4,
        /// A remote control. Reported only.
        Remote = 5,
        /// A leading arm. Reported only.
        Linkage = 6,
        /// A stored trajectory.
        Offline = 7,
    }
    /// How the arm moves: 0x151 byte 1 and 0x2A1 byte 2.
    MoveMode {
        /// MOVE P: the tool to a pose, by joints.
        Pose = 0,
        /// MOVE J: joints to angles, smoothed by the controller; a later target replaces an earlier one.
        Joint = 1,
        /// MOVE L: the tool along a line. Must not be streamed.
        Linear = 2,
        /// MOVE C: the tool along a circle.
        Circular = 3,
        /// MIT, on firmware up to 1.8-7.
        Mit = 4,
        /// Position, speed and acceleration by the motors' own control.
        Cpv = 5,
        /// MIT, on firmware from 1.8-8 on.
        MitTwelveBit = 6,
    }
    /// 0x151 byte 3.
    Follow {
        /// The controller plans: position and speed.
        Planned = 0,
        /// "High follow": set-points pass through without planning; also what MIT takes.
        Direct = 0xAD,
        /// Leaves it as it is.
        Leave = 0xFF,
    }
    /// How the base is mounted: 0x151 byte 5.
    Mount {
        /// Leaves it as it is.
        Leave = 0,
        /// Upright.
        Upright = 1,
        /// On its left side.
        Left = 2,
        /// On its right side.
        Right = 3,
    }
    /// Which point of a circle the last pose was: 0x158 byte 0.
    ArcPoint {
        /// None.
        None = 0,
        /// The first.
        Start = 1,
        /// One between.
        Middle = 2,
        /// The last.
        End = 3,
    }
    /// Whether an arm leads or follows: 0x470 byte 0. Kept in flash.
    Linkage {
        /// Leaves it as it is.
        Leave = 0,
        /// It is moved by hand and leads others: it *sends* commands.
        Leader = 0xFA,
        /// It is commanded.
        Follower = 0xFC,
    }
    /// How far ids are shifted: 0x470 bytes 1 to 3.
    IdOffset {
        /// Not at all.
        None = 0,
        /// By 0x10: feedback 0x2Bx, commands 0x16x.
        Ten = 0x10,
        /// By 0x20: feedback 0x2Cx, commands 0x17x.
        Twenty = 0x20,
    }
    /// Which limits are asked for: 0x472 byte 1.
    LimitKind {
        /// Angles and speed, answered by 0x473.
        AngleAndSpeed = 1,
        /// Acceleration, answered by 0x47C.
        Acceleration = 2,
    }
    /// What is asked for: 0x477 byte 0.
    Query {
        /// Nothing.
        None = 0,
        /// Limits of the tool, answered by 0x478.
        End = 1,
        /// Collision levels, answered by 0x47B.
        Collision = 2,
        /// The present trajectory.
        Track = 3,
        /// Gripper and teaching handle, answered by 0x47E.
        Gripper = 4,
    }
    /// What is put back to the maker's values: 0x477 byte 1.
    Restore {
        /// Nothing.
        None = 0,
        /// Limits of the tool.
        End = 1,
        /// Limits of the joints.
        Joints = 2,
    }
    /// The abandoned feedback 0x48x: 0x477 byte 2. Documents disagree on which of the two codes switches it on.
    Stream {
        /// Leaves it as it is.
        Leave = 0,
        /// Code 1.
        One = 1,
        /// Code 2.
        Two = 2,
    }
    /// What the arm carries: 0x477 byte 4.
    Load {
        /// Nothing.
        Empty = 0,
        /// Half of what it can.
        Half = 1,
        /// All that it can.
        Full = 2,
        /// Leaves it as it is.
        Leave = 3,
    }
    /// 0x191: brings a leading arm home. Firmware 1.7-4 and later. Numbered as the vendor's SDK does; the wire has three
    /// bytes for it.
    Homing {
        /// Leading and following again.
        Restore = 0,
        /// The leader goes home.
        Leader = 1,
        /// Both go home.
        Both = 2,
    }
    /// Whether a target was reached: 0x2A1 byte 4.
    Reached {
        /// It was.
        Yes = 0,
        /// Not yet.
        No = 1,
    }
    /// How the arm is: 0x2A1 byte 1.
    ArmStatus {
        /// Well.
        Normal = 0,
        /// Stopped by its emergency stop.
        EmergencyStop = 1,
        /// A pose that it cannot reach.
        NoSolution = 2,
        /// A singular pose.
        Singular = 3,
        /// A target beyond its limits.
        TargetOverLimit = 4,
        /// A joint does not answer the controller.
        JointSilent = 5,
        /// A brake is not released.
        BrakeHeld = 6,
        /// A collision.
        Collision = 7,
        /// Moved too fast by hand.
        TeachOverspeed = 8,
        /// A joint is unwell.
        JointAbnormal = 9,
        /// Something else.
        Other = 0x0A,
        /// Records what it is taught.
        TeachRecord = 0x0B,
        /// Plays what it was taught.
        TeachPlay = 0x0C,
        /// Pauses what it was taught.
        TeachPause = 0x0D,
        /// The controller is too hot.
        ControllerHot = 0x0E,
        /// The braking resistor is too hot.
        ResistorHot = 0x0F,
    }
    /// What became of a pack of points: 0x476 byte 3.
    Pack {
        /// Nothing to tell.
        None = 0,
        /// It arrived whole.
        Good = 0xAE,
        /// It did not.
        Bad = 0xEE,
    }
}

/// A value of a motor's own control (CPV), by two letters: 0x181 to 0x187 bytes 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServoValue {
    /// `po`: position.
    Position,
    /// `sp`: speed.
    Speed,
    /// `ac`: acceleration.
    Acceleration,
    /// `dc`: deceleration.
    Deceleration,
    /// `vv`.
    Vv,
    /// `pp`.
    Pp,
    /// `kp`: proportional gain.
    Kp,
    /// `ki`: integral gain.
    Ki,
    /// `ee`: what the vendor's SDK writes to learn a zero.
    Learn,
}

impl ServoValue {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Position,
        Self::Speed,
        Self::Acceleration,
        Self::Deceleration,
        Self::Vv,
        Self::Pp,
        Self::Kp,
        Self::Ki,
        Self::Learn,
    ];

    /// Its two letters.
    #[must_use]
    pub const fn letters(self) -> [u8; 2] {
        match self {
            Self::Position => *b"po",
            Self::Speed => *b"sp",
            Self::Acceleration => *b"ac",
            Self::Deceleration => *b"dc",
            Self::Vv => *b"vv",
            Self::Pp => *b"pp",
            Self::Kp => *b"kp",
            Self::Ki => *b"ki",
            Self::Learn => *b"ee",
        }
    }

    /// The value with these letters.
    #[must_use]
    pub fn of_letters(letters: [u8; 2]) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.letters() == letters)
    }
}
