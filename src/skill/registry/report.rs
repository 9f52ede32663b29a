//! What there is to tell of a registry, for `info/registry` and `info/manifest`.

use std::sync::PoisonError;

use serde_json::{Map, Value, json};

use super::{Registry, Skill};

/// The heads that decisions run, and what each wants to see.
#[must_use]
pub fn manifests(registry: &Registry) -> Value {
    let head = |name: &str| {
        let head = registry.head(name)?.lock().unwrap_or_else(PoisonError::into_inner);
        let manifest = head.manifest();
        let told = json!({
            "name": manifest.name,
            "sha256": manifest.sha256,
            "period_ms": manifest.timing.period_ms,
            "at": manifest.timing.at.as_str(),
            "encoder": manifest.encoder,
            "chunk_steps": manifest.timing.chunk_steps,
            "execute_steps": manifest.timing.execute_steps,
            "engine": head.runs_on(),
            "fell_back": head.fell_back(),
        });
        Some((name.to_owned(), told))
    };
    Value::Object(registry.names().filter_map(head).collect())
}

/// The skills: their aliases, what may be asked of them, and what carries them out now.
#[must_use]
pub fn registry(registry: &Registry) -> Value {
    let skill = |name: &str| {
        let (_, skill) = registry.skill(name)?;
        Some((name.to_owned(), told(skill, registry.aliases(name).collect())))
    };
    let skills: Map<String, Value> = registry.names().filter_map(skill).collect();
    json!({ "file": registry.file(), "skills": skills, "shadows": all_shadows(registry) })
}

fn told(skill: &Skill, aliases: Vec<&str>) -> Value {
    let policies = skill.entry.policies.iter().map(|policy| {
        let means = skill.resident().find(|means| means.name == policy.name);
        json!({
            "name": policy.name,
            "status": policy.status.as_str(),
            "lane": policy.lane,
            "resident": means.is_some(),
            "manifest_sha256": means.map_or("", |means| &means.digests[0]),
            "onnx_sha256": means.map_or("", |means| &means.digests[1]),
            "evaluation": policy.evaluation,
        })
    });
    json!({
        "aliases": aliases,
        "runs": skill.active.name,
        "trial": skill.trial.as_ref().map(|trial| {
            json!({ "before": trial.before.name, "runs_left": trial.runs_left })
        }),
        "duration_max_s": skill.entry.duration_max_s,
        "bounds": skill.entry.bounds,
        "policies": policies.collect::<Vec<_>>(),
    })
}

/// What has been seen of every shadow, for `diag/shadow`.
#[must_use]
pub fn shadows(registry: &Registry) -> Value {
    json!({ "shadows": all_shadows(registry) })
}

fn all_shadows(registry: &Registry) -> Vec<Value> {
    let shadow = |name: &str| {
        let (_, skill) = registry.skill(name)?;
        let mut told = json!(skill.shadow.as_ref()?.report());
        told["skill"] = json!(name);
        told["active"] = json!(skill.active.name);
        Some(told)
    };
    registry.names().filter_map(shadow).collect()
}
