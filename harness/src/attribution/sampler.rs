//! Draws the coalitions of a plan.

use std::collections::BTreeSet;

use datasets::rng::Stream;

use super::coalition::Coalition;
use super::map::exact;

/// Coalitions by Captum's law: first all, then none, then sizes k with probability
/// `p(k) ~ (M - 1) / (k (M - k))` and a uniform subset of that size, repeats included.
///
/// The Shapley kernel of Lundberg and Lee, arXiv 1705.07874, theorem 2, summed over the subsets of a
/// size. Deviation: Captum draws from torch's global generator, so equal seeds give other plans.
pub(crate) fn captum(players: usize, evaluations: usize, seed: u64) -> Vec<Coalition> {
    let mut stream = Stream::new("kernel shap plan", &[seed, players as u64]);
    let law = Law::new(players);
    let drawn = (2..evaluations.max(2)).map(|_| law.draw(&mut stream, players));
    ends(players).into_iter().chain(drawn).collect()
}

/// The same law, each coalition followed by its complement: as many whole pairs as fit, at least one.
pub(crate) fn paired(players: usize, evaluations: usize, seed: u64) -> Vec<Coalition> {
    let mut stream = Stream::new("paired plan", &[seed, players as u64]);
    let law = Law::new(players);
    let pairs = (evaluations.saturating_sub(2) / 2).max(1);
    let drawn = (0..pairs).flat_map(|_| {
        let one = law.draw(&mut stream, players);
        let other = one.complement();
        [one, other]
    });
    ends(players).into_iter().chain(drawn).collect()
}

fn ends(players: usize) -> [Coalition; 2] {
    [Coalition::full(players), Coalition::empty(players)]
}

/// Sizes by the Shapley kernel.
struct Law {
    /// Of size k at position k - 1, not normalized.
    shares: Vec<f64>,
    total: f64,
}

impl Law {
    fn new(players: usize) -> Self {
        let shares: Vec<f64> =
            (1..players).map(|k| 1.0 / (exact(k) * exact(players - k))).collect();
        Self { total: shares.iter().sum(), shares }
    }

    fn draw(&self, stream: &mut Stream, players: usize) -> Coalition {
        let mut rest = unit(stream) * self.total;
        let size = self.shares.iter().position(|p| {
            rest -= p;
            rest < 0.0
        });
        subset(stream, players, size.map_or(players - 1, |s| s + 1))
    }
}

/// Coalitions of random orders and their reverses: all, none, then for each order its proper
/// prefixes from 1 to M - 1 members, then the same for the reversed order. As many whole pairs of
/// orders as fit into the number of evaluations, at least one.
///
/// Mitchell et al., "Sampling Permutations for Shapley Value Estimation", JMLR 23 (2022), section 5.1.
pub(crate) fn permutation(players: usize, evaluations: usize, seed: u64) -> Vec<Coalition> {
    let mut stream = Stream::new("permutation plan", &[seed, players as u64]);
    let pairs = (evaluations.saturating_sub(2) / (2 * (players - 1)).max(1)).max(1);
    let mut coalitions = vec![Coalition::full(players), Coalition::empty(players)];
    for _ in 0..pairs {
        let forward = order(&mut stream, players);
        let backward: Vec<usize> = forward.iter().rev().copied().collect();
        for order in [forward, backward] {
            let mut prefix = Coalition::empty(players);
            for &player in &order[..players - 1] {
                prefix.insert(player);
                coalitions.push(prefix.clone());
            }
        }
    }
    coalitions
}

/// All coalitions: all, none, then the rest by their number (player i is bit i).
pub(crate) fn exhaustive(players: usize) -> Vec<Coalition> {
    let all = 1_u64 << players.min(63);
    ends(players)
        .into_iter()
        .chain((1..all - 1).map(|b| Coalition::from_bits(players, b)))
        .collect()
}

fn order(stream: &mut Stream, players: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..players).collect();
    for i in (1..players).rev() {
        order.swap(i, stream.below(i + 1));
    }
    order
}

/// A uniform subset (Floyd's algorithm, CACM 30(9), 1987).
pub(super) fn subset(stream: &mut Stream, players: usize, size: usize) -> Coalition {
    let mut chosen = BTreeSet::new();
    for top in players - size..players {
        let pick = stream.below(top + 1);
        if !chosen.insert(pick) {
            chosen.insert(top);
        }
    }
    let mut coalition = Coalition::empty(players);
    chosen.into_iter().for_each(|p| coalition.insert(p));
    coalition
}

/// Uniform in [0, 1) with 48 random bits.
pub(super) fn unit(stream: &mut Stream) -> f64 {
    f64::from(stream.unit()) + f64::from(stream.unit()) / 16_777_216.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_kernel_and_members_are_uniform() {
        let (players, n) = (7, 60_000);
        let drawn = captum(players, n + 2, 1);
        assert!(drawn[0].size() == players && drawn[1].size() == 0);
        let mut sizes = [0_u32; 8];
        let mut members = [0_u32; 7];
        for coalition in &drawn[2..] {
            sizes[coalition.size()] += 1;
            coalition.members().for_each(|m| members[m] += 1);
        }
        // 1/6, 1/10, 1/12, 1/12, 1/10, 1/6 over their sum 0.7
        let expected = [0.0, 0.238_095, 0.142_857, 0.119_048, 0.119_048, 0.142_857, 0.238_095, 0.0];
        for (found, expected) in sizes.iter().zip(expected) {
            // 5 standard deviations of a binomial share
            assert!((f64::from(*found) / 60_000.0 - expected).abs() < 0.01, "{sizes:?}");
        }
        assert!(members.iter().all(|m| (f64::from(*m) / 60_000.0 - 0.5).abs() < 0.011));
    }

    #[test]
    fn permutations_come_with_their_reverse() {
        let drawn = permutation(4, 2 + 2 * 6, 3);
        assert_eq!(drawn.len(), 14);
        let (first, reversed) = (&drawn[2..5], &drawn[5..8]);
        assert!(first.iter().chain(reversed).map(Coalition::size).eq([1, 2, 3, 1, 2, 3]));
        // prefix of one order and prefix of the other are complements
        for (prefix, suffix) in first.iter().zip(reversed.iter().rev()) {
            assert!((0..4).all(|i| prefix.contains(i) != suffix.contains(i)));
        }
    }

    #[test]
    fn the_exhaustive_plan_has_every_coalition_once() {
        let all: BTreeSet<_> = exhaustive(5).into_iter().collect();
        assert_eq!(all.len(), 32);
    }
}
