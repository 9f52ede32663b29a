//! From a point to a tool pose: how a hand comes to what it is to reach.
//!
//! The tool's z axis is its approach, its y axis the one along which it closes. A hand that leans outward, away from the
//! base's z axis, with its closing axis level, can take what lies on a table; straight down is the lean of zero. An arm
//! like the Piper cannot reach straight down at most heights, so the lean is a range, and the pose that is nearest in
//! joints is taken.

use std::f64::consts::PI;

use arm::nalgebra::{Isometry3, UnitQuaternion, Vector3};
use motion::Joints;

use super::Planner;
use crate::config::ReachSettings;

/// Leans that are tried, from the least to the most.
const LEANS: usize = 9;

impl Planner {
    /// Joints that put the tool on `point_m`, in the arm's base frame.
    ///
    /// # Errors
    /// Why none do, in words: of the pose that failed in the middle of the range.
    pub fn reach(
        &self,
        now: &Joints,
        point_m: [f64; 3],
        settings: &ReachSettings,
        speed: f64,
    ) -> Result<Joints, String> {
        let arm = self.arm(settings.arm.as_deref())?;
        let mut nearest: Option<(f64, Joints)> = None;
        let mut refused = None;
        for pose in poses(point_m, settings) {
            match self.to_pose(arm, now, &pose, speed) {
                Ok(goal) => {
                    let pairs = goal.iter().zip(now.iter());
                    let away = pairs.map(|(to, from)| (to - from).abs()).fold(0.0, f64::max);
                    if nearest.is_none_or(|(least, _)| away < least) {
                        nearest = Some((away, goal));
                    }
                }
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        let why = || refused.unwrap_or_else(|| "no pose to try".into());
        nearest.map(|(_, goal)| goal).ok_or_else(why)
    }
}

/// The poses that are tried, the middle of the range first.
fn poses(point_m: [f64; 3], settings: &ReachSettings) -> Vec<Isometry3<f64>> {
    let around = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), point_m[1].atan2(point_m[0]));
    let middle = (LEANS / 2) as isize;
    let mut order: Vec<isize> = (0..LEANS as isize).collect();
    order.sort_by_key(|k| (k - middle).abs());
    let (min, max) = (settings.lean_min_rad, settings.lean_max_rad);
    let leans = order.into_iter().map(|k| min + (max - min) * k as f64 / (LEANS - 1) as f64);
    leans
        .flat_map(|lean| [0.0, PI].map(|roll| (lean, roll)))
        .map(|(lean, roll)| {
            let down = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), PI - lean);
            let rolled = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), roll);
            Isometry3::from_parts(Vector3::from(point_m).into(), around * down * rolled)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_leans_outward_and_closes_level() {
        let settings = ReachSettings { lean_max_rad: 0.8, ..ReachSettings::default() };
        let point = [0.3, 0.3, 0.1];
        let poses = poses(point, &settings);
        assert_eq!(poses.len(), 2 * LEANS);
        for (k, pose) in poses.iter().enumerate() {
            let (approach, closing) = (pose.rotation * Vector3::z(), pose.rotation * Vector3::y());
            assert!((pose.translation.vector - Vector3::from(point)).norm() < 1e-12);
            assert!(closing.z.abs() < 1e-12, "pose {k}: the closing axis is level");
            assert!(approach.z < -0.6, "pose {k}: the hand points down");
            let outward = (approach.x + approach.y) / 2.0_f64.sqrt();
            assert!(outward > -1e-12 && (approach.x - approach.y).abs() < 1e-12, "pose {k}");
        }
        let lean = (poses[0].rotation * Vector3::z()).z;
        assert!((lean + 0.4_f64.cos()).abs() < 1e-12, "the middle of the range comes first");
    }
}
