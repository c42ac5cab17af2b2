//! The one place where roadgaze reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use firmware_host::Micros;

/// A monotonic clock that starts at zero; copies share the start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> Micros {
        Micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Run something and say how long it took.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> (T, Micros) {
        let before = self.now();
        let result = work();
        (result, self.now().since(before))
    }
}

/// Seconds since 1970 (UTC); for the record only, nothing is computed from it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
