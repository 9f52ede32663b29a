//! Wiring.

use reflex::backend::mujoco::{JointNames, Scene, SceneError};
use crate::config::RobotSettings;

/// Scene.
pub fn scene(robot: &RobotSettings) -> Result<Scene, SceneError> {
    let m = robot.mujoco.as_ref().unwrap();
    let joints: Vec<JointNames> = robot.joints.iter().map(|j| { let p = &m.joints[j.name()]; JointNames { joint: p.joint.clone(), actuator: p.actuator.clone(), scale: p.scale } }).collect();
    Scene::load(&m.scene, &m.keyframe, &joints)
}
