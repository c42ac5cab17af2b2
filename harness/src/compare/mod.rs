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

use std::collections::{BTreeMap, VecDeque};
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
    /// Methods that explained none of the common frames in both runs, with the number of these frames that each run explained by it;
    /// nothing is compared there, and no verdict given.
    pub not_compared: BTreeMap<String, [usize; 2]>,
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
        not_compared: not_compared(&pairs),
        pixel_ratio,
        latency,
        verdicts,
    })
}

/// The same frames in both runs: those of the same picture, class and index; of the rest those of the same picture; of the
/// rest those of the same class and index.
///
/// Positions do not matter: the desktop may walk a folder in another order than the device its data set. A picture is
/// known by its hash even where the class lists differ, and by its key even where its pixels do. Black and frozen
/// pictures are alike, so the hash alone comes second.
pub(crate) fn pairs<'a>(a: &'a [FrameRow], b: &'a [FrameRow]) -> Vec<Pair<'a>> {
    type Key<'f> = (Option<&'f str>, Option<(u16, u32)>);
    let rules: [fn(&FrameRow) -> Option<Key<'_>>; 3] = [
        |f| (!f.image_hash.is_empty()).then_some((Some(&f.image_hash), Some((f.class, f.index)))),
        |f| (!f.image_hash.is_empty()).then_some((Some(&f.image_hash), None)),
        |f| Some((None, Some((f.class, f.index)))),
    ];
    let mut found: Vec<Option<&FrameRow>> = vec![None; a.len()];
    let mut free: Vec<&FrameRow> = b.iter().collect();
    for rule in rules {
        let mut known: BTreeMap<Key<'_>, VecDeque<&FrameRow>> = BTreeMap::new();
        for frame in std::mem::take(&mut free) {
            match rule(frame) {
                Some(key) => known.entry(key).or_default().push_back(frame),
                None => free.push(frame),
            }
        }
        for (frame, found) in a.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            *found = rule(frame).and_then(|key| known.get_mut(&key)?.pop_front());
        }
        free.extend(known.into_values().flatten());
    }
    a.iter().zip(found).filter_map(|(a, b)| Some(Pair { a, b: b? })).collect()
}

/// Methods of one run alone, so that their silence in the verdicts is not taken for agreement.
fn not_compared(pairs: &[Pair<'_>]) -> BTreeMap<String, [usize; 2]> {
    let mut found: BTreeMap<&str, ([usize; 2], bool)> = BTreeMap::new();
    for pair in pairs {
        let has = |f: &FrameRow, m: &str| f.attributions.iter().any(|a| a.method == m);
        for a in &pair.a.attributions {
            let entry = found.entry(&a.method).or_default();
            entry.0[0] += 1;
            entry.1 |= has(pair.b, &a.method);
        }
        for b in &pair.b.attributions {
            found.entry(&b.method).or_default().0[1] += 1;
        }
    }
    let alone = found.into_iter().filter(|(_, (_, together))| !together);
    alone.map(|(method, (frames, _))| (method.to_owned(), frames)).collect()
}

fn name(run: &Stored) -> String {
    format!("{} on {}", run.text("set.model"), run.text("set.data"))
}

/// What decides results and is not the same: settings, and hashes of network, data and plan.
fn differing(a: &Stored, b: &Stored) -> BTreeMap<String, [String; 2]> {
    let decides =
        |n: &&String| (n.starts_with("set.") || n.starts_with("hash.")) && *n != "hash.executable";
    // settings of Kernel SHAP decide nothing where one side does not have it
    let both = [a, b].iter().all(|s| s.settings.contains_key("hash.plan"));
    let idle = |n: &&String| !both && n.starts_with("set.shap.");
    let names = a.settings.keys().chain(b.settings.keys()).filter(decides).filter(|n| !idle(n));
    names.map(|n| (n.clone(), [a.text(n), b.text(n)])).filter(|(_, [x, y])| x != y).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{RatioError, Undefined};
    use crate::store::testing::row;

    fn frame(class: u16, index: u32, hash: &str) -> FrameRow {
        FrameRow { class, index, image_hash: hash.to_owned(), ..row(index) }
    }

    fn found(a: &[FrameRow], b: &[FrameRow]) -> Vec<[(u16, u32); 2]> {
        let key = |f: &FrameRow| (f.class, f.index);
        pairs(a, b).iter().map(|p| [key(p.a), key(p.b)]).collect()
    }

    #[test]
    fn alike_pictures_are_paired_by_key_and_none_is_lost() {
        // 5 and 9 are black in both; one run dropped 5
        let a = [frame(1, 5, "black"), frame(2, 9, "black"), frame(3, 1, "c")];
        let b = [frame(2, 9, "black"), frame(3, 1, "c")];
        assert_eq!(found(&a, &b), [[(2, 9), (2, 9)], [(3, 1), (3, 1)]]);
        let whole = [b[0].clone(), frame(1, 5, "black"), b[1].clone()];
        assert_eq!(found(&a, &whole).len(), 3);
        assert!(found(&a, &whole).iter().all(|[a, b]| a == b));
    }

    #[test]
    fn a_picture_is_known_by_its_hash_where_class_lists_differ_and_by_its_key_where_pixels_do() {
        let a = [frame(1, 0, "x"), frame(2, 0, "y")];
        assert_eq!(
            found(&a, &[frame(3, 0, "y"), frame(2, 0, "x")]),
            [[(1, 0), (2, 0)], [(2, 0), (3, 0)]]
        );
        assert_eq!(found(&a, &[frame(2, 0, "other"), frame(9, 9, "z")]), [[(2, 0), (2, 0)]]);
        assert_eq!(found(&a, &[frame(2, 0, ""), frame(1, 0, "")]).len(), 2);
    }

    #[test]
    fn a_method_of_one_run_alone_is_named() {
        let a: Vec<FrameRow> = (0..4).map(|n| frame(1, n, &n.to_string())).collect();
        let mut b = a.clone();
        assert_eq!(not_compared(&pairs(&a, &b)), BTreeMap::new());
        let method = a[0].attributions[0].method.clone();
        for row in b.iter_mut().skip(1) {
            row.attributions.retain(|m| m.method != method);
        }
        assert_eq!(not_compared(&pairs(&a, &b)), BTreeMap::new(), "one common frame is enough");
        b[0].attributions.retain(|m| m.method != method);
        assert_eq!(not_compared(&pairs(&a, &b)), BTreeMap::from([(method, [4, 0])]));
    }

    #[test]
    fn corrected_ratios_are_compared_where_every_frame_has_them_in_both_runs() {
        let a: Vec<FrameRow> = (0..9)
            .map(|n| {
                let mut row = frame(1, n, &n.to_string());
                row.attributions.truncate(1);
                row.attributions[0].ratio = Ok(0.5);
                row.attributions[0].ratio_error =
                    Some(RatioError { standard_error: 0.01, units: 10, cross_fit: Some(0.7) });
                row
            })
            .collect();
        let method = a[0].attributions[0].method.clone();
        let ratios = |b: &[FrameRow]| paired::ratios(&pairs(&a, b)).remove(&method).unwrap();
        let same = ratios(&a);
        assert!(same.corrected && (same.points[0].0 - 0.6).abs() < 1e-12, "{same:?}");
        assert!(same.title(&method).ends_with(", corrected"));
        let mut b = a.clone();
        b[3].attributions[0].ratio_error = None;
        let mixed = ratios(&b);
        assert!(!mixed.corrected && mixed.points.iter().all(|p| *p == (0.5, 0.5)), "{mixed:?}");
    }

    #[test]
    fn ratios_that_one_run_has_lost_are_not_equivalent() {
        let a: Vec<FrameRow> = (0..40).map(|n| frame(1, n, &n.to_string())).collect();
        let mut b = a.clone();
        for row in b.iter_mut().take(20) {
            row.attributions.iter_mut().for_each(|a| a.ratio = Err(Undefined::NoPositive));
        }
        let verdict = |b: &[FrameRow]| {
            let pairs = pairs(&a, b);
            let ratios = paired::ratios(&pairs);
            let (ladder, margins) =
                (Ladder::climb(&pairs, &Margins::default().ladder), Margins::default());
            let verdicts = paired::verdicts(
                &ladder,
                &Accuracy::of(&pairs),
                &ratios,
                &BTreeMap::new(),
                pairs.len(),
                &margins,
            );
            verdicts.into_iter().find(|v| v.what.starts_with("undefined in one run")).unwrap()
        };
        assert!(verdict(&a).met);
        assert!(!verdict(&b).met, "{:?}", verdict(&b));
    }
}
