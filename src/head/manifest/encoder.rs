//! The manifest's words on whose embeddings a head sees.

use serde::{Deserialize, Serialize};

use super::{
    Manifest,
    check::{Checked, Refuse},
};
use crate::observation::FeatureName;

/// The encoder that a head was trained with. It is refused every other.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderTable {
    /// The encoder's name.
    pub name: String,
    /// The prompt that the instruction is put into.
    pub prompt: String,
    /// SHA-256 of all that shapes its numbers, in hexadecimal.
    pub fingerprint: String,
}

impl EncoderTable {
    pub(super) fn check(&self, no: &Refuse<'_>) -> Checked {
        no.unless_named("encoder.name", &self.name)?;
        no.unless_named("encoder.prompt", &self.prompt)?;
        let is_digest = self.fingerprint.len() == 64
            && self.fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
        let remedy = "give the 64 hex digits that the encoder tells of itself";
        no.unless(is_digest, "encoder.fingerprint", &self.fingerprint, remedy)
    }
}

impl Manifest {
    /// A table says whose embedding it is, if and only if there is one.
    pub(super) fn check_encoder(&self, no: &Refuse<'_>) -> Checked {
        let sees = self.sees(FeatureName::Embedding);
        let remedy = match sees {
            true => "say whose embedding it is: add [encoder] with name, prompt and fingerprint",
            false => "nothing here sees an embedding: leave it out, or add a feature \"embedding\"",
        };
        let found = self.encoder.as_ref().map(|encoder| &encoder.name);
        no.unless(sees == self.encoder.is_some(), "encoder", found, remedy)?;
        self.encoder.iter().try_for_each(|encoder| encoder.check(no))
    }
}
