//! All that an episode needs: a robot, its simulated world, its skills, and what an episode of each of them is.

use std::path::Path;

use motion::Robot;
use reflex::backend::mujoco::Scene;

use super::CliError;
use crate::{
    config::{CameraSettings, Settings},
    daemon::{self, DaemonError},
    evaluation::{Conditions, Evaluation, Stratum, Tasks},
    head::Manifest,
    skill::registry::{Registry, RegistryFile},
};

/// What a configuration comes to.
pub(super) struct Playground {
    pub(super) settings: Settings,
    pub(super) robot: Robot,
    pub(super) scene: Scene,
    pub(super) registry: Registry,
    pub(super) tasks: Tasks,
}

/// What is not to be as the configuration says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Changes<'a> {
    /// Only this skill is played: heads of others are not loaded, and the period is its head's.
    pub(super) skill: Option<&'a str>,
    /// Another scene.
    pub(super) scene: Option<&'a Path>,
    /// Another period of the loop.
    pub(super) period_ms: Option<u32>,
}

impl Playground {
    /// Reads a daemon's configuration and everything that it names, and proves the heads.
    pub(super) fn load(config: &Path, changes: &Changes<'_>) -> Result<Self, CliError> {
        let mut settings = Settings::load(config)?;
        let Some(mujoco) = &mut settings.robot_settings.mujoco else {
            return Err(CliError::Words("the robot has no [mujoco] table".into()));
        };
        if let Some(scene) = changes.scene {
            scene.clone_into(&mut mujoco.scene);
        }
        let tasks = Tasks::load(&mujoco.scene)?;
        let period_s = period_s(&settings, changes)?;
        let (robot, _) = daemon::guarded(&settings.robot_settings, period_s)?;
        let scene = daemon::scene(&settings.robot_settings)?;
        let registry = match changes.skill {
            Some(skill) => daemon::registry_of(&settings, period_s, skill)?,
            None => daemon::registry(&settings, period_s)?,
        };
        Ok(Self { settings, robot, scene, registry, tasks })
    }

    /// The proper names of a skill and of the task that it is given. A task is named as its skill is, not as one of the
    /// skill's aliases.
    pub(super) fn skill<'a>(
        &'a self,
        name: &'a str,
        task: Option<&'a str>,
    ) -> Result<(&'a str, &'a str), CliError> {
        let skill = self.registry.skill(name).map_or(name, |(name, _)| name);
        let task = task.unwrap_or(skill);
        self.tasks.of(task)?;
        Ok((skill, task))
    }

    /// A condition of the scene's evaluation file.
    pub(super) fn stratum(&self, name: &str) -> Result<&Stratum, CliError> {
        let strata = self.tasks.strata(&[name.to_owned()])?;
        strata.first().copied().ok_or_else(|| CliError::Usage(format!("no stratum {name:?}")))
    }

    /// Episodes of a skill with a task under a condition.
    pub(super) fn evaluation<'a>(
        &'a self,
        [skill, task]: [&'a str; 2],
        stratum: &'a Stratum,
        conditions: Conditions,
    ) -> Evaluation<'a> {
        let Self { robot, scene, registry, tasks, .. } = self;
        let robot = *robot;
        Evaluation {
            robot,
            scene,
            registry,
            skill,
            task,
            instruction: None,
            tasks,
            stratum,
            conditions,
        }
    }

    /// The camera of this name, or the first one; at least one is wanted.
    pub(super) fn camera(&self, name: Option<&str>) -> Result<&CameraSettings, CliError> {
        let cameras = &self.settings.daemon.cameras;
        let known: Vec<&str> = cameras.iter().map(|camera| camera.name.as_str()).collect();
        let found = cameras.iter().find(|camera| name.is_none_or(|name| camera.name == name));
        found.ok_or_else(|| {
            let of = self.settings.file.display();
            let wanted = name.map_or_else(String::new, |name| format!(" = {name:?}"));
            CliError::Usage(format!(
                "{of}: --camera{wanted}: the [[cameras]] are {known:?}: name one of them, or add one"
            ))
        })
    }

    /// The camera that sees a task best, with the pixels of the configuration's first one.
    pub(super) fn view(&self, task: &str) -> Result<CameraSettings, CliError> {
        let mut camera = self.camera(None)?.clone();
        if let Some(name) = &self.tasks.of(task)?.camera {
            camera.name.clone_from(name);
        }
        Ok(camera)
    }
}

/// The period that is asked for, or else the one that the skill's head was made for.
fn period_s(settings: &Settings, changes: &Changes<'_>) -> Result<f64, CliError> {
    if let Some(period_ms) = changes.period_ms {
        return Ok(f64::from(period_ms) / 1e3);
    }
    let of_loop = f64::from(settings.daemon.loop_.period_ms) / 1e3;
    let (Some(file), Some(skill)) = (&settings.daemon.registry, changes.skill) else {
        return Ok(of_loop);
    };
    let file = RegistryFile::load(file)?;
    let Some(head) = file.active_head(skill, &settings.robot_settings.name) else {
        return Ok(of_loop);
    };
    let manifest = Manifest::load(&head).map_err(DaemonError::from)?;
    Ok(manifest.timing.action_ms(of_loop * 1e3) / 1e3)
}
