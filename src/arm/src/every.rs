//! Every solution of a pose.

use core::f64::consts::TAU;

use crate::{
    answer::{Branch, Search},
    chain::Chain,
    closed::{Closed, Found, Task, distance},
    dispatch,
    inverse::{Options, Solution, Solutions},
    math::{Frame, Math},
    nearest::{LOOKS, settled, six, vector},
    sweep::{Sweep, sweep},
    vector::{JointVector, MAX_JOINTS},
};

/// Of an arm with a closed form: all eight ways, the roots near singularities, and the turns of each that the limits
/// allow.
#[inline(always)]
pub(crate) fn closed<M: Math>(
    chain: &Chain,
    arm: &Closed,
    target: &Frame,
    start: &JointVector,
    options: &Options,
    solutions: &mut Solutions,
) {
    let task = &arm.task::<M>(target, start, options);
    let candidates = arm.candidates::<M>(task);
    let mut work = options.work_max.saturating_mul(LOOKS);
    let halves = [
        arm.polish_half::<M>(task, &candidates, 0, &mut work),
        arm.polish_half::<M>(task, &candidates, 1, &mut work),
    ];
    let mut telling = Telling { chain, arm, task, options, work, solutions };
    let mut swept = 0_u32;
    for index in 0..8 {
        if candidates.beyond[index] || swept >> index & 1 == 1 {
            continue;
        }
        let mut near = candidates.near[index];
        if near.is_none() {
            let mut found = halves[index >> 2][index & 3];
            if !task.accepts(&found.error) {
                found = dispatch::polish(arm, task, &candidates.joints(index), &mut telling.work);
            }
            if task.accepts(&found.error) {
                telling.tell::<M>(&found, candidates.branch(index));
            } else {
                near = Some(candidates.nearest(index).0);
            }
        }
        if let Some(still) = near {
            swept |= 1 << candidates.twin(index, still);
            let along = Sweep { still, index, from: candidates.joints(index), nearest: false };
            let roots = sweep(arm, task, along, &mut telling.work);
            for root in roots.as_slice() {
                telling.tell::<M>(root, None);
            }
        }
    }
    if swept != 0 {
        telling.tell_at_least_one::<M>();
    }
    if telling.work == 0 {
        telling.solutions.search = Search::Capped;
    }
    other_turns(arm, telling.solutions);
    telling.solutions.sort(&task.start);
}

/// All that it takes to tell of a solution.
struct Telling<'a> {
    chain: &'a Chain,
    arm: &'a Closed,
    task: &'a Task,
    options: &'a Options,
    /// Looks that are left.
    work: u32,
    solutions: &'a mut Solutions,
}

impl Telling<'_> {
    /// In the turn that is nearest to the start, or that the limits allow least little.
    #[inline(always)]
    fn tell<M: Math>(&mut self, found: &Found, branch: Option<u8>) {
        let Self { arm, task, .. } = *self;
        let inside = arm.inside::<M>(task, found);
        let outside = if inside.is_some() { None } else { arm.outside(&found.joints) };
        let mut found = inside.unwrap_or(*found);
        if outside.is_none() && !task.exact(&found.error) {
            found = settled(self.chain, task, &found, self.options, &mut self.work);
        }
        let Found { joints, error } = found;
        let branch = Branch(branch.unwrap_or_else(|| arm.ideal.branch::<M>(&joints)));
        self.solutions.push(Solution { joints: vector(&joints), branch, error, outside });
    }

    /// Near two singularities at once there may be no joint that, standing, makes all others follow.
    #[inline(always)]
    fn tell_at_least_one<M: Math>(&mut self) {
        if self.solutions.as_slice().iter().any(|solution| solution.outside.is_none()) {
            return;
        }
        let mut work = self.options.work_max.min(self.work / LOOKS);
        let start = vector(&self.task.start);
        let goal = self.options.goal();
        let reach = dispatch::search(self.chain, &self.task.target, &[start], &goal, &mut work);
        if self.task.accepts(&reach.error) {
            let found = Found { joints: six(&reach.joints), error: reach.error };
            self.tell::<M>(&found, None);
        }
    }
}

/// The other turns of all solutions that the limits allow, as long as there is room.
fn other_turns(arm: &Closed, solutions: &mut Solutions) {
    if (0..6).all(|k| arm.high[k] - arm.low[k] < TAU) {
        return;
    }
    for index in 0..solutions.as_slice().len() {
        let solution = solutions.as_slice()[index];
        if solution.outside.is_some() {
            continue;
        }
        // From the lowest turn of each joint upward, like the digits of a number.
        let mut lowest = six(&solution.joints);
        for k in 0..6 {
            lowest[k] -= ((lowest[k] - arm.low[k]) / TAU).floor() * TAU;
        }
        let mut q = lowest;
        loop {
            let joints = vector(&q);
            let same = distance(&joints, &solution.joints) < 1.0;
            if !same && !solutions.push(Solution { joints, ..solution }) {
                return;
            }
            let Some(k) = (0..6).find(|&k| q[k] + TAU <= arm.high[k]) else { break };
            q[..k].copy_from_slice(&lowest[..k]);
            q[k] += TAU;
        }
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
