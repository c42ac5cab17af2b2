//! Reads linear layers and convolutions: window, weights, scales, bias.

use kernels::layout::Window;

use crate::integer::codes::{Axes, Cells, Tensor};
use crate::integer::graph::{Coded, Graph, input, integer, number, optional_sizes, text};
use crate::integer::step::{Product, TensorId};
use crate::onnx::pb;

/// Weights of a layer that are too many to be those of a network for a camera.
const MAX_WEIGHTS: usize = 1 << 28;

/// A product as recognized, with the axes of its result, or why it was not.
pub(crate) type Found = Result<(Product, Cells, Axes), String>;

/// A `Conv` of a tensor of codes.
pub(crate) fn convolution(
    graph: &Graph<'_>,
    node: &pb::NodeProto,
    (id, tensor, axes): (TensorId, Tensor, Axes),
) -> Found {
    if axes != Axes::ChannelsFirst {
        return Err("expected channels first".to_owned());
    }
    let weights = weights(graph, node)?;
    let [n, per_group, rows, columns] = weights.dims[..] else {
        return Err(format!("expected weights with 4 axes, found {:?}", weights.dims));
    };
    let groups = integer(node, "group").unwrap_or(1);
    let c = tensor.cells.channels;
    let depthwise = groups > 1 && usize::try_from(groups) == Ok(c) && per_group == 1 && n == c;
    if !(depthwise || (groups == 1 && per_group == c)) {
        return Err(format!("expected 1 group or one a channel, found {groups} groups"));
    }
    let window = window(node, tensor.cells, [rows, columns])?;
    let [height, width] = window
        .output()
        .ok_or_else(|| format!("window {rows} x {columns} does not fit {:?}", tensor.cells))?;
    let at =
        |o: usize, y: usize, x: usize, k: usize| ((o * per_group + k) * rows + y) * columns + x;
    let count = n * per_group * rows * columns;
    let mut codes = Vec::with_capacity(count);
    for o in 0..n {
        for y in 0..rows {
            for x in 0..columns {
                for k in 0..per_group {
                    codes.push(signed(weights.steps(at(o, y, x, k)))?);
                }
            }
        }
    }
    let scales = scales(&weights, 0, n, tensor)?;
    let bias = match input(node, 2) {
        Some(name) => bias(graph, name, &scales)?,
        None => vec![0; n],
    };
    let product =
        Product { input: id, window, channels: n, depthwise, weights: codes, scales, bias };
    Ok((fitting(product)?, Cells { height, width, channels: n }, Axes::ChannelsFirst))
}

/// A `Gemm` or `MatMul` of a tensor of codes with a constant matrix.
pub(crate) fn linear(
    graph: &Graph<'_>,
    node: &pb::NodeProto,
    (id, tensor, axes): (TensorId, Tensor, Axes),
) -> Found {
    let cells = tensor.cells;
    let last = axes != Axes::ChannelsFirst;
    if !last {
        return Err("expected channels last".to_owned());
    }
    let weights = weights(graph, node)?;
    let [first, second] = weights.dims[..] else {
        return Err(format!("expected a matrix of weights, found {:?}", weights.dims));
    };
    let gemm = node.op_type == "Gemm";
    if gemm && (integer(node, "transA").unwrap_or(0) != 0 || axes != Axes::Rows) {
        return Err("expected rows of channels".to_owned());
    }
    let transposed = gemm && integer(node, "transB").unwrap_or(0) != 0;
    let (depth, n, axis) = if transposed { (second, first, 0) } else { (first, second, 1) };
    if depth != cells.channels {
        return Err(format!("expected {} weights a channel, found {depth}", cells.channels));
    }
    let at = |o: usize, k: usize| if transposed { o * depth + k } else { k * n + o };
    let mut codes = Vec::with_capacity(n * depth);
    for o in 0..n {
        for k in 0..depth {
            codes.push(signed(weights.steps(at(o, k)))?);
        }
    }
    let alpha = f64::from(if gemm { number(node, "alpha").unwrap_or(1.0) } else { 1.0 });
    let mut scales = scales(&weights, axis, n, tensor)?;
    scales.iter_mut().for_each(|s| *s *= alpha);
    if gemm && number(node, "beta").is_some_and(|b| b != 1.0) && input(node, 2).is_some() {
        return Err("expected beta = 1".to_owned());
    }
    let bias = match input(node, 2).filter(|_| gemm) {
        Some(name) => bias(graph, name, &scales)?,
        None => vec![0; n],
    };
    let window = Window {
        height: cells.height,
        width: cells.width,
        channels: cells.channels,
        kernel: [1, 1],
        stride: [1, 1],
        pads: [0; 4],
    };
    let product =
        Product { input: id, window, channels: n, depthwise: false, weights: codes, scales, bias };
    Ok((fitting(product)?, Cells { channels: n, ..cells }, axes))
}

fn fitting(product: Product) -> Result<Product, String> {
    let fits = product.fits();
    fits.then_some(product).ok_or_else(|| "sums with the bias may leave 32 bits".to_owned())
}

/// Window of a `Conv` or `MaxPool`.
pub(crate) fn window(
    node: &pb::NodeProto,
    cells: Cells,
    kernel: [usize; 2],
) -> Result<Window, String> {
    let two = |name: &str| -> Result<[usize; 2], String> {
        match optional_sizes(node, name)?.as_deref() {
            None => Ok([1, 1]),
            Some([a, b]) => Ok([*a, *b]),
            Some(other) => Err(format!("{name}: expected two numbers, found {other:?}")),
        }
    };
    if two("dilations")? != [1, 1] {
        return Err("dilated windows are not supported".to_owned());
    }
    if integer(node, "ceil_mode").unwrap_or(0) != 0 {
        return Err("ceil_mode is not supported".to_owned());
    }
    let stride = two("strides")?;
    let pads = match text(node, "auto_pad").unwrap_or("NOTSET") {
        "NOTSET" | "" => match optional_sizes(node, "pads")?.as_deref() {
            None => [0; 4],
            Some([top, left, bottom, right]) => [*top, *left, *bottom, *right],
            Some(other) => return Err(format!("pads: expected four numbers, found {other:?}")),
        },
        "VALID" => [0; 4],
        "SAME_UPPER" => {
            let side = |size: usize, axis: usize| {
                let out = size.div_ceil(stride[axis].max(1));
                let whole = (out.max(1) - 1) * stride[axis] + kernel[axis];
                let pad = whole.saturating_sub(size);
                (pad / 2, pad - pad / 2)
            };
            let ((top, bottom), (left, right)) = (side(cells.height, 0), side(cells.width, 1));
            [top, left, bottom, right]
        }
        other => return Err(format!("auto_pad {other} is not supported")),
    };
    let window = Window {
        height: cells.height,
        width: cells.width,
        channels: cells.channels,
        kernel,
        stride,
        pads,
    };
    if kernel.contains(&0) || stride.contains(&0) || window.output().is_none() {
        return Err(format!("window {kernel:?} with stride {stride:?} does not fit {cells:?}"));
    }
    Ok(window)
}

fn weights(graph: &Graph<'_>, node: &pb::NodeProto) -> Result<Coded, String> {
    let name = input(node, 1).ok_or("expected weights, found none")?;
    let weights = graph.coded(name).ok_or("weights are not constant codes")?;
    let limit = weights.codes.len() <= MAX_WEIGHTS;
    limit.then_some(weights).ok_or_else(|| format!("expected at most {MAX_WEIGHTS} weights"))
}

/// A weight without its zero point; those of `u8` weights with a zero point far from 128 need not fit.
fn signed(steps: i32) -> Result<i8, String> {
    i8::try_from(steps).ok().ok_or_else(|| {
        format!("expected weights within 128 steps of their zero point, found one at {steps}")
    })
}

/// Scale of the accumulators of each channel.
fn scales(weights: &Coded, axis: usize, n: usize, input: Tensor) -> Result<Vec<f64>, String> {
    let own = f64::from(input.quantization.scale());
    match weights.scales.len() {
        1 => Ok(vec![own * f64::from(weights.scales[0]); n]),
        count if count == n && weights.axis == axis => {
            Ok(weights.scales.iter().map(|s| own * f64::from(*s)).collect())
        }
        _ => Err(format!(
            "expected one scale an output channel, found scales along axis {}",
            weights.axis
        )),
    }
}

/// A constant in steps of the accumulators; a `DequantizeLinear` of `i32` with their scale gives back its codes.
pub(crate) fn bias(graph: &Graph<'_>, name: &str, scales: &[f64]) -> Result<Vec<i32>, String> {
    let (numbers, dims): (Vec<f64>, Vec<usize>) = match graph.coded(name) {
        Some(coded) => ((0..coded.codes.len()).map(|i| coded.number(i)).collect(), coded.dims),
        None => {
            let constant = graph.constant(name).ok_or("expected a constant bias")?;
            (constant.values.iter().map(|v| f64::from(*v)).collect(), constant.dims)
        }
    };
    let at = |i: usize| if numbers.len() == 1 { numbers[0] } else { numbers[i] };
    // along the channels: as many numbers along the rows of a `Gemm` are something else
    let each = numbers.len() == scales.len() && dims.last() == Some(&scales.len());
    if !each && numbers.len() != 1 {
        return Err(format!("expected {} biases, found shape {dims:?}", scales.len()));
    }
    scales.iter().enumerate().map(|(i, scale)| steps(at(i), *scale)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be within i32")]
fn steps(number: f64, scale: f64) -> Result<i32, String> {
    let steps = (number / scale).round_ties_even();
    let fits = steps.abs() <= f64::from(i32::MAX);
    fits.then_some(steps as i32).ok_or_else(|| format!("bias of {number}: too large for i32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, ints: &[i64]) -> pb::NodeProto {
        let attribute =
            pb::AttributeProto { name: name.to_owned(), ints: ints.to_vec(), ..Default::default() };
        pb::NodeProto { attribute: vec![attribute], ..Default::default() }
    }

    #[test]
    fn only_what_is_left_out_has_a_default() {
        let cells = Cells { height: 5, width: 5, channels: 3 };
        let pads = window(&node("pads", &[0, 1, 2, 3]), cells, [3, 3]).unwrap().pads;
        assert_eq!(pads, [0, 1, 2, 3]);
        assert_eq!(window(&node("axis", &[]), cells, [3, 3]).unwrap().stride, [1, 1]);
        for (name, ints) in [
            ("pads", &[-1, 0, 0, 0][..]),
            ("strides", &[-1, 1]),
            ("dilations", &[1, -2]),
            ("pads", &[1, 1]),
        ] {
            let problem = window(&node(name, ints), cells, [3, 3]).unwrap_err();
            assert!(problem.starts_with(&format!("{name}: expected")), "{problem}");
        }
    }

    #[test]
    fn a_product_fits_as_long_as_no_codes_bring_its_sums_out_of_32_bits() {
        let window = Window {
            height: 1,
            width: 1,
            channels: 2,
            kernel: [1, 1],
            stride: [1, 1],
            pads: [0; 4],
        };
        let product = |weights: [i8; 4], bias: [i32; 2]| Product {
            input: 0,
            window,
            channels: 2,
            depthwise: false,
            weights: weights.to_vec(),
            scales: vec![1.0; 2],
            bias: bias.to_vec(),
        };
        // 255 * (3 + 4) = 1785
        let room = i32::MAX - 1785;
        assert!(product([3, 4, -3, -4], [room, -room]).fits());
        assert!(!product([3, 4, -3, -4], [room + 1, 0]).fits());
        assert!(!product([3, 4, -3, -4], [0, -room - 1]).fits());
        assert!(product([0; 4], [i32::MAX, -i32::MAX]).fits());
    }
}
