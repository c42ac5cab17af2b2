//! Kernel SHAP and its relatives: from the values of a plan's coalitions to a map.
//!
//! Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", arXiv 1705.07874.

use models::Classifier;
use serde::{Deserialize, Serialize};

use super::error::AttributionError;
use super::game::{Evaluator, Game};
use super::map::Map;
use super::picture::{MaskedPicture, Output, PictureGame};
use super::plan::Plan;
use super::replicates::Replicates;

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
    /// Coalitions that were used, repeats included.
    pub evaluations: usize,
    /// Forward passes: distinct coalitions.
    pub forwards: usize,
    /// What leaving single units of the sample out changes; none if the sample is too small to tell.
    pub replicates: Option<Replicates>,
}

/// When an explanation may end before its plan does.
pub struct Stop<'a> {
    /// Evaluations before the first look.
    pub least: usize,
    /// Whether what is known is good enough.
    pub enough: &'a mut dyn FnMut(&Explanation) -> bool,
}

impl std::fmt::Debug for Stop<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stop").field("least", &self.least).finish_non_exhaustive()
    }
}

impl Stop<'_> {
    /// Refuses plans of which no beginning is a plan by itself.
    ///
    /// # Errors
    /// For the estimators `leverage` and `exact`.
    pub fn check(plan: &Plan) -> Result<(), AttributionError> {
        if plan.beginning(1) < plan.coalitions().len() || plan.coalitions().len() <= 4 {
            return Ok(());
        }
        Err(AttributionError::mismatch(
            "early stop",
            "an estimator whose plan can end early: permutation, paired or captum",
            plan.estimator().name(),
            "choose another estimator, or give no precision",
        ))
    }
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
    let mut evaluator = Evaluator::new(plan);
    evaluator.extend(plan.coalitions().len(), workers)?;
    finish(plan, &evaluator, solution)
}

/// Explains a game along a plan until what is known is enough, or the plan is at its end.
///
/// Looks are taken at beginnings of the plan, each a quarter longer than the one before, so the result
/// does not depend on speed or threads. A beginning that does not yet determine the attributions is
/// not enough.
///
/// # Errors
/// As [`explain`], and for plans that [`Stop::check`] refuses.
pub fn explain_until<G: Game>(
    plan: &Plan,
    workers: &mut [G],
    solution: Solution,
    stop: &mut Stop<'_>,
) -> Result<Explanation, AttributionError> {
    Stop::check(plan)?;
    let mut evaluator = Evaluator::new(plan);
    let whole = plan.coalitions().len();
    let mut length = plan.beginning(stop.least);
    loop {
        evaluator.extend(length, workers)?;
        let known = finish(plan, &evaluator, solution);
        if length >= whole {
            return known;
        }
        match known {
            Ok(explanation) if (stop.enough)(&explanation) => return Ok(explanation),
            Ok(_) | Err(AttributionError::Singular { .. }) => {}
            Err(other) => return Err(other),
        }
        length = plan.beginning(length + (length / 4).max(1));
    }
}

fn finish(
    plan: &Plan,
    evaluator: &Evaluator<'_>,
    solution: Solution,
) -> Result<Explanation, AttributionError> {
    let values = evaluator.values();
    let (map, replicates) = solve_with_error(plan, values, solution)?;
    Ok(Explanation {
        map,
        full: values[0],
        empty: values[1],
        evaluations: values.len(),
        forwards: evaluator.forwards(),
        replicates,
    })
}

/// Attributions from recorded values: one for each coalition of the plan, or of a beginning that is a
/// plan by itself.
///
/// # Errors
/// If their number does not fit, or they leave the attributions undetermined.
pub fn solve(plan: &Plan, values: &[f64], solution: Solution) -> Result<Map, AttributionError> {
    let n = values.len();
    if n <= 2 || plan.beginning(n) != n {
        return Err(AttributionError::mismatch(
            "plan",
            format!("{} values, or whole units of them", plan.coalitions().len()),
            n.to_string(),
            "draw or record it again",
        ));
    }
    let phi = plan.estimator().rule().solve(plan.sample(values), solution)?;
    let grid = plan.grid();
    Map::new(grid.rows, grid.columns, phi).ok_or_else(|| {
        let expected = format!("{} attributions", plan.players());
        AttributionError::mismatch("plan", expected, "another number", "draw or record it again")
    })
}

/// The same with what leaving single units of the sample out changes.
///
/// # Errors
/// As [`solve`].
pub fn solve_with_error(
    plan: &Plan,
    values: &[f64],
    solution: Solution,
) -> Result<(Map, Option<Replicates>), AttributionError> {
    let map = solve(plan, values, solution)?;
    let replicates = plan.estimator().rule().replicates(plan.sample(values), map.values())?;
    Ok((map, replicates))
}

/// Explains the output of a class for a picture, on as many threads as there are sessions; until the
/// end of the plan, or until it is enough.
///
/// # Errors
/// If the network fails, has no such class, or the plan does not determine the attributions.
pub fn kernel_shap<C: Classifier>(
    plan: &Plan,
    picture: &MaskedPicture,
    target: usize,
    output: Output,
    solution: Solution,
    stop: Option<&mut Stop<'_>>,
    sessions: &mut [C],
) -> Result<Explanation, AttributionError> {
    let mut workers: Vec<_> = sessions
        .iter_mut()
        .map(|session| PictureGame::new(picture, session, target, output))
        .collect();
    match stop {
        Some(stop) => explain_until(plan, &mut workers, solution, stop),
        None => explain(plan, &mut workers, solution),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::coalition::Coalition;
    use crate::attribution::estimator::Estimator;
    use crate::attribution::plan::Grid;
    use crate::attribution::shapley;

    const DRAWN: [Estimator; 4] =
        [Estimator::Captum, Estimator::Paired, Estimator::Leverage, Estimator::Permutation];

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
        let errors: Vec<f64> =
            DRAWN.iter().map(|&e| distance(&estimate(e, 40_000, 1), &exact)).collect();
        assert!(errors.iter().all(|&e| e < 0.15), "{errors:?}");
        // without repeats, all 4,096 coalitions of 12 players are there: nothing is left to chance
        assert!(errors[2] < 1e-9, "{errors:?}");
    }

    #[test]
    fn the_sum_is_exact_at_any_number_of_evaluations() {
        let span = game(&Coalition::full(12)) - game(&Coalition::empty(12));
        for estimator in DRAWN {
            for evaluations in [60, 200, 2000] {
                let map = estimate(estimator, evaluations, 9);
                assert!((map.sum() - span).abs() < 1e-9, "{estimator:?} {evaluations}");
            }
        }
    }

    #[test]
    fn an_additive_game_is_solved_exactly_by_every_estimator() {
        let additive = |c: &Coalition| 2.0 + c.members().map(|i| i as f64 - 4.0).sum::<f64>();
        for estimator in Estimator::ALL {
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
    fn the_claimed_error_is_the_scatter_over_seeds() {
        let exact = shapley::exact_shapley(12, game).unwrap();
        let seeds = 60;
        for estimator in DRAWN {
            let (mut scatter, mut claimed) = (0.0, 0.0);
            for seed in 0..seeds {
                let plan = Plan::draw(estimator, GRID, 400, seed).unwrap();
                let explanation = explain(&plan, &mut [game], Solution::Exact).unwrap();
                let errors = explanation.replicates.unwrap().errors();
                for ((phi, exact), error) in explanation.map.values().iter().zip(&exact).zip(errors)
                {
                    scatter += (phi - exact).powi(2);
                    claimed += error.powi(2);
                }
            }
            let ratio = (claimed / scatter).sqrt();
            // 720 values of which those of one seed depend on each other
            assert!((0.85..1.2).contains(&ratio), "{estimator:?}: {ratio}");
        }
    }

    #[test]
    fn an_explanation_may_end_early_and_is_then_that_of_the_shorter_plan() {
        for estimator in [Estimator::Captum, Estimator::Paired, Estimator::Permutation] {
            let plan = Plan::draw(estimator, GRID, 2000, 5).unwrap();
            let mut looks = 0;
            let mut enough = |e: &Explanation| {
                looks += 1;
                e.replicates.as_ref().is_some_and(|r| r.errors().iter().all(|e| *e < 0.6))
            };
            let mut stop = Stop { least: 100, enough: &mut enough };
            let early =
                explain_until(&plan, &mut [game, game], Solution::Exact, &mut stop).unwrap();
            assert!(early.evaluations < 2000 && looks > 0, "{estimator:?} {}", early.evaluations);
            let shorter = Plan::draw(estimator, GRID, early.evaluations, 5).unwrap();
            assert_eq!(explain(&shorter, &mut [game], Solution::Exact).unwrap(), early);
            let mut never = |_: &Explanation| false;
            let mut stop = Stop { least: 100, enough: &mut never };
            let whole = explain_until(&plan, &mut [game], Solution::Exact, &mut stop).unwrap();
            assert_eq!(whole, explain(&plan, &mut [game], Solution::Exact).unwrap());
        }
        let plan = Plan::draw(Estimator::Leverage, GRID, 200, 5).unwrap();
        assert!(
            Stop::check(&plan).unwrap_err().to_string().contains("permutation, paired or captum")
        );
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
