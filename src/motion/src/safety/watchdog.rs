//! What must hold for the robot to be moved at all, checked against the measured state in every tick.

use crate::{
    joints::Joints,
    mode::Fault,
    robot::Robot,
    state::{Health, State},
    time::Nanos,
};

/// Counts what has to persist before it is a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watchdog {
    diverged_ticks: u32,
}

impl Watchdog {
    pub(crate) const fn new() -> Self {
        Self { diverged_ticks: 0 }
    }

    /// The first thing that is wrong with a state, the most basic first.
    pub(crate) fn check_state(state: &State, now: Nanos, robot: &Robot) -> Option<Fault> {
        match state.health {
            Health::Good => {}
            Health::Unwell(ailment) => return Some(Fault::Unwell(ailment)),
            Health::Lost => return Some(Fault::BackendLost),
        }
        if state.position.len() != robot.joints() || state.velocity.len() != robot.joints() {
            return Some(Fault::StateShape);
        }
        let mut pairs = state.position.iter().zip(state.velocity.iter());
        if let Some(joint) = pairs.position(|(p, v)| !(p.is_finite() && v.is_finite())) {
            return Some(Fault::StateNotFinite { joint });
        }
        (now.since(state.sampled_at) > robot.rules().state_age_max_ns).then_some(Fault::StateStale)
    }

    /// Whether the robot has stopped following its commands.
    pub(crate) fn check_divergence(
        &mut self,
        state: &State,
        commanded: &Joints,
        robot: &Robot,
    ) -> Option<Fault> {
        let off = robot.limits().iter().enumerate().find(|(joint, limits)| {
            (state.position[*joint] - commanded[*joint]).abs() > limits.divergence_max
        });
        let Some((joint, _)) = off else {
            self.diverged_ticks = 0;
            return None;
        };
        self.diverged_ticks += 1;
        (self.diverged_ticks >= robot.rules().divergence_ticks).then_some(Fault::Diverged { joint })
    }
}
