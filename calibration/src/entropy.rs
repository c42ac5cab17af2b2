//! The range whose quantized distribution diverges least from that of the values seen.
//!
//! ```text
//! P   the bins within the range, what lies beyond added to the outermost ones
//! Q   the same bins, each count replaced by the mean over the occupied bins of its grid value;
//!     what lies beyond is not added
//! KL  sum over bins of P log(P / Q)
//! ```
//!
//! After Migacz, "8-bit inference with `TensorRT`", GTC 2017. Deviation: both ends move, since
//! activations here have zero points; values that are exactly 0 are left out, since every grid holds
//! them and their number would hide all else.

use crate::histogram::{Bin, Histogram, exact_count};
use crate::search;

/// What Q has where P has something and Q nothing.
const FLOOR: f64 = 1e-9;

/// Lower and upper end.
#[must_use]
pub fn range(seen: &Histogram) -> [f64; 2] {
    let bins: Vec<Bin> = seen.bins().collect();
    search::cheapest(seen, &|low, high| divergence(&bins, low, high))
}

/// Kullback-Leibler divergence in nats; infinite for a range without values.
fn divergence(bins: &[Bin], low: f64, high: f64) -> f64 {
    let scale = (high - low) / 255.0;
    let inside = |bin: &&Bin| bin.centre() >= low && bin.centre() <= high;
    let within: Vec<&Bin> = bins.iter().filter(inside).collect();
    let (Some(first), Some(last), true) = (within.first(), within.last(), scale > 0.0) else {
        return f64::INFINITY;
    };
    let sum = |part: &dyn Fn(&Bin) -> bool| {
        bins.iter().filter(|b| part(b)).map(|b| exact_count(b.count)).sum::<f64>()
    };
    let below = sum(&|b| b.low < first.low);
    let above = sum(&|b| b.low > last.low);
    let total = sum(&|_| true);
    let kept = total - below - above;
    let last_index = within.len() - 1;
    let cell = |bin: &Bin| (bin.centre() / scale).round_ties_even();
    let mut divergence = 0.0;
    let mut start = 0;
    while start < within.len() {
        let value = cell(within[start]);
        let end = within[start..].iter().position(|b| cell(b) != value);
        let end = end.map_or(within.len(), |offset| start + offset);
        let count: f64 = within[start..end].iter().map(|b| exact_count(b.count)).sum();
        let q = (count / exact_length(end - start) / kept).max(FLOOR);
        for (i, bin) in within[start..end].iter().enumerate() {
            let mut mass = exact_count(bin.count);
            if start + i == 0 {
                mass += below;
            }
            if start + i == last_index {
                mass += above;
            }
            let p = mass / total;
            divergence += p * (p / q).ln();
        }
        start = end;
    }
    divergence
}

#[expect(clippy::cast_precision_loss, reason = "bins are at most a few thousand")]
const fn exact_length(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(counts: &[u64]) -> Vec<Bin> {
        (0_u32..)
            .zip(counts)
            .map(|(i, &count)| Bin { low: f64::from(i), high: f64::from(i) + 1.0, count })
            .collect()
    }

    #[test]
    fn two_bins_to_a_value_by_hand() {
        // grid values 0, 2, 4 ...: bins at 0.5 | 1.5 2.5 | 3.5 4.5
        let bins = bins(&[1, 3, 1, 2, 2]);
        let expected: f64 = [(1.0_f64, 1.0_f64), (3.0, 2.0), (1.0, 2.0), (2.0, 2.0), (2.0, 2.0)]
            .iter()
            .map(|(p, q)| p / 9.0 * (p / q).ln())
            .sum();
        let found = divergence(&bins, 0.0, 510.0);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn clipped_values_are_added_to_p_alone() {
        // one bin a grid value, the last of four clipped: P = 2 2 4, Q = 2 2 2 of 6
        let bins: Vec<Bin> = bins(&[2, 2, 2, 2]);
        let q = 2.0 / 6.0;
        let p = [2.0 / 8.0, 2.0 / 8.0, 4.0 / 8.0_f64];
        let expected: f64 = p.iter().map(|p| p * (p / q).ln()).sum();
        // scale 3/255: bins lie on values of their own
        let found = divergence(&bins, 0.0, 3.0);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        assert!(divergence(&bins, 0.0, 4.0) < 1e-12, "nothing lost, nothing merged");
        assert_eq!(divergence(&bins, 0.0, 0.2), f64::INFINITY);
    }
}
