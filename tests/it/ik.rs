//! `reflexd ik` as a process: any arm from its description alone.

use std::{fmt::Write as _, fs, process::Output};

use motion::Joints;
use reflexd::kinematics::{Description, RobotArm};
use serde_json::{Value, json};

use crate::{daemon, rig::here};

/// Seed of the poses; a failure names it.
const SEED: u64 = 20_261_121;
/// Poses of each arm.
const POSES: usize = 200;

/// Description, tool, class, and the least share of poses that are solved from the middle of the limits.
const ARMS: [(&str, &str, &str, f64); 12] = [
    ("piper_new", "link6", "ortho_parallel", 1.0),
    ("piper_old", "link6", "ortho_parallel", 1.0),
    ("piper_2024", "link6", "ortho_parallel", 1.0),
    ("piper_dh0", "link6", "ortho_parallel", 1.0),
    ("piper_h", "link6", "ortho_parallel", 1.0),
    ("piper_l", "link6", "ortho_parallel", 1.0),
    ("viperx_300s", "link6", "ortho_parallel", 1.0),
    ("piper_x", "link6", "three_parallel", 1.0),
    ("ur5e", "link7", "three_parallel", 1.0),
    ("arx_x5", "link6", "three_parallel", 1.0),
    ("nero", "link7", "numeric", 0.99),
    ("lifted", "link8", "numeric", 0.95),
];

fn file(name: &str) -> String {
    here(&format!("tests/data/urdf/{name}.urdf")).display().to_string()
}

fn ik(args: &[&str]) -> Output {
    daemon::run(&[&["ik"], args].concat())
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn every_class_is_found_and_explained() {
    for (name, tool, class, _) in ARMS {
        let told = json_of(&ik(&["--urdf", &file(name), "--tool", tool, "--explain", "--json"]));
        assert_eq!(told["class"], class, "{name}: {told}");
        assert!(!told["reason"].as_str().expect("a reason").is_empty(), "{name}: {told}");
        let closed = class != "numeric";
        assert_eq!(!told["ideal_m"].as_array().expect("lengths").is_empty(), closed, "{name}");
    }
    let shown = ik(&["--urdf", &file("nero"), "--tool", "link7", "--explain"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("numeric") && shown.contains("7 joints"), "{shown}");
}

#[test]
fn a_batch_of_poses_is_solved_inside_the_limits() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, tool, _, least) in ARMS {
        let description =
            Description::read(here(&format!("tests/data/urdf/{name}.urdf")).as_path())
                .expect("a description");
        let arm = RobotArm::of_description(&description, None, tool).expect("an arm");
        let chain = arm.arm.chain();
        let (low, high) = chain.limits();
        let mut random = fastrand::Rng::with_seed(SEED);
        let (mut lines, mut poses) = (String::new(), Vec::new());
        for _ in 0..POSES {
            let joints: Vec<f64> =
                (0..chain.len()).map(|k| low[k] + (high[k] - low[k]) * random.f64()).collect();
            let pose = chain.x_base_tool(&joints);
            let (p, q) = (pose.translation.vector, pose.rotation.coords);
            let line = json!({
                "position_m": [p.x, p.y, p.z],
                "quaternion_xyzw": [q.x, q.y, q.z, q.w],
            });
            writeln!(lines, "{line}").expect("a string");
            poses.push(pose);
        }
        let batch = folder.path().join(name);
        fs::write(&batch, lines).expect("a temporary file");
        let done =
            ik(&["--urdf", &file(name), "--tool", tool, "--batch", &batch.display().to_string()]);
        let answers = String::from_utf8(done.stdout).expect("text");
        let mut solved = 0;
        assert_eq!(answers.lines().count(), POSES, "{name}");
        for (line, pose) in answers.lines().zip(&poses) {
            let answer: Value = serde_json::from_str(line).expect("JSON");
            let word = answer["answer"].as_str().expect("a word");
            if word != "exact" && word != "approximate" {
                continue;
            }
            let joints: Vec<f64> =
                serde_json::from_value(answer["joints"].clone()).expect("numbers");
            assert!(chain.holds(&joints, 0.0), "{name}, seed {SEED}: {line}");
            let error = chain.error(&joints, pose);
            assert!(error.within(1e-4, 1e-4), "{name}, seed {SEED}: {error:?}");
            solved += 1;
        }
        let share = f64::from(solved) / POSES as f64;
        assert!(share >= least, "{name}, seed {SEED}: {solved} of {POSES}");
    }
}

#[test]
fn five_joints_reach_what_five_joints_can() {
    let five = file("five");
    let arm = |args: &[&str]| ik(&[&["--urdf", &five, "--tool", "link5"], args].concat());
    let told = json_of(&arm(&["--joints", "0.4,-0.5,0.6,0.3,1.0", "--json"]));
    let numbers = |key: &str| -> Vec<String> {
        told[key].as_array().expect("numbers").iter().map(Value::to_string).collect()
    };
    let pose = [numbers("position_m"), numbers("quaternion_xyzw")].concat().join(",");
    let found = arm(&["--pose", &pose, "--json"]);
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    assert_eq!(json_of(&found)["reached"], true);
    // The same place, turned in a way that five joints have no joint for.
    let found = arm(&["--pose", "0.25,0,0.1,0,0,1.2", "--json"]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let told = json_of(&found);
    assert!(told["nearest"]["angle_error_rad"].as_f64() > Some(0.01), "{told}");
}

#[test]
fn one_description_has_several_arms() {
    let description =
        Description::read(here("tests/data/urdf/two_arms.urdf").as_path()).expect("a description");
    let arm = |tool: &str| RobotArm::of_description(&description, None, tool).expect("an arm");
    let (left, right) = (arm("left_link6"), arm("right_link6"));
    assert_eq!(left.joint_names[0], "left_joint1");
    assert_eq!(right.joint_names[5], "right_joint6");
    let home = Joints::from_slice(&[0.0, 1.57, -1.3485, 0.0, 0.2, 0.0]).expect("six fit");
    assert_eq!(left.x_base_tool(&home), right.x_base_tool(&home));
}

#[test]
fn what_makes_no_sense_is_a_usage_error_or_names_its_line() {
    let piper = file("piper_new");
    for (args, code, says) in [
        (&["--pose", "1,2"][..], 2, "--pose has 2 numbers"),
        (&["--pose", "0.3,0,0.2,0,0,0,0"], 2, "no length"),
        (&["--pose", "0.3,0,0.2,0,0,nan"], 2, "finite"),
        (&["--joints", "0,0"], 2, "2 numbers, the arm 6 joints"),
        (&["--pose", "0.3,0,0.2,0,2.3,0", "--from", "1"], 2, "--from has 1 numbers"),
        (&["--pose", "0.3,0,0.2,0,2.3,0", "--arm", "left"], 2, "\"left\" is unknown"),
        (&["--urdf", &piper], 2, "--tool"),
        (&["--urdf", &piper, "--tool", "hand", "--explain"], 4, "hand"),
        (&["--urdf", "nowhere.urdf", "--tool", "hand", "--explain"], 4, "nowhere.urdf"),
        (&["--batch", "nowhere.jsonl"], 3, "nowhere.jsonl"),
    ] {
        let done = ik(args);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(says), "{args:?}: {says:?} is not in {told}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let batch = folder.path().join("poses.jsonl");
    let good = r#"{"position_m":[0.3,0,0.2],"quaternion_xyzw":[0,0.9,0,0.43]}"#;
    fs::write(&batch, format!("{good}\n{{\"position_m\":[1]}}\n")).expect("a temporary file");
    let done = ik(&["--batch", &batch.display().to_string()]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(3), "{told}");
    assert!(told.contains("poses.jsonl: line 2"), "{told}");
    assert_eq!(String::from_utf8_lossy(&done.stdout).lines().count(), 1, "the first was answered");
}
