//! What is in a recording, and whether the law makes the same of it once more.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::BufReader,
    path::Path,
};

use motion::{Mode, Robot};
use reflex::{
    replay::{self, Apart, Difference, Found, Replay},
    tape::{self, Entry, MEMORY, ROBOT},
};
use serde::Serialize;

use super::{
    reader::{self, Ending, Piece, Unreadable},
    shelf,
    topics::LAW,
};
use crate::operator::words;

/// What is in a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Contents {
    /// What it says of itself.
    pub about: BTreeMap<String, String>,
    /// Ticks.
    pub ticks: u64,
    /// The first tick.
    pub first_seq: Option<u64>,
    /// The last.
    pub last_seq: Option<u64>,
    /// From the first to the last, by the loop's clock.
    pub duration_s: f64,
    /// When it begins, in nanoseconds since 1970.
    pub begins_unix_ns: Option<u64>,
    /// Moments from which it can be executed once more: its first tick ever, or one before which the law's memory was
    /// written.
    pub memories: u64,
    /// Places at which ticks are missing.
    pub gaps: u64,
    /// Faults and e-stops in it, in the order in which they came.
    pub faults: Vec<Trouble>,
    /// Messages, by topic.
    pub messages: BTreeMap<String, u64>,
    /// Chunks that are damaged, and were left out.
    pub damaged_chunks: u64,
    /// Why it ends early, if it does.
    pub cut: Option<String>,
    /// Whether it is still being written.
    pub in_use: bool,
}

/// A fault or an e-stop in a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The tick in which it came.
    pub seq: u64,
    /// What it was.
    pub what: String,
}

/// What came of executing a recording once more.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Replayed {
    /// What it says of itself.
    pub about: BTreeMap<String, String>,
    /// Ticks that were executed once more.
    pub checked: u64,
    /// Ticks that were not, because the law's memory before them is not known.
    pub unchecked: u64,
    /// Ticks of which something else came.
    pub different: u64,
    /// Places at which ticks are missing.
    pub gaps: u64,
    /// Entries that make no sense to this version.
    pub strange: u64,
    /// The first difference.
    pub first: Option<Apartness>,
    /// Chunks that are damaged, and were left out.
    pub damaged_chunks: u64,
    /// Why it ends early, if it does.
    pub cut: Option<String>,
}

/// Where what was recorded and what came of it now part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Apartness {
    /// In which tick.
    pub seq: u64,
    /// When, by the loop's clock.
    pub at_ns: u64,
    /// In what: `mode`, `commanded.joint3`, `requested.joint3`, or the number of a word.
    pub field: String,
    /// What was recorded.
    pub recorded: String,
    /// What came of it now.
    pub now: String,
}

impl Replayed {
    /// Whether everything that could be executed once more was the same, to the bit, and there was something.
    #[must_use]
    pub const fn is_equal(&self) -> bool {
        self.checked > 0 && self.different == 0
    }
}

/// Executes the law once more from a recording; `progress` is told how many bytes of how many have been read. With a
/// `robot`, that one is under the law instead of the one that was: would its rules have made a difference?
///
/// # Errors
/// A file that cannot be read, or that is none.
pub fn replay(
    file: &Path,
    robot: Option<&Robot>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Replayed, Unreadable> {
    let mut law = Replay::default();
    let mut replayed = Replayed::default();
    let mut names = Vec::new();
    let other = robot.map(tape::robot_entry);
    let ending = each_piece(file, progress, &mut |seen| match seen {
        Seen::About(about) => {
            let joints = about.get("joints").map(String::as_str).unwrap_or_default();
            names = joints.split(',').map(str::to_owned).collect();
            replayed.about = about;
        }
        Seen::Entry(words, _) => {
            let words = other.as_deref().filter(|_| words.first() == Some(&ROBOT)).unwrap_or(words);
            replayed.strange += u64::from(law.take(words).is_err());
        }
        Seen::Message(_) => {}
    })?;
    let Found { checked, unchecked, gaps, different, first } = law.found().clone();
    let first = first.map(|difference| apart(&difference, &names));
    let Ending { cut, damaged } = ending;
    Ok(Replayed {
        checked,
        unchecked,
        gaps,
        different,
        first,
        cut,
        damaged_chunks: damaged,
        ..replayed
    })
}

/// Looks at what is in a recording, without executing anything.
///
/// # Errors
/// As [`replay`].
pub fn contents(file: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Contents, Unreadable> {
    let mut found = Contents::default();
    let (mut times, mut dropped, mut mode) = (None, 0, None);
    let ending = each_piece(file, progress, &mut |seen| match seen {
        Seen::About(about) => found.about = about,
        Seen::Message(topic) => *found.messages.entry(topic.to_owned()).or_default() += 1,
        Seen::Entry(words, unix_ns) => {
            found.begins_unix_ns.get_or_insert(unix_ns);
            found.memories += u64::from(words.first() == Some(&MEMORY));
            let Some(entry) = Entry::read(words) else { return };
            let seq = entry.tick.0;
            let follows = found.last_seq.is_none_or(|last| seq == last.wrapping_add(1));
            found.gaps += u64::from(!follows || (entry.dropped > dropped && found.ticks > 0));
            dropped = entry.dropped;
            found.ticks += 1;
            found.memories += u64::from(seq == 0);
            found.first_seq.get_or_insert(seq);
            found.last_seq = Some(seq);
            times = Some((times.map_or(entry.now.0, |(first, _)| first), entry.now.0));
            if let Some(head) = replay::head(entry.outcome)
                && mode.replace(head.mode) != Some(head.mode)
            {
                found.faults.extend(trouble(head.mode).map(|what| Trouble { seq, what }));
            }
        }
    })?;
    let (first, last) = times.unwrap_or_default();
    found.duration_s = last.saturating_sub(first) as f64 / 1e9;
    found.damaged_chunks = ending.damaged;
    found.cut = ending.cut;
    found.in_use = shelf::is_in_use(file);
    Ok(found)
}

fn trouble(mode: Mode) -> Option<String> {
    match mode {
        Mode::Faulted { why, .. } => Some(format!("{why:?}")),
        Mode::EStopped { by, .. } => Some(format!("e-stop by source {}", by.0)),
        _ => None,
    }
}

/// What is seen of a recording.
enum Seen<'a> {
    About(BTreeMap<String, String>),
    /// An entry of the tape, and its time.
    Entry(&'a [u64], u64),
    /// A message, by its topic.
    Message(&'a str),
}

/// Goes through a recording.
fn each_piece(
    file: &Path,
    progress: &mut dyn FnMut(u64, u64),
    look: &mut dyn FnMut(Seen<'_>),
) -> Result<Ending, Unreadable> {
    let file = File::open(file)?;
    let all = file.metadata()?.len();
    // The chunk that says so may be the one that is damaged.
    let mut law = BTreeSet::from([LAW.id]);
    let mut topics: BTreeMap<u16, String> = BTreeMap::new();
    let mut words = Vec::new();
    reader::read(BufReader::new(file), &mut |piece| match piece {
        Piece::About(about) => look(Seen::About(about)),
        Piece::Channel { id, topic, .. } => {
            if topic == LAW.name {
                law.insert(id);
            } else {
                law.remove(&id);
            }
            topics.insert(id, topic);
        }
        Piece::Message { channel, unix_ns, data } => {
            look(Seen::Message(topics.get(&channel).map_or("?", String::as_str)));
            if law.contains(&channel) {
                words.clear();
                let (whole, _) = data.as_chunks::<8>();
                words.extend(whole.iter().map(|word| u64::from_le_bytes(*word)));
                look(Seen::Entry(&words, unix_ns));
            }
        }
        Piece::Schema { .. } => {}
        Piece::Progress(bytes) => progress(bytes, all),
    })
}

fn apart(difference: &Difference, names: &[String]) -> Apartness {
    let name = |joint: usize| {
        let known = names.get(joint).filter(|name| !name.is_empty());
        known.cloned().unwrap_or_else(|| joint.to_string())
    };
    // The shortest decimal that is that number and no other: bits that differ are told apart.
    let number = |value: f64| format!("{value:?}");
    let word = |word: Option<u64>| word.map_or("nothing".into(), |word| format!("{word:#018x}"));
    let (field, recorded, now) = match &difference.what {
        Apart::Mode(was, is) => ("mode".into(), told(was), told(is)),
        Apart::Command { joint, was, is } => {
            (format!("commanded.{}", name(*joint)), number(*was), number(*is))
        }
        Apart::Request { joint, was, is } => {
            (format!("requested.{}", name(*joint)), number(*was), number(*is))
        }
        Apart::Word { at, was, is } => (format!("word {at} of the outcome"), word(*was), word(*is)),
    };
    Apartness { seq: difference.tick.0, at_ns: difference.at.0, field, recorded, now }
}

/// A mode with what belongs to it.
fn told(mode: &Mode) -> String {
    let name = words::mode(mode);
    match mode {
        Mode::Moving { run } => format!("{name} (run {})", run.0),
        Mode::Faulted { why, at } => format!("{name} ({why:?} in tick {})", at.0),
        Mode::EStopped { by, at } => format!("{name} (by {} in tick {})", by.0, at.0),
        _ => name.into(),
    }
}
