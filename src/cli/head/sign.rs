//! `reflexd head sign`: says of a head, or of a policy registry, that it is the one that was meant.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::{CliError, Exit};
use crate::{
    head::{Manifest, digest_of_file},
    router::RouterManifest,
    security::{Signer, sign_file, wall_clock_ms},
    skill::registry::RegistryFile,
};

pub(super) const EXAMPLES: &str = "\
Writes FILE.sig beside each file: whose signature it is, when it was made, and of which SHA-256. A manifest carries the
digests of its network and of everything else that it names, so those are signed with it; a registry carries those of its
manifests. A daemon with security.heads = \"signed\" uses nothing else.

Examples:
  reflexd head sign models/heads/*.toml models/policy_registry.json --key pki/trainer-tina.sign.key
  reflexd head sign models/heads/piper_pick_up.toml --key pki/trainer-tina.sign.key --json";

#[derive(Debug, Args)]
pub(in crate::cli) struct SignArguments {
    /// Manifests of heads or of routers' heads, or a policy registry.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The trainer's private key, Ed25519; its name is the signer's.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &SignArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let signer =
        Signer::load(&arguments.key).map_err(|error| CliError::Usage(error.to_string()))?;
    // Nothing is signed of a list that has something broken in it.
    let digests = arguments.files.iter().map(|file| digest(file));
    let digests = digests.collect::<Result<Vec<_>, _>>()?;
    let mut told = Vec::new();
    for (file, sha256) in arguments.files.iter().zip(&digests) {
        let signature = sign_file(file, sha256, &signer, wall_clock_ms())
            .map_err(|error| CliError::Words(format!("{}.sig: {error}", file.display())))?;
        if arguments.json {
            told.push(json!({ "file": file, "sha256": sha256, "signature": signature, "signer": signer.name() }));
        } else {
            writeln!(out, "{}: signed by {}", signature.display(), signer.name())?;
        }
    }
    if arguments.json {
        writeln!(out, "{}", crate::cli::json(&told)?)?;
    }
    Ok(Exit::Done)
}

/// The SHA-256 of a file that is whole: what it names is there, and is what it says.
fn digest(file: &Path) -> Result<String, CliError> {
    if file.extension().is_some_and(|extension| extension == "json") {
        return Ok(RegistryFile::load(file)?.sha256().to_owned());
    }
    match Manifest::load(file) {
        Ok(manifest) => {
            manifest.digests()?;
            Ok(manifest.digest().to_owned())
        }
        // A router's head has a manifest of its own kind.
        Err(error) => match RouterManifest::load(file) {
            Ok(_) => Ok(digest_of_file(file)?),
            Err(_) => Err(error.into()),
        },
    }
}
