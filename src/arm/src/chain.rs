//! The exact chain: every figure of the description and of its calibration, folded so that each joint acts on z.

use nalgebra::{Isometry3, Translation3, Unit, UnitQuaternion, Vector3};

use crate::{
    answer::PoseError,
    math::{Frame, Math, Plain, Vec3, cross, pose_error, sub},
    vector::{JointVector, MAX_JOINTS},
};

/// What a joint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Turns about its axis; rad.
    Revolute,
    /// Slides along its axis; m.
    Prismatic,
}

/// Where a joint's value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// It can be chosen: the next number of the joint vector.
    Free,
    /// It follows a joint that can be chosen: `multiplier * joints[of] + offset` (a URDF's mimic).
    Mimic {
        /// Which number of the joint vector.
        of: usize,
        /// Factor.
        multiplier: f64,
        /// Summand.
        offset: f64,
    },
}

/// One joint of a description, from base to tool. Fixed joints are part of `x_before_joint`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Joint {
    /// What it does.
    pub kind: Kind,
    /// Its frame at zero, in the frame after the joint before it (the base for the first).
    pub x_before_joint: Isometry3<f64>,
    /// Its axis in its own frame; any length but zero.
    pub axis: Vector3<f64>,
    /// Where its value comes from.
    pub value: Value,
    /// Lowest position, rad or m. Of a mimic joint no limit is read.
    pub position_min: f64,
    /// Highest position, rad or m.
    pub position_max: f64,
    /// Largest speed, rad/s or m/s.
    pub velocity_max: f64,
    /// Largest acceleration, rad/s^2 or m/s^2.
    pub acceleration_max: f64,
}

/// Why joints make no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainError {
    /// No joint that can be chosen.
    Empty,
    /// More than [`MAX_JOINTS`] joints.
    TooMany,
    /// A figure of this joint is not finite.
    NotFinite(usize),
    /// The axis of this joint has no direction.
    Axis(usize),
    /// The limits of this joint leave nothing between them, or a speed or acceleration is not positive.
    Limits(usize),
    /// This joint mimics one that cannot be chosen.
    Mimic(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Link {
    /// From the frame after the joint before, to this joint's frame with its axis on z.
    pub(crate) c: Frame,
    pub(crate) kind: Kind,
    pub(crate) of: usize,
    pub(crate) multiplier: f64,
    pub(crate) offset: f64,
}

/// A serial arm, exactly as described. `Copy`: a few kilobytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// Physical joints, mimics included.
    count: usize,
    pub(crate) links: [Link; MAX_JOINTS],
    /// From the frame after the last joint to the tool.
    pub(crate) tool: Frame,
    len: usize,
    pub(crate) position_min: [f64; MAX_JOINTS],
    pub(crate) position_max: [f64; MAX_JOINTS],
    pub(crate) velocity_max: [f64; MAX_JOINTS],
    pub(crate) acceleration_max: [f64; MAX_JOINTS],
}

/// Columns of a geometric Jacobian in the base frame: linear velocity of the tool's origin, then angular velocity.
pub type Jacobian = [[f64; 6]; MAX_JOINTS];

impl Chain {
    /// Folds joints into a chain. `x_last_tool` is the tool in the frame after the last joint.
    ///
    /// # Errors
    /// The first joint that makes no sense.
    pub fn build(joints: &[Joint], x_last_tool: &Isometry3<f64>) -> Result<Self, ChainError> {
        if joints.len() > MAX_JOINTS {
            return Err(ChainError::TooMany);
        }
        let free =
            |index: &usize| *index < joints.iter().filter(|j| j.value == Value::Free).count();
        let link =
            Link { c: Frame::IDENTITY, kind: Kind::Revolute, of: 0, multiplier: 1.0, offset: 0.0 };
        let mut chain = Self {
            count: joints.len(),
            links: [link; MAX_JOINTS],
            tool: Frame::IDENTITY,
            len: 0,
            position_min: [0.0; MAX_JOINTS],
            position_max: [0.0; MAX_JOINTS],
            velocity_max: [1.0; MAX_JOINTS],
            acceleration_max: [1.0; MAX_JOINTS],
        };
        let mut unfold = UnitQuaternion::identity();
        for (index, joint) in joints.iter().enumerate() {
            if !is_finite(&joint.x_before_joint) || !joint.axis.iter().all(|v| v.is_finite()) {
                return Err(ChainError::NotFinite(index));
            }
            let axis = Unit::try_new(joint.axis, 1e-9).ok_or(ChainError::Axis(index))?;
            let fold = onto(&axis);
            let x = Isometry3::from_parts(Translation3::identity(), unfold)
                * joint.x_before_joint
                * Isometry3::from_parts(Translation3::identity(), fold);
            unfold = fold.inverse();
            let link = &mut chain.links[index];
            (link.c, link.kind) = (Frame::from_isometry(&x), joint.kind);
            match joint.value {
                Value::Free => {
                    let limits = [
                        joint.position_min,
                        joint.position_max,
                        joint.velocity_max,
                        joint.acceleration_max,
                    ];
                    if !limits.iter().all(|v| v.is_finite()) {
                        return Err(ChainError::NotFinite(index));
                    }
                    let moves = joint.velocity_max > 0.0 && joint.acceleration_max > 0.0;
                    if joint.position_min >= joint.position_max || !moves {
                        return Err(ChainError::Limits(index));
                    }
                    link.of = chain.len;
                    chain.position_min[chain.len] = joint.position_min;
                    chain.position_max[chain.len] = joint.position_max;
                    chain.velocity_max[chain.len] = joint.velocity_max;
                    chain.acceleration_max[chain.len] = joint.acceleration_max;
                    chain.len += 1;
                }
                Value::Mimic { of, multiplier, offset } => {
                    if !(multiplier.is_finite() && offset.is_finite()) {
                        return Err(ChainError::NotFinite(index));
                    }
                    if !free(&of) {
                        return Err(ChainError::Mimic(index));
                    }
                    (link.of, link.multiplier, link.offset) = (of, multiplier, offset);
                }
            }
        }
        if chain.len == 0 {
            return Err(ChainError::Empty);
        }
        if !is_finite(x_last_tool) {
            return Err(ChainError::NotFinite(joints.len()));
        }
        let tool = Isometry3::from_parts(Translation3::identity(), unfold) * x_last_tool;
        chain.tool = Frame::from_isometry(&tool);
        Ok(chain)
    }

    /// How many joints can be chosen.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Never: a chain has a joint.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lowest and highest position of each joint.
    #[must_use]
    pub fn limits(&self) -> (JointVector, JointVector) {
        let of = |values: &[f64]| JointVector::from_slice(&values[..self.len]);
        let zeros = JointVector::zeros(self.len);
        (of(&self.position_min).unwrap_or(zeros), of(&self.position_max).unwrap_or(zeros))
    }

    /// Physical joints, mimics included, in order.
    pub(crate) fn links(&self) -> &[Link] {
        &self.links[..self.count]
    }

    /// The same arm with another tool.
    #[must_use]
    pub fn with_tool(mut self, x_tool_new: &Isometry3<f64>) -> Self {
        self.tool = self.tool.then::<Plain>(&Frame::from_isometry(x_tool_new));
        self
    }

    /// Whether all joints are inside their limits, `slack` (rad or m) allowed.
    #[must_use]
    pub fn holds(&self, joints: &[f64], slack: f64) -> bool {
        joints.len() == self.len
            && joints.iter().enumerate().all(|(k, value)| {
                *value >= self.position_min[k] - slack && *value <= self.position_max[k] + slack
            })
    }

    /// The tool in the base frame. Missing joints count as zero; NaN in, NaN out.
    #[must_use]
    pub fn x_base_tool(&self, joints: &[f64]) -> Isometry3<f64> {
        self.frame::<Plain>(joints).to_isometry()
    }

    /// Position and angle between the tool at `joints` and `x_base_tool`.
    #[must_use]
    pub fn error(&self, joints: &[f64], x_base_tool: &Isometry3<f64>) -> PoseError {
        let (dp, dr) =
            pose_error::<Plain>(&self.frame::<Plain>(joints), &Frame::from_isometry(x_base_tool));
        PoseError::of(&dp, &dr)
    }

    #[inline(always)]
    pub(crate) fn frame<M: Math>(&self, joints: &[f64]) -> Frame {
        let mut x = Frame::IDENTITY;
        for link in self.links() {
            x = x.then::<M>(&link.c);
            link.act::<M>(&mut x, joints);
        }
        x.then::<M>(&self.tool)
    }

    /// The tool in the base frame, and the geometric Jacobian.
    #[must_use]
    pub fn jacobian(&self, joints: &[f64]) -> (Isometry3<f64>, Jacobian) {
        let (frame, jacobian) = self.frame_and_jacobian::<Plain>(joints);
        (frame.to_isometry(), jacobian)
    }

    /// The tool, and of each physical joint the direction of its axis and a point on it.
    #[inline(always)]
    pub(crate) fn frame_and_axes<M: Math>(
        &self,
        joints: &[f64],
    ) -> (Frame, [(Vec3, Vec3); MAX_JOINTS]) {
        let mut x = Frame::IDENTITY;
        let mut axes: [(Vec3, Vec3); MAX_JOINTS] = [([0.0; 3], [0.0; 3]); MAX_JOINTS];
        for (link, axis) in self.links().iter().zip(&mut axes) {
            x = x.then::<M>(&link.c);
            *axis = ([x.r[0][2], x.r[1][2], x.r[2][2]], x.p);
            link.act::<M>(&mut x, joints);
        }
        (x.then::<M>(&self.tool), axes)
    }

    #[inline(always)]
    pub(crate) fn frame_and_jacobian<M: Math>(&self, joints: &[f64]) -> (Frame, Jacobian) {
        let (x, axes) = self.frame_and_axes::<M>(joints);
        let mut jacobian = [[0.0; 6]; MAX_JOINTS];
        for (link, (z, p)) in self.links().iter().zip(&axes) {
            let column = &mut jacobian[link.of];
            match link.kind {
                Kind::Revolute => {
                    let v = cross::<M>(z, &sub(&x.p, p));
                    for k in 0..3 {
                        column[k] = M::fma(v[k], link.multiplier, column[k]);
                        column[k + 3] = M::fma(z[k], link.multiplier, column[k + 3]);
                    }
                }
                Kind::Prismatic => {
                    for k in 0..3 {
                        column[k] = M::fma(z[k], link.multiplier, column[k]);
                    }
                }
            }
        }
        (x, jacobian)
    }
}

impl Link {
    #[inline(always)]
    fn act<M: Math>(&self, x: &mut Frame, joints: &[f64]) {
        let value =
            M::fma(self.multiplier, joints.get(self.of).copied().unwrap_or_default(), self.offset);
        match self.kind {
            Kind::Revolute => {
                let (sin, cos) = value.sin_cos();
                x.turn_z::<M>(sin, cos);
            }
            Kind::Prismatic => x.slide_z::<M>(value),
        }
    }
}

fn is_finite(x: &Isometry3<f64>) -> bool {
    let q = x.rotation.coords;
    x.translation.vector.iter().chain(q.iter()).all(|value| value.is_finite())
}

/// A rotation that puts z onto `axis`; exactly none if it is there already.
fn onto(axis: &Unit<Vector3<f64>>) -> UnitQuaternion<f64> {
    UnitQuaternion::rotation_between_axis(&Vector3::z_axis(), axis).unwrap_or_else(|| {
        UnitQuaternion::from_axis_angle(&Vector3::x_axis(), core::f64::consts::PI)
    })
}
