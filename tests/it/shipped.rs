//! What is shipped is sound: configurations, robots, heads, scenes, and the commands that look at them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use reflexd::{
    action::Body,
    config::Settings,
    daemon::engine,
    head::{Head, Manifest},
    kinematics::Arms,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{daemon::run, rig::here};

/// The files of a shipped folder with an extension; at least one.
fn shipped(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(here(folder)).expect("a shipped folder");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} has no .{extension}");
    files
}

/// A robot's file, read as a daemon on loopback reads it.
fn robot(file: &Path) -> Settings {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let daemon = folder.path().join("daemon.toml");
    let text = format!("robot = {:?}\nbackend = \"loopback\"\n", file.display().to_string());
    fs::write(&daemon, text).expect("a temporary file");
    Settings::load(&daemon).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_configuration_loads_and_every_robot_can_be_built() {
    for file in shipped("config", "toml") {
        let settings = Settings::load(&file).unwrap_or_else(|error| panic!("{error}"));
        assert!(settings.daemon.registry.is_some(), "{}: it can do something", file.display());
    }
    for file in shipped("config/robots", "toml") {
        let settings = robot(&file);
        let robot = &settings.robot_settings;
        assert_eq!(file.file_stem().and_then(|stem| stem.to_str()), Some(robot.name.as_str()));
        robot.build(0.05).unwrap_or_else(|error| panic!("{error}"));
        let arms = Arms::load(robot).unwrap_or_else(|error| panic!("{error}"));
        assert!(arms.first().is_some(), "{}: it has an arm", file.display());
    }
}

#[test]
fn every_head_is_the_one_that_its_manifest_means_and_proves_it() {
    let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
    let engine = engine(&settings).unwrap_or_else(|error| panic!("{error}"));
    let mut meant = Vec::new();
    for file in shipped("models/heads", "toml") {
        // A router's head has a schema of its own: `router_head.rs` proves those.
        if file.display().to_string().ends_with("_router.toml") {
            meant.push(file.with_extension("onnx"));
            continue;
        }
        let manifest = Manifest::load(&file).unwrap_or_else(|error| panic!("{error}"));
        let onnx = fs::read(manifest.onnx_path()).expect("the network beside it");
        let digest: String = Sha256::digest(&onnx).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(digest, manifest.sha256, "{}", file.display());
        let settings = robot(&here(&format!("config/robots/{}.toml", manifest.robot)));
        let body = Body::load(&settings.robot_settings).unwrap_or_else(|error| panic!("{error}"));
        let head = Head::load(&file, &body, engine).unwrap_or_else(|error| panic!("{error}"));
        let proof = head.proof();
        assert_eq!(proof.goldens, manifest.golden.len());
        assert!(proof.worst_error <= proof.tolerance, "{}: {proof:?}", file.display());
        assert!(manifest.provenance.is_some(), "{}: nobody knows where from", file.display());
        meant.push(manifest.onnx_path());
    }
    assert_eq!(shipped("models/heads", "onnx"), meant, "every network has its manifest");
}

#[cfg(feature = "mujoco")]
#[test]
fn every_scene_loads_and_has_a_task() {
    use reflexd::{daemon, evaluation::Tasks};

    let robots = shipped("config/robots", "toml");
    let robots = robots.iter().map(|file| robot(file));
    let robots: Vec<Settings> = robots.filter(|it| it.robot_settings.mujoco.is_some()).collect();
    let mut used = 0;
    for scene in shipped("models/scenes", "xml") {
        let stem = scene.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let of = |settings: &&Settings| stem.starts_with(&settings.robot_settings.name);
        let mut robot = robots.iter().find(of).expect(stem).robot_settings.clone();
        let mujoco = robot.mujoco.as_mut().expect("a robot in MuJoCo");
        used += usize::from(mujoco.scene.canonicalize().ok() == scene.canonicalize().ok());
        scene.clone_into(&mut mujoco.scene);
        let tasks = Tasks::load(&scene).unwrap_or_else(|error| panic!("{error}"));
        tasks.of("pick_up").expect("a task");
        let loaded = daemon::scene(&robot).unwrap_or_else(|error| panic!("{error}"));
        for (name, task) in &tasks.tasks {
            if let Some(site) = task.goal.site() {
                loaded.site_pose(site, &loaded.home()).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
        }
    }
    assert_eq!(used, robots.len(), "every simulated robot has a scene of its own");
}

#[test]
fn doctor_grades_this_machine_and_says_how_to_mend_it() {
    let done = run(&["doctor", "--json"]);
    let diagnosis: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let code = if diagnosis["grade"] == "bad" { 1 } else { 0 };
    assert_eq!(done.status.code(), Some(code), "{diagnosis}");
    let findings = diagnosis["findings"].as_array().expect("findings");
    assert!(findings.len() >= 8, "{diagnosis}");
    for finding in findings {
        let mends = finding["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty());
        assert!(finding["grade"] == "good" || mends, "{finding}");
    }
    let words = run(&["doctor"]);
    assert_eq!(words.status.code(), Some(code));
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    let verdict = diagnosis["verdict"].as_str().expect("a verdict");
    assert!(words.contains(verdict), "{words}");
}

#[test]
fn config_prints_what_was_understood() {
    let done = run(&["config"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let understood: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(understood["robot_settings"]["name"], "piper");
    assert_eq!(understood["loop"]["period_ms"], 50);
    assert_eq!(understood["robot_settings"]["joints"].as_array().map(Vec::len), Some(7));
    let registry = understood["registry"].as_str().expect("a path");
    assert!(registry.ends_with("models/policy_registry.json"), "{registry}");
}

#[test]
fn head_check_proves_the_shipped_head() {
    let file = "models/heads/piper_pick_up.toml";
    let manifest = Manifest::load(&here(file)).expect("shipped");
    let done = run(&["head", "check", file, "--json"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let found: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(found["sha256"], manifest.sha256);
    assert_eq!(found["goldens"], manifest.golden.len());
    assert!(found["worst_error"].as_f64() < Some(1e-3), "{found}");
    let words = String::from_utf8_lossy(&run(&["head", "check", file]).stdout).into_owned();
    assert!(words.contains("is what its manifest says"), "{words}");
    let missing = run(&["head", "check", "models/heads/nobody.toml"]);
    assert_eq!(missing.status.code(), Some(4), "{missing:?}");
}
