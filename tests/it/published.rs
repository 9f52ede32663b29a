//! The published Fire Boy policies, imported, do in this loop on this body what they were published to do: the two that
//! walk succeed, at their own period and at 20 Hz, and those that are to manipulate in single steps do not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{daemon::run, rig::here};

/// How many of 20 episodes a walk has to succeed in.
const ENOUGH: u64 = 19;
const EPISODES: u64 = 20;

/// Checkpoint, layout, published task, skill.
type Published = (&'static str, &'static str, &'static str, &'static str);

const WALKS: [Published; 2] = [
    ("go_to_point_clock", "fireboy_clock", "go_to_point", "walk_to"),
    ("run_around", "fireboy_full", "run_around", "run_around"),
];
const SINGLE_STEPS: [Published; 2] = [
    ("pick_up", "fireboy_full", "pick_up", "pick_up"),
    ("go_eat_berry", "fireboy_full", "go_eat_berry", "find_and_eat_berry"),
];

/// Imported heads with their registry and configuration, in a folder of their own.
struct Imported(TempDir);

impl Imported {
    /// `None`, said aloud, where the checkpoints are not.
    fn new(policies: &[Published], at: &str) -> Option<Self> {
        let folder = here("../shared/fireboy/checkpoints");
        if !folder.exists() {
            eprintln!("skipped: ../shared/fireboy/checkpoints is not there");
            return None;
        }
        let imported = Self(tempfile::tempdir().expect("a folder"));
        let mut skills = serde_json::Map::new();
        for (checkpoint, layout, task, skill) in policies {
            let file = folder.join(format!("articulated_{checkpoint}.npz"));
            let out = imported.path(&format!("{skill}.toml"));
            let (file, out) = (file.display().to_string(), out.display().to_string());
            let config = here("config/fireboy.toml").display().to_string();
            imported.must(&[
                "head", "import", "--from", "npz", &file, "--layout", layout, "--task", task,
                "--skill", skill, "--at", at, "--config", &config, "--out", &out,
            ]);
            let bounds = json!({
                "target_x_m": [-2.5, 2.5], "target_y_m": [-2.5, 2.5], "target_z_m": [-0.2, 1.2],
                "radius_m": [0.0, 1.4], "speed_hint": [0.0, 1.0],
            });
            let policy = json!({
                "name": skill, "status": "active", "lane": "published", "head": format!("{skill}.toml"),
            });
            let entry = json!({ "duration_max_s": 60.0, "bounds": bounds, "policies": [policy] });
            skills.insert(
                (*skill).to_owned(),
                json!({ "what": "As published.", "robots": { "fireboy": entry } }),
            );
        }
        let registry = json!({ "schema": "reflex.registry.v1", "skills": skills });
        fs::write(imported.path("registry.json"), registry.to_string()).expect("a file");
        let robot = here("config/robots/fireboy.toml");
        let config = format!(
            "robot = {:?}\nbackend = \"mujoco\"\nregistry = \"registry.json\"\n",
            robot.display().to_string()
        );
        fs::write(imported.path("daemon.toml"), config).expect("a file");
        imported.must(&["registry", "pin", "--config", &imported.config()]);
        Some(imported)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self) -> String {
        Path::display(&self.path("daemon.toml")).to_string()
    }

    fn must(&self, arguments: &[&str]) -> Vec<u8> {
        let done = run(arguments);
        let words = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {words}");
        done.stdout
    }

    /// Successes in the task by which a skill was published to be judged.
    fn successes(&self, skill: &str, more: &[&str]) -> u64 {
        let (config, task) = (self.config(), format!("published_{skill}"));
        let episodes = EPISODES.to_string();
        let mut arguments = vec!["eval", "--config", &config, "--skill", skill, "--task", &task];
        arguments.extend(["--episodes", &episodes, "--json"]);
        arguments.extend(more);
        let told: Value = serde_json::from_slice(&self.must(&arguments)).expect("JSON");
        let row = &told["rows"][0];
        assert_eq!(row["episodes"].as_array().map(Vec::len), Some(EPISODES as usize), "{told}");
        row["successes"].as_u64().expect("a number")
    }
}

#[test]
fn published_walks_succeed_at_their_own_period() {
    let Some(imported) = Imported::new(&WALKS, "own") else { return };
    for (.., skill) in WALKS {
        let successes = imported.successes(skill, &[]);
        assert!(successes >= ENOUGH, "{skill}: {successes} of {EPISODES}");
    }
}

#[test]
fn published_walks_succeed_at_20_hz() {
    let Some(imported) = Imported::new(&WALKS, "loop") else { return };
    for (.., skill) in WALKS {
        let successes = imported.successes(skill, &["--period-ms", "50"]);
        assert!(successes >= ENOUGH, "{skill}: {successes} of {EPISODES}");
    }
}

#[test]
fn published_single_steps_pick_up_and_feed_nothing() {
    let Some(imported) = Imported::new(&SINGLE_STEPS, "own") else { return };
    for (.., skill) in SINGLE_STEPS {
        assert_eq!(imported.successes(skill, &[]), 0, "{skill}");
    }
}
