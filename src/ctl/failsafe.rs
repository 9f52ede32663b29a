//! What if: the law's own failsafe, and the law itself on a robot of one joint.

use std::io::{self, Write};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use motion::{
    Ailment, Attendance, Chunk, ChunkId, Controller, Epoch, Event, HeadDigest, Health, Inputs,
    JointLimits, Mode, Nanos, Order, OrderId, Plan, Reply, Robot, Rules, Run, RunId, State,
    StopSource, What,
    failsafe::{Action, Condition, Conditions, Policy, TABLE, Verdict, judge},
};
use serde_json::{Value, json};

use super::args::{EStop, From};
use crate::operator::words;

const PERIOD_S: f64 = 0.05;
const PERIOD_NS: u64 = 50_000_000;
const HEAD: HeadDigest = HeadDigest(1);
/// A run is asked for a chunk this often.
const EXECUTE: u32 = 4;
/// The conditions are so for as long as this: longer than any rule of the law waits.
const TICKS: u64 = 60;
/// An operator who was away for so long is gone, if it is asked what then: sooner than a real one would be.
const PARK_AFTER_NS: u64 = 1_000_000_000;

/// Tells the table, or what conditions amount to and what the law does.
pub(super) fn tell(
    conditions: &[Condition],
    from: From,
    estop: EStop,
    json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let policy = Policy {
        estop: match estop {
            EStop::Stop => Action::Stop,
            EStop::Damp => Action::Damp,
            EStop::Cut => Action::Cut,
        },
    };
    if conditions.is_empty() {
        return table(json, out);
    }
    let all = conditions.iter().fold(Conditions::NONE, |all, one| all.with(*one));
    let verdict = judge(all, policy);
    let story = play(all, from, policy);
    if json {
        let told = json!({
            "conditions": all.iter().map(|it| it.rule().name).collect::<Vec<_>>(),
            "action": verdict.action.name(),
            "cause": verdict.cause.map(|it| it.rule().name),
            "clear": verdict.cause.map(|it| it.rule().clear.words()),
            "who": verdict.cause.map(|it| it.rule().clear.who()),
            "modes": story.modes,
            "afterwards": story.afterwards,
        });
        return writeln!(out, "{told}");
    }
    let Verdict { action, cause } = verdict;
    writeln!(out, "action  {}: {}", action.name(), action.words())?;
    if let Some(rule) = cause.map(Condition::rule) {
        writeln!(out, "cause   {}: {}", rule.name, rule.when)?;
        writeln!(out, "clear   {} ({})", rule.clear.words(), rule.clear.who())?;
    }
    let modes = story.modes.iter().map(|(tick, mode)| format!("{mode} (tick {tick})"));
    writeln!(out, "modes   {}", modes.collect::<Vec<_>>().join(" -> "))?;
    writeln!(out, "then, all of it gone:")?;
    for (order, outcome) in &story.afterwards {
        writeln!(out, "  {order:<12} {outcome}")?;
    }
    Ok(())
}

fn table(json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        let rules = TABLE.iter().map(|rule| {
            json!({
                "condition": rule.name,
                "action": rule.action.name(),
                "clear": rule.clear.words(),
                "who": rule.clear.who(),
                "when": rule.when,
            })
        });
        return writeln!(out, "{}", Value::from_iter(rules));
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["condition", "action", "ends", "who ends it"]);
    for rule in TABLE {
        table.add_row([rule.name, rule.action.name(), rule.clear.words(), rule.clear.who()]);
    }
    writeln!(out, "{table}")
}

/// What the law did.
struct Story {
    /// Each mode, and the tick after the conditions began at whose end it was first so.
    modes: Vec<(u64, &'static str)>,
    /// Orders that were tried when the conditions had gone, in this order, and what became of them.
    afterwards: Vec<(&'static str, String)>,
}

/// A robot of one joint that follows every command, and somebody who begins runs and answers their asks.
struct World {
    law: Controller,
    state: State,
    now: Nanos,
    so: Conditions,
    ids: u64,
}

fn play(so: Conditions, from: From, policy: Policy) -> Story {
    let park_after_ns = if so.has(Condition::Deserted) { PARK_AFTER_NS } else { u64::MAX };
    let mut world = World::new(policy, park_after_ns);
    if so.has(Condition::JointOutside) {
        // Near its limit, where it can be outside without being far from its command.
        world.state.position[0] = 2.9;
    }
    world.tick(&[]);
    if from != From::Disarmed {
        world.tick(&[What::Arm]);
    }
    if from == From::Moving {
        world.tick(&[World::run(u64::MAX)]);
        for _ in 0..6 {
            world.tick(&[]);
        }
    }
    world.so = so;
    let mut modes = vec![(0, words::mode(&world.law.mode()))];
    for tick in 1..=TICKS {
        let mode = words::mode(&world.tick(&[]).0);
        if modes.last().is_none_or(|(_, last)| *last != mode) {
            modes.push((tick, mode));
        }
    }
    world.so = Conditions::NONE;
    for _ in 0..4 {
        world.tick(&[]);
    }
    let mut afterwards = Vec::new();
    let orders = [
        ("begin", World::run(u64::MAX)),
        ("arm", What::Arm),
        ("clear_fault", What::ClearFault),
        ("arm", What::Arm),
        ("begin", World::run(u64::MAX)),
    ];
    for (name, what) in orders {
        let (mode, refused) = world.tick(&[what]);
        let outcome = refused.map_or_else(
            || format!("accepted: {}", words::mode(&mode)),
            |why| format!("refused: {}", words::refusal(why, &["joint1".to_owned()])),
        );
        afterwards.push((name, outcome));
    }
    Story { modes, afterwards }
}

impl World {
    fn new(policy: Policy, park_after_ns: u64) -> Self {
        let limits = JointLimits {
            position_min: -3.0,
            position_max: 3.0,
            velocity_max: 2.0,
            acceleration_max: 8.0,
            jerk_max: 100.0,
            step_max: 0.5,
            divergence_max: 0.3,
            gripper: false,
        };
        let rules = Rules { policy, ..Rules::default() };
        let robot = Robot::build(PERIOD_S, &[limits], rules)
            .unwrap_or_else(|_| unreachable!("limits that make sense"))
            .attended(Attendance::Required, Rules::default().heartbeat_ns, park_after_ns);
        let law = Controller::new(robot);
        Self { law, state: State::blank(1), now: Nanos(1), so: Conditions::NONE, ids: 0 }
    }

    const fn run(ticks_max: u64) -> What {
        let plan = Plan { ticks_max, ..Plan::plain(HEAD, EXECUTE) };
        What::Begin(Run { id: RunId(1), plan, expires: Nanos(u64::MAX) })
    }

    /// One tick, in which the conditions are so; the mode at its end, and why the last order was refused.
    fn tick(&mut self, orders: &[What]) -> (Mode, Option<motion::Refusal>) {
        let so = self.so;
        let is = |condition| so.has(condition);
        let mut state = self.state;
        state.sampled_at = if is(Condition::StateStale) { Nanos(0) } else { self.now };
        state.engaged = !is(Condition::NotHeld);
        state.warm = is(Condition::Warm);
        state.health = match () {
            () if is(Condition::BackendLost) => Health::Lost,
            () if is(Condition::Hot) => Health::Unwell(Ailment::Hot { joint: 0 }),
            () if is(Condition::Unwell) => Health::Unwell(Ailment::Collided { joint: 0 }),
            () => Health::Good,
        };
        if is(Condition::StateBroken) {
            state.position[0] = f64::NAN;
        } else if is(Condition::Diverged) {
            state.position[0] += 0.5;
        } else if is(Condition::JointOutside) {
            state.position[0] = 3.05;
        }
        let away = is(Condition::Unattended) || is(Condition::Deserted);
        let mut list: Vec<Order> = Vec::new();
        for what in orders.iter().copied().chain((!away).then_some(What::Attend)) {
            self.ids += 1;
            list.push(Order { id: OrderId(self.ids), epoch: Epoch(u64::MAX), what });
        }
        if is(Condition::DecisionOver)
            && let Some(run) = self.law.mode().run()
        {
            self.ids += 1;
            list.push(Order {
                id: OrderId(self.ids),
                epoch: Epoch(u64::MAX),
                what: What::End(run),
            });
        }
        let replies = self.answer(&state);
        let (command, tick) = self.law.tick(&Inputs {
            now: self.now,
            state: &state,
            stop: is(Condition::EStop).then_some(StopSource(1)),
            early: false,
            outside: so.among(Conditions::OUTSIDE),
            orders: &list,
            replies: &replies,
            correction: None,
        });
        self.now = self.now.after(PERIOD_NS);
        self.state.position = *command.position();
        let refused = tick.events.as_slice().iter().find_map(|event| match event {
            Event::Refused(_, why) => Some(*why),
            _ => None,
        });
        (tick.mode, refused)
    }

    /// What a head would answer: on in one direction, by steps that the robot can follow; or what is wrong with it.
    fn answer(&mut self, state: &State) -> Vec<Reply> {
        let Some(ask) = self.law.ask(self.now, state) else { return Vec::new() };
        let so = self.so;
        if so.has(Condition::ChunkLate) || so.has(Condition::ChunkOld) {
            return Vec::new();
        }
        if so.has(Condition::InferenceFailed) {
            return vec![Reply::Nothing { run: ask.run, observed: ask.tick }];
        }
        let step = if so.has(Condition::RequestBroken) { 1.0 } else { 0.02 };
        self.ids += 1;
        let mut chunk = Chunk::empty(ChunkId(self.ids), ask.run, HEAD, ask.tick, 1);
        for k in 1..=2 * EXECUTE {
            let at = (ask.last_command[0] + f64::from(k) * step).min(2.98);
            let _ = chunk.push(&[at]);
        }
        vec![Reply::Chunk(chunk)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(so: Condition, from: From) -> &'static str {
        let story = play(Conditions::NONE.with(so), from, Policy::default());
        story.modes.last().expect("the first").1
    }

    /// What the table promises is what the law does.
    #[test]
    fn a_moving_robot_ends_as_the_table_says() {
        for rule in TABLE {
            let ends = last(rule.condition, From::Moving);
            let wanted: &[&str] = match (rule.condition, rule.action) {
                // Nothing to touch here; and a head that fails for three seconds is a run that has run dry.
                (Condition::Barred, _) => continue,
                (Condition::InferenceFailed | Condition::ChunkLate, _) => &["holding"],
                (_, Action::None | Action::Warn | Action::Slow) => &["moving"],
                (_, Action::Hold) => &["holding"],
                (Condition::EStop, _) => &["estopped"],
                (_, Action::Stop) => &["faulted"],
                (_, Action::Park) => &["disarmed"],
                (_, Action::Damp | Action::Cut) => unreachable!("nothing but an e-stop does"),
            };
            assert!(wanted.contains(&ends), "{}: {ends}", rule.name);
        }
    }

    #[test]
    fn what_was_latched_needs_clear_and_arm_and_what_was_not_a_new_run() {
        let story =
            play(Conditions::NONE.with(Condition::BackendLost), From::Moving, Policy::default());
        let told: Vec<bool> =
            story.afterwards.iter().map(|(_, outcome)| outcome.starts_with("accepted")).collect();
        assert_eq!(told, [false, false, true, true, true], "{:?}", story.afterwards);
        let story =
            play(Conditions::NONE.with(Condition::Unattended), From::Moving, Policy::default());
        assert!(story.afterwards[0].1.starts_with("accepted"), "{:?}", story.afterwards);
    }

    #[test]
    fn nobody_is_moved_who_was_not() {
        for rule in TABLE {
            let ends = last(rule.condition, From::Disarmed);
            assert!(["disarmed", "faulted", "estopped"].contains(&ends), "{}: {ends}", rule.name);
        }
    }
}
