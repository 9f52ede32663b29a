//! Arms of a robot's file, and their calibration files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{ConfigError, parse};

/// A calibration that moves a figure further than this was made for another arm, m.
const CORRECTION_MAX_M: f64 = 0.020;
/// Or turns it further than this, rad.
const CORRECTION_MAX_RAD: f64 = 0.050;

const fn quarter() -> f64 {
    0.25
}

const fn one() -> f64 {
    1.0
}

/// One `[[arms]]` table: a chain of the description with a tool at its end.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ArmSettings {
    /// What it is called.
    pub name: String,
    /// The link in whose frame its poses are; absent for the description's root.
    pub base_link: Option<String>,
    /// The link that carries the tool.
    pub tool_link: String,
    /// Origin of the tool in the frame of that link.
    #[serde(default)]
    pub tool_xyz_m: [f64; 3],
    /// Roll, pitch, yaw of the tool in the frame of that link.
    #[serde(default)]
    pub tool_rpy_rad: [f64; 3],
    /// Fastest straight and circular routes and jogs, of the tool's origin.
    #[serde(default = "quarter")]
    pub tool_speed_max_m_s: f64,
    /// And how fast it may turn on them.
    #[serde(default = "one")]
    pub tool_turn_max_rad_s: f64,
    /// How long it takes at least from rest to full speed; a third of it is the acceleration's own ramp.
    #[serde(default = "quarter")]
    pub tool_ramp_s: f64,
    /// How this very arm differs from its description.
    pub calibration: Option<PathBuf>,
    /// What stands in that file.
    #[serde(skip)]
    pub corrections: Calibration,
}

/// A calibration file: what was measured on one arm.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calibration {
    /// By the description's joint.
    pub joints: BTreeMap<String, Correction>,
    /// Of the tool, in its own frame. It has no zero.
    pub tool: Option<Correction>,
}

/// How one frame differs from its description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Correction {
    /// Added to the origin, in the frame of the parent link.
    pub xyz_m: [f64; 3],
    /// Roll, pitch, yaw, after those of the origin.
    pub rpy_rad: [f64; 3],
    /// Where a joint that turns really stands when it reads zero.
    pub zero_rad: f64,
    /// The same for one that slides.
    pub zero_m: f64,
}

impl ArmSettings {
    /// An arm of this name, from the root to a link, without a calibration.
    #[must_use]
    pub fn to(name: &str, tool_link: &str) -> Self {
        Self {
            name: name.to_owned(),
            base_link: None,
            tool_link: tool_link.to_owned(),
            tool_xyz_m: [0.0; 3],
            tool_rpy_rad: [0.0; 3],
            tool_speed_max_m_s: quarter(),
            tool_turn_max_rad_s: one(),
            tool_ramp_s: quarter(),
            calibration: None,
            corrections: Calibration::default(),
        }
    }

    /// Reads the calibration, if one is named, and checks the rest. `file` is the robot's.
    pub(super) fn complete(&mut self, file: &Path) -> Result<(), ConfigError> {
        if self.name.is_empty() {
            return Err(ConfigError::value(file, "arms.name", "", "give every arm a name"));
        }
        for (key, figures) in [("tool_xyz_m", self.tool_xyz_m), ("tool_rpy_rad", self.tool_rpy_rad)]
        {
            if !figures.iter().all(|figure| figure.is_finite() && figure.abs() < 10.0) {
                let key = format!("arms.{}.{key}", self.name);
                return Err(ConfigError::value(
                    file,
                    key,
                    figures,
                    "choose three numbers below 10",
                ));
            }
        }
        for (key, figure, most) in [
            ("tool_speed_max_m_s", self.tool_speed_max_m_s, 10.0),
            ("tool_turn_max_rad_s", self.tool_turn_max_rad_s, 30.0),
            ("tool_ramp_s", self.tool_ramp_s, 10.0),
        ] {
            if !(figure > 0.0 && figure <= most) {
                let key = format!("arms.{}.{key}", self.name);
                let remedy = format!("choose more than 0, at most {most}");
                return Err(ConfigError::value(file, key, figure, remedy));
            }
        }
        if let Some(calibration) = &mut self.calibration {
            *calibration = file.parent().unwrap_or(Path::new(".")).join(&calibration);
            self.corrections = Calibration::load(calibration)?;
        }
        Ok(())
    }
}

impl Calibration {
    fn load(file: &Path) -> Result<Self, ConfigError> {
        let calibration: Self = parse(file)?;
        let named =
            calibration.joints.iter().map(|(name, joint)| (format!("joints.{name}"), joint));
        for (of, correction) in
            named.chain(calibration.tool.iter().map(|tool| ("tool".into(), tool)))
        {
            correction.check(file, &of)?;
        }
        if let Some(tool) = &calibration.tool
            && (tool.zero_rad, tool.zero_m) != (0.0, 0.0)
        {
            let zero = (tool.zero_rad, tool.zero_m);
            let remedy = "a tool has no zero: turn it with rpy_rad, move it with xyz_m";
            return Err(ConfigError::value(file, "tool.zero_rad", zero, remedy));
        }
        Ok(calibration)
    }
}

impl Correction {
    fn check(&self, file: &Path, of: &str) -> Result<(), ConfigError> {
        let small = |figures: &[f64], most: f64| figures.iter().all(|figure| figure.abs() <= most);
        for (key, figures, most) in [
            ("xyz_m", &self.xyz_m[..], CORRECTION_MAX_M),
            ("rpy_rad", &self.rpy_rad, CORRECTION_MAX_RAD),
            ("zero_rad", &[self.zero_rad], CORRECTION_MAX_RAD),
            ("zero_m", &[self.zero_m], CORRECTION_MAX_M),
        ] {
            if !small(figures, most) {
                let remedy = format!("a calibration corrects by at most {most}: calibrate anew");
                return Err(ConfigError::value(file, format!("{of}.{key}"), figures, remedy));
            }
        }
        Ok(())
    }
}
