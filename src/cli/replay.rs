//! `reflexd replay`, `reflexd recordings`, `reflexd recover`: what was recorded, whether it is the same once more, and what is
//! left of it after a crash.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::{Value, json};

use super::{CliError, Exit, progress::Progress};
use crate::{
    config::Settings,
    daemon,
    recorder::{self, Contents, Replayed},
};

/// A table wider than this is not read.
const WIDTH: u16 = 120;

/// Arguments of `reflexd replay`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: everything that could be executed once more is the same, to the bit. 1: it is not; the first
difference is told. 3: the file cannot be read, or holds nothing that could be executed.

Examples:
  reflexd replay out/recordings/piper-000012-box-20261129T163012Z.mcap
  reflexd replay --json run.mcap | jq .first
  reflexd replay --config config/daemon.toml run.mcap    with this configuration's robot: do its limits differ?"
)]
pub(super) struct ReplayArguments {
    /// The recording; one that a crash has cut off will do.
    file: PathBuf,
    /// Put the robot of this configuration under the law, instead of the one that was recorded.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `reflexd recordings`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1 says that a file is damaged or was not finished, 3 that one cannot be read.

Examples:
  reflexd recordings out/recordings
  reflexd recordings run.mcap --json"
)]
pub(super) struct RecordingsArguments {
    /// Recordings, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `reflexd recover`.
#[derive(Debug, Args)]
#[command(after_help = "A daemon does the same at its start, with what it finds in its own folder.

Example:
  reflexd recover cut.mcap --out whole.mcap")]
pub(super) struct RecoverArguments {
    /// What a crash has left.
    file: PathBuf,
    /// The new file; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Tells how far a file has been read, on a terminal.
fn bar() -> impl FnMut(u64, u64) {
    let mut bar = Progress::new("reading", 100, 0);
    let mut done = 0;
    move |bytes, all| {
        let percent = bytes * 100 / all.max(1);
        while done < percent {
            done += 1;
            bar.step(&format!("{} of {} kB", bytes / 1000, all / 1000));
        }
        if bytes >= all {
            bar.end();
        }
    }
}

fn unreadable(file: &Path, error: &recorder::Unreadable) -> CliError {
    CliError::Words(format!("{}: {error}", file.display()))
}

pub(super) fn replay(arguments: &ReplayArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let file = &arguments.file;
    let robot = match &arguments.config {
        None => None,
        Some(config) => {
            let settings = Settings::load(config)?;
            let period_s = f64::from(settings.daemon.loop_.period_ms) / 1e3;
            let (robot, _) = daemon::guarded(&settings.robot_settings, period_s)?;
            Some(settings.daemon.authority.over(robot))
        }
    };
    let replayed = recorder::replay(file, robot.as_ref(), &mut bar())
        .map_err(|error| unreadable(file, &error))?;
    let exit = match &replayed {
        replayed if replayed.is_equal() => Exit::Done,
        Replayed { checked: 0, .. } => Exit::Failed,
        _ => Exit::No,
    };
    if arguments.json {
        let mut told = json!(replayed);
        told["file"] = json!(file);
        told["bit_equal"] = json!(replayed.is_equal());
        writeln!(out, "{}", super::json(&told)?)?;
    } else {
        write!(out, "{}", replay_words(file, &replayed))?;
    }
    Ok(exit)
}

fn replay_words(file: &Path, replayed: &Replayed) -> String {
    let of = |key: &str| replayed.about.get(key).map_or("?", String::as_str);
    let mut text =
        format!("{}: {}, recorded by reflexd {}\n", file.display(), of("robot"), of("version"));
    let Replayed { checked, unchecked, different, gaps, strange, damaged_chunks, .. } = replayed;
    let mut say = |line: String| {
        text += &line;
        text.push('\n');
    };
    match &replayed.first {
        None if *checked == 0 => say("nothing in it could be executed once more".into()),
        None => say(format!(
            "all {checked} ticks that were executed once more are the same, to the bit"
        )),
        Some(first) => {
            say(format!(
                "tick {} ({:.3} s): {} was {}, and is {} now",
                first.seq,
                first.at_ns as f64 / 1e9,
                first.field,
                first.recorded,
                first.now
            ));
            say(format!(
                "{different} of {checked} ticks differ; after one of them it goes on at the next memory"
            ));
        }
    }
    if *gaps > 0 {
        say(format!("{gaps} gaps: ticks that were not written down"));
    }
    if *unchecked > 0 {
        say(format!(
            "{unchecked} ticks were left out: what the law remembered before them is not in the file"
        ));
    }
    if *strange > 0 {
        say(format!("{strange} entries mean nothing to this version of reflexd"));
    }
    if *damaged_chunks > 0 {
        say(format!("{damaged_chunks} chunks are damaged, and were left out"));
    }
    if let Some(cut) = &replayed.cut {
        say(format!("not finished: {cut}"));
    }
    let version = env!("CARGO_PKG_VERSION");
    if (*strange > 0 || replayed.first.is_some()) && of("version") != version {
        say(format!("this is reflexd {version}: what differs may be the law itself"));
    }
    text
}

pub(super) fn recordings(
    arguments: &RecordingsArguments,
    out: &mut impl Write,
) -> Result<Exit, CliError> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        let cannot = |error| CliError::Words(format!("{}: {error}", path.display()));
        if path.is_dir() {
            let mut inside = Vec::new();
            for entry in fs::read_dir(path).map_err(cannot)? {
                inside.push(entry.map_err(cannot)?.path());
            }
            inside.retain(|path| path.extension().is_some_and(|end| end == "mcap"));
            inside.sort();
            files.extend(inside);
        } else {
            files.push(path.clone());
        }
    }
    let (mut told, mut exit) = (Vec::new(), Exit::Done);
    for file in files {
        let found = recorder::contents(&file, &mut bar());
        match &found {
            Ok(found) if (found.cut.is_none() || found.in_use) && found.damaged_chunks == 0 => {}
            Ok(_) if exit == Exit::Done => exit = Exit::No,
            Ok(_) => {}
            Err(_) => exit = Exit::Failed,
        }
        let bytes = fs::metadata(&file).map_or(0, |about| about.len());
        told.push((file, bytes, found));
    }
    if arguments.json {
        let told: Vec<Value> = told
            .iter()
            .map(|(file, bytes, found)| match found {
                Ok(found) => {
                    let mut told = json!(found);
                    told["file"] = json!(file);
                    told["bytes"] = json!(bytes);
                    told
                }
                Err(error) => json!({ "file": file, "bytes": bytes, "error": error.to_string() }),
            })
            .collect();
        writeln!(out, "{}", super::json(&told)?)?;
        return Ok(exit);
    }
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(["file", "kB", "ticks", "s", "gaps", "what is in it"]);
    for (file, bytes, found) in &told {
        let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        let kb = (bytes / 1000).to_string();
        match found {
            Ok(found) => table.add_row([
                name,
                kb,
                ticks(found),
                format!("{:.1}", found.duration_s),
                found.gaps.to_string(),
                said_of(found),
            ]),
            Err(error) => {
                table.add_row([name, kb, "?".into(), "?".into(), "?".into(), error.to_string()])
            }
        };
    }
    writeln!(out, "{table}")?;
    Ok(exit)
}

fn ticks(found: &Contents) -> String {
    match (found.first_seq, found.last_seq) {
        (Some(first), Some(last)) => format!("{}: {first} to {last}", found.ticks),
        _ => "none".into(),
    }
}

fn said_of(found: &Contents) -> String {
    let mut lines = Vec::new();
    let why = found.about.get("why").filter(|why| !why.is_empty());
    lines.extend(why.map(|why| format!("black box: {why}")));
    lines.extend(
        found.faults.iter().map(|trouble| format!("tick {}: {}", trouble.seq, trouble.what)),
    );
    if found.damaged_chunks > 0 {
        lines.push(format!("{} damaged chunks", found.damaged_chunks));
    }
    match &found.cut {
        Some(_) if found.in_use => lines.push("is being written".into()),
        Some(cut) => lines.push(format!("not finished: {cut}")),
        None => {}
    }
    lines.join("\n")
}

pub(super) fn recover(
    arguments: &RecoverArguments,
    out: &mut impl Write,
) -> Result<Exit, CliError> {
    let mended = recorder::mend(&arguments.file, &arguments.out)
        .map_err(|error| CliError::Words(error.to_string()))?;
    writeln!(
        out,
        "{}: {} messages; {} damaged chunks were left out",
        arguments.out.display(),
        mended.messages,
        mended.damaged
    )?;
    Ok(Exit::Done)
}
