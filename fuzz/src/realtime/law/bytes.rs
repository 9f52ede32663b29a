//! Bytes as choices and numbers.

use motion::Joints;

/// Numbers that are hard on arithmetic.
const ODD: [f64; 16] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    5e-324,
    -0.0,
    f64::EPSILON,
    1e-9,
    -1e-9,
    1e300,
    -1e300,
    1e9,
    1.0,
    -1.0,
];

/// Bytes that are still to be read. Beyond their end there are only zeros.
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    pub(super) fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    pub(super) fn is_so(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// In [0, 1).
    pub(super) fn share(&mut self) -> f64 {
        f64::from(u16::from_le_bytes([self.byte(), self.byte()])) / 65_536.0
    }

    /// In [low, high).
    pub(super) fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    /// Any number: of a joint's size, hard on arithmetic, or whatever 64 bits are.
    pub(super) fn number(&mut self) -> f64 {
        match self.byte() {
            0..160 => self.within(-4.0, 4.0),
            160..208 => self.within(-0.02, 0.02),
            208..240 => ODD[usize::from(self.byte()) % ODD.len()],
            _ => f64::from_bits(self.word()),
        }
    }

    /// Any numbers, and now and then not as many as there are joints.
    pub(super) fn joints(&mut self, count: usize) -> Joints {
        let len = match self.byte() {
            0..8 => usize::from(self.byte()) % (motion::MAX_JOINTS + 1),
            _ => count,
        };
        let mut joints = Joints::zeros(len);
        for value in joints.iter_mut() {
            *value = self.number();
        }
        joints
    }
}
