//! In which order coalitions are valued: neighbours are alike where the plan has such, and a worker takes a run of them.
//!
//! A network that computes by difference gains where successive pictures differ in few super-pixels. The estimator
//! `permutation` draws chains that grow by one player. Every chain that follows is walked from the end that is nearer to
//! where the last one ended, so that a whole plan becomes one walk:
//!
//! ```text
//! all, then chain 1 downwards, none, chain 2 upwards, chain 3 downwards, ...
//! ```
//!
//! Plans of independent coalitions keep their order, and workers take one at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::coalition::Coalition;

/// Super-pixels in which alike coalitions differ at most: one within a chain, two from chain to chain.
const ALIKE: usize = 2;
/// They are at most one in so many, or what they change reaches nearly all of the network.
const FEW: usize = 8;
/// Coalitions of a run at least: its first one is computed as a whole.
const LEAST_RUN: usize = 8;

/// Coalitions in the order in which they are valued, to be taken in runs.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    /// With the position of each among those that were given.
    steps: Vec<(usize, &'a Coalition)>,
    /// How many of them are taken.
    taken: Mutex<usize>,
    workers: usize,
    closed: AtomicBool,
}

/// Whether a picture of one is best computed from that of the other.
fn alike(a: &Coalition, b: &Coalition) -> bool {
    let distance = a.distance(b);
    distance <= ALIKE && distance * FEW <= a.players()
}

impl<'a> Walk<'a> {
    /// A walk through all of these, for so many workers.
    pub(super) fn new(coalitions: &[&'a Coalition], workers: usize) -> Self {
        let mut steps: Vec<(usize, &Coalition)> = Vec::with_capacity(coalitions.len());
        let mut start = 0;
        while start < coalitions.len() {
            let mut end = start + 1;
            while end < coalitions.len() && coalitions[end - 1].distance(coalitions[end]) <= 1 {
                end += 1;
            }
            let last = steps.last().map(|(_, last)| *last);
            let turned = last.is_some_and(|last| {
                last.distance(coalitions[end - 1]) < last.distance(coalitions[start])
            });
            let chain = (start..end).map(|at| (at, coalitions[at]));
            if turned {
                steps.extend(chain.rev());
            } else {
                steps.extend(chain);
            }
            start = end;
        }
        let (taken, closed) = (Mutex::new(0), AtomicBool::new(false));
        Self { steps, taken, workers: workers.max(1), closed }
    }

    /// The next run: coalitions of which each is like the one before. Runs get shorter towards the end, so that all
    /// workers end at about the same time.
    pub(super) fn next(&self) -> Option<&[(usize, &'a Coalition)]> {
        if self.is_closed() {
            return None;
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = &self.steps[*taken..];
        let most = if self.workers == 1 {
            rest.len()
        } else {
            // two thirds of what would be a fair share: a worker that is slower than the others gets less
            (rest.len() * 2 / (3 * self.workers)).max(LEAST_RUN)
        };
        let neighbours = rest.windows(2).take_while(|pair| alike(pair[0].1, pair[1].1));
        let length = (neighbours.take(most.saturating_sub(1)).count() + 1).min(rest.len());
        let run = &rest[..length];
        *taken += length;
        (!run.is_empty()).then_some(run)
    }

    /// Nothing more is to be valued.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Whether nothing more is to be valued.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Number of coalitions.
    pub(super) const fn len(&self) -> usize {
        self.steps.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::estimator::Estimator;
    use crate::attribution::plan::{Grid, Plan};

    fn runs(plan: &Plan, workers: usize) -> Vec<Vec<usize>> {
        let (_, distinct) = plan.distinct();
        let walk = Walk::new(&distinct, workers);
        assert_eq!(walk.len(), distinct.len());
        let mut all = Vec::new();
        while let Some(run) = walk.next() {
            for (position, coalition) in run {
                assert_eq!(distinct[*position], *coalition);
            }
            for pair in run.windows(2) {
                assert!(pair[0].1.distance(pair[1].1) <= ALIKE, "{pair:?}");
            }
            all.push(run.iter().map(|(position, _)| *position).collect());
        }
        let mut seen: Vec<usize> = all.iter().flatten().copied().collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..distinct.len()), "every coalition once");
        all
    }

    #[test]
    fn the_chains_of_a_permutation_plan_are_one_walk() {
        let mut without_gaps = 0;
        for seed in 0..20 {
            let plan = Plan::draw(Estimator::Permutation, Grid::default(), 290, seed).unwrap();
            let whole = runs(&plan, 1);
            // a single super-pixel that two orders begin with is valued once, which leaves a gap
            let gaps = 290 - plan.distinct().1.len();
            assert!(whole.len() <= 1 + gaps, "{whole:?}");
            // all, then the first chain from its larger end
            assert_eq!(whole[0][..2], [0, 49]);
            if whole.len() > 1 {
                continue;
            }
            without_gaps += 1;
            for workers in [2, 3, 16] {
                let shared = runs(&plan, workers);
                let lengths: Vec<usize> = shared.iter().map(Vec::len).collect();
                assert!(lengths.iter().rev().skip(1).all(|l| *l >= LEAST_RUN), "{lengths:?}");
                assert!(lengths[0] <= 290 / workers, "{lengths:?}");
                assert!(lengths.is_sorted_by(|a, b| a >= b), "{lengths:?}");
            }
        }
        assert!(without_gaps > 3, "only {without_gaps} plans were looked at");
    }

    #[test]
    fn independent_coalitions_are_taken_one_at_a_time_in_the_order_of_the_plan() {
        let plan = Plan::draw(Estimator::Leverage, Grid::default(), 300, 1).unwrap();
        let runs = runs(&plan, 2);
        let lengths = runs.iter().map(Vec::len).max();
        assert_eq!(lengths, Some(1));
        assert!(runs.into_iter().flatten().is_sorted());
    }

    #[test]
    fn few_super_pixels_are_never_alike() {
        let plan = Plan::draw(Estimator::Permutation, Grid { rows: 2, columns: 3 }, 40, 1).unwrap();
        assert!(runs(&plan, 1).iter().all(|run| run.len() == 1));
    }

    #[test]
    fn nothing_follows_when_it_is_closed() {
        let plan = Plan::draw(Estimator::Permutation, Grid::default(), 98, 1).unwrap();
        let (_, distinct) = plan.distinct();
        let walk = Walk::new(&distinct, 2);
        assert!(walk.next().is_some() && !walk.is_closed());
        walk.close();
        assert!(walk.next().is_none() && walk.is_closed());
    }
}
