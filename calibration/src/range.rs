//! From the values of an activation to its grid: how much of the range is worth covering.

use serde::Serialize;

use crate::entropy;
use crate::grid::Grid;
use crate::histogram::Histogram;
use crate::mse;

/// How the range of an activation is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum Method {
    /// All that was seen.
    Minmax,
    /// All but the outermost values, half of what is left out at either end.
    Percentile {
        /// Values covered, percent.
        covered: f64,
    },
    /// The range whose quantized distribution diverges least from the seen one (Kullback-Leibler).
    Entropy,
    /// The range with the smallest mean squared error.
    Mse,
}

impl Method {
    /// Values covered by [`Method::Percentile`] unless told otherwise, percent.
    pub const COVERED: f64 = 99.999;

    /// The method of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "minmax" => Some(Self::Minmax),
            "percentile" => Some(Self::Percentile { covered: Self::COVERED }),
            "entropy" => Some(Self::Entropy),
            "mse" => Some(Self::Mse),
            _ => None,
        }
    }

    /// The name in settings and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minmax => "minmax",
            Self::Percentile { .. } => "percentile",
            Self::Entropy => "entropy",
            Self::Mse => "mse",
        }
    }

    /// Lower and upper end of the range, never beyond what was seen.
    #[must_use]
    pub fn range(self, seen: &Histogram) -> [f64; 2] {
        match self {
            Self::Minmax => [f64::from(seen.min()), f64::from(seen.max())],
            Self::Percentile { covered } => {
                let tail = (1.0 - covered / 100.0) / 2.0;
                [seen.quantile(tail), seen.quantile(1.0 - tail)]
            }
            Self::Entropy => entropy::range(seen),
            Self::Mse => mse::range(seen),
        }
    }

    /// The grid of an activation; `None` if it has no extent.
    #[must_use]
    pub fn grid(self, seen: &Histogram) -> Option<Grid> {
        let [low, high] = self.range(seen);
        Grid::covering(low, high)
    }
}

/// Share of the values that lie outside a grid, 0 to 1, to the width of a bin.
#[must_use]
pub fn clipped_share(seen: &Histogram, grid: Grid) -> f64 {
    let [low, high] = grid.range().map(f64::from);
    let half = f64::from(grid.scale) / 2.0;
    let outside = |c: f64| c < low - half || c > high + half;
    let clipped: u64 = seen.bins().filter(|b| outside(b.centre())).map(|b| b.count).sum();
    crate::histogram::exact_count(clipped) / crate::histogram::exact_count(seen.count().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a million values around 1, and one at 100.
    fn with_outlier() -> Histogram {
        let mut h = Histogram::default();
        let values: Vec<f32> = (0..500_000_u32)
            .map(|i| {
                let steps = u16::try_from(i % 1000).unwrap();
                0.5 + f32::from(steps) / 1000.0
            })
            .collect();
        h.add(&values).unwrap();
        h.add(&[100.0]).unwrap();
        h
    }

    #[test]
    fn an_outlier_counts_only_for_minmax() {
        let seen = with_outlier();
        for (name, lowest, highest) in [
            ("minmax", 99.9, 100.1),
            ("percentile", 1.4, 1.7),
            ("entropy", 1.2, 4.0),
            ("mse", 1.2, 100.1),
        ] {
            let method = Method::from_name(name).unwrap();
            let [low, high] = method.range(&seen);
            assert!((lowest..highest).contains(&high), "{name}: {low} to {high}");
            assert_eq!(method.name(), name);
            let grid = method.grid(&seen).unwrap();
            assert_eq!(grid.zero_point, 0, "{name}");
        }
        let grid = Method::from_name("percentile").unwrap().grid(&seen).unwrap();
        assert!((clipped_share(&seen, grid) - 1.0 / 500_001.0).abs() < 1e-9);
        assert_eq!(Method::from_name("max"), None);
    }

    #[test]
    fn a_symmetric_range_keeps_both_sides() {
        let mut seen = Histogram::default();
        let values: Vec<f32> = (-2000..=2000_i16).map(|i| f32::from(i) / 1000.0).collect();
        seen.add(&values).unwrap();
        for name in ["minmax", "percentile", "entropy", "mse"] {
            let [low, high] = Method::from_name(name).unwrap().range(&seen);
            assert!((-2.01..-1.8).contains(&low), "{name} {low}");
            assert!((1.8..2.01).contains(&high), "{name} {high}");
        }
    }
}
