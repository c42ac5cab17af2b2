//! What passes between a run and whoever watches it: the wish to stop, and how far an explanation is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use std::sync::Arc;
use std::time::Duration;

use firmware_host::Micros;

use crate::attribution::{AttributionError, Coalition, Game};
use crate::clock::Clock;

/// How long an explanation naps before it looks again whether a frame is being classified.
const NAP: Duration = Duration::from_micros(200);

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

/// Who of classification and explanation is at work.
#[derive(Debug, Default)]
pub(super) struct Gate {
    deciding: AtomicBool,
    explaining: AtomicBool,
}

impl Gate {
    /// A frame is being classified, or no longer.
    pub(super) fn deciding(&self, now: bool) {
        self.deciding.store(now, Ordering::Release);
    }

    /// A frame is being explained, or no longer.
    pub(super) fn explaining(&self, now: bool) {
        self.explaining.store(now, Ordering::Release);
    }

    /// Whether a frame is being explained.
    pub(super) fn is_explaining(&self) -> bool {
        self.explaining.load(Ordering::Acquire)
    }
}

/// How an explanation behaves beside frames that must be classified in time: before each coalition it gives way to them,
/// and it gives up when its own budget is spent.
#[derive(Clone, Debug)]
pub(super) struct Manners {
    pub(super) gate: Arc<Gate>,
    pub(super) clock: Clock,
    pub(super) budget: Option<Micros>,
}

impl Manners {
    /// The limits of an explanation that begins now.
    pub(super) fn begin(&self) -> Limits<'_> {
        let until = self.budget.map(|budget| self.clock.now().after(budget));
        Limits { gate: &self.gate, clock: self.clock, until }
    }
}

/// Manners of one explanation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits<'a> {
    gate: &'a Gate,
    clock: Clock,
    until: Option<Micros>,
}

impl Limits<'_> {
    /// Wait while a frame is being classified; false if the budget is spent.
    fn give_way(&self, stopped: impl Fn() -> bool) -> bool {
        loop {
            if self.until.is_some_and(|until| self.clock.now() >= until) {
                return false;
            }
            if !self.gate.deciding.load(Ordering::Acquire) || stopped() {
                return true;
            }
            std::thread::sleep(NAP);
        }
    }
}

/// A game that counts its values, gives way, and ends when the run shall end or its time is up.
pub(super) struct Watched<'a, G> {
    game: G,
    signals: &'a Signals,
    limits: Option<Limits<'a>>,
}

impl<'a, G> Watched<'a, G> {
    pub(super) const fn new(game: G, signals: &'a Signals) -> Self {
        Self { game, signals, limits: None }
    }

    pub(super) fn polite(self, limits: Option<Limits<'a>>) -> Self {
        Self { limits, ..self }
    }
}

impl<G: Game> Game for Watched<'_, G> {
    fn value(&mut self, coalition: &Coalition) -> Result<f64, AttributionError> {
        let in_time = self.limits.is_none_or(|l| l.give_way(|| self.signals.stopped()));
        if self.signals.stopped() || !in_time {
            return Err(AttributionError::Stopped);
        }
        let value = self.game.value(coalition)?;
        self.signals.evaluated.fetch_add(1, Ordering::Relaxed);
        Ok(value)
    }

    fn begin_run(&mut self, coalitions: usize) {
        self.game.begin_run(coalitions);
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

    #[test]
    fn an_explanation_waits_for_frames_and_gives_up_when_its_budget_is_spent() {
        let clock = Clock::start();
        let gate = Arc::new(Gate::default());
        let signals = Signals::default();
        let value = |budget: Option<Micros>| {
            let manners = Manners { gate: Arc::clone(&gate), clock, budget };
            let game = |c: &Coalition| c.size() as f64;
            Watched::new(game, &signals).polite(Some(manners.begin())).value(&Coalition::full(9))
        };
        assert_eq!(value(Some(Micros(1_000_000))).unwrap(), 9.0);
        gate.deciding(true);
        let error = value(Some(Micros(3_000))).unwrap_err();
        assert!(matches!(error, AttributionError::Stopped), "{error}");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| value(None));
            std::thread::sleep(Duration::from_millis(5));
            gate.deciding(false);
            assert_eq!(waiting.join().unwrap().unwrap(), 9.0);
        });
    }
}
