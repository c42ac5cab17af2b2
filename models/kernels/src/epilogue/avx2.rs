//! The epilogue of a block on 256 bits: the operations of [`super::Epilogue::row`], 8 channels a register.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadl_epi64, _mm256_add_epi32, _mm256_add_ps, _mm256_cvtepi32_ps,
    _mm256_cvtepu8_epi32, _mm256_cvtps_epi32, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_max_ps,
    _mm256_min_ps, _mm256_mul_ps, _mm256_packs_epi32, _mm256_packus_epi16,
    _mm256_permutevar8x32_epi32, _mm256_round_ps, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setr_epi32, _mm256_setzero_si256, _mm256_storeu_si256, _mm256_sub_ps,
};

use super::{Block, Epilogue, Rescale, Residual, SKIP};
use crate::arithmetic::CodeRange;
use crate::buffer::SharedMut;
use crate::pack::PAIR;
use crate::table;

/// Channels of a register.
const LANES: usize = 8;

#[derive(Clone, Copy)]
struct Range {
    low: __m256,
    high: __m256,
    zero: __m256i,
}

impl Range {
    #[target_feature(enable = "avx2")]
    fn of(range: CodeRange) -> Self {
        Self {
            low: _mm256_set1_ps(range.low()),
            high: _mm256_set1_ps(range.high()),
            zero: _mm256_set1_epi32(range.zero()),
        }
    }

    /// NaN becomes the lowest value: `vmaxps` gives its second operand then.
    #[target_feature(enable = "avx2")]
    fn clamp(self, steps: __m256) -> __m256 {
        _mm256_min_ps(_mm256_max_ps(steps, self.low), self.high)
    }

    /// Half to even.
    #[target_feature(enable = "avx2")]
    fn round(self, steps: __m256) -> __m256 {
        _mm256_round_ps::<0>(self.clamp(steps))
    }

    /// Half to even: the rounding mode of the thread, which Rust never changes.
    #[target_feature(enable = "avx2")]
    fn code(self, steps: __m256) -> __m256i {
        _mm256_add_epi32(_mm256_cvtps_epi32(self.clamp(steps)), self.zero)
    }
}

#[target_feature(enable = "avx2")]
fn floats(list: &[f32]) -> __m256 {
    debug_assert!(list.len() >= LANES, "lists are padded to whole pairs of panels");
    // SAFETY: lists are padded to whole pairs of panels, 32 channels
    unsafe { _mm256_loadu_ps(list.as_ptr()) }
}

#[target_feature(enable = "avx2")]
fn integers(list: &[i32]) -> __m256i {
    debug_assert!(list.len() >= LANES, "lists are padded to whole pairs of panels");
    // SAFETY: as in `floats`; a row of accumulators has 32
    unsafe { _mm256_loadu_si256(list.as_ptr().cast::<__m256i>()) }
}

/// Eight codes as numbers.
#[target_feature(enable = "avx2")]
fn numbers(codes: &[u8]) -> __m256 {
    debug_assert!(codes.len() >= LANES, "rows of 32 codes");
    // SAFETY: eight bytes of a row of 32
    let codes = unsafe { _mm_loadl_epi64(codes.as_ptr().cast::<__m128i>()) };
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes))
}

/// A residual in registers.
#[derive(Clone, Copy)]
struct Sum {
    own: __m256,
    other: __m256,
    other_zero: __m256,
    rounded: bool,
    range: Range,
}

impl Sum {
    #[target_feature(enable = "avx2")]
    fn of(rule: &Residual) -> Self {
        Self {
            own: _mm256_set1_ps(rule.own),
            other: _mm256_set1_ps(rule.other),
            other_zero: _mm256_set1_ps(f32::from(rule.other_zero)),
            rounded: rule.rounded,
            range: Range::of(rule.range),
        }
    }

    /// `before`: codes that the first summand takes where it was a code.
    #[target_feature(enable = "avx2")]
    fn code(self, steps: __m256, before: Range, other: &[u8]) -> __m256i {
        let own = if self.rounded { _mm256_mul_ps(before.round(steps), self.own) } else { steps };
        let other = _mm256_mul_ps(_mm256_sub_ps(numbers(other), self.other_zero), self.other);
        self.range.code(_mm256_add_ps(own, other))
    }
}

/// Codes of a block.
#[target_feature(enable = "avx2")]
pub(super) fn block(epilogue: &Epilogue, block: &Block<'_>, out: SharedMut<u8>) {
    let lanes = [0, 1, 2, 3].map(|lane| block.first + lane * LANES);
    let factors = lanes.map(|first| floats(&epilogue.multipliers[first..]));
    let range = Range::of(epilogue.range);
    let residual = epilogue.residual.as_ref().filter(|_| block.other.is_some());
    match (&epilogue.rescale, residual) {
        (None, None) => rows(epilogue, block, out, |lane, acc, _| {
            range.code(steps(epilogue, acc, lanes[lane], factors[lane]))
        }),
        (None, Some(residual)) => {
            let sum = Sum::of(residual);
            rows(epilogue, block, out, |lane, acc, other| {
                sum.code(steps(epilogue, acc, lanes[lane], factors[lane]), range, other)
            });
        }
        (Some(rule), residual) => {
            let (sum, after) = (residual.map(|rule| Sum::of(rule)), Range::of(rule.range));
            rows(epilogue, block, out, |lane, acc, other| {
                let steps = range.round(steps(epilogue, acc, lanes[lane], factors[lane]));
                let steps = rescaled(rule, steps, lanes[lane]);
                match sum {
                    Some(sum) => sum.code(steps, after, other),
                    None => after.code(steps),
                }
            });
        }
    }
}

#[target_feature(enable = "avx2")]
fn steps(epilogue: &Epilogue, acc: &[i32], first: usize, factor: __m256) -> __m256 {
    let sum = _mm256_add_epi32(integers(acc), integers(&epilogue.bias[first..]));
    _mm256_mul_ps(_mm256_cvtepi32_ps(sum), factor)
}

#[target_feature(enable = "avx2")]
fn rescaled(rule: &Rescale, steps: __m256, first: usize) -> __m256 {
    let product = _mm256_mul_ps(steps, floats(&rule.factors[first..]));
    _mm256_add_ps(product, floats(&rule.offsets[first..]))
}

/// Calls `codes(lane, accumulators, codes to be added)` for 8 channels at a time; the codes go through the table and out.
#[inline]
#[target_feature(enable = "avx2")]
fn rows(
    epilogue: &Epilogue,
    block: &Block<'_>,
    out: SharedMut<u8>,
    codes: impl Fn(usize, &[i32], &[u8]) -> __m256i,
) {
    let width = (block.channels - block.first).min(PAIR);
    for (acc, &position) in block.acc.as_chunks::<PAIR>().0.iter().zip(block.positions) {
        if position == SKIP {
            continue;
        }
        let start = position * block.channels + block.first;
        // at the last channels the row of 32 is filled up
        let mut filled = [0_u8; PAIR];
        let other = block.other.map_or(&[][..], |other| &other[start..start + width]);
        let other: &[u8; PAIR] = match other.first_chunk() {
            Some(whole) => whole,
            None => {
                filled[..other.len()].copy_from_slice(other);
                &filled
            }
        };
        let mut lanes = [_mm256_setzero_si256(); 4];
        for (lane, into) in lanes.iter_mut().enumerate() {
            *into = codes(lane, &acc[lane * LANES..], &other[lane * LANES..]);
        }
        let mut row = bytes(lanes);
        if let Some(table) = &epilogue.table {
            row = table::avx2::answers(table, row);
        }
        // SAFETY: every position and pair of panels belongs to one task of one thread (`gemm::run`)
        let out = unsafe { out.part(start, width) };
        match out.first_chunk_mut::<PAIR>() {
            Some(whole) => store(whole, row),
            None => {
                let mut whole = [0_u8; PAIR];
                store(&mut whole, row);
                out.copy_from_slice(&whole[..width]);
            }
        }
    }
}

/// 32 numbers from 0 to 255 in the order of the registers.
#[target_feature(enable = "avx2")]
fn bytes(lanes: [__m256i; 4]) -> __m256i {
    let low = _mm256_packs_epi32(lanes[0], lanes[1]);
    let high = _mm256_packs_epi32(lanes[2], lanes[3]);
    // packing works within halves of 128 bits
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order)
}

#[target_feature(enable = "avx2")]
fn store(into: &mut [u8; PAIR], row: __m256i) {
    // SAFETY: 32 bytes
    unsafe { _mm256_storeu_si256(into.as_mut_ptr().cast::<__m256i>(), row) };
}
