//! Where embeddings wait for the policies that see them.
//!
//! They come from outside, some milliseconds or seconds old, and are read by the thinker: nothing of this crosses the
//! seam. Whoever encodes puts a new one in place of the old; whoever reads takes hold of what is there, without a copy.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Instructions whose embeddings are kept; the oldest goes.
const KEPT: usize = 32;

/// One embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Its numbers.
    pub numbers: Box<[f32]>,
    /// When what it shows was seen, by the daemon's clock, ns.
    pub at_ns: u64,
}

/// The place of one instruction's newest embedding by one encoder.
#[derive(Debug, Default)]
pub struct Slot(Mutex<Option<Arc<Embedding>>>);

impl Slot {
    /// A place where this one lies already.
    #[must_use]
    pub fn holding(embedding: Embedding) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(Arc::new(embedding)))))
    }

    /// Puts a newer one there. One that shows an earlier moment came out of order, and is left out: `false`.
    pub fn put(&self, embedding: Embedding) -> bool {
        let mut slot = lock(&self.0);
        let is_newer = slot.as_ref().is_none_or(|old| old.at_ns <= embedding.at_ns);
        if is_newer {
            *slot = Some(Arc::new(embedding));
        }
        is_newer
    }

    /// What lies there. Allocates nothing.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<Embedding>> {
        lock(&self.0).clone()
    }
}

/// Whose embedding it is, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Label {
    fingerprint: String,
    instruction: String,
}

/// The newest embeddings of the last instructions, by encoder and instruction.
#[derive(Debug, Default)]
pub struct Embeddings(Mutex<VecDeque<(Label, Arc<Slot>)>>);

impl Embeddings {
    /// The place for what the encoder of this fingerprint makes of an instruction; made if it is not there yet, so that a
    /// policy may begin before its first embedding has come.
    #[must_use]
    pub fn slot(&self, fingerprint: &str, instruction_id: &str) -> Arc<Slot> {
        let label = Label {
            fingerprint: fingerprint.to_ascii_lowercase(),
            instruction: instruction_id.to_owned(),
        };
        let mut kept = lock(&self.0);
        if let Some((_, slot)) = kept.iter().find(|(known, _)| *known == label) {
            return Arc::clone(slot);
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        let slot = Arc::new(Slot::default());
        kept.push_back((label, Arc::clone(&slot)));
        slot
    }

    /// Puts an embedding in its place; `false` if a newer one lies there.
    pub fn put(&self, fingerprint: &str, instruction_id: &str, embedding: Embedding) -> bool {
        self.slot(fingerprint, instruction_id).put(embedding)
    }
}

/// Poison is no reason to see nothing: what is behind these locks is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedding(value: f32, at_ns: u64) -> Embedding {
        Embedding { numbers: vec![value; 4].into(), at_ns }
    }

    #[test]
    fn the_newest_of_an_instruction_by_an_encoder_counts() {
        let all = Embeddings::default();
        let slot = all.slot("AB", "walk");
        assert_eq!(slot.newest(), None);
        assert!(all.put("ab", "walk", embedding(1.0, 10)));
        assert!(all.put("ab", "walk", embedding(2.0, 20)));
        assert!(!all.put("ab", "walk", embedding(3.0, 15)), "out of order");
        assert!(all.put("ab", "eat", embedding(4.0, 30)));
        assert!(all.put("cd", "walk", embedding(5.0, 30)));
        let newest = slot.newest().expect("it came");
        assert_eq!(*newest, embedding(2.0, 20));
    }

    #[test]
    fn old_instructions_are_forgotten_and_their_policies_keep_what_they_hold() {
        let all = Embeddings::default();
        all.put("ab", "0", embedding(0.0, 1));
        let held = all.slot("ab", "0");
        for k in 1..=KEPT {
            all.put("ab", &k.to_string(), embedding(1.0, 1));
        }
        assert_eq!(all.slot("ab", "0").newest(), None, "a new place");
        assert!(held.newest().is_some());
    }
}
