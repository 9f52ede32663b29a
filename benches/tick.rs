//! What a tick costs, part by part. `cargo test --benches` runs each once.
//!
//! The law must cost less than 10 us, a whole tick without physics less than 1 ms, a lockstep episode a hundredth of its
//! real time. An empty tick of a disarmed robot is measured beside the others: the machine's own speed, to compare with.

use std::{
    hint::black_box,
    io::Write,
    path::Path,
    sync::{PoisonError, mpsc},
    time::{Duration, Instant},
};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use motion::{
    Ask, Chunk, ChunkId, Controller, Epoch, HeadDigest, Inputs, Joints, Nanos, Order, OrderId,
    Plan, Reply, Robot, Run, RunId, Seam, State, TickIndex, What,
};
use reflex::{Clock, Loop, backend::loopback::Loopback, ports};
use reflexd::{
    config::Settings,
    observation::Params,
    skill::{Assignment, Skill, think},
};

const PERIOD_S: f64 = 0.05;

fn settings() -> Settings {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/daemon.toml");
    Settings::load(&file).expect("the shipped configuration")
}

/// The shipped robot, under its guard as in the daemon.
fn robot() -> (Robot, Joints) {
    let robot = settings().robot_settings;
    let (law, _) = reflexd::daemon::guarded(&robot, PERIOD_S).expect("shipped limits");
    (law, robot.home().expect("shipped home"))
}

fn order(id: u64, what: What) -> Order {
    Order { id: OrderId(id), epoch: Epoch(u64::MAX), what }
}

/// What a decision says of a berry.
fn berry() -> Params {
    Params {
        target_x: 0.3,
        target_y: 0.1,
        target_z: 0.018,
        radius: 0.018,
        speed_hint: 1.0,
        object_is_berry: true,
    }
}

fn run() -> Run {
    let seam = Seam::Fade { ticks: 2 };
    let plan = Plan { seam, ..Plan::plain(HeadDigest(1), 60) };
    Run { id: RunId(1), plan, expires: Nanos(u64::MAX) }
}

/// A law that is some ticks into a chunk, and the state that its next tick gets.
fn moving(goal_offset: f64, ramp: bool) -> (Controller, State) {
    let (robot, home) = robot();
    let mut law = Controller::new(robot);
    let mut state = State::blank(robot.joints());
    state.position = home;
    let mut chunk = Chunk::empty(ChunkId(1), RunId(1), HeadDigest(1), TickIndex(3), robot.joints());
    for k in 1..=60 {
        let share = if ramp { (f64::from(k) / 60.0).powi(3) } else { 1.0 };
        let mut step = home;
        for value in step.iter_mut().take(6) {
            *value -= goal_offset * share;
        }
        chunk.push(&step);
    }
    let script: [(&[Order], &[Reply]); 4] = [
        (&[], &[]),
        (&[order(1, What::Arm)], &[]),
        (&[order(2, What::Begin(run()))], &[]),
        (&[], &[Reply::Chunk(chunk)]),
    ];
    for (orders, replies) in script {
        law.tick(&Inputs {
            now: Nanos(0),
            state: &state,
            stop: None,
            early: false,
            outside: motion::failsafe::Conditions::NONE,
            orders,
            replies,
            correction: None,
        });
    }
    (law, state)
}

fn law(c: &mut Criterion) {
    let mut group = c.benchmark_group("law");
    let mut tick = |name: &str, law: Controller, state: State| {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || law,
                |law| {
                    let inputs = Inputs {
                        now: Nanos(0),
                        state: &state,
                        stop: None,
                        early: false,
                        outside: motion::failsafe::Conditions::NONE,
                        orders: &[],
                        replies: &[],
                        correction: None,
                    };
                    black_box(law.tick(black_box(&inputs)))
                },
                BatchSize::SmallInput,
            );
        });
    };
    let (robot, home) = robot();
    let mut state = State::blank(robot.joints());
    state.position = home;
    tick("disarmed", Controller::new(robot), state);
    let (law, state) = moving(0.1, true);
    tick("following", law, state);
    let (law, state) = moving(0.4, false);
    tick("limited", law, state);
}

fn inference(c: &mut Criterion) {
    let settings = settings();
    let registry = reflexd::daemon::registry(&settings, PERIOD_S).expect("shipped heads");
    let (_, home) = robot();
    let mut state = State::blank(home.len());
    state.position = home;
    let ask = Ask::standing(RunId(1), TickIndex(1), Nanos(0), state, home);
    let params = berry();
    let mut group = c.benchmark_group("inference");
    for name in registry.names() {
        // A skill that plans has none.
        let Some(head) = registry.head(name) else { continue };
        let mut head = head.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chunk = Chunk::empty(ChunkId(1), RunId(1), HeadDigest(0), TickIndex(0), home.len());
        group.bench_function(name, |bencher| {
            bencher.iter(|| head.infer(black_box(&ask), &params, &mut chunk).expect("an answer"));
        });
    }
}

/// A whole tick of the loop: rings, law, backend, report. Without physics.
fn turn(c: &mut Criterion) {
    let (robot, home) = robot();
    let (ports, _commander, _thinker, mut listener, _switch) = ports();
    let backend = Box::new(Loopback::new(home, PERIOD_S));
    let mut turns = Loop::new(Clock::lockstep(), backend, Controller::new(robot), ports);
    c.bench_function("loop/turn on loopback", |bencher| {
        bencher.iter(|| {
            turns.turn();
            black_box(listener.next(Duration::ZERO))
        });
    });
}

/// A whole tick except physics at its dearest: the head is asked in every tick, and waited for.
fn turn_with_a_head(c: &mut Criterion) {
    let settings = settings();
    let registry = reflexd::daemon::registry(&settings, PERIOD_S).expect("shipped heads");
    let (robot, home) = robot();
    let policy = registry.policy("pick_up", berry()).expect("shipped skill").executing(1);
    let plan = Plan { ticks_max: u64::MAX, ..policy.plan() };
    let (ports, mut commander, thinker, mut listener, switch) = ports();
    let (assign, assignments) = mpsc::channel();
    assign.send(Assignment { run: RunId(1), skill: Box::new(policy) }).expect("a thinker");
    let backend = Box::new(Loopback::new(home, PERIOD_S));
    let mut turns = Loop::new(Clock::lockstep(), backend, Controller::new(robot), ports);
    std::thread::scope(|scope| {
        scope.spawn(move || think(thinker, &assignments, |_| ()));
        turns.turn();
        for what in [What::Arm, What::Begin(Run { plan, ..run() })] {
            assert!(commander.send(order(1, what)));
            turns.turn();
        }
        let mut costs = Vec::new();
        c.bench_function("loop/turn with a head asked", |bencher| {
            bencher.iter(|| {
                let began = Instant::now();
                turns.turn();
                costs.push(began.elapsed());
                while listener.next(Duration::ZERO).is_some() {}
            });
        });
        costs.sort();
        let at =
            |share: f64| costs[((costs.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
        let (median, p99) = (at(0.5), at(0.99));
        let _ = writeln!(
            std::io::stderr(),
            "turn with a head: median {median:.0} us, p99 {p99:.0} us of {} ticks",
            costs.len()
        );
        switch.quit();
    });
}

#[cfg(feature = "mujoco")]
fn world(c: &mut Criterion) {
    use reflex::{
        Backend,
        backend::mujoco::{Mujoco, Renderer},
    };
    use reflexd::evaluation::{Conditions, Evaluation, Stratum, Tasks};

    let settings = settings();
    let (robot, home) = robot();
    let scene = reflexd::daemon::scene(&settings.robot_settings).expect("shipped scene");
    let mut group = c.benchmark_group("mujoco");
    let (mut world, mut spectator) = Mujoco::new(&scene);
    let mut state = State::blank(home.len());
    let mut now = Nanos(0);
    world.read(now, &mut state);
    group.bench_function("a tick of physics", |bencher| {
        bencher.iter(|| {
            now = now.after(50_000_000);
            world.read(now, &mut state);
        });
    });
    let (ports, _commander, _thinker, mut listener, _switch) = ports();
    let (other, _spectator) = Mujoco::new(&scene);
    let mut turns = Loop::new(Clock::lockstep(), Box::new(other), Controller::new(robot), ports);
    group.bench_function("a whole lockstep tick", |bencher| {
        bencher.iter(|| {
            turns.turn();
            black_box(listener.next(Duration::ZERO))
        });
    });
    spectator.look();
    let camera = spectator.camera("front", (320, 240), Renderer::Rays).expect("shipped camera");
    group.bench_function("a picture of 320 x 240", |bencher| {
        bencher.iter(|| black_box(spectator.picture(&camera)));
    });

    let mujoco = settings.robot_settings.mujoco.as_ref().expect("shipped");
    let tasks = Tasks::load(&mujoco.scene).expect("shipped tasks");
    let registry = reflexd::daemon::registry(&settings, PERIOD_S).expect("shipped heads");
    let evaluation = Evaluation {
        robot,
        scene: &scene,
        registry: &registry,
        skill: "pick_up",
        task: "pick_up",
        instruction: None,
        tasks: &tasks,
        stratum: &Stratum::default(),
        conditions: Conditions::default(),
    };
    let mut seed = 0;
    group.sample_size(20);
    group.bench_function("an episode of pick_up in lockstep", |bencher| {
        bencher.iter(|| {
            seed += 1;
            black_box(evaluation.episode(seed).expect("an episode"))
        });
    });
    let tally = evaluation.run(1, 1, |_| {}).expect("an episode");
    group.finish();
    let _ = writeln!(
        std::io::stderr(),
        "episode 1: {:.1} s simulated, {:.0} times real time",
        tally.simulated_s,
        tally.speedup()
    );
}

#[cfg(not(feature = "mujoco"))]
fn world(_: &mut Criterion) {}

criterion_group!(benches, law, turn, inference, turn_with_a_head, world);
criterion_main!(benches);
