//! A daemon that uses nothing that a trainer has not signed.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::{
    daemon::{Daemon, fail_to_start, run},
    rig::here,
    wire::house::free_endpoint,
};

use super::rig::Pki;

/// The shipped heads, in a folder where signatures can be put beside them.
fn heads(folder: &Path) -> Vec<String> {
    fs::create_dir(folder.join("heads")).expect("a temporary folder");
    let mut manifests = Vec::new();
    for entry in fs::read_dir(here("models/heads")).expect("shipped") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a file").to_owned();
        let to = folder.join("heads").join(&name);
        if path.extension().is_some_and(|extension| extension == "toml") {
            fs::copy(&path, &to).expect("a temporary file");
            manifests.push(to.display().to_string());
        } else {
            symlink(&path, &to).expect("a temporary file");
        }
    }
    fs::copy(here("models/policy_registry.json"), folder.join("policy_registry.json"))
        .expect("a file");
    manifests.sort();
    manifests
}

#[test]
fn only_what_a_trainer_signed_runs() {
    let pki = Pki::make();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifests = heads(folder.path());
    let registry = folder.path().join("policy_registry.json").display().to_string();
    let config = folder.path().join("daemon.toml");
    let text = format!(
        "robot = {:?}\nbackend = \"loopback\"\nregistry = {registry:?}\n[loop]\nlock_memory = false\n\
         [security]\nheads = \"signed\"\ntrainers = [\"trainer-tina\"]\nkeys = {:?}\n",
        here("config/robots/piper.toml").display().to_string(),
        pki.file("keys"),
    );
    fs::write(&config, text).expect("a temporary file");
    let why_not = || {
        let (code, told) = fail_to_start(&config, &free_endpoint(), &[]);
        assert_eq!(code, Some(4), "{told}");
        told
    };
    let sign = |files: &[&str], key: &str| {
        let key = pki.file(key);
        let args = [&["head", "sign"], files, &["--key", &key]].concat();
        let done = run(&args);
        assert!(done.status.success(), "{done:?}");
    };
    let told = why_not();
    assert!(told.contains("policy_registry.json") && told.contains("is not signed"), "{told}");
    assert!(told.contains("reflexd head sign"), "it says what to do: {told}");
    sign(&[&registry], "operator-ada.sign.key");
    assert!(why_not().contains("no trainer"), "an operator signs no heads");
    sign(&[&registry], "trainer-tina.sign.key");
    let told = why_not();
    assert!(told.contains("heads/") && told.contains("is not signed"), "{told}");
    let all: Vec<&str> = manifests.iter().map(String::as_str).collect();
    sign(&all, "trainer-tina.sign.key");

    let keeps = tempfile::tempdir().expect("a temporary folder");
    let daemon = Daemon::start_with(&config, keeps);
    daemon.arm();
    drop(daemon);

    // One that has no fallback: what has one starts with that.
    let changed = manifests.iter().find(|name| name.ends_with("piper_pick_up.toml"));
    let changed = changed.expect("it is shipped");
    let mut text = fs::read_to_string(changed).expect("ours");
    text.push_str("\n# one more line\n");
    fs::write(changed, text).expect("ours");
    let told = why_not();
    assert!(told.contains("piper_pick_up.toml") && told.contains("not of this file"), "{told}");
}

#[test]
fn what_is_broken_is_not_signed() {
    let pki = Pki::make();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let broken = folder.path().join("head.toml");
    fs::write(&broken, "schema = 7\n").expect("a temporary file");
    let key = pki.file("trainer-tina.sign.key");
    let done = run(&["head", "sign", &broken.display().to_string(), "--key", &key]);
    assert!(!done.status.success() && !folder.path().join("head.toml.sig").exists(), "{done:?}");
}
