//! Runs a head: observation in, chunk out.

use std::sync::{Arc, Mutex, PoisonError};

use motion::{Ask, Chunk, FirstStep, HeadDigest, Plan, Seam};

use super::{
    Oddity, Skill,
    correction::{Corrects, Residual},
    registry::Shadow,
};
use crate::{
    head::{EncoderTable, Head},
    observation::{Context, Params, embedding::Slot},
};

/// A head at work on one decision. The head outlives it: the next decision uses the same session, still warm.
pub struct Policy {
    head: Arc<Mutex<Head>>,
    context: Context,
    plan: Plan,
    digest: HeadDigest,
    shadow: Option<Arc<Shadow>>,
    rolls: bool,
}

impl Policy {
    /// Runs `head` on what a decision says, for at most `ticks_max` ticks.
    #[must_use]
    pub fn new(head: Arc<Mutex<Head>>, params: Params, ticks_max: u64) -> Self {
        let (plan, digest) = {
            let head = head.lock().unwrap_or_else(PoisonError::into_inner);
            (head.plan(ticks_max), head.digest())
        };
        Self { head, context: Context::of(params), plan, digest, rolls: false, shadow: None }
    }

    /// The same, with another head that is shown what it answers.
    #[must_use]
    pub fn beside(mut self, shadow: Option<Arc<Shadow>>) -> Self {
        self.shadow = shadow;
        self
    }

    /// The encoder whose embeddings its head sees, if it sees any.
    #[must_use]
    pub fn encoder(&self) -> Option<EncoderTable> {
        let head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        head.manifest().encoder.clone()
    }

    /// The same, with the place where the embeddings of its instruction come in.
    #[must_use]
    pub fn seeing(mut self, embedding: Arc<Slot>) -> Self {
        self.context.embedding = Some(embedding);
        self
    }

    /// The same, with another number of steps executed of each chunk.
    #[must_use]
    pub fn executing(mut self, steps: u32) -> Self {
        self.plan.execute = steps;
        self
    }
}

impl Policy {
    /// The same, its chunks joined in another way. All but [`Seam::Prefix`] take a chunk as one of the tick that it saw.
    #[must_use]
    pub const fn joined(mut self, seam: Seam) -> Self {
        if !matches!(seam, Seam::Prefix { .. }) {
            self.plan.first_step = FirstStep::Observation;
        }
        self.plan.seam = seam;
        self
    }

    /// The same, asked so many ticks ahead.
    #[must_use]
    pub const fn led(mut self, ticks: u32) -> Self {
        self.plan.lead = ticks;
        self
    }

    /// The same, its observations rolled forward to the take-over.
    #[must_use]
    pub const fn rolled(mut self) -> Self {
        self.plan.first_step = FirstStep::TakeOver;
        self.rolls = true;
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

    fn corrector(&self) -> Option<Box<dyn Corrects>> {
        self.plan.correction?;
        let head = self.head.lock().unwrap_or_else(PoisonError::into_inner).corrector()?;
        Some(Box::new(Residual::new(head, self.context.clone())))
    }

    fn next(&mut self, ask: &Ask, chunk: &mut Chunk) -> Result<(), String> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        head.infer_in(ask, &mut self.context, self.rolls, chunk).map_err(|error| error.to_string())
    }

    fn oddity(&self) -> Option<Oddity> {
        let clipped = self.context.clipped;
        (clipped.numbers > 0).then_some(Oddity { numbers: clipped.numbers, first: clipped.first })
    }

    fn input_name(&self, index: u32) -> String {
        let head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        head.manifest().input_name(index as usize)
    }

    fn answered(&mut self, ask: &Ask, chunk: &Chunk) {
        if let Some(shadow) = &self.shadow {
            shadow.look(ask, &self.context, chunk);
        }
    }
}

#[cfg(test)]
mod refused_test;
