//! What a socketcand server says, byte by byte. Text can be cut anywhere, be garbage, or never end.

use crate::backend::piper::{
    bus::{BusTrouble, Heard},
    frames::Frame,
};

/// The longest message that is taken in. A frame takes about 50 bytes.
pub(super) const LONGEST: usize = 128;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::piper::bus) enum Message<'a> {
    /// The server greets.
    Hi,
    /// It did what was asked.
    Ok,
    /// It did not, in its own words.
    Refusal(&'a str),
    /// A frame of the bus.
    Frame(Frame),
    /// An error of the bus.
    Trouble(BusTrouble),
    /// Anything else.
    Other,
}

impl Message<'_> {
    /// What of the bus it tells.
    pub(in crate::backend::piper::bus) const fn heard(&self) -> Option<Heard> {
        match *self {
            Self::Frame(frame) => Some(Heard::Frame(frame)),
            Self::Trouble(trouble) => Some(Heard::Error(trouble)),
            _ => None,
        }
    }
}

/// Finds messages in a stream.
#[derive(Debug)]
pub(in crate::backend::piper::bus) struct Lines {
    text: [u8; LONGEST],
    len: usize,
    is_inside: bool,
}

impl Lines {
    pub(in crate::backend::piper::bus) const fn new() -> Self {
        Self { text: [0; LONGEST], len: 0, is_inside: false }
    }

    /// Forgets half a message.
    pub(super) fn clear(&mut self) {
        self.is_inside = false;
    }

    /// Takes in one byte, and tells the message that it ends.
    pub(in crate::backend::piper::bus) fn push(&mut self, byte: u8) -> Option<Message<'_>> {
        match byte {
            // A bracket within a message: what came before it was garbage, or has lost its end.
            b'<' => {
                (self.is_inside, self.len) = (true, 0);
                None
            }
            b'>' if self.is_inside => {
                self.is_inside = false;
                Some(read(&self.text[..self.len]))
            }
            byte if self.is_inside => {
                match self.text.get_mut(self.len) {
                    Some(place) => (*place, self.len) = (byte, self.len + 1),
                    // Too long for anything that we know: it is left at the next bracket.
                    None => self.is_inside = false,
                }
                None
            }
            _ => None,
        }
    }
}

/// What a message says.
fn read(text: &[u8]) -> Message<'_> {
    let Ok(text) = std::str::from_utf8(text) else { return Message::Other };
    let text = text.trim_ascii();
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    match first {
        "hi" => Message::Hi,
        "ok" => Message::Ok,
        "frame" => frame(rest).map_or(Message::Other, Message::Frame),
        "error" => trouble(rest).map_or(Message::Refusal(rest), Message::Trouble),
        _ => Message::Other,
    }
}

/// `123 1700000000.123456 0102030405060708`: id, time of the server, bytes, with or without spaces. Eight digits of id are an
/// extended one, which no Piper has.
fn frame(text: &str) -> Option<Frame> {
    let mut words = text.split_ascii_whitespace();
    let id = id(words.next()?)?;
    words.next().filter(|time| is_time(time))?;
    let (mut data, mut digits) = ([0_u8; 8], 0);
    for digit in words.flat_map(str::bytes) {
        let value = char::from(digit).to_digit(16)? as u8;
        let place = data.get_mut(digits / 2)?;
        *place = *place << 4 | value;
        digits += 1;
    }
    // Half a byte is a message that was cut.
    if digits % 2 == 1 {
        return None;
    }
    Frame::new(id, &data[..digits / 2])
}

fn id(word: &str) -> Option<u16> {
    let is_hex = word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { u16::from_str_radix(word, 16).ok() } else { None }
}

fn is_time(word: &str) -> bool {
    word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// `004 1700000000.123456`: the class of an error frame, without its bytes; older servers leave the time out. Words are a
/// refusal.
fn trouble(text: &str) -> Option<BusTrouble> {
    let mut words = text.split_ascii_whitespace();
    let class = words.next()?;
    let is_hex = class.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(3..=8).contains(&class.len()) || !words.all(is_time) {
        return None;
    }
    // The bytes of an error frame are not passed on: how bad a controller's trouble is, nobody says.
    Some(BusTrouble::of_error_frame(u32::from_str_radix(class, 16).ok()?, [0; 8]))
}
