//! Kernel SHAP and its relatives: from the values of a plan's coalitions to a map.
//!
//! Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", arXiv 1705.07874.

use models::Classifier;
use serde::{Deserialize, Serialize};

use super::error::AttributionError;
use super::game::{Game, evaluate};
use super::map::Map;
use super::picture::{MaskedPicture, Output, PictureGame};
use super::plan::{Estimator, Plan};
use super::{permutation, regression, shapley};

/// How the regression treats the full and the empty coalition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Solution {
    /// As constraints: attributions sum to `v(all) - v(none)`.
    #[default]
    Exact,
    /// With Captum's weight of a million, for comparison with it.
    CaptumSoft,
}

/// An explanation with what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Attribution of each super-pixel.
    pub map: Map,
    /// Output for the picture.
    pub full: f64,
    /// Output for the baseline.
    pub empty: f64,
    /// Coalitions in the plan.
    pub evaluations: usize,
    /// Forward passes: distinct coalitions.
    pub forwards: usize,
}

/// Explains any game along a plan, on as many threads as there are workers.
///
/// # Errors
/// If the game fails, or the plan does not determine the attributions.
pub fn explain<G: Game>(
    plan: &Plan,
    workers: &mut [G],
    solution: Solution,
) -> Result<Explanation, AttributionError> {
    let evaluation = evaluate(plan, workers)?;
    let map = solve(plan, &evaluation.values, solution)?;
    Ok(Explanation {
        map,
        full: evaluation.values[0],
        empty: evaluation.values[1],
        evaluations: plan.coalitions().len(),
        forwards: evaluation.forwards,
    })
}

/// Attributions from recorded values, one a coalition of the plan.
///
/// # Errors
/// If their number does not fit, or they leave the attributions undetermined.
pub fn solve(plan: &Plan, values: &[f64], solution: Solution) -> Result<Map, AttributionError> {
    let (players, coalitions) = (plan.players(), plan.coalitions());
    let mismatch = |expected: String, found: String| {
        AttributionError::mismatch("plan", expected, found, "draw or record it again")
    };
    if values.len() != coalitions.len() {
        let expected = format!("{} values", coalitions.len());
        return Err(mismatch(expected, values.len().to_string()));
    }
    let phi = match (plan.estimator(), solution) {
        (Estimator::Captum, Solution::Exact) => {
            regression::constrained(players, coalitions, plan.weights(), values)?
        }
        (Estimator::Captum, Solution::CaptumSoft) => {
            regression::soft(players, coalitions, plan.weights(), values)?
        }
        (Estimator::Permutation, _) => permutation::estimate(players, coalitions, values)?,
        (Estimator::Exact, _) => {
            shapley::from_plan(players, coalitions, values).ok_or_else(|| {
                mismatch(
                    "every coalition of at most 20 super-pixels".to_owned(),
                    "others".to_owned(),
                )
            })?
        }
    };
    let grid = plan.grid();
    Map::new(grid.rows, grid.columns, phi)
        .ok_or_else(|| mismatch(format!("{players} attributions"), "another number".to_owned()))
}

/// Explains the output of a class for a picture, on as many threads as there are sessions.
///
/// # Errors
/// If the network fails, has no such class, or the plan does not determine the attributions.
pub fn kernel_shap<C: Classifier>(
    plan: &Plan,
    picture: &MaskedPicture,
    target: usize,
    output: Output,
    solution: Solution,
    sessions: &mut [C],
) -> Result<Explanation, AttributionError> {
    let mut workers: Vec<_> = sessions
        .iter_mut()
        .map(|session| PictureGame::new(picture, session, target, output))
        .collect();
    explain(plan, &mut workers, solution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::coalition::Coalition;
    use crate::attribution::plan::Grid;

    /// 12 players; each with its worth, one pair that interacts, a threshold, and one dummy.
    fn game(c: &Coalition) -> f64 {
        let worth: usize = c.members().filter(|&i| i != 11).map(|i| i + 1).sum();
        let pair = if c.contains(2) && c.contains(7) { 9.0 } else { 0.0 };
        let threshold = if worth > 30 { 5.0 } else { 0.0 };
        worth as f64 + pair + threshold
    }

    const GRID: Grid = Grid { rows: 3, columns: 4 };

    fn estimate(estimator: Estimator, evaluations: usize, seed: u64) -> Map {
        let plan = Plan::draw(estimator, GRID, evaluations, seed).unwrap();
        explain(&plan, &mut [game, game], Solution::Exact).unwrap().map
    }

    fn distance(map: &Map, exact: &[f64]) -> f64 {
        map.values().iter().zip(exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn estimators_approach_the_exact_values() {
        let exact = shapley::exact_shapley(12, game).unwrap();
        assert!(distance(&estimate(Estimator::Exact, 0, 0), &exact) < 1e-10);
        let errors: Vec<f64> = [Estimator::Captum, Estimator::Permutation]
            .iter()
            .map(|&e| distance(&estimate(e, 40_000, 1), &exact))
            .collect();
        assert!(errors.iter().all(|&e| e < 0.15), "{errors:?}");
    }

    #[test]
    fn the_sum_is_exact_at_any_number_of_evaluations() {
        let span = game(&Coalition::full(12)) - game(&Coalition::empty(12));
        for estimator in [Estimator::Captum, Estimator::Permutation] {
            for evaluations in [60, 200, 2000] {
                let map = estimate(estimator, evaluations, 9);
                assert!((map.sum() - span).abs() < 1e-9, "{estimator:?} {evaluations}");
            }
        }
    }

    #[test]
    fn an_additive_game_is_solved_exactly_by_every_estimator() {
        let additive = |c: &Coalition| 2.0 + c.members().map(|i| i as f64 - 4.0).sum::<f64>();
        for estimator in [Estimator::Captum, Estimator::Permutation, Estimator::Exact] {
            let plan = Plan::draw(estimator, GRID, 120, 4).unwrap();
            for solution in [Solution::Exact, Solution::CaptumSoft] {
                let map = explain(&plan, &mut [additive], solution).unwrap().map;
                for (i, phi) in map.values().iter().enumerate() {
                    assert!((phi - (i as f64 - 4.0)).abs() < 1e-7, "{estimator:?} {solution:?}");
                }
            }
        }
    }

    #[test]
    fn dummies_get_nothing_and_twins_get_the_same_from_exact_values() {
        let map = estimate(Estimator::Exact, 0, 0);
        assert!(map.values()[11].abs() < 1e-10);
        let twins = |c: &Coalition| (c.size() as f64).powi(2);
        let plan = Plan::draw(Estimator::Exact, GRID, 0, 0).unwrap();
        let map = explain(&plan, &mut [twins], Solution::Exact).unwrap().map;
        assert!(map.values().iter().all(|phi| (phi - 12.0).abs() < 1e-9));
        // an order contributes to a dummy nothing, so sampling it is exact
        assert!(estimate(Estimator::Permutation, 50, 2).values()[11].abs() < 1e-12);
    }

    #[test]
    fn too_few_coalitions_are_named() {
        let plan = Plan::draw(Estimator::Captum, GRID, 8, 0).unwrap();
        let error = explain(&plan, &mut [game], Solution::Exact).unwrap_err().to_string();
        assert!(
            error.contains("determine 12 attributions") && error.contains("at least 36"),
            "{error}"
        );
        assert!(solve(&plan, &[0.0; 3], Solution::Exact).is_err());
    }
}
