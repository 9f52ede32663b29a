//! What the arm says by itself, two hundred times a second.

use reflex::backend::piper::frames::{
    ArmStatus, Command, ControlMode, Driver, DriverBits, Feedback, Follow, Frame, Gripper,
    GripperBits, Joint, JointBits, ModeCommand, Mount, MoveMode, Pair, PosePart, Reached, Speed,
    Status, Teach, Told as Said, mdeg_of_rad,
};

use super::{
    Arm, Fault,
    body::{GRIPPER, MOTORS},
    hand::Hand,
    kinematics::raw_of_pose,
};

/// Joints' drivers speak in every so many cycles.
const DRIVERS_EVERY: u64 = 5;
/// Somebody else commands in every so many cycles.
const MASTER_EVERY: u64 = 4;
/// How far that one moves joint 1, rad, and in how many of its frames there and back.
const MASTER_SWING_RAD: f64 = 0.3;
const MASTER_FRAMES: f64 = 200.0;
/// N m for an ampere, by the vendor's factors.
const NM_PER_A: [f64; 6] = [1.181_25, 1.181_25, 1.181_25, 0.958_44, 0.958_44, 0.958_44];
/// Supply (V/10), and how warm things are, degrees.
const SUPPLY_DV: u16 = 240;
const WARM_C: i16 = 35;
const HOT_C: i16 = 95;

/// What was measured at one moment, as the arm tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Told {
    /// rad.
    joints: [f64; 6],
    speeds_rad_s: [f64; 6],
    efforts_nm: [f64; 6],
    pose_raw: [i32; 6],
    opening_m: f64,
    force_n: f64,
    /// The same in the body's own coordinates.
    pub(super) in_body: [f64; MOTORS],
}

impl Arm {
    /// What is so, without trouble.
    pub(super) fn measured(&self) -> Told {
        let (joints, in_body) = (self.joints(), self.body.position());
        let (speeds, efforts) = (self.body.velocity(), self.body.efforts());
        Told {
            joints,
            speeds_rad_s: std::array::from_fn(|k| speeds[k]),
            efforts_nm: std::array::from_fn(|k| efforts[k]),
            pose_raw: raw_of_pose(&self.kinematics.flange(&joints)),
            opening_m: in_body[GRIPPER],
            force_n: efforts[GRIPPER],
            in_body,
        }
    }

    /// What is told of it.
    fn told(&self) -> Told {
        let now = self.measured();
        match self.fault {
            Some((Fault::Frozen, then)) => then,
            Some((Fault::ZeroPose, _)) => Told { joints: [0.0; 6], pose_raw: [0; 6], ..now },
            Some((Fault::Silent(joint, _), then)) => {
                let mut told = now;
                told.joints[joint.index()] = then.joints[joint.index()];
                told
            }
            _ => now,
        }
    }

    /// One cycle.
    pub(super) fn speak(&mut self, said: &mut Vec<Frame>) {
        let told = self.told();
        let drivers_too = self.cycles.is_multiple_of(DRIVERS_EVERY);
        if drivers_too {
            self.tick_power();
        }
        let mut say = |feedback: Feedback| {
            // What does not fit its field is not said.
            said.extend(feedback.encode().map(|frame| self.shifted(frame)));
        };
        say(Feedback::Status(self.status_now()));
        let [x_um, y_um, z_um, rx_mdeg, ry_mdeg, rz_mdeg] = told.pose_raw;
        say(Feedback::Pose(PosePart::Xy { x_um, y_um }));
        say(Feedback::Pose(PosePart::ZRx { z_um, rx_mdeg }));
        say(Feedback::Pose(PosePart::RyRz { ry_mdeg, rz_mdeg }));
        for (first, mdeg) in pairs(&told.joints) {
            say(Feedback::JointPair { first, mdeg });
        }
        say(Feedback::Gripper(self.gripper_now(&told)));
        let silent = match self.fault() {
            Some(Fault::Silent(joint, _)) => Some(joint),
            _ => None,
        };
        for joint in Joint::ALL.into_iter().filter(|joint| Some(*joint) != silent) {
            let k = joint.index();
            say(Feedback::Speed(Speed {
                joint,
                speed_mrad_s: (told.speeds_rad_s[k] * 1e3).round() as i16,
                current_ma: (told.efforts_nm[k] / NM_PER_A[k] * 1e3).round() as i16,
                position_mrad: (told.joints[k] * 1e3).round() as i32,
            }));
            if drivers_too {
                say(Feedback::Driver(self.driver_now(joint)));
            }
        }
        if self.leads() && self.fault().is_none() {
            self.lead(&told.joints, said);
        }
        self.trouble(said);
    }

    fn status_now(&self) -> Status {
        let arm = match self.fault() {
            _ if self.halted => ArmStatus::EmergencyStop,
            Some(Fault::Collision(_)) => ArmStatus::Collision,
            Some(Fault::Hot(_) | Fault::Stall(_)) => ArmStatus::JointAbnormal,
            Some(Fault::Silent(_, true)) => ArmStatus::JointSilent,
            _ => self.status,
        };
        let silent = match self.fault() {
            Some(Fault::Silent(joint, true)) => 1 << joint.index(),
            _ => 0,
        };
        let control = if self.leads() { ControlMode::Linkage } else { self.mode.control };
        Status {
            control: Said::Known(control),
            arm: Said::Known(arm),
            movement: Said::Known(self.mode.movement),
            teach: Said::Known(Teach::Off),
            reached: Said::Known(if self.has_reached() { Reached::Yes } else { Reached::No }),
            track: 0,
            at_limit: JointBits(self.motion.at_limit),
            silent: JointBits(silent),
        }
    }

    fn gripper_now(&self, told: &Told) -> Gripper {
        if self.flash.gripper.range_mm == 0 {
            return Gripper { stroke_um: 0, effort_mnm: 0, status: GripperBits(0) };
        }
        Gripper {
            stroke_um: (self.hand.told_m(told.opening_m) * 1e6).round() as i32,
            effort_mnm: (Hand::told_effort_nm(told.force_n) * 1e3).round() as i16,
            status: self.hand.bits(),
        }
    }

    fn driver_now(&self, joint: Joint) -> Driver {
        let (mut bits, mut warm) = (u8::from(self.power[joint.index()].on) << 6, WARM_C);
        match self.fault() {
            Some(Fault::Hot(hot)) if hot == joint => {
                bits |= 1 << 1 | 1 << 3;
                warm = HOT_C;
            }
            Some(Fault::Collision(hit)) if hit == joint => bits |= 1 << 4,
            Some(Fault::Stall(stuck)) if stuck == joint => bits |= 1 << 7,
            _ => {}
        }
        Driver {
            joint,
            volt_dv: SUPPLY_DV,
            driver_c: warm,
            motor_c: warm as i8,
            status: DriverBits(bits),
            bus_current_ma: 300,
        }
    }

    /// Where feedback goes: shifted by the role that was set, or where users see it when an arm falls back to leading.
    fn shifted(&self, frame: Frame) -> Frame {
        let offset = match self.fault() {
            Some(Fault::Leader) => 0x100,
            _ => self.flash.role.feedback as u16,
        };
        match frame.id {
            0x2A1..=0x2AF => Frame { id: frame.id + offset, ..frame },
            _ => frame,
        }
    }

    /// What its own inverse made of a pose; newer firmware tells.
    pub(super) fn tell_inverse(&mut self, joints: &[f64; 6]) {
        if self.setup.firmware >= reflex::backend::piper::frames::Firmware::new(1, 8, 8) {
            for (first, mdeg) in pairs(joints) {
                self.reply(&Feedback::IkJointPair { first, mdeg });
            }
        }
    }

    /// A leading arm commands its followers to be where it is.
    fn lead(&self, joints: &[f64; 6], said: &mut Vec<Frame>) {
        let offset = self.flash.role.target as u16;
        let commands = commands(joints);
        let frames = commands.iter().filter_map(|command| command.encode().ok());
        said.extend(frames.map(|frame| Frame { id: frame.id + offset, ..frame }));
    }

    /// What others say on the bus because of a fault.
    fn trouble(&mut self, said: &mut Vec<Frame>) {
        match self.fault {
            Some((Fault::Garbage(frames_per_s), _)) => {
                self.garbage_due += f64::from(frames_per_s) * self.cycle_ns() as f64 * 1e-9;
                while self.garbage_due >= 1.0 {
                    self.garbage_due -= 1.0;
                    said.extend(self.noise());
                }
            }
            Some((Fault::SecondMaster, then)) if self.cycles.is_multiple_of(MASTER_EVERY) => {
                let turn = (self.cycles / MASTER_EVERY) as f64 / MASTER_FRAMES;
                let mut joints = then.joints;
                joints[0] += MASTER_SWING_RAD * (turn * std::f64::consts::TAU).sin();
                for command in commands(&joints) {
                    said.extend(command.encode());
                    self.obey(&command);
                }
            }
            _ => {}
        }
    }

    /// A frame of nobody. Never the one that silences a bus for an upgrade: this may be a real one.
    fn noise(&mut self) -> Option<Frame> {
        let id = (self.draw.bits() % 0x800) as u16;
        let (len, data) = (self.draw.bits() % 9, self.draw.bits().to_le_bytes());
        let frame = Frame::new(id, &data[..len as usize]);
        frame.filter(|_| id != 0x422)
    }
}

/// Joints, two by two, as they stand on the wire; what is no number is zero.
fn pairs(joints: &[f64; 6]) -> [(Pair, [i32; 2]); 3] {
    let mdeg = |k: usize| mdeg_of_rad(joints[k]).unwrap_or(0);
    Pair::ALL.map(|pair| (pair, [mdeg(pair.index()), mdeg(pair.index() + 1)]))
}

/// A mode and targets, as a host that wants to move the arm sends them.
fn commands(joints: &[f64; 6]) -> [Command; 4] {
    let mode = Command::Mode(ModeCommand {
        control: ControlMode::Can,
        movement: MoveMode::Joint,
        speed_percent: 30,
        follow: Follow::Planned,
        dwell_s: 0,
        mount: Mount::Leave,
    });
    let [first, second, third] = pairs(joints);
    let pair = |(first, mdeg)| Command::JointPair { first, mdeg };
    [mode, pair(first), pair(second), pair(third)]
}
