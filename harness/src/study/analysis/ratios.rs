//! Mean pixel ratio of every network, and whether larger networks look at the background more.

use super::{
    ATTRIBUTION_SET, NOT_OF_THE_PAPER, NOT_PUBLISHED, SEED, empty, explainers, mean, networks,
    not_measured, paired, plain, range_words, ratio_pairs, ratios, title, whole_set,
};
use crate::stats;
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;
use crate::study::collect::ONE_PLAN;
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};
use crate::study::paper;

const CONVNEXT_SMALL: &str = "convnext-small";

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "ratio",
        "How much of the attention lies on the sign?",
        "Pixel ratio: positive attribution inside the sign's mask over all positive attribution; higher means less attention \
         to the background. Mean over the ordinary test pictures of CF with Student's 95 % interval; frames without positive \
         attribution are counted, not averaged. Ratios of orders (permutation) are corrected for what clipping makes of sampling \
         noise; `maps as they stand` is without that. Chance is the mean share of the picture that the mask covers; `whole sign` \
         the ratio of a map that looks at all of the sign and at nothing else on the same grid.",
    );
    let mut table = Table::new(
        "ratio",
        "Mean pixel ratio on CF",
        &[
            "network",
            "trained on",
            "weights",
            "method",
            "frames",
            "mean ratio",
            "maps as they stand",
            "deviation of a frame",
            "undefined",
            "chance",
            "whole sign",
            "published",
        ],
    );
    let mut marks = Vec::new();
    for network in networks(book) {
        for explainer in explainers(book) {
            let Some(entry) = plain(book, &network.name, ATTRIBUTION_SET, Some(explainer)) else {
                continue;
            };
            let found = mean(&ratios(&entry.points));
            let chance: Vec<f64> = entry.points.iter().map(|p| p.mask_share).collect();
            let whole: Vec<f64> = entry.points.iter().filter_map(|p| p.proportional).collect();
            let plain: Vec<f64> = entry.points.iter().filter_map(|p| p.plain_ratio).collect();
            let undefined = entry.points.iter().filter(|p| p.ratio.is_none()).count();
            table.rows.push(vec![
                Item::text(&network.name),
                Item::text(&network.train),
                Item::text(&network.precision),
                Item::text(title(explainer)),
                Item::Count(entry.points.len()),
                Item::mean(found),
                Item::number(mean(&plain).map(|m| m.mean), 4),
                Item::number(found.and_then(|m| m.deviation), 3),
                Item::Count(undefined),
                Item::number(mean(&chance).map(|m| m.mean), 3),
                Item::number(mean(&whole).map(|m| m.mean), 3),
                Item::text(published(&entry.network, explainer)),
            ]);
            marks.extend(found.map(|m| Mark {
                name: format!("{}, {}", network.name, title(explainer)),
                group: title(explainer),
                value: m.mean,
                ci95: m.ci95,
            }));
        }
    }
    finding.figures.push(Figure::Intervals {
        title: "Mean pixel ratio on CF".to_owned(),
        axis: "mean pixel ratio".to_owned(),
        marks,
        published: None,
        line: None,
    });
    finding.verdicts.push(spread(book));
    finding.verdicts.push(convnext_small(book));
    finding.verdicts.extend(order(book));
    finding.tables.push(table);
    finding
}

/// What the paper tells of a mean ratio: one bound.
fn published(network: &NetworkFacts, explainer: &str) -> String {
    if explainer == "gradcam"
        && network.architecture == CONVNEXT_SMALL
        && whole_set(network).is_some()
    {
        format!("below {}", paper::CONVNEXT_SMALL_BELOW)
    } else {
        NOT_PUBLISHED.to_owned()
    }
}

/// Cells of CF with maps, by explainer.
fn on_cf<'a>(book: &'a Book, explainer: &'a str) -> impl Iterator<Item = &'a Entry> {
    networks(book)
        .into_iter()
        .filter_map(move |n| plain(book, &n.name, ATTRIBUTION_SET, Some(explainer)))
}

fn spread(book: &Book) -> Verdict {
    let mut found = Vec::new();
    let mut of_paper = false;
    for explainer in explainers(book) {
        let (mut halves, mut frames) = (Vec::new(), Vec::new());
        for entry in on_cf(book, explainer) {
            let Some(m) = mean(&ratios(&entry.points)) else { continue };
            let Some([low, high]) = m.ci95 else { continue };
            halves.push((high - low) / 2.0);
            frames.push(m.n);
            of_paper |= paper::has(&entry.network.architecture);
        }
        halves.sort_by(f64::total_cmp);
        let wide = match halves.as_slice() {
            [] => continue,
            [one] => format!("+-{one:.4}"),
            [least, .., most] => {
                format!("+-{least:.4} to +-{most:.4} ({} networks)", halves.len())
            }
        };
        found.push(format!("{}: {wide}, n = {}", title(explainer), range_words(&frames)));
    }
    let what = "95 % interval of a mean ratio";
    let published =
        format!("+-{} at n = {}, deviation {}", paper::HALF_WIDTH, paper::FRAMES, paper::DEVIATION);
    if found.is_empty() {
        return not_measured(what, Some(published), "no maps on CF");
    }
    let why = "the spread depends on baseline, target, layer and mask rule, which the paper does not state, and on the number of \
               frames; it is printed so that both can be judged";
    Verdict {
        what: what.to_owned(),
        published: of_paper.then_some(published),
        found: found.join("; "),
        ruling: Ruling::NotComparable,
        why: if of_paper { why.to_owned() } else { NOT_OF_THE_PAPER.to_owned() },
    }
}

fn convnext_small(book: &Book) -> Verdict {
    let what = "GradCAM ratio of ConvNeXt-Small on CF";
    let published = Some(format!("below {}", paper::CONVNEXT_SMALL_BELOW));
    let entry = on_cf(book, "gradcam")
        .find(|e| e.network.architecture == CONVNEXT_SMALL && whole_set(&e.network).is_some());
    let Some(m) = entry.and_then(|e| mean(&ratios(&e.points))) else {
        return not_measured(
            what,
            published,
            "no GradCAM maps on CF of a ConvNeXt-Small trained on a whole set",
        );
    };
    let ruling = match m.ci95 {
        Some([_, high]) if high < paper::CONVNEXT_SMALL_BELOW => Ruling::Reproduced,
        Some([low, _]) if low >= paper::CONVNEXT_SMALL_BELOW => Ruling::NotReproduced,
        _ => Ruling::Undecided,
    };
    Verdict {
        what: what.to_owned(),
        published,
        found: Item::mean(Some(m)).shown(),
        ruling,
        why: "rule: the whole interval lies on one side. The layer is the last feature map; the paper does not state its own"
            .to_owned(),
    }
}

const ORDER_RULE: &str = "rule: for every pair on the same frames the larger network's interval lies below, p (Holm) < 0.05";
const SHARED: &str = "all frames followed one coalition plan: what their ratios share by it is in no interval over frames, and as large as the \
     effects (docs/kernel-shap.md)";
const GRADCAM: &str = "GradCAM ratios of two architectures do not compare: their level belongs to the feature map that GradCAM reads as much as \
     to the network, and is another by Kernel SHAP on the same frames (docs/background-effect.md)";

/// More trainable parameters, lower ratio: for each method and training set, every pair of architectures on the same frames.
fn order(book: &Book) -> Vec<Verdict> {
    let what = |explainer: &str| format!("order of networks by ratio, {}", title(explainer));
    let published = || Some("more trainable parameters, lower ratio".to_owned());
    let mut verdicts = Vec::new();
    for explainer in explainers(book) {
        let entries: Vec<(&Entry, f64)> = on_cf(book, explainer)
            .filter(|e| whole_set(&e.network).is_some())
            .filter_map(|e| Some((e, paper::parameters(&e.network.architecture)?)))
            .collect();
        let mut pairs = Vec::new();
        for (small, less) in &entries {
            for (large, more) in &entries {
                let same = small.network.train == large.network.train
                    && small.network.is_integer() == large.network.is_integer()
                    && small.network.has_seed_of(&large.network);
                if same && less < more {
                    let found = stats::paired(&ratio_pairs(&paired(small, large)), SEED);
                    pairs.extend(found.map(|found| (small, large, found)));
                }
            }
        }
        if pairs.is_empty() {
            continue;
        }
        let p: Vec<f64> = pairs.iter().map(|(_, _, found)| found.test.p).collect();
        let holm = stats::holm(&p);
        let sure = |sign: f64| {
            pairs.iter().zip(&holm).filter(move |((_, _, found), p)| {
                let beside = |[low, high]: [f64; 2]| low * sign > 0.0 && high * sign > 0.0;
                **p < 0.05 && found.difference.ci95.is_some_and(beside)
            })
        };
        let (lower, higher) = (sure(-1.0).count(), sure(1.0).count());
        let (ruling, why) = if explainer == "gradcam" {
            (Ruling::NotComparable, GRADCAM)
        } else if explainer.ends_with(ONE_PLAN) {
            (Ruling::NotComparable, SHARED)
        } else if lower == pairs.len() {
            (Ruling::Reproduced, ORDER_RULE)
        } else if higher > 0 {
            (Ruling::NotReproduced, ORDER_RULE)
        } else {
            (Ruling::Undecided, ORDER_RULE)
        };
        let each: Vec<String> = pairs
            .iter()
            .map(|(small, large, found)| {
                format!(
                    "{} less {}: {}, n = {}",
                    large.network.name,
                    small.network.name,
                    Item::difference(Some(found.difference)).shown(),
                    found.difference.n
                )
            })
            .collect();
        verdicts.push(Verdict {
            what: what(explainer),
            published: published(),
            found: each.join("; "),
            ruling,
            why: why.to_owned(),
        });
    }
    if verdicts.is_empty() {
        let why = "needs maps on CF of two architectures trained on one set, in one number format";
        verdicts.push(not_measured("order of networks by ratio", published(), why));
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    #[test]
    fn means_are_taken_over_defined_ratios_and_undefined_ones_are_counted() {
        let n = network("a", "resnet50", "CF");
        let cell = entry(&n, "CF", "gradcam", 100, |i, p| {
            p.ratio = (i >= 10).then_some(if i % 2 == 0 { 0.4 } else { 0.6 });
        });
        let found = finding(&Book { entries: vec![cell], ..Book::default() });
        let row = &found.tables[0].rows[0];
        assert_eq!(row[4], Item::Count(100));
        assert!(row[5].shown().starts_with("0.5000 (0.4"), "{}", row[5].shown());
        assert_eq!(row[8], Item::Count(10));
        assert!(found.verdicts.iter().any(|v| v.ruling == Ruling::Missing));
    }

    /// ResNet50 and ConvNeXt-Small on the same frames, the latter higher by `shift`.
    fn two(explainer: &str, shift: f64) -> Book {
        let (small, large) = (network("r", "resnet50", "CF"), network("s", CONVNEXT_SMALL, "CF"));
        let entries = vec![
            entry(&small, "CF", explainer, 200, |i, p| p.ratio = Some(0.6 + 0.3 * noise(i))),
            entry(&large, "CF", explainer, 200, |i, p| {
                p.ratio = Some(0.6 + 0.3 * noise(i) + shift + 0.01 * noise(3 * i + 1));
            }),
        ];
        Book { entries, ..Book::default() }
    }

    fn order_of(book: &Book) -> Ruling {
        let found = finding(book);
        found.verdicts.into_iter().find(|v| v.what.starts_with("order")).unwrap().ruling
    }

    #[test]
    fn the_order_of_architectures_is_judged_on_the_same_frames() {
        let ruling = |shift| order_of(&two("permutation", shift));
        // the spread between frames is 0.09, the effect 0.01: seen because frames are paired
        assert_eq!(ruling(-0.01), Ruling::Reproduced);
        assert_eq!(ruling(0.01), Ruling::NotReproduced);
        assert_eq!(ruling(0.0), Ruling::Undecided);
    }

    #[test]
    fn gradcam_orders_no_architectures_and_a_dose_is_none_of_them() {
        assert_eq!(order_of(&two("gradcam", -0.01)), Ruling::NotComparable);
        let mut dose = two("permutation", -0.01);
        dose.entries[1].network.strength = Some(0.5);
        assert_eq!(order_of(&dose), Ruling::Missing);
    }

    #[test]
    fn the_published_bound_stands_beside_the_network_that_it_is_of() {
        let of = |explainer: &str| {
            let rows = finding(&two(explainer, -0.2)).tables.remove(0).rows;
            [rows[0][11].shown(), rows[1][11].shown()]
        };
        assert_eq!(of("gradcam"), ["not published", "below 0.5"]);
        assert_eq!(of("permutation"), ["not published"; 2]);
    }

    #[test]
    fn no_spread_is_published_of_networks_that_the_paper_does_not_have() {
        let mut book = two("gradcam", -0.2);
        let spread = |book: &Book| finding(book).verdicts.remove(0);
        assert!(spread(&book).published.is_some());
        for entry in &mut book.entries {
            "resnet-tiny".clone_into(&mut entry.network.architecture);
        }
        let verdict = spread(&book);
        assert_eq!((verdict.ruling, verdict.published), (Ruling::NotComparable, None));
        assert_eq!(verdict.why, NOT_OF_THE_PAPER);
    }
}
