//! Arms with a closed form: the candidates of a pose, and each brought from the ideal onto the exact arm.

use core::f64::consts::{PI, TAU};

use crate::{
    answer::PoseError,
    chain::Chain,
    ideal::{Ideal, Seen, Ways},
    inverse::Options,
    lanes::Lanes,
    math::{Frame, Math},
    six::{self, Joints6, Off, Six, Still},
};

/// An arm with a closed form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    pub(crate) six: Six,
    pub(crate) ideal: Ideal,
    pub(crate) low: Joints6,
    pub(crate) high: Joints6,
    doubt: [f64; 3],
}

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) target: Frame,
    pub(crate) seen: Seen,
    /// Inside the limits.
    pub(crate) start: Joints6,
    pub(crate) exact_m: f64,
    pub(crate) exact_rad: f64,
    pub(crate) accept_m: f64,
    pub(crate) accept_rad: f64,
}

/// Joints on the pose, or as near as was come, and how near.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) joints: Joints6,
    pub(crate) error: PoseError,
}

/// The eight ways of the ideal arm, each in the turn that is nearest to the start or inside the limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidates {
    joints: [[Lanes; 6]; 2],
    /// Least that the farthest joint moves, rad.
    pub(crate) far: [f64; 8],
    /// How far outside the limits, beyond what the mismatch may mend; none where negative.
    pub(crate) excess: [f64; 8],
    /// The singularity that the way is too near to for the closed form.
    pub(crate) near: [Option<Still>; 8],
    /// Not reached, even by an arm that is off by the mismatch.
    pub(crate) beyond: [bool; 8],
    clear: [[Lanes; 3]; 2],
    doubt: [f64; 3],
    parallel: bool,
}

impl Candidates {
    #[inline(always)]
    pub(crate) fn joints(&self, index: usize) -> Joints6 {
        let half = &self.joints[index >> 2 & 1];
        let lane = index & 3;
        let mut q = [0.0; 6];
        for k in 0..6 {
            q[k] = half[k].0[lane];
        }
        q
    }

    /// The branch of a way, if it is so clear of singularities that the exact arm is in the same.
    #[inline(always)]
    pub(crate) fn branch(&self, index: usize) -> Option<u8> {
        let (half, lane) = (index >> 2 & 1, index & 3);
        let mut clear = true;
        for k in 0..3 {
            clear &= self.clear[half][k].0[lane] > 4.0 * self.doubt[k];
        }
        let branch =
            if self.parallel { lane & 1 | half << 1 | lane >> 1 << 2 } else { lane | half << 2 };
        clear.then_some(branch as u8)
    }

    /// The singularity that a way is nearest to, and how near: 1 where the closed form begins to be in doubt.
    pub(crate) fn nearest(&self, index: usize) -> (Still, f64) {
        let share = |k: usize| self.clear[index >> 2 & 1][k].0[index & 3] / self.doubt[k];
        let [shoulder, elbow, wrist] = [share(0), share(1), share(2)];
        if wrist < shoulder.min(elbow) {
            (Still::Wrist, wrist)
        } else if shoulder < elbow {
            (Still::Shoulder, shoulder)
        } else {
            (Still::Elbow, elbow)
        }
    }

    /// How near the last singularity is where another is near too: 1 where the closed form begins to be in doubt.
    fn magnified(&self, (last, others): (usize, [usize; 2]), index: usize) -> f64 {
        let clear = |k: usize| self.clear[index >> 2 & 1][k].0[index & 3];
        let least = clear(others[0]).min(clear(others[1]));
        clear(last) * (MAGNIFIED * least).min(1.0) / self.doubt[last]
    }

    /// The way that merges with this one at a singularity.
    #[inline(always)]
    pub(crate) fn twin(&self, index: usize, still: Still) -> usize {
        match (still, self.parallel) {
            (Still::Shoulder, _) => index ^ 1,
            (Still::Elbow, false) | (Still::Wrist, true) => index ^ 2,
            (Still::Elbow, true) | (Still::Wrist, false) => index ^ 4,
        }
    }
}

impl Closed {
    pub(crate) fn of(chain: &Chain, ideal: Ideal) -> Option<Self> {
        let six = Six::of(chain)?;
        // Beyond this the sines of the hot path are not those of the angle.
        let most = 0.5 * Lanes::SIN_COS_MAX;
        let (mut low, mut high) = ([0.0; 6], [0.0; 6]);
        for k in 0..6 {
            low[k] = chain.position_min[k].max(-most);
            high[k] = chain.position_max[k].min(most);
        }
        Some(Self { six, ideal, low, high, doubt: ideal.doubt() })
    }

    #[inline(always)]
    pub(crate) fn task<M: Math>(&self, target: &Frame, start: &[f64], options: &Options) -> Task {
        let mut inside = [0.0; 6];
        for (k, value) in inside.iter_mut().enumerate() {
            *value = start[k].max(self.low[k]).min(self.high[k]);
        }
        Task {
            target: *target,
            seen: self.ideal.see::<M>(target),
            start: inside,
            exact_m: options.exact_m,
            exact_rad: options.exact_rad,
            accept_m: options.accept_m.max(options.exact_m),
            accept_rad: options.accept_rad.max(options.exact_rad),
        }
    }

    #[inline(always)]
    pub(crate) fn candidates<M: Math>(&self, task: &Task) -> Candidates {
        let mut ways = self.ideal.ways::<M>(&task.seen, None);
        let doubt = self.doubt;
        let (mut far, mut excess) = ([Lanes::all(0.0); 2], [Lanes::all(0.0); 2]);
        let mut clearest = f64::INFINITY;
        for (half, Ways { joints, clear }) in ways.iter_mut().enumerate() {
            let (mut outside, mut sum) = (Lanes::all(f64::NEG_INFINITY), Lanes::all(0.0));
            for k in 0..6 {
                let (start, low, high) =
                    (Lanes::all(task.start[k]), Lanes::all(self.low[k]), Lanes::all(self.high[k]));
                let turn = Lanes::all(TAU);
                let q = joints[k];
                let q = q - ((q - start) * Lanes::all(1.0 / TAU)).round() * turn;
                // The start is inside: at most one turn leads back in.
                let up = q + turn;
                let q = q.less(low, up.less(high + low - q, up, q), q);
                let down = q - turn;
                let q = high.less(q, (low + high - q).less(down, down, q), q);
                joints[k] = q;
                outside = (low - q).max((q - high).max(outside));
                let moved = (q - start).abs();
                far[half] = moved.max(far[half]);
                sum = sum + moved;
            }
            far[half] = sum.fma::<M>(Lanes::all(SUM), far[half]);
            // Of two singularities at once the second magnifies what the first does.
            let most = clear[0].max(clear[1].max(clear[2])).max(Lanes::all(1e-12));
            let two = clear[0] * clear[1] * clear[2] / most;
            let narrow = two.max(Lanes::all(1e-12)).sqrt();
            let slack = Lanes::all(3.0 * self.ideal.mismatch_rad) / narrow;
            excess[half] = outside - slack - Lanes::all(1e-9);
            let over = [
                clear[0] - Lanes::all(doubt[0]),
                clear[1] - Lanes::all(doubt[1]),
                clear[2] - Lanes::all(doubt[2]),
                two * Lanes::all(MAGNIFIED) - Lanes::all(doubt[self.last().0]),
            ];
            let over = over[0].min(over[1]).min(over[2].min(over[3]));
            let least = over.0[0].min(over.0[1]).min(over.0[2].min(over.0[3]));
            clearest = if least >= clearest { clearest } else { least };
        }
        let flat = |halves: &[Lanes; 2]| {
            let [[a, b, c, d], [e, f, g, h]] = [halves[0].0, halves[1].0];
            [a, b, c, d, e, f, g, h]
        };
        let mut candidates = Candidates {
            joints: [ways[0].joints, ways[1].joints],
            far: flat(&far),
            excess: flat(&excess),
            near: [None; 8],
            beyond: [false; 8],
            clear: [ways[0].clear, ways[1].clear],
            doubt,
            parallel: self.ideal.parallel(),
        };
        if clearest < 0.0 || clearest.is_nan() {
            self.mark(task, &mut candidates);
        }
        candidates
    }

    /// The singularity that the closed form comes to last, and the two whose errors it magnifies.
    #[inline(always)]
    const fn last(&self) -> (usize, [usize; 2]) {
        if self.ideal.parallel() { (1, [0, 2]) } else { (2, [0, 1]) }
    }

    /// Tells the ways near a singularity from those that are clear, and how far they are at least.
    fn mark(&self, task: &Task, candidates: &mut Candidates) {
        for index in 0..8 {
            let (still, share) = candidates.nearest(index);
            // Not `share <= -1`: NaN is beyond.
            candidates.beyond[index] = !(share > -1.0);
            let still = if share < 1.0 {
                still
            } else if candidates.magnified(self.last(), index) < 1.0 {
                if self.ideal.parallel() { Still::Elbow } else { Still::Wrist }
            } else {
                continue;
            };
            let wrist = candidates.clear[index >> 2][2].0[index & 3];
            let fixed: &[usize] = match still {
                Still::Shoulder => &[1, 2],
                // A bend moves the others by about as much, unless the wrist magnifies it.
                Still::Elbow if wrist > 0.01 => &[0, 1, 2, 3, 4, 5],
                Still::Elbow => &[0],
                Still::Wrist => &[0, 1, 2],
            };
            candidates.near[index] = Some(still);
            let joints = candidates.joints(index);
            let slack = 4.0 * self.ideal.mismatch_rad.sqrt();
            let (mut far, mut outside) = (0.0_f64, f64::NEG_INFINITY);
            for &k in fixed {
                far = far.max((joints[k] - task.start[k]).abs() - slack);
                outside = outside.max(self.low[k] - joints[k]).max(joints[k] - self.high[k]);
            }
            (candidates.far[index], candidates.excess[index]) = (far, outside - slack - 0.01);
        }
    }

    /// Newton on the exact arm, from joints of the ideal one. The best that was seen.
    #[inline(always)]
    pub(crate) fn polish<M: Math>(&self, task: &Task, from: &Joints6, work: &mut u32) -> Found {
        let mut q = *from;
        let error = PoseError { position_m: f64::INFINITY, angle_rad: f64::INFINITY };
        let mut best = Found { joints: q, error };
        for round in 0..10 {
            if *work == 0 {
                break;
            }
            *work -= 1;
            let view = self.six.view::<f64, M>(&q);
            let off = view.off::<M>(&task.target);
            let error = off.error();
            let (cost, least) = (task.cost(&error), task.cost(&best.error));
            // Also when the cost is NaN.
            if round > 2 && !(cost < 0.7 * least) {
                break;
            }
            if cost < least {
                best = Found { joints: q, error };
            }
            // Well within what is asked: another's arithmetic shall agree.
            if cost < 0.1 {
                break;
            }
            let step = view.step::<M>(&off, &task.target, &task.seen.wrist, None);
            if !advance(&mut q, &step, None) {
                break;
            }
        }
        best
    }

    /// Newton on four ways at once, those inside the limits until they are exact, those outside until acceptable. A lane
    /// that does not get there in a few steps is left where it is: its error tells.
    #[inline(always)]
    pub(crate) fn polish_half<M: Math>(
        &self,
        task: &Task,
        candidates: &Candidates,
        half: usize,
        work: &mut u32,
    ) -> [Found; 4] {
        let mut q = candidates.joints[half];
        let (mut aim_m, mut aim_rad, mut wanted) = ([0.0; 4], [0.0; 4], [false; 4]);
        for lane in 0..4 {
            let index = 4 * half + lane;
            let inside = candidates.excess[index] <= 0.0;
            aim_m[lane] = if inside { 0.1 * task.exact_m } else { task.accept_m };
            aim_rad[lane] = if inside { 0.1 * task.exact_rad } else { 0.99 * task.accept_rad };
            wanted[lane] = candidates.near[index].is_none() && !candidates.beyond[index];
        }
        let mut round = 0;
        loop {
            *work = work.saturating_sub(1);
            let view = self.six.view::<Lanes, M>(&q);
            let off = view.off::<M>(&task.target);
            let miss = (off.distance / Lanes(aim_m)).max(off.sin / Lanes(aim_rad));
            // More than a quarter of a turn is not told by its sine.
            let miss = off.trace.less(Lanes::all(1.0), Lanes::all(f64::INFINITY), miss);
            let mut open = false;
            for lane in 0..4 {
                open |= wanted[lane] && !(miss.0[lane] < 1.0);
            }
            if !open || round == 4 {
                return [
                    found(&q, &off, 0),
                    found(&q, &off, 1),
                    found(&q, &off, 2),
                    found(&q, &off, 3),
                ];
            }
            round += 1;
            let step = view.step::<M>(&off, &task.target, &task.seen.wrist, None);
            let mut most = Lanes::all(0.5);
            for k in 0..6 {
                most = step[k].abs().max(most);
            }
            let scale = miss.less(Lanes::all(1.0), Lanes::all(0.0), Lanes::all(0.5) / most);
            for k in 0..6 {
                q[k] = step[k].fma::<M>(scale, q[k]);
            }
        }
    }

    /// Each joint in the turn nearest to the start, or in the next if the limits want that.
    pub(crate) fn turned(&self, task: &Task, q: &Joints6) -> Joints6 {
        let mut turned = [0.0; 6];
        for k in 0..6 {
            let near = nearest_turn(q[k], task.start[k]);
            let over = |q: f64| (self.low[k] - q).max(q - self.high[k]).max(0.0);
            let other = if near < self.low[k] { near + TAU } else { near - TAU };
            turned[k] = if over(other) < over(near) { other } else { near };
        }
        turned
    }

    /// The same joints inside the limits, if that is a matter of a trifle.
    #[inline(always)]
    pub(crate) fn inside<M: Math>(&self, task: &Task, found: &Found) -> Option<Found> {
        let (mut q, mut moved) = (found.joints, 0.0_f64);
        for k in 0..6 {
            let limited = q[k].max(self.low[k]).min(self.high[k]);
            moved = moved.max((limited - q[k]).abs());
            q[k] = limited;
        }
        if moved == 0.0 {
            return Some(*found);
        }
        if moved > 1e-3 {
            return None;
        }
        let error = self.six.view::<f64, M>(&q).off::<M>(&task.target).error();
        task.accepts(&error).then_some(Found { joints: q, error })
    }

    /// The joint that is furthest outside its limits, and by how much.
    pub(crate) fn outside(&self, q: &Joints6) -> Option<(usize, f64)> {
        let mut worst = None;
        for k in 0..6 {
            let by = (self.low[k] - q[k]).max(q[k] - self.high[k]);
            if by > worst.map_or(0.0, |(_, most)| most) {
                worst = Some((k, by));
            }
        }
        worst
    }
}

impl Task {
    /// At most 1 where exact.
    #[inline(always)]
    pub(crate) fn cost(&self, error: &PoseError) -> f64 {
        let (m, rad) = (error.position_m / self.exact_m, error.angle_rad / self.exact_rad);
        // A NaN on either side must come out.
        if m > rad || m.is_nan() { m } else { rad }
    }

    #[inline(always)]
    pub(crate) fn exact(&self, error: &PoseError) -> bool {
        error.within(self.exact_m, self.exact_rad)
    }

    #[inline(always)]
    pub(crate) fn accepts(&self, error: &PoseError) -> bool {
        error.within(self.accept_m, self.accept_rad)
    }

    /// How far joints are from the start, rad.
    #[inline(always)]
    pub(crate) fn far(&self, q: &Joints6) -> f64 {
        distance(q, &self.start)
    }
}

/// Below the inverse of this another singularity is near enough to magnify.
const MAGNIFIED: f64 = 20.0;

/// What the sum counts in a distance.
const SUM: f64 = 0.01;

/// How far joints are apart, rad: the most that one moves, and a little of what all do, so that of two ways to turn the
/// wrist while joint 1 goes far the lesser is the nearer.
#[inline(always)]
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    let (mut most, mut sum) = (0.0_f64, 0.0);
    for (a, b) in a.iter().zip(b) {
        let moved = (a - b).abs();
        most = most.max(moved);
        sum += moved;
    }
    most + SUM * sum
}

/// One of four.
#[inline(always)]
fn found(q: &[Lanes; 6], off: &Off<Lanes>, lane: usize) -> Found {
    let mut joints = [0.0; 6];
    for k in 0..6 {
        joints[k] = q[k].0[lane];
    }
    Found { joints, error: six::error(off.distance.0[lane], off.sin.0[lane], off.trace.0[lane]) }
}

/// Adds a step, but nowhere more than half a radian; not to a joint that is still. False where there is no step.
#[inline(always)]
pub(crate) fn advance(q: &mut Joints6, step: &Joints6, still: Option<Still>) -> bool {
    let still = still.map_or(6, Still::joint);
    let (mut most, mut sum) = (0.0_f64, 0.0);
    for k in 0..6 {
        let size = if k == still { 0.0 } else { step[k].abs() };
        most = most.max(size);
        sum += size;
    }
    let scale = if most > 0.5 { 0.5 / most } else { 1.0 };
    for k in 0..6 {
        if k != still {
            q[k] += scale * step[k];
        }
    }
    // Also false for NaN.
    sum < 1e6
}

/// The same angle in the turn nearest to `to`.
#[inline(always)]
pub(crate) fn nearest_turn(angle: f64, to: f64) -> f64 {
    angle - ((angle - to + PI) / TAU).floor() * TAU
}
