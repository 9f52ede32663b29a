//! Settings to skills: the registry, read and loaded for this robot.

use std::path::Path;

use super::DaemonError;
use crate::{
    action::Body,
    config::{JointSettings, Settings},
    head::{Head, Manifest},
    security::Seal,
    skill::registry::{LoadError, Loader, Registry, RegistryFile, Unit},
};

/// Loads and proves the heads of all skills.
///
/// # Errors
/// The first head that is not as it should be and has no fallback; the registry; or the engine.
pub fn registry(settings: &Settings, period_s: f64) -> Result<Registry, DaemonError> {
    let Some(file) = &settings.daemon.registry else { return Ok(Registry::default()) };
    told(load(settings, &RegistryFile::load(file)?, period_s, &Registry::default())?)
}

/// The same of one skill, by its name or an alias: heads of other skills may be made for another period.
///
/// # Errors
/// As [`registry`].
pub fn registry_of(
    settings: &Settings,
    period_s: f64,
    skill: &str,
) -> Result<Registry, DaemonError> {
    let Some(file) = &settings.daemon.registry else { return Ok(Registry::default()) };
    let file = RegistryFile::load(file)?.only(skill);
    told(load(settings, &file, period_s, &Registry::default())?)
}

fn told((registry, refused): (Registry, Vec<LoadError>)) -> Result<Registry, DaemonError> {
    for why in refused {
        tracing::error!("done without: {why}");
    }
    for name in registry.names() {
        let means = registry.skill(name).map(|(_, skill)| skill.active.name.as_str());
        tracing::info!(skill = name, policy = means, "ready");
    }
    Ok(registry)
}

/// Loads what a registry's file has for this robot; heads that are resident `before` are not loaded again.
pub(super) fn read(
    settings: &Settings,
    file: &Path,
    period_s: f64,
    before: &Registry,
) -> Result<(Registry, Vec<LoadError>), DaemonError> {
    load(settings, &RegistryFile::load(file)?, period_s, before)
}

/// Whether a head, and the one that corrects it, are signed as they have to be.
fn sealed(seal: &Seal, manifest: &Manifest) -> Result<(), LoadError> {
    seal.check(manifest.path(), manifest.digest())?;
    let Some(table) = &manifest.correction else { return Ok(()) };
    let corrects = Manifest::load(&manifest.beside(&table.head))?;
    Ok(seal.check(corrects.path(), corrects.digest())?)
}

fn load(
    settings: &Settings,
    file: &RegistryFile,
    period_s: f64,
    before: &Registry,
) -> Result<(Registry, Vec<LoadError>), DaemonError> {
    let body = Body::load(&settings.robot_settings)?;
    let seal = settings.daemon.security.seal()?;
    seal.check(file.path(), file.sha256())?;
    let load = |manifest: &Path| {
        // Before anything of it is run; and of what was run once more, for a file may change in between.
        sealed(&seal, &Manifest::load(manifest)?)?;
        let head = Head::load(manifest, &body, super::engine(settings)?)?;
        sealed(&seal, head.manifest())?;
        Ok(head)
    };
    let unit = |joint: &JointSettings| match joint {
        JointSettings::Revolute(joint) => (joint.name.clone(), Unit::Rad),
        JointSettings::Prismatic(joint) => (joint.name.clone(), Unit::M),
    };
    let robot = &settings.robot_settings;
    let joints = robot.joints.iter().map(unit).collect();
    let loader = Loader { robot: &robot.name, period_s, joints, load: &load };
    Ok(loader.load(file, before)?)
}
