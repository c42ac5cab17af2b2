//! Quantized graphs run in integers: from an ONNX file in QDQ or `QOperator` form to operators of our own.
//!
//! ```text
//! normalize   QLinearConv, QGemm, ...  ->  DequantizeLinear, Conv, QuantizeLinear
//! recognize   what lies between two QuantizeLinear nodes  ->  one step on tensors of codes
//! fuse        table, rescaling and residual move into the convolution before them
//! emit        one node a step, what was not recognized stays as it is and runs in f32
//! operator    the node's operator for the runtime, which calls `kernels`
//! memory      where pictures follow each other that are alike: only what can differ is computed
//! ```
//!
//! A tensor of codes is `u8`, channels last; signed codes get 128 added, to the code and to the zero point. The
//! dequantized number of each code stays the same, and so does every result.
//!
//! Nothing is assumed about who made the file. What is not recognized is listed in [`Report::in_floats`], with
//! the reason where one is known.

pub(crate) mod build;
pub(crate) mod changes;
pub(crate) mod codes;
pub(crate) mod emit;
pub(crate) mod expression;
pub(crate) mod fuse;
pub(crate) mod graph;
pub(crate) mod layer;
pub(crate) mod memory;
pub(crate) mod normalize;
pub(crate) mod operator;
pub(crate) mod patch;
pub(crate) mod product;
pub(crate) mod recognize;
pub(crate) mod step;
pub(crate) mod unary;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use kernels::Isa;

use crate::onnx::pb;
use operator::IntegerOp;

pub(crate) use normalize::{has_quantized_operators, normalize};

/// What became of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Steps in integers, after fusion.
    pub steps: usize,
    /// Nodes that stay with the runtime in f32: operator, name, reason.
    pub in_floats: Vec<String>,
}

/// A graph of which parts are operators of our own.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) operators: Vec<Arc<IntegerOp>>,
    pub(crate) report: Report,
}

/// Replaces what is recognized by operators of our own. `shape` is that of the picture, `[3, height, width]`.
pub(crate) fn lower(proto: &mut pb::ModelProto, shape: [usize; 3], isa: Isa) -> Lowered {
    let Some(graph) = proto.graph.as_mut() else {
        return Lowered::default();
    };
    let mut recognized = recognize::recognize(graph, shape);
    fuse::fuse(&mut recognized);
    emit::emit(graph, recognized, isa)
}
