//! What moving a sign does to a network, and to several trainings of one recipe: how often the decision flips, how the ratio changes.

use std::collections::BTreeMap;

use super::across::{Across, Recipe, Training as _, WAITS, recipes};
use super::moved::{Moved, Views, flips, ratio_change};
use super::{mean, not_measured, range_words};
use crate::stats;
use crate::study::book::Point;
use crate::study::finding::{Item, Ruling, Verdict};

/// Standard deviation of the ratio of one sign over the places, as the root of the mean variance over the signs.
pub(super) fn spread(views: &[(&Point, &Point)]) -> Option<f64> {
    let mut signs: BTreeMap<(u16, u32), Vec<f64>> = BTreeMap::new();
    for (own, there) in views {
        let ratios = signs.entry(own.key()).or_insert_with(|| own.ratio.into_iter().collect());
        ratios.extend(there.ratio);
    }
    let variances: Vec<f64> =
        signs.values().filter_map(|r| Some(mean(r)?.deviation?.powi(2))).collect();
    Some(mean(&variances)?.mean.sqrt())
}

/// All views of a network.
struct Told {
    views: usize,
    flips: usize,
    signs: usize,
    /// Signs that keep their class everywhere.
    steady: usize,
    /// Mean change of the ratio of each sign.
    changes: Vec<f64>,
    spread: Option<f64>,
}

impl Told {
    fn of(m: &Moved<'_>) -> Self {
        let (views, signs) = (m.views(), m.by_sign());
        let change = |v: &Views<'_>| Some(mean(&ratio_change(v))?.mean);
        Self {
            views: views.len(),
            flips: flips(&views),
            signs: signs.len(),
            steady: signs.values().filter(|v| flips(v) == 0).count(),
            changes: signs.values().filter_map(change).collect(),
            spread: spread(&views),
        }
    }
}

/// What one network says.
pub(super) fn verdict(m: &Moved<'_>) -> Verdict {
    let told = Told::of(m);
    Verdict {
        what: format!("moving a sign, {}, {}", m.name(), m.method()),
        published: None,
        found: format!(
            "{} of {} views flip; {} of the signs keep their class everywhere; ratio changes by {}; spread of one sign over the places {}",
            told.flips,
            told.views,
            Item::share(stats::wilson(told.steady, told.signs)).shown(),
            Item::difference(mean(&told.changes)).shown(),
            Item::number(told.spread, 4).shown()
        ),
        ruling: Ruling::Answered,
        why: format!(
            "{} signs in {} places; interval over the means of signs",
            told.signs,
            m.places.len()
        ),
    }
}

/// Networks of two seeds or more of one architecture, number format and training set, with their signs in the same places.
pub(super) struct Group<'r> {
    first: &'r Moved<'r>,
    trainings: Vec<&'r Moved<'r>>,
}

/// All groups, in the order of the networks.
pub(super) fn groups<'r>(all: &'r [Moved<'r>]) -> Vec<Group<'r>> {
    let group = |Recipe { first, trainings }: Recipe<'r, Moved<'r>>| Group { first, trainings };
    recipes(all).into_iter().map(group).collect()
}

impl Group<'_> {
    /// Whether a network is one of the trainings, complete or not.
    pub(super) fn holds(&self, m: &Moved<'_>) -> bool {
        self.first.is_training_of(m)
    }

    /// What the trainings say together.
    pub(super) fn verdict(&self) -> Verdict {
        let what = format!(
            "moving a sign, {}, {}, over trainings",
            self.first.recipe(),
            self.first.method()
        );
        let told: Vec<Told> = self.trainings.iter().map(|m| Told::of(m)).collect();
        let means = told.iter().filter_map(|t| Some(mean(&t.changes)?.mean));
        let changes = Across::new(means.collect());
        if changes.mean().is_none() {
            return not_measured(&what, None, WAITS);
        }
        let counts = |of: fn(&Told) -> usize| told.iter().map(of).collect::<Vec<usize>>();
        let (flips, views) = (counts(|t| t.flips), counts(|t| t.views));
        let [least, most] = changes.ends().map(|end| end.shown());
        let spread = Across::new(told.iter().filter_map(|t| t.spread).collect());
        Verdict {
            what,
            published: None,
            found: format!(
                "over {} trainings: {} of {} views flip ({} of each); {} of {} signs keep their class everywhere; ratio changes by {}, \
                 single ones {least} to {most}; spread of one sign over the places {}",
                told.len(),
                flips.iter().sum::<usize>(),
                views.iter().sum::<usize>(),
                range_words(&flips),
                range_words(&counts(|t| t.steady)),
                range_words(&counts(|t| t.signs)),
                Item::difference(changes.mean()).shown(),
                Item::mean(spread.mean()).shown()
            ),
            ruling: Ruling::Answered,
            why: format!(
                "{} places; Student's t over the trainings, each the mean over its signs",
                self.first.places.len()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::counterfactual::finding;
    use super::super::testing::{entry, noise, seeded};
    use super::*;
    use crate::study::book::{Book, Entry};

    /// A network from each seed: at the coast its ratio is lower by a loss, and sign 0 flips in the first one.
    fn of_seeds(losses: &[f64]) -> Vec<Entry> {
        let one = |(seed, loss): (u64, &f64)| {
            let n = seeded(&format!("n{seed}"), "resnet50", "CF", Some(seed));
            let own = entry(&n, "CF", "gradcam", 40, |i, p| {
                "forest".clone_into(&mut p.environment);
                p.ratio = Some(0.6 + 0.1 * noise(i));
            });
            let there = entry(&n, "synthetic:CF/test?environment=coast", "gradcam", 40, |i, p| {
                "coast".clone_into(&mut p.environment);
                p.ratio = Some(0.6 + 0.1 * noise(i) - loss);
                p.predicted = p.class + u16::from(i == 0 && seed == 1);
            });
            [own, there]
        };
        (1..).zip(losses).flat_map(one).collect()
    }

    fn verdicts(entries: Vec<Entry>) -> Vec<Verdict> {
        let all = finding(&Book { entries, ..Book::default() }).verdicts;
        all.into_iter().filter(|v| v.what.starts_with("moving a sign")).collect()
    }

    #[test]
    fn trainings_of_one_recipe_have_one_verdict() {
        let found = verdicts(of_seeds(&[0.010, 0.012, 0.014]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].what, "moving a sign, resnet50 (f32), CF, GradCAM, over trainings");
        // -0.012 +- 4.303 x 0.002 / sqrt(3)
        let words = "over 3 trainings: 1 of 120 views flip (0 to 1 of each); 39 to 40 of 40 signs keep their class everywhere; \
                     ratio changes by -0.0120 (-0.0170 to -0.0070), single ones -0.0140 to -0.0100; spread of one sign over the \
                     places 0.00";
        assert!(found[0].found.starts_with(words), "{}", found[0].found);
        assert_eq!(found[0].ruling, Ruling::Answered);
    }

    #[test]
    fn one_training_speaks_for_itself_and_one_that_was_only_begun_waits() {
        let alone = verdicts(of_seeds(&[0.01]));
        assert!(alone[0].found.starts_with("1 of 40 views flip; 97.50 %"), "{alone:?}");
        let mut entries = of_seeds(&[0.01, 0.02]);
        entries[3].points.truncate(5);
        let begun = verdicts(entries);
        assert_eq!((begun.len(), begun[0].ruling), (1, Ruling::Missing), "{begun:?}");
    }
}
