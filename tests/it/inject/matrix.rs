//! Every fault against a robot that moves, one that stands, and one whose e-stop is pulled meanwhile: what it comes to, and
//! how soon it is at rest. In lockstep, on simulated physics: the figures are the law's, not a machine's. `docs/faults.md`
//! has them as a table.

use std::fmt::Write as _;

use motion::{Drive, Ending, Event, Fault, Mode, failsafe::Condition};
use reflex::trouble::{KNOWN, Trouble};
use reflexd::{config::AuthoritySettings, operator::words};
use serde_json::{Value, json};

use crate::{
    bottle::{Bottle, Made, Seen, Stock},
    rig::here,
    storm::judge::{Judge, bound},
};

const PAGE: &str = "docs/faults.md";
/// How long each fault lasts, and is looked at, ms.
const LASTS_MS: u64 = 5_000;
/// After so many ticks of a fault somebody pulls the e-stop, in the third scene.
const STOP_TICK: u64 = 2;

/// What a fault is to come to.
struct Promised {
    trouble: Trouble,
    /// What moves the robot.
    motion: Motion,
    /// What becomes of it.
    mode: &'static str,
    /// Why.
    why: &'static str,
    /// By when it is on its run no more, ms.
    noticed_ms: u64,
    /// What becomes of a robot that stands.
    standing: &'static str,
}

/// What moves the robot.
#[derive(Clone, Copy, PartialEq)]
enum Motion {
    /// Its first joint, as fast as it may be planned.
    Swings,
    /// A head, in circles, without end.
    Runs,
}

const fn promised(
    trouble: Trouble,
    motion: Motion,
    (mode, why): (&'static str, &'static str),
    noticed_ms: u64,
    standing: &'static str,
) -> Promised {
    Promised { trouble, motion, mode, why, noticed_ms, standing }
}

use Motion::{Runs, Swings};

/// What is measured may be 200 ms old. Who does not follow is a fault after five ticks beyond 0.35 rad. A run without a chunk
/// brakes when its last is used up and two ticks more have gone by, and is given up eighteen ticks later.
const PROMISES: [Promised; KNOWN.len()] = [
    promised(Trouble::CanDrop, Swings, ("faulted", "state_stale"), 250, "faulted"),
    promised(Trouble::Freeze, Swings, ("faulted", "diverged"), 500, "holding"),
    promised(Trouble::Garbage, Swings, ("faulted", "diverged"), 250, "faulted"),
    promised(Trouble::GarbageNan, Swings, ("faulted", "state_not_finite"), 50, "faulted"),
    promised(Trouble::GarbageShape, Swings, ("faulted", "state_shape"), 50, "faulted"),
    promised(Trouble::Delay, Swings, ("faulted", "state_stale"), 250, "faulted"),
    promised(Trouble::Lost, Swings, ("faulted", "backend_lost"), 50, "faulted"),
    promised(Trouble::Deaf, Swings, ("faulted", "diverged"), 500, "holding"),
    promised(Trouble::Warm, Runs, ("moving", "goes on, slowly"), 0, "holding"),
    promised(Trouble::Hot, Swings, ("faulted", "motor_hot"), 50, "faulted"),
    promised(Trouble::LetGo, Swings, ("faulted", "disengaged"), 50, "faulted"),
    promised(Trouble::Overrun, Runs, ("holding", "overruns"), 1_000, "holding"),
    promised(Trouble::GpuStall, Runs, ("holding", "ran_dry"), 2_000, "holding"),
    promised(Trouble::Nan, Runs, ("holding", "ran_dry"), 2_000, "holding"),
    promised(Trouble::WrongShape, Runs, ("holding", "ran_dry"), 2_000, "holding"),
    promised(Trouble::Wild, Runs, ("faulted", "gross_jump"), 500, "holding"),
    promised(Trouble::ChunkFlood, Runs, ("moving", "goes on"), 0, "holding"),
    promised(Trouble::RouterFreeze, Runs, ("moving", "goes on"), 0, "holding"),
    promised(Trouble::OperatorSilent, Swings, ("holding", "unattended"), 400, "holding"),
    promised(Trouble::ClockStep, Runs, ("moving", "goes on"), 0, "holding"),
    promised(Trouble::DiskFull, Runs, ("moving", "goes on"), 0, "holding"),
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

/// A robot at work, every tick of which is judged.
struct Play<'a> {
    bottle: Bottle<'a>,
    judge: Judge,
}

impl Play<'_> {
    fn turn(&mut self) -> Seen {
        self.bottle.beat();
        let seen = self.bottle.turn().expect("no panic");
        self.judge.look(&seen).unwrap_or_else(|broken| panic!("{broken:?}"));
        seen
    }

    fn send(&mut self, key: &str, payload: &Value) {
        self.bottle.send(key, payload.to_string().as_bytes(), "ada").expect("a good message");
    }

    /// Gets it going; says how it is called what it does then.
    fn begin(&mut self, promised: &Promised, scene: Scene) {
        for _ in 0..20 {
            self.turn();
        }
        if promised.trouble == Trouble::OperatorSilent {
            self.send("lease", &json!({ "act": "acquire" }));
            self.turn();
        }
        self.send("cmd/arm", &json!({}));
        let under_way_ticks = match (scene, promised.motion) {
            (Scene::Stands, _) => 20,
            (_, Motion::Swings) => {
                self.send("cmd/goto", &json!({ "joints": { "joint1": -2.4 } }));
                for _ in 0..100 {
                    self.turn();
                }
                self.send("cmd/goto", &json!({ "joints": { "joint1": 2.4 } }));
                15
            }
            (_, Motion::Runs) => {
                let params =
                    json!({ "target_x": 0.35, "target_y": 0.0, "target_z": 0.02, "radius": 0.08 });
                self.turn();
                self.send("cmd/skill", &json!({ "name": "run_around", "params": params }));
                60
            }
        };
        for _ in 0..under_way_ticks {
            self.turn();
        }
        let mode = self.bottle.present().expect("it was seen").tick.mode;
        let wanted = if scene == Scene::Stands { "holding" } else { "moving" };
        assert_eq!(words::mode(&mode), wanted, "{:?}", self.bottle.answers);
    }
}

fn play(stock: &Stock, promised: &Promised, scene: Scene) -> Came {
    let known = promised.trouble.known();
    let bottle = Bottle::start(stock, Made::Mujoco, 1);
    let mut play = Play { bottle, judge: Judge::new(stock.robot) };
    play.begin(promised, scene);
    let begun = play.bottle.clock.now();
    let amount = known.amount.map_or(0, |amount| amount.default);
    play.bottle.inject(promised.trouble, amount, LASTS_MS);
    let mut came = Came { mode: "", why: String::new(), noticed_ms: None, at_rest_ms: None };
    let mut last = None;
    for tick in 0.. {
        if scene == Scene::EStop && tick == STOP_TICK {
            play.send("cmd/estop", &json!({}));
        }
        let seen = play.turn();
        let since_ms = seen.at.since(begun) / 1_000_000;
        if since_ms >= LASTS_MS {
            break;
        }
        let moved = last.is_some_and(|before| before != seen.told.position);
        if moved && seen.told.drive == Drive::On {
            came.at_rest_ms = None;
        } else if last.is_some() {
            came.at_rest_ms.get_or_insert(since_ms);
        }
        last = Some(seen.told.position);
        came.take_in(&seen, since_ms);
    }
    came
}

impl Came {
    fn take_in(&mut self, seen: &Seen, since_ms: u64) {
        let is_moving = matches!(seen.mode, Mode::Moving { .. });
        if !is_moving {
            self.noticed_ms.get_or_insert(since_ms);
        }
        self.mode = words::mode(&seen.mode);
        for event in &seen.events {
            if let Event::Ended { ending, .. } = event
                && *ending != Ending::Stopped
            {
                self.why = words::ending(*ending).to_owned();
            }
        }
        if let Mode::Faulted { why, .. } = seen.mode {
            self.why = match why {
                Fault::Unwell(ailment) => ailment.name().to_owned(),
                other => snake(&format!("{other:?}")),
            };
        }
        let held_by = [Condition::Overruns, Condition::Unattended];
        let held_by = held_by.iter().find(|condition| seen.has(**condition));
        if let Some(condition) = held_by.filter(|_| self.why.is_empty() && !is_moving) {
            self.why = condition.rule().name.to_owned();
        }
        if is_moving {
            let slow = seen.has(Condition::Warm);
            self.why = if slow { "goes on, slowly" } else { "goes on" }.to_owned();
        } else if self.why.starts_with("goes on") {
            self.why.clear();
        }
    }
}

/// `StateNotFinite { joint: 0 }` as it is called on the wire: `state_not_finite`.
fn snake(debug: &str) -> String {
    let mut snake = String::new();
    for c in debug.chars().take_while(char::is_ascii_alphabetic) {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
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

/// What a part of the page is to say, between its two marks.
fn page_says(part: &str, made: &str) {
    let page = std::fs::read_to_string(here(PAGE)).expect("the page is there");
    let begin = format!("<!-- {part}: made by tests/it/inject/matrix.rs -->\n");
    let end = format!("<!-- end of {part} -->");
    let (before, rest) = page.split_once(&begin).expect("the mark is there");
    let (now, after) = rest.split_once(&end).expect("its end is there");
    if std::env::var_os("REFLEX_WRITE_DOCS").is_some() {
        let page = format!("{before}{begin}{made}{end}{after}");
        std::fs::write(here(PAGE), page).expect("the page is ours");
        return;
    }
    assert_eq!(
        now, made,
        "{PAGE} is stale: REFLEX_WRITE_DOCS=1 cargo test --features mujoco --test it inject::matrix"
    );
}

#[test]
fn each_fault_comes_to_what_is_promised_in_time_and_the_page_says_so() {
    let stock = Stock::load("config/daemon.toml", AuthoritySettings::default());
    let braking_ms = braking_ms(&stock);
    let mut table = String::from(
        "| fault | amount | a robot that moves | because | noticed, ms | at rest, ms | e-stop: at rest, ms | one that stands |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let mut wrong = Vec::new();
    for (known, promised) in KNOWN.iter().zip(&PROMISES) {
        assert_eq!(known.trouble, promised.trouble, "{}", known.name);
        let moves = play(&stock, promised, Scene::Moves);
        let stands = play(&stock, promised, Scene::Stands);
        let stopped = play(&stock, promised, Scene::EStop);
        let ms = |ms: Option<u64>| ms.map_or("-".to_owned(), |ms| ms.to_string());
        let amount = known.amount.map(|of| format!("{} {}", of.name, of.default));
        let row = format!(
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            known.name,
            amount.as_deref().unwrap_or("-"),
            moves.mode,
            moves.why,
            ms(moves.noticed_ms),
            ms(moves.at_rest_ms),
            ms(stopped.at_rest_ms),
            stands.mode
        );
        let goes_on = promised.mode == "moving";
        let within = |ms: Option<u64>, most: u64| ms.is_some_and(|ms| ms <= most);
        let stall_ms = if known.trouble == Trouble::Overrun { 400 } else { 0 };
        let kept = (moves.mode, moves.why.as_str()) == (promised.mode, promised.why)
            && (goes_on || within(moves.noticed_ms, promised.noticed_ms))
            && (goes_on || within(moves.at_rest_ms, promised.noticed_ms + braking_ms))
            && within(stopped.at_rest_ms, 50 * (STOP_TICK + 1) + stall_ms + braking_ms)
            && matches!(stopped.mode, "estopped")
            && stands.mode == promised.standing;
        if !kept {
            wrong.push(row.clone());
        }
        let _ = writeln!(table, "{row}");
    }
    assert!(
        wrong.is_empty(),
        "braking takes {braking_ms} ms; not as promised:\n{}",
        wrong.join("\n")
    );
    page_says("matrix", &table);
}

#[test]
fn the_page_knows_every_fault() {
    let mut table = String::from("| fault | what goes wrong | `--amount` |\n|---|---|---|\n");
    for known in &KNOWN {
        let amount = known.amount.map(|of| {
            format!(
                "`{}`, {} to {}, {} if left out: {}",
                of.name, of.min, of.max, of.default, of.what
            )
        });
        let _ = writeln!(
            table,
            "| `{}` | {} | {} |",
            known.name,
            known.what,
            amount.as_deref().unwrap_or("")
        );
    }
    page_says("faults", &table);
}
