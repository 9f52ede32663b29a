//! Files that are there as a whole, or not at all.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::RolloutError;

/// Refuses what became of a file.
pub(super) fn unwritable(file: &Path) -> impl Fn(std::io::Error) -> RolloutError {
    move |source| RolloutError::Unwritable { file: file.to_owned(), source }
}

/// A file that gets its name when it is complete, and is on the disk by then.
pub(super) struct Draft {
    path: PathBuf,
    partial: PathBuf,
    pub(super) out: BufWriter<File>,
}

impl Draft {
    pub(super) fn new(path: PathBuf) -> Result<Self, RolloutError> {
        let mut partial = OsString::from(&path);
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let folder = path.parent().unwrap_or(Path::new("."));
        let file = fs::create_dir_all(folder).and_then(|()| File::create(&partial));
        let out = BufWriter::new(file.map_err(unwritable(&path))?);
        Ok(Self { path, partial, out })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), RolloutError> {
        self.out.write_all(bytes).map_err(unwritable(&self.path))
    }

    /// One line of JSON.
    pub(super) fn line(&mut self, row: &impl Serialize) -> Result<(), RolloutError> {
        let done = serde_json::to_writer(&mut self.out, row).map_err(std::io::Error::from);
        done.and_then(|()| self.out.write_all(b"\n")).map_err(unwritable(&self.path))
    }

    /// Its size, once it has its name.
    pub(super) fn finish(self) -> Result<u64, RolloutError> {
        let Self { path, partial, out } = self;
        let done = out.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| {
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            Ok(file.metadata()?.len())
        });
        done.map_err(unwritable(&path))
    }
}

/// A file among very many: whole or not there, but it reaches the disk when [`settle`] is called for it.
pub(super) fn quick(path: &Path, bytes: &[u8]) -> Result<(), RolloutError> {
    let mut partial = OsString::from(path);
    partial.push(".part");
    let done = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    done.map_err(unwritable(path))
}

/// Waits until a file is on the disk; most have long been by now.
pub(super) fn settle(path: &Path) -> Result<(), RolloutError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(unwritable(path))
}

/// A small file.
pub(super) fn write(path: PathBuf, bytes: &[u8]) -> Result<u64, RolloutError> {
    let mut draft = Draft::new(path)?;
    draft.write(bytes)?;
    draft.finish()
}

/// A document that people read, too.
pub(super) fn json(path: PathBuf, value: &impl Serialize) -> Result<u64, RolloutError> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from);
    let text = text.map_err(unwritable(&path))?;
    write(path, (text + "\n").as_bytes())
}
