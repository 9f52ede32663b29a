//! What the daemon's command line understands. Writes to what it is given; prints and exits nowhere.

mod acl;
mod check;
#[cfg(feature = "mujoco")]
mod child;
mod compile;
#[cfg(feature = "mujoco")]
mod demo;
#[cfg(feature = "mujoco")]
mod eval;
#[cfg(feature = "mujoco")]
mod gallery;
mod head;
mod host;
mod ik;
#[cfg(feature = "mujoco")]
mod playground;
mod progress;
mod registry;
mod replay;
#[cfg(feature = "mujoco")]
mod rollouts;
#[cfg(feature = "mujoco")]
mod soak;

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{
    config::{ConfigError, Settings},
    daemon::{self, DaemonError},
    head::HeadError,
    inference::EngineError,
};

/// How the daemon ends. systemd's unit and scripts know these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// It was done, and the answer is no: an episode failed, a host is bad, a head is refused.
    No = 1,
    /// The command line was not understood.
    Usage = 2,
    /// Something outside went wrong.
    Failed = 3,
    /// The configuration, or a file that it names, is broken: restarting does not help.
    Config = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The daemon, or what it is made of.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// A head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A policy that was to become a head.
    #[error(transparent)]
    Import(crate::importing::ImportError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The command line makes no sense for this robot.
    #[error("{0}")]
    Usage(String),
    /// In words.
    #[error("{0}")]
    Words(String),
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
}

impl CliError {
    /// The exit code that says so.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Head(_)
            | Self::Import(_)
            | Self::Daemon(
                DaemonError::Config(_)
                | DaemonError::Key(_)
                | DaemonError::Seal(_)
                | DaemonError::Description(_)
                | DaemonError::Head(_)
                | DaemonError::Router(_)
                | DaemonError::Scene { .. }
                | DaemonError::NotBuilt { .. },
            ) => Exit::Config,
            Self::Usage(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

/// A real-time robot policy runtime: decides nothing, does it on time.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Examples:
  reflexd run                              the daemon on a simulated Piper
  reflexd demo --out out/demo              watch it pick up a berry
  reflexd eval --skill pick_up --episodes 100 --seed 1
  reflexd ik --pose 0.3,0.1,0.2,0,2.8,0     which joints take the tool there?
  reflexd replay run.mcap                  is what was recorded the same once more?
  reflexd registry validate                is every skill what the registry says?
  reflexd check                            is the arm on its bus what the robot's file says?
  reflexd doctor                           is this machine fit for real time?

Operators use reflexctl: try `reflexctl --help`."
)]
pub struct Arguments {
    /// Log lines as JSON, for machines.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until SIGINT or SIGTERM; the robot is brought to rest first.
    #[command(
        after_help = "Examples:\n  reflexd run --config config/daemon.toml --listen tcp/0.0.0.0:7447\n  reflexd run --backend piper"
    )]
    Run(RunArguments),
    /// Start a daemon on the simulated robot, have it pick up a berry, and make pictures of it.
    #[cfg(feature = "mujoco")]
    #[command(after_help = "Example:\n  reflexd demo --out out/demo")]
    Demo(demo::DemoArguments),
    /// Run episodes of a skill in lockstep, much faster than real time, and count successes.
    #[cfg(feature = "mujoco")]
    #[command(after_help = "Examples:
  reflexd eval --skill pick_up --episodes 100 --seed 1
  reflexd eval --skill pick_up --episodes 1 --seed 42 --execute 8 --json
  reflexd eval --skill run_around --episodes 20 --stratum push --media out/push")]
    Eval(eval::EvalArguments),
    /// Play episodes of a skill and write them as data to train on; a run that was interrupted goes on.
    #[cfg(feature = "mujoco")]
    #[command(after_help = "Examples:
  reflexd rollouts --skill pick_up --episodes 50 --out out/pick_up
  reflexd rollouts --skill pick_up --episodes 50 --format lerobot --size 320x240 \\
    --instruction 'pick up the berry' --instruction 'grab the berry' --out out/berry
  reflexd rollouts --skill walk_to --stratum noise --succeeded-only --out out/noise")]
    Rollouts(rollouts::RolloutsArguments),
    /// Play an episode of every skill, take pictures of it, and write the page that shows them.
    #[cfg(feature = "mujoco")]
    #[command(after_help = "Examples:
  reflexd gallery --config config/daemon.toml
  reflexd gallery --page-only              after `reflexd registry record`")]
    Gallery(gallery::GalleryArguments),
    /// Try a simulated robot for hours: decisions, operators who come and go, e-stops, a machine under load; and tell how
    /// punctual it was.
    #[cfg(feature = "mujoco")]
    #[command(after_help = "Examples:
  reflexd soak --minutes 5
  reflexd soak --minutes 600 --seed 7 --out out/soak --json
  reflexd soak --minutes 1 --no-stress --strict")]
    Soak(soak::SoakArguments),
    /// Look at heads, prove them, measure them, make them of other formats.
    #[command(subcommand)]
    Head(head::HeadCommand),
    /// Look at the policy registry, pin its heads, record evaluations.
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    /// Build a TensorRT engine of a head, ahead of time.
    Compile(compile::CompileArguments),
    /// Look at TensorRT's library, in a process that has nothing to lose.
    #[command(name = "probe-tensorrt", hide = true)]
    Probe(compile::ProbeArguments),
    /// Execute the law once more from a recording: is everything the same, to the bit?
    Replay(replay::ReplayArguments),
    /// What is in recordings: ticks, faults, gaps.
    Recordings(replay::RecordingsArguments),
    /// Finish a recording that a crash has cut off.
    Recover(replay::RecoverArguments),
    /// Which joints put the tool on a pose: every way, and why each other one was not chosen.
    Ik(ik::IkArguments),
    /// Grade this machine for real-time work, and say how to mend what is found.
    Doctor(host::DoctorArguments),
    /// Look at the arm on its bus before the first motion: is it what the robot's file says? Nothing is moved.
    Check(check::CheckArguments),
    /// Print who may send what, as zenoh's access control: of this daemon, or for a zenoh router in between.
    Acl(acl::AclArguments),
    /// Print the configuration as it was understood.
    Config(ConfigArguments),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigArguments {
    /// The daemon's configuration.
    #[arg(long, value_name = "FILE", default_value = "config/daemon.toml")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct RunArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Drive this robot instead of the configuration's: mujoco, piper or loopback.
    #[arg(long, value_name = "BACKEND")]
    backend: Option<crate::config::BackendKind>,
    /// Listen on these zenoh endpoints instead of the configuration's.
    #[arg(long, value_name = "ENDPOINT")]
    listen: Vec<String>,
}

/// Sends log lines to standard error: `RUST_LOG` chooses, `info` is the default.
pub fn log_to_stderr(arguments: &Arguments) {
    let quiet = !matches!(arguments.command, Command::Run(_));
    let default =
        if quiet { "warn,zenoh::net=error" } else { "info,k=warn,zenoh=warn,zenoh::net=error" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    // A second subscriber in one process is refused; the first one goes on.
    let _ = if arguments.log_json { log.json().try_init() } else { log.try_init() };
}

/// Carries out a command line.
///
/// # Errors
/// What kept it from being carried out.
pub fn run(arguments: &Arguments, out: &mut impl Write) -> Result<Exit, CliError> {
    match &arguments.command {
        Command::Run(arguments) => run_daemon(arguments, out),
        #[cfg(feature = "mujoco")]
        Command::Demo(arguments) => demo::run(arguments, out),
        #[cfg(feature = "mujoco")]
        Command::Eval(arguments) => eval::run(arguments, out),
        #[cfg(feature = "mujoco")]
        Command::Rollouts(arguments) => rollouts::run(arguments, out),
        #[cfg(feature = "mujoco")]
        Command::Gallery(arguments) => gallery::run(arguments, out),
        #[cfg(feature = "mujoco")]
        Command::Soak(arguments) => soak::run(arguments, out),
        Command::Head(command) => head::run(command, out),
        Command::Registry(command) => registry::run(command, out),
        Command::Compile(arguments) => compile::run(arguments, out),
        Command::Probe(arguments) => compile::probe(arguments, out),
        Command::Replay(arguments) => replay::replay(arguments, out),
        Command::Recordings(arguments) => replay::recordings(arguments, out),
        Command::Recover(arguments) => replay::recover(arguments, out),
        Command::Ik(arguments) => ik::run(arguments, out),
        Command::Doctor(arguments) => host::run(arguments, out),
        Command::Check(arguments) => check::run(arguments, out),
        Command::Acl(arguments) => acl::run(arguments, out),
        Command::Config(arguments) => {
            let settings = Settings::load(&arguments.config)?;
            writeln!(out, "{}", json(&settings)?)?;
            Ok(Exit::Done)
        }
    }
}

fn run_daemon(arguments: &RunArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let mut settings = Settings::load_as(&arguments.config.config, arguments.backend)?;
    if !arguments.listen.is_empty() {
        settings.daemon.zenoh.listen.clone_from(&arguments.listen);
        settings.check()?;
    }
    let timing = daemon::run(&settings)?;
    writeln!(out, "{}", json(&timing)?)?;
    Ok(Exit::Done)
}

fn json(value: &impl serde::Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).map_err(|error| CliError::Words(error.to_string()))
}
