//! Where a network is to run.

use crate::Precision;

/// What runs networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// The processor: layers that are known here run here, after ONNX Runtime has judged them, all else in ONNX Runtime.
    #[default]
    Cpu,
    /// The processor, always in ONNX Runtime.
    OnnxRuntime,
}

impl Provider {
    /// Its name in manifests and configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::OnnxRuntime => "onnxruntime",
        }
    }
}

/// Where a network is to run, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// What runs it.
    pub provider: Provider,
    /// How its weights are kept.
    pub precision: Precision,
}
