//! Are two things the same within a margin? Two one-sided tests.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::mean::mean_interval;

/// Outcome of two one-sided tests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Equivalence {
    /// Largest absolute mean difference that counts as the same.
    pub margin: f64,
    /// Mean difference.
    pub difference: f64,
    /// 90 % interval of the mean difference: within the margins exactly if `p < 0.05`.
    pub ci90: [f64; 2],
    /// The larger of the two one-sided p-values.
    pub p: f64,
    /// Whether `p < 0.05`.
    pub equivalent: bool,
    /// Number of differences.
    pub n: usize,
}

/// Two one-sided t-tests of paired differences against `-margin` and `margin` (Schuirmann 1987,
/// Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680), each at 5 %:
///
/// ```text
/// t_low = (mean + margin) / (s / sqrt n)     t_high = (margin - mean) / (s / sqrt n)
/// p = max(1 - T(t_low), 1 - T(t_high))
/// ```
///
/// Differences without any spread are compared directly. `None` for fewer than two differences, one that is not finite, or a
/// margin that is not positive.
#[must_use]
pub fn tost(differences: &[f64], margin: f64) -> Option<Equivalence> {
    let m = mean_interval(differences)?;
    if !(margin > 0.0 && margin.is_finite()) {
        return None;
    }
    let error = m.deviation? / (m.n as f64).sqrt();
    let difference = m.mean;
    let (p, ci90) = if error > 0.0 {
        let t = StudentsT::new(0.0, 1.0, m.n as f64 - 1.0).ok()?;
        let above = |x: f64| t.cdf(-x);
        let p = above((difference + margin) / error).max(above((margin - difference) / error));
        let half = t.inverse_cdf(0.95) * error;
        (p, [difference - half, difference + half])
    } else {
        (if difference.abs() < margin { 0.0 } else { 1.0 }, [difference; 2])
    };
    Some(Equivalence { margin, difference, ci90, p, equivalent: p < 0.05, n: m.n })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_agrees_with_the_interval_within_the_margins() {
        let differences: Vec<f64> =
            (0..30).map(|i| 0.01 * (f64::from(i * 7 % 30) - 12.0)).collect();
        let at = |margin| tost(&differences, margin).unwrap();
        let [low, high] = at(1.0).ci90;
        assert!(low < high && high > 0.0);
        for margin in [high * 0.99, high * 1.01] {
            assert_eq!(at(margin).equivalent, margin > high, "{:?}", at(margin));
        }
        // no difference found is not the same as the same
        let few = tost(&[-1.0, 1.5, -0.5], 0.5).unwrap();
        assert!(!few.equivalent, "{few:?}");
    }

    #[test]
    fn known_answer_and_edges() {
        // mean 0.5, s = 1, n = 4: error 0.5; t = (1 - 0.5) / 0.5 = 1 with 3 degrees: p = 0.195501
        let s = (3.0_f64 / 4.0).sqrt();
        let values = [0.5 - s, 0.5 + s, 0.5 - s, 0.5 + s];
        let e = tost(&values, 1.0).unwrap();
        assert!((e.p - 0.195_501).abs() < 1e-5, "{e:?}");
        assert!(tost(&[0.0; 5], 0.1).unwrap().equivalent);
        assert!(!tost(&[0.2; 5], 0.1).unwrap().equivalent);
        assert!(tost(&[0.0], 0.1).is_none() && tost(&[0.0, 1.0], 0.0).is_none());
    }
}
