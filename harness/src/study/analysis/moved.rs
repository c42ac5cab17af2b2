//! Signs in their own place and in others: the cells of one network, and of a correlated and an uncorrelated one.

use std::collections::{BTreeMap, BTreeSet};

use super::across::{Training, is_of_recipe, recipe_name};
use super::{
    ATTRIBUTION_SET, contrasts, differences, explainers, networks, on_set, paired, plain,
    ratio_pairs, title,
};
use crate::study::book::{Book, Entry, Point};

/// One network with the cells in which every sign stands in one place.
pub(super) struct Moved<'a> {
    pub(super) own: &'a Entry,
    /// Those that have a frame.
    pub(super) places: Vec<&'a Entry>,
    /// All that the plan asks for.
    asked: Vec<&'a Entry>,
}

/// The same sign in its own place and in another.
pub(super) type Views<'a> = Vec<(&'a Point, &'a Point)>;

impl Training for Moved<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        is_of_recipe(&self.own.network, &other.own.network)
            && self.own.explainer == other.own.explainer
            && self.own.data.set == other.own.data.set
            && self.environments() == other.environments()
    }

    fn seed(&self) -> Option<u64> {
        self.own.network.seed
    }

    fn is_complete(&self) -> bool {
        self.asked.iter().chain([&self.own]).all(|e| e.points.len() >= e.asked)
    }
}

impl Moved<'_> {
    /// Own picture and picture in another place, for all signs that a place moved.
    pub(super) fn views(&self) -> Views<'_> {
        self.places.iter().flat_map(|place| moved(self.own, place)).collect()
    }

    /// The same by sign.
    pub(super) fn by_sign(&self) -> BTreeMap<(u16, u32), Views<'_>> {
        let mut signs: BTreeMap<(u16, u32), Views<'_>> = BTreeMap::new();
        for view in self.views() {
            signs.entry(view.0.key()).or_default().push(view);
        }
        signs
    }

    fn environments(&self) -> BTreeSet<&str> {
        self.asked.iter().map(|e| e.data.environment.as_str()).collect()
    }

    /// Network, and test set where it is not the usual one.
    pub(super) fn name(&self) -> String {
        on_set(&self.own.network, &self.own.data.set)
    }

    /// The same of all its trainings.
    pub(super) fn recipe(&self) -> String {
        recipe_name(&self.own.network) + &self.elsewhere()
    }

    fn elsewhere(&self) -> String {
        let set = &self.own.data.set;
        if set == ATTRIBUTION_SET { String::new() } else { format!(" on {set}") }
    }

    pub(super) fn method(&self) -> String {
        title(&self.own.explainer)
    }
}

/// A network that was trained on correlated pictures and its twin, with the same pictures moved.
pub(super) struct Both<'m> {
    pub(super) correlated: &'m Moved<'m>,
    pub(super) uncorrelated: &'m Moved<'m>,
}

impl Training for Both<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        self.correlated.is_training_of(other.correlated)
            && self.uncorrelated.is_training_of(other.uncorrelated)
    }

    fn seed(&self) -> Option<u64> {
        self.correlated.seed().zip(self.uncorrelated.seed()).map(|(seed, _)| seed)
    }

    fn is_complete(&self) -> bool {
        self.correlated.is_complete() && self.uncorrelated.is_complete()
    }
}

impl Both<'_> {
    /// `resnet50-cf against resnet50-uf`.
    pub(super) fn name(&self) -> String {
        format!("{} against {}", self.correlated.name(), self.uncorrelated.own.network.name)
    }

    /// `resnet50 (int8-qdq), CF against UF`.
    pub(super) fn recipe(&self) -> String {
        let [c, u] = [self.correlated, self.uncorrelated];
        format!("{} against {}{}", recipe_name(&c.own.network), u.own.network.train, c.elsewhere())
    }

    pub(super) fn method(&self) -> String {
        self.correlated.method()
    }
}

/// Signs that did not stand there anyway.
pub(super) fn moved<'a>(own: &'a Entry, place: &'a Entry) -> Views<'a> {
    paired(own, place).into_iter().filter(|(a, b)| a.environment != b.environment).collect()
}

pub(super) fn flips(views: &[(&Point, &Point)]) -> usize {
    views.iter().filter(|(a, b)| a.predicted != b.predicted).count()
}

pub(super) fn ratio_change(views: &[(&Point, &Point)]) -> Vec<f64> {
    differences(&ratio_pairs(views))
}

/// Every network of which a sign was moved, by each method on each set.
pub(super) fn collect(book: &Book) -> Vec<Moved<'_>> {
    let mut found = Vec::new();
    for network in networks(book) {
        for explainer in explainers(book) {
            let cells = book
                .entries
                .iter()
                .filter(|e| e.network.name == network.name && e.explainer == explainer)
                .filter(|e| !e.data.environment.is_empty() && e.data.differs_in("environment"));
            // pictures of another set differ in more than the place
            let mut sets: Vec<(&str, Vec<&Entry>)> = Vec::new();
            for cell in cells {
                match sets.iter_mut().find(|(set, _)| *set == cell.data.set) {
                    Some((_, asked)) => asked.push(cell),
                    None => sets.push((&cell.data.set, vec![cell])),
                }
            }
            for (set, asked) in sets {
                let places: Vec<&Entry> =
                    asked.iter().copied().filter(|e| !e.points.is_empty()).collect();
                let own = plain(book, &network.name, set, Some(explainer));
                if let Some(own) = own.filter(|_| !places.is_empty()) {
                    found.push(Moved { own, places, asked });
                }
            }
        }
    }
    found
}

/// The two networks of a level with the same pictures moved.
pub(super) fn both<'m>(book: &Book, all: &'m [Moved<'m>]) -> Vec<Both<'m>> {
    let mut found = Vec::new();
    for contrast in contrasts(book) {
        for correlated in all.iter().filter(|m| m.own.network.name == contrast.correlated.name) {
            let twin = all.iter().find(|u| {
                u.own.network.name == contrast.uncorrelated.name
                    && u.own.explainer == correlated.own.explainer
                    && u.own.data.set == correlated.own.data.set
            });
            found.extend(twin.map(|uncorrelated| Both { correlated, uncorrelated }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, seeded};
    use super::*;

    /// A network of a seed with its own pictures and two places, of which the second may be empty.
    fn cells(seed: u64, begun: bool) -> Vec<Entry> {
        let n = seeded(&format!("n{seed}"), "resnet50", "CF", Some(seed));
        let place = |name: &str| {
            let data = format!("synthetic:CF/test?environment={name}");
            entry(&n, &data, "gradcam", 20, |_, _| {})
        };
        let mut cells = vec![entry(&n, "CF", "gradcam", 20, |_, _| {}), place("coast")];
        let mut village = place("village");
        if begun {
            village.points.clear();
        }
        cells.push(village);
        cells
    }

    #[test]
    fn a_place_without_a_frame_is_asked_for_and_waited_for() {
        let entries = [cells(1, false), cells(2, true)].concat();
        let book = Book { entries, ..Book::default() };
        let all = collect(&book);
        let [whole, begun] = all.as_slice() else { panic!("two networks") };
        assert_eq!((whole.places.len(), begun.places.len()), (2, 1));
        assert!(whole.is_training_of(begun), "the same places in the end");
        assert!(whole.is_complete() && !begun.is_complete());
        assert_eq!(whole.recipe(), "resnet50 (f32), CF");
    }

    #[test]
    fn other_places_make_another_recipe() {
        let mut entries = [cells(1, false), cells(2, false)].concat();
        entries.pop();
        let book = Book { entries, ..Book::default() };
        let all = collect(&book);
        assert!(!all[0].is_training_of(&all[1]));
    }
}
