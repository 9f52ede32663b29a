//! One tick as it was seen from outside: what the law was given, what it told, what reached the robot.

use std::sync::{Arc, Mutex, PoisonError};

use motion::{
    ChunkId, Command, Drive, Epoch, Event, Fault, Joints, MAX_EVENTS, Mode, Nanos, Order, Reading,
    Reply, RunId, State, StopSource, TickIndex, Words,
    failsafe::{Condition, Conditions},
};
use reflex::{Backend, tape::Entry};

/// What reached the robot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Written {
    pub(crate) drive: Drive,
    pub(crate) is_stop: bool,
    pub(crate) releases: bool,
    pub(crate) position: Joints,
}

/// The last command of a turn, and how many there were. Shared with the backend that writes it down.
#[derive(Clone, Default)]
pub(crate) struct Ink(Arc<Mutex<(u32, Option<Written>)>>);

impl Ink {
    /// What was written since the last time that somebody looked.
    pub(crate) fn take(&self) -> (u32, Option<Written>) {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A robot at whose door every command is written down, faults or not: it stands before all of them.
pub(crate) struct Witness<B> {
    pub(crate) backend: B,
    pub(crate) ink: Ink,
}

impl<B: Backend> Backend for Witness<B> {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.backend.read(now, state);
    }

    fn write(&mut self, now: Nanos, command: &Command) {
        {
            let mut ink = self.ink.0.lock().unwrap_or_else(PoisonError::into_inner);
            ink.0 += 1;
            ink.1 = Some(Written {
                drive: command.drive(),
                is_stop: command.is_stop(),
                releases: command.releases(),
                position: *command.position(),
            });
        }
        self.backend.write(now, command);
    }
}

/// A tick.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) tick: TickIndex,
    pub(crate) at: Nanos,
    pub(crate) lateness_ns: u64,
    pub(crate) early: bool,
    pub(crate) stop: Option<StopSource>,
    pub(crate) measured: State,
    pub(crate) orders: Vec<Order>,
    /// Chunks that the law was given: which, of which run, made of which tick's state.
    pub(crate) chunks: Vec<(ChunkId, RunId, TickIndex)>,
    pub(crate) mode: Mode,
    pub(crate) epoch: Epoch,
    /// What the law says that it commands.
    pub(crate) told: Written,
    pub(crate) trouble: Option<Fault>,
    pub(crate) conditions: Conditions,
    pub(crate) events: Vec<Event>,
    /// How often the robot was commanded, and what last.
    pub(crate) writes: u32,
    pub(crate) written: Option<Written>,
    /// How often the loop's thread touched the heap.
    pub(crate) allocations: u64,
}

impl Seen {
    /// Of a tick's entry on the tape.
    pub(crate) fn read(entry: &Entry<'_>) -> Option<Self> {
        let mut from = Reading::new(entry.outcome);
        let from = &mut from;
        let (mode, epoch) = Words::get(from)?;
        let (drive, (is_stop, releases)): (Drive, (bool, bool)) = Words::get(from)?;
        let (position, requested): (Joints, Joints) = Words::get(from)?;
        let (trouble, conditions) = Words::get(from)?;
        for _ in 0..requested.len() {
            motion::Limits::get(from)?;
        }
        let _: Option<motion::Pair> = Words::get(from)?;
        let _: motion::Source = Words::get(from)?;
        let _: motion::Corrected = Words::get(from)?;
        let count = usize::get(from).filter(|count| *count <= MAX_EVENTS)?;
        let events = (0..count).map(|_| Event::get(from)).collect::<Option<Vec<_>>>()?;
        let chunk = |reply: &Reply| match reply {
            Reply::Chunk(chunk) => Some((chunk.id, chunk.run, chunk.observed)),
            Reply::Nothing { .. } => None,
        };
        Some(Self {
            tick: entry.tick,
            at: entry.now,
            lateness_ns: entry.lateness_ns,
            early: entry.early,
            stop: entry.stop,
            measured: entry.state,
            orders: entry.orders.clone(),
            chunks: entry.replies.iter().filter_map(chunk).collect(),
            mode,
            epoch,
            told: Written { drive, is_stop, releases, position },
            trouble,
            conditions,
            events,
            writes: 0,
            written: None,
            allocations: 0,
        })
    }

    /// Whether an order was carried out.
    pub(crate) fn accepted(&self, order: &Order) -> bool {
        self.events.contains(&Event::Accepted(order.id))
    }

    /// Whether a condition holds.
    pub(crate) fn has(&self, condition: Condition) -> bool {
        self.conditions.has(condition)
    }
}
