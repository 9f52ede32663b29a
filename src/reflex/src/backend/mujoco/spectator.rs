//! Sees the simulated world from outside the loop: where objects are, and pictures of it.

use std::sync::Arc;

use motion::Nanos;
use mujoco_rs::prelude::{MjData, MjModel, MjtGeomBase, MjtJoint, MjtObjBase};
use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Split},
};

use super::{Camera, Image, Renderer, Scene, SceneError, attach};

/// Position coordinates of the largest world that fits a snapshot.
pub(super) const COORDINATES_MAX: usize = 128;
/// Snapshots that may wait to be looked at.
const SNAPSHOTS: usize = 8;
/// The tuple of a model that names geoms which are told of like free bodies.
const STILL_THINGS: &str = "still_things";

/// Where everything was.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// When.
    pub at: Nanos,
    coordinates: [f64; COORDINATES_MAX],
}

impl Snapshot {
    pub(super) fn of(at: Nanos, qpos: &[f64]) -> Self {
        let mut coordinates = [0.0; COORDINATES_MAX];
        let len = qpos.len().min(COORDINATES_MAX);
        coordinates[..len].copy_from_slice(&qpos[..len]);
        Self { at, coordinates }
    }
}

/// A copy of the world that follows the loop's.
pub struct Spectator {
    data: MjData<Arc<MjModel>>,
    snapshots: HeapCons<Snapshot>,
    free_bodies: Vec<(String, usize)>,
    still_things: Vec<(String, usize)>,
    at: Option<Nanos>,
}

pub(super) fn spectator(scene: &Scene) -> (HeapProd<Snapshot>, Spectator) {
    let (sender, snapshots) = HeapRb::new(SNAPSHOTS).split();
    let model = &scene.model;
    let bodies = 0..model.ffi().nbody as usize;
    let free_bodies = bodies
        .filter_map(|body| model.id_to_name(MjtObjBase::mjOBJ_BODY, body))
        .filter_map(|name| free_joint(model, name).map(|address| (name.to_owned(), address)))
        .collect();
    let still_things = still_things(model);
    let data = MjData::new(Arc::clone(model));
    (sender, Spectator { data, snapshots, free_bodies, still_things, at: None })
}

/// Geoms of the world that the scene tells of like free bodies.
pub(super) fn still_things(model: &MjModel) -> Vec<(String, usize)> {
    attach::told(model, STILL_THINGS)
}

/// The first coordinate of a free body's joint.
pub(super) fn free_joint(model: &MjModel, body: &str) -> Option<usize> {
    freedom(model, body).map(|joint| model.jnt_qposadr()[joint] as usize)
}

/// The first of its six velocities.
pub(super) fn free_velocity(model: &MjModel, body: &str) -> Option<usize> {
    freedom(model, body).map(|joint| model.jnt_dofadr()[joint] as usize)
}

fn freedom(model: &MjModel, body: &str) -> Option<usize> {
    let body = model.name_to_id(MjtObjBase::mjOBJ_BODY, body)?;
    (0..model.ffi().njnt as usize).find(|joint| {
        model.jnt_bodyid()[*joint] as usize == body
            && model.jnt_type()[*joint] == MjtJoint::mjJNT_FREE
    })
}

impl Spectator {
    /// Takes in the newest snapshot; `false` if there is none yet.
    pub fn look(&mut self) -> bool {
        if let Some(newest) = self.snapshots.pop_iter().last() {
            let len = self.data.qpos().len();
            self.data.qpos_mut().copy_from_slice(&newest.coordinates[..len]);
            self.at = Some(newest.at);
        }
        self.at.is_some()
    }

    /// When the world looked as it is seen now.
    #[must_use]
    pub const fn at(&self) -> Option<Nanos> {
        self.at
    }

    /// Names of the free bodies and still things, and where their origins are: metres in the world's frame.
    pub fn objects(&self) -> impl Iterator<Item = (&str, [f64; 3])> {
        let free = self.free_bodies.iter().map(|(name, address)| {
            let qpos = self.data.qpos();
            (name.as_str(), [qpos[*address], qpos[address + 1], qpos[address + 2]])
        });
        let geoms = self.data.model().geom_pos();
        let still = self.still_things.iter().map(|(name, geom)| (name.as_str(), geoms[*geom]));
        free.chain(still)
    }

    /// The same, with how they lie: position (m) and quaternion (w first) in the world's frame. A still thing is not turned.
    pub fn poses(&self) -> impl Iterator<Item = (&str, [f64; 7])> {
        let free = self.free_bodies.iter().map(|(name, address)| {
            let mut pose = [0.0; 7];
            pose.copy_from_slice(&self.data.qpos()[*address..address + 7]);
            (name.as_str(), pose)
        });
        let geoms = self.data.model().geom_pos();
        let still = self.still_things.iter().map(move |(name, geom)| {
            let [x, y, z] = geoms[*geom];
            (name.as_str(), [x, y, z, 1.0, 0.0, 0.0, 0.0])
        });
        free.chain(still)
    }

    /// Where one of them is.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<[f64; 3]> {
        self.objects().find_map(|(object, position)| (object == name).then_some(position))
    }

    /// How large a body or a geom is: the radius of a ball, a capsule or a cylinder, or half of the largest diagonal.
    #[must_use]
    pub fn radius(&self, name: &str) -> f64 {
        let model = self.data.model();
        let of_body = |body: usize| usize::try_from(model.body_geomadr()[body]).ok();
        let geom = match model.name_to_id(MjtObjBase::mjOBJ_BODY, name) {
            Some(body) => of_body(body),
            None => model.name_to_id(MjtObjBase::mjOBJ_GEOM, name),
        };
        let Some(geom) = geom else { return 0.0 };
        match model.geom_type()[geom] {
            MjtGeomBase::mjGEOM_SPHERE
            | MjtGeomBase::mjGEOM_CAPSULE
            | MjtGeomBase::mjGEOM_CYLINDER => model.geom_size()[geom][0],
            _ => model.geom_rbound()[geom],
        }
    }

    /// Where a site of the model is, metres in the world's frame.
    ///
    /// # Errors
    /// A site that the model does not have.
    pub fn site(&mut self, name: &str) -> Result<[f64; 3], SceneError> {
        let missing = || SceneError::Missing { kind: "site", name: name.into() };
        let id = self.data.model().name_to_id(MjtObjBase::mjOBJ_SITE, name).ok_or_else(missing)?;
        self.data.kinematics();
        Ok(self.data.site_xpos()[id])
    }

    /// A camera of the scene.
    ///
    /// # Errors
    /// A camera that the model does not have, or a renderer that was not built in.
    pub fn camera(
        &self,
        name: &str,
        size: (usize, usize),
        renderer: Renderer,
    ) -> Result<Camera, SceneError> {
        Camera::new(self.data.model(), name, size, renderer)
    }

    /// A picture of the world as it is seen now.
    ///
    /// # Errors
    /// EGL's, in words; rays cannot fail.
    pub fn picture(&mut self, camera: &Camera) -> Result<Image, SceneError> {
        self.data.kinematics();
        self.data.camlight();
        camera.picture(&mut self.data)
    }
}
