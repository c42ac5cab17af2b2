//! `report.html` of a study: question, verdict, figure, number with interval; one file, light and dark.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::StudyError;
use super::book::Book;
use super::finding::{Figure, Finding, Findings, Item, Ruling, Table};
use crate::report::interval_chart::{self, Line, Row};

const STYLE: &str = include_str!("../report/page.css");
const OWN_STYLE: &str = include_str!("page.css");

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
    let mut counts: BTreeMap<Ruling, usize> = BTreeMap::new();
    for verdict in findings.findings.iter().flat_map(|f| &f.verdicts) {
        *counts.entry(verdict.ruling).or_default() += 1;
    }
    markup! {
        section class="overview" {
            p { @for (ruling, n) in &counts { (badge(*ruling)) " " (n) "\u{2003}" } }
            ol {
                @for finding in &findings.findings {
                    li {
                        a href=(format!("#{}", finding.id)) { (finding.question) }
                        span class="marks" { @for v in &finding.verdicts { (dot(v.ruling)) } }
                    }
                }
            }
        }
    }
}

fn dot(ruling: Ruling) -> Markup {
    let class = format!("pip {}", ruling.words().replace(' ', "-"));
    markup! { span class=(class) title=(ruling.words()) {} }
}

fn section(finding: &Finding) -> Result<Markup, StudyError> {
    let figures: Vec<Markup> = finding.figures.iter().map(figure).collect::<Result<_, _>>()?;
    Ok(markup! {
        section id=(finding.id) {
            h2 { (finding.question) }
            div class="verdicts" {
                @for v in &finding.verdicts {
                    div class="verdict" {
                        p { (badge(v.ruling)) " " strong { (v.what) } }
                        dl {
                            @if let Some(published) = &v.published { dt { "published" } dd { (published) } }
                            dt { "found" } dd { (v.found) }
                            dt { "why" } dd class="small" { (v.why) }
                        }
                    }
                }
            }
            @for figure in &figures { (figure) }
            @for t in &finding.tables { (table(t)) }
            details { summary { "How this is defined" } p class="small" { (finding.definition) } }
        }
    })
}

fn figure(figure: &Figure) -> Result<Markup, StudyError> {
    let (title, svg, band, names) = match figure {
        Figure::Intervals { title, axis, marks, published, line } => {
            let mut groups: Vec<&str> = Vec::new();
            let rows: Vec<Row> = marks
                .iter()
                .map(|m| {
                    let known = groups.iter().position(|g| *g == m.group);
                    let group = known.unwrap_or_else(|| {
                        groups.push(&m.group);
                        groups.len() - 1
                    });
                    Row { name: m.name.clone(), group, value: m.value, ends: m.ci95 }
                })
                .collect();
            let svg = interval_chart::rows("study", axis, &rows, *published, *line)?;
            (title, svg, published.is_some(), Vec::new())
        }
        Figure::Curves { title, axes, curves, line } => {
            let lines: Vec<Line> = curves
                .iter()
                .map(|c| Line { name: c.name.clone(), points: c.points.clone() })
                .collect();
            let svg = interval_chart::lines("study", [&axes[0], &axes[1]], &lines, *line)?;
            (title, svg, false, curves.iter().map(|c| c.name.as_str()).collect())
        }
    };
    Ok(markup! {
        @if !svg.is_empty() {
            figure class="chart" {
                figcaption { (title) @if band { " (shaded: published range)" } }
                (PreEscaped(svg))
                div class="legend" {
                    @for (i, name) in names.iter().enumerate() {
                        span class="dot" style=(format!("background:{}", interval_chart::colour(i))) {} span { (name) }
                    }
                }
            }
        }
    })
}

fn table(table: &Table) -> Markup {
    // a column of nothing but words is set left
    let words: Vec<bool> = (0..table.header.len())
        .map(|i| table.rows.iter().all(|r| matches!(r.get(i), Some(Item::Text(_) | Item::Nothing))))
        .collect();
    let side = |i: usize| if words.get(i).copied().unwrap_or(false) { "left" } else { "right" };
    let body = markup! {
        div class="wide" {
            table {
                thead { tr { @for (i, name) in table.header.iter().enumerate() { th class=(side(i)) { (name) } } } }
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
        @if !table.rows.is_empty() {
            details open[table.rows.len() <= 12] {
                summary { (table.title) ", " (table.rows.len()) @if table.rows.len() == 1 { " row" } @else { " rows" } }
                (body)
            }
        }
    }
}

fn missing(findings: &Findings) -> Markup {
    markup! {
        section id="missing" {
            h2 { "What is missing" }
            @if findings.missing.is_empty() { p { "Nothing: every cell of the grid is complete." } }
            @else {
                details open[findings.missing.len() <= 12] {
                    summary { (findings.missing.len()) " networks and cells" }
                    dl { @for (what, why) in &findings.missing { dt { (what) } dd { (why) } } }
                }
            }
        }
    }
}

fn facts(book: &Book) -> Markup {
    markup! {
        section id="facts" {
            h2 { "How this was measured" }
            details {
                summary { "Program, machine and plan" }
                dl {
                    @for (name, value) in book.facts.iter().filter(|(n, _)| !matches!(n.as_str(), "plan" | "title" | "about")) {
                        dt { (name) } dd { (value) }
                    }
                }
                pre { (book.facts.get("plan").map_or("", String::as_str)) }
            }
        }
    }
}
