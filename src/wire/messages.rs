//! What comes in, read strictly.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{backend, inject, lease, poses, record, sender::Peek};
use crate::{
    decision::{Decision, Observed},
    observation::Params,
    operator::{Command, Question, RegistryAct},
};

/// The largest payload that is read. Everything that is meant for these keys is far smaller.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// The version of every message that this daemon understands.
pub(super) const VERSION: u64 = 1;

/// Longest identifier, in characters.
const ID_CHARS_MAX: usize = 128;

/// Longest instruction, in characters.
pub(super) const INSTRUCTION_CHARS_MAX: usize = 4096;

/// Longest time to live. A decision that is older than ten minutes is about another world.
pub(super) const TTL_MS_MAX: u64 = 600_000;

/// Why a message was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// It was not even read.
    #[error("{0} bytes; at most {MESSAGE_BYTES_MAX} are read")]
    Oversized(usize),
    /// It is no text.
    #[error("not UTF-8 from byte {0} on")]
    NotUtf8(usize),
    /// It is no JSON, or has a wrong or unknown field.
    #[error("{0}")]
    NotUnderstood(String),
    /// It is of another time.
    #[error("v is {0}; this daemon understands v = {VERSION}")]
    Version(String),
    /// A value makes no sense.
    #[error("{field} = {value}: must be {must}")]
    Value {
        /// Which.
        field: &'static str,
        /// As it came, shortened.
        value: String,
        /// What would be right.
        must: &'static str,
    },
}

/// The parameters of a skill.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamsMessage {
    /// Metres in the robot's base frame.
    pub target_x: f64,
    /// Metres in the robot's base frame.
    pub target_y: f64,
    /// Metres in the robot's base frame.
    pub target_z: f64,
    /// Metres. A berry's, if left out.
    #[serde(default = "berry_radius")]
    pub radius: f64,
    /// Fraction of full speed, in (0, 1]; 1 if left out.
    #[serde(default = "full_speed")]
    pub speed_hint: f64,
    /// True if left out.
    #[serde(default = "yes")]
    pub object_is_berry: bool,
}

const fn berry_radius() -> f64 {
    0.018
}

pub(super) const fn full_speed() -> f64 {
    1.0
}

const fn yes() -> bool {
    true
}

/// The parameters as a network answered: any finite numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawParamsMessage {
    /// Metres.
    pub target_x: f64,
    /// Metres.
    pub target_y: f64,
    /// Metres.
    pub target_z: f64,
    /// Metres.
    pub radius: f64,
    /// Fraction of full speed.
    pub speed_hint: f64,
    /// How much of a berry it is.
    pub object_is_berry: f64,
}

impl From<[f64; 6]> for RawParamsMessage {
    fn from(raw: [f64; 6]) -> Self {
        let [target_x, target_y, target_z, radius, speed_hint, object_is_berry] = raw;
        Self { target_x, target_y, target_z, radius, speed_hint, object_is_berry }
    }
}

impl From<RawParamsMessage> for [f64; 6] {
    fn from(raw: RawParamsMessage) -> Self {
        let RawParamsMessage { target_x, target_y, target_z, .. } = raw;
        [target_x, target_y, target_z, raw.radius, raw.speed_hint, raw.object_is_berry]
    }
}

/// A decision as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionMessage {
    /// 1.
    pub v: u64,
    /// Chosen by the sender; the same one twice is a duplicate.
    pub decision_id: String,
    /// The skill to run.
    pub skill: String,
    /// What it acts on.
    pub params: ParamsMessage,
    /// The raw network's choice, where an instruction overrode it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neural_skill: Option<String>,
    /// The raw network's parameters, where they were made safe before use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_params: Option<RawParamsMessage>,
    /// 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The instruction that was followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Its id in `state/instruction`: the decision is about that one, and the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction_id: Option<String>,
    /// The tick that the sender had seen. This or the next, not both; neither means now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_tick: Option<u64>,
    /// The moment that the sender had seen, by the clock in `state/joints`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at_ns: Option<u64>,
    /// How long after that it may still be begun.
    pub ttl_ms: u64,
    /// Who decided.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Home {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default = "full_speed")]
    speed: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    arm_may_fall: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skill {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    name: String,
    #[serde(default)]
    params: Option<ParamsMessage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registry {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    act: Act,
    #[serde(default)]
    file: Option<PathBuf>,
    #[serde(default)]
    skill: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    Reload,
    Promote,
    Rollback,
}

fn registry(payload: &[u8]) -> Result<(Command, Option<String>), BadMessage> {
    let Registry { operator, act, file, skill, .. } = read(payload)?;
    let of_reload = matches!(act, Act::Reload);
    must(of_reload || file.is_none(), "file", &"given", "left out, unless the act is reload")?;
    let shown = skill.as_deref().unwrap_or("absent").to_owned();
    let act = match (act, skill) {
        (Act::Reload, None) => RegistryAct::Reload { file },
        (Act::Promote, Some(skill)) => RegistryAct::Promote { skill: id("skill", skill)? },
        (Act::Rollback, Some(skill)) => RegistryAct::Rollback { skill: id("skill", skill)? },
        _ => {
            let fits = "named for promote and rollback, left out for reload";
            return Err(BadMessage::Value { field: "skill", value: short(&shown), must: fits });
        }
    };
    Ok((Command::Registry(act), operator))
}

/// Reads the payload of `cmd/<verb>`, or of `lease`.
///
/// # Errors
/// What is wrong with it.
pub fn command(verb: &str, payload: &[u8]) -> Result<Command, BadMessage> {
    let (command, operator) = match verb {
        "home" => {
            let Home { operator, speed, .. } = read(payload)?;
            (Command::Home { speed: fraction("speed", speed)? }, operator)
        }
        "release" => {
            let Release { operator, arm_may_fall, .. } = read(payload)?;
            let said = arm_may_fall.map_or("absent".to_owned(), |said| said.to_string());
            let fits = "true: without power the arm falls, and somebody has to hold it";
            must(arm_may_fall == Some(true), "arm_may_fall", &said, fits)?;
            (Command::Release, operator)
        }
        "registry" => registry(payload)?,
        "backend" => backend::command(payload)?,
        "record" => record::command(payload)?,
        "inject" => inject::command(payload)?,
        "lease" => lease::command(payload)?,
        "goto" => poses::goto(payload)?,
        "jog" => poses::jog(payload)?,
        "skill" => {
            let Skill { operator, name, params, .. } = read(payload)?;
            let name = id("name", name)?;
            let params = params.map_or_else(|| Ok(Params::default()), checked)?;
            (Command::Skill { name, params }, operator)
        }
        verb => {
            let command = match verb {
                "arm" => Command::Arm,
                "disarm" => Command::Disarm,
                "hold" => Command::Hold,
                "clear_fault" => Command::ClearFault,
                _ => return Err(BadMessage::NotUnderstood(format!("no such command: {verb:?}"))),
            };
            (command, plain(payload)?)
        }
    };
    operator.map(|name| id("operator", name)).transpose()?;
    Ok(command)
}

/// Reads the payload of `ask/ik`.
///
/// # Errors
/// What is wrong with it.
pub fn question(payload: &[u8]) -> Result<Question, BadMessage> {
    poses::ik(payload)
}

/// Reads a message that has nothing to say but who sent it.
///
/// # Errors
/// What is wrong with it.
pub fn plain(payload: &[u8]) -> Result<Option<String>, BadMessage> {
    read::<Plain>(payload).map(|plain| plain.operator)
}

impl From<&Decision> for DecisionMessage {
    fn from(decision: &Decision) -> Self {
        let Params { target_x, target_y, target_z, radius, speed_hint, object_is_berry } =
            decision.params;
        let (observed_tick, observed_at_ns) = match decision.observed {
            Observed::Tick(tick) => (Some(tick), None),
            Observed::AtNs(at) => (None, Some(at)),
            Observed::Now => (None, None),
        };
        Self {
            v: VERSION,
            decision_id: decision.decision_id.clone(),
            skill: decision.skill.clone(),
            params: ParamsMessage {
                target_x,
                target_y,
                target_z,
                radius,
                speed_hint,
                object_is_berry,
            },
            neural_skill: decision.neural_skill.clone(),
            raw_params: decision.raw_params.map(Into::into),
            confidence: decision.confidence,
            instruction: decision.instruction.clone(),
            instruction_id: decision.instruction_id.clone(),
            observed_tick,
            observed_at_ns,
            ttl_ms: decision.ttl_ms,
            source: decision.source.clone(),
        }
    }
}

/// Reads a decision.
///
/// # Errors
/// What is wrong with it.
pub fn decision_message(payload: &[u8]) -> Result<Decision, BadMessage> {
    let message: DecisionMessage = read(payload)?;
    let observed = match (message.observed_tick, message.observed_at_ns) {
        (Some(tick), None) => Observed::Tick(tick),
        (None, Some(at)) => Observed::AtNs(at),
        (None, None) => Observed::Now,
        (Some(tick), Some(_)) => {
            must(false, "observed_tick", &tick, "left out where observed_at_ns is given")?;
            Observed::Now
        }
    };
    if let Some(confidence) = message.confidence {
        must((0.0..=1.0).contains(&confidence), "confidence", &confidence, "in 0..=1")?;
    }
    if let Some(instruction) = &message.instruction {
        let short = instruction.chars().count() <= INSTRUCTION_CHARS_MAX;
        must(short, "instruction", instruction, "at most 4096 characters")?;
    }
    if let Some(raw) = message.raw_params {
        for value in <[f64; 6]>::from(raw) {
            number("raw_params", value)?;
        }
    }
    let ttl_ms = message.ttl_ms;
    must((1..=TTL_MS_MAX).contains(&ttl_ms), "ttl_ms", &ttl_ms, "in 1..=600000")?;
    Ok(Decision {
        decision_id: id("decision_id", message.decision_id)?,
        skill: id("skill", message.skill)?,
        params: checked(message.params)?,
        neural_skill: message.neural_skill.map(|name| id("neural_skill", name)).transpose()?,
        raw_params: message.raw_params.map(Into::into),
        confidence: message.confidence,
        instruction_id: message.instruction_id.map(|it| id("instruction_id", it)).transpose()?,
        instruction: message.instruction.filter(|text| !text.is_empty()),
        observed,
        ttl_ms,
        source: id("source", message.source)?,
    })
}

pub(super) fn read<T: de::DeserializeOwned>(payload: &[u8]) -> Result<T, BadMessage> {
    if payload.len() > MESSAGE_BYTES_MAX {
        return Err(BadMessage::Oversized(payload.len()));
    }
    let text = str::from_utf8(payload).map_err(|e| BadMessage::NotUtf8(e.valid_up_to()))?;
    // A later version has fields of its own: it is to be refused for what it is, not for them.
    if let Some(v) = Peek::at(payload).v.filter(|v| v.as_u64() != Some(VERSION)) {
        return Err(BadMessage::Version(short(&v)));
    }
    // Clients that have nothing to say send nothing.
    let text = if text.trim().is_empty() { "{}" } else { text };
    // As a list its values would have no names, and nobody would see whom it names.
    if text.trim_start().starts_with('[') {
        return Err(BadMessage::NotUnderstood("expected an object, not a list".into()));
    }
    serde_json::from_str(text).map_err(|error| BadMessage::NotUnderstood(short(&error)))
}

pub(super) fn must(
    holds: bool,
    field: &'static str,
    value: &impl fmt::Display,
    must: &'static str,
) -> Result<(), BadMessage> {
    if holds { Ok(()) } else { Err(BadMessage::Value { field, value: short(value), must }) }
}

pub(super) fn fraction(field: &'static str, value: f64) -> Result<f64, BadMessage> {
    must(value > 0.0 && value <= 1.0, field, &value, "in (0, 1]").map(|()| value)
}

/// A finite number.
pub(super) fn number(field: &'static str, value: f64) -> Result<f64, BadMessage> {
    must(value.is_finite(), field, &value, "finite").map(|()| value)
}

pub(super) fn id(field: &'static str, value: String) -> Result<String, BadMessage> {
    let fits = (1..=ID_CHARS_MAX).contains(&value.chars().count());
    let plain = !value.chars().any(char::is_control);
    must(fits && plain, field, &value, "1 to 128 characters, none of them a control character")?;
    Ok(value)
}

fn checked(params: ParamsMessage) -> Result<Params, BadMessage> {
    let ParamsMessage { target_x, target_y, target_z, radius, speed_hint, object_is_berry } =
        params;
    for (field, value) in [("target_x", target_x), ("target_y", target_y), ("target_z", target_z)] {
        must(value.is_finite(), field, &value, "finite")?;
    }
    must(radius.is_finite() && radius > 0.0, "radius", &radius, "finite and positive")?;
    fraction("speed_hint", speed_hint)?;
    Ok(Params { target_x, target_y, target_z, radius, speed_hint, object_is_berry })
}

/// What came in, as far as an answer and a log line need it.
fn short(value: &impl fmt::Display) -> String {
    const CHARS_MAX: usize = 240;
    let text = value.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
    .replace(char::is_control, "\u{fffd}")
}

/// A map whose keys stand once each: of two positions for one joint neither is meant.
pub(super) fn each_once<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, f64>, D::Error> {
    struct Once;
    impl<'de> de::Visitor<'de> for Once {
        type Value = BTreeMap<String, f64>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("an object of joint names and positions")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((name, position)) = access.next_entry::<String, f64>()? {
                if map.contains_key(&name) {
                    return Err(de::Error::custom(format_args!("joint {name:?} stands twice")));
                }
                map.insert(name, position);
            }
            Ok(map)
        }
    }
    from.deserialize_map(Once)
}

#[cfg(test)]
#[path = "messages_test.rs"]
mod tests;
