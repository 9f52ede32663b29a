//! What an ONNX file says, as far as a network without branches needs it: a graph of nodes and constants.
//!
//! The numbers are those of `onnx.proto3`, version 1.22; what is not named here is skipped by the decoder. What is only
//! passed on, when a network is written anew, stays bytes.

use prost::Message;

/// Of `TensorProto.DataType`.
pub(crate) const FLOAT: i32 = 1;
const INT64: i32 = 7;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Model {
    #[prost(int64, tag = "1")]
    pub(crate) version: i64,
    #[prost(message, optional, tag = "7")]
    pub(crate) graph: Option<Graph>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub(crate) operators: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(crate) nodes: Vec<Node>,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) constants: Vec<Constant>,
    #[prost(bytes = "vec", repeated, tag = "11")]
    pub(crate) inputs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "12")]
    pub(crate) outputs: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(crate) inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(crate) outputs: Vec<String>,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(string, tag = "4")]
    pub(crate) kind: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) attributes: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub(crate) domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(float, tag = "2")]
    pub(crate) number: f32,
    #[prost(int64, tag = "3")]
    pub(crate) integer: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) text: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub(crate) tensor: Option<Constant>,
    #[prost(float, repeated, tag = "7")]
    pub(crate) numbers: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(crate) integers: Vec<i64>,
    #[prost(int32, tag = "20")]
    pub(crate) kind: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Constant {
    #[prost(int64, repeated, tag = "1")]
    pub(crate) shape: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(crate) element: i32,
    #[prost(float, repeated, tag = "4")]
    pub(crate) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "7")]
    pub(crate) integers: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(crate) name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub(crate) raw: Vec<u8>,
}

impl Node {
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    pub(crate) fn integer(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.integer)
    }

    pub(crate) fn number(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |attribute| attribute.number)
    }
}

impl Constant {
    /// Its numbers, if it is `f32` and whole.
    pub(crate) fn floats(&self) -> Option<Vec<f32>> {
        let values = if self.raw.is_empty() {
            self.floats.clone()
        } else {
            let (words, rest) = self.raw.as_chunks::<4>();
            rest.is_empty().then(|| words.iter().map(|word| f32::from_le_bytes(*word)).collect())?
        };
        (self.element == FLOAT && values.len() == self.len()?).then_some(values)
    }

    /// Its numbers, if it is `i64` and whole.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        let values = if self.raw.is_empty() {
            self.integers.clone()
        } else {
            let (words, rest) = self.raw.as_chunks::<8>();
            rest.is_empty().then(|| words.iter().map(|word| i64::from_le_bytes(*word)).collect())?
        };
        (self.element == INT64 && values.len() == self.len()?).then_some(values)
    }

    /// Its shape.
    pub(crate) fn shape(&self) -> Option<Vec<usize>> {
        self.shape.iter().map(|&len| usize::try_from(len).ok()).collect()
    }

    fn len(&self) -> Option<usize> {
        self.shape()?.into_iter().try_fold(1_usize, usize::checked_mul)
    }
}
