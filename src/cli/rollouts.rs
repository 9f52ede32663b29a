//! `reflexd rollouts`: episodes of a skill, written as data to train on.

use std::{fs, io::Write, path::PathBuf, sync::PoisonError};

use clap::{Args, ValueEnum};
use reflex::Delivery;

use super::{
    CliError, ConfigArguments, Exit, json,
    playground::{Changes, Playground},
    progress::Progress,
};
use crate::{
    action::Body,
    config::{ConfigError, JointSettings},
    daemon::DaemonError,
    evaluation::Conditions,
    head::digest_of,
    rollouts::{self, Format, Plan, RolloutError, SCHEMA, Store},
};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// JSON lines with images: observation, instruction and action chunk; and skill with parameters.
    Vla,
    /// A LeRobotDataset v3.0: Parquet and MP4.
    Lerobot,
    /// Both.
    Both,
}

/// Arguments of `reflexd rollouts`.
#[derive(Debug, Args)]
pub(super) struct RolloutsArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The skill.
    #[arg(long)]
    skill: String,
    /// Another scene for the same robot, with its evaluation file beside it.
    #[arg(long, value_name = "FILE")]
    scene: Option<PathBuf>,
    /// How many episodes are played.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    episodes: u64,
    /// Seed of the first episode; the others follow it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder: a new or empty one, or one where the same was begun.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// What is written.
    #[arg(long, value_enum, default_value_t = Kind::Both)]
    format: Kind,
    /// Which of the configuration's [[cameras]] sees it; absent: the first one.
    #[arg(long)]
    camera: Option<String>,
    /// Pixels of a picture; absent: as the configuration has it.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = pixels)]
    size: Option<[usize; 2]>,
    /// The condition, of the scene's evaluation file.
    #[arg(long, default_value = "clean")]
    stratum: String,
    /// Ticks by which chunks reach the law late, beyond what the condition says.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=64))]
    delay: u32,
    /// What is said; several take turns. Absent: the task's own words, or the skill's name in words.
    #[arg(long, value_name = "TEXT")]
    instruction: Vec<String>,
    /// Leave out episodes that fail.
    #[arg(long)]
    succeeded_only: bool,
    /// Actions in a row's chunk (vla).
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256))]
    chunk: u16,
    /// A row for every n-th tick (vla).
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    stride: u16,
    /// Quality of the pictures, as JPEG knows it.
    #[arg(long, default_value_t = 92, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
}

fn pixels(words: &str) -> Result<[usize; 2], String> {
    let sides: Vec<usize> = words.split('x').filter_map(|side| side.parse().ok()).collect();
    match sides[..] {
        [width, height] if (16..=4096).contains(&width) && (16..=4096).contains(&height) => {
            Ok([width, height])
        }
        _ => Err("write width and height, 16 to 4096 each, as in 320x240".into()),
    }
}

pub(super) fn run(arguments: &RolloutsArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let changes = Changes {
        skill: Some(&arguments.skill),
        scene: arguments.scene.as_deref(),
        ..Changes::default()
    };
    let playground = Playground::load(&arguments.config.config, &changes)?;
    let (skill, _) = playground.skill(&arguments.skill, None)?;
    let body = Body::load(&playground.settings.robot_settings).map_err(DaemonError::from)?;
    let plan = plan(arguments, &playground, skill, &body)?;
    let stratum = playground.stratum(&arguments.stratum)?;
    let conditions =
        Conditions { delivery: Delivery::late(arguments.delay), ..Conditions::default() };
    let row = playground.evaluation([skill, skill], stratum, conditions);

    let (store, is_done) = Store::open(&arguments.out, plan)?;
    if is_done {
        writeln!(
            out,
            "{}: done before; nothing was written",
            store.path("summary.json").display()
        )?;
        return Ok(Exit::Done);
    }
    let (plan, all) = (store.plan(), arguments.episodes);
    let before = (0..all).filter(|index| store.has(*index)).count() as u64;
    if before > 0 {
        writeln!(out, "{before} of {all} episodes were played before")?;
    }
    let mut bar = Progress::new("playing", all, before);
    let mut succeeded = 0;
    for index in (0..all).filter(|index| !store.has(*index)) {
        let (trace, images) = rollouts::record(&row, &body, plan, index)?;
        store.keep(&trace, &images)?;
        succeeded += u64::from(trace.success);
        bar.step(&format!("{succeeded} succeeded"));
    }
    bar.end();
    let mut bar = Progress::new("writing", all, 0);
    let summary = rollouts::write(&store, || bar.step("episodes"))?;
    bar.end();
    writeln!(out, "{}", json(&summary)?)?;
    writeln!(out, "written: {}", arguments.out.display())?;
    Ok(Exit::Done)
}

fn plan(
    arguments: &RolloutsArguments,
    playground: &Playground,
    skill: &str,
    body: &Body,
) -> Result<Plan, CliError> {
    let robot = &playground.settings.robot_settings;
    let camera = playground.camera(arguments.camera.as_deref())?;
    let Some((_, entry)) = playground.registry.skill(skill) else {
        return Err(CliError::Usage(format!("--skill {skill}: the registry has no such skill")));
    };
    let Some(head) = entry.active.head() else {
        let words = format!("--skill {skill}: it runs no head: choose a skill that was trained");
        return Err(CliError::Usage(words));
    };
    let scene = playground.tasks.file.with_extension("xml");
    let digest = |file: PathBuf| match fs::read(&file) {
        Ok(bytes) => Ok(digest_of(&bytes)),
        Err(source) => Err(ConfigError::Unreadable { file, source }),
    };
    let limits = robot.joints.iter().map(JointSettings::limits);
    let onnx_sha256 = {
        let head = head.lock().unwrap_or_else(PoisonError::into_inner);
        head.manifest().sha256.clone()
    };
    let said = &arguments.instruction;
    let own = playground.tasks.of(skill)?.instruction.clone();
    let own = own.unwrap_or_else(|| skill.replace('_', " "));
    if let Some(silent) = said.iter().position(|text| text.trim().is_empty()) {
        return Err(CliError::Usage(format!("--instruction number {}: say something", silent + 1)));
    }
    Ok(Plan {
        schema: SCHEMA.into(),
        robot: robot.name.clone(),
        joints: body.joints.clone(),
        joint_ranges: limits.map(|limits| [limits.position_min, limits.position_max]).collect(),
        arms: body.arms.iter().map(|arm| arm.name.clone()).collect(),
        period_s: playground.robot.period_s(),
        skill: skill.into(),
        policy: entry.active.name.clone(),
        onnx_sha256,
        scene_sha256: [digest(scene)?, digest(playground.tasks.file.clone())?],
        stratum: arguments.stratum.clone(),
        delay_ticks: arguments.delay,
        episodes: arguments.episodes,
        seed: arguments.seed,
        succeeded_only: arguments.succeeded_only,
        instructions: if said.is_empty() { vec![own] } else { said.clone() },
        camera: camera.name.clone(),
        picture_px: arguments.size.unwrap_or([camera.width, camera.height]),
        jpeg_quality: arguments.quality,
        format: match arguments.format {
            Kind::Vla => Format::Vla,
            Kind::Lerobot => Format::LeRobot,
            Kind::Both => Format::Both,
        },
        chunk_steps: arguments.chunk.into(),
        stride: arguments.stride.into(),
    })
}

impl From<RolloutError> for CliError {
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::Foreign { .. }
            | RolloutError::OtherPlan { .. }
            | RolloutError::NoWholeRate { .. } => Self::Usage(error.to_string()),
            error => Self::Words(error.to_string()),
        }
    }
}
