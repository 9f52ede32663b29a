//! What crosses between deciding and doing. Everything is `Copy` and bounded: a ring can carry it, nobody has to free it.
//!
//! Down: [`Order`] (what to do) and [`Reply`] (a chunk that was asked for). Up: [`Ask`] (a chunk is wanted) and
//! [`Tick`] (what happened). A stop does not queue: it is a flag.

use crate::{
    chunk::{Chunk, ChunkId},
    joints::Joints,
    mode::{Ending, Mode},
    safety::{Drive, LimitedBy},
    schedule::{ChunkRefusal, Plan, Source},
    state::State,
    time::{Nanos, TickIndex},
    workspace::Pair,
};

/// Number of a run: one acceptance of one skill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// Number of an order, for its acknowledgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderId(pub u64);

/// Counts the stops. An order that would move the robot carries the epoch its sender knew; an older one is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// One order to the law.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// The newest epoch that its sender had seen.
    pub epoch: Epoch,
    /// What is ordered.
    pub what: What,
}

/// What an order asks for.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// Take hold of the robot where it stands.
    Arm,
    /// Come to rest, then let go.
    Disarm,
    /// Come to rest and stand there.
    Hold,
    /// Forget a fault or an e-stop; leaves the robot disarmed.
    ClearFault,
    /// Follow a run.
    Begin(Run),
    /// The run's skill gave up: come to rest, hold.
    End(RunId),
}

/// A run: what the law has to know of a skill that is to move the robot.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// How its chunks are asked for, joined and used up.
    pub plan: Plan,
    /// Not to be begun after this moment.
    pub expires: Nanos,
}

/// A wish for a chunk: the state that it is to be made from.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The run.
    pub run: RunId,
    /// This tick.
    pub tick: TickIndex,
    /// The loop's time.
    pub at: Nanos,
    /// Measured state.
    pub state: State,
    /// The last command: what heads call the previous action.
    pub last_command: Joints,
    /// Its velocity, per second: where a planned motion has to start from.
    pub last_velocity: Joints,
    /// And its acceleration.
    pub last_acceleration: Joints,
}

/// The answer to an [`Ask`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "the seam has no heap to put the large one on")]
pub enum Reply {
    /// The chunk.
    Chunk(Chunk),
    /// None could be made from that observation; the reason was told on the asynchronous side.
    Nothing {
        /// The run that asked.
        run: RunId,
        /// The tick that asked.
        observed: TickIndex,
    },
}

/// Why an order was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This mode does not allow it. The tick may end in another one.
    Mode(Mode),
    /// It was given before the last stop.
    Stale,
    /// Its time to live was over.
    Expired,
    /// This joint stands outside its limits.
    OutsideLimits {
        /// Which joint.
        joint: usize,
    },
    /// The trouble is still there.
    StillFaulty,
    /// No such run is being followed.
    NoSuchRun,
}

/// Something that happened in a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// An order was carried out.
    Accepted(OrderId),
    /// An order was not.
    Refused(OrderId, Refusal),
    /// A chunk became the schedule.
    Adopted {
        /// Which chunk.
        chunk: ChunkId,
        /// Ticks between its observation and its adoption.
        delay: u32,
    },
    /// A chunk was not taken.
    ChunkRefused {
        /// Which chunk.
        chunk: ChunkId,
        /// Why.
        why: ChunkRefusal,
    },
    /// An ask was answered with nothing.
    NoChunk,
    /// The schedule ran dry.
    RanDry,
    /// A run is over.
    Ended {
        /// Which run.
        run: RunId,
        /// How.
        ending: Ending,
    },
}

/// Most events that one tick tells.
pub const MAX_EVENTS: usize = 16;

/// The events of one tick, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    items: [Event; MAX_EVENTS],
    len: usize,
    lost: u32,
}

impl Default for Events {
    fn default() -> Self {
        Self { items: [Event::NoChunk; MAX_EVENTS], len: 0, lost: 0 }
    }
}

impl Events {
    /// Appends an event, or counts it as lost when there is no room.
    pub(crate) fn push(&mut self, event: Event) {
        match self.items.get_mut(self.len) {
            Some(slot) => {
                *slot = event;
                self.len += 1;
            }
            None => self.lost += 1,
        }
    }

    /// The events.
    #[must_use]
    pub fn as_slice(&self) -> &[Event] {
        &self.items[..self.len]
    }

    /// How many found no room.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        self.lost
    }
}

/// What happened in one tick: requested, applied and why they differ.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// Its number.
    pub tick: TickIndex,
    /// The loop's time.
    pub at: Nanos,
    /// The mode at its end.
    pub mode: Mode,
    /// The epoch at its end.
    pub epoch: Epoch,
    /// Whether set-points are commanded.
    pub drive: Drive,
    /// The state that was measured.
    pub state: State,
    /// The set-point that was due.
    pub requested: Joints,
    /// The set-point that was commanded.
    pub applied: Joints,
    /// Per joint, the limits that made the difference.
    pub limited_by: LimitedBy,
    /// The pair that would have come too near, if the guard made every joint brake.
    pub barred: Option<Pair>,
    /// Where the requested set-point came from.
    pub source: Source,
    /// What else happened.
    pub events: Events,
}
