//! What the controller has in its hands: seven motors in a simulated world. The only door to the simulation.

use std::path::Path;

use motion::{Joints, Nanos, State};
use reflex::backend::{
    Backend,
    mujoco::{JointNames, Mujoco, Scene, SceneError, Spectator},
};

/// Joints of the arm, and the gripper.
pub(super) const MOTORS: usize = 7;
/// The last one: its value is the opening between the fingers, m.
pub(super) const GRIPPER: usize = 6;
/// Strongest effort of a motor that is told efforts, N m and N.
const EFFORT_MAX: [f64; MOTORS] = [50.0, 50.0, 50.0, 15.0, 15.0, 15.0, 15.0];

/// What gears keep of a joint without power, N m and N. No source tells how much it is: enough that an arm that fell comes
/// to rest.
const FRICTION: [f64; MOTORS] = [0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.0];

/// What a motor does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Drive {
    /// Nothing: it has no power, and gravity has the joint.
    Limp,
    /// It brakes, and holds nothing: the joint sinks.
    Damped,
    /// It goes there and stays, rad or m.
    Follow(f64),
    /// It is a spring and a damper with an effort on top: rad, rad/s, N m.
    Mit {
        /// Stiffness, N m/rad.
        kp: f64,
        /// Damping, N m s/rad.
        kd: f64,
        /// Where the spring rests.
        position: f64,
        /// What the damper lets pass.
        velocity: f64,
        /// On top.
        effort: f64,
    },
}

/// The simulated arm and its world.
pub(super) struct Body {
    scene: Scene,
    world: Mujoco,
    spectator: Spectator,
    powered: [bool; MOTORS],
    limp: [bool; MOTORS],
    state: State,
}

impl Body {
    /// Loads the shipped scene, or one with the same names.
    pub(super) fn load(path: &Path) -> Result<Self, SceneError> {
        let names: [JointNames; MOTORS] = std::array::from_fn(|k| {
            let (joint, actuator, scale) = match k {
                GRIPPER => ("joint7".into(), "gripper".into(), 2.0),
                _ => (format!("joint{}", k + 1), format!("joint{}", k + 1), 1.0),
            };
            JointNames { joint, actuator, scale }
        });
        let scene = Scene::load(path, "home", &names)?;
        let (world, spectator) = Mujoco::new(&scene);
        let (powered, limp) = ([true; MOTORS], [false; MOTORS]);
        Ok(Self { scene, world, spectator, powered, limp, state: State::blank(MOTORS) })
    }

    /// The world as the scene begins, the arm at rest somewhere.
    pub(super) fn reset(&mut self, pose: &[f64; MOTORS]) {
        (self.world, self.spectator) = Mujoco::new(&self.scene);
        (self.powered, self.limp) = ([true; MOTORS], [false; MOTORS]);
        self.pose(pose);
    }

    /// Puts the arm somewhere, at rest.
    pub(super) fn pose(&mut self, pose: &[f64; MOTORS]) {
        let mut joints = Joints::zeros(MOTORS);
        joints.copy_from_slice(pose);
        self.world.pose(&joints);
        self.state.position = joints;
        self.state.velocity = Joints::zeros(MOTORS);
    }

    /// Puts a free body somewhere, at rest.
    pub(super) fn place(
        &mut self,
        body: &str,
        at_m: [f64; 3],
        yaw_rad: f64,
    ) -> Result<(), SceneError> {
        self.world.place(body, at_m, yaw_rad)
    }

    /// One step of physics, to this moment.
    pub(super) fn step(&mut self, to: Nanos, drives: &[Drive; MOTORS]) {
        let powered = drives.map(|drive| matches!(drive, Drive::Follow(_) | Drive::Damped));
        let limp = drives.map(|drive| drive == Drive::Limp);
        let friction: [f64; MOTORS] =
            std::array::from_fn(|k| if limp[k] { FRICTION[k] } else { 0.0 });
        let changed = powered != self.powered || limp != self.limp;
        if changed && self.world.power(&powered, &friction).is_ok() {
            (self.powered, self.limp) = (powered, limp);
        }
        let (mut targets, mut efforts) = (self.state.position, Joints::zeros(MOTORS));
        for (k, drive) in drives.iter().enumerate() {
            let (at, speed) = (self.state.position[k], self.state.velocity[k]);
            match *drive {
                Drive::Limp | Drive::Damped => {}
                Drive::Follow(target) => targets[k] = target,
                Drive::Mit { kp, kd, position, velocity, effort } => {
                    let asked = kp * (position - at) + kd * (velocity - speed) + effort;
                    efforts[k] = asked.clamp(-EFFORT_MAX[k], EFFORT_MAX[k]);
                }
            }
        }
        self.world.drive(&targets);
        self.world.push_joints(&efforts);
        self.world.read(to, &mut self.state);
    }

    /// Where the joints are, rad and m.
    pub(super) fn position(&self) -> [f64; MOTORS] {
        std::array::from_fn(|k| self.state.position[k])
    }

    /// How fast they are, rad/s and m/s.
    pub(super) fn velocity(&self) -> [f64; MOTORS] {
        std::array::from_fn(|k| self.state.velocity[k])
    }

    /// What the motors do, N m and N.
    pub(super) fn efforts(&self) -> [f64; MOTORS] {
        let efforts = self.world.efforts();
        std::array::from_fn(|k| efforts[k])
    }

    /// Free bodies: position (m) and quaternion (w first).
    pub(super) fn things(&mut self) -> Vec<(String, [f64; 7])> {
        self.world.show(self.state.sampled_at);
        self.spectator.look();
        self.spectator.poses().map(|(name, pose)| (name.to_owned(), pose)).collect()
    }

    /// Seconds of one step of physics.
    pub(super) fn step_s(&self) -> f64 {
        self.scene.time_step_s()
    }
}
