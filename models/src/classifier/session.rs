//! One thread's way to run a network: forward passes, whole or by difference, and the time of every layer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernels::Threads;
use tract_onnx::prelude::{Tensor, TypedSimpleState, tvec};
use tract_onnx::tract_core::ops::Cost;
use tract_onnx::tract_core::plan::{SimplePlan, eval};

use super::{Network, chain, share};
use crate::engine::{LayerProfile, median_ms};
use crate::error::ModelError;
use crate::integer::memory::{self, Memory, Work};
use crate::integer::operator;
use crate::prediction::{Classifier, FeatureMap, NetworkInfo, Prediction};

impl Network {
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
