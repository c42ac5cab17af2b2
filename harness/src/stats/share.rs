//! A share (accuracy) with its 95 % interval.

use serde::{Deserialize, Serialize};

/// Two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A share with its two-sided 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShareInterval {
    /// Hits over trials, 0 to 1.
    pub value: f64,
    /// Lower and upper end, within 0 to 1.
    pub ci95: [f64; 2],
    /// Number of trials.
    pub n: usize,
}

/// Interval of Wilson (1927, JASA 22, 209-212), which holds near 0 and 1 where accuracies lie:
///
/// ```text
/// (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
/// ```
///
/// `None` for no trials or more hits than trials.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "sample sizes are far below 2^53")]
pub fn wilson(hits: usize, trials: usize) -> Option<ShareInterval> {
    if trials == 0 || hits > trials {
        return None;
    }
    let n = trials as f64;
    let p = hits as f64 / n;
    let (z2, scale) = (Z * Z, 1.0 + Z * Z / n);
    let centre = (p + z2 / (2.0 * n)) / scale;
    let half = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / scale;
    let ci95 = [(centre - half).max(0.0), (centre + half).min(1.0)];
    Some(ShareInterval { value: p, ci95, n: trials })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // statsmodels proportion_confint(8, 10, method="wilson")
        let share = wilson(8, 10).unwrap();
        assert!((share.ci95[0] - 0.490_162).abs() < 1e-5, "{share:?}");
        assert!((share.ci95[1] - 0.943_318).abs() < 1e-5, "{share:?}");
        let all = wilson(50, 50).unwrap();
        assert!(all.ci95[0] > 0.92 && all.ci95[0] < 0.94 && (all.ci95[1] - 1.0).abs() < 1e-12);
        assert!(wilson(0, 0).is_none() && wilson(2, 1).is_none());
    }
}
