//! What must not touch, by name: a robot's capsules on the bodies of its description. The distances are the law's own.

use motion::{Body, BodyKind, Capsule, Joints, Obstacle, Pair, Plane, Workspace, WorkspaceError};
use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};

use super::{Description, DescriptionError, JointKind, UrdfJoint};
use crate::config::RobotSettings;

/// What must not touch, and what it is called.
#[derive(Clone, Debug)]
pub struct Guard {
    workspace: Workspace,
    /// Links of the capsules.
    links: Vec<String>,
    planes: Vec<String>,
}

impl Guard {
    /// The guard of a robot; none if its file has no capsules.
    ///
    /// # Errors
    /// A description that makes no sense, lacks a link, or moves one by a joint that the robot has not.
    pub fn load(robot: &RobotSettings) -> Result<Option<Self>, DescriptionError> {
        Self::build(robot, &Description::read(&robot.urdf)?)
    }

    /// The same with a description that was read before.
    ///
    /// # Errors
    /// As [`Guard::load`].
    pub fn build(
        robot: &RobotSettings,
        description: &Description,
    ) -> Result<Option<Self>, DescriptionError> {
        if robot.capsules.is_empty() {
            return Ok(None);
        }
        let mut tree = Tree { robot, description, bodies: Vec::new(), of_joint: Vec::new() };
        tree.of_joint.resize(description.joints.len(), None);
        let mut capsules = Vec::new();
        for settings in &robot.capsules {
            let (body, x_body_link) = tree.link(&settings.link)?;
            let at = |point: [f64; 3]| (x_body_link * Point3::from(point)).coords.into();
            let (from_m, to_m) = (at(settings.from_m), at(settings.to_m));
            capsules.push(Capsule { body, from_m, to_m, radius_m: settings.radius_m });
        }
        let plane = |plane: &crate::config::PlaneSettings| Plane {
            point_m: plane.point_m,
            normal: plane.normal,
        };
        let planes: Vec<Plane> = robot.planes.iter().map(plane).collect();
        let pairs = pairs(robot, &tree.bodies, &capsules);
        let margin_m = robot.collision.margin_m;
        let workspace = Workspace::build(&tree.bodies, &capsules, &planes, &pairs, margin_m);
        let workspace = workspace.map_err(|error| words(error, robot, description))?;
        Ok(Some(Self {
            workspace,
            links: robot.capsules.iter().map(|capsule| capsule.link.clone()).collect(),
            planes: robot.planes.iter().map(|plane| plane.name.clone()).collect(),
        }))
    }

    /// What the law has to know of it.
    #[must_use]
    pub const fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Whether joints keep everything apart.
    ///
    /// # Errors
    /// The pair that is nearest, in words.
    pub fn check(&self, joints: &Joints) -> Result<(), String> {
        let Some(contact) = self.workspace.check(joints) else { return Ok(()) };
        let millimetres = contact.clearance_m * 1e3;
        Err(format!("{} ({millimetres:.0} mm)", self.words(&contact.pair)))
    }

    /// A pair in words.
    #[must_use]
    pub fn words(&self, pair: &Pair) -> String {
        let (names, other, article) = match pair.obstacle {
            Obstacle::Capsule(other) => (&self.links, other, ""),
            Obstacle::Plane(other) => (&self.planes, other, "the "),
        };
        let name = |names: &[String], k: usize| names.get(k).cloned().unwrap_or_default();
        let (link, other) = (name(&self.links, pair.capsule), name(names, other));
        format!("{link} would touch {article}{other}")
    }
}

/// A body and a link's frame in the body's.
type OnBody = (Option<usize>, Isometry3<f64>);

/// Bodies, made as capsules want them: what carries none costs nothing.
struct Tree<'a> {
    robot: &'a RobotSettings,
    description: &'a Description,
    bodies: Vec<Body>,
    /// For each joint of the description, where its child link is, once that is known.
    of_joint: Vec<Option<OnBody>>,
}

impl Tree<'_> {
    fn link(&mut self, link: &str) -> Result<OnBody, DescriptionError> {
        let Some(mover) = self.description.mover(link, &self.robot.file)? else {
            return Ok((None, Isometry3::identity()));
        };
        let (mut path, mut next) = (Vec::new(), Some(mover));
        while let Some(index) = next {
            path.push(index);
            next = self.description.joints[index].before;
        }
        let mut at = (None, Isometry3::identity());
        for index in path.into_iter().rev() {
            at = match self.of_joint[index] {
                Some(known) => known,
                None => self.beyond(index, at)?,
            };
            self.of_joint[index] = Some(at);
        }
        Ok(at)
    }

    /// Where the child link of a joint is, whose parent link is at `parent`.
    fn beyond(&mut self, index: usize, parent: OnBody) -> Result<OnBody, DescriptionError> {
        let joint = &self.description.joints[index];
        let (before, x_before_parent) = parent;
        let x_before_joint = x_before_parent * joint.x_parent_joint;
        let kind = match joint.kind {
            JointKind::Fixed => return Ok((before, x_before_joint)),
            JointKind::Revolute | JointKind::Continuous => BodyKind::Turns,
            JointKind::Prismatic => BodyKind::Slides,
            JointKind::Free => {
                let words =
                    "is floating, planar or spherical, and carries a capsule: take that out";
                return Err(self.description.part("joint", &joint.name, words));
            }
        };
        let (joint_of_robot, multiplier, offset) = self.value(joint)?;
        let (min, max) = self.robot.joints[joint_of_robot].range();
        let reach = |value: f64| (multiplier * value + offset).abs();
        // The law's bodies move about their z axes.
        let x_joint_body = Isometry3::from_parts(
            Vector3::zeros().into(),
            UnitQuaternion::rotation_between(&Vector3::z(), &joint.axis).unwrap_or_else(|| {
                UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI)
            }),
        );
        let x_before_body = x_before_joint * x_joint_body;
        let rotation = x_before_body.rotation.to_rotation_matrix();
        let row = |k: usize| [rotation[(k, 0)], rotation[(k, 1)], rotation[(k, 2)]];
        self.bodies.push(Body {
            before,
            rotation: [row(0), row(1), row(2)],
            origin_m: x_before_body.translation.vector.into(),
            kind,
            joint: joint_of_robot,
            multiplier,
            offset,
            slide_max_m: reach(min).max(reach(max)),
        });
        Ok((Some(self.bodies.len() - 1), x_joint_body.inverse()))
    }

    /// The robot's joint that moves a joint of the description, and by how much: multiplier and offset.
    fn value(&self, joint: &UrdfJoint) -> Result<(usize, f64, f64), DescriptionError> {
        let (name, multiplier, offset) = match joint.mimic {
            None => (&joint.name, 1.0, 0.0),
            Some((followed, multiplier, offset)) => {
                (&self.description.joints[followed].name, multiplier, offset)
            }
        };
        let known = self.robot.joints.iter().position(|known| known.in_urdf().0 == name);
        let known = known.ok_or_else(|| {
            let file = self.robot.file.display();
            let words = format!("moves a capsule, and {file} has no such joint: add it there");
            self.description.part("joint", name, words)
        })?;
        Ok((known, multiplier / self.robot.joints[known].in_urdf().1, offset))
    }
}

/// Everything that is watched: neighbours touch by design, and what never moves cannot get nearer.
fn pairs(robot: &RobotSettings, bodies: &[Body], capsules: &[Capsule]) -> Vec<Pair> {
    let name = |k: usize| robot.capsules[k].link.as_str();
    let hangs_on = |one: Option<usize>, other: Option<usize>| {
        one.is_some_and(|one| bodies[one].before == other)
    };
    let mut pairs = Vec::new();
    for (k, one) in capsules.iter().enumerate() {
        for (j, other) in capsules.iter().enumerate().skip(k + 1) {
            let neighbours = one.body == other.body
                || hangs_on(one.body, other.body)
                || hangs_on(other.body, one.body);
            if !neighbours && !robot.collision.allows(name(k), name(j)) {
                pairs.push(Pair { capsule: k, obstacle: Obstacle::Capsule(j) });
            }
        }
        for (j, plane) in robot.planes.iter().enumerate() {
            if one.body.is_some() && !robot.collision.allows(name(k), &plane.name) {
                pairs.push(Pair { capsule: k, obstacle: Obstacle::Plane(j) });
            }
        }
    }
    pairs
}

fn words(
    error: WorkspaceError,
    robot: &RobotSettings,
    description: &Description,
) -> DescriptionError {
    let file = robot.file.display();
    let link = |k: usize| robot.capsules.get(k).map_or("?", |capsule| capsule.link.as_str());
    match error {
        WorkspaceError::Capsule(k) => {
            let words = format!("has a capsule in {file} that is none: correct its figures");
            description.part("link", link(k), words)
        }
        _ => {
            let words = format!(
                "and what hangs on it has more to watch in {file} than there is room for ({error:?}): \
                 at most {} capsules, {} planes and {} pairs on {} moving links",
                motion::MAX_CAPSULES,
                motion::MAX_PLANES,
                motion::MAX_PAIRS,
                motion::MAX_BODIES
            );
            description.part("link", &description.root, words)
        }
    }
}
