//! A policy that LeRobot's own code has saved: a tiny ACT, with what PyTorch answers beside it.

use std::{fs, path::Path, process::Output};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

use super::{done, import, near, refused};
use crate::{daemon::run, rig::here};

const ACT: &str = "tests/data/lerobot_act";
const PIPER: &str = "joint1,joint2,joint3,joint4,joint5,joint6,gripper";

fn copy(folder: &str, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(here(folder)).expect("a folder") {
        let path = entry.expect("readable").path();
        fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("a copy");
    }
}

/// All that has to be told of the tiny ACT policy; what begins with one of `without` is left out.
fn act_words(without: &[&str]) -> String {
    let words = [
        "--from lerobot @ --json --skill pick_up",
        "--period-ms 33.333",
        &format!("--joints {PIPER}"),
        "--units deg",
        "--scale gripper=0.0007",
        "--input observation.environment_state=decision:target_x,target_y,target_z",
    ];
    let kept = words.iter().filter(|word| !without.iter().any(|gone| word.starts_with(gone)));
    kept.map(|word| (*word).to_owned()).collect::<Vec<_>>().join(" ")
}

fn import_act(folder: &Path, out: &Path, without: &[&str], more: &str) -> Output {
    let words = format!("{} {more}", act_words(without));
    import(out, &words, &[folder], &[])
}

#[test]
fn an_act_policy_of_lerobot_answers_as_pytorch_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("act.toml");
    let told = done(&import_act(&here(ACT), &out, &[], "--dataset tiny --licence MIT"));
    assert_eq!(told["goldens"], 4);
    assert!(
        told["goldens_by"].as_str().is_some_and(|by| by.starts_with("PyTorch (lerobot")),
        "{told}"
    );
    assert!(told["worst_error"].as_f64() < Some(1e-5), "{told}");
    let made = &told["understood"];
    assert_eq!(made["timing"]["period_ms"], 33.333);
    assert_eq!(
        (&made["timing"]["chunk_steps"], &made["timing"]["execute_steps"]),
        (&json!(10), &json!(8))
    );
    assert_eq!(made["inputs"][1]["tensor"], "observation.environment_state");
    assert_eq!(made["provenance"], json!({ "dataset": "tiny", "licence": "MIT" }));

    // The golden actions are LeRobot's own numbers, in rad and m.
    let answers = fs::read_to_string(here(ACT).join("policy_goldens.json")).expect("a file");
    let answers: Value = serde_json::from_str(&answers).expect("JSON");
    for (at, golden) in answers["goldens"].as_array().expect("goldens").iter().enumerate() {
        for (step, row) in golden["action"].as_array().expect("rows").iter().enumerate() {
            for (column, value) in row.as_array().expect("a row").iter().enumerate() {
                let factor = if column == 6 { 0.0007 } else { std::f64::consts::PI / 180.0 };
                let made = made["golden"][at]["action"][step][column].as_f64().expect("a number");
                near(made, value.as_f64().expect("a number") * factor, 1e-12);
            }
        }
    }
    // And check says the same of it, from the files alone.
    let file = out.display().to_string();
    let checked = run(&["head", "check", &file, "--json"]);
    assert_eq!(done(&checked)["goldens"], 4);
    let shown = run(&["head", "show", &file]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("observation.state") && shown.contains("joint_absolute"), "{shown}");
}

#[test]
fn what_no_folder_of_lerobots_says_has_to_be_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("act.toml");
    for (without, words) in [
        ("--period-ms", &["control period", "no policy's files say", "--period-ms"][..]),
        ("--joints", &["order of the joints", "--joints", "joint1"]),
        ("--units", &["degrees or radians", "--units deg"]),
        ("--scale", &["gripper", "slides", "--scale gripper="]),
        ("--input", &["observation.environment_state", "3 numbers", "--input"]),
    ] {
        refused(&import_act(&here(ACT), &out, &[without], ""), 2, words);
        assert!(!out.exists());
    }
    let other = "--joints joint1,joint2,joint3,joint4,joint5,gripper";
    refused(&import_act(&here(ACT), &out, &["--joints"], other), 2, &["--joints", "joint6"]);
    let other = "--joints joint1,joint2,joint3,joint4,joint5,joint6,hand";
    refused(&import_act(&here(ACT), &out, &["--joints"], other), 2, &["\"hand\"", "piper"]);
    let other = "--input observation.environment_state=decision:target_x,target_y";
    refused(&import_act(&here(ACT), &out, &["--input"], other), 2, &["2 numbers", "[1, 3]"]);
    let other = "--input observation.images=decision:target_x";
    refused(
        &import_act(&here(ACT), &out, &["--input"], other),
        2,
        &["observation.images", "observation.state"],
    );
    let other = "--input observation.environment_state=wish:target_x,target_y,target_z";
    refused(&import_act(&here(ACT), &out, &["--input"], other), 2, &["wish", "decision"]);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left behind");
}

#[test]
fn what_is_there_is_overwritten_only_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("act.toml");
    fs::write(&out, "mine").expect("a file");
    refused(&import_act(&here(ACT), &out, &[], ""), 2, &["act.toml", "--force"]);
    assert_eq!(fs::read_to_string(&out).expect("a file"), "mine");
    done(&import_act(&here(ACT), &out, &[], "--force"));
    let made = fs::read_to_string(&out).expect("a file");
    // A failure keeps what was there, too.
    refused(
        &import_act(&here(ACT), &out, &["--period-ms"], "--force --period-ms 0"),
        4,
        &["act.toml", "timing.period_ms"],
    );
    assert_eq!(fs::read_to_string(&out).expect("a file"), made);
    let again = folder.path().join("again.toml");
    done(&import_act(&here(ACT), &again, &[], "--name act"));
    let again = fs::read_to_string(&again).expect("a file").replace("again.onnx", "act.onnx");
    assert_eq!(again, made, "the same import is the same head");
}

/// A copy of the policy's folder with one file changed.
fn changed(file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy(ACT, folder.path());
    let path = folder.path().join(file);
    fs::write(&path, change(fs::read(&path).expect("a file"))).expect("a file");
    folder
}

fn replaced(file: &str, from: &str, to: &str) -> tempfile::TempDir {
    changed(file, |bytes| {
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains(from), "`{from}` is not in {file}");
        text.replacen(from, to, 1).into_bytes()
    })
}

/// The file of statistics with one number of one list changed.
fn statistic(file: &str, key: &str, at: usize, to: f32) -> tempfile::TempDir {
    changed(file, |mut bytes| {
        let place = {
            let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
            let data = tensors.tensor(key).expect("the list").data();
            data.as_ptr() as usize - bytes.as_ptr() as usize
        };
        bytes[place + 4 * at..place + 4 * at + 4].copy_from_slice(&to.to_le_bytes());
        bytes
    })
}

#[test]
fn a_folder_of_lerobots_that_is_not_as_it_should_be_is_refused_where_it_is_wrong() {
    const BEFORE: &str = "policy_preprocessor_step_3_normalizer_processor.safetensors";
    const AFTER: &str = "policy_postprocessor_step_0_unnormalizer_processor.safetensors";
    let camera = r#""observation.images.wrist": { "type": "VISUAL", "shape": [3, 480, 640] }, "observation.state""#;
    let config = "config.json";
    for (folder, words) in [
        (
            replaced(config, "\"act\"", "\"diffusion\""),
            &["config.json", "type", "diffusion", "act"][..],
        ),
        (
            replaced(config, "\"act\"", "\"pi05\""),
            &["config.json", "pi05", "does not answer within a tick"],
        ),
        (
            replaced(config, "\"observation.state\"", camera),
            &["observation.images.wrist", "camera inputs are not supported yet"],
        ),
        (replaced(config, "\"n_obs_steps\": 1", "\"n_obs_steps\": 2"), &["n_obs_steps", "2"]),
        (
            replaced(
                "policy_preprocessor.json",
                "\"STATE\": \"MEAN_STD\"",
                "\"STATE\": \"SQUARED\"",
            ),
            &["policy_preprocessor.json", "norm_map.STATE", "SQUARED", "QUANTILES"],
        ),
        (replaced(config, "{", ""), &["config.json", "JSON"]),
        (
            replaced(
                config,
                "            \"shape\": [\n                3",
                "            \"shape\": [\n                4",
            ),
            &["shape of `observation.environment_state`", "[4]"],
        ),
        (
            replaced(
                "policy_preprocessor.json",
                "to_batch_processor",
                "relative_actions_processor",
            ),
            &["policy_preprocessor.json", "relative_actions_processor"],
        ),
        (
            replaced(
                "policy_preprocessor.json",
                "\"rename_map\": {}",
                "\"rename_map\": {\"a\": \"b\"}",
            ),
            &["rename_map"],
        ),
        (
            replaced("policy_preprocessor.json", "\"eps\": 1e-08", "\"eps\": 1e-06"),
            &["policy_preprocessor.json", "eps"],
        ),
        (
            replaced("policy_postprocessor.json", "safetensors", "gone"),
            &["unnormalizer_processor.gone"],
        ),
        (
            replaced("policy_goldens.json", "\"observation.state\"", "\"state\""),
            &["policy_goldens.json", "goldens[0]"],
        ),
        (
            replaced("policy_goldens.json", "22.06229019165039", "23.06229019165039"),
            &["act.toml", "golden[0].action[0]", "joint1"],
        ),
        (
            statistic(BEFORE, "observation.state.mean", 2, f32::NAN),
            &[BEFORE, "observation.state.mean[2]", "NaN"],
        ),
        (
            statistic(BEFORE, "observation.state.std", 4, 0.0),
            &[BEFORE, "observation.state.std[4]", "0.0", "above 0"],
        ),
        (
            statistic(BEFORE, "observation.environment_state.max", 1, -0.5),
            &[BEFORE, "observation.environment_state.max[1]", "above min[1]"],
        ),
        (statistic(AFTER, "action.std", 6, 0.0), &[AFTER, "action.std[6]", "0.0"]),
        (changed(BEFORE, |bytes| bytes[..100].to_vec()), &[BEFORE, "safetensors"]),
        (changed("policy.onnx", |_| b"no network".to_vec()), &["policy.onnx", "ONNX"]),
    ] {
        let out = folder.path().join("act.toml");
        let output = import_act(folder.path(), &out, &[], "");
        assert_ne!(output.status.code(), Some(0), "{words:?}");
        refused(&output, 4, words);
        assert!(!out.exists() && !out.with_extension("onnx").exists());
    }
    let empty = tempfile::tempdir().expect("a folder");
    let out = empty.path().join("act.toml");
    refused(&import_act(empty.path(), &out, &[], ""), 4, &["config.json", "save_pretrained"]);
    copy(ACT, empty.path());
    fs::remove_file(empty.path().join("policy.onnx")).expect("it is there");
    refused(&import_act(empty.path(), &out, &[], ""), 4, &["policy.onnx", "export_lerobot_act.py"]);
}

#[test]
fn a_folder_from_before_lerobot_had_processors_is_read_too() {
    let folder = tempfile::tempdir().expect("a folder");
    copy(ACT, folder.path());
    let bytes =
        fs::read(here(ACT).join("policy_preprocessor_step_3_normalizer_processor.safetensors"))
            .expect("a file");
    let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
    let old: Vec<(String, TensorView<'_>)> = tensors
        .iter()
        .map(|(key, tensor)| {
            let (name, statistic) = key.rsplit_once('.').expect("a name");
            let owner = if name == "action" { "unnormalize_outputs" } else { "normalize_inputs" };
            let view = TensorView::new(Dtype::F32, tensor.shape().to_vec(), tensor.data());
            (
                format!("{owner}.buffer_{}.{statistic}", name.replace('.', "_")),
                view.expect("a tensor"),
            )
        })
        .collect();
    fs::write(
        folder.path().join("model.safetensors"),
        safetensors::serialize(old, None).expect("tensors"),
    )
    .expect("a file");
    for file in ["policy_preprocessor.json", "policy_postprocessor.json"] {
        fs::remove_file(folder.path().join(file)).expect("it is there");
    }
    let out = folder.path().join("act.toml");
    let told = done(&import_act(folder.path(), &out, &[], ""));
    assert!(told["worst_error"].as_f64() < Some(1e-5) && told["goldens"] == 4, "{told}");
}
