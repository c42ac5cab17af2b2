//! Tiles with `vpdpbusd` on 512 bits: 8 positions x 32 channels in 16 registers.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "loads, stores and calls under one contract"
)]

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_store_si512,
};

use super::{Kernel, Tile};
use crate::pack::{PAIR, PANEL, PackedWeights};

pub(super) struct Avx512Vnni;

impl Kernel for Avx512Vnni {
    const ROWS: usize = 8;

    unsafe fn new(_: &PackedWeights) -> Self {
        Self
    }

    fn reads(weights: &PackedWeights) -> usize {
        weights.depth().next_multiple_of(4)
    }

    unsafe fn tile(&mut self, tile: Tile<'_>) {
        // SAFETY: the contract of this function is that of `rows`
        unsafe {
            match tile.rows {
                1 => rows::<1>(tile),
                2 => rows::<2>(tile),
                3 => rows::<3>(tile),
                4 => rows::<4>(tile),
                5 => rows::<5>(tile),
                6 => rows::<6>(tile),
                7 => rows::<7>(tile),
                _ => rows::<8>(tile),
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn rows<const R: usize>(tile: Tile<'_>) {
    let mut acc = [[_mm512_setzero_si512(); 2]; R];
    let panel = tile.taps * tile.padded_depth * PANEL;
    let groups = tile.depth.div_ceil(4);
    for tap in 0..tile.taps {
        let at = tap * tile.padded_depth * PANEL;
        // SAFETY: within the tile's two panels; K is padded to 64, so every group of 4 has its 64 bytes, and
        // panels start at multiples of 64; `reads` bytes can be read at every tap of every position
        unsafe {
            let weights = tile.weights.as_ptr().add(at);
            let start = tile.start.add(tap * tile.tap_stride);
            for group in 0..groups {
                let low = _mm512_load_si512(weights.add(group * 64).cast::<__m512i>());
                let high = _mm512_load_si512(weights.add(panel + group * 64).cast::<__m512i>());
                for r in 0..R {
                    let codes = start.add(r * tile.step + group * 4).cast::<i32>();
                    let codes = _mm512_set1_epi32(codes.read_unaligned());
                    acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], codes, low);
                    acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], codes, high);
                }
            }
        }
    }
    for (r, row) in acc.iter().enumerate() {
        // SAFETY: the accumulators are 32 rows of 128 bytes, aligned to 64
        unsafe {
            let into = tile.acc.as_mut_ptr().add(r * PAIR);
            _mm512_store_si512(into.cast::<__m512i>(), row[0]);
            _mm512_store_si512(into.add(PANEL).cast::<__m512i>(), row[1]);
        }
    }
}
