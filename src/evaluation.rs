//! Closed-loop episodes in lockstep: the same loop, law, thinker, skill and head as in the daemon, on virtual time.
//!
//! ```text
//! seed, stratum ──draw──► world, decision, trouble ──loop──► ticks ──judge──► success or failure
//! ```
//!
//! An episode is a function of its seed and its conditions: two runs give the same bits, and a failure is a seed to
//! repeat. What it is made of stands beside the scene ([`Tasks`]), and no skill has code of its own here.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use motion::{
    Controller, Epoch, Event, Joints, Mode, Nanos, Order, OrderId, Robot, Run, RunId, Tick, What,
};
use reflex::{
    Backend, Clock, Commander, Delivery, Listener, Loop,
    backend::{
        mujoco::{Mujoco, Scene, Spectator},
        noisy::{Noise, Noisy},
    },
    ports,
};
use serde::Serialize;

use crate::{
    encoder::{Encoder, Look, Words},
    head::EncoderTable,
    observation::{
        Params,
        embedding::{Embedding, Slot},
    },
    skill::{Assignment, Skill, policy::Policy, registry::Registry, think},
};

mod conditions;
mod draw;
mod judge;
mod tally;
mod task;

pub use conditions::{Conditions, Joining, NoJoining};
use draw::{Layout, Placed};
pub use judge::{Case, Judge, Seen, Verdict};
use tally::Watch;
pub use tally::{Smoothness, median, wilson_95};
pub use task::{Distractors, Goal, Object, Off, Push, Range, SCHEMA, Sigma, Stratum, Task, Tasks};

/// What is evaluated, and under which conditions.
#[derive(Clone)]
pub struct Evaluation<'a> {
    /// The robot under the law.
    pub robot: Robot,
    /// Its world.
    pub scene: &'a Scene,
    /// Its skills.
    pub registry: &'a Registry,
    /// Which of them.
    pub skill: &'a str,
    /// The task that it is given: mostly the one of its own name.
    pub task: &'a str,
    /// What is said; absent is what the task says.
    pub instruction: Option<&'a str>,
    /// What an episode is.
    pub tasks: &'a Tasks,
    /// The trouble.
    pub stratum: &'a Stratum,
    /// How chunks are asked for, delivered and joined.
    pub conditions: Conditions,
}

/// One episode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// The seed that repeats it.
    pub seed: u64,
    /// What was acted on.
    pub object: String,
    /// Where it was put.
    pub object_m: [f64; 3],
    /// Whether it succeeded.
    pub success: bool,
    /// Simulated seconds until it did, or until it was given up.
    pub time_s: f64,
    /// The figure that decides, see [`Judge::figure_m`].
    pub figure_m: Option<f64>,
    /// Ticks in which the safety filter changed a set-point.
    pub limited_ticks: u64,
    /// Ticks in which the guard made the robot brake before it touched something.
    pub barred_ticks: u64,
    /// How it moved.
    pub motion: Smoothness,
    /// Where the joints were at the end: the episode's fingerprint.
    pub final_joints: Vec<f64>,
    /// Why it failed or ended early, if it did.
    pub trouble: Option<String>,
    /// Whether the law faulted.
    pub faulted: bool,
}

/// The episodes of one stratum and one way to execute chunks.
#[derive(Clone, Debug, Serialize)]
pub struct Tally {
    /// The stratum.
    pub stratum: String,
    /// Steps executed of each chunk.
    pub execute_steps: u32,
    /// Ticks by which chunks reached the law late.
    pub delay_ticks: u32,
    /// Ticks by which they were asked ahead.
    pub lead_ticks: u32,
    /// How they were joined; `None` is what the head's manifest says.
    pub seam: Option<String>,
    /// Episodes that succeeded.
    pub successes: usize,
    /// The interval in which the share of successes lies with a probability of 95 %.
    pub wilson_95: [f64; 2],
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

    /// The share of episodes that succeeded.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.successes as f64 / self.episodes.len().max(1) as f64
    }

    /// Seeds of the episodes that failed.
    pub fn failures(&self) -> impl Iterator<Item = u64> {
        self.episodes.iter().filter(|episode| !episode.success).map(|episode| episode.seed)
    }
}

/// One tick of a skill, as an onlooker sees it.
pub struct Glance<'a> {
    /// Since the skill's begin, s.
    pub time_s: f64,
    /// What the loop saw and did in it.
    pub tick: &'a Tick,
    /// The world as it was when the tick's state was measured.
    pub world: &'a mut Spectator,
}

/// Sees each tick of the skill.
type Onlooker<'a> = &'a mut dyn FnMut(Glance<'_>);

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
        let plan = self.policy(self.layout(seed)?.params)?.plan();
        let successes = done.iter().filter(|episode| episode.success).count();
        Ok(Tally {
            stratum: self.stratum.name.clone(),
            execute_steps: plan.execute,
            delay_ticks: self.delivery(seed).ticks,
            lead_ticks: plan.lead,
            seam: self.conditions.joining.map(|joining| joining.to_string()),
            successes,
            wilson_95: wilson_95(successes, done.len()),
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
        self.watched(seed, &mut |_| ())
    }

    /// What the decision of an episode tells.
    ///
    /// # Errors
    /// A skill that does not fit the scene.
    pub fn params(&self, seed: u64) -> Result<Params, String> {
        Ok(self.layout(seed)?.params)
    }

    /// One episode, before the eyes of somebody who changes nothing.
    ///
    /// # Errors
    /// A skill or scene that does not fit the task.
    pub fn watched(&self, seed: u64, onlooker: Onlooker<'_>) -> Result<Episode, String> {
        let layout = self.layout(seed)?;
        let (world, spectator) = self.world(&layout)?;
        let (ports, commander, thinker, listener, switch) = ports();
        let law = Controller::new(self.robot);
        let delivery = self.delivery(seed);
        let turns = Loop::new(Clock::lockstep(), world, law, ports).delivering(delivery);
        let (sender, assignments) = mpsc::channel();
        let skill = Box::new(self.policy(layout.params)?);
        let plan = skill.plan();
        sender.send(Assignment { run: RUN, skill }).map_err(|error| error.to_string())?;
        let case = self.case(&layout)?;
        let mut stage = Stage {
            scene: self.scene,
            site: case.goal.site().map(str::to_owned),
            is_commanded: matches!(case.goal, Goal::Displace { .. }),
            commanded: Joints::zeros(self.robot.joints()),
            judge: Judge::new(case),
            tool: &self.tasks.tool,
            turns,
            commander,
            listener,
            spectator,
            period_s: self.robot.period_s(),
            ticks: self.ticks()?,
            is_exact: self.spread()? == 0.0,
            watch: Watch::new(&self.robot),
            tick: None,
            episode: Episode {
                seed,
                object_m: layout.things[0].position_m,
                object: layout.object,
                success: false,
                time_s: 0.0,
                figure_m: None,
                limited_ticks: 0,
                barred_ticks: 0,
                motion: Smoothness::default(),
                final_joints: Vec::new(),
                trouble: None,
                faulted: false,
            },
        };
        std::thread::scope(|scope| {
            let (failures, failed) = mpsc::channel();
            scope.spawn(move || {
                think(thinker, &assignments, |failure| {
                    let _ = failures.send(failure.reason);
                });
            });
            let played = stage.play(Run { id: RUN, plan, expires: Nanos(u64::MAX) }, onlooker);
            switch.quit();
            if let Ok(reason) = failed.try_recv() {
                stage.episode.trouble.get_or_insert(reason);
            }
            played
        })?;
        stage.episode.motion = stage.watch.told();
        stage.episode.figure_m = stage.judge.figure_m();
        Ok(stage.episode)
    }

    fn task(&self) -> Result<&Task, String> {
        self.tasks.of(self.task).map_err(|error| error.to_string())
    }

    /// How long an episode may last.
    fn ticks(&self) -> Result<u64, String> {
        let task = self.task()?;
        let ticks = (task.time_max_s / self.robot.period_s()).round() as u64;
        Ok(task.ticks_max.map_or(ticks, |most| ticks.min(u64::from(most))))
    }

    fn layout(&self, seed: u64) -> Result<Layout, String> {
        Layout::draw(self.tasks, self.task()?, self.stratum, seed, self.robot.joints())
    }

    /// The world as it is laid out, behind sensors as good as the stratum has them.
    fn world(&self, layout: &Layout) -> Result<(Box<dyn Backend>, Spectator), String> {
        let words = |error: reflex::backend::mujoco::SceneError| error.to_string();
        let mut scene = self.scene.clone();
        if layout.friction != 1.0 || layout.mass != 1.0 {
            let weighed = (layout.object.as_str(), layout.mass);
            let weighed = (!scene.is_still(&layout.object)).then_some(weighed);
            scene = scene.changed(layout.friction, weighed).map_err(words)?;
        }
        let is_still = |thing: &&Placed| self.scene.is_still(&thing.name);
        for thing in layout.things.iter().filter(is_still) {
            let [x, y, _] = thing.position_m;
            scene = scene.with_still(&thing.name, [x, y]).map_err(words)?;
        }
        let (mut world, spectator) = Mujoco::new(&scene);
        for thing in layout.things.iter().filter(|thing| !is_still(thing)) {
            world.place(&thing.name, thing.position_m, thing.yaw_rad).map_err(words)?;
        }
        world.pose(&self.start(layout)?);
        if let Some((body, push)) = &layout.push {
            world.push(body, push).map_err(words)?;
        }
        let Some(sigma) = self.stratum.noise else { return Ok((Box::new(world), spectator)) };
        let by_joint = |rad: f64, m: f64| {
            let mut joints = Joints::zeros(self.robot.joints());
            for (value, limits) in joints.iter_mut().zip(self.robot.limits()) {
                *value = if limits.gripper { m } else { rad };
            }
            joints
        };
        let noise = Noise {
            position: by_joint(sigma.rad, sigma.m),
            velocity: by_joint(sigma.rad_s, sigma.m_s),
        };
        Ok((Box::new(Noisy::new(world, noise, layout.noise_seed)), spectator))
    }

    /// How far from the keyframe the joints may start.
    fn spread(&self) -> Result<f64, String> {
        Ok(self.task()?.start_spread_rad.unwrap_or(self.tasks.start_spread_rad))
    }

    fn start(&self, layout: &Layout) -> Result<Joints, String> {
        let spread = self.spread()?;
        let mut start = self.scene.home();
        let limits = self.robot.limits().iter();
        for ((value, limits), share) in start.iter_mut().zip(limits).zip(&layout.start) {
            if !limits.gripper {
                let moved = *value + share * spread;
                *value = moved.clamp(limits.position_min, limits.position_max);
            }
        }
        Ok(start)
    }

    fn case(&self, layout: &Layout) -> Result<Case, String> {
        let Params { target_x, target_y, target_z, radius, .. } = layout.params;
        Ok(Case {
            goal: self.task()?.goal.clone(),
            rest_m: layout.things[0].position_m[2],
            target_m: [target_x, target_y, target_z],
            radius_m: radius,
        })
    }

    fn policy(&self, params: Params) -> Result<Policy, String> {
        let policy = self.registry.policy(self.skill, params)?;
        let policy = match policy.encoder() {
            None => policy,
            Some(encoder) => policy.seeing(self.embedding(&encoder)?),
        };
        Ok(self.conditions.of(policy, self.delivery(0).ticks))
    }

    /// What the head's own encoder makes of the task's words.
    fn embedding(&self, wanted: &EncoderTable) -> Result<Arc<Slot>, String> {
        let EncoderTable { name, fingerprint, .. } = wanted;
        let mut words = Words;
        let here = words.identity();
        if here.name != *name || !here.fingerprint.eq_ignore_ascii_case(fingerprint) {
            return Err(format!(
                "the head of {} sees embeddings of {name} ({fingerprint}), and this program encodes by {} ({}): take a \
                 head that was trained with it",
                self.skill, here.name, here.fingerprint
            ));
        }
        let said = self.instruction.or(self.task()?.instruction.as_deref());
        let Some(instruction) = said else {
            return Err(format!(
                "the head of {} sees an instruction, and the task {} has none: give it `instruction` in {}",
                self.skill,
                self.task,
                self.tasks.file.display()
            ));
        };
        let look = Look { instruction, image: None };
        let numbers = words.embed(&look).map_err(|error| error.to_string())?;
        Ok(Slot::holding(Embedding { numbers: (numbers as Box<[f32]>), at_ns: 0 }))
    }

    fn delivery(&self, seed: u64) -> Delivery {
        let wanted = self.conditions.delivery;
        let ticks = wanted.ticks + self.stratum.delay_ticks;
        Delivery { ticks, seed: wanted.seed ^ seed, ..wanted }
    }
}

const RUN: RunId = RunId(1);

struct Stage<'a> {
    judge: Judge,
    scene: &'a Scene,
    /// The site that the goal is about.
    site: Option<String>,
    /// Whether it is about where that is commanded to be.
    is_commanded: bool,
    commanded: Joints,
    tool: &'a str,
    turns: Loop,
    commander: Commander,
    listener: Listener,
    spectator: Spectator,
    period_s: f64,
    ticks: u64,
    /// Whether the pose that is adopted is to be the keyframe's to the bit.
    is_exact: bool,
    watch: Watch,
    /// The last one.
    tick: Option<Tick>,
    episode: Episode,
}

impl Stage<'_> {
    fn play(&mut self, run: Run, onlooker: Onlooker<'_>) -> Result<(), String> {
        if !self.is_exact {
            self.turn();
        }
        // In the first tick nothing has moved yet; in the second the body hangs in its motors.
        for (id, what) in [(1, What::Arm), (2, What::Begin(run))] {
            if !self.commander.send(Order { id: OrderId(id), epoch: Epoch(u64::MAX), what }) {
                self.episode.trouble = Some("the loop takes no orders".into());
            }
            self.turn();
            if id == 1 {
                let begun_m = self.site()?;
                self.judge.begin(begun_m);
            }
        }
        for tick in 1..=self.ticks {
            self.turn();
            self.episode.time_s = tick as f64 * self.period_s;
            let seen = self.seen()?;
            if let Some(tick) = &self.tick {
                let world = &mut self.spectator;
                onlooker(Glance { time_s: self.episode.time_s, tick, world });
            }
            if self.episode.faulted || self.episode.trouble.is_some() {
                break;
            }
            match self.judge.look(&seen) {
                Verdict::Open => {
                    self.episode.success = tick == self.ticks && self.judge.ends_well();
                }
                Verdict::Success => {
                    self.episode.success = true;
                    break;
                }
                Verdict::Failure(why) => {
                    self.episode.trouble = Some(why.into());
                    break;
                }
            }
        }
        Ok(())
    }

    fn seen(&mut self) -> Result<Seen, String> {
        self.spectator.look();
        let object_m = self.spectator.object(&self.episode.object);
        Ok(Seen {
            time_s: self.episode.time_s,
            object_m: object_m
                .ok_or_else(|| format!("{:?} is no free body", self.episode.object))?,
            tool_m: self.spectator.site(self.tool).map_err(|error| error.to_string())?,
            site_m: self.site()?,
        })
    }

    fn site(&mut self) -> Result<[f64; 3], String> {
        let Some(site) = &self.site else { return Ok([0.0; 3]) };
        self.spectator.look();
        let found = if self.is_commanded {
            self.scene.site_pose(site, &self.commanded).map(|(position_m, _)| position_m)
        } else {
            self.spectator.site(site)
        };
        found.map_err(|error| error.to_string())
    }

    fn turn(&mut self) {
        self.turns.turn();
        while let Some(report) = self.listener.next(Duration::ZERO) {
            let tick = &report.tick;
            let limited = tick.limited_by.iter().any(|limits| limits.0 != 0);
            self.episode.limited_ticks += u64::from(limited);
            self.episode.barred_ticks += u64::from(tick.barred.is_some());
            self.commanded = tick.applied;
            self.episode.final_joints = tick.state.position.to_vec();
            self.watch.look(tick);
            if let Mode::Faulted { why, .. } = tick.mode {
                self.episode.trouble = Some(format!("faulted: {why:?}"));
                self.episode.faulted = true;
            }
            for event in tick.events.as_slice() {
                if let Event::Refused(_, refusal) = event {
                    self.episode.trouble = Some(format!("refused: {refusal:?}"));
                }
            }
            self.tick = Some(report.tick);
        }
    }
}

#[cfg(test)]
mod draw_test;
#[cfg(test)]
mod judge_test;
