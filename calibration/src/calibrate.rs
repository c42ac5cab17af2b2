//! The whole way from a network in f32 to a quantized file with manifest and report.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use datasets::source::FrameSource;
use models::digest::sha256_hex;
use models::manifest::{Manifest, Precision};
use models::onnx::{self, pb};
use models::{Preprocessor, Probe};

use crate::equalize;
use crate::error::CalibrationError;
use crate::grid::Grid;
use crate::net::Net;
use crate::observe::{self, Observed, Pictures, Wanted};
use crate::placement::{self, Layer, Placement};
use crate::qdq::{self, Form};
use crate::range::{Method, clipped_share};
use crate::report::TensorReport;
use crate::report::{self, DataReport, LayerReport, ModelReport, Report, SettingsReport};
use crate::sensitivity::{self, Reference};
use crate::simplify::{self, Folded};
use crate::sqnr;
use crate::streams;
use crate::weights::{self, QuantizedLayer, Shape, WeightRange, WeightSettings};

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
    let preprocessor = Preprocessor::new(&manifest.input);
    let pictures = Pictures::first(source, settings.images, preprocessor)?;
    let side = (manifest.input.height, manifest.input.width);
    let work = Work { net: Net::new(file.proto, &place)?, side, pictures, settings, place, step };
    let done = work.run()?;
    let bytes = onnx::encode(&done.proto);
    let sha256 = sha256_hex(&bytes);
    let quantized = manifest_of(&manifest, settings, source, out, &sha256, &done.placement);
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

struct Work<'a> {
    net: Net,
    side: (usize, usize),
    pictures: Pictures<'a>,
    settings: &'a Settings,
    place: String,
    step: &'a (dyn Fn(Step) + Sync),
}

struct Done {
    proto: pb::ModelProto,
    placement: Placement,
    observed: Observed,
    opset: i64,
    folded: Folded,
    equalized: usize,
    equalized_streams: usize,
    integer_mac_share: f64,
    logits_sqnr_db: Option<f64>,
    tensors: Vec<TensorReport>,
    layers: Vec<LayerReport>,
}

impl Work<'_> {
    fn run(mut self) -> Result<Done, CalibrationError> {
        let folded = simplify::simplify(&mut self.net);
        let equalized = if self.settings.equalize { equalize::equalize(&mut self.net) } else { 0 };
        let equalized_streams = if self.settings.equalize_streams {
            let threads = self.settings.threads;
            streams::equalize(&mut self.net, &self.pictures, self.side, threads, &self.place)?
        } else {
            0
        };
        let mut placement = Placement::new(&self.net, &self.settings.keep_f32)?;
        if placement.layers.is_empty() {
            return Err(CalibrationError::network(
                &self.place,
                "expected convolutions or linear layers with constant weights, found none to quantize",
                "keep fewer layers in f32, or export with the weights in the file",
            ));
        }
        let observed = self.observe(&placement)?;
        let grids = self.grids(&observed)?;
        let layers = self.quantize(&placement, &observed, &grids);
        let sensitivity = self.sensitivity(&placement, &grids, &layers)?;
        if let Some(limit) = self.settings.keep_below_db {
            let mut keep = self.settings.keep_f32.clone();
            let weak = |db: &Option<f64>| db.is_some_and(|db| db < limit);
            let found = sensitivity.iter().filter(|(_, db)| weak(db)).map(|(name, _)| name.clone());
            keep.extend(found);
            placement = Placement::new(&self.net, &keep)?;
        }
        let proto = qdq::emit(&self.net, &placement, &grids, &layers, Form::Codes);
        let (sqnr, shapes) = self.sqnr(&placement, &grids, &layers)?;
        let logits_sqnr_db = sqnr.get(&self.net.output).copied().flatten();
        let tensors = tensor_reports(&observed, &grids);
        let (layers, integer_mac_share) =
            self.layer_reports(&placement, &layers, &sensitivity, &sqnr, &shapes);
        let opset = self.net.opset();
        Ok(Done {
            proto,
            placement,
            observed,
            opset,
            folded,
            equalized,
            equalized_streams,
            integer_mac_share,
            logits_sqnr_db,
            tensors,
            layers,
        })
    }

    fn tell(&self, name: &'static str, total: usize) -> impl Fn(usize) + Sync + use<'_> {
        let step = self.step;
        step(Step { name, done: 0, total });
        move |done| step(Step { name, done, total })
    }

    fn observe(&self, placement: &Placement) -> Result<Observed, CalibrationError> {
        let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
        let mut entry = |name: &str, histogram: bool, channels: Option<usize>| {
            let tensor = wanted.entry(name.to_owned()).or_insert_with(|| Wanted {
                name: name.to_owned(),
                histogram: false,
                channels: None,
            });
            tensor.histogram |= histogram;
            tensor.channels = tensor.channels.or(channels);
        };
        for name in placement.grid_tensors() {
            entry(&name, true, None);
        }
        if self.settings.bias_correction {
            for layer in &placement.layers {
                let axis = layer.channel_axis().unwrap_or(usize::MAX);
                entry(&layer.input, false, Some(axis));
            }
        }
        let wanted: Vec<Wanted> = wanted.into_values().collect();
        let names: Vec<String> = wanted.iter().map(|w| w.name.clone()).collect();
        let probe = Probe::new(self.net.to_proto(), self.side, &names, &self.place)?;
        let done = self.tell("observing activations", self.pictures.len());
        observe::observe(&probe, &wanted, &self.pictures, self.settings.threads, &done)
    }

    fn grids(&self, observed: &Observed) -> Result<BTreeMap<String, Grid>, CalibrationError> {
        let done = self.tell("choosing ranges", observed.histograms.len());
        let mut grids = BTreeMap::new();
        for (name, seen) in &observed.histograms {
            let grid =
                self.settings.method.grid(seen).ok_or_else(|| CalibrationError::Activation {
                    tensor: name.clone(),
                    problem: format!(
                        "expected a range, found next to nothing between {} and {}",
                        seen.min(),
                        seen.max()
                    ),
                    remedy: "choose --method minmax, or keep its readers in f32 with --keep-f32"
                        .to_owned(),
                })?;
            grids.insert(name.clone(), grid);
            done(grids.len());
        }
        Ok(grids)
    }

    fn quantize(
        &self,
        placement: &Placement,
        observed: &Observed,
        grids: &BTreeMap<String, Grid>,
    ) -> BTreeMap<String, QuantizedLayer> {
        let done = self.tell("quantizing weights", placement.layers.len());
        let settings =
            WeightSettings { bits: self.settings.weight_bits, range: self.settings.weight_range };
        let mut layers = BTreeMap::new();
        for layer in &placement.layers {
            let Some((weight, dims)) = self.net.floats(&layer.weight) else { continue };
            let Some(grid) = grids.get(placement.root(&layer.input)) else { continue };
            let bias = layer.bias.as_ref().and_then(|n| self.net.floats(n)).map(|(b, _)| b);
            let means = observed.means.get(&layer.input).map(Vec::as_slice);
            // a MatMul without an Add has nowhere to put a correction
            let correctable = layer.op_type != "MatMul" || layer.add.is_some();
            let quantized = weights::quantize(
                &weight,
                shape_of(layer, &dims),
                bias.as_deref(),
                grid.scale,
                means.filter(|_| correctable),
                settings,
            );
            layers.insert(layer.name.clone(), quantized);
            done(layers.len());
        }
        layers
    }

    fn sensitivity(
        &self,
        placement: &Placement,
        grids: &BTreeMap<String, Grid>,
        layers: &BTreeMap<String, QuantizedLayer>,
    ) -> Result<BTreeMap<String, Option<f64>>, CalibrationError> {
        if self.settings.sensitivity_images == 0 {
            return Ok(BTreeMap::new());
        }
        let few = self.pictures.at_most(self.settings.sensitivity_images);
        let threads = self.settings.threads;
        let reference = Reference::new(&self.net, &few, self.side, threads)?;
        let done = self.tell("quantizing one layer at a time", placement.layers.len());
        sensitivity::table(
            &self.net, placement, grids, layers, &reference, self.side, threads, &done,
        )
    }

    /// SQNR and shape of the output of each layer, kept ones included, and of the logits.
    #[expect(clippy::type_complexity, reason = "used by `run` alone")]
    fn sqnr(
        &self,
        placement: &Placement,
        grids: &BTreeMap<String, Grid>,
        layers: &BTreeMap<String, QuantizedLayer>,
    ) -> Result<(BTreeMap<String, Option<f64>>, BTreeMap<String, Vec<usize>>), CalibrationError>
    {
        let all = || placement.layers.iter().chain(&placement.kept);
        let mut names: Vec<String> = all().map(|l| l.output.clone()).collect();
        if !names.contains(&self.net.output) {
            names.push(self.net.output.clone());
        }
        let exact = Probe::new(self.net.to_proto(), self.side, &names, &self.place)?;
        let shapes = names.iter().cloned().zip(exact.shapes().iter().cloned()).collect();
        if self.settings.sqnr_images == 0 {
            return Ok((BTreeMap::new(), shapes));
        }
        let links = self.net.links();
        let behind: Vec<String> = names
            .iter()
            .map(|name| {
                let on_grid = placement.quantized.contains(name) && !links.readers(name).is_empty();
                if on_grid { qdq::dequantized(name) } else { name.clone() }
            })
            .collect();
        let proto = qdq::emit(&self.net, placement, grids, layers, Form::Values);
        let other = Probe::new(proto, self.side, &behind, &self.place)?;
        let few = self.pictures.at_most(self.settings.sqnr_images);
        let done = self.tell("comparing layer by layer", few.len());
        let noise = sqnr::compare(&exact, &other, &few, self.settings.threads, &done)?;
        Ok((sqnr::by_name(&exact, &noise), shapes))
    }

    fn layer_reports(
        &self,
        placement: &Placement,
        quantized: &BTreeMap<String, QuantizedLayer>,
        sensitivity: &BTreeMap<String, Option<f64>>,
        sqnr: &BTreeMap<String, Option<f64>>,
        shapes: &BTreeMap<String, Vec<usize>>,
    ) -> (Vec<LayerReport>, f64) {
        let mut rows = Vec::new();
        let (mut all, mut integer) = (0_u64, 0_u64);
        let both = placement.layers.iter().map(|l| (l, true));
        for (layer, is_integer) in both.chain(placement.kept.iter().map(|l| (l, false))) {
            let (weight, dims) = self.net.floats(&layer.weight).unwrap_or_default();
            let shape = shape_of(layer, &dims);
            let outputs: usize = shapes.get(&layer.output).map_or(0, |s| s.iter().product());
            let macs = (outputs / shape.channels().max(1) * weight.len()) as u64;
            all += macs;
            integer += if is_integer { macs } else { 0 };
            let mut noise = sqnr::Noise::default();
            if let Some(codes) = quantized.get(&layer.name) {
                noise.add(&weight, &codes.weights(shape));
            }
            rows.push((
                layer.node,
                LayerReport {
                    name: layer.name.clone(),
                    op_type: layer.op_type.clone(),
                    integer: is_integer,
                    macs,
                    weight_sqnr_db: noise.sqnr_db(),
                    output_sqnr_db: sqnr.get(&layer.output).copied().flatten(),
                    alone_sqnr_db: sensitivity.get(&layer.name).copied().flatten(),
                },
            ));
        }
        rows.sort_by_key(|(node, _)| *node);
        let share =
            crate::histogram::exact_count(integer) / crate::histogram::exact_count(all.max(1));
        (rows.into_iter().map(|(_, row)| row).collect(), share)
    }
}

fn shape_of<'d>(layer: &Layer, dims: &'d [usize]) -> Shape<'d> {
    Shape { dims, axis: layer.axis, groups: layer.groups }
}

fn tensor_reports(observed: &Observed, grids: &BTreeMap<String, Grid>) -> Vec<TensorReport> {
    observed
        .histograms
        .iter()
        .filter_map(|(name, seen)| {
            let grid = *grids.get(name)?;
            Some(TensorReport {
                name: name.clone(),
                seen: [seen.min(), seen.max()],
                covered: grid.range(),
                scale: grid.scale,
                zero_point: grid.zero_point,
                zero_share: crate::histogram::exact_count(seen.zeros())
                    / crate::histogram::exact_count(seen.count().max(1)),
                clipped_share: clipped_share(seen, grid),
            })
        })
        .collect()
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
