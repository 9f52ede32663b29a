//! What a Piper's backend has to be told, checked elsewhere: `[piper]` of the robot's file.

use motion::Robot;

use super::{bus::Address, stream::AXES};

/// One arm on one bus.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is.
    pub bus: Address,
    /// Which of the robot's joints are J1 to J6.
    pub joints: [usize; 6],
    /// Which is its gripper: the opening between the fingers, m. Without one it is left alone.
    pub gripper: Option<usize>,
    /// Set-points a second, 50 to 200.
    pub servo_hz: u32,
    /// How set-points are streamed.
    pub stream: StreamMode,
    /// The arm's own bound on its speed, percent of what it stores; set-points may not run away from it.
    pub speed_percent: u8,
    /// How the base is mounted.
    pub mount: Mount,
    /// What an e-stop does.
    pub estop: EStop,
    /// How hard the gripper closes at most, N m, 0 to 5.
    pub gripper_effort_n_m: f64,
    /// What the kernel is asked for by the thread that streams.
    pub realtime: crate::realtime::Settings,
}

/// How set-points are streamed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StreamMode {
    /// MOVE J: the arm's own position control.
    Position,
    /// MIT, joint by joint: `kp (q* - q) - kd dq`. Neither speed nor torque is ever commanded, because an arm whose
    /// master died goes on executing them.
    Mit {
        /// N m/rad, 0 to 500.
        kp: [f64; 6],
        /// N m s/rad, 0 to 5.
        kd: [f64; 6],
    },
}

/// How the base is mounted: gravity, as the arm compensates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// On a table.
    Upright,
    /// On a wall, cables to the left.
    Left,
    /// On a wall, cables to the right.
    Right,
}

/// What an e-stop does to the arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EStop {
    /// The law brakes within its limits; the arm stands with its motors on.
    Hold,
    /// The arm's own quick stop: its joints are damped, it sinks slowly. Left by `release` only, which drops it.
    Damp,
    /// The motors lose their power at once: the arm falls.
    Cut,
}

/// Limits of the axes, as the law has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) period_ns: u64,
    pub(super) range: [(f64, f64); AXES],
    pub(super) velocity_max: [f64; AXES],
    pub(super) acceleration_max: [f64; AXES],
}

impl Settings {
    /// The robot's joint on an axis; the seventh is the gripper.
    pub(super) fn joint(&self, axis: usize) -> Option<usize> {
        self.joints.get(axis).copied().or(self.gripper.filter(|_| axis == AXES - 1))
    }

    /// The axes that exist, with the robot's joint on each.
    pub(super) fn axes(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..AXES).filter_map(|axis| Some((axis, self.joint(axis)?)))
    }

    /// What of the robot's limits concerns the arm.
    pub(super) fn limits(&self, robot: &Robot) -> Limits {
        let mut limits = Limits {
            period_ns: (robot.period_s() * 1e9).round() as u64,
            range: [(f64::MIN, f64::MAX); AXES],
            velocity_max: [0.0; AXES],
            acceleration_max: [0.0; AXES],
        };
        for (axis, joint) in self.axes() {
            if let Some(of) = robot.limits().get(joint) {
                limits.range[axis] = (of.position_min, of.position_max);
                limits.velocity_max[axis] = of.velocity_max;
                limits.acceleration_max[axis] = of.acceleration_max;
            }
        }
        limits
    }
}
