//! Writes ONNX files, for tests and benches: protocol buffers by hand, since a network is only lists of lists.

// Whoever includes this takes what it needs.
#![allow(dead_code, unreachable_pub)]

/// A graph that grows.
#[derive(Default)]
pub struct Graph {
    bytes: Vec<u8>,
    names: usize,
    seed: u32,
}

/// What a tensor's numbers are, as ONNX counts.
pub const F32: u64 = 1;
/// As [`F32`].
pub const I64: u64 = 7;

impl Graph {
    /// Weights of this graph come from this seed.
    pub fn new(seed: u32) -> Self {
        Self { seed, ..Self::default() }
    }

    /// An input or output, by ONNX's element type. A size of 0 is a free one.
    fn outlet(&mut self, tag: u64, name: &str, element: u64, shape: &[u64]) {
        let mut sizes = Vec::new();
        for &size in shape {
            let mut dimension = Vec::new();
            if size == 0 {
                text(&mut dimension, 2, "free");
            } else {
                number(&mut dimension, 1, size);
            }
            bytes(&mut sizes, 1, &dimension);
        }
        let (mut tensor, mut kind, mut outlet) = (Vec::new(), Vec::new(), Vec::new());
        number(&mut tensor, 1, element);
        bytes(&mut tensor, 2, &sizes);
        bytes(&mut kind, 1, &tensor);
        text(&mut outlet, 1, name);
        bytes(&mut outlet, 2, &kind);
        bytes(&mut self.bytes, tag, &outlet);
    }

    /// An input.
    pub fn input(&mut self, name: &str, shape: &[u64]) -> String {
        self.outlet(11, name, F32, shape);
        name.to_owned()
    }

    /// A constant of floats.
    pub fn floats(&mut self, shape: &[u64], values: &[f32]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(F32, shape, &raw)
    }

    /// A constant of integers.
    pub fn integers(&mut self, values: &[i64]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(I64, &[values.len() as u64], &raw)
    }

    fn constant(&mut self, element: u64, shape: &[u64], raw: &[u8]) -> String {
        let name = self.name();
        let mut tensor = Vec::new();
        shape.iter().for_each(|size| number(&mut tensor, 1, *size));
        number(&mut tensor, 2, element);
        text(&mut tensor, 8, &name);
        bytes(&mut tensor, 9, raw);
        bytes(&mut self.bytes, 5, &tensor);
        name
    }

    /// Numbers between -`size` and `size`.
    pub fn random(&mut self, len: usize, size: f32) -> Vec<f32> {
        let mut next = || {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.seed >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(|_| next() * size).collect()
    }

    /// A node with attributes that are integers; its output's name.
    pub fn node(&mut self, kind: &str, inputs: &[&str], attributes: &[(&str, i64)]) -> String {
        let name = self.name();
        let mut node = Vec::new();
        inputs.iter().for_each(|input| text(&mut node, 1, input));
        text(&mut node, 2, &name);
        text(&mut node, 4, kind);
        for (key, value) in attributes {
            let mut attribute = Vec::new();
            text(&mut attribute, 1, key);
            number(&mut attribute, 3, *value as u64);
            number(&mut attribute, 20, 2);
            bytes(&mut node, 5, &attribute);
        }
        bytes(&mut self.bytes, 1, &node);
        name
    }

    /// A layer of random weights, as PyTorch exports it; its output's name.
    pub fn layer(&mut self, input: &str, rows: usize, columns: usize) -> String {
        let weights = self.random(rows * columns, (3.0 / rows as f32).sqrt());
        let weights = self.floats(&[columns as u64, rows as u64], &weights);
        let bias = self.random(columns, 0.1);
        let bias = self.floats(&[columns as u64], &bias);
        self.node("Gemm", &[input, &weights, &bias], &[("transB", 1)])
    }

    /// x * sigmoid(x).
    pub fn silu(&mut self, input: &str) -> String {
        let gate = self.node("Sigmoid", &[input], &[]);
        self.node("Mul", &[input, &gate], &[])
    }

    /// One more output, which gets this name.
    pub fn output(&mut self, made: &str, name: &str, element: u64, shape: &[u64]) {
        let mut node = Vec::new();
        text(&mut node, 1, made);
        text(&mut node, 2, name);
        text(&mut node, 4, "Identity");
        bytes(&mut self.bytes, 1, &node);
        self.outlet(12, name, element, shape);
    }

    /// The file, with a last output, which gets this name.
    pub fn file(mut self, made: &str, name: &str, element: u64, shape: &[u64]) -> Vec<u8> {
        self.output(made, name, element, shape);
        text(&mut self.bytes, 2, "network");
        let (mut opset, mut model) = (Vec::new(), Vec::new());
        number(&mut opset, 2, 17);
        number(&mut model, 1, 8);
        bytes(&mut model, 7, &self.bytes);
        bytes(&mut model, 8, &opset);
        model
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("t{}", self.names)
    }
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn number(to: &mut Vec<u8>, tag: u64, value: u64) {
    varint(to, tag << 3);
    varint(to, value);
}

fn bytes(to: &mut Vec<u8>, tag: u64, value: &[u8]) {
    varint(to, tag << 3 | 2);
    varint(to, value.len() as u64);
    to.extend(value);
}

fn text(to: &mut Vec<u8>, tag: u64, value: &str) {
    bytes(to, tag, value.as_bytes());
}

/// Weights and biases of [`head`].
pub const PARAMETERS: usize = 1_083_104;

/// [`PARAMETERS`] parameters, as heads of the field are: an embedding of 1024 and 27 numbers of state; ten steps of 32.
pub fn head() -> Vec<u8> {
    let mut graph = Graph::new(7);
    let embedding = graph.input("embedding", &[1, 1024]);
    let state = graph.input("state", &[1, 27]);
    let mut eye = graph.layer(&embedding, 1024, 256);
    eye = graph.silu(&eye);
    eye = graph.layer(&eye, 256, 256);
    eye = graph.silu(&eye);
    let all = graph.node("Concat", &[&eye, &state], &[("axis", 1)]);
    let mut body = graph.layer(&all, 283, 512);
    body = graph.silu(&body);
    body = graph.layer(&body, 512, 512);
    body = graph.silu(&body);
    body = graph.layer(&body, 512, 416);
    body = graph.silu(&body);
    let flat = graph.layer(&body, 416, 320);
    let bounded = graph.node("Tanh", &[&flat], &[]);
    let shape = graph.integers(&[1, 10, 32]);
    let made = graph.node("Reshape", &[&bounded, &shape], &[]);
    graph.file(&made, "action_chunk", F32, &[1, 10, 32])
}
