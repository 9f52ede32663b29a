//! A scene as MuJoCo compiled it, figure by figure: to compare it with the robot that it is meant to be.

use std::collections::BTreeMap;

use mujoco_rs::prelude::{MjModel, MjtObjBase};

use super::Scene;

/// Figures of a model in SI units, by part: `joint/elbow/range`. Angles are radians, quaternions w x y z.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Numbers.
    pub figures: BTreeMap<String, Vec<f64>>,
    /// What hangs on what: the parent of a body, the body of a joint, geom, site or camera, the joint of an actuator.
    pub on: BTreeMap<String, String>,
}

impl Scene {
    /// All that is known of its parts that have names.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts::of(&self.model)
    }
}

impl Facts {
    fn of(model: &MjModel) -> Self {
        let mut facts = Self::default();
        let counts = [model.ffi().nq, model.ffi().nv, model.ffi().nu, model.ffi().nbody];
        facts.note("model", "nq_nv_nu_nbody", &counts.map(|count| count as f64));
        let option = model.opt();
        let iterations = [option.iterations, option.noslip_iterations].map(f64::from);
        facts.note("model", "timestep", &[option.timestep]);
        facts.note("model", "iterations", &iterations);
        facts.bodies(model);
        facts.joints(model);
        facts.geoms(model);
        facts.rest(model);
        facts
    }

    fn note(&mut self, part: &str, what: &str, figures: &[f64]) {
        self.figures.insert(format!("{part}/{what}"), figures.to_vec());
    }

    fn hang(&mut self, model: &MjModel, part: &str, kind: MjtObjBase, on: i32) {
        if let Some(name) = usize::try_from(on).ok().and_then(|on| model.id_to_name(kind, on)) {
            self.on.insert(part.to_owned(), name.to_owned());
        }
    }

    fn bodies(&mut self, model: &MjModel) {
        for (k, part) in named(model, MjtObjBase::mjOBJ_BODY, "body", model.ffi().nbody) {
            self.hang(model, &part, MjtObjBase::mjOBJ_BODY, model.body_parentid()[k]);
            self.note(&part, "pos", &model.body_pos()[k]);
            self.note(&part, "quat", &model.body_quat()[k]);
            self.note(&part, "mass", &[model.body_mass()[k]]);
            self.note(&part, "com", &model.body_ipos()[k]);
            self.note(&part, "inertia_diag", &model.body_inertia()[k]);
            self.note(&part, "inertia_quat", &model.body_iquat()[k]);
        }
    }

    fn joints(&mut self, model: &MjModel) {
        for (k, part) in named(model, MjtObjBase::mjOBJ_JOINT, "joint", model.ffi().njnt) {
            let dof = model.jnt_dofadr()[k] as usize;
            self.hang(model, &part, MjtObjBase::mjOBJ_BODY, model.jnt_bodyid()[k]);
            self.note(&part, "axis", &model.jnt_axis()[k]);
            self.note(&part, "range", &model.jnt_range()[k]);
            self.note(&part, "damping", &[model.dof_damping()[dof]]);
            self.note(&part, "armature", &[model.dof_armature()[dof]]);
        }
    }

    fn geoms(&mut self, model: &MjModel) {
        for (k, part) in named(model, MjtObjBase::mjOBJ_GEOM, "geom", model.ffi().ngeom) {
            let bits = [model.geom_contype()[k], model.geom_conaffinity()[k]];
            self.hang(model, &part, MjtObjBase::mjOBJ_BODY, model.geom_bodyid()[k]);
            self.note(&part, "size", &model.geom_size()[k]);
            self.note(&part, "pos", &model.geom_pos()[k]);
            self.note(&part, "quat", &model.geom_quat()[k]);
            self.note(&part, "friction", &model.geom_friction()[k]);
            self.note(&part, "condim", &[f64::from(model.geom_condim()[k])]);
            self.note(&part, "collides", &bits.map(f64::from));
            self.note(&part, "rgba", &model.geom_rgba()[k].map(f64::from));
        }
    }

    fn rest(&mut self, model: &MjModel) {
        for (k, part) in named(model, MjtObjBase::mjOBJ_SITE, "site", model.ffi().nsite) {
            self.hang(model, &part, MjtObjBase::mjOBJ_BODY, model.site_bodyid()[k]);
            self.note(&part, "pos", &model.site_pos()[k]);
        }
        for (k, part) in named(model, MjtObjBase::mjOBJ_CAMERA, "camera", model.ffi().ncam) {
            self.hang(model, &part, MjtObjBase::mjOBJ_BODY, model.cam_bodyid()[k]);
            self.note(&part, "pos", &model.cam_pos()[k]);
            self.note(&part, "quat", &model.cam_quat()[k]);
            self.note(&part, "fovy_deg", &[model.cam_fovy()[k]]);
        }
        for (k, part) in named(model, MjtObjBase::mjOBJ_ACTUATOR, "actuator", model.ffi().nu) {
            let [joint, _] = model.actuator_trnid()[k];
            self.hang(model, &part, MjtObjBase::mjOBJ_JOINT, joint);
            self.note(&part, "kp", &model.actuator_gainprm()[k][..1]);
            self.note(&part, "bias", &model.actuator_biasprm()[k][..3]);
            self.note(&part, "ctrlrange", &model.actuator_ctrlrange()[k]);
            self.note(&part, "forcerange", &model.actuator_forcerange()[k]);
        }
    }
}

/// Indices and names of the parts of a kind.
fn named(
    model: &MjModel,
    kind: MjtObjBase,
    word: &str,
    count: impl TryInto<usize>,
) -> Vec<(usize, String)> {
    let all = 0..count.try_into().unwrap_or_default();
    let part = |k| model.id_to_name(kind, k).map(|name| (k, format!("{word}/{name}")));
    all.filter_map(part).collect()
}
