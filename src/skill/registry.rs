//! Which skills there are, and what they may be asked to do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::{Skill, policy::Policy};
use crate::{config::SkillSettings, head::Head, observation::Params};

/// Skill name to what runs it.
#[derive(Default)]
pub struct Registry {
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    head: Arc<Mutex<Head>>,
    settings: SkillSettings,
    ticks_max: u64,
}

impl Registry {
    /// Adds a skill that runs a head.
    pub fn add(&mut self, settings: SkillSettings, head: Head, period_s: f64) {
        let ticks_max = (settings.duration_max_s / period_s).round() as u64;
        let entry = Entry { head: Arc::new(Mutex::new(head)), settings, ticks_max };
        self.entries.insert(entry.settings.name.clone(), entry);
    }

    /// Names of the skills.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The head that a skill runs.
    #[must_use]
    pub fn head(&self, name: &str) -> Option<&Arc<Mutex<Head>>> {
        self.entries.get(name).map(|entry| &entry.head)
    }

    /// A skill at work on `params`.
    ///
    /// # Errors
    /// An unknown skill, or parameters out of its bounds.
    pub fn make(&self, name: &str, params: Params) -> Result<Box<dyn Skill>, String> {
        Ok(Box::new(self.policy(name, params)?))
    }

    /// The same, as what it is: a policy.
    ///
    /// # Errors
    /// An unknown skill, or parameters out of its bounds.
    pub fn policy(&self, name: &str, params: Params) -> Result<Policy, String> {
        let Some(entry) = self.entries.get(name) else {
            let known: Vec<&str> = self.names().collect();
            return Err(format!("skill {name:?} is unknown; this robot has {}", known.join(", ")));
        };
        check(&entry.settings, &params)?;
        Ok(Policy::new(Arc::clone(&entry.head), params, entry.ticks_max))
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
