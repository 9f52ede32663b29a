//! The Fire Boy is the published body, in the scene and in the description; and its world keeps its rule.

use std::fs;

use motion::{Joints, Nanos};
use reflex::{
    Backend,
    backend::mujoco::{Facts, Mujoco, Scene, Spectator},
};
use reflexd::{
    config::{RobotSettings, Settings},
    daemon,
    kinematics::Arms,
};
use serde_json::Value;

use crate::{descriptions::matrix, rig::here};

/// Figures of the published body are rounded to this.
const ROUNDED: f64 = 1e-6;

fn fireboy(scene: &str) -> RobotSettings {
    let settings = Settings::load(&here("config/fireboy.toml")).expect("shipped");
    let mut robot = settings.robot_settings;
    robot.mujoco.as_mut().expect("a scene").scene = here(&format!("models/scenes/{scene}.xml"));
    robot
}

fn scene(name: &str) -> Scene {
    daemon::scene(&fireboy(name)).expect("a shipped scene")
}

/// The published body, which lies outside of the checkout.
fn published() -> Option<Value> {
    let Ok(text) = fs::read_to_string(here("../shared/fireboy/body.json")) else {
        eprintln!("skipped: ../shared/fireboy/body.json is not there");
        return None;
    };
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().expect("numbers").iter().map(Value::as_f64);
    numbers.collect::<Option<_>>().expect("numbers")
}

/// Compares figures of one part; a quaternion and its negative are one.
struct Part<'a> {
    facts: &'a Facts,
    at: String,
    on: &'a Value,
}

impl Part<'_> {
    fn hangs_on(&self) {
        assert_eq!(Some(&self.facts.on[&self.at][..]), self.on.as_str(), "{}", self.at);
    }

    fn is(&self, what: &str, wanted: &[f64]) {
        let key = format!("{}/{what}", self.at);
        let found = &self.facts.figures.get(&key).unwrap_or_else(|| panic!("{key} is missing"));
        let gap = |sign: f64| {
            found.iter().zip(wanted).map(|(a, b)| (a - sign * b).abs()).fold(0.0, f64::max)
        };
        let gap = if what.ends_with("quat") { gap(1.0).min(gap(-1.0)) } else { gap(1.0) };
        let enough = found.len() >= wanted.len();
        assert!(gap <= ROUNDED && enough, "{key}: {found:?} instead of {wanted:?}");
    }
}

#[test]
fn the_scene_is_the_published_body_figure_for_figure() {
    let Some(body) = published() else { return };
    let facts = scene("fireboy_berry").facts();
    let of = |kind: &str, part: &Value, on: &'static str| {
        let name = part["name"].as_str().expect("a name");
        (format!("{kind}/{name}"), part[on].clone())
    };
    let parts = |list: &str| body[list].as_array().expect("a list").clone();
    let counts = ["nq", "nv", "nu", "nbody"].map(|n| body["counts"][n].as_f64().expect("a count"));
    let option = |name: &str| body["option"][name].as_f64().expect("a number");
    let model = Part { facts: &facts, at: "model".into(), on: &Value::Null };
    model.is("nq_nv_nu_nbody", &counts);
    model.is("timestep", &[option("timestep")]);
    model.is("iterations", &[option("iterations"), option("noslip_iterations")]);
    let mut compared = 0;
    for (list, kind, on, figures) in [
        ("bodies", "body", "parent", &["pos", "quat", "com", "inertia_diag", "inertia_quat"][..]),
        ("joints", "joint", "body", &["axis", "range"]),
        ("geoms", "geom", "body", &["size", "pos", "quat", "friction", "rgba"]),
        ("sites", "site", "body", &["pos"]),
        ("cameras", "camera", "body", &["pos", "quat"]),
        ("actuators", "actuator", "joint", &["forcerange"]),
    ] {
        for part in parts(list) {
            let (at, on) = of(kind, &part, on);
            let is_floor = at == "geom/floor";
            let known = Part { facts: &facts, at, on: &on };
            known.hangs_on();
            for figure in figures.iter().filter(|figure| !(is_floor && **figure == "rgba")) {
                known.is(figure, &numbers(&part[*figure]));
            }
            let one = |key: &str| part[key].as_f64().expect("a number");
            match kind {
                "body" => known.is("mass", &[one("mass")]),
                "joint" => {
                    known.is("damping", &[one("damping")]);
                    known.is("armature", &[one("armature")]);
                }
                "geom" => known.is("condim", &[one("condim")]),
                "camera" => known.is("fovy_deg", &[one("fovy_deg")]),
                "actuator" => {
                    known.is("kp", &[one("kp")]);
                    known.is("bias", &[0.0, -one("kp"), 0.0]);
                    // The published control ranges of hinges are degrees: what counts is what the joint can do.
                    let joint = on.as_str().expect("a joint");
                    known.is("ctrlrange", &facts.figures[&format!("joint/{joint}/range")]);
                }
                _ => {}
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 22 + 33 + 36 + 9 + 4 + 32, "every part was compared");
}

#[test]
fn hands_touch_things_and_trunk_and_limbs_do_not() {
    for name in ["fireboy_berry", "fireboy_contact"] {
        let facts = scene(name).facts();
        let touches = |geom: &str| facts.figures[&format!("geom/{geom}/collides")] != [0.0, 0.0];
        for hand in ["palm_R", "palm_L", "finger_R_a_pad", "finger_L_b_pad"] {
            assert!(touches(hand), "{name}: {hand}");
        }
        for limb in ["pelvis", "chest_geom", "head_geom", "lower_arm_R_geom", "foot_L_geom"] {
            assert!(!touches(limb), "{name}: {limb}");
        }
    }
}

#[test]
fn urdf_and_mjcf_put_hands_and_mouth_in_the_same_places() {
    let robot = fireboy("fireboy_berry");
    let scene = scene("fireboy_berry");
    let arms = Arms::load(&robot).expect("shipped description");
    let seed = 20_261_129;
    let mut random = fastrand::Rng::with_seed(seed);
    for k in 0..300 {
        let mut pose = Joints::zeros(robot.joints.len());
        for (value, joint) in pose.iter_mut().zip(&robot.joints) {
            let (min, max) = joint.range();
            *value = min + random.f64() * (max - min);
        }
        for (arm, site) in
            [("right", "right_hand_site"), ("left", "left_hand_site"), ("mouth", "mouth_site")]
        {
            let by_urdf = arms.find(arm).expect("an arm").pose(&pose);
            let (position, rotation) = scene.site_pose(site, &pose).expect("a site");
            let gap = |a: &[f64], b: &[f64]| {
                a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
            };
            let apart_m = gap(&by_urdf.position_m, &position);
            let apart = gap(&matrix(by_urdf.quaternion_xyzw), &rotation);
            let words = format!("seed {seed}, vector {k}, {arm}: {apart_m} m, {apart}");
            assert!(apart_m < 1e-6 && apart < 1e-6, "{words} at {pose:?}");
        }
    }
}

/// A world whose joints are put where a test wants them, and somebody who looks.
struct Stage {
    world: Mujoco,
    spectator: Spectator,
    names: Vec<String>,
    pose: Joints,
    now: Nanos,
}

impl Stage {
    fn new(scene_name: &str) -> Self {
        let robot = fireboy(scene_name);
        let scene = scene(scene_name);
        let (world, spectator) = Mujoco::new(&scene);
        let names = robot.joints.iter().map(|joint| joint.name().to_owned()).collect();
        let mut stage = Self { world, spectator, names, pose: scene.home(), now: Nanos(0) };
        // With the arm a little back and the root beside the table the hand is over the berry.
        for (joint, value) in [("root_x", 0.41), ("root_y", 0.262), ("root_z", 0.12)] {
            stage.set(joint, value);
        }
        stage
    }

    fn set(&mut self, joint: &str, value: f64) {
        let k = self.names.iter().position(|name| name == joint).expect("a joint");
        self.pose[k] = value;
    }

    fn close(&mut self, value: f64) {
        self.set("finger_R_a", value);
        self.set("finger_R_b", value);
    }

    /// Puts the joints there, lets the world go on, and looks.
    fn go_on(&mut self, steps: u32) -> [f64; 3] {
        let mut state = motion::State::blank(self.names.len());
        for _ in 0..steps {
            self.world.pose(&self.pose);
            self.now = self.now.after(4_000_000);
            self.world.read(self.now, &mut state);
        }
        self.world.show(self.now);
        assert!(self.spectator.look());
        self.spectator.object("berry").expect("a berry")
    }

    fn hand(&mut self) -> [f64; 3] {
        self.spectator.site("right_hand_site").expect("a hand")
    }
}

fn far(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn a_hand_that_closes_near_the_berry_carries_it_until_it_opens() {
    let mut stage = Stage::new("fireboy_berry");
    let berry = stage.go_on(25);
    let hand = stage.hand();
    assert!(far(berry, hand) < 0.14, "the hand {hand:?} is over the berry {berry:?}");
    assert!((berry[2] - 0.295).abs() < 2e-3, "an open hand leaves it alone: {berry:?}");
    assert!(!stage.world.holds());

    stage.close(0.02);
    let berry = stage.go_on(5);
    assert!(stage.world.holds() && far(berry, stage.hand()) < 0.01, "{berry:?}");
    for k in 0..30 {
        stage.set("root_z", 0.12 + 0.08 * f64::from(k) / 30.0);
        stage.set("root_x", 0.41 - 0.30 * f64::from(k) / 30.0);
        let berry = stage.go_on(1);
        let hand = stage.hand();
        assert!(far(berry, [hand[0], hand[1], hand[2].max(0.29)]) < 0.01, "{berry:?} {hand:?}");
    }
    stage.set("root_z", 0.0);
    let berry = stage.go_on(2);
    assert!(stage.hand()[2] < 0.28 && berry[2] >= 0.29, "never carried lower than 0.29: {berry:?}");

    stage.set("finger_R_b", 0.05);
    let before = stage.go_on(1);
    assert!(!stage.world.holds(), "one open finger is enough");
    let after = stage.go_on(50);
    assert!(after[2] < before[2] - 0.1, "it falls: {before:?} to {after:?}");
}

#[test]
fn a_fist_that_is_too_far_away_carries_nothing() {
    let mut stage = Stage::new("fireboy_berry");
    stage.set("root_y", 0.45);
    stage.close(0.02);
    let berry = stage.go_on(25);
    let hand = stage.hand();
    assert!(far(berry, hand) > 0.14 && !stage.world.holds(), "{berry:?} {hand:?}");
    // It closes first and comes near afterwards: the rule asks for both, in whatever order.
    stage.set("root_y", 0.262);
    stage.go_on(5);
    assert!(stage.world.holds());
}

#[test]
fn nothing_is_attached_where_a_scene_declares_no_rule() {
    let mut stage = Stage::new("fireboy_contact");
    stage.set("root_y", 0.33);
    stage.close(0.02);
    stage.go_on(25);
    assert!(!stage.world.holds());
    stage.set("root_z", 0.2);
    let berry = stage.go_on(25);
    assert!(berry[2] < 0.30, "nothing lifts it: {berry:?}");
}

#[test]
fn a_rule_that_lacks_something_is_refused_by_name() {
    let robot = fireboy("fireboy_berry");
    let shipped = fs::read_to_string(here("models/scenes/fireboy_berry.xml")).expect("shipped");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("body")).expect("a folder");
    let body = here("models/scenes/body/fireboy.xml");
    fs::copy(body, folder.path().join("body/fireboy.xml")).expect("a copy");
    for (from, to, words) in [
        (
            r#"<element objtype="site" objname="right_hand_site" prm="0.14"/>"#,
            "",
            "needs a body, a site and a joint",
        ),
        (r#"objtype="body" objname="berry""#, r#"objtype="body" objname="head""#, "free body"),
        (r#"objname="finger_R_a""#, r#"objname="berry_free""#, "joints that turn or slide"),
        (r#"<tuple name="still_things">"#, r#"<tuple name="attach_twice">"#, "the only one"),
    ] {
        let changed = shipped.replacen(from, to, 1);
        assert_ne!(changed, shipped, "{from} is there");
        let file = folder.path().join("scene.xml");
        fs::write(&file, changed).expect("a scene");
        let mut robot = robot.clone();
        robot.mujoco.as_mut().expect("a scene").scene = file;
        let refused = daemon::scene(&robot).map(|_| ()).expect_err(to).to_string();
        assert!(refused.contains(words) && refused.contains("attach"), "{refused}");
    }
}
