//! The thread between the loop and the bus: it hears the arm, streams set-points to it, switches its motors on, and
//! holds it when the loop says nothing any more.
//!
//! ```text
//!   loop ──orders──► servo ──frames──► arm
//!   loop ◄─readings─ servo ◄─frames─── arm
//! ```
//!
//! It waits for the bus and for its own next deadline, and for nothing else. Nothing here allocates once it runs.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use motion::{Ailment, Drive, Health, Nanos};
use ringbuf::{
    HeapCons, HeapProd,
    traits::{Consumer, Producer},
};

use super::{
    bus::{BusError, Inbox},
    frames::MoveMode,
    power::{Disabled, Enabled, How, Wire},
    senses::{Expected, Senses},
    settings::{EStop, Limits, StreamMode},
    stream::{AXES, Axes, Stream},
};
use crate::clock::monotonic_now;

/// Frames that are taken in at once: more than come in a period of the servo.
const INBOX: usize = 512;
/// Motors that have no power after this long do not get it any more.
const SWITCH_ON_WITHIN_NS: u64 = 2_000_000_000;
/// The power is asked for again after so long: drivers tell of theirs every 25 ms.
const SWITCH_ON_EVERY_NS: u64 = 30_000_000;
/// The mode is said again this often, so that an arm that missed it takes it up.
const MODE_EVERY_NS: u64 = 100_000_000;
/// The gripper is told no more often than the loop ticks: it is slow.
const GRIP_EVERY_NS: u64 = 50_000_000;
/// Nothing could be sent for so long: commands do not get out.
const UNSENT_AFTER_NS: u64 = 60_000_000;
/// A bus that is gone is tried again this often.
const REOPEN_EVERY_NS: u64 = 100_000_000;
/// A damping or cutting e-stop is said so often, servo periods in a row: a frame can be lost.
const STOP_TIMES: u32 = 5;
/// Motors that lost their power are told of for so long; afterwards the arm is one that is off.
const MOTOR_OFF_FOR_NS: u64 = 1_000_000_000;

/// What the loop commands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) at: Nanos,
    pub(super) drive: Drive,
    pub(super) stop: bool,
    pub(super) release: bool,
    pub(super) position: Axes,
}

/// What was measured, and how the arm is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) sampled_at: Nanos,
    pub(super) heard_at: [Option<Nanos>; AXES],
    pub(super) position: Axes,
    pub(super) velocity: Axes,
    pub(super) health: Health,
    pub(super) engaged: bool,
    pub(super) warm: bool,
}

/// What the servo counts, for whoever wants to look.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) heard: AtomicU64,
    pub(super) strange: AtomicU64,
    pub(super) disbelieved: AtomicU64,
    pub(super) foreign: AtomicU64,
    pub(super) sent_late: AtomicU64,
    pub(super) loop_gone: AtomicU64,
    pub(super) reopened: AtomicU64,
    pub(super) quit: AtomicBool,
}

/// The arm's power, and the wire that goes with it.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it, and no heap to put the large one on"
)]
enum Power {
    Off(Wire<Disabled>),
    /// Being switched on since, asked last at.
    Rising(Wire<Disabled>, Nanos, Nanos),
    On(Wire<Enabled>, On),
    /// Between two of these.
    Moved,
}

/// What is remembered while the motors are on.
struct On {
    since: Nanos,
    stream: Stream,
    sent: Axes,
    mode_at: Nanos,
    grip_at: Nanos,
    gone: bool,
}

pub(super) struct Servo {
    how: How,
    limits: Limits,
    estop: EStop,
    period_ns: u64,
    senses: Senses,
    inbox: Inbox,
    power: Power,
    orders: HeapCons<Order>,
    readings: HeapProd<Reading>,
    tally: Arc<Tally>,
    last: Option<Order>,
    stopping: u32,
    /// We made it sink, and nobody has released it since: only that gets it out.
    damped: bool,
    lost_motor: Option<(usize, Nanos)>,
    no_bus: Option<Nanos>,
}

/// The parts that a servo is made of.
pub(super) struct Parts {
    pub(super) wire: Wire<Disabled>,
    pub(super) how: How,
    pub(super) limits: Limits,
    pub(super) estop: EStop,
    pub(super) period_ns: u64,
    pub(super) orders: HeapCons<Order>,
    pub(super) readings: HeapProd<Reading>,
    pub(super) tally: Arc<Tally>,
}

impl Servo {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            senses: Senses::new(parts.how.units, parts.how.gripper).within(parts.limits.range),
            how: parts.how,
            limits: parts.limits,
            estop: parts.estop,
            period_ns: parts.period_ns,
            inbox: Inbox::new(INBOX),
            power: Power::Off(parts.wire),
            orders: parts.orders,
            readings: parts.readings,
            tally: parts.tally,
            last: None,
            stopping: 0,
            damped: false,
            lost_motor: None,
            no_bus: None,
        }
    }

    /// Turns until it is told to quit. The arm is left as it is: standing at its last target, if its motors are on.
    pub(super) fn run(mut self) {
        let mut deadline = monotonic_now().after(self.period_ns);
        while !self.tally.quit.load(Ordering::Acquire) {
            self.listen(deadline);
            let now = monotonic_now();
            let late = now.since(deadline) / self.period_ns;
            if late > 0 {
                self.tally.sent_late.fetch_add(late, Ordering::Relaxed);
            }
            deadline = deadline.after((late + 1) * self.period_ns);
            self.turn(now);
        }
    }

    /// Hears what comes until the deadline.
    fn listen(&mut self, deadline: Nanos) {
        loop {
            self.inbox.clear();
            let heard = match &mut self.power {
                Power::Off(wire) | Power::Rising(wire, ..) => wire.wait(deadline, &mut self.inbox),
                Power::On(wire, _) => wire.wait(deadline, &mut self.inbox),
                Power::Moved => Ok(()),
            };
            let commanded = match &self.power {
                Power::On(_, on) => Some(on.sent),
                _ => None,
            };
            for received in self.inbox.items() {
                self.senses.hear(received, commanded.as_ref());
            }
            if let Err(error) = heard
                && error != BusError::Full
            {
                self.no_bus = Some(self.no_bus.unwrap_or_else(monotonic_now));
                // A bus that is gone answers at once.
                crate::clock::Bell::default().wait_until(0, deadline);
                return;
            }
            if monotonic_now() >= deadline {
                return;
            }
        }
    }

    /// One period: what the loop wants, what the arm's power is, what is sent, what is told.
    fn turn(&mut self, now: Nanos) {
        self.heal_bus(now);
        let mut edge = false;
        let mut release = false;
        let mut news = false;
        while let Some(order) = self.orders.try_pop() {
            let before = self.last.map_or(Drive::Off, |last| last.drive);
            edge |= before == Drive::Off && order.drive == Drive::On;
            if order.stop && !self.last.is_some_and(|last| last.stop) {
                self.stopping = STOP_TIMES;
                // What waits to be sent was decided before the stop.
                self.flush();
            }
            release |= order.release;
            self.last = Some(order);
            news = true;
        }
        let drive = self.last.map_or(Drive::Off, |last| last.drive);
        let stop = self.last.is_some_and(|last| last.stop);
        if !stop {
            self.stopping = 0;
        }
        self.power = match std::mem::replace(&mut self.power, Power::Moved) {
            power if release => self.release(power, now),
            power if self.stopping > 0 && self.estop != EStop::Hold => self.emergency(power, now),
            Power::Off(wire) if edge && !stop => Power::Rising(wire, now, Nanos(0)),
            // An order that came before the stop does not switch anything on after it.
            Power::Rising(wire, ..) if drive == Drive::Off || stop => Power::Off(wire),
            Power::Rising(wire, since, asked) => self.rise(wire, since, asked, now),
            Power::On(wire, _) if drive == Drive::Off => Power::Off(wire.without_power()),
            Power::On(wire, on) => self.stream(wire, on, news, now),
            power => power,
        };
        self.tell(now);
    }

    fn flush(&mut self) {
        match &mut self.power {
            Power::Off(wire) | Power::Rising(wire, ..) => wire.bus().flush(),
            Power::On(wire, _) => wire.bus().flush(),
            Power::Moved => 0,
        };
    }

    fn release(&mut self, power: Power, now: Nanos) -> Power {
        self.damped = false;
        Power::Off(match power {
            Power::Off(wire) | Power::Rising(wire, ..) => wire.release(now),
            Power::On(wire, _) => wire.release(now),
            Power::Moved => return Power::Moved,
        })
    }

    /// The e-stop of an arm that has one of its own, driven or not.
    fn emergency(&mut self, power: Power, now: Nanos) -> Power {
        self.stopping -= 1;
        let act = self.estop;
        self.damped |= act == EStop::Damp;
        fn of<P>(wire: Wire<P>, act: EStop, now: Nanos) -> Wire<Disabled> {
            match act {
                EStop::Cut => wire.cut(now),
                EStop::Damp | EStop::Hold => wire.damp(now),
            }
        }
        Power::Off(match power {
            Power::Off(wire) | Power::Rising(wire, ..) => of(wire, act, now),
            Power::On(wire, _) => of(wire, act, now),
            Power::Moved => return Power::Moved,
        })
    }

    fn rise(&mut self, wire: Wire<Disabled>, since: Nanos, asked: Nanos, now: Nanos) -> Power {
        let Some(pose) = self.senses.positions() else { return Power::Off(wire) };
        // The first word of power is not the last: it takes at least two of each driver's reports to believe it.
        let wire = match wire.confirmed(&self.senses, since.after(SWITCH_ON_EVERY_NS)) {
            Ok(wire) => return Power::On(wire, self.begin(pose, now)),
            Err(wire) => wire,
        };
        if now.since(since) > SWITCH_ON_WITHIN_NS {
            let joint = self.senses.motors_on(since).err().unwrap_or(0);
            self.lost_motor = Some((joint, now));
            return Power::Off(wire);
        }
        let mut wire = wire;
        if now.since(asked) >= SWITCH_ON_EVERY_NS {
            wire.switch_on(now, &pose);
            return Power::Rising(wire, since, now);
        }
        Power::Rising(wire, since, asked)
    }

    /// The measured pose is the first command.
    fn begin(&self, pose: Axes, now: Nanos) -> On {
        let Limits { period_ns, acceleration_max, range, .. } = self.limits;
        let mut stream = Stream::standing(period_ns, acceleration_max, range, pose, now);
        if let Some(last) = &self.last {
            stream.push(last.position, last.at);
        }
        On { since: now, stream, sent: pose, mode_at: Nanos(0), grip_at: Nanos(0), gone: false }
    }

    fn stream(&mut self, mut wire: Wire<Enabled>, mut on: On, news: bool, now: Nanos) -> Power {
        if let Err(joint) = self.senses.motors_on(on.since) {
            // An arm that was only just switched on has not said it again yet.
            if now.since(on.since) > SWITCH_ON_EVERY_NS * 4 {
                self.lost_motor = Some((joint, now));
                return Power::Off(wire.without_power());
            }
        }
        if let Some(order) = self.last.filter(|_| news) {
            on.stream.push(order.position, order.at);
        }
        on.sent = on.stream.at(now);
        if on.stream.is_abandoned() != on.gone {
            on.gone = !on.gone;
            self.tally.loop_gone.fetch_add(u64::from(on.gone), Ordering::Relaxed);
        }
        if now.since(on.mode_at) >= MODE_EVERY_NS {
            wire.renew_mode(now);
            on.mode_at = now;
        }
        wire.stream(now, &on.sent);
        if now.since(on.grip_at) >= GRIP_EVERY_NS {
            wire.grip(now, on.sent[AXES - 1]);
            on.grip_at = now;
        }
        Power::On(wire, on)
    }

    fn heal_bus(&mut self, now: Nanos) {
        let Some(since) = self.no_bus else { return };
        // Whatever had power may have lost it: the arm at the other end can be another one.
        self.power = match std::mem::replace(&mut self.power, Power::Moved) {
            Power::On(wire, _) => Power::Off(wire.without_power()),
            Power::Rising(wire, ..) => Power::Off(wire),
            power => power,
        };
        if now.since(since) < REOPEN_EVERY_NS {
            return;
        }
        let Power::Off(wire) = &mut self.power else { return };
        match wire.bus().reopen() {
            Ok(()) => {
                self.no_bus = None;
                self.senses.forget();
                self.tally.reopened.fetch_add(1, Ordering::Relaxed);
            }
            Err(BusError::Opening) => {}
            Err(_) => self.no_bus = Some(now),
        }
    }

    fn tell(&mut self, now: Nanos) {
        let counts = self.senses.counts;
        self.tally.heard.store(counts.heard, Ordering::Relaxed);
        self.tally.strange.store(counts.strange, Ordering::Relaxed);
        self.tally.disbelieved.store(counts.disbelieved, Ordering::Relaxed);
        self.tally.foreign.store(counts.foreign, Ordering::Relaxed);
        let known = self.senses.positions().zip(self.senses.sampled_at());
        let (position, sampled_at) = known.unwrap_or(([0.0; AXES], Nanos(0)));
        let reading = Reading {
            sampled_at,
            heard_at: self.senses.heard_at(),
            position,
            velocity: self.senses.velocities(),
            health: match self.ailment(now) {
                Some(ailment) => Health::Unwell(ailment),
                None if known.is_none() => Health::Lost,
                None => Health::Good,
            },
            engaged: matches!(self.power, Power::On(..)),
            warm: self.senses.is_warm(),
        };
        // A full ring is a loop that reads nothing: it will not miss this one either.
        let _ = self.readings.try_push(reading);
    }

    fn ailment(&mut self, now: Nanos) -> Option<Ailment> {
        if self.no_bus.is_some() {
            return Some(Ailment::NoBus);
        }
        let (expected, commanded, failing) = match &self.power {
            Power::On(wire, on) => {
                let mode = match self.how.stream {
                    StreamMode::Position => MoveMode::Joint,
                    StreamMode::Mit { .. } => self.how.mode.movement,
                };
                (Some(Expected { since: on.since, mode }), Some(&on.sent), wire.failing_since())
            }
            Power::Off(wire) | Power::Rising(wire, ..) => (None, None, wire.failing_since()),
            Power::Moved => (None, None, None),
        };
        if let Some(ailment) = self.senses.ailment(now, expected, commanded) {
            return Some(ailment);
        }
        if failing.is_some_and(|since| now.since(since) > UNSENT_AFTER_NS) {
            return Some(Ailment::Unsent);
        }
        if self.damped {
            return Some(Ailment::OwnStop);
        }
        let (joint, at) = self.lost_motor?;
        if now.since(at) > MOTOR_OFF_FOR_NS {
            self.lost_motor = None;
        }
        Some(Ailment::MotorOff { joint })
    }
}

#[cfg(test)]
#[path = "servo_test.rs"]
mod tests;
