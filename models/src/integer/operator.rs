//! Operators of our own in the runtime: registered for one operator name, found by their number.
//!
//! The runtime builds an operator from a node by a plain function, which has no way to be handed anything else. While a
//! graph is read, the list of operators therefore lies in a variable of the thread ([`with_operators`]), and
//! so do the threads that a session lends to its operators ([`with_threads`]).

use std::cell::RefCell;
use std::sync::Arc;

use kernels::{Isa, Threads};
use tract_onnx::model::ParsingContext;
use tract_onnx::prelude::{DatumType, TDim, TVec, TypedFact, TypedModel};
use tract_onnx::tract_core::ops::Cost;
use tract_onnx::tract_hir::internal::{
    EvalContext, EvalOp, Expansion, InferenceOp, InferenceResult, Op, OutletId, Solver,
    SpecialOps as _, StaticName, TValue, Tensor, TensorProxy, TractResult, TypedOp, as_op, bail,
    expand, format_err, op_as_typed_op, op_out_of_plan, tvec,
};

use crate::integer::layer::{Input, Layer, Result as Out};
use crate::onnx::pb;

/// Name of the nodes that stand for operators of our own.
pub(crate) const OP_TYPE: &str = "RoadgazeInteger";
/// Attribute of such a node: which operator.
pub(crate) const NUMBER: &str = "number";

/// An operator with the shape of its result.
#[derive(Debug)]
pub(crate) struct IntegerOp {
    pub(crate) layer: Layer,
    pub(crate) inputs: usize,
    pub(crate) shape: Vec<usize>,
    /// Whether the result is numbers rather than codes.
    pub(crate) floats: bool,
    pub(crate) isa: Isa,
}

/// The form in which the runtime holds it.
#[derive(Clone, Debug)]
pub(crate) struct Node(pub(crate) Arc<IntegerOp>);

thread_local! {
    static OPERATORS: RefCell<Vec<Arc<IntegerOp>>> = const { RefCell::new(Vec::new()) };
    static THREADS: RefCell<Option<Arc<Threads>>> = const { RefCell::new(None) };
}

/// Has `work` find these operators by their number.
pub(crate) fn with_operators<R>(operators: Vec<Arc<IntegerOp>>, work: impl FnOnce() -> R) -> R {
    let before = OPERATORS.replace(operators);
    let result = work();
    OPERATORS.set(before);
    result
}

/// Lends threads to the operators that run within `work`.
pub(crate) fn with_threads<R>(threads: &Arc<Threads>, work: impl FnOnce() -> R) -> R {
    let before = THREADS.replace(Some(Arc::clone(threads)));
    let result = work();
    THREADS.set(before);
    result
}

/// Makes the runtime know the operators.
pub(crate) fn register(onnx: &mut tract_onnx::Onnx) {
    onnx.op_register.insert(OP_TYPE, from_node);
}

fn from_node(
    _: &ParsingContext<'_>,
    node: &pb::NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let number = node.attribute.iter().find(|a| a.name == NUMBER).map_or(-1, |a| a.i);
    let number = usize::try_from(number)?;
    let operator = OPERATORS.with_borrow(|list| list.get(number).cloned());
    let operator =
        operator.ok_or_else(|| format_err!("{OP_TYPE}: no operator with number {number}"))?;
    Ok((expand(Node(operator)), vec![]))
}

impl Node {
    fn datum_type(&self) -> DatumType {
        if self.0.floats { DatumType::F32 } else { DatumType::U8 }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Node {}

impl Op for Node {
    fn name(&self) -> StaticName {
        self.0.layer.name(self.0.isa).into()
    }

    op_as_typed_op!();
}

impl EvalOp for Node {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let operator = &*self.0;
        if inputs.len() != operator.inputs {
            bail!("expected {} tensors, found {}", operator.inputs, inputs.len());
        }
        let mut output = Tensor::zero_dt(self.datum_type(), &operator.shape)?;
        {
            let views =
                inputs.iter().map(|t| t.try_as_plain_ram()).collect::<TractResult<TVec<_>>>()?;
            let tensors = views
                .iter()
                .zip(&inputs)
                .map(|(view, tensor)| {
                    Ok(match tensor.datum_type() {
                        DatumType::U8 => Input::Codes(view.as_slice::<u8>()?),
                        _ => Input::Numbers(view.as_slice::<f32>()?),
                    })
                })
                .collect::<TractResult<TVec<_>>>()?;
            let mut view = output.try_as_plain_ram_mut()?;
            let out = if operator.floats {
                Out::Numbers(view.as_slice_mut::<f32>()?)
            } else {
                Out::Codes(view.as_slice_mut::<u8>()?)
            };
            let threads = THREADS.with_borrow(Clone::clone);
            let threads = threads.unwrap_or_else(|| Arc::new(Threads::single()));
            operator
                .layer
                .run(operator.isa, &threads, &tensors, out)
                .map_err(|e| format_err!("{}: {e}", operator.layer.name(operator.isa)))?;
        }
        Ok(tvec!(output.into()))
    }
}

impl TypedOp for Node {
    as_op!();

    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(TypedFact::dt_shape(self.datum_type(), &self.0.shape)))
    }

    fn cost(&self, _: &[&TypedFact]) -> TractResult<TVec<(Cost, TDim)>> {
        let macs = TDim::Val(i64::try_from(self.0.layer.macs())?);
        Ok(tvec!((Cost::FMA(DatumType::I8), macs)))
    }
}

impl Expansion for Node {
    fn name(&self) -> StaticName {
        self.0.layer.name(self.0.isa).into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        _: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        solver.equals(&outputs[0].datum_type, self.datum_type())?;
        let shape: TVec<TDim> = self.0.shape.iter().map(|&d| d.into()).collect();
        solver.equals(&outputs[0].shape, shape)
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        model.wire_node(prefix, self.clone(), inputs)
    }
}
