//! A motion that goes on for as long as somebody asks for it: jogging.
//!
//! Whoever jogs says a velocity again and again. When nothing more comes, the robot brakes to rest, and the run ends.
//! Joint velocities and tool velocities alike run through the arm's servo level, which keeps every joint inside its
//! limits of position, velocity and acceleration, braking distance included; the law's filter stands behind it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arm::{Frame, JointVector, Servo, Wish as ServoWish, Yield};
use motion::{Ask, Chunk, Joints, Nanos, Plan, Seam};

use super::{Skill, planned::DEADLINE_NS, planned::TICKS_MAX};
use crate::planning::Planner;

/// How the robot is to move, checked against what it has.
#[derive(Clone, Debug)]
pub enum Velocity {
    /// Of every joint, rad/s or m/s.
    Joints(Joints),
    /// Of an arm's tool, whose number among the robot's arms this is.
    Tool {
        /// Which arm.
        arm: usize,
        /// m/s.
        linear_m_s: [f64; 3],
        /// rad/s.
        angular_rad_s: [f64; 3],
        /// The frame of both.
        frame: Frame,
        /// What gives way.
        gives_way: Yield,
    },
}

/// What was asked for last, and until when it counts.
pub struct Wish(Mutex<Asked>);

struct Asked {
    velocity: Velocity,
    until: Nanos,
    is_over: bool,
}

impl Wish {
    /// A wish that counts until then, by the loop's clock.
    #[must_use]
    pub const fn new(velocity: Velocity, until: Nanos) -> Self {
        Self(Mutex::new(Asked { velocity, until, is_over: false }))
    }

    /// Takes its place; `false` if the jog has come to its end already.
    pub fn renew(&self, velocity: &Velocity, until: Nanos) -> bool {
        let mut asked = self.lock();
        if !asked.is_over {
            asked.velocity = velocity.clone();
            asked.until = until;
        }
        !asked.is_over
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
