//! The README's Python client, as it stands there, against a real daemon.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    daemon::{Body, Daemon},
    rig::here,
};

/// What the README connects to.
const USUAL_ENDPOINT: &str = "tcp/127.0.0.1:7447";

/// The first fenced block of a language.
fn block(text: &str, language: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("\n```{language}\n"))?;
    Some(rest.split_once("\n```")?.0.to_owned())
}

/// A Python that has zenoh: the checkout's own, or the system's.
fn python() -> Option<PathBuf> {
    let known = [here(".venv/bin/python"), PathBuf::from("python3")];
    known.into_iter().find(|python| {
        let mut ask = Command::new(python);
        ask.args(["-c", "import zenoh"]).stdout(Stdio::null()).stderr(Stdio::null());
        ask.status().is_ok_and(|status| status.success())
    })
}

#[test]
fn the_python_client_of_the_readme_is_accepted() {
    let Ok(readme) = fs::read_to_string(here("README.md")) else {
        eprintln!("skipped: there is no README.md yet");
        return;
    };
    let program = block(&readme, "python").expect("the README shows a Python client");
    assert!(program.contains(USUAL_ENDPOINT), "it connects where a daemon listens: {program}");
    let Some(python) = python() else {
        eprintln!("skipped: needs Python with zenoh (pip install eclipse-zenoh)");
        return;
    };
    let daemon = Daemon::start(Body::Loopback);
    if !program.contains("cmd/arm") {
        daemon.arm();
    }
    let program = program.replace(USUAL_ENDPOINT, &daemon.endpoint);
    let done = Command::new(python).args(["-c", &program]).output().expect("Python is there");
    assert!(done.status.success(), "{done:?}");
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(printed.contains("accepted"), "{done:?}");
    let said = daemon
        .wait_for("state/skill", |said| !(said["running"].is_null() && said["last"].is_null()));
    let run = if said["running"].is_null() { &said["last"] } else { &said["running"] };
    assert_eq!(run["skill"], json!("pick_up"), "{said}");
}

#[test]
fn blocks_are_found_by_their_language() {
    let text = "a\n```sh\nls\n```\n```python\nimport zenoh\nprint(1)\n```\n";
    assert_eq!(block(text, "python").as_deref(), Some("import zenoh\nprint(1)"));
    assert_eq!(block(text, "rust"), None);
}
