//! Finishes what a crash has left: every whole chunk of it, in a file with an index.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    reader::{self, MAGIC, Piece, Unreadable},
    writer::Copy,
};

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Messages that are in the new file.
    pub messages: u64,
    /// Chunks that were damaged, and are not.
    pub damaged: u64,
}

/// Why a file was not mended.
#[derive(Debug, thiserror::Error)]
pub enum MendError {
    /// The old one.
    #[error("{}: {reason}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        reason: Unreadable,
    },
    /// The new one.
    #[error("{}: cannot be written: {source}", file.display())]
    Unwritable {
        /// Which.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Whether a file ends as one does that was finished.
pub(super) fn is_finished(path: &Path) -> bool {
    let ending = || -> io::Result<bool> {
        let mut file = File::open(path)?;
        let mut last = [0; MAGIC.len()];
        file.seek(SeekFrom::End(-(last.len() as i64)))?;
        file.read_exact(&mut last)?;
        // A file that holds nothing but its first bytes ends with the same ones.
        Ok(last == *MAGIC && file.stream_position()? > last.len() as u64)
    };
    ending().unwrap_or(false)
}

/// Writes what is whole in one file into a new one.
///
/// # Errors
/// Either file, and why.
pub fn mend(from: &Path, to: &Path) -> Result<Mended, MendError> {
    let unwritable = |source| MendError::Unwritable { file: to.to_owned(), source };
    let unreadable = |reason| MendError::Unreadable { file: from.to_owned(), reason };
    let file = File::open(from).map_err(|error| unreadable(error.into()))?;
    let mut copy = Copy::create(to).map_err(unwritable)?;
    let mut written: io::Result<()> = Ok(());
    let mut mended = Mended::default();
    let ending = reader::read(BufReader::new(file), &mut |piece| {
        if written.is_err() {
            return;
        }
        written = match piece {
            Piece::Message { .. } => {
                copy.take(&piece).map(|taken| mended.messages += u64::from(taken))
            }
            Piece::Progress(_) => copy.flush(),
            piece => copy.take(&piece).map(drop),
        };
    });
    let done = match (ending, written) {
        (Err(reason), _) => Err(unreadable(reason)),
        (_, Err(error)) => Err(unwritable(error)),
        (Ok(ending), Ok(())) => {
            mended.damaged = ending.damaged;
            copy.finish().map_err(unwritable).map(|()| mended)
        }
    };
    if done.is_err() {
        let _ = fs::remove_file(to);
    }
    done
}

/// The same, in its place: the old one is there until the new one is.
pub(super) fn mend_in_place(path: &Path) -> Result<Mended, MendError> {
    let beside = path.with_extension("mcap.mending");
    // What an interrupted attempt has left.
    let _ = fs::remove_file(&beside);
    let mended = mend(path, &beside)?;
    fs::rename(&beside, path)
        .map_err(|source| MendError::Unwritable { file: path.to_owned(), source })?;
    Ok(mended)
}
