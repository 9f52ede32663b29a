//! Who makes decisions of instructions.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The `[router]` table.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouterSettings {
    /// The manifest of the router's head; needed where the daemon decides.
    pub head: Option<PathBuf>,
    /// Who decides.
    #[serde(rename = "where")]
    pub place: RouterPlace,
    /// Nothing begins of which the network is less sure, 0 to 1.
    pub confidence_min: f64,
    /// How long an embedding, or a decision, is waited for.
    pub timeout_ms: u64,
    /// Things that were told of longer ago are not believed to be there any more.
    pub objects_age_max_ms: u64,
}

/// Who decides about instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouterPlace {
    /// The daemon, by its own head.
    #[default]
    Daemon,
    /// The router's process.
    Process,
}

impl Default for RouterSettings {
    fn default() -> Self {
        Self {
            head: None,
            place: RouterPlace::Daemon,
            confidence_min: 0.6,
            timeout_ms: 2_000,
            objects_age_max_ms: 2_000,
        }
    }
}

impl RouterSettings {
    /// Paths are relative to the file that they stand in.
    pub(super) fn resolve(&mut self, folder: &Path) {
        self.head = self.head.take().map(|head| folder.join(head));
    }

    pub(super) fn check(&self, file: &Path) -> Result<(), ConfigError> {
        if self.head.is_none() && self.place == RouterPlace::Daemon {
            let remedy = "name the manifest of a router's head, such as models/heads/piper_router.toml; or set \
                          router.where to \"process\"";
            return Err(ConfigError::value(file, "router.head", "absent", remedy));
        }
        if !(0.0..=1.0).contains(&self.confidence_min) {
            let remedy = "choose 0 to 1";
            return Err(ConfigError::value(
                file,
                "router.confidence_min",
                self.confidence_min,
                remedy,
            ));
        }
        for (key, value) in [
            ("router.timeout_ms", self.timeout_ms),
            ("router.objects_age_max_ms", self.objects_age_max_ms),
        ] {
            if !(10..=600_000).contains(&value) {
                return Err(ConfigError::value(file, key, value, "choose 10 to 600000"));
            }
        }
        Ok(())
    }
}
