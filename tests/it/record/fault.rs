//! A loop under the recorder, in this process: a robot that is lost for a while, and answers that come late or never.

use std::{sync::mpsc, time::Duration};

use motion::{
    Chunk, ChunkId, Command, Controller, Correction, CorrectionRule, Epoch, HeadDigest, Health,
    Nanos, Order, OrderId, Plan, Reply, Run, RunId, Seam, State, TickIndex, What,
};
use reflex::{Backend, Clock, Delivery, Loop, backend::loopback::Loopback, ports, tape};
use reflexd::{
    config::RecorderSettings,
    recorder::{self, Recorder, RecorderParts},
};

use super::{FAULT, films, kept, replayed, same};
use crate::rig::{joints, plain_robot};

const JOINTS: usize = 4;
const TICKS: u64 = 700;
/// In these ticks the robot is lost.
const LOST: std::ops::Range<u64> = 320..340;

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

/// Turns a loop with everything going on.
fn turn(tape: tape::Tape, clock: Clock) {
    let (ports, mut commander, mut thinker, mut listener, _switch) = ports();
    let mut corrector = thinker.corrector().expect("nobody has taken it");
    let start = joints(&[0.1, -0.2, 0.3, 0.05]);
    let backend = Box::new(Lossy(Loopback::new(start, 0.05), 0));
    let late = Delivery { ticks: 0, jitter_ticks: 2, lost: 0.05, seed: 7 };
    let mut turns = Loop::new(clock, backend, Controller::new(plain_robot(JOINTS)), ports)
        .delivering(late)
        .recorded(tape);
    let offset_max = joints(&[0.01; JOINTS]);
    let rule = CorrectionRule { head: HeadDigest(2), deadline_ns: 0, offset_max };
    let plan = Plan { ticks_max: 80, ..Plan::plain(HeadDigest(1), 4) };
    let plans = [
        Plan { seam: Seam::Fade { ticks: 2 }, ..plan },
        Plan { seam: Seam::Ensemble { coefficient: 0.01 }, execute: 1, ..plan },
        Plan { correction: Some(rule), ..plan },
    ];
    let (mut orders, mut run) = (0, 0);
    for k in 0..TICKS {
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
            60 => order(What::Hold),
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
        let (tick, head, offset) = (TickIndex(k), HeadDigest(2), Some(offset_max));
        let _ = corrector.reply(Correction { run: id, tick, head, offset });
        turns.turn();
        while listener.next(Duration::ZERO).is_some() {}
        // Slower than the recorder, which looks every 50 ms: its ring holds far more than is turned meanwhile.
        std::thread::sleep(Duration::from_micros(500));
    }
}

#[test]
fn a_fault_leaves_a_black_box_that_is_the_same_once_more() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (tape, reel) = tape::tape();
    let clock = Clock::lockstep();
    let names = ["base", "shoulder", "elbow", "wrist"].map(str::to_owned);
    let (tidings, mut told) = tokio::sync::mpsc::channel(256);
    let (recorder, thread) = Recorder::start(RecorderParts {
        settings: RecorderSettings {
            folder: folder.path().to_owned(),
            files: true,
            free_min_mb: 0,
            ..RecorderSettings::default()
        },
        name: "lossy".into(),
        joints: names.into(),
        robot: plain_robot(JOINTS),
        clock: clock.clone(),
        reel,
        errands: mpsc::channel().1,
        tidings,
        disk_full: Box::new(|_| ()),
    })
    .expect("a thread");
    turn(tape, clock);
    assert!(!recorder.is_disk_full());
    recorder.end();
    thread.join().expect("it does not panic");
    let [run] = &films(folder.path(), "run")[..] else { panic!("one file is wanted") };
    assert_eq!(same(run), TICKS);
    let [black_box] = &films(folder.path(), "box")[..] else { panic!("one black box is wanted") };
    let ticks = same(black_box);
    let found = recorder::contents(black_box, &mut |_, _| {}).expect("a recording");
    let [fault] = &found.faults[..] else { panic!("one fault is wanted: {found:?}") };
    assert_eq!(fault.seq, LOST.start, "{found:?}");
    assert!(fault.what.contains("BackendLost"), "{found:?}");
    assert!(ticks >= LOST.start && found.last_seq >= Some(LOST.start + 90), "{found:?}");
    assert!(found.messages["/chunk"] > 30, "{found:?}");
    // What was told of it: the black box, by its name.
    let mut lines = Vec::new();
    while let Ok(tidings) = told.try_recv() {
        lines.push(format!("{tidings:?}"));
    }
    let name = black_box.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
    assert!(lines.iter().any(|line| line.contains("black_box") && line.contains(&name)));
    kept(black_box, FAULT);
    // The words for people: the joint by its name.
    let (_, told) = replayed(black_box);
    assert_eq!(told["about"]["joints"], "base,shoulder,elbow,wrist", "{told:#}");
}
