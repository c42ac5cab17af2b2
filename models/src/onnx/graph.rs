//! What a graph is asked: its inputs, shapes, element types and constants; and the choice of its outputs.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{element, pb};

/// Number of elements of a tensor, if its dimensions make sense.
#[must_use]
pub fn element_count(tensor: &pb::TensorProto) -> Option<usize> {
    tensor
        .dims
        .iter()
        .try_fold(1_usize, |product, &dim| product.checked_mul(usize::try_from(dim).ok()?))
}

/// Whether the graph has `QuantizeLinear` nodes.
#[must_use]
pub fn is_quantized(proto: &pb::ModelProto) -> bool {
    proto.graph.as_ref().is_some_and(|g| g.node.iter().any(|n| n.op_type == "QuantizeLinear"))
}

/// Shape of a graph input or output; `None` for dimensions that are not fixed in the file.
#[must_use]
pub fn shape(info: &pb::ValueInfoProto) -> Option<Vec<Option<usize>>> {
    use pb::tensor_shape_proto::dimension::Value;
    let pb::type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()?;
    let dims = &tensor.shape.as_ref()?.dim;
    let fixed = |dim: &pb::tensor_shape_proto::Dimension| match dim.value.as_ref()? {
        Value::DimValue(value) => usize::try_from(*value).ok().filter(|v| *v > 0),
        Value::DimParam(_) => None,
    };
    Some(dims.iter().map(fixed).collect())
}

/// Element type of a graph input or output, a number of [`element`]; `None` or 0 if the file does not say.
#[must_use]
pub fn element_type(info: &pb::ValueInfoProto) -> Option<i32> {
    let pb::type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()?;
    Some(tensor.elem_type)
}

/// Value of a `Constant` node, from whichever of its attributes has it.
#[must_use]
pub fn constant_value(node: &pb::NodeProto) -> Option<Cow<'_, pb::TensorProto>> {
    let attribute = node.attribute.iter().find(|a| a.name.starts_with("value"))?;
    if node.op_type != "Constant" {
        return None;
    }
    let floats = |list: &[f32]| list.iter().flat_map(|v| v.to_le_bytes()).collect();
    let integers = |list: &[i64]| list.iter().flat_map(|v| v.to_le_bytes()).collect();
    let (data_type, count, raw_data) = match attribute.name.as_str() {
        "value" => return attribute.t.as_ref().map(Cow::Borrowed),
        "value_float" => (element::FLOAT, None, floats(&[attribute.f])),
        "value_floats" => (element::FLOAT, Some(attribute.floats.len()), floats(&attribute.floats)),
        "value_int" => (element::INT64, None, integers(&[attribute.i])),
        "value_ints" => (element::INT64, Some(attribute.ints.len()), integers(&attribute.ints)),
        _ => return None,
    };
    let dims = count.map(i64::try_from).transpose().ok()?.into_iter().collect();
    Some(Cow::Owned(pb::TensorProto { dims, data_type, raw_data, ..Default::default() }))
}

/// The one input that is not a weight: some exporters list weights as inputs too.
#[must_use]
pub fn data_input(graph: &pb::GraphProto) -> Option<&pb::ValueInfoProto> {
    let weights: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut inputs = graph.input.iter().filter(|i| !weights.contains(i.name.as_str()));
    let first = inputs.next()?;
    inputs.next().is_none().then_some(first)
}

/// Makes these tensors the outputs of the graph, in this order.
pub fn set_outputs(graph: &mut pb::GraphProto, names: &[&str]) {
    graph.output = names
        .iter()
        .map(|&name| pb::ValueInfoProto { name: name.to_owned(), ..Default::default() })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::super::tests::{half_tensor, node};
    use super::*;

    #[test]
    fn constants_are_read_from_every_attribute() {
        let constant = |attribute: pb::AttributeProto| pb::NodeProto {
            op_type: "Constant".into(),
            attribute: vec![attribute],
            ..Default::default()
        };
        let named = |name: &str| pb::AttributeProto { name: name.into(), ..Default::default() };
        let bytes = |node: &pb::NodeProto| {
            let value = constant_value(node).unwrap();
            (value.data_type, value.dims.clone(), value.raw_data.clone())
        };
        let one = constant(pb::AttributeProto { f: 0.5, ..named("value_float") });
        assert_eq!(bytes(&one), (element::FLOAT, vec![], 0.5_f32.to_le_bytes().to_vec()));
        let list = constant(pb::AttributeProto { ints: vec![7], ..named("value_ints") });
        assert_eq!(bytes(&list), (element::INT64, vec![1], 7_i64.to_le_bytes().to_vec()));
        let whole = pb::AttributeProto { t: Some(half_tensor("t", &[1.0])), ..named("value") };
        assert_eq!(bytes(&constant(whole)).1, [1]);
        assert_eq!(constant_value(&constant(named("value_string"))), None);
        assert_eq!(constant_value(&node("Relu", &["x"], "y")), None);
    }
}
