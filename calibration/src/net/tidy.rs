//! What exporters write in many ways, made one: constants, nodes that do nothing, names, and weights that layers share.

use std::collections::{BTreeSet, HashMap};

use models::onnx::{self, element, pb};

use super::Net;

impl Net {
    /// Makes `Constant` nodes weights.
    pub(super) fn lift_constants(&mut self) {
        let mut gone = BTreeSet::new();
        for (i, node) in self.nodes.iter().enumerate() {
            if let (Some(value), [output]) = (onnx::constant_value(node), node.output.as_slice()) {
                let mut tensor = value.into_owned();
                tensor.name.clone_from(output);
                self.weights.insert(output.clone(), tensor);
                gone.insert(i);
            }
        }
        self.bypass(&HashMap::new(), &gone);
    }

    /// Removes nodes that only pass on what they read, unless they name the output.
    pub(super) fn drop_passing(&mut self) {
        let (mut aliases, mut gone) = (HashMap::new(), BTreeSet::new());
        for (i, node) in self.nodes.iter().enumerate() {
            let (Some(input), Some(output)) = (node.input.first(), node.output.first()) else {
                continue;
            };
            if matches!(node.op_type.as_str(), "Identity" | "Dropout") && *output != self.output {
                aliases.insert(output.clone(), input.clone());
                gone.insert(i);
            }
        }
        self.bypass(&aliases, &gone);
    }

    /// Names the nodes that have no name.
    pub(super) fn name_nodes(&mut self) {
        for node in &mut self.nodes {
            if node.name.is_empty() {
                let output = node.output.first().map_or("", String::as_str);
                node.name = format!("{output}_{}", node.op_type);
            }
        }
    }

    /// Gives each layer its own copy of weights and biases, since folding and quantization change them. Exporters store
    /// equal tensors once, so that a norm may read the same zeros as a layer: what it reads stays what it is.
    pub(super) fn unshare_weights(&mut self) {
        let of_layer = |node: &pb::NodeProto| match node.op_type.as_str() {
            "Conv" | "Gemm" | "MatMul" => 1,
            "Add" => 0, // the bias of a MatMul
            _ => usize::MAX,
        };
        let others = self.nodes.iter().flat_map(|n| n.input.iter().take(of_layer(n)));
        let mut seen: HashMap<String, usize> = others.map(|name| (name.clone(), 1)).collect();
        let made: BTreeSet<String> =
            self.nodes.iter().flat_map(|node| node.output.iter().cloned()).collect();
        for node in &mut self.nodes {
            let first = of_layer(node);
            for input in node.input.iter_mut().skip(first) {
                let Some(tensor) = self.weights.get(input.as_str()) else { continue };
                let count = seen.entry(input.clone()).or_insert(0);
                *count += 1;
                if *count > 1 && tensor.data_type == element::FLOAT {
                    let mut copy = tensor.clone();
                    copy.name = format!("{input}_{count}");
                    // exporters number their weights in the same way
                    while self.weights.contains_key(&copy.name) || made.contains(&copy.name) {
                        copy.name.push_str("_copy");
                    }
                    input.clone_from(&copy.name);
                    self.weights.insert(copy.name.clone(), copy);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::input;
    use super::super::tests::{conv, net_of, proto_of};
    use super::*;
    use crate::tensor::node;

    #[test]
    fn nodes_that_do_nothing_go_and_shared_weights_part() {
        let nodes = vec![
            node("Identity", &["x"], "i"),
            conv("i", "w", "", "a"),
            node("Dropout", &["a"], "d"),
            conv("d", "w", "", "b"),
            node("Identity", &["b"], "y"),
        ];
        let mut proto = proto_of(nodes, "y");
        proto.graph.as_mut().unwrap().initializer =
            vec![crate::tensor::of_floats("w", &[1, 1, 1, 1], &[2.0])];
        let net = Net::new(proto, "test").unwrap();
        let inputs: Vec<&str> =
            net.nodes.iter().flat_map(|n| n.input.iter().map(String::as_str)).collect();
        // the last one names the output and stays
        assert_eq!(inputs, ["x", "w", "a", "w_2", "b"]);
        assert_eq!(net.to_proto().graph.unwrap().initializer.len(), 2);
        assert_eq!(net.opset(), 17);
        let links = net.links();
        assert_eq!(
            (links.maker("a"), links.only_reader("a"), links.readers("x").len()),
            (Some(0), Some(1), 1)
        );
    }

    #[test]
    fn what_a_norm_reads_as_well_stays_what_it_is() {
        let nodes = vec![
            conv("x", "w", "zeros", "a"),
            node("LayerNormalization", &["a", "ones", "zeros"], "n"),
            node("MatMul", &["n", "m"], "p"),
            node("Add", &["p", "zeros"], "y"),
        ];
        let mut proto = proto_of(nodes, "y");
        proto.graph.as_mut().unwrap().initializer = vec![
            crate::tensor::of_floats("w", &[2, 3, 1, 1], &[1.0; 6]),
            crate::tensor::of_floats("ones", &[2], &[1.0; 2]),
            crate::tensor::of_floats("m", &[2, 2], &[1.0; 4]),
            crate::tensor::of_floats("zeros", &[2], &[0.0; 2]),
        ];
        let net = Net::new(proto, "test").unwrap();
        let biases = [input(&net.nodes[0], 2), input(&net.nodes[3], 1)];
        assert_eq!(biases, ["zeros_2", "zeros_3"]);
        assert_eq!(input(&net.nodes[1], 2), "zeros");
        assert_eq!(input(&net.nodes[0], 1), "w", "nobody else reads it");
        assert_eq!(net.floats("zeros_2"), net.floats("zeros"));
    }

    #[test]
    fn constants_become_weights_whichever_attribute_has_them() {
        let mut one = node("Constant", &[], "one");
        one.attribute.push(pb::AttributeProto {
            name: "value_float".to_owned(),
            f: 1.5,
            ..Default::default()
        });
        let net =
            net_of(vec![one, node("Mul", &["x", "one"], "m"), node("Relu", &["m"], "y")], "y");
        assert_eq!(net.nodes.len(), 2);
        assert_eq!(net.floats("one"), Some((vec![1.5], vec![])));
    }

    #[test]
    fn a_copy_of_a_shared_weight_takes_the_name_of_no_other() {
        let nodes = vec![
            conv("x", "w", "", "a"),
            conv("a", "w_2", "", "b"),
            conv("b", "w", "", "w_2_copy"),
            conv("w_2_copy", "w_2", "", "y"),
        ];
        let mut proto = proto_of(nodes, "y");
        let weight = |name, value| crate::tensor::of_floats(name, &[1, 1, 1, 1], &[value]);
        proto.graph.as_mut().unwrap().initializer = vec![weight("w", 2.0), weight("w_2", 3.0)];
        let net = Net::new(proto, "test").unwrap();
        let values: Vec<Vec<f32>> =
            net.nodes.iter().map(|n| net.floats(input(n, 1)).unwrap().0).collect();
        assert_eq!(values, [[2.0], [3.0], [2.0], [3.0]]);
        let names: BTreeSet<&str> = net.nodes.iter().map(|n| input(n, 1)).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(!names.contains("w_2_copy"), "{names:?}");
    }
}
