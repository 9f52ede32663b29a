//! What moves the robot: a skill makes chunks, one after another, until it is done.
//!
//! Skills run on one thread of their own, the thinker's. The loop asks, the thinker answers; a skill that is slow, fails
//! or panics costs its own run an underrun, never the loop a tick.

pub mod correction;
pub mod follow;
pub mod jog;
pub mod planned;
pub mod policy;
pub mod registry;
mod trouble;

use std::{panic::AssertUnwindSafe, sync::mpsc, time::Duration};

use motion::{Ask, Chunk, ChunkId, HeadDigest, Plan, Reply, RunId};
use reflex::Thinker;

use correction::Corrects;
pub use trouble::Mischief;

/// Something that makes chunks.
pub trait Skill: Send {
    /// How its chunks are to be asked for and joined.
    fn plan(&self) -> Plan;

    /// The head that makes them; zero for none.
    fn digest(&self) -> HeadDigest {
        HeadDigest::default()
    }

    /// What corrects its chunks in every tick, on a thread of its own; most skills have nothing.
    fn corrector(&self) -> Option<Box<dyn Corrects>> {
        None
    }

    /// Fills the chunk that begins at the tick of `ask`; leaving it empty says "not yet".
    ///
    /// # Errors
    /// Why there is none; the run goes on without it, down the underrun ladder if it has to.
    fn next(&mut self, ask: &Ask, chunk: &mut Chunk) -> Result<(), String>;

    /// What was odd about the last ask, if anything was.
    fn oddity(&self) -> Option<Oddity> {
        None
    }

    /// The name of one of the numbers that it sees.
    fn input_name(&self, index: u32) -> String {
        format!("input {index}")
    }

    /// Its chunk is on its way to the loop: the time for whatever else is to be done with it.
    fn answered(&mut self, _ask: &Ask, _chunk: &Chunk) {}
}

/// A run's skill, on its way to the thinker.
pub struct Assignment {
    /// The run.
    pub run: RunId,
    /// What makes its chunks.
    pub skill: Box<dyn Skill>,
}

/// A skill at work, and what was told of it last.
struct AtWork {
    run: RunId,
    skill: Box<dyn Skill>,
    told: Option<u32>,
}

impl AtWork {
    /// What is odd about its last ask. A name is made only where it is news: it costs.
    fn remark(&mut self) -> Option<Remark> {
        let oddity = self.skill.oddity()?;
        let is_news = self.told.replace(oddity.first) != Some(oddity.first);
        let name = is_news.then(|| self.skill.input_name(oddity.first));
        Some(Remark::Odd { run: self.run, oddity, name })
    }
}

/// Numbers of an observation that ended at their clips: the robot, or its world, is far from what a head has learnt from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// How many.
    pub numbers: u32,
    /// Which is the first of them.
    pub first: u32,
}

/// What the thinker has to tell of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// There is no chunk.
    Failed(Failure),
    /// An observation was out of the distribution that its head has learnt from.
    Odd {
        /// The run.
        run: RunId,
        /// How far out.
        oddity: Oddity,
        /// The first number that is; told once a run, until another one is the first.
        name: Option<String>,
    },
}

/// A skill failed to make a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its run.
    pub run: RunId,
    /// Why.
    pub reason: String,
}

/// How often an idle thinker looks whether it is to end.
const IDLE: Duration = Duration::from_millis(100);

/// As [`think_aloud`], for whoever minds failures only.
pub fn think(
    thinker: Thinker,
    assignments: &mpsc::Receiver<Assignment>,
    mut failed: impl FnMut(Failure),
) {
    think_aloud(thinker, assignments, |remark| {
        if let Remark::Failed(failure) = remark {
            failed(failure);
        }
    });
}

/// As [`think_spoiled`], with heads that are well.
pub fn think_aloud(
    thinker: Thinker,
    assignments: &mpsc::Receiver<Assignment>,
    tell: impl FnMut(Remark),
) {
    think_spoiled(thinker, assignments, None, tell);
}

/// Answers asks until the loop ends. Skills of earlier runs are dropped here, where freeing hurts nobody. Beside it, on a
/// thread of its own, what they brought along corrects their chunks. With `mischief` answers come as somebody has injected it.
pub fn think_spoiled(
    mut thinker: Thinker,
    assignments: &mpsc::Receiver<Assignment>,
    mut mischief: Option<Mischief>,
    mut tell: impl FnMut(Remark),
) {
    let (hand, handed) = mpsc::channel();
    let (complain, complaints) = mpsc::channel();
    std::thread::scope(|scope| {
        if let Some(corrector) = thinker.corrector() {
            let builder = std::thread::Builder::new().name("reflex-corrector".into());
            let work = move || correction::correct(corrector, &handed, &complain);
            if let Err(error) = builder.spawn_scoped(scope, work) {
                let reason = format!("no corrections: {error}");
                tell(Remark::Failed(Failure { run: RunId(0), reason }));
            }
        }
        let mut skills: Vec<AtWork> = Vec::new();
        let mut chunks = 0;
        while !thinker.quits() {
            complaints.try_iter().map(Remark::Failed).for_each(&mut tell);
            let Some(ask) = thinker.next(IDLE) else { continue };
            for Assignment { run, skill } in assignments.try_iter() {
                if let Some(corrects) = skill.corrector() {
                    let _ = hand.send((run, corrects));
                }
                skills.push(AtWork { run, skill, told: None });
            }
            skills.retain(|at_work| at_work.run >= ask.run);
            chunks += 1;
            let nothing = Reply::Nothing { run: ask.run, observed: ask.tick };
            // A run that is handed over has two skills for a while: the law says whose turn it is, of equals it is the newer's.
            let of = |one: &&mut AtWork| one.run == ask.run && one.skill.digest() == ask.head;
            let mut found = skills.iter_mut().rev().find(of);
            let reply = match &mut found {
                None => nothing,
                Some(at_work) => answer(at_work.skill.as_mut(), &ask, ChunkId(chunks))
                    .unwrap_or_else(|reason| {
                        tell(Remark::Failed(Failure { run: ask.run, reason }));
                        nothing
                    }),
            };
            let reply = match &mut mischief {
                Some(mischief) => mischief.spoil(reply, &ask, &mut thinker),
                None => reply,
            };
            if !thinker.reply(reply) {
                let reason = "the loop does not take replies".into();
                tell(Remark::Failed(Failure { run: ask.run, reason }));
            }
            let Some(at_work) = found else { continue };
            at_work.remark().into_iter().for_each(&mut tell);
            if let Reply::Chunk(chunk) = &reply {
                at_work.skill.answered(&ask, chunk);
            }
        }
    });
}

fn answer(skill: &mut dyn Skill, ask: &Ask, id: ChunkId) -> Result<Reply, String> {
    let mut chunk = Chunk::answering(id, skill.digest(), ask);
    std::panic::catch_unwind(AssertUnwindSafe(|| skill.next(ask, &mut chunk)))
        .unwrap_or_else(|_| Err("the skill panicked".into()))?;
    let not_yet = Reply::Nothing { run: ask.run, observed: ask.tick };
    Ok(if chunk.is_empty() { not_yet } else { Reply::Chunk(chunk) })
}
