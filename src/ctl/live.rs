//! What goes by, line by line, until enough was seen or Ctrl-C.

use std::{io::Write, time::Duration};

use super::{Exit, Trouble, args::Cli, show, unknown_robot};
use crate::wire::{Client, WireError};

/// An event may be long in coming: silence on that key says nothing.
const WAIT: Duration = Duration::from_secs(3600);

/// A line a tick. A daemon that falls silent is told of: the last line must not be taken for the present.
pub(super) fn watch(
    client: &Client,
    cli: &Cli,
    count: Option<u64>,
    out: &mut dyn Write,
) -> Result<Exit, Trouble> {
    let watch = client.watch("state/joints")?;
    let mut seen = 0;
    while count.is_none_or(|count| seen < count) {
        let Some((_, joints)) = watch.next(cli.timeout()) else {
            let waited_ms = cli.timeout().as_millis();
            let silent = WireError::NoAnswer { key: "state/joints".into(), waited_ms };
            return Err(unknown_robot(cli, client, silent).into());
        };
        if cli.json {
            writeln!(out, "{joints}")?;
        } else {
            writeln!(out, "{}", show::tick(&joints))?;
        }
        out.flush()?;
        seen += 1;
    }
    Ok(Exit::Accepted)
}

/// A line an event.
pub(super) fn events(
    client: &Client,
    cli: &Cli,
    count: Option<u64>,
    out: &mut dyn Write,
) -> Result<Exit, Trouble> {
    let watch = client.watch("event/*")?;
    let mut seen = 0;
    while count.is_none_or(|count| seen < count) {
        let Some((name, event)) = watch.next(WAIT) else { continue };
        if cli.json {
            writeln!(out, "{event}")?;
        } else {
            writeln!(out, "{}", show::event(&name, &event))?;
        }
        out.flush()?;
        seen += 1;
    }
    Ok(Exit::Accepted)
}
