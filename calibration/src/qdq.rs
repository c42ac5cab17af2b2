//! Writes the quantized graph: `QuantizeLinear` and `DequantizeLinear` around what works on integers.

use std::collections::{BTreeMap, BTreeSet};

use models::onnx::pb;

use crate::grid::Grid;
use crate::net::{Net, output};
use crate::placement::{Layer, Placement};
use crate::tensor;
use crate::weights::{QuantizedLayer, Shape};

/// How weights are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Codes and `DequantizeLinear`: the file.
    Codes,
    /// The values that the codes stand for: the same results in f32, quicker to run.
    Values,
}

/// Name of the codes of a tensor.
pub(crate) fn codes_of(tensor: &str) -> String {
    format!("{tensor}_quantized")
}

fn scale_of(tensor: &str) -> String {
    format!("{tensor}_scale")
}

fn zero_point_of(tensor: &str) -> String {
    format!("{tensor}_zero_point")
}

/// Name of the bias of a layer; one is made for a layer without.
fn bias_of(layer: &Layer) -> String {
    layer.bias.clone().unwrap_or_else(|| format!("{}_bias", layer.weight))
}

/// Name of a tensor behind its grid.
pub(crate) fn dequantized(tensor: &str) -> String {
    format!("{tensor}_dequantized")
}

/// The quantized graph. Grids are looked up by the first tensor of a group, layers by their weight: nodes may share a
/// name, but no two layers read one weight.
pub(crate) fn emit(
    net: &Net,
    placement: &Placement,
    grids: &BTreeMap<String, Grid>,
    layers: &BTreeMap<String, QuantizedLayer>,
    form: Form,
) -> pb::ModelProto {
    let mut writer = Writer { nodes: Vec::new(), weights: net.weights.clone(), form };
    let grid = |tensor: &str| {
        let root = placement.root(tensor).to_owned();
        let grid = grids.get(&root).filter(|_| placement.quantized.contains(tensor));
        grid.map(|g| (root, *g))
    };
    let links = net.links();
    let on_grid: BTreeSet<&String> = placement
        .quantized
        .iter()
        .filter(|t| grid(t.as_str()).is_some() && !links.readers(t).is_empty())
        .collect();
    let at: BTreeMap<usize, &Layer> = placement.layers.iter().map(|l| (l.node, l)).collect();
    let adds: BTreeMap<usize, &Layer> =
        placement.layers.iter().filter_map(|l| Some((l.add?, l))).collect();
    if let Some((root, grid)) = grid(&net.input) {
        writer.pair(&net.input, &root, grid);
    }
    for (position, node) in net.nodes.iter().enumerate() {
        let mut node = node.clone();
        for input in &mut node.input {
            if on_grid.contains(input) {
                *input = dequantized(input);
            }
        }
        if let Some((layer, quantized)) =
            at.get(&position).and_then(|l| Some((*l, layers.get(&l.weight)?)))
        {
            writer.weight(net, layer, quantized);
            // a MatMul has no third input; without an Add behind it there is no bias either
            if layer.add.is_none() && layer.op_type != "MatMul" {
                let bias = writer.bias(layer, quantized);
                node.input.truncate(2);
                node.input.push(bias);
            }
        }
        if let Some((layer, quantized)) =
            adds.get(&position).and_then(|l| Some((*l, layers.get(&l.weight)?)))
        {
            let bias = writer.bias(layer, quantized);
            for input in &mut node.input {
                if Some(&*input) == layer.bias.as_ref() {
                    input.clone_from(&bias);
                }
            }
        }
        let made = output(&node).to_owned();
        writer.nodes.push(node);
        if let Some((root, grid)) = grid(&made).filter(|_| on_grid.contains(&made)) {
            writer.pair(&made, &root, grid);
        }
    }
    net.assembled(writer.nodes, &writer.weights)
}

/// A tensor of the network with a name that the quantized graph gives to another.
pub(crate) fn taken(net: &Net, placement: &Placement) -> Option<String> {
    let stored = |name: &str| [codes_of(name), scale_of(name), zero_point_of(name)];
    let mut names: Vec<String> = Vec::new();
    for tensor in &placement.quantized {
        let root = placement.root(tensor);
        names.extend([codes_of(tensor), dequantized(tensor), scale_of(root), zero_point_of(root)]);
    }
    for layer in &placement.layers {
        names.extend(stored(&layer.weight));
        if layer.add.is_some() || layer.op_type != "MatMul" {
            names.extend(stored(&bias_of(layer)));
            names.extend(layer.bias.is_none().then(|| bias_of(layer)));
        }
    }
    let made: BTreeSet<&str> = net.nodes.iter().map(output).chain([net.input.as_str()]).collect();
    names.into_iter().find(|name| made.contains(name.as_str()) || net.is_weight(name))
}

struct Writer {
    nodes: Vec<pb::NodeProto>,
    weights: BTreeMap<String, pb::TensorProto>,
    form: Form,
}

impl Writer {
    fn store(&mut self, tensor: pb::TensorProto) {
        self.weights.insert(tensor.name.clone(), tensor);
    }

    /// `QuantizeLinear` and `DequantizeLinear` behind an activation.
    fn pair(&mut self, name: &str, root: &str, grid: Grid) {
        let (scale, zero) = (scale_of(root), zero_point_of(root));
        self.store(tensor::of_floats(&scale, &[], &[grid.scale]));
        self.store(tensor::of_u8(&zero, grid.zero_point));
        let codes = codes_of(name);
        self.nodes.push(tensor::node("QuantizeLinear", &[name, &scale, &zero], &codes));
        let behind = dequantized(name);
        self.nodes.push(tensor::node("DequantizeLinear", &[&codes, &scale, &zero], &behind));
    }

    /// The weight of a layer, under its own name.
    fn weight(&mut self, net: &Net, layer: &Layer, quantized: &QuantizedLayer) {
        let name = &layer.weight;
        let dims = net.weights.get(name).map(tensor::dims).unwrap_or_default();
        if self.form == Form::Values {
            let shape = Shape { dims: &dims, axis: layer.axis, groups: layer.groups };
            self.store(tensor::of_floats(name, &dims, &quantized.weights(shape)));
            return;
        }
        self.weights.remove(name);
        let codes = codes_of(name);
        self.store(tensor::of_i8(&codes, &dims, &quantized.codes));
        let channels = quantized.scales.len();
        let zeros = vec![0_i8; channels];
        let (scale, zero) = (scale_of(name), zero_point_of(name));
        self.store(tensor::of_floats(&scale, &[channels], &quantized.scales));
        self.store(tensor::of_i8(&zero, &[channels], &zeros));
        let axis = i64::try_from(layer.axis).unwrap_or(0);
        let node = tensor::node("DequantizeLinear", &[&codes, &scale, &zero], name);
        self.nodes.push(tensor::with_int(node, "axis", axis));
    }

    /// The bias of a layer, under its own name.
    fn bias(&mut self, layer: &Layer, quantized: &QuantizedLayer) -> String {
        let name = bias_of(layer);
        let channels = quantized.bias.len();
        if self.form == Form::Values {
            self.store(tensor::of_floats(&name, &[channels], &quantized.bias()));
            return name;
        }
        self.weights.remove(&name);
        let codes = codes_of(&name);
        let (scale, zero) = (scale_of(&name), zero_point_of(&name));
        self.store(tensor::of_i32(&codes, &[channels], &quantized.bias));
        self.store(tensor::of_floats(&scale, &[channels], &quantized.bias_scales));
        self.store(tensor::of_i32(&zero, &[channels], &vec![0; channels]));
        let node = tensor::node("DequantizeLinear", &[&codes, &scale, &zero], &name);
        self.nodes.push(tensor::with_int(node, "axis", 0));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tests::{conv, net_of};
    use crate::tensor::node;
    use crate::weights::{WeightRange, WeightSettings, quantize};

    #[test]
    fn a_convolution_reads_codes_and_makes_codes() {
        let nodes = vec![
            conv("x", "a.weight", "", "c"),
            node("Relu", &["c"], "r"),
            node("MaxPool", &["r"], "p"),
            conv("p", "b.weight", "", "y"),
        ];
        let mut net = net_of(nodes, "y");
        net.set_floats("a.weight", &[1, 3, 1, 1], &[1.0, 2.0, 3.0]);
        net.set_floats("b.weight", &[1, 1, 1, 1], &[1.0]);
        let plan = Placement::new(&net, &["b".to_owned()]).unwrap();
        let grid = Grid { scale: 0.5, zero_point: 3 };
        let grids =
            BTreeMap::from([("x".to_owned(), grid), ("r".to_owned(), Grid { scale: 2.0, ..grid })]);
        let shape = Shape { dims: &[1, 3, 1, 1], axis: 0, groups: 1 };
        let settings = WeightSettings { bits: 7, range: WeightRange::Max };
        let layer = quantize(&[1.0, 2.0, 3.0], shape, None, 0.5, None, settings);
        let layers = BTreeMap::from([("a.weight".to_owned(), layer)]);
        let graph = emit(&net, &plan, &grids, &layers, Form::Codes).graph.unwrap();
        let shown: Vec<String> = graph
            .node
            .iter()
            .map(|n| format!("{}({}) {}", n.op_type, n.input.join(" "), output(n)))
            .collect();
        let expected = [
            "QuantizeLinear(x x_scale x_zero_point) x_quantized",
            "DequantizeLinear(x_quantized x_scale x_zero_point) x_dequantized",
            "DequantizeLinear(a.weight_quantized a.weight_scale a.weight_zero_point) a.weight",
            "DequantizeLinear(a.weight_bias_quantized a.weight_bias_scale \
             a.weight_bias_zero_point) a.weight_bias",
            "Conv(x_dequantized a.weight a.weight_bias) c",
            "Relu(c) r",
            "QuantizeLinear(r r_scale r_zero_point) r_quantized",
            "DequantizeLinear(r_quantized r_scale r_zero_point) r_dequantized",
            "MaxPool(r_dequantized) p",
            // one grid for both sides of the pooling
            "QuantizeLinear(p r_scale r_zero_point) p_quantized",
            "DequantizeLinear(p_quantized r_scale r_zero_point) p_dequantized",
            "Conv(p_dequantized b.weight) y",
        ];
        assert_eq!(shown, expected);
        let stored: Vec<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
        assert!(!stored.contains(&"a.weight") && stored.contains(&"b.weight"), "{stored:?}");
        let values = emit(&net, &plan, &grids, &layers, Form::Values).graph.unwrap();
        assert_eq!(values.node.len(), expected.len() - 2, "no nodes for weights");
    }

    #[test]
    fn a_product_without_bias_gets_none() {
        let mut net = net_of(vec![node("MatMul", &["x", "a.weight"], "y")], "y");
        net.set_floats("a.weight", &[3, 2], &[1.0; 6]);
        let plan = Placement::new(&net, &[]).unwrap();
        let grids = BTreeMap::from([("x".to_owned(), Grid { scale: 0.5, zero_point: 3 })]);
        let shape = Shape { dims: &[3, 2], axis: 1, groups: 1 };
        let settings = WeightSettings { bits: 7, range: WeightRange::Max };
        let layer = quantize(&[1.0; 6], shape, None, 0.5, None, settings);
        let layers = BTreeMap::from([("a.weight".to_owned(), layer)]);
        for form in [Form::Codes, Form::Values] {
            let graph = emit(&net, &plan, &grids, &layers, form).graph.unwrap();
            let product = graph.node.last().unwrap();
            assert_eq!(product.input, ["x_dequantized", "a.weight"], "{form:?}");
        }
    }

    #[test]
    fn layers_whose_nodes_share_a_name_keep_their_own_weights() {
        let named = |node: pb::NodeProto| pb::NodeProto { name: "twice".to_owned(), ..node };
        let nodes = vec![named(conv("x", "v", "", "c")), named(conv("c", "w", "", "y"))];
        let mut net = net_of(nodes, "y");
        net.set_floats("v", &[1, 1, 1, 1], &[63.0]);
        net.set_floats("w", &[1, 1, 1, 1], &[-63.0]);
        let plan = Placement::new(&net, &[]).unwrap();
        assert_eq!((&*plan.layers[0].name, &*plan.layers[1].name), ("twice", "twice"));
        let grid = Grid { scale: 0.5, zero_point: 3 };
        let grids = BTreeMap::from(["x", "c", "y"].map(|name| (name.to_owned(), grid)));
        let shape = Shape { dims: &[1, 1, 1, 1], axis: 0, groups: 1 };
        let settings = WeightSettings { bits: 7, range: WeightRange::Max };
        let layer = |name: &str| {
            let (weight, _) = net.floats(name).unwrap();
            (name.to_owned(), quantize(&weight, shape, None, 0.5, None, settings))
        };
        let layers = BTreeMap::from([layer("v"), layer("w")]);
        let graph = emit(&net, &plan, &grids, &layers, Form::Codes).graph.unwrap();
        let codes = |name: &str| {
            let tensor = graph.initializer.iter().find(|t| t.name == name).unwrap();
            tensor.raw_data[0].cast_signed()
        };
        assert_eq!((codes("v_quantized"), codes("w_quantized")), (63, -63));
    }

    #[test]
    fn a_name_that_the_quantized_graph_needs_is_found_taken() {
        let taken_by = |scale: &str, between: &str| {
            let nodes = vec![
                conv("x", "w", "", "c"),
                node("Mul", &["c", scale], between),
                node("Softplus", &[between], "y"),
            ];
            let mut net = net_of(nodes, "y");
            net.set_floats("w", &[1, 3, 1, 1], &[1.0, 2.0, 3.0]);
            net.set_floats(scale, &[1], &[2.0]);
            taken(&net, &Placement::new(&net, &[]).unwrap())
        };
        assert_eq!(taken_by("gain", "m"), None);
        // the grid of the convolution's output, its codes, and the bias that it gets
        assert_eq!(taken_by("c_scale", "m").as_deref(), Some("c_scale"));
        assert_eq!(taken_by("gain", "c_quantized").as_deref(), Some("c_quantized"));
        assert_eq!(taken_by("w_bias", "m").as_deref(), Some("w_bias"));
    }
}
