//! The law once more, from what was written down of it: is what came of every tick the same, to the bit?
//!
//! It begins at tick 0, with a law that has seen nothing, or at the first memory that was written down. Where entries are
//! missing it looks at nothing until the next memory, and says how many ticks that were. After a difference it goes on from
//! the next memory too: what follows from a difference is no other one.

use motion::{
    Controller, Drive, Fault, Joints, LimitedBy, Limits, MAX_JOINTS, Mode, Nanos, Reading, Robot,
    TickIndex, Words, failsafe::Conditions,
};

use crate::tape::{self, Entry, MEMORY, ROBOT, TICK};

/// Goes through entries, one after the other.
#[derive(Debug, Default)]
pub struct Replay {
    robot: Option<Robot>,
    law: Option<Box<Controller>>,
    next: Option<TickIndex>,
    dropped: u64,
    found: Found,
}

/// What was found so far.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Ticks that were executed once more.
    pub checked: u64,
    /// Ticks that were not, because the law's memory before them was not known.
    pub unchecked: u64,
    /// Places at which entries are missing.
    pub gaps: u64,
    /// Ticks whose outcome is another one.
    pub different: u64,
    /// The first of them.
    pub first: Option<Difference>,
}

/// Where two outcomes part.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// In which tick.
    pub tick: TickIndex,
    /// When, by the loop's time.
    pub at: Nanos,
    /// In what.
    pub what: Apart,
}

/// In what two outcomes differ: what was recorded first, what came of it now second.
#[derive(Clone, Debug, PartialEq)]
pub enum Apart {
    /// The modes at its end.
    Mode(Mode, Mode),
    /// What is commanded to a joint.
    Command {
        /// Which joint.
        joint: usize,
        /// Recorded.
        was: f64,
        /// Now.
        is: f64,
    },
    /// What was asked for a joint.
    Request {
        /// Which joint.
        joint: usize,
        /// Recorded.
        was: f64,
        /// Now.
        is: f64,
    },
    /// Something else of what is told of a tick: the word with this number.
    Word {
        /// Its place in the outcome.
        at: usize,
        /// Recorded; `None` if there is no such word.
        was: Option<u64>,
        /// Now.
        is: Option<u64>,
    },
}

/// Words that are no entry of this robot's law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnEntry;

impl std::fmt::Display for NotAnEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this is no entry of a recording, or one of another version")
    }
}

impl std::error::Error for NotAnEntry {}

impl Replay {
    /// Takes the next entry.
    ///
    /// # Errors
    /// Words that are none.
    pub fn take(&mut self, words: &[u64]) -> Result<(), NotAnEntry> {
        match words.first() {
            Some(&ROBOT) => {
                let robot = Robot::get(&mut Reading::new(&words[1..])).ok_or(NotAnEntry)?;
                self.robot = Some(robot);
                self.law = None;
            }
            Some(&MEMORY) => self.remember(&mut Reading::new(&words[1..])).ok_or(NotAnEntry)?,
            Some(&TICK) => self.tick(&Entry::read(words).ok_or(NotAnEntry)?),
            _ => return Err(NotAnEntry),
        }
        Ok(())
    }

    /// What was found so far.
    #[must_use]
    pub const fn found(&self) -> &Found {
        &self.found
    }

    fn remember(&mut self, from: &mut Reading<'_>) -> Option<()> {
        let robot = self.robot?;
        let tick = TickIndex::get(from)?;
        let law = Controller::restore(robot, from).filter(|law| law.now() == tick)?;
        // A law that goes on without a break has this memory already: what it was to be proved by stays its own.
        if self.law.is_none() || self.next != Some(tick) {
            self.law = Some(Box::new(law));
            self.next = Some(tick);
        }
        Some(())
    }

    fn tick(&mut self, entry: &Entry<'_>) {
        if let (TickIndex(0), Some(robot)) = (entry.tick, &self.robot) {
            self.law = Some(Box::new(Controller::new(*robot)));
            self.next = Some(TickIndex(0));
        }
        let missed = self.next.is_some_and(|next| next != entry.tick);
        if missed || entry.dropped > self.dropped {
            self.found.gaps += 1;
        }
        if missed {
            self.law = None;
        }
        self.dropped = entry.dropped;
        self.next = Some(TickIndex(entry.tick.0.saturating_add(1)));
        let Some(law) = &mut self.law else {
            self.found.unchecked += 1;
            return;
        };
        let inputs = entry.inputs();
        if !entry.early {
            // Asking is remembered, so it is part of the tick.
            let _ = law.ask(entry.now, &entry.state);
        }
        let (command, tick) = law.tick(&inputs);
        self.found.checked += 1;
        let is = tape::outcome(&command, &tick);
        if is != entry.outcome {
            self.found.different += 1;
            let what = apart(entry.outcome, &is);
            let difference = Difference { tick: entry.tick, at: entry.now, what };
            self.found.first.get_or_insert(difference);
            self.law = None;
        }
    }
}

/// Where two outcomes part: the mode if it does, then what a joint was commanded to or asked for, then whatever it is.
fn apart(was: &[u64], is: &[u64]) -> Apart {
    if let (Some(before), Some(now)) = (head(was), head(is)) {
        if before.mode != now.mode {
            return Apart::Mode(before.mode, now.mode);
        }
        if let Some((joint, was, is)) = first_apart(&before.commanded, &now.commanded) {
            return Apart::Command { joint, was, is };
        }
        if let Some((joint, was, is)) = first_apart(&before.requested, &now.requested) {
            return Apart::Request { joint, was, is };
        }
    }
    let at = was.iter().zip(is).position(|(was, is)| was != is);
    let at = at.unwrap_or(was.len().min(is.len()));
    Apart::Word { at, was: was.get(at).copied(), is: is.get(at).copied() }
}

fn first_apart(was: &Joints, is: &Joints) -> Option<(usize, f64, f64)> {
    let mut pairs = was.iter().zip(is.iter()).enumerate();
    let (joint, (was, is)) = pairs.find(|(_, (was, is))| was.to_bits() != is.to_bits())?;
    Some((joint, *was, *is))
}

/// What an outcome begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// The mode at the end of the tick.
    pub mode: Mode,
    /// Whether the set-points are to be followed.
    pub driven: bool,
    /// The set-points.
    pub commanded: Joints,
    /// What they were to be before the filter.
    pub requested: Joints,
    /// What is wrong with the robot.
    pub trouble: Option<Fault>,
    /// Everything that is not as it should be.
    pub conditions: Conditions,
    /// Which limits changed the set-point of each joint.
    pub limited_by: LimitedBy,
}

/// What an outcome begins with.
#[must_use]
pub fn head(outcome: &[u64]) -> Option<Head> {
    let from = &mut Reading::new(outcome);
    let mode = Words::get(from)?;
    let _epoch = from.next_word()?;
    // Of the command: drive, stop, release, the set-points.
    let drive: Drive = Words::get(from)?;
    let (_stop, _release) = (from.next_word()?, from.next_word()?);
    let (commanded, requested): (Joints, Joints) = Words::get(from)?;
    let (trouble, conditions) = Words::get(from)?;
    let mut limited_by: LimitedBy = [Limits::default(); MAX_JOINTS];
    for limits in limited_by.iter_mut().take(requested.len()) {
        *limits = Words::get(from)?;
    }
    let driven = drive == Drive::On;
    Some(Head { mode, driven, commanded, requested, trouble, conditions, limited_by })
}
