//! A network in 16-bit floats, with inputs and outputs in 32: TensorRT 11 and TensorRT-RTX compute in the types that stand
//! in the file.

use prost::Message;

use crate::{
    Signature,
    dense::{
        file::{Attribute, Constant, FLOAT, Model, Node},
        number::{FP16_MAX, to_fp16},
    },
};

/// Of `TensorProto.DataType`.
const FLOAT16: i32 = 10;
/// Of `AttributeProto.AttributeType`.
const INTEGER: i32 = 2;

/// The same network in 16-bit floats.
///
/// # Errors
/// Why there is none, in words.
pub(crate) fn in_half(model: &[u8], signature: &Signature<'_>) -> Result<Vec<u8>, String> {
    let mut model = Model::decode(model).map_err(|error| error.to_string())?;
    let graph = model.graph.as_mut().ok_or("it has no graph")?;
    graph.constants.iter_mut().try_for_each(halve)?;
    let outside: Vec<&str> = signature.inputs.iter().map(|spec| spec.name).collect();
    let result = signature.output.name;
    for node in &mut graph.nodes {
        for attribute in &mut node.attributes {
            attribute.tensor.iter_mut().try_for_each(halve)?;
            if node.kind == "Cast" && attribute.integer == i64::from(FLOAT) {
                attribute.integer = FLOAT16.into();
            }
        }
        for name in node.inputs.iter_mut().chain(&mut node.outputs) {
            if outside.contains(&name.as_str()) || name == result {
                *name = inside(name);
            }
        }
    }
    let casts = outside.iter().map(|name| cast(name, &inside(name), FLOAT16));
    graph.nodes.splice(0..0, casts);
    graph.nodes.push(cast(&inside(result), result, FLOAT));
    Ok(model.encode_to_vec())
}

fn inside(name: &str) -> String {
    format!("{name}/half")
}

fn cast(from: &str, to: &str, element: i32) -> Node {
    let attribute = Attribute {
        name: "to".into(),
        integer: element.into(),
        kind: INTEGER,
        ..Attribute::default()
    };
    Node {
        inputs: vec![from.into()],
        outputs: vec![to.into()],
        name: format!("{to}/cast"),
        kind: "Cast".into(),
        attributes: vec![attribute],
        ..Node::default()
    }
}

fn halve(constant: &mut Constant) -> Result<(), String> {
    if constant.element != FLOAT {
        return Ok(());
    }
    let name = &constant.name;
    let values = constant.floats().ok_or_else(|| format!("its constant `{name}` is not whole"))?;
    if let Some(large) = values.iter().find(|value| value.abs() > FP16_MAX) {
        return Err(format!("its constant `{name}` has {large}, which no 16-bit float is"));
    }
    constant.raw = values.iter().flat_map(|value| to_fp16(*value).to_le_bytes()).collect();
    constant.floats.clear();
    constant.element = FLOAT16;
    Ok(())
}
