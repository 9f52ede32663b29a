//! Why nothing was imported. Each error names the file, the key, the value and the remedy.

use std::{fmt::Debug, io, path::PathBuf};

use crate::kinematics::DescriptionError;

/// Why nothing was imported. Nothing was written then, either.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read or written.
    #[error("{}: {source}; {remedy}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
        /// What to do.
        remedy: String,
    },
    /// Something in a file is not as an import needs it.
    #[error("{}: {key} = {value}: {remedy}", file.display())]
    Bad {
        /// Which file.
        file: PathBuf,
        /// Where in it.
        key: String,
        /// What stands there.
        value: String,
        /// What to do.
        remedy: String,
    },
    /// No file says it, so the user has to.
    #[error("{what} is not told: {why}; give {flag}")]
    Untold {
        /// What is missing.
        what: &'static str,
        /// Why no file says it, or what it is for.
        why: String,
        /// How to tell it.
        flag: String,
    },
    /// What the user says makes no sense.
    #[error("{flag} {value}: {remedy}")]
    Told {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What to say instead.
        remedy: String,
    },
    /// There is already a head.
    #[error(
        "{} is there already: name another with --out, or overwrite it with --force",
        file.display()
    )]
    Exists {
        /// The file that is there.
        file: PathBuf,
    },
    /// What was made is refused as a head.
    #[error("{words}")]
    Refused {
        /// Why: it names the manifest that was to be written, the key, the value and the remedy.
        words: String,
    },
    /// The robot's description.
    #[error(transparent)]
    Description(#[from] DescriptionError),
}

impl ImportError {
    pub(super) fn bad(
        file: impl Into<PathBuf>,
        key: impl Into<String>,
        value: impl Debug,
        remedy: impl Into<String>,
    ) -> Self {
        let (key, value) = (key.into(), format!("{value:?}"));
        Self::Bad { file: file.into(), key, value, remedy: remedy.into() }
    }

    pub(super) fn told(flag: &'static str, value: impl Debug, remedy: impl Into<String>) -> Self {
        Self::Told { flag, value: format!("{value:?}"), remedy: remedy.into() }
    }

    pub(super) fn untold(
        what: &'static str,
        why: impl Into<String>,
        flag: impl Into<String>,
    ) -> Self {
        Self::Untold { what, why: why.into(), flag: flag.into() }
    }

    /// Whether it is the command line that has to change.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Untold { .. } | Self::Told { .. } | Self::Exists { .. })
    }
}
