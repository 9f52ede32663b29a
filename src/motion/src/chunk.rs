//! A chunk of joint set-points on the tick grid: what a head or a planned motion becomes before it crosses the seam.

use crate::{
    joints::{Joints, MAX_JOINTS},
    seam::{Ask, RunId},
    time::TickIndex,
    words::{Reading, Sheet, Words},
};

/// The most set-points in one chunk.
pub const MAX_STEPS: usize = 64;

/// Number of a chunk, unique in one life of the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkId(pub u64);

/// First eight bytes of the SHA-256 of the head that made a chunk; zero for a planned motion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadDigest(pub u64);

/// Joint set-points for consecutive ticks. Step `k` is meant for tick `first + k`, and for no other.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    /// Its number.
    pub id: ChunkId,
    /// The run that asked for it.
    pub run: RunId,
    /// The head that made it.
    pub head: HeadDigest,
    /// The tick whose state it saw.
    pub observed: TickIndex,
    /// The tick that step 0 is meant for: `observed`, or the tick at which it was told to take over.
    pub first: TickIndex,
    /// The motion ends with this chunk: its last step is the goal, and no underrun.
    pub ends: bool,
    joints: usize,
    len: usize,
    steps: [[f64; MAX_JOINTS]; MAX_STEPS],
}

impl Chunk {
    /// A chunk without steps yet that answers an ask, as that ask wants it.
    #[must_use]
    pub const fn answering(id: ChunkId, head: HeadDigest, ask: &Ask) -> Self {
        let mut chunk = Self::empty(id, ask.run, head, ask.tick, ask.last_command.count());
        chunk.first = ask.first;
        chunk
    }

    /// A chunk without steps yet, for a robot of `joints` joints; its steps count from the observation.
    #[must_use]
    pub const fn empty(
        id: ChunkId,
        run: RunId,
        head: HeadDigest,
        observed: TickIndex,
        joints: usize,
    ) -> Self {
        let joints = if joints > MAX_JOINTS { MAX_JOINTS } else { joints };
        Self {
            id,
            run,
            head,
            observed,
            first: observed,
            ends: false,
            joints,
            len: 0,
            steps: [[0.0; MAX_JOINTS]; MAX_STEPS],
        }
    }

    /// Appends one set-point; `false`, and nothing appended, if the chunk is full or the joint count differs.
    pub fn push(&mut self, step: &[f64]) -> bool {
        let fits = self.len < MAX_STEPS && step.len() == self.joints;
        if fits {
            self.steps[self.len][..self.joints].copy_from_slice(step);
            self.len += 1;
        }
        fits
    }

    /// Number of set-points.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no set-point.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many joints each step has.
    #[must_use]
    pub const fn joints(&self) -> usize {
        self.joints
    }

    /// Set-point `k`, if there is one.
    #[must_use]
    pub fn step(&self, k: usize) -> Option<Joints> {
        (k < self.len).then(|| Joints::from_slice(&self.steps[k][..self.joints])).flatten()
    }

    /// Which step is meant for tick `now`; beyond the last one too, `None` before the first.
    #[must_use]
    pub fn step_at(&self, now: TickIndex) -> Option<usize> {
        (now >= self.first).then(|| usize::try_from(now.since(self.first)).unwrap_or(usize::MAX))
    }

    /// The tick after the last step's.
    pub(crate) const fn end(&self) -> TickIndex {
        TickIndex(self.first.0.saturating_add(self.len as u64))
    }

    /// The values of step `k`, to be blended.
    pub(crate) fn step_mut(&mut self, k: usize) -> Option<&mut [f64]> {
        self.steps[..self.len].get_mut(k).map(|step| &mut step[..self.joints])
    }

    /// Whether every value of every step is finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        let steps = &self.steps[..self.len];
        steps.iter().all(|step| step[..self.joints].iter().all(|value| value.is_finite()))
    }
}

impl Words for Chunk {
    fn put(&self, to: &mut Sheet<'_>) {
        let Self { id, run, head, observed, first, ends, joints, len, steps } = self;
        (*id, *run).put(to);
        (*head, *observed).put(to);
        (*first, *ends).put(to);
        (*joints, *len).put(to);
        for step in &steps[..*len] {
            step[..*joints].iter().for_each(|value| value.put(to));
        }
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        let ((id, run), (head, observed)) = Words::get(from)?;
        let ((first, ends), (joints, len)): (_, (usize, usize)) = Words::get(from)?;
        if joints > MAX_JOINTS || len > MAX_STEPS {
            return None;
        }
        let mut chunk = Self { first, ends, len, ..Self::empty(id, run, head, observed, joints) };
        for step in &mut chunk.steps[..len] {
            for value in &mut step[..joints] {
                *value = Words::get(from)?;
            }
        }
        Some(chunk)
    }
}
