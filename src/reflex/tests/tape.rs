//! What is written down of the law is enough to execute it once more, to the bit; and whatever is read, nothing panics.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use motion::{
    Chunk, ChunkId, Command, Controller, Correction, CorrectionRule, Epoch, Fault, FirstStep,
    HeadDigest, Health, JointLimits, Joints, Mode, Nanos, Order, OrderId, Plan, Reply, Robot,
    Rules, Run, RunId, Seam, State, StopSource, TickIndex, What,
};
use proptest::prelude::*;
use reflex::{
    Backend, Clock, Delivery, Loop,
    backend::loopback::Loopback,
    ports,
    replay::{Apart, Replay},
    tape::{self, Entry, MEMORY, TICK, Tape},
};

struct Counting;

thread_local! {
    static TOUCHED: Cell<u64> = const { Cell::new(0) };
}

fn touch() {
    let _ = TOUCHED.try_with(|touched| touched.set(touched.get() + 1));
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of theirs.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const JOINTS: usize = 4;
const PERIOD_S: f64 = 0.05;
/// From this tick on, for a while, the robot is lost.
const LOST: std::ops::Range<u64> = 320..340;

fn robot() -> Robot {
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
    let gripper = JointLimits { gripper: true, ..joint };
    let rules = Rules::default();
    Robot::build(PERIOD_S, &[joint, joint, joint, gripper], rules).expect("limits that make sense")
}

/// A robot that is lost for a while.
struct Lossy(Loopback, u64);

impl Backend for Lossy {
    fn read(&mut self, now: Nanos, into: &mut State) {
        self.0.read(now, into);
        if LOST.contains(&self.1) {
            into.health = Health::Lost;
        }
        self.1 += 1;
    }

    fn write(&mut self, now: Nanos, command: &Command) {
        self.0.write(now, command);
    }
}

/// Everything that may happen in a thousand ticks, and how often the heap was touched in them: every seam, answers that
/// are late or lost, corrections, holds, an e-stop that comes and goes, a fault, what is refused.
fn play(tape: Option<Tape>, mut look: impl FnMut()) -> u64 {
    let (ports, mut commander, mut thinker, mut listener, switch) = ports();
    let mut corrector = thinker.corrector().expect("nobody has taken it");
    let start = Joints::from_slice(&[0.1, -0.2, 0.3, 0.0]).expect("few");
    let backend = Box::new(Lossy(Loopback::new(start, PERIOD_S), 0));
    let late = Delivery { ticks: 0, jitter_ticks: 2, lost: 0.05, seed: 7 };
    let mut turns =
        Loop::new(Clock::lockstep(), backend, Controller::new(robot()), ports).delivering(late);
    if let Some(tape) = tape {
        turns = turns.recorded(tape);
    }
    let offset_max = Joints::from_slice(&[0.01; JOINTS]).expect("few");
    let rule = CorrectionRule { head: HeadDigest(2), deadline_ns: 0, offset_max };
    let plan = Plan { ticks_max: 80, ..Plan::plain(HeadDigest(1), 4) };
    let ahead = Plan { lead: 3, first_step: FirstStep::TakeOver, ..plan };
    let plans = [
        Plan { seam: Seam::Fade { ticks: 2 }, ..plan },
        Plan { seam: Seam::Ensemble { coefficient: 0.01 }, execute: 1, ..plan },
        Plan { seam: Seam::Prefix { ticks: 1 }, ..ahead },
        Plan { correction: Some(rule), ..plan },
    ];
    let (mut orders, mut run) = (0, 0);
    let mut heap = 0;
    for k in 0..1000_u64 {
        let mut order = |what| {
            orders += 1;
            let _ = commander.send(Order { id: OrderId(orders), epoch: Epoch(u64::MAX), what });
        };
        match k % 100 {
            1 => order(What::ClearFault),
            2 => order(What::Arm),
            5 => {
                run += 1;
                let plan = plans[run as usize % plans.len()];
                order(What::Begin(Run { id: RunId(run), plan, expires: Nanos(u64::MAX) }));
            }
            40 if k > 500 => switch.raise(StopSource(3)),
            60 => order(What::Hold),
            80 => {
                if let Some(seen) = switch.raised() {
                    switch.lower(seen);
                }
            }
            90 => order(What::End(RunId(99))),
            _ => {}
        }
        let (id, head) = (RunId(run), HeadDigest(1));
        let mut chunk = Chunk::empty(ChunkId(k), id, head, TickIndex(k), JOINTS);
        for s in 0..8 {
            let mut target = start;
            for value in target.iter_mut() {
                *value += 0.2 * ((k + s) as f64 * 0.05).sin();
            }
            chunk.push(&target);
        }
        let _ = thinker.reply(Reply::Chunk(chunk));
        let offset = Some(offset_max);
        let _ = corrector.reply(Correction {
            run: id,
            tick: TickIndex(k),
            head: HeadDigest(2),
            offset,
        });
        let before = TOUCHED.get();
        turns.turn();
        heap += TOUCHED.get() - before;
        while listener.next(Duration::ZERO).is_some() {}
        // Who reads it may have a heap.
        look();
    }
    heap
}

/// The entries of such a run, with what the robot is first; memories are asked for every 150 ticks.
fn recorded() -> Vec<Vec<u64>> {
    let (tape, mut reel) = tape::tape();
    let mut all = vec![tape::robot_entry(&robot())];
    let mut ticks = 0_u64;
    play(Some(tape), || {
        let mut entry = Vec::new();
        while reel.next(&mut entry) {
            all.push(entry.clone());
        }
        ticks += 1;
        if ticks.is_multiple_of(150) {
            reel.want_memory();
        }
    });
    all
}

fn replay<'a>(entries: impl IntoIterator<Item = &'a Vec<u64>>) -> Replay {
    let mut replay = Replay::default();
    for entry in entries {
        replay.take(entry).expect("an entry");
    }
    replay
}

#[test]
fn a_run_with_a_fault_and_an_e_stop_is_the_same_once_more_from_the_first_tick() {
    let entries = recorded();
    let modes: Vec<Mode> = entries
        .iter()
        .filter_map(|words| Entry::read(words))
        .filter_map(|entry| reflex::replay::head(entry.outcome))
        .map(|head| head.mode)
        .collect();
    let saw = |is: fn(&Mode) -> bool| modes.iter().any(is);
    assert!(saw(|mode| matches!(mode, Mode::Moving { .. })));
    assert!(saw(|mode| matches!(mode, Mode::EStopped { by: StopSource(3), .. })));
    assert!(saw(|mode| matches!(mode, Mode::Faulted { why: Fault::BackendLost, .. })));
    let read = entries.iter().filter_map(|words| Entry::read(words));
    let chunks = read.flat_map(|entry| entry.replies).count();
    assert!(chunks > 50, "only {chunks} chunks came");
    let replay = replay(&entries);
    let found = replay.found();
    assert_eq!(found.first, None);
    assert_eq!((found.different, found.unchecked, found.gaps), (0, 0, 0));
    assert_eq!(found.checked, modes.len() as u64);
    let words: usize = entries.iter().map(Vec::len).sum();
    assert!(words / modes.len() < 150, "{} words a tick", words / modes.len());
}

#[test]
fn a_run_is_the_same_from_any_memory_on() {
    let entries = recorded();
    let memories: Vec<usize> =
        (0..entries.len()).filter(|k| entries[*k].first() == Some(&MEMORY)).collect();
    assert!(memories.len() > 5, "{}", memories.len());
    for from in memories {
        let found = replay(entries[..1].iter().chain(&entries[from..])).found().clone();
        assert_eq!((found.first, found.unchecked, found.gaps), (None, 0, 0), "from {from}");
        assert!(found.checked > 0, "from {from}");
    }
    // Before a memory is there, nothing can be said, and that is told.
    let found = replay(entries[..1].iter().chain(&entries[20..])).found().clone();
    assert!(found.unchecked > 100 && found.first.is_none(), "{found:?}");
}

#[test]
fn the_first_difference_is_found_with_its_joint_and_both_values() {
    let mut entries = recorded();
    let moving = entries.iter().position(|words| {
        let head = Entry::read(words).and_then(|entry| reflex::replay::head(entry.outcome));
        head.is_some_and(|head| matches!(head.mode, Mode::Moving { .. }))
    });
    let at = moving.expect("a tick that moves") + 10;
    let entry = Entry::read(&entries[at]).expect("a tick");
    let (tick, head) = (entry.tick, reflex::replay::head(entry.outcome).expect("a head"));
    let commanded = head.commanded;
    let bits = commanded[2].to_bits();
    let place = entries[at].iter().rposition(|word| *word == bits).expect("the command");
    let first = entries[at].len() - entry.outcome.len();
    let place = entries[at][first..].iter().position(|word| *word == bits).unwrap_or(place - first);
    entries[at][first + place] ^= 1;
    let found = replay(&entries).found().clone();
    let difference = found.first.expect("a difference");
    assert_eq!(difference.tick, tick);
    let Apart::Command { joint: 2, was, is } = difference.what else { panic!("{difference:?}") };
    assert_eq!((was.to_bits(), is.to_bits()), (bits ^ 1, bits));
    assert_eq!(found.different, 1, "what follows is compared from the next memory on");
    assert!(found.unchecked > 0);
}

#[test]
fn what_is_missing_is_told_and_never_called_equal() {
    let mut entries = recorded();
    let at = entries.iter().rposition(|words| words.first() == Some(&TICK)).expect("a tick") / 2;
    let at = (at..).find(|k| entries[*k].first() == Some(&TICK)).expect("a tick");
    entries.remove(at);
    let found = replay(&entries).found().clone();
    assert_eq!((found.gaps, found.first.clone()), (1, None));
    assert!(found.unchecked > 0 && found.checked > 0, "{found:?}");
}

#[test]
fn a_reader_that_is_gone_costs_entries_and_nothing_else() {
    let (tape, mut reel) = tape::tape();
    let heap = play(Some(tape), || {});
    assert_eq!(heap, 0, "the loop's heap was touched");
    let (mut entry, mut last, mut count) = (Vec::new(), 0, 0);
    while reel.next(&mut entry) {
        let Some(read) = Entry::read(&entry) else { continue };
        assert!(count == 0 || read.tick.0 == last + 1, "whole entries in their order");
        last = read.tick.0;
        count += 1;
    }
    assert!(count > 500, "only {count} ticks were kept");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_is_read_nothing_panics(
        words in proptest::collection::vec(any::<u64>(), 0..64),
        kind in 0_usize..4,
    ) {
        let mut words = words;
        if let Some(first) = words.first_mut() {
            *first = [TICK, MEMORY, tape::ROBOT, *first][kind];
        }
        let mut replay = Replay::default();
        replay.take(&tape::robot_entry(&robot())).expect("a robot");
        let _ = replay.take(&words);
    }

    #[test]
    fn nor_when_a_recording_is_cut_or_flipped(at in any::<prop::sample::Index>(), bit in 0..64_u32, word in any::<prop::sample::Index>(), cut in any::<bool>()) {
        thread_local! {
            static ENTRIES: Vec<Vec<u64>> = recorded();
        }
        ENTRIES.with(|entries| {
            let at = at.index(entries.len());
            let mut replay = Replay::default();
            for (k, entry) in entries.iter().enumerate() {
                let mut entry = entry.clone();
                if k == at {
                    let word = word.index(entry.len());
                    entry[word] ^= 1 << bit;
                    if cut {
                        entry.truncate(word);
                    }
                }
                let _ = replay.take(&entry);
            }
        });
    }
}
