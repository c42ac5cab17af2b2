//! A game: a number for every coalition; and its evaluation along a plan on several threads.

use super::coalition::Coalition;
use super::error::AttributionError;
use super::plan::Plan;
use super::walk::Walk;

/// One thread's way to value coalitions.
pub trait Game: Send {
    /// The value of a coalition: an output of the network with all other super-pixels masked.
    ///
    /// # Errors
    /// If the network fails.
    fn value(&mut self, coalition: &Coalition) -> Result<f64, AttributionError>;

    /// So many coalitions are valued next of which each is like the one before.
    fn begin_run(&mut self, _coalitions: usize) {}
}

impl<F: FnMut(&Coalition) -> f64 + Send> Game for F {
    fn value(&mut self, coalition: &Coalition) -> Result<f64, AttributionError> {
        Ok(self(coalition))
    }
}

/// Values the coalitions of a plan, from its beginning on; none twice.
///
/// Values are put in the order of the plan before anything is summed, so results are the same bits
/// for every number of workers. Memory: 24 bytes an evaluation beside the plan and the workers.
#[derive(Debug)]
pub struct Evaluator<'a> {
    /// For every coalition of the plan its position among the distinct ones.
    positions: Vec<usize>,
    distinct: Vec<&'a Coalition>,
    /// Values of the first distinct coalitions.
    known: Vec<f64>,
    /// Values of the first coalitions of the plan.
    values: Vec<f64>,
}

impl<'a> Evaluator<'a> {
    /// Nothing is valued yet.
    #[must_use]
    pub fn new(plan: &'a Plan) -> Self {
        let (positions, distinct) = plan.distinct();
        Self { positions, distinct, known: Vec::new(), values: Vec::new() }
    }

    /// One value a coalition, in the order of the plan, repeats included.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Number of values that had to be computed: repeats cost nothing.
    #[must_use]
    pub const fn forwards(&self) -> usize {
        self.known.len()
    }

    /// Values the plan as far as its first `length` coalitions, spread over as many threads as there are workers.
    ///
    /// # Errors
    /// The first error of a worker, or [`AttributionError::Worker`] if there is none or one panicked.
    pub fn extend<G: Game>(
        &mut self,
        length: usize,
        workers: &mut [G],
    ) -> Result<(), AttributionError> {
        let length = length.min(self.positions.len());
        // distinct coalitions are numbered by their first occurrence
        let needed = self.positions[..length].iter().max().map_or(0, |top| top + 1);
        let start = self.known.len();
        let walk = Walk::new(&self.distinct[start.min(needed)..needed], workers.len());
        let parts: Vec<Part> = match workers {
            [only] => vec![work(only, &walk)],
            _ => crossbeam_utils::thread::scope(|scope| {
                let handles: Vec<_> =
                    workers.iter_mut().map(|worker| scope.spawn(|_| work(worker, &walk))).collect();
                let lost = |_| Err(AttributionError::Worker);
                handles.into_iter().map(|handle| handle.join().unwrap_or_else(lost)).collect()
            })
            .unwrap_or_default(),
        };
        let mut values = vec![None; walk.len()];
        for part in parts {
            for (position, value) in part? {
                values[position] = Some(value);
            }
        }
        for value in values {
            self.known.push(value.ok_or(AttributionError::Worker)?);
        }
        let ready = self.values.len();
        let more = self.positions[ready.min(length)..length].iter().map(|&p| self.known[p]);
        self.values.extend(more);
        Ok(())
    }
}

type Part = Result<Vec<(usize, f64)>, AttributionError>;

fn work<G: Game>(worker: &mut G, walk: &Walk<'_>) -> Part {
    let mut done = Vec::new();
    while let Some(run) = walk.next() {
        worker.begin_run(run.len());
        for &(position, coalition) in run {
            if walk.is_closed() {
                return Ok(done);
            }
            match finite(worker.value(coalition)) {
                Ok(value) => done.push((position, value)),
                Err(error) => {
                    // the others stop at their next coalition
                    walk.close();
                    return Err(error);
                }
            }
        }
    }
    Ok(done)
}

fn finite(value: Result<f64, AttributionError>) -> Result<f64, AttributionError> {
    let value = value?;
    if value.is_finite() {
        return Ok(value);
    }
    Err(AttributionError::mismatch(
        "explanation",
        "a finite output of the network",
        value.to_string(),
        "check the network: it overflows on masked pictures",
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::attribution::estimator::Estimator;
    use crate::attribution::plan::Grid;

    fn evaluate<G: Game>(plan: &Plan, workers: &mut [G]) -> Result<Vec<f64>, AttributionError> {
        let mut evaluator = Evaluator::new(plan);
        // in two steps, as an early stop does
        evaluator.extend(100, workers)?;
        evaluator.extend(plan.coalitions().len(), workers)?;
        assert_eq!(evaluator.forwards(), plan.distinct().1.len());
        Ok(evaluator.values)
    }

    #[test]
    fn every_distinct_coalition_is_valued_once_whatever_the_threads() {
        let plan = Plan::draw(Estimator::Captum, Grid::default(), 300, 5).unwrap();
        let game = |c: &Coalition| c.members().map(|i| (i * i) as f64).sum::<f64>().sqrt();
        let reference = evaluate(&plan, &mut [game]).unwrap();
        assert_eq!(reference, plan.coalitions().iter().map(game).collect::<Vec<_>>());
        for threads in 2..5 {
            let calls = AtomicUsize::new(0);
            let counted = |c: &Coalition| {
                calls.fetch_add(1, Ordering::Relaxed);
                game(c)
            };
            let mut workers = vec![counted; threads];
            assert_eq!(evaluate(&plan, &mut workers).unwrap(), reference);
            assert_eq!(calls.load(Ordering::Relaxed), plan.distinct().1.len());
        }
    }

    #[test]
    fn an_error_of_one_worker_ends_the_evaluation() {
        let plan = Plan::draw(Estimator::Captum, Grid::default(), 300, 5).unwrap();
        let bad = |c: &Coalition| if c.size() == 1 { f64::NAN } else { 0.0 };
        let error = evaluate(&plan, &mut [bad, bad]).unwrap_err().to_string();
        assert!(error.contains("expected a finite output of the network, found NaN"), "{error}");
        let nobody: &mut [fn(&Coalition) -> f64] = &mut [];
        assert!(matches!(evaluate(&plan, nobody), Err(AttributionError::Worker)));
    }
}
