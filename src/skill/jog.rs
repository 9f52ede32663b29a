//! A motion that goes on for as long as somebody asks for it: jogging.
//!
//! Whoever jogs says a velocity again and again. When nothing more comes, the robot brakes to rest, and the run ends.
//! Tool velocities run through the arm's servo level, which keeps every joint inside its limits of position, velocity
//! and acceleration, braking distance included; the law's filter stands behind it, for joints as for tools.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use motion::{Ask, Chunk, Joints, Nanos, Plan, Robot, Seam};

use super::{
    Skill,
    planned::{DEADLINE_NS, TICKS_MAX},
};
use crate::planning::Planner;

/// How the robot is to move, checked against what it has.
#[derive(Clone, Debug)]
pub enum Velocity {
    /// Of every joint, rad/s or m/s.
    Joints(Joints),
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

/// A jog at work.
pub struct Jogged {
    planner: Arc<Planner>,
    wish: Arc<Wish>,
}

impl Jogged {
    /// Follows `wish` until it is over.
    #[must_use]
    pub const fn new(planner: Arc<Planner>, wish: Arc<Wish>) -> Self {
        Self { planner, wish }
    }
}

impl Skill for Jogged {
    fn plan(&self) -> Plan {
        // One step a tick, made from what was commanded last: a chunk of more would go on after the hand let go.
        let (deadline_ns, ticks_max) = (DEADLINE_NS, TICKS_MAX);
        Plan { execute: 1, lead: 0, deadline_ns, seam: Seam::Cut, ticks_max }
    }

    fn next(&mut self, ask: &Ask, chunk: &mut Chunk) -> Result<(), String> {
        let mut asked = self.wish.lock();
        let goes_on = ask.at < asked.until;
        let stands = ask.last_velocity.iter().all(|velocity| *velocity == 0.0);
        if !goes_on && stands {
            asked.is_over = true;
            chunk.push(&ask.last_command);
            chunk.ends = true;
            return Ok(());
        }
        let robot = self.planner.robot();
        let next = match &asked.velocity {
            Velocity::Joints(wanted) => {
                let rest = Joints::zeros(robot.joints());
                step(ask, if goes_on { wanted } else { &rest }, robot)
            }
        };
        chunk.push(&next);
        Ok(())
    }
}

/// The set-point of the tick that brings the joints nearest to the wanted velocities.
fn step(ask: &Ask, wanted: &Joints, robot: &Robot) -> Joints {
    let dt = robot.period_s();
    let mut next = ask.last_command;
    for (k, limits) in robot.limits().iter().enumerate() {
        let (velocity, acceleration) = (ask.last_velocity[k], ask.last_acceleration[k]);
        let jerk = limits.jerk_max * dt;
        let least = (acceleration - jerk).max(-limits.acceleration_max);
        let most = (acceleration + jerk).min(limits.acceleration_max);
        let wish = wanted[k].clamp(-limits.velocity_max, limits.velocity_max);
        let velocity = velocity + ((wish - velocity) / dt).clamp(least, most) * dt;
        next[k] = (next[k] + velocity * dt)
            .clamp(limits.position_min.min(next[k]), limits.position_max.max(next[k]));
    }
    next
}
