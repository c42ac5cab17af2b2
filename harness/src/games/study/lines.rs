//! What the trials of an estimator say together: bias, errors, coverage, and what one plan does to all games alike.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Claim, FEWEST_PARTS, Trial};
use crate::attribution::Estimator;
use crate::stats::{self, MeanInterval, ShareInterval};

/// An estimator at a number of evaluations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Estimator, `, corrected` behind it where the ratios are.
    pub estimator: String,
    /// Mean evaluations, repeats of coalitions included.
    pub evaluations: f64,
    /// Mean forward passes: distinct coalitions.
    pub forwards: f64,
    /// Games, and trials in all.
    pub games: usize,
    /// Games times repeats.
    pub trials: usize,
    /// Mean error of the ratio of each game over its repeats, then mean and interval over games.
    pub bias: MeanInterval,
    /// Root of the mean squared error of the ratio.
    pub rmse: f64,
    /// Error of the attributions relative to the largest.
    pub cells: f64,
    /// Mean standard error that the trials claim.
    pub claimed: Option<f64>,
    /// Share of trials whose claimed interval contains the reference.
    pub coverage: Option<ShareInterval>,
    /// Standard deviation of what one plan does to the ratios of all games alike, where the trials of all games are of the same plans:
    /// it stays in a mean, however many frames follow that plan.
    pub shared: Option<f64>,
    /// Trials that have no ratio or could not be solved; they are in none of the means.
    pub failed: usize,
}

/// The line of the plain ratios and that of the corrected ones; the interval belongs to the latter where there are any.
pub(super) fn lines_of(
    estimator: Estimator,
    trials: &[Trial],
    failed: usize,
    same_plans: bool,
) -> (Option<Line>, Option<Line>) {
    let errors = |of: fn(&Trial) -> Option<f64>| -> Vec<(&Trial, f64)> {
        trials.iter().filter_map(|t| Some((t, of(t)?))).collect()
    };
    let corrected = errors(|t| t.corrected);
    let claims = |wanted: bool| -> Vec<Claim> {
        let of = trials.iter().filter(|t| t.corrected.is_some() == wanted);
        of.filter_map(|t| t.uncertainty).collect()
    };
    let name = estimator.name();
    let all = errors(|t| Some(t.error));
    let lost = if corrected.is_empty() { failed } else { failed + trials.len() - corrected.len() };
    let with_shared = |line: Option<Line>, errors: &[(&Trial, f64)]| {
        line.map(|line| Line { shared: shared(errors).filter(|_| same_plans), ..line })
    };
    (
        with_shared(line(name.to_owned(), &all, &claims(false), failed), &all),
        with_shared(
            line(format!("{name}, corrected"), &corrected, &claims(true), lost),
            &corrected,
        ),
    )
}

/// With C the mean covariance of the errors of two games over the plans, the root of C:
///
/// ```text
/// C = (G var(mean over games) - mean of var) / (G - 1)
/// ```
///
/// of G games, each with as many trials, of the same plans in the same order.
fn shared(errors: &[(&Trial, f64)]) -> Option<f64> {
    let mut games: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (trial, error) in errors {
        games.entry(trial.game).or_default().push(*error);
    }
    let plans = games.values().next()?.len();
    if games.len() < 2 || plans < FEWEST_PARTS || games.values().any(|e| e.len() != plans) {
        return None;
    }
    let variance = |values: &[f64]| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0)
    };
    let count = games.len() as f64;
    let means: Vec<f64> = (0..plans)
        .map(|plan| games.values().map(|errors| errors[plan]).sum::<f64>() / count)
        .collect();
    let single = games.values().map(|e| variance(e)).sum::<f64>() / count;
    let covariance = (count * variance(&means) - single) / (count - 1.0);
    Some(covariance.max(0.0).sqrt())
}

/// `errors` holds the error of the ratio of each trial.
fn line(
    estimator: String,
    errors: &[(&Trial, f64)],
    claims: &[Claim],
    failed: usize,
) -> Option<Line> {
    let n = errors.len() as f64;
    let mean = |f: &dyn Fn(&Trial) -> f64| errors.iter().map(|(t, _)| f(t)).sum::<f64>() / n;
    let mut by_game: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (trial, error) in errors {
        by_game.entry(trial.game).or_default().push(*error);
    }
    let of_games: Vec<f64> =
        by_game.values().map(|e| e.iter().sum::<f64>() / e.len() as f64).collect();
    let covered = claims.iter().filter(|c| c.covered).count();
    let claimed = claims.iter().map(|c| c.standard_error).sum::<f64>() / claims.len() as f64;
    Some(Line {
        estimator,
        evaluations: mean(&|t| t.evaluations as f64),
        forwards: mean(&|t| t.forwards as f64),
        games: by_game.len(),
        trials: errors.len(),
        bias: stats::mean_interval(&of_games)?,
        rmse: (errors.iter().map(|(_, e)| e * e).sum::<f64>() / n).sqrt(),
        cells: mean(&|t| t.cells),
        claimed: (!claims.is_empty()).then_some(claimed),
        coverage: stats::wilson(covered, claims.len()),
        shared: None,
        failed,
    })
}

#[cfg(test)]
mod tests {
    use super::super::study;
    use super::super::tests::sampled;
    use super::*;
    use crate::games::Recorded;

    #[test]
    fn what_a_plan_does_to_all_games_alike_is_told_apart() {
        let of = |games: &[Recorded]| {
            let found = study(games, &[]).unwrap();
            let line = found.lines.into_iter().find(|l| l.estimator == "permutation, corrected");
            line.map(|l| (l.shared, l.rmse)).unwrap()
        };
        assert_eq!(of(&[sampled(3000)]).0, None, "one game shares with none");
        // the same game four times: all of the error is shared
        let (shared, rmse) = of(&std::array::from_fn::<_, 4, _>(|_| sampled(3000)));
        assert!((shared.unwrap() / rmse - 1.0).abs() < 0.1, "{shared:?} {rmse}");
        // errors that go up and down in turns, game against game: none of it
        let trial = |game| Trial {
            game,
            evaluations: 1,
            forwards: 1,
            error: 0.0,
            corrected: None,
            cells: 0.0,
            uncertainty: None,
        };
        let (a, b) = (trial(0), trial(1));
        let sign = |i: i32| if i % 2 == 0 { 1.0 } else { -1.0 };
        let against: Vec<(&Trial, f64)> =
            (0..20).flat_map(|i| [(&a, sign(i)), (&b, -sign(i))]).collect();
        assert_eq!(super::shared(&against), Some(0.0));
    }
}
