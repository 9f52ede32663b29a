//! Ticks that are not what they were, to see whether the judge looks: one change for each promise.

use motion::{Drive, Epoch, Health, Joints, Mode, RunId, StopSource, What, failsafe::Condition};

use reflex::draw::Draw;

use super::judge::{Broken, Promise};
use crate::bottle::{Seen, Stock};

/// Before this the robot has done nothing.
const FROM: u64 = 100;

/// A change that breaks one promise, in the first tick in which it can be made.
pub(crate) struct Mutation {
    pub(crate) promise: Promise,
    done: bool,
    /// The last three commands, newest first.
    trail: Vec<Joints>,
    mode: Mode,
    epoch: Epoch,
    /// What is added from now on: what has been, and by how much it grows in a tick.
    drift: Option<(f64, f64)>,
    beats: u32,
}

impl Mutation {
    pub(crate) const ALL: [Promise; 22] = [
        Promise::Once,
        Promise::Written,
        Promise::Finite,
        Promise::Position,
        Promise::Velocity,
        Promise::Acceleration,
        Promise::Jerk,
        Promise::Apart,
        Promise::Slow,
        Promise::Mode,
        Promise::EStop,
        Promise::Fault,
        Promise::Armed,
        Promise::Begun,
        Promise::Latched,
        Promise::Queued,
        Promise::StopTime,
        Promise::StopDistance,
        Promise::Heap,
        Promise::Panic,
        Promise::Replay,
        Promise::Attended,
    ];

    pub(crate) const fn of(promise: Promise) -> Self {
        Self {
            promise,
            done: false,
            trail: Vec::new(),
            mode: Mode::Booting,
            epoch: Epoch(0),
            drift: None,
            beats: 0,
        }
    }

    /// Changes a tick, if it is one that can be changed.
    pub(crate) fn change(&mut self, seen: &mut Seen, stock: &Stock) -> Result<(), Broken> {
        let before = self.mode;
        let (mode, epoch) = (seen.mode, seen.epoch);
        if seen.tick.0 >= FROM {
            self.spoil(seen, stock, &before)?;
        }
        (self.mode, self.epoch) = (mode, epoch);
        if !seen.early {
            self.trail.insert(0, seen.told.position);
            self.trail.truncate(3);
        }
        Ok(())
    }

    fn spoil(&mut self, seen: &mut Seen, stock: &Stock, before: &Mode) -> Result<(), Broken> {
        // Somebody went on with something else: the next time.
        if matches!(seen.mode, Mode::Moving { .. }) || seen.told.drive == Drive::Off {
            self.done &= self.drift.take().is_none();
        }
        if self.drift.is_some() {
            self.go_on(seen);
            return Ok(());
        }
        if self.done {
            return Ok(());
        }
        let limits = stock.robot.limits()[0];
        let dt = stock.robot.period_s();
        let holds = seen.mode == Mode::Holding && *before == Mode::Holding && !seen.early;
        let (speed, acceleration) = self.rates(dt);
        let rests = holds && speed == 0.0 && acceleration == 0.0 && seen.told.drive == Drive::On;
        let inward = if seen.told.position[0] > 0.5 * (limits.position_min + limits.position_max) {
            -1.0
        } else {
            1.0
        };
        self.done = true;
        match self.promise {
            Promise::Once => seen.tick.0 -= 1,
            Promise::Written => seen.writes = 2,
            Promise::Heap => seen.allocations = 1,
            Promise::Panic => {
                let words = "said so".to_owned();
                return Err(Broken { promise: Promise::Panic, tick: seen.tick, words });
            }
            Promise::Finite if rests => both(seen, |joints| joints[0] = f64::NAN),
            Promise::Position if rests => {
                both(seen, |joints| joints[0] = limits.position_max + 1e-6);
            }
            Promise::Apart if rests => {
                let pose = touching(stock);
                both(seen, |joints| *joints = pose);
            }
            Promise::Velocity if rests => {
                both(seen, |joints| joints[0] += inward * limits.velocity_max * dt * 1.01);
            }
            Promise::Acceleration if rests => {
                both(seen, |joints| joints[0] += inward * limits.acceleration_max * dt * dt * 1.01);
            }
            // From one acceleration that is allowed to another one that is.
            Promise::Jerk if acceleration.abs() > 0.7 * limits.acceleration_max && !seen.early => {
                let last = self.trail[0][0];
                let other = -acceleration.signum() * 0.9 * limits.acceleration_max;
                both(seen, |joints| joints[0] = last + (speed + other * dt) * dt);
            }
            Promise::Begun if rests => {
                let step = (limits.jerk_max * dt).min(limits.acceleration_max) * 0.5 * dt * dt;
                both(seen, |joints| joints[0] += inward * step);
            }
            // Nobody is heard of any more, and it goes on.
            Promise::Attended => {
                let beats = |order: &motion::Order| matches!(order.what, What::Attend);
                self.beats = (self.beats + u32::from(seen.orders.iter().any(beats))).min(2);
                if self.beats == 2 {
                    seen.orders.retain(|order| !beats(order));
                }
                self.done = false;
            }
            // Said of a robot that goes at full speed.
            Promise::Slow => {
                seen.conditions = seen.conditions.with(Condition::Warm);
                self.done = false;
            }
            Promise::Mode if holds => seen.mode = Mode::Moving { run: RunId(u64::MAX) },
            Promise::EStop if holds => seen.stop = Some(StopSource(1)),
            Promise::Fault if holds => seen.measured.health = Health::Lost,
            Promise::Armed if seen.mode == Mode::Disarmed && *before == Mode::Disarmed => {
                seen.told.drive = Drive::On;
                seen.written = Some(seen.told);
            }
            Promise::Latched
                if matches!(before, Mode::EStopped { .. }) && seen.orders.is_empty() =>
            {
                seen.mode = Mode::Holding;
                seen.told.is_stop = false;
                seen.stop = None;
                seen.written = Some(seen.told);
            }
            Promise::Queued if self.epoch.0 > 0 && self.makes_one_stale(seen) => {}
            Promise::StopDistance | Promise::StopTime
                if self.is_braking(seen, before, speed, dt) =>
            {
                let grows = if self.promise == Promise::StopTime { 1e-9 } else { speed * dt };
                self.drift = Some((0.0, grows));
                self.go_on(seen);
            }
            _ => self.done = false,
        }
        Ok(())
    }

    /// Speed and acceleration of the first joint, up to the tick before.
    fn rates(&self, dt: f64) -> (f64, f64) {
        let [newest, middle, oldest] = self.trail[..] else { return (0.0, 0.0) };
        let (last, before) = ((newest[0] - middle[0]) / dt, (middle[0] - oldest[0]) / dt);
        (last, (last - before) / dt)
    }

    fn is_braking(&self, seen: &Seen, before: &Mode, speed: f64, dt: f64) -> bool {
        let stopped = matches!(before, Mode::Moving { .. })
            && !matches!(seen.mode, Mode::Moving { .. })
            && seen.told.drive == Drive::On
            && !seen.early;
        stopped && speed.abs() > 0.2 && self.rates(dt).1.abs() < 1.0
    }

    /// Goes on instead of braking, or never quite ends.
    fn go_on(&mut self, seen: &mut Seen) {
        let Some((so_far, grows)) = &mut self.drift else { return };
        if seen.early {
            return;
        }
        if self.promise == Promise::StopDistance {
            let last = self.trail[0][0];
            both(seen, |joints| joints[0] = last + *grows);
        } else {
            *so_far += *grows;
            both(seen, |joints| joints[0] += *so_far);
        }
    }

    /// An order that was carried out is from before the last stop.
    fn makes_one_stale(&self, seen: &mut Seen) -> bool {
        let accepted = seen
            .orders
            .iter()
            .position(|order| matches!(order.what, What::Begin(_)) && seen.accepted(order));
        let Some(at) = accepted else { return false };
        seen.orders[at].epoch = Epoch(self.epoch.0 - 1);
        true
    }
}

/// A pose inside the limits in which two things touch.
fn touching(stock: &Stock) -> Joints {
    let workspace = stock.robot.workspace().expect("a shipped robot has one");
    let mut draw = Draw::new(1);
    loop {
        let mut pose = stock.home;
        for (at, limits) in pose.iter_mut().zip(stock.robot.limits()) {
            *at = draw.within([limits.position_min, limits.position_max]);
        }
        if workspace.nearest(&pose).is_some_and(|contact| contact.clearance_m < 0.0) {
            return pose;
        }
    }
}

/// What is told and what reached the robot are changed alike: nobody sees it by comparing them.
fn both(seen: &mut Seen, change: impl FnOnce(&mut Joints)) {
    change(&mut seen.told.position);
    seen.written = Some(seen.told);
}
