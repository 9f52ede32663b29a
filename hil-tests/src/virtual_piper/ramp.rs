//! The controller's own way from where a joint is to where it is sent: as fast as its speed and acceleration allow.

/// One coordinate on its way. A new target at any moment is a new way from there, never a jump.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Ramp {
    /// Where it is now.
    pub(super) position: f64,
    /// How fast it goes.
    pub(super) velocity: f64,
}

impl Ramp {
    /// At rest.
    pub(super) const fn at(position: f64) -> Self {
        Self { position, velocity: 0.0 }
    }

    /// Goes on for `dt` seconds, and never beyond the target for want of brakes.
    pub(super) fn step(&mut self, target: f64, speed: f64, acceleration: f64, dt: f64) {
        let left = target - self.position;
        let change = acceleration * dt;
        // The fastest from which the remaining way is enough to stop, in whole steps.
        let half = change / 2.0;
        let braking = (half * half + 2.0 * acceleration * left.abs()).sqrt() - half;
        let wanted = braking.min(speed).copysign(left);
        self.velocity += (wanted - self.velocity).clamp(-change, change);
        let next = self.position + self.velocity * dt;
        let arrives = (target - next) * left <= 0.0 || (target - next).abs() < 1e-9;
        if arrives && self.velocity.abs() <= change {
            *self = Self::at(target);
        } else {
            self.position = next;
        }
    }

    /// Whether it rests at the target.
    pub(super) fn rests_at(&self, target: f64) -> bool {
        self.velocity == 0.0 && (self.position - target).abs() < 1e-9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last step of a way is what is left of it: up to two of the steps that its acceleration allows.
    const CHANGE_MAX: f64 = 2.0 * 5.0 * 0.002 + 1e-12;

    #[test]
    fn it_arrives_without_overshoot_and_within_its_limits() {
        for target in [1.5, -0.02, 0.000_001] {
            let mut ramp = Ramp::at(0.0);
            let mut steps = 0;
            while !ramp.rests_at(target) {
                let before = ramp;
                ramp.step(target, 3.0, 5.0, 0.002);
                assert!((ramp.velocity - before.velocity).abs() <= CHANGE_MAX, "{target}");
                assert!(ramp.velocity.abs() <= 3.0 && ramp.position.abs() <= target.abs() + 1e-12);
                steps += 1;
                assert!(steps < 2_000, "{target}: {ramp:?}");
            }
        }
    }

    #[test]
    fn a_later_target_turns_it_round_without_a_jump() {
        let mut ramp = Ramp::at(0.0);
        for step in 0..2_000 {
            let before = ramp;
            ramp.step(if step < 200 { 1.0 } else { -1.0 }, 1.0, 5.0, 0.002);
            assert!((ramp.velocity - before.velocity).abs() <= CHANGE_MAX, "{step}");
        }
        assert!(ramp.rests_at(-1.0), "{ramp:?}");
    }
}
