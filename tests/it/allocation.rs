//! After start the real-time side neither allocates nor frees.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use motion::{
    Chunk, ChunkId, Controller, Corrected, Correction, CorrectionRule, Epoch, FirstStep,
    HeadDigest, Nanos, Order, OrderId, Plan, Reply, Run, RunId, Seam, Source, StopSource,
    TickIndex, What,
};
use reflex::{Backend, Clock, Delivery, Loop, backend::loopback::Loopback, ports};

use crate::rig::{joints, plain_robot};

struct Counting;

thread_local! {
    static TOUCHED: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has touched the heap so far.
pub(crate) fn touched() -> u64 {
    TOUCHED.get()
}

fn touch() {
    // Threads that are being torn down allocate after their locals are gone: they are not the loop's.
    let _ = TOUCHED.try_with(|touched| touched.set(touched.get() + 1));
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of theirs.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Ten thousand ticks with everything going on: runs, chunks, refusals, stops, faults, a full ring of reports.
///
/// Each run has another plan: every seam, asked ahead, and corrected.
fn ten_thousand_ticks(backend: Box<dyn Backend>, count: usize, step: f64) -> u64 {
    let robot = plain_robot(count);
    let (ports, mut commander, mut thinker, mut listener, switch) = ports();
    let mut corrector = thinker.corrector().expect("nobody has taken it");
    let mut turns = Loop::new(Clock::lockstep(), backend, Controller::new(robot), ports)
        .delivering(Delivery { ticks: 0, jitter_ticks: 2, lost: 0.05, seed: 1 });
    let mut orders = 0;
    let mut order = |what| {
        orders += 1;
        let _ = commander.send(Order { id: OrderId(orders), epoch: Epoch(u64::MAX), what });
    };
    let offset_max = joints(&vec![0.01; count]);
    let rule = CorrectionRule { head: HeadDigest(2), deadline_ns: 0, offset_max };
    let plan = Plan { ticks_max: 400, ..Plan::plain(HeadDigest(1), 4) };
    let ahead = Plan { lead: 3, first_step: FirstStep::TakeOver, ..plan };
    let plans = [
        Plan { seam: Seam::Fade { ticks: 2 }, ..plan },
        Plan { seam: Seam::Ensemble { coefficient: 0.01 }, execute: 1, ..plan },
        Plan { seam: Seam::Prefix { ticks: 1 }, ..ahead },
        Plan { correction: Some(rule), ..plan },
    ];
    let mut seen = [0; 4];
    turns.turn();
    let start = listener.next(std::time::Duration::ZERO).expect("a report").tick.state.position;
    let before = TOUCHED.get();
    let (mut run, mut corrected) = (0, 0);
    for k in 1..10_000u64 {
        match k % 500 {
            1 => order(What::ClearFault),
            2 => order(What::Arm),
            3 => {
                run += 1;
                let id = RunId(run);
                let plan = plans[run as usize % plans.len()];
                order(What::Begin(Run { id, plan, expires: Nanos(u64::MAX) }));
            }
            400 => switch.raise(StopSource(1)),
            450 => {
                if let Some(seen) = switch.raised() {
                    switch.lower(seen);
                }
            }
            _ => {}
        }
        // Lockstep waits for an answer to every ask: give one before it can ask.
        let mut chunk = Chunk::empty(ChunkId(k), RunId(run), HeadDigest(1), TickIndex(k), count);
        for s in 0..8 {
            let mut target = start;
            for value in target.iter_mut() {
                *value += step * ((k + s) as f64 * 0.05).sin();
            }
            chunk.push(&target);
        }
        let _ = thinker.reply(Reply::Chunk(chunk));
        let offset = Some(offset_max);
        let (run_id, tick) = (RunId(run), TickIndex(k));
        let _ = corrector.reply(Correction { run: run_id, tick, head: HeadDigest(2), offset });
        turns.turn();
        if k % 3 == 0 {
            while let Some(report) = listener.next(std::time::Duration::ZERO) {
                let chunk = matches!(report.tick.source, Source::Chunk { .. });
                seen[run as usize % plans.len()] += u64::from(chunk);
                corrected += u64::from(report.tick.corrected == Corrected::Added);
            }
        }
    }
    let touched = TOUCHED.get() - before;
    assert!(corrected > 50 && seen.iter().all(|ticks| *ticks > 50), "{seen:?} {corrected}");
    touched
}

#[test]
fn ten_thousand_ticks_on_loopback_touch_no_heap() {
    let pose = joints(&[0.0; 7]);
    assert_eq!(ten_thousand_ticks(Box::new(Loopback::new(pose, 0.05)), 7, 0.2), 0);
}

/// A FAST tokenizer of two ids: `<` is the coefficient 60, `=` 61.
const TOKENIZER: &str = r#"{
    "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
    "pre_tokenizer": null, "post_processor": null,
    "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
    "model": {
        "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
        "vocab": { "<": 0, "=": 1 }, "merges": []
    }
}"#;

#[test]
fn lowering_a_chunk_touches_no_heap_once_it_is_warm() {
    use reflexd::{action, inference::Values};

    #[derive(serde::Deserialize)]
    struct Output {
        tokens: Vec<action::Tokens>,
        columns: Vec<action::Columns>,
    }
    let output: Output = toml::from_str(
        r#"
        tokens = [
            { codec = "openvla_bins", vocabulary = 32000 },
            { codec = "token_map", file = "map.json", sha256 = "" },
            { codec = "mint_uniform" },
            { codec = "fast", file = "tokenizer.json", sha256 = "", scale = 10.0, min_token = -60 },
        ]
        [[columns]]
        representation = "joint_delta"
        joints = ["a", "b"]
        relative_to = "commanded"
        steps = "cumulative"
        smoothing = 0.2
        normalised = { method = "openpi_quantile", q01 = [-0.1, -0.1], q99 = [0.1, 0.1] }
        [[columns]]
        representation = "gripper"
        joint = "c"
        closed = 0.0
        open = 0.07
        closed_at = -1.0
        open_at = 1.0
        threshold = 0.0
        "#,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let body =
        action::Body { name: "toy".into(), joints: names, limits: Vec::new(), arms: Vec::new() };
    let lowering = || action::Lowering::compile(&output.columns, &body, 0.05).expect("it fits");
    let sizes = action::Sizes { tokens: 12, steps: 4, columns: 3 };
    let files = [None, Some(r#"{"0": 0, "1": 1, "2": 2}"#), None, Some(TOKENIZER)];
    let reading = |(tokens, file): (&action::Tokens, &Option<&str>)| {
        let codec = action::Codec::compile(tokens, file.map(str::as_bytes), sizes);
        lowering().reading(codec.unwrap_or_else(|error| panic!("{error}")))
    };
    let mut heads: Vec<_> = output.tokens.iter().zip(&files).map(reading).collect();
    heads.push(lowering());
    let ids = [[31_999_i64; 12], [2; 12], [300; 12], [1; 12]];
    let numbers = [0.25_f32; 12];
    let mut tensors: Vec<_> = ids.iter().map(|ids| Values::I64(ids)).collect();
    tensors.push(Values::F32(&numbers));
    let at = joints(&[0.0; 3]);
    let start = action::Start { measured: at, commanded: at, velocity: at };
    for (which, (head, tensor)) in heads.iter_mut().zip(tensors).enumerate() {
        let mut lower = || {
            let mut chunk =
                Chunk::empty(ChunkId(1), RunId(1), HeadDigest(1), TickIndex(1), body.joints.len());
            let before = TOUCHED.get();
            head.lower(tensor, &start, &mut chunk).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(chunk.len(), 4);
            TOUCHED.get() - before
        };
        lower();
        assert_eq!(lower(), 0, "codec {which}");
    }
}

/// A head, asked again and again on this thread: observation, network and action.
#[test]
fn a_thousand_answers_of_a_head_touch_no_heap() {
    use motion::{Ask, State};
    use reflexd::{action::Body, config::Settings, daemon, head::Head, observation::Params};

    let settings = Settings::load(&crate::rig::here("config/daemon.toml")).expect("shipped");
    let body = Body::load(&settings.robot_settings).expect("shipped robot");
    let engine = daemon::engine(&settings).expect("run `make setup` first");
    let file = crate::rig::here("models/heads/piper_pick_up.toml");
    let mut head = Head::load(&file, &body, engine).expect("shipped head");
    let home = settings.robot_settings.home().expect("shipped home");
    let mut state = State::blank(home.len());
    state.position = home;
    let ask = Ask::standing(RunId(1), TickIndex(1), Nanos(0), state, home);
    let params = Params { target_x: 0.3, speed_hint: 1.0, radius: 0.018, ..Params::default() };
    let mut chunk = Chunk::empty(ChunkId(1), RunId(1), HeadDigest(0), TickIndex(0), home.len());
    let before = TOUCHED.get();
    for _ in 0..1000 {
        head.infer(&ask, &params, &mut chunk).expect("an answer");
    }
    assert_eq!(TOUCHED.get() - before, 0);
    assert!(!chunk.is_empty());
}

/// A network in ONNX Runtime, which is where those go that are more than dense layers.
#[test]
fn a_thousand_runs_in_onnx_runtime_touch_no_heap() {
    use reflexd::inference::{
        Element, Engine, Placement, Provider, Session, Signature, TensorSpec, find_library,
    };

    let engine =
        Engine::start(&find_library().expect("run `make setup` first")).expect("it starts");
    let model =
        std::fs::read(crate::rig::here("models/heads/piper_pick_up.onnx")).expect("shipped");
    let spec = |name, shape| TensorSpec { name, shape, element: Element::F32 };
    let signature =
        Signature { inputs: &[spec("observation", &[1, 21])], output: spec("action", &[1, 16, 7]) };
    for provider in [Provider::OnnxRuntime, Provider::Cpu] {
        let placement = Placement { provider, ..Placement::default() };
        let mut session = Session::place(engine, &model, &signature, &placement).expect("loads");
        session.run().expect("it runs");
        let before = TOUCHED.get();
        for k in 0..1000 {
            session.input_mut(0)[k % 21] += 0.01;
            session.run().expect("it runs");
        }
        assert_eq!(TOUCHED.get() - before, 0, "{provider:?}");
    }
}

#[test]
fn the_counter_counts() {
    let before = TOUCHED.get();
    drop(std::hint::black_box(vec![1u8; 100]));
    assert_eq!(TOUCHED.get() - before, 2);
}

#[cfg(feature = "mujoco")]
#[test]
fn ten_thousand_ticks_in_mujoco_touch_no_heap() {
    use reflex::backend::mujoco::Mujoco;

    let settings = reflexd::config::Settings::load(&crate::rig::here("config/daemon.toml"));
    let settings = settings.expect("shipped");
    let scene = reflexd::daemon::scene(&settings.robot_settings).expect("shipped scene");
    let (world, mut spectator) = Mujoco::new(&scene);
    assert_eq!(ten_thousand_ticks(Box::new(world), 7, 0.05), 0);
    assert!(spectator.look());
}

/// A rule of attaching takes hold and lets go.
#[cfg(feature = "mujoco")]
#[test]
fn a_thousand_grasps_by_a_rule_touch_no_heap() {
    use motion::State;
    use reflex::backend::mujoco::Mujoco;

    let settings = reflexd::config::Settings::load(&crate::rig::here("config/fireboy.toml"));
    let robot = settings.expect("shipped").robot_settings;
    let scene = reflexd::daemon::scene(&robot).expect("shipped scene");
    let (mut world, _spectator) = Mujoco::new(&scene);
    let names = robot.joint_names();
    let mut pose = scene.home();
    let set = |pose: &mut motion::Joints, joint: &str, value: f64| {
        pose[names.iter().position(|name| name == joint).expect("a joint")] = value;
    };
    // The right hand over the berry.
    for (joint, value) in [("root_x", 0.41), ("root_y", 0.262), ("root_z", 0.12)] {
        set(&mut pose, joint, value);
    }
    let (mut open, mut closed) = (pose, pose);
    for finger in ["finger_R_a", "finger_R_b"] {
        set(&mut open, finger, 0.05);
        set(&mut closed, finger, 0.02);
    }
    let mut state = State::blank(names.len());
    world.read(Nanos(0), &mut state);
    let (before, mut held) = (TOUCHED.get(), 0);
    for k in 1..=1_000 {
        world.pose(if k % 2 == 0 { &open } else { &closed });
        world.read(Nanos(k * 4_000_000), &mut state);
        held += u32::from(world.holds());
    }
    assert_eq!(TOUCHED.get(), before);
    assert_eq!(held, 500, "it takes hold and lets go");
}

/// Where the tool is, measured and commanded, worked out on this thread.
#[test]
fn a_thousand_looks_at_a_tool_touch_no_heap() {
    use motion::{Ask, State};
    use reflexd::{
        action::Body,
        config::Settings,
        observation::{Extra, Feature, FeatureName, Packer, Params, prefix, tool},
    };

    let settings = Settings::load(&crate::rig::here("config/daemon.toml")).expect("shipped");
    let body = Body::load(&settings.robot_settings).expect("shipped robot");
    let axes = tool::AXES.map(str::to_owned);
    let see = |joints| Feature {
        name: FeatureName::ToolPosition,
        items: &axes,
        tool: Some(tool::ToolOf { arm: "arm", joints }),
        rows: prefix::Rows::ONE,
        extra: Extra::None,
        mean: &[0.0; 3],
        std: &[1.0; 3],
        clip: f64::INFINITY,
    };
    let both = [see(tool::Joints::Measured), see(tool::Joints::Commanded)];
    let packer = Packer::compile(both, &body.joints, &body.arms).expect("it fits");
    let state = State::blank(7);
    let mut ask = Ask::standing(RunId(1), TickIndex(1), Nanos(1), state, joints(&[0.1; 7]));
    let (params, mut tensor) = (Params::default(), [0.0; 6]);
    let (before, mut path) = (TOUCHED.get(), 0.0);
    for k in 0..1_000 {
        ask.state.position[1] = f64::from(k) * 1e-3;
        packer.pack(&ask, &params, &mut tensor).expect("it packs");
        path += f64::from(tensor[0]);
    }
    assert_eq!(TOUCHED.get(), before);
    assert!(path.abs() > 1.0, "it moved: {path}");
}

/// A run that remembers: an object that the hand takes and lets go of, stages, and an embedding that is seen anew each time.
#[test]
fn a_thousand_asks_of_a_run_that_remembers_touch_no_heap() {
    use motion::{Ask, State};
    use reflexd::{
        action::Body,
        config::Settings,
        observation::{
            Extra, Feature, FeatureName, Packer, Params, Sight,
            belief::{Belief, Carried, Memory, ObjectRule, StageRule},
            embedding::{Embedding, Slot},
            prefix, tool,
        },
    };

    #[derive(serde::Deserialize)]
    struct Stages {
        stages: Vec<StageRule>,
    }
    fn feature<'a>(
        name: FeatureName,
        items: &'a [String],
        extra: Extra<'a>,
        std: &'static [f64],
    ) -> Feature<'a> {
        let (rows, mean) = (prefix::Rows::ONE, &[0.0; 3][..std.len()]);
        Feature { name, items, tool: None, rows, extra, mean, std, clip: 10.0 }
    }
    let settings = Settings::load(&crate::rig::here("config/daemon.toml")).expect("shipped");
    let body = Body::load(&settings.robot_settings).expect("shipped robot");
    let stages: Stages = toml::from_str(
        "[[stages]]\nname = \"far\"\n[[stages]]\nname = \"near\"\nwhen = [{ of = \"distance\", arm = \"arm\", below = 0.1 }]\n\
         [[stages]]\nname = \"held\"\nwhen = [{ of = \"grasped\", at_least = 1 }]\n",
    )
    .expect("stages");
    let rule = ObjectRule {
        arm: "arm".into(),
        fingers: vec!["gripper".into()],
        closed_below: 0.032,
        empty_below: None,
        reach_m: 0.1,
        carried: Carried::Rigid,
        z_min: Some(0.01),
        mouth: None,
        eaten_within_m: None,
    };
    let belief = Belief::compile(Some(&rule), &stages.stages, &body.joints, &body.arms);
    let belief = belief.expect("it fits");
    let names = ["far", "near", "held"].map(str::to_owned);
    let axes = tool::AXES.map(str::to_owned);
    let features = [
        feature(FeatureName::Stage, &names, Extra::None, &[1.0; 3]),
        feature(FeatureName::ObjectPosition, &axes, Extra::None, &[1.0; 3]),
        feature(FeatureName::Embedding, &[], Extra::Width(16), &[1.0]),
    ];
    let packer = Packer::staged(features, &body.joints, &body.arms, &["far", "near", "held"]);
    let packer = packer.expect("it fits");
    let slot = Slot::holding(Embedding { numbers: [0.5; 16].into(), at_ns: 1 });
    let mut ask =
        Ask::standing(RunId(1), TickIndex(1), Nanos(1), State::blank(7), joints(&[0.1; 7]));
    let at = body.arms[0].x_base_tool(&ask.state.position).translation.vector;
    let params = Params { target_x: at.x, target_y: at.y, target_z: at.z, ..Params::default() };
    let (mut tensor, mut memory) = ([0.0; 22], Memory::default());
    let (before, mut held) = (TOUCHED.get(), 0);
    for k in 0..1_000_u64 {
        ask.tick = TickIndex(k);
        ask.state.position[6] = if k % 10 < 5 { 0.06 } else { 0.02 };
        belief.observe(&ask, &params, &mut memory);
        let object = belief.object(&ask, &params, &memory);
        let newest = slot.newest().expect("it is there");
        let (memory, embedding) = (&memory, &newest.numbers);
        let sight = Sight { ask: &ask, params: &params, memory, object, embedding };
        packer.see(&sight, &mut tensor).expect("it packs");
        held += u64::from(tensor[2] == 1.0);
    }
    assert_eq!(TOUCHED.get(), before);
    assert_eq!(held, 500);
}

#[test]
fn two_robots_that_change_places_touch_no_heap_in_any_tick() {
    use reflex::backend::swap::{BackendId, Newcomer, Outcome, Swap, Terms, Whither, Wish};

    let (count, home) = (7, joints(&[0.2; 7]));
    let robot = || Box::new(Loopback::new(home, 0.05));
    let (ports, mut commander, _thinker, mut listener, switch) = ports();
    let first = Newcomer { id: BackendId(0), backend: robot() };
    let (swap, mut exchange) = Swap::new(first, joints(&[0.005; 7]), switch.clone());
    let law = Controller::new(plain_robot(count));
    let mut turns = Loop::new(Clock::lockstep(), Box::new(swap), law, ports);
    let terms = Terms { tolerance: joints(&[0.02; 7]), rest_ticks: 5, age_max_ns: 200_000_000 };
    let (mut touched, mut orders) = (0, 0);
    let mut seen = [0; 5];
    for k in 0..5_000u32 {
        orders += 1;
        let mut order = |what| {
            let _ = commander.send(Order { id: OrderId(orders), epoch: Epoch(u64::MAX), what });
        };
        let newcomer = || Newcomer { id: BackendId(k), backend: robot() };
        let guard = (k % 200 < 100).then_some(terms);
        let (if_refused, old) = match k % 3 {
            0 => (Whither::Out, Whither::Out),
            1 => (Whither::Stay, Whither::Out),
            _ => (Whither::Stay, Whither::Stay),
        };
        match k % 100 {
            1 => order(What::ClearFault),
            2 => order(What::Arm),
            5 | 20 | 40 | 60 => {
                let _ = exchange.ask(Wish::Shadow { newcomer: newcomer(), guard });
            }
            6 | 25 | 45 | 65 | 80 => {
                let _ = exchange.ask(Wish::Promote { terms, if_refused, old });
            }
            50 => drop(exchange.ask(Wish::Withdraw)),
            // Before who came on guard can be promoted.
            62 => order(What::Disarm),
            85 => switch.raise(StopSource(1)),
            98 => {
                let _ = switch.raised().is_some_and(|seen| switch.lower(seen));
            }
            _ => {}
        }
        let before = TOUCHED.get();
        turns.turn();
        touched += TOUCHED.get() - before;
        // Now and then nobody looks for a long while, and everything is full.
        if k % 1_000 < 700 {
            while listener.next(std::time::Duration::ZERO).is_some() {}
            while let Some(told) = exchange.told() {
                let which = match told.outcome {
                    Outcome::Shadowing => 0,
                    Outcome::Promoted => 1,
                    Outcome::Withdrawn => 2,
                    Outcome::Disturbed => 3,
                    Outcome::Refused(_) => 4,
                };
                seen[which] += 1;
            }
            while exchange.retired().is_some() {}
            let _ = exchange.divergence();
        }
    }
    assert!(seen.iter().all(|times| *times > 5), "{seen:?}");
    assert_eq!(touched, 0);
}
