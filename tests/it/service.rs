//! reflexd as a service: what systemd is told and tells, how it ends, and what its unit promises.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use reflexd::cli::Exit;
use serde_json::{Value, json};

use crate::{
    daemon::{Body, Daemon, PATIENCE, written_config, written_config_of},
    rig::here,
};

const UNIT: &str = "systemd/reflexd.service";
/// `systemd-analyze security` may find at most this, in tenths.
const EXPOSURE_MAX: &str = "30";
/// From SIGTERM to the end of the process, however fast the robot was.
const END_WITHIN: Duration = Duration::from_secs(2);
/// Set-points of a robot that adopted a pose are this near to what was measured, rad or m.
const ADOPTED: f64 = 0.02;

/// What the unit says of a key, in the order in which it says it.
fn said(key: &str) -> Vec<String> {
    let unit = fs::read_to_string(here(UNIT)).expect("shipped");
    let lines = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines.map(str::to_owned).collect()
}

/// Runs `systemd-analyze` on the shipped units, of which the program is the one that was built; `None` without the tool.
fn analyze(args: &[&str], units: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new("systemd-analyze");
    command.args(args);
    for unit in units {
        let text = fs::read_to_string(here("systemd").join(unit)).expect("shipped");
        let text = text.replace("/usr/bin/reflexd", env!("CARGO_BIN_EXE_reflexd"));
        let file = folder.path().join(unit);
        fs::write(&file, text).expect("a temporary file");
        command.arg(file);
    }
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: systemd-analyze: {error}. Remedy: apt-get install systemd");
            None
        }
    }
}

#[test]
fn the_units_are_what_systemd_understands() {
    let Some(output) = analyze(&["verify"], &["reflexd.service", "reflexd.slice"]) else { return };
    let told = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("reflexd")).collect();
    assert!(ours.is_empty(), "{told}");
}

#[test]
fn the_unit_is_shut_in() {
    let args = ["security", "--offline=true", "--threshold", EXPOSURE_MAX];
    let Some(output) = analyze(&args, &["reflexd.service"]) else { return };
    let told = String::from_utf8_lossy(&output.stdout);
    if !told.contains("exposure level") {
        eprintln!("skipped: this systemd-analyze knows no --offline: {output:?}");
        return;
    }
    assert!(output.status.success(), "{told}");
}

#[test]
fn the_unit_knows_the_exit_codes_that_starting_again_does_not_mend() {
    let codes = said("RestartPreventExitStatus");
    assert_eq!(codes, [format!("{} {}", Exit::Usage as u8, Exit::Config as u8)]);
    assert_eq!(said("Restart"), ["on-failure"]);
    assert_eq!(said("Type"), ["notify"]);
}

#[test]
fn the_unit_lets_the_loop_have_what_the_shipped_configuration_asks_for() {
    let settings = reflexd::config::Settings::load(&here("config/daemon.toml")).expect("shipped");
    let limit: i32 = said("LimitRTPRIO")[0].parse().expect("a number");
    assert!(settings.daemon.loop_.fifo_priority.is_none_or(|asked| asked <= limit));
    assert_eq!(said("LimitMEMLOCK"), ["infinity"]);
    assert_eq!(said("RestrictRealtime"), ["no"]);
    assert!(said("CPUQuota").is_empty(), "a loop that is throttled is late");
}

#[test]
fn service_md_has_every_exit_code_and_every_key_of_the_unit() {
    let page = fs::read_to_string(here("docs/service.md")).expect("shipped");
    let source = fs::read_to_string(here("src/cli.rs")).expect("our own source");
    let body = source.split_once("pub enum Exit {").and_then(|(_, rest)| rest.split_once("\n}"));
    let mut told = String::new();
    let mut codes = 0;
    for line in body.expect("the enum").0.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("/// ") {
            words.clone_into(&mut told);
        } else if let Some((name, code)) = line.trim_end_matches(',').split_once(" = ") {
            let row = format!("| {code} | `{name}` | {told} |");
            assert!(page.contains(&row), "docs/service.md lacks the line {row}");
            codes += 1;
        }
    }
    assert!(codes > 4, "only {codes} exit codes were seen");
    for key in ["WatchdogSec", "LimitRTPRIO", "LimitMEMLOCK", "StateDirectory", "Restart"] {
        assert!(!said(key).is_empty() && page.contains(&format!("`{key}")), "{key}");
    }
}

/// systemd's end of the socket.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn listen(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).expect("a socket in a temporary folder");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        Self { socket, heard: Vec::new() }
    }

    /// Takes in what was said; waits a little for it.
    fn hear(&mut self) {
        let mut bytes = [0; 4096];
        if let Ok(length) = self.socket.recv(&mut bytes) {
            let said = String::from_utf8_lossy(&bytes[..length]);
            self.heard.extend(said.lines().map(str::to_owned));
        }
    }

    fn wait_for(&mut self, what: &str) {
        let begun = Instant::now();
        let from = self.heard.len();
        while !self.heard[from..].iter().any(|line| line.starts_with(what)) {
            assert!(begun.elapsed() < PATIENCE, "{what} did not come: {:?}", self.heard);
            self.hear();
        }
    }
}

#[test]
fn systemd_is_told_that_it_is_ready_what_it_does_that_it_lives_and_that_it_ends() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let path = room.path().join("notify");
    let mut manager = Manager::listen(&path);
    let (folder, file) = written_config();
    let environment =
        [("NOTIFY_SOCKET", path.to_str().expect("a path in Unicode")), ("WATCHDOG_USEC", "400000")];
    let daemon = Daemon::start_in(&file, folder, &environment);
    manager.wait_for("READY=1");
    assert!(!manager.heard.iter().any(|line| line == "STOPPING=1"), "{:?}", manager.heard);
    manager.wait_for("WATCHDOG=1");
    daemon.arm();
    manager.wait_for("STATUS=piper: holding");
    daemon.must("cmd/estop", &json!({ "operator": "ada" }));
    manager.wait_for("STATUS=piper: estopped: ");
    manager.wait_for("WATCHDOG=1");
    assert_eq!(daemon.terminate().0, Some(0));
    manager.wait_for("STOPPING=1");
    let ready = manager.heard.iter().filter(|line| *line == "READY=1").count();
    assert_eq!(ready, 1);
}

fn number(joints: &Value, key: &str, index: usize) -> f64 {
    joints[key][index].as_f64().expect("a finite number")
}

/// Arms the robot and swings its first joint across its range; returns when that is as fast as it will be.
fn at_full_speed(daemon: &Daemon) -> f64 {
    daemon.arm();
    daemon.must("cmd/goto", &json!({ "joints": { "joint1": -2.4 }, "speed": 1.0 }));
    daemon.wait_for_mode("moving");
    daemon.wait_for_mode("holding");
    daemon.must("cmd/goto", &json!({ "joints": { "joint1": 2.4 }, "speed": 1.0 }));
    // In the middle of its way; what is measured at the end of a tick is the slowest of it, in the simulator.
    let halfway = |joints: &Value| number(joints, "position_rad_or_m", 0).abs() < 0.8;
    number(&daemon.wait_for("state/joints", halfway), "velocity_rad_or_m_per_s", 0)
}

fn sigterm_stops_it(body: Body) {
    let (folder, file) = written_config_of(body);
    let daemon = Daemon::start_with(&file, folder);
    let speed = at_full_speed(&daemon);
    let (took, code, log) = daemon.terminate_timed();
    eprintln!("{body:?}: at {speed:.2} rad/s; ended {} ms after SIGTERM", took.as_millis());
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the robot is at rest"), "{log}");
    assert!(took < END_WITHIN, "it took {took:?}:\n{log}");
}

#[test]
fn sigterm_at_full_speed_stops_the_robot_and_ends_within_its_bound_on_loopback() {
    sigterm_stops_it(Body::Loopback);
}

#[cfg(feature = "mujoco")]
#[test]
fn sigterm_at_full_speed_stops_the_robot_and_ends_within_its_bound_on_mujoco() {
    sigterm_stops_it(Body::Mujoco);
}

/// A daemon that is killed in the middle of a motion and started again is disarmed, and takes hold of the robot where it
/// stands. What a real arm's daemon does is tested in `hil-tests`.
fn sigkill_is_survived(body: Body) {
    let (folder, file) = written_config_of(body);
    let daemon = Daemon::start_with(&file, folder);
    at_full_speed(&daemon);
    daemon.kill();
    let (folder, file) = written_config_of(body);
    let daemon = Daemon::start_with(&file, folder);
    assert_eq!(daemon.says("state/mode")["mode"], "disarmed", "nothing moves until it is asked to");
    let stands = daemon.says("state/joints");
    daemon.arm();
    let held = daemon.says("state/joints");
    for index in 0..held["names"].as_array().expect("names").len() {
        let before = number(&stands, "position_rad_or_m", index);
        let told = number(&held, "commanded_rad_or_m", index);
        assert!(
            (told - before).abs() < ADOPTED,
            "joint {index} stood at {before}, is sent to {told}"
        );
    }
}

#[test]
fn a_daemon_that_was_killed_adopts_the_pose_on_loopback() {
    sigkill_is_survived(Body::Loopback);
}

#[cfg(feature = "mujoco")]
#[test]
fn a_daemon_that_was_killed_adopts_the_pose_on_mujoco() {
    sigkill_is_survived(Body::Mujoco);
}
