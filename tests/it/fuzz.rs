//! The targets of `fuzz/`, a little: over their corpus, what ships and seeded changes of both, in every run of the tests.
//!
//! `REFLEX_FUZZ_SEED` and `REFLEX_FUZZ_CASES` choose which and how many: a failure says how it is repeated.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use crate::{allocation::touched, rig::here};

mod changes;
#[allow(unreachable_pub, reason = "it is a crate's own in fuzz/")]
#[path = "../../fuzz/src/outside/mod.rs"]
mod outside;
#[allow(unreachable_pub, reason = "it is a crate's own in fuzz/")]
#[path = "../../fuzz/src/realtime/mod.rs"]
mod realtime;

/// An input that does not pass.
#[derive(Debug)]
struct Failure {
    seed: u64,
    input: Vec<u8>,
}

/// Runs a target over `corpus` as it is, and over `cases` changes of it, each with a seed of its own.
fn run(target: &dyn Fn(&[u8]), corpus: &[Vec<u8>], seed: u64, cases: u64) -> Result<(), Failure> {
    let passes = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| target(input))).is_ok();
    if let Some(input) = corpus.iter().find(|input| !passes(input)) {
        return Err(Failure { seed, input: input.clone() });
    }
    for seed in (0..cases).map(|case| seed.wrapping_add(case)) {
        let input = changes::changed(corpus, seed);
        if !passes(&input) {
            return Err(Failure { seed, input });
        }
    }
    Ok(())
}

/// The same, as the environment chooses; `cases` if it does not.
fn smoke(name: &str, target: &dyn Fn(&[u8]), more: &[&str], cases: u64) {
    let told = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let seed = told("REFLEX_FUZZ_SEED").unwrap_or(1);
    let mut corpus = files(&here(&format!("fuzz/corpus/{name}")));
    assert!(!corpus.is_empty(), "{name} has no corpus");
    more.iter().for_each(|file| corpus.push(fs::read(here(file)).expect(file)));
    let cases = told("REFLEX_FUZZ_CASES").unwrap_or(cases);
    if let Err(Failure { seed, input }) = run(target, &corpus, seed, cases) {
        panic!(
            "{name} does not pass. Again: REFLEX_FUZZ_SEED={seed} REFLEX_FUZZ_CASES=1 cargo test --locked --features \
             mujoco --test it fuzz::{name}. The input: b\"{}\"",
            input.escape_ascii()
        );
    }
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

#[test]
fn can_frames() {
    smoke("can_frames", &realtime::can_frames, &[], 100_000);
}

#[test]
fn tape() {
    smoke("tape", &realtime::tape, &[], 1_500);
}

#[test]
fn messages() {
    smoke("messages", &outside::messages, &[], 60_000);
}

#[test]
fn signatures() {
    smoke("signatures", &outside::signatures, &[], 20_000);
}

#[test]
fn recording() {
    smoke("recording", &outside::recording, &[], 10_000);
}

#[test]
fn words() {
    smoke("words", &outside::words, &[], 150);
}

#[test]
fn daemon_config() {
    let shipped = ["config/daemon.toml", "config/fireboy.toml"];
    smoke("daemon_config", &outside::daemon_config, &shipped, 10_000);
}

#[test]
fn robot_config() {
    let shipped = ["config/robots/piper.toml", "config/robots/fireboy.toml"];
    smoke("robot_config", &outside::robot_config, &shipped, 3_000);
}

#[test]
fn manifest() {
    smoke("manifest", &outside::manifest, &[], 6_000);
}

#[test]
fn registry() {
    smoke("registry", &outside::registry, &["models/policy_registry.json"], 8_000);
}

#[test]
fn router_manifest() {
    smoke("router_manifest", &outside::router_manifest, &[], 6_000);
}

#[test]
fn urdf() {
    smoke("urdf", &outside::urdf, &["urdf/piper.urdf", "urdf/fireboy.urdf"], 2_000);
}

/// Lives out of nothing but chance, with the heap watched: the corpus is for libFuzzer, which starts from nothing.
#[test]
fn law() {
    let sum = std::cell::Cell::new(realtime::Lived::default());
    let live = |bytes: &[u8]| {
        let mut all = sum.get();
        all += realtime::live(bytes, touched);
        sum.set(all);
    };
    smoke("law", &live, &[], 600);
    let all = sum.get();
    if std::env::var_os("REFLEX_FUZZ_CASES").is_none() {
        let kinds = [all.driven, all.followed, all.limited, all.barred, all.corrected, all.latched];
        assert!(all.ticks > 20_000 && kinds.iter().all(|ticks| *ticks > 200), "{all:?}");
    }
}

#[test]
fn every_target_runs_here_and_under_libfuzzer() {
    let manifest: toml::Table =
        fs::read_to_string(here("fuzz/Cargo.toml")).expect("there").parse().expect("a manifest");
    let bins = manifest["bin"].as_array().expect("targets").iter();
    let mut bins: Vec<&str> = bins.filter_map(|bin| bin["name"].as_str()).collect();
    let mut targets: Vec<&str> =
        realtime::TARGETS.iter().chain(outside::TARGETS).map(|(name, _)| *name).collect();
    let text = fs::read_to_string(here("tests/it/fuzz.rs")).expect("this file");
    for name in &targets {
        assert!(text.contains(&format!("smoke(\"{name}\",")), "{name} is not run here");
        assert!(here(&format!("fuzz/fuzz_targets/{name}.rs")).exists(), "{name}");
    }
    bins.sort_unstable();
    targets.sort_unstable();
    assert_eq!(bins, targets);
}

/// What the corpus holds is still what it is there for.
#[test]
fn the_corpus_is_understood() {
    use reflexd::{
        config::{RobotSettings, Settings},
        head::Manifest,
        router::RouterManifest,
        skill::registry::RegistryFile,
    };

    let read = |file: &str| fs::read(here(&format!("fuzz/corpus/{file}"))).expect(file);
    let text = |file: &str| String::from_utf8(read(file)).expect("text");
    let at = Path::new("here");
    let robot = |_: &Path| RobotSettings::of_text(at, &text("robot_config/whole.toml"));
    robot(at).expect("a robot");
    Settings::of_text(at, &text("daemon_config/whole.toml"), None, robot).expect("a daemon");
    Manifest::of_bytes(at, &read("manifest/whole.toml")).expect("a head");
    RegistryFile::of_text(at, &text("registry/whole.json")).expect("a registry");
    RouterManifest::of_text(at, &text("router_manifest/whole.toml")).expect("a router");
}

/// A decoder that believes what it is told of a length. It is found out, and again by the seed that it is told with.
#[test]
fn a_planted_bug_is_found_and_repeated() {
    let planted = |bytes: &[u8]| {
        let Some((len, rest)) = bytes.split_first() else { return };
        let _ = rest[..usize::from(*len)].len();
    };
    let corpus = [b"\x03abc".to_vec()];
    let found = run(&planted, &corpus, 1, 1_000).expect_err("a bug");
    assert_ne!(found.input, corpus[0]);
    let again = run(&planted, &corpus, found.seed, 1).expect_err("the same bug");
    assert_eq!(again.input, found.input);
}
