//! Where a network is to run, and what happens if it cannot.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{EngineError, Precision};

/// What runs networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The processor: networks of dense layers run here, after ONNX Runtime has judged them, all else in ONNX Runtime.
    #[default]
    Cpu,
    /// The processor, always in ONNX Runtime.
    OnnxRuntime,
    /// CUDA, in ONNX Runtime.
    Cuda,
    /// TensorRT, in ONNX Runtime.
    Tensorrt,
    /// A plugin of ONNX Runtime.
    Plugin,
    /// A TensorRT engine that `reflexd compile` made, run directly.
    Compiled,
}

impl Provider {
    /// Its name in manifests and configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::OnnxRuntime => "onnxruntime",
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
            Self::Plugin => "plugin",
            Self::Compiled => "compiled",
        }
    }

    /// The precisions that it can keep weights in.
    const fn precisions(self) -> &'static [Precision] {
        use Precision::{Bf16, Fp16, Fp32, Int8};
        match self {
            Self::Cpu => &[Fp32, Fp16, Bf16, Int8],
            Self::OnnxRuntime | Self::Cuda | Self::Plugin => &[Fp32],
            Self::Tensorrt => &[Fp32, Fp16, Bf16],
            Self::Compiled => &[Fp32, Fp16],
        }
    }
}

/// What happens to a head whose provider is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// It is refused.
    #[default]
    Refuse,
    /// It runs on the processor, in 32 bits, and everybody is told.
    Cpu,
}

/// Where a network is to run, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// What runs it.
    pub provider: Provider,
    /// How its weights are kept.
    pub precision: Precision,
    /// Which GPU, counted from 0; for a plugin, which of its devices.
    pub device: u32,
    /// The library of a plugin, or of TensorRT for a compiled engine.
    pub library: Option<PathBuf>,
    /// Where what a GPU needs is kept, once it is made.
    pub cache: Option<PathBuf>,
    /// What happens if the provider is not there.
    pub fallback: Fallback,
    /// The network's SHA-256 in hexadecimal, by which it is known in the cache.
    pub digest: String,
}

impl Placement {
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        let can = self.provider.precisions();
        if can.contains(&self.precision) {
            return Ok(());
        }
        let names: Vec<_> = can.iter().map(|precision| precision.name()).collect();
        let reason = format!("\"{}\" runs {}", self.provider.name(), names.join(", "));
        Err(EngineError::Precision { precision: self.precision, reason })
    }

    /// Where what belongs to this network, on this GPU and with this TensorRT, is kept.
    ///
    /// # Errors
    /// If there is no cache, or nobody said which network it is.
    pub(crate) fn key(&self, tensorrt: &str, gpu: &str) -> Result<PathBuf, EngineError> {
        let missing = |reason: &str| EngineError::Provider {
            provider: self.provider,
            reason: reason.to_owned(),
        };
        let cache =
            self.cache.as_ref().ok_or_else(|| missing("set inference.cache to a folder"))?;
        let digest = self.digest.get(..16).ok_or_else(|| missing("the network has no digest"))?;
        let plain = |text: &str| -> String {
            text.chars()
                .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' })
                .collect()
        };
        let [tensorrt, gpu] = [tensorrt, gpu].map(plain);
        Ok(cache.join(format!("{digest}-{}-{tensorrt}-{gpu}", self.precision.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_known_by_network_precision_tensorrt_and_gpu() {
        let placement = Placement {
            provider: Provider::Tensorrt,
            precision: Precision::Fp16,
            cache: Some("cache".into()),
            digest: "0123456789abcdef0123".into(),
            ..Placement::default()
        };
        let key = placement.key("tensorrt10.13.2", "NVIDIA H200 (1)").expect("whole");
        assert_eq!(
            key,
            PathBuf::from("cache/0123456789abcdef-fp16-tensorrt10.13.2-NVIDIA_H200__1_")
        );
        let without = Placement { cache: None, ..placement.clone() };
        let refused = without.key("t", "g").expect_err("no cache").to_string();
        assert!(refused.contains("inference.cache"), "{refused}");
        assert!(Placement { digest: "01".into(), ..placement }.key("t", "g").is_err());
    }

    #[test]
    fn a_precision_that_a_provider_does_not_have_is_refused() {
        for (provider, precision, can) in [
            (Provider::Cpu, Precision::Int8, true),
            (Provider::OnnxRuntime, Precision::Fp16, false),
            (Provider::Cuda, Precision::Bf16, false),
            (Provider::Tensorrt, Precision::Bf16, true),
            (Provider::Compiled, Precision::Int8, false),
        ] {
            let checked = Placement { provider, precision, ..Placement::default() }.check();
            assert_eq!(checked.is_ok(), can, "{provider:?} {precision:?}");
        }
    }
}
