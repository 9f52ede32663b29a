//! `reflexd head`: is a head what its manifest says, on this machine's engine?

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, ConfigArguments, Exit};
use crate::{
    action::Body,
    config::Settings,
    daemon::{self, DaemonError},
    head::Head,
};

/// Commands about heads.
#[derive(Debug, Subcommand)]
pub(super) enum HeadCommand {
    /// Load a head, check digest, shapes and golden vectors, and warm it up.
    #[command(after_help = "Example:\n  reflexd head check models/heads/piper_pick_up.toml")]
    Check(CheckArguments),
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The head's manifest.
    manifest: PathBuf,
    #[command(flatten)]
    config: ConfigArguments,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &HeadCommand, out: &mut impl Write) -> Result<Exit, CliError> {
    let HeadCommand::Check(arguments) = command;
    let settings = Settings::load(&arguments.config.config)?;
    let engine = daemon::engine(&settings)?;
    let body = Body::load(&settings.robot_settings).map_err(DaemonError::from)?;
    let head = Head::load(&arguments.manifest, &body, engine)?;
    let (manifest, proof) = (head.manifest(), head.proof());
    let median_us = proof.median_run.as_secs_f64() * 1e6;
    let slowest_us = proof.slowest_run.as_secs_f64() * 1e6;
    if arguments.json {
        let found = json!({
            "head": manifest.name,
            "sha256": manifest.sha256,
            "engine": engine.version(),
            "goldens": proof.goldens,
            "worst_error": proof.worst_error,
            "median_us": median_us,
            "slowest_us": slowest_us,
        });
        writeln!(out, "{}", super::json(&found)?)?;
    } else {
        writeln!(out, "{} is what its manifest says", manifest.name)?;
        writeln!(out, "  engine    ONNX Runtime {}", engine.version())?;
        writeln!(out, "  sha256    {}", manifest.sha256)?;
        let (goldens, worst, tolerance) = (proof.goldens, proof.worst_error, proof.tolerance);
        writeln!(out, "  goldens   {goldens}, worst error {worst:.1e} of {tolerance:.1e} allowed")?;
        writeln!(out, "  one run   {median_us:.0} us median, {slowest_us:.0} us at most")?;
    }
    Ok(Exit::Done)
}
