//! Judges see what they should, and are not taken in.

use super::{Case, Goal, Judge, Seen, Verdict};

const PERIOD_S: f64 = 0.05;

fn case(goal: Goal) -> Case {
    Case { goal, rest_m: 0.018, target_m: [0.3, 0.1, 0.02], radius_m: 0.06 }
}

/// The first verdict that is not open, and when; shows the judge a path of so many seconds.
fn judged(
    goal: Goal,
    seconds: f64,
    path: impl Fn(f64) -> ([f64; 3], [f64; 3]),
) -> (Verdict, f64, Judge) {
    let mut judge = Judge::new(case(goal));
    let ticks = (seconds / PERIOD_S).round() as u32;
    for tick in 1..=ticks {
        let time_s = f64::from(tick) * PERIOD_S;
        let (object_m, tool_m) = path(time_s);
        let seen = Seen { time_s, object_m, tool_m, site_m: [0.2, 0.36, 0.28] };
        let verdict = judge.look(&seen);
        if verdict != Verdict::Open {
            return (verdict, time_s, judge);
        }
    }
    (Verdict::Open, seconds, judge)
}

fn at_height(z: f64) -> ([f64; 3], [f64; 3]) {
    ([0.3, 0.1, z], [0.0; 3])
}

#[test]
fn a_lift_has_to_be_held_on_end() {
    let goal = || Goal::Lift { lift_m: 0.08, hold_s: 1.0 };
    let (verdict, time_s, judge) =
        judged(goal(), 5.0, |t| at_height(if t > 1.0 { 0.12 } else { 0.018 }));
    assert_eq!(verdict, Verdict::Success);
    assert!((time_s - 2.05).abs() < 1e-9, "one second after 1.05 s: {time_s}");
    assert!((judge.figure_m().expect("seen") - 0.102).abs() < 1e-9);
    let (verdict, ..) = judged(goal(), 9.0, |t| at_height(if t % 1.0 < 0.9 { 0.12 } else { 0.09 }));
    assert_eq!(verdict, Verdict::Open, "never a whole second");
    assert_eq!(judged(goal(), 9.0, |_| at_height(0.097)).0, Verdict::Open, "not high enough");
}

#[test]
fn a_berry_that_falls_on_its_way_is_lost() {
    let goal = || Goal::Bring { site: "mouth".into(), within_m: 0.03, hold_s: 0.5, lifted_m: 0.05 };
    let path = |falls: bool| {
        move |t: f64| match t {
            t if t < 1.0 => at_height(0.018),
            t if t < 2.0 => at_height(0.20),
            t if t < 2.2 && falls => at_height(0.10),
            _ => ([0.21, 0.36, 0.27], [0.0; 3]),
        }
    };
    let (verdict, time_s, judge) = judged(goal(), 5.0, path(false));
    assert_eq!(verdict, Verdict::Success);
    assert!((time_s - 2.5).abs() < 0.051, "{time_s}");
    assert!((judge.figure_m().expect("seen") - 0.01_f64.hypot(0.01)).abs() < 1e-9);
    let (verdict, time_s, _) = judged(goal(), 5.0, path(true));
    assert_eq!(verdict, Verdict::Failure("dropped"), "though the mouth gets it in the end");
    assert!((1.95..2.06).contains(&time_s), "{time_s}");
    let (verdict, ..) = judged(goal(), 5.0, |t| at_height(if t < 1.0 { 0.05 } else { 0.018 }));
    assert_eq!(verdict, Verdict::Open, "a nudge is no lift");
}

#[test]
fn a_tool_that_flies_through_has_not_settled() {
    let goal = || Goal::Settle { above_m: 0.12, within_m: 0.01, slow_m_s: 0.05, hold_s: 0.5 };
    let at = |x: f64| ([0.0; 3], [x, 0.1, 0.14]);
    let arrives = |t: f64| at(if t < 1.0 { 0.3 - 0.2 * (1.0 - t) } else { 0.305 });
    let (verdict, time_s, _) = judged(goal(), 5.0, arrives);
    assert_eq!(verdict, Verdict::Success);
    assert!((1.4..1.6).contains(&time_s), "{time_s}");
    let trembles =
        |t: f64| at(0.3 + if (t / PERIOD_S).round() % 2.0 < 1.0 { 0.008 } else { -0.008 });
    assert_eq!(judged(goal(), 5.0, trembles).0, Verdict::Open, "near, but never slow");
    assert_eq!(judged(goal(), 5.0, |_| at(0.311)).0, Verdict::Open, "slow, but never near");
    let low = |_| ([0.0; 3], [0.3, 0.1, 0.02]);
    assert_eq!(judged(goal(), 5.0, low).0, Verdict::Open, "on the target, not above it");
}

#[test]
fn laps_are_wound_up_in_one_direction_from_the_circle_on() {
    let goal =
        || Goal::Circle { above_m: 0.12, laps: 3, rms_m: 0.01, begin_m: 0.01, height_m: 0.02 };
    let round = |speed: f64, radius: f64, z: f64| {
        move |t: f64| {
            // For a second the tool comes in from far away: what it does there does not count.
            let radius = if t < 1.0 { radius + 0.1 } else { radius };
            let angle = 1.0 + speed * t;
            ([0.0; 3], [0.3 + radius * angle.cos(), 0.1 + radius * angle.sin(), z])
        }
    };
    let lap_s = std::f64::consts::TAU / 2.0;
    let (verdict, time_s, judge) = judged(goal(), 20.0, round(2.0, 0.064, 0.14));
    assert_eq!(verdict, Verdict::Success);
    assert!((time_s - 1.0 - 3.0 * lap_s).abs() < 0.11, "{time_s}");
    assert!((judge.figure_m().expect("laps") - 0.004).abs() < 1e-9);
    let verdict = |path: &dyn Fn(f64) -> ([f64; 3], [f64; 3])| judged(goal(), 20.0, path).0;
    assert_eq!(verdict(&round(-2.0, 0.06, 0.14)), Verdict::Open, "clockwise");
    assert_eq!(verdict(&round(0.5, 0.06, 0.14)), Verdict::Open, "too slow for three laps");
    assert_eq!(verdict(&round(2.0, 0.08, 0.14)), Verdict::Open, "another circle");
    let strays = |t: f64| round(2.0, if t < 2.0 { 0.06 } else { 0.08 }, 0.14)(t);
    assert_eq!(verdict(&strays), Verdict::Failure("strayed from the circle"));
    let sinks = |t: f64| round(2.0, 0.06, if t < 5.0 { 0.14 } else { 0.10 })(t);
    assert_eq!(verdict(&sinks), Verdict::Failure("left the height of the circle"));
    let there_and_back = |t: f64| {
        let angle: f64 = 3.0 * (2.0 * t).sin();
        ([0.0; 3], [0.3 + 0.06 * angle.cos(), 0.1 + 0.06 * angle.sin(), 0.14])
    };
    assert_eq!(verdict(&there_and_back), Verdict::Open, "a swing is no lap");
}

/// The first verdict that is not open, and when; shows the judge a site's path of so many seconds.
fn judged_site(goal: Goal, seconds: f64, path: impl Fn(f64) -> [f64; 2]) -> (Verdict, f64, Judge) {
    let mut judge = Judge::new(case(goal));
    let ticks = (seconds / PERIOD_S).round() as u32;
    for tick in 0..=ticks {
        let time_s = f64::from(tick) * PERIOD_S;
        let [x, y] = path(time_s);
        let seen = Seen { time_s, object_m: [0.0; 3], tool_m: [0.0; 3], site_m: [x, y, 0.4] };
        let verdict = judge.look(&seen);
        if verdict != Verdict::Open {
            return (verdict, time_s, judge);
        }
    }
    (Verdict::Open, seconds, judge)
}

#[test]
fn a_berry_is_brought_to_a_mouth_that_moves() {
    let goal = Goal::Bring { site: "mouth".into(), within_m: 0.14, hold_s: 0.0, lifted_m: 0.05 };
    let mut judge = Judge::new(case(goal));
    let mut look = |time_s, object: [f64; 3], site_m| {
        judge.look(&Seen { time_s, object_m: object, tool_m: [0.0; 3], site_m })
    };
    assert_eq!(look(0.05, [0.3, 0.1, 0.3], [0.3, 0.1, 0.6]), Verdict::Open);
    assert_eq!(look(0.10, [0.3, 0.1, 0.3], [0.3, 0.1, 0.45]), Verdict::Open, "not near enough");
    assert_eq!(look(0.15, [0.3, 0.1, 0.3], [0.3, 0.1, 0.43]), Verdict::Success, "the mouth came");
}

#[test]
fn who_passes_by_has_not_arrived() {
    let goal = |hold_s| Goal::Arrive { site: "root".into(), within_m: 0.08, hold_s };
    let walks = |t: f64| [0.3 - 0.4 * (1.0 - t).max(0.0), 0.1 + 0.05];
    let (verdict, time_s, judge) = judged_site(goal(0.5), 5.0, walks);
    assert_eq!(verdict, Verdict::Success);
    assert!((1.3..1.5).contains(&time_s), "half a second from 0.85 s on: {time_s}");
    assert!((judge.figure_m().expect("seen") - 0.05).abs() < 1e-9, "seen from above");
    let runs = |t: f64| [0.3 + 0.4 * (t - 1.0), 0.1];
    assert_eq!(judged_site(goal(0.5), 5.0, runs).0, Verdict::Open, "there for 0.4 s");
    assert_eq!(judged_site(goal(0.0), 5.0, runs).0, Verdict::Success, "where a moment is enough");
    assert_eq!(judged_site(goal(0.0), 5.0, |_| [0.3, 0.19]).0, Verdict::Open, "9 cm off");
}

#[test]
fn laps_are_wound_up_either_way_and_near_the_circle_only() {
    let goal = || Goal::Laps { site: "root".into(), laps: 2, within_m: 0.02 };
    let round = |speed: f64, radius: f64| {
        move |t: f64| [0.3 + radius * (speed * t).cos(), 0.1 + radius * (speed * t).sin()]
    };
    let lap_s = std::f64::consts::TAU / 2.0;
    for speed in [2.0, -2.0] {
        let (verdict, time_s, judge) = judged_site(goal(), 20.0, round(speed, 0.07));
        assert_eq!(verdict, Verdict::Success);
        assert!((time_s - 2.0 * lap_s).abs() < 0.06, "{time_s}");
        assert!((judge.figure_m().expect("laps") - 0.01).abs() < 1e-9);
    }
    let verdict = |path: &dyn Fn(f64) -> [f64; 2]| judged_site(goal(), 20.0, path).0;
    assert_eq!(verdict(&round(2.0, 0.09)), Verdict::Open, "too far out");
    assert_eq!(verdict(&round(2.0, 0.03)), Verdict::Open, "on the spot");
    assert_eq!(verdict(&round(0.6, 0.06)), Verdict::Open, "not even two laps");
    assert_eq!(verdict(&|t| [0.3 + 0.1 * t, 0.1]), Verdict::Open, "displaced, but not round");
    let swings = |t: f64| round(1.0, 0.06)(2.5 * (2.0 * t).sin());
    assert_eq!(verdict(&swings), Verdict::Open, "to and fro");
}

#[test]
fn only_the_end_of_a_displacement_counts() {
    let goal = || Goal::Displace { site: "root".into(), beyond_m: 0.25 };
    let far = |t: f64| [0.1 * t, 0.0];
    let (verdict, _, judge) = judged_site(goal(), 3.0, far);
    assert!(verdict == Verdict::Open && judge.ends_well());
    let back = |t: f64| [0.3 * (t * std::f64::consts::PI / 3.0).sin(), 0.0];
    let (verdict, _, judge) = judged_site(goal(), 3.0, back);
    assert!(verdict == Verdict::Open && !judge.ends_well(), "it came back");
    let (_, _, judge) = judged_site(goal(), 3.0, |_| [9.0, 0.0]);
    assert!(!judge.ends_well(), "far away is not displaced");
    let lift = Goal::Lift { lift_m: 0.08, hold_s: 1.0 };
    assert!(!judged_site(lift, 1.0, far).2.ends_well(), "other goals end when they are met");
}
