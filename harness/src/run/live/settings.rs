//! How a live run is fed and how its explanations behave.

use firmware_host::Micros;

use super::super::plan::Method;
use super::super::threads::ThreadSettings;
use super::replay::Replay;
use crate::feed::Scenario;
use crate::feed::remote::ReceiveSettings;

/// Who sets the pace.
#[derive(Clone, Debug)]
pub enum FeedPace {
    /// The pipeline: the camera waits for it.
    Lockstep,
    /// The camera of this process, open loop.
    Realtime,
    /// A camera elsewhere.
    Camera(ReceiveSettings),
}

/// Which frames Kernel SHAP explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainWhen {
    /// Those of the plan, in lockstep.
    AsPlanned,
    /// Every n-th.
    Every(u32),
    /// The next one whenever the explanation before is done.
    WhenIdle,
}

/// Feed of a live run.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Camera, queue, faults and their seed.
    pub scenario: Scenario,
    /// Who sets the pace.
    pub pace: FeedPace,
    /// Frames held in memory and shown in a loop; for the record, the data set does it.
    pub preload: Option<usize>,
    /// Which frames are explained.
    pub explain: ExplainWhen,
    /// An explanation that takes longer is given up.
    pub explain_budget: Option<Micros>,
    /// Cores and priorities.
    pub threads: ThreadSettings,
    /// The run that is replayed.
    pub replay: Option<Replay>,
}

impl Feed {
    /// Whether classification runs on a thread of its own, with explanations beside it.
    #[must_use]
    pub const fn is_open_loop(&self) -> bool {
        !matches!(self.pace, FeedPace::Lockstep)
    }

    /// Name of the pace in the store.
    #[must_use]
    pub fn pace_name(&self) -> String {
        match &self.pace {
            FeedPace::Lockstep if self.replay.is_some() => "replay".to_owned(),
            FeedPace::Lockstep => "lockstep".to_owned(),
            FeedPace::Realtime => "realtime".to_owned(),
            FeedPace::Camera(settings) => format!("camera {}", settings.address),
        }
    }

    /// Whether a frame is explained by a method that the plan names; `planned` says whether the plan wants this frame.
    pub(super) fn explains(
        &self,
        method: Method,
        sequence: u32,
        position: u32,
        planned: bool,
    ) -> bool {
        if let Some(replay) = &self.replay {
            return replay.explains(method, position);
        }
        match (method, self.explain) {
            (Method::KernelShap, ExplainWhen::Every(n)) => sequence.is_multiple_of(n.max(1)),
            (Method::KernelShap, ExplainWhen::WhenIdle) => true,
            _ => planned,
        }
    }
}
