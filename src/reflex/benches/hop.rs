//! From the loop to the thinker and back, beyond what a head takes: ticks that ask a skill that answers at once, beside
//! ticks that ask nothing, at the real pace. `cargo bench -p reflex --bench hop`; without `--bench` a few ticks, as a test.

use std::{
    env,
    io::Write,
    time::{Duration, Instant},
};

use motion::{
    Chunk, ChunkId, Controller, Epoch, HeadDigest, JointLimits, Joints, Nanos, Order, OrderId,
    Plan, Reply, Robot, Rules, Run, RunId, What,
};
use reflex::{Clock, Loop, Thinker, backend::loopback::Loopback, ports, realtime};

const PERIOD_S: f64 = 0.05;
const JOINTS: usize = 7;
const STEPS: usize = 8;
const HEAD: HeadDigest = HeadDigest(1);
/// As in the daemon, where the host grants it.
const LOOP_PRIORITY: i32 = 80;
const THINKER_PRIORITY: i32 = 79;

/// Where both run: a thread that wakes another on its own processor hands it over; on another one it has to send for it.
const CPU: usize = 0;

fn wishes(priority: i32) -> realtime::Settings {
    realtime::Settings { priority: Some(priority), cpu: Some(CPU), ..realtime::Settings::default() }
}

fn robot() -> Robot {
    let joint = JointLimits {
        position_min: -3.0,
        position_max: 3.0,
        velocity_max: 3.0,
        acceleration_max: 8.0,
        jerk_max: 200.0,
        step_max: 0.5,
        divergence_max: 0.5,
        gripper: false,
    };
    Robot::build(PERIOD_S, &[joint; JOINTS], Rules::default()).expect("limits that make sense")
}

/// Answers at once: stay where you are.
fn think(mut thinker: Thinker) {
    let _ = realtime::enter(&wishes(THINKER_PRIORITY));
    let mut chunks = 0;
    while !thinker.quits() {
        let Some(ask) = thinker.next(Duration::from_millis(100)) else { continue };
        chunks += 1;
        let mut chunk = Chunk::answering(ChunkId(chunks), HEAD, &ask);
        (0..STEPS).for_each(|_| {
            chunk.push(&ask.last_command);
        });
        thinker.reply(Reply::Chunk(chunk));
    }
}

/// How long ticks took, us, sorted: from waking to the command's being written.
fn ticks(count: usize, execute: Option<u32>) -> Vec<f64> {
    let plan = Plan {
        deadline_ns: 10_000_000,
        ticks_max: u64::MAX,
        ..Plan::plain(HEAD, execute.unwrap_or(1))
    };
    let (ports, mut commander, thinker, mut listener, switch) = ports();
    let backend = Box::new(Loopback::new(Joints::zeros(JOINTS), PERIOD_S));
    let mut costs = Vec::with_capacity(count);
    std::thread::scope(|scope| {
        scope.spawn(move || think(thinker));
        scope.spawn(|| {
            let granted = realtime::enter(&wishes(LOOP_PRIORITY));
            let refused: Vec<_> = granted.refused().map(|refusal| refusal.to_string()).collect();
            if !refused.is_empty() {
                say(&format!("  not in real time: {}", refused.join("; ")));
            }
            let mut turns = Loop::new(Clock::Monotonic, backend, Controller::new(robot()), ports);
            turns.turn();
            let run = Run { id: RunId(1), plan, expires: Nanos(u64::MAX) };
            let run = execute.map(|_| (2, What::Begin(run)));
            for (id, what) in [(1, What::Arm)].into_iter().chain(run) {
                let _ = commander.send(Order { id: OrderId(id), epoch: Epoch(u64::MAX), what });
                turns.turn();
            }
            // The first chunk is on its way; what settles is not measured.
            (0..3).for_each(|_| turns.turn());
            while listener.next(Duration::ZERO).is_some() {}
            for _ in 0..count {
                turns.turn();
                let report = listener.next(Duration::from_secs(1)).expect("a report");
                costs.push(report.timing.execution_ns as f64 / 1e3);
            }
            switch.quit();
        });
    });
    costs.sort_by(f64::total_cmp);
    costs
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn main() {
    let measuring = env::args().any(|argument| argument == "--bench");
    let count = if measuring { 600 } else { 4 };
    let began = Instant::now();
    let asking = ticks(count, Some(1));
    let alone = ticks(count, None);
    let at = |costs: &[f64], share: f64| costs[((costs.len() - 1) as f64 * share) as usize];
    say(&format!("{count} ticks at 20 Hz each, us          median    p99    max"));
    for (name, costs) in
        [("asking a skill that answers at once", &asking), ("asking nothing", &alone)]
    {
        let [median, p99, max] = [0.5, 0.99, 1.0].map(|share| at(costs, share));
        say(&format!("  {name:<36} {median:>6.1} {p99:>6.1} {max:>6.1}"));
    }
    let hop = |share| at(&asking, share) - at(&alone, 0.5);
    say(&format!(
        "  the hop: median {:.1}, p99 {:.1}; {:.0?}",
        hop(0.5),
        hop(0.99),
        began.elapsed()
    ));
}
