//! The wall's clock, for those who read recordings: nothing that the robot does depends on it.

use std::time::{SystemTime, UNIX_EPOCH};

use reflex::Clock;

/// Nanoseconds since 1970, as the computer believes.
pub(super) fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pairing {
    pub(super) at_ns: u64,
    pub(super) unix_ns: u64,
}

impl Pairing {
    pub(super) fn now(clock: &Clock) -> Self {
        Self { at_ns: clock.now().0, unix_ns: unix_ns() }
    }

    /// What the wall's clock would have said at a moment of the loop's, had nobody set it since.
    pub(super) const fn unix_of(&self, at_ns: u64) -> u64 {
        let since = at_ns as i128 - self.at_ns as i128;
        let unix_ns = self.unix_ns as i128 + since;
        if unix_ns < 0 {
            0
        } else if unix_ns > u64::MAX as i128 {
            u64::MAX
        } else {
            unix_ns as u64
        }
    }

    /// How far the wall's clock has been moved between two pairings, in milliseconds.
    pub(super) fn moved_ms(&self, later: &Self) -> f64 {
        (later.unix_ns as f64 - self.unix_of(later.at_ns) as f64) / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_before_the_pairing_has_its_place_too() {
        let pairing = Pairing { at_ns: 5_000, unix_ns: 1_000_000 };
        assert_eq!((pairing.unix_of(6_000), pairing.unix_of(0)), (1_001_000, 995_000));
        assert_eq!(Pairing { at_ns: u64::MAX, unix_ns: 1 }.unix_of(0), 0);
        let later = Pairing { at_ns: 1_005_000, unix_ns: 4_000_000 };
        assert!((pairing.moved_ms(&later) - 2.0).abs() < 1e-9);
    }
}
