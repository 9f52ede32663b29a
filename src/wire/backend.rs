//! Who carries out the commands: what may be asked for, and how far a shadow stands from who acts.

use motion::{Health, Joints};
use reflex::backend::{piper::Traffic, swap::Divergence};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::messages::{BadMessage, must, read};
use crate::{
    config::BackendKind,
    operator::{BackendAct, Command},
};

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendMessage {
    /// The newest tick.
    pub seq: u64,
    /// The loop's time.
    pub at_ns: u64,
    /// Who acts.
    pub active: &'static str,
    /// Who follows the same commands.
    pub shadow: Option<&'static str>,
    /// What its bus was seen to do, if it has one.
    pub bus: Option<Traffic>,
    /// The tick since which that is so.
    pub since_seq: u64,
    /// The loop's time of it.
    pub since_at_ns: u64,
}

/// How far a shadow stands from who acts.
#[derive(Clone, Debug)]
pub struct ShadowMessage {
    /// The newest tick.
    pub seq: u64,
    /// When it was seen, by the loop's time.
    pub at_ns: u64,
    /// Who acts.
    pub active: &'static str,
    /// Who shadows it, if anybody does.
    pub shadow: Option<&'static str>,
    /// Joint names, in joint order.
    pub names: Vec<String>,
    /// What was seen, if anything was yet.
    pub divergence: Option<Divergence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Backend {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default)]
    to: Option<BackendKind>,
    #[serde(default)]
    pose: Option<Pose>,
    #[serde(default)]
    keep_shadow: Option<bool>,
    /// `null` is not the same as nothing.
    #[serde(default, deserialize_with = "given")]
    shadow: Option<Option<BackendKind>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pose {
    Present,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<BackendKind>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Reads the payload of `cmd/backend`.
pub(super) fn command(payload: &[u8]) -> Result<(Command, Option<String>), BadMessage> {
    let Backend { operator, to, pose, keep_shadow, shadow, .. } = read(payload)?;
    let act = match (to, shadow) {
        (Some(kind), None) => BackendAct::To {
            kind,
            from_present: pose.is_some(),
            keep_shadow: keep_shadow.unwrap_or(false),
        },
        (None, Some(kind)) => {
            let alone = pose.is_none() && keep_shadow.is_none();
            must(alone, "shadow", &"given", "alone: pose and keep_shadow belong to `to`")?;
            BackendAct::Shadow(kind)
        }
        (Some(_), Some(_)) => {
            must(false, "shadow", &"given", "left out where `to` is given")?;
            BackendAct::Shadow(None)
        }
        (None, None) => {
            must(false, "to", &"absent", "a backend; or give `shadow`, a backend or null")?;
            BackendAct::Shadow(None)
        }
    };
    Ok((Command::Backend(act), operator))
}

/// Counts since the bus was opened.
fn traffic(of: Traffic) -> Value {
    let Traffic { heard, strange, disbelieved, foreign, sent_late, loop_gone, reopened } = of;
    json!({
        "heard": heard,
        "strange": strange,
        "disbelieved": disbelieved,
        "foreign": foreign,
        "sent_late": sent_late,
        "loop_gone": loop_gone,
        "reopened": reopened,
    })
}

pub(super) fn backend(told: &BackendMessage) -> Value {
    json!({
        "seq": told.seq,
        "at_ns": told.at_ns,
        "active": told.active,
        "shadow": told.shadow,
        "bus": told.bus.map(traffic),
        "since_seq": told.since_seq,
        "since_at_ns": told.since_at_ns,
    })
}

pub(super) fn shadow(told: &ShadowMessage) -> Value {
    let seen = told.divergence.as_ref();
    let health = seen.map(|seen| match seen.health {
        Health::Good => "good",
        Health::Unwell(ailment) => ailment.name(),
        Health::Lost => "lost",
    });
    let values = |joints: Option<&Joints>| joints.map(|joints| joints.to_vec());
    json!({
        "seq": told.seq,
        "at_ns": told.at_ns,
        "active": told.active,
        "shadow": told.shadow,
        "health": health,
        "engaged": seen.map(|seen| seen.engaged),
        "names": told.names,
        "difference_rad_or_m": values(seen.and_then(|seen| seen.difference.as_ref())),
        "max_rad_or_m": values(seen.map(|seen| &seen.most)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(payload: &str) -> Result<Command, String> {
        command(payload.as_bytes()).map(|(command, _)| command).map_err(|bad| bad.to_string())
    }

    #[test]
    fn one_thing_is_asked_for_at_a_time() {
        let to = |kind, from_present, keep_shadow| {
            Ok(Command::Backend(BackendAct::To { kind, from_present, keep_shadow }))
        };
        assert_eq!(act(r#"{"to":"mujoco"}"#), to(BackendKind::Mujoco, false, false));
        assert_eq!(
            act(r#"{"to":"loopback","pose":"present","keep_shadow":true,"operator":"ada"}"#),
            to(BackendKind::Loopback, true, true)
        );
        let shadow = |kind| Ok(Command::Backend(BackendAct::Shadow(kind)));
        assert_eq!(act(r#"{"shadow":"mujoco"}"#), shadow(Some(BackendKind::Mujoco)));
        assert_eq!(act(r#"{"shadow":null}"#), shadow(None));
        for bad in [
            "",
            r#"{"to":"spot"}"#,
            r#"{"to":null}"#,
            r#"{"to":"mujoco","shadow":null}"#,
            r#"{"shadow":"mujoco","pose":"present"}"#,
            r#"{"shadow":null,"keep_shadow":false}"#,
            r#"{"to":"mujoco","pose":"home"}"#,
            r#"{"to":"mujoco","speed":1}"#,
        ] {
            assert!(act(bad).is_err(), "{bad:?}");
        }
    }
}
