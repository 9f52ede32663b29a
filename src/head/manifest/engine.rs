//! Where a head wants to run.

use serde::Deserialize;

use crate::inference::{Placement, Precision, Provider};

/// The `[engine]` table: what is said here outranks the daemon's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineRule {
    /// What runs it.
    pub provider: Option<Provider>,
    /// How its weights are kept.
    pub precision: Option<Precision>,
}

impl EngineRule {
    /// Where a network of this digest goes, given where others go.
    pub(in crate::head) fn placement(self, others: &Placement, sha256: &str) -> Placement {
        Placement {
            provider: self.provider.unwrap_or(others.provider),
            precision: self.precision.unwrap_or(others.precision),
            digest: sha256.to_ascii_lowercase(),
            ..others.clone()
        }
    }
}
