//! The few messages of the ONNX format that an import reads or writes, and no more of it: which tensors a network has, and
//! a multilayer perceptron. Field numbers: onnx/onnx.proto of ONNX 1.17, IR version 8.

use std::path::Path;

use prost::Message;

use super::ImportError;

/// Version of the format's own structure, and of the operators: the oldest pair that has all that is used here, so that
/// older runtimes read it too.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;
/// `TensorProto.DataType.FLOAT`, and `AttributeProto.AttributeType.INT`.
const FLOAT: i32 = 1;
const INT: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<Opset>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Opset {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Weights>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<Value>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Weights {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Message)]
struct Kind {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorKind>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorKind {
    #[prost(int32, tag = "1")]
    element: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
}

/// One input or output of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outlet {
    pub(super) name: String,
    /// Whether its numbers are `f32`.
    pub(super) is_f32: bool,
    /// Its dimensions; one that is free has a name or none.
    pub(super) shape: Vec<Result<usize, String>>,
}

impl Outlet {
    fn of(value: Value) -> Self {
        let tensor = value.kind.and_then(|kind| kind.tensor).unwrap_or_default();
        let dimension = |dim: Dimension| match dim.value.map(usize::try_from) {
            Some(Ok(len)) => Ok(len),
            _ => Err(dim.name.unwrap_or_default()),
        };
        Self {
            name: value.name,
            is_f32: tensor.element == FLOAT,
            shape: tensor.shape.unwrap_or_default().dim.into_iter().map(dimension).collect(),
        }
    }

    /// Its shape for a batch of one: only the first dimension may be free.
    ///
    /// # Errors
    /// If it has no `f32`, or a length is not known.
    pub(super) fn shape(&self, file: &Path) -> Result<Vec<usize>, ImportError> {
        let told = |at: usize| format!("dimension {at} of tensor `{}`", self.name);
        if !self.is_f32 {
            let key = format!("tensor `{}`", self.name);
            let remedy = "a head sees and answers f32 numbers: export it with float32";
            return Err(ImportError::bad(file, key, "another type", remedy));
        }
        let each = self.shape.iter().enumerate().map(|(at, dimension)| match dimension {
            Ok(0) => Err(ImportError::bad(file, told(at), 0, "there is nothing in it")),
            Ok(len) => Ok(*len),
            Err(_) if at == 0 => Ok(1),
            Err(name) => {
                let remedy = "a robot's memory is planned: export it with fixed sizes";
                Err(ImportError::bad(file, told(at), format!("free ({name})"), remedy))
            }
        });
        each.collect()
    }
}

/// What a network shows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) inputs: Vec<Outlet>,
    pub(super) outputs: Vec<Outlet>,
    /// What its exporter wrote beside it: name and text.
    pub(super) metadata: Vec<(String, String)>,
}

/// Reads which tensors a network has. Whether it runs is the engine's to say.
///
/// # Errors
/// If it is no ONNX file.
pub(super) fn read(file: &Path, bytes: &[u8]) -> Result<Network, ImportError> {
    let is_none = |value: String| {
        ImportError::bad(file, "ONNX", value, "name a file that a trainer exported as ONNX")
    };
    let model = Model::decode(bytes).map_err(|error| is_none(error.to_string()))?;
    let graph = model.graph.ok_or_else(|| is_none("no graph".to_owned()))?;
    // In old files weights are inputs too.
    let is_weight =
        |value: &Value| graph.initializer.iter().any(|weights| weights.name == value.name);
    let (_, inputs): (Vec<_>, Vec<_>) = graph.input.into_iter().partition(is_weight);
    Ok(Network {
        inputs: inputs.into_iter().map(Outlet::of).collect(),
        outputs: graph.output.into_iter().map(Outlet::of).collect(),
        metadata: model.metadata_props.into_iter().map(|e| (e.key, e.value)).collect(),
    })
}

/// One layer: `weights x + bias`, the weights row by row, a row for each output.
pub(super) struct Layer {
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// A multilayer perceptron with rectifiers between its layers, whose answer is `scale` times as large and `offset`
/// further.
pub(super) struct Perceptron {
    pub(super) layers: Vec<Layer>,
    pub(super) scale: Vec<f32>,
    pub(super) offset: Vec<f32>,
}

impl Perceptron {
    /// As an ONNX file: input `observation` of `[1, inputs]`, output `action` of `[1, outputs]`.
    pub(super) fn write(&self, name: &str, inputs: usize) -> Vec<u8> {
        let (mut node, mut initializer) = (Vec::new(), Vec::new());
        let mut last = "observation".to_owned();
        for (at, layer) in self.layers.iter().enumerate() {
            let (rows, columns) = (layer.bias.len(), layer.weights.len() / layer.bias.len().max(1));
            initializer.push(weights(&format!("w{at}"), &[rows, columns], &layer.weights));
            initializer.push(weights(&format!("b{at}"), &[rows], &layer.bias));
            let from = [last.as_str(), &format!("w{at}"), &format!("b{at}")];
            let transposed = Attribute { name: "transB".to_owned(), i: 1, kind: INT };
            node.push(step("Gemm", &from, &format!("h{at}"), vec![transposed]));
            last = format!("h{at}");
            if at + 1 < self.layers.len() {
                node.push(step("Relu", &[&last], &format!("a{at}"), Vec::new()));
                last = format!("a{at}");
            }
        }
        let outputs = self.scale.len();
        initializer.push(weights("y_std", &[outputs], &self.scale));
        initializer.push(weights("y_mean", &[outputs], &self.offset));
        node.push(step("Mul", &[&last, "y_std"], "scaled", Vec::new()));
        node.push(step("Add", &["scaled", "y_mean"], "action", Vec::new()));
        let graph = Graph {
            node,
            name: name.to_owned(),
            initializer,
            input: vec![value("observation", inputs)],
            output: vec![value("action", outputs)],
        };
        let model = Model {
            ir_version: IR_VERSION,
            producer_name: "reflexd".to_owned(),
            graph: Some(graph),
            opset_import: vec![Opset { domain: String::new(), version: OPSET }],
            metadata_props: Vec::new(),
        };
        model.encode_to_vec()
    }
}

fn weights(name: &str, shape: &[usize], values: &[f32]) -> Weights {
    Weights {
        dims: shape.iter().map(|&len| len as i64).collect(),
        data_type: FLOAT,
        name: name.to_owned(),
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

fn step(op_type: &str, input: &[&str], output: &str, attribute: Vec<Attribute>) -> Node {
    Node {
        input: input.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: op_type.to_owned(),
        attribute,
    }
}

fn value(name: &str, len: usize) -> Value {
    let dim = [1, len].map(|len| Dimension { value: Some(len as i64), name: None }).to_vec();
    let tensor = TensorKind { element: FLOAT, shape: Some(Shape { dim }) };
    Value { name: name.to_owned(), kind: Some(Kind { tensor: Some(tensor) }) }
}
