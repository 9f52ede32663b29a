//! An arm in virtual time, and somebody who commands it.

use std::path::Path;

use hil_tests::virtual_piper::{Arm, Fault, Setup};
use motion::Nanos;
use reflex::backend::piper::frames::{
    ArmStatus, Command, ControlMode, Driver, Feedback, Firmware, Follow, Frame, Gripper, Joint,
    ModeCommand, Motors, Mount, MoveMode, Pair, PosePart, Speed, Status, mdeg_of_rad, rad_of_mdeg,
};
use serde_json::Value;

/// A posture in the middle of every joint's range, the hand above the table.
pub(crate) const RAISED: [f64; 7] = [0.2, 1.2, -1.1, 0.1, 0.4, -0.1, 0.05];

pub(crate) struct Rig {
    pub(crate) arm: Arm,
    pub(crate) now: Nanos,
    /// Everything that was said, and when.
    pub(crate) said: Vec<(Nanos, Frame)>,
}

pub(crate) fn setup(firmware: &str) -> Setup {
    Setup {
        scene: Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/scenes/piper_berry.xml"),
        firmware: firmware.parse().expect("a firmware"),
        pose: RAISED,
        gripper_range_mm: 70,
        rate_scale: 1.0,
        seed: 7,
    }
}

impl Rig {
    /// No motor is on.
    pub(crate) fn of(setup: Setup) -> Self {
        let arm = Arm::new(setup).expect("the shipped scene");
        Self { arm, now: Nanos(1_000_000_000), said: Vec::new() }
    }

    /// As delivered, no motor on.
    pub(crate) fn new() -> Self {
        Self::of(setup("S-V1.8-2"))
    }

    /// All motors are on, and it listens to CAN in MOVE J at full speed.
    pub(crate) fn ready() -> Self {
        Self::ready_with(setup("S-V1.8-2"))
    }

    pub(crate) fn ready_with(setup: Setup) -> Self {
        let mut rig = Self::of(setup);
        rig.enable();
        rig.mode(MoveMode::Joint, Follow::Planned, 100);
        rig
    }

    /// Time passes.
    pub(crate) fn run(&mut self, ms: u64) {
        let mut frames = Vec::new();
        for _ in 0..ms {
            self.now = self.now.after(1_000_000);
            self.arm.step(self.now, &mut frames);
            self.said.extend(frames.drain(..).map(|frame| (self.now, frame)));
        }
    }

    /// Somebody says something.
    pub(crate) fn say(&mut self, command: Command) {
        self.arm.hear(&command.encode().expect("a command"));
    }

    pub(crate) fn enable(&mut self) {
        for _ in 0..10 {
            self.say(Command::Power { motors: Motors::Seven, on: true });
            self.run(10);
        }
        assert_eq!(self.enabled(), [true; 6]);
    }

    pub(crate) fn mode(&mut self, movement: MoveMode, follow: Follow, speed_percent: u8) {
        let (control, mount) = (ControlMode::Can, Mount::Leave);
        let mode = ModeCommand { control, movement, speed_percent, follow, dwell_s: 0, mount };
        self.say(Command::Mode(mode));
        self.run(5);
    }

    /// Joint targets, rad.
    pub(crate) fn aim(&mut self, joints: &[f64; 6]) {
        for first in Pair::ALL {
            let k = first.index();
            let mdeg = [joints[k], joints[k + 1]].map(|rad| mdeg_of_rad(rad).expect("an angle"));
            self.say(Command::JointPair { first, mdeg });
        }
    }

    /// A target of the tool, um and mdeg.
    pub(crate) fn aim_tool(&mut self, [x_um, y_um, z_um, rx_mdeg, ry_mdeg, rz_mdeg]: [i32; 6]) {
        self.say(Command::Pose(PosePart::Xy { x_um, y_um }));
        self.say(Command::Pose(PosePart::ZRx { z_um, rx_mdeg }));
        self.say(Command::Pose(PosePart::RyRz { ry_mdeg, rz_mdeg }));
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.arm.set_fault(Some(fault));
        self.said.clear();
    }

    pub(crate) fn ask(&mut self, request: Value) -> Value {
        let answer = self.arm.ask(&request);
        assert_eq!(answer["ok"], true, "{request}: {answer}");
        answer
    }

    /// The newest of what was said that a function takes.
    pub(crate) fn last<T>(&self, take: impl Fn(Feedback) -> Option<T>) -> T {
        let feedback = |frame| Feedback::decode(frame).expect("feedback");
        let mut newest = self.said.iter().rev().filter_map(|(_, frame)| feedback(frame));
        newest.find_map(take).expect("it was said")
    }

    pub(crate) fn status(&self) -> Status {
        self.last(|feedback| match feedback {
            Feedback::Status(status) => Some(status),
            _ => None,
        })
    }

    pub(crate) fn is(&self, status: ArmStatus) -> bool {
        self.status().arm.is(status)
    }

    /// As told, rad.
    pub(crate) fn joints(&self) -> [f64; 6] {
        let pair = |wanted: Pair| {
            self.last(|feedback| match feedback {
                Feedback::JointPair { first, mdeg } if first == wanted => Some(mdeg),
                _ => None,
            })
        };
        let [a, b, c] = Pair::ALL.map(pair);
        [a[0], a[1], b[0], b[1], c[0], c[1]].map(rad_of_mdeg)
    }

    /// As told, um and mdeg.
    pub(crate) fn tool(&self) -> [i32; 6] {
        let [x, y] = self.last(|feedback| match feedback {
            Feedback::Pose(PosePart::Xy { x_um, y_um }) => Some([x_um, y_um]),
            _ => None,
        });
        let [z, rx] = self.last(|feedback| match feedback {
            Feedback::Pose(PosePart::ZRx { z_um, rx_mdeg }) => Some([z_um, rx_mdeg]),
            _ => None,
        });
        let [ry, rz] = self.last(|feedback| match feedback {
            Feedback::Pose(PosePart::RyRz { ry_mdeg, rz_mdeg }) => Some([ry_mdeg, rz_mdeg]),
            _ => None,
        });
        [x, y, z, rx, ry, rz]
    }

    pub(crate) fn driver(&self, wanted: Joint) -> Driver {
        self.last(|feedback| match feedback {
            Feedback::Driver(driver) if driver.joint == wanted => Some(driver),
            _ => None,
        })
    }

    pub(crate) fn speed(&self, wanted: Joint) -> Speed {
        self.last(|feedback| match feedback {
            Feedback::Speed(speed) if speed.joint == wanted => Some(speed),
            _ => None,
        })
    }

    pub(crate) fn gripper(&self) -> Gripper {
        self.last(|feedback| match feedback {
            Feedback::Gripper(gripper) => Some(gripper),
            _ => None,
        })
    }

    pub(crate) fn enabled(&self) -> [bool; 6] {
        Joint::ALL.map(|joint| self.driver(joint).status.enabled())
    }

    /// How often an id was said.
    pub(crate) fn count(&self, id: u16) -> usize {
        self.said.iter().filter(|(_, frame)| frame.id == id).count()
    }

    /// The farthest joint, rad.
    pub(crate) fn away(&self, joints: &[f64; 6]) -> f64 {
        let pairs = self.joints().into_iter().zip(joints);
        pairs.map(|(is, wanted)| (is - wanted).abs()).fold(0.0, f64::max)
    }
}

pub(crate) fn joint(number: u8) -> Joint {
    Joint::new(number).expect("a joint")
}

pub(crate) fn firmware(name: &str) -> Firmware {
    name.parse().expect("a firmware")
}
