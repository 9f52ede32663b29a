//! Listens to people and looks through cameras for a robot's reflexd. Everything else is in `reflexd::routing`.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use reflexd::{cli, inference, routing};

fn main() -> ExitCode {
    // Before any thread exists: afterwards the environment may not be touched.
    if let Err(error) = inference::silence_telemetry() {
        let _ = writeln!(std::io::stderr(), "reflexd-router: {error}");
        return cli::Exit::Failed.into();
    }
    let arguments = routing::Arguments::parse();
    routing::log_to_stderr(&arguments);
    match routing::run(&arguments, &mut std::io::stdin().lock(), &mut std::io::stdout()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "reflexd-router: {error}");
            error.exit().into()
        }
    }
}
