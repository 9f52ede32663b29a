//! How far a loop drifts: a minute at 20 Hz with 5 ms of work a tick and two stalls of 80 ms, on the real clock.
//!
//! Prints release lateness and the phase of the last tick. Run by `make bench`; as a test it takes two seconds
//! and asserts nothing about time: machines are shared and noisy.

use std::{io::Write, time::Duration};

use motion::{Command, Controller, JointLimits, Joints, Nanos, Robot, Rules, State};
use reflex::{
    Backend, Clock, Loop,
    backend::loopback::Loopback,
    clock::monotonic_now,
    ports,
    realtime::{self, Settings},
};
use reflexd::telemetry::Histograms;

const PERIOD_NS: u64 = 50_000_000;

/// A robot whose writes take as long as a head and a bus may take.
struct Working {
    inner: Loopback,
    writes: u64,
    stalls: [u64; 2],
}

impl Backend for Working {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.inner.read(now, state);
    }

    fn write(&mut self, now: Nanos, command: &Command) {
        self.inner.write(now, command);
        self.writes += 1;
        let work_ms = if self.stalls.contains(&self.writes) { 80 } else { 5 };
        let until = monotonic_now().after(work_ms * 1_000_000);
        while monotonic_now() < until {
            std::hint::spin_loop();
        }
    }
}

fn main() {
    // Cargo says `--bench` to a bench that is to be measured, and nothing to one that is run as a test.
    let seconds = if std::env::args().any(|argument| argument == "--bench") { 60 } else { 2 };
    let granted =
        realtime::enter(&Settings { priority: Some(80), lock_memory: true, ..Settings::default() });
    let joint = JointLimits {
        position_min: -1.0,
        position_max: 1.0,
        velocity_max: 1.0,
        acceleration_max: 1.0,
        jerk_max: 1.0,
        step_max: 1.0,
        divergence_max: 1.0,
        gripper: false,
    };
    let robot = Robot::build(0.05, &[joint; 7], Rules::default()).expect("limits that make sense");
    let ticks = seconds * 20;
    let backend = Working {
        inner: Loopback::new(Joints::zeros(7), 0.05),
        writes: 0,
        stalls: [ticks / 3, ticks * 2 / 3],
    };
    let (ports, _commander, _thinker, mut listener, _switch) = ports();
    let stolen = steal();
    let origin = monotonic_now();
    let mut turns = Loop::new(Clock::Monotonic, Box::new(backend), Controller::new(robot), ports);
    let mut histograms = Histograms::default();
    let (mut first, mut last) = (None, None);
    while monotonic_now().since(origin) < (ticks - 1) * PERIOD_NS {
        turns.turn();
        while let Some(report) = listener.next(Duration::ZERO) {
            histograms.record(&report.timing);
            first.get_or_insert(report);
            last = Some(report);
        }
    }
    let (first, last) = first.zip(last).expect("ticks were reported");
    // Against the grid of the first tick, not the loop's own idea of its deadline: that would hide a drift.
    let grid = first.tick.at.0 - first.timing.lateness_ns;
    let phase_ns = (last.tick.at.0 - grid) % PERIOD_NS;
    let phase_ns = phase_ns.min(PERIOD_NS - phase_ns);
    let told = histograms.punctuality();
    let out = &mut std::io::stdout();
    let _ = writeln!(
        out,
        "{seconds} s at 20 Hz: {} ticks, {} skipped, last tick {:.3} ms off its grid\n\
         lateness us: p50 {:.0}, p99 {:.0}, p99.9 {:.0}, max {:.0}\n\
         refused by the host: {}, stolen by the hypervisor: {} ms",
        told.ticks,
        told.skipped,
        phase_ns as f64 / 1e6,
        told.lateness.p50_us,
        told.lateness.p99_us,
        told.lateness.p99_9_us,
        told.lateness.max_us,
        granted.refused().count(),
        (steal() - stolen) * 10,
    );
}

/// Hundredths of a second that the hypervisor gave to others, all processors together.
fn steal() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    line.split_whitespace().nth(8).and_then(|field| field.parse().ok()).unwrap_or(0)
}
