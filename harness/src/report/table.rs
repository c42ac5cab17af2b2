//! The figures of a run as tables for the terminal.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::summary::{Group, Latency, Ratio, Share, Summary};

/// What a reader of latencies must know.
pub(super) const WAITING: &str =
    "transport and end to end include waiting: in lockstep the camera is up to four frames ahead";
/// Fewest frames for which an interval is printed beside a mean of a group.
const FEWEST_FOR_INTERVAL: usize = 5;
const LINE: LineStyle = LineStyle::none().fill('\u{2500}').junction('\u{2500}');
const STYLE: TableStyle =
    TableStyle::new().top_border(LINE).header_separator(LINE).bottom_border(LINE);

/// Accuracy and pixel ratios, per shape, latency and frame counts, as printed at the end of a run.
#[must_use]
pub fn terminal_tables(summary: &Summary) -> String {
    let mut out = String::new();
    for table in [results(summary), shapes(summary), latency(summary)] {
        out.push_str(&table.to_string());
        out.push('\n');
    }
    out.push_str(WAITING);
    out.push('\n');
    out.push_str(&frames_line(summary));
    out
}

/// An empty table with names left and numbers right.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn results(summary: &Summary) -> Table {
    let mut t = table(&[
        "result",
        "value",
        "95 % interval",
        "n",
        "chance",
        "whole sign",
        "ceiling",
        "undefined",
    ]);
    for (name, share) in [("top-1", &summary.accuracy.top1), ("top-5", &summary.accuracy.top5)] {
        t.add_row([
            format!("accuracy {name}"),
            percent(share.value),
            share.ci95.map_or_else(String::new, |[l, h]| {
                format!("{} to {}", percent(Some(l)), percent(Some(h)))
            }),
            share.n.to_string(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    for (method, r) in &summary.pixel_ratio {
        t.add_row([
            format!("pixel ratio {method}"),
            ratio(r.mean),
            r.ci95.map_or_else(String::new, |[l, h]| format!("{l:.4} to {h:.4}")),
            r.n.to_string(),
            ratio(r.chance),
            ratio(r.proportional),
            ratio(r.ceiling),
            r.undefined.values().sum::<usize>().to_string(),
        ]);
    }
    t
}

fn shapes(summary: &Summary) -> Table {
    let methods: Vec<&String> = summary.pixel_ratio.keys().collect();
    let mut header = vec!["shape", "frames", "top-1"];
    header.extend(methods.iter().map(|m| m.as_str()));
    let mut t = table(&header);
    for (shape, group) in &summary.by_shape {
        let mut row = vec![shape.clone(), group.n.to_string(), percent(group.top1.value)];
        row.extend(methods.iter().map(|m| ratio_of(group, m)));
        t.add_row(row);
    }
    t
}

fn latency(summary: &Summary) -> Table {
    let mut t = table(&["stage", "p50 ms", "p90 ms", "p99 ms", "max ms", "n"]);
    for (stage, l) in summary.stages() {
        let Latency { p50, p90, p99, max, n } = l;
        let mut row = vec![stage.replace('_', " ")];
        row.extend([p50, p90, p99, max].map(|v| milliseconds(*v)));
        row.push(n.to_string());
        t.add_row(row);
    }
    t
}

fn frames_line(summary: &Summary) -> String {
    let f = &summary.frames;
    let dropped: u64 = f.dropped.values().sum();
    let reasons: Vec<String> = f
        .dropped
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(reason, n)| format!("{n} {reason}"))
        .collect();
    let tail =
        if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    format!("frames: {} in = {} processed + {dropped} dropped{tail}", f.due, f.processed)
}

/// A share in percent, or a dash.
pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{:.2} %", v * 100.0))
}

/// A pixel ratio, or a dash.
pub(super) fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"))
}

/// The mean ratio of a group with half the width of its interval.
pub(super) fn ratio_of(group: &Group, method: &str) -> String {
    match group.pixel_ratio.get(method) {
        Some(Ratio { mean: Some(mean), ci95: Some([low, high]), n, .. })
            if *n >= FEWEST_FOR_INTERVAL =>
        {
            format!("{mean:.4} \u{b1} {:.4}", (high - low) / 2.0)
        }
        Some(Ratio { mean, .. }) => ratio(*mean),
        None => "-".to_owned(),
    }
}

/// A share with its interval in percent.
pub(super) fn share_with_interval(share: &Share) -> String {
    match share.ci95 {
        Some([low, high]) => {
            format!("{} ({} to {})", percent(share.value), percent(Some(low)), percent(Some(high)))
        }
        None => percent(share.value),
    }
}

/// A time with three significant digits or so.
pub(super) fn milliseconds(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
