//! A comparison of two runs as tables for the terminal and as a page with plots.

use comfy_table::Table;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::ReportError;
use super::chart::{self, Series};
use super::table::{milliseconds, table};
use crate::compare::{Comparison, RatioComparison, Rung};
use crate::stats::Paired;

const STYLE: &str = include_str!("page.css");
/// Points beyond which a scatter plot shows every n-th.
const MOST_POINTS: usize = 2000;

/// Ladder, paired statistics and verdicts.
#[must_use]
pub fn terminal_tables(c: &Comparison) -> String {
    let mut out = format!(
        "A: {}\nB: {}\n{} frames in both, {} in A alone, {} in B alone\n\n",
        c.runs[0], c.runs[1], c.frames[0], c.frames[1], c.frames[2]
    );
    for table in [ladder(c), statistics(c), verdicts(c)] {
        out.push_str(&table.to_string());
        out.push_str("\n\n");
    }
    for line in not_compared(c) {
        out.push_str(&line);
        out.push('\n');
    }
    out.push_str(&first_line(c));
    out
}

/// What one run alone was asked for.
fn not_compared(c: &Comparison) -> Vec<String> {
    let line = |(method, [a, b]): (&String, &[usize; 2])| {
        format!("not compared: {method} (of the common frames {a} in A, {b} in B, none in both)")
    };
    c.not_compared.iter().map(line).collect()
}

fn first_line(c: &Comparison) -> String {
    let verdict = if c.equivalent { "equivalent" } else { "not equivalent" };
    match (c.ladder.first, &c.ladder.cause) {
        (Some(step), Some(cause)) => {
            format!("{verdict}; the runs part at: {}. {}", step.name(), sentence(cause))
        }
        (Some(step), None) => format!("{verdict}; the runs part at: {}.", step.name()),
        (None, _) => format!("{verdict}; the runs stay together from picture to decision."),
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

const LADDER: [&str; 6] = ["rung", "median", "worst", "margin", "beyond", "frames"];

fn ladder_row(rung: &Rung) -> [String; 6] {
    [
        rung.step.name().to_owned(),
        format!("{:.2e}", rung.median),
        format!("{:.2e}", rung.worst),
        format!("{:.0e}", rung.margin),
        rung.beyond.to_string(),
        rung.frames.to_string(),
    ]
}

fn ladder(c: &Comparison) -> Table {
    let mut t = table(&LADDER);
    for rung in &c.ladder.rungs {
        t.add_row(ladder_row(rung));
    }
    t
}

const STATISTICS: [&str; 8] =
    ["frame by frame", "A", "B", "B - A", "95 % interval", "p", "effect", "n"];

fn statistics_rows(c: &Comparison) -> Vec<[String; 8]> {
    let row = |name: String, p: &Paired| {
        [
            name,
            format!("{:.5}", p.mean_a),
            format!("{:.5}", p.mean_b),
            format!("{:+.6}", p.difference.mean),
            p.difference.ci95.map_or_else(String::new, |[l, h]| format!("{l:+.6} to {h:+.6}")),
            format!("{:.4}", p.test.p),
            p.effect.map_or_else(|| "-".to_owned(), |e| format!("{e:+.3}")),
            p.difference.n.to_string(),
        ]
    };
    let mut rows = Vec::new();
    if let Some(p) = &c.accuracy.paired {
        rows.push(row("accuracy".to_owned(), p));
    }
    for (method, r) in &c.pixel_ratio {
        if let Some(p) = &r.paired {
            rows.push(row(r.title(method), p));
        }
    }
    for (stage, l) in &c.latency {
        let mut cells: [String; 8] = std::array::from_fn(|_| String::new());
        cells[0] = format!("{} ms (median)", stage.replace('_', " "));
        cells[1] = milliseconds(l.median_ms[0]);
        cells[2] = milliseconds(l.median_ms[1]);
        cells[3] = format!("x {:.3}", l.factor);
        rows.push(cells);
    }
    rows
}

fn statistics(c: &Comparison) -> Table {
    let mut t = table(&STATISTICS);
    t.add_rows(statistics_rows(c));
    t
}

fn verdicts(c: &Comparison) -> Table {
    let mut t = table(&["held against margins", "", "found", "wanted"]);
    for v in &c.verdicts {
        let met = if v.met { "met" } else { "MISSED" };
        t.add_row([v.what.as_str(), met, v.found.as_str(), v.wanted.as_str()]);
    }
    t
}

/// The page.
///
/// # Errors
/// If a plot cannot be drawn.
pub fn html(c: &Comparison) -> Result<String, ReportError> {
    let section = section(c)?;
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "roadgaze: " (c.runs[0]) " against " (c.runs[1]) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Two runs compared" }
                    p { "A: " (c.runs[0]) }
                    p { "B: " (c.runs[1]) }
                    p { (c.frames[0]) " frames in both, " (c.frames[1]) " in A alone, " (c.frames[2]) " in B alone" }
                }
                main { (section) }
            }
        }
    };
    Ok(page.into_string())
}

/// The comparison as part of a page.
///
/// # Errors
/// If a plot cannot be drawn.
pub fn section(c: &Comparison) -> Result<Markup, ReportError> {
    let mut plots = Vec::new();
    for (method, r) in &c.pixel_ratio {
        plots.push((method, scatter(method, r)?, bland_altman(method, r)?));
    }
    let rows = |rows: &[Vec<String>]| {
        markup! {
            @for row in rows {
                tr { @for (i, cell) in row.iter().enumerate() { @if i == 0 { th scope="row" { (cell) } } @else { td { (cell) } } } }
            }
        }
    };
    let ladder: Vec<Vec<String>> = c.ladder.rungs.iter().map(|r| ladder_row(r).to_vec()).collect();
    let statistics: Vec<Vec<String>> = statistics_rows(c).into_iter().map(|r| r.to_vec()).collect();
    Ok(markup! {
        section {
            h2 { (first_line(c)) }
            h3 { "Ladder" }
            div class="wide" { table aria-label="Ladder" {
                thead { tr { @for h in LADDER { th scope="col" { (h) } } } }
                tbody { (rows(&ladder)) }
            } }
            h3 { "Frame by frame" }
            div class="wide" { table aria-label="Frame by frame" {
                thead { tr { @for h in STATISTICS { th scope="col" { (h) } } } }
                tbody { (rows(&statistics)) }
            } }
            h3 { "Held against margins" }
            div class="wide" { table aria-label="Held against margins" {
                thead { tr { @for h in ["what", "outcome", "found", "wanted"] { th scope="col" { (h) } } } }
                tbody { @for v in &c.verdicts {
                    tr { th scope="row" { (v.what) } td { @if v.met { "met" } @else { strong { "missed" } } } td { (v.found) } td { (v.wanted) } }
                } }
            } }
            @for line in not_compared(c) { p { (line) } }
        }
        @for (method, scatter, bland_altman) in &plots {
            section class="plots" {
                figure { h2 { "Pixel ratio " (method) ", A against B" } (PreEscaped(scatter)) }
                figure { h2 { "Bland-Altman" } (PreEscaped(bland_altman))
                    p class="small" { "Difference B - A over the mean of both; lines: mean difference and mean \u{b1} 1.96 standard deviations." } }
            }
        }
        @for (method, r) in &c.pixel_ratio { (groups(method, r)) }
        section {
            h2 { "Settings that differ" }
            dl { @for (name, [a, b]) in &c.settings { dt { (name) } dd { (a) " | " (b) } } }
        }
    })
}

fn groups(method: &str, r: &RatioComparison) -> Markup {
    markup! {
        section {
            @for (kind, groups) in &r.groups {
                details {
                    summary { "Pixel ratio " (method) " by " (kind) " (" (groups.len()) ")" }
                    div class="wide" { table aria-label=(format!("Pixel ratio {method} by {kind}")) {
                        thead { tr { @for h in [*kind, "B - A", "95 % interval", "p (Holm)", "effect", "n"] { th scope="col" { (h) } } } }
                        tbody { @for (name, g) in groups {
                            tr {
                                th scope="row" { (name.replace('_', " ")) }
                                td { (format!("{:+.5}", g.difference.mean)) }
                                td { (g.difference.ci95.map_or_else(String::new, |[l, h]| format!("{l:+.5} to {h:+.5}"))) }
                                td { (format!("{:.4}", g.p_holm)) }
                                td { (g.effect.map_or_else(|| "-".to_owned(), |e| format!("{e:+.2}"))) }
                                td { (g.difference.n) }
                            }
                        } }
                    } }
                }
            }
        }
    }
}

fn thinned(points: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    points.iter().copied().step_by(points.len().div_ceil(MOST_POINTS).max(1))
}

fn scatter(method: &str, r: &RatioComparison) -> Result<String, ReportError> {
    let series = [Series { name: String::new(), points: thinned(&r.points).collect() }];
    let means = r.paired.map_or_else(String::new, |p| {
        format!(" (mean {:.4} in A, {:.4} in B)", p.mean_a, p.mean_b)
    });
    let title = format!("Pixel ratio {method}, A against B{means}");
    chart::scatter("scatter", &title, "ratio of A", "ratio of B", &series, &[], &[(0.0, 1.0)])
}

/// Bland and Altman, Lancet 327, 1986.
fn bland_altman(method: &str, r: &RatioComparison) -> Result<String, ReportError> {
    let points = thinned(&r.points).map(|(a, b)| (f64::midpoint(a, b), b - a)).collect();
    let series = [Series { name: String::new(), points }];
    let marks = r.paired.map_or_else(Vec::new, |p| {
        let (mean, spread) = (p.difference.mean, p.difference.deviation.unwrap_or(0.0));
        vec![mean - 1.96 * spread, mean, mean + 1.96 * spread]
    });
    let mean = r
        .paired
        .map_or_else(String::new, |p| format!(" (mean difference {:+.4})", p.difference.mean));
    let title = format!("Bland-Altman, pixel ratio {method}{mean}");
    chart::scatter("Bland-Altman", &title, "mean of both ratios", "B - A", &series, &marks, &[])
}
