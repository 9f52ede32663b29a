//! From a feature's names to where each of its numbers comes from.

use motion::Ask;

use super::{
    Param, Params,
    belief::Memory,
    feature::{Extra, Feature, FeatureError, FeatureName},
    place::{Measure, Origin, Viewpoint, Way},
    prefix::Rows,
    tool::{self, AXES, Positions, Tool, ToolOf},
};
use crate::kinematics::RobotArm;

/// Everything that one observation is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The ask, as it is to be seen.
    pub ask: &'a Ask,
    /// The decision.
    pub params: &'a Params,
    /// What the run remembers.
    pub memory: &'a Memory,
    /// Where the object is believed to be, m.
    pub object: [f64; 3],
    /// The newest embedding; empty if there is none.
    pub embedding: &'a [f32],
}

/// Where one number comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Position(usize),
    Sine(usize),
    Cosine(usize),
    Velocity(usize),
    Previous(usize),
    Decision(Param),
    Tool {
        at: usize,
        axis: usize,
    },
    Object(usize),
    Relative(Way),
    Constant(f64),
    /// 1 in these entries of the stages.
    Stage(u64),
    Grasped,
    Eaten,
    Elapsed(f64),
    Embedding(usize),
    Prefix {
        joint: usize,
        row: usize,
        rows: Rows,
    },
    Delay,
    Base(usize),
    Step,
}

impl Source {
    /// `None` if the state has fewer joints than the robot, or there is no embedding of this width.
    pub(super) fn gather(
        self,
        sight: &Sight<'_>,
        tools: &[Tool],
        positions: &mut Positions,
    ) -> Option<f64> {
        let Sight { ask, params, memory, object, embedding } = *sight;
        let position = |joint: usize| ask.state.position.get(joint).copied();
        let flag = |is: bool| Some(f64::from(u8::from(is)));
        match self {
            Self::Position(joint) => position(joint),
            Self::Sine(joint) => position(joint).map(f64::sin),
            Self::Cosine(joint) => position(joint).map(f64::cos),
            Self::Velocity(joint) => ask.state.velocity.get(joint).copied(),
            Self::Previous(joint) => ask.last_command.get(joint).copied(),
            Self::Decision(param) => Some(param.of(params)),
            Self::Tool { at, axis } => positions.of(tools, at, axis, ask),
            Self::Object(axis) => object.get(axis).copied(),
            Self::Relative(way) => way.of(ask, params, object, tools, positions),
            Self::Constant(value) => Some(value),
            Self::Stage(entries) => {
                flag(memory.stage().is_some_and(|entry| entries >> entry & 1 == 1))
            }
            Self::Grasped => flag(memory.grasped()),
            Self::Eaten => flag(memory.eaten()),
            Self::Elapsed(per_tick) => Some(memory.elapsed(ask) as f64 * per_tick),
            Self::Embedding(at) => embedding.get(at).copied().map(f64::from),
            Self::Prefix { joint, row, rows } => {
                ask.course.at(rows.offset(row, ask.course.ahead()), joint)
            }
            Self::Delay => Some(f64::from(ask.delay)),
            Self::Base(joint) => ask.course.at(0, joint),
            Self::Step => Some(f64::from(ask.step)),
        }
    }
}

/// Looks names up.
pub(super) struct Finder<'a> {
    pub(super) joints: &'a dyn Fn(&str) -> Option<usize>,
    pub(super) arms: &'a [RobotArm],
    /// Names of the stages' entries.
    pub(super) stages: &'a [&'a str],
    /// The tools that were found.
    pub(super) tools: Vec<Tool>,
}

impl Finder<'_> {
    /// The sources of a row of feature `at`.
    pub(super) fn row(
        &mut self,
        at: usize,
        feature: &Feature<'_>,
        row: usize,
    ) -> Result<Vec<Source>, FeatureError> {
        let Feature { name, items, extra, rows, .. } = *feature;
        let unknown = |item: &str| FeatureError::Unknown { feature: at, item: item.to_owned() };
        let one = match (name, extra) {
            (FeatureName::Delay, _) => Some(vec![Source::Delay]),
            (FeatureName::ChunkStep, _) => Some(vec![Source::Step]),
            (FeatureName::Grasped, _) => Some(vec![Source::Grasped]),
            (FeatureName::Eaten, _) => Some(vec![Source::Eaten]),
            (FeatureName::Elapsed, Extra::PerTick(per_tick)) => {
                Some(vec![Source::Elapsed(per_tick)])
            }
            (FeatureName::Constant, Extra::Values(values)) => {
                Some(values.iter().copied().map(Source::Constant).collect())
            }
            (FeatureName::Embedding, Extra::Width(width)) => {
                Some((0..width).map(Source::Embedding).collect())
            }
            _ => None,
        };
        if let Some(sources) = one {
            return Ok(sources);
        }
        let way = match (name, extra) {
            (FeatureName::Relative, Extra::Seen { from, to, yaw }) => {
                let origin = self.origin(at, from)?;
                let yaw = yaw.map(|yaw| (self.joints)(yaw).ok_or_else(|| unknown(yaw)));
                let measure = Measure::Distance;
                Some(Way { origin, to, yaw: yaw.transpose()?, measure })
            }
            _ => None,
        };
        let tool = match name {
            FeatureName::ToolPosition => self.tool(feature.tool, at)?,
            _ => 0,
        };
        let joint = |item: &str| (self.joints)(item);
        let axis = |item: &str| AXES.iter().position(|axis| *axis == item);
        let each = items.iter().map(|item| {
            let source = match name {
                FeatureName::JointPosition => joint(item).map(Source::Position),
                FeatureName::JointSine => joint(item).map(Source::Sine),
                FeatureName::JointCosine => joint(item).map(Source::Cosine),
                FeatureName::JointVelocity => joint(item).map(Source::Velocity),
                FeatureName::PreviousAction => joint(item).map(Source::Previous),
                FeatureName::Decision => Param::named(item).map(Source::Decision),
                FeatureName::ToolPosition => axis(item).map(|axis| Source::Tool { at: tool, axis }),
                FeatureName::ObjectPosition => axis(item).map(Source::Object),
                FeatureName::Relative => way
                    .zip(Measure::named(item))
                    .map(|(way, measure)| Source::Relative(Way { measure, ..way })),
                FeatureName::Stage => {
                    let names = self.stages.iter().copied();
                    Some(Source::Stage(super::belief::entries(names, |known| known == item)))
                }
                FeatureName::Prefix => joint(item).map(|joint| Source::Prefix { joint, row, rows }),
                FeatureName::BaseAction => joint(item).map(Source::Base),
                _ => None,
            };
            source.ok_or_else(|| unknown(item))
        });
        each.collect()
    }

    fn origin(&mut self, at: usize, from: Viewpoint<'_>) -> Result<Origin, FeatureError> {
        match from {
            Viewpoint::Arm(arm) => {
                let of = ToolOf { arm, joints: tool::Joints::Measured };
                self.tool(Some(of), at).map(Origin::Tool)
            }
            Viewpoint::Joints(names) => Origin::joints(names, self.joints)
                .map_err(|item| FeatureError::Unknown { feature: at, item }),
        }
    }

    /// The number of a tool, each looked up once.
    fn tool(&mut self, tool: Option<ToolOf<'_>>, feature: usize) -> Result<usize, FeatureError> {
        let arm = || tool.map_or("", |tool| tool.arm).to_owned();
        let missing = || FeatureError::NoArm { feature, arm: arm() };
        let wanted = tool.ok_or_else(missing)?;
        let is = |tool: &Tool| tool.arm.name == wanted.arm && tool.joints == wanted.joints;
        if let Some(known) = self.tools.iter().position(is) {
            return Ok(known);
        }
        let arm = self.arms.iter().find(|arm| arm.name == wanted.arm);
        let arm = arm.ok_or_else(missing)?.clone();
        self.tools.push(Tool { arm, joints: wanted.joints });
        Ok(self.tools.len() - 1)
    }
}
