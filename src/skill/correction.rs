//! Corrects chunks tick by tick, on a thread of its own: the thinker may be busy with a large head for many ticks.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use motion::{Ask, Chunk, ChunkId, Correction, HeadDigest, Joints, RunId};
use reflex::Corrector;

use super::{Failure, IDLE};
use crate::{head::Head, observation::Context};

/// Something that corrects set-points.
pub trait Corrects: Send {
    /// The head that does.
    fn digest(&self) -> HeadDigest;

    /// What is to be added to the set-point that is due in the tick of `ask`, rad or m for each joint.
    ///
    /// # Errors
    /// Why there is nothing; the set-point goes on as it is.
    fn correct(&mut self, ask: &Ask) -> Result<Joints, String>;
}

/// A correction head at work on one decision.
pub struct Residual {
    head: Arc<Mutex<Head>>,
    context: Context,
    digest: HeadDigest,
}

impl Residual {
    /// Runs `head` in a run that is about to begin.
    #[must_use]
    pub fn new(head: Arc<Mutex<Head>>, context: Context) -> Self {
        let digest = head.lock().unwrap_or_else(PoisonError::into_inner).digest();
        Self { head, context, digest }
    }
}

impl Corrects for Residual {
    fn digest(&self) -> HeadDigest {
        self.digest
    }

    fn correct(&mut self, ask: &Ask) -> Result<Joints, String> {
        let mut chunk = Chunk::answering(ChunkId(0), self.digest, ask);
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        head.infer_in(ask, &mut self.context, false, &mut chunk)
            .map_err(|error| error.to_string())?;
        chunk.step(0).ok_or_else(|| "it answered nothing".to_owned())
    }
}

/// Answers asks for corrections until the loop ends; `handed` brings what corrects a run. Of failures in a row only the
/// first is told: there is one in every tick.
pub(super) fn correct(
    mut corrector: Corrector,
    handed: &mpsc::Receiver<(RunId, Box<dyn Corrects>)>,
    failed: &mpsc::Sender<Failure>,
) {
    let mut at_work: Option<(RunId, Box<dyn Corrects>)> = None;
    let mut fails = false;
    while !corrector.quits() {
        let Some(ask) = corrector.next(IDLE) else { continue };
        at_work = handed.try_iter().last().or(at_work);
        let Some((run, corrects)) = &mut at_work else {
            // Somebody may be waiting: nothing is an answer, too.
            let (run, head) = (ask.run, HeadDigest::default());
            corrector.reply(Correction { run, tick: ask.tick, head, offset: None });
            continue;
        };
        let head = corrects.digest();
        let made = std::panic::catch_unwind(AssertUnwindSafe(|| corrects.correct(&ask)))
            .unwrap_or_else(|_| Err("the correction panicked".to_owned()));
        if let Err(reason) = &made
            && !fails
        {
            let _ = failed.send(Failure { run: *run, reason: reason.clone() });
        }
        fails = made.is_err();
        corrector.reply(Correction { run: *run, tick: ask.tick, head, offset: made.ok() });
    }
}
