//! Layer norm over the channels of every cell, from codes to codes.
//!
//! ```text
//! m = sum q / C                               exact in integers, then one division in f64
//! v = sum q^2 / C - m^2                       f64
//! r = 1 / sqrt(v + eps / scale^2)             f64, rounded to f32
//! code = range.code((q - m) * r * weight[c] / scale_out + bias[c] / scale_out)
//! ```
//!
//! which is the layer norm of the dequantized numbers: scale and zero point of the input cancel out. Operations
//! in f32 follow in this order, without fused multiply-add.

use crate::arithmetic::{CodeRange, Quantization};
use crate::elementwise::{Chunks, compiled};
use crate::epilogue::LengthError;
use crate::gemm::{ShapeError, demand};
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::isa::Kind;
use crate::threads::Threads;

/// Channels for which sums of squares of codes fit `u32`.
const MAX_CHANNELS: usize = 1 << 16;

/// Weights of a layer norm between two quantizations.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// `weight / scale_out`.
    weight: Vec<f32>,
    /// `bias / scale_out`.
    bias: Vec<f32>,
    /// `eps / scale^2`.
    eps: f64,
    range: CodeRange,
}

impl LayerNorm {
    /// From the numbers of the graph.
    ///
    /// # Errors
    /// If weight and bias have different lengths, or more than 2^16 channels.
    pub fn new(
        weight: &[f32],
        bias: &[f32],
        eps: f64,
        input: Quantization,
        output: Quantization,
    ) -> Result<Self, LengthError> {
        if weight.len() != bias.len() || weight.len() > MAX_CHANNELS {
            let expected = weight.len().min(MAX_CHANNELS);
            return Err(LengthError { expected, found: bias.len() });
        }
        let scale = f64::from(input.scale());
        let steps = |v: &f32| (f64::from(*v) / f64::from(output.scale())) as f32;
        Ok(Self {
            weight: weight.iter().map(steps).collect(),
            bias: bias.iter().map(steps).collect(),
            eps: eps / (scale * scale),
            range: CodeRange::of(output.zero()),
        })
    }

    /// C.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.weight.len()
    }

    /// Normalizes every cell.
    ///
    /// # Errors
    /// If the lengths are not those of whole cells.
    pub fn run(
        &self,
        isa: Isa,
        threads: &Threads,
        codes: &[u8],
        out: &mut [u8],
    ) -> Result<(), ShapeError> {
        /// Codes of one task.
        const CHUNK: usize = 16 << 10;
        let channels = self.channels().max(1);
        demand("codes", out.len(), codes.len())?;
        demand("whole cells", out.len() / channels * channels, out.len())?;
        let chunks = Chunks::new(out, (CHUNK / channels).max(1) * channels);
        threads.for_each(chunks.count(), |index| {
            let (start, out) = chunks.take(index);
            cells(isa, self, &codes[start..start + out.len()], out);
        });
        Ok(())
    }
}

/// Sum of codes and of their squares.
#[inline(always)]
fn moments(row: &[u8]) -> (u32, u32) {
    let (mut sum, mut squares) = (0_u32, 0_u32);
    for &code in row {
        let code = u32::from(code);
        sum += code;
        squares += code * code;
    }
    (sum, squares)
}

compiled! {
    fn cells(norm: &LayerNorm, codes: &[u8], out: &mut [u8]) {
        let channels = norm.weight.len().max(1);
        let rows = codes.chunks_exact(channels).zip(out.chunks_exact_mut(channels));
        for (row, out) in rows {
            let (sum, squares) = moments(row);
            let count = channels as f64;
            let mean = f64::from(sum) / count;
            let variance = f64::from(squares) / count - mean * mean;
            let inverse = (1.0 / (variance.max(0.0) + norm.eps).sqrt()) as f32;
            let mean = mean as f32;
            let parameters = norm.weight.iter().zip(&norm.bias);
            for ((out, &code), (&weight, &bias)) in out.iter_mut().zip(row).zip(parameters) {
                let normed = (f32::from(code) - mean) * inverse;
                *out = norm.range.code(normed * weight + bias);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_layer_norm_of_the_dequantized_numbers() {
        let (input, output) =
            (Quantization::new(0.04, 99).unwrap(), Quantization::new(0.02, 128).unwrap());
        for channels in [1, 3, 16, 96, 100] {
            let weight: Vec<f32> = (0..channels).map(|c| 0.5 + c as f32 / 50.0).collect();
            let bias: Vec<f32> = (0..channels).map(|c| c as f32 / 90.0 - 0.4).collect();
            let norm = LayerNorm::new(&weight, &bias, 1e-6, input, output).unwrap();
            let cells = 70;
            let codes: Vec<u8> = (0..cells * channels).map(|i| (i * 53 + i / 3) as u8).collect();
            let run = |isa: Isa| {
                let mut out = vec![0; codes.len()];
                norm.run(isa, &Threads::new(2), &codes, &mut out).unwrap();
                out
            };
            let oracle = run(Isa::SCALAR);
            for isa in Isa::available() {
                assert_eq!(run(isa), oracle, "{isa}, {channels} channels");
            }
            for (row, out) in codes.chunks_exact(channels).zip(oracle.chunks_exact(channels)) {
                let x: Vec<f64> = row.iter().map(|&q| f64::from(input.dequantize(q))).collect();
                let mean = x.iter().sum::<f64>() / channels as f64;
                let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / channels as f64;
                for c in 0..channels {
                    let normed = (x[c] - mean) / (variance + 1e-6).sqrt();
                    let y = normed * f64::from(weight[c]) + f64::from(bias[c]);
                    let steps = (y / f64::from(output.scale()) + 128.0).clamp(0.0, 255.0);
                    assert!((f64::from(out[c]) - steps).abs() < 0.51, "{} {steps}", out[c]);
                }
            }
        }
    }
}
