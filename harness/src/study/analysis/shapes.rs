//! Shapes: which signs draw the attention to the background? Training on one shape alone is a matter of its own (`one_shape`).

use std::collections::BTreeSet;

use super::{
    ATTRIBUTION_SET, NOT_OF_THE_PAPER, NOT_PUBLISHED, SEED, answered, empty, explainers, mean,
    networks, not_measured, one_shape, plain, title, whole_set,
};
use crate::stats;
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};
use crate::study::paper;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "shape",
        "Which shapes draw attention to the background, and does training on one shape alone help?",
        "Mean ratio by shape on CF, with chance and the ratio of the whole sign evenly for the same masks; shapes are compared \
         by permutation tests of independent groups with Holm's adjustment; their order is asked for of networks that were trained on \
         all of them at the strength of the set. Single-shape training: the network trained on CMC, \
         CMT or CMR less the one trained on CM, on the matching test pictures, frame by frame; on CM where both have maps of it, \
         else on CF. Where there are two seeds or more of one, Student's t over the mean gains of the seeds decides, and a single one \
         does not.",
    );
    let (table, marks, verdicts) = by_shape(book);
    finding.figures.push(Figure::Intervals {
        title: "Mean pixel ratio by shape of the sign".to_owned(),
        axis: "mean pixel ratio".to_owned(),
        marks,
        published: None,
        line: None,
    });
    finding.tables.push(table);
    finding.verdicts.extend(verdicts);
    let (tables, verdicts) = one_shape::tables(book);
    finding.tables.extend(tables);
    finding.verdicts.extend(verdicts);
    finding
}

/// What the paper says of the shapes.
const ORDER: &str = "rectangular lowest, triangular highest";

fn by_shape(book: &Book) -> (Table, Vec<Mark>, Vec<Verdict>) {
    let mut table = Table::new(
        "shape",
        "Mean pixel ratio on CF by shape",
        &[
            "network",
            "method",
            "shape",
            "frames",
            "mean ratio",
            "chance",
            "whole sign",
            "share of whole sign",
            "published",
        ],
    );
    let (mut marks, mut verdicts) = (Vec::new(), Vec::new());
    for network in networks(book) {
        for explainer in explainers(book) {
            let Some(entry) = plain(book, &network.name, ATTRIBUTION_SET, Some(explainer)) else {
                continue;
            };
            let shapes: BTreeSet<&str> = entry.points.iter().map(|p| p.shape.as_str()).collect();
            for shape in shapes.into_iter().filter(|s| !s.is_empty()) {
                let of = || entry.points.iter().filter(|p| p.shape == shape);
                let found = mean(&of_shape(entry, shape));
                let chance: Vec<f64> = of().map(|p| p.mask_share).collect();
                let whole: Vec<f64> = of().filter_map(|p| p.proportional).collect();
                let share: Vec<f64> = of()
                    .filter_map(|p| Some(p.ratio? / p.proportional.filter(|w| *w > 0.0)?))
                    .collect();
                table.rows.push(vec![
                    Item::text(&network.name),
                    Item::text(title(explainer)),
                    Item::text(shape),
                    Item::Count(of().count()),
                    Item::mean(found),
                    Item::number(mean(&chance).map(|m| m.mean), 3),
                    Item::number(mean(&whole).map(|m| m.mean), 3),
                    Item::mean(mean(&share)),
                    Item::text(published(&entry.network, shape)),
                ]);
                marks.extend(found.map(|m| Mark {
                    name: format!("{}, {}, {shape}", network.name, title(explainer)),
                    group: shape.to_owned(),
                    value: m.mean,
                    ci95: m.ci95,
                }));
            }
            // a network that never saw two of the shapes, or saw them at another strength, was not asked for their order
            if whole_set(network).is_some() {
                verdicts.extend(order(entry));
            }
        }
    }
    if verdicts.is_empty() {
        verdicts.push(not_measured(
            "order of shapes",
            Some(ORDER.to_owned()),
            "no maps of all three shapes on CF of a network trained on a whole set",
        ));
    }
    (table, marks, verdicts)
}

/// Whether the paper tells of networks like this one: of an architecture that it has, on a whole set.
fn of_paper(network: &NetworkFacts) -> bool {
    paper::has(&network.architecture) && whole_set(network).is_some()
}

/// Where the paper puts a shape.
fn published(network: &NetworkFacts, shape: &str) -> &'static str {
    match shape {
        _ if !of_paper(network) => NOT_PUBLISHED,
        "rectangular" => "lowest of the shapes",
        "triangular" => "highest of the shapes",
        _ => NOT_PUBLISHED,
    }
}

fn of_shape(entry: &Entry, shape: &str) -> Vec<f64> {
    entry.points.iter().filter(|p| p.shape == shape).filter_map(|p| p.ratio).collect()
}

/// Rectangular below circular below triangular: the two ends against the middle, by permutation.
fn order(entry: &Entry) -> Option<Verdict> {
    let [rectangular, circular, triangular] =
        ["rectangular", "circular", "triangular"].map(|shape| of_shape(entry, shape));
    let means = [mean(&rectangular)?.mean, mean(&circular)?.mean, mean(&triangular)?.mean];
    let p = [
        stats::label_permutation(&rectangular, &circular, SEED)?.p,
        stats::label_permutation(&circular, &triangular, SEED)?.p,
        stats::label_permutation(&rectangular, &triangular, SEED)?.p,
    ];
    let holm = stats::holm(&p);
    let rises = means[0] < means[1] && means[1] < means[2];
    let against =
        (means[0] > means[1] && holm[0] < 0.05) || (means[1] > means[2] && holm[1] < 0.05);
    let ruling = if rises && holm[0] < 0.05 && holm[1] < 0.05 {
        Ruling::Reproduced
    } else if against {
        Ruling::NotReproduced
    } else {
        Ruling::Undecided
    };
    let of_paper = of_paper(&entry.network);
    let why = "rule: both steps of the order with p below 0.05; a reversed step with p below 0.05 contradicts. Masks of the shapes \
               differ in area and outline: the table has chance and whole sign beside each";
    Some(Verdict {
        what: format!("order of shapes, {}, {}", entry.network.name, title(&entry.explainer)),
        published: of_paper.then(|| ORDER.to_owned()),
        found: format!(
            "rectangular {:.4}, circular {:.4}, triangular {:.4}; p (Holm) {} and {}",
            means[0],
            means[1],
            means[2],
            Item::P(holm[0]).shown(),
            Item::P(holm[1]).shown()
        ),
        ruling: if of_paper { ruling } else { answered(ruling) },
        why: if of_paper { why.to_owned() } else { format!("{NOT_OF_THE_PAPER}. {why}") },
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    #[test]
    fn the_published_order_is_seen_and_a_reversed_one_contradicts() {
        let n = network("a", "resnet50", "CF");
        let book = |step: f64| {
            let cell = entry(&n, "CF", "gradcam", 300, |i, p| {
                // circular, triangular, rectangular in turn
                p.ratio = Some(0.6 + step * [0.0, 1.0, -1.0][i % 3] + 0.1 * noise(i / 3));
            });
            Book { entries: vec![cell], ..Book::default() }
        };
        assert_eq!(finding(&book(0.05)).verdicts[0].ruling, Ruling::Reproduced);
        assert_eq!(finding(&book(-0.05)).verdicts[0].ruling, Ruling::NotReproduced);
        assert_eq!(finding(&book(0.0)).verdicts[0].ruling, Ruling::Undecided);
        let found = finding(&book(0.0));
        let published: Vec<String> =
            found.tables[0].rows.iter().map(|row| row[8].shown()).collect();
        assert_eq!(published, ["not published", "lowest of the shapes", "highest of the shapes"]);
    }

    #[test]
    fn the_order_is_asked_for_of_whole_sets_alone_and_others_keep_their_rows() {
        let mut dose = network("dose", "resnet50", "CF");
        dose.strength = Some(0.5);
        let one = network("one", "resnet50", "CMT");
        let cell = |n: &NetworkFacts| {
            entry(n, "CF", "gradcam", 300, |i, p| {
                p.ratio = Some(0.6 - 0.05 * [0.0, 1.0, -1.0][i % 3] + 0.1 * noise(i / 3));
            })
        };
        let found = finding(&Book { entries: vec![cell(&dose), cell(&one)], ..Book::default() });
        assert_eq!(found.tables[0].rows.len(), 6);
        assert!(found.tables[0].rows.iter().all(|row| row[8] == Item::text("not published")));
        let orders: Vec<&Verdict> =
            found.verdicts.iter().filter(|v| v.what.starts_with("order")).collect();
        assert_eq!(orders.len(), 1);
        assert_eq!(orders[0].ruling, Ruling::Missing, "nothing reversed that was never asked for");
    }

    #[test]
    fn the_order_of_networks_that_the_paper_does_not_have_is_an_answer_or_none() {
        let n = network("a", "resnet-tiny", "CF");
        for (step, ruling) in
            [(0.05, Ruling::Answered), (-0.05, Ruling::Answered), (0.0, Ruling::Undecided)]
        {
            let cell = entry(&n, "CF", "gradcam", 300, |i, p| {
                p.ratio = Some(0.6 + step * [0.0, 1.0, -1.0][i % 3] + 0.1 * noise(i / 3));
            });
            let found = finding(&Book { entries: vec![cell], ..Book::default() });
            let verdict = &found.verdicts[0];
            assert_eq!((verdict.ruling, &verdict.published), (ruling, &None), "{verdict:?}");
            assert!(verdict.why.starts_with(NOT_OF_THE_PAPER), "{verdict:?}");
            assert!(found.tables[0].rows.iter().all(|row| row[8] == Item::text("not published")));
        }
    }
}
