//! Arbitrary bytes as the entries of a recording: read, written again, and executed once more.

use motion::{Reading, Robot, Sheet, Words};
use reflex::{
    replay::{Replay, head},
    tape::{ENTRY_WORDS_MAX, Entry, MEMORY, ROBOT, TICK},
};

/// Reads entries, one after the other: their length in words as one byte and what kind they are as another, then their
/// words, little-endian.
///
/// # Panics
/// If what was read is not what is written again.
pub fn tape(bytes: &[u8]) {
    let mut replay = Replay::default();
    let mut rest = bytes;
    while let [len, kind, more @ ..] = rest {
        let len = (usize::from(*len) * 8).min(more.len());
        let (words, after) = more.split_at(len);
        rest = after;
        let mut entry: Vec<u64> = match kind % 4 {
            0 => vec![ROBOT],
            1 => vec![MEMORY],
            2 => vec![TICK],
            _ => Vec::new(),
        };
        entry.extend(words.chunks(8).map(word));
        let _ = replay.take(&entry);
        once_more(&entry);
    }
    let found = replay.found();
    assert!(found.different <= found.checked);
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// What has a meaning comes back from its words.
fn once_more(entry: &[u64]) {
    if let Some(tick) = Entry::read(entry) {
        let given = entry.len() - tick.outcome.len();
        let mut room = vec![0; ENTRY_WORDS_MAX];
        let mut sheet = Sheet::new(&mut room);
        sheet.push(TICK);
        (tick.tick, tick.dropped).put(&mut sheet);
        (tick.lateness_ns, tick.execution_ns).put(&mut sheet);
        tick.inputs().put(&mut sheet);
        if let Some(written) = sheet.written() {
            assert_eq!(written, &entry[..given]);
        }
        let _ = head(tick.outcome);
    }
    if let [ROBOT, words @ ..] = entry {
        let mut reading = Reading::new(words);
        if let Some(robot) = Robot::get(&mut reading) {
            let given = words.len() - reading.rest().len();
            let mut room = vec![0; ENTRY_WORDS_MAX];
            let mut sheet = Sheet::new(&mut room);
            robot.put(&mut sheet);
            if let Some(written) = sheet.written() {
                assert_eq!(written, &words[..given]);
            }
        }
    }
}
