//! What a sound manifest has to fulfil. Every refusal names the key, the value and what to write instead.

use std::{
    collections::HashSet,
    fmt::{Debug, Display},
    path::Path,
};

use motion::MAX_BACK;

use super::{FeatureRule, Golden, Input, Manifest, SCHEMA};
use crate::{
    head::HeadError,
    observation::{FeatureName, Params, tool::AXES},
};

mod output;

pub(super) type Checked = Result<(), HeadError>;

/// Slowest loop that a head may be for: beyond ten seconds a tick it is a typing error.
pub(super) const PERIOD_MAX_MS: f64 = 10_000.0;
/// Largest clip: more standard deviations than any network was trained on, and far from where `f32` ends.
const CLIP_MAX: f64 = 1e6;
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

    fn unless_beside(&self, key: &str, path: &Path) -> Checked {
        let is_blank = path.to_string_lossy().trim().is_empty();
        let is_relative = path.file_name().is_some() && path.is_relative() && !is_blank;
        self.unless(is_relative, key, path, "name a file, relative to the manifest")
    }

    fn unless_digest(&self, key: &str, sha256: &str) -> Checked {
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|c| c.is_ascii_hexdigit());
        self.unless(is_digest, key, sha256, "give the 64 hex digits that `sha256sum` prints")
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
        no.unless_beside("onnx", &self.onnx)?;
        no.unless_digest("sha256", &self.sha256)?;
        self.timing.check(&no)?;
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
        // After the inputs: a seam may need one of them.
        self.seam.check(&no, &self.timing, &self.inputs)?;
        self.correction.iter().try_for_each(|table| table.check(&no, &self.timing))?;
        self.output.check(&no, self.timing.chunk_steps)?;
        self.provenance.iter().try_for_each(|provenance| provenance.check(&no))?;
        self.evaluation.iter().try_for_each(|evaluation| evaluation.check(&no))
    }

    /// Checks its golden vectors: that there are some, and that they fit.
    pub(super) fn check_goldens(&self) -> Checked {
        let no = Refuse { file: &self.path };
        no.unless(
            !self.golden.is_empty(),
            "golden",
            &self.golden,
            "add at least one [[golden]]: without it nothing proves that this engine computes what was trained",
        )?;
        self.golden.iter().enumerate().try_for_each(|(at, golden)| golden.check(&no, at, self))
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

/// How many numbers a tensor of this shape has; `None` if no computer could hold them.
fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, len| product.checked_mul(*len))
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
