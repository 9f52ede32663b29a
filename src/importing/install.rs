//! A draft becomes a head: proved in a folder of its own, then moved to where it is to be.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    ImportError, Imported,
    compose::{Draft, Goldens},
    text,
};
use crate::{
    action::Body,
    head::{Head, HeadError, digest_of},
    inference::Engine,
};

/// Whose golden actions are that nobody else has computed.
const OWN: &str = "the engine that imported it: they prove that another engine computes the same, and not that this is \
                   what was trained";

/// Whether the files may be written.
pub(super) fn may_write(out: &Path, force: bool) -> Result<(), ImportError> {
    let is_toml = out.extension().is_some_and(|extension| extension == "toml");
    if !is_toml || out.file_stem().is_none() {
        return Err(ImportError::told(
            "--out",
            out,
            "name the manifest that is to be written, *.toml",
        ));
    }
    for file in [out.to_path_buf(), out.with_extension("onnx")] {
        if !force && file.exists() {
            return Err(ImportError::Exists { file });
        }
    }
    Ok(())
}

/// A folder that is gone again, whatever happens.
pub(super) struct Workshop(PathBuf);

impl Workshop {
    /// Beside the files that are made in it, so that moving them is only a new name.
    pub(super) fn open(out: &Path) -> Result<Self, ImportError> {
        let folder =
            out.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let stem = out.file_stem().unwrap_or_default().to_string_lossy();
        let room = folder.join(format!(".{stem}.import.{}", std::process::id()));
        fs::create_dir_all(&room).map_err(write_error(&room))?;
        Ok(Self(room))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Proves a draft and puts it at `out`.
pub(super) fn install(
    draft: Draft,
    out: &Path,
    body: &Body,
    engine: &Engine,
) -> Result<Imported, ImportError> {
    let room = Workshop::open(out)?;
    let Draft { manifest, network, goldens, tolerance, notes } = draft;
    let made = room.0.join(out.file_name().unwrap_or_default());
    let onnx = made.with_extension("onnx");
    let onnx_name = onnx.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sha256 = digest_of(&network);
    fs::write(&onnx, &network).map_err(write_error(&onnx))?;
    let write = |goldens: &str| {
        let text = manifest.text(&onnx_name, &sha256, goldens);
        fs::write(&made, text).map_err(write_error(&made))
    };
    // It would be there by its own name, which is the one that people know.
    let refused = |error: HeadError| {
        let known = out.parent().unwrap_or(Path::new("")).display().to_string();
        let words = error.to_string().replace(&format!("{}/", room.0.display()), &join(&known));
        ImportError::Refused { words }
    };
    let (by, goldens) = match goldens {
        Goldens::Given { by, goldens } => (by, goldens),
        Goldens::Asked(observations) => {
            write("")?;
            let answers = Head::answers(&made, body, engine, &observations).map_err(refused)?;
            (OWN.to_owned(), observations.into_iter().zip(answers).collect())
        }
    };
    write(&text::goldens(&by, &goldens, tolerance))?;
    let proof = Head::load(&made, body, engine).map_err(refused)?.proof().to_owned();
    // The network first: a manifest without its network is refused, as is one with another's.
    for (from, to) in [(&onnx, out.with_extension("onnx")), (&made, out.to_path_buf())] {
        fs::rename(from, &to).map_err(write_error(&to))?;
    }
    Ok(Imported { manifest: out.to_path_buf(), what: manifest.what, goldens_by: by, notes, proof })
}

/// A folder's name, for a file's to be put after.
fn join(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!("{folder}/") }
}

pub(super) fn write_error(file: &Path) -> impl Fn(io::Error) -> ImportError {
    let file = file.to_path_buf();
    move |source| ImportError::File {
        file: file.clone(),
        source,
        remedy: "it cannot be written: name another place with --out".to_owned(),
    }
}
