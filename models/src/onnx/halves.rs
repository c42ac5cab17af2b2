//! Weights in 16 bits: widens them to f32, so that one file serves runtimes with and without such numbers.

use std::collections::HashMap;

use half::{bf16, f16};

use super::{element, pb};

/// Whether the file keeps any weight in 16 bits.
#[must_use]
pub fn has_half_weights(proto: &pb::ModelProto) -> bool {
    let half = |t: &pb::TensorProto| is_half(t.data_type);
    proto.graph.as_ref().is_some_and(|g| g.initializer.iter().any(half))
}

/// Turns every 16-bit floating-point tensor of a graph into f32, exactly, and removes the `Cast`
/// nodes that did so at run time. Activations become f32 as well.
pub fn widen_halves(proto: &mut pb::ModelProto) {
    let Some(graph) = proto.graph.as_mut() else { return };
    let mut widened: HashMap<String, ()> = HashMap::new();
    for tensor in &mut graph.initializer {
        if is_half(tensor.data_type) {
            widen(tensor);
            widened.insert(tensor.name.clone(), ());
        }
    }
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            if node.op_type == "Cast" && attribute.name == "to" && is_half_i64(attribute.i) {
                attribute.i = i64::from(element::FLOAT);
            }
            if let Some(tensor) = attribute.t.as_mut().filter(|t| is_half(t.data_type)) {
                widen(tensor);
            }
        }
    }
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        if let Some(tensor) = tensor_type(info).filter(|t| is_half(t.elem_type)) {
            tensor.elem_type = element::FLOAT;
        }
    }
    // a stale element type there would contradict the edited graph
    graph.value_info.clear();
    let to_float = |n: &pb::NodeProto| {
        n.attribute.iter().any(|a| a.name == "to" && a.i == i64::from(element::FLOAT))
    };
    let mut alias: HashMap<String, String> = HashMap::new();
    graph.node.retain(|node| {
        let (Some(input), Some(output)) = (node.input.first(), node.output.first()) else {
            return true;
        };
        let redundant = node.op_type == "Cast" && to_float(node) && widened.contains_key(input);
        if redundant {
            alias.insert(output.clone(), input.clone());
        }
        !redundant
    });
    for input in graph.node.iter_mut().flat_map(|n| &mut n.input) {
        if let Some(name) = alias.get(input) {
            input.clone_from(name);
        }
    }
}

const fn is_half(data_type: i32) -> bool {
    data_type == element::FLOAT16 || data_type == element::BFLOAT16
}

fn is_half_i64(data_type: i64) -> bool {
    i32::try_from(data_type).is_ok_and(is_half)
}

fn widen(tensor: &mut pb::TensorProto) {
    let to_f32 = |bits: u16| match tensor.data_type {
        element::BFLOAT16 => bf16::from_bits(bits).to_f32(),
        _ => f16::from_bits(bits).to_f32(),
    };
    tensor.raw_data = if tensor.raw_data.is_empty() {
        // the bits of each value in the low half of an int32 (onnx.proto, `int32_data`)
        let bits = |&v: &i32| u16::try_from(v & 0xffff).unwrap_or(0);
        tensor.int32_data.iter().flat_map(|v| to_f32(bits(v)).to_le_bytes()).collect()
    } else {
        let (pairs, _) = tensor.raw_data.as_chunks::<2>();
        pairs.iter().flat_map(|&p| to_f32(u16::from_le_bytes(p)).to_le_bytes()).collect()
    };
    tensor.int32_data.clear();
    tensor.data_type = element::FLOAT;
}

fn tensor_type(info: &mut pb::ValueInfoProto) -> Option<&mut pb::type_proto::Tensor> {
    let pb::type_proto::Value::TensorType(tensor) = info.r#type.as_mut()?.value.as_mut()?;
    Some(tensor)
}

#[cfg(test)]
mod tests {
    use super::super::check_whole;
    use super::super::tests::half_tensor;
    use super::*;

    #[test]
    fn halves_become_floats_and_their_casts_go() {
        let cast = pb::NodeProto {
            op_type: "Cast".into(),
            input: vec!["w".into()],
            output: vec!["w32".into()],
            attribute: vec![pb::AttributeProto {
                name: "to".into(),
                i: i64::from(element::FLOAT),
                ..Default::default()
            }],
            ..Default::default()
        };
        let user = pb::NodeProto {
            op_type: "Add".into(),
            input: vec!["x".into(), "w32".into()],
            output: vec!["y".into()],
            ..Default::default()
        };
        let mut proto = pb::ModelProto {
            graph: Some(pb::GraphProto {
                node: vec![cast, user],
                initializer: vec![half_tensor("w", &[1.5, -0.25])],
                ..Default::default()
            }),
            ..Default::default()
        };
        assert!(has_half_weights(&proto));
        widen_halves(&mut proto);
        let graph = proto.graph.unwrap();
        assert_eq!(graph.node.len(), 1);
        assert_eq!(graph.node[0].input, ["x", "w"]);
        let expected: Vec<u8> = [1.5_f32, -0.25].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(graph.initializer[0].raw_data, expected);
        check_whole(&graph.initializer[0]).unwrap();
    }
}
