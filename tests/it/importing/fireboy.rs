//! The Fire Boy project's own checkpoints, by the shipped layouts: what the head answers is what their published formula
//! says. They are in `../shared`; without it these tests skip.

use std::{collections::BTreeMap, fs::File, path::PathBuf};

use motion::Joints;
use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::NpzReader;
use reflexd::{
    action::Body,
    config::{RobotSettings, Settings},
    daemon::engine,
    head::{Head, Manifest},
    router::{RouterHead, Thing, View},
};
use serde_json::{Value, json};

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

fn fire_boy() -> Body {
    let robot = RobotSettings::load(&here("config/robots/fireboy.toml"));
    let robot = robot.unwrap_or_else(|error| panic!("{error}"));
    Body::load(&robot).unwrap_or_else(|error| panic!("{error}"))
}

fn router(folder: &std::path::Path) -> Option<(Value, RouterHead)> {
    let file = here("../shared/fireboy/checkpoints/router_skill_param_head.pt");
    if !file.exists() {
        eprintln!("skipped: ../shared is not there");
        return None;
    }
    let out = folder.join("router.toml");
    let told = done(&import(&out, "--from pt @ --robot fireboy --json", &[&file], &[]));
    let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
    let engine = engine(&settings).unwrap_or_else(|error| panic!("{error}"));
    let head = RouterHead::load(&out, &fire_boy(), engine);
    Some((told, head.unwrap_or_else(|error| panic!("{error}"))))
}

/// The number of the state that stood still: its deviation is 6.4e-6, and by it a millimetre of the root's height decided
/// everything, with a target at y = -8.5 m.
#[test]
fn the_published_router_is_proved_and_a_millimetre_decides_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((told, mut head)) = router(folder.path()) else { return };
    assert_eq!((&told["parameters"], &told["stood_still"]), (&json!(814_090), &json!([29])));
    assert_eq!(
        (told["goldens"].as_u64() >= Some(2), &told["skills"][2]),
        (true, &json!("pick_up"))
    );
    let manifest = head.manifest().clone();
    let mut embedding = [0.0; 1024];
    for (slot, mean) in embedding.iter_mut().zip(&manifest.embedding.mean) {
        *slot = *mean as f32;
    }
    let mean: [f64; 42] = manifest.state.mean.clone().try_into().expect("42 numbers");
    let calm = head.answer(&embedding, &mean).expect("an answer");
    assert_eq!(calm.out_of_distribution, Vec::<String>::new());
    let mut raised = mean;
    raised[29] += 0.01;
    let odd = head.answer(&embedding, &raised).expect("an answer");
    assert_eq!(odd.out_of_distribution, ["previous_action.root_z"]);
    for (calm, odd) in calm.params.iter().zip(odd.params) {
        assert!((calm - odd).abs() < 0.5, "{calm} became {odd}");
    }
    assert!(odd.choice().1 < 0.9, "{odd:?} is sure because of a millimetre");
    // However far it goes, the bound is the bound.
    raised[29] += 10.0;
    assert_eq!(head.answer(&embedding, &raised).expect("an answer"), odd);
}

#[test]
fn the_published_router_sees_the_robot_and_the_nearest_berry() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((_, head)) = router(folder.path()) else { return };
    let body = fire_boy();
    let mut position = Joints::zeros(body.joints.len());
    (position[0], position[1], position[3]) = (0.25, -0.5, 0.6);
    let commanded = position;
    let view = View { position: &position, velocity: &Joints::zeros(32), commanded: &commanded };
    let thing = |name: &str, x: f64, is_berry| Thing {
        name: name.to_owned(),
        position_m: [x, 0.5, 0.3],
        radius_m: 0.05,
        is_berry,
    };
    let things = [thing("chair", 0.1, false), thing("far", 2.0, true), thing("near", 1.25, true)];
    let state = head.state(view, &things);
    let bearing = 1.0_f64.atan2(1.0);
    for (at, wanted) in [
        (0, 0.25),
        (1, -0.5),
        (2, 0.6_f64.sin()),
        (4, 1.0),
        (5, 1.0),
        (6, 2.0_f64.sqrt()),
        (9, (bearing - 0.6).sin()),
        (17, 1.25),
        (23, 0.0),
        (27, 0.25 / 2.4),
        (29, -1.0),
    ] {
        near(state[at], wanted, 1e-6);
    }
    let arm = body.arms.iter().find(|arm| arm.name == "mouth").expect("a mouth");
    near(state[20], arm.x_base_tool(&position).translation.vector.x, 1e-6);
}

/// A file of PyTorch's is a program in a language of its own. This one would make a file.
#[test]
fn a_checkpoint_from_a_stranger_can_do_nothing_but_be_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, made) = (folder.path().join("evil.pt"), folder.path().join("made"));
    let program = format!(
        "import os, pickle, zipfile\nclass Evil:\n    def __reduce__(self):\n        return os.system, ('touch {}',)\n\
         archive = zipfile.ZipFile({:?}, 'w')\narchive.writestr('a/data.pkl', pickle.dumps({{'head': Evil()}}, 2))\n\
         archive.close()\n",
        made.display(),
        file.display().to_string()
    );
    let python = std::process::Command::new("python3").args(["-c", &program]).status();
    assert!(python.is_ok_and(|status| status.success()), "python3 is needed");
    let out = folder.path().join("head.toml");
    let said = import(&out, "--from pt @ --robot fireboy", &[&file], &[]);
    refused(&said, 4, &["evil.pt", "system", "no need of"]);
    std::fs::write(&file, "no archive").expect("a file");
    let said = import(&out, "--from pt @ --robot fireboy", &[&file], &[]);
    refused(&said, 4, &["evil.pt", "torch.save"]);
    let said = import(&out, "--from npz @ --fingerprint 00", &[&file], &[]);
    refused(&said, 2, &["--fingerprint", "--from pt"]);
    assert!(!made.exists() && !out.exists());
}
