//! What moves the robot at an operator's word: goals, jogs and skills become runs, once they have been planned.

use std::{collections::BTreeMap, sync::Arc};

use motion::{Drive, Joints, Mode, RunId};

use super::{Desk, Goal, Jog, Present, Question, Route, Settled, desk::lock, told::Said};
use crate::{
    observation::Params,
    planning::ways::Ways,
    skill::{
        Skill,
        follow::Follow,
        jog::{Jogged, Wish},
        planned::Planned,
        registry::{Means, Recipe},
    },
};

/// The jog that goes on, and what renews it.
pub(super) struct Jogging {
    run: RunId,
    wish: Arc<Wish>,
}

/// A skill that is ready to be begun.
pub(super) struct Chosen {
    /// Its proper name.
    pub(super) name: String,
    /// What carries it out.
    pub(super) means: Arc<Means>,
    pub(super) skill: Box<dyn Skill>,
}

impl Desk {
    /// How a pose could be reached from where the robot is; moves nothing.
    ///
    /// # Errors
    /// In words: an unknown arm or joint, or no state yet.
    pub fn consider(&self, question: &Question) -> Result<Ways, String> {
        self.planner().ways(&stands(&*self.seen()?), question)
    }

    /// Goes to a joint goal.
    pub(super) async fn go(
        &self,
        goal: Joints,
        speed: f64,
        name: &str,
        who: &str,
    ) -> Result<Settled, String> {
        let now = stands(&*self.seen()?);
        self.planner().way_to(&now, &goal, speed)?;
        let skill = Box::new(Planned::new(Arc::clone(self.planner()), goal, speed));
        self.begin_for(skill, name, Params::default(), who).await
    }

    pub(super) async fn go_to(
        &self,
        goal: &Goal,
        speed: f64,
        who: &str,
    ) -> Result<Settled, String> {
        let present = self.seen()?;
        let now = stands(&present);
        match goal {
            Goal::Joints(joints) => self.go(self.goal(now, joints)?, speed, "goto", who).await,
            Goal::Tool(tool) if tool.route == Route::Joints => {
                let goal = self.planner().to_tool(&now, tool, speed)?;
                self.go(goal, speed, "goto", who).await
            }
            Goal::Tool(tool) => {
                // A path is worked out from where the robot stands: while it moves, that is no place.
                if matches!(present.tick.mode, Mode::Moving { .. } | Mode::Stopping { .. }) {
                    return Err("a tool path begins at rest: hold first".into());
                }
                let points = self.planner().along(&now, tool, speed)?;
                let skill = Box::new(Follow::new(now, points));
                self.begin_for(skill, "goto", Params::default(), who).await
            }
        }
    }

    /// Begins a jog, or goes on with the one that runs.
    pub(super) async fn jog(&self, jog: Jog, ttl_ms: u32, who: &str) -> Result<Settled, String> {
        let present = self.seen()?;
        let velocity = self.planner().jogged(&jog)?;
        let until = self.clock().now().after(u64::from(ttl_ms) * 1_000_000);
        let renewed = lock(self.jogging()).as_ref().is_some_and(|jogging| {
            present.tick.mode.run() == Some(jogging.run) && jogging.wish.renew(&velocity, until)
        });
        if renewed {
            let (seq, mode) = (present.tick.tick.0 + 1, present.tick.mode);
            return Ok(Settled { outcome: Ok(()), seq, mode });
        }
        let wish = Arc::new(Wish::new(velocity, until));
        let skill = Jogged::new(Arc::clone(self.planner()), Arc::clone(&wish));
        let running = self.running_for("jog", Params::default(), who);
        let run = RunId(running.run);
        let settled = self.begin_now(Box::new(skill), running).await?;
        if settled.outcome.is_ok() {
            *lock(self.jogging()) = Some(Jogging { run, wish });
        }
        Ok(settled)
    }

    /// A skill by its name or an alias, at work on `params`.
    pub(super) fn skill(
        &self,
        name: &str,
        params: Params,
        said: Said<'_>,
    ) -> Result<Chosen, String> {
        let registry = self.registry();
        let (name, recipe) = registry.recipe(name, params)?;
        let means = registry.skill(name).map(|(_, skill)| Arc::clone(&skill.active));
        let means = means.ok_or("the registry has no policy for it")?;
        let skill = self.prepare(recipe, (name, params, said))?;
        Ok(Chosen { name: name.to_owned(), means, skill })
    }

    /// What a recipe says, planned from where the robot is.
    fn prepare(
        &self,
        recipe: Recipe,
        (name, params, said): (&str, Params, Said<'_>),
    ) -> Result<Box<dyn Skill>, String> {
        match recipe {
            Recipe::Policy(policy) => Ok(Box::new(self.tell(policy, name, said)?)),
            Recipe::Reach(settings) => {
                let now = stands(&*self.seen()?);
                let z_m = params.target_z + settings.height_m;
                let point_m = [params.target_x, params.target_y, z_m];
                let speed = params.speed_hint;
                let goal = self.planner().reach(&now, point_m, &settings, speed)?;
                Ok(Box::new(Planned::new(Arc::clone(self.planner()), goal, speed)))
            }
        }
    }

    fn seen(&self) -> Result<Arc<Present>, String> {
        self.present().ok_or_else(|| "the robot has not been seen yet".into())
    }

    fn goal(&self, now: Joints, joints: &BTreeMap<String, f64>) -> Result<Joints, String> {
        let mut goal = now;
        for (name, position) in joints {
            let joint = self.planner().joint(name)?;
            let limits = &self.planner().robot().limits()[joint];
            if !(limits.position_min..=limits.position_max).contains(position) {
                let (min, max) = (limits.position_min, limits.position_max);
                return Err(format!("{name} = {position} is outside its limits {min} to {max}"));
            }
            goal[joint] = *position;
        }
        Ok(goal)
    }
}

/// Where the robot is to be planned from: the last command, or the measured pose if nothing is commanded.
fn stands(present: &Present) -> Joints {
    match present.tick.drive {
        Drive::On => present.tick.applied,
        Drive::Off => present.tick.state.position,
    }
}
