//! How fast each joint may go in the next tick.

use crate::{
    chain::Chain,
    vector::{JointVector, MAX_JOINTS},
};

/// What holds a joint back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Its position limit, and the way it needs to stop before it.
    Position,
    /// Its largest speed.
    Velocity,
    /// Its largest acceleration.
    Acceleration,
}

/// Least and greatest velocity of each joint, rad/s or m/s. Never empty: `low <= high`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) low: [f64; MAX_JOINTS],
    pub(crate) high: [f64; MAX_JOINTS],
    /// Without the acceleration limit: what tells the causes apart.
    room: [(f64, f64); MAX_JOINTS],
}

impl Bounds {
    pub(crate) fn of(
        chain: &Chain,
        period_s: f64,
        joints: &JointVector,
        velocity: &JointVector,
    ) -> Self {
        let (mut low, mut high) = ([0.0; MAX_JOINTS], [0.0; MAX_JOINTS]);
        let mut room = [(0.0, 0.0); MAX_JOINTS];
        let rate = period_s.recip();
        for (k, (joint, velocity)) in joints.iter().zip(velocity.iter()).enumerate() {
            let change = chain.acceleration_max[k] * period_s;
            let most = chain.velocity_max[k];
            // Enough for any stop from full speed: far from the limits nothing else needs to be worked out.
            let ample = 0.5 * most * (most + change) / change + change;
            let towards = |limit: f64| {
                let distance = ((limit - joint).abs() * rate).min(f64::MAX);
                if distance >= ample { most } else { most.min(stoppable(distance, change)) }
            };
            let (min, max) = (chain.position_min[k], chain.position_max[k]);
            let down = if *joint > min { -towards(min) } else { 0.0 };
            let up = if *joint < max { towards(max) } else { 0.0 };
            room[k] = (down, up);
            // Where the two ranges do not meet, the acceleration gives way.
            low[k] = (velocity - change).max(down).min(up);
            high[k] = (velocity + change).min(up).max(down);
        }
        Self { low, high, room }
    }

    /// What stands behind the upper or lower bound of joint `k`.
    pub(crate) fn cause(&self, chain: &Chain, k: usize, up: bool) -> Bound {
        let (bound, room) =
            if up { (self.high[k], self.room[k].1) } else { (self.low[k], self.room[k].0) };
        if bound.abs() < room.abs() || bound * room < 0.0 {
            Bound::Acceleration
        } else if room.abs() < chain.velocity_max[k] {
            Bound::Position
        } else {
            Bound::Velocity
        }
    }
}

/// The greatest velocity from which a joint stops within `distance`, if each tick takes away `change` of it at most.
///
/// Distance in velocity times ticks: a stop from `v`, between `k` and `k + 1` changes, covers
/// `v + (v - change) + ... + (v - k change) = (k + 1) v - change k (k + 1) / 2`. Exact on the grid of ticks, where the
/// `v^2 / 2a` of continuous time comes out up to half a tick's way short.
fn stoppable(distance: f64, change: f64) -> f64 {
    let k = (0.5 * ((1.0 + 8.0 * distance / change).sqrt() - 1.0)).floor();
    distance / (k + 1.0) + 0.5 * change * k
}
