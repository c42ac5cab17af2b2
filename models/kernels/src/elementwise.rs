//! Operators on one or two tensors of the same shape, cell by cell: quantize, dequantize, add, rescale.

use crate::arithmetic::{CodeRange, Quantization};
use crate::buffer::SharedMut;
use crate::epilogue::{Rescale, Residual};
use crate::gemm::{ShapeError, demand};
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;
use crate::threads::Threads;

/// Codes of one task.
const CHUNK: usize = 16 << 10;

/// An output cut into chunks that threads take one by one.
pub(crate) struct Chunks<T> {
    out: SharedMut<T>,
    length: usize,
    size: usize,
}

impl<T> Chunks<T> {
    pub(crate) fn new(out: &mut [T], size: usize) -> Self {
        Self { length: out.len(), out: SharedMut::new(out), size }
    }

    pub(crate) const fn count(&self) -> usize {
        self.length.div_ceil(self.size)
    }

    /// Chunk `index` and where it starts. Each index is taken once (`Threads::for_each`), while the output is borrowed
    /// by the function that made the chunks.
    #[expect(clippy::mut_from_ref, reason = "each index is taken by one task")]
    pub(crate) fn take(&self, index: usize) -> (usize, &mut [T]) {
        let start = index * self.size;
        let length = self.size.min(self.length - start);
        // SAFETY: chunks are disjoint, and `for_each` hands out each index once
        (start, unsafe { self.out.part(start, length) })
    }
}

/// Declares a function compiled for each instruction set from one body.
macro_rules! compiled {
    ($(#[$doc:meta])* fn $name:ident ( $($arg:ident : $type:ty),* $(,)? ) $body:block) => {
        $(#[$doc])*
        fn $name(isa: Isa, $($arg: $type),*) {
            #[inline(always)]
            fn body($($arg: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($arg: $type),*) { body($($arg),*); }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($arg: $type),*) { body($($arg),*); }
            match isa.kind() {
                #[cfg(target_arch = "x86_64")]
                Kind::Avx2 | Kind::AvxVnni => {
                    // SAFETY: the `Isa` exists, so the processor has AVX2
                    unsafe { avx2($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                Kind::Avx512Vnni | Kind::Amx => {
                    // SAFETY: the `Isa` exists, so the processor has these parts of AVX-512
                    unsafe { avx512($($arg),*) }
                }
                _ => body($($arg),*),
            }
        }
    };
}
pub(crate) use compiled;

compiled! {
    fn add_chunk(own: &[u8], own_zero: u8, other: &[u8], rule: &Residual, out: &mut [u8]) {
        let (own_zero, other_zero) = (f32::from(own_zero), f32::from(rule.other_zero));
        for ((out, &a), &b) in out.iter_mut().zip(own).zip(other) {
            let own = (f32::from(a) - own_zero) * rule.own;
            *out = rule.range.code(own + (f32::from(b) - other_zero) * rule.other);
        }
    }
}

/// Quantized addition: `saturate(round((a - a_zero) * own + (b - b_zero) * other) + zero)`.
///
/// # Errors
/// If the tensors have different lengths.
pub fn add(
    isa: Isa,
    threads: &Threads,
    (own, own_zero): (&[u8], u8),
    other: &[u8],
    rule: &Residual,
    out: &mut [u8],
) -> Result<(), ShapeError> {
    demand("first summand", out.len(), own.len())?;
    demand("second summand", out.len(), other.len())?;
    let chunks = Chunks::new(out, CHUNK);
    threads.for_each(chunks.count(), |index| {
        let (start, out) = chunks.take(index);
        let end = start + out.len();
        add_chunk(isa, &own[start..end], own_zero, &other[start..end], rule, out);
    });
    Ok(())
}

compiled! {
    fn rescale_row(row: &[u8], zero: u8, rule: &Rescale, out: &mut [u8]) {
        let zero = f32::from(zero);
        let constants = rule.factors.iter().zip(&rule.offsets);
        for ((out, &code), (&factor, &offset)) in out.iter_mut().zip(row).zip(constants) {
            *out = rule.range.code((f32::from(code) - zero) * factor + offset);
        }
    }
}

/// Multiplication by one constant a channel: `saturate(round((x - zero) * factor[n] + offset[n]) + zero_out)`.
///
/// # Errors
/// If the tensors have different lengths, or not whole rows of channels.
pub fn rescale(
    isa: Isa,
    threads: &Threads,
    (codes, zero): (&[u8], u8),
    rule: &Rescale,
    out: &mut [u8],
) -> Result<(), ShapeError> {
    let channels = rule.factors.len().max(1);
    demand("codes", out.len(), codes.len())?;
    demand("offsets", rule.factors.len(), rule.offsets.len())?;
    demand("whole rows of channels", out.len() / channels * channels, out.len())?;
    let chunks = Chunks::new(out, (CHUNK / channels).max(1) * channels);
    threads.for_each(chunks.count(), |index| {
        let (start, out) = chunks.take(index);
        let rows = out.chunks_exact_mut(channels).zip(codes[start..].chunks_exact(channels));
        for (out, row) in rows {
            rescale_row(isa, row, zero, rule, out);
        }
    });
    Ok(())
}

compiled! {
    fn quantize_plane(values: &[f32], scale: f32, range: CodeRange, out: &mut [u8]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = range.code(value / scale);
        }
    }
}

/// `[C, cells]` numbers to `[cells, padded]` codes; channels from C to `padded` get the zero point.
///
/// # Errors
/// If the lengths do not fit.
pub fn quantize(
    isa: Isa,
    threads: &Threads,
    values: &[f32],
    (channels, padded): (usize, usize),
    quantization: Quantization,
    out: &mut [u8],
) -> Result<(), ShapeError> {
    /// Cells of one task.
    const CELLS: usize = 1024;
    let cells = values.len() / channels.max(1);
    demand("numbers", cells * channels, values.len())?;
    demand("codes", cells * padded, out.len())?;
    demand("padded channels", padded.max(channels), padded)?;
    let range = CodeRange::of(quantization.zero());
    let chunks = Chunks::new(out, CELLS * padded.max(1));
    threads.for_each(chunks.count(), |index| {
        let (start, out) = chunks.take(index);
        let (first, count) = (start / padded, out.len() / padded);
        let mut codes = [0_u8; CELLS];
        if padded > channels {
            out.fill(quantization.zero());
        }
        for channel in 0..channels {
            let plane = &values[channel * cells + first..][..count];
            quantize_plane(isa, plane, quantization.scale(), range, &mut codes[..count]);
            let cells = out.iter_mut().skip(channel).step_by(padded);
            cells.zip(&codes).for_each(|(out, &code)| *out = code);
        }
    });
    Ok(())
}

/// `[cells, C]` codes to `[C, cells]` numbers.
///
/// # Errors
/// If the lengths differ.
pub fn dequantize(
    codes: &[u8],
    channels: usize,
    quantization: Quantization,
    out: &mut [f32],
) -> Result<(), ShapeError> {
    let channels = channels.max(1);
    let cells = codes.len() / channels;
    demand("numbers", cells * channels, out.len())?;
    demand("codes", cells * channels, codes.len())?;
    let table: [f32; 256] = std::array::from_fn(|code| quantization.dequantize(code as u8));
    for (cell, row) in codes.chunks_exact(channels).enumerate() {
        for (channel, &code) in row.iter().enumerate() {
            out[channel * cells + cell] = table[usize::from(code)];
        }
    }
    Ok(())
}

/// The same for some cells of an output that is there already; channels stay last if they are not to come first.
///
/// # Errors
/// If the lengths differ, or there is no such cell.
pub fn dequantize_cells(
    codes: &[u8],
    (channels, channels_first): (usize, bool),
    quantization: Quantization,
    cells: &[usize],
    out: &mut [f32],
) -> Result<(), ShapeError> {
    let channels = channels.max(1);
    let count = codes.len() / channels;
    demand("numbers", count * channels, out.len())?;
    demand("codes", count * channels, codes.len())?;
    let last = cells.iter().copied().max().unwrap_or(0);
    if last >= count {
        return Err(ShapeError { what: "cells", expected: count, found: last });
    }
    let table: [f32; 256] = std::array::from_fn(|code| quantization.dequantize(code as u8));
    for &cell in cells {
        let row = &codes[cell * channels..][..channels];
        if channels_first {
            for (channel, &code) in row.iter().enumerate() {
                out[channel * count + cell] = table[usize::from(code)];
            }
        } else {
            let numbers = out[cell * channels..][..channels].iter_mut();
            numbers.zip(row).for_each(|(out, &code)| *out = table[usize::from(code)]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(count: usize, factor: usize) -> Vec<u8> {
        (0..count).map(|i| (i * factor + i / 7) as u8).collect()
    }

    #[test]
    fn every_isa_agrees_with_the_scalar_twin_at_every_length() {
        let threads = Threads::new(2);
        let rule = Residual {
            rounded: true,
            own: 0.7,
            other: 1.3,
            other_zero: 200,
            range: CodeRange::relu(5),
        };
        let quantization = Quantization::new(0.02, 120).unwrap();
        for length in (0..140).chain([50_000]) {
            let (a, b) = (codes(length, 31), codes(length, 77));
            let floats: Vec<f32> = a.iter().map(|&c| f32::from(c) * 0.031 - 3.3).collect();
            let all = |isa: Isa| {
                let mut sum = vec![0; length];
                add(isa, &threads, (&a, 9), &b, &rule, &mut sum).unwrap();
                let mut quantized = vec![0; length];
                quantize(isa, &threads, &floats, (1, 1), quantization, &mut quantized).unwrap();
                let factors = vec![0.013_f32; length.max(1)];
                let offsets = vec![0.4_f32; length.max(1)];
                let rule = Rescale { factors, offsets, range: CodeRange::of(40) };
                let mut rescaled = vec![0; length];
                rescale(isa, &threads, (&a, 128), &rule, &mut rescaled).unwrap();
                (sum, quantized, rescaled)
            };
            let oracle = all(Isa::SCALAR);
            for isa in Isa::available() {
                assert_eq!(all(isa), oracle, "{isa}, {length} codes");
            }
            for (i, &code) in oracle.0.iter().enumerate() {
                let own = (f64::from(a[i]) - 9.0) * f64::from(rule.own);
                let exact = own + (f64::from(b[i]) - 200.0) * f64::from(rule.other);
                let exact = (exact + 5.0).clamp(5.0, 255.0);
                assert!((f64::from(code) - exact).abs() < 0.501, "{code} {exact}");
            }
            for (i, &code) in oracle.1.iter().enumerate() {
                assert_eq!(code, quantization.quantize(floats[i]));
            }
        }
    }

    #[test]
    fn planes_become_cells_and_back() {
        let quantization = Quantization::new(0.5, 10).unwrap();
        let values: Vec<f32> = (0..3 * 1500).map(|i| (i % 90) as f32 * 0.5).collect();
        let mut out = vec![0; 4 * 1500];
        quantize(Isa::detect(), &Threads::new(2), &values, (3, 4), quantization, &mut out).unwrap();
        assert_eq!(out[4 * 7 + 2], quantization.quantize(values[2 * 1500 + 7]));
        assert_eq!(out[4 * 7 + 3], 10, "padding is the zero point");
        let three: Vec<u8> = out.chunks_exact(4).flat_map(|c| c[..3].to_vec()).collect();
        let mut back = vec![0.0; values.len()];
        dequantize(&three, 3, quantization, &mut back).unwrap();
        assert_eq!(back, values);
        let cells = [1499, 0, 700];
        let mut some = vec![-9.0; values.len()];
        dequantize_cells(&three, (3, true), quantization, &cells, &mut some).unwrap();
        let mut last = vec![-9.0; values.len()];
        dequantize_cells(&three, (3, false), quantization, &cells, &mut last).unwrap();
        for cell in 0..1500 {
            for channel in 0..3 {
                let there =
                    if cells.contains(&cell) { values[channel * 1500 + cell] } else { -9.0 };
                assert_eq!((some[channel * 1500 + cell], last[cell * 3 + channel]), (there, there));
            }
        }
        assert!(dequantize_cells(&three, (3, true), quantization, &[1500], &mut some).is_err());
    }
}
