//! An episode in lockstep is a function of its seed, and the shipped head picks up berries that it has never seen.

use reflexd::{
    config::Settings,
    daemon,
    evaluation::{Conditions, Episode, Evaluation, Tally, Tasks},
};
use serde_json::Value;

use crate::rig::here;

/// Loads everything anew, so that nothing of an earlier evaluation can leak into the next.
fn evaluate(seed: u64, episodes: u64, execute: Option<u32>) -> Tally {
    evaluate_in("clean", seed, episodes, execute)
}

fn evaluate_in(stratum: &str, seed: u64, episodes: u64, execute: Option<u32>) -> Tally {
    let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
    let period_s = f64::from(settings.daemon.loop_.period_ms) / 1e3;
    let robot = &settings.robot_settings;
    let scene = daemon::scene(robot).expect("shipped scene");
    let file = &robot.mujoco.as_ref().expect("a scene").scene;
    let tasks = Tasks::load(file).expect("shipped tasks");
    let strata = tasks.strata(&[stratum.to_owned()]).expect("a shipped stratum");
    let evaluation = Evaluation {
        robot: daemon::guarded(robot, period_s).expect("shipped limits").0,
        scene: &scene,
        registry: &daemon::registry(&settings, period_s).expect("shipped heads"),
        skill: "pick_up",
        task: "pick_up",
        instruction: None,
        tasks: &tasks,
        stratum: strata[0],
        conditions: Conditions { execute, ..Conditions::default() },
    };
    evaluation.run(seed, episodes, |_| ()).expect("a skill that fits its task")
}

/// All of an episode, to the bit: equal floats may differ in the sign of a zero.
fn bits(episode: &Episode) -> Vec<u64> {
    let numbers = episode.object_m.iter().chain(&episode.final_joints);
    let figure = episode.figure_m.as_ref();
    numbers.chain([&episode.time_s]).chain(figure).map(|value| value.to_bits()).collect()
}

#[test]
fn the_same_seed_is_the_same_episode_to_the_bit() {
    let seed = 20_261_121;
    let (one, other) = (evaluate(seed, 3, None), evaluate(seed, 3, None));
    assert_eq!(one.episodes, other.episodes, "seed {seed}");
    for (one, other) in one.episodes.iter().zip(&other.episodes) {
        assert_eq!(bits(one), bits(other), "seed {}", one.seed);
    }
    let [first, second, ..] = one.episodes.as_slice() else { panic!("three episodes") };
    assert_ne!(first.object_m, second.object_m, "another seed puts the berry elsewhere");
    assert_ne!(first.final_joints, second.final_joints, "and ends elsewhere");
    assert_eq!(first.final_joints.len(), 7, "the fingerprint is there");
}

#[test]
fn trouble_repeats_to_the_bit_and_is_felt() {
    let seed = 20_261_122;
    let clean = evaluate(seed, 1, None);
    for stratum in ["noise", "latency", "body", "target", "push"] {
        let (one, other) =
            (evaluate_in(stratum, seed, 1, None), evaluate_in(stratum, seed, 1, None));
        assert_eq!(bits(&one.episodes[0]), bits(&other.episodes[0]), "{stratum}, seed {seed}");
        assert_eq!(one.episodes[0].object_m, clean.episodes[0].object_m, "the same episode");
        assert_ne!(bits(&one.episodes[0]), bits(&clean.episodes[0]), "{stratum} changes nothing");
    }
}

#[test]
fn an_episode_does_not_depend_on_those_before_it() {
    let seed = 7_000;
    let (row, alone) = (evaluate(seed, 3, None), evaluate(seed + 2, 1, None));
    assert_eq!(row.episodes[2], alone.episodes[0], "seed {}", seed + 2);
}

#[test]
fn ninety_eight_of_a_hundred_unseen_berries_are_picked_up() {
    let seed = 31_000;
    let tally = evaluate(seed, 100, None);
    let failed: Vec<u64> = tally.failures().collect();
    assert!(
        tally.successes >= 98,
        "failed: {failed:?}; `reflexd eval` with such a seed repeats it"
    );
}

#[test]
fn berries_are_picked_up_however_many_steps_are_executed() {
    for execute in [1, 4, 8] {
        let tally = evaluate(32_000, 3, Some(execute));
        assert_eq!(tally.execute_steps, execute);
        let failed: Vec<u64> = tally.failures().collect();
        assert!(failed.is_empty(), "executing {execute}: {failed:?} failed");
    }
}

#[test]
fn eval_as_a_process_tells_the_same_episodes() {
    let args = "eval --skill pick_up --episodes 3 --seed 5 --execute 8 --json";
    let done = crate::daemon::run(&args.split(' ').collect::<Vec<_>>());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let told: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(told["skill"], "pick_up");
    let rows = told["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 1, "one way to execute was asked for");
    assert_eq!((&rows[0]["execute_steps"], &rows[0]["successes"]), (&8.into(), &3.into()));
    let here = evaluate(5, 3, Some(8));
    let here: Value = serde_json::from_str(&serde_json::to_string(&here.episodes).expect("JSON"))
        .expect("our own JSON");
    assert_eq!(rows[0]["episodes"], here, "another process, the same bits");

    let strict = ["eval", "--skill", "fly", "--episodes", "1"];
    let refused = crate::daemon::run(&strict);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("skill = \"fly\"") && told.contains("pick_up"), "{told}");
}
