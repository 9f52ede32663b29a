//! What a policy is told in words: where its head looks for the embedding of its instruction.

use super::{Desk, desk::lock};
use crate::{
    encoder::{Encoder, Look, Words},
    observation::embedding::{Embedding, Embeddings},
    router::default_phrase,
    skill::policy::Policy,
};

/// What somebody said when a run was asked for, and what the daemon calls it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) text: Option<&'a str>,
}

impl Desk {
    /// Embeddings of instructions, by encoder.
    #[must_use]
    pub fn embeddings(&self) -> &Embeddings {
        self.shown()
    }

    /// A policy whose head sees an embedding, with the place where that of its instruction is. Where none has come, the
    /// encoder that is built in makes one of the instruction, or of the words that the skill goes by.
    pub(super) fn tell(
        &self,
        policy: Policy,
        skill: &str,
        said: Said<'_>,
    ) -> Result<Policy, String> {
        let Some(wanted) = policy.encoder() else { return Ok(policy) };
        let text = said.text.unwrap_or_else(|| default_phrase(skill));
        // Without an id, the same words have the same place.
        let id = said.id.map_or_else(|| format!("words: {text}"), str::to_owned);
        let slot = self.embeddings().slot(&wanted.fingerprint, &id);
        if slot.newest().is_none() {
            let words = Words.identity();
            if !words.fingerprint.eq_ignore_ascii_case(&wanted.fingerprint) {
                return Err(format!(
                    "the head of {skill:?} sees embeddings of {:?} with fingerprint {}, and none of this instruction has \
                     come: let `reflexd-router run` with that encoder make them, and say the instruction",
                    wanted.name, wanted.fingerprint
                ));
            }
            let embed = |text: &str| Words.embed(&Look { instruction: text, image: None });
            let numbers = embed(text).or_else(|_| embed(default_phrase(skill)));
            let numbers = numbers.map_err(|error| error.to_string())?;
            slot.put(Embedding { numbers: numbers.to_vec().into(), at_ns: self.clock().now().0 });
        }
        *lock(self.last_said()) = Some((skill.to_owned(), id, text.to_owned()));
        Ok(policy.seeing(slot))
    }

    /// What was said when the run of a skill was begun: for whoever takes it over.
    pub(super) fn said_for(&self, skill: &str) -> Option<(String, String)> {
        let last = lock(self.last_said()).clone();
        last.filter(|(of, ..)| of == skill).map(|(_, id, text)| (id, text))
    }
}
