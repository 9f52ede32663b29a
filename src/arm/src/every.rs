//! Every solution of a pose.

use core::f64::consts::TAU;

use crate::{
    answer::{Branch, Search},
    chain::Chain,
    closed::{Closed, Found, Task},
    dispatch,
    inverse::{Options, Solution, Solutions},
    math::{Frame, Math},
    nearest::{LOOKS, vector},
    sweep::Sweep,
    vector::{JointVector, MAX_JOINTS},
};

/// Of an arm with a closed form: all eight ways, the roots near singularities, and the turns of each that the limits
/// allow.
#[inline(always)]
pub(crate) fn closed<M: Math>(
    arm: &Closed,
    target: &Frame,
    start: &JointVector,
    options: &Options,
    solutions: &mut Solutions,
) {
    let task = arm.task::<M>(target, start, options);
    let candidates = arm.candidates::<M>(&task);
    let mut work = options.work_max.saturating_mul(LOOKS);
    let mut swept = 0_u32;
    for index in 0..8 {
        if candidates.beyond[index] || swept >> index & 1 == 1 {
            continue;
        }
        let mut near = candidates.near[index];
        if near.is_none() {
            let found = arm.polish::<M>(&task, &candidates.joints(index), &mut work);
            if task.accepts(&found.error) {
                emit::<M>(arm, &task, &found, solutions);
            } else {
                near = Some(candidates.nearest(index).0);
            }
        }
        if let Some(still) = near {
            swept |= 1 << candidates.twin(index, still);
            let from = candidates.joints(index);
            let roots = dispatch::sweep(arm, &task, Sweep { still, index, from }, &mut work);
            for root in roots.as_slice() {
                emit::<M>(arm, &task, root, solutions);
            }
        }
    }
    if work == 0 {
        solutions.search = Search::Capped;
    }
    solutions.sort(&task.start);
}

/// Every turn of a solution that the limits allow, or the one that they allow least little.
#[inline(always)]
fn emit<M: Math>(arm: &Closed, task: &Task, found: &Found, solutions: &mut Solutions) {
    let branch = Branch(arm.ideal.branch::<M>(&found.joints));
    let Some(found) = arm.inside::<M>(task, found) else {
        let (joints, outside) = (vector(&found.joints), arm.outside(&found.joints));
        solutions.push(Solution { joints, branch, error: found.error, outside });
        return;
    };
    // From the lowest turn of each joint upward, like the digits of a number.
    let mut lowest = found.joints;
    let mut turns = false;
    for k in 0..6 {
        turns |= arm.high[k] - arm.low[k] >= TAU;
        lowest[k] -= ((lowest[k] - arm.low[k]) / TAU).floor() * TAU;
    }
    let solution =
        Solution { joints: vector(&found.joints), branch, error: found.error, outside: None };
    if !turns {
        solutions.push(solution);
        return;
    }
    let mut q = lowest;
    loop {
        if !solutions.push(Solution { joints: vector(&q), ..solution }) {
            return;
        }
        let Some(k) = (0..6).find(|&k| q[k] + TAU <= arm.high[k]) else { return };
        q[..k].copy_from_slice(&lowest[..k]);
        q[k] += TAU;
    }
}

/// Of any arm: what iterations from points spread evenly over the limits come to.
#[inline(always)]
pub(crate) fn numeric<M: Math>(
    chain: &Chain,
    target: &Frame,
    start: &JointVector,
    options: &Options,
    solutions: &mut Solutions,
) {
    const PRIMES: [f64; MAX_JOINTS] =
        [2., 3., 5., 7., 11., 13., 17., 19., 23., 29., 31., 37., 41., 43., 47., 53.];
    let goal = options.goal();
    let mut work = options.work_max;
    let mut from = *start;
    for sample in 0..32 {
        if work == 0 {
            break;
        }
        let reach = dispatch::refine(chain, target, &from, &goal, &mut work);
        let apart = |old: &Solution| {
            let pairs = old.joints.iter().zip(reach.joints.iter());
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let known = solutions.as_slice().iter().any(|old| apart(old) < 1e-3);
        if reach.error.within(options.accept_m, options.accept_rad) && !known {
            let (joints, error) = (reach.joints, reach.error);
            solutions.push(Solution { joints, branch: Branch(0), error, outside: None });
        }
        for (k, value) in from.iter_mut().enumerate() {
            let part = (f64::from(sample + 1) * PRIMES[k].sqrt()).fract();
            *value = chain.position_min[k] + part * (chain.position_max[k] - chain.position_min[k]);
        }
    }
    // An arm without a closed form may have more, and a redundant one always has.
    solutions.search = Search::Capped;
    solutions.sort(start);
}
