//! Arbitrary bytes as a frame of either side, as MIT fields of every layout, and as text of a socketcand server. Nothing
//! panics, and what has a meaning comes back from its frame.

use motion::Nanos;
use reflex::backend::piper::{
    bus::{Heard, Inbox, read_socketcand},
    frames::{Command, Feedback, Firmware, Frame, Identity, MitFields, MitLayout},
};

/// Reads them as all of that.
///
/// # Panics
/// If a meaning does not come back.
pub fn can_frames(bytes: &[u8]) {
    text(bytes);
    // Two bytes of id, then those of the frame: what the corpus is made of.
    if let [high, low, rest @ ..] = bytes {
        let id = u16::from_be_bytes([*high, *low]) & 0x7FF;
        let rest = &rest[..rest.len().min(8)];
        frame(Frame::new(id, rest).expect("eleven bits, eight bytes"));
    }
    identity(bytes);
}

fn frame(frame: Frame) {
    if let Ok(Some(command)) = Command::decode(&frame) {
        match command.encode() {
            Ok(again) => assert_eq!(Command::decode(&again), Ok(Some(command))),
            // A leading arm's effort can be heard, and cannot be sent.
            Err(_) => assert!(matches!(command, Command::Gripper(grip) if grip.effort_mnm < 0)),
        }
    }
    if let Ok(Some(feedback)) = Feedback::decode(&frame) {
        let again = feedback.encode().expect("what was decoded fits");
        assert_eq!(Feedback::decode(&again), Ok(Some(feedback)));
        let _ = feedback.is_plausible();
    }
    if let Some((_, plain)) = Feedback::unshift(&frame) {
        let _ = Feedback::decode(&plain);
    }
    for layout in [
        MitLayout::EightBit { scaled_by_four: true },
        MitLayout::EightBit { scaled_by_four: false },
        MitLayout::TwelveBit,
    ] {
        if let Ok(fields) = MitFields::unpack(&frame.data, layout) {
            assert_eq!(fields.pack(layout), Ok(frame.data));
            let again = MitFields::new(&fields.target(layout), layout);
            assert!(again.is_ok(), "its own quantities are in range");
        }
    }
}

/// Whatever is in a text, and wherever it was cut, the same frames are in it.
fn text(bytes: &[u8]) {
    let mut inbox = Inbox::new(64);
    let read = read_socketcand(bytes, Nanos(0), &mut inbox);
    assert!(read == bytes.len() || inbox.room() == 0);
    for received in inbox.items() {
        if let Heard::Frame(frame) = received.heard {
            assert!(frame.id <= 0x7FF && frame.len <= 8);
        }
    }
}

fn identity(bytes: &[u8]) {
    let mut identity = Identity::default();
    bytes.as_chunks::<8>().0.iter().for_each(|part| identity.push(*part));
    let _ = (identity.hardware(), identity.node(), identity.date());
    if let Some(firmware) = identity.firmware() {
        assert_eq!(firmware.to_string().parse::<Firmware>(), Ok(firmware));
    }
}
