//! Trouble in a simulated world: other friction, other masses, a push. All of it is asked for, none of it is random.

use mujoco_rs::prelude::{MjData, MjModel, MjtObjBase};

use super::{Mujoco, Scene, SceneError};

/// A force on a body's centre of mass for some time, in the world's frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Push {
    /// N.
    pub force_n: [f64; 3],
    /// When it begins, seconds after the world's first tick.
    pub from_s: f64,
    /// How long it lasts.
    pub duration_s: f64,
}

/// A push that was looked up: the body, the force, and the physics steps from and to which it acts.
#[derive(Clone, Copy)]
pub(super) struct Pushed {
    body: usize,
    force_n: [f64; 3],
    steps: [u64; 2],
}

impl Scene {
    /// The same scene with all friction multiplied, the gripper's pads included, and the mass and inertia of a body.
    ///
    /// # Errors
    /// A body that the model does not have.
    pub fn changed(&self, friction: f64, mass: Option<(&str, f64)>) -> Result<Self, SceneError> {
        let weighed = mass.map(|(body, mass)| Ok((find_body(&self.model, body)?, mass)));
        let weighed = weighed.transpose()?;
        let mut model = MjModel::clone(&self.model);
        for [slide, spin, roll] in model.geom_friction_mut() {
            for part in [slide, spin, roll] {
                *part *= friction;
            }
        }
        for friction_of in model.pair_friction_mut() {
            for part in friction_of {
                *part *= friction;
            }
        }
        if let Some((body, mass)) = weighed {
            model.body_mass_mut()[body] *= mass;
            for axis in &mut model.body_inertia_mut()[body] {
                *axis *= mass;
            }
        }
        // Constants that follow from masses are worked out anew.
        let mut data = MjData::new(Box::new(model));
        data.set_const();
        self.with(data.model().clone())
    }
}

impl Mujoco {
    /// Pushes a body, once; the next call takes the place of this one.
    ///
    /// # Errors
    /// A body that the model does not have.
    pub fn push(&mut self, body: &str, push: &Push) -> Result<(), SceneError> {
        let step = |seconds: f64| (seconds * 1e9 / self.step_ns as f64).round() as u64;
        let steps = [step(push.from_s), step(push.from_s + push.duration_s)];
        let body = find_body(&self.scene.model, body)?;
        self.pushed = Some(Pushed { body, force_n: push.force_n, steps });
        Ok(())
    }

    /// Before physics step `step`: the force of the push, or none.
    pub(super) fn apply_push(&mut self, step: u64) {
        let Some(Pushed { body, force_n, steps: [from, to] }) = self.pushed else { return };
        let force = if (from..to).contains(&step) { force_n } else { [0.0; 3] };
        self.data.xfrc_applied_mut()[body][..3].copy_from_slice(&force);
    }
}

fn find_body(model: &MjModel, name: &str) -> Result<usize, SceneError> {
    let missing = || SceneError::Missing { kind: "body", name: name.into() };
    model.name_to_id(MjtObjBase::mjOBJ_BODY, name).ok_or_else(missing)
}
