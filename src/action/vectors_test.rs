//! The published codecs' own numbers: cases that were made by running their code, in `../shared/actions/vectors`. Where that
//! folder is not, these tests say so and pass.

#![allow(clippy::print_stdout, reason = "what is skipped is said")]

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{fast::Cosine, *};

/// A file of cases, next to this repository.
fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/actions/vectors").join(name)
}

/// The cases of a codec; none, and a word about it, where they are not.
fn cases(codec: &str) -> Vec<Value> {
    let path = path(&format!("{codec}.json"));
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return Vec::new();
    };
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let cases = file["cases"].as_array().expect("cases").clone();
    assert!(!cases.is_empty());
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// All numbers of an array, of arrays of them too.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![number(other)],
    }
}

fn ids(value: &Value) -> Vec<i64> {
    value.as_array().expect("ids").iter().map(|id| id.as_i64().expect("an id")).collect()
}

fn mask(value: &Value) -> Option<Vec<bool>> {
    Some(value.as_array()?.iter().map(|item| item.as_bool().expect("a mask")).collect())
}

/// Equal within `tolerance`, of the number itself where it is large.
#[track_caller]
fn same(got: &[f64], wanted: &[f64], tolerance: f64, case: &Value) {
    assert_eq!(got.len(), wanted.len(), "{}", case["id"]);
    for (at, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let off = (got - wanted).abs() / wanted.abs().max(1.0);
        assert!(off <= tolerance, "{}, number {at}: {got}, not {wanted}", case["id"]);
    }
}

fn quantiles(stats: &Value) -> Quantiles {
    Quantiles { q01: numbers(&stats["q01"]), q99: numbers(&stats["q99"]) }
}

fn mean_std(stats: &Value) -> MeanStd {
    MeanStd { mean: numbers(&stats["mean"]), std: numbers(&stats["std"]) }
}

/// Row by row through each column's scale.
fn through(scales: &[Scale], rows: &[f64], way: impl Fn(&Scale, f64) -> f64) -> Vec<f64> {
    rows.iter().zip(scales.iter().cycle()).map(|(number, scale)| way(scale, *number)).collect()
}

fn decoded(scales: &[Scale], rows: &[f64]) -> Vec<f64> {
    through(scales, rows, Scale::decode)
}

fn encoded(scales: &[Scale], rows: &[f64]) -> Vec<f64> {
    through(scales, rows, Scale::encode)
}

fn codec(tokens: &Tokens, file: Option<&[u8]>, sizes: Sizes) -> Codec {
    Codec::compile(tokens, file, sizes).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn lerobot() {
    for case in cases("lerobot_norm") {
        let stats = &case["stats"];
        let x = numbers(&case["x"]);
        let width = numbers(&stats["mean"]).len();
        let normalisation = match case["mode"].as_str().expect("a mode") {
            "IDENTITY" => None,
            "MEAN_STD" => Some(Normalisation::LerobotMeanStd(mean_std(stats))),
            "MIN_MAX" => Some(Normalisation::LerobotMinMax(MinMax {
                min: numbers(&stats["min"]),
                max: numbers(&stats["max"]),
            })),
            "QUANTILES" => Some(Normalisation::LerobotQuantiles(quantiles(stats))),
            "QUANTILE10" => Some(Normalisation::LerobotQuantile10(Deciles {
                q10: numbers(&stats["q10"]),
                q90: numbers(&stats["q90"]),
            })),
            other => panic!("{other}"),
        };
        let scales = normalisation.map_or(Some(vec![Scale::Same; width]), |n| n.scales(width));
        let scales = scales.expect("a number for each column");
        // The reference computes in `f32`.
        same(&decoded(&scales, &x), &numbers(&case["inverse"]), 1e-6, &case);
        same(&encoded(&scales, &x), &numbers(&case["forward"]), 2e-6, &case);
    }
}

#[test]
fn openpi() {
    for case in cases("openpi_norm") {
        let stats = &case["stats"];
        let known = numbers(&stats["mean"]).len();
        let by_quantiles = case["use_quantiles"].as_bool().expect("a switch");
        let mut scales = match by_quantiles {
            true => Normalisation::OpenpiQuantile(quantiles(stats)).scales(known),
            false => Normalisation::OpenpiZScore(mean_std(stats)).scales(known),
        }
        .expect("a number for each column");
        // A model that is wider than its robot: openpi's own padding of the statistics.
        let width = case["model_out"][0].as_array().expect("a row").len();
        let plain = MeanStd { mean: vec![0.0], std: vec![1.0] };
        let beyond = match by_quantiles {
            true => Scale::Same,
            false => Normalisation::OpenpiZScore(plain).scales(1).expect("one")[0],
        };
        let robot = scales.clone();
        scales.resize(width, beyond);
        same(
            &decoded(&scales, &numbers(&case["model_out"])),
            &numbers(&case["unnormalized"]),
            1e-12,
            &case,
        );
        let width = case["x"][0].as_array().expect("a row").len();
        assert_eq!(width, known);
        same(&encoded(&robot, &numbers(&case["x"])), &numbers(&case["normalized"]), 1e-9, &case);
    }
}

#[test]
fn openvla_bounds() {
    for case in cases("openvla_bounds_q99") {
        let Quantiles { q01, q99 } = quantiles(&case);
        let bounds = MaskedQuantiles { q01, q99, mask: mask(&case["mask"]) };
        let x = numbers(&case["x"]);
        let scales = Normalisation::OpenvlaBoundsQ99(bounds).scales(x.len()).expect("of each");
        same(&encoded(&scales, &x), &numbers(&case["normalized"]), 1e-12, &case);
    }
}

#[test]
fn the_grippers_of_libero() {
    for case in cases("openvla_bounds_q99") {
        // Its environment closes at +1 and opens at -1; 0, exactly at the threshold, moves nothing: as it was, here at 0.
        let gripper: Columns = toml::from_str(
            "representation = \"gripper\"\njoint = \"gripper\"\nclosed = 1.0\nopen = -1.0\n\
             closed_at = 0.0\nopen_at = 1.0\nthreshold = 0.5",
        )
        .expect("a gripper");
        let got = lowered(&[gripper], &["gripper"], &numbers(&case["gripper_in"]), &[0.0], &[0.0]);
        same(&got, &numbers(&case["gripper_env"]), 0.0, &case);
    }
}

/// What joints are sent, row by row, for the numbers of a tensor.
fn lowered(
    columns: &[Columns],
    joints: &[&str],
    rows: &[f64],
    measured: &[f64],
    commanded: &[f64],
) -> Vec<f64> {
    let joints: Vec<String> = joints.iter().map(|name| (*name).to_owned()).collect();
    let count = joints.len();
    let body = Body { name: "toy".to_owned(), joints, limits: Vec::new(), arms: Vec::new() };
    let mut lowering = Lowering::compile(columns, &body, 0.05).expect("it fits");
    let tensor: Vec<f32> = rows.iter().map(|number| *number as f32).collect();
    let at = |joints: &[f64]| Joints::from_slice(joints).expect("not too many joints");
    let start =
        Start { measured: at(measured), commanded: at(commanded), velocity: Joints::zeros(count) };
    let mut chunk = target_test::chunk(count);
    lowering.lower(Values::F32(&tensor), &start, &mut chunk).expect("it lowers");
    (0..chunk.len()).flat_map(|step| chunk.step(step).expect("a step").to_vec()).collect()
}

#[test]
fn openpi_displacements() {
    for case in cases("openpi_delta") {
        let (state, mask) = (numbers(&case["state"]), mask(&case["mask"]).expect("a mask"));
        let names: Vec<String> = (0..state.len()).map(|joint| format!("joint{joint}")).collect();
        let columns = Columns::JointDelta(JointDelta {
            joints: names.clone(),
            relative_to: RelativeTo::Measured,
            steps: Steps::Independent,
            mask: Some(mask),
            normalised: None,
            clip: None,
            smoothing: None,
        });
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // The last command is another, so that it is not taken for the state.
        let commanded = vec![9.0; state.len()];
        let got = lowered(&[columns], &names, &numbers(&case["delta"]), &state, &commanded);
        // The tensor is `f32`, as a network's is.
        same(&got, &numbers(&case["roundtrip"]), 1e-6, &case);
        same(&got, &numbers(&case["absolute"]), 1e-6, &case);
    }
}

#[test]
fn openpi_states_in_a_prompt() {
    for case in cases("openpi_state_bins") {
        let bins: Option<Vec<i64>> =
            numbers(&case["state"]).into_iter().map(openpi_state_bin).collect();
        assert_eq!(bins, Some(ids(&case["bins"])), "{}", case["id"]);
    }
}

#[test]
fn openvla_bins() {
    let mut outside = 0;
    for case in cases("openvla_bins") {
        let whole = |key: &str| u32::try_from(case[key].as_u64().expect("a count")).expect("few");
        let (vocabulary, bins) = (whole("vocab_size"), whole("n_bins"));
        let tokens = Tokens::OpenvlaBins(OpenvlaBins { vocabulary, bins });
        let said = ids(&case["token_ids"]);
        let width = said.len();
        let mut codec = codec(&tokens, None, Sizes { tokens: width, steps: 1, columns: width });
        let input = numbers(&case["encode_input"]);
        assert_eq!(codec.encode(&input).expect("finite"), ids(&case["encode_token_ids"]));
        let mut got = Vec::new();
        let answer = codec.decode(&said, &mut got);
        // The reference clips an id that is no action token to an extreme. Here it is refused: the one difference.
        let known = i64::from(vocabulary - bins)..i64::from(vocabulary);
        if said.iter().any(|id| !known.contains(id)) {
            assert!(matches!(answer, Err(TokenRefusal::Unknown { .. })), "{answer:?}");
            outside += 1;
            continue;
        }
        answer.expect("they are action tokens");
        same(&got, &numbers(&case["normalized"]), 1e-12, &case);
        let Quantiles { q01, q99 } = quantiles(&case["stats"]);
        let bounds = MaskedQuantiles { q01, q99, mask: mask(&case["stats"]["mask"]) };
        let scales = Normalisation::OpenvlaBoundsQ99(bounds).scales(width).expect("of each");
        same(&decoded(&scales, &got), &numbers(&case["action"]), 1e-12, &case);
    }
    println!("{outside} cases have tokens outside of the table");
}

#[test]
fn mint() {
    for case in cases("mint_uniform") {
        let sizes = Sizes { tokens: 1, steps: 1, columns: 1 };
        let mut codec = codec(&Tokens::MintUniform(MintUniform {}), None, sizes);
        let token = case["token"].as_i64().expect("an id");
        let mut got = Vec::new();
        codec.decode(&[token], &mut got).expect("a token of the page");
        same(&got, &numbers(&case["value"]), 0.0, &case);
        assert_eq!(codec.encode(&got).expect("finite"), [token]);
        let (min, max) = (numbers(&case["robot_low"]), numbers(&case["robot_high"]));
        let scales = Normalisation::Range(MinMax { min, max }).scales(1).expect("of one");
        same(&decoded(&scales, &got), &numbers(&case["action"]), 1e-12, &case);
    }
}

#[test]
fn fast_transform() {
    for case in cases("fast_dct_only") {
        let (scale, action) = (number(&case["scale"]), numbers(&case["action"]));
        let size = |key: &str| usize::try_from(case[key].as_u64().expect("a size")).expect("small");
        let cosine = Cosine::new(size("T"));
        let coefficients: Vec<f64> = cosine
            .forward(&action, size("D"))
            .into_iter()
            .map(|coefficient| (coefficient * scale).round_ties_even())
            .collect();
        assert_eq!(coefficients, numbers(&case["coeff"]), "{}", case["id"]);
        let scaled: Vec<f64> = coefficients.iter().map(|whole| whole / scale).collect();
        let mut got = Vec::new();
        cosine.inverse(&scaled, size("D"), &mut got);
        same(&got, &numbers(&case["reconstructed"]), 1e-12, &case);
    }
}

#[test]
fn fast_byte_pairs() {
    for case in cases("fast_dct_bpe") {
        let json = fs::read(path("fast_tokenizer/tokenizer.json")).expect("it is beside the cases");
        let size = |key: &str| usize::try_from(case[key].as_u64().expect("a size")).expect("small");
        let said = ids(&case["token_ids"]);
        let fast = Tokens::Fast(Fast {
            file: "tokenizer.json".into(),
            sha256: String::new(),
            scale: number(&case["scale"]),
            min_token: i32::try_from(case["min_token"].as_i64().expect("whole")).expect("small"),
            steps: None,
            pad_token: None,
            language_ids: None,
        });
        let sizes = Sizes { tokens: said.len(), steps: size("T"), columns: size("D") };
        let mut codec = codec(&fast, Some(&json), sizes);
        let mut got = Vec::new();
        let answer = codec.decode(&said, &mut got);
        if case["reconstructed"].is_null() {
            // The reference answers zeros, a motion to the middle of everything.
            assert!(matches!(answer, Err(TokenRefusal::Length { .. })), "{answer:?}");
            continue;
        }
        answer.unwrap_or_else(|error| panic!("{}: {error}", case["id"]));
        same(&got, &numbers(&case["reconstructed"]), 1e-12, &case);
        if case.get("action").is_some() {
            let action = numbers(&case["action"]);
            assert_eq!(codec.encode(&action).expect("in the alphabet"), said, "{}", case["id"]);
        }
    }
}

#[test]
fn fast_in_a_language_models_ids() {
    for case in cases("fast_paligemma_map") {
        let ids = LanguageIds { vocabulary: 257_152, skip: 128 };
        let (fast, language) = (case["fast_token"].as_i64(), case["paligemma_token"].as_i64());
        assert_eq!(fast.map(|id| ids.swap(id)), language);
        assert_eq!(language.map(|id| ids.swap(id)), fast);
    }
}

/// Fire Boy's ranges, which its cases leave out: the centre and the half of each joint, as the cases themselves tell them.
fn fireboy_ranges(cases: &[Value]) -> CentreHalf {
    let joints = numbers(&cases[0]["action"]).len();
    let (mut centre, mut half) = (Vec::new(), Vec::new());
    for joint in 0..joints {
        let told = cases.iter().map(|case| {
            let number = numbers(&case["action"])[joint].clamp(-1.0, 1.0);
            (number, numbers(&case["pose"])[joint])
        });
        let mut told: Vec<(f64, f64)> = told.collect();
        told.sort_by(|a, b| a.0.total_cmp(&b.0));
        let ((a, at_a), (b, at_b)) = (told[0], told[told.len() - 1]);
        half.push((at_b - at_a) / (b - a));
        centre.push(at_a - a * half[joint]);
    }
    CentreHalf { centre, half }
}

#[test]
fn fireboy_actions() {
    let cases = cases("fireboy_action_coder");
    if cases.is_empty() {
        return;
    }
    let scales = Normalisation::CentreHalf(fireboy_ranges(&cases)).scales(32).expect("of each");
    for case in &cases {
        // Ranges that are read out of `f32` cases are as exact as these.
        let action = numbers(&case["action"]);
        same(&decoded(&scales, &action), &numbers(&case["pose"]), 1e-6, case);
        let pose = numbers(&case["pose_in"]);
        same(&encoded(&scales, &pose), &numbers(&case["action_out"]), 5e-6, case);
    }
}

#[test]
fn fireboy_smoothing() {
    for case in cases("fireboy_decode_smooth") {
        let previous = numbers(&case["previous_action"]);
        let names: Vec<String> = (0..previous.len()).map(|at| format!("joint{at}")).collect();
        // The cases are in the coder's own numbers: its ranges are -1 to 1.
        let ones = |from: usize, to: usize, value: f64| vec![value; to - from];
        let clip = |from, to| MinMax { min: ones(from, to, -1.0), max: ones(from, to, 1.0) };
        let smoothing = Some(number(&case["smooth_alpha"]));
        let absolute = |from: usize| {
            Columns::JointAbsolute(JointAbsolute {
                joints: names[from..].to_vec(),
                normalised: Some(Normalisation::CentreHalf(CentreHalf {
                    centre: ones(from, names.len(), 0.0),
                    half: ones(from, names.len(), 1.0),
                })),
                clip: Some(clip(from, names.len())),
                smoothing,
                ..JointAbsolute::default()
            })
        };
        let (mode, model) = (case["mode"].as_str(), numbers(&case["model_action"]));
        let roots = |step_m: f64| {
            Columns::JointDelta(JointDelta {
                joints: names[..2].to_vec(),
                relative_to: RelativeTo::Commanded,
                steps: Steps::Cumulative,
                mask: None,
                normalised: Some(Normalisation::CentreHalf(CentreHalf {
                    centre: ones(0, 2, 0.0),
                    half: ROOT_HALVES_M.iter().map(|half| step_m / half).collect(),
                })),
                clip: Some(clip(0, 2)),
                smoothing,
            })
        };
        let columns = match mode {
            Some("absolute_joint_targets") => vec![absolute(0)],
            Some("root_velocity_v1") => {
                vec![roots(number(&case["root_velocity_max_step_m"])), absolute(2)]
            }
            other => panic!("{other:?}"),
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let got = lowered(&columns, &names, &model, &vec![9.0; names.len()], &previous);
        same(&got, &numbers(&case["smoothed"]), 1e-6, &case);
    }
}

/// Half the ranges of Fire Boy's two root joints, along and across.
const ROOT_HALVES_M: [f64; 2] = [2.4, 2.0];
