//! Broken files stop the start, with an error that names file, key, value and remedy. Each case is the shipped tree
//! with one thing spoiled, and a real process that has to end by itself.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    daemon::{Daemon, fail_to_start},
    rig::here,
    wire::house::free_endpoint,
};

const DAEMON: &str = "config/daemon.toml";
const ROBOT: &str = "config/robots/piper.toml";
const URDF: &str = "urdf/piper.urdf";
#[cfg(feature = "mujoco")]
const SCENE: &str = "models/scenes/piper_berry.xml";
const REGISTRY: &str = "models/policy_registry.json";
const HEAD: &str = "models/heads/piper_pick_up.toml";
const ONNX: &str = "models/heads/piper_pick_up.onnx";

/// The exit code that says: restarting does not help, mend the file.
const CONFIG: i32 = 4;
/// Something outside went wrong.
const FAILED: i32 = 3;

/// A copy of what is shipped, to be spoiled. On loopback, unless the simulator is to complain.
pub(crate) struct Tree(pub(crate) TempDir);

impl Tree {
    pub(crate) fn copy() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["config", "config/robots", "urdf", "models", "models/scenes", "models/heads"] {
            fs::create_dir_all(folder.path().join(name)).expect("a temporary folder");
            for entry in fs::read_dir(here(name)).expect("a shipped folder") {
                let path = entry.expect("readable").path();
                if let Some(file) = path.file_name().filter(|_| path.is_file()) {
                    fs::copy(&path, folder.path().join(name).join(file)).expect("a copy");
                }
            }
        }
        let tree = Self(folder);
        tree.replace(DAEMON, "backend = \"mujoco\"", "backend = \"loopback\"");
        tree.replace(DAEMON, "lock_memory = true", "lock_memory = false");
        tree
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Changes the first place where `from` stands; it has to stand somewhere.
    fn replace(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).expect("a shipped file");
        assert!(text.contains(from), "{file} has no {from:?} any more: nothing was spoiled");
        fs::write(self.path(file), text.replacen(from, to, 1)).expect("a temporary file");
    }

    /// Leaves the first half.
    fn truncate(&self, file: &str) {
        let bytes = fs::read(self.path(file)).expect("a shipped file");
        fs::write(self.path(file), &bytes[..bytes.len() / 2]).expect("a temporary file");
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.path(file)).expect("a shipped file");
    }

    fn must_fail(&self, code: i32, environment: &[(&str, &str)], says: &[&str]) {
        let (ended, told) = fail_to_start(&self.path(DAEMON), &free_endpoint(), environment);
        assert_eq!(ended, Some(code), "{says:?}: {told}");
        assert!(!told.contains("panicked"), "{told}");
        for part in says {
            assert!(told.contains(part), "{part:?} is not in: {told}");
        }
    }
}

/// Spoils one place of a file.
fn spoiled(file: &str, from: &str, to: &str, says: &[&str]) {
    let tree = Tree::copy();
    tree.replace(file, from, to);
    let name = Path::new(file).file_name().and_then(|name| name.to_str()).expect("a name");
    tree.must_fail(CONFIG, &[], &[&[name], says].concat());
}

#[test]
fn what_was_not_spoiled_starts() {
    let Tree(folder) = Tree::copy();
    let config = folder.path().join(DAEMON);
    let daemon = Daemon::start_with(&config, folder);
    assert_eq!(daemon.says("state/mode")["mode"], "disarmed");
}

#[test]
fn a_broken_daemon_file_stops_the_start() {
    let see = "docs/configuration.md";
    spoiled(
        DAEMON,
        "pace =",
        "colour = \"red\"\npace =",
        &["colour", "unknown field", "line", see],
    );
    spoiled(DAEMON, "period_ms = 50", "period_ms = \"fast\"", &["period_ms", "fast", "u32", see]);
    spoiled(DAEMON, "period_ms = 50", "period_ms = 0", &["loop.period_ms = 0", "1 to 1000"]);
    spoiled(
        DAEMON,
        "backend = \"loopback\"",
        "backend = \"steam\"",
        &["backend", "steam", "mujoco"],
    );
    spoiled(
        DAEMON,
        "fifo_priority = 80",
        "fifo_priority = 99",
        &["loop.fifo_priority = 99", "1 to 98"],
    );
    spoiled(DAEMON, "[loop]", "[loop", &["line", see]);
    let missing = Tree::copy();
    missing.remove(DAEMON);
    missing.must_fail(CONFIG, &[], &["daemon.toml", "No such file", "check the path"]);
}

#[test]
fn a_broken_registry_stops_the_start() {
    let see = "docs/registry.md";
    let bad = |from: &str, to: &str, says: &[&str]| spoiled(REGISTRY, from, to, says);
    bad("{", "", &["line", see]);
    bad(
        "\"aliases\":",
        "\"colour\": 1,\n  \"aliases\":",
        &["colour", "unknown field", "line", see],
    );
    bad("\"aliases\":", "\"schema\": \"x\",\n  \"aliases\":", &["\"schema\" stands twice", see]);
    bad("registry.v1", "registry.v9", &["schema", "registry.v9", "reflex.registry.v1"]);
    bad(
        "\"duration_max_s\": 15.0",
        "\"duration_max_s\": -1",
        &["duration_max_s = -1", "more than 0"],
    );
    bad("[0.15, 0.55]", "[0.95, 0.55]", &["pick_up", "bounds.target_x_m = [0.95", "least first"]);
    bad(
        "\"grab\": \"pick_up\"",
        "\"grab\": \"lift\"",
        &["aliases.grab", "no such skill", "pick_up"],
    );
    bad("\"grab\": \"pick_up\"", "\"grab\": \"go_to\"", &["aliases.grab", "alias, too", "walk_to"]);
    bad("\"grab\":", "\"reach\":", &["aliases.reach", "a skill has this name"]);
    bad("\"scripted\":", "\"head\": \"x.toml\", \"scripted\":", &["head and scripted", "either"]);
    bad("\"head\": \"heads/piper_pick_up.toml\",", "", &["policies.piper_pick_up", "neither"]);
    bad(
        "\"lean_min_rad\": 0.0",
        "\"lean_min_rad\": 1.5",
        &["policies.reach.scripted.reach.lean_min_rad", "the least first"],
    );
    bad("\"status\": \"active\"", "\"status\": \"shadow\"", &["shadow", "absent", "budget"]);
    bad("\"status\": \"active\"", "\"status\": \"fallback\"", &["none is active"]);
    let record = r#"{ "episodes": 200, "successes": 201, "conditions": "", "command": "", "onnx_sha256": "" }"#;
    let old = format!(
        r#""policies": [ {{ "name": "old", "status": "preserved", "lane": "lora", "head": "x", "evaluation": {record} }},"#
    );
    bad("\"policies\": [", &old, &["policies.old.evaluation.successes = (201, 200)"]);
    bad("\"manifest_sha256\": \"", "\"manifest_sha256\": \"g", &["manifest_sha256", "64"]);
    let digest = Sha256::digest(fs::read(here(HEAD)).expect("shipped"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let zeros = "0".repeat(64);
    bad(&digest, &zeros, &["manifest_sha256", &zeros, &digest, "reflexd registry pin"]);

    let slow = Tree::copy();
    slow.replace(DAEMON, "period_ms = 50", "period_ms = 20");
    slow.must_fail(CONFIG, &[], &["policy_registry.json", "20", "50 ms", "period_ms"]);
    let edited = Tree::copy();
    edited.replace(HEAD, "deadline_ms = 10.0", "deadline_ms = 9.0");
    edited.must_fail(CONFIG, &[], &["policy_registry.json", "manifest_sha256", "pin"]);
    let missing = Tree::copy();
    missing.remove(REGISTRY);
    missing.must_fail(CONFIG, &[], &["policy_registry.json", "No such file", "check the path"]);
}

#[test]
fn a_refused_head_is_replaced_by_its_fallback_and_a_preserved_one_may_be_elsewhere() {
    let tree = Tree::copy();
    let more = r#""policies": [
            { "name": "old", "status": "preserved", "lane": "lora", "head": "heads/gone.toml" },
            { "name": "over", "status": "fallback", "lane": "planned", "scripted": { "reach": {} } },"#;
    tree.replace(REGISTRY, "\"policies\": [", more);
    tree.remove(ONNX);
    let Tree(folder) = tree;
    let config = folder.path().join(DAEMON);
    let daemon = Daemon::start_with(&config, folder);
    let told = daemon.says("info/registry");
    assert_eq!(told["skills"]["pick_up"]["runs"], "over", "{told}");
}

#[test]
fn a_broken_robot_file_stops_the_start() {
    spoiled(
        ROBOT,
        "position_min_rad = -2.618",
        "position_min_rad = 3.0",
        &["joints.joint1", "3.0", "2.618", "position_min must lie below position_max"],
    );
    spoiled(ROBOT, "joint2 = 0.75", "joint2 = 9.0", &["home.joint2 = 9.0", "0 to 3.14"]);
    spoiled(ROBOT, "joint2 = 0.75\n", "", &["home.joint2", "every joint a home"]);
    spoiled(
        ROBOT,
        "name = \"joint2\"",
        "name = \"joint1\"",
        &["joints.name = \"joint1\"", "of its own"],
    );
    spoiled(ROBOT, "name = \"piper\"", "name = \"pi/per\"", &["name = \"pi/per\"", "letters"]);
    spoiled(
        ROBOT,
        "velocity_max_rad_s = 3.0",
        "velocity_max_rad_s = -3.0",
        &["joints.joint1", "-3.0", "must be more than 0"],
    );
    spoiled(
        ROBOT,
        "jerk_max_rad_s3 = 200.0",
        "jerk_max_rad_s3 = nan",
        &["joints.joint1", "NaN", "finite"],
    );
    spoiled(ROBOT, "velocity_max_rad_s = 3.0", "velocity_max = 3.0", &["velocity_max", "joints"]);
    spoiled(
        ROBOT,
        "position_max_rad = 2.618",
        "position_max_rad = 2.9",
        &["piper.urdf", "joints.joint1", "-2.618 to 2.9", "2.618", "narrow it"],
    );
    spoiled(ROBOT, "radius_m = 0.062", "radius_m = 0.0", &["capsules.base_link.radius_m = 0", "0"]);
    spoiled(
        ROBOT,
        "[\"link7\", \"link8\"]",
        "[\"link7\", \"link9\"]",
        &["collision.allow = \"link9\"", "a link with a capsule, or a plane"],
    );
    spoiled(
        ROBOT,
        "normal = [0.0, 0.0, 1.0]",
        "normal = [0.0, 0.0, 0.0]",
        &["planes.table.normal", "choose a direction"],
    );
    spoiled(ROBOT, "margin_m = 0.003", "margin_m = 3", &["collision.margin_m = 3", "at most 0.5"]);
    spoiled(
        ROBOT,
        "link = \"link1\"\n",
        "link = \"link01\"\n",
        &["piper.urdf", "no link \"link01\"", "piper.toml"],
    );
    let missing = Tree::copy();
    missing.replace(DAEMON, "robots/piper.toml", "robots/nobody.toml");
    missing.must_fail(CONFIG, &[], &["robots/nobody.toml", "No such file", "check the path"]);
}

#[test]
fn a_broken_description_stops_the_start() {
    spoiled(
        URDF,
        "<link name=\"tool\"/>",
        "<link name=\"tool\">",
        &["no robot description", "URDF"],
    );
    let half = Tree::copy();
    half.truncate(URDF);
    half.must_fail(CONFIG, &[], &["piper.urdf", "no robot description", "URDF"]);
    let toolless = Tree::copy();
    toolless.replace(URDF, "<link name=\"tool\"/>", "<link name=\"tull\"/>");
    toolless.replace(URDF, "<child link=\"tool\"/>", "<child link=\"tull\"/>");
    toolless.must_fail(CONFIG, &[], &["piper.urdf", "no link \"tool\"", "piper.toml", "correct"]);
    let jointless = Tree::copy();
    jointless.replace(URDF, "<joint name=\"joint4\"", "<joint name=\"elbow\"");
    jointless.must_fail(CONFIG, &[], &["piper.urdf", "no joint \"joint4\"", "piper.toml"]);
    let missing = Tree::copy();
    missing.remove(URDF);
    missing.must_fail(CONFIG, &[], &["piper.urdf"]);
    let axis = "<child link=\"link3\"/>\n    <axis xyz=\"0 0 1\"/>";
    let still = "<child link=\"link3\"/>\n    <axis xyz=\"0 0 0\"/>";
    spoiled(URDF, axis, still, &["joint \"joint3\"", "axis", "0 0 1"]);
    spoiled(
        URDF,
        "<parent link=\"link5\"/>",
        "<parent link=\"link9\"/>",
        &["joint \"joint6\"", "\"link9\""],
    );
    spoiled(
        URDF,
        "<parent link=\"base_link\"/>",
        "<parent link=\"link6\"/>",
        &["joint \"joint", "loop"],
    );
    spoiled(
        URDF,
        "mimic joint=\"joint7\"",
        "mimic joint=\"joint9\"",
        &["\"joint8\"", "\"joint9\""],
    );
    let large = Tree::copy();
    let text = fs::read_to_string(large.path(URDF)).expect("shipped");
    fs::write(large.path(URDF), text + &" ".repeat(50 << 20)).expect("a temporary file");
    large.must_fail(CONFIG, &[], &["piper.urdf", "more than 8 MiB"]);
    let latin = Tree::copy();
    fs::write(latin.path(URDF), b"<robot name=\"\xe9\"/>").expect("a temporary file");
    latin.must_fail(CONFIG, &[], &["piper.urdf", "not UTF-8"]);
}

#[cfg(feature = "mujoco")]
#[test]
fn a_broken_scene_stops_the_start() {
    let broken = |from: &str, to: &str, says: &[&str]| {
        let tree = Tree::copy();
        tree.replace(DAEMON, "backend = \"loopback\"", "backend = \"mujoco\"");
        tree.replace(SCENE, from, to);
        let files = ["piper_berry.xml", "piper.toml", "correct the scene"];
        tree.must_fail(CONFIG, &[], &[&files, says].concat());
    };
    broken("<actuator>", "<actuator", &[]);
    broken("<actuator>", "<actuators>", &[]);
    broken("<position name=\"gripper\"", "<position name=\"hand\"", &["no actuator \"gripper\""]);
    broken("<key name=\"home\"", "<key name=\"away\"", &["no keyframe \"home\""]);
    let blind = Tree::copy();
    blind.replace(DAEMON, "backend = \"loopback\"", "backend = \"mujoco\"");
    blind.replace(DAEMON, "name = \"front\"", "name = \"back\"");
    blind.must_fail(CONFIG, &[], &["daemon.toml", "cameras.name = \"back\"", "has no camera"]);
}

#[test]
fn a_broken_head_stops_the_start() {
    spoiled(HEAD, "[timing]", "colour = \"red\"\n[timing]", &["colour", "unknown field", "remedy"]);
    spoiled(HEAD, "chunk_steps = 16", "chunk_steps = 17", &["golden[0].action", "16", "17"]);
    spoiled(
        HEAD,
        "-0.5520942",
        "-0.6520942",
        &["golden[0].action[0]", "joint1", "-0.6520942", "export"],
    );
    spoiled(HEAD, "robot = \"piper\"", "robot = \"panda\"", &["robot = \"panda\"", "piper"]);
    spoiled(
        HEAD,
        "tensor = \"action\"",
        "tensor = \"torque\"",
        &["output.tensor", "torque", "correct"],
    );
    let digest = Sha256::digest(fs::read(here(ONNX)).expect("shipped"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let zeros = "0".repeat(64);
    spoiled(HEAD, &digest, &zeros, &["sha256", &zeros, &digest, "piper_pick_up.onnx", "restore"]);

    let half = Tree::copy();
    half.truncate(ONNX);
    half.must_fail(CONFIG, &[], &["piper_pick_up.toml", "sha256", "piper_pick_up.onnx", "restore"]);
    let vouched = Tree::copy();
    vouched.truncate(ONNX);
    let found = Sha256::digest(fs::read(vouched.path(ONNX)).expect("half of it"));
    let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
    vouched.replace(HEAD, &digest, &found);
    vouched.must_fail(
        CONFIG,
        &[],
        &["piper_pick_up.toml", "onnx", "ONNX Runtime", "export it again"],
    );
    let missing = Tree::copy();
    missing.remove(ONNX);
    missing.must_fail(CONFIG, &[], &["piper_pick_up.toml", "onnx", "No such file", "put the file"]);
    let headless = Tree::copy();
    headless.remove(HEAD);
    headless.must_fail(CONFIG, &[], &["piper_pick_up.toml", "No such file", ".toml"]);
}

#[test]
fn a_missing_onnxruntime_stops_the_start() {
    let environment = [("REFLEX_ONNXRUNTIME", "/nonexistent")];
    let says = ["libonnxruntime.so", "/nonexistent", "make setup", "REFLEX_ONNXRUNTIME"];
    Tree::copy().must_fail(FAILED, &environment, &says);
}
