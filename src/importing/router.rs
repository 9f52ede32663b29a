//! A router's head out of what PyTorch saved. A helper in Python reads the archive, with a reader that makes nothing but
//! numbers; what it writes is proved here like any other router's head before it is put where it is to be.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{
    ImportError,
    install::{Workshop, may_write, write_error},
};
use crate::{action::Body, config::RobotSettings, inference::Engine, router::RouterHead};

/// What is to be made.
#[derive(Debug)]
pub struct RouterRequest<'a> {
    /// Out of which file of `torch.save`'s.
    pub checkpoint: PathBuf,
    /// The helper, `export_router_pt.py`.
    pub helper: PathBuf,
    /// For which robot.
    pub robot: &'a RobotSettings,
    /// Where the manifest is to be; the network goes beside it.
    pub out: PathBuf,
    /// Overwrite what is there.
    pub force: bool,
    /// More flags for the helper: which encoder, with which prompt and fingerprint, the head's name.
    pub told: Vec<(&'static str, String)>,
}

/// What was made.
#[derive(Debug)]
pub struct RouterImported {
    /// The manifest.
    pub manifest: PathBuf,
    /// What the helper tells of it.
    pub told: Value,
    /// Golden vectors that were run.
    pub goldens: usize,
}

/// Makes a router's head, proves it and puts it where it is to be.
///
/// # Errors
/// What is missing or wrong. Nothing is written then.
pub fn router(request: &RouterRequest<'_>, engine: &Engine) -> Result<RouterImported, ImportError> {
    let RouterRequest { checkpoint, helper, robot, out, force, told } = request;
    may_write(out, *force)?;
    let room = Workshop::open(out)?;
    let made = room.path().join(out.file_name().unwrap_or_default());
    let name = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut python = Command::new("python3");
    python.arg("-B").arg(helper).arg(checkpoint).arg("--out").arg(&made);
    python.args(["--robot", &robot.name, "--name", &name]);
    told.iter().for_each(|(flag, value)| {
        python.args([*flag, value]);
    });
    let ran = python.output().map_err(|source| ImportError::File {
        file: "python3".into(),
        source,
        remedy: "a file of PyTorch's is read by Python: put python3 (3.9 or newer) on the path"
            .to_owned(),
    })?;
    if !ran.status.success() {
        let words = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        return Err(ImportError::Refused { words });
    }
    let told: Value = serde_json::from_slice(&ran.stdout).map_err(|error| {
        ImportError::bad(helper, "its answer", error.to_string(), "take the helper of this program")
    })?;
    let body = Body::load(robot)?;
    let head = RouterHead::load(&made, &body, engine)
        .map_err(|error| ImportError::Refused { words: error.to_string() })?;
    let goldens = head.manifest().golden.len();
    for (from, to) in
        [(made.with_extension("onnx"), out.with_extension("onnx")), (made, out.clone())]
    {
        fs::rename(&from, &to).map_err(write_error(&to))?;
    }
    Ok(RouterImported { manifest: out.clone(), told, goldens })
}

/// Where the helper is in a checkout, beside a configuration.
#[must_use]
pub fn router_helper(config: &Path) -> PathBuf {
    let folder = config.parent().unwrap_or(Path::new(""));
    folder.join("../models/training/import/export_router_pt.py")
}
