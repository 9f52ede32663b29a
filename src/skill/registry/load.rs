//! From the file to heads that have been proved: the only way to a [`Registry`].

use std::{path::Path, sync::Arc};

use super::{
    JointUnits, Means, PolicyEntry, Registry, RegistryFile, RobotEntry, Scripted, Shadow, Skill,
    Status, Way,
};
use crate::{
    config::ConfigError,
    head::{Head, HeadError, Manifest},
    inference::EngineError,
    security::SealError,
};

/// Why a policy, or a whole registry, is refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The registry's file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A head.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file that is not signed as it has to be.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What heads are loaded with.
pub struct Loader<'a> {
    /// The robot.
    pub robot: &'a str,
    /// The loop's period, s.
    pub period_s: f64,
    /// Its joints.
    pub joints: JointUnits,
    /// Loads a head from its manifest, proves it and warms it up.
    pub load: &'a dyn Fn(&Path) -> Result<Head, LoadError>,
}

impl Loader<'_> {
    /// Loads what `file` has for this robot. Heads that `before` has already are taken from there: of what stays as it is
    /// there is one in memory, not two. Also says what was refused and could be done without: a shadow, a fallback, and
    /// an active policy in whose place the fallback runs.
    ///
    /// # Errors
    /// An active policy that is refused and has no fallback.
    pub fn load(
        &self,
        file: &RegistryFile,
        before: &Registry,
    ) -> Result<(Registry, Vec<LoadError>), LoadError> {
        let mut registry = Registry { file: file.path().to_owned(), ..Registry::default() };
        let mut refused = Vec::new();
        for (name, skill) in &file.skills {
            let Some(entry) = skill.robots.get(self.robot) else { continue };
            if let Some(skill) = self.skill(file, name, entry, before, &mut refused)? {
                registry.skills.insert(name.clone(), Arc::new(skill));
            }
        }
        let offered = |(_, skill): &(&String, &String)| registry.skills.contains_key(*skill);
        let aliases = file.aliases.iter().filter(offered);
        registry.aliases = aliases.map(|(alias, of)| (alias.clone(), of.clone())).collect();
        Ok((registry, refused))
    }

    fn skill(
        &self,
        file: &RegistryFile,
        name: &str,
        entry: &RobotEntry,
        before: &Registry,
        refused: &mut Vec<LoadError>,
    ) -> Result<Option<Skill>, LoadError> {
        let means = |status| {
            let policy = entry.policies.iter().find(|policy| policy.status == status)?;
            Some((policy, self.means(file, name, policy, before)))
        };
        let Some((_, active)) = means(Status::Active) else { return Ok(None) };
        let mut spare = |status| match means(status)? {
            (policy, Ok(means)) => Some((policy, Arc::new(means))),
            (_, Err(why)) => {
                refused.push(why);
                None
            }
        };
        let fallback = spare(Status::Fallback).map(|(_, means)| means);
        let shadow = spare(Status::Shadow).and_then(|(policy, means)| {
            Some(Arc::new(Shadow::new(means, policy.shadow?, Arc::clone(&self.joints))))
        });
        let active = match (active, &fallback) {
            (Ok(active), _) => Arc::new(active),
            (Err(why), None) => return Err(why),
            (Err(why), Some(fallback)) => {
                refused.push(why);
                Arc::clone(fallback)
            }
        };
        let shadow = shadow.filter(|_| active.head().is_some());
        let ticks_max = (entry.duration_max_s / self.period_s).round() as u64;
        let (entry, trial) = (entry.clone(), None);
        Ok(Some(Skill { entry, ticks_max, active, fallback, shadow, trial }))
    }

    fn means(
        &self,
        file: &RegistryFile,
        skill: &str,
        policy: &PolicyEntry,
        before: &Registry,
    ) -> Result<Means, LoadError> {
        let name = policy.name.clone();
        let (path, reach) = match (&policy.head, &policy.scripted) {
            (Some(head), _) => (file.resolve(head), None),
            (None, Some(Scripted::Reach(reach))) => (std::path::PathBuf::new(), Some(reach)),
            // The file was checked: it has one of them.
            (None, None) => (std::path::PathBuf::new(), None),
        };
        if let Some(reach) = reach {
            let way = Way::Reach(reach.clone());
            return Ok(Means { name, manifest: path, digests: Default::default(), way });
        }
        let wrong = |key: &str, value: &dyn std::fmt::Debug, remedy: &str| {
            let key = format!("skills.{skill}.robots.{}.policies.{name}.{key}", self.robot);
            LoadError::from(ConfigError::value(file.path(), key, value, remedy))
        };
        let manifest = Manifest::load(&path)?;
        let digests = manifest.digests()?;
        let known = before.resident().find(|old| old.manifest == path && old.digests == digests);
        let way = match known.and_then(|means| means.head()) {
            Some(head) => Way::Head(Arc::clone(head)),
            None => Way::Head(Arc::new(std::sync::Mutex::new((self.load)(&path)?))),
        };
        // What is wrong with a head has been said more precisely by now than its digests could.
        if manifest.skill != skill {
            let remedy = format!("it is made for {:?}: take another head", manifest.skill);
            return Err(wrong("head", &path, &remedy));
        }
        if let Err(why) = manifest.timing.fits(self.period_s * 1e3) {
            let remedy = format!("{why}, or take another head");
            return Err(wrong("head", &path, &remedy));
        }
        let pins = [
            ("manifest_sha256", &policy.manifest_sha256, &digests[0]),
            ("onnx_sha256", &policy.onnx_sha256, &digests[1]),
        ];
        for (key, pinned, found) in pins {
            let is = pinned.as_ref().is_some_and(|pinned| pinned.eq_ignore_ascii_case(found));
            if !is {
                let remedy = format!(
                    "the file has {found}: restore it; or, if it is meant to have changed, `reflexd registry pin`"
                );
                return Err(wrong(key, &pinned.as_deref().unwrap_or("absent"), &remedy));
            }
        }
        Ok(Means { name, manifest: path, digests, way })
    }
}
