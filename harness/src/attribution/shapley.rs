//! Exact Shapley values of small games by enumeration: the oracle of the estimators.

use super::coalition::Coalition;
use super::error::AttributionError;
use super::estimator::{Drawn, Rule, Sample};
use super::kernel_shap::Solution;
use super::map::exact;
use super::replicates::Replicates;
use super::sampler;

/// Enumeration of more players would take over a million forward passes.
const MAX_EXACT_PLAYERS: usize = 20;

/// The estimator `exact`.
#[derive(Debug)]
pub(super) struct Enumeration;

impl Rule for Enumeration {
    fn most_players(&self) -> usize {
        MAX_EXACT_PLAYERS
    }

    fn draw(&self, players: usize, _: usize, _: u64) -> Drawn {
        Drawn::alike(sampler::exhaustive(players))
    }

    fn solve(&self, sample: Sample<'_>, _: Solution) -> Result<Vec<f64>, AttributionError> {
        let Sample { players, coalitions, values, .. } = sample;
        from_plan(players, coalitions, values).ok_or_else(|| {
            AttributionError::mismatch(
                "plan for estimator exact",
                "every coalition of at most 20 super-pixels",
                "others",
                "draw the plan again",
            )
        })
    }

    fn replicates(
        &self,
        _: Sample<'_>,
        phi: &[f64],
    ) -> Result<Option<Replicates>, AttributionError> {
        Ok(Some(Replicates::certain(phi)))
    }

    fn unit(&self, _: usize) -> Option<usize> {
        None
    }
}

/// Shapley values from the value of every coalition; `value_of` maps the bits of a coalition
/// (player i is bit i) to its value.
///
/// ```text
/// phi_i = sum over S without i of |S|! (M - 1 - |S|)! / M! * (v(S + i) - v(S))
/// ```
///
/// Shapley 1953. `None` for no player or more than 20.
#[must_use]
pub fn from_values(players: usize, value_of: impl Fn(u64) -> f64) -> Option<Vec<f64>> {
    if !(1..=MAX_EXACT_PLAYERS).contains(&players) {
        return None;
    }
    // |S|! (M - 1 - |S|)! / M!, by size
    let mut weights = vec![1.0 / exact(players)];
    for size in 1..players {
        let previous = weights[size - 1];
        weights.push(previous * exact(size) / exact(players - size));
    }
    let mut phi = vec![0.0; players];
    for bits in 0..1_u64 << players {
        let value = value_of(bits);
        let size = bits.count_ones() as usize;
        for (i, p) in phi.iter_mut().enumerate() {
            if bits >> i & 1 == 1 {
                *p += weights[size - 1] * value;
            } else {
                *p -= weights[size] * value;
            }
        }
    }
    Some(phi)
}

/// Shapley values of a game. `None` for no player or more than 20.
#[must_use]
pub fn exact_shapley(players: usize, game: impl Fn(&Coalition) -> f64) -> Option<Vec<f64>> {
    from_values(players, |bits| game(&Coalition::from_bits(players, bits)))
}

/// Attributions from an exhaustive plan.
fn from_plan(players: usize, coalitions: &[Coalition], values: &[f64]) -> Option<Vec<f64>> {
    let mut by_bits = vec![None; 1 << players.min(MAX_EXACT_PLAYERS)];
    for (coalition, &value) in coalitions.iter().zip(values) {
        let bits = coalition.members().fold(0_usize, |bits, i| bits | 1 << i);
        *by_bits.get_mut(bits)? = Some(value);
    }
    let by_bits: Vec<f64> = by_bits.into_iter().collect::<Option<_>>()?;
    from_values(players, |bits| usize::try_from(bits).map_or(f64::NAN, |b| by_bits[b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn games_with_known_values() {
        // additive: every player its own worth
        let additive = exact_shapley(5, |c| c.members().map(exact).sum()).unwrap();
        for (i, phi) in additive.iter().enumerate() {
            assert!((phi - exact(i)).abs() < 1e-12);
        }
        // an interaction of two is shared, the others are dummies
        let pair = exact_shapley(4, |c| if c.contains(1) && c.contains(2) { 3.0 } else { 0.0 });
        for (phi, expected) in pair.unwrap().iter().zip([0.0, 1.5, 1.5, 0.0]) {
            assert!((phi - expected).abs() < 1e-12);
        }
        // weighted vote with quota 4 and weights 3, 2, 1: player 0 is in every pair that wins
        let vote = exact_shapley(3, |c| {
            let votes: usize = c.members().map(|i| 3 - i).sum();
            if votes >= 4 { 1.0 } else { 0.0 }
        });
        for (phi, expected) in vote.unwrap().iter().zip([2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0]) {
            assert!((phi - expected).abs() < 1e-12);
        }
        assert!(exact_shapley(21, |_| 0.0).is_none() && exact_shapley(0, |_| 0.0).is_none());
    }
}
