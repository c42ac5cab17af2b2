//! Shapley values as means of marginal contributions along random orders and their reverses.
//!
//! Mitchell et al., "Sampling Permutations for Shapley Value Estimation", JMLR 23 (2022), section 5.1.

use super::coalition::Coalition;
use super::error::AttributionError;
use super::estimator::{Drawn, Rule, Sample};
use super::kernel_shap::Solution;
use super::map::exact;
use super::replicates::Replicates;
use super::sampler;

/// The estimator `permutation`: unbiased, and the sum is exact since each chain telescopes from none
/// to all.
#[derive(Debug)]
pub(super) struct Antithetic;

impl Rule for Antithetic {
    fn draw(&self, players: usize, evaluations: usize, seed: u64) -> Drawn {
        Drawn::alike(sampler::permutation(players, evaluations, seed))
    }

    fn solve(&self, sample: Sample<'_>, _: Solution) -> Result<Vec<f64>, AttributionError> {
        Ok(mean(sample.players, &pairs(sample)?))
    }

    fn replicates(
        &self,
        sample: Sample<'_>,
        _: &[f64],
    ) -> Result<Option<Replicates>, AttributionError> {
        Ok(Replicates::of_batches(&pairs(sample)?))
    }

    fn unit(&self, players: usize) -> Option<usize> {
        Some(2 * (players - 1))
    }
}

fn mean(players: usize, pairs: &[Vec<f64>]) -> Vec<f64> {
    let mut phi = vec![0.0; players];
    for pair in pairs {
        phi.iter_mut().zip(pair).for_each(|(p, b)| *p += b);
    }
    phi.iter_mut().for_each(|p| *p /= exact(pairs.len()));
    phi
}

/// Marginal contributions of every player, a row for each order with its reverse; an order without one stands alone.
fn pairs(sample: Sample<'_>) -> Result<Vec<Vec<f64>>, AttributionError> {
    let steps = sample.players - 1;
    let (full, empty) = (sample.full(), sample.empty());
    let none = Coalition::empty(sample.players);
    let all = Coalition::full(sample.players);
    let mut orders = Vec::new();
    for (chain, values) in
        sample.coalitions[2..].chunks(steps).zip(sample.values[2..].chunks(steps))
    {
        let grows = chain.iter().enumerate().all(|(i, c)| c.size() == i + 1);
        if chain.len() != steps || !grows {
            return Err(AttributionError::mismatch(
                "plan for estimator permutation",
                format!("chains of {steps} growing coalitions"),
                format!("a chain of {} others", chain.len()),
                "draw the plan again",
            ));
        }
        let moves = std::iter::once(&none).chain(chain).zip(chain.iter().chain([&all]));
        let before = std::iter::once(&empty).chain(values);
        let after = values.iter().chain([&full]);
        let mut contribution = vec![0.0; sample.players];
        for (((smaller, larger), before), after) in moves.zip(before).zip(after) {
            let joined = (0..sample.players).find(|&i| larger.contains(i) && !smaller.contains(i));
            if let Some(joined) = joined {
                contribution[joined] = after - before;
            }
        }
        orders.push(contribution);
    }
    Ok(orders.chunks(2).map(|pair| mean(sample.players, pair)).collect())
}
