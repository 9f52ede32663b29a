//! A motion to a joint goal: `home`, `goto`, `reach`.

use std::sync::Arc;

use motion::{Ask, Chunk, Joints, MAX_STEPS, Plan, TickIndex};

use super::Skill;
use crate::planning::{
    Planner,
    trajectory::{Start, Trajectory},
};

/// Steps of each chunk that are executed before the rest of the plan is fetched.
pub(super) const EXECUTE: u32 = 48;
/// How long the loop may wait for a chunk of a plan; computing one takes some ten microseconds.
pub(super) const DEADLINE_NS: u64 = 10_000_000;
/// An hour at 20 Hz: the plan itself knows when it ends.
pub(super) const TICKS_MAX: u64 = 72_000;

/// A motion to `goal`.
pub struct Planned {
    planner: Arc<Planner>,
    goal: Joints,
    speed: f64,
    path: Option<(TickIndex, Trajectory)>,
}

impl Planned {
    /// Plans with a fraction `speed`, in (0, 1], of the robot's limits; the plan is made at the first ask, from where
    /// the robot then is and how it moves, and has to touch nothing.
    #[must_use]
    pub const fn new(planner: Arc<Planner>, goal: Joints, speed: f64) -> Self {
        Self { planner, goal, speed, path: None }
    }
}

impl Skill for Planned {
    fn plan(&self) -> Plan {
        let (deadline_ns, ticks_max) = (DEADLINE_NS, TICKS_MAX);
        Plan { deadline_ns, ticks_max, ..Plan::plain(self.digest(), EXECUTE) }
    }

    fn next(&mut self, ask: &Ask, chunk: &mut Chunk) -> Result<(), String> {
        if self.path.is_none() {
            let start = Start {
                position: ask.last_command,
                velocity: ask.last_velocity,
                acceleration: ask.last_acceleration,
            };
            match Trajectory::plan(self.planner.robot(), &start, &self.goal, self.speed) {
                Ok(motion) => {
                    self.planner.check(&mut (1..=motion.ticks()).map(|tick| motion.at(tick)))?;
                    self.path = Some((ask.tick, motion));
                }
                // Taking over from a motion that leaves no way: the law brakes first, the plan starts from rest.
                Err(_) if !start.is_at_rest() => return Ok(()),
                Err(why) => return Err(why),
            }
        }
        let Some((began, motion)) = &self.path else { return Err("no plan".into()) };
        let first = ask.tick.since(*began) + 1;
        let last = motion.ticks().min(first + MAX_STEPS as u64 - 1);
        for tick in first..=last.max(first) {
            chunk.push(&motion.at(tick));
        }
        chunk.ends = last >= motion.ticks();
        Ok(())
    }
}
