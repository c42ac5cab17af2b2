//! Corner cases: what weather and obstruction do to accuracy and to attention, and which of the two moves first.

use std::collections::BTreeSet;

use super::{
    SEED, differences, empty, explainers, hits, mean, networks, not_measured, paired, plain, title,
};
use crate::stats::{self, MeanInterval};
use crate::study::book::{Book, Entry, Point};
use crate::study::finding::{Curve, Figure, Finding, Item, Ruling, Table, Verdict};

const SEVERITIES: std::ops::RangeInclusive<u8> = 1..=5;

/// Change of something against the ordinary picture of the same sign.
#[derive(Clone, Copy)]
struct Change {
    mean: MeanInterval,
    p: f64,
}

impl Change {
    fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        let d = differences(pairs);
        Some(Self { mean: mean(&d)?, p: stats::sign_flip(&d, SEED)?.p })
    }
}

/// One severity of a kind, beside the ordinary pictures of the same signs.
struct Step<'a> {
    severity: u8,
    hard: &'a Entry,
    ordinary: &'a Entry,
    pairs: usize,
    accuracy: Change,
    attention: Option<Change>,
}

struct Series<'a> {
    network: String,
    explainer: &'a str,
    kind: &'a str,
    steps: Vec<Step<'a>>,
}

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "corner-cases",
        "Weather and things in the way: does accuracy or attention move first?",
        "Every hard picture is compared with the ordinary picture of the same sign, pose and surface. Masks lose what hides the \
         sign, which alone lowers the ratio; so attention is measured as share of the whole sign: the ratio over that of a map \
         that looks at all of the visible sign evenly. Something has moved at the first severity from which on every change \
         has p below 0.05 (sign-flip test, Holm over the severities of a kind); accuracy counts when it falls, attention when \
         it falls or rises.",
    );
    let all = series(book);
    finding.figures.extend(figures(&all));
    finding.tables.push(table(&all));
    finding.verdicts.extend(all.iter().filter_map(verdict));
    if finding.verdicts.is_empty() {
        let what = "accuracy and attention under rain, snow, fog, low sun, night, occlusion";
        finding.verdicts.push(not_measured(what, None, "no cells with corner cases"));
    }
    finding
}

fn series(book: &Book) -> Vec<Series<'_>> {
    let kinds: BTreeSet<&str> = book
        .entries
        .iter()
        .map(|e| e.data.corner_case.as_str())
        .filter(|kind| !kind.is_empty())
        .collect();
    let sets: BTreeSet<&str> = book.entries.iter().map(|e| e.data.set.as_str()).collect();
    let mut found = Vec::new();
    for (network, set) in networks(book).into_iter().flat_map(|n| sets.iter().map(move |s| (n, *s)))
    {
        for explainer in explainers(book) {
            for kind in &kinds {
                let steps: Vec<Step<'_>> = SEVERITIES
                    .filter_map(|severity| {
                        let hard = book.entries.iter().find(|e| {
                            e.network.name == network.name
                                && e.explainer == explainer
                                && e.data.corner_case == *kind
                                && e.data.severity == severity
                                && e.data.set == set
                                && e.data.environment.is_empty()
                                && !e.points.is_empty()
                        })?;
                        let ordinary = plain(book, &network.name, set, Some(explainer))?;
                        step(severity, ordinary, hard)
                    })
                    .collect();
                if !steps.is_empty() {
                    let network = super::on_set(network, set);
                    found.push(Series { network, explainer, kind, steps });
                }
            }
        }
    }
    found
}

/// Ratio over that of the whole visible sign.
fn attention(point: &Point) -> Option<f64> {
    Some(point.ratio? / point.proportional.filter(|p| *p > 0.0)?)
}

fn step<'a>(severity: u8, ordinary: &'a Entry, hard: &'a Entry) -> Option<Step<'a>> {
    let both = paired(ordinary, hard);
    let right = |p: &Point| f64::from(u8::from(p.correct()));
    let accuracy: Vec<_> = both.iter().map(|(a, b)| (right(a), right(b))).collect();
    let attended: Vec<_> =
        both.iter().filter_map(|(a, b)| Some((attention(a)?, attention(b)?))).collect();
    Some(Step {
        severity,
        hard,
        ordinary,
        pairs: both.len(),
        accuracy: Change::of(&accuracy)?,
        attention: Change::of(&attended),
    })
}

/// The severity from which on all changes are significant in the wanted direction.
fn moves_at(steps: &[(u8, Option<Change>)], wanted: impl Fn(f64) -> bool) -> Option<u8> {
    let p: Vec<f64> = steps.iter().map(|(_, c)| c.map_or(1.0, |c| c.p)).collect();
    let holm = stats::holm(&p);
    let moved: Vec<bool> = steps
        .iter()
        .zip(holm)
        .map(|((_, c), p)| c.is_some_and(|c| wanted(c.mean.mean)) && p < 0.05)
        .collect();
    let first = moved.iter().rposition(|m| !m).map_or(0, |last| last + 1);
    steps.get(first).map(|(severity, _)| *severity)
}

fn verdict(s: &Series<'_>) -> Option<Verdict> {
    let of = |change: &dyn Fn(&Step<'_>) -> Option<Change>| -> Vec<(u8, Option<Change>)> {
        s.steps.iter().map(|step| (step.severity, change(step))).collect()
    };
    let accuracy = moves_at(&of(&|step| Some(step.accuracy)), |d| d < 0.0);
    let attention = moves_at(&of(&|step| step.attention), |_| true);
    let at = |severity: Option<u8>| {
        severity.map_or_else(|| "never".to_owned(), |s| format!("from severity {s}"))
    };
    let first = match (attention, accuracy) {
        (None, None) => "neither moves",
        (Some(r), Some(a)) if r == a => "both move at the same severity",
        (Some(r), Some(a)) if r > a => "accuracy moves first",
        (None, Some(_)) => "accuracy moves alone",
        (Some(_), Some(_)) => "attention moves first",
        (Some(_), None) => "attention moves alone",
    };
    let worst = s.steps.last()?;
    Some(Verdict {
        what: format!("{}, {}, {}", s.kind.replace('_', " "), s.network, title(s.explainer)),
        published: None,
        found: format!(
            "{first}: attention {}, accuracy {}; at severity {} accuracy {}, attention {}",
            at(attention),
            at(accuracy),
            worst.severity,
            Item::difference(Some(worst.accuracy.mean)).shown(),
            Item::difference(worst.attention.map(|c| c.mean)).shown()
        ),
        ruling: if first == "neither moves" { Ruling::Undecided } else { Ruling::Answered },
        why: format!(
            "{} signs a severity; with so few, small changes of accuracy stay unseen longer than changes of the ratio",
            worst.pairs
        ),
    })
}

fn table(all: &[Series<'_>]) -> Table {
    let mut table = Table::new(
        "corner-cases",
        "Corner cases against the ordinary pictures of the same signs",
        &[
            "network",
            "method",
            "kind",
            "severity",
            "frames",
            "accuracy",
            "change of accuracy",
            "mean ratio",
            "change of ratio",
            "share of whole sign",
            "change of the share",
            "undefined",
        ],
    );
    for s in all {
        for step in &s.steps {
            let ratios = super::ratios(&step.hard.points);
            let shares: Vec<f64> = step.hard.points.iter().filter_map(attention).collect();
            let both = paired(step.ordinary, step.hard);
            let change = differences(&super::ratio_pairs(&both));
            table.rows.push(vec![
                Item::text(&s.network),
                Item::text(title(s.explainer)),
                Item::text(s.kind.replace('_', " ")),
                Item::Count(step.severity.into()),
                Item::Count(step.pairs),
                Item::share(stats::wilson(hits(&step.hard.points), step.hard.points.len())),
                Item::difference(Some(step.accuracy.mean)),
                Item::mean(mean(&ratios)),
                Item::difference(mean(&change)),
                Item::mean(mean(&shares)),
                Item::difference(step.attention.map(|c| c.mean)),
                Item::Count(step.hard.points.iter().filter(|p| p.ratio.is_none()).count()),
            ]);
        }
    }
    table
}

/// A value with its interval, if there is one.
type Measured = Option<(f64, Option<[f64; 2]>)>;

/// Accuracy and attention by severity, one line a kind, a figure for each network and method.
fn figures(all: &[Series<'_>]) -> Vec<Figure> {
    let mut figures = Vec::new();
    let groups: BTreeSet<(&str, &str)> =
        all.iter().map(|s| (s.network.as_str(), s.explainer)).collect();
    for (network, explainer) in groups {
        let of = || all.iter().filter(|s| s.network == network && s.explainer == explainer);
        let curves = |value: &dyn Fn(&[Point]) -> Measured| -> Vec<Curve> {
            of().map(|s| {
                // severity 0: the ordinary pictures of the same signs
                let start = s.steps.first().map(|step| {
                    let keys: BTreeSet<_> = step.hard.points.iter().map(Point::key).collect();
                    let same = step.ordinary.points.iter().filter(|p| keys.contains(&p.key()));
                    (0.0, same.cloned().collect::<Vec<_>>())
                });
                let points = start
                    .into_iter()
                    .chain(s.steps.iter().map(|t| (f64::from(t.severity), t.hard.points.clone())))
                    .filter_map(|(x, points)| value(&points).map(|(y, ends)| (x, y, ends)))
                    .collect();
                Curve { name: s.kind.replace('_', " "), points }
            })
            .collect()
        };
        figures.push(Figure::Curves {
            title: format!("Accuracy by severity, {network}"),
            axes: ["severity (0: ordinary picture)".to_owned(), "top-1 accuracy".to_owned()],
            curves: curves(&|points| {
                stats::wilson(hits(points), points.len()).map(|s| (s.value, Some(s.ci95)))
            }),
            line: None,
        });
        figures.push(Figure::Curves {
            title: format!("Attention by severity, {network}, {}", title(explainer)),
            axes: [
                "severity (0: ordinary picture)".to_owned(),
                "ratio / that of the whole sign".to_owned(),
            ],
            curves: curves(&|points| {
                mean(&points.iter().filter_map(attention).collect::<Vec<_>>())
                    .map(|m| (m.mean, m.ci95))
            }),
            line: None,
        });
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    /// Attention falls by 0.04 a severity from the first on; accuracy falls at severities 4 and 5 alone.
    fn book() -> Book {
        let n = network("a", "resnet50", "CF");
        let mut entries =
            vec![entry(&n, "CF", "gradcam", 100, |i, p| p.ratio = Some(0.6 + 0.1 * noise(i)))];
        for severity in SEVERITIES {
            let name = format!("synthetic:CF/test?corner_case=fog:{severity}");
            entries.push(entry(&n, &name, "gradcam", 60, |i, p| {
                p.ratio =
                    Some(0.6 + 0.1 * noise(i) - 0.04 * f64::from(severity) + 0.01 * noise(i * 3));
                p.predicted = if severity >= 4 && i % 2 == 0 { p.class + 1 } else { p.class };
            }));
        }
        Book { entries, ..Book::default() }
    }

    #[test]
    fn what_moves_first_is_told() {
        let found = finding(&book());
        assert_eq!(found.verdicts.len(), 1);
        let v = &found.verdicts[0];
        assert_eq!(v.ruling, Ruling::Answered);
        assert!(
            v.found.starts_with(
                "attention moves first: attention from severity 1, accuracy from severity 4"
            ),
            "{}",
            v.found
        );
        let last = &found.tables[0].rows[4];
        assert_eq!(last[4], Item::Count(60));
        assert!(last[6].shown().starts_with("-0.5000"), "{}", last[6].shown());
        assert!(
            last[8].shown().starts_with("-0.1998") || last[8].shown().starts_with("-0.2"),
            "{}",
            last[8].shown()
        );
    }

    #[test]
    fn a_mask_that_shrinks_does_not_pass_for_attention() {
        let n = network("a", "resnet50", "CF");
        let ordinary = entry(&n, "CF", "gradcam", 60, |i, p| p.ratio = Some(0.6 + 0.1 * noise(i)));
        let hidden =
            entry(&n, "synthetic:CF/test?corner_case=occlusion:5", "gradcam", 60, |i, p| {
                // half of the sign is hidden: mask, ratio and what is reachable all halve
                p.ratio = Some(0.5 * (0.6 + 0.1 * noise(i)));
                p.proportional = Some(0.4);
            });
        let found = finding(&Book { entries: vec![ordinary, hidden], ..Book::default() });
        assert!(
            found.verdicts[0].found.starts_with("neither moves"),
            "{}",
            found.verdicts[0].found
        );
        let Item::Number { value, .. } = found.tables[0].rows[0][8] else { panic!("no change") };
        assert!((value + 0.3).abs() < 0.01, "the ratio itself falls: {value}");
    }

    #[test]
    fn occlusion_and_weather_of_a_real_book_are_optional() {
        assert_eq!(finding(&Book::default()).verdicts[0].ruling, Ruling::Missing);
    }
}
