//! Episodes are drawn as the shipped file says, and as their seeds say.

use std::path::Path;

use super::{Layout, Stratum, Tasks};

const SEEDS: u64 = 500;
const JOINTS: usize = 7;

fn shipped() -> Tasks {
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/scenes/piper_berry.xml");
    Tasks::load(&scene).expect("shipped")
}

fn drawn(tasks: &Tasks, skill: &str, stratum: &str, seed: u64) -> Layout {
    let strata = tasks.strata(&[stratum.to_owned()]).expect("a shipped stratum");
    let task = tasks.of(skill).expect("a shipped task");
    Layout::draw(tasks, task, strata[0], seed, JOINTS).expect("there is room")
}

fn far(a: [f64; 3], b: [f64; 3]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[test]
fn distractors_keep_their_distances_and_are_as_many_as_told() {
    let tasks = shipped();
    let mut counts = [0; 5];
    let mut objects = [0; 2];
    for seed in 0..SEEDS {
        let layout = drawn(&tasks, "pick_up", "clean", seed);
        let (object, others) = layout.things.split_first().expect("an object");
        let lies = |thing: &&super::draw::Placed| thing.name.starts_with("distractor");
        let others: Vec<_> = others.iter().filter(lies).collect();
        counts[others.len()] += 1;
        objects[usize::from(object.name == "ball")] += 1;
        assert_eq!(layout.object, object.name);
        assert_eq!(layout.params.object_is_berry, object.name == "berry", "seed {seed}");
        assert_eq!(layout.params.radius, tasks.objects[&object.name].radius_m);
        for (k, other) in others.iter().enumerate() {
            assert!(far(other.position_m, object.position_m) >= 0.09, "seed {seed}");
            for third in &others[..k] {
                assert_ne!(third.name, other.name, "seed {seed}: one thing in two places");
                assert!(far(other.position_m, third.position_m) >= 0.05, "seed {seed}");
            }
        }
    }
    assert_eq!(counts[..2], [0, 0]);
    assert!(counts[2..].iter().all(|count| *count > 100), "{counts:?}");
    assert!(objects.iter().all(|count| *count > 200), "{objects:?}");
}

#[test]
fn draws_fill_their_ranges_and_repeat() {
    let tasks = shipped();
    let task = tasks.of("run_around").expect("a task");
    let mut sums = [0.0; 4];
    for seed in 0..SEEDS {
        let layout = drawn(&tasks, "run_around", "clean", seed);
        let params = layout.params;
        let values = [params.target_x, params.target_y, params.radius, params.speed_hint];
        let ranges = [task.x_m, task.y_m, task.radius_m.expect("told"), task.speed_hint];
        for ((sum, value), [low, high]) in sums.iter_mut().zip(values).zip(ranges) {
            assert!((low..=high).contains(&value), "seed {seed}: {values:?}");
            *sum += (value - low) / (high - low) / SEEDS as f64;
        }
        assert_eq!(params, drawn(&tasks, "run_around", "clean", seed).params, "seed {seed}");
        assert!(
            layout.start.iter().all(|share| share.abs() <= 1.0) && layout.start.len() == JOINTS
        );
    }
    // The mean of 500 even draws has a deviation of 0.013.
    assert!(sums.iter().all(|mean| (mean - 0.5).abs() < 0.05), "{sums:?}");
}

#[test]
fn a_target_may_lie_somewhere_round_a_point() {
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/scenes/fireboy_berry.xml");
    let tasks = Tasks::load(&scene).expect("shipped");
    let mut angles = 0.0;
    for seed in 0..SEEDS {
        let params = drawn(&tasks, "walk_to", "clean", seed).params;
        let far = params.target_x.hypot(params.target_y);
        let angle = params.target_y.atan2(params.target_x);
        assert!((0.34..=0.54).contains(&far) && angle.abs() <= 0.75, "seed {seed}: {params:?}");
        assert_eq!(params.target_z, 0.0, "seed {seed}");
        angles += angle / SEEDS as f64;
    }
    assert!(angles.abs() < 0.1, "{angles}");
    let berry = drawn(&tasks, "pick_up", "clean", 1);
    assert!((berry.params.target_z - 0.295).abs() < 1e-9 && berry.params.object_is_berry);
}

#[test]
fn strata_trouble_the_same_episodes() {
    let tasks = shipped();
    let mut frictions = Vec::new();
    for seed in 0..SEEDS {
        let clean = drawn(&tasks, "pick_up", "clean", seed);
        assert_eq!((clean.friction, clean.mass, &clean.push), (1.0, 1.0, &None));
        for stratum in ["noise", "latency", "body", "target", "push"] {
            let other = drawn(&tasks, "pick_up", stratum, seed);
            assert_eq!(other.things, clean.things, "seed {seed}, {stratum}");
            assert_eq!(other.start, clean.start, "seed {seed}, {stratum}");
        }
        let body = drawn(&tasks, "pick_up", "body", seed);
        assert!((0.5..=2.0).contains(&body.friction) && (0.5..=2.0).contains(&body.mass));
        assert_ne!(body.friction, body.mass, "seed {seed}: drawn each by itself");
        frictions.push(body.friction);
        let target = drawn(&tasks, "pick_up", "target", seed).params;
        let off =
            [target.target_x - clean.params.target_x, target.target_y - clean.params.target_y];
        assert!(off.iter().all(|off| off.abs() <= 0.01 && *off != 0.0), "seed {seed}: {off:?}");
        let (link, push) = drawn(&tasks, "pick_up", "push", seed).push.expect("a push");
        let [x, y, z] = push.force_n;
        assert!((x.hypot(y) - 40.0).abs() < 1e-9 && z == 0.0, "seed {seed}: {push:?}");
        assert!((0.5..=3.0).contains(&push.from_s) && link == "link6", "seed {seed}: {push:?}");
    }
    let below = frictions.iter().filter(|factor| **factor < 1.0).count();
    assert!((200..300).contains(&below), "{below} of {SEEDS} below 1: log-evenly is half");
}

#[test]
fn a_full_table_is_told_and_neighbouring_seeds_differ() {
    let mut tasks = shipped();
    let (one, other) = (drawn(&tasks, "walk_to", "clean", 7), drawn(&tasks, "walk_to", "clean", 8));
    assert_ne!(one.params, other.params);
    let task = tasks.tasks.get_mut("pick_up").expect("a task");
    task.distractors.as_mut().expect("some").from_object_m = 2.0;
    let task = tasks.of("pick_up").expect("a task");
    let refused = Layout::draw(&tasks, task, &Stratum::default(), 1, JOINTS);
    assert!(refused.is_err_and(|words| words.contains("seed 1: no room")));
}

#[test]
fn what_is_wrong_in_the_file_is_refused_with_key_and_remedy() {
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/scenes/piper_berry.toml");
    let text = std::fs::read_to_string(scene).expect("shipped");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scene.toml");
    for (from, to, words) in [
        ("evaluation.v2", "evaluation.v1", &["schema", "reflex.evaluation.v2"][..]),
        (
            "objects = [\"berry\", \"ball\"]",
            "objects = [\"plum\"]",
            &["tasks.pick_up.objects", "plum"],
        ),
        (
            "objects = [\"berry\", \"ball\"]",
            "objects = []",
            &["tasks.pick_up.objects", "at least one"],
        ),
        ("count = [2, 4]", "count = [2, 5]", &["tasks.pick_up.distractors.count"]),
        ("x_m = [0.20, 0.50]", "x_m = [0.50, 0.20]", &["x_m", "lower one first"]),
        ("x_m = [0.20, 0.50]", "x_m = [0.20, nan]", &["x_m", "NaN"]),
        ("time_max_s = 12.0", "time_max_s = 0.0", &["time_max_s"]),
        ("kind = \"lift\"", "kind = \"throw\"", &["throw", "settle"]),
        ("lift_m = 0.08", "lift_m = 0.08, throw_m = 1.0", &["throw_m"]),
        (
            "time_max_s = 12.0",
            "time_max_s = 12.0\noff = { distance_m = [0.5, 0.1], angle_rad = [0.0, 1.0] }",
            &["tasks.pick_up.off.distance_m", "lower one first"],
        ),
        ("time_max_s = 12.0", "time_max_s = 12.0\nticks_max = 0", &["tasks.pick_up.ticks_max"]),
        ("friction = [0.5, 2.0]", "friction = [0.0, 2.0]", &["strata.body.friction"]),
        ("name = \"noise\"", "name = \"clean\"", &["strata.clean.name"]),
        ("delay_ticks", "delay_tocks", &["delay_tocks"]),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is there");
        std::fs::write(&file, changed).expect("a file");
        let refused = Tasks::load(&folder.path().join("scene.xml")).expect_err(to).to_string();
        for word in words.iter().chain(&["scene.toml"]) {
            assert!(refused.contains(word), "{to}: {refused}");
        }
    }
    let tasks = shipped();
    let words = tasks.strata(&["fog".to_owned()]).expect_err("no such stratum").to_string();
    assert!(words.contains("fog") && words.contains("latency"), "{words}");
    assert_eq!(tasks.strata(&["all".to_owned()]).expect("all").len(), tasks.strata.len());
    assert!(tasks.of("fly").expect_err("no such task").to_string().contains("walk_to"));
}
