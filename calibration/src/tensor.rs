//! Tensors, attributes and nodes of ONNX protobuf: the few kinds that quantization reads and makes.

use models::onnx::{element, pb};

/// `AttributeProto.AttributeType`.
const INT: i32 = 2;

/// Values of an f32 tensor, row by row.
pub(crate) fn floats(tensor: &pb::TensorProto) -> Option<Vec<f32>> {
    if tensor.data_type != element::FLOAT {
        return None;
    }
    if tensor.raw_data.is_empty() {
        return Some(tensor.float_data.clone());
    }
    Some(tensor.raw_data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
}

/// Dimensions of a tensor.
pub(crate) fn dims(tensor: &pb::TensorProto) -> Vec<usize> {
    tensor.dims.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect()
}

fn tensor(name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> pb::TensorProto {
    let dims = dims.iter().map(|&d| i64::try_from(d).unwrap_or(i64::MAX)).collect();
    pb::TensorProto { name: name.to_owned(), dims, data_type, raw_data, ..Default::default() }
}

pub(crate) fn of_floats(name: &str, dims: &[usize], values: &[f32]) -> pb::TensorProto {
    tensor(name, dims, element::FLOAT, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

pub(crate) fn of_i8(name: &str, dims: &[usize], values: &[i8]) -> pb::TensorProto {
    tensor(name, dims, element::INT8, values.iter().map(|v| v.cast_unsigned()).collect())
}

pub(crate) fn of_i32(name: &str, dims: &[usize], values: &[i32]) -> pb::TensorProto {
    tensor(name, dims, element::INT32, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

pub(crate) fn of_u8(name: &str, value: u8) -> pb::TensorProto {
    tensor(name, &[], element::UINT8, vec![value])
}

/// An integer attribute, or its default.
pub(crate) fn int(node: &pb::NodeProto, name: &str, default: i64) -> i64 {
    node.attribute.iter().find(|a| a.name == name).map_or(default, |a| a.i)
}

/// A floating-point attribute, or its default.
pub(crate) fn float(node: &pb::NodeProto, name: &str, default: f32) -> f32 {
    node.attribute.iter().find(|a| a.name == name).map_or(default, |a| a.f)
}

/// A list of integers, empty if absent.
pub(crate) fn ints(node: &pb::NodeProto, name: &str) -> Vec<i64> {
    node.attribute.iter().find(|a| a.name == name).map_or_else(Vec::new, |a| a.ints.clone())
}

/// A node with one output, named after it.
pub(crate) fn node(op_type: &str, inputs: &[&str], output: &str) -> pb::NodeProto {
    pb::NodeProto {
        op_type: op_type.to_owned(),
        name: format!("{output}_{op_type}"),
        input: inputs.iter().map(|&i| i.to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Default::default()
    }
}

/// The node with an integer attribute more.
pub(crate) fn with_int(mut node: pb::NodeProto, name: &str, value: i64) -> pb::NodeProto {
    node.attribute.push(pb::AttributeProto {
        name: name.to_owned(),
        r#type: INT,
        i: value,
        ..Default::default()
    });
    node
}
