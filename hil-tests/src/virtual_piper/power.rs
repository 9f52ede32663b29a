//! Which motors have power. It comes slowly and goes at once.

use super::Arm;

/// A request that nobody repeated for so many status periods was none.
const FORGOTTEN_AFTER: u8 = 40;

/// One motor's power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Power {
    /// Whether it has any.
    pub(super) on: bool,
    /// In how many status periods it was asked for.
    asked: u8,
    /// Whether in this one.
    asked_now: bool,
    /// Periods since.
    quiet: u8,
}

impl Power {
    /// 0x471 on.
    pub(super) const fn ask(&mut self) {
        self.asked_now = true;
    }

    /// 0x471 off, a reset, or trouble.
    pub(super) const fn cut(&mut self) {
        *self = Self { on: false, asked: 0, asked_now: false, quiet: 0 };
    }

    /// Forty times a second. The motor comes up when it was asked to in two periods; says whether it did.
    pub(super) fn tick(&mut self) -> bool {
        if self.asked_now {
            (self.asked, self.quiet) = (self.asked.saturating_add(1), 0);
        } else {
            self.quiet = self.quiet.saturating_add(1);
        }
        self.asked_now = false;
        if self.quiet > FORGOTTEN_AFTER {
            self.asked = 0;
        }
        let comes = !self.on && self.asked >= 2;
        self.on |= comes;
        if self.on {
            self.asked = 0;
        }
        comes
    }
}

impl Arm {
    /// All joints fall.
    pub(super) fn cut_all(&mut self) {
        for power in &mut self.power {
            power.cut();
        }
        self.hand.cut();
    }

    /// Forty times a second.
    pub(super) fn tick_power(&mut self) {
        let lost = self.fault().and_then(|fault| match fault {
            super::Fault::MotorOff(joint) => Some(joint.index()),
            _ => None,
        });
        if let Some(lost) = lost {
            self.power[lost].cut();
        }
        let joints = self.joints();
        for (k, power) in self.power.iter_mut().enumerate() {
            if power.tick() {
                self.motion.rest(k, joints[k]);
            }
        }
    }
}
