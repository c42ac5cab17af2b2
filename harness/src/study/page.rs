//! `report.html` of a study: a line for each question, then verdicts, figures and tables; one file, light and dark.
//!
//! Made to be read in ten minutes: of each question three verdicts, one figure of a screen at most and short tables stand open, all else
//! is folded.
//! Everything follows from the book alone, so `verify` can make the page again and compare bytes.

mod figure;

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::StudyError;
use super::book::Book;
use super::finding::{Finding, Findings, Item, Ruling, Table, Verdict};
use super::overview;
use figure::figure;

const STYLE: &str = include_str!("../report/page.css");
const OWN_STYLE: &str = include_str!("page.css");

/// Verdicts of a question that stand open.
const OPEN_VERDICTS: usize = 3;
/// Rows of a table, or of a list, that stand open.
const OPEN_ROWS: usize = 12;
/// Facts of the machine that collected have names that begin so.
const MACHINE: &str = "machine.";

/// The page.
pub(super) fn html(book: &Book, findings: &Findings) -> Result<String, StudyError> {
    let sections: Vec<Markup> = findings.findings.iter().map(section).collect::<Result<_, _>>()?;
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "roadgaze study: " (findings.title) }
                style { (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body class="study" {
                header {
                    h1 { (findings.title) }
                    p { (findings.about) }
                    p class="small" {
                        (findings.cells[0]) " cells complete, " (findings.cells[1]) " begun, " (findings.cells[2]) " not there. Published numbers: \
                         arXiv 2512.05937. Intervals are 95 %. Higher pixel ratio: less attention to the background."
                    }
                }
                main {
                    (overview(findings))
                    @for section in &sections { (section) }
                    (missing(findings))
                    (facts(book))
                }
            }
        }
    };
    Ok(page.into_string())
}

fn badge(ruling: Ruling) -> Markup {
    let sign = match ruling {
        Ruling::Reproduced => "\u{2713}",
        Ruling::NotReproduced => "\u{2717}",
        Ruling::Undecided => "?",
        Ruling::NotComparable => "\u{2260}",
        Ruling::Answered => "\u{2022}",
        Ruling::Missing => "\u{2013}",
    };
    let class = format!("badge {}", ruling.words().replace(' ', "-"));
    markup! { span class=(class) { (sign) " " (ruling.words()) } }
}

fn overview(findings: &Findings) -> Markup {
    let all = findings.findings.iter().flat_map(|f| &f.verdicts);
    markup! {
        section class="overview" {
            p { (tally(all)) }
            table aria-label="Questions, what was found, and how the statements came out" {
                thead { tr { @for name in ["question", "what was found", "verdict"] { th scope="col" { (name) } } } }
                tbody {
                    @for finding in &findings.findings {
                        tr {
                            td { a href=(format!("#{}", finding.id)) { (finding.question) } }
                            td { (overview::headline(finding)) }
                            td { (rulings(finding)) }
                        }
                    }
                }
            }
            p class="small" { "What was found is that of the first verdict that is decided, where the question has no sentence of its own." }
        }
    }
}

/// The verdict that the overview's sentence is about, and how the others came out.
fn rulings(finding: &Finding) -> Markup {
    let verdicts = overview::ordered(finding);
    markup! {
        @if let Some((first, others)) = verdicts.split_first() {
            (badge(first.ruling))
            @if !others.is_empty() {
                p class="small" { "others: " (words(others.iter().copied())) }
            }
        }
    }
}

/// How often each ruling was given, as badges.
fn tally<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Markup {
    markup! { @for (ruling, n) in overview::counts(verdicts) { (badge(ruling)) " " (n) "\u{2003}" } }
}

/// The same in words.
fn words<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> String {
    let counts = overview::counts(verdicts);
    let parts: Vec<String> = counts.iter().map(|(r, n)| format!("{n} {}", r.words())).collect();
    parts.join(", ")
}

fn section(finding: &Finding) -> Result<Markup, StudyError> {
    let figures: Vec<Markup> = finding.figures.iter().map(figure).collect::<Result<_, _>>()?;
    // a figure without a mark is nothing to look at
    let figures: Vec<Markup> = figures.into_iter().filter(|f| !f.0.is_empty()).collect();
    let verdicts = overview::ordered(finding);
    let (open, folded) = verdicts.split_at(verdicts.len().min(OPEN_VERDICTS));
    Ok(markup! {
        section id=(finding.id) {
            h2 { (finding.question) }
            @if let Some(headline) = &finding.headline { p class="headline" { (headline) } }
            div class="verdicts" { @for v in open { (card(v)) } }
            @for figure in figures.iter().take(1) { (figure) }
            @if !folded.is_empty() {
                details {
                    summary { (more(folded.len(), "verdict")) ": " (words(folded.iter().copied())) }
                    div class="verdicts" { @for v in folded { (card(v)) } }
                }
            }
            @if figures.len() > 1 {
                details {
                    summary { (more(figures.len() - 1, "figure")) }
                    div class="figures" { @for figure in &figures[1..] { (figure) } }
                }
            }
            @for t in &finding.tables { (table(t)) }
            details { summary { "How this is defined" } p class="small" { (finding.definition) } }
        }
    })
}

fn more(n: usize, what: &str) -> String {
    if n == 1 { format!("1 more {what}") } else { format!("{n} more {what}s") }
}

fn card(v: &Verdict) -> Markup {
    markup! {
        div class="verdict" {
            p { (badge(v.ruling)) " " strong { (v.what) } }
            dl {
                @if let Some(published) = &v.published { dt { "published" } dd { (published) } }
                dt { "found" } dd { (v.found) }
            }
            details { summary class="small" { "why" } p class="small" { (v.why) } }
        }
    }
}

fn table(table: &Table) -> Markup {
    // a column of nothing but words is set left
    let words: Vec<bool> = (0..table.header.len())
        .map(|i| table.rows.iter().all(|r| matches!(r.get(i), Some(Item::Text(_) | Item::Nothing))))
        .collect();
    let side = |i: usize| if words.get(i).copied().unwrap_or(false) { "left" } else { "right" };
    let body = markup! {
        div class="wide" {
            table aria-label=(table.title) {
                thead { tr { @for (i, name) in table.header.iter().enumerate() { th scope="col" class=(side(i)) { (name) } } } }
                tbody {
                    @for row in &table.rows {
                        tr { @for (i, item) in row.iter().enumerate() { td class=(side(i)) { (item.shown()) } } }
                    }
                }
            }
        }
        p class="small" { "tables/" (table.name) ".csv, tables/" (table.name) ".tex" }
    };
    markup! {
        @if table.rows.len() > OPEN_ROWS {
            details { summary { (table.title) ", " (table.rows.len()) " rows" } (body) }
        } @else if !table.rows.is_empty() {
            h3 { (table.title) }
            (body)
        }
    }
}

fn missing(findings: &Findings) -> Markup {
    markup! {
        section id="missing" {
            h2 { "What is missing" }
            @if findings.missing.is_empty() { p { "Nothing: every cell of the grid is complete." } }
            @else {
                details open[findings.missing.len() <= OPEN_ROWS] {
                    summary { (findings.missing.len()) " networks and cells" }
                    dl { @for (what, why) in &findings.missing { dt { (what) } dd { (why) } } }
                }
            }
        }
    }
}

fn facts(book: &Book) -> Markup {
    // the machine is the one that collected; the cells may have been run on others
    let machine = book.facts.iter().filter_map(|(n, v)| Some((n.strip_prefix(MACHINE)?, v)));
    let apart =
        |name: &str| matches!(name, "plan" | "title" | "about") || name.starts_with(MACHINE);
    markup! {
        section id="facts" {
            h2 { "Program, plan and machine" }
            details {
                summary { "Program and plan" }
                dl { @for (name, value) in book.facts.iter().filter(|(n, _)| !apart(n)) { dt { (name) } dd { (value) } } }
                pre { (book.facts.get("plan").map_or("", String::as_str)) }
            }
            details {
                summary { "Collected on" }
                dl { @for (name, value) in machine { dt { (name) } dd { (value) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::contrast::{contrast, property, roots, rules};
    use crate::report::interval_chart::colours;
    use crate::study::finding::{self, FINDINGS_SCHEMA, Figure};

    fn table_of(name: &str, rows: usize) -> Table {
        let mut table = Table::new(name, name, &["column"]);
        table.rows = vec![vec![Item::Count(1)]; rows];
        table
    }

    fn mark(name: &str, group: &str) -> finding::Mark {
        finding::Mark { name: name.to_owned(), group: group.to_owned(), value: 0.5, ci95: None }
    }

    /// A question with five verdicts, an empty figure and three others, a short table and a long one.
    fn findings() -> Findings {
        let rulings = [
            Ruling::Undecided,
            Ruling::Missing,
            Ruling::NotReproduced,
            Ruling::Undecided,
            Ruling::Answered,
        ];
        let verdicts = rulings.iter().enumerate().map(|(i, &ruling)| Verdict {
            what: format!("statement {i}"),
            published: None,
            found: format!("+0.{i} (+0.1 to +0.9)"),
            ruling,
            why: "because of the rule".to_owned(),
        });
        let figure = |marks: usize| Figure::Intervals {
            title: "title".to_owned(),
            axis: "axis".to_owned(),
            marks: vec![mark("m", ""); marks],
            published: None,
            line: None,
        };
        let finding = Finding {
            id: "one".to_owned(),
            question: "Is it so?".to_owned(),
            headline: None,
            definition: "definition".to_owned(),
            verdicts: verdicts.collect(),
            figures: [0, 1, 1, 1].map(figure).to_vec(),
            tables: vec![table_of("short", OPEN_ROWS), table_of("long", OPEN_ROWS + 1)],
        };
        Findings {
            schema: FINDINGS_SCHEMA,
            title: "t".to_owned(),
            about: String::new(),
            cells: [1, 0, 0],
            findings: vec![finding],
            missing: Vec::new(),
        }
    }

    /// What a reader sees who opens nothing.
    fn open_part(html: &str) -> String {
        let (mut out, mut depth) = (String::new(), 0_usize);
        for (i, part) in html.split("<details").enumerate() {
            depth += usize::from(i > 0);
            let mut pieces = part.split("</details>");
            let first = pieces.next().unwrap_or("");
            if depth == 0 {
                out.push_str(first);
            }
            for piece in pieces {
                depth -= 1;
                if depth == 0 {
                    out.push_str(piece);
                }
            }
        }
        out
    }

    #[test]
    fn the_overview_has_a_line_with_number_and_verdict_for_each_question() {
        let mut findings = findings();
        let page = |findings: &Findings| html(&Book::default(), findings).unwrap();
        let row = "<a href=\"#one\">Is it so?</a></td><td>statement 2: +0.2 (+0.1 to +0.9)</td>";
        let text = page(&findings);
        assert!(text.contains(row), "{text}");
        let after = text.split(row).nth(1).unwrap();
        assert!(after.starts_with("<td><span class=\"badge not-reproduced\">"), "{after}");
        assert!(after.contains("others: 2 undecided, 1 answered, 1 not measured"), "{after}");
        findings.findings[0].headline = Some("It is so, by 0.2.".to_owned());
        let text = page(&findings);
        assert!(text.contains("</a></td><td>It is so, by 0.2.</td>"), "{text}");
        assert!(text.contains("<p class=\"headline\">It is so, by 0.2.</p>"), "{text}");
    }

    #[test]
    fn a_question_shows_three_verdicts_one_figure_and_short_tables_and_folds_the_rest() {
        let text = html(&Book::default(), &findings()).unwrap();
        let open = open_part(&text);
        let count = |text: &str, what: &str| text.matches(what).count();
        let (card, chart) = ("class=\"verdict\"", "<figure");
        assert_eq!((count(&text, card), count(&open, card)), (5, OPEN_VERDICTS));
        assert_eq!((count(&text, chart), count(&open, chart)), (3, 1));
        assert!(open.contains("tables/short.csv") && !open.contains("tables/long.csv"), "{open}");
        assert!(text.contains("tables/long.csv") && text.contains("long, 13 rows"));
        assert!(text.contains("2 more verdicts: 1 undecided, 1 not measured"), "{text}");
        assert!(text.contains("2 more figures"));
        assert!(!open.contains("because of the rule") && !open.contains("definition"), "{open}");
    }

    #[test]
    fn colours_have_a_legend_and_a_figure_of_more_than_a_screen_is_folded() {
        let mut findings = findings();
        let figures = &mut findings.findings[0].figures;
        let Figure::Intervals { marks, .. } = &mut figures[1] else { panic!("no intervals") };
        let methods = ["GradCAM", "Kernel SHAP"];
        *marks = methods.map(|m| mark(&format!("net, {m}"), m)).to_vec();
        let text = html(&Book::default(), &findings).unwrap();
        let first = &colours(&methods.map(str::to_owned))[0];
        let legend = format!(
            "<div class=\"legend\"><span>in a row from top to bottom:</span><span class=\"key\"><span class=\"dot\" \
             style=\"background:{first}\"></span>GradCAM</span>"
        );
        assert_eq!(text.matches(&legend).count(), 1, "{text}");
        assert!(open_part(&text).contains(&legend), "{text}");
        assert!(!text.contains("interval not drawn"), "none has one: {text}");
        let Figure::Intervals { marks, published, .. } = &mut findings.findings[0].figures[1]
        else {
            panic!("no intervals")
        };
        *marks = vec![mark("m", ""); 100];
        marks[0].ci95 = Some([0.4, 0.6]);
        *published = Some([0.1, 0.2]);
        let text = html(&Book::default(), &findings).unwrap();
        assert!(text.contains("<details><summary>Figure: title</summary><figure class=\"chart\">"));
        assert_eq!(open_part(&text).matches("<figure").count(), 0);
        let caption = "<figcaption>title (between the two thin lines: published range; a dot alone: interval not drawn)</figcaption>";
        assert!(text.contains(caption), "{text}");
    }

    #[test]
    fn figures_and_tables_have_names_for_those_who_cannot_see_them() {
        let mut findings = findings();
        findings.findings[0].tables[0].title = "short & <good>".to_owned();
        let text = html(&Book::default(), &findings).unwrap();
        let count = |what: &str| text.matches(what).count();
        assert_eq!(count("<svg"), 3);
        assert_eq!(count("<svg role=\"img\" aria-label=\"title; axis: m 0.5000\""), 3, "{text}");
        assert_eq!((count("<table"), count("<table aria-label=\"")), (3, 3), "{text}");
        assert!(text.contains("<table aria-label=\"short &amp; &lt;good&gt;\">"), "{text}");
        // three columns of the overview, one of each table
        assert_eq!((count("<th scope=\"col\""), count("<th ") + count("<th>")), (5, 5), "{text}");
    }

    #[test]
    fn words_stand_out_from_their_ground_in_light_and_dark() {
        let legible = |words: &str, ground: &str| {
            let found = contrast(words, ground);
            assert!(found >= 4.5, "{words} on {ground}: {found}");
        };
        let style = format!("{STYLE}{OWN_STYLE}");
        let rules = rules(&style);
        for root in roots(&rules) {
            for words in ["--ink", "--soft"] {
                for ground in ["--paper", "--card"] {
                    legible(property(root, words), property(root, ground));
                }
            }
        }
        for badge in [".badge.reproduced", ".badge.not-reproduced"] {
            // of several rules the one that names most counts
            let of = rules.iter().filter(|(name, _)| name.trim().ends_with(badge));
            let (_, rule) = of.max_by_key(|(name, _)| name.len()).unwrap();
            legible(property(rule, "color"), property(rule, "background"));
        }
    }

    #[test]
    fn the_machine_is_the_one_that_collected() {
        let facts = [("machine.cpu", "some cpu"), ("roadgaze", "0.1.0"), ("plan", "title = 't'")];
        let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let book = Book { facts: BTreeMap::from(facts), entries: Vec::new() };
        let text = html(&book, &findings()).unwrap();
        let machine = "<summary>Collected on</summary><dl><dt>cpu</dt><dd>some cpu</dd></dl>";
        assert!(text.contains(machine), "{text}");
        assert!(text.contains("<dl><dt>roadgaze</dt><dd>0.1.0</dd></dl>"), "{text}");
        assert!(!text.contains("How this was measured"));
    }
}
