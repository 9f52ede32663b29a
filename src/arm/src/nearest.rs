//! The nearest solution of an arm with a closed form.

use crate::{
    answer::{Answer, Branch, Hold, Search},
    chain::Chain,
    closed::{Candidates, Closed, Found, Task},
    dispatch,
    inverse::Options,
    math::{Frame, Math},
    numeric::Goal,
    sweep::{Sweep, sweep},
    vector::JointVector,
};

/// A look at the arm by the closed form takes a third of the time that an evaluation in the numeric search takes, and at
/// most half of the work goes into looks: what they do not find shall still be searched for.
pub(crate) const LOOKS: u32 = 3;

/// Evaluations that may go into bringing an acceptable solution nearer.
const SETTLE: u32 = 60;

/// Joints on the pose and inside the limits.
struct Best {
    found: Found,
    far: f64,
}

#[inline(always)]
pub(crate) fn solve<M: Math>(
    chain: &Chain,
    arm: &Closed,
    target: &Frame,
    start: &JointVector,
    options: &Options,
) -> Answer {
    let task = arm.task::<M>(target, start, options);
    let candidates = arm.candidates::<M>(&task);
    let half = options.work_max / 2;
    let mut work = half.saturating_mul(LOOKS);
    let own = options.keep_branch.then(|| arm.ideal.branch::<M>(&task.start));
    let mut best: Option<Best> = None;
    // The nearest of another branch, while the own one is to be kept.
    let mut other: Option<Best> = None;
    let mut tried = 0_u32;
    while work > 0 {
        let Some(index) = next(&candidates, tried) else { break };
        let done = |best: &Best| best.far <= candidates.far[index] && task.exact(&best.found.error);
        if best.as_ref().is_some_and(done) {
            break;
        }
        tried |= 1 << index;
        let mut near = candidates.near[index];
        if near.is_none() {
            let found = arm.polish::<M>(&task, &candidates.joints(index), &mut work);
            if task.accepts(&found.error) {
                let found = arm.inside::<M>(&task, &found);
                take::<M>(arm, &task, own, found, &mut best, &mut other);
            } else {
                near = Some(candidates.nearest(index).0);
            }
        }
        if let Some(still) = near {
            tried |= 1 << candidates.twin(index, still);
            let from = candidates.joints(index);
            let roots = sweep(arm, &task, Sweep { still, index, from, nearest: true }, &mut work);
            for root in roots.as_slice() {
                let found = arm.inside::<M>(&task, root);
                take::<M>(arm, &task, own, found, &mut best, &mut other);
            }
        }
    }
    match (best, own, other) {
        (Some(best), ..) => answer::<M>(chain, arm, &task, &best.found, options, &mut work),
        (None, Some(from), Some(other)) => {
            let to = Branch(arm.ideal.branch::<M>(&other.found.joints));
            Answer::Held(Hold::BranchChange { from: Branch(from), to })
        }
        _ => {
            let left = options.work_max - half + work / LOOKS;
            dispatch::beyond(chain, arm, &task, &candidates, own, options, left)
        }
    }
}

/// The candidate to try next: the nearest that the limits may allow.
#[inline(always)]
fn next(candidates: &Candidates, tried: u32) -> Option<usize> {
    let mut least = None;
    for index in 0..8 {
        let open =
            tried >> index & 1 == 0 && !candidates.beyond[index] && candidates.excess[index] <= 0.0;
        if open && least.is_none_or(|least: usize| candidates.far[index] < candidates.far[least]) {
            least = Some(index);
        }
    }
    least
}

#[inline(always)]
fn take<M: Math>(
    arm: &Closed,
    task: &Task,
    own: Option<u8>,
    found: Option<Found>,
    best: &mut Option<Best>,
    other: &mut Option<Best>,
) {
    let Some(found) = found else { return };
    let kept = own.is_none_or(|own| own == arm.ideal.branch::<M>(&found.joints));
    let slot = if kept { best } else { other };
    let far = task.far(&found.joints);
    // An exact one before one that is only acceptable.
    let rank = |found: &Found, far: f64| (!task.exact(&found.error), far);
    if slot.as_ref().is_none_or(|old| rank(&found, far) < rank(&old.found, old.far)) {
        *slot = Some(Best { found, far });
    }
}

#[inline(always)]
fn answer<M: Math>(
    chain: &Chain,
    arm: &Closed,
    task: &Task,
    found: &Found,
    options: &Options,
    work: &mut u32,
) -> Answer {
    let Found { joints: q, error } = settled(chain, task, found, options, work);
    let (joints, branch) = (vector(&q), Branch(arm.ideal.branch::<M>(&q)));
    if task.exact(&error) {
        Answer::Exact { joints, branch, error }
    } else {
        Answer::Approximate { joints, branch, error }
    }
}

#[inline(always)]
pub(crate) fn vector(q: &[f64; 6]) -> JointVector {
    let mut joints = JointVector::zeros(6);
    joints.copy_from_slice(q);
    joints
}

/// A solution that is only acceptable, brought nearer. Two may merge, where Newton's steps do not settle; these do.
#[inline(always)]
pub(crate) fn settled(
    chain: &Chain,
    task: &Task,
    found: &Found,
    options: &Options,
    work: &mut u32,
) -> Found {
    if task.exact(&found.error) {
        return *found;
    }
    let mut some = SETTLE.min(*work);
    *work -= some;
    let goal = Goal { posture: None, ..options.goal() };
    let start = vector(&found.joints);
    let reach = dispatch::refine(chain, &task.target, &start, &goal, &mut some);
    if task.cost(&reach.error) < task.cost(&found.error) {
        Found { joints: six(&reach.joints), error: reach.error }
    } else {
        *found
    }
}

/// No candidate holds the pose inside the limits: look everywhere, then tell how near it gets and what is in the way.
#[inline(always)]
pub(crate) fn beyond<M: Math>(
    chain: &Chain,
    arm: &Closed,
    task: &Task,
    candidates: &Candidates,
    own: Option<u8>,
    options: &Options,
    mut work: u32,
) -> Answer {
    let mut blocked: Option<(Found, usize, f64)> = None;
    let mut starts = [vector(&task.start); 9];
    let (mut count, mut swept) = (1, 0_u32);
    for index in 0..8 {
        if candidates.beyond[index] {
            continue;
        }
        let mut q = candidates.joints(index);
        if let Some(still) = candidates.near[index] {
            if swept >> index & 1 == 0 {
                swept |= 1 << candidates.twin(index, still);
                let mut looks = work / 8;
                let along = Sweep { still, index, from: q, nearest: false };
                for root in sweep(arm, task, along, &mut looks).as_slice() {
                    block(arm, root, &mut blocked);
                }
            }
        } else {
            let found = dispatch::polish(arm, task, &q, &mut work);
            if task.accepts(&found.error) {
                block(arm, &found, &mut blocked);
            }
        }
        for k in 0..6 {
            q[k] = q[k].max(arm.low[k]).min(arm.high[k]);
        }
        starts[count] = vector(&q);
        count += 1;
    }
    let goal = Goal { posture: None, ..options.goal() };
    let reach = dispatch::search(chain, &task.target, &starts[..count], &goal, &mut work);
    let search = if work == 0 { Search::Capped } else { Search::Complete };
    let (nearest, error) = (reach.joints, reach.error);
    if task.accepts(&error) {
        let branch = Branch(arm.ideal.branch::<M>(&six(&nearest)));
        return match own {
            Some(from) if from != branch.0 => {
                Answer::Held(Hold::BranchChange { from: Branch(from), to: branch })
            }
            _ if task.exact(&error) => Answer::Exact { joints: nearest, branch, error },
            _ => Answer::Approximate { joints: nearest, branch, error },
        };
    }
    match blocked {
        Some((found, joint, by)) => {
            Answer::LimitBlocked { joint, by, beyond: vector(&found.joints), nearest, error }
        }
        None => Answer::Unreachable { nearest, error, search },
    }
}

/// Keeps the solution that is least outside the limits.
fn block(arm: &Closed, found: &Found, blocked: &mut Option<(Found, usize, f64)>) {
    if let Some((joint, by)) = arm.outside(&found.joints)
        && blocked.is_none_or(|(_, _, least)| by < least)
    {
        *blocked = Some((*found, joint, by));
    }
}

pub(crate) fn six(joints: &[f64]) -> [f64; 6] {
    let mut q = [0.0; 6];
    for (value, joint) in q.iter_mut().zip(joints) {
        *value = *joint;
    }
    q
}
