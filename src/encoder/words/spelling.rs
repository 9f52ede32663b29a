//! Slips of the keyboard, seen through: the nearest known word, if it is near enough.

use super::lexicon::Lexicon;

/// What a slip costs. Letters that changed places and letters too often are the commonest.
const SWAPPED: u32 = 7;
const DOUBLED: u32 = 6;
const MISSING: u32 = 9;
const OTHER: u32 = 10;
/// The first letter is rarely wrong.
const FIRST: u32 = 3;
/// A word that means nothing is less likely to be meant in a command.
const MEANINGLESS: u32 = 2;

/// How much may be wrong with a word of so many letters.
const fn budget(letters: usize) -> u32 {
    match letters {
        0..=2 => 0,
        3 => 11,
        4 => 13,
        5..=6 => 15,
        _ => 20,
    }
}

impl Lexicon {
    /// The basic form of what was probably meant, or two words without the space between them; nothing for words like no
    /// other.
    pub(super) fn guess(&self, word: &str) -> Option<String> {
        if word.chars().any(|letter| letter.is_ascii_digit()) {
            return None;
        }
        let letters: Vec<char> = word.chars().collect();
        self.basic(&shortened(&letters, 2))
            .or_else(|| self.basic(&shortened(&letters, 1)))
            .or_else(|| self.nearest(&letters))
            .or_else(|| self.split(word))
    }

    fn nearest(&self, word: &[char]) -> Option<String> {
        let most = budget(word.len());
        let cost = |(form, basic): (&String, &String)| {
            let form: Vec<char> = form.chars().collect();
            if form.len() < 3 || form.len().abs_diff(word.len()) > 2 {
                return None;
            }
            let first = if form.first() == word.first() { 0 } else { FIRST };
            let meaning = if self.means(basic) { 0 } else { MEANINGLESS };
            let cost = distance(word, &form) + first + meaning;
            (cost <= most).then(|| (cost, basic.clone()))
        };
        self.forms().iter().filter_map(cost).min().map(|(_, basic)| basic)
    }

    fn split(&self, word: &str) -> Option<String> {
        let cut = |at: usize| {
            let (first, second) = word.split_at_checked(at)?;
            let second = self.basic(second)?;
            self.knows(first).then(|| format!("{first} {second}"))
        };
        let cuts = 2..word.len().saturating_sub(1);
        (word.len() >= 5).then(|| cuts.rev().find_map(cut)).flatten()
    }
}

/// A word with no letter more than so often in a row: a key was held for too long.
fn shortened(word: &[char], most: usize) -> String {
    let mut all: Vec<char> = Vec::new();
    for letter in word {
        if all.iter().rev().take_while(|last| *last == letter).count() < most {
            all.push(*letter);
        }
    }
    all.into_iter().collect()
}

/// What it costs to make one of the other; two neighbours may change places.
fn distance(typed: &[char], meant: &[char]) -> u32 {
    let width = meant.len() + 1;
    let mut table = vec![0_u32; (typed.len() + 1) * width];
    for i in 0..=typed.len() {
        for j in 0..width {
            let twice = |word: &[char], at: usize| at > 1 && word[at - 1] == word[at - 2];
            let mut best = if i + j == 0 { 0 } else { u32::MAX };
            if i > 0 {
                let cost = if twice(typed, i) { DOUBLED } else { MISSING };
                best = best.min(table[(i - 1) * width + j] + cost);
            }
            if j > 0 {
                let cost = if twice(meant, j) { DOUBLED } else { MISSING };
                best = best.min(table[i * width + j - 1] + cost);
            }
            if i > 0 && j > 0 {
                let cost = if typed[i - 1] == meant[j - 1] { 0 } else { OTHER };
                best = best.min(table[(i - 1) * width + j - 1] + cost);
            }
            if i > 1 && j > 1 && typed[i - 1] == meant[j - 2] && typed[i - 2] == meant[j - 1] {
                best = best.min(table[(i - 2) * width + j - 2] + SWAPPED);
            }
            table[i * width + j] = best;
        }
    }
    table[table.len() - 1]
}
