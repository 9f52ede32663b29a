//! Lowering: what a head's output tensor means in joints. The only place that knows action representations.
//!
//! ```text
//! numbers ──range──► values, SI ──joints as they are, tool poses by inverse kinematics──► set-points of one Chunk
//! ```
//!
//! A new representation is one variant of [`Columns`] and one arm in [`Lowering::compile`]; everything after it, the law
//! included, sees joint set-points in SI units only.

use motion::{Ask, Chunk, JointLimits, Joints};

use crate::{
    config::{JointSettings, RobotSettings},
    kinematics::{Arms, DescriptionError, RobotArm},
};

mod columns;
mod rotation;
mod tool;

pub use columns::{
    Columns, Delta, Frame, JointAbsolute, JointRange, RelativeTo, Steps, ToolPose, Yields,
};
pub use rotation::Rotation;
pub use tool::PoseRefusal;

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
    /// A range has to have a `min` and a `max` for each column.
    #[error("`min` and `max` need one value for each column")]
    Range {
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
    range: Option<(f64, f64)>,
}

impl Column {
    /// The columns of a group; `None` if its range has not a bound for each.
    fn of(group: &Columns) -> Option<Vec<Self>> {
        let names = group.names();
        let ranges: Vec<_> = match group.range() {
            None => vec![None; names.len()],
            Some((min, max)) => min.iter().copied().zip(max.iter().copied()).map(Some).collect(),
        };
        let is_whole = group.range().is_none_or(|(min, max)| min.len() == max.len());
        (is_whole && ranges.len() == names.len()).then(|| {
            names.into_iter().zip(ranges).map(|(name, range)| Self { name, range }).collect()
        })
    }

    /// The value, SI. It is not clamped to the range: a head that asks for more than it was trained for is the law's
    /// business, which clamps it and says so; hidden here, nobody would see it.
    fn value(&self, raw: f64) -> f64 {
        match self.range {
            Some((min, max)) => min + (raw + 1.0) * 0.5 * (max - min),
            None => raw,
        }
    }
}

/// The compiled way from a tensor to the robot's joints.
#[derive(Clone, Debug)]
pub struct Lowering {
    columns: Vec<Column>,
    joints: usize,
    /// Columns that are joints: the column, and the robot's joint.
    direct: Vec<(usize, usize)>,
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
        let (mut columns, mut direct, mut tools) = (Vec::new(), Vec::new(), Vec::new());
        let mut driven = vec![false; body.joints.len()];
        for (at, group) in groups.iter().enumerate() {
            let mut drive = |joint: usize| {
                if std::mem::replace(&mut driven[joint], true) {
                    return Err(ColumnsError::Twice { at, joint: body.joints[joint].clone() });
                }
                Ok(())
            };
            let first = columns.len();
            match group {
                Columns::JointAbsolute(JointAbsolute { joints })
                | Columns::JointRange(JointRange { joints, .. }) => {
                    for (column, joint) in joints.iter().enumerate() {
                        let index = body.joints.iter().position(|name| name == joint);
                        let index = index
                            .ok_or_else(|| ColumnsError::NoJoint { at, joint: joint.clone() })?;
                        drive(index)?;
                        direct.push((first + column, index));
                    }
                }
                Columns::ToolPose(pose) => {
                    let arm = body.arms.iter().find(|arm| arm.name == pose.arm);
                    let arm =
                        arm.ok_or_else(|| ColumnsError::NoArm { at, arm: pose.arm.clone() })?;
                    let tool = Tool::compile(pose, first, arm, body, period_s);
                    tool.driven().try_for_each(&mut drive)?;
                    tools.push(tool);
                }
            }
            columns.extend(Column::of(group).ok_or(ColumnsError::Range { at })?);
        }
        let undriven: Vec<String> = (body.joints.iter().zip(&driven))
            .filter(|(_, driven)| !**driven)
            .map(|(name, _)| name.clone())
            .collect();
        if !undriven.is_empty() {
            return Err(ColumnsError::Undriven(undriven));
        }
        Ok(Self { columns, joints: body.joints.len(), direct, tools, values: Vec::new() })
    }

    /// The tensor's numbers as values, SI: rad and m; of a pose m, and the numbers of its rotation. Row by row, in the
    /// order of the columns, before any inverse kinematics.
    ///
    /// # Errors
    /// If the tensor is not whole rows, or a value is not finite.
    pub fn decode(&mut self, tensor: &[f32]) -> Result<&[f64], LowerError> {
        let width = self.columns.len();
        if width == 0 || !tensor.len().is_multiple_of(width) {
            return Err(LowerError::Shape);
        }
        self.values.clear();
        for (step, row) in tensor.chunks_exact(width).enumerate() {
            for (raw, column) in row.iter().zip(&self.columns) {
                let value = column.value(f64::from(*raw));
                if !value.is_finite() {
                    return Err(LowerError::NotFinite { step, column: column.name.clone() });
                }
                self.values.push(value);
            }
        }
        Ok(&self.values)
    }

    /// Appends the tensor's rows to a chunk, in the robot's joint order.
    ///
    /// # Errors
    /// If it cannot be decoded, the chunk is for another robot or too full, or the arm is not to be put in a pose. What
    /// was appended until then stays in the chunk: the caller throws it away.
    pub fn lower(
        &mut self,
        tensor: &[f32],
        start: &Start,
        chunk: &mut Chunk,
    ) -> Result<(), LowerError> {
        self.decode(tensor)?;
        for tool in &mut self.tools {
            tool.begin(start)?;
        }
        let mut target = Joints::zeros(self.joints);
        for (step, row) in self.values.chunks_exact(self.columns.len()).enumerate() {
            for (column, joint) in &self.direct {
                target[*joint] = row[*column];
            }
            for tool in &mut self.tools {
                tool.step(step, row, &mut target)?;
            }
            if !chunk.push(&target) {
                return Err(LowerError::Shape);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod rotation_test;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tool_test;
#[cfg(test)]
mod two_arms_test;
#[cfg(test)]
mod yields_test;
