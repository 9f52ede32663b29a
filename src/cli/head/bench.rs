//! `reflexd head bench`: how long does a head take on this machine, and where does the time go?

use std::{io::Write, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde_json::{Value, json};

use super::{CliError, ConfigArguments, Exit, Which, robot, runners};
use crate::head::{Bench, Manifest, Pace, Spread};

/// Runs unless told: enough for a p99.9, and a quarter of a minute at 20 Hz.
const RUNS: u64 = 2000;
const RUNS_PACED: u64 = 300;

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchArguments {
    /// The head's manifest.
    #[arg(value_name = "FILE")]
    manifest: PathBuf,
    /// How many runs are counted: 2000 unless told, 300 at 20 Hz.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,
    /// How often it is run.
    #[arg(long, default_value = "back-to-back")]
    pace: PaceArgument,
    /// On which engines.
    #[arg(long, default_value = "all")]
    engine: Which,
    #[command(flatten)]
    config: ConfigArguments,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PaceArgument {
    /// One run after the other.
    BackToBack,
    /// Twenty in a second, as the loop does it: caches are cold.
    #[value(name = "20hz")]
    Loop,
}

pub(super) fn run(arguments: &BenchArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let (settings, body) = robot(&arguments.config)?;
    let (pace, usual) = match arguments.pace {
        PaceArgument::BackToBack => (Pace::BackToBack, RUNS),
        PaceArgument::Loop => (Pace::Every(Duration::from_millis(50)), RUNS_PACED),
    };
    let runs = arguments.runs.unwrap_or(usual);
    let mut engines = Vec::new();
    for runner in runners(arguments.engine, &settings)? {
        let Some(loaded) = runner.load(&arguments.manifest, &body) else { continue };
        let mut head = loaded?;
        let bench = head.bench(runs, pace)?;
        let manifest = head.manifest();
        if arguments.json {
            engines.push(json!({
                "engine": runner.name(),
                "version": runner.version(),
                "head": manifest.name,
                "pace": format!("{pace:?}"),
                "runs": bench.runs,
                "whole": spread(&bench.whole),
                "packing": spread(&bench.packing),
                "network": spread(&bench.network),
                "lowering": spread(&bench.lowering),
                "deadline_ms": manifest.timing.deadline_ms,
                "beyond_deadline": bench.beyond_deadline,
            }));
        } else {
            writeln!(out, "{} on {}, {}", manifest.name, runner.name(), runner.version())?;
            write!(out, "{}", table(&bench, manifest))?;
        }
    }
    if arguments.json {
        writeln!(out, "{}", crate::cli::json(&json!({ "engines": engines }))?)?;
    }
    Ok(Exit::Done)
}

fn spread(of: &Spread) -> Value {
    json!({
        "p50_us": of.p50_us,
        "p90_us": of.p90_us,
        "p99_us": of.p99_us,
        "p99_9_us": of.p99_9_us,
        "max_us": of.max_us,
    })
}

fn table(bench: &Bench, manifest: &Manifest) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["us", "p50", "p90", "p99", "p99.9", "max", "share of p50"]);
    let whole = bench.whole.p50_us;
    for (name, part) in [
        ("observation packed", &bench.packing),
        ("network", &bench.network),
        ("lowered to joints", &bench.lowering),
        ("whole", &bench.whole),
    ] {
        let share = format!("{:.0} %", 100.0 * part.p50_us / whole);
        let numbers = [part.p50_us, part.p90_us, part.p99_us, part.p99_9_us, part.max_us];
        let mut row = vec![name.to_owned()];
        row.extend(numbers.map(|us| format!("{us:.1}")));
        row.push(share);
        table.add_row(row);
    }
    let deadline_us = manifest.timing.deadline_ms * 1e3;
    format!(
        "{table}\n{} runs; timing.deadline_ms = {} is {:.1} times the p99.9; {} of them took longer\n",
        bench.runs,
        manifest.timing.deadline_ms,
        deadline_us / bench.whole.p99_9_us,
        bench.beyond_deadline
    )
}
