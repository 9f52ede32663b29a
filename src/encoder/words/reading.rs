//! A text, read: words in their basic form, the concepts in it, and which of them are negated.

use super::lexicon::{Lexicon, Meaning, Part, Phrase, classes, lexicon};

/// Longer texts are no commands; the rest of one is not read.
const WORDS_MAX: usize = 200;

/// A pause, among the words.
const PAUSE: &str = ",";

/// The word of the dictionary for a "no" that answers what was said before it.
const NO_SAID: &str = "no-no";

/// What somebody speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Concept {
    /// Which class of the dictionary.
    pub(super) class: usize,
    pub(super) negated: bool,
    at: usize,
}

/// What somebody wants done, or not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// Its class in the dictionary, one of [`ACTS`].
    pub name: &'static str,
    /// Whether it is not to be done.
    pub negated: bool,
}

/// Classes of the dictionary that are acts.
pub const ACTS: [&str; 10] =
    ["eat", "grasp", "go", "run", "circle", "stop", "find", "bring", "put", "other_act"];

/// Classes of the dictionary that are things, which a correction may exchange for each other.
const THINGS: [&str; 8] =
    ["berry", "food", "marker", "furniture", "person", "room", "pronoun", "thing"];

/// What a text is about.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Words in their basic form: those that mean something, and unknown ones.
    pub(super) words: Vec<String>,
    /// In the order in which they were said.
    pub(super) concepts: Vec<Concept>,
}

impl Reading {
    /// Whether anything in it is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.concepts.is_empty()
    }

    /// What is to be done, in the order in which it was said.
    pub fn acts(&self) -> impl Iterator<Item = Act> + '_ {
        let act = |concept: &Concept| {
            let name = classes()[concept.class].name;
            ACTS.contains(&name).then_some(Act { name, negated: concept.negated })
        };
        self.concepts.iter().filter_map(act)
    }
}

/// Reads a text.
pub(super) fn read(text: &str) -> Reading {
    let lexicon = lexicon();
    let tokens = tokens(text, lexicon);
    let mut free: Vec<bool> = tokens.iter().map(|token| token != PAUSE).collect();
    let mut said: Vec<bool> =
        tokens.iter().map(|token| !lexicon.knows(token) || lexicon.means(token)).collect();
    let mut found: Vec<(usize, Meaning)> = Vec::new();
    for phrase in lexicon.phrases() {
        for start in 0..tokens.len() {
            let Some(taken) = matches(phrase, &tokens, &free, start) else { continue };
            for at in taken {
                free[at] = false;
                said[at] = phrase.meaning != Meaning::Nothing;
                let always = |meaning: &Meaning| matches!(meaning, Meaning::Concept(class) if classes()[*class].always);
                let seen = lexicon.meanings(&tokens[at]).filter(always);
                found.extend(seen.map(|meaning| (at, meaning)));
            }
            found.push((start, phrase.meaning));
        }
    }
    for (at, token) in tokens.iter().enumerate() {
        if token == PAUSE {
            found.push((at, Meaning::Break));
            said[at] = false;
        } else if free[at] {
            found.extend(lexicon.meanings(token).map(|meaning| (at, meaning)));
        }
    }
    found.sort_unstable();
    let words = tokens.into_iter().zip(said).filter_map(|(word, said)| said.then_some(word));
    Reading { words: words.collect(), concepts: concepts(&found) }
}

/// What follows a negation is negated, up to the next pause; what is put right later, up to there.
fn concepts(found: &[(usize, Meaning)]) -> Vec<Concept> {
    let mut negated = false;
    let mut all: Vec<Concept> = Vec::new();
    // Where somebody thought again: so many concepts stood before, and whether all may be off.
    let mut turns: Vec<(usize, bool, usize)> = Vec::new();
    for &(at, meaning) in found {
        match meaning {
            Meaning::Not => negated = true,
            Meaning::Break => negated = false,
            Meaning::Correct | Meaning::Cancel => {
                negated = false;
                turns.push((all.len(), meaning == Meaning::Cancel, at));
            }
            Meaning::Concept(class) => {
                let concept = Concept { class, negated, at };
                if all.last() != Some(&concept) {
                    all.push(concept);
                }
            }
            Meaning::Nothing => {}
        }
    }
    let mut off = None;
    for &(before, cancels, at) in &turns {
        let (said, follows) = all.split_at_mut(before);
        let acts = follows.iter().any(|concept| !concept.negated && is_one_of(&ACTS, concept));
        let things = follows.iter().any(|concept| is_one_of(&THINGS, concept));
        for concept in said {
            // "Grab the berry, no, the ball": what is to be done stays, and so does how.
            concept.negated |= acts || things && is_one_of(&THINGS, concept);
        }
        if cancels && !acts && !things {
            off = Some(at);
        }
    }
    let stop = classes().iter().position(|class| class.name == "stop");
    if let (Some(at), Some(class)) = (off, stop) {
        all.push(Concept { class, negated: false, at });
    }
    all
}

fn is_one_of(names: &[&str], concept: &Concept) -> bool {
    names.contains(&classes()[concept.class].name)
}

/// Which words a phrase takes if it begins here.
fn matches(phrase: &Phrase, tokens: &[String], free: &[bool], start: usize) -> Option<Vec<usize>> {
    fn rest(parts: &[Part], tokens: &[String], free: &[bool], at: usize) -> Option<Vec<usize>> {
        let Some((part, parts)) = parts.split_first() else { return Some(Vec::new()) };
        match part {
            Part::Word(word) => {
                if tokens.get(at)? != word || !free[at] {
                    return None;
                }
                let mut taken = rest(parts, tokens, free, at + 1)?;
                taken.push(at);
                Some(taken)
            }
            Part::Any => (1..=4)
                .take_while(|gap| tokens.get(at + gap - 1).is_some_and(|token| token != PAUSE))
                .find_map(|gap| rest(parts, tokens, free, at + gap)),
        }
    }
    rest(&phrase.parts, tokens, free, start)
}

/// Words in their basic form, and pauses.
fn tokens(text: &str, lexicon: &Lexicon) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let raw = raw(text);
    for (at, word) in raw.iter().enumerate().take(WORDS_MAX) {
        let known = match word.as_str() {
            PAUSE => None,
            "no" | "wait" if puts_right(&raw[..at], &raw[at + 1..], lexicon) => {
                Some(NO_SAID.to_owned())
            }
            word => lexicon.basic(word).or_else(|| lexicon.guess(word)),
        };
        all.extend(known.unwrap_or_else(|| word.clone()).split(' ').map(str::to_owned));
    }
    all
}

/// Whether a "no" or a "wait" answers what was said before it: "..., no, eat it" and "..., no eat it", but not "..., no
/// eating".
fn puts_right(before: &[String], after: &[String], lexicon: &Lexicon) -> bool {
    let paused = |word: Option<&String>| word.is_some_and(|word| word == PAUSE);
    let is_verb = |word: &String| {
        !word.ends_with("ing") && lexicon.basic(word).is_some_and(|word| lexicon.is_act(&word))
    };
    paused(before.last()) && (paused(after.first()) || after.first().is_some_and(is_verb))
}

/// Lower case, without punctuation, contractions written out.
fn raw(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word = String::new();
    let mut last = ' ';
    for letter in text.chars().flat_map(char::to_lowercase).chain([' ']) {
        let before = std::mem::replace(&mut last, letter);
        match letter {
            '\'' | '\u{2019}' | '\u{2018}' | '`' | '\u{b4}' => word.push('\''),
            letter if letter.is_alphanumeric() => word.push(letter),
            letter => {
                written_out(word.trim_matches('\''), &mut all);
                word.clear();
                let pauses =
                    matches!(letter, ',' | '.' | ';' | ':' | '!' | '?' | '\n' | '\u{2014}');
                // A dash between words, not a hyphen within one.
                if pauses || letter == '-' && before == ' ' {
                    all.push(PAUSE.to_owned());
                }
            }
        }
    }
    all
}

fn written_out(word: &str, all: &mut Vec<String>) {
    let known = match word {
        "can't" | "cant" | "cannot" => "can not",
        "won't" | "wont" => "will not",
        "shan't" => "shall not",
        "dont" => "do not",
        "didnt" | "doesnt" => "does not",
        "isnt" => "is not",
        "wouldnt" => "would not",
        "couldnt" => "could not",
        "shouldnt" => "should not",
        "let's" | "lets" => "let us",
        "gonna" => "will",
        "wanna" => "want to",
        "gotta" => "have to",
        "gimme" => "give me",
        "lemme" => "let me",
        "outta" => "out of",
        "im" => "i am",
        "u" => "you",
        "ur" => "your",
        "n" => "and",
        "2" => "two",
        "3" => "three",
        _ => "",
    };
    let (stem, ending) = word.split_once('\'').unwrap_or((word, ""));
    let (stem, ending) = match (stem.strip_suffix('n'), ending) {
        (Some(stem), "t") => (stem, "not"),
        (_, "re") => (stem, "are"),
        (_, "ve") => (stem, "have"),
        (_, "ll") => (stem, "will"),
        (_, "d") => (stem, "would"),
        (_, "m") => (stem, "am"),
        _ => (stem, ""),
    };
    let parts = if known.is_empty() { vec![stem, ending] } else { known.split(' ').collect() };
    all.extend(parts.into_iter().filter(|part| !part.is_empty()).map(str::to_owned));
}
