//! The whole loop in lockstep, with answers that are late on purpose.

use std::time::Duration;

use motion::{
    Chunk, ChunkId, Controller, Epoch, Event, HeadDigest, JointLimits, Joints, Nanos, Order,
    OrderId, Plan, Reply, Robot, Rules, Run, RunId, What,
};
use reflex::{Clock, Delivery, Loop, backend::loopback::Loopback, ports};

/// The delay of every chunk that the law took in 60 ticks.
fn delays(delivery: Option<Delivery>) -> Vec<u32> {
    let joint = JointLimits {
        position_min: -1.0,
        position_max: 1.0,
        velocity_max: 1.0,
        acceleration_max: 8.0,
        jerk_max: 200.0,
        step_max: 0.5,
        divergence_max: 0.5,
        gripper: false,
    };
    let robot = Robot::build(0.05, &[joint], Rules::default()).expect("limits that make sense");
    let (ports, mut commander, mut thinker, mut listener, switch) = ports();
    let pose = Joints::zeros(1);
    let backend = Box::new(Loopback::new(pose, 0.05));
    let mut turns = Loop::new(Clock::lockstep(), backend, Controller::new(robot), ports);
    if let Some(delivery) = delivery {
        turns = turns.delivering(delivery);
    }
    let plan = Plan::plain(HeadDigest(7), 4);
    let run = Run { id: RunId(1), plan, expires: Nanos(u64::MAX) };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !thinker.quits() {
                let Some(ask) = thinker.next(Duration::from_millis(10)) else { continue };
                let id = ChunkId(ask.tick.0);
                let mut chunk = Chunk::answering(id, HeadDigest(7), &ask);
                while chunk.push(&ask.last_command) {}
                thinker.reply(Reply::Chunk(chunk));
            }
        });
        let mut delays = Vec::new();
        turns.turn();
        for (id, what) in [(1, What::Arm), (2, What::Begin(run))] {
            assert!(commander.send(Order { id: OrderId(id), epoch: Epoch(u64::MAX), what }));
            turns.turn();
        }
        for _ in 0..60 {
            turns.turn();
            while let Some(report) = listener.next(Duration::ZERO) {
                delays.extend(report.tick.events.as_slice().iter().filter_map(
                    |event| match event {
                        Event::Adopted { delay, .. } => Some(*delay),
                        _ => None,
                    },
                ));
            }
        }
        switch.quit();
        delays
    })
}

#[test]
fn chunks_reach_the_law_exactly_as_late_as_they_are_delivered() {
    assert_eq!(delays(None), vec![0; 15]);
    assert_eq!(delays(Some(Delivery::default())), vec![0; 15]);
    for late in [1, 3, 8] {
        let told = delays(Some(Delivery::late(late)));
        assert!(told.len() > 3 && told.iter().all(|delay| *delay == late), "{late}: {told:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_delays() {
    let wild = Delivery { ticks: 1, jitter_ticks: 4, lost: 0.1, seed: 3 };
    let told = delays(Some(wild));
    assert_eq!(told, delays(Some(wild)), "seed 3");
    assert!(told.iter().any(|delay| *delay != told[0]), "{told:?}");
}
