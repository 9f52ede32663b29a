//! How targets become motion: the controller's ramps, lines, pass-through and MIT.

use ::motion::Nanos;
use arm::{Arc, Line, ToolPath, nalgebra::Isometry3};
use reflex::backend::piper::frames::{ArmStatus, ControlMode, Follow, MitTarget, MoveMode};

use super::{
    Arm, Fault,
    body::{Drive, GRIPPER, MOTORS},
    kinematics::{Beyond, pose_of_raw},
    ramp::Ramp,
};

/// A motor's own control takes away what gravity leaves of an error at rest: this fast (1/s), and this much at most (rad),
/// which is what gravity can leave: an arm that rests against something must not push ever harder.
const TRIM_PER_S: f64 = 5.0;
const TRIM_MAX_RAD: f64 = 0.006;
/// Slower than this is at rest, rad/s.
const STILL_RAD_S: f64 = 0.05;
/// A line that asks a joint for more than this times its speed passes a singularity.
const WHIP: f64 = 2.0;
/// A target is reached within this, rad.
const REACHED_RAD: f64 = 0.005;

/// A way of the tool that is being gone.
struct Way {
    path: Box<dyn ToolPath + Send>,
    part: Ramp,
    /// Parts of it in a second, and how fast that may change.
    speed: f64,
    acceleration: f64,
}

/// What the controller is doing with its joints; angles as it counts them.
#[derive(Default)]
pub(super) struct Motion {
    ramps: [Ramp; 6],
    pub(super) targets: [f64; 6],
    trim: [f64; 6],
    mit: [Option<MitTarget>; 6],
    way: Option<Way>,
    /// What was sent before the mode that it is for.
    early_joints: [Option<f64>; 6],
    early_pose: bool,
    /// The last pose, as it stood on the wire, and the middle of an arc.
    pub(super) pose_raw: [i32; 6],
    via: Option<Isometry3<f64>>,
    /// Joints whose target was beyond their limits, a bit each.
    pub(super) at_limit: u8,
}

impl Motion {
    /// A joint rests where it is.
    pub(super) fn rest(&mut self, k: usize, at: f64) {
        (self.ramps[k], self.targets[k], self.trim[k]) = (Ramp::at(at), at, 0.0);
        (self.mit[k], self.early_joints[k]) = (None, None);
        self.way = None;
        self.early_pose = false;
    }

    /// Where the controller has its joints now.
    fn positions(&self) -> [f64; 6] {
        self.ramps.map(|ramp| ramp.position)
    }
}

impl Arm {
    /// Everything rests where it is.
    pub(super) fn anchor(&mut self) {
        let joints = self.joints();
        for (k, at) in joints.into_iter().enumerate() {
            self.motion.rest(k, at);
        }
    }

    /// Everything comes to rest as soon as it can.
    pub(super) fn brake(&mut self) {
        self.motion.way = None;
        let passes = self.passes_through();
        for k in 0..6 {
            let (ramp, most) = (self.motion.ramps[k], self.flash.joints[k].acceleration_rad_s2());
            let stopping = ramp.velocity * ramp.velocity.abs() / (2.0 * most.max(0.01));
            self.motion.targets[k] = ramp.position + if passes { 0.0 } else { stopping };
        }
    }

    /// Whether nobody plans: MIT, or "high follow".
    pub(super) fn passes_through(&self) -> bool {
        let direct = self.mode.movement == MoveMode::Joint && self.mode.follow == Follow::Direct;
        self.is_mit() || direct
    }

    fn is_mit(&self) -> bool {
        matches!(self.mode.movement, MoveMode::Mit | MoveMode::MitTwelveBit)
    }

    /// Whether it does what it is told over CAN.
    pub(super) fn obeys(&self) -> bool {
        let collided = matches!(self.fault(), Some(Fault::Collision(_)));
        !self.halted && !collided && !self.leads()
    }

    fn obeys_in(&self, movement: MoveMode) -> bool {
        self.mode.control == ControlMode::Can && self.mode.movement == movement
    }

    /// After a change of mode: what was sent before it counts now.
    pub(super) fn begin_mode(&mut self) {
        let joints = self.joints();
        for (k, at) in joints.into_iter().enumerate() {
            if self.is_mit() {
                self.motion.ramps[k] = Ramp::at(at);
            }
            self.motion.mit[k] = None;
        }
        self.brake();
        if self.obeys_in(MoveMode::Joint) {
            for k in 0..6 {
                if let Some(early) = self.motion.early_joints[k].take() {
                    self.motion.targets[k] = early;
                }
            }
        }
        if self.motion.early_pose {
            self.hear_pose();
        }
        self.motion.early_joints = [None; 6];
        self.motion.early_pose = false;
    }

    /// 0x155 to 0x157: one joint's target, rad.
    pub(super) fn hear_joint(&mut self, k: usize, told: f64) {
        if !self.power[k].on || !self.obeys() {
            return;
        }
        let [least, most] = self.flash.joints[k].limits_rad();
        let target = told.clamp(least, most.max(least));
        let beyond = (target - told).abs() > 1e-4;
        self.motion.at_limit = self.motion.at_limit & !(1 << k) | u8::from(beyond) << k;
        if self.obeys_in(MoveMode::Joint) {
            self.status = ArmStatus::Normal;
            self.motion.targets[k] = target;
        } else {
            self.motion.early_joints[k] = Some(target);
        }
    }

    /// 0x154: the last part of a pose.
    pub(super) fn hear_pose(&mut self) {
        if !self.obeys() || !self.power.iter().all(|power| power.on) {
            return;
        }
        let pose = pose_of_raw(&self.motion.pose_raw);
        if self.obeys_in(MoveMode::Pose) {
            match self.kinematics.joints(&pose, &self.joints(), false) {
                Ok(joints) => {
                    (self.motion.targets, self.status) = (joints, ArmStatus::Normal);
                    self.tell_inverse(&joints);
                }
                Err(beyond) => self.status = refusal(beyond),
            }
        } else if self.obeys_in(MoveMode::Linear) {
            let path = Line::new(&self.flange_now(), &pose).map(|line| Box::new(line) as _);
            self.go(path.ok(), &pose);
        } else if !self.obeys_in(MoveMode::Circular) {
            self.motion.early_pose = true;
        }
    }

    /// 0x158: the last pose was the middle of an arc, or its end.
    pub(super) fn hear_arc(&mut self, is_end: bool) {
        let pose = pose_of_raw(&self.motion.pose_raw);
        if !is_end {
            self.motion.via = Some(pose);
        } else if self.obeys() && self.obeys_in(MoveMode::Circular) {
            let via = self.motion.via.take().map(|pose| pose.translation.vector);
            let arc = via.and_then(|via| Arc::through(&self.flange_now(), &via, &pose).ok());
            self.go(arc.map(|arc| Box::new(arc) as _), &pose);
        }
    }

    /// 0x15A to 0x15F.
    pub(super) fn hear_mit(&mut self, k: usize, target: MitTarget) {
        if self.power[k].on
            && self.obeys()
            && self.mode.control == ControlMode::Can
            && self.is_mit()
        {
            self.motion.mit[k] = Some(target);
        }
    }

    fn flange_now(&self) -> Isometry3<f64> {
        self.kinematics.flange(&self.motion.positions())
    }

    /// Sets out on a way, from rest, whatever was going on: that is why lines must not be streamed.
    fn go(&mut self, path: Option<Box<dyn ToolPath + Send>>, to: &Isometry3<f64>) {
        self.brake();
        let Some(path) = path else {
            self.status = ArmStatus::NoSolution;
            return;
        };
        if let Err(beyond) = self.kinematics.joints(to, &self.motion.positions(), false) {
            self.status = refusal(beyond);
            return;
        }
        self.status = ArmStatus::Normal;
        let end = &self.flash.end;
        let per = |each: u16, whole: f64| f64::from(each) * 1e-3 / whole.max(1e-9);
        let (length, angle) = (path.length_m(), path.angle_rad());
        let speed = per(end.speed_mm_s, length).min(per(end.turn_mrad_s, angle));
        let acceleration =
            per(end.acceleration_mm_s2, length).min(per(end.turn_acceleration_mrad_s2, angle));
        self.motion.way = Some(Way { path, part: Ramp::at(0.0), speed, acceleration });
    }

    /// Goes on along a way.
    fn follow_way(&mut self, dt: f64) {
        let Some(mut way) = self.motion.way.take() else { return };
        way.part.step(1.0, way.speed * self.mode.speed, way.acceleration, dt);
        let before = self.motion.positions();
        let pose = way.path.pose_at(way.part.position);
        let joints = match self.kinematics.joints(&pose, &before, true) {
            Ok(joints) => joints,
            Err(beyond) => {
                self.status = refusal(beyond);
                return;
            }
        };
        let whips = |k: usize| {
            (joints[k] - before[k]).abs() > WHIP * self.flash.joints[k].speed_rad_s() * dt
        };
        if (0..6).any(whips) {
            self.status = ArmStatus::Singular;
            return;
        }
        (self.motion.ramps, self.motion.targets) = (joints.map(Ramp::at), joints);
        if !way.part.rests_at(1.0) {
            self.motion.way = Some(way);
        }
    }

    /// One step of physics, to this moment.
    pub(super) fn drive(&mut self, to: Nanos) {
        let dt = self.body.step_s();
        let (joints, speeds) = (self.joints(), self.body.velocity());
        for (k, at) in joints.into_iter().enumerate() {
            if !self.power[k].on || self.halted {
                self.motion.rest(k, at);
            }
        }
        self.follow_way(dt);
        let passes = self.passes_through();
        for (k, at) in joints.into_iter().enumerate() {
            let (settings, target) = (&self.flash.joints[k], self.motion.targets[k]);
            let ramp = &mut self.motion.ramps[k];
            if self.motion.mit[k].is_some() {
                (*ramp, self.motion.targets[k]) = (Ramp::at(at), at);
            } else if passes {
                *ramp = Ramp::at(target);
            } else {
                let speed = settings.speed_rad_s() * self.mode.speed;
                ramp.step(target, speed, settings.acceleration_rad_s2(), dt);
            }
            if ramp.velocity == 0.0 && speeds[k].abs() < STILL_RAD_S {
                let trim = self.motion.trim[k] + TRIM_PER_S * dt * (ramp.position - at);
                self.motion.trim[k] = trim.clamp(-TRIM_MAX_RAD, TRIM_MAX_RAD);
            }
        }
        let drives = self.drives(dt);
        self.body.step(to, &drives);
    }

    fn drives(&mut self, dt: f64) -> [Drive; MOTORS] {
        let opening = self.body.position()[GRIPPER];
        let body = self.in_body(&std::array::from_fn(|k| {
            if k == GRIPPER {
                return opening;
            }
            let mit = self.motion.mit[k].map(|mit| mit.position_rad);
            mit.unwrap_or(self.motion.ramps[k].position + self.motion.trim[k])
        }));
        let stuck = self.fault.and_then(|(fault, told)| match fault {
            Fault::Stall(joint) => Some((joint.index(), told.in_body[joint.index()])),
            _ => None,
        });
        std::array::from_fn(|k| {
            if k == GRIPPER {
                return self.hand.drive(opening, dt);
            }
            if let Some((_, at)) = stuck.filter(|(joint, _)| *joint == k) {
                return Drive::Follow(at);
            }
            if !self.power[k].on {
                return Drive::Limp;
            }
            if self.halted {
                return Drive::Damped;
            }
            self.motion.mit[k].map_or(Drive::Follow(body[k]), |mit| Drive::Mit {
                kp: mit.kp,
                kd: mit.kd,
                position: body[k],
                velocity: mit.speed_rad_s,
                effort: mit.torque_nm,
            })
        })
    }

    /// Whether it is where it was sent.
    pub(super) fn has_reached(&self) -> bool {
        let joints = self.joints();
        let there = |k: usize| {
            let target = self.motion.targets[k];
            self.motion.ramps[k].rests_at(target) && (joints[k] - target).abs() < REACHED_RAD
        };
        self.motion.way.is_none() && (0..6).all(there)
    }
}

const fn refusal(beyond: Beyond) -> ArmStatus {
    match beyond {
        Beyond::Reach => ArmStatus::NoSolution,
        Beyond::Limits => ArmStatus::TargetOverLimit,
    }
}
