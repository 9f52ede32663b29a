//! Runs a head: observation in, chunk out.

use std::sync::{Arc, Mutex, PoisonError};

use motion::{Ask, Chunk, HeadDigest, Plan};

use super::Skill;
use crate::{head::Head, observation::Params};

/// A head at work on one decision. The head outlives it: the next decision uses the same session, still warm.
pub struct Policy {
    head: Arc<Mutex<Head>>,
    params: Params,
    plan: Plan,
    digest: HeadDigest,
}

impl Policy {
    /// Runs `head` on what a decision says, for at most `ticks_max` ticks.
    #[must_use]
    pub fn new(head: Arc<Mutex<Head>>, params: Params, ticks_max: u64) -> Self {
        let (plan, digest) = {
            let head = head.lock().unwrap_or_else(PoisonError::into_inner);
            (head.manifest().plan(head.digest(), ticks_max), head.digest())
        };
        Self { head, params, plan, digest }
    }

    /// The same, with another number of steps executed of each chunk.
    #[must_use]
    pub fn executing(mut self, steps: u32) -> Self {
        self.plan.execute = steps;
        self
    }
}

impl Skill for Policy {
    fn plan(&self) -> Plan {
        self.plan
    }

    fn digest(&self) -> HeadDigest {
        self.digest
    }

    fn next(&mut self, ask: &Ask, chunk: &mut Chunk) -> Result<(), String> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        head.infer(ask, &self.params, chunk).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod refused_test;
