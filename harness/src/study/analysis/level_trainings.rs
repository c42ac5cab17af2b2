//! Camera levels of training or testing, with trainings as the unit: what the steps of several seeds say together.

use super::across::{Recipe, Training as _, WAITS, recipe_name, recipes};
use super::level_steps::Steps;
use super::levels::{Levels, PUBLISHED, TRAINING, row, verdict};
use super::{mean, not_measured, ratios, title};
use crate::stats::MeanInterval;
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Item, Verdict};

/// What the differences are of.
const OVER_SEEDS: &str = "Student's t over the mean differences of the seeds, each over frames: it speaks of further trainings on \
                          these sets, on these signs";

/// Networks of two seeds or more of one architecture and number format, trained at the three levels of a kind of background; or trained
/// on one set and tested at the three levels.
pub(super) struct Group<'r> {
    first: &'r Levels<'r>,
    trainings: Vec<&'r Levels<'r>>,
    /// None if not two are complete.
    steps: Option<Steps>,
}

/// All groups, in the order of the rows.
pub(super) fn groups<'r>(rows: &'r [Levels<'r>]) -> Vec<Group<'r>> {
    let group = |Recipe { first, trainings }: Recipe<'r, Levels<'r>>| {
        let steps = Steps::over(&trainings.iter().map(|l| &l.steps).collect::<Vec<_>>());
        Group { first, trainings, steps }
    };
    recipes(rows).into_iter().map(group).collect()
}

impl Group<'_> {
    /// Whether a row is one of the trainings, complete or not.
    pub(super) fn holds(&self, row: &Levels<'_>) -> bool {
        self.first.is_training_of(row)
    }

    const fn network(&self) -> &NetworkFacts {
        &self.first.entries[0].network
    }

    /// `resnet50 (int8-qdq), UF, UM, UH`, or `resnet50 (int8-qdq), UF on CF, CM, CH`.
    fn name(&self) -> String {
        if self.first.varied == TRAINING {
            let NetworkFacts { architecture, precision, .. } = self.network();
            let sets = self.first.entries.map(|e| e.network.train.as_str()).join(", ");
            return format!("{architecture} ({precision}), {sets}");
        }
        let sets = self.first.entries.map(|e| e.data.set.as_str()).join(", ");
        format!("{} on {sets}", recipe_name(self.network()))
    }

    /// Mean over the trainings at each level.
    fn means(&self) -> [Option<MeanInterval>; 3] {
        [0, 1, 2].map(|i| {
            let of = |l: &&Levels<'_>| mean(&ratios(&l.entries[i].points)).map(|m| m.mean);
            mean(&self.trainings.iter().filter_map(of).collect::<Vec<_>>())
        })
    }

    /// None if not two trainings are complete.
    pub(super) fn row(&self) -> Option<Vec<Item>> {
        let name = format!("{}, over {} trainings", self.name(), self.trainings.len());
        let names = [self.first.varied, &name, &title(self.first.explainer)];
        Some(row(names, self.means(), self.steps.as_ref()?, self.first.remark()))
    }

    /// What the trainings say together.
    pub(super) fn verdict(&self) -> Verdict {
        let (varied, remark) = (self.first.varied, self.first.remark());
        let (name, method) = (self.name(), title(self.first.explainer));
        let what = format!("camera level of {varied}, {name}, {method}, over trainings");
        let Some(steps) = &self.steps else {
            let published = remark.is_none().then(|| PUBLISHED.to_owned());
            return not_measured(&what, published, WAITS);
        };
        let found = verdict(what, steps, remark, OVER_SEEDS);
        let trainings = if varied == TRAINING { "trainings of each set" } else { "trainings" };
        Verdict {
            found: format!("over {} {trainings}: {}", self.trainings.len(), found.found),
            ..found
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::levels::finding;
    use super::super::testing::{entry, noise, seeded};
    use super::*;
    use crate::study::book::{Book, Entry};
    use crate::study::finding::Ruling;

    /// Networks of F, M and H from each seed, by their mean ratios.
    fn of_seeds(architecture: &str, means: &[[f64; 3]]) -> Vec<Entry> {
        let three = |(seed, means): (u64, &[f64; 3])| {
            ["UF", "UM", "UH"].into_iter().zip(*means).map(move |(train, mean)| {
                let n = seeded(&format!("{train}{seed}"), architecture, train, Some(seed));
                entry(&n, "CF", "gradcam", 90, |i, p| {
                    p.ratio = Some(mean + 0.2 * noise(i) + 0.01 * noise(i * 17 + 1));
                })
            })
        };
        (1..).zip(means).flat_map(three).collect()
    }

    fn verdicts(entries: Vec<Entry>) -> Vec<Verdict> {
        finding(&Book { entries, ..Book::default() }).verdicts
    }

    #[test]
    fn several_seeds_rule_together_and_a_single_one_does_not() {
        let rising = [[0.50, 0.55, 0.60], [0.51, 0.561, 0.612], [0.49, 0.539, 0.588]];
        let entries = of_seeds("resnet50", &rising);
        let found = finding(&Book { entries, ..Book::default() });
        assert_eq!(found.verdicts.len(), 1, "{:?}", found.verdicts);
        let v = &found.verdicts[0];
        assert_eq!(
            v.what,
            "camera level of training, resnet50 (f32), UF, UM, UH, GradCAM, over trainings"
        );
        // steps of 0.050, 0.051, 0.049
        assert!(v.found.starts_with("over 3 trainings of each set: rises: F to M +0.05"), "{v:?}");
        assert_eq!(v.ruling, Ruling::NotReproduced);
        let rows = &found.tables[0].rows;
        assert_eq!(rows.len(), 4);
        assert!(rows[3][1].shown().ends_with("over 3 trainings"), "{rows:?}");
        assert_eq!(rows[3].len(), found.tables[0].header.len());
    }

    #[test]
    fn what_every_seed_calls_a_trend_is_none_where_the_seeds_differ_as_much() {
        // each rises or falls for sure over its frames
        let entries = of_seeds("resnet-tiny", &[[0.5, 0.55, 0.6], [0.6, 0.55, 0.5]]);
        let found = verdicts(entries.clone());
        assert_eq!((found.len(), found[0].ruling), (1, Ruling::Undecided), "{found:?}");
        let alone = verdicts(entries[..3].to_vec());
        assert_eq!(alone[0].ruling, Ruling::Answered, "{alone:?}");
    }

    #[test]
    fn seeds_that_were_only_begun_wait() {
        let mut entries = of_seeds("resnet50", &[[0.5, 0.55, 0.6], [0.5, 0.56, 0.6]]);
        entries[4].points.truncate(9);
        let found = finding(&Book { entries, ..Book::default() });
        assert_eq!(found.verdicts[0].ruling, Ruling::Missing, "{:?}", found.verdicts);
        assert_eq!(found.tables[0].rows.len(), 2, "no row over one training");
    }

    #[test]
    fn levels_of_testing_are_joined_over_the_seeds_of_one_set_and_a_dose_is_none_of_them() {
        let steps = [[0.50, 0.55, 0.60], [0.51, 0.561, 0.612], [0.49, 0.539, 0.588]];
        let cells = |seed: u64, means: [f64; 3], strength: Option<f64>| {
            let n = seeded(&format!("{seed}{strength:?}"), "resnet50", "CF", Some(seed));
            let n = NetworkFacts { strength, ..n };
            ["CF", "CM", "CH"].into_iter().zip(means).map(move |(set, mean)| {
                entry(&n, set, "gradcam", 90, |i, p| p.ratio = Some(mean + 0.2 * noise(i)))
            })
        };
        let seeds = (1..).zip(steps).flat_map(|(seed, means)| cells(seed, means, None));
        let entries: Vec<Entry> = seeds.chain(cells(1, [0.5; 3], Some(0.5))).collect();
        let found = finding(&Book { entries, ..Book::default() });
        let [training, dose, testing] = found.verdicts.as_slice() else { panic!("{found:?}") };
        assert_eq!(training.ruling, Ruling::Missing);
        assert!(dose.what.starts_with("camera level of testing, 1Some(0.5) on CF"), "{dose:?}");
        assert_eq!(
            testing.what,
            "camera level of testing, resnet50 (f32), CF on CF, CM, CH, GradCAM, over trainings"
        );
        assert!(testing.found.starts_with("over 3 trainings: rises: F to M +0.05"), "{testing:?}");
        assert_eq!((testing.ruling, &testing.published), (Ruling::Answered, &None));
        assert!(
            testing.why.contains("levels of training; this is the same network"),
            "{testing:?}"
        );
        assert_eq!(found.tables[0].rows.len(), 5, "four networks and three seeds together");
    }
}
