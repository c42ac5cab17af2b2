//! A graph taken apart for surgery: nodes in order, weights by name, and who reads whom.

mod tidy;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use models::onnx::{self, element, pb};

use crate::error::CalibrationError;

/// Per-channel `QuantizeLinear` exists since operator set 13.
const MIN_OPSET: i64 = 13;
/// Operator set 19 gives it another form, and the runtime that every tensor is observed with is tested up to here.
const MAX_OPSET: i64 = 18;
/// Version of the file format that came with operator set 13.
const MIN_IR_VERSION: i64 = 7;
/// Operators that only a quantized network has.
const QUANTIZED: [&str; 9] = [
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "ConvInteger",
    "MatMulInteger",
    "QLinearAdd",
    "QGemm",
];

/// A network with one input and one output, its weights in f32.
#[derive(Clone, Debug)]
pub(crate) struct Net {
    shell: pb::ModelProto,
    pub(crate) nodes: Vec<pb::NodeProto>,
    pub(crate) weights: BTreeMap<String, pb::TensorProto>,
    pub(crate) input: String,
    pub(crate) output: String,
}

impl Net {
    /// Takes a model apart: 16-bit weights widened, `Constant` nodes made weights, `Identity` and
    /// `Dropout` removed, every node named.
    pub(crate) fn new(mut proto: pb::ModelProto, place: &str) -> Result<Self, CalibrationError> {
        let refuse =
            |problem: String, remedy: &str| Err(CalibrationError::network(place, problem, remedy));
        onnx::widen_halves(&mut proto);
        let opset = opset_of(&proto);
        if !(MIN_OPSET..=MAX_OPSET).contains(&opset) {
            let problem =
                format!("expected operator set {MIN_OPSET} to {MAX_OPSET}, found {opset}");
            return refuse(problem, "export again with opset_version=17");
        }
        let mut graph = proto.graph.take().unwrap_or_default();
        if let Some(node) = graph.node.iter().find(|n| QUANTIZED.contains(&n.op_type.as_str())) {
            let problem = format!(
                "expected a network in f32, found {} `{}`: it is quantized already",
                node.op_type,
                node.output.first().map_or("", String::as_str)
            );
            return refuse(problem, "give the f32 network that it was made from");
        }
        let Some(picture) = onnx::data_input(&graph) else {
            return refuse(
                "expected one input, found none or several".to_owned(),
                "export the network with the picture as its only input",
            );
        };
        let (input, kind) = (picture.name.clone(), onnx::element_type(picture).unwrap_or(0));
        if kind != 0 && kind != element::FLOAT {
            return refuse(
                format!("expected an input of f32 (ONNX element type 1), found type {kind}"),
                "export the network without what turns pixels into numbers in front of it",
            );
        }
        let output = match graph.output.as_slice() {
            [output] => output.name.clone(),
            other => {
                let problem = format!("expected one output, found {}", other.len());
                return refuse(problem, "export the network with its logits as the only output");
            }
        };
        graph.input.retain(|i| i.name == input);
        graph.value_info.clear();
        let nodes = std::mem::take(&mut graph.node);
        let weights = std::mem::take(&mut graph.initializer);
        let weights = weights.into_iter().map(|t| (t.name.clone(), t)).collect();
        proto.graph = Some(graph);
        proto.ir_version = proto.ir_version.max(MIN_IR_VERSION);
        "roadgaze".clone_into(&mut proto.producer_name);
        env!("CARGO_PKG_VERSION").clone_into(&mut proto.producer_version);
        let mut net = Self { shell: proto, nodes, weights, input, output };
        net.lift_constants();
        net.drop_passing();
        net.name_nodes();
        net.unshare_weights();
        Ok(net)
    }

    /// Operator set of the default domain.
    pub(crate) fn opset(&self) -> i64 {
        opset_of(&self.shell)
    }

    /// The model in one piece, with weights that no node reads left out.
    pub(crate) fn to_proto(&self) -> pb::ModelProto {
        self.assembled(self.nodes.clone(), &self.weights)
    }

    /// The model with other nodes and weights.
    pub(crate) fn assembled(
        &self,
        nodes: Vec<pb::NodeProto>,
        weights: &BTreeMap<String, pb::TensorProto>,
    ) -> pb::ModelProto {
        let read: BTreeSet<&str> =
            nodes.iter().flat_map(|n| n.input.iter().map(String::as_str)).collect();
        let mut proto = self.shell.clone();
        if let Some(graph) = proto.graph.as_mut() {
            graph.initializer =
                weights.values().filter(|t| read.contains(t.name.as_str())).cloned().collect();
            graph.node = nodes;
        }
        proto
    }

    /// Whether a tensor is a weight.
    pub(crate) fn is_weight(&self, name: &str) -> bool {
        self.weights.contains_key(name)
    }

    /// Values and dimensions of an f32 weight.
    pub(crate) fn floats(&self, name: &str) -> Option<(Vec<f32>, Vec<usize>)> {
        let tensor = self.weights.get(name)?;
        Some((crate::tensor::floats(tensor)?, crate::tensor::dims(tensor)))
    }

    /// Replaces or adds an f32 weight.
    pub(crate) fn set_floats(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        self.weights.insert(name.to_owned(), crate::tensor::of_floats(name, dims, values));
    }

    /// Who makes and who reads each tensor.
    pub(crate) fn links(&self) -> Links {
        let mut links = Links::default();
        for (i, node) in self.nodes.iter().enumerate() {
            for output in &node.output {
                links.made_by.insert(output.clone(), i);
            }
            for input in &node.input {
                links.read_by.entry(input.clone()).or_default().push(i);
            }
        }
        links
    }

    /// Lets every reader of `old` read `new`, and removes these nodes.
    pub(crate) fn bypass(&mut self, aliases: &HashMap<String, String>, gone: &BTreeSet<usize>) {
        let mut at = 0;
        self.nodes.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
        for input in self.nodes.iter_mut().flat_map(|n| &mut n.input) {
            while let Some(name) = aliases.get(input) {
                input.clone_from(name);
            }
        }
    }
}

/// Operator set of the default domain, which has two names.
fn opset_of(proto: &pb::ModelProto) -> i64 {
    let own = |domain: &str| domain.is_empty() || domain == "ai.onnx";
    proto.opset_import.iter().find(|o| own(&o.domain)).map_or(1, |o| o.version)
}

/// Makers and readers of tensors, by position of the node.
#[derive(Debug, Default)]
pub(crate) struct Links {
    made_by: HashMap<String, usize>,
    read_by: HashMap<String, Vec<usize>>,
}

impl Links {
    pub(crate) fn maker(&self, tensor: &str) -> Option<usize> {
        self.made_by.get(tensor).copied()
    }

    pub(crate) fn readers(&self, tensor: &str) -> &[usize] {
        self.read_by.get(tensor).map_or(&[], Vec::as_slice)
    }

    /// The one reader of a tensor, if there is exactly one.
    pub(crate) fn only_reader(&self, tensor: &str) -> Option<usize> {
        match self.readers(tensor) {
            [one] => Some(*one),
            _ => None,
        }
    }
}

/// The one output of a node.
pub(crate) fn output(node: &pb::NodeProto) -> &str {
    node.output.first().map_or("", String::as_str)
}

/// An input of a node, empty if absent.
pub(crate) fn input(node: &pb::NodeProto, position: usize) -> &str {
    node.input.get(position).map_or("", String::as_str)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::tensor::node;

    /// A convolution; no bias for an empty name.
    pub(crate) fn conv(x: &str, w: &str, b: &str, y: &str) -> pb::NodeProto {
        let inputs: Vec<&str> = [x, w, b].into_iter().filter(|n| !n.is_empty()).collect();
        node("Conv", &inputs, y)
    }

    pub(crate) fn proto_of(nodes: Vec<pb::NodeProto>, output: &str) -> pb::ModelProto {
        let named = |name: &str| pb::ValueInfoProto { name: name.into(), ..Default::default() };
        pb::ModelProto {
            ir_version: 8,
            opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: 17 }],
            graph: Some(pb::GraphProto {
                node: nodes,
                input: vec![named("x")],
                output: vec![named(output)],
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    pub(crate) fn net_of(nodes: Vec<pb::NodeProto>, output: &str) -> Net {
        Net::new(proto_of(nodes, output), "test").unwrap()
    }

    #[test]
    fn what_cannot_be_quantized_is_refused_with_a_remedy() {
        let message = |proto| Net::new(proto, "net.onnx").unwrap_err().to_string();
        let quantized = proto_of(vec![node("QuantizeLinear", &["x", "s"], "y")], "y");
        let text = message(quantized);
        assert!(text.contains("net.onnx: expected a network in f32"), "{text}");
        assert!(text.contains("quantized already; give the f32 network"), "{text}");
        let of_opset = |version: i64| {
            let mut proto = proto_of(vec![node("Relu", &["x"], "y")], "y");
            proto.opset_import[0].version = version;
            proto
        };
        for version in [11, 12, 19, 21] {
            let text = message(of_opset(version));
            let expected = format!("expected operator set 13 to 18, found {version}; export again");
            assert!(text.contains(&expected), "{text}");
        }
        for version in [13, 17, 18] {
            assert_eq!(Net::new(of_opset(version), "net.onnx").unwrap().opset(), version);
        }
        let mut named = of_opset(17);
        named.opset_import[0].domain = "ai.onnx".to_owned();
        assert_eq!(Net::new(named, "net.onnx").unwrap().opset(), 17);
        let mut pixels = proto_of(vec![node("Relu", &["x"], "y")], "y");
        let tensor = pb::type_proto::Tensor { elem_type: element::UINT8, ..Default::default() };
        let value = Some(pb::type_proto::Value::TensorType(tensor));
        let r#type = Some(pb::TypeProto { value, ..Default::default() });
        pixels.graph.as_mut().unwrap().input[0].r#type = r#type;
        let text = message(pixels);
        assert!(text.contains("expected an input of f32"), "{text}");
        let mut two = proto_of(vec![node("Relu", &["x"], "y")], "y");
        let graph = two.graph.as_mut().unwrap();
        graph.output.push(graph.output[0].clone());
        assert!(message(two).contains("expected one output, found 2"));
    }
}
