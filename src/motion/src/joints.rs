//! One value for each joint of a robot, without a heap.

use core::ops::{Deref, DerefMut};

/// The most joints that one robot may have; a 32-actuator body with room to spare.
pub const MAX_JOINTS: usize = 48;

/// One `f64` per joint, in the robot's joint order.
///
/// Two vectors of one robot always have the same length; the length never exceeds [`MAX_JOINTS`].
#[derive(Clone, Copy, PartialEq)]
pub struct Joints {
    len: usize,
    values: [f64; MAX_JOINTS],
}

impl Joints {
    /// `len` zeros; a `len` beyond [`MAX_JOINTS`] is cut to it.
    #[must_use]
    pub const fn zeros(len: usize) -> Self {
        let len = if len > MAX_JOINTS { MAX_JOINTS } else { len };
        Self { len, values: [0.0; MAX_JOINTS] }
    }

    /// The values of a slice, or `None` if there are more than [`MAX_JOINTS`].
    #[must_use]
    pub fn from_slice(values: &[f64]) -> Option<Self> {
        let mut joints = Self::zeros(values.len());
        (values.len() <= MAX_JOINTS).then(|| {
            joints.copy_from_slice(values);
            joints
        })
    }

    /// How many joints there are; `len` where a constant is needed.
    pub(crate) const fn count(&self) -> usize {
        self.len
    }

    /// Whether every value is finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.iter().all(|value| value.is_finite())
    }
}

impl Deref for Joints {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.values[..self.len]
    }
}

impl DerefMut for Joints {
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.values[..self.len]
    }
}

impl core::fmt::Debug for Joints {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
