//! The recorder's thread: takes what comes, writes what is wanted, and gives up what cannot be written without harm.

mod files;

use std::{
    sync::{atomic::Ordering, mpsc},
    time::Duration,
};

use motion::Mode;
use reflex::{
    Clock, replay,
    tape::{self, Entry, MEMORY},
};
use serde_json::{Value, json};

use super::{
    Recorder, RecorderParts, Sent,
    black_box::BlackBox,
    shelf::Shelf,
    status::Status,
    told::{self, Told},
    topics::CLOCK,
    wall::Pairing,
};
use crate::{
    operator::{RecordAct, RecordErrand, words},
    telemetry::Tidings,
};
use files::Open;

/// How often the tape is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Messages that are taken between two looks at the tape.
const AT_ONCE: usize = 512;
/// How often what was written is put on the disk: half of what a crash may cost.
const FLUSH_EVERY_NS: u64 = 500_000_000;
/// How often it is told how the recorder is.
const TELL_EVERY_NS: u64 = 1_000_000_000;
/// How often room and quotas are looked at.
const TIDY_EVERY_NS: u64 = 5_000_000_000;
/// After trouble it is tried again after so long.
const RETRY_AFTER_NS: u64 = 10_000_000_000;
/// Ticks that a black box holds at least; fewer only where there were no more.
const BLACK_BOX_TICKS: u64 = 2000;
/// And those after the fault, for how it ended.
const AFTERMATH_TICKS: u64 = 100;
/// How often the law's memory is written down: where a replay may begin.
const MEMORY_EVERY_TICKS: u64 = 200;

/// The recorder's thread.
pub(super) struct Keeper {
    parts: RecorderParts,
    recorder: Recorder,
    robot: Vec<u64>,
    shelf: Option<Shelf>,
    kept: BlackBox,
    run: Option<Open>,
    /// A black box that goes on for so many ticks.
    aftermath: Option<(Open, u64)>,
    mode: Option<Mode>,
    run_followed: Option<u64>,
    said: Option<Value>,
    ticks_since_memory: u64,
    status: Status,
    /// Whether the disk has less room than is to be left free.
    short: bool,
    /// Whether it has refused to take more, since it last took something.
    refused: bool,
    due: Due,
}

/// When what is to be done next, by the steady clock.
#[derive(Default)]
struct Due {
    flush: u64,
    tell: u64,
    tidy: u64,
    retry: u64,
}

fn steady_ns() -> u64 {
    Clock::Monotonic.now().0
}

impl Keeper {
    pub(super) fn new(parts: RecorderParts, recorder: Recorder) -> Self {
        Self {
            robot: tape::robot_entry(&parts.robot),
            recorder,
            shelf: None,
            kept: BlackBox::new(BLACK_BOX_TICKS),
            run: None,
            aftermath: None,
            mode: None,
            run_followed: None,
            said: None,
            ticks_since_memory: 0,
            status: Status { recording: parts.settings.files, ..Status::default() },
            short: false,
            refused: false,
            due: Due::default(),
            parts,
        }
    }

    pub(super) fn keep(mut self, from: &mpsc::Receiver<Sent>) {
        let recorder = self.recorder.clone();
        self.open_shelf();
        let ends = || recorder.shared.counts.ends.load(Ordering::Acquire);
        // Before anything is taken off the tape: a file from the start has the first tick.
        self.do_what_is_due();
        let mut last = false;
        while !last {
            // What is on the tape by the time that it is to end is taken once more.
            last = ends();
            if let Ok(first) = from.recv_timeout(LOOK_EVERY) {
                self.take(first);
                for sent in from.try_iter().take(AT_ONCE) {
                    self.take(sent);
                }
            }
            self.wind();
            self.take_frames();
            while let Ok(errand) = self.parts.errands.try_recv() {
                self.run_errand(errand);
            }
            self.do_what_is_due();
        }
        self.end();
    }

    /// Takes what is on the tape.
    fn wind(&mut self) {
        let mut words = Vec::new();
        while self.parts.reel.next(&mut words) {
            self.take_entry(&words);
        }
    }

    fn take_entry(&mut self, words: &[u64]) {
        self.kept.take(words);
        if words.first() == Some(&MEMORY) {
            self.ticks_since_memory = 0;
            if self.is_run_over() {
                // The memory is where the next one begins.
                self.end_run();
                self.begin_run();
            } else {
                self.write(|open| open.put(words, None, &[]));
            }
        } else if let Some(entry) = Entry::read(words) {
            self.take_tick(words, &entry);
        }
    }

    fn take_tick(&mut self, words: &[u64], entry: &Entry<'_>) {
        self.status.ticks_dropped = entry.dropped;
        self.ticks_since_memory += 1;
        if self.ticks_since_memory.is_multiple_of(MEMORY_EVERY_TICKS) {
            self.parts.reel.want_memory();
        }
        if self.run.is_some() || self.aftermath.is_some() {
            let told = told::of_tick(entry, &self.parts.joints);
            self.write(|open| open.put(words, Some(entry), &told));
        }
        if let Some((_, left)) = &mut self.aftermath {
            *left -= 1;
            if *left == 0 {
                self.end_box();
            }
        }
        if let Some(head) = replay::head(entry.outcome) {
            self.see_trouble(head.mode);
        }
    }

    /// A black box at every fault and every e-stop.
    fn see_trouble(&mut self, mode: Mode) {
        let is_news = self.mode.replace(mode) != Some(mode);
        let why = match mode {
            Mode::Faulted { why, .. } => words::fault(why, &self.parts.joints),
            Mode::EStopped { by, .. } => format!("e-stop by source {}", by.0),
            _ => return,
        };
        if is_news && self.parts.settings.black_box {
            // Why it could not be written has been told.
            let _ = self.write_box(&why);
        }
    }

    /// Takes what was told beside the ticks.
    fn take(&mut self, sent: Sent) {
        let now_ns = self.parts.clock.now().0;
        let told = match sent {
            Sent::Told(told) => told,
            Sent::Run(present) => {
                let run = present.run.as_ref().map(|run| run.run);
                if std::mem::replace(&mut self.run_followed, run) == run {
                    return;
                }
                told::of_run(&present)
            }
            Sent::Instruction(said) => {
                if self.said.as_ref() == Some(&said) {
                    return;
                }
                let told = told::of_instruction(&said, now_ns);
                self.said = Some(said);
                told
            }
            Sent::Event(kind, event) => told::of_event(kind, &event),
            Sent::Timing(timing) => told::of_timing(&timing, now_ns),
            Sent::End => return,
        };
        self.kept.note(&told);
        self.write(|open| open.note(&told));
    }

    fn take_frames(&mut self) {
        if self.run.is_none() {
            return;
        }
        let frames = std::mem::take(&mut *self.recorder.frames());
        for (camera, frame) in frames {
            // A black box has no cameras, and leaves it out.
            self.write(|open| open.show(&camera, frame.at_ns, &frame.jpeg));
        }
    }

    fn do_what_is_due(&mut self) {
        let now = steady_ns();
        if now >= self.due.tidy {
            self.due.tidy = now + TIDY_EVERY_NS;
            self.tidy();
        }
        if now >= self.due.retry && self.status.recording && self.run.is_none() {
            self.begin_run();
        }
        if now >= self.due.flush {
            self.due.flush = now + FLUSH_EVERY_NS;
            self.flush();
        }
        if now >= self.due.tell {
            self.due.tell = now + TELL_EVERY_NS;
            let now = Pairing::now(&self.parts.clock);
            self.write(|open| {
                let moved_ms = open.pairing.moved_ms(&now);
                let (at_ns, unix_ns) = (now.at_ns, now.unix_ns);
                let body = json!({ "at_ns": at_ns, "unix_ns": unix_ns, "moved_ms": moved_ms });
                open.note(&Told::new(&CLOCK, at_ns, &body))
            });
            self.tell();
        }
    }

    fn run_errand(&mut self, errand: RecordErrand) {
        let outcome = match errand.act {
            RecordAct::Start => self.start(),
            RecordAct::Stop => Ok(self.stop()),
            RecordAct::BlackBox => {
                let why = format!("asked for by {}", errand.who);
                self.write_box(&why).map(|file| vec![format!("black box {file}")])
            }
            RecordAct::Status => Ok(self.status.words()),
        };
        self.tell();
        // Whoever asked may have gone.
        let _ = errand.answer.send(outcome);
    }

    fn start(&mut self) -> Result<Vec<String>, String> {
        if self.run.is_none() {
            self.status.recording = true;
            self.begin_run();
        }
        if self.run.is_none() {
            self.status.recording = false;
            let why = self.status.trouble.clone();
            return Err(why.unwrap_or_else(|| "no file could be begun".into()));
        }
        Ok(self.status.file.iter().map(|file| format!("recording to {file}")).collect())
    }

    fn stop(&mut self) -> Vec<String> {
        self.status.recording = false;
        let file = self.status.file.clone();
        self.end_run();
        file.into_iter().map(|file| format!("recorded {file}")).collect()
    }

    /// Tells how the recorder is.
    fn tell(&mut self) {
        let counts = &self.recorder.shared.counts;
        self.status.at_ns = self.parts.clock.now().0;
        self.status.messages_dropped = counts.messages_dropped.load(Ordering::Relaxed);
        self.status.frames_dropped = counts.frames_dropped.load(Ordering::Relaxed);
        // A full queue is told of elsewhere; a second later it is told again.
        let _ = self.parts.tidings.try_send(Tidings::Recorder(self.status.json()));
    }
}
