//! Poses, tool velocities and what is asked about them, as they cross the wire.

use std::collections::BTreeMap;

use arm::nalgebra::{Quaternion, UnitQuaternion, Vector3};
use serde::Deserialize;

use super::messages::{BadMessage, each_once, id, must, number, read};
use crate::operator::{Command, Frame, Goal, Jog, Question, Route, ToolGoal, ToolVelocity, Yield};

/// Nothing that an arm reaches is further away.
const FAR_M: f64 = 100.0;
/// A quaternion whose length is further from 1 was not meant as an orientation.
const NORM_SLACK: f64 = 1e-3;
/// A jog that has to be renewed at most once a second: longer, and letting go would not stop the robot.
const JOG_TTL_MS_MAX: u32 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PoseMessage {
    position_m: [f64; 3],
    #[serde(default)]
    quaternion_xyzw: Option<[f64; 4]>,
    #[serde(default)]
    rpy_rad: Option<[f64; 3]>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FrameName {
    #[default]
    Base,
    Tool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RouteName {
    #[default]
    Joints,
    Straight,
    Circular,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum YieldName {
    #[default]
    Time,
    Orientation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Goto {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default, deserialize_with = "each_once")]
    joints: BTreeMap<String, f64>,
    #[serde(default)]
    pose: Option<PoseMessage>,
    #[serde(default)]
    arm: Option<String>,
    #[serde(default)]
    frame: Option<FrameName>,
    #[serde(default)]
    route: Option<RouteName>,
    #[serde(default)]
    via_m: Option<[f64; 3]>,
    #[serde(default = "super::messages::full_speed")]
    speed: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JogMessage {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    #[serde(default, deserialize_with = "each_once")]
    joints: BTreeMap<String, f64>,
    #[serde(default)]
    tool: Option<ToolMessage>,
    #[serde(default = "quarter_second")]
    ttl_ms: u32,
}

const fn quarter_second() -> u32 {
    250
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolMessage {
    #[serde(default)]
    arm: Option<String>,
    #[serde(default)]
    frame: FrameName,
    #[serde(default)]
    linear_m_s: [f64; 3],
    #[serde(default)]
    angular_rad_s: [f64; 3],
    #[serde(default)]
    gives_way: YieldName,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IkMessage {
    #[serde(rename = "v", default)]
    _v: Option<u64>,
    #[serde(default)]
    operator: Option<String>,
    pose: PoseMessage,
    #[serde(default)]
    arm: Option<String>,
    #[serde(default)]
    frame: FrameName,
    #[serde(default, deserialize_with = "each_once")]
    from: BTreeMap<String, f64>,
}

/// Reads `cmd/goto`, and who sent it.
pub(super) fn goto(payload: &[u8]) -> Result<(Command, Option<String>), BadMessage> {
    let message: Goto = read(payload)?;
    let speed = super::messages::fraction("speed", message.speed)?;
    let goal = match message.pose {
        None => {
            let what = "at least one joint and its position, or a pose";
            must(!message.joints.is_empty(), "joints", &"{}", what)?;
            let alone = message.arm.is_none() && message.frame.is_none();
            must(alone, "joints", &"{...}", "without arm and frame, which belong to a pose")?;
            let alone = message.route.is_none() && message.via_m.is_none();
            must(alone, "joints", &"{...}", "without route and via_m, which belong to a pose")?;
            Goal::Joints(finite(message.joints)?)
        }
        Some(pose) => {
            must(message.joints.is_empty(), "joints", &"{...}", "left out where a pose is given")?;
            let frame = message.frame.unwrap_or_default();
            let route = route(message.route.unwrap_or_default(), message.via_m)?;
            Goal::Tool(tool_goal(message.arm, frame, &pose, route)?)
        }
    };
    Ok((Command::Goto { goal, speed }, message.operator))
}

/// Reads `cmd/jog`, and who sent it.
pub(super) fn jog(payload: &[u8]) -> Result<(Command, Option<String>), BadMessage> {
    let message: JogMessage = read(payload)?;
    let ttl_ms = message.ttl_ms;
    must((1..=JOG_TTL_MS_MAX).contains(&ttl_ms), "ttl_ms", &ttl_ms, "in 1..=1000")?;
    let jog = match message.tool {
        None => {
            let what = "at least one joint and its velocity, or a tool velocity";
            must(!message.joints.is_empty(), "joints", &"{}", what)?;
            Jog::Joints(finite(message.joints)?)
        }
        Some(tool) => {
            must(message.joints.is_empty(), "joints", &"{...}", "left out where tool is given")?;
            for value in tool.linear_m_s.iter().chain(&tool.angular_rad_s) {
                must(value.is_finite(), "tool", value, "finite")?;
            }
            Jog::Tool(ToolVelocity {
                arm: tool.arm.map(|name| id("arm", name)).transpose()?,
                frame: frame(tool.frame),
                linear_m_s: tool.linear_m_s,
                angular_rad_s: tool.angular_rad_s,
                gives_way: match tool.gives_way {
                    YieldName::Time => Yield::Time,
                    YieldName::Orientation => Yield::Orientation,
                },
            })
        }
    };
    Ok((Command::Jog { jog, ttl_ms }, message.operator))
}

/// Reads `ask/ik`.
pub(super) fn ik(payload: &[u8]) -> Result<Question, BadMessage> {
    let message: IkMessage = read(payload)?;
    message.operator.map(|name| id("operator", name)).transpose()?;
    let goal = tool_goal(message.arm, message.frame, &message.pose, Route::Joints)?;
    Ok(Question { goal, from: finite(message.from)? })
}

fn tool_goal(
    arm: Option<String>,
    of: FrameName,
    pose: &PoseMessage,
    route: Route,
) -> Result<ToolGoal, BadMessage> {
    let orientation = match (pose.quaternion_xyzw, pose.rpy_rad) {
        (None, None) => None,
        (Some([x, y, z, w]), None) => {
            let quaternion = Quaternion::new(w, x, y, z);
            let norm = quaternion.norm();
            must((norm - 1.0).abs() <= NORM_SLACK, "quaternion_xyzw", &norm, "of length 1")?;
            Some(UnitQuaternion::from_quaternion(quaternion))
        }
        (None, Some([roll, pitch, yaw])) => {
            for value in [roll, pitch, yaw] {
                must(value.abs() <= 7.0, "rpy_rad", &value, "in radians, at most 7")?;
            }
            Some(UnitQuaternion::from_euler_angles(roll, pitch, yaw))
        }
        (Some(_), Some(_)) => {
            must(false, "rpy_rad", &"[...]", "left out where quaternion_xyzw is given")?;
            None
        }
    };
    Ok(ToolGoal {
        arm: arm.map(|name| id("arm", name)).transpose()?,
        frame: frame(of),
        position_m: point("position_m", pose.position_m)?,
        orientation,
        route,
    })
}

fn route(name: RouteName, via_m: Option<[f64; 3]>) -> Result<Route, BadMessage> {
    match (name, via_m) {
        (RouteName::Joints, None) => Ok(Route::Joints),
        (RouteName::Straight, None) => Ok(Route::Straight),
        (RouteName::Circular, Some(via)) => Ok(Route::Circular { via_m: point("via_m", via)? }),
        (RouteName::Circular, None) => {
            must(false, "via_m", &"null", "a point that the circle passes")?;
            Ok(Route::Joints)
        }
        (_, Some(_)) => {
            must(false, "via_m", &"[...]", "left out unless route is \"circular\"")?;
            Ok(Route::Joints)
        }
    }
}

const fn frame(name: FrameName) -> Frame {
    match name {
        FrameName::Base => Frame::Base,
        FrameName::Tool => Frame::Tool,
    }
}

fn point(field: &'static str, values: [f64; 3]) -> Result<Vector3<f64>, BadMessage> {
    for value in values {
        must(value.abs() <= FAR_M, field, &value, "in metres, at most 100")?;
    }
    Ok(Vector3::from(values))
}

fn finite(joints: BTreeMap<String, f64>) -> Result<BTreeMap<String, f64>, BadMessage> {
    joints.into_iter().map(|(name, value)| Ok((name, number("joints", value)?))).collect()
}
