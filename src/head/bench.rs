//! How long a head takes on this machine, part by part.

use std::{
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use motion::{Chunk, ChunkId, Joints, RunId, TickIndex};

use super::{Head, HeadError, bad_action, bad_engine, rows};
use crate::action::{LowerError, Start};

/// Longest run that is told apart.
const LONGEST_NS: u64 = 60_000_000_000;
/// Significant digits that are kept.
const DIGITS: u8 = 3;
/// Runs at the same pace that are not counted: the first ones pay for cold caches of their own.
const WARM_UP_RUNS: u64 = 20;

/// How often a head is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One after the other: caches are warm.
    BackToBack,
    /// As a loop does it, with time for everybody else in between.
    Every(Duration),
}

/// Durations of many runs, in us.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Half of the runs are faster.
    pub p50_us: f64,
    /// Nine in ten.
    pub p90_us: f64,
    /// Ninety-nine in a hundred.
    pub p99_us: f64,
    /// All but one in a thousand.
    pub p99_9_us: f64,
    /// The slowest.
    pub max_us: f64,
}

/// What a bench has shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bench {
    /// Runs that were counted.
    pub runs: u64,
    /// From raw observation to chunk.
    pub whole: Spread,
    /// The observation into the input tensors.
    pub packing: Spread,
    /// The network by itself.
    pub network: Spread,
    /// The answer into joints, inverse kinematics included.
    pub lowering: Spread,
    /// Runs that took longer than the manifest's deadline.
    pub beyond_deadline: u64,
}

/// One histogram; it is of its full size from the start, so that recording allocates nothing.
struct Durations(Histogram<u64>);

impl Durations {
    fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, DIGITS);
        Self(histogram.unwrap_or_else(|_| unreachable!("1 ns to 60 s, 3 digits")))
    }

    fn record(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(ns.clamp(1, LONGEST_NS));
    }

    fn spread(&self) -> Spread {
        let at = |quantile: f64| self.0.value_at_quantile(quantile) as f64 / 1e3;
        Spread {
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            max_us: self.0.max() as f64 / 1e3,
        }
    }
}

impl Head {
    /// Runs it on its golden observations, `runs` times.
    ///
    /// # Errors
    /// As [`Self::infer`]. A pose that the arm cannot be put in from the middle of its ranges is none: the time counts all
    /// the same.
    pub fn bench(&mut self, runs: u64, pace: Pace) -> Result<Bench, HeadError> {
        let goldens = self.manifest.golden.clone();
        let deadline = Duration::from_secs_f64(self.manifest.timing.deadline_ms / 1e3);
        let joints = self.middle.len();
        let start = Start {
            measured: self.middle,
            commanded: self.middle,
            velocity: Joints::zeros(joints),
        };
        let [mut whole, mut packing, mut network, mut lowering] =
            std::array::from_fn(|_| Durations::new());
        let (mut done, mut beyond_deadline) = (0, 0);
        let mut due = Instant::now();
        for golden in goldens.iter().cycle() {
            if done == runs + WARM_UP_RUNS {
                break;
            }
            if let Pace::Every(period) = pace {
                due += period;
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let mut chunk = Chunk::empty(ChunkId(0), RunId(0), self.digest, TickIndex(0), joints);
            let began = Instant::now();
            self.normalise(&golden.observation)?;
            let packed = Instant::now();
            let output = self.session.run().map_err(|error| bad_engine(&self.manifest, error))?;
            let ran = Instant::now();
            let into_joints = self.lowering.lower(rows(output, &self.manifest), &start, &mut chunk);
            let lowered = Instant::now();
            match into_joints {
                Ok(()) | Err(LowerError::Pose { .. }) => {}
                Err(error) => return Err(bad_action(&self.manifest, error)),
            }
            done += 1;
            if done <= WARM_UP_RUNS {
                continue;
            }
            whole.record(lowered - began);
            packing.record(packed - began);
            network.record(ran - packed);
            lowering.record(lowered - ran);
            beyond_deadline += u64::from(lowered - began > deadline);
        }
        Ok(Bench {
            runs,
            whole: whole.spread(),
            packing: packing.spread(),
            network: network.spread(),
            lowering: lowering.spread(),
            beyond_deadline,
        })
    }
}
