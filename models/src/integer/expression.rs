//! Numbers between two quantizations, as functions of tensors of codes.

use crate::integer::codes::{Axes, Cells};
use crate::integer::step::{Limits, Product, TensorId};
use crate::integer::unary::Numbers;
use crate::topology::Constant;

/// A tensor of numbers that was not computed yet.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) cells: Cells,
    pub(crate) axes: Axes,
    pub(crate) form: Form,
}

/// Where the numbers come from.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// The dequantized numbers of a tensor.
    Codes(TensorId),
    /// A function of one code.
    Function { input: TensorId, numbers: Numbers },
    /// A linear layer or convolution, then limits.
    Product { product: Box<Product>, limits: Limits },
    /// The same and a tensor, then limits.
    ProductSum { product: Box<Product>, other: TensorId, limits: Limits },
    /// `x * factor[c] + offset[c]`, then limits.
    Affine { input: TensorId, factors: Vec<f64>, offsets: Vec<f64>, limits: Limits },
    /// `a + b`, then limits.
    Sum { a: TensorId, b: TensorId, limits: Limits },
    /// Mean over all cells, then limits.
    Mean { input: TensorId, limits: Limits },
    /// Layer norm over the channels.
    Norm { input: TensorId, weight: Vec<f32>, bias: Vec<f32>, eps: f64 },
}

impl Expression {
    /// Shape in the graph.
    pub(crate) fn shape(&self) -> Vec<usize> {
        self.axes.shape(self.cells)
    }

    pub(crate) fn with_axes(&self, axes: Axes) -> Self {
        Self { axes, ..self.clone() }
    }

    fn with_form(&self, form: Form) -> Self {
        Self { form, ..self.clone() }
    }

    /// After `Relu` or `Clip`.
    pub(crate) fn limited(&self, (low, high): (f32, f32)) -> Option<Self> {
        let mut form = self.form.clone();
        let limits = match &mut form {
            Form::Product { limits, .. }
            | Form::ProductSum { limits, .. }
            | Form::Affine { limits, .. }
            | Form::Sum { limits, .. }
            | Form::Mean { limits, .. } => limits,
            Form::Codes(_) | Form::Function { .. } | Form::Norm { .. } => return None,
        };
        *limits =
            Limits { low: limits.low.max(low).min(high), high: limits.high.min(high).max(low) };
        Some(self.with_form(form))
    }

    /// The constant of each channel, if a constant broadcasts along the channels alone.
    pub(crate) fn channels_of(&self, constant: &Constant) -> Option<Vec<f64>> {
        let (rank, channels) = (self.axes.rank(), self.cells.channels);
        let dims = &constant.dims;
        if dims.len() > rank {
            return None;
        }
        let first = rank - dims.len();
        let mut list: Vec<f64> = constant.values.iter().map(|v| f64::from(*v)).collect();
        let along = dims.iter().enumerate().all(|(i, &size)| {
            size == 1 || (first + i == self.axes.channel_axis() && size == channels)
        });
        if list.len() == 1 {
            list.resize(channels, list[0]);
        }
        (along && list.len() == channels).then_some(list)
    }

    /// After an operation with one constant a channel; `constant_first` tells `c - x` from `x - c`.
    pub(crate) fn with_constants(
        &self,
        op: &str,
        list: &[f64],
        constant_first: bool,
    ) -> Option<Self> {
        let (factor, offset): (Vec<f64>, Vec<f64>) = list
            .iter()
            .map(|&c| match (op, constant_first) {
                ("Add", _) => Some((1.0, c)),
                ("Sub", false) => Some((1.0, -c)),
                ("Sub", true) => Some((-1.0, c)),
                ("Mul", _) => Some((c, 0.0)),
                ("Div", false) if c != 0.0 => Some((1.0 / c, 0.0)),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .unzip();
        match &self.form {
            Form::Codes(input) => Some(self.with_form(Form::Affine {
                input: *input,
                factors: factor,
                offsets: offset,
                limits: Limits::NONE,
            })),
            Form::Affine { input, factors, offsets, limits: Limits::NONE } => {
                let pairs = || factors.iter().zip(offsets).zip(factor.iter().zip(&offset));
                Some(self.with_form(Form::Affine {
                    input: *input,
                    factors: pairs().map(|((f, _), (factor, _))| f * factor).collect(),
                    offsets:
                        pairs().map(|((_, o), (factor, offset))| o * factor + offset).collect(),
                    limits: Limits::NONE,
                }))
            }
            Form::Product { product, limits: Limits::NONE } => {
                let mut product = product.clone();
                for (n, scale) in product.scales.iter_mut().enumerate() {
                    *scale *= factor[n];
                    let steps = offset[n] / *scale;
                    if offset[n] != 0.0 {
                        let sum = (f64::from(product.bias[n]) + steps).round_ties_even();
                        product.bias[n] = to_i32(sum)?;
                    }
                }
                if !product.fits() {
                    return None;
                }
                Some(self.with_form(Form::Product { product, limits: Limits::NONE }))
            }
            _ => None,
        }
    }

    /// `self + other`, if that is one step.
    pub(crate) fn plus(&self, other: &Self) -> Option<Self> {
        if self.cells != other.cells || self.axes != other.axes {
            return None;
        }
        let form = match (&self.form, &other.form) {
            (Form::Codes(a), Form::Codes(b)) => Form::Sum { a: *a, b: *b, limits: Limits::NONE },
            (Form::Product { product, limits: Limits::NONE }, Form::Codes(id))
            | (Form::Codes(id), Form::Product { product, limits: Limits::NONE })
                if !product.depthwise =>
            {
                Form::ProductSum { product: product.clone(), other: *id, limits: Limits::NONE }
            }
            _ => return None,
        };
        Some(self.with_form(form))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be within i32")]
fn to_i32(number: f64) -> Option<i32> {
    (number.abs() <= f64::from(i32::MAX)).then_some(number as i32)
}
