//! The manifest: what has to be known of a network before it may move a robot. One TOML file beside the ONNX file.

use std::path::{Path, PathBuf};

use motion::{HeadDigest, Plan};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{HeadError, file};
use crate::{
    action::{Columns, Tokens},
    inference::Element,
    observation::{
        FeatureName,
        belief::{ObjectRule, StageRule},
    },
};

mod check;
mod encoder;
mod engine;
mod feature;
mod record;
mod schedule;

pub use encoder::EncoderTable;
pub use engine::EngineRule;
pub use feature::{FeatureRule, Input};
pub use record::{Evaluation, Provenance, Stratum};
pub use schedule::{At, CorrectionTable, FirstStep, Mode, SeamMethod, SeamRule, Timing};

/// The schema that this program reads.
pub const SCHEMA: &str = "reflex.head.v1";

/// Largest manifest in bytes; a shipped one with its golden vectors has a few thousand.
const MANIFEST_MAX_BYTES: u64 = 4 << 20;

/// A head's manifest, read and found sound.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The head's name.
    pub name: String,
    /// The robot that it was trained for.
    pub robot: String,
    /// The skill that it carries out.
    pub skill: String,
    /// The ONNX file, relative to the manifest.
    pub onnx: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// When it is asked.
    pub timing: Timing,
    /// How its chunks are joined.
    pub seam: SeamRule,
    /// What corrects it, if anything does.
    pub correction: Option<CorrectionTable>,
    /// Whose embeddings it sees, if it sees any.
    pub encoder: Option<EncoderTable>,
    /// How it believes to know where the object is; absent: where the decision says.
    pub object: Option<ObjectRule>,
    /// The stages of a run, in order: of these the last that counts.
    #[serde(default)]
    pub stages: Vec<StageRule>,
    /// What it sees: its input tensors.
    pub inputs: Vec<Input>,
    /// What it answers.
    pub output: Output,
    /// Where it wants to run.
    #[serde(default)]
    pub engine: EngineRule,
    /// Observations and the actions that follow from them, to prove the engine with.
    #[serde(default)]
    pub golden: Vec<Golden>,
    /// Where it comes from.
    pub provenance: Option<Provenance>,
    /// How well it did.
    pub evaluation: Option<Evaluation>,
    #[serde(skip)]
    path: PathBuf,
    /// SHA-256 of the file that it was read from.
    #[serde(skip)]
    digest: String,
}

/// What a head answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The tensor's name in the network.
    pub tensor: String,
    /// Its shape in the network; absent: `[1, chunk_steps, columns]`. A tensor of more steps than `chunk_steps` is cut.
    pub shape: Option<Vec<usize>>,
    /// How its tokens become the numbers of the columns; absent: it has numbers.
    pub tokens: Option<Tokens>,
    /// What its columns mean, in order.
    pub columns: Vec<Columns>,
}

impl Output {
    /// Its shape in the network, for chunks of so many steps.
    #[must_use]
    pub fn shape(&self, chunk_steps: u32) -> Vec<usize> {
        self.shape.clone().unwrap_or_else(|| vec![1, chunk_steps as usize, self.width()])
    }

    /// What the network answers with.
    #[must_use]
    pub const fn element(&self) -> Element {
        if self.tokens.is_some() { Element::I64 } else { Element::F32 }
    }

    /// How many columns the tensor has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.iter().map(Columns::len).sum()
    }

    /// The name of a column, for errors: `gripper`, `arm.x`.
    #[must_use]
    pub fn column_name(&self, index: usize) -> String {
        let mut names = self.columns.iter().flat_map(Columns::names);
        names.nth(index).unwrap_or_else(|| format!("column {index}"))
    }
}

/// One observation and the action that follows from it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Raw numbers, SI, in the order of the features.
    pub observation: Vec<f64>,
    /// Values of the output's columns, SI, one row for each step. Poses, displacements and grippers stand here as the head
    /// tells them: what joints they need depends on where these are, and is not what an engine can get wrong.
    pub action: Vec<Vec<f64>>,
    /// How far another engine's values may be away.
    pub tolerance: f64,
}

impl Manifest {
    /// Reads a manifest and checks all of it that can be checked without the robot and the network.
    ///
    /// # Errors
    /// If it cannot be read, is no manifest, or a value makes no sense.
    pub fn load(path: &Path) -> Result<Self, HeadError> {
        let manifest = Self::unproved(path)?;
        manifest.check_goldens()?;
        Ok(manifest)
    }

    /// The same of the bytes of such a file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Self, HeadError> {
        let manifest = Self::unproved_of(path, bytes)?;
        manifest.check_goldens()?;
        Ok(manifest)
    }

    /// The same of a manifest that has no golden vectors yet.
    pub(super) fn unproved(path: &Path) -> Result<Self, HeadError> {
        Self::unproved_of(path, &read(path)?)
    }

    fn unproved_of(path: &Path, bytes: &[u8]) -> Result<Self, HeadError> {
        let mut manifest: Self = understood(path, bytes)?;
        manifest.path = path.to_path_buf();
        manifest.digest = file::sha256(bytes);
        manifest.check()?;
        Ok(manifest)
    }

    /// A sound manifest as it is written, key by key: for whoever shows it.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn as_written(path: &Path) -> Result<Value, HeadError> {
        Self::load(path)?;
        understood(path, &read(path)?)
    }

    /// The file that it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the manifest's file and of the network's, which is read again and has to be the one that is meant.
    ///
    /// # Errors
    /// A network that cannot be read, or is another one.
    pub fn digests(&self) -> Result<[String; 2], HeadError> {
        file::Network::read(self)?;
        Ok([self.digest.clone(), self.sha256.to_ascii_lowercase()])
    }

    /// The SHA-256 of the manifest as it was read, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The ONNX file.
    #[must_use]
    pub fn onnx_path(&self) -> PathBuf {
        self.beside(&self.onnx)
    }

    /// A file that is named relative to the manifest.
    #[must_use]
    pub fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// How many numbers the head sees, in all its tensors.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.inputs.iter().map(Input::len).sum()
    }

    /// Whether the head sees this.
    #[must_use]
    pub fn sees(&self, name: FeatureName) -> bool {
        self.inputs.iter().flat_map(|input| &input.features).any(|feature| feature.name == name)
    }

    /// The name of one of those numbers, for errors: `joint_position.shoulder`.
    #[must_use]
    pub fn input_name(&self, index: usize) -> String {
        let features = self.inputs.iter().flat_map(|input| &input.features);
        let mut names = features.flat_map(FeatureRule::names);
        names.nth(index).unwrap_or_else(|| format!("input {index}"))
    }

    /// The loop's period that the head was trained for, ns.
    #[must_use]
    pub fn period_ns(&self) -> u64 {
        ns(self.timing.period_ms)
    }

    /// What the law has to know to follow this head, for at most `ticks_max` ticks.
    #[must_use]
    pub fn plan(&self, digest: HeadDigest, ticks_max: u64) -> Plan {
        Plan {
            execute: self.timing.execute_steps,
            head: digest,
            first_step: self.timing.first_step(),
            correction: None,
            lead: self.timing.prefetch_ticks,
            deadline_ns: ns(self.timing.deadline_ms),
            seam: self.seam.seam(),
            ticks_max,
        }
    }
}

/// The bytes of a manifest's file.
fn read(path: &Path) -> Result<Vec<u8>, HeadError> {
    file::read(path, MANIFEST_MAX_BYTES).map_err(|source| HeadError::File {
        file: path.to_path_buf(),
        key: "manifest",
        value: path.display().to_string(),
        source,
        remedy: "name the head's .toml file",
    })
}

/// Those bytes as something that TOML can be made into.
fn understood<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, HeadError> {
    let not_toml = |message: String| HeadError::Toml { file: path.to_path_buf(), message };
    let text = str::from_utf8(bytes).map_err(|error| not_toml(error.to_string()))?;
    toml::from_str(text).map_err(|error| not_toml(error.to_string().trim_end().into()))
}

fn ns(ms: f64) -> u64 {
    (ms * 1e6).round() as u64
}
