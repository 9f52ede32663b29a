//! Who commands a running daemon, and what happens when they are gone.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::daemon::{Body, Daemon, PATIENCE, written_config_of};

/// A daemon that moves for the holder of the lease only.
fn daemon() -> Daemon {
    let (folder, file) = written_config_of(Body::Loopback);
    let text = fs::read_to_string(&file).expect("just written");
    fs::write(&file, format!("{text}\n[authority]\nlease = \"required\"\n")).expect("ours");
    Daemon::start_with(&file, folder)
}

fn by(who: &str) -> Value {
    json!({ "operator": who })
}

fn goto(who: &str) -> Value {
    json!({ "joints": { "joint1": 1.5 }, "speed": 0.2, "operator": who })
}

/// `reflexctl lease`, as a program of its own that can be frozen and killed.
struct Operator(Child);

impl Operator {
    fn of(daemon: &Daemon, who: &str, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
        command.args(["--connect", &daemon.endpoint, "--operator", who, "lease"]).args(more);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let operator = Self(command.spawn().expect("reflexctl was built"));
        daemon.wait_for("state/lease", |told| told["holder"] == who);
        operator
    }

    fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()), "there is an operator");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Arms as soon as the first heartbeat has been heard.
fn arm(daemon: &Daemon, who: &str) {
    let begun = std::time::Instant::now();
    while daemon.ask("cmd/arm", &by(who))["accepted"] != true {
        assert!(begun.elapsed() < PATIENCE, "{}", daemon.ask("cmd/arm", &by(who)));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn only_the_holder_commands_and_everybody_stops() {
    let daemon = daemon();
    let why = daemon.refused("cmd/arm", &by("ada"));
    assert!(why.contains("reflexctl lease"), "{why}");
    let events = daemon.watch("event/*");
    let _ada = Operator::of(&daemon, "ada", &[]);
    arm(&daemon, "ada");
    let why = daemon.refused("cmd/goto", &goto("bob"));
    assert!(why.starts_with("ada holds the lease"), "{why}");
    let why = daemon.refused("lease", &json!({ "act": "acquire", "operator": "bob" }));
    assert!(why.starts_with("ada holds the lease"), "{why}");
    let why = daemon.refused("lease", &json!({ "act": "release", "operator": "bob" }));
    assert!(why.contains("not you"), "{why}");
    let why =
        daemon.refused("instruction", &json!({ "text": "walk over there", "operator": "bob" }));
    assert!(why.starts_with("ada holds the lease"), "{why}");
    daemon.must("instruction", &json!({ "text": "stop", "operator": "bob" }));
    daemon.wait_for_mode("holding");
    daemon.must("cmd/goto", &goto("ada"));
    daemon.must("cmd/hold", &by("bob"));
    daemon.wait_for_mode("holding");
    daemon.must("cmd/estop", &by("bob"));
    daemon.wait_for_mode("estopped");
    for name in ["cmd/clear_fault", "cmd/release", "cmd/registry", "cmd/backend", "cmd/home"] {
        let payload = match name {
            "cmd/release" => json!({ "arm_may_fall": true, "operator": "bob" }),
            "cmd/registry" => json!({ "act": "reload", "operator": "bob" }),
            "cmd/backend" => json!({ "to": "loopback", "operator": "bob" }),
            _ => by("bob"),
        };
        let why = daemon.refused(name, &payload);
        assert!(why.starts_with("ada holds the lease"), "{name}: {why}");
    }
    // Every grant and every refusal stands in the trail, with who, key, what and what became of it.
    let told: Vec<(String, Value)> =
        std::iter::from_fn(|| events.next(Duration::from_millis(500))).collect();
    let has = |name: &str, who: &str, key: &str, outcome: &str| {
        let found = told.iter().any(|(at, event)| {
            at == name
                && event["who"].as_str().is_some_and(|it| it.starts_with(who))
                && event["key"] == key
                && event["outcome"] == outcome
        });
        assert!(found, "{name} {who} {key} {outcome}: {told:#?}");
    };
    has("event/lease", "ada", "lease", "accepted");
    has("event/lease", "bob", "lease", "refused");
    has("event/command", "bob", "cmd/goto", "refused");
    has("event/command", "bob", "cmd/clear_fault", "refused");
    has("event/stop", "bob", "cmd/estop", "accepted");
}

#[test]
fn who_takes_over_finds_a_robot_that_holds_and_who_lost_it_is_refused() {
    let daemon = daemon();
    let _ada = Operator::of(&daemon, "ada", &[]);
    arm(&daemon, "ada");
    daemon.must("cmd/goto", &goto("ada"));
    daemon.wait_for_mode("moving");
    let events = daemon.watch("event/lease");
    let _bob = Operator::of(&daemon, "bob", &["--takeover"]);
    daemon.wait_for_mode("holding");
    let taken = std::iter::from_fn(|| events.next(PATIENCE)).map(|(_, event)| event).next();
    let taken = taken.expect("it is told");
    assert!(taken["what"].as_str().is_some_and(|what| what.contains("from ada")), "{taken}");
    let why = daemon.refused("cmd/goto", &goto("ada"));
    assert!(why.starts_with("bob holds the lease"), "{why}");
    let begun = std::time::Instant::now();
    while daemon.ask("cmd/goto", &goto("bob"))["accepted"] != true {
        assert!(begun.elapsed() < PATIENCE, "the first heartbeat of bob has to come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_operator_who_is_frozen_or_killed_leaves_a_robot_that_holds() {
    let daemon = daemon();
    for (signal, who) in [("-STOP", "ada"), ("-KILL", "bob")] {
        let operator = Operator::of(&daemon, who, &["--takeover"]);
        arm(&daemon, who);
        daemon.must("cmd/goto", &goto(who));
        daemon.wait_for_mode("moving");
        operator.signal(signal);
        let held = daemon.wait_for_mode("holding");
        assert_eq!(
            (&held["conditions"], &held["action"]),
            (&json!(["unattended"]), &json!("hold"))
        );
        let why = daemon.refused("cmd/goto", &goto(who));
        assert!(why.contains("nobody is there"), "{why}");
        // Thawed, nothing goes on by itself.
        if signal == "-STOP" {
            operator.signal("-CONT");
            daemon.wait_for("state/mode", |mode| mode["conditions"] == json!([]));
            assert_eq!(daemon.says("state/mode")["mode"], "holding");
        }
    }
}

#[test]
fn a_decision_neither_arms_nor_clears_nor_raises_anything() {
    let daemon = daemon();
    let _ada = Operator::of(&daemon, "ada", &[]);
    arm(&daemon, "ada");
    let limits = daemon.says("state/limits");
    let decide = |id: &str, skill: &str, more: Value| {
        let mut decision = json!({
            "v": 1, "decision_id": id, "skill": skill, "ttl_ms": 5000, "source": "router",
            "params": { "target_x": 0.35, "target_y": 0.0, "target_z": 0.02 },
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            decision[key] = value.clone();
        }
        decision
    };
    for skill in ["clear_fault", "arm", "cmd/arm", "goto", "home", "release", "backend"] {
        let why = daemon.refused("decision", &decide(skill, skill, json!({})));
        assert!(why.contains(skill), "{skill}: {why}");
    }
    for more in [
        json!({ "velocity_max_rad_s": 100.0 }),
        json!({ "force": true }),
        json!({ "lease_id": 1 }),
        json!({ "params": { "target_x": 0.35, "target_y": 0.0, "target_z": 0.02, "speed_hint": 5.0 } }),
    ] {
        daemon.refused("decision", &decide("more", "pick_up", more));
    }
    daemon.must("decision", &decide("good", "walk_to", json!({})));
    daemon.must("cmd/estop", &by("ada"));
    daemon.wait_for_mode("estopped");
    let why = daemon.refused("decision", &decide("after", "walk_to", json!({})));
    assert!(why.contains("estopped"), "{why}");
    assert_eq!(daemon.says("state/mode")["mode"], "estopped");
    let now = daemon.says("state/limits");
    for key in ["velocity_max_rad_or_m_per_s", "acceleration_max_rad_or_m_per_s2"] {
        assert_eq!(now[key], limits[key], "{key}");
    }
}

#[test]
fn a_decision_moves_nothing_when_nobody_is_there() {
    let daemon = daemon();
    let operator = Operator::of(&daemon, "ada", &[]);
    arm(&daemon, "ada");
    operator.signal("-KILL");
    daemon.wait_for("state/mode", |mode| mode["conditions"] == json!(["unattended"]));
    let why = daemon.refused(
        "decision",
        &json!({
            "v": 1, "decision_id": "alone", "skill": "walk_to", "ttl_ms": 5000, "source": "router",
            "params": { "target_x": 0.35, "target_y": 0.0, "target_z": 0.02 },
        }),
    );
    assert!(why.contains("nobody is there"), "{why}");
    // The lease ends by itself; then it is anybody's.
    daemon.wait_for("state/lease", |told| told["holder"].is_null());
    daemon.must("lease", &json!({ "act": "acquire", "operator": "bob" }));
}
