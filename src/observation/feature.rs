//! What may stand in a head's input, by name.

use serde::Deserialize;

use super::{
    place::{To, Viewpoint},
    prefix::Rows,
    tool::ToolOf,
};

/// What a feature is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureName {
    /// Measured positions, rad or m.
    #[default]
    JointPosition,
    /// Sines of measured positions.
    JointSine,
    /// Cosines of measured positions.
    JointCosine,
    /// Measured velocities, per second.
    JointVelocity,
    /// The last command, rad or m.
    PreviousAction,
    /// Parameters of the decision.
    Decision,
    /// Position of an arm's tool in the frame of the arm's base, m.
    ToolPosition,
    /// Where the object is believed to be, in the robot's base frame, m.
    ObjectPosition,
    /// Where the object or the target is, seen from a tool or from joints: distances (m), bearings.
    Relative,
    /// Numbers that never change.
    Constant,
    /// Which stage the run is in: 1 for that, 0 for every other.
    Stage,
    /// Whether the object is believed to be in the hand.
    Grasped,
    /// Whether the object has been at the mouth in this run.
    Eaten,
    /// Ticks since the run's first ask, times `per_tick`.
    Elapsed,
    /// The newest embedding of what is seen and said.
    Embedding,
    /// Set-points of consecutive ticks around the take-over, after the safety filter, rad or m; one row for each tick.
    Prefix,
    /// Ticks from the observation to the take-over, as the plan tells it.
    Delay,
    /// The set-point that is due in this tick, before correction and filter, rad or m: what a correction is added to.
    BaseAction,
    /// Which step of its chunk that is.
    ChunkStep,
}

impl FeatureName {
    /// As it is written in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JointPosition => "joint_position",
            Self::JointSine => "joint_sine",
            Self::JointCosine => "joint_cosine",
            Self::JointVelocity => "joint_velocity",
            Self::PreviousAction => "previous_action",
            Self::Decision => "decision",
            Self::ToolPosition => "tool_position",
            Self::ObjectPosition => "object_position",
            Self::Relative => "relative",
            Self::Constant => "constant",
            Self::Stage => "stage",
            Self::Grasped => "grasped",
            Self::Eaten => "eaten",
            Self::Elapsed => "elapsed",
            Self::Embedding => "embedding",
            Self::Prefix => "prefix",
            Self::Delay => "delay",
            Self::BaseAction => "base_action",
            Self::ChunkStep => "chunk_step",
        }
    }

    /// Whether it is one number, without joints or anything else to choose from.
    #[must_use]
    pub const fn is_one_number(self) -> bool {
        matches!(self, Self::Delay | Self::ChunkStep | Self::Grasped | Self::Eaten | Self::Elapsed)
    }

    /// Whether its numbers have no names: they are counted.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::Constant | Self::Embedding)
    }

    /// Whether it may stand in a tensor more than once: published layouts repeat these.
    #[must_use]
    pub const fn may_repeat(self) -> bool {
        matches!(self, Self::Constant | Self::ObjectPosition)
    }
}

/// One feature: which numbers, and how they are normalised: `clamp((x - mean) / std, -clip, clip)`.
#[derive(Clone, Copy, Debug)]
pub struct Feature<'a> {
    /// What it is made of.
    pub name: FeatureName,
    /// The joints, the parameters, the axes, the measures or the stages, in the order of the tensor.
    pub items: &'a [String],
    /// The tool whose position it is; only a [`FeatureName::ToolPosition`] has one.
    pub tool: Option<ToolOf<'a>>,
    /// How often the items are repeated, and for which ticks.
    pub rows: Rows,
    /// What else has to be known of it.
    pub extra: Extra<'a>,
    /// What is taken away from each; one number stands for all of an embedding.
    pub mean: &'a [f64],
    /// What each is divided by.
    pub std: &'a [f64],
    /// The bound on every normalised number; infinite: none.
    pub clip: f64,
}

impl Feature<'_> {
    /// How many numbers a row of it is.
    #[must_use]
    pub fn width(&self) -> usize {
        match self.extra {
            _ if self.name.is_one_number() => 1,
            Extra::Values(values) => values.len(),
            Extra::Width(width) => width,
            _ => self.items.len(),
        }
    }
}

/// What only some features have.
#[derive(Clone, Copy, Debug, Default)]
pub enum Extra<'a> {
    /// Nothing.
    #[default]
    None,
    /// Of positions and actions: the values that count as -1 and +1.
    Range {
        /// Those of -1.
        min: &'a [f64],
        /// Those of +1.
        max: &'a [f64],
    },
    /// Of [`FeatureName::Relative`].
    Seen {
        /// From where.
        from: Viewpoint<'a>,
        /// What.
        to: To,
        /// The joint whose angle headings are relative to.
        yaw: Option<&'a str>,
    },
    /// Of [`FeatureName::Constant`].
    Values(&'a [f64]),
    /// Of [`FeatureName::Elapsed`].
    PerTick(f64),
    /// Of [`FeatureName::Embedding`]: how many numbers.
    Width(usize),
}

/// Why features do not fit the robot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// The robot has no such joint, a decision no such parameter, or a position no such axis.
    #[error("feature {feature} names `{item}`, which does not exist")]
    Unknown {
        /// Which feature.
        feature: usize,
        /// The name.
        item: String,
    },
    /// The robot has no such arm, or none is named.
    #[error("feature {feature} is about the tool of arm `{arm}`, which does not exist")]
    NoArm {
        /// Which feature.
        feature: usize,
        /// The arm's name.
        arm: String,
    },
    /// A mean and a std are needed for each item.
    #[error("feature {feature} needs one `mean` and one `std` for each item")]
    Lengths {
        /// Which feature.
        feature: usize,
    },
}
