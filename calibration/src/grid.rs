//! The grid of a quantized activation: 256 values, evenly spaced, zero among them.

use serde::{Deserialize, Serialize};

/// Scale and zero point of a u8 tensor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Distance of neighbouring values; positive and finite.
    pub scale: f32,
    /// Code that stands for 0.
    pub zero_point: u8,
}

/// The smallest step: below it, products of scales leave the normal numbers of f32.
const MIN_SCALE: f64 = 1e-12;

impl Grid {
    /// The grid that covers `low..=high`, widened to hold 0:
    ///
    /// ```text
    /// scale = (high - low) / 255      zero_point = round_half_even(-low / scale)
    /// ```
    ///
    /// `None` if an end is not finite or the range is empty.
    #[must_use]
    pub fn covering(low: f64, high: f64) -> Option<Self> {
        if !low.is_finite() || !high.is_finite() {
            return None;
        }
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = (high - low) / 255.0;
        if scale < MIN_SCALE {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the scale is stored as f32")]
        let narrow = scale as f32;
        Some(Self { scale: narrow, zero_point: saturate_u8((-low / scale).round_ties_even()) })
    }

    /// Code of a value: `saturate(round_half_even(value / scale) + zero_point)`, divided in f32 as
    /// ONNX specifies.
    #[must_use]
    pub fn quantize(self, value: f32) -> u8 {
        let rounded = f64::from((value / self.scale).round_ties_even());
        saturate_u8(rounded + f64::from(self.zero_point))
    }

    /// Value of a code: `(code - zero_point) * scale`.
    #[must_use]
    pub fn dequantize(self, code: u8) -> f32 {
        (f32::from(code) - f32::from(self.zero_point)) * self.scale
    }

    /// The grid value next to this one.
    #[must_use]
    pub fn nearest(self, value: f32) -> f32 {
        self.dequantize(self.quantize(value))
    }

    /// Smallest and largest value.
    #[must_use]
    pub fn range(self) -> [f32; 2] {
        [self.dequantize(0), self.dequantize(255)]
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range; NaN becomes 0"
)]
const fn saturate_u8(value: f64) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_grids() {
        // low, high, scale, zero point
        let cases = [
            (0.0, 255.0, 1.0, 0),
            (0.5, 255.0, 1.0, 0),
            (-128.0, 127.0, 1.0, 128),
            (-1.0, 0.0, 1.0 / 255.0, 255),
            (-2.118, 2.64, 4.758 / 255.0, 114),
        ];
        for (low, high, scale, zero_point) in cases {
            let grid = Grid::covering(low, high).unwrap();
            assert!((f64::from(grid.scale) - scale).abs() < 1e-7, "{low} {high} {grid:?}");
            assert_eq!(grid.zero_point, zero_point, "{low} {high}");
            assert_eq!(grid.nearest(0.0), 0.0, "zero is always on the grid");
        }
        for (low, high) in [(0.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (0.0, 1e-12)] {
            assert_eq!(Grid::covering(low, high), None, "{low} {high}");
        }
    }

    #[test]
    fn codes_round_half_to_even_and_saturate() {
        let grid = Grid { scale: 0.5, zero_point: 10 };
        let cases =
            [(0.25, 10), (0.75, 12), (-0.25, 10), (-0.75, 8), (-100.0, 0), (1e9, 255), (0.3, 11)];
        for (value, code) in cases {
            assert_eq!(grid.quantize(value), code, "{value}");
        }
        assert_eq!(grid.dequantize(0), -5.0);
        assert_eq!(grid.range(), [-5.0, 122.5]);
        for code in 0..=255 {
            assert_eq!(grid.quantize(grid.dequantize(code)), code, "a grid value keeps its code");
        }
    }
}
