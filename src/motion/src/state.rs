//! What the robot says of itself.

use crate::{ailment::Ailment, joints::Joints, time::Nanos};

/// What a backend says of its own condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Reads and writes work.
    #[default]
    Good,
    /// Something is wrong with it, and this is known to be it.
    Unwell(Ailment),
    /// The robot cannot be read or written; what it does is not known.
    Lost,
}

/// One measured state. Positions are rad or m, velocities per second, in joint order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// When the measurement was taken: not when it was read.
    pub sampled_at: Nanos,
    /// Measured position of each joint.
    pub position: Joints,
    /// Measured velocity of each joint.
    pub velocity: Joints,
    /// How old the measurement of each joint was when it was read, s: the oldest of them is as old as `sampled_at`.
    pub age_s: Joints,
    /// How many ticks the robot is behind its commands by design: it ought to be somewhere among the last so many.
    pub lag_ticks: u32,
    /// The backend's own condition.
    pub health: Health,
    /// Whether its drives follow commands now. Simulated ones always do, motors do once they have power: between a
    /// [`crate::Drive::On`] and this nothing that was commanded moves anything.
    pub engaged: bool,
    /// Whether a motor or driver is warmer than is well for it, and not yet too hot.
    pub warm: bool,
    /// Whether this is a robot that can hurt somebody, and not a simulated one.
    pub physical: bool,
}

impl State {
    /// A state at rest at the origin, of `joints` joints: what stands in a buffer before the first reading.
    #[must_use]
    pub const fn blank(joints: usize) -> Self {
        Self {
            sampled_at: Nanos(0),
            position: Joints::zeros(joints),
            velocity: Joints::zeros(joints),
            age_s: Joints::zeros(joints),
            lag_ticks: 0,
            health: Health::Good,
            engaged: true,
            warm: false,
            physical: false,
        }
    }
}
