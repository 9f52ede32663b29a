//! What a policy sees: named features of the robot's state and of the decision, as numbers a network was trained on.
//!
//! The names are looked up once, at load; a tick only gathers and normalises, without a heap.

use motion::Ask;
use serde::Deserialize;

use crate::kinematics::RobotArm;

pub mod prefix;
pub mod tool;

use prefix::Rows;
use tool::{AXES, Positions, Tool, ToolOf};

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

/// What a feature is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureName {
    /// Measured positions, rad or m.
    JointPosition,
    /// Measured velocities, per second.
    JointVelocity,
    /// The last command, rad or m.
    PreviousAction,
    /// Parameters of the decision.
    Decision,
    /// Position of an arm's tool in the frame of the arm's base, m.
    ToolPosition,
    /// Set-points of consecutive ticks around the take-over, after the safety filter, rad or m; one row for each tick.
    Prefix,
    /// Ticks from the observation to the take-over, as the plan tells it.
    Delay,
    /// The set-point that is due in this tick, before correction and filter, rad or m: what a correction is added to.
    BaseAction,
    /// Which step of its chunk that is.
    ChunkStep,
}

impl FeatureName {
    /// As it is written in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JointPosition => "joint_position",
            Self::JointVelocity => "joint_velocity",
            Self::PreviousAction => "previous_action",
            Self::Decision => "decision",
            Self::ToolPosition => "tool_position",
            Self::Prefix => "prefix",
            Self::Delay => "delay",
            Self::BaseAction => "base_action",
            Self::ChunkStep => "chunk_step",
        }
    }

    /// Whether it is one number, without joints or anything else to choose from.
    #[must_use]
    pub const fn is_one_number(self) -> bool {
        matches!(self, Self::Delay | Self::ChunkStep)
    }
}

/// One feature: which numbers, and how they are normalised: `clamp((x - mean) / std, -clip, clip)`.
#[derive(Clone, Copy, Debug)]
pub struct Feature<'a> {
    /// What it is made of.
    pub name: FeatureName,
    /// The joints, the parameters, or the axes, in the order of the tensor.
    pub items: &'a [String],
    /// The tool whose position it is; only a [`FeatureName::ToolPosition`] has one.
    pub tool: Option<ToolOf<'a>>,
    /// How often the items are repeated, and for which ticks.
    pub rows: Rows,
    /// What is taken away from each.
    pub mean: &'a [f64],
    /// What each is divided by.
    pub std: &'a [f64],
    /// The bound on every normalised number; infinite: none.
    pub clip: f64,
}

/// Why features do not fit the robot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// The robot has no such joint, a decision no such parameter, or a position no such axis.
    #[error("feature {feature} names `{item}`, which does not exist")]
    Unknown {
        /// Which feature.
        feature: usize,
        /// The name.
        item: String,
    },
    /// The robot has no such arm, or none is named.
    #[error("feature {feature} is about the tool of arm `{arm}`, which does not exist")]
    NoArm {
        /// Which feature.
        feature: usize,
        /// The arm's name.
        arm: String,
    },
    /// A mean and a std are needed for each item.
    #[error("feature {feature} needs one `mean` and one `std` for each item")]
    Lengths {
        /// Which feature.
        feature: usize,
    },
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

#[derive(Clone, Copy, Debug)]
enum Source {
    Position(usize),
    Velocity(usize),
    Previous(usize),
    Decision(Param),
    Tool { at: usize, axis: usize },
    Prefix { joint: usize, row: usize, rows: Rows },
    Delay,
    Base(usize),
    Step,
}

impl Source {
    /// `None` if the state has fewer joints than the robot.
    fn gather(
        self,
        ask: &Ask,
        params: &Params,
        tools: &[Tool],
        positions: &mut Positions,
    ) -> Option<f64> {
        match self {
            Self::Position(joint) => ask.state.position.get(joint).copied(),
            Self::Velocity(joint) => ask.state.velocity.get(joint).copied(),
            Self::Previous(joint) => ask.last_command.get(joint).copied(),
            Self::Decision(param) => Some(param.of(params)),
            Self::Tool { at, axis } => positions.of(tools, at, axis, ask),
            Self::Prefix { joint, row, rows } => {
                ask.course.at(rows.offset(row, ask.course.ahead()), joint)
            }
            Self::Delay => Some(f64::from(ask.delay)),
            Self::Base(joint) => ask.course.at(0, joint),
            Self::Step => Some(f64::from(ask.step)),
        }
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
    /// Finiteness first: a NaN would pass a clamp, and an infinity would hide in one.
    fn normalise(&self, index: usize, value: f64) -> Result<f32, PackError> {
        if !value.is_finite() {
            return Err(PackError::NotFinite { index, value });
        }
        let normalised = ((value - self.mean) / self.std).max(-self.clip).min(self.clip);
        let normalised = if normalised.abs() < FLUSH_BELOW { 0.0 } else { normalised as f32 };
        // Without a bound a number may still be too large for an f32.
        if normalised.is_finite() {
            Ok(normalised)
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
    /// Looks the features' names up.
    ///
    /// # Errors
    /// If a name does not exist or the lengths of a feature disagree.
    pub fn compile<'a>(
        features: impl IntoIterator<Item = Feature<'a>>,
        robot_joints: &[impl AsRef<str>],
        arms: &[RobotArm],
    ) -> Result<Self, FeatureError> {
        let joint = |name: &str| robot_joints.iter().position(|joint| joint.as_ref() == name);
        let (mut inputs, mut tools) = (Vec::new(), Vec::new());
        for (at, feature) in features.into_iter().enumerate() {
            let named = [feature.name.as_str().to_owned()];
            let items = if feature.name.is_one_number() { &named[..] } else { feature.items };
            if feature.mean.len() != items.len() || feature.std.len() != items.len() {
                return Err(FeatureError::Lengths { feature: at });
            }
            if feature.name == FeatureName::ToolPosition {
                tools.push(find(feature.tool, at, arms)?);
            }
            let scales = || items.iter().zip(feature.mean.iter().zip(feature.std));
            let rows = feature.rows;
            for (row, (item, (&mean, &std))) in
                (0..rows.steps).flat_map(|row| scales().map(move |scale| (row, scale)))
            {
                let source = match feature.name {
                    FeatureName::JointPosition => joint(item).map(Source::Position),
                    FeatureName::JointVelocity => joint(item).map(Source::Velocity),
                    FeatureName::PreviousAction => joint(item).map(Source::Previous),
                    FeatureName::Decision => Param::named(item).map(Source::Decision),
                    FeatureName::ToolPosition => AXES
                        .iter()
                        .position(|axis| axis == item)
                        .map(|axis| Source::Tool { at: tools.len() - 1, axis }),
                    FeatureName::Prefix => {
                        joint(item).map(|joint| Source::Prefix { joint, row, rows })
                    }
                    FeatureName::BaseAction => joint(item).map(Source::Base),
                    FeatureName::Delay => Some(Source::Delay),
                    FeatureName::ChunkStep => Some(Source::Step),
                };
                let unknown = || FeatureError::Unknown { feature: at, item: item.clone() };
                let source = source.ok_or_else(unknown)?;
                inputs.push(Input { source, mean, std, clip: feature.clip });
            }
        }
        Ok(Self { inputs, tools })
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

    /// Gathers and normalises an observation. Allocates nothing.
    ///
    /// # Errors
    /// If a number is not finite or a length differs; the tensor is then partly written and must not be used.
    pub fn pack(&self, ask: &Ask, params: &Params, tensor: &mut [f32]) -> Result<(), PackError> {
        let mut positions = Positions::default();
        self.fill(tensor, |_, input| input.source.gather(ask, params, &self.tools, &mut positions))
    }

    /// Normalises raw numbers that are already in tensor order: a manifest's golden observation.
    ///
    /// # Errors
    /// As [`Self::pack`].
    pub fn normalise(&self, raw: &[f64], tensor: &mut [f32]) -> Result<(), PackError> {
        if raw.len() != self.inputs.len() {
            return Err(PackError::Shape);
        }
        self.fill(tensor, |index, _| raw.get(index).copied())
    }

    fn fill(
        &self,
        tensor: &mut [f32],
        mut value: impl FnMut(usize, &Input) -> Option<f64>,
    ) -> Result<(), PackError> {
        if tensor.len() != self.inputs.len() {
            return Err(PackError::Shape);
        }
        for (index, (input, slot)) in self.inputs.iter().zip(tensor).enumerate() {
            let value = value(index, input).ok_or(PackError::Shape)?;
            *slot = input.normalise(index, value)?;
        }
        Ok(())
    }
}

fn find(tool: Option<ToolOf<'_>>, feature: usize, arms: &[RobotArm]) -> Result<Tool, FeatureError> {
    let found = tool.and_then(|tool| {
        let arm = arms.iter().find(|arm| arm.name == tool.arm)?.clone();
        Some(Tool { arm, joints: tool.joints })
    });
    let arm = || tool.map_or("", |tool| tool.arm).to_owned();
    found.ok_or_else(|| FeatureError::NoArm { feature, arm: arm() })
}

#[cfg(test)]
mod tool_test;

#[cfg(test)]
mod tests {
    use motion::{Joints, Nanos, RunId, State, TickIndex};

    use super::*;

    const ROBOT: [&str; 3] = ["base", "shoulder", "gripper"];

    fn joints(values: &[f64]) -> Joints {
        Joints::from_slice(values).expect("few joints")
    }

    fn ask() -> Ask {
        let mut state = State::blank(3);
        state.position = joints(&[0.1, 0.2, 0.3]);
        state.velocity = joints(&[1.0, 2.0, 3.0]);
        Ask::standing(RunId(1), TickIndex(1), Nanos(1), state, joints(&[-0.1, -0.2, -0.3]))
    }

    fn packer(name: FeatureName, items: &[&str], mean: f64, std: f64, clip: f64) -> Packer {
        let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
        let width = if name.is_one_number() { 1 } else { items.len() };
        let (mean, std) = (vec![mean; width], vec![std; width]);
        let (mean, std) = (&mean, &std);
        let feature = Feature { name, items: &items, tool: None, rows: Rows::ONE, mean, std, clip };
        Packer::compile([feature], &ROBOT, &[]).expect("the names exist")
    }

    fn pack(packer: &Packer, ask: &Ask, params: &Params) -> Result<Vec<f32>, PackError> {
        let mut tensor = vec![f32::NAN; packer.len()];
        packer.pack(ask, params, &mut tensor).map(|()| tensor)
    }

    #[test]
    fn each_feature_finds_its_numbers_by_name() {
        let (ask, none) = (ask(), Params::default());
        let some = ["gripper", "base"];
        let of = |name| pack(&packer(name, &some, 0.0, 1.0, 9.0), &ask, &none);
        assert_eq!(of(FeatureName::JointPosition), Ok(vec![0.3, 0.1]));
        assert_eq!(of(FeatureName::JointVelocity), Ok(vec![3.0, 1.0]));
        assert_eq!(of(FeatureName::PreviousAction), Ok(vec![-0.3, -0.1]));
        let params = Params {
            target_x: 1.0,
            target_y: 2.0,
            target_z: 3.0,
            radius: 4.0,
            speed_hint: 5.0,
            object_is_berry: true,
        };
        let all = packer(FeatureName::Decision, &Params::NAMES, 0.0, 1.0, 9.0);
        assert_eq!(pack(&all, &ask, &params), Ok(vec![1.0, 2.0, 3.0, 4.0, 5.0, 1.0]));
        for (name, value) in Params::NAMES.iter().zip([1.0, 2.0, 3.0, 4.0, 5.0, 1.0]) {
            assert_eq!(params.get(name), Some(value));
        }
        assert_eq!(params.get("target_w"), None);
    }

    #[test]
    fn a_number_far_from_its_mean_is_clipped() {
        let packer = packer(FeatureName::JointVelocity, &ROBOT, 2.0, 0.1, 5.0);
        assert_eq!(pack(&packer, &ask(), &Params::default()), Ok(vec![-5.0, 0.0, 5.0]));
    }

    #[test]
    fn a_head_may_be_told_the_delay_and_a_correction_what_it_corrects() {
        let mut ask = ask();
        ask.course.push(&joints(&[0.5, 5.0, 50.0]));
        (ask.delay, ask.step) = (2, 7);
        let number = |name| pack(&packer(name, &[], 1.0, 2.0, 99.0), &ask, &Params::default());
        assert_eq!(number(FeatureName::Delay), Ok(vec![0.5]));
        assert_eq!(number(FeatureName::ChunkStep), Ok(vec![3.0]));
        let base = packer(FeatureName::BaseAction, &["shoulder"], 0.0, 1.0, 99.0);
        assert_eq!(pack(&base, &ask, &Params::default()), Ok(vec![5.0]));
    }

    #[test]
    fn denormals_never_reach_the_network() {
        let packer = packer(FeatureName::JointPosition, &ROBOT, 0.0, 1.0, 5.0);
        let mut ask = ask();
        ask.state.position = joints(&[1e-41, -9e-31, 2e-30]);
        let tensor = pack(&packer, &ask, &Params::default()).expect("it packs");
        assert_eq!(tensor, [0.0, 0.0, 2e-30]);
        assert!(tensor.iter().all(|value| !value.is_subnormal()));
    }

    #[test]
    fn what_is_not_finite_is_refused_not_clipped() {
        let packer = packer(FeatureName::JointPosition, &ROBOT, 0.0, 1.0, 5.0);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut ask = ask();
            ask.state.position[1] = bad;
            let refused = pack(&packer, &ask, &Params::default());
            assert!(matches!(refused, Err(PackError::NotFinite { index: 1, .. })), "{refused:?}");
        }
    }

    #[test]
    fn a_state_of_another_robot_is_refused() {
        let packer = packer(FeatureName::JointPosition, &ROBOT, 0.0, 1.0, 5.0);
        let mut ask = ask();
        ask.state = State::blank(2);
        assert_eq!(pack(&packer, &ask, &Params::default()), Err(PackError::Shape));
        assert_eq!(packer.normalise(&[0.0; 2], &mut [0.0; 3]), Err(PackError::Shape));
        assert_eq!(packer.normalise(&[0.0; 3], &mut [0.0; 2]), Err(PackError::Shape));
    }

    #[test]
    fn a_name_that_does_not_exist_is_refused() {
        let items = ["wrist".to_owned()];
        let feature = Feature {
            name: FeatureName::JointPosition,
            items: &items,
            tool: None,
            rows: Rows::ONE,
            mean: &[0.0],
            std: &[1.0],
            clip: 5.0,
        };
        let refused = Packer::compile([feature], &ROBOT, &[]).err();
        let unknown = FeatureError::Unknown { feature: 0, item: "wrist".to_owned() };
        assert_eq!(refused, Some(unknown));
        let short = Packer::compile([Feature { mean: &[], ..feature }], &ROBOT, &[]).err();
        assert_eq!(short, Some(FeatureError::Lengths { feature: 0 }));
    }
}
