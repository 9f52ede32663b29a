//! What is wrong in a tick, and what is done about it.

use super::{Controller, Inputs, Step};
use crate::{
    failsafe::{Action, Condition, Conditions, Verdict},
    mode::{Ending, Fault, Mode, StopSource},
    plan::Source,
    robot::JointLimits,
    safety::Watchdog,
    seam::{Event, Events},
};

impl Controller {
    pub(super) fn watch(&mut self, inputs: &Inputs) -> Option<Fault> {
        if let Some(fault) = Watchdog::check_state(inputs.state, inputs.now, &self.robot) {
            return Some(fault);
        }
        if !self.driven || matches!(self.mode, Mode::Arming { .. }) {
            return None;
        }
        if !inputs.state.engaged {
            // Told once: what let go cannot diverge, and has to be cleared before it can take hold again.
            let held =
                matches!(self.mode, Mode::Holding | Mode::Moving { .. } | Mode::Stopping { .. });
            return held.then_some(Fault::Disengaged);
        }
        self.watchdog.check_divergence(inputs.state, &self.sent, &self.robot)
    }

    /// What is known to be wrong before anything is done in a tick.
    pub(super) fn conditions(&self, inputs: &Inputs, trouble: Option<Fault>) -> Conditions {
        let tolerance = self.robot.rules().arm_tolerance;
        let outside = |(limits, at): (&JointLimits, &f64)| {
            *at < limits.position_min - tolerance || *at > limits.position_max + tolerance
        };
        let joints = &inputs.state.position;
        let mut found = inputs
            .outside
            .among(Conditions::OUTSIDE)
            .with_if(inputs.state.warm, Condition::Warm)
            .with_if(
                self.robot.limits().iter().zip(joints.iter()).any(outside),
                Condition::JointOutside,
            )
            .with_if(inputs.stop.is_some(), Condition::EStop);
        if let Some(why) = trouble {
            found = found.with(Condition::of(why));
        }
        match self.absence(inputs).filter(|_| self.driven) {
            Some(absent) => found.with(absent),
            None => found,
        }
    }

    /// What was stopped for and has not been cleared yet.
    pub(super) const fn latched(&self) -> Conditions {
        match self.mode {
            Mode::Faulted { why, .. } => Conditions::NONE.with(Condition::of(why)),
            Mode::EStopped { .. } => Conditions::NONE.with(Condition::EStop),
            _ => Conditions::NONE,
        }
    }

    /// The most severe condition wins: a pulled e-stop over a fault over whatever went on.
    pub(super) fn carry_out(
        &mut self,
        verdict: Verdict,
        stop: Option<StopSource>,
        trouble: Option<Fault>,
        events: &mut Events,
    ) {
        let at = self.tick;
        let slow = verdict.action >= Action::Slow;
        self.filter.go_at(if slow { self.robot.rules().slow_factor } else { 1.0 });
        if slow && self.mode.run().is_some() {
            self.slowed = Some(at);
        }
        if let Some(by) = stop {
            if !matches!(self.mode, Mode::EStopped { .. }) {
                self.leave(Mode::EStopped { by, at }, events);
            }
        } else if let Some(why) = trouble {
            if !matches!(self.mode, Mode::Booting | Mode::Faulted { .. } | Mode::EStopped { .. }) {
                self.leave(Mode::Faulted { why, at }, events);
            }
        } else if verdict.action >= Action::Hold {
            match self.mode {
                Mode::Moving { .. } => self.leave(Mode::Stopping { disarm: false }, events),
                Mode::Arming { .. } => self.leave(Mode::Disarmed, events),
                _ => {}
            }
        }
        if verdict.action >= Action::Park {
            self.park(events);
        }
    }

    /// Who was left alone is brought to rest and let go of; what is latched stays so.
    fn park(&mut self, events: &mut Events) {
        match self.mode {
            Mode::Holding => self.leave(Mode::Stopping { disarm: true }, events),
            Mode::Stopping { .. } => self.mode = Mode::Stopping { disarm: true },
            _ => {}
        }
    }
}

/// What showed only when the tick was carried out.
pub(super) fn came_up(step: &Step, events: &Events) -> Conditions {
    let mut found = Conditions::NONE
        .with_if(step.barred.is_some(), Condition::Barred)
        .with_if(step.source == Source::Extrapolated, Condition::ChunkLate)
        .with_if(step.source == Source::Dry, Condition::ChunkOld);
    for event in events.as_slice() {
        let condition = match event {
            Event::NoChunk => Condition::InferenceFailed,
            Event::Ended { ending: Ending::TimeUp, .. } => Condition::DecisionOver,
            _ => continue,
        };
        found = found.with(condition);
    }
    found
}
