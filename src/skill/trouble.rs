//! Heads that misbehave on purpose: what becomes of an answer while somebody has a fault injected.

use std::time::Duration;

use motion::{Ask, Chunk, ChunkId, Reply, RunId, TickIndex};
use reflex::{
    Clock, Thinker,
    draw::Draw,
    trouble::{Trouble, Troubles},
};

/// How often a head that hangs looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Chunks that come besides the one that was asked for: as many as the loop's ring has room for.
const FLOOD: u64 = 3;

/// What is wrong with the heads.
pub struct Mischief {
    troubles: Troubles,
    clock: Clock,
    draw: Draw,
}

impl Mischief {
    /// The faults of a board, by the loop's clock.
    #[must_use]
    pub const fn new(troubles: Troubles, clock: Clock, seed: u64) -> Self {
        Self { troubles, clock, draw: Draw::new(seed) }
    }

    /// What becomes of an answer on its way.
    pub(super) fn spoil(&mut self, reply: Reply, ask: &Ask, thinker: &mut Thinker) -> Reply {
        self.hang(thinker);
        let reply = self.spoiled(reply, ask);
        self.flood(&reply, thinker);
        reply
    }

    /// An answer as it comes out of a head that is not well.
    fn spoiled(&mut self, reply: Reply, ask: &Ask) -> Reply {
        let Reply::Chunk(chunk) = reply else { return reply };
        let now = self.clock.now();
        let is_on = |trouble| self.troubles.on(trouble, now).is_some();
        let (nan, shape, wild) =
            (is_on(Trouble::Nan), is_on(Trouble::WrongShape), is_on(Trouble::Wild));
        if !(nan || shape || wild) {
            return reply;
        }
        let joints = chunk.joints() - usize::from(shape && chunk.joints() > 0);
        let mut spoiled = Chunk::empty(chunk.id, chunk.run, chunk.head, chunk.observed, joints);
        (spoiled.first, spoiled.ends) = (chunk.first, chunk.ends);
        for k in 0..chunk.len() {
            let Some(mut step) = chunk.step(k) else { break };
            if wild {
                for (value, last) in step.iter_mut().zip(ask.last_command.iter()) {
                    *value = last + self.draw.within([-3.0, 3.0]);
                }
            }
            if let Some(value) = step.first_mut().filter(|_| nan) {
                *value = f64::NAN;
            }
            spoiled.push(&step[..joints]);
        }
        Reply::Chunk(spoiled)
    }

    /// What comes before an answer that nobody asked for: of another run, of the future, of long ago. None of it passes for
    /// the answer, so that a loop which waits for that one has all of it.
    fn flood(&mut self, reply: &Reply, thinker: &mut Thinker) {
        let Reply::Chunk(chunk) = reply else { return };
        if self.troubles.on(Trouble::ChunkFlood, self.clock.now()).is_none() {
            return;
        }
        for k in 0..FLOOD {
            let mut other = *chunk;
            other.id = ChunkId(chunk.id.0 | (k + 1) << 56);
            match self.draw.bits() % 3 {
                0 => other.run = RunId(chunk.run.0 + 1),
                1 => other.observed = TickIndex(chunk.observed.0 + 1_000),
                _ => other.observed = TickIndex(chunk.observed.0.saturating_sub(1_000)),
            }
            other.first = TickIndex(other.first.0.max(other.observed.0));
            let _ = thinker.reply(Reply::Chunk(other));
        }
    }

    /// Waits for as long as a head hangs. In virtual time, which waits for every answer, the loop holds it back instead.
    fn hang(&self, thinker: &Thinker) {
        let began = self.clock.now();
        let until = began.after(self.troubles.stall_ns(began));
        while !self.clock.is_virtual()
            && self.clock.now() < until
            && self.troubles.on(Trouble::GpuStall, self.clock.now()).is_some()
            && !thinker.quits()
        {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
