//! On a CAN interface of this computer: a virtual one, where the kernel has them.

use std::time::Duration;

use super::super::{Address, Heard, open};
use super::*;

/// Everything that is heard until so many items are there, or a second has passed.
fn hear(bus: &mut dyn Bus, count: usize) -> Vec<Received> {
    let (mut inbox, mut found) = (Inbox::new(4), Vec::new());
    let until = monotonic_now().after(1_000_000_000);
    while found.len() < count && monotonic_now() < until {
        bus.wait(until, &mut inbox).expect("an open bus");
        found.extend_from_slice(inbox.items());
        inbox.clear();
    }
    found
}

#[test]
#[ignore = "needs a virtual CAN interface, named in REFLEX_VCAN"]
fn socketcan_on_vcan0() {
    let name = std::env::var("REFLEX_VCAN").expect("REFLEX_VCAN=vcan0");
    let address: Address = name.parse().expect("an interface");
    let within = Duration::from_secs(1);
    let mut one = open(&address, within).expect("one socket");
    let mut other = open(&address, within).expect("another");
    let frames: Vec<Frame> = (0..=8)
        .map(|len| Frame::new(0x150 + len, &[0xA5; 8][..usize::from(len)]).expect("a frame"))
        .collect();
    let before = monotonic_now();
    for frame in &frames {
        one.send(frame).expect("room");
    }
    let heard = hear(&mut *other, frames.len());
    let after = monotonic_now();
    assert_eq!(
        heard.iter().map(|one| one.heard).collect::<Vec<_>>(),
        frames.iter().map(|frame| Heard::Frame(*frame)).collect::<Vec<_>>()
    );
    // The kernel's stamps, turned into ours: between sending and hearing, but for what the two clocks differ while asked.
    let slack = 10_000_000;
    assert!(
        heard.iter().all(|one| { one.at.0 + slack >= before.0 && one.at.0 <= after.0 + slack }),
        "{before:?} {heard:?} {after:?}"
    );
    assert!(heard.is_sorted_by_key(|one| one.at.0 / slack));
    other.send(&frames[8]).expect("room");
    let back = hear(&mut *one, 1);
    assert_eq!(back.iter().map(|one| one.heard).collect::<Vec<_>>(), [Heard::Frame(frames[8])]);

    // We do not hear ourselves, and a look does not wait.
    let mut inbox = Inbox::new(4);
    one.send(&frames[3]).expect("room");
    one.wait(Nanos(0), &mut inbox).expect("open");
    assert!(inbox.items().is_empty());
    one.wait(monotonic_now().after(20_000_000), &mut inbox).expect("open");
    assert!(inbox.items().is_empty());
    assert_eq!(hear(&mut *other, 1).len(), 1);

    // Many at once: nothing is lost, whatever the room of an inbox.
    for frame in frames.iter().cycle().take(90) {
        one.send(frame).expect("a virtual bus takes everything at once");
    }
    assert_eq!(hear(&mut *other, 90).len(), 90);
    assert_eq!(one.flush(), 0);
    assert_eq!(one.reopen(), Ok(()), "it is open");
}

#[test]
#[ignore = "needs root and a pair of virtual CAN interfaces, vxcan0 and vxcan1; REFLEX_VCAN says that they may be used"]
fn socketcan_on_vcan0s_neighbours_tells_of_trouble_and_comes_back() {
    std::env::var("REFLEX_VCAN").expect("REFLEX_VCAN=vcan0");
    let set = |state: &str| {
        let done = std::process::Command::new("ip").args(["link", "set", "vxcan0", state]).status();
        assert!(done.expect("ip").success(), "ip link set vxcan0 {state}");
    };
    let within = Duration::from_secs(1);
    let open = |name: &str| open(&name.parse().expect("an interface"), within);
    let mut bus = open("vxcan0").expect("one end");
    let mut other = open("vxcan1").expect("the other");

    // Bus-off, as a driver tells it.
    let driver = CanSocket::open("vxcan1").expect("a socket");
    let off = socketcan::CanErrorFrame::new_error(libc::CAN_ERR_BUSOFF, &[0; 8]);
    driver.write_frame(&CanFrame::Error(off.expect("an error frame"))).expect("room");
    let told = hear(&mut *bus, 1);
    assert_eq!(told.first().map(|one| one.heard), Some(Heard::Error(BusTrouble::Off)));

    set("down");
    let mut inbox = Inbox::new(4);
    let until = monotonic_now().after(1_000_000_000);
    assert_eq!(bus.wait(until, &mut inbox), Err(BusError::Down), "at once");
    let frame = Frame::new(0x150, &[1]).expect("a frame");
    assert_eq!(bus.send(&frame), Err(BusError::Down));
    assert_eq!(bus.reopen(), Err(BusError::Down));
    let Err(why) = open("vxcan0") else { panic!("it is down") };
    assert!(why.to_string().contains("ip link set vxcan0 up type can"), "{why}");

    set("up");
    let until = monotonic_now().after(1_000_000_000);
    while bus.reopen().is_err() && monotonic_now() < until {}
    bus.send(&frame).expect("it is up");
    assert_eq!(hear(&mut *other, 1).last().map(|one| one.heard), Some(Heard::Frame(frame)));
}

#[test]
fn an_interface_that_is_not_there_is_told_with_a_remedy() {
    let address: Address = "reflexnone0".parse().expect("a name");
    let Err(why) = open(&address, Duration::ZERO) else { panic!("it is there") };
    let why = why.to_string();
    assert!(why.starts_with("reflexnone0: there is no such interface"), "{why}");
    assert!(why.contains("ip link set reflexnone0 up"), "{why}");
}

#[test]
fn the_loopback_interface_is_no_can_bus() {
    let address: Address = "lo".parse().expect("a name");
    let Err(why) = open(&address, Duration::ZERO) else { panic!("it is one") };
    let why = why.to_string();
    assert!(why.contains("no CAN interface") || why.contains("no CAN sockets"), "{why}");
}

#[test]
fn error_frames_of_the_kernel_say_how_bad_it_is() {
    let of = |class: u32, controller: u8| {
        let frame = socketcan::CanErrorFrame::new_error(class, &[0, controller, 0, 0, 0, 0, 0, 0]);
        heard(&CanFrame::Error(frame.expect("an error frame")))
    };
    for (class, controller, trouble) in [
        (libc::CAN_ERR_BUSOFF, 0, BusTrouble::Off),
        (libc::CAN_ERR_RESTARTED, 0, BusTrouble::Restarted),
        (libc::CAN_ERR_CRTL | libc::CAN_ERR_CNT, 0x30, BusTrouble::Passive),
        (libc::CAN_ERR_CRTL, 0x20, BusTrouble::Passive),
        (libc::CAN_ERR_CRTL, 0x0C, BusTrouble::Warning),
        (libc::CAN_ERR_CRTL, 0x40, BusTrouble::Restarted),
        (libc::CAN_ERR_CRTL, 0x01, BusTrouble::Lost),
        (libc::CAN_ERR_PROT | libc::CAN_ERR_ACK, 0, BusTrouble::Other),
    ] {
        assert_eq!(
            of(class, controller),
            Some(Heard::Error(trouble)),
            "{class:#x} {controller:#x}"
        );
    }
}
