//! One descent.

use super::{Goal, Reach, qp::BoxQp};
use crate::{
    answer::PoseError,
    chain::{Chain, Jacobian},
    math::{Frame, Math, Vec3, cross, dot, pose_error},
    vector::JointVector,
};

/// Why a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// On the pose.
    Met,
    /// Nothing near is nearer.
    Rest,
    /// It was not worth its work.
    Abandoned,
    /// The work was used up.
    Spent,
}

/// Damping per squared error at the start, 1/m^2 per (rad or m)^2.
const DAMPING: f64 = 0.1;
/// Damping that always stays: below the square of any singular value that matters, above rounding.
const DAMPING_MIN: f64 = 1e-13;

/// Joints and all that is known of them.
#[derive(Clone, Copy)]
pub(super) struct Descent<const N: usize> {
    joints: JointVector,
    jacobian: Jacobian,
    dp: Vec3,
    dr: Vec3,
    lever_m: f64,
    /// Squared, m^2.
    pub(super) cost: f64,
    damping: f64,
    curved: bool,
}

impl<const N: usize> Descent<N> {
    #[inline(always)]
    fn n(chain: &Chain) -> usize {
        if N == crate::vector::MAX_JOINTS { chain.len() } else { N }
    }

    #[inline(always)]
    pub(super) fn start<M: Math>(
        chain: &Chain,
        target: &Frame,
        start: &JointVector,
        goal: &Goal,
        work: &mut u32,
    ) -> Self {
        let mut joints = JointVector::zeros(chain.len());
        for (k, joint) in joints.iter_mut().enumerate() {
            let (low, high) = (chain.position_min[k], chain.position_max[k]);
            let value = start.get(k).copied().unwrap_or_default();
            *joint = if value.is_finite() { value.clamp(low, high) } else { 0.5 * (low + high) };
        }
        Self::at::<M>(chain, target, joints, goal.lever_m, work)
    }

    #[inline(always)]
    fn at<M: Math>(
        chain: &Chain,
        target: &Frame,
        joints: JointVector,
        lever_m: f64,
        work: &mut u32,
    ) -> Self {
        *work = work.saturating_sub(1);
        let (frame, jacobian) = chain.frame_and_jacobian::<M>(&joints);
        let (dp, dr) = pose_error::<M>(&frame, target);
        let cost = M::fma(lever_m * lever_m, dot::<M>(&dr, &dr), dot::<M>(&dp, &dp));
        Self { joints, jacobian, dp, dr, lever_m, cost, damping: DAMPING, curved: false }
    }

    #[inline(always)]
    pub(super) fn error(&self) -> PoseError {
        PoseError::of(&self.dp, &self.dr)
    }

    #[inline(always)]
    pub(super) fn reach(&self) -> Reach {
        Reach { joints: self.joints, error: self.error() }
    }

    /// Down to rest; `hasty` gives up where the pose is not likely to be reached.
    #[inline(always)]
    pub(super) fn run<M: Math>(
        &mut self,
        chain: &Chain,
        target: &Frame,
        goal: &Goal,
        hasty: bool,
        work: &mut u32,
    ) -> End {
        let n = Self::n(chain);
        let mut slow = 0;
        loop {
            let error = self.error();
            if error.within(1e-3 * goal.exact_m, 1e-3 * goal.exact_rad) {
                return End::Met;
            }
            if *work == 0 {
                return if goal.met(&error) { End::Met } else { End::Spent };
            }
            let mut qp = self.model::<M>(chain);
            if self.curved {
                self.bend::<M>(n, &mut qp);
            }
            let damping = self.damping * self.cost + DAMPING_MIN;
            let mut damped = qp;
            for i in 0..n {
                damped.h[i][i] += damping;
            }
            let Some(step) = damped.solve::<M>(n) else {
                if !self.curved {
                    return End::Rest;
                }
                self.curved = false;
                continue;
            };
            let gain = 2.0 * qp.gain::<M>(n, &step);
            let rest = if hasty { 1e-3 } else { 1e-14 };
            if !(gain > rest * self.cost) && (!hasty || !goal.met(&error)) {
                return if goal.met(&error) { End::Met } else { End::Rest };
            }
            let mut joints = self.joints;
            for (k, joint) in joints.iter_mut().enumerate() {
                *joint = (*joint + step[k]).clamp(chain.position_min[k], chain.position_max[k]);
            }
            let next = Self::at::<M>(chain, target, joints, self.lever_m, work);
            let won = self.cost - next.cost;
            if !(won > 0.0) {
                if goal.met(&error) {
                    return End::Met;
                }
                self.damping *= 8.0;
                self.curved = !self.curved;
                if self.damping > 1e12 {
                    return End::Rest;
                }
                continue;
            }
            let damping = if won > 0.75 * gain {
                self.damping * 0.2
            } else if won < 0.25 * gain {
                self.damping * 3.0
            } else {
                self.damping
            };
            let curved = next.cost > 0.4 * self.cost;
            slow = if next.cost > 0.6 * self.cost { slow + 1 } else { 0 };
            *self = Self { damping, curved, ..next };
            if hasty && slow >= 5 {
                return End::Abandoned;
            }
        }
    }

    /// Gauss and Newton's model of half the squared error.
    #[inline(always)]
    fn model<M: Math>(&self, chain: &Chain) -> BoxQp<N> {
        let n = Self::n(chain);
        let mut qp = BoxQp::EMPTY;
        let mut j = [[0.0; 6]; N];
        let l = self.lever_m;
        for i in 0..n {
            let c = &self.jacobian[i];
            j[i] = [c[0], c[1], c[2], l * c[3], l * c[4], l * c[5]];
        }
        let e =
            [self.dp[0], self.dp[1], self.dp[2], l * self.dr[0], l * self.dr[1], l * self.dr[2]];
        for i in 0..n {
            for k in 0..=i {
                qp.h[i][k] = dot6::<M>(&j[i], &j[k]);
            }
            qp.g[i] = dot6::<M>(&j[i], &e);
            qp.low[i] = chain.position_min[i] - self.joints[i];
            qp.high[i] = chain.position_max[i] - self.joints[i];
        }
        qp
    }

    /// Adds what Gauss and Newton leave out: the curvature of the error itself.
    #[inline(always)]
    fn bend<M: Math>(&self, n: usize, qp: &mut BoxQp<N>) {
        let angle2 = dot::<M>(&self.dr, &self.dr);
        let half = 0.5 * angle2.sqrt();
        // The second coefficient of the inverse Jacobian of the rotation vector; 1/12 at no angle.
        let c = if half < 1e-2 { 1.0 / 12.0 } else { (1.0 - half / half.tan()) / angle2 };
        let l2 = self.lever_m * self.lever_m;
        let column = |i: usize| {
            let c = &self.jacobian[i];
            ([c[0], c[1], c[2]], [c[3], c[4], c[5]])
        };
        for i in 0..n {
            let (v, z) = column(i);
            let rz = cross::<M>(&self.dr, &z);
            for k in 0..=i {
                let (_, z_before) = column(k);
                let position = -dot::<M>(&self.dp, &cross::<M>(&z_before, &v));
                let half_turn = if k == i { 0.0 } else { 0.5 * dot::<M>(&z_before, &rz) };
                let rz_before = cross::<M>(&self.dr, &z_before);
                let turn = half_turn - c * dot::<M>(&rz_before, &rz);
                qp.h[i][k] += M::fma(l2, turn, position);
            }
        }
    }

    /// Drifts towards the posture where the pose leaves freedom, and stays on the pose.
    #[inline(always)]
    pub(super) fn prefer_posture<M: Math>(
        &mut self,
        chain: &Chain,
        target: &Frame,
        goal: &Goal,
        work: &mut u32,
    ) {
        let n = Self::n(chain);
        let Some(posture) = goal.posture.filter(|p| p.len() == n && p.is_finite()) else { return };
        // Between the weakest useful singular value, squared, and rounding.
        const PULL: f64 = 1e-5;
        const STRIDE: f64 = 0.3;
        let away = |joints: &JointVector| -> f64 {
            joints.iter().zip(posture.iter()).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        while goal.met(&self.error()) && *work > 10 {
            let mut qp = self.model::<M>(chain);
            for i in 0..n {
                qp.h[i][i] += PULL;
                qp.g[i] = M::fma(PULL, posture[i] - self.joints[i], qp.g[i]);
                qp.low[i] = qp.low[i].max(-STRIDE);
                qp.high[i] = qp.high[i].min(STRIDE);
            }
            let Some(step) = qp.solve::<M>(n) else { return };
            let mut joints = self.joints;
            for (k, joint) in joints.iter_mut().enumerate() {
                *joint = (*joint + step[k]).clamp(chain.position_min[k], chain.position_max[k]);
            }
            let mut next = Self::at::<M>(chain, target, joints, self.lever_m, work);
            let end = next.run::<M>(chain, target, goal, true, work);
            if end != End::Met || !(away(&next.joints) < away(&self.joints) * (1.0 - 1e-3)) {
                return;
            }
            *self = next;
        }
    }
}

#[inline(always)]
fn dot6<M: Math>(a: &[f64; 6], b: &[f64; 6]) -> f64 {
    let (x, y) = (M::fma(a[0], b[0], a[1] * b[1]), M::fma(a[2], b[2], a[3] * b[3]));
    M::fma(a[4], b[4], M::fma(a[5], b[5], x + y))
}
