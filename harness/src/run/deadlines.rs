//! Deadlines while a run goes on: each measured stage of a frame against its budget, a miss as a device event.
//!
//! The verdict at the end of the run counts the same misses from the store, see [`crate::report::budget`].

use firmware_host::{Budget, DeadlineMonitor, Event, Micros, Verdict};

use crate::report::budget::Budgets;
use crate::store::Stage;

/// The device's monitor with the budgets of a run.
pub(super) struct Deadlines {
    monitor: DeadlineMonitor<{ Stage::ALL.len() }>,
}

impl Deadlines {
    /// Without budgets nothing is late.
    pub(super) fn new(budgets: Option<&Budgets>) -> Self {
        let limit = |stage: Stage| Some(budgets?.stage.get(stage.name())?.limit());
        let budget = |stage| limit(stage).map(|limit| Budget { limit });
        Self { monitor: DeadlineMonitor::new(Stage::ALL.map(budget)) }
    }

    /// Judge stages of a frame that ended.
    pub(super) fn judge(&mut self, sequence: u32, stages: &[(Stage, u64)]) {
        for &(stage, micros) in stages {
            // `Stage::ALL` lists the stages in the order in which they are declared
            let verdict = self.monitor.judge(stage as usize, Micros(micros));
            if let Some(verdict @ Verdict::Missed { .. }) = verdict {
                Event::Deadline { sequence, stage: stage.name(), verdict }.log();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_is_judged_by_its_own_budget() {
        assert!(Stage::ALL.iter().enumerate().all(|(i, stage)| *stage as usize == i));
        let text = "[stage.network]\nlimit_ms = 2.0\n[stage.store]\nlimit_ms = 0.0";
        let budgets: Budgets = toml::from_str(text).unwrap();
        let mut deadlines = Deadlines::new(Some(&budgets));
        deadlines.judge(7, &[(Stage::Network, 2000), (Stage::Capture, 9_000_000)]);
        deadlines.judge(8, &[(Stage::Network, 2001), (Stage::Store, 1)]);
        let of = |stage: Stage| deadlines.monitor.stages()[stage as usize];
        assert_eq!((of(Stage::Network).met, of(Stage::Network).missed), (1, 1));
        assert_eq!((of(Stage::Store).met, of(Stage::Store).missed), (0, 1));
        assert_eq!((of(Stage::Capture).missed, of(Stage::Capture).worst.0), (0, 9_000_000));
    }
}
