//! A planned motion to a joint goal: `home` and `goto`.
//!
//! Every joint follows the fifth-order polynomial from rest to rest (Flash and Hogan, 1985: least jerk), all of them
//! over the same time, the shortest that keeps the slowest joint inside its limits. For a distance d over a time T the
//! polynomial's peaks are 15/8 d/T, 10/sqrt(3) d/T^2 and 60 d/T^3.

use motion::{Ask, Chunk, Joints, MAX_STEPS, Plan, Robot, Seam, TickIndex};

use super::Skill;

const PEAK_VELOCITY: f64 = 1.875;
const PEAK_ACCELERATION: f64 = 5.773_502_691_896_258;
const PEAK_JERK: f64 = 60.0;
/// A plan uses so much of each limit: sampled on the tick grid, its differences come out a little larger than the
/// polynomial's derivatives.
const SHARE: f64 = 0.9;
/// Steps of each chunk that are executed before the rest of the plan is fetched.
const EXECUTE: u32 = 48;
/// How long the loop may wait for a chunk of a plan; computing one takes microseconds.
const DEADLINE_NS: u64 = 10_000_000;

/// A motion to `goal`.
pub struct Planned {
    robot: Robot,
    goal: Joints,
    speed: f64,
    path: Option<Path>,
}

struct Path {
    from: Joints,
    began: TickIndex,
    ticks: u64,
}

impl Planned {
    /// Plans with a fraction `speed`, in (0, 1], of the robot's limits; the plan is made at the first ask, from where
    /// the robot then is.
    #[must_use]
    pub const fn new(robot: Robot, goal: Joints, speed: f64) -> Self {
        Self { robot, goal, speed, path: None }
    }

    fn ticks(&self, from: &Joints) -> u64 {
        let share = SHARE * self.speed;
        let seconds = self.robot.limits().iter().enumerate().map(|(joint, limits)| {
            let distance = (self.goal[joint] - from[joint]).abs();
            let velocity = PEAK_VELOCITY * distance / (share * limits.velocity_max);
            let acceleration = PEAK_ACCELERATION * distance / (share * limits.acceleration_max);
            let jerk = PEAK_JERK * distance / (share * limits.jerk_max);
            velocity.max(acceleration.sqrt()).max(jerk.cbrt())
        });
        let seconds = seconds.fold(0.0, f64::max);
        ((seconds / self.robot.period_s()).ceil() as u64).max(1)
    }
}

impl Skill for Planned {
    fn plan(&self) -> Plan {
        // An hour at 20 Hz: the plan itself knows when it ends.
        let ticks_max = 72_000;
        Plan { execute: EXECUTE, lead: 0, deadline_ns: DEADLINE_NS, seam: Seam::Cut, ticks_max }
    }

    fn next(&mut self, ask: &Ask, chunk: &mut Chunk) -> Result<(), String> {
        if self.path.is_none() {
            // Taking over from another run: the law brakes first, the plan starts from rest.
            if ask.last_velocity.iter().any(|velocity| *velocity != 0.0) {
                return Ok(());
            }
            let ticks = self.ticks(&ask.last_command);
            self.path = Some(Path { from: ask.last_command, began: ask.tick, ticks });
        }
        let Some(path) = &self.path else { return Err("no plan".into()) };
        let first = ask.tick.since(path.began) + 1;
        for tick in first..=path.ticks.min(first + MAX_STEPS as u64 - 1) {
            let share = least_jerk(tick as f64 / path.ticks as f64);
            let mut step = path.from;
            for (value, goal) in step.iter_mut().zip(self.goal.iter()) {
                *value += (goal - *value) * share;
            }
            if tick == path.ticks {
                step = self.goal;
            }
            chunk.push(&step);
        }
        chunk.ends = first + MAX_STEPS as u64 > path.ticks;
        if chunk.is_empty() {
            chunk.push(&self.goal);
        }
        Ok(())
    }
}

fn least_jerk(s: f64) -> f64 {
    s * s * s * (10.0 + s * (-15.0 + 6.0 * s))
}
