//! Where the arm's own controller believes its flange is, and which joints it takes for a pose: the vendor's table.

use arm::{
    Answer, Chain, Joint, Kind, Options, Value,
    nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3},
};
use reflex::backend::piper::frames::{Firmware, Zero};

use super::flash::Flash;

/// Modified Denavit-Hartenberg: twist (deg), length (m), offset along the axis (m).
const TABLE: [(f64, f64, f64); 6] = [
    (0.0, 0.0, 0.123),
    (-90.0, 0.0, 0.0),
    (0.0, 0.285_03, 0.0),
    (90.0, -0.021_98, 0.250_75),
    (-90.0, 0.0, 0.0),
    (90.0, 0.0, 0.091),
];

/// How far the old zero's joints count beyond the new zero's, deg. Both stand for the same posture.
const OLD_ZERO_DEG: [f64; 6] = [0.0, 2.0, -2.0, 0.0, 0.0, 0.0];

/// Where the vendor's table turns each joint to begin with, deg, for the new zero.
const OFFSET_DEG: [f64; 6] = [0.0, -172.22, -102.78, 0.0, 0.0, 0.0];

/// Why a pose has no joints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// The arm does not reach it.
    Reach,
    /// It would, but for the limits of its joints.
    Limits,
}

/// The arm's chain, with the zero of its firmware and the limits of its flash.
pub(super) struct Kinematics {
    zero: Zero,
    arm: arm::Arm,
}

/// What a firmware counts beyond the new zero, rad.
fn counted_beyond(zero: Zero) -> [f64; 6] {
    match zero {
        Zero::New => [0.0; 6],
        Zero::Old => OLD_ZERO_DEG.map(f64::to_radians),
    }
}

impl Kinematics {
    /// Limits in the firmware's own counting, rad; the nearest sensible ones where they leave nothing between them.
    pub(super) fn new(zero: Zero, limits_rad: &[[f64; 2]; 6]) -> Self {
        let beyond = counted_beyond(zero);
        let joints: [Joint; 6] = std::array::from_fn(|k| {
            let (twist, length, along) = TABLE[k];
            let turned = OFFSET_DEG[k].to_radians() - beyond[k];
            let place = Isometry3::rotation(Vector3::x() * twist.to_radians())
                * Isometry3::translation(length, 0.0, 0.0)
                * Isometry3::rotation(Vector3::z() * turned)
                * Isometry3::translation(0.0, 0.0, along);
            let [least, most] = limits_rad[k];
            Joint {
                kind: Kind::Revolute,
                x_before_joint: place,
                axis: Vector3::z(),
                value: Value::Free,
                position_min: least,
                position_max: most.max(least + 1e-3),
                velocity_max: 3.0,
                acceleration_max: 5.0,
            }
        });
        let chain = Chain::build(&joints, &Isometry3::identity());
        // A table of finite numbers with limits in order is a chain.
        #[allow(clippy::expect_used, reason = "constants")]
        let chain = chain.expect("the vendor's table is a chain");
        Self { zero, arm: arm::Arm::compile(chain) }
    }

    /// That of an arm.
    pub(super) fn of(firmware: Firmware, flash: &Flash) -> Self {
        Self::new(firmware.zero(), &flash.joints.map(|joint| joint.limits_rad()))
    }

    /// What this firmware says of joints that are counted from the new zero, rad.
    pub(super) fn told(&self, joints: &[f64; 6]) -> [f64; 6] {
        let beyond = counted_beyond(self.zero);
        std::array::from_fn(|k| joints[k] + beyond[k])
    }

    /// Joints from the new zero, which is the body's, for what this firmware is told, rad.
    pub(super) fn meant(&self, told: &[f64; 6]) -> [f64; 6] {
        let beyond = counted_beyond(self.zero);
        std::array::from_fn(|k| told[k] - beyond[k])
    }

    /// The flange, with joints in the firmware's own counting.
    pub(super) fn flange(&self, told: &[f64; 6]) -> Isometry3<f64> {
        self.arm.chain().x_base_tool(told)
    }

    /// The nearest joints for a pose, in the firmware's own counting.
    pub(super) fn joints(
        &self,
        flange: &Isometry3<f64>,
        near: &[f64; 6],
        keep_branch: bool,
    ) -> Result<[f64; 6], Beyond> {
        let options = Options { keep_branch, ..Options::default() };
        match self.arm.solve(flange, near, &options) {
            Answer::Exact { joints, .. } | Answer::Approximate { joints, .. } => {
                Ok(std::array::from_fn(|k| joints[k]))
            }
            Answer::LimitBlocked { .. } => Err(Beyond::Limits),
            Answer::Unreachable { .. } | Answer::Held(_) => Err(Beyond::Reach),
        }
    }
}

/// A pose as it stands on the wire: x, y, z in um, turns about the fixed x, y and z in mdeg.
pub(super) fn pose_of_raw(raw: &[i32; 6]) -> Isometry3<f64> {
    let [x, y, z] = [0, 1, 2].map(|k| f64::from(raw[k]) * 1e-6);
    let [rx, ry, rz] = [3, 4, 5].map(|k| (f64::from(raw[k]) * 1e-3).to_radians());
    Isometry3::from_parts(Translation3::new(x, y, z), UnitQuaternion::from_euler_angles(rx, ry, rz))
}

/// The other way.
pub(super) fn raw_of_pose(pose: &Isometry3<f64>) -> [i32; 6] {
    let (rx, ry, rz) = pose.rotation.euler_angles();
    let position = pose.translation.vector;
    let um = |metres: f64| (metres * 1e6).round() as i32;
    let mdeg = |angle: f64| (angle.to_degrees() * 1e3).round() as i32;
    [um(position.x), um(position.y), um(position.z), mdeg(rx), mdeg(ry), mdeg(rz)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: [[f64; 2]; 6] = [[-4.0, 4.0]; 6];

    #[test]
    fn the_flange_at_zero_is_where_the_vendor_says() {
        for (zero, expected_um) in
            [(Zero::New, [56_128, 0, 213_266]), (Zero::Old, [54_953, 0, 203_387])]
        {
            let raw = raw_of_pose(&Kinematics::new(zero, &WIDE).flange(&[0.0; 6]));
            for (found, expected) in raw.iter().zip(expected_um) {
                assert!((found - expected).abs() <= 1, "{zero:?}: {raw:?}");
            }
            assert_eq!(raw[4], 85_000, "{zero:?}");
        }
    }

    #[test]
    fn both_zeros_stand_for_one_posture() {
        let (new, old) = (Kinematics::new(Zero::New, &WIDE), Kinematics::new(Zero::Old, &WIDE));
        let body = [0.3, 0.9, -0.8, 0.2, 0.5, -0.4];
        let apart = new.flange(&new.told(&body)).inverse() * old.flange(&old.told(&body));
        assert!(apart.translation.vector.norm() < 1e-12 && apart.rotation.angle() < 1e-9);
        assert_eq!(old.meant(&old.told(&body)), body);
    }
}
