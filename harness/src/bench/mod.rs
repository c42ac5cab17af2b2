//! How fast a network is on this machine: MLPerf's scenarios, each with its warm-up left out.
//!
//! * single-stream: the next picture when the last one is done; the latency of one.
//! * constant-rate: a picture every period, done or not; latency counts from when it was due (no coordinated omission).
//! * offline: all pictures at once on all threads; the rate.
//!
//! Names after MLPerf Inference (Reddi et al., arXiv 1911.02549, section III). Deviation: its server scenario draws arrivals from
//! a Poisson process; a camera does not, so ours come at a constant rate. Figures from a few seconds do not make an MLPerf result.

mod explaining;
mod find_rate;
mod reuse;

pub use explaining::{Median, ShapCost, shap_cost};
pub use find_rate::{FoundRate, RateLimit, Trial, find_rate};
pub use reuse::{ReuseGain, reuse_gain};

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use firmware_host::{Cadence, LatePolicy, Micros, Tick};
use models::{Classifier, ModelError};
use serde::Serialize;

use crate::attribution::AttributionError;
use crate::clock::Clock;
use crate::stats::Percentiles;

/// Schema of `bench --json`.
pub const SCHEMA: u32 = 1;

/// What is asked of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scenario {
    /// One after the other.
    SingleStream,
    /// So many a second.
    ConstantRate {
        /// Pictures a second.
        rate_hz: f64,
    },
    /// As many as possible.
    Offline,
}

impl Scenario {
    /// Name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SingleStream => "single-stream",
            Self::ConstantRate { .. } => "constant-rate",
            Self::Offline => "offline",
        }
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Latency of a picture: from when it was due (constant rate) or begun (the others) to its logits.
    pub latency: Percentiles,
    /// Time spent working on a picture.
    pub service: Percentiles,
    /// Pictures a second over the whole time.
    pub rate_hz: f64,
    /// Pictures before that were not counted.
    pub warm_up: usize,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The network failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A masked picture could not be valued.
    #[error(transparent)]
    Attribution(#[from] AttributionError),
    /// Two ways to compute the same gave different values.
    #[error("the values by difference are not those of whole pictures; this is a bug in roadgaze")]
    Differs,
    /// A thread ended by a panic.
    #[error("a worker thread failed; this is a bug in roadgaze")]
    Thread,
    /// Nothing to measure.
    #[error("bench: {expected} expected, {found} found")]
    Nothing {
        /// What is needed.
        expected: &'static str,
        /// What was given.
        found: String,
    },
}

/// Times of one picture, microseconds.
#[derive(Clone, Copy, Debug)]
struct Timed {
    latency: u64,
    service: u64,
}

/// Run a scenario: `count` pictures after `warm_up` a session, inputs taken in turn.
///
/// # Errors
/// If the network fails, or there is no session, input or picture.
pub fn run<C: Classifier>(
    scenario: Scenario,
    sessions: &mut [C],
    inputs: &[Vec<f32>],
    warm_up: usize,
    count: usize,
    clock: Clock,
) -> Result<Measured, BenchError> {
    if sessions.is_empty() || inputs.is_empty() || count == 0 {
        return Err(BenchError::Nothing {
            expected: "a session, a picture and a count of at least 1",
            found: format!("{} sessions, {} pictures, count {count}", sessions.len(), inputs.len()),
        });
    }
    for session in sessions.iter_mut() {
        for i in 0..warm_up {
            session.run(&inputs[i % inputs.len()])?;
        }
    }
    let before = clock.now();
    let times = match scenario {
        Scenario::SingleStream => single_stream(&mut sessions[0], inputs, count, clock)?,
        Scenario::ConstantRate { rate_hz } => {
            constant_rate(sessions, inputs, count, rate_hz, clock)?
        }
        Scenario::Offline => offline(sessions, inputs, count, clock)?,
    };
    let taken = clock.now().since(before).0.max(1);
    let empty =
        || BenchError::Nothing { expected: "at least one picture", found: "none".to_owned() };
    Ok(Measured {
        latency: Percentiles::of(times.iter().map(|t| t.latency)).ok_or_else(empty)?,
        service: Percentiles::of(times.iter().map(|t| t.service)).ok_or_else(empty)?,
        rate_hz: times.len() as f64 * 1e6 / taken as f64,
        warm_up: warm_up * sessions.len(),
    })
}

fn one<C: Classifier>(
    session: &mut C,
    input: &[f32],
    due: Option<Micros>,
    clock: Clock,
) -> Result<Timed, ModelError> {
    let begun = clock.now();
    session.run(input)?;
    let done = clock.now();
    Ok(Timed { latency: done.since(due.unwrap_or(begun)).0, service: done.since(begun).0 })
}

fn single_stream<C: Classifier>(
    session: &mut C,
    inputs: &[Vec<f32>],
    count: usize,
    clock: Clock,
) -> Result<Vec<Timed>, BenchError> {
    let timed = (0..count).map(|i| one(session, &inputs[i % inputs.len()], None, clock));
    Ok(timed.collect::<Result<_, _>>()?)
}

fn offline<C: Classifier>(
    sessions: &mut [C],
    inputs: &[Vec<f32>],
    count: usize,
    clock: Clock,
) -> Result<Vec<Timed>, BenchError> {
    let next = AtomicUsize::new(0);
    parallel(sessions, |session| {
        let mut times = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                return Ok(times);
            }
            times.push(one(session, &inputs[i % inputs.len()], None, clock)?);
        }
    })
}

fn constant_rate<C: Classifier>(
    sessions: &mut [C],
    inputs: &[Vec<f32>],
    count: usize,
    rate_hz: f64,
    clock: Clock,
) -> Result<Vec<Timed>, BenchError> {
    if !(0.01..=100_000.0).contains(&rate_hz) {
        return Err(BenchError::Nothing {
            expected: "a rate of 0.01 to 100000 a second",
            found: rate_hz.to_string(),
        });
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "10 us to 100 s")]
    let period_nanos = (1e9 / rate_hz) as u64;
    let grid = Cadence::new(clock.now().after(Micros(1000)), period_nanos, LatePolicy::CatchUp);
    let ticks = std::sync::Mutex::new((grid, 0_usize));
    parallel(sessions, |session| {
        let mut times = Vec::new();
        loop {
            // whoever is free takes the picture that has been due longest
            let tick = {
                let mut state = ticks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if state.1 >= count {
                    return Ok(times);
                }
                let tick = state.0.poll(clock.now());
                state.1 += usize::from(matches!(tick, Tick::Due { .. }));
                tick
            };
            match tick {
                Tick::Wait { until } => {
                    std::thread::sleep(Duration::from_micros(until.since(clock.now()).0));
                }
                Tick::Due { number, scheduled, .. } => {
                    let i = usize::try_from(number).unwrap_or(0);
                    times.push(one(session, &inputs[i % inputs.len()], Some(scheduled), clock)?);
                }
            }
        }
    })
}

/// The same work on every session, a thread each.
fn parallel<C: Classifier>(
    sessions: &mut [C],
    work: impl Fn(&mut C) -> Result<Vec<Timed>, ModelError> + Sync,
) -> Result<Vec<Timed>, BenchError> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            sessions.iter_mut().map(|session| scope.spawn(move || work(session))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_panic| BenchError::Thread)??);
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use models::{NetworkInfo, Prediction};

    use super::*;

    /// Takes a fixed time, and much longer for every tenth picture.
    pub(super) struct Sleepy {
        info: NetworkInfo,
        pub(super) calls: usize,
        pub(super) millis: u64,
        pub(super) stall: u64,
    }

    impl Sleepy {
        pub(super) fn new(millis: u64, stall: u64) -> Self {
            let info = NetworkInfo {
                name: "sleepy".to_owned(),
                classes: 1,
                height: 1,
                width: 1,
                feature_map: None,
                macs: 0,
                integer_mac_share: 0.0,
            };
            Self { info, calls: 0, millis, stall }
        }
    }

    impl Classifier for Sleepy {
        fn info(&self) -> &NetworkInfo {
            &self.info
        }

        fn run(&mut self, _input: &[f32]) -> Result<Prediction, ModelError> {
            self.calls += 1;
            let stall = if self.calls.is_multiple_of(10) { self.stall } else { 0 };
            std::thread::sleep(Duration::from_millis(self.millis + stall));
            Ok(Prediction { logits: vec![0.0], feature_map: None })
        }
    }

    fn measure(scenario: Scenario, sessions: &mut [Sleepy], count: usize) -> Measured {
        run(scenario, sessions, &[vec![0.0]], 2, count, Clock::start()).unwrap()
    }

    #[test]
    fn a_stall_is_charged_to_all_that_were_due_meanwhile_not_to_one_alone() {
        let rate = Scenario::ConstantRate { rate_hz: 100.0 };
        let open = measure(rate, &mut [Sleepy::new(1, 80)], 40);
        let closed = measure(Scenario::SingleStream, &mut [Sleepy::new(1, 80)], 40);
        // one in ten stalls: the closed loop sees it at p90 and above, the open loop in most frames
        assert!(closed.latency.p50 < 20.0, "{closed:?}");
        assert!(open.latency.p50 > closed.latency.p50 + 10.0, "{open:?}");
        assert!(open.service.p50 < 20.0, "the service time tells them apart: {open:?}");
        assert_eq!((open.latency.n, open.warm_up), (40, 2));
    }

    #[test]
    fn offline_uses_all_sessions_and_does_every_picture_once() {
        let mut sessions = [Sleepy::new(5, 0), Sleepy::new(5, 0), Sleepy::new(5, 0)];
        let measured = measure(Scenario::Offline, &mut sessions, 30);
        assert_eq!(measured.latency.n, 30);
        assert_eq!(sessions.iter().map(|s| s.calls).sum::<usize>(), 30 + 3 * 2);
        assert!(sessions.iter().all(|s| s.calls > 4), "all took part");
    }

    #[test]
    fn nothing_to_measure_is_an_error() {
        let none: &mut [Sleepy] = &mut [];
        assert!(run(Scenario::Offline, none, &[vec![0.0]], 0, 1, Clock::start()).is_err());
        let zero = Scenario::ConstantRate { rate_hz: 0.0 };
        assert!(run(zero, &mut [Sleepy::new(0, 0)], &[vec![0.0]], 0, 1, Clock::start()).is_err());
    }
}
