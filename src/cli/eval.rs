//! `reflexd eval`: a table of successes by condition, the seeds of the failures, and pictures of them.

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
    sync::PoisonError,
};

use clap::Args;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use motion::Seam;
use reflex::Delivery;
use serde_json::json;

use super::{
    CliError, ConfigArguments, Exit,
    playground::{Changes, Playground},
    progress::Progress,
};
use crate::{
    evaluation::{Conditions, Episode, Evaluation, Joining, Smoothness, Tally, median},
    observation::FeatureName,
};
use media::Media;

pub(super) mod media;

/// Seeds that the words below a table name; `--json` has all of them.
const FAILURES_TOLD: usize = 12;

/// Arguments of `reflexd eval`.
#[derive(Debug, Args)]
pub(super) struct EvalArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The skill.
    #[arg(long)]
    skill: String,
    /// The task of the scene's evaluation file that it is given; absent is the one of its own name.
    #[arg(long)]
    task: Option<String>,
    /// Another scene for the same robot, with its evaluation file beside it.
    #[arg(long, value_name = "FILE")]
    scene: Option<PathBuf>,
    /// The loop's period; absent is the one that the skill's head was made for.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    period_ms: Option<u32>,
    /// Episodes for each row.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    episodes: u64,
    /// Seed of the first episode; the others follow it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Conditions of the scene's evaluation file, one row each; `all` is every one of them.
    #[arg(long, value_delimiter = ',', default_value = "clean")]
    stratum: Vec<String>,
    /// Steps executed of each chunk, one row each; absent is what the head's manifest says.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=64))]
    execute: Vec<u32>,
    /// Ticks by which chunks reach the law late, beyond what the stratum says; one row each.
    #[arg(long, value_delimiter = ',', default_value = "0", value_parser = clap::value_parser!(u32).range(..=64))]
    delay: Vec<u32>,
    /// Ask for chunks as many ticks ahead as they are late: a head that is told its delay is told this.
    #[arg(long)]
    ahead: bool,
    /// How chunks are joined, one row each: cut, fade:TICKS, ensemble:COEFFICIENT, prefix:TICKS, roll:TICKS; absent is what
    /// the head's manifest says.
    #[arg(long, value_delimiter = ',')]
    seam: Vec<Joining>,
    /// Exit with 1 if fewer than this share of any row succeed.
    #[arg(long, value_name = "SHARE")]
    require: Option<f64>,
    /// A contact sheet and an animated picture of each row in this folder: of its first failure, or else of its first
    /// episode.
    #[arg(long, value_name = "FOLDER")]
    media: Option<PathBuf>,
    /// Everything, episode by episode, as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &EvalArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let playground = Playground::load(&arguments.config.config, &arguments.changes())?;
    let (registry, tasks) = (&playground.registry, &playground.tasks);
    let (skill, task) = playground.skill(&arguments.skill, arguments.task.as_deref())?;
    let told = registry.head(skill).is_some_and(|head| {
        let head = head.lock().unwrap_or_else(PoisonError::into_inner);
        head.manifest().sees(FeatureName::Prefix)
    });
    let untold = |way: &&Joining| !told && matches!(way.seam, Seam::Prefix { .. });
    if let Some(way) = arguments.seam.iter().find(untold) {
        let words = format!(
            "--seam {way}: the head of {} sees no `prefix`, so it cannot go on from one; take another way",
            arguments.skill
        );
        return Err(CliError::Words(words));
    }
    let mut rows = Vec::new();
    let executes: Vec<Option<u32>> = match arguments.execute.as_slice() {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    for stratum in tasks.strata(&arguments.stratum)? {
        for conditions in conditions(arguments, &executes) {
            rows.push(playground.evaluation([skill, task], stratum, conditions));
        }
    }
    let mut tallies = Vec::new();
    for row in &rows {
        let mut bar = Progress::new(&row.stratum.name, arguments.episodes, 0);
        let mut succeeded = 0;
        let tally = row.run(arguments.seed, arguments.episodes, |episode| {
            succeeded += u64::from(episode.success);
            bar.step(&format!("{succeeded} succeeded"));
        });
        bar.end();
        let tally = tally.map_err(CliError::Words)?;
        if let Some(folder) = &arguments.media {
            let media = pictures(&playground, row, &tally, folder)?;
            tracing::info!(sheet = %media.sheet.display(), film = %media.film.display(), "drawn");
        }
        tallies.push(tally);
    }
    if arguments.json {
        let told = json!({ "skill": skill, "seed": arguments.seed, "rows": tallies });
        writeln!(out, "{}", super::json(&told)?)?;
    } else {
        write!(out, "{}", table(skill, &tallies))?;
    }
    let enough = |required| tallies.iter().all(|tally| tally.share() >= required);
    Ok(if arguments.require.is_none_or(enough) { Exit::Done } else { Exit::No })
}

impl EvalArguments {
    fn changes(&self) -> Changes<'_> {
        let Self { scene, period_ms, .. } = self;
        Changes { skill: Some(&self.skill), scene: scene.as_deref(), period_ms: *period_ms }
    }
}

/// Pictures of the first episode of a row that failed, or of its first one.
fn pictures(
    playground: &Playground,
    row: &Evaluation<'_>,
    tally: &Tally,
    folder: &Path,
) -> Result<Media, CliError> {
    let failed = tally.episodes.iter().find(|episode| !episode.success);
    let Some(episode) = failed.or(tally.episodes.first()) else {
        return Err(CliError::Words(format!("{}: no episode, no pictures", folder.display())));
    };
    let robot = &playground.settings.robot_settings.name;
    let stem = format!(
        "{robot}-{}-{}-{}-{}-{}",
        row.skill, tally.stratum, tally.execute_steps, tally.delay_ticks, episode.seed
    );
    media::draw(row, episode, &playground.view(row.task)?, &folder.join(stem))
}

/// Every way to execute, join and deliver chunks that was asked for, the delay counting fastest.
fn conditions(arguments: &EvalArguments, executes: &[Option<u32>]) -> Vec<Conditions> {
    let joinings: Vec<Option<Joining>> = match arguments.seam.as_slice() {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    let mut all = Vec::new();
    for &execute in executes {
        for &joining in &joinings {
            all.extend(arguments.delay.iter().map(|delay| {
                let delivery = Delivery::late(*delay);
                Conditions { execute, delivery, ahead: arguments.ahead, joining }
            }));
        }
    }
    all
}

fn table(skill: &str, tallies: &[Tally]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "stratum",
        "steps",
        "seam",
        "late",
        "ahead",
        "succeeded",
        "95 %",
        "median time",
        "limited",
        "barred",
        "acceleration",
        "jerk",
        "tracking",
        "faults",
        "x real time",
    ]);
    for tally in tallies {
        let episodes = tally.episodes.len();
        let mean = |count: fn(&Episode) -> u64| {
            tally.episodes.iter().map(count).sum::<u64>() as f64 / episodes as f64
        };
        let typical = |figure: fn(&Smoothness) -> f64| {
            median(tally.episodes.iter().map(|episode| figure(&episode.motion))).unwrap_or(f64::NAN)
        };
        let done = tally.episodes.iter().filter(|episode| episode.success);
        let [low, high] = tally.wilson_95.map(|share| share * 100.0);
        table.add_row([
            tally.stratum.clone(),
            tally.execute_steps.to_string(),
            tally.seam.clone().unwrap_or_else(|| "manifest".into()),
            tally.delay_ticks.to_string(),
            tally.lead_ticks.to_string(),
            format!("{} of {episodes}", tally.successes),
            format!("{low:.1} .. {high:.1}"),
            median(done.map(|episode| episode.time_s)).map_or("-".into(), |s| format!("{s:.2} s")),
            format!("{:.1}", mean(|episode| episode.limited_ticks)),
            format!("{:.1}", mean(|episode| episode.barred_ticks)),
            format!("{:.1}", typical(|motion| motion.acceleration_max)),
            format!("{:.0}", typical(|motion| motion.jerk_max)),
            format!("{:.1}", typical(|motion| motion.tracking_rms) * 1e3),
            tally.episodes.iter().filter(|episode| episode.faulted).count().to_string(),
            format!("{:.0}", tally.speedup()),
        ]);
    }
    let units = "limited, barred: ticks of an episode, mean; acceleration (rad/s2), jerk (rad/s3): peak of an episode's \
                 commands, median; tracking: rms, mrad, median";
    format!("{skill}, in lockstep\n{table}\n{units}\n{}", failures(tallies))
}

fn failures(tallies: &[Tally]) -> String {
    let mut words = String::new();
    for tally in tallies {
        let failed: Vec<&Episode> = tally.episodes.iter().filter(|one| !one.success).collect();
        if failed.is_empty() {
            continue;
        }
        let _ = write!(words, "failed, {} ({} steps):", tally.stratum, tally.execute_steps);
        for episode in failed.iter().take(FAILURES_TOLD) {
            let why = episode.trouble.as_deref().unwrap_or("too slow");
            let _ = write!(words, " {} ({why})", episode.seed);
        }
        let more = failed.len().saturating_sub(FAILURES_TOLD);
        let _ = writeln!(
            words,
            "{}",
            if more > 0 { format!(" and {more} more") } else { String::new() }
        );
    }
    words
}
