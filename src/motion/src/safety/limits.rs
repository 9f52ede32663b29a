//! One joint's set-point under position, velocity, acceleration and jerk limits, all at once and for ever.
//!
//! Clamping one limit after the other breaks the earlier ones: a joint clamped at its position limit stops with an
//! infinite deceleration. Here a step is allowed only if the joint can still brake to rest inside all limits after it.
//! Braking is one fixed feedback law, [`Motion::braked`]; a step is allowed when following that law from its end stays
//! inside. Since the law's own first step leads to a state from which the rest of the same plan follows, there always
//! is an allowed step, and by induction no limit is ever exceeded, whatever is asked for.

use super::Limits;
use crate::{robot::JointLimits, words::words};

/// A brake plan longer than this (3.2 s at 20 Hz) is not trusted.
pub(super) const BRAKE_TICKS_MAX: u32 = 64;
/// Halvings in the search for the largest allowed step: 2^-12 of the interval, far below an encoder's count.
const HALVINGS: u32 = 12;
/// Slack for rounding in comparisons against limits, relative to the limit.
const SLACK: f64 = 1e-9;

/// A joint's last command with its first and second difference, and the wish before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Motion {
    pub(super) position: f64,
    pub(super) velocity: f64,
    pub(super) acceleration: f64,
    pub(super) asked: f64,
}

words!(Motion { position, velocity, acceleration, asked });

impl Motion {
    pub(super) const REST: Self =
        Self { position: 0.0, velocity: 0.0, acceleration: 0.0, asked: 0.0 };

    pub(super) fn is_finite(&self) -> bool {
        [self.position, self.velocity, self.acceleration, self.asked]
            .iter()
            .all(|it| it.is_finite())
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.velocity == 0.0 && self.acceleration == 0.0
    }

    /// The allowed step that comes nearest to `wish`, and what kept it from there.
    pub(super) fn toward(&self, wish: f64, limits: &JointLimits, dt: f64) -> (Self, Limits) {
        let mut by = Limits::default();
        // A joint that was armed a little outside its limits may come back, and go no further out.
        let floor = limits.position_min.min(self.position);
        let ceiling = limits.position_max.max(self.position);
        let goal = wish.clamp(floor, ceiling);
        if goal != wish {
            by.add(Limits::POSITION);
        }

        let wanted = (goal - self.position) / dt;
        let reach = Reach::of(self, limits, dt);
        if wanted.abs() > limits.velocity_max * (1.0 + SLACK) {
            by.add(Limits::VELOCITY);
        }
        if !within(wanted - self.velocity, limits.acceleration_max * dt) {
            by.add(Limits::ACCELERATION);
        }
        if !within(wanted - self.velocity - self.acceleration * dt, limits.jerk_max * dt * dt) {
            by.add(Limits::JERK);
        }

        // The wish itself, to the bit, if it can be reached and either kept up with or stopped at.
        let drift = (goal - self.asked) / dt;
        let room = Room { floor, ceiling, limits, dt };
        let exact = Self { position: goal, ..self.after(wanted, dt) };
        let match_up = (drift - wanted) / dt;
        let keeps_up = within(match_up, limits.acceleration_max.min(limits.jerk_max * dt))
            && within(match_up - exact.acceleration, limits.jerk_max * dt);
        if reach.allows(wanted) && keeps_up && room.holds(&exact) {
            return (Self { asked: goal, ..exact }, by);
        }

        let next = self.search(reach.clamp(wanted), goal, drift, &room);
        if next.position != goal && by == Limits::default() {
            by.add(if room.holds(&exact) { Limits::ACCELERATION } else { Limits::POSITION });
        }
        (Self { asked: goal, ..next }, by)
    }

    /// The step nearest to velocity `best` after which the joint can still stop inside its limits, and does not shoot
    /// past a goal that goes on drifting as it does.
    fn search(&self, best: f64, goal: f64, drift: f64, room: &Room) -> Self {
        let allowed = |velocity: f64| {
            let next = self.after(velocity, room.dt);
            (room.holds(&next) && next.settles(goal, drift, room)).then_some(next)
        };
        if let Some(next) = allowed(best) {
            return next;
        }
        let mut found = self.braked(room.limits, room.dt);
        let (mut good, mut bad) = (found.velocity, best);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (good + bad);
            match allowed(middle) {
                Some(next) => (good, found) = (middle, next),
                None => bad = middle,
            }
        }
        found
    }

    /// Seen from a goal that drifts on: whether the joint is falling behind, or can slow down before it catches up.
    fn settles(&self, goal: f64, drift: f64, room: &Room) -> bool {
        let gap = goal - self.position;
        let closing = self.velocity - drift;
        let toward = closing.signum();
        if closing == 0.0 || gap * toward < -SLACK {
            return true;
        }
        let seen = Self { position: -gap, velocity: closing, ..*self };
        let mut last = seen;
        for motion in seen.brake_plan(room.limits, room.dt) {
            let Some(motion) = motion else { return false };
            last = motion;
        }
        last.position * toward <= SLACK
    }

    /// One step of the braking law: velocity to zero, as fast as acceleration and jerk allow without crossing it.
    pub(super) fn braked(&self, limits: &JointLimits, dt: f64) -> Self {
        if self.is_at_rest() {
            return *self;
        }
        let jerk = limits.jerk_max;
        let speed = self.velocity.abs();
        // Largest deceleration a with a dt + a^2 / 2J <= speed: it can be let go before the velocity changes sign.
        let decelerate = jerk * (libm::sqrt(dt * dt + 2.0 * speed / jerk) - dt);
        let aim = -decelerate.min(limits.acceleration_max) * self.velocity.signum();
        let (least, most) = (self.acceleration - jerk * dt, self.acceleration + jerk * dt);
        // Standstill within one tick's jerk and acceleration ends the motion exactly.
        let stop = -self.velocity / dt;
        if stop >= least && stop <= most && stop.abs() <= (jerk * dt).min(limits.acceleration_max) {
            return Self { velocity: 0.0, acceleration: stop, ..*self };
        }
        let cap = limits.acceleration_max;
        let acceleration = between(between(aim, least, most), -cap, cap);
        let velocity = self.velocity + acceleration * dt;
        Self { position: self.position + velocity * dt, velocity, acceleration, ..*self }
    }

    /// The motion after one tick at `velocity`.
    fn after(&self, velocity: f64, dt: f64) -> Self {
        Self {
            position: self.position + velocity * dt,
            velocity,
            acceleration: (velocity - self.velocity) / dt,
            asked: self.asked,
        }
    }

    /// This motion and every one of its brake plan; `None` if the plan does not come to rest.
    fn brake_plan(&self, limits: &JointLimits, dt: f64) -> impl Iterator<Item = Option<Self>> {
        let (limits, start) = (*limits, *self);
        let mut next = Some(start);
        let mut ticks = 0;
        core::iter::from_fn(move || {
            let motion = next?;
            ticks += 1;
            if ticks > BRAKE_TICKS_MAX {
                next = None;
                return Some(None);
            }
            next = (!motion.is_at_rest()).then(|| motion.braked(&limits, dt));
            Some(Some(motion))
        })
    }
}

/// Where a joint may be, for ever.
struct Room<'a> {
    floor: f64,
    ceiling: f64,
    limits: &'a JointLimits,
    dt: f64,
}

impl Room<'_> {
    /// Whether braking from `motion` stays inside it and below the speed limit.
    fn holds(&self, motion: &Motion) -> bool {
        let (limits, dt) = (self.limits, self.dt);
        let speed_max = limits.velocity_max * (1.0 + SLACK);
        // Far from every limit the plan need not be walked: an upper bound of its speed and length will do.
        let ramp = motion.acceleration.abs() / limits.jerk_max;
        let speed = motion.velocity.abs() + motion.acceleration.abs() * (dt + ramp);
        let lead = 3.0 * (dt + limits.acceleration_max / limits.jerk_max);
        let length = speed * (lead + speed / (2.0 * limits.acceleration_max));
        let (low, high) = (motion.position - length, motion.position + length);
        if speed <= speed_max && low >= self.floor && high <= self.ceiling {
            return true;
        }
        motion.brake_plan(limits, dt).all(|motion| {
            motion.is_some_and(|motion| {
                motion.position >= self.floor
                    && motion.position <= self.ceiling
                    && motion.velocity.abs() <= speed_max
            })
        })
    }
}

/// The velocities that acceleration and jerk leave open for the next tick.
struct Reach {
    low: f64,
    high: f64,
}

impl Reach {
    fn of(motion: &Motion, limits: &JointLimits, dt: f64) -> Self {
        let cap = limits.acceleration_max;
        let least = (motion.acceleration - limits.jerk_max * dt).max(-cap);
        let most = (motion.acceleration + limits.jerk_max * dt).min(cap);
        Self { low: motion.velocity + least * dt, high: motion.velocity + most * dt }
    }

    fn allows(&self, velocity: f64) -> bool {
        let slack = SLACK * (self.high - self.low);
        velocity >= self.low - slack && velocity <= self.high + slack
    }

    fn clamp(&self, velocity: f64) -> f64 {
        velocity.max(self.low).min(self.high)
    }
}

/// As `clamp`, which panics where a bound is NaN.
fn between(value: f64, least: f64, most: f64) -> f64 {
    if value < least {
        least
    } else if value > most {
        most
    } else {
        value
    }
}

fn within(value: f64, limit: f64) -> bool {
    value.abs() <= limit * (1.0 + SLACK)
}
