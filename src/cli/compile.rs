//! `reflexd compile`: builds a TensorRT engine of a head, ahead of time. The daemon never builds one.

use std::{io::Write, path::PathBuf};

use clap::{Args, ValueEnum};

use super::{CliError, Exit};

/// Arguments of `reflexd compile`.
#[derive(Debug, Args)]
#[command(
    after_help = "The engine is put where a daemon with inference.engine = \"compiled\" looks for it:
CACHE/<digest>-<precision>-<TensorRT>-<GPU>/network.engine. TensorRT-RTX needs no GPU for this, TensorRT needs the one
that is to run it.

Examples:
  reflexd compile models/heads/piper_pick_up.toml --engine tensorrt-rtx --out cache
  reflexd compile models/heads/piper_pick_up.toml --engine tensorrt --fp16 --out cache --json"
)]
pub(super) struct CompileArguments {
    /// The head's manifest.
    manifest: PathBuf,
    /// Which TensorRT builds it.
    #[arg(long, value_enum)]
    engine: Builder,
    /// In 16-bit floats; inputs and outputs stay in 32.
    #[arg(long)]
    fp16: bool,
    /// The cache: `inference.cache` of the daemon that is to run it.
    #[arg(long, value_name = "CACHE", default_value = "cache")]
    out: PathBuf,
    /// TensorRT's library, if it is not where libraries are.
    #[arg(long, value_name = "FILE")]
    runtime: Option<PathBuf>,
    /// Which GPU, for TensorRT.
    #[arg(long, default_value_t = 0)]
    device: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Builder {
    /// TensorRT-RTX 1.
    TensorrtRtx,
    /// TensorRT 11.
    Tensorrt,
}

/// Arguments of the child that looks whether a library kills it.
#[derive(Debug, Args)]
pub(super) struct ProbeArguments {
    /// TensorRT's library.
    library: PathBuf,
}

#[cfg(feature = "tensorrt")]
pub(super) fn run(arguments: &CompileArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    use serde_json::json;

    use crate::{
        head::{self, Manifest},
        inference::{Placement, Precision, Provider, compiled},
    };

    let manifest = Manifest::load(&arguments.manifest)?;
    let placement = Placement {
        provider: Provider::Compiled,
        precision: if arguments.fp16 { Precision::Fp16 } else { Precision::Fp32 },
        device: arguments.device,
        library: arguments.runtime.clone(),
        cache: Some(arguments.out.clone()),
        digest: manifest.sha256.to_ascii_lowercase(),
        ..Placement::default()
    };
    let builder = match arguments.engine {
        Builder::TensorrtRtx => compiled::Builder::Rtx,
        Builder::Tensorrt => compiled::Builder::Tensorrt,
    };
    let file = head::compile(&manifest, &placement, builder)?;
    if arguments.json {
        let precision = placement.precision.name();
        let made = json!({ "head": manifest.name, "precision": precision, "engine": file });
        writeln!(out, "{}", super::json(&made)?)?;
    } else {
        writeln!(out, "{}: {}", manifest.name, file.display())?;
    }
    Ok(Exit::Done)
}

#[cfg(feature = "tensorrt")]
pub(super) fn probe(arguments: &ProbeArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    writeln!(out, "{}", crate::inference::compiled::look(&arguments.library)?)?;
    Ok(Exit::Done)
}

#[cfg(not(feature = "tensorrt"))]
pub(super) fn run(arguments: &CompileArguments, _: &mut impl Write) -> Result<Exit, CliError> {
    let CompileArguments { manifest, engine, fp16, out, runtime, device, json } = arguments;
    tracing::debug!(?manifest, ?engine, fp16, ?out, ?runtime, device, json, "not compiled");
    Err(not_built())
}

#[cfg(not(feature = "tensorrt"))]
pub(super) fn probe(arguments: &ProbeArguments, _: &mut impl Write) -> Result<Exit, CliError> {
    tracing::debug!(library = %arguments.library.display(), "not looked at");
    Err(not_built())
}

#[cfg(not(feature = "tensorrt"))]
fn not_built() -> CliError {
    CliError::Words(
        "this reflexd was built without TensorRT: build it with `--features tensorrt`".to_owned(),
    )
}
