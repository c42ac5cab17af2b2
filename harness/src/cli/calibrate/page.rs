//! The calibration report as one HTML file, in the style of the run report.

use calibration::Report;
use calibration::report::{LayerReport, TensorReport, decibel};
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::drift::{Drift, interval, mean};

const STYLE: &str = include_str!("../../report/page.css");

/// The page.
pub(super) fn html(report: &Report, drift: Option<&Drift>) -> String {
    let settings = &report.settings;
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "roadgaze: calibration of " (report.model.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (report.model.name) " to " (report.output.name) }
                    p { (settings.images) " pictures of " (report.data.name) ", ranges by "
                        (settings.method) ", weights in " (settings.weight_bits) " bits." }
                }
                main {
                    (cards(report, drift))
                    @if let Some(drift) = drift { (drift_table(drift)) }
                    section {
                        h2 { "Layers" }
                        p class="small" { "Signal-to-noise ratio in dB: of the weights; of the output with all layers quantized; of the \
                            logits with this layer alone quantized (the lower, the more sensitive)." }
                        (layers(report))
                    }
                    section {
                        h2 { "In f32" }
                        (in_f32(report))
                    }
                    section {
                        h2 { "Ranges of activations" }
                        details { summary { (report.tensors.len()) " grids" } (tensors(&report.tensors)) }
                    }
                    section { h2 { "Settings and hashes" } (facts(report)) }
                    section {
                        h2 { "Calibration pictures" }
                        details {
                            summary { (report.data.pictures.len()) " pictures" }
                            p class="small" {
                                @for picture in &report.data.pictures { (picture.position) ":" (picture.sha256) " " }
                            }
                        }
                    }
                }
                footer { p { "SQNR = 10 log10(sum of squares / sum of squared differences). Intervals are 95 %, by Student's t over \
                    pictures, each picture paired with itself." } }
            }
        }
    };
    page.into_string()
}

fn card(title: &str, figure: &str, note: &str) -> Markup {
    markup! { div class="card" { h3 { (title) } p class="figure" { (figure) } p class="small" { (note) } } }
}

fn cards(report: &Report, drift: Option<&Drift>) -> Markup {
    let share = format!("{:.2} %", 100.0 * report.integer_mac_share);
    markup! {
        section class="cards" aria-label="Summary" {
            (card("Multiply-accumulates on integers", &share, "of convolutions and linear layers"))
            (card("Logits keep", &decibel(report.logits_sqnr_db), "signal to quantization noise"))
            @if let Some(drift) = drift {
                (card("Top-1", &format!("{:+.3} points", 100.0 * drift.top1_change()),
                    &interval(drift.top1_change.as_ref(), 100.0, 3)))
                // of networks without a head for GradCAM there is none
                @if drift.ratio_change.is_some() {
                    (card("Pixel ratio", &format!("{:+.5}", drift.ratio_change()),
                        &interval(drift.ratio_change.as_ref(), 1.0, 5)))
                }
            }
        }
    }
}

fn header(names: &[&str]) -> Markup {
    markup! { thead { tr { @for name in names { th scope="col" { (name) } } } } }
}

fn drift_table(drift: &Drift) -> Markup {
    let top1 = |side: &super::drift::Side| {
        let [low, high] = side.top1.ci95;
        format!("{:.2} % ({:.2} to {:.2})", 100.0 * side.top1.value, 100.0 * low, 100.0 * high)
    };
    let sides = [("f32", &drift.exact), ("quantized", &drift.quantized)];
    markup! {
        section {
            h2 { "On " (drift.exact.top1.n) " held-out pictures of " (drift.data) }
            div class="wide" { table aria-label="Both networks on pictures that were not calibrated with" {
                (header(&["network", "top-1", "pixel ratio (GradCAM)", "integer MACs as run"]))
                tbody {
                    @for (name, side) in sides {
                        tr { th scope="row" { (name) ": " (side.name) } td { (top1(side)) }
                            td { (mean(side.pixel_ratio.as_ref())) }
                            td { (format!("{:.2} %", 100.0 * side.integer_mac_share)) } }
                    }
                    tr { th scope="row" { "quantized - f32" }
                        td { (interval(drift.top1_change.as_ref(), 100.0, 3)) " points" }
                        td { (interval(drift.ratio_change.as_ref(), 1.0, 5)) } td { "" } }
                }
            } }
            p { (drift.flips.lost) " answers lost, " (drift.flips.gained) " gained, " (drift.flips.moved)
                " wrong in another way; p = " (format!("{:.3}", drift.flips_p)) " (McNemar)." }
        }
    }
}

fn layers(report: &Report) -> Markup {
    let row = |layer: &LayerReport| {
        markup! {
            tr { th scope="row" { (layer.name) } td { (layer.op_type) } td { (if layer.integer { "integer" } else { "f32" }) }
                td { (format!("{:.1}", layer.macs as f64 / 1e6)) }
                td { (decibel(layer.weight_sqnr_db)) } td { (decibel(layer.output_sqnr_db)) }
                td { (decibel(layer.alone_sqnr_db)) } }
        }
    };
    markup! {
        div class="wide" { table aria-label="Layers: cost, and signal-to-noise ratio in dB" {
            (header(&["layer", "operator", "computes in", "MMAC", "weights", "output", "alone"]))
            tbody { @for layer in &report.layers { (row(layer)) } }
        } }
    }
}

fn in_f32(report: &Report) -> Markup {
    let rows = report.f32_summary();
    markup! {
        @if rows.is_empty() { p { "Nothing." } } @else {
            div class="wide" { table aria-label="What stays in f32, and why" {
                (header(&["operator", "nodes", "why"]))
                tbody {
                    @for (op, why, count) in &rows { tr { th scope="row" { (op) } td { (count) } td { (why) } } }
                }
            } }
        }
    }
}

fn tensors(tensors: &[TensorReport]) -> Markup {
    let pair = |[low, high]: [f32; 2]| format!("{low:.4} to {high:.4}");
    markup! {
        div class="wide" { table aria-label="Ranges and grids of activations" {
            (header(&["tensor", "seen", "covered", "scale", "zero point", "zeros", "clipped"]))
            tbody {
                @for tensor in tensors {
                    tr { th scope="row" { (tensor.name) } td { (pair(tensor.seen)) } td { (pair(tensor.covered)) }
                        td { (format!("{:.3e}", tensor.scale)) } td { (tensor.zero_point) }
                        td { (format!("{:.1} %", 100.0 * tensor.zero_share)) }
                        td { (format!("{:.4} %", 100.0 * tensor.clipped_share)) } }
                }
            }
        } }
    }
}

fn facts(report: &Report) -> Markup {
    let settings = &report.settings;
    let keep =
        if settings.keep_f32.is_empty() { "-".to_owned() } else { settings.keep_f32.join(", ") };
    let rows: Vec<(&str, String)> = vec![
        ("f32 file", format!("{} {}", report.model.name, report.model.sha256)),
        ("quantized file", format!("{} {}", report.output.name, report.output.sha256)),
        ("data set", format!("{} {}", report.data.name, report.data.content_hash)),
        ("operator set", report.opset.to_string()),
        (
            "covered by percentile",
            settings.covered_percent.map_or("-".to_owned(), |c| format!("{c} %")),
        ),
        ("bias correction", settings.bias_correction.to_string()),
        ("batch norms folded", report.folded.batch_norms.to_string()),
        ("layer scales folded", report.folded.layer_scales.to_string()),
        ("pairs equalized", report.equalized_pairs.to_string()),
        ("residual streams equalized", report.equalized_streams.to_string()),
        ("kept in f32 as asked", keep),
        (
            "kept in f32 below",
            settings.keep_below_db.map_or("-".to_owned(), |db| format!("{db} dB")),
        ),
    ];
    markup! { dl { @for (name, value) in &rows { dt { (name) } dd { (value) } } } }
}

#[cfg(test)]
mod tests {
    use calibration::observe::PictureId;
    use calibration::report::{DataReport, ModelReport, SettingsReport};
    use calibration::weights::WeightRange;
    use calibration::{Folded, StaysFloat};

    use super::*;
    use crate::stats::MeanInterval;

    fn network(name: &str) -> ModelReport {
        ModelReport { name: name.to_owned(), architecture: "a".to_owned(), sha256: "0".to_owned() }
    }

    fn report() -> Report {
        Report {
            schema: 1,
            model: network("net"),
            output: network("net <int8>"),
            settings: SettingsReport {
                method: "percentile",
                covered_percent: Some(99.99),
                weight_bits: 7,
                weight_range: WeightRange::Mse,
                bias_correction: true,
                equalize: false,
                equalize_streams: true,
                keep_f32: Vec::new(),
                keep_below_db: None,
                images: 1,
                sqnr_images: 1,
                sensitivity_images: 1,
            },
            data: DataReport {
                name: "synthetic:CF/train".to_owned(),
                content_hash: "0".to_owned(),
                pictures: vec![PictureId { position: 0, sha256: "0".to_owned() }],
            },
            opset: 17,
            folded: Folded::default(),
            equalized_pairs: 0,
            equalized_streams: 0,
            integer_mac_share: 1.0,
            logits_sqnr_db: Some(30.0),
            tensors: vec![TensorReport {
                name: "x".to_owned(),
                seen: [0.0, 1.0],
                covered: [0.0, 1.0],
                scale: 0.1,
                zero_point: 0,
                zero_share: 0.0,
                clipped_share: 0.0,
            }],
            layers: vec![LayerReport {
                name: "conv".to_owned(),
                op_type: "Conv".to_owned(),
                integer: true,
                macs: 1_000_000,
                weight_sqnr_db: None,
                output_sqnr_db: Some(20.0),
                alone_sqnr_db: None,
            }],
            stays_f32: vec![StaysFloat {
                name: "s".to_owned(),
                op_type: "Softmax".to_owned(),
                reason: "r".to_owned(),
            }],
            drift: None,
        }
    }

    #[test]
    fn a_screen_reader_is_told_what_every_table_and_every_cell_of_a_header_is() {
        let ratio = MeanInterval { mean: 0.125, deviation: None, ci95: None, n: 8 };
        let page = html(&report(), Some(&Drift::example(Some(ratio))));
        let count = |what: &str| page.matches(what).count();
        assert_eq!((count("<table"), count("<table aria-label=\"")), (4, 4), "{page}");
        assert_eq!((count("<th scope=\"col\">"), count("<th scope=\"row\">")), (21, 6), "{page}");
        assert_eq!(count("<th"), 21 + 6 + count("<thead"), "{page}");
        assert_eq!(count("></th>"), 0, "a header says something: {page}");
        assert!(page.contains("net &lt;int8&gt;") && page.contains("+0.12500"), "{page}");
    }

    #[test]
    fn a_change_that_was_not_measured_is_not_told_as_none() {
        let page = html(&report(), Some(&Drift::example(None)));
        assert!(!page.contains("+0.00000"), "{page}");
    }
}
