//! Motors that take their time, from an operator's side: when commands are answered, and with what.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use motion::{
    Ailment, Command as Set, Controller, Drive, Health, JointLimits, Joints, Mode, Nanos, Robot,
    Rules, State,
};
use reflex::{Backend, Clock, Loop, StopSwitch, ports};
use reflexd::{
    kinematics::Arms,
    operator::{Answer, Command, Desk, DeskParts, Present},
    planning::Planner,
    skill::{Assignment, registry::Registry},
    telemetry::Herald,
};
use tokio::{runtime::Runtime, sync::watch};

use crate::{rig::joints, wire::house::eventually};

const NEVER: u32 = u32::MAX;

/// What a test does to the motors, and sees of them.
#[derive(Default)]
struct Hand {
    /// Reads between the edge and the moment when they follow.
    engages_after: AtomicU32,
    /// Somebody has pressed the arm's own button; a release ends that.
    pressed: AtomicBool,
    released: AtomicU32,
}

struct Motors {
    hand: Arc<Hand>,
    position: Joints,
    drive: Drive,
    left: Option<u32>,
}

impl Backend for Motors {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.left = self.left.map(|left| left.saturating_sub(1));
        let pressed = self.hand.pressed.load(Ordering::Relaxed);
        *state = State {
            sampled_at: now,
            position: self.position,
            health: if pressed { Health::Unwell(Ailment::OwnStop) } else { Health::Good },
            engaged: self.left == Some(0),
            ..State::blank(2)
        };
    }

    fn write(&mut self, _now: Nanos, command: &Set) {
        if (self.drive, command.drive()) == (Drive::Off, Drive::On) && self.left.is_none() {
            self.left = Some(self.hand.engages_after.load(Ordering::Relaxed));
        }
        self.drive = command.drive();
        if command.releases() {
            self.left = None;
            self.hand.pressed.store(false, Ordering::Relaxed);
            self.hand.released.fetch_add(1, Ordering::Relaxed);
        }
        if self.drive == Drive::On && self.left == Some(0) {
            self.position = *command.position();
        }
    }
}

/// A loop at the real pace, and the desk above it.
struct Arm {
    hand: Arc<Hand>,
    desk: Desk,
    switch: StopSwitch,
    threads: Vec<JoinHandle<()>>,
    /// Nobody thinks here, but skills have to be taken.
    _assignments: mpsc::Receiver<Assignment>,
    runtime: Runtime,
}

impl Arm {
    fn new(engages_after: u32, pressed: bool) -> Self {
        // Far longer than a busy machine keeps a test waiting.
        Self::patient(engages_after, pressed, 6_000)
    }

    fn patient(engages_after: u32, pressed: bool, engage_max_ms: u64) -> Self {
        let joint = JointLimits {
            position_min: -3.0,
            position_max: 3.0,
            velocity_max: 3.0,
            acceleration_max: 8.0,
            jerk_max: 200.0,
            step_max: 0.5,
            divergence_max: 0.5,
            gripper: false,
        };
        let rules = Rules { engage_max_ns: engage_max_ms * 1_000_000, ..Rules::default() };
        let robot = Robot::build(0.01, &[joint; 2], rules).expect("limits that make sense");
        let hand = Arc::new(Hand::default());
        hand.engages_after.store(engages_after, Ordering::Relaxed);
        hand.pressed.store(pressed, Ordering::Relaxed);
        let position = joints(&[0.3, -0.3]);
        let motors = Motors { hand: Arc::clone(&hand), position, drive: Drive::Off, left: None };
        let (ports, commander, _thinker, listener, switch) = ports();
        let turns = Loop::new(Clock::Monotonic, Box::new(motors), Controller::new(robot), ports);
        let (tell_present, present) = watch::channel(None);
        // Nobody listens to what is told: what does not fit is counted.
        let (tell, _tidings) = tokio::sync::mpsc::channel(1);
        let (assign, _assignments) = mpsc::channel();
        let names = ["shoulder".to_owned(), "elbow".to_owned()].into();
        let desk = Desk::new(DeskParts {
            planner: Arc::new(Planner::new(robot, names, Arms::default(), None)),
            home: joints(&[0.0; 2]),
            registry: Arc::new(Registry::default()),
            clock: Clock::Monotonic,
            commander,
            switch: switch.clone(),
            assignments: assign,
            errands: mpsc::channel().0,
            backends: mpsc::channel().0,
            recorder: mpsc::channel().0,
            present,
            authority: reflexd::config::AuthoritySettings::default(),
        });
        let herald = Herald::new(desk.clone(), tell_present, tell);
        let threads = vec![
            std::thread::spawn(move || _ = turns.run()),
            std::thread::spawn(move || _ = herald.listen(listener)),
        ];
        let runtime = Runtime::new().expect("a runtime");
        let arm = Self { hand, desk, switch, threads, _assignments, runtime };
        eventually("the loop turns", || arm.desk.present().is_some());
        arm
    }

    fn does(&self, command: Command) -> Answer {
        self.runtime.block_on(self.desk.command(command, "ada"))
    }

    fn now(&self) -> Arc<Present> {
        self.desk.present().expect("the loop turns")
    }

    fn mode(&self) -> Mode {
        self.now().tick.mode
    }
}

impl Drop for Arm {
    fn drop(&mut self) {
        self.switch.quit();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn reason(answer: &Answer) -> &str {
    answer.reason.as_deref().unwrap_or_default()
}

#[test]
fn arming_is_answered_when_the_motors_have_taken_hold() {
    let arm = Arm::new(20, false);
    eventually("it boots", || arm.mode() == Mode::Disarmed);
    let answer = arm.does(Command::Arm);
    assert!(answer.accepted, "{answer:?}");
    let now = arm.now();
    assert_eq!((now.tick.mode, now.tick.state.engaged), (Mode::Holding, true));
    assert!(answer.state_seq <= now.tick.tick.0);

    let held = arm.does(Command::Release);
    assert_eq!(reason(&held), "not while holding: disarm it first");
    assert!(arm.does(Command::Disarm).accepted);
    eventually("it is let go", || arm.mode() == Mode::Disarmed);
    assert!(arm.now().tick.state.engaged, "letting go takes no power away");
    assert!(arm.does(Command::Release).accepted);
    eventually("it falls", || !arm.now().tick.state.engaged);
    assert_eq!(arm.hand.released.load(Ordering::Relaxed), 1);
}

#[test]
fn arming_that_fails_is_answered_with_what_is_wrong() {
    let arm = Arm::patient(NEVER, false, 300);
    eventually("it boots", || arm.mode() == Mode::Disarmed);
    let answer = arm.does(Command::Arm);
    assert!(!answer.accepted && reason(&answer).contains("did not take hold"), "{answer:?}");
    assert!(matches!(arm.mode(), Mode::Faulted { .. }));
    assert!(arm.does(Command::ClearFault).accepted);
}

#[test]
fn a_button_that_is_pressed_while_it_arms_is_what_the_answer_tells() {
    let arm = Arm::new(NEVER, false);
    eventually("it boots", || arm.mode() == Mode::Disarmed);
    let (desk, arming) = (arm.desk.clone(), Command::Arm);
    let asked = arm.runtime.spawn(async move { desk.command(arming, "ada").await });
    eventually("it arms", || matches!(arm.mode(), Mode::Arming { .. }));
    arm.hand.pressed.store(true, Ordering::Relaxed);
    let answer = arm.runtime.block_on(asked).expect("no panic");
    assert!(!answer.accepted && reason(&answer).contains("its own button"), "{answer:?}");
    let still = arm.does(Command::ClearFault);
    assert!(reason(&still).contains("still there: the arm was stopped by"), "{still:?}");
}

#[test]
fn others_are_not_kept_waiting_while_it_arms() {
    let arm = Arm::new(NEVER, false);
    eventually("it boots", || arm.mode() == Mode::Disarmed);
    let desk = arm.desk.clone();
    let asked = arm.runtime.spawn(async move { desk.command(Command::Arm, "ada").await });
    eventually("it arms", || matches!(arm.mode(), Mode::Arming { .. }));
    let early = arm.does(Command::Home { speed: 1.0 });
    assert!(reason(&early).starts_with("not while arming"), "{early:?}");
    assert!(arm.does(Command::Hold).accepted);
    let answer = arm.runtime.block_on(asked).expect("no panic");
    assert!(reason(&answer).contains("let go before its motors took hold"), "{answer:?}");
    assert_eq!(arm.mode(), Mode::Disarmed);
}

#[test]
fn an_arm_that_stands_in_a_stop_of_its_own_says_why_it_does_not_boot() {
    let arm = Arm::new(3, true);
    eventually("it is seen", || arm.now().trouble.is_some());
    assert_eq!(arm.mode(), Mode::Booting);
    let why = arm.now().trouble.clone().unwrap_or_default();
    assert!(why.contains("its own button") && why.contains("reflexctl release"), "{why}");
    let answer = arm.does(Command::Arm);
    assert!(reason(&answer).contains(&why), "{answer:?}");
    assert!(arm.does(Command::Release).accepted);
    eventually("it boots", || arm.mode() == Mode::Disarmed);
    assert!(arm.now().trouble.is_none());
    assert!(arm.does(Command::Arm).accepted);
}
