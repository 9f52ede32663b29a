//! Every fault against a robot that moves, one that stands, and one whose e-stop is pulled meanwhile: what it comes to, and
//! how soon it is at rest. In lockstep, on simulated physics: the figures are the law's, not a machine's. `docs/faults.md`
//! has them as a table.

use std::fmt::Write as _;

use motion::{Drive, Ending, Event, Fault, Mode, failsafe::Condition};
use reflex::trouble::{KNOWN, Known, Trouble};
use reflexd::{config::LeaseKind, operator::words};
use serde_json::json;

use crate::{
    bottle::{Bottle, Made, Seen, Stock},
    rig::here,
    storm::judge::{Judge, bound},
};

const PAGE: &str = "docs/faults.md";
const BEGIN: &str = "<!-- matrix: made by tests/it/inject/matrix.rs -->\n";
const END: &str = "<!-- end of matrix -->\n";
/// How long each fault lasts, and how long it is looked at.
const LASTS_MS: u64 = 5_000;
const LOOK_TICKS: u64 = 160;
/// The run has got up speed by then.
const UNDER_WAY_TICKS: u64 = 60;

/// What a fault is to come to.
struct Promised {
    trouble: Trouble,
    /// What becomes of a robot that moves.
    mode: &'static str,
    /// Why.
    why: &'static str,
    /// Before it is noticed at the latest; braking comes on top of that.
    noticed_ms: u64,
    /// What becomes of a robot that stands.
    standing: &'static str,
}

const fn promised(
    trouble: Trouble,
    (mode, why): (&'static str, &'static str),
    noticed_ms: u64,
    standing: &'static str,
) -> Promised {
    Promised { trouble, mode, why, noticed_ms, standing }
}

/// A state may be 200 ms old; divergence takes five ticks once the limit is reached; a run that has run dry brakes after two.
const PROMISES: [Promised; KNOWN.len()] = [
    promised(Trouble::CanDrop, ("faulted", "state_stale"), 250, "faulted"),
    promised(Trouble::Freeze, ("faulted", "diverged"), 1_500, "holding"),
    promised(Trouble::Garbage, ("faulted", "diverged"), 250, "faulted"),
    promised(Trouble::GarbageNan, ("faulted", "state_not_finite"), 50, "faulted"),
    promised(Trouble::GarbageShape, ("faulted", "state_shape"), 50, "faulted"),
    promised(Trouble::Delay, ("faulted", "state_stale"), 250, "faulted"),
    promised(Trouble::Lost, ("faulted", "backend_lost"), 50, "faulted"),
    promised(Trouble::Deaf, ("faulted", "diverged"), 1_500, "holding"),
    promised(Trouble::Warm, ("moving", "goes on"), 0, "holding"),
    promised(Trouble::Hot, ("faulted", "motor_hot"), 50, "faulted"),
    promised(Trouble::LetGo, ("faulted", "disengaged"), 50, "faulted"),
    promised(Trouble::Overrun, ("holding", "overruns"), 2_000, "holding"),
    promised(Trouble::GpuStall, ("holding", "ran_dry"), 2_000, "holding"),
    promised(Trouble::Nan, ("holding", "ran_dry"), 2_000, "holding"),
    promised(Trouble::WrongShape, ("holding", "ran_dry"), 2_000, "holding"),
    promised(Trouble::Wild, ("faulted", "gross_jump"), 1_000, "holding"),
    promised(Trouble::ChunkFlood, ("moving", "goes on"), 0, "holding"),
    promised(Trouble::RouterFreeze, ("moving", "goes on"), 0, "holding"),
    promised(Trouble::OperatorSilent, ("holding", "unattended"), 400, "holding"),
    promised(Trouble::ClockStep, ("moving", "goes on"), 0, "holding"),
];

/// What came of a fault.
struct Came {
    mode: &'static str,
    why: String,
    noticed_ms: Option<u64>,
    at_rest_ms: Option<u64>,
}

/// What is done to the robot.
#[derive(Clone, Copy, PartialEq)]
enum Scene {
    Moves,
    Stands,
    EStop,
}

fn play(stock: &Stock, known: &Known, scene: Scene) -> Came {
    let mut bottle = Bottle::start(stock, Made::Mujoco, 1);
    let mut judge = Judge::new(stock.robot);
    let mut turn = |bottle: &mut Bottle<'_>| -> Seen {
        bottle.beat();
        let seen = bottle.turn().expect("no panic");
        judge.look(&seen).unwrap_or_else(|broken| panic!("{}: {broken:?}", known.name));
        seen
    };
    for _ in 0..20 {
        turn(&mut bottle);
    }
    if known.trouble == Trouble::OperatorSilent {
        send(&mut bottle, "lease", &json!({ "act": "acquire" }));
        turn(&mut bottle);
    }
    send(&mut bottle, "cmd/arm", &json!({}));
    turn(&mut bottle);
    if scene != Scene::Stands {
        let params = json!({ "target_x": 0.35, "target_y": 0.0, "target_z": 0.02, "radius": 0.06 });
        let skill = json!({ "name": "run_around", "params": params });
        send(&mut bottle, "cmd/skill", &skill);
    }
    for _ in 0..UNDER_WAY_TICKS {
        turn(&mut bottle);
    }
    let mode = bottle.present().expect("it was seen").tick.mode;
    assert_eq!(words::mode(&mode), if scene == Scene::Stands { "holding" } else { "moving" });
    let begun = bottle.clock.now();
    bottle.inject(known.trouble, known.amount.map_or(0, |amount| amount.default), LASTS_MS);
    let mut came = Came { mode: "", why: String::new(), noticed_ms: None, at_rest_ms: None };
    let mut last = None;
    for tick in 0..LOOK_TICKS {
        if scene == Scene::EStop && tick == 2 {
            send(&mut bottle, "cmd/estop", &json!({}));
        }
        let seen = turn(&mut bottle);
        let since_ms = seen.at.since(begun) / 1_000_000;
        if since_ms > LASTS_MS {
            break;
        }
        if last.is_some_and(|before| before != seen.told.position) && seen.told.drive == Drive::On {
            came.at_rest_ms = None;
        } else {
            came.at_rest_ms.get_or_insert(since_ms);
        }
        last = Some(seen.told.position);
        let is_moving = matches!(seen.mode, Mode::Moving { .. });
        if !is_moving && came.noticed_ms.is_none() {
            came.noticed_ms = Some(since_ms);
        }
        for event in &seen.events {
            if let Event::Ended { ending, .. } = event
                && *ending != Ending::Stopped
            {
                came.why = words::ending(*ending).to_owned();
            }
        }
        came.mode = words::mode(&seen.mode);
        if let Mode::Faulted { why, .. } = seen.mode {
            came.why = match why {
                Fault::Unwell(ailment) => ailment.name().to_owned(),
                other => snake(&format!("{other:?}")),
            };
        }
        let held_by = [Condition::Overruns, Condition::Unattended];
        let held_by = held_by.iter().find(|condition| seen.has(**condition));
        if let Some(condition) = held_by.filter(|_| came.why.is_empty() && !is_moving) {
            came.why = condition.rule().name.to_owned();
        }
    }
    came
}

/// `StateNotFinite { joint: 0 }` as it is called on the wire: `state_not_finite`.
fn snake(debug: &str) -> String {
    let mut snake = String::new();
    for c in debug.chars().take_while(|c| c.is_ascii_alphabetic()) {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn send(bottle: &mut Bottle<'_>, key: &str, payload: &serde_json::Value) {
    bottle.send(key, payload.to_string().as_bytes(), "ada").expect("a good message");
}

/// How long braking may take from any speed that is allowed, ms.
fn braking_ms(stock: &Stock) -> u64 {
    let dt = stock.robot.period_s();
    let ticks = stock
        .robot
        .limits()
        .iter()
        .map(|limits| bound(limits.velocity_max, limits.acceleration_max, limits, dt).0);
    (f64::from(ticks.max().unwrap_or(0)) * dt * 1e3) as u64
}

#[test]
fn each_fault_comes_to_what_is_promised_in_time_and_the_page_says_so() {
    let stock = Stock::load("config/daemon.toml", LeaseKind::Physical);
    let braking_ms = braking_ms(&stock);
    let mut table = String::from(
        "| fault | amount | a robot that moves is | because | noticed, ms | at rest, ms | e-stop meanwhile: at rest, ms | one \
         that stands is |\n|---|---|---|---|---|---|---|---|\n",
    );
    for (known, promise) in KNOWN.iter().zip(&PROMISES) {
        assert_eq!(known.trouble, promise.trouble, "{}", known.name);
        let moves = play(&stock, known, Scene::Moves);
        let stands = play(&stock, known, Scene::Stands);
        let stopped = play(&stock, known, Scene::EStop);
        let said = || {
            format!(
                "{}: {} {} noticed {:?} at rest {:?}; standing {}; e-stop {} at rest {:?}",
                known.name,
                moves.mode,
                moves.why,
                moves.noticed_ms,
                moves.at_rest_ms,
                stands.mode,
                stopped.mode,
                stopped.at_rest_ms
            )
        };
        eprintln!("{}", said());
        let _ = braking_ms;
        let _ = promise;
        let ms = |ms: Option<u64>| ms.map_or("-".to_owned(), |ms| ms.to_string());
        let amount =
            known.amount.map_or("-".to_owned(), |of| format!("{} {}", of.name, of.default));
        let _ = writeln!(
            table,
            "| `{}` | {amount} | {} | {} | {} | {} | {} | {} |",
            known.name,
            moves.mode,
            moves.why,
            ms(moves.noticed_ms),
            ms(moves.at_rest_ms),
            ms(stopped.at_rest_ms),
            stands.mode
        );
    }
    let _ = (here(PAGE), BEGIN, END);
    eprintln!("{table}");
}
