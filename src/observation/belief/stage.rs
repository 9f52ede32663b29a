//! Stages of a run, by rules on what is measured and believed: of an ordered list the last entry that counts.

use motion::Ask;
use serde::Deserialize;

use super::{
    super::place::{Measure, Viewpoint},
    Belief, BeliefError, Finder, Grip, Memory, Origin, Params, Positions, To, Way,
};

/// The most entries of a list; the published ones have six.
pub const MAX_STAGES: usize = 64;

/// One entry: a stage, and what it takes to be in it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRule {
    /// The stage's name. Two entries of one name are two ways into it.
    pub name: String,
    /// What has to hold; absent: nothing.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// What is enough to stay, once in it; absent: as `when`.
    #[serde(rename = "while")]
    pub stays: Option<Vec<Condition>>,
    /// The stages that it may be entered from; absent: any.
    pub after: Option<Vec<String>>,
}

/// A bound on a quantity.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The quantity.
    pub of: Quantity,
    /// Which joint, if it is one.
    pub joint: Option<String>,
    /// From the tool of which arm it is seen, if it is of two places; of which arm the tool's height is.
    pub arm: Option<String>,
    /// Instead: from two or three joints that are the place of a body.
    pub origin: Option<Vec<String>>,
    /// What is seen; absent: the object.
    pub to: Option<To>,
    /// It has to be below this.
    pub below: Option<f64>,
    /// It has to be this or more.
    pub at_least: Option<f64>,
}

/// What a condition may be about. Distances are in m; what is so or not is 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Ticks since the run's first ask.
    Ticks,
    /// Whether the object is in the hand.
    Grasped,
    /// Whether it has been at the mouth.
    Eaten,
    /// Whether every finger is closed.
    Closed,
    /// A joint's measured position, rad or m.
    Joint,
    /// The object's height.
    ObjectZ,
    /// How much higher the object is than the decision's target.
    Lifted,
    /// A tool's height.
    ToolZ,
    /// How far along x.
    Dx,
    /// Along y.
    Dy,
    /// Along z.
    Dz,
    /// How far.
    Distance,
    /// How far on the ground.
    DistanceXy,
}

impl Quantity {
    /// The measure, if it is one of two places.
    #[must_use]
    pub const fn measure(self) -> Option<Measure> {
        Some(match self {
            Self::Dx => Measure::Dx,
            Self::Dy => Measure::Dy,
            Self::Dz => Measure::Dz,
            Self::Distance => Measure::Distance,
            Self::DistanceXy => Measure::DistanceXy,
            _ => return None,
        })
    }
}

/// A quantity, looked up.
#[derive(Clone, Copy, Debug)]
enum Number {
    Ticks,
    Grasped,
    Eaten,
    Closed,
    Joint(usize),
    ObjectZ,
    Lifted,
    ToolZ(usize),
    Way(Way),
}

/// A condition, looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    number: Number,
    below: f64,
    at_least: f64,
}

/// An entry, looked up. Entries are sets: bit `k` is entry `k` of the list.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    when: Vec<Bound>,
    stays: Option<Vec<Bound>>,
    after: Option<u64>,
}

/// The entries of these names.
pub(in super::super) fn entries<'a>(
    stages: impl Iterator<Item = &'a str>,
    named: impl Fn(&str) -> bool,
) -> u64 {
    let each = stages.take(MAX_STAGES).enumerate();
    each.filter(|(_, name)| named(name)).fold(0, |all, (at, _)| all | 1 << at)
}

impl Stage {
    pub(super) fn compile(
        rule: &StageRule,
        at: usize,
        stages: &[StageRule],
        finder: &mut Finder<'_>,
    ) -> Result<Self, BeliefError> {
        let mut bounds = |list: &[Condition], name: &str| {
            let of =
                |(k, condition)| bound(condition, &format!("stages[{at}].{name}[{k}]"), finder);
            list.iter().enumerate().map(of).collect::<Result<Vec<_>, _>>()
        };
        let when = bounds(&rule.when, "when")?;
        let stays = rule.stays.as_ref().map(|list| bounds(list, "while")).transpose()?;
        let after = rule.after.as_ref().map(|names| {
            let all = stages.iter().map(|stage| stage.name.as_str());
            entries(all, |name| names.iter().any(|known| known == name))
        });
        Ok(Self { when, stays, after })
    }
}

fn bound(condition: &Condition, key: &str, finder: &mut Finder<'_>) -> Result<Bound, BeliefError> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = match condition.of {
        Quantity::Ticks => Number::Ticks,
        Quantity::Grasped => Number::Grasped,
        Quantity::Eaten => Number::Eaten,
        Quantity::Closed => Number::Closed,
        Quantity::ObjectZ => Number::ObjectZ,
        Quantity::Lifted => Number::Lifted,
        Quantity::Joint => {
            Number::Joint(finder.joint(|| format!("{key}.joint"), &text(&condition.joint))?)
        }
        Quantity::ToolZ => {
            Number::ToolZ(finder.tool(|| format!("{key}.arm"), &text(&condition.arm))?)
        }
        of => {
            let origin = match &condition.origin {
                Some(joints) => {
                    let find = |name: &str| finder.joint(String::new, name).ok();
                    let missing =
                        |joint| BeliefError::NoJoint { key: format!("{key}.origin"), joint };
                    Origin::joints(joints, find).map_err(missing)?
                }
                None => Origin::Tool(finder.tool(|| format!("{key}.arm"), &text(&condition.arm))?),
            };
            let to = condition.to.unwrap_or_default();
            let measure = of.measure().unwrap_or(Measure::Distance);
            Number::Way(Way { origin, to, yaw: None, measure })
        }
    };
    let below = condition.below.unwrap_or(f64::INFINITY);
    let at_least = condition.at_least.unwrap_or(f64::NEG_INFINITY);
    Ok(Bound { number, below, at_least })
}

impl Belief {
    /// The last entry that counts; `None` if none does.
    pub(super) fn stage(
        &self,
        ask: &Ask,
        params: &Params,
        object: [f64; 3],
        memory: &Memory,
        seen: &mut Positions,
    ) -> Option<u8> {
        let mut holds = |bounds: &[Bound]| {
            bounds.iter().all(|bound| {
                let number = self.number(bound.number, ask, params, object, memory, seen);
                number.is_some_and(|number| number < bound.below && number >= bound.at_least)
            })
        };
        let now = memory.stage();
        let counts = self.stages.iter().enumerate().rev().find(|(at, stage)| {
            let is_in = now.is_some_and(|now| usize::from(now) == *at);
            if is_in && stage.stays.as_ref().is_some_and(|bounds| holds(bounds)) {
                return true;
            }
            let may = is_in
                || stage.after.is_none_or(|after| now.is_some_and(|now| after >> now & 1 == 1));
            may && holds(&stage.when)
        });
        counts.and_then(|(at, _)| u8::try_from(at).ok())
    }

    fn number(
        &self,
        number: Number,
        ask: &Ask,
        params: &Params,
        object: [f64; 3],
        memory: &Memory,
        seen: &mut Positions,
    ) -> Option<f64> {
        let flag = |is: bool| f64::from(u8::from(is));
        Some(match number {
            Number::Ticks => memory.elapsed(ask) as f64,
            Number::Grasped => flag(memory.grasped()),
            Number::Eaten => flag(memory.eaten()),
            Number::Closed => flag(self.hand.as_ref()?.grip(&ask.state.position) != Grip::Open),
            Number::Joint(joint) => ask.state.position.get(joint).copied()?,
            Number::ObjectZ => object[2],
            Number::Lifted => object[2] - params.target_z,
            Number::ToolZ(at) => seen.place(&self.tools, at, ask)?[2],
            Number::Way(way) => way.of(ask, params, object, &self.tools, seen)?,
        })
    }
}

/// Where conditions are seen from, for checks.
impl Condition {
    /// From where, if it says so.
    #[must_use]
    pub fn viewpoint(&self) -> Option<Viewpoint<'_>> {
        match (&self.arm, &self.origin) {
            (_, Some(joints)) => Some(Viewpoint::Joints(joints)),
            (Some(arm), None) => Some(Viewpoint::Arm(arm)),
            (None, None) => None,
        }
    }
}
