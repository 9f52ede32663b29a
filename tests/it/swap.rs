//! Backends that change places under a running daemon, and shadows.

#[cfg(feature = "mujoco")]
use std::process::Command;
use std::time::Instant;

use reflexd::wire::Watch;
use serde_json::{Value, json};

use crate::daemon::{Body, Daemon, PATIENCE};

#[cfg(feature = "mujoco")]
/// What joints may be commanded to move in a tick, rad or m: speed 0.3 of the fastest joint.
const STEP_MAX: f64 = 0.3 * 3.0 * 0.05 + 1e-6;

/// A change that has to be accepted; what is new, as one text.
fn change(daemon: &Daemon, payload: &Value) -> String {
    let answer = daemon.ask("cmd/backend", payload);
    assert_eq!(answer["accepted"], true, "{payload}: {answer}");
    answer["changed"].to_string()
}

fn acts(daemon: &Daemon, active: &str, shadow: Option<&str>) {
    daemon.wait_for("state/backend", |said| {
        said["active"] == active && said["shadow"] == json!(shadow)
    });
}

fn go(daemon: &Daemon, joint: &str, position: f64) {
    let goal = json!({ "joints": { joint: position }, "speed": 0.3, "operator": "ada" });
    daemon.must("cmd/goto", &goal);
}

fn arrive(daemon: &Daemon, joint: usize, position: f64) {
    daemon.wait_for("state/joints", |said| {
        let at = said["commanded_rad_or_m"][joint].as_f64().expect("a joint");
        said["mode"] == "holding" && (at - position).abs() < 1e-6
    });
}

#[cfg(feature = "mujoco")]
/// Whether what was commanded ever jumped, up to now, of those ticks that were heard.
fn never_jumped(daemon: &Daemon, watch: &Watch) {
    let now = daemon.says("state/mode")["seq"].as_u64().expect("a tick");
    let mut before: Option<(u64, Vec<f64>)> = None;
    let mut seen = 0;
    while let Some((_, said)) = watch.next(PATIENCE) {
        let seq = said["seq"].as_u64().expect("a tick");
        let at: Vec<f64> =
            serde_json::from_value(said["commanded_rad_or_m"].clone()).expect("numbers");
        if let Some((_, before)) = before.filter(|(before, _)| before + 1 == seq) {
            for (now, before) in at.iter().zip(&before) {
                assert!((now - before).abs() < STEP_MAX, "tick {seq}: {before} to {now}");
            }
            seen += 1;
        }
        before = Some((seq, at));
        if seq >= now {
            break;
        }
    }
    assert!(seen > 5, "only {seen} steps were seen");
}

fn wait_for_event(watch: &Watch, outcome: &str) -> Value {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "no event has the outcome {outcome:?}");
        match watch.next(PATIENCE) {
            Some((_, said)) if said["outcome"] == outcome => break said,
            _ => {}
        }
    }
}

#[test]
fn backends_are_not_changed_unless_the_robot_holds_and_the_other_one_stands_there() {
    let daemon = Daemon::start(Body::Loopback);
    acts(&daemon, "loopback", None);
    let refused = |payload: &Value| daemon.refused("cmd/backend", payload);
    let why = refused(&json!({ "to": "loopback" }));
    assert_eq!(why, "loopback acts already");
    let why = refused(&json!({ "shadow": "loopback" }));
    assert!(why.contains("not while disarmed"), "{why}");
    let why = refused(&json!({ "to": "spot" }));
    assert!(why.contains("spot") && why.contains("loopback"), "{why}");
    let why = refused(&json!({ "to": "piper", "pose": "present" }));
    assert!(why.contains("real arm"), "{why}");
    let why = refused(&json!({ "shadow": "piper" }));
    assert!(why.contains("would move as a shadow"), "{why}");
    daemon.arm();
    let events = daemon.watch("event/backend");
    let why = refused(&json!({ "to": "piper", "operator": "ada" }));
    assert!(why.contains("piper"), "not configured: {why}");
    let event = wait_for_event(&events, "refused");
    assert_eq!((&event["who"], &event["reason"]), (&json!("ada"), &json!(why)), "{event}");
    go(&daemon, "joint1", 2.0);
    let why = refused(&json!({ "shadow": "loopback" }));
    assert!(why.contains("moving") || why.contains("moves"), "{why}");
    daemon.must("cmd/hold", &json!({}));
    daemon.wait_for_mode("holding");
    daemon.ask("cmd/estop", &json!({}));
    daemon.wait_for_mode("estopped");
    let why = refused(&json!({ "shadow": "loopback" }));
    assert!(why.contains("estopped"), "{why}");
    assert_eq!(refused(&json!({ "shadow": null })), "there is no shadow");
    acts(&daemon, "loopback", None);
    #[cfg(not(feature = "mujoco"))]
    {
        daemon.must("cmd/clear_fault", &json!({}));
        daemon.arm();
        let why = refused(&json!({ "to": "mujoco" }));
        assert!(why.contains("--features mujoco"), "{why}");
    }
}

#[test]
fn a_shadow_follows_and_how_far_it_stands_away_is_told() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    daemon.wait_for("state/shadow", |said| said["shadow"].is_null());
    let told = change(&daemon, &json!({ "shadow": "loopback", "operator": "ada" }));
    assert!(told.contains("loopback shadows loopback"), "{told}");
    acts(&daemon, "loopback", Some("loopback"));
    let said = daemon.wait_for("state/shadow", |said| said["difference_rad_or_m"].is_array());
    assert_eq!((&said["health"], &said["engaged"]), (&json!("good"), &json!(true)), "{said}");
    assert_eq!(said["names"].as_array().map(Vec::len), Some(7), "{said}");
    go(&daemon, "joint1", 0.5);
    arrive(&daemon, 0, 0.5);
    let seq = daemon.says("state/mode")["seq"].as_u64().expect("a tick");
    let said = daemon.wait_for("state/shadow", |said| said["seq"].as_u64() > Some(seq));
    assert_eq!(
        said["max_rad_or_m"],
        json!(vec![0.0; 7]),
        "both follow every command exactly: {said}"
    );
    let events = daemon.watch("event/backend");
    change(&daemon, &json!({ "shadow": null, "operator": "ada" }));
    assert_eq!(wait_for_event(&events, "changed")["what"], "loopback shadows no more");
    let said = daemon.wait_for("state/shadow", |said| said["shadow"].is_null());
    assert!(said["difference_rad_or_m"].is_null(), "{said}");
    acts(&daemon, "loopback", None);
}

#[cfg(feature = "mujoco")]
#[test]
fn mujoco_and_loopback_change_places_while_the_robot_holds() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let joints = daemon.watch("state/joints");
    // Both stand at home: nothing has to be set.
    let told = change(&daemon, &json!({ "to": "mujoco", "keep_shadow": true, "operator": "ada" }));
    assert!(told.contains("mujoco acts instead of loopback"), "{told}");
    assert!(told.contains("loopback shadows it"), "{told}");
    acts(&daemon, "mujoco", Some("loopback"));
    assert_eq!(daemon.says("state/mode")["mode"], "holding");
    go(&daemon, "joint1", 0.4);
    arrive(&daemon, 0, 0.4);
    never_jumped(&daemon, &joints);
    let said = daemon.wait_for("state/shadow", |said| {
        said["max_rad_or_m"][0].as_f64().is_some_and(|most| most > 0.01)
    });
    let most = said["max_rad_or_m"][0].as_f64().expect("joint1");
    assert!(most < 0.2, "a simulated arm lags behind, but follows: {said}");

    // The shadow is warm, and stands there: it is promoted as it is.
    let joints = daemon.watch("state/joints");
    change(&daemon, &json!({ "to": "loopback", "operator": "ada" }));
    acts(&daemon, "loopback", None);
    go(&daemon, "joint1", 0.6);
    arrive(&daemon, 0, 0.6);
    never_jumped(&daemon, &joints);

    // A world that begins at its keyframe stands somewhere else, and is set to where the robot is.
    let why = daemon.refused("cmd/backend", &json!({ "to": "mujoco" }));
    for part in ["joint1", "0.0000", "0.6000", "0.02", "swap.tolerance_rad", "present"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    acts(&daemon, "loopback", None);
    let done = Command::new(env!("CARGO_BIN_EXE_reflexctl"))
        .args(["--connect", &daemon.endpoint, "backend", "mujoco", "--from-present"])
        .output()
        .expect("reflexctl was built");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    acts(&daemon, "mujoco", None);
    let at = daemon.says("state/joints")["position_rad_or_m"][0].as_f64().expect("joint1");
    assert!((at - 0.6).abs() < 0.02, "{at}");
    go(&daemon, "joint1", 0.3);
    arrive(&daemon, 0, 0.3);
    never_jumped(&daemon, &joints);
    daemon.wait_for("state/joints", |said| {
        said["position_rad_or_m"][0].as_f64().is_some_and(|at| (at - 0.3).abs() < 0.02)
    });
}

#[cfg(feature = "mujoco")]
#[test]
fn a_twin_shadows_from_where_the_robot_stands_and_sees_what_it_differs_by() {
    let daemon = Daemon::start(Body::Mujoco);
    daemon.arm();
    go(&daemon, "joint1", 0.5);
    arrive(&daemon, 0, 0.5);
    daemon.wait_for("state/joints", |said| {
        said["velocity_rad_or_m_per_s"][0].as_f64().is_some_and(|speed| speed.abs() < 0.001)
    });
    change(&daemon, &json!({ "shadow": "mujoco", "operator": "ada" }));
    acts(&daemon, "mujoco", Some("mujoco"));
    go(&daemon, "joint1", -0.5);
    arrive(&daemon, 0, -0.5);
    let seq = daemon.says("state/mode")["seq"].as_u64().expect("a tick");
    let said = daemon.wait_for("state/shadow", |said| said["seq"].as_u64() > Some(seq));
    for most in said["max_rad_or_m"].as_array().expect("an array") {
        assert!(most.as_f64().is_some_and(|most| most < 0.02), "the same world twice: {said}");
    }
    daemon.ask("cmd/estop", &json!({}));
    daemon.wait_for_mode("estopped");
    acts(&daemon, "mujoco", Some("mujoco"));
    change(&daemon, &json!({ "shadow": null }));
    acts(&daemon, "mujoco", None);
}

#[cfg(feature = "mujoco")]
#[test]
fn an_e_stop_in_between_ends_a_change_as_it_began_or_comes_after_it() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| daemon.ask("cmd/backend", &json!({ "to": "mujoco" })));
        // The robot has to have been held for six ticks: the stop falls into them, on any machine that is not too busy.
        std::thread::sleep(std::time::Duration::from_millis(100));
        daemon.ask("cmd/estop", &json!({ "operator": "ada" }));
        asking.join().expect("an answer")
    });
    daemon.wait_for_mode("estopped");
    if answer["accepted"] == true {
        acts(&daemon, "mujoco", None);
    } else {
        let why = answer["reason"].as_str().expect("a reason");
        assert!(why.contains("stop"), "{why}");
        acts(&daemon, "loopback", None);
    }
    daemon.must("cmd/clear_fault", &json!({}));
    daemon.arm();
    let (from, to) =
        if answer["accepted"] == true { ("mujoco", "loopback") } else { ("loopback", "mujoco") };
    change(&daemon, &json!({ "to": to, "pose": "present" }));
    acts(&daemon, to, None);
    change(&daemon, &json!({ "to": from, "pose": "present" }));
    acts(&daemon, from, None);
}
