//! `reflexd gallery`: plays an episode of every skill, takes pictures of it, and writes the page that shows them.

use std::{
    fs,
    io::Write,
    path::{Component, Path, PathBuf},
};

use clap::Args;

use super::{
    CliError, Exit,
    eval::media,
    playground::{Changes, Playground},
};
use crate::{
    config::ConfigError,
    daemon::DaemonError,
    evaluation::Conditions,
    gallery,
    head::digest_of,
    skill::registry::{self, ProofEntry, RegistryFile},
};

/// Arguments of `reflexd gallery`.
#[derive(Debug, Args)]
pub(super) struct GalleryArguments {
    /// Daemons' configurations, one for each robot; all of them name the same registry.
    #[arg(long, value_name = "FILE", default_value = "config/daemon.toml")]
    config: Vec<PathBuf>,
    /// The page.
    #[arg(long, value_name = "FILE", default_value = "docs/gallery.md")]
    page: PathBuf,
    /// The folder for the pictures; it lies beside the page, or below it.
    #[arg(long, value_name = "FOLDER", default_value = "docs/images/gallery")]
    pictures: PathBuf,
    /// The episode that is shown.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these skills; absent: all that the scenes have tasks for.
    #[arg(long, value_delimiter = ',')]
    skill: Vec<String>,
    /// Write the page anew; take no pictures.
    #[arg(long)]
    page_only: bool,
}

pub(super) fn run(arguments: &GalleryArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let mut registry: Option<PathBuf> = None;
    let mut is_good = true;
    for config in &arguments.config {
        let settings = crate::config::Settings::load(config)?;
        let none = || CliError::Usage(format!("{}: names no registry", config.display()));
        let file = settings.daemon.registry.clone().ok_or_else(none)?;
        let known = registry.get_or_insert_with(|| file.clone());
        if absolute(known)? != absolute(&file)? {
            let words = format!(
                "--config {}: registry = {}: the one before names {}: name one registry",
                config.display(),
                file.display(),
                known.display()
            );
            return Err(CliError::Usage(words));
        }
        if !arguments.page_only {
            is_good &= pictures(arguments, config, &file, out)?;
        }
    }
    let Some(file) = registry else { return Err(CliError::Usage("--config: name one".into())) };
    let page = gallery::page(&RegistryFile::load(&file)?)?;
    replace(&arguments.page, page.as_bytes())?;
    writeln!(out, "{}: written", arguments.page.display())?;
    Ok(if is_good { Exit::Done } else { Exit::No })
}

/// Pictures of a robot's skills, and their entries in the registry; whether all episodes succeeded.
fn pictures(
    arguments: &GalleryArguments,
    config: &Path,
    file: &Path,
    out: &mut impl Write,
) -> Result<bool, CliError> {
    let robot = crate::config::Settings::load(config)?.robot_settings.name;
    let known = RegistryFile::load(file)?;
    let heads = known.skills.keys().filter(|skill| known.active_head(skill, &robot).is_some());
    let mut proofs = Vec::new();
    let mut is_good = true;
    for skill in heads {
        let is_wanted = arguments.skill.is_empty() || arguments.skill.contains(skill);
        // Each by itself: heads may be made for different periods.
        let changes = Changes { skill: Some(skill), ..Changes::default() };
        let playground = Playground::load(config, &changes)?;
        let Some((_, entry)) = playground.registry.skill(skill) else { continue };
        if !is_wanted || playground.tasks.of(skill).is_err() {
            continue;
        }
        let camera = playground.view(skill)?;
        let stratum = playground.stratum("clean")?;
        let row = playground.evaluation([skill, skill], stratum, Conditions::default());
        let episode = row.episode(arguments.seed).map_err(CliError::Words)?;
        let stem = arguments.pictures.join(format!("{robot}_{skill}"));
        let media = media::draw(&row, &episode, &camera, &stem)?;
        let how = match &episode.trouble {
            _ if episode.success => format!("success after {:.2} s", episode.time_s),
            Some(trouble) => format!("FAILURE: {trouble}"),
            None => "FAILURE: too slow".into(),
        };
        writeln!(out, "{robot} {skill}: seed {}: {how}", arguments.seed)?;
        is_good &= episode.success;
        let [sheet, film] = [&media.sheet, &media.film].map(|picture| digest(picture));
        let proof = ProofEntry {
            contact_sheet: from(file, &media.sheet)?,
            contact_sheet_sha256: sheet?,
            animation: from(file, &media.film)?,
            animation_sha256: film?,
            gallery: from(file, &arguments.page)?,
            command: format!(
                "reflexd gallery --config {} --skill {skill} --seed {}",
                config.display(),
                arguments.seed
            ),
            onnx_sha256: entry.active.digests.get(1).cloned(),
        };
        proofs.push(([skill.clone(), robot.clone(), entry.active.name.clone()], proof));
    }
    registry::prove(file, &proofs).map_err(DaemonError::from)?;
    Ok(is_good)
}

fn digest(file: &Path) -> Result<String, CliError> {
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    Ok(digest_of(&fs::read(file).map_err(unreadable)?))
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    Ok(plain)
}

/// A path as a registry writes it: relative to the registry's folder.
fn from(registry: &Path, path: &Path) -> Result<PathBuf, CliError> {
    let (registry, path) = (absolute(registry)?, absolute(path)?);
    let folder = registry.parent().unwrap_or(Path::new(""));
    let shared = folder.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    Ok(up.chain(path.components().skip(shared)).collect())
}

/// Whole or not at all.
fn replace(file: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let partial = file.with_extension("part");
    let done = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, file));
    done.map_err(|error| {
        let _ = fs::remove_file(&partial);
        CliError::Words(format!("--page {}: cannot be written: {error}", file.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_from_the_registry() {
        let of =
            |path: &str| from(Path::new("models/registry.json"), Path::new(path)).expect("a path");
        assert_eq!(of("docs/images/a.png"), Path::new("../docs/images/a.png"));
        assert_eq!(of("models/a.png"), Path::new("a.png"));
        assert_eq!(of("models/../docs/./a.md"), Path::new("../docs/a.md"));
    }
}
