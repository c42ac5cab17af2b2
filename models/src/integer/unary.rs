//! Elementwise functions with constant parameters, computed for each of 256 codes.
//!
//! Every operation rounds to f32, as the runtime would.

use crate::integer::graph::{Graph, input, number};
use crate::onnx::pb;

/// The numbers that 256 codes stand for.
pub(crate) type Numbers = Box<[f32; 256]>;

/// The numbers that the codes of a tensor stand for.
pub(crate) fn identity(quantization: kernels::Quantization) -> Numbers {
    Box::new(std::array::from_fn(|i| quantization.dequantize(u8::try_from(i).unwrap_or(u8::MAX))))
}

/// The function that a node applies to its one variable input, at `position`.
pub(crate) fn apply(
    graph: &Graph<'_>,
    node: &pb::NodeProto,
    position: usize,
    x: &Numbers,
) -> Option<Numbers> {
    let constant = |i: usize| graph.scalar(input(node, i)?);
    let attribute = |name: &str, default: f32| number(node, name).unwrap_or(default);
    let map = |f: &dyn Fn(f32) -> f32| Some(Box::new(x.map(f)));
    let binary = |f: &dyn Fn(f32, f32) -> f32| {
        let other = constant(1 - position)?;
        Some(Box::new(if position == 0 { x.map(|v| f(v, other)) } else { x.map(|v| f(other, v)) }))
    };
    match node.op_type.as_str() {
        "Add" => binary(&|a, b| a + b),
        "Sub" => binary(&|a, b| a - b),
        "Mul" => binary(&|a, b| a * b),
        "Div" => binary(&|a, b| a / b),
        "Pow" if position == 0 => binary(&f32::powf),
        "Relu" | "Clip" => {
            let limits = limits(graph, node)?;
            map(&|v| v.max(limits.0).min(limits.1))
        }
        "Erf" => map(&erf),
        "Gelu" => {
            let tanh = crate::integer::graph::text(node, "approximate") == Some("tanh");
            map(&if tanh { gelu_tanh } else { gelu })
        }
        "FastGelu" if node.input.len() == 1 => map(&gelu_tanh),
        "Sigmoid" => map(&|v| 1.0 / (1.0 + (-v).exp())),
        "Tanh" => map(&f32::tanh),
        "Exp" => map(&f32::exp),
        "Sqrt" => map(&f32::sqrt),
        "Neg" => map(&|v: f32| -v),
        "Abs" => map(&f32::abs),
        "Reciprocal" => map(&|v: f32| 1.0 / v),
        "Softplus" => map(&softplus),
        "HardSwish" => map(&|v: f32| v * (v / 6.0 + 0.5).clamp(0.0, 1.0)),
        "HardSigmoid" => {
            let (alpha, beta) = (attribute("alpha", 0.2), attribute("beta", 0.5));
            map(&|v: f32| (v * alpha + beta).clamp(0.0, 1.0))
        }
        "LeakyRelu" => {
            let alpha = attribute("alpha", 0.01);
            map(&|v: f32| if v < 0.0 { v * alpha } else { v })
        }
        "Elu" => {
            let alpha = attribute("alpha", 1.0);
            map(&|v: f32| if v < 0.0 { alpha * v.exp_m1() } else { v })
        }
        _ => None,
    }
}

/// The function that a node makes of two functions of the same code.
pub(crate) fn combine(op: &str, a: &Numbers, b: &Numbers) -> Option<Numbers> {
    let f: fn(f32, f32) -> f32 = match op {
        "Add" => |a, b| a + b,
        "Sub" => |a, b| a - b,
        "Mul" => |a, b| a * b,
        "Div" => |a, b| a / b,
        _ => return None,
    };
    Some(Box::new(std::array::from_fn(|i| f(a[i], b[i]))))
}

/// Lower and upper limit of `Relu` or `Clip`.
pub(crate) fn limits(graph: &Graph<'_>, node: &pb::NodeProto) -> Option<(f32, f32)> {
    if node.op_type == "Relu" {
        return Some((0.0, f32::INFINITY));
    }
    let limit = |position: usize, name: &str, default: f32| match input(node, position) {
        Some(tensor) => graph.scalar(tensor),
        None => Some(number(node, name).unwrap_or(default)),
    };
    let (low, high) = (limit(1, "min", f32::NEG_INFINITY)?, limit(2, "max", f32::INFINITY)?);
    (low <= high).then_some((low, high))
}

/// `ln(1 + e^x)`, without the overflow of the power.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn gelu(x: f32) -> f32 {
    x * 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

fn gelu_tanh(x: f32) -> f32 {
    /// sqrt(2 / pi)
    const FACTOR: f32 = 0.797_884_6;
    0.5 * x * (1.0 + (FACTOR * (x + 0.044_715 * x * x * x)).tanh())
}

/// Error function, within 1.2e-7 (Numerical Recipes, 3rd edition, section 6.2.2: Chebyshev fit of erfc, `erfccheb`
/// in its short form), rounded to f32.
#[expect(clippy::cast_possible_truncation, reason = "the result is to be f32")]
pub(crate) fn erf(x: f32) -> f32 {
    const COEFFICIENTS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let x = f64::from(x);
    let t = 1.0 / (1.0 + 0.5 * x.abs());
    let polynomial = COEFFICIENTS.iter().rev().fold(0.0, |sum, c| sum * t + c);
    let complement = t * (polynomial - x * x).exp();
    (if x < 0.0 { complement - 1.0 } else { 1.0 - complement }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_function_at_known_values() {
        // DLMF table 7.23: erf(0.5), erf(1), erf(2)
        for (x, expected) in [(0.5, 0.520_499_88), (1.0, 0.842_700_79), (2.0, 0.995_322_27)] {
            assert!((f64::from(erf(x)) - expected).abs() < 3e-7, "erf({x}) = {}", erf(x));
            assert!((f64::from(erf(-x)) + expected).abs() < 3e-7, "erf(-{x})");
        }
        assert!(erf(0.0).abs() < 3e-7);
        assert!((softplus(0.5) - 0.5_f32.exp().ln_1p()).abs() < 1e-6);
        assert!((softplus(200.0) - 200.0).abs() < 1e-4, "{}", softplus(200.0));
        assert!(softplus(-200.0).abs() < 1e-6);
        assert!((gelu(1.0) - 0.841_344_7).abs() < 1e-6);
    }
}
