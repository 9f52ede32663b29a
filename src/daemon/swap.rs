//! Whoever keeps the backends: opens another one under a running daemon, proves it, and lets it act or shadow.
//!
//! ```text
//!   cmd/backend ──► keeper of the backends ──► opened, warmed, probed ──► loop: a shadow ──► loop: it acts
//!                          ▲                                                 │
//!                          └── retired ones, answers, divergences ◄──────────┘
//! ```
//!
//! Whether it may act, the loop decides, between two ticks (`reflex::backend::swap`); here is all that takes time. It has
//! a thread of its own, so that nothing else waits while an arm is opened. What comes back from the loop is put away here:
//! a simulated world is dropped; a real arm stands at its last target with its motors on.

mod told;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64, mpsc},
    time::{Duration, Instant},
};

use motion::{Health, Joints, Mode, Robot, State};
use reflex::{
    Backend, Clock,
    backend::piper::Watch,
    backend::swap::{
        BackendId, Divergence, Exchange, Newcomer, Outcome, Refusal, Side, Terms, Told, Whither,
        Wish,
    },
    conformance,
};
use tokio::sync::mpsc as channel;

use told::Since;

use super::{
    DaemonError, Joined, spawn,
    world::{self, Opened, Seats, Spectacle},
};
use crate::{
    config::{BackendKind, JointSettings, Pace, Settings},
    operator::{BackendAct, BackendErrand, Desk, Present, words},
    telemetry::Tidings,
};

/// Commands in a row that have to be the same: a quarter of a second of standing still.
const REST_TICKS: u32 = 5;
/// Reads of a new backend before anybody relies on it, one a period.
const PROBE_READS: u32 = 5;
/// A bus has been listened to for long enough within this.
const WARMS_WITHIN: Duration = Duration::from_secs(1);
/// How far what stands still may seem to have moved: what sensors make of nothing, and a simulated arm of its own weight.
const STILL_RAD: f64 = 0.005;
/// The same, of joints that slide.
const STILL_M: f64 = 0.001;
/// A simulated robot has come to rest within this.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);
/// Motors have taken hold within this, or they will not.
const ENGAGES_WITHIN: Duration = Duration::from_secs(4);
/// A loop that has not answered after so long is stuck.
const LOOP_PATIENCE: Duration = Duration::from_secs(2);
/// How often an answer of the loop is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How often the divergence of a shadow is told.
const TELL_SHADOW_EVERY: Duration = Duration::from_millis(200);
/// How often it is told who acts, for those who have just come.
const TELL_AGAIN_EVERY: Duration = Duration::from_secs(1);

/// What is known of a backend that was opened.
struct Member {
    kind: BackendKind,
    /// Those who look at it, while nobody looks through them.
    seats: Option<Seats>,
    /// Those who look at its bus, if it has one.
    watch: Option<Watch>,
}

/// What a keeper of the backends needs of the rest of the house.
pub(super) struct Around {
    pub(super) settings: Settings,
    pub(super) robot: Robot,
    pub(super) desk: Desk,
    pub(super) clock: Clock,
    pub(super) tidings: channel::Sender<Tidings>,
    pub(super) spectacle: Spectacle,
}

/// The keeper of the backends.
pub(super) struct Backends {
    around: Around,
    terms: Terms,
    exchange: Exchange,
    members: BTreeMap<u32, Member>,
    opened: u32,
    active: BackendId,
    shadow: Option<BackendId>,
    since: Since,
    divergence: Option<Divergence>,
    shadow_told: Instant,
    told: Instant,
}

impl Backends {
    /// Starts the thread; the backend of the settings acts already.
    pub(super) fn start(
        around: Around,
        exchange: Exchange,
        errands: mpsc::Receiver<BackendErrand>,
        watch: Option<Watch>,
    ) -> Result<Joined<()>, DaemonError> {
        let now = Instant::now();
        let first = Member { kind: around.settings.daemon.backend, seats: None, watch };
        let keeper = Self {
            terms: terms(&around.settings, &around.robot),
            around,
            exchange,
            members: BTreeMap::from([(FIRST.0, first)]),
            opened: FIRST.0,
            active: FIRST,
            shadow: None,
            since: Since::default(),
            divergence: None,
            shadow_told: now,
            told: now,
        };
        spawn("reflex-backends", move || keeper.keep(&errands))
    }

    fn keep(mut self, errands: &mpsc::Receiver<BackendErrand>) {
        self.tell();
        self.tell_shadow();
        loop {
            match errands.recv_timeout(TELL_SHADOW_EVERY) {
                Ok(BackendErrand { act, who, answer }) => {
                    let outcome = self.act(act);
                    self.note(&who, act.words(), &outcome);
                    let _ = answer.send(outcome);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            while let Some(told) = self.exchange.told() {
                self.take_in(&told);
            }
            self.look();
        }
    }

    fn act(&mut self, act: BackendAct) -> Result<Vec<String>, String> {
        match act {
            BackendAct::To { kind, from_present, keep_shadow } => {
                self.let_act(kind, from_present, keep_shadow)
            }
            BackendAct::Shadow(Some(kind)) => self.let_shadow(kind),
            BackendAct::Shadow(None) => self.withdraw(),
        }
    }

    /// Another one is to act: opened, proved, let in as a shadow, and promoted as soon as it stands.
    fn let_act(
        &mut self,
        kind: BackendKind,
        from_present: bool,
        keep_shadow: bool,
    ) -> Result<Vec<String>, String> {
        let before = self.kind(self.active);
        if kind == before {
            return Err(format!("{} acts already", kind.name()));
        }
        if from_present && kind.is_hardware() {
            return Err(
                "pose = \"present\" is for simulated backends: a real arm stands where it stands"
                    .into(),
            );
        }
        if keep_shadow && before.is_hardware() {
            return Err(format!(
                "{} would move as a shadow, because it is a real arm: leave keep_shadow out",
                before.name()
            ));
        }
        self.judge(kind)?;
        let pose = self.rest()?;
        // Who shadows already is known, and warm; but it stands where it stands.
        let is_there = self.shadow.is_some_and(|id| self.kind(id) == kind) && !from_present;
        if !is_there {
            self.admit(kind, from_present.then_some(pose), true)?;
        }
        let old = if keep_shadow { Whither::Stay } else { Whither::Out };
        if let Err(why) = self.promote(kind, old) {
            if !is_there && self.shadow.is_some_and(|id| self.kind(id) == kind) {
                let _ = self.ask(Wish::Withdraw);
            }
            return Err(why);
        }
        let mut changed = vec![format!("{} acts instead of {}", kind.name(), before.name())];
        changed.extend(self.shadow.map(|id| format!("{} shadows it", self.kind(id).name())));
        Ok(changed)
    }

    fn let_shadow(&mut self, kind: BackendKind) -> Result<Vec<String>, String> {
        if kind.is_hardware() {
            return Err(format!(
                "{} would move as a shadow, because it is a real arm: simulated backends only",
                kind.name()
            ));
        }
        self.judge(kind)?;
        let pose = self.rest()?;
        self.admit(kind, Some(pose), false)?;
        Ok(vec![format!("{} shadows {}", kind.name(), self.kind(self.active).name())])
    }

    fn withdraw(&mut self) -> Result<Vec<String>, String> {
        let Some(shadow) = self.shadow else { return Err("there is no shadow".into()) };
        let was = self.kind(shadow);
        self.ask(Wish::Withdraw)?;
        Ok(vec![format!("{} shadows no more", was.name())])
    }

    /// What speaks against a kind before it is opened.
    fn judge(&self, kind: BackendKind) -> Result<(), String> {
        if kind.is_hardware() && self.around.settings.daemon.loop_.pace == Pace::Lockstep {
            return Err(format!("loop.pace = lockstep: {} needs real time", kind.name()));
        }
        if kind.is_hardware()
            && let Err((key, endpoint, remedy)) = self.around.settings.daemon.may_drive_hardware()
        {
            return Err(format!("{key} = {endpoint:?}: {remedy}"));
        }
        Ok(())
    }

    /// Waits until the robot has been held for long enough; where it stands then, as measured.
    fn rest(&self) -> Result<Joints, String> {
        let begun = Instant::now();
        let first = self.holding()?;
        loop {
            let present = self.holding()?;
            if present.tick.applied != first.tick.applied {
                return Err("the robot moves: hold it first".into());
            }
            if present.tick.tick.0 > first.tick.tick.0 + u64::from(REST_TICKS) {
                return Ok(present.tick.state.position);
            }
            if begun.elapsed() > LOOP_PATIENCE + self.period() * REST_TICKS {
                return Err(STUCK.into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The present, if the robot is held.
    fn holding(&self) -> Result<Arc<Present>, String> {
        let present = self.around.desk.present();
        let present = present.ok_or("the robot has not been seen yet: wait for its first state")?;
        match (&present.tick.mode, &present.trouble) {
            (Mode::Holding, _) => Ok(present),
            (mode, Some(trouble)) => Err(format!("not while {}: {trouble}", words::mode(mode))),
            (mode, None) => Err(format!(
                "not while {}: backends are changed while the robot holds",
                words::mode(mode)
            )),
        }
    }

    /// Opens a backend, proves it without moving it, and lets it in as a shadow.
    fn admit(
        &mut self,
        kind: BackendKind,
        pose: Option<Joints>,
        is_guarded: bool,
    ) -> Result<(), String> {
        let Around { settings, robot, .. } = &self.around;
        let opened = world::open(kind, settings, robot, pose.as_ref());
        let Opened { mut backend, seats, watch } = opened.map_err(|error| error.to_string())?;
        self.probe(kind, backend.as_mut())?;
        self.opened += 1;
        let id = BackendId(self.opened);
        self.members.insert(id.0, Member { kind, seats, watch });
        let guard = is_guarded.then_some(self.terms);
        let told = self.ask(Wish::Shadow { newcomer: Newcomer { id, backend }, guard });
        match told.map(|told| told.outcome) {
            Ok(Outcome::Refused(why)) => Err(self.words(why, kind)),
            Ok(_) => Ok(()),
            Err(why) => Err(why),
        }
    }

    /// Waits until a backend that has just been opened is well, and looks whether it reads as it should, and stands. Nobody
    /// commands it yet.
    fn probe(&self, kind: BackendKind, backend: &mut dyn Backend) -> Result<(), String> {
        let Around { robot, clock, .. } = &self.around;
        let clock = match clock {
            Clock::Monotonic => Clock::Monotonic,
            // Whoever sleeps in virtual time makes it pass: this is a time of its own, which begins now.
            Clock::Virtual(_) => Clock::Virtual(Arc::new(AtomicU64::new(clock.now().0))),
        };
        let (mut state, begun) = (State::blank(robot.joints()), Instant::now());
        loop {
            backend.read(clock.now(), &mut state);
            if state.health == Health::Good || begun.elapsed() > WARMS_WITHIN {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let pose = conformance::probe(backend, robot, &clock, PROBE_READS);
        pose.map(|_| ()).map_err(|why| format!("{} is not fit: {why}", kind.name()))
    }

    /// Lets the shadow act as soon as it stands and follows; gives up if it does not, or if anything else happens.
    fn promote(&mut self, kind: BackendKind, old: Whither) -> Result<(), String> {
        let within = if kind.is_hardware() { ENGAGES_WITHIN } else { SETTLES_WITHIN };
        let until = Instant::now() + within;
        loop {
            let (terms, if_refused) = (self.terms, Whither::Stay);
            let why = match self.ask(Wish::Promote { terms, if_refused, old })?.outcome {
                Outcome::Refused(why) => why,
                _ => return Ok(()),
            };
            // A stop or a fault is what there is to be told, whatever it did to the backends.
            self.holding()?;
            if !may_pass(&why) || Instant::now() > until {
                return Err(self.words(why, kind));
            }
            std::thread::sleep(self.period());
        }
    }

    /// Asks the loop for something, and waits for the answer.
    fn ask(&mut self, wish: Wish) -> Result<Told, String> {
        let Ok(id) = self.exchange.ask(wish) else { return Err(STUCK.into()) };
        let begun = Instant::now();
        while begun.elapsed() < LOOP_PATIENCE + self.period() {
            while let Some(told) = self.exchange.told() {
                self.take_in(&told);
                if told.request == id {
                    return Ok(told);
                }
            }
            self.look();
            std::thread::sleep(LOOK_EVERY);
        }
        Err(STUCK.into())
    }

    /// Takes in who acts and who shadows now.
    fn take_in(&mut self, told: &Told) {
        let before = (self.active, self.shadow);
        if before == (told.active, told.shadow) {
            return;
        }
        (self.active, self.shadow) = (told.active, told.shadow);
        self.since = Since { at_ns: told.at.0, ..self.now() };
        self.divergence = None;
        if self.active != before.0 {
            self.reseat(before.0);
        }
        if told.outcome == Outcome::Disturbed {
            let what = "the shadow left: the robot was to do something else".to_owned();
            self.note("reflexd", what, &Ok(Vec::new()));
        }
        self.tell();
        self.tell_shadow();
    }

    /// Who looks at a world looks at the one that acts.
    fn reseat(&mut self, before: BackendId) {
        let seats = self.members.get_mut(&self.active.0).and_then(|member| member.seats.take());
        let old = self.around.spectacle.reseat(seats);
        if self.shadow == Some(before)
            && let Some(member) = self.members.get_mut(&before.0)
        {
            member.seats = old;
        }
    }

    /// Takes in what goes by: divergences are told, and what is out of the loop is put away.
    fn look(&mut self) {
        while let Some(retired) = self.exchange.retired() {
            if retired.id != self.active
                && let Some(member) = self.members.get_mut(&retired.id.0)
            {
                member.seats = None;
            }
            let seen = retired.seen.map(|seen| seen.position);
            tracing::info!(backend = self.kind(retired.id).name(), ?seen, "put away");
            drop(retired.backend);
        }
        self.divergence = self.exchange.divergence().or(self.divergence);
        if self.divergence.is_some() && self.shadow_told.elapsed() >= TELL_SHADOW_EVERY {
            self.tell_shadow();
        }
        if self.told.elapsed() >= TELL_AGAIN_EVERY {
            self.tell();
            if self.shadow.is_none() {
                self.tell_shadow();
            }
        }
    }

    fn kind(&self, id: BackendId) -> BackendKind {
        self.members.get(&id.0).map_or(self.around.settings.daemon.backend, |member| member.kind)
    }

    fn period(&self) -> Duration {
        Duration::from_secs_f64(self.around.robot.period_s())
    }
}

/// What the backend of the settings is called.
pub(super) const FIRST: BackendId = BackendId(1);

const STUCK: &str = "the loop did not answer in time: look at state/backend and diag/timing";

/// Whether a refusal may pass by itself: motors that are not on yet, a world that has not come to rest.
const fn may_pass(why: &Refusal) -> bool {
    matches!(
        why,
        Refusal::NotEngaged
            | Refusal::Unread(_)
            | Refusal::Moving
            | Refusal::Stale(Side::Shadow, _)
            | Refusal::Moves { side: Side::Shadow, .. }
    )
}

/// When another backend may act.
fn terms(settings: &Settings, robot: &Robot) -> Terms {
    let swap = &settings.robot_settings.swap;
    let tolerance = by_joint(settings, |joint| swap.tolerance(joint).0);
    let age_max_ns = robot.rules().state_age_max_ns;
    Terms { tolerance, rest_ticks: REST_TICKS, age_max_ns }
}

/// Within how much a joint stands still.
pub(super) fn still(settings: &Settings) -> Joints {
    by_joint(settings, |joint| match joint {
        JointSettings::Revolute(_) => STILL_RAD,
        JointSettings::Prismatic(_) => STILL_M,
    })
}

fn by_joint(settings: &Settings, of: impl Fn(&JointSettings) -> f64) -> Joints {
    let joints = &settings.robot_settings.joints;
    let mut values = Joints::zeros(joints.len());
    for (value, joint) in values.iter_mut().zip(joints) {
        *value = of(joint);
    }
    values
}
