//! The coalition plans of a run: several, dealt out to the frames.
//!
//! One plan for all frames makes all ratios err together, and no number of frames takes that out of their mean: with 290
//! evaluations the mean ratio of a `ResNet50` had an error of 0.009 (one standard deviation) that the interval over frames does
//! not know (`docs/kernel-shap.md`). With K plans it is divided by the root of K.

use models::digest::sha256_hex;

use super::error::AttributionError;
use super::estimator::Estimator;
use super::plan::{Grid, Plan};

/// More would only fill the store.
const MOST: usize = 4096;
/// Apart from the seeds of people.
const STRIDE: u32 = 40;
/// How plans are dealt out; part of the hash, since it decides who gets which.
const DEALING: &str = "splitmix64";

/// Plans that were drawn alike, with seeds `seed + i 2^40`.
#[derive(Clone, Debug, PartialEq)]
pub struct Plans {
    plans: Vec<Plan>,
    hash: String,
}

impl Plans {
    /// Draws `count` plans, 1 to 4096; one if nothing is left to chance.
    ///
    /// # Errors
    /// As [`Plan::draw`], or for another count.
    pub fn draw(
        estimator: Estimator,
        grid: Grid,
        evaluations: usize,
        seed: u64,
        count: usize,
    ) -> Result<Self, AttributionError> {
        if !(1..=MOST).contains(&count) {
            return Err(AttributionError::mismatch(
                "number of coalition plans",
                format!("1 to {MOST}"),
                count.to_string(),
                "16 to 64 are plenty; 1 is the same for all frames",
            ));
        }
        let count = if estimator == Estimator::Exact { 1 } else { count };
        let seeds = (0_u64..).map(|i| seed.wrapping_add(i << STRIDE)).take(count);
        let plans: Vec<Plan> = seeds
            .map(|seed| Plan::draw(estimator, grid, evaluations, seed))
            .collect::<Result<_, _>>()?;
        let hash = match plans.as_slice() {
            [only] => only.hash().to_owned(),
            many => {
                let all: String =
                    [DEALING].into_iter().chain(many.iter().map(Plan::hash)).collect();
                sha256_hex(all.as_bytes())
            }
        };
        Ok(Self { plans, hash })
    }

    /// The plan of the frame at this position of the data set.
    #[must_use]
    pub fn of_frame(&self, position: u32) -> &Plan {
        let drawn = u128::from(mixed(u64::from(position))) * self.plans.len() as u128;
        &self.plans[usize::try_from(drawn >> 64).unwrap_or(0)]
    }

    /// All plans.
    #[must_use]
    pub fn all(&self) -> &[Plan] {
        &self.plans
    }

    /// sha256 of the way of dealing and of the plans' hashes in their order, hexadecimal; of a single plan its own hash.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// A number that looks drawn, whatever the distance between positions: splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
fn mixed(position: u64) -> u64 {
    let z = position.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DEALT_BY_THE_DESKTOP: [u64; 9] = [28, 13, 0, 31, 7, 15, 8, 7, 22];

    fn drawn(estimator: Estimator, count: usize) -> Result<Plans, AttributionError> {
        Plans::draw(estimator, Grid::default(), 98, 7, count)
    }

    #[test]
    fn one_plan_is_that_of_the_seed() {
        let plans = drawn(Estimator::Permutation, 1).unwrap();
        let plan = Plan::draw(Estimator::Permutation, Grid::default(), 98, 7).unwrap();
        assert_eq!(plans.hash(), plan.hash());
        assert!((0..100).all(|position| plans.of_frame(position) == &plan));
    }

    #[test]
    fn many_plans_differ_and_are_dealt_as_if_drawn_whatever_the_distance() {
        let plans = drawn(Estimator::Captum, 32).unwrap();
        let hashes: BTreeSet<&str> = plans.all().iter().map(Plan::hash).collect();
        assert_eq!(hashes.len(), 32);
        assert!(!hashes.contains(plans.hash()));
        for step in 1..500 {
            let dealt = (0..320).map(|i| plans.of_frame(i * step).seed());
            let mut count = std::collections::BTreeMap::new();
            dealt.for_each(|seed| *count.entry(seed).or_insert(0_u32) += 1);
            // ten each are expected; chi squared of 31 degrees of freedom passes 81 in one of 350,000 draws
            let missing = 100 * (32 - u32::try_from(count.len()).unwrap());
            let squares: u32 = count.values().map(|n| n.abs_diff(10).pow(2)).sum::<u32>() + missing;
            assert!(squares < 810, "{step}: {count:?}");
        }
    }

    /// The desktop deals by the same rule (`models/desktop/tests/test_reference.py` has these numbers).
    #[test]
    fn dealing_is_what_the_desktop_does() {
        let plans = drawn(Estimator::Permutation, 32).unwrap();
        let dealt = [0, 1, 2, 3, 8, 16, 81, 82, 819].map(|at| plans.of_frame(at).seed() >> STRIDE);
        assert_eq!(dealt, DEALT_BY_THE_DESKTOP);
    }

    #[test]
    fn what_leaves_nothing_to_chance_has_one_plan() {
        let small = Grid { rows: 2, columns: 3 };
        let plans = Plans::draw(Estimator::Exact, small, 0, 1, 32).unwrap();
        assert_eq!(plans.all().len(), 1);
    }

    #[test]
    fn a_count_out_of_range_is_refused() {
        for count in [0, MOST + 1] {
            let error = drawn(Estimator::Permutation, count).unwrap_err().to_string();
            assert!(error.contains("1 to 4096"), "{error}");
        }
    }
}
