//! reflexd-router: the process that makes embeddings of what was said and seen. Prints and exits nowhere.

mod embed;
mod run;

use std::{
    io::{BufRead, IsTerminal, Write},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::{
    cli::{CliError, Exit},
    encoder::{Encoder, MiniCpm, Words},
    inference::{Engine, find_library},
};

/// Listens to people and looks through cameras for a robot's reflexd.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Examples:
  reflexd-router run                                    embeddings for the daemon of config/daemon.toml
  reflexd-router run --camera front --decide            and decisions, for router.where = \"process\"
  reflexd-router embed phrases.txt --out phrases.npy    embeddings, for training
  echo 'go find the berry' | reflexd-router embed --out one.npy"
)]
pub struct Arguments {
    /// Log lines, and what is printed, as JSON, for machines.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Work beside a daemon until SIGINT or SIGTERM.
    #[command(after_help = "Examples:\n  reflexd-router run --config config/daemon.toml\n  \
                            reflexd-router run --connect tcp/robot.local:7447 --camera front --decide")]
    Run(run::RunArguments),
    /// Write the embeddings of instructions, one a line, as a NumPy array; print who made them.
    #[command(after_help = "Example:\n  reflexd-router embed phrases.txt --out phrases.npy")]
    Embed(embed::EmbedArguments),
}

/// Which encoder, and what it needs.
#[derive(Clone, Debug, Args)]
pub struct EncoderArguments {
    /// Which encoder.
    #[arg(long, value_enum, default_value_t = EncoderKind::Words)]
    encoder: EncoderKind,
    /// minicpm: the folder that router/export.py has written.
    #[arg(long, value_name = "FOLDER", required_if_eq("encoder", "minicpm"))]
    model: Option<PathBuf>,
    /// minicpm: how many threads a network may use; keep some cores for the loop.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
}

/// The encoders that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EncoderKind {
    /// A dictionary; needs nothing, sees nothing.
    Words,
    /// MiniCPM-V 4.6, exported to ONNX; sees one picture.
    Minicpm,
}

impl EncoderArguments {
    /// The encoder.
    ///
    /// # Errors
    /// What it needs is not there, or is not what it should be.
    pub fn open(&self) -> Result<Box<dyn Encoder>, CliError> {
        match (self.encoder, &self.model) {
            (EncoderKind::Words, None) => Ok(Box::new(Words)),
            (EncoderKind::Words, Some(_)) => {
                Err(CliError::Words("--model: words has none; add --encoder minicpm".into()))
            }
            (EncoderKind::Minicpm, None) => {
                Err(CliError::Words("--model: name the folder of the exported encoder".into()))
            }
            (EncoderKind::Minicpm, Some(folder)) => {
                let wrong = |error: &dyn std::error::Error| CliError::Words(error.to_string());
                let library = find_library().map_err(|error| wrong(&error))?;
                let engine = Engine::start(&library).map_err(|error| wrong(&error))?;
                let threads = usize::from(self.threads);
                let encoder = MiniCpm::open(folder, engine, threads);
                Ok(Box::new(encoder.map_err(|error| wrong(&error))?))
            }
        }
    }
}

/// Sends log lines to standard error: `RUST_LOG` chooses, `info` is the default.
pub fn log_to_stderr(arguments: &Arguments) {
    let default = "info,zenoh=warn,zenoh::net=error";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    // A second subscriber in one process is refused; the first one goes on.
    let _ = if arguments.json { log.json().try_init() } else { log.try_init() };
}

/// Carries out a command line.
///
/// # Errors
/// What kept it from being carried out.
pub fn run(
    arguments: &Arguments,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<Exit, CliError> {
    match &arguments.command {
        Command::Run(run) => run::run(run, arguments.json, out),
        Command::Embed(embed) => embed::run(embed, input, out),
    }
}

fn unreadable(file: &Option<PathBuf>, error: &std::io::Error) -> CliError {
    let name = file.as_deref().map_or_else(|| "standard input".into(), |f| f.display().to_string());
    CliError::Words(format!("{name}: {error}; give a text file with one instruction a line"))
}
