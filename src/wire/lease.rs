//! Who commands: what is asked for, heartbeats, and what is told.

use serde::Deserialize;
use serde_json::{Value, json};

use super::messages::{BadMessage, must, read};
use crate::operator::{Command, LeaseAct, Present};

/// A heartbeat of whoever holds the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Of which grant.
    pub lease_id: u64,
    /// Higher than the one before.
    pub seq: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lease {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    act: Act,
    #[serde(default)]
    ttl_ms: Option<u32>,
    #[serde(default)]
    takeover: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    Acquire,
    Renew,
    Release,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeatMessage {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    lease_id: u64,
    seq: u64,
}

/// Reads the payload of `lease`.
pub(super) fn command(payload: &[u8]) -> Result<(Command, Option<String>), BadMessage> {
    let Lease { operator, act, ttl_ms, takeover, .. } = read(payload)?;
    let of_acquire = act == Act::Acquire;
    let only = "left out, unless the act is acquire";
    must(of_acquire || ttl_ms.is_none(), "ttl_ms", &"given", only)?;
    must(of_acquire || takeover.is_none(), "takeover", &"given", only)?;
    if let Some(ttl_ms) = ttl_ms {
        must((1_000..=60_000).contains(&ttl_ms), "ttl_ms", &ttl_ms, "1000 to 60000")?;
    }
    let act = match act {
        Act::Acquire => LeaseAct::Acquire { ttl_ms, takeover: takeover.unwrap_or_default() },
        Act::Renew => LeaseAct::Renew,
        Act::Release => LeaseAct::Release,
    };
    Ok((Command::Lease(act), operator))
}

/// Reads the payload of `heartbeat/<operator>`.
///
/// # Errors
/// What is wrong with it.
pub fn beat(payload: &[u8]) -> Result<Beat, BadMessage> {
    let BeatMessage { lease_id, seq, .. } = read(payload)?;
    Ok(Beat { lease_id, seq })
}

/// Who holds the lease.
pub(super) fn told(present: &Present) -> Value {
    let lease = &present.lease;
    let holder = lease.holder.as_ref();
    json!({
        "required": lease.required,
        "holder": holder.map(|(who, _)| who),
        "lease_id": holder.map(|(_, id)| id),
        "since_ns": lease.since.map(|at| at.0),
    })
}
