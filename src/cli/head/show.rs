//! `reflexd head show`: what a head is, for people.

use std::{io::Write, path::PathBuf};

use clap::Args;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde_json::Value;

use super::{CliError, Exit};
use crate::head::{EncoderTable, FeatureRule, Input, Manifest};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArguments {
    /// The head's manifest.
    #[arg(value_name = "FILE")]
    manifest: PathBuf,
    /// As JSON: the whole manifest.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &ShowArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let written = Manifest::as_written(&arguments.manifest)?;
    if arguments.json {
        writeln!(out, "{}", crate::cli::json(&written)?)?;
    } else {
        write!(out, "{}", describe(&Manifest::load(&arguments.manifest)?, &written))?;
    }
    Ok(Exit::Done)
}

/// A head in tables.
pub(super) fn describe(manifest: &Manifest, written: &Value) -> String {
    let Manifest { name, skill, robot, timing, .. } = manifest;
    let mut told = format!("{name}: skill {skill} of robot {robot}\n");
    told += &format!(
        "  network   {}, sha256 {}...\n",
        manifest.onnx.display(),
        manifest.sha256.get(..16).unwrap_or_default()
    );
    told += &format!(
        "  timing    every {} ms ({}: {}), {} steps of which {} are executed, {:?}, deadline {} ms\n",
        timing.period_ms,
        timing.at.as_str(),
        timing.at.describe(),
        timing.chunk_steps,
        timing.execute_steps,
        timing.mode,
        timing.deadline_ms
    );
    told += &format!("  seam      {:?}\n", manifest.seam.method);
    if let Some(encoder) = &manifest.encoder {
        let EncoderTable { name, prompt, fingerprint } = encoder;
        told += &format!("  encoder   {name}, prompt {prompt:?}, fingerprint {fingerprint}\n");
    }
    if let Some(object) = &manifest.object {
        let fingers = object.fingers.join(" and ");
        told += &format!("  object    in the hand of {} once {fingers} close on it\n", object.arm);
    }
    if !manifest.stages.is_empty() {
        let names: Vec<&str> = manifest.stages.iter().map(|stage| stage.name.as_str()).collect();
        told += &format!("  stages    {}\n", names.join(", "));
    }
    told += &format!("{}\n{}\n", inputs(&manifest.inputs), outputs(manifest, written));
    if let Some(provenance) = &manifest.provenance {
        let lines = [
            ("dataset", &provenance.dataset),
            ("command", &provenance.command),
            ("licence", &provenance.licence),
        ];
        for (key, text) in lines.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?))) {
            told += &format!("  {key:<9} {text}\n");
        }
    }
    if let Some(record) = &manifest.evaluation {
        told += &format!(
            "  evaluated {} of {} episodes ({:.1} %) on {}, by {}\n",
            record.successes,
            record.episodes,
            100.0 * record.success_rate(),
            record.date,
            record.command
        );
    }
    told += &format!("  goldens   {}\n", manifest.golden.len());
    told
}

fn inputs(inputs: &[Input]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["input", "shape", "sees", "of", "mean", "std", "clip"]);
    for input in inputs {
        for (at, feature) in input.features.iter().enumerate() {
            let first = at == 0;
            table.add_row([
                if first { input.tensor.clone() } else { String::new() },
                if first { format!("{:?}", input.shape()) } else { String::new() },
                feature.name.as_str().to_owned(),
                items(feature),
                some(&feature.mean),
                some(&feature.std),
                feature.clip.map_or("none".to_owned(), |clip| clip.to_string()),
            ]);
        }
    }
    table
}

fn items(feature: &FeatureRule) -> String {
    match (&feature.values, feature.width) {
        (Some(values), _) => few(values),
        (None, Some(width)) => format!("{width} numbers"),
        (None, None) => feature.items().join(" "),
    }
}

fn outputs(manifest: &Manifest, written: &Value) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["output", "shape", "means", "columns"]);
    let output = &manifest.output;
    for (at, columns) in output.columns.iter().enumerate() {
        let first = at == 0;
        let shape = format!("{:?}", output.shape(manifest.timing.chunk_steps));
        table.add_row([
            if first { output.tensor.clone() } else { String::new() },
            if first { shape } else { String::new() },
            written["output"]["columns"][at]["representation"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            columns.names().join(" "),
        ]);
    }
    table
}

/// The same, of so many that nobody would read them.
fn some(values: &[f64]) -> String {
    const SHOWN: usize = 64;
    match values.get(..SHOWN) {
        Some(first) if values.len() > SHOWN => format!("{} ...", few(first)),
        _ => few(values),
    }
}

/// Numbers as they fit in a table.
fn few(values: &[f64]) -> String {
    let short: Vec<String> = values.iter().map(|value| format!("{value:.4}")).collect();
    let short = short.iter().map(|text| match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0",
        text => text,
    });
    short.collect::<Vec<_>>().join(" ")
}
