use ringbuf::{HeapRb, traits::Split};

use super::{
    super::{
        fake::{Deaf, Says, Sent, heard},
        frames::{Command, ControlMode, Firmware, Motors, Pair, Stop},
        power,
        settings::{Mount, Settings},
    },
    *,
};

const MS: u64 = 1_000_000;
const POSE: [i32; 6] = [1_000, 40_000, -40_000, 500, 40_000, -700];

struct Rig {
    servo: Servo,
    sent: Sent,
    orders: HeapProd<Order>,
    readings: HeapCons<Reading>,
    says: Says,
    now: Nanos,
}

impl Rig {
    fn new(estop: EStop) -> Self {
        let settings = Settings {
            bus: "can0".parse().expect("an address"),
            joints: [0, 1, 2, 3, 4, 5],
            gripper: Some(6),
            servo_hz: 100,
            stream: StreamMode::Position,
            speed_percent: 100,
            mount: Mount::Upright,
            estop,
            gripper_effort_n_m: 1.0,
            realtime: crate::realtime::Settings::default(),
        };
        let bus = Deaf::default();
        let sent = bus.0.clone();
        let how = power::how(&settings, Firmware::new(1, 8, 2));
        let (orders, orders_out) = HeapRb::new(8).split();
        let (readings, readings_out) = HeapRb::new(4096).split();
        let limits = Limits {
            period_ns: 50 * MS,
            range: [(-3.2, 3.2); AXES],
            velocity_max: [3.0; AXES],
            acceleration_max: [8.0; AXES],
        };
        let servo = Servo::new(Parts {
            wire: Wire::new(Box::new(bus), how),
            how,
            limits,
            estop,
            period_ns: 10 * MS,
            orders: orders_out,
            readings,
            tally: Arc::default(),
        });
        let says = Says::well(POSE);
        Self { servo, sent, orders, readings: readings_out, says, now: Nanos(1_000 * MS) }
    }

    fn order(&mut self, drive: Drive, position: Axes) -> Order {
        let order = Order { at: self.now, drive, stop: false, release: false, position };
        assert!(self.orders.try_push(order).is_ok());
        order
    }

    /// One period of the servo, in which the arm says all of it twice.
    fn turn(&mut self) -> (Vec<Command>, Reading) {
        for _ in 0..2 {
            self.now = self.now.after(5 * MS);
            for feedback in self.says.feedback() {
                let commanded = match &self.servo.power {
                    Power::On(_, on) => Some(on.sent),
                    _ => None,
                };
                self.servo.senses.hear(&heard(&feedback, self.now), commanded.as_ref());
            }
        }
        self.servo.turn(self.now);
        let reading = self.readings.pop_iter().last().expect("it tells every time");
        (self.sent.take(), reading)
    }

    fn armed(&mut self) -> Axes {
        for _ in 0..3 {
            self.turn();
        }
        let pose = self.turn().1.position;
        self.order(Drive::On, pose);
        self.turn();
        self.says = Says::powered(POSE);
        for _ in 0..20 {
            self.order(Drive::On, pose);
            if self.turn().1.engaged {
                return pose;
            }
        }
        panic!("never engaged");
    }
}

fn joints(commands: &[Command]) -> Option<[i32; 6]> {
    let mut all = [None; 3];
    for command in commands {
        if let Command::JointPair { first, mdeg } = command {
            all[first.index() / 2] = Some(*mdeg);
        }
    }
    let [Some(a), Some(b), Some(c)] = all else { return None };
    Some([a[0], a[1], b[0], b[1], c[0], c[1]])
}

#[test]
fn nothing_is_sent_unless_it_is_driven() {
    let mut rig = Rig::new(EStop::Hold);
    for _ in 0..50 {
        let (sent, reading) = rig.turn();
        assert_eq!(sent, []);
        assert!(!reading.engaged);
        rig.order(Drive::Off, [0.0; AXES]);
    }
}

#[test]
fn the_measured_pose_is_the_first_target_and_power_comes_after_it() {
    let mut rig = Rig::new(EStop::Hold);
    for _ in 0..3 {
        rig.turn();
    }
    // What was ordered is not where the arm is: a law anchors anew until it engages.
    rig.order(Drive::On, [0.3; AXES]);
    let (sent, _) = rig.turn();
    let (sent, _) = if sent.is_empty() { rig.turn() } else { (sent, rig.turn().1) };
    assert!(matches!(sent[0], Command::Mode(mode) if mode.control == ControlMode::Can));
    assert_eq!(joints(&sent), Some(POSE));
    assert_eq!(sent.last(), Some(&Command::Power { motors: Motors::Seven, on: true }));
}

#[test]
fn it_engages_when_all_motors_say_so_and_then_streams_from_where_it_stands() {
    let mut rig = Rig::new(EStop::Hold);
    let mut pose = rig.armed();
    let mut last = POSE;
    for k in 0..100 {
        if k % 5 == 0 {
            pose[0] += 0.01;
            rig.order(Drive::On, pose);
        }
        let (sent, reading) = rig.turn();
        assert!(reading.engaged, "{reading:?}");
        let now = joints(&sent).expect("a set-point every period");
        assert!((now[0] - last[0]).abs() < 150, "{} to {}", last[0], now[0]);
        assert_eq!(now[1..], POSE[1..]);
        // The arm follows.
        (last, rig.says.mdeg) = (now, now);
    }
    assert!(last[0] > POSE[0] + 8_000);
}

#[test]
fn a_motor_that_loses_its_power_is_not_switched_on_again_by_itself() {
    let mut rig = Rig::new(EStop::Hold);
    let pose = rig.armed();
    for _ in 0..20 {
        rig.order(Drive::On, pose);
        rig.turn();
    }
    rig.says.drivers[2] = crate::backend::piper::frames::DriverBits(0);
    let mut told = None;
    for _ in 0..300 {
        rig.order(Drive::On, pose);
        let (sent, reading) = rig.turn();
        if !reading.engaged {
            assert!(sent.iter().all(|command| !matches!(command, Command::Power { .. })));
            told = told.or(Some(reading.health));
        }
    }
    assert_eq!(told, Some(Health::Unwell(Ailment::MotorOff { joint: 2 })));
    rig.order(Drive::Off, pose);
    rig.turn();
    rig.order(Drive::On, pose);
    let sent: Vec<Command> = (0..4).flat_map(|_| rig.turn().0).collect();
    assert!(sent.contains(&Command::Power { motors: Motors::Seven, on: true }));
}

#[test]
fn a_loop_that_dies_in_motion_leaves_an_arm_that_is_held() {
    let mut rig = Rig::new(EStop::Hold);
    let mut pose = rig.armed();
    for k in 0..50 {
        if k % 5 == 0 {
            pose[0] += 0.05;
            rig.order(Drive::On, pose);
        }
        let (sent, _) = rig.turn();
        rig.says.mdeg = joints(&sent).expect("a set-point");
    }
    let mut ends = Vec::new();
    for _ in 0..100 {
        let (sent, reading) = rig.turn();
        assert!(reading.engaged);
        let now = joints(&sent).expect("it is held, so it is told");
        rig.says.mdeg = now;
        ends.push(now[0]);
    }
    assert_eq!(ends[50..].iter().min(), ends[50..].iter().max());
    assert!(ends.windows(2).all(|pair| pair[1] >= pair[0] - 1), "and not thrown back");
    assert_eq!(rig.servo.tally.loop_gone.load(Ordering::Relaxed), 1);
}

#[test]
fn an_estop_does_what_it_was_configured_to_do() {
    for (policy, expected) in [
        (EStop::Hold, None),
        (EStop::Damp, Some(Command::QUICK_STOP)),
        (EStop::Cut, Some(Command::Power { motors: Motors::Seven, on: false })),
    ] {
        let mut rig = Rig::new(policy);
        let pose = rig.armed();
        let order = rig.order(Drive::On, pose);
        rig.turn();
        assert!(rig.orders.try_push(Order { stop: true, ..order }).is_ok());
        let (sent, reading) = rig.turn();
        match expected {
            None => {
                assert!(reading.engaged && joints(&sent) == Some(POSE), "{policy:?}");
            }
            Some(stop) => {
                assert!(!reading.engaged && sent == [stop], "{policy:?}: {sent:?}");
                let mut later = 0;
                for _ in 0..50 {
                    assert!(rig.orders.try_push(Order { stop: true, ..order }).is_ok());
                    let (sent, _) = rig.turn();
                    assert!(sent.iter().all(|command| *command == stop));
                    later += sent.len();
                }
                assert_eq!(later as u32, STOP_TIMES - 1, "said again, and then no more");
            }
        }
    }
}

#[test]
fn an_arm_that_is_not_driven_stops_as_well() {
    let mut rig = Rig::new(EStop::Damp);
    rig.turn();
    let order = rig.order(Drive::Off, [0.0; AXES]);
    assert!(rig.orders.try_push(Order { stop: true, ..order }).is_ok());
    assert_eq!(rig.turn().0, [Command::QUICK_STOP]);
}

#[test]
fn a_release_resets_and_cuts_once() {
    let mut rig = Rig::new(EStop::Hold);
    let pose = rig.armed();
    let order = rig.order(Drive::Off, pose);
    assert!(rig.orders.try_push(Order { release: true, ..order }).is_ok());
    let (sent, reading) = rig.turn();
    assert!(!reading.engaged);
    assert!(matches!(sent[0], Command::Motion(motion) if motion.stop == Stop::Reset));
    assert_eq!(sent[1], Command::Power { motors: Motors::Seven, on: false });
    rig.order(Drive::Off, pose);
    assert_eq!(rig.turn().0, []);
}

#[test]
fn targets_of_all_three_pairs_go_out_together() {
    let mut rig = Rig::new(EStop::Hold);
    let pose = rig.armed();
    rig.order(Drive::On, pose);
    let (sent, _) = rig.turn();
    let pairs: Vec<Pair> = sent
        .iter()
        .filter_map(|command| match command {
            Command::JointPair { first, .. } => Some(*first),
            _ => None,
        })
        .collect();
    assert_eq!(pairs, Pair::ALL);
}
