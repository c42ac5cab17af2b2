//! The highest constant rate that keeps a latency limit, by halving the interval.

use models::Classifier;
use serde::Serialize;

use super::{BenchError, Measured, Scenario, run};
use crate::clock::Clock;
use crate::stats::claim;

/// What a rate has to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Longest latency, milliseconds; without it one period of the rate at hand: the answer before the next picture.
    pub limit_ms: Option<f64>,
    /// Percentile that has to keep it: p99.
    pub share: f64,
}

/// One rate that was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// Pictures a second.
    pub rate_hz: f64,
    /// Limit at this rate, milliseconds.
    pub limit_ms: f64,
    /// 99th percentile, milliseconds.
    pub p99_ms: f64,
    /// Whether it was kept.
    pub kept: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoundRate {
    /// Highest rate that kept the limit; none if the lowest one did not.
    pub rate_hz: Option<f64>,
    /// All trials in their order.
    pub trials: Vec<Trial>,
    /// Pictures of each trial.
    pub pictures: usize,
    /// Pictures that a claim at 99 % confidence would need without any overrun: fewer make this an estimate.
    pub needed_for_claim: Option<u64>,
}

/// Trials after the first two.
const HALVINGS: u32 = 6;

/// Look for the rate between a tenth of and the full rate of a closed loop.
///
/// # Errors
/// If the network fails or there is nothing to measure.
pub fn find_rate<C: Classifier>(
    limit: RateLimit,
    sessions: &mut [C],
    inputs: &[Vec<f32>],
    warm_up: usize,
    count: usize,
    clock: Clock,
) -> Result<FoundRate, BenchError> {
    let closed = run(Scenario::Offline, sessions, inputs, warm_up, count.min(50), clock)?;
    let mut trials = Vec::new();
    let (mut low, mut high) = (closed.rate_hz * 0.1, closed.rate_hz);
    let mut best = None;
    for step in 0..=HALVINGS {
        let rate_hz = if step == 0 { low } else { (low + high) / 2.0 };
        let measured = run(Scenario::ConstantRate { rate_hz }, sessions, inputs, 0, count, clock)?;
        let trial = judge(limit, rate_hz, &measured);
        let kept = trial.kept;
        trials.push(trial);
        match (kept, step) {
            (false, 0) => break,
            (true, _) => {
                best = Some(rate_hz);
                low = rate_hz;
            }
            (false, _) => high = rate_hz,
        }
    }
    let needed_for_claim = claim::frames_needed(limit.share, 0.99, 0);
    Ok(FoundRate { rate_hz: best, trials, pictures: count, needed_for_claim })
}

fn judge(limit: RateLimit, rate_hz: f64, measured: &Measured) -> Trial {
    let limit_ms = limit.limit_ms.unwrap_or(1000.0 / rate_hz);
    let p99_ms = measured.latency.p99;
    Trial { rate_hz, limit_ms, p99_ms, kept: p99_ms <= limit_ms }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Sleepy;
    use super::*;

    #[test]
    fn the_rate_lies_below_what_the_work_permits_and_a_limit_below_the_work_is_never_kept() {
        let clock = Clock::start();
        let limit = RateLimit { limit_ms: Some(60.0), share: 0.99 };
        let found =
            find_rate(limit, &mut [Sleepy::new(10, 0)], &[vec![0.0]], 1, 12, clock).unwrap();
        let rate = found.rate_hz.unwrap();
        assert!((5.0..=100.0).contains(&rate), "{found:?}");
        assert_eq!(found.needed_for_claim, Some(459));
        let limit = RateLimit { limit_ms: Some(2.0), share: 0.99 };
        let found = find_rate(limit, &mut [Sleepy::new(10, 0)], &[vec![0.0]], 1, 5, clock).unwrap();
        assert_eq!((found.rate_hz, found.trials.len()), (None, 1));
    }
}
