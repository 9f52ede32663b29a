//! Who may send what: an arm without power can be asked and switched on, one with power can be moved.
//!
//! `Disabled` becomes `Enabled` only by [`Wire::confirmed`], which wants every motor's own word for it. Targets for a
//! stream are sent by `Enabled` alone; before that the only target is the pose that was measured.

use std::marker::PhantomData;

use motion::Nanos;

use super::{
    bus::{Bus, BusError, Inbox},
    frames::{
        Command, ControlMode, Firmware, Follow, Frame, GripperCommand, Joint, Mit, MitLayout,
        MitTarget, ModeCommand, Motors, Mount, MoveMode, Pair, um_of_m,
    },
    senses::Senses,
    settings::{self, Settings, StreamMode},
    stream::Axes,
    units::Units,
};

/// The motors have no power, or it is not known that they have.
pub(super) struct Disabled;
/// Every motor says that it has power.
pub(super) struct Enabled;

/// The bus, and what may be sent on it now.
pub(super) struct Wire<Power> {
    bus: Box<dyn Bus>,
    how: How,
    /// Since when sending failed, without a success in between.
    failing: Option<Nanos>,
    power: PhantomData<Power>,
}

/// How this arm is spoken to.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) units: Units,
    pub(super) firmware: Firmware,
    pub(super) stream: StreamMode,
    pub(super) mode: ModeCommand,
    pub(super) gripper: bool,
    pub(super) gripper_effort_mnm: i16,
}

impl<Power> Wire<Power> {
    pub(super) fn bus(&mut self) -> &mut dyn Bus {
        self.bus.as_mut()
    }

    /// Waits for what is heard until `until`.
    pub(super) fn wait(&mut self, until: Nanos, inbox: &mut Inbox) -> Result<(), BusError> {
        self.bus.wait(until, inbox)
    }

    /// Since when nothing could be sent.
    pub(super) const fn failing_since(&self) -> Option<Nanos> {
        self.failing
    }

    /// The arm's own quick stop: its joints are damped.
    pub(super) fn damp(mut self, now: Nanos) -> Wire<Disabled> {
        self.bus.flush();
        self.send(now, &Command::QUICK_STOP);
        self.without_power()
    }

    /// Takes the power off the motors: the arm falls.
    pub(super) fn cut(mut self, now: Nanos) -> Wire<Disabled> {
        self.bus.flush();
        self.send(now, &Command::Power { motors: Motors::Seven, on: false });
        self.without_power()
    }

    /// Out of a quick stop and of old errors, the motors off: the arm falls.
    pub(super) fn release(mut self, now: Nanos) -> Wire<Disabled> {
        self.bus.flush();
        self.send(now, &Command::RESET);
        self.send(now, &Command::Power { motors: Motors::Seven, on: false });
        if self.how.gripper {
            let off = GripperCommand {
                stroke_um: 0,
                effort_mnm: 0,
                enable: false,
                clear_error: true,
                set_zero: false,
            };
            self.send(now, &Command::Gripper(off));
        }
        self.without_power()
    }

    /// Nothing more is known of the power, or nothing more is to be sent.
    pub(super) fn without_power(self) -> Wire<Disabled> {
        Wire { bus: self.bus, how: self.how, failing: self.failing, power: PhantomData }
    }

    fn send(&mut self, now: Nanos, command: &Command) {
        // What the codec refuses is a mistake of ours; it is not sent, and told as what does not get out.
        let sent = command.encode().map_err(|_| BusError::Full).and_then(|frame| self.put(&frame));
        match sent {
            Ok(()) => self.failing = None,
            Err(_) => self.failing = Some(self.failing.unwrap_or(now)),
        }
    }

    fn put(&mut self, frame: &Frame) -> Result<(), BusError> {
        self.bus.send(frame)
    }

    fn send_mode(&mut self, now: Nanos) {
        self.send(now, &Command::Mode(self.how.mode));
    }

    fn send_joints(&mut self, now: Nanos, pose: &Axes) {
        for first in Pair::ALL {
            let of = |joint: usize| self.how.units.joint_mdeg(joint, pose[joint]);
            if let (Ok(one), Ok(two)) = (of(first.index()), of(first.index() + 1)) {
                self.send(now, &Command::JointPair { first, mdeg: [one, two] });
            } else {
                self.failing = Some(self.failing.unwrap_or(now));
            }
        }
    }
}

impl Wire<Disabled> {
    pub(super) const fn new(bus: Box<dyn Bus>, how: How) -> Self {
        Self { bus, how, failing: None, power: PhantomData }
    }

    /// One round of switching on: the mode and the measured pose first, so that whatever was commanded before is
    /// forgotten, then the power. In MIT mode the position control stands by until the motors are on.
    pub(super) fn switch_on(&mut self, now: Nanos, pose: &Axes) {
        let mode =
            ModeCommand { movement: MoveMode::Joint, follow: Follow::Planned, ..self.how.mode };
        self.send(now, &Command::Mode(mode));
        self.send_joints(now, pose);
        self.send(now, &Command::Power { motors: Motors::Seven, on: true });
    }

    /// The arm with power, if every motor says since `since` that it has it.
    pub(super) fn confirmed(self, senses: &Senses, since: Nanos) -> Result<Wire<Enabled>, Self> {
        if senses.motors_on(since).is_err() {
            return Err(self);
        }
        Ok(Wire { bus: self.bus, how: self.how, failing: self.failing, power: PhantomData })
    }
}

impl Wire<Enabled> {
    /// The mode again: an arm that lost it, or was told another one, takes it up.
    pub(super) fn renew_mode(&mut self, now: Nanos) {
        self.send_mode(now);
    }

    /// Where the joints are to be now.
    pub(super) fn stream(&mut self, now: Nanos, pose: &Axes) {
        match self.how.stream {
            StreamMode::Position => self.send_joints(now, pose),
            StreamMode::Mit { kp, kd } => {
                for joint in Joint::ALL {
                    let index = joint.index();
                    let target = MitTarget {
                        position_rad: self.how.units.wire_rad(index, pose[index]),
                        speed_rad_s: 0.0,
                        kp: kp[index],
                        kd: kd[index],
                        torque_nm: 0.0,
                    };
                    match Mit::new(joint, &target, self.how.firmware) {
                        Ok(mit) => self.send(now, &Command::Mit(mit)),
                        Err(_) => self.failing = Some(self.failing.unwrap_or(now)),
                    }
                }
            }
        }
    }

    /// How far the gripper is to be open now.
    pub(super) fn grip(&mut self, now: Nanos, opening_m: f64) {
        if !self.how.gripper {
            return;
        }
        let Ok(stroke_um) = um_of_m(opening_m.max(0.0)) else { return };
        let grip = GripperCommand {
            stroke_um,
            effort_mnm: self.how.gripper_effort_mnm,
            enable: true,
            clear_error: false,
            set_zero: false,
        };
        self.send(now, &Command::Gripper(grip));
    }
}

/// How a firmware is put into the mode that is streamed in.
pub(super) fn how(settings: &Settings, firmware: Firmware) -> How {
    let mit = match firmware.mit_layout() {
        MitLayout::EightBit { .. } => MoveMode::Mit,
        MitLayout::TwelveBit => MoveMode::MitTwelveBit,
    };
    let (movement, follow) = match settings.stream {
        StreamMode::Position => (MoveMode::Joint, Follow::Planned),
        StreamMode::Mit { .. } => (mit, Follow::Direct),
    };
    How {
        units: Units::of(firmware),
        firmware,
        stream: settings.stream,
        mode: ModeCommand {
            control: ControlMode::Can,
            movement,
            speed_percent: settings.speed_percent,
            follow,
            dwell_s: 0,
            mount: match settings.mount {
                settings::Mount::Upright => Mount::Upright,
                settings::Mount::Left => Mount::Left,
                settings::Mount::Right => Mount::Right,
            },
        },
        gripper: settings.gripper.is_some(),
        gripper_effort_mnm: (settings.gripper_effort_n_m * 1e3).round() as i16,
    }
}
