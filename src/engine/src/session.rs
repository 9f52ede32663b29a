//! One network, ready to run; whatever runs it.

use std::fmt;

use super::{
    Engine, EngineError, Fallback, Placement, Precision, Provider, Signature, Values,
    dense::DenseRunner, onnx::OnnxRunner,
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
    fell_back: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, description, .. } = self;
        f.debug_struct("Session").field("inputs", inputs).field("runs", description).finish()
    }
}

impl Session {
    /// Loads a network from the bytes of an ONNX file, which its owner has checked against a digest, where the engine
    /// places networks of which nothing else is said.
    ///
    /// Weights in files of their own are refused: no digest would cover them.
    ///
    /// # Errors
    /// As [`Session::place`].
    pub fn load(
        engine: &Engine,
        model: &[u8],
        signature: &Signature<'_>,
    ) -> Result<Self, EngineError> {
        Self::place(engine, model, signature, engine.placement())
    }

    /// As [`Session::load`], where and how it is told.
    ///
    /// # Errors
    /// If the runtime refuses it, it does not have the signature, or it cannot be run there, or not so, and there is no
    /// falling back.
    pub fn place(
        engine: &Engine,
        model: &[u8],
        signature: &Signature<'_>,
        placement: &Placement,
    ) -> Result<Self, EngineError> {
        placement.check()?;
        if matches!(placement.provider, Provider::Cpu | Provider::OnnxRuntime) {
            let Placement { provider, precision, .. } = *placement;
            return Self::on_the_processor(engine, model, signature, provider, precision);
        }
        let error = match Self::accelerated(engine, model, signature, placement) {
            Ok(session) => return Ok(session),
            Err(error) => as_the_providers(error, placement),
        };
        if placement.fallback == Fallback::Refuse {
            return Err(error);
        }
        tracing::warn!("on the processor instead: {error}");
        let cpu = (Provider::Cpu, Precision::Fp32);
        let mut session = Self::on_the_processor(engine, model, signature, cpu.0, cpu.1)?;
        session.fell_back = Some(error.to_string());
        Ok(session)
    }

    fn accelerated(
        engine: &Engine,
        model: &[u8],
        signature: &Signature<'_>,
        placement: &Placement,
    ) -> Result<Self, EngineError> {
        #[cfg(feature = "tensorrt")]
        if placement.provider == Provider::Compiled {
            let runner = Box::new(crate::compiled::CompiledRunner::load(signature, placement)?);
            let description = format!("{}, {}", runner.description(), placement.precision.name());
            let inputs = signature.inputs.len();
            return Ok(Self { runner, inputs, description, fell_back: None });
        }
        let runner = Box::new(OnnxRunner::load(engine, model, signature, Some(placement))?);
        let Placement { provider, precision, device, .. } = placement;
        let (provider, precision) = (provider.name(), precision.name());
        let description = format!("ONNX Runtime, {provider}, {precision}, device {device}");
        Ok(Self { runner, inputs: signature.inputs.len(), description, fell_back: None })
    }

    fn on_the_processor(
        engine: &Engine,
        model: &[u8],
        signature: &Signature<'_>,
        provider: Provider,
        precision: Precision,
    ) -> Result<Self, EngineError> {
        let mut onnx = OnnxRunner::load(engine, model, signature, None)?;
        let taken = match provider {
            Provider::Cpu => DenseRunner::take_over(&mut onnx, model, signature, precision),
            _ => Err("it is to stay in ONNX Runtime".to_owned()),
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
        Ok(Self { runner, inputs: signature.inputs.len(), description, fell_back: None })
    }

    /// Why it runs on the processor although it was to run elsewhere; absent where it runs as it was to.
    #[must_use]
    pub fn fell_back(&self) -> Option<&str> {
        self.fell_back.as_deref()
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

/// What the runtime said of a provider, with the key that names it.
fn as_the_providers(error: EngineError, placement: &Placement) -> EngineError {
    match error {
        EngineError::Refused(reason) => {
            EngineError::Provider { provider: placement.provider, reason }
        }
        error => error,
    }
}
