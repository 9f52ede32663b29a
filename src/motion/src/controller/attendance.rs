//! Whether somebody is there who answers for what the robot does.

use super::{Controller, Inputs};
use crate::{
    failsafe::Condition,
    robot::Attendance,
    seam::{Refusal, What},
};

impl Controller {
    /// Takes in what was heard of the operator, before anything is judged: a heartbeat that is there in the tick counts in
    /// the tick.
    pub(super) fn attend(&mut self, inputs: &Inputs) {
        let now = inputs.now;
        for order in inputs.orders {
            match order.what {
                What::Attend => {
                    self.attended = Some(now.after(self.robot.rules().heartbeat_ns));
                }
                What::Leave => {
                    let required = self.needs_somebody(inputs);
                    self.attended = self.attended.filter(|_| required).map(|until| until.min(now));
                }
                _ => {}
            }
        }
        // A robot that needs nobody became one that does, while it was driven: from now on somebody has to be heard of.
        if self.driven && self.attended.is_none() && self.needs_somebody(inputs) {
            self.attended = Some(now);
        }
    }

    /// What it is if nobody is there who has to be.
    pub(super) fn absence(&self, inputs: &Inputs) -> Option<Condition> {
        let until = match self.attended {
            Some(until) if inputs.now > until => until,
            Some(_) => return None,
            None if self.needs_somebody(inputs) => return Some(Condition::Unattended),
            None => return None,
        };
        let gone = inputs.now.since(until) > self.robot.rules().park_after_ns;
        Some(if gone { Condition::Deserted } else { Condition::Unattended })
    }

    /// Whether the robot may be armed, or begin something.
    ///
    /// # Errors
    /// If nobody is there who has to be.
    pub(super) fn attended(&self, inputs: &Inputs) -> Result<(), Refusal> {
        self.absence(inputs).map_or(Ok(()), |absent| Err(Refusal::Barred(absent)))
    }

    const fn needs_somebody(&self, inputs: &Inputs) -> bool {
        match self.robot.rules().attendance {
            Attendance::Required => true,
            Attendance::Physical => inputs.state.physical,
            Attendance::Optional => false,
        }
    }
}
