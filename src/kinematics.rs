//! Where the tool is, and what may not touch: the robot's description as arms and as bodies. The only door to `k` and
//! `urdf-rs`.
//!
//! Metres and radians. Poses are named in monogram form: `x_base_tool` maps tool coordinates to base coordinates.

mod arms;
mod description;
mod explain;
mod guard;

pub use arms::{Arms, RobotArm, ToolLimits};
pub use description::{Description, DescriptionError, JointKind, UrdfJoint};
pub use explain::Explained;
pub use guard::Guard;

use nalgebra::Isometry3;

/// A pose: metres and a unit quaternion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// x, y, z in metres.
    pub position_m: [f64; 3],
    /// x, y, z, w.
    pub quaternion_xyzw: [f64; 4],
}

impl From<Isometry3<f64>> for Pose {
    fn from(pose: Isometry3<f64>) -> Self {
        let (p, q) = (pose.translation.vector, pose.rotation.coords);
        Self { position_m: [p.x, p.y, p.z], quaternion_xyzw: [q.x, q.y, q.z, q.w] }
    }
}
