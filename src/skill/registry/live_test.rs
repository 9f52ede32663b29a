use std::path::PathBuf;

use super::*;
use crate::{
    config::ReachSettings,
    skill::registry::{Bounds, CanaryRules, RobotEntry},
};

fn means(name: &str) -> Arc<Means> {
    let way = Way::Reach(ReachSettings::default());
    let (name, manifest) = (name.to_owned(), PathBuf::new());
    Arc::new(Means { name, manifest, digests: Default::default(), way })
}

fn skill(active: &str, runs: u32) -> Skill {
    let all = [-1.0, 1.0];
    let bounds = Bounds {
        target_x_m: all,
        target_y_m: all,
        target_z_m: all,
        radius_m: [0.0, 1.0],
        speed_hint: [0.0, 1.0],
    };
    let entry = RobotEntry {
        duration_max_s: 1.0,
        bounds,
        success_share_min: None,
        canary: CanaryRules { runs, ..CanaryRules::default() },
        policies: Vec::new(),
    };
    let (active, fallback, shadow, trial) = (means(active), None, None, None);
    Skill { entry, ticks_max: 20, active, fallback, shadow, trial }
}

fn registry(skills: &[(&str, Skill)]) -> Registry {
    let skills = skills.iter().map(|(name, skill)| ((*name).to_owned(), Arc::new(skill.clone())));
    Registry { skills: skills.collect(), ..Registry::default() }
}

fn runs(registry: &Registry, name: &str) -> (String, Option<u32>) {
    let (_, skill) = registry.skill(name).expect("it is there");
    (skill.active.name.clone(), skill.trial.as_ref().map(|trial| trial.runs_left))
}

#[test]
fn what_becomes_active_is_on_trial_and_what_stays_is_not() {
    let old = registry(&[("a", skill("one", 2)), ("b", skill("one", 2)), ("c", skill("one", 2))]);
    let new = registry(&[("a", skill("two", 2)), ("b", skill("one", 2)), ("d", skill("one", 2))]);
    let (now, news) = new.succeeding(&old);
    assert_eq!(runs(&now, "a"), ("two".into(), Some(2)));
    assert_eq!(runs(&now, "b"), ("one".into(), None));
    assert_eq!(runs(&now, "d"), ("one".into(), None), "it replaces nothing");
    for told in ["a: runs two instead of one", "d: new, runs one", "c: gone"] {
        assert!(news.iter().any(|line| line.starts_with(told)), "{told:?} is not in {news:?}");
    }
    assert_eq!(news.len(), 3);
    assert_eq!(now.clone().succeeding(&now).1, [] as [&str; 0], "the same again is no news");
}

#[test]
fn a_trial_is_passed_run_by_run_or_ends_where_it_began() {
    let old = registry(&[("a", skill("one", 2))]);
    let (trial, _) = registry(&[("a", skill("two", 2))]).succeeding(&old);
    let (later, words) = trial.passed_a_run("a").expect("on trial");
    assert_eq!((runs(&later, "a"), words), (("two".into(), Some(1)), None));
    let (back, words) = later.rolled_back("a").expect("a way back");
    assert_eq!(
        (runs(&back, "a"), words.as_str()),
        (("one".into(), None), "a: back to one from two")
    );
    assert!(back.rolled_back("a").is_err_and(|why| why.contains("nothing to go back to")));
    let (passed, words) = later.passed_a_run("a").expect("on trial");
    assert_eq!(runs(&passed, "a"), ("two".into(), None));
    assert!(words.is_some_and(|words| words.contains("has passed its trial")));
    assert!(passed.passed_a_run("a").is_none() && passed.rolled_back("a").is_err());
    let (ended, _) = trial.promoted("a").expect("an operator ends the trial well");
    assert_eq!(runs(&ended, "a"), ("two".into(), None));
    assert!(ended.promoted("a").is_err_and(|why| why.contains("no shadow")));
}

#[test]
fn without_a_trial_there_is_no_way_back_but_the_fallback() {
    let old = registry(&[("a", skill("one", 0))]);
    let mut next = skill("two", 0);
    next.fallback = Some(means("spare"));
    let (now, _) = registry(&[("a", next)]).succeeding(&old);
    assert_eq!(runs(&now, "a"), ("two".into(), None));
    let (back, _) = now.rolled_back("a").expect("the fallback");
    assert_eq!(runs(&back, "a"), ("spare".into(), None));
    assert!(back.rolled_back("a").is_err(), "it is the fallback already");
}
