//! Intervals of any statistic: the bootstrap, bias-corrected and accelerated.

use datasets::rng::Stream;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, Normal};

/// Resamples; the ends of a 95 % interval are then the 50th from either side or so.
const RESAMPLES: usize = 2000;

/// A statistic with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BcaInterval {
    /// The statistic of the sample.
    pub value: f64,
    /// Lower and upper end of the 95 % interval.
    pub ci95: [f64; 2],
    /// Sample size.
    pub n: usize,
}

/// The interval of [`bca`] for the mean.
#[must_use]
pub fn bca_mean(values: &[f64], seed: u64) -> Option<BcaInterval> {
    bca(values, seed, |x| x.iter().sum::<f64>() / x.len() as f64)
}

/// The 95 % interval of a statistic by the bias-corrected and accelerated bootstrap (Efron, JASA 82, 1987):
///
/// ```text
/// z0 = Phi^-1(share of resamples below the statistic)
/// a  = sum d^3 / (6 (sum d^2)^1.5),   d = mean of the jackknife values - jackknife value
/// ends at the quantiles  Phi(z0 + (z0 + z) / (1 - a (z0 + z))),   z = -1.96 and 1.96
/// ```
///
/// 2,000 resamples drawn from the seed; ties with the statistic count half. `None` for fewer than two values, one
/// that is not finite, or a statistic that is not.
#[must_use]
pub fn bca(values: &[f64], seed: u64, statistic: impl Fn(&[f64]) -> f64) -> Option<BcaInterval> {
    let n = values.len();
    if n < 2 || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let value = statistic(values);
    let mut stream = Stream::new("bootstrap", &[seed, n as u64]);
    let mut sample = vec![0.0; n];
    let mut resampled = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        sample.iter_mut().for_each(|s| *s = values[stream.below(n)]);
        resampled.push(statistic(&sample));
    }
    let without: Vec<f64> = (0..n)
        .map(|i| {
            let rest: Vec<f64> = values[..i].iter().chain(&values[i + 1..]).copied().collect();
            statistic(&rest)
        })
        .collect();
    if !value.is_finite() || resampled.iter().chain(&without).any(|v| !v.is_finite()) {
        return None;
    }
    resampled.sort_by(f64::total_cmp);
    let normal = Normal::standard();
    let below = resampled.iter().filter(|r| **r < value).count() as f64;
    let ties = resampled.iter().filter(|r| r.total_cmp(&value).is_eq()).count() as f64;
    // never all or none: the quantile must be finite
    let share = ((below + ties / 2.0) / RESAMPLES as f64)
        .clamp(0.5 / RESAMPLES as f64, 1.0 - 0.5 / RESAMPLES as f64);
    let z0 = normal.inverse_cdf(share);
    let centre = without.iter().sum::<f64>() / n as f64;
    let power = |p: i32| without.iter().map(|w| (centre - w).powi(p)).sum::<f64>();
    let spread = power(2).powf(1.5);
    let a = if spread > 0.0 { power(3) / (6.0 * spread) } else { 0.0 };
    let end = |z: f64| {
        let level = normal.cdf(z0 + (z0 + z) / (1.0 - a * (z0 + z)));
        quantile(&resampled, level)
    };
    Some(BcaInterval { value, ci95: [end(-1.959_963_985), end(1.959_963_985)], n })
}

/// Linear between the order statistics (Hyndman and Fan 1996, type 7).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the list")]
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let last = sorted.len() - 1;
    let position = (level * last as f64).clamp(0.0, last as f64);
    let below = position as usize;
    let above = (below + 1).min(last);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_a_symmetric_sample_it_is_near_students_interval() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i * 77 % 200)).collect();
        let b = bca_mean(&values, 1).unwrap();
        let t = super::super::mean_interval(&values).unwrap().ci95.unwrap();
        let width = t[1] - t[0];
        assert!((b.ci95[0] - t[0]).abs() < 0.06 * width, "{b:?} {t:?}");
        assert!((b.ci95[1] - t[1]).abs() < 0.06 * width, "{b:?} {t:?}");
        assert_eq!(b, bca_mean(&values, 1).unwrap());
    }

    #[test]
    fn it_covers_a_skewed_mean_about_as_often_as_it_says() {
        // squares of uniform numbers: mean 1/3, skewed
        let mut stream = Stream::new("bca coverage", &[1]);
        let covered = (0..200)
            .filter(|&i| {
                let values: Vec<f64> = (0..40).map(|_| f64::from(stream.unit()).powi(2)).collect();
                let [low, high] = bca_mean(&values, i).unwrap().ci95;
                (low..=high).contains(&(1.0 / 3.0))
            })
            .count();
        // 190 expected, standard deviation 3.1; BCa is a little short at n = 40
        assert!((176..=199).contains(&covered), "{covered}");
    }

    #[test]
    fn degenerate_samples_are_refused_or_points() {
        assert!(bca_mean(&[1.0], 0).is_none() && bca_mean(&[1.0, f64::NAN], 0).is_none());
        let flat = bca_mean(&[2.0; 8], 0).unwrap();
        assert_eq!(flat.ci95, [2.0, 2.0]);
    }
}
