//! Ticks to the present, to histograms, to answers: the listener's side of the seam.
//!
//! One thread drains the loop's reports, so that the loop never waits for anyone who looks. What cannot be kept up with
//! is conflated (the newest present wins) and counted.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hdrhistogram::Histogram;
use motion::{
    ChunkRefusal, Corrected, Ending, Epoch, Event, Fault, Mode, Tick,
    failsafe::{Condition, Conditions},
};
use reflex::{Listener, Report, Timing};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::{
    operator::{Desk, Notice, Present, Running, Settled, Tally, words},
    router::Embedded,
    wire::{BUCKETS, BackendMessage, EventMessage, Quantiles, ShadowMessage, TimingMessage},
};

/// How often the histograms are told.
const TIMING_EVERY_TICKS: u64 = 20;
/// How often an idle listener looks whether it is to end.
const IDLE: Duration = Duration::from_millis(100);
/// A head's 32-bit answer at the very limit is rounded across it: that is no set-point that had to be changed, rad or m.
const ROUNDING: f64 = 1e-6;
/// Longest duration that the histograms tell apart.
const LONGEST_NS: u64 = 60_000_000_000;
/// Significant digits that they keep.
const DIGITS: u8 = 3;

/// Conditions of which it is told when they begin and when they end.
const TOLD_CONDITIONS: Conditions = Conditions::OUTSIDE
    .with(Condition::JointOutside)
    .with(Condition::Warm)
    .with(Condition::Unattended)
    .with(Condition::Deserted);

/// Something to tell the world.
#[derive(Clone, Debug)]
pub enum Tidings {
    /// A tick.
    Tick(Arc<Present>),
    /// How punctual the loop has been.
    Timing(Box<TimingMessage>),
    /// What has been seen of the shadows.
    Shadows(Value),
    /// Who acts.
    Backend(BackendMessage),
    /// How far a shadow stands from who acts.
    Shadow(Box<ShadowMessage>),
    /// The newest instruction, and what became of it.
    Instruction(Value),
    /// What the router has done.
    Router(Value),
    /// An embedding that the daemon made itself.
    Embedded(Box<Embedded>, String),
    /// How the recorder is.
    Recorder(Value),
    /// Something for the audit trail.
    Event(&'static str, EventMessage),
}

/// The two histograms of a loop.
pub struct Histograms {
    lateness: Histogram<u64>,
    execution: Histogram<u64>,
    ticks: u64,
    last: Timing,
    told: TimingMessage,
}

impl Default for Histograms {
    fn default() -> Self {
        // Bounded, so that recording never allocates; the bounds and digits are constants that are known to be allowed.
        let fresh = || {
            Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
                .unwrap_or_else(|_| unreachable!("1 ns to 60 s, 3 digits"))
        };
        Self {
            lateness: fresh(),
            execution: fresh(),
            ticks: 0,
            last: Timing::default(),
            told: TimingMessage::default(),
        }
    }
}

impl Histograms {
    /// Takes in a tick. One that an e-stop woke early has no lateness.
    pub fn record(&mut self, timing: &Timing) {
        if !timing.early {
            self.lateness.saturating_record(timing.lateness_ns.min(LONGEST_NS));
        }
        self.execution.saturating_record(timing.execution_ns.min(LONGEST_NS));
        self.ticks += 1;
        self.last = *timing;
    }

    /// Counts what became of chunks and corrections in a tick.
    pub fn count(&mut self, tick: &Tick) {
        let told = &mut self.told;
        for event in tick.events.as_slice() {
            match event {
                Event::Adopted { delay, late, .. } => {
                    told.chunks += 1;
                    told.chunks_behind += u64::from(*late > 0);
                    told.delay_ticks = *delay;
                    told.delay_max_ticks = told.delay_max_ticks.max(*delay);
                }
                Event::ChunkRefused { .. } => told.chunks_refused += 1,
                _ => {}
            }
        }
        told.corrections_wanted += u64::from(tick.corrected != Corrected::NotWanted);
        match tick.corrected {
            Corrected::Missed => told.corrections_missed += 1,
            Corrected::Foreign | Corrected::Unusable => told.corrections_refused += 1,
            Corrected::Bounded => told.corrections_bounded += 1,
            Corrected::NotWanted | Corrected::Added => {}
        }
    }

    /// What they say so far.
    #[must_use]
    pub fn punctuality(&self) -> TimingMessage {
        TimingMessage {
            lateness: quantiles(&self.lateness),
            execution: quantiles(&self.execution),
            ticks: self.ticks,
            skipped: self.last.skipped,
            late_chunks: self.last.late_chunks,
            reports_dropped: self.last.reports_dropped,
            refused_messages: 0,
            ..self.told
        }
    }
}

fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
    let mut counts = [0; BUCKETS];
    for value in histogram.iter_recorded() {
        let us = value.value_iterated_to() / 1_000;
        let bucket = us.checked_ilog2().unwrap_or(0) as usize;
        counts[bucket.min(BUCKETS - 1)] += value.count_at_value();
    }
    Quantiles {
        p50_us: at(0.5),
        p99_us: at(0.99),
        p99_9_us: at(0.999),
        max_us: histogram.max() as f64 / 1e3,
        counts_below_2_4_8_us: counts,
    }
}

/// The listener's thread.
pub struct Herald {
    desk: Desk,
    present: watch::Sender<Option<Arc<Present>>>,
    tidings: mpsc::Sender<Tidings>,
    histograms: Histograms,
    last_run: Option<(Running, String)>,
    tally: Tally,
    mode: Mode,
    /// What was not as it should be in the last tick.
    conditions: Conditions,
    /// What last kept the robot from booting.
    kept: Option<String>,
    epoch: Epoch,
    lost: u64,
}

impl Herald {
    /// Tells `desk` what became of its orders, `present` what is, and `tidings` what the world wants to know.
    #[must_use]
    pub fn new(
        desk: Desk,
        present: watch::Sender<Option<Arc<Present>>>,
        tidings: mpsc::Sender<Tidings>,
    ) -> Self {
        Self {
            desk,
            present,
            tidings,
            histograms: Histograms::default(),
            last_run: None,
            tally: Tally::default(),
            mode: Mode::Booting,
            conditions: Conditions::NONE,
            kept: None,
            epoch: Epoch(0),
            lost: 0,
        }
    }

    /// Listens until the loop ends; returns how punctual it was.
    pub fn listen(mut self, mut listener: Listener) -> TimingMessage {
        loop {
            match listener.next(IDLE) {
                Some(report) => self.take(&report),
                None if listener.quits() => break,
                None => {}
            }
        }
        if self.lost > 0 {
            tracing::warn!(lost = self.lost, "tidings were lost: whoever tells them was too slow");
        }
        self.punctuality()
    }

    fn punctuality(&self) -> TimingMessage {
        let refused_messages = self.desk.refused_messages().load(Ordering::Relaxed);
        let out_of_distribution = self.desk.odd_asks();
        TimingMessage { refused_messages, out_of_distribution, ..self.histograms.punctuality() }
    }

    /// Takes in one report.
    pub fn take(&mut self, report: &Report) {
        let tick = &report.tick;
        self.histograms.record(&report.timing);
        self.histograms.count(tick);
        if tick.epoch != self.epoch {
            self.epoch = tick.epoch;
            self.desk.stopped(tick.at);
        }
        let present = Arc::new(self.look(tick));
        // The present first: who is answered may ask at once what became of it.
        self.present.send_replace(Some(Arc::clone(&present)));
        for event in tick.events.as_slice() {
            self.settle(event, tick);
        }
        if tick.mode != self.mode {
            self.tell_mode(tick, &present);
        } else if tick.mode == Mode::Booting && present.trouble != self.kept {
            self.tell_boot(tick, &present);
        }
        self.tell_conditions(tick);
        self.send(Tidings::Tick(present));
        if tick.tick.0.is_multiple_of(TIMING_EVERY_TICKS) {
            self.send(Tidings::Timing(Box::new(self.punctuality())));
        }
    }

    fn look(&mut self, tick: &Tick) -> Present {
        if tick.mode.run().is_some() {
            let mut pairs = tick.requested.iter().zip(tick.applied.iter());
            let limited = pairs.any(|(wish, applied)| (wish - applied).abs() > ROUNDING);
            self.tally.ticks += 1;
            self.tally.limited += u64::from(limited || tick.barred.is_some());
        }
        for event in tick.events.as_slice() {
            if let Event::Ended { run, ending } = event
                && let Some(running) = self.desk.forget(*run)
            {
                let tally = std::mem::take(&mut self.tally);
                self.desk.notice(match trip(*ending, &tick.mode, self.desk.joints()) {
                    Some(why) => Notice::Trip(running.clone(), why),
                    None => Notice::Ended(running.clone(), tally),
                });
                let touches = tick.barred.filter(|_| *ending == Ending::Workspace);
                let reason = touches.and_then(|pair| self.desk.touching(&pair));
                if let Some(reason) = &reason {
                    tracing::warn!(run = run.0, skill = running.skill, "ended: {reason}");
                }
                self.send(Tidings::Event(
                    "run",
                    EventMessage {
                        who: running.source.clone(),
                        what: running.skill.clone(),
                        outcome: words::ending(*ending).to_owned(),
                        reason,
                        at_ns: tick.at.0,
                        ..EventMessage::default()
                    },
                ));
                self.last_run = Some((running, words::ending(*ending).to_owned()));
            }
        }
        Present {
            tick: *tick,
            run: tick.mode.run().and_then(|run| self.desk.running(run)),
            last_run: self.last_run.clone(),
            trouble: self.trouble(tick),
            lease: self.desk.lease(tick.at, tick.state.physical),
        }
    }

    /// What is wrong, in words: with a robot that does not boot, too.
    fn trouble(&self, tick: &Tick) -> Option<String> {
        let found = tick.trouble.map(|why| words::fault(why, self.desk.joints()));
        match tick.mode {
            Mode::Faulted { why, .. } => Some(words::fault(why, self.desk.joints())),
            Mode::EStopped { by, .. } => {
                let who = self.desk.stopper(by);
                let besides = found.map(|found| format!("; besides, {found}")).unwrap_or_default();
                Some(format!(
                    "e-stop by {who}: look at the robot, then clear_fault and arm{besides}"
                ))
            }
            Mode::Booting => found,
            _ => None,
        }
    }

    fn settle(&mut self, event: &Event, tick: &Tick) {
        let settled = |outcome| Settled { outcome, seq: tick.tick.0, mode: tick.mode };
        match event {
            Event::Accepted(id) => self.desk.settle(*id, settled(Ok(()))),
            Event::Refused(id, refusal) => self.desk.settle(*id, settled(Err(*refusal))),
            Event::ChunkRefused { chunk, why } => {
                let running = tick.mode.run().and_then(|run| self.desk.running(run));
                if let Some(running) = running.filter(|_| blames_the_head(*why)) {
                    self.desk
                        .notice(Notice::Trip(running, format!("a chunk was refused: {why:?}")));
                }
                self.tell("run", "law", &format!("chunk {}", chunk.0), &format!("{why:?}"), tick);
            }
            Event::RanDry => self.tell("run", "law", "schedule", "ran dry", tick),
            Event::Adopted { .. } | Event::NoChunk | Event::Ended { .. } => {}
        }
    }

    fn tell_mode(&mut self, tick: &Tick, present: &Present) {
        let (before, now) = (words::mode(&self.mode), words::mode(&tick.mode));
        self.mode = tick.mode;
        match &present.trouble {
            Some(trouble) => tracing::error!(mode = now, tick = tick.tick.0, "{trouble}"),
            None => tracing::info!(mode = now, from = before, tick = tick.tick.0, "mode"),
        }
        let kind = if present.trouble.is_some() { "fault" } else { "mode" };
        let outcome = present.trouble.as_deref().unwrap_or(now);
        self.tell(kind, "law", &format!("{before} to {now}"), outcome, tick);
    }

    /// Conditions that began or ended; those that are told as faults, and those that come and go with single ticks, are not.
    fn tell_conditions(&mut self, tick: &Tick) {
        let now = tick.conditions.among(TOLD_CONDITIONS);
        let changed = Conditions(now.0 ^ self.conditions.0);
        self.conditions = now;
        for condition in changed.iter() {
            let (rule, began) = (condition.rule(), now.has(condition));
            let outcome = if began { "began" } else { "ended" };
            let action = rule.action.name();
            if began {
                tracing::warn!(condition = rule.name, action, tick = tick.tick.0, "{}", rule.when);
            } else {
                tracing::info!(condition = rule.name, tick = tick.tick.0, "ended");
            }
            self.tell("condition", "law", rule.name, outcome, tick);
        }
    }

    /// A robot that does not boot is no fault of this daemon's, and yet somebody waits for it.
    fn tell_boot(&mut self, tick: &Tick, present: &Present) {
        self.kept.clone_from(&present.trouble);
        if let Some(trouble) = &present.trouble {
            tracing::warn!(mode = "booting", tick = tick.tick.0, "{trouble}");
            self.tell("fault", "law", "booting", trouble, tick);
        }
    }

    fn tell(&mut self, kind: &'static str, who: &str, what: &str, outcome: &str, tick: &Tick) {
        let event = EventMessage {
            who: who.to_owned(),
            what: what.to_owned(),
            outcome: outcome.to_owned(),
            at_ns: tick.at.0,
            ..EventMessage::default()
        };
        self.send(Tidings::Event(kind, event));
    }

    fn send(&mut self, tidings: Tidings) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.tidings.try_send(tidings) {
            self.lost += 1;
        }
    }
}

/// Why the end of a run is a safety trip of what carried it out, if it is one. A robot that is lost is not its fault; an
/// operator who pulls the e-stop has seen something.
fn trip(ending: Ending, mode: &Mode, joints: &[String]) -> Option<String> {
    match (ending, mode) {
        (Ending::RanDry | Ending::Workspace, _) => Some(words::ending(ending).to_owned()),
        (Ending::Stopped, Mode::EStopped { .. }) => Some("e-stop".to_owned()),
        (Ending::Stopped, Mode::Faulted { why, .. }) => {
            let of_the_head = matches!(
                why,
                Fault::RequestNotFinite { .. } | Fault::GrossJump { .. } | Fault::Diverged { .. }
            );
            of_the_head.then(|| words::fault(*why, joints))
        }
        _ => None,
    }
}

/// A stranger's chunk, or one that was overtaken, says nothing of the head that is followed.
const fn blames_the_head(why: ChunkRefusal) -> bool {
    matches!(
        why,
        ChunkRefusal::Shape
            | ChunkRefusal::NotFinite
            | ChunkRefusal::FromTheFuture
            | ChunkRefusal::TooLate
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_tell_the_median_and_the_worst() {
        let mut histograms = Histograms::default();
        for k in 1..=1000 {
            histograms.record(&Timing {
                lateness_ns: k * 1000,
                execution_ns: 5_000,
                ..Timing::default()
            });
        }
        let early =
            Timing { lateness_ns: 40_000_000, early: true, skipped: 2, ..Timing::default() };
        histograms.record(&early);
        let told = histograms.punctuality();
        assert_eq!((told.ticks, told.skipped), (1001, 2));
        assert!((told.lateness.p50_us - 500.0).abs() < 1.0, "{told:?}");
        assert!(
            (told.lateness.max_us - 1000.0).abs() < 1.0,
            "an e-stop's early tick is not late: {told:?}"
        );
        assert!((told.execution.p99_us - 5.0).abs() < 0.1, "{told:?}");
    }
}
