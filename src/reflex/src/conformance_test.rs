use super::*;
use motion::{Ailment, Command, JointLimits, Rules};

/// A robot whose motors take their time, and which breaks one promise or none.
#[derive(Clone, Copy)]
struct Slow {
    position: Joints,
    /// Reads from the edge to the moment when it follows.
    engages_after: u32,
    /// Reads that are left until then; none while it is off.
    left: Option<u32>,
    drive: Drive,
    edges: u32,
    reads: u32,
    breaks: Breaks,
}

#[derive(Clone, Copy, PartialEq)]
enum Breaks {
    Nothing,
    EngagesOnce,
    Leaps,
    Drifts,
    Ails,
    Stale,
    FromTheFuture,
    NotANumber,
    Short,
}

impl Slow {
    fn new(engages_after: u32, breaks: Breaks) -> Self {
        Self {
            position: pose(0.1),
            engages_after,
            left: None,
            drive: Drive::Off,
            edges: 0,
            reads: 0,
            breaks,
        }
    }

    fn is_engaged(&self) -> bool {
        self.left == Some(0)
    }
}

impl Backend for Slow {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.reads += 1;
        let before = self.is_engaged();
        self.left = self.left.map(|left| left.saturating_sub(1));
        if self.breaks == Breaks::Leaps && self.is_engaged() && !before {
            self.position[0] += 0.1;
        }
        if self.breaks == Breaks::Drifts {
            self.position[1] += 0.01;
        }
        *state = State {
            sampled_at: now,
            position: self.position,
            engaged: self.is_engaged(),
            ..State::blank(2)
        };
        match self.breaks {
            Breaks::Ails if self.reads > 2 => {
                state.health = Health::Unwell(Ailment::Hot { joint: 1 });
            }
            Breaks::Stale => state.sampled_at = Nanos(now.0.saturating_sub(60_000_000)),
            Breaks::FromTheFuture => state.sampled_at = now.after(1),
            Breaks::NotANumber => state.velocity[0] = f64::NAN,
            Breaks::Short => state.position = Joints::zeros(1),
            _ => {}
        }
    }

    fn write(&mut self, _now: Nanos, command: &Command) {
        if (self.drive, command.drive()) == (Drive::Off, Drive::On) {
            self.edges += 1;
            let dead = self.breaks == Breaks::EngagesOnce && self.edges > 1;
            self.left = (!dead).then_some(self.engages_after);
        }
        self.drive = command.drive();
        if self.drive == Drive::Off {
            self.left = None;
        }
        if self.is_engaged() {
            self.position = *command.position();
        }
    }
}

fn pose(value: f64) -> Joints {
    Joints::from_slice(&[value, -value]).expect("two joints")
}

fn robot(period_s: f64) -> Robot {
    let joint = JointLimits {
        position_min: -3.0,
        position_max: 3.0,
        velocity_max: 3.0,
        acceleration_max: 8.0,
        jerk_max: 4000.0,
        step_max: 0.5,
        divergence_max: 0.5,
        gripper: false,
    };
    Robot::build(period_s, &[joint; 2], Rules::default()).expect("limits that make sense")
}

const EXPECTED: Expected =
    Expected { boot_ticks: 0, rest_error_max: 1e-9, drift_max: 1e-9, settle_ticks: 5 };

fn held_to_it(engages_after: u32, breaks: Breaks) -> Result<(), String> {
    let (robot, slow) = (robot(0.05), Slow::new(engages_after, breaks));
    check(Box::new(slow), &robot, Clock::lockstep(), &pose(0.4), &EXPECTED)
}

#[test]
fn motors_that_take_their_time_keep_every_promise() {
    for engages_after in [1, 2, 10, 59] {
        held_to_it(engages_after, Breaks::Nothing).expect("it keeps them");
    }
}

#[test]
fn at_the_real_pace_too() {
    let (robot, slow) = (robot(0.005), Slow::new(7, Breaks::Nothing));
    check(Box::new(slow), &robot, Clock::Monotonic, &pose(0.11), &EXPECTED).expect("it keeps them");
}

#[test]
fn who_breaks_a_promise_is_told_which() {
    for (engages_after, breaks, told) in [
        (70, Breaks::Nothing, "NotEngaged"),
        (3, Breaks::EngagesOnce, "NotEngaged"),
        (3, Breaks::Leaps, "leapt when it was taken hold of"),
        (3, Breaks::Drifts, "moved without a command"),
        (3, Breaks::Ails, "joint 1 is too hot"),
        (3, Breaks::Stale, "it reads a state of"),
        (3, Breaks::FromTheFuture, "it reads a state of"),
        (3, Breaks::NotANumber, "StateNotFinite"),
        (3, Breaks::Short, "StateShape"),
    ] {
        let broken = held_to_it(engages_after, breaks).expect_err(told);
        assert!(broken.contains(told), "{told}: {broken}");
    }
}

#[test]
fn a_probe_commands_nothing_and_returns_the_pose() {
    let (robot, clock) = (robot(0.05), Clock::lockstep());
    let mut slow = Slow::new(3, Breaks::Nothing);
    assert_eq!(probe(&mut slow, &robot, &clock, 5), Ok(pose(0.1)));
    assert_eq!((slow.reads, slow.edges, clock.now()), (5, 0, Nanos(200_000_000)));
    for (breaks, told) in [
        (Breaks::Drifts, "joint 1 does not stand still"),
        (Breaks::Ails, "joint 1 is too hot"),
        (Breaks::Stale, "it reads a state of"),
        (Breaks::FromTheFuture, "it reads a state of"),
        (Breaks::NotANumber, "a healthy robot reads"),
        (Breaks::Short, "reads 1 joints of 2"),
    ] {
        let refused = probe(&mut Slow::new(3, breaks), &robot, &Clock::lockstep(), 5);
        let refused = refused.expect_err(told);
        assert!(refused.contains(told), "{told}: {refused}");
    }
}
