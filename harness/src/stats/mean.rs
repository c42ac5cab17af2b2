//! Mean of a sample with its 95 % interval.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// A mean with its two-sided 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanInterval {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation of the sample (divisor n - 1); absent for one value.
    pub deviation: Option<f64>,
    /// Lower and upper end; absent for one value.
    pub ci95: Option<[f64; 2]>,
    /// Number of values.
    pub n: usize,
}

/// Mean and interval by Student's t (Student 1908):
///
/// ```text
/// mean +- t(0.975, n - 1) * s / sqrt(n)
/// ```
///
/// `None` for no values or a value that is not finite. The spread is computed in a second pass, so
/// that values far from zero lose nothing.
#[must_use]
pub fn mean_interval(values: &[f64]) -> Option<MeanInterval> {
    if values.is_empty() || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let n = count(values);
    let mean = values.iter().sum::<f64>() / n;
    let single = MeanInterval { mean, deviation: None, ci95: None, n: values.len() };
    let Ok(student) = StudentsT::new(0.0, 1.0, n - 1.0) else { return Some(single) };
    let deviation =
        (values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)).sqrt();
    let half = student.inverse_cdf(0.975) * deviation / n.sqrt();
    let ci95 = Some([mean - half, mean + half]);
    Some(MeanInterval { deviation: Some(deviation), ci95, ..single })
}

#[expect(clippy::cast_precision_loss, reason = "sample sizes are far below 2^53")]
const fn count(values: &[f64]) -> f64 {
    values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // t(0.975, 4) = 2.776445, s = sqrt(2.5)
        let m = mean_interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let [low, high] = m.ci95.unwrap();
        assert!((m.mean - 3.0).abs() < 1e-12);
        assert!((high - low - 2.0 * 2.776_445 * (2.5_f64 / 5.0).sqrt()).abs() < 1e-5, "{m:?}");
        assert_eq!(mean_interval(&[7.0]).unwrap().ci95, None);
        assert!(mean_interval(&[]).is_none() && mean_interval(&[f64::NAN]).is_none());
    }

    #[test]
    fn the_interval_of_the_paper_follows_from_its_deviation() {
        // +-0.0035 for n = 16,400 and a standard deviation of 0.229
        let values: Vec<f64> =
            (0..16_400).map(|i| if i % 2 == 0 { 0.7 - 0.229 } else { 0.7 + 0.229 }).collect();
        let [low, high] = mean_interval(&values).unwrap().ci95.unwrap();
        assert!(((high - low) / 2.0 - 0.0035).abs() < 5e-5);
    }
}
