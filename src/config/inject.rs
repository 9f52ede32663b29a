//! Whether faults may be injected.

use serde::{Deserialize, Serialize};

/// The `[inject]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct InjectSettings {
    /// Serve `cmd/inject`: whoever may command the robot may then make it fail. For simulated robots.
    pub enabled: bool,
}
