//! Shapley values as means of marginal contributions along random orders and their reverses.

use super::coalition::Coalition;
use super::error::AttributionError;
use super::map::exact;

/// Attributions from a plan of chains: all, none, then M - 1 growing prefixes an order. Unbiased, and
/// the sum is exact since each chain telescopes from none to all.
pub(super) fn estimate(
    players: usize,
    coalitions: &[Coalition],
    values: &[f64],
) -> Result<Vec<f64>, AttributionError> {
    let (full, empty) = (values[0], values[1]);
    let chains = coalitions[2..].chunks(players - 1).zip(values[2..].chunks(players - 1));
    let mut phi = vec![0.0; players];
    let mut orders = 0;
    for (chain, chain_values) in chains {
        let grows = chain.iter().enumerate().all(|(i, c)| c.size() == i + 1);
        if chain.len() != players - 1 || !grows {
            return Err(AttributionError::mismatch(
                "plan for estimator permutation",
                format!("chains of {} growing coalitions", players - 1),
                format!("a chain of {} others", chain.len()),
                "draw the plan again",
            ));
        }
        let none = Coalition::empty(players);
        let all = Coalition::full(players);
        let steps = std::iter::once(&none).chain(chain).zip(chain.iter().chain([&all]));
        let before = std::iter::once(&empty).chain(chain_values);
        let after = chain_values.iter().chain([&full]);
        for (((smaller, larger), before), after) in steps.zip(before).zip(after) {
            if let Some(joined) = (0..players).find(|&i| larger.contains(i) && !smaller.contains(i))
            {
                phi[joined] += after - before;
            }
        }
        orders += 1;
    }
    phi.iter_mut().for_each(|p| *p /= exact(orders));
    Ok(phi)
}
