//! Tiles with `vpmaddubsw`: 4 positions x 16 channels, a panel at a time.
//!
//! `vpmaddubsw` adds two products of `u8` and `i8` in 16 bits and saturates. Where the weights were found to be
//! narrow ([`PackedWeights::is_narrow`]) it cannot; elsewhere the even and the odd bytes are multiplied apart, so
//! that each 16-bit sum has one product. Both are exact.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "loads, stores and calls under one contract"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256, _mm256_load_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_store_si256,
};

use super::{Kernel, Tile};
use crate::pack::{PAIR, PANEL, PackedWeights};

pub(super) struct Avx2 {
    narrow: bool,
}

impl Kernel for Avx2 {
    const ROWS: usize = 4;

    unsafe fn new(weights: &PackedWeights) -> Self {
        Self { narrow: weights.is_narrow() }
    }

    fn reads(weights: &PackedWeights) -> usize {
        weights.depth().next_multiple_of(4)
    }

    unsafe fn tile(&mut self, mut tile: Tile<'_>) {
        for panel in 0..2 {
            // SAFETY: the contract of this function is that of `rows`
            unsafe {
                match (self.narrow, tile.rows) {
                    (true, 1) => rows::<1, true>(&mut tile, panel),
                    (true, 2) => rows::<2, true>(&mut tile, panel),
                    (true, 3) => rows::<3, true>(&mut tile, panel),
                    (true, _) => rows::<4, true>(&mut tile, panel),
                    (false, 1) => rows::<1, false>(&mut tile, panel),
                    (false, 2) => rows::<2, false>(&mut tile, panel),
                    (false, 3) => rows::<3, false>(&mut tile, panel),
                    (false, _) => rows::<4, false>(&mut tile, panel),
                }
            }
        }
    }
}

#[target_feature(enable = "avx2")]
fn products<const NARROW: bool>(acc: __m256i, codes: __m256i, weights: __m256i) -> __m256i {
    let ones = _mm256_set1_epi16(1);
    if NARROW {
        let sums = _mm256_maddubs_epi16(codes, weights);
        return _mm256_add_epi32(acc, _mm256_madd_epi16(sums, ones));
    }
    let even = _mm256_set1_epi16(0x00ff);
    let low = _mm256_maddubs_epi16(_mm256_and_si256(codes, even), weights);
    let high = _mm256_maddubs_epi16(_mm256_andnot_si256(even, codes), weights);
    let acc = _mm256_add_epi32(acc, _mm256_madd_epi16(low, ones));
    _mm256_add_epi32(acc, _mm256_madd_epi16(high, ones))
}

#[target_feature(enable = "avx2")]
unsafe fn rows<const R: usize, const NARROW: bool>(tile: &mut Tile<'_>, panel: usize) {
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
                    acc[r][0] = products::<NARROW>(acc[r][0], codes, low);
                    acc[r][1] = products::<NARROW>(acc[r][1], codes, high);
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
