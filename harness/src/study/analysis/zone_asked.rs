//! Networks whose attention is held against the pose, each with the test sets on which it meets the other trainings of its recipe.

use std::collections::{BTreeMap, BTreeSet};

use datasets::sets::{Level, Set};

use super::across::{Training, is_of_recipe};
use super::views::{View, views};
use super::{explainers, networks};
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;

/// Camera level, where the test set has one, and sign.
pub(super) type Pose = (Option<Level>, (u16, u32));

/// A network and a method with maps of ordinary test pictures.
pub(super) struct Asked<'a> {
    pub(super) network: &'a NetworkFacts,
    pub(super) explainer: &'a str,
    /// Of all its test sets.
    pub(super) views: Vec<View>,
    /// Test sets that all trainings of its recipe are asked about; without any, its own.
    pub(super) shared: BTreeSet<&'a str>,
    /// All that the plan asks for, those without a frame among them.
    cells: Vec<&'a Entry>,
}

/// All of them, in the order of the plan.
pub(super) fn asked(book: &Book) -> Vec<Asked<'_>> {
    let mut all = Vec::new();
    for network in networks(book) {
        for explainer in explainers(book) {
            let views = views(book, &network.name, explainer);
            if !views.is_empty() {
                let cells = cells(book, &network.name, explainer);
                all.push(Asked { network, explainer, views, shared: BTreeSet::new(), cells });
            }
        }
    }
    let shared: Vec<BTreeSet<&str>> = all.iter().map(|own| shared(own, &all)).collect();
    for (own, sets) in all.iter_mut().zip(shared) {
        own.shared = sets;
    }
    all
}

fn cells<'a>(book: &'a Book, network: &str, explainer: &str) -> Vec<&'a Entry> {
    let fits = |e: &&Entry| {
        e.network.name == network && e.explainer == explainer && e.data.is_plain_test()
    };
    book.entries.iter().filter(fits).collect()
}

/// Test sets that all trainings of known seeds have.
fn shared<'a>(own: &Asked<'a>, all: &[Asked<'a>]) -> BTreeSet<&'a str> {
    let trainings = all.iter().filter(|other| other.is_of(own) && other.network.seed.is_some());
    let sets = trainings.map(Asked::sets).reduce(|a, b| a.intersection(&b).copied().collect());
    sets.filter(|sets| !sets.is_empty()).unwrap_or_else(|| own.sets())
}

impl<'a> Asked<'a> {
    /// Of one recipe, by one method.
    fn is_of(&self, other: &Self) -> bool {
        is_of_recipe(self.network, other.network) && self.explainer == other.explainer
    }

    fn sets(&self) -> BTreeSet<&'a str> {
        self.cells.iter().copied().map(|e| e.data.set.as_str()).collect()
    }

    /// Whether it was trained on one shape alone.
    pub(super) fn is_of_one_shape(&self) -> bool {
        self.network.set().is_some_and(|set| set.shape.is_some())
    }

    /// Cells of the shared sets.
    fn shared_cells(&self) -> impl Iterator<Item = &'a Entry> {
        self.cells.iter().copied().filter(move |e| self.shared.contains(e.data.set.as_str()))
    }

    /// Views of the shared sets. Those of different trainings are the same pictures.
    pub(super) fn by_pose(&self) -> BTreeMap<Pose, View> {
        let levels: BTreeSet<Option<Level>> = self.shared_cells().map(level).collect();
        let mut found = BTreeMap::new();
        for of in levels {
            let entries = self.shared_cells().filter(|e| level(e) == of).cloned().collect();
            let book = Book { entries, ..Book::default() };
            let here = views(&book, &self.network.name, self.explainer);
            found.extend(here.into_iter().map(|view| ((of, view.sign), view)));
        }
        found
    }
}

fn level(entry: &Entry) -> Option<Level> {
    Set::from_name(&entry.data.set).map(|set| set.level)
}

impl Training for Asked<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        self.is_of(other) && self.shared == other.shared
    }

    fn seed(&self) -> Option<u64> {
        self.network.seed
    }

    fn is_complete(&self) -> bool {
        self.shared_cells().all(|e| e.points.len() >= e.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, seeded};
    use super::*;

    /// A network of a seed with a cell of 20 frames on each of these sets.
    fn cells_of(name: &str, seed: Option<u64>, sets: &[&str]) -> Vec<Entry> {
        let n = seeded(name, "resnet50", "CF", seed);
        let cell = |set: &&str| {
            entry(&n, set, "gradcam", 20, |i, p| {
                p.pose = Some([1.0, 1.0, 200.0]);
                p.zones = Some([0.001 * i as f64, 0.3, 0.2, 0.1]);
            })
        };
        sets.iter().map(cell).collect()
    }

    #[test]
    fn trainings_meet_on_the_sets_that_all_of_them_have() {
        let mut entries = cells_of("a", Some(1), &["CF", "CH", "UF"]);
        entries.extend(cells_of("b", Some(2), &["UF", "CF"]));
        entries.extend(cells_of("c", None, &["CF"]));
        // what not all of them have keeps nobody waiting, what all have does
        entries[1].points.truncate(5);
        entries[3].points.clear();
        let book = Book { entries, ..Book::default() };
        let all = asked(&book);
        let [a, b, c] = all.as_slice() else { panic!("three networks") };
        assert_eq!(a.shared, BTreeSet::from(["CF", "UF"]));
        assert!(a.is_training_of(b) && a.is_training_of(c), "whose seed nobody tells is one too");
        assert!(a.is_complete() && !b.is_complete());
        // 20 signs on F, C and U being one view, and 5 on H
        assert_eq!((a.views.len(), a.by_pose().len()), (25, 20));
        assert!(a.by_pose().keys().all(|(level, _)| *level == Some(Level::Frontal)));
    }

    #[test]
    fn networks_without_a_test_set_in_common_are_no_trainings_of_one_another() {
        let mut entries = cells_of("a", Some(1), &["CF"]);
        entries.extend(cells_of("b", Some(2), &["CH"]));
        let book = Book { entries, ..Book::default() };
        let all = asked(&book);
        assert!(!all[0].is_training_of(&all[1]));
        assert_eq!(all[1].shared, BTreeSet::from(["CH"]));
    }
}
