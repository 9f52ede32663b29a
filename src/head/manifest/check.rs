//! What a sound manifest has to fulfil. Every refusal names the key, the value and what to write instead.

use std::{
    collections::HashSet,
    fmt::{Debug, Display},
    path::Path,
};

use super::{Golden, Manifest, SCHEMA};
use crate::head::HeadError;

mod belief;
mod feature;
mod output;

pub(super) type Checked = Result<(), HeadError>;

/// Slowest loop that a head may be for: beyond ten seconds a tick it is a typing error.
pub(super) const PERIOD_MAX_MS: f64 = 10_000.0;
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
        self.check_at(&no)?;
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
        // After the inputs: a seam, a belief and an encoder may need one of them.
        self.check_encoder(&no)?;
        self.check_belief(&no)?;
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
