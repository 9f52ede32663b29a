//! The engine itself; what it does with networks is tested with the heads.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    runtime::{CPU, FOLDER, is_silent, newest_library},
    *,
};

pub(crate) fn library() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(FOLDER);
    newest_library(&folder).expect("run `make setup` first")
}

#[test]
fn the_engine_starts_once_and_says_what_it_is() {
    let engine = Engine::start(&library()).expect("it starts");
    let again = Engine::start(&library()).expect("it starts again");
    assert!(std::ptr::eq(engine, again));
    assert!(engine.version().starts_with("1."), "{}", engine.version());
    assert!(engine.providers().contains(&CPU));
}

#[test]
fn a_second_runtime_in_one_process_is_refused() {
    Engine::start(&library()).expect("it starts");
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("libonnxruntime.so.1.0.0");
    fs::write(&other, "not a library").expect("a file");
    let refused = Engine::start(&other).expect_err("one is enough");
    assert!(matches!(refused, EngineError::AlreadyStarted { .. }), "{refused}");
}

#[test]
fn a_missing_library_is_refused_with_the_remedy() {
    let refused = Engine::start(Path::new("/nowhere/libonnxruntime.so")).expect_err("not there");
    let text = refused.to_string();
    assert!(text.contains("/nowhere") && text.contains("make setup"), "{text}");
}

#[test]
fn of_several_libraries_the_newest_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let names =
        ["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.31.1", "libonnxruntime.so", "x.so"];
    for name in names.into_iter().chain(["libonnxruntime_providers_cuda.so.2"]) {
        fs::write(folder.path().join(name), "").expect("a file");
    }
    let newest = newest_library(folder.path()).expect("one of them");
    assert_eq!(newest.file_name().and_then(|name| name.to_str()), Some(names[1]));
    assert_eq!(newest_library(Path::new("/nowhere")), None);
}

#[test]
fn telemetry_is_off_here_and_stays_off() {
    // .cargo/config.toml sets the switch for tests: where threads already run it could not be set any more.
    assert!(is_silent());
    assert_eq!(silence_telemetry(), Ok(()));
}

#[test]
fn a_session_may_move_to_the_thread_that_runs_it() {
    fn is_send<T: Send>() {}
    is_send::<Session>();
}
