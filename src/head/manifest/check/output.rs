//! What the output of a sound manifest has to fulfil: columns, normalisations, tokens.

use std::fmt::Display;

use super::{super::Output, Checked, Refuse, product};
use crate::action::{
    Columns, Fast, Gripper, JointAbsolute, JointDelta, JointRange, MinMax, Normalisation,
    OpenvlaBins, TokenMap, Tokens, ToolPose, Unused,
};

/// Finest tolerance of a tool's pose, m or rad: as fine as inverse kinematics is asked to be.
const POSE_TOLERANCE_MIN: f64 = 1e-6;
/// Widest tolerance of a tool's position, m: further off it is another place.
const POSE_TOLERANCE_MAX_M: f64 = 0.05;
/// Widest tolerance of its angle, rad: any, for an arm that cannot turn its tool at will.
const POSE_TOLERANCE_MAX_RAD: f64 = std::f64::consts::PI;
/// The most columns that drive nothing: the field's models are padded to 32.
const UNUSED_MAX: usize = 1024;
/// The most ids in a tensor; a chunk of the field's largest has 1600 numbers.
const TOKENS_MAX: usize = 65_536;
/// The most steps that a FAST tokenizer may see: its transform grows with their square.
const FAST_STEPS_MAX: u32 = 256;
/// Most bins of a vocabulary; beyond `f32`'s own steps they say nothing.
const BINS_MAX: u32 = 65_536;

impl Output {
    pub(super) fn check(&self, no: &Refuse<'_>, chunk_steps: u32) -> Checked {
        no.unless_named("output.tensor", &self.tensor)?;
        no.unless(!self.columns.is_empty(), "output.columns", "[]", "say what is in the tensor")?;
        for (at, columns) in self.columns.iter().enumerate() {
            columns.check(no, |name| format!("output.columns[{at}].{name}"))?;
        }
        if let Some(tokens) = &self.tokens {
            tokens.check(no, chunk_steps)?;
        }
        if let Some(Tokens::Fast(_)) = &self.tokens {
            let len = self.shape.as_deref().and_then(product).unwrap_or_default();
            let remedy = format!("give the shape of the tensor, of 1 to {TOKENS_MAX} ids");
            return no.unless((1..=TOKENS_MAX).contains(&len), "output.shape", &self.shape, remedy);
        }
        let (shape, width) = (self.shape(chunk_steps), self.width());
        let rows = product(&shape).filter(|len| len.is_multiple_of(width)).map(|len| len / width);
        let remedy = format!(
            "give a shape of at least {chunk_steps} (timing.chunk_steps) rows of {width} columns"
        );
        no.unless(rows >= Some(chunk_steps as usize), "output.shape", shape, remedy)
    }
}

impl Columns {
    fn check(&self, no: &Refuse<'_>, key: impl Fn(&str) -> String) -> Checked {
        let width = self.len();
        match self {
            Self::JointAbsolute(group) => {
                let JointAbsolute { joints, clip, clip_when, smoothing, .. } = group;
                no.unless_distinct(key("joints"), joints)?;
                let counts = clip_when.is_none() || clip.is_some() && smoothing.is_some();
                let remedy = "it takes both `clip` and `smoothing`: leave it out";
                no.unless(counts, key("clip_when"), clip_when, remedy)?;
                check_filter(no, &key, width, clip.as_ref(), *smoothing)?;
            }
            Self::JointRange(JointRange { joints, .. }) => {
                no.unless_distinct(key("joints"), joints)?;
            }
            Self::JointDelta(JointDelta { joints, mask, clip, smoothing, .. }) => {
                no.unless_distinct(key("joints"), joints)?;
                check_mask(no, key("mask"), mask.as_deref(), width)?;
                check_filter(no, &key, width, clip.as_ref(), *smoothing)?;
            }
            Self::Gripper(gripper) => gripper.check(no, &key)?,
            Self::ToolPose(pose) => pose.check(no, &key)?,
            Self::Unused(Unused { columns }) => {
                let remedy = format!("give 1 to {UNUSED_MAX}, or leave the group out");
                let is_some = (1..=UNUSED_MAX).contains(columns);
                no.unless(is_some, key("columns"), columns, remedy)?;
            }
        }
        match self.normalisation() {
            None => Ok(()),
            // Of these the keys stand in the group itself.
            Some(normalisation @ Normalisation::Range(_)) if !self.has_normalised() => {
                normalisation.check(no, key, width)
            }
            Some(normalisation) => {
                normalisation.check(no, |name| key(&format!("normalised.{name}")), width)
            }
        }
    }

    /// Whether the normalisation has a table of its own.
    fn has_normalised(&self) -> bool {
        match self {
            Self::JointRange(_) => false,
            Self::ToolPose(pose) => pose.normalised.is_some(),
            _ => true,
        }
    }
}

impl Normalisation {
    fn check(&self, no: &Refuse<'_>, key: impl Fn(&str) -> String, width: usize) -> Checked {
        let lists = self.lists();
        for (name, list) in lists {
            no.unless_len(key(name), list.len(), width, "columns")?;
            no.unless_finite(key(name), list)?;
        }
        check_mask(no, key("mask"), self.mask(), width)?;
        let [(low_name, lows), (high_name, highs)] = lists;
        for (at, (low, high)) in lows.iter().zip(highs).enumerate() {
            let (low_key, high_key) =
                (format!("{}[{at}]", key(low_name)), format!("{}[{at}]", key(high_name)));
            match self {
                Self::LerobotMeanStd(_) | Self::OpenpiZScore(_) => {
                    no.unless(*high >= 0.0, high_key, high, "give 0 or more")?;
                }
                Self::CentreHalf(_) => {
                    no.unless(*high > 0.0, high_key, high, "give more than 0")?;
                }
                Self::Range(_) => {
                    let is_range = low < high && (high - low).is_finite();
                    let remedy = format!("has to be below {high_name}[{at}] = {high}");
                    no.unless(is_range, low_key, low, remedy)?;
                }
                // A column that never moved in the data has a range of zero; their epsilons are for that.
                _ => {
                    let is_range = low <= high && (high - low).is_finite();
                    let remedy = format!("has to be at most {high_name}[{at}] = {high}");
                    no.unless(is_range, low_key, low, remedy)?;
                }
            }
        }
        Ok(())
    }
}

impl Gripper {
    fn check(&self, no: &Refuse<'_>, key: impl Fn(&str) -> String) -> Checked {
        let Self { joint, closed, open, closed_at, open_at, threshold, .. } = self;
        no.unless_named(&key("joint"), joint)?;
        for (name, value) in
            [("closed", closed), ("open", open), ("closed_at", closed_at), ("open_at", open_at)]
        {
            no.unless(value.is_finite(), key(name), value, "give a finite number")?;
        }
        let remedy = format!("has to differ from closed = {closed}");
        no.unless(open != closed, key("open"), open, remedy)?;
        let remedy = format!("has to differ from closed_at = {closed_at}");
        no.unless(open_at != closed_at, key("open_at"), open_at, remedy)?;
        let Some(threshold) = threshold else { return Ok(()) };
        let between = closed_at.min(*open_at)..=closed_at.max(*open_at);
        let remedy = format!("has to be between closed_at = {closed_at} and open_at = {open_at}");
        no.unless(between.contains(threshold), key("threshold"), threshold, remedy)
    }
}

impl ToolPose {
    fn check(&self, no: &Refuse<'_>, key: impl Fn(&str) -> String) -> Checked {
        no.unless_named(&key("arm"), &self.arm)?;
        for (name, here, other, missing) in
            [("min", &self.min, &self.max, "max"), ("max", &self.max, &self.min, "min")]
        {
            let remedy = format!("give `{missing}` as well, one value for each column");
            no.unless(here.is_none() || other.is_some(), key(name), here, remedy)?;
            let remedy = "the group is `normalised` already: leave it out";
            no.unless(here.is_none() || self.normalised.is_none(), key(name), here, remedy)?;
        }
        for (name, value, max) in [
            ("tolerance_m", self.tolerance_m, POSE_TOLERANCE_MAX_M),
            ("tolerance_rad", self.tolerance_rad, POSE_TOLERANCE_MAX_RAD),
        ] {
            let Some(value) = value else { continue };
            let remedy = "a tool that `yields` goes as near as it can: leave it out";
            no.unless(self.yields.is_none(), key(name), value, remedy)?;
            let is_tolerance = (POSE_TOLERANCE_MIN..=max).contains(&value);
            let remedy = format!("give {POSE_TOLERANCE_MIN} to {max}");
            no.unless(is_tolerance, key(name), value, remedy)?;
        }
        Ok(())
    }
}

impl Tokens {
    fn check(&self, no: &Refuse<'_>, chunk_steps: u32) -> Checked {
        let key = |name: &str| format!("output.tokens.{name}");
        match self {
            Self::MintUniform(_) => Ok(()),
            Self::OpenvlaBins(OpenvlaBins { vocabulary, bins }) => {
                let remedy = format!("give 2 to {BINS_MAX}");
                no.unless((2..=BINS_MAX).contains(bins), key("bins"), bins, remedy)?;
                let remedy = format!("give at least as many as bins = {bins}");
                no.unless(vocabulary >= bins, key("vocabulary"), vocabulary, remedy)
            }
            Self::TokenMap(TokenMap { file, sha256 }) => {
                no.unless_beside(&key("file"), file)?;
                no.unless_digest(&key("sha256"), sha256)
            }
            Self::Fast(fast) => fast.check(no, key, chunk_steps),
        }
    }
}

impl Fast {
    fn check(&self, no: &Refuse<'_>, key: impl Fn(&str) -> String, chunk_steps: u32) -> Checked {
        let Self { file, sha256, scale, steps, language_ids, .. } = self;
        no.unless_beside(&key("file"), file)?;
        no.unless_digest(&key("sha256"), sha256)?;
        let is_scale = *scale > 0.0 && scale.is_finite();
        no.unless(is_scale, key("scale"), scale, "give more than 0; the published one has 10")?;
        if let Some(steps) = steps {
            let remedy = format!("give {chunk_steps} (timing.chunk_steps) to {FAST_STEPS_MAX}");
            let is_chunk = (chunk_steps..=FAST_STEPS_MAX).contains(steps);
            no.unless(is_chunk, key("steps"), steps, remedy)?;
        }
        let Some(ids) = language_ids else { return Ok(()) };
        let remedy = format!("give less than vocabulary = {}", ids.vocabulary);
        no.unless(ids.skip < ids.vocabulary, key("language_ids.skip"), ids.skip, remedy)
    }
}

fn check_mask(no: &Refuse<'_>, key: impl Display, mask: Option<&[bool]>, width: usize) -> Checked {
    mask.map_or(Ok(()), |mask| no.unless_len(key, mask.len(), width, "columns"))
}

/// Where targets end, and what they keep of the previous action.
fn check_filter(
    no: &Refuse<'_>,
    key: impl Fn(&str) -> String,
    width: usize,
    clip: Option<&MinMax>,
    smoothing: Option<f64>,
) -> Checked {
    if let Some(clip) = clip {
        Normalisation::Range(clip.clone()).check(no, |name| key(&format!("clip.{name}")), width)?;
    }
    let Some(smoothing) = smoothing else { return Ok(()) };
    let remedy = "give 0 to less than 1: the weight of the previous action";
    no.unless((0.0..1.0).contains(&smoothing), key("smoothing"), smoothing, remedy)
}
