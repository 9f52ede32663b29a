//! Where the tool is: the robot's description as a chain. The only door to `k`.
//!
//! `k` keeps its joints behind locks and allocates: never on the real-time side.

use std::path::{Path, PathBuf};

use motion::Joints;

use crate::config::RobotSettings;

/// A pose: metres and a unit quaternion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// x, y, z in metres.
    pub position_m: [f64; 3],
    /// x, y, z, w.
    pub quaternion_xyzw: [f64; 4],
}

/// Why a description is refused.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// It cannot be read as a description.
    #[error("{}: is no robot description: {words}; check it with a URDF tool", file.display())]
    Malformed {
        /// Which file.
        file: PathBuf,
        /// The parser's words.
        words: String,
    },
    /// It lacks something that the robot's settings name.
    #[error("{}: has no {kind} {name:?}, which {} names; correct one of the two", file.display(), settings.display())]
    Missing {
        /// Which file.
        file: PathBuf,
        /// link or joint.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The file that names it.
        settings: PathBuf,
    },
    /// The settings allow what the description forbids.
    #[error(
        "{}: joints.{name}: {min} to {max} reaches beyond the {low} to {high} of {}; narrow it",
        settings.display(),
        file.display()
    )]
    Limits {
        /// Which file.
        file: PathBuf,
        /// The settings' file.
        settings: PathBuf,
        /// Which joint.
        name: String,
        /// Lower limit in the settings.
        min: f64,
        /// Upper limit in the settings.
        max: f64,
        /// Lower limit in the description.
        low: f64,
        /// Upper limit in the description.
        high: f64,
    },
}

/// The joints between a robot's base and its tool.
pub struct ToolChain {
    chain: k::SerialChain<f64>,
    /// For each joint of the chain: the robot's joint, and its value per value of the chain's.
    joints: Vec<(usize, f64)>,
}

impl ToolChain {
    /// Reads the description of a robot, and checks its settings against it.
    ///
    /// # Errors
    /// A description that is malformed, lacks a joint or the tool, or has narrower limits than the settings.
    pub fn load(robot: &RobotSettings) -> Result<Self, ChainError> {
        let file = &robot.urdf;
        let whole = k::Chain::<f64>::from_urdf_file(file).map_err(|error| {
            ChainError::Malformed { file: file.clone(), words: error.to_string() }
        })?;
        let missing = |kind, name: &str| ChainError::Missing {
            file: file.clone(),
            kind,
            name: name.to_owned(),
            settings: robot.file.clone(),
        };
        for joint in &robot.joints {
            let (name, scale) = joint.in_urdf();
            let node = whole.find(name).ok_or_else(|| missing("joint", name))?;
            if let Some(range) = node.joint().limits {
                check_limits(
                    file,
                    robot,
                    joint.name(),
                    joint.range(),
                    (range.min * scale, range.max * scale),
                )?;
            }
        }
        let tool =
            whole.find_link(&robot.tool_link).ok_or_else(|| missing("link", &robot.tool_link))?;
        let chain = k::SerialChain::from_end(tool);
        let joints = chain
            .iter_joints()
            .map(|joint| {
                let mut known = robot.joints.iter().map(|joint| joint.in_urdf());
                let index = known.position(|(name, _)| name == joint.name);
                let index = index.ok_or_else(|| missing("joint", &joint.name))?;
                Ok((index, robot.joints[index].in_urdf().1))
            })
            .collect::<Result<_, ChainError>>()?;
        Ok(Self { chain, joints })
    }

    /// The tool's pose in the robot's base frame, with its joints at `joints`.
    #[must_use]
    pub fn x_base_tool(&self, joints: &Joints) -> Pose {
        let values: Vec<f64> =
            self.joints.iter().map(|(joint, scale)| joints[*joint] / scale).collect();
        self.chain.set_joint_positions_unchecked(&values);
        let pose = self.chain.end_transform();
        let (p, q) = (pose.translation.vector, pose.rotation.coords);
        Pose { position_m: [p.x, p.y, p.z], quaternion_xyzw: [q.x, q.y, q.z, q.w] }
    }
}

fn check_limits(
    file: &Path,
    robot: &RobotSettings,
    name: &str,
    (min, max): (f64, f64),
    (low, high): (f64, f64),
) -> Result<(), ChainError> {
    if min >= low && max <= high {
        return Ok(());
    }
    Err(ChainError::Limits {
        file: file.to_owned(),
        settings: robot.file.clone(),
        name: name.to_owned(),
        min,
        max,
        low,
        high,
    })
}
