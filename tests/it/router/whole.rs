//! The whole path: words, a router's process, a head, a skill, a body in MuJoCo; with the camera looked through.

use std::{f64::consts::TAU, fs, path::PathBuf, process::Command, time::Instant};

use motion::Joints;
use reflexd::{config::Settings, kinematics::Arms};
use serde_json::{Value, json};

use super::Router;
use crate::{
    daemon::{Daemon, PATIENCE},
    rig::here,
};

/// A robot with its scene.
struct Cast {
    robot: &'static str,
    camera: &'static str,
    /// Where its hand is; for the laps, what goes round.
    hand: &'static str,
}

const PIPER: Cast = Cast { robot: "piper", camera: "front", hand: "arm" };
const FIREBOY: Cast = Cast { robot: "fireboy", camera: "stage", hand: "right" };

/// What can be seen from outside at one moment.
struct Seen {
    joints: Joints,
    berry_m: [f64; 3],
    target_m: [f64; 3],
}

struct Play {
    daemon: Daemon,
    cast: &'static Cast,
    arms: Arms,
    names: Vec<String>,
    _router: Router,
}

impl Play {
    /// Nothing where the head is not shipped, or the registry has no skills for the robot.
    fn begin(cast: &'static Cast) -> Option<Self> {
        let head = here(&format!("models/heads/{}_router.toml", cast.robot));
        let registry = here("models/policy_registry.json");
        let skills = fs::read_to_string(&registry).expect("a registry");
        if !head.exists() || !skills.contains(&format!("{}_walk_to", cast.robot)) {
            eprintln!("skipped: {} has no router's head, or no skills", cast.robot);
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let robot = here(&format!("config/robots/{}.toml", cast.robot));
        let text = format!(
            "robot = \"{}\"\nbackend = \"mujoco\"\nregistry = \"{}\"\n[loop]\nlock_memory = false\n[router]\n\
             head = \"{}\"\ntimeout_ms = 20000\n[[cameras]]\nname = \"{}\"\nwidth = 160\nheight = 120\nrate_hz = 2.0\n",
            robot.display(),
            registry.display(),
            head.display(),
            cast.camera
        );
        let config: PathBuf = folder.path().join("daemon.toml");
        fs::write(&config, text).expect("a temporary file");
        let settings = Settings::load(&config).expect("a good configuration");
        let arms = Arms::load(&settings.robot_settings).expect("arms");
        let names = settings.robot_settings.joint_names().to_vec();
        let daemon = Daemon::start_with(&config, folder);
        let _router = Router::start(&daemon, &config, &["--camera", cast.camera]);
        daemon.arm();
        Some(Self { daemon, cast, arms, names, _router })
    }

    /// Says something with the real client; what was decided.
    fn say(&self, text: &str, more: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reflexctl"));
        command.args(["--connect", &self.daemon.endpoint, "--robot", self.cast.robot]);
        command.args(["--timeout-ms", "20000", "--json", "say", text]).args(more);
        let done = command.output().expect("reflexctl was built");
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let answer: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        let id = answer["instruction_id"].as_str().expect("an id").to_owned();
        let told = super::fate(&self.daemon, &id);
        assert_eq!(told["outcome"], "began", "{told}");
        told["decided"].clone()
    }

    /// Looks on until it is as wanted.
    fn until(&self, what: &str, decided: &Value, mut is_so: impl FnMut(&Self, &Seen) -> bool) {
        let (joints, objects) = (self.daemon.watch("state/joints"), self.daemon.watch("objects"));
        let picture = self.daemon.watch(&format!("camera/{}", self.cast.camera));
        let params = &decided["params"];
        let target_m =
            ["target_x", "target_y", "target_z"].map(|key| params[key].as_f64().expect("m"));
        let mut pictures = 0;
        let begun = Instant::now();
        loop {
            let (_, told) = joints.next(PATIENCE).expect("the daemon is there");
            let (_, things) = objects.next(PATIENCE).expect("the simulator is there");
            pictures += usize::from(picture.next_bytes(std::time::Duration::ZERO).is_some());
            let values: Vec<f64> =
                serde_json::from_value(told["position_rad_or_m"].clone()).expect("numbers");
            let berry = things["objects"].as_array().expect("a list");
            let berry = berry.iter().find(|thing| thing["name"] == "berry").expect("a berry");
            let berry_m = ["x", "y", "z"].map(|axis| berry[axis].as_f64().expect("m"));
            let joints = Joints::from_slice(&values).expect("few joints");
            if is_so(self, &Seen { joints, berry_m, target_m }) && pictures > 0 {
                return;
            }
            let late = begun.elapsed() > PATIENCE;
            assert!(
                !late,
                "{what}: not so; {pictures} pictures; {}",
                self.daemon.says("state/skill")
            );
        }
    }

    fn tool(&self, name: &str, seen: &Seen) -> [f64; 3] {
        let arm = self.arms.as_slice().iter().find(|arm| arm.name == name).expect("an arm");
        arm.pose(&seen.joints).position_m
    }

    /// Where the robot is, for walking: its root, or its hand if it has none.
    fn place(&self, seen: &Seen) -> [f64; 2] {
        let joint = |name: &str| self.names.iter().position(|joint| joint == name);
        match (joint("root_x"), joint("root_y")) {
            (Some(x), Some(y)) => [seen.joints[x], seen.joints[y]],
            _ => {
                let [x, y, _] = self.tool(self.cast.hand, seen);
                [x, y]
            }
        }
    }

    fn off_target(&self, seen: &Seen) -> [f64; 2] {
        let [x, y] = self.place(seen);
        [x - seen.target_m[0], y - seen.target_m[1]]
    }
}

fn apart(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

fn walks(cast: &'static Cast, text: &str, more: &[&str]) {
    let Some(play) = Play::begin(cast) else { return };
    let decided = play.say(text, more);
    assert_eq!(decided["neural_skill"], "walk_to", "{decided}");
    play.until("walk_to", &decided, |play, seen| {
        let [x, y] = play.off_target(seen);
        x.hypot(y) < 0.08
    });
}

fn laps(cast: &'static Cast) {
    let Some(play) = Play::begin(cast) else { return };
    let decided = play.say("run around", &[]);
    assert_eq!(decided["neural_skill"], "run_around", "{decided}");
    let (mut before, mut turned) = (None, 0.0_f64);
    play.until("run_around", &decided, |play, seen| {
        let [x, y] = play.off_target(seen);
        let angle = y.atan2(x);
        if let Some(before) = before {
            let step: f64 = angle - before;
            turned += step - TAU * (step / TAU).round();
        }
        before = Some(angle);
        turned.abs() > TAU
    });
}

fn picks(cast: &'static Cast, lift_m: f64) {
    let Some(play) = Play::begin(cast) else { return };
    let decided = play.say("pick up the berry", &[]);
    assert_eq!(decided["neural_skill"], "pick_up", "{decided}");
    play.until("pick_up", &decided, |_, seen| seen.berry_m[2] > seen.target_m[2] + lift_m);
}

fn eats(cast: &'static Cast, is_eaten: impl Fn(&Play, &Seen) -> bool) {
    let Some(play) = Play::begin(cast) else { return };
    let decided = play.say("go find berry and eat it", &[]);
    assert_eq!(decided["neural_skill"], "find_and_eat_berry", "{decided}");
    play.until("find_and_eat_berry", &decided, |play, seen| is_eaten(play, seen));
}

#[test]
fn piper_walks_where_somebody_points() {
    walks(&PIPER, "walk to the yellow marker", &["--target", "0.4,0.1,0.02"]);
}

#[test]
fn piper_runs_around() {
    laps(&PIPER);
}

#[test]
fn piper_picks_up_the_berry() {
    picks(&PIPER, 0.05);
}

#[test]
fn piper_finds_the_berry_and_eats_it() {
    // Its mouth is a site of the scene, in a face beside the table.
    eats(&PIPER, |_, seen| apart([0.2, 0.36, 0.28], seen.berry_m) < 0.06);
}

#[test]
fn fireboy_walks_to_the_yellow_marker() {
    walks(&FIREBOY, "walk to the yellow marker", &[]);
}

#[test]
fn fireboy_runs_around() {
    laps(&FIREBOY);
}

#[test]
fn fireboy_picks_up_the_berry() {
    picks(&FIREBOY, 0.06);
}

#[test]
fn fireboy_finds_the_berry_and_eats_it() {
    eats(&FIREBOY, |play, seen| apart(play.tool("mouth", seen), seen.berry_m) < 0.14);
}

#[test]
fn a_robot_without_a_marker_says_so() {
    let Some(play) = Play::begin(&PIPER) else { return };
    let message = json!({ "text": "walk to the yellow marker", "instruction_id": "nowhere" });
    play.daemon.must("instruction", &message);
    let told = super::fate(&play.daemon, "nowhere");
    assert_eq!(told["outcome"], "refused", "no marker is within its reach: {told}");
}
