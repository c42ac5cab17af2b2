//! Camera levels: does the ratio follow the variation of the camera, in training or in testing?

use datasets::sets::{Level, Set};

use super::seeds::meet;
use super::{
    ATTRIBUTION_SET, NOT_OF_THE_PAPER, NOT_PUBLISHED, SEED, SINGLE, answered, differences, empty,
    explainers, level_letter, mean, networks, not_measured, paired, plain, ratio_pairs, ratios,
    title, whole_set,
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
        "Two directions. Training: networks of one seed trained at F, M, H on the same CF pictures, which is what the paper looked at. \
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

/// Every network of level F with its twins of M and H, on CF: any two of the three are of one seed, as far as seeds are known.
fn trained<'a>(book: &'a Book, explainer: &str) -> Vec<(String, [&'a Entry; 3])> {
    let all = networks(book);
    let cell = |n: &NetworkFacts| plain(book, &n.name, ATTRIBUTION_SET, Some(explainer));
    let pair = |a: &NetworkFacts, b: &NetworkFacts| {
        meet(all.iter().copied(), NetworkFacts::is_like, [a, b])
    };
    let mut found = Vec::new();
    for &frontal in &all {
        let Some(set) = whole_set(frontal).filter(|s| s.level == Level::Frontal) else { continue };
        let at = |level: Level| -> Vec<&'a Entry> {
            all.iter()
                .filter(|n| whole_set(n) == Some(Set { level, ..set }))
                .filter(|n| n.is_like(frontal) && pair(n, frontal))
                .filter_map(|n| cell(n))
                .collect()
        };
        let (medium, high) = (at(Level::Medium), at(Level::High));
        let twins = medium.iter().find_map(|m| {
            let h = high.iter().find(|h| pair(&m.network, &h.network))?;
            Some([*m, *h])
        });
        if let (Some(f), Some([m, h])) = (cell(frontal), twins) {
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
    let of_paper = varied == TRAINING && paper::has(&entries[0].network.architecture);
    row.push(Item::text(if of_paper { PUBLISHED } else { NOT_PUBLISHED }));
    let rule = format!(
        "rule: both steps significant in one direction with F to H beyond +-{MARGIN} contradict `no clear trend`; two \
         significant steps in opposite directions, or F to H equivalent to none within +-{MARGIN}, agree with it. {SINGLE}"
    );
    let ruling = match trend {
        "none" => Ruling::Reproduced,
        "not decided" => Ruling::Undecided,
        _ => Ruling::NotReproduced,
    };
    let verdict = Verdict {
        what: format!("camera level of {varied}, {name}, {}", title(explainer)),
        published: of_paper.then(|| PUBLISHED.to_owned()),
        found: format!(
            "{trend}: F to M {}, M to H {}, F to H {}; p (Holm) {}, {} and {}",
            Item::difference(Some(first.mean)).shown(),
            Item::difference(Some(second.mean)).shown(),
            Item::difference(Some(whole.mean)).shown(),
            Item::P(holm[0]).shown(),
            Item::P(holm[1]).shown(),
            Item::P(holm[2]).shown()
        ),
        ruling: if of_paper { ruling } else { answered(ruling) },
        why: if of_paper { rule } else { format!("{NOT_OF_THE_PAPER}. {rule}") },
    };
    (Some(row), Some(verdict))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network, noise, seeded};
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

    #[test]
    fn a_trend_of_networks_that_the_paper_does_not_have_is_an_answer() {
        for (steps, ruling) in [
            ([0.0, 0.03, 0.06], Ruling::Answered),
            ([0.0, 0.0, 0.0], Ruling::Answered),
            ([0.0, 0.0, 0.03], Ruling::Undecided),
        ] {
            let mut book = book(steps);
            for entry in &mut book.entries {
                "resnet-tiny".clone_into(&mut entry.network.architecture);
            }
            let found = finding(&book);
            let verdict = &found.verdicts[0];
            assert_eq!((verdict.ruling, &verdict.published), (ruling, &None), "{verdict:?}");
            assert!(verdict.why.starts_with(NOT_OF_THE_PAPER), "{verdict:?}");
            assert!(verdict.why.contains("question `trainings`"), "{verdict:?}");
            assert_eq!(found.tables[0].rows[0][10], Item::text("not published"));
        }
    }

    /// Name and mean ratios of every row over networks of a seed, a set and a ratio.
    fn rows(networks: &[(Option<u64>, &str, f64)]) -> Vec<String> {
        let entries = networks.iter().zip(1..).map(|((seed, train, ratio), k)| {
            let n = seeded(&format!("{train}{k}"), "resnet50", train, *seed);
            entry(&n, "CF", "gradcam", 60, |_, p| p.ratio = Some(*ratio))
        });
        let book = Book { entries: entries.collect(), ..Book::default() };
        let words = |row: &Vec<Item>| {
            let means = [3, 4, 5].map(|i| row[i].shown()[..4].to_owned());
            format!("{}: {}", row[1].shown(), means.join(" "))
        };
        finding(&book).tables[0].rows.iter().map(words).collect()
    }

    #[test]
    fn the_three_levels_are_of_one_seed() {
        let (one, two, none) = (Some(1), Some(2), None);
        // M and H of two seeds do not meet through a frontal network of an unknown one
        let mut all = vec![(none, "UF", 0.50), (one, "UM", 0.60), (two, "UH", 0.70)];
        assert!(rows(&all).is_empty());
        all.push((two, "UM", 0.65));
        assert_eq!(rows(&all), ["UF1 at F, M, H: 0.50 0.65 0.70"]);
        all.push((two, "UF", 0.55));
        assert_eq!(rows(&all), ["UF5 at F, M, H: 0.55 0.65 0.70"], "seed 2 has one of its own");
    }

    #[test]
    fn the_frontal_network_is_the_one_that_is_named() {
        let all = [(None, "UF", 0.50), (None, "UF", 0.55), (None, "UM", 0.60), (None, "UH", 0.70)];
        let found = rows(&all);
        assert_eq!(found, ["UF1 at F, M, H: 0.50 0.60 0.70", "UF2 at F, M, H: 0.55 0.60 0.70"]);
    }
}
