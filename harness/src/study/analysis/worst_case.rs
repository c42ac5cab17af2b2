//! Which combination of a case is the worst, under each reading of the paper's 18 cases, and what it loses.

use std::collections::BTreeSet;

use super::accuracy::all_of;
use super::cases::{Case, READINGS, Worst, cases};
use super::shares::ShareDifference;
use super::{level_letter, not_measured, range_words};
use crate::stats;
use crate::study::book::Book;
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Item, Ruling, Table, Verdict};
use crate::study::paper;

/// Cases below which a count decides nothing.
const LEAST_CASES: usize = 9;

pub(super) fn table(book: &Book, all: &[NetworkFacts]) -> (Table, Vec<Verdict>) {
    let mut table = Table::new(
        "worst-of-case",
        "Cases: correlated and uncorrelated training and test, accuracy of all four combinations",
        &[
            "architecture",
            "weights",
            "trained at",
            "tested at",
            "source",
            "pictures",
            "C on C",
            "C on U",
            "U on C",
            "U on U",
            "C on U is the worst",
            "loss from C to U",
            "published",
        ],
    );
    let [smallest, largest] = paper::WORST_LOSS;
    let published = format!(
        "C on U worst in {} of {}, loss {smallest} to {largest}",
        paper::WORST_CASES,
        paper::CASES
    );
    let cases = cases(book, all);
    for case in &cases {
        let words: BTreeSet<&str> = case.at.iter().map(|m| m.source.word()).collect();
        let mut row = vec![
            Item::text(&case.network.architecture),
            Item::text(&case.network.precision),
            Item::text(level_letter(case.train)),
            Item::text(level_letter(case.test)),
            Item::text(words.into_iter().collect::<Vec<_>>().join(", ")),
            Item::text(range_words(&case.shares.map(|s| s.n))),
        ];
        row.extend(case.shares.map(Item::Share));
        row.push(Item::text(match case.worst() {
            Worst::Yes => "yes",
            Worst::Tie => "tie",
            Worst::No => "no",
        }));
        row.push(case.loss().map_or(Item::Nothing, ShareDifference::item));
        row.push(Item::text(&published));
        table.rows.push(row);
    }
    let verdicts = vec![count(&cases), loss(&cases)];
    (table, verdicts)
}

/// Wilson's interval of the share holds the published one and lies above blind chance, 1 of 4.
fn count_ruling(worst: usize, of: usize) -> Ruling {
    let target = paper::WORST_CASES as f64 / paper::CASES as f64;
    let Some(share) = stats::wilson(worst, of).filter(|_| of >= LEAST_CASES) else {
        return Ruling::Undecided;
    };
    let [low, high] = share.ci95;
    match ((low..=high).contains(&target), low > 0.25) {
        (true, true) => Ruling::Reproduced,
        (true, false) => Ruling::Undecided,
        (false, _) => Ruling::NotReproduced,
    }
}

/// Cases whose worst is C on U, ties, and all.
fn tally<'c, 'a: 'c>(cases: impl Iterator<Item = &'c Case<'a>>) -> [usize; 3] {
    cases.fold([0; 3], |[worst, ties, all], case| match case.worst() {
        Worst::Yes => [worst + 1, ties, all + 1],
        Worst::Tie => [worst, ties + 1, all + 1],
        Worst::No => [worst, ties, all + 1],
    })
}

fn count(cases: &[Case<'_>]) -> Verdict {
    let what = "the worst of a case is correlated training with uncorrelated test";
    let published = Some(format!("{} of {}", paper::WORST_CASES, paper::CASES));
    if cases.is_empty() {
        let why = "needs both networks of an architecture on the C and the U set of a level";
        return not_measured(what, published, why);
    }
    let telling = |c: &&Case<'_>| c.loss().is_some_and(|l| l.ci95[1] - l.ci95[0] <= widest_loss());
    let (mut words, mut rulings) = (Vec::new(), Vec::new());
    for reading in &READINGS {
        let here = || cases.iter().filter(|c| (reading.holds)(c.train, c.test));
        let [worst, ties, of] = tally(here());
        words.push(format!(
            "{}: {worst} of {of} and {ties} ties ({} cases in the whole grid)",
            reading.words,
            reading.full()
        ));
        let [worst, ties, of] = tally(here().filter(telling));
        if of >= LEAST_CASES {
            // a tie may have been decided by rounding, either way
            rulings.extend([count_ruling(worst, of), count_ruling(worst + ties, of)]);
        }
    }
    let telling = cases.iter().filter(telling).count();
    let ruling = match rulings.split_first() {
        Some((first, rest)) if rest.iter().all(|r| r == first) => *first,
        _ => Ruling::Undecided,
    };
    Verdict {
        what: what.to_owned(),
        published,
        found: words.join("; "),
        ruling,
        why: format!(
            "rule: Wilson's interval of the share holds {}/{} and lies above the 1/4 of blind chance, alike under every reading with at \
             least {LEAST_CASES} telling cases and however ties are counted (rows of a plan are rounded). A case is telling if its loss has \
             an interval of at most {:.4}: with fewer pictures the worst is drawn by lot, whatever is true. Telling here: {telling} of \
             {}. Cases of one architecture are not independent",
            paper::WORST_CASES,
            paper::CASES,
            widest_loss(),
            cases.len()
        ),
    }
}

/// Twice the published range: an interval that is wider could lie on either side of it.
fn widest_loss() -> f64 {
    let [smallest, largest] = paper::WORST_LOSS;
    2.0 * (largest - smallest)
}

/// A loss is there and of the published size, beside it, or not told.
fn loss_ruling([low, high]: [f64; 2]) -> Ruling {
    match super::range_ruling(Some([low, high]), paper::WORST_LOSS, widest_loss()) {
        // what holds zero may be no loss at all
        Ruling::Reproduced if low <= 0.0 => Ruling::Undecided,
        ruling => ruling,
    }
}

fn loss(cases: &[Case<'_>]) -> Verdict {
    let what = "loss of the correlated network on uncorrelated pictures";
    let [smallest, largest] = paper::WORST_LOSS;
    let published = Some(format!("about {smallest} to {largest}"));
    let losses: Vec<ShareDifference> = cases.iter().filter_map(Case::loss).collect();
    let values = || losses.iter().map(|l| l.value);
    let (Some(least), Some(most)) = (values().reduce(f64::min), values().reduce(f64::max)) else {
        return not_measured(what, published, "needs a case");
    };
    let rulings: Vec<Ruling> = losses.iter().map(|l| loss_ruling(l.ci95)).collect();
    let like = |wanted: Ruling| rulings.iter().filter(|r| **r == wanted).count();
    let narrowest = losses.iter().map(|l| l.ci95[1] - l.ci95[0]).fold(f64::INFINITY, f64::min);
    Verdict {
        what: what.to_owned(),
        published,
        found: format!(
            "{} cases, losses of {least:+.4} to {most:+.4}: {} of the published size, {} beside it, {} not told",
            losses.len(),
            like(Ruling::Reproduced),
            like(Ruling::NotReproduced),
            like(Ruling::Undecided)
        ),
        ruling: all_of(&rulings),
        why: format!(
            "rule: every interval lies above 0, meets the published range and is at most {:.4} wide; one wholly beside it \
             contradicts. The narrowest here is {narrowest:.4}; one picture of 49,200 is 0.00002, one of 820 is 0.0012",
            widest_loss()
        ),
    }
}

#[cfg(test)]
mod tests {
    use datasets::sets::{Correlation, Set};
    use models::manifest::Accuracy;

    use super::super::cases::Four;
    use super::super::testing::{entry, network};
    use super::*;
    use crate::study::cell::{KnownAccuracy, Told};

    fn of_book(book: &Book) -> (Table, Vec<Verdict>) {
        let all = super::super::measurement::known(book);
        table(book, &all)
    }

    /// The four cells of a case with so many wrong frames out of 100 each.
    fn book(wrong: Four<usize>) -> Book {
        let (c, u) = (network("c", "resnet50", "CF"), network("u", "resnet50", "UF"));
        let make = |n, set: &str, wrong| {
            entry(n, set, "gradcam", 100, |i, p| p.predicted = u16::from(i < wrong) + p.class)
        };
        let cells = [(&c, "CF"), (&c, "UF"), (&u, "CF"), (&u, "UF")];
        let entries = cells.iter().zip(wrong).map(|((n, set), w)| make(n, set, w)).collect();
        Book { entries, ..Book::default() }
    }

    /// Half width of an interval of 49,200 pictures or so.
    const HALF: f64 = 0.0001;

    /// A network that only the plan knows, with one accuracy on C and one on U of every level.
    fn told(
        architecture: &str,
        train: &str,
        precision: &str,
        [on_c, on_u]: [f64; 2],
    ) -> NetworkFacts {
        let rows = Set::SIX.iter().map(|set| {
            let top1 = if set.correlation == Correlation::Correlated { on_c } else { on_u };
            let ci95 = Some([top1 - HALF, top1 + HALF]);
            let figures = Accuracy { set: format!("{set}/test"), top1, n: 49_200, ci95 };
            KnownAccuracy { told: Told::Plan, figures }
        });
        NetworkFacts {
            precision: precision.to_owned(),
            accuracy: rows.collect(),
            ..network(&format!("{architecture}-{train}.{precision}"), architecture, train)
        }
    }

    #[test]
    fn the_worst_combination_is_counted_and_its_loss_is_paired() {
        let (cases, verdicts) = of_book(&book([1, 5, 2, 3]));
        let row = &cases.rows[0];
        assert_eq!((&row[4], &row[5]), (&Item::text("frames"), &Item::text("100")));
        assert_eq!(row[7].shown(), "95.00 % (88.82 to 97.85)");
        assert_eq!(row[10], Item::text("yes"));
        // four of the 100 are right on C alone, none on U alone: p = 5/102, q = 1/102
        assert_eq!(row[11].shown(), "+0.0400 (-0.0072 to +0.0857)");
        assert!(row[12].shown().starts_with("C on U worst in 16 of 18"), "{row:?}");
        assert_eq!(verdicts[0].ruling, Ruling::Undecided, "one case decides nothing");
        let tie = of_book(&book([1, 5, 5, 3]));
        assert_eq!(tie.0.rows[0][10], Item::text("tie"), "a tie is not the worst");
        assert!(tie.1[0].found.starts_with("every level on every level (ours): 0 of 1 and 1 ties"));
    }

    #[test]
    fn one_number_format_counts_and_every_reading_is_printed() {
        // the whole grid in two formats; C on U is the worst in f32, never in integers
        let mut all = Vec::new();
        for (architecture, _) in paper::PARAMETERS {
            for level in ["F", "M", "H"] {
                for (precision, c) in [("f32", [0.9990, 0.9985]), ("int8-qdq", [0.9985, 0.9990])] {
                    all.push(told(architecture, &format!("C{level}"), precision, c));
                    all.push(told(architecture, &format!("U{level}"), precision, [0.9990; 2]));
                }
            }
        }
        let (cases, verdicts) = table(&Book::default(), &all);
        assert_eq!(cases.rows.len(), 27);
        for (reading, count) in READINGS.iter().zip([27, paper::CASES, paper::CASES]) {
            let words = format!("{}: {count} of {count} and 0 ties ({count} cases", reading.words);
            assert!(verdicts[0].found.contains(&words), "{}", verdicts[0].found);
        }
        assert_eq!(verdicts[0].ruling, Ruling::Reproduced);
        assert_eq!(verdicts[1].ruling, Ruling::Reproduced, "{:?}", verdicts[1]);
        // where no f32 is, integers speak
        all.retain(NetworkFacts::is_integer);
        let (cases, verdicts) = table(&Book::default(), &all);
        assert_eq!((cases.rows.len(), verdicts[0].ruling), (27, Ruling::NotReproduced));
    }

    #[test]
    fn cases_of_few_pictures_and_ties_of_rounding_decide_nothing() {
        // nine cases of one architecture, C on U never the worst
        let grid = |c: [f64; 2]| -> Vec<NetworkFacts> {
            ["F", "M", "H"]
                .iter()
                .flat_map(|level| {
                    let other = told("resnet50", &format!("U{level}"), "f32", [0.9990; 2]);
                    [told("resnet50", &format!("C{level}"), "f32", c), other]
                })
                .collect()
        };
        let count = |all: &[NetworkFacts]| table(&Book::default(), all).1.remove(0);
        assert_eq!(count(&grid([0.9985, 0.9990])).ruling, Ruling::NotReproduced);
        let tie = count(&grid([0.9990, 0.9990]));
        assert_eq!(tie.ruling, Ruling::Undecided, "none of 9, or all of them");
        let mut few = grid([0.9985, 0.9990]);
        for row in few.iter_mut().flat_map(|n| &mut n.accuracy) {
            row.figures.ci95 = Some([row.figures.top1 - 0.0009, 1.0]);
        }
        let few = count(&few);
        assert_eq!(few.ruling, Ruling::Undecided);
        assert!(few.why.contains("Telling here: 0 of 9"), "{}", few.why);
    }

    #[test]
    fn the_plan_of_the_zoo_has_cases_without_a_frame() {
        let plan = crate::study::StudyPlan::open("zoo").unwrap().to_toml().unwrap();
        let facts = std::collections::BTreeMap::from([("plan".to_owned(), plan)]);
        let (cases, verdicts) = of_book(&Book { facts, ..Book::default() });
        // ResNet50 of three levels on three, ConvNeXt-Tiny of one on three
        assert_eq!(cases.rows.len(), 12);
        assert!(
            verdicts[0].found.starts_with("every level on every level (ours): 4 of 12 and 3 ties")
        );
    }

    #[test]
    fn a_loss_of_rows_is_newcombes() {
        let all = [
            told("resnet50", "CF", "f32", [0.9990, 0.9985]),
            told("resnet50", "UF", "f32", [0.9990; 2]),
        ];
        let (cases, _) = table(&Book::default(), &all);
        // 0.0005 +- sqrt(2) 0.0001
        assert_eq!(cases.rows[0][11].shown(), "+0.0005 (+0.0004 to +0.0006)");
        assert_eq!(cases.rows[0][4], Item::text("plan"));
    }

    #[test]
    fn one_loss_against_the_published_range_is_enough_and_one_picture_is_not() {
        let (near, far) = ([0.0003, 0.0007], [0.0030, 0.0040]);
        let ruling = |losses: &[[f64; 2]]| {
            all_of(&losses.iter().map(|l| loss_ruling(*l)).collect::<Vec<_>>())
        };
        assert_eq!(ruling(&[near, near]), Ruling::Reproduced);
        assert_eq!(ruling(&[far, near]), Ruling::NotReproduced);
        assert_eq!(ruling(&[near, [-0.0002, 0.0004]]), Ruling::Undecided, "it may be none");
        assert_eq!(ruling(&[near, [0.0001, 0.0014]]), Ruling::Undecided, "too wide");
        // no picture of 100 differs: that says nothing about losses of 0.0002 to 0.0008
        assert_eq!(of_book(&book([0; 4])).1[1].ruling, Ruling::Undecided);
        assert_eq!(of_book(&Book::default()).1[1].ruling, Ruling::Missing);
    }
}
