//! A motion that goes on for as long as somebody asks for it: jogging.
//!
//! Whoever jogs says a velocity again and again. When nothing more comes, the robot brakes to rest, and the run ends.
//! Tool velocities run through the arm's servo level, which keeps every joint inside its limits of position, velocity
//! and acceleration, braking distance included; the law's filter stands behind it, for joints as for tools.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arm::{
    Axes, Servo, Wish as Follow,
    nalgebra::{Vector3, Vector6},
};
use motion::{Ask, Chunk, Joints, Nanos, Plan, Robot};

use super::{
    Skill,
    planned::{DEADLINE_NS, TICKS_MAX},
};
use crate::{kinematics::ToolLimits, planning::Planner};

/// Slower than this, rad/s or m/s, is rest: what rounding leaves of it the law brakes.
const REST: f64 = 1e-9;

/// How the robot is to move, checked against what it has.
#[derive(Clone)]
pub enum Velocity {
    /// Of every joint, rad/s or m/s.
    Joints(Box<Joints>),
    /// Of an arm's tool.
    Tool {
        /// Which arm.
        arm: Option<String>,
        /// Its servo level, which knows what gives way.
        servo: Arc<Servo>,
        /// m/s, then rad/s.
        twist: Vector6<f64>,
        /// Whose axes both are told in.
        axes: Axes,
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

/// A jog at work.
pub struct Jogged {
    planner: Arc<Planner>,
    wish: Arc<Wish>,
    /// What the tool was last told: it is led to what is wished, not thrown.
    twist: Vector6<f64>,
}

impl Jogged {
    /// Follows `wish` until it is over.
    #[must_use]
    pub fn new(planner: Arc<Planner>, wish: Arc<Wish>) -> Self {
        Self { planner, wish, twist: Vector6::zeros() }
    }
}

impl Skill for Jogged {
    fn plan(&self) -> Plan {
        // One step a tick, made from what was commanded last: a chunk of more would go on after the hand let go.
        let (deadline_ns, ticks_max) = (DEADLINE_NS, TICKS_MAX);
        Plan { deadline_ns, ticks_max, ..Plan::plain(self.digest(), 1) }
    }

    fn next(&mut self, ask: &Ask, chunk: &mut Chunk) -> Result<(), String> {
        let (velocity, goes_on) = {
            let mut asked = self.wish.lock();
            let goes_on = ask.at < asked.until;
            let led = self.twist == Vector6::zeros();
            let rests = led && ask.last_velocity.iter().all(|velocity| velocity.abs() < REST);
            if !goes_on && rests {
                asked.is_over = true;
                chunk.push(&ask.last_command);
                chunk.ends = true;
                return Ok(());
            }
            (asked.velocity.clone(), goes_on)
        };
        let robot = self.planner.robot();
        let rest = Joints::zeros(robot.joints());
        let next = match &velocity {
            Velocity::Joints(wanted) => {
                self.twist = Vector6::zeros();
                step(ask, if goes_on { wanted } else { &rest }, robot)
            }
            Velocity::Tool { arm, servo, twist, axes } => {
                let arm = self.planner.arm(arm.as_deref())?;
                let wanted = if goes_on { *twist } else { Vector6::zeros() };
                self.twist = led(&self.twist, &wanted, &arm.tool, robot.period_s());
                let wish = Follow::Twist {
                    linear_m_s: Vector3::new(self.twist[0], self.twist[1], self.twist[2]),
                    angular_rad_s: Vector3::new(self.twist[3], self.twist[4], self.twist[5]),
                    axes: *axes,
                };
                let (at, speed) = (arm.joints(&ask.last_command), arm.joints(&ask.last_velocity));
                let followed = servo.step(&at, &speed, &wish);
                let followed = followed.map_err(|why| format!("the arm cannot be led: {why:?}"))?;
                // Everything that is not this arm rests.
                let mut next = step(ask, &rest, robot);
                arm.place(&followed.joints, &mut next);
                next
            }
        };
        chunk.push(&next);
        Ok(())
    }
}

/// The twist of this tick: as much nearer to the wanted one as the tool's ramp allows, on a straight way.
fn led(
    now: &Vector6<f64>,
    wanted: &Vector6<f64>,
    tool: &ToolLimits,
    period_s: f64,
) -> Vector6<f64> {
    let way = wanted - now;
    let (linear, angular) = (way.fixed_rows::<3>(0).norm(), way.fixed_rows::<3>(3).norm());
    let ticks = tool.ramp_s / period_s;
    let needed = (linear / tool.speed_max_m_s).max(angular / tool.turn_max_rad_s) * ticks;
    if needed <= 1.0 { *wanted } else { now + way / needed }
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
        let (low, high) = (limits.position_min.min(next[k]), limits.position_max.max(next[k]));
        next[k] = (next[k] + velocity * dt).clamp(low, high);
    }
    next
}
