//! A robot without a body: it is where it was told to be, one tick later.

use motion::{Command, Drive, Health, Joints, Nanos, State};

use super::Backend;

/// Joints that follow every command exactly.
#[derive(Clone, Debug)]
pub struct Loopback {
    position: Joints,
    before: Joints,
    period_s: f64,
}

impl Loopback {
    /// Stands at `pose`.
    #[must_use]
    pub const fn new(pose: Joints, period_s: f64) -> Self {
        Self { position: pose, before: pose, period_s }
    }
}

impl Backend for Loopback {
    fn read(&mut self, now: Nanos, state: &mut State) {
        state.sampled_at = now;
        state.health = Health::Good;
        state.engaged = true;
        state.lag_ticks = 0;
        state.age_s.fill(0.0);
        state.position = self.position;
        state.velocity = self.position;
        for (velocity, before) in state.velocity.iter_mut().zip(self.before.iter()) {
            *velocity = (*velocity - before) / self.period_s;
        }
    }

    fn write(&mut self, _now: Nanos, command: &Command) {
        self.before = self.position;
        if command.drive() == Drive::On {
            self.position = *command.position();
        }
    }
}
