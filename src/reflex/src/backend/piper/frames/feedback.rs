use super::{
    ArmStatus, ControlMode, EndLimits, FieldError, Frame, GripperSetup, IdOffset, Joint, Motor,
    MoveMode, Pack, Pair, PosePart, Reached, Servo, Teach, Told,
};

mod decode;
mod encode;

/// What the arm says.
///
/// Decoding keeps what was said, however odd: only what has no meaning at all (too few bytes, a motor that there is not) is
/// an error. Whether it can be true is for [`Feedback::is_plausible`] and for those who know the arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// 0x251 to 0x256, 200 a second.
    Speed(Speed),
    /// 0x261 to 0x266, 40 a second.
    Driver(Driver),
    /// 0x2A1, 200 a second.
    Status(Status),
    /// 0x2A2 to 0x2A4, 200 a second: a part of the tool's pose.
    Pose(PosePart),
    /// 0x2A5 to 0x2A7, 200 a second: where two joints are.
    JointPair {
        /// Which two.
        first: Pair,
        /// Their angles.
        mdeg: [i32; 2],
    },
    /// 0x2A8, 200 a second.
    Gripper(Gripper),
    /// 0x2AA to 0x2AC: what the controller's own inverse kinematics made of the last MOVE P. From firmware 1.8-8 on.
    IkJointPair {
        /// Which two.
        first: Pair,
        /// Their angles.
        mdeg: [i32; 2],
    },
    /// 0x181 to 0x187, seven bytes: a motor's own control answers.
    Servo(Servo),
    /// 0x473.
    Limits(Limits),
    /// 0x476: a setting was heard.
    Ack(Ack),
    /// 0x478.
    End(EndLimits),
    /// 0x47B.
    Collision {
        /// From joint 1 to 6.
        levels: [u8; 6],
    },
    /// 0x47C.
    Acceleration {
        /// Of which motor.
        motor: Motor,
        /// In hundredths of a radian per second squared: the maker's 500 is 5 rad/s^2. The vendor's SDK says thousandths.
        acceleration_crad_s2: u16,
    },
    /// 0x47E.
    GripperSetup(GripperSetup),
    /// 0x488.
    Assist {
        /// From joint 1 to 6.
        ratings: [u8; 6],
    },
    /// 0x4AF: an eleventh of the firmware's identity, see [`Identity`](super::Identity).
    FirmwarePart([u8; 8]),
}

impl Feedback {
    /// As a frame.
    ///
    /// # Errors
    /// A field that does not allow its value.
    pub fn encode(&self) -> Result<Frame, FieldError> {
        encode::frame(self)
    }

    /// What a frame says; nothing, if its id is not one of feedback.
    ///
    /// # Errors
    /// Too few bytes, or a motor that there is not.
    pub fn decode(frame: &Frame) -> Result<Option<Self>, FieldError> {
        decode::feedback(frame)
    }

    /// A frame of feedback that was shifted by an arm's [`Role`](super::Role), put back to the ids that [`Feedback::decode`]
    /// knows. `None` where the id is not one of shifted feedback.
    #[must_use]
    pub fn unshift(frame: &Frame) -> Option<(IdOffset, Frame)> {
        let offset = match frame.id {
            0x2B1..=0x2BC => IdOffset::Ten,
            0x2C1..=0x2CC => IdOffset::Twenty,
            _ => return None,
        };
        Some((offset, Frame { id: frame.id - offset as u16, ..*frame }))
    }

    /// Whether an arm could say this: within 3000 degrees a joint, 1 m and 361 degrees the tool, 150 mm the gripper. These
    /// are the bounds of the vendor's own filter, far beyond what the arm can do, so what lies outside is a broken frame.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let within = |value: i32, limit: u32| value.unsigned_abs() <= limit;
        match *self {
            Self::JointPair { mdeg, .. } => mdeg.into_iter().all(|mdeg| within(mdeg, 3_000_000)),
            Self::Pose(PosePart::Xy { x_um, y_um }) => {
                within(x_um, 1_000_000) && within(y_um, 1_000_000)
            }
            Self::Pose(PosePart::ZRx { z_um, rx_mdeg }) => {
                within(z_um, 1_000_000) && within(rx_mdeg, 361_000)
            }
            Self::Pose(PosePart::RyRz { ry_mdeg, rz_mdeg }) => {
                within(ry_mdeg, 361_000) && within(rz_mdeg, 361_000)
            }
            Self::Gripper(gripper) => within(gripper.stroke_um, 150_000),
            _ => true,
        }
    }
}

/// 0x2A1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Who commands.
    pub control: Told<ControlMode>,
    /// How it is.
    pub arm: Told<ArmStatus>,
    /// How it moves.
    pub movement: Told<MoveMode>,
    /// Teaching by hand.
    pub teach: Told<Teach>,
    /// Whether the last target was reached. Arms have said so at once, without moving.
    pub reached: Told<Reached>,
    /// Which stored trajectory.
    pub track: u8,
    /// Joints at the end of their range.
    pub at_limit: JointBits,
    /// Joints that do not answer the controller.
    pub silent: JointBits,
}

/// A bit for each joint, joint 1 in the lowest; the two highest mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JointBits(pub u8);

impl JointBits {
    /// Whether a joint's bit is set.
    #[must_use]
    pub const fn has(self, joint: Joint) -> bool {
        self.0 >> joint.index() & 1 == 1
    }

    /// Whether any joint's bit is set.
    #[must_use]
    pub const fn any(self) -> bool {
        self.0 & 0x3F != 0
    }
}

/// 0x251 to 0x256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    /// Of which joint.
    pub joint: Joint,
    /// How fast.
    pub speed_mrad_s: i16,
    /// Its motor's current.
    pub current_ma: i16,
    /// Where it is, in milliradians by what is known; the vendor's SDK says radians.
    pub position_mrad: i32,
}

impl Speed {
    /// The torque that the current makes, by the vendor's factors. On firmware up to 1.8-2 the first three joints are off
    /// by four, one way or the other: the vendor has said both.
    #[must_use]
    pub fn torque_mnm(&self) -> f64 {
        let mnm_per_ma = if self.joint.index() < 3 { 1.18125 } else { 0.95844 };
        f64::from(self.current_ma) * mnm_per_ma
    }
}

/// 0x261 to 0x266.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Driver {
    /// Of which joint.
    pub joint: Joint,
    /// Supply, in tenths of a volt.
    pub volt_dv: u16,
    /// How warm the driver is.
    pub driver_c: i16,
    /// How warm the motor is.
    pub motor_c: i8,
    /// What is wrong, and whether it is on.
    pub status: DriverBits,
    /// What it takes from the supply.
    pub bus_current_ma: u16,
}

/// How a joint's driver is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverBits(pub u8);

/// How the gripper's driver is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GripperBits(pub u8);

macro_rules! bits {
    ($($name:ident { $($(#[$doc:meta])* $bit:ident = $at:literal,)+ })+) => {$(
        impl $name {
            $($(#[$doc])*
            #[must_use]
            pub const fn $bit(self) -> bool {
                self.0 >> $at & 1 == 1
            })+
        }
    )+};
}

bits! {
    DriverBits {
        /// The supply is too low.
        undervolt = 0,
        /// The motor is too hot.
        motor_hot = 1,
        /// Too much current.
        overcurrent = 2,
        /// The driver is too hot.
        driver_hot = 3,
        /// The joint has run into something.
        collision = 4,
        /// The driver has failed.
        error = 5,
        /// The motor is on.
        enabled = 6,
        /// The motor cannot turn.
        stalled = 7,
    }
    GripperBits {
        /// The supply is too low.
        undervolt = 0,
        /// The motor is too hot.
        motor_hot = 1,
        /// Too much current.
        overcurrent = 2,
        /// The driver is too hot.
        driver_hot = 3,
        /// Its sensor has failed.
        sensor = 4,
        /// The driver has failed.
        error = 5,
        /// The motor is on.
        enabled = 6,
        /// Its zero is known.
        homed = 7,
    }
}

/// 0x2A8. All zero until its range was set once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gripper {
    /// The whole opening.
    pub stroke_um: i32,
    /// How hard it closes.
    pub effort_mnm: i16,
    /// What is wrong, and whether it is on.
    pub status: GripperBits,
}

/// 0x473. What is kept in flash has been seen broken: 0x7FFF, 0xFFFF or -0.1 degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of which motor.
    pub motor: Motor,
    /// Greatest angle, in tenths of a degree.
    pub max_ddeg: i16,
    /// Least angle, in tenths of a degree.
    pub min_ddeg: i16,
    /// Greatest speed, in hundredths of a radian per second, as the vendor confirmed.
    pub speed_crad_s: u16,
}

/// 0x476.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Low byte of the id that was heard.
    pub id_low: u8,
    /// 1: a zero was set.
    pub zero_set: u8,
    /// Which point of a trajectory arrived.
    pub point: u8,
    /// What became of a pack of points.
    pub pack: Told<Pack>,
}
