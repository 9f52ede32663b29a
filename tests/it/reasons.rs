//! A refusal names the mode that refused, whatever mode the tick then ends in.

use motion::{
    Controller, Epoch, Event, HeadDigest, Mode, Nanos, Order, OrderId, Plan, Refusal, Run, RunId,
    What,
};
use reflex::{Clock, Loop, backend::loopback::Loopback, ports};
use reflexd::operator::words;

use crate::rig::{joints, plain_robot};

#[test]
fn who_is_refused_while_the_robot_stops_is_told_to_wait() {
    let robot = plain_robot(2);
    let backend = Box::new(Loopback::new(joints(&[0.0; 2]), robot.period_s()));
    let (ports, mut commander, _thinker, mut listener, _switch) = ports();
    let mut turns = Loop::new(Clock::lockstep(), backend, Controller::new(robot), ports);
    let plan = Plan::plain(HeadDigest(0), 4);
    let run = Run { id: RunId(1), plan, expires: Nanos(u64::MAX) };
    let mut order =
        |id, what| commander.send(Order { id: OrderId(id), epoch: Epoch(u64::MAX), what });
    turns.turn();
    assert!(order(1, What::Arm));
    turns.turn();
    // At rest already: the stop begins and ends within the tick that refuses.
    assert!(order(2, What::Hold) && order(3, What::Begin(run)));
    turns.turn();
    let tick = std::iter::from_fn(|| listener.next(std::time::Duration::ZERO)).last();
    let tick = tick.expect("three reports").tick;
    assert_eq!(tick.mode, Mode::Holding);
    let refusal = tick.events.as_slice().iter().find_map(|event| match event {
        Event::Refused(OrderId(3), refusal) => Some(*refusal),
        _ => None,
    });
    assert_eq!(refusal, Some(Refusal::Mode(Mode::Stopping { disarm: false })));
    let told = refusal.map(|refusal| words::refusal(refusal, &[])).unwrap_or_default();
    assert_eq!(told, "not while stopping: wait until it has come to rest");
}
