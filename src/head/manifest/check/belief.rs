//! What a belief has to fulfil: a hand that can close, bounds that can hold, stages that can be entered.

use super::{
    super::{At, FeatureRule, Manifest},
    Checked, Refuse,
};
use crate::{
    action::Columns,
    observation::{
        FeatureName,
        belief::{Condition, MAX_STAGES, ObjectRule, Quantity, StageRule},
    },
};

impl Manifest {
    /// A head that runs in any loop must not count in its own seconds.
    pub(super) fn check_at(&self, no: &Refuse<'_>) -> Checked {
        if self.timing.at == At::Own {
            return Ok(());
        }
        let remedy = "set it to \"own\": a state that is rolled forward needs the period that it was trained for";
        no.unless(!self.timing.roll_forward, "timing.at", "loop", remedy)?;
        let poses = self.output.columns.iter().any(|of| matches!(of, Columns::ToolPose(_)));
        let remedy =
            "set it to \"own\": how far joints may go between two poses depends on the period";
        no.unless(!poses, "timing.at", "loop", remedy)
    }

    pub(super) fn check_belief(&self, no: &Refuse<'_>) -> Checked {
        if let Some(object) = &self.object {
            object.check(no)?;
        }
        let features = || self.inputs.iter().flat_map(|input| &input.features);
        let has = |name| features().any(|feature: &FeatureRule| feature.name == name);
        for name in [FeatureName::Grasped, FeatureName::Eaten] {
            let remedy = format!("a feature \"{}\" needs it: add [object]", name.as_str());
            no.unless(!has(name) || self.object.is_some(), "object", "nothing", remedy)?;
        }
        let can_eat = self.object.as_ref().is_some_and(|object| object.mouth.is_some());
        let remedy = "a feature \"eaten\" needs it: name the arm that is the mouth";
        no.unless(!has(FeatureName::Eaten) || can_eat, "object.mouth", "nothing", remedy)?;
        let remedy = "a feature \"stage\" needs it: add [[stages]]";
        no.unless(!has(FeatureName::Stage) || !self.stages.is_empty(), "stages", "[]", remedy)?;
        let few = self.stages.len() <= MAX_STAGES;
        let remedy = format!("give at most {MAX_STAGES} entries");
        no.unless(few, "stages", self.stages.len(), remedy)?;
        for (at, stage) in self.stages.iter().enumerate() {
            let key = |name: &str| format!("stages[{at}].{name}");
            no.unless_named(&key("name"), &stage.name)?;
            // A stage that no feature has a number for would be seen as none at all.
            let mut seen = features().filter(|feature| feature.name == FeatureName::Stage);
            let known = seen.all(|feature| feature.items().contains(&stage.name));
            let remedy = "name it in `stages` of the feature \"stage\", too";
            no.unless(known, key("name"), &stage.name, remedy)?;
            stage.check(no, key, self)?;
        }
        Ok(())
    }
}

impl ObjectRule {
    fn check(&self, no: &Refuse<'_>) -> Checked {
        no.unless_named("object.arm", &self.arm)?;
        no.unless_distinct("object.fingers", &self.fingers)?;
        if let Some(mouth) = &self.mouth {
            no.unless_named("object.mouth", mouth)?;
        }
        let finite = self.closed_below.is_finite();
        no.unless(finite, "object.closed_below", self.closed_below, "give a finite number")?;
        if let Some(empty) = self.empty_below {
            let remedy = format!("has to be below closed_below = {}", self.closed_below);
            no.unless(empty < self.closed_below, "object.empty_below", empty, remedy)?;
        }
        let remedy = "give the distance in m, more than 0";
        let is_reach = self.reach_m > 0.0 && self.reach_m.is_finite();
        no.unless(is_reach, "object.reach_m", self.reach_m, remedy)?;
        let z_min = self.z_min.as_slice();
        no.unless_finite("object.z_min", z_min)?;
        let both = self.mouth.is_some() == self.eaten_within_m.is_some();
        let (mouth, near) = (&self.mouth, self.eaten_within_m);
        let words = "give both `mouth` and `eaten_within_m`, or neither";
        no.unless(both, "object.mouth", (mouth, near), words)?;
        let is_near = near.is_none_or(|near| near > 0.0 && near.is_finite());
        no.unless(is_near, "object.eaten_within_m", near, remedy)
    }
}

impl StageRule {
    fn check(&self, no: &Refuse<'_>, key: impl Fn(&str) -> String, manifest: &Manifest) -> Checked {
        let remedy = "give what suffices to stay, or leave it out";
        let says = self.stays.as_ref().is_none_or(|stays| !stays.is_empty());
        no.unless(says, key("while"), "[]", remedy)?;
        let stays = self.stays.as_deref().unwrap_or_default();
        for (name, list) in [("when", self.when.as_slice()), ("while", stays)] {
            for (k, condition) in list.iter().enumerate() {
                let key = |of: &str| key(&format!("{name}[{k}].{of}"));
                condition.check(no, key, manifest)?;
            }
        }
        let Some(after) = &self.after else { return Ok(()) };
        no.unless_distinct(key("after"), after)?;
        for name in after {
            let known = manifest.stages.iter().any(|stage| stage.name == *name);
            no.unless(known, key("after"), name, "name one of the [[stages]]")?;
        }
        Ok(())
    }
}

impl Condition {
    fn check(&self, no: &Refuse<'_>, key: impl Fn(&str) -> String, manifest: &Manifest) -> Checked {
        let Self { of, joint, arm, origin, to, below, at_least } = self;
        let bounds = below.is_some() || at_least.is_some();
        let remedy = "give `below`, `at_least`, or both";
        no.unless(bounds, key("below"), below, remedy)?;
        for (name, named) in [("arm", arm), ("joint", joint)] {
            if let Some(named) = named {
                no.unless_named(&key(name), named)?;
            }
        }
        no.unless_finite(key("below"), below.as_slice())?;
        no.unless_finite(key("at_least"), at_least.as_slice())?;
        if let (Some(below), Some(at_least)) = (below, at_least) {
            let remedy = format!("has to be more than at_least = {at_least}");
            no.unless(below > at_least, key("below"), below, remedy)?;
        }
        let is_joint = *of == Quantity::Joint;
        let remedy = if is_joint { "name the joint" } else { "only of = \"joint\" has it" };
        no.unless(joint.is_some() == is_joint, key("joint"), joint, remedy)?;
        let is_way = of.measure().is_some();
        let remedy = "only what is seen from somewhere has it: leave it out";
        no.unless(is_way || to.is_none(), key("to"), to, remedy)?;
        no.unless(is_way || origin.is_none(), key("origin"), origin, remedy)?;
        if is_way {
            let one = arm.is_some() != origin.is_some();
            let remedy =
                "say from where: the arm whose tool it is, or as `origin` two or three joints";
            no.unless(one, key("arm"), (arm, origin), remedy)?;
            let few = origin.as_ref().is_none_or(|joints| (2..=3).contains(&joints.len()));
            let remedy = "name two joints, x and y, or three, with z";
            no.unless(few, key("origin"), origin, remedy)?;
        } else {
            let is_tool = *of == Quantity::ToolZ;
            let remedy = if is_tool { "name the arm" } else { "leave it out" };
            no.unless(arm.is_some() == is_tool, key("arm"), arm, remedy)?;
        }
        let needs_hand = matches!(of, Quantity::Grasped | Quantity::Eaten | Quantity::Closed);
        let remedy = "it needs a hand: add [object]";
        no.unless(!needs_hand || manifest.object.is_some(), key("of"), of, remedy)
    }
}
