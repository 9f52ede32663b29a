//! Why a head is refused. Each error names the file, the key, the value and the remedy.

use std::{io, path::PathBuf};

use crate::inference::EngineError;

/// Why a head was not loaded, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// A file is missing or cannot be read.
    #[error("{}: {key} = `{value}` cannot be read: {source}; {remedy}", file.display())]
    File {
        /// The manifest.
        file: PathBuf,
        /// The key that names the file.
        key: &'static str,
        /// The file.
        value: String,
        /// What the system said.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The manifest is not TOML, or has a key too few, too many or of another type.
    #[error(
        "{}: {message}\nremedy: the keys of a head's manifest are listed in docs/manifest.md; a shipped manifest in \
         models/heads is a good start",
        file.display()
    )]
    Toml {
        /// The manifest.
        file: PathBuf,
        /// Where and what.
        message: String,
    },
    /// A value makes no sense.
    #[error("{}: {key} = {value}: {remedy}", file.display())]
    BadValue {
        /// The manifest.
        file: PathBuf,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What to do.
        remedy: String,
    },
    /// The ONNX file, or one of its tokens, is not the one that the manifest was written for.
    #[error(
        "{}: sha256 = {wanted}, but {} has {found}: restore the file, or export the head again with its manifest",
        file.display(), found_in.display()
    )]
    WrongDigest {
        /// The manifest.
        file: PathBuf,
        /// The file.
        found_in: PathBuf,
        /// The manifest's digest.
        wanted: String,
        /// The file's digest.
        found: String,
    },
    /// A tensor of the network has another name or type than the manifest says.
    #[error("{}: {key} should be {wanted}, the network has {found}: correct the manifest or export again", file.display())]
    WrongTensor {
        /// The manifest.
        file: PathBuf,
        /// The key.
        key: String,
        /// What was expected.
        wanted: String,
        /// What the network has.
        found: String,
    },
    /// A tensor of the network has another shape than the manifest says.
    #[error(
        "{}: {key} should have shape {wanted:?}, the network has {found:?}: correct the features, the columns or \
         timing.chunk_steps, or export again with fixed sizes (-1 is a free one)",
        file.display()
    )]
    WrongShape {
        /// The manifest.
        file: PathBuf,
        /// The key.
        key: String,
        /// What was expected.
        wanted: Vec<i64>,
        /// What the network has.
        found: Vec<i64>,
    },
    /// The engine refused to load or run the network.
    #[error("{}: onnx = `{onnx}`: {source}; export it again for this engine", file.display())]
    Engine {
        /// The manifest.
        file: PathBuf,
        /// The ONNX file.
        onnx: String,
        /// What the engine said.
        source: EngineError,
    },
    /// This engine computes something else than the one the head was exported with.
    #[error(
        "{}: golden[{golden}].action[{step}], column `{column}` = {wanted}, this engine gives {got}, which is more than \
         tolerance = {tolerance} away: the network, its normalisation or the range of its output is not what was exported; \
         export again",
        file.display()
    )]
    Golden {
        /// The manifest.
        file: PathBuf,
        /// Which golden vector.
        golden: usize,
        /// Which step of its action.
        step: usize,
        /// Which column.
        column: String,
        /// The manifest's value.
        wanted: f64,
        /// This engine's.
        got: f64,
        /// How far they may be apart.
        tolerance: f64,
    },
    /// The network answered with NaN or an infinity.
    #[error("{}: the network's {what}: train or export again; the head must not drive", file.display())]
    NonFinite {
        /// The manifest.
        file: PathBuf,
        /// Which number.
        what: String,
    },
    /// The head asks for a pose that the arm is not to be put in.
    #[error("{}: output.columns: {what}: this chunk is not followed", file.display())]
    Refused {
        /// The manifest.
        file: PathBuf,
        /// Which step, which arm, and why.
        what: String,
    },
    /// The head answered with tokens that are no actions.
    #[error("{}: output.tokens: {what}: this chunk is not followed", file.display())]
    Tokens {
        /// The manifest.
        file: PathBuf,
        /// Which token, and why.
        what: String,
    },
    /// What the head was shown is not finite, or not this robot's.
    #[error("{}: inputs: {what}: the robot's state or the decision is not usable", file.display())]
    BadObservation {
        /// The manifest.
        file: PathBuf,
        /// Which number.
        what: String,
    },
    /// The head is for another robot.
    #[error(
        "{}: robot = \"{found}\", but this robot is \"{wanted}\": give it a head that was trained for it",
        file.display()
    )]
    OtherRobot {
        /// The manifest.
        file: PathBuf,
        /// The manifest's robot.
        found: String,
        /// This robot.
        wanted: String,
    },
}

impl HeadError {
    /// A short name of the kind, for messages and counters; it does not change between versions.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "file_unreadable",
            Self::Toml { .. } => "not_a_manifest",
            Self::BadValue { .. } => "bad_value",
            Self::WrongDigest { .. } => "wrong_digest",
            Self::WrongTensor { .. } => "wrong_tensor",
            Self::WrongShape { .. } => "wrong_shape",
            Self::Engine { .. } => "engine",
            Self::Golden { .. } => "golden_mismatch",
            Self::NonFinite { .. } => "non_finite_output",
            Self::Refused { .. } => "pose_refused",
            Self::Tokens { .. } => "tokens_refused",
            Self::BadObservation { .. } => "bad_observation",
            Self::OtherRobot { .. } => "other_robot",
        }
    }
}
