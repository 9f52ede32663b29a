//! What a run remembers: where the object is believed to be, whether it is in the hand, and which stage that makes it.
//!
//! ```text
//!   decision's target ──► lies there ──fingers closed, hand near──► goes with the hand ──a finger opens──► lies below
//! ```
//!
//! A pure function of the run's asks and its decision, looked at once an ask: measured joints and the robot's own
//! kinematics, and nothing that a simulator knows. Chunks are asked for several ticks apart, and by the time of an ask a
//! hand that has closed may be far from where the object lay; so it is looked up in the commands sent since when the
//! hand took it.

use motion::{Ask, Joints, MAX_BACK, TickIndex};
use serde::Deserialize;

use super::{
    Params,
    place::{Origin, To, Way},
    tool::{self, Positions, Tool},
};
use crate::kinematics::RobotArm;

mod stage;

pub(super) use stage::entries;
pub use stage::{Condition, MAX_STAGES, Quantity, StageRule};

/// How the hand and the object belong together.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectRule {
    /// The arm whose tool carries it.
    pub arm: String,
    /// The joints that close on it.
    pub fingers: Vec<String>,
    /// A finger is closed when it is measured below this, rad or m.
    pub closed_below: f64,
    /// When all of them are measured below this, the hand has closed on nothing; absent: it never has.
    pub empty_below: Option<f64>,
    /// A hand that closes takes hold of an object that is nearer to its tool than this, m.
    pub reach_m: f64,
    /// How it goes with the hand.
    #[serde(default)]
    pub carried: Carried,
    /// It is carried no lower than this, m; absent: it goes wherever the hand goes.
    pub z_min: Option<f64>,
    /// The arm whose tool is the mouth; absent: nothing is ever eaten.
    pub mouth: Option<String>,
    /// Nearer to the mouth than this it is eaten, m.
    pub eaten_within_m: Option<f64>,
}

/// How an object goes with the hand that holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// It keeps its distance from the tool along the axes of the arm's base.
    #[default]
    Offset,
    /// It is where the tool is.
    Hand,
    /// It keeps its place in the tool's own frame.
    Rigid,
}

/// What a run remembers. It begins anew with every run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// The tick of the first ask.
    began: Option<TickIndex>,
    /// That of the last one.
    last: Option<TickIndex>,
    object: Whereabouts,
    eaten: bool,
    /// Which entry of the stages.
    stage: Option<u8>,
}

/// Where an object is believed to be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Whereabouts {
    /// Where the decision says.
    #[default]
    Told,
    /// In the hand, so far from its tool.
    Held([f64; 3]),
    /// Where the hand let go of it: x and y.
    Left([f64; 2]),
}

impl Memory {
    /// Ticks from the first ask of the run to this one.
    #[must_use]
    pub fn elapsed(&self, ask: &Ask) -> u64 {
        self.began.map_or(0, |began| ask.tick.0.saturating_sub(began.0))
    }

    /// Whether the object is believed to be in the hand.
    #[must_use]
    pub const fn grasped(&self) -> bool {
        matches!(self.object, Whereabouts::Held(_))
    }

    /// Whether it has been at the mouth.
    #[must_use]
    pub const fn eaten(&self) -> bool {
        self.eaten
    }

    /// That of a run of so many ticks, for tests: its object at the tool of a hand, its stage an entry of a list.
    #[cfg(test)]
    pub(super) fn as_if(ask: &Ask, ticks: u64, grasped: bool, eaten: bool, stage: u8) -> Self {
        let object = if grasped { Whereabouts::Held([0.0; 3]) } else { Whereabouts::Told };
        let began = Some(TickIndex(ask.tick.0 - ticks));
        Self { began, last: Some(ask.tick), object, eaten, stage: Some(stage) }
    }

    /// Which of the stages' entries counts.
    pub(super) const fn stage(&self) -> Option<u8> {
        self.stage
    }
}

/// Why a belief does not fit the robot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeliefError {
    /// The robot has no such joint.
    #[error("{key} names the joint `{joint}`, which does not exist")]
    NoJoint {
        /// Where.
        key: String,
        /// The name.
        joint: String,
    },
    /// The robot has no such arm.
    #[error("{key} names the arm `{arm}`, which does not exist")]
    NoArm {
        /// Where.
        key: String,
        /// The name.
        arm: String,
    },
}

/// A hand, looked up.
#[derive(Clone, Debug)]
struct Hand {
    rule: ObjectRule,
    /// Which of the tools.
    tool: usize,
    fingers: Vec<usize>,
    /// Which of the tools is the mouth, and how near is eaten.
    mouth: Option<(usize, f64)>,
}

/// What fingers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grip {
    Open,
    Closed,
    /// On nothing.
    Empty,
}

impl Hand {
    fn grip(&self, joints: &Joints) -> Grip {
        let below = |bound: f64| {
            self.fingers.iter().all(|&finger| joints.get(finger).is_some_and(|at| *at < bound))
        };
        match self.rule.empty_below {
            Some(bound) if below(bound) => Grip::Empty,
            _ if below(self.rule.closed_below) => Grip::Closed,
            _ => Grip::Open,
        }
    }
}

/// The rules of a belief, looked up.
#[derive(Clone, Debug, Default)]
pub struct Belief {
    hand: Option<Hand>,
    stages: Vec<stage::Stage>,
    tools: Vec<Tool>,
}

/// What looks joints and arms up.
struct Finder<'a> {
    joints: &'a [String],
    arms: &'a [RobotArm],
    tools: Vec<Tool>,
}

impl Finder<'_> {
    fn joint(&self, key: impl Fn() -> String, name: &str) -> Result<usize, BeliefError> {
        let found = self.joints.iter().position(|joint| joint == name);
        found.ok_or_else(|| BeliefError::NoJoint { key: key(), joint: name.to_owned() })
    }

    /// The number of an arm's tool, each looked up once.
    fn tool(&mut self, key: impl Fn() -> String, name: &str) -> Result<usize, BeliefError> {
        if let Some(at) = self.tools.iter().position(|tool| tool.arm.name == name) {
            return Ok(at);
        }
        let arm = self.arms.iter().find(|arm| arm.name == name).cloned();
        let arm = arm.ok_or_else(|| BeliefError::NoArm { key: key(), arm: name.to_owned() })?;
        self.tools.push(Tool { arm, joints: tool::Joints::Measured });
        Ok(self.tools.len() - 1)
    }
}

impl Belief {
    /// Looks names up.
    ///
    /// # Errors
    /// A joint or an arm that the robot has not.
    pub fn compile(
        object: Option<&ObjectRule>,
        stages: &[StageRule],
        joints: &[String],
        arms: &[RobotArm],
    ) -> Result<Self, BeliefError> {
        let mut finder = Finder { joints, arms, tools: Vec::new() };
        let hand = object.map(|rule| hand(rule, &mut finder)).transpose()?;
        let mut compiled = Vec::new();
        for (at, rule) in stages.iter().enumerate() {
            compiled.push(stage::Stage::compile(rule, at, stages, &mut finder)?);
        }
        Ok(Self { hand, stages: compiled, tools: finder.tools })
    }

    /// Takes an ask of the run in. Allocates nothing. What is not finite, or another robot's, changes nothing: it will be
    /// refused where it is packed.
    pub fn observe(&self, ask: &Ask, params: &Params, memory: &mut Memory) {
        if !ask.state.position.is_finite() {
            return;
        }
        let before = memory.last.replace(ask.tick);
        memory.began.get_or_insert(ask.tick);
        let mut seen = Positions::default();
        if let Some(hand) = &self.hand {
            let since = before.map_or(0, |before| ask.tick.0.saturating_sub(before.0));
            self.follow(hand, ask, params, since, memory);
            let object = self.object(ask, params, memory);
            let mouth =
                hand.mouth.and_then(|(at, near)| Some((seen.place(&self.tools, at, ask)?, near)));
            memory.eaten |= mouth.is_some_and(|(mouth, near)| apart(mouth, object) < near);
        }
        let object = self.object(ask, params, memory);
        memory.stage = self.stage(ask, params, object, memory, &mut seen);
    }

    /// Where the object is believed to be, in the robot's base frame, m.
    #[must_use]
    pub fn object(&self, ask: &Ask, params: &Params, memory: &Memory) -> [f64; 3] {
        let [x, y, z] = params.target();
        match (memory.object, &self.hand) {
            (Whereabouts::Left([x, y]), _) => [x, y, z],
            (Whereabouts::Held(offset), Some(hand)) => {
                self.carried(hand, &ask.state.position, offset)
            }
            _ => [x, y, z],
        }
    }

    fn carried(&self, hand: &Hand, joints: &Joints, offset: [f64; 3]) -> [f64; 3] {
        let Some(tool) = self.tools.get(hand.tool) else { return offset };
        let pose = tool.arm.x_base_tool(joints);
        let offset = match hand.rule.carried {
            Carried::Rigid => pose.rotation * nalgebra::Vector3::from(offset),
            Carried::Offset | Carried::Hand => offset.into(),
        };
        let mut at: [f64; 3] = (pose.translation.vector + offset).into();
        if let Some(z_min) = hand.rule.z_min {
            at[2] = at[2].max(z_min);
        }
        at
    }

    fn follow(&self, hand: &Hand, ask: &Ask, params: &Params, since: u64, memory: &mut Memory) {
        let object = self.object(ask, params, memory);
        let grip = hand.grip(&ask.state.position);
        memory.object = match (memory.object, grip) {
            (Whereabouts::Held(_), Grip::Open | Grip::Empty) => {
                Whereabouts::Left([object[0], object[1]])
            }
            (Whereabouts::Told | Whereabouts::Left(_), Grip::Closed) => {
                let back = i64::try_from(since.min(MAX_BACK as u64)).unwrap_or(0);
                let sent = (-back..0).map(|offset| sent(ask, offset));
                let mut poses = sent.chain([ask.state.position]);
                let taken = poses.find_map(|joints| self.takes(hand, &joints, object));
                taken.map_or(memory.object, Whereabouts::Held)
            }
            (same, _) => same,
        };
    }

    /// How far from its tool a hand at `joints` has the object, if it takes hold of it there.
    fn takes(&self, hand: &Hand, joints: &Joints, object: [f64; 3]) -> Option<[f64; 3]> {
        let tool = self.tools.get(hand.tool)?;
        let pose = tool.arm.x_base_tool(joints);
        let from_tool = nalgebra::Vector3::from(object) - pose.translation.vector;
        let is_near = from_tool.norm() < hand.rule.reach_m;
        if hand.grip(joints) != Grip::Closed || !is_near {
            return None;
        }
        Some(match hand.rule.carried {
            Carried::Hand => [0.0; 3],
            Carried::Offset => from_tool.into(),
            Carried::Rigid => (pose.rotation.inverse() * from_tool).into(),
        })
    }
}

/// The set-point that was sent `offset` ticks after the ask, which is before it.
fn sent(ask: &Ask, offset: i64) -> Joints {
    let mut joints = ask.last_command;
    for (joint, value) in joints.iter_mut().enumerate() {
        *value = ask.course.at(offset, joint).unwrap_or(*value);
    }
    joints
}

fn apart(a: [f64; 3], b: [f64; 3]) -> f64 {
    (nalgebra::Vector3::from(a) - nalgebra::Vector3::from(b)).norm()
}

fn hand(rule: &ObjectRule, finder: &mut Finder<'_>) -> Result<Hand, BeliefError> {
    let fingers = rule.fingers.iter();
    let fingers = fingers.map(|name| finder.joint(|| "object.fingers".into(), name));
    let fingers = fingers.collect::<Result<_, _>>()?;
    let tool = finder.tool(|| "object.arm".into(), &rule.arm)?;
    let mouth = match (&rule.mouth, rule.eaten_within_m) {
        (Some(mouth), Some(near)) => Some((finder.tool(|| "object.mouth".into(), mouth)?, near)),
        _ => None,
    };
    Ok(Hand { rule: rule.clone(), tool, fingers, mouth })
}

#[cfg(test)]
mod tests;
