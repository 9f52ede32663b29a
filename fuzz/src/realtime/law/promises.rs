//! What the law promises of every tick, judged by what it commanded and by nothing that it remembers.

use motion::{
    Command, Drive, Epoch, Event, Joints, Mode, Order, Robot, State, StopSource, Tick, What,
};

/// Rounding in differences of set-points, relative to the limit.
const SLACK: f64 = 1e-6;
/// Longer than any arm that has a workspace here, m.
const LEVER_M: f64 = 0.7;

/// What was seen of the ticks before.
pub(super) struct Promises {
    /// The last three set-points, the oldest first.
    past: [Joints; 3],
    /// How many of them belong to one motion.
    known: usize,
    drive: Drive,
    mode: Mode,
    epoch: Epoch,
    ticks: u64,
    /// How near something may be, m: the margin, or where the robot was taken hold of if that was nearer.
    floor_m: f64,
    /// For how many ticks it has been braking, and after how many it has to be at rest.
    braking: u32,
    rest_ticks: u32,
}

/// What the law was given that the promises depend on.
pub(super) struct Given<'a> {
    pub(super) state: &'a State,
    pub(super) stop: Option<StopSource>,
    pub(super) early: bool,
    pub(super) orders: &'a [Order],
}

impl Promises {
    pub(super) fn new(robot: &Robot) -> Self {
        Self {
            past: [Joints::zeros(robot.joints()); 3],
            known: 0,
            drive: Drive::Off,
            mode: Mode::Booting,
            epoch: Epoch(0),
            ticks: 0,
            floor_m: 0.0,
            braking: 0,
            rest_ticks: robot.limits().iter().map(|of| rest_ticks(of, robot)).max().unwrap_or(0),
        }
    }

    /// The last set-point.
    pub(super) const fn last(&self) -> &Joints {
        &self.past[2]
    }

    /// Looks at a tick.
    ///
    /// # Panics
    /// If a promise is broken.
    pub(super) fn check(&mut self, robot: &Robot, given: &Given, command: &Command, tick: &Tick) {
        let at = *command.position();
        assert!(at.len() == robot.joints() && at.is_finite(), "{at:?} is commanded");
        assert_eq!((tick.tick.0, tick.drive), (self.ticks, command.drive()));
        assert_eq!(&tick.applied[..], &at[..]);
        assert!(tick.epoch >= self.epoch, "{:?} came after {:?}", tick.epoch, self.epoch);
        let again = self.authority(given, command, tick);
        if command.drive() == Drive::Off {
            (self.past, self.known, self.braking) = ([at; 3], 0, 0);
        } else {
            self.motion(robot, given, &at, tick, again);
        }
        self.drive = command.drive();
        (self.mode, self.epoch, self.ticks) = (tick.mode, tick.epoch, self.ticks + 1);
    }

    /// Nothing is driven that nobody asked for. Whether the robot is taken hold of in this tick, though the last one was driven
    /// too: it had been let go of in between.
    fn authority(&self, given: &Given, command: &Command, tick: &Tick) -> bool {
        let did = |is: fn(&What) -> bool| {
            given.orders.iter().any(|order| {
                let accepted = Event::Accepted(order.id);
                is(&order.what) && tick.events.as_slice().contains(&accepted)
            })
        };
        let armed = did(|what| matches!(what, What::Arm));
        let cleared = did(|what| matches!(what, What::ClearFault));
        let stopped = matches!(tick.mode, Mode::EStopped { .. });
        assert_eq!(command.is_stop(), stopped);
        assert!(stopped || given.stop.is_none(), "a pulled e-stop, and {:?}", tick.mode);
        assert!(!command.releases() || command.drive() == Drive::Off, "driven and released");
        let moves = |mode: &Mode| matches!(mode, Mode::Moving { .. });
        if moves(&tick.mode) && !moves(&self.mode) {
            assert!(did(|what| matches!(what, What::Begin(_))), "nobody began {:?}", tick.mode);
        }
        let latched = |mode: &Mode| matches!(mode, Mode::Faulted { .. } | Mode::EStopped { .. });
        if latched(&self.mode) && !latched(&tick.mode) {
            assert!(cleared, "{:?} became {:?}, and nobody cleared", self.mode, tick.mode);
        }
        if tick.trouble.is_some() {
            let idle = latched(&tick.mode) || tick.mode == Mode::Booting;
            assert!(idle, "{:?}, and {:?}", tick.trouble, tick.mode);
        }
        if command.drive() == Drive::On {
            // The tick in which it came to rest is the last that is driven.
            let last = tick.mode == Mode::Disarmed && self.mode != Mode::Disarmed;
            let driven = !matches!(tick.mode, Mode::Booting | Mode::Disarmed);
            assert!(driven || last || armed, "{:?} is driven", tick.mode);
            let arming = matches!(self.mode, Mode::Arming { .. });
            assert!(self.drive == Drive::On || armed || arming, "nobody armed {:?}", tick.mode);
        }
        armed && (cleared || self.mode == Mode::Disarmed)
    }

    /// What is commanded to a robot that is driven.
    fn motion(&mut self, robot: &Robot, given: &Given, at: &Joints, tick: &Tick, again: bool) {
        let arming = matches!(self.mode, Mode::Arming { .. });
        let near = |robot: &Robot| {
            let contact = robot.workspace().and_then(|workspace| workspace.nearest(at));
            contact.map_or(f64::INFINITY, |contact| contact.clearance_m)
        };
        let margin_m = robot.workspace().map_or(0.0, |workspace| workspace.margin_m());
        if self.drive == Drive::Off || arming || again {
            self.takes_hold(robot, given.state, at);
            (self.past, self.known, self.braking) = ([*at; 3], 3, 0);
            self.floor_m = near(robot).min(margin_m);
            if matches!(tick.mode, Mode::Moving { .. }) {
                // A chunk may have come with the order to begin: then this is one step from where it was taken hold of.
                self.known = 1;
                let steps = robot.limits().iter().map(|limits| first_step(limits, robot));
                self.floor_m -= LEVER_M * steps.sum::<f64>();
            }
            return;
        }
        if given.early {
            assert_eq!(&at[..], &self.past[2][..], "no period has passed");
            return;
        }
        self.limits(robot, at);
        let near_m = near(robot);
        assert!(near_m >= self.floor_m - SLACK, "{near_m} m, less than {} m", self.floor_m);
        let brakes = matches!(
            tick.mode,
            Mode::Stopping { .. } | Mode::Faulted { .. } | Mode::EStopped { .. }
        );
        self.braking = if brakes { self.braking + 1 } else { 0 };
        let rests = at[..] == self.past[2][..];
        assert!(self.braking <= self.rest_ticks || rests, "it still brakes in {:?}", tick.mode);
        self.past = [self.past[1], self.past[2], *at];
        self.known = (self.known + 1).min(3);
    }

    /// It is taken hold of where it stands.
    fn takes_hold(&self, robot: &Robot, state: &State, at: &Joints) {
        let tolerance = robot.rules().arm_tolerance;
        for ((joint, limits), stands) in
            robot.limits().iter().enumerate().zip(state.position.iter())
        {
            let leap = (at[joint] - stands).abs();
            let most = (2.0 * tolerance + first_step(limits, robot)) * (1.0 + SLACK);
            assert!(leap <= most, "joint {joint} is taken hold of {leap} from where it stands");
            inside(limits, at[joint]);
        }
    }

    fn limits(&self, robot: &Robot, at: &Joints) {
        let dt = robot.period_s();
        for (joint, limits) in robot.limits().iter().enumerate() {
            let [p3, p2, p1] = [self.past[0][joint], self.past[1][joint], self.past[2][joint]];
            let p0 = at[joint];
            inside(limits, p0);
            let differences = [
                ("velocity", (p0 - p1) / dt, limits.velocity_max),
                ("acceleration", (p0 - 2.0 * p1 + p2) / (dt * dt), limits.acceleration_max),
                ("jerk", (p0 - 3.0 * p1 + 3.0 * p2 - p3) / (dt * dt * dt), limits.jerk_max),
            ];
            for (what, is, most) in &differences[..self.known] {
                let within = is.abs() <= most * (1.0 + SLACK);
                assert!(within, "{what} {is} of joint {joint}, more than {most}");
            }
        }
    }
}

/// How long a joint needs to come to rest from its full speed, and as long again for what is lost to whole ticks.
fn rest_ticks(limits: &motion::JointLimits, robot: &Robot) -> u32 {
    let ramp_s = robot.period_s() + limits.acceleration_max / limits.jerk_max;
    let rest_s = limits.velocity_max / limits.acceleration_max + 3.0 * ramp_s;
    (2.0 * rest_s / robot.period_s()).ceil() as u32
}

/// How far a joint gets from rest in one tick.
fn first_step(limits: &motion::JointLimits, robot: &Robot) -> f64 {
    limits.acceleration_max * robot.period_s() * robot.period_s()
}

fn inside(limits: &motion::JointLimits, at: f64) {
    let inside = at >= limits.position_min && at <= limits.position_max;
    assert!(inside, "{at} outside {} to {}", limits.position_min, limits.position_max);
}
