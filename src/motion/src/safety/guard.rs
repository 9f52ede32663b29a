//! The workspace guard: a step is allowed only if nothing comes too near after it, however soon the robot has to stop.
//!
//! Every joint brakes by its own law, so the way to rest is known to the tick. A step is taken only if it and that whole
//! way keep every watched pair apart; otherwise every joint brakes. Since the way to rest from the last step was judged
//! when that one was taken, and braking follows it to the bit, the robot always has a way that touches nothing: after an
//! e-stop and a fault, too.
//!
//! At full speed a hand goes a hand's breadth between two set-points, so the way is judged in between as well, by
//! conservative advancement (Mirtich, 1996): no pair comes nearer by more than the sum of its joints' strides, so what
//! is far need not be measured, and what is near is measured again before its room is used up.

use super::limits::{BRAKE_TICKS_MAX, Motion};
use crate::{
    joints::{Joints, MAX_JOINTS},
    robot::Robot,
    workspace::{MAX_PAIRS, Obstacle, Pair, Workspace},
};

/// A pair that is too near already may not come nearer; this much is rounding, m.
const ROUNDING_M: f64 = 1e-9;
/// A plane is not jumped over: between two measurements only the bow of an arc is missed, for this much of travel on
/// the shortest lever, 0.1 m, half a millimetre.
const PLANE_STRIDE_M: f64 = 0.02;
/// Measurements of the way in one tick. What needs more goes too far too near: the robot brakes.
const MEASUREMENTS_MAX: u32 = 128;

type Motions = [Motion; MAX_JOINTS];

/// The pair that `next`, or braking from it, would bring too near.
pub(super) fn barred(
    last: &Motions,
    next: &Motions,
    robot: &Robot,
    workspace: &Workspace,
) -> Option<Pair> {
    let mut at = positions(last, robot);
    let mut walk = Walk::begin(workspace, &at);
    let mut motions = *next;
    for _ in 0..=BRAKE_TICKS_MAX {
        let to = positions(&motions, robot);
        if let Some(pair) = walk.advance(&at, &to) {
            return Some(pair);
        }
        if motions[..robot.joints()].iter().all(Motion::is_at_rest) {
            return None;
        }
        at = to;
        for (motion, limits) in motions.iter_mut().zip(robot.limits()) {
            *motion = motion.braked(limits, robot.period_s());
        }
    }
    // A way to rest that is longer than is trusted: the filter's own limits do not let it come to that.
    workspace.watched().next().map(|index| workspace.pair(index))
}

/// A way on which nothing may come too near.
struct Walk<'a> {
    workspace: &'a Workspace,
    /// How near each pair may come, m: the margin, or where it stands if that is nearer. Who was armed too near may
    /// leave.
    floor: [f64; MAX_PAIRS],
    /// What at least is left above that, m.
    room: [f64; MAX_PAIRS],
    measurements_left: u32,
}

impl<'a> Walk<'a> {
    fn begin(workspace: &'a Workspace, at: &Joints) -> Self {
        let (mut floor, mut room) = ([0.0; MAX_PAIRS], [0.0; MAX_PAIRS]);
        let (scene, margin_m) = (workspace.scene(at), workspace.margin_m());
        for index in workspace.watched() {
            let clearance = workspace.clearance(index, &scene);
            // NaN stays NaN: with that floor nothing is allowed.
            floor[index] = if clearance > margin_m { margin_m } else { clearance };
            room[index] = clearance - floor[index];
        }
        Self { workspace, floor, room, measurements_left: MEASUREMENTS_MAX }
    }

    /// Goes straight on in joint space; the pair that bars the way, if one does.
    fn advance(&mut self, from: &Joints, to: &Joints) -> Option<Pair> {
        let strides = self.workspace.strides(from, to);
        let (mut near, mut count) = ([(0, 0.0); MAX_PAIRS], 0);
        for index in self.workspace.watched() {
            let travel = self.workspace.travel(index, &strides);
            if travel <= self.room[index] {
                self.room[index] -= travel;
            } else if travel != 0.0 {
                near[count] = (index, travel);
                count += 1;
            }
        }
        let near = &near[..count];
        let mut share = 0.0;
        while !near.is_empty() && share < 1.0 {
            let before = near.iter().map(|(index, travel)| self.stride(*index) / travel);
            share = (share + before.fold(1.0, f64::min)).min(1.0);
            let mut at = *to;
            if share < 1.0 {
                for ((at, from), to) in at.iter_mut().zip(from.iter()).zip(to.iter()) {
                    *at = from + (to - from) * share;
                }
            }
            let scene = self.workspace.scene(&at);
            for (index, _) in near {
                self.room[*index] = self.workspace.clearance(*index, &scene) - self.floor[*index];
            }
            let short = |room: f64| room < -ROUNDING_M || room.is_nan();
            let barred = near.iter().find(|(index, _)| short(self.room[*index]));
            let too_long = self.measurements_left == 0 && share < 1.0;
            if let Some((index, _)) = barred.or(if too_long { near.first() } else { None }) {
                return Some(self.workspace.pair(*index));
            }
            self.measurements_left = self.measurements_left.saturating_sub(1);
        }
        None
    }

    /// What a pair may travel before it is measured again, m. Who has less room than the margin is measured every
    /// margin, and keeps half of it in between.
    fn stride(&self, index: usize) -> f64 {
        let margin_m = self.workspace.margin_m();
        let least = match self.workspace.pair(index).obstacle {
            Obstacle::Capsule(_) => margin_m,
            Obstacle::Plane(_) => PLANE_STRIDE_M.max(margin_m),
        };
        self.room[index].max(least)
    }
}

/// The guard's verdict on set-points that are to come, one a tick: what it would say, if they were followed.
#[derive(Clone, Debug)]
pub struct Foresight<'a> {
    robot: &'a Robot,
    last: Option<Motions>,
    /// Set-points seen, until there are enough for an acceleration.
    seen: u8,
}

impl<'a> Foresight<'a> {
    /// Nothing has been seen yet.
    #[must_use]
    pub const fn new(robot: &'a Robot) -> Self {
        Self { robot, last: None, seen: 0 }
    }

    /// Takes the next set-point; the pair that it, or braking from it, would bring too near.
    pub fn next(&mut self, set_point: &Joints) -> Option<Pair> {
        let dt = self.robot.period_s();
        let known = self.last.is_some();
        let last = self.last.unwrap_or([Motion::REST; MAX_JOINTS]);
        let mut next = [Motion::REST; MAX_JOINTS];
        for ((next, last), position) in next.iter_mut().zip(&last).zip(set_point.iter()) {
            next.position = *position;
            next.velocity = if known { (position - last.position) / dt } else { 0.0 };
            let has_history = self.seen >= 2;
            next.acceleration =
                if has_history { (next.velocity - last.velocity) / dt } else { 0.0 };
        }
        self.seen = (self.seen + 1).min(2);
        // Where it begins it stands: from there on nothing may come nearer that is too near.
        let from = if known { last } else { next };
        self.last = Some(next);
        barred(&from, &next, self.robot, self.robot.workspace()?)
    }
}

fn positions(motions: &Motions, robot: &Robot) -> Joints {
    let mut joints = Joints::zeros(robot.joints());
    for (value, motion) in joints.iter_mut().zip(motions) {
        *value = motion.position;
    }
    joints
}
