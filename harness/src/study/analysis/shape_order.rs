//! The order of the shapes: two steps up, and what they say of what the paper found. By permutation of the frames of one network.

use super::{
    ATTRIBUTION_SET, NOT_OF_THE_PAPER, SEED, answered, explainers, mean, networks, plain, title,
    whole_set,
};
use crate::stats;
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Item, Ruling, Verdict};
use crate::study::paper;

/// From the lowest ratio to the highest, says the paper.
pub(super) const SHAPES: [&str; 3] = ["rectangular", "circular", "triangular"];
/// Differences that are tested, by position in [`SHAPES`]: the two steps of the order, and its ends.
pub(super) const STEPS: [[usize; 2]; 3] = [[0, 1], [1, 2], [0, 2]];
/// What the paper says of the shapes.
pub(super) const PUBLISHED: &str = "rectangular lowest, triangular highest";

const RULE: &str = "rule: both steps of the order with p below 0.05; a reversed step with p below 0.05 contradicts. Masks of the shapes \
                    differ in area and outline: the table has chance and whole sign beside each";

/// A cell of which the order is asked, on CF: its network saw all shapes, at the strength of the set.
pub(super) struct Asked<'a> {
    pub(super) entry: &'a Entry,
}

/// All of them, in the order of the plan.
pub(super) fn asked(book: &Book) -> Vec<Asked<'_>> {
    let mut found = Vec::new();
    for network in networks(book).into_iter().filter(|n| whole_set(n).is_some()) {
        for explainer in explainers(book) {
            let cell = plain(book, &network.name, ATTRIBUTION_SET, Some(explainer));
            found.extend(cell.map(|entry| Asked { entry }));
        }
    }
    found
}

/// Whether the paper tells of networks like this one: of an architecture that it has, on a whole set.
pub(super) fn of_paper(network: &NetworkFacts) -> bool {
    paper::has(&network.architecture) && whole_set(network).is_some()
}

/// What the two steps say, by their size and their p-values after Holm.
fn ruling(steps: [f64; 2], holm: &[f64]) -> Ruling {
    let sure = || steps.into_iter().zip(holm).filter(|(_, p)| **p < 0.05).map(|(step, _)| step);
    if sure().any(|step| step < 0.0) {
        Ruling::NotReproduced
    } else if sure().filter(|step| *step > 0.0).count() == steps.len() {
        Ruling::Reproduced
    } else {
        Ruling::Undecided
    }
}

/// The verdict on means of the shapes and p-values of [`STEPS`] after Holm; `unit` tells what the tests are over.
pub(super) fn verdict(
    what: String,
    network: &NetworkFacts,
    means: [f64; 3],
    holm: &[f64],
    unit: &str,
) -> Verdict {
    let found = ruling([means[1] - means[0], means[2] - means[1]], holm);
    let of_paper = of_paper(network);
    let each = SHAPES.iter().zip(means).map(|(shape, mean)| format!("{shape} {mean:.4}"));
    let p = holm.iter().take(2).map(|p| Item::P(*p).shown());
    let why = format!("{RULE}. {unit}");
    Verdict {
        what,
        published: of_paper.then(|| PUBLISHED.to_owned()),
        found: format!(
            "{}; p (Holm) {}",
            each.collect::<Vec<_>>().join(", "),
            p.collect::<Vec<_>>().join(" and ")
        ),
        ruling: if of_paper { found } else { answered(found) },
        why: if of_paper { why } else { format!("{NOT_OF_THE_PAPER}. {why}") },
    }
}

impl Asked<'_> {
    /// Rectangular below circular below triangular, by permutation of the frames; none without ratios of all three.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let Self { entry } = self;
        let ratios = SHAPES.map(|shape| of_shape(entry, shape));
        let [low, middle, high] = ratios.each_ref().map(|values| mean(values));
        let means = [low?.mean, middle?.mean, high?.mean];
        let p = STEPS.map(|[a, b]| stats::label_permutation(&ratios[a], &ratios[b], SEED));
        let p: Option<Vec<f64>> = p.into_iter().map(|test| Some(test?.p)).collect();
        let what = format!("order of shapes, {}, {}", entry.network.name, title(&entry.explainer));
        let unit = "Permutation of the frames, which speaks of this network";
        Some(verdict(what, &entry.network, means, &stats::holm(&p?), unit))
    }
}

/// Ratios of the frames of a shape.
pub(super) fn of_shape(entry: &Entry, shape: &str) -> Vec<f64> {
    entry.points.iter().filter(|p| p.shape == shape).filter_map(|p| p.ratio).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reversed_step_outweighs_a_right_one_and_both_steps_have_to_be_sure() {
        let (sure, open) = (0.01, 0.3);
        assert_eq!(ruling([0.1, 0.1], &[sure, sure, open]), Ruling::Reproduced);
        assert_eq!(ruling([0.1, 0.1], &[sure, open, sure]), Ruling::Undecided);
        assert_eq!(ruling([0.1, -0.1], &[sure, sure, open]), Ruling::NotReproduced);
        assert_eq!(ruling([0.1, -0.1], &[sure, open, open]), Ruling::Undecided);
        assert_eq!(ruling([0.0, 0.1], &[sure, sure, sure]), Ruling::Undecided);
    }
}
