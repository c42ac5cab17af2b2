//! Operators ready to run: packed weights and rules, and the call of the kernel.

use kernels::depthwise::{self, DepthwiseWeights};
use kernels::layer_norm::LayerNorm;
use kernels::layout::Window;
use kernels::{
    CodeRange, Epilogue, Isa, Output, PackedWeights, Quantization, Rescale, Residual, ShapeError,
    Table, Threads, elementwise, gemm, pooling, table, winograd, with_scratch,
};

/// One operator.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Numbers `[C, cells]` to codes `[cells, C]`.
    Quantize { channels: usize, quantization: Quantization },
    /// Codes `[cells, C]` to numbers, in the order of the graph.
    Dequantize { channels: usize, quantization: Quantization, channels_first: bool },
    /// Linear layer or convolution.
    Product { window: Window, zero: u8, weights: PackedWeights, epilogue: Epilogue },
    /// Depthwise convolution.
    Depthwise { window: Window, zero: u8, weights: DepthwiseWeights, epilogue: Epilogue },
    /// Sum of two tensors.
    Add { zero: u8, rule: Residual },
    /// Constants a channel.
    Affine { zero: u8, rule: Rescale },
    /// A function of one code.
    Table { table: Table },
    /// Largest code of each window.
    MaxPool { window: Window },
    /// Mean over all cells.
    Mean { zero: u8, factor: f32, range: CodeRange },
    /// Layer norm over the channels.
    Norm { norm: LayerNorm },
}

/// A tensor that goes in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    Codes(&'a [u8]),
    Numbers(&'a [f32]),
}

/// A tensor that comes out.
#[derive(Debug)]
pub(crate) enum Result<'a> {
    Codes(&'a mut [u8]),
    Numbers(&'a mut [f32]),
}

impl Layer {
    /// What `roadgaze bench --layers` calls it.
    pub(crate) fn name(&self, isa: Isa) -> &'static str {
        match self {
            Self::Quantize { .. } => "quantize",
            Self::Dequantize { .. } => "dequantize",
            Self::Product { window, weights, epilogue, .. } => {
                let winograd = winograd::applies(isa, window, weights);
                match (winograd, epilogue.has_table(), epilogue.has_residual()) {
                    (false, true, _) => "product + table",
                    (false, false, true) => "product + residual",
                    (false, false, false) => "product",
                    (true, true, _) => "winograd + table",
                    (true, false, true) => "winograd + residual",
                    (true, false, false) => "winograd",
                }
            }
            Self::Depthwise { .. } => "depthwise",
            Self::Add { .. } => "add",
            Self::Affine { .. } => "constants",
            Self::Table { .. } => "table",
            Self::MaxPool { .. } => "max pool",
            Self::Mean { .. } => "mean",
            Self::Norm { .. } => "layer norm",
        }
    }

    /// Multiplications with accumulation.
    pub(crate) fn macs(&self) -> usize {
        let cells = |window: &Window| window.output().map_or(0, |[rows, columns]| rows * columns);
        match self {
            Self::Product { window, weights, .. } => {
                cells(window) * weights.channels() * weights.taps() * weights.depth()
            }
            Self::Depthwise { window, .. } => {
                cells(window) * window.channels * window.kernel[0] * window.kernel[1]
            }
            _ => 0,
        }
    }

    /// Runs it.
    pub(crate) fn run(
        &self,
        isa: Isa,
        threads: &Threads,
        inputs: &[Input<'_>],
        out: Result<'_>,
    ) -> std::result::Result<(), Wrong> {
        match (self, inputs, out) {
            (
                Self::Quantize { channels, quantization },
                [Input::Numbers(x)],
                Result::Codes(out),
            ) => {
                elementwise::quantize(isa, threads, x, (*channels, *channels), *quantization, out)?;
            }
            (
                Self::Dequantize { channels, quantization, channels_first },
                [Input::Codes(x)],
                Result::Numbers(out),
            ) => {
                let channels = if *channels_first { *channels } else { 1 };
                elementwise::dequantize(x, channels, *quantization, out)?;
            }
            (
                Self::Product { window, zero, weights, epilogue },
                [Input::Codes(x), rest @ ..],
                out,
            ) => {
                let other = match rest {
                    [Input::Codes(other)] => Some(*other),
                    _ => None,
                };
                let out = match out {
                    Result::Codes(codes) if winograd::applies(isa, window, weights) => {
                        let x = (*x, *zero);
                        winograd::run(isa, threads, window, x, weights, epilogue, other, codes)?;
                        return Ok(());
                    }
                    Result::Codes(codes) => Output::Codes(codes),
                    Result::Numbers(numbers) => Output::Floats(numbers),
                };
                with_scratch(window.scratch(), |scratch| {
                    let x = window.arrange(threads, x, *zero, scratch)?;
                    gemm::run(isa, threads, &x, weights, epilogue, other, out)
                })?;
            }
            (
                Self::Depthwise { window, zero, weights, epilogue },
                [Input::Codes(x)],
                Result::Codes(out),
            ) => {
                depthwise::run(isa, threads, window, (x, *zero), weights, epilogue, out)?;
            }
            (Self::Add { zero, rule }, [Input::Codes(a), Input::Codes(b)], Result::Codes(out)) => {
                elementwise::add(isa, threads, (a, *zero), b, rule, out)?;
            }
            (Self::Affine { zero, rule }, [Input::Codes(x)], Result::Codes(out)) => {
                elementwise::rescale(isa, threads, (x, *zero), rule, out)?;
            }
            (Self::Table { table }, [Input::Codes(x)], Result::Codes(out))
                if x.len() == out.len() =>
            {
                table::map(isa, threads, table, x, out);
            }
            (Self::MaxPool { window }, [Input::Codes(x)], Result::Codes(out)) => {
                pooling::max(isa, threads, window, x, out)?;
            }
            (Self::Mean { zero, factor, range }, [Input::Codes(x)], Result::Codes(out)) => {
                pooling::mean(isa, (x, *zero), *factor, *range, out)?;
            }
            (Self::Norm { norm }, [Input::Codes(x)], Result::Codes(out)) => {
                norm.run(isa, threads, x, out)?;
            }
            _ => return Err(Wrong::Tensors),
        }
        Ok(())
    }
}

/// Tensors that an operator cannot work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    /// Their sizes do not fit.
    #[error("{0}")]
    Size(#[from] ShapeError),
    /// Their number or their types do not fit.
    #[error("tensors of other types than the operator was built for")]
    Tensors,
}
