//! What must not touch does not: the shipped robot's capsules, and a goal that would drive one into the table.

use std::fs;

use motion::Joints;
use reflexd::{
    config::{RobotSettings, Settings},
    kinematics::{Description, Guard},
};
use serde_json::json;

use crate::{
    daemon::{Body, Daemon},
    rig::here,
};

fn shipped() -> (Settings, Guard) {
    let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
    let guard = Guard::load(&settings.robot_settings).expect("a guard").expect("capsules");
    (settings, guard)
}

/// Joints inside the limits.
fn anywhere(robot: &RobotSettings, random: &mut fastrand::Rng) -> Joints {
    let mut pose = Joints::zeros(robot.joints.len());
    for (value, joint) in pose.iter_mut().zip(&robot.joints) {
        let (min, max) = joint.range();
        *value = min + random.f64() * (max - min);
    }
    pose
}

#[test]
fn a_sensible_share_of_the_joint_space_is_free() {
    let (settings, guard) = shipped();
    let seed = 20_261_121;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut blocked = std::collections::BTreeMap::<String, u32>::new();
    let count = 20_000;
    for _ in 0..count {
        let pose = anywhere(&settings.robot_settings, &mut random);
        if let Some(contact) = guard.workspace().check(&pose) {
            *blocked.entry(guard.words(&contact.pair)).or_default() += 1;
        }
    }
    let share = 1.0 - f64::from(blocked.values().sum::<u32>()) / f64::from(count);
    assert!((0.4..0.9).contains(&share), "seed {seed}: {share} is free; {blocked:?}");
    let names = |part: &str| blocked.keys().any(|words| words.contains(part));
    assert!(names("the table") && names("base_link") && names("link1"), "{blocked:?}");
}

/// Against `k`'s transforms of the links: the lowest point of all capsules is what is left above the table.
#[test]
fn capsules_stand_where_their_links_are() {
    let (settings, guard) = shipped();
    let robot = &settings.robot_settings;
    let table = &robot.planes[0].name;
    let text = fs::read_to_string(&robot.urdf).expect("shipped");
    let tree = k::Chain::<f64>::from(urdf_rs::read_from_string(&text).expect("a description"));
    let (seed, mut met) = (7, 0);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..1000 {
        let pose = anywhere(robot, &mut random);
        for (joint, value) in robot.joints.iter().zip(pose.iter()) {
            let (name, scale) = joint.in_urdf();
            tree.find(name).expect("a joint").set_joint_position_unchecked(value / scale);
        }
        tree.update_transforms();
        let watched = robot.capsules.iter().filter(|capsule| {
            capsule.link != "base_link" && !robot.collision.allows(&capsule.link, table)
        });
        let lowest = watched.map(|capsule| {
            let link = tree.find_link(&capsule.link).expect("a link");
            let x_base_link = link.world_transform().expect("updated");
            let height = |point: [f64; 3]| (x_base_link * nalgebra::Point3::from(point)).z;
            height(capsule.from_m).min(height(capsule.to_m)) - capsule.radius_m
        });
        let lowest = lowest.fold(f64::INFINITY, f64::min);
        let nearest = guard.workspace().nearest(&pose).expect("pairs");
        assert!(nearest.clearance_m <= lowest + 1e-12, "seed {seed}: {lowest} at {pose:?}");
        if guard.words(&nearest.pair).contains(table.as_str()) {
            met += 1;
            assert!(
                (nearest.clearance_m - lowest).abs() < 1e-12,
                "seed {seed}: {lowest} at {pose:?}"
            );
        }
    }
    assert!(met > 100, "seed {seed}: the table was nearest {met} times");
}

#[test]
fn a_guard_that_makes_no_sense_is_refused_by_name() {
    let (settings, _) = shipped();
    let description = Description::read(&settings.robot_settings.urdf).expect("shipped");
    let refused = |spoil: &dyn Fn(&mut RobotSettings)| {
        let mut robot = settings.robot_settings.clone();
        spoil(&mut robot);
        Guard::build(&robot, &description).expect_err("it was spoiled").to_string()
    };
    let nowhere = refused(&|robot| robot.capsules[2].link = "elbow".into());
    assert!(nowhere.contains("no link \"elbow\"") && nowhere.contains("piper.toml"), "{nowhere}");
    let many = refused(&|robot| {
        let one = robot.capsules[2].clone();
        robot.capsules.extend(std::iter::repeat_n(one, 20));
    });
    assert!(many.contains("24 capsules") && many.contains("piper.toml"), "{many}");
    let loose = refused(&|robot| {
        robot.joints.pop();
    });
    assert!(loose.contains("joint \"joint7\"") && loose.contains("add it there"), "{loose}");
}

#[test]
fn home_is_clear_and_a_way_names_what_it_would_touch() {
    let (settings, guard) = shipped();
    let home = settings.robot_settings.home().expect("home");
    assert_eq!(guard.check(&home), Ok(()));
    let mut low = home;
    low[1] = 2.8;
    let why = guard.check(&low).expect_err("into the table");
    assert!(why.contains("would touch the table"), "{why}");
    let on_the_way = guard.sweep(&home, &low).expect_err("on the way");
    assert!(on_the_way.contains("would touch the table"), "{on_the_way}");
    assert_eq!(guard.sweep(&low, &home), Ok(()), "who is too near may leave");
}

#[test]
fn a_goal_in_the_table_is_refused_before_anything_moves() {
    let daemon = Daemon::start(Body::Loopback);
    daemon.arm();
    let before = daemon.says("state/joints")["commanded_rad_or_m"].clone();
    let goal = json!({ "joints": { "joint2": 2.8 }, "operator": "ada" });
    let why = daemon.refused("cmd/goto", &goal);
    assert!(why.contains("would touch the table"), "{why}");
    assert_eq!(daemon.says("state/joints")["commanded_rad_or_m"], before);
}
