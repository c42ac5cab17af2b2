//! Writes ONNX Runtime's `QOperator` nodes as the QDQ nodes that mean the same, so that all that follows knows one form.
//!
//! ```text
//! QLinearConv(x, xs, xz, w, ws, wz, ys, yz, b)  ->  QuantizeLinear(Conv(DQ(x), DQ(w), DQ(b: scale xs * ws)))
//! ```

use std::collections::HashMap;

use crate::onnx::{element, pb};
use crate::topology::floats;

/// Operators with the inputs `a, a scale, a zero, b, b scale, b zero, y scale, y zero`.
const BINARY: [(&str, &str); 3] =
    [("QLinearMatMul", "MatMul"), ("QLinearAdd", "Add"), ("QLinearMul", "Mul")];
/// Operators with the inputs `x, x scale, x zero, y scale, y zero`.
const UNARY: [(&str, &str); 4] = [
    ("QLinearGlobalAveragePool", "GlobalAveragePool"),
    ("QLinearAveragePool", "AveragePool"),
    ("QLinearLeakyRelu", "LeakyRelu"),
    ("QLinearSigmoid", "Sigmoid"),
];

/// Rewrites the graph in place; nodes with missing inputs stay as they are.
pub(crate) fn normalize(graph: &mut pb::GraphProto) {
    let scales: HashMap<String, Vec<f32>> = graph
        .initializer
        .iter()
        .filter(|t| t.data_type == element::FLOAT)
        .filter_map(|t| Some((t.name.clone(), floats(t)?.values)))
        .collect();
    let mut writer = Writer { nodes: Vec::new(), tensors: Vec::new(), scales };
    for node in std::mem::take(&mut graph.node) {
        if writer.rewrite(&node).is_none() {
            writer.nodes.push(node);
        }
    }
    graph.node = writer.nodes;
    graph.initializer.append(&mut writer.tensors);
}

/// Whether any node is in `QOperator` form.
pub(crate) fn has_quantized_operators(graph: &pb::GraphProto) -> bool {
    graph.node.iter().any(|n| n.op_type.starts_with("QLinear") || n.op_type == "QGemm")
}

struct Writer {
    nodes: Vec<pb::NodeProto>,
    tensors: Vec<pb::TensorProto>,
    scales: HashMap<String, Vec<f32>>,
}

impl Writer {
    fn rewrite(&mut self, node: &pb::NodeProto) -> Option<()> {
        let output = node.output.first().filter(|o| !o.is_empty())?.clone();
        let input = |i: usize| node.input.get(i).filter(|s| !s.is_empty()).cloned();
        let op = node.op_type.as_str();
        // the nodes that follow have channels first
        let last = node.attribute.iter().find(|a| a.name == "channels_last").map_or(0, |a| a.i);
        if last != 0 {
            return None;
        }
        if op == "QLinearConv" || op == "QGemm" {
            // a, scale, zero, b, scale, zero, then y scale, y zero, bias; QGemm has the bias first
            let (bias, y) = if op == "QGemm" { (6, 7) } else { (8, 6) };
            let scale = input(y)?;
            let a = self.dequantized(&output, "a", [input(0)?, input(1)?, input(2)?], None);
            let per_channel = if op == "QGemm" { self.weight_axis(node) } else { 0 };
            let b = self.dequantized(
                &output,
                "b",
                [input(3)?, input(4)?, input(5)?],
                Some(per_channel),
            );
            let mut inputs = vec![a, b];
            if let Some(bias) = input(bias) {
                let alpha = node.attribute.iter().find(|a| a.name == "alpha").map_or(1.0, |a| a.f);
                let alpha = if op == "QGemm" { alpha } else { 1.0 };
                inputs.push(self.bias(&output, bias, &input(1)?, &input(4)?, alpha)?);
            }
            let op = if op == "QGemm" { "Gemm" } else { "Conv" };
            let mut attributes = node.attribute.clone();
            if op == "Gemm" {
                // the bias of QGemm has the scale of the product, alpha included
                attributes.retain(|a| a.name != "beta");
            }
            self.quantized(node, op, inputs, attributes, (scale, input(y + 1)), output);
            return Some(());
        }
        if let Some((_, name)) = BINARY.iter().find(|(q, _)| *q == op) {
            let scale = input(6)?;
            let a = self.dequantized(&output, "a", [input(0)?, input(1)?, input(2)?], None);
            let axis = (*name == "MatMul").then_some(-1);
            let b = self.dequantized(&output, "b", [input(3)?, input(4)?, input(5)?], axis);
            let rest = (scale, input(7));
            self.quantized(node, name, vec![a, b], node.attribute.clone(), rest, output);
            return Some(());
        }
        let (_, name) = UNARY.iter().find(|(q, _)| *q == op)?;
        let scale = input(3)?;
        let x = self.dequantized(&output, "x", [input(0)?, input(1)?, input(2)?], None);
        let mut attributes = node.attribute.clone();
        attributes.retain(|a| a.name != "channels_last");
        self.quantized(node, name, vec![x], attributes, (scale, input(4)), output);
        Some(())
    }

    /// Axis of the output channels in the weights of a `QGemm`.
    fn weight_axis(&self, node: &pb::NodeProto) -> i64 {
        let transposed =
            node.attribute.iter().find(|a| a.name == "transB").is_some_and(|a| a.i != 0);
        i64::from(!transposed)
    }

    fn dequantized(
        &mut self,
        output: &str,
        role: &str,
        inputs: [String; 3],
        axis: Option<i64>,
    ) -> String {
        let name = format!("{output}/dequantized {role}");
        self.nodes.push(pb::NodeProto {
            name: name.clone(),
            op_type: "DequantizeLinear".to_owned(),
            input: inputs.to_vec(),
            output: vec![name.clone()],
            attribute: axis.map(axis_attribute).into_iter().collect(),
            ..Default::default()
        });
        name
    }

    /// Dequantized bias, whose scale is the product of `alpha` and those of activations and weights.
    fn bias(&mut self, output: &str, bias: String, x: &str, w: &str, alpha: f32) -> Option<String> {
        let x = *self.scales.get(x)?.first()?;
        let scales: Vec<f32> = self.scales.get(w)?.iter().map(|w| alpha * x * w).collect();
        let name = format!("{output}/scale of bias");
        let dims = if scales.len() == 1 { vec![] } else { vec![i64::try_from(scales.len()).ok()?] };
        self.tensors.push(pb::TensorProto {
            name: name.clone(),
            dims,
            data_type: element::FLOAT,
            raw_data: scales.iter().flat_map(|s| s.to_le_bytes()).collect(),
            ..Default::default()
        });
        let dequantized = format!("{output}/dequantized bias");
        self.nodes.push(pb::NodeProto {
            name: dequantized.clone(),
            op_type: "DequantizeLinear".to_owned(),
            input: vec![bias, name],
            output: vec![dequantized.clone()],
            attribute: vec![axis_attribute(0)],
            ..Default::default()
        });
        Some(dequantized)
    }

    fn quantized(
        &mut self,
        node: &pb::NodeProto,
        op: &str,
        inputs: Vec<String>,
        attribute: Vec<pb::AttributeProto>,
        (scale, zero): (String, Option<String>),
        output: String,
    ) {
        let float = format!("{output}/f32");
        self.nodes.push(pb::NodeProto {
            name: node.name.clone(),
            op_type: op.to_owned(),
            input: inputs,
            output: vec![float.clone()],
            attribute,
            ..Default::default()
        });
        self.nodes.push(pb::NodeProto {
            name: format!("{output}/quantized"),
            op_type: "QuantizeLinear".to_owned(),
            input: [Some(float), Some(scale), zero].into_iter().flatten().collect(),
            output: vec![output],
            ..Default::default()
        });
    }
}

fn axis_attribute(axis: i64) -> pb::AttributeProto {
    pb::AttributeProto {
        name: "axis".to_owned(),
        i: axis,
        r#type: 2, // INT in onnx.proto
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_with_channels_last_stay_as_they_are() {
        let inputs = ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy"];
        let graph = |last: i64| {
            let attribute = pb::AttributeProto {
                name: "channels_last".to_owned(),
                i: last,
                r#type: 2,
                ..Default::default()
            };
            let node = pb::NodeProto {
                op_type: "QLinearConv".to_owned(),
                input: inputs.map(str::to_owned).to_vec(),
                output: vec!["y".to_owned()],
                attribute: vec![attribute],
                ..Default::default()
            };
            let mut graph = pb::GraphProto { node: vec![node], ..Default::default() };
            normalize(&mut graph);
            graph.node.iter().map(|n| n.op_type.clone()).collect::<Vec<_>>()
        };
        assert_eq!(graph(1), ["QLinearConv"]);
        let (codes, result) = ("DequantizeLinear", "QuantizeLinear");
        assert_eq!(graph(0), [codes, codes, "Conv", result]);
    }

    #[test]
    fn the_bias_of_a_gemm_has_the_scale_of_the_product_alpha_included() {
        let scale = |name: &str, value: f32| pb::TensorProto {
            name: name.to_owned(),
            data_type: element::FLOAT,
            raw_data: value.to_le_bytes().to_vec(),
            ..Default::default()
        };
        for alpha in [None, Some(0.5)] {
            let attribute = alpha.map(|f| pb::AttributeProto {
                name: "alpha".to_owned(),
                f,
                r#type: 1,
                ..Default::default()
            });
            let inputs = ["a", "sa", "za", "b", "sb", "zb", "c", "sy", "zy"];
            let node = pb::NodeProto {
                op_type: "QGemm".to_owned(),
                input: inputs.map(str::to_owned).to_vec(),
                output: vec!["y".to_owned()],
                attribute: attribute.into_iter().collect(),
                ..Default::default()
            };
            let mut graph = pb::GraphProto {
                node: vec![node],
                initializer: vec![scale("sa", 0.25), scale("sb", 0.125), scale("sy", 1.0)],
                ..Default::default()
            };
            normalize(&mut graph);
            let bias = graph.initializer.iter().find(|t| t.name == "y/scale of bias").unwrap();
            let found = f32::from_le_bytes(bias.raw_data[..4].try_into().unwrap());
            assert_eq!(found.to_bits(), (0.03125 * alpha.unwrap_or(1.0)).to_bits());
        }
    }
}
