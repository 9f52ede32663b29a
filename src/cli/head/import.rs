//! `reflexd head import`: a head of what a trainer has left behind, and of what its user knows.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{CliError, ConfigArguments, Exit, show};
use crate::{
    config::{RobotSettings, Settings},
    daemon,
    head::{At, Manifest},
    importing::{
        self, Action, Factor, ImportError, Imported, InputTold, OpenpiNorm, Request,
        RouterImported, RouterRequest, Source, Told, Units,
    },
};

pub(super) const EXAMPLES: &str = "The head is loaded and its golden vectors are run before anything is written.
docs/import.md says what each source has, and what has to be told.

Examples:
  reflexd head import --from lerobot outputs/my_act/pretrained_model --skill pick_up \\
    --period-ms 33.333 --joints joint1,joint2,joint3,joint4,joint5,joint6,gripper --units deg --scale gripper=0.0007 \\
    --input observation.environment_state=decision:target_x,target_y,target_z --out models/heads/my_act.toml
  reflexd head import --from onnx my.onnx --template > my.spec.toml
  reflexd head import --from onnx my.onnx --spec my.spec.toml --out models/heads/my.toml
  reflexd head import --from openpi assets/my_data/norm_stats.json --onnx my.onnx --delta 6,-1 --skill pick_up \\
    --period-ms 50 --joints joint1,joint2,joint3,joint4,joint5,joint6,gripper --units rad --out models/heads/my.toml
  reflexd head import --from npz articulated_go_to_point_clock.npz --layout fireboy_clock --task go_to_point \\
    --out /tmp/heads/go_to_point.toml
  reflexd head import --from pt router_skill_param_head.pt --robot fireboy --out /tmp/heads/router.toml
  reflexd head import --from npz policy.npz --input joint_position+previous_action --action range --skill walk_to \\
    --period-ms 16 --joints joint1,joint2,joint3,joint4,joint5,joint6,gripper --units rad --out models/heads/walk.toml";

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArguments {
    /// What it is made of.
    #[arg(long, value_enum)]
    from: Format,
    /// The policy's file or folder.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The network, for openpi; for LeRobot, if it is not the folder's policy.onnx.
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// The manifest that is written; the network goes beside it.
    #[arg(long, value_name = "FILE", required_unless_present = "template")]
    out: Option<PathBuf>,
    /// Overwrite what is there.
    #[arg(long)]
    force: bool,
    /// Print a file for --spec, and do nothing else.
    #[arg(long)]
    template: bool,
    /// A file with what the flags below tell.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// The encoder whose embeddings a router's head was trained with. With --from pt.
    #[arg(long, value_name = "NAME")]
    encoder: Option<String>,
    /// The prompt that its instructions were put into. With --from pt.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// What the encoder tells of itself, 64 hex digits. Left out, no encoder's embeddings are taken. With --from pt.
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<String>,
    /// A published layout: such a file, or the name of one in models/imports. Flags and --spec count more.
    #[arg(long, value_name = "FILE|NAME")]
    layout: Option<PathBuf>,
    /// The robot: its file, or the name of one beside the configuration; the configuration's robot, if left out.
    #[arg(long, value_name = "FILE|NAME")]
    robot: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    told: ToldArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A perceptron in a .npz file, as the Fire Boy project has them.
    Npz,
    /// An ONNX network.
    Onnx,
    /// A folder that LeRobot's save_pretrained wrote (ACT).
    Lerobot,
    /// openpi's norm_stats.json, with --onnx.
    Openpi,
    /// A router's head that torch.save wrote, as the Fire Boy project has one; read by python3.
    Pt,
}

/// What no file says.
#[derive(Debug, Args)]
#[command(next_help_heading = "What no file says")]
struct ToldArguments {
    /// The skill that it carries out.
    #[arg(long)]
    skill: Option<String>,
    /// The head's name; that of the file, if left out.
    #[arg(long)]
    name: Option<String>,
    /// Which of the layout's tasks it was trained for.
    #[arg(long)]
    task: Option<String>,
    /// The time from one action to the next that it was trained for.
    #[arg(long, value_name = "MS")]
    period_ms: Option<f64>,
    /// In which loop it may run: one of that period, or any, an action for each tick. Its own, if left out.
    #[arg(long, value_enum)]
    at: Option<AtArgument>,
    /// The robot's joints, in the order of the policy's actions.
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    joints: Vec<String>,
    /// In what it counts angles; lengths are in m.
    #[arg(long, value_enum)]
    units: Option<UnitsArgument>,
    /// What one of its units is in rad or m, where it is another one: gripper=0.0007. May be repeated.
    #[arg(long, value_name = "JOINT=SI")]
    scale: Vec<Factor>,
    /// What stands in an input, in order: TENSOR=joint_position+decision:target_x,target_y. May be repeated; TENSOR= may
    /// be left out where there is one.
    #[arg(long, value_name = "[TENSOR=]FEATURES")]
    input: Vec<InputTold>,
    /// What an action is: a target, or a place in the joint's range (-1 to +1). Absolute, if left out.
    #[arg(long, value_enum)]
    action: Option<ActionArgument>,
    /// How much of the previous action a place in a range keeps, 0 to less than 1.
    #[arg(long, value_name = "SHARE")]
    smoothing: Option<f64>,
    /// Which columns are displacements from the observed state, as openpi counts them: 6,-1 is six are, one is not.
    #[arg(long, value_name = "RUNS", value_delimiter = ',', allow_hyphen_values = true)]
    delta: Vec<i64>,
    /// Which of openpi's statistics count: quantile, or z-score for pi0.
    #[arg(long, value_enum, default_value = "quantile")]
    norm: NormArgument,
    /// Steps of a chunk that stands in one row.
    #[arg(long, value_name = "N")]
    chunk_steps: Option<u32>,
    /// Steps that are executed before the next chunk is wanted.
    #[arg(long, value_name = "N")]
    execute_steps: Option<u32>,
    /// Ask so many ticks ahead; the loop waits for it, if left out.
    #[arg(long, value_name = "N")]
    prefetch_ticks: Option<u32>,
    /// How long it may take; half of the time that there is, if left out.
    #[arg(long, value_name = "MS")]
    deadline_ms: Option<f64>,
    /// The bound on normalised inputs, in standard deviations; none, if left out.
    #[arg(long, value_name = "STD")]
    clip: Option<f64>,
    /// The smallest standard deviation that an input is divided by, in its own units.
    #[arg(long, value_name = "STD")]
    std_floor: Option<f64>,
    /// How far golden actions may be away, rad or m; 1e-4, if left out.
    #[arg(long)]
    tolerance: Option<f64>,
    /// The data that it learnt from.
    #[arg(long)]
    dataset: Option<String>,
    /// The command that trained it.
    #[arg(long)]
    command: Option<String>,
    /// Under which terms it may be used.
    #[arg(long)]
    licence: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum UnitsArgument {
    /// Radians.
    Rad,
    /// Degrees.
    Deg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ActionArgument {
    /// Joint targets, in its units.
    Absolute,
    /// Places in the joints' ranges.
    Range,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AtArgument {
    /// Only in a loop of its own period.
    Own,
    /// In any loop.
    Loop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum NormArgument {
    /// q01 and q99.
    Quantile,
    /// Mean and std.
    ZScore,
}

impl ToldArguments {
    fn told(&self) -> Told {
        let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
        Told {
            name: self.name.clone(),
            skill: self.skill.clone(),
            period_ms: self.period_ms,
            task: self.task.clone(),
            at: self.at.map(|at| match at {
                AtArgument::Own => At::Own,
                AtArgument::Loop => At::Loop,
            }),
            smoothing: self.smoothing,
            joints: some(&self.joints),
            units: self.units.map(|units| match units {
                UnitsArgument::Rad => Units::Rad,
                UnitsArgument::Deg => Units::Deg,
            }),
            scale: self.scale.clone(),
            inputs: self.input.clone(),
            action: self.action.map(|action| match action {
                ActionArgument::Absolute => Action::Absolute,
                ActionArgument::Range => Action::Range,
            }),
            delta: (!self.delta.is_empty()).then(|| self.delta.clone()),
            chunk_steps: self.chunk_steps,
            execute_steps: self.execute_steps,
            prefetch_ticks: self.prefetch_ticks,
            deadline_ms: self.deadline_ms,
            clip: self.clip,
            std_floor: self.std_floor,
            tolerance: self.tolerance,
            dataset: self.dataset.clone(),
            command: self.command.clone(),
            licence: self.licence.clone(),
            ..Told::default()
        }
    }
}

pub(super) fn run(arguments: &ImportArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let settings = Settings::load(&arguments.config.config)?;
    let mut file = arguments.spec.as_deref().map(Told::read).transpose()?.unwrap_or_default();
    if let Some(layout) = &arguments.layout {
        let layout = layout_file(layout, &settings);
        let mut told = Told::read(&layout)?;
        // A robot of the layout's own lies beside it.
        let beside = told.robot.as_ref().map(|robot| layout.with_file_name(robot));
        if let Some(beside) = beside.filter(|file| file.exists()) {
            told.robot = Some(beside.to_string_lossy().into_owned());
        }
        file = file.or(told);
    }
    let robot = arguments.robot.clone().or_else(|| file.robot.clone().map(PathBuf::from));
    let other = robot.as_deref().map(|robot| {
        let by_name = settings.file.with_file_name("robots").join(robot).with_extension("toml");
        let is_name = !robot.exists() && robot.extension().is_none() && by_name.exists();
        RobotSettings::load(if is_name { &by_name } else { robot })
    });
    let other = other.transpose()?;
    let robot = other.as_ref().unwrap_or(&settings.robot_settings);
    if arguments.template {
        let network = match arguments.from {
            Format::Onnx => Some(arguments.path.as_path()),
            Format::Openpi => arguments.onnx.as_deref(),
            Format::Npz | Format::Lerobot | Format::Pt => None,
        };
        write!(out, "{}", importing::template(network, robot)?)?;
        return Ok(Exit::Done);
    }
    let of_router = [
        ("--encoder", &arguments.encoder),
        ("--prompt", &arguments.prompt),
        ("--fingerprint", &arguments.fingerprint),
    ];
    let of_router = of_router.into_iter().filter_map(|(flag, told)| Some((flag, told.clone()?)));
    let of_router: Vec<(&str, String)> = of_router.collect();
    if arguments.from == Format::Pt {
        return router(arguments, (&settings, robot), of_router, out);
    }
    if let Some((flag, _)) = of_router.first() {
        return Err(CliError::Usage(format!("{flag} goes with --from pt: leave it out")));
    }
    let path = arguments.path.clone();
    let source = match (arguments.from, &arguments.onnx) {
        (Format::Npz, None) => Source::Npz(path),
        (Format::Onnx, None) => Source::Onnx(path),
        (Format::Lerobot, onnx) => Source::Lerobot(path, onnx.clone()),
        (Format::Openpi, Some(onnx)) => {
            let norm = match arguments.told.norm {
                NormArgument::Quantile => OpenpiNorm::Quantile,
                NormArgument::ZScore => OpenpiNorm::ZScore,
            };
            Source::Openpi(path, onnx.clone(), norm)
        }
        (Format::Openpi, None) => {
            let words = "statistics alone are no head: name the network with --onnx FILE";
            return Err(CliError::Usage(words.to_owned()));
        }
        (Format::Npz | Format::Onnx | Format::Pt, _) => {
            let words = "--onnx goes with --from openpi and --from lerobot: leave it out";
            return Err(CliError::Usage(words.to_owned()));
        }
    };
    let request = Request {
        source,
        told: arguments.told.told().or(file),
        spec: arguments
            .spec
            .clone()
            .or_else(|| arguments.layout.clone())
            .unwrap_or_else(|| "--spec".into()),
        robot,
        out: arguments.out.clone().unwrap_or_default(),
        force: arguments.force,
    };
    let imported = importing::import(&request, daemon::engine(&settings)?)?;
    tell(&imported, arguments.json, out)
}

/// A router's head is no head that moves a robot: it has a manifest of its own.
fn router(
    arguments: &ImportArguments,
    (settings, robot): (&Settings, &RobotSettings),
    told: Vec<(&'static str, String)>,
    out: &mut impl Write,
) -> Result<Exit, CliError> {
    let request = RouterRequest {
        checkpoint: arguments.path.clone(),
        helper: importing::router_helper(&settings.file),
        robot,
        out: arguments.out.clone().unwrap_or_default(),
        force: arguments.force,
        told,
    };
    let made = importing::router(&request, daemon::engine(settings)?)?;
    let RouterImported { manifest, told, goldens } = made;
    if arguments.json {
        let mut told = told;
        told["manifest"] = json!(manifest);
        told["onnx"] = json!(manifest.with_extension("onnx"));
        told["goldens"] = json!(goldens);
        writeln!(out, "{}", crate::cli::json(&told)?)?;
        return Ok(Exit::Done);
    }
    writeln!(out, "{} is made of a router that PyTorch saved", manifest.display())?;
    writeln!(out, "  weights   {}, skills {}", told["parameters"], told["skills"])?;
    writeln!(out, "  proved    {goldens} goldens, computed in double precision by the helper")?;
    if told["stood_still"].as_array().is_some_and(|list| !list.is_empty()) {
        let still = &told["stood_still"];
        writeln!(
            out,
            "  note      numbers {still} of the state stood still in the data: divided by a floor"
        )?;
    }
    if arguments.fingerprint.is_none() {
        writeln!(
            out,
            "  note      its fingerprint is no encoder's: tell --fingerprint, and mean it"
        )?;
    }
    Ok(Exit::Done)
}

/// The file of a layout that is named: beside the registry, or where it is in a checkout.
fn layout_file(layout: &Path, settings: &Settings) -> PathBuf {
    if layout.exists() || layout.extension().is_some() {
        return layout.to_path_buf();
    }
    let named = |models: &Path| models.join("imports").join(layout).with_extension("toml");
    let registry = settings.daemon.registry.as_deref().and_then(Path::parent).map(named);
    let config = settings.file.parent().unwrap_or(Path::new("")).join("../models");
    registry.filter(|file| file.exists()).unwrap_or_else(|| named(&config))
}

fn tell(imported: &Imported, json: bool, out: &mut impl Write) -> Result<Exit, CliError> {
    let Imported { manifest: file, what, goldens_by, notes, proof } = imported;
    let manifest = Manifest::load(file)?;
    if json {
        let told = json!({
            "manifest": file,
            "onnx": manifest.onnx_path(),
            "sha256": manifest.sha256,
            "from": what,
            "understood": Manifest::as_written(file)?,
            "goldens": proof.goldens,
            "goldens_by": goldens_by,
            "worst_error": proof.worst_error,
            "tolerance": proof.tolerance,
            "median_us": proof.median_run.as_secs_f64() * 1e6,
            "notes": notes,
        });
        writeln!(out, "{}", crate::cli::json(&told)?)?;
        return Ok(Exit::Done);
    }
    writeln!(out, "{} is made of {what}", file.display())?;
    write!(out, "{}", show::describe(&manifest, &Manifest::as_written(file)?))?;
    let (goldens, worst, tolerance) = (proof.goldens, proof.worst_error, proof.tolerance);
    writeln!(
        out,
        "  proved    {goldens} goldens, worst error {worst:.1e} of {tolerance:.1e} allowed"
    )?;
    writeln!(out, "            by {goldens_by}")?;
    writeln!(out, "  one run   {:.0} us median", proof.median_run.as_secs_f64() * 1e6)?;
    for note in notes {
        writeln!(out, "  note      {note}")?;
    }
    Ok(Exit::Done)
}

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        if error.is_usage() { Self::Usage(error.to_string()) } else { Self::Import(error) }
    }
}
