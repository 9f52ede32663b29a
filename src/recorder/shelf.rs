//! The folder that recordings lie in: their names, how much room they may take, and what a crash has left of them.
//!
//! Names carry a number that only grows, so that the oldest is known even where the clock is not. Only files of such a
//! name, of this robot, are ever touched.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::mend;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It goes on for as long as somebody records.
    Run,
    /// The last ticks before a fault, and a few after it.
    Box,
}

impl Kind {
    /// In a file's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Box => "box",
        }
    }
}

/// The folder, as one robot uses it.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    robot: String,
    next: u64,
}

/// A file on it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Volume {
    number: u64,
    kind: Kind,
    path: PathBuf,
    bytes: u64,
}

impl Shelf {
    /// Opens the folder, which is made if it is not there.
    pub(super) fn open(folder: &Path, robot: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut shelf = Self { folder: folder.to_owned(), robot: robot.to_owned(), next: 1 };
        let newest = shelf.volumes()?.last().map_or(0, |volume| volume.number);
        shelf.next = newest.saturating_add(1);
        Ok(shelf)
    }

    /// The path of a new file.
    pub(super) fn path(&mut self, kind: Kind, unix_ns: u64) -> PathBuf {
        let name = format!(
            "{}-{:06}-{}-{}.mcap",
            self.robot,
            self.next,
            kind.name(),
            stamp(unix_ns / 1_000_000_000)
        );
        self.next = self.next.saturating_add(1);
        self.folder.join(name)
    }

    /// Takes the oldest files of a kind away until the rest take no more than so much. Files that are being written, by
    /// whomever, stay, and are counted.
    pub(super) fn keep(&self, kind: Kind, bytes_max: u64) -> io::Result<Vec<PathBuf>> {
        let volumes = self.volumes()?;
        let of_kind = || volumes.iter().filter(|volume| volume.kind == kind);
        let mut bytes: u64 = of_kind().map(|volume| volume.bytes).sum();
        let mut gone = Vec::new();
        for volume in of_kind() {
            if bytes <= bytes_max {
                break;
            }
            if !is_in_use(&volume.path) && fs::remove_file(&volume.path).is_ok() {
                bytes -= volume.bytes;
                gone.push(volume.path.clone());
            }
        }
        Ok(gone)
    }

    /// Bytes that are free on its disk.
    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Files that nobody writes and nobody has finished: what a crash has left.
    pub(super) fn unfinished(&self) -> Vec<PathBuf> {
        let volumes = self.volumes().unwrap_or_default().into_iter();
        volumes
            .map(|volume| volume.path)
            .filter(|path| !is_in_use(path) && !mend::is_finished(path))
            .collect()
    }

    /// The files of this robot, oldest first.
    fn volumes(&self) -> io::Result<Vec<Volume>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((number, kind)) = name.to_str().and_then(|name| self.read(name)) else {
                continue;
            };
            // Of the entry itself: a link is nobody's recording.
            let Ok(about) = entry.metadata() else { continue };
            if about.is_file() {
                found.push(Volume { number, kind, path: entry.path(), bytes: about.len() });
            }
        }
        found.sort_by_key(|volume| volume.number);
        Ok(found)
    }

    /// The number and the kind of a name that is one of ours.
    fn read(&self, name: &str) -> Option<(u64, Kind)> {
        let rest = name.strip_prefix(&self.robot)?.strip_prefix('-')?.strip_suffix(".mcap")?;
        let mut parts = rest.split('-');
        let (number, kind, stamp) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (day, time) = stamp.strip_suffix('Z')?.split_once('T')?;
        let plain = number.len() >= 6 && digits(number) && parts.next().is_none();
        let dated = day.len() >= 8 && digits(day) && time.len() == 6 && digits(time);
        let kind = [Kind::Run, Kind::Box].into_iter().find(|known| known.name() == kind)?;
        (plain && dated).then(|| number.parse().ok().map(|number| (number, kind)))?
    }
}

/// Whether somebody writes it.
pub(super) fn is_in_use(path: &Path) -> bool {
    let locked = |file: &File| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock));
    File::open(path).is_ok_and(|file| locked(&file))
}

/// `20261129T163012Z`.
fn stamp(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// The Gregorian date so many days after 1970-01-01, counted in eras of 400 years that begin in March.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_people_write_it() {
        for (unix_s, told) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_795_969_812, "20261129T163012Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(stamp(unix_s), told);
        }
    }

    #[test]
    fn only_names_of_our_own_are_ours() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut shelf = Shelf::open(folder.path(), "piper").expect("a folder");
        let path = shelf.path(Kind::Box, 1_795_969_812_000_000_000);
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(name, "piper-000001-box-20261129T163012Z.mcap");
        assert_eq!(shelf.read(name), Some((1, Kind::Box)));
        for strange in [
            "piper-1-box-20261129T163012Z.mcap",
            "piper-000001-box-20261129T163012Z.mcap.bak",
            "piper-000001-box-20261129T163012.mcap",
            "piper-000001-tax-20261129T163012Z.mcap",
            "piper-000001-box-holiday.mcap",
            "piper-000001-box-20261129T163012Z-2.mcap",
            "piper-2-000001-box-20261129T163012Z.mcap",
            "fireboy-000001-box-20261129T163012Z.mcap",
            "holiday.mcap",
        ] {
            assert_eq!(shelf.read(strange), None, "{strange}");
        }
    }

    #[test]
    fn the_oldest_go_first_and_nothing_else_does() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut shelf = Shelf::open(folder.path(), "piper").expect("a folder");
        // The clock goes back in between: the number counts.
        let paths: Vec<PathBuf> = [9_u64, 8, 7, 6]
            .map(|day| shelf.path(Kind::Run, day * 86_400_000_000_000))
            .into_iter()
            .collect();
        for path in &paths {
            fs::write(path, [0; 1000]).expect("a temporary file");
        }
        let others = [shelf.path(Kind::Box, 0), folder.path().join("holiday.mcap")];
        for path in &others {
            fs::write(path, [0; 5000]).expect("a temporary file");
        }
        let held = File::open(&paths[1]).expect("it is there");
        held.lock().expect("nobody else has it");
        let gone = shelf.keep(Kind::Run, 2500).expect("a folder");
        assert_eq!(gone, [paths[0].clone(), paths[2].clone()]);
        assert!(paths[1].exists() && paths[3].exists());
        assert!(others.iter().all(|path| path.exists()));
        let again = Shelf::open(folder.path(), "piper").expect("a folder");
        assert_eq!(again.next, 6, "numbers go on where they were");
    }
}
