//! Tiles on AArch64: `sdot`, or widening multiplications where the processor has no dot product.
//!
//! Activations are shifted to signed (`code - 128`, one exclusive or), and the sums start at 128 times the sum of the
//! weights of each channel, which puts them right. `sdot` is written in assembly, since its intrinsic is not stable.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "loads, stores and calls under one contract"
)]

use std::arch::aarch64::{
    int8x16_t, int32x4_t, vaddq_s32, vdupq_n_s32, vdupq_n_u8, veorq_u8, vget_high_s8, vget_low_s8,
    vld1q_s8, vld1q_s32, vmull_s8, vmulq_n_s32, vpaddlq_s16, vpaddq_s32, vreinterpretq_s8_u8,
    vreinterpretq_u8_s32, vst1q_s32,
};
use std::arch::asm;

use super::{Kernel, Tile};
use crate::pack::{PAIR, PANEL, PackedWeights};

/// Positions of a block; with the 16 channels of a panel they take 16 of 32 registers.
const ROWS: usize = 4;

/// Tiles that `sdot` has computed in this process, so that a test can say that it ran.
#[cfg(test)]
pub(super) static DOT_TILES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// `sdot` (`FEAT_DotProd`).
pub(super) struct NeonDot;

/// Without dot product.
pub(super) struct Neon;

macro_rules! kernel {
    ($name:ident, $rows:ident) => {
        impl Kernel for $name {
            const ROWS: usize = ROWS;

            unsafe fn new(_: &PackedWeights) -> Self {
                Self
            }

            fn reads(weights: &PackedWeights) -> usize {
                weights.depth().next_multiple_of(4)
            }

            unsafe fn tile(&mut self, mut tile: Tile<'_>) {
                for panel in 0..2 {
                    // SAFETY: the contract of this function is that of `rows`
                    unsafe {
                        match tile.rows {
                            1 => $rows::<1>(&mut tile, panel),
                            2 => $rows::<2>(&mut tile, panel),
                            3 => $rows::<3>(&mut tile, panel),
                            _ => $rows::<4>(&mut tile, panel),
                        }
                    }
                }
            }
        }
    };
}

kernel!(NeonDot, rows_dot);
kernel!(Neon, rows_wide);

/// `acc[i] + sum over j of codes[4 i + j] * weights[4 i + j]`, signed.
#[target_feature(enable = "neon")]
fn dot(mut acc: int32x4_t, codes: int8x16_t, weights: int8x16_t) -> int32x4_t {
    // SAFETY: registers alone; called only where the processor has the dot product
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {acc:v}.4s, {codes:v}.16b, {weights:v}.16b",
            acc = inout(vreg) acc,
            codes = in(vreg) codes,
            weights = in(vreg) weights,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    acc
}

/// The same in two lists of half the products: channels 0 and 1, channels 2 and 3.
#[target_feature(enable = "neon")]
fn halves(acc: [int32x4_t; 2], codes: int8x16_t, weights: int8x16_t) -> [int32x4_t; 2] {
    // -128 * -128 = 16384 fits 16 bits, the sum of two does not: each product widens before it is added
    let low = vmull_s8(vget_low_s8(codes), vget_low_s8(weights));
    let high = vmull_s8(vget_high_s8(codes), vget_high_s8(weights));
    [vaddq_s32(acc[0], vpaddlq_s16(low)), vaddq_s32(acc[1], vpaddlq_s16(high))]
}

/// Four codes, repeated, shifted to signed.
///
/// # Safety
/// Four bytes can be read.
#[target_feature(enable = "neon")]
unsafe fn four(codes: *const u8) -> int8x16_t {
    // SAFETY: the contract of this function
    let word = unsafe { codes.cast::<i32>().read_unaligned() };
    vreinterpretq_s8_u8(veorq_u8(vreinterpretq_u8_s32(vdupq_n_s32(word)), vdupq_n_u8(0x80)))
}

#[target_feature(enable = "neon")]
unsafe fn rows_dot<const R: usize>(tile: &mut Tile<'_>, panel: usize) {
    #[cfg(test)]
    DOT_TILES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut acc = [[vdupq_n_s32(0); 4]; R];
    let base = panel * tile.taps * tile.padded_depth * PANEL;
    for tap in 0..tile.taps {
        let at = base + tap * tile.padded_depth * PANEL;
        // SAFETY: within the tile's two panels, K padded to 64; `reads` bytes can be read at every tap of every position
        unsafe {
            let weights = tile.weights.as_ptr().add(at).cast::<i8>();
            let start = tile.start.add(tap * tile.tap_stride);
            for group in 0..tile.depth.div_ceil(4) {
                let four_channels = |q: usize| vld1q_s8(weights.add(group * 64 + q * 16));
                let w = [four_channels(0), four_channels(1), four_channels(2), four_channels(3)];
                for r in 0..R {
                    let codes = four(start.add(r * tile.step + group * 4));
                    for q in 0..4 {
                        acc[r][q] = dot(acc[r][q], codes, w[q]);
                    }
                }
            }
        }
    }
    for (r, row) in acc.iter().enumerate() {
        for (q, &sums) in row.iter().enumerate() {
            let channel = panel * PANEL + q * 4;
            // SAFETY: there are 32 sums of weights and 32 rows of 32 accumulators
            unsafe {
                let offset = vmulq_n_s32(vld1q_s32(tile.sums.as_ptr().add(channel)), 128);
                vst1q_s32(tile.acc.as_mut_ptr().add(r * PAIR + channel), vaddq_s32(sums, offset));
            }
        }
    }
}

#[target_feature(enable = "neon")]
unsafe fn rows_wide<const R: usize>(tile: &mut Tile<'_>, panel: usize) {
    for q in 0..4 {
        let mut acc = [[vdupq_n_s32(0); 2]; R];
        let base = panel * tile.taps * tile.padded_depth * PANEL + q * 16;
        for tap in 0..tile.taps {
            let at = base + tap * tile.padded_depth * PANEL;
            // SAFETY: as in `rows_dot`
            unsafe {
                let weights = tile.weights.as_ptr().add(at).cast::<i8>();
                let start = tile.start.add(tap * tile.tap_stride);
                for group in 0..tile.depth.div_ceil(4) {
                    let w = vld1q_s8(weights.add(group * 64));
                    for r in 0..R {
                        let codes = four(start.add(r * tile.step + group * 4));
                        acc[r] = halves(acc[r], codes, w);
                    }
                }
            }
        }
        let channel = panel * PANEL + q * 4;
        for (r, row) in acc.iter().enumerate() {
            // SAFETY: as in `rows_dot`
            unsafe {
                let offset = vmulq_n_s32(vld1q_s32(tile.sums.as_ptr().add(channel)), 128);
                let sums = vpaddq_s32(row[0], row[1]);
                vst1q_s32(tile.acc.as_mut_ptr().add(r * PAIR + channel), vaddq_s32(sums, offset));
            }
        }
    }
}
