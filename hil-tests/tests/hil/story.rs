//! From arming to the berry, through the bus.

use std::time::Duration;

use serde_json::json;

use crate::rig::{Daemon, HOME, Rig, SHIPPED, VirtualArm, alone, here};

#[test]
fn it_is_looked_at_without_moving_and_found_fit() {
    let _alone = alone();
    for firmware in ["S-V1.6-5", "S-V1.8-2", "S-V1.8-8"] {
        let mut arm = VirtualArm::start(&["--firmware", firmware]).lies();
        let before = arm.joints().0;
        let (code, told) = crate::rig::check(&arm.bus);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains(firmware), "{told}");
        let state = arm.ask(&json!({ "do": "state" }));
        assert_eq!(state["enabled"], json!([false, false, false, false, false, false]));
        let after = arm.joints().0;
        assert!(before.iter().zip(after).all(|(was, is)| (was - is).abs() < 0.01));
    }
}

#[test]
fn arms_where_it_stands_goes_home_grips_and_lets_go_without_falling() {
    let _alone = alone();
    let mut rig = Rig::armed("");
    let state = rig.arm.ask(&json!({ "do": "state" }));
    assert_eq!(state["enabled"], json!([true, true, true, true, true, true]));
    rig.daemon.go(&json!({ "joint1": 0.4, "joint3": -0.9, "gripper": 0.03 }), 0.5);
    // The command has arrived; the arm is behind it.
    let begun = std::time::Instant::now();
    let at = loop {
        let (at, _) = rig.arm.joints();
        if (at[0] - 0.4).abs() < 0.01 && (at[2] + 0.9).abs() < 0.01 {
            break at;
        }
        assert!(begun.elapsed() < crate::rig::PATIENCE, "{at:?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    std::thread::sleep(Duration::from_millis(500));
    let measured = rig.daemon.measured();
    assert!(
        at.iter().zip(measured).all(|(is, told)| (is - told).abs() < 0.01),
        "{at:?} {measured:?}"
    );
    let grip = rig.arm.ask(&json!({ "do": "state" }))["gripper_m"].as_f64();
    assert!(grip.is_some_and(|grip| (grip - 0.03).abs() < 0.003), "{grip:?}");
    rig.daemon.must("cmd/disarm", &json!({ "operator": "hil" }));
    rig.daemon.wait_for_mode("disarmed");
    std::thread::sleep(Duration::from_millis(500));
    let (let_go, _) = rig.arm.joints();
    assert!(
        at.iter().zip(let_go).all(|(was, is)| (was - is).abs() < 0.01),
        "it stands: {let_go:?}"
    );
}

#[test]
fn picks_up_the_berry_through_the_bus() {
    let _alone = alone();
    let mut rig = Rig::armed("");
    let [x, y, z] = rig.arm.berry();
    let decision = json!({
        "v": 1, "decision_id": "hil-berry", "skill": "pick_up", "ttl_ms": 60_000, "source": "hil",
        "params": { "target_x": x, "target_y": y, "target_z": z },
    });
    rig.daemon.must("decision", &decision);
    let begun = std::time::Instant::now();
    while rig.arm.berry()[2] < z + 0.08 {
        let said = rig.daemon.says("state/mode");
        assert_ne!(said["mode"], "faulted", "{said}\n{}", rig.daemon.log());
        assert!(begun.elapsed() < crate::rig::PATIENCE, "never lifted: {:?}", rig.arm.berry());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_old_zero_is_two_degrees_elsewhere_and_said_so() {
    let _alone = alone();
    // Its own limits are the wire's, so the robot's file goes further than it may: refused, with the figures.
    let arm = VirtualArm::start(&["--firmware", "S-V1.5-2"]);
    let (code, told) = Daemon::refused(&arm.bus, "");
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("limits: J2") && told.contains("position_max_rad"), "{told}");
}

#[test]
fn firmware_with_the_old_zero_is_driven_by_the_robots_own_zero() {
    let _alone = alone();
    let robot = "config/robots/piper_old_zero.toml";
    let mut rig = Rig::armed_as(robot, &["--firmware", "S-V1.5-2"], "");
    let measured = rig.daemon.measured();
    assert!((measured[1] - HOME[1]).abs() < 0.01 && (measured[2] - HOME[2]).abs() < 0.01);
    // The arm itself counts from zeros two degrees away, one way and the other.
    let own = rig.arm.joints().0;
    let off = 2.0_f64.to_radians();
    assert!((own[1] - (HOME[1] + off)).abs() < 0.01, "{own:?}");
    assert!((own[2] - (HOME[2] - off)).abs() < 0.01, "{own:?}");
}

#[test]
fn mit_mode_speaks_each_firmwares_own_frames() {
    let _alone = alone();
    let gains = "stream = \"mit\"\nmit_kp_n_m_rad = [100, 250, 250, 60, 60, 20]\n\
                 mit_kd_n_m_s_rad = [3, 4, 4, 1.5, 1.5, 0.5]";
    for firmware in ["S-V1.6-5", "S-V1.8-2", "S-V1.8-8"] {
        let mut rig = Rig::armed_as(SHIPPED, &["--firmware", firmware], gains);
        rig.daemon.go(&json!({ "joint1": 0.4, "joint6": -0.5 }), 0.3);
        let (at, _) = rig.arm.joints();
        assert!((at[0] - 0.4).abs() < 0.05 && (at[5] + 0.5).abs() < 0.05, "{firmware}: {at:?}");
        let state = rig.arm.ask(&json!({ "do": "state" }));
        assert!(state["movement"].as_str().is_some_and(|mode| mode.contains("mit")), "{state}");
    }
}

#[test]
fn a_release_needs_the_word_for_it_and_drops_the_arm() {
    let _alone = alone();
    let mut rig = Rig::armed("");
    let told = rig.daemon.must_not("cmd/release", &json!({ "arm_may_fall": true }));
    assert!(told.contains("holding"), "{told}");
    rig.daemon.must("cmd/disarm", &json!({}));
    rig.daemon.wait_for_mode("disarmed");
    let told = rig.daemon.must_not("cmd/release", &json!({}));
    assert!(told.contains("arm_may_fall"), "{told}");
    rig.daemon.must("cmd/release", &json!({ "arm_may_fall": true }));
    std::thread::sleep(Duration::from_millis(1500));
    let state = rig.arm.ask(&json!({ "do": "state" }));
    assert_eq!(state["enabled"], json!([false, false, false, false, false, false]));
    let (fallen, _) = rig.arm.joints();
    assert!((fallen[1] - HOME[1]).abs() > 0.1 || (fallen[2] - HOME[2]).abs() > 0.1, "{fallen:?}");
}

/// Fifty berries, for the eye and the figure: `make hil-berries`.
#[test]
#[ignore = "minutes: make hil-berries"]
fn fifty_berries() {
    let _alone = alone();
    let episodes = std::env::var("EPISODES").ok().and_then(|n| n.parse().ok()).unwrap_or(50_u32);
    let mut rig = Rig::armed("");
    let mut lifted = 0;
    for episode in 0..episodes {
        // Over the patch that `models/scenes/piper_berry.toml` draws from, evenly.
        let golden = |k: f64| (f64::from(episode) * k).fract();
        let (x, y) = (0.20 + 0.30 * golden(0.618_033_99), -0.20 + 0.40 * golden(0.754_877_67));
        rig.daemon.go(
            &json!({ "joint1": 0.0, "joint2": 0.75, "joint3": -0.70, "joint4": 0.0,
            "joint5": 0.75, "joint6": 0.0, "gripper": 0.07 }),
            1.0,
        );
        rig.arm.ask(&json!({ "do": "place", "body": "berry", "position_m": [x, y, 0.018] }));
        std::thread::sleep(Duration::from_millis(300));
        let [x, y, z] = rig.arm.berry();
        let decision = json!({
            "v": 1, "decision_id": format!("hil-{episode}"), "skill": "pick_up",
            "ttl_ms": 60_000, "source": "hil",
            "params": { "target_x": x, "target_y": y, "target_z": z },
        });
        let seq = rig.daemon.must("decision", &decision);
        let mut since = std::time::Instant::now();
        let is_up = loop {
            let mode = rig.daemon.says("state/mode");
            if rig.arm.berry()[2] < z + 0.08 {
                since = std::time::Instant::now();
            }
            let is_up = since.elapsed() > Duration::from_secs(1);
            if is_up || (mode["seq"].as_u64() > Some(seq) && mode["mode"] != "moving") {
                break is_up;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        rig.daemon.ask("cmd/hold", &json!({ "operator": "hil" }));
        rig.daemon.wait_for_mode("holding");
        lifted += u32::from(is_up);
        crate::rig::say(&format!(
            "{:2}: {x:.3} {y:.3} {}",
            episode,
            if is_up { "lifted" } else { "not" }
        ));
    }
    crate::rig::say(&format!(
        "{lifted} of {episodes} lifted; scene {}",
        here("models/scenes/piper_berry.xml").display()
    ));
    assert!(f64::from(lifted) >= 0.98 * f64::from(episodes), "{lifted} of {episodes}");
}
