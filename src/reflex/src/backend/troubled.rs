//! A robot that is seen and commanded through faults: any backend, with what a board of switches says is wrong.
//!
//! The robot behind it is read in every tick whatever is wrong, so that a simulated world goes on while nobody sees it. What
//! is on the way in or out is kept in rings that are as long as the longest delay; nothing here allocates after it is made.
//! A real robot is never behind it: the daemon puts simulated ones there, and only where its configuration allows it.

use std::collections::VecDeque;

use motion::{Ailment, Command, Health, Nanos, State};

use super::Backend;
use crate::{
    draw::Draw,
    trouble::{DELAY_MAX_MS, Trouble, Troubles},
};

/// Measurements and commands that are kept: the longest delay at 50 Hz. A faster loop's longest delay is shorter.
const KEPT: usize = DELAY_MAX_MS as usize / 20;

/// A backend behind faults.
pub struct Troubled<B> {
    backend: B,
    troubles: Troubles,
    draw: Draw,
    /// What the robot really measured last.
    fresh: State,
    measured: VecDeque<(Nanos, State)>,
    commanded: VecDeque<(Nanos, Command)>,
    /// What a frozen robot is stuck at.
    frozen: Option<State>,
}

impl<B: Backend> Troubled<B> {
    /// `backend`, a robot of so many joints, behind the faults of a board. What is drawn depends on the seed and on nothing
    /// else.
    #[must_use]
    pub fn new(backend: B, joints: usize, troubles: Troubles, seed: u64) -> Self {
        Self {
            backend,
            troubles,
            draw: Draw::new(seed),
            fresh: State::blank(joints),
            measured: VecDeque::with_capacity(KEPT),
            commanded: VecDeque::with_capacity(KEPT),
            frozen: None,
        }
    }

    /// What arrives in this tick; nothing, if it was lost.
    fn arrives(&mut self, now: Nanos) -> Option<State> {
        let drawn = self.draw.bits() % 100;
        if self.troubles.on(Trouble::CanDrop, now).is_some_and(|share| drawn < share) {
            return None;
        }
        let Some(delay_ms) = self.troubles.on(Trouble::Delay, now) else {
            return Some(self.fresh);
        };
        before(&self.measured, now, delay_ms)
    }

    /// What a sensor makes of it.
    fn distort(&mut self, now: Nanos, state: &mut State) {
        let is_on = |trouble| self.troubles.on(trouble, now).is_some();
        if is_on(Trouble::Freeze) {
            let stuck = self.frozen.get_or_insert(*state);
            state.position = stuck.position;
            state.velocity = stuck.velocity;
        } else {
            self.frozen = None;
        }
        let joint = self.draw.bits() as usize % state.position.len().max(1);
        let (sign, size) = (self.draw.bits() & 1, self.draw.within([1.0, 12.0]));
        if is_on(Trouble::Garbage)
            && let Some(value) = state.position.get_mut(joint)
        {
            *value = if sign == 0 { 10_f64.powf(size) } else { -(10_f64.powf(size)) };
        }
        if is_on(Trouble::GarbageNan)
            && let Some(value) = state.position.get_mut(joint)
        {
            *value = if sign == 0 { f64::NAN } else { f64::INFINITY };
        }
        if is_on(Trouble::GarbageShape) {
            for joints in [&mut state.position, &mut state.velocity] {
                let fewer = joints.len().saturating_sub(1);
                *joints = motion::Joints::from_slice(&joints[..fewer]).unwrap_or(*joints);
            }
        }
        state.warm |= is_on(Trouble::Warm);
        if is_on(Trouble::Hot) {
            state.health = Health::Unwell(Ailment::Hot { joint: 0 });
        }
        state.engaged &= !is_on(Trouble::LetGo);
        if is_on(Trouble::Lost) {
            state.health = Health::Lost;
        }
    }
}

impl<B: Backend> Backend for Troubled<B> {
    fn read(&mut self, now: Nanos, state: &mut State) {
        self.backend.read(now, &mut self.fresh);
        keep(&mut self.measured, now, self.fresh);
        if let Some(mut arrived) = self.arrives(now) {
            self.distort(now, &mut arrived);
            *state = arrived;
        }
    }

    fn write(&mut self, now: Nanos, command: &Command) {
        keep(&mut self.commanded, now, *command);
        let deaf = |trouble| self.troubles.on(trouble, now).is_some();
        if deaf(Trouble::Deaf) || deaf(Trouble::LetGo) {
            return;
        }
        let late = self.troubles.on(Trouble::Delay, now);
        let arrives = late.map_or(Some(*command), |ms| before(&self.commanded, now, ms));
        if let Some(command) = arrives {
            self.backend.write(now, &command);
        }
    }
}

/// Keeps the newest; the oldest makes room.
fn keep<T>(kept: &mut VecDeque<(Nanos, T)>, at: Nanos, what: T) {
    if kept.len() == kept.capacity() {
        kept.pop_front();
    }
    kept.push_back((at, what));
}

/// The newest that is at least so old.
fn before<T: Copy>(kept: &VecDeque<(Nanos, T)>, now: Nanos, ms: u64) -> Option<T> {
    let old = |(at, _): &&(Nanos, T)| now.since(*at) >= ms * 1_000_000;
    kept.iter().rev().find(old).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use motion::Joints;

    use super::*;
    use crate::{backend::loopback::Loopback, trouble::KNOWN};

    const TICK_NS: u64 = 50_000_000;

    /// A robot that turns by 0.01 a tick, whatever it is told.
    struct Turning(u64);

    impl Backend for Turning {
        fn read(&mut self, now: Nanos, state: &mut State) {
            self.0 += 1;
            *state = State::blank(2);
            state.sampled_at = now;
            state.position = Joints::from_slice(&[0.01 * self.0 as f64, 0.5]).expect("two");
        }

        fn write(&mut self, _now: Nanos, _command: &Command) {}
    }

    struct Bench {
        robot: Troubled<Turning>,
        troubles: Troubles,
        tick: u64,
        state: State,
    }

    impl Bench {
        fn new() -> Self {
            let troubles = Troubles::default();
            let robot = Troubled::new(Turning(0), 2, troubles.clone(), 1);
            Self { robot, troubles, tick: 0, state: State::blank(2) }
        }

        fn read(&mut self) -> State {
            self.tick += 1;
            self.robot.read(Nanos(self.tick * TICK_NS), &mut self.state);
            self.state
        }

        fn during(&mut self, trouble: Trouble, amount: u64) -> [State; 3] {
            self.troubles.begin(trouble, amount, Nanos(u64::MAX));
            let seen = [self.read(), self.read(), self.read()];
            self.troubles.clear();
            seen
        }
    }

    #[test]
    fn each_fault_is_what_it_says_and_leaves_nothing_behind() {
        for known in &KNOWN {
            let mut bench = Bench::new();
            for _ in 0..10 {
                bench.read();
            }
            let before = bench.state;
            let amount = known.amount.map_or(0, |amount| amount.default);
            let seen = bench.during(known.trouble, amount);
            let last = seen[2];
            match known.trouble {
                Trouble::CanDrop => assert_eq!(last, before),
                Trouble::Freeze => {
                    assert_eq!(last.position, seen[0].position);
                    assert!(last.sampled_at > seen[0].sampled_at);
                }
                Trouble::Garbage => {
                    for state in seen {
                        assert!(state.position.iter().all(|value| value.is_finite()));
                        assert!(state.position.iter().any(|value| value.abs() >= 10.0));
                    }
                }
                Trouble::GarbageNan => {
                    assert!(seen.iter().all(|state| !state.position.is_finite()));
                }
                Trouble::GarbageShape => {
                    assert_eq!((last.position.len(), last.velocity.len()), (1, 1));
                }
                // 300 ms are six ticks.
                Trouble::Delay => assert!((last.position[0] - 0.07).abs() < 1e-12, "{last:?}"),
                Trouble::Lost => assert_eq!(last.health, Health::Lost),
                Trouble::Warm => assert!(last.warm && !before.warm),
                Trouble::Hot => assert!(matches!(last.health, Health::Unwell(_))),
                Trouble::LetGo => assert!(!last.engaged && before.engaged),
                _ => assert!((last.position[0] - 0.13).abs() < 1e-12, "{}", known.name),
            }
            let after = bench.read();
            assert_eq!(after.health, Health::Good, "{}", known.name);
            assert!((after.position[0] - 0.14).abs() < 1e-12, "{}: the world went on", known.name);
            assert_eq!(after.position.len(), 2);
        }
    }

    #[test]
    fn a_share_of_what_is_measured_is_lost_and_the_same_one_again() {
        let seen = || {
            let mut bench = Bench::new();
            bench.troubles.begin(Trouble::CanDrop, 30, Nanos(u64::MAX));
            let mut before = bench.read();
            let mut came = Vec::new();
            for _ in 0..1_000 {
                let state = bench.read();
                came.push(state != before);
                before = state;
            }
            came
        };
        let came = seen().iter().filter(|came| **came).count();
        assert!((600..800).contains(&came), "{came} of 1000 came");
        assert_eq!(seen(), seen());
    }

    #[test]
    fn nothing_grows() {
        let troubles = Troubles::default();
        let pose = Joints::from_slice(&[0.0]).expect("one");
        let mut robot = Troubled::new(Loopback::new(pose, 0.05), 1, troubles, 1);
        let room = robot.measured.capacity();
        let mut state = State::blank(1);
        for tick in 0..500 {
            robot.read(Nanos(tick * TICK_NS), &mut state);
        }
        assert_eq!((robot.measured.len(), robot.measured.capacity()), (room, room));
    }
}
