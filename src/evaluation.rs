//! Closed-loop episodes in lockstep: the same loop, law, thinker, skill and head as in the daemon, on virtual time.
//!
//! An episode is a function of its seed: two runs give the same bits, and a failure is a seed to repeat.

use std::{
    path::Path,
    sync::mpsc,
    time::{Duration, Instant},
};

use motion::{Controller, Epoch, Event, Mode, Nanos, Order, OrderId, Robot, Run, RunId, What};
use reflex::{
    Clock, Commander, Listener, Loop,
    backend::mujoco::{Mujoco, Scene, Spectator},
    ports,
};
use serde::{Deserialize, Serialize};

use crate::{
    config::{ConfigError, parse},
    observation::Params,
    skill::{Assignment, Skill, registry::Registry, think},
};

/// What an episode of one skill is: a table of the scene's evaluation file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The body that is acted on.
    pub object: String,
    /// Where it is put, drawn evenly, metres in the base frame.
    pub x_m: [f64; 2],
    /// The same, across.
    pub y_m: [f64; 2],
    /// Height of its centre at rest.
    pub z_m: f64,
    /// Its radius, as decisions tell it.
    pub radius_m: f64,
    /// Success: so far above where it rested.
    pub lift_m: f64,
    /// For so long without a break.
    pub hold_s: f64,
    /// An episode that takes longer has failed.
    pub time_max_s: f64,
}

#[derive(Deserialize)]
struct File {
    schema: String,
    #[serde(flatten)]
    tasks: std::collections::BTreeMap<String, Task>,
}

impl Task {
    /// The task of a skill, from the file beside a scene.
    ///
    /// # Errors
    /// A file that is missing or malformed, or has no such skill.
    pub fn load(scene: &Path, skill: &str) -> Result<Self, ConfigError> {
        let path = scene.with_extension("toml");
        let mut file: File = parse(&path)?;
        if file.schema != "reflex.evaluation.v1" {
            return Err(ConfigError::value(
                &path,
                "schema",
                file.schema,
                "write reflex.evaluation.v1",
            ));
        }
        let known: Vec<String> = file.tasks.keys().cloned().collect();
        file.tasks.remove(skill).ok_or_else(|| {
            let remedy = format!("the scene has tasks for {}", known.join(", "));
            ConfigError::value(&path, "skill", skill, remedy)
        })
    }
}

/// What is evaluated.
pub struct Evaluation<'a> {
    /// The robot under the law.
    pub robot: Robot,
    /// Its world.
    pub scene: &'a Scene,
    /// Its skills.
    pub registry: &'a Registry,
    /// Which of them.
    pub skill: &'a str,
    /// What an episode is.
    pub task: &'a Task,
    /// Steps executed of each chunk; `None` is what the head's manifest says.
    pub execute: Option<u32>,
}

/// One episode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// The seed that repeats it.
    pub seed: u64,
    /// Where the object was put.
    pub object_m: [f64; 3],
    /// Whether it succeeded.
    pub success: bool,
    /// Simulated seconds until it did, or until it was given up.
    pub time_s: f64,
    /// Highest point of the object above where it rested.
    pub lift_max_m: f64,
    /// Ticks in which the safety filter changed a set-point.
    pub limited_ticks: u64,
    /// Where the joints were at the end: the episode's fingerprint.
    pub final_joints: Vec<f64>,
    /// Why it ended early, if it did.
    pub trouble: Option<String>,
}

/// The episodes of one way to execute chunks.
#[derive(Clone, Debug, Serialize)]
pub struct Tally {
    /// Steps executed of each chunk.
    pub execute_steps: u32,
    /// Episodes that succeeded.
    pub successes: usize,
    /// All of them.
    pub episodes: Vec<Episode>,
    /// Wall time, seconds.
    pub wall_s: f64,
    /// Simulated time, seconds.
    pub simulated_s: f64,
}

impl Tally {
    /// How many times faster than real time it ran.
    #[must_use]
    pub fn speedup(&self) -> f64 {
        self.simulated_s / self.wall_s
    }

    /// Seeds of the episodes that failed.
    pub fn failures(&self) -> impl Iterator<Item = u64> {
        self.episodes.iter().filter(|episode| !episode.success).map(|episode| episode.seed)
    }
}

impl Evaluation<'_> {
    /// Runs episodes with seeds `seed`, `seed + 1`, ...; `progress` hears of each.
    ///
    /// # Errors
    /// A skill or scene that does not fit the task.
    pub fn run(
        &self,
        seed: u64,
        episodes: u64,
        mut progress: impl FnMut(&Episode),
    ) -> Result<Tally, String> {
        let began = Instant::now();
        let mut done = Vec::new();
        for k in 0..episodes {
            let episode = self.episode(seed.wrapping_add(k))?;
            progress(&episode);
            done.push(episode);
        }
        let plan = self.policy(self.target(seed))?.plan();
        Ok(Tally {
            execute_steps: plan.execute,
            successes: done.iter().filter(|episode| episode.success).count(),
            simulated_s: done.iter().map(|episode| episode.time_s).sum(),
            wall_s: began.elapsed().as_secs_f64(),
            episodes: done,
        })
    }

    /// One episode.
    ///
    /// # Errors
    /// A skill or scene that does not fit the task.
    pub fn episode(&self, seed: u64) -> Result<Episode, String> {
        let object_m = self.target(seed);
        let (mut world, spectator) = Mujoco::new(self.scene);
        world.place(&self.task.object, object_m).map_err(|error| error.to_string())?;
        let (ports, commander, thinker, listener, switch) = ports();
        let law = Controller::new(self.robot);
        let turns = Loop::new(Clock::lockstep(), Box::new(world), law, ports);
        let (sender, assignments) = mpsc::channel();
        let skill = Box::new(self.policy(object_m)?);
        let plan = skill.plan();
        sender.send(Assignment { run: RUN, skill }).map_err(|error| error.to_string())?;
        let mut stage = Stage {
            task: self.task,
            turns,
            commander,
            listener,
            spectator,
            period_s: self.robot.period_s(),
            episode: Episode {
                seed,
                object_m,
                success: false,
                time_s: 0.0,
                lift_max_m: 0.0,
                limited_ticks: 0,
                final_joints: Vec::new(),
                trouble: None,
            },
        };
        std::thread::scope(|scope| {
            let (failures, failed) = mpsc::channel();
            scope.spawn(move || {
                think(thinker, &assignments, |failure| {
                    let _ = failures.send(failure.reason);
                });
            });
            stage.play(Run { id: RUN, plan, expires: Nanos(u64::MAX) });
            switch.quit();
            if let Ok(reason) = failed.try_recv() {
                stage.episode.trouble.get_or_insert(reason);
            }
        });
        Ok(stage.episode)
    }

    fn policy(&self, target: [f64; 3]) -> Result<crate::skill::policy::Policy, String> {
        let params = Params {
            target_x: target[0],
            target_y: target[1],
            target_z: target[2],
            radius: self.task.radius_m,
            speed_hint: 1.0,
            object_is_berry: true,
        };
        let policy = self.registry.policy(self.skill, params)?;
        Ok(match self.execute {
            Some(steps) => policy.executing(steps),
            None => policy,
        })
    }

    fn target(&self, seed: u64) -> [f64; 3] {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut within = |[low, high]: [f64; 2]| low + random.f64() * (high - low);
        [within(self.task.x_m), within(self.task.y_m), self.task.z_m]
    }
}

const RUN: RunId = RunId(1);

struct Stage<'a> {
    task: &'a Task,
    turns: Loop,
    commander: Commander,
    listener: Listener,
    spectator: Spectator,
    period_s: f64,
    episode: Episode,
}

impl Stage<'_> {
    fn play(&mut self, run: Run) {
        self.turn();
        for (id, what) in [(1, What::Arm), (2, What::Begin(run))] {
            if !self.commander.send(Order { id: OrderId(id), epoch: Epoch(u64::MAX), what }) {
                self.episode.trouble = Some("the loop takes no orders".into());
            }
            self.turn();
        }
        let ticks = |seconds: f64| (seconds / self.period_s).round() as u64;
        let (time_max, hold) = (ticks(self.task.time_max_s), ticks(self.task.hold_s));
        let mut held = 0;
        for tick in 0..time_max {
            self.turn();
            if self.episode.trouble.is_some() {
                break;
            }
            held = if self.lift() >= self.task.lift_m { held + 1 } else { 0 };
            self.episode.time_s = (tick + 1) as f64 * self.period_s;
            if held >= hold {
                self.episode.success = true;
                break;
            }
        }
    }

    fn turn(&mut self) {
        self.turns.turn();
        while let Some(report) = self.listener.next(Duration::ZERO) {
            let tick = &report.tick;
            let limited = tick.limited_by.iter().any(|limits| limits.0 != 0);
            self.episode.limited_ticks += u64::from(limited);
            self.episode.final_joints = tick.state.position.to_vec();
            if let Mode::Faulted { why, .. } = tick.mode {
                self.episode.trouble = Some(format!("faulted: {why:?}"));
            }
            for event in tick.events.as_slice() {
                if let Event::Refused(_, refusal) = event {
                    self.episode.trouble = Some(format!("refused: {refusal:?}"));
                }
            }
        }
    }

    fn lift(&mut self) -> f64 {
        self.spectator.look();
        let height = self.spectator.object(&self.task.object).map_or(0.0, |position| position[2]);
        let lift = height - self.task.z_m;
        self.episode.lift_max_m = self.episode.lift_max_m.max(lift);
        lift
    }
}
