//! Whoever keeps the registry: reloads, promotions, trials and the way back, while skills run.
//!
//! ```text
//!   cmd/registry ──► keeper ──► loader (reads, proves, warms up, beside the old heads) ──► keeper
//!   herald: ends and trips of runs ──► keeper ──► desk: another registry counts ──► the run that goes on is handed over
//! ```
//!
//! The keeper is never busy for long, so that a trip is answered at once; loading has a thread of its own. Heads that
//! nobody needs any more are freed on the keeper's thread.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use motion::RunId;
use reflex::Clock;
use tokio::{
    runtime::Handle,
    sync::{mpsc as channel, oneshot},
};

use super::{DaemonError, Joined, skills, spawn};
use crate::{
    config::Settings,
    head::Head,
    operator::{Desk, Errand, Notice, RegistryAct, Running, Tally},
    skill::registry::{Registry, report},
    telemetry::Tidings,
    wire::EventMessage,
};

/// How often it looks what can be freed, and what shadows have seen.
const IDLE: Duration = Duration::from_millis(500);

/// A run that is shorter says nothing of the share of its ticks that the filter changed: every motion begins with a ramp.
const TELLING_TICKS: u64 = 20;

/// What a keeper is made of.
pub(super) struct Keeper {
    settings: Settings,
    period_s: f64,
    desk: Desk,
    clock: Clock,
    runtime: Handle,
    tidings: channel::Sender<Tidings>,
    errand: mpsc::Sender<Errand>,
    loaded: mpsc::Sender<Loaded>,
    loads: mpsc::Receiver<Loaded>,
    /// Whether a loader is at work.
    loading: bool,
    /// Heads that were replaced, until the last run that uses them is over.
    retired: Vec<Arc<Mutex<Head>>>,
}

/// What a loader brings back, and who waits for it.
struct Loaded {
    read: Result<Registry, String>,
    who: String,
    answer: oneshot::Sender<Result<Vec<String>, String>>,
}

impl Keeper {
    pub(super) fn start(
        settings: &Settings,
        period_s: f64,
        desk: Desk,
        clock: Clock,
        (runtime, tidings): (Handle, channel::Sender<Tidings>),
        (errand, errands): (mpsc::Sender<Errand>, mpsc::Receiver<Errand>),
    ) -> Result<Joined<()>, DaemonError> {
        let (loaded, loads) = mpsc::channel();
        let keeper = Self {
            settings: settings.clone(),
            period_s,
            desk,
            clock,
            runtime,
            tidings,
            errand,
            loaded,
            loads,
            loading: false,
            retired: Vec::new(),
        };
        spawn("reflex-registry", move || keeper.keep(&errands))
    }

    fn keep(mut self, errands: &mpsc::Receiver<Errand>) {
        self.begin_shadows();
        loop {
            match errands.recv_timeout(IDLE) {
                Ok(Errand::Act { act, who, answer }) => self.act(act, who, answer),
                Ok(Errand::Notice(Notice::Ended(running, tally))) => self.ended(&running, tally),
                Ok(Errand::Notice(Notice::Trip(running, why))) => self.tripped(&running, &why),
                Ok(Errand::Done) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            while let Ok(loaded) = self.loads.try_recv() {
                self.loading = false;
                let changed = loaded.read.map(|registry| self.succeed(registry, &loaded.who));
                let _ = loaded.answer.send(changed);
            }
            // Only this thread's own hold is left: nobody can take another one.
            self.retired.retain(|head| Arc::strong_count(head) > 1);
            let shadows = report::shadows(&self.desk.registry());
            let _ = self.tidings.try_send(Tidings::Shadows(shadows));
        }
    }

    fn act(
        &mut self,
        act: RegistryAct,
        who: String,
        answer: oneshot::Sender<Result<Vec<String>, String>>,
    ) {
        let registry = self.desk.registry();
        let changed = match act {
            RegistryAct::Reload { file } => return self.reload(file.as_deref(), who, answer),
            RegistryAct::Promote { skill } => {
                registry.promoted(&skill).map(|next| self.switch(&skill, next, &who))
            }
            RegistryAct::Rollback { skill } => {
                registry.rolled_back(&skill).map(|next| self.switch(&skill, next, &who))
            }
        };
        let _ = answer.send(changed);
    }

    /// Reads on a thread of its own, at the lowest priority: nothing waits for it but who asked.
    fn reload(
        &mut self,
        file: Option<&Path>,
        who: String,
        answer: oneshot::Sender<Result<Vec<String>, String>>,
    ) {
        let before = self.desk.registry();
        let configured = self.settings.daemon.registry.as_deref();
        let present = Some(before.file()).filter(|file| !file.as_os_str().is_empty());
        let Some(present) = present.or(configured) else {
            let _ = answer.send(Err("the configuration names no registry".into()));
            return;
        };
        if self.loading {
            let _ = answer.send(Err("another reload is at work: wait for it".into()));
            return;
        }
        let folder = present.parent().unwrap_or(Path::new(""));
        let file: PathBuf = file.map_or_else(|| present.to_owned(), |file| folder.join(file));
        let (settings, period_s) = (self.settings.clone(), self.period_s);
        let (loaded, errand) = (self.loaded.clone(), self.errand.clone());
        self.loading = true;
        let load = move || {
            reflex::realtime::yield_to_others();
            let read = skills::read(&settings, &file, period_s, &before);
            let read = match read {
                // At start a robot with a spare refused is better than none; now there is one that works.
                Ok((registry, refused)) => match refused.into_iter().next() {
                    None => Ok(registry),
                    Some(why) => Err(why.to_string()),
                },
                Err(why) => Err(why.to_string()),
            };
            // Before the word, so that its hold on the old heads is gone when the keeper looks.
            drop(before);
            let _ = loaded.send(Loaded { read, who, answer });
            let _ = errand.send(Errand::Done);
        };
        if let Err(error) = spawn("reflex-loader", load) {
            // The answer went with the thread that never was: who asked hears that nobody answers.
            self.loading = false;
            tracing::error!("{error}");
        }
    }

    /// Takes a registry that was read into use.
    fn succeed(&mut self, registry: Registry, who: &str) -> Vec<String> {
        let before = self.desk.registry();
        let (next, mut changed) = registry.succeeding(&before);
        let differs = |name: &&str| match (before.skill(name), next.skill(name)) {
            (Some((_, old)), Some((_, new))) => !Arc::ptr_eq(&old.active, &new.active),
            _ => false,
        };
        let handed: Vec<String> = next.names().filter(differs).map(str::to_owned).collect();
        self.publish(next);
        for skill in &handed {
            changed.extend(self.hand_over(skill));
        }
        if changed.is_empty() {
            changed.push("nothing: the registry is as it was".into());
        }
        self.tell(who, &changed, None);
        changed
    }

    /// Takes a registry with another policy for one skill into use.
    fn switch(&mut self, skill: &str, (next, words): (Registry, String), who: &str) -> Vec<String> {
        let before = self.desk.registry();
        let skill = before.skill(skill).map_or(skill, |(name, _)| name).to_owned();
        self.publish(next);
        let mut changed = vec![words];
        changed.extend(self.hand_over(&skill));
        self.tell(who, &changed, None);
        changed
    }

    /// From now on it counts. What it has no need of any more is kept until nobody uses it.
    fn publish(&mut self, next: Registry) {
        let (before, next) = (self.desk.registry(), Arc::new(next));
        for name in before.names() {
            let new = next.skill(name).and_then(|(_, skill)| skill.shadow.as_ref());
            let old = before.skill(name).and_then(|(_, skill)| skill.shadow.as_ref());
            if let Some(old) = old.filter(|old| new.is_none_or(|new| !Arc::ptr_eq(old, new))) {
                old.close();
            }
        }
        self.desk.replace_registry(Arc::clone(&next));
        self.begin_shadows();
        let gone =
            before.resident().filter(|old| !next.resident().any(|new| Arc::ptr_eq(old, new)));
        self.retired.extend(gone.filter_map(|means| means.head().cloned()));
    }

    fn begin_shadows(&self) {
        let registry = self.desk.registry();
        for (name, skill) in registry.names().filter_map(|name| registry.skill(name)) {
            if let Some(Err(error)) = skill.shadow.as_ref().map(|shadow| shadow.start()) {
                tracing::error!(skill = name, "no thread for the shadow: {error}");
            }
        }
    }

    /// A run that goes on is handed over at its next seam.
    fn hand_over(&self, skill: &str) -> Option<String> {
        match self.runtime.block_on(self.desk.hand_over(skill)) {
            Ok(run) => run.map(|RunId(run)| format!("{skill}: run {run} is handed over")),
            Err(why) => Some(format!("{skill}: the run goes on as it was: {why}")),
        }
    }

    fn ended(&mut self, running: &Running, tally: Tally) {
        let registry = self.desk.registry();
        let Some((_, skill)) = self.on_trial(&registry, running) else { return };
        let (share, most) = (tally.limited_share(), skill.entry.canary.limited_share_max);
        if share > most && tally.ticks >= TELLING_TICKS {
            let why = format!("the filter changed {share:.2} of its set-points, more than {most}");
            return self.tripped(running, &why);
        }
        if let Some((next, words)) = registry.passed_a_run(&running.skill) {
            self.publish(next);
            if let Some(words) = words {
                self.tell("reflexd", &[words], None);
            }
        }
    }

    /// A policy on trial that trips has failed it, at once.
    fn tripped(&mut self, running: &Running, why: &str) {
        let registry = self.desk.registry();
        if self.on_trial(&registry, running).is_none() {
            return;
        }
        let Ok((next, words)) = registry.rolled_back(&running.skill) else { return };
        self.publish(next);
        let mut changed = vec![words];
        match self.runtime.block_on(self.desk.hand_over(&running.skill)) {
            Ok(run) => {
                let words = |RunId(run)| format!("{}: run {run} is handed over", running.skill);
                changed.extend(run.map(words));
            }
            // What failed does not go on because what is sound cannot take over from here.
            Err(why) => {
                self.runtime.block_on(self.desk.end_run(RunId(running.run)));
                changed.push(format!("{}: the run is ended: {why}", running.skill));
            }
        }
        self.tell("reflexd", &changed, Some(why));
    }

    /// The skill of a run whose policy is on trial now.
    fn on_trial<'a>(
        &self,
        registry: &'a Registry,
        running: &Running,
    ) -> Option<(&'a str, &'a Arc<crate::skill::registry::Skill>)> {
        let (name, skill) = registry.skill(&running.skill)?;
        let is_on_trial = running.policy.as_ref() == Some(&skill.active.name);
        skill.trial.as_ref().filter(|_| is_on_trial).map(|_| (name, skill))
    }

    /// For the log and the audit trail.
    fn tell(&self, who: &str, changed: &[String], trip: Option<&str>) {
        for what in changed {
            match trip {
                Some(why) => tracing::error!(who, "{what}: {why}"),
                None => tracing::info!(who, "{what}"),
            }
            let event = EventMessage {
                who: who.to_owned(),
                what: what.clone(),
                outcome: if trip.is_some() { "rolled_back" } else { "changed" }.to_owned(),
                reason: trip.map(str::to_owned),
                at_ns: self.clock.now().0,
                ..EventMessage::default()
            };
            let _ = self.tidings.try_send(Tidings::Event("registry", event));
        }
    }
}
