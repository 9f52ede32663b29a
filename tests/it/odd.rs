//! What a head has not learnt from is told of while it runs, to whoever looks: the run's own state, the audit trail, the count.

use std::fs;

use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, PATIENCE},
    starts::Tree,
};

const REGISTRY: &str = "models/policy_registry.json";

/// The shipped `walk_to` sees targets up to 0.12 m above the table as within five deviations of its data; here it is allowed
/// to be sent to 0.3 m.
#[test]
fn a_target_far_from_the_data_is_followed_and_told_of() {
    let tree = Tree::copy();
    let file = tree.path(REGISTRY);
    let text = fs::read_to_string(&file).expect("shipped");
    let mut registry: Value = serde_json::from_str(&text).expect("JSON");
    registry["skills"]["walk_to"]["robots"]["piper"]["bounds"]["target_z_m"] = json!([0.0, 0.5]);
    fs::write(&file, registry.to_string()).expect("a file");
    let Tree(folder) = tree;
    let config = folder.path().join("config/daemon.toml");
    let daemon = Daemon::start_with(&config, folder);
    daemon.arm();
    let go = |z: f64| {
        let params = json!({ "target_x": 0.35, "target_y": 0.0, "target_z": z, "speed_hint": 0.8 });
        daemon
            .must("cmd/skill", &json!({ "name": "walk_to", "params": params, "operator": "test" }));
    };
    go(0.02);
    let said = daemon.wait_for("state/skill", |said| !said["running"].is_null());
    assert_eq!(said["running"]["out_of_distribution"], Value::Null, "{said}");
    daemon.wait_for("state/chunk", |said| said["source"] == "chunk");
    assert_eq!(daemon.says("diag/timing")["out_of_distribution"], 0);

    let events = daemon.watch("event/run");
    go(0.3);
    let said = daemon.wait_for("state/skill", |said| {
        said["running"]["out_of_distribution"]["asks"].as_u64() > Some(1)
    });
    let odd = &said["running"]["out_of_distribution"];
    assert_eq!(
        (&odd["numbers"], &odd["input"]),
        (&json!(1), &json!("decision.target_z")),
        "{said}"
    );
    daemon.wait_for("diag/timing", |said| said["out_of_distribution"].as_u64() > Some(1));
    let told = loop {
        let (_, said) = events.next(PATIENCE).expect("it is told");
        if said["outcome"] == "out_of_distribution" {
            break said;
        }
    };
    let why = told["reason"].as_str().unwrap_or_default();
    assert!(why.contains("decision.target_z") && why.contains("clip"), "{told}");
}
