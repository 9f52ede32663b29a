//! Writing to a registry's file: digests after training, records after an evaluation. Everything else of it stays as it
//! was written; the file is replaced in one step, or not at all.

use std::{fs, io::Write, path::Path};

use serde_json::{Value, json};

use super::{
    EvaluationRecord, LoadError, ProofEntry, RegistryFile, Status,
    file::{malformed, text},
    json::Json,
    routers,
};
use crate::{config::ConfigError, head::Manifest};

/// A value that was changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Where in the file.
    pub key: String,
    /// What stood there.
    pub before: Option<String>,
    /// What stands there now.
    pub after: String,
}

/// Writes the digests of every head's files into a registry. Preserved heads whose files are elsewhere keep theirs.
///
/// # Errors
/// A registry or a head that cannot be read, or a network that is not its manifest's; nothing was written then.
pub fn pin(path: &Path) -> Result<Vec<Change>, LoadError> {
    let mut draft = Draft::open(path)?;
    let mut changes = Vec::new();
    for (skill, robot, _, policy) in draft.file.policies() {
        let Some(head) = &policy.head else { continue };
        let head = draft.file.resolve(head);
        if policy.status == Status::Preserved && !head.exists() {
            continue;
        }
        let [manifest, onnx] = Manifest::load(&head)?.digests()?;
        let pins = [
            ("manifest_sha256", &policy.manifest_sha256, manifest, "head"),
            ("onnx_sha256", &policy.onnx_sha256, onnx, "manifest_sha256"),
        ];
        for (name, before, after, place) in pins {
            if before.as_ref() != Some(&after) {
                let at = [skill, robot, policy.name.as_str()];
                set(&mut draft.json, at, name, json!(after), place);
                let key = format!("skills.{skill}.robots.{robot}.policies.{}.{name}", policy.name);
                changes.push(Change { key, before: before.clone(), after });
            }
        }
    }
    changes.extend(routers::pin(&draft.file, &mut draft.json)?);
    if !changes.is_empty() {
        draft.write()?;
    }
    Ok(changes)
}

/// Writes the record of a policy's evaluation; it is of the network that is pinned now.
///
/// # Errors
/// A registry that cannot be read, or has no such policy; nothing was written then.
pub fn record(
    path: &Path,
    [skill, robot, policy]: [&str; 3],
    record: &EvaluationRecord,
) -> Result<(), LoadError> {
    let mut draft = Draft::open(path)?;
    let found = draft.file.policies().find(|(of, on, _, entry)| {
        (*of, *on) == (skill, robot) && entry.name == policy && entry.head.is_some()
    });
    if found.is_none() {
        let remedy = "the registry has no such head: `reflexd registry show` tells which it has";
        return Err(ConfigError::value(path, format!("skills.{skill}"), policy, remedy).into());
    }
    let after = "onnx_sha256";
    set(&mut draft.json, [skill, robot, policy], "evaluation", json!(record), after);
    draft.write()
}

/// Writes where the pictures of policies are: `[skill, robot, policy]` each, all of them or none.
///
/// # Errors
/// A registry that cannot be read, or lacks one of the policies; nothing was written then.
pub fn prove(path: &Path, proofs: &[([String; 3], ProofEntry)]) -> Result<(), LoadError> {
    let mut draft = Draft::open(path)?;
    for (of, proof) in proofs {
        let [skill, robot, policy] = of.each_ref().map(String::as_str);
        let found = draft
            .file
            .policies()
            .any(|(of, on, _, entry)| (of, on) == (skill, robot) && entry.name == policy);
        if !found {
            let remedy = "the registry has no such policy: `reflexd registry show`";
            return Err(ConfigError::value(path, format!("skills.{skill}"), policy, remedy).into());
        }
        set(&mut draft.json, [skill, robot, policy], "proof", json!(proof), "evaluation");
    }
    draft.write()
}

/// A registry being changed.
struct Draft {
    file: RegistryFile,
    json: Json,
}

impl Draft {
    fn open(path: &Path) -> Result<Self, LoadError> {
        let file = RegistryFile::load(path)?;
        let json = serde_json::from_str(&text(path)?).map_err(|error| malformed(path, &error))?;
        Ok(Self { file, json })
    }

    /// A reader sees the old file or the new one, never half of either.
    fn write(&self) -> Result<(), LoadError> {
        let path = self.file.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let write = || {
            let mut out = fs::File::create(&draft)?;
            out.write_all(self.json.text().as_bytes())?;
            out.set_permissions(fs::metadata(path)?.permissions())?;
            out.sync_all()?;
            fs::rename(&draft, path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&draft);
            let remedy = format!("it cannot be written: {error}; look at its folder's permissions");
            ConfigError::value(path, "registry", path, remedy).into()
        })
    }
}

fn set(json: &mut Json, [skill, robot, policy]: [&str; 3], key: &str, value: Value, after: &str) {
    let path = ["skills", skill, "robots", robot, "policies"];
    let list = path.iter().try_fold(json, |json, key| json.get_mut(key));
    let Some(Json::Array(policies)) = list else { return };
    let name = Json::Leaf(json!(policy));
    let named = policies.iter_mut().find(|entry| entry.get("name") == Some(&name));
    if let Some(entry) = named {
        entry.set(key, Json::from(value), after);
    }
}
