//! 3 x 3 convolutions of stride 1 with a quarter of the multiplications: Winograd's F(4 x 4, 3 x 3), exact in integers.
//!
//! ```text
//! V = B^T d B      of the 6 x 6 codes d of one input channel that a tile of 4 x 4 results needs
//! U = G g G^T      of the 3 x 3 weights g of one input and one output channel
//! M = sum over the input channels of V * U, element by element: 36 products of matrices
//! Y = A^T M A = S acc S,   S = diag(24, 12, 6, 6)     the 4 x 4 sums of products that the direct form gives
//!
//!       4  0 -5  0  1  0          6  0  0
//!       0 -4 -4  1  1  0          1  1  1             1 -4 -4  1  1  0
//! B^T = 0  4 -4 -1  1  0      G = 1 -1  1       A^T = 0 -2  2  1 -1  0
//!       0 -2 -1  2  1  0          1  2  4             0 -1 -1  1  1  0
//!       0  2 -1 -2  1  0          1 -2  4             0 -1  1  2 -2  1
//!       0  4  0 -5  0  1          0  0  6
//! ```
//!
//! Why nothing is lost. *V fits 16 bits:* of two rows of B, the products of their coefficients add up to at most 68 (positive
//! ones) and 50 (negative ones without sign), and 68 * 255 = 17,340. *U fits 16 bits:* rows of G add up to at most 7 in
//! magnitude, and 49 * 128 = 6,272. *Two products fit 32 bits:* 2 * 17,340 * 6,272 < 2^28. *Everything after that may
//! wrap around:* Y is known modulo 2^32, and Y = 9 * 2^e * acc with e from 2 to 6. Multiplied by the inverse of 9 modulo
//! 2^32 it is 2^e * acc, exactly so if |acc| < 2^25: an arithmetic shift gives acc. Codes are 0 to 255, so that the weights
//! tell ([`PackedWeights::reach`]); a layer with larger sums takes the direct form ([`applies`]).
//!
//! Codes go in as they are, with their zero point at the border, and sums come out as the direct form has them, so that both
//! have the same epilogue. Tiles that hang over the edge compute cells that nobody reads. Weights stay packed as
//! [`crate::gemm`] has them, eight times smaller than U; a panel is transformed when its turn comes, which many tiles pay for.
//!
//! Reference: Lavin and Gray, "Fast algorithms for convolutional neural networks", arXiv 1509.09308, section 4.3.
//! Deviation: rows of G are multiplied, those of A divided, so that both are integers.

mod job;
mod scalar;
#[cfg(test)]
mod tests;
mod transform;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use crate::buffer::SharedMut;
use crate::epilogue::Epilogue;
use crate::gemm::{ShapeError, demand};
use crate::isa::{Isa, Kind};
use crate::layout::Window;
use crate::pack::{PAIR, PackedWeights};
use crate::threads::Threads;

/// Rows and columns of the result that a tile gives.
const SIDE: usize = 4;
/// Sums at least so large do not survive the factor of 2^6.
const SUMS_END: u32 = 1 << 25;

/// Whether a convolution can be, and is better, computed in this form.
#[must_use]
pub fn applies(isa: Isa, window: &Window, weights: &PackedWeights) -> bool {
    worth(isa, window, weights).is_some()
}

/// What a convolution costs in this form, in cells of the output in the direct form; `None` where this form cannot
/// be, or is not better, than the direct form of all cells.
#[must_use]
pub fn worth(isa: Isa, window: &Window, weights: &PackedWeights) -> Option<usize> {
    let (tile, layer) = cost(isa)?;
    let [rows, columns] = window.output()?;
    let cells = rows.div_ceil(SIDE) * columns.div_ceil(SIDE) * tile + layer;
    let pays = cells < rows * columns;
    let wide = window.channels.min(weights.channels()) >= PAIR;
    (pays && wide && fits(window, weights)).then_some(cells)
}

/// What a tile costs, and the transformation of the weights, both in cells of the direct form; measured
/// (docs/measurements.md), a little on the side of the direct form.
const fn cost(isa: Isa) -> Option<(usize, usize)> {
    match isa.kind() {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => Some((7, 16)),
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni => Some((9, 20)),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni => Some((10, 40)),
        #[cfg(target_arch = "x86_64")]
        Kind::Amx => None,
        #[cfg(target_arch = "aarch64")]
        Kind::Neon | Kind::NeonDot => None,
        Kind::Scalar => None,
    }
}

/// Whether the result is exact, and the layout one that the kernels know.
fn fits(window: &Window, weights: &PackedWeights) -> bool {
    let channels = window.channels;
    window.kernel == [3, 3]
        && window.stride == [1, 1]
        && channels.is_multiple_of(4)
        && (weights.taps(), weights.depth()) == window.taps()
        && weights.reach() < SUMS_END
}

/// Computes a convolution in this form. Where it does not [`applies`], it may still be exact, only slower.
///
/// # Errors
/// If the sizes of the tensors do not fit each other.
pub fn run(
    isa: Isa,
    threads: &Threads,
    window: &Window,
    (codes, zero): (&[u8], u8),
    weights: &PackedWeights,
    epilogue: &Epilogue,
    other: Option<&[u8]>,
    out: &mut [u8],
) -> Result<(), ShapeError> {
    let Some([rows, columns]) = window.output().filter(|_| fits(window, weights)) else {
        return Err(ShapeError { what: "window", expected: 3, found: window.kernel[0] });
    };
    demand("picture", window.height * window.width * window.channels, codes.len())?;
    demand("epilogue", weights.sums().len(), epilogue.channels_padded())?;
    demand("output", rows * columns * weights.channels(), out.len())?;
    if epilogue.has_residual() {
        demand("residual", out.len(), other.map_or(0, <[u8]>::len))?;
    }
    let (out, size) = (SharedMut::new(out), [rows, columns]);
    let job = job::Job { isa, window, codes, zero, weights, epilogue, other, out, size };
    match isa.kind() {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => job.share::<avx2::Avx2>(threads),
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni => job.share::<avx2::AvxVnni>(threads),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni | Kind::Amx => job.share::<avx512::Avx512Vnni>(threads),
        #[cfg(target_arch = "aarch64")]
        Kind::Neon | Kind::NeonDot => job.share::<scalar::Scalar>(threads),
        Kind::Scalar => job.share::<scalar::Scalar>(threads),
    }
    Ok(())
}
