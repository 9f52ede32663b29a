//! `reflexd doctor`: is this machine fit for real time?

use std::{io::Write, path::PathBuf};

use clap::Args;
use reflex::realtime;

use super::{CliError, ConfigArguments, Exit};
use crate::{
    config::Settings,
    doctor::{Grade, Question, examine},
    inference::{self, Engine},
};

/// A table wider than this is not read.
const WIDTH: u16 = 110;

/// Arguments of `reflexd doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 says that something is bad: fit for simulation only.

Examples:
  reflexd doctor
  reflexd doctor --json | jq '.findings[] | select(.grade == \"bad\")'")]
pub(super) struct DoctorArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &DoctorArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config.config)?;
    let wanted = &settings.daemon.loop_;
    let library =
        settings.daemon.inference.library.clone().or_else(|| inference::find_library().ok());
    let engine = library.as_deref().and_then(|library| Engine::start(library).ok());
    let defaults = Question::default();
    let diagnosis = examine(&Question {
        realtime: realtime::Settings {
            priority: wanted.fifo_priority,
            cpu: wanted.cpu,
            lock_memory: wanted.lock_memory,
            ..defaults.realtime
        },
        mujoco: above("third_party/mujoco/libmujoco.so"),
        onnxruntime: library.into_iter().collect(),
        providers: engine.map_or_else(Vec::new, |engine| {
            engine.providers().into_iter().map(str::to_owned).collect()
        }),
        engine: settings.daemon.inference.engine,
    });
    if arguments.json {
        writeln!(out, "{}", super::json(&diagnosis)?)?;
    } else {
        write!(out, "{}", diagnosis.table(WIDTH))?;
    }
    Ok(if diagnosis.grade == Grade::Bad { Exit::No } else { Exit::Done })
}

/// A file below the current folder, or below one above the executable.
fn above(file: &str) -> Vec<PathBuf> {
    let here = std::env::current_dir().ok();
    let executable = std::env::current_exe().ok();
    let folders = executable.iter().flat_map(|path| path.ancestors().skip(1)).map(PathBuf::from);
    here.into_iter().chain(folders).map(|folder| folder.join(file)).collect()
}
