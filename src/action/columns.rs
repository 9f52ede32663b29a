//! What a manifest says of the columns of a head's output tensor.

use serde::Deserialize;

use super::{
    normalisation::{MinMax, Normalisation, Scale},
    rotation::Rotation,
};

/// Columns that are read together. What is told of numbers is true of them after their normalisation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "representation", rename_all = "snake_case")]
pub enum Columns {
    /// Joint targets themselves, rad or m.
    JointAbsolute(JointAbsolute),
    /// Joint targets as places in ranges: [`Columns::JointAbsolute`] with [`Normalisation::Range`], in fewer words.
    JointRange(JointRange),
    /// How far joints are to move, rad or m.
    JointDelta(JointDelta),
    /// How far one gripper is to be open, or only whether.
    Gripper(Gripper),
    /// Where an arm's tool is to be, or by how much it is to move.
    ToolPose(ToolPose),
    /// Columns that drive nothing, as models have that were made for many robots.
    Unused(Unused),
}

/// A column for each joint.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointAbsolute {
    /// The joint of each column.
    pub joints: Vec<String>,
    /// How numbers become targets; absent: each number is its target.
    pub normalised: Option<Normalisation>,
    /// Where targets end, rad or m; absent: nowhere but at the robot's own limits.
    pub clip: Option<MinMax>,
    /// When they end there, where there is smoothing; absent: before and after it.
    pub clip_when: Option<ClipWhen>,
    /// How much of the previous action a target keeps, 0 to less than 1; absent: nothing.
    pub smoothing: Option<f64>,
}

/// When smoothed targets end at their clips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClipWhen {
    /// Before and after smoothing.
    #[default]
    Both,
    /// After it only: what is beyond a range pulls harder.
    AfterSmoothing,
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

/// A column for each joint: how far it is to move.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointDelta {
    /// The joint of each column.
    pub joints: Vec<String>,
    /// Where a chunk starts from.
    pub relative_to: RelativeTo,
    /// Whether each step starts there.
    pub steps: Steps,
    /// Which columns are displacements; the others are targets. Absent: all are.
    pub mask: Option<Vec<bool>>,
    /// How numbers become displacements; absent: each number is its own.
    pub normalised: Option<Normalisation>,
    /// Where targets end, rad or m; absent: nowhere but at the robot's own limits.
    pub clip: Option<MinMax>,
    /// How much of the previous action a target keeps, 0 to less than 1; absent: nothing.
    pub smoothing: Option<f64>,
}

/// One column: a gripper.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gripper {
    /// Its joint.
    pub joint: String,
    /// Where that is when the gripper is closed, m or rad.
    pub closed: f64,
    /// And open.
    pub open: f64,
    /// The number that stands for closed.
    pub closed_at: f64,
    /// And for open.
    pub open_at: f64,
    /// The number from which on, towards `open_at`, it is wholly open, and else wholly closed; at the number itself it
    /// stays as it is. Absent: it opens in proportion.
    pub threshold: Option<f64>,
    /// How the column becomes that number; absent: it is the number.
    pub normalised: Option<Normalisation>,
}

/// Columns that are read, have to be finite, and drive nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unused {
    /// How many.
    pub columns: usize,
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
    /// The values that -1 stands for; absent: each number is its value, unless `normalised` says otherwise.
    pub min: Option<Vec<f64>>,
    /// The values that +1 stands for.
    pub max: Option<Vec<f64>>,
    /// How numbers become values, where it is not by `min` and `max`.
    pub normalised: Option<Normalisation>,
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

/// What a chunk of displacements starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelativeTo {
    /// Where the tool, or the joint, was measured to be when the chunk was asked for.
    Measured,
    /// Where the last command put it.
    Commanded,
}

/// What each step of a chunk of displacements is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steps {
    /// All of them to what the chunk starts from.
    Independent,
    /// Each to the step before it.
    Cumulative,
}

impl Columns {
    /// A name for each column, for errors: the joint's own, or `arm.x`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::JointAbsolute(JointAbsolute { joints, .. })
            | Self::JointRange(JointRange { joints, .. })
            | Self::JointDelta(JointDelta { joints, .. }) => joints.clone(),
            Self::Gripper(gripper) => vec![gripper.joint.clone()],
            Self::ToolPose(pose) => {
                let parts = ["x", "y", "z"].iter().chain(pose.rotation.names());
                parts.map(|part| format!("{}.{part}", pose.arm)).collect()
            }
            Self::Unused(unused) => (0..unused.columns).map(|at| format!("unused {at}")).collect(),
        }
    }

    /// How many columns these are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::JointAbsolute(JointAbsolute { joints, .. })
            | Self::JointRange(JointRange { joints, .. })
            | Self::JointDelta(JointDelta { joints, .. }) => joints.len(),
            Self::Gripper(_) => 1,
            Self::ToolPose(pose) => 3 + pose.rotation.names().len(),
            Self::Unused(unused) => unused.columns,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How numbers become values, if not as they are.
    #[must_use]
    pub fn normalisation(&self) -> Option<Normalisation> {
        let range = |min: &[f64], max: &[f64]| {
            Normalisation::Range(MinMax { min: min.into(), max: max.into() })
        };
        match self {
            Self::JointAbsolute(columns) => columns.normalised.clone(),
            Self::JointRange(columns) => Some(range(&columns.min, &columns.max)),
            Self::JointDelta(columns) => columns.normalised.clone(),
            Self::Gripper(gripper) => gripper.normalised.clone(),
            Self::ToolPose(pose) => {
                let ends = pose.min.as_deref().zip(pose.max.as_deref());
                ends.map(|(min, max)| range(min, max)).or_else(|| pose.normalised.clone())
            }
            Self::Unused(_) => None,
        }
    }

    /// Each column's scale; `None` if the normalisation has not a number for each.
    #[must_use]
    pub fn scales(&self) -> Option<Vec<Scale>> {
        match self.normalisation() {
            None => Some(vec![Scale::Same; self.len()]),
            Some(normalisation) => normalisation.scales(self.len()),
        }
    }
}
