//! What the law was given and what it made of it, tick by tick, on its way to whoever records: one ring of words.
//!
//! The loop never waits for its reader: an entry that finds no room is dropped whole and counted, and every later one says
//! how many were. Without a reader there is no ring, and nothing is written at all.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use motion::{
    Command, Controller, Correction, Inputs, Nanos, Order, Reading, Reply, Robot, Sheet, State,
    StopSource, Tick, TickIndex, Words, failsafe::Conditions,
};
use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Observer, Producer, Split},
};

use crate::ports::Timing;

/// Words that the ring holds: 2 MiB, more than a minute of a robot with seven joints at 20 Hz.
const RING_WORDS: usize = 1 << 18;
/// The longest entry: a tick with as many orders and chunks as one can take, or all that the law remembers.
pub const ENTRY_WORDS_MAX: usize = 1 << 14;
/// The first word of what the robot is under the law.
pub const ROBOT: u64 = 0x0052_4f42_4f54_0001;
/// The first word of all that the law remembers before a tick.
pub const MEMORY: u64 = 0x004d_454d_4f52_0001;
/// The first word of a tick.
pub const TICK: u64 = 0x0054_4943_4b00_0001;

/// The loop's end.
pub struct Tape {
    ring: HeapProd<u64>,
    room: Box<[u64; ENTRY_WORDS_MAX]>,
    wanted: Arc<AtomicBool>,
    dropped: u64,
}

/// The reader's end.
pub struct Reel {
    ring: HeapCons<u64>,
    wanted: Arc<AtomicBool>,
}

/// A tape and its reel.
#[must_use]
pub fn tape() -> (Tape, Reel) {
    let (ring, reel) = HeapRb::new(RING_WORDS).split();
    // Written, so that no page of it is touched for the first time by the loop.
    let room = Box::new([1; ENTRY_WORDS_MAX]);
    let wanted = Arc::new(AtomicBool::new(true));
    (Tape { ring, room, wanted: Arc::clone(&wanted), dropped: 0 }, Reel { ring: reel, wanted })
}

impl Tape {
    /// Writes a tick down, and after it what the law remembers, if somebody wants to know.
    pub(crate) fn write(
        &mut self,
        inputs: &Inputs<'_>,
        (command, tick): (&Command, &Tick),
        timing: &Timing,
        law: &Controller,
    ) {
        let dropped = self.dropped;
        self.enter(|sheet| {
            sheet.push(TICK);
            (tick.tick, dropped).put(sheet);
            (timing.lateness_ns, timing.execution_ns).put(sheet);
            inputs.put(sheet);
            tick.put(command, sheet);
        });
        if self.wanted.swap(false, Ordering::AcqRel) {
            self.enter(|sheet| {
                sheet.push(MEMORY);
                law.now().put(sheet);
                law.save(sheet);
            });
        }
    }

    fn enter(&mut self, write: impl FnOnce(&mut Sheet<'_>)) {
        let mut sheet = Sheet::new(&mut self.room[..]);
        write(&mut sheet);
        let entry = sheet.written().filter(|entry| self.ring.vacant_len() > entry.len());
        match entry {
            Some(entry) => {
                // There is room for both: nobody else writes.
                let _ = self.ring.try_push(entry.len() as u64);
                self.ring.push_slice(entry);
            }
            None => self.dropped += 1,
        }
    }
}

impl Reel {
    /// Appends the next entry, if one is there, to an empty `entry`.
    pub fn next(&mut self, entry: &mut Vec<u64>) -> bool {
        entry.clear();
        let Some(len) = self.ring.try_peek().copied() else { return false };
        let len = len as usize;
        // The length comes into view before the rest of its entry does.
        if len > ENTRY_WORDS_MAX || self.ring.occupied_len() <= len {
            return false;
        }
        let _ = self.ring.try_pop();
        entry.resize(len, 0);
        self.ring.pop_slice(entry) == len
    }

    /// Asks for what the law remembers, after the next tick.
    pub fn want_memory(&self) {
        self.wanted.store(true, Ordering::Release);
    }
}

/// A tick, as it was written down.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its number.
    pub tick: TickIndex,
    /// How many entries had been dropped before it.
    pub dropped: u64,
    /// From the deadline to its start.
    pub lateness_ns: u64,
    /// From its start to the end of its work.
    pub execution_ns: u64,
    /// The loop's time.
    pub now: Nanos,
    /// Whether an e-stop woke it before its deadline.
    pub early: bool,
    /// What others had found.
    pub outside: Conditions,
    /// The stop flag, if it was raised.
    pub stop: Option<StopSource>,
    /// What was measured.
    pub state: State,
    /// Orders, oldest first.
    pub orders: Vec<Order>,
    /// Replies, oldest first.
    pub replies: Vec<Reply>,
    /// The correction.
    pub correction: Option<Correction>,
    /// What came of it, as words.
    pub outcome: &'a [u64],
}

impl<'a> Entry<'a> {
    /// Reads a tick; `None` if the words are none.
    #[must_use]
    pub fn read(words: &'a [u64]) -> Option<Self> {
        let mut from = Reading::new(words);
        let from = &mut from;
        if from.next_word()? != TICK {
            return None;
        }
        let (tick, dropped) = Words::get(from)?;
        let (lateness_ns, execution_ns) = Words::get(from)?;
        let (now, early) = Words::get(from)?;
        Some(Self {
            tick,
            dropped,
            lateness_ns,
            execution_ns,
            now,
            early,
            outside: Words::get(from)?,
            stop: Words::get(from)?,
            state: Words::get(from)?,
            orders: list(from)?,
            replies: list(from)?,
            correction: Words::get(from)?,
            outcome: from.rest(),
        })
    }

    /// What the law was given.
    #[must_use]
    pub fn inputs(&self) -> Inputs<'_> {
        Inputs {
            now: self.now,
            state: &self.state,
            stop: self.stop,
            early: self.early,
            outside: self.outside,
            orders: &self.orders,
            replies: &self.replies,
            correction: self.correction.as_ref(),
        }
    }
}

/// No tick takes more of anything.
const LIST_MAX: usize = 64;

fn list<T: Words>(from: &mut Reading<'_>) -> Option<Vec<T>> {
    let len = usize::get(from).filter(|len| *len <= LIST_MAX)?;
    (0..len).map(|_| T::get(from)).collect()
}

/// The robot under the law, as an entry.
#[must_use]
pub fn robot_entry(robot: &Robot) -> Vec<u64> {
    entry(|sheet| {
        sheet.push(ROBOT);
        robot.put(sheet);
    })
}

/// What came of a tick, as words.
#[must_use]
pub fn outcome(command: &Command, tick: &Tick) -> Vec<u64> {
    entry(|sheet| tick.put(command, sheet))
}

fn entry(write: impl FnOnce(&mut Sheet<'_>)) -> Vec<u64> {
    let mut room = vec![0; ENTRY_WORDS_MAX];
    let mut sheet = Sheet::new(&mut room);
    write(&mut sheet);
    sheet.written().map(<[u64]>::to_vec).unwrap_or_default()
}
