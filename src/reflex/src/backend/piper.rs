//! An AgileX Piper on its CAN bus.
//!
//! ```text
//!   open ─► what is it? (probe) ─► refused, with the remedy
//!                   │
//!                   ▼
//!   loop ──write──► servo ──frames──► bus ──► arm        senses: what was heard, how old, what is wrong
//!   loop ◄─read──── servo ◄─frames─── bus ◄── arm        power:  Disabled -> Enabled; stream: 20 Hz to 100 Hz
//! ```
//!
//! The arm has no watchdog: whatever it was told last it goes on doing when its master dies. So it is only ever told
//! where to be, a hundredth of a second's way at a time, and never how fast to go or how hard to push.

pub mod bus;
#[cfg(test)]
mod fake;
pub mod frames;
mod power;
pub mod probe;
mod senses;
mod servo;
mod settings;
mod stream;
mod units;

use std::{
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use motion::{Command, Health, Joints, Nanos, Robot, State};
use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Producer, Split},
};

use super::Backend;
use crate::{clock::monotonic_now, realtime};
use power::{How, Wire};
use probe::{Probe, Refused};
use servo::{Order, Parts, Reading, Servo, Tally};
pub use settings::{EStop, Mount, Settings, StreamMode};
use stream::AXES;

/// Orders that may wait for the servo: it takes all of them a hundred times a second.
const ORDERS: usize = 32;
/// Readings that may wait for the loop: some seconds' worth, for a loop that was stopped.
const READINGS: usize = 512;
/// The arm passes a set-point two periods after it came, and is behind its own targets by about another.
const LAG_TICKS: u32 = 3;
/// Opening a bus takes no longer than this.
pub const OPEN_WITHIN: Duration = Duration::from_secs(3);

/// Drivers tell of themselves every 25 ms, and count from the second time on.
const WARM_WITHIN_NS: u64 = 500_000_000;

/// What a Piper's bus was seen to do, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames of the arm.
    pub heard: u64,
    /// Frames that are none of the arm's, or make no sense.
    pub strange: u64,
    /// Measured values that no joint could have got to.
    pub disbelieved: u64,
    /// Frames by which somebody else commanded the arm.
    pub foreign: u64,
    /// Set-points that were skipped because the servo came too late.
    pub sent_late: u64,
    /// Times that the loop said nothing, and the servo brought the arm to rest by itself.
    pub loop_gone: u64,
    /// Times that the bus was opened anew.
    pub reopened: u64,
}

/// Looks at [`Traffic`] from any thread.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Tally>);

impl Watch {
    /// The totals.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let of = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let Tally { heard, strange, disbelieved, foreign, sent_late, loop_gone, reopened, .. } =
            &*self.0;
        Traffic {
            heard: of(heard),
            strange: of(strange),
            disbelieved: of(disbelieved),
            foreign: of(foreign),
            sent_late: of(sent_late),
            loop_gone: of(loop_gone),
            reopened: of(reopened),
        }
    }
}

/// The arm, as the loop sees it.
pub struct Piper {
    settings: Settings,
    orders: HeapProd<Order>,
    readings: HeapCons<Reading>,
    newest: Option<Reading>,
    tally: Arc<Tally>,
    servo: Option<JoinHandle<()>>,
}

impl Piper {
    /// Opens the bus, looks at the arm, and starts to listen to it. Nothing is commanded, no motor is switched on.
    ///
    /// # Errors
    /// A bus that cannot be opened, or an arm that is not what the settings say, with the reason and the remedy.
    pub fn open(settings: &Settings, robot: &Robot) -> Result<Self, Refused> {
        let mut bus = bus::open(&settings.bus, OPEN_WITHIN).map_err(Refused::Bus)?;
        let probe = Probe::take(bus.as_mut(), settings, robot);
        let firmware = probe.fit()?;
        let how = power::how(settings, firmware);
        let mut piper =
            Self::start(settings, robot, Wire::new(bus, how), how).map_err(Refused::Thread)?;
        piper.warm_up();
        Ok(piper)
    }

    /// Waits until each joint was heard, as it was a moment ago; an arm that went silent meanwhile is told of by `read`.
    fn warm_up(&mut self) {
        let until = monotonic_now().after(WARM_WITHIN_NS);
        while monotonic_now() < until {
            self.newest = self.readings.pop_iter().last().or(self.newest);
            if self.newest.is_some_and(|reading| reading.health == Health::Good) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn start(
        settings: &Settings,
        robot: &Robot,
        wire: Wire<power::Disabled>,
        how: How,
    ) -> std::io::Result<Self> {
        let (orders, orders_out) = HeapRb::new(ORDERS).split();
        let (readings, readings_out) = HeapRb::new(READINGS).split();
        let tally = Arc::new(Tally::default());
        let servo = Servo::new(Parts {
            wire,
            how,
            limits: settings.limits(robot),
            estop: settings.estop,
            period_ns: 1_000_000_000 / u64::from(settings.servo_hz.clamp(50, 200)),
            orders: orders_out,
            readings,
            tally: Arc::clone(&tally),
        });
        let wishes = settings.realtime;
        let thread = std::thread::Builder::new().name("reflex-servo".into()).spawn(move || {
            // What is refused is said by the loop's own thread, which asks for the same.
            let _ = realtime::enter(&wishes);
            servo.run();
        })?;
        Ok(Self {
            settings: settings.clone(),
            orders,
            readings: readings_out,
            newest: None,
            tally,
            servo: Some(thread),
        })
    }

    /// Who watches its bus.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.tally))
    }
}

impl Backend for Piper {
    fn read(&mut self, now: Nanos, state: &mut State) {
        while let Some(reading) = self.readings.try_pop() {
            self.newest = Some(reading);
        }
        let Some(reading) = self.newest else {
            // The servo has not turned once yet.
            state.health = Health::Lost;
            return;
        };
        // Heard after this tick began is heard now.
        state.sampled_at = reading.sampled_at.min(now);
        state.health = reading.health;
        state.engaged = reading.engaged;
        state.warm = reading.warm;
        state.physical = true;
        state.lag_ticks = LAG_TICKS;
        for (axis, joint) in self.settings.axes() {
            if let (Some(position), Some(velocity)) =
                (state.position.get_mut(joint), state.velocity.get_mut(joint))
            {
                (*position, *velocity) = (reading.position[axis], reading.velocity[axis]);
            }
            if let (Some(age), Some(at)) = (state.age_s.get_mut(joint), reading.heard_at[axis]) {
                *age = now.since(at) as f64 / 1e9;
            }
        }
    }

    fn write(&mut self, now: Nanos, command: &Command) {
        let position: &Joints = command.position();
        let mut axes = [0.0; AXES];
        for (axis, joint) in self.settings.axes() {
            axes[axis] = position.get(joint).copied().unwrap_or_default();
        }
        let order = Order {
            at: now,
            drive: command.drive(),
            stop: command.is_stop(),
            release: command.releases(),
            position: axes,
        };
        // A full ring is a servo that died; the arm stands at its last target, and what is read grows old.
        let _ = self.orders.try_push(order);
    }
}

impl Drop for Piper {
    /// The arm is left as it is: standing at its last target, if its motors are on.
    fn drop(&mut self) {
        self.tally.quit.store(true, Ordering::Release);
        if let Some(servo) = self.servo.take() {
            // It ends within a period of its own.
            let _ = servo.join();
        }
    }
}
