//! How two chunks become one course: nothing, a fade of their difference, or a mean of all that have a say.

use crate::{
    chunk::{Chunk, MAX_STEPS},
    joints::Joints,
    plan::Seam,
    robot::Robot,
    time::TickIndex,
    words::words,
};

/// What is kept of the chunks before the one in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joint {
    /// What remained of the old chunk's opinion at the seam, and the tick at which it began to fade.
    offset: Joints,
    since: TickIndex,
    /// How many chunks have a say in each step of the one in use: its steps are their running means.
    voices: [u16; MAX_STEPS],
}

words!(Joint { offset, since, voices });

impl Joint {
    pub(super) const fn joints(&self) -> usize {
        self.offset.count()
    }

    pub(super) const fn none(joints: usize, now: TickIndex) -> Self {
        Self { offset: Joints::zeros(joints), since: now, voices: [1; MAX_STEPS] }
    }

    /// Joins `new` to the chunk in use, whose word for tick `now` is `due`, and returns what is in use from now on.
    pub(super) fn join(
        &mut self,
        old: Option<&Chunk>,
        due: Option<Joints>,
        new: &Chunk,
        now: TickIndex,
        seam: Seam,
        robot: &Robot,
    ) -> Chunk {
        let mut joined = *new;
        let before = core::mem::replace(self, Self::none(robot.joints(), now));
        match (seam, old) {
            (Seam::Ensemble { coefficient }, Some(old)) => {
                self.voices = mean(old, &before.voices, &mut joined, coefficient, robot);
            }
            _ if seam.fade_ticks() > 0 => {
                let first = new.step_at(now).and_then(|step| new.step(step));
                let Some((due, first)) = due.zip(first) else { return joined };
                for (joint, limits) in robot.limits().iter().enumerate() {
                    if !limits.gripper {
                        self.offset[joint] = due[joint] - first[joint];
                    }
                }
            }
            _ => {}
        }
        joined
    }

    /// Adds what is left of the old chunk's opinion to what the new one says of tick `now`.
    pub(super) fn fade(&self, now: TickIndex, seam: Seam, target: &mut Joints) {
        let (age, ticks) = (now.since(self.since), u64::from(seam.fade_ticks()));
        if age < ticks {
            let left = (ticks - age) as f64 / (ticks + 1) as f64;
            for (target, offset) in target.iter_mut().zip(self.offset.iter()) {
                *target += offset * left;
            }
        }
    }
}

/// Makes each step of `new` the mean over all chunks that cover its tick, and returns how many those are. `old` holds the
/// running means so far, so that nothing but one chunk has to be kept (the online form of LeRobot's
/// `ACTTemporalEnsembler`, to which it is equal).
fn mean(
    old: &Chunk,
    voices: &[u16; MAX_STEPS],
    new: &mut Chunk,
    coefficient: f64,
    robot: &Robot,
) -> [u16; MAX_STEPS] {
    let mut share = [1.0; MAX_STEPS];
    let mut sum = 0.0;
    for (i, share) in share.iter_mut().enumerate() {
        let weight = libm::exp(-coefficient * i as f64);
        sum += weight;
        *share = weight / sum;
    }
    let mut heard = [1; MAX_STEPS];
    for (k, heard) in heard.iter_mut().enumerate().take(new.len()) {
        let then = TickIndex(new.first.0.saturating_add(k as u64));
        let Some(step) = old.step_at(then) else { continue };
        let (Some(before), Some(values)) = (old.step(step), new.step_mut(k)) else { continue };
        let elder = voices[step].min(MAX_STEPS as u16 - 1);
        *heard = elder + 1;
        for (joint, limits) in robot.limits().iter().enumerate() {
            if !limits.gripper {
                values[joint] =
                    before[joint] + (values[joint] - before[joint]) * share[usize::from(elder)];
            }
        }
    }
    heard
}
