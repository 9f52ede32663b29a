//! A whole path is looked at before anything moves.
//!
//! Every way to hold each way-point is a node, every pair of nodes that the joints' speeds allow is an edge, and the
//! shortest of all ways through that graph (dynamic programming, layer by layer) is the plan. Beside the solutions that
//! the inverse tells of, each layer holds the continuations of the layer before it: they carry a path through a
//! singularity, where a pose has a family of solutions, and they are all that an arm without a closed form has.
//!
//! The one place in this crate that allocates: it is called where plans are made, never within a tick.

use nalgebra::{Isometry3, UnitQuaternion};

use crate::{
    answer::{Answer, Hold, PoseError},
    dispatch,
    inverse::{Arm, Options, Solutions},
    math::Frame,
    numeric::Goal,
    vector::JointVector,
};

/// Why a path cannot be gone. Way-points count from 0; `None` is the joints to start from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PathError {
    /// The joints to start from, or the pose of this way-point, make no sense.
    Held {
        /// Which; `None` where it is the start.
        waypoint: Option<usize>,
        /// Why.
        hold: Hold,
    },
    /// The period is not a positive finite number.
    Period,
    /// The joints to start from are outside the limits.
    Outside {
        /// The first joint that is.
        joint: usize,
    },
    /// The arm does not reach this way-point.
    Unreachable {
        /// Which.
        waypoint: usize,
        /// The nearest that was found.
        nearest: JointVector,
        /// How near.
        error: PoseError,
    },
    /// The arm reaches this way-point, its joint limits do not.
    LimitBlocked {
        /// Which.
        waypoint: usize,
        /// The joint that is furthest outside, in the solution that is least outside.
        joint: usize,
        /// How far outside, rad or m.
        by: f64,
    },
    /// Each way-point is reached, but this step between two asks too much of a joint, whichever way the arm holds them.
    TooFast {
        /// From this way-point.
        from: Option<usize>,
        /// To this one.
        to: usize,
        /// The joint that is the worst, where the least is asked.
        joint: usize,
        /// What it would have to do, rad/s or m/s.
        speed: f64,
        /// What it can.
        speed_max: f64,
    },
    /// The joints could be there in time, but only by leaving the way between these two: another branch.
    Detour {
        /// From this way-point.
        from: Option<usize>,
        /// To this one.
        to: usize,
        /// How far the tool would be from the middle of the step.
        error: PoseError,
    },
}

/// The most ways to hold one way-point that are followed up.
const NODES_MAX: usize = 24;

/// How far a joint of a redundant arm is turned aside, rad or m.
const ASIDE: f64 = 0.7;

/// A way to hold a way-point, and the best way to it.
#[derive(Clone, Copy)]
struct Node {
    joints: JointVector,
    /// The last step.
    moved: JointVector,
    cost: f64,
    before: usize,
}

/// Joint vectors of one period each, along way-points `x_base_tool` from the joints `start`, one period before the first.
///
/// Every step keeps the joints' speeds, and its middle stays near the middle of its way-points, so that no step changes
/// the branch behind the tool's back. Of all such ways it is the one that asks the least speed, by sum of squares.
/// `options.work_max` bounds the work at each way-point. A redundant arm has no end of ways, of which a few are followed
/// up: a refusal then does not prove that there is none.
///
/// # Errors
/// Why not, at the first way-point that no way through the ones before it leads to.
pub fn plan(
    arm: &Arm,
    waypoints: &[Isometry3<f64>],
    start: &[f64],
    period_s: f64,
    options: &Options,
) -> Result<Vec<JointVector>, PathError> {
    if !(period_s > 0.0 && period_s.is_finite()) {
        return Err(PathError::Period);
    }
    let joints = checked_start(arm, start)?;
    let mut layers =
        vec![vec![Node { joints, moved: JointVector::zeros(joints.len()), cost: 0.0, before: 0 }]];
    let mut solutions = Solutions::none();
    for (index, pose) in waypoints.iter().enumerate() {
        let step =
            Step { arm, period_s, index, from: x_before(arm, waypoints, start, index), to: *pose };
        let last = layers.last().map_or(&[][..], Vec::as_slice);
        let candidates = candidates(arm, last, pose, index, options, &mut solutions)?;
        let mut layer: Vec<Node> =
            candidates.iter().filter_map(|joints| step.best(last, joints)).collect();
        layer.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        layer.truncate(NODES_MAX);
        if layer.is_empty() {
            return Err(step.why(last, &candidates));
        }
        layers.push(layer);
    }
    Ok(traced(&layers))
}

fn checked_start(arm: &Arm, start: &[f64]) -> Result<JointVector, PathError> {
    let held = |hold| PathError::Held { waypoint: None, hold };
    let joints = JointVector::from_slice(start).filter(|q| q.len() == arm.chain().len());
    let joints = joints.ok_or(held(Hold::Shape))?;
    if !joints.is_finite() {
        return Err(held(Hold::NotFinite));
    }
    let (low, high) = arm.chain().limits();
    match (0..joints.len()).find(|k| joints[*k] < low[*k] || joints[*k] > high[*k]) {
        Some(joint) => Err(PathError::Outside { joint }),
        None => Ok(joints),
    }
}

fn x_before(
    arm: &Arm,
    waypoints: &[Isometry3<f64>],
    start: &[f64],
    index: usize,
) -> Isometry3<f64> {
    match index.checked_sub(1).and_then(|before| waypoints.get(before)) {
        Some(pose) => *pose,
        None => arm.chain().x_base_tool(start),
    }
}

/// Where the ways on from a node are looked for: where it is; where its last step would take it again, which is the way
/// through a singularity rather than back out of it; and, if no closed form tells of other ways, to both sides by turning
/// one joint, another one at each way-point.
fn continued(arm: &Arm, node: &Node, waypoint: usize) -> impl Iterator<Item = JointVector> + use<> {
    let mut on = node.joints;
    on.iter_mut().zip(node.moved.iter()).for_each(|(joint, moved)| *joint += moved);
    let aside = |by: f64| {
        let mut joints = on;
        let which = waypoint % joints.len();
        joints[which] += by;
        arm.closed.is_none().then_some(joints)
    };
    [Some(node.joints), Some(on), aside(ASIDE), aside(-ASIDE)].into_iter().flatten()
}

/// Every way that is found to hold a way-point inside the limits, each once.
fn candidates(
    arm: &Arm,
    last: &[Node],
    pose: &Isometry3<f64>,
    waypoint: usize,
    options: &Options,
    solutions: &mut Solutions,
) -> Result<Vec<JointVector>, PathError> {
    let chain = arm.chain();
    let nearest = last.iter().min_by(|a, b| a.cost.total_cmp(&b.cost));
    let start = nearest.map_or(JointVector::zeros(chain.len()), |node| node.joints);
    let mut found: Vec<JointVector> = Vec::new();
    let alike = if chain.len() > 6 { 0.2 * ASIDE } else { 1e-7 };
    let add = |found: &mut Vec<JointVector>, joints: &JointVector| {
        let same = |other: &JointVector| {
            other.iter().zip(joints.iter()).all(|(a, b)| (a - b).abs() < alike)
        };
        if chain.holds(joints, 0.0) && !found.iter().any(same) {
            found.push(*joints);
        }
    };
    let sound = (pose.rotation.norm_squared() - 1.0).abs() < 1e-3
        && pose.translation.vector.iter().all(|value| value.is_finite());
    if !sound {
        return Err(PathError::Held { waypoint: Some(waypoint), hold: Hold::NotFinite });
    }
    let rotation = UnitQuaternion::new_normalize(*pose.rotation);
    let target = Frame::from_isometry(&Isometry3::from_parts(pose.translation, rotation));
    let goal = Goal { posture: None, ..options.goal() };
    for start in last.iter().flat_map(|node| continued(arm, node, waypoint)) {
        // A continuation that takes long is none.
        let mut work = options.work_max.min(60);
        let reach = dispatch::refine(chain, &target, &start, &goal, &mut work);
        if reach.error.within(options.accept_m, options.accept_rad) {
            add(&mut found, &reach.joints);
        }
    }
    // An arm without a closed form has no others to tell of, and would look for them at length.
    if arm.closed.is_some() || found.is_empty() {
        arm.solve_all(pose, &start, options, solutions);
        for solution in solutions.as_slice().iter().filter(|solution| solution.outside.is_none()) {
            add(&mut found, &solution.joints);
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    match arm.solve(pose, &start, &Options { keep_branch: false, ..*options }) {
        Answer::Exact { joints, .. } | Answer::Approximate { joints, .. } => Ok(vec![joints]),
        Answer::Unreachable { nearest, error, .. } => {
            Err(PathError::Unreachable { waypoint, nearest, error })
        }
        Answer::LimitBlocked { joint, by, .. } => {
            Err(PathError::LimitBlocked { waypoint, joint, by })
        }
        Answer::Held(hold) => Err(PathError::Held { waypoint: Some(waypoint), hold }),
    }
}

/// From one way-point to the next.
struct Step<'a> {
    arm: &'a Arm,
    period_s: f64,
    index: usize,
    from: Isometry3<f64>,
    to: Isometry3<f64>,
}

impl Step<'_> {
    /// The joint that a step hurries most: which, and the part of its speed that it uses.
    fn hurry(&self, from: &JointVector, to: &JointVector) -> (usize, f64) {
        let most = &self.arm.chain().velocity_max;
        let part = |k: usize| (to[k] - from[k]).abs() / (self.period_s * most[k]);
        (0..to.len()).map(|k| (k, part(k))).fold((0, 0.0), |a, b| if b.1 > a.1 { b } else { a })
    }

    /// How far the tool is from the middle of the way when the joints are in the middle of theirs; `None` if near enough:
    /// within half of the step, and what a straight step of joints bends by.
    fn detour(&self, from: &JointVector, to: &JointVector) -> Option<PoseError> {
        let mut middle = *from;
        for (value, to) in middle.iter_mut().zip(to.iter()) {
            *value = 0.5 * (*value + to);
        }
        let turn = (self.to.rotation * self.from.rotation.inverse()).scaled_axis();
        let way = self.to.translation.vector - self.from.translation.vector;
        let half = Isometry3::from_parts(
            (self.from.translation.vector + way * 0.5).into(),
            UnitQuaternion::from_scaled_axis(turn * 0.5) * self.from.rotation,
        );
        let error = self.arm.chain().error(&middle, &half);
        (!error.within(0.5 * way.norm() + 2e-3, 0.5 * turn.norm() + 2e-2)).then_some(error)
    }

    /// The best way to hold this way-point so.
    fn best(&self, last: &[Node], joints: &JointVector) -> Option<Node> {
        let most = &self.arm.chain().velocity_max;
        let mut best: Option<Node> = None;
        for (before, node) in last.iter().enumerate() {
            let parts = joints.iter().zip(node.joints.iter()).zip(most);
            let cost = node.cost
                + parts.map(|((a, b), v)| ((a - b) / (self.period_s * v)).powi(2)).sum::<f64>();
            let better = best.is_none_or(|best| cost < best.cost);
            if better
                && self.hurry(&node.joints, joints).1 <= 1.0 + 1e-9
                && self.detour(&node.joints, joints).is_none()
            {
                let mut moved = *joints;
                moved.iter_mut().zip(node.joints.iter()).for_each(|(to, from)| *to -= from);
                best = Some(Node { joints: *joints, moved, cost, before });
            }
        }
        best
    }

    /// What the step that asks the least still asks too much.
    fn why(&self, last: &[Node], candidates: &[JointVector]) -> PathError {
        let (from, to) = (self.index.checked_sub(1), self.index);
        let pairs =
            last.iter().flat_map(|node| candidates.iter().map(move |to| (&node.joints, to)));
        let slow = pairs.clone().find_map(|(a, b)| {
            if self.hurry(a, b).1 <= 1.0 + 1e-9 { self.detour(a, b) } else { None }
        });
        if let Some(error) = slow {
            return PathError::Detour { from, to, error };
        }
        let (joint, part) = pairs
            .map(|(a, b)| self.hurry(a, b))
            .fold((0, f64::INFINITY), |a, b| if b.1 < a.1 { b } else { a });
        let speed_max = self.arm.chain().velocity_max[joint];
        PathError::TooFast { from, to, joint, speed: part * speed_max, speed_max }
    }
}

fn traced(layers: &[Vec<Node>]) -> Vec<JointVector> {
    let ends = layers.last().map_or(&[][..], Vec::as_slice);
    let end = (0..ends.len()).min_by(|a, b| ends[*a].cost.total_cmp(&ends[*b].cost));
    let mut at = end.unwrap_or_default();
    let mut path = Vec::with_capacity(layers.len());
    // The first layer is the start itself.
    for layer in layers.iter().skip(1).rev() {
        path.push(layer[at].joints);
        at = layer[at].before;
    }
    path.reverse();
    path
}
