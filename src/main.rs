//! The daemon's command line: arguments to settings to what runs to an exit code. The only file that prints or exits.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use reflexd::{cli, inference};

fn main() -> ExitCode {
    // Before any thread exists: afterwards the environment may not be touched.
    if let Err(error) = inference::silence_telemetry() {
        let _ = writeln!(std::io::stderr(), "reflexd: {error}");
        return cli::Exit::Failed.into();
    }
    let arguments = cli::Arguments::parse();
    cli::log_to_stderr(&arguments);
    match cli::run(&arguments, &mut std::io::stdout()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "reflexd: {error}");
            error.exit().into()
        }
    }
}
