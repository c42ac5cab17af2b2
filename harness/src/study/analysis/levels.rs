//! Camera levels: does the ratio follow the variation of the camera, in training or in testing?

use datasets::sets::{Level, Set};

use super::{
    ATTRIBUTION_SET, NOT_PUBLISHED, SEED, differences, empty, explainers, level_letter, mean,
    networks, not_measured, paired, plain, ratio_pairs, ratios, title, whole_set,
};
use crate::stats::{self, MeanInterval};
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};
use crate::study::paper;

/// What the paper says of networks trained at the three levels.
const PUBLISHED: &str = "no clear trend";
/// Smallest change from F to H that could be a trend: the paper's smallest difference of two trainings.
const MARGIN: f64 = paper::RATIO_DROP[0];
const TRAINING: &str = "training";

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "level",
        "Does the ratio follow the variation of the camera?",
        "Two directions. Training: networks trained at F, M, H on the same CF pictures, which is what the paper looked at. \
         Testing: one network on the F, M, H pictures of the same signs. Three differences frame by frame: F to M, M to H, F to H; \
         sign-flip tests with Holm's adjustment over the three. A trend: both steps significant in one direction, and the interval of \
         F to H wholly beyond +-0.0049, the smallest difference that the paper reports. No trend: both steps significant in opposite \
         directions, or F to H equivalent to none within that margin (two one-sided t-tests at 5 %). Anything else is not decided.",
    );
    let mut table = Table::new(
        "level",
        "Mean pixel ratio by camera level",
        &[
            "varied",
            "network",
            "method",
            "F",
            "M",
            "H",
            "F to M",
            "M to H",
            "F to H",
            "trend",
            "published",
        ],
    );
    let mut marks = Vec::new();
    let mut verdicts = Vec::new();
    for explainer in explainers(book) {
        for (name, entries) in trained(book, explainer) {
            let (row, verdict) = row(TRAINING, &name, explainer, &entries, &mut marks);
            table.rows.extend(row);
            verdicts.extend(verdict);
        }
    }
    if verdicts.is_empty() {
        verdicts.push(not_measured(
            "camera level of training",
            Some(PUBLISHED.to_owned()),
            "needs networks of one architecture trained at F, M and H",
        ));
    }
    for explainer in explainers(book) {
        for (name, entries) in tested(book, explainer) {
            let (row, verdict) = row("testing", &name, explainer, &entries, &mut marks);
            table.rows.extend(row);
            verdicts.extend(verdict.map(|v| Verdict {
                published: None,
                ruling: if v.ruling == Ruling::Undecided { v.ruling } else { Ruling::Answered },
                why: "the paper looked at levels of training; this is the same network on other pictures of the same signs"
                    .to_owned(),
                ..v
            }));
        }
    }
    finding.figures.push(Figure::Intervals {
        title: "Mean pixel ratio by camera level".to_owned(),
        axis: "mean pixel ratio".to_owned(),
        marks,
        published: None,
        line: None,
    });
    finding.tables.push(table);
    finding.verdicts = verdicts;
    finding
}

/// Twins trained at the three levels, on CF.
fn trained<'a>(book: &'a Book, explainer: &str) -> Vec<(String, [&'a Entry; 3])> {
    let all = networks(book);
    let mut found = Vec::new();
    for frontal in &all {
        let Some(set) = whole_set(frontal).filter(|s| s.level == Level::Frontal) else { continue };
        let at = |level: Level| {
            let same = |n: &&&NetworkFacts| {
                whole_set(n) == Some(Set { level, ..set }) && n.is_like(frontal)
            };
            let of = |n: &&NetworkFacts| plain(book, &n.name, ATTRIBUTION_SET, Some(explainer));
            all.iter().filter(same).find_map(of)
        };
        if let [Some(f), Some(m), Some(h)] = Level::ALL.map(at) {
            found.push((format!("{} at F, M, H", frontal.name), [f, m, h]));
        }
    }
    found
}

/// A network on the three levels of its own kind of background.
fn tested<'a>(book: &'a Book, explainer: &str) -> Vec<(String, [&'a Entry; 3])> {
    let mut found = Vec::new();
    for network in networks(book) {
        for correlation in ["C", "U"] {
            let at = |level| {
                let set = format!("{correlation}{}", level_letter(level));
                plain(book, &network.name, &set, Some(explainer))
            };
            if let [Some(f), Some(m), Some(h)] = Level::ALL.map(at) {
                found.push((
                    format!("{} on {correlation}F, {correlation}M, {correlation}H", network.name),
                    [f, m, h],
                ));
            }
        }
    }
    found
}

/// Second level less first, frame by frame.
struct Step {
    mean: MeanInterval,
    p: f64,
    /// Equivalent to none within the margin.
    none: bool,
}

impl Step {
    fn between(first: &Entry, second: &Entry) -> Option<Self> {
        let d = differences(&ratio_pairs(&paired(first, second)));
        let none = stats::tost(&d, MARGIN).is_some_and(|e| e.equivalent);
        Some(Self { mean: mean(&d)?, p: stats::sign_flip(&d, SEED)?.p, none })
    }

    /// The whole interval lies beyond the margin on this side.
    fn beyond(&self, sign: f64) -> bool {
        self.mean.ci95.is_some_and(|[low, high]| sign * low > MARGIN && sign * high > MARGIN)
    }
}

/// `rises`, `falls`, `none` or `not decided`, by F to M, M to H, F to H.
fn trend([first, second, whole]: [&Step; 3], holm: &[f64]) -> &'static str {
    let sure = holm[0] < 0.05 && holm[1] < 0.05;
    match (first.mean.mean > 0.0, second.mean.mean > 0.0) {
        (true, true) if sure && whole.beyond(1.0) => "rises",
        (false, false) if sure && whole.beyond(-1.0) => "falls",
        (a, b) if sure && a != b => "none",
        // nothing found is not the same as nothing there
        _ if whole.none => "none",
        _ => "not decided",
    }
}

fn row(
    varied: &str,
    name: &str,
    explainer: &str,
    entries: &[&Entry; 3],
    marks: &mut Vec<Mark>,
) -> (Option<Vec<Item>>, Option<Verdict>) {
    let steps = [(0, 1), (1, 2), (0, 2)].map(|(a, b)| Step::between(entries[a], entries[b]));
    let [Some(first), Some(second), Some(whole)] = &steps else { return (None, None) };
    let holm = stats::holm(&[first.p, second.p, whole.p]);
    let trend = trend([first, second, whole], &holm);
    for (level, entry) in Level::ALL.into_iter().zip(entries) {
        marks.extend(mean(&ratios(&entry.points)).map(|m| Mark {
            name: format!("{name}, {}: {}", title(explainer), level_letter(level)),
            group: level_letter(level).to_owned(),
            value: m.mean,
            ci95: m.ci95,
        }));
    }
    let mut row = vec![Item::text(varied), Item::text(name), Item::text(title(explainer))];
    row.extend(entries.map(|e| Item::mean(mean(&ratios(&e.points)))));
    row.extend([first, second, whole].map(|step| Item::difference(Some(step.mean))));
    row.push(Item::text(trend));
    row.push(Item::text(if varied == TRAINING { PUBLISHED } else { NOT_PUBLISHED }));
    let verdict = Verdict {
        what: format!("camera level of {varied}, {name}, {}", title(explainer)),
        published: Some(PUBLISHED.to_owned()),
        found: format!(
            "{trend}: F to M {}, M to H {}, F to H {}; p (Holm) {}, {} and {}",
            Item::difference(Some(first.mean)).shown(),
            Item::difference(Some(second.mean)).shown(),
            Item::difference(Some(whole.mean)).shown(),
            Item::P(holm[0]).shown(),
            Item::P(holm[1]).shown(),
            Item::P(holm[2]).shown()
        ),
        ruling: match trend {
            "none" => Ruling::Reproduced,
            "not decided" => Ruling::Undecided,
            _ => Ruling::NotReproduced,
        },
        why: format!(
            "rule: both steps significant in one direction with F to H beyond +-{MARGIN} contradict `no clear trend`; two \
             significant steps in opposite directions, or F to H equivalent to none within +-{MARGIN}, agree with it"
        ),
    };
    (Some(row), Some(verdict))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise};
    use super::*;

    fn book(steps: [f64; 3]) -> Book {
        let entries = ["UF", "UM", "UH"]
            .into_iter()
            .zip(steps)
            .map(|(train, shift)| {
                entry(&network(train, "resnet50", train), "CF", "gradcam", 200, |i, p| {
                    p.ratio = Some(0.5 + shift + 0.2 * noise(i) + 0.01 * noise(i * 17 + 1));
                })
            })
            .collect();
        Book { entries, ..Book::default() }
    }

    #[test]
    fn a_trend_needs_both_steps_in_one_direction() {
        let ruling = |steps| finding(&book(steps)).verdicts[0].ruling;
        assert_eq!(ruling([0.0, 0.03, 0.06]), Ruling::NotReproduced);
        assert_eq!(ruling([0.0, 0.03, 0.0]), Ruling::Reproduced);
        assert_eq!(ruling([0.0, 0.0, 0.03]), Ruling::Undecided, "flat, then up: neither");
        // both steps are significant, and together smaller than anything that the paper calls a difference
        assert_eq!(ruling([0.0, 0.001, 0.002]), Ruling::Reproduced);
        assert_eq!(ruling([0.0, 0.0, 0.0]), Ruling::Reproduced);
        // three frames cannot tell
        let mut few = book([0.0, 0.3, 0.7]);
        few.entries.iter_mut().for_each(|e| e.points.truncate(3));
        assert_eq!(finding(&few).verdicts[0].ruling, Ruling::Undecided);
        let row = &finding(&book([0.0, -0.03, -0.06])).tables[0].rows[0];
        assert!(row[8].shown().starts_with("-0.0600"), "{}", row[8].shown());
        assert_eq!(row[9..], [Item::text("falls"), Item::text("no clear trend")]);
    }

    #[test]
    fn levels_of_testing_are_ours_and_not_the_papers() {
        let n = network("a", "resnet50", "CF");
        let entries = ["CF", "CM", "CH"]
            .map(|set| entry(&n, set, "gradcam", 60, |i, p| p.ratio = Some(0.5 + 0.1 * noise(i))));
        let found = finding(&Book { entries: entries.into(), ..Book::default() });
        assert_eq!(found.verdicts[0].ruling, Ruling::Missing);
        assert_eq!(
            (found.verdicts[1].ruling, &found.verdicts[1].published),
            (Ruling::Answered, &None)
        );
        assert_eq!(found.tables[0].rows[0][10], Item::text("not published"));
    }
}
