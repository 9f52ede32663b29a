//! A network whose tensors are as long as a run makes them: encoders of text and pictures, beside the loop.
//!
//! Its runs allocate and may use several threads, and its weights may stand in files beside it, which its owner has
//! checked against digests. Heads are [`super::Session`]s, which do none of this.

use std::{borrow::Cow, path::Path};

use ort::{
    session::{Session, SessionInputValue},
    value::{Outlet, TensorElementType, TensorRef},
};

use super::{Element, Engine, EngineError, Slot};

/// One input of a run: its shape, and its numbers.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// `f32`.
    F32(&'a [usize], &'a [f32]),
    /// `i64`.
    I64(&'a [usize], &'a [i64]),
}

/// A network with tensors of any length, ready to run.
#[derive(Debug)]
pub struct FreeSession {
    session: Session,
    inputs: Box<[String]>,
    output: String,
}

impl FreeSession {
    /// Loads a network on the processor, with inputs in the order in which runs give them, and an output of `f32`.
    ///
    /// # Errors
    /// If the runtime refuses it, or it has other inputs, or no such output.
    pub fn open(
        engine: &Engine,
        file: &Path,
        inputs: &[(&str, Element)],
        output: &str,
        threads: usize,
    ) -> Result<Self, EngineError> {
        let session = Session::builder(engine.environment())?
            .with_intra_threads(threads.max(1))?
            .with_inter_threads(1)?
            // Threads that wait must not burn the cores that the loop may need.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .commit_from_file(file)?;
        for (at, &(name, element)) in inputs.iter().enumerate() {
            check(Slot::Input(at), session.inputs(), name, element)?;
        }
        if let Some(extra) = session.inputs().get(inputs.len()) {
            let found = format!("`{}`, and {} in all", extra.name(), session.inputs().len());
            let wanted = format!("at most {} inputs", inputs.len());
            return Err(EngineError::Tensor { slot: Slot::Input(inputs.len()), wanted, found });
        }
        check(Slot::Output, session.outputs(), output, Element::F32)?;
        let inputs = inputs.iter().map(|(name, _)| (*name).to_owned()).collect();
        Ok(Self { session, inputs, output: output.to_owned() })
    }

    /// Runs it; all the numbers of the output, whatever its shape.
    ///
    /// # Errors
    /// If an input is missing or has not as many numbers as its shape says, the runtime refuses, or a number of the
    /// output is not finite.
    pub fn run(&mut self, given: &[Given<'_>]) -> Result<Vec<f32>, EngineError> {
        if given.len() != self.inputs.len() {
            let (wanted, found) = (self.inputs.len(), given.len());
            return Err(EngineError::Refused(format!("{found} inputs were given, not {wanted}")));
        }
        let mut named = Vec::with_capacity(given.len());
        for (name, given) in self.inputs.iter().zip(given) {
            named.push((Cow::from(name), given.tensor()?));
        }
        let answer = self.session.run(named)?;
        let values = answer[self.output.as_str()].try_extract_tensor::<f32>()?.1;
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values.to_vec()),
            Some(element) => {
                Err(EngineError::NotFinite { element, value: values[element].to_string() })
            }
        }
    }
}

impl<'a> Given<'a> {
    /// As the runtime wants it; it checks that shape and numbers agree.
    fn tensor(self) -> Result<SessionInputValue<'a>, EngineError> {
        let long = |shape: &[usize]| shape.iter().map(|&n| n as i64).collect::<Vec<_>>();
        Ok(match self {
            Self::F32(shape, numbers) => TensorRef::from_array_view((long(shape), numbers))?.into(),
            Self::I64(shape, numbers) => TensorRef::from_array_view((long(shape), numbers))?.into(),
        })
    }
}

fn check(slot: Slot, outlets: &[Outlet], name: &str, element: Element) -> Result<(), EngineError> {
    let wanted = match element {
        Element::F32 => TensorElementType::Float32,
        Element::I64 => TensorElementType::Int64,
    };
    let found = match outlets.iter().find(|outlet| outlet.name() == name) {
        Some(outlet) if outlet.dtype().tensor_type() == Some(wanted) => return Ok(()),
        Some(outlet) => format!("`{name}` of type {}", outlet.dtype()),
        None => {
            let names: Vec<_> =
                outlets.iter().map(|outlet| format!("`{}`", outlet.name())).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        }
    };
    Err(EngineError::Tensor { slot, wanted: format!("an {element} tensor `{name}`"), found })
}
