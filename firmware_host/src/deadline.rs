//! Latency budgets: a verdict on every measured stage.

use crate::time::Micros;

/// How long a stage may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Budget {
    /// Longest permitted time.
    pub limit: Micros,
}

/// Whether a budget was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Verdict {
    /// Within the budget, with this much to spare.
    Met {
        /// Time left.
        spare: Micros,
    },
    /// A deadline miss.
    Missed {
        /// Time over the limit.
        over: Micros,
    },
}

impl Budget {
    /// Judge a stage that took this long; exactly the limit is still within it.
    #[must_use]
    pub const fn judge(self, taken: Micros) -> Verdict {
        if taken.0 <= self.limit.0 {
            Verdict::Met { spare: self.limit.since(taken) }
        } else {
            Verdict::Missed { over: taken.since(self.limit) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_met_and_one_microsecond_more_is_missed() {
        let budget = Budget { limit: Micros(100) };
        assert_eq!(budget.judge(Micros(100)), Verdict::Met { spare: Micros(0) });
        assert_eq!(budget.judge(Micros(101)), Verdict::Missed { over: Micros(1) });
    }
}
