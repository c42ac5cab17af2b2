//! When frames are due and when they are taken: the camera's clock with its drift and jitter.

use firmware_host::random::Random;
use firmware_host::{Cadence, LatePolicy, Micros};

use super::scenario::{Jitter, Scenario};

/// Stream of [`Random`] that belongs to the jitter; faults use the streams below 32.
const JITTER: u32 = 100;

/// Times of all frames, a pure function of the scenario and the number of the frame.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    grid: Cadence,
    jitter: Jitter,
    seed: u64,
}

impl Timing {
    /// The times of a camera that is switched on at `start`.
    #[must_use]
    pub fn new(scenario: &Scenario, start: Micros) -> Self {
        let grid = Cadence::new(start, scenario.period_nanos(), LatePolicy::CatchUp);
        Self { grid, jitter: scenario.camera.jitter, seed: scenario.seed }
    }

    /// When frame `sequence` is due: latency counts from here.
    #[must_use]
    pub const fn scheduled(&self, sequence: u32) -> Micros {
        self.grid.due(sequence as u64)
    }

    /// When it is taken.
    #[must_use]
    pub fn captured(&self, sequence: u32) -> Micros {
        let mut random = Random::new(self.seed, JITTER, sequence);
        let due = self.scheduled(sequence).0;
        let off = match self.jitter {
            Jitter::None => 0,
            Jitter::Gaussian { micros } => {
                // Irwin-Hall with n = 4: mean 2, standard deviation 1 / sqrt(3), in units of 2^16
                let sum: i64 = (0..4).map(|_| i64::from(random.below(1 << 16))).sum();
                (sum - 131_070) * i64::from(micros) * 1_732_051 / (65_536 * 1_000_000)
            }
            Jitter::Uniform { micros } => {
                i64::from(random.below(2 * micros + 1)) - i64::from(micros)
            }
            Jitter::Burst { share, micros } => {
                let hit = f64::from(random.below(1_000_000)) < share * 1e6;
                if hit { i64::from(micros) } else { 0 }
            }
        };
        Micros(due.saturating_add_signed(off))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deviations(jitter: Jitter) -> Vec<f64> {
        let mut scenario = Scenario { seed: 3, ..Scenario::default() };
        scenario.camera.jitter = jitter;
        let timing = Timing::new(&scenario, Micros(1_000_000));
        (0..4000).map(|n| timing.captured(n).0 as f64 - timing.scheduled(n).0 as f64).collect()
    }

    fn spread(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn jitter_has_the_stated_spread() {
        assert!(deviations(Jitter::None).iter().all(|&d| d == 0.0));
        let (mean, sigma) = spread(&deviations(Jitter::Gaussian { micros: 500 }));
        assert!(mean.abs() < 40.0 && (sigma - 500.0).abs() < 25.0, "{mean} {sigma}");
        let uniform = deviations(Jitter::Uniform { micros: 300 });
        assert!(uniform.iter().all(|d| d.abs() <= 300.0));
        assert!((spread(&uniform).1 - 173.2).abs() < 10.0);
        let burst = deviations(Jitter::Burst { share: 0.1, micros: 900 });
        let late = burst.iter().filter(|&&d| d == 900.0).count();
        assert!(
            (310..490).contains(&late) && burst.iter().all(|&d| d == 0.0 || d == 900.0),
            "{late}"
        );
    }

    #[test]
    fn drift_stretches_the_grid() {
        let mut scenario = Scenario::default();
        scenario.camera.drift_ppm = 100;
        let timing = Timing::new(&scenario, Micros(0));
        // 108,000 frames at 30 a second: an hour and 360 ms
        let hour = timing.scheduled(108_000).0;
        assert!(hour.abs_diff(3_600_360_000) < 100, "{hour}");
    }
}
