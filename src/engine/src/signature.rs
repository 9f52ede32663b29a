//! What a network has to look like, and what it answers.

use std::fmt;

use super::{EngineError, Slot};

/// What the numbers of a tensor are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Element {
    /// `f32`.
    #[default]
    F32,
    /// `i64`: tokens.
    I64,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::I64 => "i64",
        })
    }
}

/// One tensor of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its whole shape, the batch of 1 included. A network whose first dimension is free is run with that batch.
    pub shape: &'a [usize],
    /// Its numbers.
    pub element: Element,
}

impl TensorSpec<'_> {
    /// How many numbers are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its shape as ONNX counts; a length that does not fit matches no model.
    pub(crate) fn dimensions(&self) -> Vec<i64> {
        self.shape.iter().map(|&len| i64::try_from(len).unwrap_or(i64::MAX)).collect()
    }

    /// Whether a model's tensor is this one. A free dimension is -1; only the batch may be free.
    pub(crate) fn check(&self, slot: Slot, found: &[i64]) -> Result<(), EngineError> {
        let wanted = self.dimensions();
        let fits = found.len() == wanted.len()
            && found.iter().zip(&wanted).enumerate().all(|(axis, (&found, &wanted))| {
                found == wanted || (axis == 0 && found == -1 && wanted == 1)
            });
        if fits { Ok(()) } else { Err(EngineError::Shape { slot, wanted, found: found.to_vec() }) }
    }
}

/// What a network has to look like: these inputs and no other, all `f32`, and this output among its outputs.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// The input tensors; [`super::Session::input_mut`] counts in this order, whatever the model's own is.
    pub inputs: &'a [TensorSpec<'a>],
    /// The output tensor; the model's other outputs are not computed.
    pub output: TensorSpec<'a>,
}

/// What a network answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'a> {
    /// Numbers, all finite.
    F32(&'a [f32]),
    /// Tokens.
    I64(&'a [i64]),
}

impl<'a> Values<'a> {
    /// Numbers, unless something in them is none.
    pub(crate) fn finite(values: &'a [f32]) -> Result<Self, EngineError> {
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(Self::F32(values)),
            Some(element) => {
                Err(EngineError::NotFinite { element, value: values[element].to_string() })
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::I64(tokens) => tokens.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
