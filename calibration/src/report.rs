//! What a calibration did and what it cost: one JSON object, and the same as text.

use std::fmt::Write as _;

use serde::Serialize;

use crate::calibrate::Settings;
use crate::observe::PictureId;
use crate::placement::StaysFloat;
use crate::simplify::Folded;
use crate::weights::WeightRange;

/// Version of the JSON.
pub const SCHEMA: u32 = 1;

/// All that is known about a calibration.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The network in f32.
    pub model: ModelReport,
    /// The quantized network.
    pub output: ModelReport,
    /// How.
    pub settings: SettingsReport,
    /// With which pictures.
    pub data: DataReport,
    /// Operator set of the file.
    pub opset: i64,
    /// What went into weights.
    pub folded: Folded,
    /// Pairs of convolutions whose channels were equalized.
    pub equalized_pairs: usize,
    /// Residual streams whose channels were equalized.
    pub equalized_streams: usize,
    /// Share of the multiply-accumulates of convolutions and linear layers on integers, 0 to 1.
    pub integer_mac_share: f64,
    /// SQNR of the logits over the compared pictures, dB.
    pub logits_sqnr_db: Option<f64>,
    /// Every grid.
    pub tensors: Vec<TensorReport>,
    /// Every convolution and linear layer, in the order of the graph.
    pub layers: Vec<LayerReport>,
    /// Every node that computes in f32, and why.
    pub stays_f32: Vec<StaysFloat>,
    /// What changed on pictures that were not calibrated with; measured by whoever can.
    pub drift: Option<serde_json::Value>,
}

/// A network file.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// Name in its manifest.
    pub name: String,
    /// Family and size.
    pub architecture: String,
    /// sha256 of the ONNX file.
    pub sha256: String,
}

/// The settings that matter for the result.
#[derive(Clone, Debug, Serialize)]
pub struct SettingsReport {
    /// minmax, percentile, entropy or mse.
    pub method: &'static str,
    /// Share that the percentile covers, percent.
    pub covered_percent: Option<f64>,
    /// Bits of a weight.
    pub weight_bits: u32,
    /// How scales of weights were chosen.
    pub weight_range: WeightRange,
    /// Whether biases were corrected.
    pub bias_correction: bool,
    /// Whether channels were equalized.
    pub equalize: bool,
    /// Whether the channels of residual streams were equalized.
    pub equalize_streams: bool,
    /// What was to stay in f32.
    pub keep_f32: Vec<String>,
    /// Limit of the automatic choice, dB.
    pub keep_below_db: Option<f64>,
    /// Pictures observed.
    pub images: usize,
    /// Pictures compared layer by layer.
    pub sqnr_images: usize,
    /// Pictures of the table of sensitivities.
    pub sensitivity_images: usize,
}

impl SettingsReport {
    pub(crate) fn of(settings: &Settings) -> Self {
        let covered_percent = match settings.method {
            crate::Method::Percentile { covered } => Some(covered),
            _ => None,
        };
        Self {
            method: settings.method.name(),
            covered_percent,
            weight_bits: settings.weight_bits,
            weight_range: settings.weight_range,
            bias_correction: settings.bias_correction,
            equalize: settings.equalize,
            equalize_streams: settings.equalize_streams,
            keep_f32: settings.keep_f32.clone(),
            keep_below_db: settings.keep_below_db,
            images: settings.images,
            sqnr_images: settings.sqnr_images,
            sensitivity_images: settings.sensitivity_images,
        }
    }
}

/// The pictures.
#[derive(Clone, Debug, Serialize)]
pub struct DataReport {
    /// Data set.
    pub name: String,
    /// Identity of its content.
    pub content_hash: String,
    /// Position and hash of each picture.
    pub pictures: Vec<PictureId>,
}

/// An activation and its grid.
#[derive(Clone, Debug, Serialize)]
pub struct TensorReport {
    /// Tensor in the f32 graph.
    pub name: String,
    /// Smallest and largest value seen.
    pub seen: [f32; 2],
    /// Smallest and largest value of the grid.
    pub covered: [f32; 2],
    /// Step of the grid.
    pub scale: f32,
    /// Code of 0.
    pub zero_point: u8,
    /// Share of values that were exactly 0.
    pub zero_share: f64,
    /// Share of values outside the grid.
    pub clipped_share: f64,
}

/// A convolution or linear layer.
#[derive(Clone, Debug, Serialize)]
pub struct LayerReport {
    /// Name.
    pub name: String,
    /// Operator.
    pub op_type: String,
    /// Whether it works on integers.
    pub integer: bool,
    /// Multiply-accumulates of one forward pass.
    pub macs: u64,
    /// SQNR of the weights, dB.
    pub weight_sqnr_db: Option<f64>,
    /// SQNR of the output with all layers quantized, dB.
    pub output_sqnr_db: Option<f64>,
    /// Sensitivity: SQNR of the logits with this layer alone quantized, dB.
    pub alone_sqnr_db: Option<f64>,
}

impl Report {
    /// As JSON.
    ///
    /// # Errors
    /// If a number cannot be written, which would be a bug.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// The layers from the most to the least sensitive.
    #[must_use]
    pub fn by_sensitivity(&self) -> Vec<&LayerReport> {
        let mut rows: Vec<&LayerReport> =
            self.layers.iter().filter(|l| l.alone_sqnr_db.is_some()).collect();
        rows.sort_by(|a, b| {
            let key = |l: &LayerReport| l.alone_sqnr_db.unwrap_or(f64::INFINITY);
            key(a).total_cmp(&key(b))
        });
        rows
    }

    /// Operators that stay in f32: operator, reason, how often.
    #[must_use]
    pub fn f32_summary(&self) -> Vec<(String, String, usize)> {
        let mut rows: Vec<(String, String, usize)> = Vec::new();
        for stays in &self.stays_f32 {
            match rows.iter_mut().find(|(op, why, _)| *op == stays.op_type && *why == stays.reason)
            {
                Some((_, _, count)) => *count += 1,
                None => rows.push((stays.op_type.clone(), stays.reason.clone(), 1)),
            }
        }
        rows
    }

    /// A page of text for a terminal.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // writing to a String cannot fail
        let mut line = |args: std::fmt::Arguments<'_>| {
            let _infallible = writeln!(text, "{args}");
        };
        let settings = &self.settings;
        line(format_args!(
            "{} -> {}: {} over {} pictures of {}, weights in {} bits",
            self.model.name,
            self.output.name,
            settings.method,
            settings.images,
            self.data.name,
            settings.weight_bits
        ));
        line(format_args!(
            "{} layers, {:.2} % of their multiply-accumulates on integers; logits keep {}",
            self.layers.len(),
            100.0 * self.integer_mac_share,
            decibel(self.logits_sqnr_db)
        ));
        let equalized = self.equalized_pairs + self.equalized_streams;
        if self.folded != Folded::default() || equalized > 0 {
            line(format_args!(
                "folded: {} batch norms, {} layer scales; equalized: {} pairs of layers, {} residual streams",
                self.folded.batch_norms,
                self.folded.layer_scales,
                self.equalized_pairs,
                self.equalized_streams
            ));
        }
        for (op, reason, count) in self.f32_summary() {
            line(format_args!("in f32: {count} x {op}: {reason}"));
        }
        for row in self.by_sensitivity().iter().take(5) {
            line(format_args!(
                "sensitive: {} alone leaves the logits {}",
                row.name,
                decibel(row.alone_sqnr_db)
            ));
        }
        text
    }
}

/// A ratio in words.
#[must_use]
pub fn decibel(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |db| format!("{db:.1} dB"))
}
