//! What must not touch: capsules, planes and how near they may come, of a robot's file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ConfigError, RobotSettings};

/// No robot's part is larger, and no table further away.
const LENGTH_MAX_M: f64 = 10.0;
/// A larger margin is a mistake in units.
const MARGIN_MAX_M: f64 = 0.5;

/// One `[[capsules]]` table: a segment with a radius, on a link.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CapsuleSettings {
    /// The link that it covers; a link may have several.
    pub link: String,
    /// One end of the segment, in the frame of that link.
    pub from_m: [f64; 3],
    /// The other.
    pub to_m: [f64; 3],
    /// Its radius.
    pub radius_m: f64,
}

/// One `[[planes]]` table: everything has to stay on the side that the normal points to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlaneSettings {
    /// What it is called.
    pub name: String,
    /// A point of it, in the frame of the description's root.
    pub point_m: [f64; 3],
    /// Where to stay; any length but zero.
    pub normal: [f64; 3],
}

/// The `[collision]` table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollisionSettings {
    /// How far apart everything has to stay.
    pub margin_m: f64,
    /// Pairs of links, or of a link and a plane, that may touch.
    pub allow: Vec<[String; 2]>,
}

impl Default for CollisionSettings {
    fn default() -> Self {
        Self { margin_m: 0.005, allow: Vec::new() }
    }
}

impl CollisionSettings {
    /// Whether two may touch.
    #[must_use]
    pub fn allows(&self, one: &str, other: &str) -> bool {
        self.allow.iter().any(|[a, b]| (a == one && b == other) || (a == other && b == one))
    }
}

/// Checks the three; `robot.file` is told as the file.
pub(super) fn check(robot: &RobotSettings) -> Result<(), ConfigError> {
    let file: &Path = &robot.file;
    let places = |figures: &[f64; 3]| figures.iter().all(|figure| figure.abs() < LENGTH_MAX_M);
    for capsule in &robot.capsules {
        let key = |key: &str| format!("capsules.{}.{key}", capsule.link);
        for (name, figures) in [("from_m", &capsule.from_m), ("to_m", &capsule.to_m)] {
            if !places(figures) {
                let remedy = format!("choose three numbers below {LENGTH_MAX_M}");
                return Err(ConfigError::value(file, key(name), figures, remedy));
            }
        }
        if !(capsule.radius_m > 0.0 && capsule.radius_m < LENGTH_MAX_M) {
            let remedy = format!("choose more than 0, below {LENGTH_MAX_M}");
            return Err(ConfigError::value(file, key("radius_m"), capsule.radius_m, remedy));
        }
    }
    let is_link = |name: &str| robot.capsules.iter().any(|capsule| capsule.link == name);
    for (k, plane) in robot.planes.iter().enumerate() {
        let key = |key: &str| format!("planes.{}.{key}", plane.name);
        let taken = robot.planes[..k].iter().any(|other| other.name == plane.name);
        if plane.name.is_empty() || taken || is_link(&plane.name) {
            let remedy = "give every plane a name of its own, that no link has";
            return Err(ConfigError::value(file, "planes.name", &plane.name, remedy));
        }
        if !places(&plane.point_m) {
            let remedy = format!("choose three numbers below {LENGTH_MAX_M}");
            return Err(ConfigError::value(file, key("point_m"), plane.point_m, remedy));
        }
        let length = plane.normal.iter().map(|figure| figure * figure).sum::<f64>().sqrt();
        if !(length > 1e-6 && length.is_finite()) {
            let remedy = "choose a direction, as [0, 0, 1] for a table";
            return Err(ConfigError::value(file, key("normal"), plane.normal, remedy));
        }
    }
    let margin = robot.collision.margin_m;
    if !(margin > 0.0 && margin <= MARGIN_MAX_M) {
        let remedy = format!("choose more than 0, at most {MARGIN_MAX_M}");
        return Err(ConfigError::value(file, "collision.margin_m", margin, remedy));
    }
    let known = |name: &str| is_link(name) || robot.planes.iter().any(|plane| plane.name == name);
    for name in robot.collision.allow.iter().flatten() {
        if !known(name) {
            let remedy = "name a link with a capsule, or a plane";
            return Err(ConfigError::value(file, "collision.allow", name, remedy));
        }
    }
    Ok(())
}
