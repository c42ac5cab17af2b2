//! Moves a table, constants a channel, or an addition into the convolution before it.

use crate::integer::step::{Quantized, Step, Steps, Sum, Tail, TensorId, Work};

/// Fuses wherever the tensor in between has no other reader. Results do not change: see [`kernels::Epilogue`].
pub(crate) fn fuse(steps: &mut Steps) {
    let uses = steps.uses();
    let mut list: Vec<Option<Step>> =
        std::mem::take(&mut steps.steps).into_iter().map(Some).collect();
    let mut maker = vec![None; uses.len()];
    for at in 0..list.len() {
        let Some(step) = list[at].clone() else { continue };
        maker[step.output] = Some(at);
        let inner = |id: TensorId| maker[id].filter(|_| uses[id] == 1);
        // of two summands, the one made last: the other one is there by then
        let sources = match &step.work {
            Work::Add { a, b, .. } if a != b => {
                let mut both = [(*a, *b), (*b, *a)];
                both.sort_by_key(|(own, _)| std::cmp::Reverse(maker[*own]));
                both.to_vec()
            }
            Work::Table { input, .. } | Work::Affine { input, .. } => vec![(*input, *input)],
            _ => continue,
        };
        for (own, other) in sources {
            let Some(from) = inner(own) else { continue };
            let Some(producer) = list[from].as_ref() else { continue };
            let Some(work) = merged(&producer.work, &step.work, other) else { continue };
            let name = producer.name.clone();
            list[from] = None;
            list[at] = Some(Step { name, work, output: step.output });
            break;
        }
    }
    steps.steps = list.into_iter().flatten().collect();
}

fn merged(producer: &Work, next: &Work, other: TensorId) -> Option<Work> {
    let Work::Product { product, first: Some(first), tail } = producer else { return None };
    if tail.table.is_some() || tail.sum.is_some() {
        return None;
    }
    let tail = match next {
        Work::Table { table, .. } if tail.affine.is_none() => {
            Tail { table: Some(table.clone()), ..Tail::default() }
        }
        Work::Affine { affine, .. } if tail.affine.is_none() => {
            Tail { affine: Some(affine.clone()), ..Tail::default() }
        }
        Work::Add { result, .. } if !product.depthwise => {
            Tail { sum: Some(Sum { other, result: *result }), ..tail.clone() }
        }
        _ => return None,
    };
    let first: Quantized = *first;
    Some(Work::Product { product: product.clone(), first: Some(first), tail })
}
