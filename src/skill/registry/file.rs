//! `models/policy_registry.json`: its format, read strictly. Says nothing of whether the files that it names are there.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{ProofEntry, RouterEntry, json::Json};
use crate::{
    config::{ConfigError, ReachSettings},
    head::digest_of,
    observation::Params,
};

/// The schema that this program reads.
pub const SCHEMA: &str = "reflex.registry.v1";

/// Largest registry in bytes; the shipped one has some thousand.
const BYTES_MAX: u64 = 1 << 20;
/// The longest run, s.
const DURATION_MAX_S: f64 = 3600.0;
/// No target is further from the base than this, m.
const REACH_MAX_M: f64 = 10.0;

/// The registry file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryFile {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Other names of skills: alias to skill.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    /// The skills, by name.
    pub skills: BTreeMap<String, SkillEntry>,
    /// What makes a skill of an instruction, by robot.
    #[serde(default)]
    pub routers: BTreeMap<String, Vec<RouterEntry>>,
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    sha256: String,
}

/// A skill: what is the same on every robot.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SkillEntry {
    /// What it does, in a sentence.
    pub what: String,
    /// How each robot does it, by the robot's name.
    pub robots: BTreeMap<String, RobotEntry>,
}

/// A skill on one robot: what may be asked of it, and what carries it out.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RobotEntry {
    /// The run is ended, and the pose held, after so long.
    pub duration_max_s: f64,
    /// Decisions outside are refused.
    pub bounds: Bounds,
    /// The least share of its evaluation's episodes in which the active policy has to succeed; absent: none is asked for.
    pub success_share_min: Option<f64>,
    /// How long a new active policy stays on trial, and what ends the trial badly.
    #[serde(default)]
    pub canary: CanaryRules,
    /// What can carry it out.
    pub policies: Vec<PolicyEntry>,
}

/// The least and the most that a decision may say, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Target in the robot's base frame.
    pub target_x_m: [f64; 2],
    /// Target in the robot's base frame.
    pub target_y_m: [f64; 2],
    /// Target in the robot's base frame.
    pub target_z_m: [f64; 2],
    /// Radius of the path or of the object.
    pub radius_m: [f64; 2],
    /// Fraction of full speed.
    pub speed_hint: [f64; 2],
}

/// The trial of a policy that has become the active one while the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CanaryRules {
    /// The trial is over after so many runs without a trip; zero: no trial, and no way back.
    pub runs: u32,
    /// A run in which the safety filter changed more than this share of its set-points is a trip.
    pub limited_share_max: f64,
}

impl Default for CanaryRules {
    fn default() -> Self {
        Self { runs: 20, limited_share_max: 0.5 }
    }
}

/// One way to carry out a skill.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyEntry {
    /// What it is called; each only once in its skill.
    pub name: String,
    /// What it is there for.
    pub status: Status,
    /// What kind of policy it is, for people and their tools: `reflex`, `planned`, `lora`.
    pub lane: String,
    /// The manifest of its head, relative to this file; or else it is scripted.
    pub head: Option<PathBuf>,
    /// A motion that is worked out instead of learnt.
    pub scripted: Option<Scripted>,
    /// SHA-256 of the manifest. `reflexd registry pin` writes it.
    pub manifest_sha256: Option<String>,
    /// SHA-256 of the network. `reflexd registry pin` writes it.
    pub onnx_sha256: Option<String>,
    /// How well it did.
    pub evaluation: Option<EvaluationRecord>,
    /// Pictures of it at work. `reflexd gallery` writes it.
    pub proof: Option<ProofEntry>,
    /// How a shadow is run, and when it may be promoted; only with `status` `shadow`.
    pub shadow: Option<ShadowRules>,
    /// Anything else that should be known.
    pub note: Option<String>,
}

/// What a policy is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Decisions run it.
    Active,
    /// Runs where the active one is refused at start, or is rolled back with nothing else to go back to.
    Fallback,
    /// Sees what the active one sees and is compared with it; never moves the robot.
    Shadow,
    /// Kept for the record: never loaded, its files may be elsewhere.
    Preserved,
}

impl Status {
    /// As it is written in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Fallback => "fallback",
            Self::Shadow => "shadow",
            Self::Preserved => "preserved",
        }
    }
}

/// Motions that are worked out.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scripted {
    /// The tool goes to the target, leaning outward by as much as suits the arm.
    Reach(ReachSettings),
}

/// What a policy was measured to do in closed loop.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationRecord {
    /// How many episodes there were.
    pub episodes: u32,
    /// In how many it succeeded.
    pub successes: u32,
    /// What counted as a success, and under which conditions.
    pub conditions: String,
    /// The command that repeats it.
    pub command: String,
    /// SHA-256 of the network that was evaluated.
    pub onnx_sha256: String,
}

/// How a shadow runs, and when it may take over.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ShadowRules {
    /// So much of each period, on the average, may it compute; what would cost more is skipped and counted.
    pub budget_ms: f64,
    /// Chunks that have to have been compared before it may be promoted.
    pub chunks_min: u64,
    /// Runs in which that was.
    pub runs_min: u64,
    /// The furthest that any set-point of a revolute joint may have been from the active policy's.
    pub divergence_max_rad: f64,
    /// The same for joints that slide.
    pub divergence_max_m: f64,
}

impl RegistryFile {
    /// Reads a registry and checks all of it that can be checked without the files that it names.
    ///
    /// # Errors
    /// If it cannot be read, is no registry, or a value makes no sense: file, key, value and remedy.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::of_text(path, &text(path)?)
    }

    /// The same of the text of such a file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_text(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let malformed = |error| malformed(path, &error);
        // Twice the same key is the one thing that the types do not see.
        serde_json::from_str::<Json>(text).map_err(malformed)?;
        let mut file: Self = serde_json::from_str(text).map_err(malformed)?;
        path.clone_into(&mut file.path);
        file.sha256 = digest_of(text.as_bytes());
        file.check()?;
        Ok(file)
    }

    /// The file that it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of the file as it was read, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// A path of this file, from where the program runs.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Every policy with the names of its skill and robot.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &str, &RobotEntry, &PolicyEntry)> {
        self.skills.iter().flat_map(|(skill, entry)| {
            entry.robots.iter().flat_map(move |(robot, entry)| {
                let policies = entry.policies.iter();
                policies.map(move |policy| (skill.as_str(), robot.as_str(), entry, policy))
            })
        })
    }

    /// The same file with one skill, by its name or an alias, and nothing else; all of it, if it has no such skill.
    #[must_use]
    pub fn only(mut self, skill: &str) -> Self {
        let name = self.aliases.get(skill).map_or(skill, String::as_str).to_owned();
        if self.skills.contains_key(&name) {
            self.aliases.retain(|_, of| *of == name);
            self.skills.retain(|skill, _| *skill == name);
        }
        self
    }

    /// The manifest of the head that a skill runs on a robot, if it runs one.
    #[must_use]
    pub fn active_head(&self, skill: &str, robot: &str) -> Option<PathBuf> {
        let name = self.aliases.get(skill).map_or(skill, String::as_str);
        let policies = &self.skills.get(name)?.robots.get(robot)?.policies;
        let active = policies.iter().find(|policy| policy.status == Status::Active)?;
        active.head.as_ref().map(|head| self.resolve(head))
    }

    fn wrong(&self, key: &str, value: impl std::fmt::Debug, remedy: &str) -> ConfigError {
        ConfigError::value(&self.path, key, value, remedy)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.schema != SCHEMA {
            return Err(self.wrong("schema", &self.schema, &format!("write {SCHEMA}")));
        }
        let named = "use 1 to 64 letters, digits, _ and -";
        for (skill, entry) in &self.skills {
            let key = format!("skills.{skill}");
            if !is_name(skill) {
                return Err(self.wrong("skills", skill, named));
            }
            if entry.robots.is_empty() {
                let remedy = "name at least one robot that can do it";
                return Err(self.wrong(&format!("{key}.robots"), "empty", remedy));
            }
            for (robot, entry) in &entry.robots {
                self.check_entry(&format!("{key}.robots.{robot}"), entry)?;
            }
        }
        for (alias, skill) in &self.aliases {
            let key = format!("aliases.{alias}");
            if !is_name(alias) {
                return Err(self.wrong(&key, alias, named));
            }
            if self.skills.contains_key(alias) {
                let remedy = "a skill has this name: an alias must not stand before it";
                return Err(self.wrong(&key, skill, remedy));
            }
            // No alias of an alias, and so no circle of them.
            if let Some(further) = self.aliases.get(skill) {
                let remedy = format!("that is an alias, too: name its skill, {further:?}");
                return Err(self.wrong(&key, skill, &remedy));
            }
            if !self.skills.contains_key(skill) {
                let known: Vec<&str> = self.skills.keys().map(String::as_str).collect();
                let remedy = format!("there is no such skill: name one of {}", known.join(", "));
                return Err(self.wrong(&key, skill, &remedy));
            }
        }
        self.check_routers()
    }

    fn check_entry(&self, key: &str, entry: &RobotEntry) -> Result<(), ConfigError> {
        let duration = entry.duration_max_s;
        if !(duration > 0.0 && duration <= DURATION_MAX_S) {
            let remedy = "choose more than 0, at most 3600";
            return Err(self.wrong(&format!("{key}.duration_max_s"), duration, remedy));
        }
        for (name, range, [least, most]) in entry.bounds.each() {
            let inside = range[0] <= range[1] && range[0] >= least && range[1] <= most;
            if !inside {
                let remedy = format!("choose {least} to {most}, the least first");
                return Err(self.wrong(&format!("{key}.bounds.{name}"), range, &remedy));
            }
        }
        let shares = [
            ("success_share_min", entry.success_share_min.unwrap_or_default()),
            ("canary.limited_share_max", entry.canary.limited_share_max),
        ];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(self.wrong(&format!("{key}.{name}"), share, "choose 0 to 1"));
            }
        }
        for (at, policy) in entry.policies.iter().enumerate() {
            let key = format!("{key}.policies.{}", policy.name);
            if !is_name(&policy.name) {
                let remedy = "use 1 to 64 letters, digits, _ and -";
                return Err(self.wrong(&key, &policy.name, remedy));
            }
            let before = &entry.policies[..at];
            if before.iter().any(|other| other.name == policy.name) {
                let remedy = "give every policy of a skill a name of its own";
                return Err(self.wrong(&key, &policy.name, remedy));
            }
            let only_one = policy.status != Status::Preserved;
            if only_one && before.iter().any(|other| other.status == policy.status) {
                let remedy = "another one has it: a skill has one policy of each but `preserved`";
                return Err(self.wrong(&format!("{key}.status"), policy.status.as_str(), remedy));
            }
            self.check_policy(&key, policy)?;
        }
        let with = |status| entry.policies.iter().find(|policy| policy.status == status);
        let served = [Status::Fallback, Status::Shadow].into_iter().find_map(with);
        match with(Status::Active) {
            None if served.is_some() => {
                let remedy = "make one of them `active`, or all of them `preserved`";
                Err(self.wrong(&format!("{key}.policies"), "none is active", remedy))
            }
            Some(active) if active.head.is_none() && with(Status::Shadow).is_some() => {
                let remedy = "a shadow runs beside a head: this one has none";
                Err(self.wrong(&format!("{key}.policies.{}", active.name), "scripted", remedy))
            }
            _ => Ok(()),
        }
    }

    fn check_policy(&self, key: &str, policy: &PolicyEntry) -> Result<(), ConfigError> {
        let wrong = |name: &str, value: &dyn std::fmt::Debug, remedy: &str| {
            Err(self.wrong(&format!("{key}{name}"), value, remedy))
        };
        if policy.head.is_some() == policy.scripted.is_some() {
            let value = if policy.head.is_some() { "head and scripted" } else { "neither" };
            return wrong("", &value, "give it either a `head` or `scripted`");
        }
        if !is_name(&policy.lane) {
            return wrong(".lane", &policy.lane, "name one, as reflex, planned or lora");
        }
        let digests =
            [("manifest_sha256", &policy.manifest_sha256), ("onnx_sha256", &policy.onnx_sha256)];
        for (name, digest) in digests {
            let Some(digest) = digest else { continue };
            if policy.head.is_none() {
                return wrong(&format!(".{name}"), digest, "only a head has one: leave it out");
            }
            if !is_digest(digest) {
                return wrong(&format!(".{name}"), digest, "it has 64 hexadecimal digits: pin it");
            }
        }
        if let Some(Scripted::Reach(reach)) = &policy.scripted {
            let leans = (reach.lean_min_rad, reach.lean_max_rad);
            if !(leans.0 <= leans.1 && leans.0 >= -1.6 && leans.1 <= 1.6) {
                let remedy = "choose -1.6 to 1.6, the least first";
                return wrong(".scripted.reach.lean_min_rad", &leans, remedy);
            }
            if !(0.0..=REACH_MAX_M).contains(&reach.height_m) {
                return wrong(".scripted.reach.height_m", &reach.height_m, "choose 0 to 10");
            }
        }
        if let Some(record) = &policy.evaluation
            && (record.episodes == 0 || record.successes > record.episodes)
        {
            let counts = (record.successes, record.episodes);
            let remedy = "of at least one episode, not more than all can have succeeded";
            return wrong(".evaluation.successes", &counts, remedy);
        }
        if let Some(proof) = &policy.proof {
            let digests = [&proof.contact_sheet_sha256, &proof.animation_sha256];
            let mut digests = digests.into_iter().chain(&proof.onnx_sha256);
            if let Some(bad) = digests.find(|digest| !is_digest(digest)) {
                return wrong(".proof", bad, "a digest has 64 hexadecimal digits: `make gallery`");
            }
        }
        match (&policy.shadow, policy.status) {
            (None, Status::Shadow) => {
                wrong(".shadow", &"absent", "say its budget, and when it may be promoted")
            }
            (Some(_), status) if status != Status::Shadow => {
                wrong(".shadow", &status.as_str(), "only with status `shadow`: leave it out")
            }
            (Some(_), _) if policy.head.is_none() => {
                wrong(".scripted", &"shadow", "only a head can be a shadow")
            }
            (Some(rules), _) => {
                let figures = [
                    ("budget_ms", rules.budget_ms, 1000.0),
                    ("divergence_max_rad", rules.divergence_max_rad, 100.0),
                    ("divergence_max_m", rules.divergence_max_m, 100.0),
                ];
                let bad =
                    figures.iter().find(|(_, figure, most)| !(*figure > 0.0 && figure <= most));
                bad.map_or(Ok(()), |(name, figure, most)| {
                    let remedy = format!("choose more than 0, at most {most}");
                    wrong(&format!(".shadow.{name}"), figure, &remedy)
                })
            }
            _ => Ok(()),
        }
    }
}

impl Bounds {
    /// Each with its name and the widest that makes sense.
    fn each(&self) -> [(&'static str, [f64; 2], [f64; 2]); 5] {
        let far = [-REACH_MAX_M, REACH_MAX_M];
        [
            ("target_x_m", self.target_x_m, far),
            ("target_y_m", self.target_y_m, far),
            ("target_z_m", self.target_z_m, far),
            ("radius_m", self.radius_m, [0.0, REACH_MAX_M]),
            ("speed_hint", self.speed_hint, [0.0, 1.0]),
        ]
    }

    /// Whether a decision's parameters keep them.
    ///
    /// # Errors
    /// The first that does not, with its bounds.
    pub fn check(&self, skill: &str, params: &Params) -> Result<(), String> {
        let Params { target_x, target_y, target_z, radius, speed_hint, .. } = *params;
        let values = [target_x, target_y, target_z, radius, speed_hint];
        for (value, (name, [min, max], _)) in values.iter().zip(self.each()) {
            // NaN is inside of nothing.
            if (min..=max).contains(value) {
                continue;
            }
            let (name, unit) = name.strip_suffix("_m").map_or((name, ""), |name| (name, " m"));
            let of = if name.starts_with("target") { "reach" } else { "bounds" };
            return Err(format!(
                "{name} = {value}{unit} is out of {of} of {skill:?}: {min} to {max}{unit}"
            ));
        }
        // Zero is no speed: the motion would never end.
        if speed_hint <= 0.0 {
            return Err(format!("speed_hint = {speed_hint} is not in (0, 1]"));
        }
        Ok(())
    }
}

/// The text of a registry, if it is a file of a size that makes sense: a pipe would keep its reader for ever.
pub(super) fn text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: path.to_owned(), source };
    let invalid = |words: &str| unreadable(std::io::Error::other(words.to_owned()));
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(invalid("it is no file"));
    }
    let mut text = String::new();
    let mut file = File::open(path).map_err(unreadable)?.take(BYTES_MAX + 1);
    file.read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > BYTES_MAX { Err(invalid("it is larger than 1 MiB")) } else { Ok(text) }
}

pub(super) fn malformed(path: &Path, error: &serde_json::Error) -> ConfigError {
    ConfigError::Malformed {
        file: path.to_owned(),
        words: format!("{error}; see docs/registry.md"),
    }
}

/// SHA-256, in hexadecimal.
fn is_digest(digest: &str) -> bool {
    digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Skills, aliases, policies and lanes become parts of messages and command lines.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(plain)
}

#[cfg(test)]
#[path = "file_test.rs"]
mod tests;
