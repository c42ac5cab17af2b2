//! Shapes: which signs draw the attention to the background? Their order is a matter of its own (`shape_order`), and so is training on
//! one shape alone (`one_shape`).

use std::collections::BTreeSet;

use super::shape_order::{PUBLISHED, asked, of_paper, of_shape};
use super::shape_trainings::{self, Group};
use super::{
    ATTRIBUTION_SET, NOT_PUBLISHED, empty, explainers, mean, networks, not_measured, one_shape,
    plain, title,
};
use crate::study::book::Book;
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Figure, Finding, Item, Mark, Table, Verdict};

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "shape",
        "Which shapes draw attention to the background, and does training on one shape alone help?",
        "Mean ratio by shape on CF, with chance and the ratio of the whole sign evenly for the same masks; shapes are compared \
         by permutation tests of independent groups with Holm's adjustment over the three pairs of shapes; their order is asked for of \
         networks that were trained on all of them at the strength of the set. Where there are two seeds or more of one architecture, \
         number format and training set, Student's t over the steps of the seeds decides, each the difference of two means of one \
         network on the frames that all of them have, and a single seed does not. Single-shape training: the network trained on CMC, \
         CMT or CMR less the one trained on CM, on the matching test pictures, frame by frame; on CM where both have maps of it, \
         else on CF. Where there are two seeds or more of one, Student's t over the mean gains of the seeds decides, and a single one \
         does not.",
    );
    let (table, marks) = by_shape(book);
    finding.figures.push(Figure::Intervals {
        title: "Mean pixel ratio by shape of the sign".to_owned(),
        axis: "mean pixel ratio".to_owned(),
        marks,
        published: None,
        line: None,
    });
    finding.tables.push(table);
    let (table, verdicts) = orders(book);
    finding.tables.extend(table);
    finding.verdicts.extend(verdicts);
    let (tables, verdicts) = one_shape::tables(book);
    finding.tables.extend(tables);
    finding.verdicts.extend(verdicts);
    finding
}

/// Networks that stand alone, then several seeds together; the table is of the latter.
fn orders(book: &Book) -> (Option<Table>, Vec<Verdict>) {
    let asked = asked(book);
    let groups = shape_trainings::groups(&asked);
    let alone = asked.iter().filter(|a| groups.iter().all(|group| !group.holds(a)));
    let mut verdicts: Vec<Verdict> = alone.filter_map(|a| a.verdict()).collect();
    verdicts.extend(groups.iter().map(Group::verdict));
    if verdicts.is_empty() {
        verdicts.push(not_measured(
            "order of shapes",
            Some(PUBLISHED.to_owned()),
            "no maps of all three shapes on CF of a network trained on a whole set",
        ));
    }
    (shape_trainings::table(&groups), verdicts)
}

fn by_shape(book: &Book) -> (Table, Vec<Mark>) {
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
    let mut marks = Vec::new();
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
        }
    }
    (table, marks)
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

#[cfg(test)]
mod tests {
    use super::super::NOT_OF_THE_PAPER;
    use super::super::testing::{entry, network, noise};
    use super::*;
    use crate::study::finding::Ruling;

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
