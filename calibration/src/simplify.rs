//! Folds what needs no node of its own into weights: batch norm into convolutions, layer scale into the
//! linear layer or convolution before it.
//!
//! ```text
//! batch norm    w' = w g / sqrt(v + eps)      b' = (b - m) g / sqrt(v + eps) + s       a channel
//! layer scale   w' = w c                      b' = b c
//! ```
//!
//! All in f64, rounded to f32 once.

use std::collections::{BTreeSet, HashMap};

use models::onnx::pb;
use serde::Serialize;

use crate::net::{Links, Net, input, output};
use crate::tensor;

/// Default of the attribute `epsilon` of `BatchNormalization`.
const EPSILON: f32 = 1e-5;

/// What was folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Folded {
    /// Batch norms.
    pub batch_norms: usize,
    /// Scales of the channels behind a linear layer or convolution.
    pub layer_scales: usize,
}

/// Factor and summand of each channel.
pub(crate) struct Affine {
    pub(crate) factor: Vec<f64>,
    pub(crate) summand: Vec<f64>,
}

/// Folds all that can be folded.
pub(crate) fn simplify(net: &mut Net) -> Folded {
    let mut folded = Folded::default();
    let (mut aliases, mut gone) = (HashMap::new(), BTreeSet::new());
    let links = net.links();
    for at in 0..net.nodes.len() {
        let node = net.nodes[at].clone();
        if output(&node) == net.output {
            continue;
        }
        let passed = match node.op_type.as_str() {
            "BatchNormalization" => fold_batch_norm(net, &links, &node),
            "Mul" => fold_scale(net, &links, &node),
            _ => None,
        };
        let Some(source) = passed else { continue };
        match node.op_type.as_str() {
            "Mul" => folded.layer_scales += 1,
            _ => folded.batch_norms += 1,
        }
        aliases.insert(output(&node).to_owned(), source);
        gone.insert(at);
    }
    net.bypass(&aliases, &gone);
    folded
}

/// Where a layer keeps its bias, and along which axis of its weight the output channels run.
pub(crate) struct Target {
    pub(crate) node: usize,
    /// The `Add` behind a `MatMul`.
    add: Option<usize>,
    axis: usize,
}

/// The convolution or linear layer that alone makes a tensor.
pub(crate) fn target(net: &Net, links: &Links, name: &str) -> Option<Target> {
    let at = links.maker(name)?;
    let node = net.nodes.get(at)?;
    let weighted = |n: &pb::NodeProto| net.is_weight(input(n, 1));
    match node.op_type.as_str() {
        "Conv" if weighted(node) => Some(Target { node: at, add: None, axis: 0 }),
        "Gemm" if weighted(node) => {
            let axis = usize::from(tensor::int(node, "transB", 0) == 0);
            Some(Target { node: at, add: None, axis })
        }
        "MatMul" if weighted(node) => Some(Target { node: at, add: None, axis: 1 }),
        "Add" => {
            let (bias, product) = constant_and_other(net, node)?;
            let made = links.maker(&product)?;
            let matmul = net.nodes.get(made).filter(|n| n.op_type == "MatMul" && weighted(n))?;
            let (_, dims) = net.floats(input(matmul, 1))?;
            let (values, _) = net.floats(&bias)?;
            let fits = dims.get(1) == Some(&values.len());
            (fits && links.only_reader(&product).is_some()).then_some(Target {
                node: made,
                add: Some(at),
                axis: 1,
            })
        }
        _ => None,
    }
}

/// Names of the constant and of the variable input of a node with two.
pub(crate) fn constant_and_other(net: &Net, node: &pb::NodeProto) -> Option<(String, String)> {
    let (a, b) = (input(node, 0), input(node, 1));
    match (net.is_weight(a), net.is_weight(b)) {
        (true, false) => Some((a.to_owned(), b.to_owned())),
        (false, true) => Some((b.to_owned(), a.to_owned())),
        _ => None,
    }
}

fn fold_batch_norm(net: &mut Net, links: &Links, node: &pb::NodeProto) -> Option<String> {
    let source = input(node, 0).to_owned();
    links.only_reader(&source)?;
    let at = links.maker(&source)?;
    let target = target(net, links, &source).filter(|_| net.nodes[at].op_type == "Conv")?;
    let read = |i: usize| net.floats(input(node, i)).map(|(values, _)| values);
    let (gamma, beta, mean, variance) = (read(1)?, read(2)?, read(3)?, read(4)?);
    let eps = f64::from(tensor::float(node, "epsilon", EPSILON));
    let channels = gamma.iter().zip(&beta).zip(mean.iter().zip(&variance));
    let (mut factor, mut summand) = (Vec::new(), Vec::new());
    for ((&g, &s), (&m, &v)) in channels {
        let scale = f64::from(g) / (f64::from(v) + eps).sqrt();
        factor.push(scale);
        summand.push(f64::from(m).mul_add(-scale, f64::from(s)));
    }
    apply(net, &target, &Affine { factor, summand }).then_some(source)
}

fn fold_scale(net: &mut Net, links: &Links, node: &pb::NodeProto) -> Option<String> {
    let (scale, source) = constant_and_other(net, node)?;
    let (values, dims) = net.floats(&scale)?;
    // the axis that is not 1, counted from the end: it must be that of the channels
    let axes: Vec<usize> = (0..dims.len()).filter(|&a| dims[a] > 1).collect();
    let from_end = match axes[..] {
        [axis] => dims.len() - axis,
        _ => return None,
    };
    let mut name = source.clone();
    links.only_reader(&name)?;
    let turn = links.maker(&name).map(|i| &net.nodes[i]).filter(|n| n.op_type == "Transpose");
    let perm = turn.map(|n| tensor::ints(n, "perm"));
    if let Some(turn) = turn {
        name = input(turn, 0).to_owned();
        links.only_reader(&name)?;
    }
    let target = target(net, links, &name)?;
    let convolution = net.nodes[target.node].op_type == "Conv";
    let expected = match perm.as_deref() {
        Some([0, 3, 1, 2]) if !convolution => 3,
        Some([0, 2, 3, 1]) if convolution => 1,
        None if convolution => 3,
        None => 1,
        Some(_) => return None,
    };
    if from_end != expected {
        return None;
    }
    let factor: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
    let summand = vec![0.0; factor.len()];
    apply(net, &target, &Affine { factor, summand }).then_some(source)
}

/// Applies a factor and a summand to every output channel; false if their number does not fit.
pub(crate) fn apply(net: &mut Net, target: &Target, affine: &Affine) -> bool {
    let node = net.nodes[target.node].clone();
    let Some((mut weight, dims)) = net.floats(input(&node, 1)) else { return false };
    let channels = affine.factor.len();
    if dims.get(target.axis) != Some(&channels) {
        return false;
    }
    let inner: usize = dims[target.axis + 1..].iter().product();
    for (i, w) in weight.iter_mut().enumerate() {
        *w = narrow(f64::from(*w) * affine.factor[i / inner.max(1) % channels]);
    }
    let bias_name = match target.add {
        Some(add) => constant_and_other(net, &net.nodes[add]).map(|(bias, _)| bias),
        None => Some(input(&node, 2).to_owned()).filter(|name| !name.is_empty()),
    };
    let bias = bias_name.as_deref().and_then(|name| net.floats(name)).map(|(values, _)| values);
    if bias_name.is_some() && bias.as_ref().is_none_or(|b| b.len() != channels) {
        return false;
    }
    let moves = affine.summand.iter().any(|&s| s != 0.0);
    let old = bias.unwrap_or_else(|| vec![0.0; channels]);
    let shifted: Vec<f32> = old
        .iter()
        .zip(affine.factor.iter().zip(&affine.summand))
        .map(|(&b, (f, s))| narrow(f64::from(b).mul_add(*f, *s)))
        .collect();
    net.set_floats(input(&node, 1), &dims, &weight);
    match (bias_name, node.op_type.as_str()) {
        (Some(name), _) => net.set_floats(&name, &[channels], &shifted),
        (None, "Conv" | "Gemm") if moves => {
            let mut name = format!("{}_bias", input(&node, 1));
            while net.is_weight(&name) {
                name.push('_');
            }
            net.set_floats(&name, &[channels], &shifted);
            net.nodes[target.node].input.truncate(2);
            net.nodes[target.node].input.push(name);
        }
        _ => {}
    }
    true
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tests::{conv, net_of};
    use crate::tensor::node;

    #[test]
    fn batch_norm_goes_into_the_convolution() {
        let norm = node("BatchNormalization", &["c", "g", "s", "m", "v"], "n");
        let relu = node("Relu", &["n"], "y");
        let mut net = net_of(vec![conv("x", "w", "", "c"), norm, relu], "y");
        net.set_floats("w", &[2, 1, 1, 2], &[1.0, 2.0, 3.0, 4.0]);
        for (name, values) in
            [("g", [2.0, 1.0]), ("s", [0.5, 0.0]), ("m", [1.0, -1.0]), ("v", [4.0, 0.25])]
        {
            net.set_floats(name, &[2], &values);
        }
        let folded = simplify(&mut net);
        assert_eq!(folded, Folded { batch_norms: 1, layer_scales: 0 });
        assert_eq!(net.nodes.len(), 2);
        assert_eq!(net.nodes[1].input, ["c"]);
        let (w, _) = net.floats("w").unwrap();
        let (b, _) = net.floats("w_bias").unwrap();
        for (found, expected) in w.iter().zip([1.0_f32, 2.0, 6.0, 8.0]) {
            assert!((found - expected).abs() < 1e-3, "{w:?}");
        }
        // 0.5 - 1 * 2 / 2 and 0 + 1 / 0.5
        assert!((b[0] + 0.5).abs() < 1e-3 && (b[1] - 2.0).abs() < 1e-3, "{b:?}");
    }

    #[test]
    fn a_bias_that_is_made_takes_the_place_of_no_other_weight() {
        let nodes = vec![
            conv("x", "w", "", "c"),
            node("BatchNormalization", &["c", "one", "s", "zero", "one"], "n"),
            node("Mul", &["n", "w_bias"], "m"),
            node("Relu", &["m"], "y"),
        ];
        let mut net = net_of(nodes, "y");
        net.set_floats("w", &[1, 1, 1, 1], &[1.0]);
        for (name, value) in [("one", 1.0), ("zero", 0.0), ("s", 3.0), ("w_bias", 7.0)] {
            net.set_floats(name, &[1], &[value]);
        }
        assert_eq!(simplify(&mut net).batch_norms, 1);
        assert_eq!(net.nodes[0].input, ["x", "w", "w_bias_"]);
        assert_eq!(net.floats("w_bias_").unwrap().0, [3.0]);
        assert_eq!(net.floats("w_bias").unwrap().0, [7.0]);
    }

    #[test]
    fn layer_scale_goes_through_the_transpose_into_the_linear_layer() {
        let mut turn = node("Transpose", &["a"], "t");
        turn.attribute.push(pb::AttributeProto {
            name: "perm".into(),
            r#type: 7,
            ints: vec![0, 3, 1, 2],
            ..Default::default()
        });
        let nodes = vec![
            node("MatMul", &["x", "w"], "p"),
            node("Add", &["b", "p"], "a"),
            turn,
            node("Mul", &["scale", "t"], "m"),
            node("Relu", &["m"], "y"),
        ];
        let mut net = net_of(nodes, "y");
        net.set_floats("w", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        net.set_floats("b", &[2], &[1.0, 1.0]);
        net.set_floats("scale", &[2, 1, 1], &[10.0, 0.5]);
        let mut other = net.clone();
        assert_eq!(simplify(&mut net).layer_scales, 1);
        assert_eq!(net.floats("w").unwrap().0, [10.0, 1.0, 30.0, 2.0, 50.0, 3.0]);
        assert_eq!(net.floats("b").unwrap().0, [10.0, 0.5]);
        assert_eq!(net.nodes.last().unwrap().input, ["t"]);
        // along another axis it is no scale of channels
        other.set_floats("scale", &[2], &[10.0, 0.5]);
        assert_eq!(simplify(&mut other).layer_scales, 0);
        assert_eq!(other.nodes.len(), 5);
    }
}
