//! The desk's side of the registry: who asks for a change, what befalls the runs, and how a run is handed over.

use std::{path::PathBuf, sync::Arc, time::Duration};

use motion::{Refusal, Run, RunId, What};
use tokio::sync::oneshot;

use super::{Answer, Desk, Running, Settled, desk::lock, told::Said};
use crate::skill::registry::{Means, Registry};

/// Loading and proving heads takes no longer than this on a machine that can run them.
const PATIENCE: Duration = Duration::from_secs(9);
/// A hand-over takes effect within this, or not at all.
const WITHIN_NS: u64 = 2_000_000_000;

/// A change of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryAct {
    /// Read it again.
    Reload {
        /// Another file, on the daemon's machine; relative to the folder of the present one.
        file: Option<PathBuf>,
    },
    /// Make a skill's shadow its active policy; or end the trial of the active one.
    Promote {
        /// The skill.
        skill: String,
    },
    /// Go back to the policy before, or to the fallback.
    Rollback {
        /// The skill.
        skill: String,
    },
}

/// For whoever keeps the registry.
pub enum Errand {
    /// Somebody wants a change, and waits for what is new, or why not.
    Act {
        /// Which.
        act: RegistryAct,
        /// Who.
        who: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Vec<String>, String>>,
    },
    /// Something befell a run.
    Notice(Notice),
    /// Something that it had begun is done.
    Done,
}

/// What befell a run that a policy carries out.
#[derive(Clone, Debug)]
pub enum Notice {
    /// It is over.
    Ended(Running, Tally),
    /// A safety trip.
    Trip(Running, String),
}

/// The ticks of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub ticks: u64,
    /// Those in which the safety filter changed the set-point.
    pub limited: u64,
}

impl Tally {
    /// The share of ticks in which the safety filter changed the set-point.
    #[must_use]
    pub fn limited_share(&self) -> f64 {
        self.limited as f64 / self.ticks.max(1) as f64
    }
}

impl Desk {
    /// The registry that counts for the next decision.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&lock(self.shelf()))
    }

    /// Puts another one in its place.
    pub fn replace_registry(&self, registry: Arc<Registry>) {
        *lock(self.shelf()) = registry;
    }

    /// Tells whoever keeps the registry what befell a run; runs that no policy carries out are of no interest there.
    pub fn notice(&self, notice: Notice) {
        let (Notice::Ended(running, _) | Notice::Trip(running, _)) = &notice;
        if running.policy.is_some() {
            // At the end of the daemon nobody keeps it any more.
            let _ = lock(self.errands()).send(Errand::Notice(notice));
        }
    }

    pub(super) async fn change_registry(&self, act: RegistryAct, who: &str) -> Answer {
        let (answer, answered) = oneshot::channel();
        let errand = Errand::Act { act, who: who.to_owned(), answer };
        let sent = lock(self.errands()).send(errand);
        let outcome = match sent {
            Err(_) => Err("the registry's thread has ended: restart the daemon".to_owned()),
            Ok(()) => match tokio::time::timeout(PATIENCE, answered).await {
                Ok(Ok(outcome)) => outcome,
                _ => Err("still at work: look at info/registry and event/registry".to_owned()),
            },
        };
        self.changed(outcome)
    }

    /// Lets the run of `skill` that is going on, if there is one, go on with what the registry has for it now. The loop
    /// follows the old one up to the order, and the next chunk is the new one's; says which run it was.
    ///
    /// # Errors
    /// Why it goes on as it was: the new policy cannot take over from where the robot is, or the loop refused.
    pub async fn hand_over(&self, skill: &str) -> Result<Option<RunId>, String> {
        let running = self.present().and_then(|present| present.run.clone());
        let Some(running) = running.filter(|running| running.skill == skill) else {
            return Ok(None);
        };
        let run = RunId(running.run);
        let said = self.said_for(skill);
        let said = said
            .as_ref()
            .map_or(Said::default(), |(id, text)| Said { id: Some(id), text: Some(text) });
        let chosen = self.skill(skill, running.params, said)?;
        let plan = chosen.skill.plan();
        let expires = self.clock().now().after(WITHIN_NS);
        self.assign(run, chosen.skill)?;
        let Settled { outcome, .. } =
            self.order(What::HandOver(Run { id: run, plan, expires })).await?;
        match outcome {
            Ok(()) => Ok(self.rename_policy(run, &chosen.means.name).then_some(run)),
            // It was over before it could be handed over.
            Err(Refusal::NoSuchRun | Refusal::Stale) => Ok(None),
            Err(refusal) => Err(self.words(refusal)),
        }
    }

    /// A registry that was replaced while a run of `skill` was being begun with `means` has not seen that run: it is handed
    /// over now.
    pub(super) async fn catch_up(&self, skill: &str, means: &Arc<Means>) {
        let registry = self.registry();
        let active = registry.skill(skill).map(|(_, skill)| &skill.active);
        if active.is_some_and(|active| !Arc::ptr_eq(active, means))
            && let Err(why) = self.hand_over(skill).await
        {
            tracing::warn!(skill, "the run goes on as it was begun: {why}");
        }
    }

    /// Ends a run whose policy is not to be trusted any more: come to rest, hold.
    pub async fn end_run(&self, run: RunId) {
        let _ = self.order(What::End(run)).await;
    }
}
