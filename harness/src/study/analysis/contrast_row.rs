//! A network trained on correlated pictures and one trained on uncorrelated ones, on the same test pictures: what they differ by.

use std::collections::BTreeMap;

use datasets::sets::Level;

use super::across::Training;
use super::alike::Measure;
use super::contrast_rule::{published, published_or_not, rule};
use super::{
    ATTRIBUTION_SET, SEED, contrasts, explainers, level_letter, mean, networks, paired, plain,
    title,
};
use crate::stats::{self, MeanInterval, Paired};
use crate::study::book::{Book, Entry, Point};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Item, Mark, Ruling, Verdict};

/// Test sets on which the contrast is taken: the paper's, and its uncorrelated twin.
const SETS: [&str; 2] = [ATTRIBUTION_SET, "UF"];

/// Two networks on the same pictures by the same method.
pub(super) struct Row<'a> {
    pub(super) correlated: &'a NetworkFacts,
    pub(super) uncorrelated: &'a NetworkFacts,
    pub(super) level: Level,
    pub(super) set: &'static str,
    pub(super) explainer: &'a str,
    both: usize,
    /// Whether both cells have all frames that were asked for.
    complete: bool,
    measure: Measure,
    pub(super) paired: Paired,
    differences: Vec<f64>,
    /// The same over the frames on which both networks predict the same class.
    agreed: Option<Paired>,
    /// The same of ratios that are not corrected for sampling.
    plain: Option<Paired>,
    /// Over the means of the classes.
    classes: Option<MeanInterval>,
}

impl Training for Row<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        self.shares_name_with(other) && self.level == other.level
    }

    fn seed(&self) -> Option<u64> {
        self.correlated.seed.zip(self.uncorrelated.seed).map(|(seed, _)| seed)
    }

    fn is_complete(&self) -> bool {
        self.complete
    }
}

impl Row<'_> {
    /// Whether both are of one architecture, number format, method and test set: what stands in every name.
    fn shares_name_with(&self, other: &Self) -> bool {
        let (own, others) = (self.correlated, other.correlated);
        own.architecture == others.architecture
            && own.precision == others.precision
            && (self.explainer, self.set) == (other.explainer, other.set)
    }

    /// `resnet50 (int8-qdq), GradCAM`.
    pub(super) fn name(&self) -> String {
        let NetworkFacts { architecture, precision, .. } = self.correlated;
        format!("{architecture} ({precision}), {}", title(self.explainer))
    }

    /// `c, u`.
    pub(super) fn networks(&self) -> String {
        format!("{}, {}", self.correlated.name, self.uncorrelated.name)
    }

    /// Level and networks, if other rows have the same name.
    fn apart(&self, rows: &[Self]) -> String {
        if rows.iter().filter(|other| self.shares_name_with(other)).count() < 2 {
            return String::new();
        }
        format!(
            ", level {}, {} and {}",
            level_letter(self.level),
            self.correlated.name,
            self.uncorrelated.name
        )
    }

    pub(super) fn mark(&self, rows: &[Self]) -> Mark {
        Mark {
            name: format!("{} on {}{}", self.name(), self.set, self.apart(rows)),
            group: title(self.explainer),
            value: self.paired.difference.mean,
            ci95: self.paired.difference.ci95,
        }
    }

    pub(super) fn items(&self, p_holm: Option<f64>) -> Vec<Item> {
        vec![
            Item::text(&self.correlated.architecture),
            Item::text(&self.correlated.precision),
            Item::text(level_letter(self.level)),
            Item::text(self.set),
            Item::text(title(self.explainer)),
            Item::Count(self.both),
            Item::number(Some(self.paired.mean_a), 4),
            Item::number(Some(self.paired.mean_b), 4),
            Item::difference(Some(self.paired.difference)),
            Item::text(published_or_not(&self.correlated.architecture)),
            Item::P(self.paired.test.p),
            Item::p(p_holm),
            Item::number(self.paired.effect, 2),
            Item::difference(self.agreed.map(|p| p.difference)),
            Item::difference(self.classes),
            Item::difference(self.plain.map(|p| p.difference)),
            Item::text(self.measure.words()),
            Item::text(self.networks()),
        ]
    }

    /// What these two networks say; of several trainings none rules.
    pub(super) fn verdict(&self, book: &Book, rows: &[Self], p_holm: Option<f64>) -> Verdict {
        let architecture = &self.correlated.architecture;
        let difference = self.paired.difference;
        let (ruling, why) = if let Some(p) = p_holm {
            let (ruling, rule) = rule(architecture, &self.differences, difference.ci95, p);
            let trainings = if self.is_one_of_several(book, rows) {
                "one of several trainings"
            } else {
                "one training a set"
            };
            let why = format!(
                "{rule}. The interval over frames speaks of these signs and these two networks ({trainings}), not of other signs or of the \
                 two ways to train"
            );
            (ruling, why)
        } else {
            (Ruling::NotComparable, "one of several trainings: see over trainings".to_owned())
        };
        let p = p_holm.map_or_else(
            || format!("p {}", Item::P(self.paired.test.p).shown()),
            |p| format!("p (Holm) {}", Item::P(p).shown()),
        );
        Verdict {
            what: format!("{}{}: correlated against uncorrelated", self.name(), self.apart(rows)),
            published: published(architecture),
            found: format!(
                "{}, {p}, n = {}; over class means {}",
                Item::difference(Some(difference)).shown(),
                self.differences.len(),
                Item::difference(self.classes).shown()
            ),
            ruling,
            why,
        }
    }

    /// Whether one of the sets has other trainings, by their seeds or by other pairs of this kind.
    fn is_one_of_several(&self, book: &Book, rows: &[Self]) -> bool {
        let again = |n: &NetworkFacts, other: &NetworkFacts| {
            n.architecture == other.architecture
                && n.is_integer() == other.is_integer()
                && n.train == other.train
                && n.strength == other.strength
                && !n.has_seed_of(other)
        };
        let all = networks(book);
        let trained_again = |n: &NetworkFacts| all.iter().any(|other| again(n, other));
        trained_again(self.correlated)
            || trained_again(self.uncorrelated)
            || rows.iter().filter(|other| self.is_training_of(other)).count() > 1
    }
}

pub(super) fn rows(book: &Book) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for contrast in contrasts(book) {
        for explainer in explainers(book) {
            for set in SETS {
                let of = |network: &NetworkFacts| plain(book, &network.name, set, Some(explainer));
                let (Some(c), Some(u)) = (of(contrast.correlated), of(contrast.uncorrelated))
                else {
                    continue;
                };
                rows.extend(row(c, u, contrast.level, set, explainer));
            }
        }
    }
    rows
}

fn row<'a>(
    c: &'a Entry,
    u: &'a Entry,
    level: Level,
    set: &'static str,
    explainer: &'a str,
) -> Option<Row<'a>> {
    let both = paired(c, u);
    let measure = Measure::of_pairs(&both);
    let pairs = measure.pairs(&both);
    let plain: Vec<_> =
        both.iter().filter_map(|(a, b)| Some((a.plain_ratio?, b.plain_ratio?))).collect();
    let same: Vec<_> = both.iter().copied().filter(|(a, b)| a.predicted == b.predicted).collect();
    Some(Row {
        correlated: &c.network,
        uncorrelated: &u.network,
        level,
        set,
        explainer,
        both: both.len(),
        complete: [c, u].iter().all(|e| e.points.len() >= e.asked),
        measure,
        paired: stats::paired(&pairs, SEED)?,
        differences: super::differences(&pairs),
        agreed: stats::paired(&measure.pairs(&same), SEED),
        plain: stats::paired(&plain, SEED),
        classes: mean(&class_means(&both, measure)),
    })
}

/// Mean difference of each class: the unit, if other signs than these were meant.
fn class_means(both: &[(&Point, &Point)], measure: Measure) -> Vec<f64> {
    let mut classes: BTreeMap<u16, Vec<f64>> = BTreeMap::new();
    for (a, b) in both {
        if let (Some(first), Some(second)) = (measure.ratio(a), measure.ratio(b)) {
            classes.entry(a.class).or_default().push(second - first);
        }
    }
    classes.values().map(|d| d.iter().sum::<f64>() / d.len() as f64).collect()
}
