//! `reflexd registry`: is the policy registry what it says, and what does it say?

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};

use super::{CliError, ConfigArguments, Exit, json};
use crate::{
    action::Body,
    config::Settings,
    daemon::{self, DaemonError},
    head::Head,
    skill::registry::{self, Bench, EvaluationRecord, RegistryFile, Report, Status},
};

/// Commands about the policy registry.
#[derive(Debug, Subcommand)]
pub(super) enum RegistryCommand {
    /// Look at every path, digest, alias, shape, bound, evaluation record and picture; run the golden vectors. Exit code 1
    /// says that something is missing or wrong.
    #[command(after_help = "Examples:
  reflexd registry validate
  reflexd registry validate models/policy_registry.json --json")]
    Validate(FileArguments),
    /// Write the digests of the heads, as they lie there now, into the registry; says what changed.
    #[command(after_help = "Example, after training:
  reflexd registry pin && reflexd registry validate")]
    Pin(FileArguments),
    /// Write the record of an evaluation into the registry; it counts for the network that is pinned now.
    #[command(after_help = "Example:
  reflexd registry record pick_up --episodes 200 --successes 199 \\
    --conditions 'lifted 80 mm and held for 1 s; unseen seeds' \\
    --command 'reflexd eval --skill pick_up --episodes 200 --seed 1'")]
    Record(RecordArguments),
    /// Print the skills, their aliases and policies.
    #[command(after_help = "Example:\n  reflexd registry show --json")]
    Show(FileArguments),
}

#[derive(Debug, Args)]
pub(super) struct FileArguments {
    /// The registry; the configuration's, if left out.
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RecordArguments {
    /// The skill.
    skill: String,
    /// Which of its policies; the active one, if left out.
    #[arg(long)]
    policy: Option<String>,
    /// How many episodes there were.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    episodes: u32,
    /// In how many it succeeded.
    #[arg(long)]
    successes: u32,
    /// What counted as a success, and under which conditions.
    #[arg(long)]
    conditions: String,
    /// The command that repeats it.
    #[arg(long)]
    command: String,
    /// The registry; the configuration's, if left out.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
}

pub(super) fn run(command: &RegistryCommand, out: &mut impl Write) -> Result<Exit, CliError> {
    match command {
        RegistryCommand::Validate(arguments) => validate(arguments, out),
        RegistryCommand::Pin(arguments) => pin(arguments, out),
        RegistryCommand::Record(arguments) => record(arguments, out),
        RegistryCommand::Show(arguments) => show(arguments, out),
    }
}

/// The file that is meant.
fn file(given: Option<&PathBuf>, settings: &Settings) -> Result<PathBuf, CliError> {
    let file = given.or(settings.daemon.registry.as_ref());
    let none = || {
        let of = settings.file.display();
        CliError::Usage(format!("{of} names no registry: name one"))
    };
    file.cloned().ok_or_else(none)
}

fn validate(arguments: &FileArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config.config)?;
    let file = file(arguments.file.as_ref(), &settings)?;
    let body = Body::load(&settings.robot_settings).map_err(DaemonError::from)?;
    let load = |manifest: &Path| Ok(Head::load(manifest, &body, daemon::engine(&settings)?)?);
    let period_s = f64::from(settings.daemon.loop_.period_ms) / 1e3;
    let bench = Bench { body: &body, period_s, load: &load };
    let report = registry::validate(&file, Some(&bench));
    if arguments.json {
        writeln!(out, "{}", json(&report)?)?;
    } else {
        tell(&file, &report, out)?;
    }
    Ok(if report.is_good() { Exit::Done } else { Exit::No })
}

fn tell(file: &Path, report: &Report, out: &mut impl Write) -> Result<(), CliError> {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "skill", "robot", "policy", "status", "files", "digests", "proof", "record", "pictures",
    ]);
    for row in &report.policies {
        table.add_row([
            &row.skill,
            &row.robot,
            &row.policy,
            row.status.as_str(),
            row.files.as_str(),
            row.digests.as_str(),
            row.proof.as_str(),
            row.record.as_str(),
            row.pictures.as_str(),
        ]);
    }
    writeln!(out, "{}", file.display())?;
    if !report.policies.is_empty() {
        writeln!(out, "{table}")?;
    }
    for finding in &report.findings {
        writeln!(out, "{}: {}: {}", finding.verdict.as_str(), finding.key, finding.what)?;
    }
    let Report { checked, missing, wrong, .. } = report;
    writeln!(out, "checked {checked}, missing {missing}, wrong {wrong}")?;
    Ok(())
}

fn pin(arguments: &FileArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config.config)?;
    let file = file(arguments.file.as_ref(), &settings)?;
    let changes = registry::pin(&file).map_err(DaemonError::from)?;
    if arguments.json {
        writeln!(out, "{}", json(&changes)?)?;
        return Ok(Exit::Done);
    }
    for change in &changes {
        let before = change.before.as_deref().unwrap_or("absent");
        writeln!(out, "{}\n  {before}\n  -> {}", change.key, change.after)?;
    }
    writeln!(out, "{}: {} changed", file.display(), changes.len())?;
    Ok(Exit::Done)
}

fn record(arguments: &RecordArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config.config)?;
    let path = file(arguments.file.as_ref(), &settings)?;
    let robot = settings.robot_settings.name.as_str();
    let file = RegistryFile::load(&path)?;
    let (successes, episodes) = (arguments.successes, arguments.episodes);
    if successes > episodes {
        return Err(CliError::Usage(format!("{successes} successes of {episodes} episodes")));
    }
    let policy = file.policies().find(|(skill, on, _, policy)| {
        let meant = match &arguments.policy {
            Some(name) => policy.name == *name,
            None => policy.status == Status::Active,
        };
        *skill == arguments.skill && *on == robot && meant
    });
    let pinned = policy.and_then(|(.., policy)| Some((policy, policy.onnx_sha256.clone()?)));
    let Some((policy, onnx_sha256)) = pinned else {
        let words = format!(
            "{} has no pinned head for {} on {robot}: `reflexd registry pin`, or --policy",
            path.display(),
            arguments.skill
        );
        return Err(CliError::Usage(words));
    };
    let record = EvaluationRecord {
        episodes,
        successes,
        conditions: arguments.conditions.clone(),
        command: arguments.command.clone(),
        onnx_sha256,
    };
    let of = [arguments.skill.as_str(), robot, policy.name.as_str()];
    registry::record(&path, of, &record).map_err(DaemonError::from)?;
    writeln!(out, "{}: {} succeeded in {successes} of {episodes}", path.display(), policy.name)?;
    Ok(Exit::Done)
}

fn show(arguments: &FileArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config.config)?;
    let file = RegistryFile::load(&file(arguments.file.as_ref(), &settings)?)?;
    if arguments.json {
        writeln!(out, "{}", json(&file)?)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["skill", "aliases", "robot", "policy", "status", "lane", "evaluation"]);
    for (skill, robot, _, policy) in file.policies() {
        let aliases = file.aliases.iter().filter(|(_, of)| *of == skill);
        let aliases: Vec<&str> = aliases.map(|(alias, _)| alias.as_str()).collect();
        let record = policy.evaluation.as_ref();
        let record = record.map_or_else(String::new, |record| {
            format!("{} of {}", record.successes, record.episodes)
        });
        let (name, status) = (policy.name.clone(), policy.status.as_str().to_owned());
        let lane = policy.lane.clone();
        table.add_row([skill.into(), aliases.join(" "), robot.into(), name, status, lane, record]);
    }
    writeln!(out, "{table}")?;
    Ok(Exit::Done)
}
