//! Which skills there are, what carries each of them out, and what they may be asked to do.
//!
//! ```text
//!   models/policy_registry.json ──file──► entries ──load──► heads, proved and warm ──► Registry ──recipe──► a Policy
//! ```
//!
//! A [`Registry`] does not change. What changes while the daemon runs is which one counts: the next decision takes the
//! newest, and a run that goes on keeps what it was made of until it is handed over.

mod file;
mod json;
mod live;
mod load;
mod pin;
mod proof;
pub mod report;
mod routers;
mod shadow;
mod validate;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

pub use file::{
    Bounds, CanaryRules, EvaluationRecord, PolicyEntry, RegistryFile, RobotEntry, SCHEMA, Scripted,
    ShadowRules, SkillEntry, Status,
};
pub use load::{LoadError, Loader};
pub use pin::{Change, pin, prove, record};
pub use proof::ProofEntry;
pub use routers::{RouterEntry, RouterRecord};
pub use shadow::{Criterion, JointUnits, Shadow, ShadowReport, Unit};
pub use validate::{Bench, Finding, PolicyReport, Report, Word, validate};

use super::policy::Policy;
use crate::{config::ReachSettings, head::Head, observation::Params};

/// What one robot can do.
#[derive(Clone, Default)]
pub struct Registry {
    file: PathBuf,
    skills: BTreeMap<String, Arc<Skill>>,
    aliases: BTreeMap<String, String>,
}

/// A skill of this robot.
#[derive(Clone)]
pub struct Skill {
    /// As the file says it.
    pub entry: RobotEntry,
    /// The longest run.
    pub ticks_max: u64,
    /// What decisions run.
    pub active: Arc<Means>,
    /// What they run where there is nothing better.
    pub fallback: Option<Arc<Means>>,
    /// What is compared with it.
    pub shadow: Option<Arc<Shadow>>,
    /// The trial that the active policy is on.
    pub trial: Option<Trial>,
}

/// A new active policy has to go without a trip for some runs.
#[derive(Clone)]
pub struct Trial {
    /// So many.
    pub runs_left: u32,
    /// What is gone back to after a trip.
    pub before: Arc<Means>,
}

/// What carries a skill out, ready to.
pub struct Means {
    /// Its policy's name.
    pub name: String,
    /// Its manifest, if it is a head.
    pub manifest: PathBuf,
    /// SHA-256 of manifest and network; empty if it is no head.
    pub digests: [String; 2],
    /// How it does it.
    pub way: Way,
}

/// How a skill is carried out.
pub enum Way {
    /// By a head.
    Head(Arc<Mutex<Head>>),
    /// By a motion to the target.
    Reach(ReachSettings),
}

/// What a skill is made of, for one decision.
#[expect(clippy::large_enum_variant, reason = "made for one decision and used up at once")]
pub enum Recipe {
    /// A head at work.
    Policy(Policy),
    /// The tool goes to the target: to be planned from where the robot is.
    Reach(ReachSettings),
}

impl Registry {
    /// The file that it was read from; empty if there is none.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Names of the skills, without their aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.skills.keys().map(String::as_str)
    }

    /// The aliases of a skill.
    pub fn aliases(&self, skill: &str) -> impl Iterator<Item = &str> {
        let pairs = self.aliases.iter().filter(move |(_, of)| *of == skill);
        pairs.map(|(alias, _)| alias.as_str())
    }

    /// A skill and its proper name, by that or by an alias.
    #[must_use]
    pub fn skill(&self, name: &str) -> Option<(&str, &Arc<Skill>)> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.skills.get_key_value(name).map(|(name, skill)| (name.as_str(), skill))
    }

    /// The head that a skill runs, if it runs one.
    #[must_use]
    pub fn head(&self, name: &str) -> Option<&Arc<Mutex<Head>>> {
        self.skill(name)?.1.active.head()
    }

    /// What a skill is made of, to work on `params`; and its proper name.
    ///
    /// # Errors
    /// An unknown skill, or parameters out of its bounds.
    pub fn recipe(&self, name: &str, params: Params) -> Result<(&str, Recipe), String> {
        let Some((name, skill)) = self.skill(name) else { return Err(self.unknown(name)) };
        skill.entry.bounds.check(name, &params)?;
        let recipe = match &skill.active.way {
            Way::Head(head) => {
                let policy = Policy::new(Arc::clone(head), params, skill.ticks_max);
                Recipe::Policy(policy.beside(skill.shadow.clone()))
            }
            Way::Reach(settings) => Recipe::Reach(settings.clone()),
        };
        Ok((name, recipe))
    }

    fn unknown(&self, name: &str) -> String {
        let known: Vec<&str> = self.names().collect();
        format!("skill {name:?} is unknown; this robot has {}", known.join(", "))
    }

    /// The policy of a skill that runs a head.
    ///
    /// # Errors
    /// As [`Registry::recipe`]; and a skill without a head.
    pub fn policy(&self, name: &str, params: Params) -> Result<Policy, String> {
        match self.recipe(name, params)? {
            (_, Recipe::Policy(policy)) => Ok(policy),
            (name, Recipe::Reach(_)) => Err(format!("skill {name:?} runs no head")),
        }
    }
}

impl Means {
    /// Its head, if it has one.
    #[must_use]
    pub const fn head(&self) -> Option<&Arc<Mutex<Head>>> {
        match &self.way {
            Way::Head(head) => Some(head),
            Way::Reach(_) => None,
        }
    }
}
