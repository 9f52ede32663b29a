//! The manifest's words on time: when a head is asked, how its chunks are joined, what corrects them.

use std::path::PathBuf;

use motion::{JointLimits, Joints, MAX_AHEAD, MAX_STEPS, Seam};
use serde::Deserialize;

use super::{
    Input,
    check::{Checked, PERIOD_MAX_MS, Refuse},
};
use crate::observation::FeatureName;

/// Steepest weights of an ensemble: beyond it only one chunk counts.
const COEFFICIENT_MAX: f64 = 10.0;
/// Largest correction, as a share of the joint's range: what needs more is another motion.
const SHARE_MAX: f64 = 0.2;

/// When a head is asked and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// The time from one of its actions to the next in its training, ms.
    pub period_ms: f64,
    /// In which loop it may run; absent: `own`.
    #[serde(default)]
    pub at: At,
    /// Steps of each chunk.
    pub chunk_steps: u32,
    /// Steps that are executed before the next chunk is wanted.
    pub execute_steps: u32,
    /// Whether the loop waits for it.
    pub mode: Mode,
    /// Ticks ahead of need at which a prefetched chunk is asked for.
    #[serde(default)]
    pub prefetch_ticks: u32,
    /// How long it may take, ms.
    pub deadline_ms: f64,
    /// Which tick the first step is for; absent: the observed one, or the take-over if the state is rolled forward.
    pub first_step: Option<FirstStep>,
    /// Whether the observation is rolled forward to the take-over: for a head that was trained without delay.
    #[serde(default)]
    pub roll_forward: bool,
}

impl Timing {
    /// Whether it may run in a loop of this period, ms.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn fits(&self, loop_ms: f64) -> Result<(), String> {
        let (own_ms, deadline_ms) = (self.period_ms, self.deadline_ms);
        let ticks = f64::from(self.prefetch_ticks.max(1));
        match self.at {
            At::Own if (own_ms - loop_ms).abs() > 1e-6 => Err(format!(
                "it is made for {own_ms} ms (timing.at = \"own\"), and loop.period_ms = {loop_ms}: set that"
            )),
            At::Loop if deadline_ms >= ticks * loop_ms => Err(format!(
                "its timing.deadline_ms = {deadline_ms} is no less than the time until its chunk is wanted, \
                 {ticks} of loop.period_ms = {loop_ms}: make it shorter"
            )),
            At::Own | At::Loop => Ok(()),
        }
    }

    /// The time from one of its actions to the next in a loop of this period, ms.
    #[must_use]
    pub const fn action_ms(&self, loop_ms: f64) -> f64 {
        match self.at {
            At::Own => self.period_ms,
            At::Loop => loop_ms,
        }
    }

    /// Which tick the first step is for.
    #[must_use]
    pub fn first_step(&self) -> motion::FirstStep {
        match self.first_step {
            Some(FirstStep::TakeOver) => motion::FirstStep::TakeOver,
            None if self.roll_forward => motion::FirstStep::TakeOver,
            None | Some(FirstStep::Observation) => motion::FirstStep::Observation,
        }
    }
}

/// In which loop a head may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// In one of its own period only.
    #[default]
    Own,
    /// In any: an action lasts a tick, however long that is.
    Loop,
}

impl At {
    /// As it is written in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Loop => "loop",
        }
    }

    /// What that means, for people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Own => "only in a loop of that period",
            Self::Loop => "an action for each tick of any loop",
        }
    }
}

/// [`motion::FirstStep`], by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstStep {
    /// The tick whose state it saw.
    Observation,
    /// The tick at which it takes over.
    TakeOver,
}

/// Whether the loop waits for a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The chunk is wanted in the tick that asks.
    Inline,
    /// It is asked for some ticks ahead.
    Prefetch,
}

/// How chunks are joined.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeamRule {
    /// The method.
    pub method: SeamMethod,
    /// Ticks that a fade takes, of `fade`, or of what is left to fade with `prefix`.
    pub ticks: Option<u32>,
    /// How fast younger chunks lose weight in an `ensemble`; absent: [`Self::COEFFICIENT`].
    pub coefficient: Option<f64>,
}

impl SeamRule {
    /// ACT's own.
    pub const COEFFICIENT: f64 = 0.01;

    /// What the law is told.
    #[must_use]
    pub fn seam(&self) -> Seam {
        let ticks = self.ticks.unwrap_or_default();
        match self.method {
            SeamMethod::Cut => Seam::Cut,
            SeamMethod::Fade => Seam::Fade { ticks },
            SeamMethod::Ensemble => {
                Seam::Ensemble { coefficient: self.coefficient.unwrap_or(Self::COEFFICIENT) }
            }
            SeamMethod::Prefix => Seam::Prefix { ticks },
        }
    }
}

/// The methods of [`motion::Seam`], by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeamMethod {
    /// The new chunk counts at once.
    Cut,
    /// The difference fades out.
    Fade,
    /// All that cover a tick have a say.
    Ensemble,
    /// The head was told what comes before it, and when it takes over.
    Prefix,
}

/// The small head that corrects every tick.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectionTable {
    /// Its manifest, relative to this one.
    pub head: PathBuf,
    /// How long a tick waits for it, ms.
    pub deadline_ms: f64,
    /// Largest correction of each joint of the robot, rad or m.
    pub max_correction: Option<Vec<f64>>,
    /// Instead: the same share of each joint's range.
    pub max_share: Option<f64>,
}

impl Timing {
    pub(super) fn check(&self, no: &Refuse<'_>) -> Checked {
        let Self {
            period_ms, chunk_steps, execute_steps, mode, prefetch_ticks, deadline_ms, ..
        } = *self;
        no.unless(
            period_ms > 0.0 && period_ms <= PERIOD_MAX_MS,
            "timing.period_ms",
            period_ms,
            format!(
                "give the period that the head was trained for, above 0 and up to {PERIOD_MAX_MS}"
            ),
        )?;
        no.unless(
            (1..=MAX_STEPS).contains(&(chunk_steps as usize)),
            "timing.chunk_steps",
            chunk_steps,
            format!("give 1 to {MAX_STEPS} steps"),
        )?;
        no.unless(
            (1..=chunk_steps).contains(&execute_steps),
            "timing.execute_steps",
            execute_steps,
            format!("execute 1 to {chunk_steps} (timing.chunk_steps) steps"),
        )?;
        let (key, limit_ms, limit) = match mode {
            Mode::Inline => {
                let remedy = "leave it out, or set timing.mode = \"prefetch\"";
                no.unless(prefetch_ticks == 0, "timing.prefetch_ticks", prefetch_ticks, remedy)?;
                ("timing.deadline_ms", period_ms, "one period: the tick waits for the chunk")
            }
            Mode::Prefetch => {
                no.unless(
                    (1..execute_steps).contains(&prefetch_ticks),
                    "timing.prefetch_ticks",
                    prefetch_ticks,
                    format!("ask at least 1 tick ahead, and less than timing.execute_steps = {execute_steps}"),
                )?;
                let limit_ms = f64::from(prefetch_ticks) * period_ms;
                ("timing.deadline_ms", limit_ms, "the ticks by which it is asked ahead")
            }
        };
        let ahead = (0..=MAX_AHEAD).contains(&(prefetch_ticks as usize));
        let remedy = format!("ask at most {MAX_AHEAD} ticks ahead");
        no.unless(ahead, "timing.prefetch_ticks", prefetch_ticks, remedy)?;
        let counts = !self.roll_forward || self.first_step != Some(FirstStep::Observation);
        let remedy = "leave it out: rolled forward, the first step is for the take-over";
        no.unless(counts, "timing.first_step", self.first_step, remedy)?;
        let remedy = format!("give more than 0 and less than {limit_ms}, {limit}");
        no.unless(deadline_ms > 0.0 && deadline_ms < limit_ms, key, deadline_ms, remedy)
    }
}

impl SeamRule {
    pub(super) fn check(&self, no: &Refuse<'_>, timing: &Timing, inputs: &[Input]) -> Checked {
        let steps = timing.chunk_steps;
        let fades = || self.ticks.is_some_and(|ticks| (1..=steps).contains(&ticks));
        let remedy = format!("fade over 1 to {steps} (timing.chunk_steps) ticks");
        match self.method {
            SeamMethod::Cut => {
                no.unless(
                    self.ticks.is_none(),
                    "seam.ticks",
                    self.ticks,
                    "a cut takes none: leave it out",
                )?;
            }
            SeamMethod::Ensemble => {
                let remedy = "an ensemble takes a coefficient: leave it out";
                no.unless(self.ticks.is_none(), "seam.ticks", self.ticks, remedy)?;
            }
            SeamMethod::Fade => {
                no.unless(fades(), "seam.ticks", self.ticks.unwrap_or_default(), remedy)?;
            }
            SeamMethod::Prefix => {
                no.unless(self.ticks.is_none() || fades(), "seam.ticks", self.ticks, remedy)?;
            }
        }
        if let Some(coefficient) = self.coefficient {
            let remedy = "only an ensemble takes one: leave it out";
            no.unless(
                self.method == SeamMethod::Ensemble,
                "seam.coefficient",
                coefficient,
                remedy,
            )?;
            let (key, max) = ("seam.coefficient", COEFFICIENT_MAX);
            no.unless(coefficient.abs() <= max, key, coefficient, format!("give -{max} to {max}"))?;
        }
        let mut features = inputs.iter().flat_map(|input| &input.features);
        let told = features.any(|feature| feature.name == FeatureName::Prefix);
        let remedy = "add a feature \"prefix\" to what it sees, or take another method";
        no.unless(self.method != SeamMethod::Prefix || told, "seam.method", "prefix", remedy)?;
        let remedy = "leave it out: a head that sees a prefix knows what comes before it";
        no.unless(!(timing.roll_forward && told), "timing.roll_forward", true, remedy)
    }
}

impl CorrectionTable {
    pub(super) fn check(&self, no: &Refuse<'_>, timing: &Timing) -> Checked {
        let is_relative = self.head.file_name().is_some() && self.head.is_relative();
        let remedy = "name a manifest, relative to this one";
        no.unless(is_relative, "correction.head", &self.head, remedy)?;
        let (deadline_ms, period_ms) = (self.deadline_ms, timing.period_ms);
        let remedy = format!("give more than 0 and less than {period_ms}, one period");
        let in_time = deadline_ms > 0.0 && deadline_ms < period_ms;
        no.unless(in_time, "correction.deadline_ms", deadline_ms, remedy)?;
        let bounds = (&self.max_correction, self.max_share);
        let one = self.max_correction.is_some() != self.max_share.is_some();
        let remedy = "give one of max_correction (rad or m, a number for each joint) and max_share";
        no.unless(one, "correction.max_correction", bounds, remedy)?;
        let share = self.max_share.unwrap_or(SHARE_MAX);
        let remedy = format!("give more than 0 and up to {SHARE_MAX} of each joint's range");
        no.unless(share > 0.0 && share <= SHARE_MAX, "correction.max_share", share, remedy)?;
        let bounds = self.max_correction.as_deref().unwrap_or_default();
        no.unless_finite("correction.max_correction", bounds)?;
        let positive = bounds.iter().all(|bound| *bound >= 0.0);
        no.unless(positive, "correction.max_correction", bounds, "none may be below 0")
    }

    /// The largest correction of each joint, rad or m; `None` if there is not one for each.
    pub(in crate::head) fn bounds(&self, limits: &[JointLimits]) -> Option<Joints> {
        let share = self.max_share.unwrap_or_default();
        let range = |limits: &JointLimits| limits.position_max - limits.position_min;
        let shares: Vec<f64> = limits.iter().map(|limits| share * range(limits)).collect();
        let bounds = self.max_correction.as_deref().unwrap_or(&shares);
        Joints::from_slice(bounds).filter(|bounds| bounds.len() == limits.len())
    }
}
