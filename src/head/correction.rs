//! The small head that corrects a large one: proved like any other, and held to its bounds.

use std::sync::{Arc, Mutex};

use motion::CorrectionRule;

use super::{Head, HeadError, Manifest, Mode, bad_value};
use crate::{
    action::{Body, Columns},
    inference::Engine,
};

/// A correction head and what the law has to know of it.
#[derive(Debug)]
pub(super) struct Corrects {
    head: Arc<Mutex<Head>>,
    rule: CorrectionRule,
}

impl Corrects {
    /// Loads and proves the correction head that `base` names, if it names one.
    pub(super) fn load(
        base: &Manifest,
        body: &Body,
        engine: &Engine,
    ) -> Result<Option<Self>, HeadError> {
        let Some(table) = &base.correction else { return Ok(None) };
        let folder = base.path().parent().unwrap_or(std::path::Path::new(""));
        let head = Head::load_one(&folder.join(&table.head), body, engine)?;
        let joints = body.joints.len();
        let offset_max = table.bounds(&body.limits).ok_or_else(|| {
            let value = format!("{:?}", table.max_correction);
            let remedy = format!("give a number for each of the joints {:?}", body.joints);
            bad_value(base, "correction.max_correction".to_owned(), value, remedy)
        })?;
        fits(base, head.manifest(), joints)?;
        let deadline_ns = (table.deadline_ms * 1e6).round() as u64;
        let rule = CorrectionRule { head: head.digest(), deadline_ns, offset_max };
        Ok(Some(Self { head: Arc::new(Mutex::new(head)), rule }))
    }

    pub(super) fn head(&self) -> Arc<Mutex<Head>> {
        Arc::clone(&self.head)
    }

    pub(super) const fn rule(&self) -> CorrectionRule {
        self.rule
    }
}

/// A correction is one row of joint offsets, made in every tick.
fn fits(base: &Manifest, small: &Manifest, joints: usize) -> Result<(), HeadError> {
    let refuse = |key: &str, value: String, remedy: &str| {
        Err(bad_value(small, key.to_owned(), value, remedy.to_owned()))
    };
    let timing = &small.timing;
    if timing.chunk_steps != 1 || timing.mode != Mode::Inline {
        let value = format!("{}, {:?}", timing.chunk_steps, timing.mode);
        return refuse("timing.chunk_steps", value, "a correction is one step, inline");
    }
    if (timing.period_ms - base.timing.period_ms).abs() > 1e-6 {
        let value = timing.period_ms.to_string();
        return refuse("timing.period_ms", value, "make it the one of the head that it corrects");
    }
    if let Some(table) = &small.correction {
        let value = table.head.display().to_string();
        return refuse("correction.head", value, "a correction is not corrected: leave it out");
    }
    let offsets =
        |columns: &Columns| matches!(columns, Columns::JointAbsolute(_) | Columns::JointRange(_));
    if !small.output.columns.iter().all(offsets) || small.output.width() != joints {
        let value = format!("{} columns", small.output.width());
        let remedy = "give joint_absolute or joint_range columns: the offset of each joint";
        return refuse("output.columns", value, remedy);
    }
    Ok(())
}
