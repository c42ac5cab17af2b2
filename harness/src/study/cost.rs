//! What a cell costs, so that time left and shards go by work and not by number of cells.

use super::cell::{Cell, NetworkFacts};
use crate::attribution::Estimator;
use crate::run::{Method, Shard};

/// Milliseconds of a pass of an integer network on two threads: as a whole, and in a chain of coalitions that differ in one
/// super-pixel, where only what changed is computed (docs/kernel-shap.md, "Computing only what changed"). Not measured:
/// `convnext-small`, taken from `convnext-tiny` by multiply-accumulates, 8.7 against 4.5 billion (arXiv 2201.03545, table 1).
const PASSES: [(&str, [f64; 2]); 3] =
    [("resnet50", [5.45, 2.63]), ("convnext-tiny", [8.26, 6.81]), ("convnext-small", [16.0, 13.2])];
/// A pass in floating point against one in integers: measured for `ResNet50` on AVX2, 120 against 50 ms. There is no shorter
/// way for chains.
const FLOAT: f64 = 2.4;

/// Cost of a forward pass as a whole, and of one within a chain of coalitions; a whole one of an integer `ResNet50` is 1.
fn passes(network: &NetworkFacts) -> [f64; 2] {
    let known = PASSES.iter().find(|(architecture, _)| *architecture == network.architecture);
    let [whole, in_chain] = known.map_or(PASSES[0].1, |(_, millis)| *millis);
    let unit = PASSES[0].1[0];
    if network.is_integer() { [whole / unit, in_chain / unit] } else { [FLOAT * whole / unit; 2] }
}

impl Cell {
    /// Cost of a frame in forward passes of an integer `ResNet50`, on as many threads as evaluate coalitions.
    #[must_use]
    pub fn cost_of_frame(&self, threads: usize) -> f64 {
        if self.import.is_some() {
            return 0.0;
        }
        let [whole, in_chain] = passes(&self.network);
        let shap = &self.plan.shap;
        let coalition = if shap.estimator == Estimator::Permutation { in_chain } else { whole };
        match self.plan.attribute.first() {
            Some(Method::KernelShap) => {
                whole + coalition * shap.evaluations as f64 / threads.max(1) as f64
            }
            _ => whole,
        }
    }

    /// Cost of the whole cell on one thread: the same on every machine, so that shards are.
    fn cost(&self) -> f64 {
        self.plan.frames as f64 * self.cost_of_frame(1)
    }
}

/// The cells of a shard: longest first, each to the shard with the least to do, so that all end at about the same time. The
/// order within a shard stays that of the plan.
#[must_use]
pub fn shard(cells: Vec<Cell>, shard: Option<Shard>) -> Vec<Cell> {
    let Some(shard) = shard else { return cells };
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by(|&a, &b| cells[b].cost().total_cmp(&cells[a].cost()).then(a.cmp(&b)));
    let parts = usize::try_from(shard.of).unwrap_or(1);
    let mine = usize::try_from(shard.number - 1).unwrap_or(0);
    let mut load = vec![0.0_f64; parts];
    let mut owner = vec![0; cells.len()];
    for i in order {
        let least = (0..parts).min_by(|&a, &b| load[a].total_cmp(&load[b])).unwrap_or(0);
        load[least] += cells[i].cost();
        owner[i] = least;
    }
    cells.into_iter().zip(owner).filter(|(_, o)| *o == mine).map(|(cell, _)| cell).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cell::cells;
    use super::super::plan::StudyPlan;
    use super::*;

    const PLAN: &str = "title = 't'\n[[network]]\nname = 'nobody'\narchitecture = 'resnet50'\ntrain = 'CF'\nprecision = 'f32'\n\
        [method.cam]\nattribute = 'gradcam'\n[method.shap]\nattribute = 'kernel-shap'\nshap = { evaluations = 98 }\n\
        [[grid]]\nmethods = ['cam', 'shap']\ndata = ['CF', 'synthetic:UF/test']\nframes = 8\n\
        [[import]]\nrun = 'there'\ndata = 'CF'\nmethod = 'shap'\nnetwork = { name = 'other' }\n";

    #[test]
    fn coalitions_of_a_convnext_cost_what_was_measured() {
        let cost = |network: &str, precision: &str, estimator: &str| {
            let method =
                format!("'kernel-shap'\nshap = {{ estimator = '{estimator}', evaluations = 962 }}");
            let text = PLAN
                .replace("'resnet50'", &format!("'{network}'"))
                .replace("'f32'", &format!("'{precision}'"))
                .replace("'kernel-shap'\nshap = { evaluations = 98 }", &method);
            let all = cells(&StudyPlan::parse(&text, "p").unwrap()).unwrap();
            all.iter().find(|c| c.method == "shap").unwrap().cost_of_frame(2)
        };
        let against = |precision: &str, estimator: &str| {
            cost("convnext-tiny", precision, estimator) / cost("resnet50", precision, estimator)
        };
        // by difference, as a whole, in floating point
        assert!((against("int8-qdq", "permutation") - 6.81 / 2.63).abs() < 0.01);
        assert!((against("int8-qdq", "captum") - 8.26 / 5.45).abs() < 1e-9);
        assert!((against("f32", "permutation") - 8.26 / 5.45).abs() < 1e-9);
        let float = cost("resnet50", "f32", "permutation") / cost("resnet50", "int8-qdq", "captum");
        assert!((float - FLOAT).abs() < 1e-9, "{float}");
        assert!(
            (cost("unheard-of", "f32", "captum") / cost("resnet50", "f32", "captum") - 1.0).abs()
                < 1e-9
        );
    }

    #[test]
    fn shards_share_all_cells_out_evenly() {
        let all = cells(&StudyPlan::parse(PLAN, "p").unwrap()).unwrap();
        let whole: f64 = all.iter().map(Cell::cost).sum();
        let mut ids = Vec::new();
        for number in 1..=2 {
            let part = shard(all.clone(), Some(Shard { number, of: 2 }));
            let cost: f64 = part.iter().map(Cell::cost).sum();
            assert!((cost / whole - 0.5).abs() < 0.1, "{cost} of {whole}");
            ids.extend(part.into_iter().map(|c| c.id));
        }
        ids.sort();
        let mut wanted: Vec<String> = all.into_iter().map(|c| c.id).collect();
        wanted.sort();
        assert_eq!(ids, wanted);
    }
}
