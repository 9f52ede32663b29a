//! What a policy sees: named features of the robot's state and of the decision, as numbers a network was trained on.
//!
//! The names are looked up once, at load; a tick only gathers and normalises, without a heap.

use std::sync::Arc;

use motion::Ask;

use crate::kinematics::RobotArm;

pub mod belief;
pub mod embedding;
mod feature;
pub mod place;
pub mod prefix;
mod source;
pub mod tool;

use belief::Memory;
use embedding::Slot;
pub use feature::{Extra, Feature, FeatureError, FeatureName};
pub use source::Sight;
use source::{Finder, Source};
use tool::{Positions, Tool};

/// Magnitudes below this become zero: one denormal in the input makes a whole run 16 times slower (measured), and no
/// network tells 1e-30 standard deviations from none.
const FLUSH_BELOW: f64 = 1e-30;

/// The decision's parameters: where the skill is to happen, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Params {
    /// Target in the robot's base frame, m.
    pub target_x: f64,
    /// Target in the robot's base frame, m.
    pub target_y: f64,
    /// Target in the robot's base frame, m.
    pub target_z: f64,
    /// Radius of the path or of the object, m.
    pub radius: f64,
    /// How brisk, from 0 to 1.
    pub speed_hint: f64,
    /// Whether the object is a berry; a head sees it as 1 or 0.
    pub object_is_berry: bool,
}

impl Params {
    /// The parameters' names, in the order of the wire.
    pub const NAMES: [&'static str; 6] =
        ["target_x", "target_y", "target_z", "radius", "speed_hint", "object_is_berry"];

    /// Where the skill is to happen, m.
    #[must_use]
    pub const fn target(&self) -> [f64; 3] {
        [self.target_x, self.target_y, self.target_z]
    }

    /// The parameter of this name, as a head sees it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        Param::named(name).map(|param| param.of(self))
    }
}

/// One parameter, looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Param {
    TargetX,
    TargetY,
    TargetZ,
    Radius,
    SpeedHint,
    ObjectIsBerry,
}

impl Param {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "target_x" => Self::TargetX,
            "target_y" => Self::TargetY,
            "target_z" => Self::TargetZ,
            "radius" => Self::Radius,
            "speed_hint" => Self::SpeedHint,
            "object_is_berry" => Self::ObjectIsBerry,
            _ => return None,
        })
    }

    fn of(self, params: &Params) -> f64 {
        match self {
            Self::TargetX => params.target_x,
            Self::TargetY => params.target_y,
            Self::TargetZ => params.target_z,
            Self::Radius => params.radius,
            Self::SpeedHint => params.speed_hint,
            Self::ObjectIsBerry => f64::from(u8::from(params.object_is_berry)),
        }
    }
}

/// What a run knows beside its asks. It outlives each of them.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The decision.
    pub params: Params,
    /// What is remembered of the run.
    pub memory: Memory,
    /// Where the embedding of its instruction lies, for a head that sees one.
    pub embedding: Option<Arc<Slot>>,
    /// What of the last observation ended at its clip.
    pub clipped: Clipped,
}

impl Context {
    /// That of a run that has just begun.
    #[must_use]
    pub fn of(params: Params) -> Self {
        Self { params, ..Self::default() }
    }
}

/// Why an observation could not be packed.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum PackError {
    /// A number is NaN or infinite.
    #[error("input {index} is {value}")]
    NotFinite {
        /// Which input of the tensor.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// State, command or tensor have another length than the features were compiled for.
    #[error("the observation does not have the shape that the head was loaded for")]
    Shape,
}

/// Numbers of an observation that ended at their clips: further from everything that the head has learnt from than it was
/// meant to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clipped {
    /// How many.
    pub numbers: u32,
    /// The first of them, counted through all tensors.
    pub first: u32,
}

impl Clipped {
    /// With those of the next tensor, which begins at number `before`.
    #[must_use]
    pub fn and(self, next: Self, before: usize) -> Self {
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        match (self.numbers, next.numbers) {
            (_, 0) => self,
            (0, numbers) => Self { numbers, first: next.first.saturating_add(before) },
            (some, more) => Self { numbers: some + more, ..self },
        }
    }

    fn count(&mut self, index: usize) {
        if self.numbers == 0 {
            self.first = u32::try_from(index).unwrap_or(u32::MAX);
        }
        self.numbers += 1;
    }
}

/// One number of the tensor.
#[derive(Clone, Copy, Debug)]
struct Input {
    source: Source,
    mean: f64,
    std: f64,
    clip: f64,
}

impl Input {
    /// The number, and whether it ended at its clip. Finiteness first: a NaN would pass a clamp, and an infinity would
    /// hide in one.
    fn normalise(&self, index: usize, value: f64) -> Result<(f32, bool), PackError> {
        if !value.is_finite() {
            return Err(PackError::NotFinite { index, value });
        }
        let normalised = (value - self.mean) / self.std;
        let is_clipped = normalised.abs() >= self.clip;
        let normalised = normalised.max(-self.clip).min(self.clip);
        let normalised = if normalised.abs() < FLUSH_BELOW { 0.0 } else { normalised as f32 };
        // Without a bound a number may still be too large for an f32.
        if normalised.is_finite() {
            Ok((normalised, is_clipped))
        } else {
            Err(PackError::NotFinite { index, value })
        }
    }
}

/// The compiled way from an ask to a tensor.
#[derive(Clone, Debug)]
pub struct Packer {
    inputs: Vec<Input>,
    tools: Vec<Tool>,
}

impl Packer {
    /// Looks the features' names up, for a run without stages.
    ///
    /// # Errors
    /// As [`Self::staged`].
    pub fn compile<'a>(
        features: impl IntoIterator<Item = Feature<'a>>,
        robot_joints: &[impl AsRef<str>],
        arms: &[RobotArm],
    ) -> Result<Self, FeatureError> {
        Self::staged(features, robot_joints, arms, &[])
    }

    /// Looks the features' names up. `stages`: the names of the stages' entries, in the order of the [`belief::Belief`].
    ///
    /// # Errors
    /// If a name does not exist or the lengths of a feature disagree.
    pub fn staged<'a>(
        features: impl IntoIterator<Item = Feature<'a>>,
        robot_joints: &[impl AsRef<str>],
        arms: &[RobotArm],
        stages: &[&str],
    ) -> Result<Self, FeatureError> {
        let joints = |name: &str| robot_joints.iter().position(|joint| joint.as_ref() == name);
        let mut finder = Finder { joints: &joints, arms, stages, tools: Vec::new() };
        let mut inputs = Vec::new();
        for (at, feature) in features.into_iter().enumerate() {
            let scales = scales(&feature).ok_or(FeatureError::Lengths { feature: at })?;
            let clip = feature.clip;
            for row in 0..feature.rows.steps {
                let sources = finder.row(at, &feature, row)?.into_iter().zip(&scales);
                let input = |(source, &(mean, std))| Input { source, mean, std, clip };
                inputs.extend(sources.map(input));
            }
        }
        Ok(Self { inputs, tools: finder.tools })
    }

    /// How many numbers the tensor has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Gathers and normalises an observation of a run that has just begun. Allocates nothing.
    ///
    /// # Errors
    /// As [`Self::see`].
    pub fn pack(&self, ask: &Ask, params: &Params, tensor: &mut [f32]) -> Result<(), PackError> {
        let (memory, object) = (&Memory::default(), params.target());
        let sight = Sight { ask, params, memory, object, embedding: &[] };
        self.see(&sight, tensor).map(drop)
    }

    /// Gathers and normalises an observation, and tells what of it ended at its clip. Allocates nothing.
    ///
    /// # Errors
    /// If a number is not finite or a length differs; the tensor is then partly written and must not be used.
    pub fn see(&self, sight: &Sight<'_>, tensor: &mut [f32]) -> Result<Clipped, PackError> {
        let mut positions = Positions::default();
        self.fill(tensor, |_, input| input.source.gather(sight, &self.tools, &mut positions))
    }

    /// Normalises raw numbers that are already in tensor order: a manifest's golden observation.
    ///
    /// # Errors
    /// As [`Self::see`].
    pub fn normalise(&self, raw: &[f64], tensor: &mut [f32]) -> Result<Clipped, PackError> {
        if raw.len() != self.inputs.len() {
            return Err(PackError::Shape);
        }
        self.fill(tensor, |index, _| raw.get(index).copied())
    }

    fn fill(
        &self,
        tensor: &mut [f32],
        mut value: impl FnMut(usize, &Input) -> Option<f64>,
    ) -> Result<Clipped, PackError> {
        if tensor.len() != self.inputs.len() {
            return Err(PackError::Shape);
        }
        let mut clipped = Clipped::default();
        for (index, (input, slot)) in self.inputs.iter().zip(tensor).enumerate() {
            let value = value(index, input).ok_or(PackError::Shape)?;
            let (number, is_clipped) = input.normalise(index, value)?;
            *slot = number;
            if is_clipped {
                clipped.count(index);
            }
        }
        Ok(clipped)
    }
}

/// Mean and std of each number of a row, their ranges taken in; `None` if a list has another length.
fn scales(feature: &Feature<'_>) -> Option<Vec<(f64, f64)>> {
    let width = feature.width();
    let is_wide = feature.name == FeatureName::Embedding;
    let each = |list: &[f64]| match list {
        [one] if is_wide => Some(vec![*one; width]),
        list => (list.len() == width).then(|| list.to_vec()),
    };
    let scales = each(feature.mean)?.into_iter().zip(each(feature.std)?);
    let Extra::Range { min, max } = feature.extra else { return Some(scales.collect()) };
    if min.len() != width || max.len() != width {
        return None;
    }
    // (2 (x - min) / (max - min) - 1 - mean) / std, in one step.
    let ranges = min.iter().zip(max).map(|(min, max)| (min.midpoint(*max), (max - min) / 2.0));
    Some(scales.zip(ranges).map(|((m, s), (centre, half))| (centre + half * m, half * s)).collect())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tool_test;
#[cfg(test)]
mod vectors_test;
