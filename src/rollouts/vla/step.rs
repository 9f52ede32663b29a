//! A tick of an episode, as rows tell it.

use serde::{Serialize, Serializer};

use super::{super::Plan, TASKS, tool_key};
use crate::rollouts::trace::{Sample, Trace};

/// A thing so far above where it lay has been grasped, m.
const GRASPED_M: f64 = 0.02;

/// The robot's state: keys in their published order.
#[derive(Clone, Debug)]
pub(super) struct State(Vec<(String, Vec<f64>)>);

impl Serialize for State {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(key, numbers)| (key, numbers)))
    }
}

/// A tick.
pub(super) struct Step {
    pub(super) at: usize,
    pub(super) time_s: f64,
    /// Of its picture, from the folder.
    pub(super) image: String,
    pub(super) state: State,
    /// The joint targets as parts of their ranges, -1 to 1.
    pub(super) action: Vec<f64>,
    pub(super) success: bool,
    pub(super) grasped: bool,
    pub(super) eaten: bool,
    pub(super) starved: bool,
}

impl Step {
    pub(super) fn of(plan: &Plan, trace: &Trace, at: usize) -> Self {
        let samples = &trace.samples;
        let (sample, before) = (&samples[at], &samples[at.saturating_sub(1)]);
        let object = trace.objects.iter().position(|name| *name == trace.object).unwrap_or(0);
        let pose = |sample: &Sample| sample.objects.get(object).copied().unwrap_or_default();
        let success = trace.success && at + 1 == samples.len();
        Self {
            at,
            time_s: sample.at_ns as f64 / 1e9,
            image: format!("images/{:06}/{at:06}.jpg", trace.index),
            state: state(plan, at == 0, [before, sample], [pose(before), pose(sample)]),
            action: normalised(plan, &sample.applied),
            success,
            grasped: pose(sample)[2] - pose(&samples[0])[2] > GRASPED_M,
            eaten: success && plan.skill == "find_and_eat_berry",
            starved: sample.starved,
        }
    }
}

fn state(
    plan: &Plan,
    is_first: bool,
    [before, now]: [&Sample; 2],
    [pose_before, pose]: [[f64; 7]; 2],
) -> State {
    // Before the first command the robot was where it stood.
    let commanded = if is_first { &now.position } else { &before.applied };
    let speed = velocity(&pose_before, &pose, now.at_ns - before.at_ns);
    let mut state = vec![
        ("qpos".to_owned(), [&pose[..], &now.position].concat()),
        ("qvel".to_owned(), [&speed[..], &now.velocity].concat()),
        ("ctrl".to_owned(), commanded.clone()),
        ("previous_action".to_owned(), normalised(plan, commanded)),
    ];
    let tools = plan.arms.iter().zip(&now.tools_m);
    state.extend(tools.map(|(arm, tool_m)| (tool_key(arm), tool_m.to_vec())));
    state.push(("ball_pos".to_owned(), pose[..3].to_vec()));
    let flags = TASKS.map(|(_, skill)| f64::from(u8::from(skill == plan.skill)));
    state.push(("task_flags".to_owned(), flags.to_vec()));
    State(state)
}

/// Positions as parts of their ranges: -1 lowest, 1 highest.
fn normalised(plan: &Plan, positions: &[f64]) -> Vec<f64> {
    let part = |(value, [low, high]): (&f64, &[f64; 2])| {
        let half = (0.5 * (high - low)).max(1e-6);
        ((value - 0.5 * (low + high)) / half).clamp(-1.0, 1.0)
    };
    positions.iter().zip(&plan.joint_ranges).map(part).collect()
}

/// How a free body got from one pose to the next: linear in the base frame (m/s), then angular in its own (rad/s).
fn velocity(before: &[f64; 7], now: &[f64; 7], elapsed_ns: u64) -> [f64; 6] {
    if elapsed_ns == 0 {
        return [0.0; 6];
    }
    let elapsed_s = elapsed_ns as f64 / 1e9;
    let [w, x, y, z] = [before[3], -before[4], -before[5], -before[6]];
    let [a, b, c, d] = [now[3], now[4], now[5], now[6]];
    // The turn from one to the other, and of its two signs the shorter way.
    let mut turn = [
        w * a - x * b - y * c - z * d,
        w * b + x * a + y * d - z * c,
        w * c - x * d + y * a + z * b,
        w * d + x * c - y * b + z * a,
    ];
    if turn[0] < 0.0 {
        turn = turn.map(|part| -part);
    }
    let sine = turn[1].hypot(turn[2]).hypot(turn[3]);
    let angle = 2.0 * sine.atan2(turn[0]);
    let scale = if sine > 1e-12 { angle / sine } else { 2.0 } / elapsed_s;
    let linear = |axis: usize| (now[axis] - before[axis]) / elapsed_s;
    [linear(0), linear(1), linear(2), scale * turn[1], scale * turn[2], scale * turn[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_velocity_of_a_pose_is_what_takes_it_there() {
        let half: f64 = 0.05;
        let turned = [0.1, 0.0, -0.2, half.cos(), 0.0, 0.0, half.sin()];
        let still = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
        let found = velocity(&still, &turned, 50_000_000);
        let wanted = [2.0, 0.0, -4.0, 0.0, 0.0, 2.0];
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        // The other sign of the same quaternion is the same pose.
        let other = [0.1, 0.0, -0.2, -half.cos(), 0.0, 0.0, -half.sin()];
        assert_eq!(velocity(&still, &other, 50_000_000), found);
        assert_eq!(velocity(&still, &turned, 0), [0.0; 6]);
    }
}
