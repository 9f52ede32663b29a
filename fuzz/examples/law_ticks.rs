//! Very many ticks of the law, with lives out of a seed: `make fuzz-law TICKS=100000000`.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use reflexd_fuzz::{
    heap::{Counting, touched},
    realtime::{Lived, live},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of one life: some hundred ticks.
const LIFE: usize = 2048;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Some(Ok(wanted)), seed) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: law_ticks TICKS [SEED]");
        return ExitCode::from(2);
    };
    let seed = seed.and_then(Result::ok).unwrap_or(1);
    let (began, mut told) = (Instant::now(), Instant::now());
    let (mut all, mut lives, mut bytes) = (Lived::default(), 0_u64, [0; LIFE]);
    while all.ticks < wanted {
        // Each life has a seed of its own: the one that fails is found again at once.
        let life = seed.wrapping_add(lives);
        fill(&mut bytes, life);
        let lived = std::panic::catch_unwind(|| live(&bytes, touched));
        let Ok(lived) = lived else {
            eprintln!("seed {life} breaks a promise; again: make fuzz-law TICKS=1 SEED={life}");
            return ExitCode::FAILURE;
        };
        all += lived;
        lives += 1;
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            println!("{} ticks, {lives} lives, {:.0} s", all.ticks, began.elapsed().as_secs_f64());
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{all:?}");
    let ticks = all.ticks;
    println!(
        "{ticks} ticks in {lives} lives from seed {seed} on, no promise broken, {seconds:.0} s"
    );
    ExitCode::SUCCESS
}

/// SplitMix64 (Steele, Lea and Flood, 2014), from where the seed's own hash says: lives do not share a stream.
fn fill(bytes: &mut [u8], seed: u64) {
    let mut state = mixed(seed);
    for eight in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        eight.copy_from_slice(&mixed(state).to_le_bytes()[..eight.len()]);
    }
}

fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}
