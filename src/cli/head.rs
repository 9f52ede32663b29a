//! `reflexd head`: what a head is, whether it is what its manifest says, how fast it is, and heads out of other formats.

mod bench;
mod check;
mod import;
mod show;
mod sign;

use std::{io::Write, path::Path};

use clap::{Subcommand, ValueEnum};

use super::{CliError, ConfigArguments, Exit};
use crate::{
    action::Body,
    config::Settings,
    daemon::{self, DaemonError},
    head::{Head, HeadError},
    inference::{Engine, EngineError, Provider},
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
    /// Sign heads, or the policy registry: for daemons that use nothing else.
    #[command(after_help = sign::EXAMPLES)]
    Sign(sign::SignArguments),
    /// Make a head of a LeRobot policy, of openpi's statistics, of an ONNX network or of a .npz perceptron.
    #[command(after_help = import::EXAMPLES)]
    Import(Box<import::ImportArguments>),
}

/// Which engines a head is tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Each that is there and can keep the weights as the manifest wants them.
    All,
    /// The processor: dense networks by this program's own code, all others in ONNX Runtime.
    Cpu,
    /// The processor, in ONNX Runtime.
    Onnxruntime,
    /// CUDA, in ONNX Runtime.
    Cuda,
    /// TensorRT, in ONNX Runtime.
    Tensorrt,
    /// A plugin of ONNX Runtime.
    Plugin,
    /// What `reflexd compile` made.
    Compiled,
}

/// An engine to try a head on.
#[derive(Clone, Copy)]
struct Runner {
    provider: Provider,
    engine: &'static Engine,
    /// Nobody asked for it by name: where it is not to be had, nobody misses it.
    is_extra: bool,
}

/// The engines that are asked for; the processor first.
fn runners(which: Which, settings: &Settings) -> Result<Vec<Runner>, CliError> {
    use Provider::{Compiled, Cpu, Cuda, OnnxRuntime, Plugin, Tensorrt};
    let engine = daemon::engine(settings)?;
    let providers = match which {
        Which::All => &[Cpu, OnnxRuntime, Cuda, Tensorrt, Plugin, Compiled][..],
        Which::Cpu => &[Cpu],
        Which::Onnxruntime => &[OnnxRuntime],
        Which::Cuda => &[Cuda],
        Which::Tensorrt => &[Tensorrt],
        Which::Plugin => &[Plugin],
        Which::Compiled => &[Compiled],
    };
    let runner = |&provider| {
        let is_extra = which == Which::All && provider != Cpu;
        Runner { provider, engine, is_extra }
    };
    Ok(providers.iter().map(runner).collect())
}

impl Runner {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn version(&self) -> String {
        format!("ONNX Runtime {}", self.engine.version())
    }

    /// `None` if it is not to be had here, and nobody asked for it.
    fn load(&self, manifest: &Path, body: &Body) -> Option<Result<Head, HeadError>> {
        match Head::load_on(manifest, body, self.engine, self.provider) {
            Err(HeadError::Engine {
                source: EngineError::Provider { .. } | EngineError::Precision { .. },
                ..
            }) if self.is_extra => None,
            loaded => Some(loaded),
        }
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
        HeadCommand::Sign(arguments) => sign::run(arguments, out),
        HeadCommand::Import(arguments) => import::run(arguments, out),
    }
}
