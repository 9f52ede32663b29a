//! Trouble in the middle of a motion: what the daemon calls it, and how soon the arm is safe.
//!
//! Safe means: the mode is one that brakes, and the commanded motion has come to rest. Bounds are those of the table in
//! `docs/piper.md`; each is the time to notice, two ticks, and the longest braking of the motion that is on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{Daemon, PATIENCE, Rig, VirtualArm, alone, now, say};

/// From full speed, 0.7 of 3 rad/s, to rest at 8 rad/s2 and 200 rad/s3, and the ticks around it.
const BRAKING_MS: u64 = 450;

struct Case {
    fault: Value,
    /// What `state/fault` may call it.
    named: &'static [&'static str],
    /// To notice it.
    notice_ms: u64,
}

/// What happened, from the fault on.
struct Seen {
    named: String,
    /// Until a tick was faulted.
    noticed_ms: f64,
    /// Until its command was at rest.
    safe_ms: f64,
}

/// Makes trouble in motion, and follows the ticks until the command rests.
fn trouble(rig: &mut Rig, make: impl FnOnce(&mut Rig)) -> Seen {
    let ticks = rig.daemon.watch("state/joints");
    rig.in_motion();
    let begun = now();
    make(rig);
    let ms = |at_ns: u64| at_ns.saturating_sub(begun.0) as f64 / 1e6;
    let mut noticed = None;
    let mut last = Value::Null;
    let rested;
    let patience = Instant::now();
    loop {
        assert!(patience.elapsed() < PATIENCE, "never safe: {last}\n{}", rig.daemon.log());
        let Some((_, tick)) = ticks.next(Duration::from_secs(1)) else { continue };
        let at = tick["at_ns"].as_u64().expect("a time");
        if tick["mode"] == "faulted" {
            noticed = noticed.or(Some(ms(at)));
            if tick["commanded_rad_or_m"] == last {
                rested = at;
                break;
            }
        }
        last = tick["commanded_rad_or_m"].clone();
    }
    let safe_ms = ms(rested);
    let named = rig.daemon.says("state/fault")["fault"].as_str().unwrap_or("none").to_owned();
    Seen { named, noticed_ms: noticed.unwrap_or(f64::MAX), safe_ms }
}

fn judge(what: &str, seen: &Seen, named: &[&str], notice_ms: u64) {
    let bound_ms = notice_ms + BRAKING_MS;
    say(&format!(
        "{what:14} {:16} noticed {:5.0} ms, safe {:5.0} ms, bound {bound_ms} ms",
        seen.named, seen.noticed_ms, seen.safe_ms
    ));
    assert!(named.contains(&seen.named.as_str()), "{what} is called {:?}", seen.named);
    assert!(seen.noticed_ms <= notice_ms as f64, "{what} noticed after {} ms", seen.noticed_ms);
    assert!(seen.safe_ms <= bound_ms as f64, "{what} safe after {} ms", seen.safe_ms);
}

/// One fault of the virtual arm in motion, and the way back once it is over.
fn case(case: &Case) {
    let _alone = alone();
    let mut rig = Rig::armed("");
    let mut request = case.fault.clone();
    request["do"] = "fault".into();
    let what = request["fault"].as_str().expect("a name").to_owned();
    let seen = trouble(&mut rig, |rig| {
        rig.arm.ask(&request);
    });
    judge(&what, &seen, case.named, case.notice_ms);
    rig.arm.ask(&json!({ "do": "fault", "fault": "none" }));
    // What the arm keeps of it is cleared as an operator would.
    let begun = Instant::now();
    while rig.daemon.ask("cmd/clear_fault", &json!({}))["accepted"] != true {
        if begun.elapsed() > Duration::from_secs(3) {
            rig.daemon.must("cmd/release", &json!({ "arm_may_fall": true }));
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{}\n{}",
            rig.daemon.says("state/mode"),
            rig.daemon.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let still = rig.arm.joints().0;
    assert!(still.iter().all(|rad| rad.is_finite()));
}

/// A period of the servo, one of the loop, and what a machine that others use as well takes to wake them.
const TICK_MS: u64 = 10 + 50 + 90;

/// What is silent is noticed when it has said nothing for 100 ms.
const SILENT_MS: u64 = 100 + TICK_MS;
/// What is told is noticed at the second frame of it, every 25 ms, and the tick after.
const TOLD_MS: u64 = 50 + TICK_MS;

#[test]
fn the_cable_is_pulled() {
    let named = &["nothing_heard", "state_stale"];
    case(&Case { fault: json!({ "fault": "cable" }), named, notice_ms: SILENT_MS });
}

#[test]
fn the_bus_goes_off() {
    let named = &["bus_off", "bus_errors", "nothing_heard"];
    case(&Case { fault: json!({ "fault": "bus_off" }), named, notice_ms: SILENT_MS });
}

#[test]
fn one_joint_is_silent() {
    let named = &["joint_silent", "joint_frozen"];
    case(&Case { fault: json!({ "fault": "silent", "joint": 1 }), named, notice_ms: SILENT_MS });
}

#[test]
fn feedback_is_frozen() {
    let named = &["joint_frozen"];
    case(&Case { fault: json!({ "fault": "frozen" }), named, notice_ms: 150 + TICK_MS });
}

#[test]
fn garbage_floods_the_bus() {
    let fault = json!({ "fault": "garbage", "frames_per_s": 8000 });
    let named = &["bus_garbage", "second_master", "joint_implausible"];
    case(&Case { fault, named, notice_ms: 100 + TICK_MS });
}

#[test]
fn a_second_master_appears() {
    let named = &["second_master"];
    case(&Case { fault: json!({ "fault": "second_master" }), named, notice_ms: 20 + TICK_MS });
}

#[test]
fn its_own_button_stops_it() {
    let named = &["own_stop"];
    case(&Case { fault: json!({ "fault": "own_stop" }), named, notice_ms: TOLD_MS });
}

#[test]
fn a_joint_is_too_hot() {
    let named = &["motor_hot", "own_fault"];
    case(&Case { fault: json!({ "fault": "hot", "joint": 3 }), named, notice_ms: TOLD_MS });
}

#[test]
fn a_joint_collides() {
    let named = &["collided", "own_fault"];
    case(&Case { fault: json!({ "fault": "collision", "joint": 2 }), named, notice_ms: TOLD_MS });
}

#[test]
fn a_motor_loses_its_power() {
    let named = &["motor_off", "disengaged"];
    case(&Case { fault: json!({ "fault": "motor_off", "joint": 1 }), named, notice_ms: TOLD_MS });
}

#[test]
fn the_arm_loses_its_power_and_gets_it_back() {
    let _alone = alone();
    let mut rig = Rig::armed("");
    let seen = trouble(&mut rig, |rig| {
        rig.arm.cut_power_and_start_again(Duration::from_millis(400));
    });
    // Until the daemon noticed the arm was dark, and being started took as long as it takes.
    judge("power cut", &seen, &["no_bus", "nothing_heard"], SILENT_MS);
    // It stands where it was started, without power; nothing switches it on by itself.
    std::thread::sleep(Duration::from_millis(500));
    let state = rig.arm.ask(&json!({ "do": "state" }));
    assert_eq!(state["enabled"], json!([false, false, false, false, false, false]));
    rig.daemon.recover();
    rig.daemon.go(&json!({ "joint1": 0.3 }), 0.5);
}

#[test]
fn the_daemon_is_killed_in_motion_and_started_again() {
    let _alone = alone();
    let mut rig = Rig::armed("");
    rig.in_motion();
    let begun = Instant::now();
    rig.daemon.kill();
    // The arm has no watchdog: it goes to the last target that it got, a hundredth of a second's way ahead.
    let rested = loop {
        let (_, speeds) = rig.arm.joints();
        if speeds.iter().all(|speed| speed.abs() < 0.02) {
            break begun.elapsed();
        }
        assert!(begun.elapsed() < PATIENCE, "never at rest: {speeds:?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    say(&format!(
        "daemon killed   at rest after {:.0} ms, bound 750 ms",
        rested.as_secs_f64() * 1e3
    ));
    assert!(rested < Duration::from_millis(750), "{rested:?}");
    let held = rig.arm.joints().0;
    std::thread::sleep(Duration::from_millis(500));
    rig.daemon.start_again();
    let mut worst = 0.0_f64;
    let mut look = |rig: &mut Rig| {
        let (at, _) = rig.arm.joints();
        worst = at.iter().zip(held).map(|(is, was)| (is - was).abs()).fold(worst, f64::max);
    };
    look(&mut rig);
    rig.daemon.arm();
    for _ in 0..50 {
        look(&mut rig);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(worst < 0.01, "it moved {worst} rad while it was adopted");
    rig.daemon.go(&json!({ "joint1": 0.2 }), 0.5);
}

#[test]
fn what_must_not_be_commanded_is_refused_at_the_start_with_the_remedy() {
    let _alone = alone();
    for (fault, told) in [
        ("limits_7fff", "restore its limits"),
        ("leader", "follower"),
        ("zero_pose", "exactly 0"),
        ("cable", "nothing is heard"),
        ("second_master", "stop the other program"),
    ] {
        let mut arm = VirtualArm::start(&[]);
        arm.ask(&json!({ "do": "fault", "fault": fault }));
        let (code, log) = Daemon::refused(&arm.bus, "");
        assert_eq!(code, Some(3), "{fault}: {log}");
        assert!(log.contains(told), "{fault}: {log}");
        let state = arm.ask(&json!({ "do": "state" }));
        assert_eq!(state["enabled"], json!([false, false, false, false, false, false]), "{fault}");
    }
    let arm = VirtualArm::start(&["--gripper-range", "0"]);
    let (code, log) = Daemon::refused(&arm.bus, "");
    assert!(code == Some(3) && log.contains("its range was never set"), "{log}");
}

/// An e-stop in motion does what it was configured to do, and is left on purpose only.
fn estop(policy: &str, check: impl Fn(&mut Rig)) {
    let _alone = alone();
    let mut rig = Rig::armed(&format!("estop = \"{policy}\""));
    rig.in_motion();
    rig.daemon.must("cmd/estop", &json!({ "operator": "hil" }));
    rig.daemon.wait_for_mode("estopped");
    std::thread::sleep(Duration::from_millis(800));
    check(&mut rig);
}

const ON: [bool; 6] = [true; 6];
const OFF: [bool; 6] = [false; 6];

#[test]
fn an_estop_that_holds_leaves_the_motors_on_and_the_arm_where_it_came_to_rest() {
    estop("hold", |rig| {
        let (at, _) = rig.arm.joints();
        std::thread::sleep(Duration::from_millis(500));
        let (later, speeds) = rig.arm.joints();
        assert!(at.iter().zip(later).all(|(was, is)| (was - is).abs() < 0.01), "{at:?} {later:?}");
        assert!(speeds.iter().all(|speed| speed.abs() < 0.02), "{speeds:?}");
        assert_eq!(rig.arm.ask(&json!({ "do": "state" }))["enabled"], json!(ON));
        rig.daemon.recover();
        rig.daemon.go(&json!({ "joint1": 0.2 }), 0.5);
    });
}

#[test]
fn an_estop_that_damps_is_left_by_a_release_only() {
    estop("damp", |rig| {
        let state = rig.arm.ask(&json!({ "do": "state" }));
        assert_eq!(state["halted"], true, "{state}");
        let told = rig.daemon.must_not("cmd/clear_fault", &json!({}));
        assert!(told.contains("trouble"), "{told}");
        rig.daemon.must("cmd/release", &json!({ "arm_may_fall": true }));
        rig.daemon.recover();
        let state = rig.arm.ask(&json!({ "do": "state" }));
        assert_eq!(state["enabled"], json!(ON), "{state}");
    });
}

#[test]
fn an_estop_that_cuts_drops_the_arm() {
    estop("cut", |rig| {
        let state = rig.arm.ask(&json!({ "do": "state" }));
        assert_eq!(state["enabled"], json!(OFF), "{state}");
        rig.daemon.recover();
        let state = rig.arm.ask(&json!({ "do": "state" }));
        assert_eq!(state["enabled"], json!(ON), "{state}");
    });
}
