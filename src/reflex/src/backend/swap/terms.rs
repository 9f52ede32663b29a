//! When one robot may take over from another: when it can be told that nothing will move.

use motion::{Command, Drive, Health, Joints, Nanos, State};

/// Readings after which another pose is the one to compare with.
const COMPARED_AFTER: u32 = 5;

/// What a change of places depends on.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How far two joints may stand apart, rad or m.
    pub tolerance: Joints,
    /// Commands in a row that have to be the same, and readings in a row in which both have to stand still.
    pub rest_ticks: u32,
    /// How old a measurement may be.
    pub age_max_ns: u64,
}

/// How long a robot has stood still, judged by where it is: a velocity that is measured at one moment may be large though
/// nothing goes anywhere, as that of a simulated joint which rings within a thousandth of a rad.
///
/// A pose is compared with one of five to ten readings ago, so that what settles by a hair a second stands still.
pub(super) struct Stillness {
    /// Where it was five to ten readings ago, or when it last moved.
    at: Joints,
    /// Where it was up to five readings ago: what it is compared with next.
    next: Joints,
    /// Readings since then.
    since: u32,
    /// Readings in a row in which it has been there.
    readings: u32,
    /// Which joint moved last, and how far.
    moved: Option<(usize, f64)>,
}

impl Stillness {
    pub(super) const fn new(joints: usize) -> Self {
        let at = Joints::zeros(joints);
        Self { at, next: at, since: 0, readings: 0, moved: None }
    }

    pub(super) fn take_in(&mut self, position: &Joints, still: &Joints) {
        let pairs = position.iter().zip(self.at.iter()).map(|(is, was)| is - was);
        // What is not a number is nowhere, and stands nowhere.
        let moved = pairs.zip(still.iter()).position(|(by, most)| by.is_nan() || by.abs() > *most);
        if self.readings > 0 && moved.is_none() && position.len() == self.at.len() {
            self.readings = self.readings.saturating_add(1);
            self.since += 1;
            if self.since >= COMPARED_AFTER {
                (self.at, self.next, self.since) = (self.next, *position, 0);
            }
            return;
        }
        if self.readings > 0 {
            self.moved = moved.map(|joint| (joint, position[joint] - self.at[joint]));
        }
        (self.at, self.next, self.since) = (*position, *position, 0);
        self.readings = 1;
    }

    pub(super) fn lasts(&self, side: Side, readings: u32) -> Result<(), Refusal> {
        match self.moved {
            _ if self.readings >= readings => Ok(()),
            Some((joint, by)) => Err(Refusal::Moves { side, joint, by }),
            None => Err(Refusal::Unread(side)),
        }
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that acts.
    Active,
    /// The other one: the shadow, or who is to be it.
    Shadow,
}

/// What a measured pose is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The last command.
    Command,
    /// What the active one measures.
    Active,
}

/// Why everything stays as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// There is no shadow.
    NoShadow,
    /// An e-stop was pulled, and has not been cleared.
    Stopped,
    /// Nothing is commanded, so nothing is held.
    NotHolding,
    /// The commanded motion has not come to an end.
    Moving,
    /// It has not been read for long enough.
    Unread(Side),
    /// It says of itself that it is not well.
    Unhealthy(Side, Health),
    /// It measures another number of joints than the robot has.
    Shape(Side),
    /// It measures what is not a number.
    NotFinite(Side, usize),
    /// Its measurement is too old.
    Stale(Side, u64),
    /// A joint of it has just moved.
    Moves {
        /// Of which.
        side: Side,
        /// Which joint.
        joint: usize,
        /// How far, rad or m.
        by: f64,
    },
    /// The shadow's motors do not follow commands.
    NotEngaged,
    /// A joint of the shadow stands somewhere else.
    Apart {
        /// Which joint.
        joint: usize,
        /// Than what.
        from: Reference,
        /// Where the shadow's is, rad or m.
        is: f64,
        /// Where it should be.
        should: f64,
        /// How far apart would do.
        tolerance: f64,
    },
}

impl Terms {
    /// Whether the robot is held, by the same command for long enough.
    pub(super) fn rests(&self, last: Option<&Command>, times: u32) -> Result<Command, Refusal> {
        let command = last.ok_or(Refusal::NotHolding)?;
        if command.is_stop() {
            return Err(Refusal::Stopped);
        }
        if command.drive() != Drive::On {
            return Err(Refusal::NotHolding);
        }
        if times < self.rest_ticks { Err(Refusal::Moving) } else { Ok(*command) }
    }

    /// Whether a robot is well, and what it measures can be believed.
    pub(super) fn is_well<'a>(
        &self,
        side: Side,
        seen: Option<&'a State>,
        joints: usize,
        now: Nanos,
    ) -> Result<&'a State, Refusal> {
        let state = seen.ok_or(Refusal::Unread(side))?;
        if state.health != Health::Good {
            return Err(Refusal::Unhealthy(side, state.health));
        }
        if state.position.len() != joints || state.velocity.len() != joints {
            return Err(Refusal::Shape(side));
        }
        let values = state.position.iter().zip(state.velocity.iter());
        if let Some(joint) =
            values.clone().position(|(place, speed)| !place.is_finite() || !speed.is_finite())
        {
            return Err(Refusal::NotFinite(side, joint));
        }
        let age_ns = now.since(state.sampled_at);
        if age_ns > self.age_max_ns {
            return Err(Refusal::Stale(side, age_ns));
        }
        Ok(state)
    }

    /// Whether two poses of equal length, both finite, are the same within the tolerance.
    pub(super) fn agree(
        &self,
        is: &Joints,
        should: &Joints,
        from: Reference,
    ) -> Result<(), Refusal> {
        let pairs = is.iter().zip(should.iter()).zip(self.tolerance.iter()).enumerate();
        for (joint, ((is, should), tolerance)) in pairs {
            if (is - should).abs() > *tolerance {
                let (is, should, tolerance) = (*is, *should, *tolerance);
                return Err(Refusal::Apart { joint, from, is, should, tolerance });
            }
        }
        Ok(())
    }
}
