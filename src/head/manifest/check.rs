//! What a sound manifest has to fulfil. Every refusal names the key, the value and what to write instead.

use std::{
    collections::HashSet,
    fmt::{Debug, Display},
    path::Path,
};

use motion::MAX_BACK;

use super::{FeatureRule, Golden, Input, Manifest, Output, SCHEMA};
use crate::{
    action::{Columns, JointAbsolute, JointRange, ToolPose},
    head::HeadError,
    observation::{FeatureName, Params, tool::AXES},
};

pub(super) type Checked = Result<(), HeadError>;

/// Slowest loop that a head may be for: beyond ten seconds a tick it is a typing error.
pub(super) const PERIOD_MAX_MS: f64 = 10_000.0;
/// Largest clip: more standard deviations than any network was trained on, and far from where `f32` ends.
const CLIP_MAX: f64 = 1e6;
/// Finest tolerance of a tool's pose, m or rad: as fine as inverse kinematics is asked to be.
const POSE_TOLERANCE_MIN: f64 = 1e-6;
/// Widest tolerance of a tool's position, m: further off it is another place.
const POSE_TOLERANCE_MAX_M: f64 = 0.05;
/// Widest tolerance of its angle, rad: any, for an arm that cannot turn its tool at will.
const POSE_TOLERANCE_MAX_RAD: f64 = std::f64::consts::PI;
/// Widest tolerance of a golden vector. Engines differ by 1e-5; a whole hundredth would let a wrong head pass.
const TOLERANCE_MAX: f64 = 0.01;

/// Says no, in the name of a file.
pub(super) struct Refuse<'a> {
    file: &'a Path,
}

impl Refuse<'_> {
    pub(super) fn unless(
        &self,
        holds: bool,
        key: impl Display,
        value: impl Debug,
        remedy: impl Display,
    ) -> Checked {
        if holds {
            return Ok(());
        }
        Err(HeadError::BadValue {
            file: self.file.to_path_buf(),
            key: key.to_string(),
            value: format!("{value:?}"),
            remedy: remedy.to_string(),
        })
    }

    pub(super) fn unless_named(&self, key: &str, value: &str) -> Checked {
        self.unless(!value.trim().is_empty(), key, value, "give it a name")
    }

    fn unless_len(&self, key: impl Display, found: usize, wanted: usize, of: &str) -> Checked {
        let remedy = format!("give one value for each of the {wanted} {of}");
        let key = format!("length of {key}");
        self.unless(found == wanted, key, found, remedy)
    }

    pub(super) fn unless_finite(&self, key: impl Display, values: &[f64]) -> Checked {
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => {
                let key = format!("{key}[{at}]");
                self.unless(false, key, values[at], "give a finite number")
            }
            None => Ok(()),
        }
    }

    /// At least one name, none empty, none twice.
    fn unless_distinct(&self, key: impl Display, names: &[String]) -> Checked {
        self.unless(!names.is_empty(), &key, names, "name at least one")?;
        let mut seen = HashSet::new();
        for name in names {
            self.unless(!name.trim().is_empty(), &key, names, "no name may be empty")?;
            self.unless(seen.insert(name), &key, name, "name each only once")?;
        }
        Ok(())
    }
}

impl Manifest {
    /// Checks all that needs neither robot nor network.
    pub(super) fn check(&self) -> Checked {
        let no = Refuse { file: &self.path };
        let schema = format!("this program reads \"{SCHEMA}\"");
        no.unless(self.schema == SCHEMA, "schema", &self.schema, schema)?;
        no.unless_named("name", &self.name)?;
        no.unless_named("robot", &self.robot)?;
        no.unless_named("skill", &self.skill)?;
        let is_relative = self.onnx.file_name().is_some() && self.onnx.is_relative();
        no.unless(is_relative, "onnx", &self.onnx, "name a file, relative to the manifest")?;
        let is_digest =
            self.sha256.len() == 64 && self.sha256.bytes().all(|c| c.is_ascii_hexdigit());
        no.unless(
            is_digest,
            "sha256",
            &self.sha256,
            "give the 64 hex digits that `sha256sum` prints",
        )?;
        self.timing.check(&no)?;
        self.seam.check(&no, &self.timing, &self.inputs)?;
        self.correction.iter().try_for_each(|table| table.check(&no, &self.timing))?;
        no.unless(!self.inputs.is_empty(), "inputs", "[]", "name at least one input tensor")?;
        let mut tensors = HashSet::new();
        for (at, input) in self.inputs.iter().enumerate() {
            let is_new = tensors.insert(&input.tensor);
            no.unless(
                is_new,
                format!("inputs[{at}].tensor"),
                &input.tensor,
                "name each only once",
            )?;
            input.check(&no, at)?;
        }
        self.output.check(&no, self.timing.chunk_steps)?;
        no.unless(
            !self.golden.is_empty(),
            "golden",
            &self.golden,
            "add at least one [[golden]]: without it nothing proves that this engine computes what was trained",
        )?;
        self.golden.iter().enumerate().try_for_each(|(at, golden)| golden.check(&no, at, self))?;
        self.provenance.iter().try_for_each(|provenance| provenance.check(&no))?;
        self.evaluation.iter().try_for_each(|evaluation| evaluation.check(&no))
    }
}

impl Input {
    fn check(&self, no: &Refuse<'_>, at: usize) -> Checked {
        let input = format!("inputs[{at}]");
        no.unless_named(&format!("{input}.tensor"), &self.tensor)?;
        let key = format!("{input}.features");
        no.unless(!self.features.is_empty(), key, "[]", "name at least one feature")?;
        let (shape, numbers) = (self.shape(), self.len());
        let holds = product(&shape) == Some(numbers);
        let remedy = format!("give a shape of the {numbers} numbers of the features");
        no.unless(holds, format!("{input}.shape"), shape, remedy)?;
        let mut seen = HashSet::new();
        for (feature_at, feature) in self.features.iter().enumerate() {
            let key = |name| format!("{input}.features[{feature_at}].{name}");
            let (items_key, items) = (feature.items_key(), feature.items());
            let lists = [&feature.joints, &feature.params, &feature.axes];
            for (name, list) in ["joints", "params", "axes"].into_iter().zip(lists) {
                let takes = if items_key.is_empty() { "nothing" } else { items_key };
                let remedy = format!("{} takes {takes}: leave it out", feature.name.as_str());
                no.unless(name == items_key || list.is_none(), key(name), list, remedy)?;
            }
            let is_tool = feature.name == FeatureName::ToolPosition;
            let remedy = "a tool_position names its arm; nothing else has one";
            no.unless(is_tool == feature.arm.is_some(), key("arm"), &feature.arm, remedy)?;
            let remedy = "only a tool_position has it: leave it out";
            no.unless(is_tool || feature.of.is_none(), key("of"), feature.of, remedy)?;
            feature.check_rows(no, key)?;
            if !feature.name.is_one_number() {
                no.unless_distinct(key(items_key), items)?;
            }
            for item in items {
                let is_new = seen.insert((feature.name, &feature.arm, feature.of, item));
                no.unless(is_new, key(items_key), item, "an earlier feature already has it")?;
                let known: &[&str] = match feature.name {
                    FeatureName::Decision => &Params::NAMES,
                    FeatureName::ToolPosition => &AXES,
                    _ => continue, // the robot's joints are not known yet
                };
                let is_known = known.contains(&item.as_str());
                no.unless(is_known, key(items_key), item, format!("there are {known:?}"))?;
            }
            no.unless_len(key("mean"), feature.mean.len(), feature.width(), items_key)?;
            no.unless_len(key("std"), feature.std.len(), feature.width(), items_key)?;
            no.unless_finite(key("mean"), &feature.mean)?;
            no.unless_finite(key("std"), &feature.std)?;
            let positive = feature.std.iter().all(|std| *std > 0.0);
            no.unless(positive, key("std"), &feature.std, "each has to be above 0")?;
            let Some(clip) = feature.clip else { continue };
            let remedy = format!("give more than 0 and up to {CLIP_MAX}, or leave it out");
            no.unless(clip > 0.0 && clip <= CLIP_MAX, key("clip"), clip, remedy)?;
        }
        Ok(())
    }
}

impl FeatureRule {
    /// A prefix has rows, nothing else has.
    fn check_rows(&self, no: &Refuse<'_>, key: impl Fn(&'static str) -> String) -> Checked {
        let name = self.name.as_str();
        if self.name != FeatureName::Prefix {
            let remedy = format!("a {name} has no rows: leave it out");
            no.unless(self.steps.is_none(), key("steps"), self.steps, &remedy)?;
            return no.unless(self.align.is_none(), key("align"), self.align, &remedy);
        }
        let steps = self.steps.unwrap_or_default() as usize;
        let remedy = format!("give 1 to {MAX_BACK}");
        no.unless((1..=MAX_BACK).contains(&steps), key("steps"), steps, remedy)
    }
}

impl Output {
    fn check(&self, no: &Refuse<'_>, chunk_steps: u32) -> Checked {
        no.unless_named("output.tensor", &self.tensor)?;
        no.unless(!self.columns.is_empty(), "output.columns", "[]", "say what is in the tensor")?;
        self.columns.iter().enumerate().try_for_each(|(at, columns)| {
            let key = |name: &str| format!("output.columns[{at}].{name}");
            match columns {
                Columns::JointAbsolute(JointAbsolute { joints }) => {
                    no.unless_distinct(key("joints"), joints)
                }
                Columns::JointRange(JointRange { joints, min, max }) => {
                    no.unless_distinct(key("joints"), joints)?;
                    check_range(no, key, joints.len(), min, max)
                }
                Columns::ToolPose(pose) => pose.check(no, key, columns.len()),
            }
        })?;
        let (shape, width) = (self.shape(chunk_steps), self.width());
        let rows = product(&shape).filter(|len| len.is_multiple_of(width)).map(|len| len / width);
        let remedy = format!(
            "give a shape of at least {chunk_steps} (timing.chunk_steps) rows of {width} columns"
        );
        no.unless(rows >= Some(chunk_steps as usize), "output.shape", shape, remedy)
    }
}

/// How many numbers a tensor of this shape has; `None` if no computer could hold them.
fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, len| product.checked_mul(*len))
}

impl ToolPose {
    fn check(&self, no: &Refuse<'_>, key: impl Fn(&str) -> String, width: usize) -> Checked {
        no.unless_named(&key("arm"), &self.arm)?;
        match (&self.min, &self.max) {
            (None, None) => {}
            (min, max) => {
                let (min, max) = (min.as_deref(), max.as_deref());
                check_range(no, &key, width, min.unwrap_or_default(), max.unwrap_or_default())?;
            }
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

fn check_range(
    no: &Refuse<'_>,
    key: impl Fn(&str) -> String,
    width: usize,
    min: &[f64],
    max: &[f64],
) -> Checked {
    for (name, bound) in [("min", min), ("max", max)] {
        no.unless_len(key(name), bound.len(), width, "columns")?;
        no.unless_finite(key(name), bound)?;
    }
    for (at, (min, max)) in min.iter().zip(max).enumerate() {
        let is_range = min < max && (max - min).is_finite();
        let remedy = format!("has to be below max[{at}] = {max}");
        no.unless(is_range, format!("{}[{at}]", key("min")), min, remedy)?;
    }
    Ok(())
}

impl Golden {
    fn check(&self, no: &Refuse<'_>, at: usize, manifest: &Manifest) -> Checked {
        let key = |name: &str| format!("golden[{at}].{name}");
        let (inputs, width) = (manifest.input_len(), manifest.output.width());
        no.unless_len(key("observation"), self.observation.len(), inputs, "numbers of inputs")?;
        no.unless_finite(key("observation"), &self.observation)?;
        let steps = manifest.timing.chunk_steps as usize;
        no.unless_len(key("action"), self.action.len(), steps, "timing.chunk_steps")?;
        for (step, row) in self.action.iter().enumerate() {
            let key = key(&format!("action[{step}]"));
            no.unless_len(&key, row.len(), width, "columns of output.columns")?;
            no.unless_finite(&key, row)?;
        }
        let is_tolerance = self.tolerance > 0.0 && self.tolerance <= TOLERANCE_MAX;
        let remedy = format!("give more than 0 and up to {TOLERANCE_MAX}");
        no.unless(is_tolerance, key("tolerance"), self.tolerance, remedy)
    }
}
