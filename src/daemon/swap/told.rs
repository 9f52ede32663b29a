//! What the keeper of the backends tells: who acts, how far a shadow stands from it, and why something was refused.

use std::time::Instant;

use reflex::backend::{
    piper::Watch,
    swap::{Reference, Refusal},
};

use super::Backends;
use crate::{
    config::BackendKind,
    operator::backend,
    telemetry::Tidings,
    wire::{BackendMessage, EventMessage, ShadowMessage},
};

/// Since when it is as it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Since {
    /// The tick.
    pub(super) seq: u64,
    /// The loop's time.
    pub(super) at_ns: u64,
}

impl Backends {
    pub(super) fn tell(&mut self) {
        self.told = Instant::now();
        let Since { seq, at_ns } = self.now();
        let told = BackendMessage {
            seq,
            at_ns,
            active: self.kind(self.active).name(),
            shadow: self.shadow.map(|shadow| self.kind(shadow).name()),
            bus: self
                .members
                .get(&self.active.0)
                .and_then(|of| of.watch.as_ref())
                .map(Watch::traffic),
            since_seq: self.since.seq,
            since_at_ns: self.since.at_ns,
        };
        // A full queue is told of elsewhere; a second later it is told again.
        let _ = self.around.tidings.try_send(Tidings::Backend(told));
    }

    pub(super) fn tell_shadow(&mut self) {
        self.shadow_told = Instant::now();
        let Since { seq, at_ns } = self.now();
        let divergence = self.divergence.filter(|it| Some(it.shadow) == self.shadow);
        let told = ShadowMessage {
            seq,
            at_ns: divergence.map_or(at_ns, |divergence| divergence.at.0),
            active: self.kind(self.active).name(),
            shadow: self.shadow.map(|shadow| self.kind(shadow).name()),
            names: self.around.desk.joints().to_vec(),
            divergence,
        };
        let _ = self.around.tidings.try_send(Tidings::Shadow(Box::new(told)));
    }

    /// For the log and the audit trail.
    pub(super) fn note(&self, who: &str, what: String, outcome: &Result<Vec<String>, String>) {
        let (what, outcome, reason) = match outcome {
            Ok(changed) if changed.is_empty() => (what, "changed", None),
            Ok(changed) => (changed.join("; "), "changed", None),
            Err(why) => (what, "refused", Some(why.clone())),
        };
        match &reason {
            None => tracing::info!(who, outcome, "{what}"),
            Some(reason) => tracing::warn!(who, outcome, reason, "{what}"),
        }
        let event = EventMessage {
            who: who.to_owned(),
            what,
            outcome: outcome.to_owned(),
            reason,
            at_ns: self.around.clock.now().0,
            ..EventMessage::default()
        };
        let _ = self.around.tidings.try_send(Tidings::Event("backend", event));
    }

    pub(super) fn words(&self, why: Refusal, kind: BackendKind) -> String {
        let joints = self.around.desk.joints();
        let active = self.kind(self.active).name();
        let words = backend::Told { joints, active, other: kind.name() }.words(why);
        match why {
            Refusal::Apart { joint, from, .. } => {
                let joint = self.around.settings.robot_settings.joints.get(joint);
                let swap = &self.around.settings.robot_settings.swap;
                let key = joint.map_or("swap", |joint| swap.tolerance(joint).1);
                let remedy = match (from, kind.is_hardware()) {
                    (_, false) => "; set it to the present pose first (pose = \"present\")",
                    (Reference::Command, true) => "; go to where it stands first",
                    (Reference::Active, true) => "",
                };
                format!("{words} ({key}){remedy}")
            }
            _ => words,
        }
    }

    pub(super) fn now(&self) -> Since {
        let seq = self.around.desk.present().map_or(0, |present| present.tick.tick.0);
        Since { seq, at_ns: self.around.clock.now().0 }
    }
}
