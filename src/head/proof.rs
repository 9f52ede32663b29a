//! The proof of a head on the engine that will run it: its golden vectors, then enough runs to be warm.

use std::time::{Duration, Instant};

use super::{Golden, Head, HeadError};

/// Runs before a head may answer: the first ones pay for page faults and cold caches, which the loop must not.
const WARM_UP_RUNS: usize = 20;

/// What loading a head has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Proof {
    /// How many golden vectors were checked.
    pub goldens: usize,
    /// The largest difference from any of them, in the units of the columns.
    pub worst_error: f64,
    /// The narrowest tolerance among them.
    pub tolerance: f64,
    /// How many warm-up runs there were.
    pub warm_up_runs: usize,
    /// The median time of a warm run (the later half of them), from raw observation to chunk.
    pub median_run: Duration,
    /// The slowest of those.
    pub slowest_run: Duration,
}

/// The place where an answer is furthest from a golden action.
#[derive(Clone, Copy, Debug, Default)]
struct Worst {
    error: f64,
    step: usize,
    column: usize,
    wanted: f64,
    got: f64,
}

impl Head {
    /// Checks every golden vector, then warms up.
    pub(super) fn prove(&mut self) -> Result<Proof, HeadError> {
        let goldens = self.manifest.golden.clone();
        let mut proof =
            Proof { goldens: goldens.len(), tolerance: f64::INFINITY, ..Proof::default() };
        for (at, golden) in goldens.iter().enumerate() {
            let worst = furthest(golden, self.answer(&golden.observation)?);
            if worst.error > golden.tolerance {
                return Err(self.mismatch(at, golden, worst));
            }
            proof.worst_error = proof.worst_error.max(worst.error);
            proof.tolerance = proof.tolerance.min(golden.tolerance);
        }
        let mut runs = Vec::with_capacity(WARM_UP_RUNS);
        for golden in goldens.iter().cycle().take(WARM_UP_RUNS) {
            let start = Instant::now();
            self.rehearse(&golden.observation)?;
            runs.push(start.elapsed());
        }
        proof.warm_up_runs = runs.len();
        let mut warm = runs.split_off(runs.len() / 2);
        warm.sort_unstable();
        proof.median_run = warm.get(warm.len() / 2).copied().unwrap_or_default();
        proof.slowest_run = warm.last().copied().unwrap_or_default();
        Ok(proof)
    }

    fn mismatch(&self, golden: usize, vector: &Golden, worst: Worst) -> HeadError {
        HeadError::Golden {
            file: self.manifest.path().to_path_buf(),
            golden,
            step: worst.step,
            column: self.manifest.output.column_name(worst.column),
            wanted: worst.wanted,
            got: worst.got,
            tolerance: vector.tolerance,
        }
    }
}

/// `answer` row by row. A value that is missing is infinitely far away.
fn furthest(golden: &Golden, answer: &[f64]) -> Worst {
    let mut worst = Worst::default();
    let mut answer = answer.iter().copied();
    for (step, row) in golden.action.iter().enumerate() {
        for (column, &wanted) in row.iter().enumerate() {
            let got = answer.next().unwrap_or(f64::NEG_INFINITY);
            let error = (got - wanted).abs();
            if error > worst.error {
                worst = Worst { error, step, column, wanted, got };
            }
        }
    }
    worst
}
