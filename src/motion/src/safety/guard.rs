//! The workspace guard: a step is allowed only if nothing comes too near after it, however soon the robot has to stop.
//!
//! Every joint brakes by its own law, so the way to rest is known to the tick. A step is taken only if the set-point and
//! that whole way keep every watched pair apart; otherwise every joint brakes. Since the way to rest from the last step
//! was judged when that one was taken, and braking follows it to the bit, the robot always has a way that touches
//! nothing: after an e-stop and a fault, too.

use super::limits::{BRAKE_TICKS_MAX, Motion};
use crate::{
    joints::{Joints, MAX_JOINTS},
    robot::Robot,
    workspace::{MAX_PAIRS, Pair, Workspace},
};

/// A pair that is too near already may not come nearer; this much is rounding, m.
const ROUNDING_M: f64 = 1e-12;

type Motions = [Motion; MAX_JOINTS];

/// The pair that `next`, or braking from it, would bring too near.
pub(super) fn barred(
    last: &Motions,
    next: &Motions,
    robot: &Robot,
    workspace: &Workspace,
) -> Option<Pair> {
    let start = positions(last, robot);
    // How far each joint goes in all: few pairs are near enough for that to matter.
    let (mut ways, mut before, mut rests) = (Joints::zeros(robot.joints()), start, false);
    for motions in braking(next, robot) {
        let here = positions(&motions, robot);
        for (way, (to, from)) in ways.iter_mut().zip(here.iter().zip(before.iter())) {
            *way += (to - from).abs();
        }
        before = here;
        rests = all_rest(&motions, robot);
    }
    let scene = workspace.scene(&start);
    let strides = workspace.strides(&Joints::zeros(robot.joints()), &ways);
    let (mut near, mut count) = ([(0, 0.0); MAX_PAIRS], 0);
    for index in workspace.watched() {
        let clearance = workspace.clearance(index, &scene);
        // Who was armed too near may leave.
        let floor = if clearance < workspace.margin_m() {
            clearance - ROUNDING_M
        } else {
            workspace.margin_m()
        };
        // Not `<`: NaN is no clearance.
        if !(rests && clearance - workspace.travel(index, &strides) >= floor) {
            near[count] = (index, floor);
            count += 1;
        }
    }
    let near = &near[..count];
    if near.is_empty() {
        return None;
    }
    for motions in braking(next, robot) {
        let scene = workspace.scene(&positions(&motions, robot));
        let meets = |(index, floor): &&(usize, f64)| {
            !(rests && workspace.clearance(*index, &scene) >= *floor)
        };
        if let Some((index, _)) = near.iter().find(meets) {
            return Some(workspace.pair(*index));
        }
    }
    None
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

/// These motions and every one until all joints rest, or for as long as a brake plan is trusted.
fn braking(from: &Motions, robot: &Robot) -> impl Iterator<Item = Motions> {
    let mut next = Some(*from);
    (0..=BRAKE_TICKS_MAX).map_while(move |_| {
        let here = next?;
        next = (!all_rest(&here, robot)).then(|| {
            let mut braked = here;
            for (motion, limits) in braked.iter_mut().zip(robot.limits()) {
                *motion = motion.braked(limits, robot.period_s());
            }
            braked
        });
        Some(here)
    })
}

fn all_rest(motions: &Motions, robot: &Robot) -> bool {
    motions[..robot.joints()].iter().all(Motion::is_at_rest)
}

fn positions(motions: &Motions, robot: &Robot) -> Joints {
    let mut joints = Joints::zeros(robot.joints());
    for (value, motion) in joints.iter_mut().zip(motions) {
        *value = motion.position;
    }
    joints
}
