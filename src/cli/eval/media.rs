//! A contact sheet and an animated picture of one episode: played again, which an episode allows, with somebody who
//! takes pictures.

use std::path::{Path, PathBuf};

use reflex::backend::mujoco::{Camera, Renderer};

use super::CliError;
use crate::{
    config::CameraSettings,
    evaluation::{Episode, Evaluation, Glance},
    picture::{Frame, PictureError, Shot, animation_within, contact_sheet},
};

/// Pictures on a sheet, and in a row of it.
const SHEET: (usize, usize) = (12, 4);
/// Pictures of an episode that is as long as its task allows; a page shows them at least as fast as they happened.
const FRAMES_MAX: usize = 121;
/// The shortest time that viewers keep between two pictures.
const FRAME_MIN_S: f64 = 0.05;
/// An animated picture is to be small enough for a page that shows many.
const FILM_BYTES_MAX: usize = 600_000;

/// Pictures of one episode.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Media {
    /// The contact sheet, a PNG.
    pub(in crate::cli) sheet: PathBuf,
    /// The animated picture, a GIF.
    pub(in crate::cli) film: PathBuf,
}

/// Plays an episode of a row again and writes `stem.png` and `stem.gif`.
pub(in crate::cli) fn draw(
    row: &Evaluation<'_>,
    episode: &Episode,
    camera: &CameraSettings,
    stem: &Path,
) -> Result<Media, CliError> {
    let words = |error: PictureError| CliError::Words(error.to_string());
    let (every_s, mut shots) = taken(row, episode, camera)?;
    if let Some(last) = shots.last_mut() {
        let why = episode.trouble.as_deref().unwrap_or("too slow");
        last.caption += &if episode.success { "  success".into() } else { format!("  {why}") };
    }
    let ending = |ending: &str| {
        let name = stem.file_name().unwrap_or_default().to_string_lossy();
        stem.with_file_name(format!("{name}.{ending}"))
    };
    let media = Media { sheet: ending("png"), film: ending("gif") };
    let count = SHEET.0.min(shots.len());
    let at = |k: usize| (shots.len() - 1) * k / (count - 1).max(1);
    let chosen: Vec<Shot> = (0..count).map(|k| shots[at(k)].clone()).collect();
    contact_sheet(&media.sheet, &chosen, SHEET.1).map_err(words)?;
    animation_within(&media.film, &shots, (every_s * 1e3).round() as u32, FILM_BYTES_MAX)
        .map_err(words)?;
    Ok(media)
}

/// Pictures at even times, and how far they are apart, s.
fn taken(
    row: &Evaluation<'_>,
    episode: &Episode,
    settings: &CameraSettings,
) -> Result<(f64, Vec<Shot>), CliError> {
    let period_s = row.robot.period_s();
    // As many ticks from one picture to the next as give no more than are wanted, and not more than viewers show.
    let ticks = (episode.time_s / period_s / (FRAMES_MAX - 1) as f64).ceil();
    let every_s = (ticks * period_s).max((FRAME_MIN_S / period_s).ceil() * period_s);
    let mut shots: Vec<Shot> = Vec::new();
    let mut trouble = None;
    let mut camera: Option<Camera> = None;
    row.watched(episode.seed, &mut |glance: Glance<'_>| {
        let Glance { time_s, world: spectator, .. } = glance;
        let is_last = time_s + 0.5 * period_s > episode.time_s;
        let is_due = time_s + 1e-9 >= every_s * shots.len() as f64 || is_last;
        if !is_due || trouble.is_some() {
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
    match trouble {
        Some(trouble) => Err(CliError::Words(format!("camera {:?}: {trouble}", settings.name))),
        None if shots.is_empty() => {
            Err(CliError::Words(format!("seed {}: no pictures", episode.seed)))
        }
        None => Ok((every_s, shots)),
    }
}
