//! Depthwise windows with `vpmaddubsw`: 8 channels x 4 columns of the window an instruction.
//!
//! As with 512 bits, the four columns of each channel have to lie side by side, so each row of the picture is turned
//! once and kept in a ring of as many rows as the window has. Two groups of four columns, as many as a window of 7
//! has, share a 16-bit sum where the weights allow it ([`crate::saturation`]).

use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm_storeu_si128, _mm_unpackhi_epi8, _mm_unpackhi_epi16,
    _mm_unpacklo_epi8, _mm_unpacklo_epi16, _mm256_add_epi16, _mm256_add_epi32, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_setzero_si256,
    _mm256_storeu_si256,
};

use super::{GROUP, Group};
use crate::buffer::with_scratch;
use crate::saturation::{Class, classify};

/// Columns of the output that are computed together, in two registers of 8 channels each.
const COLUMNS: usize = 4;
/// Bytes of 16 channels x 4 columns.
const QUAD: usize = 4 * GROUP;
/// A vector.
const HALF: usize = QUAD / 2;

/// Class of each row of the window, `quads` groups of four columns a row; `None` if a row is wide: this kernel cannot do it.
pub(super) fn classes(weights: &[i8], quads: usize) -> Option<Vec<Class>> {
    let rows = weights.chunks_exact(quads * QUAD).map(|row| {
        let quad = |q: usize| row.get(q * QUAD..(q + 1) * QUAD).unwrap_or(&[0; QUAD]);
        let pairs = (0..quads).step_by(2).map(|q| classify(quad(q), quad(q + 1)));
        pairs.max().unwrap_or(Class::Joint)
    });
    let rows: Vec<Class> = rows.collect();
    (!rows.contains(&Class::Wide)).then_some(rows)
}

/// Sums of all rows of the output; `finish` gets each row.
#[target_feature(enable = "avx2")]
pub(super) fn rows(
    picture: &Group<'_>,
    (weights, classes): (&[i8], &[Class]),
    rows: usize,
    sums: &mut [[i32; GROUP]],
    finish: &mut dyn FnMut(usize, &[[i32; GROUP]]),
) {
    let [kernel_rows, kernel_columns] = picture.kernel;
    let quads = kernel_columns.div_ceil(4);
    // columns at which four cells are needed, and room for the last group of output columns
    let line = (picture.columns.next_multiple_of(COLUMNS) + 4 * (quads - 1)) * QUAD;
    with_scratch(kernel_rows * line, |ring| {
        for y in 0..kernel_rows - 1 {
            turn(picture, y, &mut ring[y % kernel_rows * line..][..line]);
        }
        for y in 0..rows {
            let last = y + kernel_rows - 1;
            turn(picture, last, &mut ring[last % kernel_rows * line..][..line]);
            for first in (0..picture.columns).step_by(COLUMNS) {
                let mut acc = [[_mm256_setzero_si256(); 2]; COLUMNS];
                for (ky, class) in classes.iter().enumerate() {
                    let row = &ring[(y + ky) % kernel_rows * line..][..line];
                    let row = &row[first * QUAD..][..(COLUMNS + 4 * (quads - 1)) * QUAD];
                    let taps = &weights[ky * quads * QUAD..][..quads * QUAD];
                    match class {
                        Class::Joint => joint(&mut acc, row, taps),
                        _ => apart(&mut acc, row, taps),
                    }
                }
                for (sums, acc) in sums[first..].iter_mut().zip(acc) {
                    let (low, high) = sums.split_at_mut(GROUP / 2);
                    store(low, acc[0]);
                    store(high, acc[1]);
                }
            }
            finish(y, sums);
        }
    });
}

type Sums = [[__m256i; 2]; COLUMNS];

/// One row of the window, two groups of four columns a 16-bit sum.
#[inline]
#[target_feature(enable = "avx2")]
fn joint(acc: &mut Sums, row: &[u8], taps: &[i8]) {
    for (q, taps) in taps.chunks(2 * QUAD).enumerate() {
        let row = &row[8 * q * QUAD..];
        for half in 0..2 {
            let first = vector(&taps[half * HALF..]);
            let second = (taps.len() > QUAD).then(|| vector(&taps[QUAD + half * HALF..]));
            for (x, acc) in acc.iter_mut().enumerate() {
                let at = x * QUAD + half * HALF;
                let mut sum = _mm256_maddubs_epi16(vector(&row[at..]), first);
                if let Some(second) = second {
                    let other = _mm256_maddubs_epi16(vector(&row[at + 4 * QUAD..]), second);
                    sum = _mm256_add_epi16(sum, other);
                }
                acc[half] = widen(acc[half], sum);
            }
        }
    }
}

/// One row of the window, each group of four columns by itself.
#[inline]
#[target_feature(enable = "avx2")]
fn apart(acc: &mut Sums, row: &[u8], taps: &[i8]) {
    for (q, taps) in taps.chunks(QUAD).enumerate() {
        let row = &row[4 * q * QUAD..];
        for half in 0..2 {
            let taps = vector(&taps[half * HALF..]);
            for (x, acc) in acc.iter_mut().enumerate() {
                let codes = vector(&row[x * QUAD + half * HALF..]);
                acc[half] = widen(acc[half], _mm256_maddubs_epi16(codes, taps));
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn widen(acc: __m256i, sums: __m256i) -> __m256i {
    _mm256_add_epi32(acc, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)))
}

/// The first 32 bytes of a list that has as many.
#[inline]
#[target_feature(enable = "avx2")]
fn vector<T>(bytes: &[T]) -> __m256i {
    let whole: Option<&[T; HALF]> = bytes.first_chunk();
    // SAFETY: 32 elements of at least one byte
    whole.map_or_else(
        || _mm256_setzero_si256(),
        |b| unsafe { _mm256_loadu_si256(b.as_ptr().cast::<__m256i>()) },
    )
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(into: &mut [i32], sums: __m256i) {
    if let Some(into) = into.first_chunk_mut::<{ GROUP / 2 }>() {
        // SAFETY: 8 sums of 4 bytes
        unsafe { _mm256_storeu_si256(into.as_mut_ptr().cast::<__m256i>(), sums) };
    }
}

/// Turns row `y`: entry x gets columns x to x + 3 of each channel, side by side.
#[target_feature(enable = "avx2")]
fn turn(picture: &Group<'_>, y: usize, into: &mut [u8]) {
    let row = &picture.padded[y * picture.padded_columns * GROUP..];
    for (x, entry) in into.as_chunks_mut::<QUAD>().0.iter_mut().enumerate() {
        // columns beyond the picture are never used by a kept output
        let Some(cells) = row.get(x * GROUP..).and_then(|r| r.first_chunk::<QUAD>()) else { break };
        let cells = cells.as_chunks::<GROUP>().0;
        let load = |column: usize| {
            // SAFETY: a cell has 16 bytes
            unsafe { _mm_loadu_si128(cells[column].as_ptr().cast::<__m128i>()) }
        };
        let (a, b, c, d) = (load(0), load(1), load(2), load(3));
        let (ab, cd) = (_mm_unpacklo_epi8(a, b), _mm_unpacklo_epi8(c, d));
        let (high_ab, high_cd) = (_mm_unpackhi_epi8(a, b), _mm_unpackhi_epi8(c, d));
        let turned = [
            _mm_unpacklo_epi16(ab, cd),
            _mm_unpackhi_epi16(ab, cd),
            _mm_unpacklo_epi16(high_ab, high_cd),
            _mm_unpackhi_epi16(high_ab, high_cd),
        ];
        for (into, channels) in entry.as_chunks_mut::<GROUP>().0.iter_mut().zip(turned) {
            // SAFETY: 16 bytes
            unsafe { _mm_storeu_si128(into.as_mut_ptr().cast::<__m128i>(), channels) };
        }
    }
}
