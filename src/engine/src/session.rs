//! One network, ready to run; whatever runs it.

use std::fmt;

use super::{
    Engine, EngineError, Placement, Precision, Provider, Signature, Values, dense::DenseRunner,
    onnx::OnnxRunner,
};

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
    description: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, description, .. } = self;
        f.debug_struct("Session").field("inputs", inputs).field("runs", description).finish()
    }
}

impl Session {
    /// Loads a network from the bytes of an ONNX file, which its owner has checked against a digest, where the engine
    /// runs networks by itself: on the processor.
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
        Self::place(engine, model, signature, &Placement::default())
    }

    /// As [`Session::load`], where and how it is told.
    ///
    /// # Errors
    /// As [`Session::load`]; and if the network cannot be run there, or not so.
    pub fn place(
        engine: &Engine,
        model: &[u8],
        signature: &Signature<'_>,
        placement: &Placement,
    ) -> Result<Self, EngineError> {
        let precision = placement.precision;
        let mut onnx = OnnxRunner::load(engine, model, signature)?;
        let taken = match placement.provider {
            Provider::OnnxRuntime => Err("it is to stay in ONNX Runtime".to_owned()),
            Provider::Cpu => DenseRunner::take_over(&mut onnx, model, signature, precision),
        };
        let (runner, description): (Box<dyn Runner>, _) = match taken {
            Ok(dense) => {
                let description = dense.describe();
                (Box::new(dense), description)
            }
            Err(reason) if precision != Precision::Fp32 => {
                return Err(EngineError::Precision { precision, reason });
            }
            Err(reason) => {
                tracing::debug!("the network runs in ONNX Runtime: {reason}");
                (Box::new(onnx), "ONNX Runtime, CPU".to_owned())
            }
        };
        Ok(Self { runner, inputs: signature.inputs.len(), description })
    }

    /// What runs it, in words: `dense layers, fp16, AVX2`.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
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
