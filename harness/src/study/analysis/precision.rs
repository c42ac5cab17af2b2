//! Integers against floating point: does quantization move the decision or the attention?

use super::{
    SEED, differences, empty, explainers, mean, networks, not_measured, paired, ratio_pairs, title,
};
use crate::stats;
use crate::study::book::{Book, Entry, Point};
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};

/// Largest change of the mean ratio that counts as none: the goal of docs/quantization.md.
const MARGIN: f64 = 0.005;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "precision",
        "Does quantization move the attention?",
        "The network in 8-bit integers less the same network in floating point, frame by frame. Rank correlation: Spearman's, of \
         the two maps, where both predict one class. Equivalence: two one-sided t-tests at 5 % against +-0.005.",
    );
    let mut table = Table::new(
        "precision",
        "Integers less floating point",
        &[
            "integers",
            "floating point",
            "test",
            "method",
            "frames",
            "same class",
            "change of accuracy",
            "change of ratio",
            "p",
            "p, equivalent",
            "rank correlation of maps",
            "lowest",
        ],
    );
    let mut marks = Vec::new();
    for (integer, float, explainer) in twins(book) {
        let both = paired(float, integer);
        let change = differences(&ratio_pairs(&both));
        let right = |p: &Point| f64::from(u8::from(p.correct()));
        let accuracy: Vec<f64> = both.iter().map(|(f, i)| right(i) - right(f)).collect();
        let same: Vec<_> = both.iter().filter(|(f, i)| f.predicted == i.predicted).collect();
        let order: Vec<f64> = same.iter().filter_map(|(f, i)| correlation(f, i)).collect();
        let test = stats::tost(&change, MARGIN);
        table.rows.push(vec![
            Item::text(&integer.network.name),
            Item::text(&float.network.name),
            Item::text(&integer.data.set),
            Item::text(title(explainer)),
            Item::Count(both.len()),
            Item::share(stats::wilson(same.len(), both.len())),
            Item::difference(mean(&accuracy)),
            Item::difference(mean(&change)),
            Item::p(stats::sign_flip(&change, SEED).map(|t| t.p)),
            Item::p(test.map(|t| t.p)),
            Item::mean(mean(&order)),
            Item::number(order.iter().copied().reduce(f64::min), 3),
        ]);
        marks.extend(mean(&change).map(|m| Mark {
            name: format!("{} on {}, {}", integer.network.name, integer.data.set, title(explainer)),
            group: title(explainer),
            value: m.mean,
            ci95: m.ci95,
        }));
        let same_within = test.is_some_and(|t| t.equivalent);
        let moved = mean(&change)
            .and_then(|m| m.ci95)
            .is_some_and(|[low, high]| low > MARGIN || high < -MARGIN);
        finding.verdicts.push(Verdict {
            what: format!(
                "{} against {}, {}",
                integer.network.name,
                float.network.name,
                title(explainer)
            ),
            published: None,
            found: format!(
                "ratio {}, mean rank correlation of the maps {}, same class on {} of {}: {}",
                Item::difference(mean(&change)).shown(),
                Item::mean(mean(&order)).shown(),
                same.len(),
                both.len(),
                if same_within {
                    "no change within the margin"
                } else if moved {
                    "the attention moves by more than the margin"
                } else {
                    "the interval is too wide for the margin"
                }
            ),
            ruling: if same_within || moved { Ruling::Answered } else { Ruling::Undecided },
            why: format!("rule: equivalence within +-{MARGIN}, or an interval beyond it"),
        });
    }
    if finding.verdicts.is_empty() {
        let why = "needs a network in integers and in floating point on the same frames";
        finding.verdicts.push(not_measured("integers against floating point", None, why));
    }
    finding.figures.push(Figure::Intervals {
        title: "Integers less floating point".to_owned(),
        axis: "change of the mean pixel ratio".to_owned(),
        marks,
        published: None,
        line: Some(0.0),
    });
    finding.tables.push(table);
    finding
}

fn correlation(a: &Point, b: &Point) -> Option<f64> {
    let wide = |map: &[f32]| map.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    stats::spearman(&wide(&a.map), &wide(&b.map))
}

/// Cells of ordinary pictures of a network in both number formats, by the same method.
fn twins(book: &Book) -> Vec<(&Entry, &Entry, &str)> {
    let all = networks(book);
    let mut found = Vec::new();
    for integer in all.iter().filter(|n| n.is_integer()) {
        let float = all.iter().find(|n| {
            !n.is_integer()
                && n.architecture == integer.architecture
                && n.train == integer.train
                && n.strength == integer.strength
        });
        let Some(float) = float else { continue };
        for explainer in explainers(book) {
            for set in ["CF", "CM", "CH", "UF", "UM", "UH"] {
                let of = |name: &str| super::plain(book, name, set, Some(explainer));
                if let (Some(i), Some(f)) = (of(&integer.name), of(&float.name)) {
                    found.push((i, f, explainer));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    fn book(shift: f64) -> Book {
        let float = network("a.f32", "resnet50", "CF");
        let mut integer = network("a", "resnet50", "CF");
        "int8-qdq".clone_into(&mut integer.precision);
        let map = |i: usize| [1.0, 2.0, 3.0, i as f32];
        Book {
            entries: vec![
                entry(&float, "CF", "gradcam", 100, |i, p| {
                    p.ratio = Some(0.6 + 0.2 * noise(i));
                    p.map = map(i).to_vec();
                }),
                entry(&integer, "CF", "gradcam", 80, |i, p| {
                    p.ratio = Some(0.6 + 0.2 * noise(i) + shift + 0.002 * noise(i * 11));
                    p.map = map(i).map(|v| 10.0 * v).to_vec();
                    p.predicted = if i == 0 { p.class + 1 } else { p.class };
                }),
            ],
            ..Book::default()
        }
    }

    #[test]
    fn equal_attention_is_equivalent_and_a_shift_is_seen() {
        let found = finding(&book(0.0));
        assert!(
            found.verdicts[0].found.ends_with("no change within the margin"),
            "{}",
            found.verdicts[0].found
        );
        let row = &found.tables[0].rows[0];
        assert_eq!(row[4], Item::Count(80));
        assert!(
            row[5].shown().starts_with("98.75 %") && row[10].shown().starts_with("1.0000"),
            "{row:?}"
        );
        let found = finding(&book(-0.02));
        assert!(
            found.verdicts[0].found.ends_with("more than the margin"),
            "{}",
            found.verdicts[0].found
        );
    }
}
