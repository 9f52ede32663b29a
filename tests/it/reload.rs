//! The registry of a daemon that runs: heads that replace each other under way, shadows, trials and the way back.

use std::{fs, path::PathBuf, process::Command, time::Instant};

use reflexd::{head::Manifest, wire::Watch};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::{Daemon, PATIENCE, run},
    rig::here,
};

/// The step of joint1 that the heads of tests/fixtures/policies ask for in each tick, rad.
const STRIDE: f64 = 0.004;
/// How many ticks their chunks are for.
const STEPS: u32 = 40;

fn policy(name: &str, status: &str) -> Value {
    let file = format!("{name}.toml");
    json!({ "name": name, "status": status, "lane": "reflex", "head": file })
}

fn shadow(name: &str, rules: Value) -> Value {
    let mut policy = policy(name, "shadow");
    policy["shadow"] = rules;
    policy
}

fn rules(chunks_min: u64) -> Value {
    json!({ "budget_ms": 1000.0, "chunks_min": chunks_min, "runs_min": 1, "divergence_max_rad": 0.001,
            "divergence_max_m": 0.001 })
}

/// A folder with the fixtures, a registry and a configuration.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for entry in fs::read_dir(here("tests/fixtures/policies")).expect("they are there") {
            let path = entry.expect("readable").path();
            fs::copy(&path, folder.path().join(path.file_name().expect("a file"))).expect("a copy");
        }
        let stage = Self(folder);
        let twin = fs::read_to_string(stage.path("east.toml")).expect("it is there");
        let twin = twin.replace("name = \"east\"", "name = \"twin\"");
        fs::write(stage.path("twin.toml"), twin).expect("a temporary file");
        let robot = here("config/robots/piper.toml");
        let config = format!(
            "robot = {:?}\nbackend = \"loopback\"\nregistry = \"registry.json\"\n[loop]\nlock_memory = false\n",
            robot.display().to_string()
        );
        fs::write(stage.path("daemon.toml"), config).expect("a temporary file");
        stage
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Writes a registry of one skill, with its heads pinned.
    fn registry(&self, file: &str, canary_runs: u32, policies: &[Value]) {
        let bounds = json!({ "target_x_m": [-1, 1], "target_y_m": [-1, 1], "target_z_m": [-1, 1],
                             "radius_m": [0, 1], "speed_hint": [0, 1] });
        let entry = json!({ "duration_max_s": 600, "bounds": bounds, "canary": { "runs": canary_runs },
                            "policies": policies });
        let registry = json!({
            "schema": "reflex.registry.v1",
            "aliases": { "turn": "drift" },
            "skills": { "drift": { "what": "Turns.", "robots": { "piper": entry } } },
        });
        fs::write(self.path(file), registry.to_string()).expect("a temporary file");
        let path = self.path(file);
        let done = run(&["registry", "pin", path.to_str().expect("UTF-8")]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
    }

    fn spoil(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).expect("it is there");
        assert!(text.contains(from), "{file} has no {from:?}");
        fs::write(self.path(file), text.replacen(from, to, 1)).expect("a temporary file");
    }

    /// Starts a daemon, and arms it.
    fn play(self) -> (Daemon, PathBuf) {
        let Self(folder) = self;
        let path = folder.path().to_owned();
        let daemon = Daemon::start_with(&path.join("daemon.toml"), folder);
        daemon.arm();
        (daemon, path)
    }
}

/// The first eight bytes of a fixture's network, as `state/chunk` tells them.
fn digest(name: &str) -> String {
    let file = here(&format!("tests/fixtures/policies/{name}.toml"));
    Manifest::load(&file).expect("it is there").sha256[..16].to_owned()
}

fn drift(daemon: &Daemon, skill: &str, berry: bool) -> u64 {
    let params = json!({ "target_x": 0, "target_y": 0, "target_z": 0, "object_is_berry": berry });
    daemon.must("cmd/skill", &json!({ "name": skill, "params": params, "operator": "ada" }));
    let said = daemon.wait_for("state/skill", |said| said["running"]["skill"] == "drift");
    said["running"]["run"].as_u64().expect("a number")
}

fn follows(daemon: &Daemon, name: &str) {
    let digest = digest(name);
    daemon.wait_for("state/chunk", |said| said["head_sha256_head"] == digest);
}

fn hold(daemon: &Daemon) {
    daemon.must("cmd/hold", &json!({}));
    daemon.wait_for_mode("holding");
}

/// What is new after an act that has to be accepted.
fn act(daemon: &Daemon, act: &Value) -> String {
    let answer = daemon.ask("cmd/registry", act);
    assert_eq!(answer["accepted"], true, "{act}: {answer}");
    answer["changed"].to_string()
}

fn runs(daemon: &Daemon) -> Value {
    daemon.says("info/registry")["skills"]["drift"]["runs"].clone()
}

/// What a watch has heard of the ticks up to now. To be asked again and again: a watch that is full holds up its session.
fn heard(daemon: &Daemon, watch: &Watch) -> Vec<Value> {
    let now = daemon.says("state/mode")["seq"].as_u64().expect("a tick");
    let mut all = Vec::new();
    while let Some((_, said)) = watch.next(PATIENCE) {
        let is_last = said["seq"].as_u64() >= Some(now);
        all.push(said);
        if is_last {
            break;
        }
    }
    all
}

/// What has been seen of the one shadow, as soon as it is as it should be.
fn wait_for_shadow(daemon: &Daemon, is_so: impl Fn(&Value) -> bool) -> Value {
    daemon.wait_for("info/registry", |said| is_so(&said["shadows"][0]))["shadows"][0].clone()
}

/// The audit trail up to the event that is looked for.
fn wait_for_event(watch: &Watch, part: &str) -> Value {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "no event says {part:?}");
        match watch.next(PATIENCE) {
            Some((_, said)) if said["what"].to_string().contains(part) => break said,
            _ => {}
        }
    }
}

#[test]
fn a_new_head_takes_over_in_mid_run_without_a_jump_and_the_old_one_comes_back() {
    let stage = Stage::new();
    stage.registry("registry.json", 20, &[policy("east", "active")]);
    let (daemon, folder) = stage.play();
    let run = drift(&daemon, "turn", false);
    follows(&daemon, "east");
    assert_eq!(
        act(&daemon, &json!({ "act": "reload" })),
        "[\"nothing: the registry is as it was\"]"
    );

    let (joints, chunks) = (daemon.watch("state/joints"), daemon.watch("state/chunk"));
    let next = Stage::new();
    next.registry("registry.json", 20, &[policy("west", "active")]);
    fs::copy(next.path("registry.json"), folder.join("registry.json")).expect("a copy");
    let changed = act(&daemon, &json!({ "act": "reload", "operator": "ada" }));
    assert!(
        changed.contains("drift: runs west") && changed.contains("instead of east"),
        "{changed}"
    );
    assert!(changed.contains(&format!("run {run} is handed over")), "{changed}");
    follows(&daemon, "west");
    let (mut ticks, mut sources) = (heard(&daemon, &joints), heard(&daemon, &chunks));
    let said = daemon.says("state/skill");
    assert_eq!(said["running"]["run"], run, "the run goes on: {said}");
    assert_eq!(said["running"]["policy"], "west");
    let told = daemon.says("info/registry");
    let trial = &told["skills"]["drift"]["trial"];
    assert_eq!(trial, &json!({ "before": "east", "runs_left": 20 }), "{told}");

    let changed = act(&daemon, &json!({ "act": "rollback", "skill": "turn", "operator": "ada" }));
    assert!(changed.contains("back to east") && changed.contains("handed over"), "{changed}");
    follows(&daemon, "east");
    ticks.extend(heard(&daemon, &joints));
    sources.extend(heard(&daemon, &chunks));
    assert_eq!(runs(&daemon), "east");
    let again = daemon.refused("cmd/registry", &json!({ "act": "rollback", "skill": "drift" }));
    assert!(again.contains("nothing to go back to"), "{again}");

    // Messages may be lost on a busy machine, ticks are numbered: only neighbours are compared.
    let ticks: Vec<(u64, f64)> = ticks
        .iter()
        .map(|said| {
            let at = said["commanded_rad_or_m"][0].as_f64().expect("joint1");
            (said["seq"].as_u64().expect("a tick"), at)
        })
        .collect();
    let mut seen = 0;
    for pair in ticks.windows(2).filter(|pair| pair[1].0 == pair[0].0 + 1) {
        let step = pair[1].1 - pair[0].1;
        // Of the old head's opinion two thirds go on for a tick, then one: the difference fades.
        assert!(step.abs() < 1.7 * STRIDE, "a step of {step} rad in tick {}", pair[1].0);
        seen += 1;
    }
    assert!(seen > 5, "only {seen} steps were seen");
    for said in sources {
        assert_eq!(said["source"], "chunk", "never without a chunk: {said}");
    }
    assert_eq!(daemon.says("state/mode")["mode"], "moving");
}

#[test]
fn a_bad_registry_is_refused_with_the_reason_and_the_old_one_goes_on() {
    let stage = Stage::new();
    stage.registry("registry.json", 20, &[policy("east", "active")]);
    for file in
        ["digest.json", "golden.json", "shape.json", "gone.json", "words.json", "alias.json"]
    {
        stage.registry(file, 20, &[policy("west", "active")]);
    }
    stage.registry("shadow.json", 20, &[policy("east", "active"), shadow("moody", rules(1))]);
    stage.spoil("moody.toml", "deadline_ms = 20.0", "deadline_ms = 19.0");
    stage.spoil("words.json", "\"schema\":", "schema:");
    stage.spoil("alias.json", "\"turn\": \"drift\"", "\"turn\": \"jump\"");
    let digest = fs::read_to_string(stage.path("digest.json")).expect("it is there");
    let pinned = digest.split("\"manifest_sha256\": \"").nth(1).expect("it is pinned");
    let other = digest.replacen(&pinned[..64], &"0".repeat(64), 1);
    fs::write(stage.path("digest.json"), other).expect("a temporary file");
    // Each of these heads is another one, pinned as it is.
    for (name, from, to) in [
        ("golden", "action = [\n    [0.296", "action = [\n    [0.396"),
        ("shape", "chunk_steps = 40", "chunk_steps = 39"),
        ("gone", "onnx = \"west.onnx\"", "onnx = \"nobody.onnx\""),
    ] {
        let head = format!("{name}.toml");
        fs::copy(stage.path("west.toml"), stage.path(&head)).expect("a copy");
        stage.spoil(&head, from, to);
        let text = fs::read_to_string(stage.path(&format!("{name}.json"))).expect("there");
        fs::write(stage.path(&format!("{name}.json")), text.replace("west.toml", &head))
            .expect("ok");
    }
    let (daemon, _) = stage.play();
    let run = drift(&daemon, "drift", false);
    follows(&daemon, "east");
    let events = daemon.watch("event/command");
    for (file, says) in [
        ("digest.json", &["manifest_sha256", "0000", "reflexd registry pin"][..]),
        ("golden.json", &["golden.toml", "golden[0].action", "export"]),
        ("shape.json", &["shape.toml", "39", "40"]),
        ("gone.json", &["gone.toml", "nobody.onnx", "No such file"]),
        ("words.json", &["words.json", "line"]),
        ("alias.json", &["aliases.turn", "no such skill"]),
        ("shadow.json", &["moody", "manifest_sha256"]),
        ("nobody.json", &["nobody.json", "No such file"]),
    ] {
        let reason = daemon.refused("cmd/registry", &json!({ "act": "reload", "file": file }));
        for part in says {
            assert!(reason.contains(part), "{file}: {part:?} is not in {reason}");
        }
    }
    for (bad, says) in [
        (json!({}), "missing field `act`"),
        (json!({ "act": "explode" }), "unknown variant"),
        (json!({ "act": "promote" }), "skill = absent"),
        (json!({ "act": "reload", "skill": "drift" }), "left out for reload"),
        (json!({ "act": "promote", "skill": "drift", "file": "x" }), "unless the act is reload"),
        (json!({ "act": "promote", "skill": "fly" }), "\"fly\" is unknown"),
        (json!({ "act": "promote", "skill": "drift" }), "no shadow"),
    ] {
        let reason = daemon.refused("cmd/registry", &bad);
        assert!(reason.contains(says), "{bad}: {reason}");
    }
    assert!(wait_for_event(&events, "reload the registry")["reason"].is_string());
    assert_eq!(runs(&daemon), "east");
    let said = daemon.says("state/skill");
    assert_eq!(
        (&said["running"]["run"], &said["running"]["policy"]),
        (&run.into(), &"east".into())
    );
    assert_eq!(daemon.says("state/mode")["mode"], "moving", "it never stopped");
    follows(&daemon, "east");
}

#[test]
fn a_shadow_that_is_the_same_diverges_by_nothing_and_is_promoted_when_it_was_seen_enough() {
    let stage = Stage::new();
    stage.registry("registry.json", 2, &[policy("east", "active"), shadow("twin", rules(5))]);
    let (daemon, _) = stage.play();
    let early = daemon.refused("cmd/registry", &json!({ "act": "promote", "skill": "drift" }));
    assert!(early.contains("chunks is 0") && early.contains("at least 5"), "{early}");
    drift(&daemon, "drift", false);
    let said = wait_for_shadow(&daemon, |said| said["chunks"].as_u64() >= Some(5));
    assert_eq!((&said["shadow"], &said["active"]), (&json!("twin"), &json!("east")));
    assert_eq!(said["joints"].as_array().map(Vec::len), Some(7));
    for joint in 0..7 {
        assert_eq!(said["rms_rad_or_m"][joint].as_f64(), Some(0.0), "{said}");
        assert_eq!(said["max_rad_or_m"][joint].as_f64(), Some(0.0), "{said}");
    }
    let events = daemon.watch("event/registry");
    // How long a head takes on a machine that tests everything at once is not what is promised here.
    let all_hold = |said: &Value| {
        let criteria = said["criteria"].as_array().cloned().unwrap_or_default();
        criteria.iter().all(|one| one["holds"] == true || one["name"] == "latency_p99")
    };
    let said = wait_for_shadow(&daemon, all_hold);
    assert_eq!(daemon.says("diag/shadow")["shadows"][0]["shadow"], "twin");
    let late = said["criteria"].as_array().into_iter().flatten();
    if late.into_iter().any(|one| one["holds"] != true) {
        eprintln!("skipped: this machine is too busy for the deadline: {said}");
        return;
    }
    let changed = act(&daemon, &json!({ "act": "promote", "skill": "turn", "operator": "ada" }));
    assert!(changed.contains("runs twin") && changed.contains("handed over"), "{changed}");
    assert_eq!(wait_for_event(&events, "runs twin")["who"], "ada");
    assert_eq!(runs(&daemon), "twin");
    daemon.wait_for("state/skill", |said| said["running"]["policy"] == "twin");
    daemon.wait_for("diag/shadow", |said| said["shadows"] == json!([]));
    // Two runs without a trip, and there is no way back.
    hold(&daemon);
    drift(&daemon, "drift", false);
    follows(&daemon, "east");
    hold(&daemon);
    assert_eq!(wait_for_event(&events, "has passed its trial")["who"], "reflexd");
    assert!(daemon.says("info/registry")["skills"]["drift"]["trial"].is_null());
    let back = daemon.refused("cmd/registry", &json!({ "act": "rollback", "skill": "drift" }));
    assert!(back.contains("nothing to go back to"), "{back}");
}

#[test]
fn a_shadow_that_differs_is_measured_joint_by_joint_and_not_promoted() {
    let stage = Stage::new();
    stage.registry("registry.json", 2, &[policy("east", "active"), shadow("west", rules(2))]);
    let mut frugal = rules(2);
    frugal["budget_ms"] = json!(0.000_001);
    stage.registry("frugal.json", 2, &[policy("east", "active"), shadow("west", frugal)]);
    let (daemon, _) = stage.play();
    drift(&daemon, "drift", false);
    let said = wait_for_shadow(&daemon, |said| said["chunks"].as_u64() >= Some(2));
    // Step k of one is k + 1 strides ahead, of the other as many behind.
    let apart: Vec<f64> = (1..=STEPS).map(|k| 2.0 * STRIDE * f64::from(k)).collect();
    let rms = (apart.iter().map(|apart| apart * apart).sum::<f64>() / f64::from(STEPS)).sqrt();
    let close =
        |found: &Value, wanted: f64| (found.as_f64().expect("finite") - wanted).abs() < 1e-6;
    assert!(close(&said["max_rad_or_m"][0], 2.0 * STRIDE * f64::from(STEPS)), "{said}");
    assert!(close(&said["rms_rad_or_m"][0], rms), "{rms}: {said}");
    assert!(close(&said["max_rad_or_m"][1], 0.0), "{said}");
    let reason = daemon.refused("cmd/registry", &json!({ "act": "promote", "skill": "drift" }));
    assert!(reason.contains("west is not promoted: divergence_rad"), "{reason}");
    assert!(reason.contains("0.32") && reason.contains("at most 0.001 rad"), "{reason}");
    follows(&daemon, "east");

    // One that may compute next to nothing is asked once, and then left alone.
    let changed = act(&daemon, &json!({ "act": "reload", "file": "frugal.json" }));
    assert!(changed.contains("west") && changed.contains("its shadow"), "{changed}");
    hold(&daemon);
    drift(&daemon, "drift", false);
    let said = wait_for_shadow(&daemon, |said| said["skipped"].as_u64() >= Some(3));
    assert!(said["chunks"].as_u64() <= Some(1), "{said}");
}

#[test]
fn a_head_on_trial_that_trips_is_rolled_back_at_once_and_the_run_goes_on() {
    let stage = Stage::new();
    stage.registry("registry.json", 3, &[policy("east", "active")]);
    stage.registry("moody.json", 3, &[policy("moody", "active")]);
    let over = json!({ "name": "over", "status": "fallback", "lane": "planned", "scripted": { "reach": {} } });
    stage.registry("spare.json", 0, &[policy("west", "active"), over]);
    let (daemon, _) = stage.play();
    let run = drift(&daemon, "drift", true);
    follows(&daemon, "east");
    let events = daemon.watch("event/registry");
    let changed =
        act(&daemon, &json!({ "act": "reload", "file": "moody.json", "operator": "ada" }));
    assert!(changed.contains("runs moody"), "{changed}");
    let told = wait_for_event(&events, "back to east");
    assert_eq!((&told["who"], &told["outcome"]), (&json!("reflexd"), &json!("rolled_back")));
    assert!(told["reason"].to_string().contains("no chunk"), "{told}");
    assert_eq!(runs(&daemon), "east");
    daemon.wait_for("state/skill", |said| said["running"]["policy"] == "east");
    assert_eq!(daemon.says("state/skill")["running"]["run"], run, "the same run");
    follows(&daemon, "east");
    assert_eq!(daemon.says("state/mode")["mode"], "moving");

    // An operator who pulls the e-stop has seen something.
    hold(&daemon);
    act(&daemon, &json!({ "act": "reload", "file": "moody.json" }));
    drift(&daemon, "drift", false);
    follows(&daemon, "moody");
    daemon.must("cmd/estop", &json!({ "operator": "bob" }));
    let told = wait_for_event(&events, "back to east");
    assert!(
        told["reason"].to_string().contains("e-stop")
            || told["reason"].to_string().contains("no chunk")
    );
    let begun = Instant::now();
    while daemon.ask("cmd/clear_fault", &json!({}))["accepted"] != true {
        assert!(begun.elapsed() < PATIENCE, "never cleared");
    }

    // Without a trial there is the fallback.
    act(&daemon, &json!({ "act": "reload", "file": "spare.json" }));
    assert_eq!(runs(&daemon), "west");
    act(&daemon, &json!({ "act": "rollback", "skill": "drift" }));
    assert_eq!(runs(&daemon), "over");
    daemon.arm();
    let far = json!({ "target_x": 0.9, "target_y": 0.9, "target_z": 0.9 });
    let reason = daemon.refused("cmd/skill", &json!({ "name": "turn", "params": far }));
    assert!(reason.contains("pose"), "the fallback plans: {reason}");
}

#[test]
fn reflexctl_changes_the_registry_of_a_real_daemon() {
    let stage = Stage::new();
    stage.registry("registry.json", 20, &[policy("east", "active"), shadow("west", rules(1000))]);
    stage.registry("west.json", 20, &[policy("west", "active")]);
    let (daemon, _) = stage.play();
    let reflexctl = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
        command.args(["--connect", &daemon.endpoint, "--timeout-ms", "60000"]);
        let done = command.args(line.split(' ')).output().expect("reflexctl was built");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let (code, told) = reflexctl("registry status");
    assert_eq!(code, Some(0), "{told}");
    for part in ["drift", "turn", "west (shadow)", "FAILS  chunks: 0, at least 1000"] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    let (code, told) = reflexctl("registry reload --file west.json");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("accepted\n  drift: runs west"), "{told}");
    let (code, told) = reflexctl("registry reload --file nobody.json");
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("No such file"), "{told}");
    let (code, told) = reflexctl("registry rollback drift");
    assert_eq!(code, Some(0), "{told}");
    let (_, told) = reflexctl("registry status --json");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["skills"]["drift"]["runs"], "east");
}
