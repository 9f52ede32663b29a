//! Lowering: what a head's output tensor means in joints. The only place that knows action representations.
//!
//! A new representation is one variant of [`Representation`] and one arm in [`Column::value`]; everything after it, the
//! law included, sees joint set-points in SI units only.

use motion::{Chunk, Joints};
use serde::Deserialize;

/// What one number of the output tensor stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Representation {
    /// -1 is the joint's `min`, +1 its `max`, linear between them and beyond.
    JointRange,
    /// The joint's target itself, in rad or m.
    JointAbsolute,
}

/// How the tensor's columns are to be read, in the order of the tensor.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// The joint that each column drives.
    pub joints: &'a [String],
    /// What a number stands for.
    pub representation: Representation,
    /// The targets that -1 stands for; empty unless the representation is a range.
    pub min: &'a [f64],
    /// The targets that +1 stands for; empty unless the representation is a range.
    pub max: &'a [f64],
}

/// Why the columns do not fit the robot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// The robot has no such joint.
    #[error("the robot has no joint `{0}`")]
    Unknown(String),
    /// These joints of the robot are driven by no column.
    #[error("no column drives {0:?}")]
    Undriven(Vec<String>),
    /// A range has to have a `min` and a `max` for each column.
    #[error("`min` and `max` need one value for each joint")]
    Range,
}

/// Why a tensor could not be lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// The tensor, or the chunk, has another shape than the head.
    #[error("the output does not fit the chunk")]
    Shape,
    /// A target is NaN or infinite.
    #[error("step {step}, joint {joint} is not finite")]
    NotFinite {
        /// Which step.
        step: usize,
        /// Which of the robot's joints.
        joint: usize,
    },
}

/// Where one of the robot's joints finds its target in a row of the tensor.
#[derive(Clone, Copy, Debug)]
struct Column {
    at: usize,
    representation: Representation,
    min: f64,
    max: f64,
}

impl Column {
    /// The target in rad or m. It is not clamped to the range: a head that asks for more than it was trained for is the
    /// law's business, which clamps it and says so; hidden here, nobody would see it.
    fn value(&self, raw: f64) -> f64 {
        match self.representation {
            Representation::JointRange => self.min + (raw + 1.0) * 0.5 * (self.max - self.min),
            Representation::JointAbsolute => raw,
        }
    }
}

/// The compiled way from a tensor to the robot's joints.
#[derive(Clone, Debug)]
pub struct Lowering {
    /// In the robot's joint order.
    columns: Vec<Column>,
}

impl Lowering {
    /// Finds each of the robot's joints among the columns.
    ///
    /// # Errors
    /// Every joint of the robot needs a column, and every column a joint: a joint that nobody drives would hold its place
    /// while the rest of the arm moves, which no head is trained for.
    pub fn compile(
        columns: &Columns<'_>,
        robot_joints: &[impl AsRef<str>],
    ) -> Result<Self, ColumnsError> {
        let is_robots = |name: &str| robot_joints.iter().any(|joint| joint.as_ref() == name);
        if let Some(unknown) = columns.joints.iter().find(|name| !is_robots(name)) {
            return Err(ColumnsError::Unknown(unknown.clone()));
        }
        let ranges = columns.joints.len();
        if columns.representation == Representation::JointRange
            && (columns.min.len() != ranges || columns.max.len() != ranges)
        {
            return Err(ColumnsError::Range);
        }
        let mut undriven = Vec::new();
        let mut compiled = Vec::with_capacity(robot_joints.len());
        for joint in robot_joints.iter().map(AsRef::as_ref) {
            match columns.joints.iter().position(|name| name == joint) {
                Some(at) => compiled.push(Column {
                    at,
                    representation: columns.representation,
                    min: columns.min.get(at).copied().unwrap_or_default(),
                    max: columns.max.get(at).copied().unwrap_or_default(),
                }),
                None => undriven.push(joint.to_owned()),
            }
        }
        if undriven.is_empty() {
            Ok(Self { columns: compiled })
        } else {
            Err(ColumnsError::Undriven(undriven))
        }
    }

    /// The column of the tensor that drives the robot's joint `joint`.
    #[must_use]
    pub fn column(&self, joint: usize) -> Option<usize> {
        self.columns.get(joint).map(|column| column.at)
    }

    /// Appends the tensor's rows to a chunk, in the robot's joint order. Allocates nothing.
    ///
    /// # Errors
    /// If the tensor is not whole rows, the chunk is for another robot or too full, or a target is not finite. What was
    /// appended until then stays in the chunk: the caller throws it away.
    pub fn lower(&self, tensor: &[f32], chunk: &mut Chunk) -> Result<(), LowerError> {
        let width = self.columns.len();
        if width == 0 || !tensor.len().is_multiple_of(width) {
            return Err(LowerError::Shape);
        }
        let mut target = Joints::zeros(width);
        for (step, row) in tensor.chunks_exact(width).enumerate() {
            for (joint, (target, column)) in target.iter_mut().zip(&self.columns).enumerate() {
                let raw = row.get(column.at).ok_or(LowerError::Shape)?;
                *target = column.value(f64::from(*raw));
                if !target.is_finite() {
                    return Err(LowerError::NotFinite { step, joint });
                }
            }
            if !chunk.push(&target) {
                return Err(LowerError::Shape);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use motion::{ChunkId, HeadDigest, RunId, TickIndex};

    use super::*;

    const ROBOT: [&str; 3] = ["base", "shoulder", "gripper"];

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn chunk(joints: usize) -> Chunk {
        Chunk::empty(ChunkId(1), RunId(2), HeadDigest(3), TickIndex(4), joints)
    }

    fn range<'a>(joints: &'a [String], min: &'a [f64], max: &'a [f64]) -> Columns<'a> {
        Columns { joints, representation: Representation::JointRange, min, max }
    }

    #[test]
    fn a_range_there_and_back_is_the_same_target_in_the_robots_order() {
        let joints = names(&["gripper", "base", "shoulder"]);
        let (min, max) = ([0.0, -2.5, -0.5], [0.035, 2.5, 3.0]);
        let lowering =
            Lowering::compile(&range(&joints, &min, &max), &ROBOT).expect("the joints fit");
        let targets = [[0.01, -2.5, 3.0], [0.035, 0.0, 1.25]];
        let tensor: Vec<f32> = targets
            .iter()
            .flat_map(|row| {
                (0..3).map(|at| (2.0 * (row[at] - min[at]) / (max[at] - min[at]) - 1.0) as f32)
            })
            .collect();
        let mut chunk = chunk(3);
        lowering.lower(&tensor, &mut chunk).expect("it lowers");
        assert_eq!(chunk.len(), 2);
        for (step, row) in targets.iter().enumerate() {
            let got = chunk.step(step).expect("the step is there");
            for (got, wanted) in got.iter().zip([row[1], row[2], row[0]]) {
                assert!((got - wanted).abs() < 1e-6, "{got} {wanted}");
            }
        }
    }

    #[test]
    fn an_absolute_target_passes_as_it_is() {
        let joints = names(&ROBOT);
        let columns = Columns {
            joints: &joints,
            representation: Representation::JointAbsolute,
            min: &[],
            max: &[],
        };
        let mut chunk = chunk(3);
        let lowering = Lowering::compile(&columns, &ROBOT).expect("the joints fit");
        lowering.lower(&[0.5, -7.25, 0.125], &mut chunk).expect("it lowers");
        assert_eq!(chunk.step(0).as_deref(), Some(&[0.5, -7.25, 0.125][..]));
    }

    #[test]
    fn a_head_that_asks_beyond_its_range_is_not_silently_clamped() {
        let joints = names(&["base"]);
        let lowering =
            Lowering::compile(&range(&joints, &[-1.0], &[1.0]), &["base"]).expect("the joint fits");
        let mut chunk = chunk(1);
        lowering.lower(&[1.5], &mut chunk).expect("it lowers");
        assert_eq!(chunk.step(0).as_deref(), Some(&[1.5][..]));
    }

    #[test]
    fn joints_that_nobody_drives_are_refused_by_name() {
        let joints = names(&["base"]);
        let refused = Lowering::compile(&range(&joints, &[-1.0], &[1.0]), &ROBOT);
        assert_eq!(refused.err(), Some(ColumnsError::Undriven(names(&["shoulder", "gripper"]))));
        let joints = names(&["base", "wrist"]);
        let refused = Lowering::compile(&range(&joints, &[-1.0; 2], &[1.0; 2]), &ROBOT);
        assert_eq!(refused.err(), Some(ColumnsError::Unknown("wrist".to_owned())));
    }

    #[test]
    fn a_target_that_is_not_finite_or_does_not_fit_is_refused() {
        let joints = names(&["base", "shoulder"]);
        let robot = ["base", "shoulder"];
        let lowering = Lowering::compile(&range(&joints, &[-1.0; 2], &[1.0; 2]), &robot)
            .expect("the joints fit");
        let nan = lowering.lower(&[0.0, 0.0, 0.0, f32::NAN], &mut chunk(2));
        assert_eq!(nan, Err(LowerError::NotFinite { step: 1, joint: 1 }));
        assert_eq!(lowering.lower(&[0.0; 3], &mut chunk(2)), Err(LowerError::Shape));
        assert_eq!(lowering.lower(&[0.0; 2], &mut chunk(3)), Err(LowerError::Shape));
        let too_many = vec![0.0; 2 * (motion::MAX_STEPS + 1)];
        assert_eq!(lowering.lower(&too_many, &mut chunk(2)), Err(LowerError::Shape));
    }
}
