//! A Piper, as its bus sees it: it hears frames, moves a body, and says frames. Pure, on the time that it is given.
//!
//! ```text
//!             0x471 on, twice                   0x151 CAN
//!   Off ──────────────────────► On, standby ─────────────► On, obeys 0x155.. 0x152.. 0x15A..
//!    ▲ ▲                             │                              │
//!    │ │      0x471 off              │      0x150 quick stop,       │
//!    │ └─────────────────────────────┴──────────────────────────────┤ its own button
//!    │          0x150 reset: the arm drops                          ▼
//!    └───────────────────────────────────────────────────────── Halted: damped, sinks
//! ```
//!
//! Where sources are silent it is as strict as an arm could be: one request to switch on is not enough, targets that come
//! while motors are off are not kept, and what it does not understand it counts and ignores.

mod body;
mod fault;
mod flash;
mod hand;
mod kinematics;
mod motion;
mod obey;
mod power;
mod ramp;
mod serve;
mod tell;
mod text;
mod world;

use std::{collections::VecDeque, path::PathBuf};

use ::motion::Nanos;
use reflex::{
    backend::{
        mujoco::SceneError,
        piper::frames::{ArmStatus, Command, ControlMode, Firmware, Follow, Frame, MoveMode},
    },
    draw::Draw,
};

use body::{Body, GRIPPER, MOTORS};
use flash::Flash;
use hand::Hand;
use kinematics::Kinematics;
use motion::Motion;
use power::Power;
use tell::Told;

pub use fault::Fault;
pub use serve::{Addresses, Doors, ServeError, serve};

/// After a freeze of this process the arm does not make up for longer than this, ns.
const CATCH_UP_MAX_NS: u64 = 500_000_000;
/// Nor does it say what it would have said longer ago than this, ns.
const LATE_MAX_NS: u64 = 50_000_000;
/// Two hundred times a second, ns.
const CYCLE_NS: f64 = 5e6;
/// An answer takes so many steps of physics. The vendor's SDK counts on some delay: it makes room for the firmware's name
/// only after it has asked for it.
const ANSWER_STEPS: u64 = 3;

/// Which arm it is, and how it lies when its power comes on.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The world: a MuJoCo scene with the names of the shipped one.
    pub scene: PathBuf,
    /// Its firmware.
    pub firmware: Firmware,
    /// Joints as it tells them (rad), and the gripper's opening (m).
    pub pose: [f64; 7],
    /// What its gripper was ranged to, mm; 0: never, and it does nothing.
    pub gripper_range_mm: u8,
    /// How often it speaks, of what a Piper does: 1 is 3,040 frames a second.
    pub rate_scale: f64,
    /// What chance there is, comes from here.
    pub seed: u64,
}

/// Where it lies by itself when it has no power, in the new zero: folded, its hand on the table.
const AT_REST: [f64; 7] = [0.0, 0.0, 0.0, 0.0, 1.03, 0.0, 0.034];

/// Where it lies by itself when it has no power, as this firmware tells it.
#[must_use]
pub fn at_rest(firmware: Firmware) -> [f64; 7] {
    let told = Kinematics::of(firmware, &Flash::new(0)).told(&std::array::from_fn(|k| AT_REST[k]));
    std::array::from_fn(|k| told.get(k).copied().unwrap_or(AT_REST[k]))
}

/// What was counted since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames that it heard.
    pub heard: u64,
    /// Frames that it said.
    pub said: u64,
    /// Frames whose id was a command's, and whose contents were none.
    pub refused: u64,
}

/// What its bus can do at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Everything.
    Well,
    /// The arm is not on it.
    Cut,
    /// Nobody is.
    Off,
}

/// 0x151, as it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mode {
    control: ControlMode,
    movement: MoveMode,
    follow: Follow,
    /// Of the greatest speed, 0 to 1.
    speed: f64,
}

impl Mode {
    const STANDBY: Self = Self {
        control: ControlMode::Standby,
        movement: MoveMode::Pose,
        follow: Follow::Planned,
        speed: 0.0,
    };
}

/// The arm.
pub struct Arm {
    setup: Setup,
    body: Body,
    flash: Flash,
    kinematics: Kinematics,
    power: [Power; 6],
    hand: Hand,
    mode: Mode,
    motion: Motion,
    halted: bool,
    status: ArmStatus,
    fault: Option<(Fault, Told)>,
    draw: Draw,
    /// What it was asked for, each from this step of physics on.
    replies: VecDeque<(u64, Frame)>,
    tally: Tally,
    began: Option<Nanos>,
    steps: u64,
    cycles: u64,
    garbage_due: f64,
}

impl Arm {
    /// Powered on: it lies where it was put, and no motor holds it.
    ///
    /// # Errors
    /// A scene that is not one, or has other names.
    pub fn new(setup: Setup) -> Result<Self, SceneError> {
        let flash = Flash::new(setup.gripper_range_mm);
        let kinematics = Kinematics::of(setup.firmware, &flash);
        let mut arm = Self {
            body: Body::load(&setup.scene)?,
            flash,
            kinematics,
            power: [Power::default(); 6],
            hand: Hand::default(),
            mode: Mode::STANDBY,
            motion: Motion::default(),
            halted: false,
            status: ArmStatus::Normal,
            fault: None,
            draw: Draw::new(setup.seed),
            replies: VecDeque::new(),
            tally: Tally::default(),
            began: None,
            steps: 0,
            cycles: 0,
            garbage_due: 0.0,
            setup,
        };
        arm.restart(arm.setup.seed);
        Ok(arm)
    }

    /// Its power goes off and on again, in a world that begins anew; flash stays.
    pub fn restart(&mut self, seed: u64) {
        self.cut_all();
        self.hand = Hand::default();
        (self.mode, self.halted, self.status) = (Mode::STANDBY, false, ArmStatus::Normal);
        self.fault = None;
        self.draw = Draw::new(seed);
        self.replies.clear();
        let pose = self.in_body(&self.setup.pose);
        self.body.reset(&pose);
        self.anchor();
        self.hand.put(pose[GRIPPER]);
    }

    /// Puts joints (as it tells them) and the opening somewhere, at rest; what holds, holds there.
    pub fn pose(&mut self, pose: &[f64; 7]) {
        let pose = self.in_body(pose);
        self.body.pose(&pose);
        self.anchor();
        self.hand.put(pose[GRIPPER]);
    }

    /// Puts a free body of the world somewhere, at rest, turned about the vertical.
    ///
    /// # Errors
    /// There is no such body.
    pub fn place(&mut self, body: &str, at_m: [f64; 3], yaw_rad: f64) -> Result<(), SceneError> {
        self.body.place(body, at_m, yaw_rad)
    }

    /// Begins a trouble, or ends it.
    pub fn set_fault(&mut self, fault: Option<Fault>) {
        if fault == Some(Fault::OwnStop) {
            self.halted = true;
        }
        if matches!(fault, Some(Fault::Collision(_))) {
            self.brake();
        }
        self.garbage_due = 0.0;
        self.fault = fault.map(|fault| (fault, self.measured()));
    }

    /// The trouble that it is in.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault.map(|(fault, _)| fault)
    }

    /// What its bus can do.
    #[must_use]
    pub fn line(&self) -> Line {
        match self.fault() {
            Some(Fault::Cable) => Line::Cut,
            Some(Fault::BusOff) => Line::Off,
            _ => Line::Well,
        }
    }

    /// What was counted.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Hears a frame of somebody else.
    pub fn hear(&mut self, frame: &Frame) {
        if self.line() != Line::Well {
            return;
        }
        self.tally.heard += 1;
        match self.unshifted(frame).map(|frame| Command::decode(&frame)) {
            Some(Ok(Some(command))) => self.obey(&command),
            Some(Err(_)) => self.tally.refused += 1,
            Some(Ok(None)) | None => {}
        }
    }

    /// Goes on to `now`, and appends what it says until then.
    pub fn step(&mut self, now: Nanos, said: &mut Vec<Frame>) {
        let from = said.len();
        let began = *self.began.get_or_insert(now);
        let (step_ns, cycle_ns) = (self.step_ns(), self.cycle_ns());
        let least = |ns: u64, each: u64| now.since(began).saturating_sub(ns) / each;
        self.steps = self.steps.max(least(CATCH_UP_MAX_NS, step_ns));
        self.cycles = self.cycles.max(least(LATE_MAX_NS, cycle_ns));
        loop {
            let step = began.after((self.steps + 1) * step_ns);
            let cycle = began.after(self.cycles * cycle_ns);
            if step.min(cycle) > now {
                break;
            }
            if step <= cycle {
                self.steps += 1;
                self.drive(step);
                while let Some((_, frame)) =
                    self.replies.pop_front_if(|(due, _)| *due <= self.steps)
                {
                    said.push(frame);
                }
            } else {
                self.cycles += 1;
                self.speak(said);
            }
        }
        if self.line() != Line::Well {
            said.truncate(from);
        }
        self.tally.said += (said.len() - from) as u64;
    }

    /// When it has something to say next.
    #[must_use]
    pub fn next(&self) -> Nanos {
        let cycle = self.cycles * self.cycle_ns();
        let answer = self.replies.front().map(|(due, _)| due * self.step_ns());
        let next = answer.map_or(cycle, |answer| answer.min(cycle));
        self.began.map_or(Nanos(0), |began| began.after(next))
    }

    fn step_ns(&self) -> u64 {
        (self.body.step_s() * 1e9).round().max(1.0) as u64
    }

    fn cycle_ns(&self) -> u64 {
        (CYCLE_NS / self.setup.rate_scale).round().max(1.0) as u64
    }

    /// Where the joints are, as it counts them, rad.
    fn joints(&self) -> [f64; 6] {
        let body = self.body.position();
        let told = self.kinematics.told(&std::array::from_fn(|k| body[k]));
        std::array::from_fn(|k| told[k] - self.flash.joints[k].zero_rad)
    }

    /// Where the body is to be, for joints as it counts them and an opening.
    fn in_body(&self, pose: &[f64; MOTORS]) -> [f64; MOTORS] {
        let told = std::array::from_fn(|k| pose[k] + self.flash.joints[k].zero_rad);
        let meant = self.kinematics.meant(&told);
        std::array::from_fn(|k| if k == GRIPPER { pose[GRIPPER] } else { meant[k] })
    }
}
