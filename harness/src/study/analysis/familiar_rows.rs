//! What familiar and unfamiliar places do to the ratio of a network, and of a correlated network less its twin, sign by sign.

use std::collections::BTreeMap;

use datasets::environment::Environment;
use datasets::sets::spec::environment_word;
use datasets::sets::{Conditional, Correlation, Set};

use super::across::Training;
use super::moved::{Both, Moved, Views, flips, moved, ratio_change};
use super::{SEED, mean};
use crate::stats::{self, MeanInterval};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Item, Mark};

/// Where a sign is moved to.
pub(super) const KINDS: [(bool, &str); 2] = [(true, "familiar"), (false, "unfamiliar")];
/// What the question asks for: the change in unfamiliar places less that in familiar ones, of signs that were in both.
pub(super) const CONTRAST: &str = "unfamiliar less familiar";

/// P(environment | class) in the correlated training set of a camera level.
pub(super) struct Places(Conditional);

impl Places {
    /// Those of a network's training set, or of its correlated twin. None if the set is none of ours.
    pub(super) fn of(network: &NetworkFacts) -> Option<Self> {
        let set = Set { correlation: Correlation::Correlated, ..network.set()? };
        Some(Self(set.environment_table()))
    }

    /// Whether the class stands there more often than classes in general: P(environment | class) > P(environment).
    pub(super) fn familiar(&self, class: u16, environment: &str) -> Option<bool> {
        let column = Environment::ALL.iter().position(|&e| environment_word(e) == environment)?;
        let here = *self.0.row(class.into()).get(column)?;
        Some(here > *self.0.marginal().get(column)?)
    }
}

/// Views into places of one kind, by sign.
type Signs<'a> = BTreeMap<(u16, u32), Views<'a>>;

fn signs<'a>(m: &'a Moved<'_>, familiar: bool) -> Option<Signs<'a>> {
    let places = Places::of(&m.own.network)?;
    let mut signs = Signs::new();
    for place in &m.places {
        for view in moved(m.own, place) {
            if places.familiar(view.0.class, &place.data.environment) == Some(familiar) {
                signs.entry(view.0.key()).or_default().push(view);
            }
        }
    }
    Some(signs)
}

/// A change of each sign.
type Changes = BTreeMap<(u16, u32), f64>;

/// Mean change of each sign over its views.
fn means(signs: &Signs<'_>, change: impl Fn(&Views<'_>) -> Vec<f64>) -> Changes {
    signs.iter().filter_map(|(key, views)| Some((*key, mean(&change(views))?.mean))).collect()
}

/// Change of the confidence in the class that both pictures are given.
fn confidence_change(views: &Views<'_>) -> Vec<f64> {
    let same = views.iter().filter(|(own, there)| own.predicted == there.predicted);
    same.map(|(own, there)| there.confidence - own.confidence).collect()
}

/// First less second, of the signs that both have.
fn less(first: &Changes, second: &Changes) -> Changes {
    first.iter().filter_map(|(key, a)| Some((*key, a - second.get(key)?))).collect()
}

/// Whom a row is of: a network, or a correlated one less its twin.
#[derive(Clone, Copy)]
pub(super) enum Of<'m> {
    Network(&'m Moved<'m>),
    Both(&'m Both<'m>),
}

impl Of<'_> {
    /// Networks by their names.
    pub(super) fn name(self) -> String {
        match self {
            Self::Network(m) => m.name(),
            Self::Both(both) => both.name(),
        }
    }

    /// What they have in common with their other trainings.
    pub(super) fn recipe(self) -> String {
        match self {
            Self::Network(m) => m.recipe(),
            Self::Both(both) => both.recipe(),
        }
    }

    pub(super) fn method(self) -> String {
        match self {
            Self::Network(m) => m.method(),
            Self::Both(both) => both.method(),
        }
    }

    /// Whether both are of the very same networks.
    pub(super) fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Network(own), Self::Network(others)) => std::ptr::eq(own, others),
            (Self::Both(own), Self::Both(others)) => std::ptr::eq(own, others),
            _ => false,
        }
    }

    pub(super) const fn is_pair(self) -> bool {
        matches!(self, Self::Both(_))
    }

    /// The question that its verdict answers.
    pub(super) const fn question(self) -> &'static str {
        match self {
            Self::Network(_) => "the ratio in a familiar and an unfamiliar place",
            Self::Both(_) => "the same, correlated less uncorrelated training",
        }
    }
}

impl Training for Of<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Network(own), Self::Network(others)) => own.is_training_of(others),
            (Self::Both(own), Self::Both(others)) => own.is_training_of(others),
            _ => false,
        }
    }

    fn seed(&self) -> Option<u64> {
        match self {
            Self::Network(m) => m.seed(),
            Self::Both(both) => both.seed(),
        }
    }

    fn is_complete(&self) -> bool {
        match self {
            Self::Network(m) => m.is_complete(),
            Self::Both(both) => both.is_complete(),
        }
    }
}

/// A row before its p-value is adjusted.
pub(super) struct Row<'m> {
    pub(super) of: Of<'m>,
    /// Of [`KINDS`], or [`CONTRAST`].
    pub(super) kind: &'static str,
    /// Views and flips; none for a difference.
    views: Option<[usize; 2]>,
    /// Change of each sign.
    pub(super) ratio: Vec<f64>,
    pub(super) confidence: Vec<f64>,
    pub(super) p: f64,
}

impl Training for Row<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        self.kind == other.kind && self.of.is_training_of(&other.of)
    }

    fn seed(&self) -> Option<u64> {
        self.of.seed()
    }

    fn is_complete(&self) -> bool {
        self.of.is_complete()
    }
}

impl<'m> Row<'m> {
    /// None without a view.
    fn new(
        of: Of<'m>,
        kind: &'static str,
        views: Option<[usize; 2]>,
        [ratio, confidence]: [Changes; 2],
    ) -> Option<Self> {
        let [ratio, confidence] =
            [ratio, confidence].map(|changes| changes.into_values().collect::<Vec<f64>>());
        let some = views.is_some_and(|[views, _]| views > 0) || !ratio.is_empty();
        let p = stats::sign_flip(&ratio, SEED).map_or(1.0, |t| t.p);
        some.then_some(Self { of, kind, views, ratio, confidence, p })
    }

    pub(super) fn items(&self, p_holm: Option<f64>) -> Vec<Item> {
        let count = |i: usize| self.views.map_or(Item::Nothing, |v| Item::Count(v[i]));
        vec![
            Item::text(self.of.name()),
            Item::text(self.of.method()),
            Item::text(self.kind),
            Item::Count(self.ratio.len()),
            count(0),
            count(1),
            Item::difference(mean(&self.ratio)),
            Item::P(self.p),
            Item::p(p_holm),
            fine(mean(&self.confidence)),
        ]
    }

    pub(super) fn mark(&self) -> Option<Mark> {
        let m = mean(&self.ratio)?;
        Some(Mark {
            name: format!("{}, {}: {}", self.of.name(), self.of.method(), self.kind),
            group: self.kind.to_owned(),
            value: m.mean,
            ci95: m.ci95,
        })
    }
}

/// Six decimals: confidences lie close to 1.
pub(super) fn fine(m: Option<MeanInterval>) -> Item {
    m.map_or(Item::Nothing, |m| Item::Number {
        value: m.mean,
        ci95: m.ci95,
        decimals: 6,
        signed: true,
    })
}

/// Rows of all networks, then of all pairs: familiar places, unfamiliar ones, and the latter less the former.
pub(super) fn rows<'m>(all: &'m [Moved<'m>], pairs: &'m [Both<'m>]) -> Vec<Row<'m>> {
    let of_networks = all.iter().flat_map(|m| {
        KINDS.map(|kind| network_row(m, kind)).into_iter().chain([network_contrast(m)])
    });
    let of_pairs = pairs.iter().flat_map(|both| {
        KINDS.map(|kind| pair_row(both, kind)).into_iter().chain([pair_contrast(both)])
    });
    of_networks.chain(of_pairs).flatten().collect()
}

fn network_row<'m>(m: &'m Moved<'m>, (familiar, kind): (bool, &'static str)) -> Option<Row<'m>> {
    let signs = signs(m, familiar)?;
    let views = signs.values().map(Vec::len).sum();
    let flips = signs.values().map(|v| flips(v)).sum();
    let changes = [means(&signs, |v| ratio_change(v)), means(&signs, confidence_change)];
    Row::new(Of::Network(m), kind, Some([views, flips]), changes)
}

fn pair_row<'m>(both: &'m Both<'m>, (familiar, kind): (bool, &'static str)) -> Option<Row<'m>> {
    let [c, u] = [signs(both.correlated, familiar)?, signs(both.uncorrelated, familiar)?];
    let ratio = |s: &Signs<'_>| means(s, |v| ratio_change(v));
    let confidence = |s: &Signs<'_>| means(s, confidence_change);
    let changes = [less(&ratio(&c), &ratio(&u)), less(&confidence(&c), &confidence(&u))];
    Row::new(Of::Both(both), kind, None, changes)
}

/// Change in unfamiliar places less that in familiar ones, sign by sign.
fn contrast(m: &Moved<'_>, change: impl Fn(&Views<'_>) -> Vec<f64>) -> Option<Changes> {
    let [familiar, unfamiliar] =
        [means(&signs(m, true)?, &change), means(&signs(m, false)?, &change)];
    Some(less(&unfamiliar, &familiar))
}

fn network_contrast<'m>(m: &'m Moved<'m>) -> Option<Row<'m>> {
    let changes = [contrast(m, |v| ratio_change(v))?, contrast(m, confidence_change)?];
    Row::new(Of::Network(m), CONTRAST, None, changes)
}

fn pair_contrast<'m>(both: &'m Both<'m>) -> Option<Row<'m>> {
    let of = |change: fn(&Views<'_>) -> Vec<f64>| {
        Some(less(&contrast(both.correlated, change)?, &contrast(both.uncorrelated, change)?))
    };
    Row::new(Of::Both(both), CONTRAST, None, [of(|v| ratio_change(v))?, of(confidence_change)?])
}

#[cfg(test)]
mod tests {
    use super::super::testing::network;
    use super::*;

    #[test]
    fn a_place_is_familiar_where_the_class_stands_more_often_than_others() {
        // sign 0, 20 km/h: inner city, residential, village, in this order
        let places = Places::of(&network("n", "resnet50", "UM")).unwrap();
        assert_eq!(places.familiar(0, "inner_city"), Some(true), "the table of the C twin");
        assert_eq!(places.familiar(0, "motorway"), Some(false));
        assert_eq!(places.familiar(0, "nowhere"), None);
        assert_eq!(places.familiar(900, "motorway"), None);
        assert!(Places::of(&network("n", "resnet50", "")).is_none());
    }
}
