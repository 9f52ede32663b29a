//! `reflexd soak`: a daemon on a simulated robot for as long as one likes, under load, with people and a router who behave as
//! people and routers do; and a report of how punctual it was, how soon it stopped, and what it has eaten.
//!
//! Everything random is drawn from the seed. Nothing here is on time to the microsecond: what is measured is measured by
//! the daemon's own clock, which is this process's too.

mod machine;
mod people;
mod report;

use std::{
    io::Write,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant},
};

use clap::Args;

use super::{
    CliError, Exit,
    child::{Daemon, free_endpoint},
};
use crate::{config::Settings, wire::Probe};
use machine::{Cyclictest, Stress, Watched};
use people::People;
use report::Report;

/// Arguments of `reflexd soak`.
#[derive(Debug, Args)]
pub(super) struct SoakArguments {
    /// The daemon's configuration: of a simulated robot, in real time.
    #[arg(long, value_name = "FILE", default_value = "config/soak.toml")]
    config: PathBuf,
    /// How long.
    #[arg(long, default_value_t = 5.0, value_parser = minutes)]
    minutes: f64,
    /// What everything random is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for the daemon's log and the report.
    #[arg(long, value_name = "FOLDER", default_value = "out/soak")]
    out: PathBuf,
    /// Leave the machine alone: no load on processors and memory.
    #[arg(long)]
    no_stress: bool,
    /// End with 1 if a figure is beyond its bound, and not only if something went wrong.
    #[arg(long)]
    strict: bool,
    /// The report as JSON.
    #[arg(long)]
    json: bool,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    let fits = (0.2..=60.0 * 24.0 * 30.0).contains(&minutes);
    if fits { Ok(minutes) } else { Err("choose 0.2 to 43200".into()) }
}

pub(super) fn run(arguments: &SoakArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config)?;
    let daemon = &settings.daemon;
    if daemon.backend.is_hardware() || daemon.loop_.pace != crate::config::Pace::Realtime {
        let words = "the soak wants a simulated robot in real time: it does what nobody should do to an arm";
        return Err(CliError::Usage(format!("{}: {words}", arguments.config.display())));
    }
    std::fs::create_dir_all(&arguments.out)?;
    let log = arguments.out.join("daemon.log");
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    let endpoint = free_endpoint()?;
    let robot = &settings.robot_settings.name;
    let mut told = |line: String| -> Result<(), CliError> {
        if !arguments.json {
            writeln!(out, "{line}")?;
            out.flush()?;
        }
        Ok(())
    };
    told(format!(
        "{robot} for {:.1} min, seed {}, on {endpoint} (its log: {})",
        arguments.minutes,
        arguments.seed,
        log.display()
    ))?;
    let mut child = Daemon::start(&arguments.config, &endpoint, &log)?;
    let client = child.connect(robot, &endpoint, &log)?;
    let probe = Probe::open(&free_endpoint()?, || reflex::clock::monotonic_now().0)
        .map_err(|error| CliError::Words(error.to_string()))?;
    let cyclictest = Cyclictest::start(daemon.loop_.fifo_priority, daemon.loop_.period_ms, length);
    if cyclictest.is_none() {
        told("cyclictest is not there: lateness has nothing to be held against (apt install rt-tests)".into())?;
    }
    let ends = Arc::new(AtomicBool::new(false));
    let stress = (!arguments.no_stress).then(|| Stress::start(&ends));
    let mut watched = Watched::begin(child.id(), &arguments.out);
    let mut people = People::new(&client, robot, &endpoint, arguments.seed)?;
    let begun = Instant::now();
    let mut next_word = Duration::from_secs(30).min(length / 4);
    while begun.elapsed() < length {
        people.act()?;
        watched.ping(&probe);
        watched.look();
        if let Some(status) = child.ended() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(5).collect();
            return Err(CliError::Words(format!(
                "the daemon ended with {status} after {:.0} s; the last it said: {}",
                begun.elapsed().as_secs_f64(),
                last.into_iter().rev().collect::<Vec<_>>().join(" | ")
            )));
        }
        if begun.elapsed() >= next_word {
            next_word += Duration::from_secs(30);
            told(format!(
                "  {:6.0} s of {:.0}: {}; {}",
                begun.elapsed().as_secs_f64(),
                length.as_secs_f64(),
                people.words(),
                watched.words()
            ))?;
        }
    }
    let stops = people.stops(&probe, &mut watched)?;
    ends.store(true, Ordering::Release);
    let timing = client.read("diag/timing").map_err(|error| CliError::Words(error.to_string()))?;
    let timing = timing.into_values().next().unwrap_or_default();
    let cyclic = cyclictest.and_then(Cyclictest::figures);
    drop(stress);
    let report = Report::of(timing, stops, people.tally(), watched.figures(), cyclic);
    drop(client);
    drop(child);
    let file = arguments.out.join("report.json");
    std::fs::write(&file, format!("{:#}\n", report.json()))?;
    if arguments.json {
        writeln!(out, "{}", report.json())?;
    } else {
        report.tell(out)?;
        writeln!(out, "report: {}", file.display())?;
    }
    let good = report.went_well() && (!arguments.strict || report.is_within_bounds());
    Ok(if good { Exit::Done } else { Exit::No })
}
