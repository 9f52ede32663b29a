//! Overruns are skipped in whole periods, in phase, and counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use motion::{Command, Controller, Nanos, State};
use reflex::{Backend, Clock, Loop, backend::loopback::Loopback, ports};

use crate::rig::{joints, plain_robot};

const PERIOD_NS: u64 = 50_000_000;

/// A robot whose every write takes 5 ms, and two of them 80 ms, on a clock that only work moves.
struct Slow {
    inner: Loopback,
    clock: Arc<AtomicU64>,
    writes: u64,
    stalls: [u64; 2],
}

impl Backend for Slow {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.inner.read(now, state);
    }

    fn write(&mut self, now: Nanos, command: &Command) {
        self.inner.write(now, command);
        self.writes += 1;
        let work_ms = if self.stalls.contains(&self.writes) { 80 } else { 5 };
        self.clock.fetch_add(work_ms * 1_000_000, Ordering::AcqRel);
    }
}

#[test]
fn a_minute_with_two_stalls_stays_in_phase_and_skips_two_ticks() {
    let clock = Clock::lockstep();
    let Clock::Virtual(time) = clock.clone() else { unreachable!("lockstep is virtual") };
    let inner = Loopback::new(joints(&[0.0; 2]), 0.05);
    let backend = Slow { inner, clock: time, writes: 0, stalls: [400, 700] };
    let (ports, _commander, _thinker, mut listener, _switch) = ports();
    let law = Controller::new(plain_robot(2));
    let mut turns = Loop::new(clock.clone(), Box::new(backend), law, ports);
    let mut reports = Vec::new();
    while clock.now() < Nanos(59_950_000_000) {
        turns.turn();
        reports.extend(listener.next(std::time::Duration::ZERO));
    }
    let last = reports.last().expect("a minute of reports");
    assert_eq!(last.timing.skipped, 2);
    assert_eq!(reports.len(), 60 * 20 - 2);
    assert!(reports.iter().all(|report| report.tick.at.0 % PERIOD_NS == 0), "off the grid");
    assert!(reports.iter().all(|report| report.timing.lateness_ns == 0));
    assert!(reports.iter().any(|report| report.timing.execution_ns == 80_000_000));
}
