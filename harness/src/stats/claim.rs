//! How many frames a claim about a tail needs: "99.9 % of frames are answered in time" cannot be said after a hundred frames.
//!
//! With `k` overruns in `n` frames the claim "a share of at least `s` is in time" holds with confidence `c` if a system just
//! below it would show so few overruns with probability at most `1 - c` (one-sided exact binomial bound, Clopper and Pearson 1934):
//!
//! ```text
//! P(X <= k; n, 1 - s) <= 1 - c
//! ```
//!
//! The benchmarks of MLPerf Inference (Reddi et al., arXiv 1911.02549, section IV) fix their query counts by the normal
//! approximation of the same question. Deviation: this is exact, so it needs a few frames more or less. Frames are taken as
//! independent; overruns that come in bursts make every such bound too kind.

/// Probability of at most `k` hits in `n` trials of probability `p`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn binomial_at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    // terms from the logarithm of the first: (1 - p)^n underflows for large n
    let ratio = p / (1.0 - p);
    let mut log_term = n as f64 * (-p).ln_1p();
    let mut sum = log_term.exp();
    for i in 1..=k {
        log_term += ((n - i + 1) as f64 / i as f64).ln() + ratio.ln();
        sum += log_term.exp();
    }
    sum.min(1.0)
}

/// Whether `overruns` in `frames` support the claim that a share of `share` is in time, with that confidence.
#[must_use]
pub fn supported(share: f64, confidence: f64, overruns: u64, frames: u64) -> bool {
    frames > overruns && binomial_at_most(overruns, frames, 1.0 - share) <= 1.0 - confidence
}

/// The fewest frames that support the claim with that many overruns. `share` and `confidence` lie between 0 and 1; nothing for
/// others, or if more than 2^40 were needed.
#[must_use]
pub fn frames_needed(share: f64, confidence: f64, overruns: u64) -> Option<u64> {
    let inside = |v: f64| v > 0.0 && v < 1.0;
    if !inside(share) || !inside(confidence) {
        return None;
    }
    let mut high = overruns + 1;
    while !supported(share, confidence, overruns, high) {
        high = high.checked_mul(2).filter(|&h| h < 1 << 40)?;
    }
    let mut low = high / 2;
    // `low` does not support it, `high` does; the bound falls with every frame
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if supported(share, confidence, overruns, middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{Binomial, DiscreteCDF as _};

    use super::*;

    #[test]
    fn the_sum_is_the_binomial_distribution() {
        for (k, n, p) in
            [(0, 10, 0.1), (3, 20, 0.3), (1, 6636, 0.001), (7, 5000, 0.002), (5, 5, 0.5)]
        {
            let other = Binomial::new(p, n).unwrap().cdf(k);
            assert!((binomial_at_most(k, n, p) - other).abs() < 1e-9, "{k} {n} {p}: {other}");
        }
    }

    #[test]
    fn one_overrun_at_the_thousandth_needs_6636_frames() {
        assert_eq!(frames_needed(0.999, 0.99, 1), Some(6636));
        // without any: ln(0.01) / ln(0.999)
        assert_eq!(frames_needed(0.999, 0.99, 0), Some(4603));
        assert_eq!(frames_needed(0.99, 0.99, 0), Some(459));
        assert_eq!(frames_needed(1.0, 0.99, 0), None);
    }

    #[test]
    fn one_frame_less_is_never_enough() {
        for share in [0.5, 0.9, 0.99, 0.999] {
            for confidence in [0.9, 0.99] {
                for overruns in [0, 1, 2, 5, 20] {
                    let n = frames_needed(share, confidence, overruns).unwrap();
                    let bound = |n: u64| Binomial::new(1.0 - share, n).unwrap().cdf(overruns);
                    assert!(bound(n) <= 1.0 - confidence, "{share} {confidence} {overruns}: {n}");
                    if n > overruns + 1 {
                        assert!(bound(n - 1) > 1.0 - confidence, "{share} {confidence} {overruns}");
                    }
                }
            }
        }
    }
}
