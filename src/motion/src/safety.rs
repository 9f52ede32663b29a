//! What is allowed: the one filter between a wish and a motor.
//!
//! A [`Command`] has private fields and no public constructor: only [`Filter`] makes one, so a set-point that was not
//! filtered cannot reach a backend, because it does not compile.
//!
//! Order of the checks: finite (before any filter state is touched), gross jump, then position, velocity,
//! acceleration and jerk, then the workspace. Continuity is judged against the last command, divergence against the
//! measured state.

mod guard;
mod limits;
mod watchdog;

use crate::{
    joints::{Joints, MAX_JOINTS},
    mode::Fault,
    robot::{JointLimits, Robot},
    words::{Reading, Sheet, Words},
    workspace::Pair,
};
pub use guard::Foresight;
use limits::Motion;
pub(crate) use watchdog::Watchdog;

/// Limits that changed a joint's set-point, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits(pub u8);

impl Limits {
    /// The position limit, or the room needed to brake before it.
    pub const POSITION: Self = Self(1);
    /// The velocity limit.
    pub const VELOCITY: Self = Self(2);
    /// The acceleration limit, or the room needed to brake at the goal.
    pub const ACCELERATION: Self = Self(4);
    /// The jerk limit.
    pub const JERK: Self = Self(8);
    /// Two things that must not touch would have come too near.
    pub const WORKSPACE: Self = Self(16);

    /// Names of the bits, in the order in which the limits are checked.
    pub const NAMES: [(Self, &str); 5] = [
        (Self::POSITION, "position"),
        (Self::VELOCITY, "velocity"),
        (Self::ACCELERATION, "acceleration"),
        (Self::JERK, "jerk"),
        (Self::WORKSPACE, "workspace"),
    ];

    /// Whether any bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// The limits that changed a set-point, by joint.
pub type LimitedBy = [Limits; MAX_JOINTS];

/// Whether the robot's drives follow set-points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drive {
    /// Nothing is commanded: the backend leaves the robot as it is.
    #[default]
    Off,
    /// The set-point is to be followed.
    On,
}

/// A set-point that passed the filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command {
    drive: Drive,
    stop: bool,
    release: bool,
    position: Joints,
}

impl Command {
    /// Whether to follow it.
    #[must_use]
    pub const fn drive(&self) -> Drive {
        self.drive
    }

    /// Whether somebody pulled the e-stop and it has not been cleared: a robot that has a stop of its own may use it,
    /// driven or not. One that has none follows the set-points, which brake and then stay.
    #[must_use]
    pub const fn is_stop(&self) -> bool {
        self.stop
    }

    /// Whether the motors are to lose their power in this tick, as an operator who knows that an arm may fall then has
    /// asked for. Never true together with [`Drive::On`].
    #[must_use]
    pub const fn releases(&self) -> bool {
        self.release
    }

    /// Joint set-points, rad or m.
    #[must_use]
    pub const fn position(&self) -> &Joints {
        &self.position
    }

    /// The same, told what else it is. Who releases drives nothing.
    pub(crate) const fn marked(self, stop: bool, release: bool) -> Self {
        let drive = if release { Drive::Off } else { self.drive };
        Self { drive, stop, release, position: self.position }
    }
}

/// What became of a wish.
pub(crate) struct Passed {
    pub(crate) command: Command,
    pub(crate) limited_by: LimitedBy,
    /// The pair because of which every joint brakes instead.
    pub(crate) barred: Option<Pair>,
}

/// The filter and its memory: the last command and its first two differences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter {
    joints: usize,
    /// What speed limits are multiplied by.
    pace: f64,
    motion: [Motion; MAX_JOINTS],
}

impl Filter {
    pub(crate) const fn new(joints: usize) -> Self {
        Self { joints, pace: 1.0, motion: [Motion::REST; MAX_JOINTS] }
    }

    /// Multiplies every speed limit by `pace`, in (0, 1]. Whoever is faster brakes until it is not.
    pub(crate) const fn go_at(&mut self, pace: f64) {
        self.pace = pace;
    }

    /// Starts anew, at rest at `pose`, which must be finite.
    pub(crate) fn anchor(&mut self, pose: &Joints) {
        for (motion, position) in self.motion.iter_mut().zip(pose.iter()) {
            *motion = Motion { position: *position, asked: *position, ..Motion::REST };
        }
    }

    /// The last command.
    pub(crate) fn position(&self) -> Joints {
        self.collect(|motion| motion.position)
    }

    /// Its velocity.
    pub(crate) fn velocity(&self) -> Joints {
        self.collect(|motion| motion.velocity)
    }

    /// Its acceleration.
    pub(crate) fn acceleration(&self) -> Joints {
        self.collect(|motion| motion.acceleration)
    }

    /// Whether the commanded motion has come to an end.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.motion[..self.joints].iter().all(Motion::is_at_rest)
    }

    /// Passes a wish: the nearest allowed set-point, and what it was limited by.
    ///
    /// # Errors
    /// A wish that is not finite or jumps is a fault, and leaves the filter's memory as it was.
    pub(crate) fn pass(&mut self, wish: &Joints, robot: &Robot) -> Result<Passed, Fault> {
        if let Some(joint) = wish.iter().position(|value| !value.is_finite()) {
            return Err(Fault::RequestNotFinite { joint });
        }
        for (joint, limits) in robot.limits().iter().enumerate() {
            if (wish[joint] - self.motion[joint].position).abs() > limits.step_max {
                return Err(Fault::GrossJump { joint });
            }
        }
        let mut limited_by = [Limits::default(); MAX_JOINTS];
        let mut next = self.motion;
        for (joint, limits) in robot.limits().iter().enumerate() {
            (next[joint], limited_by[joint]) = self.motion[joint].toward(
                wish[joint],
                &slowed(limits, self.pace),
                robot.period_s(),
            );
        }
        let barred = robot
            .workspace()
            .and_then(|workspace| guard::barred(&self.motion, &next, robot, workspace));
        let Some(pair) = barred else {
            self.motion = next;
            return Ok(Passed { command: self.command(), limited_by, barred });
        };
        for joint in robot.workspace().into_iter().flat_map(|known| known.joints_of(&pair)) {
            if let Some(by) = limited_by.get_mut(joint) {
                by.add(Limits::WORKSPACE);
            }
        }
        Ok(Passed { command: self.brake(robot), limited_by, barred })
    }

    /// Brakes every joint as hard as its limits allow, to rest.
    pub(crate) fn brake(&mut self, robot: &Robot) -> Command {
        for (motion, limits) in self.motion.iter_mut().zip(robot.limits()) {
            *motion = motion.braked(limits, robot.period_s());
            motion.asked = motion.position;
        }
        self.command()
    }

    /// Goes on as [`Self::pass`] and [`Self::brake`] would, the guard left out: for looking ahead, commands nothing.
    pub(crate) fn foresee(&mut self, wish: Option<&Joints>, robot: &Robot) {
        let pace = self.pace;
        for (joint, (motion, limits)) in self.motion.iter_mut().zip(robot.limits()).enumerate() {
            let to = wish.and_then(|wish| wish.get(joint)).filter(|to| to.is_finite());
            *motion = match to {
                Some(to) => motion.toward(*to, &slowed(limits, pace), robot.period_s()).0,
                None => motion.braked(limits, robot.period_s()),
            };
            if to.is_none() {
                motion.asked = motion.position;
            }
        }
    }

    /// No command.
    pub(crate) fn idle(&self) -> Command {
        Command { drive: Drive::Off, stop: false, release: false, position: self.position() }
    }

    /// The last command again.
    pub(crate) fn command(&self) -> Command {
        Command { drive: Drive::On, stop: false, release: false, position: self.position() }
    }

    fn collect(&self, of: impl Fn(&Motion) -> f64) -> Joints {
        let mut joints = Joints::zeros(self.joints);
        for (value, motion) in joints.iter_mut().zip(&self.motion) {
            *value = of(motion);
        }
        joints
    }
}

fn slowed(limits: &JointLimits, pace: f64) -> JointLimits {
    JointLimits { velocity_max: limits.velocity_max * pace, ..*limits }
}

impl Command {
    /// Writes it as words. Nothing makes a command of words: only the filter makes commands.
    pub(crate) fn put(&self, to: &mut Sheet<'_>) {
        let Self { drive, stop, release, position } = self;
        drive.put(to);
        (*stop, *release).put(to);
        position.put(to);
    }
}

impl Words for Filter {
    fn put(&self, to: &mut Sheet<'_>) {
        self.joints.put(to);
        self.pace.put(to);
        self.motion[..self.joints].iter().for_each(|motion| motion.put(to));
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        let joints = usize::get(from).filter(|joints| *joints <= MAX_JOINTS)?;
        let pace = f64::get(from).filter(|pace| *pace > 0.0 && *pace <= 1.0)?;
        let mut filter = Self { pace, ..Self::new(joints) };
        for motion in &mut filter.motion[..joints] {
            *motion = Words::get(from)?;
        }
        Some(filter)
    }
}

impl Filter {
    /// Whether every number in it is finite.
    pub(crate) fn is_finite(&self) -> bool {
        self.motion[..self.joints].iter().all(Motion::is_finite)
    }

    /// How many joints there are.
    pub(crate) const fn joints(&self) -> usize {
        self.joints
    }
}
