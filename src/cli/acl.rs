//! `reflexd acl`: zenoh's access control, as the daemon has it, or for a zenoh router in between.

use std::io::Write;

use clap::Args;

use super::{CliError, ConfigArguments, Exit};
use crate::{config::Settings, wire::access_control};

/// Arguments of `reflexd acl`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reflexd acl --config config/secure.toml
  reflexd acl --config config/secure.toml --hop robot-piper > hop.json5

What is printed is zenoh's `access_control`: JSON5, made from the table of keys and the lists of [security]. A daemon with
[zenoh.tls] has it already; a zenoh router in between has to be given it: docs/security.md.")]
pub(super) struct AclArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// For a hop to the robot whose certificate has this common name.
    #[arg(long, value_name = "NAME")]
    hop: Option<String>,
}

pub(super) fn run(arguments: &AclArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config.config)?;
    let roster = settings.daemon.security.roster();
    if roster.is_empty() {
        return Err(CliError::Usage(format!(
            "{}: security has nobody on its lists: name who may do what",
            settings.file.display()
        )));
    }
    let robot = &settings.robot_settings.name;
    let control = access_control(robot, &roster, arguments.hop.as_deref());
    let told = serde_json::json!({ "access_control": control });
    writeln!(out, "{}", super::json(&told)?)?;
    Ok(Exit::Done)
}
