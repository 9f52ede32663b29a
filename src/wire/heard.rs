//! What is said to the robot and told of the world around it, read strictly: instructions, things, embeddings.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zenoh::{Session, Wait, qos::CongestionControl};

use super::{
    BadMessage, Keys, WireError,
    messages::{INSTRUCTION_CHARS_MAX, TTL_MS_MAX, VERSION, id, must, number, read},
};
use crate::{
    encoder::WIDTH,
    router::{Embedded, Entry, Instruction, Target, Thing},
};

/// Things that one message may tell of. A robot sees four of them at once.
const THINGS_MAX: usize = 64;

/// How long an instruction may take until it is begun, if it does not say.
const TTL_MS: u64 = 5_000;

/// Bytes of an embedding.
pub(super) const EMBEDDING_BYTES: usize = WIDTH * 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstructionMessage {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    instruction_id: Option<String>,
    text: String,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    target: Option<TargetMessage>,
    #[serde(default)]
    objects: Vec<ThingMessage>,
    #[serde(default)]
    force_neural_skill: bool,
    #[serde(default)]
    ttl_ms: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TargetMessage {
    x: f64,
    y: f64,
    z: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    radius: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object_is_berry: Option<bool>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ThingMessage {
    name: String,
    x: f64,
    y: f64,
    z: f64,
    #[serde(default)]
    radius: f64,
    #[serde(default)]
    is_berry: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectsMessage {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(rename = "at_ns", default)]
    _at_ns: Option<u64>,
    #[serde(rename = "source", default)]
    _source: Option<String>,
    objects: Vec<ThingMessage>,
}

/// What goes with an embedding.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct EmbeddedMessage {
    v: u64,
    at_ns: u64,
    instruction_id: String,
    #[serde(default)]
    instruction: String,
    encoder: String,
    fingerprint: String,
    #[serde(default)]
    latency_ms: f64,
}

/// Reads the payload of `instruction`. An id that is left out is the daemon's to give: it is empty.
///
/// # Errors
/// What is wrong with it.
pub fn instruction(payload: &[u8]) -> Result<Instruction, BadMessage> {
    let message: InstructionMessage = read(payload)?;
    let text = message.text.trim().to_owned();
    must(!text.is_empty(), "text", &message.text, "what is to be done, in words")?;
    let fits = text.chars().count() <= INSTRUCTION_CHARS_MAX;
    must(fits, "text", &text, "at most 4096 characters")?;
    let ttl_ms = message.ttl_ms.unwrap_or(TTL_MS);
    must((1..=TTL_MS_MAX).contains(&ttl_ms), "ttl_ms", &ttl_ms, "in 1..=600000")?;
    Ok(Instruction {
        id: message
            .instruction_id
            .map_or_else(|| Ok(String::new()), |it| id("instruction_id", it))?,
        text,
        operator: message.operator.map(|name| id("operator", name)).transpose()?,
        target: message.target.map(target).transpose()?,
        things: things(message.objects)?,
        force_neural: message.force_neural_skill,
        ttl_ms,
    })
}

fn target(message: TargetMessage) -> Result<Target, BadMessage> {
    let TargetMessage { x, y, z, radius, object_is_berry } = message;
    let position_m = [number("target.x", x)?, number("target.y", y)?, number("target.z", z)?];
    if let Some(radius) = radius {
        must(radius.is_finite() && radius > 0.0, "target.radius", &radius, "finite and positive")?;
    }
    Ok(Target { position_m, radius_m: radius, is_berry: object_is_berry })
}

/// Reads the payload of `objects`.
///
/// # Errors
/// What is wrong with it.
pub fn objects(payload: &[u8]) -> Result<Vec<Thing>, BadMessage> {
    things(read::<ObjectsMessage>(payload)?.objects)
}

fn things(messages: Vec<ThingMessage>) -> Result<Vec<Thing>, BadMessage> {
    must(messages.len() <= THINGS_MAX, "objects", &messages.len(), "at most 64 of them")?;
    let thing = |message: ThingMessage| {
        let ThingMessage { name, x, y, z, radius, is_berry } = message;
        let position_m = [number("x", x)?, number("y", y)?, number("z", z)?];
        must(radius.is_finite() && radius >= 0.0, "radius", &radius, "finite, not negative")?;
        Ok(Thing { name: id("name", name)?, position_m, radius_m: radius, is_berry })
    };
    messages.into_iter().map(thing).collect()
}

/// Reads an embedding and what goes with it.
///
/// # Errors
/// What is wrong with it.
pub fn embedded(payload: &[u8], attachment: &[u8]) -> Result<Embedded, BadMessage> {
    let wanted = "4096: 1024 numbers, float32, little-endian";
    must(payload.len() == EMBEDDING_BYTES, "bytes", &payload.len(), wanted)?;
    let said: EmbeddedMessage = read(attachment)?;
    must(said.v == VERSION, "v", &said.v, "1")?;
    let mut embedding = Box::new([0.0_f32; WIDTH]);
    for (number, bytes) in embedding.iter_mut().zip(payload.chunks_exact(4)) {
        *number = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let strange = embedding.iter().position(|number| !number.is_finite());
    must(strange.is_none(), "embedding", &strange.unwrap_or(0), "finite in each of its numbers")?;
    must(said.latency_ms.is_finite(), "latency_ms", &said.latency_ms, "finite")?;
    Ok(Embedded {
        embedding,
        at_ns: said.at_ns,
        instruction_id: id("instruction_id", said.instruction_id)?,
        encoder: id("encoder", said.encoder)?,
        fingerprint: id("fingerprint", said.fingerprint)?,
        latency_ms: said.latency_ms,
    })
}

/// An embedding's bytes, and what goes with them.
pub(super) fn told(embedded: &Embedded, instruction: &str) -> (Vec<u8>, String) {
    let bytes = embedded.embedding.iter().flat_map(|number| number.to_le_bytes()).collect();
    let said = EmbeddedMessage {
        v: VERSION,
        at_ns: embedded.at_ns,
        instruction_id: embedded.instruction_id.clone(),
        instruction: instruction.to_owned(),
        encoder: embedded.encoder.clone(),
        fingerprint: embedded.fingerprint.clone(),
        latency_ms: embedded.latency_ms,
    };
    (bytes, super::state::encode(&said))
}

/// Publishes an embedding. `sign` makes the attachment of what is said with it.
pub(super) fn put_embedding(
    session: &Session,
    keys: &Keys,
    embedded: &Embedded,
    instruction: &str,
    sign: impl FnOnce(&[u8], String) -> Result<String, WireError>,
) -> Result<(), WireError> {
    let (bytes, said) = told(embedded, instruction);
    let said = sign(&bytes, said)?;
    let key = keys.full("embedding");
    let put = session.put(&key, bytes).attachment(said);
    let put = put.congestion_control(CongestionControl::Drop).express(true);
    put.wait().map_err(|error| WireError::zenoh(format!("publish {key}"), error))
}

/// Where things are, for everybody.
pub(super) fn things_told(things: &[Thing], at_ns: u64) -> Value {
    json!({ "at_ns": at_ns, "objects": things.iter().map(thing_told).collect::<Vec<_>>() })
}

fn thing_told(thing: &Thing) -> ThingMessage {
    let [x, y, z] = thing.position_m;
    let (radius, is_berry) = (thing.radius_m, thing.is_berry);
    ThingMessage { name: thing.name.clone(), x, y, z, radius, is_berry }
}

/// The newest instruction, for routers and for whoever waits. `decided`: what was served, and why.
#[must_use]
pub fn instruction_told(entry: &Entry, decided: &Value) -> Value {
    let Entry { said, at_ns, tick, fate, .. } = entry;
    let (outcome, reason) = fate.words();
    let target = said.target.as_ref().map(|target| {
        let [x, y, z] = target.position_m;
        TargetMessage { x, y, z, radius: target.radius_m, object_is_berry: target.is_berry }
    });
    let run = match fate {
        crate::router::Fate::Began { run } => Some(run),
        _ => None,
    };
    json!({
        "instruction_id": said.id,
        "text": said.text,
        "operator": said.operator,
        "target": target,
        "objects": said.things.iter().map(thing_told).collect::<Vec<_>>(),
        "force_neural_skill": said.force_neural,
        "ttl_ms": said.ttl_ms,
        "at_ns": at_ns,
        "seq": tick,
        "outcome": outcome,
        "reason": reason,
        "run": run,
        "decided": decided,
    })
}

/// What somebody said, out of `state/instruction`; nothing if there is none, or it makes no sense.
#[must_use]
pub fn said_of(told: &Value) -> Option<Instruction> {
    let said = json!({
        "instruction_id": told["instruction_id"].as_str()?,
        "text": told["text"],
        "operator": told["operator"],
        "target": told["target"],
        "objects": told["objects"],
        "force_neural_skill": told["force_neural_skill"],
        "ttl_ms": told["ttl_ms"],
    });
    instruction(said.to_string().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(read: Result<Instruction, BadMessage>) -> String {
        read.expect_err("bad").to_string()
    }

    #[test]
    fn an_instruction_is_read_strictly() {
        let all = br#"{"v":1,"instruction_id":"i1","text":" pick it up ","operator":"ada","target":{"x":0.3,"y":0,"z":0.1,
            "radius":0.02,"object_is_berry":true},"objects":[{"name":"berry","x":1,"y":2,"z":3}],
            "force_neural_skill":true,"ttl_ms":900}"#;
        let said = instruction(all).expect("whole");
        assert_eq!((said.text.as_str(), said.id.as_str(), said.ttl_ms), ("pick it up", "i1", 900));
        assert!(said.force_neural && said.things.len() == 1);
        assert_eq!(instruction(br#"{"text":"run"}"#).expect("short").ttl_ms, TTL_MS);
        for (bad, reason) in [
            (&br#"{}"#[..], "text"),
            (br#"{"text":"  "}"#, "in words"),
            (br#"{"text":"run","skill":"x"}"#, "skill"),
            (br#"{"text":"run","v":2}"#, "v is 2"),
            (br#"{"text":"run","ttl_ms":0}"#, "ttl_ms"),
            (br#"{"text":"run","target":{"x":1e999,"y":0,"z":0}}"#, "number"),
            (br#"{"text":"run","target":{"x":1,"y":0,"z":0,"radius":-1}}"#, "radius"),
            (br#"{"text":7}"#, "string"),
            (b"\xff", "UTF-8"),
        ] {
            let told = why(instruction(bad));
            assert!(told.contains(reason), "{told:?} does not tell of {reason}");
        }
        let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(5000));
        assert!(why(instruction(long.as_bytes())).contains("4096"));
        let many = r#"{"name":"b","x":1,"y":2,"z":3}"#;
        let many = format!(r#"{{"text":"run","objects":[{}]}}"#, vec![many; 65].join(","));
        assert!(why(instruction(many.as_bytes())).contains("64"));
    }

    #[test]
    fn an_embedding_crosses_as_it_is() {
        let mut embedding = Box::new([0.25_f32; WIDTH]);
        embedding[1023] = -1.5;
        let embedded = Embedded {
            embedding,
            at_ns: 77,
            instruction_id: "i1".into(),
            encoder: "words".into(),
            fingerprint: "ab".repeat(32),
            latency_ms: 0.5,
        };
        let (bytes, said) = told(&embedded, "run");
        assert_eq!(super::embedded(&bytes, said.as_bytes()), Ok(embedded));
        let bad = |bytes: &[u8], said: &str| {
            super::embedded(bytes, said.as_bytes()).expect_err("bad").to_string()
        };
        assert!(bad(&bytes[1..], &said).contains("4096"));
        assert!(bad(&bytes, "").contains("v"));
        let mut nan = bytes.clone();
        nan[8..12].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(bad(&nan, &said).contains("finite"));
    }
}
