//! What crosses between deciding and doing. Everything is `Copy` and bounded: a ring can carry it, nobody has to free it.
//!
//! Down: [`Order`] (what to do) and [`Reply`] (a chunk that was asked for). Up: [`Ask`] (a chunk is wanted) and
//! [`Tick`] (what happened). A stop does not queue: it is a flag.

use crate::{
    chunk::{Chunk, ChunkId, HeadDigest},
    correction::Corrected,
    course::Course,
    failsafe::{Condition, Conditions, Verdict},
    joints::Joints,
    mode::{Ending, Fault, Mode},
    plan::{ChunkRefusal, Plan, Source},
    robot::JointLimits,
    safety::{Drive, LimitedBy},
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
    /// Take the power off the motors. The arm falls: only what is not held, or stands still in trouble, may be released.
    Release,
    /// Follow a run.
    Begin(Run),
    /// The run that is being followed goes on by another plan, without a break: what is in use is used up, what was asked
    /// for before is still taken, the next chunk has to be of the new plan's head. Refused if that run is over.
    HandOver(Run),
    /// The run's skill gave up: come to rest, hold.
    End(RunId),
    /// The operator who holds the lease was heard of just now.
    Attend,
    /// Nobody holds the lease any more.
    Leave,
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
    /// The head that is to answer; zero for none.
    pub head: HeadDigest,
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
    /// Ticks from this one to the one in which the answer is to take over; zero for an answer that begins at this tick and
    /// takes over when it comes.
    pub delay: u32,
    /// The tick that step 0 of the answer is meant for.
    pub first: TickIndex,
    /// Which step of its chunk is due in this tick; zero unless a correction is asked for.
    pub step: u32,
    /// What was sent before this tick, and what will be sent before the answer takes over.
    pub course: Course,
}

impl Ask {
    /// An ask of a robot that stands still at its last command, for an answer in the very tick.
    #[must_use]
    pub fn standing(
        run: RunId,
        tick: TickIndex,
        at: Nanos,
        state: State,
        last_command: Joints,
    ) -> Self {
        Self {
            run,
            head: HeadDigest::default(),
            tick,
            at,
            state,
            last_command,
            last_velocity: Joints::zeros(last_command.len()),
            last_acceleration: Joints::zeros(last_command.len()),
            delay: 0,
            first: tick,
            step: 0,
            course: Course::standing(&last_command),
        }
    }

    /// The same as it will be seen in the tick of the take-over, for a head that was trained without delay (VLASH,
    /// arXiv 2512.01031).
    ///
    /// The delay that it tells is none. The last command and its velocity are those of the tick before the take-over. Each measured position moves by as much
    /// as its command does meanwhile, `q + c(t + d - 1) - c(t - 1)`, so that the lag of the drives stays what it is, and never
    /// out of the joint's limits; each measured velocity changes by as much as the command's. With no delay, or
    /// rolled already, nothing changes. What it cannot know is contact: a gripper that closes on something meanwhile is seen as closed.
    #[must_use]
    pub fn rolled_forward(&self, limits: &[JointLimits], period_s: f64) -> Self {
        let ahead = self.course.ahead() as i64;
        let mut rolled = *self;
        if ahead == 0 {
            return rolled;
        }
        let joints = limits.len().min(self.last_command.len()).min(self.state.position.len());
        for (joint, limits) in limits.iter().enumerate().take(joints.min(self.state.velocity.len()))
        {
            let command = |offset| self.course.at(offset, joint).unwrap_or_default();
            let speed = |offset| (command(offset) - command(offset - 1)) / period_s;
            rolled.last_command[joint] = command(ahead - 1);
            rolled.last_velocity[joint] = speed(ahead - 1);
            rolled.last_acceleration[joint] = (speed(ahead - 1) - speed(ahead - 2)) / period_s;
            let (low, high) = (limits.position_min, limits.position_max);
            let position = &mut rolled.state.position[joint];
            let moved = *position + command(ahead - 1) - command(-1);
            *position = moved.max(low.min(*position)).min(high.max(*position));
            rolled.state.velocity[joint] += speed(ahead - 1) - speed(-1);
        }
        rolled.course.advance();
        rolled.delay = 0;
        rolled
    }
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
    /// This condition keeps the robot from moving.
    Barred(Condition),
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
        /// Ticks between its observation and its first use.
        delay: u32,
        /// Ticks by which that is more than it was asked ahead: a lead that is too short shows here.
        late: u32,
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
    /// What is wrong with what was measured, whatever the mode: it keeps a robot from booting, and a fault from being
    /// cleared.
    pub trouble: Option<Fault>,
    /// Everything that is not as it should be.
    pub conditions: Conditions,
    /// What that amounts to.
    pub verdict: Verdict,
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
    /// What became of its correction.
    pub corrected: Corrected,
    /// What else happened.
    pub events: Events,
}
