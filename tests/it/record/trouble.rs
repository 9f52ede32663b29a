//! Crashes, full disks, folders that cannot be written, quotas.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    arm, contents, eventually, films, goto, newest, play, recording, recording_in, replayed, safe,
    same,
};
use crate::{
    daemon::{Daemon, PATIENCE, run},
    rig::here,
};

#[test]
fn a_daemon_that_is_killed_leaves_a_file_that_opens_and_finishes_it_at_its_next_start() {
    let (folder, file, recordings) = recording("files = true");
    let daemon = Daemon::start_with(&file, folder);
    play(&daemon);
    let told = safe(&daemon, newest(&daemon));
    let kept = told["safe_seq"].as_u64().expect("a tick");
    let last = newest(&daemon);
    daemon.kill();
    let [run_file] = &films(recordings.path(), "run")[..] else { panic!("one file is wanted") };
    let (code, told) = contents(run_file);
    assert_eq!(code, Some(1), "it was not finished, and that is told: {told:#}");
    let there = told["last_seq"].as_u64().expect("a tick");
    assert!(there >= kept, "{there}: {kept} was told to be safe");
    // It is half a second on a machine that has time, and a few where other tests keep the lowest priority waiting.
    assert!(there + 100 >= last, "tick {last} was told, tick {there} is on the disk");
    eprintln!("killed after tick {last}: tick {there} is on the disk");
    let (code, told) = replayed(run_file);
    assert_eq!((code, &told["different"], &told["unchecked"]), (Some(0), &json!(0), &json!(0)));
    assert!(told["cut"].is_string(), "{told:#}");
    // By hand.
    let whole = recordings.path().join("whole.mcap");
    let (from, to) = (run_file.to_string_lossy(), whole.to_string_lossy());
    let recovered = run(&["recover", &from, "--out", &to]);
    assert_eq!(recovered.status.code(), Some(0), "{recovered:?}");
    assert_eq!(contents(&whole).0, Some(0));
    same(&whole);
    fs::remove_file(&whole).expect("it was just written");
    // And by the next daemon, which goes on with a file of its own.
    let (folder, file) = recording_in(recordings.path(), "files = true");
    let daemon = Daemon::start_with(&file, folder);
    eventually("the file is finished", || (contents(run_file).0 == Some(0)).then_some(()));
    assert_eq!(same(run_file), there + 1);
    safe(&daemon, 5);
    assert_eq!(films(recordings.path(), "run").len(), 2);
    assert_eq!(daemon.terminate().0, Some(0));
}

/// A disk of two megabytes, if this machine lets us have one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "reflexd-test"]).arg(at);
        let mounted = mount.output().is_ok_and(|done| done.status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still looks into it keeps it for as long.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_stops_the_recorder_and_nothing_else() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let Some(_disk) = SmallDisk::mount(place.path()) else {
        eprintln!("skipped: needs root, and a kernel that mounts a tmpfs for it");
        return;
    };
    let (folder, file) = recording_in(place.path(), "files = true\nfree_min_mb = 0");
    let daemon = Daemon::start_with(&file, folder);
    safe(&daemon, 5);
    let events = daemon.watch("event/recorder");
    let hog = place.path().join("hog");
    // As much as there is room for, and then a little less.
    let room = vec![0; 2 << 20];
    let _ = fs::write(&hog, &room);
    let told = daemon.wait_for("state/recorder", |said| said["disk_full"] == true);
    assert!(told["trouble"].as_str().is_some_and(|why| why.contains("room")), "{told}");
    assert_eq!((&told["recording"], &told["file"]), (&json!(true), &json!(null)), "{told}");
    // The law knows, and only tells.
    let is_full = |said: &Value| {
        said["conditions"].as_array().is_some_and(|it| it.contains(&json!("disk_full")))
    };
    daemon.wait_for("state/mode", is_full);
    let (_, told) = events.next(PATIENCE).expect("it is told");
    assert_eq!(told["outcome"], "stopped", "{told}");
    // The robot is armed and moves as ever, and no tick is lost.
    let before = daemon.says("diag/timing");
    arm(&daemon);
    goto(&daemon, "joint1", 0.2);
    daemon.wait_for("state/skill", |said| !said["last"].is_null());
    let after =
        daemon.wait_for("diag/timing", |said| said["ticks"].as_u64() > before["ticks"].as_u64());
    assert_eq!(after["reports_dropped"], 0, "{after}");
    // What was on the disk is whole up to there.
    let [cut] = &films(place.path(), "run")[..] else { panic!("one file is wanted") };
    let (code, told) = replayed(cut);
    assert_eq!((code, &told["unchecked"]), (Some(0), &json!(0)), "{told:#}");
    // When there is room again, it goes on by itself.
    fs::remove_file(&hog).expect("it is there");
    let told = daemon.wait_for("state/recorder", |said| said["file"].is_string());
    assert_eq!((&told["disk_full"], &told["trouble"]), (&json!(false), &json!(null)), "{told}");
    daemon.wait_for("state/mode", |said| !is_full(said));
    assert_eq!(daemon.terminate().0, Some(0));
    for film in films(place.path(), "run") {
        assert_eq!(replayed(&film).0, Some(0), "{}", film.display());
    }
}

#[test]
fn room_that_belongs_to_others_and_a_folder_that_is_none_keep_it_from_recording() {
    let place = tempfile::tempdir().expect("a temporary folder");
    // No disk leaves so much.
    let (folder, file) = recording_in(place.path(), "files = true\nfree_min_mb = 100000000");
    let daemon = Daemon::start_with(&file, folder);
    let told = daemon.wait_for("state/recorder", |said| said["disk_full"] == true);
    assert!(told["trouble"].as_str().is_some_and(|why| why.contains("free_min_mb")), "{told}");
    let why = daemon.refused("cmd/record", &json!({ "act": "black_box", "operator": "ada" }));
    assert!(why.contains("free_min_mb"), "{why}");
    arm(&daemon);
    assert_eq!(daemon.terminate().0, Some(0));
    assert!(films(place.path(), "run").is_empty() && films(place.path(), "box").is_empty());
    // A file stands where the folder should be.
    let blocked = place.path().join("a_file");
    fs::write(&blocked, "").expect("a temporary file");
    let (folder, file) = recording_in(&blocked, "");
    let daemon = Daemon::start_with(&file, folder);
    arm(&daemon);
    let why = daemon.refused("cmd/record", &json!({ "act": "start", "operator": "ada" }));
    assert!(why.contains("recorder.folder"), "{why}");
    let told = daemon.wait_for("state/recorder", |said| said["trouble"].is_string());
    assert_eq!(told["recording"], false, "{told}");
    assert_eq!(daemon.terminate().0, Some(0));
}

#[test]
fn files_follow_one_another_and_the_oldest_of_ours_go() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let settings = "rotate_s = 10\nrotate_mb = 1\nquota_mb = 2\nblack_box_quota_mb = 1";
    let stranger = place.path().join("piper-000001-run-holiday.mcap");
    fs::write(&stranger, [0; 10]).expect("a temporary file");
    // Recordings of long ago, larger than all that may be kept.
    let old = |name: &str| place.path().join(name);
    let (gone, boxed) = (
        old("piper-000007-run-20200101T000000Z.mcap"),
        old("piper-000008-box-20200101T000000Z.mcap"),
    );
    for path in [&gone, &boxed] {
        fs::write(path, vec![0; 3_000_000]).expect("a temporary file");
    }
    let other = old("fireboy-000001-run-20200101T000000Z.mcap");
    fs::write(&other, vec![0; 3_000_000]).expect("a temporary file");
    let (folder, file) = recording_in(place.path(), settings);
    let daemon = Daemon::start_with(&file, folder);
    // Off by default, until somebody asks.
    let told = daemon.wait_for("state/recorder", |said| said["recording"] == false);
    assert_eq!(told["file"], json!(null), "{told}");
    let answer = daemon.ask("cmd/record", &json!({ "act": "start", "operator": "ada" }));
    let named = answer["changed"][0].as_str().unwrap_or_default().to_owned();
    assert!(named.contains("piper-000009-run-"), "numbers go on: {answer}");
    eventually("the old ones go", || (!gone.exists() && !boxed.exists()).then_some(()));
    assert!(stranger.exists() && other.exists(), "what is not ours stays");
    arm(&daemon);
    goto(&daemon, "joint1", 0.2);
    eventually("a second file", || (films(place.path(), "run").len() >= 4).then_some(()));
    let seq = newest(&daemon);
    safe(&daemon, seq);
    let answer = daemon.ask("cmd/record", &json!({ "act": "black_box", "operator": "ada" }));
    assert!(answer["changed"][0].as_str().is_some_and(|it| it.contains("-box-")), "{answer}");
    daemon.must("cmd/record", &json!({ "act": "stop", "operator": "ada" }));
    assert_eq!(daemon.terminate().0, Some(0));
    let runs: Vec<PathBuf> = films(place.path(), "run")
        .into_iter()
        .filter(|path| *path != stranger && *path != other)
        .collect();
    // Each is the same once more by itself, and together they have every tick.
    let mut next = None;
    for run in &runs {
        same(run);
        let (_, told) = contents(run);
        let first = told["first_seq"].as_u64().expect("a tick");
        assert!(next.is_none_or(|next| next == first), "{next:?}: {told:#}");
        next = told["last_seq"].as_u64().map(|last| last + 1);
    }
    assert!(next > Some(seq), "{next:?}");
    let [asked_for] = &films(place.path(), "box")[..] else { panic!("one black box is wanted") };
    same(asked_for);
}

/// Reads a recording with the format's own package for Python, which is not ours: by its index, and message by message.
const READS: &str = r#"
import collections, json, sys
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader
from mcap.records import Message

counts, last = collections.Counter(), 0
with open(sys.argv[1], "rb") as file:
    reader = make_reader(file, validate_crcs=True)
    about = [m.metadata for m in reader.iter_metadata() if m.name == "reflexd"]
    for schema, channel, message in reader.iter_messages():
        counts[channel.topic] += 1
        assert message.log_time >= last
        last = message.log_time
        if channel.message_encoding == "json":
            body = json.loads(message.data)
            known = json.loads(schema.data)["properties"]
            assert set(body) <= set(known) or channel.topic == "/timing", (channel.topic, body)
            if "seq" in known and "at_ns" in known:
                assert message.log_time > 1_500_000_000_000_000_000
    summary = reader.get_summary()
with open(sys.argv[1], "rb") as file:
    streamed = sum(isinstance(record, Message) for record in StreamReader(file, validate_crcs=True).records)
assert streamed == sum(counts.values()) == summary.statistics.message_count
print(json.dumps({"counts": counts, "robot": about[0]["robot"], "chunks": summary.statistics.chunk_count}))
"#;

#[test]
fn a_reader_that_is_not_ours_reads_the_same() {
    let known = [here(".venv/bin/python"), PathBuf::from("python3")];
    let python = known.into_iter().find(|python| {
        let mut ask = Command::new(python);
        ask.args(["-c", "import mcap.reader"]).stdout(Stdio::null()).stderr(Stdio::null());
        ask.status().is_ok_and(|status| status.success())
    });
    let Some(python) = python else {
        eprintln!("skipped: needs Python with mcap (pip install mcap)");
        return;
    };
    let film = here(super::COMMITTED);
    let read = Command::new(python).args(["-c", READS]).arg(&film).output().expect("it is there");
    assert!(read.status.success(), "{read:?}");
    let told: Value = serde_json::from_slice(&read.stdout).expect("JSON");
    assert_eq!(told["robot"], "piper", "{told:#}");
    let (_, ours) = contents(&film);
    assert_eq!(told["counts"], ours["messages"], "{told:#}");
}
