//! What is refused of a graph before the runtime sees it: what it would misread, count past, or walk along without end.

use std::collections::{HashMap, HashSet};

use super::{element, element_count, pb};

/// Most dimensions that any operator could mean.
const MAX_AXIS: i64 = 64;

/// Refuses an axis that no tensor has, and of `LayerNormalization` every one before the last: shape inference in tract
/// 0.23.9 counts up to an axis that wraps around below zero, and the rank isn't known yet (found by fuzzing).
pub(super) fn check_axis(node: &pb::NodeProto) -> Result<(), String> {
    let lowest = if node.op_type == "LayerNormalization" { -1 } else { -MAX_AXIS };
    match node.attribute.iter().find(|a| a.name == "axis" && !(lowest..=MAX_AXIS).contains(&a.i)) {
        Some(axis) => Err(format!(
            "node `{}` ({}): expected an axis from {lowest} to {MAX_AXIS}, found {}",
            node.name, node.op_type, axis.i
        )),
        None => Ok(()),
    }
}

/// Refuses forms of quantization that tract 0.23.9 and our own operators would misread: a scale for each block of codes,
/// and signed codes that only an attribute speaks of (both since operator set 21).
pub(super) fn check_quantization(node: &pb::NodeProto) -> Result<(), String> {
    let quantizes = node.op_type == "QuantizeLinear";
    if !quantizes && node.op_type != "DequantizeLinear" {
        return Ok(());
    }
    let attribute = |name: &str| node.attribute.iter().find(|a| a.name == name).map_or(0, |a| a.i);
    let refuse = |expected: &str, name: &str| {
        let (node, op, found) = (&node.name, &node.op_type, attribute(name));
        Err(format!("node `{node}` ({op}): expected {expected}, found {name} {found}"))
    };
    if attribute("block_size") != 0 {
        return refuse("one scale for a tensor or for a channel", "block_size");
    }
    let unsigned = [0, i64::from(element::UINT8)].contains(&attribute("output_dtype"));
    let has_zero = node.input.get(2).is_some_and(|zero| !zero.is_empty());
    if quantizes && !unsigned && !has_zero {
        return refuse("a zero point, whose type is that of the codes", "output_dtype");
    }
    Ok(())
}

/// Refuses a graph in which a tensor has two makers, or is made of itself: walks along its nodes would not end.
pub(super) fn check_order(graph: &pb::GraphProto) -> Result<(), String> {
    let weights: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (at, node) in graph.node.iter().enumerate() {
        for output in node.output.iter().map(String::as_str).filter(|o| !o.is_empty()) {
            if makers.insert(output, at).is_some() || weights.contains(output) {
                return Err(format!("tensor `{output}`: expected one maker, found two"));
            }
        }
    }
    // nodes go as soon as their inputs are there (Kahn, CACM 5 (1962) 558); those of a circle never do
    let mut waits = vec![0_usize; graph.node.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); graph.node.len()];
    for (at, node) in graph.node.iter().enumerate() {
        for maker in node.input.iter().filter_map(|i| makers.get(i.as_str())) {
            waits[at] += 1;
            readers[*maker].push(at);
        }
    }
    let mut ready: Vec<usize> = (0..waits.len()).filter(|at| waits[*at] == 0).collect();
    while let Some(at) = ready.pop() {
        for &reader in &readers[at] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.push(reader);
            }
        }
    }
    match waits.iter().position(|left| *left > 0) {
        None => Ok(()),
        Some(at) => {
            let (name, op) = (&graph.node[at].name, &graph.node[at].op_type);
            Err(format!("node `{name}` ({op}): expected inputs made before it, found a circle"))
        }
    }
}

/// Refuses a tensor that has not as many values as its shape says.
pub(super) fn check_whole(tensor: &pb::TensorProto) -> Result<(), String> {
    let name = &tensor.name;
    let count = element_count(tensor)
        .ok_or_else(|| format!("tensor `{name}`: impossible shape {:?}", tensor.dims))?;
    let width = match tensor.data_type {
        element::UINT8 | element::INT8 | element::BOOL => 1,
        element::FLOAT16 | element::BFLOAT16 => 2,
        element::FLOAT | element::INT32 => 4,
        element::INT64 | element::DOUBLE => 8,
        _ => return Ok(()), // left to the runtime to judge
    };
    let (expected, found, unit) = if tensor.raw_data.is_empty() {
        let values = match tensor.data_type {
            element::FLOAT => tensor.float_data.len(),
            element::INT64 => tensor.int64_data.len(),
            element::DOUBLE => tensor.double_data.len(),
            _ => tensor.int32_data.len(),
        };
        (Some(count), values, "values")
    } else {
        (count.checked_mul(width), tensor.raw_data.len(), "bytes")
    };
    if expected == Some(found) {
        return Ok(());
    }
    let expected = expected.map_or_else(|| "fewer".to_owned(), |n| n.to_string());
    Err(format!("tensor `{name}` {:?}: expected {expected} {unit}, found {found}", tensor.dims))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{half_tensor, node};
    use super::*;

    #[test]
    fn an_axis_that_no_tensor_has_is_refused() {
        let node = |i: i64| pb::NodeProto {
            name: "norm".into(),
            op_type: "LayerNormalization".into(),
            attribute: vec![pb::AttributeProto { name: "axis".into(), i, ..Default::default() }],
            ..Default::default()
        };
        assert_eq!(check_axis(&node(-1)), Ok(()));
        for far in [i64::MIN, -2, 65] {
            let problem = check_axis(&node(far)).unwrap_err();
            assert!(problem.contains("node `norm`") && problem.contains(&far.to_string()));
        }
    }

    fn with_int(mut node: pb::NodeProto, name: &str, i: i64) -> pb::NodeProto {
        let name = name.to_owned();
        node.attribute.push(pb::AttributeProto { name, i, r#type: 2, ..Default::default() });
        node
    }

    #[test]
    fn quantization_that_would_be_misread_is_refused() {
        let quantize = |inputs: &[&str]| node("QuantizeLinear", inputs, "q");
        let signed = i64::from(element::INT8);
        let unsigned = i64::from(element::UINT8);
        for plain in [
            quantize(&["x", "s"]),
            with_int(quantize(&["x", "s"]), "output_dtype", unsigned),
            with_int(quantize(&["x", "s", "z"]), "output_dtype", signed),
            with_int(quantize(&["x", "s", "z"]), "axis", 1),
            with_int(node("Cast", &["x"], "q"), "block_size", 4),
        ] {
            assert_eq!(check_quantization(&plain), Ok(()));
        }
        let problem = with_int(quantize(&["x", "s", ""]), "output_dtype", signed);
        let problem = check_quantization(&problem).unwrap_err();
        assert!(problem.contains("`QuantizeLinear of q`") && problem.contains("a zero point"));
        let blocks = with_int(node("DequantizeLinear", &["w", "s"], "d"), "block_size", 16);
        let problem = check_quantization(&blocks).unwrap_err();
        assert!(problem.ends_with("found block_size 16"), "{problem}");
    }

    #[test]
    fn tensors_with_two_makers_and_circles_are_refused() {
        let check = |node: Vec<pb::NodeProto>| {
            let initializer = vec![half_tensor("w", &[1.0])];
            check_order(&pb::GraphProto { node, initializer, ..Default::default() })
        };
        let line = || vec![node("Mul", &["x", "w"], "a"), node("Relu", &["a"], "b")];
        assert_eq!(check(line()), Ok(()));
        // not in order, which the runtime puts right
        assert_eq!(check(line().into_iter().rev().collect()), Ok(()));
        let twice = [line(), vec![node("Identity", &["b"], "a")]].concat();
        assert_eq!(check(twice), Err("tensor `a`: expected one maker, found two".to_owned()));
        let weight = [line(), vec![node("Identity", &["b"], "w")]].concat();
        assert_eq!(check(weight), Err("tensor `w`: expected one maker, found two".to_owned()));
        let circle = [line(), vec![node("Identity", &["d"], "c"), node("Identity", &["c"], "d")]];
        let problem = check(circle.concat()).unwrap_err();
        assert!(problem.contains("`Identity of c`") && problem.contains("a circle"), "{problem}");
    }

    #[test]
    fn a_tensor_with_missing_bytes_is_named() {
        let mut tensor = half_tensor("w", &[1.0, 2.0, 3.0]);
        tensor.raw_data.pop();
        let problem = check_whole(&tensor).unwrap_err();
        assert_eq!(problem, "tensor `w` [3]: expected 6 bytes, found 5");
        tensor.dims = vec![i64::MAX, i64::MAX];
        assert!(check_whole(&tensor).unwrap_err().contains("impossible shape"));
    }
}
