//! reflexctl: one sub-command for each thing that an operator may ask of the daemon. Speaks to the wire, knows no zenoh.

mod args;
mod certs;
mod failsafe;
mod lease;
mod live;
mod request;
mod say;
mod show;

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use serde_json::Value;

use crate::wire::{Client, DEFAULT_ENDPOINT, WireError};
use args::{Act, Cli, Place};
use request::Request;

/// How reflexctl ends. Scripts rely on these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The daemon did as it was told.
    Accepted = 0,
    /// The daemon refused, and said why.
    Refused = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// No daemon answered.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a sub-command came to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// Runs reflexctl with a command line, its own name first.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version are told in the same way as errors, but are none.
            if told.use_stderr() {
                let _ = write!(err, "{}", told.render());
                return Exit::Usage;
            }
            let _ = write!(out, "{}", told.render());
            return Exit::Accepted;
        }
    };
    match obey(&cli, out, err) {
        Ok(exit) => exit,
        Err(trouble) => {
            let exit = match &trouble {
                // Whoever read our output has seen enough; there is nobody to complain to.
                Trouble::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Exit::Accepted;
                }
                Trouble::Usage(_) | Trouble::Output(_) | Trouble::Wire(WireError::Name(_)) => {
                    Exit::Usage
                }
                Trouble::Wire(WireError::Declined { .. }) => Exit::Refused,
                Trouble::Wire(_) => Exit::Unreachable,
            };
            let _ = complain(&cli, &trouble, exit, err);
            exit
        }
    }
}

/// What nobody should say by accident.
const FALLS: &str = "release takes the power off the motors, and an arm without power falls: have somebody hold it, then \
                     say `reflexctl release --arm-may-fall`";

fn obey(cli: &Cli, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, Trouble> {
    if matches!(cli.act, Act::Release { arm_may_fall: false }) {
        return Err(Trouble::Usage(FALLS.into()));
    }
    if let Act::Failsafe { conditions, from, estop } = &cli.act {
        failsafe::tell(conditions, *from, *estop, cli.json, out)?;
        return Ok(Exit::Accepted);
    }
    if let Act::Certs(arguments) = &cli.act {
        return certs::run(arguments, cli.robot(), cli.json, out);
    }
    let Place { robot, connect, credentials } = cli.place().map_err(Trouble::Usage)?;
    let client = Client::connect_as(&credentials, &robot, &[connect], cli.timeout())?;
    let exit = match &cli.act {
        Act::Status => {
            let mut state =
                client.read("state/*").map_err(|error| unknown_robot(&client, error))?;
            // A daemon that has just started has not told its timing yet.
            state.extend(client.read("diag/timing").unwrap_or_default());
            show::status(&state, cli.json, out)?;
            Exit::Accepted
        }
        Act::Watch { count } => live::watch(&client, cli, *count, out)?,
        Act::Events { count } => live::events(&client, cli, *count, out)?,
        Act::Version => info(&client, cli, args::Info::Version, out)?,
        Act::Info { what } => info(&client, cli, *what, out)?,
        Act::Ik { .. } => {
            let Request { key, payload } = cli.act.request(cli, || Ok(Vec::new()))?;
            let answer =
                client.ask(key, &payload).map_err(|error| unknown_robot(&client, error))?;
            if answer["accepted"] == false {
                return Ok(show::answer(&answer, cli.json, out, err));
            }
            show::ways(&answer, cli.json, out)?
        }
        Act::Registry(args::RegistryAct::Status) => {
            let told = client
                .ask("info/registry", &Value::Null)
                .map_err(|error| unknown_robot(&client, error))?;
            show::registry(&told, cli.json, out)?;
            Exit::Accepted
        }
        Act::Record(args::RecordAct::Status) => {
            let told = client
                .ask("state/recorder", &Value::Null)
                .map_err(|error| unknown_robot(&client, error))?;
            show::value(&told, cli.json, out)?;
            Exit::Accepted
        }
        Act::Lease { act: Some(args::LeaseAct::Status), .. } => {
            let told = client
                .ask("state/lease", &Value::Null)
                .map_err(|error| unknown_robot(&client, error))?;
            show::lease(&told, cli.json, out)?;
            Exit::Accepted
        }
        Act::Lease { act: None, seconds, .. } => lease::hold(&client, cli, *seconds, out, err)?,
        Act::Jog { seconds, .. } => live::jog(&client, cli, *seconds, out, err)?,
        Act::Say { wait, .. } => say::say(&client, cli, *wait, out, err)?,
        act => command(&client, cli, act, out, err)?,
    };
    Ok(exit)
}

fn command(
    client: &Client,
    cli: &Cli,
    act: &Act,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, Trouble> {
    // Joints may be told by position in a list; the daemon wants names, and only it knows them.
    let names = || {
        let joints = client.read("state/joints").map_err(|error| unknown_robot(client, error))?;
        let names = joints.get("state/joints").map(|joints| joints["names"].clone());
        Ok::<_, Trouble>(
            serde_json::from_value::<Vec<String>>(names.unwrap_or_default()).unwrap_or_default(),
        )
    };
    let Request { key, payload } = act.request(cli, names)?;
    let answer = client.ask(key, &payload).map_err(|error| unknown_robot(client, error))?;
    Ok(show::answer(&answer, cli.json, out, err))
}

fn info(
    client: &Client,
    cli: &Cli,
    what: args::Info,
    out: &mut dyn Write,
) -> Result<Exit, Trouble> {
    let answer =
        client.ask(what.key(), &Value::Null).map_err(|error| unknown_robot(client, error))?;
    show::value(&answer, cli.json, out)?;
    Ok(Exit::Accepted)
}

/// Someone listens, but not this robot: says who does.
fn unknown_robot(client: &Client, error: WireError) -> WireError {
    let WireError::NoAnswer { key, waited_ms } = error else { return error };
    let (robot, robots) = (client.robot(), client.robots());
    if robots.iter().any(|known| known == robot) {
        return WireError::NoAnswer { key, waited_ms };
    }
    let known = if robots.is_empty() { "none".into() } else { robots.join(", ") };
    WireError::NoAnswer {
        key: format!("{key} (--robot {:?}; robots to be seen there: {known})", robot),
        waited_ms,
    }
}

fn complain(cli: &Cli, trouble: &Trouble, exit: Exit, err: &mut dyn Write) -> io::Result<()> {
    writeln!(err, "reflexctl: {trouble}")?;
    if exit != Exit::Unreachable {
        return Ok(());
    }
    let place = cli.place().ok();
    let is_secure = place.as_ref().is_some_and(|place| place.credentials.tls.is_some());
    if matches!(trouble, Trouble::Wire(WireError::NoAnswer { .. })) {
        if is_secure {
            writeln!(
                err,
                "  Refused, or not reached: access control does not say which. May your role send this?"
            )?;
        }
        writeln!(err, "  It is not known whether the daemon acted: look at `reflexctl status`.")?;
    } else {
        let connect = place.map_or_else(|| DEFAULT_ENDPOINT.to_owned(), |place| place.connect);
        writeln!(err, "  Nobody was reached at {connect}. Is reflexd running there?")?;
        if is_secure {
            writeln!(
                err,
                "  Or it does not believe your certificate, or you not its: docs/security.md"
            )?;
        }
        writeln!(err, "  Start it with `make run` (simulated) or `systemctl start reflexd`,")?;
        writeln!(err, "  or name another endpoint: --connect tcp/<host>:7447")?;
    }
    if matches!(cli.act, Act::Estop) {
        writeln!(err, "  THE STOP IS NOT CONFIRMED: use the hardware e-stop or cut the power.")?;
    }
    Ok(())
}
