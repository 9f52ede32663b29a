//! Promises of the law about corrections: bounded, of this very tick and head, or dropped and told.

mod bench;

use bench::{Bench, HEAD, JOINTS, joints, robot};
use motion::{
    Chunk, ChunkId, Corrected, Correction, CorrectionRule, Event, HeadDigest, Joints, Mode, Plan,
    Reply, RunId, Source, TickIndex,
};
use proptest::prelude::*;

const SMALL: HeadDigest = HeadDigest(8);
const BOUND: f64 = 0.02;

/// A law that follows twenty equal set-points, and corrects them.
fn following() -> Bench {
    let mut bench = Bench::armed();
    let offset_max = joints(&[BOUND; JOINTS]);
    let rule = CorrectionRule { head: SMALL, deadline_ns: 1_000_000, offset_max };
    bench.follow(1, Plan { correction: Some(rule), ..Plan::plain(HEAD, 60) });
    bench.tick();
    let now = bench.law.now().0;
    bench.chunk(1, now, &[[0.001, 0.0, 0.0]; 60], false);
    bench
}

fn correction(bench: &Bench, offset: &[f64]) -> Correction {
    let offset = Joints::from_slice(offset);
    Correction { run: RunId(1), tick: bench.law.now(), head: SMALL, offset }
}

#[test]
fn its_ask_says_what_is_due_in_this_tick_the_chunk_that_comes_with_it_included() {
    let mut bench = following();
    let asked = |bench: &Bench| {
        let replies: Vec<Reply> = bench.replies.clone();
        bench.law.ask_correction(bench.now, &bench.state, &replies)
    };
    let (ask, deadline_ns) = asked(&bench).expect("a set-point is due");
    assert_eq!((ask.step, ask.course.at(0, 0), deadline_ns), (0, Some(0.001), 1_000_000));
    bench.tick();
    let ask = asked(&bench).expect("and the next").0;
    assert_eq!((ask.step, ask.course.at(0, 0), ask.tick), (1, Some(0.001), bench.law.now()));
    let mut plain = Bench::armed();
    plain.begin(1, motion::Seam::Cut);
    plain.tick();
    assert!(asked(&plain).is_none(), "nobody corrects this run");
}

#[test]
fn what_was_asked_for_is_added_and_what_is_too_much_is_cut() {
    let mut bench = following();
    bench.correction = Some(correction(&bench, &[0.004, -0.01, 0.0]));
    let (_, tick) = bench.tick();
    assert_eq!(tick.corrected, Corrected::Added);
    assert_eq!(&tick.requested[..], &[0.005, -0.01, 0.0]);
    bench.correction = Some(correction(&bench, &[0.5, -0.5, 0.01]));
    let (_, tick) = bench.tick();
    assert_eq!(tick.corrected, Corrected::Bounded);
    assert_eq!(&tick.requested[..], &[0.001 + BOUND, -BOUND, 0.01]);
}

#[test]
fn what_is_late_foreign_or_broken_is_dropped_and_the_chunk_goes_on() {
    type Spoil = fn(&mut Correction);
    let cases: [(Spoil, Corrected); 7] = [
        (|it| it.tick.0 -= 1, Corrected::Foreign),
        (|it| it.tick.0 += 1, Corrected::Foreign),
        (|it| it.run = RunId(2), Corrected::Foreign),
        (|it| it.head = HEAD, Corrected::Foreign),
        (|it| it.offset = None, Corrected::Missed),
        (|it| it.offset = Some(joints(&[0.0, f64::NAN, 0.0])), Corrected::Unusable),
        (|it| it.offset = Some(joints(&[0.0; 2])), Corrected::Unusable),
    ];
    for (spoil, wanted) in cases {
        let mut bench = following();
        let mut spoilt = correction(&bench, &[0.01; JOINTS]);
        spoil(&mut spoilt);
        bench.correction = Some(spoilt);
        let (_, tick) = bench.tick();
        assert_eq!(tick.corrected, wanted, "{spoilt:?}");
        assert_eq!(&tick.requested[..], &[0.001, 0.0, 0.0]);
        assert!(matches!(tick.source, Source::Chunk { .. }));
    }
    let mut bench = following();
    assert_eq!(bench.tick().1.corrected, Corrected::Missed);
}

#[test]
fn a_second_chunk_of_the_same_tick_is_no_newer_than_the_first() {
    let mut bench = following();
    bench.tick();
    let mut other = Chunk::empty(ChunkId(99), RunId(1), HEAD, TickIndex(3), JOINTS);
    assert!(other.push(&[0.0; JOINTS]) && other.push(&[0.0; JOINTS]));
    bench.replies.push(Reply::Chunk(other));
    let (_, tick) = bench.tick();
    let why = motion::ChunkRefusal::Superseded;
    assert_eq!(tick.events.as_slice(), &[Event::ChunkRefused { chunk: ChunkId(99), why }]);
}

fn any_offset() -> impl Strategy<Value = Option<[f64; JOINTS]>> {
    let value = || prop_oneof![6 => -0.03..0.03f64, 1 => -9.0..9.0f64, 1 => Just(f64::NAN)];
    proptest::option::of([value(), value(), value()])
}

proptest! {
    /// Whatever corrections come and stay away: the wish is within the bound of the chunk's, no limit is exceeded, the
    /// run goes on.
    #[test]
    fn a_correction_never_moves_a_wish_by_more_than_its_bound(
        offsets in proptest::collection::vec(any_offset(), 50),
    ) {
        let mut bench = following();
        let limited = robot();
        let mut past = [Joints::zeros(JOINTS); 3];
        for offset in offsets {
            bench.correction = offset.map(|offset| correction(&bench, &offset));
            let (_, tick) = bench.tick();
            prop_assert_eq!(tick.mode, Mode::Moving { run: RunId(1) });
            for (wish, base) in tick.requested.iter().zip([0.001, 0.0, 0.0]) {
                prop_assert!((wish - base).abs() <= BOUND, "{:?}", tick.requested);
            }
            for (joint, limits) in limited.limits().iter().enumerate() {
                let [p3, p2, p1] = [past[0][joint], past[1][joint], past[2][joint]];
                let acceleration = (tick.applied[joint] - 2.0 * p1 + p2) / 0.05 / 0.05;
                let jerk = (tick.applied[joint] - 3.0 * p1 + 3.0 * p2 - p3) / 0.05 / 0.05 / 0.05;
                prop_assert!(acceleration.abs() <= limits.acceleration_max * (1.0 + 1e-6));
                prop_assert!(jerk.abs() <= limits.jerk_max * (1.0 + 1e-6));
            }
            past = [past[1], past[2], tick.applied];
        }
    }
}
