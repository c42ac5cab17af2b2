//! Files that appear whole or not at all, and errors that say what to do.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::source::SourceError;

/// Why a data set could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A file or folder could not be written.
    #[error("{path}: {problem}; {remedy}")]
    File {
        /// Where.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
        /// What the user can do.
        remedy: String,
    },
    /// A frame could not be read or rendered.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl WriteError {
    pub(crate) fn new(path: &Path, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::File { path: path.to_owned(), problem: problem.into(), remedy: remedy.into() }
    }

    /// An error of the operating system, with the remedy that fits it.
    pub(crate) fn io(path: &Path, doing: &str, error: &io::Error) -> Self {
        let remedy = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "free some space and run the same command again: it continues where it stopped"
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "choose a folder that you may write to with --out"
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                "a file is in the way: choose another folder with --out"
            }
            _ => "check the disk and run the same command again: it continues where it stopped",
        };
        Self::new(path, format!("cannot {doing}: {error}"), remedy)
    }

    pub(crate) fn worker_died(out: &Path) -> Self {
        Self::new(out, "a worker thread ended early", "run the same command again")
    }
}

/// Name of a file while it is being written.
pub(crate) fn part_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Create a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(|e| WriteError::io(path, "create the folder", &e))
}

/// Remove a file; one that is not there any more is no error, because a second run tidies up after the first.
pub(crate) fn remove(path: &Path, doing: &str) -> Result<(), WriteError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(WriteError::io(path, doing, &e)),
        _ => Ok(()),
    }
}

/// Write a file under a name of its own, bring it to the disk, then give it its name.
///
/// # Errors
/// Whatever the operating system or `fill` reports; then no file of that name appears.
pub(crate) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), WriteError> {
    let part = part_name(path);
    let result = (|| {
        let mut file = BufWriter::new(File::create(&part)?);
        fill(&mut file)?;
        file.flush()?;
        file.get_ref().sync_data()?;
        fs::rename(&part, path)
    })();
    result.map_err(|e| {
        // best effort: the error that counts is the first one
        fs::remove_file(&part).ok();
        WriteError::io(path, "write the file", &e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        write_whole(&path, |f| f.write_all(b"old")).unwrap();
        let error = write_whole(&path, |f| {
            f.write_all(b"new")?;
            Err(io::Error::from(ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no part is left");
        assert!(error.to_string().contains("free some space"), "{error}");
    }
}
