//! `report.html`: one file with everything in it, for light and dark, for a desk and a phone.

use std::collections::BTreeMap;
use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use serde_json::Value;

use super::summary::{Ratio, Summary};
use super::table::{
    PERCENTILES, WAITING, device_line, feed_lines, frames_line, kernels_line, milliseconds,
    percent, ratio, ratio_of, share_with_interval, shown_title,
};
use super::{ReportError, gallery, plot};
use crate::store::{Stage, Stored};

const STYLE: &str = include_str!("page.css");

/// The page.
///
/// # Errors
/// If a stored picture cannot be decoded or a plot not be drawn.
pub fn html(stored: &Stored, summary: &Summary, folder: &Path) -> Result<String, ReportError> {
    let names = class_names(stored);
    let gallery = gallery::gallery(stored, summary, folder, &names)?;
    let plots = plots(stored, summary)?;
    let model = model_title(&text(&summary.settings, "model"));
    let data = text(&summary.settings, "data");
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "roadgaze: " (model) " on " (data) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (model) " on " (data) }
                    p { "Does the network look at the sign, and does it answer in time? "
                        @if !summary.complete { strong { "This run is not complete. " } } }
                    p class="small" { (method_line(summary)) }
                }
                main {
                    (cards(summary))
                    (gallery)
                    (plots)
                    section {
                        h2 { "By shape of the sign" }
                        (groups(summary, &summary.by_shape, "shape", |k| k.to_owned()))
                        h2 { "By environment" }
                        (groups(summary, &summary.by_environment, "environment", |k| k.replace('_', " ")))
                    }
                    (latency(summary))
                    (camera(summary))
                    section {
                        h2 { "By class" }
                        details {
                            summary { (summary.by_class.len()) " classes" }
                            (groups(summary, &summary.by_class, "class", |k| class_name(&names, k)))
                        }
                    }
                    (settings(summary))
                }
                footer {
                    p { "Pixel ratio = positive attribution inside the sign's mask / all positive attribution; higher means less attention to the \
                         background. Chance is the share of the image that the mask covers, ceiling the highest ratio that a map of this grid can reach. \
                         Frames without positive attribution are counted as undefined and left out of the mean." }
                }
            }
        }
    };
    Ok(page.into_string())
}

/// The settings that a reader must know to understand the figures.
fn method_line(summary: &Summary) -> String {
    let of = |key: &str| text(&summary.settings, key);
    let explained = |method: &str| summary.pixel_ratio.get(method).map(|r| (r.n, r.evaluations));
    let mut parts = vec![format!("target: {} class", of("target"))];
    if explained("gradcam").is_some() {
        parts.push(format!("GradCAM of the {}", of("gradcam.output")));
    }
    if let Some((_, Some(forwards))) = explained("kernel-shap") {
        parts.push(format!(
            "Kernel SHAP of the {} ({} estimator, {} evaluations of which {forwards:.0} are distinct, {} x {} super-pixels, baseline {})",
            of("shap.output"),
            of("shap.estimator"),
            of("shap.evaluations"),
            of("shap.grid.rows"),
            of("shap.grid.columns"),
            of("shap.baseline"),
        ));
    }
    parts.join(" \u{b7} ")
}

fn cards(summary: &Summary) -> Markup {
    let slowest = |stage: Stage| summary.latency_ms.get(stage.name());
    let dropped: u64 = summary.frames.dropped.values().sum();
    markup! {
        section class="cards" aria-label="Summary" {
            div class="card" {
                h3 { "Accuracy top-1" }
                p class="figure" { (percent(summary.accuracy.top1.value)) }
                p { (share_with_interval(&summary.accuracy.top1)) ", n = " (summary.accuracy.top1.n) }
            }
            @for (method, r) in &summary.pixel_ratio {
                div class="card" {
                    h3 { "Pixel ratio, " (method_title(method)) }
                    p class="figure" { (ratio(r.shown().0)) }
                    p { (interval(r)) ", n = " (r.n) @if undefined(r) > 0 { ", " (undefined(r)) " undefined" } }
                    @if r.corrected.is_some() {
                        p class="small" { "corrected for sampling noise; as the maps stand " (ratio(r.mean)) }
                    }
                    (scale(r))
                    @if method == "kernel-shap" && let Some(line) = sampling_line(&text(&summary.settings, "shap.estimator"), r) {
                        p class="small" { (line) }
                    }
                }
            }
            @if let Some(network) = slowest(Stage::Network) {
                div class="card" {
                    h3 { "One forward pass" }
                    p class="figure" { (milliseconds(network.p50)) " ms" }
                    p { "median; 99 % within " (milliseconds(network.p99)) " ms, n = " (network.n) }
                    p class="small" { (kernels_line(summary)) }
                }
            }
            div class="card" {
                h3 { "Frames" }
                p class="figure" { (summary.frames.processed) }
                p { (frames_line(summary.frames.due, summary.frames.processed, dropped)) }
                @if dropped > 0 {
                    p class="small" { @for (reason, n) in summary.frames.dropped.iter().filter(|(_, n)| **n > 0) { (n) " " (reason.replace('_', " ")) " " } }
                }
            }
        }
    }
}

/// Evaluations of 7 x 7 super-pixels from which on what is left of the bias was below 0.005 on every network that was measured
/// (docs/kernel-shap.md).
const ENOUGH: f64 = 900.0;

/// Evaluations of 7 x 7 super-pixels that hold the three orders with their reverses which a correction needs.
const FEWEST: f64 = 280.0;

/// That sampled attributions put a ratio too low, unless it is corrected and comes from enough evaluations.
fn sampling_line(estimator: &str, r: &Ratio) -> Option<String> {
    let evaluations = r.evaluations.unwrap_or(0.0);
    match (estimator, r.corrected) {
        ("exact", _) => None,
        ("permutation", Some(_)) if evaluations >= ENOUGH => None,
        ("permutation", None) if r.uncorrected > 0 && evaluations >= FEWEST => Some(format!(
            "errs low by the noise of {evaluations:.0} evaluations: {} of {} frames have nothing to correct it with",
            r.uncorrected, r.n
        )),
        ("permutation", Some(_)) => Some(format!(
            "{evaluations:.0} evaluations: on some networks still low by 0.01; to report it, take --shap-evals 1000"
        )),
        _ => Some(format!(
            "errs low by the noise of {evaluations:.0} evaluations ({estimator}); to report it, take permutation with 1000"
        )),
    }
}

/// A bar from 0 to 1 with chance, mean and ceiling.
fn scale(r: &Ratio) -> Markup {
    let at = |v: Option<f64>| format!("left:{:.1}%", v.unwrap_or(0.0) * 100.0);
    markup! {
        // says nothing that the lines beside it do not say
        div class="scale" aria-hidden="true" {
            span class="mark chance" style=(at(r.chance)) title="chance" {}
            span class="mark ceiling" style=(at(r.ceiling)) title="ceiling" {}
            span class="mark mean" style=(at(r.shown().0)) title="mean" {}
        }
        p class="small" { "chance " (ratio(r.chance)) " \u{b7} whole sign evenly " (ratio(r.proportional)) " \u{b7} ceiling " (ratio(r.ceiling)) }
    }
}

fn interval(r: &Ratio) -> String {
    r.shown().1.map_or_else(|| "no interval".to_owned(), |[l, h]| format!("{l:.4} to {h:.4}"))
}

fn undefined(r: &Ratio) -> usize {
    r.undefined.values().sum()
}

/// Name of a method for people.
pub(super) fn method_title(method: &str) -> &str {
    match method {
        "gradcam" => "GradCAM",
        "kernel-shap" => "Kernel SHAP",
        other => other,
    }
}

fn plots(stored: &Stored, summary: &Summary) -> Result<Markup, ReportError> {
    let mut histograms = Vec::new();
    for (method, r) in &summary.pixel_ratio {
        let groups: Vec<(String, Vec<f64>)> = summary
            .by_shape
            .keys()
            .map(|shape| {
                let of_shape = stored.frames.iter().filter(|f| &f.shape == shape);
                let ratios =
                    of_shape.flat_map(|f| f.attributions.iter().filter(|a| &a.method == method));
                (shape.clone(), ratios.filter_map(|a| r.of_frame(a)).collect())
            })
            .collect();
        let title = format!("Pixel ratio by shape, {}", method_title(method));
        let svg = plot::ratio_histogram(&title, &groups)?;
        histograms.push((title, svg));
    }
    let stages: Vec<(String, Vec<f64>)> = Stage::ALL
        .into_iter()
        .filter(|s| !matches!(s, Stage::Preview | Stage::Transport))
        .filter_map(|stage| {
            let times = stored
                .frames
                .iter()
                .flat_map(|f| f.stages.iter().filter(move |(s, _)| *s == stage));
            let mut millis: Vec<f64> = times.map(|(_, us)| *us as f64 / 1000.0).collect();
            millis.sort_by(f64::total_cmp);
            (!millis.is_empty()).then(|| (stage.name().to_owned(), millis))
        })
        .collect();
    let medians: Vec<String> = stages
        .iter()
        .filter_map(|(stage, _)| {
            let times = summary.latency_ms.get(stage.as_str())?;
            Some(format!("{} {} ms", stage.replace('_', " "), milliseconds(times.p50)))
        })
        .collect();
    let title = format!(
        "Latency in milliseconds, logarithmic, by percentile of frames, a line for each stage; medians: {}",
        medians.join(", ")
    );
    let latency = plot::latency(&title, &stages)?;
    Ok(markup! {
        section class="plots" {
            @for (title, svg) in &histograms { figure { h2 { (title) } (PreEscaped(svg)) } }
            figure {
                h2 { "Latency" }
                (PreEscaped(latency))
                div class="legend" {
                    @for (i, (stage, _)) in stages.iter().enumerate() {
                        span class="key" { span class="dot" style=(format!("background:{}", plot::colour(i))) {} (stage.replace('_', " ")) }
                    }
                }
            }
        }
    })
}

fn groups(
    summary: &Summary,
    groups: &BTreeMap<String, super::summary::Group>,
    title: &str,
    name: impl Fn(&str) -> String,
) -> Markup {
    let methods: Vec<&String> = summary.pixel_ratio.keys().collect();
    markup! {
        div class="wide" {
            table aria-label=(format!("Accuracy and pixel ratio by {title}")) {
                thead {
                    tr {
                        @for name in [title, "frames", "top-1"] { th scope="col" { (name) } }
                        @for m in &methods { th scope="col" { (shown_title(method_title(m), &summary.pixel_ratio[*m])) } }
                    }
                }
                tbody {
                    @for (key, group) in groups {
                        tr {
                            th scope="row" { (name(key)) } td { (group.n) } td { (percent(group.top1.value)) }
                            @for m in &methods { td { (ratio_of(group, m)) } }
                        }
                    }
                }
            }
        }
    }
}

fn latency(summary: &Summary) -> Markup {
    markup! {
        section {
            h2 { "Latency by stage, milliseconds" }
            @if summary.feed.is_null() { p class="small" { (WAITING) } }
            div class="wide" {
                table aria-label="Latency by stage, milliseconds" {
                    thead { tr { th scope="col" { "stage" } @for name in PERCENTILES { th scope="col" { (name) } } th scope="col" { "n" } } }
                    tbody {
                        @for (stage, l) in summary.stages() {
                            tr {
                                th scope="row" { (stage.replace('_', " ")) }
                                @for v in l.in_order() { td { (milliseconds(v)) } }
                                td { (l.n) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Verdict, camera feed and device: under which conditions the times above hold.
fn camera(summary: &Summary) -> Markup {
    let valid = summary.verdict["valid"].as_bool();
    let reasons = summary.verdict["reasons"].as_array().into_iter().flatten();
    let feed = summary.feed.as_object();
    markup! {
        @if let Some(valid) = valid {
            section {
                h2 { "Verdict: " @if valid { "VALID" } @else { "INVALID" } }
                ul { @for reason in reasons { li { (plain(reason)) } } }
                @for claim in summary.verdict["claims"].as_array().into_iter().flatten() {
                    p class="small" {
                        (plain(&claim["stage"])) ": " (plain(&claim["overruns"])) " of " (plain(&claim["frames"]))
                        " frames took more than " (plain(&claim["limit_ms"])) " ms; a share of " (plain(&claim["share"]))
                        " must keep it; " (plain(&claim["state"]).replace('_', " "))
                        @if let Some(worst) = claim["worst_ms"].as_f64() {
                            "; at most " (plain(&claim["overruns_in_a_row"])) " late in a row, the slowest " (milliseconds(worst)) " ms"
                        }
                    }
                }
            }
        }
        @if let Some(feed) = feed {
            section {
                h2 { "Camera feed" }
                @for line in feed_lines(&summary.feed) { p { (line) } }
                details {
                    summary { "All of it" }
                    dl { @for (key, value) in feed { dt { (key.replace('_', " ")) } dd { (plain(value)) } } }
                }
            }
        }
        @if let Some(device) = &summary.device {
            section { h2 { "Device" } p { (device_line(device)) } }
        }
    }
}

fn settings(summary: &Summary) -> Markup {
    let parts = [
        ("Settings", &summary.settings),
        ("Hashes", &summary.hashes),
        ("Machine", &summary.machine),
    ];
    markup! {
        section {
            h2 { "How this was measured" }
            @for (title, values) in parts {
                details {
                    summary { (title) }
                    dl {
                        @for (key, value) in values.iter().filter(|(k, _)| *k != "class_names") {
                            dt { (key) } dd { (plain(value)) }
                        }
                    }
                }
            }
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A model's name: that in the zoo, or of a file its name without folders and ending.
fn model_title(model: &str) -> String {
    let path = Path::new(model);
    let is_file = path.extension().is_some_and(|e| e == "onnx" || e == "toml");
    let name = if is_file { path.file_stem() } else { path.file_name() };
    name.map_or_else(|| model.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn text(values: &BTreeMap<String, Value>, key: &str) -> String {
    values.get(key).map_or(String::new(), plain)
}

fn class_names(stored: &Stored) -> Vec<String> {
    stored
        .settings
        .get("class_names")
        .and_then(|t| serde_json::from_str(t).ok())
        .unwrap_or_default()
}

pub(super) fn name(names: &[String], class: u16) -> String {
    names.get(usize::from(class)).cloned().unwrap_or_else(|| format!("class {class}"))
}

fn class_name(names: &[String], key: &str) -> String {
    key.parse().map_or_else(|_| key.to_owned(), |class| name(names, class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::MeanInterval;

    #[test]
    fn a_ratio_of_few_evaluations_says_so() {
        let line = |estimator: &str, evaluations: f64, corrected: bool| {
            let mean = MeanInterval { mean: 0.75, deviation: None, ci95: None, n: 9 };
            let r = Ratio {
                mean: Some(0.7),
                ci95: None,
                n: 9,
                undefined: BTreeMap::new(),
                chance: None,
                ceiling: None,
                proportional: None,
                evaluations: Some(evaluations),
                corrected: corrected.then_some(mean),
                uncorrected: if corrected { 0 } else { 4 },
            };
            assert_eq!(r.shown().0, Some(if corrected { 0.75 } else { 0.7 }));
            sampling_line(estimator, &r)
        };
        assert!(line("permutation", 290.0, true).unwrap().starts_with("290 evaluations: on some"));
        assert!(line("permutation", 98.0, false).unwrap().contains("noise of 98 evaluations"));
        let desktop = line("permutation", 962.0, false).unwrap();
        assert!(desktop.contains("4 of 9 frames have nothing"), "{desktop}");
        assert!(line("captum", 1000.0, false).is_some());
        assert_eq!(line("permutation", 962.0, true), None);
        assert_eq!(line("exact", 512.0, false), None);
    }

    #[test]
    fn a_title_has_the_name_of_a_model_not_its_path() {
        for (model, title) in [
            ("resnet50-cf", "resnet50-cf"),
            ("resnet50-cf.f32", "resnet50-cf.f32"),
            ("some/where/mine.onnx", "mine"),
            ("some/where/mine.f32.toml", "mine.f32"),
        ] {
            assert_eq!(model_title(model), title);
        }
    }
}
