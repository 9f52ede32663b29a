//! What commands and decisions are answered with.

use serde::{Deserialize, Serialize};

use super::messages::VERSION;
use crate::{
    decision::Verdict,
    operator::{Answer, Heard},
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
    /// The tick whose state already shows its effect; none before the first tick.
    pub state_seq: Option<u64>,
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
        Self { v: VERSION, accepted: false, reason, changed, state_seq }
    }
}

impl From<Answer> for CommandAnswer {
    fn from(answer: Answer) -> Self {
        let Answer { accepted, reason, changed, state_seq } = answer;
        Self { v: VERSION, accepted, reason, changed, state_seq: Some(state_seq) }
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
