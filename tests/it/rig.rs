//! What several tests set up.

use std::path::{Path, PathBuf};

use motion::{JointLimits, Joints, Robot, Rules};

/// A path inside the checkout.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The joints of a slice.
pub(crate) fn joints(values: &[f64]) -> Joints {
    Joints::from_slice(values).expect("fewer than 48 joints")
}

/// A robot of `count` equal joints, at 20 Hz.
pub(crate) fn plain_robot(count: usize) -> Robot {
    let joint = JointLimits {
        position_min: -3.0,
        position_max: 3.0,
        velocity_max: 3.0,
        acceleration_max: 8.0,
        jerk_max: 200.0,
        step_max: 0.5,
        divergence_max: 0.5,
        gripper: false,
    };
    Robot::build(0.05, &vec![joint; count], Rules::default()).expect("limits that make sense")
}
