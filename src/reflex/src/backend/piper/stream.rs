//! From set-points at the loop's pace to set-points at the servo's: smooth, and never further than was commanded.
//!
//! The law's set-points are control points of a uniform cubic B-spline, one segment a period. Its velocity,
//! acceleration and jerk are then weighted means of the first, second and third differences of the set-points, so none
//! of them is ever larger than what the law let pass. The price is that the arm passes a set-point two periods after it
//! came; the deceleration of a stop sets in at once.
//!
//! Segments begin on a grid of their own, [`SLACK`] after the ticks, so that a tick that is a little late is not felt.
//! If the next set-point is not there in time, the way is gone on with by braking, within the limits: a loop that died
//! leaves an arm that comes to rest and stands.

use motion::Nanos;

/// Joints of the arm, and its gripper.
pub(super) const AXES: usize = 7;

/// One value for each joint, rad, and the gripper's opening, m.
pub(super) type Axes = [f64; AXES];

/// How much later than its tick a set-point may come, as a share of the period (one in so many).
const SLACK: u64 = 4;

/// Periods without a set-point after which the loop counts as gone.
const GONE_AFTER: u32 = 3;

/// A way through set-points, as of some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    period_ns: u64,
    acceleration_max: Axes,
    range: [(f64, f64); AXES],
    /// Control points of the present segment, oldest first.
    points: [Axes; 4],
    /// When the present segment ends.
    due: Nanos,
    next: Option<Axes>,
    starved: u32,
}

impl Stream {
    /// Stands at `pose`; the first set-point is due within a period.
    pub(super) fn standing(
        period_ns: u64,
        acceleration_max: Axes,
        range: [(f64, f64); AXES],
        pose: Axes,
        now: Nanos,
    ) -> Self {
        let due = now.after(period_ns / SLACK);
        Self { period_ns, acceleration_max, range, points: [pose; 4], due, next: None, starved: 0 }
    }

    /// Takes a set-point; of several in one period the newest counts. The first one after a silence sets the grid.
    pub(super) fn push(&mut self, position: Axes, at: Nanos) {
        if self.is_abandoned() && self.is_at_rest() {
            *self = Self { due: at.after(self.period_ns / SLACK), starved: 0, ..*self };
        }
        self.next = Some(position);
    }

    /// Where to be at `now`. Time must not go back.
    pub(super) fn at(&mut self, now: Nanos) -> Axes {
        // A servo that slept for long has nothing to catch up with but the end of the way.
        for _ in 0..8 {
            if now < self.due {
                break;
            }
            self.due = self.due.after(self.period_ns);
            self.turn();
        }
        if now >= self.due {
            let behind = now.since(self.due) / self.period_ns + 1;
            self.due = self.due.after(behind * self.period_ns);
        }
        let left = self.due.since(now) as f64 / self.period_ns as f64;
        let weights = weights(1.0 - left.min(1.0));
        std::array::from_fn(|axis| {
            self.points.iter().zip(weights).map(|(point, weight)| point[axis] * weight).sum()
        })
    }

    /// Whether the loop has said nothing for some periods.
    pub(super) const fn is_abandoned(&self) -> bool {
        self.starved >= GONE_AFTER
    }

    fn is_at_rest(&self) -> bool {
        self.points.iter().all(|point| *point == self.points[3])
    }

    fn turn(&mut self) {
        let point = match self.next.take() {
            Some(point) => {
                self.starved = 0;
                point
            }
            None => {
                self.starved = self.starved.saturating_add(1);
                self.braked()
            }
        };
        self.points = [self.points[1], self.points[2], self.points[3], point];
    }

    /// The set-point of a loop that brakes every joint, each within its own acceleration.
    fn braked(&self) -> Axes {
        let period_s = self.period_ns as f64 / 1e9;
        std::array::from_fn(|axis| {
            let last = self.points[3][axis];
            let velocity = (last - self.points[2][axis]) / period_s;
            let slower = (velocity.abs() - self.acceleration_max[axis] * period_s).max(0.0);
            let (low, high) = self.range[axis];
            // Whoever stands outside its range already is not pulled anywhere.
            (last + velocity.signum() * slower * period_s).clamp(low.min(last), high.max(last))
        })
    }
}

/// The uniform cubic B-spline's.
fn weights(u: f64) -> [f64; 4] {
    let v = 1.0 - u;
    [
        v * v * v / 6.0,
        (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0,
        (3.0 * v * v * v - 6.0 * v * v + 4.0) / 6.0,
        u * u * u / 6.0,
    ]
}

#[cfg(test)]
#[path = "stream_test.rs"]
mod tests;
