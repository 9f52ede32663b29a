//! Who answers at the door: passes commands to the desk, and keeps the audit trail.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use reflex::{Clock, trouble::Trouble};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::router::RouterDesk;
use crate::{
    config::Settings,
    decision::{Decision, Verdict},
    operator::{Answer, Command, Desk, Heard, Present, Question, words},
    router::{Embedded, Instruction, Thing},
    skill::registry::report,
    telemetry::Tidings,
    wire::{Beat, EventMessage, House},
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
}

impl Reception {
    pub(super) fn new(
        desk: Desk,
        clock: Clock,
        tidings: mpsc::Sender<Tidings>,
        (info, instructions): (Info, RouterDesk),
    ) -> Self {
        let refused = desk.refused_messages();
        Self { desk, clock, tidings, info: Arc::new(info), refused, instructions }
    }

    /// Where things are, as the daemon's own simulator tells.
    #[cfg(feature = "mujoco")]
    pub(super) fn see(&self, things: Vec<Thing>) {
        self.instructions.see(things);
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

impl House for Reception {
    async fn command(&self, command: Command, who: &str) -> Answer {
        let what = words::command(&command);
        let (kind, key) = match &command {
            Command::Lease(_) => ("lease", "lease".to_owned()),
            command => ("command", format!("cmd/{}", command.name())),
        };
        let answer = self.desk.command(command, who).await;
        let news = answer.changed.first().filter(|_| kind == "lease");
        let what = news.map_or_else(|| what.clone(), |news| format!("{what}: {news}"));
        self.note(kind, who, &key, what, answer.reason.clone());
        answer
    }

    fn estop(&self, who: &str) -> Answer {
        let answer = self.desk.estop(who);
        self.note("stop", who, "cmd/estop", "e-stop".into(), None);
        answer
    }

    fn heartbeat(&self, who: &str, beat: Beat) -> bool {
        self.desk.heartbeat(who, beat.lease_id, beat.seq)
    }

    async fn decide(&self, decision: Decision, who: &str) -> Verdict {
        let what = format!("{} {}", decision.skill, decision.decision_id);
        if self.desk.suffers(Trouble::RouterFreeze) {
            let reason = "lost: router-freeze is injected".to_owned();
            self.note("decision", who, "decision", what, Some(reason.clone()));
            return Verdict::Refused { reason };
        }
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
        if self.desk.suffers(Trouble::RouterFreeze) {
            return;
        }
        self.instructions.embedded(embedded);
    }

    fn told_of(&self, things: Vec<Thing>, who: &str) {
        self.instructions.told_of(things, who);
    }

    fn router_alive(&self, is_alive: bool) {
        self.instructions.router_alive(is_alive);
    }

    fn serves(&self, key: &str) -> bool {
        key != "cmd/inject" || self.desk.injection().is_some()
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
        self.note("refused", who, key, "message".into(), Some(reason.to_owned()));
    }
}
