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
    /// Degrees of freedom of the interval.
    pub free: usize,
}

/// The standard deviation that groups of values share, each about its own mean, with the interval of chi squared for normal
/// values:
///
/// ```text
/// s^2 = sum over groups of sum (x - mean of the group)^2 / (values - groups)
/// s * sqrt(f / chi2(0.975, f))  to  s * sqrt(f / chi2(0.025, f)),   f = min(independent, values - groups)
/// ```
///
/// `independent` are the degrees of freedom that the values really have, where the same members recur in several groups: three
/// members in six groups are not eighteen draws. Groups of one value say nothing. `None` if no group has two, if nothing is
/// independent, or if a value is not finite.
#[must_use]
pub fn pooled_deviation(groups: &[Vec<f64>], independent: usize) -> Option<Spread> {
    if groups.iter().flatten().any(|v| !v.is_finite()) {
        return None;
    }
    let within: usize = groups.iter().map(|g| g.len().saturating_sub(1)).sum();
    let free = independent.min(within);
    let chi = ChiSquared::new(free as f64).ok()?;
    let squares = |group: &Vec<f64>| {
        let mean = group.iter().sum::<f64>() / group.len() as f64;
        group.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>()
    };
    let sum: f64 = groups.iter().filter(|g| !g.is_empty()).map(squares).sum();
    let variance = sum / within as f64;
    let end = |share: f64| (variance * free as f64 / chi.inverse_cdf(share)).sqrt();
    Some(Spread { deviation: variance.sqrt(), ci95: [end(0.975), end(0.025)], free })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer_and_edges() {
        // two groups, squares 2 and 8, df 4; chi2(0.975, 4) = 11.143287, chi2(0.025, 4) = 0.484419
        let groups = [vec![1.0, 2.0, 3.0], vec![8.0, 10.0, 12.0], vec![5.0]];
        let s = pooled_deviation(&groups, usize::MAX).unwrap();
        assert!((s.deviation - 2.5_f64.sqrt()).abs() < 1e-12 && s.free == 4, "{s:?}");
        assert!((s.ci95[0] - (10.0 / 11.143_287_f64).sqrt()).abs() < 1e-5, "{s:?}");
        assert!((s.ci95[1] - (10.0 / 0.484_419_f64).sqrt()).abs() < 1e-4, "{s:?}");
        // the same three members in both groups: two degrees, chi2(0.975, 2) = 7.377759
        let recurring = pooled_deviation(&groups, 2).unwrap();
        assert!((recurring.deviation - s.deviation).abs() < 1e-12 && recurring.free == 2);
        assert!((recurring.ci95[0] - (5.0 / 7.377_759_f64).sqrt()).abs() < 1e-5, "{recurring:?}");
        assert!(pooled_deviation(&[vec![1.0], vec![]], 1).is_none());
        assert!(pooled_deviation(&[], 1).is_none() && pooled_deviation(&groups, 0).is_none());
        assert!(pooled_deviation(&[vec![1.0, f64::NAN]], 1).is_none());
    }
}
