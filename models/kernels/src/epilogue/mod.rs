//! What happens to an accumulator before it becomes a code: bias, requantization, table, rescaling, residual.
//!
//! ```text
//! r = range.round(f32(acc + bias[n]) * multiplier[n])
//!     then either    code = table[r + zero]
//!     or             r = rescale.round(r * rescale.factor[n] + offset[n])    if there is a rescaling (LayerScale)
//!                    r = add.round(r * add.own + (other - other_zero) * add.other)   if there is a residual
//!                    code = r + zero
//! ```
//!
//! Every intermediate result is rounded as if it had been stored as a code, so that a fused chain equals its
//! parts one after the other; only a residual may be told that its first summand never was one. `acc + bias` wraps around, which only weights at the very limit could reach.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use crate::arithmetic::CodeRange;
use crate::buffer::SharedMut;
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;
use crate::pack::{PAIR, PackedWeights};
use crate::table::Table;

/// A second requantization, one factor a channel: quantized multiplication by, and addition of, constants.
#[derive(Clone, Debug)]
pub struct Rescale {
    /// `scale_in * constant[n] / scale_out`, one a channel.
    pub factors: Vec<f32>,
    /// `summand[n] / scale_out`, one a channel.
    pub offsets: Vec<f32>,
    /// Codes of the result.
    pub range: CodeRange,
}

/// A quantized addition of a second tensor of the same shape.
#[derive(Clone, Copy, Debug)]
pub struct Residual {
    /// `scale_own / scale_sum`.
    pub own: f32,
    /// Whether the first summand was a code before; without it, its accumulator is already in steps of the sum
    /// (`own` is 1) and is not rounded by itself.
    pub rounded: bool,
    /// `scale_other / scale_sum`.
    pub other: f32,
    /// Zero point of the other tensor.
    pub other_zero: u8,
    /// Codes of the sum.
    pub range: CodeRange,
}

/// From accumulators to codes.
#[derive(Clone, Debug)]
pub struct Epilogue {
    bias: Vec<i32>,
    multipliers: Vec<f32>,
    range: CodeRange,
    table: Option<Table>,
    rescale: Option<Rescale>,
    residual: Option<Residual>,
}

/// Lists of the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthError {
    /// How many numbers there must be, one a channel.
    pub expected: usize,
    /// How many there are.
    pub found: usize,
}

impl std::fmt::Display for LengthError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {} numbers, one a channel, found {}", self.expected, self.found)
    }
}

impl std::error::Error for LengthError {}

impl Epilogue {
    /// Requantization of the sums of `weights` with activations of zero point `input_zero`.
    ///
    /// # Errors
    /// If there is not one bias and one multiplier a channel.
    pub fn new(
        weights: &PackedWeights,
        input_zero: u8,
        bias: &[i32],
        multipliers: &[f32],
        range: CodeRange,
    ) -> Result<Self, LengthError> {
        Self::with_sums(weights.sums(), weights.channels(), input_zero, bias, multipliers, range)
    }

    pub(crate) fn with_sums(
        sums: &[i32],
        channels: usize,
        input_zero: u8,
        bias: &[i32],
        multipliers: &[f32],
        range: CodeRange,
    ) -> Result<Self, LengthError> {
        check(channels, bias.len())?;
        check(channels, multipliers.len())?;
        let padded = sums.len();
        let bias = (0..padded)
            .map(|n| {
                let own = bias.get(n).copied().unwrap_or(0);
                own.wrapping_sub(i32::from(input_zero).wrapping_mul(sums[n]))
            })
            .collect();
        let mut multipliers = multipliers.to_vec();
        multipliers.resize(padded, 0.0);
        Ok(Self { bias, multipliers, range, table: None, rescale: None, residual: None })
    }

    /// Adds a table of all 256 codes; not together with rescaling or residual.
    #[must_use]
    pub fn with_table(mut self, table: &[u8; 256]) -> Self {
        self.table = Some(Table::new(table));
        self
    }

    /// Adds a rescaling.
    ///
    /// # Errors
    /// If there is not one factor a channel.
    pub fn with_rescale(
        mut self,
        channels: usize,
        mut rescale: Rescale,
    ) -> Result<Self, LengthError> {
        check(channels, rescale.factors.len())?;
        check(channels, rescale.offsets.len())?;
        rescale.offsets.resize(self.bias.len(), 0.0);
        rescale.factors.resize(self.bias.len(), 0.0);
        self.rescale = Some(rescale);
        Ok(self)
    }

    /// Adds a residual.
    #[must_use]
    pub fn with_residual(mut self, residual: Residual) -> Self {
        self.residual = Some(residual);
        self
    }

    /// Whether it needs a second tensor.
    #[must_use]
    pub const fn has_residual(&self) -> bool {
        self.residual.is_some()
    }

    /// Whether it ends in a table.
    #[must_use]
    pub const fn has_table(&self) -> bool {
        self.table.is_some()
    }

    pub(crate) const fn channels_padded(&self) -> usize {
        self.bias.len()
    }

    /// Turns a row of accumulators of the channels from `first` into codes.
    #[inline(always)]
    pub(crate) fn row<const L: usize>(
        &self,
        acc: &[i32; L],
        first: usize,
        other: Option<&[u8]>,
        out: &mut [u8],
    ) {
        let other = other.map(|other| match other.first_chunk::<L>() {
            Some(whole) => *whole,
            None => {
                let mut codes = [0_u8; L];
                codes[..other.len()].copy_from_slice(other);
                codes
            }
        });
        let codes = self.codes(acc, first, other.as_ref());
        match out.first_chunk_mut::<L>() {
            Some(whole) => *whole = codes,
            None => out.copy_from_slice(&codes[..out.len()]),
        }
    }

    /// One loop for each combination of parts: loops without branches become vector code.
    #[inline(always)]
    fn codes<const L: usize>(
        &self,
        acc: &[i32; L],
        first: usize,
        other: Option<&[u8; L]>,
    ) -> [u8; L] {
        let bias: &[i32; L] = self.bias[first..].first_chunk().unwrap_or(&[0; L]);
        let factors: &[f32; L] = self.multipliers[first..].first_chunk().unwrap_or(&[0.0; L]);
        let range = self.range;
        let mut codes = [0_u8; L];
        let residual = self.residual.as_ref().zip(other);
        match (&self.rescale, residual) {
            (None, None) => {
                for n in 0..L {
                    codes[n] = range.code(acc[n].wrapping_add(bias[n]) as f32 * factors[n]);
                }
            }
            (None, Some((add, other))) if add.rounded => {
                let zero = f32::from(add.other_zero);
                for n in 0..L {
                    let own = range.round(acc[n].wrapping_add(bias[n]) as f32 * factors[n]);
                    let other = (f32::from(other[n]) - zero) * add.other;
                    codes[n] = add.range.code(own * add.own + other);
                }
            }
            (None, Some((add, other))) => {
                let zero = f32::from(add.other_zero);
                for n in 0..L {
                    let own = acc[n].wrapping_add(bias[n]) as f32 * factors[n];
                    codes[n] = add.range.code(own + (f32::from(other[n]) - zero) * add.other);
                }
            }
            (Some(rescale), residual) => {
                let scales: &[f32; L] = rescale.factors[first..].first_chunk().unwrap_or(&[0.0; L]);
                let offsets: &[f32; L] =
                    rescale.offsets[first..].first_chunk().unwrap_or(&[0.0; L]);
                let mut steps = [0.0_f32; L];
                for n in 0..L {
                    let own = range.round(acc[n].wrapping_add(bias[n]) as f32 * factors[n]);
                    steps[n] = own * scales[n] + offsets[n];
                }
                if let Some((add, other)) = residual {
                    let zero = f32::from(add.other_zero);
                    for n in 0..L {
                        let own = if add.rounded {
                            rescale.range.round(steps[n]) * add.own
                        } else {
                            steps[n]
                        };
                        codes[n] = add.range.code(own + (f32::from(other[n]) - zero) * add.other);
                    }
                } else {
                    for n in 0..L {
                        codes[n] = rescale.range.code(steps[n]);
                    }
                }
            }
        }
        codes
    }

    /// Turns a row of accumulators into numbers: `f32(acc + bias[n]) * multiplier[n]`.
    #[inline(always)]
    pub(crate) fn row_floats<const L: usize>(&self, acc: &[i32; L], first: usize, out: &mut [f32]) {
        let bias: &[i32; L] = self.bias[first..].first_chunk().unwrap_or(&[0; L]);
        let factors: &[f32; L] = self.multipliers[first..].first_chunk().unwrap_or(&[0.0; L]);
        for (n, out) in out.iter_mut().enumerate().take(L) {
            *out = acc[n].wrapping_add(bias[n]) as f32 * factors[n];
        }
    }

    pub(crate) const fn table(&self) -> Option<&Table> {
        self.table.as_ref()
    }
}

const fn check(expected: usize, found: usize) -> Result<(), LengthError> {
    if expected == found { Ok(()) } else { Err(LengthError { expected, found }) }
}

/// Where the codes of one row of accumulators go; [`SKIP`] for a cell of the padding.
pub(crate) const SKIP: usize = usize::MAX;

/// Rows of accumulators of one pair of panels, and where they go.
pub(crate) struct Block<'a> {
    /// `[rows][32]`.
    pub(crate) acc: &'a [i32],
    /// Output position of each row, or [`SKIP`].
    pub(crate) positions: &'a [usize],
    /// First channel.
    pub(crate) first: usize,
    /// Channels of the output tensor.
    pub(crate) channels: usize,
    /// The tensor to be added, of the shape of the output.
    pub(crate) other: Option<&'a [u8]>,
}

#[inline(always)]
fn block_codes(epilogue: &Epilogue, block: &Block<'_>, out: SharedMut<u8>) {
    let width = (block.channels - block.first).min(PAIR);
    let rows = block.acc.as_chunks::<PAIR>().0;
    for (acc, &position) in rows.iter().zip(block.positions) {
        if position == SKIP {
            continue;
        }
        let start = position * block.channels + block.first;
        // SAFETY: every position and pair of panels belongs to one task of one thread (`gemm::run`)
        let out = unsafe { out.part(start, width) };
        let other = block.other.map(|o| &o[start..start + width]);
        epilogue.row(acc, block.first, other, out);
        if let Some(table) = &epilogue.table {
            table.scalar(out);
        }
    }
}

/// Codes of a block, in the version for an instruction set.
pub(crate) fn codes(isa: Isa, epilogue: &Epilogue, block: &Block<'_>, out: SharedMut<u8>) {
    match isa.kind() {
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 | Kind::AvxVnni => {
            // SAFETY: the `Isa` exists, so the processor has AVX2
            unsafe { avx2::block(epilogue, block, out) }
        }
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni | Kind::Amx => match &epilogue.table {
            None => {
                // SAFETY: the `Isa` exists, so the processor has these parts of AVX-512
                unsafe { avx512::block(epilogue, block, out) }
            }
            Some(table) if is_x86_feature_detected!("avx512vbmi") => {
                // SAFETY: as above, and VBMI was found just now
                unsafe { avx512::block_with_table(epilogue, table.answers(), block, out) }
            }
            Some(_) => block_codes(epilogue, block, out),
        },
        _ => block_codes(epilogue, block, out),
    }
}
