//! Some cells of an operator's output alone: what they read is copied together, and the kernel runs on that.

use kernels::layout::Window;
use kernels::{
    Isa, Output, Threads, depthwise, elementwise, gemm, pooling, winograd, with_scratch,
};

use crate::integer::changes::Changes;
use crate::integer::layer::{Input, Layer, Result as Out, Wrong};

/// Which cells of its first input a cell of an output is made of; of a second input it is always the same cell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach<'a> {
    /// The same cell.
    Same,
    /// Those in its window.
    Window(&'a Window),
}

impl Layer {
    /// What an output cell is made of; `None` if outputs are not made cell by cell.
    pub(crate) fn reach(&self) -> Option<Reach<'_>> {
        match self {
            Self::Product { window, .. } if window.is_direct() => Some(Reach::Same),
            Self::Product { window, .. }
            | Self::Depthwise { window, .. }
            | Self::MaxPool { window } => Some(Reach::Window(window)),
            Self::Dequantize { .. }
            | Self::Add { .. }
            | Self::Affine { .. }
            | Self::Table { .. }
            | Self::Norm { .. } => Some(Reach::Same),
            // to compare numbers costs as much as to make their codes
            Self::Quantize { .. } | Self::Mean { .. } => None,
        }
    }

    /// What computing all cells costs, in cells that are computed alone: less than there are, if there is a better form
    /// for all.
    pub(crate) fn whole_in_cells(&self, isa: Isa, cells: usize) -> usize {
        match self {
            Self::Product { window, weights, .. } => {
                winograd::worth(isa, window, weights).unwrap_or(cells)
            }
            _ => cells,
        }
    }

    /// Whether its kernel works on rows, so that outputs have to form a rectangle.
    pub(crate) const fn needs_rectangle(&self) -> bool {
        matches!(self, Self::Depthwise { .. } | Self::MaxPool { .. })
    }

    /// Computes the marked cells of the output (flags, and as a list), `[cells, channels]`: the same codes as
    /// [`Layer::run`] gives them.
    pub(crate) fn run_cells(
        &self,
        isa: Isa,
        threads: &Threads,
        inputs: &[Input<'_>],
        (marked, cells): (&Changes, &[usize]),
        out: &mut [u8],
    ) -> Result<(), Wrong> {
        let channels = out.len() / cells.len().max(1);
        let length = out.len();
        match (self, inputs) {
            (Self::Product { window, zero, weights, epilogue }, [Input::Codes(x), rest @ ..]) => {
                let other = match rest {
                    [Input::Codes(other)] => Some(*other),
                    _ => None,
                };
                with_scratch(window.scratch_of(cells.len()), |scratch| {
                    let x = window.arrange_cells(x, *zero, cells, scratch)?;
                    with_scratch(other.map_or(0, |_| length), |copy| {
                        let other = other.map(|other| {
                            pick(other, channels, cells, copy);
                            &*copy
                        });
                        gemm::run(isa, threads, &x, weights, epilogue, other, Output::Codes(out))
                    })
                })?;
            }
            (Self::Depthwise { window, zero, weights, epilogue }, [Input::Codes(x)]) => {
                let Some(rectangle) = marked.rectangle() else { return Ok(()) };
                let (window, x) = window.excerpt(x, *zero, rectangle)?;
                depthwise::run(isa, threads, &window, (&x, *zero), weights, epilogue, out)?;
            }
            (Self::MaxPool { window }, [Input::Codes(x)]) => {
                let Some(rectangle) = marked.rectangle() else { return Ok(()) };
                // the border does not count: no code is below 0
                let (window, x) = window.excerpt(x, 0, rectangle)?;
                pooling::max(isa, threads, &window, &x, out)?;
            }
            (
                Self::Add { .. } | Self::Affine { .. } | Self::Table { .. } | Self::Norm { .. },
                inputs,
            ) => {
                // cell by cell: the cells that are picked are a smaller picture
                with_scratch(inputs.len() * length, |copy| {
                    let mut picked = Vec::with_capacity(inputs.len());
                    for (input, copy) in inputs.iter().zip(copy.chunks_exact_mut(length.max(1))) {
                        let Input::Codes(codes) = input else { return Err(Wrong::Tensors) };
                        pick(codes, channels, cells, copy);
                        picked.push(Input::Codes(copy));
                    }
                    self.run(isa, threads, &picked, Out::Codes(out))
                })?;
            }
            _ => return Err(Wrong::Tensors),
        }
        Ok(())
    }

    /// Writes the numbers of some cells into the whole output.
    pub(crate) fn run_numbers(
        &self,
        inputs: &[Input<'_>],
        cells: &[usize],
        out: &mut [f32],
    ) -> Result<(), Wrong> {
        match (self, inputs) {
            (Self::Dequantize { channels, quantization, channels_first }, [Input::Codes(x)]) => {
                let order = (*channels, *channels_first);
                Ok(elementwise::dequantize_cells(x, order, *quantization, cells, out)?)
            }
            _ => Err(Wrong::Tensors),
        }
    }
}

/// Copies cells one behind the other.
fn pick(codes: &[u8], channels: usize, cells: &[usize], into: &mut [u8]) {
    for (into, cell) in into.chunks_exact_mut(channels.max(1)).zip(cells) {
        into.copy_from_slice(&codes[cell * channels..][..channels]);
    }
}
