//! Nothing touches itself or the table: refused before anything moves where it is known, stopped in time where not.

use std::time::{Duration, Instant};

use motion::Joints;
use reflexd::{
    config::{ArmSettings, CapsuleSettings, PlaneSettings, RobotSettings, Settings},
    daemon,
    kinematics::{Arms, Guard},
};
use serde_json::json;

use crate::{
    daemon::{Body, Daemon, PATIENCE},
    rig::{here, joints},
};

fn shipped() -> RobotSettings {
    Settings::load(&here("config/daemon.toml")).expect("shipped").robot_settings
}

fn guard(robot: &RobotSettings) -> Guard {
    Guard::load(robot).expect("it fits its description").expect("it has capsules")
}

/// Anywhere between the limits.
fn anywhere(robot: &RobotSettings, random: &mut fastrand::Rng) -> Joints {
    let ranges = robot.joints.iter().map(|joint| joint.range());
    let values: Vec<f64> = ranges.map(|(min, max)| min + random.f64() * (max - min)).collect();
    joints(&values)
}

#[test]
fn the_shipped_arm_is_free_at_home_at_zero_and_in_most_places() {
    let robot = shipped();
    let guard = guard(&robot);
    assert_eq!(guard.check(&robot.home().expect("shipped")), Ok(()));
    assert_eq!(guard.check(&Joints::zeros(7)), Ok(()));
    let seed = 20_261_121;
    let mut random = fastrand::Rng::with_seed(seed);
    let free = (0..20_000).filter(|_| guard.check(&anywhere(&robot, &mut random)).is_ok()).count();
    eprintln!("seed {seed}: {free} of 20000 postures are free");
    assert!((10_000..18_000).contains(&free), "seed {seed}: {free} of 20000 are free");
}

/// Capsules stand where the arm's own kinematics put their links, fingers and their mimics included.
#[test]
fn capsules_go_with_their_links() {
    let point = |link: &str| CapsuleSettings {
        link: link.into(),
        from_m: [0.0, 0.0, 0.01],
        to_m: [0.0, 0.0, 0.01],
        radius_m: 0.002,
    };
    let plane = |normal| PlaneSettings { name: "here".into(), point_m: [0.0; 3], normal };
    let seed = 7;
    let mut random = fastrand::Rng::with_seed(seed);
    for link in ["link1", "link4", "tool", "link7"] {
        for normal in [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, -1.0]] {
            let mut robot = shipped();
            robot.collision.allow.clear();
            robot.capsules = vec![point(link)];
            robot.planes = vec![plane(normal)];
            robot.arms = vec![ArmSettings::to("arm", link)];
            let arms = Arms::load(&robot).expect("an arm to every link");
            let (guard, arm) = (guard(&robot), arms.first().expect("an arm"));
            for _ in 0..50 {
                let at = anywhere(&robot, &mut random);
                let place = arm.x_base_tool(&at) * nalgebra::Point3::new(0.0, 0.0, 0.01);
                let direction = nalgebra::Vector3::from(normal).normalize();
                let wanted = place.coords.dot(&direction) - 0.002;
                let told = guard.workspace().nearest(&at).expect("one pair").clearance_m;
                assert!((told - wanted).abs() < 1e-9, "seed {seed}: {link}: {told} for {wanted}");
            }
        }
    }
    // At home the hand closes along y: the finger that follows stands as far to the other side.
    let of = |link, normal| {
        let mut robot = shipped();
        robot.collision.allow.clear();
        (robot.capsules, robot.planes) = (vec![point(link)], vec![plane(normal)]);
        let home = robot.home().expect("shipped");
        guard(&robot).workspace().nearest(&home).expect("one pair").clearance_m
    };
    let (right, left) = ([0.0, -1.0, 0.0], [0.0, 1.0, 0.0]);
    assert!((of("link7", right) - of("link8", left)).abs() < 1e-9);
    assert!((of("link7", right) - (0.035 + 0.01 - 0.002)).abs() < 1e-9);
}

#[test]
fn what_would_touch_is_refused_before_anything_moves() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let before = daemon.says("state/joints")["commanded_rad_or_m"].clone();
    let below = json!({ "position_m": [0.35, 0.0, -0.04], "rpy_rad": [0.0, 2.8, 0.0] });
    let folded = json!({
        "joint1": 0.0, "joint2": 0.0, "joint3": 0.0, "joint4": 0.0, "joint5": 1.2,
    });
    for (goal, helps) in [
        (json!({ "joints": { "joint2": 1.9 } }), &["would touch the table", "link"][..]),
        (json!({ "pose": below }), &["would touch the table"]),
        (json!({ "joints": folded }), &["gripper_base would touch link"]),
    ] {
        let reason = daemon.refused("cmd/goto", &goal);
        // Which of two is named first is the order in the robot's file.
        let swapped = "link1 would touch gripper_base";
        for part in helps {
            let told = reason.contains(part) || (reason.contains(swapped) && part.contains("link"));
            assert!(told, "{goal}: {part:?} is not in {reason:?}");
        }
    }
    assert_eq!(daemon.says("state/joints")["commanded_rad_or_m"], before);
    assert!(daemon.says("state/skill")["last"].is_null(), "nothing of it ran");
    let ways = daemon.ask("ask/ik", &json!({ "pose": below }));
    assert_eq!(ways["reached"], false, "{ways}");
    let touching = |way: &serde_json::Value| {
        way["verdict"].as_str().is_some_and(|verdict| verdict.contains("would touch"))
    };
    assert!(ways["solutions"].as_array().expect("a list").iter().any(touching), "{ways}");
    // What does not touch is not refused.
    daemon.must("cmd/goto", &json!({ "joints": { "joint2": 1.2 } }));
}

#[test]
fn a_jog_that_pushes_down_stops_above_the_table_and_says_why() {
    let robot = shipped();
    let guard = guard(&robot);
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let (ticks, runs) = (daemon.watch("state/joints"), daemon.watch("event/run"));
    let begun = Instant::now();
    let reason = loop {
        assert!(begun.elapsed() < PATIENCE, "the jog does not end");
        // A run that has been given up is not begun again and again: nobody would see why it ended.
        if daemon.says("state/skill")["last"].is_null() {
            let down = json!({ "joints": { "joint2": 0.6 }, "ttl_ms": 400 });
            daemon.must("cmd/jog", &down);
        }
        let Some((_, said)) = runs.next(Duration::from_millis(100)) else { continue };
        if said["outcome"] == "workspace" {
            break said["reason"].as_str().expect("a reason").to_owned();
        }
    };
    assert_eq!(reason, "link7 would touch the table");
    daemon.wait_for_mode("holding");
    assert_eq!(daemon.says("state/skill")["last"]["ending"], "workspace");
    let mut seen = 0;
    let mut lowest = f64::INFINITY;
    let mut barred = false;
    while let Some((_, said)) = ticks.next(Duration::from_millis(200)) {
        let commanded = said["commanded_rad_or_m"].as_array().expect("joints");
        let values: Vec<f64> = commanded.iter().filter_map(serde_json::Value::as_f64).collect();
        let nearest = guard.workspace().nearest(&joints(&values)).expect("pairs");
        lowest = lowest.min(nearest.clearance_m);
        barred |=
            said["limited_by"][1].as_array().is_some_and(|by| by.contains(&json!("workspace")));
        seen += 1;
        if seen > 40 && said["mode"] == "holding" {
            break;
        }
    }
    assert!(barred, "it is said what kept it");
    let margin = robot.collision.margin_m;
    assert!(lowest >= margin && lowest < 0.05, "it stopped {lowest} m above the table");

    // And it may go up again.
    daemon.must("cmd/home", &json!({}));
    daemon.wait_for("state/skill", |said| said["last"]["skill"] == "home");
    assert_eq!(daemon.says("state/skill")["last"]["ending"], "done");
}

#[test]
fn the_law_of_the_shipped_robot_has_its_guard() {
    let (law, guard) = daemon::guarded(&shipped(), 0.05).expect("shipped");
    assert!(law.workspace().is_some() && guard.is_some());
    let mut bare = shipped();
    bare.capsules.clear();
    bare.collision.allow.clear();
    let (law, guard) = daemon::guarded(&bare, 0.05).expect("a robot may have none");
    assert!(law.workspace().is_none() && guard.is_none());
}
