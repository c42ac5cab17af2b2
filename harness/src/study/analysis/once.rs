//! One network, one voice: a network file under several names, or measured twice, counts once.
//!
//! A run of the desktop and one of the device may be of the same file; two names for it would make of one training two, in every
//! count of pairs, cases and doses, and hold a network against itself.

use std::collections::BTreeMap;

use crate::study::book::{Book, Entry};

/// The book with networks of equal hash under the name of the first, and of cells of one name, data and explainer that with most
/// frames.
pub(super) fn once(book: &Book) -> Book {
    let mut first: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in book.entries.iter().filter(|e| !e.network.sha256.is_empty()) {
        first.entry(&entry.network.sha256).or_insert(entry);
    }
    let mut entries: Vec<Entry> = Vec::new();
    for entry in &book.entries {
        let known = first.get(entry.network.sha256.as_str());
        let network = known.map_or(&entry.network, |known| &known.network).clone();
        let same = |e: &&mut Entry| {
            e.network.name == network.name
                && e.data.name == entry.data.name
                && e.explainer == entry.explainer
        };
        match entries.iter_mut().find(same) {
            Some(other) if other.points.len() >= entry.points.len() => {}
            Some(other) => *other = Entry { network, ..entry.clone() },
            None => entries.push(Entry { network, ..entry.clone() }),
        }
    }
    Book { facts: book.facts.clone(), entries }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network};
    use super::*;

    #[test]
    fn a_file_under_two_names_is_one_network_and_a_cell_done_twice_one_cell() {
        let named = |name: &str, hash: &str| {
            let mut n = network(name, "resnet50", "CF");
            hash.clone_into(&mut n.sha256);
            n
        };
        let (f16, copy, other) = (named("f16", "aa"), named("copy", "aa"), named("other", "bb"));
        let unknown = [named("x", ""), named("y", "")];
        let cell =
            |n, set: &str, explainer: &str, frames| entry(n, set, explainer, frames, |_, _| {});
        let entries = vec![
            cell(&f16, "CF", "gradcam", 20),
            cell(&copy, "CF", "gradcam", 40),
            cell(&copy, "CF", "captum, 1000", 10),
            cell(&other, "CF", "gradcam", 20),
            cell(&unknown[0], "CF", "gradcam", 20),
            cell(&unknown[1], "CF", "gradcam", 20),
        ];
        let found = once(&Book { entries, ..Book::default() });
        let names: Vec<(&str, &str, usize)> = found
            .entries
            .iter()
            .map(|e| (e.network.name.as_str(), e.explainer.as_str(), e.points.len()))
            .collect();
        assert_eq!(
            names,
            [
                ("f16", "gradcam", 40),
                ("f16", "captum, 1000", 10),
                ("other", "gradcam", 20),
                ("x", "gradcam", 20),
                ("y", "gradcam", 20),
            ]
        );
    }
}
