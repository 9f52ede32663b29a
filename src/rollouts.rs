//! Episodes as data to train on: recorded tick by tick, and written as other people's programs read them.
//!
//! ```text
//!   seeds ──record──► a part for each episode ──► vla/      rows and images for vision-language-action models
//!                     (whole, or not there)  └──► lerobot/  a LeRobotDataset v3.0
//!                                                           summary.json, last: now it is done
//! ```
//!
//! A run that was interrupted goes on with the first episode that has no part; what is written out is a function of the
//! parts, so an interrupted run and one that was not give the same bytes.

mod error;
mod files;
mod lerobot;
mod store;
mod trace;
mod vla;

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;

pub use error::RolloutError;
pub use store::{Format, Plan, SCHEMA, Store};
pub use trace::{ImageStats, Sample, Trace, record};

/// What a set of episodes came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Episodes that were played.
    pub episodes: u64,
    /// How many of them succeeded.
    pub succeeded: u64,
    /// Seeds of those that did not, and why.
    pub failed: BTreeMap<u64, String>,
    /// Episodes that were written: all, or those that succeeded.
    pub kept: u64,
    /// Ticks of these.
    pub frames: u64,
    /// Ticks of these in which no chunk was there to follow.
    pub starved: u64,
    /// Ticks of these in which the safety filter changed the set-point.
    pub limited: u64,
    /// How often each instruction was given in these.
    pub instructions: BTreeMap<String, u64>,
    /// What was written for vision-language-action models.
    pub vla: Option<vla::Written>,
    /// What was written as a LeRobotDataset.
    pub lerobot: Option<lerobot::Written>,
}

/// Writes everything that is asked for out of the parts of a store, `summary.json` last; `progress` hears of each episode
/// that was read.
///
/// # Errors
/// A part that is missing or torn, or a file that cannot be written.
pub fn write(store: &Store, mut progress: impl FnMut()) -> Result<Summary, RolloutError> {
    let plan = store.plan();
    let mut summary = Summary::default();
    let mut vla =
        plan.format.vla().then(|| vla::Writer::new(plan, store.path("vla"))).transpose()?;
    let mut lerobot = plan
        .format
        .lerobot()
        .then(|| lerobot::Writer::new(plan, store.path("lerobot")))
        .transpose()?;
    for index in 0..plan.episodes {
        let (trace, images) = store.read(index)?;
        summary.count(plan, &trace);
        if trace.success || !plan.succeeded_only {
            if let Some(writer) = &mut vla {
                writer.add(&trace, &images)?;
            }
            if let Some(writer) = &mut lerobot {
                writer.add(&trace, &images)?;
            }
        }
        progress();
    }
    if summary.kept == 0 {
        return Err(RolloutError::Nothing { episodes: plan.episodes });
    }
    summary.vla = vla.map(vla::Writer::finish).transpose()?;
    summary.lerobot = lerobot.map(lerobot::Writer::finish).transpose()?;
    store.finish(&summary)?;
    Ok(summary)
}

impl Summary {
    fn count(&mut self, plan: &Plan, trace: &Trace) {
        self.episodes += 1;
        self.succeeded += u64::from(trace.success);
        if !trace.success {
            let why = trace.trouble.clone().unwrap_or_else(|| "too slow".into());
            self.failed.insert(trace.seed, why);
            if plan.succeeded_only {
                return;
            }
        }
        self.kept += 1;
        self.frames += trace.samples.len() as u64;
        let count = |is_so: fn(&Sample) -> bool| {
            trace.samples.iter().filter(|sample| is_so(sample)).count() as u64
        };
        self.starved += count(|sample| sample.starved);
        self.limited += count(|sample| sample.limited);
        *self.instructions.entry(trace.instruction.clone()).or_default() += 1;
    }
}

/// A path below a folder of the data set, as its own files name it.
fn numbered(kind: &str, roll: Roll, ending: &str) -> PathBuf {
    PathBuf::from(format!("{kind}/chunk-{:03}/file-{:03}.{ending}", roll.chunk, roll.file))
}

/// Which file of a row of files, a thousand to a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Roll {
    chunk: u64,
    file: u64,
}

impl Roll {
    const FILES_MAX: u64 = 1000;

    const fn next(self) -> Self {
        if self.file + 1 == Self::FILES_MAX {
            Self { chunk: self.chunk + 1, file: 0 }
        } else {
            Self { chunk: self.chunk, file: self.file + 1 }
        }
    }
}

#[cfg(test)]
#[path = "rollouts/rollouts_test.rs"]
mod tests;
