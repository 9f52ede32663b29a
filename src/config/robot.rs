//! A robot's file: its joints and limits, and what it is made of in simulation.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use motion::{
    JointLimits, Joints, LimitError, Robot, Rules,
    failsafe::{Action, Policy},
};
use serde::{Deserialize, Serialize};

use super::{
    ArmSettings, CapsuleSettings, CollisionSettings, ConfigError, PiperSettings, PlaneSettings,
    SwapSettings, read, swap, understood, workspace,
};
use crate::operator::JointNames;

/// `config/robots/<name>.toml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RobotSettings {
    /// Its name, and that of its topics.
    pub name: String,
    /// Its description.
    pub urdf: PathBuf,
    /// Its arms; `state/tool` tells the first one's tool.
    #[serde(default)]
    pub arms: Vec<ArmSettings>,
    /// Joint name to position, rad or m: where `home` goes.
    pub home: BTreeMap<String, f64>,
    /// Joints, in joint order.
    pub joints: Vec<JointSettings>,
    /// Shapes of its links, to keep clear of each other and of planes.
    #[serde(default)]
    pub capsules: Vec<CapsuleSettings>,
    /// What is around it.
    #[serde(default)]
    pub planes: Vec<PlaneSettings>,
    /// How near they may come.
    #[serde(default)]
    pub collision: CollisionSettings,
    /// Figures of the law that belong to no joint.
    #[serde(default)]
    pub rules: RuleSettings,
    /// When one backend may take over from another.
    #[serde(default)]
    pub swap: SwapSettings,
    /// What it is made of in MuJoCo.
    pub mujoco: Option<MujocoSettings>,
    /// Its arm on a CAN bus.
    pub piper: Option<PiperSettings>,
    /// The file that this was read from.
    #[serde(skip)]
    pub file: PathBuf,
}

/// One joint: revolute in rad, prismatic in m.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum JointSettings {
    /// Turns.
    Revolute(Revolute),
    /// Slides.
    Prismatic(Prismatic),
}

/// A joint that turns.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Revolute {
    pub name: String,
    pub position_min_rad: f64,
    pub position_max_rad: f64,
    pub velocity_max_rad_s: f64,
    pub acceleration_max_rad_s2: f64,
    pub jerk_max_rad_s3: f64,
    pub step_max_rad: f64,
    pub divergence_max_rad: f64,
}

/// A joint that slides.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Prismatic {
    pub name: String,
    pub position_min_m: f64,
    pub position_max_m: f64,
    pub velocity_max_m_s: f64,
    pub acceleration_max_m_s2: f64,
    pub jerk_max_m_s3: f64,
    pub step_max_m: f64,
    pub divergence_max_m: f64,
    /// It opens and closes a hand: never blended between chunks.
    #[serde(default)]
    pub gripper: bool,
    /// The description's joint, if it has another name.
    pub urdf_joint: Option<String>,
    /// This joint's value per value of the description's joint: 2 for the opening between two fingers.
    #[serde(default = "one")]
    pub urdf_scale: f64,
}

fn one() -> f64 {
    1.0
}

/// The `[rules]` table: see `motion::Rules`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    pub state_age_max_ms: u32,
    pub extrapolate_ticks: u32,
    pub give_up_ticks: u32,
    pub divergence_ticks: u32,
    pub arm_tolerance_rad_or_m: f64,
    pub engage_max_ms: u32,
    pub slow_factor: f64,
}

impl Default for RuleSettings {
    fn default() -> Self {
        let rules = Rules::default();
        Self {
            state_age_max_ms: (rules.state_age_max_ns / 1_000_000) as u32,
            extrapolate_ticks: rules.extrapolate_ticks,
            give_up_ticks: rules.give_up_ticks,
            divergence_ticks: rules.divergence_ticks,
            arm_tolerance_rad_or_m: rules.arm_tolerance,
            engage_max_ms: (rules.engage_max_ns / 1_000_000) as u32,
            slow_factor: rules.slow_factor,
        }
    }
}

/// The `[mujoco]` table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MujocoSettings {
    /// The scene.
    pub scene: PathBuf,
    /// The keyframe that the world starts at.
    pub keyframe: String,
    /// Joint name to its parts in the scene.
    pub joints: BTreeMap<String, MujocoJoint>,
}

/// A joint's parts in a scene.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MujocoJoint {
    /// The scene's joint.
    pub joint: String,
    /// Its position actuator.
    pub actuator: String,
    /// The robot's value per value of the scene.
    #[serde(default = "one")]
    pub scale: f64,
}

impl JointSettings {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Revolute(joint) => &joint.name,
            Self::Prismatic(joint) => &joint.name,
        }
    }

    /// The description's joint, and this joint's value per value of that.
    #[must_use]
    pub fn in_urdf(&self) -> (&str, f64) {
        match self {
            Self::Revolute(joint) => (&joint.name, 1.0),
            Self::Prismatic(joint) => {
                (joint.urdf_joint.as_deref().unwrap_or(&joint.name), joint.urdf_scale)
            }
        }
    }

    /// Its position limits, rad or m.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        let limits = self.limits();
        (limits.position_min, limits.position_max)
    }

    /// Its limits, as the law wants them.
    #[must_use]
    pub fn limits(&self) -> JointLimits {
        match self {
            Self::Revolute(joint) => JointLimits {
                position_min: joint.position_min_rad,
                position_max: joint.position_max_rad,
                velocity_max: joint.velocity_max_rad_s,
                acceleration_max: joint.acceleration_max_rad_s2,
                jerk_max: joint.jerk_max_rad_s3,
                step_max: joint.step_max_rad,
                divergence_max: joint.divergence_max_rad,
                gripper: false,
            },
            Self::Prismatic(joint) => JointLimits {
                position_min: joint.position_min_m,
                position_max: joint.position_max_m,
                velocity_max: joint.velocity_max_m_s,
                acceleration_max: joint.acceleration_max_m_s2,
                jerk_max: joint.jerk_max_m_s3,
                step_max: joint.step_max_m,
                divergence_max: joint.divergence_max_m,
                gripper: joint.gripper,
            },
        }
    }
}

impl RobotSettings {
    /// Reads a robot's file.
    ///
    /// # Errors
    /// If it cannot be read, is no such file, or a value in it makes no sense.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::of_text(file, &read(file)?)
    }

    /// The same of the text of such a file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_text(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut robot: Self = understood(file, text)?;
        let folder = file.parent().unwrap_or(Path::new("."));
        robot.urdf = folder.join(&robot.urdf);
        if let Some(mujoco) = &mut robot.mujoco {
            mujoco.scene = folder.join(&mujoco.scene);
        }
        robot.file = file.to_owned();
        for arm in &mut robot.arms {
            arm.complete(file)?;
        }
        robot.check()?;
        Ok(robot)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            let remedy = "use letters, digits, _ and -: it becomes part of every topic";
            return Err(ConfigError::value(&self.file, "name", &self.name, remedy));
        }
        let names: Vec<&str> = self.joints.iter().map(JointSettings::name).collect();
        for (k, name) in names.iter().enumerate() {
            if names[..k].contains(name) {
                let remedy = "give every joint a name of its own";
                return Err(ConfigError::value(&self.file, "joints.name", name, remedy));
            }
        }
        for joint in &self.joints {
            let (_, scale) = joint.in_urdf();
            if !(scale.is_finite() && scale != 0.0) {
                let key = format!("joints.{}.urdf_scale", joint.name());
                return Err(ConfigError::value(&self.file, key, scale, "choose a number but 0"));
            }
        }
        for (k, arm) in self.arms.iter().enumerate() {
            if self.arms[..k].iter().any(|other| other.name == arm.name) {
                let remedy = "give every arm a name of its own";
                return Err(ConfigError::value(&self.file, "arms.name", &arm.name, remedy));
            }
        }
        // Limits first: a home pose inside limits that make no sense is not what is wrong. The period is judged elsewhere.
        self.build(1.0)?;
        self.home()?;
        workspace::check(self)?;
        self.piper()?;
        swap::check(self)?;
        let Some(mujoco) = &self.mujoco else { return Ok(()) };
        if let Some(missing) = names.iter().find(|name| !mujoco.joints.contains_key(**name)) {
            let remedy = "name the scene's joint and actuator for it";
            return Err(ConfigError::value(&self.file, "mujoco.joints", missing, remedy));
        }
        if let Some(extra) = mujoco.joints.keys().find(|name| !names.contains(&name.as_str())) {
            let remedy = "the robot has no such joint: take it out, or add the joint";
            return Err(ConfigError::value(&self.file, "mujoco.joints", extra, remedy));
        }
        if let Some((name, joint)) =
            mujoco.joints.iter().find(|(_, joint)| !(joint.scale.is_finite() && joint.scale > 0.0))
        {
            let key = format!("mujoco.joints.{name}.scale");
            return Err(ConfigError::value(&self.file, key, joint.scale, "choose more than 0"));
        }
        Ok(())
    }

    /// Names of the joints, in joint order.
    #[must_use]
    pub fn joint_names(&self) -> JointNames {
        self.joints.iter().map(|joint| joint.name().to_owned()).collect()
    }

    /// The home pose.
    ///
    /// # Errors
    /// A joint that is missing, unknown, or outside its limits.
    pub fn home(&self) -> Result<Joints, ConfigError> {
        let mut home = Joints::zeros(self.joints.len());
        for (joint, value) in self.joints.iter().zip(home.iter_mut()) {
            let key = format!("home.{}", joint.name());
            let limits = joint.limits();
            let Some(position) = self.home.get(joint.name()) else {
                return Err(ConfigError::value(
                    &self.file,
                    key,
                    "absent",
                    "give every joint a home position",
                ));
            };
            if !(limits.position_min..=limits.position_max).contains(position) {
                let remedy = format!("choose {} to {}", limits.position_min, limits.position_max);
                return Err(ConfigError::value(&self.file, key, position, remedy));
            }
            *value = *position;
        }
        match self.home.keys().find(|name| self.joints.iter().all(|joint| joint.name() != *name)) {
            Some(extra) => Err(ConfigError::value(
                &self.file,
                "home",
                extra,
                "the robot has no such joint: take it out",
            )),
            None => Ok(home),
        }
    }

    /// What the arm's backend is told, if there is a `[piper]` table.
    ///
    /// # Errors
    /// The first value in it that makes no sense.
    pub fn piper(&self) -> Result<Option<reflex::backend::piper::Settings>, ConfigError> {
        self.piper.as_ref().map(|piper| piper.build(&self.file, &self.joints)).transpose()
    }

    /// The robot as the law sees it.
    ///
    /// # Errors
    /// A limit that makes no sense, by its joint.
    pub fn build(&self, period_s: f64) -> Result<Robot, ConfigError> {
        let rules = Rules {
            state_age_max_ns: u64::from(self.rules.state_age_max_ms) * 1_000_000,
            extrapolate_ticks: self.rules.extrapolate_ticks,
            give_up_ticks: self.rules.give_up_ticks,
            divergence_ticks: self.rules.divergence_ticks,
            arm_tolerance: self.rules.arm_tolerance_rad_or_m,
            engage_max_ns: u64::from(self.rules.engage_max_ms) * 1_000_000,
            slow_factor: self.rules.slow_factor,
            policy: Policy {
                estop: self.piper.as_ref().map_or(Action::Stop, |it| it.estop.action()),
            },
            ..Rules::default()
        };
        let limits: Vec<JointLimits> = self.joints.iter().map(JointSettings::limits).collect();
        Robot::build(period_s, &limits, rules).map_err(|error| {
            let of = |joint: usize| format!("joints.{}", self.joints[joint].name());
            let all = |joint: usize| format!("{:?}", limits[joint]);
            let (key, value, remedy) = match error {
                LimitError::Count => {
                    ("joints".into(), limits.len().to_string(), "a robot has 1 to 48 joints")
                }
                LimitError::Period => {
                    ("loop.period_ms".into(), (period_s * 1e3).to_string(), "choose 1 to 1000")
                }
                LimitError::SlowFactor => (
                    "rules.slow_factor".into(),
                    self.rules.slow_factor.to_string(),
                    "choose more than 0 and up to 1",
                ),
                LimitError::NotFinite { joint } => {
                    (of(joint), all(joint), "every limit must be a finite number")
                }
                LimitError::Order { joint } => {
                    let range = format!("{:?}", self.joints[joint].range());
                    (of(joint), range, "position_min must lie below position_max")
                }
                LimitError::NotPositive { joint } => (
                    of(joint),
                    all(joint),
                    "velocity, acceleration, jerk, step and divergence must be more than 0",
                ),
            };
            let remedy = remedy.into();
            ConfigError::Value { file: self.file.clone(), key, value, remedy }
        })
    }
}
