//! What is known of the arm by what was heard on the bus: measured values, how old each is, and what it suffers from.
//!
//! Nothing is believed at once that a single broken frame could say: a status counts when two frames in a row say it,
//! a measured position when the joint could have got there.

use motion::{Ailment, Nanos};

use super::{
    bus::{BusTrouble, Heard, Received},
    frames::{
        ArmStatus, Command, ControlMode, DriverBits, Feedback, Frame, Joint, MoveMode, Status,
    },
    stream::{AXES, Axes},
    units::Units,
};

/// The arm tells positions and speeds 200 times a second, drivers 40 times.
const SILENT_AFTER_NS: u64 = 100_000_000;
const DRIVER_SILENT_AFTER_NS: u64 = 300_000_000;
/// Faster than any joint of the arm turns, rad/s; the fingers are slower still in m/s.
const SPEED_BELIEVED: f64 = 12.0;
/// What a joint may seem to have moved whatever the time between two frames, rad or m.
const STEP_BELIEVED: f64 = 0.05;
/// So many unbelievable values in a row are the truth: the joint is somewhere else.
const BELIEVED_AFTER: u32 = 20;
/// A joint that was commanded so far, rad, within at least this time, and whose feedback did not change by a bit.
const FROZEN_WAY: f64 = 0.05;
const FROZEN_AFTER_NS: u64 = 150_000_000;
/// Somebody else's command is remembered so long.
const FOREIGN_FOR_NS: u64 = 1_000_000_000;
/// Frames that are none of the arm's, within a window, that make a bus full of garbage.
const WINDOW_NS: u64 = 100_000_000;
const GARBAGE_IN_WINDOW: u32 = 100;
/// A mode that was commanded is there within this.
const MODE_WITHIN_NS: u64 = 250_000_000;
/// Feedback that the vendor gave up, and that some arms still send.
const GIVEN_UP: std::ops::RangeInclusive<u16> = 0x481..=0x486;
/// A joint against its stop stands beyond its range by less than this, rad.
const STOP_GIVES: f64 = 0.02;
/// A joint that was against a stop when its motor came on is off it within this.
const LEAVE_STOP_WITHIN_NS: u64 = 1_000_000_000;
/// A motor or driver that is warmer than this is warm, until it has cooled down by some degrees.
pub(super) const WARM_C: i16 = 60;
const COOLS_BY_C: i16 = 5;
/// Trouble on the bus is remembered so long after the last sign of it.
const TROUBLE_FOR_NS: u64 = 500_000_000;

/// One axis: a joint, or the gripper.
#[derive(Clone, Copy, Debug, Default)]
struct Axis {
    raw: i32,
    position: f64,
    velocity: f64,
    position_at: Option<Nanos>,
    velocity_at: Option<Nanos>,
    driver: Option<Again<DriverBits>>,
    warm: Option<Again<bool>>,
    disbelieved: u32,
    /// When the raw position last changed, and what was commanded then.
    changed: Option<(Nanos, f64)>,
}

impl Axis {
    fn is_warm(&self) -> bool {
        self.warm.and_then(|told| told.settled).unwrap_or_default()
    }
}

/// Something that is told again and again; it counts when it was told twice.
#[derive(Clone, Copy, Debug)]
struct Again<T> {
    last: T,
    settled: Option<T>,
    at: Nanos,
}

impl<T: Copy + PartialEq> Again<T> {
    fn hear(told: &mut Option<Self>, value: T, at: Nanos) {
        let settled = told
            .as_ref()
            .and_then(|before| if before.last == value { Some(value) } else { before.settled });
        *told = Some(Self { last: value, settled, at });
    }
}

/// Counters, since the bus was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Frames of the arm.
    pub(super) heard: u64,
    /// Frames that are none of the arm's, or make no sense.
    pub(super) strange: u64,
    /// Measured values that no joint could have got to.
    pub(super) disbelieved: u64,
    /// Frames by which somebody else commands the arm.
    pub(super) foreign: u64,
}

/// All that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Senses {
    units: Units,
    gripper: bool,
    range: [(f64, f64); AXES],
    axes: [Axis; AXES],
    status: Option<Again<Status>>,
    heard_at: Option<Nanos>,
    foreign_at: Option<Nanos>,
    bus_off: bool,
    bus_errors_at: Option<Nanos>,
    window: (Nanos, u32),
    garbage_at: Option<Nanos>,
    pub(super) counts: Counts,
}

/// What the arm is expected to be doing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// Since when its motors are on and it is commanded.
    pub(super) since: Nanos,
    /// Into which mode.
    pub(super) mode: MoveMode,
}

impl Senses {
    pub(super) fn new(units: Units, gripper: bool) -> Self {
        Self {
            units,
            gripper,
            range: [(f64::NEG_INFINITY, f64::INFINITY); AXES],
            axes: [Axis::default(); AXES],
            status: None,
            heard_at: None,
            foreign_at: None,
            bus_off: false,
            bus_errors_at: None,
            window: (Nanos(0), 0),
            garbage_at: None,
            counts: Counts::default(),
        }
    }

    /// The same, of an arm whose axes are meant to stay in a range.
    pub(super) fn within(self, range: [(f64, f64); AXES]) -> Self {
        Self { range, ..self }
    }

    /// Everything that was known is void: the bus was opened anew, and may lead to another arm.
    pub(super) fn forget(&mut self) {
        *self =
            Self { counts: self.counts, ..Self::new(self.units, self.gripper).within(self.range) };
    }

    /// Takes in what was heard; `commanded` is where each axis was last told to be, if it was.
    pub(super) fn hear(&mut self, received: &Received, commanded: Option<&Axes>) {
        let at = received.at;
        match received.heard {
            Heard::Error(BusTrouble::Off) => {
                self.bus_off = true;
                self.bus_errors_at = Some(at);
            }
            Heard::Error(BusTrouble::Restarted) => self.bus_off = false,
            Heard::Error(_) => self.bus_errors_at = Some(at),
            Heard::Frame(frame) => self.hear_frame(&frame, at, commanded),
        }
    }

    fn hear_frame(&mut self, frame: &Frame, at: Nanos, commanded: Option<&Axes>) {
        match Feedback::decode(frame) {
            Ok(Some(feedback)) => {
                self.counts.heard += 1;
                // Whoever is heard is not off the bus.
                self.bus_off = false;
                self.take(&feedback, at, commanded);
            }
            Ok(None) => match Command::decode(frame) {
                Ok(Some(command)) if changes_something(&command) => {
                    self.counts.foreign += 1;
                    self.foreign_at = Some(at);
                }
                Ok(Some(_)) => {}
                Ok(None) if GIVEN_UP.contains(&frame.id) => {}
                Ok(None) | Err(_) => self.strange(at),
            },
            Err(_) => self.strange(at),
        }
    }

    fn strange(&mut self, at: Nanos) {
        self.counts.strange += 1;
        let (begun, count) = &mut self.window;
        if at.since(*begun) > WINDOW_NS {
            (*begun, *count) = (at, 0);
        }
        *count += 1;
        if *count >= GARBAGE_IN_WINDOW {
            self.garbage_at = Some(at);
        }
    }

    fn take(&mut self, feedback: &Feedback, at: Nanos, commanded: Option<&Axes>) {
        match feedback {
            Feedback::JointPair { first, mdeg } => {
                self.heard_at = Some(at);
                for (k, mdeg) in mdeg.iter().enumerate() {
                    let axis = first.index() + k;
                    let position = self.units.joint_rad(axis, *mdeg);
                    self.measure(axis, *mdeg, position, at, commanded);
                }
            }
            Feedback::Gripper(gripper) => {
                let (axis, before) = (AXES - 1, self.axes[AXES - 1]);
                let position = f64::from(gripper.stroke_um) / 1e6;
                self.measure(axis, gripper.stroke_um, position, at, None);
                let after = &mut self.axes[axis];
                let elapsed_s = before.position_at.map_or(0.0, |was| at.since(was) as f64 / 1e9);
                if elapsed_s > 1e-4 && after.position_at == Some(at) {
                    // The arm does not tell it; a little smoothed, because a step of the wire is 1 um.
                    let speed = (after.position - before.position) / elapsed_s;
                    after.velocity = 0.7 * before.velocity + 0.3 * speed.clamp(-1.0, 1.0);
                }
                after.velocity_at = Some(at);
            }
            Feedback::Speed(speed) => {
                let axis = &mut self.axes[speed.joint.index()];
                axis.velocity = f64::from(speed.speed_mrad_s) / 1e3;
                axis.velocity_at = Some(at);
            }
            Feedback::Driver(driver) => {
                let axis = &mut self.axes[driver.joint.index()];
                Again::hear(&mut axis.driver, driver.status, at);
                // Where it says so by a degree more or less, it goes on being warm for some degrees.
                let limit = if axis.is_warm() { WARM_C - COOLS_BY_C } else { WARM_C };
                let warm = driver.driver_c.max(i16::from(driver.motor_c)) > limit;
                Again::hear(&mut axis.warm, warm, at);
            }
            Feedback::Status(status) => {
                self.heard_at = Some(at);
                // What changes all the time says nothing of how the arm is.
                let lasting =
                    Status { reached: super::frames::Told::Unknown(0xFF), track: 0, ..*status };
                Again::hear(&mut self.status, lasting, at);
            }
            _ => {}
        }
    }

    fn measure(&mut self, axis: usize, raw: i32, to: f64, at: Nanos, commanded: Option<&Axes>) {
        let Some(of) = self.axes.get_mut(axis) else { return };
        if let Some(before) = of.position_at {
            let elapsed_s = at.since(before) as f64 / 1e9;
            let way = (to - of.position).abs();
            if way > STEP_BELIEVED + SPEED_BELIEVED * elapsed_s && of.disbelieved < BELIEVED_AFTER {
                of.disbelieved += 1;
                self.counts.disbelieved += 1;
                return;
            }
        }
        of.disbelieved = 0;
        let commanded = commanded.map_or(to, |commanded| commanded[axis]);
        if of.raw != raw || of.changed.is_none() {
            of.changed = Some((at, commanded));
        }
        (of.raw, of.position, of.position_at) = (raw, to, Some(at));
    }

    /// Measured positions, once each axis was heard.
    pub(super) fn positions(&self) -> Option<Axes> {
        let used = if self.gripper { AXES } else { AXES - 1 };
        let known = self.axes[..used].iter().all(|axis| axis.position_at.is_some());
        known.then(|| std::array::from_fn(|axis| self.axes[axis].position))
    }

    /// Measured velocities.
    pub(super) fn velocities(&self) -> Axes {
        std::array::from_fn(|axis| self.axes[axis].velocity)
    }

    /// The oldest of what makes a state; nothing if some of it was never heard.
    pub(super) fn sampled_at(&self) -> Option<Nanos> {
        let used = if self.gripper { AXES } else { AXES - 1 };
        let of = |axis: &Axis| Some(axis.position_at?.min(axis.velocity_at?));
        self.axes[..used].iter().map(of).min().flatten()
    }

    /// When each axis was last heard of.
    pub(super) fn heard_at(&self) -> [Option<Nanos>; AXES] {
        self.axes.map(|axis| axis.position_at)
    }

    /// Whether a motor or its driver is warmer than is well for it.
    pub(super) fn is_warm(&self) -> bool {
        self.axes.iter().any(Axis::is_warm)
    }

    /// Whether every motor says, twice in a row and again since `since`, that it has power; else the first that does not.
    pub(super) fn motors_on(&self, since: Nanos) -> Result<(), usize> {
        let on = |axis: &Axis| {
            axis.driver.is_some_and(|told| {
                told.at > since && told.settled.is_some_and(DriverBits::enabled)
            })
        };
        match self.axes[..AXES - 1].iter().position(|axis| !on(axis)) {
            Some(joint) => Err(joint),
            None => Ok(()),
        }
    }

    /// The arm's own status, as settled.
    pub(super) fn status(&self) -> Option<Status> {
        self.status.and_then(|told| told.settled)
    }

    /// What the arm suffers from, the most basic first; `expected` if it is commanded.
    pub(super) fn ailment(
        &self,
        now: Nanos,
        expected: Option<Expected>,
        commanded: Option<&Axes>,
    ) -> Option<Ailment> {
        if self.bus_off {
            return Some(Ailment::BusOff);
        }
        let lately = |at: Option<Nanos>, ns: u64| at.is_some_and(|at| now.since(at) <= ns);
        if !lately(self.heard_at, SILENT_AFTER_NS) {
            return Some(Ailment::NothingHeard);
        }
        if lately(self.garbage_at, TROUBLE_FOR_NS) {
            return Some(Ailment::Garbage);
        }
        if lately(self.bus_errors_at, TROUBLE_FOR_NS) {
            return Some(Ailment::BusErrors);
        }
        if lately(self.foreign_at, FOREIGN_FOR_NS) {
            return Some(Ailment::SecondMaster);
        }
        self.joint_ailment(now, expected, commanded).or_else(|| self.own_ailment(now, expected))
    }

    fn joint_ailment(
        &self,
        now: Nanos,
        expected: Option<Expected>,
        commanded: Option<&Axes>,
    ) -> Option<Ailment> {
        let used = if self.gripper { AXES } else { AXES - 1 };
        for (joint, axis) in self.axes[..used].iter().enumerate() {
            let silent = |at: Option<Nanos>, ns| at.is_none_or(|at| now.since(at) > ns);
            if axis.disbelieved > BELIEVED_AFTER / 2 {
                return Some(Ailment::Implausible { joint });
            }
            if silent(axis.position_at, SILENT_AFTER_NS)
                || silent(axis.velocity_at, SILENT_AFTER_NS)
            {
                return Some(Ailment::Silent { joint });
            }
            if joint == AXES - 1 {
                continue;
            }
            if silent(axis.driver.map(|told| told.at), DRIVER_SILENT_AFTER_NS) {
                return Some(Ailment::Silent { joint });
            }
            if let (Some(commanded), Some((at, was)), Some(_)) = (commanded, axis.changed, expected)
                && (commanded[joint] - was).abs() > FROZEN_WAY
                && now.since(at) > FROZEN_AFTER_NS
            {
                return Some(Ailment::Frozen { joint });
            }
            if let Some(driver) = axis.driver.and_then(|told| told.settled)
                && let Some(ailment) = driver_ailment(driver, joint)
            {
                return Some(ailment);
            }
        }
        None
    }

    fn own_ailment(&self, now: Nanos, expected: Option<Expected>) -> Option<Ailment> {
        let status = self.status()?;
        use super::frames::Told::Known;
        match status.arm {
            Known(ArmStatus::Normal) => {}
            Known(ArmStatus::EmergencyStop) => return Some(Ailment::OwnStop),
            Known(ArmStatus::TeachRecord | ArmStatus::TeachPlay | ArmStatus::TeachPause) => {
                return Some(Ailment::OtherMode);
            }
            other => return Some(Ailment::OwnFault { code: other.code() }),
        }
        let first = |has: &dyn Fn(Joint) -> bool| Joint::ALL.into_iter().find(|joint| has(*joint));
        if let Some(joint) = first(&|joint| status.silent.has(joint)) {
            return Some(Ailment::Unreached { joint: joint.index() });
        }
        let expected = expected?;
        // An arm that lay down without power may lie against a stop, and soft gains may leave it there.
        let beyond = |joint: Joint| {
            let (low, high) = self.range[joint.index()];
            let at = self.axes[joint.index()].position;
            status.at_limit.has(joint) && (at < low - STOP_GIVES || at > high + STOP_GIVES)
        };
        if let Some(joint) = first(&beyond)
            && now.since(expected.since) > LEAVE_STOP_WITHIN_NS
        {
            return Some(Ailment::BeyondOwnLimits { joint: joint.index() });
        }
        let as_told = status.control.is(ControlMode::Can) && status.movement.is(expected.mode);
        (!as_told && now.since(expected.since) > MODE_WITHIN_NS).then_some(Ailment::OtherMode)
    }
}

/// What a driver says of itself, but for its power: that counts only while it should be on.
fn driver_ailment(driver: DriverBits, joint: usize) -> Option<Ailment> {
    [
        (driver.collision(), Ailment::Collided { joint }),
        (driver.motor_hot() || driver.driver_hot(), Ailment::Hot { joint }),
        (driver.stalled(), Ailment::Stalled { joint }),
        (driver.undervolt(), Ailment::Undervoltage { joint }),
        (driver.overcurrent(), Ailment::Overcurrent { joint }),
        (driver.error(), Ailment::Broken { joint }),
    ]
    .into_iter()
    .find_map(|(is_so, ailment)| is_so.then_some(ailment))
}

/// Whether a command moves the arm or changes what it is: nobody but us should send it. Questions and lights are free.
fn changes_something(command: &Command) -> bool {
    !matches!(
        command,
        Command::Light(_) | Command::AskLimits { .. } | Command::AskFirmware | Command::Servo(_)
    ) && !matches!(command, Command::SetParameters(setup) if *setup == super::frames::ParameterSetup::ask(setup.query))
}

#[cfg(test)]
#[path = "senses_test.rs"]
mod tests;
