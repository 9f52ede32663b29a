//! `reflexd eval`: a table of successes, the seeds of the failures, and the time that it took.

use std::io::{IsTerminal, Write};

use clap::Args;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde_json::json;

use super::{CliError, ConfigArguments, Exit};
use crate::{
    config::Settings,
    daemon,
    evaluation::{Evaluation, Tally, Task},
};

/// Arguments of `reflexd eval`.
#[derive(Debug, Args)]
pub(super) struct EvalArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The skill.
    #[arg(long)]
    skill: String,
    /// Episodes for each way to execute chunks.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    episodes: u64,
    /// Seed of the first episode; the others follow it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Steps executed of each chunk, one row each; absent shows 1, 4, 8 and what the head's manifest says.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=64))]
    execute: Vec<u32>,
    /// Exit with 1 if fewer than this share of the manifest's (or the last) row succeed.
    #[arg(long, value_name = "SHARE")]
    require: Option<f64>,
    /// Everything, episode by episode, as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &EvalArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config.config)?;
    let period_s = f64::from(settings.daemon.loop_.period_ms) / 1e3;
    let (robot, _) = daemon::guarded(&settings.robot_settings, period_s)?;
    let scene = daemon::scene(&settings.robot_settings)?;
    let registry = daemon::registry(&settings, period_s)?;
    let Some(mujoco) = &settings.robot_settings.mujoco else {
        return Err(CliError::Words("the robot has no [mujoco] table".into()));
    };
    let task = Task::load(&mujoco.scene, &arguments.skill)?;
    let Some(head) = registry.head(&arguments.skill) else {
        let known: Vec<&str> = registry.names().collect();
        let words = format!("--skill {}: unknown; there is {}", arguments.skill, known.join(", "));
        return Err(CliError::Words(words));
    };
    let standard = {
        let head = head.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        head.manifest().timing.execute_steps
    };
    let mut rows =
        if arguments.execute.is_empty() { vec![1, 4, 8] } else { arguments.execute.clone() };
    if arguments.execute.is_empty() && !rows.contains(&standard) {
        rows.push(standard);
    }
    let mut tallies = Vec::new();
    for execute in rows {
        let evaluation = Evaluation {
            robot,
            scene: &scene,
            registry: &registry,
            skill: &arguments.skill,
            task: &task,
            execute: Some(execute),
        };
        let mut bar = Progress::new(execute, arguments.episodes);
        let tally =
            evaluation.run(arguments.seed, arguments.episodes, |episode| bar.step(episode.success));
        bar.end();
        tallies.push(tally.map_err(CliError::Words)?);
    }
    if arguments.json {
        let tallies =
            json!({ "skill": arguments.skill, "execute_steps": standard, "rows": tallies });
        writeln!(out, "{}", super::json(&tallies)?)?;
    } else {
        write!(out, "{}", table(&arguments.skill, standard, &tallies))?;
    }
    let counted = tallies.iter().find(|tally| tally.execute_steps == standard).or(tallies.last());
    let share = counted.map_or(0.0, |tally| tally.successes as f64 / tally.episodes.len() as f64);
    let enough = arguments.require.is_none_or(|required| share >= required);
    Ok(if enough { Exit::Done } else { Exit::No })
}

fn table(skill: &str, standard: u32, tallies: &[Tally]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "steps executed",
        "succeeded",
        "median time",
        "limited ticks",
        "wall time",
        "x real time",
        "seeds that failed",
    ]);
    for tally in tallies {
        let mut times: Vec<f64> = tally.episodes.iter().map(|episode| episode.time_s).collect();
        times.sort_by(f64::total_cmp);
        let limited: u64 = tally.episodes.iter().map(|episode| episode.limited_ticks).sum();
        let failed: Vec<String> = tally.failures().map(|seed| seed.to_string()).collect();
        let mark = if tally.execute_steps == standard { " (manifest)" } else { "" };
        table.add_row([
            format!("{}{mark}", tally.execute_steps),
            format!("{} of {}", tally.successes, tally.episodes.len()),
            format!("{:.2} s", times[times.len() / 2]),
            format!("{:.1} an episode", limited as f64 / tally.episodes.len() as f64),
            format!("{:.2} s", tally.wall_s),
            format!("{:.0}", tally.speedup()),
            if failed.is_empty() { "none".into() } else { failed.join(" ") },
        ]);
    }
    format!("{skill}, in lockstep\n{table}\n")
}

/// A line on the terminal that grows; nothing where nobody looks.
struct Progress {
    execute: u32,
    episodes: u64,
    done: u64,
    succeeded: u64,
    shown: bool,
}

impl Progress {
    fn new(execute: u32, episodes: u64) -> Self {
        Self { execute, episodes, done: 0, succeeded: 0, shown: std::io::stderr().is_terminal() }
    }

    fn step(&mut self, success: bool) {
        self.done += 1;
        self.succeeded += u64::from(success);
        if self.shown {
            let (execute, done, all, good) =
                (self.execute, self.done, self.episodes, self.succeeded);
            let _ =
                write!(std::io::stderr(), "\r{execute} steps: {done} of {all}, {good} succeeded ");
        }
    }

    fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}
