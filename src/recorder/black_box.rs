//! The last ticks, kept in memory for the moment in which somebody wants to know how it came to this.
//!
//! They are kept in stretches that begin with what the law remembered, so that whatever is written out can be executed
//! once more from its first tick. Only whole stretches are forgotten.

use std::collections::VecDeque;

use reflex::tape::{MEMORY, TICK};

use super::told::Told;

/// Messages beside the ticks that are kept; whoever floods pushes out its own kind.
const ASIDES_MAX: usize = 4096;
/// A stretch longer than this many times what is to be kept is one whose memories get lost.
const LOST_AFTER: u64 = 2;

/// The last ticks and what was told meanwhile.
pub(super) struct BlackBox {
    keep_ticks: u64,
    stretches: VecDeque<Stretch>,
    asides: VecDeque<Told>,
}

#[derive(Default)]
struct Stretch {
    entries: Vec<Box<[u64]>>,
    ticks: u64,
}

impl BlackBox {
    /// Keeps at least so many ticks.
    pub(super) fn new(keep_ticks: u64) -> Self {
        let stretches = VecDeque::from([Stretch::default()]);
        Self { keep_ticks, stretches, asides: VecDeque::new() }
    }

    /// Takes an entry of the tape.
    pub(super) fn take(&mut self, words: &[u64]) {
        let ticks: u64 = self.stretches.iter().map(|stretch| stretch.ticks).sum();
        let kind = words.first().copied();
        if kind == Some(MEMORY) {
            self.stretches.push_back(Stretch::default());
            let mut left = ticks;
            while let Some(oldest) = self.stretches.front()
                && self.stretches.len() > 2
                && left - oldest.ticks >= self.keep_ticks
            {
                left -= oldest.ticks;
                self.stretches.pop_front();
            }
        } else if ticks > LOST_AFTER * self.keep_ticks.max(1000) {
            self.stretches.clear();
            self.stretches.push_back(Stretch::default());
        }
        if let Some(newest) = self.stretches.back_mut() {
            newest.entries.push(words.into());
            newest.ticks += u64::from(kind == Some(TICK));
        }
    }

    /// Takes something that was told beside the ticks.
    pub(super) fn note(&mut self, told: &Told) {
        if self.asides.len() == ASIDES_MAX {
            self.asides.pop_front();
        }
        self.asides.push_back(told.clone());
    }

    /// Everything that is kept, oldest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &[u64]> {
        self.stretches.iter().flat_map(Stretch::entries)
    }

    /// The newest stretch: where a file that begins now has to begin, to be executed once more from its first tick.
    pub(super) fn newest(&self) -> impl Iterator<Item = &[u64]> {
        self.stretches.back().into_iter().flat_map(Stretch::entries)
    }

    /// What was told since a moment of the loop's time.
    pub(super) fn asides(&self, since_ns: u64) -> impl Iterator<Item = &Told> {
        self.asides.iter().filter(move |told| told.at_ns >= since_ns)
    }
}

impl Stretch {
    fn entries(&self) -> impl Iterator<Item = &[u64]> {
        self.entries.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_stretches_are_forgotten_and_enough_is_kept() {
        let mut kept = BlackBox::new(100);
        for tick in 0..1000_u64 {
            kept.take(&[TICK, tick]);
            if tick % 30 == 0 {
                kept.take(&[MEMORY, tick + 1]);
            }
        }
        let entries: Vec<&[u64]> = kept.entries().collect();
        assert_eq!(entries[0][0], MEMORY);
        let ticks: Vec<u64> =
            entries.iter().filter(|entry| entry[0] == TICK).map(|entry| entry[1]).collect();
        assert!((100..=160).contains(&ticks.len()), "{}", ticks.len());
        assert_eq!(ticks.last(), Some(&999));
        assert_eq!(ticks.first().copied(), Some(entries[0][1]));
        let newest: Vec<&[u64]> = kept.newest().collect();
        assert_eq!(newest[0], [MEMORY, 991]);
        assert_eq!(newest.len(), 10);
    }

    #[test]
    fn a_tape_without_memories_fills_nothing() {
        let mut kept = BlackBox::new(100);
        for tick in 0..100_000_u64 {
            kept.take(&[TICK, tick]);
        }
        assert!(kept.entries().count() <= 2001);
    }
}
