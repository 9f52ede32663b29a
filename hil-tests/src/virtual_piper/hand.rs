//! The gripper: dead until its range was set once, then a motor that closes as hard as it is told to.

use reflex::backend::piper::frames::{GripperBits, GripperCommand};

use super::{body::Drive, ramp::Ramp};

/// How fast the opening changes, m/s, and how fast that does. No source tells; faster than any daemon asks for.
const SPEED_M_S: f64 = 0.5;
const ACCELERATION_M_S2: f64 = 10.0;
/// N between the fingers for a newton metre at the motor, and the most there is.
const FORCE_N_PER_NM: f64 = 15.0;
const FORCE_MAX_N: f64 = 15.0;
/// The simulated finger's spring, N for a metre of one finger.
const STIFFNESS_N_M: f64 = 400.0;

/// The gripper's motor and what it was told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hand {
    /// Whether its motor has power.
    pub(super) on: bool,
    /// The opening that it was sent to, m.
    pub(super) target_m: f64,
    effort_nm: f64,
    zero_m: f64,
    ramp: Ramp,
}

impl Hand {
    /// The motor loses its power.
    pub(super) const fn cut(&mut self) {
        self.on = false;
    }

    /// 0x159, with the range that was set (mm, 0 for never) and where the fingers are (m).
    pub(super) fn hear(&mut self, command: &GripperCommand, range_mm: u8, at_m: f64) {
        if range_mm == 0 {
            return;
        }
        if command.set_zero && !command.enable {
            self.zero_m = at_m;
        }
        if command.enable && !self.on {
            self.ramp = Ramp::at(at_m);
        }
        self.on = command.enable;
        let most = f64::from(range_mm) * 1e-3;
        self.target_m = (f64::from(command.stroke_um) * 1e-6).clamp(0.0, most) + self.zero_m;
        self.effort_nm = f64::from(command.effort_mnm).max(0.0) * 1e-3;
    }

    /// Goes on for `dt` seconds.
    pub(super) fn drive(&mut self, at_m: f64, dt: f64) -> Drive {
        if !self.on {
            return Drive::Limp;
        }
        self.ramp.step(self.target_m, SPEED_M_S, ACCELERATION_M_S2, dt);
        // The opening is twice a finger's way.
        let give = 2.0 * (self.effort_nm * FORCE_N_PER_NM).min(FORCE_MAX_N) / STIFFNESS_N_M;
        Drive::Follow(self.ramp.position.clamp(at_m - give, at_m + give))
    }

    /// The opening as it tells it, m.
    pub(super) fn told_m(&self, at_m: f64) -> f64 {
        at_m - self.zero_m
    }

    /// The effort as it tells it, from the force between the fingers (N).
    pub(super) fn told_effort_nm(force_n: f64) -> f64 {
        force_n / FORCE_N_PER_NM
    }

    /// How it is.
    pub(super) const fn bits(&self) -> GripperBits {
        GripperBits((self.on as u8) << 6 | 1 << 7)
    }

    /// Somebody put the fingers somewhere.
    pub(super) const fn put(&mut self, at_m: f64) {
        self.ramp = Ramp::at(at_m);
        self.target_m = at_m;
    }
}
