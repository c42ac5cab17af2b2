//! The whole way from a network in f32 to a quantized file with manifest and report.

mod work;

use std::fs;
use std::path::{Path, PathBuf};

use datasets::source::FrameSource;
use models::Preprocessor;
use models::digest::sha256_hex;
use models::manifest::{Manifest, Precision};
use models::onnx::{self, pb};
use models::topology::Topology;

use self::work::Work;
use crate::error::CalibrationError;
use crate::net::Net;
use crate::observe::Pictures;
use crate::placement::{self, Placement};
use crate::qdq;
use crate::range::Method;
use crate::report::{self, DataReport, ModelReport, Report, SettingsReport};
use crate::weights::WeightRange;

/// How a network is quantized.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How the range of an activation is chosen.
    pub method: Method,
    /// Bits of a weight, 2 to 8. 7 keep `vpmaddubsw` from saturating on processors without VNNI.
    pub weight_bits: u32,
    /// How the scale of an output channel is chosen.
    pub weight_range: WeightRange,
    /// Take the mean error of the weights back through the bias.
    pub bias_correction: bool,
    /// Equalize the channels of convolutions in a row first.
    pub equalize: bool,
    /// Equalize the channels of residual streams first (see `streams`).
    pub equalize_streams: bool,
    /// Layers, nodes or tensors kept in f32; a `*` at the end stands for any ending.
    pub keep_f32: Vec<String>,
    /// Keep each layer in f32 that alone brings the logits below this SQNR, in dB.
    pub keep_below_db: Option<f64>,
    /// Pictures whose activations are observed.
    pub images: usize,
    /// Pictures for the SQNR of each layer; 0 leaves it out.
    pub sqnr_images: usize,
    /// Pictures for the table of sensitivities; 0 leaves it out.
    pub sensitivity_images: usize,
    /// Threads.
    pub threads: usize,
    /// Day for the manifest, year-month-day.
    pub date: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::Percentile { covered: Method::COVERED },
            weight_bits: 7,
            weight_range: WeightRange::Mse,
            bias_correction: true,
            equalize: false,
            equalize_streams: true,
            keep_f32: Vec::new(),
            keep_below_db: None,
            images: 300,
            sqnr_images: 16,
            sensitivity_images: 4,
            threads: 1,
            date: String::new(),
        }
    }
}

/// Where the work stands: what is done of what is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// In words.
    pub name: &'static str,
    /// Pictures or layers done.
    pub done: usize,
    /// Pictures or layers in all.
    pub total: usize,
}

/// A quantized network, not yet written.
#[derive(Debug)]
pub struct Calibrated {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// Its manifest.
    pub manifest: Manifest,
    /// What was done and what it cost.
    pub report: Report,
}

impl Calibrated {
    /// Writes model and manifest beside it; gives the path of the manifest.
    ///
    /// # Errors
    /// If a file cannot be written; the model is never left half written.
    pub fn write(&self, out: &Path) -> Result<PathBuf, CalibrationError> {
        let manifest = out.with_extension("toml");
        write_whole(out, &self.bytes)?;
        write_whole(&manifest, self.manifest.to_toml()?.as_bytes())?;
        Ok(manifest)
    }
}

/// Writes a file under another name first, so that it is there whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CalibrationError> {
    let part = path.with_added_extension("part");
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    written.map_err(|source| CalibrationError::File { path: path.to_owned(), source })
}

/// Quantizes the network of a manifest for a file of this path with the first pictures of a source.
///
/// # Errors
/// If the network is no candidate, a picture cannot be had, an activation has no usable range, or a
/// setting is out of range.
pub fn calibrate(
    manifest_path: &Path,
    source: &dyn FrameSource,
    settings: &Settings,
    out: &Path,
    step: &(dyn Fn(Step) + Sync),
) -> Result<Calibrated, CalibrationError> {
    check(settings, out)?;
    let manifest = Manifest::read(manifest_path)?;
    let model_path = manifest.model_path(manifest_path);
    let place = model_path.display().to_string();
    let file = onnx::read(&model_path)?;
    models::identity::check(&manifest, &model_path, &file)?;
    let graph = file.proto.graph.as_ref();
    if let Some(found) = graph.and_then(|graph| Topology::new(graph).probabilities()) {
        let problem = format!("expected logits as the output, found {found}");
        return Err(CalibrationError::network(place, problem, "export the network without it"));
    }
    let preprocessor = Preprocessor::new(&manifest.input);
    let pictures = Pictures::first(source, settings.images, preprocessor)?;
    let side = (manifest.input.height, manifest.input.width);
    let (net, feature_map) = (Net::new(file.proto, &place)?, manifest.feature_map.clone());
    let work = Work { net, feature_map, side, pictures, settings, place, step };
    let done = work.run()?;
    let bytes = onnx::encode(&done.proto);
    let sha256 = sha256_hex(&bytes);
    let mut quantized = manifest_of(&manifest, settings, source, out, &sha256, &done.placement);
    // folding may have taken it away, and then what the pooling reads is found in the graph
    quantized.feature_map = quantized.feature_map.filter(|tap| {
        done.proto.graph.as_ref().is_some_and(|graph| Topology::new(graph).has_tensor(tap))
    });
    let report = Report {
        schema: report::SCHEMA,
        model: ModelReport {
            name: manifest.name.clone(),
            architecture: manifest.architecture.clone(),
            sha256: manifest.sha256,
        },
        output: ModelReport {
            name: quantized.name.clone(),
            architecture: manifest.architecture,
            sha256,
        },
        settings: SettingsReport::of(settings),
        data: DataReport {
            name: source.name(),
            content_hash: source.content_hash(),
            pictures: done.observed.pictures.clone(),
        },
        opset: done.opset,
        folded: done.folded,
        equalized_pairs: done.equalized,
        equalized_streams: done.equalized_streams,
        integer_mac_share: done.integer_mac_share,
        logits_sqnr_db: done.logits_sqnr_db,
        tensors: done.tensors,
        layers: done.layers,
        stays_f32: done.placement.stays,
        drift: None,
    };
    Ok(Calibrated { bytes, manifest: quantized, report })
}

fn check(settings: &Settings, out: &Path) -> Result<(), CalibrationError> {
    let wrong = |name, expected: &str, found: String| {
        Err(CalibrationError::Setting { name, expected: expected.to_owned(), found })
    };
    if !(2..=8).contains(&settings.weight_bits) {
        return wrong("--weight-bits", "2 to 8", settings.weight_bits.to_string());
    }
    if let Method::Percentile { covered } = settings.method
        && !(50.0..=100.0).contains(&covered)
    {
        return wrong("--percentile", "50 to 100 percent", covered.to_string());
    }
    if settings.keep_below_db.is_some() && settings.sensitivity_images == 0 {
        return wrong("--sensitivity-images", "at least 1 for --keep-f32-below", "0".to_owned());
    }
    if out.extension().is_none_or(|e| e != "onnx") {
        return wrong("--out", "a file name that ends in .onnx", out.display().to_string());
    }
    Ok(())
}

fn manifest_of(
    source: &Manifest,
    settings: &Settings,
    data: &dyn FrameSource,
    out: &Path,
    sha256: &str,
    placement: &Placement,
) -> Manifest {
    let mut manifest = source.clone();
    let stem = out.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    manifest.file = format!("{stem}.onnx");
    manifest.name = stem;
    sha256.clone_into(&mut manifest.sha256);
    manifest.precision = Precision::Int8Qdq;
    manifest.external.clear();
    manifest.accuracy.clear();
    manifest.date.clone_from(&settings.date);
    if let Some(tap) = manifest.feature_map.as_mut().filter(|t| placement.quantized.contains(*t)) {
        *tap = qdq::dequantized(tap);
    }
    let mut table = toml::Table::new();
    let integer = |n: usize| toml::Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    table.insert("from".into(), source.name.clone().into());
    table.insert("from_sha256".into(), source.sha256.clone().into());
    table.insert("method".into(), settings.method.name().into());
    table.insert("data".into(), data.name().into());
    table.insert("images".into(), integer(settings.images));
    table.insert("weight_bits".into(), i64::from(settings.weight_bits).into());
    manifest.training.insert("calibration".into(), table.into());
    manifest
}

/// The layers that a plan knows, in the order of the graph: for messages and tests.
#[must_use]
pub fn layer_names(proto: pb::ModelProto) -> Vec<String> {
    Net::new(proto, "")
        .map(|net| placement::layers(&net).into_iter().map(|l| l.name).collect())
        .unwrap_or_default()
}
