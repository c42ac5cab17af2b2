//! Whether parts belong together: one plan, network and data set, and every frame of the run in exactly one part.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{MergeError, SHARD, dropped};
use crate::store::{Shard, Stored};

/// Refuses parts of another plan, network or data set than the first.
pub(super) fn same_settings(parts: &[PathBuf], runs: &[Stored]) -> Result<(), MergeError> {
    let (first, rest) = runs.split_first().ok_or(MergeError::TooFew(0))?;
    for (run, path) in rest.iter().zip(&parts[1..]) {
        let names = first.settings.keys().chain(run.settings.keys()).filter(|name| decides(name));
        for name in names {
            let value = |of: &Stored| {
                of.settings.get(name).cloned().unwrap_or_else(|| "nothing".to_owned())
            };
            // a run without Kernel SHAP once told its settings too; they decided nothing
            let idle = name.starts_with("set.shap.")
                && (value(first) == "nothing" || value(run) == "nothing")
                && [first, run].iter().all(|r| !r.settings.contains_key("hash.plan"));
            // the binary may differ between machines; results are compared by the other hashes
            if name != "hash.executable" && !idle && value(first) != value(run) {
                return Err(MergeError::Mixed {
                    path: path.clone(),
                    setting: name.clone(),
                    found: value(run),
                    other: parts[0].clone(),
                    expected: value(first),
                });
            }
        }
    }
    Ok(())
}

/// Whether a setting decides results and so must be equal in all parts.
fn decides(name: &str) -> bool {
    name != SHARD && (name.starts_with("set.") || name.starts_with("hash."))
}

/// Check that every frame is in exactly one part, stored or counted as left out; gives the number of frames of the run, and
/// of those stored.
pub(super) fn whole(parts: &[PathBuf], runs: &[Stored]) -> Result<(u32, usize), MergeError> {
    let asked = runs[0].settings.get("set.frames").and_then(|n| n.parse::<u32>().ok());
    let asked = asked
        .filter(|&n| n > 0)
        .ok_or_else(|| MergeError::NoSetting { path: parts[0].clone(), setting: "set.frames" })?;
    let mut owner = BTreeMap::new();
    for (run, path) in runs.iter().zip(parts) {
        let stored = run.frames.iter().map(|frame| frame.position);
        for position in stored.chain(left_out(run, asked)) {
            if let Some(other) = owner.insert(position, path) {
                let (path, other) = (path.clone(), other.clone());
                return Err(MergeError::Twice { path, position, other });
            }
        }
    }
    let mut missing = (0..asked).filter(|position| !owner.contains_key(position));
    match missing.next() {
        None => Ok((asked, runs.iter().map(|run| run.frames.len()).sum())),
        Some(first) => {
            Err(MergeError::Gap { last: asked - 1, missing: 1 + missing.count(), first })
        }
    }
}

/// Positions that a part has left out: those of its shard that it lacks, if they are as many as it counted. Else it was
/// cut off, and nobody knows which of them it could not read.
fn left_out(run: &Stored, asked: u32) -> Vec<u32> {
    let stored: BTreeSet<u32> = run.frames.iter().map(|frame| frame.position).collect();
    let shard = run.text(SHARD).parse::<Shard>().ok();
    let own = (0..asked).filter(|&position| shard.is_none_or(|shard| shard.holds(position)));
    let lacking: Vec<u32> = own.filter(|position| !stored.contains(position)).collect();
    let counted: u64 = dropped(run).values().sum();
    if counted == lacking.len() as u64 { lacking } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::part;
    use super::super::{ASIDE, merge};
    use super::*;
    use crate::store::{DROPPED, FILE_NAME};

    #[test]
    fn frames_that_their_shards_left_out_are_no_gaps_and_stay_counted() {
        let dir = tempfile::tempdir().unwrap();
        let shard = |name: &str, of: &str, positions: &[u32], dropped: &str| {
            let shard = format!("\"{of}\"");
            part(dir.path(), name, 7, positions, &[(SHARD, shard.as_str()), (DROPPED, dropped)])
        };
        // 2 and 5 could not be read
        let one = shard("one", "1/2", &[0, 4, 6], "{\"bad_source\":1,\"lost\":0}");
        let two = shard("two", "2/2", &[1, 3], "{\"bad_source\":1,\"lost\":0}");
        let out = dir.path().join("all");
        assert_eq!(merge(&[one.clone(), two.clone()], &out).unwrap(), 5);
        let merged = Stored::open(&out).unwrap();
        let positions: Vec<u32> = merged.frames.iter().map(|frame| frame.position).collect();
        assert_eq!(positions, [0, 1, 3, 4, 6]);
        assert_eq!(merged.settings["frames.asked"], "7");
        assert_eq!(merged.settings[DROPPED], "{\"bad_source\":2,\"lost\":0}");
        let refused =
            |parts: &[PathBuf]| merge(parts, &dir.path().join("not")).unwrap_err().to_string();
        // a shard that was cut off: 1 of the two frames that it lacks was not reached
        let cut = shard("cut", "2/2", &[1], "{\"bad_source\":1}");
        let error = refused(&[one.clone(), cut]);
        assert!(error.contains("2 of them in no part (first 3)"), "{error}");
        let silent = shard("silent", "2/2", &[1, 3], "{}");
        let error = refused(&[one.clone(), silent]);
        assert!(error.contains("1 of them in no part (first 5)"), "{error}");
        // a shard that is not there at all
        let third = shard("third", "1/3", &[0, 3], "{\"bad_source\":1}");
        let error = refused(&[third, shard("second", "2/3", &[1, 4], "{}")]);
        assert!(error.contains("2 of them in no part (first 2)"), "{error}");
        // of a shard that could read nothing one cannot tell by its frames that it is named twice
        let none = [1, 2].map(|n| shard(&format!("none-{n}"), "2/2", &[], "{\"bad_source\":3}"));
        let error = refused(&[one, none[0].clone(), none[1].clone()]);
        assert!(error.contains("frame 1 is in"), "{error}");
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("all");
        let one = part(dir.path(), "one", 4, &[0, 2], &[]);
        let refused = |other: PathBuf| {
            let error = merge(&[one.clone(), other], &out).unwrap_err().to_string();
            assert!(!out.join(FILE_NAME).exists() && !out.join(ASIDE).exists(), "{error}");
            error
        };
        let explained = [("hash.plan", "\"abc\""), ("set.shap.seed", "2")];
        let error = refused(part(dir.path(), "explained", 4, &[1, 3], &explained));
        assert!(error.contains("hash.plan") && error.contains("has nothing"), "{error}");
        let error = refused(part(dir.path(), "target", 4, &[1, 3], &[("set.target", "2")]));
        assert!(error.contains("set.target = 2") && error.contains("has nothing"), "{error}");
        let error = refused(part(dir.path(), "data", 4, &[1, 3], &[("hash.data", "\"e\"")]));
        assert!(error.contains("hash.data"), "{error}");
        let error = refused(part(dir.path(), "twice", 4, &[1, 2, 3], &[]));
        assert!(error.contains("frame 2 is in"), "{error}");
        let error = refused(part(dir.path(), "gap", 4, &[1], &[]));
        assert!(error.contains("0 to 3 expected, 1 of them in no part (first 3)"), "{error}");
        let error = refused(dir.path().join("nowhere"));
        assert!(error.contains("no file found"), "{error}");
        let error = merge(std::slice::from_ref(&one), &out).unwrap_err().to_string();
        assert!(error.contains("1 found"), "{error}");
    }

    #[test]
    fn settings_of_kernel_shap_that_nobody_used_do_not_part_shards() {
        let dir = tempfile::tempdir().unwrap();
        let older = part(dir.path(), "older", 2, &[0], &[("set.shap.seed", "2")]);
        let newer = part(dir.path(), "newer", 2, &[1], &[]);
        assert_eq!(merge(&[older, newer], &dir.path().join("all")).unwrap(), 2);
    }
}
