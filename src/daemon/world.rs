//! Backend settings to a backend, and to those who look at it.

use std::sync::Arc;

use motion::Robot;
use reflex::{
    Backend,
    backend::{loopback::Loopback, piper::Piper},
    realtime,
};

use super::{DaemonError, Reception};
use crate::{
    config::{BackendKind, Settings},
    wire::Service,
};

/// What there is to see of a simulated world, if there is one.
pub(super) struct Spectacle {
    #[cfg(feature = "mujoco")]
    pub(super) seats: Option<super::spectacle::Seats>,
}

impl Spectacle {
    /// Starts to show it.
    pub(super) fn show(
        self,
        service: &Arc<Service>,
        reception: &Reception,
    ) -> Result<(), DaemonError> {
        #[cfg(feature = "mujoco")]
        if let Some(seats) = self.seats {
            return seats.show(Arc::clone(service), reception.clone());
        }
        let _ = (service, reception);
        Ok(())
    }

    /// Whether there is anything to see.
    pub(super) const fn is_something(&self) -> bool {
        #[cfg(feature = "mujoco")]
        return self.seats.is_some();
        #[cfg(not(feature = "mujoco"))]
        false
    }

    const fn nothing() -> Self {
        Self {
            #[cfg(feature = "mujoco")]
            seats: None,
        }
    }
}

pub(super) fn build(
    settings: &Settings,
    robot: &Robot,
) -> Result<(Box<dyn Backend>, Spectacle), DaemonError> {
    match settings.daemon.backend {
        BackendKind::Loopback => {
            let home = settings.robot_settings.home()?;
            Ok((Box::new(Loopback::new(home, robot.period_s())), Spectacle::nothing()))
        }
        #[cfg(feature = "mujoco")]
        BackendKind::Mujoco => {
            let scene = scene(&settings.robot_settings)?;
            let (world, spectator) = reflex::backend::mujoco::Mujoco::new(&scene);
            let seats = super::spectacle::Seats::new(settings, spectator)?;
            Ok((Box::new(world), Spectacle { seats: Some(seats) }))
        }
        BackendKind::Piper => Ok((Box::new(piper(settings, robot)?), Spectacle::nothing())),
        #[cfg(not(feature = "mujoco"))]
        BackendKind::Mujoco => {
            Err(DaemonError::NotBuilt { file: settings.file.clone(), kind: "mujoco" })
        }
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
