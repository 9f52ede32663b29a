//! Straight and circular routes of a tool: worked out on the tick grid, from rest to rest.
//!
//! The tool's speed is the operator's wish, the joints' limits are laws: where a joint would be too fast, as near a
//! singularity, the whole route is taken more slowly, and it stays the same route.

use arm::{
    Arc, JointVector, Line, LineError, Options, PathError, PathLimits, TimeLaw, ToolPath,
    nalgebra::Point3,
};
use motion::{Joints, Robot};

use super::Planner;
use crate::{
    kinematics::{RobotArm, ToolLimits},
    operator::{Frame, Route, ToolGoal},
};

/// Shares of the wished speed that are tried, one after the other.
const SHARES: [f64; 8] = [1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08];
/// A route longer than this, an hour at 20 Hz, is not worked out.
const TICKS_MAX: u32 = 72_000;
/// Acceleration comes and goes in this part of the ramp.
const JERK_PART: f64 = 1.0 / 3.0;

impl Planner {
    /// Set-points, one a tick, that take a tool along its goal's route from rest at `now` to rest on the goal.
    ///
    /// # Errors
    /// Why there are none, in words.
    pub fn along(&self, now: &Joints, goal: &ToolGoal, speed: f64) -> Result<Vec<Joints>, String> {
        if !(speed > 0.0 && speed <= 1.0) {
            return Err(format!("speed {speed} is not in (0, 1]"));
        }
        let arm = self.arm(goal.arm.as_deref())?;
        let from = arm.x_base_tool(now);
        let to = self.x_base_goal(arm, now, goal);
        match goal.route {
            Route::Circular { via_m } => {
                let via = match goal.frame {
                    Frame::Base => via_m,
                    Frame::Tool => from.transform_point(&Point3::from(via_m)).coords,
                };
                let circle = Arc::through(&from, &via, &to).map_err(words)?;
                self.timed(arm, now, &circle, speed)
            }
            Route::Straight | Route::Joints => {
                let line = Line::new(&from, &to).map_err(words)?;
                self.timed(arm, now, &line, speed)
            }
        }
    }

    fn timed(
        &self,
        arm: &RobotArm,
        now: &Joints,
        route: &impl ToolPath,
        speed: f64,
    ) -> Result<Vec<Joints>, String> {
        let period_s = self.robot().period_s();
        let start = arm.joints(now);
        let mut refused = String::from("no speed was tried");
        for share in SHARES {
            let limits = limits(&arm.tool, speed * share);
            let law = TimeLaw::new(route, &limits, period_s).map_err(words)?;
            if law.ticks() > TICKS_MAX {
                return Err("the route would take more than an hour: go faster".into());
            }
            let poses: Vec<_> = law.poses(route).collect();
            let points = match arm::plan(&arm.arm, &poses, &start, period_s, &Options::default()) {
                Ok(points) => points,
                // In smaller steps a joint may keep up, and a step cannot leave the way in its middle.
                Err(error @ (PathError::TooFast { .. } | PathError::Detour { .. })) => {
                    refused = self.path_words(arm, &error, poses.len());
                    continue;
                }
                Err(error) => return Err(self.path_words(arm, &error, poses.len())),
            };
            let points: Vec<Joints> = points.iter().map(|point| placed(arm, now, point)).collect();
            match breaks(now, &points, self.robot()) {
                Some(joint) => refused = self.too_fast_joint(joint),
                None => {
                    self.check(&mut points.iter().copied())?;
                    return Ok(points);
                }
            }
        }
        Err(refused)
    }
}

/// What the tool may do at a fraction of its full speed: the same motion, slower.
fn limits(tool: &ToolLimits, share: f64) -> PathLimits {
    let (linear, angular) = (tool.speed_max_m_s, tool.turn_max_rad_s);
    let (ramp, jolt) = (tool.ramp_s, tool.ramp_s * JERK_PART);
    PathLimits {
        speed_m_s: linear * share,
        speed_rad_s: angular * share,
        acceleration_m_s2: linear / ramp * share.powi(2),
        acceleration_rad_s2: angular / ramp * share.powi(2),
        jerk_m_s3: linear / ramp / jolt * share.powi(3),
        jerk_rad_s3: angular / ramp / jolt * share.powi(3),
    }
}

fn placed(arm: &RobotArm, now: &Joints, point: &JointVector) -> Joints {
    let mut joints = *now;
    arm.place(point, &mut joints);
    joints
}

/// The first joint whose set-points, from rest to rest, break a limit of speed, acceleration or jerk.
fn breaks(start: &Joints, points: &[Joints], robot: &Robot) -> Option<usize> {
    let dt = robot.period_s();
    let end = points.last().unwrap_or(start);
    robot.limits().iter().enumerate().position(|(k, limits)| {
        let (mut position, mut velocity, mut acceleration) = (start[k], 0.0, 0.0);
        points.iter().chain([end; 3]).any(|point| {
            let next_velocity = (point[k] - position) / dt;
            let next_acceleration = (next_velocity - velocity) / dt;
            let jerk = (next_acceleration - acceleration) / dt;
            (position, velocity, acceleration) = (point[k], next_velocity, next_acceleration);
            velocity.abs() > limits.velocity_max
                || acceleration.abs() > limits.acceleration_max
                || jerk.abs() > limits.jerk_max
        })
    })
}

fn words(error: LineError) -> String {
    match error {
        LineError::NotFinite => "a number of the route is not finite",
        LineError::Nowhere => "the tool is there already",
        LineError::HalfTurn => {
            "the tool would turn by half a turn, and either way is as short: go in two parts"
        }
        LineError::Collinear => {
            "via_m makes no circle with start and goal: choose a point off their line, or a straight route"
        }
        LineError::Centre => "the circle has no axis",
        LineError::Limits => "a limit of the tool is not positive",
        LineError::TooLong => "the route would take too long: go faster",
    }
    .into()
}
