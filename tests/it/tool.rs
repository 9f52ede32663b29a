//! What takes the tool somewhere: poses, routes, jogs and the skill `reach`, through real processes.

use std::time::{Duration, Instant};

use motion::Joints;
use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use reflexd::{config::Settings, kinematics::Arms, wire::Watch};
use serde_json::{Value, json};

use crate::{
    daemon::{Body, Daemon, PATIENCE},
    rig::here,
};

/// Set-points are worked out to this, and no measured arm is in the way of a command.
const EXACT_M: f64 = 1e-6;
const EXACT_RAD: f64 = 1e-6;
/// What a position servo leaves of a pose in simulation.
const SERVO_M: f64 = 0.01;

/// The shipped robot's arms.
fn arms() -> Arms {
    let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
    Arms::load(&settings.robot_settings).expect("shipped")
}

/// One tick, as it was told.
#[derive(Clone, Debug)]
struct Told {
    mode: String,
    commanded: Joints,
    limited: bool,
}

fn read(joints: &Value) -> Told {
    let values = joints["commanded_rad_or_m"].as_array().expect("joints");
    let values: Vec<f64> = values.iter().map(|value| value.as_f64().expect("finite")).collect();
    let limited = joints["limited_by"].as_array().expect("one for each joint");
    Told {
        mode: joints["mode"].as_str().expect("a mode").to_owned(),
        commanded: Joints::from_slice(&values).expect("they fit"),
        limited: limited.iter().any(|by| by.as_array().is_some_and(|by| !by.is_empty())),
    }
}

/// Every tick from the first that moves to the first that stands again.
fn motion(watch: &Watch) -> Vec<Told> {
    let begun = Instant::now();
    let mut told: Vec<Told> = Vec::new();
    loop {
        assert!(begun.elapsed() < PATIENCE, "it neither moves nor stands: {:?}", told.last());
        let Some((_, said)) = watch.next(PATIENCE) else { continue };
        let tick = read(&said);
        match (told.is_empty(), tick.mode.as_str()) {
            (true, "moving") | (false, "moving" | "stopping") => told.push(tick),
            (true, _) => {}
            (false, "holding") => {
                told.push(tick);
                return told;
            }
            (false, mode) => panic!("{mode} in the middle of a motion"),
        }
    }
}

fn tool(joints: &Joints) -> Isometry3<f64> {
    arms().first().expect("an arm").x_base_tool(joints)
}

fn pose(position: [f64; 3], rpy: [f64; 3]) -> (Isometry3<f64>, Value) {
    let [roll, pitch, yaw] = rpy;
    let orientation = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
    let x = Isometry3::from_parts(Vector3::from(position).into(), orientation);
    (x, json!({ "position_m": position, "rpy_rad": rpy }))
}

fn apart(a: &Isometry3<f64>, b: &Isometry3<f64>) -> (f64, f64) {
    let metres = (a.translation.vector - b.translation.vector).norm();
    (metres, a.rotation.angle_to(&b.rotation))
}

fn is_there(at: &Joints, goal: &Isometry3<f64>) {
    let (metres, radians) = apart(&tool(at), goal);
    assert!(metres < EXACT_M && radians < EXACT_RAD, "{metres} m and {radians} rad away");
}

/// A pose from which lines in all directions stay inside the arm's reach.
fn middle() -> (Isometry3<f64>, Value) {
    pose([0.32, 0.05, 0.22], [0.0, 2.3, 0.1])
}

fn go_to_a_pose(body: Body) {
    let daemon = Daemon::start(body);
    daemon.arm();
    let joints = daemon.watch("state/joints");
    let (goal, message) = middle();
    daemon.must("cmd/goto", &json!({ "pose": message, "operator": "ada" }));
    let told = motion(&joints);
    is_there(&told.last().expect("it moved").commanded, &goal);
    assert!(!told.iter().any(|tick| tick.limited), "a plan keeps the limits by itself");
    let near = |said: &Value| {
        let at = |axis: usize| said["position_m"][axis].as_f64().expect("finite");
        (Vector3::new(at(0), at(1), at(2)) - goal.translation.vector).norm() < SERVO_M
    };
    daemon.wait_for("state/tool", near);

    // In the tool's own frame, from where it is commanded to be: 3 cm back along its approach.
    let back = json!({ "pose": { "position_m": [0.0, 0.0, -0.03] }, "frame": "tool" });
    daemon.must("cmd/goto", &back);
    let told = motion(&joints);
    let behind = goal * Isometry3::translation(0.0, 0.0, -0.03);
    is_there(&told.last().expect("it moved").commanded, &behind);
}

#[test]
fn a_tool_goes_to_a_pose_on_loopback() {
    go_to_a_pose(Body::Loopback);
}

#[cfg(feature = "mujoco")]
#[test]
fn a_tool_goes_to_a_pose_in_mujoco() {
    go_to_a_pose(Body::Mujoco);
}

#[test]
fn a_straight_route_is_straight_and_a_circular_one_round() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let joints = daemon.watch("state/joints");
    let (start, message) = middle();
    daemon.must("cmd/goto", &json!({ "pose": message }));
    motion(&joints);

    let (goal, message) = pose([0.30, -0.12, 0.15], [0.2, 2.4, -0.3]);
    daemon.must("cmd/goto", &json!({ "pose": message, "route": "straight" }));
    let told = motion(&joints);
    is_there(&told.last().expect("it moved").commanded, &goal);
    assert!(told.len() > 10, "{} ticks", told.len());
    let (from, to) = (start.translation.vector, goal.translation.vector);
    let along = (to - from).normalize();
    let mut last = -1e-9;
    for tick in &told {
        let x = tool(&tick.commanded);
        let gone = (x.translation.vector - from).dot(&along);
        let off = (x.translation.vector - from - along * gone).norm();
        assert!(off < 1e-5, "{off} m beside the line");
        assert!(gone >= last - 1e-6, "it goes back on its line");
        // The tool turns as evenly as it goes.
        let share = gone / (to - from).norm();
        let even = start.rotation.slerp(&goal.rotation, share.clamp(0.0, 1.0));
        assert!(x.rotation.angle_to(&even) < 1e-4, "turned unevenly at {share}");
        last = gone;
    }

    let (end, message) = pose([0.30, 0.12, 0.15], [0.2, 2.4, -0.3]);
    let via = Vector3::new(0.38, 0.0, 0.18);
    let round = json!({ "pose": message, "route": "circular", "via_m": [via.x, via.y, via.z] });
    daemon.must("cmd/goto", &round);
    let told = motion(&joints);
    is_there(&told.last().expect("it moved").commanded, &end);
    let (a, b, c) = (goal.translation.vector, via, end.translation.vector);
    let normal = (b - a).cross(&(c - a)).normalize();
    let centre = circumcentre(a, b, c);
    let radius = (a - centre).norm();
    let mut nearest = f64::INFINITY;
    for tick in &told {
        let at = tool(&tick.commanded).translation.vector;
        assert!((at - centre).dot(&normal).abs() < 1e-5, "beside the plane of the circle");
        assert!(((at - centre).norm() - radius).abs() < 1e-5, "not round");
        nearest = nearest.min((at - via).norm());
    }
    assert!(nearest < 0.02, "it passes {nearest} m from the point it was to pass");
}

fn circumcentre(a: Vector3<f64>, b: Vector3<f64>, c: Vector3<f64>) -> Vector3<f64> {
    let (u, v) = (b - a, c - a);
    let w = u.cross(&v);
    a + (w.cross(&u) * v.norm_squared() + v.cross(&w) * u.norm_squared()) / (2.0 * w.norm_squared())
}

#[test]
fn what_cannot_be_reached_is_refused_before_anything_moves() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let before = daemon.says("state/joints")["commanded_rad_or_m"].clone();
    let far = json!({ "position_m": [1.5, 0.0, 0.2], "rpy_rad": [0.0, 2.3, 0.0] });
    let (_, middle) = middle();
    for (name, payload, helps) in [
        ("cmd/goto", json!({ "pose": far }), &["out of reach", "mm", "deg"][..]),
        ("cmd/goto", json!({ "pose": far, "route": "straight" }), &["reach"]),
        ("cmd/goto", json!({ "pose": middle, "arm": "left" }), &["\"left\" is unknown"]),
        ("cmd/goto", json!({ "pose": middle, "joints": { "joint1": 0.0 } }), &["left out"]),
        ("cmd/goto", json!({ "pose": middle, "route": "circular" }), &["via_m"]),
        (
            "cmd/goto",
            json!({ "pose": { "position_m": [0.3, 0.0, 0.2], "quaternion_xyzw": [0, 0, 0, 2] } }),
            &["quaternion_xyzw = 2", "length 1"],
        ),
        ("cmd/jog", json!({ "joints": { "joint9": 0.1 } }), &["\"joint9\" is unknown"]),
        ("cmd/jog", json!({ "joints": { "joint1": 0.1 }, "ttl_ms": 5000 }), &["ttl_ms"]),
        ("cmd/jog", json!({}), &["at least one joint"]),
        ("ask/ik", json!({ "pose": middle, "arm": "left" }), &["\"left\" is unknown"]),
    ] {
        let reason = daemon.refused(name, &payload);
        for part in helps {
            assert!(reason.contains(part), "{name} {payload}: {part:?} is not in {reason:?}");
        }
    }
    assert_eq!(daemon.says("state/joints")["commanded_rad_or_m"], before);
    assert!(daemon.says("state/skill")["last"].is_null(), "nothing of it ran");
}

/// Renews a jog for a while, then lets go; every tick of it.
fn jog(daemon: &Daemon, payload: &Value, seconds: f64) -> Vec<Told> {
    let joints = daemon.watch("state/joints");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs_f64(seconds) {
        daemon.must("cmd/jog", payload);
        std::thread::sleep(Duration::from_millis(50));
    }
    motion(&joints)
}

#[test]
fn a_jog_goes_on_while_it_is_renewed_and_brakes_when_it_is_not() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let told =
        jog(&daemon, &json!({ "joints": { "joint1": 0.4, "gripper": -0.01 }, "ttl_ms": 400 }), 1.0);
    let (first, last) = (&told[0].commanded, &told[told.len() - 1].commanded);
    assert!(last[0] - first[0] > 0.1, "joint1 went from {} to {}", first[0], last[0]);
    assert!(first[6] - last[6] > 0.002, "the gripper closed a little");
    assert_eq!(first[1..6], last[1..6], "joints that are not named rest");
    let steps = told.windows(2).map(|pair| pair[1].commanded[0] - pair[0].commanded[0]);
    let fastest = steps.clone().fold(0.0, f64::max);
    assert!((fastest / 0.05 - 0.4).abs() < 0.01, "{} rad/s", fastest / 0.05);
    assert!(steps.clone().all(|step| step >= 0.0), "it never turns back");
    assert_eq!(daemon.says("state/skill")["last"]["ending"], "done");

    // Far beyond the limit of a joint: it stops there, softly, and nothing is a fault.
    daemon.must("cmd/goto", &json!({ "joints": { "joint5": 1.1 } }));
    daemon.wait_for("state/skill", |said| said["last"]["skill"] == "goto");
    daemon.wait_for_mode("holding");
    let told = jog(&daemon, &json!({ "joints": { "joint5": 2.5 } }), 1.0);
    let most = told.iter().map(|tick| tick.commanded[4]).fold(f64::MIN, f64::max);
    assert!(most <= 1.22 && most > 1.21, "it came to {most}");
}

#[test]
fn a_jogged_tool_keeps_its_direction() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let joints = daemon.watch("state/joints");
    let (_, message) = middle();
    daemon.must("cmd/goto", &json!({ "pose": message }));
    motion(&joints);
    let down = json!({ "tool": { "linear_m_s": [0.06, 0.03, -0.04] }, "ttl_ms": 400 });
    let told = jog(&daemon, &down, 1.0);
    let (first, last) = (tool(&told[0].commanded), tool(&told[told.len() - 1].commanded));
    let direction = Vector3::new(0.06, 0.03, -0.04).normalize();
    let gone = last.translation.vector - first.translation.vector;
    assert!(gone.dot(&direction) > 0.03, "it went {gone}");
    for tick in &told {
        let x = tool(&tick.commanded);
        let off = x.translation.vector - first.translation.vector;
        let beside = (off - direction * off.dot(&direction)).norm();
        assert!(beside < 2e-4, "{beside} m beside its direction");
        assert!(x.rotation.angle_to(&first.rotation) < 1e-3, "it turned");
    }

    // About its own axis, in its own frame.
    let turn = json!({ "tool": { "angular_rad_s": [0, 0, 0.4], "frame": "tool" }, "ttl_ms": 400 });
    let told = jog(&daemon, &turn, 1.0);
    let (first, last) = (tool(&told[0].commanded), tool(&told[told.len() - 1].commanded));
    let turned = (first.rotation.inverse() * last.rotation).scaled_axis();
    assert!(turned.z > 0.1 && turned.xy().norm() < 1e-3, "it turned by {turned}");
    assert!(apart(&first, &last).0 < 2e-4, "it stays where it is");
}

#[test]
fn reach_is_a_skill_that_takes_the_tool_to_its_target() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let joints = daemon.watch("state/joints");
    let target = [0.35, 0.1, 0.12];
    let decision = |id: &str, [x, y, z]: [f64; 3]| {
        json!({
            "v": 1, "decision_id": id, "skill": "reach", "ttl_ms": 60_000, "source": "router",
            "params": { "target_x": x, "target_y": y, "target_z": z, "speed_hint": 0.5 },
        })
    };
    daemon.must("decision", &decision("reach-1", target));
    let told = motion(&joints);
    let x = tool(&told.last().expect("it moved").commanded);
    assert!((x.translation.vector - Vector3::from(target)).norm() < EXACT_M, "{x}");
    assert!((x.rotation * Vector3::y()).z.abs() < 1e-6, "the hand closes level");
    assert_eq!(daemon.says("state/skill")["last"]["ending"], "done");
    let refused = daemon.refused("decision", &decision("reach-2", [0.35, 0.1, 3.0]));
    assert!(refused.contains("target_z = 3"), "{refused}");
}

#[test]
fn every_way_to_a_pose_is_told_with_its_verdict() {
    let daemon = Daemon::start(Body::Loopback);
    let (goal, message) = middle();
    let ways = daemon.ask("ask/ik", &json!({ "pose": message }));
    assert_eq!(ways["reached"], true, "{ways}");
    let solutions = ways["solutions"].as_array().expect("solutions");
    assert_eq!(solutions[0]["verdict"], "chosen");
    for way in solutions {
        let joints = way["joints_rad_or_m"].as_array().expect("joints");
        let mut all = Joints::zeros(7);
        for (slot, value) in all.iter_mut().zip(joints) {
            *slot = value.as_f64().expect("finite");
        }
        is_there(&all, &goal);
    }
    let refused = solutions.iter().filter(|way| way["verdict"] != "chosen").count();
    assert_eq!(refused, solutions.len() - 1, "one is chosen");
    assert!(solutions.len() > 1, "an arm like this has several branches: {ways}");
    assert_eq!(daemon.says("state/mode")["mode"], "disarmed", "a question moves nothing");

    let reflexctl = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_reflexctl"));
        command.args(["--connect", &daemon.endpoint, "--timeout-ms", "20000"]);
        let done = command.args(args).output().expect("reflexctl was built");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let (code, told) = reflexctl(&["ik", "--pose", "0.32,0.05,0.22,0,2.3,0.1"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("chosen") && told.contains("beyond its limit"), "{told}");
    let (code, told) = reflexctl(&["ik", "--pose", "1.32,0.05,0.22,0,2.3,0.1"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("out of reach") && told.contains("nearest"), "{told}");
    let (code, told) = reflexctl(&["jog", "--joint", "joint1=0.3", "--for", "0.5"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("arm it first"), "{told}");
    assert_eq!(reflexctl(&["arm"]).0, Some(0));
    let (code, told) = reflexctl(&["jog", "--joint", "joint1=0.3", "--for", "0.5"]);
    assert_eq!(code, Some(0), "{told}");
    daemon.wait_for_mode("holding");
    let at = read(&daemon.says("state/joints")).commanded[0];
    assert!(at > 0.05 && at < 0.3, "it jogged to {at}");
    let goal = ["goto", "--pose", "0.32,0.05,0.22,0,2.3,0.1", "--route", "straight"];
    let (code, told) = reflexctl(&goal);
    assert_eq!(code, Some(0), "{told}");
    daemon.wait_for("state/skill", |said| said["last"]["skill"] == "goto");
}
