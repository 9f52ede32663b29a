//! What must not touch: capsules on the moving bodies of a robot, and planes.
//!
//! A capsule is a segment with a radius. Everything is in the frame of the robot's root, metres and radians. Bodies
//! turn about or slide along their own z axis; whoever builds them folds all else into constants.

use crate::{
    geometry::{Frame, Vec3, dot, norm, segment_distance},
    joints::Joints,
    words::{Reading, Sheet, Words},
};

/// The most moving bodies.
pub const MAX_BODIES: usize = 32;
/// The most capsules.
pub const MAX_CAPSULES: usize = 24;
/// The most planes.
pub const MAX_PLANES: usize = 4;
/// The most pairs that are watched.
pub const MAX_PAIRS: usize = 160;

/// What a body does when its joint moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Turns about its z axis.
    Turns,
    /// Slides along its z axis, at most so far from its zero either way, m.
    Slides,
}

/// A body that one joint moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Body {
    /// The body that it stands on; a smaller index than its own. None: the root.
    pub before: Option<usize>,
    /// Rotation (row-major) of its frame at zero, in the frame of the body before.
    pub rotation: [[f64; 3]; 3],
    /// Origin of its frame at zero, in the frame of the body before, m.
    pub origin_m: [f64; 3],
    /// What it does.
    pub kind: BodyKind,
    /// The joint that moves it.
    pub joint: usize,
    /// Its angle or travel per value of the joint.
    pub multiplier: f64,
    /// Its angle or travel where the joint reads zero.
    pub offset: f64,
    /// The furthest that it ever slides from zero either way, m; nothing is read of a body that turns.
    pub slide_max_m: f64,
}

/// A segment with a radius, on a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capsule {
    /// The body; none: the root.
    pub body: Option<usize>,
    /// One end of the segment, in the body's frame, m.
    pub from_m: [f64; 3],
    /// The other.
    pub to_m: [f64; 3],
    /// Its radius, m.
    pub radius_m: f64,
}

/// A plane; everything has to stay on the side that the normal points to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// A point of it, m.
    pub point_m: [f64; 3],
    /// Its normal; any length but zero.
    pub normal: [f64; 3],
}

/// What a capsule may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Another capsule.
    Capsule(usize),
    /// A plane.
    Plane(usize),
}

/// Two things that must not touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// A capsule.
    pub capsule: usize,
    /// The other.
    pub obstacle: Obstacle,
}

/// How near a pair is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contact {
    /// Which pair.
    pub pair: Pair,
    /// What is between their surfaces, m; negative if they overlap.
    pub clearance_m: f64,
}

/// Why this makes no workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkspaceError {
    /// More bodies, capsules, planes or pairs than there is room for.
    Count,
    /// The margin is not a positive length.
    Margin,
    /// A body whose figures are not finite, or that stands on none before it.
    Body(usize),
    /// A capsule whose figures are not finite, without a radius, or on no body.
    Capsule(usize),
    /// A plane whose figures are not finite, or without a normal.
    Plane(usize),
    /// A pair that names nothing, or that never moves.
    Pair(usize),
}

#[derive(Clone, Copy, Debug)]
struct Moving {
    x_before_body: Frame,
    body: Body,
    /// How far any watched point can get per value of the joint, m.
    lever: f64,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    pair: Pair,
    /// Bodies, as bits, whose joints move the two against each other.
    movers: u32,
}

/// Bodies, capsules and planes that were checked. `Copy`: some kilobytes.
#[derive(Clone, Copy, Debug)]
pub struct Workspace {
    margin_m: f64,
    bodies: [Moving; MAX_BODIES],
    body_count: usize,
    capsules: [Capsule; MAX_CAPSULES],
    capsule_count: usize,
    planes: [(Vec3, f64); MAX_PLANES],
    pairs: [Watched; MAX_PAIRS],
    pair_count: usize,
}

/// Where every capsule is.
pub(crate) struct Scene {
    ends: [(Vec3, Vec3); MAX_CAPSULES],
}

impl Workspace {
    /// Checks everything. Pairs are to stay further apart than `margin_m`.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn build(
        bodies: &[Body],
        capsules: &[Capsule],
        planes: &[Plane],
        pairs: &[Pair],
        margin_m: f64,
    ) -> Result<Self, WorkspaceError> {
        let room = bodies.len() <= MAX_BODIES
            && capsules.len() <= MAX_CAPSULES
            && planes.len() <= MAX_PLANES
            && pairs.len() <= MAX_PAIRS;
        if !room {
            return Err(WorkspaceError::Count);
        }
        if !(margin_m.is_finite() && margin_m > 0.0) {
            return Err(WorkspaceError::Margin);
        }
        let mut workspace = Self { margin_m, ..EMPTY };
        workspace.take_bodies(bodies)?;
        workspace.take_capsules(capsules)?;
        for (index, plane) in planes.iter().enumerate() {
            let length = norm(&plane.normal);
            if !(finite(&plane.normal) && finite(&plane.point_m) && length > 1e-9) {
                return Err(WorkspaceError::Plane(index));
            }
            let normal = plane.normal.map(|value| value / length);
            workspace.planes[index] = (normal, dot(&normal, &plane.point_m));
        }
        for (index, pair) in pairs.iter().enumerate() {
            let movers = workspace.movers(pair, planes.len()).filter(|movers| *movers != 0);
            let movers = movers.ok_or(WorkspaceError::Pair(index))?;
            workspace.pairs[index] = Watched { pair: *pair, movers };
        }
        workspace.pair_count = pairs.len();
        Ok(workspace)
    }

    fn take_bodies(&mut self, bodies: &[Body]) -> Result<(), WorkspaceError> {
        for (index, body) in bodies.iter().enumerate() {
            let figures = [body.multiplier, body.offset, body.slide_max_m];
            let sound = body.rotation.iter().all(finite)
                && finite(&body.origin_m)
                && finite(&figures)
                && body.slide_max_m >= 0.0
                && body.before.is_none_or(|before| before < index);
            if !sound {
                return Err(WorkspaceError::Body(index));
            }
            let x_before_body = Frame { r: body.rotation, p: body.origin_m };
            self.bodies[index] = Moving { x_before_body, body: *body, lever: 0.0 };
        }
        self.body_count = bodies.len();
        Ok(())
    }

    fn take_capsules(&mut self, capsules: &[Capsule]) -> Result<(), WorkspaceError> {
        for (index, capsule) in capsules.iter().enumerate() {
            let sound = finite(&capsule.from_m)
                && finite(&capsule.to_m)
                && capsule.radius_m.is_finite()
                && capsule.radius_m > 0.0
                && capsule.body.is_none_or(|body| body < self.body_count);
            if !sound {
                return Err(WorkspaceError::Capsule(index));
            }
            self.capsules[index] = *capsule;
            // No point of the segment is further from a joint's axis than the way there along the bodies is long.
            let mut reach = norm(&capsule.from_m).max(norm(&capsule.to_m));
            let mut next = capsule.body;
            while let Some(k) = next {
                let moving = &mut self.bodies[k];
                let lever = match moving.body.kind {
                    BodyKind::Turns => reach,
                    BodyKind::Slides => 1.0,
                };
                moving.lever = moving.lever.max(lever * moving.body.multiplier.abs());
                let slides = moving.body.kind == BodyKind::Slides;
                let slide = if slides { moving.body.slide_max_m } else { 0.0 };
                reach += norm(&moving.body.origin_m) + slide;
                next = moving.body.before;
            }
        }
        self.capsule_count = capsules.len();
        Ok(())
    }

    /// Bodies that move the two of a pair against each other, if both exist.
    fn movers(&self, pair: &Pair, planes: usize) -> Option<u32> {
        let carriers = |capsule: usize| {
            let mut next = self.capsules[..self.capsule_count].get(capsule)?.body;
            let mut bits = 0_u32;
            while let Some(k) = next {
                bits |= 1 << k;
                next = self.bodies[k].body.before;
            }
            Some(bits)
        };
        let one = carriers(pair.capsule)?;
        match pair.obstacle {
            // What carries both moves neither against the other.
            Obstacle::Capsule(other) => Some(one ^ carriers(other)?),
            Obstacle::Plane(plane) => (plane < planes).then_some(one),
        }
    }

    /// How far apart pairs are to stay, m.
    #[must_use]
    pub const fn margin_m(&self) -> f64 {
        self.margin_m
    }

    /// The pair that is nearest to touching; none if nothing is watched. Joints that are not finite touch.
    #[must_use]
    pub fn nearest(&self, joints: &Joints) -> Option<Contact> {
        let scene = self.scene(joints);
        let contacts = self.watched().map(|index| Contact {
            pair: self.pairs[index].pair,
            clearance_m: self.clearance(index, &scene),
        });
        let worse = |a: &Contact, b: &Contact| {
            !b.clearance_m.is_nan() && (a.clearance_m.is_nan() || a.clearance_m < b.clearance_m)
        };
        contacts.reduce(|a, b| if worse(&b, &a) || b.clearance_m.is_nan() { b } else { a })
    }

    /// The pair that is nearest to touching, if it is nearer than the margin.
    #[must_use]
    pub fn check(&self, joints: &Joints) -> Option<Contact> {
        let near = |clearance: f64| clearance.is_nan() || clearance < self.margin_m;
        self.nearest(joints).filter(|contact| near(contact.clearance_m))
    }

    /// The joints that move a pair against each other.
    pub(crate) fn joints_of(&self, pair: &Pair) -> impl Iterator<Item = usize> {
        let watched = self.pairs[..self.pair_count].iter().find(|watched| watched.pair == *pair);
        let movers = watched.map_or(0, |watched| watched.movers);
        self.bodies[..self.body_count]
            .iter()
            .enumerate()
            .filter(move |(k, _)| movers & (1 << k) != 0)
            .map(|(_, moving)| moving.body.joint)
    }

    /// Numbers of the watched pairs.
    pub(crate) const fn watched(&self) -> core::ops::Range<usize> {
        0..self.pair_count
    }

    /// A watched pair by its number.
    pub(crate) const fn pair(&self, index: usize) -> Pair {
        self.pairs[index].pair
    }

    pub(crate) fn scene(&self, joints: &Joints) -> Scene {
        let mut frames = [Frame::IDENTITY; MAX_BODIES];
        for (k, moving) in self.bodies[..self.body_count].iter().enumerate() {
            let before = moving.body.before.map_or(Frame::IDENTITY, |before| frames[before]);
            let mut frame = before.then(&moving.x_before_body);
            // A joint that is not there is not finite, and touches.
            let joint = joints.get(moving.body.joint).copied().unwrap_or(f64::NAN);
            let value = moving.body.multiplier * joint + moving.body.offset;
            match moving.body.kind {
                BodyKind::Turns => frame.turn_z(value),
                BodyKind::Slides => frame.slide_z(value),
            }
            frames[k] = frame;
        }
        let mut ends = [([0.0; 3], [0.0; 3]); MAX_CAPSULES];
        for (ends, capsule) in ends.iter_mut().zip(&self.capsules[..self.capsule_count]) {
            *ends = match capsule.body {
                None => (capsule.from_m, capsule.to_m),
                Some(k) => (frames[k].at(&capsule.from_m), frames[k].at(&capsule.to_m)),
            };
        }
        Scene { ends }
    }

    /// What is between the surfaces of a watched pair, m.
    pub(crate) fn clearance(&self, index: usize, scene: &Scene) -> f64 {
        let Pair { capsule, obstacle } = self.pairs[index].pair;
        let (from, to) = &scene.ends[capsule];
        let radius = self.capsules[capsule].radius_m;
        match obstacle {
            Obstacle::Capsule(other) => {
                let (other_from, other_to) = &scene.ends[other];
                let apart = segment_distance(from, to, other_from, other_to);
                apart - radius - self.capsules[other].radius_m
            }
            Obstacle::Plane(plane) => {
                let (normal, offset) = &self.planes[plane];
                let (a, b) = (dot(normal, from), dot(normal, to));
                // Not `min`, which would lose a NaN.
                (if a < b { a } else { b }) - offset - radius
            }
        }
    }

    /// For every body, an upper bound of what its joint's way from `from` to `to` moves any watched point, m.
    pub(crate) fn strides(&self, from: &Joints, to: &Joints) -> [f64; MAX_BODIES] {
        let mut strides = [0.0; MAX_BODIES];
        for (stride, moving) in strides.iter_mut().zip(&self.bodies[..self.body_count]) {
            let joint = moving.body.joint;
            let (from, to) = (from.get(joint).copied(), to.get(joint).copied());
            *stride = from.zip(to).map_or(f64::NAN, |(from, to)| (to - from).abs() * moving.lever);
        }
        strides
    }

    /// An upper bound of what those strides change in the clearance of a watched pair, m.
    pub(crate) fn travel(&self, index: usize, strides: &[f64; MAX_BODIES]) -> f64 {
        let (mut movers, mut travel) = (self.pairs[index].movers, 0.0);
        while movers != 0 {
            travel += strides[movers.trailing_zeros() as usize];
            movers &= movers - 1;
        }
        travel
    }
}

const EMPTY: Workspace = {
    let body = Body {
        before: None,
        rotation: Frame::IDENTITY.r,
        origin_m: [0.0; 3],
        kind: BodyKind::Turns,
        joint: 0,
        multiplier: 1.0,
        offset: 0.0,
        slide_max_m: 0.0,
    };
    let capsule = Capsule { body: None, from_m: [0.0; 3], to_m: [0.0; 3], radius_m: 0.0 };
    let pair = Pair { capsule: 0, obstacle: Obstacle::Plane(0) };
    Workspace {
        margin_m: 0.0,
        bodies: [Moving { x_before_body: Frame::IDENTITY, body, lever: 0.0 }; MAX_BODIES],
        body_count: 0,
        capsules: [capsule; MAX_CAPSULES],
        capsule_count: 0,
        planes: [([0.0; 3], 0.0); MAX_PLANES],
        pairs: [Watched { pair, movers: 0 }; MAX_PAIRS],
        pair_count: 0,
    }
};

const _: () = assert!(MAX_BODIES <= u32::BITS as usize, "bodies are bits of a u32");

fn finite(values: &[f64; 3]) -> bool {
    values.iter().all(|value| value.is_finite())
}

impl Words for Workspace {
    fn put(&self, to: &mut Sheet<'_>) {
        let Self {
            margin_m,
            bodies,
            body_count,
            capsules,
            capsule_count,
            planes,
            pairs,
            pair_count,
        } = self;
        margin_m.put(to);
        (*body_count, *capsule_count).put(to);
        bodies[..*body_count].iter().for_each(|moving| moving.body.put(to));
        capsules[..*capsule_count].iter().for_each(|capsule| capsule.put(to));
        planes.put(to);
        pair_count.put(to);
        pairs[..*pair_count].iter().for_each(|watched| watched.pair.put(to));
    }

    /// Checked as if it were new; normals are as long as they were.
    fn get(from: &mut Reading<'_>) -> Option<Self> {
        let mut workspace = Self { margin_m: Words::get(from)?, ..EMPTY };
        let (body_count, capsule_count): (usize, usize) = Words::get(from)?;
        if body_count > MAX_BODIES || capsule_count > MAX_CAPSULES {
            return None;
        }
        let mut bodies = EMPTY.bodies.map(|moving| moving.body);
        for body in &mut bodies[..body_count] {
            *body = Words::get(from)?;
        }
        let mut capsules = EMPTY.capsules;
        for capsule in &mut capsules[..capsule_count] {
            *capsule = Words::get(from)?;
        }
        workspace.take_bodies(&bodies[..body_count]).ok()?;
        workspace.take_capsules(&capsules[..capsule_count]).ok()?;
        workspace.planes = Words::get(from)?;
        workspace.pair_count = usize::get(from).filter(|pairs| *pairs <= MAX_PAIRS)?;
        for index in 0..workspace.pair_count {
            let pair = Words::get(from)?;
            let movers = workspace.movers(&pair, MAX_PLANES)?;
            workspace.pairs[index] = Watched { pair, movers };
        }
        (workspace.margin_m.is_finite() && workspace.margin_m > 0.0).then_some(workspace)
    }
}
