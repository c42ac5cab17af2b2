//! Recording a game: a long reference, then every estimator at the number of evaluations of interest.

use serde::{Deserialize, Serialize};

use super::file::{About, Part, Recorded};
use crate::attribution::{AttributionError, Estimator, Evaluator, Game, Plan};
use crate::metrics::Shares;

/// The estimators that are compared.
const COMPARED: [Estimator; 4] =
    [Estimator::Captum, Estimator::Paired, Estimator::Leverage, Estimator::Permutation];
/// Keeps the reference's draws apart from those of the compared parts.
const REFERENCE_SEED: u64 = 1 << 32;

/// What is recorded of each picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordSettings {
    /// Frames whose games are recorded, the first ones of the run; 0 records none.
    pub frames: usize,
    /// Evaluations of the reference: antithetic permutations, or all coalitions where there are at most
    /// 20 super-pixels.
    pub reference: usize,
    /// Evaluations of each compared part.
    pub evaluations: usize,
    /// Parts of each estimator, with seeds 1, 2, ...
    pub repeats: u32,
}

impl Default for RecordSettings {
    fn default() -> Self {
        Self { frames: 0, reference: 20_000, evaluations: 1000, repeats: 1 }
    }
}

/// Values all coalitions of the study.
///
/// # Errors
/// If a plan cannot be drawn or the game fails.
pub fn record<G: Game>(
    about: About,
    shares: Shares,
    settings: RecordSettings,
    workers: &mut [G],
) -> Result<Recorded, AttributionError> {
    let grid = about.grid;
    let all = Plan::draw(Estimator::Exact, grid, 0, 0);
    let reference = match all {
        Ok(plan) => plan,
        Err(_) => Plan::draw(Estimator::Permutation, grid, settings.reference, REFERENCE_SEED)?,
    };
    let mut parts = vec![part(reference, settings.reference, true, workers)?];
    for estimator in COMPARED {
        for seed in 1..=u64::from(settings.repeats) {
            let plan = Plan::draw(estimator, grid, settings.evaluations, seed)?;
            parts.push(part(plan, settings.evaluations, false, workers)?);
        }
    }
    Ok(Recorded { about, shares, parts })
}

fn part<G: Game>(
    plan: Plan,
    evaluations: usize,
    reference: bool,
    workers: &mut [G],
) -> Result<Part, AttributionError> {
    let mut evaluator = Evaluator::new(&plan);
    evaluator.extend(plan.coalitions().len(), workers)?;
    let values = evaluator.values().to_vec();
    Ok(Part { plan, evaluations, reference, values })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::attribution::{Baseline, Coalition, Grid, Output};
    use crate::metrics::CellShare;

    /// A game of 16 players whose Shapley values are known: every player its worth, a pair that
    /// interacts, and a soft threshold.
    pub(in crate::games) fn value(c: &Coalition) -> f64 {
        let worth: f64 = c.members().map(|i| if i < 5 { 6.0 } else { (i % 3) as f64 - 1.0 }).sum();
        let pair = if c.contains(0) && c.contains(9) { 2.0 } else { 0.0 };
        10.0 / (1.0 + (-(worth + pair - 12.0) / 4.0).exp())
    }

    pub(in crate::games) fn recorded(repeats: u32, evaluations: usize) -> Recorded {
        let about = About {
            picture: "made up".to_owned(),
            image_hash: "00".to_owned(),
            network: "formula".to_owned(),
            network_hash: "11".to_owned(),
            target: 3,
            output: Output::Logit,
            baseline: Baseline::Zero,
            grid: Grid { rows: 4, columns: 4 },
        };
        let cell = |i| CellShare { all: 1.0, inside: if i < 6 { 1.0 } else { 0.0 } };
        let shares = Shares::from_cells((0..16).map(cell).collect());
        let settings = RecordSettings { frames: 1, reference: 500, evaluations, repeats };
        record(about, shares, settings, &mut [value, value]).unwrap()
    }

    #[test]
    fn small_games_have_exact_values_as_reference() {
        let game = recorded(2, 150);
        assert_eq!(game.parts.len(), 1 + 4 * 2);
        assert_eq!(game.parts[0].plan.estimator(), Estimator::Exact);
        assert!(game.parts[0].reference && game.parts[1..].iter().all(|p| !p.reference));
        assert_eq!(game.parts[0].values.len(), 1 << 16);
    }
}
