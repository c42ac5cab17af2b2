//! Which nodes work on integers, which tensors lie on a grid, and which tensors share one.
//!
//! A tensor lies on a grid if an integer node reads or makes it. Nodes that only move values give
//! their output the grid of their input, so both belong to one group, named after its first tensor.

use std::collections::{BTreeMap, BTreeSet};

use models::onnx::pb;
use serde::Serialize;

use crate::error::CalibrationError;
use crate::net::{Links, Net, input, output};
use crate::simplify::constant_and_other;
use crate::tensor;

/// Nodes that move values and change none.
const PASS: [&str; 6] = ["MaxPool", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"];
/// Nodes that average: integers in, integers out, another grid.
pub(crate) const AVERAGE: [&str; 2] = ["GlobalAveragePool", "AveragePool"];
/// Nodes that ConvNeXt has around its layers and that stay in f32 by design.
const BETWEEN: [&str; 12] = [
    "LayerNormalization",
    "Gelu",
    "Erf",
    "Div",
    "Mul",
    "Add",
    "Sub",
    "Pow",
    "Sqrt",
    "ReduceMean",
    "Relu",
    "Clip",
];

/// A convolution or linear layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Name of the weight without `.weight`, or of the node.
    pub(crate) name: String,
    pub(crate) op_type: String,
    /// Position of the `Conv`, `Gemm` or `MatMul`.
    pub(crate) node: usize,
    /// Position of the `Add` with the bias of a `MatMul`.
    pub(crate) add: Option<usize>,
    pub(crate) input: String,
    pub(crate) weight: String,
    pub(crate) bias: Option<String>,
    /// Behind bias and activation.
    pub(crate) output: String,
    /// Axis of the weight along which output channels run.
    pub(crate) axis: usize,
    pub(crate) groups: usize,
}

impl Layer {
    /// Axis of the input along which its channels run, counted from 0 (`Conv`, `Gemm`) or the last.
    pub(crate) fn channel_axis(&self) -> Option<usize> {
        (self.op_type != "MatMul").then_some(1)
    }
}

/// A node that stays in f32, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StaysFloat {
    /// Name of the layer, or of the node.
    pub name: String,
    /// Operator.
    pub op_type: String,
    /// Why.
    pub reason: String,
}

/// The plan of the surgery.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    /// Layers that work on integers.
    pub(crate) layers: Vec<Layer>,
    /// Layers that could, but are kept in f32.
    pub(crate) kept: Vec<Layer>,
    /// Tensors on a grid.
    pub(crate) quantized: BTreeSet<String>,
    /// First tensor of the group of each tensor that shares its grid with others.
    roots: BTreeMap<String, String>,
    pub(crate) stays: Vec<StaysFloat>,
}

impl Placement {
    /// Plans a graph; `keep` names layers, nodes or outputs that stay in f32, a `*` at the end stands
    /// for any ending.
    pub(crate) fn new(net: &Net, keep: &[String]) -> Result<Self, CalibrationError> {
        let links = net.links();
        let mut all = Names::default();
        let (mut layers, mut kept, mut stays) = (Vec::new(), Vec::new(), Vec::new());
        let (mut quantized, mut passes) = (BTreeSet::new(), Vec::new());
        let mut absorbed = BTreeSet::new();
        for (at, node) in net.nodes.iter().enumerate() {
            if absorbed.contains(&at) {
                continue;
            }
            let op = node.op_type.as_str();
            if let Some(layer) = layer(net, &links, at) {
                absorbed.extend(layer.add);
                absorbed.extend(activation(net, &links, &layer.output_before(net)));
                if all.matches(keep, &[&layer.name, &node.name, &layer.output]) {
                    stays.push(stay(&layer.name, op, "kept in f32 as asked"));
                    kept.push(layer);
                    continue;
                }
                quantized.insert(layer.input.clone());
                if !is_last(net, &links, &layer.output) || op == "Conv" {
                    quantized.insert(layer.output.clone());
                }
                layers.push(layer);
            } else if is_sum(net, node) {
                let act = activation(net, &links, output(node));
                absorbed.extend(act);
                let out = act.map_or_else(|| output(node), |i| output(&net.nodes[i])).to_owned();
                if all.matches(keep, &[&node.name, output(node), &out]) {
                    stays.push(stay(&node.name, op, "kept in f32 as asked"));
                    continue;
                }
                quantized.extend(node.input.iter().cloned());
                quantized.insert(out);
            } else if AVERAGE.contains(&op) {
                if all.matches(keep, &[&node.name, output(node)]) {
                    stays.push(stay(&node.name, op, "kept in f32 as asked"));
                    continue;
                }
                quantized.insert(input(node, 0).to_owned());
                quantized.insert(output(node).to_owned());
            } else if PASS.contains(&op) && !net.is_weight(input(node, 0)) {
                passes.push((input(node, 0).to_owned(), output(node).to_owned()));
            } else if BETWEEN.contains(&op) {
                stays.push(stay(&node.name, op, "works on dequantized values by design"));
            } else {
                stays.push(stay(&node.name, op, "no integer form of this operator"));
            }
        }
        all.check(net, keep)?;
        // back and forth until nothing changes: values may be moved several times
        loop {
            let before = quantized.len();
            for (from, to) in &passes {
                let ends =
                    *to == net.output || (is_last(net, &links, to) && !quantized.contains(to));
                if quantized.contains(to) || (quantized.contains(from) && !ends) {
                    quantized.insert(from.clone());
                    quantized.insert(to.clone());
                }
            }
            if quantized.len() == before {
                break;
            }
        }
        let mut roots: BTreeMap<String, String> = BTreeMap::new();
        for (from, to) in &passes {
            let root = roots.get(from).unwrap_or(from).clone();
            roots.insert(to.clone(), root);
        }
        Ok(Self { layers, kept, quantized, roots, stays })
    }

    /// The plan with all but this layer in f32.
    pub(crate) fn only(&self, layer: &Layer) -> Self {
        let both = [&layer.input, &layer.output];
        let quantized = both.into_iter().filter(|t| self.quantized.contains(*t)).cloned().collect();
        Self { layers: vec![layer.clone()], quantized, ..self.clone() }
    }

    /// The tensor whose values decide the grid of this one.
    pub(crate) fn root<'a>(&'a self, tensor: &'a str) -> &'a str {
        self.roots.get(tensor).map_or(tensor, String::as_str)
    }

    /// All tensors whose values decide a grid.
    pub(crate) fn grid_tensors(&self) -> BTreeSet<String> {
        self.quantized.iter().map(|t| self.root(t).to_owned()).collect()
    }
}

impl Layer {
    /// The tensor in front of the activation.
    fn output_before(&self, net: &Net) -> String {
        output(&net.nodes[self.add.unwrap_or(self.node)]).to_owned()
    }
}

/// Names that were looked for, to find those that match nothing.
#[derive(Default)]
struct Names {
    hit: BTreeSet<String>,
}

impl Names {
    fn matches(&mut self, keep: &[String], names: &[&str]) -> bool {
        let fits = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        };
        let hits: Vec<&String> =
            keep.iter().filter(|k| names.iter().any(|name| fits(k, name))).collect();
        self.hit.extend(hits.iter().map(|k| (*k).clone()));
        !hits.is_empty()
    }

    fn check(&self, net: &Net, keep: &[String]) -> Result<(), CalibrationError> {
        let Some(missing) = keep.iter().find(|k| !self.hit.contains(*k)) else { return Ok(()) };
        let links = net.links();
        let known: Vec<String> =
            (0..net.nodes.len()).filter_map(|at| layer(net, &links, at)).map(|l| l.name).collect();
        Err(CalibrationError::network(
            format!("--keep-f32 {missing}"),
            "expected the name of a layer or node, found none of this name",
            format!("the layers are {}", known.join(", ")),
        ))
    }
}

fn stay(name: &str, op_type: &str, reason: &str) -> StaysFloat {
    StaysFloat { name: name.to_owned(), op_type: op_type.to_owned(), reason: reason.to_owned() }
}

/// All convolutions and linear layers with constant weights.
pub(crate) fn layers(net: &Net) -> Vec<Layer> {
    let links = net.links();
    (0..net.nodes.len()).filter_map(|at| layer(net, &links, at)).collect()
}

fn layer(net: &Net, links: &Links, at: usize) -> Option<Layer> {
    let node = net.nodes.get(at)?;
    let (x, weight) = (input(node, 0), input(node, 1));
    if net.is_weight(x) {
        return None;
    }
    let dims = net.weights.get(weight).filter(|t| tensor::floats(t).is_some()).map(tensor::dims)?;
    let bias = Some(input(node, 2)).filter(|name| !name.is_empty()).map(str::to_owned);
    let constant_bias = bias.as_ref().is_none_or(|name| net.is_weight(name));
    let unit = |name| (tensor::float(node, name, 1.0) - 1.0).abs() < f32::EPSILON;
    let (axis, groups, mut add) = match (node.op_type.as_str(), dims.len()) {
        ("Conv", 3..) => {
            let groups = usize::try_from(tensor::int(node, "group", 1)).ok()?;
            (0, groups, None)
        }
        ("Gemm", 2) if tensor::int(node, "transA", 0) == 0 && unit("alpha") && unit("beta") => {
            (usize::from(tensor::int(node, "transB", 0) == 0), 1, None)
        }
        ("MatMul", 2) => (1, 1, links.only_reader(output(node))),
        _ => return None,
    };
    let channels = *dims.get(axis)?;
    let per_channel = |name: &str| {
        net.floats(name).is_some_and(|(values, dims)| {
            values.len() == channels && dims.last() == Some(&channels)
        })
    };
    if !constant_bias || bias.as_deref().is_some_and(|name| !per_channel(name)) {
        return None;
    }
    let mut bias = bias;
    add = add.filter(|&i| {
        let next = &net.nodes[i];
        let constant = constant_and_other(net, next).map(|(constant, _)| constant);
        let is_bias = next.op_type == "Add" && constant.as_deref().is_some_and(per_channel);
        if is_bias {
            bias = constant;
        }
        is_bias && output(node) != net.output
    });
    let before = output(&net.nodes[add.unwrap_or(at)]).to_owned();
    let after = activation(net, links, &before).map(|i| output(&net.nodes[i]).to_owned());
    let name = weight
        .strip_suffix(".weight")
        .map_or_else(|| node.name.trim_start_matches('/').to_owned(), str::to_owned);
    Some(Layer {
        name,
        op_type: node.op_type.clone(),
        node: at,
        add,
        input: x.to_owned(),
        weight: weight.to_owned(),
        bias,
        output: after.unwrap_or(before),
        axis,
        groups,
    })
}

/// The `Relu` that alone reads a tensor: it disappears in the grid of its output, which begins at 0.
fn activation(net: &Net, links: &Links, tensor: &str) -> Option<usize> {
    let next = links.only_reader(tensor).filter(|_| tensor != net.output)?;
    (net.nodes[next].op_type == "Relu").then_some(next)
}

pub(crate) fn is_sum(net: &Net, node: &pb::NodeProto) -> bool {
    node.op_type == "Add" && node.input.len() == 2 && !node.input.iter().any(|i| net.is_weight(i))
}

/// Whether what makes up the result of the network is read by nothing that computes.
fn is_last(net: &Net, links: &Links, tensor: &str) -> bool {
    const ENDS: [&str; 2] = ["Softmax", "LogSoftmax"];
    let readers = links.readers(tensor);
    if readers.is_empty() {
        return tensor == net.output;
    }
    readers.iter().all(|&i| {
        let node = &net.nodes[i];
        ENDS.contains(&node.op_type.as_str())
            || (PASS.contains(&node.op_type.as_str()) && is_last(net, links, output(node)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tests::{conv, net_of};
    use crate::tensor::node;

    /// conv1 - relu - maxpool - conv2 - + - relu - average - flatten - gemm
    ///                        \-------/
    fn residual() -> Net {
        let nodes = vec![
            conv("x", "conv1.weight", "", "c1"),
            node("Relu", &["c1"], "r1"),
            node("MaxPool", &["r1"], "p"),
            conv("p", "conv2.weight", "", "c2"),
            node("Add", &["c2", "p"], "s"),
            node("Relu", &["s"], "r2"),
            node("GlobalAveragePool", &["r2"], "g"),
            node("Flatten", &["g"], "f"),
            node("Gemm", &["f", "fc.weight"], "logits"),
        ];
        let mut net = net_of(nodes, "logits");
        net.set_floats("conv1.weight", &[2, 3, 1, 1], &[1.0; 6]);
        net.set_floats("conv2.weight", &[2, 2, 1, 1], &[1.0; 4]);
        net.set_floats("fc.weight", &[2, 5], &[1.0; 10]);
        net
    }

    #[test]
    fn a_residual_block_is_integer_from_end_to_end() {
        let net = residual();
        let plan = Placement::new(&net, &[]).unwrap();
        let names: Vec<&str> = plan.layers.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["conv1", "conv2", "fc"]);
        assert_eq!(plan.layers[0].output, "r1");
        assert_eq!((plan.layers[2].axis, plan.layers[0].axis), (1, 0));
        // neither what is in front of a relu nor the logits
        let quantized: Vec<&str> = plan.quantized.iter().map(String::as_str).collect();
        assert_eq!(quantized, ["c2", "f", "g", "p", "r1", "r2", "x"]);
        assert_eq!((plan.root("p"), plan.root("f"), plan.root("c2")), ("r1", "g", "c2"));
        assert!(plan.stays.is_empty(), "{:?}", plan.stays);
    }

    #[test]
    fn layers_are_kept_by_name_and_unknown_names_refused() {
        let net = residual();
        let plan = Placement::new(&net, &["conv*".to_owned()]).unwrap();
        assert_eq!(plan.layers.len(), 1);
        assert_eq!(plan.kept.len(), 2);
        assert!(!plan.quantized.contains("x"), "nothing reads it in integers");
        assert!(plan.quantized.contains("c2"), "the sum reads it in integers");
        assert_eq!(plan.stays[0].reason, "kept in f32 as asked");
        let error = Placement::new(&net, &["conv9".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("--keep-f32 conv9") && error.contains("conv1, conv2, fc"),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_known_stays_in_f32_between_grids() {
        let nodes = vec![
            conv("x", "a.weight", "", "c"),
            node("Softplus", &["c"], "u"),
            node("Erf", &["u"], "e"),
            node("Transpose", &["e"], "t"),
            node("MatMul", &["t", "b.weight"], "m"),
            node("Add", &["bias", "m"], "y"),
            node("Softmax", &["y"], "z"),
        ];
        let mut net = net_of(nodes, "z");
        net.set_floats("a.weight", &[2, 3, 1, 1], &[1.0; 6]);
        net.set_floats("b.weight", &[2, 4], &[1.0; 8]);
        net.set_floats("bias", &[4], &[1.0; 4]);
        let plan = Placement::new(&net, &[]).unwrap();
        let quantized: Vec<&str> = plan.quantized.iter().map(String::as_str).collect();
        assert_eq!(quantized, ["c", "e", "t", "x"]);
        assert_eq!(plan.layers[1].bias.as_deref(), Some("bias"));
        let reasons: Vec<(&str, bool)> = plan
            .stays
            .iter()
            .map(|s| (s.op_type.as_str(), s.reason.contains("by design")))
            .collect();
        assert_eq!(reasons, [("Softplus", false), ("Erf", true), ("Softmax", false)]);
    }
}
