//! What a study says at a glance: a sentence for each question, and every verdict as a row of one table.

use std::collections::BTreeMap;

use super::finding::{Finding, Findings, Item, Ruling, Table, Verdict};

/// A sentence of the overview holds about so many letters of what was found; the section has all of it.
const LONGEST: usize = 150;

/// The verdicts of a question, decided ones first, else in the order of the finding.
pub(super) fn ordered(finding: &Finding) -> Vec<&Verdict> {
    let mut verdicts: Vec<&Verdict> = finding.verdicts.iter().collect();
    verdicts.sort_by_key(|v| !v.ruling.is_decided());
    verdicts
}

/// What to take away from a question: its own headline, else what its first decided verdict found.
pub(super) fn headline(finding: &Finding) -> String {
    if let Some(text) = &finding.headline {
        return text.clone();
    }
    match ordered(finding).first() {
        None => "nothing was compared".to_owned(),
        Some(v) if v.ruling == Ruling::Missing => format!("{}: {}", v.what, v.ruling.words()),
        Some(v) => format!("{}: {}", v.what, shortened(&v.found)),
    }
}

/// How often each ruling was given.
pub(super) fn counts<'a>(
    verdicts: impl IntoIterator<Item = &'a Verdict>,
) -> BTreeMap<Ruling, usize> {
    let mut counts = BTreeMap::new();
    for verdict in verdicts {
        *counts.entry(verdict.ruling).or_default() += 1;
    }
    counts
}

/// All verdicts of a study as one table.
pub(super) fn verdict_table(findings: &Findings) -> Table {
    let header = ["question", "statement", "published", "found", "verdict", "why"];
    let mut table =
        Table::new("verdicts", "Every statement and question, and how it came out", &header);
    for finding in &findings.findings {
        for v in &finding.verdicts {
            table.rows.push(vec![
                Item::text(&finding.id),
                Item::text(&v.what),
                v.published.as_ref().map_or(Item::Nothing, Item::text),
                Item::text(&v.found),
                Item::text(v.ruling.words()),
                Item::text(&v.why),
            ]);
        }
    }
    table
}

/// The first clauses of a text, as many as there is room for; never a part of one, so that no number stands without its interval.
fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let (mut depth, mut end) = (0_i32, None);
    for (count, (at, c)) in text.char_indices().enumerate() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            // a comma within a number has no space behind it
            ',' | ';' if depth == 0 && text[at + 1..].starts_with(' ') => {
                if count > LONGEST && end.is_some() {
                    break;
                }
                end = Some(at);
            }
            _ => {}
        }
    }
    end.map_or_else(|| text.to_owned(), |at| format!("{}, \u{2026}", &text[..at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(what: &str, found: &str, ruling: Ruling) -> Verdict {
        Verdict {
            what: what.to_owned(),
            published: None,
            found: found.to_owned(),
            ruling,
            why: "rule".to_owned(),
        }
    }

    fn finding(verdicts: Vec<Verdict>) -> Finding {
        Finding {
            id: "q".to_owned(),
            question: "Q?".to_owned(),
            headline: None,
            definition: String::new(),
            verdicts,
            figures: Vec::new(),
            tables: Vec::new(),
        }
    }

    #[test]
    fn the_first_decided_verdict_is_the_headline_unless_the_finding_has_one() {
        let mut f = finding(vec![
            verdict("a", "+0.1 (-0.2 to +0.3)", Ruling::Undecided),
            verdict("b", "+0.2 (+0.1 to +0.3)", Ruling::NotReproduced),
            verdict("c", "-", Ruling::Missing),
        ]);
        assert_eq!(headline(&f), "b: +0.2 (+0.1 to +0.3)");
        let order: Vec<&str> = ordered(&f).iter().map(|v| v.what.as_str()).collect();
        assert_eq!(order, ["b", "a", "c"]);
        assert_eq!(counts(&f.verdicts)[&Ruling::Missing], 1);
        f.headline = Some("It does.".to_owned());
        assert_eq!(headline(&f), "It does.");
        assert_eq!(headline(&finding(vec![verdict("a", "-", Ruling::Missing)])), "a: not measured");
        assert_eq!(
            headline(&finding(vec![verdict("a", "1 of 2", Ruling::NotComparable)])),
            "a: 1 of 2"
        );
        assert_eq!(headline(&finding(Vec::new())), "nothing was compared");
    }

    #[test]
    fn a_long_text_ends_behind_a_whole_clause() {
        let clause = "ratio -0.192 (-0.236, with 1,000, to -0.147)";
        let text = [clause; 9].join("; ");
        let short = shortened(&text);
        assert_eq!(short, format!("{}, \u{2026}", [clause; 3].join("; ")));
        assert!(short.chars().count() <= LONGEST + 3, "{short}");
        assert_eq!(shortened(clause), clause);
        // a clause that is too long by itself stays whole
        let one = "word ".repeat(60);
        assert_eq!(shortened(&one), one);
    }

    #[test]
    fn every_verdict_is_a_row_of_the_table() {
        let mut first = finding(vec![
            verdict("a", "1", Ruling::Answered),
            verdict("b", "2", Ruling::Undecided),
        ]);
        first.verdicts[1].published = Some("3".to_owned());
        let findings = Findings {
            schema: 1,
            title: String::new(),
            about: String::new(),
            cells: [0; 3],
            findings: vec![first, finding(vec![verdict("c", "-", Ruling::Missing)])],
            missing: Vec::new(),
        };
        let table = verdict_table(&findings);
        let rows: Vec<String> = table
            .rows
            .iter()
            .map(|row| row.iter().map(Item::shown).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(
            rows,
            ["q|a|-|1|answered|rule", "q|b|3|2|undecided|rule", "q|c|-|-|not measured|rule"]
        );
    }
}
