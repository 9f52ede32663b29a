//! The serial arms of a robot: from the links that its settings name to chains that can be solved.

use std::path::Path;

use arm::{Arm, Chain, ChainError, Joint, JointVector, Kind, MAX_JOINTS, Value};
use motion::Joints;
use nalgebra::{Isometry3, Unit, UnitQuaternion};

use super::{Description, DescriptionError, JointKind, Pose, UrdfJoint, description::pose};
use crate::config::{ArmSettings, Correction, RobotSettings};

/// A joint that turns for ever is given this much to either side where no settings say more.
const CONTINUOUS_RAD: f64 = 2.0 * std::f64::consts::PI;
/// Speed of a joint whose description has none, rad/s or m/s.
const VELOCITY_MAX: f64 = 3.0;
/// Acceleration where there are no settings: descriptions have none. rad/s2 or m/s2.
const ACCELERATION_MAX: f64 = 10.0;

/// One arm of a robot.
#[derive(Clone, Debug)]
pub struct RobotArm {
    /// Its name.
    pub name: String,
    /// The link in whose frame its poses are.
    pub base_link: String,
    /// The link that carries the tool.
    pub tool_link: String,
    /// Its kinematics.
    pub arm: Arm,
    /// How fast its tool may go on routes and jogs.
    pub tool: ToolLimits,
    /// The description's names of its joints.
    pub joint_names: Vec<String>,
    /// For each of its joints: the robot's joint, and that one's value per value of the arm's.
    joints: Vec<(usize, f64)>,
}

impl RobotArm {
    /// The arm's joints, out of the robot's.
    #[must_use]
    pub fn joints(&self, robot: &Joints) -> JointVector {
        let mut joints = JointVector::zeros(self.joints.len());
        for (value, (joint, scale)) in joints.iter_mut().zip(&self.joints) {
            *value = robot.get(*joint).copied().unwrap_or(f64::NAN) / scale;
        }
        joints
    }

    /// Puts the arm's joints in their places among the robot's.
    pub fn place(&self, joints: &[f64], robot: &mut Joints) {
        for (value, (joint, scale)) in joints.iter().zip(&self.joints) {
            if let Some(slot) = robot.get_mut(*joint) {
                *slot = value * scale;
            }
        }
    }

    /// The robot's joint that is joint `k` of the arm, and its value per value of the arm's.
    #[must_use]
    pub fn robot_joint(&self, k: usize) -> Option<(usize, f64)> {
        self.joints.get(k).copied()
    }

    /// The tool in the frame of the base link, with the robot's joints at `robot`.
    #[must_use]
    pub fn x_base_tool(&self, robot: &Joints) -> Isometry3<f64> {
        self.arm.chain().x_base_tool(&self.joints(robot))
    }

    /// The same for telling.
    #[must_use]
    pub fn pose(&self, robot: &Joints) -> Pose {
        self.x_base_tool(robot).into()
    }

    /// An arm of a description alone, for a robot that has no file: joints and limits are the description's, in order
    /// from `base_link` (the root if absent) to `tool_link`.
    ///
    /// # Errors
    /// A link that is not there, or nothing that makes an arm between the two.
    pub fn of_description(
        description: &Description,
        base_link: Option<&str>,
        tool_link: &str,
    ) -> Result<Self, DescriptionError> {
        let settings = ArmSettings {
            base_link: base_link.map(str::to_owned),
            ..ArmSettings::to(tool_link, tool_link)
        };
        let mut index = 0;
        Builder { description, settings: &settings, named_by: &description.file }.build(|joint| {
            index += 1;
            Ok(Limits { joint: (index - 1, 1.0), ..Limits::of_description(joint) })
        })
    }
}

/// How fast a tool may go on straight and circular routes, and when it is jogged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToolLimits {
    /// Of its origin.
    pub speed_max_m_s: f64,
    /// Of its orientation.
    pub turn_max_rad_s: f64,
    /// Least time from rest to full speed.
    pub ramp_s: f64,
}

/// A robot's arms, in the order of its settings.
#[derive(Clone, Debug, Default)]
pub struct Arms(Vec<RobotArm>);

impl From<Vec<RobotArm>> for Arms {
    fn from(arms: Vec<RobotArm>) -> Self {
        Self(arms)
    }
}

impl Arms {
    /// Reads the description of a robot, and checks its settings against it.
    ///
    /// # Errors
    /// A description that makes no sense, lacks a joint or a link, or has narrower limits than the settings.
    pub fn load(robot: &RobotSettings) -> Result<Self, DescriptionError> {
        Self::build(robot, &Description::read(&robot.urdf)?)
    }

    /// The same with a description that was read before.
    ///
    /// # Errors
    /// As [`Arms::load`].
    pub fn build(
        robot: &RobotSettings,
        description: &Description,
    ) -> Result<Self, DescriptionError> {
        check_joints(robot, description)?;
        let arms = robot.arms.iter().map(|settings| {
            let named_by = robot.file.as_path();
            let builder = Builder { description, settings, named_by };
            builder.build(|joint| Limits::of_settings(joint, robot, description))
        });
        arms.collect::<Result<_, _>>().map(Self)
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[RobotArm] {
        &self.0
    }

    /// The first: the one whose tool `state/tool` tells.
    #[must_use]
    pub fn first(&self) -> Option<&RobotArm> {
        self.0.first()
    }

    /// The arm of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&RobotArm> {
        self.0.iter().find(|arm| arm.name == name)
    }
}

/// That every joint of the settings is one of the description's, within its limits.
fn check_joints(robot: &RobotSettings, description: &Description) -> Result<(), DescriptionError> {
    for joint in &robot.joints {
        let (name, scale) = joint.in_urdf();
        let found = description.joint(name).map(|found| &description.joints[found]);
        let found = found.ok_or_else(|| description.missing("joint", name, &robot.file))?;
        if matches!(found.kind, JointKind::Fixed | JointKind::Free) {
            let words = format!("cannot be moved, and {} names it", robot.file.display());
            return Err(description.part("joint", name, words + ": take it out there"));
        }
        if let Some((followed, ..)) = found.mimic {
            let words = format!(
                "mimics {:?}, and {} names both: take it out there, or its mimic out here",
                description.joints[followed].name,
                robot.file.display()
            );
            return Err(description.part("joint", name, words));
        }
        let Some((low, high)) = found.limits else { continue };
        let (low, high) = ((low * scale).min(high * scale), (low * scale).max(high * scale));
        let (min, max) = joint.range();
        if min < low || max > high {
            return Err(DescriptionError::Limits {
                file: description.file.clone(),
                settings: robot.file.clone(),
                name: joint.name().to_owned(),
                min,
                max,
                low,
                high,
            });
        }
    }
    Ok(())
}

/// What an arm needs to know of a joint that can be chosen.
struct Limits {
    joint: (usize, f64),
    position: (f64, f64),
    velocity_max: f64,
    acceleration_max: f64,
}

impl Limits {
    fn of_description(joint: &UrdfJoint) -> Self {
        let velocity = joint.velocity_max;
        Self {
            joint: (0, 1.0),
            position: joint.limits.unwrap_or((-CONTINUOUS_RAD, CONTINUOUS_RAD)),
            velocity_max: if velocity > 0.0 { velocity } else { VELOCITY_MAX },
            acceleration_max: ACCELERATION_MAX,
        }
    }

    fn of_settings(
        joint: &UrdfJoint,
        robot: &RobotSettings,
        description: &Description,
    ) -> Result<Self, DescriptionError> {
        let known = robot.joints.iter().position(|known| known.in_urdf().0 == joint.name);
        let index = known.ok_or_else(|| {
            let words = format!(
                "is part of an arm, and {} has no such joint: add it there",
                robot.file.display()
            );
            description.part("joint", &joint.name, words)
        })?;
        let (scale, limits) = (robot.joints[index].in_urdf().1, robot.joints[index].limits());
        let (a, b) = (limits.position_min / scale, limits.position_max / scale);
        Ok(Self {
            joint: (index, scale),
            position: (a.min(b), a.max(b)),
            velocity_max: limits.velocity_max / scale.abs(),
            acceleration_max: limits.acceleration_max / scale.abs(),
        })
    }
}

/// Makes one arm.
struct Builder<'a> {
    description: &'a Description,
    settings: &'a ArmSettings,
    /// The file that names the links.
    named_by: &'a Path,
}

impl Builder<'_> {
    fn build(
        &self,
        mut limits_of: impl FnMut(&UrdfJoint) -> Result<Limits, DescriptionError>,
    ) -> Result<RobotArm, DescriptionError> {
        let (description, settings) = (self.description, self.settings);
        let path = self.path()?;
        self.check_calibration(&path)?;
        let mut free: Vec<(usize, Limits)> = Vec::new();
        for index in &path {
            let joint = &description.joints[*index];
            if is_movable(joint) && joint.mimic.is_none() {
                free.push((*index, limits_of(joint)?));
            }
        }
        let mut joints = Vec::new();
        let mut names = Vec::new();
        let mut before = Isometry3::identity();
        for index in &path {
            let joint = &description.joints[*index];
            before *= self.corrected(joint);
            if !is_movable(joint) {
                continue;
            }
            let of = |index: usize| free.iter().position(|(known, _)| *known == index);
            let (value, limits) = match joint.mimic {
                None => (Value::Free, of(*index).map(|k| &free[k].1)),
                Some((followed, multiplier, offset)) => {
                    let of = of(followed).ok_or_else(|| {
                        let words = format!(
                            "mimics {:?}, which is not between {:?} and {:?}: choose another tool_link",
                            description.joints[followed].name,
                            self.base_link(),
                            settings.tool_link
                        );
                        description.part("joint", &joint.name, words)
                    })?;
                    (Value::Mimic { of, multiplier, offset }, None)
                }
            };
            let (position_min, position_max) = limits.map_or((0.0, 0.0), |limits| limits.position);
            joints.push(Joint {
                kind: match joint.kind {
                    JointKind::Prismatic => Kind::Prismatic,
                    _ => Kind::Revolute,
                },
                x_before_joint: std::mem::replace(&mut before, Isometry3::identity()),
                axis: joint.axis,
                value,
                position_min,
                position_max,
                velocity_max: limits.map_or(0.0, |limits| limits.velocity_max),
                acceleration_max: limits.map_or(0.0, |limits| limits.acceleration_max),
            });
            names.push(joint.name.as_str());
        }
        let tool = settings.corrections.tool.as_ref().map_or(Isometry3::identity(), moved);
        let x_last_tool = before * pose(settings.tool_xyz_m, settings.tool_rpy_rad) * tool;
        let chain =
            Chain::build(&joints, &x_last_tool).map_err(|error| self.words(error, &names))?;
        Ok(RobotArm {
            name: settings.name.clone(),
            base_link: self.base_link().to_owned(),
            tool_link: settings.tool_link.clone(),
            arm: Arm::compile(chain),
            tool: ToolLimits {
                speed_max_m_s: settings.tool_speed_max_m_s,
                turn_max_rad_s: settings.tool_turn_max_rad_s,
                ramp_s: settings.tool_ramp_s,
            },
            joint_names: free.iter().map(|(k, _)| description.joints[*k].name.clone()).collect(),
            joints: free.into_iter().map(|(_, limits)| limits.joint).collect(),
        })
    }

    fn base_link(&self) -> &str {
        self.settings.base_link.as_deref().unwrap_or(&self.description.root)
    }

    /// The joints from base to tool.
    fn path(&self) -> Result<Vec<usize>, DescriptionError> {
        let (description, tool) = (self.description, self.settings.tool_link.as_str());
        let base = description.mover(self.base_link(), self.named_by)?;
        let mut next = description.mover(tool, self.named_by)?;
        let mut path = Vec::new();
        while next != base {
            let Some(index) = next else {
                let words = format!(
                    "does not hang on {:?}: choose the base_link that carries it",
                    self.base_link()
                );
                return Err(description.part("link", tool, words));
            };
            path.push(index);
            next = description.joints[index].before;
        }
        path.reverse();
        let movable = path.iter().filter(|index| is_movable(&description.joints[**index])).count();
        if movable > MAX_JOINTS {
            let words = format!(
                "has {movable} joints between it and {:?}: an arm has at most {MAX_JOINTS}; \
                 choose a base_link further out",
                self.base_link()
            );
            return Err(description.part("link", tool, words));
        }
        if let Some(joint) = path
            .iter()
            .map(|index| &description.joints[*index])
            .find(|joint| joint.kind == JointKind::Free)
        {
            let words = "is floating, planar or spherical: an arm has joints that turn or slide; choose a base_link beyond it";
            return Err(description.part("joint", &joint.name, words));
        }
        Ok(path)
    }

    /// A joint's frame in that of the joint before, as calibrated.
    fn corrected(&self, joint: &UrdfJoint) -> Isometry3<f64> {
        let nominal = joint.x_parent_joint;
        let Some(correction) = self.settings.corrections.joints.get(&joint.name) else {
            return nominal;
        };
        let mut exact = nominal * pose([0.0; 3], correction.rpy_rad);
        exact.translation.vector += nalgebra::Vector3::from(correction.xyz_m);
        let axis = Unit::new_normalize(joint.axis);
        if is_movable(joint) && joint.kind == JointKind::Prismatic {
            return exact
                * Isometry3::from_parts(
                    (axis.into_inner() * correction.zero_m).into(),
                    UnitQuaternion::identity(),
                );
        }
        exact * UnitQuaternion::from_axis_angle(&axis, correction.zero_rad)
    }

    /// That a calibration speaks of this arm.
    fn check_calibration(&self, path: &[usize]) -> Result<(), DescriptionError> {
        let Some(file) = &self.settings.calibration else { return Ok(()) };
        for (name, correction) in &self.settings.corrections.joints {
            let found = path.iter().map(|k| &self.description.joints[*k]).find(|j| j.name == *name);
            let joint = found.ok_or_else(|| self.description.missing("joint", name, file))?;
            let turns = matches!(joint.kind, JointKind::Revolute | JointKind::Continuous);
            let slides = joint.kind == JointKind::Prismatic;
            if (correction.zero_rad != 0.0 && !turns) || (correction.zero_m != 0.0 && !slides) {
                let words = format!(
                    "does not move in the unit of its zero in {}: use zero_rad for a joint that \
                     turns, zero_m for one that slides",
                    file.display()
                );
                return Err(self.description.part("joint", name, words));
            }
        }
        Ok(())
    }

    fn words(&self, error: ChainError, names: &[&str]) -> DescriptionError {
        let words = match error {
            ChainError::Empty => {
                let words =
                    format!("has no joint between it and {:?}: choose another", self.base_link());
                return self.description.part("link", &self.settings.tool_link, words);
            }
            ChainError::TooMany => "is one too many for an arm: choose a base_link further out",
            ChainError::NotFinite(_) => "has a figure that is not finite: correct it",
            ChainError::Axis(_) => "has an axis without direction: give it one, as 0 0 1",
            ChainError::Limits(_) => "has limits with nothing between them: correct them",
            ChainError::Mimic(_) => "mimics a joint that is not free: correct it",
        };
        let index = match error {
            ChainError::NotFinite(k)
            | ChainError::Axis(k)
            | ChainError::Limits(k)
            | ChainError::Mimic(k) => k,
            ChainError::Empty | ChainError::TooMany => MAX_JOINTS,
        };
        let name = names.get(index).or(names.last()).copied().unwrap_or("?");
        self.description.part("joint", name, words)
    }
}

fn is_movable(joint: &UrdfJoint) -> bool {
    !matches!(joint.kind, JointKind::Fixed | JointKind::Free)
}

fn moved(correction: &Correction) -> Isometry3<f64> {
    pose(correction.xyz_m, correction.rpy_rad)
}
