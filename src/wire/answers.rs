//! What commands and decisions are answered with.

use serde::{Deserialize, Serialize};

use super::messages::VERSION;
use crate::{
    decision::Verdict,
    operator::{Answer, Granted, Heard},
};

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAnswer {
    /// 1.
    pub v: u64,
    /// Whether it was carried out.
    pub accepted: bool,
    /// Why not.
    pub reason: Option<String>,
    /// What is new because of it; left out where the command says it all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// What was granted to whoever asked for the lease; left out otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<GrantedMessage>,
    /// The tick whose state already shows its effect; none before the first tick.
    pub state_seq: Option<u64>,
}

/// What the holder of the lease is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedMessage {
    /// To be sent with every heartbeat.
    pub lease_id: u64,
    /// It ends so long after the last sign of life.
    pub ttl_ms: u32,
    /// The robot holds so long after the last heartbeat: send three in that time.
    pub heartbeat_ms: u32,
}

impl From<Granted> for GrantedMessage {
    fn from(granted: Granted) -> Self {
        let Granted { lease_id, ttl_ms, heartbeat_ms } = granted;
        Self { lease_id, ttl_ms, heartbeat_ms }
    }
}

/// The answer to a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionAnswer {
    /// 1.
    pub v: u64,
    /// Whose answer this is; none if the message was not understood.
    pub decision_id: Option<String>,
    /// `accepted` or `refused`. How an accepted one ends, `state/skill` tells.
    pub verdict: String,
    /// Why not.
    pub reason: Option<String>,
    /// The run that it became.
    pub run: Option<u64>,
    /// The run that it took over from.
    pub superseded_run: Option<u64>,
    /// The newest tick; none before the first.
    pub state_seq: Option<u64>,
}

/// The answer to an instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeardAnswer {
    /// 1.
    pub v: u64,
    /// Whether it is followed, or being thought about: what comes of it, `state/instruction` tells.
    pub accepted: bool,
    /// Why not.
    pub reason: Option<String>,
    /// What it is called from now on; none if it was not understood.
    pub instruction_id: Option<String>,
    /// What is waited for: `embedding` or `decision`; `held` if the robot was told to stand still.
    pub next: Option<String>,
    /// The newest tick; none before the first.
    pub state_seq: Option<u64>,
}

impl HeardAnswer {
    pub(super) fn new(heard: Heard, state_seq: Option<u64>) -> Self {
        let Heard { accepted, reason, instruction_id, next } = heard;
        let next = next.map(str::to_owned);
        Self { v: VERSION, accepted, reason, instruction_id, next, state_seq }
    }
}

impl CommandAnswer {
    pub(super) fn refused(reason: String, state_seq: Option<u64>) -> Self {
        let (reason, changed) = (Some(reason), Vec::new());
        Self { v: VERSION, accepted: false, reason, changed, lease: None, state_seq }
    }
}

impl From<Answer> for CommandAnswer {
    fn from(answer: Answer) -> Self {
        let Answer { accepted, reason, changed, lease, state_seq } = answer;
        let lease = lease.map(Into::into);
        Self { v: VERSION, accepted, reason, changed, lease, state_seq: Some(state_seq) }
    }
}

impl DecisionAnswer {
    pub(super) fn new(decision_id: Option<String>, verdict: Verdict, seq: Option<u64>) -> Self {
        let (verdict, reason, run, superseded_run) = match verdict {
            Verdict::Accepted { run, superseded } => ("accepted", None, Some(run), superseded),
            Verdict::Refused { reason } => ("refused", Some(reason), None, None),
        };
        let verdict = verdict.into();
        Self { v: VERSION, decision_id, verdict, reason, run, superseded_run, state_seq: seq }
    }
}
