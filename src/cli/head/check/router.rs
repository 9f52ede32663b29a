//! The same of a router's head, which has a manifest of its own.

use std::{io::Write, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    action::Body,
    cli::{CliError, Exit},
    config,
    inference::Engine,
    router::{RouterHead, RouterHeadError, SCHEMA},
};

/// Whether the file says that it is a router's; what is wrong with any other is not told here.
pub(super) fn is_one(file: &Path) -> bool {
    #[derive(Deserialize)]
    struct Peek {
        schema: String,
    }
    config::parse::<Peek>(file).is_ok_and(|peek| peek.schema == SCHEMA)
}

/// Proves it on the engine that the daemon would take, and tells in words, or for machines.
pub(super) fn check(
    file: &Path,
    body: &Body,
    engine: &Engine,
    out: Option<&mut impl Write>,
) -> Result<(Exit, Value), CliError> {
    let loaded = RouterHead::load(file, body, engine);
    let (exit, words, told) = match &loaded {
        Ok(head) => {
            let manifest = head.manifest();
            let (encoder, goldens) = (&manifest.encoder, manifest.golden.len());
            let words = format!(
                "{} is what its manifest says\n  sha256    {}\n  encoder   {}, {}\n  goldens   {goldens} passed",
                manifest.name, manifest.sha256, encoder.name, encoder.fingerprint
            );
            let told = json!({ "file": file, "ok": true, "router": manifest.name, "sha256": manifest.sha256,
                               "encoder": encoder.fingerprint, "goldens": goldens });
            (Exit::Done, words, told)
        }
        Err(error) => {
            let exit = match error {
                RouterHeadError::Golden { .. } => Exit::No,
                _ => Exit::Config,
            };
            let words = format!("{} is refused: {error}", file.display());
            (exit, words, json!({ "file": file, "ok": false, "error": error.to_string() }))
        }
    };
    if let Some(out) = out {
        writeln!(out, "{words}")?;
    }
    Ok((exit, told))
}
