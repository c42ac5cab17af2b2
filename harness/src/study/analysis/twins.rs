//! Which cells are of one network in two number formats, and what stands in the way of comparing them.

use super::{explainers, networks, plain};
use crate::study::book::{Book, Entry, estimator_of};

/// Sets whose ordinary test pictures are looked at.
const SETS: [&str; 6] = ["CF", "CM", "CH", "UF", "UM", "UH"];
/// Digits of a hash that tell it from others at a glance.
const DIGITS: usize = 8;

/// The cells of a network in integers and of one in floating point, by the same method on the same set.
pub(super) struct Twin<'a> {
    pub(super) integer: &'a Entry,
    pub(super) float: &'a Entry,
    pub(super) explainer: &'a str,
    /// What makes them twins.
    pub(super) origin: String,
    /// Why they are not compared.
    pub(super) obstacle: Option<String>,
}

/// All twins of a book, those that are not compared among them: architecture and training set are the same.
pub(super) fn twins(book: &Book) -> Vec<Twin<'_>> {
    let all = networks(book);
    let mut found = Vec::new();
    for integer in all.iter().filter(|n| n.is_integer()) {
        let floats = all.iter().filter(|n| {
            !n.is_integer()
                && n.architecture == integer.architecture
                && n.train == integer.train
                && n.strength == integer.strength
                && n.has_seed_of(integer)
        });
        for float in floats {
            for explainer in explainers(book) {
                for set in SETS {
                    let Some(i) = plain(book, &integer.name, set, Some(explainer)) else {
                        continue;
                    };
                    let f = plain(book, &float.name, set, Some(explainer))
                        .or_else(|| by_estimator(book, &float.name, set, explainer));
                    found.extend(f.map(|f| twin(i, f, explainer)));
                }
            }
        }
    }
    found
}

/// The cell of the same estimator with another number of evaluations, so that it does not go missing without a word.
fn by_estimator<'a>(
    book: &'a Book,
    network: &str,
    set: &str,
    explainer: &str,
) -> Option<&'a Entry> {
    let estimator = estimator_of(explainer);
    let other = explainers(book).into_iter().filter(|e| estimator_of(e) == estimator);
    other.filter_map(|e| plain(book, network, set, Some(e))).next()
}

fn twin<'a>(integer: &'a Entry, float: &'a Entry, explainer: &'a str) -> Twin<'a> {
    let (told, found) = (&integer.network.float_sha256, &float.network.sha256);
    let origin = if told.is_empty() {
        "one architecture and training set; its manifest does not tell what it was quantized from"
    } else {
        "quantized from it, by sha256"
    };
    let obstacle = if !told.is_empty() && told != found {
        Some(format!("quantized from {}, not from {}", short(told), short(found)))
    } else if integer.hash_plan != float.hash_plan || integer.explainer != float.explainer {
        let plans = [&integer.hash_plan, &float.hash_plan].map(|hash| short(hash));
        Some(format!(
            "other coalitions ({} and {} evaluations by plans {} and {})",
            integer.evaluations, float.evaluations, plans[0], plans[1]
        ))
    } else {
        None
    };
    Twin { integer, float, explainer, origin: origin.to_owned(), obstacle }
}

fn short(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network};
    use super::*;
    use crate::study::cell::NetworkFacts;

    fn cell(network: &NetworkFacts, explainer: &str) -> Entry {
        entry(network, "CF", explainer, 10, |_, _| {})
    }

    /// An integer network that was quantized from `told`, and two in floating point.
    fn book(told: &str) -> Book {
        let mut integer = network("a", "resnet50", "CF");
        "int8-qdq".clone_into(&mut integer.precision);
        told.clone_into(&mut integer.float_sha256);
        let floats = ["1111111111", "2222222222"].map(|sha256| NetworkFacts {
            sha256: sha256.to_owned(),
            ..network(&format!("f{sha256}"), "resnet50", "CF")
        });
        let other = network("b", "convnext-tiny", "CF");
        let all = [&integer, &floats[0], &floats[1], &other];
        Book { entries: all.map(|n| cell(n, "gradcam")).to_vec(), ..Book::default() }
    }

    #[test]
    fn the_network_that_it_was_quantized_from_is_its_twin_if_the_manifest_tells() {
        let told = book("2222222222");
        let all = twins(&told);
        let obstacles: Vec<Option<&str>> = all.iter().map(|t| t.obstacle.as_deref()).collect();
        assert_eq!(obstacles, [Some("quantized from 22222222, not from 11111111"), None]);
        assert!(all[1].origin.contains("sha256"));
        // nothing told: the training set decides, and the row says so
        let untold = book("");
        let all = twins(&untold);
        assert!(all.len() == 2 && all.iter().all(|t| t.obstacle.is_none()));
        assert!(all[0].origin.contains("does not tell"), "{}", all[0].origin);
    }

    #[test]
    fn another_number_of_evaluations_is_named() {
        let mut book = book("");
        for (entry, evaluations) in book.entries.iter_mut().zip([98, 962, 98, 98]) {
            entry.explainer = format!("permutation, {evaluations}");
            entry.evaluations = evaluations;
        }
        let all = twins(&book);
        assert_eq!(all.len(), 2);
        let why = all[0].obstacle.as_deref().unwrap();
        assert!(why.contains("98 and 962 evaluations"), "{why}");
        assert_eq!(all[1].obstacle, None);
    }
}
