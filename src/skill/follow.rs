//! A motion that was worked out set-point by set-point: straight and circular tool paths.

use motion::{Ask, Chunk, Joints, MAX_STEPS, Plan, TickIndex};

use super::{
    Skill,
    planned::{DEADLINE_NS, EXECUTE, TICKS_MAX},
};

/// The robot may stand so far from where the path begins, rad or m: rounding, nothing more.
const START_SLACK: f64 = 1e-6;

/// Set-points, one a tick, from rest to rest.
pub struct Follow {
    start: Joints,
    points: Vec<Joints>,
    began: Option<TickIndex>,
}

impl Follow {
    /// Follows `points` from rest at `start`.
    #[must_use]
    pub const fn new(start: Joints, points: Vec<Joints>) -> Self {
        Self { start, points, began: None }
    }
}

impl Skill for Follow {
    fn plan(&self) -> Plan {
        let (deadline_ns, ticks_max) = (DEADLINE_NS, TICKS_MAX);
        Plan { deadline_ns, ticks_max, ..Plan::plain(self.digest(), EXECUTE) }
    }

    fn next(&mut self, ask: &Ask, chunk: &mut Chunk) -> Result<(), String> {
        let began = match self.began {
            Some(began) => began,
            None => {
                let at_rest = ask.last_velocity.iter().all(|velocity| *velocity == 0.0);
                let mut pairs = self.start.iter().zip(ask.last_command.iter());
                if !at_rest || pairs.any(|(from, now)| (from - now).abs() > START_SLACK) {
                    return Err("the robot has moved since its path was worked out".into());
                }
                *self.began.insert(ask.tick)
            }
        };
        // Step 0 is for this very tick: the first point after the start.
        let first = ask.tick.since(began) as usize;
        let rest = self.points.get(first..).unwrap_or_default();
        for point in rest.iter().take(MAX_STEPS) {
            chunk.push(point);
        }
        chunk.ends = rest.len() <= MAX_STEPS;
        if chunk.is_empty() {
            chunk.push(self.points.last().unwrap_or(&self.start));
        }
        Ok(())
    }
}
