//! The inverse of any chain, by descent: bounded Levenberg-Marquardt from many starts.
//!
//! The step of an iteration is the exact minimum of the local model inside the joint limits ([`qp`]), so a descent slides
//! along a limit where clamped iterates stop at it. The damping is proportional to the squared error (Yamashita and
//! Fukushima 2001): convergence stays quadratic, at singularities too. Where the pose is out of reach, the model takes
//! the curvature of the error in, without which a straight arm creeps towards its nearest pose.

mod descent;
pub(crate) mod qp;
#[cfg(test)]
mod tests;

use crate::{
    answer::PoseError,
    chain::Chain,
    math::{Frame, Math},
    vector::{JointVector, MAX_JOINTS},
};
use descent::{Descent, End};

/// What a search is after.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    /// Reached is at most this far off, m.
    pub(crate) exact_m: f64,
    /// And turned by at most this, rad.
    pub(crate) exact_rad: f64,
    /// What a radian counts against a metre, m.
    pub(crate) lever_m: f64,
    /// Redundant arms: where to drift once the pose is reached.
    pub(crate) posture: Option<JointVector>,
}

impl Goal {
    pub(crate) fn met(&self, error: &PoseError) -> bool {
        error.within(self.exact_m, self.exact_rad)
    }
}

/// Where a descent came to rest: inside the limits, always.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) joints: JointVector,
    pub(crate) error: PoseError,
}

/// The nearest pose that one descent from `start` finds. `work` is how many evaluations of the chain are left.
///
/// A start that is outside the limits, or not finite, is moved inside first.
#[inline(always)]
pub(crate) fn refine<M: Math>(
    chain: &Chain,
    target: &Frame,
    start: &JointVector,
    goal: &Goal,
    work: &mut u32,
) -> Reach {
    match chain.len() {
        6 => refine_sized::<M, 6>(chain, target, start, goal, work),
        7 => refine_sized::<M, 7>(chain, target, start, goal, work),
        _ => refine_sized::<M, MAX_JOINTS>(chain, target, start, goal, work),
    }
}

#[inline(always)]
fn refine_sized<M: Math, const N: usize>(
    chain: &Chain,
    target: &Frame,
    start: &JointVector,
    goal: &Goal,
    work: &mut u32,
) -> Reach {
    let mut descent = Descent::<N>::start::<M>(chain, target, start, goal, work);
    descent.run::<M>(chain, target, goal, false, work);
    descent.prefer_posture::<M>(chain, target, goal, work);
    descent.reach()
}

/// The best of descents from `starts`, then from a fixed sequence of restarts, until the goal is met or `work` is done.
#[inline(always)]
pub(crate) fn search<M: Math>(
    chain: &Chain,
    target: &Frame,
    starts: &[JointVector],
    goal: &Goal,
    work: &mut u32,
) -> Reach {
    match chain.len() {
        6 => search_sized::<M, 6>(chain, target, starts, goal, work),
        7 => search_sized::<M, 7>(chain, target, starts, goal, work),
        _ => search_sized::<M, MAX_JOINTS>(chain, target, starts, goal, work),
    }
}

#[inline(always)]
fn search_sized<M: Math, const N: usize>(
    chain: &Chain,
    target: &Frame,
    starts: &[JointVector],
    goal: &Goal,
    work: &mut u32,
) -> Reach {
    let mut restarts: Option<Restarts> = None;
    let mut best: Option<Descent<N>> = None;
    let mut round = 0;
    // Enough is kept to bring the best descent to its end.
    let reserve = (*work / 8).min(40);
    while best.is_none() || *work > reserve {
        let start = match starts.get(round) {
            Some(start) => *start,
            None => restarts
                .get_or_insert_with(|| Restarts::new(chain.len()))
                .next::<M>(chain, target, goal, work),
        };
        round += 1;
        let mut descent = Descent::<N>::start::<M>(chain, target, &start, goal, work);
        let end = descent.run::<M>(chain, target, goal, true, work);
        if end == End::Met {
            best = Some(descent);
            break;
        }
        match &best {
            Some(b) if b.cost <= descent.cost => {}
            _ => best = Some(descent),
        }
    }
    let Some(mut best) = best else {
        return refine_sized::<M, N>(chain, target, &JointVector::zeros(chain.len()), goal, work);
    };
    best.run::<M>(chain, target, goal, false, work);
    best.prefer_posture::<M>(chain, target, goal, work);
    best.reach()
}

/// Joints spread evenly over the limits, the same on every call: the additive sequence `R_d` (M. Roberts, "The
/// unreasonable effectiveness of quasirandom sequences", 2018), a Kronecker sequence on the generalised golden ratio.
struct Restarts {
    step: [f64; MAX_JOINTS],
    at: [f64; MAX_JOINTS],
}

impl Restarts {
    /// How many places are looked at for one descent.
    const TRIES: usize = 4;

    fn new(len: usize) -> Self {
        // The root of g^(len + 1) = g + 1 above 1.
        let power = i32::try_from(len).unwrap_or(1) + 1;
        let mut g: f64 = 2.0;
        for _ in 0..32 {
            let p = g.powi(power);
            g -= (p - g - 1.0) / (f64::from(power) * p / g - 1.0);
        }
        let mut step = [0.0; MAX_JOINTS];
        let mut value = 1.0;
        for slot in &mut step {
            value /= g;
            *slot = value;
        }
        Self { step, at: [0.5; MAX_JOINTS] }
    }

    /// The next place to start from: the nearest to the target of a few.
    #[inline(always)]
    fn next<M: Math>(
        &mut self,
        chain: &Chain,
        target: &Frame,
        goal: &Goal,
        work: &mut u32,
    ) -> JointVector {
        let mut best = (f64::INFINITY, JointVector::zeros(chain.len()));
        for _ in 0..Self::TRIES {
            let mut joints = JointVector::zeros(chain.len());
            for (k, joint) in joints.iter_mut().enumerate() {
                self.at[k] = (self.at[k] + self.step[k]).fract();
                let span = chain.position_max[k] - chain.position_min[k];
                *joint = chain.position_min[k] + span * self.at[k];
            }
            *work = work.saturating_sub(1);
            let (dp, dr) = crate::math::pose_error::<M>(&chain.frame::<M>(&joints), target);
            let cost = PoseError::of(&dp, &dr).cost_m(goal.lever_m);
            if cost < best.0 {
                best = (cost, joints);
            }
        }
        best.1
    }
}
