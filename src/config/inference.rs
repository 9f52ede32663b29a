//! Where heads run, unless their manifests say otherwise.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::inference::{Fallback, Placement, Precision, Provider};

/// The `[inference]` table.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct InferenceSettings {
    /// libonnxruntime.so; absent looks where `make setup` puts it.
    pub library: Option<PathBuf>,
    /// What runs heads.
    pub engine: Provider,
    /// How their weights are kept.
    pub precision: Precision,
    /// Which GPU, or which of a plugin's devices.
    pub device: u32,
    /// The library of ONNX Runtime's plugin, or of TensorRT for compiled engines.
    pub runtime: Option<PathBuf>,
    /// Where what a GPU needs is kept once it is made.
    pub cache: Option<PathBuf>,
    /// What happens to a head whose engine is not there.
    pub fallback: Fallback,
}

impl InferenceSettings {
    /// Paths are relative to the file that they stand in.
    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.library, &mut self.runtime, &mut self.cache].into_iter().flatten() {
            *path = folder.join(&path);
        }
    }

    pub(super) fn check(&self, file: &Path) -> Result<(), ConfigError> {
        let wrong = |key: &str, remedy: &str| Err(ConfigError::value(file, key, "absent", remedy));
        match self.engine {
            Provider::Plugin if self.runtime.is_none() => {
                wrong("inference.runtime", "name the plugin's library")
            }
            Provider::Tensorrt | Provider::Compiled if self.cache.is_none() => {
                wrong("inference.cache", "name a folder that only the daemon may write")
            }
            _ => Ok(()),
        }
    }

    /// The same, for the engine.
    #[must_use]
    pub fn placement(&self) -> Placement {
        Placement {
            provider: self.engine,
            precision: self.precision,
            device: self.device,
            library: self.runtime.clone(),
            cache: self.cache.clone(),
            fallback: self.fallback,
            digest: String::new(),
        }
    }
}
