//! Why a daemon does not start.

use std::path::PathBuf;

use crate::{
    config::ConfigError,
    head::HeadError,
    inference::EngineError,
    kinematics::DescriptionError,
    router::RouterHeadError,
    security::{KeyError, SealError},
    skill::registry::LoadError,
    wire::WireError,
};

/// Why a daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key or a certificate.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A head or a registry that is not signed as it has to be.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The robot's description.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// A head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// ONNX Runtime.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The router's head.
    #[error(transparent)]
    Router(#[from] RouterHeadError),
    /// Zenoh.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The simulated world.
    #[error("{}: {words}; correct the scene, or the [mujoco] table of {}", scene.display(), robot.display())]
    Scene {
        /// The scene's file.
        scene: PathBuf,
        /// The robot's file.
        robot: PathBuf,
        /// MuJoCo's words, or what is missing.
        words: String,
    },
    /// The arm on the bus cannot be commanded.
    #[error("{} [piper] on {bus}: {refused} (`reflexd check --robot {}` looks at all of it)", robot.display(), robot.display())]
    Arm {
        /// The robot's file.
        robot: PathBuf,
        /// Its bus.
        bus: String,
        /// Why.
        refused: reflex::backend::piper::probe::Refused,
    },
    /// The backend was not built in.
    #[error("{}: backend = {kind:?}: this reflexd was built without it; build with `--features {kind}`", file.display())]
    NotBuilt {
        /// The configuration.
        file: PathBuf,
        /// The backend.
        kind: &'static str,
    },
    /// The host refuses real time, and the configuration insists on it.
    #[error(
        "loop.enforce_realtime = true, but {reasons}; mend it (`reflexd doctor`), or set it to false"
    )]
    Realtime {
        /// What was refused, and how to mend it.
        reasons: String,
    },
    /// A thread or the runtime could not be started.
    #[error("cannot start {what}: {source}")]
    Thread {
        /// Which.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl From<LoadError> for DaemonError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Config(error) => Self::Config(error),
            LoadError::Head(error) => Self::Head(error),
            LoadError::Engine(error) => Self::Engine(error),
            LoadError::Seal(error) => Self::Seal(error),
        }
    }
}
