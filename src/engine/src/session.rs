//! One network, ready to run; whatever runs it.

use std::fmt;

use super::{Engine, EngineError, Signature, Values, onnx::OnnxRunner};

/// What every engine can do with one network. Buffers are made at load; a run allocates nothing.
pub(crate) trait Runner: Send {
    /// An input tensor, in the signature's order, to be written before a run.
    fn input_mut(&mut self, at: usize) -> &mut [f32];

    /// Runs the network on what stands in the input tensors.
    fn run(&mut self) -> Result<Values<'_>, EngineError>;
}

/// One network, ready to run on the thread that owns it.
pub struct Session {
    runner: Box<dyn Runner>,
    inputs: usize,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl Session {
    /// Loads a network from the bytes of an ONNX file, which its owner has checked against a digest.
    ///
    /// Weights in files of their own are refused: no digest would cover them.
    ///
    /// # Errors
    /// If the runtime refuses it, or it does not have the signature.
    pub fn load(
        engine: &Engine,
        model: &[u8],
        signature: &Signature<'_>,
    ) -> Result<Self, EngineError> {
        let runner = Box::new(OnnxRunner::load(engine, model, signature)?);
        Ok(Self { runner, inputs: signature.inputs.len() })
    }

    /// An input tensor, in the signature's order, to be written before a run. What is not written stays as it was.
    ///
    /// # Panics
    /// If the signature has no such input.
    pub fn input_mut(&mut self, at: usize) -> &mut [f32] {
        self.runner.input_mut(at)
    }

    /// Runs the network on what stands in the input tensors. Denormal numbers count as zero: one of them can make a
    /// run sixteen times slower.
    ///
    /// # Errors
    /// If the runtime refuses, or a number of the output is not finite.
    pub fn run(&mut self) -> Result<Values<'_>, EngineError> {
        self.runner.run()
    }
}
