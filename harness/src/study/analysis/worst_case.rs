//! Which combination of a case is the worst, and what it loses: the table of cases and the verdicts over it, on the networks that the
//! paper has and on others apart.

use std::collections::BTreeSet;

use super::case_loss;
use super::cases::{Case, Worst, cases};
use super::shares::ShareDifference;
use super::worst_count;
use super::{NOT_PUBLISHED, level_letter, range_words};
use crate::study::book::Book;
use crate::study::cell::NetworkFacts;
use crate::study::finding::{Item, Table, Verdict};
use crate::study::paper;

pub(super) fn table(book: &Book, all: &[NetworkFacts]) -> (Table, Vec<Verdict>) {
    let mut table = Table::new(
        "worst-of-case",
        "Cases: correlated and uncorrelated training and test, accuracy of all four combinations",
        &[
            "architecture",
            "network",
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
            Item::text(&case.network.name),
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
        row.push(Item::text(if paper::has(&case.network.architecture) {
            published.as_str()
        } else {
            NOT_PUBLISHED
        }));
        table.rows.push(row);
    }
    let (of_paper, others): (Vec<&Case<'_>>, Vec<&Case<'_>>) =
        cases.iter().partition(|case| paper::has(&case.network.architecture));
    let mut verdicts = Vec::new();
    if !of_paper.is_empty() || others.is_empty() {
        verdicts.extend([worst_count::of_paper(&of_paper), case_loss::of_paper(&of_paper)]);
    }
    if !others.is_empty() {
        verdicts.extend([worst_count::of_others(&others), case_loss::of_others(&others)]);
    }
    (table, verdicts)
}

#[cfg(test)]
mod tests {
    use super::super::cases::Four;
    use super::super::testing::{entry, network};
    use super::*;
    use crate::study::finding::Ruling;

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

    #[test]
    fn the_worst_combination_is_counted_and_its_loss_is_paired() {
        let (cases, verdicts) = of_book(&book([1, 5, 2, 3]));
        let row = &cases.rows[0];
        assert_eq!(row.len(), cases.header.len());
        assert_eq!((&row[1], &cases.header[1]), (&Item::text("c"), &"network".to_owned()));
        assert_eq!((&row[5], &row[6]), (&Item::text("frames"), &Item::text("100")));
        assert_eq!(row[8].shown(), "95.00 % (88.82 to 97.85)");
        assert_eq!(row[11], Item::text("yes"));
        // four of the 100 are right on C alone, none on U alone: p = 5/102, q = 1/102
        assert_eq!(row[12].shown(), "+0.0400 (-0.0072 to +0.0857)");
        assert!(row[13].shown().starts_with("C on U worst in 16 of 18"), "{row:?}");
        assert_eq!(verdicts[0].ruling, Ruling::Undecided, "one case decides nothing");
        let tie = of_book(&book([1, 5, 5, 3]));
        assert_eq!(tie.0.rows[0][11], Item::text("tie"), "a tie is not the worst");
        assert!(tie.1[0].found.starts_with("every level on every level (ours): 0 of 1, ties 1"));
        // no picture of 100 differs: that says nothing about losses of 0.0002 to 0.0008
        assert_eq!(of_book(&book([0; 4])).1[1].ruling, Ruling::Undecided);
    }
}
