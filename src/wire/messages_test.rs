use super::*;
use crate::wire::{Kind, TABLE, heard};

fn reason(verb: &str, payload: &str) -> String {
    command(verb, payload.as_bytes()).expect_err(payload).to_string()
}

fn decision_with(field: &str, value: &str) -> Result<Decision, BadMessage> {
    let example = TABLE.iter().find(|key| key.kind == Kind::Decision).expect("it is there").example;
    let mut message: serde_json::Value = serde_json::from_str(&example()).expect("an example");
    let value = serde_json::from_str(value).expect("a value");
    match field.split_once('.') {
        Some((outer, inner)) => message[outer][inner] = value,
        None => message[field] = value,
    }
    decision_message(message.to_string().as_bytes())
}

#[test]
fn the_examples_of_the_documentation_are_understood() {
    let sent = |kind: Kind| kind.is_in() || kind == Kind::Question;
    for key in TABLE.iter().filter(|key| sent(key.kind)) {
        let example = (key.example)();
        let understood = match key.name.strip_prefix("cmd/") {
            None if key.kind == Kind::Question => poses::ik(example.as_bytes()).map(|_| ()),
            Some("estop") => plain(example.as_bytes()).map(|_| ()),
            Some(verb) => command(verb, example.as_bytes()).map(|_| ()),
            None if key.name == "lease" => command("lease", example.as_bytes()).map(|_| ()),
            None if key.kind == Kind::Instruction => {
                heard::instruction(example.as_bytes()).map(|_| ())
            }
            None => decision_message(example.as_bytes()).map(|_| ()),
        };
        assert_eq!(understood, Ok(()), "{}", key.name);
    }
}

#[test]
fn nothing_said_means_the_defaults() {
    for empty in ["", " \n", "{}", r#"{"v":1}"#, r#"{"operator":null}"#] {
        assert_eq!(command("arm", empty.as_bytes()), Ok(Command::Arm), "{empty:?}");
        assert_eq!(command("home", empty.as_bytes()), Ok(Command::Home { speed: 1.0 }));
        assert!(command("goto", empty.as_bytes()).is_err(), "it needs joints");
        assert!(command("skill", empty.as_bytes()).is_err(), "it needs a name");
        assert!(decision_message(empty.as_bytes()).is_err(), "it needs nearly everything");
    }
    let skill =
        command("skill", br#"{"name":"reach","params":{"target_x":1,"target_y":2,"target_z":3}}"#);
    let Ok(Command::Skill { params, .. }) = skill else { panic!("{skill:?}") };
    assert_eq!((params.radius, params.speed_hint, params.object_is_berry), (0.018, 1.0, true));
}

#[test]
fn nobody_drops_an_arm_without_saying_so() {
    assert_eq!(command("release", br#"{"arm_may_fall":true}"#), Ok(Command::Release));
    for (payload, said) in
        [("", "absent"), ("{}", "absent"), (r#"{"arm_may_fall":false}"#, "false")]
    {
        let told = reason("release", payload);
        assert!(told.starts_with(&format!("arm_may_fall = {said}: must be true")), "{told}");
    }
    for payload in [r#"{"arm_may_fall":1}"#, r#"{"arm_may_fall":"true"}"#, "true", "[true]"] {
        assert!(command("release", payload.as_bytes()).is_err(), "{payload}");
    }
    assert!(reason("release", r#"{"arm_may_fall":true,"force":true}"#).contains("unknown field"));
}

#[test]
fn a_later_version_is_refused_for_what_it_is() {
    assert_eq!(reason("arm", r#"{"v":2,"gentleness":1}"#), "v is 2; this daemon understands v = 1");
    assert!(reason("arm", r#"{"v":"1"}"#).starts_with("v is"));
    assert!(reason("arm", r#"{"v":1,"v":1}"#).contains("duplicate field"));
    assert!(
        decision_with("v", "2").expect_err("of another time").to_string().starts_with("v is 2")
    );
}

#[test]
fn what_is_meant_twice_is_not_understood() {
    let twice = r#"{"joints":{"joint1":0.1,"joint1":2.0}}"#;
    assert!(reason("goto", twice).contains(r#"joint "joint1" stands twice"#));
    let both = decision_with("observed_at_ns", "5").expect_err("both are given");
    assert!(both.to_string().starts_with("observed_tick"));
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    for speed in ["0", "-1", "1.01"] {
        assert!(
            reason("home", &format!(r#"{{"speed":{speed}}}"#)).starts_with("speed = "),
            "{speed}"
        );
    }
    for (field, value) in [
        ("confidence", "1.5"),
        ("confidence", "-0.1"),
        ("ttl_ms", "0"),
        ("ttl_ms", "600001"),
        ("decision_id", r#""""#),
        ("skill", r#""a\nb""#),
        ("source", r#""""#),
        ("neural_skill", r#""""#),
        ("params.radius", "0"),
        ("params.speed_hint", "0"),
        ("params.speed_hint", "2"),
    ] {
        let bad = decision_with(field, value).expect_err(field).to_string();
        assert!(bad.starts_with(field.rsplit('.').next().expect("a name")), "{bad}");
    }
    let long = format!("\"{}\"", "x".repeat(129));
    assert!(decision_with("decision_id", &long).is_err());
    assert!(decision_with("decision_id", &format!("\"{}\"", "é".repeat(128))).is_ok());
}

#[test]
fn reasons_are_short_and_in_one_line() {
    let flood = format!(r#"{{"{}":1}}"#, "x\\n".repeat(10_000));
    let told = reason("arm", &flood);
    assert!(told.chars().count() < 300 && !told.contains('\n'), "{told}");
}

#[test]
fn leases_and_heartbeats_are_read_strictly() {
    let lease = |payload: &str| command("lease", payload.as_bytes());
    let acquire = |ttl_ms, takeover| {
        Ok(Command::Lease(crate::operator::LeaseAct::Acquire { ttl_ms, takeover }))
    };
    assert_eq!(lease(r#"{"act":"acquire"}"#), acquire(None, false));
    assert_eq!(
        lease(r#"{"act":"acquire","ttl_ms":1000,"takeover":true}"#),
        acquire(Some(1000), true)
    );
    for bad in [
        "",
        r#"{"act":"steal"}"#,
        r#"{"act":"acquire","ttl_ms":999}"#,
        r#"{"act":"acquire","ttl_ms":60001}"#,
        r#"{"act":"acquire","ttl_ms":-1}"#,
        r#"{"act":"release","takeover":true}"#,
        r#"{"act":"renew","ttl_ms":2000}"#,
        r#"{"act":"acquire","holder":"bob"}"#,
    ] {
        assert!(lease(bad).is_err(), "{bad}");
    }
    let beat = |payload: &str| super::super::lease::beat(payload.as_bytes());
    assert_eq!(
        beat(r#"{"v":1,"lease_id":3,"seq":9}"#),
        Ok(super::super::Beat { lease_id: 3, seq: 9 })
    );
    for bad in
        ["", r#"{"lease_id":3}"#, r#"{"lease_id":3,"seq":1.5}"#, r#"{"v":2,"lease_id":3,"seq":1}"#]
    {
        assert!(beat(bad).is_err(), "{bad}");
    }
}
