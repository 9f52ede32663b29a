//! What a manifest says of the columns of a head's output tensor.

use serde::Deserialize;

use super::rotation::Rotation;

/// Columns that are read together. What is told of numbers is true of them after their range.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "representation", rename_all = "snake_case")]
pub enum Columns {
    /// Joint targets themselves, rad or m.
    JointAbsolute(JointAbsolute),
    /// Joint targets as places in ranges.
    JointRange(JointRange),
    /// Where an arm's tool is to be, or by how much it is to move.
    ToolPose(ToolPose),
}

/// A column for each joint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointAbsolute {
    /// The joint of each column.
    pub joints: Vec<String>,
}

/// A column for each joint: -1 is the joint's `min`, +1 its `max`, linear between them and beyond.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointRange {
    /// The joint of each column.
    pub joints: Vec<String>,
    /// The targets that -1 stands for, rad or m.
    pub min: Vec<f64>,
    /// The targets that +1 stands for, rad or m.
    pub max: Vec<f64>,
}

/// Three columns for the position, in m, then those of the rotation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolPose {
    /// The arm whose tool it is.
    pub arm: String,
    /// How the rotation is written.
    pub rotation: Rotation,
    /// A displacement, and from where; absent: the pose itself, in the arm's base frame.
    pub delta: Option<Delta>,
    /// The values that -1 stands for; absent: each number is its value.
    pub min: Option<Vec<f64>>,
    /// The values that +1 stands for.
    pub max: Option<Vec<f64>>,
    /// What gives way where the joints cannot follow; absent: nothing does, and the chunk is refused.
    pub yields: Option<Yields>,
    /// How far from its pose the tool may be put, m; only where nothing gives way.
    pub tolerance_m: Option<f64>,
    /// And how far turned, rad.
    pub tolerance_rad: Option<f64>,
}

/// What gives way where limits, or a singularity, keep the joints from following.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Yields {
    /// The tool's orientation, before its position.
    Orientation,
    /// Time: the tool keeps its direction and falls behind.
    Time,
}

/// How a displacement is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    /// Whose axes it is told in.
    pub frame: Frame,
    /// The pose that a chunk starts from.
    pub relative_to: RelativeTo,
    /// Whether each step starts there.
    pub steps: Steps,
}

/// Whose axes a displacement is told in. Both turn about the tool's origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// The arm's base: `p + dp`, `dR R`.
    Base,
    /// The tool itself: `p + R dp`, `R dR`.
    Tool,
}

/// The pose that a chunk of displacements starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelativeTo {
    /// Where the tool was measured to be, when the chunk was asked for.
    Measured,
    /// Where the last command put it.
    Commanded,
}

/// What each step of a chunk of displacements is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steps {
    /// All of them to the pose that the chunk starts from.
    Independent,
    /// Each to the pose of the step before it.
    Cumulative,
}

/// The values that -1 and +1 stand for, column by column.
type Range<'a> = Option<(&'a [f64], &'a [f64])>;

impl Columns {
    /// A name for each column, for errors: the joint's own, or `arm.x`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::JointAbsolute(columns) => columns.joints.clone(),
            Self::JointRange(columns) => columns.joints.clone(),
            Self::ToolPose(pose) => {
                let parts = ["x", "y", "z"].iter().chain(pose.rotation.names());
                parts.map(|part| format!("{}.{part}", pose.arm)).collect()
            }
        }
    }

    /// How many columns these are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::JointAbsolute(columns) => columns.joints.len(),
            Self::JointRange(columns) => columns.joints.len(),
            Self::ToolPose(pose) => 3 + pose.rotation.names().len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The range, if the numbers are places in one.
    pub(super) fn range(&self) -> Range<'_> {
        match self {
            Self::JointAbsolute(_) => None,
            Self::JointRange(columns) => Some((&columns.min, &columns.max)),
            Self::ToolPose(pose) => pose.min.as_deref().zip(pose.max.as_deref()),
        }
    }
}
