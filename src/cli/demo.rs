//! `reflexd demo`: a daemon as a process of its own, commanded over zenoh like any other, and pictures of what it did.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use motion::Joints;
use reflex::backend::mujoco::Scene;
use serde_json::{Value, json};

use super::{
    CliError, ConfigArguments, Exit,
    child::{Daemon, free_endpoint},
};
use crate::{
    config::Settings,
    evaluation::{Case, Judge, Object, Seen, Task, Tasks, Verdict},
    picture::{Shot, animation, contact_sheet, decode_jpeg},
    wire::{Client, Watch},
};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Pictures on the contact sheet, and in a row of it.
const SHEET: (usize, usize) = (12, 4);
/// Arguments of `reflexd demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The folder for the pictures.
    #[arg(long, value_name = "FOLDER", default_value = "out/demo")]
    out: PathBuf,
    /// The skill to show.
    #[arg(long, default_value = "pick_up")]
    skill: String,
}

pub(super) fn run(arguments: &DemoArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config.config)?;
    let (Some(mujoco), Some(camera)) =
        (&settings.robot_settings.mujoco, settings.daemon.cameras.first())
    else {
        let words =
            "the demo needs a robot with a [mujoco] table and a daemon with a [[cameras]] table";
        return Err(CliError::Words(format!("{}: {words}", settings.file.display())));
    };
    let tasks = Tasks::load(&mujoco.scene)?;
    let task = tasks.of(&arguments.skill)?;
    let site = task.goal.site().map(|site| -> Result<_, CliError> {
        let scene = crate::daemon::scene(&settings.robot_settings)?;
        let home = settings.robot_settings.home()?;
        scene.site_pose(site, &home).map_err(words)?;
        Ok(Site { scene, name: site, joints: home })
    });
    std::fs::create_dir_all(&arguments.out).map_err(|error| {
        CliError::Words(format!("--out {}: cannot be made: {error}", arguments.out.display()))
    })?;
    let log = arguments.out.join("daemon.log");
    let endpoint = free_endpoint()?;
    writeln!(out, "starting the daemon on {endpoint} (its log: {})", log.display())?;
    let mut daemon = Daemon::start(&arguments.config.config, &endpoint, &log)?;
    let client = daemon.connect(&settings.robot_settings.name, &endpoint, &log)?;
    let mut show = Show {
        objects: watch(&client, "objects")?,
        pictures: watch(&client, &format!("camera/{}", camera.name))?,
        state: watch(&client, "state/*")?,
        client,
        task,
        name: &task.objects[0],
        object: &tasks.objects[&task.objects[0]],
        site: site.transpose()?,
        shots: Vec::new(),
        mode: String::new(),
        object_m: [0.0; 3],
        frame_ms: (1e3 / camera.rate_hz).round() as u32,
    };
    let verdict = show.play(&arguments.skill, out)?;
    drop(daemon);
    show.develop(&arguments.out, out)?;
    match &verdict {
        Ok(seconds) => writeln!(out, "verdict: SUCCESS after {seconds:.1} s")?,
        Err(why) => writeln!(out, "verdict: FAILURE, {why}")?,
    }
    Ok(if verdict.is_ok() { Exit::Done } else { Exit::No })
}

fn words(error: impl std::fmt::Display) -> CliError {
    CliError::Words(error.to_string())
}

fn watch(client: &Client, pattern: &str) -> Result<Watch, CliError> {
    client.watch(pattern).map_err(words)
}

/// The site that a goal is about: where the joints that are told put it.
struct Site<'a> {
    scene: Scene,
    name: &'a str,
    joints: Joints,
}

impl Site<'_> {
    fn take_in(&mut self, message: &Value) {
        let told = message["position_rad_or_m"].as_array();
        let values: Option<Vec<f64>> =
            told.and_then(|values| values.iter().map(Value::as_f64).collect());
        if let Some(joints) = values.and_then(|values| Joints::from_slice(&values)) {
            self.joints = joints;
        }
    }

    fn at(&self) -> Option<[f64; 3]> {
        Some(self.scene.site_pose(self.name, &self.joints).ok()?.0)
    }
}

struct Show<'a> {
    client: Client,
    task: &'a Task,
    /// What is acted on.
    name: &'a str,
    object: &'a Object,
    site: Option<Site<'a>>,
    objects: Watch,
    pictures: Watch,
    state: Watch,
    shots: Vec<Shot>,
    mode: String,
    object_m: [f64; 3],
    frame_ms: u32,
}

impl Show<'_> {
    /// Seconds until it succeeded, or why it did not.
    fn play(&mut self, skill: &str, out: &mut impl Write) -> Result<Result<f64, String>, CliError> {
        let target = self.find(Duration::from_secs(5))?;
        let [x, y, z] = self.object_m;
        writeln!(out, "the {} lies at x {x:.3}, y {y:.3}, z {z:.3} m", self.name)?;
        self.command(out, "cmd/arm", &json!({ "operator": "demo" }))?;
        let middle = |[low, high]: [f64; 2]| low.midpoint(high);
        let radius = self.task.radius_m.map_or(self.object.radius_m, middle);
        let decision = json!({
            "v": 1,
            "decision_id": format!("demo-{}", std::process::id()),
            "skill": skill,
            "params": {
                "target_x": target[0], "target_y": target[1], "target_z": target[2],
                "radius": radius, "speed_hint": self.task.speed_hint[1],
                "object_is_berry": self.object.is_berry,
            },
            "ttl_ms": 2000,
            "source": "demo",
        });
        self.command(out, "decision", &decision)?;
        let mut judge = Judge::new(Case {
            goal: self.task.goal.clone(),
            rest_m: self.object.rest_m,
            target_m: target,
            radius_m: radius,
        });
        let (began, mut told) = (Instant::now(), Instant::now());
        while began.elapsed().as_secs_f64() < self.task.time_max_s {
            let seconds = began.elapsed().as_secs_f64();
            for seen in self.look(began) {
                match judge.look(&seen) {
                    Verdict::Open => {}
                    Verdict::Success => {
                        self.command(out, "cmd/hold", &json!({ "operator": "demo" }))?;
                        return Ok(Ok(seconds));
                    }
                    Verdict::Failure(why) => return Ok(Err(why.into())),
                }
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let lift_cm = (self.object_m[2] - self.object.rest_m) * 100.0;
                let (mode, name) = (&self.mode, self.name);
                writeln!(out, "  {seconds:4.1} s  {mode:<9} {name} {lift_cm:+5.1} cm")?;
            }
        }
        Ok(Err("it took too long".into()))
    }

    fn find(&mut self, within: Duration) -> Result<[f64; 3], CliError> {
        let began = Instant::now();
        while began.elapsed() < within {
            if let Some((_, message)) = self.objects.next(Duration::from_millis(200))
                && let Some(position) = position(&message, self.name)
            {
                self.object_m = position;
                return Ok(position);
            }
        }
        Err(CliError::Words(format!("`objects` tells of no {:?}", self.name)))
    }

    fn command(&self, out: &mut impl Write, key: &str, payload: &Value) -> Result<(), CliError> {
        let answer = self.client.ask(key, payload).map_err(words)?;
        let accepted = answer["accepted"] == true || answer["verdict"] == "accepted";
        writeln!(out, "{key}: {}", if accepted { "accepted" } else { "refused" })?;
        if accepted {
            return Ok(());
        }
        Err(CliError::Words(format!(
            "{key} was refused: {}",
            answer["reason"].as_str().unwrap_or("no reason given")
        )))
    }

    /// Takes in what has been told; a judge wants to see each pose of the tool once.
    fn look(&mut self, began: Instant) -> Vec<Seen> {
        if let Some((_, jpeg)) = self.pictures.next_bytes(Duration::from_millis(50))
            && let Ok(frame) = decode_jpeg(&jpeg)
        {
            let caption = format!("{:4.1} s  {}", began.elapsed().as_secs_f64(), self.mode);
            self.shots.push(Shot { frame, caption });
        }
        while let Some((_, message)) = self.objects.next(Duration::ZERO) {
            if let Some(position) = position(&message, self.name) {
                self.object_m = position;
            }
        }
        let mut seen = Vec::new();
        while let Some((name, message)) = self.state.next(Duration::ZERO) {
            if name == "state/joints"
                && let Some(mode) = message["mode"].as_str()
            {
                mode.clone_into(&mut self.mode);
                if let Some(site) = &mut self.site {
                    site.take_in(&message);
                }
            }
            if name == "state/tool"
                && let (Some(tool_m), Some(at_ns)) =
                    (numbers(&message["position_m"]), message["at_ns"].as_u64())
            {
                let time_s = at_ns as f64 / 1e9;
                let site_m = self.site.as_ref().and_then(Site::at).unwrap_or([f64::NAN; 3]);
                seen.push(Seen { time_s, object_m: self.object_m, tool_m, site_m });
            }
        }
        seen
    }

    fn develop(&self, folder: &Path, out: &mut impl Write) -> Result<(), CliError> {
        if self.shots.is_empty() {
            return Err(CliError::Words("the camera showed nothing: no pictures".into()));
        }
        let last = self.shots.len() - 1;
        let (count, columns) = SHEET;
        let chosen: Vec<Shot> =
            (0..count).map(|k| self.shots[last * k / (count - 1)].clone()).collect();
        let sheet = folder.join("contact_sheet.png");
        contact_sheet(&sheet, &chosen, columns).map_err(words)?;
        let film = folder.join("episode.gif");
        animation(&film, &self.shots, self.frame_ms).map_err(words)?;
        writeln!(out, "contact sheet: {}", sheet.display())?;
        writeln!(out, "animation:     {}", film.display())?;
        Ok(())
    }
}

fn position(message: &Value, object: &str) -> Option<[f64; 3]> {
    let told = message["objects"].as_array()?.iter().find(|told| told["name"] == object)?;
    Some([told["x"].as_f64()?, told["y"].as_f64()?, told["z"].as_f64()?])
}

fn numbers(value: &Value) -> Option<[f64; 3]> {
    let number = |axis: usize| value.as_array()?.get(axis)?.as_f64();
    Some([number(0)?, number(1)?, number(2)?])
}
