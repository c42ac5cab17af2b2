//! The strength of the correlation as a dose: does more of it bind a network to its backgrounds more?

use datasets::sets::Level;

use super::measurement::measure;
use super::repeats::{Kind, kinds};
use super::{SEED, empty, explainers, mean, not_measured, title};
use crate::stats::{self, Line, MeanInterval};
use crate::study::book::{Book, Entry};
use crate::study::finding::{Curve, Figure, Finding, Item, Ruling, Table, Verdict};

/// Fewest doses that make a curve.
const FEWEST: usize = 3;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "dose",
        "How does the attention follow the strength of the correlation?",
        "Networks of one architecture trained at level F with strengths of the correlation from 0 (UF) over that of CF to 1, on \
         the same CF pictures. Slope over frames: least squares over the networks for each frame, then mean and interval over the \
         frames, sign-flip test: it speaks of these networks. Slope over trainings: least squares through the networks' means, \
         interval and p from their scatter about the line: it speaks of further trainings, and is on the safe side where a seed recurs at \
         several strengths. Complete cells alone, on the frames that all of them have. Points of the figure: over trainings where \
         there are several of a strength, else over frames. Holm's adjustment over all curves. \
         Accuracy on CF and UF beside it, the measurement with most pictures.",
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
    let (mut curves, mut tested) = (Vec::new(), Vec::new());
    for explainer in explainers(book) {
        for kind in kinds(book, explainer).into_iter().filter(|k| k.level == Level::Frontal) {
            table.rows.extend(rows(book, &kind, explainer));
            let groups = kind.by_strength();
            if groups.len() < FEWEST {
                continue;
            }
            let name = format!("{}, {}", kind.name(), title(explainer));
            tested.push(Slopes::new(name.clone(), &kind, groups.len()));
            curves.push(Curve { name, points: points(&kind, &groups) });
        }
    }
    let holm = stats::holm(&tested.iter().map(Slopes::p).collect::<Vec<_>>());
    finding.verdicts.extend(tested.iter().zip(holm).map(|(slopes, p)| slopes.verdict(p)));
    if finding.verdicts.is_empty() {
        finding.verdicts.push(not_measured(
            "dose and response",
            None,
            "needs networks trained at three strengths or more (`strength` in the plan); UF is 0 and CF that of datasets/sets.toml",
        ));
    }
    finding.figures.push(Figure::Curves {
        title: "Mean pixel ratio by strength of the correlation in training; intervals over trainings where there are three or more, \
                over frames where there is one"
            .to_owned(),
        axes: ["strength".to_owned(), "mean pixel ratio on CF".to_owned()],
        curves,
        line: None,
    });
    finding.tables.push(table);
    finding
}

fn rows(book: &Book, kind: &Kind<'_>, explainer: &str) -> Vec<Vec<Item>> {
    let frames = kind.frames();
    let row = |(i, (strength, entry)): (usize, &(f64, &Entry))| {
        let accuracy = |set| Item::share(measure(book, &entry.network, set).map(|m| m.share));
        vec![
            Item::text(kind.architecture),
            Item::text(&entry.network.precision),
            Item::text(title(explainer)),
            Item::number(Some(*strength), 2),
            Item::text(&entry.network.name),
            Item::Count(frames.len()),
            Item::mean(mean(&frames.iter().map(|f| f[i]).collect::<Vec<f64>>())),
            accuracy("CF"),
            accuracy("UF"),
        ]
    };
    kind.trainings.iter().enumerate().map(row).collect()
}

/// A point a dose: over trainings where there are several, else over the frames of the one. Of two trainings the interval of
/// Student's t is so wide (12.7 standard errors) that nothing else could be seen; it is left out.
fn points(kind: &Kind<'_>, groups: &[(f64, Vec<usize>)]) -> Vec<(f64, f64, Option<[f64; 2]>)> {
    let (means, _) = kind.means();
    let frames = kind.frames();
    let point = |(strength, members): &(f64, Vec<usize>)| {
        let values: Vec<f64> = match members.as_slice() {
            [one] => frames.iter().map(|f| f[*one]).collect(),
            several => several.iter().filter_map(|&i| means.get(i).copied()).collect(),
        };
        let shown = |m: MeanInterval| m.ci95.filter(|_| members.len() != 2);
        mean(&values).map(|m| (*strength, m.mean, shown(m)))
    };
    groups.iter().filter_map(point).collect()
}

/// The slope of a curve, with frames and with trainings as the unit.
struct Slopes {
    name: String,
    doses: usize,
    frames: Option<MeanInterval>,
    frames_p: f64,
    trainings: Option<Line>,
}

impl Slopes {
    fn new(name: String, kind: &Kind<'_>, doses: usize) -> Self {
        let x: Vec<f64> = kind.trainings.iter().map(|(strength, _)| *strength).collect();
        let line =
            |y: &[f64]| stats::line(&x.iter().copied().zip(y.iter().copied()).collect::<Vec<_>>());
        let slopes: Vec<f64> =
            kind.frames().iter().filter_map(|y| line(y)).map(|line| line.slope).collect();
        let frames_p = stats::sign_flip(&slopes, SEED).map_or(1.0, |t| t.p);
        Self { name, doses, frames: mean(&slopes), frames_p, trainings: line(&kind.means().0) }
    }

    /// Both have to be small.
    fn p(&self) -> f64 {
        self.trainings.and_then(|line| line.p).unwrap_or(1.0).max(self.frames_p)
    }

    fn verdict(&self, holm: f64) -> Verdict {
        let beside = |ci95: Option<[f64; 2]>| ci95.is_some_and(|[l, h]| l > 0.0 || h < 0.0);
        let trainings = self.trainings.filter(|line| line.ci95.is_some());
        let shown = trainings.map_or_else(
            || "no interval over trainings, of which there are too few".to_owned(),
            |line| {
                let Line { slope: value, ci95, n, .. } = line;
                let slope = Item::Number { value, ci95, decimals: 4, signed: true };
                format!("{} over {n} trainings", slope.shown())
            },
        );
        let sure = beside(self.frames.and_then(|m| m.ci95))
            && trainings.is_some_and(|line| beside(line.ci95))
            && holm < 0.05;
        Verdict {
            what: format!("{}: slope over the dose", self.name),
            published: None,
            found: format!(
                "{shown}, {} over frames, a unit of strength, {} doses; p (Holm) {}",
                Item::difference(self.frames).shown(),
                self.doses,
                Item::P(holm).shown()
            ),
            ruling: if sure { Ruling::Answered } else { Ruling::Undecided },
            why: "answered if both intervals leave out zero and the larger p, after Holm, is below 0.05".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    /// Four doses of an architecture whose ratio falls by `slope` a unit, and whose errors on UF grow with the dose; frames are
    /// off by up to half of `spread`, whole trainings by `off` in turn up and down.
    fn doses_of(architecture: &str, slope: f64, spread: f64, off: f64) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (k, dose) in [0.25, 0.5, 0.75, 1.0].into_iter().enumerate() {
            let mut n = network(&format!("{architecture}-{dose}"), architecture, "CF");
            n.strength = Some(dose);
            let training = if k % 2 == 0 { off } else { -off };
            entries.push(entry(&n, "CF", "gradcam", 100, |i, p| {
                let own = spread * noise(i * 3 + 1) * dose;
                p.ratio = Some(0.7 + 0.2 * noise(i) - slope * dose + own + training);
            }));
            entries.push(entry(&n, "UF", "gradcam", 100, |i, p| {
                p.predicted = p.class + u16::from((i as f64) < 20.0 * dose);
            }));
        }
        entries
    }

    fn found(entries: Vec<Entry>) -> Finding {
        finding(&Book { entries, ..Book::default() })
    }

    #[test]
    fn the_slope_over_known_doses_is_found_with_the_accuracy_at_each() {
        let f = found(doses_of("resnet50", 0.04, 0.002, 0.0005));
        assert_eq!(f.verdicts[0].ruling, Ruling::Answered, "{:?}", f.verdicts[0]);
        assert!(f.verdicts[0].found.starts_with("-0.04"), "{}", f.verdicts[0].found);
        assert!(f.verdicts[0].found.contains("over 4 trainings"), "{}", f.verdicts[0].found);
        let accuracy: Vec<String> = f.tables[0].rows.iter().map(|r| r[8].shown()).collect();
        assert_eq!(accuracy.len(), 4);
        for (shown, expected) in accuracy.iter().zip(["95.00 %", "90.00 %", "85.00 %", "80.00 %"]) {
            assert!(shown.starts_with(expected), "{shown}");
        }
        assert!(f.tables[0].rows[0][7].shown().starts_with("100.00 %"));
    }

    #[test]
    fn what_frames_call_a_slope_is_none_where_trainings_scatter_as_far() {
        let f = found(doses_of("resnet50", 0.04, 0.002, 0.03));
        let verdict = &f.verdicts[0];
        assert_eq!(verdict.ruling, Ruling::Undecided, "{verdict:?}");
        let over_frames = verdict.found.split("trainings, ").nth(1).unwrap();
        assert!(!over_frames.starts_with('+') && !over_frames.contains("to +"), "{verdict:?}");
        // three trainings leave one degree of freedom, two none
        let three = doses_of("resnet50", 0.04, 0.002, 0.001).into_iter().take(6).collect();
        let f = found(three);
        assert_eq!(f.verdicts[0].ruling, Ruling::Undecided, "{:?}", f.verdicts[0]);
    }

    #[test]
    fn slopes_are_one_family() {
        let one = doses_of("resnet50", 0.014, 0.02, 0.0009);
        let alone = found(one.clone());
        let mut entries = one;
        for other in ["convnext-tiny", "convnext-small", "a", "b", "c"] {
            entries.extend(doses_of(other, 0.0, 0.02, 0.0009));
        }
        let among = found(entries);
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
        let f = found(entries.into());
        assert_eq!(f.verdicts[0].ruling, Ruling::Missing);
        assert_eq!(f.tables[0].rows.len(), 2);
    }
}
