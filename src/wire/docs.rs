//! `docs/zenoh.md`, made from the table, so that it cannot tell of another daemon.

use std::fmt::Write;

use super::{Key, Kind, TABLE};

const HEAD: &str = "# reflexd on zenoh

<!-- Made from src/wire/keys.rs. After a change: REFLEX_WRITE_DOCS=1 cargo test --test it docs -->

Every key begins with `reflex/<robot>/`. Payloads are JSON, at most 64 KiB, units in the field names; the encoding names
the schema, as in `application/json;schema=reflex.goto.v1`. Who may send to a key, how often, and how messages are signed is in
[security.md](security.md). The daemon listens on `tcp/127.0.0.1:7447` unless its
configuration says otherwise, and looks for nobody by itself.

**Commands** are best sent as queries (`get` with a payload): each is answered with
`{\"v\":1,\"accepted\":true,\"reason\":null,\"state_seq\":123}`, where `state_seq` is the tick whose state already shows the
effect. A `put` does the same without an answer. An empty payload is an empty object. A message that is too long, not
UTF-8, not JSON, of another version (`v`, if given, is 1), or with an unknown field or a value out of range moves
nothing; it is counted, logged with sender and key, and answered with the reason. So is a wildcard: looking around with
`reflex/**` commands nothing. No answer at all means that nobody carried it out *or* that the answer was lost: look at
`state/mode`.

**Decisions** are answered with
`{\"v\":1,\"decision_id\":\"...\",\"verdict\":\"accepted\",\"reason\":null,\"run\":7,\"superseded_run\":null,\"state_seq\":123}`;
the verdict is `accepted` or `refused`. `superseded_run` is the run that this one took over from; that a run was itself
superseded, `state/skill` tells as its ending.

**Instructions** are answered with
`{\"v\":1,\"accepted\":true,\"reason\":null,\"instruction_id\":\"...\",\"next\":\"embedding\",\"state_seq\":123}`: `next` is what is
waited for, or `held`. What comes of it, `state/instruction` tells.

**State** carries `v`, `seq` (the tick) and `at_ns` (the loop's clock). A `get` on its key has the present at once; values
that are not finite are `null`. Units are rad and rad/s for revolute joints, m and m/s for prismatic ones, metres in the
robot's base frame for positions.
";

/// The documentation of every key.
#[must_use]
pub fn docs() -> String {
    let mut page = String::from(HEAD);
    for (title, kinds) in SECTIONS {
        table(&mut page, title, |key| kinds.contains(&key.kind));
    }
    page.push_str("\n## Examples\n");
    for key in TABLE.iter().filter(|key| !key.schema.is_empty()) {
        example(&mut page, key);
    }
    page
}

const SECTIONS: [(&str, &[Kind]); 3] = [
    ("In", &[Kind::Stop, Kind::Command, Kind::Decision, Kind::Instruction, Kind::Fed, Kind::Beat]),
    ("Out", &[Kind::Stream, Kind::Present, Kind::Happening, Kind::Shared]),
    ("Asked", &[Kind::Question, Kind::Info, Kind::Alive, Kind::Watched]),
];

// Writing to a String cannot fail.
fn table(page: &mut String, title: &str, belongs: impl Fn(&Key) -> bool) {
    let _ = write!(page, "\n## {title}\n\n| key | kind | schema | what |\n|---|---|---|---|\n");
    for key in TABLE.iter().filter(|key| belongs(key)) {
        let schema = if key.schema.is_empty() { "" } else { &format!("`{}`", key.schema) };
        let _ = writeln!(
            page,
            "| `{}` | {} | {schema} | {} |",
            key.name,
            key.kind.describe(),
            key.what
        );
    }
}

fn example(page: &mut String, key: &Key) {
    let _ = write!(page, "\n`{}`\n```json\n{}\n```\n", key.name, (key.example)());
}

/// Examples that are made by the code that makes the real ones.
pub(super) mod samples {
    use motion::{
        ChunkId, Corrected, Drive, Epoch, Events, HeadDigest, Health, JointLimits, Joints, Limits,
        MAX_JOINTS, Mode, Nanos, RunId, Source, State, Tick, TickIndex,
        failsafe::{Conditions, Verdict},
    };

    use reflex::backend::swap::{BackendId, Divergence};

    use crate::{
        observation::Params,
        operator::{LeaseTold, Odd, Present, Running},
        router::{Entry, Fate, Instruction, Thing},
        wire::{
            BUCKETS, BackendMessage, EventMessage, Pose, Quantiles, ShadowMessage, Shape,
            TimingMessage, backend, heard, state,
        },
    };

    pub(in crate::wire) const DECISION: &str = r#"{"v":1,"decision_id":"router-42","skill":"pick_up","params":{"target_x":0.3,"target_y":0.1,"target_z":0.02,"radius":0.018,"speed_hint":1.0,"object_is_berry":true},"neural_skill":"pick_up","raw_params":{"target_x":0.31,"target_y":0.09,"target_z":0.02,"radius":0.02,"speed_hint":1.1,"object_is_berry":0.98},"confidence":0.97,"instruction":"pick up the berry","instruction_id":"ada-7","observed_tick":1233,"ttl_ms":1000,"source":"router"}"#;

    pub(in crate::wire) const INSTRUCTION: &str = r#"{"text":"go find the berry and eat it","target":{"x":0.4,"y":-0.1,"z":0.3},"operator":"ada"}"#;

    pub(in crate::wire) const ROUTER: &str = r#"{"v":1,"head":"fireboy_router","encoder":{"name":"words","prompt":"{instruction}","fingerprint":"cb1554c7..."},"where":"daemon","router_alive":false,"instructions":{"heard":4,"began":3,"held":1},"embeddings":{"own":3},"stabilisers":{"target":3,"skill":1},"out_of_distribution":{"count":0,"last":[]},"latency_ms":{"encode":{"count":3,"last":0.1,"mean":0.1,"max":0.2},"head":{"count":3,"last":0.4,"mean":0.4,"max":0.5},"answer":{"count":3,"last":52.1,"mean":49.0,"max":55.2}}}"#;

    pub(in crate::wire) const SKILL: &str = r#"{"name":"pick_up","params":{"target_x":0.3,"target_y":0.1,"target_z":0.02},"operator":"ada"}"#;

    pub(in crate::wire) const REGISTRY: &str = r#"{"file":"models/policy_registry.json","skills":{"pick_up":{"aliases":["grab"],"runs":"piper_pick_up","duration_max_s":15.0,"bounds":{"target_x_m":[0.15,0.55],"target_y_m":[-0.25,0.25],"target_z_m":[0.0,0.05],"radius_m":[0.001,0.1],"speed_hint":[0.01,1.0]},"policies":[{"name":"piper_pick_up","status":"active","lane":"reflex","resident":true,"manifest_sha256":"3ceae50f...","onnx_sha256":"d17719e5...","evaluation":{"episodes":200,"successes":200,"conditions":"...","command":"reflexd eval --skill pick_up"}}],"trial":null}},"shadows":[]}"#;

    pub(in crate::wire) fn backend() -> String {
        let told = BackendMessage {
            seq: 1234,
            at_ns: 61_700_000_000,
            active: "loopback",
            shadow: Some("mujoco"),
            bus: None,
            since_seq: 1200,
            since_at_ns: 60_000_000_000,
        };
        state::version(&backend::backend(&told))
    }

    pub(in crate::wire) fn shadow() -> String {
        let joints = |values: [f64; 2]| Joints::from_slice(&values).unwrap_or(Joints::zeros(0));
        let divergence = Divergence {
            at: Nanos(61_700_000_000),
            active: BackendId(1),
            shadow: BackendId(2),
            health: Health::Good,
            engaged: true,
            difference: Some(joints([0.0012, -0.0004])),
            most: joints([0.0131, 0.0052]),
            lost: 0,
        };
        let told = ShadowMessage {
            seq: 1234,
            at_ns: 61_700_000_000,
            active: "loopback",
            shadow: Some("mujoco"),
            names: vec!["joint1".into(), "joint2".into()],
            divergence: Some(divergence),
        };
        state::version(&backend::shadow(&told))
    }

    pub(in crate::wire) const SHADOW: &str = r#"{"v":1,"shadows":[{"skill":"pick_up","active":"piper_pick_up","shadow":"piper_pick_up_2","budget_ms":5.0,"runs":12,"chunks":131,"skipped":0,"refused":0,"last_refusal":null,"latency_us":[58,171,402],"joints":["joint1","joint2"],"rms_rad_or_m":[0.0021,0.0034],"max_rad_or_m":[0.011,0.017],"criteria":[{"name":"chunks","needed":"at least 100","found":"131","holds":true}]}]}"#;

    fn shape() -> Shape {
        let limits = JointLimits {
            position_min: -2.6,
            position_max: 2.6,
            velocity_max: 3.0,
            acceleration_max: 8.0,
            jerk_max: 80.0,
            step_max: 0.5,
            divergence_max: 0.3,
            gripper: false,
        };
        Shape { joints: ["joint1".to_owned(), "joint2".to_owned()].into(), limits: vec![limits; 2] }
    }

    fn present() -> Present {
        let run = |run, decision_id: Option<&str>| Running {
            run,
            skill: "pick_up".into(),
            params: Params {
                target_x: 0.3,
                target_y: 0.1,
                target_z: 0.02,
                radius: 0.018,
                speed_hint: 1.0,
                object_is_berry: true,
            },
            policy: Some("piper_pick_up".into()),
            decision_id: decision_id.map(Into::into),
            source: "router".into(),
            odd: Odd::default(),
        };
        let mut before = run(6, None);
        before.odd = Odd { asks: 12, numbers: 1, input: Some("decision.target_z".into()) };
        let joints = |values: [f64; 2]| Joints::from_slice(&values).unwrap_or(Joints::zeros(2));
        let mut limited_by = [Limits::default(); MAX_JOINTS];
        limited_by[1] = Limits::VELOCITY;
        Present {
            tick: Tick {
                tick: TickIndex(1234),
                at: Nanos(61_700_000_000),
                mode: Mode::Moving { run: RunId(7) },
                epoch: Epoch(3),
                drive: Drive::On,
                trouble: None,
                conditions: Conditions::NONE,
                verdict: Verdict::default(),
                state: State {
                    sampled_at: Nanos(61_699_000_000),
                    position: joints([0.21, 0.79]),
                    velocity: joints([0.1, 0.5]),
                    ..State::blank(2)
                },
                requested: joints([0.22, 0.95]),
                applied: joints([0.22, 0.94]),
                limited_by,
                barred: None,
                source: Source::Chunk {
                    chunk: ChunkId(88),
                    head: HeadDigest(0x3f2a_91c0_77de_0b15),
                    step: 3,
                },
                corrected: Corrected::NotWanted,
                events: Events::default(),
            },
            run: Some(run(7, Some("router-42"))),
            last_run: Some((before, "superseded".into())),
            trouble: None,
            lease: LeaseTold {
                required: false,
                holder: Some(("ada".into(), 812_034)),
                since: Some(Nanos(42_000_000_000)),
                until: Some(Nanos(66_650_000_000)),
                heard: Some(Nanos(61_650_000_000)),
            },
        }
    }

    pub(in crate::wire) fn lease() -> String {
        told("state/lease", &present())
    }

    fn told(name: &str, present: &Present) -> String {
        state::tell(name, present, &shape())
            .map_or_else(String::new, |body| state::stamp(&body, present))
    }

    pub(in crate::wire) fn joints() -> String {
        told("state/joints", &present())
    }

    pub(in crate::wire) fn chunk() -> String {
        told("state/chunk", &present())
    }

    pub(in crate::wire) fn mode() -> String {
        told("state/mode", &present())
    }

    pub(in crate::wire) fn fault() -> String {
        let mut present = present();
        present.tick.mode =
            Mode::Faulted { why: motion::Fault::GrossJump { joint: 1 }, at: TickIndex(1230) };
        present.trouble =
            Some("joint2 was asked to jump; look at the head, then `reflexctl clear-fault`".into());
        told("state/fault", &present)
    }

    pub(in crate::wire) fn skill() -> String {
        told("state/skill", &present())
    }

    pub(in crate::wire) fn limits() -> String {
        told("state/limits", &present())
    }

    pub(in crate::wire) fn tool() -> String {
        let pose = Pose { position_m: [0.3, 0.1, 0.2], quaternion_xyzw: [0.0, 1.0, 0.0, 0.0] };
        state::stamp(&pose, &present())
    }

    pub(in crate::wire) fn timing() -> String {
        let mut counts = [0; BUCKETS];
        counts[5..8].copy_from_slice(&[800, 420, 15]);
        let lateness = Quantiles {
            p50_us: 61.0,
            p99_us: 88.0,
            p99_9_us: 140.0,
            max_us: 212.0,
            counts_below_2_4_8_us: counts,
        };
        let mut counts = [0; BUCKETS];
        counts[7..9].copy_from_slice(&[1100, 135]);
        let execution = Quantiles {
            p50_us: 210.0,
            p99_us: 390.0,
            p99_9_us: 480.0,
            max_us: 505.0,
            counts_below_2_4_8_us: counts,
        };
        state::version(&TimingMessage { lateness, execution, ticks: 1235, ..Default::default() })
    }

    pub(in crate::wire) fn event() -> String {
        state::version(&EventMessage {
            who: "ada".into(),
            key: "reflex/piper/cmd/arm".into(),
            what: "arm".into(),
            outcome: "accepted".into(),
            reason: None,
            at_ns: 61_700_000_000,
        })
    }

    pub(in crate::wire) fn objects() -> String {
        state::version(&heard::things_told(&[berry()], 61_700_000_000))
    }

    fn berry() -> Thing {
        let position_m = [0.3, 0.1, 0.018];
        Thing { name: "berry".into(), position_m, radius_m: 0.018, is_berry: true }
    }

    pub(in crate::wire) fn instruction() -> String {
        let said = Instruction {
            id: "ada-7".into(),
            text: "go find the berry and eat it".into(),
            operator: Some("ada".into()),
            target: None,
            things: Vec::new(),
            force_neural: false,
            ttl_ms: 5000,
        };
        let (at_ns, until_ns) = (61_700_000_000, 63_700_000_000);
        let fate = Fate::Began { run: 7 };
        let entry = Entry { said, at_ns, tick: 1234, epoch: Epoch(3), until_ns, fate };
        let decided = serde_json::json!({
            "decision_id": "ada-7", "skill": "find_and_eat_berry", "neural_skill": "find_and_eat_berry",
            "confidence": 0.99, "changes": [{ "what": "target", "of": "berry" }], "out_of_distribution": [],
        });
        state::version(&heard::instruction_told(&entry, &decided))
    }
}
