//! Shows a simulated world: camera pictures and where its objects are. On a thread of its own, far from the loop.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reflex::backend::mujoco::{Camera, Renderer, Spectator};

use super::{DaemonError, Reception, spawn};
use crate::{
    config::{CameraSettings, ConfigError, RendererKind, Settings},
    picture::{Frame, jpeg},
    router::Thing,
    wire::Service,
};

/// How often it is told where the objects are.
const OBJECTS_EVERY: Duration = Duration::from_millis(50);
/// Quality of a camera's JPEG: text on a label stays readable.
const JPEG_QUALITY: u8 = 85;

/// Who looks, and through which cameras.
pub(super) struct Seats {
    spectator: Spectator,
    /// Each with the moment of its next picture.
    cameras: Vec<(CameraSettings, Camera, Instant)>,
}

impl Seats {
    pub(super) fn new(settings: &Settings, spectator: Spectator) -> Result<Self, DaemonError> {
        let cameras = settings.daemon.cameras.iter().map(|wanted| {
            let renderer = match wanted.renderer {
                RendererKind::Rays => Renderer::Rays,
                RendererKind::Egl => Renderer::Egl,
            };
            let size = (wanted.width, wanted.height);
            let camera = spectator.camera(&wanted.name, size, renderer).map_err(|error| {
                let remedy = format!(
                    "{error}; name a camera that the scene has, and a renderer that was built in"
                );
                ConfigError::value(&settings.file, "cameras.name", &wanted.name, remedy)
            })?;
            Ok((wanted.clone(), camera, Instant::now()))
        });
        let cameras = cameras.collect::<Result<_, DaemonError>>()?;
        Ok(Self { spectator, cameras })
    }

    fn look(&mut self, service: &Service, reception: &Reception) {
        if !self.spectator.look() {
            return;
        }
        let at_ns = self.spectator.at().map_or(0, |at| at.0);
        let thing = |(name, position_m): (&str, [f64; 3])| Thing {
            name: name.to_owned(),
            position_m,
            radius_m: self.spectator.radius(name),
            is_berry: name.contains("berry"),
        };
        let things: Vec<Thing> = self.spectator.objects().map(thing).collect();
        // A session that closes under us ends the daemon elsewhere; nobody is left to be told here.
        let _ = service.publish_objects(&things, at_ns);
        reception.see(things);
        for (settings, camera, due) in &mut self.cameras {
            let name = &settings.name;
            if Instant::now() < *due
                || !(service.is_watched(name) || reception.recorder().wants(name))
            {
                continue;
            }
            *due += Duration::from_secs_f64(1.0 / settings.rate_hz);
            *due = (*due).max(Instant::now() - OBJECTS_EVERY);
            let bytes = self.spectator.picture(camera).map_err(|error| error.to_string());
            let bytes = bytes.and_then(|image| {
                let frame = Frame { width: image.width, height: image.height, rgb: image.rgb };
                jpeg(&frame, JPEG_QUALITY).map_err(|error| error.to_string())
            });
            match bytes {
                Ok(bytes) => {
                    reception.recorder().show(name, at_ns, &bytes);
                    drop(service.publish_camera(name, at_ns, &bytes));
                }
                Err(error) => tracing::warn!(camera = settings.name, "no picture: {error}"),
            }
        }
    }
}

/// Shows whatever is to be seen from these seats, until nobody holds the service any more. Who sits there may change.
pub(super) fn show(
    seats: Arc<Mutex<Option<Seats>>>,
    service: &Arc<Service>,
    reception: Reception,
) -> Result<(), DaemonError> {
    let service = Arc::downgrade(service);
    spawn("reflex-cameras", move || {
        while let Some(service) = service.upgrade() {
            if let Some(seats) = &mut *seats.lock().unwrap_or_else(PoisonError::into_inner) {
                seats.look(&service, &reception);
            }
            drop(service);
            std::thread::sleep(OBJECTS_EVERY);
        }
    })?;
    Ok(())
}
