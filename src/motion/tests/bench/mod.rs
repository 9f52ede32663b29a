//! A robot that follows every command at once if its motors are engaged, and the law that drives it.

#![allow(dead_code, reason = "each test has use for a part of it")]

use motion::{
    Ask, Chunk, ChunkId, Command, Controller, Correction, Drive, Epoch, HeadDigest, Inputs,
    JointLimits, Joints, Mode, Nanos, Order, OrderId, Plan, Reply, Robot, Rules, Run, RunId, Seam,
    State, StopSource, Tick, TickIndex, What,
};

pub(crate) const DT: f64 = 0.05;
pub(crate) const PERIOD_NS: u64 = 50_000_000;
pub(crate) const JOINTS: usize = 3;
pub(crate) const HEAD: HeadDigest = HeadDigest(7);

pub(crate) fn limits(velocity_max: f64, acceleration_max: f64, jerk_max: f64) -> JointLimits {
    JointLimits {
        position_min: -1.0,
        position_max: 2.0,
        velocity_max,
        acceleration_max,
        jerk_max,
        step_max: 1.5,
        divergence_max: 0.5,
        gripper: false,
    }
}

pub(crate) fn robot() -> Robot {
    let joints = [limits(3.0, 8.0, 200.0), limits(1.0, 4.0, 30.0), limits(3.0, 5.0, 500.0)];
    Robot::build(DT, &joints, Rules::default()).expect("the test robot's limits make sense")
}

pub(crate) fn joints(values: &[f64]) -> Joints {
    Joints::from_slice(values).expect("three joints")
}

/// A robot that follows every command at once, and the law that drives it.
pub(crate) struct Bench {
    pub(crate) law: Controller,
    pub(crate) state: State,
    pub(crate) now: Nanos,
    pub(crate) orders: Vec<Order>,
    pub(crate) replies: Vec<Reply>,
    pub(crate) stop: Option<StopSource>,
    pub(crate) early: bool,
    pub(crate) outside: motion::failsafe::Conditions,
    pub(crate) sent: u64,
    pub(crate) chunks: u64,
    pub(crate) correction: Option<Correction>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::of(robot())
    }

    pub(crate) fn of(robot: Robot) -> Self {
        Self {
            law: Controller::new(robot),
            state: State::blank(JOINTS),
            now: Nanos(0),
            orders: Vec::new(),
            replies: Vec::new(),
            stop: None,
            early: false,
            outside: motion::failsafe::Conditions::NONE,
            sent: 0,
            chunks: 0,
            correction: None,
        }
    }

    pub(crate) fn armed() -> Self {
        Self::new().arm()
    }

    pub(crate) fn arm(self) -> Self {
        let mut bench = self;
        bench.tick();
        bench.order(What::Arm);
        assert_eq!(bench.tick().1.mode, Mode::Holding);
        bench
    }

    pub(crate) fn order(&mut self, what: What) -> OrderId {
        self.order_of(what, Epoch(u64::MAX))
    }

    pub(crate) fn order_of(&mut self, what: What, epoch: Epoch) -> OrderId {
        self.sent += 1;
        let id = OrderId(self.sent);
        self.orders.push(Order { id, epoch, what });
        id
    }

    pub(crate) fn begin(&mut self, run: u64, seam: Seam) {
        self.follow(run, Plan { seam, ..Plan::plain(HEAD, 4) });
    }

    pub(crate) fn follow(&mut self, run: u64, plan: Plan) {
        self.order(What::Begin(Run { id: RunId(run), plan, expires: Nanos(u64::MAX) }));
    }

    pub(crate) fn chunk(&mut self, run: u64, observed: u64, steps: &[[f64; JOINTS]], ends: bool) {
        self.chunks += 1;
        let mut chunk =
            Chunk::empty(ChunkId(self.chunks), RunId(run), HEAD, TickIndex(observed), JOINTS);
        for step in steps {
            assert!(chunk.push(step));
        }
        chunk.ends = ends;
        self.replies.push(Reply::Chunk(chunk));
    }

    pub(crate) fn ask(&mut self) -> Option<Ask> {
        self.state.sampled_at = self.now;
        self.law.ask(self.now, &self.state)
    }

    pub(crate) fn tick(&mut self) -> (Command, Tick) {
        self.state.sampled_at = self.now;
        self.tick_stale()
    }

    pub(crate) fn tick_stale(&mut self) -> (Command, Tick) {
        let orders = std::mem::take(&mut self.orders);
        let replies = std::mem::take(&mut self.replies);
        let (command, tick) = self.law.tick(&Inputs {
            now: self.now,
            state: &self.state,
            stop: self.stop,
            early: self.early,
            outside: self.outside,
            orders: &orders,
            replies: &replies,
            correction: self.correction.as_ref(),
        });
        self.now = self.now.after(PERIOD_NS);
        if command.drive() == Drive::On && self.state.engaged {
            self.state.position = *command.position();
        }
        (command, tick)
    }
}
