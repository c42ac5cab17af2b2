//! Tiles with `vpdpbusd` on 256 bits (AVX-VNNI): 6 positions x 16 channels in 12 registers, a panel at a time.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "loads, stores and calls under one contract"
)]

use std::arch::x86_64::{
    __m256i, _mm256_dpbusd_avx_epi32, _mm256_load_si256, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_store_si256,
};

use super::{Kernel, Tile};
use crate::pack::{PAIR, PANEL, PackedWeights};

pub(super) struct AvxVnni;

impl Kernel for AvxVnni {
    const ROWS: usize = 6;

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
                    1 => rows::<1>(&mut tile, panel),
                    2 => rows::<2>(&mut tile, panel),
                    3 => rows::<3>(&mut tile, panel),
                    4 => rows::<4>(&mut tile, panel),
                    5 => rows::<5>(&mut tile, panel),
                    _ => rows::<6>(&mut tile, panel),
                }
            }
        }
    }
}

#[target_feature(enable = "avx2,avxvnni")]
unsafe fn rows<const R: usize>(tile: &mut Tile<'_>, panel: usize) {
    let mut acc = [[_mm256_setzero_si256(); 2]; R];
    let base = panel * tile.taps * tile.padded_depth * PANEL;
    let groups = tile.depth.div_ceil(4);
    for tap in 0..tile.taps {
        let at = base + tap * tile.padded_depth * PANEL;
        // SAFETY: as in `avx512::rows`
        unsafe {
            let weights = tile.weights.as_ptr().add(at);
            let start = tile.start.add(tap * tile.tap_stride);
            for group in 0..groups {
                let low = _mm256_load_si256(weights.add(group * 64).cast::<__m256i>());
                let high = _mm256_load_si256(weights.add(group * 64 + 32).cast::<__m256i>());
                for r in 0..R {
                    let codes = start.add(r * tile.step + group * 4).cast::<i32>();
                    let codes = _mm256_set1_epi32(codes.read_unaligned());
                    acc[r][0] = _mm256_dpbusd_avx_epi32(acc[r][0], codes, low);
                    acc[r][1] = _mm256_dpbusd_avx_epi32(acc[r][1], codes, high);
                }
            }
        }
    }
    for (r, row) in acc.iter().enumerate() {
        // SAFETY: the accumulators are 32 rows of 128 bytes, aligned to 64
        unsafe {
            let into = tile.acc.as_mut_ptr().add(r * PAIR + panel * PANEL);
            _mm256_store_si256(into.cast::<__m256i>(), row[0]);
            _mm256_store_si256(into.add(8).cast::<__m256i>(), row[1]);
        }
    }
}
