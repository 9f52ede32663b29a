//! What an inverse may say. Never the last joints in disguise.

use crate::{math::Vec3, vector::JointVector};

/// How far a pose is from another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoseError {
    /// Distance of the origins, m.
    pub position_m: f64,
    /// Angle between the orientations, rad, 0 to pi.
    pub angle_rad: f64,
}

impl PoseError {
    pub(crate) fn of(dp: &Vec3, dr: &Vec3) -> Self {
        let length = |v: &Vec3| (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt();
        Self { position_m: length(dp), angle_rad: length(dr) }
    }

    /// Whether both are within bounds; never for NaN.
    #[must_use]
    pub fn within(&self, position_m: f64, angle_rad: f64) -> bool {
        self.position_m <= position_m && self.angle_rad <= angle_rad
    }

    /// One figure of both, m: the angle counts `lever_m` to the radian.
    #[must_use]
    pub fn cost_m(&self, lever_m: f64) -> f64 {
        self.position_m.hypot(lever_m * self.angle_rad)
    }
}

/// Which of an arm's ways to hold one pose: a function of the joints, the same along any motion that does not pass a
/// singularity. Bit 0 shoulder, bit 1 elbow, bit 2 wrist. Arms without a closed form have no branches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Branch(pub u8);

/// How thoroughly was looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Everywhere that the method looks.
    Complete,
    /// Until the cap on work was reached.
    Capped,
}

/// Why nothing was solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The pose, or the joints to start from, are not finite.
    NotFinite,
    /// The joints to start from are not as many as the arm's.
    Shape,
    /// Only another branch reaches the pose, and the branch was to be kept.
    BranchChange {
        /// The branch of the joints to start from.
        from: Branch,
        /// The branch of the nearest solution.
        to: Branch,
    },
}

/// The answer of an inverse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// Inside the limits and on the pose, as exactly as was asked.
    Exact {
        /// The joints.
        joints: JointVector,
        /// Their branch.
        branch: Branch,
        /// What is left.
        error: PoseError,
    },
    /// Inside the limits and nearly on the pose: within what was said to be acceptable.
    Approximate {
        /// The joints.
        joints: JointVector,
        /// Their branch.
        branch: Branch,
        /// What is left.
        error: PoseError,
    },
    /// Nothing inside the limits was found that reaches the pose.
    Unreachable {
        /// The nearest that was found.
        nearest: JointVector,
        /// How near.
        error: PoseError,
        /// How thoroughly was looked.
        search: Search,
    },
    /// The arm reaches the pose, its joint limits do not.
    LimitBlocked {
        /// The joint that is furthest outside, in the solution that is least outside.
        joint: usize,
        /// How far outside, rad or m.
        by: f64,
        /// That solution, outside the limits.
        beyond: JointVector,
        /// The nearest that was found inside.
        nearest: JointVector,
        /// How near.
        error: PoseError,
    },
    /// Nothing was solved, and nothing is to move.
    Held(Hold),
}

impl Answer {
    /// The joints, if they reach the pose as well as was asked.
    #[must_use]
    pub const fn joints(&self) -> Option<&JointVector> {
        match self {
            Self::Exact { joints, .. } | Self::Approximate { joints, .. } => Some(joints),
            Self::Unreachable { .. } | Self::LimitBlocked { .. } | Self::Held(_) => None,
        }
    }
}
