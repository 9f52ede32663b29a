//! A robot whose sensors are noisy: any backend, with Gaussian noise on what it measured.

use motion::{Command, Joints, Nanos, State};

use super::Backend;
use crate::draw::Draw;

/// Deviations of the noise, by joint; anew in every tick, independent of each other.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// Of positions, rad or m.
    pub position: Joints,
    /// Of velocities, per second.
    pub velocity: Joints,
}

/// A backend behind noise.
pub struct Noisy<B> {
    backend: B,
    noise: Noise,
    draw: Draw,
}

impl<B: Backend> Noisy<B> {
    /// `backend` behind noise that depends on the seed and on nothing else.
    #[must_use]
    pub const fn new(backend: B, noise: Noise, seed: u64) -> Self {
        Self { backend, noise, draw: Draw::new(seed) }
    }
}

impl<B: Backend> Backend for Noisy<B> {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.backend.read(now, state);
        let Noise { position, velocity } = &self.noise;
        for (value, sigma) in state.position.iter_mut().zip(position.iter()) {
            *value += sigma * self.draw.normal();
        }
        for (value, sigma) in state.velocity.iter_mut().zip(velocity.iter()) {
            *value += sigma * self.draw.normal();
        }
    }

    fn write(&mut self, now: Nanos, command: &Command) {
        self.backend.write(now, command);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::loopback::Loopback;

    fn reads(seed: u64) -> Vec<(f64, f64)> {
        let joints = |value: f64| Joints::from_slice(&[value, 0.0]).expect("two joints");
        let noise = Noise { position: joints(0.002), velocity: joints(0.1) };
        let pose = Joints::from_slice(&[0.5, -0.5]).expect("two joints");
        let mut robot = Noisy::new(Loopback::new(pose, 0.05), noise, seed);
        let mut state = State::blank(2);
        let read = |tick: u64| {
            robot.read(Nanos(tick * 50_000_000), &mut state);
            assert_eq!((state.position[1], state.velocity[1]), (-0.5, 0.0), "without deviation");
            (state.position[0] - 0.5, state.velocity[0])
        };
        (0..2_000).map(read).collect()
    }

    #[test]
    fn what_is_measured_scatters_as_told_and_repeats_with_its_seed() {
        let seen = reads(5);
        let deviation = |of: fn(&(f64, f64)) -> f64| {
            (seen.iter().map(|pair| of(pair).powi(2)).sum::<f64>() / seen.len() as f64).sqrt()
        };
        assert!((deviation(|pair| pair.0) / 0.002 - 1.0).abs() < 0.1, "seed 5");
        assert!((deviation(|pair| pair.1) / 0.1 - 1.0).abs() < 0.1, "seed 5");
        assert_eq!(seen, reads(5));
        assert_ne!(seen, reads(6));
    }
}
