//! What is told to the world: ticks in names and SI units. A value that is not finite is told as `null`.

use motion::{Corrected, Drive, Fault, Joints, Limits, Mode, Source};
use serde::Serialize;
use serde_json::{Value, json};

use super::{ParamsMessage, Shape, lease, messages::VERSION};
use crate::{
    observation::Params,
    operator::{Present, Running, words},
};

/// Where the tool is, in the robot's base frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pose {
    /// x, y, z.
    pub position_m: [f64; 3],
    /// x, y, z, w.
    pub quaternion_xyzw: [f64; 4],
}

/// A histogram's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50_us: f64,
    /// One in a hundred is worse.
    pub p99_us: f64,
    /// One in a thousand is worse.
    pub p99_9_us: f64,
    /// The worst.
    pub max_us: f64,
    /// How many there were by size: below 2 us, from there below 4 us, and so on; the last has all that are longer.
    pub counts_below_2_4_8_us: [u64; BUCKETS],
}

/// Powers of two from 2 us to half a second, and what is longer.
pub const BUCKETS: usize = 20;

/// How punctual the loop is. Counts are since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TimingMessage {
    /// From the moment that a tick was due to its begin.
    pub lateness: Quantiles,
    /// From its begin to its end.
    pub execution: Quantiles,
    /// Ticks that ran.
    pub ticks: u64,
    /// Periods that were skipped.
    pub skipped: u64,
    /// Chunks that came after the tick that wanted them: inline ones that missed their deadline.
    pub late_chunks: u64,
    /// Chunks that came into use.
    pub chunks: u64,
    /// Of these, those that came more ticks after their observation than they were asked ahead.
    pub chunks_behind: u64,
    /// The delay of the last one: ticks from its observation to its first use.
    pub delay_ticks: u32,
    /// The longest delay so far.
    pub delay_max_ticks: u32,
    /// Chunks that were refused; `event/run` says each time why.
    pub chunks_refused: u64,
    /// Ticks in which a correction was wanted.
    pub corrections_wanted: u64,
    /// Of these, those in which none came in time.
    pub corrections_missed: u64,
    /// Those in which it was not of this tick, run or head, or not usable.
    pub corrections_refused: u64,
    /// Those in which it was cut to its bound.
    pub corrections_bounded: u64,
    /// Asks whose observation was out of distribution: numbers ended at the clips of their head.
    pub out_of_distribution: u64,
    /// Reports that found the ring to the asynchronous side full.
    pub reports_dropped: u64,
    /// Messages that were not understood, or came when there was no room for them.
    pub refused_messages: u64,
}

/// A line of the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventMessage {
    /// Who.
    pub who: String,
    /// The key that it came on; empty for what the daemon did by itself.
    pub key: String,
    /// What was asked for, or happened.
    pub what: String,
    /// What became of it.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
    /// When, by the clock in `state/joints`.
    pub at_ns: u64,
}

/// The names of the messages that [`tell`] knows.
pub(super) const TOLD: [&str; 7] = [
    "state/joints",
    "state/chunk",
    "state/mode",
    "state/fault",
    "state/skill",
    "state/limits",
    "state/lease",
];

/// What a key says of the present, without tick and time: two of these are equal when nothing changed.
pub(super) fn tell(name: &str, present: &Present, shape: &Shape) -> Option<Value> {
    Some(match name {
        "state/joints" => joints(present, shape),
        "state/chunk" => chunk(present),
        "state/mode" => mode(present),
        "state/fault" => fault(present, shape),
        "state/skill" => skill(present),
        "state/limits" => limits(shape),
        "state/lease" => lease::told(present),
        _ => return None,
    })
}

#[derive(Serialize)]
struct Stamped<'a, T> {
    v: u64,
    seq: u64,
    at_ns: u64,
    #[serde(flatten)]
    body: &'a T,
}

/// The message for a body: with its version, the tick that it is of and that tick's time.
pub(super) fn stamp(body: &impl Serialize, present: &Present) -> String {
    let (seq, at_ns) = (present.tick.tick.0, present.tick.at.0);
    encode(&Stamped { v: VERSION, seq, at_ns, body })
}

/// The message for a body that has its own time, or none.
pub(super) fn version(body: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        v: u64,
        #[serde(flatten)]
        body: &'a T,
    }
    encode(&Versioned { v: VERSION, body })
}

pub(super) fn encode(message: &impl Serialize) -> String {
    // Our own types have string keys and no other way to fail.
    serde_json::to_string(message)
        .unwrap_or_else(|error| json!({ "reason": error.to_string() }).to_string())
}

fn joints(present: &Present, shape: &Shape) -> Value {
    let tick = &present.tick;
    let limited_by =
        tick.limited_by.iter().take(shape.joints.len()).map(|limits| names_of(*limits));
    json!({
        "mode": words::mode(&tick.mode),
        "driven": tick.drive == Drive::On,
        "engaged": tick.state.engaged,
        "sampled_at_ns": tick.state.sampled_at.0,
        "age_s": values(&tick.state.age_s),
        "names": *shape.joints,
        "position_rad_or_m": values(&tick.state.position),
        "velocity_rad_or_m_per_s": values(&tick.state.velocity),
        "requested_rad_or_m": values(&tick.requested),
        "commanded_rad_or_m": values(&tick.applied),
        "limited_by": limited_by.collect::<Vec<_>>(),
    })
}

fn values(joints: &Joints) -> &[f64] {
    joints
}

fn names_of(limits: Limits) -> Vec<&'static str> {
    let named = Limits::NAMES.iter().filter(|(bit, _)| limits.contains(*bit));
    named.map(|(_, name)| *name).collect()
}

fn chunk(present: &Present) -> Value {
    let (source, of) = match present.tick.source {
        Source::Rest => ("rest", None),
        Source::Waiting => ("waiting", None),
        Source::Chunk { chunk, head, step } => {
            ("chunk", Some((chunk.0, format!("{:016x}", head.0), step)))
        }
        Source::Extrapolated => ("extrapolated", None),
        Source::Dry => ("dry", None),
    };
    json!({
        "run": present.tick.mode.run().map(|run| run.0),
        "source": source,
        "chunk": of.as_ref().map(|of| of.0),
        "head_sha256_head": of.as_ref().map(|of| of.1.as_str()),
        "step": of.as_ref().map(|of| of.2),
        "correction": match present.tick.corrected {
            Corrected::NotWanted => None,
            Corrected::Added => Some("added"),
            Corrected::Bounded => Some("bounded"),
            Corrected::Missed => Some("missed"),
            Corrected::Foreign => Some("foreign"),
            Corrected::Unusable => Some("unusable"),
        },
    })
}

fn mode(present: &Present) -> Value {
    let tick = &present.tick;
    let by = match tick.mode {
        Mode::EStopped { by, .. } => Some(by.0),
        _ => None,
    };
    json!({
        "mode": words::mode(&tick.mode),
        "run": tick.mode.run().map(|run| run.0),
        "why": present.trouble,
        "by": by,
        "epoch": tick.epoch.0,
        "driven": tick.drive == Drive::On,
        "action": tick.verdict.action.name(),
        "conditions": tick.conditions.iter().map(|it| it.rule().name).collect::<Vec<_>>(),
    })
}

fn fault(present: &Present, shape: &Shape) -> Value {
    let (kind, joint, since) = match present.tick.mode {
        Mode::Faulted { why, at } => {
            let (kind, joint) = fault_name(why);
            (Some(kind), joint.and_then(|joint| shape.joints.get(joint)), Some(at.0))
        }
        Mode::EStopped { at, .. } => (Some("estop"), None, Some(at.0)),
        // It has not been well since the start.
        Mode::Booting => match present.tick.trouble.map(fault_name) {
            Some((kind, joint)) => {
                (Some(kind), joint.and_then(|joint| shape.joints.get(joint)), None)
            }
            None => (None, None, None),
        },
        _ => (None, None, None),
    };
    json!({ "fault": kind, "joint": joint, "since_seq": since, "why": present.trouble })
}

fn fault_name(fault: Fault) -> (&'static str, Option<usize>) {
    match fault {
        Fault::RequestNotFinite { joint } => ("request_not_finite", Some(joint)),
        Fault::GrossJump { joint } => ("gross_jump", Some(joint)),
        Fault::StateNotFinite { joint } => ("state_not_finite", Some(joint)),
        Fault::StateShape => ("state_shape", None),
        Fault::StateStale => ("state_stale", None),
        Fault::Unwell(ailment) => (ailment.name(), ailment.joint()),
        Fault::BackendLost => ("backend_lost", None),
        Fault::Diverged { joint } => ("diverged", Some(joint)),
        Fault::NotEngaged => ("not_engaged", None),
        Fault::Disengaged => ("disengaged", None),
        Fault::OutsideLimits { joint } => ("outside_limits", Some(joint)),
    }
}

fn skill(present: &Present) -> Value {
    let last = present.last_run.as_ref().map(|(run, ending)| {
        let mut last = running(run);
        last["ending"] = json!(ending);
        last
    });
    json!({ "running": present.run.as_ref().map(running), "last": last })
}

fn running(run: &Running) -> Value {
    let odd = &run.odd;
    json!({
        "run": run.run,
        "skill": run.skill,
        "policy": run.policy,
        "params": params(&run.params),
        "decision_id": run.decision_id,
        "source": run.source,
        "out_of_distribution": (odd.asks > 0).then(|| {
            json!({ "asks": odd.asks, "numbers": odd.numbers, "input": odd.input })
        }),
    })
}

fn params(params: &Params) -> ParamsMessage {
    let Params { target_x, target_y, target_z, radius, speed_hint, object_is_berry } = *params;
    ParamsMessage { target_x, target_y, target_z, radius, speed_hint, object_is_berry }
}

fn limits(shape: &Shape) -> Value {
    let all = |of: fn(&motion::JointLimits) -> f64| shape.limits.iter().map(of).collect::<Vec<_>>();
    json!({
        "names": *shape.joints,
        "position_min_rad_or_m": all(|limits| limits.position_min),
        "position_max_rad_or_m": all(|limits| limits.position_max),
        "velocity_max_rad_or_m_per_s": all(|limits| limits.velocity_max),
        "acceleration_max_rad_or_m_per_s2": all(|limits| limits.acceleration_max),
        "jerk_max_rad_or_m_per_s3": all(|limits| limits.jerk_max),
    })
}
