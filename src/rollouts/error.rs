//! Why there are no rollouts.

use std::path::PathBuf;

use crate::picture::PictureError;

/// Why there are no rollouts.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("{}: cannot be written: {source}; check the folder, its permissions and the disk", file.display())]
    Unwritable {
        /// Which file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A folder with something else in it.
    #[error("--out {}: is not empty, and no rollouts were begun there: name another folder", folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// Rollouts of another kind were begun there.
    #[error(
        "{}: {key} = {planned}: this run has {wanted}: name another --out, or remove the folder", file.display()
    )]
    OtherPlan {
        /// The plan's file.
        file: PathBuf,
        /// Where they differ.
        key: String,
        /// What stands there.
        planned: String,
        /// What this run has.
        wanted: String,
    },
    /// Somebody else is at it.
    #[error("--out {}: another run is writing there: wait for it, or name another folder", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// A file is not what was written.
    #[error("{}: {words}: remove it and run the same command again", file.display())]
    Torn {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        words: String,
    },
    /// The format cannot hold it.
    #[error(
        "--format lerobot: period_ms = {period_ms}: LeRobot counts whole frames a second: use --format vla"
    )]
    NoWholeRate {
        /// The loop's period.
        period_ms: f64,
    },
    /// Nothing is left.
    #[error(
        "none of the {episodes} episodes succeeded, and --succeeded-only keeps no other: there is no data"
    )]
    Nothing {
        /// How many were played.
        episodes: u64,
    },
    /// No picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// An episode that cannot be played.
    #[error("seed {seed}: {words}")]
    Episode {
        /// Which one.
        seed: u64,
        /// Why.
        words: String,
    },
}
