//! The dictionary, read once.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::DICTIONARY;

/// What may be said in many words.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) name: &'static str,
    /// Its coordinate's value where it is meant.
    pub(super) weight: f64,
    /// Whether it is seen even in a phrase of another class.
    pub(super) always: bool,
}

/// What an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meaning {
    /// Which class.
    Concept(usize),
    Not,
    /// What was negated is so no longer.
    Break,
    /// What was said before is put right by what follows.
    Correct,
    /// The same; with nothing after it, all of it is off.
    Cancel,
    Nothing,
}

/// A part of a phrase.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Word(String),
    /// One to four words.
    Any,
}

/// Several words with one meaning.
#[derive(Debug)]
pub(super) struct Phrase {
    pub(super) parts: Vec<Part>,
    pub(super) meaning: Meaning,
}

#[derive(Debug, Default)]
pub(super) struct Lexicon {
    classes: Vec<Class>,
    /// Basic forms, and what they mean; nothing, for many.
    words: BTreeMap<String, BTreeSet<Meaning>>,
    /// Longest first.
    phrases: Vec<Phrase>,
    /// What somebody may have meant to type, and its basic form.
    forms: BTreeMap<String, String>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::read(DICTIONARY));

pub(super) fn lexicon() -> &'static Lexicon {
    &LEXICON
}

pub(super) fn classes() -> &'static [Class] {
    &LEXICON.classes
}

impl Lexicon {
    fn read(text: &'static str) -> Self {
        let mut all = Self::default();
        let mut meaning = Meaning::Nothing;
        let mut phrases = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                meaning = all.open(header);
                continue;
            }
            for entry in line.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
                if entry.contains(' ') {
                    phrases.push((entry, meaning));
                } else {
                    all.learn(entry, meaning);
                }
            }
        }
        // Only now are all words known that phrases may be made of.
        for (entry, meaning) in phrases {
            let parts = entry.split(' ').map(|word| all.part(word)).collect();
            all.phrases.push(Phrase { parts, meaning });
        }
        all.phrases.sort_by_key(|phrase| Reverse(phrase.words()));
        all.inflect();
        all
    }

    fn open(&mut self, header: &'static str) -> Meaning {
        let mut parts = header.split(' ');
        let name = parts.next().unwrap_or_default();
        match parts.next().and_then(|weight| weight.parse().ok()) {
            Some(weight) => {
                self.classes.push(Class { name, weight, always: parts.next().is_some() });
                Meaning::Concept(self.classes.len() - 1)
            }
            None if name == "not" => Meaning::Not,
            None if name == "break" => Meaning::Break,
            None if name == "correct" => Meaning::Correct,
            None if name == "cancel" => Meaning::Cancel,
            None => Meaning::Nothing,
        }
    }

    fn learn(&mut self, word: &str, meaning: Meaning) {
        let meanings = self.words.entry(word.to_owned()).or_default();
        if meaning != Meaning::Nothing {
            meanings.insert(meaning);
        }
    }

    fn part(&mut self, word: &str) -> Part {
        if word == "*" {
            return Part::Any;
        }
        let basic = self.basic(word).unwrap_or_else(|| {
            self.learn(word, Meaning::Nothing);
            word.to_owned()
        });
        Part::Word(basic)
    }

    /// The forms of all words that mean something.
    fn inflect(&mut self) {
        for (word, meanings) in &self.words {
            self.forms.insert(word.clone(), word.clone());
            if meanings.is_empty() || word.len() < 3 {
                continue;
            }
            let stem = word.strip_suffix('e').unwrap_or(word);
            let last = word.chars().last().unwrap_or_default();
            let forms = [
                format!("{word}s"),
                format!("{stem}ing"),
                format!("{stem}ed"),
                format!("{word}{last}ing"),
                format!("{word}{last}ed"),
            ];
            for form in forms {
                self.forms.entry(form).or_insert_with(|| word.clone());
            }
        }
    }

    pub(super) fn knows(&self, word: &str) -> bool {
        self.words.contains_key(word)
    }

    pub(super) fn meanings(&self, word: &str) -> impl Iterator<Item = Meaning> + '_ {
        self.words.get(word).into_iter().flatten().copied()
    }

    /// Whether a word has a meaning of its own.
    pub(super) fn means(&self, word: &str) -> bool {
        self.meanings(word).next().is_some()
    }

    /// Whether it is something that can be done.
    pub(super) fn is_act(&self, word: &str) -> bool {
        self.meanings(word).any(|meaning| match meaning {
            Meaning::Concept(class) => super::ACTS.contains(&self.classes[class].name),
            _ => false,
        })
    }

    pub(super) fn phrases(&self) -> &[Phrase] {
        &self.phrases
    }

    pub(super) fn forms(&self) -> &BTreeMap<String, String> {
        &self.forms
    }

    /// The basic form of a word that is known, perhaps without its ending.
    pub(super) fn basic(&self, word: &str) -> Option<String> {
        if self.knows(word) {
            return Some(word.to_owned());
        }
        stems(word).into_iter().find(|stem| self.knows(stem))
    }
}

impl Phrase {
    /// How many words it has to find.
    fn words(&self) -> usize {
        self.parts.iter().filter(|part| **part != Part::Any).count()
    }
}

/// What a word may be without its ending, the likeliest first.
fn stems(word: &str) -> Vec<String> {
    let mut all = Vec::new();
    for ending in ["ies", "ied"] {
        all.extend(word.strip_suffix(ending).map(|stem| format!("{stem}y")));
    }
    for ending in ["s", "es"] {
        all.extend(word.strip_suffix(ending).map(str::to_owned));
    }
    for ending in ["ing", "ed", "er", "in"] {
        let Some(stem) = word.strip_suffix(ending) else { continue };
        all.push(stem.to_owned());
        all.push(format!("{stem}e"));
        let mut letters = stem.chars().rev();
        let (last, before) = (letters.next(), letters.next());
        if let Some(last) = last.filter(|last| before == Some(*last)) {
            all.extend(stem.strip_suffix(last).map(str::to_owned));
        }
    }
    all.retain(|stem| stem.len() >= 2);
    all
}
