//! Networks of dense layers, run here.
//!
//! A head is a handful of matrices that are multiplied with one vector, so it takes as long as its weights take out of
//! memory; what a runtime for any network does around that costs a third again. ONNX Runtime still judges: a network
//! runs here only if every operator of it is known, and only after both have given the same answers.

pub(crate) mod file;
mod kernel;
pub(crate) mod number;
mod program;
mod weights;

pub use weights::Precision;

use self::program::Program;
use crate::{Element, EngineError, Signature, Values, session::Runner};

/// Vectors of made-up numbers on which both have to agree.
const PROBES: usize = 8;
/// How far apart the answers may be, by the largest of them: a hundred times what another order of additions does.
const TOLERANCE: f32 = 1e-4;

/// A network of dense layers.
pub(crate) struct DenseRunner {
    program: Program,
    precision: Precision,
}

impl DenseRunner {
    /// Takes a network over from the runner that judges it.
    ///
    /// # Errors
    /// Why it stays there, in words.
    pub(crate) fn take_over(
        judge: &mut dyn Runner,
        model: &[u8],
        signature: &Signature<'_>,
        precision: Precision,
    ) -> Result<Self, String> {
        if signature.output.element != Element::F32 {
            return Err("its output is no f32".to_owned());
        }
        let compile = |precision| Program::compile(model, signature, precision);
        let mut runner = Self { program: compile(Precision::Fp32)?, precision: Precision::Fp32 };
        runner.agrees(judge, signature)?;
        if precision != Precision::Fp32 {
            runner = Self { program: compile(precision)?, precision };
        }
        Ok(runner)
    }

    /// What runs, in words.
    pub(crate) fn describe(&self) -> String {
        format!("dense layers, {}, {}", self.precision.name(), self.program.processor().name())
    }

    fn agrees(&mut self, judge: &mut dyn Runner, signature: &Signature<'_>) -> Result<(), String> {
        let mut state = 0x2545_f491_u32;
        let mut compared = 0;
        for _ in 0..PROBES {
            for at in 0..signature.inputs.len() {
                for (mine, theirs) in self.input_mut(at).iter_mut().zip(judge.input_mut(at)) {
                    // A linear congruential generator is random enough to tell two programs apart.
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *mine = (state >> 8) as f32 / (1 << 22) as f32 - 2.0;
                    *theirs = *mine;
                }
            }
            // Where both have no answer there is nothing to compare.
            let (mine, theirs) = match (self.run(), judge.run()) {
                (Ok(Values::F32(mine)), Ok(Values::F32(theirs))) => (mine, theirs),
                (Err(_), Err(_)) => continue,
                _ => return Err("it answers otherwise than in ONNX Runtime".to_owned()),
            };
            let size = theirs.iter().fold(1e-2_f32, |size, value| size.max(value.abs()));
            let error = mine.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            if error > TOLERANCE * size {
                return Err(format!("it answers {error} away from ONNX Runtime"));
            }
            compared += 1;
        }
        for at in 0..signature.inputs.len() {
            self.input_mut(at).fill(0.0);
            judge.input_mut(at).fill(0.0);
        }
        if compared > 0 { Ok(()) } else { Err("it has no answer to compare".to_owned()) }
    }
}

impl Runner for DenseRunner {
    fn input_mut(&mut self, at: usize) -> &mut [f32] {
        self.program.input_mut(at)
    }

    fn run(&mut self) -> Result<Values<'_>, EngineError> {
        let _flushed = crate::raw::Flushed::begin();
        Values::finite(self.program.run())
    }
}
