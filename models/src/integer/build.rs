//! Packs weights and computes the factors of every requantization: from steps to layers.

use kernels::depthwise::DepthwiseWeights;
use kernels::layer_norm::LayerNorm;
use kernels::{CodeRange, Epilogue, PackedWeights, Quantization, Rescale, Residual};

use crate::integer::layer::Layer;
use crate::integer::step::{Affine, Bridge, Product, Quantized, Steps, Tail, Work};

type Built = Result<Layer, String>;

/// The layer that does a step.
pub(crate) fn layer(steps: &Steps, work: &Work, output: usize) -> Built {
    let quantization = |id: usize| steps.tensors[id].quantization;
    Ok(match work {
        Work::Quantize { .. } => Layer::Quantize {
            channels: steps.cells(output).channels,
            quantization: quantization(output),
        },
        Work::Product { product, first, tail } => {
            return self::product(steps, product, first.as_ref(), tail);
        }
        Work::Add { a, b, result } => Layer::Add {
            zero: quantization(*a).zero(),
            rule: residual(quantization(*a).scale().into(), true, quantization(*b), result),
        },
        Work::Affine { input, affine } => Layer::Affine {
            zero: quantization(*input).zero(),
            rule: rescale(quantization(*input), affine),
        },
        Work::Table { table, .. } => Layer::Table { table: kernels::Table::new(table) },
        Work::MaxPool { window, .. } => Layer::MaxPool { window: *window },
        Work::Mean { input, result } => {
            let from = quantization(*input);
            let steps_a_sum =
                f64::from(result.quantization.scale()) * as_f64(steps.cells(*input).count());
            Layer::Mean {
                zero: from.zero(),
                factor: to_f32(f64::from(from.scale()) / steps_a_sum),
                range: range(result),
            }
        }
        Work::Norm { input, weight, bias, eps, output } => Layer::Norm {
            norm: LayerNorm::new(weight, bias, *eps, quantization(*input), *output)
                .map_err(|e| e.to_string())?,
        },
    })
}

/// The layer that leads back to the numbers of the graph.
pub(crate) fn bridge(steps: &Steps, bridge: &Bridge) -> Built {
    match bridge {
        Bridge::Dequantize { input, channels_first, .. } => Ok(Layer::Dequantize {
            channels: steps.cells(*input).channels,
            quantization: steps.tensors[*input].quantization,
            channels_first: *channels_first,
        }),
        Bridge::Product { product, .. } => self::product(steps, product, None, &Tail::default()),
    }
}

fn product(steps: &Steps, product: &Product, first: Option<&Quantized>, tail: &Tail) -> Built {
    let input = steps.tensors[product.input].quantization;
    let zero = input.zero();
    // accumulators in steps of: the codes that follow, the sum that follows, or 1
    let after = first.or(tail.sum.as_ref().map(|s| &s.result));
    let step = after.map_or(1.0, |q| f64::from(q.quantization.scale()));
    let multipliers: Vec<f32> = product.scales.iter().map(|s| to_f32(s / step)).collect();
    if let Some(bad) = multipliers.iter().find(|m| !m.is_finite()) {
        return Err(format!("expected finite factors, found {bad}"));
    }
    let codes = after.map_or(CodeRange::of(0), range);
    let mut window = product.window;
    let text = |e: kernels::epilogue::LengthError| e.to_string();
    if product.depthwise {
        let [rows, columns] = window.kernel;
        let at = |c: usize, y: usize, x: usize| product.weights[(c * rows + y) * columns + x];
        let weights = DepthwiseWeights::new(product.channels, window.kernel, at)
            .map_err(|e| e.to_string())?;
        let mut epilogue =
            weights.epilogue(zero, &product.bias, &multipliers, codes).map_err(text)?;
        epilogue = add_tail(epilogue, steps, product, first, tail)?;
        return Ok(Layer::Depthwise { window, zero, weights, epilogue });
    }
    if window.is_direct() {
        // one row of cells: what a linear layer sees
        (window.height, window.width) = (1, window.height * window.width);
    }
    let (taps, depth) = window.taps();
    let at = |n: usize, tap: usize, k: usize| product.weights[(n * taps + tap) * depth + k];
    let weights =
        PackedWeights::new(product.channels, taps, depth, at).map_err(|e| e.to_string())?;
    let mut epilogue =
        Epilogue::new(&weights, zero, &product.bias, &multipliers, codes).map_err(text)?;
    epilogue = add_tail(epilogue, steps, product, first, tail)?;
    Ok(Layer::Product { window, zero, weights, epilogue })
}

fn add_tail(
    mut epilogue: Epilogue,
    steps: &Steps,
    product: &Product,
    first: Option<&Quantized>,
    tail: &Tail,
) -> Result<Epilogue, String> {
    if let Some(table) = &tail.table {
        epilogue = epilogue.with_table(table);
    }
    let mut own = first.map(|q| q.quantization);
    if let (Some(affine), Some(from)) = (&tail.affine, own) {
        epilogue = epilogue
            .with_rescale(product.channels, rescale(from, affine))
            .map_err(|e| e.to_string())?;
        own = Some(affine.result.quantization);
    }
    if let Some(sum) = &tail.sum {
        let other = steps.tensors[sum.other].quantization;
        let (scale, rounded) = match own {
            Some(own) => (f64::from(own.scale()), true),
            None => (f64::from(sum.result.quantization.scale()), false),
        };
        epilogue = epilogue.with_residual(residual(scale, rounded, other, &sum.result));
    }
    Ok(epilogue)
}

fn residual(own: f64, rounded: bool, other: Quantization, result: &Quantized) -> Residual {
    let scale = f64::from(result.quantization.scale());
    Residual {
        own: to_f32(own / scale),
        rounded,
        other: to_f32(f64::from(other.scale()) / scale),
        other_zero: other.zero(),
        range: range(result),
    }
}

fn rescale(from: Quantization, affine: &Affine) -> Rescale {
    let scale = f64::from(affine.result.quantization.scale());
    let own = f64::from(from.scale());
    Rescale {
        factors: affine.factors.iter().map(|f| to_f32(f * own / scale)).collect(),
        offsets: affine.offsets.iter().map(|o| to_f32(o / scale)).collect(),
        range: range(&affine.result),
    }
}

/// Quantization is monotone, so that limits on numbers are limits on codes.
fn range(result: &Quantized) -> CodeRange {
    let code = |limit: f32| result.quantization.quantize(limit);
    let (low, high) = (code(result.limits.low), code(result.limits.high));
    CodeRange::within(result.quantization.zero(), low, high)
}

#[expect(clippy::cast_possible_truncation, reason = "factors are f32 by definition")]
const fn to_f32(number: f64) -> f32 {
    number as f32
}

#[expect(clippy::cast_precision_loss, reason = "cells are far below 2^53")]
const fn as_f64(count: usize) -> f64 {
    count as f64
}
