//! Real zenoh sessions over the loopback interface, at the doors of a house that writes down what it is asked.

mod bad;
pub(crate) mod house;
mod limits;
mod signed;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use motion::{Ailment, Drive, Fault, Mode};
use reflexd::{
    operator::Command,
    router::Thing,
    wire::{EventMessage, Kind, Pose, TABLE, TimingMessage, Wire, WireError, WireSettings, docs},
};
use serde_json::{Value, json};
use zenoh::{Wait, sample::SourceInfo};

use house::{PATIENCE, Street, eventually, free_endpoint, present};

fn key(name: &str) -> String {
    format!("reflex/piper/{name}")
}

#[test]
fn docs_tell_of_this_daemon() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/zenoh.md");
    if std::env::var_os("REFLEX_WRITE_DOCS").is_some() {
        std::fs::write(path, docs()).expect("docs/zenoh.md can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == docs(),
        "docs/zenoh.md is out of date: REFLEX_WRITE_DOCS=1 cargo test --test it docs"
    );
}

#[test]
fn every_command_is_carried_out_whether_asked_or_put() {
    let street = Street::open();
    let stranger = street.stranger();
    for entry in TABLE.iter().filter(|entry| entry.kind == Kind::Command) {
        let (full, payload) = (key(entry.name), (entry.example)());
        let answer = stranger.ask(&full, payload.as_bytes());
        let accepted = entry.name != "cmd/clear_fault";
        assert_eq!(
            (&answer["accepted"], &answer["state_seq"]),
            (&json!(accepted), &json!(7)),
            "{full}"
        );
        stranger.put(&full, payload.as_bytes());
        eventually("the put arrives", || street.house.diary().commands.len() == 2);
        let done = std::mem::take(&mut street.house.diary().commands);
        assert_eq!(done[0], done[1], "both ways mean the same");
        assert_eq!(done[0].1, "ada");
    }
    assert!(street.house.diary().refused.is_empty());
}

#[test]
fn empty_payloads_are_commands_where_nothing_is_required() {
    let street = Street::open();
    let stranger = street.stranger();
    assert_eq!(stranger.ask_all(&key("cmd/arm"), None)[0]["accepted"], true);
    stranger.put(&key("cmd/home"), b"");
    eventually("both arrive", || street.house.diary().commands.len() == 2);
    assert_eq!(street.house.diary().commands[1], (Command::Home { speed: 1.0 }, "unknown".into()));
}

#[test]
fn decisions_are_answered_with_a_verdict() {
    let street = Street::open();
    let stranger = street.stranger();
    let example = TABLE.iter().find(|key| key.kind == Kind::Decision).expect("it is there").example;
    let answer = stranger.ask(&key("decision"), example().as_bytes());
    let want = json!({ "v": 1, "decision_id": "router-42", "verdict": "accepted", "reason": null, "run": 5,
                       "superseded_run": 4, "state_seq": null });
    assert_eq!(answer, want);
    let answer = stranger.ask(
        &key("decision"),
        example().replace(r#""skill":"pick_up""#, r#""skill":"fly""#).as_bytes(),
    );
    assert_eq!(
        (&answer["verdict"], &answer["reason"]),
        (&json!("refused"), &json!("no such skill"))
    );
    stranger.put(&key("decision"), example().as_bytes());
    eventually("the put arrives", || street.house.diary().decisions.len() == 3);
    assert_eq!(street.house.diary().decisions[2].1, "router");
}

#[test]
fn commands_are_begun_in_the_order_in_which_they_came() {
    let street = Street::open();
    let stranger = street.stranger();
    let verbs = ["arm", "goto", "hold", "disarm"];
    for _ in 0..5 {
        for verb in verbs {
            let payload: &[u8] = if verb == "goto" { br#"{"joints":{"joint1":0}}"# } else { b"" };
            stranger.put(&key(&format!("cmd/{verb}")), payload);
        }
        eventually("all arrive", || street.house.diary().commands.len() == verbs.len());
        let done = std::mem::take(&mut street.house.diary().commands);
        let order = done
            .iter()
            .map(|(command, _)| format!("{command:?}").to_lowercase())
            .collect::<Vec<_>>();
        for (verb, done) in verbs.iter().zip(&order) {
            assert!(done.starts_with(verb), "{order:?}");
        }
    }
}

#[test]
fn an_estop_waits_for_nobody() {
    let street = Street::open();
    let stranger = street.stranger();
    street.house.is_stuck.store(true, Ordering::Relaxed);
    for _ in 0..200 {
        stranger.put(&key("cmd/arm"), b"");
    }
    eventually("the room is full", || street.house.diary().commands.len() == 32);
    let busy = stranger.ask(&key("cmd/home"), b"");
    assert_eq!(busy["accepted"], false);
    assert!(busy["reason"].as_str().is_some_and(|reason| reason.starts_with("busy")), "{busy}");
    let begun = Instant::now();
    assert_eq!(stranger.ask(&key("cmd/estop"), br#"{"operator":"ada"}"#)["accepted"], true);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    stranger.put(&key("cmd/estop"), b"");
    eventually("the put latches", || street.house.diary().stops == ["ada", "unknown"]);
    let example = TABLE.iter().find(|key| key.kind == Kind::Decision).expect("it is there").example;
    assert_eq!(
        stranger.ask(&key("decision"), example().as_bytes())["verdict"],
        "accepted",
        "a room of its own"
    );
    assert_eq!(street.house.diary().commands.len(), 32, "not one more was begun");
    stranger.put(&key("cmd/hold"), b"");
    eventually("what calms finds room", || street.house.diary().commands.len() == 33);
}

#[test]
fn the_session_is_told_where_the_client_gives_it() {
    let street = Street::open();
    let stranger = street.stranger();
    let publisher = stranger.0.declare_publisher(key("cmd/arm")).wait().expect("a good key");
    let zid = stranger.0.zid().to_string();
    publisher
        .put(r#"{"operator":"ada"}"#)
        .source_info(SourceInfo::new(publisher.id(), 0))
        .wait()
        .expect("open");
    eventually("it arrives", || street.house.diary().commands.len() == 1);
    assert_eq!(street.house.diary().commands[0].1, format!("ada@{zid}"));
}

#[test]
fn who_comes_late_sees_the_present() {
    let street = Street::open();
    let early = street.stranger();
    let nothing = early.ask_all(&key("state/mode"), None);
    assert!(nothing[0]["error"].is_string(), "before the first tick there is none: {nothing:?}");

    let now = present(40, Mode::Holding);
    *street.house.present.lock().expect("no panic") = Some(Arc::new(now.clone()));
    let pose = Pose { position_m: [0.3, 0.0, 0.2], quaternion_xyzw: [0.0, 0.0, 0.0, 1.0] };
    street.service.publish_present(&now, Some(pose)).expect("open");
    street
        .service
        .publish_timing(&TimingMessage { ticks: 41, ..TimingMessage::default() })
        .expect("open");

    let late = street.stranger();
    let said = |name: &str| late.ask_all(&key(name), None).remove(0);
    assert_eq!(said("state/mode")["mode"], "holding");
    assert_eq!(said("state/mode")["seq"], 40);
    let joints = said("state/joints");
    assert_eq!(
        (&joints["names"], &joints["position_rad_or_m"]),
        (&json!(["joint1", "joint2"]), &json!([0.1, 0.2]))
    );
    assert_eq!(joints["limited_by"], json!([["velocity"], []]));
    assert_eq!(said("state/limits")["position_max_rad_or_m"], json!([1.0, 1.0]));
    assert_eq!(
        said("state/skill"),
        json!({ "v": 1, "seq": 40, "at_ns": 2_000_000_000, "running": null, "last": null })
    );
    assert_eq!(said("state/fault")["fault"], Value::Null);
    assert_eq!(said("state/tool")["position_m"], json!([0.3, 0.0, 0.2]));
    assert_eq!(said("diag/timing")["ticks"], 41);
    assert_eq!(said("info/version")["name"], "reflexd");
    assert!(said("info/config")["error"].is_string());
    // Nobody has said anything yet, nor who acts, shadows and records: `state/instruction`, `state/backend`, `state/shadow` and
    // `state/recorder` answer that.
    assert_eq!(late.ask_all(&key("state/*"), None).len(), 12, "all of it at once");
}

#[test]
fn what_keeps_a_robot_from_booting_is_told() {
    let street = Street::open();
    let ailment = Ailment::BeyondOwnLimits { joint: 1 };
    let mut now = present(3, Mode::Booting);
    now.tick.trouble = Some(Fault::Unwell(ailment));
    now.tick.drive = Drive::Off;
    now.tick.state.engaged = false;
    now.trouble = Some("joint2 is beyond".into());
    *street.house.present.lock().expect("no panic") = Some(Arc::new(now));
    let stranger = street.stranger();
    let said = |name: &str| stranger.ask_all(&key(name), None).remove(0);
    let fault = said("state/fault");
    assert_eq!(
        (&fault["fault"], &fault["joint"], &fault["why"], &fault["since_seq"]),
        (&json!(ailment.name()), &json!("joint2"), &json!("joint2 is beyond"), &Value::Null)
    );
    let mode = said("state/mode");
    assert_eq!((&mode["mode"], &mode["why"]), (&json!("booting"), &json!("joint2 is beyond")));
    let joints = said("state/joints");
    assert_eq!((&joints["driven"], &joints["engaged"]), (&json!(false), &json!(false)));
}

#[test]
fn what_does_not_change_is_told_once_a_second() {
    let street = Street::open();
    let stranger = street.stranger();
    let heard = stranger.0.declare_subscriber(key("state/*")).wait().expect("a good key");
    eventually("the subscription is known", || {
        street.service.publish_present(&present(0, Mode::Disarmed), None).expect("open");
        heard.try_recv().expect("open").is_some()
    });
    while heard.recv_timeout(Duration::from_millis(50)).expect("open").is_some() {}
    for seq in 1..=40 {
        let mode = if (30..35).contains(&seq) { Mode::Holding } else { Mode::Disarmed };
        street.service.publish_present(&present(seq, mode), None).expect("open");
        // Told in a burst, some would be dropped: a slow subscriber never holds up the daemon.
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut counts = BTreeMap::<String, u32>::new();
    while let Some(sample) = heard.recv_timeout(Duration::from_millis(500)).expect("open") {
        let name = sample.key_expr().as_str().rsplit('/').next().expect("a name").to_owned();
        assert!(
            sample.encoding().to_string().starts_with("application/json;schema=reflex."),
            "{name}"
        );
        *counts.entry(name).or_default() += 1;
    }
    // 20 ticks a second: what stays is told at 20 and 40; the mode at 20, and when it changed.
    let want = [
        ("chunk", 40),
        ("fault", 2),
        ("joints", 40),
        ("lease", 2),
        ("limits", 2),
        ("mode", 3),
        ("skill", 2),
    ];
    assert_eq!(counts, want.map(|(name, count)| (name.to_owned(), count)).into());
}

#[test]
fn events_frames_and_objects_are_told() {
    let street = Street::open();
    let stranger = street.stranger();
    let heard = stranger.0.declare_subscriber("reflex/piper/**").wait().expect("a good key");
    let event = EventMessage { who: "ada".into(), what: "arm".into(), ..EventMessage::default() };
    eventually("the subscription is known", || {
        street.service.publish_event("command", &event).expect("open");
        heard.try_recv().expect("open").is_some()
    });
    street.service.publish_camera("wrist", 5, &[0xff, 0xd8]).expect("open");
    let berry = Thing {
        name: "berry".into(),
        position_m: [0.3, 0.1, 0.02],
        radius_m: 0.018,
        is_berry: true,
    };
    street.service.publish_objects(&[berry], 5).expect("open");
    let mut seen = BTreeMap::new();
    while seen.len() < 2 {
        let sample = heard.recv_timeout(PATIENCE).expect("open").expect("in time");
        let name = sample.key_expr().as_str().trim_start_matches("reflex/piper/").to_owned();
        if name != "event/command" {
            seen.insert(name, sample);
        }
    }
    let frame = &seen["camera/wrist"];
    assert_eq!(frame.encoding().to_string(), "image/jpeg");
    assert_eq!(frame.attachment().expect("a time").to_bytes().as_ref(), br#"{"at_ns":5}"#);
    assert_eq!(frame.payload().to_bytes().as_ref(), [0xff, 0xd8]);
    let objects: Value =
        serde_json::from_slice(&seen["objects"].payload().to_bytes()).expect("JSON");
    let told = json!({ "name": "berry", "x": 0.3, "y": 0.1, "z": 0.02, "radius": 0.018, "is_berry": true });
    assert_eq!(objects["objects"], json!([told]));
    assert!(matches!(street.service.publish_camera("a/b", 5, &[]), Err(WireError::Name(_))));
    assert!(matches!(street.service.publish_event("*", &event), Err(WireError::Name(_))));
}

#[test]
fn presence_ends_with_the_service() {
    let street = Street::open();
    let stranger = street.stranger();
    let alive =
        || stranger.0.liveliness().get("reflex/*/alive").wait().expect("open").iter().count();
    assert_eq!(alive(), 1);
    street.service.close().expect("it was open");
    eventually("it is gone", || alive() == 0);
}

#[test]
fn a_taken_port_is_named_with_a_remedy() {
    let street = Street::open();
    let settings =
        WireSettings { listen: vec![street.endpoint.clone()], ..WireSettings::local("other") };
    let taken = Wire::open(&settings).expect_err("somebody is there");
    assert!(
        matches!(&taken, WireError::PortInUse { endpoint } if *endpoint == street.endpoint),
        "{taken}"
    );
    for (listen, connect) in [
        (vec!["smoke/signals".to_owned()], vec![]),
        (vec![free_endpoint()], vec!["tcp".to_owned()]),
    ] {
        let bad = listen.iter().chain(&connect).next_back().cloned().expect("one");
        let settings = WireSettings { listen, connect, ..WireSettings::local("piper") };
        let error = Wire::open(&settings).expect_err("no such endpoint").to_string();
        assert!(error.contains(&bad), "{error}");
    }
    assert!(matches!(Wire::open(&WireSettings::local("a/b")), Err(WireError::Name(_))));
}

#[test]
fn a_router_that_is_not_there_yet_keeps_nobody_from_starting() {
    let settings = WireSettings {
        listen: vec![free_endpoint()],
        connect: vec![free_endpoint()],
        ..WireSettings::local("piper")
    };
    let begun = Instant::now();
    Wire::open(&settings).expect("it is looked for in the background");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_wrong_kind_of_runtime_is_an_error_and_no_panic() {
    let settings = WireSettings { listen: vec![free_endpoint()], ..WireSettings::local("piper") };
    assert!(matches!(Wire::open(&settings), Err(WireError::NoRuntime)));
}

#[test]
fn heartbeats_are_heard_on_a_key_of_each_operator_and_nonsense_is_counted() {
    let street = Street::open();
    let stranger = street.stranger();
    let beat = |who: &str, payload: &str| {
        stranger.put(&key(&format!("heartbeat/{who}")), payload.as_bytes());
    };
    beat("ada", r#"{"lease_id":1,"seq":2}"#);
    eventually("the heartbeat arrives", || street.house.diary().beats.len() == 1);
    let heard = street.house.diary().beats[0].clone();
    assert_eq!(heard, ("ada".to_owned(), reflexd::wire::Beat { lease_id: 1, seq: 2 }));
    for bad in [r#"{"lease_id":1}"#, r#"{"lease_id":1,"seq":-1}"#, "x", r#"{"lease_id":9,"seq":3}"#]
    {
        beat("bob", bad);
    }
    // Told at 1, 2 and 4.
    eventually("the others are refused", || street.house.diary().refused.len() == 3);
    let refused = &street.house.diary().refused[0];
    assert_eq!((refused.0.as_str(), refused.1.as_str()), ("bob", "reflex/piper/heartbeat/bob"));
}
