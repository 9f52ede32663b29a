//! A column that drives a joint: from its value to the joint's target, step by step.

use motion::Joints;

use super::{
    Start,
    columns::{ClipWhen, Gripper, JointAbsolute, JointDelta, RelativeTo, Steps},
};

/// What a value means.
#[derive(Clone, Copy, Debug)]
enum Means {
    /// The target.
    Absolute,
    /// How far from there.
    Delta(RelativeTo, Steps),
    /// How open.
    Gripper(Grip),
}

/// How a number opens a gripper.
#[derive(Clone, Copy, Debug)]
struct Grip {
    closed: f64,
    open: f64,
    closed_at: f64,
    open_at: f64,
    threshold: Option<f64>,
}

impl Grip {
    /// The target, or that it is to stay.
    fn target(&self, number: f64) -> Option<f64> {
        let Some(threshold) = self.threshold else {
            let opening = (number - self.closed_at) / (self.open_at - self.closed_at);
            return Some(self.closed + opening * (self.open - self.closed));
        };
        let towards_open = (number - threshold) * (self.open_at - self.closed_at).signum();
        if towards_open > 0.0 {
            Some(self.open)
        } else if towards_open < 0.0 {
            Some(self.closed)
        } else {
            None
        }
    }
}

/// What a value is relative to is not finite, or not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoStart;

/// One column and its joint.
#[derive(Clone, Debug)]
pub(super) struct Target {
    column: usize,
    joint: usize,
    means: Means,
    /// Where it ends.
    clip: Option<(f64, f64)>,
    clip_when: ClipWhen,
    /// The weight of the previous action.
    smoothing: f64,
}

impl Target {
    /// A column that is its joint's target.
    pub(super) fn plain(column: usize, joint: usize) -> Self {
        let (clip, clip_when) = (None, ClipWhen::Both);
        Self { column, joint, means: Means::Absolute, clip, clip_when, smoothing: 0.0 }
    }

    /// Column `at` of a group that begins at `first`; what the group has too few of is not there.
    pub(super) fn absolute(group: &JointAbsolute, at: usize, first: usize, joint: usize) -> Self {
        let ends = group.clip.as_ref();
        Self {
            clip: ends.and_then(|ends| ends.min.get(at).copied().zip(ends.max.get(at).copied())),
            clip_when: group.clip_when.unwrap_or_default(),
            smoothing: group.smoothing.unwrap_or_default(),
            ..Self::plain(first + at, joint)
        }
    }

    /// The same of displacements.
    pub(super) fn delta(group: &JointDelta, at: usize, first: usize, joint: usize) -> Self {
        let is_delta = group.mask.as_ref().is_none_or(|mask| mask.get(at) == Some(&true));
        let ends = group.clip.as_ref();
        Self {
            means: match is_delta {
                true => Means::Delta(group.relative_to, group.steps),
                false => Means::Absolute,
            },
            clip: ends.and_then(|ends| ends.min.get(at).copied().zip(ends.max.get(at).copied())),
            smoothing: group.smoothing.unwrap_or_default(),
            ..Self::plain(first + at, joint)
        }
    }

    /// A gripper's column.
    pub(super) fn gripper(gripper: &Gripper, column: usize, joint: usize) -> Self {
        let &Gripper { closed, open, closed_at, open_at, threshold, .. } = gripper;
        let means = Means::Gripper(Grip { closed, open, closed_at, open_at, threshold });
        Self { means, ..Self::plain(column, joint) }
    }

    /// The joint that it drives.
    pub(super) fn joint(&self) -> usize {
        self.joint
    }

    /// The column that it reads.
    pub(super) fn column(&self) -> usize {
        self.column
    }

    /// The joint's target in one row. `before` is the row before, none in a chunk's first: that goes on from the start.
    ///
    /// # Errors
    /// If what the value is relative to is not finite. The target itself may not be, either.
    pub(super) fn at(
        &self,
        value: f64,
        start: &Start,
        before: Option<&Joints>,
    ) -> Result<f64, NoStart> {
        // Only whoever needs it minds that it is not there.
        let of = |joints: &Joints| {
            joints.get(self.joint).copied().filter(|at| at.is_finite()).ok_or(NoStart)
        };
        let previous = || of(before.unwrap_or(&start.commanded));
        let target = match self.means {
            Means::Absolute => value,
            Means::Gripper(grip) => match grip.target(value) {
                Some(target) => target,
                None => previous()?,
            },
            Means::Delta(_, Steps::Cumulative) if before.is_some() => previous()? + value,
            Means::Delta(RelativeTo::Measured, _) => of(&start.measured)? + value,
            Means::Delta(RelativeTo::Commanded, _) => of(&start.commanded)? + value,
        };
        if self.smoothing == 0.0 {
            return Ok(self.end(target));
        }
        let target = match self.clip_when {
            ClipWhen::Both => self.end(target),
            ClipWhen::AfterSmoothing => target,
        };
        Ok(self.end(self.smoothing * previous()? + (1.0 - self.smoothing) * target))
    }

    /// A NaN stays one: `max` alone would make a motion of it.
    fn end(&self, target: f64) -> f64 {
        match self.clip {
            Some((min, max)) if !target.is_nan() => target.max(min).min(max),
            _ => target,
        }
    }
}
