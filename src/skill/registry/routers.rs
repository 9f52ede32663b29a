//! The router heads that a registry knows: what they were measured to do, and the digests of those that are here.

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Change, LoadError, RegistryFile, Report, Status, Word, json::Json};
use crate::{
    config::{self, ConfigError},
    head::digest_of,
};

/// One way to make a skill and its parameters of an instruction.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouterEntry {
    /// What it is called; each only once for its robot.
    pub name: String,
    /// What it is there for: `active`, or `preserved`.
    pub status: Status,
    /// Whose embeddings it reads, for people and their tools: `words`, `minicpm`, `lora`.
    pub lane: String,
    /// Its manifest, relative to the registry; one whose files are elsewhere has none.
    pub head: Option<PathBuf>,
    /// SHA-256 of the manifest. `reflexd registry pin` writes it.
    pub manifest_sha256: Option<String>,
    /// SHA-256 of the network. `reflexd registry pin` writes it.
    pub onnx_sha256: Option<String>,
    /// How well it did on what it had never seen.
    pub evaluation: Option<RouterRecord>,
    /// Anything else that should be known.
    pub note: Option<String>,
}

/// What a router head was measured to do on held-out rows.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouterRecord {
    /// How many rows there were.
    pub rows: u32,
    /// In how many the skill was right; absent: not known, or not worth telling.
    pub skills_right: Option<u32>,
    /// The mean absolute error over all six parameters, in their own units.
    pub mae: f64,
    /// The largest of the six parameters' own.
    pub mae_worst: Option<f64>,
    /// How many handwritten instructions there were.
    pub paraphrases: Option<u32>,
    /// In how many of them the skill was right, the network alone.
    pub paraphrases_right: Option<u32>,
    /// Which rows, and what was held out of what.
    pub conditions: String,
    /// The command that repeats it; absent where that is not in our hands.
    pub command: Option<String>,
    /// SHA-256 of the network that was evaluated, if it is here.
    pub onnx_sha256: Option<String>,
}

impl RegistryFile {
    /// Every router with its robot.
    pub fn routers(&self) -> impl Iterator<Item = (&str, &RouterEntry)> {
        self.routers
            .iter()
            .flat_map(|(robot, routers)| routers.iter().map(move |router| (robot.as_str(), router)))
    }

    /// What can be seen without the files.
    pub(super) fn check_routers(&self) -> Result<(), ConfigError> {
        for (robot, routers) in &self.routers {
            for (at, router) in routers.iter().enumerate() {
                let key = format!("routers.{robot}.{}", router.name);
                let wrong = |name: &str, value: &dyn std::fmt::Debug, remedy: &str| {
                    Err(ConfigError::value(self.path(), format!("{key}{name}"), value, remedy))
                };
                let before = &routers[..at];
                if before.iter().any(|other| other.name == router.name) {
                    return wrong(
                        "",
                        &router.name,
                        "give every router of a robot a name of its own",
                    );
                }
                let is_active = match router.status {
                    Status::Active => true,
                    Status::Preserved => false,
                    other => return wrong(".status", &other, "a router is active or preserved"),
                };
                if is_active && before.iter().any(|other| other.status == Status::Active) {
                    return wrong(".status", &router.status, "a robot has one active router");
                }
                if is_active && router.head.is_none() {
                    return wrong(".head", &"absent", "name the manifest, or make it preserved");
                }
                let Some(record) = &router.evaluation else { continue };
                let counts = [
                    (record.skills_right, Some(record.rows)),
                    (record.paraphrases_right, record.paraphrases),
                ];
                let too_many = |(right, of): (Option<u32>, Option<u32>)| {
                    right.is_some_and(|right| of.is_none_or(|of| right > of))
                };
                if record.rows == 0 || counts.into_iter().any(too_many) {
                    let remedy = "of at least one row, not more than all can be right";
                    return wrong(".evaluation", record, remedy);
                }
                if !(record.mae.is_finite() && record.mae >= 0.0) {
                    return wrong(".evaluation.mae", &record.mae, "give a number from 0");
                }
            }
        }
        Ok(())
    }

    /// The digests of manifest and network of a router that has them, as its files are now.
    fn router_digests(&self, router: &RouterEntry) -> Result<Option<[String; 2]>, ConfigError> {
        #[derive(Deserialize)]
        struct Named {
            onnx: PathBuf,
        }
        let Some(head) = &router.head else { return Ok(None) };
        let path = self.resolve(head);
        let named: Named = config::parse(&path)?;
        let unreadable = |source| ConfigError::Unreadable { file: path.clone(), source };
        let manifest = fs::read_to_string(&path).map_err(unreadable)?;
        let network = path.with_file_name(named.onnx);
        let unreadable = |source| ConfigError::Unreadable { file: network.clone(), source };
        let onnx = fs::read(&network).map_err(unreadable)?;
        Ok(Some([digest_of(manifest.as_bytes()), digest_of(&onnx)]))
    }
}

/// Writes the digests of every router's files into the draft of a registry.
pub(super) fn pin(file: &RegistryFile, json: &mut Json) -> Result<Vec<Change>, LoadError> {
    let mut changes = Vec::new();
    for (robot, router) in file.routers() {
        let Some([manifest, onnx]) = file.router_digests(router)? else { continue };
        let pins = [
            ("manifest_sha256", &router.manifest_sha256, manifest, "head"),
            ("onnx_sha256", &router.onnx_sha256, onnx, "manifest_sha256"),
        ];
        for (name, before, after, place) in pins {
            if before.as_ref() == Some(&after) {
                continue;
            }
            let list =
                ["routers", robot].iter().try_fold(&mut *json, |json, key| json.get_mut(key));
            let Some(Json::Array(routers)) = list else { continue };
            let wanted = Json::Leaf(json!(router.name));
            if let Some(entry) = routers.iter_mut().find(|it| it.get("name") == Some(&wanted)) {
                entry.set(name, Json::from(json!(after)), place);
            }
            let key = format!("routers.{robot}.{}.{name}", router.name);
            changes.push(Change { key, before: before.clone(), after });
        }
    }
    Ok(changes)
}

/// Looks at the files, digests and records of all routers.
pub(super) fn validate(file: &RegistryFile, report: &mut Report) {
    for (robot, router) in file.routers() {
        let key = |name: &str| format!("routers.{robot}.{}{name}", router.name);
        let wrong = |words: String| Err((Word::Wrong, words));
        if router.status == Status::Active && router.evaluation.is_none() {
            let words = "no evaluation record: `python -m router.evaluate`, in models/training";
            report.note(key(".evaluation"), Err((Word::Missing, words.into())));
        }
        let digests = match file.router_digests(router) {
            Ok(Some(digests)) => digests,
            Ok(None) => continue,
            Err(why) => {
                report.note(key(".head"), Err((Word::Missing, why.to_string())));
                continue;
            }
        };
        let pins = [
            (".manifest_sha256", &router.manifest_sha256, &digests[0]),
            (".onnx_sha256", &router.onnx_sha256, &digests[1]),
        ];
        for (name, pinned, found) in pins {
            let outcome = match pinned {
                Some(pinned) if pinned.eq_ignore_ascii_case(found) => Ok(()),
                Some(pinned) => wrong(format!(
                    "{pinned} is pinned, the file has {found}: restore it, or pin it anew"
                )),
                None => Err((Word::Missing, "not pinned: `reflexd registry pin`".into())),
            };
            report.note(key(name), outcome);
        }
        let measured = router.evaluation.as_ref().and_then(|record| record.onnx_sha256.as_ref());
        let outcome = match measured {
            Some(measured) if !measured.eq_ignore_ascii_case(&digests[1]) => {
                wrong(format!("another network was evaluated, {measured}: do it again"))
            }
            _ => Ok(()),
        };
        report.note(key(".evaluation.onnx_sha256"), outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(routers: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("registry.json");
        let text = format!(
            r#"{{"schema": "reflex.registry.v1", "skills": {{}}, "routers": {{"bot": {routers}}}}}"#
        );
        fs::write(&path, text).expect("a file");
        RegistryFile::load(&path).map_or_else(|why| why.to_string(), |_| String::new())
    }

    #[test]
    fn a_router_is_refused_by_key_and_remedy() {
        let record = r#""evaluation": {"rows": 8, "mae": 0.5, "conditions": "eight rows"}"#;
        let kept = |name: &str| {
            format!(r#"{{"name": "{name}", "status": "preserved", "lane": "lora", {record}}}"#)
        };
        let active = r#"{"name": "a", "status": "active", "lane": "words", "head": "a.toml"}"#;
        assert_eq!(refused(&format!("[{}, {}, {active}]", kept("b"), kept("c"))), "");
        for (routers, words) in [
            (format!("[{}, {}]", kept("b"), kept("b")), "routers.bot.b"),
            (format!("[{active}, {}]", active.replace(r#""a","#, r#""d","#)), "one active router"),
            (format!("[{}]", active.replace(r#", "head": "a.toml""#, "")), "routers.bot.a.head"),
            (format!("[{}]", active.replace("active", "shadow")), "active or preserved"),
            (format!("[{}]", kept("b").replace(": 8", ": 0")), "at least one row"),
            (
                format!("[{}]", kept("b").replace(": 8", ": 8, \"skills_right\": 9")),
                "not more than all",
            ),
            (format!("[{}]", kept("b").replace("0.5", "-0.5")), "evaluation.mae"),
            (format!("[{}]", kept("b").replace("lane", "lain")), "lain"),
        ] {
            let told = refused(&routers);
            assert!(told.contains(words), "{words:?} is not in {told:?}");
        }
    }
}
