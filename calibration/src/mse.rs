//! The range whose grid has the smallest mean squared error over the values seen.
//!
//! ```text
//! error(low, high) = sum over bins of count * (centre - nearest grid value)^2
//! ```
//!
//! Wide ranges round coarsely, narrow ones clip: the minimum balances both (Banner et al., arXiv
//! 1810.05723, section 3). Values that are exactly 0 have no error on any grid.

use crate::histogram::{Bin, Histogram, exact_count};
use crate::search;

/// Lower and upper end.
#[must_use]
pub fn range(seen: &Histogram) -> [f64; 2] {
    let bins: Vec<Bin> = seen.bins().collect();
    search::cheapest(seen, &|low, high| error(&bins, low, high))
}

/// Sum of squared errors on the grid that covers a range.
fn error(bins: &[Bin], low: f64, high: f64) -> f64 {
    let scale = (high - low) / 255.0;
    if scale <= 0.0 {
        return f64::INFINITY;
    }
    let zero = (-low / scale).round_ties_even();
    bins.iter()
        .map(|bin| {
            let centre = bin.centre();
            let code = ((centre / scale).round_ties_even() + zero).clamp(0.0, 255.0);
            let off = centre - (code - zero) * scale;
            exact_count(bin.count) * off * off
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_and_clipping_by_hand() {
        let bin = |centre: f64, count| Bin { low: centre - 0.01, high: centre + 0.01, count };
        // scale 1: 3.25 is off by 0.25; 300 is clipped to 255
        let bins = [bin(3.25, 4), bin(300.0, 2)];
        let expected = 4.0 * 0.0625 + 2.0 * 45.0 * 45.0;
        assert!((error(&bins, 0.0, 255.0) - expected).abs() < 1e-9);
        assert_eq!(error(&bins, 0.0, 0.0), f64::INFINITY);
    }

    #[test]
    fn no_wider_and_no_narrower_range_is_better() {
        let mut seen = Histogram::default();
        // a bell with long tails
        let values: Vec<f32> = (1..4000_u16)
            .map(|i| {
                let u = f32::from(i) / 4000.0;
                ((u / (1.0 - u)).ln() * 0.7).powi(3)
            })
            .collect();
        seen.add(&values).unwrap();
        let [low, high] = range(&seen);
        let bins: Vec<Bin> = seen.bins().collect();
        let best = error(&bins, low, high);
        for share in [0.5, 0.8, 1.25, 2.0] {
            assert!(best <= error(&bins, low * share, high), "low {share}");
            assert!(best <= error(&bins, low, high * share), "high {share}");
        }
        assert!(high < f64::from(seen.max()), "the tail is clipped");
    }
}
