//! A second head beside the active one: it sees the same asks, its chunks are compared and thrown away.
//!
//! ```text
//!   thinker: ask ─► active head ─► reply ─► (afterwards) a copy of ask and chunk ─► shadow's thread: run, compare, count
//! ```
//!
//! The copy is made once the reply is on its way, and is dropped where the shadow is busy or over its budget: whatever
//! happens here, the active head's chunks come when they came before.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use motion::{Ask, Chunk, ChunkId, RunId};
use reflex::Clock;
use serde::Serialize;

use super::{Means, ShadowRules};
use crate::observation::{Context, Params, embedding::Slot};

/// How often an idle shadow looks whether it is to end.
const IDLE: Duration = Duration::from_millis(100);
/// The longest latency that is told apart, us.
const LONGEST_US: u64 = 60_000_000;

/// What a joint's figures are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// It turns.
    Rad,
    /// It slides.
    M,
}

/// Names of a robot's joints and their units, in joint order.
pub type JointUnits = Arc<[(String, Unit)]>;

/// A shadow and what has been seen of it.
pub struct Shadow {
    /// Its head.
    pub means: Arc<Means>,
    /// Its budget, and when it may be promoted.
    pub rules: ShadowRules,
    joints: JointUnits,
    deadline_us: u64,
    jobs: OnceLock<SyncSender<Job>>,
    closed: AtomicBool,
    /// The tick at which its budget allows it to run again.
    not_before: AtomicU64,
    skipped: AtomicU64,
    seen: Mutex<Seen>,
}

/// What the active head answered, to be compared.
struct Job {
    ask: Ask,
    params: Params,
    embedding: Option<Arc<Slot>>,
    chunk: Chunk,
}

/// Counts since the shadow was loaded.
struct Seen {
    runs: u64,
    last_run: Option<RunId>,
    chunks: u64,
    refused: u64,
    last_refusal: Option<String>,
    /// Set-points compared, of each joint.
    steps: u64,
    square_sums: Vec<f64>,
    largest: Vec<f64>,
    latency_us: Histogram<u64>,
}

/// Something that has to be so before a shadow may be promoted.
#[derive(Clone, Debug, Serialize)]
pub struct Criterion {
    /// What.
    pub name: &'static str,
    /// How much of it.
    pub needed: String,
    /// How much there is.
    pub found: String,
    /// Whether that is enough.
    pub holds: bool,
}

/// What there is to tell of a shadow.
#[derive(Clone, Debug, Serialize)]
pub struct ShadowReport {
    /// Its policy's name.
    pub shadow: String,
    /// So much of each period may it compute.
    pub budget_ms: f64,
    /// Runs that it has seen.
    pub runs: u64,
    /// Chunks that were compared.
    pub chunks: u64,
    /// Chunks that it could not afford to look at, or was too busy to.
    pub skipped: u64,
    /// Asks that it had no chunk for: a value that was not finite, a pose out of reach.
    pub refused: u64,
    /// Why, the last time.
    pub last_refusal: Option<String>,
    /// How long a run takes on its own thread: median, one in a hundred, the worst.
    pub latency_us: [u64; 3],
    /// Names of the joints.
    pub joints: Vec<String>,
    /// Of each joint, the root of the mean square of how far its set-points were from the active head's.
    pub rms_rad_or_m: Vec<f64>,
    /// And the furthest.
    pub max_rad_or_m: Vec<f64>,
    /// What has to hold before it may be promoted.
    pub criteria: Vec<Criterion>,
}

impl Shadow {
    pub(super) fn new(means: Arc<Means>, rules: ShadowRules, joints: JointUnits) -> Self {
        let deadline_us = means.head().map_or(0, |head| {
            let head = head.lock().unwrap_or_else(PoisonError::into_inner);
            (head.manifest().timing.deadline_ms * 1e3).round() as u64
        });
        let count = joints.len();
        // Bounded, so that recording never allocates; these bounds are known to be allowed.
        let latency_us = Histogram::new_with_bounds(1, LONGEST_US, 3)
            .unwrap_or_else(|_| unreachable!("1 us to 60 s, 3 digits"));
        Self {
            means,
            rules,
            joints,
            deadline_us,
            jobs: OnceLock::new(),
            closed: AtomicBool::new(false),
            not_before: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            seen: Mutex::new(Seen {
                runs: 0,
                last_run: None,
                chunks: 0,
                refused: 0,
                last_refusal: None,
                steps: 0,
                square_sums: vec![0.0; count],
                largest: vec![0.0; count],
                latency_us,
            }),
        }
    }

    /// Gives it a thread of its own, which yields to everything else. Until then it sees nothing.
    ///
    /// # Errors
    /// The system's, if there is no thread to be had.
    pub fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let (jobs, todo) = sync_channel(1);
        if self.jobs.set(jobs).is_err() {
            return Ok(());
        }
        let shadow = Arc::clone(self);
        let builder = std::thread::Builder::new().name("reflex-shadow".into());
        builder.spawn(move || shadow.work(&todo)).map(drop)
    }

    /// Ends it, and returns when its head is not used by it any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(head) = self.means.head() {
            drop(head.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Shows it what the active head answered. Waits for nothing.
    pub fn look(&self, ask: &Ask, context: &Context, chunk: &Chunk) {
        let Some(jobs) = self.jobs.get().filter(|_| !self.closed.load(Ordering::Acquire)) else {
            return;
        };
        let affordable = ask.tick.0 >= self.not_before.load(Ordering::Relaxed);
        let (params, embedding) = (context.params, || context.embedding.clone());
        let job = || Job { ask: *ask, params, embedding: embedding(), chunk: *chunk };
        if !affordable || jobs.try_send(job()).is_err() {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn work(&self, todo: &Receiver<Job>) {
        reflex::realtime::yield_to_others();
        let mut chunk: Option<Chunk> = None;
        // Its own memory of the run: it may have skipped some of the asks, and may have other rules.
        let mut context = Context::default();
        let mut last: Option<Ask> = None;
        while !self.closed.load(Ordering::Acquire) {
            let job = match todo.recv_timeout(IDLE) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let Some(head) = self.means.head() else { return };
            let mut head = head.lock().unwrap_or_else(PoisonError::into_inner);
            // It may have been promoted meanwhile: then the head is somebody else's.
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            let mine = chunk.insert(Chunk::answering(ChunkId(0), head.digest(), &job.ask));
            let began = Clock::Monotonic.now();
            let goes_on = last
                .replace(job.ask)
                .is_some_and(|last| last.run == job.ask.run && last.tick < job.ask.tick);
            if !goes_on {
                context = Context::of(job.params);
            }
            context.embedding.clone_from(&job.embedding);
            let done = head.infer_in(&job.ask, &mut context, false, mine);
            let spent_us = Clock::Monotonic.now().since(began) / 1000;
            drop(head);
            let ticks = (spent_us as f64 / 1e3 / self.rules.budget_ms).ceil() as u64;
            self.not_before.store(job.ask.tick.0.saturating_add(ticks), Ordering::Relaxed);
            let refusal = done.err().map(|why| why.to_string());
            self.seen().take(&job, mine, refusal, spent_us);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first criterion that does not hold.
    ///
    /// # Errors
    /// It, in words.
    pub fn may_be_promoted(&self) -> Result<(), String> {
        let failing = self.criteria(&self.seen()).into_iter().find(|criterion| !criterion.holds);
        failing.map_or(Ok(()), |Criterion { name, needed, found, .. }| {
            Err(format!("{name} is {found}, and has to be {needed}"))
        })
    }

    fn criteria(&self, seen: &Seen) -> Vec<Criterion> {
        let furthest = |unit: Unit| {
            let of = self.joints.iter().zip(&seen.largest).filter(|((_, kind), _)| *kind == unit);
            of.map(|(_, largest)| *largest).fold(0.0, f64::max)
        };
        let at_least = |name, found: u64, needed: u64| Criterion {
            name,
            needed: format!("at least {needed}"),
            found: found.to_string(),
            holds: found >= needed,
        };
        let at_most = |name, found: f64, needed: f64, unit: &str| Criterion {
            name,
            needed: format!("at most {needed} {unit}"),
            found: format!("{found:.6} {unit}"),
            holds: found <= needed,
        };
        let latency = seen.latency_us.value_at_quantile(0.99) as f64 / 1e3;
        let rules = &self.rules;
        vec![
            at_least("chunks", seen.chunks, rules.chunks_min),
            at_least("runs", seen.runs, rules.runs_min),
            at_most("refused", seen.refused as f64, 0.0, "chunks"),
            at_most("divergence_rad", furthest(Unit::Rad), rules.divergence_max_rad, "rad"),
            at_most("divergence_m", furthest(Unit::M), rules.divergence_max_m, "m"),
            at_most("latency_p99", latency, self.deadline_us as f64 / 1e3, "ms"),
        ]
    }

    /// What has been seen of it.
    #[must_use]
    pub fn report(&self) -> ShadowReport {
        let seen = self.seen();
        let rms = |sum: &f64| (sum / seen.steps.max(1) as f64).sqrt();
        let latency = |quantile| seen.latency_us.value_at_quantile(quantile);
        ShadowReport {
            shadow: self.means.name.clone(),
            budget_ms: self.rules.budget_ms,
            runs: seen.runs,
            chunks: seen.chunks,
            skipped: self.skipped.load(Ordering::Relaxed),
            refused: seen.refused,
            last_refusal: seen.last_refusal.clone(),
            latency_us: [latency(0.5), latency(0.99), seen.latency_us.max()],
            joints: self.joints.iter().map(|(name, _)| name.clone()).collect(),
            rms_rad_or_m: seen.square_sums.iter().map(rms).collect(),
            max_rad_or_m: seen.largest.clone(),
            criteria: self.criteria(&seen),
        }
    }
}

impl Seen {
    fn take(&mut self, job: &Job, mine: &Chunk, refusal: Option<String>, spent_us: u64) {
        if self.last_run != Some(job.ask.run) {
            self.last_run = Some(job.ask.run);
            self.runs += 1;
        }
        self.latency_us.saturating_record(spent_us.clamp(1, LONGEST_US));
        if refusal.is_some() {
            self.refused += 1;
            self.last_refusal = refusal;
            return;
        }
        self.chunks += 1;
        // Both answer the same ask: their steps are for the same ticks. Of different lengths only what both have counts.
        for step in 0..mine.len().min(job.chunk.len()) {
            let (Some(mine), Some(active)) = (mine.step(step), job.chunk.step(step)) else { break };
            self.steps += 1;
            let joints = mine.iter().zip(active.iter());
            let sums = self.square_sums.iter_mut().zip(&mut self.largest);
            for ((mine, active), (sum, largest)) in joints.zip(sums) {
                let apart = (mine - active).abs();
                *sum += apart * apart;
                *largest = largest.max(apart);
            }
        }
    }
}
