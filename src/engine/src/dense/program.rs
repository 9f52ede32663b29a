//! An ONNX graph of dense layers as a list of steps over buffers that are made once.
//!
//! Everything is a vector: the batch is one. What only looks at numbers in another shape, or at some of them, is no step
//! but another view of the same buffer.

use std::collections::HashMap;

use prost::Message;

use super::{
    file::{Constant, Model, Node},
    kernel::Processor,
    weights::{Dense, Precision},
};
use crate::Signature;

/// A layer with fewer weights stays in 32 bits: there is no time to be gained, and the layer that sees the observation
/// is one of these.
const WEIGHTS_MIN: usize = 16_384;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unary {
    Sigmoid,
    Tanh,
    Exp,
    Negate,
    Leaky { slope: f32 },
    Elu { alpha: f32 },
    Clip { low: f32, high: f32 },
}

/// A function of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Some numbers of a buffer.
#[derive(Clone, Copy, Debug)]
struct View {
    buffer: usize,
    first: usize,
    len: usize,
}

enum Operand {
    View(View),
    Constant(Box<[f32]>),
}

impl View {
    fn of<'a>(&self, buffers: &'a [Box<[f32]>]) -> &'a [f32] {
        &buffers[self.buffer][self.first..self.first + self.len]
    }
}

impl Operand {
    fn of<'a>(&'a self, buffers: &'a [Box<[f32]>]) -> &'a [f32] {
        match self {
            Self::View(view) => view.of(buffers),
            Self::Constant(values) => values,
        }
    }
}

enum Step {
    Dense { layer: Dense, input: View },
    Unary { function: Unary, input: View },
    Binary { function: Binary, a: Operand, b: Operand },
    Concat { parts: Box<[Operand]> },
}

/// Step k writes the buffer after those of the inputs and of the steps before it.
pub(super) struct Program {
    processor: Processor,
    buffers: Box<[Box<[f32]>]>,
    inputs: usize,
    steps: Box<[Step]>,
    output: View,
}

impl Program {
    /// Reads a graph.
    ///
    /// # Errors
    /// Why it is not one of dense layers, in words: ONNX Runtime may still run it.
    pub(super) fn compile(
        model: &[u8],
        signature: &Signature<'_>,
        precision: Precision,
    ) -> Result<Self, String> {
        let model = Model::decode(model).map_err(|error| error.to_string())?;
        let graph = model.graph.ok_or("it has no graph")?;
        let mut compiler =
            Compiler { known: HashMap::new(), lengths: Vec::new(), steps: Vec::new(), precision };
        for constant in &graph.constants {
            compiler.known.insert(constant.name.clone(), Known::constant(constant)?);
        }
        for spec in signature.inputs {
            let view = compiler.buffer(spec.len());
            compiler.known.insert(spec.name.to_owned(), Known::Value(view, spec.shape.to_vec()));
        }
        for node in &graph.nodes {
            compiler.node(node)?;
        }
        let Some(Known::Value(output, shape)) = compiler.known.get(signature.output.name) else {
            return Err("its output is no function of its inputs".to_owned());
        };
        if shape != signature.output.shape {
            return Err(format!("its output has shape {shape:?}"));
        }
        Ok(Self {
            processor: Processor::here(),
            output: *output,
            inputs: signature.inputs.len(),
            buffers: compiler.lengths.iter().map(|len| vec![0.0; *len].into()).collect(),
            steps: compiler.steps.into(),
        })
    }

    pub(super) const fn processor(&self) -> Processor {
        self.processor
    }

    pub(super) fn input_mut(&mut self, at: usize) -> &mut [f32] {
        &mut self.buffers[..self.inputs][at]
    }

    pub(super) fn run(&mut self) -> &[f32] {
        for (at, step) in self.steps.iter_mut().enumerate() {
            let (before, rest) = self.buffers.split_at_mut(self.inputs + at);
            let Some(ys) = rest.first_mut() else { break };
            match step {
                Step::Dense { layer, input } => self.processor.dense(layer, input.of(before), ys),
                Step::Unary { function, input } => {
                    self.processor.unary(*function, input.of(before), ys)
                }
                Step::Binary { function, a, b } => {
                    self.processor.binary(*function, a.of(before), b.of(before), ys);
                }
                Step::Concat { parts } => {
                    let mut ys = &mut ys[..];
                    for part in parts {
                        let values = part.of(before);
                        let (here, after) = ys.split_at_mut(values.len());
                        here.copy_from_slice(values);
                        ys = after;
                    }
                }
            }
        }
        self.output.of(&self.buffers)
    }
}

/// What a name of the graph stands for.
#[derive(Clone)]
enum Known {
    /// Numbers that a run makes, and their shape.
    Value(View, Vec<usize>),
    Floats(Vec<f32>, Vec<usize>),
    Integers(Vec<i64>),
}

impl Known {
    fn constant(constant: &Constant) -> Result<Self, String> {
        let bad = || format!("its constant `{}` is neither f32 nor i64", constant.name);
        if let Some(integers) = constant.integers() {
            return Ok(Self::Integers(integers));
        }
        let floats = constant.floats().ok_or_else(bad)?;
        Ok(Self::Floats(floats, constant.shape().ok_or_else(bad)?))
    }
}

struct Compiler {
    known: HashMap<String, Known>,
    lengths: Vec<usize>,
    steps: Vec<Step>,
    precision: Precision,
}

impl Compiler {
    fn buffer(&mut self, len: usize) -> View {
        self.lengths.push(len);
        View { buffer: self.lengths.len() - 1, first: 0, len }
    }

    /// A step's buffer may be longer than what it means.
    fn step(&mut self, step: Step, len: usize, room: usize) -> View {
        self.steps.push(step);
        View { len, ..self.buffer(room) }
    }

    fn node(&mut self, node: &Node) -> Result<(), String> {
        let made =
            if node.domain.is_empty() || node.domain == "ai.onnx" { self.make(node) } else { None };
        let (Some(made), Some(name)) = (made, node.outputs.first()) else {
            return Err(format!("operator `{}` with these inputs is not known here", node.kind));
        };
        self.known.insert(name.clone(), made);
        Ok(())
    }

    fn make(&mut self, node: &Node) -> Option<Known> {
        let same = |shape| move |view| Some(Known::Value(view, shape));
        match node.kind.as_str() {
            "Constant" => Known::constant(node.attribute("value")?.tensor.as_ref()?).ok(),
            "Identity" | "Dropout" => self.known.get(node.inputs.first()?).cloned(),
            "Gemm" => self.gemm(node),
            "MatMul" => {
                let (input, mut shape) = self.value(node, 0)?;
                let (weights, sizes) = self.floats(node, 1)?;
                let &[rows, columns] = sizes.as_slice() else { return None };
                *shape.last_mut()? = columns;
                let view = self.dense(input, &weights, &vec![0.0; columns], rows)?;
                same(shape)(view)
            }
            "Add" => self.binary(node, Binary::Add),
            "Sub" => self.binary(node, Binary::Subtract),
            "Mul" => self.binary(node, Binary::Multiply),
            "Div" => self.binary(node, Binary::Divide),
            "Concat" => self.concat(node),
            "Slice" => self.slice(node),
            "Reshape" => {
                let (view, shape) = self.value(node, 0)?;
                let asked = self.integers(node, 1)?;
                (node.integer("allowzero", 0) == 0).then_some(())?;
                let shape = reshaped(view.len, &shape, asked)?;
                same(shape)(view)
            }
            "Flatten" => {
                let (view, shape) = self.value(node, 0)?;
                let axis = axis(node.integer("axis", 1), shape.len() + 1)?;
                let (before, after) = shape.split_at(axis);
                same(vec![before.iter().product(), after.iter().product()])(view)
            }
            kind => {
                let function = match kind {
                    "Sigmoid" => Unary::Sigmoid,
                    "Tanh" => Unary::Tanh,
                    "Exp" => Unary::Exp,
                    "Neg" => Unary::Negate,
                    "Relu" => Unary::Leaky { slope: 0.0 },
                    "LeakyRelu" => Unary::Leaky { slope: node.number("alpha", 0.01) },
                    "Elu" => Unary::Elu { alpha: node.number("alpha", 1.0) },
                    "Clip" => Unary::Clip {
                        low: self.bound(node, 1, "min", f32::MIN)?,
                        high: self.bound(node, 2, "max", f32::MAX)?,
                    },
                    _ => return None,
                };
                let (input, shape) = self.value(node, 0)?;
                let view = self.step(Step::Unary { function, input }, input.len, input.len);
                same(shape)(view)
            }
        }
    }

    fn gemm(&mut self, node: &Node) -> Option<Known> {
        let (input, _) = self.value(node, 0)?;
        let (weights, sizes) = self.floats(node, 1)?;
        let &[first, second] = sizes.as_slice() else { return None };
        let (alpha, beta) = (node.number("alpha", 1.0), node.number("beta", 1.0));
        let transposed = node.integer("transB", 0) != 0;
        let (rows, columns) = if transposed { (second, first) } else { (first, second) };
        (node.integer("transA", 0) == 0).then_some(())?;
        let at = |row: usize, column: usize| {
            alpha * weights[if transposed { column * rows + row } else { row * columns + column }]
        };
        let by_rows: Vec<f32> = (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .map(|(r, c)| at(r, c))
            .collect();
        let bias = match node.inputs.get(2).filter(|name| !name.is_empty()) {
            None => vec![0.0; columns],
            Some(_) => {
                let (bias, _) = self.floats(node, 2)?;
                match bias.as_slice() {
                    &[one] => vec![beta * one; columns],
                    bias => bias.iter().map(|bias| beta * bias).collect(),
                }
            }
        };
        (bias.len() == columns).then_some(())?;
        let view = self.dense(input, &by_rows, &bias, rows)?;
        Some(Known::Value(view, vec![1, columns]))
    }

    fn dense(&mut self, input: View, weights: &[f32], bias: &[f32], rows: usize) -> Option<View> {
        (input.len == rows && !bias.is_empty()).then_some(())?;
        let small = weights.len() < WEIGHTS_MIN;
        let precision = if small { Precision::Fp32 } else { self.precision };
        let layer = Dense::new(weights, bias, rows, precision)?;
        let room = layer.padded();
        Some(self.step(Step::Dense { layer, input }, bias.len(), room))
    }

    fn binary(&mut self, node: &Node, function: Binary) -> Option<Known> {
        let (a, a_shape) = self.operand(node, 0)?;
        let (b, b_shape) = self.operand(node, 1)?;
        let core = |shape: &[usize]| -> Vec<usize> {
            shape.iter().copied().skip_while(|len| *len == 1).collect()
        };
        let (a_core, b_core) = (core(&a_shape), core(&b_shape));
        // Same numbers in the same order, or one number for all: what else broadcasting can do is not done here.
        (a_core == b_core || a_core.is_empty() || b_core.is_empty()).then_some(())?;
        let core = if a_core.is_empty() { b_core } else { a_core };
        let rank = a_shape.len().max(b_shape.len());
        let mut shape = vec![1; rank - core.len()];
        shape.extend(&core);
        let len = core.iter().product();
        let view = self.step(Step::Binary { function, a, b }, len, len);
        Some(Known::Value(view, shape))
    }

    fn concat(&mut self, node: &Node) -> Option<Known> {
        let mut parts = Vec::new();
        let mut whole: Option<Vec<usize>> = None;
        for at in 0..node.inputs.len() {
            let (part, shape) = self.operand(node, at)?;
            let axis = axis(node.attribute("axis")?.integer, shape.len())?;
            (shape[..axis].iter().product::<usize>() == 1).then_some(())?;
            match &mut whole {
                None => whole = Some(shape),
                Some(whole) => *whole.get_mut(axis)? += shape[axis],
            }
            parts.push(part);
        }
        let shape = whole?;
        let len = shape.iter().product();
        let view = self.step(Step::Concat { parts: parts.into() }, len, len);
        Some(Known::Value(view, shape))
    }

    /// One axis, in steps of one, with nothing but ones before it: some numbers side by side.
    fn slice(&self, node: &Node) -> Option<Known> {
        let (view, mut shape) = self.value(node, 0)?;
        let one = |at| match self.integers(node, at)? {
            &[one] => Some(one),
            _ => None,
        };
        let (start, end) = (one(1)?, one(2)?);
        let axis = axis(one(3)?, shape.len())?;
        (node.inputs.len() < 5 || one(4)? == 1).then_some(())?;
        (shape[..axis].iter().product::<usize>() == 1).then_some(())?;
        let len = i64::try_from(shape[axis]).ok()?;
        let place =
            |at: i64| (if at < 0 { at.saturating_add(len) } else { at }).clamp(0, len) as usize;
        let (start, end) = (place(start), place(end));
        (start < end).then_some(())?;
        let stride: usize = shape[axis + 1..].iter().product();
        shape[axis] = end - start;
        let view = View { first: view.first + start * stride, len: (end - start) * stride, ..view };
        Some(Known::Value(view, shape))
    }

    fn known(&self, node: &Node, at: usize) -> Option<&Known> {
        self.known.get(node.inputs.get(at)?)
    }

    fn value(&self, node: &Node, at: usize) -> Option<(View, Vec<usize>)> {
        match self.known(node, at)? {
            Known::Value(view, shape) => Some((*view, shape.clone())),
            _ => None,
        }
    }

    fn floats(&self, node: &Node, at: usize) -> Option<(Vec<f32>, Vec<usize>)> {
        match self.known(node, at)? {
            Known::Floats(values, shape) => Some((values.clone(), shape.clone())),
            _ => None,
        }
    }

    fn integers(&self, node: &Node, at: usize) -> Option<&[i64]> {
        match self.known(node, at)? {
            Known::Integers(values) => Some(values),
            _ => None,
        }
    }

    fn operand(&self, node: &Node, at: usize) -> Option<(Operand, Vec<usize>)> {
        match self.known(node, at)? {
            Known::Value(view, shape) => Some((Operand::View(*view), shape.clone())),
            Known::Floats(values, shape) => {
                Some((Operand::Constant(values.clone().into()), shape.clone()))
            }
            Known::Integers(_) => None,
        }
    }

    /// A bound of a clip: an input, an attribute in old files, or none.
    fn bound(&self, node: &Node, at: usize, name: &str, none: f32) -> Option<f32> {
        match node.inputs.get(at).filter(|name| !name.is_empty()) {
            None => Some(node.number(name, none)),
            Some(_) => match self.floats(node, at)?.0.as_slice() {
                &[bound] => Some(bound),
                _ => None,
            },
        }
    }
}

/// An axis, counted from the end if it is negative.
fn axis(axis: i64, rank: usize) -> Option<usize> {
    let rank = i64::try_from(rank).ok()?;
    let axis = if axis < 0 { axis + rank } else { axis };
    (0..rank).contains(&axis).then_some(usize::try_from(axis).ok()?)
}

/// The shape that is asked for: 0 keeps a size, -1 is what is left.
fn reshaped(len: usize, shape: &[usize], asked: &[i64]) -> Option<Vec<usize>> {
    let mut sizes = Vec::new();
    for (at, &size) in asked.iter().enumerate() {
        sizes.push(match size {
            0 => *shape.get(at)?,
            -1 => 1,
            size => usize::try_from(size).ok()?,
        });
    }
    let product: usize = sizes.iter().product();
    if let Some(free) = asked.iter().position(|size| *size == -1) {
        sizes[free] = len.checked_div(product)?;
    }
    (sizes.iter().product::<usize>() == len).then_some(sizes)
}
