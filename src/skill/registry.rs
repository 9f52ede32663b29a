//! Which skills there are, and what they may be asked to do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::policy::Policy;
use crate::{
    config::{ReachSettings, SkillSettings},
    head::Head,
    observation::Params,
};

/// Skill name to what runs it.
#[derive(Default)]
pub struct Registry {
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    means: Means,
    settings: SkillSettings,
    ticks_max: u64,
}

enum Means {
    Head(Arc<Mutex<Head>>),
    Reach(ReachSettings),
}

/// What a skill is made of, for one decision.
pub enum Recipe {
    /// A head at work.
    Policy(Policy),
    /// The tool goes to the target: to be planned from where the robot is.
    Reach(ReachSettings),
}

impl Registry {
    /// Adds a skill that runs a head.
    pub fn add(&mut self, settings: SkillSettings, head: Head, period_s: f64) {
        self.insert(settings, Means::Head(Arc::new(Mutex::new(head))), period_s);
    }

    /// Adds a skill that takes the tool to its target.
    pub fn add_reach(&mut self, settings: SkillSettings, reach: ReachSettings, period_s: f64) {
        self.insert(settings, Means::Reach(reach), period_s);
    }

    fn insert(&mut self, settings: SkillSettings, means: Means, period_s: f64) {
        let ticks_max = (settings.duration_max_s / period_s).round() as u64;
        self.entries.insert(settings.name.clone(), Entry { means, settings, ticks_max });
    }

    /// Names of the skills.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The head that a skill runs, if it runs one.
    #[must_use]
    pub fn head(&self, name: &str) -> Option<&Arc<Mutex<Head>>> {
        match &self.entries.get(name)?.means {
            Means::Head(head) => Some(head),
            Means::Reach(_) => None,
        }
    }

    /// What a skill is made of, to work on `params`.
    ///
    /// # Errors
    /// An unknown skill, or parameters out of its bounds.
    pub fn recipe(&self, name: &str, params: Params) -> Result<Recipe, String> {
        let Some(entry) = self.entries.get(name) else {
            let known: Vec<&str> = self.names().collect();
            return Err(format!("skill {name:?} is unknown; this robot has {}", known.join(", ")));
        };
        check(&entry.settings, &params)?;
        Ok(match &entry.means {
            Means::Head(head) => {
                Recipe::Policy(Policy::new(Arc::clone(head), params, entry.ticks_max))
            }
            Means::Reach(settings) => Recipe::Reach(settings.clone()),
        })
    }

    /// The policy of a skill that runs a head.
    ///
    /// # Errors
    /// As [`Registry::recipe`]; and a skill without a head.
    pub fn policy(&self, name: &str, params: Params) -> Result<Policy, String> {
        match self.recipe(name, params)? {
            Recipe::Policy(policy) => Ok(policy),
            Recipe::Reach(_) => Err(format!("skill {name:?} runs no head")),
        }
    }
}

fn check(settings: &SkillSettings, params: &Params) -> Result<(), String> {
    let target = [params.target_x, params.target_y, params.target_z];
    let names = ["target_x", "target_y", "target_z"];
    let bounds = settings.target_min_m.iter().zip(&settings.target_max_m);
    for ((value, name), (min, max)) in target.iter().zip(names).zip(bounds) {
        if !(min..=max).contains(&value) {
            return Err(format!(
                "{name} = {value} m is out of reach of {:?}: {min} to {max} m",
                settings.name
            ));
        }
    }
    if !(params.speed_hint > 0.0 && params.speed_hint <= 1.0) {
        return Err(format!("speed_hint = {} is not in (0, 1]", params.speed_hint));
    }
    if !(params.radius > 0.0 && params.radius <= 0.1) {
        return Err(format!("radius = {} m is not in (0, 0.1]", params.radius));
    }
    Ok(())
}
