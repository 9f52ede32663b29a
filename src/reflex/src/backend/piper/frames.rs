//! What an AgileX Piper says and hears on its bus, protocol V2: pure, exact, both ways.
//!
//! [`Command`] is what a host sends, [`Feedback`] what the arm answers. Both encode and decode, since a virtual arm
//! stands on the other side. Fields are the integers of the wire with their unit in the name, so that nothing is rounded
//! on the way; what has no place in its field is a [`FieldError`] and never wraps. Everything is big-endian and eight
//! bytes long, unless it says otherwise.
//!
//! Two ids of the protocol are left out on purpose. 0x422 mutes the bus for a firmware upgrade and must never be sent;
//! 0x481 to 0x486 were given up by the vendor and carry nothing.

mod bytes;
mod codes;
mod command;
mod error;
mod feedback;
mod firmware;
mod frame;
mod mit;
mod motor;
mod unit;

pub use codes::{
    ArcPoint, ArmStatus, Code, ControlMode, Follow, Homing, IdOffset, LimitKind, Linkage, Load,
    Mount, MoveMode, Pack, Query, Reached, Restore, ServoValue, Stop, Stream, Teach, Told, Track,
};
pub use command::{
    Command, GripperCommand, JointSetup, Light, LimitSetup, ModeCommand, Motion, ParameterSetup,
    Role, Servo, ServoVerb,
};
pub use error::FieldError;
pub use feedback::{
    Ack, Driver, DriverBits, Feedback, Gripper, GripperBits, JointBits, Limits, Speed, Status,
};
pub use firmware::{Firmware, Identity, MitLayout, NotFirmware, Zero};
pub use frame::Frame;
pub use mit::{Mit, MitFields, MitTarget};
pub use motor::{Joint, Motor, Motors, Pair};
pub use unit::{LEAVE, m_of_um, mdeg_of_rad, rad_of_mdeg, um_of_m};

/// A part of a tool pose, as commanded (0x152 to 0x154) and as measured (0x2A2 to 0x2A4).
///
/// Positions in thousandths of a millimetre, angles in thousandths of a degree; the rotation is Rz(rz) Ry(ry) Rx(rx).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PosePart {
    /// Where it is along x and y.
    Xy {
        /// Along x.
        x_um: i32,
        /// Along y.
        y_um: i32,
    },
    /// Where it is along z, and how it is turned about x.
    ZRx {
        /// Along z.
        z_um: i32,
        /// About x.
        rx_mdeg: i32,
    },
    /// How it is turned about y and z.
    RyRz {
        /// About y.
        ry_mdeg: i32,
        /// About z.
        rz_mdeg: i32,
    },
}

/// How fast the tool may move, in units of 0.001; [`LEAVE`] in a command leaves a value as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndLimits {
    /// Along a line.
    pub speed_mm_s: u16,
    /// Turning.
    pub turn_mrad_s: u16,
    /// Acceleration along a line.
    pub acceleration_mm_s2: u16,
    /// Acceleration of turning.
    pub turn_acceleration_mrad_s2: u16,
}

/// What the controller knows of its gripper and teaching handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GripperSetup {
    /// Stroke of the teaching handle, 100 to 200 per cent.
    pub teach_percent: u8,
    /// Widest opening: 0 (never set, the gripper does nothing), 70 or 100 mm.
    pub range_mm: u8,
    /// Friction of the teaching handle, 1 to 10.
    pub teach_friction: u8,
}

#[cfg(test)]
mod round_trip_test;
#[cfg(test)]
mod vectors_test;
