//! The daemon's story, through real processes: a decision becomes motion, and whoever says stop is obeyed.

use std::time::Instant;

use reflexd::head::Manifest;
use serde_json::{Value, json};
use zenoh::Wait;

use crate::{
    daemon::{Body, Daemon, PATIENCE, fail_to_start, written_config},
    rig::here,
};

/// A berry that is lifted so far was picked up.
#[cfg(feature = "mujoco")]
const LIFT_M: f64 = 0.08;
/// A joint that is so close to its goal is there: MuJoCo's servos sag a little.
const THERE: f64 = 0.03;

fn decision(id: &str, [x, y, z]: [f64; 3]) -> Value {
    json!({
        "v": 1,
        "decision_id": id,
        "skill": "pick_up",
        "params": { "target_x": x, "target_y": y, "target_z": z },
        "ttl_ms": 60_000,
        "source": "story",
    })
}

/// Where the joints are, measured, by name.
fn position(joints: &Value, name: &str) -> f64 {
    let names = joints["names"].as_array().expect("names");
    let at = names.iter().position(|known| known == name).expect("a joint");
    joints["position_rad_or_m"][at].as_f64().expect("a finite position")
}

/// Where the berry is, as soon as it is told.
#[cfg(feature = "mujoco")]
fn berry(objects: &reflexd::wire::Watch) -> [f64; 3] {
    let (_, said) = objects.next(PATIENCE).expect("a simulated world has objects");
    let told = said["objects"].as_array().expect("a list").iter().find(|it| it["name"] == "berry");
    ["x", "y", "z"].map(|axis| told.expect("a berry")[axis].as_f64().expect("a number"))
}

/// Goes to a pose, and follows the modes on the way there.
fn go(daemon: &Daemon, goal: &[(&str, f64)]) {
    let modes = daemon.watch("state/mode");
    let joints: Value = goal.iter().map(|(name, at)| ((*name).to_owned(), json!(at))).collect();
    daemon.must("cmd/goto", &json!({ "joints": joints, "operator": "ada" }));
    let mut seen = Vec::new();
    let begun = Instant::now();
    while !(seen.contains(&"moving".to_owned()) && seen.last() == Some(&"holding".to_owned())) {
        assert!(begun.elapsed() < PATIENCE, "the modes were {seen:?}");
        let Some((_, said)) = modes.next(PATIENCE) else { continue };
        let mode = said["mode"].as_str().expect("a mode").to_owned();
        if seen.last() != Some(&mode) {
            seen.push(mode);
        }
    }
    assert!(!seen.iter().any(|mode| mode == "faulted" || mode == "estopped"), "{seen:?}");
    for (name, at) in goal {
        daemon.wait_for("state/joints", |joints| (position(joints, name) - at).abs() < THERE);
    }
    assert_eq!(daemon.says("state/skill")["last"]["ending"], "done");
}

/// Goes home, and waits until the robot stands there.
fn go_home(daemon: &Daemon, payload: &Value) {
    let seq = daemon.must("cmd/home", payload);
    daemon.wait_for("state/skill", |said| {
        said["running"].is_null() && said["last"]["skill"] == "home"
    });
    let rests = |said: &Value| said["seq"].as_u64() > Some(seq) && said["mode"] == "holding";
    daemon.wait_for("state/mode", rests);
}

/// From the first look to the last word; `act` watches what the decision does to the world.
fn decision_to_motion(body: Body, target: impl Fn(&Daemon) -> [f64; 3], act: impl Fn(&Daemon)) {
    let daemon = Daemon::start(body);
    assert_eq!(daemon.says("state/mode")["mode"], "disarmed", "who comes late sees the present");

    let target = target(&daemon);
    let too_early = daemon.refused("decision", &decision("early", target));
    assert!(too_early.contains("disarmed") && too_early.contains("arm it first"), "{too_early}");
    daemon.arm();
    go(&daemon, &[("joint1", 0.3), ("joint2", 1.0)]);
    go_home(&daemon, &json!({}));

    let mut old = decision("old", target);
    old["ttl_ms"] = json!(1);
    old["observed_at_ns"] = daemon.says("state/joints")["at_ns"].clone();
    // Longer only makes it older.
    std::thread::sleep(std::time::Duration::from_millis(5));
    let refused = daemon.refused("decision", &old);
    assert!(refused.contains("stale") && refused.contains("observe again"), "{refused}");

    daemon.must("decision", &decision("story-1", target));
    let said = daemon.wait_for("state/skill", |said| !said["running"].is_null());
    let running = &said["running"];
    assert_eq!(
        (&running["skill"], &running["decision_id"]),
        (&json!("pick_up"), &json!("story-1"))
    );
    assert_eq!(
        (&running["source"], &running["params"]["target_x"]),
        (&json!("story"), &json!(target[0]))
    );
    let head = Manifest::load(&here("models/heads/piper_pick_up.toml")).expect("shipped");
    let chunk = daemon.wait_for("state/chunk", |said| said["source"] == "chunk");
    assert_eq!(chunk["head_sha256_head"], head.sha256[..16], "the head that moves it is named");
    let again = daemon.refused("decision", &decision("story-1", target));
    assert!(again.contains("duplicate"), "{again}");
    act(&daemon);

    let seq = daemon.must("cmd/hold", &json!({}));
    let mode = daemon.says_at("state/mode", seq)["mode"].clone();
    assert!(mode == "stopping" || mode == "holding", "{mode}");
    daemon.wait_for_mode("holding");
    assert_eq!(daemon.says("state/skill")["last"]["decision_id"], "story-1");

    go_home(&daemon, &json!({ "speed": 0.8 }));
    daemon.wait_for("state/joints", |joints| (position(joints, "joint2") - 0.75).abs() < THERE);

    let (code, printed) = daemon.terminate();
    assert_eq!(code, Some(0));
    let timing: Value = serde_json::from_str(&printed).expect("its timing, as JSON");
    assert!(timing["ticks"].as_u64() > Some(40), "{timing}");
    assert!(timing["lateness"]["p50_us"].is_f64() && timing["skipped"].is_u64(), "{timing}");
}

#[test]
fn a_decision_becomes_motion_on_loopback() {
    decision_to_motion(
        Body::Loopback,
        |_| [0.35, 0.0, 0.018],
        |daemon| {
            // A robot without a body has no berry: that the head moves it is all there is to see.
            daemon.wait_for("state/joints", |joints| position(joints, "joint2") > 1.0);
        },
    );
}

#[cfg(feature = "mujoco")]
#[test]
fn a_decision_picks_up_the_berry_in_mujoco() {
    let find = |daemon: &Daemon| berry(&daemon.watch("objects"));
    decision_to_motion(Body::Mujoco, find, |daemon| {
        let objects = daemon.watch("objects");
        let (begun, rested_at_m) = (Instant::now(), 0.018);
        while berry(&objects)[2] < rested_at_m + LIFT_M {
            assert!(begun.elapsed() < PATIENCE, "the berry is at {:?}", berry(&objects));
        }
    });
}

/// Stops a moving robot in one of two ways, and gets it going again.
fn stop_while_moving(daemon: &Daemon, stop: impl Fn()) {
    daemon.arm();
    daemon.must("cmd/goto", &json!({ "joints": { "joint1": 2.0 }, "speed": 0.1 }));
    daemon.wait_for("state/joints", |joints| position(joints, "joint1") > 0.05);
    stop();
    let stopped = daemon.says("state/fault");
    assert_eq!(stopped["fault"], "estop");
    assert!(stopped["why"].as_str().is_some_and(|why| !why.is_empty()), "{stopped}");
    for (name, payload) in [
        ("cmd/goto", json!({ "joints": { "joint1": 0.0 } })),
        ("cmd/arm", json!({})),
        ("cmd/home", json!({})),
        ("decision", decision("stopped", [0.35, 0.0, 0.018])),
    ] {
        let reason = daemon.refused(name, &payload);
        assert!(reason.contains("estopped") && reason.contains("clear_fault"), "{name}: {reason}");
    }
    assert_eq!(daemon.says("state/mode")["mode"], "estopped", "it latches");
    let begun = Instant::now();
    loop {
        let answer = daemon.ask("cmd/clear_fault", &json!({ "operator": "ada" }));
        if answer["accepted"] == true {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "never cleared: {answer}");
    }
    let rests = position(&daemon.says("state/joints"), "joint1");
    assert!(rests < 1.9, "it was stopped on the way, and stands at {rests}");
    daemon.wait_for_mode("disarmed");
    daemon.arm();
    daemon.must("cmd/goto", &json!({ "joints": { "joint1": 0.0 } }));
    daemon.wait_for("state/joints", |joints| position(joints, "joint1").abs() < THERE);
    daemon.wait_for_mode("holding");
    daemon.must("cmd/disarm", &json!({}));
    daemon.wait_for_mode("disarmed");
}

fn estop_latches(body: Body) {
    let daemon = Daemon::start(body);
    stop_while_moving(&daemon, || {
        let seq = daemon.must("cmd/estop", &json!({ "operator": "eve" }));
        let said = daemon.says_at("state/mode", seq);
        assert_eq!(said["mode"], "estopped", "the tick that the answer names shows it: {said}");
        assert!(said["why"].as_str().is_some_and(|why| why.contains("eve")), "{said}");
    });
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("mode", json!("client")),
        ("connect/endpoints", json!([daemon.endpoint])),
        ("scouting/multicast/enabled", json!(false)),
    ] {
        config.insert_json5(key, &value.to_string()).expect("a zenoh setting");
    }
    let stranger = zenoh::open(config).wait().expect("the daemon listens");
    stop_while_moving(&daemon, || {
        stranger.put("reflex/piper/cmd/estop", b"\xff\x00}{ help".as_slice()).wait().expect("open");
        daemon.wait_for_mode("estopped");
    });
}

#[test]
fn an_estop_latches_until_it_is_cleared_on_loopback() {
    estop_latches(Body::Loopback);
}

#[cfg(feature = "mujoco")]
#[test]
fn an_estop_latches_until_it_is_cleared_in_mujoco() {
    estop_latches(Body::Mujoco);
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason_that_helps() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let mut unknown = decision("a", [0.3, 0.0, 0.018]);
    unknown["skill"] = json!("fly");
    for (name, payload, helps) in [
        ("decision", unknown, &["\"fly\" is unknown", "pick_up"][..]),
        ("decision", decision("b", [0.9, 0.0, 0.018]), &["target_x = 0.9", "0.15 to 0.55 m"]),
        ("cmd/skill", json!({ "name": "fly" }), &["\"fly\" is unknown", "pick_up"]),
        ("cmd/goto", json!({ "joints": { "joint9": 0.0 } }), &["\"joint9\" is unknown", "joint1"]),
        ("cmd/goto", json!({ "joints": { "joint1": 9.0 } }), &["joint1 = 9", "-2.618 to 2.618"]),
        ("cmd/goto", json!({ "joints": {} }), &["joints"]),
        ("cmd/home", json!({ "speed": 2.0 }), &["speed", "(0, 1]"]),
        ("cmd/clear_fault", json!({}), &["there is nothing to clear"]),
        ("cmd/arm", json!({ "sudo": true }), &["unknown field `sudo`"]),
    ] {
        let reason = daemon.refused(name, &payload);
        for part in helps {
            assert!(reason.contains(part), "{name} {payload}: {part:?} is not in {reason:?}");
        }
    }
    assert_eq!(daemon.says("state/mode")["mode"], "holding", "nothing of it moved the robot");
    assert!(daemon.says("state/skill")["last"].is_null(), "nothing of it ran");
    daemon.wait_for("diag/timing", |timing| timing["refused_messages"].as_u64() >= Some(3));
}

#[test]
fn reflexctl_commands_a_real_daemon() {
    let daemon = Daemon::start(Body::Loopback);
    let reflexctl = |line: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reflexctl"));
        command.args(["--connect", &daemon.endpoint, "--timeout-ms", "20000"]);
        let done = command.args(line.split(' ')).output().expect("reflexctl was built");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let (code, told) = reflexctl("decide pick_up --target 0.3,0.1,0.02");
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("arm it first"), "{told}");
    assert_eq!(reflexctl("arm").0, Some(0));
    let (code, told) = reflexctl("decide pick_up --target 0.3,0.1,0.02");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("accepted, run "), "{told}");
    let (code, told) = reflexctl("status");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("pick_up") && told.contains("joint6"), "{told}");
    assert_eq!(reflexctl("estop").0, Some(0));
    let (code, told) = reflexctl("goto --joint joint1=0.1");
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("estopped"), "{told}");
    let begun = Instant::now();
    while reflexctl("clear-fault").0 != Some(0) {
        assert!(begun.elapsed() < PATIENCE, "never cleared: {}", daemon.says("state/mode"));
    }
    daemon.wait_for_mode("disarmed");
}

#[test]
fn sigterm_in_mid_motion_brings_the_robot_to_rest_and_ends_with_0() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    daemon.must("cmd/goto", &json!({ "joints": { "joint1": 2.0 }, "speed": 0.1 }));
    daemon.wait_for_mode("moving");
    let (code, printed) = daemon.terminate();
    assert_eq!(code, Some(0));
    let timing: Value = serde_json::from_str(&printed).expect("its timing, as JSON");
    assert!(timing["ticks"].as_u64() > Some(0), "{timing}");
}

#[test]
fn a_second_daemon_on_the_same_port_ends_and_names_it() {
    let daemon = Daemon::start(Body::Loopback);
    let (_folder, config) = written_config();
    let (code, told) = fail_to_start(&config, &daemon.endpoint, &[]);
    assert_eq!(code, Some(3), "{told}");
    for part in [daemon.endpoint.as_str(), "in use", "zenoh.listen"] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    assert_eq!(daemon.says("state/mode")["mode"], "disarmed", "the first one goes on");
}
