//! What a session remembers of the picture before: the output of every operator, so that only cells that can differ
//! are computed anew.
//!
//! ```text
//! codes of the picture: all are computed and compared        ->  cells that differ
//!   ->  through the window of the next operator: cells that can differ there, which are computed, compared and
//!       written into the output of the call before           ->  cells that differ  ->  ...
//! ```
//!
//! It is exact: a cell whose window holds the same codes as before has the same code as before, since sums are integers
//! and what follows them is computed cell by cell. Nothing is assumed about how alike two pictures are. Where most cells can
//! differ, all are computed.
//!
//! Nakandala, Kumar, Papakonstantinou, "Incremental and Approximate Inference for Faster Occlusion-based Deep CNN Explanations"
//! ("Krypton"), SIGMOD 2019. Deviation: there, what is computed is a rectangle that grows from layer to layer, and to cut
//! it off is an approximation. Here cells are told apart one by one, and those whose codes stay the same are left out of
//! what follows, without loss.
//!
//! An operator finds what is known of its inputs by their address: a tensor that is remembered lives, so its address is
//! its own. What was made in another call than the one before counts for nothing.

use std::cell::RefCell;
use std::sync::Arc;

use tract_onnx::prelude::Tensor;
use tract_onnx::tract_hir::internal::{IntoTensor as _, TValue, TractResult};

use crate::integer::changes::Changes;
use crate::integer::operator::IntegerOp;
use crate::integer::patch::Reach;

/// Cells that are computed alone cost at most this share of what all cost, or all are computed: then nothing has to be
/// copied.
const MOST_CELLS: f64 = 0.9;

/// Outputs of the call before, by the number of their operator.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    call: u64,
    results: Vec<Option<Remembered>>,
    work: Work,
}

/// Multiply-accumulates of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Computed in this call.
    pub(crate) done: u64,
    /// Computed if nothing was remembered.
    pub(crate) whole: u64,
}

/// What an operator made.
#[derive(Debug)]
struct Remembered {
    call: u64,
    output: TValue,
    /// Cells that differ from the call before; none if that is not known.
    changes: Option<Changes>,
}

/// Which cells of an output can differ from those of the call before.
enum Stale {
    Nothing,
    /// These: flags, and as a list.
    Cells(Changes, Vec<usize>),
    /// All, or it cannot be told.
    All,
}

thread_local! {
    static MEMORY: RefCell<Option<Memory>> = const { RefCell::new(None) };
}

/// Lends a memory to the operators that run within `work`. It is empty afterwards if that fails.
pub(crate) fn with_memory<R, E>(
    memory: &mut Memory,
    work: impl FnOnce() -> Result<R, E>,
) -> Result<R, E> {
    let mut lent = std::mem::take(memory);
    lent.call += 1;
    lent.work = Work::default();
    let before = MEMORY.replace(Some(lent));
    let result = work();
    let lent = MEMORY.replace(before);
    if result.is_ok() {
        *memory = lent.unwrap_or_default();
    }
    result
}

/// The output of an operator, by what is remembered if anything is lent.
pub(crate) fn eval(operator: &IntegerOp, inputs: &[TValue]) -> TractResult<TValue> {
    // taken out while the operator runs: whatever goes wrong leaves nothing behind
    let Some(mut memory) = MEMORY.take() else {
        return Ok(operator.compute(inputs)?.into());
    };
    let output = memory.eval(operator, inputs)?;
    MEMORY.set(Some(memory));
    Ok(output)
}

impl Memory {
    /// Multiply-accumulates of the last call, those of operators that are not ours left out.
    pub(crate) const fn work(&self) -> Work {
        self.work
    }

    fn eval(&mut self, operator: &IntegerOp, inputs: &[TValue]) -> TractResult<TValue> {
        let number = operator.number;
        if self.results.len() <= number {
            self.results.resize_with(number + 1, || None);
        }
        let last = self.call - 1;
        let before = self.results[number].take().filter(|r| r.call == last);
        let stale = if before.is_some() { self.stale(operator, inputs) } else { Stale::All };
        let macs = u64::try_from(operator.layer.macs())?;
        self.work.whole += macs;
        let (output, changes) = match (before, stale) {
            (Some(before), Stale::Nothing) => (before.output, Some(Changes::none(operator.cells))),
            (Some(before), Stale::Cells(stale, cells)) => {
                let (some, all) = (u64::try_from(cells.len())?, u64::try_from(stale.size())?);
                self.work.done += macs * some / all;
                // no copy: nobody else holds the output of a call that is over
                let mut output = before.output.into_tensor();
                let changes = operator.compute_cells(inputs, (&stale, &cells), &mut output)?;
                (output.into(), changes)
            }
            (before, _) => {
                self.work.done += macs;
                let output = operator.compute(inputs)?;
                let before = before.filter(|_| !operator.floats);
                let changes = before.map(|b| between(operator, &b.output, &output)).transpose()?;
                (output.into(), changes)
            }
        };
        let call = self.call;
        let kept = Remembered { call, output: TValue::clone(&output), changes };
        self.results[number] = Some(kept);
        Ok(output)
    }

    /// Which cells of the output can differ.
    fn stale(&self, operator: &IntegerOp, inputs: &[TValue]) -> Stale {
        let mut all = Changes::none(operator.cells);
        for (position, input) in inputs.iter().enumerate() {
            let Some(changes) = self.changes_of(input) else { return Stale::All };
            if changes.is_empty() {
                continue;
            }
            let reached = match operator.layer.reach() {
                Some(Reach::Window(window)) if position == 0 => &changes.through(window),
                Some(_) => changes,
                None => return Stale::All,
            };
            if reached.size() != all.size() {
                return Stale::All;
            }
            all.add(reached);
        }
        if operator.layer.needs_rectangle() {
            all.fill_rectangle();
        }
        let cells = all.cells();
        let whole = operator.layer.whole_in_cells(operator.isa, all.size());
        match as_share(cells.len(), whole) {
            0.0 => Stale::Nothing,
            share if share <= MOST_CELLS && operator.runs_in_cells() => Stale::Cells(all, cells),
            _ => Stale::All,
        }
    }

    /// What is known of a tensor that an operator has made in this call.
    fn changes_of(&self, tensor: &TValue) -> Option<&Changes> {
        let address = tensor.as_arc_tensor().map(Arc::as_ptr)?;
        self.results
            .iter()
            .flatten()
            .find(|r| r.output.as_arc_tensor().map(Arc::as_ptr) == Some(address))
            .filter(|r| r.call == self.call)?
            .changes
            .as_ref()
    }
}

/// Cells in which two outputs of an operator differ.
fn between(operator: &IntegerOp, before: &Tensor, now: &Tensor) -> TractResult<Changes> {
    let (before, now) = (before.try_as_plain_ram()?, now.try_as_plain_ram()?);
    Ok(Changes::between(operator.cells, before.as_slice::<u8>()?, now.as_slice::<u8>()?))
}

#[expect(clippy::cast_precision_loss, reason = "cells of a picture are far below 2^53")]
fn as_share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use kernels::Quantization;
    use kernels::layout::Window;
    use tract_onnx::tract_hir::internal::bail;

    use super::*;
    use crate::engine::Isa;
    use crate::integer::layer::Layer;

    fn operator(number: usize, layer: Layer, channels: usize) -> IntegerOp {
        let shape = vec![1, 4, 4, channels];
        let (cells, floats, isa) = ([4, 4], false, Isa::SCALAR);
        IntegerOp { number, layer, inputs: 1, shape, cells, floats, isa }
    }

    /// Codes of a picture, then the largest of 3 x 3.
    fn graph() -> [IntegerOp; 2] {
        let quantization = Quantization::new(1.0, 0).unwrap();
        let window = Window {
            height: 4,
            width: 4,
            channels: 3,
            kernel: [3, 3],
            stride: [1, 1],
            pads: [1; 4],
        };
        [
            operator(0, Layer::Quantize { channels: 3, quantization }, 3),
            operator(1, Layer::MaxPool { window }, 3),
        ]
    }

    fn run(graph: &[IntegerOp], picture: &[f32]) -> TractResult<Vec<u8>> {
        let mut value = Tensor::from_shape(&[1, 3, 4, 4], picture)?.into();
        for operator in graph {
            value = eval(operator, &[value])?;
        }
        Ok(value.try_as_plain_ram()?.as_slice::<u8>()?.to_vec())
    }

    fn picture(seed: u8) -> Vec<f32> {
        (0..48_u8).map(|i| f32::from(i.wrapping_mul(37).wrapping_add(seed) % 200)).collect()
    }

    fn marks(memory: &Memory, number: usize) -> Option<Vec<usize>> {
        memory.results[number].as_ref().unwrap().changes.as_ref().map(Changes::cells)
    }

    #[test]
    fn what_did_not_change_is_not_computed_and_the_codes_are_the_same() {
        let (graph, mut memory) = (graph(), Memory::default());
        let mut first = picture(1);
        assert_eq!(
            with_memory(&mut memory, || run(&graph, &first)).unwrap(),
            run(&graph, &first).unwrap()
        );
        assert_eq!(marks(&memory, 0), None, "nothing is known of a first call");
        with_memory(&mut memory, || run(&graph, &first)).unwrap();
        assert_eq!((marks(&memory, 0), marks(&memory, 1)), (Some(vec![]), Some(vec![])));
        // the cell in the upper left corner becomes the largest of the four windows around it
        first[16] = 255.0;
        let found = with_memory(&mut memory, || run(&graph, &first)).unwrap();
        assert_eq!(found, run(&graph, &first).unwrap());
        assert_eq!(marks(&memory, 0), Some(vec![0]));
        assert_eq!(marks(&memory, 1), Some(vec![0, 1, 4, 5]));
        // below the largest: the codes of the picture change, those behind the pool do not
        first[17] += 1.0;
        let found = with_memory(&mut memory, || run(&graph, &first)).unwrap();
        assert_eq!(found, run(&graph, &first).unwrap());
        assert_eq!(marks(&memory, 0), Some(vec![1]));
        let reached = marks(&memory, 1).unwrap();
        assert!(reached.len() < 6 && !reached.contains(&0), "{reached:?}");
    }

    #[test]
    fn a_call_that_fails_or_panics_clears_the_memory() {
        let graph = graph();
        let fresh = || {
            let mut memory = Memory::default();
            with_memory(&mut memory, || run(&graph, &picture(1))).unwrap();
            assert!(!memory.results.is_empty(), "something is remembered");
            memory
        };
        let mut memory = fresh();
        let half = || -> TractResult<Vec<u8>> {
            run(&graph[..1], &picture(2))?;
            bail!("the second operator failed");
        };
        with_memory(&mut memory, half).unwrap_err();
        assert!(memory.results.is_empty());
        let mut memory = fresh();
        let wrong = || run(&graph[1..], &picture(2));
        with_memory(&mut memory, wrong).unwrap_err();
        assert!(memory.results.is_empty());
        let mut memory = fresh();
        let panics = std::panic::AssertUnwindSafe(|| {
            with_memory(&mut memory, || -> TractResult<()> { panic!("in the middle") })
        });
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(memory.results.is_empty());
        let third = picture(3);
        let found = with_memory(&mut memory, || run(&graph, &third)).unwrap();
        assert_eq!(found, run(&graph, &third).unwrap());
    }

    #[test]
    fn a_result_of_an_earlier_call_counts_for_nothing() {
        let (graph, mut memory) = (graph(), Memory::default());
        with_memory(&mut memory, || run(&graph, &picture(1))).unwrap();
        // the pool is left out once: what it remembers is of another picture than what its input remembers
        with_memory(&mut memory, || run(&graph[..1], &picture(2))).unwrap();
        let found = with_memory(&mut memory, || run(&graph, &picture(2))).unwrap();
        assert_eq!(found, run(&graph, &picture(2)).unwrap());
        assert_eq!((marks(&memory, 0), marks(&memory, 1)), (Some(vec![]), None));
    }
}
