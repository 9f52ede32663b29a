//! The `[piper]` table of a robot's file: its arm on a CAN bus.

use motion::failsafe::Action;
use std::path::Path;

use reflex::backend::piper::{
    self, EStop, Mount, StreamMode,
    bus::{Address, AddressError},
};
use serde::{Deserialize, Serialize};

use super::{ConfigError, JointSettings};

/// The `[piper]` table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PiperSettings {
    /// `can0`, or `socketcand://host:port/can0`.
    pub bus: String,
    /// The robot's joints that are J1 to J6, in this order.
    pub joints: Vec<String>,
    /// The robot's joint that is the gripper's opening.
    pub gripper: Option<String>,
    /// Set-points a second.
    #[serde(default = "servo_hz")]
    pub servo_hz: u32,
    /// How set-points are streamed.
    #[serde(default)]
    pub stream: StreamKind,
    /// The arm's own bound on its speed.
    #[serde(default = "speed_percent")]
    pub speed_percent: u8,
    /// How the base is mounted.
    #[serde(default)]
    pub mount: MountKind,
    /// What an e-stop does.
    #[serde(default)]
    pub estop: EStopKind,
    /// How hard the gripper closes at most.
    #[serde(default = "gripper_effort")]
    pub gripper_effort_n_m: f64,
    /// Stiffness of J1 to J6, for `stream = "mit"` only.
    pub mit_kp_n_m_rad: Option<[f64; 6]>,
    /// Damping of J1 to J6, for `stream = "mit"` only.
    pub mit_kd_n_m_s_rad: Option<[f64; 6]>,
}

/// How set-points are streamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// MOVE J, the arm's own position control.
    #[default]
    Position,
    /// MIT, with gains.
    Mit,
}

/// How the base is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// On a table.
    #[default]
    Upright,
    /// On a wall, cables to the left.
    Left,
    /// On a wall, cables to the right.
    Right,
}

/// What an e-stop does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EStopKind {
    /// Brakes within the limits, then stands with its motors on.
    #[default]
    Hold,
    /// The arm's own quick stop: it sinks slowly.
    Damp,
    /// The motors lose their power: it falls.
    Cut,
}

impl EStopKind {
    /// What the law calls it.
    #[must_use]
    pub const fn action(self) -> Action {
        match self {
            Self::Hold => Action::Stop,
            Self::Damp => Action::Damp,
            Self::Cut => Action::Cut,
        }
    }
}

const fn servo_hz() -> u32 {
    100
}

const fn speed_percent() -> u8 {
    100
}

const fn gripper_effort() -> f64 {
    1.0
}

impl PiperSettings {
    /// What the backend is told.
    ///
    /// # Errors
    /// The first value that makes no sense.
    pub fn build(
        &self,
        file: &Path,
        joints: &[JointSettings],
    ) -> Result<piper::Settings, ConfigError> {
        let wrong = |key: &str, value: &dyn std::fmt::Debug, remedy: &str| {
            ConfigError::value(file, format!("piper.{key}"), value, remedy)
        };
        let bus: Address = self
            .bus
            .parse()
            .map_err(|error: AddressError| wrong("bus", &self.bus, &error.to_string()))?;
        let find = |key: &str, name: &String| {
            let found = joints.iter().position(|joint| joint.name() == name);
            found.ok_or_else(|| wrong(key, name, "name one of the robot's [[joints]]"))
        };
        let arm = self.joints.iter().map(|name| find("joints", name));
        let arm = arm.collect::<Result<Vec<_>, _>>()?;
        let arm: [usize; 6] = arm.try_into().map_err(|_| {
            wrong("joints", &self.joints, "name six of the robot's joints, J1 to J6")
        })?;
        let gripper = self.gripper.as_ref().map(|name| find("gripper", name)).transpose()?;
        for (k, joint) in arm.iter().enumerate() {
            if arm[..k].contains(joint) || Some(*joint) == gripper {
                return Err(wrong("joints", &self.joints[k], "name every joint once"));
            }
            if !matches!(joints[*joint], JointSettings::Revolute(_)) {
                return Err(wrong("joints", &self.joints[k], "J1 to J6 are revolute"));
            }
        }
        if let Some(gripper) = gripper
            && !matches!(joints[gripper], JointSettings::Prismatic(_))
        {
            return Err(wrong("gripper", &self.gripper, "the gripper is a prismatic joint"));
        }
        if let Some(other) = (0..joints.len()).find(|k| !arm.contains(k) && Some(*k) != gripper) {
            let remedy = "an arm drives all of its robot's joints: name it, or take it out";
            return Err(wrong("joints", &joints[other].name(), remedy));
        }
        if !(50..=200).contains(&self.servo_hz) {
            return Err(wrong("servo_hz", &self.servo_hz, "choose 50 to 200"));
        }
        if !(1..=100).contains(&self.speed_percent) {
            return Err(wrong("speed_percent", &self.speed_percent, "choose 1 to 100"));
        }
        if !(0.0..=5.0).contains(&self.gripper_effort_n_m) {
            return Err(wrong("gripper_effort_n_m", &self.gripper_effort_n_m, "choose 0 to 5"));
        }
        let stream = match (self.stream, self.mit_kp_n_m_rad, self.mit_kd_n_m_s_rad) {
            (StreamKind::Position, None, None) => StreamMode::Position,
            (StreamKind::Position, ..) => {
                let remedy = "gains are for stream = \"mit\" only: take mit_kp_n_m_rad and mit_kd_n_m_s_rad out";
                return Err(wrong("stream", &"position", remedy));
            }
            (StreamKind::Mit, Some(kp), Some(kd)) => {
                if kp.iter().any(|gain| !(0.0..=500.0).contains(gain)) {
                    return Err(wrong("mit_kp_n_m_rad", &kp, "choose 0 to 500"));
                }
                if kd.iter().any(|gain| !(0.0..=5.0).contains(gain)) {
                    return Err(wrong("mit_kd_n_m_s_rad", &kd, "choose 0 to 5"));
                }
                StreamMode::Mit { kp, kd }
            }
            (StreamKind::Mit, ..) => {
                let remedy = "give it gains: mit_kp_n_m_rad and mit_kd_n_m_s_rad";
                return Err(wrong("stream", &"mit", remedy));
            }
        };
        Ok(piper::Settings {
            bus,
            joints: arm,
            gripper,
            servo_hz: self.servo_hz,
            stream,
            speed_percent: self.speed_percent,
            mount: match self.mount {
                MountKind::Upright => Mount::Upright,
                MountKind::Left => Mount::Left,
                MountKind::Right => Mount::Right,
            },
            estop: match self.estop {
                EStopKind::Hold => EStop::Hold,
                EStopKind::Damp => EStop::Damp,
                EStopKind::Cut => EStop::Cut,
            },
            gripper_effort_n_m: self.gripper_effort_n_m,
            realtime: reflex::realtime::Settings::default(),
        })
    }
}
