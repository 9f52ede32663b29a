//! How a way is gone along in time.

use nalgebra::Isometry3;

use super::{LineError, ToolPath};

/// What the tool may do on its way. Not a number anywhere is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathLimits {
    /// Speed, m/s.
    pub speed_m_s: f64,
    /// Angular speed, rad/s.
    pub speed_rad_s: f64,
    /// Acceleration along the way and, on a curve, across it: each, m/s^2.
    pub acceleration_m_s2: f64,
    /// Angular acceleration, rad/s^2.
    pub acceleration_rad_s2: f64,
    /// Jerk along the way, m/s^3.
    pub jerk_m_s3: f64,
    /// Angular jerk, rad/s^3.
    pub jerk_rad_s3: f64,
}

/// The greatest values that a law reaches, of the part of the way: 1/s, 1/s^2, 1/s^3. Times the length (or angle) of the
/// way they are the tool's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// Of the speed, 1/s.
    pub speed: f64,
    /// Of the acceleration, 1/s^2.
    pub acceleration: f64,
    /// Of the jerk, 1/s^3.
    pub jerk: f64,
}

/// From rest to rest along a way, jerk-limited: seven phases, the shortest time within the limits, then slowed down evenly
/// to end on a tick (by less than one).
///
/// Method: the double S of L. Biagiotti and C. Melchiorri, Trajectory Planning for Automatic Machines and Robots (2008),
/// section 3.4, symmetric as both ends are at rest; the phases are closed-form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeLaw {
    peaks: Peaks,
    /// Of one change of acceleration, of all of the speeding up, of the whole, s.
    jerk_s: f64,
    speeding_s: f64,
    whole_s: f64,
    period_s: f64,
    ticks: u32,
}

impl TimeLaw {
    /// The most ticks that a law may have.
    pub const TICKS_MAX: u32 = 1_000_000;

    /// The law for a way, on the grid of a period.
    ///
    /// # Errors
    /// A limit or the period is not a positive finite number, or the way takes too many ticks.
    pub fn new(
        path: &impl ToolPath,
        limits: &PathLimits,
        period_s: f64,
    ) -> Result<Self, LineError> {
        let l = limits;
        let given = [
            (l.speed_m_s, l.speed_rad_s),
            (l.acceleration_m_s2, l.acceleration_rad_s2),
            (l.jerk_m_s3, l.jerk_rad_s3),
        ];
        let good = |value: f64| value > 0.0 && value.is_finite();
        if !good(period_s) || !given.iter().all(|(a, b)| good(*a) && good(*b)) {
            return Err(LineError::Limits);
        }
        let (length, angle) = (path.length_m(), path.angle_rad());
        // What the way does not do does not limit it: a quotient by 0 is infinite.
        let [speed, acceleration, jerk] = given.map(|(m, rad)| (m / length).min(rad / angle));
        let curve = (l.acceleration_m_s2 * path.radius_m()).sqrt() / length;
        let peaks = Peaks { speed: speed.min(curve), acceleration, jerk };
        if !good(peaks.speed) || !good(acceleration) || !good(jerk) {
            return Err(LineError::Nowhere);
        }
        Self::fastest(peaks, period_s)
    }

    fn fastest(limits: Peaks, period_s: f64) -> Result<Self, LineError> {
        let Peaks { speed: v, acceleration: a, jerk: j } = limits;
        let jerk_and_speeding = |v: f64| {
            let t = (a / j).min((v / j).sqrt());
            (t, t + v / (j * t))
        };
        let (jerk_s, speeding_s) = jerk_and_speeding(v);
        let (v, jerk_s, speeding_s) = if v * speeding_s <= 1.0 {
            (v, jerk_s, speeding_s)
        } else {
            // Too short for that speed: v (v / a + a / j) = 1, or, where a is not reached either, 2 j t^3 = 1.
            let c = a * a / j;
            let reached = 2.0 / (c / a + ((c / a) * (c / a) + 4.0 / a).sqrt());
            let v = if reached >= c { reached } else { j * (0.5 / j).cbrt().powi(2) };
            let (jerk_s, speeding_s) = jerk_and_speeding(v);
            (v, jerk_s, speeding_s)
        };
        let whole_s = speeding_s + (1.0 / v).max(speeding_s);
        let ticks = (whole_s / period_s).ceil();
        if !(ticks <= f64::from(Self::TICKS_MAX)) {
            return Err(LineError::TooLong);
        }
        // Slower by this factor, it ends on a tick.
        let slow = ticks * period_s / whole_s;
        let peaks = Peaks {
            speed: v / slow,
            acceleration: j * jerk_s / (slow * slow),
            jerk: j / (slow * slow * slow),
        };
        Ok(Self {
            peaks,
            jerk_s: jerk_s * slow,
            speeding_s: speeding_s * slow,
            whole_s: ticks * period_s,
            period_s,
            ticks: ticks as u32,
        })
    }

    /// Ticks from the start, which is tick 0, to the end.
    #[must_use]
    pub const fn ticks(&self) -> u32 {
        self.ticks
    }

    /// The time of the whole way, s.
    #[must_use]
    pub const fn duration_s(&self) -> f64 {
        self.whole_s
    }

    /// The greatest speed, acceleration and jerk that are reached.
    #[must_use]
    pub const fn peaks(&self) -> &Peaks {
        &self.peaks
    }

    /// The part of the way that is done after a time; 0 before the start, 1 after the end.
    #[must_use]
    pub fn part_at(&self, time_s: f64) -> f64 {
        if time_s > 0.5 * self.whole_s {
            return 1.0 - self.rising((self.whole_s - time_s).max(0.0));
        }
        // Not a number is the start.
        if time_s > 0.0 { self.rising(time_s) } else { 0.0 }
    }

    /// The first half.
    fn rising(&self, t: f64) -> f64 {
        let Peaks { speed, acceleration, jerk } = self.peaks;
        let (tj, ta) = (self.jerk_s, self.speeding_s);
        if t < tj {
            jerk * t * t * t / 6.0
        } else if t < ta - tj {
            acceleration * (t * t / 2.0 - t * tj / 2.0 + tj * tj / 6.0)
        } else if t < ta {
            let left = ta - t;
            speed * (t - ta / 2.0) + jerk * left * left * left / 6.0
        } else {
            speed * (t - ta / 2.0)
        }
    }

    /// The pose of each tick after the start, the last the end of the way.
    pub fn poses<'a>(
        &'a self,
        path: &'a impl ToolPath,
    ) -> impl Iterator<Item = Isometry3<f64>> + 'a {
        (1..=self.ticks).map(move |tick| {
            let s = if tick == self.ticks {
                1.0
            } else {
                self.part_at(f64::from(tick) * self.period_s)
            };
            path.pose_at(s)
        })
    }
}
