//! The policy registry as a file: `reflexd registry` says what is missing or wrong, and pins what was trained.

use std::{fs, path::PathBuf};

use reflexd::{
    head::digest_of,
    picture::{Frame, Shot, animation, contact_sheet},
    skill::registry::{self, EvaluationRecord, ProofEntry, RegistryFile},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{daemon::run, rig::here};

/// The registry, its heads and the pages that it points at, to be spoiled: a checkout in small.
pub(crate) struct Models(TempDir);

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
        for below in ["models/heads", "docs/images/gallery"] {
            let to = folder.path().join(below);
            fs::create_dir_all(&to).expect("a temporary folder");
            for entry in fs::read_dir(here(below)).into_iter().flatten() {
                let path = entry.expect("readable").path();
                let name = path.file_name().expect("a file");
                fs::copy(&path, to.join(name)).expect("a copy");
            }
        }
        for file in ["models/policy_registry.json", "docs/gallery.md"] {
            fs::copy(here(file), folder.path().join(file)).expect("a copy");
        }
        Self(folder)
    }

    /// A file beside the registry, or from there.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.path().join("models").join(file)
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
    // Its pictures are still of the earlier one, and nothing else is.
    let (_, found) = models.validate();
    let findings = found["findings"].as_array().expect("a list");
    assert!(findings.len() == 1 && findings[0].to_string().contains("another network is seen"));
    let recorded = fs::read_to_string(models.registry()).expect("there");
    fs::write(models.registry(), recorded.replace(&old, &network)).expect("a temporary file");
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
    let files = fs::read_dir(models.path("")).expect("there").count();
    assert_eq!(files, 2, "nothing half-written is left");
}

/// Pictures that the registry points at: a sheet and a film of two frames, and the page that shows them.
fn shown(models: &Models) {
    let shot = |red: u8| Shot {
        frame: Frame { width: 32, height: 24, rgb: [red, 0, 128].repeat(32 * 24) },
        caption: String::new(),
    };
    let of = |name: &str| models.path("../docs/images/gallery").join(name);
    let (sheet, film) = (of("piper_pick_up.png"), of("piper_pick_up.gif"));
    contact_sheet(&sheet, &[shot(0), shot(200)], 2).expect("a sheet");
    animation(&film, &[shot(0), shot(200)], 100).expect("a film");
    let page = "![](images/gallery/piper_pick_up.png) ![](images/gallery/piper_pick_up.gif)";
    fs::write(models.path("../docs/gallery.md"), page).expect("a page");
    let digest = |file: &PathBuf| digest_of(&fs::read(file).expect("just written"));
    let file = RegistryFile::load(&models.registry()).expect("shipped");
    let (.., policy) =
        file.policies().find(|(.., policy)| policy.name == "piper_pick_up").expect("shipped");
    let proof = ProofEntry {
        contact_sheet: "../docs/images/gallery/piper_pick_up.png".into(),
        contact_sheet_sha256: digest(&sheet),
        animation: "../docs/images/gallery/piper_pick_up.gif".into(),
        animation_sha256: digest(&film),
        gallery: "../docs/gallery.md".into(),
        command: "make gallery".into(),
        onnx_sha256: policy.onnx_sha256.clone(),
    };
    // The shipped ones are of the shipped page, and routers of files of their own: this test is about one.
    let text = fs::read_to_string(models.registry()).expect("there");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    for skill in json["skills"].as_object_mut().expect("skills").values_mut() {
        for robot in skill["robots"].as_object_mut().expect("robots").values_mut() {
            for policy in robot["policies"].as_array_mut().expect("policies") {
                policy.as_object_mut().expect("a policy").remove("proof");
            }
        }
    }
    json.as_object_mut().expect("a registry").remove("routers");
    fs::write(models.registry(), json.to_string()).expect("a temporary file");
    let of = ["pick_up", "piper", &policy.name].map(str::to_owned);
    registry::prove(&models.registry(), &[(of, proof)]).expect("a temporary file");
}

#[test]
fn pictures_are_there_whole_of_their_kind_and_of_the_pinned_network() {
    let models = Models::copy();
    shown(&models);
    let (code, found) = models.validate();
    assert_eq!(code, Some(0), "{found}");
    let policies = found["policies"].as_array().expect("policies");
    let row = |name: &str| policies.iter().find(|row| row["policy"] == name).expect("shipped");
    assert_eq!(
        (&row("piper_pick_up")["pictures"], &row("reach")["pictures"]),
        (&"good".into(), &"not_checked".into())
    );

    let spoiled = |spoil: &dyn Fn(&Models), verdict: &str, says: &[&str]| {
        let models = Models::copy();
        shown(&models);
        spoil(&models);
        let (code, found) = models.validate();
        assert_eq!(code, Some(1), "{says:?}: {found}");
        assert!(found[verdict].as_u64() > Some(0), "{verdict}: {found}");
        let told = found["findings"].to_string();
        for part in says {
            assert!(told.contains(part), "{part:?} is not in {told}");
        }
    };
    let (sheet, film) =
        ("../docs/images/gallery/piper_pick_up.png", "../docs/images/gallery/piper_pick_up.gif");
    let gone = |file: &'static str| {
        move |models: &Models| fs::remove_file(models.path(file)).expect("there")
    };
    spoiled(&gone(sheet), "missing", &["proof.contact_sheet", "no such file", "make gallery"]);
    spoiled(&gone(film), "missing", &["proof.animation", "no such file"]);
    spoiled(&gone("../docs/gallery.md"), "missing", &["proof.gallery", "gallery.md"]);
    let copied = |models: &Models| {
        fs::copy(models.path(sheet), models.path(film)).expect("a copy");
    };
    spoiled(&copied, "wrong", &["proof.animation", "Png, not a Gif"]);
    let torn = |models: &Models| {
        let bytes = fs::read(models.path(sheet)).expect("there");
        fs::write(models.path(sheet), &bytes[..bytes.len() - 20]).expect("a temporary file");
    };
    spoiled(&torn, "wrong", &["proof.contact_sheet", "decoded"]);
    let other = |models: &Models| {
        let shot = Shot {
            frame: Frame { width: 8, height: 8, rgb: vec![9; 192] },
            caption: String::new(),
        };
        contact_sheet(&models.path(sheet), &[shot], 1).expect("a sheet");
    };
    spoiled(&other, "wrong", &["proof.contact_sheet", "is pinned, the file has"]);
    let bare = |models: &Models| models.replace("../docs/gallery.md", "piper_pick_up.gif", "x.gif");
    spoiled(&bare, "wrong", &["proof.gallery", "does not show piper_pick_up.gif"]);
    let retrained = |models: &Models| {
        let text = fs::read_to_string(models.registry()).expect("there");
        let (before, proof) = text.split_once("\"proof\"").expect("it has one");
        let (key, digest) = proof.split_once("\"onnx_sha256\": \"").expect("it says which");
        let other =
            format!("{before}\"proof\"{key}\"onnx_sha256\": \"{}{}", "0".repeat(64), &digest[64..]);
        fs::write(models.registry(), other).expect("a temporary file");
    };
    spoiled(&retrained, "wrong", &["proof.onnx_sha256", "another network is seen"]);
}
