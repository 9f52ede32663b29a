//! A robot in MuJoCo: the only door to `mujoco_rs`.
//!
//! Physics advances in `read`, in whole time steps, to the moment that is asked for; so lockstep (virtual time) and
//! realtime (paced by the loop) are one and the same code, and a skipped tick is physics that went on without one.

mod attach;
mod camera;
mod disturb;
mod facts;
mod robot;
mod spectator;

use std::{path::Path, sync::Arc};

use motion::{Command, Drive, Health, Joints, Nanos, State};
use mujoco_rs::prelude::{MjData, MjModel, MjtObjBase};
use ringbuf::{HeapProd, traits::Producer};

use super::Backend;
use attach::{Phase, Rule};
pub use camera::{Camera, Image, Renderer};
pub use disturb::Push;
pub use facts::Facts;
pub use spectator::{Snapshot, Spectator};

/// A read never advances physics by more than this: after a long freeze the world is behind, not the loop.
const CATCH_UP_MAX_NS: u64 = 500_000_000;

/// A model that was loaded and matched against a robot. Cheap to clone: the model is shared.
#[derive(Clone)]
pub struct Scene {
    model: Arc<MjModel>,
    keyframe: usize,
    joints: Vec<JointMap>,
    rule: Option<Arc<Rule>>,
}

/// How a robot's joint is made in a model.
#[derive(Clone, Debug, PartialEq)]
pub struct JointNames {
    /// The model's joint.
    pub joint: String,
    /// Its position actuator.
    pub actuator: String,
    /// Robot value per model value: 2 where a gripper's opening is twice a finger's travel.
    pub scale: f64,
}

#[derive(Clone, Copy)]
struct JointMap {
    qpos: usize,
    dof: usize,
    actuator: usize,
    scale: f64,
}

/// Why a scene is refused: what is missing, by its name in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SceneError {
    /// MuJoCo's own words about the file.
    Load(String),
    /// The model has no such thing.
    Missing {
        /// joint, actuator, keyframe, body, camera or site.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A rule of attaching cannot be carried out.
    Rule {
        /// Its name.
        name: String,
        /// What is wrong with it.
        words: &'static str,
    },
    /// A picture cannot be made.
    Picture(String),
    /// The model is too large for a snapshot.
    TooLarge {
        /// Its number of position coordinates.
        coordinates: usize,
    },
}

impl std::fmt::Display for SceneError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Load(words) | Self::Picture(words) => f.write_str(words),
            Self::Missing { kind, name } => write!(f, "the model has no {kind} {name:?}"),
            Self::Rule { name, words } => write!(f, "the tuple {name:?} {words}"),
            Self::TooLarge { coordinates } => {
                write!(
                    f,
                    "the model has {coordinates} coordinates, more than {}",
                    spectator::COORDINATES_MAX
                )
            }
        }
    }
}

impl std::error::Error for SceneError {}

impl Scene {
    /// Loads a model and finds a robot's joints in it.
    ///
    /// # Errors
    /// A file that MuJoCo refuses, or a name that the model does not have.
    pub fn load(path: &Path, keyframe: &str, joints: &[JointNames]) -> Result<Self, SceneError> {
        let model = MjModel::from_xml(path).map_err(|error| SceneError::Load(error.to_string()))?;
        let find = |object: MjtObjBase, kind: &'static str, name: &str| {
            let missing = SceneError::Missing { kind, name: name.into() };
            if name.contains('\0') {
                Err(missing)
            } else {
                model.name_to_id(object, name).ok_or(missing)
            }
        };
        let keyframe = find(MjtObjBase::mjOBJ_KEY, "keyframe", keyframe)?;
        let joints = joints
            .iter()
            .map(|names| {
                let joint = find(MjtObjBase::mjOBJ_JOINT, "joint", &names.joint)?;
                let actuator = find(MjtObjBase::mjOBJ_ACTUATOR, "actuator", &names.actuator)?;
                Ok(JointMap {
                    qpos: model.jnt_qposadr()[joint] as usize,
                    dof: model.jnt_dofadr()[joint] as usize,
                    actuator,
                    scale: names.scale,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let coordinates = model.ffi().nq as usize;
        if coordinates > spectator::COORDINATES_MAX {
            return Err(SceneError::TooLarge { coordinates });
        }
        let rule = Rule::of(&model)?.map(Arc::new);
        Ok(Self { model: Arc::new(model), keyframe, joints, rule })
    }

    /// The same scene with a model that differs in figures only.
    fn with(&self, model: MjModel) -> Result<Self, SceneError> {
        let rule = Rule::of(&model)?.map(Arc::new);
        Ok(Self { model: Arc::new(model), rule, ..self.clone() })
    }

    /// Whether this is a geom of the world that the scene tells of like a free body (its tuple `still_things`).
    #[must_use]
    pub fn is_still(&self, thing: &str) -> bool {
        spectator::still_things(&self.model).iter().any(|(name, _)| name == thing)
    }

    /// The same scene with such a geom somewhere else; its height stays.
    ///
    /// # Errors
    /// No such geom.
    pub fn with_still(&self, thing: &str, [x, y]: [f64; 2]) -> Result<Self, SceneError> {
        let missing = || SceneError::Missing { kind: "still thing", name: thing.into() };
        let known = spectator::still_things(&self.model);
        let (_, geom) = known.iter().find(|(name, _)| name == thing).ok_or_else(missing)?;
        let mut model = MjModel::clone(&self.model);
        model.geom_pos_mut()[*geom][..2].copy_from_slice(&[x, y]);
        self.with(model)
    }

    /// Where a site is, and how it is turned, with the robot's joints at `pose`: position (m) and rotation (row-major)
    /// in the world's frame.
    ///
    /// # Errors
    /// A site that the model does not have.
    pub fn site_pose(&self, site: &str, pose: &Joints) -> Result<([f64; 3], [f64; 9]), SceneError> {
        let missing = || SceneError::Missing { kind: "site", name: site.into() };
        let id = self.model.name_to_id(MjtObjBase::mjOBJ_SITE, site).ok_or_else(missing)?;
        let mut data = MjData::new(Arc::clone(&self.model));
        for (map, value) in self.joints.iter().zip(pose.iter()) {
            data.qpos_mut()[map.qpos] = value / map.scale;
        }
        data.forward();
        Ok((data.site_xpos()[id], data.site_xmat()[id]))
    }

    /// The robot's joints at the keyframe.
    #[must_use]
    pub fn home(&self) -> Joints {
        let coordinates = &self.model.key_qpos()[self.keyframe * self.model.ffi().nq as usize..];
        let mut home = Joints::zeros(self.joints.len());
        for (value, map) in home.iter_mut().zip(&self.joints) {
            *value = coordinates[map.qpos] * map.scale;
        }
        home
    }

    /// Seconds of one physics step.
    #[must_use]
    pub fn time_step_s(&self) -> f64 {
        self.model.opt().timestep
    }
}

/// The simulated robot.
pub struct Mujoco {
    scene: Scene,
    data: MjData<Arc<MjModel>>,
    step_ns: u64,
    origin: Option<Nanos>,
    steps: u64,
    pushed: Option<disturb::Pushed>,
    phase: Phase,
    snapshots: HeapProd<Snapshot>,
}

impl Mujoco {
    /// A world at its keyframe, and a spectator who sees it after every write.
    #[must_use]
    pub fn new(scene: &Scene) -> (Self, Spectator) {
        let model = scene.rule.as_ref().map(|rule| rule.model(Phase::Open));
        let mut data = MjData::new(model.unwrap_or_else(|| Arc::clone(&scene.model)));
        // The keyframe was found by name: it exists.
        let _ = data.reset_keyframe(scene.keyframe);
        data.forward();
        let (snapshots, spectator) = spectator::spectator(scene);
        let mut world = Self {
            step_ns: (scene.time_step_s() * 1e9).round() as u64,
            scene: scene.clone(),
            data,
            origin: None,
            steps: 0,
            pushed: None,
            phase: Phase::Open,
            snapshots,
        };
        world.judge();
        (world, spectator)
    }

    /// Puts a free body somewhere, at rest, turned about the vertical, before the loop starts.
    ///
    /// # Errors
    /// A body that the model does not have, or that is not free.
    pub fn place(
        &mut self,
        body: &str,
        position_m: [f64; 3],
        yaw_rad: f64,
    ) -> Result<(), SceneError> {
        let address = spectator::free_joint(&self.scene.model, body)
            .ok_or_else(|| SceneError::Missing { kind: "free body", name: body.into() })?;
        let quaternion = [(yaw_rad / 2.0).cos(), 0.0, 0.0, (yaw_rad / 2.0).sin()];
        self.data.qpos_mut()[address..address + 3].copy_from_slice(&position_m);
        self.data.qpos_mut()[address + 3..address + 7].copy_from_slice(&quaternion);
        if let Some(dof) = spectator::free_velocity(&self.scene.model, body) {
            self.data.qvel_mut()[dof..dof + 6].fill(0.0);
        }
        self.data.forward();
        self.judge();
        Ok(())
    }

    /// Puts the robot's joints somewhere, at rest, and commands them to stay there, before the loop starts.
    pub fn pose(&mut self, pose: &Joints) {
        for (map, value) in self.scene.joints.iter().zip(pose.iter()) {
            self.data.qpos_mut()[map.qpos] = value / map.scale;
            self.data.qvel_mut()[map.dof] = 0.0;
            self.data.ctrl_mut()[map.actuator] = value / map.scale;
        }
        self.data.forward();
        self.judge();
    }

    /// Carries out the scene's rule of attaching, if it has one.
    fn judge(&mut self) {
        if let Some(rule) = &self.scene.rule {
            self.phase = rule.judge(&mut self.data, self.phase);
        }
    }

    /// Whether the scene's rule of attaching holds its thing now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.phase == Phase::Held
    }

    /// Lets the spectator see the world as it is.
    pub fn show(&mut self, now: Nanos) {
        // Nobody has to look: a full ring only means that the spectator is slow.
        let _ = self.snapshots.try_push(Snapshot::of(now, self.data.qpos()));
    }

    fn advance(&mut self, now: Nanos) {
        let origin = *self.origin.get_or_insert(now);
        let due = now.since(origin) / self.step_ns;
        let steps = due.saturating_sub(self.steps).min(CATCH_UP_MAX_NS / self.step_ns);
        for step in due - steps..due {
            self.apply_push(step);
            self.data.step();
            self.judge();
        }
        self.steps = due;
    }
}

impl Backend for Mujoco {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.advance(now);
        let finite = self.data.qpos().iter().all(|value| value.is_finite());
        state.health = if finite { Health::Good } else { Health::Lost };
        state.engaged = true;
        state.lag_ticks = 0;
        state.age_s.fill(0.0);
        state.sampled_at = self.origin.unwrap_or(now).after(self.steps * self.step_ns);
        let joints = self.scene.joints.iter();
        let values = state.position.iter_mut().zip(state.velocity.iter_mut());
        for (map, (position, velocity)) in joints.zip(values) {
            *position = self.data.qpos()[map.qpos] * map.scale;
            *velocity = self.data.qvel()[map.dof] * map.scale;
        }
    }

    fn write(&mut self, now: Nanos, command: &Command) {
        if command.drive() == Drive::On {
            for (map, value) in self.scene.joints.iter().zip(command.position().iter()) {
                self.data.ctrl_mut()[map.actuator] = value / map.scale;
            }
        }
        self.show(now);
    }
}
