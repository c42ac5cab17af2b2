//! Runs a graph in f32 and shows the values of named tensors: what calibration looks at.
//!
//! Nothing is lowered to integers here, so that a quantized graph is executed as its nodes say:
//! dequantize, compute in f32, quantize.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::prelude::{
    DatumExt as _, Framework as _, InferenceModelExt as _, IntoRunnable as _, Tensor, TractError,
    TypedModel, TypedRunnableModel, TypedSimpleState, tvec,
};
use tract_onnx::tract_core::plan::SimplePlan;

use crate::classifier::chain;
use crate::error::ModelError;
use crate::onnx::{self, pb};

/// A graph whose outputs are the tensors that were asked for; shared by all threads.
#[derive(Clone, Debug)]
pub struct Probe {
    plan: Arc<TypedRunnableModel>,
    names: Arc<[String]>,
    shapes: Arc<[Vec<usize>]>,
    input: [usize; 4],
    place: String,
}

impl Probe {
    /// Prepares a graph for one picture of `[3, height, width]` and these tensors, in this order.
    ///
    /// # Errors
    /// If the runtime does not know the graph, or a tensor has no fixed shape.
    pub fn new(
        mut proto: pb::ModelProto,
        (height, width): (usize, usize),
        tensors: &[String],
        place: &str,
    ) -> Result<Self, ModelError> {
        let input = [1, 3, height, width];
        let remedy = "export with opset 17, batch 1, and operators that tract 0.23 knows";
        let wrong = |e: TractError| {
            let problem = format!("the runtime cannot run this graph: {}", chain(&e));
            ModelError::graph(place, problem, remedy)
        };
        if let Some(graph) = proto.graph.as_mut() {
            let names: Vec<&str> = tensors.iter().map(String::as_str).collect();
            onnx::set_outputs(graph, &names);
            graph.value_info.clear();
        }
        let build = || -> Result<(TypedModel, Vec<Vec<usize>>), TractError> {
            let model = tract_onnx::onnx()
                .model_for_proto_model(&proto)?
                .with_input_fact(0, f32::fact(input).into())?;
            let mut model = model.into_typed()?.into_decluttered()?;
            model.optimize()?;
            let shapes = (0..tensors.len())
                .map(|position| {
                    let fact = model.output_fact(position)?;
                    Ok(fact.shape.as_concrete().map(<[usize]>::to_vec).unwrap_or_default())
                })
                .collect::<Result<_, TractError>>()?;
            Ok((model, shapes))
        };
        // the runtime asserts on some malformed graphs
        let (model, shapes) = catch_unwind(AssertUnwindSafe(build))
            .map_err(|_panic| {
                ModelError::graph(place, "the runtime gave up on this graph", remedy)
            })?
            .map_err(wrong)?;
        let plan = model.into_runnable().map_err(wrong)?;
        let (names, shapes) = (tensors.into(), shapes.into());
        Ok(Self { plan, names, shapes, input, place: place.to_owned() })
    }

    /// Names of the tensors, in the order in which they are shown.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Their shapes.
    #[must_use]
    pub fn shapes(&self) -> &[Vec<usize>] {
        &self.shapes
    }

    /// A session for one thread.
    ///
    /// # Errors
    /// If the runtime cannot set up its state.
    pub fn session(&self) -> Result<ProbeSession, ModelError> {
        let state = SimplePlan::spawn(&self.plan)
            .map_err(|e| ModelError::run(self.place.clone(), chain(&e)))?;
        Ok(ProbeSession { state, probe: self.clone() })
    }
}

/// One thread's way to run a [`Probe`].
#[derive(Debug)]
pub struct ProbeSession {
    state: TypedSimpleState,
    probe: Probe,
}

impl ProbeSession {
    /// One forward pass; `visit` gets the position and the values of each tensor.
    ///
    /// # Errors
    /// If the input has another length, a tensor does not hold f32, or the runtime fails.
    pub fn run(
        &mut self,
        input: &[f32],
        visit: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), ModelError> {
        let place = &self.probe.place;
        let wrong = |e: TractError| ModelError::run(place.clone(), chain(&e));
        let expected: usize = self.probe.input.iter().product();
        if input.len() != expected {
            return Err(ModelError::mismatch(
                format!("{place}: input"),
                format!("{expected} values for shape {:?}", self.probe.input),
                input.len().to_string(),
                "preprocess the picture as the manifest says",
            ));
        }
        let tensor = Tensor::from_shape(&self.probe.input, input).map_err(wrong)?;
        let outputs = self.state.run(tvec!(tensor.into())).map_err(wrong)?;
        for (position, output) in outputs.iter().enumerate() {
            let view = output.to_plain_array_view::<f32>().map_err(wrong)?;
            match view.as_slice() {
                Some(values) => visit(position, values),
                None => visit(position, &view.iter().copied().collect::<Vec<_>>()),
            }
        }
        Ok(())
    }
}
