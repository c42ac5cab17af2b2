//! The run that `--overwrite` takes the place of: what it has written is removed, or set aside until a camera has answered.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::run;
use crate::store::{FILE_NAME, StoreError, Stored};
use crate::telemetry;

/// Folder inside the run folder in which the old run lies meanwhile.
const ASIDE: &str = "overwritten.part";

/// What a run has written in this folder, relative to it, and nothing else; the store first. Some may not be there.
fn written(folder: &Path) -> Vec<PathBuf> {
    const FILES: [&str; 7] = [
        FILE_NAME,
        "run.sqlite-wal",
        "run.sqlite-shm",
        "summary.json",
        "report.html",
        "summary.part",
        "report.part",
    ];
    let mut paths: Vec<PathBuf> = FILES.iter().map(|name| folder.join(name)).collect();
    for log in telemetry::logs(&folder.join(run::TELEMETRY)) {
        paths.push(telemetry::executable_hash_path(&log));
        paths.push(log);
    }
    let games = folder.join(run::GAMES);
    // not through a link, which could lead anywhere
    if let (false, Ok(entries)) = (games.is_symlink(), fs::read_dir(&games)) {
        let files = entries.flatten().map(|entry| entry.path());
        paths.extend(files.filter(|file| file.extension() == Some(OsStr::new("game"))));
    }
    let inside = |path: &PathBuf| path.strip_prefix(folder).map(Path::to_owned).ok();
    paths.iter().filter_map(inside).collect()
}

/// Remove what a run has written, and nothing else.
pub(super) fn remove_run(folder: &Path) -> anyhow::Result<()> {
    for path in written(folder) {
        let path = folder.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                bail!("{}: {error}", path.display())
            }
            _ => {}
        }
    }
    remove_empty(&folder.join(run::GAMES));
    Ok(())
}

/// Only an empty folder can be removed this way: files of others keep it.
fn remove_empty(folder: &Path) {
    drop(fs::remove_dir(folder));
}

/// Move these files of a run, as far as they are there, from one folder to another.
fn carry(paths: impl Iterator<Item = PathBuf>, from: &Path, to: &Path) -> anyhow::Result<()> {
    for path in paths {
        let (source, target) = (from.join(&path), to.join(&path));
        if source.symlink_metadata().is_err() {
            continue;
        }
        let moved = target
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::rename(&source, &target));
        moved.with_context(|| format!("{} to {}", source.display(), target.display()))?;
    }
    remove_empty(&from.join(run::GAMES));
    Ok(())
}

/// Whether a run in this folder has heard its camera.
fn has_begun(folder: &Path) -> Result<bool, StoreError> {
    if !folder.join(FILE_NAME).exists() {
        return Ok(false);
    }
    match Stored::open(folder) {
        Ok(run) => Ok(!run.frames.is_empty() || run.settings.contains_key("hash.data")),
        // killed before its first transaction
        Err(StoreError::Schema { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A run that was set aside for one whose camera may not answer.
#[derive(Debug)]
pub(super) struct OldRun {
    folder: PathBuf,
    aside: PathBuf,
}

impl OldRun {
    /// Remove the run in a folder, and one that was set aside there.
    pub(super) fn remove(folder: &Path) -> anyhow::Result<()> {
        let aside = Self::of(folder)?.aside;
        remove_run(folder)?;
        if aside.is_dir() {
            fs::remove_dir_all(&aside).with_context(|| aside.display().to_string())?;
        }
        Ok(())
    }

    /// Set the run in a folder aside, so that a new one can begin there; [`OldRun::settle`] ends this. A process that is
    /// killed in between leaves that to the next call.
    pub(super) fn set_aside(folder: &Path) -> anyhow::Result<Self> {
        let old = Self::of(folder)?;
        telemetry::refuse_busy(&folder.join(run::TELEMETRY))
            .with_context(|| folder.display().to_string())?;
        old.settle()?;
        if !folder.join(FILE_NAME).exists() {
            remove_run(folder)?;
            return Ok(old);
        }
        // the store last: where it lies aside all of the run does
        let moved = carry(written(folder).into_iter().rev(), folder, &old.aside);
        if moved.is_err() {
            drop(old.put_back());
        }
        moved.map(|()| old)
    }

    /// Remove the run that was set aside if the new one has heard its camera, else put it back in its place; whether it was
    /// put back.
    pub(super) fn settle(&self) -> anyhow::Result<bool> {
        let Self { folder, aside } = self;
        if !aside.is_dir() {
            return Ok(false);
        }
        if aside.join(FILE_NAME).exists() {
            let begun = has_begun(folder);
            if begun.with_context(|| format!("the run before lies in {}", aside.display()))? {
                fs::remove_dir_all(aside).with_context(|| aside.display().to_string())?;
                return Ok(false);
            }
            remove_run(folder)?;
        }
        self.put_back()?;
        Ok(true)
    }

    /// The store first: as long as it lies aside the place belongs to the new run.
    fn put_back(&self) -> anyhow::Result<()> {
        carry(written(&self.aside).into_iter(), &self.aside, &self.folder)?;
        remove_empty(&self.aside);
        Ok(())
    }

    fn of(folder: &Path) -> anyhow::Result<Self> {
        let aside = folder.join(ASIDE);
        if aside.is_symlink() {
            bail!(
                "{}: a folder expected, a symbolic link found: it could lead anywhere; remove it",
                aside.display()
            );
        }
        Ok(Self { folder: folder.to_owned(), aside })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::RunStore;
    use crate::store::testing::row;

    const OURS: [&str; 6] = [
        "run.sqlite",
        "telemetry.defmt",
        "telemetry.defmt.executable-sha256",
        "telemetry.1.defmt",
        "telemetry.1.defmt.executable-sha256",
        "games/7.game",
    ];
    const OTHERS: [&str; 2] = ["notes.txt", "games/notes.txt"];

    /// A folder with a run, and files of others beside it; each holds its own name.
    fn old_run() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(run::GAMES)).unwrap();
        for name in OURS.iter().chain(&OTHERS) {
            fs::write(dir.path().join(name), name).unwrap();
        }
        dir
    }

    fn assert_there(folder: &Path, names: &[&str]) {
        for name in names {
            assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), *name);
        }
        assert!(!folder.join(ASIDE).exists());
    }

    /// A new run in the folder, with that many frames.
    fn new_run(folder: &Path, frames: u32) {
        let mut store = RunStore::create(folder, &BTreeMap::new()).unwrap();
        (0..frames).for_each(|position| store.add(&row(position)).unwrap());
        fs::write(folder.join("report.html"), "new").unwrap();
    }

    #[test]
    fn a_run_is_removed_with_its_games_and_logs_and_files_of_others_stay() {
        let dir = old_run();
        OldRun::remove(dir.path()).unwrap();
        for name in OURS {
            assert!(!dir.path().join(name).exists(), "{name}");
        }
        assert_there(dir.path(), &OTHERS);
        OTHERS.iter().for_each(|name| fs::remove_file(dir.path().join(name)).unwrap());
        remove_run(dir.path()).unwrap();
        assert!(!dir.path().join(run::GAMES).exists());
    }

    #[test]
    fn a_run_whose_camera_never_answers_costs_nothing() {
        let dir = old_run();
        let old = OldRun::set_aside(dir.path()).unwrap();
        assert!(!dir.path().join(FILE_NAME).exists());
        new_run(dir.path(), 0);
        assert!(old.settle().unwrap());
        assert_there(dir.path(), &OURS);
        assert_there(dir.path(), &OTHERS);
        assert!(!dir.path().join("report.html").exists(), "of the run that did not come about");
        // not even a store was made
        let old = OldRun::set_aside(dir.path()).unwrap();
        assert!(old.settle().unwrap());
        assert_there(dir.path(), &OURS);
    }

    #[test]
    fn a_run_that_has_frames_takes_the_place_of_the_one_before() {
        let dir = old_run();
        let old = OldRun::set_aside(dir.path()).unwrap();
        new_run(dir.path(), 2);
        assert!(!old.settle().unwrap());
        assert_there(dir.path(), &OTHERS);
        assert_eq!(Stored::open(dir.path()).unwrap().frames.len(), 2);
        assert!(!dir.path().join("telemetry.defmt").exists());
        // where there was none, nothing is put back
        let empty = tempfile::tempdir().unwrap();
        let old = OldRun::set_aside(empty.path()).unwrap();
        new_run(empty.path(), 0);
        assert!(!old.settle().unwrap());
        assert!(empty.path().join(FILE_NAME).exists());
    }

    #[test]
    fn what_a_killed_attempt_left_is_settled_by_the_next_one() {
        // killed while it waited for the camera
        let dir = old_run();
        drop(OldRun::set_aside(dir.path()).unwrap());
        new_run(dir.path(), 0);
        assert!(OldRun::set_aside(dir.path()).unwrap().settle().unwrap());
        assert_there(dir.path(), &OURS);
        // while it set aside, or put back: the store is in its place, others are not
        fs::create_dir(dir.path().join(ASIDE)).unwrap();
        let log = "telemetry.defmt";
        fs::rename(dir.path().join(log), dir.path().join(ASIDE).join(log)).unwrap();
        assert!(OldRun::set_aside(dir.path()).unwrap().settle().unwrap());
        assert_there(dir.path(), &OURS);
        // after frames had come
        drop(OldRun::set_aside(dir.path()).unwrap());
        new_run(dir.path(), 1);
        let old = OldRun::set_aside(dir.path()).unwrap();
        assert_eq!(Stored::open(&old.aside).unwrap().frames.len(), 1);
        assert!(old.settle().unwrap());
        assert_eq!(Stored::open(dir.path()).unwrap().frames.len(), 1);
    }
}
