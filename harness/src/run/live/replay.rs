//! The delivered-frame list of a run: what its pipeline was given, so that the same can be given again in lockstep.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::plan::{Method, RunPlan};
use crate::feed::Scenario;
use crate::store::{FrameRow, StoreError, Stored};

/// Why a run cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It lacks what a replay needs.
    #[error("{path}: {expected} expected among the settings of the run, {found}; {remedy}")]
    Setting {
        /// Folder of the run.
        path: PathBuf,
        /// What is needed.
        expected: &'static str,
        /// What is there.
        found: String,
        /// What the user can do.
        remedy: &'static str,
    },
}

/// What a run was given and what became of it.
#[derive(Clone, Debug)]
pub struct Replay {
    run: PathBuf,
    frames: BTreeMap<u32, FrameRow>,
    explained: BTreeMap<Method, BTreeSet<u32>>,
}

/// A run as it was asked for, for whoever repeats it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its plan.
    pub plan: RunPlan,
    /// Its scenario; the default if it had none, or if the camera was elsewhere.
    pub scenario: Scenario,
    /// Frames that were shown in a loop.
    pub preload: Option<usize>,
    /// Its delivered frames.
    pub replay: Replay,
}

/// How a replay compares with the run that it replays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sameness {
    /// Frames of the run.
    pub frames: u64,
    /// Positions whose pixels, logits, features or maps differ in any bit, or that are missing.
    pub different: Vec<u32>,
}

impl Replay {
    /// Read a run.
    ///
    /// # Errors
    /// If it cannot be read, or its plan is not one of this version.
    pub fn read(folder: &Path) -> Result<Recorded, ReplayError> {
        let stored = Stored::open(folder)?;
        let wrong = |expected, found: String| ReplayError::Setting {
            path: folder.to_owned(),
            expected,
            found,
            remedy: "name the folder of a run of this version of roadgaze",
        };
        let plan = RunPlan::from_settings(&stored.settings)
            .map_err(|error| wrong("a plan", error.to_string()))?;
        let scenario = match stored.settings.get("feed.scenario") {
            None => Scenario::default(),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| wrong("feed.scenario", error.to_string()))?,
        };
        let preload = stored.settings.get("feed.preload").and_then(|n| n.parse().ok());
        let mut explained: BTreeMap<Method, BTreeSet<u32>> = BTreeMap::new();
        for frame in &stored.frames {
            for method in frame.attributions.iter().filter_map(|a| Method::from_name(&a.method)) {
                explained.entry(method).or_default().insert(frame.position);
            }
        }
        let mut plan = plan;
        // a camera elsewhere says itself how many frames are due, and what of
        if stored.text("feed.pace").starts_with("camera ") {
            plan.data = stored.text("data.name");
            let due = stored.settings.get("frames.asked").and_then(|n| n.parse().ok());
            plan.frames = due.unwrap_or(plan.frames);
        }
        let frames = stored.frames.into_iter().map(|f| (f.position, f)).collect();
        let replay = Self { run: folder.to_owned(), frames, explained };
        Ok(Recorded { plan, scenario, preload, replay })
    }

    /// Folder of the run.
    #[must_use]
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// Sequence numbers of the delivered frames, in a feed of these positions.
    pub(super) fn delivered(&self, positions: &[u32]) -> BTreeSet<u32> {
        (0..)
            .zip(positions)
            .filter(|(_, position)| self.frames.contains_key(position))
            .map(|(sequence, _)| sequence)
            .collect()
    }

    pub(super) fn explains(&self, method: Method, position: u32) -> bool {
        self.explained.get(&method).is_some_and(|of| of.contains(&position))
    }

    /// Compare what became of the frames, to the bit; times are left out.
    #[must_use]
    pub fn compare(&self, again: &Stored) -> Sameness {
        let found: BTreeMap<u32, &FrameRow> =
            again.frames.iter().map(|f| (f.position, f)).collect();
        let same =
            |a: &FrameRow| found.get(&a.position).is_some_and(|b| timeless(a) == timeless(b));
        let different = self.frames.values().filter(|f| !same(f)).map(|f| f.position).collect();
        Sameness { frames: self.frames.len() as u64, different }
    }
}
/// What a frame's pixels and the network made of it: neither times nor the claimed errors, whose rule may change.
fn timeless(frame: &FrameRow) -> FrameRow {
    let mut frame = FrameRow { stages: Vec::new(), ..frame.clone() };
    frame.attributions.iter_mut().for_each(|a| a.ratio_error = None);
    frame
}
