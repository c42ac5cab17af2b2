//! How far repetitions of one thing lie apart: a standard deviation from several groups, with its interval.

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

/// A standard deviation with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Standard deviation within groups.
    pub deviation: f64,
    /// 95 % interval.
    pub ci95: [f64; 2],
    /// Degrees of freedom: values less groups.
    pub free: usize,
}

/// The standard deviation that groups of values share, each about its own mean, with the interval of chi squared for normal
/// values:
///
/// ```text
/// s^2 = sum over groups of sum (x - mean of the group)^2 / df,   df = sum (n - 1)
/// s * sqrt(df / chi2(0.975, df))  to  s * sqrt(df / chi2(0.025, df))
/// ```
///
/// Groups of one value say nothing. `None` if no group has two, or a value is not finite.
#[must_use]
pub fn pooled_deviation(groups: &[Vec<f64>]) -> Option<Spread> {
    if groups.iter().flatten().any(|v| !v.is_finite()) {
        return None;
    }
    let free: usize = groups.iter().map(|g| g.len().saturating_sub(1)).sum();
    let chi = ChiSquared::new(free as f64).ok()?;
    let squares = |group: &Vec<f64>| {
        let mean = group.iter().sum::<f64>() / group.len() as f64;
        group.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>()
    };
    let sum: f64 = groups.iter().filter(|g| !g.is_empty()).map(squares).sum();
    let end = |share: f64| (sum / chi.inverse_cdf(share)).sqrt();
    Some(Spread { deviation: (sum / free as f64).sqrt(), ci95: [end(0.975), end(0.025)], free })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer_and_edges() {
        // two groups, squares 2 and 8, df 4; chi2(0.975, 4) = 11.143287, chi2(0.025, 4) = 0.484419
        let s = pooled_deviation(&[vec![1.0, 2.0, 3.0], vec![8.0, 10.0, 12.0], vec![5.0]]).unwrap();
        assert!((s.deviation - 2.5_f64.sqrt()).abs() < 1e-12 && s.free == 4, "{s:?}");
        assert!((s.ci95[0] - (10.0 / 11.143_287_f64).sqrt()).abs() < 1e-5, "{s:?}");
        assert!((s.ci95[1] - (10.0 / 0.484_419_f64).sqrt()).abs() < 1e-4, "{s:?}");
        assert!(
            pooled_deviation(&[vec![1.0], vec![]]).is_none() && pooled_deviation(&[]).is_none()
        );
        assert!(pooled_deviation(&[vec![1.0, f64::NAN]]).is_none());
    }
}
