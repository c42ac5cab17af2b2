//! Pooling of codes: maximum over windows, mean over the whole picture.

use crate::arithmetic::CodeRange;
use crate::elementwise::{Chunks, compiled};
use crate::gemm::{ShapeError, demand};
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;
use crate::layout::Window;
use crate::threads::Threads;

compiled! {
    fn max_into(codes: &[u8], out: &mut [u8]) {
        for (out, &code) in out.iter_mut().zip(codes) {
            *out = (*out).max(code);
        }
    }
}

/// Largest code of every window; the border does not count.
///
/// # Errors
/// If the tensors have other sizes than the window says.
pub fn max(
    isa: Isa,
    threads: &Threads,
    window: &Window,
    codes: &[u8],
    out: &mut [u8],
) -> Result<(), ShapeError> {
    let Some([rows, columns]) = window.output() else {
        return Err(ShapeError {
            what: "window",
            expected: window.height,
            found: window.kernel[0],
        });
    };
    let c = window.channels;
    demand("picture", window.height * window.width * c, codes.len())?;
    demand("output", rows * columns * c, out.len())?;
    let chunks = Chunks::new(out, (columns * c).max(1));
    threads.for_each(chunks.count(), |oy| {
        let (_, line) = chunks.take(oy);
        line.fill(0);
        for (ox, out) in line.chunks_exact_mut(c).enumerate() {
            for ky in 0..window.kernel[0] {
                let y = (oy * window.stride[0] + ky).checked_sub(window.pads[0]);
                let Some(y) = y.filter(|y| *y < window.height) else { continue };
                for kx in 0..window.kernel[1] {
                    let x = (ox * window.stride[1] + kx).checked_sub(window.pads[1]);
                    let Some(x) = x.filter(|x| *x < window.width) else { continue };
                    max_into(isa, &codes[(y * window.width + x) * c..][..c], out);
                }
            }
        }
    });
    Ok(())
}

compiled! {
    fn add_row(row: &[u8], sums: &mut [u32]) {
        for (sum, &code) in sums.iter_mut().zip(row) {
            *sum += u32::from(code);
        }
    }
}

/// Cells over which sums of codes fit `u32` and, without the zero point, `i32`.
const MAX_CELLS: usize = 1 << 23;

/// Mean over all cells: `saturate(round(f32(sum - cells * zero) * factor) + zero_out)`, where the factor is
/// `scale / (scale_out * cells)`.
///
/// # Errors
/// If the lengths do not fit, or there are more than 2^23 cells.
pub fn mean(
    isa: Isa,
    (codes, zero): (&[u8], u8),
    factor: f32,
    range: CodeRange,
    out: &mut [u8],
) -> Result<(), ShapeError> {
    let channels = out.len().max(1);
    let cells = codes.len() / channels;
    demand("picture", cells * channels, codes.len())?;
    if cells > MAX_CELLS {
        return Err(ShapeError { what: "cells at most", expected: MAX_CELLS, found: cells });
    }
    let mut sums = vec![0_u32; channels];
    for row in codes.chunks_exact(channels) {
        add_row(isa, row, &mut sums);
    }
    let offset = cells as i32 * i32::from(zero);
    for (out, &sum) in out.iter_mut().zip(&sums) {
        *out = range.code((sum as i32 - offset) as f32 * factor);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_is_what_it_says_on_every_isa() {
        let (height, width, channels) = (9, 7, 37);
        let codes: Vec<u8> =
            (0..height * width * channels).map(|i| (i * 97 + i / 5) as u8).collect();
        let window =
            Window { height, width, channels, kernel: [3, 3], stride: [2, 2], pads: [1, 1, 1, 1] };
        let [rows, columns] = window.output().unwrap();
        for isa in Isa::available() {
            let mut out = vec![0; rows * columns * channels];
            max(isa, &Threads::new(2), &window, &codes, &mut out).unwrap();
            for (i, &found) in out.iter().enumerate() {
                let (oy, ox, c) = (i / channels / columns, i / channels % columns, i % channels);
                let inside = |o: usize, size: usize| (o * 2).max(1) - 1..(o * 2 + 2).min(size);
                let expected = inside(oy, height)
                    .flat_map(|y| inside(ox, width).map(move |x| (y, x)))
                    .map(|(y, x)| codes[(y * width + x) * channels + c])
                    .max();
                assert_eq!(Some(found), expected, "{isa} {oy} {ox} {c}");
            }
            let mut out = vec![0; channels];
            let factor = 2.0 / 63.0;
            mean(isa, (&codes, 30), factor, CodeRange::of(3), &mut out).unwrap();
            for (c, &found) in out.iter().enumerate() {
                let sum: i32 = codes.iter().skip(c).step_by(channels).map(|&q| i32::from(q)).sum();
                assert_eq!(found, CodeRange::of(3).code((sum - 63 * 30) as f32 * factor));
            }
        }
    }
}
