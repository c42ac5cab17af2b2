//! Rank correlation of two things with what both share with a third taken out, with interval and p-value.

use statrs::distribution::{ContinuousCDF as _, Normal};

use crate::stats;

/// Two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;
/// Variance of Fisher's z of a rank correlation against that of an ordinary one, as its root: Fieller, Hartley and Pearson
/// (1957, Biometrika 44, 470-481).
const RANKS: f64 = 1.03;

/// A rank correlation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RankCorrelation {
    pub(super) rho: f64,
    pub(super) ci95: [f64; 2],
    /// Two-sided p-value of no correlation.
    pub(super) p: f64,
}

impl RankCorrelation {
    /// Interval and p-value by Fisher's z; `free` is the number of independent things less that of variables taken out.
    fn new(rho: f64, free: usize) -> Self {
        if free <= 3 {
            return Self { rho, ci95: [-1.0, 1.0], p: 1.0 };
        }
        let z = stats::fisher_z(rho);
        let error = RANKS / (free as f64 - 3.0).sqrt();
        Self {
            rho,
            ci95: [(z - Z * error).tanh(), (z + Z * error).tanh()],
            p: 2.0 * Normal::standard().cdf(-(z / error).abs()),
        }
    }

    /// `+0.123 (+0.010 to +0.236)`.
    pub(super) fn shown(self) -> String {
        let [low, high] = self.ci95;
        format!("{:+.3} ({low:+.3} to {high:+.3})", self.rho)
    }
}

/// Spearman's correlation of x and y; `independent` of the values are, say, of different signs.
pub(super) fn plain(x: &[f64], y: &[f64], independent: usize) -> Option<RankCorrelation> {
    Some(RankCorrelation::new(stats::spearman(x, y)?, independent))
}

/// The same given z:
///
/// ```text
/// (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2))
/// ```
///
/// A z without any order takes nothing out. `None` if x or y has no order of its own.
pub(super) fn given(
    x: &[f64],
    y: &[f64],
    z: &[f64],
    independent: usize,
) -> Option<RankCorrelation> {
    let xy = stats::spearman(x, y)?;
    let of = |v: &[f64]| stats::spearman(v, z).unwrap_or(0.0);
    let (xz, yz) = (of(x), of(y));
    let left = ((1.0 - xz * xz) * (1.0 - yz * yz)).sqrt();
    // what follows z wholly has nothing of its own but rounding
    let rho = (left > 1e-9).then(|| ((xy - xz * yz) / left).clamp(-1.0, 1.0))?;
    Some(RankCorrelation::new(rho, independent.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;

    #[test]
    fn interval_and_p_of_a_known_correlation() {
        // atanh(0.5) = 0.549306, error 0.103: half width 0.201876; z = 5.333
        let c = RankCorrelation::new(0.5, 103);
        assert!(
            (c.ci95[0] - 0.334_094).abs() < 1e-4 && (c.ci95[1] - 0.635_854).abs() < 1e-4,
            "{c:?}"
        );
        assert!((c.p - 9.66e-8).abs() < 1e-9, "{c:?}");
        assert_eq!(RankCorrelation::new(0.5, 3).ci95, [-1.0, 1.0]);
        assert_eq!(c.shown(), "+0.500 (+0.334 to +0.636)");
    }

    #[test]
    fn what_two_things_share_with_a_third_is_taken_out() {
        // x and y follow z alone, each with noise of its own
        let z: Vec<f64> = (0..400).map(|i| f64::from(i % 200)).collect();
        let with = |step: usize| -> Vec<f64> {
            z.iter().enumerate().map(|(i, z)| z + 60.0 * noise(i * step + step)).collect()
        };
        let (x, y) = (with(3), with(11));
        let apart = plain(&x, &y, 400).unwrap();
        let rest = given(&x, &y, &z, 400).unwrap();
        assert!(apart.rho > 0.8 && apart.p < 1e-6, "{apart:?}");
        assert!(rest.ci95[0] < 0.0 && rest.ci95[1] > 0.0 && rest.rho.abs() < 0.1, "{rest:?}");
    }

    #[test]
    fn the_formula_by_hand_and_its_edges() {
        let (x, y, z) = ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 3.0], [1.0, 3.0, 2.0, 4.0]);
        // r_xy = 0.8, r_xz = 0.8, r_yz = 0.4: (0.8 - 0.32) / sqrt(0.36 * 0.84)
        let found = given(&x, &y, &z, 4).unwrap().rho;
        assert!((found - 0.872_872).abs() < 1e-6, "{found}");
        let flat = given(&x, &y, &[1.0; 4], 4).unwrap().rho;
        assert!((flat - 0.8).abs() < 1e-12, "{flat}");
        assert!(given(&x, &y, &x, 4).is_none(), "x is z");
    }
}
