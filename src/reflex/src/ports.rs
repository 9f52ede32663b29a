//! The seam's plumbing: six bounded rings and a stop flag, each ring with one writer and one reader.
//!
//! ```text
//!   Commander ──orders──►┌──────┐──reports──► Listener
//!   Thinker ───replies──►│ loop │──asks─────► Thinker
//!   Corrector ─replies──►│      │──asks─────► Corrector
//!   StopSwitch ───flag──►└──────┘
//! ```
//!
//! Nothing here blocks on the loop's side: what does not fit is dropped and counted, and told with the next report.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use motion::{
    Ask, Correction, Order, Reply, StopSource, Tick,
    failsafe::{Condition, Conditions},
};
use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Producer, Split},
};

use crate::clock::Bell;

/// Orders that may wait for a tick.
const ORDERS: usize = 64;
/// Replies that may wait: one is due per ask, a second may be late.
const REPLIES: usize = 4;
/// Asks that may wait; only the newest counts.
const ASKS: usize = 4;
/// Corrections, and asks for them, that may wait: each is good for one tick.
const CORRECTIONS: usize = 2;
/// Reports that may wait: 25 s at 20 Hz, for a process that was stopped in a debugger.
const REPORTS: usize = 512;

/// What the loop tells of a tick.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// What happened.
    pub tick: Tick,
    /// When.
    pub timing: Timing,
}

/// How punctual a tick was. The counts are totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From the deadline to the start of the tick.
    pub lateness_ns: u64,
    /// From the start to the end of its work, a wait for an inline chunk included.
    pub execution_ns: u64,
    /// Whether an e-stop woke it before its deadline.
    pub early: bool,
    /// Periods that were skipped because a tick ran over.
    pub skipped: u64,
    /// Chunks that were not there by their deadline.
    pub late_chunks: u64,
    /// Corrections that were not there by theirs.
    pub late_corrections: u64,
    /// Reports that found the ring full.
    pub reports_dropped: u64,
    /// Asks that found the ring full.
    pub asks_dropped: u64,
}

#[derive(Debug, Default)]
struct Shared {
    /// Count of raises in the upper half, the last source in the lower; zero when lowered.
    stop: AtomicU64,
    raises: AtomicU64,
    /// The raised flag that the law has taken in last.
    latched: AtomicU64,
    quit: AtomicBool,
    /// What others found that is not as it should be.
    conditions: AtomicU32,
    /// How often the thinker has looked for work.
    thinker_looks: AtomicU64,
    loop_bell: Bell,
    thinker_bell: Bell,
    corrector_bell: Bell,
    listener_bell: Bell,
}

/// The loop's ends.
pub struct Ports {
    pub(crate) orders: HeapCons<Order>,
    pub(crate) replies: HeapCons<Reply>,
    pub(crate) corrections: HeapCons<Correction>,
    asks: HeapProd<Ask>,
    correction_asks: HeapProd<Ask>,
    reports: HeapProd<Report>,
    shared: Arc<Shared>,
}

/// Sends orders.
pub struct Commander {
    orders: HeapProd<Order>,
}

/// Receives asks, sends replies.
pub struct Thinker {
    asks: HeapCons<Ask>,
    replies: HeapProd<Reply>,
    corrector: Option<Corrector>,
    shared: Arc<Shared>,
}

/// Receives asks for corrections, sends them. Beside the thinker, which may be busy with a large head for many ticks.
pub struct Corrector {
    asks: HeapCons<Ask>,
    corrections: HeapProd<Correction>,
    shared: Arc<Shared>,
}

/// Receives reports.
pub struct Listener {
    reports: HeapCons<Report>,
    shared: Arc<Shared>,
}

/// Raises and lowers the stop flag, from any thread, without waiting for anything; and ends the loop.
#[derive(Clone, Debug)]
pub struct StopSwitch {
    shared: Arc<Shared>,
}

/// Tells whether the thinker still thinks.
#[derive(Clone, Debug)]
pub struct Pulse {
    shared: Arc<Shared>,
}

/// A raised flag, as it was seen: lowering it does not lower one that was raised since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised(u64);

/// A loop's plumbing: its own ends, and everybody else's.
#[must_use]
pub fn ports() -> (Ports, Commander, Thinker, Listener, StopSwitch) {
    let shared = Arc::new(Shared::default());
    let (orders_in, orders) = HeapRb::new(ORDERS).split();
    let (replies_in, replies) = HeapRb::new(REPLIES).split();
    let (asks, asks_out) = HeapRb::new(ASKS).split();
    let (corrections_in, corrections) = HeapRb::new(CORRECTIONS).split();
    let (correction_asks, correction_asks_out) = HeapRb::new(CORRECTIONS).split();
    let (reports, reports_out) = HeapRb::new(REPORTS).split();
    let corrector = Some(Corrector {
        asks: correction_asks_out,
        corrections: corrections_in,
        shared: Arc::clone(&shared),
    });
    let loop_shared = Arc::clone(&shared);
    (
        Ports { orders, replies, corrections, asks, correction_asks, reports, shared: loop_shared },
        Commander { orders: orders_in },
        Thinker { asks: asks_out, replies: replies_in, corrector, shared: Arc::clone(&shared) },
        Listener { reports: reports_out, shared: Arc::clone(&shared) },
        StopSwitch { shared },
    )
}

impl Ports {
    pub(crate) fn bell(&self) -> &Bell {
        &self.shared.loop_bell
    }

    pub(crate) fn quits(&self) -> bool {
        self.shared.quit.load(Ordering::Acquire)
    }

    /// What others found.
    pub(crate) fn conditions(&self) -> Conditions {
        Conditions(self.shared.conditions.load(Ordering::Acquire))
    }

    /// The raised flag, and who raised it.
    pub(crate) fn stop(&self) -> Option<(Raised, StopSource)> {
        let stop = self.shared.stop.load(Ordering::Acquire);
        (stop != 0).then_some((Raised(stop), StopSource(stop as u32)))
    }

    /// Tells that the law has taken in a raised flag: from now on it may be lowered.
    pub(crate) fn latch(&self, seen: Raised) {
        self.shared.latched.store(seen.0, Ordering::Release);
    }

    pub(crate) fn ask(&mut self, ask: Ask) -> bool {
        let sent = self.asks.try_push(ask).is_ok();
        self.shared.thinker_bell.ring();
        sent
    }

    pub(crate) fn ask_correction(&mut self, ask: Ask) {
        // A full ring is a corrector that is behind: the tick goes on uncorrected, and that is counted.
        let _ = self.correction_asks.try_push(ask);
        self.shared.corrector_bell.ring();
    }

    pub(crate) fn report(&mut self, report: Report) -> bool {
        let sent = self.reports.try_push(report).is_ok();
        self.shared.listener_bell.ring();
        sent
    }
}

impl Commander {
    /// Sends an order to the next tick; `false` if too many wait already.
    #[must_use]
    pub fn send(&mut self, order: Order) -> bool {
        self.orders.try_push(order).is_ok()
    }
}

impl Thinker {
    /// The newest ask, waiting for one at most so long. Older ones are forgotten: their tick has gone by.
    pub fn next(&mut self, at_most: Duration) -> Option<Ask> {
        self.shared.thinker_looks.fetch_add(1, Ordering::Relaxed);
        newest(&mut self.asks, &self.shared.thinker_bell, at_most)
    }

    /// Its pulse, for whoever minds that it lives.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse { shared: Arc::clone(&self.shared) }
    }

    /// The corrector's ends, for a thread beside this one; they can be taken once.
    pub fn corrector(&mut self) -> Option<Corrector> {
        self.corrector.take()
    }

    /// Answers; `false` if the loop has not taken the last answers yet.
    pub fn reply(&mut self, reply: Reply) -> bool {
        let sent = self.replies.try_push(reply).is_ok();
        self.shared.loop_bell.ring();
        sent
    }

    /// Whether the loop is to end.
    #[must_use]
    pub fn quits(&self) -> bool {
        self.shared.quit.load(Ordering::Acquire)
    }
}

impl Pulse {
    /// How often the thinker has looked for work so far: it grows for as long as it lives, idle or not.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.shared.thinker_looks.load(Ordering::Relaxed)
    }
}

impl Corrector {
    /// As [`Thinker::next`].
    pub fn next(&mut self, at_most: Duration) -> Option<Ask> {
        newest(&mut self.asks, &self.shared.corrector_bell, at_most)
    }

    /// Answers; `false` if the loop has not taken the last answers yet.
    pub fn reply(&mut self, correction: Correction) -> bool {
        let sent = self.corrections.try_push(correction).is_ok();
        self.shared.loop_bell.ring();
        sent
    }

    /// Whether the loop is to end.
    #[must_use]
    pub fn quits(&self) -> bool {
        self.shared.quit.load(Ordering::Acquire)
    }
}

fn newest(asks: &mut HeapCons<Ask>, bell: &Bell, at_most: Duration) -> Option<Ask> {
    let seen = bell.rung();
    if let Some(ask) = asks.pop_iter().last() {
        return Some(ask);
    }
    bell.wait(seen, at_most);
    asks.pop_iter().last()
}

impl Listener {
    /// The next report, waiting for one at most so long.
    pub fn next(&mut self, at_most: Duration) -> Option<Report> {
        let seen = self.shared.listener_bell.rung();
        if let Some(report) = self.reports.try_pop() {
            return Some(report);
        }
        self.shared.listener_bell.wait(seen, at_most);
        self.reports.try_pop()
    }

    /// Whether the loop is to end.
    #[must_use]
    pub fn quits(&self) -> bool {
        self.shared.quit.load(Ordering::Acquire)
    }
}

impl StopSwitch {
    /// Raises the flag and wakes the loop, which ticks at once instead of at its deadline if it was lowered before. A source of zero counts as
    /// one: the flag never fails to rise.
    pub fn raise(&self, by: StopSource) {
        let count = (self.shared.raises.fetch_add(1, Ordering::AcqRel) + 1) & 0xffff_ffff;
        let stop = count << 32 | u64::from(by.0.max(1));
        self.shared.stop.store(stop, Ordering::Release);
        self.shared.loop_bell.ring();
    }

    /// The flag, if it is raised.
    #[must_use]
    pub fn raised(&self) -> Option<Raised> {
        let stop = self.shared.stop.load(Ordering::Acquire);
        (stop != 0).then_some(Raised(stop))
    }

    /// Lowers the flag; `false`, and it stays, if it was raised again since it was seen or the law has not taken it in
    /// yet: no stop is ever lost.
    pub fn lower(&self, seen: Raised) -> bool {
        let stop = &self.shared.stop;
        if self.shared.latched.load(Ordering::Acquire) != seen.0 {
            return false;
        }
        stop.compare_exchange(seen.0, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Tells the law that something outside is not as it should be, or is again: one of [`Conditions::OUTSIDE`].
    pub fn tell(&self, condition: Condition, is_so: bool) {
        let bit = Conditions::NONE.with(condition).0;
        if is_so {
            self.shared.conditions.fetch_or(bit, Ordering::AcqRel);
        } else {
            self.shared.conditions.fetch_and(!bit, Ordering::AcqRel);
        }
    }

    /// Ends the loop after its present tick, and everybody who waits on it.
    pub fn quit(&self) {
        self.shared.quit.store(true, Ordering::Release);
        self.shared.loop_bell.ring();
        self.shared.thinker_bell.ring();
        self.shared.corrector_bell.ring();
        self.shared.listener_bell.ring();
    }

    /// Whether the loop is to end.
    #[must_use]
    pub fn quits(&self) -> bool {
        self.shared.quit.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowering_never_loses_a_stop_that_was_raised_since() {
        let (ports, .., switch) = ports();
        switch.raise(StopSource(4));
        let seen = switch.raised().expect("raised");
        assert!(!switch.lower(seen), "the law has not seen it yet");
        ports.latch(seen);
        switch.raise(StopSource(4));
        assert!(!switch.lower(seen), "it was raised again");
        assert_eq!(ports.stop().map(|(_, by)| by), Some(StopSource(4)));
        let seen = switch.raised().expect("raised");
        ports.latch(seen);
        assert!(switch.lower(seen));
        assert_eq!(ports.stop(), None);
    }

    #[test]
    fn a_source_of_zero_stops_too() {
        let (ports, .., switch) = ports();
        switch.raise(StopSource(0));
        assert_eq!(ports.stop().map(|(_, by)| by), Some(StopSource(1)));
    }
}
