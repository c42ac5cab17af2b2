//! Difference of the means of two samples that are not paired.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::mean::mean_interval;

/// A difference of means with its interval and test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Mean of the second less mean of the first.
    pub difference: f64,
    /// 95 % interval.
    pub ci95: [f64; 2],
    /// Two-sided p-value of no difference.
    pub p: f64,
}

/// Welch's t (Welch 1947, Biometrika 34, 28-35): the two samples need not spread alike.
///
/// ```text
/// e^2 = s1^2 / n1 + s2^2 / n2,   df = e^4 / ((s1^2 / n1)^2 / (n1 - 1) + (s2^2 / n2)^2 / (n2 - 1))
/// ```
///
/// `None` for a sample of fewer than two values, one that is not finite, or no spread in either.
#[must_use]
pub fn welch(first: &[f64], second: &[f64]) -> Option<Difference> {
    let part = |values: &[f64]| {
        let m = mean_interval(values)?;
        let deviation = m.deviation?;
        Some((m.mean, deviation * deviation / m.n as f64, m.n as f64 - 1.0))
    };
    let ((mean_a, a, free_a), (mean_b, b, free_b)) = (part(first)?, part(second)?);
    let error = (a + b).sqrt();
    if error <= 0.0 {
        return None;
    }
    let free = (a + b) * (a + b) / (a * a / free_a + b * b / free_b);
    let student = StudentsT::new(0.0, 1.0, free).ok()?;
    let difference = mean_b - mean_a;
    let half = student.inverse_cdf(0.975) * error;
    Some(Difference {
        difference,
        ci95: [difference - half, difference + half],
        p: 2.0 * student.cdf(-(difference / error).abs()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer_and_edges() {
        // means 2 and 5, variances 1 and 4, n 3 and 3: e^2 = 5/3, df = (25/9) / (1/18 + 16/18) = 50/17
        let d = welch(&[1.0, 2.0, 3.0], &[3.0, 5.0, 7.0]).unwrap();
        assert!((d.difference - 3.0).abs() < 1e-12);
        let t = 3.0 / (5.0_f64 / 3.0).sqrt();
        let student = StudentsT::new(0.0, 1.0, 50.0 / 17.0).unwrap();
        assert!((d.p - 2.0 * student.cdf(-t)).abs() < 1e-12);
        assert!(d.p > 0.10 && d.p < 0.11, "{d:?}");
        assert!(d.ci95[0] < 0.0 && d.ci95[1] > 6.0);
        assert!(welch(&[1.0], &[1.0, 2.0]).is_none() && welch(&[1.0, 1.0], &[2.0, 2.0]).is_none());
    }
}
