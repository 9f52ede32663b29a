//! From a pose to joints.

use nalgebra::Isometry3;

use crate::{
    answer::{Answer, Branch, Hold, Search},
    chain::Chain,
    vector::{JointVector, MAX_JOINTS},
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
            work_max: 2_000,
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

    pub(crate) fn push(&mut self, solution: Solution) {
        if let Some(slot) = self.items.get_mut(self.len) {
            *slot = solution;
            self.len += 1;
        } else {
            self.search = Search::Capped;
        }
    }
}

/// An arm with its inverse, found from the chain alone.
#[derive(Clone, Copy, Debug)]
pub struct Arm {
    chain: Chain,
}

impl Arm {
    /// Classifies a chain and prepares its inverse.
    #[must_use]
    pub const fn compile(chain: Chain) -> Self {
        Self { chain }
    }

    /// The exact chain.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The branch that the arm is in.
    #[must_use]
    pub const fn branch(&self, _joints: &[f64]) -> Branch {
        Branch(0)
    }

    /// Every solution that is found, `start` only orders them.
    pub fn solve_all(
        &self,
        x_base_tool: &Isometry3<f64>,
        start: &[f64],
        options: &Options,
        solutions: &mut Solutions,
    ) {
        *solutions = Solutions::none();
        if let Some(joints) = self.solve(x_base_tool, start, options).joints() {
            let error = self.chain.error(joints, x_base_tool);
            let branch = self.branch(joints);
            solutions.push(Solution { joints: *joints, branch, error, outside: None });
        }
    }

    /// The solution inside the limits that is nearest to `start`.
    #[must_use]
    pub fn solve(&self, x_base_tool: &Isometry3<f64>, start: &[f64], options: &Options) -> Answer {
        let Some(mut q) = JointVector::from_slice(start).filter(|q| q.len() == self.chain.len())
        else {
            return Answer::Held(Hold::Shape);
        };
        let t = x_base_tool;
        let finite = t.translation.vector.iter().chain(t.rotation.coords.iter());
        if !q.is_finite() || !finite.into_iter().all(|v| v.is_finite()) {
            return Answer::Held(Hold::NotFinite);
        }
        for _ in 0..200 {
            let (x, jacobian) = self.chain.jacobian(&q);
            let dp = t.translation.vector - x.translation.vector;
            let dr = (t.rotation * x.rotation.inverse()).scaled_axis();
            let error = nalgebra::Vector6::new(dp.x, dp.y, dp.z, dr.x, dr.y, dr.z);
            let n = self.chain.len();
            let j = nalgebra::SMatrix::<f64, 6, MAX_JOINTS>::from_fn(|r, c| {
                if c < n { jacobian[c][r] } else { 0.0 }
            });
            let damped = j * j.transpose() + nalgebra::Matrix6::identity() * 1e-6;
            let Some(solved) = damped.cholesky() else { break };
            let step = j.transpose() * solved.solve(&error);
            for k in 0..n {
                q[k] = (q[k] + step[k].clamp(-0.3, 0.3))
                    .clamp(self.chain.position_min[k], self.chain.position_max[k]);
            }
        }
        let (joints, error, branch) = (q, self.chain.error(&q, t), Branch(0));
        if error.within(options.exact_m, options.exact_rad) {
            Answer::Exact { joints, branch, error }
        } else if error.within(options.accept_m, options.accept_rad) {
            Answer::Approximate { joints, branch, error }
        } else {
            Answer::Unreachable { nearest: joints, error, search: Search::Capped }
        }
    }
}
