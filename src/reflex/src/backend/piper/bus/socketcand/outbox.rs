//! What waits for TCP: whole messages, and the rest of one that TCP has begun.

use crate::backend::piper::frames::Frame;

/// Room for about fifty frames: several ticks of set-points. More would only be older.
const ROOM: usize = 2048;

/// Less than what TCP has room for when it says that it has some: a third of its buffer.
const AT_ONCE: usize = 1024;

/// The longest message of a frame: `< send 7FF 8 11 22 33 44 55 66 77 88 >`.
const FRAME: usize = 38;

/// A buffer that keeps what is sent in order, and never grows.
#[derive(Debug)]
pub(super) struct Outbox {
    text: [u8; ROOM],
    from: usize,
    to: usize,
}

impl Outbox {
    pub(super) const fn new() -> Self {
        Self { text: [0; ROOM], from: 0, to: 0 }
    }

    /// What waits.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.text[self.from..self.to]
    }

    /// As many whole messages of it as are given to TCP at once.
    pub(super) fn whole(&self) -> &[u8] {
        let some = &self.bytes()[..self.bytes().len().min(AT_ONCE)];
        let end = some.iter().rposition(|byte| *byte == b'>').map_or(some.len(), |at| at + 1);
        &some[..end]
    }

    /// TCP has taken some of it.
    pub(super) fn sent(&mut self, len: usize) {
        self.from = (self.from + len).min(self.to);
        if self.from == self.to {
            self.clear();
        }
    }

    /// Forgets everything: the connection is gone.
    pub(super) fn clear(&mut self) {
        (self.from, self.to) = (0, 0);
    }

    /// Appends a message, if there is room.
    pub(super) fn put(&mut self, message: &[u8]) -> bool {
        if self.to + message.len() > ROOM {
            self.text.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        let Some(place) = self.text.get_mut(self.to..self.to + message.len()) else { return false };
        place.copy_from_slice(message);
        self.to += message.len();
        true
    }

    /// Appends a frame, if there is room.
    pub(super) fn frame(&mut self, frame: &Frame) -> bool {
        let (text, len) = message(frame);
        self.put(&text[..len])
    }

    /// Forgets messages that TCP has not begun, and says how many. The rest of one that it has begun must follow: without
    /// its end the server would take the next message for a part of it.
    pub(super) fn flush(&mut self) -> usize {
        let begun = self.bytes().first().is_some_and(|byte| *byte != b'<');
        let end = self.bytes().iter().position(|byte| *byte == b'>').filter(|_| begun);
        let keep = end.map_or(0, |at| at + 1);
        let dropped = self.bytes()[keep..].iter().filter(|byte| **byte == b'<').count();
        self.to = self.from + keep;
        dropped
    }
}

/// `< send 123 2 01 02 >`.
fn message(frame: &Frame) -> ([u8; FRAME], usize) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u16| DIGITS[usize::from(value & 0xF)];
    let (mut text, mut len) = ([0; FRAME], 0);
    let mut put = |bytes: &[u8]| {
        text[len..len + bytes.len()].copy_from_slice(bytes);
        len += bytes.len();
    };
    put(b"< send ");
    put(&[digit(frame.id >> 8), digit(frame.id >> 4), digit(frame.id), b' ']);
    let bytes = frame.bytes();
    put(&[b'0' + bytes.len() as u8, b' ']);
    for byte in bytes {
        let byte = u16::from(*byte);
        put(&[digit(byte >> 4), digit(byte), b' ']);
    }
    put(b">");
    (text, len)
}
