//! `reflexd ik`: poses to joints, without a daemon.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use arm::{
    Answer, JointVector, Options,
    nalgebra::{Isometry3, Quaternion, UnitQuaternion, Vector3},
};
use clap::Args;
use motion::{JointLimits, Joints, Robot, Rules};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CliError, ConfigArguments, Exit};
use crate::{
    config::Settings,
    kinematics::{Arms, Description, RobotArm},
    operator::{Frame, Question, Route, ToolGoal},
    planning::{Planner, ways},
};

/// Arguments of `reflexd ik`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 says that the pose is not reached.

Examples:
  reflexd ik --pose 0.3,0.1,0.2,0,2.8,0
  reflexd ik --explain
  reflexd ik --joints 0,0.75,-0.7,0,0.75,0
  reflexd ik --urdf my_arm.urdf --tool flange --pose 0.4,0,0.3,0,3.14,0 --from 0,1,-1,0,0.5,0
  reflexd ik --batch poses.jsonl > answers.jsonl

A line of a batch is {\"position_m\":[x,y,z],\"quaternion_xyzw\":[x,y,z,w],\"from\":[...]}; `from` may be left out. The
answer, in one line each, is `exact`, `approximate`, `unreachable`, `limit_blocked` or `held`.")]
pub(super) struct IkArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// An arm of this description instead, with the description's own limits.
    #[arg(long, value_name = "FILE", requires = "tool")]
    urdf: Option<PathBuf>,
    /// The link that carries the tool.
    #[arg(long, value_name = "LINK", requires = "urdf")]
    tool: Option<String>,
    /// The link in whose frame poses are; the root, if left out.
    #[arg(long, value_name = "LINK", requires = "urdf")]
    base: Option<String>,
    /// Which arm of the robot; the first, if left out.
    #[arg(long, value_name = "NAME", conflicts_with = "urdf")]
    arm: Option<String>,
    /// The pose: position in m, then roll, pitch, yaw in rad (R = Rz Ry Rx), or a quaternion x, y, z, w.
    #[arg(long, value_name = "X,Y,Z,...", value_delimiter = ',', allow_hyphen_values = true)]
    pose: Vec<f64>,
    /// The arm's joints to start from, rad or m; home, or the middle of the limits, if left out.
    #[arg(long, value_name = "JOINTS", value_delimiter = ',', allow_hyphen_values = true)]
    from: Vec<f64>,
    /// The other way: where these joints put the tool.
    #[arg(
        long,
        value_name = "JOINTS",
        value_delimiter = ',',
        allow_hyphen_values = true,
        conflicts_with = "pose"
    )]
    joints: Vec<f64>,
    /// Solve a pose a line, of a file; `-` reads the standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pose", "joints", "explain"])]
    batch: Option<PathBuf>,
    /// Which kind of inverse this arm has, and why.
    #[arg(long)]
    explain: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &IkArguments, out: &mut impl Write) -> Result<Exit, CliError> {
    let (planner, home) = match &arguments.urdf {
        None => of_config(&arguments.config.config)?,
        Some(urdf) => of_description(
            urdf,
            arguments.base.as_deref(),
            arguments.tool.as_deref().unwrap_or_default(),
        )?,
    };
    let arm = planner.arm(arguments.arm.as_deref()).map_err(CliError::Usage)?;
    let from = from(&planner, arm, &home, &arguments.from)?;
    if let Some(file) = &arguments.batch {
        return batch(arm, &arm.joints(&from), file, out);
    }
    if !arguments.joints.is_empty() {
        let count = arguments.joints.len();
        let joints = JointVector::from_slice(&arguments.joints)
            .filter(|joints| joints.len() == arm.joint_names.len())
            .ok_or_else(|| wrong_count("--joints", count, arm))?;
        return forward(arm, &joints, arguments.json, out);
    }
    if arguments.explain {
        explain(arm, arguments.json, out)?;
        if arguments.pose.is_empty() {
            return Ok(Exit::Done);
        }
    }
    let (position_m, orientation) = pose(&arguments.pose)?;
    let goal = ToolGoal {
        arm: arguments.arm.clone(),
        frame: Frame::Base,
        position_m,
        orientation: Some(orientation),
        route: Route::Joints,
    };
    let question = Question { goal, from: std::collections::BTreeMap::new() };
    let found = planner.ways(&from, &question).map_err(CliError::Words)?;
    let exit = if found.reached { Exit::Done } else { Exit::No };
    if arguments.json {
        writeln!(out, "{}", super::json(&found)?)?;
    } else {
        let told = serde_json::to_value(&found).map_err(|e| CliError::Words(e.to_string()))?;
        writeln!(out, "arm     {}: {}", found.arm, found.class)?;
        writeln!(out, "answer  {}", found.answer)?;
        writeln!(out, "{}", ways::table(&told))?;
    }
    Ok(exit)
}

/// The arms of the configured robot, and its home.
fn of_config(file: &Path) -> Result<(Planner, Joints), CliError> {
    let settings = Settings::load(file)?;
    let robot = &settings.robot_settings;
    let period_s = f64::from(settings.daemon.loop_.period_ms) / 1e3;
    let arms = Arms::load(robot).map_err(crate::daemon::DaemonError::from)?;
    let (law, guard) = crate::daemon::guarded(robot, period_s)?;
    let planner = Planner::new(law, robot.joint_names(), arms, guard);
    Ok((planner, robot.home()?))
}

/// An arm of a description alone. It has no file, so what a robot's file would say is made up: the law's figures do not
/// matter where nothing moves.
fn of_description(
    urdf: &Path,
    base: Option<&str>,
    tool: &str,
) -> Result<(Planner, Joints), CliError> {
    let description = Description::read(urdf).map_err(crate::daemon::DaemonError::from)?;
    let arm = RobotArm::of_description(&description, base, tool)
        .map_err(crate::daemon::DaemonError::from)?;
    let (min, max) = arm.arm.chain().limits();
    let limits: Vec<_> = min
        .iter()
        .zip(max.iter())
        .map(|(min, max)| JointLimits {
            position_min: *min,
            position_max: *max,
            velocity_max: 1.0,
            acceleration_max: 10.0,
            jerk_max: 1000.0,
            step_max: 1.0,
            divergence_max: 1.0,
            gripper: false,
        })
        .collect();
    let robot = Robot::build(0.05, &limits, Rules::default())
        .map_err(|error| CliError::Words(format!("{}: {error:?}", urdf.display())))?;
    let mut middle = Joints::zeros(limits.len());
    for (value, limits) in middle.iter_mut().zip(&limits) {
        *value = 0.5 * (limits.position_min + limits.position_max);
    }
    let names: Arc<[String]> = arm.joint_names.clone().into();
    Ok((Planner::new(robot, names, Arms::from(vec![arm]), None), middle))
}

fn from(
    planner: &Planner,
    arm: &RobotArm,
    home: &Joints,
    given: &[f64],
) -> Result<Joints, CliError> {
    let mut from = *home;
    if !given.is_empty() {
        if given.len() != arm.joint_names.len() {
            return Err(wrong_count("--from", given.len(), arm));
        }
        arm.place(given, &mut from);
    }
    debug_assert_eq!(from.len(), planner.names().len());
    Ok(from)
}

fn wrong_count(option: &str, count: usize, arm: &RobotArm) -> CliError {
    CliError::Usage(format!(
        "{option} has {count} numbers, the arm {} joints: {}",
        arm.joint_names.len(),
        arm.joint_names.join(", ")
    ))
}

fn pose(numbers: &[f64]) -> Result<(Vector3<f64>, UnitQuaternion<f64>), CliError> {
    let orientation = match numbers {
        [_, _, _, roll, pitch, yaw] => UnitQuaternion::from_euler_angles(*roll, *pitch, *yaw),
        [_, _, _, x, y, z, w] => unit([*x, *y, *z, *w])
            .ok_or_else(|| CliError::Usage("--pose: the quaternion has no length".into()))?,
        _ => {
            let count = numbers.len();
            return Err(CliError::Usage(format!(
                "--pose has {count} numbers; want 6 (x,y,z in m, roll,pitch,yaw in rad) or 7 (a quaternion x,y,z,w)"
            )));
        }
    };
    if !numbers.iter().all(|number| number.is_finite()) {
        return Err(CliError::Usage("--pose: every number must be finite".into()));
    }
    Ok((Vector3::new(numbers[0], numbers[1], numbers[2]), orientation))
}

fn unit([x, y, z, w]: [f64; 4]) -> Option<UnitQuaternion<f64>> {
    UnitQuaternion::try_new(Quaternion::new(w, x, y, z), 1e-9)
}

fn forward(
    arm: &RobotArm,
    joints: &JointVector,
    json: bool,
    out: &mut impl Write,
) -> Result<Exit, CliError> {
    let x = arm.arm.chain().x_base_tool(joints);
    let (p, q) = (x.translation.vector, x.rotation.coords);
    let (roll, pitch, yaw) = x.rotation.euler_angles();
    if json {
        let told = json!({
            "position_m": [p.x, p.y, p.z],
            "quaternion_xyzw": [q.x, q.y, q.z, q.w],
            "rpy_rad": [roll, pitch, yaw],
            "branch": arm.arm.branch(joints).0,
        });
        writeln!(out, "{told}")?;
    } else {
        writeln!(out, "position    {:+.6} {:+.6} {:+.6} m", p.x, p.y, p.z)?;
        writeln!(out, "rpy         {roll:+.6} {pitch:+.6} {yaw:+.6} rad")?;
        writeln!(out, "quaternion  {:+.6} {:+.6} {:+.6} {:+.6} (x y z w)", q.x, q.y, q.z, q.w)?;
    }
    Ok(Exit::Done)
}

fn explain(arm: &RobotArm, json: bool, out: &mut impl Write) -> Result<(), CliError> {
    let told = arm.explain();
    if json {
        writeln!(out, "{}", super::json(&told)?)?;
    } else {
        writeln!(out, "{told}")?;
    }
    Ok(())
}

/// A line of a batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    position_m: [f64; 3],
    quaternion_xyzw: [f64; 4],
    #[serde(default)]
    from: Option<Vec<f64>>,
}

fn batch(
    arm: &RobotArm,
    start: &JointVector,
    file: &Path,
    out: &mut impl Write,
) -> Result<Exit, CliError> {
    let reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let opened = std::fs::File::open(file)
            .map_err(|error| CliError::Words(format!("{}: {error}", file.display())))?;
        Box::new(BufReader::new(opened))
    };
    let mut exit = Exit::Done;
    for (number, line) in reader.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |words: String| {
            CliError::Words(format!("{}: line {}: {words}", file.display(), number + 1))
        };
        let line: Line = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
        let orientation = unit(line.quaternion_xyzw)
            .ok_or_else(|| wrong("the quaternion has no length".into()))?;
        let pose = Isometry3::from_parts(Vector3::from(line.position_m).into(), orientation);
        let from = match &line.from {
            None => *start,
            Some(from) => JointVector::from_slice(from)
                .filter(|from| from.len() == start.len())
                .ok_or_else(|| wrong(format!("from needs {} numbers", start.len())))?,
        };
        let answer = arm.arm.solve(&pose, &from, &Options::default());
        if answer.joints().is_none() {
            exit = Exit::No;
        }
        writeln!(out, "{}", told(&answer))?;
    }
    Ok(exit)
}

fn told(answer: &Answer) -> Value {
    let error = |error: &arm::PoseError| (error.position_m, error.angle_rad);
    match answer {
        Answer::Exact { joints, branch, error: left }
        | Answer::Approximate { joints, branch, error: left } => {
            let (position_error_m, angle_error_rad) = error(left);
            let exact = matches!(answer, Answer::Exact { .. });
            json!({
                "answer": if exact { "exact" } else { "approximate" },
                "joints": joints.to_vec(),
                "branch": branch.0,
                "position_error_m": position_error_m,
                "angle_error_rad": angle_error_rad,
            })
        }
        Answer::Unreachable { nearest, error: left, search } => {
            let (position_error_m, angle_error_rad) = error(left);
            json!({
                "answer": "unreachable",
                "nearest": nearest.to_vec(),
                "position_error_m": position_error_m,
                "angle_error_rad": angle_error_rad,
                "search": format!("{search:?}").to_lowercase(),
            })
        }
        Answer::LimitBlocked { joint, by, beyond, nearest, error: left } => {
            let (position_error_m, angle_error_rad) = error(left);
            json!({
                "answer": "limit_blocked",
                "joint": joint,
                "by": by,
                "beyond": beyond.to_vec(),
                "nearest": nearest.to_vec(),
                "position_error_m": position_error_m,
                "angle_error_rad": angle_error_rad,
            })
        }
        Answer::Held(why) => json!({ "answer": "held", "why": format!("{why:?}") }),
    }
}
