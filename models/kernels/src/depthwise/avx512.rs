//! Depthwise windows with `vpdpbusd`: 16 channels x 4 columns of the window an instruction.
//!
//! The four columns of each channel have to lie side by side. Each row of the picture is turned that way once, when
//! it comes under the window, and kept in a ring of as many rows as the window has.

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_permutexvar_epi32, _mm512_set4_epi32,
    _mm512_setr_epi32, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_storeu_si512,
};

use super::{GROUP, Group};
use crate::buffer::with_scratch;

/// Columns of the output that are computed together: as many chains of additions run in parallel.
const COLUMNS: usize = 8;
/// Bytes of 16 channels x 4 columns.
const QUAD: usize = 4 * GROUP;

/// Sums of all rows of the output; `finish` gets each row.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn rows(
    picture: &Group<'_>,
    weights: &[i8],
    rows: usize,
    sums: &mut [[i32; GROUP]],
    finish: &mut dyn FnMut(usize, &[[i32; GROUP]]),
) {
    let [kernel_rows, kernel_columns] = picture.kernel;
    let quads = kernel_columns.div_ceil(4);
    // columns at which four cells are needed, and room for the last group of output columns
    let line = picture.columns.next_multiple_of(COLUMNS) + 4 * (quads - 1);
    with_scratch(kernel_rows * line * QUAD, |ring| {
        for y in 0..kernel_rows - 1 {
            turn(picture, y, &mut ring[y % kernel_rows * line * QUAD..][..line * QUAD]);
        }
        for y in 0..rows {
            let last = y + kernel_rows - 1;
            turn(picture, last, &mut ring[last % kernel_rows * line * QUAD..][..line * QUAD]);
            for first in (0..picture.columns).step_by(COLUMNS) {
                let mut acc = [_mm512_setzero_si512(); COLUMNS];
                for ky in 0..kernel_rows {
                    let row = &ring[(y + ky) % kernel_rows * line * QUAD..][..line * QUAD];
                    for quad in 0..quads {
                        let taps = load(weights[(ky * quads + quad) * QUAD..].first_chunk());
                        let cells = row[(first + 4 * quad) * QUAD..].as_chunks::<QUAD>().0;
                        let Some(cells) = cells.first_chunk::<COLUMNS>() else { continue };
                        for (acc, cells) in acc.iter_mut().zip(cells) {
                            *acc = _mm512_dpbusd_epi32(*acc, load(Some(cells)), taps);
                        }
                    }
                }
                for (sums, acc) in sums[first..].iter_mut().zip(acc) {
                    // SAFETY: 16 sums of 4 bytes
                    unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast::<__m512i>(), acc) };
                }
            }
            finish(y, sums);
        }
    });
}

#[target_feature(enable = "avx512f")]
fn load<T>(bytes: Option<&[T; QUAD]>) -> __m512i {
    // SAFETY: 64 elements of at least one byte
    bytes.map_or_else(
        || _mm512_setzero_si512(),
        |b| unsafe { _mm512_loadu_si512(b.as_ptr().cast::<__m512i>()) },
    )
}

/// Turns row `y`: entry x gets columns x to x + 3 of each channel, side by side.
#[target_feature(enable = "avx512f,avx512bw")]
fn turn(picture: &Group<'_>, y: usize, into: &mut [u8]) {
    // four cells of 16 bytes: first the dwords (4 channels each) of the same channels together, then their bytes
    let together = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let transpose = _mm512_set4_epi32(0x0f0b_0703, 0x0e0a_0602, 0x0d09_0501, 0x0c08_0400);
    let row = &picture.padded[y * picture.padded_columns * GROUP..];
    for (x, entry) in into.as_chunks_mut::<QUAD>().0.iter_mut().enumerate() {
        // columns beyond the picture are never used by a kept output
        let Some(cells) = row.get(x * GROUP..).and_then(|r| r.first_chunk::<QUAD>()) else { break };
        let turned = _mm512_permutexvar_epi32(together, load(Some(cells)));
        let turned = _mm512_shuffle_epi8(turned, transpose);
        // SAFETY: an entry has 64 bytes
        unsafe { _mm512_storeu_si512(entry.as_mut_ptr().cast::<__m512i>(), turned) };
    }
}
