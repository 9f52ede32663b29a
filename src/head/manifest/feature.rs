//! The manifest's words on what a head sees.

use serde::Deserialize;

use crate::observation::{
    Extra, Feature, FeatureName,
    place::{To, Viewpoint},
    prefix::{Align, Rows},
    tool::{Joints, ToolOf},
};

/// One input tensor, of `f32`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The tensor's name in the network.
    pub tensor: String,
    /// Its shape in the network, the batch of 1 included; absent: `[1, numbers]`.
    pub shape: Option<Vec<usize>>,
    /// What stands in it, in order.
    pub features: Vec<FeatureRule>,
}

impl Input {
    /// How many numbers it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.features.iter().map(FeatureRule::len).sum()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its shape in the network.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        self.shape.clone().unwrap_or_else(|| vec![1, self.len()])
    }

    /// Its features, for [`crate::observation::Packer::compile`].
    pub fn features(&self) -> impl Iterator<Item = Feature<'_>> {
        self.features.iter().map(FeatureRule::feature)
    }
}

/// One feature and its normalisation.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureRule {
    /// What it is made of.
    pub name: FeatureName,
    /// The joints, of all that is about joints.
    pub joints: Option<Vec<String>>,
    /// The parameters, if it is the decision.
    pub params: Option<Vec<String>>,
    /// The axes, if it is a position: of `x`, `y`, `z`, m. A tool's is in the frame of the arm's `base_link`.
    pub axes: Option<Vec<String>>,
    /// What of the way to a place, if it is `relative`.
    pub measures: Option<Vec<String>>,
    /// The stages, if it is the stage: a number for each.
    pub stages: Option<Vec<String>>,
    /// The numbers, if they are constant.
    pub values: Option<Vec<f64>>,
    /// How many numbers an embedding has.
    pub width: Option<usize>,
    /// What a tick counts, if it is the time that has elapsed.
    pub per_tick: Option<f64>,
    /// The arm whose tool it is, or from whose tool a place is seen: the `name` of one of the robot's.
    pub arm: Option<String>,
    /// Of a tool's position: from the joints as they are `measured` (if absent), or from the last command (`commanded`).
    pub of: Option<Joints>,
    /// Instead of `arm`, of `relative`: two or three joints that are the place of a body, x, y and z.
    pub origin: Option<Vec<String>>,
    /// The place that is seen; absent: where the object is believed to be.
    pub to: Option<To>,
    /// The joint that a heading is relative to.
    pub yaw: Option<String>,
    /// Of joints' positions and of the previous action: the values that count as -1, rad or m; absent: values count as
    /// they are.
    pub min: Option<Vec<f64>>,
    /// And as +1.
    pub max: Option<Vec<f64>>,
    /// The rows of a prefix.
    pub steps: Option<u32>,
    /// Which tick they begin or end with; absent: `end`.
    pub align: Option<Align>,
    /// Taken away from each number; of an embedding one number may stand for all.
    pub mean: Vec<f64>,
    /// What each is divided by.
    pub std: Vec<f64>,
    /// The bound of the result; absent: none, as in LeRobot and openpi, but it has to be finite.
    pub clip: Option<f64>,
}

impl FeatureRule {
    /// The key under which the items stand, as `joints` or `params`; empty if they have no names.
    #[must_use]
    pub const fn items_key(&self) -> &'static str {
        match self.name {
            FeatureName::Decision => "params",
            FeatureName::ToolPosition | FeatureName::ObjectPosition => "axes",
            FeatureName::Relative => "measures",
            FeatureName::Stage => "stages",
            name if name.is_one_number() || name.is_counted() => "",
            _ => "joints",
        }
    }

    /// How many numbers it is.
    #[must_use]
    pub fn len(&self) -> usize {
        self.width() * self.rows().steps
    }

    /// Whether it is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers a row of it is.
    #[must_use]
    pub fn width(&self) -> usize {
        match self.name {
            name if name.is_one_number() => 1,
            FeatureName::Constant => self.values.as_ref().map_or(0, Vec::len),
            FeatureName::Embedding => self.width.unwrap_or_default(),
            _ => self.items().len(),
        }
    }

    /// Its rows: one, unless it is a prefix.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let steps = self.steps.unwrap_or(1) as usize;
        Rows { steps, align: self.align.unwrap_or_default() }
    }

    /// The names of its numbers, for errors: `joint_position.shoulder`, `prefix[1].shoulder`, `constant[0]`, `delay`.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let name = self.name.as_str();
        (0..self.rows().steps).flat_map(move |row| {
            let one = self.name.is_one_number().then(|| name.to_owned());
            let counted = if self.name.is_counted() { self.width() } else { 0 };
            let row = self.steps.map_or(String::new(), |_| format!("[{row}]"));
            one.into_iter()
                .chain((0..counted).map(move |at| format!("{name}[{at}]")))
                .chain(self.items().iter().map(move |item| format!("{name}{row}.{item}")))
        })
    }

    /// The joints, parameters, axes, measures or stages.
    #[must_use]
    pub fn items(&self) -> &[String] {
        let items = match self.items_key() {
            "params" => &self.params,
            "axes" => &self.axes,
            "measures" => &self.measures,
            "stages" => &self.stages,
            "joints" => &self.joints,
            _ => &None,
        };
        items.as_deref().unwrap_or_default()
    }

    /// From where a place is seen.
    #[must_use]
    pub fn viewpoint(&self) -> Viewpoint<'_> {
        match &self.origin {
            Some(joints) => Viewpoint::Joints(joints),
            None => Viewpoint::Arm(self.arm.as_deref().unwrap_or_default()),
        }
    }

    pub(crate) fn feature(&self) -> Feature<'_> {
        let is_tool = self.name == FeatureName::ToolPosition;
        let extra = match (self.name, &self.min, &self.max) {
            (FeatureName::Constant, ..) => {
                Extra::Values(self.values.as_deref().unwrap_or_default())
            }
            (FeatureName::Embedding, ..) => Extra::Width(self.width()),
            (FeatureName::Elapsed, ..) => Extra::PerTick(self.per_tick.unwrap_or_default()),
            (FeatureName::Relative, ..) => Extra::Seen {
                from: self.viewpoint(),
                to: self.to.unwrap_or_default(),
                yaw: self.yaw.as_deref(),
            },
            (_, Some(min), Some(max)) => Extra::Range { min, max },
            _ => Extra::None,
        };
        Feature {
            name: self.name,
            items: self.items(),
            tool: self
                .arm
                .as_deref()
                .filter(|_| is_tool)
                .map(|arm| ToolOf { arm, joints: self.of.unwrap_or_default() }),
            rows: self.rows(),
            extra,
            mean: &self.mean,
            std: &self.std,
            clip: self.clip.unwrap_or(f64::INFINITY),
        }
    }
}
