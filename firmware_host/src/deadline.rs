//! Latency budgets: a verdict on every measured stage, and the record of each stage.

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

/// What is known of one stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StageRecord {
    /// Its budget, if it has one.
    pub budget: Option<Budget>,
    /// Frames within it.
    pub met: u64,
    /// Frames over it.
    pub missed: u64,
    /// Longest time, with or without a budget.
    pub worst: Micros,
    /// Misses since the last frame that met it.
    pub in_a_row: u32,
    /// Most misses in a row.
    pub longest_row: u32,
}

/// Records of `N` stages, which the caller numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlineMonitor<const N: usize> {
    stages: [StageRecord; N],
}

impl<const N: usize> DeadlineMonitor<N> {
    /// A monitor of stages with these budgets.
    #[must_use]
    pub const fn new(budgets: [Option<Budget>; N]) -> Self {
        let empty = StageRecord {
            budget: None,
            met: 0,
            missed: 0,
            worst: Micros(0),
            in_a_row: 0,
            longest_row: 0,
        };
        let mut stages = [empty; N];
        let mut i = 0;
        while i < N {
            stages[i].budget = budgets[i];
            i += 1;
        }
        Self { stages }
    }

    /// Judge one frame of a stage; none if there is no such stage or it has no budget.
    pub fn judge(&mut self, stage: usize, taken: Micros) -> Option<Verdict> {
        let record = self.stages.get_mut(stage)?;
        record.worst = record.worst.max(taken);
        let verdict = record.budget?.judge(taken);
        match verdict {
            Verdict::Met { .. } => {
                record.met += 1;
                record.in_a_row = 0;
            }
            Verdict::Missed { .. } => {
                record.missed += 1;
                record.in_a_row = record.in_a_row.saturating_add(1);
                record.longest_row = record.longest_row.max(record.in_a_row);
            }
        }
        Some(verdict)
    }

    /// The records, in the order of the stages.
    #[must_use]
    pub const fn stages(&self) -> &[StageRecord; N] {
        &self.stages
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

    #[test]
    fn each_stage_keeps_its_own_record() {
        let mut monitor = DeadlineMonitor::new([Some(Budget { limit: Micros(10) }), None]);
        for taken in [5, 11, 12, 3, 40] {
            assert!(monitor.judge(0, Micros(taken)).is_some());
            assert_eq!(monitor.judge(1, Micros(taken)), None, "no budget, no verdict");
        }
        assert_eq!(monitor.judge(2, Micros(1)), None, "no such stage");
        let [first, second] = *monitor.stages();
        assert_eq!((first.met, first.missed, first.longest_row, first.in_a_row), (2, 3, 2, 1));
        assert_eq!((first.worst, second.worst), (Micros(40), Micros(40)));
        assert_eq!((second.met, second.missed), (0, 0));
    }
}
