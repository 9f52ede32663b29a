//! Data sets of episodes that nobody played: what is written is what was recorded, and reads back.

use std::{collections::BTreeMap, fs, fs::File, path::Path};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};
use serde_json::Value;

use super::*;
use crate::picture::{Frame, jpeg};

const TICKS: usize = 7;

fn plan(episodes: u64) -> Plan {
    Plan {
        schema: SCHEMA.into(),
        robot: "toy".into(),
        joints: vec!["turn".into(), "slide".into()],
        joint_ranges: vec![[-1.0, 3.0], [0.0, 0.5]],
        arms: vec!["right".into(), "mouth".into()],
        period_s: 0.05,
        skill: "find_and_eat_berry".into(),
        policy: "toy_eat".into(),
        onnx_sha256: "0".repeat(64),
        scene_sha256: ["1".repeat(64), "2".repeat(64)],
        stratum: "clean".into(),
        delay_ticks: 0,
        episodes,
        seed: 40,
        succeeded_only: false,
        instructions: vec!["eat the berry".into(), "feed me".into()],
        camera: "front".into(),
        picture_px: [48, 32],
        jpeg_quality: 90,
        format: Format::Both,
        chunk_steps: 4,
        stride: 3,
    }
}

/// An episode that is a function of its number.
fn played(plan: &Plan, index: u64) -> (Trace, Vec<Vec<u8>>) {
    let picture = |at: usize| {
        let rgb = (0..48 * 32).flat_map(|pixel| [pixel as u8, 20 * at as u8, index as u8]);
        jpeg(&Frame { width: 48, height: 32, rgb: rgb.collect() }, 90).expect("a picture")
    };
    let images: Vec<Vec<u8>> = (0..TICKS).map(picture).collect();
    let sample = |at: usize| {
        let value = index as f64 + 0.125 * at as f64;
        Sample {
            at_ns: 50_000_000 * at as u64,
            position: vec![value, 0.25],
            velocity: vec![2.5, 0.0],
            requested: vec![value + 0.5, 0.5],
            applied: vec![value + 0.25, 0.5],
            tools_m: vec![[value, 0.0, 0.5], [0.0, 0.0, 1.0]],
            objects: vec![[0.5, 0.0, 0.01 * at as f64, 1.0, 0.0, 0.0, 0.0]],
            starved: at == 0,
            limited: at == 3,
            image_bytes: images[at].len() as u32,
        }
    };
    let trace = Trace {
        index,
        seed: plan.seed + index,
        instruction: plan.instructions[index as usize % 2].clone(),
        params: [0.5, 0.0, 0.0, 0.02, 1.0, 1.0],
        object: "berry".into(),
        objects: vec!["berry".into()],
        success: index != 1,
        trouble: (index == 1).then(|| "dropped".into()),
        samples: (0..TICKS).map(sample).collect(),
        image_stats: ImageStats { pictures: 1, histograms: [(); 3].map(|()| vec![6; 256]) },
    };
    (trace, images)
}

fn made(folder: &Path, plan: Plan) -> Summary {
    let (store, is_done) = Store::open(folder, plan).expect("a new folder");
    assert!(!is_done);
    for index in 0..store.plan().episodes {
        let (trace, images) = played(store.plan(), index);
        store.keep(&trace, &images).expect("kept");
    }
    write(&store, || ()).expect("written")
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it");
                found.insert(name.display().to_string(), fs::read(&path).expect("readable"));
            }
        }
    }
    found
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn rows(file: &Path) -> Vec<Row> {
    let file = File::open(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let reader = SerializedFileReader::new(file).expect("Parquet");
    reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect()
}

/// What stands in a column of a row, as JSON.
fn cell(row: &Row, name: &str) -> Value {
    let found = row.get_column_iter().find(|(column, _)| *column == name);
    let (_, field) = found.unwrap_or_else(|| panic!("no column {name}"));
    json_of(field)
}

fn json_of(field: &Field) -> Value {
    match field {
        Field::Bool(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::Float(value) => f64::from(*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(value) => value.as_str().into(),
        Field::ListInternal(list) => list.elements().iter().map(json_of).collect(),
        other => panic!("{other:?} is written by nobody"),
    }
}

#[test]
fn counts_are_exact_and_nothing_half_written_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let summary = made(folder.path(), plan(3));
    let told: Value = serde_json::from_slice(&files(folder.path())["summary.json"]).expect("JSON");
    assert_eq!(told, serde_json::to_value(&summary).expect("JSON"));
    assert_eq!((summary.episodes, summary.succeeded, summary.kept), (3, 2, 3));
    assert_eq!((summary.frames, summary.starved, summary.limited), (21, 3, 3));
    assert_eq!(summary.failed, BTreeMap::from([(41, "dropped".to_owned())]));
    assert_eq!(summary.instructions["eat the berry"], 2);
    assert_eq!(
        (told["vla"]["images"].as_u64(), told["vla"]["action_rows"].as_u64()),
        (Some(21), Some(9))
    );
    assert_eq!(
        (told["lerobot"]["frames"].as_u64(), told["lerobot"]["tasks"].as_u64()),
        (Some(21), Some(2))
    );
    let names = files(folder.path()).into_keys().collect::<Vec<_>>();
    assert!(
        names.iter().all(|name| !name.contains(".part") && !name.starts_with("parts")),
        "{names:?}"
    );
}

#[test]
fn rows_have_the_published_keys_and_the_chunk_goes_on_from_its_tick() {
    let folder = tempfile::tempdir().expect("a folder");
    made(folder.path(), plan(2));
    let vla = folder.path().join("vla");
    let actions = lines(&vla.join("action_chunks.jsonl"));
    assert_eq!(actions.len(), 6);
    let row = &actions[1];
    for key in ["dataset_dir", "episode_file", "task", "stage", "instruction", "image_path"] {
        assert!(row.get(key).is_some(), "{key} is missing in {row}");
    }
    assert_eq!((&row["step"], &row["task"]), (&3.into(), &"go_eat_berry".into()));
    assert_eq!(
        (&row["action_type"], &row["action_chunk_steps"]),
        (&"normalized_joint_targets".into(), &4.into())
    );
    // Commanded at ticks 3, 4, 5, 6: 0.25 + tick / 8, of a range of -1 to 3; the other at its end.
    let chunk: Vec<[f64; 2]> =
        serde_json::from_value(row["action_chunk"].clone()).expect("numbers");
    let wanted = [3, 4, 5, 6].map(|tick| [(0.25 + 0.125 * f64::from(tick) - 1.0) / 2.0, 1.0]);
    assert_eq!(chunk, wanted);
    let last = actions[2]["action_chunk"].as_array().expect("a chunk");
    assert!(
        last[0] == last[3] && last.len() == 4,
        "the last action stands for what would come: {last:?}"
    );
    let state = &row["robot_state"];
    assert_eq!(state["qpos"].as_array().expect("numbers").len(), 7 + 2);
    assert_eq!(
        state["qvel"][2].as_f64().map(|speed| (speed * 1e6).round()),
        Some(2e5),
        "0.01 m in 50 ms"
    );
    assert_eq!(state["ctrl"], serde_json::json!([0.5, 0.5]), "what was commanded before");
    assert_eq!(state["right_hand_pos"], serde_json::json!([0.375, 0.0, 0.5]));
    assert_eq!(state["mouth_pos"], serde_json::json!([0.0, 0.0, 1.0]));
    assert_eq!(state["task_flags"], serde_json::json!([0.0, 1.0, 0.0, 0.0]));
    let image = vla.join(row["image"].as_str().expect("a path"));
    assert_eq!(row["image_path"].as_str().map(Path::new), Some(image.as_path()));
    assert!(crate::picture::look(&image).is_ok());

    let skills = lines(&vla.join("skill_params.jsonl"));
    assert_eq!(skills.len(), actions.len());
    assert_eq!(
        (&skills[0]["skill"], &skills[0]["skill_id"]),
        (&"find_and_eat_berry".into(), &3.into())
    );
    assert_eq!(skills[0]["target_params"], serde_json::json!([0.5, 0.0, 0.0, 0.02, 1.0, 1.0]));
    assert_eq!(skills[0]["dispatch"], "registry:find_and_eat_berry");
    let episode = lines(&vla.join("episodes/000000.jsonl"));
    assert_eq!(
        (episode.len(), &episode[6]["success"], &episode[5]["success"]),
        (7, &true.into(), &false.into())
    );
    assert_eq!((&episode[2]["grasped"], &episode[3]["grasped"]), (&false.into(), &true.into()));
}

#[test]
fn a_lerobot_data_set_reads_back_what_was_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    made(folder.path(), plan(3));
    let set = folder.path().join("lerobot");
    let data = rows(&set.join("data/chunk-000/file-000.parquet"));
    assert_eq!(data.len(), 21);
    let row = &data[TICKS + 3];
    for (name, wanted) in [
        ("observation.state", serde_json::json!([1.375, 0.25])),
        ("action", serde_json::json!([1.625, 0.5])),
        ("requested", serde_json::json!([1.875, 0.5])),
        ("starved", false.into()),
        ("limited", true.into()),
        ("next.done", false.into()),
        ("time_ns", 150_000_000.into()),
        ("frame_index", 3.into()),
        ("episode_index", 1.into()),
        ("index", 10.into()),
        ("task_index", 1.into()),
    ] {
        assert_eq!(cell(row, name), wanted, "{name}");
    }
    assert!((cell(row, "timestamp").as_f64().expect("a number") - 0.15).abs() < 1e-7);
    assert_eq!(cell(&data[TICKS], "starved"), true);
    let ends: Vec<bool> =
        data.iter().map(|row| cell(row, "next.success").as_bool().expect("a flag")).collect();
    assert_eq!(ends.iter().filter(|end| **end).count(), 2, "one of three failed");

    let episodes = rows(&set.join("meta/episodes/chunk-000/file-000.parquet"));
    assert_eq!(episodes.len(), 3);
    let row = &episodes[2];
    assert_eq!(
        (cell(row, "dataset_from_index"), cell(row, "dataset_to_index")),
        (14.into(), 21.into())
    );
    assert_eq!(cell(row, "tasks"), serde_json::json!(["eat the berry"]));
    let from = cell(row, "videos/observation.images.front/from_timestamp").as_f64();
    assert!((from.expect("a time") - 0.7).abs() < 1e-9, "{from:?}");
    assert_eq!(cell(row, "stats/observation.state/max"), serde_json::json!([2.75, 0.25]));
    assert_eq!(cell(row, "stats/observation.images.front/count"), serde_json::json!([1]));
    let tasks = rows(&set.join("meta/tasks.parquet"));
    assert_eq!(
        (cell(&tasks[1], "task"), cell(&tasks[1], "task_index")),
        ("feed me".into(), 1.into())
    );

    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(set.join(name)).expect("there")).expect("JSON")
    };
    let info = read("meta/info.json");
    assert_eq!((&info["codebase_version"], &info["fps"]), (&"v3.0".into(), &20.into()));
    assert_eq!((&info["total_frames"], &info["total_episodes"]), (&21.into(), &3.into()));
    let features = info["features"].as_object().expect("features");
    assert_eq!(features["action"]["names"], serde_json::json!(["turn", "slide"]));
    for (name, feature) in features.iter().filter(|(_, feature)| feature["dtype"] != "video") {
        let width = feature["shape"][0].as_u64().expect("a shape");
        let value = cell(&data[0], name);
        assert_eq!(value.as_array().map_or(1, Vec::len) as u64, width, "{name}");
    }
    assert_eq!(read("meta/stats.json")["action"]["count"], serde_json::json!([21]));
}

#[test]
fn the_film_has_every_picture_at_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    made(folder.path(), plan(2));
    let name = "lerobot/videos/observation.images.front/chunk-000/file-000.mp4";
    let bytes = fs::read(folder.path().join(name)).expect("a film");
    // The boxes fill the file, one after the other.
    let number =
        |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize;
    let mut at = 0;
    let mut kinds = Vec::new();
    while at < bytes.len() {
        kinds.push(String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned());
        at += number(at);
    }
    assert_eq!((kinds, at), (["ftyp", "mdat", "moov"].map(str::to_owned).to_vec(), bytes.len()));
    let find = |kind: &[u8]| bytes.windows(4).position(|it| it == kind).expect("the box") + 4;
    // One duration for all 14: a twentieth of a second of a clock of 90 kHz.
    let durations = find(b"stts");
    assert_eq!([4, 8, 12].map(|offset| number(durations + offset)), [1, 14, 4500]);
    let sizes = find(b"stsz");
    assert_eq!(number(sizes + 8), 14);
    let mut begin = number(find(b"stco") + 8);
    for picture in 0..14 {
        let size = number(sizes + 12 + 4 * picture);
        let (_, images) = played(&plan(2), (picture / TICKS) as u64);
        assert_eq!(bytes[begin..begin + size], images[picture % TICKS], "picture {picture}");
        begin += size;
    }
}

#[test]
fn an_interrupted_run_goes_on_and_gives_the_same_bytes() {
    let (whole, broken) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let out = |folder: &Path| folder.join("set");
    made(&out(whole.path()), plan(3));
    {
        let (store, _) = Store::open(&out(broken.path()), plan(3)).expect("a new folder");
        let (trace, images) = played(store.plan(), 0);
        store.keep(&trace, &images).expect("kept");
        // Killed while it kept the next one: pictures without a trace, and half a file.
        let (_, images) = played(store.plan(), 1);
        fs::write(store.path("parts/000001.jpegs"), &images[0]).expect("a file");
        fs::write(store.path("parts/000001.json.part"), "{").expect("a file");
        assert!(store.has(0) && !store.has(1));
        assert!(matches!(
            Store::open(&out(broken.path()), plan(3)),
            Err(RolloutError::Busy { .. })
        ));
    }
    let (store, is_done) = Store::open(&out(broken.path()), plan(3)).expect("the same plan");
    assert!(!is_done && store.has(0));
    for index in (0..3).filter(|index| !store.has(*index)) {
        let (trace, images) = played(store.plan(), index);
        store.keep(&trace, &images).expect("kept");
    }
    // Killed once more, while it wrote.
    fs::create_dir_all(store.path("vla")).expect("a folder");
    fs::write(store.path("vla/action_chunks.jsonl.part"), "{").expect("a file");
    write(&store, || ()).expect("written");
    drop(store);
    let plain = |folder: &Path| {
        let from = out(folder).display().to_string();
        let text = |(name, bytes): (String, Vec<u8>)| {
            (name, String::from_utf8_lossy(&bytes).replace(&from, ""))
        };
        files(&out(folder)).into_iter().map(text).collect::<BTreeMap<_, _>>()
    };
    let (a, b) = (plain(whole.path()), plain(broken.path()));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    assert!(a == b, "the same files with other bytes");
    let (_, is_done) = Store::open(&out(broken.path()), plan(3)).expect("the same plan");
    assert!(is_done, "the third time there is nothing to do");
}

#[test]
fn what_does_not_fit_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |plan: Plan| match Store::open(folder.path(), plan) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    };
    fs::write(folder.path().join("notes.txt"), "mine").expect("a file");
    assert!(refused(plan(1)).contains("name another folder"));
    fs::remove_file(folder.path().join("notes.txt")).expect("there");
    made(folder.path(), plan(1));
    let told = refused(Plan { seed: 7, ..plan(1) });
    assert!(told.contains("plan.json: seed = 40: this run has 7: name another --out"), "{told}");

    // 83.3 ticks a second.
    let told = refused(Plan { period_s: 0.012, ..plan(1) });
    assert!(told.contains("period_ms = 12") && told.contains("--format vla"), "{told}");

    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = Store::open(folder.path(), Plan { seed: 41, ..plan(1) }).expect("new");
    let (trace, images) = played(&plan(2), 1);
    store.keep(&Trace { index: 0, seed: 41, ..trace }, &images[..6]).expect("kept");
    let told = write(&store, || ()).expect_err("a picture is missing").to_string();
    assert!(told.contains("000000.jpegs"), "{told}");
    drop(store);

    let folder = tempfile::tempdir().expect("a folder");
    let only = Plan { seed: 41, succeeded_only: true, ..plan(1) };
    let (store, _) = Store::open(folder.path(), only).expect("new");
    let (trace, images) = played(&plan(2), 1);
    store.keep(&Trace { index: 0, seed: 41, ..trace }, &images).expect("kept");
    let told = write(&store, || ()).expect_err("nothing is left").to_string();
    assert!(told.contains("none of the 1 episodes succeeded"), "{told}");
    assert!(!folder.path().join("summary.json").exists());
}
