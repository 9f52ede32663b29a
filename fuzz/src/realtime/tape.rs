//! Arbitrary bytes as a recording: entries as they come, and a real recording of which some words were changed. What is
//! read is written again, and executed once more.

use std::{sync::OnceLock, time::Duration};

use motion::{
    Chunk, ChunkId, Controller, Epoch, HeadDigest, JointLimits, Joints, Nanos, Order, OrderId,
    Plan, Reading, Reply, Robot, Rules, Run, RunId, Seam, Sheet, StopSource, TickIndex, What,
    Words,
};
use reflex::{
    Clock, Loop,
    backend::loopback::Loopback,
    ports,
    replay::{Replay, head},
    tape::{self, ENTRY_WORDS_MAX, Entry, MEMORY, ROBOT, TICK},
};

const JOINTS: usize = 2;
const TICKS: u64 = 60;

/// Reads a recording. The first byte says how the others are meant.
///
/// # Panics
/// If what was read is not what is written again.
pub fn tape(bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else { return };
    let entries = if how % 2 == 0 { as_they_come(rest) } else { changed(rest) };
    let mut replay = Replay::default();
    for entry in &entries {
        let _ = replay.take(entry);
        once_more(entry);
    }
    let found = replay.found();
    assert!(found.different <= found.checked);
}

/// Entries, one after the other: two bytes of length in words and one of kind, then the words, little-endian.
fn as_they_come(mut rest: &[u8]) -> Vec<Vec<u64>> {
    let mut entries = Vec::new();
    while let [low, high, kind, more @ ..] = rest {
        let len = 8 * usize::from(u16::from_le_bytes([*low, *high]));
        let (words, after) = more.split_at(len.min(more.len()));
        rest = after;
        let first = [Some(ROBOT), Some(MEMORY), Some(TICK), None][usize::from(kind % 4)];
        entries.push(first.into_iter().chain(words.chunks(8).map(word)).collect());
    }
    entries
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// The recording from one of its entries on, with other words in some places: which entry, which word of it, what becomes
/// of it, and the bits that that takes.
fn changed(bytes: &[u8]) -> Vec<Vec<u64>> {
    let recording = recording();
    let Some((from, edits)) = bytes.split_first() else { return recording.to_vec() };
    // The robot always, and then from there on: a law that is known from its memory only.
    let skipped = usize::from(*from) % recording.len();
    let mut entries = vec![recording[0].clone()];
    entries.extend(recording.iter().skip(1 + skipped).cloned());
    for edit in edits.as_chunks::<12>().0 {
        let [which, low, high, what, bits @ ..] = *edit;
        let count = entries.len();
        let entry = &mut entries[usize::from(which) % count];
        let at = usize::from(u16::from_le_bytes([low, high])) % entry.len();
        let bits = word(&bits);
        match what % 8 {
            0 => entry[at] = bits,
            1 => entry[at] = f64::NAN.to_bits(),
            2 => entry[at] = f64::INFINITY.to_bits(),
            3 => entry[at] = (f64::from(bits as i16) / 256.0).to_bits(),
            4 => entry[at] = bits % 64,
            5 => entry[at] ^= 1 << (bits % 64),
            6 => entry.truncate(at.max(1)),
            _ => entry.insert(at, bits),
        }
    }
    entries
}

/// What has a meaning comes back from its words.
fn once_more(entry: &[u64]) {
    let mut room = vec![0; ENTRY_WORDS_MAX];
    let mut sheet = Sheet::new(&mut room);
    if let Some(tick) = Entry::read(entry) {
        sheet.push(TICK);
        (tick.tick, tick.dropped).put(&mut sheet);
        (tick.lateness_ns, tick.execution_ns).put(&mut sheet);
        tick.inputs().put(&mut sheet);
        let given = entry.len() - tick.outcome.len();
        assert!(sheet.written().is_none_or(|written| written == &entry[..given]));
        let _ = head(tick.outcome);
    } else if let [ROBOT, words @ ..] = entry {
        let mut reading = Reading::new(words);
        if let Some(robot) = Robot::get(&mut reading) {
            robot.put(&mut sheet);
            let given = words.len() - reading.rest().len();
            assert!(sheet.written().is_none_or(|written| written == &words[..given]));
        }
    }
}

/// What is written down of a short life: it is armed, follows two chunks, is stopped, cleared and armed again.
fn recording() -> &'static [Vec<u64>] {
    static RECORDING: OnceLock<Vec<Vec<u64>>> = OnceLock::new();
    RECORDING.get_or_init(record)
}

fn record() -> Vec<Vec<u64>> {
    let joint = JointLimits {
        position_min: -3.0,
        position_max: 3.0,
        velocity_max: 3.0,
        acceleration_max: 8.0,
        jerk_max: 200.0,
        step_max: 0.5,
        divergence_max: 0.5,
        gripper: false,
    };
    let robot = Robot::build(0.05, &[joint; JOINTS], Rules::default()).expect("they make sense");
    let (tape, mut reel) = tape::tape();
    let (ports, mut commander, mut thinker, mut listener, switch) = ports();
    let backend = Box::new(Loopback::new(Joints::zeros(JOINTS), 0.05));
    let mut turns =
        Loop::new(Clock::lockstep(), backend, Controller::new(robot), ports).recorded(tape);
    let mut entries = vec![tape::robot_entry(&robot)];
    for k in 1..=TICKS {
        let mut order = |what| {
            let order = Order { id: OrderId(k), epoch: Epoch(u64::MAX), what };
            let _ = commander.send(order);
        };
        let run = 1 + k / 30;
        match k % 30 {
            2 => order(What::ClearFault),
            3 => order(What::Arm),
            4 => {
                let plan = Plan { seam: Seam::Fade { ticks: 2 }, ..Plan::plain(HeadDigest(1), 8) };
                order(What::Begin(Run { id: RunId(run), plan, expires: Nanos(u64::MAX) }));
            }
            22 => switch.raise(StopSource(1)),
            29 => {
                let _ = switch.raised().is_some_and(|seen| switch.lower(seen));
            }
            _ => {}
        }
        let mut chunk =
            Chunk::empty(ChunkId(k), RunId(run), HeadDigest(1), TickIndex(k - 1), JOINTS);
        for s in 0..12 {
            let at = 0.2 * ((k + s) as f64 * 0.15).sin();
            chunk.push(&[at, -at]);
        }
        // Lockstep waits for an answer to every ask: it is there before.
        let _ = thinker.reply(Reply::Chunk(chunk));
        if k % 10 == 0 {
            reel.want_memory();
        }
        turns.turn();
        while listener.next(Duration::ZERO).is_some() {}
        let mut entry = Vec::new();
        while reel.next(&mut entry) {
            entries.push(entry.clone());
        }
    }
    assert!(entries.len() > 60, "{} entries", entries.len());
    entries
}
