//! Near a singularity: one joint stands at one value after another, the others follow on the exact arm, and what stays
//! off in the one direction that the arm cannot move in is a smooth function of that value. Its roots are solutions.
//!
//! With the last joint standing, a wrist whose axis 6 misses the other two is as good as one that does not: the point
//! where axes 4 and 5 meet is known. So too with joint 1 when the wrist stands over axis 1, and with joint 3 when the
//! arm is stretched. Every root between two samples of different sign is found, and the extremes that touch zero.

use core::f64::consts::{PI, TAU};

use crate::{
    closed::{Closed, Found, Task, advance, nearest_turn},
    dispatch,
    math::{Math, Plain, dot},
    six::{Joints6, Still},
};

/// Solutions along one sweep.
pub(crate) struct Roots {
    len: usize,
    items: [Found; 12],
    /// The acceptable sample that is least off, should there be no root.
    least: Option<Found>,
}

impl Roots {
    pub(crate) fn as_slice(&self) -> &[Found] {
        &self.items[..self.len]
    }

    /// A sample may happen to be a solution.
    fn sample(&mut self, arm: &Closed, task: &Task, found: &Found) {
        if task.exact(&found.error) {
            self.push(arm, task, *found);
        }
        let cost = task.cost(&found.error);
        if task.accepts(&found.error) && self.least.is_none_or(|old| cost < task.cost(&old.error)) {
            self.least = Some(*found);
        }
    }

    /// Keeps the better of two that are the same.
    fn push(&mut self, arm: &Closed, task: &Task, found: Found) {
        // Along a sweep the joints follow each other without a jump, perhaps for more than a turn.
        let found = Found { joints: arm.turned(task, &found.joints), ..found };
        let same = |old: &Found| apart(&old.joints, &found.joints) < 1e-3;
        if let Some(old) = self.items[..self.len].iter_mut().find(|old| same(old)) {
            if found.error.cost_m(1.0) < old.error.cost_m(1.0) {
                *old = found;
            }
        } else if let Some(slot) = self.items.get_mut(self.len) {
            *slot = found;
            self.len += 1;
        }
    }
}

/// Where a sweep goes.
#[derive(Clone, Copy)]
pub(crate) struct Sweep {
    pub(crate) still: Still,
    /// Which of the eight ways of the ideal arm to follow.
    pub(crate) index: usize,
    /// Its joints there.
    pub(crate) from: Joints6,
    /// Whether a solution beside the start is enough.
    pub(crate) nearest: bool,
}

/// The arm with one joint standing.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    at: f64,
    /// Along the direction of [`Still`].
    off: f64,
    found: Found,
}

/// What counts as beside the start, rad: another root of the sweep that is nearer than one so near is a rare thing.
const BESIDE_RAD: f64 = 0.3;

/// Between samples, rad. What stays off has a period of pi at the shortest.
const STRIDE_RAD: f64 = 0.2;

/// All solutions along a sweep. Stops where `work` is used up.
pub(crate) fn sweep(arm: &Closed, task: &Task, sweep: Sweep, work: &mut u32) -> Roots {
    let error = crate::PoseError::default();
    let mut roots = Roots { len: 0, items: [Found { joints: [0.0; 6], error }; 12], least: None };
    let (low, high) = range(arm, task, sweep);
    if sweep.nearest {
        // From a start beside the solution Newton's steps lead there, singular or not.
        let found = dispatch::polish(arm, task, &task.start, work);
        if task.exact(&found.error) && beside(arm, task, &found) {
            roots.push(arm, task, found);
            return roots;
        }
    }
    if sweep.still == Still::Elbow && bends(arm, task, sweep, &mut roots, work) {
        return roots;
    }
    let first = nearest_start(arm, task, sweep, low, high, work);
    if let Some(sample) = first.filter(|sample| task.exact(&sample.found.error)) {
        roots.push(arm, task, sample.found);
        // Where the neighbours hold the pose too it is held everywhere along the sweep: the nearest is the answer.
        let beside = sample.at + if sample.at + 0.05 > high { -0.05 } else { 0.05 };
        let beside = dispatch::probe(arm, task, sweep, beside, None, 3, work);
        if beside.is_some_and(|sample| task.exact(&sample.found.error)) {
            return roots;
        }
    }
    if let Some(sample) = first.filter(|_| sweep.nearest) {
        let found = dispatch::polish(arm, task, &sample.found.joints, work);
        if task.exact(&found.error) && beside(arm, task, &found) {
            roots.push(arm, task, found);
            return roots;
        }
    }
    let stride = if sweep.still == Still::Elbow { 0.4 * STRIDE_RAD } else { STRIDE_RAD };
    let mut last: [Option<Sample>; 2] = [None; 2];
    let (mut at, mut stretch) = (low, stride);
    while *work > 0 {
        let beside = last[1].map(|sample| sample.found.joints);
        let sample = dispatch::probe(arm, task, sweep, at, beside, 2, work);
        // Where the others turn fast, as a wrist does that passes its own singularity, look closer.
        if let (Some(a), Some(b)) = (&last[1], &sample)
            && stretch > stride / 10.0
            && apart(&a.found.joints, &b.found.joints) > 0.5
        {
            stretch *= 0.5;
            at = a.at + stretch;
            continue;
        }
        if let Some(sample) = &sample {
            roots.sample(arm, task, &sample.found);
        }
        // One call for both ways to meet zero: crossing it, and touching it between three samples.
        let mut spans = [None; 2];
        if let (Some(a), Some(b)) = (last[1], sample) {
            if a.off * b.off <= 0.0 {
                let jumps = apart(&a.found.joints, &b.found.joints) > 1.5;
                spans[0] = (!jumps).then_some((a, b));
            } else if let Some(before) = last[0] {
                spans = touch(arm, task, sweep, [before, a, b], &mut roots, work);
            }
        }
        for (a, b) in spans.into_iter().flatten() {
            if let Some(found) = root(arm, task, sweep, a, b, work) {
                roots.push(arm, task, found);
            }
        }
        last = [last[1], sample];
        if at >= high {
            break;
        }
        stretch = stride.min(2.0 * stretch);
        at = high.min(at + stretch);
    }
    if roots.len == 0
        && let Some(found) = roots.least
    {
        roots.push(arm, task, found);
    }
    roots
}

/// The most that a joint is elsewhere, rad.
fn apart(a: &Joints6, b: &Joints6) -> f64 {
    let mut apart = 0.0_f64;
    for k in 0..6 {
        apart = apart.max((a[k] - b[k]).abs());
    }
    apart
}

/// Where to look: all that the limits leave, one turn about the start at most; of the elbow only near its singularity.
fn range(arm: &Closed, task: &Task, sweep: Sweep) -> (f64, f64) {
    let k = sweep.still.joint();
    let start = task.start[k];
    let (mut low, mut high) = (arm.low[k], arm.high[k]);
    if high - low > TAU {
        low = low.max((start - PI).min(high - TAU));
        high = low + TAU;
    }
    if sweep.still == Still::Elbow {
        // The root of what the mismatch may be in the cosine, and then some.
        let reach = (4.0 * arm.ideal.mismatch_rad.sqrt()).clamp(0.1, 0.8);
        let singular = arm.ideal.straight(sweep.from[2]);
        (low, high) = (low.max(singular - reach), high.min(singular + reach));
    }
    (low, high.max(low))
}

/// A stretched arm bends either way: Newton from both sides, far enough out that each falls to its own. Whether it came
/// to solutions.
fn bends(arm: &Closed, task: &Task, sweep: Sweep, roots: &mut Roots, work: &mut u32) -> bool {
    let straight = arm.ideal.straight(sweep.from[2]);
    let bend = (sweep.from[2] - straight).abs().max((2.0 * arm.ideal.mismatch_rad).sqrt());
    let sides = if task.start[2] < straight { [-bend, bend] } else { [bend, -bend] };
    let mut all = true;
    for side in sides {
        let q = dispatch::held(arm, task, sweep, straight + side, &sweep.from);
        let found = dispatch::polish(arm, task, &q, work);
        let exact = task.exact(&found.error);
        all &= exact;
        if exact {
            roots.push(arm, task, found);
            if sweep.nearest && beside(arm, task, &found) {
                return true;
            }
        }
    }
    all
}

/// Whether a solution is inside the limits and beside the start.
fn beside(arm: &Closed, task: &Task, found: &Found) -> bool {
    let joints = arm.turned(task, &found.joints);
    task.far(&joints) < BESIDE_RAD && arm.outside(&joints).is_none()
}

/// What the closed form makes of one value of the standing joint, in the turns nearest to others.
#[inline(always)]
pub(crate) fn held<M: Math>(
    arm: &Closed,
    task: &Task,
    sweep: Sweep,
    at: f64,
    near: &Joints6,
) -> Joints6 {
    let ways = arm.ideal.ways::<M>(&task.seen, Some((sweep.still, at)));
    let mut q = [0.0; 6];
    for k in 0..6 {
        let value = ways[sweep.index >> 2 & 1].joints[k].0[sweep.index & 3];
        q[k] = nearest_turn(value, near[k]);
    }
    q[sweep.still.joint()] = at;
    q
}

/// The sample to begin with: as near to the start as can be.
fn nearest_start(
    arm: &Closed,
    task: &Task,
    sweep: Sweep,
    low: f64,
    high: f64,
    work: &mut u32,
) -> Option<Sample> {
    let at = task.start[sweep.still.joint()].max(low).min(high);
    let sample = dispatch::probe(arm, task, sweep, at, None, 3, work)?;
    if sweep.still != Still::Wrist || !task.exact(&sample.found.error) {
        return Some(sample);
    }
    // In line, joints 4 and 6 turn the tool together: both go half of the way, unless a limit is in it.
    let q = &sample.found.joints;
    let view = arm.six.view::<f64, Plain>(q);
    let aligned = dot::<Plain>(&view.z[3], &view.z[5]).signum();
    let fourth = nearest_turn(q[3], task.start[3]);
    let wanted = (0.5 * (fourth + task.start[3])).max(arm.low[3]).min(arm.high[3]);
    let at = (at + aligned * (fourth - wanted)).max(low).min(high);
    let halved = dispatch::probe(arm, task, sweep, at, None, 3, work);
    halved.filter(|halved| task.exact(&halved.found.error)).or(Some(sample))
}

/// One value of the standing joint: from the closed form, or on from a neighbour where that is nearer, a few steps of
/// Newton with all but that joint.
#[inline(always)]
pub(crate) fn probe<M: Math>(
    arm: &Closed,
    task: &Task,
    sweep: Sweep,
    at: f64,
    beside: Option<Joints6>,
    steps: u32,
    work: &mut u32,
) -> Option<Sample> {
    let near = beside.unwrap_or(task.start);
    let mut q = held::<M>(arm, task, sweep, at, &near);
    for round in 0..=steps {
        *work = work.saturating_sub(1);
        let view = arm.six.view::<f64, M>(&q);
        let off = view.off::<M>(&task.target);
        let step = view.step::<M>(&off, &task.target, &task.seen.wrist, Some(sweep.still));
        let (off_along, error) = (step[sweep.still.joint()], off.error());
        if round == steps || task.cost(&error) < 0.1 {
            let found = Found { joints: q, error };
            return off_along.is_finite().then_some(Sample { at, off: off_along, found });
        }
        if !advance(&mut q, &step, Some(sweep.still)) {
            return None;
        }
    }
    None
}

/// Where a curve of one sign comes down between three samples: the spans on both sides of a sample of the other sign, if
/// there is one.
fn touch(
    arm: &Closed,
    task: &Task,
    sweep: Sweep,
    [mut a, mut b, mut c]: [Sample; 3],
    roots: &mut Roots,
    work: &mut u32,
) -> [Option<(Sample, Sample)>; 2] {
    for _ in 0..4 {
        let Some(at) = vertex(&a, &b, &c) else { break };
        let guess = Some(b.found.joints);
        let Some(tip) = dispatch::probe(arm, task, sweep, at, guess, 3, work) else { break };
        roots.sample(arm, task, &tip.found);
        if tip.off * b.off <= 0.0 {
            return [Some((a, tip)), Some((tip, c))];
        }
        if tip.off.abs() > 0.9 * b.off.abs() {
            break;
        }
        if tip.at < b.at {
            (b, c) = (tip, b);
        } else {
            (a, b) = (b, tip);
        }
    }
    [None; 2]
}

/// Where a parabola through three samples comes nearest to zero, if that is between them.
fn vertex(a: &Sample, b: &Sample, c: &Sample) -> Option<f64> {
    let (fa, fb, fc) = (a.off.abs(), b.off.abs(), c.off.abs());
    if !(fb <= fa && fb <= fc) {
        return None;
    }
    let (left, right) = ((fb - fa) / (b.at - a.at), (fc - fb) / (c.at - b.at));
    let bend = (right - left) / (c.at - a.at);
    let at = 0.5 * (a.at + b.at) - 0.5 * left / bend;
    // Where b stands, the parabola falls by its slope there squared over four times its bend.
    let slope = left + bend * (b.at - a.at);
    let lowest = fb - 0.25 * slope * slope / bend;
    // Only one that comes down most of the way.
    let deep = lowest < 0.4 * fa.max(fc) && (at - b.at).abs() > 1e-9;
    (at > a.at && at < c.at && deep).then_some(at)
}

/// The root between two samples of different sign: regula falsi, the standing end halved (Illinois).
fn root(
    arm: &Closed,
    task: &Task,
    sweep: Sweep,
    mut a: Sample,
    mut b: Sample,
    work: &mut u32,
) -> Option<Found> {
    let (mut fa, mut fb) = (a.off, b.off);
    let mut best: Option<Found> = None;
    for _ in 0..14 {
        if *work == 0 {
            break;
        }
        let part = if fa == fb { 0.5 } else { fa / (fa - fb) };
        let at = a.at + part.clamp(0.02, 0.98) * (b.at - a.at);
        let beside = Some(if part < 0.5 { a.found.joints } else { b.found.joints });
        let Some(c) = dispatch::probe(arm, task, sweep, at, beside, 2, work) else { break };
        if best.is_none_or(|best| task.cost(&c.found.error) < task.cost(&best.error)) {
            best = Some(c.found);
        }
        if task.cost(&c.found.error) < 0.1 {
            break;
        }
        if c.off * fa > 0.0 {
            (a, fa) = (c, c.off);
            fb *= 0.5;
        } else {
            (b, fb) = (c, c.off);
            fa *= 0.5;
        }
    }
    best.filter(|found| task.accepts(&found.error))
}
