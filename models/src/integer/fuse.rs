//! Moves a table, constants a channel, or an addition into the convolution before it.

use crate::integer::step::{Step, Steps, Sum, Tail, TensorId, Work};

/// Fuses wherever the tensor in between has no other reader. Results do not change: see [`kernels::Epilogue`].
pub(crate) fn fuse(steps: &mut Steps) {
    let uses = steps.uses();
    let mut list: Vec<Option<Step>> =
        std::mem::take(&mut steps.steps).into_iter().map(Some).collect();
    let mut maker = vec![None; uses.len()];
    for at in 0..list.len() {
        let Some(step) = list[at].take() else { continue };
        maker[step.output] = Some(at);
        list[at] = Some(fused(step, &mut list, &maker, &uses));
    }
    steps.steps = list.into_iter().flatten().collect();
}

/// The step, with the product before it taken in if that is possible.
fn fused(step: Step, list: &mut [Option<Step>], maker: &[Option<usize>], uses: &[usize]) -> Step {
    // of two summands, the one made last: the other one is there by then
    let sources = match &step.work {
        Work::Add { a, b, .. } if a != b => {
            let mut both = [(*a, *b), (*b, *a)];
            both.sort_by_key(|(own, _)| std::cmp::Reverse(maker[*own]));
            both.to_vec()
        }
        Work::Table { input, .. } | Work::Affine { input, .. } => vec![(*input, *input)],
        _ => return step,
    };
    for (own, other) in sources {
        let Some(from) = maker[own].filter(|_| uses[own] == 1) else { continue };
        let Some(producer) = list[from].as_ref() else { continue };
        let Some(tail) = merged(&producer.work, &step.work, other) else { continue };
        if let Some(Step { name, work: Work::Product { product, first, .. }, .. }) =
            list[from].take()
        {
            let work = Work::Product { product, first, tail };
            return Step { name, work, output: step.output };
        }
    }
    step
}

/// What follows the product when it takes in the next step.
fn merged(producer: &Work, next: &Work, other: TensorId) -> Option<Tail> {
    let Work::Product { product, first: Some(_), tail } = producer else { return None };
    if tail.table.is_some() || tail.sum.is_some() {
        return None;
    }
    match next {
        Work::Table { table, .. } if tail.affine.is_none() => {
            Some(Tail { table: Some(table.clone()), ..Tail::default() })
        }
        Work::Affine { affine, .. } if tail.affine.is_none() => {
            Some(Tail { affine: Some(affine.clone()), ..Tail::default() })
        }
        Work::Add { result, .. } if !product.depthwise => {
            Some(Tail { sum: Some(Sum { other, result: *result }), ..tail.clone() })
        }
        _ => None,
    }
}
