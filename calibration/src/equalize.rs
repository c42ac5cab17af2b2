//! Cross-layer equalization: spreads the ranges of channels evenly over two convolutions in a row.
//!
//! With r1 the largest weight of an output channel of the first, r2 that of the same input channel of
//! the second convolution:
//!
//! ```text
//! s = sqrt(r1 r2) / r2      w1' = w1 / s      b1' = b1 / s      w2' = w2 s
//! ```
//!
//! `ReLU` between them commutes with positive factors, so the network computes the same (Nagel et
//! al., arXiv 1906.04721, section 4.1). With per-channel weights it serves the activation between
//! the two, whose channels share one grid.

use crate::net::Net;
use crate::placement::{self, Layer};
use crate::weights::Shape;

/// Factors are kept within this and its inverse, so that dead channels do not run away.
const MAX_FACTOR: f64 = 64.0;

/// Equalizes all pairs; gives their number.
pub(crate) fn equalize(net: &mut Net) -> usize {
    let links = net.links();
    let layers = placement::layers(net);
    let mut pairs = 0;
    for first in layers.iter().filter(|l| l.op_type == "Conv") {
        let reader = links.only_reader(&first.output).filter(|_| first.output != net.output);
        let second = layers.iter().find(|l| l.op_type == "Conv" && Some(l.node) == reader);
        if let Some(second) = second.filter(|l| l.input == first.output) {
            pairs += usize::from(pair(net, first, second));
        }
    }
    pairs
}

fn pair(net: &mut Net, first: &Layer, second: &Layer) -> bool {
    let (Some((mut w1, d1)), Some((mut w2, d2))) =
        (net.floats(&first.weight), net.floats(&second.weight))
    else {
        return false;
    };
    let one = Shape { dims: &d1, axis: 0, groups: first.groups };
    let two = Shape { dims: &d2, axis: 0, groups: second.groups };
    let channels = one.channels();
    if channels != two.inputs() {
        return false;
    }
    let (mut r1, mut r2) = (vec![0.0_f64; channels], vec![0.0_f64; channels]);
    for (i, &w) in w1.iter().enumerate() {
        let max = &mut r1[one.channel(i)];
        *max = max.max(f64::from(w.abs()));
    }
    for (i, &w) in w2.iter().enumerate() {
        let max = &mut r2[two.input_channel(i)];
        *max = max.max(f64::from(w.abs()));
    }
    let factors: Vec<f32> = r1
        .iter()
        .zip(&r2)
        .map(|(&a, &b)| {
            let factor = (a * b).sqrt() / b;
            let usable = factor.is_finite() && factor > 0.0;
            if usable { narrow(factor.clamp(1.0 / MAX_FACTOR, MAX_FACTOR)) } else { 1.0 }
        })
        .collect();
    for (i, w) in w1.iter_mut().enumerate() {
        *w /= factors[one.channel(i)];
    }
    for (i, w) in w2.iter_mut().enumerate() {
        *w *= factors[two.input_channel(i)];
    }
    if let Some(name) = &first.bias {
        let Some((mut bias, dims)) = net.floats(name) else { return false };
        bias.iter_mut().zip(&factors).for_each(|(b, f)| *b /= f);
        net.set_floats(name, &dims, &bias);
    }
    net.set_floats(&first.weight, &d1, &w1);
    net.set_floats(&second.weight, &d2, &w2);
    true
}

#[expect(clippy::cast_possible_truncation, reason = "factors of f32 weights")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tests::{conv, net_of};
    use crate::tensor::node;

    #[test]
    fn ranges_become_equal_and_the_product_stays() {
        let nodes = vec![
            conv("x", "a.weight", "a.bias", "c"),
            node("Relu", &["c"], "r"),
            conv("r", "b.weight", "", "y"),
        ];
        let mut net = net_of(nodes, "y");
        net.set_floats("a.weight", &[2, 1, 1, 1], &[8.0, 0.5]);
        net.set_floats("a.bias", &[2], &[4.0, 1.0]);
        net.set_floats("b.weight", &[1, 2, 1, 1], &[2.0, 2.0]);
        assert_eq!(equalize(&mut net), 1);
        let (a, b) = (net.floats("a.weight").unwrap().0, net.floats("b.weight").unwrap().0);
        // sqrt(8 * 2) = 4, sqrt(0.5 * 2) = 1
        for (found, expected) in a.iter().chain(&b).zip([4.0_f32, 1.0, 4.0, 1.0]) {
            assert!((found - expected).abs() < 1e-5, "{a:?} {b:?}");
        }
        let bias = net.floats("a.bias").unwrap().0;
        assert!((bias[0] - 2.0).abs() < 1e-5 && (bias[1] - 2.0).abs() < 1e-5, "{bias:?}");
    }

    #[test]
    fn depthwise_convolutions_are_equalized_and_branches_are_not() {
        let mut depthwise = conv("c", "b.weight", "", "y");
        depthwise = crate::tensor::with_int(depthwise, "group", 2);
        let mut net = net_of(vec![conv("x", "a.weight", "", "c"), depthwise], "y");
        net.set_floats("a.weight", &[2, 1, 1, 1], &[4.0, 1.0]);
        net.set_floats("b.weight", &[2, 1, 1, 1], &[1.0, 4.0]);
        assert_eq!(equalize(&mut net), 1);
        assert_eq!(net.floats("a.weight").unwrap().0, [2.0, 2.0]);
        assert_eq!(net.floats("b.weight").unwrap().0, [2.0, 2.0]);
        let nodes = vec![
            conv("x", "a.weight", "", "c"),
            conv("c", "b.weight", "", "d"),
            node("Add", &["c", "d"], "y"),
        ];
        assert_eq!(equalize(&mut net_of(nodes, "y")), 0);
    }
}
