//! Steps in integers: what one operator of our own does, before its weights are packed.

use kernels::layout::Window;

use crate::integer::codes::{Cells, Tensor};

/// A tensor of codes by its position in [`Steps::tensors`].
pub(crate) type TensorId = usize;

/// A linear layer or convolution with constant weights.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) input: TensorId,
    /// Window over the input; 1 x 1 for linear layers.
    pub(crate) window: Window,
    /// N.
    pub(crate) channels: usize,
    /// Every channel by itself; the window then has one input channel a channel.
    pub(crate) depthwise: bool,
    /// `[N][kernel rows][kernel columns][C]`, or `[C][kernel rows][kernel columns]` if depthwise.
    pub(crate) weights: Vec<i8>,
    /// Scale of the accumulators: that of the input times that of the weights (times constants that follow), one a channel.
    pub(crate) scales: Vec<f64>,
    /// In steps of `scales`.
    pub(crate) bias: Vec<i32>,
}

impl Product {
    /// Whether sums of products with the bias stay within 32 bits whatever the codes are, for every zero point. Where a
    /// channel has (nearly) no weights, its bias can be as large as 32 bits allow.
    pub(crate) fn fits(&self) -> bool {
        let each = (self.weights.len() / self.channels.max(1)).max(1);
        self.weights.chunks(each).zip(&self.bias).all(|(weights, bias)| {
            let of_sign = |sign: i64| weights.iter().map(move |w| (sign * i64::from(*w)).max(0));
            let largest = of_sign(1).sum::<i64>().max(of_sign(-1).sum());
            255 * largest + i64::from(*bias).abs() <= i64::from(i32::MAX)
        })
    }
}

/// Limits on the numbers that may come out: `ReLU` and `Clip`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    pub(crate) low: f32,
    pub(crate) high: f32,
}

impl Limits {
    pub(crate) const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };
}

/// A table after a product.
pub(crate) type Table = Box<[u8; 256]>;

/// What follows a product within the same operator. Each part has its own quantization, see [`kernels::Epilogue`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    pub(crate) table: Option<Table>,
    pub(crate) affine: Option<Affine>,
    pub(crate) sum: Option<Sum>,
}

/// `x * factor[c] + offset[c]`.
#[derive(Clone, Debug)]
pub(crate) struct Affine {
    pub(crate) factors: Vec<f64>,
    pub(crate) offsets: Vec<f64>,
    /// Quantization and limits of the result.
    pub(crate) result: Quantized,
}

/// A second summand.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    pub(crate) other: TensorId,
    /// Quantization and limits of the sum.
    pub(crate) result: Quantized,
}

/// Quantization of a result and the limits before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantized {
    pub(crate) quantization: kernels::Quantization,
    pub(crate) limits: Limits,
}

/// What a step does.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Numbers of the graph become codes.
    Quantize { float: String },
    /// Product, then codes of `first`, then the tail.
    Product { product: Box<Product>, first: Option<Quantized>, tail: Tail },
    /// `a + b`.
    Add { a: TensorId, b: TensorId, result: Quantized },
    /// Constants a channel.
    Affine { input: TensorId, affine: Affine },
    /// A function of one code.
    Table { input: TensorId, table: Table },
    /// Largest code of each window.
    MaxPool { input: TensorId, window: Window },
    /// Mean over all cells.
    Mean { input: TensorId, result: Quantized },
    /// Layer norm over the channels.
    Norm {
        input: TensorId,
        weight: Vec<f32>,
        bias: Vec<f32>,
        eps: f64,
        output: kernels::Quantization,
    },
}

impl Work {
    /// Tensors of codes that it reads; the residual last.
    pub(crate) fn inputs(&self) -> Vec<TensorId> {
        match self {
            Self::Quantize { .. } => vec![],
            Self::Product { product, tail, .. } => {
                std::iter::once(product.input).chain(tail.sum.as_ref().map(|s| s.other)).collect()
            }
            Self::Add { a, b, .. } => vec![*a, *b],
            Self::Affine { input, .. }
            | Self::Table { input, .. }
            | Self::MaxPool { input, .. }
            | Self::Mean { input, .. }
            | Self::Norm { input, .. } => vec![*input],
        }
    }
}

/// One operator.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Name of the node that it stands for.
    pub(crate) name: String,
    pub(crate) work: Work,
    pub(crate) output: TensorId,
}

/// A tensor of numbers that the rest of the graph needs from codes.
#[derive(Clone, Debug)]
pub(crate) enum Bridge {
    /// The dequantized numbers of a tensor, under this name and in this shape.
    Dequantize { input: TensorId, name: String, shape: Vec<usize>, channels_first: bool },
    /// A product whose numbers are not quantized afterwards.
    Product { product: Box<Product>, name: String, shape: Vec<usize> },
}

impl Bridge {
    pub(crate) const fn input(&self) -> TensorId {
        match self {
            Self::Dequantize { input, .. } => *input,
            Self::Product { product, .. } => product.input,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Dequantize { name, .. } | Self::Product { name, .. } => name,
        }
    }
}

/// All that was recognized in a graph.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    pub(crate) tensors: Vec<Tensor>,
    /// In an order in which they can run.
    pub(crate) steps: Vec<Step>,
    pub(crate) bridges: Vec<Bridge>,
    /// Outputs of nodes that stay in the graph.
    pub(crate) kept: std::collections::BTreeSet<String>,
    /// Why nodes were not recognized: output of the node, reason.
    pub(crate) reasons: std::collections::BTreeMap<String, String>,
}

impl Steps {
    pub(crate) fn cells(&self, tensor: TensorId) -> Cells {
        self.tensors[tensor].cells
    }

    /// How many steps and bridges read each tensor.
    pub(crate) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.tensors.len()];
        let steps = self.steps.iter().flat_map(|s| s.work.inputs());
        for tensor in steps.chain(self.bridges.iter().map(Bridge::input)) {
            uses[tensor] += 1;
        }
        uses
    }
}
