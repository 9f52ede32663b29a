//! Backend settings to a backend, and to those who look at it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use motion::{Joints, Robot};
use reflex::{
    Backend,
    backend::{
        loopback::Loopback,
        piper::{Piper, Watch},
        troubled::Troubled,
    },
    realtime,
    trouble::Troubles,
};

use super::{DaemonError, Reception};
use crate::{
    config::{BackendKind, Settings},
    wire::Service,
};

#[cfg(feature = "mujoco")]
pub(super) use super::spectacle::Seats;

/// Nothing is simulated that could be looked at: there are no seats.
#[cfg(not(feature = "mujoco"))]
pub(super) enum Seats {}

/// What chance has a part in, of faults on purpose.
const TROUBLE_SEED: u64 = 7;

/// A backend that is open and stands.
pub(super) struct Opened {
    pub(super) backend: Box<dyn Backend>,
    /// Those who can look at it, if it is a simulated world.
    pub(super) seats: Option<Seats>,
    /// Those who can look at its bus, if it has one.
    pub(super) watch: Option<Watch>,
}

/// What there is to see of the world that acts, if it is a simulated one. Clones are one.
#[derive(Clone, Default)]
pub(super) struct Spectacle {
    seats: Arc<Mutex<Option<Seats>>>,
    /// Whether there are any, for those who must not wait for a picture.
    shows: Arc<AtomicBool>,
}

impl Spectacle {
    /// Another world acts: those who looked at the one before come back.
    pub(super) fn reseat(&self, seats: Option<Seats>) -> Option<Seats> {
        self.shows.store(seats.is_some(), Ordering::Release);
        let mut present = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut present, seats)
    }

    /// Starts to show it.
    pub(super) fn show(
        self,
        service: &Arc<Service>,
        reception: &Reception,
    ) -> Result<(), DaemonError> {
        #[cfg(feature = "mujoco")]
        super::spectacle::show(self.seats, service, reception.clone())?;
        let _ = (service, reception);
        Ok(())
    }

    /// Whether there is anything to see, now.
    pub(super) fn is_something(&self) -> bool {
        self.shows.load(Ordering::Acquire)
    }
}

/// Opens a backend of this robot; a simulated one stands at `pose`, or where its settings have it, and behind the faults of a
/// board, if there is one. A real one never does.
pub(super) fn open(
    kind: BackendKind,
    settings: &Settings,
    robot: &Robot,
    pose: Option<&Joints>,
    troubles: Option<&Troubles>,
) -> Result<Opened, DaemonError> {
    match kind {
        BackendKind::Loopback => {
            let home = settings.robot_settings.home()?;
            let backend = Loopback::new(*pose.unwrap_or(&home), robot.period_s());
            Ok(Opened { backend: behind(backend, robot, troubles), seats: None, watch: None })
        }
        #[cfg(feature = "mujoco")]
        BackendKind::Mujoco => {
            let scene = scene(&settings.robot_settings)?;
            let (mut world, spectator) = reflex::backend::mujoco::Mujoco::new(&scene);
            if let Some(pose) = pose {
                world.pose(pose);
            }
            let seats = Seats::new(settings, spectator)?;
            Ok(Opened { backend: behind(world, robot, troubles), seats: Some(seats), watch: None })
        }
        BackendKind::Piper => {
            let piper = piper(settings, robot)?;
            let watch = Some(piper.watch());
            Ok(Opened { backend: Box::new(piper), seats: None, watch })
        }
        #[cfg(not(feature = "mujoco"))]
        BackendKind::Mujoco => {
            Err(DaemonError::NotBuilt { file: settings.file.clone(), kind: "mujoco" })
        }
    }
}

/// A simulated robot, behind the faults of a board if there is one.
fn behind(
    backend: impl Backend + 'static,
    robot: &Robot,
    troubles: Option<&Troubles>,
) -> Box<dyn Backend> {
    match troubles {
        Some(troubles) => {
            Box::new(Troubled::new(backend, robot.joints(), troubles.clone(), TROUBLE_SEED))
        }
        None => Box::new(backend),
    }
}

/// The arm on the bus of a robot's `[piper]` table, looked at and found fit.
///
/// # Errors
/// No such table, no such bus, or an arm that is not what the robot's file says.
pub(super) fn piper(settings: &Settings, robot: &Robot) -> Result<Piper, DaemonError> {
    let file = &settings.robot_settings.file;
    let Some(mut arm) = settings.robot_settings.piper()? else {
        let remedy = "give the robot a [piper] table";
        return Err(crate::config::ConfigError::value(file, "piper", "absent", remedy).into());
    };
    let wanted = &settings.daemon.loop_;
    arm.realtime = realtime::Settings {
        // A set-point is as urgent as the tick that it comes from; the loop itself goes first.
        priority: wanted.fifo_priority.filter(|priority| *priority > 1).map(|it| it - 1),
        cpu: wanted.cpu,
        lock_memory: false,
        ..realtime::Settings::default()
    };
    Piper::open(&arm, robot).map_err(|refused| DaemonError::Arm {
        robot: file.clone(),
        bus: arm.bus.to_string(),
        refused,
    })
}

/// The scene of a robot's `[mujoco]` table.
///
/// # Errors
/// No such table, a file that MuJoCo refuses, or a name that the model does not have.
#[cfg(feature = "mujoco")]
pub fn scene(
    robot: &crate::config::RobotSettings,
) -> Result<reflex::backend::mujoco::Scene, DaemonError> {
    use reflex::backend::mujoco::{JointNames, Scene};

    let Some(mujoco) = &robot.mujoco else {
        let remedy = "give the robot a [mujoco] table";
        return Err(
            crate::config::ConfigError::value(&robot.file, "mujoco", "absent", remedy).into()
        );
    };
    let names = robot.joints.iter().filter_map(|joint| mujoco.joints.get(joint.name()));
    let joints: Vec<JointNames> = names
        .map(|part| JointNames {
            joint: part.joint.clone(),
            actuator: part.actuator.clone(),
            scale: part.scale,
        })
        .collect();
    Scene::load(&mujoco.scene, &mujoco.keyframe, &joints).map_err(|error| DaemonError::Scene {
        scene: mujoco.scene.clone(),
        robot: robot.file.clone(),
        words: error.to_string(),
    })
}
