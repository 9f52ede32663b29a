//! The one desk at which commands and decisions are taken, and where their answers come back from the loop.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use motion::{
    Epoch, Joints, Mode, Nanos, Order, OrderId, Pair, Refusal, Run, RunId, StopSource, What,
};
use reflex::{Clock, Commander, StopSwitch};
use tokio::sync::{oneshot, watch};

use super::{
    Answer, BackendErrand, Command, Errand, JointNames, Odd, Present, RecordErrand, Running,
    lease::Book, motions::Jogging, told::Said, words,
};
use crate::{
    config::AuthoritySettings,
    decision::{self, Clerk, Decision, Verdict},
    observation::{Params, embedding::Embeddings},
    planning::Planner,
    skill::{Assignment, Skill, registry::Registry},
};

/// An order that no tick has settled after so long was never heard: the loop is stuck.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// A run that an operator asked for is begun within this, or not at all.
const BEGIN_WITHIN_NS: u64 = 2_000_000_000;

/// Names of those who pulled an e-stop that are remembered.
const STOPPERS_MAX: usize = 256;

/// What a desk is made of.
pub struct DeskParts {
    /// What is known of the robot when motions are planned.
    pub planner: Arc<Planner>,
    /// Where `home` goes.
    pub home: Joints,
    /// The skills that decisions may choose.
    pub registry: Arc<Registry>,
    /// The loop's clock.
    pub clock: Clock,
    /// The way down to the loop.
    pub commander: Commander,
    /// The way that does not queue.
    pub switch: StopSwitch,
    /// The way to the thinker.
    pub assignments: mpsc::Sender<Assignment>,
    /// The way to whoever keeps the registry.
    pub errands: mpsc::Sender<Errand>,
    /// The way to whoever keeps the backends.
    pub backends: mpsc::Sender<BackendErrand>,
    /// The way to the recorder.
    pub recorder: mpsc::Sender<RecordErrand>,
    /// The newest tick.
    pub present: watch::Receiver<Option<Arc<Present>>>,
    /// Who may command.
    pub authority: AuthoritySettings,
}

/// What a tick made of an order.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    /// Whether it was carried out.
    pub outcome: Result<(), Refusal>,
    /// The tick.
    pub seq: u64,
    /// The mode at its end.
    pub mode: Mode,
}

/// Takes commands and decisions. Clones share one desk.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    planner: Arc<Planner>,
    home: Joints,
    registry: Mutex<Arc<Registry>>,
    clock: Clock,
    switch: StopSwitch,
    present: watch::Receiver<Option<Arc<Present>>>,
    commander: Mutex<Commander>,
    assignments: Mutex<mpsc::Sender<Assignment>>,
    errands: Mutex<mpsc::Sender<Errand>>,
    backends: Mutex<mpsc::Sender<BackendErrand>>,
    recorder: Mutex<mpsc::Sender<RecordErrand>>,
    clerk: Mutex<Clerk>,
    pending: Mutex<BTreeMap<OrderId, oneshot::Sender<Settled>>>,
    runs: Mutex<BTreeMap<RunId, Running>>,
    stoppers: Mutex<Vec<String>>,
    refused_messages: Arc<AtomicU64>,
    odd_asks: AtomicU64,
    ids: AtomicU64,
    jogging: Mutex<Option<Jogging>>,
    /// Whether the end has begun.
    closed: AtomicBool,
    /// When the robot was last stopped, by the loop's clock.
    stopped_ns: AtomicU64,
    book: Mutex<Book>,
    /// When a heartbeat last crossed the seam.
    beaten_ns: AtomicU64,
    embeddings: Embeddings,
    /// The skill, the id and the words of the last run whose head sees an embedding.
    said: Mutex<Option<(String, String, String)>>,
}

/// A panic elsewhere must not make the e-stop panic too.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// Opens the desk.
    #[must_use]
    pub fn new(parts: DeskParts) -> Self {
        Self {
            inner: Arc::new(Inner {
                planner: parts.planner,
                jogging: Mutex::default(),
                home: parts.home,
                registry: Mutex::new(parts.registry),
                clock: parts.clock,
                switch: parts.switch,
                present: parts.present,
                commander: Mutex::new(parts.commander),
                assignments: Mutex::new(parts.assignments),
                errands: Mutex::new(parts.errands),
                backends: Mutex::new(parts.backends),
                recorder: Mutex::new(parts.recorder),
                clerk: Mutex::default(),
                pending: Mutex::default(),
                runs: Mutex::default(),
                stoppers: Mutex::default(),
                refused_messages: Arc::default(),
                odd_asks: AtomicU64::default(),
                ids: AtomicU64::new(1),
                closed: AtomicBool::new(false),
                stopped_ns: AtomicU64::new(0),
                book: Mutex::new(Book::new(parts.authority)),
                beaten_ns: AtomicU64::new(0),
                embeddings: Embeddings::default(),
                said: Mutex::default(),
            }),
        }
    }

    /// The newest tick, if there was one.
    #[must_use]
    pub fn present(&self) -> Option<Arc<Present>> {
        self.inner.present.borrow().clone()
    }

    /// The newest tick, to be waited for.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Arc<Present>>> {
        self.inner.present.clone()
    }

    /// Names of the joints, in joint order.
    #[must_use]
    pub fn joints(&self) -> &JointNames {
        self.inner.planner.names()
    }

    /// What two that came too near are called.
    #[must_use]
    pub fn touching(&self, pair: &Pair) -> Option<String> {
        self.inner.planner.touching(pair)
    }

    pub(super) fn planner(&self) -> &Arc<Planner> {
        &self.inner.planner
    }

    pub(super) fn shelf(&self) -> &Mutex<Arc<Registry>> {
        &self.inner.registry
    }

    pub(super) fn errands(&self) -> &Mutex<mpsc::Sender<Errand>> {
        &self.inner.errands
    }

    pub(super) fn backends(&self) -> &Mutex<mpsc::Sender<BackendErrand>> {
        &self.inner.backends
    }

    pub(super) fn recorder(&self) -> &Mutex<mpsc::Sender<RecordErrand>> {
        &self.inner.recorder
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(super) fn shown(&self) -> &Embeddings {
        &self.inner.embeddings
    }

    pub(super) fn last_said(&self) -> &Mutex<Option<(String, String, String)>> {
        &self.inner.said
    }

    pub(super) fn book(&self) -> &Mutex<Book> {
        &self.inner.book
    }

    pub(super) fn beaten_ns(&self) -> &AtomicU64 {
        &self.inner.beaten_ns
    }

    pub(super) fn commander(&self) -> &Mutex<Commander> {
        &self.inner.commander
    }

    pub(super) fn jogging(&self) -> &Mutex<Option<Jogging>> {
        &self.inner.jogging
    }

    /// How many messages were not understood.
    #[must_use]
    pub fn refused_messages(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.inner.refused_messages)
    }

    /// Takes in that a run's observation was out of distribution: so many numbers, of which the first is called so, if that
    /// is news.
    pub fn saw_odd(&self, run: RunId, numbers: u32, input: Option<&str>) {
        self.inner.odd_asks.fetch_add(1, Ordering::Relaxed);
        let mut runs = lock(&self.inner.runs);
        let Some(running) = runs.get_mut(&run) else { return };
        running.odd.asks += 1;
        running.odd.numbers = numbers;
        if let Some(input) = input {
            running.odd.input = Some(input.to_owned());
        }
    }

    /// How many asks were out of distribution, of all runs.
    #[must_use]
    pub fn odd_asks(&self) -> u64 {
        self.inner.odd_asks.load(Ordering::Relaxed)
    }

    /// Raises the stop flag. Waits for nothing: not for a tick, not for another command.
    pub fn estop(&self, who: &str) -> Answer {
        let source = {
            let mut stoppers = lock(&self.inner.stoppers);
            let known = stoppers.iter().position(|name| name == who).unwrap_or_else(|| {
                // Strangers may stop the robot, and must not fill its memory: the last slot is everybody else's.
                stoppers.truncate(STOPPERS_MAX - 1);
                stoppers.push(who.to_owned());
                stoppers.len() - 1
            });
            StopSource(u32::try_from(known + 1).unwrap_or(u32::MAX))
        };
        self.inner.switch.raise(source);
        let state_seq = self.present().map_or(0, |present| present.tick.tick.0 + 1);
        Answer { accepted: true, reason: None, changed: Vec::new(), lease: None, state_seq }
    }

    /// The end has begun: from now on nothing is carried out but what stops the robot.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
    }

    /// The robot was stopped: what observed an earlier moment decides nothing any more.
    pub fn stopped(&self, at: Nanos) {
        self.inner.stopped_ns.fetch_max(at.0, Ordering::AcqRel);
    }

    /// When it was last stopped, by the loop's clock; zero if it never was.
    #[must_use]
    pub fn stopped_ns(&self) -> u64 {
        self.inner.stopped_ns.load(Ordering::Acquire)
    }

    /// Who pulled an e-stop.
    #[must_use]
    pub fn stopper(&self, source: StopSource) -> String {
        let stoppers = lock(&self.inner.stoppers);
        let known = (source.0 as usize).checked_sub(1).and_then(|index| stoppers.get(index));
        known.cloned().unwrap_or_else(|| "unknown".into())
    }

    /// Carries out a command and waits for the tick that settles it.
    pub async fn command(&self, command: Command, who: &str) -> Answer {
        if command.needs_lease()
            && let Err(reason) = self.admit(who)
        {
            return self.changed(Err(reason));
        }
        let settled = match command {
            Command::Arm => self.arm().await,
            Command::Disarm => self.order(What::Disarm).await,
            Command::Hold => self.order(What::Hold).await,
            Command::ClearFault => self.clear_fault().await,
            Command::Release => self.release().await,
            Command::Home { speed } => self.go(self.inner.home, speed, "home", who).await,
            Command::Goto { goal, speed } => self.go_to(&goal, speed, who).await,
            Command::Jog { jog, ttl_ms } => self.jog(jog, ttl_ms, who).await,
            Command::Skill { name, params } => self.run_skill(&name, params, who).await,
            Command::Registry(act) => return self.change_registry(act, who).await,
            Command::Backend(act) => return self.change_backend(act, who).await,
            Command::Record(act) => return self.record(act, who).await,
            Command::Lease(act) => return self.change_lease(act, who).await,
        };
        self.answer(settled)
    }

    /// Checks a decision, begins its skill, and says what became of it.
    pub async fn decide(&self, decision: Decision) -> Verdict {
        match self.begin_decision(&decision).await {
            Ok((run, superseded)) => Verdict::Accepted { run, superseded },
            Err(reason) => Verdict::Refused { reason },
        }
    }

    async fn begin_decision(&self, decision: &Decision) -> Result<(u64, Option<u64>), String> {
        let present =
            self.present().ok_or("the robot has not been seen yet: wait for its first state")?;
        let clock = decision::Present {
            now_ns: self.inner.clock.now().0,
            tick: present.tick.tick.0,
            period_ns: self.period_ns(),
            stopped_ns: self.stopped_ns(),
        };
        let observed_ns = lock(&self.inner.clerk).check(decision, clock)?;
        let id = decision.instruction_id.as_deref();
        let said = Said { id, text: decision.instruction.as_deref() };
        let chosen = self.skill(&decision.skill, decision.params, said)?;
        let superseded = present.run.as_ref().map(|running| running.run);
        let running = Running {
            run: self.id(),
            skill: chosen.name.clone(),
            params: decision.params,
            policy: Some(chosen.means.name.clone()),
            decision_id: Some(decision.decision_id.clone()),
            source: decision.source.clone(),
            odd: Odd::default(),
        };
        let expires = Nanos(observed_ns).after(decision.ttl_ms.saturating_mul(1_000_000));
        let run = running.run;
        let settled = self.begin(chosen.skill, running, expires).await?;
        settled.outcome.map_err(|refusal| self.words(refusal))?;
        lock(&self.inner.clerk).remember(decision, observed_ns);
        self.catch_up(&chosen.name, &chosen.means).await;
        Ok((run, superseded))
    }

    async fn run_skill(&self, name: &str, params: Params, who: &str) -> Result<Settled, String> {
        let chosen = self.skill(name, params, Said::default())?;
        let policy = Some(chosen.means.name.clone());
        let running = Running { policy, ..self.running_for(&chosen.name, params, who) };
        let settled = self.begin_now(chosen.skill, running).await?;
        if settled.outcome.is_ok() {
            self.catch_up(&chosen.name, &chosen.means).await;
        }
        Ok(settled)
    }

    pub(super) async fn begin_for(
        &self,
        skill: Box<dyn Skill>,
        name: &str,
        params: Params,
        who: &str,
    ) -> Result<Settled, String> {
        self.begin_now(skill, self.running_for(name, params, who)).await
    }

    /// A run of an operator's own, with a number of its own.
    pub(super) fn running_for(&self, name: &str, params: Params, who: &str) -> Running {
        let (skill, source) = (name.to_owned(), who.to_owned());
        let (run, odd) = (self.id(), Odd::default());
        Running { run, skill, params, policy: None, decision_id: None, source, odd }
    }

    pub(super) async fn begin_now(
        &self,
        skill: Box<dyn Skill>,
        running: Running,
    ) -> Result<Settled, String> {
        let expires = self.inner.clock.now().after(BEGIN_WITHIN_NS);
        self.begin(skill, running, expires).await
    }

    async fn begin(
        &self,
        skill: Box<dyn Skill>,
        running: Running,
        expires: Nanos,
    ) -> Result<Settled, String> {
        let run = Run { id: RunId(running.run), plan: skill.plan(), expires };
        self.assign(run.id, skill)?;
        lock(&self.inner.runs).insert(run.id, running);
        let settled = self.order(What::Begin(run)).await;
        if !settled.as_ref().is_ok_and(|settled| settled.outcome.is_ok()) {
            lock(&self.inner.runs).remove(&run.id);
        }
        settled
    }

    /// Hands a skill to the thinker: it must be there when the loop asks.
    pub(super) fn assign(&self, run: RunId, skill: Box<dyn Skill>) -> Result<(), String> {
        let sent = lock(&self.inner.assignments).send(Assignment { run, skill });
        sent.map_err(|_| "the skills' thread has ended: restart the daemon".to_owned())
    }

    /// A run of a skill that is known by another policy from now on; `false` if it is over.
    pub(super) fn rename_policy(&self, run: RunId, policy: &str) -> bool {
        let mut runs = lock(&self.inner.runs);
        let running = runs.get_mut(&run);
        running.map(|running| running.policy = Some(policy.to_owned())).is_some()
    }

    /// The flag is lowered first, and only if the law has taken it in: a stop that comes in between stays.
    async fn clear_fault(&self) -> Result<Settled, String> {
        if let Some(seen) = self.inner.switch.raised()
            && !self.inner.switch.lower(seen)
        {
            return Err("an e-stop was pulled this very moment: look before clearing it".into());
        }
        self.order(What::ClearFault).await
    }

    pub(super) async fn order(&self, what: What) -> Result<Settled, String> {
        let stops = matches!(what, What::Disarm | What::Hold);
        if !stops && self.inner.closed.load(Ordering::Acquire) {
            return Err("reflexd is coming to an end: nothing begins any more".into());
        }
        let id = OrderId(self.id());
        let epoch = self.present().map_or(Epoch(0), |present| present.tick.epoch);
        let (sender, receiver) = oneshot::channel();
        lock(&self.inner.pending).insert(id, sender);
        if !lock(&self.inner.commander).send(Order { id, epoch, what }) {
            lock(&self.inner.pending).remove(&id);
            return Err("too many orders are waiting: try again".into());
        }
        match tokio::time::timeout(PATIENCE, receiver).await {
            Ok(Ok(settled)) => Ok(settled),
            _ => {
                lock(&self.inner.pending).remove(&id);
                Err("the loop did not answer within 2 s: look at diag/timing".into())
            }
        }
    }

    /// Takes in what a tick made of an order.
    pub fn settle(&self, id: OrderId, settled: Settled) {
        if let Some(waiting) = lock(&self.inner.pending).remove(&id) {
            // Whoever asked may have gone.
            let _ = waiting.send(settled);
        }
    }

    /// What is known of a run.
    #[must_use]
    pub fn running(&self, run: RunId) -> Option<Running> {
        lock(&self.inner.runs).get(&run).cloned()
    }

    /// Forgets a run that has ended.
    pub fn forget(&self, run: RunId) -> Option<Running> {
        lock(&self.inner.runs).remove(&run)
    }

    fn answer(&self, settled: Result<Settled, String>) -> Answer {
        let seq = || self.present().map_or(0, |present| present.tick.tick.0);
        let (reason, state_seq) = match settled {
            Err(reason) => (Some(reason), seq()),
            Ok(Settled { outcome, seq, .. }) => {
                (outcome.err().map(|refusal| self.words(refusal)), seq)
            }
        };
        Answer { accepted: reason.is_none(), reason, changed: Vec::new(), lease: None, state_seq }
    }

    /// The answer to who asked for a change that is no matter of the loop's alone.
    pub(super) fn changed(&self, outcome: Result<Vec<String>, String>) -> Answer {
        let state_seq = self.present().map_or(0, |present| present.tick.tick.0);
        let (reason, changed) = match outcome {
            Ok(changed) => (None, changed),
            Err(reason) => (Some(reason), Vec::new()),
        };
        Answer { accepted: reason.is_none(), reason, changed, lease: None, state_seq }
    }

    /// Why an order was refused; where the robot itself is the reason, what it suffers from.
    pub(super) fn words(&self, refusal: Refusal) -> String {
        let words = words::refusal(refusal, self.joints());
        let of_the_robot = matches!(refusal, Refusal::StillFaulty | Refusal::Mode(Mode::Booting));
        match self.present().and_then(|present| present.tick.trouble) {
            Some(trouble) if of_the_robot => {
                format!("{words}: {}", words::fault(trouble, self.joints()))
            }
            _ => words,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.inner.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn period_ns(&self) -> u64 {
        (self.inner.planner.robot().period_s() * 1e9).round() as u64
    }
}
