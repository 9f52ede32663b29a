//! Taking hold of the robot, and letting go of it.

use super::{Controller, Inputs};
use crate::{
    course::Course,
    joints::Joints,
    mode::{Fault, Mode},
    safety::{Drive, Watchdog},
    seam::{Epoch, Events, Refusal},
    state::State,
};

impl Controller {
    /// Takes hold of the robot where it stands: at once if its motors follow already, else as soon as they do.
    pub(super) fn arm(&mut self, epoch: Epoch, inputs: &Inputs) -> Result<(), Refusal> {
        match self.mode {
            Mode::Disarmed if epoch < self.epoch || self.releases => Err(Refusal::Stale),
            Mode::Disarmed if inputs.state.engaged => {
                let pose = self.standing(inputs.state)?;
                self.hold_at(&pose);
                Ok(())
            }
            Mode::Disarmed => {
                let pose = self.inside(inputs.state.position)?;
                self.hold_at(&pose);
                self.mode = Mode::Arming { since: inputs.now };
                // Cleared and armed in one tick: without a tick between nothing would engage.
                self.driven = self.drive == Drive::Off;
                Ok(())
            }
            Mode::Arming { .. } | Mode::Holding => Ok(()),
            _ => Err(Refusal::Mode(self.mode)),
        }
    }

    /// While the motors take their time the set-point is where the robot stands, however it sinks meanwhile: whenever
    /// they come up, they come up without a leap.
    pub(super) fn take_hold(&mut self, inputs: &Inputs, events: &mut Events) {
        let Mode::Arming { since } = self.mode else { return };
        let why = match self.inside(inputs.state.position) {
            Err(Refusal::OutsideLimits { joint }) => Fault::OutsideLimits { joint },
            Ok(pose) if inputs.state.engaged => return self.hold_at(&pose),
            Ok(pose) if inputs.now.since(since) <= self.robot.rules().engage_max_ns => {
                self.driven = true;
                return self.filter.anchor(&pose);
            }
            _ => Fault::NotEngaged,
        };
        self.leave(Mode::Faulted { why, at: self.tick }, events);
    }

    /// Takes the power off the motors, in this tick and no other. What was ordered before the arm fell is out of date.
    pub(super) fn release(&mut self, epoch: Epoch) -> Result<(), Refusal> {
        let falls_from_rest = match self.mode {
            Mode::Booting | Mode::Disarmed => true,
            Mode::Faulted { .. } | Mode::EStopped { .. } => {
                !self.driven || self.filter.is_at_rest()
            }
            _ => false,
        };
        if !falls_from_rest {
            return Err(Refusal::Mode(self.mode));
        }
        if epoch < self.epoch {
            return Err(Refusal::Stale);
        }
        self.epoch.0 += 1;
        self.driven = false;
        self.releases = true;
        Ok(())
    }

    fn hold_at(&mut self, pose: &Joints) {
        self.filter.anchor(pose);
        self.sent = Course::standing(pose);
        self.watchdog = Watchdog::new();
        self.mode = Mode::Holding;
        self.driven = true;
    }

    /// Where to take hold of a robot whose motors follow: each joint at its last command if it still stands there (so
    /// that arming again and again does not creep by the drives' sag), else where it stands, else nowhere.
    fn standing(&self, state: &State) -> Result<Joints, Refusal> {
        let tolerance = self.robot.rules().arm_tolerance;
        let mut pose = state.position;
        for (position, last) in pose.iter_mut().zip(self.filter.position().iter()) {
            if (*position - last).abs() <= tolerance {
                *position = *last;
            }
        }
        self.inside(pose)
    }

    /// A pose with every joint inside its limits, if none stands outside by more than a tolerance.
    fn inside(&self, mut pose: Joints) -> Result<Joints, Refusal> {
        let tolerance = self.robot.rules().arm_tolerance;
        for (joint, limits) in self.robot.limits().iter().enumerate() {
            let inside = pose[joint].clamp(limits.position_min, limits.position_max);
            if (pose[joint] - inside).abs() > tolerance {
                return Err(Refusal::OutsideLimits { joint });
            }
            pose[joint] = inside;
        }
        Ok(pose)
    }
}
