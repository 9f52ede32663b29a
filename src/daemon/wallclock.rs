//! Whether the wall clock leaps. The loop does not care; recordings, and the expiry of signatures, do.

use std::time::{Duration, SystemTime};

use motion::failsafe::Condition;
use reflex::{Clock, StopSwitch};

use crate::operator::Desk;

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(500);
/// A clock that is set right little by little gains less than this in that time.
const LEAP_NS: i128 = 100_000_000;
/// So long after a leap the clock is told of as one that leapt.
const FOR_NS: u64 = 60_000_000_000;

/// The distance between both clocks, as it was seen last.
#[derive(Debug, Default)]
struct Leaps {
    distance_ns: Option<i128>,
    leapt_ns: Option<u64>,
}

impl Leaps {
    /// Takes in what both clocks say; how far the wall clock leapt since it was looked last, and whether it did lately.
    fn look(&mut self, wall_ns: i128, loop_ns: u64) -> (Option<i128>, bool) {
        let distance_ns = wall_ns - i128::from(loop_ns);
        let leap = self.distance_ns.map(|before| distance_ns - before);
        let leap = leap.filter(|leap| leap.abs() > LEAP_NS);
        self.distance_ns = Some(distance_ns);
        if leap.is_some() {
            self.leapt_ns = Some(loop_ns);
        }
        let lately = self.leapt_ns.is_some_and(|at| loop_ns.saturating_sub(at) < FOR_NS);
        (leap, lately)
    }
}

/// Looks at the wall clock for as long as the daemon runs, and tells the law.
pub(super) async fn watch(switch: StopSwitch, desk: Desk) {
    let mut leaps = Leaps::default();
    while !switch.quits() {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall_ns = i128::try_from(wall.as_nanos()).unwrap_or(i128::MAX);
        let wall_ns = wall_ns.saturating_add(i128::from(desk.stepped_ms()) * 1_000_000);
        let (leap, lately) = leaps.look(wall_ns, Clock::Monotonic.now().0);
        if let Some(leap) = leap {
            tracing::warn!("the wall clock leapt by {:.3} s", leap as f64 / 1e9);
        }
        switch.tell(Condition::ClockStepped, lately);
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_leap_either_way_is_told_for_a_minute_and_a_clock_that_drifts_is_not() {
        let mut leaps = Leaps::default();
        let day = 1_700_000_000 * i128::from(SECOND);
        for k in 0..100 {
            // Set right by half a part in a thousand.
            let at = k * SECOND / 2;
            assert_eq!(leaps.look(day + i128::from(at) * 2001 / 2000, at), (None, false));
        }
        let at = 50 * SECOND;
        let (leap, lately) = leaps.look(day - 3_600 * i128::from(SECOND), at);
        assert!(leap.is_some_and(|leap| leap < -3_600 * i128::from(SECOND)) && lately);
        let after = |s: u64| day - 3_600 * i128::from(SECOND) + i128::from(s * SECOND);
        assert_eq!(leaps.look(after(59), at + 59 * SECOND), (None, true));
        assert_eq!(leaps.look(after(60), at + 60 * SECOND), (None, false));
    }
}
