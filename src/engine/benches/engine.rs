//! How long a head of a million parameters takes: here, in ONNX Runtime, and in Python's onnxruntime beside it, in turns
//! and in the same minute, since a shared machine is never twice the same.
//!
//! `cargo bench -p engine`. With another weight on each run: `cargo test --benches` does each of them a few times.
//! Python takes part if it can import onnxruntime, from `third_party/python-ort` or by itself; `PYTHON` names another.

use std::{
    env, fs,
    hint::black_box,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use engine::{Element, Engine, Placement, Precision, Provider, Session, Signature, TensorSpec};

#[path = "../tests/network/mod.rs"]
mod network;

const SIGNATURE: Signature<'_> = Signature {
    inputs: &[
        TensorSpec { name: "state", shape: &[1, 27], element: Element::F32 },
        TensorSpec { name: "embedding", shape: &[1, 1024], element: Element::F32 },
    ],
    output: TensorSpec { name: "action_chunk", shape: &[1, 10, 32], element: Element::F32 },
};

/// Runs in a row before the next runner has its turn.
const BURST: usize = 25;
/// The loop's period.
const PERIOD: Duration = Duration::from_millis(50);
/// What the load beside walks through: more than any cache of this class of machine.
const LOAD_BYTES: usize = 96 << 20;

/// Something that can run the head and say how long it took, ns.
trait Candidate {
    fn name(&self) -> String;
    fn runs(&mut self, count: usize) -> Vec<u64>;
}

/// The weights, read once and not used: the floor.
struct Read(Vec<u64>);

impl Candidate for Read {
    fn name(&self) -> String {
        "reading the weights".into()
    }

    fn runs(&mut self, count: usize) -> Vec<u64> {
        let sum = || {
            let mut lanes = [0_u64; 16];
            for words in black_box(&self.0).as_chunks::<16>().0 {
                for (lane, word) in lanes.iter_mut().zip(words) {
                    *lane = lane.wrapping_add(*word);
                }
            }
            black_box(lanes);
        };
        (0..count).map(|_| timed(sum)).collect()
    }
}

struct Ours(Session);

impl Candidate for Ours {
    fn name(&self) -> String {
        self.0.description().into()
    }

    fn runs(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| timed(|| assert!(black_box(self.0.run()).is_ok()))).collect()
    }
}

/// A child that runs the same file; times are taken there, around `run()` alone.
struct Python {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    version: String,
}

impl Python {
    fn start(model: &Path) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = env::var("PYTHON").unwrap_or_else(|_| "python3".into());
        let mut child = Command::new(python)
            .arg(folder.join("benches/engine.py"))
            .arg(model)
            .env("PYTHONPATH", folder.join("../../third_party/python-ort"))
            .env("ORT_DISABLE_TELEMETRY", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (ask, answers) = (child.stdin.take()?, child.stdout.take()?);
        let mut python =
            Self { child, ask, answers: BufReader::new(answers), version: String::new() };
        python.answers.read_line(&mut python.version).ok().filter(|read| *read > 0)?;
        Some(python)
    }
}

impl Candidate for Python {
    fn name(&self) -> String {
        self.version.trim().into()
    }

    fn runs(&mut self, count: usize) -> Vec<u64> {
        writeln!(self.ask, "{count}").expect("Python listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("Python answers");
        line.split_whitespace().map(|ns| ns.parse().expect("a time")).collect()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn timed(run: impl FnOnce()) -> u64 {
    let began = Instant::now();
    run();
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn candidates(model: &[u8]) -> Vec<Box<dyn Candidate>> {
    let library = engine::find_library().expect("run `make setup` first");
    let engine = Engine::start(&library).expect("it starts");
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("engine.onnx");
    fs::write(&file, model).expect("room for a model");
    let words = vec![1_u64; network::PARAMETERS / 2];
    let mut candidates: Vec<Box<dyn Candidate>> = vec![Box::new(Read(words))];
    match Python::start(&file) {
        Some(python) => candidates.push(Box::new(python)),
        None => say("Python's onnxruntime is not there: measured without it"),
    }
    for (provider, precision) in [
        (Provider::OnnxRuntime, Precision::Fp32),
        (Provider::Cpu, Precision::Fp32),
        (Provider::Cpu, Precision::Fp16),
        (Provider::Cpu, Precision::Bf16),
        (Provider::Cpu, Precision::Int8),
    ] {
        let placement = Placement { provider, precision, ..Placement::default() };
        let session = Session::place(engine, model, &SIGNATURE, &placement);
        let mut session = session.expect("a network of dense layers");
        for (at, spec) in SIGNATURE.inputs.iter().enumerate() {
            for (k, value) in session.input_mut(at).iter_mut().enumerate().take(spec.len()) {
                *value = (k as f32 * 0.37).sin();
            }
        }
        candidates.push(Box::new(Ours(session)));
    }
    candidates
}

/// Median, p99, p99.9 and maximum, us.
fn quantiles(times: &mut [u64]) -> [f64; 4] {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    [at(0.5), at(0.99), at(0.999), at(1.0)]
}

fn table(candidates: &[Box<dyn Candidate>], times: &mut [Vec<u64>]) {
    let measured: Vec<_> = times.iter_mut().map(|times| quantiles(times)).collect();
    let python = candidates.iter().position(|candidate| candidate.name().starts_with("Python"));
    let python = python.map(|at| measured[at][0]);
    say("  us       median    p99  p99.9    max | of the reading | of Python's");
    for (candidate, [median, p99, p999, max]) in candidates.iter().zip(&measured) {
        let of_python = python.map_or(String::new(), |python| format!("{:.2}", median / python));
        let of_read = median / measured[0][0];
        say(&format!(
            "  {:>15.1} {p99:>6.1} {p999:>6.1} {max:>6.0} | {of_read:>14.2} | {of_python:>11}  {}",
            median,
            candidate.name()
        ));
    }
}

fn back_to_back(candidates: &mut [Box<dyn Candidate>], rounds: usize) {
    let mut times = vec![Vec::new(); candidates.len()];
    for _ in 0..rounds {
        for (candidate, times) in candidates.iter_mut().zip(&mut times) {
            // The first ones fetch the weights back into the caches that the others have used.
            candidate.runs(3);
            times.extend(candidate.runs(BURST));
        }
    }
    say(&format!("back to back, {} runs each, in turns of {BURST}", rounds * BURST));
    table(candidates, &mut times);
}

/// One run of each in every period, in turns, while somebody else keeps the memory busy.
fn at_the_pace(candidates: &mut [Box<dyn Candidate>], periods: usize) {
    let mut times = vec![Vec::new(); candidates.len()];
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut load = vec![1_u64; LOAD_BYTES / 8];
            while !done.load(Ordering::Relaxed) {
                load.iter_mut().step_by(8).for_each(|word| *word = word.wrapping_mul(3));
                black_box(&mut load);
            }
        });
        let gap = PERIOD / u32::try_from(candidates.len()).unwrap_or(1);
        let mut due = Instant::now() + PERIOD;
        for _ in 0..periods {
            for (candidate, times) in candidates.iter_mut().zip(&mut times) {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                times.extend(candidate.runs(1));
                due += gap;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    say(&format!(
        "at 20 Hz, {periods} runs each, {} MiB walked through beside them",
        LOAD_BYTES >> 20
    ));
    table(candidates, &mut times);
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn main() {
    // Without this word from `cargo bench` it is a test that the bench still works.
    let measuring = env::args().any(|argument| argument == "--bench");
    let model = network::head();
    let mut candidates = candidates(&model);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    say(&format!("{} parameters, {} bytes; CPU{cpu}", network::PARAMETERS, model.len()));
    let (rounds, periods) = if measuring { (200, 1200) } else { (1, 2) };
    back_to_back(&mut candidates, rounds);
    at_the_pace(&mut candidates, periods);
}
