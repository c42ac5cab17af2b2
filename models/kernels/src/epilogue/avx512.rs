//! The epilogue of a block on 512 bits: the operations of [`super::Epilogue::row`], 16 channels a register.

use std::arch::x86_64::{
    __m256i, __m512, __m512i, __mmask16, __mmask32, _mm_maskz_loadu_epi8, _mm256_mask_storeu_epi8,
    _mm256_set_m128i, _mm512_add_epi32, _mm512_add_ps, _mm512_castsi256_si512,
    _mm512_castsi512_si256, _mm512_cvtepi32_epi8, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32,
    _mm512_cvtps_epi32, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_max_ps,
    _mm512_min_ps, _mm512_movepi8_mask, _mm512_mul_ps, _mm512_permutex2var_epi8,
    _mm512_roundscale_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_sub_ps,
};

use super::{Block, Epilogue, SKIP};
use crate::arithmetic::CodeRange;
use crate::buffer::SharedMut;
use crate::pack::PAIR;

/// Channels of a register.
const LANES: usize = 16;

#[derive(Clone, Copy)]
struct Range {
    low: __m512,
    high: __m512,
    zero: __m512i,
}

impl Range {
    #[target_feature(enable = "avx512f")]
    fn of(range: CodeRange) -> Self {
        Self {
            low: _mm512_set1_ps(range.low()),
            high: _mm512_set1_ps(range.high()),
            zero: _mm512_set1_epi32(range.zero()),
        }
    }

    #[target_feature(enable = "avx512f")]
    fn clamp(self, steps: __m512) -> __m512 {
        _mm512_min_ps(_mm512_max_ps(steps, self.low), self.high)
    }

    /// Half to even.
    #[target_feature(enable = "avx512f")]
    fn round(self, steps: __m512) -> __m512 {
        _mm512_roundscale_ps::<0>(self.clamp(steps))
    }

    /// Half to even: the rounding mode of the thread, which Rust never changes.
    #[target_feature(enable = "avx512f")]
    fn code(self, steps: __m512) -> __m512i {
        _mm512_add_epi32(_mm512_cvtps_epi32(self.clamp(steps)), self.zero)
    }
}

/// Bias, factors and offsets of 16 channels.
#[derive(Clone, Copy)]
struct Lane {
    bias: __m512i,
    factor: __m512,
    rescale: Option<(__m512, __m512)>,
}

#[target_feature(enable = "avx512f")]
fn floats(list: &[f32]) -> __m512 {
    debug_assert!(list.len() >= LANES, "lists are padded to whole pairs of panels");
    // SAFETY: lists are padded to whole pairs of panels, 32 channels
    unsafe { _mm512_loadu_ps(list.as_ptr()) }
}

#[target_feature(enable = "avx512f")]
fn integers(list: &[i32]) -> __m512i {
    debug_assert!(list.len() >= LANES, "lists are padded to whole pairs of panels");
    // SAFETY: as in `floats`; a row of accumulators has 32
    unsafe { _mm512_loadu_si512(list.as_ptr().cast::<__m512i>()) }
}

impl Lane {
    #[target_feature(enable = "avx512f")]
    fn of(epilogue: &Epilogue, first: usize) -> Self {
        Self {
            bias: integers(&epilogue.bias[first..]),
            factor: floats(&epilogue.multipliers[first..]),
            rescale: epilogue
                .rescale
                .as_ref()
                .map(|r| (floats(&r.factors[first..]), floats(&r.offsets[first..]))),
        }
    }

    #[target_feature(enable = "avx512f")]
    fn steps(self, acc: &[i32]) -> __m512 {
        _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_add_epi32(integers(acc), self.bias)), self.factor)
    }
}

/// What to do with the codes of a row.
#[derive(Clone, Copy)]
struct Sum {
    own: __m512,
    other: __m512,
    other_zero: __m512,
    rounded: bool,
    range: Range,
}

impl Sum {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn add(self, steps: __m512, range: Range, other: &[u8]) -> __m512 {
        let own = if self.rounded { _mm512_mul_ps(range.round(steps), self.own) } else { steps };
        // none where the last pair of panels has 16 channels or fewer
        let mask: __mmask16 = ((1_u32 << other.len().min(LANES)) - 1) as u16;
        // SAFETY: the mask has one bit for each byte of the slice, 16 at most
        let codes = unsafe { _mm_maskz_loadu_epi8(mask, other.as_ptr().cast::<i8>()) };
        let other = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(codes));
        _mm512_add_ps(own, _mm512_mul_ps(_mm512_sub_ps(other, self.other_zero), self.other))
    }
}

/// Codes of a block without a table.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn block(epilogue: &Epilogue, block: &Block<'_>, out: SharedMut<u8>) {
    rows(epilogue, block, out, |codes| codes);
}

/// Codes of a block through a table of 256 entries.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
pub(super) fn block_with_table(
    epilogue: &Epilogue,
    table: &[u8; 256],
    block: &Block<'_>,
    out: SharedMut<u8>,
) {
    let quarter = |q: usize| -> __m512i {
        // SAFETY: the table has four quarters of 64 bytes
        unsafe { _mm512_loadu_si512(table[q * 64..].as_ptr().cast::<__m512i>()) }
    };
    let (t0, t1, t2, t3) = (quarter(0), quarter(1), quarter(2), quarter(3));
    rows(epilogue, block, out, |codes| {
        let index = _mm512_castsi256_si512(codes);
        let low = _mm512_permutex2var_epi8(t0, index, t1);
        let high = _mm512_permutex2var_epi8(t2, index, t3);
        _mm512_castsi512_si256(_mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high))
    });
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn rows(
    epilogue: &Epilogue,
    block: &Block<'_>,
    out: SharedMut<u8>,
    finish: impl Fn(__m256i) -> __m256i,
) {
    let width = (block.channels - block.first).min(PAIR);
    let mask: __mmask32 = u32::MAX >> (PAIR - width);
    let lanes = [Lane::of(epilogue, block.first), Lane::of(epilogue, block.first + LANES)];
    let range = Range::of(epilogue.range);
    let rescaled = epilogue.rescale.as_ref().map(|r| r.range);
    let after = match rescaled {
        Some(range) => Range::of(range),
        None => range,
    };
    let sum = match epilogue.residual {
        Some(r) if block.other.is_some() => Some(Sum {
            own: _mm512_set1_ps(r.own),
            other: _mm512_set1_ps(r.other),
            other_zero: _mm512_set1_ps(f32::from(r.other_zero)),
            rounded: r.rounded,
            range: Range::of(r.range),
        }),
        _ => None,
    };
    let other = block.other.unwrap_or(&[]);
    for (acc, &position) in block.acc.as_chunks::<PAIR>().0.iter().zip(block.positions) {
        if position == SKIP {
            continue;
        }
        let start = position * block.channels + block.first;
        let mut halves = [_mm512_set1_epi32(0); 2];
        for (half, lane) in lanes.iter().enumerate() {
            let mut steps = lane.steps(&acc[half * LANES..]);
            if let Some((factor, offset)) = lane.rescale {
                steps = _mm512_add_ps(_mm512_mul_ps(range.round(steps), factor), offset);
            }
            halves[half] = match sum {
                Some(sum) => {
                    let from = start + (half * LANES).min(width);
                    let to = start + ((half + 1) * LANES).min(width);
                    sum.range.code(sum.add(steps, after, &other[from..to]))
                }
                None => after.code(steps),
            };
        }
        let codes =
            _mm256_set_m128i(_mm512_cvtepi32_epi8(halves[1]), _mm512_cvtepi32_epi8(halves[0]));
        // SAFETY: every position and pair of panels belongs to one task of one thread (`gemm::run`)
        let out = unsafe { out.part(start, width) };
        // SAFETY: the mask has one bit for each byte of the slice
        unsafe { _mm256_mask_storeu_epi8(out.as_mut_ptr().cast::<i8>(), mask, finish(codes)) };
    }
}
