//! A loaded network and its per-thread sessions.
//!
//! The graph is optimized once for one concrete shape (batch 1: the runtime is slower per image at
//! any larger batch) and shared; a [`Session`] adds the scratch state of one thread, and what calls by difference remember.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kernels::{Isa, Threads};
use tract_onnx::prelude::{
    DatumExt as _, Framework as _, InferenceModelExt as _, IntoRunnable as _, Tensor, TypedModel,
    TypedRunnableModel, TypedSimpleState, tvec,
};
use tract_onnx::tract_core::ops::Cost;
use tract_onnx::tract_core::plan::{SimplePlan, eval};

use crate::engine::{EngineOptions, LayerProfile, Report, median_ms};
use crate::error::ModelError;
use crate::head::Head;
use crate::identity;
use crate::integer::memory::{self, Memory, Work};
use crate::integer::{self, has_quantized_operators, operator};
use crate::manifest::Manifest;
use crate::onnx::{self, OnnxFile};
use crate::prediction::{Classifier, FeatureMap, NetworkInfo, Prediction};
use crate::topology::Topology;
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

    /// A session for one thread.
    ///
    /// # Errors
    /// If the runtime cannot set up its state.
    pub fn session(&self) -> Result<Session, ModelError> {
        self.session_with_threads(1)
    }

    /// A session whose integer operators share their work among so many threads, the caller among them. Where
    /// several sessions run side by side, one thread each is faster.
    ///
    /// # Errors
    /// As [`Network::session`].
    pub fn session_with_threads(&self, threads: usize) -> Result<Session, ModelError> {
        let state = SimplePlan::spawn(&self.plan)
            .map_err(|e| ModelError::run(self.place.clone(), chain(&e)))?;
        let threads = Arc::new(Threads::new(threads.max(1)));
        let (info, place) = (self.info.clone(), self.place.clone());
        Ok(Session { state, threads, memory: Memory::default(), info, place })
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

/// What a caller asks of a forward pass.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    feature_map: bool,
    by_difference: bool,
}

/// One thread's way to run a [`Network`].
#[derive(Debug)]
pub struct Session {
    state: TypedSimpleState,
    threads: Arc<Threads>,
    /// Outputs of the operators at the last call by difference.
    memory: Memory,
    info: NetworkInfo,
    place: String,
}

impl Session {
    fn outputs(&mut self, input: &[f32], wanted: Wanted) -> Result<Prediction, ModelError> {
        let shape = [1, 3, self.info.height, self.info.width];
        let expected = shape.iter().product::<usize>();
        if input.len() != expected {
            return Err(ModelError::mismatch(
                format!("{}: input", self.place),
                format!("{expected} values for shape {shape:?}"),
                input.len().to_string(),
                "preprocess the picture as the manifest says",
            ));
        }
        let place = &self.place;
        let wrong = |e: tract_onnx::prelude::TractError| ModelError::run(place.clone(), chain(&e));
        let tensor = Tensor::from_shape(&shape, input).map_err(wrong)?;
        let state = &mut self.state;
        let run = || operator::with_threads(&self.threads, || state.run(tvec!(tensor.into())));
        let outputs =
            if wanted.by_difference { memory::with_memory(&mut self.memory, run) } else { run() };
        let outputs = outputs.map_err(wrong)?;
        let values = |position: usize| -> Result<Vec<f32>, ModelError> {
            let tensor = outputs.get(position).ok_or_else(|| {
                ModelError::run(place.clone(), format!("output {position} missing"))
            })?;
            let view = tensor.to_plain_array_view::<f32>().map_err(wrong)?;
            Ok(view.as_slice().map_or_else(|| view.iter().copied().collect(), <[f32]>::to_vec))
        };
        let logits = values(0)?;
        if let Some(position) = logits.iter().position(|v| !v.is_finite()) {
            let problem =
                format!("logit of class {position}: expected a number, found {}", logits[position]);
            return Err(ModelError::run(place.clone(), problem));
        }
        let feature_map = match self.info.feature_map.filter(|_| wanted.feature_map) {
            Some([channels, height, width]) => {
                Some(FeatureMap { channels, height, width, data: values(1)? })
            }
            None => None,
        };
        Ok(Prediction { logits, feature_map })
    }
}

impl Session {
    /// [`Classifier::run`], computed by difference as [`Classifier::logits_by_difference`] does.
    ///
    /// # Errors
    /// As [`Classifier::run`].
    pub fn run_by_difference(&mut self, input: &[f32]) -> Result<Prediction, ModelError> {
        self.outputs(input, Wanted { feature_map: true, by_difference: true })
    }

    /// Share of the multiply-accumulates in integers that the last call by difference did not have to do, 0 to 1.
    #[must_use]
    pub fn reused(&self) -> f64 {
        let Work { done, whole } = self.memory.work();
        share(whole.saturating_sub(done), whole)
    }

    /// Time and work of every layer over `repeats` passes; `now` reads a monotonic clock.
    ///
    /// # Errors
    /// As [`Classifier::run`].
    pub fn profile(
        &mut self,
        input: &[f32],
        repeats: usize,
        now: &dyn Fn() -> Duration,
    ) -> Result<Vec<LayerProfile>, ModelError> {
        self.run(input)?;
        let shape = [1, 3, self.info.height, self.info.width];
        let place = self.place.clone();
        let wrong = |e: tract_onnx::prelude::TractError| ModelError::run(place.clone(), chain(&e));
        let mut times: BTreeMap<usize, Vec<Duration>> = BTreeMap::new();
        for _ in 0..repeats.max(1) {
            let tensor = Tensor::from_shape(&shape, input).map_err(wrong)?;
            let state = &mut self.state;
            operator::with_threads(&self.threads, || {
                state.run_plan_with_eval(tvec!(tensor.into()), |context, state, node, inputs| {
                    let start = now();
                    let result = eval(context, state, node, inputs);
                    times.entry(node.id).or_default().push(now().saturating_sub(start));
                    result
                })
            })
            .map_err(wrong)?;
        }
        let model = self.state.model();
        times
            .into_iter()
            .map(|(id, mut times)| {
                let node = model.node(id);
                let inputs = model.node_input_facts(id).map_err(wrong)?;
                let (mut macs, mut is_integer) = (0, node.op_is::<operator::Node>());
                for (cost, count) in node.op.cost(&inputs).map_err(wrong)? {
                    if let Cost::FMA(kind) = cost {
                        macs += u64::try_from(count.to_i64().unwrap_or(0)).unwrap_or(0);
                        is_integer |= kind.is_integer() || kind.is_quantized();
                    }
                }
                Ok(LayerProfile {
                    name: node.name.clone(),
                    kernel: node.op.name().into_owned(),
                    ms: median_ms(&mut times),
                    macs,
                    is_integer,
                })
            })
            .collect()
    }
}

impl Classifier for Session {
    fn info(&self) -> &NetworkInfo {
        &self.info
    }

    fn run(&mut self, input: &[f32]) -> Result<Prediction, ModelError> {
        self.outputs(input, Wanted { feature_map: true, by_difference: false })
    }

    fn logits(&mut self, input: &[f32]) -> Result<Vec<f32>, ModelError> {
        Ok(self.outputs(input, Wanted::default())?.logits)
    }

    fn logits_by_difference(&mut self, input: &[f32]) -> Result<Vec<f32>, ModelError> {
        let wanted = Wanted { feature_map: false, by_difference: true };
        Ok(self.outputs(input, wanted)?.logits)
    }
}

type TapAndHead = (Option<String>, Option<Head>, String);

/// Feature map and head by the names in the manifest, and what it does not name found in the graph; without them the
/// reason is kept, since everything but GradCAM still works.
fn tap_and_head(
    manifest: &Manifest,
    graph: &onnx::pb::GraphProto,
    place: &str,
) -> Result<TapAndHead, ModelError> {
    let topology = Topology::new(graph);
    let wrong = |expected: String, found: &str, remedy: &str| {
        Err(ModelError::mismatch(format!("{place}: feature_map"), expected, found, remedy))
    };
    let tap = manifest.feature_map.as_deref();
    if let Some(tap) = tap.filter(|tap| !topology.has_tensor(tap)) {
        return wrong(
            format!("a tensor `{tap}` as the manifest says"),
            "none of this name",
            "correct `feature_map` in the manifest, or leave it out to have it found",
        );
    }
    let named = manifest.head.as_ref().map(|names| topology.named(names, place)).transpose()?;
    if tap.is_some() && named.is_some() {
        return Ok((tap.map(str::to_owned), named, String::new()));
    }
    match topology.find(place) {
        // the head that was found says nothing of a tensor that its pooling does not read
        Ok(found) if tap.is_some_and(|tap| tap != found.feature_map) => wrong(
            format!("`{}`, which the pooling before the head reads", found.feature_map),
            tap.unwrap_or_default(),
            "correct it in the manifest, leave it out, or name `head` too",
        ),
        Ok(found) => Ok((Some(found.feature_map), named.or(Some(found.head)), String::new())),
        Err(ModelError::Head { problem, .. }) => {
            let named = match (tap, named) {
                (Some(_), _) => "`feature_map` alone is named in the manifest; in the graph: ",
                (_, Some(_)) => "`head` alone is named in the manifest; in the graph: ",
                _ => "",
            };
            Ok((None, None, format!("{named}{problem}")))
        }
        Err(other) => Err(other),
    }
}

fn check_input(
    manifest: &Manifest,
    graph: &onnx::pb::GraphProto,
    place: &str,
) -> Result<(), ModelError> {
    let input = onnx::data_input(graph).ok_or_else(|| {
        let problem = "expected one input, found none or several";
        ModelError::graph(place, problem, "export the network with the picture as its only input")
    })?;
    let expected = [1, 3, manifest.input.height, manifest.input.width];
    let Some(found) = onnx::shape(input) else { return Ok(()) };
    let agrees = found.len() == 4
        && found.iter().zip(expected).all(|(have, want)| have.is_none_or(|have| have == want));
    if agrees {
        return Ok(());
    }
    Err(ModelError::mismatch(
        format!("{place}: input `{}`", input.name),
        format!("shape {expected:?} as the manifest says"),
        format!("{found:?}"),
        "correct width and height in the manifest, or export with batch 1 and 3 channels",
    ))
}

fn output_shape(
    model: &TypedModel,
    position: usize,
) -> Result<Vec<usize>, tract_onnx::prelude::TractError> {
    let fact = model.output_fact(position)?;
    Ok(fact.shape.as_concrete().map(<[usize]>::to_vec).unwrap_or_default())
}

type Shaped = Result<[usize; 3], ModelError>;

fn feature_shape(
    model: &TypedModel,
    place: &str,
) -> Result<Shaped, tract_onnx::prelude::TractError> {
    let shape = output_shape(model, 1)?;
    Ok(match shape[..] {
        [1, channels, height, width] => Ok([channels, height, width]),
        _ => Err(ModelError::mismatch(
            format!("{place}: feature_map"),
            "shape [1, channels, height, width]",
            format!("{shape:?}"),
            "correct `feature_map` in the manifest, or leave it out to have it found",
        )),
    })
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
