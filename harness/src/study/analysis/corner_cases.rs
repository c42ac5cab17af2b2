//! Corner cases: what weather and obstruction do to accuracy and to attention, and which of the two moves first.

use std::collections::BTreeSet;

use super::movement::{self, Change, Direction, Onset};
use super::{
    differences, empty, explainers, hits, mean, networks, not_measured, paired, plain, title,
};
use crate::stats;
use crate::study::book::{Book, Entry, Point};
use crate::study::finding::{Curve, Figure, Finding, Item, Ruling, Table, Verdict};

const SEVERITIES: std::ops::RangeInclusive<u8> = 1..=5;

/// Smallest fall of accuracy that counts by size: a point.
const POINT: f64 = 0.01;
/// Smallest change of the share of the whole sign that counts by size.
const SHARE: f64 = 0.02;

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
         that looks at all of the visible sign evenly. Two rules. By size: the first severity at which the interval of the change \
         lies wholly beyond a point of accuracy (a fall) or 0.02 of that share (a fall or a rise); what comes first is certain only \
         if the other's interval rules such a change out until then. By significance: the first severity from which on every \
         change has p below 0.05 (sign-flip test, Holm over the severities of a kind); few signs show a change of a number long \
         before they show one of right and wrong. Change of accuracy with the interval of Bonett and Price (2012).",
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
                                && e.data.differs_in("corner_case")
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
    let attended: Vec<_> =
        both.iter().filter_map(|(a, b)| Some((attention(a)?, attention(b)?))).collect();
    Some(Step {
        severity,
        hard,
        ordinary,
        pairs: both.len(),
        accuracy: Change::of_decisions(&both)?,
        attention: Change::of_numbers(&attended),
    })
}

fn verdict(s: &Series<'_>) -> Option<Verdict> {
    let of = |change: &dyn Fn(&Step<'_>) -> Option<Change>| -> Vec<(u8, Option<Change>)> {
        s.steps.iter().map(|step| (step.severity, change(step))).collect()
    };
    let (accuracy, attention) = (of(&|step| Some(step.accuracy)), of(&|step| step.attention));
    let down = Onset::find(&accuracy, POINT, Direction::Down);
    let shift = Onset::find(&attention, SHARE, Direction::Either);
    let (first, certain) = movement::order(&down, &shift);
    let turns = match shift.moved {
        Some((_, value)) if value > 0.0 => "rises",
        Some(_) => "falls",
        None => "changes",
    };
    let significant = |severity: Option<u8>| {
        severity.map_or_else(|| "never".to_owned(), |s| format!("from severity {s}"))
    };
    let worst = s.steps.last()?;
    Some(Verdict {
        what: format!("{}, {}, {}", s.kind.replace('_', " "), s.network, title(s.explainer)),
        published: None,
        found: format!(
            "by size {first}: accuracy falls by a point {}, attention {turns} by {SHARE} {}; by significance accuracy falls {}, \
             attention changes {}; at severity {} accuracy {}, attention {}",
            down.words(),
            shift.words(),
            significant(movement::by_significance(&accuracy, |d| d < 0.0)),
            significant(movement::by_significance(&attention, |_| true)),
            worst.severity,
            worst.accuracy.item().shown(),
            worst.attention.map_or(Item::Nothing, Change::item).shown()
        ),
        ruling: if certain { Ruling::Answered } else { Ruling::Undecided },
        why: format!(
            "answered if the order by size is certain. {} signs a severity; fewer than about 280 cannot rule out a fall by a point \
             even where none is named wrong",
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
                step.accuracy.item(),
                Item::mean(mean(&ratios)),
                Item::difference(mean(&change)),
                Item::mean(mean(&shares)),
                step.attention.map_or(Item::Nothing, Change::item),
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

    /// Attention changes by `slope` a severity from the first on; accuracy falls at severities 4 and 5 alone.
    fn book(signs: usize, slope: f64) -> Book {
        let n = network("a", "resnet50", "CF");
        let mut entries =
            vec![entry(&n, "CF", "gradcam", signs, |i, p| p.ratio = Some(0.6 + 0.1 * noise(i)))];
        for severity in SEVERITIES {
            let name = format!("synthetic:CF/test?corner_case=fog:{severity}");
            entries.push(entry(&n, &name, "gradcam", signs, |i, p| {
                let change = slope * f64::from(severity) + 0.01 * noise(i * 3);
                p.ratio = Some(0.6 + 0.1 * noise(i) + change);
                p.predicted = if severity >= 4 && i % 2 == 0 { p.class + 1 } else { p.class };
            }));
        }
        Book { entries, ..Book::default() }
    }

    #[test]
    fn what_moves_first_is_told_with_its_direction() {
        let found = finding(&book(400, -0.04));
        assert_eq!(found.verdicts.len(), 1);
        let v = &found.verdicts[0];
        assert_eq!(v.ruling, Ruling::Answered);
        assert!(
            v.found.starts_with(
                "by size attention moves first: accuracy falls by a point from severity 4, attention falls by 0.02 from severity 1; \
                 by significance accuracy falls from severity 4, attention changes from severity 1;"
            ),
            "{}",
            v.found
        );
        let last = &found.tables[0].rows[4];
        assert_eq!(last[4], Item::Count(400));
        assert!(last[6].shown().starts_with("-0.5000"), "{}", last[6].shown());
        assert!(last[8].shown().starts_with("-0.2"), "{}", last[8].shown());
        let rises = &finding(&book(400, 0.04)).verdicts[0].found;
        assert!(rises.contains("attention rises by 0.02 from severity 1"), "{rises}");
    }

    #[test]
    fn a_small_change_is_significant_and_yet_no_movement_by_size() {
        // 0.0025 of the share a severity, 0.0125 at the last
        let v = &finding(&book(400, -0.002)).verdicts[0];
        assert!(v.found.starts_with("by size accuracy moves alone"), "{}", v.found);
        assert!(v.found.contains("attention changes by 0.02 at no severity"), "{}", v.found);
        assert!(v.found.contains("attention changes from severity 1;"), "{}", v.found);
    }

    #[test]
    fn few_signs_leave_it_open_whether_accuracy_was_earlier() {
        let v = &finding(&book(60, -0.04)).verdicts[0];
        assert!(v.found.starts_with("by size which moves first is open"), "{}", v.found);
        assert!(v.found.contains("from severity 4 (not ruled out from 1)"), "{}", v.found);
        assert_eq!(v.ruling, Ruling::Undecided);
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
            found.verdicts[0].found.contains("attention changes by 0.02 at no severity"),
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
