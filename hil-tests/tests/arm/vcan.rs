//! The program on a SocketCAN interface, and a client of ours on another socket of it.

use std::time::{Duration, Instant};

use reflex::{
    backend::piper::{
        bus::{self, Address, Bus, Heard, Inbox},
        frames::{
            Command, ControlMode, Feedback, Follow, Joint, ModeCommand, Motors, Mount, MoveMode,
            Pair,
        },
    },
    clock::monotonic_now,
};
use serde_json::json;

use crate::served::{PATIENCE, Served};

struct Client {
    bus: Box<dyn Bus>,
    inbox: Inbox,
}

impl Client {
    fn says(&mut self, command: &Command) {
        let sent = self.bus.send(&command.encode().expect("a command"));
        sent.expect("there is room");
    }

    /// What is heard within some time.
    fn hears(&mut self, ms: u64) -> Vec<Feedback> {
        let until = monotonic_now().after(ms * 1_000_000);
        let mut heard = Vec::new();
        while monotonic_now() < until {
            self.inbox.clear();
            self.bus.wait(until, &mut self.inbox).expect("the interface is up");
            for received in self.inbox.items() {
                if let Heard::Frame(frame) = received.heard {
                    heard.extend(Feedback::decode(&frame).ok().flatten());
                }
            }
        }
        heard
    }
}

#[test]
#[ignore = "needs a CAN interface, as `make hil-vcan` has one: REFLEX_VCAN=vcan0"]
fn virtual_piper_on_vcan0() {
    let name = std::env::var("REFLEX_VCAN").expect("REFLEX_VCAN names an interface");
    let more = ["--interface", name.as_str(), "--no-socketcand", "--rate-scale", "0.25"];
    let mut served = Served::new("127.0.0.1:0", &more);
    let address = Address::Interface(name);
    let bus = bus::open(&address, Duration::from_secs(2)).expect("the interface opens");
    let mut client = Client { bus, inbox: Inbox::new(256) };

    let begun = Instant::now();
    let mut on = [false; 6];
    while on != [true; 6] {
        assert!(begun.elapsed() < PATIENCE, "{on:?}");
        client.says(&Command::Power { motors: Motors::Seven, on: true });
        for feedback in client.hears(20) {
            if let Feedback::Driver(driver) = feedback {
                on[driver.joint.index()] = driver.status.enabled();
            }
        }
    }
    client.says(&Command::Mode(ModeCommand {
        control: ControlMode::Can,
        movement: MoveMode::Joint,
        speed_percent: 100,
        follow: Follow::Planned,
        dwell_s: 0,
        mount: Mount::Leave,
    }));
    let goal = 20_000;
    client.says(&Command::JointPair { first: Pair::OneTwo, mdeg: [goal, 30_000] });
    let begun = Instant::now();
    let mut is = 0;
    while (is - goal).abs() > 300 {
        assert!(begun.elapsed() < PATIENCE, "joint {:?} is at {is}", Joint::ALL[0]);
        for feedback in client.hears(50) {
            if let Feedback::JointPair { first: Pair::OneTwo, mdeg } = feedback {
                is = mdeg[0];
            }
        }
    }
    assert_eq!(served.ask(&json!({ "do": "fault", "fault": "cable" }))["ok"], true);
    client.hears(100);
    assert!(client.hears(300).is_empty(), "the cable is out");
    assert_eq!(served.ask(&json!({ "do": "fault", "fault": "none" }))["ok"], true);
    let begun = Instant::now();
    while client.hears(50).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the cable is in again");
    }
}
