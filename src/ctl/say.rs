//! Says something to the robot, and follows what becomes of it.

use std::{io::Write, time::Duration};

use serde_json::Value;

use super::{Exit, Trouble, args::Cli, request::Request, show, unknown_robot};
use crate::wire::{Client, Watch};

/// State is told at least once a second: after so long without a word nobody is there.
const SILENCE: Duration = Duration::from_secs(5);

/// Sends an instruction; with `wait`, returns when it came to nothing or its run is over.
pub(super) fn say(
    client: &Client,
    cli: &Cli,
    wait: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, Trouble> {
    // Listening first: what becomes of it may be told before the answer is read.
    let watch = wait.then(|| client.watch("state/*")).transpose()?;
    let Request { key, payload } = cli.act.request(cli, || Ok(Vec::new()))?;
    let answer = client.ask(key, &payload).map_err(|error| unknown_robot(client, error))?;
    let exit = show::answer(&answer, cli.json, out, err);
    let Some(watch) = watch.filter(|_| exit == Exit::Accepted && answer["next"] != "held") else {
        return Ok(exit);
    };
    let id = answer["instruction_id"].clone();
    let said = |name: &str, message: &Value| {
        name == "state/instruction"
            && message["instruction_id"] == id
            && message["outcome"] != "waiting"
            && message["outcome"] != "deciding"
    };
    let Some(became) = next(&watch, said) else { return Ok(silent(err)) };
    if cli.json {
        writeln!(out, "{became}")?;
    } else {
        writeln!(out, "{}", show::instruction(&became))?;
    }
    let Some(run) = became["run"].as_u64() else { return Ok(Exit::Refused) };
    let over = |name: &str, message: &Value| name == "state/skill" && message["last"]["run"] == run;
    let Some(ended) = next(&watch, over) else { return Ok(silent(err)) };
    if cli.json {
        writeln!(out, "{ended}")?;
    } else {
        let text = |key: &str| ended["last"][key].as_str().unwrap_or("?").to_owned();
        writeln!(out, "{} {}", text("skill"), text("ending"))?;
    }
    // A head goes on until its time is over: that is how its runs end well.
    let well = ["done", "time_up"].iter().any(|well| ended["last"]["ending"] == *well);
    Ok(if well { Exit::Accepted } else { Exit::Refused })
}

fn silent(err: &mut dyn Write) -> Exit {
    let _ = writeln!(err, "reflexctl: the daemon fell silent: look at `reflexctl status`");
    Exit::Unreachable
}

/// The next message that is as wanted; nothing if the daemon falls silent.
fn next(watch: &Watch, wanted: impl Fn(&str, &Value) -> bool) -> Option<Value> {
    loop {
        let (name, message) = watch.next(SILENCE)?;
        if wanted(&name, &message) {
            return Some(message);
        }
    }
}
