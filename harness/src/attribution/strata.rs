//! Draws the coalitions of `leverage`: pairs of complements without repeats, sizes alike often.
//!
//! The leverage score of a coalition of size k in the regression of Kernel SHAP is `1 / C(M, k)`
//! (Musco and Witter, arXiv 2410.01917, lemma 3.2), so every size is drawn alike often, until it is exhausted. Sampled
//! rows are weighted by the kernel over their expected number:
//!
//! ```text
//! weight of a row of size k = (M - 1) / (k (M - k)) / expected rows of that size
//! ```
//!
//! Deviation: the number of rows of each size is fixed up to rounding instead of binomial, which keeps
//! the number of evaluations and takes the scatter between sizes out.

use std::collections::BTreeSet;

use datasets::rng::Stream;

use super::coalition::Coalition;
use super::estimator::{Drawn, END_WEIGHT};
use super::map::exact;
use super::sampler::{subset, unit};

/// Pairs of one size h and its complement M - h, for h up to M / 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stratum {
    /// Pairs there are.
    pub(super) capacity: f64,
    /// Pairs to draw, on average over the rounding.
    pub(super) expected: f64,
}

/// Pairs by stratum for a number of pairs in all; stratum h is at position h - 1.
pub(super) fn strata(players: usize, pairs: usize) -> Vec<Stratum> {
    let half = |h: usize| if 2 * h == players { 0.5 } else { 1.0 };
    let mut binomial = 1.0;
    let mut strata: Vec<Stratum> = (1..=players / 2)
        .map(|h| {
            binomial *= exact(players + 1 - h) / exact(h);
            Stratum { capacity: (binomial * half(h)).round(), expected: 0.0 }
        })
        .collect();
    // the common level rises until the pairs are used up; exhausted strata drop out
    let mut open: Vec<usize> = (1..=strata.len()).collect();
    let mut rest = exact(pairs);
    loop {
        let level = rest / open.iter().map(|&h| half(h)).sum::<f64>();
        let full: Vec<usize> =
            open.iter().copied().filter(|&h| strata[h - 1].capacity <= level * half(h)).collect();
        if full.is_empty() {
            open.iter().for_each(|&h| strata[h - 1].expected = level * half(h));
            return strata;
        }
        for h in full {
            strata[h - 1].expected = strata[h - 1].capacity;
            rest -= strata[h - 1].capacity;
            open.retain(|&o| o != h);
        }
        if open.is_empty() {
            return strata;
        }
    }
}

/// All, none, then for each size from the outside in its pairs.
pub(super) fn draw(players: usize, evaluations: usize, seed: u64) -> Drawn {
    let mut stream = Stream::new("leverage plan", &[seed, players as u64]);
    let pairs = (evaluations.saturating_sub(2) / 2).max(1);
    let mut coalitions = vec![Coalition::full(players), Coalition::empty(players)];
    let mut weights = vec![END_WEIGHT; 2];
    // systematic rounding: one random start keeps the sum and every expectation
    let mut passed = unit(&mut stream);
    for (h, stratum) in (1..).zip(strata(players, pairs)) {
        let count = whole(passed + stratum.expected) - whole(passed);
        passed += stratum.expected;
        let rows = if 2 * h == players { 2.0 * stratum.expected } else { stratum.expected };
        let weight = exact(players - 1) / (exact(h) * exact(players - h)) / rows;
        let mut seen = BTreeSet::new();
        while seen.len() < count && exact(seen.len()) < stratum.capacity {
            let drawn = subset(&mut stream, players, h);
            // of two halves the one with player 0 stands for the pair
            let one =
                if 2 * h == players && !drawn.contains(0) { drawn.complement() } else { drawn };
            if seen.insert(one.clone()) {
                coalitions.push(one.complement());
                coalitions.push(one);
                weights.extend([weight; 2]);
            }
        }
    }
    Drawn { coalitions, weights }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of pairs, at least 0 and far below 2^53; a hair is added against rounding at whole numbers"
)]
fn whole(pairs: f64) -> usize {
    (pairs + 1e-9).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_alike_often_and_nothing_is_drawn_twice() {
        for seed in 0..20 {
            let drawn = draw(49, 1000, seed);
            assert_eq!((drawn.coalitions.len(), drawn.weights.len()), (1000, 1000));
            let distinct: BTreeSet<_> = drawn.coalitions.iter().collect();
            assert_eq!(distinct.len(), 1000);
            for k in 1..49 {
                let n = drawn.coalitions.iter().filter(|c| c.size() == k).count();
                // 998 / 48 = 20.8
                assert!((20..=21).contains(&n), "size {k}: {n}");
            }
        }
    }

    #[test]
    fn a_large_budget_exhausts_the_outer_sizes_and_in_the_end_all() {
        let outer = strata(49, 5000);
        assert!((outer[0].expected - 49.0).abs() < 1e-12);
        assert!(outer[1].expected > 200.0 && outer[1].expected < outer[1].capacity);
        assert!((outer.iter().map(|s| s.expected).sum::<f64>() - 5000.0).abs() < 1e-9);
        for players in [5, 6] {
            let all = draw(players, 10_000, 1);
            assert_eq!(all.coalitions.len(), 1 << players);
        }
    }

    #[test]
    fn weights_make_up_for_the_law() {
        // over many seeds the weighted rows of a size have the mass of the kernel
        let mut mass = [0.0; 7];
        for seed in 0..200 {
            let drawn = draw(6, 14, seed);
            for (coalition, weight) in drawn.coalitions.iter().zip(&drawn.weights).skip(2) {
                mass[coalition.size()] += weight / 200.0;
            }
        }
        for k in 1..6 {
            let kernel = 5.0 / (exact(k) * exact(6 - k));
            assert!((mass[k] / kernel - 1.0).abs() < 0.08, "size {k}: {mass:?}");
        }
    }
}
