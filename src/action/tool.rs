//! One arm's tool along a chunk: from the columns of a pose to the arm's joints, each step from the one before it.
//!
//! A pose is either met or refused: of all solutions the one nearest to the joints of the step before is taken, and only
//! if the joints can move there in one step. So a singularity may be passed, where two branches of the arm meet, but no
//! step jumps between branches. Or, if the manifest says what yields, the servo goes as far towards the pose as the
//! joints' limits allow.

use arm::{Answer, Hold, JointVector, Options, PoseError, Servo, Wish, Yield};
use motion::{JointLimits, Joints};
use nalgebra::{Isometry3, Translation3};

use super::{
    Body, LowerError, Start,
    columns::{Delta, Frame, RelativeTo, Steps, ToolPose, Yields},
    rotation::Rotation,
};
use crate::kinematics::RobotArm;

/// How far off a pose may be met where nothing is said, m and rad: finer than any arm repeats.
const USUAL_TOLERANCE: f64 = 1e-4;
/// By how much a step may pass its limit: rounding, rad or m.
const SLACK: f64 = 1e-6;

/// Why an arm is not to be put in a pose. Joints are the robot's, by name.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PoseRefusal {
    /// The numbers leave the rotation open.
    #[error("its numbers are no rotation: too short, parallel, or too large")]
    NoRotation,
    /// Nothing inside the limits reaches it.
    #[error(
        "the pose is out of reach: the nearest is {:.4} m and {:.4} rad away",
        error.position_m, error.angle_rad
    )]
    Unreachable {
        /// What the nearest leaves.
        error: PoseError,
    },
    /// It is reached beyond a limit only.
    #[error("the pose needs joint `{joint}` {by:.4} rad or m beyond its limit")]
    LimitBlocked {
        /// Which joint.
        joint: String,
        /// How far beyond, rad or m.
        by: f64,
    },
    /// It is further away than the joints move in a step.
    #[error(
        "joint `{joint}` would have to move {by:.4} rad or m at once, where {most:.4} is the most{}",
        if *other_branch { ": only another branch of the arm reaches the pose" } else { "" }
    )]
    Jump {
        /// The joint that would exceed its limit by most.
        joint: String,
        /// How far it would move, rad or m.
        by: f64,
        /// How far it may, rad or m.
        most: f64,
        /// The pose is reached in another branch of the arm than the step before.
        other_branch: bool,
    },
    /// Nothing was solved: the pose is so far away that it is no place any more.
    #[error("the pose is no place: {0:?}")]
    Held(Hold),
}

/// A joint of the arm, as one of the robot's.
#[derive(Clone, Debug)]
struct ArmJoint {
    index: usize,
    name: String,
    /// Its value per value of the arm's.
    scale: f64,
    /// How far from the last command the first step may be: beyond that the law takes a set-point for a mistake, and
    /// the robot faults. rad or m.
    first_max: f64,
    /// How far a step may be from the one before it: the speed limit over a period.
    step_max: f64,
}

/// The columns of one arm's tool, compiled, and where a chunk has brought the arm.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    arm: RobotArm,
    joints: Vec<ArmJoint>,
    first_column: usize,
    rotation: Rotation,
    delta: Option<Delta>,
    /// What counts as met.
    options: Options,
    /// What goes towards a pose that cannot be met, if something yields.
    servo: Option<Servo>,
    /// The arm's joints at the step before.
    at: JointVector,
    /// Their velocities; for the servo.
    velocity: JointVector,
    /// What displacements are relative to.
    x_base_from: Isometry3<f64>,
}

impl Tool {
    pub(super) fn compile(
        pose: &ToolPose,
        first_column: usize,
        arm: &RobotArm,
        body: &Body,
        period_s: f64,
    ) -> Self {
        let joints = (0..arm.arm.chain().len()).filter_map(|k| arm.robot_joint(k));
        let joints = joints.filter_map(|(index, scale)| {
            let limits: &JointLimits = body.limits.get(index)?;
            Some(ArmJoint {
                index,
                name: body.joints.get(index)?.clone(),
                scale,
                first_max: limits.step_max,
                step_max: limits.velocity_max * period_s,
            })
        });
        let options = Options {
            accept_m: pose.tolerance_m.unwrap_or(USUAL_TOLERANCE),
            accept_rad: pose.tolerance_rad.unwrap_or(USUAL_TOLERANCE),
            ..Options::default()
        };
        let yields = pose.yields.map(|yields| match yields {
            Yields::Orientation => Yield::Orientation,
            Yields::Time => Yield::Time,
        });
        Self {
            arm: arm.clone(),
            joints: joints.collect(),
            first_column,
            rotation: pose.rotation,
            delta: pose.delta,
            options,
            servo: yields.and_then(|yields| Servo::new(*arm.arm.chain(), period_s, yields)),
            at: JointVector::zeros(0),
            velocity: JointVector::zeros(0),
            x_base_from: Isometry3::identity(),
        }
    }

    /// The robot's joints that are the arm's.
    pub(super) fn driven(&self) -> impl Iterator<Item = usize> {
        self.joints.iter().map(|joint| joint.index)
    }

    /// Begins a chunk.
    pub(super) fn begin(&mut self, start: &Start) -> Result<(), LowerError> {
        let measured = self.arm.joints(&start.measured);
        self.at = self.arm.joints(&start.commanded);
        self.velocity = self.arm.joints(&start.velocity);
        let from = match self.delta.map(|delta| delta.relative_to) {
            Some(RelativeTo::Measured) => &measured,
            Some(RelativeTo::Commanded) | None => &self.at,
        };
        if !(from.is_finite() && self.at.is_finite() && self.velocity.is_finite()) {
            return Err(LowerError::Start { arm: self.arm.name.clone() });
        }
        self.x_base_from = self.arm.arm.chain().x_base_tool(from);
        Ok(())
    }

    /// Puts the arm's joints for one row of values into `target`.
    pub(super) fn step(
        &mut self,
        step: usize,
        row: &[f64],
        target: &mut Joints,
    ) -> Result<(), LowerError> {
        self.advance(step == 0, row).map_err(|why| LowerError::Pose {
            step,
            arm: self.arm.name.clone(),
            why,
        })?;
        self.arm.place(&self.at, target);
        Ok(())
    }

    fn advance(&mut self, is_first: bool, row: &[f64]) -> Result<(), PoseRefusal> {
        let x_base_tool = self.x_base_tool(row).ok_or(PoseRefusal::NoRotation)?;
        let x_base_reached = if let Some(servo) = &self.servo {
            let wish = Wish::Pose(x_base_tool);
            let step = servo.step(&self.at, &self.velocity, &wish).map_err(PoseRefusal::Held)?;
            if let Some(hold) = step.refused {
                return Err(PoseRefusal::Held(hold));
            }
            (self.at, self.velocity) = (step.joints, step.velocity);
            // Where the tool is, not where it should be: behind a limit the wish would run away from it.
            servo.chain().x_base_tool(&self.at)
        } else {
            self.at = self.meet(&x_base_tool, is_first)?;
            // The pose that was asked for: what the tolerances leave of each step would add up.
            x_base_tool
        };
        if self.delta.is_some_and(|delta| delta.steps == Steps::Cumulative) {
            self.x_base_from = x_base_reached;
        }
        Ok(())
    }

    /// The joints that put the tool there, if they can be there one step from now.
    fn meet(
        &self,
        x_base_tool: &Isometry3<f64>,
        is_first: bool,
    ) -> Result<JointVector, PoseRefusal> {
        let joints = match self.arm.arm.solve(x_base_tool, &self.at, &self.options) {
            Answer::Exact { joints, .. } | Answer::Approximate { joints, .. } => joints,
            Answer::Unreachable { error, .. } => return Err(PoseRefusal::Unreachable { error }),
            Answer::LimitBlocked { joint, by, error, .. } => {
                let joint = self.joints.get(joint).ok_or(PoseRefusal::Unreachable { error })?;
                let by = by * joint.scale.abs();
                return Err(PoseRefusal::LimitBlocked { joint: joint.name.clone(), by });
            }
            Answer::Held(hold) => return Err(PoseRefusal::Held(hold)),
        };
        self.refuse_jump(is_first, &joints)?;
        Ok(joints)
    }

    /// The pose that a row of values means.
    fn x_base_tool(&self, row: &[f64]) -> Option<Isometry3<f64>> {
        let (position, rotation) = row.get(self.first_column..)?.split_at_checked(3)?;
        let rotation = self.rotation.decode(rotation.get(..self.rotation.names().len())?)?;
        let &[x, y, z] = position else { return None };
        let told = Isometry3::from_parts(Translation3::new(x, y, z), rotation);
        let from = &self.x_base_from;
        Some(match self.delta.map(|delta| delta.frame) {
            None => told,
            Some(Frame::Tool) => from * told,
            Some(Frame::Base) => Isometry3::from_parts(
                Translation3::from(from.translation.vector + told.translation.vector),
                told.rotation * from.rotation,
            ),
        })
    }

    fn refuse_jump(&self, is_first: bool, joints: &JointVector) -> Result<(), PoseRefusal> {
        let moves = self.joints.iter().zip(joints.iter().zip(self.at.iter()));
        let moves = moves.map(|(joint, (to, from))| {
            let most = if is_first { joint.first_max } else { joint.step_max };
            (joint, (to - from).abs() * joint.scale.abs(), most)
        });
        let worst =
            moves.max_by(|(_, a, a_most), (_, b, b_most)| (a / a_most).total_cmp(&(b / b_most)));
        match worst {
            Some((joint, by, most)) if by > most + SLACK => Err(PoseRefusal::Jump {
                joint: joint.name.clone(),
                by,
                most,
                other_branch: self.arm.arm.branch(joints) != self.arm.arm.branch(&self.at),
            }),
            _ => Ok(()),
        }
    }
}
