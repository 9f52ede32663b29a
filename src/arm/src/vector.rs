//! One value for each joint of an arm, without a heap.

use core::ops::{Deref, DerefMut};

/// The most joints that one arm may have.
pub const MAX_JOINTS: usize = 16;

/// One `f64` per joint that can be chosen, in the arm's joint order.
#[derive(Clone, Copy, PartialEq)]
pub struct JointVector {
    len: usize,
    values: [f64; MAX_JOINTS],
}

impl JointVector {
    /// `len` zeros; a `len` beyond [`MAX_JOINTS`] is cut to it.
    #[inline]
    #[must_use]
    pub const fn zeros(len: usize) -> Self {
        let len = if len > MAX_JOINTS { MAX_JOINTS } else { len };
        Self { len, values: [0.0; MAX_JOINTS] }
    }

    /// The values of a slice, or `None` if there are more than [`MAX_JOINTS`].
    #[inline]
    #[must_use]
    pub fn from_slice(values: &[f64]) -> Option<Self> {
        let mut joints = Self::zeros(values.len());
        (values.len() <= MAX_JOINTS).then(|| {
            joints.copy_from_slice(values);
            joints
        })
    }

    /// Whether every value is finite.
    #[inline]
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.iter().all(|value| value.is_finite())
    }
}

impl Deref for JointVector {
    type Target = [f64];

    #[inline]
    fn deref(&self) -> &[f64] {
        &self.values[..self.len]
    }
}

impl DerefMut for JointVector {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f64] {
        &mut self.values[..self.len]
    }
}

impl core::fmt::Debug for JointVector {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
