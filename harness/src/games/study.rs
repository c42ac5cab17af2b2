//! How good is each estimator, measured on recorded games against their references?
//!
//! For estimator e, with r the pixel ratio of a trial and R that of the game's reference:
//!
//! ```text
//! bias      mean of r - R over games and repeats, with the standard error over games
//! RMSE      square root of the mean of (r - R)^2
//! cells     RMSE of the attributions, relative to the largest of the reference, mean over trials
//! coverage  share of trials whose claimed 95 % interval contains R
//! ```
//!
//! The reference has a standard error of its own, which is stated: differences below it mean nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::GameError;
use super::file::{Part, Recorded};
use crate::attribution::{
    AttributionError, Estimator, Map, Replicates, Solution, solve_with_error,
};
use crate::metrics::RatioError;
use crate::stats::{self, MeanInterval, ShareInterval};

/// The reference of a game.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reference {
    /// Picture, for people.
    pub picture: String,
    /// Estimator of the reference.
    pub estimator: &'static str,
    /// Evaluations.
    pub evaluations: usize,
    /// Pixel ratio.
    pub ratio: f64,
    /// Its standard error; 0 for exact values.
    pub standard_error: f64,
}

/// An estimator at a number of evaluations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Estimator.
    pub estimator: &'static str,
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
    /// Share of trials whose plain and cross-fit ratio enclose the reference, where there is a cross-fit ratio.
    pub enclosed: Option<ShareInterval>,
    /// Trials that have no ratio or could not be solved; they are in none of the means.
    pub failed: usize,
}

/// All lines and references.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Study {
    /// References, game by game.
    pub references: Vec<Reference>,
    /// By estimator, then by evaluations.
    pub lines: Vec<Line>,
}

struct Trial {
    game: usize,
    evaluations: usize,
    forwards: usize,
    error: f64,
    cells: f64,
    uncertainty: Option<Claim>,
}

struct Claim {
    standard_error: f64,
    covered: bool,
    enclosed: Option<bool>,
}

/// Measures every estimator of the games at these numbers of evaluations, and at all that were recorded. A
/// number that is not at the end of a part is looked at where the estimator's plan can end early.
///
/// # Errors
/// If there is no game, a game has no reference, or a reference has no ratio.
pub fn study(games: &[Recorded], at: &[usize]) -> Result<Study, GameError> {
    if games.is_empty() {
        return Err(GameError::Study {
            place: "study".to_owned(),
            expected: "at least one game".to_owned(),
            found: "none".to_owned(),
            remedy: "record some with `roadgaze run --record-game N`".to_owned(),
        });
    }
    let mut references = Vec::new();
    let mut trials: BTreeMap<(Estimator, usize), (Vec<Trial>, usize)> = BTreeMap::new();
    for (number, game) in games.iter().enumerate() {
        let (reference, phi) = reference(game)?;
        for part in game.parts.iter().filter(|p| !p.reference) {
            let whole = part.values.len();
            let lengths: BTreeSet<usize> = at
                .iter()
                .map(|&n| part.plan.beginning(n))
                .filter(|&n| n < whole)
                .chain([whole])
                .collect();
            for length in lengths {
                let entry = trials.entry((part.plan.estimator(), length)).or_default();
                match trial(game, number, part, length, reference.ratio, &phi)? {
                    Some(trial) => entry.0.push(trial),
                    None => entry.1 += 1,
                }
            }
        }
        references.push(reference);
    }
    let lines = trials
        .into_iter()
        .filter_map(|((estimator, _), (trials, failed))| line(estimator, &trials, failed))
        .collect();
    Ok(Study { references, lines })
}

type Solved = (Map, Option<Replicates>);

fn solved(part: &Part, length: usize) -> Result<Option<Solved>, AttributionError> {
    match solve_with_error(&part.plan, &part.values[..length], Solution::Exact) {
        Ok(solved) => Ok(Some(solved)),
        Err(AttributionError::Singular { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn reference(game: &Recorded) -> Result<(Reference, Vec<f64>), GameError> {
    let missing = |expected: &str, found: &str| GameError::Study {
        place: game.about.picture.clone(),
        expected: expected.to_owned(),
        found: found.to_owned(),
        remedy: "record it again, or leave this game out".to_owned(),
    };
    let part = game
        .parts
        .iter()
        .find(|p| p.reference)
        .ok_or_else(|| missing("a reference in the game", "none"))?;
    let (map, replicates) = solved(part, part.values.len())?
        .ok_or_else(|| missing("a reference that determines the attributions", "too few values"))?;
    let ratio = game
        .shares
        .ratio(map.values())
        .ok_or_else(|| missing("positive attribution in the reference", "none"))?;
    let error = replicates
        .and_then(|r| RatioError::of(&r, &game.shares))
        .ok_or_else(|| missing("a reference with a standard error", "a sample too small"))?;
    let reference = Reference {
        picture: game.about.picture.clone(),
        estimator: part.plan.estimator().name(),
        evaluations: part.values.len(),
        ratio,
        standard_error: error.standard_error,
    };
    Ok((reference, map.values().to_vec()))
}

fn trial(
    game: &Recorded,
    number: usize,
    part: &Part,
    length: usize,
    truth: f64,
    phi: &[f64],
) -> Result<Option<Trial>, GameError> {
    let Some((map, replicates)) = solved(part, length)? else { return Ok(None) };
    let Some(ratio) = game.shares.ratio(map.values()) else { return Ok(None) };
    let squares: f64 = map.values().iter().zip(phi).map(|(a, b)| (a - b) * (a - b)).sum();
    let largest = phi.iter().fold(0.0_f64, |top, p| top.max(p.abs()));
    let uncertainty = replicates.and_then(|r| RatioError::of(&r, &game.shares)).map(|error| {
        let inside = |low: f64, high: f64| (low..=high).contains(&truth);
        let [low, high] = error.interval(ratio);
        Claim {
            standard_error: error.standard_error,
            covered: inside(low, high),
            enclosed: error.cross_fit.map(|c| inside(ratio.min(c), ratio.max(c))),
        }
    });
    let (positions, _) = part.plan.distinct();
    Ok(Some(Trial {
        game: number,
        evaluations: length,
        forwards: positions[..length].iter().max().map_or(0, |top| top + 1),
        error: ratio - truth,
        cells: (squares / phi.len() as f64).sqrt() / largest,
        uncertainty,
    }))
}

fn line(estimator: Estimator, trials: &[Trial], failed: usize) -> Option<Line> {
    let n = trials.len() as f64;
    let mean = |f: &dyn Fn(&Trial) -> f64| trials.iter().map(f).sum::<f64>() / n;
    let mut by_game: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for trial in trials {
        by_game.entry(trial.game).or_default().push(trial.error);
    }
    let errors: Vec<f64> =
        by_game.values().map(|e| e.iter().sum::<f64>() / e.len() as f64).collect();
    let claims: Vec<&Claim> = trials.iter().filter_map(|t| t.uncertainty.as_ref()).collect();
    let enclosed: Vec<bool> = claims.iter().filter_map(|c| c.enclosed).collect();
    let covered = claims.iter().filter(|c| c.covered).count();
    let claimed = claims.iter().map(|c| c.standard_error).sum::<f64>() / claims.len() as f64;
    Some(Line {
        estimator: estimator.name(),
        evaluations: mean(&|t| t.evaluations as f64),
        forwards: mean(&|t| t.forwards as f64),
        games: by_game.len(),
        trials: trials.len(),
        bias: stats::mean_interval(&errors)?,
        rmse: mean(&|t| t.error * t.error).sqrt(),
        cells: mean(&|t| t.cells),
        claimed: (!claims.is_empty()).then_some(claimed),
        coverage: stats::wilson(covered, claims.len()),
        enclosed: stats::wilson(enclosed.iter().filter(|e| **e).count(), enclosed.len()),
        failed,
    })
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::recorded;
    use super::*;

    #[test]
    fn the_study_finds_the_bias_of_captum_and_none_of_orders() {
        let games = [recorded(30, 200)];
        let study = study(&games, &[100]).unwrap();
        assert_eq!(study.references.len(), 1);
        assert_eq!(study.references[0].estimator, "exact");
        assert!(study.references[0].standard_error == 0.0);
        let line = |name: &str, n: f64| {
            study.lines.iter().find(|l| l.estimator == name && l.evaluations >= n).unwrap()
        };
        let (captum, orders) = (line("captum", 200.0), line("permutation", 180.0));
        assert_eq!((captum.trials, captum.games, captum.failed), (30, 1, 0));
        assert!(captum.forwards < captum.evaluations);
        assert!(captum.bias.mean < -0.005, "{captum:?}");
        assert!(orders.bias.mean.abs() < captum.bias.mean.abs() / 2.0, "{orders:?}");
        assert!(orders.coverage.unwrap().value > 0.8, "{orders:?}");
        assert!(captum.enclosed.is_none());
        // more evaluations, smaller error
        assert!(line("captum", 100.0).rmse > captum.rmse, "{:?}", study.lines);
    }

    #[test]
    fn games_without_reference_are_refused_by_name() {
        let mut game = recorded(1, 100);
        game.parts.remove(0);
        let error = study(&[game], &[]).unwrap_err().to_string();
        assert!(error.contains("made up: expected a reference"), "{error}");
        assert!(study(&[], &[]).unwrap_err().to_string().contains("at least one game"));
    }
}
