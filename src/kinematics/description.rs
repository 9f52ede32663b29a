//! A robot's description, read and judged: whatever is wrong with a URDF is found here, by link or joint.
//!
//! `urdf-rs` reads the XML and `k` links the joints into a tree. Both panic or overflow the stack on files that make no
//! sense (a mimic of nobody, a loop, a million nested elements), so nothing is handed to either before it was checked.
//! What comes out is plain data: `k`'s own nodes stand behind locks and its solver allocates.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use nalgebra::{Isometry3, Translation3, UnitQuaternion, Vector3};
use urdf_rs::JointType;

/// A larger file is no description of a robot: they have some hundred kilobytes, meshes are files of their own.
const BYTES_MAX: u64 = 8 << 20;
/// Elements within elements; descriptions have about six. The parser's stack is what this bounds.
const DEPTH_MAX: usize = 64;
/// Joints of one description, fixed ones included.
const JOINTS_MAX: usize = 1024;

/// Why a description is refused.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// It cannot be read at all.
    #[error("{}: cannot be read: {source}; check the path and its permissions", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It cannot be read as a description.
    #[error("{}: is no robot description: {words}; check it with a URDF tool", file.display())]
    Malformed {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        words: String,
    },
    /// One of its parts makes no sense.
    #[error("{}: {kind} {name:?} {words}", file.display())]
    Part {
        /// Which file.
        file: PathBuf,
        /// link or joint.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong with it, and the remedy.
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

/// What a joint of a description does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JointKind {
    /// Nothing.
    Fixed,
    /// Turns between its limits.
    Revolute,
    /// Turns without end.
    Continuous,
    /// Slides between its limits.
    Prismatic,
    /// Something that no arm can use: floating, planar, spherical.
    Free,
}

/// One joint of a description, its parent before it.
#[derive(Clone, Debug)]
pub struct UrdfJoint {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: JointKind,
    /// The joint that moves its parent link; none at the root.
    pub before: Option<usize>,
    /// The link that it moves.
    pub child: String,
    /// Its frame at zero in that of its parent link.
    pub x_parent_joint: Isometry3<f64>,
    /// Its axis in its own frame; any length but zero.
    pub axis: Vector3<f64>,
    /// Lowest and highest position, rad or m; a continuous joint has none.
    pub limits: Option<(f64, f64)>,
    /// Largest speed, rad/s or m/s; zero says nothing.
    pub velocity_max: f64,
    /// The joint that it follows: which, multiplier, offset. Never one that follows itself.
    pub mimic: Option<(usize, f64, f64)>,
}

/// A tree of links and joints that makes sense.
#[derive(Clone, Debug)]
pub struct Description {
    /// The file that it was read from.
    pub file: PathBuf,
    /// The link that hangs on nothing.
    pub root: String,
    /// Its joints, parents first.
    pub joints: Vec<UrdfJoint>,
}

impl Description {
    /// Reads and judges a file.
    ///
    /// # Errors
    /// The first thing that makes no sense, by link or joint.
    pub fn read(file: &Path) -> Result<Self, DescriptionError> {
        let unreadable = |source| DescriptionError::Unreadable { file: file.to_owned(), source };
        let mut bytes = Vec::new();
        let read =
            File::open(file).and_then(|open| open.take(BYTES_MAX + 1).read_to_end(&mut bytes));
        read.map_err(unreadable)?;
        Self::of_bytes(file, bytes)
    }

    /// The same of the bytes of such a file.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of_bytes(file: &Path, bytes: Vec<u8>) -> Result<Self, DescriptionError> {
        let malformed =
            |words: String| DescriptionError::Malformed { file: file.to_owned(), words };
        if bytes.len() as u64 > BYTES_MAX {
            return Err(malformed(format!("it has more than {} MiB", BYTES_MAX >> 20)));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            malformed(format!("it is not UTF-8 from byte {at} on"))
        })?;
        if depth(&text) > DEPTH_MAX {
            return Err(malformed(format!("its elements are nested deeper than {DEPTH_MAX}")));
        }
        let robot =
            urdf_rs::read_from_string(&text).map_err(|error| malformed(error.to_string()))?;
        Judge { file, robot: &robot }.tree()
    }

    /// The joint that moves a link: `None` for the root.
    ///
    /// # Errors
    /// No link of that name: says which file names it.
    pub fn mover(&self, link: &str, settings: &Path) -> Result<Option<usize>, DescriptionError> {
        if link == self.root {
            return Ok(None);
        }
        let found = self.joints.iter().position(|joint| joint.child == link);
        found.map(Some).ok_or_else(|| self.missing("link", link, settings))
    }

    /// The joint of a name.
    #[must_use]
    pub fn joint(&self, name: &str) -> Option<usize> {
        self.joints.iter().position(|joint| joint.name == name)
    }

    pub(super) fn missing(
        &self,
        kind: &'static str,
        name: &str,
        settings: &Path,
    ) -> DescriptionError {
        let (file, name, settings) = (self.file.clone(), name.to_owned(), settings.to_owned());
        DescriptionError::Missing { file, kind, name, settings }
    }

    pub(super) fn part(
        &self,
        kind: &'static str,
        name: &str,
        words: impl Into<String>,
    ) -> DescriptionError {
        let (file, name, words) = (self.file.clone(), name.to_owned(), words.into());
        DescriptionError::Part { file, kind, name, words }
    }
}

/// How deep elements are nested, read without a parser.
fn depth(text: &str) -> usize {
    let (mut deep, mut deepest, mut rest) = (0_usize, 0, text);
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let skipped = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")];
        if let Some((_, end)) = skipped.iter().find(|(begin, _)| rest.starts_with(begin)) {
            rest = rest.find(end).map_or("", |at| &rest[at..]);
            continue;
        }
        let mut quote = None;
        let end = rest.find(|c| {
            match quote {
                None if c == '"' || c == '\'' => quote = Some(c),
                Some(open) if c == open => quote = None,
                _ => {}
            }
            c == '>' && quote.is_none()
        });
        let tag = &rest[..end.unwrap_or(rest.len())];
        if tag.starts_with('/') {
            deep = deep.saturating_sub(1);
        } else if !tag.starts_with('!') && !tag.ends_with('/') {
            deep += 1;
            deepest = deepest.max(deep);
        }
        rest = &rest[tag.len()..];
    }
    deepest
}

/// Finds what is wrong with what was read.
struct Judge<'a> {
    file: &'a Path,
    robot: &'a urdf_rs::Robot,
}

type Judged<T> = Result<T, DescriptionError>;

impl Judge<'_> {
    fn part(&self, kind: &'static str, name: &str, words: impl Into<String>) -> DescriptionError {
        let (file, name, words) = (self.file.to_owned(), name.to_owned(), words.into());
        DescriptionError::Part { file, kind, name, words }
    }

    fn malformed(&self, words: impl Into<String>) -> DescriptionError {
        DescriptionError::Malformed { file: self.file.to_owned(), words: words.into() }
    }

    fn tree(&self) -> Judged<Description> {
        let joints = &self.robot.joints;
        if joints.len() > JOINTS_MAX {
            return Err(self.malformed(format!("it has more than {JOINTS_MAX} joints")));
        }
        let root = self.links()?;
        let mut by_name = BTreeMap::new();
        for joint in joints {
            self.figures(joint)?;
            if by_name.insert(joint.name.as_str(), joint).is_some() {
                return Err(self.part("joint", &joint.name, "stands there twice: rename one"));
            }
        }
        for joint in joints {
            self.mimic(joint, &by_name)?;
        }
        // Only now: `k` panics on what was refused above.
        let tree = k::Chain::<f64>::from(self.robot);
        let order: Vec<String> =
            tree.iter().skip(1).map(|node| node.joint().name.clone()).collect();
        let place = |name: &str| order.iter().position(|known| known == name);
        let ordered = tree.iter().skip(1).filter_map(|node| {
            let joint = by_name.get(node.joint().name.as_str())?;
            let before = node.parent().filter(|parent| !parent.is_root());
            let before = before.and_then(|parent| place(&parent.joint().name));
            let x_parent_joint = node.origin();
            Some(UrdfJoint { before, x_parent_joint, ..self.plain(joint, &by_name, place) })
        });
        let joints = ordered.collect();
        Ok(Description { file: self.file.to_owned(), root, joints })
    }

    /// That links and joints make one tree; its root.
    fn links(&self) -> Judged<String> {
        let mut links = BTreeSet::new();
        for link in &self.robot.links {
            if !links.insert(link.name.as_str()) {
                return Err(self.part("link", &link.name, "stands there twice: rename one"));
            }
        }
        let mut mover = BTreeMap::new();
        for joint in &self.robot.joints {
            let (parent, child) = (joint.parent.link.as_str(), joint.child.link.as_str());
            for (role, link) in [("parent", parent), ("child", child)] {
                if !links.contains(link) {
                    let words = format!(
                        "has the {role} link {link:?}, which is not there: add or correct it"
                    );
                    return Err(self.part("joint", &joint.name, words));
                }
            }
            if let Some(other) = mover.insert(child, joint) {
                let words = format!(
                    "hangs on two joints, {:?} and {:?}: a description is a tree, take one out",
                    other.name, joint.name
                );
                return Err(self.part("link", child, words));
            }
        }
        // Every link hangs on one joint or on none: what is not below the root is in a loop, or another root.
        let mut roots = links.iter().filter(|link| !mover.contains_key(**link));
        let root = roots.next();
        if let (Some(root), Some(other)) = (root, roots.next()) {
            let words = format!("hangs on no joint, and neither does {other:?}: join the two");
            return Err(self.part("link", root, words));
        }
        let mut safe: BTreeSet<&str> = root.into_iter().copied().collect();
        for joint in &self.robot.joints {
            let (mut path, mut link) = (Vec::new(), joint.child.link.as_str());
            while !safe.contains(link) {
                if path.contains(&link) {
                    let words = "is in a loop: a description is a tree, take a joint out";
                    return Err(self.part("joint", &mover[link].name, words));
                }
                path.push(link);
                link = mover[link].parent.link.as_str();
            }
            safe.extend(path);
        }
        root.map(|root| (*root).to_owned()).ok_or_else(|| self.malformed("it has no link"))
    }

    fn figures(&self, joint: &urdf_rs::Joint) -> Judged<()> {
        let wrong = |words: &str| Err(self.part("joint", &joint.name, words));
        let origin = joint.origin.xyz.iter().chain(joint.origin.rpy.iter());
        if !origin.into_iter().all(|value| value.is_finite()) {
            return wrong("has an origin that is not finite: correct it");
        }
        let kind = kind(joint);
        if matches!(kind, JointKind::Fixed | JointKind::Free) {
            return Ok(());
        }
        let axis = Vector3::from(*joint.axis.xyz);
        if !(axis.norm() > 1e-9 && axis.norm().is_finite()) {
            return wrong("has an axis without direction: give it one, as 0 0 1");
        }
        let limit = &joint.limit;
        if !(limit.velocity.is_finite() && limit.velocity >= 0.0) {
            return wrong("has a velocity limit that is no speed: correct it");
        }
        if kind == JointKind::Continuous {
            return Ok(());
        }
        if limit.lower == 0.0 && limit.upper == 0.0 {
            return wrong("has no limit: give it lower and upper, or make it continuous");
        }
        if !(limit.lower.is_finite() && limit.upper.is_finite() && limit.lower < limit.upper) {
            let words = format!(
                "has the limits {} to {}: lower must lie below upper",
                limit.lower, limit.upper
            );
            return wrong(&words);
        }
        Ok(())
    }

    fn mimic(&self, joint: &urdf_rs::Joint, all: &BTreeMap<&str, &urdf_rs::Joint>) -> Judged<()> {
        let wrong = |words: String| Err(self.part("joint", &joint.name, words));
        let (mut next, mut seen) = (joint, BTreeSet::new());
        while let Some(mimic) = &next.mimic {
            let figures = [mimic.multiplier.unwrap_or(1.0), mimic.offset.unwrap_or(0.0)];
            if !figures.iter().all(|figure| figure.is_finite()) {
                return wrong("mimics with a figure that is not finite: correct it".into());
            }
            let Some(followed) = all.get(mimic.joint.as_str()) else {
                return wrong(format!("mimics {:?}, which is not there: correct it", mimic.joint));
            };
            if matches!(kind(followed), JointKind::Fixed | JointKind::Free) {
                return wrong(format!("mimics {:?}, which has no value: correct it", mimic.joint));
            }
            if !seen.insert(next.name.as_str()) {
                return wrong(
                    "mimics itself in the end: let it follow a joint that is free".into(),
                );
            }
            next = followed;
        }
        Ok(())
    }

    /// A joint without its place in the tree.
    fn plain(
        &self,
        joint: &urdf_rs::Joint,
        all: &BTreeMap<&str, &urdf_rs::Joint>,
        place: impl Fn(&str) -> Option<usize>,
    ) -> UrdfJoint {
        let kind = kind(joint);
        let bounded = matches!(kind, JointKind::Revolute | JointKind::Prismatic);
        // A mimic of a mimic follows the one at the end.
        let (mut next, mut multiplier, mut offset) = (joint, 1.0, 0.0);
        while let Some(mimic) = &next.mimic {
            offset += multiplier * mimic.offset.unwrap_or(0.0);
            multiplier *= mimic.multiplier.unwrap_or(1.0);
            next = all[mimic.joint.as_str()];
        }
        let followed = joint.mimic.as_ref().and_then(|_| place(&next.name));
        UrdfJoint {
            name: joint.name.clone(),
            kind,
            before: None,
            child: joint.child.link.clone(),
            x_parent_joint: Isometry3::identity(),
            axis: Vector3::from(*joint.axis.xyz),
            limits: bounded.then_some((joint.limit.lower, joint.limit.upper)),
            velocity_max: joint.limit.velocity,
            mimic: followed.map(|followed| (followed, multiplier, offset)),
        }
    }
}

fn kind(joint: &urdf_rs::Joint) -> JointKind {
    match joint.joint_type {
        JointType::Fixed => JointKind::Fixed,
        JointType::Revolute => JointKind::Revolute,
        JointType::Continuous => JointKind::Continuous,
        JointType::Prismatic => JointKind::Prismatic,
        JointType::Floating | JointType::Planar | JointType::Spherical => JointKind::Free,
    }
}

/// A pose from a description's or a setting's figures: metres, and roll, pitch, yaw about fixed axes, rad.
pub(super) fn pose(xyz_m: [f64; 3], rpy_rad: [f64; 3]) -> Isometry3<f64> {
    let [roll, pitch, yaw] = rpy_rad;
    let [x, y, z] = xyz_m;
    let rotation = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
    Isometry3::from_parts(Translation3::new(x, y, z), rotation)
}
