//! What each command makes the arm do.

use reflex::backend::piper::frames::{
    Ack, ArcPoint, ArmStatus, Command, ControlMode, Feedback, Follow, Frame, Identity, JointSetup,
    LEAVE, LimitKind, Limits, Linkage, MitLayout, ModeCommand, Motors, MoveMode, Pack,
    ParameterSetup, PosePart, Query, Restore, Role, Stop, Told, rad_of_mdeg,
};

use super::{ANSWER_STEPS, Arm, Fault, Mode, body::GRIPPER, kinematics::Kinematics};

/// What it says of itself beside its firmware; made up, in the places where arms have it.
const HARDWARE: &str = "H-V1.2-1";
const NODE: &str = "ARM_MC";
const BUILT: &str = "250101";

impl Arm {
    /// Puts a command back to where it listens, if an offset of its ids was set; what it no longer listens for is nothing.
    pub(super) fn unshifted(&self, frame: &Frame) -> Option<Frame> {
        let offset = self.flash.role.control as u16;
        match frame.id {
            _ if offset == 0 => Some(*frame),
            0x150..=0x15F => None,
            id if (0x150..=0x15F).contains(&id.wrapping_sub(offset)) => {
                Some(Frame { id: id - offset, ..*frame })
            }
            _ => Some(*frame),
        }
    }

    /// Whether it leads others, and follows nobody.
    pub(super) fn leads(&self) -> bool {
        self.flash.role.linkage == Linkage::Leader || self.fault() == Some(Fault::Leader)
    }

    pub(super) fn obey(&mut self, command: &Command) {
        match *command {
            Command::Motion(motion) => match motion.stop {
                Stop::None => {}
                Stop::Quick => self.halted = true,
                Stop::Reset => self.reset(),
            },
            Command::Mode(mode) => self.set_mode(&mode),
            Command::Pose(part) => self.hear_part(part),
            Command::JointPair { first, mdeg } => {
                for (k, mdeg) in (first.index()..).zip(mdeg) {
                    self.hear_joint(k, rad_of_mdeg(mdeg));
                }
            }
            Command::Arc(ArcPoint::Middle) => self.hear_arc(false),
            Command::Arc(ArcPoint::End) => self.hear_arc(true),
            Command::Gripper(gripper) => {
                if !self.leads() {
                    let opening = self.body.position()[GRIPPER];
                    self.hand.hear(&gripper, self.flash.gripper.range_mm, opening);
                }
            }
            Command::Mit(mit) => match mit.target(self.setup.firmware) {
                Ok(target) => self.hear_mit(mit.joint.index(), target),
                Err(_) => self.tally.refused += 1,
            },
            Command::Role(role) => self.set_role(&role),
            Command::Power { motors, on } => self.set_power(motors, on),
            Command::AskLimits { motor, kind } => self.tell_limits(motor.number(), kind),
            Command::SetLimits(setup) => {
                self.flash.set_limits(&setup);
                self.set_up(0x74, false);
            }
            Command::SetJoint(setup) => self.set_joint(&setup),
            Command::SetParameters(setup) => self.set_parameters(&setup),
            Command::SetEnd(limits) => {
                self.flash.set_end(&limits);
                self.set_up(0x79, false);
            }
            Command::SetCollision { levels } => {
                for (kept, level) in self.flash.collision.iter_mut().zip(levels) {
                    if level != 0xFF {
                        *kept = level;
                    }
                }
                self.set_up(0x7A, false);
            }
            Command::SetGripper(setup) => {
                self.flash.gripper = setup;
                self.set_up(0x7D, false);
            }
            Command::Assist { ratings } => {
                self.flash.assist = ratings;
                self.reply(&Feedback::Assist { ratings });
            }
            Command::AskFirmware => {
                let identity = Identity::of(HARDWARE, NODE, self.setup.firmware, BUILT);
                for part in (0..Identity::PARTS).filter_map(|part| identity.part(part)) {
                    self.reply(&Feedback::FirmwarePart(part));
                }
            }
            // Lights, homing of a leader and the motors' own control do nothing here.
            Command::Arc(ArcPoint::None | ArcPoint::Start)
            | Command::Light(_)
            | Command::Servo(_)
            | Command::Homing(_) => {}
        }
    }

    /// The power goes, whatever was going on; a button that is still pressed keeps it halted.
    fn reset(&mut self) {
        self.cut_all();
        (self.mode, self.status) = (Mode::STANDBY, ArmStatus::Normal);
        self.halted = self.fault() == Some(Fault::OwnStop);
        self.anchor();
    }

    fn set_power(&mut self, motors: Motors, on: bool) {
        let of_joints = match motors {
            Motors::One(joint) => joint.index()..joint.index() + 1,
            Motors::Seven | Motors::All => 0..6,
        };
        for power in &mut self.power[of_joints] {
            if !on {
                power.cut();
            } else if !self.halted {
                power.ask();
            }
        }
        // Switched on it is by 0x159 only, which says where to.
        if motors == Motors::All && !on {
            self.hand.cut();
        }
    }

    fn set_mode(&mut self, told: &ModeCommand) {
        if !self.obeys() {
            return;
        }
        let twelve = self.setup.firmware.mit_layout() == MitLayout::TwelveBit;
        let known = match told.movement {
            MoveMode::Cpv => false,
            MoveMode::Mit => !twelve,
            MoveMode::MitTwelveBit => twelve,
            MoveMode::Pose | MoveMode::Joint | MoveMode::Linear | MoveMode::Circular => true,
        };
        if !known {
            self.tally.refused += 1;
            return;
        }
        let follow = if told.follow == Follow::Leave { self.mode.follow } else { told.follow };
        let speed = f64::from(told.speed_percent) / 100.0;
        let before = self.mode;
        let passed = before.control == ControlMode::Can && self.passes_through();
        self.mode = Mode { control: told.control, movement: told.movement, follow, speed };
        // The trap of older firmware: only a reset, which drops the arm, leads back to planned motion.
        if passed && !self.passes_through() && self.setup.firmware.leaves_mit_by_reset() {
            self.mode = before;
            return;
        }
        if (Mode { speed: before.speed, ..self.mode }) != before {
            self.status = ArmStatus::Normal;
            self.begin_mode();
        }
    }

    fn hear_part(&mut self, part: PosePart) {
        let raw = &mut self.motion.pose_raw;
        match part {
            PosePart::Xy { x_um, y_um } => (raw[0], raw[1]) = (x_um, y_um),
            PosePart::ZRx { z_um, rx_mdeg } => (raw[2], raw[3]) = (z_um, rx_mdeg),
            PosePart::RyRz { ry_mdeg, rz_mdeg } => {
                (raw[4], raw[5]) = (ry_mdeg, rz_mdeg);
                self.hear_pose();
            }
        }
    }

    fn set_role(&mut self, told: &Role) {
        let linkage = match told.linkage {
            Linkage::Leave => self.flash.role.linkage,
            linkage => linkage,
        };
        self.flash.role = Role { linkage, ..*told };
        if linkage == Linkage::Follower && self.fault() == Some(Fault::Leader) {
            self.fault = None;
        }
        self.brake();
        self.set_up(0x70, false);
    }

    fn set_joint(&mut self, setup: &JointSetup) {
        let Some(joint) = setup.motor.joint() else { return self.set_up(0x75, setup.set_zero) };
        if setup.acceleration_counts && setup.acceleration_crad_s2 != LEAVE {
            self.flash.joints[joint.index()].acceleration_crad_s2 = setup.acceleration_crad_s2;
        }
        if setup.set_zero {
            let at = self.joints()[joint.index()];
            self.flash.joints[joint.index()].zero_rad += at;
            self.anchor();
        }
        self.set_up(0x75, setup.set_zero);
    }

    fn set_parameters(&mut self, setup: &ParameterSetup) {
        let feedback = match setup.query {
            Query::None | Query::Track => None,
            Query::End => Some(Feedback::End(self.flash.end)),
            Query::Collision => Some(Feedback::Collision { levels: self.flash.collision }),
            Query::Gripper => Some(Feedback::GripperSetup(self.flash.gripper)),
        };
        if let Some(feedback) = feedback {
            self.reply(&feedback);
        }
        match setup.restore {
            Restore::None => return,
            Restore::End => self.flash.restore_end(),
            Restore::Joints => self.flash.restore_joints(),
        }
        self.set_up(0x77, false);
    }

    fn tell_limits(&mut self, motor: u8, kind: LimitKind) {
        let Some(joint) = reflex::backend::piper::frames::Joint::new(motor) else { return };
        let kept = self.flash.joints[joint.index()];
        let broken = self.fault() == Some(Fault::Limits7fff);
        self.reply(&match kind {
            LimitKind::AngleAndSpeed if broken => Feedback::Limits(Limits {
                motor: joint.into(),
                max_ddeg: LEAVE as i16,
                min_ddeg: LEAVE as i16,
                speed_crad_s: LEAVE,
            }),
            LimitKind::AngleAndSpeed => Feedback::Limits(Limits {
                motor: joint.into(),
                max_ddeg: kept.max_ddeg,
                min_ddeg: kept.min_ddeg,
                speed_crad_s: kept.speed_crad_s,
            }),
            LimitKind::Acceleration => Feedback::Acceleration {
                motor: joint.into(),
                acceleration_crad_s2: if broken { LEAVE } else { kept.acceleration_crad_s2 },
            },
        });
    }

    /// A setting was heard, by the low byte of its id.
    fn set_up(&mut self, id_low: u8, zero_set: bool) {
        self.kinematics = Kinematics::of(self.setup.firmware, &self.flash);
        let pack = Told::Known(Pack::None);
        self.reply(&Feedback::Ack(Ack { id_low, zero_set: zero_set.into(), point: 0, pack }));
    }

    /// Says something out of turn.
    pub(super) fn reply(&mut self, feedback: &Feedback) {
        // What does not fit its field is not said: a real one would say something wrong.
        let due = self.steps + ANSWER_STEPS;
        self.replies.extend(feedback.encode().map(|frame| (due, frame)));
    }
}
