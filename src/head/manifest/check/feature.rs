//! What features have to fulfil: each has the keys that it needs, no others, and numbers that can be divided by.

use std::collections::HashSet;

use motion::MAX_BACK;

use super::{
    super::{FeatureRule, Input},
    Checked, Refuse, product,
};
use crate::observation::{FeatureName, Params, place::Measure, tool::AXES};

/// Largest clip: more standard deviations than any network was trained on, and far from where `f32` ends.
const CLIP_MAX: f64 = 1e6;
/// Widest embedding: no encoder of a robot's computer has more.
const WIDTH_MAX: usize = 16_384;

impl Input {
    pub(super) fn check(&self, no: &Refuse<'_>, at: usize) -> Checked {
        let input = format!("inputs[{at}]");
        no.unless_named(&format!("{input}.tensor"), &self.tensor)?;
        let key = format!("{input}.features");
        no.unless(!self.features.is_empty(), key, "[]", "name at least one feature")?;
        for (feature_at, feature) in self.features.iter().enumerate() {
            feature.check_keys(no, |name| format!("{input}.features[{feature_at}].{name}"))?;
        }
        let (shape, numbers) = (self.shape(), self.len());
        let holds = product(&shape) == Some(numbers);
        let remedy = format!("give a shape of the {numbers} numbers of the features");
        no.unless(holds, format!("{input}.shape"), shape, remedy)?;
        let mut seen = HashSet::new();
        for (feature_at, feature) in self.features.iter().enumerate() {
            let key = |name| format!("{input}.features[{feature_at}].{name}");
            let FeatureRule { name, arm, of, min, origin, to, .. } = feature;
            for item in feature.items() {
                let which = (name, arm, of, min.is_some(), origin, to, item);
                let is_new = name.may_repeat() || seen.insert(which);
                let items_key = feature.items_key();
                no.unless(is_new, key(items_key), item, "an earlier feature already has it")?;
            }
            feature.check_numbers(no, key)?;
        }
        Ok(())
    }
}

impl FeatureRule {
    /// The keys that it needs are there, and nothing that it does not take.
    fn check_keys(&self, no: &Refuse<'_>, key: impl Fn(&'static str) -> String) -> Checked {
        let name = self.name.as_str();
        let (items_key, items) = (self.items_key(), self.items());
        let lists = [
            ("joints", &self.joints),
            ("params", &self.params),
            ("axes", &self.axes),
            ("measures", &self.measures),
            ("stages", &self.stages),
        ];
        for (list_name, list) in lists {
            let takes = if items_key.is_empty() { "nothing" } else { items_key };
            let remedy = format!("{name} takes {takes}: leave it out");
            no.unless(list_name == items_key || list.is_none(), key(list_name), list, remedy)?;
        }
        let is = |wanted: FeatureName| self.name == wanted;
        let only = |there: bool, wanted: FeatureName, list: &'static str, value: &str| {
            let remedy = match is(wanted) {
                true => format!("{name} needs it"),
                false => format!("only {} has it: leave it out", wanted.as_str()),
            };
            no.unless(there == is(wanted), key(list), value.to_owned(), remedy)
        };
        let values = format!("{:?}", self.values);
        only(self.values.is_some(), FeatureName::Constant, "values", &values)?;
        let width = format!("{:?}", self.width);
        only(self.width.is_some(), FeatureName::Embedding, "width", &width)?;
        let per_tick = format!("{:?}", self.per_tick);
        only(self.per_tick.is_some(), FeatureName::Elapsed, "per_tick", &per_tick)?;
        self.check_viewpoint(no, &key)?;
        self.check_range(no, &key)?;
        self.check_rows(no, &key)?;
        if !items_key.is_empty() {
            no.unless_distinct(key(items_key), items)?;
        }
        let measures = Measure::names();
        let known: &[&str] = match self.name {
            FeatureName::Decision => &Params::NAMES,
            FeatureName::ToolPosition | FeatureName::ObjectPosition => &AXES,
            FeatureName::Relative => &measures,
            _ => return Ok(()), // the robot's joints are not known yet
        };
        for item in items {
            let is_known = known.contains(&item.as_str());
            no.unless(is_known, key(items_key), item, format!("there are {known:?}"))?;
        }
        Ok(())
    }

    /// What is seen from where.
    fn check_viewpoint(&self, no: &Refuse<'_>, key: impl Fn(&'static str) -> String) -> Checked {
        if let Some(arm) = &self.arm {
            no.unless_named(&key("arm"), arm)?;
        }
        if let Some(yaw) = &self.yaw {
            no.unless_named(&key("yaw"), yaw)?;
        }
        let is_tool = self.name == FeatureName::ToolPosition;
        let is_relative = self.name == FeatureName::Relative;
        let remedy = "only a tool_position has it: leave it out";
        no.unless(is_tool || self.of.is_none(), key("of"), self.of, remedy)?;
        let remedy = "only a relative has it: leave it out";
        no.unless(is_relative || self.origin.is_none(), key("origin"), &self.origin, remedy)?;
        no.unless(is_relative || self.to.is_none(), key("to"), self.to, remedy)?;
        no.unless(is_relative || self.yaw.is_none(), key("yaw"), &self.yaw, remedy)?;
        if !is_relative {
            let remedy = "a tool_position names its arm; nothing else has one";
            return no.unless(is_tool == self.arm.is_some(), key("arm"), &self.arm, remedy);
        }
        let one = self.arm.is_some() != self.origin.is_some();
        let remedy = "say from where: the arm whose tool it is, or as `origin` two or three joints";
        no.unless(one, key("arm"), (&self.arm, &self.origin), remedy)?;
        if let Some(joints) = &self.origin {
            no.unless_distinct(key("origin"), joints)?;
            let remedy = "name two joints, x and y, or three, with z";
            no.unless((2..=3).contains(&joints.len()), key("origin"), joints, remedy)?;
        }
        let named = self.items().iter().filter_map(|item| Measure::named(item));
        let turns = named.into_iter().any(Measure::turns);
        let remedy = match turns {
            true => "name the joint that headings are relative to",
            false => "only sin_heading and cos_heading need it: leave it out",
        };
        no.unless(turns == self.yaw.is_some(), key("yaw"), &self.yaw, remedy)
    }

    fn check_range(&self, no: &Refuse<'_>, key: impl Fn(&'static str) -> String) -> Checked {
        let ranges = matches!(self.name, FeatureName::JointPosition | FeatureName::PreviousAction);
        for (name, here, other) in [("min", &self.min, &self.max), ("max", &self.max, &self.min)] {
            let Some(list) = here else { continue };
            let remedy = "only joint_position and previous_action have a range: leave it out";
            no.unless(ranges, key(name), list, remedy)?;
            no.unless(other.is_some(), key(name), list, "give both `min` and `max`, or neither")?;
            no.unless_len(key(name), list.len(), self.width(), self.items_key())?;
            no.unless_finite(key(name), list)?;
        }
        let (Some(min), Some(max)) = (&self.min, &self.max) else { return Ok(()) };
        let is_range = min.iter().zip(max).all(|(min, max)| min < max);
        no.unless(is_range, key("min"), min, format!("each has to be below that of max = {max:?}"))
    }

    /// A prefix has rows, nothing else has.
    fn check_rows(&self, no: &Refuse<'_>, key: impl Fn(&'static str) -> String) -> Checked {
        let name = self.name.as_str();
        if self.name != FeatureName::Prefix {
            let remedy = format!("a {name} has no rows: leave it out");
            no.unless(self.steps.is_none(), key("steps"), self.steps, &remedy)?;
            return no.unless(self.align.is_none(), key("align"), self.align, &remedy);
        }
        let steps = self.steps.unwrap_or_default() as usize;
        let remedy = format!("give 1 to {MAX_BACK}");
        no.unless((1..=MAX_BACK).contains(&steps), key("steps"), steps, remedy)
    }

    fn check_numbers(&self, no: &Refuse<'_>, key: impl Fn(&'static str) -> String) -> Checked {
        let values = self.values.as_deref().unwrap_or_default();
        if self.name == FeatureName::Constant {
            no.unless(!values.is_empty(), key("values"), values, "give at least one number")?;
            no.unless_finite(key("values"), values)?;
        }
        if self.name == FeatureName::Embedding {
            let remedy = format!("give 1 to {WIDTH_MAX}");
            let is_width = (1..=WIDTH_MAX).contains(&self.width());
            no.unless(is_width, key("width"), self.width(), remedy)?;
        }
        if let Some(per_tick) = self.per_tick {
            no.unless_finite(key("per_tick"), &[per_tick])?;
        }
        let of = match self.items_key() {
            "" => "numbers",
            items => items,
        };
        for (name, list) in [("mean", &self.mean), ("std", &self.std)] {
            let one_for_all = self.name == FeatureName::Embedding && list.len() == 1;
            let wanted = if one_for_all { 1 } else { self.width() };
            no.unless_len(key(name), list.len(), wanted, of)?;
            no.unless_finite(key(name), list)?;
        }
        let positive = self.std.iter().all(|std| *std > 0.0);
        no.unless(positive, key("std"), &self.std, "each has to be above 0")?;
        let Some(clip) = self.clip else { return Ok(()) };
        let remedy = format!("give more than 0 and up to {CLIP_MAX}, or leave it out");
        no.unless(clip > 0.0 && clip <= CLIP_MAX, key("clip"), clip, remedy)
    }
}
