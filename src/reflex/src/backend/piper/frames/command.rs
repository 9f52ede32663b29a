use super::{
    ArcPoint, ControlMode, EndLimits, FieldError, Follow, Frame, GripperSetup, Homing, IdOffset,
    Joint, LimitKind, Linkage, Load, Mit, Motor, Motors, Mount, MoveMode, Pair, PosePart, Query,
    Restore, ServoValue, Stop, Stream, Teach, Track,
};

mod check;
mod decode;
mod encode;

pub(super) use decode::{
    end as end_from, gripper_setup as gripper_setup_from, is_question, pose as pose_from,
    servo as servo_from, six as six_from,
};
pub(super) use encode::{end, gripper_setup, pose, servo_of};

/// What a host may send.
///
/// Some of it is kept in the controller's flash, and some lets the arm fall; each says so. Nothing here knows whether it
/// is a good moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// 0x121.
    Light(Light),
    /// 0x150: stops, stored trajectories, teaching.
    Motion(Motion),
    /// 0x151: who commands, and how the arm moves.
    Mode(ModeCommand),
    /// 0x152 to 0x154: a part of the tool's target.
    Pose(PosePart),
    /// 0x155 to 0x157: targets of two joints.
    JointPair {
        /// Which two.
        first: Pair,
        /// Their angles.
        mdeg: [i32; 2],
    },
    /// 0x158: which point of a circle the last pose was.
    Arc(ArcPoint),
    /// 0x159.
    Gripper(GripperCommand),
    /// 0x15A to 0x15F: one motor's position, speed, gains and torque at once.
    Mit(Mit),
    /// 0x181 to 0x187, seven bytes: a value of a motor's own control.
    Servo(Servo),
    /// 0x191.
    Homing(Homing),
    /// 0x470: leads or follows, and at which ids. Kept in flash.
    Role(Role),
    /// 0x471: motors on or off. **Off takes the power at once: the arm falls, it has no brakes.**
    Power {
        /// Which motors.
        motors: Motors,
        /// On or off.
        on: bool,
    },
    /// 0x472.
    AskLimits {
        /// Of which motor.
        motor: Motor,
        /// Which of them.
        kind: LimitKind,
    },
    /// 0x474. Kept in flash.
    SetLimits(LimitSetup),
    /// 0x475.
    SetJoint(JointSetup),
    /// 0x477: asks for settings, and changes some.
    SetParameters(ParameterSetup),
    /// 0x479.
    SetEnd(EndLimits),
    /// 0x47A: 0 is off, 1 to 8 ever more sensitive, 0xFF leaves a joint as it is.
    SetCollision {
        /// From joint 1 to 6.
        levels: [u8; 6],
    },
    /// 0x47D.
    SetGripper(GripperSetup),
    /// 0x487: how much each joint helps a hand that moves it. Which numbers are allowed is written down nowhere.
    Assist {
        /// From joint 1 to 6.
        ratings: [u8; 6],
    },
    /// 0x4AF: answered by eleven [`Feedback::FirmwarePart`](super::Feedback::FirmwarePart)s.
    AskFirmware,
}

impl Command {
    /// Quick stop: the joints are damped.
    pub const QUICK_STOP: Self = Self::Motion(Motion { stop: Stop::Quick, ..Motion::NONE });

    /// Leaves a quick stop. **Takes the power off: the arm drops.**
    pub const RESET: Self = Self::Motion(Motion { stop: Stop::Reset, ..Motion::NONE });

    /// As a frame.
    ///
    /// # Errors
    /// A field that does not allow its value.
    pub fn encode(&self) -> Result<Frame, FieldError> {
        encode::frame(self)
    }

    /// What a frame commands; nothing, if its id is not one of a command.
    ///
    /// Reserved bytes are not looked at.
    ///
    /// # Errors
    /// Too few bytes, or a value that its field does not allow.
    pub fn decode(frame: &Frame) -> Result<Option<Self>, FieldError> {
        decode::command(frame)
    }
}

/// The LEDs: 0x121.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Light {
    /// Whether it counts.
    pub on: bool,
    /// On which joint.
    pub joint: Joint,
    /// Which LED; 0xFF is all.
    pub led: u8,
    /// Red, green, blue.
    pub rgb: [u8; 3],
    /// Counts up from frame to frame.
    pub count: u8,
}

/// 0x150.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Motion {
    /// Stops, or leaves a stop.
    pub stop: Stop,
    /// Stored trajectories.
    pub track: Track,
    /// Teaching by hand.
    pub teach: Teach,
    /// Which point of a trajectory was sent.
    pub point: u8,
    /// Name of a trajectory.
    pub name: u16,
    /// Its checksum.
    pub crc: u16,
}

impl Motion {
    /// Nothing at all.
    pub const NONE: Self =
        Self { stop: Stop::None, track: Track::None, teach: Teach::Off, point: 0, name: 0, crc: 0 };
}

/// 0x151.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeCommand {
    /// Who commands. Teach, Remote and Linkage cannot be commanded.
    pub control: ControlMode,
    /// How the arm moves.
    pub movement: MoveMode,
    /// Of the greatest speed, 0 to 100 per cent.
    pub speed_percent: u8,
    /// Whether the controller plans.
    pub follow: Follow,
    /// How long an offline trajectory stays at a point; 255 ends it.
    pub dwell_s: u8,
    /// How the base is mounted.
    pub mount: Mount,
}

/// 0x159.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GripperCommand {
    /// The whole opening, not that of one finger.
    pub stroke_um: i32,
    /// How hard it closes, 0 to 5000. A leading arm says less than nothing at times: that is heard, and cannot be sent.
    pub effort_mnm: i16,
    /// Whether its motor is on.
    pub enable: bool,
    /// Clears its errors.
    pub clear_error: bool,
    /// Makes the present opening zero; sent with the motor off.
    pub set_zero: bool,
}

/// 0x181 to 0x187.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Servo {
    /// Which motor.
    pub motor: Motor,
    /// Written, asked for or answered.
    pub verb: ServoVerb,
    /// Which value.
    pub value: ServoValue,
    /// The value itself.
    pub raw: i32,
}

/// What happens to a value of a motor's own control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServoVerb {
    /// `w`: a host writes it.
    Write,
    /// `r`: a host asks for it.
    Read,
    /// `a`: a motor answers. Not a command, but under the same id.
    Answer,
}

impl ServoVerb {
    pub(super) const fn letter(self) -> u8 {
        match self {
            Self::Write => b'w',
            Self::Read => b'r',
            Self::Answer => b'a',
        }
    }

    const fn of_letter(letter: u8) -> Option<Self> {
        match letter {
            b'w' => Some(Self::Write),
            b'r' => Some(Self::Read),
            b'a' => Some(Self::Answer),
            _ => None,
        }
    }
}

/// 0x470. Kept in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// Leads or follows.
    pub linkage: Linkage,
    /// Where feedback goes.
    pub feedback: IdOffset,
    /// Where commands are listened for.
    pub control: IdOffset,
    /// Where a leader sends its commands.
    pub target: IdOffset,
}

/// 0x474; [`LEAVE`](super::LEAVE) leaves a value as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSetup {
    /// Of which joint.
    pub joint: Joint,
    /// Greatest angle, in tenths of a degree.
    pub max_ddeg: i16,
    /// Least angle, in tenths of a degree.
    pub min_ddeg: i16,
    /// Greatest speed in hundredths of a radian per second, as the vendor confirmed; its SDK says thousandths. At most
    /// 3000, as in the SDK; the maker's value is 300.
    pub speed_crad_s: u16,
}

/// 0x475.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JointSetup {
    /// Which motor.
    pub motor: Motor,
    /// Makes the present position zero. Kept in flash.
    pub set_zero: bool,
    /// Whether the acceleration counts.
    pub acceleration_counts: bool,
    /// Greatest acceleration in hundredths of a radian per second squared, at most 500, or [`LEAVE`](super::LEAVE).
    pub acceleration_crad_s2: u16,
    /// Clears the joint's errors.
    pub clear_error: bool,
}

/// 0x477.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterSetup {
    /// What is asked for.
    pub query: Query,
    /// What is put back to the maker's values.
    pub restore: Restore,
    /// Feedback 0x48x.
    pub stream: Stream,
    /// Whether the load counts.
    pub load_counts: bool,
    /// What the arm carries.
    pub load: Load,
}

impl ParameterSetup {
    /// Asks, and changes nothing.
    #[must_use]
    pub const fn ask(query: Query) -> Self {
        Self {
            query,
            restore: Restore::None,
            stream: Stream::Leave,
            load_counts: false,
            load: Load::Leave,
        }
    }
}
