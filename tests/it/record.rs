//! What is recorded is there after whatever happens, is the same once more, and disturbs nobody.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use reflex::{replay, tape::Entry};
use reflexd::recorder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::{self, Daemon, PATIENCE, written_config},
    rig::here,
};

mod fault;
mod trouble;

/// The run that is committed: an operator's motions, a head's chunks, an e-stop in the middle of them. To be recorded anew
/// after a change of the law: REFLEX_WRITE_RECORDING=1 cargo test --features mujoco --test it record::
const COMMITTED: &str = "tests/data/recordings/piper_estop.mcap";
/// Another one: a robot that is lost for a while, answers that are late or lost, corrections.
const FAULT: &str = "tests/data/recordings/fault.mcap";

/// A configuration with a `[recorder]` table, and the folder that recordings go to.
fn recording(settings: &str) -> (TempDir, PathBuf, TempDir) {
    let films = tempfile::tempdir().expect("a temporary folder");
    let (folder, file) = recording_in(films.path(), settings);
    (folder, file, films)
}

/// The same, with recordings that go elsewhere.
fn recording_in(films: &Path, settings: &str) -> (TempDir, PathBuf) {
    let (folder, file) = written_config();
    let text = fs::read_to_string(&file).expect("it was just written");
    let folder_key = format!("folder = {:?}", films.display().to_string());
    let text = format!("{text}\n[recorder]\n{folder_key}\n{settings}\n");
    fs::write(&file, text).expect("a temporary file");
    (folder, file)
}

/// Recordings of a kind, oldest first.
fn films(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let inside = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = inside
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains(&format!("-{kind}-")))
        .collect();
    found.sort();
    found
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `reflexd ARGS`: its exit code, and what it printed as JSON.
fn run_json(args: &[&str]) -> (Option<i32>, Value) {
    let output = daemon::run(args);
    let told = serde_json::from_slice(&output.stdout);
    let told = told.unwrap_or_else(|error| panic!("{args:?}: {error}: {output:?}"));
    (output.status.code(), told)
}

fn replayed(file: &Path) -> (Option<i32>, Value) {
    run_json(&["replay", "--json", &file.to_string_lossy()])
}

fn contents(file: &Path) -> (Option<i32>, Value) {
    let (code, told) = run_json(&["recordings", "--json", &file.to_string_lossy()]);
    (code, told[0].clone())
}

/// A file that is the same once more, whole, and how many ticks that were.
fn same(file: &Path) -> u64 {
    let (code, told) = replayed(file);
    assert_eq!(code, Some(0), "{told:#}");
    assert_eq!((&told["different"], &told["unchecked"]), (&json!(0), &json!(0)), "{told:#}");
    assert!(told["gaps"] == 0 && told["strange"] == 0 && told["first"].is_null(), "{told:#}");
    told["checked"].as_u64().expect("a count")
}

/// A command that has to be accepted some time: a machine that is busy with other tests makes a loop late, and then the
/// law lets nothing begin for a while.
fn insist(daemon: &Daemon, key: &str, payload: impl Fn(usize) -> Value) {
    let mut tries = 0;
    eventually(key, || {
        tries += 1;
        let answer = daemon.ask(key, &payload(tries));
        (answer["accepted"] == true || answer["verdict"] == "accepted").then_some(())
    });
}

fn arm(daemon: &Daemon) {
    insist(daemon, "cmd/arm", |_| json!({ "operator": "ada" }));
}

fn goto(daemon: &Daemon, joint: &str, to: f64) {
    insist(daemon, "cmd/goto", |_| json!({ "joints": { joint: to }, "operator": "ada" }));
}

/// Begins to pick up a berry, and waits until the head's chunks are followed.
fn pick_up(daemon: &Daemon) {
    let params = json!({ "target_x": 0.35, "target_y": 0.0, "target_z": 0.018 });
    eventually("chunks", || {
        let id = format!("{}", newest(daemon));
        insist(daemon, "decision", |k| {
            json!({
                "v": 1, "decision_id": format!("{id}-{k}"), "skill": "pick_up", "params": params, "ttl_ms": 60_000,
                "source": "test",
            })
        });
        let until = newest(daemon) + 20;
        loop {
            let said = daemon.says("state/chunk");
            if said["source"] == "chunk" {
                return Some(());
            }
            if said["seq"].as_u64() > Some(until) || said["source"] == "rest" {
                return None;
            }
        }
    });
}

/// An operator's motions, a head's chunks that come when they come, holds in between, and an e-stop.
fn play(daemon: &Daemon) {
    arm(daemon);
    goto(daemon, "joint1", 0.3);
    std::thread::sleep(Duration::from_millis(400));
    daemon.must("cmd/hold", &json!({ "operator": "ada" }));
    daemon.wait_for_mode("holding");
    pick_up(daemon);
    std::thread::sleep(Duration::from_millis(1500));
    daemon.must("cmd/estop", &json!({ "operator": "ada" }));
    daemon.wait_for_mode("estopped");
    std::thread::sleep(Duration::from_millis(300));
    insist(daemon, "cmd/clear_fault", |_| json!({ "operator": "ada" }));
    arm(daemon);
    goto(daemon, "joint1", -0.1);
}

/// The newest tick that the daemon tells of.
fn newest(daemon: &Daemon) -> u64 {
    daemon.says("state/joints")["seq"].as_u64().expect("a tick")
}

/// Waits until a tick is on the disk.
fn safe(daemon: &Daemon, seq: u64) -> Value {
    daemon.wait_for("state/recorder", |said| said["safe_seq"].as_u64() >= Some(seq))
}

#[test]
fn a_run_with_chunks_commands_and_an_e_stop_is_the_same_once_more() {
    let (folder, file, recordings) = recording("files = true");
    let daemon = Daemon::start_with(&file, folder);
    let told = daemon.wait_for("state/recorder", |said| said["file"].is_string());
    assert_eq!(told["recording"], true, "{told}");
    play(&daemon);
    let present = newest(&daemon);
    safe(&daemon, present);
    assert_eq!(daemon.terminate().0, Some(0));
    let [run] = &films(recordings.path(), "run")[..] else { panic!("one file is wanted") };
    let ticks = same(run);
    assert!(ticks > present, "{ticks} ticks, and the daemon told of {present}");
    let (code, told) = contents(run);
    assert_eq!(code, Some(0), "{told:#}");
    assert_eq!((&told["ticks"], &told["first_seq"]), (&json!(ticks), &json!(0)), "{told:#}");
    assert_eq!(told["faults"].as_array().map(Vec::len), Some(1), "{told:#}");
    for (topic, at_least) in [
        ("/law", ticks),
        ("/tick", ticks),
        ("/state/joints", ticks),
        ("/chunk", 3),
        ("/order", 5),
        ("/run", 4),
        ("/command", 6),
        ("/decision", 1),
        ("/event", 10),
        ("/timing", 2),
        ("/clock", 2),
    ] {
        let count = told["messages"][topic].as_u64().unwrap_or(0);
        assert!(count >= at_least, "{topic}: {count} messages, not {at_least}: {told:#}");
    }
    // The e-stop left a black box, which goes on for a while after it.
    let [black_box] = &films(recordings.path(), "box")[..] else { panic!("one box is wanted") };
    assert!(same(black_box) > 20);
    let told = recorder::contents(black_box, &mut |_, _| {}).expect("a recording");
    let [stop] = &told.faults[..] else { panic!("one e-stop is wanted: {told:?}") };
    assert!(told.last_seq > Some(stop.seq), "{told:?}");
    assert!(told.about["why"].contains("e-stop"), "{:?}", told.about);
    assert!(told.messages["/event"] > 0 && told.messages["/command"] > 0, "{told:?}");
    kept(black_box, COMMITTED);
}

/// Puts a recording into the checkout, if somebody wants to have it anew.
fn kept(recording: &Path, file: &str) {
    if std::env::var_os("REFLEX_WRITE_RECORDING").is_some() {
        fs::create_dir_all(here("tests/data/recordings")).expect("a folder of the checkout");
        fs::copy(recording, here(file)).expect("a file of the checkout");
    }
}

/// Copies a recording, with the law's entries as `change` makes them.
fn changed(from: &Path, to: &Path, mut change: impl FnMut(&mut Vec<u64>)) {
    let bytes = fs::read(from).expect("a recording");
    let file = BufWriter::new(File::create(to).expect("a temporary file"));
    let mut copy = mcap::Writer::new(file).expect("a new file");
    let metadata = recorder::contents(from, &mut |_, _| {}).expect("a recording").about;
    let about = mcap::records::Metadata { name: "reflexd".into(), metadata };
    copy.write_metadata(&about).expect("a record");
    for message in mcap::MessageStream::new(&bytes).expect("a recording") {
        let mut message = message.expect("a message");
        if message.channel.topic == "/law" {
            let (words, _) = message.data.as_chunks::<8>();
            let mut words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
            change(&mut words);
            message.data = Cow::Owned(words.iter().flat_map(|word| word.to_le_bytes()).collect());
        }
        copy.write(&message).expect("a message");
    }
    copy.finish().expect("a whole file");
}

/// Where the words of a value stand in an entry.
fn place_of(entry: &[u64], value: f64) -> usize {
    let place = entry.iter().position(|word| *word == value.to_bits());
    place.expect("it was read out of it")
}

#[test]
fn the_committed_runs_are_the_same_once_more() {
    for film in [COMMITTED, FAULT].map(here) {
        let (code, told) = replayed(&film);
        let remedy = "if the law was changed on purpose, record it anew: REFLEX_WRITE_RECORDING=1, see tests/it/record.rs";
        assert_eq!(code, Some(0), "{told:#}\n{remedy}");
        assert!(same(&film) > 60, "{told:#}");
        let (_, told) = contents(&film);
        assert!(told["messages"]["/chunk"].as_u64() > Some(2), "{told:#}");
        assert_eq!(told["faults"].as_array().map(Vec::len), Some(1), "{told:#}");
    }
}

#[test]
fn a_flipped_bit_is_the_first_difference() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flipped = folder.path().join("flipped.mcap");
    let mut moving = 0;
    let mut wanted = None;
    changed(&here(COMMITTED), &flipped, |words| {
        let Some(entry) = Entry::read(words) else { return };
        let head = replay::head(entry.outcome).expect("an outcome");
        moving += u64::from(matches!(head.mode, motion::Mode::Moving { .. }));
        // One bit of what was commanded to one joint, in one tick in the middle of a motion.
        if moving == 5 && wanted.is_none() {
            let (seq, value) = (entry.tick.0, head.commanded[0]);
            let first = words.len() - entry.outcome.len();
            let at = first + place_of(&words[first..], value);
            words[at] ^= 1;
            wanted = Some((seq, value));
        }
    });
    let (seq, value) = wanted.expect("it moves");
    let (code, told) = replayed(&flipped);
    assert_eq!(code, Some(1), "{told:#}");
    let first = &told["first"];
    assert_eq!((&first["seq"], &first["field"]), (&json!(seq), &json!("commanded.joint1")));
    assert_eq!(first["now"], json!(format!("{value:?}")), "{told:#}");
    assert_ne!(first["recorded"], first["now"], "{told:#}");
    assert_eq!(told["different"], 1, "{told:#}");
    // In words it says the same.
    let output = daemon::run(&["replay", &flipped.to_string_lossy()]);
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        words.contains(&format!("tick {seq} ")) && words.contains("commanded.joint1"),
        "{words}"
    );
}

#[test]
fn another_measurement_and_another_rule_make_a_difference() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let film = here(COMMITTED);
    // A joint that was not measured in a tick: that would have been a fault.
    let moved = folder.path().join("moved.mcap");
    let mut seen = None;
    changed(&film, &moved, |words| {
        let Some(entry) = Entry::read(words) else { return };
        let arms = entry.orders.iter().any(|order| matches!(order.what, motion::What::Arm));
        if arms && seen.is_none() {
            seen = Some(entry.tick.0);
            let first = words.len() - entry.outcome.len();
            let value = entry.state.position.iter().find(|value| value.abs() > 0.01);
            let value = *value.expect("it stands at its home pose");
            let at = place_of(&words[..first], value);
            words[at] = f64::NAN.to_bits();
        }
    });
    let (code, told) = replayed(&moved);
    assert_eq!(code, Some(1), "{told:#}");
    let first = &told["first"];
    assert_eq!((first["seq"].as_u64(), &first["field"]), (seen, &json!("mode")), "{told:#}");
    assert!(first["now"].as_str().is_some_and(|now| now.contains("StateNotFinite")), "{told:#}");
    // The same run under a robot that may go at a hundredth of that speed.
    let (config, file) = written_config();
    let robot = fs::read_to_string(here("config/robots/piper.toml")).expect("it is shipped");
    let slow: Vec<String> = robot
        .lines()
        .map(|line| match line.split_once("velocity_max_rad_s = ") {
            Some((before, value)) => {
                let value: f64 =
                    value.split(' ').next().and_then(|v| v.parse().ok()).expect("a number");
                format!("{before}velocity_max_rad_s = {}", value / 100.0)
            }
            None => line.replace("\"../../", &format!("\"{}/", here("").display())),
        })
        .collect();
    fs::write(config.path().join("slow.toml"), slow.join("\n")).expect("a temporary file");
    let text = fs::read_to_string(&file).expect("it was just written");
    let shipped = here("config/robots/piper.toml").display().to_string();
    fs::write(&file, text.replace(&shipped, "slow.toml")).expect("a temporary file");
    let file = file.to_string_lossy().into_owned();
    let (code, told) = run_json(&["replay", "--json", "--config", &file, &film.to_string_lossy()]);
    assert_eq!(code, Some(1), "{told:#}");
    assert!(told["first"]["field"].is_string(), "{told:#}");
}

#[test]
fn what_is_no_recording_is_refused_and_nothing_panics() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("x.mcap");
    let whole = fs::read(here(COMMITTED)).expect("it is shipped");
    for (bytes, code) in
        [(&b""[..], 3), (b"not a recording at all, but long enough", 3), (&whole[..8], 3)]
    {
        fs::write(&file, bytes).expect("a temporary file");
        let output = daemon::run(&["replay", &file.to_string_lossy()]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
    let missing = daemon::run(&["replay", "/nowhere/x.mcap"]);
    assert_eq!(missing.status.code(), Some(3), "{missing:?}");
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere/x.mcap"), "{missing:?}");
    // Cut anywhere, it is read up to there; with a byte changed anywhere, up to there or around it.
    for k in 1..60 {
        let cut = whole.len() * k / 60;
        fs::write(&file, &whole[..cut]).expect("a temporary file");
        let found = recorder::replay(&file, None, &mut |_, _| {});
        let found = found.unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        assert!(found.cut.is_some() && found.different == 0, "cut at {cut}: {found:?}");
        let mut bytes = whole.clone();
        bytes[cut] ^= 0x10;
        fs::write(&file, &bytes).expect("a temporary file");
        if let Ok(found) = recorder::replay(&file, None, &mut |_, _| {}) {
            assert_eq!(found.different, 0, "byte {cut}: {found:?}");
        }
    }
}

#[cfg(feature = "mujoco")]
#[test]
fn frames_of_the_cameras_that_are_named_are_recorded() {
    let films_folder = tempfile::tempdir().expect("a temporary folder");
    let (folder, file) = daemon::written_config_of(daemon::Body::Mujoco);
    let text = fs::read_to_string(&file).expect("it was just written");
    let camera =
        |name| format!("[[cameras]]\nname = \"{name}\"\nwidth = 64\nheight = 48\nrate_hz = 10\n");
    let (seen, unseen) = (camera("front"), camera("wrist"));
    let text = format!(
        "{text}\n{seen}\n{unseen}\n[recorder]\nfolder = {:?}\nfiles = true\ncameras = [\"front\"]\n",
        films_folder.path().display().to_string()
    );
    fs::write(&file, text).expect("a temporary file");
    let daemon = Daemon::start_with(&file, folder);
    let count = |topic: &str| {
        let run = films(films_folder.path(), "run").pop()?;
        let found = recorder::contents(&run, &mut |_, _| {}).ok()?;
        Some(found.messages.get(topic).copied().unwrap_or(0))
    };
    eventually("frames", || count("/camera/front").filter(|frames| *frames > 3));
    assert_eq!(count("/camera/wrist"), Some(0));
    assert_eq!(daemon.terminate().0, Some(0));
    let run = films(films_folder.path(), "run").pop().expect("a file");
    let bytes = fs::read(&run).expect("a recording");
    let messages = mcap::MessageStream::new(&bytes).expect("a recording");
    let frame = messages.flatten().find(|message| message.channel.topic == "/camera/front");
    let frame: Value = serde_json::from_slice(&frame.expect("a frame").data).expect("JSON");
    assert_eq!((&frame["format"], &frame["frame_id"]), (&json!("jpeg"), &json!("front")));
    // What every JPEG begins with: ff d8 ff.
    assert!(frame["data"].as_str().is_some_and(|data| data.starts_with("/9j/")), "{frame}");
    same(&run);
}
