//! Is a registry what it says? Every path, digest, alias, shape, bound and record is looked at, and all that is found is
//! told, not only the first.

use std::{collections::BTreeSet, path::Path};

use serde::Serialize;

use super::{LoadError, PolicyEntry, RegistryFile, RobotEntry, Scripted, Status, routers};
use crate::{action::Body, config::ConfigError, head::Head, head::Manifest};

/// What policies are held against.
pub struct Bench<'a> {
    /// The robot; policies of others are not proved.
    pub body: &'a Body,
    /// The loop's period, s.
    pub period_s: f64,
    /// Loads a head and proves it.
    pub load: &'a dyn Fn(&Path) -> Result<Head, LoadError>,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// How much was looked at.
    pub checked: usize,
    /// How much of that is not there.
    pub missing: usize,
    /// How much is not as it should be.
    pub wrong: usize,
    /// Policy by policy.
    pub policies: Vec<PolicyReport>,
    /// What is missing or wrong.
    pub findings: Vec<Finding>,
}

/// One policy: each check in a word.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyReport {
    /// Its skill.
    pub skill: String,
    /// Its robot.
    pub robot: String,
    /// Its name.
    pub policy: String,
    /// Its status.
    pub status: Status,
    /// Its files.
    pub files: Word,
    /// Their digests.
    pub digests: Word,
    /// Whether it fits the robot, and answers as its golden vectors say.
    pub proof: Word,
    /// Its evaluation.
    pub record: Word,
    /// Its pictures.
    pub pictures: Word,
}

/// A verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// As it should be.
    Good,
    /// Not there.
    Missing,
    /// Not as it should be.
    Wrong,
    /// Was not, or cannot be, looked at.
    NotChecked,
}

/// Something to mend.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Missing or wrong.
    pub verdict: Word,
    /// Where in the file.
    pub key: String,
    /// What, and how to mend it.
    pub what: String,
}

impl Word {
    /// As people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::NotChecked => "-",
        }
    }
}

impl Report {
    /// Whether nothing is missing or wrong.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.missing == 0 && self.wrong == 0
    }

    /// Takes note of one check.
    pub(super) fn note(
        &mut self,
        key: impl Into<String>,
        outcome: Result<(), (Word, String)>,
    ) -> Word {
        self.checked += 1;
        let Err((verdict, what)) = outcome else { return Word::Good };
        match verdict {
            Word::Missing => self.missing += 1,
            _ => self.wrong += 1,
        }
        self.findings.push(Finding { verdict, key: key.into(), what });
        verdict
    }
}

/// Looks at everything that a registry says. Without a bench heads are not run.
#[must_use]
pub fn validate(path: &Path, bench: Option<&Bench>) -> Report {
    let mut report = Report::default();
    let file = match RegistryFile::load(path) {
        Ok(file) => file,
        Err(why) => {
            let verdict = match why {
                ConfigError::Unreadable { .. } => Word::Missing,
                _ => Word::Wrong,
            };
            report.note("", Err((verdict, why.to_string())));
            return report;
        }
    };
    // Names, bounds and aliases were checked when the file was read: it has none that are not good.
    report.checked += 1 + file.aliases.len();
    for (skill, robot, entry, policy) in file.policies() {
        let bench = bench.filter(|bench| bench.body.name == robot);
        let key = format!("skills.{skill}.robots.{robot}.policies.{}", policy.name);
        let mut look = Look { file: &file, skill, robot, entry, policy, key, report: &mut report };
        let row = look.at(bench);
        report.policies.push(row);
    }
    let entries: BTreeSet<_> = file.policies().map(|(skill, robot, ..)| (skill, robot)).collect();
    report.checked += entries.len();
    routers::validate(&file, &mut report);
    report
}

struct Look<'a> {
    file: &'a RegistryFile,
    skill: &'a str,
    robot: &'a str,
    entry: &'a RobotEntry,
    policy: &'a PolicyEntry,
    key: String,
    report: &'a mut Report,
}

impl Look<'_> {
    fn at(&mut self, bench: Option<&Bench>) -> PolicyReport {
        let mut row = PolicyReport {
            skill: self.skill.into(),
            robot: self.robot.into(),
            policy: self.policy.name.clone(),
            status: self.policy.status,
            files: Word::NotChecked,
            digests: Word::NotChecked,
            proof: Word::NotChecked,
            record: Word::NotChecked,
            pictures: self.pictures(),
        };
        if let Some(head) = &self.policy.head {
            self.head(&self.file.resolve(head), bench, &mut row);
            row.record = self.record();
        }
        if let (Some(Scripted::Reach(reach)), Some(bench)) = (&self.policy.scripted, bench) {
            let arms: Vec<&str> = bench.body.arms.iter().map(|arm| arm.name.as_str()).collect();
            let known = reach.arm.as_deref().map_or(!arms.is_empty(), |arm| arms.contains(&arm));
            let words = || format!("arm {:?}: the robot has {}", reach.arm, arms.join(", "));
            row.proof = self.must(known, ".scripted.reach.arm", words);
        }
        row
    }

    fn must(&mut self, holds: bool, key: &str, words: impl FnOnce() -> String) -> Word {
        let outcome = if holds { Ok(()) } else { Err((Word::Wrong, words())) };
        self.report.note(format!("{}{key}", self.key), outcome)
    }

    fn missing(&mut self, key: &str, words: String) -> Word {
        self.report.note(format!("{}{key}", self.key), Err((Word::Missing, words)))
    }

    fn head(&mut self, path: &Path, bench: Option<&Bench>, row: &mut PolicyReport) {
        if !path.is_file() {
            row.files = self.missing(".head", format!("{}: there is no such file", path.display()));
            return;
        }
        let manifest = match Manifest::load(path) {
            Ok(manifest) => manifest,
            Err(why) => {
                row.files = self.must(false, ".head", || why.to_string());
                return;
            }
        };
        self.report.checked += 1;
        let onnx = manifest.onnx_path();
        if !onnx.is_file() {
            let words = format!("{}: there is no such file", onnx.display());
            row.files = self.missing(".head", words);
            return;
        }
        self.report.checked += 1;
        row.files = Word::Good;
        row.digests = match manifest.digests() {
            Ok(found) => self.digests(&found),
            Err(why) => self.must(false, ".onnx_sha256", || why.to_string()),
        };
        let (skill, robot) = (self.skill, self.robot);
        let fits = manifest.skill == skill && manifest.robot == robot;
        row.proof = self.must(fits, ".head", || {
            let (of, on) = (&manifest.skill, &manifest.robot);
            format!("the head is made for {of} on {on}: name another one, or move it there")
        });
        let Some(bench) = bench.filter(|_| fits) else { return };
        let proved = manifest.timing.fits(bench.period_s * 1e3);
        let proved =
            proved.and_then(|()| (bench.load)(path).map(drop).map_err(|why| why.to_string()));
        row.proof = self.must(proved.is_ok(), ".head", || proved.err().unwrap_or_default());
    }

    fn digests(&mut self, found: &[String; 2]) -> Word {
        let policy = self.policy;
        let pins = [
            (".manifest_sha256", &policy.manifest_sha256, &found[0]),
            (".onnx_sha256", &policy.onnx_sha256, &found[1]),
        ];
        let words = pins.map(|(key, pinned, found)| match pinned {
            None => self.missing(key, "not pinned: `reflexd registry pin`".into()),
            Some(pinned) => self.must(pinned.eq_ignore_ascii_case(found), key, || {
                format!("{pinned} is pinned, the file has {found}: restore it, or pin it anew")
            }),
        });
        words.into_iter().find(|word| *word != Word::Good).unwrap_or(Word::Good)
    }

    /// What it is shown by. Pictures prove nothing that the record does not: a policy may have none.
    fn pictures(&mut self) -> Word {
        let Some(proof) = &self.policy.proof else { return Word::NotChecked };
        let mut worst = Word::Good;
        for (key, outcome) in proof.check(self.file, self.policy.onnx_sha256.as_deref()) {
            let word = self.report.note(format!("{}{key}", self.key), outcome);
            worst = if word == Word::Good { worst } else { word };
        }
        worst
    }

    /// A head that may move the robot has to have been measured, and well enough.
    fn record(&mut self) -> Word {
        let policy = self.policy;
        let Some(record) = &policy.evaluation else {
            if policy.status == Status::Preserved {
                return Word::NotChecked;
            }
            let words = "no evaluation record: evaluate it, then `reflexd registry record`";
            return self.missing(".evaluation", words.into());
        };
        let said = !record.conditions.trim().is_empty() && !record.command.trim().is_empty();
        let mut word = self.must(said, ".evaluation", || {
            "say under which conditions, and the command that repeats it".into()
        });
        if let Some(pinned) = &policy.onnx_sha256 {
            let same = record.onnx_sha256.eq_ignore_ascii_case(pinned);
            let told = self.must(same, ".evaluation.onnx_sha256", || {
                format!("another network was evaluated, {}: do it again", record.onnx_sha256)
            });
            word = if told == Word::Good { word } else { told };
        }
        let share = f64::from(record.successes) / f64::from(record.episodes);
        if let Some(least) =
            self.entry.success_share_min.filter(|_| policy.status == Status::Active)
        {
            let told = self.must(share >= least, ".evaluation.successes", || {
                let (successes, episodes) = (record.successes, record.episodes);
                format!("{successes} of {episodes} are fewer than success_share_min = {least}")
            });
            word = if told == Word::Good { word } else { told };
        }
        word
    }
}
