//! Where a head comes from, and how well it did.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::check::{Checked, Refuse};

/// Where a head comes from; told, never judged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The data that it learnt from.
    pub dataset: Option<String>,
    /// The command that made it.
    pub command: Option<String>,
    /// Under which terms it may be used.
    pub licence: Option<String>,
}

impl Provenance {
    pub(super) fn check(&self, no: &Refuse<'_>) -> Checked {
        let Self { dataset, command, licence } = self;
        for (key, text) in [("dataset", dataset), ("command", command), ("licence", licence)] {
            let is_said = text.as_ref().is_none_or(|text| !text.trim().is_empty());
            no.unless(is_said, format!("provenance.{key}"), text, "say it, or leave it out")?;
        }
        Ok(())
    }
}

/// One evaluation in closed loop, such that anybody can repeat it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// The command that repeats it.
    pub command: String,
    /// The day that it was done, as in `2026-11-21`.
    pub date: String,
    /// Its first seed; the others follow one by one.
    pub first_seed: u64,
    /// How many episodes there were, of all strata.
    pub episodes: u32,
    /// How many of them succeeded.
    pub successes: u32,
    /// What counts as a success, and anything else that should be known.
    pub note: Option<String>,
    /// The same under each condition by itself: noise, delay, a push.
    #[serde(default)]
    pub strata: Vec<Stratum>,
}

/// The episodes of an evaluation that were done under one condition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stratum {
    /// The condition.
    pub name: String,
    /// How many of the episodes were done under it.
    pub episodes: u32,
    /// How many of these succeeded.
    pub successes: u32,
}

impl Evaluation {
    /// Successes among episodes, from 0 to 1.
    #[must_use]
    pub fn success_rate(&self) -> f64 {
        f64::from(self.successes) / f64::from(self.episodes.max(1))
    }

    pub(super) fn check(&self, no: &Refuse<'_>) -> Checked {
        no.unless_named("evaluation.command", &self.command)?;
        let remedy = "give year, month and day, as in \"2026-11-21\"";
        no.unless(is_date(&self.date), "evaluation.date", &self.date, remedy)?;
        let is_said = self.note.as_ref().is_none_or(|note| !note.trim().is_empty());
        no.unless(is_said, "evaluation.note", &self.note, "say it, or leave it out")?;
        counts(no, "evaluation", self.episodes, self.successes)?;
        let mut names = HashSet::new();
        for (at, stratum) in self.strata.iter().enumerate() {
            let key = format!("evaluation.strata[{at}]");
            let name = format!("{key}.name");
            no.unless_named(&name, &stratum.name)?;
            no.unless(names.insert(&stratum.name), name, &stratum.name, "name each only once")?;
            counts(no, &key, stratum.episodes, stratum.successes)?;
            let (few, total) = (stratum.episodes <= self.episodes, self.episodes);
            let remedy = format!("give at most the {total} of evaluation.episodes");
            no.unless(few, format!("{key}.episodes"), stratum.episodes, remedy)?;
            let (few, total) = (stratum.successes <= self.successes, self.successes);
            let remedy = format!("give at most the {total} of evaluation.successes");
            no.unless(few, format!("{key}.successes"), stratum.successes, remedy)?;
        }
        Ok(())
    }
}

fn counts(no: &Refuse<'_>, key: &str, episodes: u32, successes: u32) -> Checked {
    no.unless(episodes > 0, format!("{key}.episodes"), episodes, "give at least 1")?;
    let remedy = format!("give at most the {episodes} episodes");
    no.unless(successes <= episodes, format!("{key}.successes"), successes, remedy)
}

/// `2026-11-21`: a day that is in the calendar's months, which is as much as a typing error needs.
fn is_date(date: &str) -> bool {
    let parts: Option<Vec<u32>> = date.split('-').map(|part| part.parse().ok()).collect();
    let is_written = date.len() == 10 && date.bytes().all(|c| c == b'-' || c.is_ascii_digit());
    is_written
        && matches!(parts.as_deref(), Some([2000..=9999, 1..=12, 1..=31]))
        && date.as_bytes()[4] == b'-'
        && date.as_bytes()[7] == b'-'
}
