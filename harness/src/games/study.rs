//! How good is each estimator, measured on recorded games against their references?
//!
//! For estimator e, with r the pixel ratio of a trial and R that of the game's reference:
//!
//! ```text
//! bias      mean of r - R over games and repeats, with the 95 % interval over games
//! RMSE      square root of the mean of (r - R)^2
//! cells     RMSE of the attributions, relative to the largest of the reference, mean over trials
//! coverage  share of trials whose claimed 95 % interval contains R
//! ```
//!
//! One plan serves all recorded frames, so the trials of one plan err together. A reference of orders holds many plans: its disjoint
//! parts, where there are ten or more, are the trials of `permutation`, instead of what was recorded of it. They are part of what they are
//! held against, which takes k / n of the variance of their errors, k of n evaluations: 5 % for 1,000 of 20,000, so 2.4 % of the RMSE. Where a ratio can be corrected for what clipping makes of noise (`metrics::RatioError`), plain and corrected ratio are measured side by
//! side; the interval is that of the corrected one, and so is R. The reference has a standard error of its own, which is
//! stated: differences below it mean nothing.

mod lines;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use self::lines::Line;
use self::lines::lines_of;
use super::GameError;
use super::file::{Part, Recorded};
use crate::attribution::{
    AttributionError, Estimator, Map, Replicates, Solution, solve_with_error,
};
use crate::metrics::{RatioError, Shares};

/// With fewer parts of a reference, too much of each trial would be held against itself.
const FEWEST_PARTS: usize = 10;

/// The reference of a game.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reference {
    /// Picture, for people.
    pub picture: String,
    /// Estimator of the reference.
    pub estimator: &'static str,
    /// Evaluations.
    pub evaluations: usize,
    /// Pixel ratio, corrected where it can be.
    pub ratio: f64,
    /// Its standard error; 0 for exact values.
    pub standard_error: f64,
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
    /// Of the plain ratio.
    error: f64,
    /// Of the corrected one.
    corrected: Option<f64>,
    cells: f64,
    uncertainty: Option<Claim>,
}

#[derive(Clone, Copy)]
struct Claim {
    standard_error: f64,
    covered: bool,
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
    let mut plans: BTreeSet<&str> = BTreeSet::new();
    let mut trials: BTreeMap<(Estimator, usize), (Vec<Trial>, usize)> = BTreeMap::new();
    for (number, game) in games.iter().enumerate() {
        let Known { reference, phi, batches } = reference(game)?;
        let mut taken = BTreeSet::new();
        plans.extend(game.parts.iter().filter(|p| p.reference).map(|p| p.plan.hash()));
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
                let truth = Truth { game: number, ratio: reference.ratio, phi: &phi };
                let pairs = pairs_in(length, phi.len());
                let found = if part.plan.estimator() == Estimator::Permutation
                    && let Some(batches) =
                        batches.as_ref().filter(|b| b.len() >= FEWEST_PARTS * pairs)
                {
                    // repeats of a recorded plan do not make more of them
                    if !taken.insert(length) {
                        continue;
                    }
                    parts_of_reference(game, length, batches, &truth)
                } else {
                    vec![trial(game, part, length, &truth)?]
                };
                for trial in found {
                    match trial {
                        Some(trial) => entry.0.push(trial),
                        None => entry.1 += 1,
                    }
                }
            }
        }
        references.push(reference);
    }
    let lines = trials.into_iter().map(|((estimator, _), (trials, failed))| {
        let same = estimator == Estimator::Permutation && plans.len() == 1;
        lines_of(estimator, &trials, failed, same)
    });
    let (plain, corrected): (Vec<_>, Vec<_>) = lines.unzip();
    Ok(Study { references, lines: plain.into_iter().chain(corrected).flatten().collect() })
}

type Solved = (Map, Option<Replicates>);

fn solved(part: &Part, length: usize) -> Result<Option<Solved>, AttributionError> {
    match solve_with_error(&part.plan, &part.values[..length], Solution::Exact) {
        Ok(solved) => Ok(Some(solved)),
        Err(AttributionError::Singular { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// What a reference says.
struct Known {
    reference: Reference,
    phi: Vec<f64>,
    /// Of orders: what each with its reverse says alone.
    batches: Option<Vec<Vec<f64>>>,
}

fn reference(game: &Recorded) -> Result<Known, GameError> {
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
    let plain = game
        .shares
        .ratio(map.values())
        .ok_or_else(|| missing("positive attribution in the reference", "none"))?;
    let error = replicates
        .as_ref()
        .and_then(|r| RatioError::of(r, &game.shares))
        .ok_or_else(|| missing("a reference with a standard error", "a sample too small"))?;
    let reference = Reference {
        picture: game.about.picture.clone(),
        estimator: part.plan.estimator().name(),
        evaluations: part.values.len(),
        ratio: error.corrected(plain).unwrap_or(plain),
        standard_error: error.standard_error,
    };
    let batches = replicates.and_then(|r| r.batches());
    Ok(Known { reference, phi: map.values().to_vec(), batches })
}

/// What a trial is held against.
struct Truth<'a> {
    game: usize,
    ratio: f64,
    phi: &'a [f64],
}

fn trial(
    game: &Recorded,
    part: &Part,
    length: usize,
    truth: &Truth<'_>,
) -> Result<Option<Trial>, GameError> {
    let Some((map, replicates)) = solved(part, length)? else { return Ok(None) };
    let (positions, _) = part.plan.distinct();
    let forwards = positions[..length].iter().max().map_or(0, |top| top + 1);
    let sampled = replicates.as_ref();
    Ok(measured(map.values(), sampled, &game.shares, truth, (length, forwards)))
}

/// Orders with their reverses in so many evaluations of a game.
fn pairs_in(evaluations: usize, players: usize) -> usize {
    (evaluations.saturating_sub(2) / (2 * players.saturating_sub(1)).max(1)).max(1)
}

/// Trials of `length` evaluations from disjoint parts of a reference of orders.
fn parts_of_reference(
    game: &Recorded,
    length: usize,
    batches: &[Vec<f64>],
    truth: &Truth<'_>,
) -> Vec<Option<Trial>> {
    let pairs = pairs_in(length, truth.phi.len());
    let one = |part: &[Vec<f64>]| {
        // the coalitions of a part are nearly all distinct
        let spent = (length, length);
        match Replicates::of_batches(part) {
            Some(r) => measured(r.attributions(), Some(&r), &game.shares, truth, spent),
            None => measured(part.first()?, None, &game.shares, truth, spent),
        }
    };
    batches.chunks_exact(pairs).map(one).collect()
}

fn measured(
    phi: &[f64],
    replicates: Option<&Replicates>,
    shares: &Shares,
    truth: &Truth<'_>,
    (evaluations, forwards): (usize, usize),
) -> Option<Trial> {
    let ratio = shares.ratio(phi)?;
    let squares: f64 = phi.iter().zip(truth.phi).map(|(a, b)| (a - b) * (a - b)).sum();
    let largest = truth.phi.iter().fold(0.0_f64, |top, p| top.max(p.abs()));
    let sampling = replicates.and_then(|r| RatioError::of(r, shares));
    let uncertainty = sampling.map(|error| {
        let [low, high] = error.interval(ratio);
        let covered = (low..=high).contains(&truth.ratio);
        Claim { standard_error: error.standard_error, covered }
    });
    Some(Trial {
        game: truth.game,
        evaluations,
        forwards,
        error: ratio - truth.ratio,
        corrected: sampling.and_then(|e| e.corrected(ratio)).map(|c| c - truth.ratio),
        cells: (squares / phi.len() as f64).sqrt() / largest,
        uncertainty,
    })
}

#[cfg(test)]
mod tests {
    use super::super::file::About;
    use super::super::record::tests::{recorded, value};
    use super::super::record::{RecordSettings, record};
    use super::*;
    use crate::attribution::Grid;
    use crate::metrics::CellShare;

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
        let corrected = line("permutation, corrected", 180.0);
        assert!(corrected.coverage.unwrap().value > 0.8, "{corrected:?}");
        assert!(orders.coverage.is_none() && corrected.trials == 30, "{corrected:?}");
        assert!(corrected.bias.mean.abs() < captum.bias.mean.abs() / 2.0, "{corrected:?}");
        // a regression has nothing to correct with, and claims for its plain ratio
        assert!(captum.coverage.is_some());
        assert!(!study.lines.iter().any(|l| l.estimator == "captum, corrected"));
        // more evaluations, smaller error
        assert!(line("captum", 100.0).rmse > captum.rmse, "{:?}", study.lines);
    }

    /// 25 players, so that the reference is one of orders.
    pub(super) fn sampled(reference: usize) -> Recorded {
        let grid = Grid { rows: 5, columns: 5 };
        let about = About { grid, ..recorded(1, 60).about };
        let cell = |i| CellShare { all: 1.0, inside: if i < 6 { 1.0 } else { 0.0 } };
        let shares = Shares::from_cells((0..25).map(cell).collect());
        let settings = RecordSettings { frames: 1, reference, evaluations: 150, repeats: 3 };
        record(about, shares, settings, &mut [value]).unwrap()
    }

    #[test]
    fn a_long_reference_gives_the_trials_of_orders_and_a_short_one_does_not() {
        // an order with its reverse takes 48 evaluations: 62 in the reference, three in a trial
        let long = study(&[sampled(3000)], &[98]).unwrap();
        let trials = |found: &Study, name: &str, n: f64| {
            let of = |l: &&Line| l.estimator == name && (l.evaluations - n).abs() < 1.0;
            found.lines.iter().find(of).map(|l| l.trials)
        };
        assert_eq!(trials(&long, "permutation", 146.0), Some(20));
        assert_eq!(trials(&long, "permutation", 98.0), Some(31));
        assert_eq!(trials(&long, "permutation, corrected", 146.0), Some(20));
        assert_eq!(trials(&long, "permutation, corrected", 98.0), None);
        assert_eq!(trials(&long, "captum", 150.0), Some(3));
        let corrected =
            long.lines.iter().find(|l| l.estimator == "permutation, corrected").unwrap();
        assert!(corrected.coverage.unwrap().value > 0.7 && corrected.failed == 0, "{corrected:?}");
        // 20 in the reference are no ten trials of three: what was recorded is the trial
        let short = study(&[sampled(1000)], &[98]).unwrap();
        assert_eq!(trials(&short, "permutation", 146.0), Some(3));
        assert_eq!(trials(&short, "permutation", 98.0), Some(10));
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
