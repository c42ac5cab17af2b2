//! What a quantized graph means, in f64, with a bound on what an execution in f32 or in integers may be off by.
//!
//! Every number is computed from the codes that the execution at hand has given one layer before. So nothing has to
//! be said about how a code that fell on the other side of a tie moves those after it: a layer starts from what was
//! really there, and its own codes are right if each is a rounding of the number that is meant,
//!
//! ```text
//! |code - zero - clamp(x / scale)| <= 1/2 + bound / scale + 2 u |x / scale|
//! ```
//!
//! with u = 2^-24, the unit roundoff of f32. Where x / scale is that near to a tie, two codes are right; everywhere
//! else one. The bounds are those of Higham, Accuracy and Stability of Numerical Algorithms (2nd edition), section 3.1:
//!
//! ```text
//! sum of n products, in any order   gamma(n + 4) sum |a b|       gamma(k) = k u / (1 - k u)
//! constant, sum, product            3 u for each term            two factors that were rounded, and the operation
//! bias in steps of accumulators     half an accumulator step     the integers' own rounding, see `integer::product`
//! error function                    as its implementation says   times its slope for what comes in
//! ```
//!
//! The 4 are what may be rounded of a term before it is added: both factors, their scale, and their product.

use std::collections::BTreeMap;

use crate::onnx::{element, pb};

/// Unit roundoff of f32.
pub(super) const U: f64 = 1.0 / 16_777_216.0;

/// A tensor of exact numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    pub(super) dims: Vec<usize>,
    pub(super) values: Vec<f64>,
    /// How far an execution may be off.
    pub(super) bounds: Vec<f64>,
    /// Step of each number: of its codes, or of the accumulator that it came from; 0 for others.
    pub(super) steps: Vec<f64>,
}

impl Numbers {
    pub(super) fn exact(dims: Vec<usize>, values: Vec<f64>, step: f64) -> Self {
        let (bounds, steps) = (vec![0.0; values.len()], vec![step; values.len()]);
        Self { dims, values, bounds, steps }
    }

    fn of(dims: Vec<usize>, elements: Vec<Element>) -> Self {
        Self {
            dims,
            values: elements.iter().map(|e| e.value).collect(),
            bounds: elements.iter().map(|e| e.bound).collect(),
            steps: elements.iter().map(|e| e.step).collect(),
        }
    }

    fn at(&self, i: usize) -> Element {
        Element { value: self.values[i], bound: self.bounds[i], step: self.steps[i] }
    }

    fn map(&self, f: impl Fn(Element) -> Element) -> Self {
        Self::of(self.dims.clone(), (0..self.values.len()).map(|i| f(self.at(i))).collect())
    }

    /// Position of the element of this tensor that broadcasts to a position in a tensor of the shape `dims`.
    fn broadcast(&self, dims: &[usize], mut position: usize) -> usize {
        let (mut own, mut stride) = (0, 1);
        for (back, &size) in dims.iter().rev().enumerate() {
            let here = self.dims.len().checked_sub(back + 1).map_or(1, |axis| self.dims[axis]);
            own += if here == 1 { 0 } else { position % size * stride };
            stride *= here;
            position /= size;
        }
        own
    }
}

#[derive(Clone, Copy)]
struct Element {
    value: f64,
    bound: f64,
    step: f64,
}

impl Element {
    const fn new(value: f64, bound: f64) -> Self {
        Self { value, bound, step: 0.0 }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few terms")]
fn gamma(terms: usize) -> f64 {
    let k = terms as f64;
    k * U / (1.0 - k * U)
}

/// A graph, its constants, and the codes that were given so far.
pub(super) struct Reference<'a> {
    pub(super) graph: &'a pb::GraphProto,
    /// The picture, and dequantized tensors as an execution gave them.
    pub(super) known: BTreeMap<String, Numbers>,
    /// How far the execution's error function may be off.
    pub(super) erf: f64,
}

impl Reference<'_> {
    /// The numbers of a tensor, from what is known.
    pub(super) fn numbers(&self, name: &str) -> Numbers {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        if let Some(tensor) = self.graph.initializer.iter().find(|t| t.name == name) {
            return constant(tensor);
        }
        let node = self.graph.node.iter().find(|n| n.output[0] == name).unwrap();
        let x = |i: usize| self.numbers(&node.input[i]);
        match node.op_type.as_str() {
            "DequantizeLinear" => dequantized(&x(0), &x(1), &x(2), ints(node, "axis")),
            "Conv" => {
                let bias = node.input.get(2).map(|name| self.numbers(name));
                convolution(node, &x(0), &x(1), bias.as_ref())
            }
            "MatMul" => product(&x(0), &x(1), false),
            "Gemm" => plus(&product(&x(0), &x(1), true), &x(2)),
            "Relu" => x(0).map(|e| Element { value: e.value.max(0.0), ..e }),
            "MaxPool" => max_pool(node, &x(0)),
            "GlobalAveragePool" => mean(&x(0)),
            "LayerNormalization" => layer_norm(&x(0), &x(1), &x(2)),
            "Transpose" => transposed(&x(0), &ints(node, "perm")),
            "Flatten" => {
                let x = x(0);
                Numbers { dims: vec![x.dims[0], x.dims[1..].iter().product()], ..x }
            }
            "Erf" => x(0).map(|e| {
                let slope = std::f64::consts::FRAC_2_SQRT_PI;
                Element::new(erf(e.value), slope * e.bound + self.erf)
            }),
            "Add" => plus(&x(0), &x(1)),
            "Mul" => pairs(&x(0), &x(1), times),
            "Div" => pairs(&x(0), &x(1), |a, b| times(a, Element::new(1.0 / b.value, 0.0))),
            other => panic!("{other} has no meaning here"),
        }
    }
}

fn constant(tensor: &pb::TensorProto) -> Numbers {
    let dims = tensor.dims.iter().map(|d| usize::try_from(*d).unwrap()).collect();
    let bytes = &tensor.raw_data;
    let values = match tensor.data_type {
        element::FLOAT => {
            let words = bytes.as_chunks::<4>().0;
            words.iter().map(|w| f64::from(f32::from_le_bytes(*w))).collect()
        }
        element::INT8 => bytes.iter().map(|b| f64::from(b.cast_signed())).collect(),
        element::UINT8 => bytes.iter().map(|b| f64::from(*b)).collect(),
        other => panic!("constants of type {other} are not expected"),
    };
    Numbers::exact(dims, values, 0.0)
}

fn ints(node: &pb::NodeProto, name: &str) -> Vec<usize> {
    let Some(found) = node.attribute.iter().find(|a| a.name == name) else { return vec![] };
    let list = if found.ints.is_empty() { std::slice::from_ref(&found.i) } else { &found.ints };
    list.iter().map(|i| usize::try_from(*i).unwrap()).collect()
}

/// Constants from codes with one scale, or one along an axis.
fn dequantized(codes: &Numbers, scales: &Numbers, zeros: &Numbers, axis: Vec<usize>) -> Numbers {
    let inner: usize = axis.first().map_or(1, |&axis| codes.dims[axis + 1..].iter().product());
    let element = |i: usize| {
        let channel = i / inner % scales.values.len();
        let scale = scales.values[channel];
        let value = (codes.values[i] - zeros.values[channel]) * scale;
        Element { value, bound: 0.0, step: scale }
    };
    Numbers::of(codes.dims.clone(), (0..codes.values.len()).map(element).collect())
}

/// Sum of products: codes times codes.
fn dot(terms: impl Iterator<Item = (Element, Element)>) -> Element {
    let (mut value, mut size, mut count, mut step) = (0.0, 0.0, 0, 0.0);
    for (a, b) in terms {
        assert!(a.bound == 0.0 && b.bound == 0.0, "a product is of codes");
        value += a.value * b.value;
        size += (a.value * b.value).abs();
        count += 1;
        step = a.step * b.step;
    }
    Element { value, bound: gamma(count + 4) * size, step }
}

/// The rows and columns that a window covers, and where each lies in it.
fn covered(
    node: &pb::NodeProto,
    kernel: [usize; 2],
    (y, x): (usize, usize),
    (height, width): (usize, usize),
) -> Vec<(usize, (usize, usize))> {
    let or = |name: &str, default: usize| {
        let list = ints(node, name);
        if list.is_empty() { [default; 2] } else { [list[0], list[1]] }
    };
    let (stride, pads, dilation) = (or("strides", 1), or("pads", 0), or("dilations", 1));
    let mut all = Vec::new();
    for ky in 0..kernel[0] {
        for kx in 0..kernel[1] {
            let row = (y * stride[0] + ky * dilation[0]).checked_sub(pads[0]);
            let column = (x * stride[1] + kx * dilation[1]).checked_sub(pads[1]);
            if let (Some(row), Some(column)) = (row, column)
                && row < height
                && column < width
            {
                all.push((ky * kernel[1] + kx, (row, column)));
            }
        }
    }
    all
}

/// Shape of what a window makes of a picture.
fn windows(node: &pb::NodeProto, kernel: [usize; 2], dims: &[usize]) -> [usize; 2] {
    let or = |name: &str, default: Vec<usize>| {
        let list = ints(node, name);
        if list.is_empty() { default } else { list }
    };
    let (stride, pads) = (or("strides", vec![1; 2]), or("pads", vec![0; 4]));
    let dilation = or("dilations", vec![1; 2]);
    std::array::from_fn(|i| {
        let reach = (kernel[i] - 1) * dilation[i] + 1;
        (dims[i + 2] + pads[i] + pads[i + 2] - reach) / stride[i] + 1
    })
}

fn convolution(node: &pb::NodeProto, x: &Numbers, w: &Numbers, bias: Option<&Numbers>) -> Numbers {
    let &[channels, depth, rows, columns] = &w.dims[..] else { panic!("4 axes") };
    let (height, width) = (x.dims[2], x.dims[3]);
    let per_group = channels / ints(node, "group").first().copied().unwrap_or(1);
    let [out_rows, out_columns] = windows(node, [rows, columns], &x.dims);
    let mut elements = Vec::new();
    for n in 0..channels {
        for cell in 0..out_rows * out_columns {
            let place = (cell / out_columns, cell % out_columns);
            let covered = covered(node, [rows, columns], place, (height, width));
            let terms = (0..depth).flat_map(|k| {
                let channel = n / per_group * depth + k;
                covered.iter().map(move |&(tap, (row, column))| {
                    let at = (channel * height + row) * width + column;
                    (x.at(at), w.at((n * depth + k) * rows * columns + tap))
                })
            });
            let sum = dot(terms);
            elements.push(bias.map_or(sum, |bias| biased(sum, bias.at(n))));
        }
    }
    Numbers::of(vec![1, channels, out_rows, out_columns], elements)
}

fn product(x: &Numbers, w: &Numbers, transposed: bool) -> Numbers {
    let depth = *x.dims.last().unwrap();
    let channels = if transposed { w.dims[0] } else { w.dims[1] };
    let at = |n: usize, k: usize| if transposed { n * depth + k } else { k * channels + n };
    let cells = x.values.len() / depth;
    let element = |i: usize| {
        let (cell, n) = (i / channels, i % channels);
        dot((0..depth).map(|k| (x.at(cell * depth + k), w.at(at(n, k)))))
    };
    let mut dims = x.dims.clone();
    *dims.last_mut().unwrap() = channels;
    Numbers::of(dims, (0..cells * channels).map(element).collect())
}

/// A constant added to an accumulator: it becomes a whole number of its steps.
fn biased(sum: Element, bias: Element) -> Element {
    let (value, rounded) = (sum.value + bias.value, 3.0 * U * (sum.value.abs() + bias.value.abs()));
    Element { value, bound: sum.bound + bias.bound + rounded + sum.step / 2.0, step: sum.step }
}

fn plus(a: &Numbers, b: &Numbers) -> Numbers {
    // codes have steps too, but nothing is rounded to them here
    let accumulated = a.bounds.iter().any(|bound| *bound > 0.0);
    pairs(a, b, |a, b| biased(Element { step: if accumulated { a.step } else { 0.0 }, ..a }, b))
}

fn times(a: Element, b: Element) -> Element {
    let value = a.value * b.value;
    let carried = a.bound * b.value.abs() + b.bound * a.value.abs() + a.bound * b.bound;
    Element::new(value, carried + 3.0 * U * value.abs())
}

/// Element by element; the smaller tensor is repeated along the axes that it lacks.
fn pairs(a: &Numbers, b: &Numbers, f: impl Fn(Element, Element) -> Element) -> Numbers {
    let dims = if a.values.len() >= b.values.len() { &a.dims } else { &b.dims };
    let count = dims.iter().product();
    let element = |i| f(a.at(a.broadcast(dims, i)), b.at(b.broadcast(dims, i)));
    Numbers::of(dims.clone(), (0..count).map(element).collect())
}

fn max_pool(node: &pb::NodeProto, x: &Numbers) -> Numbers {
    let kernel = ints(node, "kernel_shape");
    let kernel = [kernel[0], kernel[1]];
    let (height, width) = (x.dims[2], x.dims[3]);
    let [rows, columns] = windows(node, kernel, &x.dims);
    let element = |i: usize| {
        let (channel, cell) = (i / (rows * columns), i % (rows * columns));
        let place = (cell / columns, cell % columns);
        let covered = covered(node, kernel, place, (height, width)).into_iter();
        let largest = covered
            .map(|(_, (row, column))| x.at((channel * height + row) * width + column))
            .max_by(|a, b| a.value.total_cmp(&b.value));
        largest.unwrap()
    };
    let dims = vec![1, x.dims[1], rows, columns];
    let count = dims.iter().product();
    Numbers::of(dims, (0..count).map(element).collect())
}

#[expect(clippy::cast_precision_loss, reason = "a few cells")]
fn mean(x: &Numbers) -> Numbers {
    let cells = x.dims[2] * x.dims[3];
    let element = |channel: usize| {
        let all = (0..cells).map(|i| x.at(channel * cells + i));
        let sum = dot(all.map(|e| (e, Element::new(1.0 / cells as f64, 0.0))));
        Element { step: 0.0, ..sum }
    };
    Numbers::of(vec![1, x.dims[1], 1, 1], (0..x.dims[1]).map(element).collect())
}

/// Over the last axis, with ONNX's default epsilon.
///
/// With d = x - m known to `off`, the variance is known to a share `t`, and 1 / sqrt(v + eps) to the same share as long
/// as t <= 1/2.
#[expect(clippy::cast_precision_loss, reason = "a few channels")]
fn layer_norm(x: &Numbers, weight: &Numbers, bias: &Numbers) -> Numbers {
    const EPSILON: f64 = 1e-5;
    let channels = *x.dims.last().unwrap();
    let average = |values: &[f64]| values.iter().sum::<f64>() / channels as f64;
    let mut elements = Vec::new();
    for (cell, bounds) in x.values.chunks(channels).zip(x.bounds.chunks(channels)) {
        assert!(bounds.iter().all(|b| *b == 0.0), "a layer norm is of codes");
        let m = average(cell);
        let size = average(&cell.iter().map(|v| v.abs()).collect::<Vec<_>>());
        let off = |v: f64| gamma(channels + 4) * (size + v.abs());
        let variance = average(&cell.iter().map(|v| (v - m).powi(2)).collect::<Vec<_>>());
        let variance_off = gamma(channels + 4) * variance
            + average(
                &cell
                    .iter()
                    .map(|v| 2.0 * (v - m).abs() * off(*v) + off(*v).powi(2))
                    .collect::<Vec<_>>(),
            );
        let t = variance_off / (variance + EPSILON) + 4.0 * U;
        assert!(t <= 0.5, "the bound on a square root does not hold");
        let r = 1.0 / (variance + EPSILON).sqrt();
        for (c, v) in cell.iter().enumerate() {
            let scaled = (v - m) * r * weight.values[c];
            let value = scaled + bias.values[c];
            let gain = r * weight.values[c].abs() * (1.0 + t);
            let rounded = 6.0 * U * (scaled.abs() + bias.values[c].abs());
            elements.push(Element::new(value, gain * off(*v) + t * scaled.abs() + rounded));
        }
    }
    Numbers::of(x.dims.clone(), elements)
}

fn transposed(x: &Numbers, perm: &[usize]) -> Numbers {
    let dims: Vec<usize> = perm.iter().map(|&axis| x.dims[axis]).collect();
    let stride = |axis: usize| x.dims[axis + 1..].iter().product::<usize>();
    let element = |mut i: usize| {
        let mut from = 0;
        for (&axis, &size) in perm.iter().zip(&dims).rev() {
            from += i % size * stride(axis);
            i /= size;
        }
        x.at(from)
    };
    let elements = (0..x.values.len()).map(element).collect();
    Numbers::of(dims, elements)
}

/// Error function by its power series (DLMF 7.6.1), which is exact to f64 for the numbers of a small code.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 {
        n += 1.0;
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    std::f64::consts::FRAC_2_SQRT_PI * sum
}
