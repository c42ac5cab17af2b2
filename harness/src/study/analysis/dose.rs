//! The strength of the correlation as a dose: does more of it bind a network to its backgrounds more?

use std::collections::BTreeMap;

use datasets::sets::{Correlation, Level, SetSettings};

use super::alike::Measure;
use super::measurement::measure;
use super::{
    ATTRIBUTION_SET, SEED, empty, explainers, mean, networks, not_measured, plain, ratios, title,
};
use crate::stats;
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Curve, Figure, Finding, Item, Ruling, Table, Verdict};

/// Fewest doses that make a curve.
const FEWEST: usize = 3;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "dose",
        "How does the attention follow the strength of the correlation?",
        "Networks of one architecture trained at level F with strengths of the correlation from 0 (UF) over that of CF to 1, on \
         the same CF pictures. Slope: least squares over the doses of each frame, then mean and interval over the frames; sign-flip \
         test of the slopes, Holm's adjustment over all curves. Accuracy on CF and UF beside it, the measurement with most pictures.",
    );
    let mut table = Table::new(
        "dose",
        "Mean pixel ratio on CF by strength of the correlation",
        &[
            "architecture",
            "weights",
            "method",
            "strength",
            "network",
            "frames",
            "mean ratio",
            "accuracy on CF",
            "accuracy on UF",
        ],
    );
    let mut curves = Vec::new();
    let mut tested = Vec::new();
    for explainer in explainers(book) {
        for ((architecture, integer), doses) in doses(book, explainer) {
            for (strength, entry) in &doses {
                let accuracy =
                    |set| Item::share(measure(book, &entry.network, set).map(|m| m.share));
                table.rows.push(vec![
                    Item::text(architecture),
                    Item::text(&entry.network.precision),
                    Item::text(title(explainer)),
                    Item::number(Some(*strength), 2),
                    Item::text(&entry.network.name),
                    Item::Count(entry.points.len()),
                    Item::mean(mean(&ratios(&entry.points))),
                    accuracy("CF"),
                    accuracy("UF"),
                ]);
            }
            if doses.len() < FEWEST {
                continue;
            }
            let weights = if integer { "int8" } else { "f32" };
            let name = format!("{architecture} ({weights}), {}", title(explainer));
            let slopes = slopes(&doses);
            let p = stats::sign_flip(&slopes, SEED).map_or(1.0, |t| t.p);
            tested.push((name.clone(), mean(&slopes), doses.len(), p));
            curves.push(Curve {
                name,
                points: doses
                    .iter()
                    .filter_map(|(x, e)| mean(&ratios(&e.points)).map(|m| (*x, m.mean, m.ci95)))
                    .collect(),
            });
        }
    }
    let holm = stats::holm(&tested.iter().map(|t| t.3).collect::<Vec<_>>());
    for ((name, slope, doses, _), p) in tested.into_iter().zip(holm) {
        let beside_zero = slope.and_then(|s| s.ci95).is_some_and(|[l, h]| l > 0.0 || h < 0.0);
        finding.verdicts.push(Verdict {
            what: format!("{name}: slope over the dose"),
            published: None,
            found: format!(
                "{} a unit of strength, {doses} doses; p (Holm) {}",
                Item::difference(slope).shown(),
                Item::P(p).shown()
            ),
            ruling: if beside_zero && p < 0.05 { Ruling::Answered } else { Ruling::Undecided },
            why: "answered if the interval leaves out zero and p after Holm is below 0.05; one training a dose".to_owned(),
        });
    }
    if finding.verdicts.is_empty() {
        finding.verdicts.push(not_measured(
            "dose and response",
            None,
            "needs networks trained at three strengths or more (`strength` in the plan); UF is 0 and CF that of datasets/sets.toml",
        ));
    }
    finding.figures.push(Figure::Curves {
        title: "Mean pixel ratio by strength of the correlation in training".to_owned(),
        axes: ["strength".to_owned(), "mean pixel ratio on CF".to_owned()],
        curves,
        line: None,
    });
    finding.tables.push(table);
    finding
}

/// Strength with which a network was trained at level F.
fn strength(network: &NetworkFacts) -> Option<f64> {
    let set = network.set().filter(|s| s.shape.is_none() && s.level == Level::Frontal)?;
    Some(network.strength.unwrap_or(match set.correlation {
        Correlation::Uncorrelated => 0.0,
        Correlation::Correlated => SetSettings::get().correlation.strength,
    }))
}

type Doses<'a> = Vec<(f64, &'a Entry)>;

fn doses<'a>(book: &'a Book, explainer: &str) -> BTreeMap<(&'a str, bool), Doses<'a>> {
    let mut found: BTreeMap<(&str, bool), Doses<'_>> = BTreeMap::new();
    for network in networks(book) {
        let Some(strength) = strength(network) else { continue };
        if let Some(entry) = plain(book, &network.name, ATTRIBUTION_SET, Some(explainer)) {
            let key = (network.architecture.as_str(), network.is_integer());
            found.entry(key).or_default().push((strength, entry));
        }
    }
    for doses in found.values_mut() {
        doses.sort_by(|a, b| a.0.total_cmp(&b.0));
        // two networks of one strength are one dose
        doses.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
    }
    found
}

/// Least-squares slope of each frame that has a ratio at every dose.
fn slopes(doses: &[(f64, &Entry)]) -> Vec<f64> {
    let mut frames: BTreeMap<(u16, u32), Vec<(f64, f64)>> = BTreeMap::new();
    let measure = Measure::of(doses.iter().flat_map(|(_, entry)| &entry.points));
    for (dose, entry) in doses {
        for p in &entry.points {
            if let Some(ratio) = measure.ratio(p) {
                frames.entry(p.key()).or_default().push((*dose, ratio));
            }
        }
    }
    let n = doses.len() as f64;
    let middle = doses.iter().map(|(d, _)| d).sum::<f64>() / n;
    let spread: f64 = doses.iter().map(|(d, _)| (d - middle) * (d - middle)).sum();
    if spread <= 0.0 {
        return Vec::new();
    }
    frames
        .values()
        .filter(|values| values.len() == doses.len())
        .map(|values| values.iter().map(|(d, r)| (d - middle) * r).sum::<f64>() / spread)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    /// Three doses of an architecture whose ratio falls by `slope` a unit, and whose errors on UF grow with the dose.
    fn doses_of(architecture: &str, slope: f64, spread: f64) -> Vec<Entry> {
        let mut entries = Vec::new();
        for dose in [0.25, 0.5, 1.0] {
            let mut n = network(&format!("{architecture}-{dose}"), architecture, "CF");
            n.strength = Some(dose);
            entries.push(entry(&n, "CF", "gradcam", 100, |i, p| {
                let own = spread * noise(i * 3 + 1) * dose;
                p.ratio = Some(0.7 + 0.2 * noise(i) - slope * dose + own);
            }));
            entries.push(entry(&n, "UF", "gradcam", 100, |i, p| {
                p.predicted = p.class + u16::from((i as f64) < 20.0 * dose);
            }));
        }
        entries
    }

    #[test]
    fn the_slope_over_known_doses_is_found_with_the_accuracy_at_each() {
        let found =
            finding(&Book { entries: doses_of("resnet50", 0.04, 0.002), ..Book::default() });
        assert_eq!(found.verdicts[0].ruling, Ruling::Answered);
        assert!(found.verdicts[0].found.starts_with("-0.04"), "{}", found.verdicts[0].found);
        let accuracy: Vec<String> = found.tables[0].rows.iter().map(|r| r[8].shown()).collect();
        assert_eq!(accuracy.len(), 3);
        for (shown, expected) in accuracy.iter().zip(["95.00 %", "90.00 %", "80.00 %"]) {
            assert!(shown.starts_with(expected), "{shown}");
        }
        assert!(found.tables[0].rows[0][7].shown().starts_with("100.00 %"));
    }

    #[test]
    fn slopes_are_one_family() {
        let one = doses_of("resnet50", 0.014, 0.2);
        let alone = finding(&Book { entries: one.clone(), ..Book::default() });
        let mut entries = one;
        for other in ["convnext-tiny", "convnext-small", "a", "b", "c"] {
            entries.extend(doses_of(other, 0.0, 0.2));
        }
        let among = finding(&Book { entries, ..Book::default() });
        let of = |f: &Finding| {
            let v = f.verdicts.iter().find(|v| v.what.starts_with("resnet50")).unwrap();
            (v.found.clone(), v.ruling)
        };
        assert_eq!(of(&alone).1, Ruling::Answered, "{}", of(&alone).0);
        assert_eq!(of(&among).1, Ruling::Undecided, "{}", of(&among).0);
    }

    #[test]
    fn two_doses_are_no_curve() {
        let entries =
            ["UF", "CF"].map(|t| entry(&network(t, "resnet50", t), "CF", "gradcam", 10, |_, _| {}));
        let found = finding(&Book { entries: entries.into(), ..Book::default() });
        assert_eq!(found.verdicts[0].ruling, Ruling::Missing);
        assert_eq!(found.tables[0].rows.len(), 2);
    }
}
