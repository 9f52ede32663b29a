//! What is being made, and the episodes of it that have been played: a folder that an interrupted run comes back to.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RolloutError, Summary, files, lerobot, trace::Trace};

/// The schema of the plan.
pub const SCHEMA: &str = "reflex.rollouts.v1";

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Rows for vision-language-action models.
    Vla,
    /// A LeRobotDataset v3.0.
    LeRobot,
    /// Both.
    Both,
}

impl Format {
    pub(super) const fn vla(self) -> bool {
        matches!(self, Self::Vla | Self::Both)
    }

    pub(super) const fn lerobot(self) -> bool {
        matches!(self, Self::LeRobot | Self::Both)
    }
}

/// Everything that the data are a function of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The robot.
    pub robot: String,
    /// Its joints.
    pub joints: Vec<String>,
    /// Lowest and highest position of each, rad or m: what normalised actions are normalised by.
    pub joint_ranges: Vec<[f64; 2]>,
    /// The arms whose tools are recorded.
    pub arms: Vec<String>,
    /// The loop's period, s.
    pub period_s: f64,
    /// The skill.
    pub skill: String,
    /// The policy that carries it out.
    pub policy: String,
    /// SHA-256 of its network.
    pub onnx_sha256: String,
    /// SHA-256 of the scene, and of the file beside it.
    pub scene_sha256: [String; 2],
    /// The condition.
    pub stratum: String,
    /// Ticks by which chunks are late beyond that.
    pub delay_ticks: u32,
    /// How many episodes are played.
    pub episodes: u64,
    /// Seed of the first one.
    pub seed: u64,
    /// Whether episodes that fail are left out.
    pub succeeded_only: bool,
    /// What is said, one after the other, episode by episode.
    pub instructions: Vec<String>,
    /// Who sees it.
    pub camera: String,
    /// Width and height of a picture, pixels.
    pub picture_px: [usize; 2],
    /// JPEG quality, 1 to 100.
    pub jpeg_quality: u8,
    /// What is written.
    pub format: Format,
    /// Steps of an action chunk in a row.
    pub chunk_steps: usize,
    /// A row for every n-th tick.
    pub stride: usize,
}

/// The folder.
pub struct Store {
    folder: PathBuf,
    plan: Plan,
    /// Locked for as long as this run goes on.
    _lock: File,
}

impl Store {
    /// Begins in an empty or new folder, or goes on where the same plan was begun. `true` says that all of it was done
    /// before.
    ///
    /// # Errors
    /// A folder with something else in it, another plan, another run at work, or a period that the format cannot hold.
    pub fn open(folder: &Path, plan: Plan) -> Result<(Self, bool), RolloutError> {
        if plan.format.lerobot() {
            lerobot::fps(plan.period_s)?;
        }
        let file = folder.join("plan.json");
        if !file.exists() {
            let is_empty =
                fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
            if !is_empty {
                return Err(RolloutError::Foreign { folder: folder.to_owned() });
            }
            files::json(file.clone(), &plan)?;
        }
        let unreadable = |source| RolloutError::Unreadable { file: file.clone(), source };
        let lock = File::open(&file).map_err(unreadable)?;
        if lock.try_lock().is_err() {
            return Err(RolloutError::Busy { folder: folder.to_owned() });
        }
        let text = fs::read_to_string(&file).map_err(unreadable)?;
        let torn = |words: String| RolloutError::Torn { file: file.clone(), words };
        let begun: Value = serde_json::from_str(&text).map_err(|error| torn(error.to_string()))?;
        let wanted = serde_json::to_value(&plan).map_err(|error| torn(error.to_string()))?;
        if let Some((key, planned, wanted)) = difference(&begun, &wanted) {
            return Err(RolloutError::OtherPlan { file, key, planned, wanted });
        }
        let store = Self { folder: folder.to_owned(), plan, _lock: lock };
        let is_done = store.path("summary.json").exists();
        Ok((store, is_done))
    }

    /// What is being made.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Something in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn part(&self, index: u64, ending: &str) -> PathBuf {
        self.path("parts").join(format!("{index:06}.{ending}"))
    }

    /// Whether an episode has been played.
    #[must_use]
    pub fn has(&self, index: u64) -> bool {
        self.part(index, "json").exists()
    }

    /// Keeps an episode. Its pictures come first: where the trace is, everything is.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn keep(&self, trace: &Trace, images: &[Vec<u8>]) -> Result<(), RolloutError> {
        let mut draft = files::Draft::new(self.part(trace.index, "jpegs"))?;
        for image in images {
            draft.write(image)?;
        }
        draft.finish()?;
        let mut draft = files::Draft::new(self.part(trace.index, "json"))?;
        draft.line(trace)?;
        draft.finish().map(drop)
    }

    /// An episode and its pictures.
    pub(super) fn read(&self, index: u64) -> Result<(Trace, Vec<Vec<u8>>), RolloutError> {
        let file = self.part(index, "json");
        let unreadable = |source| RolloutError::Unreadable { file: file.clone(), source };
        let text = fs::read_to_string(&file).map_err(unreadable)?;
        let torn = |words: String| RolloutError::Torn { file: file.clone(), words };
        let trace: Trace = serde_json::from_str(&text).map_err(|error| torn(error.to_string()))?;
        let seed = self.plan.seed.wrapping_add(index);
        if (trace.index, trace.seed) != (index, seed) {
            return Err(torn(format!("is episode {} of seed {}", trace.index, trace.seed)));
        }
        let file = self.part(index, "jpegs");
        let unreadable = |source| RolloutError::Unreadable { file: file.clone(), source };
        let mut jpegs = File::open(&file).map_err(unreadable)?;
        let mut images = Vec::with_capacity(trace.samples.len());
        for sample in &trace.samples {
            let mut image = vec![0; sample.image_bytes as usize];
            jpegs.read_exact(&mut image).map_err(unreadable)?;
            images.push(image);
        }
        Ok((trace, images))
    }

    /// Everything has been written: says so, and clears the parts away.
    pub(super) fn finish(&self, summary: &Summary) -> Result<(), RolloutError> {
        files::json(self.path("summary.json"), summary)?;
        let parts = self.path("parts");
        fs::remove_dir_all(&parts).map_err(files::unwritable(&parts))
    }
}

/// The first key of two plans that differs, and both values.
fn difference(begun: &Value, wanted: &Value) -> Option<(String, String, String)> {
    let (begun, wanted) = (begun.as_object()?, wanted.as_object()?);
    let absent = Value::Null;
    let keys = wanted.keys().chain(begun.keys());
    keys.map(|key| (key, begun.get(key).unwrap_or(&absent), wanted.get(key).unwrap_or(&absent)))
        .find(|(_, begun, wanted)| begun != wanted)
        .map(|(key, begun, wanted)| (key.clone(), begun.to_string(), wanted.to_string()))
}
