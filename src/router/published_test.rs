//! Judged by cases of the published system, which stand beside the checkout.

use serde_json::Value;

use super::*;
use crate::router::SKILLS;

fn six(params: &Value) -> [f64; 6] {
    crate::observation::Params::NAMES.map(|name| params[name].as_f64().expect("a number"))
}

fn seen(object: &Value) -> Seen {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let kinds = object["affordances"].as_array().into_iter().flatten().filter_map(text);
    let kinds = text(&object["kind"]).into_iter().chain(kinds).collect();
    let number = |value: &Value| value.as_f64().expect("a number");
    let at = &object["position"];
    let position_m = match at {
        Value::Array(at) => [number(&at[0]), number(&at[1]), number(&at[2])],
        // Such a scene has its y upwards.
        Value::Object(at) => [number(&at["x"]), number(&at["z"]), number(&at["y"])],
        _ => ["x", "y", "z"].map(|axis| number(&object[axis])),
    };
    Seen { kinds, position_m }
}

#[test]
fn the_rules_are_those_that_were_published() {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/actions/vectors/fireboy_stabilizer.json");
    let Ok(text) = std::fs::read_to_string(file) else { return };
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    let cases = vectors["cases"].as_array().expect("cases");
    assert!(cases.len() >= 20, "{} cases", cases.len());
    for case in cases {
        let (id, request) = (&case["id"], &case["request"]);
        let command = request["command"].as_str().expect("a command");
        let target = request["target"].as_array().map(|at| {
            let [x, y, z] = [&at[0], &at[1], &at[2]].map(|v| v.as_f64().expect("a number"));
            [x, y, z]
        });
        let things: Vec<Seen> =
            request["scene"]["objects"].as_array().into_iter().flatten().map(seen).collect();
        let raw = six(&case["raw_params"]);
        assert_eq!(bounded(raw), six(&case["bounded"]), "{id}: bounded");
        let route = route(command, target, &things);
        assert_eq!(SKILLS[route.skill], case["heuristic"]["skill"], "{id}: route");
        assert_eq!(route.params, six(&case["heuristic"]["params"]), "{id}: route");
        let is_explicit = target.is_some() || !things.is_empty();
        assert_eq!(copied(raw, &route, is_explicit), six(&case["params"]), "{id}: params");
        let neural = SKILLS.iter().position(|skill| case["neural_skill"] == *skill).expect("known");
        let force = request["force_neural_skill"].as_bool().unwrap_or_default();
        let served = served_skill(neural, &route, command, force);
        assert_eq!(SKILLS[served], case["skill"], "{id}: skill");
    }
}

#[test]
fn words_are_whole() {
    let route = route("great, a forgotten sitter", None, &[]);
    assert_eq!(served_skill(2, &route, "great, a forgotten sitter", false), 2);
}
