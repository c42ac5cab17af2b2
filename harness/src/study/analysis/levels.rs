//! Camera levels: does the ratio follow the variation of the camera, in training or in testing?

use datasets::sets::{Level, Set};

use super::across::{Training, is_of_recipe};
use super::level_steps::{MARGIN, Steps};
use super::level_trainings::{self, Group};
use super::seeds::meet;
use super::{
    ATTRIBUTION_SET, NOT_OF_THE_PAPER, NOT_PUBLISHED, SINGLE, answered, empty, explainers,
    level_letter, mean, networks, not_measured, plain, ratios, title, whole_set,
};
use crate::stats::MeanInterval;
use crate::study::book::{Book, Entry};
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};
use crate::study::paper;

/// What the paper says of networks trained at the three levels.
pub(super) const PUBLISHED: &str = "no clear trend";
pub(super) const TRAINING: &str = "training";
/// Why levels of testing are held against nothing.
const OURS: &str = "the paper looked at levels of training; this is the same network on other pictures of the same signs";

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "level",
        "Does the ratio follow the variation of the camera?",
        "Two directions. Training: networks of one seed trained at F, M, H on the same CF pictures, which is what the paper looked at. \
         Testing: one network on the F, M, H pictures of the same signs. Three differences frame by frame: F to M, M to H, F to H; \
         sign-flip tests with Holm's adjustment over the three. A trend: both steps significant in one direction, and the interval of \
         F to H wholly beyond +-0.0049, the smallest difference that the paper reports. No trend: both steps significant in opposite \
         directions, or F to H equivalent to none within that margin (two one-sided t-tests at 5 %). Anything else is not decided. \
         Where there are two seeds or more of one architecture, number format and training set (of the three sets, for levels of \
         training), the same rule takes the mean differences of the seeds in place of frames (Student's t), and a single seed decides \
         nothing.",
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
    let trained: Vec<Levels<'_>> =
        explainers(book).into_iter().flat_map(|e| trained(book, e)).collect();
    let mut verdicts = told(&trained, &mut table, &mut marks);
    if verdicts.is_empty() {
        verdicts.push(not_measured(
            "camera level of training",
            Some(PUBLISHED.to_owned()),
            "needs networks of one architecture trained at F, M and H",
        ));
    }
    let tested: Vec<Levels<'_>> =
        explainers(book).into_iter().flat_map(|e| tested(book, e)).collect();
    verdicts.extend(told(&tested, &mut table, &mut marks));
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

/// Verdicts on what stands alone and on several seeds together; their rows and marks besides.
fn told(levels: &[Levels<'_>], table: &mut Table, marks: &mut Vec<Mark>) -> Vec<Verdict> {
    let groups = level_trainings::groups(levels);
    marks.extend(levels.iter().flat_map(Levels::marks));
    table.rows.extend(levels.iter().map(Levels::row));
    table.rows.extend(groups.iter().filter_map(Group::row));
    let alone = levels.iter().filter(|l| groups.iter().all(|group| !group.holds(l)));
    alone.map(Levels::verdict).chain(groups.iter().map(Group::verdict)).collect()
}

/// A network or trainings of one kind at the three levels, by one method.
pub(super) struct Levels<'a> {
    /// `training` or `testing`.
    pub(super) varied: &'static str,
    name: String,
    pub(super) explainer: &'a str,
    pub(super) entries: [&'a Entry; 3],
    pub(super) steps: Steps,
}

impl<'a> Levels<'a> {
    fn new(
        varied: &'static str,
        name: String,
        explainer: &'a str,
        entries: [&'a Entry; 3],
    ) -> Option<Self> {
        let steps = Steps::between(entries)?;
        Some(Self { varied, name, explainer, entries, steps })
    }

    /// Why nothing is held against the paper; none if something is.
    pub(super) fn remark(&self) -> Option<&'static str> {
        if self.varied != TRAINING {
            Some(OURS)
        } else if paper::has(&self.entries[0].network.architecture) {
            None
        } else {
            Some(NOT_OF_THE_PAPER)
        }
    }

    fn means(&self) -> [Option<MeanInterval>; 3] {
        self.entries.map(|e| mean(&ratios(&e.points)))
    }

    fn marks(&self) -> Vec<Mark> {
        marks(&format!("{}, {}", self.name, title(self.explainer)), self.means())
    }

    fn row(&self) -> Vec<Item> {
        let name = [self.varied, &self.name, &title(self.explainer)];
        row(name, self.means(), &self.steps, self.remark())
    }

    fn verdict(&self) -> Verdict {
        let what =
            format!("camera level of {}, {}, {}", self.varied, self.name, title(self.explainer));
        verdict(what, &self.steps, self.remark(), SINGLE)
    }
}

impl Training for Levels<'_> {
    fn is_training_of(&self, other: &Self) -> bool {
        let same = |(own, others): (&&Entry, &&Entry)| {
            is_of_recipe(&own.network, &others.network) && own.data.set == others.data.set
        };
        self.varied == other.varied
            && self.explainer == other.explainer
            && self.entries.iter().zip(&other.entries).all(same)
    }

    fn seed(&self) -> Option<u64> {
        let [f, m, h] = self.entries.map(|e| e.network.seed);
        f.zip(m).zip(h).map(|((seed, _), _)| seed)
    }

    fn is_complete(&self) -> bool {
        self.entries.iter().all(|e| e.points.len() >= e.asked)
    }
}

/// Every network of level F with its twins of M and H, on CF: any two of the three are of one seed, as far as seeds are known.
fn trained<'a>(book: &'a Book, explainer: &'a str) -> Vec<Levels<'a>> {
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
            let name = format!("{} at F, M, H", frontal.name);
            found.extend(Levels::new(TRAINING, name, explainer, [f, m, h]));
        }
    }
    found
}

/// A network on the three levels of its own kind of background.
fn tested<'a>(book: &'a Book, explainer: &'a str) -> Vec<Levels<'a>> {
    let mut found = Vec::new();
    for network in networks(book) {
        for correlation in ["C", "U"] {
            let at = |level| {
                let set = format!("{correlation}{}", level_letter(level));
                plain(book, &network.name, &set, Some(explainer))
            };
            if let [Some(f), Some(m), Some(h)] = Level::ALL.map(at) {
                let sets = format!("{correlation}F, {correlation}M, {correlation}H");
                let name = format!("{} on {sets}", network.name);
                found.extend(Levels::new("testing", name, explainer, [f, m, h]));
            }
        }
    }
    found
}

pub(super) fn marks(name: &str, means: [Option<MeanInterval>; 3]) -> Vec<Mark> {
    let mark = |(level, m): (Level, Option<MeanInterval>)| {
        m.map(|m| Mark {
            name: format!("{name}: {}", level_letter(level)),
            group: level_letter(level).to_owned(),
            value: m.mean,
            ci95: m.ci95,
        })
    };
    Level::ALL.into_iter().zip(means).filter_map(mark).collect()
}

/// What varies, name and method; means at the three levels and what lies between them.
pub(super) fn row(
    name: [&str; 3],
    means: [Option<MeanInterval>; 3],
    steps: &Steps,
    remark: Option<&str>,
) -> Vec<Item> {
    let mut row: Vec<Item> = name.map(Item::text).into();
    row.extend(means.map(Item::mean));
    row.extend(steps.means().map(|m| Item::difference(Some(m))));
    row.push(Item::text(steps.trend()));
    row.push(Item::text(if remark.is_none() { PUBLISHED } else { NOT_PUBLISHED }));
    row
}

/// The ruling on a trend; `remark` tells why nothing is held against the paper, `unit` what the differences are of.
pub(super) fn verdict(what: String, steps: &Steps, remark: Option<&str>, unit: &str) -> Verdict {
    let (trend, p) = (steps.trend(), steps.holm());
    let rule = format!(
        "rule: both steps significant in one direction with F to H beyond +-{MARGIN} contradict `no clear trend`; two \
         significant steps in opposite directions, or F to H equivalent to none within +-{MARGIN}, agree with it. {unit}"
    );
    let ruling = match trend {
        "none" => Ruling::Reproduced,
        "not decided" => Ruling::Undecided,
        _ => Ruling::NotReproduced,
    };
    let [first, second, whole] = steps.means().map(|m| Item::difference(Some(m)).shown());
    Verdict {
        what,
        published: remark.is_none().then(|| PUBLISHED.to_owned()),
        found: format!(
            "{trend}: F to M {first}, M to H {second}, F to H {whole}; p (Holm) {}, {} and {}",
            Item::P(p[0]).shown(),
            Item::P(p[1]).shown(),
            Item::P(p[2]).shown()
        ),
        ruling: if remark.is_none() { ruling } else { answered(ruling) },
        why: remark.map(|remark| format!("{remark}. {rule}")).unwrap_or(rule),
    }
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
