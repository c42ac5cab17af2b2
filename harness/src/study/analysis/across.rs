//! One number a training, over the seeds: their mean by Student's t, and how far the single ones lie apart.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::mean;
use crate::stats::MeanInterval;
use crate::study::cell::NetworkFacts;
use crate::study::finding::Item;

/// Why several trainings say nothing yet.
pub(super) const WAITS: &str = "needs two seeds or more whose cells are complete";

/// Whether two networks are trainings of one recipe, whatever their seeds: architecture, number format, training set and strength
/// of the correlation.
pub(super) fn is_of_recipe(a: &NetworkFacts, b: &NetworkFacts) -> bool {
    a.architecture == b.architecture
        && a.precision == b.precision
        && a.train == b.train
        && a.strength == b.strength
}

/// `resnet50 (int8-qdq), CF`; with the strength of the correlation where it is not that of the set.
pub(super) fn recipe_name(network: &NetworkFacts) -> String {
    let NetworkFacts { architecture, precision, train, strength, .. } = network;
    let strength = strength.map(|s| format!(" at strength {s:.2}")).unwrap_or_default();
    format!("{architecture} ({precision}), {train}{strength}")
}

/// A comparison of networks that may have been trained with several seeds.
pub(super) trait Training {
    /// Whether both ask the same of one recipe, so that they are trainings of it.
    fn is_training_of(&self, other: &Self) -> bool;

    /// The seed of all networks in it, if somebody tells that of each.
    fn seed(&self) -> Option<u64>;

    /// Whether all cells have the frames that were asked for.
    fn is_complete(&self) -> bool;
}

/// What was trained with two seeds or more.
pub(super) struct Recipe<'r, R> {
    pub(super) first: &'r R,
    /// One of each seed whose cells are complete, by seed.
    pub(super) trainings: Vec<&'r R>,
}

/// All of them, in the order of the rows. Trainings whose seeds nobody tells may be one training: they make no recipe.
pub(super) fn recipes<R: Training>(rows: &[R]) -> Vec<Recipe<'_, R>> {
    let mut kinds: Vec<Vec<&R>> = Vec::new();
    for row in rows {
        match kinds.iter_mut().find(|kind| kind.iter().any(|other| other.is_training_of(row))) {
            Some(kind) => kind.push(row),
            None => kinds.push(vec![row]),
        }
    }
    kinds.iter().filter_map(|kind| recipe(kind)).collect()
}

fn recipe<'r, R: Training>(rows: &[&'r R]) -> Option<Recipe<'r, R>> {
    let mut seeds: BTreeMap<u64, &'r R> = BTreeMap::new();
    for &row in rows {
        let Some(seed) = row.seed() else { continue };
        let kept = seeds.entry(seed).or_insert(row);
        if row.is_complete() && !kept.is_complete() {
            *kept = row;
        }
    }
    if seeds.len() < 2 {
        return None;
    }
    let trainings = seeds.into_values().filter(|row| row.is_complete()).collect();
    Some(Recipe { first: rows.first().copied()?, trainings })
}

/// A recipe with one number of each training.
pub(super) struct Group<'r, R> {
    pub(super) first: &'r R,
    /// One of each seed whose cells are complete, by seed.
    pub(super) trainings: Vec<&'r R>,
    /// Their numbers.
    pub(super) across: Across,
}

/// All recipes, in the order of the rows, with a mean difference over frames of each training.
pub(super) fn groups<R: Training>(rows: &[R], number: impl Fn(&R) -> f64) -> Vec<Group<'_, R>> {
    let group = |Recipe { first, trainings }| {
        let across = Across::new(trainings.iter().map(|row: &&R| number(row)).collect());
        Group { first, trainings, across }
    };
    recipes(rows).into_iter().map(group).collect()
}

impl<R: Training> Group<'_, R> {
    /// Whether a row is one of the trainings, complete or not.
    pub(super) fn holds(&self, row: &R) -> bool {
        self.first.is_training_of(row)
    }

    /// Two-sided p-value of no difference by Student's t over the seeds.
    pub(super) fn p(&self) -> Option<f64> {
        self.across.p()
    }
}

/// Holm's adjustment over the tests that decide: those of rows that stand alone, and those over the seeds of a recipe.
pub(super) fn holm(
    alone: impl IntoIterator<Item = Option<f64>>,
    over_seeds: impl IntoIterator<Item = Option<f64>>,
) -> [Vec<Option<f64>>; 2] {
    let mut both: Vec<Option<f64>> = alone.into_iter().collect();
    let rows = both.len();
    both.extend(over_seeds);
    let mut adjusted = super::holm(both);
    let over_seeds = adjusted.split_off(rows);
    [adjusted, over_seeds]
}

/// Means over frames or signs of the trainings of one recipe, one a seed.
pub(super) struct Across {
    values: Vec<f64>,
    /// None if there are not two.
    mean: Option<MeanInterval>,
}

impl Across {
    pub(super) fn new(values: Vec<f64>) -> Self {
        // seeds that do not scatter at all are no trainings of their own: an interval of no width would say more than they can;
        // the values are asked, since the mean of equal ones may be rounded off them, which looks like scatter
        let scatter = values.windows(2).any(|pair| pair[0] != pair[1]);
        let told = |m: MeanInterval| MeanInterval {
            ci95: m.ci95.filter(|[low, high]| scatter && low < high),
            ..m
        };
        let mean = mean(&values).filter(|m| m.n > 1).map(told);
        Self { values, mean }
    }

    /// One of each training.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// Over the seeds; none if there are not two. Without an interval if they do not scatter at all.
    pub(super) const fn mean(&self) -> Option<MeanInterval> {
        self.mean
    }

    /// Two-sided p-value of no difference by Student's t over the seeds.
    pub(super) fn p(&self) -> Option<f64> {
        self.mean.as_ref().map(p)
    }

    /// Smallest and largest of a seed, signed.
    pub(super) fn ends(&self) -> [Item; 2] {
        let of = |pick: fn(f64, f64) -> f64| self.values.iter().copied().reduce(pick);
        [of(f64::min), of(f64::max)].map(|end| {
            end.map_or(Item::Nothing, |value| Item::Number {
                value,
                ci95: None,
                decimals: 4,
                signed: true,
            })
        })
    }

    /// Mean, number of trainings, p-value and ends in words; every number is a difference of two networks of one seed.
    pub(super) fn found(&self, p_holm: Option<f64>) -> Option<String> {
        self.words("trainings of each set", p_holm)
    }

    /// The same of other numbers; `trainings` says what there are as many of.
    pub(super) fn words(&self, trainings: &str, p_holm: Option<f64>) -> Option<String> {
        let (m, p) = (self.mean?, p_holm?);
        let [least, most] = self.ends().map(|end| end.shown());
        Some(format!(
            "{} over {} {trainings}, p (Holm) {}; single ones {least} to {most}",
            Item::difference(Some(m)).shown(),
            m.n,
            Item::P(p).shown()
        ))
    }
}

/// Two-sided, Student's t. Seeds that do not scatter at all are no evidence.
fn p(m: &MeanInterval) -> f64 {
    let error = m.deviation.unwrap_or(0.0) / (m.n as f64).sqrt();
    match StudentsT::new(0.0, 1.0, m.n as f64 - 1.0) {
        Ok(student) if m.ci95.is_some() => 2.0 * student.cdf(-(m.mean / error).abs()),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::network;
    use super::*;

    #[test]
    fn seeds_without_any_scatter_are_no_evidence() {
        let of = |values: &[f64]| Across::new(values.to_vec()).p().unwrap();
        // 0.012, t = 10.392 of 2 degrees of freedom: p = 1 - t / sqrt(2 + t^2)
        assert!((of(&[0.010, 0.012, 0.014]) - 0.009_130).abs() < 1e-5);
        assert!((of(&[0.25, 0.25]) - 1.0).abs() < 1e-12);
        let same = Across::new(vec![0.25, 0.25]);
        assert_eq!(same.mean().unwrap().ci95, None, "no interval of no width");
        let words = "+0.2500 over 2 trainings, p (Holm) 1.0000; single ones +0.2500 to +0.2500";
        assert_eq!(same.words("trainings", same.p()).as_deref(), Some(words));
        // a third of three times 0.012 is not 0.012
        for n in 2..6 {
            let same = Across::new(vec![0.012; n]);
            assert_eq!((same.mean().unwrap().ci95, same.p()), (None, Some(1.0)), "{n}");
        }
    }

    #[test]
    fn one_training_has_neither_mean_nor_p_value() {
        let one = Across::new(vec![0.02]);
        assert_eq!((one.p(), one.found(Some(0.01))), (None, None));
        assert!(one.mean().is_none());
        assert_eq!(one.ends().map(|end| end.shown()), ["+0.0200", "+0.0200"]);
        assert_eq!(Across::new(Vec::new()).ends(), [Item::Nothing, Item::Nothing]);
    }

    #[test]
    fn a_dose_is_another_recipe_and_a_seed_is_not() {
        let whole = network("a", "resnet50", "CF");
        let again = NetworkFacts { seed: Some(2), ..network("b", "resnet50", "CF") };
        let dose = NetworkFacts { strength: Some(0.5), ..whole.clone() };
        assert!(is_of_recipe(&whole, &again) && !is_of_recipe(&whole, &dose));
        assert_eq!(recipe_name(&again), "resnet50 (f32), CF");
        assert_eq!(recipe_name(&dose), "resnet50 (f32), CF at strength 0.50");
    }
}
