//! The difference of two runs, frame by frame.

use serde::Serialize;

use super::effect::cohen_dz;
use super::mean::{MeanInterval, mean_interval};
use super::resampling::{PermutationTest, sign_flip};

/// Two values a frame, compared frame by frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// Mean of the first values.
    pub mean_a: f64,
    /// Mean of the second values.
    pub mean_b: f64,
    /// Second less first: mean, deviation and interval by Student's t.
    pub difference: MeanInterval,
    /// Sign-flip test of no difference.
    pub test: PermutationTest,
    /// Mean difference over its standard deviation (Cohen's `d_z`); absent for no spread.
    pub effect: Option<f64>,
}

/// Compares pairs (first, second). `None` for no pairs or a value that is not finite.
#[must_use]
pub fn paired(pairs: &[(f64, f64)], seed: u64) -> Option<Paired> {
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| b - a).collect();
    let n = pairs.len() as f64;
    Some(Paired {
        difference: mean_interval(&differences)?,
        mean_a: pairs.iter().map(|p| p.0).sum::<f64>() / n,
        mean_b: pairs.iter().map(|p| p.1).sum::<f64>() / n,
        test: sign_flip(&differences, seed)?,
        effect: cohen_dz(&differences),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairing_finds_what_means_alone_would_not() {
        // large spread between frames, a small shift in each
        let pairs: Vec<(f64, f64)> = (0..40)
            .map(|i| {
                (f64::from(i * 37 % 41), f64::from(i * 37 % 41) + 0.5 + 0.01 * f64::from(i % 3))
            })
            .collect();
        let p = paired(&pairs, 1).unwrap();
        assert!(
            (p.difference.mean - 0.51).abs() < 0.01
                && (p.mean_b - p.mean_a - p.difference.mean).abs() < 1e-9
        );
        let [low, high] = p.difference.ci95.unwrap();
        assert!(low > 0.5 && high < 0.52 && p.test.p < 0.001, "{p:?}");
        assert!(paired(&[], 1).is_none() && paired(&[(f64::NAN, 0.0)], 1).is_none());
    }
}
