//! `reflexd head check`: are heads what their manifests say, on this machine's engines?

use std::{io::Write, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{CliError, ConfigArguments, Exit, Which, robot, runners};
use crate::{
    daemon,
    head::{Head, HeadError},
};

mod router;

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArguments {
    /// The heads' manifests, routers' too.
    #[arg(required = true, value_name = "FILE")]
    manifests: Vec<PathBuf>,
    /// On which engines.
    #[arg(long, default_value = "all")]
    engine: Which,
    #[command(flatten)]
    config: ConfigArguments,
    /// As JSON: an object for a single file, a list for several.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &CheckArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let (settings, body) = robot(&arguments.config)?;
    let runners = runners(arguments.engine, &settings)?;
    let mut exit = Exit::Done;
    let mut all = Vec::new();
    for file in &arguments.manifests {
        if router::is_one(file) {
            let words = (!arguments.json).then_some(&mut *out);
            let (found, told) = router::check(file, &body, daemon::engine(&settings)?, words)?;
            exit = worst(exit, found);
            all.push(told);
            continue;
        }
        let mut engines = Vec::new();
        let mut manifest = None;
        for runner in &runners {
            let Some(loaded) = runner.load(file, &body) else { continue };
            if let Ok(head) = &loaded {
                manifest = Some(head.manifest().clone());
            }
            let found = loaded.as_ref().map(found).unwrap_or_else(refused);
            let mut found = found.as_object().cloned().unwrap_or_default();
            found.insert("engine".to_owned(), runner.name().into());
            found.insert("version".to_owned(), runner.version().into());
            if !arguments.json {
                tell(&loaded, file, runner, out)?;
            }
            engines.push(Value::Object(found));
            if let Err(error) = &loaded {
                exit = worst(exit, verdict(error));
                if !is_of_the_engine(error) {
                    break;
                }
            }
        }
        let ok = engines.iter().all(|found| found["ok"] == true);
        let mut told = json!({ "file": file, "ok": ok, "engines": engines });
        if let Some(manifest) = manifest {
            told["head"] = manifest.name.into();
            told["sha256"] = manifest.sha256.into();
            told["goldens"] = manifest.golden.len().into();
            told["period_ms"] = manifest.timing.period_ms.into();
            told["at"] = manifest.timing.at.as_str().into();
            told["worst_error"] = told["engines"][0]["worst_error"].clone();
        }
        all.push(told);
    }
    if arguments.json {
        let told = if let [one] = &mut all[..] { one.take() } else { Value::Array(all) };
        writeln!(out, "{}", crate::cli::json(&told)?)?;
    }
    Ok(exit)
}

/// What loading a head on one engine has shown.
fn found(head: &Head) -> Value {
    let proof = head.proof();
    json!({
        "ok": true,
        "goldens_passed": proof.goldens,
        "worst_error": proof.worst_error,
        "tolerance": proof.tolerance,
        "median_us": proof.median_run.as_secs_f64() * 1e6,
        "slowest_us": proof.slowest_run.as_secs_f64() * 1e6,
    })
}

fn refused(error: &HeadError) -> Value {
    json!({ "ok": false, "code": error.code(), "error": error.to_string() })
}

/// Whether the answer is no, or the file is broken.
const fn verdict(error: &HeadError) -> Exit {
    match error {
        HeadError::Golden { .. } | HeadError::NonFinite { .. } => Exit::No,
        _ => Exit::Config,
    }
}

/// Whether another engine might say otherwise. What is wrong with the files is told once.
const fn is_of_the_engine(error: &HeadError) -> bool {
    matches!(
        error,
        HeadError::Golden { .. } | HeadError::NonFinite { .. } | HeadError::Engine { .. }
    )
}

const fn worst(a: Exit, b: Exit) -> Exit {
    if a as u8 >= b as u8 { a } else { b }
}

fn tell(
    loaded: &Result<Head, HeadError>,
    file: &std::path::Path,
    runner: &super::Runner,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let head = match loaded {
        Ok(head) => head,
        Err(error) => {
            let on = if is_of_the_engine(error) {
                format!(" on {}", runner.name())
            } else {
                String::new()
            };
            writeln!(out, "{} is refused{on}: {error}", file.display())?;
            return Ok(());
        }
    };
    let (manifest, proof) = (head.manifest(), head.proof());
    let median_us = proof.median_run.as_secs_f64() * 1e6;
    let slowest_us = proof.slowest_run.as_secs_f64() * 1e6;
    writeln!(out, "{} is what its manifest says", manifest.name)?;
    writeln!(out, "  engine    {}, {}", runner.name(), runner.version())?;
    writeln!(out, "  sha256    {}", manifest.sha256)?;
    let (period_ms, at) = (manifest.timing.period_ms, manifest.timing.at);
    writeln!(out, "  runs      every {period_ms} ms ({}: {})", at.as_str(), at.describe())?;
    let (goldens, worst, tolerance) = (proof.goldens, proof.worst_error, proof.tolerance);
    writeln!(
        out,
        "  goldens   {goldens} passed, worst error {worst:.1e} of {tolerance:.1e} allowed"
    )?;
    writeln!(out, "  one run   {median_us:.0} us median, {slowest_us:.0} us at most")?;
    Ok(())
}
