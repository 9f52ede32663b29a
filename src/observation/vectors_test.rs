//! The shipped layouts of `models/imports/` see the numbers that the Fire Boy project's own code computes. Its cases are in
//! `../shared`; without it these tests skip.

#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::{fmt::Write as _, fs, path::Path};

use motion::{Ask, Joints, Nanos, RunId, State, TickIndex};
use serde_json::Value;

use super::{belief::Memory, *};
use crate::{action::Body, config::RobotSettings, head::FeatureRule};

/// A body whose tools can be put anywhere: each on three slides and a wrist.
const SIDE: [(&str, &str, &str); 6] = [
    ("x", "prismatic", "1 0 0"),
    ("y", "prismatic", "0 1 0"),
    ("z", "prismatic", "0 0 1"),
    ("yaw", "revolute", "0 0 1"),
    ("pitch", "revolute", "0 1 0"),
    ("roll", "revolute", "1 0 0"),
];
const ROOT: [&str; 4] = ["root_x", "root_y", "root_z", "root_yaw"];
const SIDES: [&str; 3] = ["right", "left", "mouth"];
/// What the published code calls a stage of no number, too.
const STAGES: [&str; 10] = [
    "approach",
    "reach_above",
    "descend",
    "close",
    "lift",
    "mouth",
    "run_loop",
    "walk_to",
    "circle",
    "navigate",
];
const TASKS: [&str; 4] = ["pick_up", "go_eat_berry", "run_around", "go_to_point"];

fn here(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn body() -> Body {
    let folder = tempfile::tempdir().expect("a folder");
    let mut robot = "name = \"slides\"\nurdf = \"slides.urdf\"\n".to_owned();
    let mut urdf = "<robot name=\"slides\"><link name=\"base\"/>\n".to_owned();
    let (mut home, mut joints) = ("[home]\n".to_owned(), String::new());
    let mut add = |name: &str, kind: &str, axis: &str, parent: &str| {
        let _ = writeln!(
            urdf,
            "<link name=\"{name}_link\"/><joint name=\"{name}\" type=\"{kind}\"><parent link=\"{parent}\"/>\
             <child link=\"{name}_link\"/><axis xyz=\"{axis}\"/>\
             <limit lower=\"-4\" upper=\"4\" effort=\"1\" velocity=\"1\"/></joint>"
        );
        let m = if kind == "prismatic" { "m" } else { "rad" };
        let _ = writeln!(home, "{name} = 0.0");
        let _ = writeln!(
            joints,
            "[[joints]]\nkind = \"{kind}\"\nname = \"{name}\"\nposition_min_{m} = -4.0\nposition_max_{m} = 4.0\n\
             velocity_max_{m}_s = 1.0\nacceleration_max_{m}_s2 = 8.0\njerk_max_{m}_s3 = 200.0\nstep_max_{m} = 0.5\n\
             divergence_max_{m} = 0.5"
        );
        format!("{name}_link")
    };
    for name in ROOT {
        let kind = if name == "root_yaw" { "revolute" } else { "prismatic" };
        add(name, kind, "0 0 1", "base");
    }
    for side in SIDES {
        let mut parent = "base".to_owned();
        for (name, kind, axis) in SIDE {
            parent = add(&format!("{side}_{name}"), kind, axis, &parent);
        }
        let _ = writeln!(
            robot,
            "[[arms]]\nname = \"{side}\"\nbase_link = \"base\"\ntool_link = \"{side}_roll_link\""
        );
    }
    fs::write(folder.path().join("slides.urdf"), urdf + "</robot>\n").expect("a file");
    let (arms, rest) = (robot.split_off(robot.find("[[arms]]").expect("arms")), robot);
    fs::write(folder.path().join("slides.toml"), rest + &home + &joints + &arms).expect("a file");
    let settings = RobotSettings::load(&folder.path().join("slides.toml"));
    Body::load(&settings.unwrap_or_else(|error| panic!("{error}")))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The features of a layout, for one task, in the project's own numbers.
fn rules(layout: &str, task: &str) -> (Vec<FeatureRule>, toml::Table) {
    let text = fs::read_to_string(here(&format!("models/imports/{layout}.toml"))).expect("shipped");
    let layout: toml::Table = toml::from_str(&text).expect("TOML");
    let ranges = layout["ranges"].as_table().expect("ranges").clone();
    let features = layout["inputs"][0]["features"].as_array().expect("features");
    let rule = |table: &toml::Value| {
        let mut table = table.as_table().expect("a table").clone();
        if table.get("values").and_then(toml::Value::as_str) == Some("task") {
            table.insert("values".to_owned(), layout["tasks"][task]["values"].clone());
        }
        if table.remove("ranged").is_some() {
            let joints = table["joints"].as_array().expect("joints").clone();
            for (at, key) in ["min", "max"].into_iter().enumerate() {
                let ends =
                    joints.iter().map(|joint| ranges[joint.as_str().expect("a name")][at].clone());
                table.insert(key.to_owned(), toml::Value::Array(ends.collect()));
            }
        }
        for key in ["mean", "std"] {
            table.insert(key.to_owned(), toml::Value::Array(Vec::new()));
        }
        let mut rule: FeatureRule = table.try_into().expect("a feature");
        (rule.mean, rule.std) = (vec![0.0; rule.width()], vec![1.0; rule.width()]);
        rule
    };
    (features.iter().map(rule).collect(), ranges)
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(|number| number.as_f64().expect("a number"))
        .collect()
}

#[test]
fn the_published_states_are_seen_as_published() {
    let Ok(text) = fs::read_to_string(here("../shared/actions/vectors/fireboy_state.json")) else {
        eprintln!("skipped: ../shared is not there");
        return;
    };
    let cases: Value = serde_json::from_str(&text).expect("JSON");
    let cases = cases["cases"].as_array().expect("cases");
    assert!(cases.len() > 20);
    let body = body();
    for case in cases {
        let raw = &case["raw"];
        let (task, stage) = (raw["task"].as_str().expect("a task"), raw["stage"].as_str());
        assert!(TASKS.contains(&task));
        let stage = STAGES.iter().position(|name| Some(*name) == stage).expect("a stage");
        let mut position = numbers(&raw["qpos"])[7..11].to_vec();
        for side in ["right_hand_pos", "left_hand_pos", "mouth_pos"] {
            position.extend(numbers(&raw[side]));
            position.extend([0.0; 3]);
        }
        let (_, ranges) = rules("fireboy_nav_clock", task);
        let mut command = Joints::zeros(body.joints.len());
        for ((value, number), joint) in
            command.iter_mut().zip(numbers(&raw["previous_action"])).zip(ROOT)
        {
            let [min, max] = [0, 1].map(|at| ranges[joint][at].as_float().expect("a number"));
            *value = min.midpoint(max) + (max - min) / 2.0 * number;
        }
        let mut state = State::blank(body.joints.len());
        state.position = Joints::from_slice(&position).expect("few joints");
        let ask = Ask::standing(RunId(1), TickIndex(1000), Nanos(1), state, command);
        let [grasped, eaten] = ["grasped", "eaten"].map(|name| raw[name].as_bool() == Some(true));
        let ticks = raw["step"].as_u64().expect("a step");
        let memory = Memory::as_if(&ask, ticks, grasped, eaten, stage as u8);
        let object: [f64; 3] = numbers(&raw["ball_pos"]).try_into().expect("three");
        let params = Params::default();
        let sight = Sight { ask: &ask, params: &params, memory: &memory, object, embedding: &[] };
        for (layout, key) in [("fireboy_clock", "clock27"), ("fireboy_nav_clock", "nav_clock42")] {
            let (rules, _) = rules(layout, task);
            let features = rules.iter().map(FeatureRule::feature);
            let packer = Packer::staged(features, &body.joints, &body.arms, &STAGES)
                .unwrap_or_else(|error| panic!("{layout}: {error}"));
            let mut tensor = vec![f32::NAN; packer.len()];
            packer.see(&sight, &mut tensor).expect("it packs");
            let wanted = numbers(&case[key]);
            assert_eq!(tensor.len(), wanted.len(), "{layout}");
            for (at, (got, wanted)) in tensor.iter().zip(wanted).enumerate() {
                let names: Vec<String> = rules.iter().flat_map(FeatureRule::names).collect();
                let (name, id) = (&names[at], &case["id"]);
                assert!(
                    (f64::from(*got) - wanted).abs() < 1e-5,
                    "{id}, {name}: {got}, not {wanted}"
                );
            }
        }
    }
}

/// A standard deviation of 6.4e-6, as a published router had it for the height of its previous action: a millimetre more
/// would be 1572 of them, and would decide everything.
#[test]
fn a_number_that_never_moved_in_the_data_is_clipped_and_told_of() {
    let items = ROOT.map(str::to_owned);
    let std = [0.1, 0.1, 6.4e-6, 0.2];
    let feature = Feature {
        name: FeatureName::PreviousAction,
        items: &items,
        tool: None,
        rows: prefix::Rows::ONE,
        // In ranges of 0.2 m and so on, as that router saw it.
        extra: Extra::Range { min: &[-2.4, -2.0, 0.0, -3.2], max: &[2.4, 2.0, 0.2, 3.2] },
        mean: &[0.0, 0.0, -0.7, 0.0],
        std: &std,
        clip: 10.0,
    };
    let packer = Packer::compile([feature], &ROOT, &[]).expect("it fits");
    let see = |root_z: f64| {
        let command = Joints::from_slice(&[0.24, 0.0, root_z, 0.0]).expect("four");
        let ask = Ask::standing(RunId(1), TickIndex(1), Nanos(1), State::blank(4), command);
        let (params, memory) = (Params::default(), Memory::default());
        let sight =
            Sight { ask: &ask, params: &params, memory: &memory, object: [0.0; 3], embedding: &[] };
        let mut tensor = [f32::NAN; 4];
        let clipped = packer.see(&sight, &mut tensor).expect("it packs");
        (tensor, clipped)
    };
    let (tensor, clipped) = see(0.03);
    assert_eq!(clipped, Clipped::default(), "{tensor:?}");
    assert!((tensor[0] - 1.0).abs() < 1e-6, "a tenth of the range is a standard deviation");
    assert!(tensor[2].abs() < 1e-3, "{tensor:?}");
    let (tensor, clipped) = see(0.031);
    assert_eq!(clipped, Clipped { numbers: 1, first: 2 });
    assert_eq!(tensor[2], 10.0, "and not {}", 0.01 / 6.4e-6);
    let (tensor, _) = see(0.029);
    assert_eq!(tensor[2], -10.0);
}
