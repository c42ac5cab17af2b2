//! Is the order of the networks real, or the bias of an estimator? The paper's estimator against the unbiased one.

use super::{
    ATTRIBUTION_SET, SEED, empty, explainers, mean, networks, not_measured, paired, plain, title,
};
use crate::stats;
use crate::study::book::{Book, Entry};
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};

/// The estimator without a bias that matters (docs/kernel-shap.md).
const UNBIASED: &str = "permutation";

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "estimator",
        "Is the order of the networks real or an estimator's bias?",
        "Ratio by each estimator less that by antithetic permutation sampling (corrected for noise), on the same frames of CF: the bias. For every pair of \
         networks the difference between them is taken by both estimators on the same frames; if the difference of the two \
         differences leaves out zero, part of what one sees between networks is made by the estimator.",
    );
    let others: Vec<&str> =
        explainers(book).into_iter().filter(|e| !matches!(*e, "gradcam" | UNBIASED)).collect();
    let mut bias = Table::new(
        "estimator",
        "Bias against permutation sampling, CF",
        &[
            "network",
            "estimator",
            "frames",
            "permutation",
            "estimator's",
            "bias",
            "p",
            "mean error claimed",
        ],
    );
    let mut marks = Vec::new();
    for network in networks(book) {
        for other in &others {
            let of = |explainer| plain(book, &network.name, ATTRIBUTION_SET, Some(explainer));
            let (Some(reference), Some(tested)) = (of(UNBIASED), of(other)) else { continue };
            let both = paired(reference, tested);
            let Some(result) = stats::paired(&super::ratio_pairs(&both), SEED) else { continue };
            let errors: Vec<f64> = both.iter().filter_map(|(_, t)| t.ratio_error).collect();
            bias.rows.push(vec![
                Item::text(&network.name),
                Item::text(*other),
                Item::Count(result.difference.n),
                Item::number(Some(result.mean_a), 4),
                Item::number(Some(result.mean_b), 4),
                Item::difference(Some(result.difference)),
                Item::P(result.test.p),
                Item::number(mean(&errors).map(|m| m.mean), 4),
            ]);
            marks.push(Mark {
                name: format!("{}: {other}", network.name),
                group: (*other).to_owned(),
                value: result.difference.mean,
                ci95: result.difference.ci95,
            });
        }
    }
    let mut order = Table::new(
        "estimator-order",
        "Differences between networks by both estimators, same frames",
        &[
            "first",
            "second",
            "estimator",
            "frames",
            "by permutation",
            "by the estimator",
            "difference of the differences",
            "p",
        ],
    );
    let all = networks(book);
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            for other in &others {
                let of = |name: &str, e| plain(book, name, ATTRIBUTION_SET, Some(e));
                let cells = [
                    of(&a.name, UNBIASED),
                    of(&b.name, UNBIASED),
                    of(&a.name, other),
                    of(&b.name, other),
                ];
                if let [Some(pa), Some(pb), Some(oa), Some(ob)] = cells
                    && let Some((row, verdict)) = interaction([pa, pb, oa, ob], other)
                {
                    order.rows.push(row);
                    finding.verdicts.push(verdict);
                }
            }
        }
    }
    if finding.verdicts.is_empty() {
        let why = "needs two networks with Kernel SHAP by permutation and by another estimator on the same frames";
        finding.verdicts.push(not_measured("order of networks by estimator", None, why));
    }
    finding.figures.push(Figure::Intervals {
        title: "Bias of the estimator against permutation sampling".to_owned(),
        axis: "ratio less that by permutation sampling".to_owned(),
        marks,
        published: None,
        line: Some(0.0),
    });
    finding.tables.push(bias);
    finding.tables.push(order);
    finding
}

/// Second network less first by both estimators, over the frames that all four cells have.
fn interaction([pa, pb, oa, ob]: [&Entry; 4], other: &str) -> Option<(Vec<Item>, Verdict)> {
    let by = |a: &Entry, b: &Entry| -> std::collections::BTreeMap<(u16, u32), f64> {
        paired(a, b).into_iter().filter_map(|(x, y)| Some((x.key(), y.ratio? - x.ratio?))).collect()
    };
    let (reference, tested) = (by(pa, pb), by(oa, ob));
    let both: Vec<(f64, f64)> =
        reference.iter().filter_map(|(key, r)| Some((*r, *tested.get(key)?))).collect();
    let (first, second): (Vec<f64>, Vec<f64>) = both.iter().copied().unzip();
    let result = stats::paired(&both, SEED)?;
    let (true_one, seen) = (mean(&first)?, mean(&second)?);
    let made = result.difference.ci95.is_some_and(|[l, h]| l > 0.0 || h < 0.0);
    let turned = true_one.mean * seen.mean < 0.0;
    let names = (&pa.network.name, &pb.network.name);
    let row = vec![
        Item::text(names.0),
        Item::text(names.1),
        Item::text(other),
        Item::Count(both.len()),
        Item::difference(Some(true_one)),
        Item::difference(Some(seen)),
        Item::difference(Some(result.difference)),
        Item::P(result.test.p),
    ];
    let verdict = Verdict {
        what: format!("{} less {}: {} against permutation", names.1, names.0, title(other)),
        published: None,
        found: format!(
            "{} by permutation, {} by {other}; {}",
            Item::difference(Some(true_one)).shown(),
            Item::difference(Some(seen)).shown(),
            match (made, turned) {
                (true, true) => "the estimator turns the order round",
                (true, false) => "the estimator changes the size of the difference",
                (false, _) => "no sign that the estimator makes the difference",
            }
        ),
        ruling: if made { Ruling::Answered } else { Ruling::Undecided },
        why: "answered if the interval of the difference of the differences leaves out zero; no sign of a bias is no proof that there \
              is none"
            .to_owned(),
    };
    Some((row, verdict))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    /// Two networks of equal ratio; `captum` reports the second `bias` too low.
    fn book(bias: f64) -> Book {
        let (a, b) = (network("a", "resnet50", "CF"), network("b", "resnet50", "UF"));
        let cell = |n, explainer: &str, shift: f64, salt: usize| {
            entry(n, "CF", explainer, 120, |i, p| {
                p.ratio = Some(0.7 + 0.2 * noise(i) + shift + 0.01 * noise(i * 7 + salt));
            })
        };
        Book {
            entries: vec![
                cell(&a, "permutation", 0.0, 1),
                cell(&b, "permutation", 0.0, 2),
                cell(&a, "captum", 0.0, 3),
                cell(&b, "captum", -bias, 4),
            ],
            ..Book::default()
        }
    }

    #[test]
    fn a_difference_that_only_the_estimator_sees_is_named_as_its_own() {
        let found = finding(&book(0.03));
        assert_eq!(found.verdicts[0].ruling, Ruling::Answered);
        assert!(found.verdicts[0].found.contains("the estimator"), "{}", found.verdicts[0].found);
        let biased = &found.tables[0].rows[1];
        assert!(biased[5].shown().starts_with("-0.0"), "{}", biased[5].shown());
        assert_eq!(found.tables[1].rows.len(), 1);
        let found = finding(&book(0.0));
        assert_eq!(found.verdicts[0].ruling, Ruling::Undecided);
    }
}
