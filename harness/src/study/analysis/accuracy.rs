//! Accuracy, training against test set, and which combination of a case is the worst.

use datasets::sets::{Correlation, Level, Set};

use super::{Contrast, contrasts, empty, hits, mean, networks, not_measured, paired, plain};
use crate::stats::{self, MeanInterval, ShareInterval};
use crate::study::book::{Book, Entry};
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};
use crate::study::paper;

/// Interval of an accuracy that is wider than this (1.5 points) decides nothing about published ranges of 0.1 to 0.2 points.
const WIDEST: f64 = 0.015;
/// Widest interval of a loss that still says something beside losses of 0.0002 to 0.0008.
const WIDEST_LOSS: f64 = 0.002;

/// Cases below which a count decides nothing.
const LEAST_CASES: usize = 9;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "accuracy",
        "How often is the class right, and what does training with correlated backgrounds cost?",
        "Top-1 with Wilson's 95 % interval. A case is one architecture, a camera level of training and one of testing, with all \
         four combinations of correlated (C) and uncorrelated (U) training and test; it counts if C training with U test is \
         lower than each of the other three. The paper's own definition of its 18 cases was not at hand. The loss is that of \
         the C-trained network from C to U pictures, sign by sign.",
    );
    let (table, marks) = train_by_test(book);
    finding.verdicts.push(correlated(book));
    finding.verdicts.push(high(book));
    let (cases, count) = worst_of_case(book);
    finding.verdicts.extend(count);
    finding.figures.push(Figure::Intervals {
        title: "Accuracy by training and test set".to_owned(),
        axis: "top-1 accuracy".to_owned(),
        marks,
        published: Some(paper::ACCURACY_CORRELATED),
        line: None,
    });
    finding.tables.push(table);
    finding.tables.push(cases);
    finding
}

fn share(entry: &Entry) -> Option<ShareInterval> {
    stats::wilson(hits(&entry.points), entry.points.len())
}

fn train_by_test(book: &Book) -> (Table, Vec<Mark>) {
    let sets: Vec<String> = Set::SIX
        .iter()
        .map(ToString::to_string)
        .filter(|set| networks(book).iter().any(|n| plain(book, &n.name, set, None).is_some()))
        .collect();
    let mut header = vec!["network", "trained on", "weights"];
    header.extend(sets.iter().map(String::as_str));
    header.push("published, C on C");
    let mut table = Table::new("accuracy", "Accuracy, training set by test set", &header);
    let mut marks = Vec::new();
    for network in networks(book) {
        let mut row = vec![
            Item::text(&network.name),
            Item::text(&network.train),
            Item::text(&network.precision),
        ];
        for set in &sets {
            let found = plain(book, &network.name, set, None).and_then(share);
            marks.extend(found.map(|s| Mark {
                name: format!("{} on {set}", network.name),
                group: network.name.clone(),
                value: s.value,
                ci95: Some(s.ci95),
            }));
            row.push(Item::share(found));
        }
        let correlated = network.set().is_some_and(|s| s.correlation == Correlation::Correlated);
        row.push(if correlated { Item::text("99.80 to 99.89 %") } else { Item::Nothing });
        table.rows.push(row);
    }
    (table, marks)
}

/// The range over the networks that were tested on their own training set.
fn on_own_set(book: &Book, wanted: impl Fn(Set) -> bool) -> Vec<(String, ShareInterval)> {
    networks(book)
        .into_iter()
        .filter_map(|n| {
            let set = n.set().filter(|&s| s.shape.is_none() && wanted(s))?;
            let entry = plain(book, &n.name, &set.to_string(), None)?;
            Some((n.name.clone(), share(entry)?))
        })
        .collect()
}

/// What pictures can tell of a loss: where none of n differs, a share of up to 3 / n may still go unseen (rule of three).
fn told(loss: &MeanInterval) -> Option<[f64; 2]> {
    let unseen = 3.0 / loss.n as f64;
    let [low, high] = loss.ci95?;
    Some(if low < high { [low, high] } else { [low - unseen, high + unseen] })
}

/// Reproduced if all are, not reproduced if one is not.
fn all_of(rulings: &[Ruling]) -> Ruling {
    if rulings.contains(&Ruling::NotReproduced) {
        Ruling::NotReproduced
    } else if rulings.iter().all(|r| *r == Ruling::Reproduced) {
        Ruling::Reproduced
    } else {
        Ruling::Undecided
    }
}

fn against(
    what: &str,
    range: [f64; 2],
    found: &[(String, ShareInterval)],
    missing: &str,
) -> Verdict {
    let published = Some(format!("{:.2} to {:.2} %", 100.0 * range[0], 100.0 * range[1]));
    if found.is_empty() {
        return not_measured(what, published, missing);
    }
    let rulings: Vec<Ruling> =
        found.iter().map(|(_, s)| super::range_ruling(Some(s.ci95), range, WIDEST)).collect();
    let ruling = all_of(&rulings);
    let each: Vec<String> =
        found.iter().map(|(name, s)| format!("{name} {}", Item::Share(*s).shown())).collect();
    Verdict {
        what: what.to_owned(),
        published,
        found: each.join("; "),
        ruling,
        why: "rule: every interval meets the published range and is at most 1.5 points wide. Pictures come from another \
              renderer, and these networks were trained for a small part of the paper's 100 epochs"
            .to_owned(),
    }
}

fn correlated(book: &Book) -> Verdict {
    let found =
        on_own_set(book, |s| s.correlation == Correlation::Correlated && s.level != Level::High);
    against(
        "accuracy, correlated training and test",
        paper::ACCURACY_CORRELATED,
        &found,
        "no network trained on CF or CM was tested on its own set",
    )
}

fn high(book: &Book) -> Verdict {
    against(
        "accuracy, camera level H",
        paper::ACCURACY_HIGH,
        &on_own_set(book, |s| s.level == Level::High),
        "no network trained on UH or CH exists; the levels that were only tested stand in the table",
    )
}

/// Accuracy of the four combinations of a case: C on C, C on U, U on C, U on U.
struct Case<'a> {
    contrast: Contrast<'a>,
    test: Level,
    entries: [&'a Entry; 4],
}

fn cases(book: &Book) -> Vec<Case<'_>> {
    let mut found = Vec::new();
    for contrast in contrasts(book) {
        for test in Level::ALL {
            let of = |network: &str, correlation| {
                plain(book, network, &Set::new(correlation, test).to_string(), None)
            };
            let (c, u) = (&contrast.correlated.name, &contrast.uncorrelated.name);
            let all = [
                of(c, Correlation::Correlated),
                of(c, Correlation::Uncorrelated),
                of(u, Correlation::Correlated),
                of(u, Correlation::Uncorrelated),
            ];
            if let [Some(cc), Some(cu), Some(uc), Some(uu)] = all {
                found.push(Case { contrast, test, entries: [cc, cu, uc, uu] });
            }
        }
    }
    found
}

fn worst_of_case(book: &Book) -> (Table, Vec<Verdict>) {
    let mut table = Table::new(
        "worst-of-case",
        "Cases: the same first frames of each test set for all four combinations",
        &[
            "architecture",
            "weights",
            "trained at",
            "tested at",
            "frames",
            "C on C",
            "C on U",
            "U on C",
            "U on U",
            "C on U is the worst",
            "loss from C to U",
        ],
    );
    let published = format!("{} of {}", paper::WORST_CASES, paper::CASES);
    let what = "the worst of a case is correlated training with uncorrelated test";
    let (mut worst, mut of) = (0, 0);
    let mut losses = Vec::new();
    for case in cases(book) {
        // cells may have different numbers of frames: only signs that all four saw
        let keys = case.entries.map(|e| {
            e.points.iter().map(super::Point::key).collect::<std::collections::BTreeSet<_>>()
        });
        let common: Vec<_> =
            keys[0].iter().filter(|k| keys[1..].iter().all(|s| s.contains(k))).collect();
        let right = case
            .entries
            .map(|e| e.points.iter().filter(|p| p.correct() && common.contains(&&p.key())).count());
        if common.is_empty() {
            continue;
        }
        let is_worst = [0, 2, 3].iter().all(|&other| right[1] < right[other]);
        of += 1;
        worst += usize::from(is_worst);
        let hit = |right: bool| f64::from(u8::from(right));
        let loss: Vec<f64> = paired(case.entries[0], case.entries[1])
            .iter()
            .map(|(c, u)| hit(c.correct()) - hit(u.correct()))
            .collect();
        let network = case.contrast.correlated;
        let mut row = vec![
            Item::text(&network.architecture),
            Item::text(&network.precision),
            Item::text(super::level_letter(case.contrast.level)),
            Item::text(super::level_letter(case.test)),
            Item::Count(common.len()),
        ];
        row.extend(right.map(|n| Item::share(stats::wilson(n, common.len()))));
        row.push(Item::text(if is_worst { "yes" } else { "no" }));
        row.push(Item::difference(mean(&loss)));
        losses.push(mean(&loss));
        table.rows.push(row);
    }
    if of == 0 {
        let why = "needs both networks of an architecture on the C and the U set of a level";
        return (table, vec![not_measured(what, Some(published), why)]);
    }
    let share = stats::wilson(worst, of);
    let target = paper::WORST_CASES as f64 / paper::CASES as f64;
    let (inside, beats_chance) = share
        .map_or((false, false), |s| ((s.ci95[0]..=s.ci95[1]).contains(&target), s.ci95[0] > 0.25));
    let ruling = match (inside, beats_chance) {
        _ if of < LEAST_CASES => Ruling::Undecided,
        (true, true) => Ruling::Reproduced,
        (true, false) => Ruling::Undecided,
        (false, _) => Ruling::NotReproduced,
    };
    let count = Verdict {
        what: what.to_owned(),
        published: Some(published),
        found: format!("{worst} of {of}"),
        ruling,
        why: format!(
            "rule: at least {LEAST_CASES} cases, and Wilson's interval of the share holds 16/18 and lies above the 1/4 of blind \
             chance. Cases of one architecture are not independent, and the definition is ours"
        ),
    };
    let found: Vec<String> = losses.iter().map(|l| super::in_words(*l)).collect();
    let rulings: Vec<Ruling> = losses
        .iter()
        .map(|l| super::range_ruling(l.as_ref().and_then(told), paper::WORST_LOSS, WIDEST_LOSS))
        .collect();
    let widest =
        losses.iter().filter_map(|l| told(l.as_ref()?)).map(|[l, h]| h - l).fold(0.0, f64::max);
    let loss = Verdict {
        what: "loss of the correlated network on uncorrelated pictures".to_owned(),
        published: Some("about 0.0002 to 0.0008".to_owned()),
        found: found.join("; "),
        ruling: all_of(&rulings),
        why: format!(
            "rule: every interval meets the published range and is at most {WIDEST_LOSS} wide; +-3/n where no picture of n differs; the widest here is {widest:.4}. One picture of \
             49,200 is 0.00002, one of 820 is 0.0012"
        ),
    };
    (table, vec![count, loss])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, network};
    use super::*;

    /// The four cells of a case with so many wrong frames out of 100 each.
    fn book(wrong: [usize; 4]) -> Book {
        let (c, u) = (network("c", "resnet50", "CF"), network("u", "resnet50", "UF"));
        let make = |n, set: &str, wrong| {
            entry(n, set, "gradcam", 100, |i, p| p.predicted = u16::from(i < wrong) + p.class)
        };
        Book {
            entries: vec![
                make(&c, "CF", wrong[0]),
                make(&c, "UF", wrong[1]),
                make(&u, "CF", wrong[2]),
                make(&u, "UF", wrong[3]),
            ],
            ..Book::default()
        }
    }

    #[test]
    fn the_worst_combination_is_counted_and_its_loss_is_paired() {
        let found = finding(&book([1, 5, 2, 3]));
        let row = &found.tables[1].rows[0];
        assert_eq!(row[9], Item::text("yes"));
        assert!(row[10].shown().starts_with("+0.0400"), "{}", row[10].shown());
        assert_eq!(row[6].shown(), "95.00 % (88.82 to 97.85)");
        let tie = finding(&book([1, 5, 5, 3]));
        assert_eq!(tie.tables[1].rows[0][9], Item::text("no"), "a tie is not the worst");
        let count = tie.verdicts.iter().find(|v| v.found == "0 of 1").unwrap();
        assert_eq!(count.ruling, Ruling::Undecided, "one case decides nothing");
    }

    #[test]
    fn one_case_against_the_published_range_is_enough_and_one_picture_is_not() {
        let ruling = |losses: &[Option<[f64; 2]>]| {
            let rulings: Vec<Ruling> = losses
                .iter()
                .map(|l| super::super::range_ruling(*l, paper::WORST_LOSS, WIDEST_LOSS))
                .collect();
            all_of(&rulings)
        };
        let (near, far) = (Some([0.0003, 0.0007]), Some([0.0030, 0.0040]));
        assert_eq!(ruling(&[near, near]), Ruling::Reproduced);
        assert_eq!(ruling(&[far, near]), Ruling::NotReproduced);
        assert_eq!(ruling(&[near, None]), Ruling::Undecided);
        // no picture of 100 differs: that says nothing about losses of 0.0002 to 0.0008
        let found = finding(&book([0, 0, 0, 0]));
        let loss = found.verdicts.iter().find(|v| v.what.starts_with("loss of")).unwrap();
        assert_eq!(loss.ruling, Ruling::Undecided, "{loss:?}");
    }

    #[test]
    fn a_low_accuracy_contradicts_and_a_short_run_decides_nothing() {
        let found = finding(&book([20, 20, 20, 20]));
        assert_eq!(found.verdicts[0].ruling, Ruling::NotReproduced);
        let few = finding(&book([0, 0, 0, 0]));
        assert_eq!(
            few.verdicts[0].ruling,
            Ruling::Undecided,
            "100 of 100 is an interval of 3.7 points"
        );
        assert_eq!(few.verdicts[1].ruling, Ruling::Missing);
    }
}
