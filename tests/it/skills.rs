//! Every shipped skill that runs a head does what it is for, under every condition: a few episodes of each, such that a
//! head that got worse is noticed. The whole measure is `make evaluate`.

use reflexd::{
    config::Settings,
    daemon,
    evaluation::{Conditions, Evaluation, Tasks},
};

use crate::rig::here;

/// Far from what any training or `make evaluate` draws.
const SEED: u64 = 770_000;
/// Episodes of each stratum.
const EPISODES: u64 = 3;
/// Episodes of a skill, over all strata, that may fail: the bar is 98 of 100, and engines differ in the last bit.
const FAILURES_MAX: usize = 1;

#[test]
fn every_head_does_what_its_skill_is_for_under_every_condition() {
    let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
    let period_s = f64::from(settings.daemon.loop_.period_ms) / 1e3;
    let robot = &settings.robot_settings;
    let registry = daemon::registry(&settings, period_s).expect("shipped heads");
    let scene = daemon::scene(robot).expect("shipped scene");
    let tasks = Tasks::load(&robot.mujoco.as_ref().expect("a scene").scene).expect("shipped tasks");
    let mut evaluated = Vec::new();
    for skill in registry.names().filter(|skill| registry.head(skill).is_some()) {
        let mut failed = Vec::new();
        for stratum in &tasks.strata {
            let evaluation = Evaluation {
                robot: daemon::guarded(robot, period_s).expect("shipped limits").0,
                scene: &scene,
                registry: &registry,
                skill,
                task: skill,
                instruction: None,
                tasks: &tasks,
                stratum,
                conditions: Conditions::default(),
            };
            let tally = evaluation.run(SEED, EPISODES, |_| ()).expect("a head that fits its task");
            failed.extend(tally.failures().map(|seed| format!("{} {seed}", stratum.name)));
            assert!(tally.episodes.iter().all(|episode| !episode.faulted), "{skill}: {tally:?}");
        }
        assert!(failed.len() <= FAILURES_MAX, "{skill}: {failed:?} failed; `reflexd eval` repeats");
        evaluated.push(skill);
    }
    assert!(evaluated.contains(&"pick_up"), "{evaluated:?}");
}
