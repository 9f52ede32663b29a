//! Real networks on the real engine: what is sound loads, and each way to be broken is refused by its own name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use motion::{ChunkId, Joints, Nanos, Seam, State};

use super::*;
use crate::{action::tool_test::gantry, inference};

pub(super) const ROBOT: [&str; 3] = ["base", "shoulder", "gripper"];

/// A robot without an arm. Its limits are looked at by none of these heads.
pub(super) fn body(name: &str, joints: &[&str]) -> Body {
    let joints: Vec<String> = joints.iter().map(|joint| (*joint).to_owned()).collect();
    Body { name: name.to_owned(), joints, limits: Vec::new(), arms: Vec::new() }
}

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/heads").join(name)
}

pub(super) fn engine() -> &'static Engine {
    let library = inference::find_library().expect("run `make setup` first");
    Engine::start(&library).expect("the engine starts")
}

pub(super) fn load(path: &Path) -> Result<Head, HeadError> {
    Head::load(path, &body("toy", &ROBOT), engine())
}

/// A sound head in a folder of its own, its manifest changed; both texts have to be there for the test to mean anything.
pub(super) struct Changed {
    folder: tempfile::TempDir,
    name: &'static str,
}

impl Changed {
    pub(super) fn new(from: &str, to: &str) -> Self {
        Self::of("good", from, to)
    }

    fn of(name: &'static str, from: &str, to: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (toml, onnx) = (format!("{name}.toml"), format!("{name}.onnx"));
        let manifest = fs::read_to_string(fixture(&toml)).expect("a manifest");
        assert!(manifest.contains(from), "`{from}` is not in {toml}");
        fs::write(folder.path().join(toml), manifest.replacen(from, to, 1)).expect("a file");
        fs::copy(fixture(&onnx), folder.path().join(onnx)).expect("a copy");
        Self { folder, name }
    }

    /// Changes the manifest further.
    pub(super) fn also(&self, changes: &[(&str, &str)]) {
        let mut manifest = fs::read_to_string(self.path()).expect("a manifest");
        for (from, to) in changes {
            assert!(manifest.contains(from), "`{from}` is not in the manifest");
            manifest = manifest.replacen(from, to, 1);
        }
        fs::write(self.path(), manifest).expect("a file");
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join(self.name).with_extension("toml")
    }
}

/// The manifest so changed is refused with this code, in words that contain all of these.
#[track_caller]
pub(super) fn refused(from: &str, to: &str, code: &str, words: &[&str]) {
    let changed = Changed::new(from, to);
    says(&load(&changed.path()).expect_err(to), code, words);
}

#[track_caller]
pub(super) fn says(error: &HeadError, code: &str, words: &[&str]) {
    assert_eq!(error.code(), code, "{error}");
    let text = error.to_string();
    for word in words.iter().copied().chain([".toml"]) {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

pub(super) fn ask(raw: &[f64]) -> (Ask, Params) {
    let mut state = State::blank(3);
    state.position = Joints::from_slice(&raw[..3]).expect("three joints");
    let mut last_command = Joints::zeros(3);
    (last_command[2], last_command[0]) = (raw[3], raw[4]);
    let ask = Ask::standing(RunId(7), TickIndex(42), Nanos(0), state, last_command);
    let params = Params {
        target_x: raw[5],
        target_y: raw[6],
        object_is_berry: raw[7] > 0.5,
        ..Params::default()
    };
    (ask, params)
}

pub(super) fn blank_chunk() -> Chunk {
    Chunk::empty(ChunkId(9), RunId(0), HeadDigest(0), TickIndex(0), 0)
}

#[test]
fn a_sound_head_loads_and_proves_itself() {
    let head = load(&fixture("good.toml")).expect("it is sound");
    let proof = head.proof();
    assert_eq!(proof.goldens, 3);
    assert!(proof.worst_error <= 1e-5 && proof.worst_error > 0.0, "{proof:?}");
    assert_eq!(proof.warm_up_runs, 20);
    assert_eq!(proof.tolerance, 1e-5);
    assert!(proof.median_run <= proof.slowest_run);
    assert_eq!(format!("{:016x}", head.digest().0), head.manifest().sha256[..16]);
    assert_eq!(head.manifest().period_ns(), 50_000_000);
    let plan = head.manifest().plan(head.digest(), 100);
    assert_eq!((plan.execute, plan.lead, plan.deadline_ns), (3, 0, 10_000_000));
    assert_eq!((plan.seam, plan.ticks_max), (Seam::Fade { ticks: 2 }, 100));
}

#[test]
fn an_ask_is_answered_with_the_golden_action_in_the_robots_order() {
    let mut head = load(&fixture("good.toml")).expect("it is sound");
    for golden in head.manifest().golden.clone() {
        let (ask, params) = ask(&golden.observation);
        let mut chunk = blank_chunk();
        head.infer(&ask, &params, &mut chunk).expect("it answers");
        assert_eq!((chunk.id, chunk.run, chunk.observed), (ChunkId(9), RunId(7), TickIndex(42)));
        assert_eq!((chunk.head, chunk.len(), chunk.joints()), (head.digest(), 4, 3));
        for (step, row) in golden.action.iter().enumerate() {
            let got = chunk.step(step).expect("the step is there");
            let [gripper, base, shoulder] = row[..] else { panic!("three joints") };
            for (got, wanted) in got.iter().zip([base, shoulder, gripper]) {
                assert!((got - wanted).abs() < 1e-5, "{got} {wanted}");
            }
        }
    }
}

#[test]
fn the_same_ask_has_the_same_answer_to_the_bit() {
    let mut head = load(&fixture("good.toml")).expect("it is sound");
    let mut again = load(&fixture("good.toml")).expect("it is sound");
    let (ask, params) = ask(&[0.1, 0.2, 0.03, 0.0, 0.1, 0.3, 0.1, 1.0]);
    let (mut a, mut b, mut c) = (blank_chunk(), blank_chunk(), blank_chunk());
    head.infer(&ask, &params, &mut a).expect("it answers");
    head.infer(&ask, &params, &mut b).expect("it answers");
    again.infer(&ask, &params, &mut c).expect("it answers");
    for step in 0..a.len() {
        assert_eq!(a.step(step), b.step(step));
        assert_eq!(a.step(step), c.step(step));
    }
}

#[test]
fn a_head_answers_on_another_thread() {
    let mut head = load(&fixture("good.toml")).expect("it is sound");
    let answer = std::thread::spawn(move || {
        let (ask, params) = ask(&[0.0; 8]);
        let mut chunk = blank_chunk();
        head.infer(&ask, &params, &mut chunk).map(|()| chunk.len())
    });
    assert_eq!(answer.join().expect("no panic").expect("it answers"), 4);
}

#[test]
fn a_state_that_is_not_finite_is_not_shown_to_the_network() {
    let mut head = load(&fixture("good.toml")).expect("it is sound");
    let (mut ask, params) = ask(&[0.0; 8]);
    ask.state.position[1] = f64::NAN;
    let mut chunk = blank_chunk();
    let error = head.infer(&ask, &params, &mut chunk).expect_err("a NaN");
    assert_eq!(error.code(), "bad_observation");
    assert!(error.to_string().contains("joint_position.shoulder is NaN"), "{error}");
    assert!(chunk.is_empty());
}

#[test]
fn a_missing_file_is_refused() {
    let error = load(&fixture("absent.toml")).expect_err("no manifest");
    assert_eq!(error.code(), "file_unreadable");
    refused(
        "onnx = \"good.onnx\"",
        "onnx = \"gone.onnx\"",
        "file_unreadable",
        &["onnx", "gone.onnx"],
    );
}

#[test]
fn a_network_that_is_not_the_manifests_is_refused() {
    let changed = Changed::new("clip", "clip");
    let onnx = changed.folder.path().join("good.onnx");
    let mut bytes = fs::read(&onnx).expect("a network");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&onnx, bytes).expect("a file");
    let error = load(&changed.path()).expect_err("one bit");
    assert_eq!(error.code(), "wrong_digest");
    assert!(error.to_string().contains("sha256"), "{error}");
}

#[test]
fn what_is_no_manifest_is_refused() {
    refused("[seam]", "[seam", "not_a_manifest", &[]);
    refused("robot = \"toy\"", "robot = \"toy\"\nrobbot = 1", "not_a_manifest", &["robbot"]);
    refused("ticks = 2", "ticks = 2\nspeed = 1", "not_a_manifest", &["speed"]);
    refused("clip = 5.0", "clip = 5.0\nclap = 1", "not_a_manifest", &["clap"]);
    refused("skill = \"pick_up\"\n", "", "not_a_manifest", &["skill"]);
    refused("chunk_steps = 4", "chunk_steps = -4", "not_a_manifest", &["chunk_steps"]);
    refused("mode = \"inline\"", "mode = \"later\"", "not_a_manifest", &["later"]);
    refused("name = \"decision\"", "name = \"wish\"", "not_a_manifest", &["wish"]);
    refused("\"joint_range\"", "\"joint_absolute\"", "not_a_manifest", &["max", "`joints`"]);
    refused("\"joint_range\"", "\"joint_wish\"", "not_a_manifest", &["joint_wish"]);
    refused("min = [0.0, -2.5, -0.5]", "", "not_a_manifest", &["min"]);
    refused("[[output.columns]]", "[[output.rows]]", "not_a_manifest", &["rows"]);
    let changed = Changed::new("clip", "clip");
    fs::write(changed.path(), b"schema = \"\xff\"").expect("a file");
    assert_eq!(load(&changed.path()).expect_err("no UTF-8").code(), "not_a_manifest");
    fs::write(changed.path(), vec![b'#'; 5 << 20]).expect("a file");
    assert_eq!(load(&changed.path()).expect_err("5 MiB").code(), "file_unreadable");
    fs::write(changed.path(), format!("a = {}", "[".repeat(100_000))).expect("a file");
    assert_eq!(load(&changed.path()).expect_err("deep").code(), "not_a_manifest");
}

#[test]
fn a_value_that_makes_no_sense_is_refused_with_key_value_and_remedy() {
    for (from, to, words) in [
        ("reflex.head.v1", "reflex.head.v9", &["schema", "v9", "reflex.head.v1"][..]),
        ("name = \"good\"", "name = \" \"", &["name"]),
        ("onnx = \"good.onnx\"", "onnx = \"/good.onnx\"", &["onnx", "relative"]),
        ("sha256 = \"", "sha256 = \"zz", &["sha256", "64 hex"]),
        ("period_ms = 50", "period_ms = 0", &["timing.period_ms"]),
        ("period_ms = 50", "period_ms = nan", &["timing.period_ms", "NaN"]),
        ("chunk_steps = 4", "chunk_steps = 65", &["timing.chunk_steps", "65", "64"]),
        ("chunk_steps = 4", "chunk_steps = 0", &["timing.chunk_steps"]),
        ("chunk_steps = 4", "chunk_steps = 3", &["golden[0].action", "timing.chunk_steps"]),
        ("execute_steps = 3", "execute_steps = 5", &["timing.execute_steps", "5", "1 to 4"]),
        ("execute_steps = 3", "execute_steps = 0", &["timing.execute_steps"]),
        ("mode = \"inline\"", "mode = \"prefetch\"", &["timing.prefetch_ticks", "at least 1"]),
        ("mode = \"inline\"", "mode = \"inline\"\nprefetch_ticks = 1", &["timing.prefetch_ticks"]),
        ("deadline_ms = 10.0", "deadline_ms = 50.0", &["timing.deadline_ms", "50"]),
        ("deadline_ms = 10.0", "deadline_ms = inf", &["timing.deadline_ms"]),
        ("ticks = 2", "ticks = 0", &["seam.ticks"]),
        ("ticks = 2", "", &["seam.ticks"]),
        ("method = \"fade\"", "method = \"cut\"", &["seam.ticks", "leave it out"]),
        ("tensor = \"observation\"", "tensor = \"\"", &["inputs[0].tensor"]),
        (
            "mean = [0.0, 1.2, 0.02]",
            "mean = [0.0, 1.2]",
            &["inputs[0].features[0].mean", "3 joints"],
        ),
        (
            "std = [0.8, 0.5, 0.01]",
            "std = [0.8, 0.0, 0.01]",
            &["inputs[0].features[0].std", "above 0"],
        ),
        (
            "std = [0.8, 0.5, 0.01]",
            "std = [0.8, inf, 0.01]",
            &["inputs[0].features[0].std[1]", "inf"],
        ),
        ("clip = 5.0", "clip = 0.0", &["inputs[0].features[0].clip"]),
        ("clip = 5.0", "clip = inf", &["inputs[0].features[0].clip"]),
        (
            "[\"gripper\", \"base\"]",
            "[\"base\", \"base\"]",
            &["inputs[0].features[1].joints", "once"],
        ),
        (
            "name = \"previous_action\"",
            "name = \"joint_position\"",
            &["inputs[0].features[1].joints"],
        ),
        ("params = [", "joints = [\"base\"]\nparams = [", &["inputs[0].features[2].joints"]),
        (
            "\"target_y\"",
            "\"target_w\"",
            &["inputs[0].features[2].params", "target_w", "speed_hint"],
        ),
        ("[\"gripper\", \"base\"]", "[\"gripper\", \"wrist\"]", &["features[1].joints", "wrist"]),
        ("\"previous_action\"", "\"previous_action\"\narm = \"arm\"", &["features[1].arm", "arm"]),
        ("\"previous_action\"", "\"previous_action\"\nof = \"measured\"", &["features[1].of"]),
        ("\"previous_action\"", "\"tool_position\"", &["features[1].joints", "axes"]),
        (
            "\"previous_action\"\njoints = [\"gripper\", \"base\"]",
            "\"tool_position\"\naxes = [\"x\", \"w\"]\narm = \"leg\"",
            &["features[1].axes", "w", "\"z\""],
        ),
        (
            "\"previous_action\"\njoints = [\"gripper\", \"base\"]",
            "\"tool_position\"\naxes = [\"x\", \"y\"]\narm = \"leg\"",
            &["features[1].arm", "leg", "has the arms"],
        ),
        ("\"shoulder\"]\nmin", "\"base\"]\nmin", &["output.columns[0].joints", "once"]),
        ("\"shoulder\"]\nmin", "\"wrist\"]\nmin", &["output.columns[0].joints", "wrist", "base"]),
        ("min = [0.0, -2.5, -0.5]", "min = []", &["output.columns[0].min", "3 columns"]),
        ("min = [0.0, -2.5", "min = [0.0, 2.5", &["output.columns[0].min[1]", "2.5", "below"]),
        ("max = [0.035, 2.5", "max = [0.035, nan", &["output.columns[0].max[1]", "NaN"]),
        ("[provenance]", "[provenance]\ndataset = \"\"", &["provenance.dataset", "leave it out"]),
        ("tolerance = 1e-5", "tolerance = 0.0", &["golden[0].tolerance"]),
        ("tolerance = 1e-5", "tolerance = 0.5", &["golden[0].tolerance", "0.5", "0.01"]),
        ("observation = [0.1, ", "observation = [", &["golden[0].observation", "8 numbers"]),
        ("observation = [0.1, ", "observation = [nan, ", &["golden[0].observation[0]", "NaN"]),
    ] {
        refused(from, to, "bad_value", words);
    }
}

#[test]
fn without_a_golden_vector_nothing_is_proved() {
    let text = fs::read_to_string(fixture("good.toml")).expect("a manifest");
    let changed = Changed::new("clip", "clip");
    let end = text.find("[[golden]]").expect("a golden");
    fs::write(changed.path(), &text[..end]).expect("a file");
    let error = load(&changed.path()).expect_err("no golden");
    assert!(error.to_string().contains("golden"), "{error}");
    assert_eq!(error.code(), "bad_value");
}

#[test]
fn a_prefetched_head_is_asked_ahead() {
    let to = "mode = \"prefetch\"\nprefetch_ticks = 2";
    let changed = Changed::new("mode = \"inline\"", to);
    let manifest = Manifest::load(&changed.path()).expect("it is sound");
    assert_eq!(manifest.plan(HeadDigest(0), 1).lead, 2);
}

#[test]
fn another_robots_head_is_refused() {
    let piper = body("piper", &ROBOT);
    let error = Head::load(&fixture("good.toml"), &piper, engine()).expect_err("a toy's");
    assert_eq!(error.code(), "other_robot");
    let four = body("toy", &["base", "shoulder", "gripper", "wrist"]);
    let error = Head::load(&fixture("good.toml"), &four, engine()).expect_err("a joint more");
    assert_eq!(error.code(), "bad_value");
    assert!(error.to_string().contains("no column drives [\"wrist\"]"), "{error}");
}

#[test]
fn a_golden_action_that_this_engine_does_not_give_is_refused_where_it_differs() {
    let text = fs::read_to_string(fixture("good.toml")).expect("a manifest");
    let golden = Manifest::load(&fixture("good.toml")).expect("it is sound").golden[1].action[2][1];
    let (from, to) = (format!("{golden}"), format!("{}", golden + 2e-5));
    assert_eq!(text.matches(&from).count(), 1);
    refused(
        &from,
        &to,
        "golden_mismatch",
        &["golden[1].action[2]", "column `base`", &to, "tolerance"],
    );
    // A normalisation that is not the one of the training shows in the same way.
    refused("clip = 5.0", "clip = 0.5", "golden_mismatch", &["golden[0]"]);
}

#[test]
fn a_network_of_another_kind_is_refused() {
    for (name, code, words) in [
        ("double.toml", "wrong_tensor", &["inputs[0].tensor", "f32", "f64"][..]),
        ("other_name.toml", "wrong_tensor", &["output.tensor", "`action`", "`actions`"]),
        ("long.toml", "wrong_shape", &["output.tensor", "[1, 4, 3]", "[1, 5, 3]"]),
        ("nan.toml", "non_finite_output", &["NaN"]),
        ("external.toml", "engine", &["external.onnx"]),
    ] {
        let error = load(&fixture(name)).expect_err(name);
        assert_eq!(error.code(), code, "{error}");
        for word in words.iter().copied().chain([name]) {
            assert!(error.to_string().contains(word), "no `{word}` in: {error}");
        }
    }
}

#[test]
fn a_network_with_a_free_batch_is_run_with_one() {
    let head = load(&fixture("free_batch.toml")).expect("one is a batch");
    assert!(head.proof().goldens > 0);
}

#[test]
fn a_file_that_is_no_network_is_refused() {
    use sha2::Digest as _;
    for bytes in [&b""[..], b"no network", &[0xff; 4096]] {
        let digest: [u8; 32] = sha2::Sha256::digest(bytes).into();
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let manifest = Manifest::load(&fixture("good.toml")).expect("it is sound");
        let changed = Changed::new(&manifest.sha256, &digest);
        fs::write(changed.folder.path().join("good.onnx"), bytes).expect("a file");
        assert_eq!(load(&changed.path()).expect_err("no network").code(), "engine");
    }
}

fn load_tool(changed: Option<&Changed>) -> Result<Head, HeadError> {
    let path = changed.map_or_else(|| fixture("tool.toml"), Changed::path);
    Head::load(&path, &gantry(), engine())
}

/// The gantry, measured at `raw` and commanded at `commanded`.
fn gantry_ask(raw: &[f64], commanded: &[f64]) -> (Ask, Params) {
    let mut state = State::blank(7);
    state.position[..4].copy_from_slice(&raw[..4]);
    let commanded = Joints::from_slice(commanded).expect("seven joints");
    let ask = Ask::standing(RunId(7), TickIndex(42), Nanos(0), state, commanded);
    (ask, Params { target_x: raw[4], target_y: raw[5], ..Params::default() })
}

#[test]
fn a_head_that_moves_a_tool_is_proved_and_answers_in_joints() {
    use nalgebra::{UnitQuaternion, Vector3};

    let mut head = load_tool(None).expect("it is sound");
    assert_eq!(head.proof().goldens, 2);
    assert!(head.proof().worst_error <= 1e-5 && head.proof().worst_error > 0.0);
    for golden in head.manifest().golden.clone() {
        let raw = &golden.observation;
        // The command leads what is measured, as it does in motion: displacements start from what is measured.
        let mut commanded = [raw[0] + 0.03, raw[1], raw[2], raw[3], 0.0, 0.0, 0.02];
        let (ask, params) = gantry_ask(raw, &commanded);
        let mut chunk = blank_chunk();
        head.infer(&ask, &params, &mut chunk).expect("it answers");
        assert_eq!((chunk.len(), chunk.joints()), (4, 7));
        commanded[0] = raw[0];
        let mut at = Vector3::from_column_slice(&commanded[..3]);
        let mut turned = UnitQuaternion::from_euler_angles(0.0, 0.0, raw[3]);
        for (step, row) in golden.action.iter().enumerate() {
            at += Vector3::from_column_slice(&row[1..4]);
            turned =
                UnitQuaternion::from_scaled_axis(Vector3::from_column_slice(&row[4..])) * turned;
            let got = chunk.step(step).expect("the step is there");
            let (roll, pitch, yaw) = turned.euler_angles();
            for (got, wanted) in got.iter().zip([at.x, at.y, at.z, yaw, pitch, roll, row[0]]) {
                assert!((got - wanted).abs() < 1e-4, "step {step}: {got:?}, {wanted}");
            }
        }
    }
}

#[test]
fn a_pose_that_the_arm_does_not_reach_refuses_the_whole_chunk() {
    let mut head = load_tool(None).expect("it is sound");
    let mut refusals = 0;
    // In each corner of its space some displacement leads out of it.
    for corner in 0..8 {
        let [x, y, z] = [1, 2, 4].map(|bit| if corner & bit == 0 { 1.0 } else { -1.0 });
        let at = [x, y, z, 0.0, 0.0, 0.0, 0.02];
        let (ask, params) = gantry_ask(&[x, y, z, 0.0, 0.0, 0.0], &at);
        let mut chunk = blank_chunk();
        if let Err(error) = head.infer(&ask, &params, &mut chunk) {
            says(&error, "pose_refused", &["output.columns", "step ", "arm `tool`"]);
            assert_eq!((chunk.len(), chunk.run), (0, RunId(7)), "half a chunk is no chunk");
            refusals += 1;
        }
    }
    assert!(refusals > 0);
}

#[test]
fn a_tool_that_yields_goes_on_where_the_other_is_refused() {
    let changed = Changed::of("tool", "rotation_vector\"", "rotation_vector\"\nyields = \"time\"");
    let mut head = load_tool(Some(&changed)).expect("it is sound");
    for corner in 0..8 {
        let [x, y, z] = [1, 2, 4].map(|bit| if corner & bit == 0 { 1.0 } else { -1.0 });
        let (ask, params) = gantry_ask(&[x, y, z, 0.0, 0.0, 0.0], &[x, y, z, 0.0, 0.0, 0.0, 0.02]);
        let mut chunk = blank_chunk();
        head.infer(&ask, &params, &mut chunk).expect("it yields");
        let steps = (0..4).filter_map(|step| chunk.step(step));
        assert!(steps.flat_map(|step| [step[0], step[1], step[2]]).all(|m| m.abs() <= 1.0));
        assert_eq!(chunk.len(), 4);
    }
}

#[test]
fn a_pose_in_a_manifest_that_makes_no_sense_is_refused_with_key_value_and_remedy() {
    for (from, to, code, words) in [
        (
            "arm = \"tool\"",
            "arm = \"left\"",
            "bad_value",
            &["columns[1].arm", "left", "[\"tool\"]"][..],
        ),
        ("arm = \"tool\"", "arm = \"\"", "bad_value", &["columns[1].arm"]),
        ("rotation_vector", "rotation_9d", "not_a_manifest", &["rotation_9d", "roll_pitch_yaw"]),
        ("rotation_vector", "quaternion_xyzw", "bad_value", &["columns[1].min", "7 columns"]),
        ("frame = \"base\", ", "", "not_a_manifest", &["frame"]),
        ("\"measured\"", "\"guessed\"", "not_a_manifest", &["guessed", "commanded"]),
        ("\"cumulative\"", "\"cumulative\", x = 1", "not_a_manifest", &["x"]),
        ("min = [-0.02,", "min = [0.02,", "bad_value", &["columns[1].min[0]", "0.02", "below"]),
        (
            "min = [-0.02,",
            "yields = \"time\"\ntolerance_m = 0.01\nmin = [-0.02,",
            "bad_value",
            &["columns[1].tolerance_m", "yields", "leave it out"],
        ),
        (
            "min = [-0.02,",
            "yields = \"force\"\nmin = [-0.02,",
            "not_a_manifest",
            &["force", "time"],
        ),
        (
            "min = [-0.02,",
            "tolerance_m = 0.1\nmin = [-0.02,",
            "bad_value",
            &["tolerance_m", "0.05"],
        ),
        (
            "min = [-0.02,",
            "tolerance_rad = nan\nmin = [-0.02,",
            "bad_value",
            &["tolerance_rad", "NaN"],
        ),
        (
            "joints = [\"gripper\"]",
            "joints = [\"x\"]",
            "bad_value",
            &["columns[1]", "`x`", "twice"],
        ),
        ("max = [0.02, 0.02", "max = [0.02, 0.03", "golden_mismatch", &["golden[0]", "tool.y"]),
    ] {
        let changed = Changed::of("tool", from, to);
        says(&load_tool(Some(&changed)).expect_err(to), code, words);
    }
}

#[test]
fn where_a_head_runs_is_its_manifests_word_and_then_the_configurations() {
    use crate::inference::{Placement, Precision, Provider};

    let head = load(&fixture("good.toml")).expect("it is sound");
    assert!(head.runs_on().starts_with("dense layers, fp32"), "{}", head.runs_on());
    let onnx = Placement { provider: Provider::OnnxRuntime, ..Placement::default() };
    let toy = body("toy", &ROBOT);
    let head = Head::load(&fixture("good.toml"), &toy, engine().placed(onnx)).expect("it is sound");
    assert_eq!((head.runs_on(), head.fell_back()), ("ONNX Runtime, CPU", None));
    let changed = Changed::new("[seam]", "[engine]\nprovider = \"cuda\"\n\n[seam]");
    says(&load(&changed.path()).expect_err("no GPU"), "engine", &["engine = \"cuda\"", "fallback"]);
    let int8 = Placement { precision: Precision::Int8, ..Placement::default() };
    let changed = Changed::new("[seam]", "[engine]\nprecision = \"fp32\"\n\n[seam]");
    let head = Head::load(&changed.path(), &toy, engine().placed(int8)).expect("it is sound");
    assert!(head.runs_on().contains("fp32"), "{}", head.runs_on());
}
