//! What an episode is, as data: the file beside a scene.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::config::{ConfigError, parse};

/// The schema that this program reads.
pub const SCHEMA: &str = "reflex.evaluation.v2";

/// Lowest and highest value of what is drawn evenly.
pub type Range = [f64; 2];

/// The file beside a scene: its objects, what an episode of each skill is, and the conditions of evaluations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// How far from the keyframe each joint but the gripper starts, at most, rad or m.
    pub start_spread_rad: f64,
    /// The site that is the tool's point.
    pub tool: String,
    /// Free bodies and still things, by name.
    pub objects: BTreeMap<String, Object>,
    /// What an episode is, by skill.
    pub tasks: BTreeMap<String, Task>,
    /// The conditions.
    pub strata: Vec<Stratum>,
    /// The file that it was read from.
    #[serde(skip)]
    pub file: PathBuf,
}

/// A free body, or a still thing of the scene.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its radius, as decisions tell it, m.
    pub radius_m: f64,
    /// Height of its centre at rest, m.
    pub rest_m: f64,
    /// What decisions say of it.
    pub is_berry: bool,
    /// Where it lies (x, y) when an episode does not use it; absent leaves it where the keyframe has it.
    pub parked_m: Option<[f64; 2]>,
}

/// What an episode of one skill is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The skill's default words: what a policy that sees an instruction is told.
    pub instruction: Option<String>,
    /// The scene's camera that sees it best; absent is the first of the daemon's configuration.
    pub camera: Option<String>,
    /// What is acted on: one of these, drawn.
    pub objects: Vec<String>,
    /// Where it is put, m.
    pub x_m: Range,
    /// The same, across.
    pub y_m: Range,
    /// So far from there, and in this direction.
    pub off: Option<Off>,
    /// Height of the target that is told, m; absent tells the object's centre.
    pub z_m: Option<Range>,
    /// The radius that is told, m; absent tells the object's.
    pub radius_m: Option<Range>,
    /// How brisk it is told to be; absent is 1.
    #[serde(default = "brisk")]
    pub speed_hint: Range,
    /// How far from the keyframe the joints start, if it is not as for the others.
    pub start_spread_rad: Option<f64>,
    /// What else lies about.
    pub distractors: Option<Distractors>,
    /// An episode that takes longer has failed.
    pub time_max_s: f64,
    /// And one of more ticks than this, however long they are.
    pub ticks_max: Option<u32>,
    /// When it has succeeded.
    pub goal: Goal,
}

const fn brisk() -> Range {
    [1.0, 1.0]
}

/// From a point to where the object is put, along the floor.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Off {
    /// How far.
    pub distance_m: Range,
    /// Where to: 0 is along x, more is towards y.
    pub angle_rad: Range,
}

/// Objects that are to be left alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distractors {
    /// Their names.
    pub names: Vec<String>,
    /// At least and at most so many of them.
    pub count: [usize; 2],
    /// How far beyond the object's own ranges they may lie, m.
    pub margin_m: f64,
    /// From centre to centre of the object at least, m.
    pub from_object_m: f64,
    /// From each other at least, m.
    pub apart_m: f64,
}

/// When an episode has succeeded.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Goal {
    /// The object is held up.
    Lift {
        /// Above where it rested, m.
        lift_m: f64,
        /// On end, s.
        hold_s: f64,
    },
    /// The object is brought to a site. Once it was up, it must not fall.
    Bring {
        /// Where to.
        site: String,
        /// How near its centre has to come, m.
        within_m: f64,
        /// For so long on end, s.
        hold_s: f64,
        /// From this height above rest on it counts as lifted, m; at half the height that it had reached, as dropped.
        lifted_m: f64,
    },
    /// The tool comes to rest above the target.
    Settle {
        /// How far above, m.
        above_m: f64,
        /// How near it has to be, m.
        within_m: f64,
        /// And how slow, m/s.
        slow_m_s: f64,
        /// For so long on end, s.
        hold_s: f64,
    },
    /// The tool runs round the axis through the target, counter-clockwise as seen from above.
    Circle {
        /// How far above the target, m.
        above_m: f64,
        /// How often round.
        laps: u32,
        /// Bound of the root mean square of the radius error, m.
        rms_m: f64,
        /// The count begins when the tool is so near to the circle's radius for the first time, m.
        begin_m: f64,
        /// From then on it has to stay so near to the height, m; and it begins there, too.
        height_m: f64,
    },
    /// A site comes to the target, seen from above.
    Arrive {
        /// Which.
        site: String,
        /// How near it has to be, m.
        within_m: f64,
        /// For so long on end, s.
        hold_s: f64,
    },
    /// A site runs round the target, seen from above, either way.
    Laps {
        /// Which.
        site: String,
        /// How often round.
        laps: u32,
        /// Only the way counts on which it is so near to the circle of the told radius, m.
        within_m: f64,
    },
    /// A site is commanded to be somewhere else at the end, seen from above.
    Displace {
        /// Which.
        site: String,
        /// Further than this from where it was at the begin, m.
        beyond_m: f64,
    },
}

impl Goal {
    /// The site that it is about, if it is about one.
    #[must_use]
    pub fn site(&self) -> Option<&str> {
        match self {
            Self::Lift { .. } | Self::Settle { .. } | Self::Circle { .. } => None,
            Self::Bring { site, .. }
            | Self::Arrive { site, .. }
            | Self::Laps { site, .. }
            | Self::Displace { site, .. } => Some(site),
        }
    }
}

/// A condition of evaluation. What is absent is as it should be.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stratum {
    /// Its name.
    pub name: String,
    /// Deviations of what is measured.
    pub noise: Option<Sigma>,
    /// Chunks reach the law so many ticks late.
    #[serde(default)]
    pub delay_ticks: u32,
    /// The factor of all friction, drawn log-evenly.
    pub friction: Option<Range>,
    /// The factor of the object's mass, drawn log-evenly.
    pub mass: Option<Range>,
    /// How far off the target is that is told, at most, in x and in y, m.
    #[serde(default)]
    pub target_m: f64,
    /// A push in mid-episode.
    pub push: Option<Push>,
}

/// Deviations of Gaussian noise, anew in every tick. Metres are the gripper's and of other joints that slide.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigma {
    /// Of positions, rad.
    pub rad: f64,
    /// Of positions, m.
    pub m: f64,
    /// Of velocities, rad/s.
    pub rad_s: f64,
    /// Of velocities, m/s.
    pub m_s: f64,
}

/// A push of a link, once, in a horizontal direction that is drawn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The body that is pushed.
    pub body: String,
    /// How hard, N.
    pub force_n: f64,
    /// When it begins, drawn evenly, s.
    pub from_s: Range,
    /// How long it lasts, s.
    pub duration_s: f64,
}

impl Tasks {
    /// Reads the file beside a scene.
    ///
    /// # Errors
    /// A file that is missing or malformed, or names something that it does not have.
    pub fn load(scene: &Path) -> Result<Self, ConfigError> {
        let path = scene.with_extension("toml");
        let mut tasks: Self = parse(&path)?;
        tasks.check(&path)?;
        tasks.file = path;
        Ok(tasks)
    }

    /// The task of a skill.
    ///
    /// # Errors
    /// The scene has none.
    pub fn of(&self, skill: &str) -> Result<&Task, ConfigError> {
        let known: Vec<&str> = self.tasks.keys().map(String::as_str).collect();
        let remedy = || format!("the scene has tasks for {}", known.join(", "));
        let missing = || ConfigError::value(&self.file, "skill", skill, remedy());
        self.tasks.get(skill).ok_or_else(missing)
    }

    /// The conditions of these names, in the file's order; `all` is every one of them.
    ///
    /// # Errors
    /// One that the file does not have.
    pub fn strata(&self, names: &[String]) -> Result<Vec<&Stratum>, ConfigError> {
        let known: Vec<&str> = self.strata.iter().map(|stratum| stratum.name.as_str()).collect();
        if let Some(name) = names.iter().find(|name| *name != "all" && !known.contains(&&***name)) {
            let remedy = format!("there is {}, or all", known.join(", "));
            return Err(ConfigError::value(&self.file, "stratum", name, remedy));
        }
        let is_wanted = |name: &str| names.iter().any(|wanted| wanted == "all" || wanted == name);
        Ok(self.strata.iter().filter(|stratum| is_wanted(&stratum.name)).collect())
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let no = |key: String, value: &dyn std::fmt::Debug, remedy: &str| {
            Err(ConfigError::value(path, key, value, remedy))
        };
        if self.schema != SCHEMA {
            return no("schema".into(), &self.schema, "write reflex.evaluation.v2");
        }
        for (skill, task) in &self.tasks {
            let key = |name: &str| format!("tasks.{skill}.{name}");
            let distractors = task.distractors.iter().flat_map(|some| &some.names);
            let named = task.objects.iter().map(|name| ("objects", name));
            for (place, name) in named.chain(distractors.map(|name| ("distractors.names", name))) {
                if !self.objects.contains_key(name) {
                    return no(key(place), name, "give it a table [objects.NAME]");
                }
            }
            if task.objects.is_empty() {
                return no(key("objects"), &"[]", "name at least one");
            }
            let ranges = [
                ("x_m", Some(task.x_m)),
                ("y_m", Some(task.y_m)),
                ("z_m", task.z_m),
                ("radius_m", task.radius_m),
                ("speed_hint", Some(task.speed_hint)),
                ("off.distance_m", task.off.map(|off| off.distance_m)),
                ("off.angle_rad", task.off.map(|off| off.angle_rad)),
            ];
            for (name, range) in ranges {
                if range.is_some_and(|[low, high]| !(low <= high && (high - low).is_finite())) {
                    return no(key(name), &range, "give two numbers, the lower one first");
                }
            }
            if let Some(Distractors { names, count: [low, high], .. }) = &task.distractors
                && !(low <= high && *high <= names.len())
            {
                return no(
                    key("distractors.count"),
                    &[low, high],
                    "choose as many as there are names",
                );
            }
            if !(task.time_max_s > 0.0 && task.time_max_s <= 3600.0) {
                return no(key("time_max_s"), &task.time_max_s, "choose more than 0, at most 3600");
            }
            if task.start_spread_rad.is_some_and(|spread| !(0.0..=1.0).contains(&spread)) {
                return no(key("start_spread_rad"), &task.start_spread_rad, "choose 0 to 1");
            }
            if task.ticks_max == Some(0) {
                return no(key("ticks_max"), &0, "choose at least 1, or leave it out");
            }
        }
        for stratum in &self.strata {
            let key = |name: &str| format!("strata.{}.{name}", stratum.name);
            if self.strata.iter().filter(|other| other.name == stratum.name).count() > 1 {
                return no(key("name"), &stratum.name, "give every stratum a name of its own");
            }
            for (name, factor) in [("friction", stratum.friction), ("mass", stratum.mass)] {
                if factor.is_some_and(|[low, high]| !(low > 0.0 && low <= high && high <= 1e3)) {
                    return no(key(name), &factor, "give two factors above 0, the lower one first");
                }
            }
        }
        Ok(())
    }
}
