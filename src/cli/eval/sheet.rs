//! A contact sheet of one episode: played again, which an episode allows, with somebody who takes pictures.

use std::path::{Path, PathBuf};

use reflex::backend::mujoco::{Camera, Renderer, Spectator};

use super::CliError;
use crate::{
    config::CameraSettings,
    evaluation::{Evaluation, Tally},
    picture::{Frame, Shot, contact_sheet},
};

/// Pictures on a sheet, and in a row of it.
const SHEET: (u32, usize) = (12, 4);

/// Draws the first episode of a row that failed, or its first one; returns the file.
pub(super) fn draw(
    row: &Evaluation<'_>,
    tally: &Tally,
    camera: Option<&CameraSettings>,
    folder: &Path,
) -> Result<PathBuf, CliError> {
    let words = |error: &dyn std::fmt::Display| CliError::Words(format!("--pictures: {error}"));
    let Some(settings) = camera else {
        return Err(words(&"the daemon's configuration has no [[cameras]] to look through"));
    };
    let failed = tally.episodes.iter().find(|episode| !episode.success);
    let Some(episode) = failed.or(tally.episodes.first()) else {
        return Err(words(&"no episode"));
    };
    let mut shots = Vec::new();
    let mut trouble = None;
    let mut camera: Option<Camera> = None;
    let every_s = episode.time_s / f64::from(SHEET.0 - 1);
    row.watched(episode.seed, &mut |time_s, spectator: &mut Spectator| {
        // The first look, then one at the end of each part.
        if time_s + 1e-9 < every_s * shots.len() as f64 || trouble.is_some() {
            return;
        }
        let size = (settings.width, settings.height);
        let taken = match &camera {
            Some(camera) => spectator.picture(camera),
            None => spectator.camera(&settings.name, size, Renderer::Rays).and_then(|made| {
                let taken = spectator.picture(&made);
                camera = Some(made);
                taken
            }),
        };
        match taken {
            Ok(image) => shots.push(Shot {
                frame: Frame { width: image.width, height: image.height, rgb: image.rgb },
                caption: format!("{time_s:.2} s"),
            }),
            Err(error) => trouble = Some(error.to_string()),
        }
    })
    .map_err(CliError::Words)?;
    if let Some(trouble) = trouble {
        return Err(words(&trouble));
    }
    if let Some(last) = shots.last_mut() {
        let why = episode.trouble.as_deref().unwrap_or("too slow");
        last.caption += &if episode.success { "  success".into() } else { format!("  {why}") };
    }
    let name = format!(
        "{}-{}-{}-{}-{}.png",
        row.skill, tally.stratum, tally.execute_steps, tally.delay_ticks, episode.seed
    );
    let file = folder.join(name);
    contact_sheet(&file, &shots, SHEET.1).map_err(|error| words(&error))?;
    Ok(file)
}
