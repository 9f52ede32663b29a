//! The commands about heads, through the binary; and every key of every shipped manifest, broken on purpose.

use std::{
    fs,
    path::{Path, PathBuf},
};

use reflexd::head::{HeadError, Manifest};
use serde_json::Value as Json;
use toml::Value;

use crate::{daemon::run, rig::here};

const SHIPPED: &str = "models/heads/piper_pick_up.toml";

/// A shipped head in a folder of its own, its manifest changed.
fn changed(folder: &Path, from: &str, to: &str) -> String {
    let text = fs::read_to_string(here(SHIPPED)).expect("a manifest");
    assert!(text.contains(from), "`{from}` is not in {SHIPPED}");
    let onnx = here(SHIPPED).with_extension("onnx");
    fs::copy(&onnx, folder.join(onnx.file_name().expect("a name"))).expect("a copy");
    let path = folder.join("head.toml");
    fs::write(&path, text.replacen(from, to, 1)).expect("a file");
    path.display().to_string()
}

#[test]
fn check_tells_a_head_that_fails_from_one_that_is_broken() {
    let folder = tempfile::tempdir().expect("a folder");
    // The golden's tolerance is so small that no engine keeps it.
    let golden = changed(folder.path(), "tolerance = 0.0001", "tolerance = 1e-12");
    let failed = run(&["head", "check", &golden]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let words = String::from_utf8_lossy(&failed.stdout).into_owned();
    for word in ["head.toml", "golden[0].action", "tolerance", "cpu"] {
        assert!(words.contains(word), "no `{word}` in: {words}");
    }
    let several = run(&["head", "check", SHIPPED, &golden, "models/heads/nobody.toml", "--json"]);
    assert_eq!(several.status.code(), Some(4), "the worst counts");
    let told: Json = serde_json::from_slice(&several.stdout).expect("JSON");
    let ok: Vec<_> = told.as_array().expect("a list").iter().map(|one| one["ok"] == true).collect();
    assert_eq!(ok, [true, false, false], "{told}");
    assert_eq!(told[1]["engines"][0]["code"], "golden_mismatch");
    assert_eq!(told[2]["engines"][0]["code"], "file_unreadable");
    assert_eq!(told[0]["engines"][0]["engine"], "cpu");
}

#[test]
fn bench_tells_percentiles_and_where_the_time_goes() {
    let done = run(&["head", "bench", SHIPPED, "--runs", "50", "--json"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let told: Json = serde_json::from_slice(&done.stdout).expect("JSON");
    let engine = &told["engines"][0];
    assert_eq!((&engine["engine"], &engine["runs"]), (&Json::from("cpu"), &Json::from(50)));
    for part in ["whole", "packing", "network", "lowering"] {
        let at = |key: &str| engine[part][key].as_f64().unwrap_or_else(|| panic!("{part}.{key}"));
        let keys = ["p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"];
        let rising = keys.windows(2).all(|pair| at(pair[0]) <= at(pair[1]));
        assert!(rising && at("p50_us") > 0.0, "{engine}");
    }
    let whole = engine["whole"]["max_us"].as_f64().expect("a number");
    assert!(whole >= engine["network"]["p50_us"].as_f64().expect("a number"));
    let words = run(&["head", "bench", SHIPPED, "--runs", "2", "--pace", "20hz"]);
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.contains("p99.9") && words.contains("timing.deadline_ms"), "{words}");
    assert_eq!(run(&["head", "bench", SHIPPED, "--runs", "0"]).status.code(), Some(2));
    assert_eq!(run(&["head", "bench", "nobody.toml"]).status.code(), Some(4));
}

#[test]
fn show_tells_what_a_head_is() {
    let shown = run(&["head", "show", SHIPPED]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let words = String::from_utf8_lossy(&shown.stdout).into_owned();
    let manifest = Manifest::load(&here(SHIPPED)).expect("shipped");
    for word in
        [&manifest.name, &manifest.skill, &manifest.output.tensor, &manifest.inputs[0].tensor]
    {
        assert!(words.contains(word.as_str()), "no `{word}` in: {words}");
    }
    let written: Json =
        serde_json::from_slice(&run(&["head", "show", SHIPPED, "--json"]).stdout).expect("JSON");
    assert_eq!(written["sha256"], manifest.sha256);
    assert_eq!(run(&["head", "show", "nobody.toml"]).status.code(), Some(4));
}

/// One step into a manifest: a key, or a place in a list.
#[derive(Clone, Debug)]
enum Into {
    Key(String),
    At(usize),
}

/// The way to every value of a manifest; of lists of numbers only the first.
fn ways(value: &Value, way: &mut Vec<Into>, found: &mut Vec<Vec<Into>>) {
    if !way.is_empty() {
        found.push(way.clone());
    }
    let mut go = |step: Into, value: &Value| {
        way.push(step);
        ways(value, way, found);
        way.pop();
    };
    match value {
        Value::Table(table) => {
            table.iter().for_each(|(key, value)| go(Into::Key(key.clone()), value))
        }
        Value::Array(list) => {
            let tables = list.iter().enumerate().filter(|(at, value)| *at == 0 || value.is_table());
            tables.for_each(|(at, value)| go(Into::At(at), value));
        }
        _ => {}
    }
}

fn at<'a>(value: &'a mut Value, way: &[Into]) -> &'a mut Value {
    way.iter().fold(value, |value, step| match step {
        Into::Key(key) => &mut value[key.as_str()],
        Into::At(at) => &mut value[*at],
    })
}

/// The last key of a way, as an error has to name it.
fn name(way: &[Into]) -> &str {
    let mut keys = way.iter().rev().filter_map(|step| match step {
        Into::Key(key) => Some(key.as_str()),
        Into::At(_) => None,
    });
    keys.next().expect("a key")
}

/// A value of another type.
fn other_type(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::Integer(7),
        _ => Value::String("nonsense".to_owned()),
    }
}

/// A value of the same type that no manifest may have anywhere, if there is one.
fn nonsense(value: &Value) -> Option<Value> {
    Some(match value {
        Value::String(_) => Value::String(" ".to_owned()),
        Value::Float(_) => Value::Float(f64::NAN),
        Value::Integer(_) => Value::Integer(-1),
        Value::Array(_) => Value::Array(Vec::new()),
        _ => return None,
    })
}

/// Numbers that a whole one may stand for: any sign is sound there.
fn may_be_negative(way: &[Into]) -> bool {
    [
        "mean",
        "min",
        "max",
        "observation",
        "action",
        "offset",
        "delta",
        "target",
        "q01",
        "q99",
        "below",
        "at_least",
        "values",
    ]
    .contains(&name(way))
}

#[test]
fn every_key_of_every_shipped_manifest_is_refused_when_it_is_broken() {
    let entries = fs::read_dir(here("models/heads")).expect("shipped heads");
    let files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        // A router's head has a schema of its own: `tests/it/router_head.rs`.
        .filter(|path| !path.display().to_string().ends_with("_router.toml"))
        .collect();
    assert!(!files.is_empty());
    let (mut broken, mut accepted) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).expect("a manifest");
        let sound: Value = Value::Table(text.parse().expect("TOML"));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broken.toml");
        let load = |value: &Value| {
            fs::write(&path, toml::to_string(value).expect("TOML")).expect("a file");
            Manifest::load(&path)
        };
        load(&sound).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut all = Vec::new();
        ways(&sound, &mut Vec::new(), &mut all);
        for way in &all {
            let mut refuse = |what: &str, value: &Value| {
                let told = match load(value) {
                    Err(error @ (HeadError::Toml { .. } | HeadError::BadValue { .. })) => {
                        error.to_string()
                    }
                    Ok(_) => {
                        accepted.push(format!("{}: {way:?}, {what}", file.display()));
                        return;
                    }
                    Err(other) => panic!("{}: {way:?}, {what}: {other:?}", file.display()),
                };
                // Of what a table is depends on a word in it, the parser names the table.
                let key = name(way);
                let in_columns = matches!(way.get(1), Some(Into::Key(key)) if key == "columns");
                let is_named = told.contains(key) || in_columns && told.contains("columns");
                let names = told.contains("broken.toml") && is_named;
                assert!(names, "{way:?}, {what}: file and key are not named in: {told}");
                broken += 1;
            };
            let mut value = sound.clone();
            let old = at(&mut value, way).clone();
            *at(&mut value, way) = other_type(&old);
            refuse("another type", &value);
            if let Some(bad) = nonsense(&old).filter(|_| !old.is_integer() || !may_be_negative(way))
            {
                // A list of lists, or an optional list, may be empty; so may the conditions of a stage that has none.
                *at(&mut value, way) = bad.clone();
                let is_optional_list = old.is_array() && ["strata", "when"].contains(&name(way));
                if !is_optional_list {
                    refuse("nonsense", &value);
                }
            }
            if old.is_table() {
                let mut value = sound.clone();
                let table = at(&mut value, way).as_table_mut().expect("a table");
                table.insert("nobody_knows".to_owned(), Value::Integer(1));
                let told = load(&value).expect_err("an unknown key").to_string();
                assert!(told.contains("nobody_knows"), "{way:?}: {told}");
            }
        }
        // Without these there is no head.
        for key in [
            "schema", "name", "robot", "skill", "onnx", "sha256", "timing", "seam", "inputs",
            "output", "golden",
        ] {
            let mut value = sound.clone();
            value.as_table_mut().expect("a table").remove(key);
            let told = load(&value).expect_err(key).to_string();
            assert!(told.contains(key) && told.contains("broken.toml"), "{key}: {told}");
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
    assert!(broken > 100, "only {broken} values were broken");
}
