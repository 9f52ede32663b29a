//! What nobody should send. Nothing of it may move the robot, and all of it is answered, counted and told.

use reflexd::wire::{Key, Kind, MESSAGE_BYTES_MAX, TABLE};
use serde_json::Value;
use zenoh::Wait;

use super::{
    house::{Street, eventually},
    key,
};

/// Payloads that no key understands, and a part of the reason that each is refused with.
fn bad() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let of = |name, payload: &str, why| (name, payload.as_bytes().to_vec(), why);
    vec![
        of("malformed", r#"{"operator":"#, "EOF"),
        of("trailing", "{} {}", "trailing"),
        of("not an object", "[1,2,3]", ""),
        of("a word", "now", "expected"),
        of("NaN", r#"{"speed":NaN,"joints":{"joint1":NaN}}"#, ""),
        of("1e999", r#"{"speed":1e999}"#, ""),
        of("infinite joint", r#"{"joints":{"joint1":1e999}}"#, ""),
        of("unknown field", r#"{"operator":"mallory","sudo":true}"#, "unknown field `sudo`"),
        of("wrong version", r#"{"v":2}"#, "v is 2"),
        of("wrong type", r#"{"operator":{"name":"mallory"},"v":1}"#, "invalid type"),
        of("two values", r#"{"operator":"a","operator":"b"}"#, ""),
        of("prototype", r#"{"__proto__":{"accepted":true}}"#, "unknown field"),
        ("not UTF-8", b"{\"operator\":\"\xff\xfe\"}".to_vec(), "not UTF-8 from byte 13"),
        ("nul bytes", vec![0; 64], "expected value"),
        ("a picture", vec![0xff, 0xd8, 0xff, 0xe0], "not UTF-8"),
        ("deep nesting", format!("{{\"operator\":{}", "[".repeat(60_000)).into_bytes(), ""),
        ("deep and valid", deep().into_bytes(), ""),
        ("one byte too long", vec![b' '; MESSAGE_BYTES_MAX + 1], "at most 65536 are read"),
        ("oversized", vec![b'{'; 3 << 20], "at most 65536 are read"),
    ]
}

fn deep() -> String {
    format!("{{\"x\":{}1{}}}", "[".repeat(5000), "]".repeat(5000))
}

#[test]
fn bad_messages_move_nothing_and_are_answered() {
    let street = Street::open();
    let stranger = street.stranger();
    let mut count = 0;
    let asked =
        |kind| matches!(kind, Kind::Command | Kind::Decision | Kind::Instruction | Kind::Question);
    for entry in TABLE.iter().filter(|entry| asked(entry.kind)) {
        let full = key(entry.name);
        for (name, payload, why) in bad() {
            let answer = stranger.ask(&full, &payload);
            let refused = answer["accepted"] == false || answer["verdict"] == "refused";
            let reason = answer["reason"].as_str().expect("a reason");
            assert!(refused && !reason.is_empty(), "{full}, {name}: {answer}");
            // Where other fields are missing as well, any one of the complaints is right.
            let complains = reason.contains(why)
                || reason.contains("missing field")
                || reason.contains("unknown field");
            assert!(complains, "{full}, {name}: {reason}");
            count += 1;
            assert_eq!(street.house.diary().refused.len(), count, "{full}, {name}: counted once");
            if entry.kind == Kind::Question {
                // Nobody can put a question: there would be no answer.
                continue;
            }
            stranger.put(&full, &payload);
            count += 1;
            eventually(name, || street.house.diary().refused.len() == count);
            let diary = street.house.diary();
            assert!(
                diary.refused[count - 2..]
                    .iter()
                    .all(|(_, key, told)| *key == full && told == reason)
            );
        }
    }
    let diary = street.house.diary();
    assert!(diary.commands.is_empty() && diary.decisions.is_empty() && diary.stops.is_empty());
    assert!(diary.heard.is_empty());
    assert!(
        diary.refused.iter().any(|(who, ..)| who == "mallory"),
        "the sender is told where the payload says it"
    );
}

#[test]
fn an_estop_latches_whatever_it_says() {
    let street = Street::open();
    let stranger = street.stranger();
    let full = key("cmd/estop");
    for (k, (name, payload, why)) in bad().into_iter().enumerate() {
        let answer = stranger.ask(&full, &payload);
        assert_eq!(answer["accepted"], true, "{name}: {answer}");
        let reason = answer["reason"].as_str().expect("the complaint is told");
        assert!(reason.starts_with("the stop holds") && reason.contains(why), "{name}: {reason}");
        stranger.put(&full, &payload);
        eventually(name, || street.house.diary().refused.len() == 2 * (k + 1));
        assert_eq!(street.house.diary().stops.len(), 2 * (k + 1), "{name}");
    }
    stranger.0.delete(&full).wait().expect("open");
    eventually("even a delete", || street.house.diary().stops.len() == 2 * bad().len() + 1);
    assert_eq!(stranger.ask("reflex/*/cmd/estop", b"")["accepted"], true, "all robots at once");
}

#[test]
fn looking_around_commands_nothing() {
    let street = Street::open();
    let stranger = street.stranger();
    let answers = stranger.ask_all("reflex/**", None);
    let accepted = |answer: &Value| answer["accepted"] == true || answer["verdict"] == "accepted";
    assert!(!answers.is_empty() && !answers.iter().any(accepted), "{answers:?}");
    stranger.put("reflex/*/cmd/arm", b"");
    stranger.0.delete(key("cmd/arm")).wait().expect("open");
    let answer = stranger.ask(&format!("{}?speed=0.1", key("cmd/home")), b"");
    assert!(
        answer["reason"].as_str().is_some_and(|reason| reason.contains("selector")),
        "{answer}"
    );
    // Every key of the first, and one each.
    let is_asked = |key: &&Key| key.kind.is_in() || key.kind == Kind::Question;
    let keys = TABLE.iter().filter(is_asked).count();
    eventually("all are counted", || street.house.diary().refused.len() == keys + 3);
    let diary = street.house.diary();
    assert!(
        diary.commands.is_empty() && diary.decisions.is_empty() && diary.stops.is_empty(),
        "{diary:?}"
    );
}
