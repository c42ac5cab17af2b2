//! When the next frame is due, and what happens to ticks that were missed.
//!
//! ```text
//! due        0    1    2    3    4    5
//! busy            [-------------]
//! catch up   0    1             234  5     every tick happens, late ones at once
//! skip       0    1             4    5     missed ticks are counted, the grid stays
//! shift      0    1             2    3     the grid moves: one period from the late tick to the next
//! ```
//!
//! The n-th tick is computed from the start (start + n * period), never from the tick before it, so rounding
//! does not add up: 30 frames a second stay 108,000 an hour.

use crate::time::Micros;

/// What becomes of ticks whose time passed before anyone asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LatePolicy {
    /// Every tick happens. A camera that is open loop: load does not slow its clock.
    #[default]
    CatchUp,
    /// Ticks that are over by a whole period are skipped and counted; the grid stays.
    Skip,
    /// The late tick happens now and the grid moves with it: at least a period between two ticks.
    Shift,
}

/// Answer of a cadence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Tick {
    /// Nothing is due before this moment.
    Wait {
        /// When to ask again.
        until: Micros,
    },
    /// A tick is due.
    Due {
        /// Its number, from 0.
        number: u64,
        /// When it was due.
        scheduled: Micros,
        /// Ticks before it that were skipped just now.
        skipped: u64,
    },
}

/// A source of ticks.
#[derive(Clone, Copy, Debug)]
pub struct Cadence {
    start: Micros,
    period_nanos: u64,
    policy: LatePolicy,
    next: u64,
    /// Number of the tick that is due at `start`; moves with the grid.
    origin: u64,
    skipped: u64,
}

impl Cadence {
    /// Ticks every `period_nanos` from `start` on; a period of zero counts as one nanosecond.
    #[must_use]
    pub const fn new(start: Micros, period_nanos: u64, policy: LatePolicy) -> Self {
        let period_nanos = if period_nanos == 0 { 1 } else { period_nanos };
        Self { start, period_nanos, policy, next: 0, origin: 0, skipped: 0 }
    }

    /// When tick `number` is due.
    #[must_use]
    pub const fn due(&self, number: u64) -> Micros {
        let nanos = number.saturating_sub(self.origin) as u128 * self.period_nanos as u128;
        let micros = nanos / 1000;
        #[expect(clippy::cast_possible_truncation, reason = "checked")]
        let micros = if micros > u64::MAX as u128 { u64::MAX } else { micros as u64 };
        self.start.after(Micros(micros))
    }

    /// The newest tick that is not in the future, however far a clock has jumped since the last one.
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    const fn newest(&self, now: Micros) -> u64 {
        // all of the microsecond counts: times of ticks are rounded down
        let nanos = (now.since(self.start).0 as u128 + 1) * 1000 - 1;
        let ticks = nanos / self.period_nanos as u128 + self.origin as u128;
        if ticks >= u64::MAX as u128 { u64::MAX - 1 } else { ticks as u64 }
    }

    /// Ask for the tick that is due now.
    pub const fn poll(&mut self, now: Micros) -> Tick {
        let mut scheduled = self.due(self.next);
        if now.0 < scheduled.0 {
            return Tick::Wait { until: scheduled };
        }
        let mut skipped = 0;
        match self.policy {
            LatePolicy::CatchUp => {}
            LatePolicy::Skip => {
                let newest = self.newest(now);
                skipped = newest.saturating_sub(self.next);
                self.next += skipped;
                scheduled = self.due(self.next);
                self.skipped += skipped;
            }
            LatePolicy::Shift => {
                if now.since(scheduled).0 as u128 * 1000 >= self.period_nanos as u128 {
                    self.start = now;
                    self.origin = self.next;
                    scheduled = now;
                }
            }
        }
        let number = self.next;
        self.next += 1;
        Tick::Due { number, scheduled, skipped }
    }

    /// Ticks skipped since the start.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Poll at these times, in periods of 100 us, and list (number, scheduled).
    fn ticks(policy: LatePolicy, times: &[u64]) -> Vec<(u64, u64)> {
        let mut cadence = Cadence::new(Micros(0), 100_000, policy);
        let mut seen = Vec::new();
        for &now in times {
            while let Tick::Due { number, scheduled, .. } = cadence.poll(Micros(now)) {
                seen.push((number, scheduled.0));
            }
        }
        seen
    }

    #[test]
    fn late_ticks_are_caught_up_skipped_or_shift_the_grid() {
        let times = [0, 100, 410, 500, 510, 610];
        assert_eq!(
            ticks(LatePolicy::CatchUp, &times),
            [(0, 0), (1, 100), (2, 200), (3, 300), (4, 400), (5, 500), (6, 600)]
        );
        assert_eq!(
            ticks(LatePolicy::Skip, &times),
            [(0, 0), (1, 100), (4, 400), (5, 500), (6, 600)]
        );
        assert_eq!(
            ticks(LatePolicy::Shift, &times),
            [(0, 0), (1, 100), (2, 410), (3, 510), (4, 610)]
        );
    }

    #[test]
    fn skipped_ticks_are_counted() {
        let mut cadence = Cadence::new(Micros(0), 100_000, LatePolicy::Skip);
        assert!(matches!(cadence.poll(Micros(450)), Tick::Due { number: 4, skipped: 4, .. }));
        assert_eq!(cadence.skipped(), 4);
    }

    #[test]
    fn skipping_ends_however_far_the_clock_jumps() {
        // 33,333.333 us: tick 3 is due at 99,999 us
        for (now, number) in [(99_998, 2), (99_999, 3), (100_000, 3)] {
            let mut cadence = Cadence::new(Micros(0), 33_333_333, LatePolicy::Skip);
            let tick = cadence.poll(Micros(now));
            assert!(matches!(tick, Tick::Due { number: n, .. } if n == number), "{now}: {tick:?}");
        }
        // from the epoch to a time of day: tick by tick it would take minutes
        let mut cadence = Cadence::new(Micros(0), 1_000, LatePolicy::Skip);
        let now = Micros(1_800_000_000_000_000);
        let tick = Tick::Due { number: now.0, scheduled: now, skipped: now.0 };
        assert_eq!(cadence.poll(now), tick);
        assert_eq!(cadence.poll(now), Tick::Wait { until: Micros(now.0 + 1) });
        let mut cadence = Cadence::new(Micros(0), 1, LatePolicy::Skip);
        assert!(matches!(cadence.poll(Micros(u64::MAX)), Tick::Due { .. }));
    }

    #[test]
    fn rounding_does_not_add_up() {
        // 30 frames a second: 33,333.333 us
        let cadence = Cadence::new(Micros(0), 33_333_333, LatePolicy::CatchUp);
        assert_eq!(
            cadence.due(108_000),
            Micros(3_599_999_964),
            "36 us of an hour, from the period itself"
        );
        assert_eq!(cadence.due(3), Micros(99_999));
    }
}
