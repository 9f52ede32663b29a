//! The words of socketcand, as its C server and python-can's client speak them. Pure.

use std::fmt::Write;

use reflex::backend::piper::frames::Frame;

/// What a client asks of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// `< open can0 >`
    Open(String),
    /// `< rawmode >`
    RawMode,
    /// `< echo >`
    Echo,
    /// `< send 151 8 1 1 32 0 0 0 0 0 >`
    Send(Frame),
    /// Something else, or something that is not understood.
    Unknown,
}

/// The longest request that has a meaning; what is longer is noise.
const LONGEST: usize = 200;

/// Bytes of a stream until they are requests.
#[derive(Default)]
pub(super) struct Requests(Vec<u8>);

impl Requests {
    /// Takes in bytes, and gives out what is whole.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Request> {
        self.0.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some(end) = self.0.iter().position(|byte| *byte == b'>') {
            let rest = self.0.split_off(end + 1);
            let text = std::mem::replace(&mut self.0, rest);
            whole.push(request(&text));
        }
        if self.0.len() > LONGEST {
            self.0.clear();
            whole.push(Request::Unknown);
        }
        whole
    }
}

fn request(text: &[u8]) -> Request {
    let text = String::from_utf8_lossy(text);
    let inner = text.trim().strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    let words: Vec<&str> = inner.unwrap_or_default().split_whitespace().collect();
    match words.as_slice() {
        ["open", channel] => Request::Open((*channel).to_owned()),
        ["rawmode"] => Request::RawMode,
        ["echo"] => Request::Echo,
        ["send", id, length, bytes @ ..] => {
            sent(id, length, bytes).map_or(Request::Unknown, Request::Send)
        }
        _ => Request::Unknown,
    }
}

/// Fewer bytes than the length says are followed by zeros, as on a wire whose buffer was not filled.
fn sent(id: &str, length: &str, bytes: &[&str]) -> Option<Frame> {
    let hex = |text: &str| u8::from_str_radix(text, 16).ok();
    let id = u16::from_str_radix(id, 16).ok()?;
    let length = usize::from(hex(length)?);
    let mut data = bytes.iter().map(|byte| hex(byte)).collect::<Option<Vec<u8>>>()?;
    if length > 8 || data.len() > length {
        return None;
    }
    data.resize(length, 0);
    Frame::new(id, &data)
}

/// Appends a frame as a client hears it; the time is that of the server's clock, since 1970.
pub(super) fn tell(out: &mut String, frame: &Frame, seconds: u64, micros: u32) {
    // Writing to a string cannot fail.
    let _ = write!(out, "< frame {:03X} {seconds}.{micros:06} ", frame.id);
    for byte in frame.bytes() {
        let _ = write!(out, "{byte:02X}");
    }
    out.push_str(" >");
}

/// Appends an error frame: the C server tells its class, and no more.
pub(super) fn tell_error(out: &mut String, class: u32, seconds: u64, micros: u32) {
    let _ = write!(out, "< error {class:03X} {seconds}.{micros:06} >");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_out_whole_however_they_come_in() {
        let text = b"< open can0 >< rawmode >< send 151 8 1 1 32 0 0 0 0 0 >< echo ><send 4AF 1 1>";
        let mode = Frame::new(0x151, &[1, 1, 0x32, 0, 0, 0, 0, 0]).expect("a frame");
        let expected = vec![
            Request::Open("can0".into()),
            Request::RawMode,
            Request::Send(mode),
            Request::Echo,
            Request::Send(Frame::new(0x4AF, &[1]).expect("a frame")),
        ];
        for piece in 1..text.len() {
            let mut requests = Requests::default();
            let found: Vec<_> = text.chunks(piece).flat_map(|part| requests.take(part)).collect();
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_unknown_and_does_not_pile_up() {
        for text in [
            "< >",
            "< send 800 0 >",
            "< send 151 9 0 >",
            "< send 151 1 0 0 >",
            "< send x 1 0 >",
            "noise>",
        ] {
            assert_eq!(Requests::default().take(text.as_bytes()), vec![Request::Unknown], "{text}");
        }
        let mut requests = Requests::default();
        assert_eq!(requests.take(&[b'x'; 4096]), vec![Request::Unknown]);
        assert_eq!(requests.take(b"< echo >"), vec![Request::Echo]);
    }

    #[test]
    fn a_frame_is_told_as_the_c_server_tells_it() {
        let mut out = String::new();
        tell(&mut out, &Frame::new(0x2A1, &[1, 0, 0xAD]).expect("a frame"), 1_700_000_000, 42);
        tell_error(&mut out, 0x40, 7, 0);
        assert_eq!(out, "< frame 2A1 1700000000.000042 0100AD >< error 040 7.000000 >");
    }
}
