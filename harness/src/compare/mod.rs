//! Two runs over the same frames: where do they part, and are they equivalent?
//!
//! ```text
//! input hash -> tensor -> logits -> feature map -> attribution -> ratio -> decision
//! ```
//!
//! The ladder names the first rung at which the runs differ by more than numerics, because what differs there
//! explains what differs further on. Then the frames are compared one by one: accuracy, pixel ratio, rank
//! correlation of the maps, latency; and held against margins.

mod cause;
mod ladder;
mod margins;
mod paired;

pub use ladder::{Ladder, Rung, Step};
pub use margins::{LadderMargins, Margins, PairedMargins};
pub use paired::{Accuracy, Correlation, Group, Latency, RatioComparison, Verdict};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::store::{FrameRow, StoreError, Stored};

/// Version of the JSON that `compare --json` prints.
pub const SCHEMA: u32 = 1;

/// Why two runs could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A run could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The margins could not be read.
    #[error("{}: {problem}", path.display())]
    Margins {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The runs have no frame in common.
    #[error(
        "{} and {}: expected frames in common, found none ({count_a} and {count_b} frames); \
         run both over the same data set",
        a.display(), b.display()
    )]
    Disjoint {
        /// First run.
        a: PathBuf,
        /// Second run.
        b: PathBuf,
        /// Its frames.
        count_a: usize,
        /// Its frames.
        count_b: usize,
    },
}

/// A frame in both runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) a: &'a FrameRow,
    pub(crate) b: &'a FrameRow,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Version of this schema.
    pub schema: u32,
    /// Names of the runs: network and data.
    pub runs: [String; 2],
    /// Frames in both, in the first alone, in the second alone.
    pub frames: [usize; 3],
    /// Settings that differ, with both values.
    pub settings: BTreeMap<String, [String; 2]>,
    /// The ladder.
    pub ladder: Ladder,
    /// Accuracy, frame by frame.
    pub accuracy: Accuracy,
    /// Pixel ratio and maps by method.
    pub pixel_ratio: BTreeMap<String, RatioComparison>,
    /// Median latency by stage.
    pub latency: BTreeMap<&'static str, Latency>,
    /// What was held against the margins.
    pub verdicts: Vec<Verdict>,
    /// Whether all verdicts are good.
    pub equivalent: bool,
}

/// Compares the runs in two folders.
///
/// # Errors
/// If one cannot be read, or they have no frame in common.
pub fn compare(a: &Path, b: &Path, margins: &Margins) -> Result<Comparison, CompareError> {
    let (run_a, run_b) = (Stored::open(a)?, Stored::open(b)?);
    compare_stored(&run_a, &run_b, margins).ok_or_else(|| CompareError::Disjoint {
        a: a.to_owned(),
        b: b.to_owned(),
        count_a: run_a.frames.len(),
        count_b: run_b.frames.len(),
    })
}

/// Compares two runs in memory; `None` if they have no frame in common.
#[must_use]
pub fn compare_stored(a: &Stored, b: &Stored, margins: &Margins) -> Option<Comparison> {
    let pairs = pairs(&a.frames, &b.frames);
    if pairs.is_empty() {
        return None;
    }
    let ladder = Ladder::climb(&pairs, &margins.ladder);
    let accuracy = Accuracy::of(&pairs);
    let pixel_ratio = paired::ratios(&pairs);
    let latency = paired::latency(&pairs);
    let verdicts =
        paired::verdicts(&ladder, &accuracy, &pixel_ratio, &latency, pairs.len(), margins);
    let both = pairs.len();
    Some(Comparison {
        schema: SCHEMA,
        runs: [name(a), name(b)],
        frames: [both, a.frames.len() - both, b.frames.len() - both],
        settings: differing(a, b),
        equivalent: verdicts.iter().all(|v| v.met),
        ladder,
        accuracy,
        pixel_ratio,
        latency,
        verdicts,
    })
}

/// The same frames in both runs: those with the same picture, and of the rest those of the same class and index.
///
/// Positions do not matter: the desktop may walk a folder in another order than the device its data set. A picture is
/// known by its hash even where the class lists differ, and by its key even where its pixels do.
pub(crate) fn pairs<'a>(a: &'a [FrameRow], b: &'a [FrameRow]) -> Vec<Pair<'a>> {
    let mut by_hash: BTreeMap<&str, &FrameRow> = BTreeMap::new();
    for frame in b.iter().filter(|f| !f.image_hash.is_empty()) {
        by_hash.entry(&frame.image_hash).or_insert(frame);
    }
    let mut by_key: BTreeMap<(u16, u32), &FrameRow> =
        b.iter().map(|f| ((f.class, f.index), f)).collect();
    let mut found: Vec<Option<&FrameRow>> = Vec::with_capacity(a.len());
    for frame in a {
        let same = by_hash.remove(frame.image_hash.as_str());
        if let Some(other) = same {
            by_key.remove(&(other.class, other.index));
        }
        found.push(same);
    }
    a.iter()
        .zip(found)
        .filter_map(|(a, same)| {
            let b = same.or_else(|| by_key.remove(&(a.class, a.index)))?;
            Some(Pair { a, b })
        })
        .collect()
}

fn name(run: &Stored) -> String {
    format!("{} on {}", run.text("set.model"), run.text("set.data"))
}

/// What decides results and is not the same: settings, and hashes of network, data and plan.
fn differing(a: &Stored, b: &Stored) -> BTreeMap<String, [String; 2]> {
    let decides =
        |n: &&String| (n.starts_with("set.") || n.starts_with("hash.")) && *n != "hash.executable";
    let names = a.settings.keys().chain(b.settings.keys()).filter(decides);
    names.map(|n| (n.clone(), [a.text(n), b.text(n)])).filter(|(_, [x, y])| x != y).collect()
}
