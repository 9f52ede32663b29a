//! What a recording tells in words and SI units, beside the law's own words: messages as JSON.

use motion::{Joints, Limits, Reply, What};
use reflex::{replay, tape::Entry};
use serde_json::{Value, json};

use super::topics::{
    CHUNK, COMMAND, DECISION, EVENT, INSTRUCTION, JOINTS, ORDER, RUN, TICK, TIMING, Topic,
};
use crate::{
    decision::{Decision, Verdict},
    operator::{Answer, Command, Present, words},
    wire::{DecisionMessage, EventMessage, TimingMessage},
};

/// A message, of a moment of the loop's time.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) topic: &'static Topic,
    pub(super) at_ns: u64,
    pub(super) json: String,
}

impl Told {
    pub(super) fn new(topic: &'static Topic, at_ns: u64, body: &Value) -> Self {
        Self { topic, at_ns, json: body.to_string() }
    }
}

/// A tick, its joints, and what came in with it.
pub(super) fn of_tick(entry: &Entry<'_>, names: &[String]) -> Vec<Told> {
    let (seq, at_ns) = (entry.tick.0, entry.now.0);
    let Some(outcome) = replay::head(entry.outcome) else { return Vec::new() };
    let conditions: Vec<&str> = outcome.conditions.iter().map(|it| it.rule().name).collect();
    let limited_by: Vec<String> = outcome.limited_by.iter().take(names.len()).map(limits).collect();
    let tick = json!({
        "seq": seq,
        "at_ns": at_ns,
        "mode": words::mode(&outcome.mode),
        "conditions": conditions,
        "early": entry.early,
        "stop": entry.stop.is_some(),
        "lateness_us": entry.lateness_ns as f64 / 1e3,
        "execution_us": entry.execution_ns as f64 / 1e3,
        "orders": entry.orders.len(),
        "replies": entry.replies.len(),
        "lost": entry.dropped,
    });
    let state = &entry.state;
    let joints = json!({
        "seq": seq,
        "at_ns": at_ns,
        "sampled_at_ns": state.sampled_at.0,
        "driven": outcome.driven,
        "engaged": state.engaged,
        "names": names,
        "position_rad_or_m": state.position.to_vec(),
        "velocity_rad_or_m_per_s": state.velocity.to_vec(),
        "requested_rad_or_m": outcome.requested.to_vec(),
        "commanded_rad_or_m": outcome.commanded.to_vec(),
        "limited_by": limited_by,
        "age_s": state.age_s.to_vec(),
    });
    let mut all = vec![Told::new(&TICK, at_ns, &tick), Told::new(&JOINTS, at_ns, &joints)];
    all.extend(entry.orders.iter().map(|order| {
        let (what, run) = order_words(&order.what);
        let (id, epoch) = (order.id.0, order.epoch.0);
        // An order of whoever knew no epoch carries the largest number there is, which JSON's readers do not know.
        let epoch = (epoch != u64::MAX).then_some(epoch);
        let body = json!({
            "seq": seq, "at_ns": at_ns, "order": id, "epoch": epoch, "what": what, "run": run,
        });
        Told::new(&ORDER, at_ns, &body)
    }));
    all.extend(
        entry.replies.iter().map(|reply| Told::new(&CHUNK, at_ns, &chunk(seq, at_ns, reply))),
    );
    all
}

/// The limits that changed a set-point, `+` between them; empty if none did.
fn limits(of: &Limits) -> String {
    let named = Limits::NAMES.iter().filter(|(bit, _)| of.contains(*bit));
    named.map(|(_, name)| *name).collect::<Vec<_>>().join("+")
}

fn chunk(seq: u64, at_ns: u64, reply: &Reply) -> Value {
    match reply {
        Reply::Chunk(chunk) => {
            let row = |(k, row): (u64, Joints)| json!({ "seq": chunk.first.0.saturating_add(k), "position_rad_or_m": row.to_vec() });
            let rows = (0..).map_while(|k| chunk.step(k));
            let rows: Vec<Value> = (0..).zip(rows).map(row).collect();
            json!({
                "seq": seq,
                "at_ns": at_ns,
                "run": chunk.run.0,
                "chunk": chunk.id.0,
                "observed_seq": chunk.observed.0,
                "first_seq": chunk.first.0,
                "head_sha256_head": format!("{:016x}", chunk.head.0),
                "ends": chunk.ends,
                "rows": rows,
            })
        }
        Reply::Nothing { run, observed } => json!({
            "seq": seq, "at_ns": at_ns, "run": run.0, "chunk": null, "observed_seq": observed.0, "first_seq": null,
            "head_sha256_head": null, "ends": false, "rows": [],
        }),
    }
}

const fn order_words(what: &What) -> (&'static str, Option<u64>) {
    match what {
        What::Arm => ("arm", None),
        What::Disarm => ("disarm", None),
        What::Hold => ("hold", None),
        What::ClearFault => ("clear_fault", None),
        What::Release => ("release", None),
        What::Begin(run) => ("begin", Some(run.id.0)),
        What::HandOver(run) => ("hand_over", Some(run.id.0)),
        What::End(run) => ("end", Some(run.0)),
        What::Attend => ("attend", None),
        What::Leave => ("leave", None),
    }
}

/// The run that is being followed.
pub(super) fn of_run(present: &Present) -> Told {
    let (seq, at_ns) = (present.tick.tick.0, present.tick.at.0);
    let run = present.run.as_ref();
    let target = run.map(|run| [run.params.target_x, run.params.target_y, run.params.target_z]);
    let body = json!({
        "seq": seq,
        "at_ns": at_ns,
        "run": run.map(|run| run.run),
        "skill": run.map(|run| &run.skill),
        "policy": run.map(|run| &run.policy),
        "decision_id": run.map(|run| &run.decision_id),
        "source": run.map(|run| &run.source),
        "target_m": target,
    });
    Told::new(&RUN, at_ns, &body)
}

/// A command and its answer.
pub(super) fn of_command(command: &Command, who: &str, answer: &Answer, at_ns: u64) -> Told {
    let body = json!({
        "at_ns": at_ns,
        "who": who,
        "command": command.name(),
        "what": words::command(command),
        "accepted": answer.accepted,
        "reason": answer.reason,
        "changed": answer.changed,
        "state_seq": answer.state_seq,
    });
    Told::new(&COMMAND, at_ns, &body)
}

/// A decision and the verdict on it.
pub(super) fn of_decision(decision: &Decision, who: &str, verdict: &Verdict, at_ns: u64) -> Told {
    let (run, superseded, reason) = match verdict {
        Verdict::Accepted { run, superseded } => (Some(run), *superseded, None),
        Verdict::Refused { reason } => (None, None, Some(reason)),
    };
    let body = json!({
        "at_ns": at_ns,
        "who": who,
        "decision": DecisionMessage::from(decision),
        "accepted": run.is_some(),
        "reason": reason,
        "run": run,
        "superseded_run": superseded,
    });
    Told::new(&DECISION, at_ns, &body)
}

/// The newest instruction.
pub(super) fn of_instruction(said: &Value, at_ns: u64) -> Told {
    Told::new(&INSTRUCTION, at_ns, &json!({ "at_ns": at_ns, "said": said }))
}

/// A line of the audit trail.
pub(super) fn of_event(kind: &str, event: &EventMessage) -> Told {
    let mut body = json!(event);
    body["kind"] = json!(kind);
    Told::new(&EVENT, event.at_ns, &body)
}

/// How punctual the loop is.
pub(super) fn of_timing(timing: &TimingMessage, at_ns: u64) -> Told {
    let mut body = json!(timing);
    body["at_ns"] = json!(at_ns);
    Told::new(&TIMING, at_ns, &body)
}

/// A frame, as viewers know it.
pub(super) fn of_frame(camera: &str, unix_ns: u64, jpeg: &[u8]) -> String {
    json!({
        "timestamp": { "sec": unix_ns / 1_000_000_000, "nsec": unix_ns % 1_000_000_000 },
        "frame_id": camera,
        "data": base64(jpeg),
        "format": "jpeg",
    })
    .to_string()
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let of = |k: usize| u32::from(three.get(k).copied().unwrap_or(0));
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for k in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * k) & 63) as usize];
            text.push(if k > three.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
    }
}
