//! What goes by, line by line, until enough was seen or Ctrl-C.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use super::{
    Exit, Trouble,
    args::Cli,
    request::{JOG_TTL_MS, Request},
    show, unknown_robot,
};
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
            return Err(unknown_robot(client, silent).into());
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

/// A jog, renewed until its time is up. Ctrl-C ends the program, and with it the renewing: the daemon brakes.
pub(super) fn jog(
    client: &Client,
    cli: &Cli,
    seconds: f64,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, Trouble> {
    let Request { key, mut payload } = cli.act.request(cli, || Ok(Vec::new()))?;
    let every = Duration::from_millis(JOG_TTL_MS / 2);
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // The last one lasts for what is left, so that the motion ends when it was meant to.
        let ttl_ms = (left.as_millis() as u64).clamp(1, JOG_TTL_MS);
        payload["ttl_ms"] = ttl_ms.into();
        let answer = client.ask(key, &payload).map_err(|error| unknown_robot(client, error))?;
        let is_last = left <= Duration::from_millis(JOG_TTL_MS);
        if is_last || answer["accepted"] != true {
            return Ok(show::answer(&answer, cli.json, out, err));
        }
        std::thread::sleep(every.min(left));
    }
}
