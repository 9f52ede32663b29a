//! Lowering: what a head's output tensor means in joints. The only place that knows action representations.
//!
//! ```text
//! tokens ──codec──► numbers ──normalisation──► values, SI ──targets, displacements, grippers, tool poses──► one Chunk
//! ```
//!
//! Each arrow is a choice of its own, so that any of one goes with any of the others: a codec is one variant of [`Tokens`],
//! a normalisation one of [`Normalisation`], a representation one of [`Columns`] and one arm in [`Lowering::compile`].
//! Everything after it, the law included, sees joint set-points in SI units only. What the values of a head are is decided
//! by [`Lowering::decode`], and proved by golden vectors; where they put the joints, which depends on where these are, by
//! [`Lowering::lower`].

use motion::{Ask, Chunk, JointLimits, Joints};

use crate::{
    config::{JointSettings, RobotSettings},
    inference::Values,
    kinematics::{Arms, DescriptionError, RobotArm},
};

mod columns;
mod fast;
mod normalisation;
mod rotation;
mod target;
mod tokens;
mod tool;

pub use columns::{
    ClipWhen, Columns, Delta, Frame, Gripper, JointAbsolute, JointDelta, JointRange, RelativeTo,
    Steps, ToolPose, Unused, Yields,
};
pub use normalisation::{
    CentreHalf, Deciles, MaskedQuantiles, MeanStd, MinMax, Normalisation, Quantiles, Scale,
};
pub use rotation::Rotation;
pub use tokens::{
    Codec, CodecError, EncodeError, Fast, LanguageIds, MintUniform, OpenvlaBins, Sizes, TokenMap,
    TokenRefusal, Tokens, openpi_state_bin,
};
pub use tool::PoseRefusal;

use target::Target;
use tool::Tool;

/// The robot that a head moves.
#[derive(Clone, Debug)]
pub struct Body {
    /// Its name.
    pub name: String,
    /// Its joints, in order.
    pub joints: Vec<String>,
    /// Their limits.
    pub limits: Vec<JointLimits>,
    /// Its arms.
    pub arms: Vec<RobotArm>,
}

impl Body {
    /// The robot of a file, with its arms out of its description.
    ///
    /// # Errors
    /// A description that is not this robot's.
    pub fn load(robot: &RobotSettings) -> Result<Self, DescriptionError> {
        Ok(Self {
            name: robot.name.clone(),
            joints: robot.joints.iter().map(|joint| joint.name().to_owned()).collect(),
            limits: robot.joints.iter().map(JointSettings::limits).collect(),
            arms: Arms::load(robot)?.as_slice().to_vec(),
        })
    }
}

/// Why columns do not fit the robot. `at` counts the groups of columns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// The robot has no such joint.
    #[error("the robot has no joint `{joint}`")]
    NoJoint {
        /// Which group.
        at: usize,
        /// The joint.
        joint: String,
    },
    /// The robot has no such arm.
    #[error("the robot has no arm `{arm}`")]
    NoArm {
        /// Which group.
        at: usize,
        /// The arm.
        arm: String,
    },
    /// An earlier column already drives this joint.
    #[error("joint `{joint}` is driven twice")]
    Twice {
        /// Which group.
        at: usize,
        /// The joint.
        joint: String,
    },
    /// These joints of the robot are driven by no column.
    #[error("no column drives {0:?}")]
    Undriven(Vec<String>),
    /// A normalisation has to have a number for each column.
    #[error("the normalisation needs one number for each column in each of its lists")]
    Normalisation {
        /// Which group.
        at: usize,
    },
}

/// Why a tensor could not be lowered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LowerError {
    /// The tensor, or the chunk, has another shape than the head.
    #[error("the output does not fit the chunk")]
    Shape,
    /// A value is NaN or infinite.
    #[error("step {step}, {column} is not finite")]
    NotFinite {
        /// Which step.
        step: usize,
        /// Which column.
        column: String,
    },
    /// The tokens are no actions.
    #[error("{0}")]
    Tokens(#[from] TokenRefusal),
    /// What a joint is to move from is not finite.
    #[error("joint `{joint}` is not finite: there is nothing to move it from")]
    StartJoint {
        /// Which joint.
        joint: String,
    },
    /// The joints that a pose is to be reached from are not finite.
    #[error("the joints of arm `{arm}` are not all finite: there is no pose to start from")]
    Start {
        /// Which arm.
        arm: String,
    },
    /// A pose that the arm is not to be put in.
    #[error("step {step}, arm `{arm}`: {why}")]
    Pose {
        /// Which step.
        step: usize,
        /// Which arm.
        arm: String,
        /// Why not.
        why: PoseRefusal,
    },
}

/// What displacements are relative to, and what inverse kinematics starts from.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Measured positions of the robot's joints.
    pub measured: Joints,
    /// Its last command.
    pub commanded: Joints,
    /// The velocity of that, per second.
    pub velocity: Joints,
}

impl From<&Ask> for Start {
    fn from(ask: &Ask) -> Self {
        Self {
            measured: ask.state.position,
            commanded: ask.last_command,
            velocity: ask.last_velocity,
        }
    }
}

/// One column of the tensor.
#[derive(Clone, Debug)]
struct Column {
    name: String,
    scale: Scale,
}

impl Column {
    /// The columns of a group; `None` if its normalisation has not a number for each.
    fn of(group: &Columns) -> Option<impl Iterator<Item = Self>> {
        let scales = group.scales()?;
        Some(group.names().into_iter().zip(scales).map(|(name, scale)| Self { name, scale }))
    }
}

/// The compiled way from a tensor to the robot's joints.
#[derive(Debug)]
pub struct Lowering {
    /// What reads tokens, if the tensor has these.
    codec: Option<Codec>,
    columns: Vec<Column>,
    joints: usize,
    /// Columns that are joints.
    targets: Vec<Target>,
    tools: Vec<Tool>,
    /// The values of the last tensor, row by row; kept.
    values: Vec<f64>,
}

impl Lowering {
    /// Finds out what each column drives. `period_s` is the time between two steps.
    ///
    /// # Errors
    /// Every joint of the robot needs a column or an arm's pose, and only one: a joint that nobody drives would hold its
    /// place while the rest of the arm moves, which no head is trained for.
    pub fn compile(groups: &[Columns], body: &Body, period_s: f64) -> Result<Self, ColumnsError> {
        let (mut columns, mut targets, mut tools) = (Vec::new(), Vec::new(), Vec::new());
        let mut driven = vec![false; body.joints.len()];
        for (at, group) in groups.iter().enumerate() {
            let mut drive = |joint: usize| {
                if std::mem::replace(&mut driven[joint], true) {
                    return Err(ColumnsError::Twice { at, joint: body.joints[joint].clone() });
                }
                Ok(())
            };
            let find = |joint: &String| {
                let index = body.joints.iter().position(|name| name == joint);
                index.ok_or_else(|| ColumnsError::NoJoint { at, joint: joint.clone() })
            };
            let first = columns.len();
            let had = targets.len();
            match group {
                Columns::JointAbsolute(group) => {
                    for (column, joint) in group.joints.iter().enumerate() {
                        targets.push(Target::absolute(group, column, first, find(joint)?));
                    }
                }
                Columns::JointRange(JointRange { joints, .. }) => {
                    for (column, joint) in joints.iter().enumerate() {
                        targets.push(Target::plain(first + column, find(joint)?));
                    }
                }
                Columns::JointDelta(group) => {
                    for (column, joint) in group.joints.iter().enumerate() {
                        targets.push(Target::delta(group, column, first, find(joint)?));
                    }
                }
                Columns::Gripper(gripper) => {
                    targets.push(Target::gripper(gripper, first, find(&gripper.joint)?));
                }
                Columns::Unused(_) => {}
                Columns::ToolPose(pose) => {
                    let arm = body.arms.iter().find(|arm| arm.name == pose.arm);
                    let arm =
                        arm.ok_or_else(|| ColumnsError::NoArm { at, arm: pose.arm.clone() })?;
                    let tool = Tool::compile(pose, first, arm, body, period_s);
                    tool.driven().try_for_each(&mut drive)?;
                    tools.push(tool);
                }
            }
            targets[had..].iter().try_for_each(|target: &Target| drive(target.joint()))?;
            columns.extend(Column::of(group).ok_or(ColumnsError::Normalisation { at })?);
        }
        let undriven: Vec<String> = (body.joints.iter().zip(&driven))
            .filter(|(_, driven)| !**driven)
            .map(|(name, _)| name.clone())
            .collect();
        if !undriven.is_empty() {
            return Err(ColumnsError::Undriven(undriven));
        }
        let (codec, values) = (None, Vec::new());
        Ok(Self { codec, columns, joints: body.joints.len(), targets, tools, values })
    }

    /// The same for a tensor of tokens.
    #[must_use]
    pub fn reading(self, codec: Codec) -> Self {
        Self { codec: Some(codec), ..self }
    }

    /// The tensor as values, SI: rad and m; of a pose m, and the numbers of its rotation; of a gripper its number. Row by
    /// row, in the order of the columns, before anything depends on where the joints are.
    ///
    /// # Errors
    /// If the tensor is not whole rows, its tokens are no actions, or a value is not finite.
    pub fn decode(&mut self, tensor: Values<'_>) -> Result<&[f64], LowerError> {
        let width = self.columns.len();
        self.values.clear();
        match (tensor, &mut self.codec) {
            (Values::F32(numbers), None) => {
                self.values.extend(numbers.iter().map(|number| f64::from(*number)));
            }
            (Values::I64(tokens), Some(codec)) => codec.decode(tokens, &mut self.values)?,
            _ => return Err(LowerError::Shape),
        }
        if width == 0 || !self.values.len().is_multiple_of(width) {
            return Err(LowerError::Shape);
        }
        for (step, row) in self.values.chunks_exact_mut(width).enumerate() {
            for (number, column) in row.iter_mut().zip(&self.columns) {
                // Of the number itself, too: one that is clipped would hide an infinity.
                let value = column.scale.decode(*number);
                if !(number.is_finite() && value.is_finite()) {
                    return Err(LowerError::NotFinite { step, column: column.name.clone() });
                }
                *number = value;
            }
        }
        Ok(&self.values)
    }

    /// Appends the tensor's rows to a chunk, in the robot's joint order.
    ///
    /// # Errors
    /// If it cannot be decoded, the chunk is for another robot or too full, what a value is relative to is not finite, or
    /// the arm is not to be put in a pose. What was appended until then stays in the chunk: the caller throws it away.
    pub fn lower(
        &mut self,
        tensor: Values<'_>,
        start: &Start,
        chunk: &mut Chunk,
    ) -> Result<(), LowerError> {
        self.decode(tensor)?;
        for tool in &mut self.tools {
            tool.begin(start)?;
        }
        let mut before: Option<Joints> = None;
        let mut row_of_joints = Joints::zeros(self.joints);
        for (step, row) in self.values.chunks_exact(self.columns.len()).enumerate() {
            for target in &self.targets {
                let column = target.column();
                let position = target.at(row[column], start, before.as_ref()).map_err(|_| {
                    LowerError::StartJoint { joint: self.columns[column].name.clone() }
                })?;
                if !position.is_finite() {
                    let column = self.columns[column].name.clone();
                    return Err(LowerError::NotFinite { step, column });
                }
                row_of_joints[target.joint()] = position;
            }
            for tool in &mut self.tools {
                tool.step(step, row, &mut row_of_joints)?;
            }
            if !chunk.push(&row_of_joints) {
                return Err(LowerError::Shape);
            }
            before = Some(row_of_joints);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod random_test;
#[cfg(test)]
mod rotation_test;
#[cfg(test)]
mod target_test;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tool_test;
#[cfg(test)]
mod two_arms_test;
#[cfg(test)]
mod vectors_test;
#[cfg(test)]
mod yields_test;
