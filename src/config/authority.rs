//! Who may command, and what happens when nobody is there any more: the `[authority]` table of a daemon's file.

use std::path::Path;

use motion::{Attendance, Robot};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The `[authority]` table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthoritySettings {
    /// When the robot moves for the holder of the lease only.
    pub lease: LeaseKind,
    /// An operator whose heartbeat was not heard for so long is not there: the robot holds.
    pub heartbeat_ms: u32,
    /// Who is away for so long more is gone: the robot is no longer driven.
    pub park_after_ms: u32,
    /// A lease without a heartbeat ends after this.
    pub ttl_ms: u32,
    /// When somebody else may take the lease over.
    pub takeover: Takeover,
}

/// When the robot moves for the holder of the lease only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseKind {
    /// Always.
    Required,
    /// While a physical robot acts; with a simulated one, as soon as somebody holds it.
    #[default]
    Physical,
    /// As soon as somebody holds it.
    Optional,
}

/// When somebody else may take the lease over, if they ask for it in so many words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Takeover {
    /// At any time; the robot is brought to hold first.
    #[default]
    Always,
    /// When its holder's heartbeat is not heard.
    WhenSilent,
    /// Not before it has ended.
    Never,
}

impl Default for AuthoritySettings {
    fn default() -> Self {
        Self {
            lease: LeaseKind::default(),
            heartbeat_ms: 300,
            park_after_ms: 60_000,
            ttl_ms: 5_000,
            takeover: Takeover::default(),
        }
    }
}

impl AuthoritySettings {
    /// # Errors
    /// The first value that makes no sense.
    pub(super) fn check(&self, file: &Path) -> Result<(), ConfigError> {
        let within = |key: &str, value: u32, low: u32, high: u32| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            let remedy = format!("choose {low} to {high}");
            Err(ConfigError::value(file, format!("authority.{key}"), value, remedy))
        };
        // Half a second from the loss of a heartbeat to a robot that holds is a promise; a period belongs to the loop.
        within("heartbeat_ms", self.heartbeat_ms, 100, 400)?;
        within("park_after_ms", self.park_after_ms, 1_000, 86_400_000)?;
        within("ttl_ms", self.ttl_ms, 1_000, 60_000)
    }

    /// The robot, as its law is to see to it that somebody is there.
    #[must_use]
    pub fn over(&self, robot: Robot) -> Robot {
        let attendance = match self.lease {
            LeaseKind::Required => Attendance::Required,
            LeaseKind::Physical => Attendance::Physical,
            LeaseKind::Optional => Attendance::Optional,
        };
        let ns = |ms: u32| u64::from(ms) * 1_000_000;
        robot.attended(attendance, ns(self.heartbeat_ms), ns(self.park_after_ms))
    }
}
