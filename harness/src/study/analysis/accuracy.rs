//! Accuracy, training against test set, beside what was published for networks on their own set.

use datasets::sets::{Correlation, Level, Set};

use super::measurement::{self, Measured, Source, measure};
use super::{NOT_OF_THE_PAPER, OF_OTHERS, empty, not_measured, range_words, whole_set, worst_case};
use crate::study::book::Book;
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Figure, Finding, Item, Mark, Ruling, Table, Verdict};
use crate::study::paper;

/// Least width of an interval that is called too wide, 0.2 points.
const WIDEST: f64 = 0.002;

pub(super) fn finding(book: &Book) -> Finding {
    let mut finding = empty(
        "accuracy",
        "How often is the class right, and what does training with correlated backgrounds cost?",
        "Top-1 with Wilson's 95 % interval. Of all that is known of a network on a test set the measurement with most pictures \
         counts: frames of a cell, a row of its manifest, or a row of the plan (column `source`). A network of one shape is asked about \
         signs of that shape alone, here and in all that follows. A case is one architecture, a \
         camera level of training and one of testing, with all four combinations of correlated (C) and uncorrelated (U) training \
         and test, in one number format (f32 before others, integers last); it counts if C training with U test is lower than \
         each of the other three, and is a tie if one is equal to it; trained from several seeds it is still one case. A measurement \
         of which nobody tells the seed speaks for the only training of a set in other formats, and for none of several. \
         The paper's own definition of its 18 cases was not at hand: ours gives 27 in the whole grid, and two parts of it that have 18 are printed beside it. The loss is that of the \
         C-trained network from C to U pictures: frame by frame (Bonett and Price 2012) where both are frames, else as if the \
         pictures were others (Newcombe 1998).",
    );
    let all = measurement::known(book);
    let (table, marks) = train_by_test(book, &all);
    finding.verdicts.extend(correlated(book, &all));
    finding.verdicts.extend(high(book, &all));
    let (cases, verdicts) = worst_case::table(book, &all);
    finding.verdicts.extend(verdicts);
    finding.figures.push(Figure::Intervals {
        title: "Accuracy by training and test set".to_owned(),
        axis: "top-1 accuracy".to_owned(),
        marks,
        published: all
            .iter()
            .all(|n| paper::has(&n.architecture))
            .then_some(paper::ACCURACY_CORRELATED),
        line: None,
    });
    finding.tables.push(table);
    finding.tables.push(cases);
    finding
}

fn percent(range: [f64; 2]) -> String {
    format!("{:.2} to {:.2} %", 100.0 * range[0], 100.0 * range[1])
}

/// The range that was published for networks like this one on their own set.
fn published(network: &NetworkFacts) -> Option<[f64; 2]> {
    let set = whole_set(network).filter(|_| paper::has(&network.architecture))?;
    match (set.level, set.correlation) {
        (Level::High, _) => Some(paper::ACCURACY_HIGH),
        (_, Correlation::Correlated) => Some(paper::ACCURACY_CORRELATED),
        _ => None,
    }
}

/// A row a network and source, so that one word says where its figures come from.
fn train_by_test(book: &Book, all: &[NetworkFacts]) -> (Table, Vec<Mark>) {
    let sets: Vec<String> = Set::SIX
        .iter()
        .map(ToString::to_string)
        .filter(|set| all.iter().any(|n| measure(book, n, set).is_some()))
        .collect();
    let mut header = vec!["network", "trained on", "weights", "source", "pictures"];
    header.extend(sets.iter().map(String::as_str));
    header.push("published, own set");
    let mut table = Table::new("accuracy", "Accuracy, training set by test set", &header);
    let mut marks = Vec::new();
    for network in all {
        for word in Source::WORDS {
            let found: Vec<Option<Measured<'_>>> = sets
                .iter()
                .map(|set| measure(book, network, set).filter(|m| m.source.word() == word))
                .collect();
            let pictures: Vec<usize> = found.iter().flatten().map(|m| m.share.n).collect();
            if pictures.is_empty() {
                continue;
            }
            let mut row = vec![
                Item::text(&network.name),
                Item::text(&network.train),
                Item::text(&network.precision),
                Item::text(word),
                Item::text(range_words(&pictures)),
            ];
            for (set, found) in sets.iter().zip(&found) {
                marks.extend(found.map(|m| Mark {
                    name: format!("{} on {set}", network.name),
                    group: network.name.clone(),
                    value: m.share.value,
                    ci95: Some(m.share.ci95),
                }));
                row.push(Item::share(found.map(|m| m.share)));
            }
            row.push(Item::text(
                published(network).map_or_else(|| super::NOT_PUBLISHED.to_owned(), percent),
            ));
            table.rows.push(row);
        }
    }
    (table, marks)
}

/// Reproduced if all are, not reproduced if one is not.
pub(super) fn all_of(rulings: &[Ruling]) -> Ruling {
    if rulings.contains(&Ruling::NotReproduced) {
        Ruling::NotReproduced
    } else if rulings.iter().all(|r| *r == Ruling::Reproduced) {
        Ruling::Reproduced
    } else {
        Ruling::Undecided
    }
}

/// Twice the published range, at least 0.2 points: what is wider could lie on either side of it.
fn widest(range: [f64; 2]) -> f64 {
    (2.0 * (range[1] - range[0])).max(WIDEST)
}

type Accuracies<'n, 'b> = [(&'n NetworkFacts, Measured<'b>)];

/// Each accuracy with what is to be said of its interval.
fn words(found: &Accuracies<'_, '_>, remark: impl Fn([f64; 2]) -> &'static str) -> String {
    let each = found.iter().map(|(network, m)| {
        format!(
            "{} {}, n {}, {}{}",
            network.name,
            Item::Share(m.share).shown(),
            m.share.n,
            m.source.word(),
            remark(m.share.ci95)
        )
    });
    each.collect::<Vec<_>>().join("; ")
}

/// The paper's networks against what it published, and others by themselves.
fn verdicts(
    what: &str,
    range: [f64; 2],
    found: &Accuracies<'_, '_>,
    missing: &str,
) -> Vec<Verdict> {
    let (of_paper, others): (Vec<_>, Vec<_>) =
        found.iter().copied().partition(|(network, _)| paper::has(&network.architecture));
    let mut verdicts = Vec::new();
    if !of_paper.is_empty() || others.is_empty() {
        verdicts.push(against(what, range, &of_paper, missing));
    }
    if !others.is_empty() {
        verdicts.push(alone(what, widest(range), &others));
    }
    verdicts
}

fn against(what: &str, range: [f64; 2], found: &Accuracies<'_, '_>, missing: &str) -> Verdict {
    let published = Some(percent(range));
    if found.is_empty() {
        return not_measured(what, published, missing);
    }
    let widest = widest(range);
    let rulings: Vec<Ruling> =
        found.iter().map(|(_, m)| super::range_ruling(Some(m.share.ci95), range, widest)).collect();
    let side = |[low, high]: [f64; 2]| match () {
        () if low > range[1] => ", higher",
        () if high < range[0] => ", lower",
        () if high - low > widest => ", too wide",
        () => "",
    };
    Verdict {
        what: what.to_owned(),
        published,
        found: words(found, side),
        ruling: all_of(&rulings),
        why: format!(
            "rule: every interval meets the published range and is at most {:.2} points wide; one wholly beside it contradicts. One \
             number format a training. Pictures come from another renderer, and how long a network was trained stands in its \
             manifest: an accuracy is no better evidence for the paper than its training is like the paper's",
            100.0 * widest
        ),
    }
}

/// Accuracies that nobody published: an answer if they are told closely.
fn alone(what: &str, widest: f64, found: &Accuracies<'_, '_>) -> Verdict {
    let wide = |[low, high]: [f64; 2]| high - low > widest;
    let sure = found.iter().all(|(_, m)| !wide(m.share.ci95));
    Verdict {
        what: format!("{what}, {OF_OTHERS}"),
        published: None,
        found: words(found, |ci95| if wide(ci95) { ", too wide" } else { "" }),
        ruling: if sure { Ruling::Answered } else { Ruling::Undecided },
        why: format!(
            "{NOT_OF_THE_PAPER}. Answered if every interval is at most {:.2} points wide, which is asked of the paper's as well. One \
             number format a training",
            100.0 * widest
        ),
    }
}

fn correlated(book: &Book, all: &[NetworkFacts]) -> Vec<Verdict> {
    let wanted = |s: Set| s.correlation == Correlation::Correlated && s.level != Level::High;
    verdicts(
        "accuracy, correlated training and test",
        paper::ACCURACY_CORRELATED,
        &measurement::on_own_set(book, all, wanted),
        "no network trained on CF or CM was tested on its own set",
    )
}

fn high(book: &Book, all: &[NetworkFacts]) -> Vec<Verdict> {
    verdicts(
        "accuracy, camera level H",
        paper::ACCURACY_HIGH,
        &measurement::on_own_set(book, all, |s| s.level == Level::High),
        "no network trained on UH or CH was tested on its own set; the levels that were only tested stand in the table",
    )
}

#[cfg(test)]
mod tests {
    use models::manifest::Accuracy;

    use super::super::testing::{entry, network};
    use super::*;
    use crate::study::cell::{KnownAccuracy, Told};

    /// A network of a set with so many wrong frames of `n`, and perhaps a row of the plan.
    fn book(train: &str, wrong: usize, n: usize, row: Option<(f64, u64, [f64; 2])>) -> Book {
        let mut facts = network(train, "resnet50", train);
        facts.accuracy.extend(row.map(|(top1, n, ci95)| KnownAccuracy {
            told: Told::Plan,
            figures: Accuracy { set: format!("{train}/test"), top1, n, ci95: Some(ci95) },
        }));
        let cell =
            entry(&facts, train, "gradcam", n, |i, p| p.predicted = u16::from(i < wrong) + p.class);
        Book { entries: vec![cell], ..Book::default() }
    }

    #[test]
    fn the_larger_measurement_decides_and_says_where_it_lies() {
        // 100 of 100 is an interval of 3.7 points
        let few = finding(&book("CF", 0, 100, None));
        assert_eq!(few.verdicts[0].ruling, Ruling::Undecided);
        assert!(few.verdicts[0].found.ends_with("n 100, frames, too wide"), "{few:?}");
        let many = finding(&book("CF", 0, 100, Some((0.9996, 49_200, [0.9994, 0.9997]))));
        assert_eq!(many.verdicts[0].ruling, Ruling::NotReproduced);
        assert!(many.verdicts[0].found.ends_with("n 49200, plan, higher"), "{many:?}");
        let within = finding(&book("CF", 0, 100, Some((0.9985, 49_200, [0.9981, 0.9988]))));
        assert_eq!(within.verdicts[0].ruling, Ruling::Reproduced);
        let low = finding(&book("CF", 20, 100, None));
        assert_eq!(low.verdicts[0].ruling, Ruling::NotReproduced);
        assert!(low.verdicts[0].found.ends_with("lower"), "{low:?}");
        assert_eq!(low.verdicts[1].ruling, Ruling::Missing);
    }

    #[test]
    fn an_interval_of_half_a_point_decides_nothing_about_a_range_of_a_tenth() {
        // 820 of 820: 99.53 to 100 %
        assert_eq!(finding(&book("CF", 0, 820, None)).verdicts[0].ruling, Ruling::Undecided);
        // level H has a range of 0.22 points: 0.44 may pass
        let row = |ci95| finding(&book("UH", 0, 10, Some((0.993, 9_000, ci95)))).verdicts[1].ruling;
        assert_eq!(row([0.991, 0.9953]), Ruling::Reproduced);
        assert_eq!(row([0.991, 0.9955]), Ruling::Undecided);
    }

    #[test]
    fn every_row_of_the_table_has_one_source() {
        let mut book = book("CF", 0, 100, Some((0.9996, 49_200, [0.9994, 0.9997])));
        let facts = book.entries[0].network.clone();
        book.entries.push(entry(&facts, "UF", "gradcam", 50, |_, _| {}));
        let table = &finding(&book).tables[0];
        assert_eq!(table.header[5..], ["UF", "CF", "published, own set"]);
        let words = |row: usize| (table.rows[row][3].shown(), table.rows[row][4].shown());
        assert_eq!(words(0), ("frames".to_owned(), "50".to_owned()));
        assert_eq!(words(1), ("plan".to_owned(), "49200".to_owned()));
        assert_eq!((&table.rows[0][6], table.rows[1][6].shown().len()), (&Item::Nothing, 24));
        assert_eq!(table.rows[0][7], Item::text("99.80 to 99.89 %"));
    }

    #[test]
    fn networks_that_the_paper_does_not_have_are_held_against_nothing() {
        let renamed = |wrong, n| {
            let mut book = book("CF", wrong, n, None);
            "resnet-tiny".clone_into(&mut book.entries[0].network.architecture);
            book
        };
        // 80 %: of a network of the paper not reproduced
        let found = finding(&renamed(20, 100));
        let verdict = &found.verdicts[0];
        assert_eq!((verdict.ruling, &verdict.published), (Ruling::Undecided, &None));
        assert!(verdict.found.ends_with("n 100, frames, too wide"), "{verdict:?}");
        assert!(verdict.why.starts_with(NOT_OF_THE_PAPER), "{verdict:?}");
        assert_eq!(finding(&renamed(0, 2000)).verdicts[0].ruling, Ruling::Answered);
        assert_eq!(found.tables[0].rows[0].last(), Some(&Item::text("not published")));
        let band = |found: &Finding| match &found.figures[0] {
            Figure::Intervals { published, .. } => *published,
            Figure::Curves { .. } => None,
        };
        assert_eq!(band(&found), None);
        // beside one of the paper's, each by itself
        let mut both = book("CF", 20, 100, None);
        assert_eq!(band(&finding(&both)), Some(paper::ACCURACY_CORRELATED));
        let mut other = renamed(0, 2000).entries.remove(0);
        "tiny".clone_into(&mut other.network.name);
        both.entries.push(other);
        let found = finding(&both);
        let rulings = [found.verdicts[0].ruling, found.verdicts[1].ruling];
        assert_eq!(rulings, [Ruling::NotReproduced, Ruling::Answered]);
        assert!(found.verdicts[1].found.starts_with("tiny "), "{:?}", found.verdicts[1]);
    }
}
