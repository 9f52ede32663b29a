use std::{fmt, str::FromStr};

/// Which generation of firmware an arm runs: where its joints have their zero, and what a MIT frame looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Firmware {
    /// The first number.
    pub major: u8,
    /// The second.
    pub minor: u8,
    /// The third.
    pub patch: u8,
}

/// Where joints 2 and 3 have their zero. Ten millimetres at the flange, and nothing in its orientation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// Before 1.6-3.
    Old,
    /// From 1.6-3 on.
    New,
}

/// What a MIT frame looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MitLayout {
    /// Up to 1.8-7: eight bits of torque within 8 N m, and a checksum.
    EightBit {
        /// Up to 1.8-2: joints 1 to 3 do four times the torque that was sent.
        scaled_by_four: bool,
    },
    /// From 1.8-8 on: twelve bits of torque within 16 N m, no checksum, and its own mode code.
    TwelveBit,
}

impl Firmware {
    /// By its three numbers.
    #[must_use]
    pub const fn new(major: u8, minor: u8, patch: u8) -> Self {
        Self { major, minor, patch }
    }

    /// Where joints 2 and 3 have their zero.
    #[must_use]
    pub fn zero(self) -> Zero {
        if self < Self::new(1, 6, 3) { Zero::Old } else { Zero::New }
    }

    /// What a MIT frame looks like. The wrong one is another motion.
    #[must_use]
    pub fn mit_layout(self) -> MitLayout {
        if self < Self::new(1, 8, 8) {
            MitLayout::EightBit { scaled_by_four: self <= Self::new(1, 8, 2) }
        } else {
            MitLayout::TwelveBit
        }
    }

    /// Whether joints 1, 2, 4 and 6 turn the other way in MIT mode. Before 1.7-3, by what users found out: position and torque
    /// change their sign, and so must speed. [`Mit::new`](super::Mit::new) sees to it.
    #[must_use]
    pub fn mit_is_negated(self) -> bool {
        self < Self::new(1, 7, 3)
    }

    /// Whether an arm only gets from MIT mode or direct following back to planned positions by a reset, which drops it. Up
    /// to 1.8-5.
    #[must_use]
    pub fn leaves_mit_by_reset(self) -> bool {
        self <= Self::new(1, 8, 5)
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "S-V{}.{}-{}", self.major, self.minor, self.patch)
    }
}

/// Not the name of a firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFirmware;

impl fmt::Display for NotFirmware {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a firmware's name is like S-V1.8-2")
    }
}

impl std::error::Error for NotFirmware {}

impl FromStr for Firmware {
    type Err = NotFirmware;

    fn from_str(text: &str) -> Result<Self, NotFirmware> {
        Self::read(text.as_bytes()).ok_or(NotFirmware)
    }
}

impl Firmware {
    /// The firmware that has exactly this name.
    fn read(name: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(name.strip_prefix(b"S-V")?).ok()?;
        let (major, rest) = text.split_once('.')?;
        let (minor, patch) = rest.split_once('-')?;
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            if plain { digits.parse().ok() } else { None }
        };
        Some(Self { major: number(major)?, minor: number(minor)?, patch: number(patch)? })
    }
}

/// What an arm says of itself when it is asked: 88 bytes in eleven frames. Put together without allocating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    bytes: [u8; Self::BYTES],
    filled: u8,
}

impl Default for Identity {
    fn default() -> Self {
        Self { bytes: [0; Self::BYTES], filled: 0 }
    }
}

impl Identity {
    /// In how many frames it comes.
    pub const PARTS: usize = 11;

    /// Its length.
    pub const BYTES: usize = 8 * Self::PARTS;

    /// The identity of a firmware, as a virtual arm tells it.
    #[must_use]
    pub fn of(hardware: &str, node: &str, firmware: Firmware, date: &str) -> Self {
        let mut identity = Self { filled: Self::PARTS as u8, ..Self::default() };
        let mut put = |at: usize, room: usize, text: &str| {
            let text = &text.as_bytes()[..text.len().min(room)];
            identity.bytes[at..at + text.len()].copy_from_slice(text);
        };
        put(0, 8, hardware);
        put(32, 6, node);
        put(60, 8, &firmware.to_string());
        put(68, 6, date);
        identity
    }

    /// Takes in the next eight bytes. They come in order; what comes after the eleventh is left alone.
    pub fn push(&mut self, part: [u8; 8]) {
        if self.is_whole() {
            return;
        }
        let at = usize::from(self.filled) * 8;
        self.bytes[at..at + 8].copy_from_slice(&part);
        self.filled += 1;
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether all of it is there.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.filled as usize >= Self::PARTS
    }

    /// One of its eleven parts, from 0.
    #[must_use]
    pub fn part(&self, index: usize) -> Option<[u8; 8]> {
        self.bytes.as_chunks().0.get(index).copied()
    }

    /// The firmware, as soon as its name is there. It is looked for wherever it stands, as the vendor's SDK does, so that a
    /// frame that was missed or came twice does no harm. The name has eight letters, and digits of a date may follow.
    #[must_use]
    pub fn firmware(&self) -> Option<Firmware> {
        let bytes = &self.bytes[..usize::from(self.filled) * 8];
        bytes.windows(8).find_map(Firmware::read)
    }

    /// The hardware's name.
    #[must_use]
    pub fn hardware(&self) -> &str {
        self.text(0, 8)
    }

    /// What kind of node it is.
    #[must_use]
    pub fn node(&self) -> &str {
        self.text(32, 6)
    }

    /// When the firmware was built.
    #[must_use]
    pub fn date(&self) -> &str {
        self.text(68, 6)
    }

    /// Text in some bytes, up to the first that is none.
    fn text(&self, at: usize, room: usize) -> &str {
        let bytes = &self.bytes[at..at + room];
        let len = bytes.iter().take_while(|byte| (0x20..0x7F).contains(*byte)).count();
        std::str::from_utf8(&bytes[..len]).unwrap_or_default()
    }
}
