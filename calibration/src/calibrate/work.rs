//! The steps from a graph in f32 to one in QDQ form: fold, equalize, place, observe, choose grids, quantize, compare.

use std::collections::BTreeMap;

use models::Probe;
use models::onnx::pb;
use models::topology::Topology;

use super::{Settings, Step};
use crate::equalize;
use crate::error::CalibrationError;
use crate::grid::Grid;
use crate::histogram::exact_count;
use crate::net::Net;
use crate::observe::{self, Observed, Pictures, Wanted};
use crate::placement::{Layer, Placement};
use crate::qdq::{self, Form};
use crate::range::clipped_share;
use crate::report::{LayerReport, TensorReport};
use crate::sensitivity::{self, Reference};
use crate::simplify::{self, Folded};
use crate::sqnr;
use crate::streams;
use crate::weights::{self, QuantizedLayer, Shape, WeightSettings};

/// A network on its way, with all that decides how it is quantized.
pub(super) struct Work<'a> {
    pub(super) net: Net,
    /// The last feature map, if the manifest names it.
    pub(super) feature_map: Option<String>,
    pub(super) side: (usize, usize),
    pub(super) pictures: Pictures<'a>,
    pub(super) settings: &'a Settings,
    pub(super) place: String,
    pub(super) step: &'a (dyn Fn(Step) + Sync),
}

/// What the way ends with.
pub(super) struct Done {
    pub(super) proto: pb::ModelProto,
    pub(super) placement: Placement,
    pub(super) observed: Observed,
    pub(super) opset: i64,
    pub(super) folded: Folded,
    pub(super) equalized: usize,
    pub(super) equalized_streams: usize,
    pub(super) integer_mac_share: f64,
    pub(super) logits_sqnr_db: Option<f64>,
    pub(super) tensors: Vec<TensorReport>,
    pub(super) layers: Vec<LayerReport>,
}

impl Work<'_> {
    /// Goes all the way. Quantized layers are kept by the name of their weight.
    pub(super) fn run(mut self) -> Result<Done, CalibrationError> {
        let folded = simplify::simplify(&mut self.net);
        let equalized = if self.settings.equalize { equalize::equalize(&mut self.net) } else { 0 };
        let equalized_streams = if self.settings.equalize_streams {
            let (maps, threads) = (self.feature_maps(), self.settings.threads);
            let (pictures, place) = (&self.pictures, &self.place);
            streams::equalize(&mut self.net, &maps, pictures, self.side, threads, place)?
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
        if let Some(taken) = qdq::taken(&self.net, &placement) {
            return Err(CalibrationError::network(
                &self.place,
                format!("expected no tensor `{taken}`, a name for quantized ones, found one"),
                "give that tensor another name",
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
        let tensors = tensor_reports(&observed, &grids, &placement);
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

    /// The last feature map as the manifest names it, and as it is found in the graph, whatever pools it.
    fn feature_maps(&self) -> Vec<String> {
        let proto = self.net.to_proto();
        let found = proto.graph.as_ref().map(|graph| Topology::new(graph).find(&self.place));
        let found = found.and_then(Result::ok).map(|found| found.feature_map);
        self.feature_map.iter().cloned().chain(found).collect()
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
            layers.insert(layer.weight.clone(), quantized);
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
            if let Some(codes) = quantized.get(&layer.weight).filter(|_| is_integer) {
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
        let share = exact_count(integer) / exact_count(all.max(1));
        (rows.into_iter().map(|(_, row)| row).collect(), share)
    }
}

fn shape_of<'d>(layer: &Layer, dims: &'d [usize]) -> Shape<'d> {
    Shape { dims, axis: layer.axis, groups: layer.groups }
}

/// Every grid that the file has: layers kept in f32 for their sensitivity may have left some without a tensor.
fn tensor_reports(
    observed: &Observed,
    grids: &BTreeMap<String, Grid>,
    placement: &Placement,
) -> Vec<TensorReport> {
    let used = placement.grid_tensors();
    observed
        .histograms
        .iter()
        .filter(|(name, _)| used.contains(*name))
        .filter_map(|(name, seen)| {
            let grid = *grids.get(name)?;
            Some(TensorReport {
                name: name.clone(),
                seen: [seen.min(), seen.max()],
                covered: grid.range(),
                scale: grid.scale,
                zero_point: grid.zero_point,
                zero_share: exact_count(seen.zeros()) / exact_count(seen.count().max(1)),
                clipped_share: clipped_share(seen, grid),
            })
        })
        .collect()
}
