//! Shapes: which signs draw the attention to the background, and does training on one shape alone help?

use std::collections::BTreeSet;

use super::{
    ATTRIBUTION_SET, NOT_PUBLISHED, SEED, empty, explainers, mean, networks, not_measured, paired,
    plain, ratio_pairs, shape_word, title, whole_set,
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
         by permutation tests of independent groups with Holm's adjustment. Single-shape training: the network trained on CMC, \
         CMT or CMR less the one trained on CM, on the matching test pictures, frame by frame; on CM where both have maps of it, \
         else on CF.",
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
    let (table, verdict) = single_shape(book);
    finding.tables.push(table);
    finding.verdicts.push(verdict);
    finding
}

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
                    Item::text(published(shape)),
                ]);
                marks.extend(found.map(|m| Mark {
                    name: format!("{}, {}, {shape}", network.name, title(explainer)),
                    group: shape.to_owned(),
                    value: m.mean,
                    ci95: m.ci95,
                }));
            }
            verdicts.extend(order(entry));
        }
    }
    if verdicts.is_empty() {
        let published = Some("rectangular lowest, triangular highest".to_owned());
        verdicts.push(not_measured(
            "order of shapes",
            published,
            "no maps of all three shapes on CF",
        ));
    }
    (table, marks, verdicts)
}

/// Where the paper puts a shape.
fn published(shape: &str) -> &'static str {
    match shape {
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
    Some(Verdict {
        what: format!("order of shapes, {}, {}", entry.network.name, title(&entry.explainer)),
        published: Some("rectangular lowest, triangular highest".to_owned()),
        found: format!(
            "rectangular {:.4}, circular {:.4}, triangular {:.4}; p (Holm) {} and {}",
            means[0],
            means[1],
            means[2],
            Item::P(holm[0]).shown(),
            Item::P(holm[1]).shown()
        ),
        ruling,
        why: "rule: both steps of the order with p below 0.05; a reversed step with p below 0.05 contradicts. Masks of the shapes \
              differ in area and outline: the table has chance and whole sign beside each"
            .to_owned(),
    })
}

fn single_shape(book: &Book) -> (Table, Verdict) {
    let mut table = Table::new(
        "single-shape",
        "Training on one shape less training on all shapes (CM), matching test pictures",
        &[
            "architecture",
            "weights",
            "trained on",
            "tested on",
            "method",
            "frames",
            "all shapes",
            "one shape",
            "gain",
            "published",
            "p (Holm)",
        ],
    );
    let all = networks(book);
    let mut found = Vec::new();
    for single in &all {
        let Some(shape) = super::single_shape(single) else { continue };
        let twin = |n: &&&NetworkFacts| whole_set(n) == Some(super::CM) && n.is_like(single);
        for explainer in explainers(book) {
            for set in ["CM", ATTRIBUTION_SET] {
                let (Some(one), Some(every)) = (
                    plain(book, &single.name, set, Some(explainer)),
                    all.iter()
                        .filter(twin)
                        .find_map(|whole| plain(book, &whole.name, set, Some(explainer))),
                ) else {
                    continue;
                };
                let matching: Vec<_> = paired(every, one)
                    .into_iter()
                    .filter(|(p, _)| p.shape == shape_word(shape))
                    .collect();
                if let Some(result) = stats::paired(&ratio_pairs(&matching), SEED) {
                    found.push((*single, set, explainer, result));
                    break;
                }
            }
        }
    }
    let holm = stats::holm(&found.iter().map(|(.., r)| r.test.p).collect::<Vec<_>>());
    let published = format!("+{} to +{}", paper::SHAPE_GAIN[0], paper::SHAPE_GAIN[1]);
    for ((single, set, explainer, r), p) in found.iter().zip(holm) {
        table.rows.push(vec![
            Item::text(&single.architecture),
            Item::text(&single.precision),
            Item::text(&single.train),
            Item::text(*set),
            Item::text(title(explainer)),
            Item::Count(r.difference.n),
            Item::number(Some(r.mean_a), 4),
            Item::number(Some(r.mean_b), 4),
            Item::difference(Some(r.difference)),
            Item::text(&published),
            Item::P(p),
        ]);
    }
    let what = "single-shape training against all shapes";
    if found.is_empty() {
        let why = "no networks trained on CMC, CMT or CMR beside one trained on CM";
        return (table, not_measured(what, Some(published), why));
    }
    let rulings: Vec<Ruling> = found
        .iter()
        .map(|(.., r)| match r.difference.ci95 {
            Some([low, high])
                if low > 0.0 && low <= paper::SHAPE_GAIN[1] && high >= paper::SHAPE_GAIN[0] =>
            {
                Ruling::Reproduced
            }
            Some([low, high]) if high < paper::SHAPE_GAIN[0] || low > paper::SHAPE_GAIN[1] => {
                Ruling::NotReproduced
            }
            _ => Ruling::Undecided,
        })
        .collect();
    let ruling = if rulings.contains(&Ruling::NotReproduced) {
        Ruling::NotReproduced
    } else if rulings.iter().all(|r| *r == Ruling::Reproduced) {
        Ruling::Reproduced
    } else {
        Ruling::Undecided
    };
    let each: Vec<String> = found
        .iter()
        .map(|(n, set, e, r)| {
            let gain = Item::difference(Some(r.difference)).shown();
            format!("{} on {set}, {}: {gain}", n.name, title(e))
        })
        .collect();
    let verdict = Verdict {
        what: what.to_owned(),
        published: Some(published),
        found: each.join("; "),
        ruling,
        why: "rule: every interval lies above 0 and meets the published range; one that misses it contradicts".to_owned(),
    };
    (table, verdict)
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
    fn single_shape_training_is_compared_on_its_own_shape_alone() {
        let (all, one) = (network("m", "resnet50", "CM"), network("t", "resnet50", "CMT"));
        let cells = vec![
            entry(&all, "CM", "gradcam", 300, |i, p| p.ratio = Some(0.5 + 0.2 * noise(i))),
            entry(&one, "CM", "gradcam", 300, |i, p| {
                // 0.05 more on triangles, far less elsewhere
                let gain = if p.shape == "triangular" { 0.05 } else { -0.3 };
                p.ratio = Some(0.5 + 0.2 * noise(i) + gain + 0.01 * noise(i * 3 + 2));
            }),
        ];
        let found = finding(&Book { entries: cells, ..Book::default() });
        let row = &found.tables[1].rows[0];
        assert_eq!((&row[3], &row[5]), (&Item::text("CM"), &Item::Count(100)));
        assert!(row[8].shown().starts_with("+0.0"), "{}", row[8].shown());
        assert_eq!(found.verdicts.last().unwrap().ruling, Ruling::Reproduced);
    }

    #[test]
    fn a_dose_is_no_twin_and_the_test_set_is_named() {
        let dose = NetworkFacts { strength: Some(0.5), ..network("d", "resnet50", "CM") };
        let one = network("t", "resnet50", "CMT");
        let cell = |n: &NetworkFacts, set| {
            entry(n, set, "gradcam", 30, |i, p| p.ratio = Some(0.5 + 0.1 * noise(i)))
        };
        let entries = vec![cell(&dose, "CF"), cell(&one, "CF")];
        let mut book = Book { entries, ..Book::default() };
        assert_eq!(finding(&book).verdicts.last().unwrap().ruling, Ruling::Missing);
        book.entries.push(cell(&network("m", "resnet50", "CM"), "CF"));
        let found = finding(&book);
        assert_eq!(found.tables[1].rows[0][3], Item::text("CF"));
        assert!(found.verdicts.last().unwrap().found.starts_with("t on CF, GradCAM:"));
    }
}
