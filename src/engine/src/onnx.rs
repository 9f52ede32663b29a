//! ONNX Runtime as a runner: prepared tensors in, a prepared tensor out.

use std::ffi::CString;

use ort::{
    memory::Allocator,
    session::Session,
    value::{DynTensor, Outlet, Tensor, TensorElementType},
};

use super::{
    Element, Engine, EngineError, Placement, Signature, Slot, TensorSpec, Values, accelerator, raw,
    session::Runner,
};

/// A folder that cannot exist, for weights that a model wants to take from beside itself; see [`super::Session::load`].
const NO_FOLDER: &str = "/dev/null/weights-must-be-inside-the-model";

/// A network in ONNX Runtime.
pub(crate) struct OnnxRunner {
    session: Session,
    /// The runtime wants names with a terminating zero in each run.
    names: Box<[CString]>,
    inputs: Box<[Tensor<f32>]>,
    output_name: CString,
    output: DynTensor,
    element: Element,
}

impl OnnxRunner {
    /// On the processor, or on what ONNX Runtime calls an execution provider.
    pub(crate) fn load(
        engine: &Engine,
        model: &[u8],
        signature: &Signature<'_>,
        accelerator: Option<&Placement>,
    ) -> Result<Self, EngineError> {
        let builder = Session::builder(engine.environment())?
            // These networks are too small to share: with one thread of either kind the runtime makes no pool at all,
            // and runs on the caller's thread, with that thread's priority.
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            // A pool that does appear must not burn a core between ticks.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_config_entry("session.model_external_initializers_file_folder_path", NO_FOLDER)?;
        let session = match accelerator {
            Some(placement) => accelerator::session(engine, builder, model, placement)?,
            None => builder
                .with_execution_providers([ort::ep::CPU::default()
                    .with_arena_allocator(true)
                    .build()
                    .error_on_failure()])?
                .commit_from_memory(model)?,
        };
        check(&session, signature)?;
        let allocator = Allocator::default();
        let mut inputs = Vec::with_capacity(signature.inputs.len());
        for spec in signature.inputs {
            let mut tensor = Tensor::<f32>::new(&allocator, spec.dimensions())?;
            // The runtime's memory is not cleared.
            tensor.try_extract_tensor_mut::<f32>()?.1.fill(0.0);
            inputs.push(tensor);
        }
        let element = match signature.output.element {
            Element::F32 => TensorElementType::Float32,
            Element::I64 => TensorElementType::Int64,
        };
        let output = DynTensor::new(&allocator, element, signature.output.dimensions())?;
        let names: Result<Vec<_>, _> = signature.inputs.iter().map(|spec| name(spec)).collect();
        Ok(Self {
            session,
            names: names?.into(),
            inputs: inputs.into(),
            output_name: name(&signature.output)?,
            output,
            element: signature.output.element,
        })
    }
}

impl Runner for OnnxRunner {
    fn input_mut(&mut self, at: usize) -> &mut [f32] {
        self.inputs[at].extract_tensor_mut().1
    }

    fn run(&mut self) -> Result<Values<'_>, EngineError> {
        let Self { session, names, inputs, output_name, output, element } = self;
        raw::run(session, names, inputs, output_name, output)?;
        match element {
            Element::F32 => Values::finite(output.try_extract_tensor::<f32>()?.1),
            Element::I64 => Ok(Values::I64(output.try_extract_tensor::<i64>()?.1)),
        }
    }
}

fn name(spec: &TensorSpec<'_>) -> Result<CString, EngineError> {
    CString::new(spec.name)
        .map_err(|_| EngineError::Refused(format!("{:?} is no name of a tensor", spec.name)))
}

/// The model has the signature: exactly its inputs, and its output.
fn check(session: &Session, signature: &Signature<'_>) -> Result<(), EngineError> {
    for (at, spec) in signature.inputs.iter().enumerate() {
        check_one(Slot::Input(at), session.inputs(), spec)?;
    }
    let named = |outlet: &Outlet| signature.inputs.iter().any(|spec| spec.name == outlet.name());
    if let Some(other) = session.inputs().iter().find(|outlet| !named(outlet)) {
        let slot = Slot::Input(signature.inputs.len());
        let found = format!("`{}` besides", other.name());
        return Err(EngineError::Tensor { slot, wanted: "no more tensors".to_owned(), found });
    }
    if signature.inputs.len() > raw::INPUTS_MAX {
        let found = format!("{} inputs", signature.inputs.len());
        let wanted = format!("at most {} of them", raw::INPUTS_MAX);
        return Err(EngineError::Tensor { slot: Slot::Input(raw::INPUTS_MAX), wanted, found });
    }
    check_one(Slot::Output, session.outputs(), &signature.output)
}

fn check_one(slot: Slot, outlets: &[Outlet], spec: &TensorSpec<'_>) -> Result<(), EngineError> {
    let other = |found| EngineError::Tensor {
        slot,
        wanted: format!("an {} tensor `{}`", spec.element, spec.name),
        found,
    };
    let Some(outlet) = outlets.iter().find(|outlet| outlet.name() == spec.name) else {
        let names: Vec<_> = outlets.iter().map(|outlet| format!("`{}`", outlet.name())).collect();
        return Err(other(if names.is_empty() { "none".into() } else { names.join(", ") }));
    };
    let wanted = match spec.element {
        Element::F32 => TensorElementType::Float32,
        Element::I64 => TensorElementType::Int64,
    };
    if outlet.dtype().tensor_type() != Some(wanted) {
        return Err(other(format!("`{}` of type {}", spec.name, outlet.dtype())));
    }
    let found = outlet.dtype().tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default();
    spec.check(slot, &found)
}
