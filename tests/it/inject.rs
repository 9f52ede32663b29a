//! Faults on purpose: how they are asked for, what each comes to, and how soon the robot is safe.

#[cfg(feature = "mujoco")]
mod matrix;

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::daemon::{Body, Daemon, reflexd, written_config_of};

/// A daemon that allows faults.
fn daemon() -> Daemon {
    let (folder, file) = written_config_of(Body::Loopback);
    let text = std::fs::read_to_string(&file).expect("it was written");
    std::fs::write(&file, text + "\n[inject]\nenabled = true\n").expect("a temporary file");
    Daemon::start_with(&file, folder)
}

fn reflexctl(daemon: &Daemon, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
    command.args(["--connect", &daemon.endpoint, "--operator", "ada"]).args(args);
    command.output().expect("reflexctl was built")
}

fn told(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn jog(daemon: &Daemon) {
    let far = json!({ "joints": { "joint1": 2.0 }, "speed": 0.3, "operator": "ada" });
    daemon.must("cmd/goto", &far);
    daemon.wait_for_mode("moving");
}

#[test]
fn a_fault_is_injected_at_a_word_told_in_the_audit_trail_and_ends_by_itself() {
    let daemon = daemon();
    daemon.arm();
    let events = daemon.watch("event/command");
    jog(&daemon);
    let done = reflexd()
        .args(["inject", "--fault", "freeze", "--for", "1500ms", "--json"])
        .args(["--connect", &daemon.endpoint, "--operator", "ada"])
        .output()
        .expect("reflexd was built");
    assert_eq!(done.status.code(), Some(0), "{}", told(&done));
    let answer: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert!(answer["changed"][0].as_str().is_some_and(|on| on.starts_with("freeze")), "{answer}");
    daemon.wait_for_mode("faulted");
    let fault = daemon.wait_for("state/fault", |said| !said["fault"].is_null());
    assert_eq!(fault["fault"], "diverged", "{fault}");
    let told_of = std::iter::from_fn(|| events.next(crate::daemon::PATIENCE))
        .map(|(_, said)| said)
        .find(|said| said["key"] == "cmd/inject")
        .expect("it is told");
    assert_eq!(told_of["what"], "let freeze be for 1500 ms", "{told_of}");
    // By itself: the arm is seen to stand where it is commanded to be again.
    let mut cleared = daemon.ask("cmd/clear_fault", &json!({}));
    let begun = std::time::Instant::now();
    while cleared["accepted"] != true && begun.elapsed() < crate::daemon::PATIENCE {
        std::thread::sleep(std::time::Duration::from_millis(50));
        cleared = daemon.ask("cmd/clear_fault", &json!({}));
    }
    assert_eq!(cleared["accepted"], true, "{cleared}");
    let shown =
        reflexctl(&daemon, &["inject", "--fault", "delay", "--amount", "20", "--for", "60s"]);
    assert_eq!(shown.status.code(), Some(0), "{}", told(&shown));
    let shown = told(&reflexctl(&daemon, &["inject"]));
    assert!(shown.contains("delay (delay_ms 20)"), "{shown}");
    let why = daemon.refused("cmd/backend", &json!({ "to": "piper" }));
    assert!(why.contains("faults are injected") && why.contains("--clear"), "{why}");
    let shown = told(&reflexctl(&daemon, &["inject", "--clear"]));
    assert!(shown.contains("nothing is injected"), "{shown}");
    let why = daemon.refused("cmd/backend", &json!({ "to": "piper" }));
    assert!(!why.contains("injected"), "{why}");
    daemon.arm();
}

#[test]
fn a_router_that_is_frozen_begins_nothing_and_ends_nothing() {
    let daemon = daemon();
    daemon.arm();
    jog(&daemon);
    daemon.must("cmd/inject", &json!({ "fault": "router-freeze", "for_ms": 60_000 }));
    let decision = json!({
        "v": 1, "decision_id": "d1", "skill": "reach", "ttl_ms": 5_000, "source": "router",
        "params": { "target_x": 0.3, "target_y": 0.0, "target_z": 0.2 },
    });
    let why = daemon.refused("decision", &decision);
    assert!(why.contains("router-freeze"), "{why}");
    assert_eq!(daemon.says("state/mode")["mode"], "moving", "what runs goes on");
    daemon.must("cmd/inject", &json!({ "clear": true }));
    let answer = daemon.ask("decision", &json!({ "decision_id": "d1" }));
    assert_ne!(answer["reason"], json!(why));
}

#[test]
fn a_clock_that_leaps_and_a_disk_that_is_full_are_told_of_and_stop_nothing() {
    let daemon = daemon();
    daemon.arm();
    for (fault, condition) in [("clock-step", "clock_stepped"), ("disk-full", "disk_full")] {
        daemon.must("cmd/inject", &json!({ "fault": fault, "for_ms": 60_000 }));
        let said = daemon.wait_for("state/mode", |said| {
            said["conditions"].as_array().is_some_and(|all| all.contains(&json!(condition)))
        });
        let (mode, action) = (&said["mode"], &said["action"]);
        assert_eq!((mode, action), (&json!("holding"), &json!("warn")), "{said}");
    }
    jog(&daemon);
    daemon.must("cmd/inject", &json!({ "clear": true }));
    daemon.wait_for("state/mode", |said| {
        said["conditions"].as_array().is_some_and(|all| !all.contains(&json!("disk_full")))
    });
}

#[test]
fn a_daemon_that_was_not_told_to_allow_faults_knows_no_such_key() {
    let daemon = Daemon::start(Body::Loopback);
    let done = reflexctl(&daemon, &["--timeout-ms", "500", "inject", "--fault", "freeze"]);
    assert_eq!(done.status.code(), Some(3), "{}", told(&done));
    let said = told(&done);
    assert!(said.contains("[inject] enabled = true"), "{said}");
    let usage = reflexctl(&daemon, &["inject", "--fault", "gremlins"]);
    assert_eq!(usage.status.code(), Some(2));
    assert!(told(&usage).contains("router-freeze"), "{}", told(&usage));
    let listed = crate::daemon::run(&["inject", "--list"]);
    assert_eq!(listed.status.code(), Some(0));
    for known in &reflex::trouble::KNOWN {
        assert!(told(&listed).contains(known.name), "{}: {}", known.name, told(&listed));
    }
    let help = crate::daemon::run(&["inject", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(told(&help).contains("--fault gpu-stall --for 10s"), "{}", told(&help));
}
