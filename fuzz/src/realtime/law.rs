//! The life of a robot out of arbitrary bytes: which limits it has, what it is ordered, what it is told to do and what is
//! measured of it. Some of that makes sense, so that it gets somewhere; the rest is whatever the bits are.

mod bytes;
mod promises;
mod robots;

use std::f64::consts::TAU;

use motion::{
    Ailment, Attendance, Chunk, ChunkId, Controller, Corrected, Correction, CorrectionRule, Drive,
    Epoch, FirstStep, HeadDigest, Health, Inputs, Joints, Limits, MAX_STEPS, Mode, Nanos, Order,
    OrderId, Plan, Reply, Robot, Run, RunId, Seam, Source, State, StopSource, Tick, TickIndex,
    What, failsafe::Conditions,
};

use bytes::Bytes;
use promises::{Given, Promises};

const HEAD: HeadDigest = HeadDigest(7);
const CORRECTOR: HeadDigest = HeadDigest(8);
/// Most orders, and most replies, of one tick here.
const MOST: usize = 8;

/// Leads a life and judges every tick of it.
pub fn law(bytes: &[u8]) {
    live(bytes, || 0);
}

/// How many ticks a life had, and of what kind: one that gets nowhere proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lived {
    /// All of them.
    pub ticks: u64,
    /// Those in which set-points were commanded.
    pub driven: u64,
    /// In which a chunk's step was due.
    pub followed: u64,
    /// In which a limit changed the set-point.
    pub limited: u64,
    /// In which the workspace guard braked.
    pub barred: u64,
    /// In which a set-point was corrected.
    pub corrected: u64,
    /// At whose end a fault was latched, or an e-stop.
    pub latched: u64,
}

impl std::ops::AddAssign for Lived {
    fn add_assign(&mut self, other: Self) {
        let Self { ticks, driven, followed, limited, barred, corrected, latched } = other;
        self.ticks += ticks;
        self.driven += driven;
        self.followed += followed;
        self.limited += limited;
        self.barred += barred;
        self.corrected += corrected;
        self.latched += latched;
    }
}

impl Lived {
    fn count(&mut self, tick: &Tick) {
        let latched = matches!(tick.mode, Mode::Faulted { .. } | Mode::EStopped { .. });
        self.ticks += 1;
        self.driven += u64::from(tick.drive == Drive::On);
        self.followed += u64::from(matches!(tick.source, Source::Chunk { .. }));
        self.limited += u64::from(tick.limited_by.iter().any(|by| *by != Limits::default()));
        self.barred += u64::from(tick.barred.is_some());
        self.corrected +=
            u64::from(matches!(tick.corrected, Corrected::Added | Corrected::Bounded));
        self.latched += u64::from(latched);
    }
}

/// The same, and what it was like. `touched` counts how often this thread has had to do with the heap.
///
/// # Panics
/// If the law breaks a promise, or touches the heap.
pub fn live(bytes: &[u8], touched: impl Fn() -> u64) -> Lived {
    let mut bytes = Bytes::new(bytes);
    let mut life = Life::new(robots::robot(&mut bytes), &mut bytes);
    while !bytes.is_over() {
        life.befalls(&mut bytes);
        if life.attends {
            life.order(&mut bytes, What::Attend);
        }
        // Now and then more than one thing in a tick.
        let ticks = bytes.byte();
        for _ in 0..if ticks < 16 { 0 } else { 1 + ticks % 8 } {
            life.tick(&touched);
        }
    }
    life.lived
}

struct Life {
    robot: Robot,
    law: Controller,
    promises: Promises,
    /// What is measured.
    state: State,
    /// What is measured in the coming tick and in no other.
    broken: Option<State>,
    /// How much of the way to its command the robot goes in a tick.
    follows: f64,
    period_ns: u64,
    now: Nanos,
    stop: Option<StopSource>,
    early: bool,
    outside: Conditions,
    orders: Few<Order>,
    replies: Few<Reply>,
    correction: Option<Correction>,
    corrects: bool,
    /// Whether an operator is there, and says so.
    attends: bool,
    sent: u64,
    chunks: u64,
    run: u64,
    lived: Lived,
}

/// A few things, without a heap.
struct Few<T> {
    items: Vec<T>,
}

impl<T> Few<T> {
    fn new() -> Self {
        Self { items: Vec::with_capacity(MOST) }
    }

    fn push(&mut self, item: T) {
        if self.items.len() < MOST {
            self.items.push(item);
        }
    }
}

impl Life {
    fn new(robot: Robot, bytes: &mut Bytes) -> Self {
        let mut state = State::blank(robot.joints());
        for (at, limits) in state.position.iter_mut().zip(robot.limits()) {
            *at = bytes.within(limits.position_min, limits.position_max);
        }
        state.physical = bytes.is_so();
        let follows = if bytes.is_so() { 1.0 } else { bytes.within(0.2, 1.0) };
        let now = Nanos(if bytes.byte() < 8 { bytes.word() } else { 1_000_000_000 });
        Self {
            law: Controller::new(robot),
            promises: Promises::new(&robot),
            state,
            broken: None,
            follows,
            period_ns: (robot.period_s() * 1e9) as u64,
            robot,
            now,
            stop: None,
            early: false,
            outside: Conditions::NONE,
            orders: Few::new(),
            replies: Few::new(),
            correction: None,
            corrects: false,
            attends: false,
            sent: 0,
            chunks: 0,
            run: 0,
            lived: Lived::default(),
        }
    }

    fn befalls(&mut self, bytes: &mut Bytes) {
        match bytes.byte() {
            0..40 => {}
            40..130 if !matches!(self.law.mode(), Mode::Moving { .. }) => self.recovers(bytes),
            40..130 => self.chunk(bytes, false),
            130..145 => self.chunk(bytes, true),
            145..180 => self.recovers(bytes),
            180..184 => self.order(bytes, What::Arm),
            184..187 => self.order(bytes, What::Hold),
            187..190 => self.order(bytes, What::Disarm),
            190..194 => self.order(bytes, What::ClearFault),
            194..196 => self.order(bytes, What::Release),
            196..204 => {
                let run = self.begins(bytes);
                self.order(bytes, What::Begin(run));
            }
            204..207 => {
                let run = Run { id: RunId(self.run), ..self.begins(bytes) };
                self.order(bytes, What::HandOver(run));
            }
            207 => self.order(bytes, What::End(RunId(self.run))),
            208..211 => self.attends = true,
            211 => self.attends = false,
            212 => {
                self.attends = false;
                self.order(bytes, What::Leave);
            }
            213..216 => self.stop = Some(StopSource(1 + u32::from(bytes.byte()))),
            216..218 => self.stop = None,
            218..220 => {
                self.stop = Some(StopSource(1));
                self.early = true;
            }
            220..222 => self.outside = Conditions(bytes.word() as u32),
            222..225 => self.outside = Conditions::NONE,
            225..230 => self.state.engaged = !self.state.engaged,
            230..233 => self.state.warm = !self.state.warm,
            233..242 => self.breaks(bytes),
            242..246 => self.corrects(bytes),
            246..249 => {
                let observed = if bytes.is_so() { self.law.now() } else { TickIndex(bytes.word()) };
                self.replies.push(Reply::Nothing { run: RunId(self.run), observed });
            }
            249 => self.now = Nanos(bytes.word()),
            250..252 => self.now = self.now.after(self.period_ns * u64::from(bytes.byte())),
            252 => self.state.position = bytes.joints(self.robot.joints()),
            253 => self.state.physical = !self.state.physical,
            _ => self.state.lag_ticks = bytes.word() as u32,
        }
    }

    fn order(&mut self, bytes: &mut Bytes, what: What) {
        self.sent += 1;
        let epoch = Epoch(if bytes.byte() < 12 { bytes.word() } else { u64::MAX });
        self.orders.push(Order { id: OrderId(self.sent), epoch, what });
    }

    /// Whatever was wrong is mended, and it goes on: lives that end in the first fault teach nothing.
    fn recovers(&mut self, bytes: &mut Bytes) {
        (self.stop, self.outside) = (None, Conditions::NONE);
        let whole = State { position: self.state.position, ..State::blank(self.robot.joints()) };
        self.state = State { physical: self.state.physical, engaged: self.state.engaged, ..whole };
        if self.state.position.len() != self.robot.joints() || !self.state.position.is_finite() {
            self.state.position = *self.promises.last();
        }
        for (at, limits) in self.state.position.iter_mut().zip(self.robot.limits()) {
            *at = at.clamp(limits.position_min, limits.position_max);
        }
        self.state.engaged |= bytes.byte() < 250;
        let run = self.begins(bytes);
        self.attends |= self.robot.rules().attendance != Attendance::Optional;
        let orders = [What::ClearFault, What::Arm, What::Begin(run)];
        orders.into_iter().for_each(|what| self.order(bytes, what));
    }

    fn begins(&mut self, bytes: &mut Bytes) -> Run {
        self.run += 1;
        let wild = bytes.byte() < 10;
        let few = |bytes: &mut Bytes| {
            if wild { bytes.word() as u32 } else { u32::from(bytes.byte() % 12) }
        };
        let seam = match bytes.byte() % 4 {
            0 => Seam::Cut,
            1 => Seam::Fade { ticks: few(bytes) },
            2 => Seam::Ensemble { coefficient: bytes.number() },
            _ => Seam::Prefix { ticks: few(bytes) },
        };
        let first_step = if bytes.is_so() { FirstStep::Observation } else { FirstStep::TakeOver };
        self.corrects = bytes.byte() < 64;
        let correction = self.corrects.then(|| {
            let mut offset_max = bytes.joints(self.robot.joints());
            offset_max.iter_mut().filter(|most| most.abs() < 10.0).for_each(|most| *most *= 0.05);
            CorrectionRule { head: CORRECTOR, deadline_ns: 0, offset_max }
        });
        let plan = Plan {
            execute: few(bytes),
            lead: few(bytes),
            seam,
            first_step,
            correction,
            ticks_max: if bytes.byte() < 16 { bytes.word() } else { u64::MAX },
            ..Plan::plain(HEAD, 4)
        };
        Run {
            id: RunId(self.run),
            plan,
            expires: Nanos(if wild { bytes.word() } else { u64::MAX }),
        }
    }

    /// A chunk of the present run, or with `any` of whatever the bytes say.
    fn chunk(&mut self, bytes: &mut Bytes, any: bool) {
        let joints = self.robot.joints();
        let count = if any && bytes.byte() < 24 { usize::from(bytes.byte()) % 50 } else { joints };
        self.chunks += u64::from(bytes.byte() < 250);
        let now = self.law.now();
        let observed = TickIndex(now.0.saturating_sub(u64::from(bytes.byte() % 4)));
        let id = ChunkId(self.chunks);
        let mut chunk = Chunk::empty(id, RunId(self.run), HEAD, observed, count);
        let ahead = bytes.byte();
        chunk.first.0 += if ahead < 32 { u64::from(ahead % 8) } else { 0 };
        if any && bytes.byte() < 16 {
            chunk.observed = TickIndex(bytes.word());
            chunk.first = TickIndex(bytes.word());
        }
        chunk.ends = bytes.byte() < 24;
        let len = 1 + usize::from(bytes.byte()) % MAX_STEPS;
        let (from, mut step) = (*self.promises.last(), Joints::zeros(count));
        let shape = bytes.byte() % 4;
        let aims: [f64; motion::MAX_JOINTS] = std::array::from_fn(|joint| {
            let limits = self.robot.limits().get(joint);
            match limits {
                Some(_) if any => bytes.number(),
                Some(limits) => {
                    let to = bytes.within(limits.position_min - 0.1, limits.position_max + 0.1);
                    let (at, far) = (from.get(joint).copied().unwrap_or_default(), limits.step_max);
                    // What leaps is refused: mostly it does not.
                    if ahead < 224 { to.max(at - far).min(at + far) } else { to }
                }
                None => 0.0,
            }
        });
        for k in 0..len {
            let share = (k + 1) as f64 / len as f64;
            for (joint, value) in step.iter_mut().enumerate() {
                let (from, to) = (from.get(joint).copied().unwrap_or_default(), aims[joint]);
                *value = match shape {
                    0 => to,
                    1 => from + (to - from) * share,
                    2 => from + 0.1 * (to - from) * (TAU * share).sin(),
                    // Hither and thither.
                    _ if k % 2 == 0 => from + 0.05 * (to - from),
                    _ => from - 0.05 * (to - from),
                };
            }
            chunk.push(&step);
        }
        self.replies.push(Reply::Chunk(chunk));
    }

    fn corrects(&mut self, bytes: &mut Bytes) {
        let right = bytes.byte() < 200;
        self.correction = Some(Correction {
            run: RunId(if right { self.run } else { bytes.word() }),
            tick: if right { self.law.now() } else { TickIndex(bytes.word()) },
            head: if bytes.byte() < 250 { CORRECTOR } else { HeadDigest(bytes.word()) },
            offset: (bytes.byte() < 240).then(|| bytes.joints(self.robot.joints())),
        });
    }

    /// For one tick something else is measured.
    fn breaks(&mut self, bytes: &mut Bytes) {
        let joints = self.robot.joints();
        let joint = usize::from(bytes.byte());
        let mut state = self.state;
        state.sampled_at = self.now;
        match bytes.byte() % 6 {
            0 => state.position = bytes.joints(joints),
            1 => state.velocity = bytes.joints(joints),
            2 => state.sampled_at = Nanos(bytes.word()),
            3 => state.health = Health::Lost,
            4 => state.health = Health::Unwell(ailment(bytes.byte(), joint)),
            _ => {
                state.position = bytes.joints(joints);
                state.velocity = bytes.joints(joints);
                state.age_s = bytes.joints(joints);
                state.lag_ticks = bytes.word() as u32;
                (state.engaged, state.warm) = (bytes.is_so(), bytes.is_so());
            }
        }
        self.broken = Some(state);
    }

    fn tick(&mut self, touched: &impl Fn() -> u64) {
        self.state.sampled_at = self.now;
        let state = self.broken.take().unwrap_or(self.state);
        if self.corrects && self.correction.is_none() {
            let (run, tick) = (RunId(self.run), self.law.now());
            let offset = Some(Joints::zeros(self.robot.joints()));
            self.correction = Some(Correction { run, tick, head: CORRECTOR, offset });
        }
        let inputs = Inputs {
            now: self.now,
            state: &state,
            stop: self.stop,
            early: self.early,
            outside: self.outside,
            orders: &self.orders.items,
            replies: &self.replies.items,
            correction: self.correction.as_ref(),
        };
        let before = touched();
        let ask = if self.early { None } else { self.law.ask(self.now, &state) };
        if let Some(ask) = &ask {
            let _ = ask.rolled_forward(self.robot.limits(), self.robot.period_s());
        }
        let _ = self.law.patience_ns();
        if self.corrects {
            let _ = self.law.ask_correction(self.now, &state, &self.replies.items);
        }
        let (command, tick) = self.law.tick(&inputs);
        assert_eq!(touched() - before, 0, "a tick has to do with the heap");
        let given =
            Given { state: &state, stop: self.stop, early: self.early, orders: &self.orders.items };
        self.promises.check(&self.robot, &given, &command, &tick);
        self.lived.count(&tick);
        self.orders.items.clear();
        self.replies.items.clear();
        self.correction = None;
        if !self.early {
            self.now = self.now.after(self.period_ns);
        }
        self.early = false;
        if command.drive() == Drive::On && self.state.engaged {
            for (at, to) in self.state.position.iter_mut().zip(command.position().iter()) {
                *at += self.follows * (to - *at);
            }
        }
    }
}

fn ailment(which: u8, joint: usize) -> Ailment {
    match which % 10 {
        0 => Ailment::Silent { joint },
        1 => Ailment::Frozen { joint },
        2 => Ailment::Implausible { joint },
        3 => Ailment::MotorOff { joint },
        4 => Ailment::Hot { joint },
        5 => Ailment::Collided { joint },
        6 => Ailment::Stalled { joint },
        7 => Ailment::OwnStop,
        8 => Ailment::Garbage,
        _ => Ailment::NothingHeard,
    }
}
