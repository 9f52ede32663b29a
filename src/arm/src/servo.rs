//! Motion by velocity, one tick at a time: jogging, and tools that follow a pose or a twist.
//!
//! Every tick is a box-constrained least-squares problem: the joint step that follows the wish best, among those that keep
//! each joint inside its limits of position, speed and acceleration, now and, braking, ever after ([`bounds`]). The
//! problem is solved on the exact chain by a few quadratic programmes ([`follow`]), so a tool path has no drift.

mod bounds;
mod follow;

use nalgebra::{Isometry3, UnitQuaternion, Vector3};

use crate::{
    answer::{Hold, PoseError},
    chain::Chain,
    dispatch,
    math::Frame,
    vector::JointVector,
};
pub use bounds::Bound;
pub(crate) use bounds::Bounds;
pub(crate) use follow::{Followed, Task, follow};

/// What gives way where the joints' limits, or a singularity, do not let the tool follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yield {
    /// The orientation first; the tool's origin is slowed down only when it could not be kept otherwise.
    Orientation,
    /// Time: the whole motion slows down, as far as to rest, and keeps its direction.
    Time,
}

/// Whose axes a twist is told in. Its origin is the tool's in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// The base's.
    Base,
    /// The tool's, as it is at the start of the tick.
    Tool,
}

/// What is wished of the next tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wish {
    /// The velocity of the tool.
    Twist {
        /// Of its origin, m/s.
        linear_m_s: Vector3<f64>,
        /// Its angular velocity, rad/s.
        angular_rad_s: Vector3<f64>,
        /// Whose axes both are told in.
        axes: Axes,
    },
    /// The pose of the tool at the end of the tick, `x_base_tool`.
    Pose(Isometry3<f64>),
    /// The velocity of each joint, rad/s or m/s.
    Joints(JointVector),
}

/// One tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Positions at its end, rad or m.
    pub joints: JointVector,
    /// Velocities during it, rad/s or m/s.
    pub velocity: JointVector,
    /// The part of the wished motion that is made, 0 to 1; 1 where only the orientation gives way.
    pub scale: f64,
    /// How far the tool is from where the wish would have it at the end of the tick. Of [`Wish::Joints`]: none.
    pub error: PoseError,
    /// The first joint that is at a bound, and which, where the wish is not followed.
    pub limited: Option<(usize, Bound)>,
    /// The wish made no sense, and the arm brakes.
    pub refused: Option<Hold>,
}

/// An arm that is moved tick by tick. It has no state: where the arm is and how fast comes with every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Servo {
    pub(crate) chain: Chain,
    pub(crate) period_s: f64,
    pub(crate) yields: Yield,
}

impl Servo {
    /// `None` unless the period is a positive finite number.
    #[must_use]
    pub fn new(chain: Chain, period_s: f64, yields: Yield) -> Option<Self> {
        (period_s > 0.0 && period_s.is_finite()).then_some(Self { chain, period_s, yields })
    }

    /// The exact chain.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The next tick of an arm at `joints`, whose last tick went at `velocity`.
    ///
    /// No limit of position, speed or acceleration is passed, as long as each step starts where the last one ended. From
    /// a state that cannot be, too fast to stop before a limit, position comes before speed before acceleration; outside
    /// a limit, a joint moves only inwards. A wish that is not finite, or of the wrong shape, brakes to rest.
    ///
    /// # Errors
    /// The joints or velocities are not finite, or not as many as the arm's: nothing can be said.
    pub fn step(&self, joints: &[f64], velocity: &[f64], wish: &Wish) -> Result<Step, Hold> {
        let state = |values: &[f64]| {
            let values = JointVector::from_slice(values).filter(|v| v.len() == self.chain.len());
            let values = values.ok_or(Hold::Shape)?;
            if values.is_finite() { Ok(values) } else { Err(Hold::NotFinite) }
        };
        let (joints, velocity) = (state(joints)?, state(velocity)?);
        let bounds = Bounds::of(&self.chain, self.period_s, &joints, &velocity);
        let wish = match wish {
            Wish::Joints(wish) => state(wish).map(|wish| self.jog(&joints, &bounds, &wish)),
            Wish::Pose(x_base_tool) => {
                frame(x_base_tool).map(|x| self.track(&joints, &velocity, &bounds, &Task::Pose(x)))
            }
            Wish::Twist { linear_m_s, angular_rad_s, axes } => {
                let task = Task::Twist {
                    linear: linear_m_s.data.0[0],
                    angular: angular_rad_s.data.0[0],
                    axes: *axes,
                };
                let finite = linear_m_s.iter().chain(angular_rad_s).all(|v| v.abs() < FAR);
                let finite = if finite { Ok(()) } else { Err(Hold::NotFinite) };
                finite.map(|()| self.track(&joints, &velocity, &bounds, &task))
            }
        };
        Ok(wish.unwrap_or_else(|hold| Step {
            refused: Some(hold),
            scale: 0.0,
            ..self.jog(&joints, &bounds, &JointVector::zeros(self.chain.len()))
        }))
    }

    fn jog(&self, joints: &JointVector, bounds: &Bounds, wish: &JointVector) -> Step {
        let mut scale: f64 = 1.0;
        if self.yields == Yield::Time {
            for (k, wish) in wish.iter().enumerate() {
                let bound = if *wish > 0.0 { bounds.high[k] } else { bounds.low[k] };
                if *wish != 0.0 && bound / wish < scale {
                    scale = (bound / wish).max(0.0);
                }
            }
        }
        let mut velocity = *wish;
        velocity.iter_mut().for_each(|value| *value *= scale);
        let mut step = self.made(joints, bounds, &velocity);
        step.scale = scale;
        let short = |k: &usize| (step.velocity[*k] - wish[*k]).abs() > 1e-9 * wish[*k].abs();
        step.limited = (0..wish.len()).find(short).map(|k| {
            let up = wish[k] > step.velocity[k];
            (k, bounds.cause(&self.chain, k, up))
        });
        step
    }

    fn track(
        &self,
        joints: &JointVector,
        velocity: &JointVector,
        bounds: &Bounds,
        task: &Task,
    ) -> Step {
        let followed = dispatch::follow(self, joints, velocity, bounds, task);
        let mut wish = followed.joints;
        for (k, wish) in wish.iter_mut().enumerate() {
            *wish = (*wish - joints[k]) / self.period_s;
        }
        let mut step = self.made(joints, bounds, &wish);
        (step.scale, step.error) = (followed.scale, followed.error);
        if !step.error.within(1e-6, 1e-6) {
            let near =
                |a: f64, b: f64, k: usize| (a - b).abs() <= 1e-9 * self.chain.velocity_max[k];
            step.limited = (0..joints.len()).find_map(|k| {
                let (v, low, high) = (step.velocity[k], bounds.low[k], bounds.high[k]);
                let at = near(v, low, k) || near(v, high, k);
                at.then(|| (k, bounds.cause(&self.chain, k, near(v, high, k))))
            });
        }
        step
    }

    /// A step at `velocity`, which is brought inside the bounds first.
    fn made(&self, joints: &JointVector, bounds: &Bounds, velocity: &JointVector) -> Step {
        let (mut next, mut velocity) = (*joints, *velocity);
        for (k, joint) in next.iter_mut().enumerate() {
            velocity[k] = velocity[k].max(bounds.low[k]).min(bounds.high[k]);
            // A limit is a limit: not a rounding further out than the limit, or than where the joint was already.
            let (low, high) = (self.chain.position_min[k], self.chain.position_max[k]);
            *joint =
                (*joint + velocity[k] * self.period_s).min(high.max(*joint)).max(low.min(*joint));
        }
        let error = PoseError::default();
        Step { joints: next, velocity, scale: 1.0, error, limited: None, refused: None }
    }
}

/// Metres, or metres and radians per second, that are as good as not finite: their squares would drown everything else.
const FAR: f64 = 1e4;

fn frame(x: &Isometry3<f64>) -> Result<Frame, Hold> {
    let norm = x.rotation.norm_squared();
    if !x.translation.vector.iter().all(|v| v.abs() < FAR) || !((norm - 1.0).abs() < 1e-3) {
        return Err(Hold::NotFinite);
    }
    let rotation = UnitQuaternion::new_normalize(*x.rotation);
    Ok(Frame::from_isometry(&Isometry3::from_parts(x.translation, rotation)))
}
