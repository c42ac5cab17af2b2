//! Reads what the lowering needs from a graph: attributes, constants in codes, constants as numbers.

use std::collections::HashMap;

use crate::head::LayerNorm;
use crate::onnx::{element, pb};
use crate::topology::{Constant, Topology};

/// Constant weights as stored: codes with scale and zero point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Coded {
    pub(crate) dims: Vec<usize>,
    pub(crate) codes: Vec<i32>,
    pub(crate) scales: Vec<f32>,
    pub(crate) zeros: Vec<i32>,
    /// Axis along which scales differ, if there are several.
    pub(crate) axis: usize,
}

impl Coded {
    /// Position along the axis of the scales of element `index`.
    fn channel(&self, index: usize) -> usize {
        let inner: usize = self.dims[self.axis + 1..].iter().product();
        index / inner.max(1) % self.dims[self.axis].max(1)
    }

    /// `code - zero` of element `index`.
    pub(crate) fn steps(&self, index: usize) -> i32 {
        let zero =
            if self.zeros.len() == 1 { self.zeros[0] } else { self.zeros[self.channel(index)] };
        self.codes[index] - zero
    }

    /// The number that element `index` stands for, in f64.
    pub(crate) fn number(&self, index: usize) -> f64 {
        let channel = if self.scales.len() == 1 { 0 } else { self.channel(index) };
        f64::from(self.steps(index)) * f64::from(self.scales[channel])
    }
}

/// A graph with its nodes and constants by name.
pub(crate) struct Graph<'g> {
    topology: Topology<'g>,
    producers: HashMap<&'g str, &'g pb::NodeProto>,
    tensors: HashMap<&'g str, &'g pb::TensorProto>,
}

impl<'g> Graph<'g> {
    pub(crate) fn new(graph: &'g pb::GraphProto) -> Self {
        let outputs = |n: &'g pb::NodeProto| {
            n.output.iter().map(move |o| (o.as_str(), n)).collect::<Vec<_>>()
        };
        Self {
            topology: Topology::new(graph),
            producers: graph.node.iter().flat_map(outputs).collect(),
            tensors: graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect(),
        }
    }

    /// The node that makes a tensor.
    pub(crate) fn producer(&self, name: &str) -> Option<&'g pb::NodeProto> {
        self.producers.get(name).copied()
    }

    /// The layer norm written out in nine nodes that ends in this tensor, and what it reads.
    pub(crate) fn written_out_norm(&self, name: &'g str) -> Option<(LayerNorm, &'g str)> {
        let (_, norm, source) = self.topology.layer_norm(name).ok()??;
        Some((norm, source))
    }

    /// Value of a tensor that does not depend on the input.
    pub(crate) fn constant(&self, name: &str) -> Option<Constant> {
        self.topology.constant(name)
    }

    /// The one value of a constant, if all its elements are equal.
    pub(crate) fn scalar(&self, name: &str) -> Option<f32> {
        let values = self.constant(name)?.values;
        let first = *values.first()?;
        values.iter().all(|v| *v == first).then_some(first)
    }

    /// Integers of a constant: axes, shapes.
    pub(crate) fn integers(&self, name: &str) -> Option<Vec<i64>> {
        self.topology.integer_constant(name)
    }

    /// Scale and zero point of a tensor of 8-bit codes, in the unsigned domain. Without a zero point codes are
    /// unsigned with zero point 0.
    pub(crate) fn quantization(&self, node: &pb::NodeProto) -> Option<kernels::Quantization> {
        let scale = self.scalar(input(node, 1)?)?;
        let zero = match input(node, 2) {
            None => 0,
            Some(name) => {
                let tensor = self.tensors.get(name).copied()?;
                let values = crate::topology::floats(tensor)?.values;
                let value = *values.first()?;
                // scales that are equal do not make zero points so
                if values.iter().any(|other| *other != value) {
                    return None;
                }
                let shift = match tensor.data_type {
                    element::UINT8 => 0.0,
                    element::INT8 => 128.0,
                    _ => return None,
                };
                code(value + shift)?
            }
        };
        kernels::Quantization::new(scale, zero).ok()
    }

    /// Whether codes are signed, by the zero point of the `QuantizeLinear` that they come from.
    pub(crate) fn is_signed(&self, mut name: &'g str) -> bool {
        // what stands between only moves codes: views and pooling
        while let Some(node) = self.producers.get(name) {
            if node.op_type == "QuantizeLinear" {
                let zero = input(node, 2).and_then(|zero| self.tensors.get(zero));
                return zero.is_some_and(|zero| zero.data_type == element::INT8);
            }
            let Some(before) = input(node, 0) else { return false };
            name = before;
        }
        false
    }

    /// Constant in codes: `DequantizeLinear` of an integer tensor.
    pub(crate) fn coded(&self, name: &str) -> Option<Coded> {
        let node = self.producers.get(name)?;
        if node.op_type != "DequantizeLinear" {
            return None;
        }
        let tensor = self.tensors.get(input(node, 0)?)?;
        if !matches!(tensor.data_type, element::UINT8 | element::INT8 | element::INT32) {
            return None;
        }
        let (dims, codes) = integers_of(tensor)?;
        let scales = self.constant(input(node, 1)?)?.values;
        let zeros = match input(node, 2) {
            Some(name) => integers_of(self.tensors.get(name)?)?.1,
            None => vec![0],
        };
        let rank = i64::try_from(dims.len()).ok()?;
        let axis = integer(node, "axis").unwrap_or(1);
        let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).ok()?;
        let axis = if scales.len() == 1 && zeros.len() == 1 { 0 } else { axis };
        let length = dims.get(axis).copied().unwrap_or(1);
        let fits = |n: usize| n == 1 || n == length;
        let whole = dims.len() > axis || (axis == 0 && codes.len() == 1);
        if !fits(scales.len()) || !fits(zeros.len()) || !whole {
            return None;
        }
        let dims = if dims.is_empty() { vec![1] } else { dims };
        scales.iter().all(|s| s.is_finite() && *s > 0.0).then_some(Coded {
            dims,
            codes,
            scales,
            zeros,
            axis,
        })
    }
}

/// The code nearest to a number that is one already.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be 0 to 255"
)]
fn code(value: f32) -> Option<u8> {
    (value.fract() == 0.0 && (0.0..=255.0).contains(&value)).then_some(value as u8)
}

fn integers_of(tensor: &pb::TensorProto) -> Option<(Vec<usize>, Vec<i32>)> {
    let raw = &tensor.raw_data;
    let values: Vec<i32> = match (tensor.data_type, raw.is_empty()) {
        (element::INT8, false) => raw.iter().map(|b| i32::from(b.cast_signed())).collect(),
        (element::UINT8, false) => raw.iter().map(|b| i32::from(*b)).collect(),
        (element::INT32, false) => {
            raw.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect()
        }
        (element::INT8 | element::UINT8 | element::INT32, true) => tensor.int32_data.clone(),
        _ => return None,
    };
    let dims = tensor.dims.iter().map(|d| usize::try_from(*d).ok()).collect::<Option<Vec<_>>>()?;
    let count = crate::onnx::element_count(tensor)?;
    (count == values.len() && count > 0).then_some((dims, values))
}

/// Name of an input that is given.
pub(crate) fn input(node: &pb::NodeProto, position: usize) -> Option<&str> {
    node.input.get(position).map(String::as_str).filter(|name| !name.is_empty())
}

/// An integer attribute.
pub(crate) fn integer(node: &pb::NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|a| a.name == name).map(|a| a.i)
}

/// A number attribute.
pub(crate) fn number(node: &pb::NodeProto, name: &str) -> Option<f32> {
    node.attribute.iter().find(|a| a.name == name).map(|a| a.f)
}

/// A list of sizes that may be left out; what is there has to be sizes.
pub(crate) fn optional_sizes(
    node: &pb::NodeProto,
    name: &str,
) -> Result<Option<Vec<usize>>, String> {
    let Some(attribute) = node.attribute.iter().find(|a| a.name == name) else { return Ok(None) };
    let expected = || format!("{name}: expected sizes, found {:?}", attribute.ints);
    sizes(node, name).map(Some).ok_or_else(expected)
}

/// A list of sizes.
pub(crate) fn sizes(node: &pb::NodeProto, name: &str) -> Option<Vec<usize>> {
    let list = &node.attribute.iter().find(|a| a.name == name)?.ints;
    list.iter().map(|v| usize::try_from(*v).ok()).collect()
}

/// A text attribute.
pub(crate) fn text<'n>(node: &'n pb::NodeProto, name: &str) -> Option<&'n str> {
    let attribute = node.attribute.iter().find(|a| a.name == name)?;
    std::str::from_utf8(&attribute.s).ok()
}
