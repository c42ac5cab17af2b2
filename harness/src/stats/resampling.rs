//! Tests that need no distribution: flip the signs of differences, or shuffle the labels of two groups.

use datasets::rng::Stream;
use serde::Serialize;

/// Rearrangements up to which all are counted; beyond, this many are drawn.
const MOST: usize = 1 << 16;

/// Outcome of a permutation test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PermutationTest {
    /// Two-sided p-value.
    pub p: f64,
    /// Whether all rearrangements were counted.
    pub exact: bool,
    /// Rearrangements looked at.
    pub rearrangements: usize,
}

/// Tests that differences are symmetric about zero: the share of all sign flips whose mean is at least as far
/// from zero as that found (Fisher 1935, The Design of Experiments, section 21).
///
/// All flips up to 16 differences; beyond, 65,536 drawn from the seed, with `p = (1 + hits) / (1 + draws)`
/// (Phipson and Smyth 2010), so that p is never 0. `None` for no differences or one that is not finite.
#[must_use]
pub fn sign_flip(differences: &[f64], seed: u64) -> Option<PermutationTest> {
    if differences.is_empty() || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let found = differences.iter().sum::<f64>().abs();
    // sums that are equal but for rounding count as equal
    let bar = found - 1e-12 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let n = differences.len();
    if n < usize::BITS as usize && 1_usize << n <= MOST {
        let all = 1_usize << n;
        let sum = |bits: usize| -> f64 {
            differences
                .iter()
                .enumerate()
                .map(|(i, d)| if bits >> i & 1 == 1 { -d } else { *d })
                .sum()
        };
        let hits = (0..all).filter(|&bits| sum(bits).abs() >= bar).count();
        return Some(PermutationTest {
            p: hits as f64 / all as f64,
            exact: true,
            rearrangements: all,
        });
    }
    let mut stream = Stream::new("sign flip", &[seed, n as u64]);
    let mut hits = 0;
    for _ in 0..MOST {
        let mut sum = 0.0;
        for block in differences.chunks(64) {
            let bits = stream.bits();
            for (i, d) in block.iter().enumerate() {
                sum += if bits >> i & 1 == 1 { -d } else { *d };
            }
        }
        hits += usize::from(sum.abs() >= bar);
    }
    Some(drawn(hits))
}

/// Tests that two independent groups come from one population: the share of all ways to deal their
/// values into groups of these sizes whose means differ at least as much as those found.
///
/// All ways up to 65,536; beyond, as many drawn from the seed. `None` for an empty group or a value
/// that is not finite.
#[must_use]
pub fn label_permutation(a: &[f64], b: &[f64], seed: u64) -> Option<PermutationTest> {
    let mut values: Vec<f64> = a.iter().chain(b).copied().collect();
    if a.is_empty() || b.is_empty() || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let (n, first) = (values.len(), a.len());
    let total: f64 = values.iter().sum();
    let (n_a, n_b) = (first as f64, b.len() as f64);
    let difference = |sum_a: f64| ((total - sum_a) / n_b - sum_a / n_a).abs();
    let scale: f64 = values.iter().map(|v| v.abs()).sum();
    let bar = difference(a.iter().sum()) - 1e-12 * scale;
    if let Some(all) = ways(n, first).filter(|&all| all <= MOST) {
        let mut hits = 0;
        let mut chosen: Vec<usize> = (0..first).collect();
        loop {
            let sum: f64 = chosen.iter().map(|&i| values[i]).sum();
            hits += usize::from(difference(sum) >= bar);
            // the next combination in the order of the dictionary
            let Some(i) = (0..first).rev().find(|&i| chosen[i] != i + n - first) else { break };
            chosen[i] += 1;
            for j in i + 1..first {
                chosen[j] = chosen[j - 1] + 1;
            }
        }
        return Some(PermutationTest {
            p: hits as f64 / all as f64,
            exact: true,
            rearrangements: all,
        });
    }
    let mut stream = Stream::new("label permutation", &[seed, n as u64, first as u64]);
    let mut hits = 0;
    for _ in 0..MOST {
        for i in 0..first {
            values.swap(i, i + stream.below(n - i));
        }
        hits += usize::from(difference(values[..first].iter().sum()) >= bar);
    }
    Some(drawn(hits))
}

fn drawn(hits: usize) -> PermutationTest {
    let p = (1 + hits) as f64 / (1 + MOST) as f64;
    PermutationTest { p, exact: false, rearrangements: MOST }
}

/// Ways to choose k of n, unless they are very many.
fn ways(n: usize, k: usize) -> Option<usize> {
    let k = k.min(n - k);
    (0..k).try_fold(1_usize, |all, i| Some(all.checked_mul(n - i)? / (i + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_samples_are_counted_out() {
        // only all plus and all minus are as far out
        let t = sign_flip(&[1.0, 2.0, 3.0, 4.0, 5.0], 0).unwrap();
        assert!(t.exact && (t.p - 2.0 / 32.0).abs() < 1e-12, "{t:?}");
        // scipy.stats.permutation_test, difference of means, two-sided: 2 of 20
        let t = label_permutation(&[1.0, 2.0, 3.0], &[10.0, 11.0, 12.0], 0).unwrap();
        assert!(t.exact && (t.p - 0.1).abs() < 1e-12, "{t:?}");
        let same = label_permutation(&[1.0, 2.0], &[1.0, 2.0], 0).unwrap();
        assert!((same.p - 1.0).abs() < 1e-12);
        assert!(sign_flip(&[], 0).is_none() && label_permutation(&[], &[1.0], 0).is_none());
    }

    #[test]
    fn drawn_p_values_are_near_the_counted_ones_and_repeat() {
        let d: Vec<f64> = (0..17).map(|i| f64::from(i * 11 % 17) - 6.5).collect();
        let drawn = sign_flip(&d, 5).unwrap();
        assert!(!drawn.exact);
        assert_eq!(drawn, sign_flip(&d, 5).unwrap());
        // counted here over all 131,072
        let found: f64 = d.iter().sum::<f64>().abs();
        let hits = (0..1_u32 << 17)
            .filter(|bits| {
                let sum: f64 = d
                    .iter()
                    .enumerate()
                    .map(|(i, d)| if bits >> i & 1 == 1 { -d } else { *d })
                    .sum();
                sum.abs() >= found - 1e-9
            })
            .count();
        let exact = hits as f64 / f64::from(1 << 17);
        // five standard deviations of a drawn share
        assert!((drawn.p - exact).abs() < 5.0 * (exact / 65_536.0).sqrt(), "{drawn:?} {exact}");
        let a: Vec<f64> = (0..20).map(|i| f64::from(i % 7)).collect();
        let b: Vec<f64> = (0..25).map(|i| f64::from(i % 7) + 3.0).collect();
        assert!(label_permutation(&a, &b, 1).unwrap().p < 0.001);
    }

    #[test]
    fn under_no_difference_p_is_uniform() {
        let mut stream = Stream::new("test of tests", &[3]);
        let rejected = (0..400)
            .filter(|_| {
                let d: Vec<f64> =
                    (0..12).map(|_| f64::from(stream.unit()) - f64::from(stream.unit())).collect();
                sign_flip(&d, 0).unwrap().p < 0.1
            })
            .count();
        // 40 expected, standard deviation 6
        assert!((16..=64).contains(&rejected), "{rejected}");
    }
}
