//! The whole daemon in one process, on virtual time, turned by hand: the loop, the law, the desk, the thinker with real
//! heads, the herald, two backends that may change places, faults. Only zenoh is missing: messages come as the bytes that it
//! would bring, and go through the same readers.
//!
//! Everything happens on one thread but thinking, and the loop waits for that: what happens is a function of what is asked.

mod seen;

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, atomic::Ordering, mpsc},
    task::Poll,
    thread::JoinHandle,
    time::Duration,
};

use motion::{Controller, Joints, Robot};
use reflex::{
    Backend, Clock, Listener, Loop, StopSwitch,
    backend::{
        loopback::Loopback,
        swap::{BackendId, Exchange, Newcomer, Swap, Terms, Whither, Wish},
        troubled::Troubled,
    },
    ports,
    replay::Replay,
    tape::{self, Entry, Reel, TICK},
    trouble::{Trouble, Troubles},
};
use reflexd::{
    config::{AuthoritySettings, BackendKind, Settings},
    daemon,
    decision::Verdict,
    kinematics::Arms,
    operator::{
        Answer, BackendErrand, Desk, DeskParts, Errand, Injection, JointNames, Present,
        RecordErrand,
    },
    planning::Planner,
    skill::{
        Mischief,
        registry::{Bounds, Registry},
        think_spoiled,
    },
    telemetry::{Herald, Tidings},
    wire,
};
use tokio::{runtime::Runtime, sync::mpsc as channel, sync::watch};

pub(crate) use seen::{Ink, Seen, Witness, Written};

use crate::{allocation, rig::here};

/// A question that was not answered within so many ticks was forgotten by whoever asked: 2 s at 20 Hz.
const PATIENCE_TICKS: u64 = 40;
/// Tidings that may wait; nobody tells them.
const TIDINGS: usize = 1024;

/// What the robot is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Loopback,
    #[cfg(feature = "mujoco")]
    Mujoco,
}

/// What many daemons have in common: loaded and proved once.
pub(crate) struct Stock {
    pub(crate) robot: Robot,
    pub(crate) names: JointNames,
    pub(crate) home: Joints,
    authority: AuthoritySettings,
    planner: Arc<Planner>,
    registry: Arc<Registry>,
    #[cfg(feature = "mujoco")]
    scene: reflex::backend::mujoco::Scene,
}

impl Stock {
    /// Of a shipped configuration, but for who may command.
    pub(crate) fn load(config: &str, authority: AuthoritySettings) -> Self {
        let settings = Settings::load(&here(config)).expect("a shipped configuration");
        let period_s = f64::from(settings.daemon.loop_.period_ms) / 1e3;
        let about = &settings.robot_settings;
        let arms = Arms::load(about).expect("a shipped robot");
        let (robot, guard) = daemon::guarded(about, period_s).expect("a shipped robot");
        let robot = authority.over(robot);
        let registry = Arc::new(daemon::registry(&settings, period_s).expect("shipped heads"));
        let names = about.joint_names();
        Self {
            planner: Arc::new(Planner::new(robot, names.clone(), arms, guard)),
            home: about.home().expect("a shipped robot"),
            #[cfg(feature = "mujoco")]
            scene: daemon::scene(about).expect("a shipped scene"),
            names,
            robot,
            authority,
            registry,
        }
    }

    /// The skills that it has.
    pub(crate) fn skills(&self) -> Vec<String> {
        self.registry.names().map(str::to_owned).collect()
    }

    /// What the parameters of a skill may be.
    pub(crate) fn bounds(&self, skill: &str) -> Bounds {
        self.registry.skill(skill).expect("one of its own").1.entry.bounds
    }

    /// A robot that stands at `pose`, behind faults.
    fn backend(
        &self,
        made: Made,
        pose: &Joints,
        troubles: &Troubles,
        seed: u64,
    ) -> Box<dyn Backend> {
        let (joints, troubles) = (self.robot.joints(), troubles.clone());
        match made {
            Made::Loopback => {
                let robot = Loopback::new(*pose, self.robot.period_s());
                Box::new(Troubled::new(robot, joints, troubles, seed))
            }
            #[cfg(feature = "mujoco")]
            Made::Mujoco => {
                let (mut world, _) = reflex::backend::mujoco::Mujoco::new(&self.scene);
                world.pose(pose);
                Box::new(Troubled::new(world, joints, troubles, seed))
            }
        }
    }
}

/// Something that was asked and is not answered yet.
struct Asked {
    since: u64,
    who: String,
    what: String,
    answer: Pin<Box<dyn Future<Output = Answer>>>,
}

/// A daemon.
pub(crate) struct Bottle<'a> {
    pub(crate) stock: &'a Stock,
    pub(crate) clock: Clock,
    pub(crate) desk: Desk,
    pub(crate) troubles: Troubles,
    pub(crate) switch: StopSwitch,
    /// While it is so, nobody takes the loop's reports.
    pub(crate) herald_sleeps: bool,
    /// What was answered, and to what, since somebody last looked.
    pub(crate) answers: Vec<(String, Answer)>,
    /// Who was given the lease last, and which.
    pub(crate) lease: Option<(String, u64)>,
    beats: u64,
    /// Of everything that went over the tape.
    pub(crate) digest: Digest,
    /// The law once more, from the tape alone.
    pub(crate) replay: Replay,
    /// Whether what is written down is not what happened.
    pub(crate) spoils_the_tape: bool,
    turns: Loop,
    ink: Ink,
    reel: Reel,
    words: Vec<u64>,
    herald: Herald,
    listener: Listener,
    exchange: Exchange,
    swapped: u32,
    seed: u64,
    runtime: Runtime,
    asked: Vec<Asked>,
    ticks: u64,
    thinking: Option<JoinHandle<()>>,
    tidings: channel::Receiver<Tidings>,
    _errands: (mpsc::Receiver<Errand>, mpsc::Receiver<BackendErrand>, mpsc::Receiver<RecordErrand>),
}

impl<'a> Bottle<'a> {
    /// A daemon whose first tick is due. What is drawn in it depends on the seed.
    pub(crate) fn start(stock: &'a Stock, made: Made, seed: u64) -> Self {
        let injection = Arc::new(Injection::new(BackendKind::Loopback));
        let (clock, troubles) = (Clock::lockstep(), injection.troubles().clone());
        let (ports, commander, thinker, listener, switch) = ports();
        let backend = stock.backend(made, &stock.home, &troubles, seed);
        let mut still = Joints::zeros(stock.robot.joints());
        still.fill(0.005);
        let first = Newcomer { id: BackendId(0), backend };
        let (swap, exchange) = Swap::new(first, still, switch.clone());
        let ink = Ink::default();
        let witness = Witness { backend: swap, ink: ink.clone() };
        let (tape, reel) = tape::tape();
        let law = Controller::new(stock.robot);
        let mut replay = Replay::default();
        replay.take(&tape::robot_entry(&stock.robot)).expect("a robot");
        let turns = Loop::new(clock.clone(), Box::new(witness), law, ports)
            .recorded(tape)
            .troubled(troubles.clone());
        let (assign, assignments) = mpsc::channel();
        let (errand, errands) = mpsc::channel();
        let (swap, swaps) = mpsc::channel();
        let (record, records) = mpsc::channel();
        let (tell_present, present) = watch::channel(None);
        let (tell, tidings) = channel::channel(TIDINGS);
        let desk = Desk::new(DeskParts {
            planner: Arc::clone(&stock.planner),
            home: stock.home,
            registry: Arc::clone(&stock.registry),
            clock: clock.clone(),
            commander,
            switch: switch.clone(),
            assignments: assign,
            errands: errand,
            backends: swap,
            recorder: record,
            injection: Some(injection),
            authority: stock.authority.clone(),
            present,
        });
        let mischief = Mischief::new(troubles.clone(), clock.clone(), seed);
        let thinking = std::thread::spawn(move || {
            think_spoiled(thinker, &assignments, Some(mischief), |_| {});
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Self {
            stock,
            herald: Herald::new(desk.clone(), tell_present, tell),
            clock,
            desk,
            troubles,
            switch,
            herald_sleeps: false,
            answers: Vec::new(),
            lease: None,
            beats: 0,
            digest: Digest::EMPTY,
            replay,
            spoils_the_tape: false,
            turns,
            ink,
            reel,
            words: Vec::new(),
            listener,
            exchange,
            swapped: 0,
            seed,
            runtime: runtime.expect("a runtime"),
            asked: Vec::new(),
            ticks: 0,
            thinking: Some(thinking),
            tidings,
            _errands: (errands, swaps, records),
        }
    }

    /// A message as it would come over the wire; what it leads to goes on until it is answered. Refused at once: why.
    pub(crate) fn send(&mut self, key: &str, payload: &[u8], who: &str) -> Result<(), String> {
        let (desk, name) = (self.desk.clone(), who.to_owned());
        let answer: Pin<Box<dyn Future<Output = Answer>>> = match key {
            "cmd/estop" => {
                let answer = self.desk.estop(who);
                self.answers.push((key.to_owned(), answer));
                return Ok(());
            }
            "decision" => {
                let decision = wire::decision_message(payload).map_err(|bad| bad.to_string())?;
                Box::pin(async move {
                    let reason = match desk.decide(decision).await {
                        Verdict::Accepted { .. } => None,
                        Verdict::Refused { reason } => Some(reason),
                    };
                    let accepted = reason.is_none();
                    Answer { accepted, reason, changed: Vec::new(), lease: None, state_seq: 0 }
                })
            }
            key => {
                let verb = key.strip_prefix("cmd/").unwrap_or(key);
                let command =
                    wire::reading::command(verb, payload).map_err(|bad| bad.to_string())?;
                Box::pin(async move { desk.command(command, &name).await })
            }
        };
        let what = format!("{key} {}", String::from_utf8_lossy(payload));
        let who = who.to_owned();
        self.asked.push(Asked { since: self.ticks, who, what, answer });
        self.answer();
        Ok(())
    }

    /// A heartbeat of whoever holds the lease, as far as is known here.
    pub(crate) fn beat(&mut self) -> bool {
        self.beats += 1;
        match &self.lease {
            Some((who, id)) => self.desk.heartbeat(who, *id, self.beats),
            None => false,
        }
    }

    /// Lets a fault be from now on.
    pub(crate) fn inject(&self, trouble: Trouble, amount: u64, for_ms: u64) {
        self.troubles.begin(trouble, amount, self.clock.now().after(for_ms * 1_000_000));
    }

    /// Time passes by, as if the machine had been asleep.
    pub(crate) fn pass(&self, ns: u64) {
        if let Clock::Virtual(now) = &self.clock {
            now.fetch_add(ns, Ordering::AcqRel);
        }
    }

    /// Asks the loop for another backend, at `pose`: to shadow, guarded or not, and then to act.
    pub(crate) fn swap(&mut self, wish: Swapping) {
        let tolerance = {
            let mut tolerance = Joints::zeros(self.stock.robot.joints());
            tolerance.fill(0.02);
            tolerance
        };
        let age_max_ns = self.stock.robot.rules().state_age_max_ns;
        let terms = Terms { tolerance, rest_ticks: 5, age_max_ns };
        let wish = match wish {
            Swapping::Shadow { made, pose, guarded } => {
                self.swapped += 1;
                let seed = self.seed ^ u64::from(self.swapped);
                let backend = self.stock.backend(made, &pose, &self.troubles, seed);
                let newcomer = Newcomer { id: BackendId(self.swapped), backend };
                Wish::Shadow { newcomer, guard: guarded.then_some(terms) }
            }
            Swapping::Promote { keep } => Wish::Promote {
                terms,
                if_refused: Whither::Stay,
                old: if keep { Whither::Stay } else { Whither::Out },
            },
            Swapping::Withdraw => Wish::Withdraw,
        };
        let _ = self.exchange.ask(wish);
    }

    /// The newest tick that the desk knows of.
    pub(crate) fn present(&self) -> Option<Arc<Present>> {
        self.desk.present()
    }

    /// One tick, and everything that follows from it on the other side.
    ///
    /// # Errors
    /// What the loop's thread panicked with.
    pub(crate) fn turn(&mut self) -> Result<Seen, String> {
        self.ticks += 1;
        let before = allocation::touched();
        let turned = catch_unwind(AssertUnwindSafe(|| self.turns.turn()));
        let allocations = allocation::touched() - before;
        if let Err(panic) = turned {
            let words = panic.downcast_ref::<String>().cloned();
            return Err(words.unwrap_or_else(|| "a panic".to_owned()));
        }
        let mut seen = None;
        while self.reel.next(&mut self.words) {
            if self.spoils_the_tape {
                *self.words.last_mut().expect("words") ^= 1;
            }
            self.replay.take(&self.words).expect("an entry of the tape");
            if self.words.first() == Some(&TICK) {
                let entry = Entry::read(&self.words).expect("a tick");
                assert_eq!(entry.dropped, 0, "the tape is read in every tick");
                seen = Seen::read(&entry);
                self.digest.take_in(&self.words);
            }
        }
        let mut seen = seen.expect("a tick that can be read");
        seen.allocations = allocations;
        (seen.writes, seen.written) = self.ink.take();
        self.follow();
        Ok(seen)
    }

    /// What the other threads would do meanwhile.
    fn follow(&mut self) {
        while !self.herald_sleeps
            && let Some(report) = self.listener.next(Duration::ZERO)
        {
            self.herald.take(&report);
        }
        while self.tidings.try_recv().is_ok() {}
        while self.exchange.told().is_some() {}
        while self.exchange.retired().is_some() {}
        let _ = self.exchange.divergence();
        self.answer();
    }

    /// Goes on with everything that is not answered yet.
    fn answer(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let (asked, answers, ticks) = (&mut self.asked, &mut self.answers, self.ticks);
        let lease = &mut self.lease;
        self.runtime.block_on(poll_fn(|context| {
            asked.retain_mut(|asked| match asked.answer.as_mut().poll(context) {
                Poll::Ready(answer) => {
                    if let Some(granted) = answer.lease {
                        *lease = Some((std::mem::take(&mut asked.who), granted.lease_id));
                    }
                    answers.push((std::mem::take(&mut asked.what), answer));
                    false
                }
                Poll::Pending => ticks.saturating_sub(asked.since) < PATIENCE_TICKS,
            });
            Poll::Ready(())
        }));
    }
}

impl Drop for Bottle<'_> {
    fn drop(&mut self) {
        self.switch.quit();
        if let Some(thinking) = self.thinking.take() {
            let _ = thinking.join();
        }
    }
}

/// What is asked of the backends.
#[expect(clippy::large_enum_variant, reason = "one at a time, and copied")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Swapping {
    Shadow { made: Made, pose: Joints, guarded: bool },
    Promote { keep: bool },
    Withdraw,
}

/// Everything that went over a tape, as one number (FNV-1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) u64);

impl Digest {
    const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    fn take_in(&mut self, words: &[u64]) {
        for word in words {
            self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
