//! For tests: networks that answer whatever a test wants, written by hand. Their one input says which of their rows; so a
//! single file can be sound for its golden vectors and bad afterwards.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a jukebox answers: rows of one kind.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    Numbers(Vec<Vec<f32>>),
    Tokens(Vec<Vec<i64>>),
}

/// A field of a protobuf message: bytes with their length before them.
fn bytes(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut message = varint(field << 3 | 2);
    message.extend(varint(content.len() as u64));
    message.extend_from_slice(content);
    message
}

fn whole(field: u64, number: u64) -> Vec<u8> {
    let mut message = varint(field << 3);
    message.extend(varint(number));
    message
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

// Numbers of the ONNX format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
const FLOAT: u64 = 1;
const INT64: u64 = 7;

fn node(op: &str, inputs: &[&str], output: &str, more: &[u8]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input)).collect();
    node.extend([bytes(2, output), bytes(4, op), more.to_vec()].concat());
    bytes(1, node)
}

fn constant(name: &str, kind: u64, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let dims = shape.iter().flat_map(|len| whole(1, *len as u64));
    let mut tensor: Vec<u8> = dims.collect();
    tensor.extend([whole(2, kind), bytes(8, name), bytes(9, data)].concat());
    bytes(5, tensor)
}

fn port(field: u64, name: &str, kind: u64, shape: &[usize]) -> Vec<u8> {
    let dims: Vec<u8> = shape.iter().flat_map(|len| bytes(1, whole(1, *len as u64))).collect();
    let tensor = [whole(1, kind), bytes(2, dims)].concat();
    bytes(field, [bytes(1, name), bytes(2, bytes(1, tensor))].concat())
}

/// An ONNX file: input `which` of one number, output `action` of `shape` (its first dimension 1), row `which` of `rows`.
pub(crate) fn network(rows: &Rows, shape: &[usize]) -> Vec<u8> {
    let (kind, count, data): (u64, usize, Vec<u8>) = match rows {
        Rows::Numbers(rows) => {
            let data = rows.iter().flatten().flat_map(|number| number.to_le_bytes());
            (FLOAT, rows.len(), data.collect())
        }
        Rows::Tokens(rows) => {
            let data = rows.iter().flatten().flat_map(|token| token.to_le_bytes());
            (INT64, rows.len(), data.collect())
        }
    };
    let table: Vec<usize> = [count].into_iter().chain(shape[1..].iter().copied()).collect();
    let to = bytes(5, [bytes(1, "to"), whole(3, INT64), whole(20, 2)].concat());
    let graph = [
        node("Cast", &["which"], "whole", &to),
        node("Reshape", &["whole", "flat"], "index", &[]),
        node("Gather", &["table", "index"], "action", &[]),
        bytes(2, "jukebox"),
        constant("flat", INT64, &[1], &1_i64.to_le_bytes()),
        constant("table", kind, &table, &data),
        port(11, "which", FLOAT, &[1, 1]),
        port(12, "action", kind, shape),
    ]
    .concat();
    [whole(1, 8), bytes(7, graph), bytes(8, [bytes(1, ""), whole(2, 17)].concat())].concat()
}

/// An ONNX file of two inputs, `vl` and `state`, of so many numbers, and an output `action` of `[1, 1, 1]`: their sum, each
/// number of `vl` counting ten times.
pub(crate) fn sum(vl: usize, state: usize) -> Vec<u8> {
    let weights: Vec<u8> = [(vl, 10.0_f32), (state, 1.0)]
        .into_iter()
        .flat_map(|(len, weight)| std::iter::repeat_n(weight, len))
        .flat_map(f32::to_le_bytes)
        .collect();
    let axis = bytes(5, [bytes(1, "axis"), whole(3, 1), whole(20, 2)].concat());
    let flat: Vec<u8> = [1_i64; 3].iter().flat_map(|len| len.to_le_bytes()).collect();
    let graph = [
        node("Concat", &["vl", "state"], "all", &axis),
        node("MatMul", &["all", "weights"], "sum", &[]),
        node("Reshape", &["sum", "flat"], "action", &[]),
        bytes(2, "sum"),
        constant("flat", INT64, &[3], &flat),
        constant("weights", FLOAT, &[vl + state, 1], &weights),
        port(11, "vl", FLOAT, &[1, vl]),
        port(11, "state", FLOAT, &[1, state]),
        port(12, "action", FLOAT, &[1, 1, 1]),
    ]
    .concat();
    [whole(1, 8), bytes(7, graph), bytes(8, [bytes(1, ""), whole(2, 17)].concat())].concat()
}

/// The decision's `target_x` chooses the row.
pub(crate) const BY_DECISION: &str = "name = \"decision\"\nparams = [\"target_x\"]";

/// Puts a jukebox for the robot `toy` and its manifest into a folder. `seen`, one number that is cut to a whole one,
/// chooses the row; the first rows are golden, one for each of `golden`, which has the values of a chunk's columns, step by
/// step.
pub(crate) fn write(
    folder: &Path,
    seen: &str,
    (rows, shape): (&Rows, &[usize]),
    output: &str,
    golden: &[Vec<Vec<f64>>],
) -> PathBuf {
    let onnx = network(rows, shape);
    fs::write(folder.join("jukebox.onnx"), &onnx).expect("a file");
    let steps = golden[0].len();
    let mut manifest = format!(
        "schema = \"reflex.head.v1\"\nname = \"jukebox\"\nrobot = \"toy\"\nskill = \"pick_up\"\n\
         onnx = \"jukebox.onnx\"\nsha256 = \"{}\"\n\n\
         [timing]\nperiod_ms = 50\nchunk_steps = {steps}\nexecute_steps = {steps}\nmode = \"inline\"\n\
         deadline_ms = 40.0\n\n[seam]\nmethod = \"cut\"\n\n\
         [[inputs]]\ntensor = \"which\"\n\n[[inputs.features]]\n{seen}\nmean = [0.0]\nstd = [1.0]\n\n\
         [output]\ntensor = \"action\"\nshape = {shape:?}\n{output}\n",
        super::file::sha256(&onnx)
    );
    for (which, action) in golden.iter().enumerate() {
        manifest += &format!(
            "\n[[golden]]\nobservation = [{which}.0]\naction = {action:?}\ntolerance = 1e-5\n"
        );
    }
    let path = folder.join("jukebox.toml");
    fs::write(&path, manifest).expect("a file");
    path
}
