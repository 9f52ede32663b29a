//! Between the arm on the bus and its simulation, under a running daemon.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{Daemon, PATIENCE, Rig};

fn acts(daemon: &Daemon, active: &str, shadow: Option<&str>) {
    daemon.wait_for("state/backend", |said| {
        said["active"] == active && said["shadow"] == json!(shadow)
    });
}

fn seq(daemon: &Daemon) -> Option<u64> {
    daemon.says("state/mode")["seq"].as_u64()
}

/// What is told of a shadow from now on.
fn divergence(daemon: &Daemon) -> Value {
    let now = seq(daemon);
    daemon.wait_for("state/shadow", |said| {
        said["seq"].as_u64() > now && said["difference_rad_or_m"].is_array()
    })
}

fn stands_with_its_motors_on(rig: &mut Rig, at: [f64; 6]) {
    std::thread::sleep(Duration::from_millis(700));
    let state = rig.arm.ask(&json!({ "do": "state" }));
    assert_eq!(state["enabled"], json!([true, true, true, true, true, true]));
    let (is, _) = rig.arm.joints();
    assert!(at.iter().zip(is).all(|(was, is)| (was - is).abs() < 0.01), "{at:?} {is:?}");
}

#[test]
fn a_simulation_shadows_the_arm_and_takes_over_and_the_arm_takes_over_again() {
    let _alone = crate::rig::alone();
    let mut rig = Rig::armed("");
    rig.daemon.must("cmd/backend", &json!({ "shadow": "mujoco", "operator": "hil" }));
    acts(&rig.daemon, "piper", Some("mujoco"));
    rig.daemon.go(&json!({ "joint1": 0.4, "joint3": -0.9 }), 0.5);
    let told = divergence(&rig.daemon);
    let most = told["max_rad_or_m"][0].as_f64().expect("joint1");
    assert!(most > 0.0005 && most < 0.2, "two arms, not one: {told}");
    crate::rig::say(&format!("the twin differed by at most {}", told["max_rad_or_m"]));

    // The simulation acts; the arm stands where it was told to be last, with its motors on.
    let (at, _) = rig.arm.joints();
    let to_mujoco = json!({ "to": "mujoco", "pose": "present", "operator": "hil" });
    rig.daemon.must("cmd/backend", &to_mujoco);
    acts(&rig.daemon, "mujoco", None);
    assert_eq!(rig.daemon.says("state/mode")["mode"], "holding");
    rig.daemon.go(&json!({ "joint1": 0.7 }), 0.5);
    stands_with_its_motors_on(&mut rig, at);

    // It does not stand there, so it does not act.
    let why = rig.daemon.must_not("cmd/backend", &json!({ "to": "piper", "operator": "hil" }));
    assert!(why.contains("joint1") && why.contains("swap.tolerance_rad"), "{why}");
    acts(&rig.daemon, "mujoco", None);
    stands_with_its_motors_on(&mut rig, at);

    rig.daemon.go(&json!({ "joint1": 0.4 }), 0.5);
    let back = json!({ "to": "piper", "keep_shadow": true, "operator": "hil" });
    rig.daemon.must("cmd/backend", &back);
    acts(&rig.daemon, "piper", Some("mujoco"));
    assert_eq!(rig.daemon.says("state/mode")["mode"], "holding");
    let (is, _) = rig.arm.joints();
    assert!(at.iter().zip(is).all(|(was, is)| (was - is).abs() < 0.03), "{at:?} {is:?}");
    rig.daemon.go(&json!({ "joint1": 0.0, "joint3": -0.7 }), 0.5);
    // It is behind its set-points by what its ramps take.
    let begun = Instant::now();
    loop {
        let (is, _) = rig.arm.joints();
        if is[0].abs() < 0.01 && (is[2] + 0.7).abs() < 0.01 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not move again: {is:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = divergence(&rig.daemon);
    assert!(told["difference_rad_or_m"][0].as_f64().is_some_and(|at| at.abs() < 0.02), "{told}");
}

#[test]
fn an_arm_that_stands_elsewhere_or_is_not_there_is_not_even_switched_on() {
    let _alone = crate::rig::alone();
    let mut rig = Rig::armed("");
    rig.daemon.must("cmd/backend", &json!({ "to": "mujoco", "pose": "present" }));
    acts(&rig.daemon, "mujoco", None);
    let why = rig.daemon.must_not("cmd/backend", &json!({ "shadow": "piper" }));
    assert!(why.contains("would move as a shadow"), "{why}");
    rig.arm.kill();
    let why = rig.daemon.must_not("cmd/backend", &json!({ "to": "piper" }));
    assert!(why.contains("piper"), "{why}");
    rig.daemon.go(&json!({ "joint1": 0.5 }), 0.5);
    rig.arm.cut_power_and_start_again(Duration::ZERO);
    let why = rig.daemon.must_not("cmd/backend", &json!({ "to": "piper", "operator": "hil" }));
    assert!(why.contains("joint1") && why.contains("0.5000"), "{why}");
    acts(&rig.daemon, "mujoco", None);
    assert_eq!(rig.daemon.says("state/mode")["mode"], "holding");
    std::thread::sleep(Duration::from_millis(500));
    let state = rig.arm.ask(&json!({ "do": "state" }));
    assert_eq!(state["enabled"], json!([false, false, false, false, false, false]));
}

#[test]
fn no_fault_is_injected_while_an_arm_acts_and_no_arm_is_let_in_while_one_is() {
    let _alone = crate::rig::alone();
    let rig = Rig::armed("");
    let fault = json!({ "fault": "delay", "amount": 10, "for_ms": 60_000, "operator": "hil" });
    let why = rig.daemon.must_not("cmd/inject", &fault);
    assert!(why.contains("real arm"), "{why}");
    rig.daemon.must("cmd/backend", &json!({ "to": "mujoco", "pose": "present" }));
    acts(&rig.daemon, "mujoco", None);
    rig.daemon.must("cmd/inject", &fault);
    let why = rig.daemon.must_not("cmd/backend", &json!({ "to": "piper" }));
    assert!(why.contains("faults are injected") && why.contains("delay"), "{why}");
    acts(&rig.daemon, "mujoco", None);
    rig.daemon.must("cmd/inject", &json!({ "clear": true }));
    rig.daemon.must("cmd/backend", &json!({ "to": "piper" }));
    acts(&rig.daemon, "piper", None);
    let why = rig.daemon.must_not("cmd/inject", &fault);
    assert!(why.contains("real arm"), "{why}");
}
