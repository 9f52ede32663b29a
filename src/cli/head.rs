//! `reflexd head`: what a head is, whether it is what its manifest says, how fast it is, and heads out of other formats.

mod bench;
mod check;
mod import;
mod show;

use std::{io::Write, path::Path};

use clap::{Subcommand, ValueEnum};

use super::{CliError, ConfigArguments, Exit};
use crate::{
    action::Body,
    config::Settings,
    daemon::{self, DaemonError},
    head::{Head, HeadError},
    inference,
};

/// Commands about heads.
#[derive(Debug, Subcommand)]
pub(super) enum HeadCommand {
    /// Load heads, check digest, shapes and golden vectors on each engine, and warm them up.
    #[command(
        after_help = "Exit code 1 says that a golden vector failed, 4 that a manifest or a network is broken.

Examples:
  reflexd head check models/heads/piper_pick_up.toml
  reflexd head check models/heads/*.toml --engine cpu --json"
    )]
    Check(check::CheckArguments),
    /// Measure how long a head takes on this machine: percentiles, and where the time goes.
    #[command(after_help = "Examples:
  reflexd head bench models/heads/piper_pick_up.toml
  reflexd head bench models/heads/piper_pick_up.toml --pace 20hz --runs 400 --json")]
    Bench(bench::BenchArguments),
    /// Show what a head sees and answers, when it is asked, and where it comes from.
    #[command(after_help = "Example:\n  reflexd head show models/heads/piper_pick_up.toml")]
    Show(show::ShowArguments),
    /// Make a head of a LeRobot policy, of openpi's statistics, of an ONNX network or of a .npz perceptron.
    #[command(after_help = import::EXAMPLES)]
    Import(Box<import::ImportArguments>),
}

/// Which engines a head is tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Each that is there.
    All,
    /// ONNX Runtime on the processor.
    Cpu,
}

/// One engine that is there.
struct Runner {
    name: &'static str,
    version: String,
    engine: &'static inference::Engine,
}

/// The engines of this machine that are asked for.
fn runners(which: Which, settings: &Settings) -> Result<Vec<Runner>, CliError> {
    let engine = daemon::engine(settings)?;
    let cpu = Runner { name: "cpu", version: format!("ONNX Runtime {}", engine.version()), engine };
    match which {
        Which::All | Which::Cpu => Ok(vec![cpu]),
    }
}

impl Runner {
    fn load(&self, manifest: &Path, body: &Body) -> Result<Head, HeadError> {
        Head::load(manifest, body, self.engine)
    }
}

/// The configuration, and the robot that it is about.
fn robot(config: &ConfigArguments) -> Result<(Settings, Body), CliError> {
    let settings = Settings::load(&config.config)?;
    let body = Body::load(&settings.robot_settings).map_err(DaemonError::from)?;
    Ok((settings, body))
}

pub(super) fn run(command: &HeadCommand, out: &mut impl Write) -> Result<Exit, CliError> {
    match command {
        HeadCommand::Check(arguments) => check::run(arguments, out),
        HeadCommand::Bench(arguments) => bench::run(arguments, out),
        HeadCommand::Show(arguments) => show::run(arguments, out),
        HeadCommand::Import(arguments) => import::run(arguments, out),
    }
}
