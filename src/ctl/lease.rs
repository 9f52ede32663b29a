//! Being there: the lease, held for as long as this program runs.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Exit, Trouble, args::Cli, request::Request, show, unknown_robot};
use crate::wire::{Client, GrantedMessage};

/// Heartbeats in the time after which one is missed.
const BEATS: u32 = 4;

/// Takes the lease, and sends heartbeats until the time is up or somebody takes it over. Ctrl-C ends the program, and with
/// it the heartbeats: the robot holds.
pub(super) fn hold(
    client: &Client,
    cli: &Cli,
    seconds: Option<f64>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, Trouble> {
    let Request { key, payload } = cli.act.request(cli, || Ok(Vec::new()))?;
    let answer = client.ask(key, &payload).map_err(|error| unknown_robot(client, error))?;
    let exit = show::answer(&answer, cli.json, out, err);
    let granted = serde_json::from_value::<GrantedMessage>(answer["lease"].clone());
    let (Exit::Accepted, Ok(granted)) = (exit, granted) else { return Ok(exit) };
    let (operator, id) = (cli.operator(), json!(granted.lease_id));
    let granted_at = answer["state_seq"].as_u64().map(|seq| seq + 1);
    if !cli.json {
        writeln!(
            out,
            "{operator} commands for as long as this runs: a heartbeat every {} ms; without one for {} ms the robot holds",
            granted.heartbeat_ms / BEATS,
            granted.heartbeat_ms
        )?;
    }
    out.flush()?;
    let (heartbeat, every) = (
        format!("heartbeat/{operator}"),
        Duration::from_millis(u64::from(granted.heartbeat_ms / BEATS)),
    );
    // Told of, not asked for: an answer that is long in coming must not delay a heartbeat.
    let watch = client.watch("state/lease")?;
    let begun = Instant::now();
    for seq in 1_u64.. {
        client.tell(&heartbeat, &json!({ "lease_id": granted.lease_id, "seq": seq }))?;
        if seconds.is_some_and(|seconds| begun.elapsed().as_secs_f64() >= seconds) {
            break;
        }
        let told = std::iter::from_fn(|| watch.next(Duration::ZERO)).map(|(_, told)| told);
        let after = |told: &Value| told["seq"].as_u64() >= granted_at && told["lease_id"] != id;
        if let Some(told) = told.filter(after).last() {
            let holder = told["holder"].as_str().unwrap_or("nobody");
            writeln!(err, "reflexctl: the lease is gone: {holder} holds it now")?;
            return Ok(Exit::Refused);
        }
        std::thread::sleep(every);
    }
    let released = client.ask("lease", &json!({ "act": "release", "operator": operator }))?;
    Ok(show::answer(&released, cli.json, out, err))
}
