//! What passes between a run and whoever watches it: the wish to stop, and how far an explanation is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::attribution::{AttributionError, Coalition, Game};

/// Shared by the run, the signal handler and the progress bar.
#[derive(Debug, Default)]
pub struct Signals {
    stop: AtomicBool,
    evaluated: AtomicUsize,
    to_evaluate: AtomicUsize,
}

impl Signals {
    /// Ask the run to end: the frame at work is given up, what is stored stays. True if that was asked before.
    pub fn stop(&self) -> bool {
        self.stop.swap(true, Ordering::Relaxed)
    }

    /// Whether the run was asked to end.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Coalitions of the explanation at work: evaluated, and in all; both 0 while there is none.
    #[must_use]
    pub fn coalitions(&self) -> (usize, usize) {
        let all = self.to_evaluate.load(Ordering::Relaxed);
        (self.evaluated.load(Ordering::Relaxed).min(all), all)
    }

    pub(super) fn begin(&self, coalitions: usize) {
        self.evaluated.store(0, Ordering::Relaxed);
        self.to_evaluate.store(coalitions, Ordering::Relaxed);
    }
}

/// A game that counts its values and ends when the run shall end.
pub(super) struct Watched<'a, G> {
    game: G,
    signals: &'a Signals,
}

impl<'a, G> Watched<'a, G> {
    pub(super) const fn new(game: G, signals: &'a Signals) -> Self {
        Self { game, signals }
    }
}

impl<G: Game> Game for Watched<'_, G> {
    fn value(&mut self, coalition: &Coalition) -> Result<f64, AttributionError> {
        if self.signals.stopped() {
            return Err(AttributionError::Stopped);
        }
        let value = self.game.value(coalition)?;
        self.signals.evaluated.fetch_add(1, Ordering::Relaxed);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{Estimator, Grid, Plan, Solution, explain};

    #[test]
    fn values_are_counted_and_a_wish_to_stop_is_heard_in_the_middle() {
        let plan = Plan::draw(Estimator::Captum, Grid { rows: 3, columns: 3 }, 60, 1).unwrap();
        let signals = Signals::default();
        let all = plan.distinct().1.len();
        signals.begin(all);
        let count = |c: &Coalition| c.size() as f64;
        explain(&plan, &mut [Watched::new(count, &signals)], Solution::Exact).unwrap();
        assert_eq!(signals.coalitions(), (all, all));
        signals.begin(all);
        let stops = |c: &Coalition| {
            if signals.coalitions().0 == 20 {
                signals.stop();
            }
            c.size() as f64
        };
        let watched = Watched::new(stops, &signals);
        let error = explain(&plan, &mut [watched], Solution::Exact).unwrap_err();
        assert!(matches!(error, AttributionError::Stopped), "{error}");
        assert_eq!(signals.coalitions().0, 21);
        assert!(signals.stop(), "the second wish is told from the first");
    }
}
