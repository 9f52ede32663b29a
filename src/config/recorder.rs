//! The `[recorder]` table: what is written down, where to, and how much room it may take.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The `[recorder]` table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecorderSettings {
    /// Where recordings go. If absent: `recordings` in systemd's state directory, or beside the configuration.
    pub folder: PathBuf,
    /// Whether everything is recorded from the start, in files one after the other.
    pub files: bool,
    /// Whether the last ticks are written out at every fault and e-stop.
    pub black_box: bool,
    /// A file of this size is followed by another.
    pub rotate_mb: u64,
    /// So is one of this age.
    pub rotate_s: u64,
    /// What continuous files may take together; the oldest go first.
    pub quota_mb: u64,
    /// What black boxes may take together.
    pub black_box_quota_mb: u64,
    /// Room on the disk that is left to others.
    pub free_min_mb: u64,
    /// Cameras whose frames are recorded.
    pub cameras: Vec<String>,
}

impl Default for RecorderSettings {
    fn default() -> Self {
        Self {
            folder: PathBuf::new(),
            files: false,
            black_box: true,
            rotate_mb: 256,
            rotate_s: 600,
            quota_mb: 4096,
            black_box_quota_mb: 512,
            free_min_mb: 256,
            cameras: Vec::new(),
        }
    }
}

impl RecorderSettings {
    pub(super) fn resolve(&mut self, folder: &Path) {
        if self.folder.as_os_str().is_empty() {
            // systemd names several, if a unit has several; the first one is the daemon's.
            let state = std::env::var("STATE_DIRECTORY").unwrap_or_default();
            let state =
                state.split(':').next().filter(|state| !state.is_empty()).map(PathBuf::from);
            self.folder = state.unwrap_or_else(|| folder.to_owned()).join("recordings");
        } else {
            self.folder = folder.join(&self.folder);
        }
    }

    pub(super) fn check<'a>(
        &self,
        file: &Path,
        cameras: impl Iterator<Item = &'a String> + Clone,
    ) -> Result<(), ConfigError> {
        let wrong = |key: &str, value: &dyn std::fmt::Debug, remedy: &str| {
            Err(ConfigError::value(file, format!("recorder.{key}"), value, remedy))
        };
        if !(1..=65_536).contains(&self.rotate_mb) {
            return wrong("rotate_mb", &self.rotate_mb, "choose 1 to 65536");
        }
        if !(10..=86_400).contains(&self.rotate_s) {
            return wrong("rotate_s", &self.rotate_s, "choose 10 to 86400");
        }
        for (key, value) in
            [("quota_mb", self.quota_mb), ("black_box_quota_mb", self.black_box_quota_mb)]
        {
            if !(1..=100_000_000).contains(&value) {
                return wrong(key, &value, "choose 1 to 100000000");
            }
        }
        if self.quota_mb < 2 * self.rotate_mb {
            let remedy =
                "choose at least twice rotate_mb: one file is written while the last one is kept";
            return wrong("quota_mb", &self.quota_mb, remedy);
        }
        if self.free_min_mb > 100_000_000 {
            return wrong("free_min_mb", &self.free_min_mb, "choose 0 to 100000000");
        }
        let known = |camera: &&String| cameras.clone().any(|known| known == *camera);
        let stranger = self.cameras.iter().find(|camera| !known(camera));
        if let Some(camera) = stranger {
            let remedy = "name cameras that have a [[cameras]] table";
            return wrong("cameras", camera, remedy);
        }
        Ok(())
    }
}
