//! Operators of our own in the runtime: registered for one operator name, found by their number.
//!
//! The runtime builds an operator from a node by a plain function, which has no way to be handed anything else. While a
//! graph is read, the list of operators therefore lies in a variable of the thread ([`with_operators`]), and
//! so do the threads that a session lends to its operators ([`with_threads`]).

use std::cell::RefCell;
use std::sync::Arc;

use kernels::{Isa, Threads, with_scratch};
use tract_onnx::model::ParsingContext;
use tract_onnx::prelude::{DatumType, TDim, TVec, TractError, TypedFact, TypedModel};
use tract_onnx::tract_core::ops::Cost;
use tract_onnx::tract_hir::internal::{
    EvalContext, EvalOp, Expansion, InferenceOp, InferenceResult, Op, OutletId, Solver,
    SpecialOps as _, StaticName, TValue, Tensor, TensorProxy, TractResult, TypedOp, as_op, bail,
    expand, format_err, op_as_typed_op, op_out_of_plan, tvec,
};

use crate::integer::changes::Changes;
use crate::integer::layer::{Input, Layer, Result as Out, Wrong};
use crate::integer::memory;
use crate::onnx::pb;

/// Name of the nodes that stand for operators of our own.
pub(crate) const OP_TYPE: &str = "RoadgazeInteger";
/// Attribute of such a node: which operator.
pub(crate) const NUMBER: &str = "number";

/// An operator with the shape of its result.
#[derive(Debug)]
pub(crate) struct IntegerOp {
    /// Its position among those of the graph.
    pub(crate) number: usize,
    pub(crate) layer: Layer,
    pub(crate) inputs: usize,
    pub(crate) shape: Vec<usize>,
    /// Rows and columns of the picture that the result is.
    pub(crate) cells: [usize; 2],
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

impl IntegerOp {
    const fn datum_type(&self) -> DatumType {
        if self.floats { DatumType::F32 } else { DatumType::U8 }
    }

    /// The whole result.
    pub(crate) fn compute(&self, inputs: &[TValue]) -> TractResult<Tensor> {
        let mut output = Tensor::zero_dt(self.datum_type(), &self.shape)?;
        self.with_inputs(inputs, |threads, tensors| {
            let mut view = output.try_as_plain_ram_mut()?;
            let out = if self.floats {
                Out::Numbers(view.as_slice_mut::<f32>()?)
            } else {
                Out::Codes(view.as_slice_mut::<u8>()?)
            };
            self.layer.run(self.isa, threads, tensors, out).map_err(|e| self.wrong(&e))
        })?;
        Ok(output)
    }

    /// Whether single cells can be computed: of numbers, only where they are codes read as numbers.
    pub(crate) const fn runs_in_cells(&self) -> bool {
        !self.floats || matches!(self.layer, Layer::Dequantize { .. })
    }

    /// Computes the marked cells (flags, and as a list) of a result anew and writes them where they differ. Tells where
    /// that was, unless the result is numbers.
    pub(crate) fn compute_cells(
        &self,
        inputs: &[TValue],
        (marked, cells): (&Changes, &[usize]),
        output: &mut Tensor,
    ) -> TractResult<Option<Changes>> {
        let mut view = output.try_as_plain_ram_mut()?;
        if self.floats {
            let numbers = view.as_slice_mut::<f32>()?;
            self.with_inputs(inputs, |_, tensors| {
                self.layer.run_numbers(tensors, cells, numbers).map_err(|e| self.wrong(&e))
            })?;
            return Ok(None);
        }
        let codes = view.as_slice_mut::<u8>()?;
        let channels = codes.len() / marked.size().max(1);
        let mut changes = Changes::none(self.cells);
        with_scratch(cells.len() * channels, |fresh| {
            self.with_inputs(inputs, |threads, tensors| {
                self.layer
                    .run_cells(self.isa, threads, tensors, (marked, cells), fresh)
                    .map_err(|e| self.wrong(&e))
            })?;
            for (&cell, fresh) in cells.iter().zip(fresh.chunks_exact(channels.max(1))) {
                let codes = &mut codes[cell * channels..][..channels];
                if codes != fresh {
                    codes.copy_from_slice(fresh);
                    changes.mark(cell);
                }
            }
            Ok(Some(changes))
        })
    }

    /// Hands `work` the threads that are lent and the tensors that go in.
    fn with_inputs(
        &self,
        inputs: &[TValue],
        work: impl FnOnce(&Threads, &[Input<'_>]) -> TractResult<()>,
    ) -> TractResult<()> {
        if inputs.len() != self.inputs {
            bail!("expected {} tensors, found {}", self.inputs, inputs.len());
        }
        let views =
            inputs.iter().map(|t| t.try_as_plain_ram()).collect::<TractResult<TVec<_>>>()?;
        let tensors = views
            .iter()
            .zip(inputs)
            .map(|(view, tensor)| {
                Ok(match tensor.datum_type() {
                    DatumType::U8 => Input::Codes(view.as_slice::<u8>()?),
                    _ => Input::Numbers(view.as_slice::<f32>()?),
                })
            })
            .collect::<TractResult<TVec<_>>>()?;
        let threads = THREADS.with_borrow(Clone::clone);
        let threads = threads.unwrap_or_else(|| Arc::new(Threads::single()));
        work(&threads, &tensors)
    }

    fn wrong(&self, problem: &Wrong) -> TractError {
        format_err!("{}: {problem}", self.layer.name(self.isa))
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
        Ok(tvec!(memory::eval(&self.0, &inputs)?))
    }
}

impl TypedOp for Node {
    as_op!();

    fn output_facts(&self, _: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(TypedFact::dt_shape(self.0.datum_type(), &self.0.shape)))
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
        solver.equals(&outputs[0].datum_type, self.0.datum_type())?;
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
