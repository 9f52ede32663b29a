//! The policy registry as a file: `reflexd registry` says what is missing or wrong, and pins what was trained.

use std::{fs, path::PathBuf};

use reflexd::skill::registry::{self, EvaluationRecord, RegistryFile};
use serde_json::Value;
use tempfile::TempDir;

use crate::{daemon::run, rig::here};

/// The registry and its heads, to be spoiled.
pub(crate) struct Models(pub(crate) TempDir);

impl Models {
    /// With a record of every head, so that nothing here depends on how well the shipped ones do.
    pub(crate) fn copy() -> Self {
        let models = Self::as_shipped();
        let file = RegistryFile::load(&models.registry()).expect("shipped");
        for (skill, robot, _, policy) in file.policies() {
            let Some(onnx_sha256) = policy.onnx_sha256.clone() else { continue };
            let (conditions, command) = ("as it was".into(), "reflexd eval".into());
            let record = EvaluationRecord {
                episodes: 200,
                successes: 200,
                conditions,
                command,
                onnx_sha256,
            };
            let of = [skill, robot, &policy.name];
            registry::record(&models.registry(), of, &record).expect("a temporary file");
        }
        models
    }

    fn as_shipped() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("heads")).expect("a temporary folder");
        for entry in fs::read_dir(here("models/heads")).expect("shipped") {
            let path = entry.expect("readable").path();
            let name = path.file_name().expect("a file");
            fs::copy(&path, folder.path().join("heads").join(name)).expect("a copy");
        }
        let registry = "policy_registry.json";
        fs::copy(here("models").join(registry), folder.path().join(registry)).expect("a copy");
        Self(folder)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    pub(crate) fn registry(&self) -> PathBuf {
        self.path("policy_registry.json")
    }

    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).expect("a shipped file");
        assert!(text.contains(from), "{file} has no {from:?} any more: nothing was spoiled");
        fs::write(self.path(file), text.replacen(from, to, 1)).expect("a temporary file");
    }

    /// The exit code, and what was found.
    fn validate(&self) -> (Option<i32>, Value) {
        let file = self.registry();
        let file = file.to_str().expect("UTF-8");
        let done = run(&["registry", "validate", file, "--json"]);
        let found = serde_json::from_slice(&done.stdout);
        (done.status.code(), found.unwrap_or_else(|error| panic!("{error}: {done:?}")))
    }

    fn pin(&self) -> String {
        let file = self.registry();
        let done = run(&["registry", "pin", file.to_str().expect("UTF-8")]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}

const HEAD: &str = "heads/piper_pick_up.toml";
const REGISTRY: &str = "policy_registry.json";

#[test]
fn the_shipped_registry_is_what_it_says() {
    let done = run(&["registry", "validate"]);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(told.contains("missing 0, wrong 0"), "{told}");
    let shown = run(&["registry", "show"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("pick_up") && shown.contains("reach_to"), "{shown}");
    let json = run(&["registry", "show", "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["aliases"]["reach_to"], "walk_to");
}

#[test]
fn the_shipped_registry_is_laid_out_as_pin_writes_it() {
    let models = Models::as_shipped();
    models.replace(REGISTRY, "\"onnx_sha256\": \"", "\"onnx_sha256\": \"\",\n\"note\": \"");
    models.replace(REGISTRY, "\"onnx_sha256\": \"\",\n", "");
    let spoiled = fs::read_to_string(models.registry()).expect("there");
    assert!(models.pin().contains("onnx_sha256"), "the digest was absent");
    let pinned = fs::read_to_string(models.registry()).expect("there");
    let without = |text: &str| {
        let lines =
            text.lines().filter(|line| !line.contains("\"note\"") && !line.contains("onnx_sha256"));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_ne!(spoiled, pinned);
    let shipped = fs::read_to_string(here("models/policy_registry.json")).expect("shipped");
    assert_eq!(without(&pinned), without(&shipped), "nothing but the digest was touched");
    assert!(models.pin().ends_with(": 0 changed\n"), "the second time there is nothing to do");
}

#[test]
fn what_is_missing_or_wrong_is_counted_and_named() {
    let (code, sound) = Models::copy().validate();
    assert_eq!((code, &sound["missing"], &sound["wrong"]), (Some(0), &0.into(), &0.into()));
    let checked = sound["checked"].as_u64().expect("a count");
    assert!(checked > 10, "{sound}");

    let spoiled = |file: &str, from: &str, to: &str, verdict: &str, says: &[&str]| {
        let models = Models::copy();
        models.replace(file, from, to);
        let (code, found) = models.validate();
        assert_eq!(code, Some(1), "{says:?}: {found}");
        assert!(found[verdict].as_u64() > Some(0), "{verdict}: {found}");
        let told = found["findings"].to_string();
        for part in says {
            assert!(told.contains(part), "{part:?} is not in {told}");
        }
    };
    let registry = |from: &str, to: &str, verdict: &str, says: &[&str]| {
        spoiled(REGISTRY, from, to, verdict, says);
    };
    registry("piper_pick_up.toml", "nobody.toml", "missing", &["no such file", "nobody.toml"]);
    registry("\"manifest_sha256\": \"", "\"note\": \"", "missing", &["not pinned", "registry pin"]);
    registry("\"successes\": 200", "\"successes\": 100", "wrong", &["100 of 200", "0.98"]);
    registry("\"successes\": 200", "\"successes\": 201", "wrong", &["evaluation.successes"]);
    registry(
        "\"conditions\": \"a",
        "\"conditions\": \"\", \"x\": \"a",
        "wrong",
        &["unknown field"],
    );
    registry("\"grab\": \"pick_up\"", "\"grab\": \"lift\"", "wrong", &["aliases.grab", "no such"]);
    registry("[0.15, 0.55]", "[0.55, 0.15]", "wrong", &["target_x_m", "least first"]);
    registry("\"lean_max_rad\": 1.2", "\"arm\": \"left\"", "wrong", &["left", "the robot has"]);
    spoiled(HEAD, "deadline_ms = 10.0", "deadline_ms = 9.0", "wrong", &["manifest_sha256", "anew"]);
    spoiled(HEAD, "period_ms = 50", "period_ms = 20", "wrong", &["20", "50"]);
    spoiled(HEAD, "skill = \"pick_up\"", "skill = \"dance\"", "wrong", &["dance", "pick_up"]);
    spoiled(HEAD, "-0.5520942", "-0.6520942", "wrong", &["golden[0]", "-0.6520942"]);
    let gone = Models::copy();
    fs::remove_file(gone.path("heads/piper_pick_up.onnx")).expect("shipped");
    let (code, found) = gone.validate();
    assert_eq!((code, &found["missing"]), (Some(1), &1.into()), "{found}");
}

#[test]
fn after_training_the_digests_are_pinned_and_the_record_is_of_another_network_until_it_is_renewed()
{
    let models = Models::copy();
    let old = "0".repeat(64);
    let shipped = fs::read_to_string(models.registry()).expect("shipped");
    let network = shipped.split("\"onnx_sha256\": \"").nth(1).expect("it is pinned");
    let network = network[..64].to_owned();
    // As if both digests, and the record, were of an earlier network.
    fs::write(models.registry(), shipped.replace(&network, &old)).expect("a temporary file");
    let told = models.pin();
    assert!(told.contains(&old) && told.contains(&network) && told.contains("1 changed"), "{told}");
    let (code, found) = models.validate();
    assert_eq!(code, Some(1), "{found}");
    assert!(found["findings"].to_string().contains("another network was evaluated"), "{found}");

    let file = models.registry();
    let file = file.to_str().expect("UTF-8");
    let record = ["registry", "record", "pick_up", "--file", file, "--command", "again"];
    let counts = ["--episodes", "50", "--successes", "50", "--conditions", "the same"];
    let done = run(&[&record[..], &counts].concat());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let (code, found) = models.validate();
    assert_eq!(code, Some(0), "{found}");
}

#[test]
fn a_pin_that_fails_leaves_the_file_as_it_was() {
    let models = Models::copy();
    models.replace(HEAD, "[timing]", "[timing");
    let before = fs::read(models.registry()).expect("there");
    let file = models.registry();
    let done = run(&["registry", "pin", file.to_str().expect("UTF-8")]);
    assert_eq!(done.status.code(), Some(4), "{done:?}");
    assert_eq!(fs::read(models.registry()).expect("there"), before);
    let files = fs::read_dir(models.0.path()).expect("there").count();
    assert_eq!(files, 2, "nothing half-written is left");
}
