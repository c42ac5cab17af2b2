//! Sums of products of `u8` activations and `i8` weights: linear layers and convolutions alike.
//!
//! ```text
//! acc[p][n] = sum over taps t and bytes k of x[address(p) + t * tap_stride + k] * w[n][t][k]
//! ```
//!
//! A linear layer or 1 x 1 convolution has one tap of C bytes. In NHWC, the window of a convolution is one tap a
//! kernel row: `kernel width * C` bytes that already lie side by side, so that nothing is copied into columns.
//! [`crate::layout`] pads the picture.
//!
//! Work is cut into blocks of positions and pairs of panels (32 output channels). A kernel makes the `i32` tile of
//! one block and pair; [`crate::epilogue`] turns it into codes while it is in the first cache.

mod scalar;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
#[cfg(target_arch = "aarch64")]
mod neon;

use std::fmt;
use std::ops::Range;

use crate::buffer::{SharedMut, with_scratch};
use crate::epilogue::{self, Block, Epilogue, SKIP};
use crate::isa::{Isa, Kind};
use crate::pack::{PAIR, PackedWeights};
#[cfg(target_arch = "x86_64")]
use crate::saturation::Order;
use crate::threads::Threads;

#[cfg(target_arch = "x86_64")]
pub(crate) use amx::usable as amx_usable;

/// Positions of a block at most: two AMX tiles.
const MAX_ROWS: usize = 32;
/// Bytes of packed weights that are used on all positions before the next ones come: they stay in the second cache.
const WEIGHTS_IN_CACHE: usize = 512 << 10;
/// Blocks or groups of pairs of one task are at least so many multiplications; less is not worth a thread.
const MIN_TASK_MACS: usize = 400_000;

/// Where the positions of an output lie in a tensor of activations.
///
/// Positions come in `runs` of `run_length`; position i of run r starts at byte `r * run_stride + i * step`. A run holds
/// rows of the output one after the other, `period` positions a row of which the first `valid` are kept: so a
/// padded picture is read straight through, border and all.
#[derive(Clone, Copy, Debug)]
pub struct Activations<'a> {
    /// The codes.
    pub data: &'a [u8],
    /// Number of runs.
    pub runs: usize,
    /// Bytes from run to run.
    pub run_stride: usize,
    /// Positions of a run.
    pub run_length: usize,
    /// Bytes from position to position.
    pub step: usize,
    /// Positions of one row of the output with border.
    pub period: usize,
    /// Positions of one row of the output.
    pub valid: usize,
    /// Bytes from tap to tap.
    pub tap_stride: usize,
}

/// Where the results go: `[positions, channels]`.
#[derive(Debug)]
pub enum Output<'a> {
    /// Codes through the whole epilogue.
    Codes(&'a mut [u8]),
    /// Numbers: `f32(acc + bias) * multiplier`; the rest of the epilogue does not apply.
    Floats(&'a mut [f32]),
}

/// Tensors whose sizes do not fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    pub(crate) what: &'static str,
    pub(crate) expected: usize,
    pub(crate) found: usize,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.what, self.expected, self.found)
    }
}

impl std::error::Error for ShapeError {}

pub(crate) const fn demand(
    what: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), ShapeError> {
    if expected == found { Ok(()) } else { Err(ShapeError { what, expected, found }) }
}

impl<'a> Activations<'a> {
    /// `positions` rows of `depth` bytes, one behind the other: a linear layer, or a 1 x 1 convolution.
    #[must_use]
    pub const fn rows(data: &'a [u8], positions: usize, depth: usize) -> Self {
        Self {
            data,
            runs: 1,
            run_stride: 0,
            run_length: positions,
            step: depth,
            period: positions,
            valid: positions,
            tap_stride: 0,
        }
    }

    /// Positions of the output.
    #[must_use]
    pub fn positions(&self) -> usize {
        let whole = self.run_length / self.period.max(1);
        let rest = self.run_length % self.period.max(1);
        self.runs * (whole * self.valid + rest.min(self.valid))
    }

    /// Bytes up to the end of the last window; `None` if that is beyond what can be counted.
    fn reach(&self, taps: usize, depth: usize) -> Option<usize> {
        let last = |count: usize, stride: usize| count.checked_sub(1)?.checked_mul(stride);
        last(self.runs, self.run_stride)?
            .checked_add(last(self.run_length, self.step)?)?
            .checked_add(last(taps, self.tap_stride)?)?
            .checked_add(depth)
    }
}

/// One block of positions and the weights that it meets, as a kernel sees them.
pub(crate) struct Tile<'a> {
    /// First byte of the first position.
    start: *const u8,
    step: usize,
    tap_stride: usize,
    /// Positions, 1 to [`Kernel::ROWS`].
    rows: usize,
    taps: usize,
    depth: usize,
    padded_depth: usize,
    /// Two panels, one after the other, each `taps * padded_depth * 16` bytes.
    weights: &'a [u8],
    /// Sums of the weights of the 32 channels, for kernels that shift the activations.
    #[cfg_attr(not(target_arch = "aarch64"), expect(dead_code, reason = "for NEON"))]
    sums: &'a [i32],
    /// Number of this pair of panels.
    #[cfg(target_arch = "x86_64")]
    pair: usize,
    /// Which weights may be added in 16 bits, for AVX2.
    #[cfg(target_arch = "x86_64")]
    order: &'a Order,
    /// `[rows][32]`.
    acc: &'a mut [i32; MAX_ROWS * PAIR],
}

/// A way to compute tiles.
pub(crate) trait Kernel {
    /// Positions of a block.
    const ROWS: usize;

    /// State of one task.
    ///
    /// # Safety
    /// The processor has the instruction set of this kernel.
    unsafe fn new(weights: &PackedWeights) -> Self;

    /// Bytes of each tap that it reads, at least K; those beyond meet weights of zero.
    fn reads(weights: &PackedWeights) -> usize;

    /// Computes a tile.
    ///
    /// # Safety
    /// The processor has the instruction set, and [`Kernel::reads`] bytes can be read at every tap of every position.
    unsafe fn tile(&mut self, tile: Tile<'_>);
}

/// Computes a linear layer or convolution. `other` is the tensor that the epilogue adds, of the shape of the output.
///
/// # Errors
/// If the sizes of the tensors do not fit each other.
pub fn run(
    isa: Isa,
    threads: &Threads,
    x: &Activations<'_>,
    weights: &PackedWeights,
    epilogue: &Epilogue,
    other: Option<&[u8]>,
    out: Output<'_>,
) -> Result<(), ShapeError> {
    let positions = x.positions();
    let reach = x.reach(weights.taps(), weights.depth()).unwrap_or(usize::MAX);
    if positions > 0 && reach > x.data.len() {
        return Err(ShapeError { what: "activations", expected: reach, found: x.data.len() });
    }
    let length = positions.saturating_mul(weights.channels());
    demand("epilogue", weights.sums().len(), epilogue.channels_padded())?;
    let out = match out {
        Output::Codes(codes) => {
            demand("output", length, codes.len())?;
            if epilogue.has_residual() {
                demand("residual", length, other.map_or(0, <[u8]>::len))?;
            }
            Target::Codes(SharedMut::new(codes))
        }
        Output::Floats(numbers) => {
            demand("output", length, numbers.len())?;
            Target::Floats(SharedMut::new(numbers))
        }
    };
    if positions == 0 {
        return Ok(());
    }
    let job = Job { isa, x, weights, epilogue, other, out };
    match isa.kind() {
        Kind::Scalar => job.share::<scalar::Scalar>(threads),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => job.share::<avx2::Avx2>(threads),
        #[cfg(target_arch = "x86_64")]
        Kind::AvxVnni => job.share::<avx_vnni::AvxVnni>(threads),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512Vnni => job.share::<avx512::Avx512Vnni>(threads),
        #[cfg(target_arch = "x86_64")]
        Kind::Amx => job.share::<amx::Amx>(threads),
        #[cfg(target_arch = "aarch64")]
        Kind::Neon => job.share::<neon::Neon>(threads),
        #[cfg(target_arch = "aarch64")]
        Kind::NeonDot => job.share::<neon::NeonDot>(threads),
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Target {
    Codes(SharedMut<u8>),
    Floats(SharedMut<f32>),
}

struct Job<'a> {
    isa: Isa,
    x: &'a Activations<'a>,
    weights: &'a PackedWeights,
    epilogue: &'a Epilogue,
    other: Option<&'a [u8]>,
    out: Target,
}

#[repr(align(64))]
struct Accumulators([i32; MAX_ROWS * PAIR]);

impl Job<'_> {
    /// Cuts the work along positions, or along output channels where the weights outweigh the activations.
    fn share<K: Kernel>(&self, threads: &Threads) {
        let blocks = self.x.runs * self.x.run_length.div_ceil(K::ROWS);
        let pairs = self.weights.pairs();
        let (taps, depth) = (self.weights.taps(), self.weights.depth());
        let macs = self.x.positions() * self.weights.channels() * taps * depth;
        let tasks = if threads.count() == 1 {
            1
        } else {
            (threads.count() * 4).min(macs / MIN_TASK_MACS).max(1)
        };
        if self.weights.bytes() > self.x.data.len() {
            let tasks = tasks.min(pairs);
            threads.for_each(tasks, |task| self.task::<K>(0..blocks, part(pairs, tasks, task)));
        } else {
            let tasks = tasks.min(blocks);
            threads.for_each(tasks, |task| self.task::<K>(part(blocks, tasks, task), 0..pairs));
        }
    }

    fn task<K: Kernel>(&self, blocks: Range<usize>, pairs: Range<usize>) {
        let pair_bytes = 2 * self.weights.panel_bytes();
        let group = (WEIGHTS_IN_CACHE / pair_bytes).max(1);
        // SAFETY: `self.isa` exists, so the processor has it; `share` chose the kernel by it
        let mut kernel = unsafe { K::new(self.weights) };
        let mut acc = Accumulators([0; MAX_ROWS * PAIR]);
        let mut first = pairs.start;
        while first < pairs.end {
            let end = (first + group).min(pairs.end);
            for block in blocks.clone() {
                self.block(&mut kernel, block, first..end, &mut acc);
            }
            first = end;
        }
    }

    fn block<K: Kernel>(
        &self,
        kernel: &mut K,
        block: usize,
        pairs: Range<usize>,
        acc: &mut Accumulators,
    ) {
        let x = self.x;
        let per_run = x.run_length.div_ceil(K::ROWS);
        let (run, start) = (block / per_run, block % per_run * K::ROWS);
        let rows = (x.run_length - start).min(K::ROWS);
        let mut positions = [SKIP; MAX_ROWS];
        let rows_per_run = x.run_length.div_ceil(x.period);
        let (mut line, mut column) = (start / x.period, start % x.period);
        for slot in &mut positions[..rows] {
            if column < x.valid {
                *slot = (run * rows_per_run + line) * x.valid + column;
            }
            column += 1;
            if column == x.period {
                (line, column) = (line + 1, 0);
            }
        }
        let positions = &positions[..rows];
        let offset = run * x.run_stride + start * x.step;
        let (taps, depth) = (self.weights.taps(), self.weights.depth());
        let reads = K::reads(self.weights);
        let end = offset + (rows - 1) * x.step + (taps - 1) * x.tap_stride + reads;
        if end <= x.data.len() {
            let tile = (x.data[offset..].as_ptr(), x.step, x.tap_stride);
            self.pairs(kernel, tile, positions, pairs, acc);
            return;
        }
        // the last positions, where a kernel that reads whole vectors would reach beyond the tensor
        let row = taps * reads;
        with_scratch(rows * row, |copy| {
            for r in 0..rows {
                for t in 0..taps {
                    let from = offset + r * x.step + t * x.tap_stride;
                    let into = &mut copy[r * row + t * reads..][..reads];
                    into[..depth].copy_from_slice(&x.data[from..from + depth]);
                    into[depth..].fill(0);
                }
            }
            self.pairs(kernel, (copy.as_ptr(), row, reads), positions, pairs, acc);
        });
    }

    fn pairs<K: Kernel>(
        &self,
        kernel: &mut K,
        (start, step, tap_stride): (*const u8, usize, usize),
        positions: &[usize],
        pairs: Range<usize>,
        acc: &mut Accumulators,
    ) {
        let channels = self.weights.channels();
        for pair in pairs {
            let tile = Tile {
                start,
                step,
                tap_stride,
                rows: positions.len(),
                taps: self.weights.taps(),
                depth: self.weights.depth(),
                padded_depth: self.weights.padded_depth(),
                weights: self.weights.pair(pair),
                sums: &self.weights.sums()[pair * PAIR..][..PAIR],
                #[cfg(target_arch = "x86_64")]
                pair,
                #[cfg(target_arch = "x86_64")]
                order: self.weights.order(),
                acc: &mut acc.0,
            };
            // SAFETY: the processor has the instruction set (see `task`); `block` made sure of the bytes
            unsafe { kernel.tile(tile) };
            let first = pair * PAIR;
            match self.out {
                Target::Codes(out) => {
                    let block =
                        Block { acc: &acc.0, positions, first, channels, other: self.other };
                    epilogue::codes(self.isa, self.epilogue, &block, out);
                }
                Target::Floats(out) => {
                    let width = (channels - first).min(PAIR);
                    let rows = acc.0.as_chunks::<PAIR>().0;
                    for (row, &position) in rows.iter().zip(positions) {
                        if position != SKIP {
                            // SAFETY: tasks own disjoint blocks and pairs
                            let out = unsafe { out.part(position * channels + first, width) };
                            self.epilogue.row_floats(row, first, out);
                        }
                    }
                }
            }
        }
    }
}

/// Part `index` of `count` nearly equal parts of `0..whole`.
pub(crate) fn part(whole: usize, count: usize, index: usize) -> Range<usize> {
    whole * index / count..whole * (index + 1) / count
}
