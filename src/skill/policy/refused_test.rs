//! A head whose answer is no action, in the middle of a run: the loop goes on, brakes and holds, and the reason is told.

use std::{sync::mpsc, time::Duration};

use motion::{
    Controller, Ending, Epoch, Event, JointLimits, Joints, Mode, Nanos, Order, OrderId, Robot,
    Rules, Run, RunId, What,
};
use reflex::{Clock, Loop, backend::loopback::Loopback, ports};

use super::*;
use crate::{
    action::Body,
    head::jukebox_test::{self as jukebox, Rows},
    inference::{self, Engine},
    skill::{Assignment, think},
};

const PERIOD_S: f64 = 0.05;
const RUN: RunId = RunId(1);

fn limits() -> JointLimits {
    JointLimits {
        position_min: -3.0,
        position_max: 3.0,
        velocity_max: 3.0,
        acceleration_max: 8.0,
        jerk_max: 200.0,
        step_max: 0.5,
        divergence_max: 0.5,
        gripper: false,
    }
}

/// A head of one joint that moves it by 0.05 a step until it is measured beyond 1, and then answers 512 once in a row.
fn head(folder: &std::path::Path) -> Head {
    let output = "[output.tokens]\ncodec = \"mint_uniform\"\n\n[[output.columns]]\n\
        representation = \"joint_delta\"\njoints = [\"a\"]\nrelative_to = \"commanded\"\n\
        steps = \"cumulative\"\n\n[output.columns.normalised]\nmethod = \"range\"\nmin = [-0.1]\nmax = [0.1]";
    let rows = Rows::Tokens(vec![vec![384; 4], vec![384, 384, 512, 384]]);
    let seen = "name = \"joint_position\"\njoints = [\"a\"]";
    let golden = [vec![vec![0.05]; 4]];
    let path = jukebox::write(folder, seen, (&rows, &[1, 4, 1]), output, &golden);
    let joints = vec!["a".to_owned()];
    let body = Body { name: "toy".into(), joints, limits: vec![limits()], arms: Vec::new() };
    let library = inference::find_library().expect("run `make setup` first");
    let engine = Engine::start(&library).expect("the engine starts");
    Head::load(&path, &body, engine).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_token_that_is_no_action_ends_in_a_hold_and_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let head = Arc::new(Mutex::new(head(folder.path())));
    let policy = Policy::new(head, Params::default(), 10_000);
    let plan = policy.plan();
    let (ports, mut commander, thinker, mut listener, switch) = ports();
    let law = Controller::new(
        Robot::build(PERIOD_S, &[limits()], Rules::default()).expect("limits that make sense"),
    );
    let start = Joints::from_slice(&[0.0]).expect("one joint");
    let body = Box::new(Loopback::new(start, PERIOD_S));
    let mut turns = Loop::new(Clock::lockstep(), body, law, ports);
    let (sender, assignments) = mpsc::channel();
    sender.send(Assignment { run: RUN, skill: Box::new(policy) }).expect("it is taken");

    let (mut told, mut ending, mut last, mut fastest) = (Vec::new(), None, None, 0.0_f64);
    std::thread::scope(|scope| {
        let (failures, failed) = mpsc::channel();
        scope.spawn(move || {
            think(thinker, &assignments, |failure| {
                let _ = failures.send(failure.reason);
            });
        });
        turns.turn();
        let run = Run { id: RUN, plan, expires: Nanos(u64::MAX) };
        for (id, what) in [(1, What::Arm), (2, What::Begin(run))] {
            assert!(commander.send(Order { id: OrderId(id), epoch: Epoch(u64::MAX), what }));
            turns.turn();
        }
        let mut before = None;
        for _ in 0..200 {
            turns.turn();
            while let Some(report) = listener.next(Duration::ZERO) {
                let applied = report.tick.applied[0];
                fastest = fastest.max(before.map_or(0.0, |before: f64| (applied - before).abs()));
                before = Some(applied);
                for event in report.tick.events.as_slice() {
                    if let Event::Ended { ending: how, .. } = event {
                        ending = Some(*how);
                    }
                }
                last = Some(report.tick);
            }
        }
        switch.quit();
        told.extend(failed.try_iter());
    });

    let last = last.expect("the loop tells");
    assert_eq!(ending, Some(Ending::RanDry));
    assert_eq!(last.mode, Mode::Holding);
    // It was moving when the answer failed, and stands now, where it could brake to.
    let at = last.state.position[0];
    assert!((1.0..2.0).contains(&at), "it stands at {at}");
    assert!(fastest > 0.04 && fastest < limits().velocity_max * PERIOD_S, "{fastest} in a tick");
    let first = told.first().expect("it is told");
    for word in ["jukebox.toml", "output.tokens", "token 2 is 512", "not followed"] {
        assert!(first.contains(word), "no `{word}` in: {first}");
    }
}
