//! A soak of a few seconds: that it runs, and tells what it should. What it measures is no matter of a test.

use serde_json::Value;

use crate::daemon::run;

#[test]
fn a_short_soak_goes_well_and_tells_every_figure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().display().to_string();
    let told = run(&["soak", "--minutes", "0.2", "--no-stress", "--json", "--out", &out]);
    let text = String::from_utf8_lossy(&told.stdout);
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&told.stderr)));
    assert_eq!((told.status.code(), &report["wrong"]), (Some(0), &serde_json::json!([])));
    assert!(report["people"]["begun"].as_u64() > Some(0), "{report}");
    assert!(report["figures"]["estops_measured"].as_u64() >= Some(20), "{report}");
    assert!(report["timing"]["ticks"].as_u64() > Some(200), "{report}");
    let ticks = |name: &str| -> u64 {
        let counts = report["timing"][name]["counts_below_2_4_8_us"].as_array();
        counts.into_iter().flatten().filter_map(Value::as_u64).sum()
    };
    assert_eq!(Some(ticks("execution")), report["timing"]["ticks"].as_u64());
    let bounds = report["bounds"].as_array().expect("a list");
    assert_eq!(bounds.len(), 5, "{bounds:?}");
    let written = std::fs::read_to_string(folder.path().join("report.json")).expect("a report");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), report);
}

#[test]
fn a_physical_robot_is_not_soaked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("daemon.toml");
    let robot = crate::rig::here("config/robots/piper.toml").display().to_string();
    std::fs::write(&file, format!("robot = {robot:?}\nbackend = \"piper\"\n")).expect("ours");
    let told = run(&["soak", "--config", &file.display().to_string()]);
    assert_eq!(told.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&told.stderr).contains("wants a simulated robot"), "{told:?}");
}
