//! Who answers at the door: passes commands to the desk, and keeps the audit trail.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use reflex::{Clock, clock::monotonic_now};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::router::RouterDesk;
use crate::{
    config::Settings,
    decision::{Decision, Verdict},
    operator::{Answer, Command, Desk, Heard, Present, Question, words},
    recorder::Recorder,
    router::{Embedded, Instruction, Thing},
    skill::registry::report,
    telemetry::Tidings,
    wire::{Beat, EventMessage, House, Tally},
};

/// What the daemon says of itself, by topic.
pub(super) struct Info(BTreeMap<&'static str, Value>);

impl Info {
    /// Everything that does not change while it runs.
    #[must_use]
    pub(super) fn of(settings: &Settings) -> Self {
        let version = json!({ "name": "reflexd", "version": env!("CARGO_PKG_VERSION") });
        Self(BTreeMap::from([("version", version), ("config", json!(settings))]))
    }
}

/// The daemon's side of the wire. Clones are one.
#[derive(Clone)]
pub struct Reception {
    desk: Desk,
    clock: Clock,
    tidings: mpsc::Sender<Tidings>,
    info: Arc<Info>,
    refused: Arc<AtomicU64>,
    instructions: RouterDesk,
    recorder: Recorder,
    /// What repeats is told less and less.
    repeats: Arc<Mutex<Tally>>,
}

impl Reception {
    pub(super) fn new(
        desk: Desk,
        clock: Clock,
        tidings: mpsc::Sender<Tidings>,
        (info, instructions, recorder): (Info, RouterDesk, Recorder),
    ) -> Self {
        let refused = desk.refused_messages();
        let repeats = Arc::default();
        let info = Arc::new(info);
        Self { desk, clock, tidings, info, refused, instructions, recorder, repeats }
    }

    /// Where things are, as the daemon's own simulator tells.
    #[cfg(feature = "mujoco")]
    pub(super) fn see(&self, things: Vec<Thing>) {
        self.instructions.see(things);
    }

    /// Who writes down what happens.
    #[cfg(feature = "mujoco")]
    pub(super) const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// One more of what repeats: how many there were, if that is to be told.
    fn repeated(&self, what: &str) -> Option<u64> {
        let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        repeats.one_more(what, monotonic_now().0)
    }

    /// A line of the audit trail, for the log and for whoever listens.
    fn note(&self, kind: &'static str, who: &str, key: &str, what: String, reason: Option<String>) {
        let outcome = if reason.is_none() { "accepted" } else { "refused" };
        match &reason {
            // A jog is said again several times a second: its run is news, that it goes on is not.
            None if key == "cmd/jog" => tracing::debug!(who, key, outcome, "{what}"),
            None => tracing::info!(who, key, outcome, "{what}"),
            Some(reason) => tracing::warn!(who, key, outcome, reason, "{what}"),
        }
        let event = EventMessage {
            who: who.to_owned(),
            key: key.to_owned(),
            what,
            outcome: outcome.to_owned(),
            reason,
            at_ns: self.clock.now().0,
        };
        // The trail is in the log already; a full queue has been counted by whoever filled it.
        let _ = self.tidings.try_send(Tidings::Event(kind, event));
    }
}

/// What is told of something that repeats.
fn so_far(what: &str, count: u64) -> String {
    if count > 1 { format!("{what} ({count} in a row)") } else { what.to_owned() }
}

impl House for Reception {
    async fn command(&self, command: Command, who: &str) -> Answer {
        let what = words::command(&command);
        let (kind, key) = match &command {
            Command::Lease(_) => ("lease", "lease".to_owned()),
            command => ("command", format!("cmd/{}", command.name())),
        };
        let answer = self.desk.command(command.clone(), who).await;
        self.recorder.commanded(&command, who, &answer);
        let news = answer.changed.first().filter(|_| kind == "lease");
        let what = news.map_or_else(|| what.clone(), |news| format!("{what}: {news}"));
        self.note(kind, who, &key, what, answer.reason.clone());
        answer
    }

    fn estop(&self, who: &str) -> Answer {
        let answer = self.desk.estop(who);
        // Each counts; a flood of them is not told line by line.
        if let Some(count) = self.repeated(&format!("estop {who}")) {
            self.note("stop", who, "cmd/estop", so_far("e-stop", count), None);
        }
        answer
    }

    fn heartbeat(&self, who: &str, beat: Beat) -> bool {
        self.desk.heartbeat(who, beat.lease_id, beat.seq)
    }

    async fn decide(&self, decision: Decision, who: &str) -> Verdict {
        let what = format!("{} {}", decision.skill, decision.decision_id);
        let claimed =
            decision.instruction_id.as_deref().map_or(Ok(()), |id| self.instructions.claim(id));
        let verdict = match claimed {
            Err(reason) => Verdict::Refused { reason },
            Ok(()) => {
                let verdict = self.desk.decide(decision.clone()).await;
                if let Some(id) = &decision.instruction_id {
                    self.instructions.decided(id, &decision, &verdict);
                }
                verdict
            }
        };
        self.recorder.decided(&decision, who, &verdict);
        let reason = match &verdict {
            Verdict::Accepted { .. } => None,
            Verdict::Refused { reason } => Some(reason.clone()),
        };
        self.note("decision", who, "decision", what, reason);
        verdict
    }

    async fn hear(&self, said: Instruction, who: &str) -> Heard {
        let what = said.text.clone();
        let heard = self.instructions.hear(said, who).await;
        self.note("instruction", who, "instruction", what, heard.reason.clone());
        heard
    }

    fn embedded(&self, embedded: Embedded) {
        self.instructions.embedded(embedded);
    }

    fn told_of(&self, things: Vec<Thing>, who: &str) {
        self.instructions.told_of(things, who);
    }

    fn router_alive(&self, is_alive: bool) {
        self.instructions.router_alive(is_alive);
    }

    fn present(&self) -> Option<Arc<Present>> {
        self.desk.present()
    }

    fn info(&self, what: &str) -> Option<Value> {
        match what {
            "manifest" => Some(report::manifests(&self.desk.registry())),
            "registry" => Some(report::registry(&self.desk.registry())),
            what => self.info.0.get(what).cloned(),
        }
    }

    async fn consider(&self, question: Question) -> Result<Value, String> {
        let ways = self.desk.consider(&question)?;
        serde_json::to_value(ways).map_err(|error| error.to_string())
    }

    fn refused_message(&self, who: &str, key: &str, reason: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if let Some(count) = self.repeated(&format!("{key} {who}")) {
            let reason = Some(so_far(reason, count));
            self.note("refused", who, key, "message".into(), reason);
        }
    }

    fn crowded_out(&self, key: &'static str, who: impl Fn() -> String) -> bool {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let Some(count) = self.repeated(key) else { return false };
        let reason = so_far("too many messages on this key: not read", count);
        self.note("refused", &who(), key, "message".into(), Some(reason));
        true
    }
}
