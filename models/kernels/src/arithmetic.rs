//! Quantization arithmetic: one rounding rule, half to even, in `f32` as ONNX specifies.
//!
//! ```text
//! quantize    q = saturate(round(x / scale) + zero)          QuantizeLinear
//! dequantize  x = (q - zero) * scale                         DequantizeLinear
//! requantize  q = saturate(round(f32(acc) * m) + zero),      m = scale_x * scale_w / scale_y, rounded to f32
//! ```
//!
//! Saturation comes before rounding: values are clamped to `[0 - zero, 255 - zero]`, whose ends are
//! integers, so that the order does not matter. Rounding adds 1.5 * 2^23: below 2^22 in magnitude the sum
//! has no fractional bits, and the addition itself rounds half to even.

use std::fmt;

/// 1.5 * 2^23: adding it to a number below 2^22 in magnitude rounds that number half to even.
const ROUNDER: f32 = 12_582_912.0;
/// Bits of [`ROUNDER`]; those of `ROUNDER + n` are larger by n.
const ROUNDER_BITS: i32 = 0x4B40_0000;

/// Scale and zero point of a tensor of `u8` codes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    scale: f32,
    zero: u8,
}

/// A scale that no quantization can have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizationError {
    /// The scale that was found.
    pub scale: f32,
}

impl fmt::Display for QuantizationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scale: expected a positive finite number, found {}", self.scale)
    }
}

impl std::error::Error for QuantizationError {}

impl Quantization {
    /// Scale and zero point, checked.
    ///
    /// # Errors
    /// If the scale is not positive and finite.
    pub fn new(scale: f32, zero: u8) -> Result<Self, QuantizationError> {
        if scale.is_finite() && scale > 0.0 {
            Ok(Self { scale, zero })
        } else {
            Err(QuantizationError { scale })
        }
    }

    /// Size of one step.
    #[must_use]
    pub const fn scale(self) -> f32 {
        self.scale
    }

    /// Code of the number 0.
    #[must_use]
    pub const fn zero(self) -> u8 {
        self.zero
    }

    /// `(code - zero) * scale`.
    #[must_use]
    pub fn dequantize(self, code: u8) -> f32 {
        (f32::from(code) - f32::from(self.zero)) * self.scale
    }

    /// `saturate(round(value / scale) + zero)`; NaN becomes code 0.
    #[must_use]
    pub fn quantize(self, value: f32) -> u8 {
        CodeRange::of(self.zero).code(value / self.scale)
    }
}

/// The codes that a result may take: those of `u8`, or those from the zero point up (a fused `ReLU`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CodeRange {
    low: f32,
    high: f32,
    zero: i32,
}

impl CodeRange {
    /// All 256 codes.
    #[must_use]
    pub const fn of(zero: u8) -> Self {
        Self { low: -(zero as f32), high: 255.0 - zero as f32, zero: zero as i32 }
    }

    /// Codes of numbers from 0 up.
    #[must_use]
    pub const fn relu(zero: u8) -> Self {
        Self { low: 0.0, high: 255.0 - zero as f32, zero: zero as i32 }
    }

    /// Codes from `low` to `high`, both included.
    #[must_use]
    pub const fn within(zero: u8, low: u8, high: u8) -> Self {
        let (low, high) = (low as f32 - zero as f32, high as f32 - zero as f32);
        Self { low, high, zero: zero as i32 }
    }

    /// The integer next to `steps` within the range, ties to even, without the zero point.
    #[must_use]
    #[inline(always)]
    pub fn round(self, steps: f32) -> f32 {
        (self.clamp(steps) + ROUNDER) - ROUNDER
    }

    /// The code of a number given in steps: clamp, round half to even, add the zero point.
    #[must_use]
    #[inline(always)]
    pub fn code(self, steps: f32) -> u8 {
        let bits = (self.clamp(steps) + ROUNDER).to_bits() as i32;
        (bits - ROUNDER_BITS + self.zero) as u8 // 0 to 255 because of the clamp
    }

    /// NaN becomes the lowest value; written so that it is one `max` and one `min` instruction.
    #[inline(always)]
    fn clamp(self, steps: f32) -> f32 {
        let steps = if steps > self.low { steps } else { self.low };
        if steps < self.high { steps } else { self.high }
    }

    /// Lowest result, in steps from the zero point.
    #[must_use]
    pub const fn low(self) -> f32 {
        self.low
    }

    /// Highest result, in steps from the zero point.
    #[must_use]
    pub const fn high(self) -> f32 {
        self.high
    }

    /// The zero point.
    #[must_use]
    pub const fn zero(self) -> i32 {
        self.zero
    }
}

/// `scale_x * scale_w / scale_y` in f64, rounded once to f32: the factor of a requantization.
#[must_use]
pub fn multiplier(input: f32, weight: f32, output: f32) -> f32 {
    (f64::from(input) * f64::from(weight) / f64::from(output)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(value: f32, zero: u8) -> u8 {
        let steps = f64::from(value).round_ties_even() + f64::from(zero);
        steps.clamp(0.0, 255.0) as u8
    }

    #[test]
    fn rounding_is_half_to_even_and_saturates_at_both_ends() {
        for zero in [0, 1, 7, 128, 254, 255] {
            for step in -3000..3000 {
                let value = step as f32 / 8.0;
                assert_eq!(CodeRange::of(zero).code(value), slow(value, zero), "{value} {zero}");
            }
            for value in [f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, 1e9, -1e9, 0.0] {
                assert_eq!(CodeRange::of(zero).code(value), slow(value, zero), "{value} {zero}");
            }
            assert_eq!(CodeRange::of(zero).code(f32::NAN), 0, "NaN is the lowest code");
        }
    }

    #[test]
    fn relu_keeps_codes_at_or_above_the_zero_point() {
        assert_eq!(CodeRange::relu(10).code(-5.0), 10);
        assert_eq!(CodeRange::relu(10).code(4.5), 14);
        assert_eq!(CodeRange::relu(10).code(5.5), 16);
        assert_eq!(CodeRange::within(10, 12, 20).code(-5.0), 12);
        assert_eq!(CodeRange::within(10, 12, 20).code(50.0), 20);
    }

    #[test]
    fn every_code_survives_its_own_number() {
        for zero in [0, 3, 128, 255] {
            let q = Quantization::new(0.037, zero).unwrap();
            for code in 0..=255 {
                assert_eq!(q.quantize(q.dequantize(code)), code);
            }
        }
    }

    #[test]
    fn impossible_scales_are_refused() {
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            Quantization::new(scale, 0).unwrap_err();
        }
    }
}
