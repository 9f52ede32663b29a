//! The planner: from where somebody wants to go to joints, with every reason why not.

use std::sync::Arc;

use arm::{
    Answer, Axes, Options, PathError, Servo, Solution, Solutions,
    nalgebra::{Isometry3, Vector6},
};
use motion::{Foresight, Joints, Pair, Robot};

use super::{
    trajectory::{Start, Trajectory},
    ways::{Nearest, Way, Ways},
};
use crate::{
    kinematics::{Arms, Guard, RobotArm},
    operator::{Frame, Jog, JointNames, Question, ToolGoal, Yield},
    skill::jog::Velocity,
};

/// What is known of a robot when motions are planned. Moves nothing.
pub struct Planner {
    robot: Robot,
    names: JointNames,
    arms: Arms,
    guard: Option<Guard>,
}

impl Planner {
    /// A planner for this robot; without a guard nothing is known of what could touch.
    #[must_use]
    pub const fn new(robot: Robot, names: JointNames, arms: Arms, guard: Option<Guard>) -> Self {
        Self { robot, names, arms, guard }
    }

    /// The robot under the law.
    #[must_use]
    pub const fn robot(&self) -> &Robot {
        &self.robot
    }

    /// Names of its joints.
    #[must_use]
    pub const fn names(&self) -> &JointNames {
        &self.names
    }

    /// The arm of a name; the first without one.
    ///
    /// # Errors
    /// In words, if there is none.
    pub fn arm(&self, name: Option<&str>) -> Result<&RobotArm, String> {
        let found = name.map_or_else(|| self.arms.first(), |name| self.arms.find(name));
        found.ok_or_else(|| {
            let known: Vec<_> = self.arms.as_slice().iter().map(|arm| arm.name.as_str()).collect();
            match (name, known.is_empty()) {
                (_, true) => "this robot's file names no arms".into(),
                (None, _) => "no arm".into(),
                (Some(name), _) => {
                    format!("arm {name:?} is unknown; the robot has {}", known.join(", "))
                }
            }
        })
    }

    /// The pose that a goal means, in the arm's base frame, with the robot commanded to `now`.
    #[must_use]
    pub fn x_base_goal(&self, arm: &RobotArm, now: &Joints, goal: &ToolGoal) -> Isometry3<f64> {
        let x_base_now = arm.x_base_tool(now);
        let position = goal.position_m.into();
        match goal.frame {
            Frame::Base => {
                let orientation = goal.orientation.unwrap_or(x_base_now.rotation);
                Isometry3::from_parts(position, orientation)
            }
            Frame::Tool => {
                let orientation = goal.orientation.unwrap_or_default();
                x_base_now * Isometry3::from_parts(position, orientation)
            }
        }
    }

    /// Joints that put a tool on its goal: the nearest solution that touches nothing, there and on the way.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn to_tool(&self, now: &Joints, goal: &ToolGoal, speed: f64) -> Result<Joints, String> {
        let arm = self.arm(goal.arm.as_deref())?;
        self.to_pose(arm, now, &self.x_base_goal(arm, now, goal), speed)
    }

    /// The same for a pose in the arm's base frame.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn to_pose(
        &self,
        arm: &RobotArm,
        now: &Joints,
        x_base_tool: &Isometry3<f64>,
        speed: f64,
    ) -> Result<Joints, String> {
        let from = arm.joints(now);
        let mut solutions = Solutions::none();
        arm.arm.solve_all(x_base_tool, &from, &Options::default(), &mut solutions);
        let mut refused = None;
        for solution in solutions.as_slice().iter().filter(|found| found.outside.is_none()) {
            let goal = self.placed(arm, now, solution);
            match self.way_to(now, &goal, speed) {
                Ok(()) => return Ok(goal),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Err(refused.unwrap_or_else(|| self.why_not(arm, x_base_tool, &from)))
    }

    /// Whether the fastest motion of the joints from rest touches nothing.
    ///
    /// # Errors
    /// What it would touch, in words.
    pub fn way_to(&self, now: &Joints, goal: &Joints, speed: f64) -> Result<(), String> {
        let motion = Trajectory::plan(&self.robot, &Start::at_rest(*now), goal, speed)?;
        self.check(&mut (1..=motion.ticks()).map(|tick| motion.at(tick)))
    }

    /// Whether set-points, one a tick, touch nothing: the law's own guard is asked, so that what passes here is not
    /// stopped there.
    ///
    /// # Errors
    /// What the first that does would touch, in words.
    pub fn check(&self, path: &mut dyn Iterator<Item = Joints>) -> Result<(), String> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let mut foresight = Foresight::new(&self.robot);
        for set_point in path {
            if let Some(pair) = foresight.next(&set_point) {
                return Err(guard.words(&pair));
            }
        }
        Ok(())
    }

    /// What two that came too near are called.
    #[must_use]
    pub fn touching(&self, pair: &Pair) -> Option<String> {
        self.guard.as_ref().map(|guard| guard.words(pair))
    }

    /// Every way to a pose, with the verdict on each.
    ///
    /// # Errors
    /// An unknown arm or joint.
    pub fn ways(&self, now: &Joints, question: &Question) -> Result<Ways, String> {
        let arm = self.arm(question.goal.arm.as_deref())?;
        let mut from = *now;
        for (name, value) in &question.from {
            from[self.joint(name)?] = *value;
        }
        let pose = self.x_base_goal(arm, &from, &question.goal);
        let start = arm.joints(&from);
        let mut solutions = Solutions::none();
        arm.arm.solve_all(&pose, &start, &Options::default(), &mut solutions);
        let mut reached = false;
        let mut ways = Vec::new();
        for solution in solutions.as_slice() {
            let verdict = self.verdict(arm, &from, solution, &mut reached);
            let pairs = solution.joints.iter().zip(start.iter());
            ways.push(Way {
                joints_rad_or_m: solution.joints.to_vec(),
                branch: solution.branch.0,
                position_error_m: solution.error.position_m,
                angle_error_rad: solution.error.angle_rad,
                away_rad_or_m: pairs.map(|(to, from)| (to - from).abs()).fold(0.0, f64::max),
                verdict,
            });
        }
        // Inside the limits, and refused all the same: that is why.
        let inside = solutions.as_slice().iter().position(|solution| solution.outside.is_none());
        let (nearest, answer) = match inside {
            _ if reached => {
                (None, format!("reached; {} found in all", plural(ways.len(), "solution")))
            }
            Some(first) => (None, format!("refused: {}", ways[first].verdict)),
            None => (self.nearest(arm, &pose, &start), self.why_not(arm, &pose, &start)),
        };
        let p = pose.translation.vector;
        let q = pose.rotation.coords;
        Ok(Ways {
            v: 1,
            arm: arm.name.clone(),
            class: arm.class(),
            position_m: [p.x, p.y, p.z],
            quaternion_xyzw: [q.x, q.y, q.z, q.w],
            reached,
            answer,
            names: self.arm_joints(arm),
            solutions: ways,
            nearest,
        })
    }

    /// How a jog moves the robot, checked against what it has.
    ///
    /// # Errors
    /// An unknown joint or arm.
    pub fn jogged(&self, jog: &Jog) -> Result<Velocity, String> {
        match jog {
            Jog::Joints(named) => {
                let mut velocity = Joints::zeros(self.robot.joints());
                for (name, value) in named {
                    velocity[self.joint(name)?] = *value;
                }
                Ok(Velocity::Joints(Box::new(velocity)))
            }
            Jog::Tool(tool) => {
                let arm = self.arm(tool.arm.as_deref())?;
                let yields = match tool.gives_way {
                    Yield::Time => arm::Yield::Time,
                    Yield::Orientation => arm::Yield::Orientation,
                };
                let servo = Servo::new(*arm.arm.chain(), self.robot.period_s(), yields);
                let [x, y, z] = tool.linear_m_s;
                let [a, b, c] = tool.angular_rad_s;
                let speed = (x * x + y * y + z * z).sqrt() / arm.tool.speed_max_m_s;
                let turn = (a * a + b * b + c * c).sqrt() / arm.tool.turn_max_rad_s;
                let share = speed.max(turn).max(1.0);
                Ok(Velocity::Tool {
                    arm: tool.arm.clone(),
                    servo: Arc::new(servo.ok_or("the loop has no period")?),
                    twist: Vector6::new(x, y, z, a, b, c) / share,
                    axes: match tool.frame {
                        Frame::Base => Axes::Base,
                        Frame::Tool => Axes::Tool,
                    },
                })
            }
        }
    }

    fn verdict(
        &self,
        arm: &RobotArm,
        from: &Joints,
        solution: &Solution,
        reached: &mut bool,
    ) -> String {
        if let Some((joint, by)) = solution.outside {
            return format!("{} {by:.3} beyond its limit", self.arm_joint(arm, joint));
        }
        match self.way_to(from, &self.placed(arm, from, solution), 1.0) {
            Err(why) => why,
            Ok(()) if *reached => "further".into(),
            Ok(()) => {
                *reached = true;
                "chosen".into()
            }
        }
    }

    fn nearest(&self, arm: &RobotArm, pose: &Isometry3<f64>, start: &[f64]) -> Option<Nearest> {
        match arm.arm.solve(pose, start, &Options::default()) {
            Answer::Unreachable { nearest, error, .. }
            | Answer::LimitBlocked { nearest, error, .. } => Some(Nearest {
                joints_rad_or_m: nearest.to_vec(),
                position_error_m: error.position_m,
                angle_error_rad: error.angle_rad,
            }),
            _ => None,
        }
    }

    /// Why a pose has no solution, in words.
    pub(super) fn why_not(&self, arm: &RobotArm, pose: &Isometry3<f64>, start: &[f64]) -> String {
        match arm.arm.solve(pose, start, &Options::default()) {
            Answer::Unreachable { error, .. } => format!(
                "the pose is out of reach: the nearest is {:.1} mm and {:.1} deg away",
                error.position_m * 1e3,
                error.angle_rad.to_degrees()
            ),
            Answer::LimitBlocked { joint, by, error, .. } => format!(
                "the pose is out of reach: {} would have to be {by:.3} beyond its limit; the nearest inside is \
                 {:.1} mm and {:.1} deg away",
                self.arm_joint(arm, joint),
                error.position_m * 1e3,
                error.angle_rad.to_degrees()
            ),
            Answer::Held(why) => format!("nothing was solved: {why:?}"),
            Answer::Exact { .. } | Answer::Approximate { .. } => {
                "every way to the pose is refused".into()
            }
        }
    }

    fn placed(&self, arm: &RobotArm, now: &Joints, solution: &Solution) -> Joints {
        let mut joints = *now;
        arm.place(&solution.joints, &mut joints);
        joints
    }

    pub(super) fn too_fast(&self, arm: &RobotArm, joint: usize) -> String {
        slow(self.arm_joint(arm, joint))
    }

    pub(super) fn too_fast_joint(&self, joint: usize) -> String {
        slow(self.names.get(joint).map_or("?", String::as_str))
    }

    /// Why a path has no joints, in words.
    pub(super) fn path_words(&self, arm: &RobotArm, error: &PathError, count: usize) -> String {
        let at = |waypoint: usize| {
            format!("{:.0} % along the route", 100.0 * (waypoint + 1) as f64 / count as f64)
        };
        match error {
            PathError::Unreachable { waypoint, error, .. } => format!(
                "{}, the pose is out of reach: the nearest is {:.1} mm and {:.1} deg away",
                at(*waypoint),
                error.position_m * 1e3,
                error.angle_rad.to_degrees()
            ),
            PathError::LimitBlocked { waypoint, joint, by } => format!(
                "{}, the pose is out of reach: {} would have to be {by:.3} beyond its limit",
                at(*waypoint),
                self.arm_joint(arm, *joint)
            ),
            PathError::TooFast { joint, .. } => self.too_fast(arm, *joint),
            PathError::Detour { to, .. } => format!(
                "{}, the arm would have to change its branch: go there by joints first",
                at(*to)
            ),
            PathError::Outside { joint } => {
                format!("{} stands outside its limits", self.arm_joint(arm, *joint))
            }
            PathError::Held { .. } | PathError::Period => {
                format!("the route makes no sense: {error:?}")
            }
        }
    }

    /// The robot's joint of a name.
    ///
    /// # Errors
    /// In words, if it has none.
    pub fn joint(&self, name: &str) -> Result<usize, String> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            format!("joint {name:?} is unknown; the robot has {}", self.names.join(", "))
        })
    }

    fn arm_joint(&self, arm: &RobotArm, k: usize) -> &str {
        let robot = arm.robot_joint(k).and_then(|(joint, _)| self.names.get(joint));
        robot.map_or("?", String::as_str)
    }

    fn arm_joints(&self, arm: &RobotArm) -> Vec<String> {
        (0..arm.arm.chain().len()).map(|k| self.arm_joint(arm, k).to_owned()).collect()
    }
}

fn slow(joint: &str) -> String {
    format!("{joint} cannot follow this route at any speed that was tried: it passes a singularity")
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
