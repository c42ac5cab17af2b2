//! Tiles with `vpmaddubsw`: 4 positions x 16 channels in 8 registers, a panel at a time.
//!
//! Two groups of four bytes at once: where their weights allow it ([`crate::saturation`]) the two sums of `vpmaddubsw` are
//! added in 16 bits before they are widened, which saves a quarter of the multiplications; else each is widened by
//! itself; where even one could saturate, the even and the odd bytes are multiplied apart. All three are exact.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "loads, stores and calls under one contract"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256,
    _mm256_load_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_store_si256,
};

use super::{Kernel, Tile};
use crate::pack::{PAIR, PANEL, PackedWeights};

pub(super) struct Avx2;

impl Kernel for Avx2 {
    const ROWS: usize = 4;

    unsafe fn new(_: &PackedWeights) -> Self {
        Self
    }

    fn reads(weights: &PackedWeights) -> usize {
        weights.depth().next_multiple_of(8)
    }

    unsafe fn tile(&mut self, mut tile: Tile<'_>) {
        for panel in 0..2 {
            // SAFETY: the contract of this function is that of `rows`
            unsafe {
                match tile.rows {
                    1 => rows::<1>(&mut tile, panel),
                    2 => rows::<2>(&mut tile, panel),
                    3 => rows::<3>(&mut tile, panel),
                    _ => rows::<4>(&mut tile, panel),
                }
            }
        }
    }
}

/// Sums of products in 16 bits to sums of twice as many in 32.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(acc: __m256i, sums: __m256i) -> __m256i {
    _mm256_add_epi32(acc, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn joint(acc: __m256i, codes: [__m256i; 2], weights: [__m256i; 2]) -> __m256i {
    let first = _mm256_maddubs_epi16(codes[0], weights[0]);
    widen(acc, _mm256_add_epi16(first, _mm256_maddubs_epi16(codes[1], weights[1])))
}

#[inline]
#[target_feature(enable = "avx2")]
fn apart(acc: __m256i, codes: [__m256i; 2], weights: [__m256i; 2]) -> __m256i {
    let acc = widen(acc, _mm256_maddubs_epi16(codes[0], weights[0]));
    widen(acc, _mm256_maddubs_epi16(codes[1], weights[1]))
}

#[inline]
#[target_feature(enable = "avx2")]
fn wide(acc: __m256i, codes: [__m256i; 2], weights: [__m256i; 2]) -> __m256i {
    let even = _mm256_set1_epi16(0x00ff);
    let of = |codes| [_mm256_and_si256(codes, even), _mm256_andnot_si256(even, codes)];
    let ([even0, odd0], [even1, odd1]) = (of(codes[0]), of(codes[1]));
    let acc = apart(acc, [even0, even1], weights);
    apart(acc, [odd0, odd1], weights)
}

/// Two passes, so that the accumulators of the first, which does nearly all of the work, stay in registers.
#[target_feature(enable = "avx2")]
unsafe fn rows<const R: usize>(tile: &mut Tile<'_>, panel: usize) {
    let mut acc = [[_mm256_setzero_si256(); 2]; R];
    let mut rest = false;
    for tap in 0..tile.taps {
        let classes = tile.order.classes((2 * tile.pair + panel) * tile.taps + tap);
        rest |= !classes.apart.is_empty() || !classes.wide.is_empty();
        // SAFETY: the contract of this function is that of `add`
        unsafe { add(&mut acc, tile, (panel, tap), classes.joint, |a, x, w| joint(a, x, w)) };
    }
    // SAFETY: the accumulators are 32 rows of 128 bytes
    unsafe { store(tile, panel, &acc) };
    if rest {
        // SAFETY: as this function
        unsafe { rest_of_rows::<R>(tile, panel) };
    }
}

/// Adds the pairs of groups that are not joint.
#[inline(never)]
#[target_feature(enable = "avx2")]
unsafe fn rest_of_rows<const R: usize>(tile: &mut Tile<'_>, panel: usize) {
    let mut acc = [[_mm256_setzero_si256(); 2]; R];
    for (r, row) in acc.iter_mut().enumerate() {
        // SAFETY: the accumulators are 32 rows of 128 bytes, aligned to 64
        unsafe {
            let from = tile.acc.as_ptr().add(r * PAIR + panel * PANEL);
            row[0] = _mm256_load_si256(from.cast::<__m256i>());
            row[1] = _mm256_load_si256(from.add(8).cast::<__m256i>());
        }
    }
    for tap in 0..tile.taps {
        let classes = tile.order.classes((2 * tile.pair + panel) * tile.taps + tap);
        // SAFETY: the contract of this function is that of `add`
        unsafe {
            add(&mut acc, tile, (panel, tap), classes.apart, |a, x, w| apart(a, x, w));
            add(&mut acc, tile, (panel, tap), classes.wide, |a, x, w| wide(a, x, w));
        }
    }
    // SAFETY: the accumulators are 32 rows of 128 bytes
    unsafe { store(tile, panel, &acc) };
}

/// Adds the products of some pairs of groups of one tap.
///
/// # Safety
/// [`Kernel::reads`] bytes can be read at this tap of each of R positions.
#[inline(always)]
unsafe fn add<const R: usize>(
    acc: &mut [[__m256i; 2]; R],
    tile: &Tile<'_>,
    (panel, tap): (usize, usize),
    pairs: &[u16],
    products: impl Fn(__m256i, [__m256i; 2], [__m256i; 2]) -> __m256i,
) {
    let at = (panel * tile.taps + tap) * tile.padded_depth * PANEL;
    // SAFETY: within the tile's two panels; K is padded to 64, so every pair of groups has its 128 bytes, and
    // panels start at multiples of 64; the contract of this function covers the codes
    unsafe {
        let weights = tile.weights.as_ptr().add(at);
        let codes = tile.start.add(tap * tile.tap_stride);
        for &pair in pairs {
            let weights = weights.add(usize::from(pair) * 128);
            let codes = codes.add(usize::from(pair) * 8);
            let low0 = _mm256_load_si256(weights.cast::<__m256i>());
            let high0 = _mm256_load_si256(weights.add(32).cast::<__m256i>());
            let low1 = _mm256_load_si256(weights.add(64).cast::<__m256i>());
            let high1 = _mm256_load_si256(weights.add(96).cast::<__m256i>());
            for (r, acc) in acc.iter_mut().enumerate() {
                let codes = codes.add(r * tile.step).cast::<i32>();
                let first = _mm256_set1_epi32(codes.read_unaligned());
                let second = _mm256_set1_epi32(codes.add(1).read_unaligned());
                acc[0] = products(acc[0], [first, second], [low0, low1]);
                acc[1] = products(acc[1], [first, second], [high0, high1]);
            }
        }
    }
}

/// # Safety
/// The tile has at least R rows.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store<const R: usize>(tile: &mut Tile<'_>, panel: usize, acc: &[[__m256i; 2]; R]) {
    for (r, row) in acc.iter().enumerate() {
        // SAFETY: the accumulators are 32 rows of 128 bytes, aligned to 64
        unsafe {
            let into = tile.acc.as_mut_ptr().add(r * PAIR + panel * PANEL);
            _mm256_store_si256(into.cast::<__m256i>(), row[0]);
            _mm256_store_si256(into.add(8).cast::<__m256i>(), row[1]);
        }
    }
}
