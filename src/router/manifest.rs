//! `models/heads/<robot>_router.toml`: what has to be known of a router's head before it may decide.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{SKILLS, STATE};
use crate::{
    config::{self, ConfigError},
    encoder::{Identity, WIDTH},
    head::FeatureRule,
    observation::Params,
};

/// The schema that this program reads.
pub const SCHEMA: &str = "reflex.router.v1";

/// Widest tolerance of a golden vector, as of other heads.
const TOLERANCE_MAX: f64 = 0.01;

/// A router head's manifest, read and found sound.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterManifest {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The head's name.
    pub name: String,
    /// The robot that it was trained for.
    pub robot: String,
    /// The ONNX file, relative to the manifest.
    pub onnx: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// What its logits stand for.
    pub skills: Vec<String>,
    /// The bound on every normalised number; what is beyond it, the head was not trained for.
    pub clip: f64,
    /// The encoder whose embeddings it was trained with.
    pub encoder: Identity,
    /// How these are normalised: one number for all, or one each.
    pub embedding: Scale,
    /// What it sees of the robot and the scene.
    pub state: StateRule,
    /// How its answers become parameters.
    pub params: Scale,
    /// Inputs and answers, to prove the engine with.
    #[serde(default)]
    pub golden: Vec<RouterGolden>,
    /// Where it comes from.
    pub provenance: Option<Value>,
    /// How well it did.
    pub evaluation: Option<Value>,
    #[serde(skip)]
    path: PathBuf,
}

/// `(x - mean) / std`, or the way back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What is taken away.
    pub mean: Vec<f64>,
    /// What it is divided by.
    pub std: Vec<f64>,
}

/// What the head sees of robot and scene.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateRule {
    /// The arm whose tool sorts the things of the scene: the nearest first. With `body`.
    pub hand: Option<String>,
    /// Of all 42 numbers.
    pub mean: Vec<f64>,
    /// Of all 42 numbers.
    pub std: Vec<f64>,
    /// The 18 numbers of the body; the 24 of the scene follow.
    #[serde(default)]
    pub body: Vec<BodyRule>,
    /// Instead of both: all 42 numbers, in the words of a head's inputs. For routers that were made elsewhere.
    #[serde(default)]
    pub features: Vec<FeatureRule>,
}

/// Some numbers of the body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum BodyRule {
    /// Measured positions, rad or m.
    JointPosition {
        /// Of these joints.
        joints: Vec<String>,
    },
    /// Measured velocities.
    JointVelocity {
        /// Of these joints.
        joints: Vec<String>,
    },
    /// The last command.
    PreviousAction {
        /// For these joints.
        joints: Vec<String>,
    },
    /// Where a tool is, in the frame of its arm's base.
    ToolPosition {
        /// The arm.
        arm: String,
        /// Of `x`, `y`, `z`.
        axes: Vec<String>,
    },
}

/// An input and its answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouterGolden {
    /// What was said; for an encoder that is built in.
    pub instruction: Option<String>,
    /// Or else the embedding.
    pub embedding: Option<Vec<f32>>,
    /// The raw state.
    pub state: Vec<f64>,
    /// The logits that follow.
    pub logits: Vec<f64>,
    /// The parameters that follow, in their units.
    pub params: Vec<f64>,
    /// How far off an engine may be.
    pub tolerance: f64,
}

impl RouterManifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// The first thing in it that is wrong, by file, key, value and remedy.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::checked(path, config::parse(path)?)
    }

    /// The same of the text of such a file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_text(path: &Path, text: &str) -> Result<Self, ConfigError> {
        Self::checked(path, config::understood(path, text)?)
    }

    fn checked(path: &Path, mut manifest: Self) -> Result<Self, ConfigError> {
        manifest.path = path.to_owned();
        manifest.check()?;
        Ok(manifest)
    }

    /// The file that it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the ONNX file is.
    #[must_use]
    pub fn network(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new(".")).join(&self.onnx)
    }

    /// Says no to a value.
    pub(super) fn no(
        &self,
        key: impl Into<String>,
        value: impl std::fmt::Debug,
        remedy: impl Into<String>,
    ) -> ConfigError {
        ConfigError::value(&self.path, key, value, remedy)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.schema != SCHEMA {
            return Err(self.no("schema", &self.schema, format!("this program reads {SCHEMA:?}")));
        }
        if self.skills != SKILLS {
            return Err(self.no(
                "skills",
                &self.skills,
                format!("a router chooses from {SKILLS:?}"),
            ));
        }
        if !(self.clip.is_finite() && self.clip > 0.0) {
            return Err(self.no("clip", self.clip, "give a positive number, such as 10"));
        }
        let fingerprint = &self.encoder.fingerprint;
        let is_digest =
            fingerprint.len() == 64 && fingerprint.bytes().all(|c| c.is_ascii_hexdigit());
        if !is_digest {
            let remedy = "give the 64 hex digits that `reflexd-router embed` prints";
            return Err(self.no("encoder.fingerprint", fingerprint, remedy));
        }
        self.scale("embedding", (&self.embedding.mean, &self.embedding.std), &[1, WIDTH])?;
        let StateRule { hand, body, features, .. } = &self.state;
        if hand.is_some() == features.is_empty() && body.is_empty() != features.is_empty() {
            let width: usize = features.iter().map(FeatureRule::len).sum();
            if !features.is_empty() && width != STATE {
                let remedy = format!("name {STATE} numbers in all");
                return Err(self.no("state.features", width, remedy));
            }
        } else {
            let remedy = "give `hand` and `body`, or `features` instead of both";
            return Err(self.no("state.body", (hand, body.len(), features.len()), remedy));
        }
        self.scale("state", (&self.state.mean, &self.state.std), &[STATE])?;
        self.scale("params", (&self.params.mean, &self.params.std), &[Params::NAMES.len()])?;
        if self.golden.len() < 2 {
            let remedy = "give at least two golden vectors: they prove the engine";
            return Err(self.no("length of golden", self.golden.len(), remedy));
        }
        self.golden.iter().enumerate().try_for_each(|(at, golden)| self.check_golden(at, golden))
    }

    fn scale(
        &self,
        key: &str,
        (mean, std): (&[f64], &[f64]),
        widths: &[usize],
    ) -> Result<(), ConfigError> {
        for (part, values) in [("mean", mean), ("std", std)] {
            if !widths.contains(&values.len()) {
                let remedy = format!("give {widths:?} numbers");
                return Err(self.no(format!("length of {key}.{part}"), values.len(), remedy));
            }
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                let key = format!("{key}.{part}[{at}]");
                return Err(self.no(key, values[at], "give a finite number"));
            }
        }
        match std.iter().position(|value| *value <= 0.0) {
            Some(at) => {
                let remedy = "give a positive number; one that is nearly zero explodes";
                Err(self.no(format!("{key}.std[{at}]"), std[at], remedy))
            }
            None => Ok(()),
        }
    }

    fn check_golden(&self, at: usize, golden: &RouterGolden) -> Result<(), ConfigError> {
        let key = |part: &str| format!("golden[{at}].{part}");
        if golden.instruction.is_some() == golden.embedding.is_some() {
            return Err(self.no(key("instruction"), "", "give an instruction or an embedding"));
        }
        for (part, found, wanted) in [
            ("embedding", golden.embedding.as_ref().map_or(WIDTH, Vec::len), WIDTH),
            ("state", golden.state.len(), STATE),
            ("logits", golden.logits.len(), SKILLS.len()),
            ("params", golden.params.len(), Params::NAMES.len()),
        ] {
            if found != wanted {
                let remedy = format!("give {wanted} numbers");
                return Err(self.no(format!("length of {}", key(part)), found, remedy));
            }
        }
        if !(golden.tolerance > 0.0 && golden.tolerance <= TOLERANCE_MAX) {
            let remedy = format!("choose more than 0, at most {TOLERANCE_MAX}");
            return Err(self.no(key("tolerance"), golden.tolerance, remedy));
        }
        Ok(())
    }
}
