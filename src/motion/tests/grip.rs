//! Taking hold of a robot whose motors take their time, losing it, and letting it fall on purpose.

mod bench;

use bench::{Bench, JOINTS, PERIOD_NS, joints};
use motion::{
    Ailment, Command, Drive, Epoch, Event, Fault, Health, Mode, Nanos, OrderId, Plan, Refusal,
    Rules, Run, RunId, Seam, StopSource, Tick, What,
};
use proptest::prelude::*;

/// A robot without power, seen and not armed.
fn limp() -> Bench {
    let mut bench = Bench::new();
    bench.state.engaged = false;
    bench.state.position = joints(&[0.3, 0.5, -0.2]);
    bench.tick();
    bench
}

fn sink(bench: &mut Bench) {
    bench.state.position[1] -= 0.01;
}

/// Loses its motors while it is held.
fn dropped() -> Bench {
    let mut bench = Bench::armed();
    bench.state.engaged = false;
    let (_, tick) = bench.tick();
    assert!(matches!(tick.mode, Mode::Faulted { why: Fault::Disengaged, .. }), "{:?}", tick.mode);
    bench
}

#[test]
fn a_robot_that_engages_late_is_held_exactly_where_it_has_sunk_to() {
    for late in [1, 2, 20, 58] {
        let mut bench = limp();
        bench.order(What::Arm);
        for _ in 0..late {
            let stands = bench.state.position;
            let (command, tick) = bench.tick();
            assert!(matches!(tick.mode, Mode::Arming { .. }), "{:?}", tick.mode);
            assert_eq!((command.drive(), command.position()), (Drive::On, &stands));
            sink(&mut bench);
        }
        bench.state.engaged = true;
        let stands = bench.state.position;
        for _ in 0..3 {
            let (command, tick) = bench.tick();
            assert_eq!((command.drive(), tick.mode), (Drive::On, Mode::Holding));
            assert_eq!(command.position(), &stands, "after {late} ticks");
        }
    }
}

#[test]
fn what_is_engaged_already_is_held_in_the_very_tick() {
    let mut bench = Bench::new();
    bench.tick();
    bench.order(What::Arm);
    assert_eq!(bench.tick().1.mode, Mode::Holding);
}

#[test]
fn motors_that_do_not_take_hold_in_time_are_a_fault_and_are_commanded_no_more() {
    let mut bench = limp();
    bench.order(What::Arm);
    let armed_at = bench.now;
    let mut last = bench.tick();
    while matches!(last.1.mode, Mode::Arming { .. }) {
        last = bench.tick();
    }
    assert!(matches!(last.1.mode, Mode::Faulted { why: Fault::NotEngaged, .. }));
    assert_eq!(last.1.at.since(armed_at), Rules::default().engage_max_ns + PERIOD_NS);
    // They come up at last, when the arm has long sunk: nothing may call it back.
    bench.state.engaged = true;
    for _ in 0..5 {
        sink(&mut bench);
        assert_eq!(bench.tick().0.drive(), Drive::Off);
    }
}

#[test]
fn a_joint_that_sinks_out_of_its_limits_is_not_taken_hold_of() {
    let mut bench = limp();
    bench.order(What::Arm);
    bench.tick();
    bench.state.position[1] = -1.5;
    bench.state.engaged = true;
    let (command, tick) = bench.tick();
    assert!(matches!(tick.mode, Mode::Faulted { why: Fault::OutsideLimits { joint: 1 }, .. }));
    assert_eq!(command.drive(), Drive::Off);
}

#[test]
fn whatever_ends_arming_but_its_success_drives_nothing_afterwards() {
    type End = fn(&mut Bench);
    type Is = fn(&Mode) -> bool;
    let ends: [(End, Is); 4] = [
        (|bench| _ = bench.order(What::Hold), |mode| *mode == Mode::Disarmed),
        (|bench| _ = bench.order(What::Disarm), |mode| *mode == Mode::Disarmed),
        (|bench| bench.stop = Some(StopSource(1)), |mode| matches!(mode, Mode::EStopped { .. })),
        (
            |bench| bench.state.health = Health::Unwell(Ailment::OwnStop),
            |mode| matches!(mode, Mode::Faulted { why: Fault::Unwell(Ailment::OwnStop), .. }),
        ),
    ];
    for (end, is_right) in ends {
        let mut bench = limp();
        bench.order(What::Arm);
        let (_, before) = bench.tick();
        end(&mut bench);
        let (command, tick) = bench.tick();
        assert!(is_right(&tick.mode), "{:?}", tick.mode);
        assert!(tick.epoch > before.epoch, "that was a stop");
        assert_eq!(command.drive(), Drive::Off);
        bench.state.engaged = true;
        assert_eq!(bench.tick().0.drive(), Drive::Off);
    }
}

#[test]
fn nothing_begins_before_the_motors_have_taken_hold() {
    let mut bench = limp();
    bench.order(What::Arm);
    bench.tick();
    bench.begin(1, Seam::Cut);
    let again = bench.order(What::Arm);
    let (_, tick) = bench.tick();
    let [Event::Refused(_, Refusal::Mode(Mode::Arming { .. })), Event::Accepted(id)] =
        tick.events.as_slice()
    else {
        panic!("{:?}", tick.events.as_slice());
    };
    assert_eq!(*id, again, "arming again is no other wish");
}

#[test]
fn motors_that_let_go_are_a_fault_in_every_mode_that_holds_them() {
    let moving = || {
        let mut bench = Bench::armed();
        bench.begin(1, Seam::Cut);
        bench.tick();
        bench.chunk(1, 3, &[[1.2, 0.0, 0.0]; 40], false);
        for _ in 0..6 {
            bench.tick();
        }
        bench
    };
    let stopping = || {
        let mut bench = moving();
        bench.order(What::Hold);
        assert_eq!(bench.tick().1.mode, Mode::Stopping { disarm: false });
        bench
    };
    for mut bench in [Bench::armed(), moving(), stopping()] {
        bench.state.engaged = false;
        let (command, tick) = bench.tick();
        assert!(matches!(tick.mode, Mode::Faulted { why: Fault::Disengaged, .. }));
        assert_eq!(command.drive(), Drive::On, "other motors still hold");
    }
}

#[test]
fn what_let_go_never_engages_by_itself_only_clearing_and_arming_do() {
    let mut bench = dropped();
    for _ in 0..30 {
        // Far enough from the last command for a divergence, if it were judged.
        bench.state.position = joints(&[0.0, 1.0, 0.0]);
        assert_eq!(bench.tick().0.drive(), Drive::On, "without an edge nothing engages");
    }
    let refused = bench.order(What::Arm);
    let (command, tick) = bench.tick();
    assert!(matches!(tick.events.as_slice(), [Event::Refused(id, _)] if *id == refused));
    assert_eq!(command.drive(), Drive::On);

    bench.order(What::ClearFault);
    let (command, tick) = bench.tick();
    assert_eq!((command.drive(), tick.mode), (Drive::Off, Mode::Disarmed));
    bench.state.position = joints(&[0.0, 1.0, 0.0]);
    bench.order(What::Arm);
    let (command, tick) = bench.tick();
    assert!(matches!(tick.mode, Mode::Arming { .. }));
    assert_eq!((command.drive(), &command.position()[..]), (Drive::On, &[0.0, 1.0, 0.0][..]));
}

#[test]
fn cleared_and_armed_in_one_tick_there_still_is_an_edge() {
    let mut bench = dropped();
    bench.order(What::ClearFault);
    bench.order(What::Arm);
    let drives: Vec<Drive> = (0..3).map(|_| bench.tick().0.drive()).collect();
    assert_eq!(drives, [Drive::Off, Drive::On, Drive::On]);
    bench.state.engaged = true;
    assert_eq!(bench.tick().1.mode, Mode::Holding);
}

#[test]
fn every_command_of_an_estop_says_so_from_the_first_until_it_is_cleared() {
    for (mut bench, drive) in
        [(Bench::armed(), Drive::On), (limp(), Drive::Off), (Bench::new(), Drive::Off)]
    {
        bench.stop = Some(StopSource(4));
        bench.early = true;
        let (command, _) = bench.tick();
        assert!(command.is_stop(), "the early one, too");
        assert_eq!(command.drive(), drive);
        bench.early = false;
        for _ in 0..5 {
            assert!(bench.tick().0.is_stop());
        }
        bench.stop = None;
        assert!(bench.tick().0.is_stop(), "lowering the flag clears nothing");
        bench.order(What::ClearFault);
        assert!(!bench.tick().0.is_stop());
    }
}

#[test]
fn a_release_is_one_command_and_drives_nothing() {
    let booting = || {
        let mut bench = Bench::new();
        bench.state.health = Health::Unwell(Ailment::OwnStop);
        let (_, tick) = bench.tick();
        assert_eq!(tick.mode, Mode::Booting);
        assert_eq!(tick.trouble, Some(Fault::Unwell(Ailment::OwnStop)), "why it stays booting");
        bench
    };
    let disarmed = || {
        let mut bench = Bench::new();
        bench.tick();
        bench
    };
    let stopped = || {
        let mut bench = Bench::armed();
        bench.stop = Some(StopSource(1));
        bench.tick();
        bench
    };
    for mut bench in [booting(), disarmed(), dropped(), stopped()] {
        let mode = bench.law.mode();
        let id = bench.order(What::Release);
        let (command, tick) = bench.tick();
        assert_eq!(tick.events.as_slice(), &[Event::Accepted(id)]);
        assert_eq!((command.releases(), command.drive()), (true, Drive::Off));
        assert_eq!(tick.mode, mode, "whatever was wrong still is");
        for _ in 0..5 {
            let (command, _) = bench.tick();
            assert_eq!((command.releases(), command.drive()), (false, Drive::Off));
        }
    }
}

#[test]
fn what_is_held_or_moves_is_not_released() {
    let moving = || {
        let mut bench = Bench::armed();
        bench.begin(1, Seam::Cut);
        bench.tick();
        bench.chunk(1, 3, &[[1.2, 0.0, 0.0]; 40], false);
        for _ in 0..6 {
            bench.tick();
        }
        bench
    };
    let stopping = || {
        let mut bench = moving();
        bench.order(What::Disarm);
        bench.tick();
        bench
    };
    let arming = || {
        let mut bench = limp();
        bench.order(What::Arm);
        bench.tick();
        bench
    };
    let braking = || {
        let mut bench = moving();
        bench.stop = Some(StopSource(1));
        bench.tick();
        bench
    };
    for mut bench in [Bench::armed(), moving(), stopping(), arming(), braking()] {
        let mode = bench.law.mode();
        let id = bench.order(What::Release);
        let (command, tick) = bench.tick();
        assert_eq!(tick.events.as_slice(), &[Event::Refused(id, Refusal::Mode(mode))]);
        assert_eq!((command.releases(), command.drive()), (false, Drive::On), "{mode:?}");
    }
}

#[test]
fn nothing_that_was_ordered_before_the_arm_fell_takes_hold_of_it_again() {
    let mut bench = Bench::new();
    let (_, tick) = bench.tick();
    bench.order(What::Release);
    let at_once = bench.order(What::Arm);
    let (command, fell) = bench.tick();
    assert!(fell.events.as_slice().contains(&Event::Refused(at_once, Refusal::Stale)));
    assert_eq!((command.releases(), command.drive()), (true, Drive::Off));
    let late = bench.order_of(What::Arm, tick.epoch);
    let (_, tick) = bench.tick();
    assert_eq!(tick.events.as_slice(), &[Event::Refused(late, Refusal::Stale)]);
    let old = bench.order_of(What::Release, Epoch(0));
    let (command, tick) = bench.tick();
    assert_eq!(tick.events.as_slice(), &[Event::Refused(old, Refusal::Stale)]);
    assert!(!command.releases());
}

/// What may befall a robot whose motors come and go.
#[derive(Clone, Debug)]
enum Turn {
    Order(u8),
    Engaged(bool),
    Stop(bool),
    Early,
    Ails(bool),
    Sink([f64; JOINTS]),
    Long,
    Nothing,
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let off = -0.2..0.1f64;
    prop_oneof![
        8 => (0u8..6).prop_map(Turn::Order),
        6 => any::<bool>().prop_map(Turn::Engaged),
        2 => any::<bool>().prop_map(Turn::Stop),
        1 => Just(Turn::Early),
        2 => any::<bool>().prop_map(Turn::Ails),
        4 => [off.clone(), off.clone(), off].prop_map(Turn::Sink),
        1 => Just(Turn::Long),
        4 => Just(Turn::Nothing),
    ]
}

fn accepts_one_of(tick: &Tick, ids: &[OrderId]) -> bool {
    ids.iter().any(|id| tick.events.as_slice().contains(&Event::Accepted(*id)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn motors_are_switched_on_by_arming_alone_and_never_leap(
        story in proptest::collection::vec(proptest::collection::vec(any_turn(), 1..4), 1..80),
    ) {
        let mut bench = Bench::new();
        bench.state.engaged = false;
        let mut last: Option<(Command, Tick)> = None;
        let mut run = 0;
        for turns in story {
            let (mut armed, mut released) = (Vec::new(), Vec::new());
            bench.early = false;
            for turn in turns {
                match turn {
                    Turn::Order(0) => armed.push(bench.order(What::Arm)),
                    Turn::Order(1) => released.push(bench.order(What::Release)),
                    Turn::Order(2) => _ = bench.order(What::ClearFault),
                    Turn::Order(3) => { bench.order(What::Hold); }
                    Turn::Order(4) => { bench.order(What::Disarm); }
                    Turn::Order(_) => {
                        run += 1;
                        let plan = Plan::plain(bench::HEAD, 4);
                        let expires = Nanos(u64::MAX);
                        bench.order(What::Begin(Run { id: RunId(run), plan, expires }));
                    }
                    Turn::Engaged(engaged) => bench.state.engaged = engaged,
                    Turn::Stop(stop) => bench.stop = stop.then_some(StopSource(1)),
                    Turn::Early => bench.early = true,
                    Turn::Ails(ails) => bench.state.health =
                        if ails { Health::Unwell(Ailment::NoBus) } else { Health::Good },
                    Turn::Sink(by) => if !bench.state.engaged {
                        for (position, by) in bench.state.position.iter_mut().zip(by) {
                            *position += by;
                        }
                    },
                    Turn::Long => bench.now = bench.now.after(4_000_000_000),
                    Turn::Nothing => {}
                }
            }
            let (state, robot) = (bench.state, *bench.law.robot());
            let (command, tick) = bench.tick();
            let was_on = last.as_ref().is_some_and(|(command, _)| command.drive() == Drive::On);
            let was_arming =
                last.as_ref().is_some_and(|(_, tick)| matches!(tick.mode, Mode::Arming { .. }));
            let on = command.drive() == Drive::On;

            let stopped = matches!(tick.mode, Mode::EStopped { .. });
            prop_assert_eq!(command.is_stop(), stopped);
            prop_assert_eq!(command.releases(), accepts_one_of(&tick, &released));
            prop_assert!(!(command.releases() && on));
            // Cleared and armed in one tick, it is switched on in the next.
            prop_assert!(!on || was_on || was_arming || accepts_one_of(&tick, &armed), "by itself");
            // What is off is waited for only after an edge that it can have seen.
            let waits = on && matches!(tick.mode, Mode::Arming { .. });
            prop_assert!(!waits || was_arming || !was_on);
            if on && (was_arming || !was_on) {
                let tolerance = if was_arming { 0.0 } else { robot.rules().arm_tolerance };
                let stands = state.position.iter().zip(robot.limits());
                for (is, (stands, limits)) in command.position().iter().zip(stands) {
                    let stands = stands.clamp(limits.position_min, limits.position_max);
                    prop_assert!((is - stands).abs() <= tolerance, "{is}, and it stands at {stands}");
                }
            }
            if tick.mode == Mode::Holding && was_arming {
                prop_assert!(state.engaged);
            }
            last = Some((command, tick));
        }
    }
}
