//! Why an engine did not start, or a network did not run.

use std::{fmt, path::PathBuf};

use super::{Precision, Provider};

/// Which tensor of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// An input, counted from 0 in the order of the signature.
    Input(usize),
    /// The output.
    Output,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(at) => write!(f, "inputs[{at}]"),
            Self::Output => f.write_str("output"),
        }
    }
}

/// Why the engine did not start, or a network did not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Telemetry was not switched off.
    #[error(
        "ORT_DISABLE_TELEMETRY is not 1, so ONNX Runtime would send telemetry: call inference::silence_telemetry() \
         first in main, or set it in the environment"
    )]
    Telemetry,
    /// Telemetry cannot be switched off any more.
    #[error(
        "ORT_DISABLE_TELEMETRY cannot be set once other threads may run: call inference::silence_telemetry() first in \
         main, or set ORT_DISABLE_TELEMETRY=1 in the environment"
    )]
    TelemetryTooLate,
    /// The library is nowhere.
    #[error(
        "libonnxruntime.so is not in {searched:?}: run `make setup`, or name it in REFLEX_ONNXRUNTIME"
    )]
    LibraryMissing {
        /// Where it was looked for.
        searched: Vec<PathBuf>,
    },
    /// The library is there but is no ONNX Runtime that this program can use.
    #[error("{}: {message}; run `make setup` for the version this program was built for", path.display())]
    LibraryBroken {
        /// The library.
        path: PathBuf,
        /// What was wrong.
        message: String,
    },
    /// One process can have one runtime.
    #[error("ONNX Runtime already runs from {}, not from {}", running.display(), asked.display())]
    AlreadyStarted {
        /// What runs.
        running: PathBuf,
        /// What was asked for.
        asked: PathBuf,
    },
    /// The runtime would not load or run the network.
    #[error("ONNX Runtime: {0}")]
    Refused(String),
    /// A tensor is missing, is one too many, or has another element type.
    #[error("{slot} should be {wanted}, the model has {found}")]
    Tensor {
        /// Which tensor.
        slot: Slot,
        /// What was expected.
        wanted: String,
        /// What the model has.
        found: String,
    },
    /// A tensor has another shape.
    #[error("{slot} should have shape {wanted:?}, the model has {found:?} (-1: any)")]
    Shape {
        /// Which tensor.
        slot: Slot,
        /// What was expected.
        wanted: Vec<i64>,
        /// What the model has.
        found: Vec<i64>,
    },
    /// Weights cannot be kept in this precision.
    #[error("precision = \"{}\" cannot be had: {reason}; use \"fp32\"", precision.name())]
    Precision {
        /// What was asked for.
        precision: Precision,
        /// Why it cannot be had.
        reason: String,
    },
    /// A provider is not there, or does not take the network.
    #[error(
        "engine = \"{}\" cannot run this network: {reason}; see `reflexd doctor`, or set inference.fallback = \"cpu\"",
        provider.name()
    )]
    Provider {
        /// What was asked for.
        provider: Provider,
        /// Why it cannot be had.
        reason: String,
    },
    /// The network's output has a NaN or an infinity.
    #[error("output {element} is {value}")]
    NotFinite {
        /// Which element.
        element: usize,
        /// What it is, as text: a NaN equals nothing.
        value: String,
    },
}

impl<R> From<ort::Error<R>> for EngineError {
    fn from(error: ort::Error<R>) -> Self {
        Self::Refused(error.message().to_owned())
    }
}
