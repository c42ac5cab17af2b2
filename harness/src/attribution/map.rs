//! A coarse attribution map, and the named ways to bring it to the size of the picture.

use serde::{Deserialize, Serialize};

/// How the cells of a map become pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upsampling {
    /// Every pixel takes the value of the cell it lies in: cell `floor(pixel * cells / pixels)`, the
    /// default of Captum's `LayerAttribution.interpolate`.
    #[default]
    Nearest,
    /// Linear between the centres of the cells, constant beyond the outer ones:
    /// `interpolate(mode="bilinear", align_corners=False)` of PyTorch.
    Bilinear,
}

impl Upsampling {
    /// The name in settings and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
        }
    }

    /// Cells along one axis that make a pixel, with their weights (sum 1).
    pub(crate) fn taps(self, pixel: usize, pixels: usize, cells: usize) -> [(usize, f64); 2] {
        match self {
            Self::Nearest => [(pixel * cells / pixels.max(1), 1.0), (0, 0.0)],
            Self::Bilinear => {
                let scale = exact(cells) / exact(pixels);
                let position = ((exact(pixel) + 0.5) * scale - 0.5).max(0.0);
                let below = (0..cells).rev().find(|&c| exact(c) <= position).unwrap_or(0);
                let above = (below + 1).min(cells.saturating_sub(1));
                let share = position - exact(below);
                [(below, 1.0 - share), (above, share)]
            }
        }
    }
}

/// A position or count as f64, exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "positions in pictures are far below 2^53")]
pub(crate) const fn exact(n: usize) -> f64 {
    n as f64
}

/// Signed attribution of `height * width` cells, row by row: positive speaks for the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    height: usize,
    width: usize,
    values: Vec<f64>,
}

impl Map {
    /// A map from its cells, row by row; `None` if their number does not fit or is zero.
    #[must_use]
    pub fn new(height: usize, width: usize, values: Vec<f64>) -> Option<Self> {
        let fits = height.checked_mul(width) == Some(values.len()) && !values.is_empty();
        fits.then_some(Self { height, width, values })
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// The cells, row by row.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The sum of all cells.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.values.iter().sum()
    }

    /// The map on `height * width` pixels, row by row.
    #[must_use]
    pub fn upsample(&self, rule: Upsampling, height: usize, width: usize) -> Vec<f64> {
        let columns: Vec<_> = (0..width).map(|x| rule.taps(x, width, self.width)).collect();
        let mut mixed = vec![0.0; self.width];
        let mut pixels = Vec::with_capacity(height * width);
        for y in 0..height {
            mixed.fill(0.0);
            for (row, weight) in rule.taps(y, height, self.height) {
                for (sum, value) in mixed.iter_mut().zip(&self.values[row * self.width..]) {
                    *sum += weight * value;
                }
            }
            let pixel = |[(a, s), (b, t)]: &[(usize, f64); 2]| s * mixed[*a] + t * mixed[*b];
            pixels.extend(columns.iter().map(pixel));
        }
        pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_repeats_and_bilinear_ramps_as_pytorch_does() {
        let map = Map::new(1, 2, vec![0.0, 1.0]).unwrap();
        assert_eq!(map.upsample(Upsampling::Nearest, 1, 4), [0.0, 0.0, 1.0, 1.0]);
        // torch.nn.functional.interpolate(..., size=(1, 4), mode="bilinear")
        assert_eq!(map.upsample(Upsampling::Bilinear, 1, 4), [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(map.upsample(Upsampling::Bilinear, 1, 2), [0.0, 1.0]);
        assert!(Map::new(2, 2, vec![0.0; 3]).is_none());
    }

    #[test]
    fn upsampling_keeps_a_constant() {
        let map = Map::new(7, 7, vec![0.5; 49]).unwrap();
        for rule in [Upsampling::Nearest, Upsampling::Bilinear] {
            assert!(map.upsample(rule, 224, 200).iter().all(|v| (v - 0.5).abs() < 1e-15));
        }
    }
}
