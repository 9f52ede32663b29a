//! From one registry to the next while the daemon runs: reloads, promotions, trials and the way back. Pure: nothing is
//! loaded here, and nothing takes effect.

use std::sync::Arc;

use super::{Means, Registry, Skill, Trial, Way};

impl Registry {
    /// This registry as the successor of `before`: a skill whose active policy is another one now is on trial, with the
    /// one before it to go back to; a shadow that stays keeps what has been seen of it. Also says what is new, in words.
    #[must_use]
    pub fn succeeding(mut self, before: &Self) -> (Self, Vec<String>) {
        let mut news = Vec::new();
        for (name, skill) in &mut self.skills {
            let Some(old) = before.skills.get(name) else {
                news.push(format!("{name}: new, runs {}", skill.active));
                continue;
            };
            let mut new = Skill::clone(skill);
            if new.active.is(&old.active) {
                new.active = Arc::clone(&old.active);
                new.trial.clone_from(&old.trial);
            } else {
                news.push(format!("{name}: runs {} instead of {}", new.active, old.active));
                new.trial = new.trial_after(&old.active);
            }
            match (&new.shadow, &old.shadow) {
                (Some(one), Some(other))
                    if one.means.is(&other.means) && one.rules == other.rules =>
                {
                    new.shadow = Some(Arc::clone(other));
                }
                (Some(shadow), _) => news.push(format!("{name}: {} is its shadow", shadow.means)),
                (None, Some(gone)) => {
                    news.push(format!("{name}: {} is no shadow any more", gone.means))
                }
                (None, None) => {}
            }
            let (entry, was) = (&new.entry, &old.entry);
            if entry.bounds != was.bounds || new.ticks_max != old.ticks_max {
                news.push(format!("{name}: other bounds, or another duration"));
            }
            *skill = Arc::new(new);
        }
        for name in before.names().filter(|name| !self.skills.contains_key(*name)) {
            news.push(format!("{name}: gone; a run of it goes on to its end"));
        }
        if self.aliases != before.aliases {
            news.push("other aliases".into());
        }
        (self, news)
    }

    /// With a skill's shadow as its active policy, on trial. Of a skill on trial: with the trial ended well.
    ///
    /// # Errors
    /// Why not: no such skill, no shadow, or the first criterion that does not hold.
    pub fn promoted(&self, name: &str) -> Result<(Self, String), String> {
        let (name, skill) = self.known(name)?;
        let mut new = Skill::clone(skill);
        let Some(shadow) = new.shadow.take() else {
            if new.trial.take().is_some() {
                let words = format!("{name}: {} stays, its trial is over", skill.active);
                return Ok((self.with(name, new), words));
            }
            return Err(format!("{name} has no shadow to promote"));
        };
        let refused = |why| format!("{} is not promoted: {why}", shadow.means.name);
        shadow.may_be_promoted().map_err(refused)?;
        new.active = Arc::clone(&shadow.means);
        new.trial = new.trial_after(&skill.active);
        let words = format!("{name}: runs {} instead of {}", new.active, skill.active);
        Ok((self.with(name, new), words))
    }

    /// With a skill's policy from before its trial; without a trial, with its fallback.
    ///
    /// # Errors
    /// Why not: no such skill, or nothing to go back to.
    pub fn rolled_back(&self, name: &str) -> Result<(Self, String), String> {
        let (name, skill) = self.known(name)?;
        let before = skill.trial.as_ref().map(|trial| &trial.before).or(skill.fallback.as_ref());
        let Some(before) = before.filter(|before| !before.is(&skill.active)) else {
            return Err(format!(
                "{name} has nothing to go back to: it is not on trial, and no other fallback is resident"
            ));
        };
        let mut new = Skill::clone(skill);
        new.active = Arc::clone(before);
        new.trial = None;
        // A shadow is compared with a head, and with the one that it was chosen for.
        new.shadow = new.shadow.filter(|_| before.head().is_some());
        let words = format!("{name}: back to {} from {}", new.active, skill.active);
        Ok((self.with(name, new), words))
    }

    /// After a run without a trip of a skill that is on trial; says so when that was the last.
    #[must_use]
    pub fn passed_a_run(&self, name: &str) -> Option<(Self, Option<String>)> {
        let (name, skill) = self.skill(name)?;
        let trial = skill.trial.as_ref()?;
        let mut new = Skill::clone(skill);
        let runs_left = trial.runs_left.saturating_sub(1);
        new.trial = (runs_left > 0).then(|| Trial { runs_left, before: Arc::clone(&trial.before) });
        let over = runs_left == 0;
        let words = over.then(|| format!("{name}: {} has passed its trial", skill.active));
        Some((self.with(name, new), words))
    }

    /// Every head that is in memory because of this registry.
    pub fn resident(&self) -> impl Iterator<Item = &Arc<Means>> {
        let all = self.skills.values().flat_map(|skill| skill.resident());
        all.filter(|means| means.head().is_some())
    }

    fn known(&self, name: &str) -> Result<(&str, &Arc<Skill>), String> {
        self.skill(name).ok_or_else(|| self.unknown(name))
    }

    fn with(&self, name: &str, skill: Skill) -> Self {
        let mut next = self.clone();
        next.skills.insert(name.to_owned(), Arc::new(skill));
        next
    }
}

impl Skill {
    /// Every policy of it that is in memory.
    pub(super) fn resident(&self) -> impl Iterator<Item = &Arc<Means>> {
        let shadow = self.shadow.as_ref().map(|shadow| &shadow.means);
        let before = self.trial.as_ref().map(|trial| &trial.before);
        [Some(&self.active), self.fallback.as_ref(), shadow, before].into_iter().flatten()
    }

    fn trial_after(&self, before: &Arc<Means>) -> Option<Trial> {
        let runs_left = self.entry.canary.runs;
        (runs_left > 0).then(|| Trial { runs_left, before: Arc::clone(before) })
    }
}

impl Means {
    /// Whether it is the same, file for file and figure for figure.
    fn is(&self, other: &Self) -> bool {
        let way = match (&self.way, &other.way) {
            (Way::Head(_), Way::Head(_)) => self.digests == other.digests,
            (Way::Reach(one), Way::Reach(other)) => one == other,
            _ => false,
        };
        way && self.name == other.name && self.manifest == other.manifest
    }
}

impl std::fmt::Display for Means {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [manifest, onnx] = &self.digests;
        out.write_str(&self.name)?;
        match (manifest.get(..8), onnx.get(..8)) {
            (Some(manifest), Some(onnx)) => write!(out, " (manifest {manifest}, onnx {onnx})"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "live_test.rs"]
mod tests;
