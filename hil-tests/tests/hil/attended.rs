//! An arm under a lease: it moves for nobody who is not there.

use std::{
    process::{Child, Command},
    time::Duration,
};

use serde_json::json;

use crate::rig::{Daemon, PATIENCE, VirtualArm, alone, now, say};

/// From the moment at which an operator is frozen to the tick that holds the arm. The last heartbeat was before it.
const HELD_WITHIN_MS: f64 = 500.0;

struct Operator(Child);

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signal(operator: &Operator, signal: &str) {
    let kill = Command::new("kill").args([signal, &operator.0.id().to_string()]).status();
    assert!(kill.is_ok_and(|status| status.success()), "there is an operator");
}

#[test]
fn an_arm_moves_under_a_lease_only_and_holds_when_its_operator_is_frozen_or_killed() {
    let _alone = alone();
    let arm = VirtualArm::start(&[]).lies();
    let daemon = Daemon::attended(&arm.bus);
    daemon.wait_for_mode("disarmed");
    let why = daemon.must_not("cmd/arm", &json!({ "operator": "ada" }));
    assert!(why.contains("without the lease"), "{why}");
    for what in ["-STOP", "-KILL"] {
        let operator = Operator(daemon.operator("ada", &["lease"]));
        daemon.wait_for("state/lease", |told| told["holder"] == "ada");
        let begun = std::time::Instant::now();
        while daemon.ask("cmd/arm", &json!({ "operator": "ada" }))["accepted"] != true {
            assert!(begun.elapsed() < PATIENCE, "never armed\n{}", daemon.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        let modes = daemon.watch("state/mode");
        let there = if what == "-STOP" { 1.2 } else { -1.2 };
        let goal = json!({ "joints": { "joint1": there }, "speed": 0.3, "operator": "ada" });
        daemon.must("cmd/goto", &goal);
        daemon.wait_for_mode("moving");
        std::thread::sleep(Duration::from_millis(700));
        while modes.next(Duration::ZERO).is_some() {}
        let begun = now();
        signal(&operator, what);
        let held = loop {
            let (_, mode) = modes.next(PATIENCE).expect("the mode is told");
            if mode["mode"] == "stopping" {
                break mode;
            }
        };
        let took_ms = held["at_ns"].as_u64().expect("a time").saturating_sub(begun.0) as f64 / 1e6;
        say(&format!("operator {what}: held after {took_ms:.0} ms, bound {HELD_WITHIN_MS} ms"));
        assert!(took_ms <= HELD_WITHIN_MS, "held after {took_ms} ms");
        assert!(
            held["conditions"].as_array().is_some_and(|all| all.contains(&json!("unattended")))
        );
        daemon.wait_for_mode("holding");
        let why = daemon.must_not("cmd/goto", &goal);
        assert!(why.contains("nobody is there"), "{why}");
    }
}
