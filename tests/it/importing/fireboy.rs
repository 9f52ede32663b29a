//! The Fire Boy project's own checkpoints, by the shipped layouts: what the head answers is what their published formula
//! says. They are in `../shared`; without it these tests skip.

use std::{collections::BTreeMap, fs::File, path::PathBuf};

use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::NpzReader;
use reflexd::{
    action::Body,
    config::{RobotSettings, Settings},
    daemon::engine,
    head::{Head, Manifest},
};
use serde_json::Value;

use super::{done, import, near, refused};
use crate::rig::here;

/// Each with its layout and task; `None`: no task, and no period.
const ALL: [(&str, &str, Option<&str>); 6] = [
    ("articulated_go_to_point_clock", "fireboy_clock", Some("go_to_point")),
    ("articulated_run_around", "fireboy_full", Some("run_around")),
    ("articulated_go_to_point", "fireboy_full", Some("go_to_point")),
    ("articulated_pick_up", "fireboy_full", Some("pick_up")),
    ("articulated_go_eat_berry", "fireboy_full", Some("go_eat_berry")),
    ("berry_eat_wide_state_policy", "fireboy_wide", None),
];

fn checkpoint(name: &str) -> Option<PathBuf> {
    let file = here("../shared/fireboy/checkpoints").join(name).with_extension("npz");
    if !file.exists() {
        eprintln!("skipped: ../shared is not there");
    }
    file.exists().then_some(file)
}

fn arrays(file: &std::path::Path) -> BTreeMap<String, ArrayD<f64>> {
    let mut reader = NpzReader::new(File::open(file).expect("a file")).expect("a zip");
    let names = reader.names().expect("names");
    let mut all = BTreeMap::new();
    for name in names {
        if let Ok(array) = reader.by_name::<OwnedRepr<f32>, IxDyn>(&name) {
            all.insert(name, array.mapv(f64::from));
        }
    }
    all
}

/// Their formula: rectifiers between the layers, `y * y_std + y_mean`.
fn published(of: &BTreeMap<String, ArrayD<f64>>, state: &[f64]) -> Vec<f64> {
    let scaled = |at: usize, x: f64| (x - of["x_mean"][[at]]) / of["x_std"][[at]];
    let mut values: Vec<f64> = state.iter().enumerate().map(|(at, x)| scaled(at, *x)).collect();
    for layer in 0..3 {
        let (weights, bias) = (&of[&format!("w{layer}")], &of[&format!("b{layer}")]);
        let sum = |row: usize| {
            let products = values.iter().enumerate().map(|(at, value)| weights[[row, at]] * value);
            bias[[row]] + products.sum::<f64>()
        };
        let sums = (0..bias.len()).map(sum);
        values = sums.map(|sum| if layer < 2 { sum.max(0.0) } else { sum }).collect();
    }
    let answer = |(at, value): (usize, &f64)| value * of["y_std"][[at]] + of["y_mean"][[at]];
    values.iter().enumerate().map(answer).collect()
}

#[test]
fn every_checkpoint_answers_as_its_published_formula_does() {
    for (name, layout, task) in ALL {
        let Some(file) = checkpoint(name) else { return };
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("head.toml");
        let task = task.map_or("--period-ms 16".to_owned(), |task| format!("--task {task}"));
        let words = format!("--from npz @ --layout {layout} {task} --json");
        let told = done(&import(&out, &words, &[&file], &[]));
        assert!(told["worst_error"].as_f64() < Some(1e-5), "{name}: {told}");
        assert!(told["goldens_by"].as_str().is_some_and(|by| by.contains("double")), "{told}");
        let manifest = Manifest::load(&out).expect("it is sound");
        let of = arrays(&file);
        let inputs = of["x_mean"].len();
        assert_eq!(manifest.input_len(), inputs, "{name}");

        // States in the policy's own numbers, near its data; numbers that stood still there stand still here.
        let seed = 7;
        eprintln!("{name}: seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let state = |_| -> Vec<f64> {
            let each = of["x_mean"].iter().zip(&of["x_std"]);
            each.map(|(mean, std)| match *std < 1e-4 {
                true => *mean,
                false => mean + std * (4.0 * random.f64() - 2.0),
            })
            .collect()
        };
        let states: Vec<Vec<f64>> = (0..8).map(state).collect();
        // A manifest's observations are SI: what it sees as places in ranges is not.
        let mut ends: Vec<Option<(f64, f64)>> = Vec::new();
        for feature in manifest.inputs.iter().flat_map(|input| &input.features) {
            let ranges =
                feature.min.iter().flatten().copied().zip(feature.max.iter().flatten().copied());
            let ranges: Vec<_> = ranges.map(Some).collect();
            ends.extend(if ranges.is_empty() { vec![None; feature.len()] } else { ranges });
        }
        let si = |state: &Vec<f64>| -> Vec<f64> {
            let each = state.iter().zip(&ends);
            each.map(|(x, ends)| {
                ends.map_or(*x, |(low, high)| low + (x + 1.0) / 2.0 * (high - low))
            })
            .collect()
        };
        let observations: Vec<Vec<f64>> = states.iter().map(si).collect();
        let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
        let robot = match layout {
            "fireboy_wide" => here("models/imports/fireboy_wide_robot.toml"),
            _ => here("config/robots/fireboy.toml"),
        };
        let robot = RobotSettings::load(&robot).unwrap_or_else(|error| panic!("{error}"));
        let body = Body::load(&robot).unwrap_or_else(|error| panic!("{error}"));
        let engine = engine(&settings).unwrap_or_else(|error| panic!("{error}"));
        let answers = Head::answers(&out, &body, engine, &observations).expect("it answers");
        let written = Manifest::as_written(&out).expect("it is sound");
        let columns = &written["output"]["columns"][0];
        let list = |value: &Value| -> Vec<f64> {
            value.as_array().expect("a list").iter().filter_map(Value::as_f64).collect()
        };
        assert_eq!(columns["smoothing"], 0.2);
        let (low, high) = (list(&columns["clip"]["min"]), list(&columns["clip"]["max"]));
        for (state, answer) in states.iter().zip(answers) {
            for (at, wanted) in published(&of, state).into_iter().enumerate() {
                let got = 2.0 * (answer[0][at] - low[at]) / (high[at] - low[at]) - 1.0;
                near(got, wanted, 1e-5);
            }
        }
    }
}

#[test]
fn a_layout_for_another_state_or_task_is_refused() {
    let Some(full) = checkpoint("articulated_pick_up") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("head.toml");
    let said = |words: &str| import(&out, words, &[&full], &[]);
    let clock = said("--from npz @ --layout fireboy_clock --task pick_up");
    refused(&clock, 4, &["articulated_pick_up.npz", "state_mode", "full", "clock"]);
    let no_task = said("--from npz @ --layout fireboy_full");
    refused(&no_task, 2, &["--task", "pick_up", "run_around"]);
    let other = said("--from npz @ --layout fireboy_full --task dance");
    refused(&other, 2, &["--task", "dance", "go_to_point"]);
    let gone = said("--from npz @ --layout fireboy_none --task pick_up");
    refused(&gone, 4, &["fireboy_none.toml"]);
    let wide = said("--from npz @ --layout fireboy_wide --period-ms 16");
    refused(&wide, 2, &["52", "168"]);
    assert!(!out.exists());
    let Some(wide) = checkpoint("berry_eat_wide_state_policy") else { return };
    let untimed = import(&out, "--from npz @ --layout fireboy_wide", &[&wide], &[]);
    refused(&untimed, 2, &["control period", "--period-ms"]);
}
