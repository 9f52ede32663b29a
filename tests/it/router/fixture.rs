//! A router's head that anybody can check: four sums of what the dictionary found. And a daemon that has it.

use std::{fs, path::Path};

use reflexd::{
    encoder::{Embedding, Encoder, Identity, Look, Words},
    head::digest_of,
    router::SKILLS,
};
use tempfile::TempDir;

use crate::{daemon::Daemon, rig::here};

#[path = "../../../src/engine/tests/network/mod.rs"]
mod network;

/// What a skill's sum is made of: coordinates of the embedding, and what each counts. The dictionary's first classes are
/// eating, grasping, going, running and circling.
const SUMS: [&[(usize, f32)]; 4] =
    [&[(2, 8.0), (3, 4.0)], &[(4, 30.0), (3, 6.0)], &[(1, 45.0)], &[(0, 90.0)]];

/// What it answers as parameters, whatever it sees.
const PARAMS: [f32; 6] = [0.36, 0.04, 0.02, 0.05, 0.7, 1.0];

pub(super) fn embed(text: &str) -> Embedding {
    Words.embed(&Look { instruction: text, image: None }).expect("known words")
}

pub(super) fn words() -> Identity {
    Words.identity().clone()
}

fn network() -> Vec<u8> {
    let mut graph = network::Graph::new(1);
    let x = graph.input("x", &[1, 1066]);
    let mut weights = vec![0.0; 4 * 1066];
    for (skill, sum) in SUMS.iter().enumerate() {
        for (at, weight) in *sum {
            weights[skill * 1066 + at] = *weight;
        }
    }
    let weights = graph.floats(&[4, 1066], &weights);
    let bias = graph.floats(&[4], &[0.0; 4]);
    let logits = graph.node("Gemm", &[&x, &weights, &bias], &[("transB", 1)]);
    graph.output(&logits, "skill_logits", network::F32, &[1, 4]);
    let nothing = graph.floats(&[6, 1066], &[0.0; 6 * 1066]);
    let bias = graph.floats(&[6], &PARAMS);
    let params = graph.node("Gemm", &[&x, &nothing, &bias], &[("transB", 1)]);
    graph.file(&params, "params", network::F32, &[1, 6])
}

fn golden(text: &str) -> String {
    let embedding = embed(text);
    let logit = |sum: &&[(usize, f32)]| -> f32 {
        sum.iter().map(|(at, weight)| embedding[*at] * weight).sum()
    };
    let logits: Vec<f32> = SUMS.iter().map(logit).collect();
    let state = vec![0.0; 42];
    format!(
        "\n[[golden]]\ninstruction = {text:?}\nstate = {state:?}\nlogits = {logits:?}\nparams = {PARAMS:?}\ntolerance = 1e-3\n"
    )
}

/// Writes the head into a folder; the manifest's text is passed through `spoil`.
pub(super) fn head(folder: &Path, spoil: impl Fn(String) -> String) -> std::path::PathBuf {
    let onnx = network();
    let Identity { name, prompt, fingerprint } = words();
    let joints = r#"["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "gripper"]"#;
    let (mean, std) = (vec![0.0; 42], vec![100.0; 42]);
    let manifest = format!(
        r#"
schema = "reflex.router.v1"
name = "sums"
robot = "piper"
onnx = "sums.onnx"
sha256 = "{digest}"
skills = {SKILLS:?}
clip = 10.0
[encoder]
name = "{name}"
prompt = "{prompt}"
fingerprint = "{fingerprint}"
[embedding]
mean = [0.0]
std = [1.0]
[state]
hand = "arm"
mean = {mean:?}
std = {std:?}
[[state.body]]
name = "joint_position"
joints = {joints}
[[state.body]]
name = "joint_velocity"
joints = {joints}
[[state.body]]
name = "tool_position"
arm = "arm"
axes = ["x", "y", "z"]
[[state.body]]
name = "previous_action"
joints = ["gripper"]
[params]
mean = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
{one}{two}
"#,
        digest = digest_of(&onnx),
        one = golden("go find the berry and eat it"),
        two = golden("run around"),
    );
    fs::write(folder.join("sums.onnx"), onnx).expect("a temporary file");
    let file = folder.join("sums.toml");
    fs::write(&file, spoil(manifest)).expect("a temporary file");
    file
}

/// A configuration with that head, in a folder of its own; `router`: more lines of its table.
pub(super) fn config(folder: &Path, head: &Path, router: &str) -> std::path::PathBuf {
    let text = format!(
        r#"
robot = "{robot}"
backend = "loopback"
registry = "{registry}"
[loop]
period_ms = 50
lock_memory = false
[router]
head = "{head}"
objects_age_max_ms = 600000
{router}
"#,
        robot = here("config/robots/piper.toml").display(),
        registry = here("models/policy_registry.json").display(),
        head = head.display(),
    );
    let file = folder.join("daemon.toml");
    fs::write(&file, text).expect("a temporary file");
    file
}

/// A running daemon with that head, and where its configuration is.
pub(super) fn daemon(router: &str) -> (Daemon, std::path::PathBuf) {
    let folder: TempDir = tempfile::tempdir().expect("a temporary folder");
    let head = head(folder.path(), |manifest| manifest);
    let file = config(folder.path(), &head, router);
    (Daemon::start_with(&file, folder), file)
}
