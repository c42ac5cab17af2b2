//! A loaded network, shared by all threads: found, held against its manifest (`agree`), optimized, run (`session`).
//!
//! The graph is optimized once for one concrete shape (batch 1: the runtime is slower per image at
//! any larger batch) and shared; a [`Session`] adds the scratch state of one thread, and what calls by difference remember.

mod agree;
mod session;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use kernels::Isa;
use tract_onnx::prelude::{
    DatumExt as _, Framework as _, InferenceModelExt as _, IntoRunnable as _, TypedModel,
    TypedRunnableModel,
};
use tract_onnx::tract_core::ops::Cost;

use self::agree::{check_input, check_logits, feature_shape, output_shape, tap_and_head};
pub use self::session::Session;
use crate::engine::{EngineOptions, Report};
use crate::error::ModelError;
use crate::head::Head;
use crate::identity;
use crate::integer::{self, has_quantized_operators, operator};
use crate::manifest::Manifest;
use crate::onnx::{self, OnnxFile};
use crate::prediction::NetworkInfo;
use crate::zoo;

/// A network, loaded and optimized once, shared by all threads.
#[derive(Clone, Debug)]
pub struct Network {
    manifest: Manifest,
    place: String,
    sha256: String,
    info: NetworkInfo,
    head: Option<Head>,
    /// Why there is no head, for the message when GradCAM is asked for.
    no_head: String,
    options: EngineOptions,
    report: Report,
    plan: Arc<TypedRunnableModel>,
}

impl Network {
    /// Opens a network by the name of a zoo entry, the path of a manifest, or the path of an ONNX
    /// file with its manifest beside it.
    ///
    /// # Errors
    /// If it cannot be found, read, understood or optimized.
    pub fn open(name_or_path: &str) -> Result<Self, ModelError> {
        Self::load(&zoo::find(name_or_path)?)
    }

    /// [`Network::open`] with choices.
    ///
    /// # Errors
    /// As [`Network::open`].
    pub fn open_with(name_or_path: &str, options: EngineOptions) -> Result<Self, ModelError> {
        let manifest_path = zoo::find(name_or_path)?;
        let manifest = Manifest::read(&manifest_path)?;
        let path = manifest.model_path(&manifest_path);
        Self::with_options(manifest, &path, options)
    }

    /// Loads the network that a manifest describes.
    ///
    /// # Errors
    /// If manifest or model file are missing or damaged, if the hash differs, if the graph cannot
    /// be run, or if it has another number of classes than the manifest says.
    pub fn load(manifest_path: &Path) -> Result<Self, ModelError> {
        let manifest = Manifest::read(manifest_path)?;
        let path = manifest.model_path(manifest_path);
        Self::with_manifest(manifest, &path)
    }

    /// Loads an ONNX file with a manifest that is already in memory.
    ///
    /// # Errors
    /// As [`Network::load`].
    pub fn with_manifest(manifest: Manifest, path: &Path) -> Result<Self, ModelError> {
        Self::with_options(manifest, path, EngineOptions::default())
    }

    /// [`Network::with_manifest`] with choices.
    ///
    /// # Errors
    /// As [`Network::load`].
    pub fn with_options(
        manifest: Manifest,
        path: &Path,
        options: EngineOptions,
    ) -> Result<Self, ModelError> {
        let file = onnx::read(path)?;
        identity::check(&manifest, path, &file)?;
        // the runtime asserts on some malformed graphs; a broken file must not end a run
        catch_unwind(AssertUnwindSafe(|| Self::build(manifest, path, file, options)))
            .unwrap_or_else(|_| {
                Err(ModelError::graph(
                    path.display().to_string(),
                    "the runtime gave up on this graph",
                    "check it with onnx.checker and export it again",
                ))
            })
    }

    fn build(
        manifest: Manifest,
        path: &Path,
        file: OnnxFile,
        options: EngineOptions,
    ) -> Result<Self, ModelError> {
        let place = path.display().to_string();
        let OnnxFile { mut proto, sha256, .. } = file;
        onnx::widen_halves(&mut proto);
        if let Some(graph) = proto.graph.as_mut().filter(|g| has_quantized_operators(g)) {
            integer::normalize(graph);
        }
        let empty = onnx::pb::GraphProto::default();
        let (tap, head, no_head) =
            tap_and_head(&manifest, proto.graph.as_ref().unwrap_or(&empty), &place)?;
        let (width, height) = (manifest.input.width, manifest.input.height);
        let mut outputs = 1;
        if let Some(graph) = proto.graph.as_mut() {
            check_input(&manifest, graph, &place)?;
            check_logits(graph, &place)?;
            let logits = graph.output.first().map(|o| o.name.clone()).unwrap_or_default();
            let names: Vec<&str> = std::iter::once(logits.as_str()).chain(tap.as_deref()).collect();
            outputs = names.len();
            onnx::set_outputs(graph, &names);
            // concrete shapes follow from the concrete input
            graph.value_info.clear();
        }
        let remedy = "export with opset 17, batch 1, and operators that tract 0.23 knows";
        let wrong = |e: tract_onnx::prelude::TractError| {
            let problem = format!("the runtime cannot run this graph: {}", chain(&e));
            ModelError::graph(place.clone(), problem, remedy)
        };
        let lowered = if options.integers {
            integer::lower(&mut proto, [3, height, width], options.isa)
        } else {
            integer::Lowered::default()
        };
        let mut onnx = tract_onnx::onnx();
        operator::register(&mut onnx);
        let parsed =
            operator::with_operators(lowered.operators, || onnx.model_for_proto_model(&proto));
        let model = parsed
            .and_then(|m| m.with_input_fact(0, f32::fact([1, 3, height, width]).into()))
            .map_err(wrong)?;
        drop(proto);
        let mut model = model.into_typed().and_then(TypedModel::into_decluttered).map_err(wrong)?;
        let (macs, integer_macs) = count_macs(&model).map_err(wrong)?;
        model.optimize().map_err(wrong)?;
        let logits = output_shape(&model, 0).map_err(wrong)?;
        let classes = logits.iter().product::<usize>();
        if classes != manifest.classes.count {
            return Err(ModelError::mismatch(
                format!("{place}: logits"),
                format!("{} classes as in the manifest", manifest.classes.count),
                format!("{classes} (shape {logits:?})"),
                "correct `classes` in the manifest, or use the manifest of this network",
            ));
        }
        let feature_map =
            if outputs > 1 { Some(feature_shape(&model, &place).map_err(wrong)??) } else { None };
        if let (Some(head), Some([channels, ..])) = (&head, feature_map)
            && (head.channels() != channels || head.classes() != classes)
        {
            return Err(ModelError::mismatch(
                format!("{place}: head"),
                format!("{classes} classes x {channels} channels"),
                format!("{} x {}", head.classes(), head.channels()),
                "correct `feature_map` and `head` in the manifest, or leave them out",
            ));
        }
        let info = NetworkInfo {
            name: manifest.name.clone(),
            classes,
            height,
            width,
            feature_map,
            macs,
            integer_mac_share: share(integer_macs, macs),
        };
        let plan = model.into_runnable().map_err(wrong)?;
        let report = lowered.report;
        Ok(Self { manifest, place, sha256, info, head, no_head, options, report, plan })
    }

    /// The manifest it was loaded with.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// sha256 of the ONNX file, as found.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Facts about the network.
    #[must_use]
    pub const fn info(&self) -> &NetworkInfo {
        &self.info
    }

    /// The choices it was loaded with.
    #[must_use]
    pub const fn options(&self) -> EngineOptions {
        self.options
    }

    /// Instruction set of its integer kernels; none if nothing runs in integers.
    #[must_use]
    pub fn integer_kernels(&self) -> Option<Isa> {
        (self.report.steps > 0).then_some(self.options.isa)
    }

    /// Which parts run in integers.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Weights behind the global average pooling, for GradCAM in closed form.
    ///
    /// # Errors
    /// [`ModelError::Head`] if the network does not end in pooling, optional layer norm and linear layer.
    pub fn head(&self) -> Result<&Head, ModelError> {
        self.head.as_ref().ok_or_else(|| ModelError::Head {
            place: self.place.clone(),
            problem: self.no_head.clone(),
        })
    }
}

/// Multiply-accumulates of one forward pass: all, and those on integers.
fn count_macs(model: &TypedModel) -> Result<(u64, u64), tract_onnx::prelude::TractError> {
    let (mut all, mut integer) = (0_u64, 0_u64);
    for node in model.nodes() {
        let inputs = model.node_input_facts(node.id)?;
        for (cost, count) in node.op.cost(&inputs)? {
            if let Cost::FMA(kind) = cost {
                let count = u64::try_from(count.to_i64()?).unwrap_or(0);
                all += count;
                if kind.is_integer() || kind.is_quantized() {
                    integer += count;
                }
            }
        }
    }
    Ok((all, integer))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The chain of causes on one line.
pub(crate) fn chain(error: &tract_onnx::prelude::TractError) -> String {
    let text = format!("{error:#}").replace('\n', " ");
    // the runtime prints whole nodes, weights included
    let end = text.char_indices().nth(400).map_or(text.len(), |(i, _)| i);
    text[..end].to_owned()
}
