//! The rules of the house, as far as a machine can see them. A list here is exact: who no longer needs a place on it
//! leaves it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::rig::here;

/// A long file is a question; one above this is answered.
const LINES_MAX: usize = 600;

/// Files below a folder of the checkout with an extension, as paths from the checkout's root.
fn files(folder: &str, extension: &str) -> Vec<String> {
    fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the checkout") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                walk(&path, extension, found);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    let (root, mut found) = (here(""), Vec::new());
    walk(&root.join(folder), extension, &mut found);
    let relative = |path: PathBuf| path.strip_prefix(&root).ok()?.to_str().map(str::to_owned);
    let mut names: Vec<_> = found.into_iter().filter_map(relative).collect();
    names.sort();
    assert!(!names.is_empty(), "{folder} has no .{extension}");
    names
}

fn text(file: &str) -> String {
    fs::read_to_string(here(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What a file says to the compiler: without comments, without what stands in quotes.
fn code(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let raw = rest.starts_with("r\"") || rest.starts_with("r#");
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if raw && rest[1..].trim_start_matches('#').starts_with('"') {
            let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            let from = 2 + hashes;
            rest[from..].find(&end).map_or(rest.len(), |at| from + at + end.len())
        } else if c == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |at| at + 2)
        } else if rest.starts_with("'\"'") {
            3
        } else {
            code.push(c);
            c.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

/// The part of a source file that ships: its tests stand at its end, or in files of their own; build scripts and benches
/// stay home.
fn shipping(file: &str) -> Option<String> {
    let of_tests = ["/tests.rs", "_test.rs", "/build.rs"].iter().any(|end| file.ends_with(end))
        || ["/tests/", "/benches/"].iter().any(|folder| file.contains(folder));
    let code = code(&text(file));
    (!of_tests).then(|| code.split("#[cfg(test)]").next().unwrap_or_default().to_owned())
}

/// Whether a word stands in some code by itself.
fn names(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let begins = !word.starts_with(part) || !before.is_some_and(part);
        begins && (!word.ends_with(part) || !after.is_some_and(part))
    })
}

/// Whether code goes through a crate's front door: `word::...` or `use word`, and no module of ours of that name.
fn uses(code: &str, word: &str) -> bool {
    let path = format!("{word}::");
    let direct = code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    });
    direct || names(code, &format!("use {word}"))
}

/// The files of the shipping source of which something is so.
fn those(is_so: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let files = files("src", "rs").into_iter();
    files.filter(|file| shipping(file).is_some_and(|code| is_so(&code))).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn layers_are_what_their_manifests_name() {
    for (manifest, layer) in [
        ("src/arm/Cargo.toml", &["nalgebra"][..]),
        ("src/engine/Cargo.toml", &["ort", "prost", "serde", "thiserror", "tracing", "trt"]),
        ("src/motion/Cargo.toml", &["libm"]),
        (
            "src/reflex/Cargo.toml",
            &["libc", "motion", "mujoco-rs", "ringbuf", "socket2", "socketcan"],
        ),
        ("hil-tests/Cargo.toml", &["arm", "clap", "motion", "reflex", "serde_json"]),
    ] {
        let manifest_text = text(manifest);
        let table: toml::Table = manifest_text.parse().expect("a manifest");
        let named = |key: &str| table.get(key).and_then(toml::Value::as_table);
        let found = named("dependencies").into_iter().flat_map(|table| table.keys().cloned());
        assert_eq!(found.collect::<BTreeSet<_>>(), set(layer), "{manifest}");
        assert!(named("target").is_none() && named("build-dependencies").is_none(), "{manifest}");
    }
    for rule in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(text("src/motion/src/lib.rs").contains(rule), "motion: {rule}");
    }
}

#[test]
fn every_foreign_crate_has_its_door() {
    for (foreign, doors) in [
        ("zenoh", &["src/wire.rs", "src/wire/"][..]),
        ("ort", &["src/engine/src/"]),
        ("k", &["src/kinematics.rs", "src/kinematics/"]),
        ("urdf_rs", &["src/kinematics.rs", "src/kinematics/"]),
        ("mujoco_rs", &["src/reflex/src/backend/mujoco.rs", "src/reflex/src/backend/mujoco/"]),
        ("ringbuf", &["src/reflex/src/"]),
        ("libloading", &["src/trt/src/"]),
        ("trt", &["src/engine/src/compiled.rs"]),
        (
            "libc",
            &[
                "src/reflex/src/clock.rs",
                "src/reflex/src/realtime.rs",
                "src/reflex/src/realtime/",
                "src/reflex/src/backend/piper/bus/",
            ],
        ),
        (
            "socketcan",
            &["src/reflex/src/backend/piper/bus.rs", "src/reflex/src/backend/piper/bus/"],
        ),
        ("socket2", &["src/reflex/src/backend/piper/bus/socketcand.rs"]),
        ("image", &["src/picture.rs", "src/picture/"]),
        ("gif", &["src/picture/film.rs"]),
        ("color_quant", &["src/picture/film.rs"]),
        ("font8x8", &["src/picture.rs"]),
        ("sd_notify", &["src/daemon/watchdog.rs"]),
        ("sha2", &["src/head/file.rs"]),
        ("mcap", &["src/recorder/reader.rs", "src/recorder/writer.rs"]),
        ("rustix", &["src/recorder/shelf.rs"]),
        (
            "hdrhistogram",
            &["src/telemetry.rs", "src/head/bench.rs", "src/skill/registry/shadow.rs"],
        ),
        ("ed25519_dalek", &["src/security/"]),
        ("rcgen", &["src/security/certificates.rs"]),
        ("getrandom", &["src/security.rs"]),
        ("rsruckig", &["src/planning/trajectory.rs"]),
        (
            "toml",
            &[
                "src/config.rs",
                "src/head/manifest.rs",
                "src/importing/",
                "src/encoder/minicpm/description.rs",
            ],
        ),
        ("ndarray_npy", &["src/importing/npz.rs"]),
        ("ndarray", &["src/importing/npz.rs"]),
        ("prost", &["src/importing/onnx.rs", "src/engine/src/dense/", "src/engine/src/half.rs"]),
        ("parquet", &["src/rollouts/lerobot/table.rs"]),
        ("safetensors", &["src/importing/lerobot.rs"]),
        ("tokenizers", &["src/action/fast.rs", "src/encoder/minicpm/prompt.rs"]),
        (
            "clap",
            &[
                "src/main.rs",
                "src/bin/reflexd-router.rs",
                "src/cli.rs",
                "src/cli/",
                "src/ctl.rs",
                "src/ctl/",
                "src/routing.rs",
                "src/routing/",
            ],
        ),
    ] {
        let users = those(|code| uses(code, foreign));
        assert!(!users.is_empty(), "nobody uses {foreign}: take it out");
        for user in users {
            let through = doors
                .iter()
                .any(|door| user == *door || (door.ends_with('/') && user.starts_with(door)));
            assert!(through, "{user} names {foreign}, whose doors are {doors:?}");
        }
    }
}

#[test]
fn only_these_files_read_the_wall_clock() {
    let found = those(|code| names(code, "Instant::now") || names(code, "SystemTime::now"));
    let known = [
        "src/cli/demo.rs",
        "src/cli/child.rs",
        "src/cli/progress.rs",
        "src/cli/soak.rs",
        "src/cli/soak/machine.rs",
        "src/cli/soak/people.rs",
        "src/ctl/lease.rs",
        "src/ctl/live.rs",
        "src/ctl/request.rs",
        "src/daemon/spectacle.rs",
        "src/daemon/swap.rs",
        "src/daemon/swap/told.rs",
        "src/daemon/wallclock.rs",
        "src/evaluation.rs",
        "src/head/bench.rs",
        "src/head/proof.rs",
        "src/recorder/wall.rs",
        "src/security.rs",
        "src/wire/client.rs",
    ];
    assert_eq!(found, set(&known), "everything else has its time from `reflex::Clock`");
}

#[test]
fn unsafe_stands_in_these_files_only() {
    let found = those(|code| names(code, "unsafe"));
    let known = [
        "src/arm/src/dispatch.rs",
        "src/engine/src/dense/kernel/avx2.rs",
        "src/engine/src/raw.rs",
        "src/reflex/src/clock.rs",
        "src/reflex/src/realtime.rs",
        "src/reflex/src/realtime/probe.rs",
        "src/trt/src/cuda.rs",
        "src/trt/src/library.rs",
        "src/trt/src/network.rs",
        "src/trt/src/probe.rs",
        "src/trt/src/shim.rs",
    ];
    assert_eq!(found, set(&known));
}

#[test]
fn nothing_prints_exits_or_is_left_undone() {
    for word in [
        "todo!",
        "unimplemented!",
        "dbg!",
        "print!",
        "println!",
        "eprint!",
        "eprintln!",
        "process::exit",
        "process::abort",
    ] {
        let found = those(|code| names(code, word));
        assert!(found.is_empty(), "{word} stands in {found:?}");
    }
}

#[test]
fn no_file_grows_beyond_its_limit() {
    for file in files("src", "rs").iter().chain(&files("tests", "rs")) {
        let lines = text(file).lines().count();
        assert!(lines <= LINES_MAX, "{file} has {lines} lines, more than {LINES_MAX}: divide it");
    }
}

#[test]
fn tests_that_are_ignored_say_why() {
    let folders = ["src", "tests", "benches", "hil-tests"];
    for file in folders.iter().flat_map(|folder| files(folder, "rs")) {
        let silent = names(&code(&text(&file)), "#[ignore]");
        assert!(!silent, "{file}: an ignored test does not say why");
    }
}

#[test]
fn what_the_architecture_names_exists() {
    let Ok(text) = fs::read_to_string(here("ARCHITECTURE.md")) else {
        eprintln!("skipped: there is no ARCHITECTURE.md yet");
        return;
    };
    let roots = [
        "src",
        "tests",
        "benches",
        "config",
        "models",
        "urdf",
        "docs",
        "setup",
        "systemd",
        "hil-tests",
        "third_party",
    ];
    let kinds = [".rs", ".toml", ".md", ".xml", ".urdf", ".onnx", ".py", ".sh"];
    let everything: Vec<String> =
        ["src", "tests", "benches"].iter().flat_map(|f| files(f, "rs")).collect();
    let mut found = 0;
    for token in text.split('`').skip(1).step_by(2) {
        let plain = !token.contains(|c: char| c.is_whitespace() || "*<>{}$(".contains(c));
        let first = token.split('/').next().unwrap_or_default();
        let rooted = token.contains('/') && roots.contains(&first);
        if !plain || !(rooted || kinds.iter().any(|kind| token.ends_with(kind))) {
            continue;
        }
        let ending = format!("/{token}");
        let exists = here(token).exists() || everything.iter().any(|file| file.ends_with(&ending));
        assert!(exists, "ARCHITECTURE.md names `{token}`, which is not there");
        found += 1;
    }
    assert!(found > 0, "ARCHITECTURE.md names no file");
}

#[test]
fn these_rules_see_what_they_forbid() {
    let seen = code(
        "let a = \"unsafe \\\" zenoh::x\"; // unsafe\nlet r = r#\"dbg!(\"x\")\"#; ort::go('\"')",
    );
    assert!(!names(&seen, "unsafe") && !uses(&seen, "zenoh") && !names(&seen, "dbg!"), "{seen}");
    assert!(uses(&seen, "ort") && !uses("port::go()", "ort") && !uses("crate::k::x", "k"));
    assert!(uses("use zenoh::Wait;", "zenoh") && uses("k::Chain", "k"));
    assert!(names("unsafe { x }", "unsafe") && !names("forbid(unsafe_code)", "unsafe"));
    assert!(names("    #[ignore]\nfn x() {}", "#[ignore]") && !names("xprintln!()", "println!"));
}
