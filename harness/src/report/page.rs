//! `report.html`: one file with everything in it, for light and dark, for a desk and a phone.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use serde_json::Value;

use super::summary::{Ratio, Summary};
use super::table::{milliseconds, percent, ratio, ratio_of, share_with_interval};
use super::{ReportError, picture, plot};
use crate::store::{FrameRow, Stage, Stored};

const STYLE: &str = include_str!("page.css");
/// Pictures in each row of the gallery.
const GALLERY: usize = 8;

/// The page.
///
/// # Errors
/// If a stored picture cannot be decoded or a plot not be drawn.
pub fn html(stored: &Stored, summary: &Summary, folder: &Path) -> Result<String, ReportError> {
    let names = class_names(stored);
    let gallery = gallery(stored, summary, folder, &names)?;
    let plots = plots(stored, summary)?;
    let model = text(&summary.settings, "model");
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
                        (summary.frames.processed) " frames, "
                        @if summary.complete { "complete run." } @else { strong { "run not complete." } } }
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

fn cards(summary: &Summary) -> Markup {
    let slowest = |stage: Stage| summary.latency_ms.get(stage.name());
    markup! {
        section class="cards" {
            div class="card" {
                h3 { "Accuracy top-1" }
                p class="figure" { (percent(summary.accuracy.top1.value)) }
                p { (share_with_interval(&summary.accuracy.top1)) ", n = " (summary.accuracy.top1.n) }
            }
            @for (method, r) in &summary.pixel_ratio {
                div class="card" {
                    h3 { "Pixel ratio " (method) }
                    p class="figure" { (ratio(r.mean)) }
                    p { (interval(r)) ", n = " (r.n) @if undefined(r) > 0 { ", " (undefined(r)) " undefined" } }
                    (scale(r))
                }
            }
            @if let Some(network) = slowest(Stage::Network) {
                div class="card" {
                    h3 { "Network" }
                    p class="figure" { (milliseconds(network.p50)) " ms" }
                    p { "p50; p99 " (milliseconds(network.p99)) " ms, n = " (network.n) }
                }
            }
        }
    }
}

/// A bar from 0 to 1 with chance, mean and ceiling.
fn scale(r: &Ratio) -> Markup {
    let at = |v: Option<f64>| format!("left:{:.1}%", v.unwrap_or(0.0) * 100.0);
    markup! {
        div class="scale" {
            span class="mark chance" style=(at(r.chance)) title="chance" {}
            span class="mark ceiling" style=(at(r.ceiling)) title="ceiling" {}
            span class="mark mean" style=(at(r.mean)) title="mean" {}
        }
        p class="small" { "chance " (ratio(r.chance)) " \u{b7} whole sign evenly " (ratio(r.proportional)) " \u{b7} ceiling " (ratio(r.ceiling)) }
    }
}

fn interval(r: &Ratio) -> String {
    r.ci95.map_or_else(|| "no interval".to_owned(), |[l, h]| format!("{l:.4} to {h:.4}"))
}

fn undefined(r: &Ratio) -> usize {
    r.undefined.values().sum()
}

fn gallery(
    stored: &Stored,
    summary: &Summary,
    folder: &Path,
    names: &[String],
) -> Result<Markup, ReportError> {
    // the most costly method is the one that people came for
    let Some(method) = summary.pixel_ratio.keys().next_back() else { return Ok(markup! {}) };
    let of = |f: &FrameRow| {
        f.attributions.iter().find(|a| &a.method == method).and_then(|a| a.ratio.ok())
    };
    let mut ranked: Vec<&FrameRow> = stored.frames.iter().filter(|f| of(f).is_some()).collect();
    ranked.sort_by(|a, b| of(b).unwrap_or(0.0).total_cmp(&of(a).unwrap_or(0.0)));
    let wrong = stored.frames.iter().filter(|f| !f.correct()).collect::<Vec<_>>();
    let best = strip(stored, folder, names, &mut ranked.iter().copied())?;
    let worst = strip(stored, folder, names, &mut ranked.iter().rev().copied())?;
    let mistakes = strip(stored, folder, names, &mut wrong.into_iter())?;
    Ok(markup! {
        section {
            h2 { "What the network looked at" }
            p { "Bright: speaks for the class shown. Line: the sign's mask." }
            h3 { "Highest pixel ratio (" (method) ")" } (best)
            h3 { "Lowest pixel ratio (" (method) ")" } (worst)
            h3 { "Classified wrongly" }
            @if mistakes.0 == 0 { p { "None among the frames with a stored picture." } } @else { (mistakes) }
        }
    })
}

/// A row of pictures; the number says how many there are.
struct Strip(usize, Markup);

impl maud::Render for Strip {
    fn render(&self) -> Markup {
        self.1.clone()
    }
}

fn strip(
    stored: &Stored,
    folder: &Path,
    names: &[String],
    frames: &mut dyn Iterator<Item = &FrameRow>,
) -> Result<Strip, ReportError> {
    let mut figures = Vec::new();
    for frame in frames {
        if figures.len() == GALLERY {
            break;
        }
        let Some(preview) = stored.preview(frame.position)? else { continue };
        let failed = |e: image::ImageError| ReportError::Picture {
            path: folder.to_owned(),
            position: frame.position,
            problem: e.to_string(),
        };
        let mut pictures = vec![("plain", picture::overlay(&preview, None).map_err(failed)?)];
        for a in &frame.attributions {
            pictures
                .push((a.method.as_str(), picture::overlay(&preview, Some(a)).map_err(failed)?));
        }
        let said = frame.top5.first().map_or(String::new(), |c| name(names, *c));
        let truth = name(names, frame.class);
        figures.push(markup! {
            figure {
                div class="pictures" {
                    @for (method, jpeg) in &pictures {
                        img alt=(format!("frame {} {method}", frame.position)) title=(method)
                            src=(format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(jpeg)));
                    }
                }
                figcaption {
                    @if frame.correct() { (truth) } @else { (truth) " taken for " strong { (said) } }
                    " \u{b7} " (frame.environment.replace('_', " "))
                    @for a in &frame.attributions {
                        br; span class="small" { (a.method) " " (a.ratio.map_or_else(|u| u.name().to_owned(), |r| format!("{r:.3}"))) }
                    }
                }
            }
        });
    }
    let row = markup! { div class="gallery" { @for figure in &figures { (figure) } } };
    Ok(Strip(figures.len(), row))
}

fn plots(stored: &Stored, summary: &Summary) -> Result<Markup, ReportError> {
    let mut histograms = Vec::new();
    for method in summary.pixel_ratio.keys() {
        let groups: Vec<(String, Vec<f64>)> = summary
            .by_shape
            .keys()
            .map(|shape| {
                let of_shape = stored.frames.iter().filter(|f| &f.shape == shape);
                let ratios =
                    of_shape.flat_map(|f| f.attributions.iter().filter(|a| &a.method == method));
                (shape.clone(), ratios.filter_map(|a| a.ratio.ok()).collect())
            })
            .collect();
        histograms.push((method, plot::ratio_histogram(&groups)?));
    }
    let stages: Vec<(String, Vec<f64>)> = Stage::ALL
        .into_iter()
        .filter(|s| !matches!(s, Stage::Store | Stage::Transport))
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
    let latency = plot::latency(&stages)?;
    Ok(markup! {
        section class="plots" {
            @for (method, svg) in &histograms {
                figure { h2 { "Pixel ratio by shape, " (method) } (PreEscaped(svg)) }
            }
            figure { h2 { "Latency" } (PreEscaped(latency)) }
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
            table {
                thead { tr { th { (title) } th { "frames" } th { "top-1" } @for m in &methods { th { (m) } } } }
                tbody {
                    @for (key, group) in groups {
                        tr {
                            td { (name(key)) } td { (group.n) } td { (percent(group.top1.value)) }
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
            div class="wide" {
                table {
                    thead { tr { th { "stage" } th { "p50" } th { "p90" } th { "p99" } th { "max" } th { "n" } } }
                    tbody {
                        @for (stage, l) in &summary.latency_ms {
                            tr {
                                td { (stage.replace('_', " ")) }
                                @for v in [l.p50, l.p90, l.p99, l.max] { td { (milliseconds(v)) } }
                                td { (l.n) }
                            }
                        }
                    }
                }
            }
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

fn name(names: &[String], class: u16) -> String {
    names.get(usize::from(class)).cloned().unwrap_or_else(|| format!("class {class}"))
}

fn class_name(names: &[String], key: &str) -> String {
    key.parse().map_or_else(|_| key.to_owned(), |class| name(names, class))
}
