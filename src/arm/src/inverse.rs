//! From a pose to joints.

use nalgebra::{Isometry3, UnitQuaternion};

use crate::{
    answer::{Answer, Branch, Hold, Search},
    chain::Chain,
    classify::{Explanation, classify},
    closed::{Closed, distance},
    dispatch, every,
    math::{Frame, Math, Plain},
    nearest,
    numeric::Goal,
    vector::JointVector,
};

/// What counts as reached, and how hard to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// `Exact` is at most this far off, m.
    pub exact_m: f64,
    /// And turned by at most this, rad.
    pub exact_rad: f64,
    /// `Approximate` is at most this far off, m. At least `exact_m`.
    pub accept_m: f64,
    /// And turned by at most this, rad.
    pub accept_rad: f64,
    /// What a radian of orientation error counts in the search for the nearest pose, m.
    pub lever_m: f64,
    /// Refuse another branch than that of the joints to start from.
    pub keep_branch: bool,
    /// Redundant arms: the posture to stay near, if one is preferred.
    pub posture: Option<JointVector>,
    /// Cap on work, in evaluations of the chain; it bounds the time of a solve.
    pub work_max: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            exact_m: 1e-6,
            exact_rad: 1e-6,
            accept_m: 1e-4,
            accept_rad: 1e-4,
            lever_m: 0.2,
            keep_branch: false,
            posture: None,
            work_max: 800,
        }
    }
}

impl Options {
    pub(crate) const fn goal(&self) -> Goal {
        Goal {
            exact_m: self.exact_m,
            exact_rad: self.exact_rad,
            lever_m: self.lever_m,
            posture: self.posture,
        }
    }
}

/// One way to hold a pose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Solution {
    /// The joints, on the pose to `accept`; perhaps outside the limits.
    pub joints: JointVector,
    /// Their branch.
    pub branch: Branch,
    /// What is left.
    pub error: crate::PoseError,
    /// The joint that is furthest outside its limits and by how much, rad or m; `None` if all are inside.
    pub outside: Option<(usize, f64)>,
}

/// Most solutions that are told of one pose, turns by 2 pi included.
pub const MAX_SOLUTIONS: usize = 64;

/// Every way to hold one pose that was found.
#[derive(Clone, Copy, Debug)]
pub struct Solutions {
    len: usize,
    items: [Solution; MAX_SOLUTIONS],
    /// How thoroughly was looked.
    pub search: Search,
}

impl Solutions {
    /// None yet.
    #[must_use]
    pub fn none() -> Self {
        let none = Solution {
            joints: JointVector::zeros(0),
            branch: Branch(0),
            error: crate::PoseError::default(),
            outside: None,
        };
        Self { len: 0, items: [none; MAX_SOLUTIONS], search: Search::Complete }
    }

    /// The solutions: those inside the limits first, nearest to the start first.
    #[must_use]
    pub fn as_slice(&self) -> &[Solution] {
        &self.items[..self.len]
    }

    pub(crate) fn clear(&mut self) {
        (self.len, self.search) = (0, Search::Complete);
    }

    /// False where there is no more room.
    pub(crate) fn push(&mut self, solution: Solution) -> bool {
        if let Some(slot) = self.items.get_mut(self.len) {
            *slot = solution;
            self.len += 1;
            true
        } else {
            self.search = Search::Capped;
            false
        }
    }

    /// Those inside first, by distance from `start`; then those outside, by how far.
    pub(crate) fn sort(&mut self, start: &[f64]) {
        let mut keys = [0.0; MAX_SOLUTIONS];
        for (key, solution) in keys.iter_mut().zip(&self.items[..self.len]) {
            // Beyond any distance.
            *key = solution
                .outside
                .map_or_else(|| distance(&solution.joints, start), |(_, by)| 1e9 + by);
        }
        for place in 0..self.len {
            let mut least = place;
            for other in place + 1..self.len {
                if keys[other] < keys[least] {
                    least = other;
                }
            }
            if least != place {
                keys.swap(place, least);
                self.items.swap(place, least);
            }
        }
    }
}

/// An arm with its inverse, found from the chain alone.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    chain: Chain,
    pub(crate) closed: Option<Closed>,
    explanation: Explanation,
}

impl Arm {
    /// Classifies a chain and prepares its inverse.
    #[must_use]
    pub fn compile(chain: Chain) -> Self {
        let (explanation, ideal) = classify(&chain);
        let closed = ideal.and_then(|ideal| Closed::of(&chain, ideal));
        Self { chain, closed, explanation }
    }

    /// The exact chain.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Which class the arm is in, why, and how far it is from the ideal of that class.
    #[must_use]
    pub const fn explain(&self) -> &Explanation {
        &self.explanation
    }

    /// The branch that the arm is in.
    #[must_use]
    pub fn branch(&self, joints: &[f64]) -> Branch {
        match (&self.closed, joints) {
            (Some(closed), &[a, b, c, d, e, f]) => {
                Branch(closed.ideal.branch::<Plain>(&[a, b, c, d, e, f]))
            }
            _ => Branch(0),
        }
    }

    /// The target and the start, if they make sense.
    fn checked(
        &self,
        target: &Isometry3<f64>,
        start: &[f64],
    ) -> Result<(Frame, JointVector), Hold> {
        let start = JointVector::from_slice(start).filter(|q| q.len() == self.chain.len());
        let start = start.ok_or(Hold::Shape)?;
        let norm = target.rotation.norm_squared();
        let whole = target.translation.vector.iter().all(|v| v.is_finite()) && start.is_finite();
        // A quaternion that is none turns nothing, whatever its numbers.
        if !whole || !((norm - 1.0).abs() < 1e-3) {
            return Err(Hold::NotFinite);
        }
        if (norm - 1.0).abs() < 1e-14 {
            return Ok((Frame::from_isometry(target), start));
        }
        let rotation = UnitQuaternion::new_normalize(*target.rotation);
        let target = Isometry3::from_parts(target.translation, rotation);
        Ok((Frame::from_isometry(&target), start))
    }

    /// Every solution that is found, those outside the limits too; `start` only orders them.
    ///
    /// Of an arm with a closed form these are all there are, turns by 2 pi included, unless `search` says otherwise.
    /// Where the pose is held along a whole line of joints, as with a wrist in line, the one nearest to `start` stands
    /// for the line. None if the pose or the start make no sense.
    pub fn solve_all(
        &self,
        x_base_tool: &Isometry3<f64>,
        start: &[f64],
        options: &Options,
        solutions: &mut Solutions,
    ) {
        solutions.clear();
        if let Ok((target, start)) = self.checked(x_base_tool, start) {
            dispatch::solve_all(self, &target, &start, options, solutions);
        }
    }

    /// The solution inside the limits that is nearest to `start`: whose farthest joint moves least; of those that are
    /// about equal in that, whose joints move least in sum.
    #[must_use]
    pub fn solve(&self, x_base_tool: &Isometry3<f64>, start: &[f64], options: &Options) -> Answer {
        match self.checked(x_base_tool, start) {
            Ok((target, start)) => dispatch::solve(self, &target, &start, options),
            Err(hold) => Answer::Held(hold),
        }
    }
}

/// The body of [`Arm::solve`], for one way to multiply and add.
#[inline(always)]
pub(crate) fn solve<M: Math>(
    arm: &Arm,
    target: &Frame,
    start: &JointVector,
    options: &Options,
) -> Answer {
    if let Some(closed) = &arm.closed {
        return nearest::solve::<M>(&arm.chain, closed, target, start, options);
    }
    let mut work = options.work_max;
    let goal = options.goal();
    let reach = dispatch::search(&arm.chain, target, &[*start], &goal, &mut work);
    let (joints, error, branch) = (reach.joints, reach.error, Branch(0));
    if error.within(options.exact_m, options.exact_rad) {
        Answer::Exact { joints, branch, error }
    } else if error.within(options.accept_m, options.accept_rad) {
        Answer::Approximate { joints, branch, error }
    } else {
        Answer::Unreachable { nearest: joints, error, search: Search::Capped }
    }
}

/// The body of [`Arm::solve_all`].
#[inline(always)]
pub(crate) fn solve_all<M: Math>(
    arm: &Arm,
    target: &Frame,
    start: &JointVector,
    options: &Options,
    solutions: &mut Solutions,
) {
    match &arm.closed {
        Some(closed) => every::closed::<M>(&arm.chain, closed, target, start, options, solutions),
        None => every::numeric::<M>(&arm.chain, target, start, options, solutions),
    }
}
