//! The central contrast: correlated against uncorrelated training, on the same pictures.

use std::collections::BTreeMap;

use datasets::sets::Level;

use super::alike::Measure;
use super::{
    ATTRIBUTION_SET, SEED, contrasts, empty, explainers, level_letter, mean, not_measured, paired,
    plain, title,
};
use crate::stats::{self, MeanInterval, Paired};
use crate::study::book::{Book, Entry, Point};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};
use crate::study::paper;

/// Test sets on which the contrast is taken: the paper's, and its uncorrelated twin.
const SETS: [&str; 2] = [ATTRIBUTION_SET, "UF"];

struct Row<'a> {
    network: &'a NetworkFacts,
    level: Level,
    set: &'static str,
    explainer: &'a str,
    both: usize,
    measure: Measure,
    paired: Paired,
    differences: Vec<f64>,
    /// The same over the frames on which both networks predict the same class.
    agreed: Option<Paired>,
    /// The same of ratios that are not corrected for sampling.
    plain: Option<Paired>,
    /// Over the means of the classes.
    classes: Option<MeanInterval>,
}

fn rows(book: &Book) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for contrast in contrasts(book) {
        for explainer in explainers(book) {
            for set in SETS {
                let of = |network: &NetworkFacts| plain(book, &network.name, set, Some(explainer));
                let (Some(c), Some(u)) = (of(contrast.correlated), of(contrast.uncorrelated))
                else {
                    continue;
                };
                rows.extend(row(c, u, contrast.level, set, explainer));
            }
        }
    }
    rows
}

fn row<'a>(
    c: &'a Entry,
    u: &Entry,
    level: Level,
    set: &'static str,
    explainer: &'a str,
) -> Option<Row<'a>> {
    let both = paired(c, u);
    let measure = Measure::of_pairs(&both);
    let pairs = measure.pairs(&both);
    let plain: Vec<_> =
        both.iter().filter_map(|(a, b)| Some((a.plain_ratio?, b.plain_ratio?))).collect();
    let same: Vec<_> = both.iter().copied().filter(|(a, b)| a.predicted == b.predicted).collect();
    Some(Row {
        network: &c.network,
        level,
        set,
        explainer,
        both: both.len(),
        measure,
        paired: stats::paired(&pairs, SEED)?,
        differences: super::differences(&pairs),
        agreed: stats::paired(&measure.pairs(&same), SEED),
        plain: stats::paired(&plain, SEED),
        classes: mean(&class_means(&both, measure)),
    })
}

/// Mean difference of each class: the unit, if other signs than these were meant.
fn class_means(both: &[(&Point, &Point)], measure: Measure) -> Vec<f64> {
    let mut classes: BTreeMap<u16, Vec<f64>> = BTreeMap::new();
    for (a, b) in both {
        if let (Some(first), Some(second)) = (measure.ratio(a), measure.ratio(b)) {
            classes.entry(a.class).or_default().push(second - first);
        }
    }
    classes.values().map(|d| d.iter().sum::<f64>() / d.len() as f64).collect()
}

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "contrast",
        "Does training with correlated backgrounds make a network look at the background?",
        "Mean pixel ratio of the network trained on uncorrelated pictures less that of its twin trained on correlated ones, \
         frame by frame on the same test pictures; positive: the correlated network looks at the background more. Student's \
         95 % interval of the paired difference, sign-flip test, Holm's adjustment over all rows, Cohen's d_z. `same class` \
         keeps the frames on which both predict one class, so that maps of one class are compared. The interval over frames is of these \
         signs; `class means` takes the class as the unit, as one would for other signs. Ratios of orders (permutation) are \
         corrected for what clipping makes of sampling noise; the last but one column is without that, and so is the whole row where one \
         of the two has no correction (`ratios`).",
    );
    let rows = rows(book);
    let p: Vec<f64> = rows.iter().map(|r| r.paired.test.p).collect();
    let holm = stats::holm(&p);
    let mut table = Table::new(
        "contrast",
        "Uncorrelated less correlated training, paired",
        &[
            "architecture",
            "weights",
            "level",
            "test",
            "method",
            "frames",
            "correlated",
            "uncorrelated",
            "difference",
            "published",
            "p",
            "p (Holm)",
            "d_z",
            "difference, same class",
            "difference, class means",
            "difference, maps as they stand",
            "ratios",
        ],
    );
    for (r, &p_holm) in rows.iter().zip(&holm) {
        table.rows.push(vec![
            Item::text(&r.network.architecture),
            Item::text(&r.network.precision),
            Item::text(level_letter(r.level)),
            Item::text(r.set),
            Item::text(title(r.explainer)),
            Item::Count(r.both),
            Item::number(Some(r.paired.mean_a), 4),
            Item::number(Some(r.paired.mean_b), 4),
            Item::difference(Some(r.paired.difference)),
            Item::text(published(&r.network.architecture)),
            Item::P(r.paired.test.p),
            Item::P(p_holm),
            Item::number(r.paired.effect, 2),
            Item::difference(r.agreed.map(|p| p.difference)),
            Item::difference(r.classes),
            Item::difference(r.plain.map(|p| p.difference)),
            Item::text(r.measure.words()),
        ]);
    }
    finding.figures.push(Figure::Intervals {
        title: "Uncorrelated less correlated training".to_owned(),
        axis: "difference of the mean pixel ratio".to_owned(),
        marks: rows
            .iter()
            .map(|r| Mark {
                name: format!(
                    "{} ({}), {} on {}",
                    r.network.architecture,
                    r.network.precision,
                    title(r.explainer),
                    r.set
                ),
                group: title(r.explainer),
                value: r.paired.difference.mean,
                ci95: r.paired.difference.ci95,
            })
            .collect(),
        published: Some(paper::RATIO_DROP),
        line: Some(0.0),
    });
    finding.tables.push(table);
    for (r, &p_holm) in rows.iter().zip(&holm).filter(|(r, _)| r.set == ATTRIBUTION_SET) {
        finding.verdicts.push(verdict(r, p_holm));
    }
    for (architecture, _) in paper::PARAMETERS {
        if rows.iter().all(|r| r.network.architecture != architecture) {
            finding.verdicts.push(not_measured(
                &format!("{architecture}: correlated against uncorrelated"),
                Some(published(architecture)),
                "needs two networks of this architecture, trained on C and on U of one level",
            ));
        }
    }
    finding
}

fn published(architecture: &str) -> String {
    if architecture == "resnet50" {
        "minimal".to_owned()
    } else {
        format!("{} to {}", paper::RATIO_DROP[0], paper::RATIO_DROP[1])
    }
}

fn verdict(r: &Row<'_>, p_holm: f64) -> Verdict {
    let architecture = &r.network.architecture;
    let (smallest, largest) = (paper::RATIO_DROP[0], paper::RATIO_DROP[1]);
    let ci95 = r.paired.difference.ci95;
    let sure = p_holm < 0.05;
    let (ruling, rule) = if architecture == "resnet50" {
        let same = stats::tost(&r.differences, smallest).is_some_and(|t| t.equivalent);
        let ruling = match ci95 {
            _ if same => Ruling::Reproduced,
            Some([low, high]) if (low > smallest || high < -smallest) && sure => {
                Ruling::NotReproduced
            }
            _ => Ruling::Undecided,
        };
        (
            ruling,
            format!(
                "equivalence test (two one-sided, 5 %) within +-{smallest}, the paper's smallest difference"
            ),
        )
    } else {
        let ruling = match ci95 {
            Some([low, high]) if low > 0.0 && low <= largest && high >= smallest && sure => {
                Ruling::Reproduced
            }
            Some([low, high]) if high < smallest || low > largest => Ruling::NotReproduced,
            _ => Ruling::Undecided,
        };
        (
            ruling,
            format!("the interval lies above 0 and meets {smallest} to {largest}, p (Holm) < 0.05"),
        )
    };
    Verdict {
        what: format!(
            "{architecture} ({}), {}: correlated against uncorrelated",
            r.network.precision,
            title(r.explainer)
        ),
        published: Some(published(architecture)),
        found: format!(
            "{}, p (Holm) {}, n = {}; over class means {}",
            Item::difference(Some(r.paired.difference)).shown(),
            Item::P(p_holm).shown(),
            r.differences.len(),
            Item::difference(r.classes).shown()
        ),
        ruling,
        why: format!(
            "rule: {rule}. The interval over frames speaks of these signs and these two networks (one training a set), not of other signs or of the two \
             ways to train"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    fn book(architecture: &str, shift: f64, jitter: f64) -> Book {
        let (c, u) = (network("c", architecture, "CF"), network("u", architecture, "UF"));
        let base = |i: usize| 0.6 + 0.3 * noise(i);
        Book {
            entries: vec![
                entry(&c, "CF", "gradcam", 300, |i, p| p.ratio = Some(base(i))),
                entry(&u, "CF", "gradcam", 300, |i, p| {
                    p.ratio = Some(base(i) + shift + jitter * noise(i * 13 + 5));
                    // every tenth frame is another class to the second network
                    p.predicted = if i % 10 == 0 { p.class + 1 } else { p.class };
                }),
            ],
            ..Book::default()
        }
    }

    fn ruling(architecture: &str, shift: f64, jitter: f64) -> Ruling {
        finding(&book(architecture, shift, jitter)).verdicts[0].ruling
    }

    #[test]
    fn a_planted_difference_is_found_with_its_size() {
        let found = finding(&book("convnext-tiny", 0.015, 0.02));
        let row = &found.tables[0].rows[0];
        let Item::Number { value, ci95: Some([low, high]), .. } = row[8] else { panic!("{row:?}") };
        assert!((value - 0.015).abs() < 0.002 && low > 0.01 && high < 0.02, "{row:?}");
        let Item::P(p) = row[10] else { panic!("{row:?}") };
        assert!(p < 0.001, "{p}");
        assert_eq!(row[5], Item::Count(300));
        assert_ne!(row[13], Item::Nothing);
    }

    #[test]
    fn the_rules_tell_agreement_contradiction_and_too_few_frames_apart() {
        assert_eq!(ruling("convnext-tiny", 0.015, 0.02), Ruling::Reproduced);
        assert_eq!(ruling("convnext-tiny", -0.015, 0.02), Ruling::NotReproduced);
        assert_eq!(ruling("convnext-tiny", 0.1, 0.02), Ruling::NotReproduced);
        assert_eq!(ruling("convnext-tiny", 0.006, 0.9), Ruling::Undecided);
        assert_eq!(ruling("resnet50", 0.001, 0.01), Ruling::Reproduced);
        assert_eq!(ruling("resnet50", 0.02, 0.01), Ruling::NotReproduced);
        assert_eq!(ruling("resnet50", 0.001, 0.9), Ruling::Undecided);
    }

    #[test]
    fn the_verdict_has_the_p_value_that_holm_leaves() {
        let book = book("resnet50", 0.02, 0.5);
        // the same pictures by another method: a family of two
        let twice = book.entries.iter().map(|e| Entry {
            explainer: "captum, 1000".to_owned(),
            points: e.points[..20].to_vec(),
            ..e.clone()
        });
        let entries = book.entries.iter().cloned().chain(twice).collect();
        let found = finding(&Book { entries, ..Book::default() });
        let rows = &found.tables[0].rows;
        assert!(rows.iter().any(|r| r[10] != r[11]), "{rows:?}");
        for (row, verdict) in rows.iter().zip(&found.verdicts) {
            let printed = format!("p (Holm) {},", row[11].shown());
            assert!(verdict.found.contains(&printed), "{printed} {}", verdict.found);
        }
    }

    #[test]
    fn a_side_without_correction_is_compared_as_the_maps_stand() {
        let mut book = book("resnet50", 0.0, 0.02);
        for p in &mut book.entries[0].points {
            p.plain_ratio = p.ratio;
            p.ratio = p.ratio.map(|r| r + 0.02);
            p.corrected = true;
        }
        for p in &mut book.entries[1].points {
            p.plain_ratio = p.ratio;
        }
        let found = finding(&book);
        let row = &found.tables[0].rows[0];
        assert_eq!((&row[8], row[16].shown().contains("not all")), (&row[15], true), "{row:?}");
        assert_eq!(
            found.verdicts[0].ruling,
            Ruling::Reproduced,
            "no difference but the correction"
        );
    }

    #[test]
    fn absent_architectures_are_named() {
        let found = finding(&book("resnet50", 0.0, 0.1));
        let missing: Vec<_> =
            found.verdicts.iter().filter(|v| v.ruling == Ruling::Missing).collect();
        assert_eq!(missing.len(), 2, "{missing:?}");
    }
}
