//! For tests of this folder: a bus that keeps what is sent, and an arm that is told what to say.

use std::sync::{Arc, Mutex, PoisonError};

use motion::Nanos;

use super::{
    bus::{Bus, BusError, Heard, Inbox, Received},
    frames::{
        ArmStatus, Command, ControlMode, Driver, DriverBits, Feedback, Frame, Gripper, GripperBits,
        Joint, JointBits, MoveMode, Pair, Reached, Speed, Status, Teach, Told,
    },
};

/// Frames that were sent.
#[derive(Clone, Default)]
pub(super) struct Sent(Arc<Mutex<Vec<Frame>>>);

impl Sent {
    pub(super) fn take(&self) -> Vec<Command> {
        let mut frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let commands = frames.drain(..).map(|frame| {
            Command::decode(&frame).expect("what is sent makes sense").expect("and is a command")
        });
        commands.collect()
    }
}

/// A bus on which nothing is heard: what the arm says is handed to the senses directly.
#[derive(Clone, Default)]
pub(super) struct Deaf(pub(super) Sent);

impl Bus for Deaf {
    fn wait(&mut self, _until: Nanos, _into: &mut Inbox) -> Result<(), BusError> {
        Ok(())
    }

    fn send(&mut self, frame: &Frame) -> Result<(), BusError> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(*frame);
        Ok(())
    }

    fn flush(&mut self) -> usize {
        0
    }

    fn reopen(&mut self) -> Result<(), BusError> {
        Ok(())
    }
}

/// What an arm says.
#[derive(Clone, Copy)]
pub(super) struct Says {
    pub(super) mdeg: [i32; 6],
    pub(super) stroke_um: i32,
    pub(super) drivers: [DriverBits; 6],
    pub(super) status: Status,
}

pub(super) const ON: DriverBits = DriverBits(1 << 6);

impl Says {
    pub(super) fn well(mdeg: [i32; 6]) -> Self {
        Self {
            mdeg,
            stroke_um: 70_000,
            drivers: [DriverBits(0); 6],
            status: Status {
                control: Told::Known(ControlMode::Can),
                arm: Told::Known(ArmStatus::Normal),
                movement: Told::Known(MoveMode::Joint),
                teach: Told::Known(Teach::Off),
                reached: Told::Known(Reached::Yes),
                track: 0,
                at_limit: JointBits(0),
                silent: JointBits(0),
            },
        }
    }

    pub(super) fn powered(mdeg: [i32; 6]) -> Self {
        Self { drivers: [ON; 6], ..Self::well(mdeg) }
    }

    /// All of it, once.
    pub(super) fn feedback(&self) -> Vec<Feedback> {
        let mut all = vec![Feedback::Status(self.status)];
        for first in Pair::ALL {
            let at = first.index();
            all.push(Feedback::JointPair { first, mdeg: [self.mdeg[at], self.mdeg[at + 1]] });
        }
        all.push(Feedback::Gripper(Gripper {
            stroke_um: self.stroke_um,
            effort_mnm: 0,
            status: GripperBits(1 << 6),
        }));
        for joint in Joint::ALL {
            all.push(Feedback::Speed(Speed {
                joint,
                speed_mrad_s: 0,
                current_ma: 0,
                position_mrad: 0,
            }));
            all.push(Feedback::Driver(Driver {
                joint,
                volt_dv: 240,
                driver_c: 30,
                motor_c: 30,
                status: self.drivers[joint.index()],
                bus_current_ma: 100,
            }));
        }
        all
    }
}

pub(super) fn heard(feedback: &Feedback, at: Nanos) -> Received {
    let frame = feedback.encode().expect("an arm says what has a place on the wire");
    Received { heard: Heard::Frame(frame), at }
}
