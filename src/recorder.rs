//! Writes down what happens: the law's words for `reflexd replay`, and the same and more in JSON for viewers.
//!
//! ```text
//!   loop ──tape──────────────────────►┌──────────┐──► continuous files, while somebody records
//!   commands, decisions, events ─────►│ recorder │──► a black box at every fault and e-stop
//!   cameras ──newest frame of each───►└──────────┘──► state/recorder, event/recorder, "the disk is full"
//! ```
//!
//! One thread of the lowest priority has the files and the disk to itself. Nobody waits for it: what it has no time for is
//! dropped by whoever brings it, and counted. Files are MCAP; `src/recorder/writer.rs` says what a crash can do to them.

mod black_box;
mod keeper;
mod mend;
mod reader;
mod replaying;
mod shelf;
mod status;
mod told;
pub mod topics;
mod wall;
mod writer;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use motion::Robot;
use reflex::{Clock, tape::Reel};
use serde_json::Value;
use tokio::sync::mpsc as channel;

use crate::{
    config::RecorderSettings,
    decision::{Decision, Verdict},
    operator::{Answer, Command, JointNames, Present, RecordErrand},
    telemetry::Tidings,
    wire::{EventMessage, TimingMessage},
};

pub use mend::{MendError, Mended, mend};
pub use reader::{Ending, Piece, Unreadable, read};
pub use replaying::{Contents, Replayed, contents, replay};
pub use shelf::Kind;

/// Messages that may wait for the recorder.
const WAITING: usize = 1024;

/// What a recorder needs of the rest of the house.
pub struct RecorderParts {
    /// Its settings.
    pub settings: RecorderSettings,
    /// The robot's name.
    pub name: String,
    /// Its joints' names, in joint order.
    pub joints: JointNames,
    /// The robot under the law.
    pub robot: Robot,
    /// The loop's clock.
    pub clock: Clock,
    /// The tape's other end.
    pub reel: Reel,
    /// What somebody wants of it.
    pub errands: mpsc::Receiver<RecordErrand>,
    /// Where it tells how it is.
    pub tidings: channel::Sender<Tidings>,
    /// Whether somebody wants the disk to be full, to see what happens.
    pub plays_full: Box<dyn Fn() -> bool + Send>,
    /// Who is told when the disk is full, and when it is no longer.
    pub disk_full: Box<dyn Fn(bool) + Send>,
}

/// The way to the recorder. Clones are one.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    to: mpsc::SyncSender<Sent>,
    clock: Clock,
    cameras: Vec<String>,
    frames: Mutex<BTreeMap<String, Frame>>,
    counts: Arc<Counts>,
}

/// What others may look at at any time, without waiting.
#[derive(Debug, Default)]
struct Counts {
    disk_full: AtomicBool,
    ends: AtomicBool,
    wants_frames: AtomicBool,
    messages_dropped: AtomicU64,
    frames_dropped: AtomicU64,
}

/// The newest frame of a camera.
struct Frame {
    at_ns: u64,
    jpeg: Vec<u8>,
}

/// What is brought to the recorder.
enum Sent {
    Told(told::Told),
    Run(Arc<Present>),
    Instruction(Value),
    Event(&'static str, EventMessage),
    Timing(Box<TimingMessage>),
    End,
}

impl Recorder {
    /// Starts the recorder's thread.
    ///
    /// # Errors
    /// The system's reason.
    pub fn start(parts: RecorderParts) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (to, from) = mpsc::sync_channel(WAITING);
        let counts = Arc::new(Counts::default());
        let shared = Shared {
            to,
            clock: parts.clock.clone(),
            cameras: parts.settings.cameras.clone(),
            frames: Mutex::default(),
            counts,
        };
        let recorder = Self { shared: Arc::new(shared) };
        let keeper = keeper::Keeper::new(parts, recorder.clone());
        let thread = std::thread::Builder::new().name("reflex-recorder".into());
        let thread = thread.spawn(move || {
            reflex::realtime::yield_to_others();
            keeper.keep(&from);
        })?;
        Ok((recorder, thread))
    }

    /// Whether its disk has less room than it is to leave free, or has just refused to take more. Costs nothing to ask.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        self.shared.counts.disk_full.load(Ordering::Relaxed)
    }

    /// Takes down what the world is told, as far as recordings hold it.
    pub fn tell(&self, tidings: &Tidings) {
        let sent = match tidings {
            Tidings::Tick(present) => Sent::Run(Arc::clone(present)),
            Tidings::Timing(timing) => Sent::Timing(timing.clone()),
            Tidings::Instruction(said) => Sent::Instruction(said.clone()),
            Tidings::Event(kind, event) => Sent::Event(kind, event.clone()),
            _ => return,
        };
        self.send(sent);
    }

    /// Takes down a command and its answer.
    pub fn commanded(&self, command: &Command, who: &str, answer: &Answer) {
        let at_ns = self.shared.clock.now().0;
        self.send(Sent::Told(told::of_command(command, who, answer, at_ns)));
    }

    /// Takes down a decision and the verdict on it.
    pub fn decided(&self, decision: &Decision, who: &str, verdict: &Verdict) {
        let at_ns = self.shared.clock.now().0;
        self.send(Sent::Told(told::of_decision(decision, who, verdict, at_ns)));
    }

    /// Whether frames of this camera are written down at present.
    #[must_use]
    pub fn wants(&self, camera: &str) -> bool {
        self.shared.counts.wants_frames.load(Ordering::Relaxed)
            && self.shared.cameras.iter().any(|wanted| wanted == camera)
    }

    /// Takes a camera's frame. The newest counts: one that was not written yet is dropped, and counted.
    pub fn show(&self, camera: &str, at_ns: u64, jpeg: &[u8]) {
        if !self.wants(camera) {
            return;
        }
        let frame = Frame { at_ns, jpeg: jpeg.to_vec() };
        if self.frames().insert(camera.to_owned(), frame).is_some() {
            self.shared.counts.frames_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends the thread, once everything up to now is on the disk.
    pub fn end(&self) {
        self.shared.counts.ends.store(true, Ordering::Release);
        // To wake it. One that has no time for that looks by itself.
        let _ = self.shared.to.try_send(Sent::End);
    }

    fn send(&self, sent: Sent) {
        if let Err(mpsc::TrySendError::Full(_)) = self.shared.to.try_send(sent) {
            self.shared.counts.messages_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn frames(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Frame>> {
        self.shared.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
