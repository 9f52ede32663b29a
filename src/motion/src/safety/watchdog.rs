//! What must hold for the robot to be moved at all, checked against the measured state in every tick.

use crate::{
    course::{Course, MAX_BACK},
    mode::Fault,
    robot::Robot,
    state::{Health, State},
    time::Nanos,
    words::words,
};

/// Counts what has to persist before it is a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watchdog {
    diverged_ticks: u32,
}

words!(Watchdog { diverged_ticks });

impl Watchdog {
    pub(crate) const fn new() -> Self {
        Self { diverged_ticks: 0 }
    }

    /// Whether it can count on.
    pub(crate) const fn is_sane(&self) -> bool {
        self.diverged_ticks < u32::MAX / 2
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

    /// Whether the robot has stopped following its commands: `sent` up to the last one. Where it ought to be lies among
    /// the commands that it is behind by design.
    pub(crate) fn check_divergence(
        &mut self,
        state: &State,
        sent: &Course,
        robot: &Robot,
    ) -> Option<Fault> {
        let off = robot.limits().iter().enumerate().find(|(joint, limits)| {
            let lag = i64::from(state.lag_ticks).min(MAX_BACK as i64 - 1);
            let commands = (-1 - lag..=-1).filter_map(|offset| sent.at(offset, *joint));
            let (low, high) = commands
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| {
                    (low.min(at), high.max(at))
                });
            let at = state.position[*joint];
            at < low - limits.divergence_max || at > high + limits.divergence_max
        });
        let Some((joint, _)) = off else {
            self.diverged_ticks = 0;
            return None;
        };
        self.diverged_ticks += 1;
        (self.diverged_ticks >= robot.rules().divergence_ticks).then_some(Fault::Diverged { joint })
    }
}
