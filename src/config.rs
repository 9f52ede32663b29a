//! TOML to settings to the things that run: the only reader of configuration files.
//!
//! Keys carry their units, unknown keys are refused, and every complaint names file, key, value and remedy. Relative
//! paths are relative to the file that they stand in.

mod arms;
mod authority;
mod inference;
mod inject;
mod piper;
mod recorder;
mod robot;
mod router;
mod security;
mod swap;
mod workspace;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::security::Tls;

pub use arms::{ArmSettings, Calibration, Correction};
pub use authority::{AuthoritySettings, LeaseKind, Takeover};
pub use inference::InferenceSettings;
pub use inject::InjectSettings;
pub use piper::{EStopKind, MountKind, PiperSettings, StreamKind};
pub use recorder::RecorderSettings;
pub use robot::{JointSettings, MujocoJoint, MujocoSettings, RobotSettings};
pub use router::{RouterPlace, RouterSettings};
pub use security::{CredentialsFile, Plaintext, SecuritySettings, Shown, is_open};
pub use swap::SwapSettings;
pub use workspace::{CapsuleSettings, CollisionSettings, PlaneSettings};

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a key that is unknown, missing or of the wrong type.
    #[error("{}: {words}", file.display())]
    Malformed {
        /// Which file.
        file: PathBuf,
        /// The parser's words: line, column, key.
        words: String,
    },
    /// A value makes no sense.
    #[error("{}: {key} = {value}: {remedy}", file.display())]
    Value {
        /// Which file.
        file: PathBuf,
        /// Which key.
        key: String,
        /// Its value.
        value: String,
        /// What to write instead.
        remedy: String,
    },
}

impl ConfigError {
    pub(crate) fn value(
        file: &Path,
        key: impl Into<String>,
        value: impl std::fmt::Debug,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Value {
            file: file.to_owned(),
            key: key.into(),
            value: format!("{value:?}"),
            remedy: remedy.into(),
        }
    }
}

/// What a daemon is told: one file for the daemon, one for its robot.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// The daemon's own settings.
    #[serde(flatten)]
    pub daemon: DaemonSettings,
    /// Its robot.
    pub robot_settings: RobotSettings,
    /// The file that it was read from.
    pub file: PathBuf,
}

/// `config/daemon.toml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonSettings {
    /// The robot's file.
    pub robot: PathBuf,
    /// What the robot is made of today.
    pub backend: BackendKind,
    /// The real-time loop.
    #[serde(default, rename = "loop")]
    pub loop_: LoopSettings,
    /// Where zenoh listens and connects.
    #[serde(default)]
    pub zenoh: ZenohSettings,
    /// Who may do what, and how it is known who speaks.
    #[serde(default)]
    pub security: SecuritySettings,
    /// Who may command.
    #[serde(default)]
    pub authority: AuthoritySettings,
    /// Where heads run.
    #[serde(default)]
    pub inference: InferenceSettings,
    /// Which skills there are; without one, only planned motions.
    pub registry: Option<PathBuf>,
    /// Who makes decisions of instructions; absent: nobody does.
    pub router: Option<RouterSettings>,
    /// What is written down.
    #[serde(default)]
    pub recorder: RecorderSettings,
    /// Whether faults may be injected.
    #[serde(default)]
    pub inject: InjectSettings,
    /// Cameras of a simulated scene that are published.
    #[serde(default)]
    pub cameras: Vec<CameraSettings>,
}

/// Which backend drives the robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// A robot without a body.
    Loopback,
    /// The scene in the robot's `[mujoco]` table.
    Mujoco,
    /// The arm on the bus in the robot's `[piper]` table.
    Piper,
}

impl std::str::FromStr for BackendKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "loopback" => Ok(Self::Loopback),
            "mujoco" => Ok(Self::Mujoco),
            "piper" => Ok(Self::Piper),
            other => Err(format!("{other:?} is no backend: choose mujoco, piper or loopback")),
        }
    }
}

impl BackendKind {
    /// Its name in a file, and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Mujoco => "mujoco",
            Self::Piper => "piper",
        }
    }

    /// Whether it is a real robot: one that moves when it is told to, and is where it is.
    #[must_use]
    pub const fn is_hardware(self) -> bool {
        match self {
            Self::Loopback | Self::Mujoco => false,
            Self::Piper => true,
        }
    }
}

/// Whose time the loop keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// The wall's.
    #[default]
    Realtime,
    /// Virtual: as fast as the machine allows; simulated backends only.
    Lockstep,
}

/// The `[loop]` table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoopSettings {
    /// Milliseconds between two ticks; the shipped heads are trained for 50.
    pub period_ms: u32,
    /// Whose time it keeps.
    pub pace: Pace,
    /// SCHED_FIFO priority, 1 to 98; absent asks for none.
    pub fifo_priority: Option<i32>,
    /// The processor that it is pinned to; absent pins it nowhere.
    pub cpu: Option<usize>,
    /// Lock memory, so that no page fault delays a tick.
    pub lock_memory: bool,
    /// Refuse to start if the host refuses any of these.
    pub enforce_realtime: bool,
}

impl Default for LoopSettings {
    fn default() -> Self {
        Self {
            period_ms: 50,
            pace: Pace::Realtime,
            fifo_priority: None,
            cpu: None,
            lock_memory: true,
            enforce_realtime: false,
        }
    }
}

/// The `[zenoh]` table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZenohSettings {
    /// Endpoints to listen on.
    pub listen: Vec<String>,
    /// Endpoints to connect to.
    pub connect: Vec<String>,
    /// The robot's certificate, for `tls/` endpoints.
    pub tls: Option<Tls>,
}

impl Default for ZenohSettings {
    /// This host only: who opens a robot to a network says so.
    fn default() -> Self {
        Self { listen: vec!["tcp/127.0.0.1:7447".into()], connect: Vec::new(), tls: None }
    }
}

/// How a scripted skill takes the tool to its target: `reach` of the policy registry.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReachSettings {
    /// Which arm; the robot's first, if absent.
    pub arm: Option<String>,
    /// Least lean of the tool outward from straight down.
    pub lean_min_rad: f64,
    /// Most.
    pub lean_max_rad: f64,
    /// The tool stops so far above the target.
    pub height_m: f64,
}

impl Default for ReachSettings {
    fn default() -> Self {
        Self { arm: None, lean_min_rad: 0.0, lean_max_rad: 1.2, height_m: 0.0 }
    }
}

/// One `[[cameras]]` table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSettings {
    /// Its name in the scene, and in its topic.
    pub name: String,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pictures a second.
    pub rate_hz: f64,
    /// How they are made.
    #[serde(default)]
    pub renderer: RendererKind,
}

/// How a camera's pictures are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RendererKind {
    /// By casting rays: needs nothing, the same everywhere.
    #[default]
    Rays,
    /// By OpenGL on EGL, for looks; needs a build with `--features egl`.
    Egl,
}

impl Settings {
    /// Reads a daemon's file and its robot's.
    ///
    /// # Errors
    /// The first thing in either that is wrong, by file, key, value and remedy.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::load_as(file, None)
    }

    /// The same, for another backend than the file's.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_as(file: &Path, backend: Option<BackendKind>) -> Result<Self, ConfigError> {
        Self::of_text(file, &read(file)?, backend, RobotSettings::load)
    }

    /// The same of the text of such a file. What `robot` makes of the robot's file is its robot.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_text(
        file: &Path,
        text: &str,
        backend: Option<BackendKind>,
        robot: impl FnOnce(&Path) -> Result<RobotSettings, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let mut daemon: DaemonSettings = understood(file, text)?;
        daemon.backend = backend.unwrap_or(daemon.backend);
        let folder = file.parent().unwrap_or(Path::new("."));
        daemon.robot = folder.join(&daemon.robot);
        daemon.registry = daemon.registry.map(|registry| folder.join(registry));
        daemon.inference.resolve(folder);
        daemon.recorder.resolve(folder);
        daemon.security.resolve(folder);
        if let Some(tls) = &mut daemon.zenoh.tls {
            tls.resolve(folder);
        }
        if let Some(router) = &mut daemon.router {
            router.resolve(folder);
        }
        let robot_settings = robot(&daemon.robot)?;
        let settings = Self { daemon, robot_settings, file: file.to_owned() };
        settings.check()?;
        Ok(settings)
    }

    /// Whether all of it makes sense together: to be asked again when something of it was changed.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, value: &dyn std::fmt::Debug, remedy: &str| {
            Err(ConfigError::value(&self.file, key, value, remedy))
        };
        let daemon = &self.daemon;
        daemon.inference.check(&self.file)?;
        daemon.recorder.check(&self.file, daemon.cameras.iter().map(|camera| &camera.name))?;
        daemon.authority.check(&self.file)?;
        daemon.check_security(&self.file)?;
        if let Some(router) = &daemon.router {
            router.check(&self.file)?;
        }
        let period = daemon.loop_.period_ms;
        if !(1..=1000).contains(&period) {
            return wrong("loop.period_ms", &period, "choose 1 to 1000");
        }
        if let Some(priority) = daemon.loop_.fifo_priority
            && !(1..=98).contains(&priority)
        {
            return wrong(
                "loop.fifo_priority",
                &priority,
                "choose 1 to 98; 99 belongs to the kernel",
            );
        }
        if daemon.backend == BackendKind::Mujoco && self.robot_settings.mujoco.is_none() {
            let remedy = "give the robot's file a [mujoco] table, or choose another backend";
            return wrong("backend", &"mujoco", remedy);
        }
        if daemon.backend == BackendKind::Piper {
            if self.robot_settings.piper.is_none() {
                let remedy = "give the robot's file a [piper] table, or choose another backend";
                return wrong("backend", &"piper", remedy);
            }
            if daemon.loop_.pace == Pace::Lockstep {
                let remedy = "an arm keeps the wall's time: choose realtime";
                return wrong("loop.pace", &"lockstep", remedy);
            }
        }
        for camera in &daemon.cameras {
            let small = (1..=1920).contains(&camera.width) && (1..=1080).contains(&camera.height);
            if !(small && camera.rate_hz > 0.0 && camera.rate_hz <= 60.0) {
                let key = format!("cameras.{}", camera.name);
                let value = (camera.width, camera.height, camera.rate_hz);
                return wrong(&key, &value, "choose up to 1920 x 1080 at up to 60 Hz");
            }
        }
        Ok(())
    }
}

/// Reads a TOML file.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T, ConfigError> {
    understood(file, &read(file)?)
}

fn read(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file)
        .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })
}

/// What the text of a TOML file says.
pub(crate) fn understood<T: serde::de::DeserializeOwned>(
    file: &Path,
    text: &str,
) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::Malformed {
        file: file.to_owned(),
        words: format!("{error}; see docs/configuration.md"),
    })
}
