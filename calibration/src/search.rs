//! Looks for the range with the smallest cost: each end in turn, coarse to fine.

use crate::histogram::Histogram;

/// Steps of one sweep.
const STEPS: u8 = 24;
/// Sweeps of both ends.
const ROUNDS: usize = 3;

/// The range within what was seen that costs least. The cost need not be convex: each sweep tries
/// ends over the whole remaining interval and then around the best one.
pub(crate) fn cheapest(seen: &Histogram, cost: &dyn Fn(f64, f64) -> f64) -> [f64; 2] {
    let whole = [f64::from(seen.min()).min(0.0), f64::from(seen.max()).max(0.0)];
    let mut best = whole;
    let mut lowest = cost(best[0], best[1]);
    let mut spans = [(0.02, 1.0); 2];
    for _ in 0..ROUNDS {
        for end in [1, 0] {
            if whole[end] == 0.0 {
                continue;
            }
            let (from, to) = spans[end];
            let step = (to - from) / f64::from(STEPS);
            let mut share_best = best[end] / whole[end];
            for k in 0..=STEPS {
                let share = f64::from(k).mul_add(step, from);
                let mut range = best;
                range[end] = whole[end] * share;
                let found = cost(range[0], range[1]);
                if found < lowest {
                    (lowest, best, share_best) = (found, range, share);
                }
            }
            spans[end] = ((share_best - step).max(0.005), (share_best + step).min(1.0));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_of_a_bowl_is_found() {
        let mut seen = Histogram::default();
        seen.add(&[-4.0, 10.0]).unwrap();
        let bowl = |low: f64, high: f64| (low + 1.3).powi(2) + (high - 7.7).powi(2);
        let [low, high] = cheapest(&seen, &bowl);
        assert!((low + 1.3).abs() < 0.05 && (high - 7.7).abs() < 0.05, "{low} {high}");
        seen = Histogram::default();
        seen.add(&[1.0, 10.0]).unwrap();
        assert_eq!(cheapest(&seen, &bowl)[0], 0.0, "nothing below 0 was seen");
    }
}
