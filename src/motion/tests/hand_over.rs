//! A run that is handed over to another head goes on without a break: no chunk is lost, none of a stranger is taken.

mod bench;

use bench::{Bench, HEAD, JOINTS};
use motion::{
    Chunk, ChunkId, ChunkRefusal, Ending, Event, HeadDigest, Mode, Nanos, Plan, Refusal, Reply,
    Run, RunId, Seam, Source, Tick, TickIndex, What,
};

const OTHER: HeadDigest = HeadDigest(8);
/// How much a chunk moves the first joint in a tick.
const STRIDE: f64 = 0.01;

fn plan(head: HeadDigest, lead: u32) -> Plan {
    Plan { lead, seam: Seam::Fade { ticks: 2 }, ..Plan::plain(head, 4) }
}

fn run(id: u64, plan: Plan) -> Run {
    Run { id: RunId(id), plan, expires: Nanos(u64::MAX) }
}

/// Eight steps for the tick `observed` and on, along one line whoever makes them.
fn answer(bench: &mut Bench, head: HeadDigest, observed: u64) {
    bench.chunks += 1;
    let id = ChunkId(bench.chunks);
    let mut chunk = Chunk::empty(id, RunId(1), head, TickIndex(observed), JOINTS);
    for step in 0..8 {
        assert!(chunk.push(&[(observed + step) as f64 * STRIDE, 0.0, 0.0]));
    }
    bench.replies.push(Reply::Chunk(chunk));
}

fn refusals(tick: &Tick) -> Vec<ChunkRefusal> {
    let events = tick.events.as_slice().iter();
    let why = |event: &Event| match event {
        Event::ChunkRefused { why, .. } => Some(*why),
        _ => None,
    };
    events.filter_map(why).collect()
}

/// Lets every ask be answered `delay` ticks later by the head that it names, hands over at `at`, and looks at all ticks.
fn hand_over(delay: u64, lead: u32, at: u64) -> Vec<Tick> {
    let mut bench = Bench::armed();
    bench.order(What::Begin(run(1, plan(HEAD, lead))));
    bench.tick();
    let mut due: Vec<(u64, HeadDigest, u64)> = Vec::new();
    let mut ticks = Vec::new();
    for turn in 0..60 {
        if turn == at {
            bench.order(What::HandOver(run(1, plan(OTHER, lead))));
        }
        if let Some(ask) = bench.ask() {
            due.push((turn + delay, ask.head, ask.tick.0));
        }
        due.retain(|(when, head, observed)| {
            let comes = *when == turn;
            if comes {
                answer(&mut bench, *head, *observed);
            }
            !comes
        });
        ticks.push(bench.tick().1);
    }
    ticks
}

#[test]
fn nothing_is_lost_refused_or_dry_wherever_it_falls() {
    for (delay, lead) in [(0, 0), (2, 2), (3, 4)] {
        for at in 8..24 {
            let ticks = hand_over(delay, lead, at);
            let mut heads = Vec::new();
            for tick in &ticks[6..] {
                let about = format!("delay {delay}, handed over at {at}: {:?}", tick.events);
                assert_eq!(refusals(tick), [], "{about}");
                let Source::Chunk { head, .. } = tick.source else {
                    panic!("{:?}, {about}", tick.source)
                };
                if heads.last() != Some(&head) {
                    heads.push(head);
                }
                let ended = tick.events.as_slice().iter().any(|e| matches!(e, Event::Ended { .. }));
                assert!(!ended && tick.mode == Mode::Moving { run: RunId(1) }, "{about}");
            }
            assert_eq!(heads, [HEAD, OTHER], "delay {delay}, handed over at {at}");
            for pair in ticks[8..].windows(2) {
                let step = pair[1].applied[0] - pair[0].applied[0];
                assert!((step - STRIDE).abs() < 1e-9, "a step of {step} at the hand-over at {at}");
            }
        }
    }
}

#[test]
fn what_the_old_head_saw_later_is_a_strangers() {
    let mut bench = Bench::armed();
    bench.order(What::Begin(run(1, plan(HEAD, 0))));
    bench.tick();
    let seen = bench.ask().expect("the run wants a chunk").tick.0;
    answer(&mut bench, HEAD, seen);
    bench.order(What::HandOver(run(1, plan(OTHER, 0))));
    assert_eq!(refusals(&bench.tick().1), [], "it was asked for before");
    answer(&mut bench, HEAD, seen + 1);
    assert_eq!(refusals(&bench.tick().1), [ChunkRefusal::OtherHead]);
    answer(&mut bench, OTHER, seen + 2);
    assert_eq!(refusals(&bench.tick().1), []);
}

#[test]
fn a_run_that_is_over_is_not_begun_again() {
    let mut bench = Bench::armed();
    let late = bench.order(What::HandOver(run(1, plan(OTHER, 0))));
    let (_, tick) = bench.tick();
    let refused = Event::Refused(late, Refusal::NoSuchRun);
    assert!(tick.events.as_slice().contains(&refused), "{:?}", tick.events);
    assert_eq!(tick.mode, Mode::Holding);
    bench.order(What::Begin(run(1, plan(HEAD, 0))));
    bench.tick();
    bench.order(What::Begin(run(2, plan(HEAD, 0))));
    let (_, tick) = bench.tick();
    let ended = Event::Ended { run: RunId(1), ending: Ending::Superseded };
    assert!(tick.events.as_slice().contains(&ended), "{:?}", tick.events);
    let late = bench.order(What::HandOver(run(1, plan(OTHER, 0))));
    let (_, tick) = bench.tick();
    assert!(tick.events.as_slice().contains(&Event::Refused(late, Refusal::NoSuchRun)));
    assert_eq!(tick.mode, Mode::Moving { run: RunId(2) });
}
