//! From one joint posture to another: the fastest motion that keeps speed, acceleration and jerk, on the tick grid.
//!
//! Method: Ruckig (Berscheid and Kroeger, RSS 2021), in the crate `rsruckig`, the only user of which is here. It starts
//! from any speed and acceleration, ends at rest, and all joints arrive together, on a tick.

use motion::{Joints, Robot};
use rsruckig::prelude::{
    DataArrayOrVec, DurationDiscretization, InputParameter, Ruckig, ThrowErrorHandler,
};

/// A plan uses so much of each limit: what is left is the filter's, for rounding, and for a servo that lags.
const SHARE: f64 = 0.95;

/// What a motion starts from: a command and its first two derivatives, per second.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The last command.
    pub position: Joints,
    /// Its velocity.
    pub velocity: Joints,
    /// Its acceleration.
    pub acceleration: Joints,
}

impl Start {
    /// At rest.
    #[must_use]
    pub fn at_rest(position: Joints) -> Self {
        let zeros = Joints::zeros(position.len());
        Self { position, velocity: zeros, acceleration: zeros }
    }

    /// Whether nothing moves.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.velocity.iter().chain(self.acceleration.iter()).all(|value| *value == 0.0)
    }
}

/// A motion that was worked out.
pub struct Trajectory {
    motion: rsruckig::prelude::Trajectory<0>,
    goal: Joints,
    period_s: f64,
    ticks: u64,
}

impl Trajectory {
    /// Works out the motion to `goal` at a fraction `speed`, in (0, 1], of the robot's limits.
    ///
    /// # Errors
    /// In words: a start from which the limits cannot be kept, such as one that is too fast to stop inside them.
    pub fn plan(robot: &Robot, start: &Start, goal: &Joints, speed: f64) -> Result<Self, String> {
        let count = robot.joints();
        if start.position.len() != count || goal.len() != count {
            return Err("the motion has another number of joints than the robot".into());
        }
        if !(speed > 0.0 && speed <= 1.0) {
            return Err(format!("speed {speed} is not in (0, 1]"));
        }
        let limits = robot.limits();
        let each = |of: &dyn Fn(usize) -> f64| DataArrayOrVec::Heap((0..count).map(of).collect());
        let share = SHARE * speed;
        let mut input = InputParameter::<0>::new(Some(count));
        input.duration_discretization = DurationDiscretization::Discrete;
        input.current_position = each(&|k| start.position[k]);
        input.current_velocity = each(&|k| start.velocity[k]);
        input.current_acceleration = each(&|k| start.acceleration[k]);
        input.target_position = each(&|k| goal[k]);
        input.max_velocity = each(&|k| share * limits[k].velocity_max);
        input.max_acceleration = each(&|k| share * limits[k].acceleration_max);
        input.max_jerk = each(&|k| share * limits[k].jerk_max);
        let mut motion = rsruckig::prelude::Trajectory::<0>::new(Some(count));
        let mut planner = Ruckig::<0, ThrowErrorHandler>::new(Some(count), robot.period_s());
        planner.calculate(&input, &mut motion).map_err(|error| error.to_string())?;
        let ticks = (motion.get_duration() / robot.period_s()).ceil();
        if !(ticks.is_finite() && ticks < 1e9) {
            return Err("the motion has no end".into());
        }
        let ticks = (ticks as u64).max(1);
        let planned = Self { motion, goal: *goal, period_s: robot.period_s(), ticks };
        planned.stays_inside(robot, start)?;
        Ok(planned)
    }

    /// Ticks that it takes.
    #[must_use]
    pub const fn ticks(&self) -> u64 {
        self.ticks
    }

    /// The set-point of a tick; 0 is the start, and after the last tick the goal stays.
    #[must_use]
    pub fn at(&self, tick: u64) -> Joints {
        if tick >= self.ticks {
            return self.goal;
        }
        let mut position = DataArrayOrVec::Heap(vec![0.0; self.goal.len()]);
        let time = tick as f64 * self.period_s;
        let wanted = &mut Some(&mut position);
        self.motion.at_time(time, wanted, &mut None, &mut None, &mut None, &mut None);
        let mut joints = self.goal;
        for (k, value) in joints.iter_mut().enumerate() {
            *value = position[k];
        }
        joints
    }

    /// A motion that starts fast may overshoot its goal, and a limit with it.
    fn stays_inside(&self, robot: &Robot, start: &Start) -> Result<(), String> {
        for tick in 0..=self.ticks {
            for (k, (value, limits)) in self.at(tick).iter().zip(robot.limits()).enumerate() {
                let low = limits.position_min.min(start.position[k]) - 1e-9;
                let high = limits.position_max.max(start.position[k]) + 1e-9;
                if !(low..=high).contains(value) {
                    return Err(format!("joint {k} is too fast to stop inside its limits"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use motion::{JointLimits, Rules};

    use super::*;

    const PERIOD_S: f64 = 0.05;

    fn robot() -> Robot {
        let joint = |velocity_max, acceleration_max, jerk_max| JointLimits {
            position_min: -2.0,
            position_max: 2.0,
            velocity_max,
            acceleration_max,
            jerk_max,
            step_max: 0.5,
            divergence_max: 0.3,
            gripper: false,
        };
        let limits = [joint(3.0, 8.0, 200.0), joint(1.0, 2.0, 20.0), joint(0.3, 4.0, 160.0)];
        Robot::build(PERIOD_S, &limits, Rules::default()).expect("good limits")
    }

    fn joints(values: [f64; 3]) -> Joints {
        Joints::from_slice(&values).expect("three fit")
    }

    /// Differences of the set-points never exceed the limits: a mean of a derivative is no larger than its maximum.
    fn keeps_limits(trajectory: &Trajectory, start: &Start, robot: &Robot) {
        let dt = PERIOD_S;
        for (k, limits) in robot.limits().iter().enumerate() {
            let (mut position, mut velocity) = (start.position[k], start.velocity[k]);
            let mut acceleration = start.acceleration[k];
            for tick in 1..=trajectory.ticks() + 3 {
                let next = trajectory.at(tick)[k];
                let v = (next - position) / dt;
                let a = (v - velocity) / dt;
                assert!(v.abs() <= limits.velocity_max, "speed {v} of joint {k} at {tick}");
                assert!(a.abs() <= limits.acceleration_max, "acceleration {a} of {k} at {tick}");
                if start.is_at_rest() {
                    let j = (a - acceleration) / dt;
                    assert!(j.abs() <= limits.jerk_max, "jerk {j} of joint {k} at {tick}");
                }
                (position, velocity, acceleration) = (next, v, a);
            }
        }
    }

    #[test]
    fn all_joints_arrive_together_inside_their_limits() {
        let robot = robot();
        let start = Start::at_rest(joints([0.0, 0.5, -0.1]));
        for speed in [1.0, 0.5, 0.1] {
            let goal = joints([1.5, -0.5, 0.1]);
            let trajectory = Trajectory::plan(&robot, &start, &goal, speed).expect("a motion");
            assert_eq!(
                (trajectory.at(0), trajectory.at(trajectory.ticks())),
                (start.position, goal)
            );
            assert_ne!(trajectory.at(trajectory.ticks() - 1), goal);
            keeps_limits(&trajectory, &start, &robot);
        }
    }

    #[test]
    fn it_is_as_fast_as_the_slowest_joint_allows() {
        // 1 rad under 1 rad/s, 2 rad/s^2, 20 rad/s^3 from rest to rest: d/v + v/a + a/j.
        let goal = joints([0.0, 1.0, 0.0]);
        let start = Start::at_rest(joints([0.0; 3]));
        let trajectory = Trajectory::plan(&robot(), &start, &goal, 1.0).expect("a motion");
        let (d, v, a, j) = (1.0, SHARE, 2.0 * SHARE, 20.0 * SHARE);
        let least: f64 = d / v + v / a + a / j;
        assert_eq!(trajectory.ticks(), (least / PERIOD_S).ceil() as u64);
    }

    #[test]
    fn a_motion_may_begin_in_motion_but_not_beyond_what_can_be_stopped() {
        let robot = robot();
        let mut start = Start::at_rest(joints([0.0; 3]));
        start.velocity = joints([1.0, -0.5, 0.0]);
        let goal = joints([-0.5, 0.5, 0.1]);
        let trajectory = Trajectory::plan(&robot, &start, &goal, 1.0).expect("a motion");
        assert_eq!(trajectory.at(trajectory.ticks()), goal);
        keeps_limits(&trajectory, &start, &robot);
        start.position = joints([1.99, 0.0, 0.0]);
        assert!(
            Trajectory::plan(&robot, &start, &goal, 1.0).is_err(),
            "0.01 rad do not stop 1 rad/s"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let robot = robot();
        let start = Start::at_rest(joints([0.0; 3]));
        let goal = joints([f64::NAN, 0.0, 0.0]);
        assert!(Trajectory::plan(&robot, &start, &goal, 1.0).is_err());
        assert!(Trajectory::plan(&robot, &start, &joints([0.0; 3]), 0.0).is_err());
        let stays = Trajectory::plan(&robot, &start, &joints([0.0; 3]), 1.0).expect("a stay");
        assert_eq!((stays.ticks(), stays.at(1)), (1, joints([0.0; 3])));
    }
}
