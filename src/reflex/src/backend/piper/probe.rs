//! What an arm is before anything is commanded: asked, compared with the settings, and told as findings.
//!
//! Runs once, before the servo exists, and may wait. It asks questions only: nothing that it sends moves the arm, switches
//! a motor, or is kept.

use std::fmt;

use motion::{Ailment, Nanos, Robot};

use super::{
    bus::{Bus, BusError, Heard, Inbox, OpenError},
    frames::{
        ArmStatus, Command, ControlMode, Driver, Feedback, Firmware, Frame, GripperSetup, IdOffset,
        Identity, Joint, LEAVE, LimitKind, Limits, Linkage, Motor, MoveMode, ParameterSetup, Query,
        Role, Status, Told,
    },
    senses::Senses,
    settings::{Settings, StreamMode},
    stream::Axes,
    units::Units,
};
use crate::clock::monotonic_now;

mod judge;

/// An arm says everything of itself within this: its slowest frames come every 25 ms.
const LISTEN_NS: u64 = 500_000_000;
/// An answer takes no longer, and a question is asked so often.
const ANSWER_NS: u64 = 250_000_000;
const TIMES: u32 = 4;
/// The firmware's name comes in eleven frames.
const IDENTITY_NS: u64 = 500_000_000;

/// How a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// Odd, and no hindrance.
    Odd,
    /// The arm is unwell: the daemon starts, and commands nothing until it is well.
    Unwell,
    /// Not the arm that the settings tell of, or not to be commanded: the daemon does not start.
    Bad,
}

/// Something that was found out about an arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// How it counts.
    pub grade: Grade,
    /// What was found, and how to mend it.
    pub words: String,
}

/// Why an arm is not commanded.
#[derive(Debug)]
pub enum Refused {
    /// There is no bus.
    Bus(OpenError),
    /// The arm is not what it should be.
    Arm(Vec<Finding>),
    /// The servo's thread does not start.
    Thread(std::io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus(error) => error.fmt(out),
            Self::Arm(findings) => {
                let words = findings.iter().map(|found| format!("{}: {}", found.what, found.words));
                out.write_str(&words.collect::<Vec<_>>().join("; "))
            }
            Self::Thread(error) => write!(out, "the servo's thread does not start: {error}"),
        }
    }
}

impl std::error::Error for Refused {}

/// What an arm said of itself.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    /// Whether the bus itself works.
    bus: Option<BusError>,
    frames: u64,
    listened_ns: u64,
    identity: Identity,
    firmware: Option<Firmware>,
    shifted: Option<IdOffset>,
    leads: bool,
    commanded_by_others: u64,
    strange: u64,
    missing: Vec<u16>,
    pose: Option<Axes>,
    all_zero: bool,
    status: Option<Status>,
    drivers: [Option<Driver>; 6],
    limits: [Option<Limits>; 6],
    accelerations: [Option<u16>; 6],
    gripper: Option<GripperSetup>,
    ailment: Option<Ailment>,
    findings: Vec<Finding>,
}

impl Probe {
    /// Looks at the arm at the other end of a bus.
    #[must_use]
    pub fn take(bus: &mut dyn Bus, settings: &Settings, robot: &Robot) -> Self {
        let mut probe = Self::default();
        if let Err(error) = probe.look(bus, settings) {
            probe.bus = Some(error);
        }
        probe.findings = judge::findings(&probe, settings, robot);
        probe
    }

    /// Everything that was found, in the order in which it was looked at.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Its firmware, if the arm is one that may be commanded.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn fit(&self) -> Result<Firmware, Refused> {
        let bad = self.findings.iter().filter(|found| found.grade == Grade::Bad);
        let bad: Vec<Finding> = bad.cloned().collect();
        match self.firmware {
            Some(firmware) if bad.is_empty() => Ok(firmware),
            _ => Err(Refused::Arm(bad)),
        }
    }

    fn look(&mut self, bus: &mut dyn Bus, settings: &Settings) -> Result<(), BusError> {
        // Units are of no matter yet: that it says something is.
        let mut senses = Senses::new(Units::of(Firmware::new(1, 8, 0)), settings.gripper.is_some());
        self.listen(bus, &mut senses)?;
        if self.frames == 0 || self.leads || self.shifted.is_some() {
            return Ok(());
        }
        self.ask_firmware(bus, &mut senses)?;
        if let Some(firmware) = self.firmware {
            senses = Senses::new(Units::of(firmware), settings.gripper.is_some());
        }
        for joint in Joint::ALL {
            self.ask_joint(bus, &mut senses, joint)?;
        }
        if settings.gripper.is_some() {
            let question = Command::SetParameters(ParameterSetup::ask(Query::Gripper));
            self.ask(bus, &mut senses, &question, |probe, feedback| {
                if let Feedback::GripperSetup(setup) = feedback {
                    probe.gripper = Some(*setup);
                }
                probe.gripper.is_some()
            })?;
        }
        // With its own units, and as it is now.
        hear(bus, &mut senses, LISTEN_NS / 2, |_, _| false)?;
        self.pose = senses.positions();
        self.status = senses.status();
        self.ailment = senses.ailment(monotonic_now(), None, None);
        Ok(())
    }

    /// What comes by itself.
    fn listen(&mut self, bus: &mut dyn Bus, senses: &mut Senses) -> Result<(), BusError> {
        let mut seen = [false; 0x800];
        let mut raw = [None; 3];
        let begun = monotonic_now();
        hear(bus, senses, LISTEN_NS, |frame, _| {
            self.frames += 1;
            if let Some(seen) = seen.get_mut(usize::from(frame.id)) {
                *seen = true;
            }
            if let Some((offset, _)) = Feedback::unshift(frame) {
                self.shifted = Some(offset);
            }
            // Where users see the feedback of an arm that fell back to leading.
            self.leads |= (0x3A1..=0x3A8).contains(&frame.id);
            if let Ok(Some(Command::Role(Role { linkage: Linkage::Leader, .. }))) =
                Command::decode(frame)
            {
                self.leads = true;
            }
            match Feedback::decode(frame) {
                Ok(Some(Feedback::JointPair { first, mdeg })) => {
                    raw[first.index() / 2] = Some(mdeg)
                }
                Ok(Some(Feedback::Driver(driver))) => {
                    self.drivers[driver.joint.index()] = Some(driver);
                }
                _ => {}
            }
            false
        })?;
        self.listened_ns = monotonic_now().since(begun);
        self.all_zero = raw.iter().all(|pair| *pair == Some([0, 0]));
        self.commanded_by_others = senses.counts.foreign;
        self.strange = senses.counts.strange;
        let expected = [0x2A1, 0x2A5, 0x2A6, 0x2A7, 0x2A8]
            .into_iter()
            .chain(0x251..=0x256)
            .chain(0x261..=0x266);
        self.missing = expected.filter(|id| !seen[usize::from(*id)]).collect();
        Ok(())
    }

    fn ask_firmware(&mut self, bus: &mut dyn Bus, senses: &mut Senses) -> Result<(), BusError> {
        for _ in 0..TIMES {
            let mut identity = Identity::default();
            send(bus, &Command::AskFirmware)?;
            hear(bus, senses, IDENTITY_NS, |_, feedback| {
                if let Some(Feedback::FirmwarePart(part)) = feedback {
                    identity.push(*part);
                }
                identity.is_whole()
            })?;
            if let Some(firmware) = identity.firmware() {
                (self.identity, self.firmware) = (identity, Some(firmware));
                return Ok(());
            }
        }
        Ok(())
    }

    fn ask_joint(
        &mut self,
        bus: &mut dyn Bus,
        senses: &mut Senses,
        joint: Joint,
    ) -> Result<(), BusError> {
        let (motor, index) = (Motor::from(joint), joint.index());
        let limits = Command::AskLimits { motor, kind: LimitKind::AngleAndSpeed };
        self.ask(bus, senses, &limits, |probe, feedback| {
            if let Feedback::Limits(limits) = feedback
                && limits.motor == motor
            {
                probe.limits[index] = Some(*limits);
            }
            probe.limits[index].is_some()
        })?;
        let acceleration = Command::AskLimits { motor, kind: LimitKind::Acceleration };
        self.ask(bus, senses, &acceleration, |probe, feedback| {
            if let Feedback::Acceleration { motor: of, acceleration_crad_s2 } = feedback
                && *of == motor
            {
                probe.accelerations[index] = Some(*acceleration_crad_s2);
            }
            probe.accelerations[index].is_some()
        })
    }

    /// Asks until it is answered, some times.
    fn ask(
        &mut self,
        bus: &mut dyn Bus,
        senses: &mut Senses,
        question: &Command,
        mut answers: impl FnMut(&mut Self, &Feedback) -> bool,
    ) -> Result<(), BusError> {
        for _ in 0..TIMES {
            send(bus, question)?;
            let mut answered = false;
            hear(bus, senses, ANSWER_NS, |_, feedback| {
                answered = feedback.is_some_and(|feedback| answers(self, feedback));
                answered
            })?;
            if answered {
                break;
            }
        }
        Ok(())
    }
}

fn send(bus: &mut dyn Bus, question: &Command) -> Result<(), BusError> {
    // Questions have no field that could be out of range.
    question.encode().map_or(Ok(()), |frame| bus.send(&frame))
}

/// Hears for so long, or until it is enough.
fn hear(
    bus: &mut dyn Bus,
    senses: &mut Senses,
    for_ns: u64,
    mut enough: impl FnMut(&Frame, Option<&Feedback>) -> bool,
) -> Result<(), BusError> {
    let mut inbox = Inbox::new(256);
    let until: Nanos = monotonic_now().after(for_ns);
    while monotonic_now() < until {
        inbox.clear();
        bus.wait(until, &mut inbox)?;
        let mut done = false;
        for received in inbox.items() {
            senses.hear(received, None);
            if let Heard::Frame(frame) = &received.heard {
                let feedback = Feedback::decode(frame).ok().flatten();
                done |= enough(frame, feedback.as_ref());
            }
        }
        if done {
            break;
        }
    }
    Ok(())
}
