//! The files of the recorder's thread: begun, written, ended, and given up when the disk does not take them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use reflex::tape::Entry;

use super::{AFTERMATH_TICKS, Keeper, RETRY_AFTER_NS, steady_ns};
use crate::{
    recorder::{
        black_box::BlackBox,
        mend,
        shelf::{Kind, Shelf},
        told::{self, Told},
        wall::{self, Pairing},
        writer::Film,
    },
    telemetry::Tidings,
    wire::EventMessage,
};

/// Numbers that are tried for a new file.
const NUMBERS_MAX: usize = 64;
/// Why nothing is written on a disk that would take it.
const SHORT: &str = "less than free_min_mb is free";
/// Bytes of a megabyte, as disks are sold.
const MB: u64 = 1_000_000;

/// A file that is being written.
pub(super) struct Open {
    film: Film,
    path: PathBuf,
    pub(super) pairing: Pairing,
    begun_ns: u64,
    /// The newest tick in it.
    newest_seq: Option<u64>,
    /// When that was, by the loop's clock: what has no time of its own is of then.
    newest_at_ns: u64,
}

impl Open {
    /// Writes an entry of the tape, and what is told of it.
    pub(super) fn put(
        &mut self,
        words: &[u64],
        tick: Option<&Entry<'_>>,
        told: &[Told],
    ) -> io::Result<()> {
        if let Some(tick) = tick {
            self.newest_seq = Some(tick.tick.0);
            self.newest_at_ns = tick.now.0;
        }
        self.film.put_words(self.pairing.unix_of(self.newest_at_ns), words)?;
        told.iter().try_for_each(|told| self.note(told))
    }

    /// Writes a message.
    pub(super) fn note(&mut self, told: &Told) -> io::Result<()> {
        self.film.put(told.topic, self.pairing.unix_of(told.at_ns), told.json.as_bytes())
    }

    /// Writes a camera's frame.
    pub(super) fn show(&mut self, camera: &str, at_ns: u64, jpeg: &[u8]) -> io::Result<()> {
        let unix_ns = self.pairing.unix_of(at_ns);
        self.film.put_frame(camera, unix_ns, told::of_frame(camera, unix_ns, jpeg).as_bytes())
    }

    fn name(&self) -> String {
        name_of(&self.path)
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether the disk, or whoever rules over it, has no more room.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl Keeper {
    /// Opens the folder, and has someone look at what a crash has left in it.
    pub(super) fn open_shelf(&mut self) -> bool {
        if self.shelf.is_some() {
            return true;
        }
        match Shelf::open(&self.parts.settings.folder, &self.parts.name) {
            Ok(shelf) => {
                mend_in_the_background(shelf.unfinished());
                self.shelf = Some(shelf);
                true
            }
            Err(error) => {
                self.trouble(&error, "the folder cannot be used");
                false
            }
        }
    }

    /// Begins a continuous file, at the newest moment from which it can be executed once more.
    pub(super) fn begin_run(&mut self) {
        self.due.retry = steady_ns() + RETRY_AFTER_NS;
        let Some(mut open) = self.create(Kind::Run, "") else { return };
        let robot = self.robot.clone();
        let written = begin(&mut open, &robot, self.kept.newest(), &self.parts.joints);
        if let Err(error) = written.and_then(|()| open.film.flush()) {
            self.give_up(open, &error);
            return;
        }
        tracing::info!(file = open.name(), "recording");
        self.status.file = Some(open.name());
        self.status.bytes = open.film.bytes();
        self.status.safe_seq = open.newest_seq;
        self.run = Some(open);
        self.is_well();
    }

    /// Whether the continuous file is as large or as old as it may be.
    pub(super) fn is_run_over(&self) -> bool {
        let settings = &self.parts.settings;
        self.run.as_ref().is_some_and(|open| {
            let age_s = steady_ns().saturating_sub(open.begun_ns) / 1_000_000_000;
            open.film.bytes() >= settings.rotate_mb * MB || age_s >= settings.rotate_s
        })
    }

    /// Ends the continuous file, if there is one.
    pub(super) fn end_run(&mut self) {
        self.status.file = None;
        let Some(open) = self.run.take() else { return };
        let path = open.path.clone();
        match open.film.finish() {
            Ok(()) => tracing::info!(file = name_of(&path), "recorded"),
            Err(error) => self.refuse(&error, "the file could not be finished"),
        }
        self.recorder.shared.counts.wants_frames.store(false, Ordering::Relaxed);
    }

    /// Writes out what is kept; the file goes on for a while. Its name, or why there is none.
    pub(super) fn write_box(&mut self, why: &str) -> Result<String, String> {
        if let Some((open, left)) = &mut self.aftermath {
            // One more fault while the last one is still being written down: it is in the same file.
            *left = AFTERMATH_TICKS;
            return Ok(open.name());
        }
        let trouble = |keeper: &Self| {
            let why = keeper.status.trouble.clone();
            why.unwrap_or_else(|| "no file could be begun".into())
        };
        let Some(mut open) = self.create(Kind::Box, why) else { return Err(trouble(self)) };
        let robot = self.robot.clone();
        let written = begin(&mut open, &robot, self.kept.entries(), &self.parts.joints)
            .and_then(|()| note_asides(&mut open, &self.kept))
            .and_then(|()| open.film.flush());
        if let Err(error) = written {
            self.give_up(open, &error);
            return Err(trouble(self));
        }
        let name = open.name();
        tracing::info!(file = name, "black box: {why}");
        self.event("black_box", &name, Some(why.to_owned()));
        self.status.black_box = Some(name.clone());
        self.status.black_boxes += 1;
        self.aftermath = Some((open, AFTERMATH_TICKS));
        self.is_well();
        Ok(name)
    }

    /// Ends the black box that goes on, if there is one.
    pub(super) fn end_box(&mut self) {
        let Some((open, _)) = self.aftermath.take() else { return };
        if let Err(error) = open.film.finish() {
            self.refuse(&error, "the black box could not be finished");
        }
    }

    /// Everything that is open, on the disk and finished.
    pub(super) fn end(&mut self) {
        self.end_run();
        self.end_box();
    }

    /// Puts on the disk what was written since the last time.
    pub(super) fn flush(&mut self) {
        self.write(|open| open.film.flush());
        let Some(open) = &self.run else { return };
        self.status.bytes = open.film.bytes();
        self.status.safe_seq = open.newest_seq;
        if self.is_run_over() {
            self.parts.reel.want_memory();
        }
    }

    /// Looks after room and quotas.
    pub(super) fn tidy(&mut self) {
        if !self.open_shelf() {
            return;
        }
        let settings = &self.parts.settings;
        let quotas = [(Kind::Run, settings.quota_mb), (Kind::Box, settings.black_box_quota_mb)];
        let Some(shelf) = &self.shelf else { return };
        for (kind, quota_mb) in quotas {
            for gone in shelf.keep(kind, quota_mb * MB).unwrap_or_default() {
                tracing::info!(
                    file = name_of(&gone),
                    "removed: recordings have reached their quota"
                );
            }
        }
        // A disk that does not say how much room it has will say so when it has none.
        let free = shelf.free_bytes().ok();
        self.status.free_mb = free.map(|free| free / MB);
        if self.refused && !self.status.recording && steady_ns() >= self.due.retry {
            self.refused = false;
        }
        self.see_room(free.is_some_and(|free| free < settings.free_min_mb * MB));
    }

    fn see_room(&mut self, is_short: bool) {
        self.short = is_short;
        self.see_disk();
        if is_short && (self.run.is_some() || self.aftermath.is_some()) {
            self.end();
            self.trouble(&io::ErrorKind::StorageFull.into(), SHORT);
        }
    }

    /// Tells whether the disk is full, if that is news.
    fn see_disk(&mut self) {
        let is_full = self.short || self.refused;
        if std::mem::replace(&mut self.status.disk_full, is_full) != is_full {
            self.recorder.shared.counts.disk_full.store(is_full, Ordering::Relaxed);
            (self.parts.disk_full)(is_full);
        }
    }

    /// Does something with every file that is open. One that cannot be written any more is closed.
    pub(super) fn write(&mut self, mut put: impl FnMut(&mut Open) -> io::Result<()>) {
        if let Some(mut open) = self.run.take() {
            match put(&mut open) {
                Ok(()) => self.run = Some(open),
                Err(error) => self.give_up(open, &error),
            }
        }
        if let Some((mut open, left)) = self.aftermath.take() {
            match put(&mut open) {
                Ok(()) => self.aftermath = Some((open, left)),
                Err(error) => self.give_up(open, &error),
            }
        }
    }

    fn create(&mut self, kind: Kind, why: &str) -> Option<Open> {
        if !self.open_shelf() {
            return None;
        }
        if self.short {
            self.trouble(&io::ErrorKind::StorageFull.into(), SHORT);
            return None;
        }
        let pairing = Pairing::now(&self.parts.clock);
        let about = self.about(kind, why, pairing);
        let cameras: &[String] = if kind == Kind::Run { &self.parts.settings.cameras } else { &[] };
        let shelf = self.shelf.as_mut()?;
        let mut path = shelf.path(kind, wall::unix_ns());
        let mut created = Film::create(&path, &about, cameras);
        // Somebody else records there, too, under the same name.
        for _ in 0..NUMBERS_MAX {
            if !matches!(&created, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
                break;
            }
            path = shelf.path(kind, wall::unix_ns());
            created = Film::create(&path, &about, cameras);
        }
        match created {
            Ok(film) => {
                let (begun_ns, newest_at_ns) = (steady_ns(), pairing.at_ns);
                let wants = kind == Kind::Run && !cameras.is_empty();
                if wants {
                    self.recorder.shared.counts.wants_frames.store(true, Ordering::Relaxed);
                }
                Some(Open { film, path, pairing, begun_ns, newest_seq: None, newest_at_ns })
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::AlreadyExists {
                    // It holds nothing, and there may be no room for many of these.
                    let _ = fs::remove_file(&path);
                }
                self.refuse(&error, "no file can be begun");
                None
            }
        }
    }

    /// What a file says of itself.
    fn about(&self, kind: Kind, why: &str, pairing: Pairing) -> BTreeMap<String, String> {
        let of = |key: &str, value: String| (key.to_owned(), value);
        BTreeMap::from([
            of("version", env!("CARGO_PKG_VERSION").into()),
            of("robot", self.parts.name.clone()),
            of("joints", self.parts.joints.join(",")),
            of("kind", kind.name().into()),
            of("why", why.into()),
            of("period_s", self.parts.robot.period_s().to_string()),
            of("at_ns", pairing.at_ns.to_string()),
            of("unix_ns", pairing.unix_ns.to_string()),
        ])
    }

    /// A file that cannot be written any more. What is on the disk of it stays there, up to its last whole chunk.
    fn give_up(&mut self, open: Open, error: &io::Error) {
        let what = format!("{} could not be written on", open.name());
        drop(open);
        if self.run.is_none() {
            self.status.file = None;
            self.recorder.shared.counts.wants_frames.store(false, Ordering::Relaxed);
        }
        self.refuse(error, &what);
    }

    /// The disk did not take what it was given.
    fn refuse(&mut self, error: &io::Error, what: &str) {
        if is_full(error) {
            self.refused = true;
            self.see_disk();
        }
        self.trouble(error, what);
    }

    fn trouble(&mut self, error: &io::Error, what: &str) {
        let folder = self.parts.settings.folder.display();
        let remedy = if is_full(error) {
            "make room, or lower recorder.quota_mb"
        } else {
            "look at the folder and its permissions, or set recorder.folder"
        };
        let words = format!("{what}: {error}; {remedy} ({folder})");
        self.due.retry = steady_ns() + RETRY_AFTER_NS;
        // Told once, however often it is tried again.
        if self.status.trouble.as_ref() != Some(&words) {
            tracing::warn!("nothing is recorded: {words}");
            self.event("stopped", "recording", Some(words.clone()));
            self.status.trouble = Some(words);
        }
        self.tell();
    }

    /// The disk takes what it is given.
    fn is_well(&mut self) {
        self.refused = false;
        self.see_disk();
        if self.status.trouble.take().is_some() {
            tracing::info!("recording goes on");
            self.event("goes_on", "recording", None);
        }
    }

    fn event(&self, outcome: &str, what: &str, reason: Option<String>) {
        let event = EventMessage {
            who: "recorder".into(),
            what: what.into(),
            outcome: outcome.into(),
            reason,
            at_ns: self.parts.clock.now().0,
            ..EventMessage::default()
        };
        // It is in the log already.
        let _ = self.parts.tidings.try_send(Tidings::Event("recorder", event));
    }
}

/// The robot, and then entries that were kept.
fn begin<'a>(
    open: &mut Open,
    robot: &[u64],
    entries: impl Iterator<Item = &'a [u64]>,
    joints: &[String],
) -> io::Result<()> {
    let entries: Vec<&[u64]> = entries.collect();
    // What comes before the first tick has no time of its own.
    if let Some(first) = entries.iter().find_map(|words| Entry::read(words)) {
        open.newest_at_ns = first.now.0;
    }
    open.put(robot, None, &[])?;
    for words in entries {
        let entry = Entry::read(words);
        let told = entry.as_ref().map(|entry| told::of_tick(entry, joints)).unwrap_or_default();
        open.put(words, entry.as_ref(), &told)?;
    }
    Ok(())
}

/// What was told since the first tick that is kept.
fn note_asides(open: &mut Open, kept: &BlackBox) -> io::Result<()> {
    let first = kept.entries().find_map(Entry::read);
    let since_ns = first.map_or(0, |entry| entry.now.0);
    kept.asides(since_ns).try_for_each(|told| open.note(told))
}

/// Finishes what a crash has left, on a thread of its own, which nothing waits for.
fn mend_in_the_background(files: Vec<PathBuf>) {
    if files.is_empty() {
        return;
    }
    let work = move || {
        reflex::realtime::yield_to_others();
        for file in files {
            match mend::mend_in_place(&file) {
                Ok(mended) => tracing::info!(
                    file = name_of(&file),
                    messages = mended.messages,
                    damaged_chunks = mended.damaged,
                    "finished what an earlier end had interrupted"
                ),
                Err(error) => tracing::warn!("left as it is: {error}"),
            }
        }
    };
    let thread = std::thread::Builder::new().name("reflex-mender".into());
    if let Err(error) = thread.spawn(work) {
        tracing::warn!("unfinished recordings stay as they are: {error}");
    }
}
