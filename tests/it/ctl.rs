//! reflexctl as a process: what it prints, and how it ends.

use std::{
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use motion::Mode;
use reflexd::{
    operator,
    wire::{EventMessage, TimingMessage},
};
use serde_json::Value;

use crate::wire::house::{Street, eventually, free_endpoint, present};

fn reflexctl(endpoint: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reflexctl"))
        .args(["--connect", endpoint, "--operator", "ada", "--timeout-ms", "5000"])
        .args(args)
        .output()
        .expect("reflexctl was built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn commands_are_accepted_with_0_and_refused_with_1() {
    let street = Street::open();
    for args in [
        &["arm"][..],
        &["hold"],
        &["disarm"],
        &["release", "--arm-may-fall"],
        &["home", "--speed", "0.5"],
        &["goto", "--joint", "joint1=-0.2"],
        &["skill", "reach", "--target", "0.3,0,0.2"],
    ] {
        let done = reflexctl(&street.endpoint, args);
        assert_eq!(done.status.code(), Some(0), "{args:?}: {done:?}");
        assert_eq!(text(&done.stdout), "accepted\n", "{args:?}");
    }
    assert_eq!(street.house.diary().commands.len(), 7);
    assert!(street.house.diary().commands.iter().all(|(_, who)| who == "ada"));
    let refused = reflexctl(&street.endpoint, &["clear-fault"]);
    assert_eq!(
        (refused.status.code(), text(&refused.stderr).as_str()),
        (Some(1), "refused: there is nothing to clear\n")
    );
    let refused = reflexctl(&street.endpoint, &["home", "--speed", "7", "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!(answer["reason"], "speed = 7: must be in (0, 1]");
    assert_eq!(reflexctl(&street.endpoint, &["estop"]).status.code(), Some(0));
    assert_eq!(street.house.diary().stops, ["ada"]);
}

#[test]
fn joints_in_order_are_sent_by_name() {
    let street = Street::open();
    *street.house.present.lock().expect("no panic") = Some(Arc::new(present(1, Mode::Holding)));
    assert_eq!(
        reflexctl(&street.endpoint, &["goto", "--joints", "-0.5,0.25"]).status.code(),
        Some(0)
    );
    let joints = [("joint1".to_owned(), -0.5), ("joint2".to_owned(), 0.25)].into();
    let goal = operator::Goal::Joints(joints);
    assert_eq!(street.house.diary().commands[0].0, operator::Command::Goto { goal, speed: 1.0 });
    let short = reflexctl(&street.endpoint, &["goto", "--joints", "1"]);
    assert_eq!(short.status.code(), Some(2));
    assert!(text(&short.stderr).contains("the robot has 2 joints: joint1, joint2"), "{short:?}");
}

#[test]
fn decisions_are_made() {
    let street = Street::open();
    let done = reflexctl(
        &street.endpoint,
        &["decide", "pick_up", "--target", "0.3,0.1,0.02", "--id", "d1"],
    );
    assert_eq!(
        (done.status.code(), text(&done.stdout).as_str()),
        (Some(0), "accepted, run 5 (took over from run 4)\n")
    );
    assert_eq!(street.house.diary().decisions[0].0.decision_id, "d1");
    let refused =
        reflexctl(&street.endpoint, &["decide", "fly", "--target", "-0.3,0.1,0.02", "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!(
        (&answer["verdict"], &answer["reason"]),
        (&"refused".into(), &"no such skill".into())
    );
}

#[test]
fn status_shows_the_present() {
    let street = Street::open();
    *street.house.present.lock().expect("no panic") = Some(Arc::new(present(40, Mode::Holding)));
    street
        .service
        .publish_timing(&TimingMessage { ticks: 41, ..TimingMessage::default() })
        .expect("open");
    let shown = text(&reflexctl(&street.endpoint, &["status"]).stdout);
    for part in ["mode    holding, tick 40", "joint2", "+0.2000", "velocity", "41 ticks"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let state: Value =
        serde_json::from_slice(&reflexctl(&street.endpoint, &["status", "--json"]).stdout)
            .expect("JSON");
    assert_eq!(
        (&state["state/mode"]["mode"], &state["diag/timing"]["ticks"]),
        (&"holding".into(), &41.into())
    );
    let version = reflexctl(&street.endpoint, &["version", "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&version.stdout).expect("JSON")["name"], "reflexd");
    let unknown = reflexctl(&street.endpoint, &["info", "registry"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
}

#[test]
fn watch_and_events_go_by_line_by_line() {
    let street = Street::open();
    let event = EventMessage {
        who: "ada".into(),
        what: "arm".into(),
        outcome: "accepted".into(),
        ..EventMessage::default()
    };
    let lines = |args: &'static [&'static str]| {
        let endpoint = street.endpoint.clone();
        let watching = std::thread::spawn(move || reflexctl(&endpoint, args));
        eventually("reflexctl has seen enough", || {
            street.service.publish_present(&present(1, Mode::Holding), None).expect("open");
            street.service.publish_event("command", &event).expect("open");
            watching.is_finished()
        });
        let done = watching.join().expect("no panic");
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        text(&done.stdout)
    };
    let watched = lines(&["watch", "--count", "3"]);
    assert_eq!(watched.lines().count(), 3);
    assert!(
        watched.lines().all(|line| line.contains("holding") && line.contains("limited: joint1")),
        "{watched}"
    );
    let events = lines(&["events", "--count", "1"]);
    assert_eq!(events, "0.000 s  command  ada  arm  accepted\n");
    let json = lines(&["watch", "--count", "1", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&json).expect("JSON")["mode"], "holding");
}

#[test]
fn nonsense_ends_with_2_and_help_with_0() {
    let nowhere = free_endpoint();
    for args in [
        &["fly"][..],
        &["goto"],
        &["decide", "pick_up"],
        &["--robot", "a/b", "arm"],
        &["decide", "x", "--target", "1,nan,2"],
    ] {
        assert_eq!(reflexctl(&nowhere, args).status.code(), Some(2), "{args:?}");
    }
    let dropped = reflexctl(&nowhere, &["release"]);
    assert_eq!(dropped.status.code(), Some(2), "nobody is even asked");
    assert!(text(&dropped.stderr).contains("without power falls"), "{dropped:?}");
    let help = reflexctl(&nowhere, &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("reflexctl decide pick_up --target 0.3,0.1,0.02"));
}

#[test]
fn nobody_there_ends_with_3_at_once_and_says_what_to_do() {
    let nowhere = free_endpoint();
    let begun = Instant::now();
    let failed = reflexctl(&nowhere, &["estop"]);
    assert_eq!(failed.status.code(), Some(3));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let told = text(&failed.stderr);
    for part in [nowhere.as_str(), "make run", "NOT CONFIRMED"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn another_robots_daemon_ends_with_3_and_is_named() {
    let street = Street::open();
    let failed = reflexctl(&street.endpoint, &["--robot", "fireboy", "status"]);
    assert_eq!(failed.status.code(), Some(3));
    assert!(text(&failed.stderr).contains("robots to be seen there: piper"), "{failed:?}");
    assert!(street.house.diary().refused.is_empty());
}
