//! Heads that see an embedding: which one they see, and what they say without it.

#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::{fmt::Write as _, fs, path::Path, sync::Arc};

use motion::{Ask, Nanos, RunId, State, TickIndex};
use serde_json::Value;

use super::{
    jukebox_test as jukebox,
    tests::{body, engine, says},
    *,
};
use crate::observation::embedding::{Embedding, Slot};

const FINGERPRINT: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn ask(joints: usize) -> Ask {
    let state = State::blank(joints);
    Ask::standing(RunId(1), TickIndex(1), Nanos(1), state, Joints::zeros(joints))
}

fn manifest(network: &[u8], chunk_steps: u32) -> String {
    format!(
        "schema = \"reflex.head.v1\"\nname = \"seer\"\nrobot = \"toy\"\nskill = \"pick_up\"\n\
         onnx = \"seer.onnx\"\nsha256 = \"{}\"\n\n[timing]\nperiod_ms = 50\nchunk_steps = {chunk_steps}\n\
         execute_steps = {chunk_steps}\nmode = \"inline\"\ndeadline_ms = 40.0\n\n[seam]\nmethod = \"cut\"\n\n\
         [encoder]\nname = \"words\"\nprompt = \"{{instruction}}\"\nfingerprint = \"{FINGERPRINT}\"\n\n",
        file::sha256(network)
    )
}

/// Four numbers of an embedding, one of the decision; the answer is ten times the sum of the former, and the latter.
const SEES: &str = "[[inputs]]\ntensor = \"vl\"\n[[inputs.features]]\nname = \"embedding\"\nwidth = 4\nmean = [1.0]\n\
    std = [2.0]\nclip = 3.0\n[[inputs]]\ntensor = \"state\"\n[[inputs.features]]\nname = \"decision\"\n\
    params = [\"target_x\"]\nmean = [0.0]\nstd = [1.0]\n[output]\ntensor = \"action\"\n[[output.columns]]\n\
    representation = \"joint_absolute\"\njoints = [\"a\"]\n[[golden]]\nobservation = [1.0, 1.0, 1.0, 3.0, 0.5]\n\
    action = [[10.5]]\ntolerance = 1e-5\n";

fn written(folder: &Path, change: (&str, &str)) -> Result<Head, HeadError> {
    let network = jukebox::sum(4, 1);
    fs::write(folder.join("seer.onnx"), &network).expect("a file");
    let text = manifest(&network, 1) + SEES;
    assert!(text.contains(change.0), "{text}");
    fs::write(folder.join("seer.toml"), text.replace(change.0, change.1)).expect("a file");
    Head::load(&folder.join("seer.toml"), &body("toy", &["a"]), engine())
}

fn slot(numbers: &[f32]) -> Arc<Slot> {
    Slot::holding(Embedding { numbers: numbers.into(), at_ns: 1 })
}

#[test]
fn the_newest_embedding_is_seen_and_a_number_at_its_clip_is_told_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut head = written(folder.path(), ("seer", "seer")).unwrap_or_else(|e| panic!("{e}"));
    let mut context = Context::of(Params { target_x: 0.5, ..Params::default() });
    let mut chunk = tests::blank_chunk();
    let mut answer = |context: &mut Context| {
        head.infer_in(&ask(1), context, false, &mut chunk)?;
        Ok(chunk.step(0).expect("a step")[0])
    };
    let missing = answer(&mut context).expect_err("none has come");
    says(&missing, "bad_observation", &["no embedding", "`words`"]);
    context.embedding = Some(slot(&[1.0; 3]));
    let narrow = answer(&mut context).expect_err("three numbers");
    says(&narrow, "bad_observation", &["3 numbers", "4"]);
    let place = slot(&[1.0, 1.0, 3.0, 1.0]);
    context.embedding = Some(Arc::clone(&place));
    assert_eq!(answer(&mut context).ok(), Some(10.5));
    assert_eq!(context.clipped, Clipped::default());
    place.put(Embedding { numbers: [1.0, 1.0, 1.0, -99.0].into(), at_ns: 2 });
    assert_eq!(answer(&mut context).ok(), Some(-29.5), "three deviations, and no more");
    assert_eq!(context.clipped, Clipped { numbers: 1, first: 3 });
}

#[test]
fn an_embedding_without_its_encoder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = format!(
        "[encoder]\nname = \"words\"\nprompt = \"{{instruction}}\"\nfingerprint = \"{FINGERPRINT}\"\n"
    );
    for (from, to, words) in [
        (table.as_str(), "", &["encoder", "add [encoder]"][..]),
        (FINGERPRINT, "0011", &["encoder.fingerprint", "64 hex"]),
        ("prompt = \"{instruction}\"", "prompt = \" \"", &["encoder.prompt"]),
        ("width = 4\n", "", &["inputs[0].features[0].width", "needs it"]),
        ("width = 4\n", "width = 0\n", &["features[0].width", "1 to"]),
        ("mean = [1.0]", "mean = [1.0, 2.0]", &["features[0].mean", "4 numbers"]),
        (
            "params = [\"target_x\"]",
            "params = [\"target_x\"]\nwidth = 1",
            &["features[0].width", "only embedding"],
        ),
        (
            "name = \"embedding\"\nwidth = 4\nmean = [1.0]\nstd = [2.0]",
            "name = \"constant\"\nvalues = [1.0, 1.0, 1.0, 1.0]\nmean = [1.0, 1.0, 1.0, 1.0]\nstd = [2.0, 2.0, 2.0, 2.0]",
            &["encoder", "leave it out"],
        ),
    ] {
        let error = written(folder.path(), (from, to)).expect_err(to);
        says(&error, "bad_value", words);
    }
}

/// The residual head as the Fire Boy project publishes it, with random weights: its own code's chunks.
#[test]
fn the_published_residual_head_answers_as_its_own_code_does() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/actions/vectors");
    let Ok(network) = fs::read(vectors.join("heads/residual_synthetic.onnx")) else {
        eprintln!("skipped: ../shared is not there");
        return;
    };
    let cases = fs::read_to_string(vectors.join("head_residual.json")).expect("beside it");
    let cases: Value = serde_json::from_str(&cases).expect("JSON");
    let cases = cases["cases"].as_array().expect("cases");
    assert!(cases.len() > 5);
    let numbers = |value: &Value| -> Vec<f64> {
        value
            .as_array()
            .expect("a list")
            .iter()
            .map(|number| number.as_f64().expect("one"))
            .collect()
    };
    let rows = |case: &Value| -> Vec<Vec<f64>> {
        case["action_chunk"].as_array().expect("rows").iter().map(numbers).collect()
    };
    let joints: Vec<String> = (0..32).map(|at| format!("j{at}")).collect();
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("seer.onnx"), &network).expect("a file");
    let names: Vec<&str> = joints.iter().map(String::as_str).collect();
    let toy = body("toy", &names);
    for case in cases {
        // What it sees of the robot is arbitrary in the cases: here it is constant.
        let (vl, state) = (numbers(&case["vl"]), numbers(&case["state"]));
        let mut text = manifest(&network, 10);
        let _ = write!(
            text,
            "[[inputs]]\ntensor = \"vl\"\n[[inputs.features]]\nname = \"embedding\"\nwidth = 1024\nmean = [0.0]\n\
             std = [1.0]\n[[inputs]]\ntensor = \"state\"\n[[inputs.features]]\nname = \"constant\"\nvalues = {state:?}\n\
             mean = {:?}\nstd = {:?}\n[output]\ntensor = \"action_chunk\"\n[[output.columns]]\n\
             representation = \"joint_absolute\"\njoints = {joints:?}\n",
            [0.0; 27], [1.0; 27]
        );
        for golden in cases {
            let all: Vec<f64> = [numbers(&golden["vl"]), numbers(&golden["state"])].concat();
            let action = rows(golden);
            let _ = write!(
                text,
                "[[golden]]\nobservation = {all:?}\naction = {action:?}\ntolerance = 1e-5\n"
            );
        }
        let path = folder.path().join("seer.toml");
        fs::write(&path, text).expect("a file");
        let mut head = Head::load(&path, &toy, engine()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(head.proof().goldens, cases.len());
        let mut context = Context::of(Params::default());
        let vl: Vec<f32> = vl.iter().map(|number| *number as f32).collect();
        context.embedding = Some(slot(&vl));
        let mut chunk =
            Chunk::empty(ChunkId(1), RunId(1), head.digest(), TickIndex(1), joints.len());
        head.infer_in(&ask(joints.len()), &mut context, false, &mut chunk)
            .unwrap_or_else(|error| panic!("{error}"));
        for (step, wanted) in rows(case).iter().enumerate() {
            let got = chunk.step(step).expect("a step");
            for (got, wanted) in got.iter().zip(wanted) {
                assert!((got - wanted).abs() < 1e-5, "step {step}: {got}, not {wanted}");
            }
        }
    }
}
