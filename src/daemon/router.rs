//! Instructions: heard, embedded, decided about, and what came of them told. On a thread of its own, of low priority.
//!
//! ```text
//!   hear ──► ledger ──► (a router's process is there? wait : encode) ──► embedding ──► head ──► stabilise ──► desk
//!   embedding from outside ─────────────────────────────────────────────────┘
//! ```
//!
//! The robot never waits for any of it. Whatever a router does wrong ends its instruction, and the robot goes on with the
//! run that it is at, or holds.

mod thread;

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use motion::{Mode, Refusal};
use reflex::Clock;
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::mpsc};

use thread::Thread;

use super::{DaemonError, Joined, spawn, world::Spectacle};
use crate::{
    config::{RouterPlace, RouterSettings},
    decision::{Decision, Verdict},
    encoder::{Encoder, Words},
    observation::embedding::Embedding,
    operator::{Command, Desk, Heard, Present, words},
    router::{Embedded, Entry, Fate, Instruction, Ledger, RouterHead, Tally, Thing, command},
    telemetry::Tidings,
    wire::{EventMessage, instruction_told},
};

/// How often a thread that waits for something looks whether it was in vain.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often all is told again, for those who joined without asking.
const TELL_EVERY_NS: u64 = 1_000_000_000;
/// A camera's frame may be so much older than the instruction that it is looked at for.
const FRAME_AGE_MAX_NS: u64 = 2_000_000_000;

/// Where instructions arrive. Clones are one.
#[derive(Clone)]
pub(super) struct RouterDesk {
    inner: Arc<Inner>,
}

struct Inner {
    desk: Desk,
    clock: Clock,
    tidings: mpsc::Sender<Tidings>,
    settings: Option<RouterSettings>,
    /// The encoder that the daemon's own head was trained with.
    encoder: Option<String>,
    /// What the daemon's own simulator shows, while one acts.
    spectacle: Spectacle,
    alive: AtomicBool,
    ids: AtomicU64,
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    tally: Tally,
    /// What is known to lie about, and since when.
    things: Vec<Thing>,
    things_ns: u64,
    /// The newest embedding of the instruction that waits.
    embedded: Option<Embedded>,
    /// The newest moment that any embedding was about.
    newest_ns: u64,
    /// Whether the waiting instruction is to be encoded here.
    encode: bool,
    /// What was decided about the newest instruction.
    decided: Value,
}

impl RouterDesk {
    pub(super) fn new(
        desk: Desk,
        clock: Clock,
        tidings: mpsc::Sender<Tidings>,
        settings: Option<RouterSettings>,
        (head, spectacle): (Option<&RouterHead>, Spectacle),
    ) -> Self {
        let encoder = head.map(|head| head.manifest().encoder.name.clone());
        let inner = Inner {
            desk,
            clock,
            tidings,
            settings,
            encoder,
            spectacle,
            alive: AtomicBool::new(false),
            ids: AtomicU64::new(1),
            state: Mutex::default(),
            bell: Condvar::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ns(&self) -> u64 {
        self.inner.clock.now().0
    }

    /// Hears an instruction.
    pub(super) async fn hear(&self, mut said: Instruction, who: &str) -> Heard {
        if said.id.is_empty() {
            let number = self.inner.ids.fetch_add(1, Ordering::Relaxed);
            said.id = format!("say-{}-{number}", self.now_ns() / 1_000_000);
        }
        self.state().tally.instruction("heard");
        let id = Some(said.id.clone());
        match command::read(&said.text) {
            command::Word::Hold => self.hold(said, who).await,
            // Words that move the robot are commands like any other.
            word => match self.inner.desk.admit(who).and_then(|()| self.admit(said, word)) {
                Ok(next) => {
                    Heard { accepted: true, reason: None, instruction_id: id, next: Some(next) }
                }
                Err(reason) => {
                    self.state().tally.instruction("refused");
                    Heard::refused(reason, id)
                }
            },
        }
    }

    /// The robot is to stand still: at once, without any network.
    async fn hold(&self, said: Instruction, who: &str) -> Heard {
        let id = Some(said.id.clone());
        let answer = self.inner.desk.command(Command::Hold, who).await;
        if let Some(reason) = answer.reason {
            self.state().tally.instruction("refused");
            return Heard::refused(reason, id);
        }
        if let Ok(entry) = self.entry(said, Fate::Held) {
            let mut state = self.state();
            // An id that was heard before is no reason to move on.
            let before = state.ledger.hear(entry.clone()).unwrap_or_default();
            state.tally.instruction("held");
            state.decided = Value::Null;
            drop(state);
            self.tell_end(before.as_ref());
            self.tell_end(Some(&entry));
        }
        Heard { accepted: true, reason: None, instruction_id: id, next: Some("held") }
    }

    /// What is waited for; or why nothing will come of it.
    fn admit(&self, said: Instruction, word: command::Word) -> Result<&'static str, String> {
        let mode = self.present()?.tick.mode;
        if !matches!(mode, Mode::Holding | Mode::Moving { .. }) {
            return Err(words::refusal(Refusal::Mode(mode), self.inner.desk.joints()));
        }
        let Some(settings) = &self.inner.settings else {
            return Err(
                "this daemon has no router: give its configuration a [router] table with a head"
                    .into(),
            );
        };
        let by_words = self.inner.encoder.as_deref() == Some(Words.identity().name.as_str());
        if let command::Word::Unknown { reason } = word
            && by_words
        {
            return Err(reason);
        }
        let is_alive = self.inner.alive.load(Ordering::Acquire);
        let next = match settings.place {
            RouterPlace::Process if is_alive => "decision",
            RouterPlace::Process => {
                return Err("router.where = \"process\", and no router's process is there: start `reflexd-router run \
                            --decide`, or set it to \"daemon\""
                    .into());
            }
            RouterPlace::Daemon if is_alive => "embedding",
            RouterPlace::Daemon if by_words => "decision",
            RouterPlace::Daemon => return Err(self.no_encoder()),
        };
        let entry = self.entry(said, Fate::Waiting)?;
        let mut state = self.state();
        let before = state.ledger.hear(entry)?;
        if before.is_some() {
            state.tally.instruction("superseded");
        }
        state.embedded = None;
        state.decided = Value::Null;
        state.encode = settings.place == RouterPlace::Daemon && !is_alive;
        drop(state);
        self.tell_end(before.as_ref());
        self.tell_newest();
        self.inner.bell.notify_one();
        Ok(next)
    }

    fn no_encoder(&self) -> String {
        let encoder = self.inner.encoder.as_deref().unwrap_or("none");
        format!(
            "the router's head was trained with the encoder {encoder:?}, which is not built into the daemon, and no router's \
             process is there: start `reflexd-router run --encoder {encoder}`"
        )
    }

    fn entry(&self, said: Instruction, fate: Fate) -> Result<Entry, String> {
        let present = self.present()?;
        let at_ns = self.now_ns();
        let timeout_ms = self.inner.settings.as_ref().map_or(0, |settings| settings.timeout_ms);
        let patience_ms = timeout_ms.min(said.ttl_ms);
        Ok(Entry {
            said,
            at_ns,
            tick: present.tick.tick.0,
            epoch: present.tick.epoch,
            until_ns: at_ns.saturating_add(patience_ms.saturating_mul(1_000_000)),
            fate,
        })
    }

    fn present(&self) -> Result<Arc<Present>, String> {
        self.inner.desk.present().ok_or_else(|| "the robot has not been seen yet".into())
    }

    /// An embedding has come. Copies it where it is looked for, if it is of any use.
    pub(super) fn embedded(&self, embedded: Embedded) {
        let (now_ns, stopped_ns) = (self.now_ns(), self.inner.desk.stopped_ns());
        let mut state = self.state();
        let waits = state.ledger.newest().filter(|entry| entry.fate == Fate::Waiting);
        let is_for = waits.filter(|entry| entry.said.id == embedded.instruction_id);
        let runs = state.ledger.newest().filter(|entry| matches!(entry.fate, Fate::Began { .. }));
        let is_of_run = runs.is_some_and(|entry| entry.said.id == embedded.instruction_id);
        let why_not = if embedded.at_ns > now_ns {
            "from_the_future"
        } else if stopped_ns > 0 && embedded.at_ns <= stopped_ns {
            "before_the_last_stop"
        } else if embedded.at_ns < state.newest_ns {
            "out_of_order"
        } else if is_of_run {
            // Its head fuses what is seen while it goes on.
            state.tally.embedding("for_the_run");
            state.newest_ns = embedded.at_ns;
            self.show(&embedded);
            return;
        } else if is_for.is_none() {
            "not_waited_for"
        } else if is_for
            .is_some_and(|it| it.at_ns.saturating_sub(embedded.at_ns) > FRAME_AGE_MAX_NS)
        {
            "of_an_old_frame"
        } else {
            state.tally.embedding("taken");
            self.show(&embedded);
            state.newest_ns = embedded.at_ns;
            state.encode = false;
            state.embedded = Some(embedded);
            drop(state);
            self.inner.bell.notify_one();
            return;
        };
        if embedded.at_ns <= now_ns {
            state.newest_ns = state.newest_ns.max(embedded.at_ns);
        }
        let count = state.tally.embedding(why_not);
        drop(state);
        // Whoever floods does not fill the log: told at 1, 2, 4, 8, ...
        if count.is_power_of_two() {
            let reason = format!("{} ({count} such embeddings so far)", why_not.replace('_', " "));
            self.note(
                "router",
                "router",
                "embedding",
                &embedded.instruction_id,
                ("refused", Some(&reason)),
            );
        }
    }

    /// Puts an embedding where the policy of its instruction looks for it.
    fn show(&self, embedded: &Embedded) {
        let numbers = embedded.embedding.to_vec().into();
        let shown = Embedding { numbers, at_ns: embedded.at_ns };
        let Embedded { fingerprint, instruction_id, .. } = embedded;
        self.inner.desk.embeddings().put(fingerprint, instruction_id, shown);
    }

    /// Where things are, as a detector tells.
    pub(super) fn told_of(&self, things: Vec<Thing>, who: &str) {
        if self.inner.spectacle.is_something() {
            let count = self.state().tally.embedding("objects_of_a_stranger");
            if count.is_power_of_two() {
                let reason = "this robot is simulated: its simulator tells where things are";
                self.note("refused", who, "objects", "message", ("refused", Some(reason)));
            }
            return;
        }
        self.see(things);
    }

    /// Where things are.
    pub(super) fn see(&self, things: Vec<Thing>) {
        let now_ns = self.now_ns();
        let mut state = self.state();
        state.things = things;
        state.things_ns = now_ns;
    }

    /// A router's process has come or gone. One that goes is not waited for.
    pub(super) fn router_alive(&self, is_alive: bool) {
        if self.inner.alive.swap(is_alive, Ordering::AcqRel) == is_alive {
            return;
        }
        let outcome = if is_alive { "alive" } else { "gone" };
        self.note("router", "router", "router", "process", (outcome, None));
        if is_alive {
            return;
        }
        let Some(settings) = &self.inner.settings else { return };
        let mut state = self.state();
        let Some(entry) = state.ledger.newest().filter(|it| it.fate == Fate::Waiting).cloned()
        else {
            return;
        };
        let by_words = self.inner.encoder.as_deref() == Some(Words.identity().name.as_str());
        if settings.place == RouterPlace::Daemon && by_words {
            state.encode = true;
            drop(state);
            self.inner.bell.notify_one();
        } else {
            drop(state);
            let reason = "the router's process went away before it had answered".to_owned();
            self.settle(&entry.said.id, Fate::Refused { reason }, Value::Null);
        }
    }

    /// A decision from outside about an instruction: nobody else may decide about it.
    pub(super) fn claim(&self, id: &str) -> Result<(), String> {
        let epoch = self.present()?.tick.epoch;
        let now_ns = self.now_ns();
        self.state().ledger.claim(id, epoch, now_ns).map(drop)
    }

    /// What became of a decision from outside about an instruction.
    pub(super) fn decided(&self, id: &str, decision: &Decision, verdict: &Verdict) {
        let decided = json!({
            "decision_id": decision.decision_id,
            "skill": decision.skill,
            "neural_skill": decision.neural_skill,
            "confidence": decision.confidence,
            "source": decision.source,
        });
        self.settle(id, fate(verdict), decided);
    }

    fn settle(&self, id: &str, fate: Fate, decided: Value) {
        let mut state = self.state();
        let Some(entry) = state.ledger.settle(id, fate) else { return };
        state.decided = decided;
        state.embedded = None;
        state.encode = false;
        state.tally.fate(&entry.fate);
        state.tally.answered(ms_since(entry.at_ns, self.now_ns()));
        drop(state);
        self.tell_end(Some(&entry));
    }

    fn tell_end(&self, entry: Option<&Entry>) {
        let Some(entry) = entry else { return };
        let (outcome, reason) = entry.fate.words();
        let who = entry.said.operator.as_deref().unwrap_or("unknown");
        self.note("instruction", who, "instruction", &entry.said.text, (outcome, reason));
        self.tell_newest();
    }

    fn tell_newest(&self) {
        let told = {
            let state = self.state();
            state.ledger.newest().map(|entry| instruction_told(entry, &state.decided))
        };
        if let Some(told) = told {
            let _ = self.inner.tidings.try_send(Tidings::Instruction(told));
        }
    }

    fn note(
        &self,
        kind: &'static str,
        who: &str,
        key: &str,
        what: &str,
        (outcome, reason): (&str, Option<&str>),
    ) {
        match reason {
            None => tracing::info!(who, key, outcome, "{what}"),
            Some(reason) => tracing::warn!(who, key, outcome, reason, "{what}"),
        }
        let event = EventMessage {
            who: who.to_owned(),
            key: key.to_owned(),
            what: what.to_owned(),
            outcome: outcome.to_owned(),
            reason: reason.map(str::to_owned),
            at_ns: self.now_ns(),
        };
        // The trail is in the log already; a full queue has been counted by whoever filled it.
        let _ = self.inner.tidings.try_send(Tidings::Event(kind, event));
    }

    /// Starts the thread that decides; `head` where the daemon does it itself.
    pub(super) fn start(
        &self,
        head: Option<RouterHead>,
        runtime: Handle,
    ) -> Result<Joined<()>, DaemonError> {
        let thread = Thread::new(self.clone(), head, runtime);
        spawn("reflex-router", move || thread.run())
    }
}

fn fate(verdict: &Verdict) -> Fate {
    match verdict {
        Verdict::Accepted { run, .. } => Fate::Began { run: *run },
        Verdict::Refused { reason } => Fate::Refused { reason: reason.clone() },
    }
}

fn ms_since(then_ns: u64, now_ns: u64) -> f64 {
    now_ns.saturating_sub(then_ns) as f64 / 1e6
}
