//! Putting the shards of an evaluation together into one store, as if one machine had run it all.
//!
//! What decides results must be equal in all parts, and their positions must fill the run: none twice, none missing but
//! those that the run of their shard counted as left out (`--skip-bad`). All of this is checked (`belong`) before the first byte
//! is written.

mod belong;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use self::belong::{same_settings, whole};
use super::kernels::{self, INTEGER_KERNELS};
use super::read::{Stored, collect};
use super::{DROPPED, FILE_NAME, RunStore, StoreError, UNLOGGED, VERDICT};

/// Tables that are copied row by row; `setting` is made anew.
const TABLES: [&str; 5] = ["plan", "frame", "attribution", "stage_time", "preview"];
/// Folder in which the result is made.
const ASIDE: &str = "merging.part";
/// Setting that says which part of a run a store holds.
pub const SHARD: &str = "set.shard";

/// Why runs cannot be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// Nothing to merge.
    #[error("merge: two or more run folders expected, {0} found")]
    TooFew(usize),
    /// A part cannot be read, or the result cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two parts were run with different settings.
    #[error(
        "{path}: {setting} = {found}, but {other} has {expected}; only runs of one plan, network and data set merge"
    )]
    Mixed {
        /// The part that differs.
        path: PathBuf,
        /// First setting that differs.
        setting: String,
        /// Its value there.
        found: String,
        /// The part that it is compared with.
        other: PathBuf,
        /// Its value there.
        expected: String,
    },
    /// A frame is in two parts.
    #[error("{path}: frame {position} is in {other} too; name every shard once")]
    Twice {
        /// The part.
        path: PathBuf,
        /// The frame.
        position: u32,
        /// The other part.
        other: PathBuf,
    },
    /// Frames are in no part, and no finished part counted them as left out.
    #[error(
        "merge: frames 0 to {last} expected, {missing} of them in no part (first {first}); \
         finish their shard with --resume or name its folder too"
    )]
    Gap {
        /// Last position of the run.
        last: u32,
        /// Missing frames.
        missing: usize,
        /// First of them.
        first: u32,
    },
    /// The number of frames of the whole run is not in the settings.
    #[error(
        "{path}: {setting} expected among the settings, not found; was it written by `roadgaze run`?"
    )]
    NoSetting {
        /// The part.
        path: PathBuf,
        /// Name of the setting.
        setting: &'static str,
    },
}

/// Merge the runs in `parts` into a new store in `folder`; gives the number of frames stored.
///
/// A frame that its shard could not read is no gap: it stays left out and counted, as in a run of one machine.
///
/// The facts about machines are kept by part (`part.N.machine...`), so that figures of latency can be told apart.
///
/// # Errors
/// If a part cannot be read, parts do not belong together, frames are missing or double, or the result cannot be
/// written; then `folder` holds no run.
pub fn merge(parts: &[PathBuf], folder: &Path) -> Result<usize, MergeError> {
    if parts.len() < 2 {
        return Err(MergeError::TooFew(parts.len()));
    }
    let runs: Vec<Stored> = parts.iter().map(|p| Stored::open(p)).collect::<Result<_, _>>()?;
    same_settings(parts, &runs)?;
    let (asked, frames) = whole(parts, &runs)?;
    let settings = joined_settings(&runs, asked);
    let path = folder.join(FILE_NAME);
    let aside = folder.join(ASIDE);
    if path.exists() {
        // empty where a merge was killed after its last step but one
        drop(fs::remove_dir(&aside));
        return Err(StoreError::Exists { path }.into());
    }
    // made aside and moved: a merge that is killed leaves no half of a run
    drop(fs::remove_dir_all(&aside));
    let made = make(&aside, &settings, parts).and_then(|()| {
        let moved = fs::rename(aside.join(FILE_NAME), &path);
        moved
            .and_then(|()| fs::File::open(folder)?.sync_all())
            .map_err(|source| StoreError::File { path, source })
    });
    drop(fs::remove_dir_all(&aside));
    made?;
    Ok(frames)
}

fn make(
    folder: &Path,
    settings: &BTreeMap<String, String>,
    parts: &[PathBuf],
) -> Result<(), StoreError> {
    let store = RunStore::create(folder, settings)?;
    let path = store.path().to_owned();
    drop(store);
    copy(&path, parts)
}

/// Frames that a run left out, by reason.
fn dropped(run: &Stored) -> BTreeMap<String, u64> {
    let here = run.settings.get(DROPPED).map(String::as_str).unwrap_or_default();
    serde_json::from_str(here).unwrap_or_default()
}

fn joined_settings(runs: &[Stored], asked: u32) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = runs[0].settings.clone();
    all.insert(SHARD.to_owned(), "null".to_owned());
    all.insert("frames.asked".to_owned(), asked.to_string());
    let mut left_out: BTreeMap<String, u64> = BTreeMap::new();
    for (reason, n) in runs.iter().flat_map(dropped) {
        *left_out.entry(reason).or_default() += n;
    }
    all.insert(DROPPED.to_owned(), serde_json::json!(left_out).to_string());
    let unlogged = runs.iter().filter_map(|run| run.settings.get(UNLOGGED)?.parse::<u64>().ok());
    all.insert(UNLOGGED.to_owned(), unlogged.sum::<u64>().to_string());
    // that of a part says nothing of the whole
    all.remove(VERDICT);
    let kernels = kernels::joined(runs.iter().map(|run| run.settings.get(INTEGER_KERNELS)));
    all.insert(INTEGER_KERNELS.to_owned(), kernels);
    all.insert("merged.parts".to_owned(), runs.len().to_string());
    for (number, run) in (1..).zip(runs) {
        for (name, value) in &run.settings {
            if name.starts_with("machine.") || name == SHARD || name == "hash.executable" {
                all.insert(format!("part.{number}.{name}"), value.clone());
            }
        }
    }
    all
}

/// Copy all rows in one transaction.
fn copy(path: &Path, parts: &[PathBuf]) -> Result<(), StoreError> {
    let broken = |source| StoreError::database(path, source);
    let mut db = Connection::open(path).map_err(broken)?;
    let run = |db: &mut Connection| -> rusqlite::Result<()> {
        for (number, part) in parts.iter().enumerate() {
            // percent signs and question marks have a meaning in SQLite's file names, so no URI
            let file = part.join(FILE_NAME);
            db.execute(&format!("ATTACH ?1 AS part{number}"), params![file.to_string_lossy()])?;
            let transaction = db.transaction()?;
            for table in TABLES {
                // shards share their coalition plan
                transaction.execute(
                    &format!(
                        "INSERT OR IGNORE INTO main.{table} SELECT * FROM part{number}.{table}"
                    ),
                    [],
                )?;
            }
            transaction.commit()?;
            db.execute(&format!("DETACH part{number}"), [])?;
        }
        let transaction = db.transaction()?;
        super::seal::seal_all(&transaction)?;
        transaction.commit()
    };
    run(&mut db).map_err(broken)?;
    let check = "PRAGMA integrity_check";
    let words: Vec<String> = collect(path, &db, check, |row| row.get(0))?;
    if words == ["ok"] {
        return Ok(());
    }
    Err(StoreError::Value {
        path: path.to_owned(),
        place: "integrity_check".to_owned(),
        what: "ok",
        found: words.join("; "),
    })
}

#[cfg(test)]
mod tests {
    use super::super::read::tests::row;
    use super::*;

    /// A run folder that holds these positions of a run of `frames`.
    pub(super) fn part(
        root: &Path,
        name: &str,
        frames: u32,
        positions: &[u32],
        extra: &[(&str, &str)],
    ) -> PathBuf {
        let folder = root.join(name);
        let mut settings = BTreeMap::from([
            ("set.frames".to_owned(), frames.to_string()),
            ("hash.data".to_owned(), "\"d\"".to_owned()),
            ("hash.executable".to_owned(), format!("\"{name}\"")),
            (SHARD.to_owned(), format!("\"{name}\"")),
            ("machine.cpu".to_owned(), format!("\"cpu of {name}\"")),
        ]);
        settings.extend(extra.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        let mut store = RunStore::create(&folder, &settings).unwrap();
        store.add_plans(&[("abc".to_owned(), b"body")]).unwrap();
        positions.iter().for_each(|&p| store.add(&row(p)).unwrap());
        store.finish().unwrap();
        folder
    }

    #[test]
    fn shards_become_the_run_that_one_machine_would_have_made() {
        let dir = tempfile::tempdir().unwrap();
        let parts = [
            part(dir.path(), "a", 5, &[0, 2, 4], &[(UNLOGGED, "2"), (VERDICT, "{\"valid\":true}")]),
            part(dir.path(), "b", 5, &[1, 3], &[(UNLOGGED, "3")]),
        ];
        let out = dir.path().join("all");
        assert_eq!(merge(&parts, &out).unwrap(), 5);
        let whole = Stored::open(&part(dir.path(), "whole", 5, &[0, 1, 2, 3, 4], &[])).unwrap();
        let merged = Stored::open(&out).unwrap();
        assert_eq!(merged.frames, whole.frames);
        assert_eq!(merged.plan("abc").unwrap(), b"body");
        assert_eq!(merged.preview(3).unwrap(), whole.preview(3).unwrap());
        assert_eq!(merged.settings["frames.asked"], "5");
        assert_eq!(merged.settings[UNLOGGED], "5");
        assert!(!merged.settings.contains_key(VERDICT), "that of a part is not that of the whole");
        assert_eq!(merged.text("part.2.machine.cpu"), "cpu of b");
        assert_eq!(merged.settings[SHARD], "null");
    }

    #[test]
    fn an_existing_run_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let parts = [part(dir.path(), "a", 2, &[0], &[]), part(dir.path(), "b", 2, &[1], &[])];
        let error = merge(&parts, &parts[0]).unwrap_err();
        assert!(matches!(error, MergeError::Store(StoreError::Exists { .. })), "{error}");
        assert_eq!(Stored::open(&parts[0]).unwrap().frames.len(), 1);
    }
}
