//! Heads out of what people have: a policy's own files, and what the user says because no file does.
//!
//! ```text
//! npz | onnx | lerobot | openpi ──► Material ──┐
//!                                  Told ───────┼──compose──► Draft ──prove──► manifest + ONNX, side by side
//!                                  robot ──────┘
//! ```
//!
//! Nothing is written that was not loaded and proved as a head first, and nothing is overwritten unless told.

mod compose;
mod error;
mod install;
mod lerobot;
mod material;
mod npz;
mod onnx;
mod openpi;
mod plain;
mod router;
mod template;
mod text;
mod told;

use std::path::{Path, PathBuf};

pub use error::ImportError;
pub use openpi::OpenpiNorm;
pub use router::{RouterImported, RouterRequest, router, router_helper};
pub use told::{Action, Factor, FeaturesTold, InputTold, TaskTold, Told, Units};

use crate::{action::Body, config::RobotSettings, head::Proof, inference::Engine};

/// What a policy is written down as.
#[derive(Clone, Debug)]
pub enum Source {
    /// A perceptron in a `.npz` file.
    Npz(PathBuf),
    /// An ONNX file.
    Onnx(PathBuf),
    /// A folder of LeRobot's, and a network if it is not the folder's own.
    Lerobot(PathBuf, Option<PathBuf>),
    /// openpi's statistics and a network.
    Openpi(PathBuf, PathBuf, OpenpiNorm),
}

/// What is to be made.
#[derive(Debug)]
pub struct Request<'a> {
    /// Out of what.
    pub source: Source,
    /// What the user says, the file's part included.
    pub told: Told,
    /// Where that file is, for errors.
    pub spec: PathBuf,
    /// For which robot.
    pub robot: &'a RobotSettings,
    /// Where the manifest is to be; the network goes beside it.
    pub out: PathBuf,
    /// Overwrite what is there.
    pub force: bool,
}

/// What was made.
#[derive(Debug)]
pub struct Imported {
    /// The manifest.
    pub manifest: PathBuf,
    /// Out of what it was made.
    pub what: String,
    /// Whose the golden actions are.
    pub goldens_by: String,
    /// What people should know.
    pub notes: Vec<String>,
    /// What loading it has shown.
    pub proof: Proof,
}

/// Makes a head, proves it and puts it where it is to be.
///
/// # Errors
/// What is missing or wrong. Nothing is written then.
pub fn import(request: &Request<'_>, engine: &Engine) -> Result<Imported, ImportError> {
    let Request { source, told, spec, robot, out, force } = request;
    install::may_write(out, *force)?;
    let mut told = told.clone().of_its_task()?;
    let material = match source {
        Source::Npz(file) => {
            let floor = told.std_floor;
            npz::bound(&mut told);
            npz::read(file, &told, floor)?
        }
        Source::Onnx(file) => plain::read(file, &told, spec)?,
        Source::Lerobot(folder, network) => lerobot::read(folder, network.as_deref())?,
        Source::Openpi(path, network, norm) => openpi::read(path, network, *norm, &told)?,
    };
    let name = out.file_stem().unwrap_or_default().to_string_lossy();
    let draft = compose::compose(material, &told, robot, &name)?;
    let body = Body::load(robot)?;
    install::install(draft, out, &body, engine)
}

/// A file for `--spec`, for a network whose tensors are these.
///
/// # Errors
/// If the network cannot be read.
pub fn template(network: Option<&Path>, robot: &RobotSettings) -> Result<String, ImportError> {
    template::write(network, robot)
}
