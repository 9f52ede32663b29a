//! Floods: what is above a key's limit is not read, and nobody is kept out by somebody else.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use reflexd::wire::TABLE;
use zenoh::{Wait, qos::CongestionControl, sample::SourceInfo};

use super::{
    house::{Street, eventually},
    key,
};

/// Far above any limit, and sent in far less than a second.
const FLOOD: usize = 3_000;

fn burst(name: &str) -> usize {
    let entry = TABLE.iter().find(|entry| entry.name == name).expect("a key");
    usize::try_from(entry.limit().expect("a limit").burst).expect("a few")
}

#[test]
fn what_is_above_the_limit_is_not_read_and_keeps_nobody_out() {
    let street = Street::open();
    let (flooder, other) = (street.stranger(), street.stranger());
    let publisher = flooder.0.declare_publisher(key("cmd/goto"));
    let publisher = publisher.congestion_control(CongestionControl::Block).wait();
    let publisher = publisher.expect("a good key");
    let begun = Instant::now();
    for k in 0..FLOOD {
        let source = SourceInfo::new(publisher.id(), u32::try_from(k).expect("a few thousand"));
        publisher.put(r#"{"joints":{"joint1":0}}"#).source_info(source).wait().expect("open");
    }
    eventually("the flood has arrived", || {
        let diary = street.house.diary();
        let crowded = diary.crowded.get("cmd/goto").copied().unwrap_or_default();
        let busy = diary.refused.iter().filter(|(.., why)| why.starts_with("busy")).count();
        let crowded = usize::try_from(crowded).expect("a few");
        crowded + diary.commands.len() + busy == FLOOD
    });
    let seconds = begun.elapsed().as_secs_f64();
    let read = street.house.diary().commands.len();
    let most = burst("cmd/goto") as f64 * (1.0 + seconds) + 1.0;
    assert!(read as f64 <= most, "{read} were read in {seconds} s");
    assert!(read > 0, "those within the limit are taken");

    let answer = other.ask(&key("cmd/goto"), br#"{"joints":{"joint1":0}}"#);
    assert_eq!(answer["accepted"], true, "another session has a limit of its own: {answer}");
    assert_eq!(other.ask(&key("cmd/hold"), b"")["accepted"], true);
}

#[test]
fn a_crowd_keeps_neither_a_hold_nor_an_estop_out() {
    let street = Street::open();
    let (flooder, other) = (street.stranger(), street.stranger());
    // Nobody says who they are, so both share one limit; and the house answers nobody.
    street.house.is_stuck.store(true, Ordering::Relaxed);
    for name in ["cmd/home", "cmd/arm", "cmd/hold"] {
        for _ in 0..FLOOD {
            flooder.put(&key(name), b"");
        }
    }
    eventually("the flood has arrived", || {
        let diary = street.house.diary();
        let busy = diary.refused.len() as u64;
        busy + diary.crowded.values().sum::<u64>() + diary.commands.len() as u64 == 3 * FLOOD as u64
    });
    let held = |street: &Street| {
        let is_hold = |(command, _): &&(_, _)| *command == reflexd::operator::Command::Hold;
        street.house.diary().commands.iter().filter(is_hold).count()
    };
    assert!(held(&street) > 0, "room is kept for what calms");
    let begun = Instant::now();
    assert_eq!(other.ask(&key("cmd/estop"), b"")["accepted"], true);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // As soon as one of them is done, the next one is taken, however full it is.
    street.house.is_stuck.store(false, Ordering::Relaxed);
    street.house.release.notify_waiters();
    eventually("the others are done", || street.house.waiting.load(Ordering::Relaxed) == 0);
    eventually("it is above the limit, and yet there is room soon", || {
        other.ask(&key("cmd/hold"), b"")["accepted"] == true
    });
}

#[test]
fn every_estop_counts_however_many_there_are() {
    let street = Street::open();
    let stranger = street.stranger();
    for _ in 0..FLOOD {
        stranger.put(&key("cmd/estop"), b"");
    }
    eventually("each has latched", || street.house.diary().stops.len() == FLOOD);
    assert!(street.house.diary().crowded.is_empty());
}
