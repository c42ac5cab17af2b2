//! Means, shares and percentiles, each with the uncertainty that belongs beside it.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

/// Two-sided confidence of every interval here.
pub const CONFIDENCE: f64 = 0.95;

/// The ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A mean with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation of a single value (n - 1); `None` below two values.
    pub deviation: Option<f64>,
    /// 95 % interval of the mean, `[low, high]`; `None` below two values.
    pub interval: Option<[f64; 2]>,
    /// Number of values.
    pub n: usize,
}

/// Mean of independent values and its Student-t interval: mean +- t(n - 1) s / sqrt(n).
///
/// `None` without values. Assumes that values are independent and n is large enough for the mean to be
/// about normal.
#[must_use]
pub fn mean_interval(values: &[f64]) -> Option<Mean> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let count = n as f64;
    let mean = values.iter().sum::<f64>() / count;
    if n == 1 {
        return Some(Mean { mean, deviation: None, interval: None, n });
    }
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    let deviation = (squares / (count - 1.0)).sqrt();
    let half = StudentsT::new(0.0, 1.0, count - 1.0)
        .ok()
        .map(|t| t.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)) * deviation / count.sqrt());
    Some(Mean { mean, deviation: Some(deviation), interval: half.map(|h| [mean - h, mean + h]), n })
}

/// Wilson's score interval of a share of independent trials (J. Am. Stat. Assoc. 22, 1927, 209-212); `None` without trials.
#[must_use]
pub fn wilson(hits: usize, n: usize) -> Option<Interval> {
    if n == 0 || hits > n {
        return None;
    }
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, CONFIDENCE));
    let (count, share) = (n as f64, hits as f64 / n as f64);
    let z2 = z * z;
    let centre = (share + z2 / (2.0 * count)) / (1.0 + z2 / count);
    let half = z / (1.0 + z2 / count)
        * (share * (1.0 - share) / count + z2 / (4.0 * count * count)).sqrt();
    Some(Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) })
}

/// The p-th percentile, 0 to 100, of ascending values by nearest rank: the smallest value that at least
/// p percent of the values do not exceed. Always a value that occurred. `None` without values.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the values"
)]
pub fn percentile(ascending: &[f64], p: f64) -> Option<f64> {
    let n = ascending.len();
    let rank = (p / 100.0 * n as f64).ceil().clamp(1.0, n.max(1) as f64) as usize;
    ascending.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_equal_published_values() {
        // t(9, 0.975) = 2.262157; values 1..=10: s = 3.02765, half width 2.16585
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let m = mean_interval(&values).unwrap();
        assert!((m.mean - 5.5).abs() < 1e-12);
        assert!((m.interval.unwrap()[1] - 5.5 - 2.165_85).abs() < 1e-4, "{m:?}");
        // Wilson for 8 of 10: 0.4902 to 0.9433 (Brown, Cai, DasGupta 2001 give the same formula)
        let w = wilson(8, 10).unwrap();
        assert!((w.low - 0.4902).abs() < 1e-4 && (w.high - 0.9433).abs() < 1e-4, "{w:?}");
        // no interval leaves [0, 1], none has zero width
        let all = wilson(50, 50).unwrap();
        assert!(all.high <= 1.0 && all.low > 0.9 && all.low < 1.0);
    }

    #[test]
    fn little_data_gives_no_interval_instead_of_a_wrong_one() {
        assert_eq!(mean_interval(&[]), None);
        assert_eq!(mean_interval(&[2.0]).unwrap().interval, None);
        assert_eq!(wilson(0, 0), None);
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let v = [1.0, 2.0, 3.0, 4.0];
        let at = |p| percentile(&v, p).unwrap();
        assert_eq!(
            (at(0.0), at(25.0), at(50.0), at(51.0), at(99.0), at(100.0)),
            (1.0, 1.0, 2.0, 3.0, 4.0, 4.0)
        );
    }
}
