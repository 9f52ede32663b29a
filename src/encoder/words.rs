//! The encoder that needs nothing else: text to numbers by a dictionary. The same bits on every machine.
//!
//! ```text
//! text ──reading──► words in basic form, concepts, what is negated ──► six blocks ──► length 1
//! ```
//!
//! An instruction that nobody foresaw still has known concepts, and each of those has a coordinate of its own: what a
//! head has learnt of "grab" it then knows of "snatch". Words, their neighbours and their letters follow with far less
//! weight, in coordinates by hash. It sees no picture.

use std::sync::LazyLock;

use super::{Embedding, EncodeError, Encoder, Identity, Look, WIDTH};
use crate::head::digest_of;

mod lexicon;
mod reading;
mod spelling;

pub use reading::{ACTS, Act, Reading};

/// To be counted up whenever other numbers come out of the same dictionary; a test holds the numbers to it.
const VERSION: u32 = 2;

const DICTIONARY: &str = include_str!("words.txt");

/// A block of coordinates: where it begins, how many it has, and its length in the whole.
struct Block {
    from: usize,
    width: usize,
    length: f64,
}

/// Concepts that are meant, one coordinate each, in the order of the dictionary; their weights are the dictionary's.
const MEANT: usize = 0;
/// Concepts that are negated, likewise.
const NEGATED: usize = 64;
/// Which concept comes before which.
const PAIRS: Block = Block { from: 128, width: 192, length: 0.8 };
/// Words in their basic form.
const SINGLE: Block = Block { from: 320, width: 320, length: 0.5 };
/// Two words in a row.
const DOUBLE: Block = Block { from: 640, width: 128, length: 0.3 };
/// Three letters in a row.
const LETTERS: Block = Block { from: 768, width: 256, length: 0.4 };

const _: () = assert!(LETTERS.from + LETTERS.width == WIDTH);
const _: () = assert!(PAIRS.from == NEGATED + (NEGATED - MEANT));

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let fingerprint = digest_of(format!("words {VERSION}\n{DICTIONARY}").as_bytes());
    Identity { name: "words".into(), prompt: "{instruction}".into(), fingerprint }
});

/// The encoder of words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words;

impl Words {
    /// What a text is about, as far as the dictionary goes.
    #[must_use]
    pub fn read(text: &str) -> Reading {
        reading::read(text)
    }
}

impl Encoder for Words {
    fn identity(&self) -> &Identity {
        &IDENTITY
    }

    fn embed(&mut self, look: &Look<'_>) -> Result<Embedding, EncodeError> {
        let reading = reading::read(look.instruction);
        if reading.concepts.is_empty() {
            let text = look.instruction.chars().take(120).collect();
            return Err(EncodeError::NotUnderstood { text });
        }
        Ok(numbers(&reading))
    }
}

/// Sums in a fixed order, in double precision, without anything that a compiler or processor may round differently.
fn numbers(reading: &Reading) -> Embedding {
    let mut all = [0.0_f64; WIDTH];
    for concept in &reading.concepts {
        let block = if concept.negated { NEGATED } else { MEANT };
        all[block + concept.class] = lexicon::classes()[concept.class].weight;
    }
    let sequence = sequence(reading);
    let pairs = sequence
        .iter()
        .enumerate()
        .flat_map(|(at, a)| sequence[at + 1..].iter().map(move |b| format!("{a}>{b}")));
    add(&mut all, &PAIRS, pairs);
    let words = &reading.words;
    add(&mut all, &SINGLE, words.iter().cloned());
    add(&mut all, &DOUBLE, words.windows(2).map(|two| two.join(" ")));
    add(&mut all, &LETTERS, words.iter().flat_map(|word| letters(word)));
    scale(&mut all, 1.0);
    let mut embedding = Box::new([0.0; WIDTH]);
    for (into, from) in embedding.iter_mut().zip(all) {
        #[expect(clippy::cast_possible_truncation, reason = "an embedding has single precision")]
        {
            *into = from as f32;
        }
    }
    embedding
}

/// The concepts that matter, in the order in which they were said, between a beginning and an end.
fn sequence(reading: &Reading) -> Vec<String> {
    let counts = |class: usize| lexicon::classes()[class].weight >= 1.0;
    let name = |concept: &reading::Concept| {
        let name = lexicon::classes()[concept.class].name;
        if concept.negated { format!("-{name}") } else { name.to_owned() }
    };
    let mut all = vec!["^".to_owned()];
    all.extend(reading.concepts.iter().filter(|concept| counts(concept.class)).map(name));
    all.push("$".to_owned());
    all.dedup();
    all
}

fn letters(word: &str) -> Vec<String> {
    let framed: Vec<char> = format!("<{word}>").chars().collect();
    framed.windows(3).map(|three| three.iter().collect()).collect()
}

/// Each feature once, at the place and with the sign that its hash says; then the block gets its length.
fn add(all: &mut [f64; WIDTH], block: &Block, features: impl Iterator<Item = String>) {
    let mut features: Vec<String> = features.collect();
    features.sort_unstable();
    features.dedup();
    let part = &mut all[block.from..block.from + block.width];
    for feature in features {
        let hash = hash(feature.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "smaller than the width")]
        let at = (hash % block.width as u64) as usize;
        part[at] += if hash >> 63 == 0 { 1.0 } else { -1.0 };
    }
    scale(part, block.length);
}

/// FNV-1a, and a finish that mixes its high bits.
fn hash(bytes: &[u8]) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// Gives a vector a length; one of zeros stays.
fn scale(part: &mut [f64], length: f64) {
    let square: f64 = part.iter().map(|x| x * x).sum();
    if square > 0.0 {
        let factor = length / square.sqrt();
        part.iter_mut().for_each(|x| *x *= factor);
    }
}

#[cfg(test)]
mod tests;
