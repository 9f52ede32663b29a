//! What episodes come to: counts with their uncertainty, and how smooth and how true the motion was.

use motion::{Drive, Joints, Tick};
use serde::Serialize;

/// How a robot moved: peaks of its commands, and how far it was from them. Grippers are left out: they may jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Smoothness {
    /// Greatest acceleration of a joint's commands, rad/s2 (m/s2 of one that slides).
    pub acceleration_max: f64,
    /// Greatest jerk, rad/s3.
    pub jerk_max: f64,
    /// Root mean square, over ticks and joints, of what was measured less what had been commanded the tick before, rad.
    pub tracking_rms: f64,
}

/// Watches commands and what becomes of them.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    period_s: f64,
    /// Joints that count.
    arm: Vec<bool>,
    /// The last three commands, newest first.
    commands: [Option<Joints>; 3],
    smoothness: Smoothness,
    squares: f64,
    looks: u64,
}

impl Watch {
    pub(super) fn new(robot: &motion::Robot) -> Self {
        Self {
            period_s: robot.period_s(),
            arm: robot.limits().iter().map(|limits| !limits.gripper).collect(),
            commands: [None; 3],
            smoothness: Smoothness::default(),
            squares: 0.0,
            looks: 0,
        }
    }

    pub(super) fn look(&mut self, tick: &Tick) {
        if tick.drive == Drive::Off {
            return; // nothing is commanded
        }
        let joints = self.arm.iter().enumerate().filter(|(_, counts)| **counts).map(|(at, _)| at);
        let [newest, older, oldest] = &self.commands;
        let (squared, cubed) = (self.period_s.powi(2), self.period_s.powi(3));
        for at in joints {
            let now = tick.applied[at];
            let Some(one) = newest.map(|command| command[at]) else { continue };
            self.squares += (tick.state.position[at] - one).powi(2);
            self.looks += 1;
            let Some(two) = older.map(|command| command[at]) else { continue };
            let acceleration = (now - 2.0 * one + two).abs() / squared;
            let Some(three) = oldest.map(|command| command[at]) else { continue };
            let jerk = (now - 3.0 * one + 3.0 * two - three).abs() / cubed;
            self.smoothness.acceleration_max = self.smoothness.acceleration_max.max(acceleration);
            self.smoothness.jerk_max = self.smoothness.jerk_max.max(jerk);
        }
        self.commands.rotate_right(1);
        self.commands[0] = Some(tick.applied);
    }

    pub(super) fn told(&self) -> Smoothness {
        let tracking_rms = (self.squares / self.looks.max(1) as f64).sqrt();
        Smoothness { tracking_rms, ..self.smoothness }
    }
}

/// The interval in which a share lies with a probability of 95 %, from `successes` of `count`: the score interval of
/// Wilson (1927). It stays within 0 and 1, and is not empty for 200 of 200.
#[must_use]
pub fn wilson_95(successes: usize, count: usize) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    if count == 0 {
        return [0.0, 1.0];
    }
    let (n, share) = (count as f64, successes as f64 / count as f64);
    let scale = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// The one in the middle; `None` of none.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (successes, count, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let [found_low, found_high] = wilson_95(successes, count);
            assert!((found_low - low).abs() < 1e-4, "{successes} of {count}: {found_low}");
            assert!((found_high - high).abs() < 1e-4, "{successes} of {count}: {found_high}");
        }
        assert_eq!(wilson_95(0, 0), [0.0, 1.0]);
        assert!(wilson_95(200, 200)[0] > 0.98 && wilson_95(200, 200)[1] == 1.0);
    }

    #[test]
    fn the_middle_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
    }
}
