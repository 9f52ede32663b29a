//! The law's memory as words, and one tick of it: what went in, what came out.

use super::{Controller, Inputs};
use crate::{
    robot::Robot,
    safety::Command,
    seam::Tick,
    words::{Reading, Sheet, Words},
};

/// No tick, epoch or count of a robot that has run for less than ten million years is larger.
const SANE: u64 = 1 << 52;

impl Controller {
    /// Writes all that the law remembers, but for the robot.
    pub fn save(&self, to: &mut Sheet<'_>) {
        let Self {
            robot: _,
            mode,
            driven,
            releases,
            drive,
            epoch,
            tick,
            filter,
            watchdog,
            schedule,
            sent,
            barred_ticks,
            barred,
            slowed,
            attended,
        } = self;
        mode.put(to);
        (*driven, *releases).put(to);
        drive.put(to);
        (*epoch, *tick).put(to);
        filter.put(to);
        watchdog.put(to);
        schedule.put(to);
        sent.put(to);
        barred_ticks.put(to);
        barred.put(to);
        (*slowed, *attended).put(to);
    }

    /// The law of this robot as it was saved; `None` if the words are no memory of this robot's law.
    #[must_use]
    pub fn restore(robot: Robot, from: &mut Reading<'_>) -> Option<Self> {
        let law = Self {
            robot,
            mode: Words::get(from)?,
            driven: Words::get(from)?,
            releases: Words::get(from)?,
            drive: Words::get(from)?,
            epoch: Words::get(from)?,
            tick: Words::get(from)?,
            filter: Words::get(from)?,
            watchdog: Words::get(from)?,
            schedule: Words::get(from)?,
            sent: Words::get(from)?,
            barred_ticks: Words::get(from)?,
            barred: Words::get(from)?,
            slowed: Words::get(from)?,
            attended: Words::get(from)?,
        };
        let joints = law.robot.joints();
        let fits = law.filter.joints() == joints
            && law.sent.joints() == joints
            && law.schedule.as_ref().is_none_or(|schedule| schedule.fits(joints));
        let sane = law.epoch.0 < SANE
            && law.tick.0 < SANE
            && law.filter.is_finite()
            && law.barred_ticks < u32::MAX / 2
            && law.watchdog.is_sane();
        (fits && sane).then_some(law)
    }
}

impl Inputs<'_> {
    /// Writes what a tick depends on.
    pub fn put(&self, to: &mut Sheet<'_>) {
        let Self { now, state, stop, early, outside, orders, replies, correction } = self;
        (*now, *early).put(to);
        outside.put(to);
        stop.put(to);
        state.put(to);
        orders.len().put(to);
        orders.iter().for_each(|order| order.put(to));
        replies.len().put(to);
        replies.iter().for_each(|reply| reply.put(to));
        correction.copied().put(to);
    }
}

impl Tick {
    /// Writes what came of a tick: mode, epoch, command, what was requested, and everything that was told of it.
    pub fn put(&self, command: &Command, to: &mut Sheet<'_>) {
        let Self {
            tick: _,
            at: _,
            mode,
            epoch,
            drive: _,
            trouble,
            conditions,
            verdict: _,
            state: _,
            requested,
            applied: _,
            limited_by,
            barred,
            source,
            corrected,
            events,
        } = self;
        mode.put(to);
        epoch.put(to);
        command.put(to);
        requested.put(to);
        trouble.put(to);
        conditions.put(to);
        limited_by.iter().take(requested.len()).for_each(|limits| limits.put(to));
        barred.put(to);
        source.put(to);
        corrected.put(to);
        events.as_slice().len().put(to);
        events.as_slice().iter().for_each(|event| event.put(to));
        events.lost().put(to);
    }
}
