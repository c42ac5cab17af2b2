//! The figures of a run as tables for the terminal.

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use serde_json::Value;

use crate::store::kernels::NONE;

use super::summary::{Device, Group, Ratio, Share, Summary};

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
    if summary.feed.is_null() {
        out.push_str(WAITING);
        out.push('\n');
    }
    for line in feed_lines(&summary.feed) {
        out.push_str(&line);
        out.push('\n');
    }
    for line in deadline_lines(&summary.verdict) {
        out.push_str(&line);
        out.push('\n');
    }
    if let Some(device) = &summary.device {
        out.push_str(&format!("device: {}\n", device_line(device)));
    }
    out.push_str(&kernels_line(summary));
    out.push('\n');
    out.push_str(&frames(summary));
    out
}

/// Which integer kernels were used, and for how much of the work.
pub(super) fn kernels_line(summary: &Summary) -> String {
    let used = summary.machine.get("integer_kernels").and_then(Value::as_str);
    match (used, summary.integer_mac_share.as_f64()) {
        (Some(NONE), _) => "integer kernels: none, the network runs in f32".to_owned(),
        (Some(used), Some(share)) => {
            format!("integer kernels: {used}, {:.1} % of the multiplications", 100.0 * share)
        }
        _ => "integer kernels: not recorded".to_owned(),
    }
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
        if let Some(corrected) = r.corrected {
            let mut row: [String; 8] = std::array::from_fn(|_| String::new());
            row[0] = "  corrected for sampling".to_owned();
            row[1] = ratio(Some(corrected.mean));
            row[2] = corrected.ci95.map_or_else(String::new, |[l, h]| format!("{l:.4} to {h:.4}"));
            row[3] = corrected.n.to_string();
            t.add_row(row);
        }
    }
    t
}

fn shapes(summary: &Summary) -> Table {
    let methods: Vec<&String> = summary.pixel_ratio.keys().collect();
    let mut header = vec!["shape", "frames", "top-1"];
    let titles: Vec<String> = summary.pixel_ratio.iter().map(|(m, r)| shown_title(m, r)).collect();
    header.extend(titles.iter().map(String::as_str));
    let mut t = table(&header);
    for (shape, group) in &summary.by_shape {
        let mut row = vec![shape.clone(), group.n.to_string(), percent(group.top1.value)];
        row.extend(methods.iter().map(|m| ratio_of(group, m)));
        t.add_row(row);
    }
    t
}

/// Percentiles as they are headed in tables.
pub(super) const PERCENTILES: [&str; 7] = ["p50", "p90", "p95", "p97", "p99", "p99.9", "max"];

fn latency(summary: &Summary) -> Table {
    let mut header = vec!["stage, ms"];
    header.extend(PERCENTILES);
    header.push("n");
    let mut t = table(&header);
    for (stage, l) in summary.stages() {
        let mut row = vec![stage.replace('_', " ")];
        row.extend(l.in_order().map(milliseconds));
        row.push(l.n.to_string());
        t.add_row(row);
    }
    t
}

/// The camera feed in a few lines; none for a plain run in lockstep.
pub(super) fn feed_lines(feed: &Value) -> Vec<String> {
    let text = |name: &str| match &feed[name] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    if feed.is_null() {
        return Vec::new();
    }
    let rate =
        feed["fps"].as_f64().map_or_else(String::new, |fps| format!(" at {fps:.2} frames/s"));
    let mut lines = vec![format!(
        "camera: {}{rate}, queue {}; {} stalls, {} repeated, left late {} times (worst {} ms)",
        text("pace"),
        text("queue"),
        text("stalls"),
        text("repeated"),
        text("camera_late"),
        text("camera_late_worst_ms"),
    )];
    // runs of earlier versions do not tell
    if feed["held_up"].as_u64().is_some_and(|frames| frames > 0) {
        lines.push(format!(
            "the full queue held {} frames up, {} ms in all: the pipeline's time, not the camera's",
            text("held_up"),
            text("held_up_ms"),
        ));
    }
    let p99 = |name: &str| {
        let of = &feed[name];
        of["p99"].as_f64().map(|p99| format!("p99 {p99:.1} ms, n {}", of["n"]))
    };
    if let Some(alone) = p99("decision_alone_ms") {
        lines.push(format!("decided, nothing explained beside it: {alone}"));
    }
    if let Some(beside) = p99("decision_beside_ms") {
        lines.push(format!("decided while a frame was explained: {beside}"));
    }
    lines.push(format!(
        "explained by Kernel SHAP: {} ({}), {} skipped, {} over their budget",
        text("explained"),
        text("explain"),
        text("explain_skipped"),
        text("explain_over_budget"),
    ));
    let warnings = feed["warnings"].as_array().into_iter().flatten();
    lines.extend(warnings.filter_map(Value::as_str).map(|w| format!("warning: {w}")));
    lines
}

/// How often each stage with a budget was late; none without budgets.
fn deadline_lines(verdict: &Value) -> Vec<String> {
    let line = |claim: &Value| {
        let worst = claim["worst_ms"].as_f64()?;
        Some(format!(
            "deadlines of {}: {} of {} frames over {} ms, at most {} in a row, the slowest {} ms",
            claim["stage"].as_str()?.replace('_', " "),
            claim["overruns"],
            claim["frames"],
            claim["limit_ms"],
            claim["overruns_in_a_row"],
            milliseconds(worst),
        ))
    };
    verdict["claims"].as_array().into_iter().flatten().filter_map(line).collect()
}

/// The device on one line.
pub(super) fn device_line(device: &Device) -> String {
    let mut parts = Vec::new();
    if let Some([low, mean, high]) = device.frequency_mhz {
        parts.push(format!("{mean:.0} MHz ({low:.0} to {high:.0})"));
    }
    if let Some(celsius) = device.temperature_max_c {
        parts.push(format!("at most {celsius:.1} degrees"));
    }
    if let Some(times) = device.throttled {
        parts.push(format!("slowed down for heat {times} times"));
    }
    if let Some(mib) = device.rss_max_mib {
        parts.push(format!("at most {mib:.0} MiB"));
    }
    if let Some(load) = device.load_mean {
        parts.push(format!("load {load:.2}"));
    }
    if let Some(joules) = device.energy_j {
        parts.push(format!("{joules:.0} J"));
    }
    parts.push(format!("{} samples", device.samples));
    parts.join(", ")
}

fn frames(summary: &Summary) -> String {
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
    format!("frames: {}{tail}", frames_line(f.due, f.processed, dropped))
}

/// Frames in, processed and dropped; what a run that ended early left is neither.
pub(super) fn frames_line(due: u64, processed: u64, dropped: u64) -> String {
    let sum = format!("{processed} processed + {dropped} dropped");
    match due.checked_sub(processed + dropped) {
        None | Some(0) => format!("{due} in = {sum}"),
        Some(left) => format!("{due} asked for = {sum} + {left} not reached"),
    }
}

/// A share in percent, or a dash.
pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{:.2} %", v * 100.0))
}

/// A pixel ratio, or a dash.
pub(super) fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"))
}

/// The name of a method, with word of it if its ratios are the corrected ones.
pub(super) fn shown_title(method: &str, r: &Ratio) -> String {
    if r.corrected.is_some() { format!("{method}, corrected") } else { method.to_owned() }
}

/// The mean ratio of a group with half the width of its interval.
pub(super) fn ratio_of(group: &Group, method: &str) -> String {
    let Some(r) = group.pixel_ratio.get(method) else { return "-".to_owned() };
    match r.shown() {
        (Some(mean), Some([low, high])) if r.n >= FEWEST_FOR_INTERVAL => {
            format!("{mean:.4} \u{b1} {:.4}", (high - low) / 2.0)
        }
        (mean, _) => ratio(mean),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_add_up_also_where_a_run_ended_early() {
        assert_eq!(frames_line(41, 40, 1), "41 in = 40 processed + 1 dropped");
        let early = "41 asked for = 7 processed + 0 dropped + 34 not reached";
        assert_eq!(frames_line(41, 7, 0), early);
    }

    #[test]
    fn time_in_a_full_queue_has_a_line_of_its_own() {
        let mut feed = serde_json::json!({ "pace": "realtime", "camera_late": 0 });
        let told = |feed: &Value| feed_lines(feed).join("\n").contains("held 7 frames up, 95.5 ms");
        assert!(!told(&feed));
        feed["held_up"] = 7.into();
        feed["held_up_ms"] = 95.5.into();
        assert!(told(&feed), "{:?}", feed_lines(&feed));
    }
}
