//! `reflexd check`: is the arm on its bus what the robot's file says? Nothing is moved, nothing is switched.

use std::{io::Write, path::PathBuf};

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use reflex::backend::piper::{
    OPEN_WITHIN, bus,
    probe::{Finding, Grade, Probe},
};
use serde::Serialize;

use super::{CliError, Exit};
use crate::{
    config::{ConfigError, RobotSettings, Settings},
    kinematics::{Arms, Guard},
};

/// A table wider than this is not read.
const WIDTH: u16 = 110;
/// Limits are compared, not times: any period will do.
const PERIOD_S: f64 = 0.05;

/// Arguments of `reflexd check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1 says that the arm is not fit to be commanded, 3 that there is no bus.

Examples:
  reflexd check --robot config/robots/piper.toml
  reflexd check --robot config/robots/piper.toml --config config/secure.toml
  reflexd check --robot config/robots/piper.toml --bus socketcand://127.0.0.1:29536/can0
  reflexd check --robot config/robots/piper.toml --json | jq '.findings[] | select(.grade != \"good\")'"
)]
pub(super) struct CheckArguments {
    /// The robot's file; its [piper] table says where the arm is.
    #[arg(long, value_name = "FILE", default_value = "config/robots/piper.toml")]
    robot: PathBuf,
    /// Another bus than the file's: can0, or socketcand://host:port/can0.
    #[arg(long, value_name = "BUS")]
    bus: Option<String>,
    /// The daemon's file, to look as well at how it is reached: by whom, and in plaintext or not.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Verdict {
    robot: PathBuf,
    bus: String,
    fit: bool,
    findings: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    what: &'static str,
    grade: &'static str,
    words: String,
}

pub(super) fn run(arguments: &CheckArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let mut robot = RobotSettings::load(&arguments.robot)?;
    if let (Some(bus), Some(piper)) = (&arguments.bus, &mut robot.piper) {
        piper.bus.clone_from(bus);
    }
    let Some(settings) = robot.piper()? else {
        let remedy = "give the robot a [piper] table: docs/piper.md";
        return Err(ConfigError::value(&robot.file, "piper", "absent", remedy).into());
    };
    let law = robot.build(PERIOD_S)?;
    let mut findings = vec![description(&robot)];
    if let Some(config) = &arguments.config {
        findings.extend(reach(&Settings::load(config)?));
    }
    let mut bus = bus::open(&settings.bus, OPEN_WITHIN)
        .map_err(|error| CliError::Words(format!("{}: {error}", robot.file.display())))?;
    let probe = Probe::take(bus.as_mut(), &settings, &law);
    findings.extend(probe.findings().iter().cloned());
    let fit = findings.iter().all(|found| found.grade <= Grade::Odd);
    let bus = settings.bus.to_string();
    let told = findings.iter().map(|found| Told {
        what: found.what,
        grade: grade(found.grade),
        words: found.words.clone(),
    });
    let verdict = Verdict { robot: arguments.robot.clone(), bus, fit, findings: told.collect() };
    if arguments.json {
        writeln!(out, "{}", super::json(&verdict)?)?;
    } else {
        write!(out, "{}", table(&verdict))?;
    }
    Ok(if fit { Exit::Done } else { Exit::No })
}

/// How the daemon is reached.
fn reach(settings: &Settings) -> Vec<Finding> {
    let warnings = settings.daemon.warnings().into_iter();
    let odd = warnings.map(|words| Finding { what: "network", grade: Grade::Odd, words });
    let mut findings: Vec<Finding> = odd.collect();
    if findings.is_empty() {
        let words = match &settings.daemon.zenoh.tls {
            Some(_) => "certificates on both sides, and nothing allowed that a role does not need",
            None => "plaintext, from this computer only",
        };
        findings.push(Finding { what: "network", grade: Grade::Good, words: words.into() });
    }
    findings
}

/// Whether the description that inverse kinematics uses is there, and what must not touch.
fn description(robot: &RobotSettings) -> Finding {
    let whole = Arms::load(robot).and_then(|_| Guard::load(robot));
    match whole {
        Ok(guard) => Finding {
            what: "description",
            grade: Grade::Good,
            words: format!(
                "{}, {}",
                robot.urdf.display(),
                if guard.is_some() { "kept from touching itself" } else { "without capsules" }
            ),
        },
        Err(error) => Finding { what: "description", grade: Grade::Bad, words: error.to_string() },
    }
}

const fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Good => "good",
        Grade::Odd => "odd",
        Grade::Unwell => "unwell",
        Grade::Bad => "bad",
    }
}

fn table(verdict: &Verdict) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(["looked at", "grade", "found"]);
    for told in &verdict.findings {
        table.add_row([told.what, told.grade, told.words.as_str()]);
    }
    let close = if verdict.fit {
        "fit to be commanded; nothing was moved"
    } else {
        "not fit to be commanded: see above; nothing was moved"
    };
    format!("{table}\n\n{}: {close}\n", verdict.bus)
}
