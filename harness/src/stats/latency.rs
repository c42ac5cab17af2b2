//! Percentiles of latencies, from a histogram of three significant digits.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Highest latency that is told apart, microseconds (an hour); longer ones count as that.
const LONGEST: u64 = 3_600_000_000;

/// Latency percentiles, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p97: f64,
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    pub max: f64,
    /// Values.
    pub n: u64,
}

impl Percentiles {
    /// Of values in microseconds; none for no values. Percentiles are right to 0.1 %, the maximum is exact.
    #[must_use]
    pub fn of(micros: impl IntoIterator<Item = u64>) -> Option<Self> {
        // the bounds are constants that the library accepts
        let mut histogram = Histogram::<u64>::new_with_bounds(1, LONGEST, 3).ok()?;
        let mut max = 0;
        for value in micros {
            max = max.max(value);
            histogram.saturating_record(value);
        }
        if histogram.is_empty() {
            return None;
        }
        let at = |share: f64| millis(histogram.value_at_quantile(share).min(max));
        Some(Self {
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p97: at(0.97),
            p99: at(0.99),
            p999: at(0.999),
            max: millis(max),
            n: histogram.len(),
        })
    }
}

impl Percentiles {
    /// From the median to the maximum, milliseconds.
    #[must_use]
    pub const fn in_order(&self) -> [f64; 7] {
        [self.p50, self.p90, self.p95, self.p97, self.p99, self.p999, self.max]
    }
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 us")]
const fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_thousandth_and_the_maximum_exactly() {
        let p = Percentiles::of((1..=10_000).map(|v| v * 10)).unwrap();
        for (found, expected) in
            [(p.p50, 50.0), (p.p90, 90.0), (p.p97, 97.0), (p.p99, 99.0), (p.p999, 99.9)]
        {
            assert!((found / expected - 1.0).abs() < 1.1e-3, "{found} {expected}");
        }
        assert_eq!((p.max, p.n), (100.0, 10_000));
        assert_eq!(Percentiles::of([]), None);
    }

    #[test]
    fn a_stall_of_six_frames_in_500_is_seen_at_p99() {
        // 200 ms at 30 frames a second: six frames late, of 500
        let stall = [200_000, 166_667, 133_334, 100_001, 66_668, 33_335];
        let frames = (0..5000).map(|i| if i % 500 < 6 { stall[i % 500] } else { 20_000 });
        let p = Percentiles::of(frames).unwrap();
        assert!(p.p97 < 21.0 && p.p99 > 30.0 && p.p999 > 190.0, "{p:?}");
    }
}
