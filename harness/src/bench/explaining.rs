//! What a forward pass of Kernel SHAP costs beside a plain classification.
//!
//! Both take turns on one thread, each first in every other pair, so that whatever else runs on the machine slows
//! both alike. The median ratio of neighbours is then the cost of composing the masked picture and of reading the
//! logits. Plain classifications leave the feature map where it is, as forward passes of Kernel SHAP do.

use models::Classifier;
use serde::Serialize;

use super::BenchError;
use crate::attribution::{Coalition, Game as _, MaskedPicture, Output, PictureGame};
use crate::clock::Clock;
use crate::stats::percentile;

/// A median with the order statistics that enclose it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Median {
    /// The median.
    pub value: f64,
    /// Values of the ranks n/2 -+ 0.98 sqrt(n), which enclose it with a confidence of 95 %.
    pub ci95: [f64; 2],
    /// Values.
    pub n: usize,
}

impl Median {
    /// The median of some values; none of no values, or of one that is not a number.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let half_width = 0.98 / (values.len() as f64).sqrt();
        let at = |share: f64| percentile(values, share.clamp(0.0, 1.0));
        let ci95 = [at(0.5 - half_width)?, at(0.5 + half_width)?];
        Some(Self { value: at(0.5)?, ci95, n: values.len() })
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShapCost {
    /// One plain classification, milliseconds.
    pub classification_ms: Median,
    /// One forward pass of Kernel SHAP, masking included, milliseconds.
    pub kernel_shap_ms: Median,
    /// The second by the first, pair by pair.
    pub ratio: Median,
}

/// Measure `pairs` pairs after `warm_up` that are not counted. Coalitions come in the order of their plan, and again
/// from its start.
///
/// # Errors
/// If the network fails, or there is nothing to measure.
pub fn shap_cost<C: Classifier>(
    (plain, input): (&mut C, &[f32]),
    (explaining, picture): (&mut C, &MaskedPicture),
    coalitions: &[&Coalition],
    (warm_up, pairs): (usize, usize),
    clock: Clock,
) -> Result<ShapCost, BenchError> {
    let mut game = PictureGame::new(picture, explaining, 0, Output::Logit);
    let (mut classify, mut explain, mut ratio) = (vec![], vec![], vec![]);
    for (number, coalition) in (0..warm_up + pairs).zip(coalitions.iter().cycle()) {
        let mut classified = || clock.time(|| plain.logits(input));
        let mut explained = || clock.time(|| game.value(coalition));
        let ((logits, a), (value, b)) = if number % 2 == 0 {
            let first = classified();
            (first, explained())
        } else {
            let first = explained();
            (classified(), first)
        };
        logits?;
        value?;
        if number >= warm_up {
            let ms = |micros: u64| micros as f64 / 1000.0;
            classify.push(ms(a.0));
            explain.push(ms(b.0));
            // a pass below the resolution of the clock counts as its smallest step
            ratio.push(b.0.max(1) as f64 / a.0.max(1) as f64);
        }
    }
    let median = |values: &[f64]| {
        Median::of(values).ok_or_else(|| BenchError::Nothing {
            expected: "at least one pair of passes",
            found: "none".to_owned(),
        })
    };
    Ok(ShapCost {
        classification_ms: median(&classify)?,
        kernel_shap_ms: median(&explain)?,
        ratio: median(&ratio)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Sleepy;
    use super::*;
    use crate::attribution::{Estimator, Grid, Plan};

    #[test]
    fn a_median_has_the_order_statistics_beside_it() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let median = Median::of(&values).unwrap();
        assert_eq!((median.value, median.n), (50.0, 100));
        // ranks 50 - 9.8 and 50 + 9.8, rounded up
        assert_eq!(median.ci95, [41.0, 60.0]);
        assert_eq!(Median::of(&[]), None);
    }

    #[test]
    fn every_pair_is_one_pass_of_each_and_the_slower_one_shows() {
        let (input, grid) = (vec![1.0; 3 * 64], Grid { rows: 2, columns: 2 });
        let picture = MaskedPicture::new(input.clone(), vec![0.0; 3 * 64], (8, 8), grid).unwrap();
        let plan = Plan::draw(Estimator::Permutation, grid, 12, 1).unwrap();
        let (_, coalitions) = plan.distinct();
        let (mut fast, mut slow) = (Sleepy::new(2, 0), Sleepy::new(12, 0));
        let clock = Clock::start();
        let sides = ((&mut fast, &input[..]), (&mut slow, &picture));
        let cost = shap_cost(sides.0, sides.1, &coalitions, (2, 9), clock).unwrap();
        assert_eq!((fast.calls, slow.calls, cost.ratio.n), (11, 11, 9));
        assert!(cost.ratio.value > 1.0, "{cost:?}");
        let none = shap_cost((&mut fast, &input), (&mut slow, &picture), &[], (0, 5), clock);
        assert!(none.is_err());
    }
}
