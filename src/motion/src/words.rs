//! What a tick depends on and what came of it as 64-bit words, both ways, to the bit: what recordings are made of.
//!
//! A number is its bits, a choice is its number and then what belongs to it, a list is its length and then its items. The
//! order is that of the fields. Whatever the words, reading them ends, takes no heap and never panics.

use crate::{
    ailment::Ailment,
    chunk::{ChunkId, HeadDigest},
    correction::{Corrected, Correction, CorrectionRule},
    failsafe::{Action, Condition, Policy, TABLE},
    joints::{Joints, MAX_JOINTS},
    mode::{Ending, Fault, Mode, StopSource},
    plan::{ChunkRefusal, FirstStep, Plan, Seam, Source},
    robot::{Attendance, JointLimits, Rules},
    safety::{Drive, Limits},
    seam::{Epoch, Event, Order, OrderId, Refusal, Reply, Run, RunId, What},
    state::{Health, State},
    time::{Nanos, TickIndex},
    workspace::{Body, BodyKind, Capsule, Obstacle, Pair},
};

/// Words that are being written. What does not fit is noticed, not written.
#[derive(Debug)]
pub struct Sheet<'a> {
    room: &'a mut [u64],
    len: usize,
    full: bool,
}

impl<'a> Sheet<'a> {
    /// Nothing written yet.
    #[must_use]
    pub const fn new(room: &'a mut [u64]) -> Self {
        Self { room, len: 0, full: false }
    }

    /// Appends a word.
    pub fn push(&mut self, word: u64) {
        match self.room.get_mut(self.len) {
            Some(slot) => {
                *slot = word;
                self.len += 1;
            }
            None => self.full = true,
        }
    }

    /// What was written; `None` if something found no room.
    #[must_use]
    pub fn written(&self) -> Option<&[u64]> {
        if self.full { None } else { self.room.get(..self.len) }
    }
}

/// Words that are being read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    rest: &'a [u64],
}

impl<'a> Reading<'a> {
    /// All of these are still to be read.
    #[must_use]
    pub const fn new(words: &'a [u64]) -> Self {
        Self { rest: words }
    }

    /// The next word.
    pub fn next_word(&mut self) -> Option<u64> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// What is still to be read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u64] {
        self.rest
    }
}

/// What can be written as words and read again.
pub trait Words: Sized {
    /// Writes it.
    fn put(&self, to: &mut Sheet<'_>);
    /// Reads it; `None` if the words are none of this kind.
    fn get(from: &mut Reading<'_>) -> Option<Self>;
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl Words for $kind {
            fn put(&self, to: &mut Sheet<'_>) {
                to.push(*self as u64);
            }

            fn get(from: &mut Reading<'_>) -> Option<Self> {
                from.next_word()?.try_into().ok()
            }
        }
    )*};
}

number!(u32, u16, u8, usize);

impl Words for u64 {
    fn put(&self, to: &mut Sheet<'_>) {
        to.push(*self);
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        from.next_word()
    }
}

impl Words for bool {
    fn put(&self, to: &mut Sheet<'_>) {
        to.push(u64::from(*self));
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        match from.next_word()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Words for f64 {
    fn put(&self, to: &mut Sheet<'_>) {
        to.push(self.to_bits());
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        from.next_word().map(Self::from_bits)
    }
}

impl<T: Words> Words for Option<T> {
    fn put(&self, to: &mut Sheet<'_>) {
        to.push(u64::from(self.is_some()));
        if let Some(value) = self {
            value.put(to);
        }
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        if bool::get(from)? { T::get(from).map(Some) } else { Some(None) }
    }
}

impl<T: Words, U: Words> Words for (T, U) {
    fn put(&self, to: &mut Sheet<'_>) {
        self.0.put(to);
        self.1.put(to);
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        Some((T::get(from)?, U::get(from)?))
    }
}

impl<T: Words + Copy + Default, const N: usize> Words for [T; N] {
    fn put(&self, to: &mut Sheet<'_>) {
        self.iter().for_each(|item| item.put(to));
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        let mut all = [T::default(); N];
        for item in &mut all {
            *item = T::get(from)?;
        }
        Some(all)
    }
}

impl Words for Joints {
    fn put(&self, to: &mut Sheet<'_>) {
        self.len().put(to);
        self.iter().for_each(|value| value.put(to));
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        let len = usize::get(from).filter(|len| *len <= MAX_JOINTS)?;
        let mut joints = Self::zeros(len);
        for value in joints.iter_mut() {
            *value = f64::get(from)?;
        }
        Some(joints)
    }
}

/// Words of a struct, of a number with a name, or of an enum, each by all of its fields: a new one does not compile until
/// it is named here.
macro_rules! words {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl crate::words::Words for $name {
            fn put(&self, to: &mut crate::words::Sheet<'_>) {
                let Self { $($field),* } = self;
                $(crate::words::Words::put($field, to);)*
            }

            fn get(from: &mut crate::words::Reading<'_>) -> Option<Self> {
                Some(Self { $($field: crate::words::Words::get(from)?),* })
            }
        }
    };
    ($($name:ident),* $(,)?) => {$(
        impl crate::words::Words for $name {
            fn put(&self, to: &mut crate::words::Sheet<'_>) {
                crate::words::Words::put(&self.0, to);
            }

            fn get(from: &mut crate::words::Reading<'_>) -> Option<Self> {
                crate::words::Words::get(from).map(Self)
            }
        }
    )*};
    (enum $name:ident { $($number:literal => $variant:ident $({ $($field:ident),* })? $(($inner:ident))?),* $(,)? }) => {
        impl crate::words::Words for $name {
            fn put(&self, to: &mut crate::words::Sheet<'_>) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(($inner))? => {
                        to.push($number);
                        $($(crate::words::Words::put($field, to);)*)?
                        $(crate::words::Words::put($inner, to);)?
                    })*
                }
            }

            fn get(from: &mut crate::words::Reading<'_>) -> Option<Self> {
                Some(match from.next_word()? {
                    $($number => Self::$variant
                        $({ $($field: crate::words::Words::get(from)?),* })?
                        $(({ let $inner = crate::words::Words::get(from)?; $inner }))?,)*
                    _ => return None,
                })
            }
        }
    };
}
pub(crate) use words;

words!(Nanos, TickIndex, RunId, OrderId, Epoch, ChunkId, HeadDigest, StopSource, Limits);

words!(enum Health { 0 => Good, 1 => Unwell(ailment), 2 => Lost });
words!(State { sampled_at, position, velocity, age_s, lag_ticks, health, engaged, warm, physical });
words!(enum Ailment {
    0 => Silent { joint }, 1 => Frozen { joint }, 2 => Implausible { joint }, 3 => MotorOff { joint }, 4 => Hot { joint },
    5 => Collided { joint }, 6 => Stalled { joint }, 7 => Undervoltage { joint }, 8 => Overcurrent { joint },
    9 => Broken { joint }, 10 => BeyondOwnLimits { joint }, 11 => Unreached { joint }, 12 => OwnStop,
    13 => OwnFault { code }, 14 => OtherMode, 15 => SecondMaster, 16 => Garbage, 17 => BusErrors, 18 => BusOff,
    19 => NoBus, 20 => Unsent, 21 => NothingHeard,
});
words!(enum Fault {
    0 => RequestNotFinite { joint }, 1 => GrossJump { joint }, 2 => StateNotFinite { joint }, 3 => StateShape,
    4 => StateStale, 5 => BackendLost, 6 => Unwell(ailment), 7 => Diverged { joint }, 8 => NotEngaged,
    9 => Disengaged, 10 => OutsideLimits { joint },
});
words!(enum Mode {
    0 => Booting, 1 => Disarmed, 2 => Arming { since }, 3 => Holding, 4 => Moving { run }, 5 => Stopping { disarm },
    6 => Faulted { why, at }, 7 => EStopped { by, at },
});
words!(enum Ending { 0 => Done, 1 => TimeUp, 2 => Superseded, 3 => Stopped, 4 => RanDry, 5 => Workspace, 6 => LeftBehind });
words!(enum Drive { 0 => Off, 1 => On });

words!(enum Seam {
    0 => Cut, 1 => Fade { ticks }, 2 => Ensemble { coefficient }, 3 => Prefix { ticks },
});
words!(enum FirstStep { 0 => Observation, 1 => TakeOver });
words!(CorrectionRule { head, deadline_ns, offset_max });
words!(Plan { head, execute, lead, deadline_ns, seam, first_step, correction, ticks_max });
words!(Correction { run, tick, head, offset });
words!(enum Corrected { 0 => NotWanted, 1 => Added, 2 => Bounded, 3 => Missed, 4 => Foreign, 5 => Unusable });
words!(enum Source { 0 => Rest, 1 => Waiting, 2 => Chunk { chunk, head, step }, 3 => Extrapolated, 4 => Dry });
words!(enum ChunkRefusal {
    0 => OtherRun, 1 => OtherHead, 2 => Shape, 3 => NotFinite, 4 => FromTheFuture, 5 => Duplicate, 6 => Superseded,
    7 => TooLate,
});

words!(Run { id, plan, expires });
words!(enum What {
    0 => Arm, 1 => Disarm, 2 => Hold, 3 => ClearFault, 4 => Release, 5 => Begin(run), 6 => HandOver(run), 7 => End(run),
    8 => Attend, 9 => Leave,
});
words!(Order { id, epoch, what });
words!(enum Reply { 0 => Chunk(chunk), 1 => Nothing { run, observed } });
words!(enum Refusal {
    0 => Mode(mode), 1 => Stale, 2 => Expired, 3 => OutsideLimits { joint }, 4 => StillFaulty, 5 => NoSuchRun,
    6 => Barred(condition),
});
words!(enum Attendance { 0 => Required, 1 => Physical, 2 => Optional });
words!(enum Action {
    0 => None, 1 => Warn, 2 => Slow, 3 => Hold, 4 => Stop, 5 => Park, 6 => Damp, 7 => Cut,
});
words!(Policy { estop });
impl Words for Condition {
    fn put(&self, to: &mut Sheet<'_>) {
        to.push(*self as u64);
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        let number = usize::get(from)?;
        TABLE.get(number).map(|rule| rule.condition)
    }
}
impl Words for Event {
    fn put(&self, to: &mut Sheet<'_>) {
        match self {
            Self::Accepted(order) => (0_u64, *order).put(to),
            Self::Refused(order, refusal) => {
                (1_u64, *order).put(to);
                refusal.put(to);
            }
            Self::Adopted { chunk, delay, late } => {
                (2_u64, *chunk).put(to);
                (*delay, *late).put(to);
            }
            Self::ChunkRefused { chunk, why } => {
                (3_u64, *chunk).put(to);
                why.put(to);
            }
            Self::NoChunk => to.push(4),
            Self::RanDry => to.push(5),
            Self::Ended { run, ending } => {
                (6_u64, *run).put(to);
                ending.put(to);
            }
        }
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        Some(match from.next_word()? {
            0 => Self::Accepted(Words::get(from)?),
            1 => Self::Refused(Words::get(from)?, Words::get(from)?),
            2 => Self::Adopted {
                chunk: Words::get(from)?,
                delay: Words::get(from)?,
                late: Words::get(from)?,
            },
            3 => Self::ChunkRefused { chunk: Words::get(from)?, why: Words::get(from)? },
            4 => Self::NoChunk,
            5 => Self::RanDry,
            6 => Self::Ended { run: Words::get(from)?, ending: Words::get(from)? },
            _ => return None,
        })
    }
}

words!(enum Obstacle { 0 => Capsule(capsule), 1 => Plane(plane) });
words!(Pair { capsule, obstacle });
words!(enum BodyKind { 0 => Turns, 1 => Slides });
words!(Body { before, rotation, origin_m, kind, slide_max_m, joint, multiplier, offset });
words!(Capsule { body, from_m, to_m, radius_m });
words!(JointLimits {
    position_min,
    position_max,
    velocity_max,
    acceleration_max,
    jerk_max,
    step_max,
    divergence_max,
    gripper,
});
words!(Rules {
    state_age_max_ns,
    extrapolate_ticks,
    give_up_ticks,
    divergence_ticks,
    arm_tolerance,
    engage_max_ns,
    attendance,
    heartbeat_ns,
    park_after_ns,
    slow_factor,
    policy,
});
