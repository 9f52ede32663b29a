//! From what is said to what is done: real daemons, real routers, real sessions; and whatever a router may do wrong.

mod fixture;
mod paraphrases;
#[cfg(feature = "mujoco")]
mod whole;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::{Value, json};
use zenoh::{Session, Wait, liveliness::LivelinessToken};

use crate::{
    daemon::{Daemon, PATIENCE, fail_to_start, wait},
    rig::here,
    wire::house::free_endpoint,
};
use fixture::{daemon, embed, words};

const EAT: &str = "go find the berry and eat it";

/// Anybody with a zenoh session.
struct Stranger(Session);

impl Stranger {
    fn beside(daemon: &Daemon) -> Self {
        let mut config = zenoh::Config::default();
        for (key, value) in [
            ("mode", json!("client")),
            ("connect/endpoints", json!([daemon.endpoint])),
            ("scouting/multicast/enabled", json!(false)),
            ("scouting/gossip/enabled", json!(false)),
        ] {
            config.insert_json5(key, &value.to_string()).expect("a good setting");
        }
        Self(zenoh::open(config).wait().expect("a daemon listens"))
    }

    /// Tells where a berry and a post are.
    fn tell_of_things(&self) {
        let things = json!({ "objects": [
            { "name": "berry", "x": 0.35, "y": 0.05, "z": 0.018, "radius": 0.018, "is_berry": true },
            { "name": "post", "x": 0.3, "y": -0.1, "z": 0.02, "radius": 0.02 },
        ] });
        self.0.put("reflex/piper/objects", things.to_string()).wait().expect("open");
    }

    /// Says that it is a router, for as long as the token is kept.
    fn pose_as_router(&self, daemon: &Daemon) -> LivelinessToken {
        let token = self.0.liveliness().declare_token("reflex/piper/router").wait().expect("open");
        daemon.wait_for("diag/router", |told| told["router_alive"] == true);
        token
    }

    fn embed(&self, id: &str, text: &str, at_ns: u64) {
        self.embed_by(id, text, at_ns, &words().fingerprint);
    }

    fn embed_by(&self, id: &str, text: &str, at_ns: u64, fingerprint: &str) {
        let bytes: Vec<u8> = embed(text).iter().flat_map(|number| number.to_le_bytes()).collect();
        let said = json!({ "v": 1, "at_ns": at_ns, "instruction_id": id, "instruction": text,
            "encoder": "words", "fingerprint": fingerprint, "latency_ms": 1.0 });
        let put = self.0.put("reflex/piper/embedding", bytes).attachment(said.to_string());
        put.wait().expect("open");
    }
}

fn now_ns(daemon: &Daemon) -> u64 {
    daemon.says("state/joints")["at_ns"].as_u64().expect("a time")
}

/// Says something that is to be thought about; its id.
fn say(daemon: &Daemon, text: &str) -> String {
    let answer = daemon.ask("instruction", &json!({ "text": text, "operator": "ada" }));
    assert_eq!(answer["accepted"], true, "{answer}");
    answer["instruction_id"].as_str().expect("an id").to_owned()
}

/// What became of an instruction.
fn fate(daemon: &Daemon, id: &str) -> Value {
    daemon.wait_for("state/instruction", |told| {
        told["instruction_id"] == id
            && !["waiting", "deciding"].iter().any(|open| told["outcome"] == *open)
    })
}

fn count(daemon: &Daemon, group: &str, name: &str) -> u64 {
    daemon.says("diag/router")[group][name].as_u64().unwrap_or_default()
}

fn wait_for_count(daemon: &Daemon, group: &str, name: &str, least: u64) {
    daemon.wait_for("diag/router", |told| told[group][name].as_u64() >= Some(least));
}

/// A real router.
struct Router(Child);

impl Router {
    fn start(daemon: &Daemon, config: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reflexd-router"));
        command.current_dir(here("")).args(["run", "--connect", &daemon.endpoint, "--config"]);
        command.arg(config).args(more).stdin(Stdio::null()).stdout(Stdio::piped());
        // From here on it is ended with the test, however that ends.
        let mut router = Self(command.spawn().expect("reflexd-router was built"));
        let mut line = String::new();
        let out = router.0.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut line).expect("it says that it is ready");
        assert!(line.contains(&daemon.endpoint), "{line}");
        daemon.wait_for("diag/router", |told| told["router_alive"] == true);
        router
    }

    fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn with_nothing_but_the_daemon_words_become_runs() {
    let (daemon, _) = daemon("");
    let stranger = Stranger::beside(&daemon);
    let early = daemon.refused("instruction", &json!({ "text": EAT }));
    assert!(early.contains("arm it first"), "{early}");
    daemon.arm();
    let nothing = fate(&daemon, &say(&daemon, EAT));
    assert_eq!(nothing["outcome"], "refused", "nobody told where a berry is: {nothing}");
    assert!(nothing["reason"].as_str().is_some_and(|why| why.contains("objects")), "{nothing}");
    stranger.tell_of_things();
    for (text, skill) in [
        ("walk to the post", "walk_to"),
        ("run around", "run_around"),
        ("pick up the berry", "pick_up"),
        (EAT, "find_and_eat_berry"),
    ] {
        // What lies about may still be on its way.
        let begun = Instant::now();
        let told = loop {
            let told = fate(&daemon, &say(&daemon, text));
            if told["outcome"] == "began" {
                break told;
            }
            assert!(begun.elapsed() < PATIENCE, "{told}");
        };
        let decided = &told["decided"];
        assert_eq!((&decided["skill"], &decided["neural_skill"]), (&json!(skill), &json!(skill)));
        assert!(decided["confidence"].as_f64() > Some(0.6), "{told}");
        assert_eq!(decided["raw_params"]["target_x"].as_f64().map(|x| x as f32), Some(0.36));
        let running = daemon.wait_for("state/skill", |told| told["running"]["run"].is_u64());
        assert_eq!(running["running"]["skill"], skill);
        assert_eq!(running["running"]["source"], "router");
    }
    wait_for_count(&daemon, "instructions", "began", 4);
    assert!(count(&daemon, "stabilisers", "target") >= 4);
    assert!(count(&daemon, "stabilisers", "no_target") >= 1);
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn standing_still_needs_no_router_and_nonsense_begins_nothing() {
    let (daemon, _) = daemon("");
    let stranger = Stranger::beside(&daemon);
    stranger.tell_of_things();
    daemon.arm();
    for (text, reason) in [("asdf qwerty zxcv", "known"), ("dance for me", "picks up and eats")] {
        let refused = daemon.refused("instruction", &json!({ "text": text }));
        assert!(refused.contains(reason), "{text}: {refused}");
    }
    let unsure = fate(&daemon, &say(&daemon, "the red berry over there"));
    assert_eq!(unsure["outcome"], "refused", "{unsure}");
    assert!(unsure["reason"].as_str().is_some_and(|why| why.contains("not sure")), "{unsure}");
    for bad in [
        json!({}),
        json!({ "text": "" }),
        json!({ "text": "run", "skill": "run_around" }),
        json!({ "text": "run", "ttl_ms": -1 }),
        json!({ "text": "run", "target": { "x": 1.0 } }),
        json!({ "text": "run", "v": 3 }),
    ] {
        daemon.refused("instruction", &bad);
    }
    let twice = json!({ "text": "run around", "instruction_id": "once" });
    daemon.must("instruction", &twice);
    assert!(daemon.refused("instruction", &twice).starts_with("duplicate"));
    assert_eq!(fate(&daemon, "once")["outcome"], "began");
    daemon.wait_for_mode("moving");
    let held = daemon.ask("instruction", &json!({ "text": "Stop, please!" }));
    assert_eq!((&held["accepted"], &held["next"]), (&json!(true), &json!("held")), "{held}");
    daemon.wait_for_mode("holding");
    assert_eq!(daemon.says("state/skill")["last"]["ending"], "stopped");
}

#[test]
fn it_happens_where_somebody_points() {
    let (daemon, _) = daemon("");
    daemon.arm();
    // Nothing is known to lie about, and nothing has to be.
    let there = json!({ "text": "pick it up", "target": { "x": 0.3, "y": 0.1, "z": 0.02 },
        "instruction_id": "there", "force_neural_skill": true });
    daemon.must("instruction", &there);
    let told = fate(&daemon, "there");
    assert_eq!(told["outcome"], "began", "{told}");
    assert_eq!(told["decided"]["params"]["target_y"], 0.1, "{told}");
    assert_eq!(told["decided"]["changes"][0]["of"], "the instruction");
    let outside = json!({ "text": "pick it up", "target": { "x": 3.0, "y": 0.1, "z": 0.02 },
        "instruction_id": "outside" });
    daemon.must("instruction", &outside);
    let told = fate(&daemon, "outside");
    assert_eq!(told["outcome"], "refused", "a place out of reach is not moved into reach: {told}");
    let known = json!({ "text": "pick it up", "instruction_id": "known",
        "objects": [{ "name": "berry", "x": 0.34, "y": -0.05, "z": 0.02, "radius": 0.02, "is_berry": true }] });
    daemon.must("instruction", &known);
    assert_eq!(fate(&daemon, "known")["decided"]["params"]["target_y"], -0.05);
}

#[test]
fn a_frame_from_before_an_e_stop_begins_nothing() {
    let (daemon, _) = daemon("timeout_ms = 1500");
    let stranger = Stranger::beside(&daemon);
    stranger.tell_of_things();
    daemon.arm();
    let _token = stranger.pose_as_router(&daemon);
    let id = say(&daemon, EAT);
    let before = now_ns(&daemon);
    daemon.must("cmd/estop", &json!({}));
    daemon.wait_for_mode("estopped");
    stranger.embed(&id, EAT, before);
    assert_eq!(fate(&daemon, &id)["outcome"], "void");
    let why = daemon.refused("instruction", &json!({ "text": EAT }));
    assert!(why.contains("clear_fault"), "{why}");
    daemon.must("cmd/clear_fault", &json!({}));
    daemon.arm();
    let id = say(&daemon, EAT);
    stranger.embed(&id, EAT, before);
    wait_for_count(&daemon, "embeddings", "before_the_last_stop", 1);
    assert_eq!(daemon.says("state/mode")["mode"], "holding");
    assert_eq!(fate(&daemon, &id)["outcome"], "expired");
}

#[test]
fn whatever_a_router_sends_the_robot_goes_on_or_holds() {
    let (daemon, _) = daemon("timeout_ms = 1500");
    let stranger = Stranger::beside(&daemon);
    stranger.tell_of_things();
    daemon.arm();
    let _token = stranger.pose_as_router(&daemon);
    // Of another encoder: refused, with both fingerprints.
    let id = say(&daemon, EAT);
    stranger.embed_by(&id, EAT, now_ns(&daemon), &"ab".repeat(32));
    let other = fate(&daemon, &id);
    assert_eq!(other["outcome"], "refused");
    let why = other["reason"].as_str().expect("a reason");
    assert!(why.contains(&"ab".repeat(32)) && why.contains(&words().fingerprint), "{why}");
    // Silent: its time is over, and the robot stands.
    let id = say(&daemon, EAT);
    let silent = fate(&daemon, &id);
    assert_eq!(silent["outcome"], "expired", "{silent}");
    assert_eq!(daemon.says("state/mode")["mode"], "holding");
    // Too late: nobody waits any more.
    stranger.embed(&id, EAT, now_ns(&daemon));
    wait_for_count(&daemon, "embeddings", "not_waited_for", 1);
    assert_eq!(daemon.says("state/mode")["mode"], "holding");
    // Nonsense and floods, then the right one.
    let id = say(&daemon, EAT);
    let at_ns = now_ns(&daemon);
    for k in 0..2000 {
        stranger.0.put("reflex/piper/embedding", vec![0_u8; k]).wait().expect("open");
        stranger.embed("another", EAT, at_ns);
    }
    stranger.embed(&id, EAT, u64::MAX);
    stranger.embed(&id, EAT, at_ns);
    let began = fate(&daemon, &id);
    // On a busy machine the flood may outlast the instruction; never is anything else begun.
    assert!(began["outcome"] == "began" || began["outcome"] == "expired", "{began}");
    let id = say(&daemon, EAT);
    stranger.embed(&id, EAT, now_ns(&daemon));
    assert_eq!(fate(&daemon, &id)["outcome"], "began");
    // Out of order: about an earlier moment than one that was seen already.
    daemon.wait_for_mode("moving");
    let run = daemon.says("state/skill")["running"]["run"].clone();
    let id = say(&daemon, "run around");
    stranger.embed("another", EAT, now_ns(&daemon));
    stranger.embed(&id, "run around", at_ns);
    wait_for_count(&daemon, "embeddings", "out_of_order", 1);
    assert_eq!(fate(&daemon, &id)["outcome"], "expired");
    assert_eq!(daemon.says("state/skill")["running"]["run"], run, "the run goes on");
    // A stop: the instruction is void, and so is what was seen before.
    let id = say(&daemon, "run around");
    let before = now_ns(&daemon);
    daemon.must("cmd/hold", &json!({}));
    assert_eq!(fate(&daemon, &id)["outcome"], "void");
    daemon.wait_for_mode("holding");
    let id = say(&daemon, "run around");
    stranger.embed(&id, "run around", before);
    wait_for_count(&daemon, "embeddings", "before_the_last_stop", 1);
    assert_eq!(daemon.says("state/mode")["mode"], "holding");
    let late = json!({ "v": 1, "decision_id": "late", "skill": "run_around", "observed_at_ns": before,
        "params": { "target_x": 0.3, "target_y": 0.0, "target_z": 0.02, "radius": 0.06 },
        "ttl_ms": 60000, "source": "router" });
    let why = daemon.refused("decision", &late);
    assert!(why.starts_with("before the last stop"), "{why}");
}

#[test]
fn a_real_router_is_waited_for_and_not_missed() {
    let (daemon, config) = daemon("timeout_ms = 3000");
    let stranger = Stranger::beside(&daemon);
    stranger.tell_of_things();
    daemon.arm();
    let mut router = Router::start(&daemon, &config, &["--json"]);
    let answer = daemon.ask("instruction", &json!({ "text": "pick up the berry" }));
    assert_eq!(answer["next"], "embedding", "{answer}");
    let told = fate(&daemon, answer["instruction_id"].as_str().expect("an id"));
    assert_eq!((&told["outcome"], &told["decided"]["skill"]), (&json!("began"), &json!("pick_up")));
    wait_for_count(&daemon, "embeddings", "taken", 1);
    // Frozen: it is there, and silent.
    router.signal("-STOP");
    let frozen = fate(&daemon, &say(&daemon, "run around"));
    let outcome = frozen["outcome"].as_str().expect("an outcome");
    // Zenoh may notice first that nothing lives there; then the daemon has helped itself.
    assert!(["expired", "began"].contains(&outcome), "{frozen}");
    assert!(["moving", "holding"].iter().any(|m| daemon.says("state/mode")["mode"] == *m));
    // Killed: the daemon helps itself.
    router.signal("-KILL");
    let _ = wait(&mut router.0, "SIGKILL");
    daemon.wait_for("diag/router", |told| told["router_alive"] == false);
    let alone = daemon.ask("instruction", &json!({ "text": EAT }));
    assert_eq!(alone["next"], "decision", "{alone}");
    let told = fate(&daemon, alone["instruction_id"].as_str().expect("an id"));
    assert_eq!(told["outcome"], "began", "{told}");
}

#[test]
fn where_the_process_decides_it_decides_once() {
    let (daemon, config) = daemon("where = \"process\"\ntimeout_ms = 3000");
    let stranger = Stranger::beside(&daemon);
    stranger.tell_of_things();
    daemon.arm();
    let alone = daemon.refused("instruction", &json!({ "text": EAT }));
    assert!(alone.contains("reflexd-router run"), "{alone}");
    let mut router = Router::start(&daemon, &config, &["--decide"]);
    // What lies about is told once: a router that came later has to be told again.
    stranger.tell_of_things();
    let begun = Instant::now();
    let (id, told) = loop {
        let id = say(&daemon, EAT);
        let told = fate(&daemon, &id);
        if told["outcome"] == "began" {
            break (id, told);
        }
        assert!(begun.elapsed() < PATIENCE, "{told}");
        stranger.tell_of_things();
    };
    assert_eq!(told["decided"]["skill"], "find_and_eat_berry", "{told}");
    let again = json!({ "v": 1, "decision_id": "again", "skill": "run_around", "instruction_id": id,
        "params": { "target_x": 0.3, "target_y": 0.0, "target_z": 0.02, "radius": 0.06 },
        "ttl_ms": 1000, "source": "router" });
    assert!(daemon.refused("decision", &again).contains("decided about before"));
    router.signal("-TERM");
    assert_eq!(wait(&mut router.0, "SIGTERM").code(), Some(0));
}

#[test]
fn a_head_for_another_encoder_stops_the_start() {
    let fingerprint = words().fingerprint;
    for (from, to, told) in [
        (fingerprint.as_str(), &*"cd".repeat(32), "encoder.fingerprint"),
        ("robot = \"piper\"", "robot = \"fireboy\"", "fireboy"),
        ("clip = 10.0", "clip = -1.0", "clip"),
        ("hand = \"arm\"", "hand = \"foot\"", "state.hand"),
        ("tolerance = 1e-3", "tolerance = 1.0", "tolerance"),
        ("params = [0.36", "params = [0.46", "golden[0].params[0]"),
        ("joints = [\"gripper\"]", "joints = [\"tail\"]", "state.body[3].joints"),
        ("sha256 = \"", "sha256 = \"00", "sha256"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let head = fixture::head(folder.path(), |manifest| manifest.replace(from, to));
        let config = fixture::config(folder.path(), &head, "");
        let (code, error) = fail_to_start(&config, &free_endpoint(), &[]);
        assert_eq!(code, Some(4), "{to}: {error}");
        assert!(error.contains(told), "{to}: {error}");
    }
}

#[test]
fn reflexctl_says_and_waits() {
    let (daemon, _) = daemon("");
    let stranger = Stranger::beside(&daemon);
    stranger.tell_of_things();
    daemon.arm();
    let reflexctl = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
        command.args(["--connect", &daemon.endpoint, "--operator", "ada", "--timeout-ms", "9000"]);
        command.args(args).output().expect("reflexctl was built")
    };
    let refused = reflexctl(&["say", "asdf qwerty"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let begun = reflexctl(&["say", EAT]);
    assert_eq!(begun.status.code(), Some(0), "{begun:?}");
    daemon.wait_for_mode("moving");
    let held = reflexctl(&["say", "hold still", "--wait"]);
    assert_eq!(held.status.code(), Some(0), "{held:?}");
    assert!(String::from_utf8_lossy(&held.stdout).contains("the robot holds"), "{held:?}");
    let unsure = reflexctl(&["say", "the red berry", "--wait"]);
    assert_eq!(unsure.status.code(), Some(1), "{unsure:?}");
    assert!(String::from_utf8_lossy(&unsure.stdout).contains("not sure"), "{unsure:?}");
}

#[test]
fn embed_writes_what_numpy_reads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("two.npy");
    let embed_lines = |lines: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reflexd-router"));
        command.args(["embed", "--out"]).arg(&out);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("reflexd-router was built");
        child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("it reads");
        child.wait_with_output().expect("our own child")
    };
    let done = embed_lines("go find the berry and eat it\nrun around\n");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let told: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!((&told["rows"], &told["encoder"]["name"]), (&json!(2), &json!("words")));
    let bytes = std::fs::read(&out).expect("it was written");
    let (head, numbers) = bytes.split_at(bytes.len() - 2 * 4096);
    assert!(
        head.starts_with(b"\x93NUMPY\x01\x00") && head.len() % 64 == 0 && head.ends_with(b"\n")
    );
    assert!(String::from_utf8_lossy(head).contains("'shape': (2, 1024)"));
    let first = f32::from_le_bytes(numbers[..4].try_into().expect("four"));
    assert_eq!(first.to_bits(), embed(EAT)[0].to_bits());
    let unknown = embed_lines("run\nqwertz asdfgh\n");
    assert_eq!(unknown.status.code(), Some(3), "{unknown:?}");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("line 2"), "{unknown:?}");
}
