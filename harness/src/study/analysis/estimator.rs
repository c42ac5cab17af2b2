//! Is the order of the networks real, or the bias of an estimator? The paper's estimator against the unbiased one.

use std::collections::BTreeMap;

use super::alike::Measure;
use super::{
    ATTRIBUTION_SET, SEED, empty, explainers, mean, networks, not_measured, paired, plain, title,
};
use crate::stats::{self, MeanInterval, Paired};
use crate::study::book::{Book, Entry, estimator_of};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};

/// The estimator without a bias that matters (docs/kernel-shap.md).
const UNBIASED: &str = "permutation";

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "estimator",
        "Is the order of the networks real or an estimator's bias?",
        "Ratio by each estimator less that by antithetic permutation sampling, on the same frames of CF: the bias. The reference is \
         corrected for sampling noise where its store allows it (`reference`); others are taken as they stand, noise and all, because \
         that is what one would see. For every pair of networks of one seed the difference between them is taken by both estimators on the same \
         frames; if the difference of the two differences leaves out zero, part of what one sees between networks is made by the \
         estimator. p-values are adjusted by Holm's method over the rows of each table.",
    );
    let others: Vec<&str> = explainers(book)
        .into_iter()
        .filter(|e| !matches!(estimator_of(e), "gradcam" | UNBIASED))
        .collect();
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
            "p (Holm)",
            "mean error claimed",
            "reference",
        ],
    );
    let mut marks = Vec::new();
    let mut tested_by = Vec::new();
    for network in networks(book) {
        for other in &others {
            let tested = plain(book, &network.name, ATTRIBUTION_SET, Some(other));
            let (Some(reference), Some(tested)) = (reference(book, &network.name), tested) else {
                continue;
            };
            let both = paired(reference, tested);
            let ratios: Vec<_> =
                both.iter().filter_map(|(r, t)| Some((r.ratio?, t.ratio?))).collect();
            let Some(result) = stats::paired(&ratios, SEED) else { continue };
            let errors: Vec<f64> = both.iter().filter_map(|(_, t)| t.ratio_error).collect();
            let measure = Measure::of(both.iter().map(|(r, _)| *r));
            tested_by.push((network, *other, result, errors, describe(reference, measure)));
            marks.push(Mark {
                name: format!("{}: {other}", network.name),
                group: (*other).to_owned(),
                value: result.difference.mean,
                ci95: result.difference.ci95,
            });
        }
    }
    let p: Vec<f64> = tested_by.iter().map(|(_, _, result, _, _)| result.test.p).collect();
    for ((network, other, result, errors, reference), holm) in tested_by.iter().zip(stats::holm(&p))
    {
        bias.rows.push(vec![
            Item::text(&network.name),
            Item::text(*other),
            Item::Count(result.difference.n),
            Item::number(Some(result.mean_a), 4),
            Item::number(Some(result.mean_b), 4),
            Item::difference(Some(result.difference)),
            Item::P(result.test.p),
            Item::P(holm),
            Item::number(mean(errors).map(|m| m.mean), 4),
            Item::text(reference),
        ]);
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
            "p (Holm)",
            "reference",
        ],
    );
    let mut interactions = Vec::new();
    let all = networks(book);
    for (i, a) in all.iter().enumerate() {
        // one training in two number formats has no order of its own, and two seeds make a difference of theirs
        let another = |b: &&&NetworkFacts| {
            b.has_seed_of(a)
                && (&b.architecture, &b.train, b.strength.map(f64::to_bits))
                    != (&a.architecture, &a.train, a.strength.map(f64::to_bits))
        };
        for b in all[i + 1..].iter().filter(another) {
            for other in &others {
                let of = |name: &str| plain(book, name, ATTRIBUTION_SET, Some(other));
                let cells =
                    [reference(book, &a.name), reference(book, &b.name), of(&a.name), of(&b.name)];
                if let [Some(pa), Some(pb), Some(oa), Some(ob)] = cells
                    // more evaluations of one than of the other make a difference of their own
                    && pa.explainer == pb.explainer
                {
                    interactions.extend(Interaction::new([pa, pb, oa, ob], other));
                }
            }
        }
    }
    let p: Vec<f64> = interactions.iter().map(|i| i.result.test.p).collect();
    for (interaction, holm) in interactions.iter().zip(stats::holm(&p)) {
        order.rows.push(interaction.row(holm));
        finding.verdicts.push(interaction.verdict(holm));
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

/// The cell of a network by permutation sampling with most evaluations.
fn reference<'a>(book: &'a Book, network: &str) -> Option<&'a Entry> {
    let unbiased = explainers(book).into_iter().filter(|e| estimator_of(e) == UNBIASED);
    unbiased
        .filter_map(|e| plain(book, network, ATTRIBUTION_SET, Some(e)))
        .max_by_key(|entry| entry.evaluations)
}

fn describe(reference: &Entry, measure: Measure) -> String {
    format!("{}, {}", reference.explainer, measure.words())
}

/// Second network less first by both estimators, over the frames that all four cells have.
struct Interaction<'a> {
    networks: [&'a str; 2],
    other: &'a str,
    by_reference: Vec<f64>,
    by_other: Vec<f64>,
    result: Paired,
    measure: Measure,
    reference: String,
}

impl<'a> Interaction<'a> {
    fn new([pa, pb, oa, ob]: [&'a Entry; 4], other: &'a str) -> Option<Self> {
        let by = |a: &Entry, b: &Entry| -> (Measure, BTreeMap<(u16, u32), f64>) {
            let both = paired(a, b);
            let measure = Measure::of_pairs(&both);
            let of = |p| measure.ratio(p);
            let difference = both.iter().filter_map(|(x, y)| Some((x.key(), of(y)? - of(x)?)));
            (measure, difference.collect())
        };
        let ((measure, reference), (_, tested)) = (by(pa, pb), by(oa, ob));
        let both: Vec<(f64, f64)> =
            reference.iter().filter_map(|(key, r)| Some((*r, *tested.get(key)?))).collect();
        let (by_reference, by_other) = both.iter().copied().unzip();
        Some(Self {
            networks: [&pa.network.name, &pb.network.name],
            other,
            by_reference,
            by_other,
            result: stats::paired(&both, SEED)?,
            measure,
            reference: describe(pa, measure),
        })
    }

    fn row(&self, holm: f64) -> Vec<Item> {
        vec![
            Item::text(self.networks[0]),
            Item::text(self.networks[1]),
            Item::text(self.other),
            Item::Count(self.by_other.len()),
            Item::difference(mean(&self.by_reference)),
            Item::difference(mean(&self.by_other)),
            Item::difference(Some(self.result.difference)),
            Item::P(self.result.test.p),
            Item::P(holm),
            Item::text(&self.reference),
        ]
    }

    fn verdict(&self, p_holm: f64) -> Verdict {
        let (true_one, seen) = (mean(&self.by_reference), mean(&self.by_other));
        let made =
            p_holm < 0.05 && self.result.difference.ci95.is_some_and(|[l, h]| l > 0.0 || h < 0.0);
        let beside = |m: MeanInterval| m.ci95.is_some_and(|[l, h]| l > 0.0 || h < 0.0);
        let turned = matches!((true_one, seen), (Some(t), Some(s))
            if t.mean * s.mean < 0.0 && beside(t) && beside(s));
        let biased = match self.measure {
            Measure::Corrected => "",
            Measure::Plain | Measure::Common => " (as the maps stand)",
        };
        Verdict {
            what: format!(
                "{} less {}: {} against permutation",
                self.networks[1],
                self.networks[0],
                title(self.other)
            ),
            published: None,
            found: format!(
                "{} by permutation{biased}, {} by {}; {}",
                Item::difference(true_one).shown(),
                Item::difference(seen).shown(),
                estimator_of(self.other),
                match (made, turned) {
                    (true, true) => "the estimator turns the order round",
                    (true, false) => "the estimator changes the size of the difference",
                    (false, _) => "no sign that the estimator makes the difference",
                }
            ),
            ruling: if made { Ruling::Answered } else { Ruling::Undecided },
            why: "answered if the interval of the difference of the differences leaves out zero and p after Holm is below 0.05; no sign of a bias is no proof \
                  that there is none"
                .to_owned(),
        }
    }
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

    #[test]
    fn p_values_are_those_that_holm_leaves_of_all_rows() {
        let found = finding(&book(0.03));
        let p = |table: usize, column: usize| -> Vec<f64> {
            let of = |row: &Vec<Item>| match row[column] {
                Item::P(p) => p,
                _ => panic!("{row:?}"),
            };
            found.tables[table].rows.iter().map(of).collect()
        };
        assert_eq!(p(0, 7), stats::holm(&p(0, 6)));
        assert_ne!(p(0, 7), p(0, 6));
        assert_eq!(p(1, 8), stats::holm(&p(1, 7)));
    }

    #[test]
    fn a_reference_without_correction_is_named_and_differences_are_alike() {
        let mut book = book(0.0);
        for (i, entry) in book.entries.iter_mut().enumerate() {
            for p in &mut entry.points {
                p.plain_ratio = p.ratio;
                // one of the two networks was sampled by a program that tells no correction
                if i == 0 {
                    p.ratio = p.ratio.map(|r| r + 0.05);
                    p.corrected = true;
                }
            }
        }
        let found = finding(&book);
        let biases = &found.tables[0].rows;
        assert_eq!(biases[0][9].shown(), "permutation, corrected");
        assert!(biases[0][5].shown().starts_with("-0.05"), "corrected against as it stands");
        assert_eq!(biases[1][9].shown(), "permutation, as the maps stand");
        let order = &found.tables[1].rows[0];
        assert!(order[9].shown().contains("not all have a correction"), "{order:?}");
        assert_eq!(found.verdicts[0].ruling, Ruling::Undecided, "{:?}", found.verdicts[0]);
    }

    #[test]
    fn the_reference_has_most_evaluations_and_is_the_same_for_both_networks() {
        let mut book = book(0.03);
        let numbers = [962, 98, 1000, 1000];
        for (entry, n) in book.entries.iter_mut().zip(numbers) {
            entry.explainer = format!("{}, {n}", entry.explainer);
            entry.evaluations = n;
        }
        let few = Entry {
            explainer: "permutation, 98".to_owned(),
            evaluations: 98,
            ..book.entries[0].clone()
        };
        book.entries.push(few);
        let found = finding(&book);
        assert!(found.tables[0].rows[0][9].shown().starts_with("permutation, 962"));
        assert!(found.tables[1].rows.is_empty(), "962 of one network against 98 of the other");
        assert_eq!(found.verdicts[0].ruling, Ruling::Missing);
    }

    #[test]
    fn networks_of_different_seeds_are_no_pair() {
        let seeds = |of_a, of_b| {
            let mut book = book(0.03);
            for entry in &mut book.entries {
                entry.network.seed = if entry.network.name == "a" { of_a } else { of_b };
            }
            finding(&book)
        };
        assert_eq!(seeds(Some(1), Some(1)).tables[1].rows.len(), 1);
        assert_eq!(seeds(Some(1), None).tables[1].rows.len(), 1, "as far as is known");
        let found = seeds(Some(1), Some(2));
        assert!(found.tables[1].rows.is_empty());
        assert_eq!((found.verdicts[0].ruling, found.tables[0].rows.len()), (Ruling::Missing, 2));
    }
}
