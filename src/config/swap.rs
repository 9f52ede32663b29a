//! When one backend may take over from another: the `[swap]` table of a robot's file.

use serde::{Deserialize, Serialize};

use super::{ConfigError, JointSettings, RobotSettings};

/// Further apart than this nobody would call two poses the same, rad or m.
const TOLERANCE_MAX: f64 = 0.2;

/// The `[swap]` table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SwapSettings {
    /// How far a joint that turns may stand from where it is expected.
    pub tolerance_rad: f64,
    /// How far a joint that slides may.
    pub tolerance_m: f64,
}

impl Default for SwapSettings {
    fn default() -> Self {
        Self { tolerance_rad: 0.02, tolerance_m: 0.005 }
    }
}

impl SwapSettings {
    /// What it allows this joint, and the key that says so.
    #[must_use]
    pub const fn tolerance(&self, joint: &JointSettings) -> (f64, &'static str) {
        match joint {
            JointSettings::Revolute(_) => (self.tolerance_rad, "swap.tolerance_rad"),
            JointSettings::Prismatic(_) => (self.tolerance_m, "swap.tolerance_m"),
        }
    }
}

/// # Errors
/// A tolerance that allows nothing, or everything.
pub(super) fn check(robot: &RobotSettings) -> Result<(), ConfigError> {
    let SwapSettings { tolerance_rad, tolerance_m } = robot.swap;
    for (key, value) in [("swap.tolerance_rad", tolerance_rad), ("swap.tolerance_m", tolerance_m)] {
        if !(value > 0.0 && value <= TOLERANCE_MAX) {
            let remedy = format!("choose more than 0 and up to {TOLERANCE_MAX}");
            return Err(ConfigError::value(&robot.file, key, value, remedy));
        }
    }
    Ok(())
}
