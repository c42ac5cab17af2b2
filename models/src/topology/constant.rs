//! Values of tensors that do not depend on the picture: stored weights, and what simple nodes make of them.

use std::borrow::Cow;

use super::{Topology, integer, integers};
use crate::onnx::{constant_value, element, element_count, pb};

/// A constant tensor as f32.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    pub(crate) dims: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Topology<'_> {
    /// Value of a tensor that does not depend on the input, as f32.
    pub(crate) fn constant(&self, name: &str) -> Option<Constant> {
        self.constant_within(name, 8)
    }

    fn constant_within(&self, name: &str, depth: usize) -> Option<Constant> {
        if let Some(tensor) = self.weights.get(name) {
            return floats(tensor);
        }
        let node = self.producers.get(name)?;
        let inner = |i: usize| self.constant_within(node.input.get(i)?, depth.checked_sub(1)?);
        match node.op_type.as_str() {
            "Constant" => constant_value(node).and_then(|tensor| floats(&tensor)),
            "Identity" | "Cast" => inner(0),
            "Transpose" => {
                let constant = inner(0)?;
                let [rows, columns] = constant.dims[..] else { return None };
                let stays = integers(node, "perm").is_some_and(|perm| perm == [0, 1]);
                Some(if stays { constant } else { transpose(&constant.values, rows, columns) })
            }
            "DequantizeLinear" => {
                let (codes, scale) = (inner(0)?, inner(1)?.values);
                let zero = if node.input.len() > 2 { inner(2)?.values } else { vec![0.0] };
                let axis = integer(node, "axis").unwrap_or(1);
                dequantize(codes, &scale, &zero, axis)
            }
            _ => None,
        }
    }

    /// Values of a constant tensor of 64-bit integers: axes, shapes, positions.
    pub(crate) fn integer_constant(&self, name: &str) -> Option<Vec<i64>> {
        let tensor = match self.weights.get(name) {
            Some(tensor) => Cow::Borrowed(*tensor),
            None => constant_value(self.producers.get(name)?)?,
        };
        if tensor.data_type != element::INT64 {
            return None;
        }
        if tensor.raw_data.is_empty() {
            return Some(tensor.int64_data.clone());
        }
        let (words, _) = tensor.raw_data.as_chunks::<8>();
        Some(words.iter().map(|&w| i64::from_le_bytes(w)).collect())
    }
}

/// A matrix of so many rows and columns, turned.
pub(super) fn transpose(values: &[f32], rows: usize, columns: usize) -> Constant {
    let turned = (0..columns)
        .flat_map(|c| values.iter().skip(c).step_by(columns.max(1)).take(rows).copied())
        .collect();
    Constant { dims: vec![columns, rows], values: turned }
}

fn dequantize(codes: Constant, scale: &[f32], zero: &[f32], axis: i64) -> Option<Constant> {
    let rank = i64::try_from(codes.dims.len()).ok()?;
    let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).ok()?;
    let inner: usize = codes.dims.get(axis + 1..).map_or(1, |d| d.iter().product());
    let length = codes.dims.get(axis).copied().unwrap_or(1);
    // a list along an axis that is not there, or of another length, says nothing
    if [scale, zero].iter().any(|list| list.len() != 1 && list.len() != length) {
        return None;
    }
    let at = |list: &[f32], i: usize| -> Option<f32> {
        if list.len() == 1 { list.first() } else { list.get(i) }.copied()
    };
    let values = codes
        .values
        .iter()
        .enumerate()
        .map(|(i, &code)| {
            let channel = (i / inner.max(1)) % length.max(1);
            Some((code - at(zero, channel)?) * at(scale, channel)?)
        })
        .collect::<Option<Vec<f32>>>()?;
    Some(Constant { dims: codes.dims, values })
}

/// Values of a stored tensor as f32; integers up to 16,777,216 are exact.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "weights: 8-bit codes, zero points, or doubles that a network computes in f32 anyway"
)]
pub(crate) fn floats(tensor: &pb::TensorProto) -> Option<Constant> {
    let raw = &tensor.raw_data;
    let values: Vec<f32> = match (tensor.data_type, raw.is_empty()) {
        (element::FLOAT, true) => tensor.float_data.clone(),
        (element::FLOAT, false) => {
            raw.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
        }
        (element::DOUBLE, false) => {
            raw.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect()
        }
        (element::INT8, false) => raw.iter().map(|&b| f32::from(b.cast_signed())).collect(),
        (element::UINT8, false) => raw.iter().map(|&b| f32::from(b)).collect(),
        (element::INT32, false) => {
            raw.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b) as f32).collect()
        }
        (element::INT8 | element::UINT8 | element::INT32, true) => {
            tensor.int32_data.iter().map(|&v| v as f32).collect()
        }
        (element::FLOAT16, false) => raw
            .as_chunks()
            .0
            .iter()
            .map(|&b| half::f16::from_bits(u16::from_le_bytes(b)).to_f32())
            .collect(),
        _ => return None,
    };
    let dims = tensor.dims.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>()?;
    (element_count(tensor) == Some(values.len())).then_some(Constant { dims, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, dims: &[i64], data_type: i32, raw_data: Vec<u8>) -> pb::TensorProto {
        let (name, dims) = (name.to_owned(), dims.to_vec());
        pb::TensorProto { name, dims, data_type, raw_data, ..Default::default() }
    }

    fn numbers(name: &str, dims: &[i64], values: &[f32]) -> pb::TensorProto {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        tensor(name, dims, element::FLOAT, bytes)
    }

    fn node(op: &str, inputs: &[&str], attribute: Vec<pb::AttributeProto>) -> pb::NodeProto {
        pb::NodeProto {
            op_type: op.to_owned(),
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: vec!["y".to_owned()],
            attribute,
            ..Default::default()
        }
    }

    /// What one node makes of some weights.
    fn made(node: pb::NodeProto, weights: Vec<pb::TensorProto>) -> Option<Constant> {
        let (node, initializer) = (vec![node], weights);
        let graph = pb::GraphProto { node, initializer, ..Default::default() };
        Topology::new(&graph).constant("y")
    }

    #[test]
    fn a_transpose_that_moves_nothing_moves_nothing() {
        let weights = || vec![numbers("w", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])];
        let perm = |ints: &[i64]| pb::AttributeProto {
            name: "perm".to_owned(),
            ints: ints.to_vec(),
            ..Default::default()
        };
        let stays = made(node("Transpose", &["w"], vec![perm(&[0, 1])]), weights()).unwrap();
        assert_eq!((stays.dims, stays.values), (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        for turned in [vec![], vec![perm(&[1, 0])]] {
            let turned = made(node("Transpose", &["w"], turned), weights()).unwrap();
            assert_eq!(turned.dims, [3, 2]);
            assert_eq!(turned.values, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        }
    }

    #[test]
    fn scales_without_an_axis_of_their_length_are_no_scales() {
        let weights = || {
            let codes = [4_i32, 4].iter().flat_map(|v| v.to_le_bytes()).collect();
            vec![tensor("w", &[2], element::INT32, codes), numbers("s", &[2], &[0.5, 2.0])]
        };
        let along = |i: i64| {
            let name = "axis".to_owned();
            let axis = pb::AttributeProto { name, i, ..Default::default() };
            made(node("DequantizeLinear", &["w", "s"], vec![axis]), weights())
        };
        assert_eq!(along(0).unwrap().values, [2.0, 8.0]);
        assert_eq!(along(-1).unwrap().values, [2.0, 8.0]);
        // the default of the attribute, which a list does not have
        assert_eq!(along(1), None);
    }

    #[test]
    fn integers_are_read_from_constants_of_64_bits_alone() {
        let words = |values: &[i64]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let ints = pb::AttributeProto {
            name: "value_ints".to_owned(),
            ints: vec![1, 2],
            ..Default::default()
        };
        let graph = pb::GraphProto {
            node: vec![node("Constant", &[], vec![ints])],
            initializer: vec![
                tensor("axes", &[2], element::INT64, words(&[-1, 3])),
                tensor("narrow", &[2], element::INT32, words(&[7])),
            ],
            ..Default::default()
        };
        let topology = Topology::new(&graph);
        assert_eq!(topology.integer_constant("axes"), Some(vec![-1, 3]));
        assert_eq!(topology.integer_constant("y"), Some(vec![1, 2]));
        assert_eq!(topology.integer_constant("narrow"), None);
    }
}
