//! The joint step that follows a tool.
//!
//! Sequential quadratic programming on the exact chain. Unknowns are the joints at the end of the tick and, where time may
//! yield, the part `s` of the motion that is made; the target at `s` is `s` of the way along the straight line and the
//! one turn from the pose at the start of the tick. Small weights put an order on the wishes: first stay on the line,
//! then make all of it, then move the joints little. Where orientation yields it comes between the last two.

use super::{Axes, Bounds, Servo, Yield};
use crate::{
    answer::PoseError,
    chain::{Chain, Jacobian},
    math::{Frame, Mat3, Math, Vec3, dot, mat_mat, mat_vec, pose_error},
    numeric::qp::BoxQp,
    vector::{JointVector, MAX_JOINTS},
};

/// What a tool is to do in one tick.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    Twist { linear: Vec3, angular: Vec3, axes: Axes },
    Pose(Frame),
}

/// Where it gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Followed {
    pub(crate) joints: JointVector,
    pub(crate) scale: f64,
    pub(crate) error: PoseError,
}

/// Quadratic programmes in one tick: the second already is below a micrometre for steps of a tenth of a radian.
const ROUNDS: usize = 4;
/// On a pose, m and rad: what is missing is made up for in the next tick.
const CLOSE: f64 = 1e-6;
/// On the way of a twist: what is missing adds up, tick by tick.
const CLOSE_TWIST: f64 = 1e-9;

/// What the wishes weigh against a metre off the line.
struct Weights {
    /// A radian, m.
    lever_m: f64,
    /// The part of the motion that is not made, squared.
    whole: f64,
    /// A radian or metre of joint motion, squared.
    still: f64,
}

impl Weights {
    const fn of(yields: Yield) -> Self {
        match yields {
            Yield::Orientation => Self { lever_m: 1e-4, whole: 1e-3, still: 1e-13 },
            Yield::Time => Self { lever_m: 0.2, whole: 1e-6, still: 1e-12 },
        }
    }
}

/// The way of one tick: where the target is at `s`.
#[derive(Clone, Copy)]
struct Line {
    from: Frame,
    linear: Vec3,
    angular: Vec3,
}

impl Line {
    #[inline(always)]
    fn between<M: Math>(from: &Frame, to: &Frame) -> Self {
        let (linear, angular) = pose_error::<M>(from, to);
        Self { from: *from, linear, angular }
    }

    #[inline(always)]
    fn at<M: Math>(&self, s: f64) -> Frame {
        let mut p = self.from.p;
        for (value, linear) in p.iter_mut().zip(self.linear) {
            *value = M::fma(s, linear, *value);
        }
        let turn = turned::<M>(&self.angular.map(|value| s * value));
        Frame { r: mat_mat::<M>(&turn, &self.from.r), p }
    }
}

/// Towards the end of the task, inside the bounds.
#[inline(always)]
pub(crate) fn follow<M: Math>(
    servo: &Servo,
    joints: &JointVector,
    velocity: &JointVector,
    bounds: &Bounds,
    task: &Task,
) -> Followed {
    // One unknown more than joints.
    match servo.chain.len() {
        6 => follow_sized::<M, 7>(servo, joints, velocity, bounds, task),
        7 => follow_sized::<M, 8>(servo, joints, velocity, bounds, task),
        _ => follow_sized::<M, { MAX_JOINTS + 1 }>(servo, joints, velocity, bounds, task),
    }
}

#[inline(always)]
fn follow_sized<M: Math, const N: usize>(
    servo: &Servo,
    start: &JointVector,
    velocity: &JointVector,
    bounds: &Bounds,
    task: &Task,
) -> Followed {
    let chain: &Chain = &servo.chain;
    let n = if N == MAX_JOINTS + 1 { chain.len() } else { N - 1 };
    let weights = Weights::of(servo.yields);
    let period_s = servo.period_s;
    let (to, mut line) = match task {
        Task::Pose(to) => (*to, None),
        Task::Twist { linear, angular, axes } => {
            let from = chain.frame::<M>(start);
            let in_base = |v: &Vec3| {
                let v = if *axes == Axes::Tool { mat_vec::<M>(&from.r, v) } else { *v };
                v.map(|value| value * period_s)
            };
            let line = Line { from, linear: in_base(linear), angular: in_base(angular) };
            (line.at::<M>(1.0), Some(line))
        }
    };
    // A pose has its time; where orientation yields, that is kept.
    let close = if line.is_some() { CLOSE_TWIST } else { CLOSE };
    let scalable = line.is_some() || servo.yields == Yield::Time;
    // The first guess goes on as before, which on a smooth path is nearly right; an arm that creeps is at rest.
    let creeps = velocity.iter().all(|value| value.abs() * period_s < 10.0 * CLOSE);
    let mut joints = *start;
    for (k, joint) in joints.iter_mut().enumerate() {
        let guess = if creeps { 0.0 } else { velocity[k] };
        *joint += period_s * guess.max(bounds.low[k]).min(bounds.high[k]);
    }
    let mut scale = 1.0;
    for round in 0..ROUNDS {
        let (frame, jacobian) = chain.frame_and_jacobian::<M>(&joints);
        let target = match &line {
            Some(line) if scale < 1.0 => line.at::<M>(scale),
            _ => to,
        };
        let (dp, dr) = pose_error::<M>(&frame, &target);
        let error = PoseError::of(&dp, &dr);
        // A redundant arm is on the pose however its joints turn on, so its motion must be asked about too.
        if scale == 1.0 && error.within(close, close) && (n <= 6 || round > 0) {
            return Followed { joints, scale, error };
        }
        let mut qp = model::<M, N>(n, &jacobian, &dp, &dr, weights.lever_m);
        for k in 0..n {
            let moved = joints[k] - start[k];
            qp.h[k][k] += weights.still;
            qp.g[k] = M::fma(-weights.still, moved, qp.g[k]);
            qp.low[k] = M::fma(period_s, bounds.low[k], -moved);
            qp.high[k] = M::fma(period_s, bounds.high[k], -moved);
        }
        let mut step = if scalable && scale < 1.0 { None } else { qp.solve::<M>(n) };
        if scalable {
            let cost = error.cost_m(weights.lever_m).powi(2);
            // Where all of the motion can be made, no part of it is the question.
            let whole = step.is_some_and(|d| cost - 2.0 * qp.gain::<M>(n, &d) < 1e-6 * cost);
            if !whole {
                let line =
                    line.get_or_insert_with(|| Line::between::<M>(&chain.frame::<M>(start), &to));
                scaled::<M, N>(n, &mut qp, &jacobian, (&dp, &dr), line, &weights, scale);
                step = qp.solve::<M>(n + 1);
            }
        }
        // Joints that are out of this world: no motion, as far as the bounds let it end.
        let Some(step) = step.filter(|step| step.iter().all(|value| value.is_finite())) else {
            (joints, scale) = (*start, 0.0);
            break;
        };
        let mut most = step[n].abs();
        for (k, joint) in joints.iter_mut().enumerate() {
            *joint += step[k];
            most = most.max(step[k].abs());
        }
        scale = (scale + step[n]).clamp(0.0, 1.0);
        if most < close {
            break;
        }
    }
    let (dp, dr) = pose_error::<M>(&chain.frame::<M>(&joints), &to);
    Followed { joints, scale, error: PoseError::of(&dp, &dr) }
}

/// Half the squared error of the tool, linearised.
#[inline(always)]
fn model<M: Math, const N: usize>(
    n: usize,
    jacobian: &Jacobian,
    dp: &Vec3,
    dr: &Vec3,
    lever_m: f64,
) -> BoxQp<N> {
    let mut qp = BoxQp::EMPTY;
    let l2 = lever_m * lever_m;
    for i in 0..n {
        let (v, w) = split(&jacobian[i]);
        for k in 0..=i {
            let (v_k, w_k) = split(&jacobian[k]);
            qp.h[i][k] = M::fma(l2, dot::<M>(&w, &w_k), dot::<M>(&v, &v_k));
        }
        qp.g[i] = M::fma(l2, dot::<M>(&w, dr), dot::<M>(&v, dp));
    }
    qp
}

/// Adds the part of the motion that is made as the last unknown.
#[inline(always)]
fn scaled<M: Math, const N: usize>(
    n: usize,
    qp: &mut BoxQp<N>,
    jacobian: &Jacobian,
    (dp, dr): (&Vec3, &Vec3),
    line: &Line,
    weights: &Weights,
    scale: f64,
) {
    let l2 = weights.lever_m * weights.lever_m;
    let along =
        |v: &Vec3, w: &Vec3| M::fma(l2, dot::<M>(w, &line.angular), dot::<M>(v, &line.linear));
    for k in 0..n {
        let (v, w) = split(&jacobian[k]);
        qp.h[n][k] = -along(&v, &w);
    }
    let square = along(&line.linear, &line.angular);
    // A wish to rest is followed at any part; the summand keeps the problem definite.
    qp.h[n][n] = M::fma(weights.whole, square, square) + 1e-24;
    qp.g[n] = M::fma(weights.whole * square, 1.0 - scale, -along(dp, dr));
    (qp.low[n], qp.high[n]) = (-scale, 1.0 - scale);
}

#[inline(always)]
fn split(column: &[f64; 6]) -> (Vec3, Vec3) {
    ([column[0], column[1], column[2]], [column[3], column[4], column[5]])
}

/// The turn of a rotation vector (Rodrigues).
#[inline(always)]
fn turned<M: Math>(v: &Vec3) -> Mat3 {
    let square = dot::<M>(v, v);
    let angle = square.sqrt();
    let (a, b) = if angle < 1e-4 {
        (1.0 - square / 6.0, 0.5 - square / 24.0)
    } else {
        let (sin, cos) = angle.sin_cos();
        (sin / angle, (1.0 - cos) / square)
    };
    let [x, y, z] = *v;
    let skew = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]];
    let mut r = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..3 {
            let same = if i == j { M::fma(-b, square, 1.0) } else { 0.0 };
            r[i][j] = M::fma(b * v[i], v[j], M::fma(a, skew[i][j], same));
        }
    }
    r
}
