//! The thread that decides: the waiting instruction, its embedding, the head, what is served.

use std::sync::{PoisonError, atomic::Ordering};

use reflex::{clock::monotonic_now, trouble::Trouble};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{LOOK_EVERY, RouterDesk, State, TELL_EVERY_NS, fate, ms_since};
use crate::{
    config::RouterPlace,
    decision::Decision,
    encoder::{Encoder, Look, Words},
    operator::Present,
    router::{Embedded, Entry, Fate, Instruction, RouterHead, Thing, View, decide},
    telemetry::Tidings,
};

/// The thread that decides.
pub(super) struct Thread {
    room: RouterDesk,
    head: Option<RouterHead>,
    runtime: Handle,
    told_ns: u64,
}

impl Thread {
    pub(super) const fn new(room: RouterDesk, head: Option<RouterHead>, runtime: Handle) -> Self {
        Self { room, head, runtime, told_ns: 0 }
    }

    /// For as long as the process lives: it holds nothing that has to be put away.
    pub(super) fn run(mut self) {
        reflex::realtime::yield_to_others();
        loop {
            let (encode, embedded) = self.wait();
            if self.room.inner.desk.suffers(Trouble::RouterFreeze) {
                // What came is lost; the instruction waits until its time is up.
            } else if let Some(embedded) = embedded {
                self.decide(&embedded);
            } else if encode {
                self.encode();
            }
            self.give_up();
            self.tell();
        }
    }

    fn wait(&self) -> (bool, Option<Embedded>) {
        let inner = &self.room.inner;
        let state = self.room.state();
        let idle = |state: &mut State| !state.encode && state.embedded.is_none();
        let waited = inner.bell.wait_timeout_while(state, LOOK_EVERY, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        (std::mem::take(&mut state.encode), state.embedded.take())
    }

    /// The waiting instruction, by the encoder that is built in.
    fn encode(&mut self) {
        let waiting = {
            let state = self.room.state();
            state.ledger.newest().filter(|entry| entry.fate == Fate::Waiting).cloned()
        };
        let Some(entry) = waiting else { return };
        let began_ns = monotonic_now().0;
        let encoded = Words.embed(&Look { instruction: &entry.said.text, image: None });
        let latency_ms = ms_since(began_ns, monotonic_now().0);
        match encoded {
            Err(error) => {
                let reason = error.to_string();
                self.room.settle(&entry.said.id, Fate::Refused { reason }, Value::Null);
            }
            Ok(embedding) => {
                let identity = Words.identity();
                let embedded = Embedded {
                    embedding,
                    at_ns: entry.at_ns,
                    instruction_id: entry.said.id.clone(),
                    encoder: identity.name.clone(),
                    fingerprint: identity.fingerprint.clone(),
                    latency_ms,
                };
                self.room.state().tally.embedding("own");
                self.room.show(&embedded);
                let shown = Tidings::Embedded(Box::new(embedded.clone()), entry.said.text.clone());
                let _ = self.room.inner.tidings.try_send(shown);
                self.decide(&embedded);
            }
        }
    }

    /// Decides about the instruction that an embedding is of.
    fn decide(&mut self, embedded: &Embedded) {
        let Some(head) = &mut self.head else {
            // Where the router's process decides, an embedding is for others.
            return;
        };
        let id = &embedded.instruction_id;
        let now_ns = self.room.now_ns();
        let claimed = self.room.present().and_then(|present| {
            let mut state = self.room.state();
            state.tally.encoded(embedded.latency_ms);
            let entry = state.ledger.claim(id, present.tick.epoch, now_ns)?;
            Ok((present, entry))
        });
        let (present, entry) = match claimed {
            Ok(claimed) => claimed,
            Err(reason) => {
                self.room.note("router", "router", "embedding", id, ("refused", Some(&reason)));
                return;
            }
        };
        let (decision, told) = self.room.work_out(head, embedded, &entry, &present);
        let fate = match decision {
            Err(reason) => Fate::Refused { reason },
            Ok(decision) => fate(&self.runtime.block_on(self.room.inner.desk.decide(decision))),
        };
        self.room.settle(id, fate, told);
    }

    fn give_up(&self) {
        let Ok(present) = self.room.present() else { return };
        let now_ns = self.room.now_ns();
        let waited_for = match self.room.inner.settings.as_ref().map(|settings| settings.place) {
            Some(RouterPlace::Process) => "decision of the router's process",
            _ => "embedding from the router's process",
        };
        let mut state = self.room.state();
        let Some(entry) = state.ledger.give_up(present.tick.epoch, now_ns, waited_for) else {
            return;
        };
        state.tally.fate(&entry.fate);
        state.encode = false;
        state.embedded = None;
        drop(state);
        self.room.tell_end(Some(&entry));
    }

    fn tell(&mut self) {
        let now_ns = monotonic_now().0;
        if now_ns.saturating_sub(self.told_ns) < TELL_EVERY_NS {
            return;
        }
        self.told_ns = now_ns;
        self.room.tell_newest();
        let inner = &self.room.inner;
        let Some(settings) = &inner.settings else { return };
        let mut told = self.room.state().tally.tell();
        let manifest = self.head.as_ref().map(RouterHead::manifest);
        told["head"] = json!(manifest.map(|manifest| &manifest.name));
        told["encoder"] = json!(manifest.map(|manifest| &manifest.encoder));
        told["where"] = json!(settings.place);
        told["router_alive"] = json!(inner.alive.load(Ordering::Acquire));
        let _ = inner.tidings.try_send(Tidings::Router(told));
    }
}

impl RouterDesk {
    /// From an embedding to a decision; or why nothing comes of it. Also what was decided, for whoever wants to know.
    fn work_out(
        &self,
        head: &mut RouterHead,
        embedded: &Embedded,
        entry: &Entry,
        present: &Present,
    ) -> (Result<Decision, String>, Value) {
        if let Err(reason) = head.fits(&embedded.encoder, &embedded.fingerprint) {
            self.state().tally.embedding("of_another_encoder");
            return (Err(reason), Value::Null);
        }
        let things = self.things(&entry.said);
        let tick = &present.tick;
        let view = View {
            position: &tick.state.position,
            velocity: &tick.state.velocity,
            commanded: &tick.applied,
        };
        let least = self.inner.settings.as_ref().map_or(0.0, |settings| settings.confidence_min);
        let registry = self.inner.desk.registry();
        let bounds = |name: &str| Some(registry.skill(name)?.1.entry.bounds);
        let began_ns = monotonic_now().0;
        let decided = decide(head, (&entry.said, embedded), (view, &things), least, bounds);
        let took_ms = ms_since(began_ns, monotonic_now().0);
        let decided = match decided {
            Err(reason) => return (Err(reason), Value::Null),
            Ok(decided) => decided,
        };
        let tally = &mut self.state().tally;
        tally.headed(took_ms);
        tally.strange(&decided.answer.out_of_distribution);
        if let Some(served) = &decided.served {
            tally.served(served);
        }
        let told = decided.tell();
        let decision = decided.decision.map_err(|kept| {
            tally.stabiliser(kept.rule);
            kept.reason
        });
        (decision, told)
    }

    /// What is known to lie about: as the instruction says, or else as it was told of last, if that is not too long ago.
    fn things(&self, said: &Instruction) -> Vec<Thing> {
        if !said.things.is_empty() {
            return said.things.clone();
        }
        let age_max_ms = self.inner.settings.as_ref().map_or(0, |it| it.objects_age_max_ms);
        let now_ns = self.now_ns();
        let state = self.state();
        let is_fresh = now_ns.saturating_sub(state.things_ns) / 1_000_000 <= age_max_ms;
        if is_fresh { state.things.clone() } else { Vec::new() }
    }
}
