//! A rule that a scene may declare: what closes near a thing carries it.
//!
//! ```text
//!           every joint closed             near enough
//!   Open ───────────────────────► Closed ───────────────► Held
//!     ▲                              │                      │
//!     └───────── a joint is not closed any more ────────────┘
//! ```
//!
//! It is a tuple of the model whose name begins with [`PREFIX`]: the body that is carried, the site that carries it, the
//! joints that close, and the geoms that touch nothing until they are closed. What is carried touches nothing. Which
//! geoms collide is part of a model, and models are shared: so there is one for each phase, made once, and a step
//! changes between them without touching the heap.

use std::sync::Arc;

use mujoco_rs::prelude::{MjData, MjModel, MjtJoint, MjtObjBase};

use super::{SceneError, spectator::free_joint};

/// How the name of a rule begins.
const PREFIX: &str = "attach";

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A joint is not closed.
    Open,
    /// All are, and nothing is held.
    Closed,
    /// The thing goes where the site goes.
    Held,
}

/// A rule, looked up in a model.
pub(super) struct Rule {
    /// First coordinate of the carried body's free joint, and of its velocity.
    thing: (usize, usize),
    /// It is never carried lower than this, m.
    lowest_m: f64,
    site: usize,
    /// It is taken from this near, m.
    within_m: f64,
    /// Coordinates of the joints, and below what each is closed, rad or m.
    joints: Vec<(usize, f64)>,
    /// The model in each phase.
    models: [Arc<MjModel>; 3],
}

impl Rule {
    /// The rule of a model, if it declares one.
    ///
    /// # Errors
    /// A rule that lacks something, or a second one.
    pub(super) fn of(model: &MjModel) -> Result<Option<Self>, SceneError> {
        let tuples = 0..model.ffi().ntuple as usize;
        let mut named = tuples.filter_map(|tuple| {
            let name = model.id_to_name(MjtObjBase::mjOBJ_TUPLE, tuple)?;
            name.starts_with(PREFIX).then_some((tuple, name))
        });
        let Some((tuple, name)) = named.next() else { return Ok(None) };
        let wrong = |words: &'static str| SceneError::Rule { name: name.to_owned(), words };
        if named.next().is_some() {
            return Err(wrong("is not the only one: a scene has one rule of attaching"));
        }
        let mut thing = None;
        let mut site = None;
        let mut joints = Vec::new();
        let mut geoms = Vec::new();
        for element in elements(model, tuple) {
            let (kind, id, figure) = element;
            let is_new = match kind {
                MjtObjBase::mjOBJ_BODY => thing.replace((id, figure)).is_none(),
                MjtObjBase::mjOBJ_SITE => site.replace((id, figure)).is_none(),
                MjtObjBase::mjOBJ_JOINT => {
                    let kind = model.jnt_type()[id];
                    let plain = [MjtJoint::mjJNT_HINGE, MjtJoint::mjJNT_SLIDE].contains(&kind);
                    joints.push((model.jnt_qposadr()[id] as usize, figure));
                    plain
                }
                MjtObjBase::mjOBJ_GEOM => {
                    geoms.push(id);
                    true
                }
                _ => false,
            };
            if !is_new {
                return Err(wrong(
                    "takes one body, one site, joints that turn or slide, and geoms",
                ));
            }
        }
        let (Some((body, lowest_m)), Some((site, within_m)), false) =
            (thing, site, joints.is_empty())
        else {
            return Err(wrong("needs a body, a site and a joint"));
        };
        let free = model.id_to_name(MjtObjBase::mjOBJ_BODY, body);
        let Some(qpos) = free.and_then(|body| free_joint(model, body)) else {
            return Err(wrong("needs a free body with a name"));
        };
        let dof = model.body_dofadr()[body] as usize;
        let bodys = 0..model.ffi().ngeom as usize;
        let own: Vec<usize> =
            bodys.filter(|geom| model.geom_bodyid()[*geom] as usize == body).collect();
        let models = [without(model, &geoms), Arc::new(model.clone()), without(model, &own)];
        // Models are compared when they are changed between; what is compared is worked out at the first look, on the heap.
        for model in &models {
            let _ = model.layout();
        }
        Ok(Some(Self { thing: (qpos, dof), lowest_m, site, within_m, joints, models }))
    }

    /// The model as it is in a phase.
    pub(super) fn model(&self, phase: Phase) -> Arc<MjModel> {
        Arc::clone(&self.models[phase as usize])
    }

    /// Between two steps of physics: goes on from a phase to the next, and carries what is held.
    pub(super) fn judge(&self, data: &mut MjData<Arc<MjModel>>, before: Phase) -> Phase {
        let closed = self.joints.iter().all(|(joint, below)| data.qpos()[*joint] < *below);
        let mut phase = Phase::Open;
        if closed {
            // A step leaves its sites where they were before it.
            data.kinematics();
            let (at, _) = self.thing;
            let to = data.site_xpos()[self.site];
            let far = (0..3).map(|k| (data.qpos()[at + k] - to[k]).powi(2)).sum::<f64>().sqrt();
            let takes = before == Phase::Held || far < self.within_m;
            phase = if takes { Phase::Held } else { Phase::Closed };
            if takes {
                self.carry(data, to);
            }
        }
        if phase != before {
            // The models differ in what collides and in nothing else: they are compatible.
            let _ = data.try_swap_model(self.model(phase));
        }
        phase
    }

    fn carry(&self, data: &mut MjData<Arc<MjModel>>, [x, y, z]: [f64; 3]) {
        let (at, dof) = self.thing;
        data.qpos_mut()[at..at + 3].copy_from_slice(&[x, y, z.max(self.lowest_m)]);
        data.qvel_mut()[dof..dof + 6].fill(0.0);
    }
}

/// The elements of a tuple: type, index and figure.
fn elements(model: &MjModel, tuple: usize) -> impl Iterator<Item = (MjtObjBase, usize, f64)> {
    let (from, count) = (model.tuple_adr()[tuple] as usize, model.tuple_size()[tuple] as usize);
    (from..from + count).map(|k| {
        (model.tuple_objtype()[k], model.tuple_objid()[k] as usize, model.tuple_objprm()[k])
    })
}

/// Geoms of the world that a tuple of this name tells of.
pub(super) fn told(model: &MjModel, tuple: &str) -> Vec<(String, usize)> {
    let Some(tuple) = model.name_to_id(MjtObjBase::mjOBJ_TUPLE, tuple) else { return Vec::new() };
    let geoms = elements(model, tuple).filter_map(|(kind, id, _)| {
        let is_still = kind == MjtObjBase::mjOBJ_GEOM && model.geom_bodyid()[id] == 0;
        let name = is_still.then(|| model.id_to_name(kind, id)).flatten()?;
        Some((name.to_owned(), id))
    });
    geoms.collect()
}

/// The model with some geoms that touch nothing.
fn without(model: &MjModel, geoms: &[usize]) -> Arc<MjModel> {
    let mut model = model.clone();
    for geom in geoms {
        model.geom_contype_mut()[*geom] = 0;
        model.geom_conaffinity_mut()[*geom] = 0;
    }
    Arc::new(model)
}
