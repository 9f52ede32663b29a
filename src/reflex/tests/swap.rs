//! Two robots under one law, through the whole loop on virtual time: who acts changes while everything stands still, or
//! not at all.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use motion::{
    Ailment, Chunk, ChunkId, Command, Controller, Drive, Epoch, Fault, HeadDigest, Health,
    JointLimits, Joints, Mode, Nanos, Order, OrderId, Plan, Reply, Robot, Rules, Run, RunId, State,
    StopSource, Tick, TickIndex, What,
};
use reflex::{
    Backend, Clock, Commander, Listener, Loop, StopSwitch, Thinker,
    backend::{
        loopback::Loopback,
        swap::{
            BackendId, Divergence, Exchange, Newcomer, Outcome, Reference, Refusal, Side, Swap,
            Terms, Told, Whither, Wish,
        },
    },
    ports,
};

const PERIOD_S: f64 = 0.05;
const FIRST: BackendId = BackendId(1);
const SECOND: BackendId = BackendId(2);

fn joints(values: [f64; 2]) -> Joints {
    Joints::from_slice(&values).expect("two joints")
}

fn terms() -> Terms {
    Terms { tolerance: joints([0.02, 0.005]), rest_ticks: 5, age_max_ns: 100_000_000 }
}

/// What a robot of the tests does, and what was done to it.
#[derive(Clone)]
struct Fake {
    shared: Arc<Mutex<Inside>>,
}

struct Inside {
    state: State,
    follows: bool,
    /// Reads until it is engaged, counted from the first command.
    engages_in: Option<u32>,
    age_ns: u64,
    commands: Vec<Command>,
}

impl Fake {
    fn at(pose: [f64; 2]) -> Self {
        let state = State { position: joints(pose), ..State::blank(2) };
        let inside =
            Inside { state, follows: false, engages_in: None, age_ns: 0, commands: Vec::new() };
        Self { shared: Arc::new(Mutex::new(inside)) }
    }

    fn with(self, change: impl FnOnce(&mut Inside)) -> Self {
        self.now(change);
        self
    }

    fn now<T>(&self, look: impl FnOnce(&mut Inside) -> T) -> T {
        look(&mut self.shared.lock().expect("no test panicked in it"))
    }

    fn commands(&self) -> usize {
        self.now(|inside| inside.commands.len())
    }

    /// Whether a swap, or one of its rings, still has it.
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }
}

impl Backend for Fake {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.now(|inside| {
            if let Some(left) = &mut inside.engages_in
                && !inside.commands.is_empty()
            {
                *left = left.saturating_sub(1);
            }
            inside.state.engaged = inside.engages_in.is_none_or(|left| left == 0);
            inside.state.sampled_at = Nanos(now.0.saturating_sub(inside.age_ns));
            *state = inside.state;
        });
    }

    fn write(&mut self, _now: Nanos, command: &Command) {
        self.now(|inside| {
            inside.commands.push(*command);
            if inside.follows && command.drive() == Drive::On {
                inside.state.position = *command.position();
            }
        });
    }
}

struct Rig {
    turns: Loop,
    exchange: Exchange,
    commander: Commander,
    thinker: Thinker,
    listener: Listener,
    switch: StopSwitch,
    orders: u64,
    before: Option<Tick>,
}

impl Rig {
    fn new(active: impl Backend + 'static) -> Self {
        let turn = JointLimits {
            position_min: -1.0,
            position_max: 1.0,
            velocity_max: 1.0,
            acceleration_max: 8.0,
            jerk_max: 200.0,
            step_max: 0.5,
            divergence_max: 0.5,
            gripper: false,
        };
        let robot = Robot::build(PERIOD_S, &[turn, turn], Rules::default()).expect("they fit");
        let (ports, commander, thinker, listener, switch) = ports();
        let (swap, exchange) =
            Swap::new(newcomer(FIRST, active), joints([0.005, 0.001]), switch.clone());
        let turns = Loop::new(Clock::lockstep(), Box::new(swap), Controller::new(robot), ports);
        let (orders, before) = (0, None);
        Self { turns, exchange, commander, thinker, listener, switch, orders, before }
    }

    /// One that holds its first robot, and has for long enough.
    fn holding(active: impl Backend + 'static) -> Self {
        let mut rig = Self::new(active);
        rig.turn();
        rig.order(What::Arm);
        rig.turns(6);
        assert_eq!(rig.turn().mode, Mode::Holding);
        rig
    }

    /// A tick; what is commanded never jumps, whoever is.
    fn turn(&mut self) -> Tick {
        self.turns.turn();
        let tick = self.listener.next(Duration::ZERO).expect("a report").tick;
        if let Some(before) = self.before.filter(|before| before.drive == tick.drive) {
            for (now, before) in tick.applied.iter().zip(before.applied.iter()) {
                assert!((now - before).abs() <= PERIOD_S + 1e-9, "a jump: {before} to {now}");
            }
        }
        self.before = Some(tick);
        tick
    }

    fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.turn();
        }
    }

    fn order(&mut self, what: What) {
        self.orders += 1;
        let order = Order { id: OrderId(self.orders), epoch: Epoch(u64::MAX), what };
        assert!(self.commander.send(order));
    }

    fn ask(&mut self, wish: Wish) {
        assert!(self.exchange.ask(wish).is_ok(), "there is room");
    }

    /// The answer that a wish gets in the next tick.
    fn answered(&mut self, wish: Wish) -> Told {
        self.ask(wish);
        self.turn();
        let told = self.exchange.told().expect("it was answered in that tick");
        assert_eq!(self.exchange.told(), None, "once");
        told
    }

    fn shadowed(&mut self, shadow: impl Backend + 'static) {
        let told = self.answered(shadow_of(shadow));
        assert_eq!((told.outcome, told.active, told.shadow), shadowing());
    }

    fn refusal(&mut self) -> Refusal {
        let wish = promote(Whither::Stay, Whither::Out);
        match self.answered(wish) {
            Told { outcome: Outcome::Refused(why), active: FIRST, .. } => why,
            told => panic!("it was not refused: {told:?}"),
        }
    }

    fn retired(&mut self) -> Option<BackendId> {
        self.exchange.retired().map(|retired| retired.id)
    }

    fn divergence(&mut self) -> Divergence {
        self.turn();
        self.exchange.divergence().expect("there is a shadow")
    }

    /// Begins a run that goes to `goal` within 40 ticks.
    fn go(&mut self, goal: [f64; 2]) {
        let plan = Plan { ticks_max: 100, ..Plan::plain(HeadDigest(0), 40) };
        let run = Run { id: RunId(self.orders), plan, expires: Nanos(u64::MAX) };
        self.order(What::Begin(run));
        let Tick { tick, applied, .. } = self.turn();
        let first = TickIndex(tick.0 + 1);
        let mut chunk = Chunk::empty(ChunkId(1), run.id, HeadDigest(0), first, 2);
        for k in 1..=40 {
            let share = 0.5 - 0.5 * (std::f64::consts::PI * f64::from(k) / 40.0).cos();
            let along = |joint: usize| applied[joint] + (goal[joint] - applied[joint]) * share;
            chunk.push(&joints([along(0), along(1)]));
        }
        chunk.ends = true;
        assert!(self.thinker.reply(Reply::Chunk(chunk)));
    }
}

fn newcomer(id: BackendId, backend: impl Backend + 'static) -> Newcomer {
    Newcomer { id, backend: Box::new(backend) }
}

fn shadow_of(backend: impl Backend + 'static) -> Wish {
    Wish::Shadow { newcomer: newcomer(SECOND, backend), guard: None }
}

fn guarded(backend: impl Backend + 'static) -> Wish {
    Wish::Shadow { newcomer: newcomer(SECOND, backend), guard: Some(terms()) }
}

fn promote(if_refused: Whither, old: Whither) -> Wish {
    Wish::Promote { terms: terms(), if_refused, old }
}

fn shadowing() -> (Outcome, BackendId, Option<BackendId>) {
    (Outcome::Shadowing, FIRST, Some(SECOND))
}

fn loopback(pose: [f64; 2]) -> Loopback {
    Loopback::new(joints(pose), PERIOD_S)
}

#[test]
fn authority_moves_between_two_ticks_and_back_without_a_jump() {
    let mut rig = Rig::holding(loopback([0.3, 0.01]));
    let shadow = Fake::at([0.31, 0.012]).with(|inside| inside.follows = true);
    rig.shadowed(shadow.clone());
    rig.turns(5);
    let before = rig.turn();
    let told = rig.answered(promote(Whither::Stay, Whither::Stay));
    assert_eq!(
        (told.outcome, told.active, told.shadow),
        (Outcome::Promoted, SECOND, Some(FIRST)),
        "they changed places"
    );
    let after = rig.before.expect("a tick");
    assert_eq!((after.mode, after.applied), (Mode::Holding, before.applied), "nothing moved");
    rig.go([0.5, 0.02]);
    rig.turns(50);
    let tick = rig.turn();
    assert_eq!(tick.mode, Mode::Holding, "the second robot is driven as the first one was");
    assert!((shadow.now(|inside| inside.state.position)[0] - 0.5).abs() < 1e-9);
    assert!((tick.state.position[0] - 0.5).abs() < 1e-9);
    rig.turns(5);
    let told = rig.answered(promote(Whither::Stay, Whither::Out));
    assert_eq!((told.outcome, told.active, told.shadow), (Outcome::Promoted, FIRST, None));
    assert_eq!(rig.turn().mode, Mode::Holding);
    assert_eq!(rig.retired(), Some(SECOND), "the second one went out");
}

#[test]
fn a_promotion_is_refused_unless_the_robot_is_held_by_the_same_command_for_a_while() {
    let mut rig = Rig::new(loopback([0.3, 0.0]));
    rig.turn();
    assert_eq!(rig.refusal(), Refusal::NoShadow);
    rig.shadowed(loopback([0.3, 0.0]));
    assert_eq!(rig.refusal(), Refusal::NotHolding, "disarmed");
    rig.order(What::Arm);
    rig.turns(2);
    assert_eq!(rig.refusal(), Refusal::Moving, "it is held since two ticks only");
    rig.turns(4);
    rig.go([0.6, 0.0]);
    rig.turns(3);
    assert_eq!(rig.refusal(), Refusal::Moving);
    rig.turns(50);
    rig.switch.raise(StopSource(7));
    assert_eq!(rig.refusal(), Refusal::Stopped, "before the law has seen it");
    rig.turns(10);
    assert_eq!(rig.refusal(), Refusal::Stopped);
    assert!(rig.switch.lower(rig.switch.raised().expect("raised")));
    rig.order(What::ClearFault);
    rig.turn();
    assert_eq!(rig.refusal(), Refusal::NotHolding);
    rig.order(What::Arm);
    rig.turns(8);
    let told = rig.answered(promote(Whither::Stay, Whither::Out));
    assert_eq!(told.outcome, Outcome::Promoted, "now nothing is in the way");
}

#[test]
fn a_shadow_that_is_not_fit_stays_a_shadow_and_the_active_one_acts_on() {
    let mut rig = Rig::holding(loopback([0.3, 0.0]));
    let shadow = Fake::at([0.3, 0.0]);
    rig.shadowed(shadow.clone());
    rig.turn();
    let ill = Health::Unwell(Ailment::Hot { joint: 1 });
    shadow.now(|inside| inside.state.health = ill);
    rig.turn();
    assert_eq!(rig.refusal(), Refusal::Unhealthy(Side::Shadow, ill));
    shadow.now(|inside| inside.state.health = Health::Lost);
    rig.turn();
    assert_eq!(rig.refusal(), Refusal::Unhealthy(Side::Shadow, Health::Lost));
    shadow.now(|inside| {
        inside.state.health = Health::Good;
        inside.state.position[1] = -0.002;
    });
    rig.turn();
    let moves = Refusal::Moves { side: Side::Shadow, joint: 1, by: -0.002 };
    assert_eq!(rig.refusal(), moves);
    shadow.now(|inside| inside.state.position[1] = 0.0);
    rig.turn();
    shadow.now(|inside| inside.state.velocity[1] = f64::NAN);
    rig.turn();
    assert_eq!(rig.refusal(), Refusal::NotFinite(Side::Shadow, 1));
    shadow.now(|inside| {
        inside.state.velocity[1] = 0.0;
        inside.state.position[0] = f64::NAN;
    });
    rig.turn();
    assert_eq!(rig.refusal(), Refusal::NotFinite(Side::Shadow, 0));
    shadow.now(|inside| {
        inside.state.position[0] = 0.3;
        inside.age_ns = 200_000_000;
    });
    rig.turn();
    assert!(matches!(rig.refusal(), Refusal::Stale(Side::Shadow, age) if age >= 200_000_000));
    shadow.now(|inside| {
        inside.age_ns = 0;
        inside.state.position = Joints::zeros(1);
    });
    rig.turn();
    assert_eq!(rig.refusal(), Refusal::Shape(Side::Shadow));
    assert_eq!(rig.retired(), None, "it stayed all the time");
    assert_eq!(rig.turn().mode, Mode::Holding);
    let told = rig.answered(promote(Whither::Out, Whither::Stay));
    assert_eq!(told.outcome, Outcome::Refused(Refusal::Shape(Side::Shadow)));
    assert_eq!((told.shadow, rig.retired()), (None, Some(SECOND)), "it was asked to go if refused");
    assert!(!shadow.is_held());
}

#[test]
fn a_promotion_is_refused_by_the_joint_that_stands_somewhere_else() {
    // The active one sags: between the last command and it there is room for one that fits one of them only.
    let sagging = Fake::at([0.3, 0.0]);
    let mut rig = Rig::holding(sagging.clone());
    sagging.now(|inside| inside.state.position = joints([0.285, 0.0]));
    let shadow = Fake::at([0.3, 0.006]);
    rig.shadowed(shadow.clone());
    let why = rig.refusal();
    let (side, joint) = (Side::Active, 0);
    assert!(matches!(why, Refusal::Moves { side: s, joint: j, .. } if (s, j) == (side, joint)));
    rig.turns(6);
    let tolerance = 0.005;
    let (joint, is, should) = (1, 0.006, 0.0);
    let far = Refusal::Apart { joint, from: Reference::Command, is, should, tolerance };
    assert_eq!(rig.refusal(), far);
    shadow.now(|inside| inside.state.position = joints([0.31, 0.0]));
    rig.turns(6);
    let tolerance = 0.02;
    let (joint, is, should) = (0, 0.31, 0.285);
    let far = Refusal::Apart { joint, from: Reference::Active, is, should, tolerance };
    assert_eq!(rig.refusal(), far);
    shadow.now(|inside| inside.state.position = joints([0.295, 0.0]));
    rig.turns(6);
    let told = rig.answered(promote(Whither::Stay, Whither::Out));
    assert_eq!(told.outcome, Outcome::Promoted);
}

#[test]
fn a_shadow_never_takes_over_from_a_robot_that_was_lost() {
    let first = Fake::at([0.3, 0.0]);
    let mut rig = Rig::holding(first.clone());
    rig.shadowed(loopback([0.3, 0.0]));
    first.now(|inside| inside.state.health = Health::Lost);
    rig.turns(3);
    let tick = rig.turn();
    assert!(matches!(tick.mode, Mode::Faulted { why: Fault::BackendLost, .. }), "{:?}", tick.mode);
    assert_eq!(rig.refusal(), Refusal::Unhealthy(Side::Active, Health::Lost));
    rig.turns(20);
    let divergence = rig.divergence();
    assert_eq!((divergence.active, divergence.shadow), (FIRST, SECOND));
    assert_eq!(divergence.difference, None, "what was lost cannot be compared");
}

#[test]
fn a_guarded_shadow_is_engaged_by_the_hold_command_and_then_promoted() {
    let mut rig = Rig::holding(loopback([0.3, 0.0]));
    let arm = Fake::at([0.305, 0.001]).with(|inside| inside.engages_in = Some(12));
    let told = rig.answered(guarded(arm.clone()));
    assert_eq!((told.outcome, told.active, told.shadow), shadowing());
    assert!(!rig.divergence().engaged);
    assert_eq!(
        rig.refusal(),
        Refusal::Unread(Side::Shadow),
        "whether it stands still is not known"
    );
    rig.turns(5);
    assert_eq!(rig.refusal(), Refusal::NotEngaged);
    while !rig.divergence().engaged {}
    let told = rig.answered(promote(Whither::Out, Whither::Stay));
    assert_eq!((told.outcome, told.active, told.shadow), (Outcome::Promoted, SECOND, Some(FIRST)));
    assert_eq!(rig.turn().mode, Mode::Holding);
    let (hold, commands) = arm.now(|inside| (inside.commands[0], inside.commands.clone()));
    assert!(commands.iter().all(|command| *command == hold), "it saw one command only");
    arm.now(|inside| inside.follows = true);
    rig.go([0.5, 0.0]);
    rig.turns(50);
    assert_eq!(rig.turn().mode, Mode::Holding, "now it may move");
    let position = rig.divergence().difference.expect("both are well");
    assert!(position.iter().all(|value| value.abs() < 1e-9), "{position:?}");
}

#[test]
fn a_guarded_shadow_comes_in_at_rest_and_at_the_same_pose_only() {
    let mut rig = Rig::new(loopback([0.3, 0.0]));
    rig.turn();
    let arm = Fake::at([0.3, 0.0]);
    let told = rig.answered(guarded(arm.clone()));
    assert_eq!(told.outcome, Outcome::Refused(Refusal::NotHolding));
    assert_eq!((told.shadow, rig.retired()), (None, Some(SECOND)));
    rig.order(What::Arm);
    rig.turns(7);
    rig.shadowed(loopback([0.3, 0.0]));
    arm.now(|inside| inside.state.position[0] = 0.35);
    let told = rig.answered(guarded(arm.clone()));
    assert!(matches!(told.outcome, Outcome::Refused(Refusal::Apart { joint: 0, .. })));
    assert_eq!(told.shadow, Some(SECOND), "who had shadowed it before does still");
    assert_eq!(rig.retired(), Some(SECOND));
    arm.now(|inside| inside.state.health = Health::Lost);
    let told = rig.answered(guarded(arm.clone()));
    assert_eq!(told.outcome, Outcome::Refused(Refusal::Unhealthy(Side::Shadow, Health::Lost)));
    drop(rig.exchange.retired());
    assert_eq!(arm.commands(), 0, "it never saw a command");
    assert!(!arm.is_held());
}

#[test]
fn a_guarded_shadow_leaves_before_it_sees_another_command() {
    let disturb: [fn(&mut Rig); 2] = [|rig| rig.go([0.6, 0.0]), |rig| rig.order(What::Disarm)];
    for disturb in disturb {
        let mut rig = Rig::holding(loopback([0.3, 0.0]));
        let arm = Fake::at([0.301, 0.0]);
        let came = rig.answered(guarded(arm.clone())).request;
        rig.turns(3);
        disturb(&mut rig);
        rig.turns(4);
        let told = rig.exchange.told().expect("it left");
        assert_eq!((told.request, told.outcome), (came, Outcome::Disturbed));
        assert_eq!((told.active, told.shadow, rig.retired()), (FIRST, None, Some(SECOND)));
        let commands = arm.now(|inside| inside.commands.clone());
        assert!(!commands.is_empty() && commands.iter().all(|command| *command == commands[0]));
        assert_eq!(rig.refusal(), Refusal::NoShadow);
    }
}

#[test]
fn a_shadow_follows_every_command_and_its_divergence_is_told_in_every_tick() {
    let mut rig = Rig::holding(loopback([0.3, 0.0]));
    // A twin that stands still: it differs by the way that the active one goes.
    let twin = Fake::at([0.3, 0.001]);
    rig.shadowed(twin.clone());
    let before = twin.commands();
    rig.go([0.5, 0.0]);
    let mut least = 0.0_f64;
    for _ in 0..50 {
        let told = rig.divergence();
        let difference = told.difference.expect("both are well");
        assert_eq!(told.lost, 0);
        assert!((difference[1] - 0.001).abs() < 1e-12);
        least = least.min(difference[0]);
        assert!((told.most[0] + least).abs() < 1e-12, "the largest so far");
    }
    assert!((least + 0.2).abs() < 1e-9, "{least}");
    assert!(twin.commands() >= before + 51, "it saw all of them");
    twin.now(|inside| inside.state.position[0] = f64::NAN);
    let told = rig.divergence();
    assert_eq!(told.difference, None);
    assert!((told.most[0] - 0.2).abs() < 1e-9, "what is not a number is not the largest one");
    let told = rig.answered(Wish::Withdraw);
    assert_eq!((told.outcome, told.shadow), (Outcome::Withdrawn, None));
    assert_eq!(rig.answered(Wish::Withdraw).outcome, Outcome::Refused(Refusal::NoShadow));
    while rig.exchange.divergence().is_some() {}
    rig.turns(3);
    assert!(rig.exchange.divergence().is_none());
}

#[test]
fn nothing_is_freed_while_nobody_takes_it_out() {
    let mut rig = Rig::holding(loopback([0.3, 0.0]));
    let arms: Vec<Fake> = (0..12).map(|_| Fake::at([0.3, 0.0])).collect();
    let mut waiting = arms.iter();
    let mut refused = 0;
    for _ in 0..40 {
        if let Some(arm) = waiting.next() {
            refused += u32::from(rig.exchange.ask(shadow_of(arm.clone())).is_err());
        }
        rig.turn();
    }
    let held = arms.iter().filter(|arm| arm.is_held()).count();
    assert_eq!(held + refused as usize, 12, "who was not sent back is somewhere");
    let mut out = 0;
    for _ in 0..40 {
        while rig.exchange.told().is_some() {}
        out += usize::from(rig.exchange.retired().is_some());
        rig.turn();
    }
    assert_eq!(out, held - 1, "all but the last, which shadows");
    assert_eq!(arms.iter().filter(|arm| arm.is_held()).count(), 1);
    rig.turns(80);
    rig.divergence();
    assert!(rig.divergence().lost > 0, "what found no room is counted");
}

#[test]
fn two_in_one_keep_the_promises_of_one() {
    use reflex::conformance::{Expected, check};
    let limits = JointLimits {
        position_min: -1.0,
        position_max: 1.0,
        velocity_max: 1.0,
        acceleration_max: 8.0,
        jerk_max: 200.0,
        step_max: 0.5,
        divergence_max: 0.5,
        gripper: false,
    };
    let robot = Robot::build(PERIOD_S, &[limits, limits], Rules::default()).expect("they fit");
    let (.., switch) = ports();
    let active = newcomer(FIRST, loopback([0.0, 0.0]));
    let (swap, mut exchange) = Swap::new(active, joints([0.005, 0.001]), switch);
    assert!(exchange.ask(shadow_of(loopback([0.5, 0.5]))).is_ok());
    let expected =
        Expected { boot_ticks: 0, rest_error_max: 1e-9, drift_max: 1e-9, settle_ticks: 10 };
    let checked = check(Box::new(swap), &robot, Clock::lockstep(), &joints([0.2, 0.1]), &expected);
    assert_eq!(checked, Ok(()));
}

#[test]
fn what_settles_slowly_stands_still_and_what_goes_away_does_not() {
    for (step, goes) in [(0.0004, true), (0.0008, false)] {
        let mut rig = Rig::holding(loopback([0.3, 0.0]));
        let shadow = Fake::at([0.29, 0.0]);
        rig.shadowed(shadow.clone());
        for _ in 0..15 {
            shadow.now(|inside| inside.state.position[0] += step);
            rig.turn();
        }
        let told = rig.answered(promote(Whither::Stay, Whither::Out)).outcome;
        match told {
            Outcome::Promoted => assert!(goes, "{step}"),
            Outcome::Refused(Refusal::Moves { joint: 0, .. }) => assert!(!goes, "{step}"),
            other => panic!("{step}: {other:?}"),
        }
    }
}
